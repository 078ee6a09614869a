//! Bad input: each case gives a clear error with a hint, or a marked outcome; what was earned stays.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{ADD, Project, have, skip, toml};

#[test]
fn a_folder_that_is_not_there_or_no_project_is_a_configuration_error() {
    let project = Project::empty();
    let ran = project.meliora(&["run", "nowhere"]).exits(3);
    insta::assert_snapshot!(project.redact(&ran.err), @"error: nowhere cannot be opened: No such file or directory (os error 2)");
    let ran = project.meliora(&["run", "."]).exits(3);
    insta::assert_snapshot!(project.redact(&ran.err), @r"
    error: [project] is no project: it has neither meliora.toml nor initial_program.* and evaluator.py
    hint: `meliora init` makes a project
    ");
    for args in [&["log", "."][..], &["lineage", "."], &["show", "champion"], &["diff", "a", "b"]] {
        project.meliora(args).exits(3).says(&["nothing has run", "hint: `meliora run` begins"]);
    }
}

#[test]
fn every_mistake_in_a_project_is_named_with_its_file_and_a_hint() {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("meliora.toml", "goal =", "gaol =", &["gaol", "meliora.toml"]),
        ("meliora.toml", "name = \"test\"", "name = 7", &["name", "string"]),
        ("meliora.toml", "[suite]", "[suite", &["meliora.toml"]),
        ("meliora.toml", "[\"sums.py\"]", "[\"nothing/*.js\"]", &["no file", "nothing/*.js", "[genome] root"]),
        ("meliora.toml", "[\"sums.py\"]", "[]", &["names no file"]),
        ("meliora.toml", "[\"sums.py\"]", "[\"a[\"]", &["a["]),
        ("meliora.toml", "folder = \"suite\"", "folder = \"elsewhere\"", &["elsewhere"]),
        ("meliora.toml", "root = \"genome\"", "root = \"elsewhere\"", &["elsewhere"]),
        (
            "meliora.toml",
            "[suite]",
            "[sandbox]\nwarm = [\"nowhere_at_all\"]\n[suite]",
            &["nowhere_at_all", "ModuleNotFoundError", "[sandbox]"],
        ),
        ("suite/suite.toml", "exact", "exakt", &["suite.toml", "exakt"]),
        ("suite/suite.toml", "seconds = 5", "seconds = 0", &["seconds"]),
        ("suite/tasks.jsonl", "\"split\":\"validation\"", "\"split\":\"train\"", &["no validation task"]),
        ("suite/tasks.jsonl", "\"id\":\"add/holdout\"", "\"id\":\"add/train\"", &["tasks.jsonl:4", "line 2"]),
        ("suite/tasks.jsonl", "\"expect\":[101]", "\"expect\":[101,5]", &["tasks.jsonl:4"]),
        ("suite/tasks.jsonl", "\"expect\":[101]", "\"expect\":101", &["tasks.jsonl:4"]),
        ("suite/tasks.jsonl", "\"holdout\"", "\"holdup\"", &["tasks.jsonl:4", "holdup"]),
    ];
    for (file, from, to, parts) in cases {
        let project = Project::add();
        project.edit(file, from, to);
        project.meliora(&["run", ".", "--evals", "3"]).exits(3).says(parts).says(&["hint:"]);
    }
    let project = Project::add();
    project.write("suite/tasks.jsonl", "\n# nothing yet\n");
    project.meliora(&["run", "."]).exits(3).says(&["holds no task", "hint:"]);
    std::fs::remove_file(project.path("suite/tasks.jsonl")).unwrap();
    project.meliora(&["run", "."]).exits(3).says(&["tasks.jsonl", "hint:"]);
    project.write("suite/tasks.jsonl", [0xff, 0xfe]);
    project.meliora(&["run", "."]).exits(3).says(&["not UTF-8", "hint:"]);
    project.write("meliora.toml", [0xff, 0xfe]);
    project.meliora(&["run", "."]).exits(3).says(&["meliora.toml"]);
}

#[test]
fn wrong_flags_are_usage_errors() {
    let project = Project::add();
    project.meliora(&["run", ".", "--strategy", "lucky"]).exits(2).says(&["greedy", "dgm"]);
    project.meliora(&["run", ".", "--evals", "many"]).exits(2);
    project.meliora(&["run", ".", "--jobs", "0"]).exits(2);
    project.meliora(&["run", ".", "--usd", "nan"]).exits(2);
    project.meliora(&["run", ".", "--minutes=-1"]).exits(2);
    project.meliora(&["run", ".", "--python", "no-such-python"]).exits(3).says(&["no-such-python", "hint:"]);
    project.meliora(&["run", ".", "--proposer", "rewrite"]).exits(3).says(&["--base-url"]);
    project.meliora(&["run", ".", "--proposer", "replay"]).exits(3).says(&["--cassette"]);
    project.meliora(&["run", ".", "--cassette", "none.jsonl"]).exits(3).says(&["none.jsonl"]);
    // Not one of them spoilt the project.
    project.meliora(&["run", ".", "--evals", "40", "--jobs", "1"]).exits(0);
}

/// Runs an OpenEvolve task with this evaluator for four evaluations.
fn evaluate(evaluator: &str) -> (Project, common::Ran) {
    let project = Project::openevolve(evaluator, "evaluator:\n  timeout: 2\n");
    let ran = project.meliora(&["run", ".", "--proposer", "mutate", "--jobs", "1", "--evals", "4"]);
    (project, ran)
}

#[test]
fn an_evaluator_without_a_verdict_on_the_baseline_stops_the_run_and_says_why() {
    for (evaluator, why) in [
        ("def evaluate(path):\n    return 'garbage'\n", "returned a str"),
        ("def evaluate(path):\n    return {'combined_score': float('nan')}\n", "combined_score is NaN"),
        ("def evaluate(path):\n    return {'combined_score': float('inf')}\n", "combined_score"),
        ("def evaluate(path):\n    pass\n", "returned a NoneType"),
        ("def evaluate(path):\n    return {}\n", "no numeric metric"),
        ("import os\n\n\ndef evaluate(path):\n    os._exit(0)\n", "exited with code 0 and without a result"),
        ("def evaluate(path:\n", "cannot be loaded"),
        ("x = 1\n", "no function 'evaluate'"),
    ] {
        let (project, ran) = evaluate(evaluator);
        ran.exits(3).says(&["the evaluator gave no verdict", why, "hint:", "meliora bench"]);
        project.meliora(&["bench", "."]).says(&[why]);
        project.chain_holds();
    }
}

#[test]
fn an_evaluator_that_breaks_or_runs_wild_is_a_marked_outcome() {
    for (evaluator, mark, why) in [
        ("def evaluate(path):\n    raise RuntimeError('boom')\n", "crashed", "RuntimeError: boom"),
        ("import time\n\n\ndef evaluate(path):\n    time.sleep(1000)\n", "timed_out", "longer than 2 s"),
        (
            "def evaluate(path):\n    while True:\n        print('x' * 65536)\n",
            "over_limit",
            "wrote more than is taken",
        ),
        (
            "import os\n\n\ndef evaluate(path):\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass\n",
            "timed_out",
            "longer than 2 s",
        ),
    ] {
        let (project, ran) = evaluate(evaluator);
        ran.exits(5).says(&["warning:", "the baseline does no task at all", why, "meliora doctor"]);
        for event in project.events("examined") {
            assert_eq!(event["scorecard"]["marks"][0]["status"], mark, "{event}");
        }
    }
}

#[test]
fn an_evaluator_that_breaks_on_variants_only_loses_nothing() {
    let evaluator = "import os, runpy\n\n\ndef evaluate(path):\n    if runpy.run_path(path)['VALUE'] != 0:\n        os._exit(0)\n    return {'combined_score': 0.5}\n";
    let (project, ran) = evaluate(evaluator);
    ran.exits(5).says(&["no improvement", "0.5000"]);
    let verdicts = project.events("judged");
    assert!(!verdicts.is_empty() && verdicts.iter().all(|e| e["judgement"]["verdict"] == "unviable"), "{verdicts:?}");
}

#[test]
fn genomes_that_are_empty_or_not_text_are_left_as_they_are() {
    let project = Project::add();
    project.write("genome/sums.py", "");
    project.meliora(&["run", ".", "--evals", "4", "--jobs", "1"]).exits(5).says(&["no improvement"]);

    let project = Project::add();
    project.write("genome/sums.py", b"# caf\xe9\ndef add(a, b):\n    return a - b\n");
    project.meliora(&["run", ".", "--evals", "4", "--jobs", "1"]).exits(5).says(&["no improvement"]);
    assert_eq!(
        std::fs::read(project.path("genome/sums.py")).unwrap(),
        b"# caf\xe9\ndef add(a, b):\n    return a - b\n"
    );

    // Beside them a file that can be mended is mended, and they stay whole.
    let project = Project::add();
    project.write("meliora.toml", toml(&["*"], ""));
    project.write("genome/logo.png", [0x89, 0x50, 0xff, 0x00]);
    project.write("genome/empty.py", "");
    project.meliora(&["run", ".", "--evals", "40", "--jobs", "1"]).exits(0);
    project.meliora(&["checkout", "champion", "out"]).exits(0);
    assert_eq!(std::fs::read(project.path("out/logo.png")).unwrap(), [0x89, 0x50, 0xff, 0x00]);
    assert_eq!(project.read("out/empty.py"), "");
}

#[test]
fn a_genome_of_50_mb_is_examined_or_refused_with_a_reason() {
    let project = Project::add();
    project.write("meliora.toml", toml(&["*"], ""));
    project.write("genome/data.bin", vec![7_u8; 50 << 20]);
    let ran = project.meliora(&["run", ".", "--evals", "6", "--jobs", "1"]);
    assert!([0, 5].contains(&ran.code), "{}", ran.err);
    project.chain_holds();
    // Above the project's own limit it is refused, with the article.
    project.edit("meliora.toml", "root = \"genome\"", "root = \"genome\"\nmax_bytes = 1000000");
    project.meliora(&["run", ".", "--evals", "4"]).exits(4).says(&["size"]);
}

/// A project with some history, and what its log said.
fn with_history() -> (Project, usize) {
    let project = Project::add();
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "40"]).exits(0);
    let events = project.journal().len();
    (project, events)
}

#[test]
fn a_corrupt_journal_is_named_and_never_written_to() {
    let (project, _) = with_history();
    let path = project.path(".meliora/journal.db");
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    let end = bytes.len();
    bytes[100..end.min(6000)].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    for args in [&["run", "."][..], &["log", "."], &["bench", "."]] {
        let ran = project.meliora(args).exits(6);
        assert!(ran.err.contains("hint:"), "{args:?}: {}", ran.err);
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a damaged journal was written to");
    // The variants are still there, and a copy put back goes on.
    assert!(project.git(&["--git-dir", ".meliora/archive.git", "log", "--all", "--oneline"]).lines().count() >= 2);
    std::fs::write(&path, whole).unwrap();
    project.meliora(&["log", "."]).exits(0);
}

#[test]
fn an_event_that_was_altered_breaks_the_chain() {
    if !have("python3") {
        return;
    }
    let (project, _) = with_history();
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('drop trigger journal_is_not_updated')\nn = c.execute(\"update journal set body = replace(body, 'accepted', 'rejected') where kind = 'judged' and body like '%accepted%'\").rowcount\nassert n > 0\nc.commit()";
    let output =
        std::process::Command::new("python3").args(["-c", script]).arg(project.path(".meliora/journal.db")).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ran = project.meliora(&["doctor", "."]);
    assert_eq!(ran.code, 6, "doctor did not see it: {}{}", ran.out, ran.err);
}

#[test]
fn a_newer_journal_asks_for_a_newer_program() {
    if !have("python3") {
        return;
    }
    let (project, events) = with_history();
    let set = |version: &str| {
        let script = format!(
            "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('pragma user_version = {version}')\nc.commit()"
        );
        let status = std::process::Command::new("python3")
            .args(["-c", &script])
            .arg(project.path(".meliora/journal.db"))
            .status();
        assert!(status.unwrap().success());
    };
    set("9999");
    for args in [&["run", "."][..], &["log", "."]] {
        project.meliora(args).exits(6).says(&["newer", "hint:"]);
    }
    set("1");
    assert_eq!(project.journal().len(), events);
}

#[test]
fn a_model_server_that_is_down_is_told_before_anything_is_spent() {
    let project = Project::add();
    for model in [&["--model", "m"][..], &[]] {
        let mut args =
            vec!["run", ".", "--proposer", "rewrite", "--base-url", "http://127.0.0.1:9/v1", "--tokens", "100000"];
        args.extend(model);
        let ran = project.meliora(&args).exits(6);
        assert!(ran.err.contains("127.0.0.1:9") && ran.err.contains("hint:"), "{}", ran.err);
    }
    let (bids, reserved) = (project.events("bid"), project.events("reserved"));
    assert_eq!(bids.len(), reserved.len(), "a call that failed, but did not crash, leaves nothing set aside");
    assert!(bids.iter().all(|b| b["cost"]["tokens"].as_u64().unwrap_or(0) == 0), "nothing was answered: {bids:?}");
    // Nothing was lost: the mutator goes on with a new run.
    project.meliora(&["run", ".", "--fresh", "--evals", "40", "--jobs", "1"]).exits(0);
}

#[test]
fn a_law_that_is_unsigned_or_altered_stops_everything() {
    let project = Project::empty();
    project.meliora(&["init", "."]).exits(0);
    let law = project.read("CONSTITUTION.yaml");
    let unsigned: String = law.lines().filter(|l| !l.starts_with("signature:")).map(|l| format!("{l}\n")).collect();
    for bad in [unsigned.clone(), format!("{law}\n# more\n"), String::new(), "- a list".to_owned()] {
        project.write("CONSTITUTION.yaml", &bad);
        project.meliora(&["run", "."]).exits(4).says(&["the constitution does not load", "hint:"]);
        project.meliora(&["bench", "."]).exits(4);
    }
    let mark = "immutable_constraints:";
    project.write("CONSTITUTION.yaml", law.replace(mark, &format!("{mark}\n  - \"Be nice to everyone\"")));
    project.meliora(&["constitution", "sign", "."]);
    project.meliora(&["run", "."]).exits(4).says(&["Be nice to everyone"]);
    project.write("CONSTITUTION.yaml", &unsigned);
    project.meliora(&["constitution", "sign", "."]).exits(0);
    project.meliora(&["run", ".", "--evals", "40", "--jobs", "1"]).exits(0);
}

/// Proposes, one a step, the edits of a list.
fn proposing(edits: &[serde_json::Value]) -> Project {
    let project = Project::add();
    let script = format!(
        "import json, sys\nedits = json.loads({:?})\nstep = json.load(sys.stdin)['step']\nprint(json.dumps({{'exhausted': True}} if step > len(edits) else {{'reason': 'try', 'edits': [edits[step - 1]]}}))\n",
        serde_json::to_string(edits).unwrap()
    );
    project.write("propose.py", script);
    // As wide as can be: what is out of reach is so whatever the project calls editable.
    project.write(
        "meliora.toml",
        toml(&["**"], "[command]\nargv = [\"python3\", \"propose.py\"]").replace("root = \"genome\"", "root = \".\""),
    );
    project.edit("suite/tasks.jsonl", "\"sums.py\"", "\"genome/sums.py\"");
    project
}

#[test]
fn the_law_the_suite_and_the_archive_are_out_of_reach_by_any_path() {
    let write = |path: &str| serde_json::json!({"write": {"path": path, "content": "x = 1\n"}});
    let paths = [
        "CONSTITUTION.yaml",
        "constitution.YAML",
        "suite/tasks.jsonl",
        "Suite/Tasks.jsonl",
        "suite/new.py",
        "genome/../suite/tasks.jsonl",
        "./suite/tasks.jsonl",
        "../outside.py",
        "/etc/passwd",
        ".meliora/journal.db",
        ".MELIORA/journal.db",
        "meliora.toml",
        ".git/hooks/pre-commit",
        ".gitmodules",
        "suite\\tasks.jsonl",
        "suite",
    ];
    let mut edits: Vec<serde_json::Value> = paths.iter().map(|path| write(path)).collect();
    // A rename is a deletion and a new file.
    edits.push(serde_json::json!({"delete": {"path": "suite/tasks.jsonl"}}));
    edits.push(serde_json::json!({"replace": {"path": "suite/suite.toml", "search": "exact", "replace": "sample"}}));
    let project = proposing(&edits);
    std::os::unix::fs::symlink("suite", project.path("alias")).unwrap();
    let before = project.read("suite/tasks.jsonl");
    let ran = project.meliora(&["run", ".", "--proposer", "command", "--jobs", "1", "--evals", "60"]).exits(5);
    let refused = project.events("refused");
    let unusable = project.events("bid").iter().filter(|e| e["outcome"]["unusable"].is_object()).count();
    assert_eq!(refused.len() + unusable, edits.len(), "{}\n{}", ran.out, ran.err);
    assert!(
        refused.iter().all(|e| !e["article"].as_str().unwrap().is_empty() && e["change"].is_array()),
        "{refused:?}"
    );
    assert_eq!(project.read("suite/tasks.jsonl"), before);
    assert!(!project.path("../outside.py").exists());
    assert!(project.events("admitted").len() == 1, "nothing but the baseline was let in");
    assert_eq!(ran.err.matches("refused by").count(), refused.len(), "each refusal is shown:\n{}", ran.err);
    project.meliora(&["log", ".", "--refused"]).exits(0).says(&["protected-paths", "suite/tasks.jsonl"]);
    project.meliora(&["doctor", "."]).says(&["constitutional-violations", "meliora log --refused"]);
}

#[test]
fn a_link_to_the_suite_is_not_a_way_to_it() {
    let edits = [serde_json::json!({"write": {"path": "alias/tasks.jsonl", "content": "x = 1\n"}})];
    let project = proposing(&edits);
    std::os::unix::fs::symlink("suite", project.path("alias")).unwrap();
    let before = project.read("suite/tasks.jsonl");
    let ran = project.meliora(&["run", ".", "--proposer", "command", "--jobs", "1", "--evals", "60"]);
    assert!([3, 5].contains(&ran.code), "{} {}", ran.code, ran.err);
    assert_eq!(project.read("suite/tasks.jsonl"), before);
}

#[test]
fn a_disk_that_fills_up_keeps_what_was_earned() {
    if !rustix::process::geteuid().is_root() && !skip("only root can mount a small disk") {
        return;
    }
    let project = Project::empty();
    let disk = project.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount =
        |args: &[&str]| std::process::Command::new(args[0]).args(&args[1..]).status().is_ok_and(|s| s.success());
    let place = disk.to_str().unwrap();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]) && !skip("a tmpfs cannot be mounted") {
        return;
    }
    let result = std::panic::catch_unwind(|| {
        project.write("disk/meliora.toml", toml(&["sums.py"], ""));
        // Nothing can be better, so the run goes on until the disk is full.
        project.write("disk/genome/sums.py", ADD.repeat(8));
        // Most of it is taken already.
        project.write("disk/ballast", vec![1_u8; 600 << 10]);
        project.write("disk/suite/suite.toml", "kind = \"exact\"\n");
        project.write(
            "disk/suite/tasks.jsonl",
            r#"{"id":"a","split":"validation","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[2,2]]},"key":{"expect":["never"]}}"#,
        );
        let ran = project.meliora(&["run", "disk", "--json", "--jobs", "1", "--evals", "600"]).exits(6);
        assert!(ran.err.contains("hint:"), "{}", ran.err);
        let told = ran.out.lines().count();
        assert!(mount(&["mount", "-o", "remount,size=16m", place]));
        let kept = project.meliora(&["log", "disk", "--json", "-n", "100000"]).exits(0).objects().len();
        assert!(kept >= told, "{told} events were announced, {kept} kept");
        project.meliora(&["doctor", "disk"]).says(&["the chain holds"]);
        // And it goes on.
        let evals = project.meliora(&["log", "disk", "--json", "-n", "100000"]).out.matches("\"examined\"").count() + 3;
        project.meliora(&["run", "disk", "--jobs", "1", "--evals", &evals.to_string()]).exits(5);
    });
    mount(&["umount", "-l", place]);
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn scores_of_every_kind_have_a_verdict_and_a_reason() {
    // What the first one scores and what variants do; what is said of them, and the part of a mark that says why.
    for (was, now, verdict, reason, mark) in [
        ("0.5", "0.5", "rejected", "no more than its parent", ""),
        ("-8.0", "-3.0", "accepted", "a re-run confirmed it", ""),
        ("-3.0", "-8.0", "rejected", "only", ""),
        ("1.0", "1e300", "accepted", "scores 1.0000e300 on average where its parent scored 1.0000e0", ""),
        ("1e300", "-1e300", "rejected", "only", ""),
        ("1e-300", "2e-300", "accepted", "scores 2.0000e-300 on average where its parent scored 1.0000e-300", ""),
        ("0.5", "float('nan')", "unviable", "no task at all", "combined_score is NaN"),
        ("0.5", "float('inf')", "unviable", "no task at all", "combined_score is inf"),
        ("0.5", "float('-inf')", "unviable", "no task at all", "combined_score is -inf"),
    ] {
        let evaluator = format!(
            "import runpy\n\n\ndef evaluate(path):\n    first = runpy.run_path(path)['VALUE'] == 0\n    return {{'combined_score': {was} if first else {now}}}\n"
        );
        let project = Project::openevolve(&evaluator, "evaluator:\n  timeout: 2\n");
        let ran = project.meliora(&["run", ".", "--proposer", "mutate", "--jobs", "1", "--evals", "8"]);
        ran.exits(if verdict == "accepted" { 0 } else { 5 });
        let judged = project.events("judged");
        let of = |event: &serde_json::Value| event["judgement"]["verdict"].as_str().unwrap().to_owned();
        let fits =
            |e: &serde_json::Value| of(e) == verdict && e["judgement"]["reason"].as_str().unwrap().contains(reason);
        assert!(judged.iter().any(fits), "{was} {now}: {judged:#?}");
        assert_eq!(judged.iter().any(|e| of(e) == "accepted"), verdict == "accepted", "{was} {now}: {judged:#?}");
        let told = |e: &serde_json::Value| e["scorecard"]["marks"].to_string().contains(mark);
        assert!(project.events("examined").iter().any(told), "{was} {now}");
        project.chain_holds();
    }
}

#[test]
fn a_suite_that_changes_in_the_middle_of_a_run_ends_it_and_no_mark_of_the_old_one_is_used() {
    let project = Project::arithmetic();
    let args = ["run", ".", "--json", "--jobs", "1", "--evals", "30"];
    let (mut child, mut lines) = project.start(&args);
    while !lines.next().unwrap().unwrap().contains("\"judged\"") {}
    common::signal(&child, rustix::process::Signal::KILL);
    child.wait().unwrap();
    project.edit("suite/suite.toml", "seconds = 2", "seconds = 3");
    project.meliora(&args);
    project
        .meliora(&["log", ".", "-n", "1000"])
        .exits(0)
        .says(&["run left behind: the suite or its tools have changed"]);
    let journal = project.journal();
    let begun: Vec<usize> = (0..journal.len()).filter(|i| journal[*i]["event"] == "run_started").collect();
    assert_eq!(begun.len(), 2);
    let marks = |events: &[serde_json::Value]| -> std::collections::BTreeSet<String> {
        let examined = events.iter().filter(|e| e["event"] == "examined");
        examined.map(|e| e["scorecard"]["evaluator"].to_string()).collect()
    };
    let (old, new) = (marks(&journal[..begun[1]]), marks(&journal[begun[1]..]));
    assert!(old.len() == 1 && new.len() == 1 && old.is_disjoint(&new), "{old:?} {new:?}");
    project.chain_holds();
}
