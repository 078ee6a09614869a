//! `doctor`: each of the four troubles, provoked and diagnosed; and what terminals show.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Project, skip, toml};

/// What doctor finds, by name.
fn finds(project: &Project, finding: &str, hint: &str) {
    let ran = project.meliora(&["doctor", ".", "--json"]);
    let lines = ran.objects();
    let line = lines.iter().find(|l| l["check"] == finding);
    let line = line.unwrap_or_else(|| panic!("no finding '{finding}': {}", ran.out));
    assert_eq!(line["good"], false);
    assert!(line["mend"].as_str().unwrap().contains(hint), "{line}");
    project.meliora(&["doctor", "."]).says(&[finding, "hint:"]);
}

#[test]
fn where_no_sandbox_starts_doctor_and_run_name_the_layer_and_its_mend() {
    if !rustix::process::geteuid().is_root() && !skip("only root can forbid namespaces for a process") {
        return;
    }
    let project = Project::add();
    // A user namespace in which no further one may be made, and no capability to build a cage with.
    let script =
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    let run = |args: &[&str]| {
        let command = project.command(args);
        let mut wrapped = std::process::Command::new("unshare");
        wrapped.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(common::PROGRAM).args(args);
        wrapped.current_dir(project.dir());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        wrapped.output().unwrap()
    };
    let doctor = run(&["doctor", "."]);
    let out = format!("{}{}", String::from_utf8_lossy(&doctor.stdout), String::from_utf8_lossy(&doctor.stderr));
    if out.contains("unshare:")
        || out.contains("setpriv:")
        || out.contains("Permission denied") && !out.contains("sandbox")
    {
        skip(&format!("namespaces cannot be forbidden here: {out}"));
        return;
    }
    assert_eq!(doctor.status.code(), Some(6), "{out}");
    assert!(out.contains("✗ sandbox") && out.contains("does not start") && out.contains("hint:"), "{out}");
    let ran = run(&["run", "."]);
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(6), "{err}");
    assert!(err.contains("the sandbox cannot work") && err.contains("hint:"), "{err}");
}

#[test]
fn a_benchmark_that_is_too_easy_is_seen() {
    let project = Project::add();
    project.edit("genome/sums.py", "a - b", "a + b");
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "4"]).exits(0);
    finds(&project, "benchmark-too-easy", "harder validation tasks");
}

#[test]
fn a_benchmark_that_is_too_hard_is_seen() {
    let project = Project::add();
    let tasks = project.read("suite/tasks.jsonl");
    project.write("suite/tasks.jsonl", tasks.replace("[4,2]", "[\"never\",\"so\"]"));
    project.meliora(&["run", ".", "--jobs", "2", "--evals", "26"]).exits(5);
    finds(&project, "benchmark-too-hard", "easier tasks");
}

#[test]
fn a_threshold_that_is_too_high_is_seen() {
    let project = Project::add();
    project.edit("suite/suite.toml", "exact", "sample");
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "10"]).exits(5);
    finds(&project, "threshold-too-high", "add validation tasks");
}

#[test]
fn a_model_that_is_too_weak_is_seen() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.set_read_timeout(Some(std::time::Duration::from_millis(100)));
            let mut bytes = [0; 65536];
            // What is asked does not matter; it is read so that the other side is not cut off.
            while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
            let answer = r#"{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17}}"#;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
            let _ = stream.write_all(format!("{head}: {}\r\n\r\n{answer}", answer.len()).as_bytes());
        }
    });
    let project = Project::add();
    let retries = "[model]\nretries = 1";
    project.write("meliora.toml", toml(&["sums.py"], retries));
    let args =
        ["run", ".", "--jobs", "1", "--proposer", "rewrite", "--base-url", &url, "--model", "m", "--evals", "10"];
    // Answer after answer without a proposal: the run stops of itself and says why.
    project.meliora(&args).exits(6).says(&["hint:", "meliora doctor"]);
    finds(&project, "model-too-weak", "larger model");
}

#[test]
fn doctor_on_a_folder_without_a_project_looks_at_the_machine_alone() {
    let project = Project::empty();
    project.meliora(&["doctor", "."]).exits(0).says(&["sandbox", "is no project", "meliora init"]);
}

#[test]
fn doctor_names_what_is_wrong_with_a_project() {
    let project = Project::add();
    project.meliora(&["doctor", "."]).exits(0).says(&["none yet"]);
    project.edit("meliora.toml", "goal =", "gaol =");
    project.meliora(&["doctor", "."]).exits(3).says(&["✗ project", "gaol"]);
    project.edit("meliora.toml", "gaol =", "goal =");
    project.edit("meliora.toml", "sums.py", "none.py");
    project.meliora(&["doctor", "."]).exits(6).says(&["✗ genome", "none.py"]);
}

/// What `init` makes runs as it is; the whole session as a terminal shows it.
#[test]
fn a_first_session_reads_like_this() {
    let project = Project::empty();
    let init = project.meliora(&["init", "."]).exits(0);
    insta::assert_snapshot!(project.redact(&init.out), @r"
    next
      meliora run    repairs the mistake in genome/sums.py
      then put your own files into genome/ and your own tasks into suite/tasks.jsonl
      for promotion, the project must be in git: git init && git add -A && git commit -m start
    ");
    project.meliora(&["init", "."]).exits(2).says(&["is a project already", "hint:"]);
    let run = project.meliora(&["run", ".", "--jobs", "1"]).exits(0);
    let table: Vec<&str> = run.out.trim_start().lines().filter(|l| !l.contains(" evals · ")).collect();
    insta::assert_snapshot!(project.redact(&table.join("\n")), @r#"
    validation task  baseline  champion
    add/validation   ✗ failed  ✓ passed

    --- a/sums.py
    +++ b/sums.py
    @@ -3,4 +3,4 @@
     
     def add(a, b):
         """The sum of a and b."""
    -    return a - b
    +    return a + b

    improved  score 0.0000 → 1.0000  champion [id]  (solved)
    the champion to its parent: +1.0000 points on average; candidate 1 of its run
    holdout score 1.0000; gap +0.0000, -1.9874 to +1.9874 at 95 % confidence: how much more it gained on the visible tasks than on the sealed ones (2 openings so far)
    exact suite, examined apart from its answer key

    next
      meliora promote champion    makes it a commit in your repository
      meliora lineage    shows how it came about
    "#);
    let log = project.meliora(&["log", "."]).exits(0);
    insta::assert_snapshot!(project.redact(&log.out), @r"
    [date] [time] run started strategy greedy, mutate, seed 1
    [date] [time] champion [id] at 0.0000
    [date] [time] step 1: accepted [id]: solves 1 of 1 task where its parent solved 0; a re-run confirmed it
    [date] [time] champion [id] at 1.0000
    [date] [time] holdout opened for [id]: 0.0000
    [date] [time] holdout opened for [id]: 1.0000
    [date] [time] run finished: solved
    ");
    let lineage = project.meliora(&["lineage", "."]).exits(0);
    insta::assert_snapshot!(project.redact(&lineage.out), @r"
    [id] 0.0000 baseline  (1 variant)
    └─ [id] 1.0000 accepted sums.py:6 `a - b` -> `a + b` (operator swap) (0 variants)  ← champion
    ");
    let diff = project.meliora(&["diff", "baseline", "champion"]).exits(0);
    insta::assert_snapshot!(project.redact(&diff.out), @r#"
    --- a/sums.py
    +++ b/sums.py
    @@ -3,4 +3,4 @@
     
     def add(a, b):
         """The sum of a and b."""
    -    return a - b
    +    return a + b
    "#);
    let show = project.meliora(&["show", "champion"]).exits(0);
    let steady: Vec<&str> =
        show.out.lines().filter(|l| !l.starts_with("examined by") && !l.starts_with("holdout opened by")).collect();
    insta::assert_snapshot!(project.redact(&steady.join("\n")), @r#"
    variant [id]
    run 1, step 1
    parent [id]
    why     sums.py:6 `a - b` -> `a + b` (operator swap)
    verdict accepted: solves 1 of 1 task where its parent solved 0; a re-run confirmed it
            +1.0000 points on average
            candidate 1 of its run

    task            split       mark      detail
    add/validation  validation  ✓ passed

    task            split       mark      detail
    add/validation  validation  ✓ passed

    task         split    mark      detail
    add/holdout  holdout  ✓ passed

    --- a/sums.py
    +++ b/sums.py
    @@ -3,4 +3,4 @@
     
     def add(a, b):
         """The sum of a and b."""
    -    return a - b
    +    return a + b
    "#);
    project
        .meliora(&["bench", ".", "--variant", "champion", "--holdout"])
        .exits(0)
        .says(&["openings of the holdout so far: 3", "gap +0.0000, "]);
    // At the end of the run the champion's and, to hold it against, the baseline's; and once more by hand.
    assert_eq!(project.events("holdout_opened").len(), 3);
    let again = project.meliora(&["bench", ".", "--variant", "champion", "--holdout", "--json"]).exits(0).last();
    assert_eq!((&again["holdout_openings"], &again["holdout_gap"]), (&4.into(), &0.0.into()), "{again}");

    project.meliora(&["checkout", "champion", "out"]).exits(0);
    assert!(project.read("out/sums.py").contains("a + b"));
    project.write("out/mine", "keep");
    let again = project.meliora(&["checkout", "champion", "out"]);
    assert_ne!(again.code, 0, "a folder that is not empty is left alone");
    assert_eq!(project.read("out/mine"), "keep");
    project.meliora(&["show", "zzzz"]).exits(2).says(&["hint:"]);
}

#[test]
fn settings_come_from_the_environment_above_the_file() {
    let project = Project::add();
    project.write("meliora.toml", toml(&["sums.py"], "[budget]\nevals = 2"));
    let mut command = project.command(&["run", ".", "--json", "--jobs", "1"]);
    let output = command.env("MELIORA_BUDGET_EVALS", "3").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let started: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(started["budget"]["evals"], 3, "{started}");
}
