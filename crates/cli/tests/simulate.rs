//! Strategies side by side.
#![allow(clippy::unwrap_used, reason = "tests")]

use assert_cmd::Command;

fn meliora(args: &[&str]) -> std::process::Output {
    Command::cargo_bin("meliora").unwrap().args(args).output().unwrap()
}

#[test]
fn a_simulation_tells_every_landscape_and_is_the_same_each_time() {
    let picture = tempfile::NamedTempFile::new().unwrap();
    let svg = picture.path().to_str().unwrap();
    let args = ["simulate", "--family", "plain", "--strategy", "greedy", "--strategy", "hgm", "--seeds", "2", "--json"];
    let first = meliora(&[&args[..], &["--svg", svg]].concat());
    assert!(first.status.success(), "{first:?}");
    let lines: Vec<serde_json::Value> = String::from_utf8(first.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let landscapes: Vec<_> = lines.iter().filter(|line| line["event"] == "landscape").collect();
    assert_eq!(landscapes.len(), 4, "two landscapes, two strategies");
    assert!(landscapes.iter().all(|l| l["champions"].as_array().unwrap().len() == 2));
    assert_eq!(lines.iter().filter(|line| line["event"] == "duel").count(), 1);
    assert_eq!(meliora(&args).stdout, first.stdout);
    assert_ne!(meliora(&[&args[..], &["--first-seed", "1001"]].concat()).stdout, first.stdout, "other seeds");
    let svg = std::fs::read_to_string(picture.path()).unwrap();
    assert_eq!(svg.matches("<polyline").count(), 2);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
}

#[test]
fn what_cannot_be_simulated_is_named() {
    for (flag, name) in [("--strategy", "best"), ("--family", "flat")] {
        let output = meliora(&["simulate", flag, name]);
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(name) && told.contains("hint:"), "{told}");
    }
}
