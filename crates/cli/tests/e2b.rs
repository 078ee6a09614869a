//! The `e2b` backend as a person meets it first: without a key, and without a cloud.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output};

fn meliora(url: &str, key: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("meliora"));
    for name in ["E2B_API_KEY", "E2B_DOMAIN", "E2B_SANDBOX_URL"] {
        command.env_remove(name);
    }
    if let Some(key) = key {
        command.env("E2B_API_KEY", key);
    }
    command.env("E2B_API_URL", url).args(args).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn without_a_key_the_variable_is_named() {
    for key in [None, Some("  "), Some("two words")] {
        let output = meliora("http://127.0.0.1:9", key, &["sandbox", "run", "--backend", "e2b", "--", "true"]);
        let told = told(&output);
        assert!(!output.status.success() && told.contains("E2B_API_KEY"), "{told}");
        assert!(!told.contains("two words"), "{told}");
    }
}

#[test]
fn a_cloud_that_is_not_there_is_named_and_the_key_is_not() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let output = meliora(&url, Some("e2b_very_secret"), &["sandbox", "run", "--backend", "e2b", "--", "true"]);
    let told = told(&output);
    assert!(!output.status.success() && told.contains(&url) && told.contains("E2B_API_URL"), "{told}");
    assert!(!told.contains("very_secret"), "{told}");
}
