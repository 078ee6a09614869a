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

#[test]
fn in_a_fresh_project_the_suite_is_protected_and_the_genome_editable() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut init = Command::new(env!("CARGO_BIN_EXE_meliora"));
    init.current_dir(folder).env("HOME", folder.join("../home-of-nobody")).env("MELIORA_KEYS", folder.join("keys"));
    init.args(["init", "project"]).assert().success();
    let (project, keys) = (folder.join("project"), folder.join("keys"));
    let decide = |arguments: &[&str]| {
        let output = meliora(&project).env("MELIORA_KEYS", &keys).args(arguments).output().unwrap();
        output.status.code().unwrap()
    };
    for (arguments, exit) in [
        (&["--path", "suite/new.jsonl"][..], 11),
        (&["--path", "suite/tasks.jsonl"], 11),
        (&["--delete", "suite"], 11),
        (&["--command", "echo x >> suite/tasks.jsonl"], 11),
        (&["--command", "cp a suite/new.py"], 11),
        (&["--command", "cd genome && touch ../suite/x"], 11),
        (&["--path", "meliora.toml"], 11),
        (&["--path", "genome/sums.py"], 0),
        (&["--path", "genome/deep/new.py"], 0),
        (&["--path", "genome/new.txt"], 10),
        (&["--path", "sums.py"], 10),
        (&["--path", "../keys/meliora.pub"], 11),
        (&["--command", "cat ../keys/meliora.key"], 11),
        (&["--command", "cat suite/suite.toml"], 0),
    ] {
        assert_eq!(decide(arguments), exit, "{arguments:?}");
    }
}

#[test]
fn a_hook_sees_what_other_tools_read_and_takes_no_key_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join(".env"), "x").unwrap();
    std::fs::create_dir(folder.join("src")).unwrap();
    let event =
        |tool: &str, input: &str| format!("{{\"cwd\": {folder:?}, \"tool_name\": {tool:?}, \"tool_input\": {input}}}");
    for (tool, input, decision) in [
        ("Grep", r#"{"pattern": "x"}"#, "ask"),
        ("Grep", r#"{"pattern": "x", "path": "src"}"#, "allow"),
        ("Grep", r#"{"pattern": "x", "glob": "*.py"}"#, "allow"),
        ("Grep", r#"{"pattern": "x", "path": "src", "glob": ".env"}"#, "ask"),
        ("Glob", r#"{"pattern": "/etc/*"}"#, "ask"),
        ("Glob", r#"{"pattern": "../**/*.py"}"#, "ask"),
        ("Glob", r#"{"pattern": "src/**/*.py"}"#, "allow"),
        ("Glob", r#"{"pattern": "**/*.py"}"#, "allow"),
        ("Write", r#"{"file_path": ".claude/settings.json"}"#, "deny"),
        ("Edit", r#"{"file_path": ".claude/settings.local.json"}"#, "deny"),
        ("Write", r#"{"file_path": ".claude/agents/a.md"}"#, "ask"),
        ("Write", r#"{"file_path": ".mcp.json", "content": "{}"}"#, "ask"),
        ("Bash", r#"{"command": "ls", "description": "lists", "timeout": 9}"#, "allow"),
        ("Bash", r#"{"command": "ls", "dangerouslyDisableSandbox": true}"#, "ask"),
        ("Read", r#"{"file_path": "src/a.py", "path": ".env"}"#, "ask"),
    ] {
        let (exit, said) = code(folder, &["--hook"], &event(tool, input));
        assert_eq!(exit, 0, "{tool} {input}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["hookSpecificOutput"]["permissionDecision"], decision, "{tool} {input} {said}");
    }
    let twice = event("Bash", r#"{"command": "rm -rf /etc", "command": "ls"}"#);
    assert_eq!(code(folder, &["--hook"], &twice).0, 2);
}
