//! `meliora sandbox`: a person's own command in a cage, and the choice of where the cage comes from.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write as _;
use std::process::Stdio;

use common::{Project, Ran};

/// Runs `meliora sandbox run` with this standard input.
fn run_with(project: &Project, args: &[&str], stdin: &[u8]) -> Ran {
    let args: Vec<&str> = ["sandbox", "run"].iter().chain(args).copied().collect();
    let mut child =
        project.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads none of it closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn run(project: &Project, args: &[&str]) -> Ran {
    run_with(project, args, b"")
}

#[test]
fn a_command_has_its_own_streams_and_its_own_exit_code() {
    let project = Project::empty();
    let ran = run_with(&project, &["--", "/bin/sh", "-c", "cat; echo loud >&2; exit 7"], b"given\n").exits(7);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("given\n", "loud\n"));
    run(&project, &["--", "/bin/sh", "-c", "kill -TERM $$"]).exits(128 + 15);
    run(&project, &["--", "no-such-program"]).exits(127).says(&["no-such-program"]);
}

#[test]
fn a_folder_is_copied_in_and_nothing_of_it_changes_outside() {
    let project = Project::empty();
    project.write("in/deep/data.txt", "old");
    project.write("in/tool.sh", "#!/bin/sh\ncat deep/data.txt; echo new > deep/data.txt; ls -A\n");
    std::os::unix::fs::symlink("/etc/passwd", project.path("in/link")).unwrap();
    let chmod = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.path("in/tool.sh"), chmod).unwrap();
    let ran = run(&project, &["--dir", "in", "--", "./tool.sh"]).exits(0).says(&["not copied: 1 (links"]);
    assert_eq!(ran.out, "olddeep\ntool.sh\n");
    assert_eq!(project.read("in/deep/data.txt"), "old");
}

#[test]
fn only_what_is_asked_for_is_in_the_environment() {
    let project = Project::empty();
    let ran = run(&project, &["--env", "ASKED=a=b", "--env", "LANG=C", "--", "/usr/bin/env"]).exits(0);
    let mut names: Vec<&str> = ran.out.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ASKED", "HOME", "LANG", "PATH"]);
    assert!(ran.out.contains("ASKED=a=b\n") && ran.out.contains("LANG=C\n"), "{}", ran.out);
    run(&project, &["--env", "BROKEN", "--", "true"]).exits(2).says(&["NAME=VALUE", "hint:"]);
}

#[test]
fn a_limit_that_is_passed_is_named_and_has_a_code_of_its_own() {
    let project = Project::empty();
    run(&project, &["--seconds", "0.3", "--", "sleep", "100"]).exits(124).says(&["--seconds"]);
    let flood = run(&project, &["--output-mb", "1", "--", "yes"]).exits(137).says(&["--output-mb"]);
    assert_eq!(flood.out.len(), 1 << 20);
    run(&project, &["--seconds", "0", "--", "true"]).exits(2).says(&["seconds"]);
    project.write("in/big", vec![b'x'; 3 << 20]);
    run(&project, &["--dir", "in", "--disk-mb", "1", "--", "true"]).exits(2).says(&["no room", "--disk-mb"]);
}

#[test]
fn an_unknown_backend_is_an_error_that_lists_them() {
    let project = Project::add();
    for args in [
        &["sandbox", "run", "--backend", "jail", "--", "true"][..],
        &["run", "--backend", "jail"],
        &["doctor", "--backend", "jail"],
    ] {
        project.meliora(args).exits(2).says(&["jail", "ns", "microvm", "e2b", "container"]);
    }
    let toml = project.read("meliora.toml") + "\n[sandbox]\nbackend = \"jail\"\n";
    project.write("meliora.toml", toml);
    project.meliora(&["bench"]).exits(3).says(&["jail", "`ns`", "`microvm`", "`e2b`", "`container`", "meliora.toml"]);
    // The flag wins over the file, which is read all the same.
    project.edit("meliora.toml", "jail", "ns");
    project.meliora(&["bench", "--backend", "ns"]).exits(0).says(&["cage: namespaces"]);
}

#[test]
fn the_selftest_tells_every_probe_and_ends_with_its_totals() {
    let project = Project::empty();
    let ran = project.meliora(&["sandbox", "selftest", "--quick", "--json"]).exits(0);
    let (last, probes) = (ran.last(), ran.objects());
    let closed = probes.iter().filter(|probe| probe["event"] == "probe" && probe["state"] == "closed").count();
    assert_eq!((last["event"].as_str(), last["open"].as_u64()), (Some("selftest"), Some(0)), "{last}");
    assert_eq!(last["closed"].as_u64(), Some(closed as u64));
    assert!(closed > 10 && last["cage"].as_str().unwrap().starts_with("namespaces"), "{last}");
    let shown = project.meliora(&["sandbox", "selftest", "--quick"]).exits(0);
    shown.says(&["read /etc/shadow", "closed", "kind", "nothing is open", "cage: ns"]);
}

#[test]
fn a_container_runs_a_command_like_any_other_cage() {
    if !common::have("podman") {
        return;
    }
    let project = Project::empty();
    let ran = run_with(&project, &["--backend", "container", "--", "/bin/sh", "-c", "cat; exit 3"], b"in it\n");
    if ran.code == 6 && !common::skip(&format!("podman starts no container here: {}", ran.err)) {
        return;
    }
    assert_eq!((ran.code, ran.out.as_str()), (3, "in it\n"), "{}", ran.err);
}

#[test]
fn a_backend_that_is_not_there_says_what_is_missing() {
    let project = Project::empty();
    let mut command = project.command(&["sandbox", "run", "--backend", "container", "--", "true"]);
    let output = command.env("PATH", "/nowhere").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{err}");
    assert!(err.contains("neither podman nor docker") && err.contains("hint:"), "{err}");
}

#[test]
fn the_python_of_a_run_is_warm_unless_it_has_no_library() {
    let project = Project::add();
    let ran = project.meliora(&["run", ".", "--evals", "2", "--jobs", "1"]);
    let warm = ran.err.contains("python: warm") || ran.err.contains("it has no shared library");
    assert!(warm, "{}", ran.err);
}
