//! `meliora sandbox serve`, as it is started.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use common::{PROGRAM, Project, signal};

/// Starts a service with these flags and variables, and reads where it listens.
fn start(flags: &[&str], variables: &[(&str, &str)]) -> (Child, String) {
    let mut child = std::process::Command::new(PROGRAM)
        .args(["sandbox", "serve", "--json", "--listen", "127.0.0.1:0"])
        .args(flags)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    (child, told["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned())
}

/// The status of a request for a new sandbox with this key.
fn create(address: &str, key: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v2/sandboxes HTTP/1.1\r\nHost: {address}\r\nX-API-KEY: {key}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn it_does_not_listen_for_others_without_a_key() {
    let project = Project::empty();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let ran = project.meliora(&["sandbox", "serve", "--listen", address]);
        ran.exits(3).says(&["has no key", "MELIORA_SANDBOX_KEY", "--key-file"]);
    }
    project.write("keys", "# none yet\n\n");
    project.meliora(&["sandbox", "serve", "--key-file", "keys"]).exits(3).says(&["no key in it"]);
    project.meliora(&["sandbox", "serve", "--key-file", "nonesuch"]).exits(3).says(&["nonesuch"]);
    project.meliora(&["sandbox", "serve", "--max-sandboxes", "0"]).exits(2);
}

#[test]
fn keys_come_from_a_file_and_from_the_environment_and_a_signal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "# ours\nfrom-file\n").unwrap();
    let (mut child, address) =
        start(&["--key-file", file.to_str().unwrap(), "--max-sandboxes", "1"], &[("MELIORA_SANDBOX_KEY", "from-env")]);
    assert_eq!(create(&address, "from-file"), "201");
    assert_eq!(create(&address, "from-file"), "429");
    assert_eq!(create(&address, "from-env"), "201");
    assert_eq!(create(&address, "# ours"), "401");
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(&address).is_err());
}
