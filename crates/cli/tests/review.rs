//! `meliora review`: the law's answer for scripts and for the hooks of other agents.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use assert_cmd::Command;

/// The program in a folder, with a home of its own, so that no key of whoever runs the tests is seen.
fn meliora(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meliora"));
    command
        .current_dir(folder)
        .env("HOME", folder.join("home"))
        .env_remove("MELIORA_KEYS")
        .env_remove("XDG_CONFIG_HOME");
    command.arg("review");
    command
}

fn code(folder: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let output = meliora(folder).args(arguments).write_stdin(input).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_exit_code_is_the_strictest_answer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (arguments, input, exit) in [
        (&["--command", "ls -la"][..], "", 0),
        (&["--command", "-"], "cargo test\n", 0),
        (&["--sql", "SELECT 1"], "", 0),
        (&["--path", "src/a.rs"], "", 0),
        (&["--command", "frobnicate"], "", 10),
        (&["--delete", "app.sqlite"], "", 10),
        (&["--network", "example.net:443"], "", 10),
        (&["--diff", "-"], "no diff", 10),
        (&["--path", "CONSTITUTION.yaml"], "", 11),
        (&["--command", "ls", "--command", "frobnicate", "--command", "rm -rf /etc"], "", 11),
        (&[], "", 2),
        (&["--diff", "no such file"], "", 2),
    ] {
        assert_eq!(code(folder, arguments, input).0, exit, "{arguments:?}");
    }
    let (_, said) = code(folder, &["--json", "--command", "touch CONSTITUTION.yaml"], "");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["decision"], &said["article"]), (&"forbid".into(), &"constitution-immutable".into()));
    assert!(!said["mend"].as_str().unwrap().is_empty());
}

#[test]
fn a_hook_answers_in_the_form_that_claude_code_reads() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let event = |tool: &str, input: serde_json::Value| {
        serde_json::json!({"hook_event_name": "PreToolUse", "session_id": "x", "cwd": folder, "tool_name": tool, "tool_input": input})
            .to_string()
    };
    for (tool, input, decision) in [
        ("Bash", serde_json::json!({"command": "cargo test"}), "allow"),
        ("Bash", serde_json::json!({"command": "sudo ls"}), "ask"),
        ("Bash", serde_json::json!({"command": "rm -rf /etc"}), "deny"),
        ("Bash", serde_json::json!({}), "ask"),
        ("Write", serde_json::json!({"file_path": folder.join("a.txt"), "content": "x"}), "allow"),
        ("Edit", serde_json::json!({"file_path": folder.join("CONSTITUTION.yaml")}), "deny"),
        ("Read", serde_json::json!({"file_path": folder.join("it's.txt")}), "allow"),
        ("Read", serde_json::json!({"file_path": "/etc/shadow"}), "ask"),
        ("WebFetch", serde_json::json!({"url": "https://example.net/x"}), "ask"),
        ("mcp__files__write", serde_json::json!({"path": "a"}), "ask"),
    ] {
        let (exit, said) = code(folder, &["--hook"], &event(tool, input.clone()));
        assert_eq!(exit, 0, "{tool} {input}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let answer = &said["hookSpecificOutput"];
        assert_eq!(answer["hookEventName"], "PreToolUse");
        assert_eq!(answer["permissionDecision"], decision, "{tool} {input} {said}");
        assert!(!answer["permissionDecisionReason"].as_str().unwrap().is_empty());
    }
    // What cannot be read, and a law that does not load, stop the tool.
    assert_eq!(code(folder, &["--hook"], "no event").0, 2);
    std::fs::write(folder.join("CONSTITUTION.yaml"), "immutable_constraints: [\"Be nice\"]\n").unwrap();
    assert_eq!(code(folder, &["--hook"], &event("Bash", serde_json::json!({"command": "ls"}))).0, 2);
}
