//! A run that is killed at any moment goes on as if nothing had happened.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;

use common::{Project, outcome, signal};
use rustix::process::Signal;
use serde_json::Value;

/// What happened, in order, without the times: all that equal runs must have in common.
fn story(project: &Project) -> Vec<String> {
    let mut story = Vec::new();
    for event in project.journal() {
        let step = event["step"].as_u64();
        story.push(match event["event"].as_str().unwrap() {
            "admitted" => format!("{step:?} admitted {} from {}", event["variant"], event["parents"]),
            "judged" => format!("{step:?} judged {} {}", event["variant"], event["judgement"]["verdict"]),
            "examined" => format!("{step:?} examined {}", event["variant"]),
            "duplicate" => format!("{step:?} duplicate {}", event["tree"]),
            "crowned" => format!("crowned {} at {}", event["variant"], event["score"]),
            "traced" => format!("traced {}", event["variant"]),
            "bid" => format!("{step:?} bid {}", event["outcome"]),
            "finished" => format!("finished {} {}", event["reason"], event["counts"]),
            "run_continued" => continue,
            other => other.to_owned(),
        });
    }
    story
}

/// Small numbers without pattern, the same in every run of the tests.
fn scatter(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Runs with `args`, killed after as many lines as `after` gives each time, until a run ends by itself.
fn run_killed(project: &Project, args: &[&str], mut after: impl FnMut() -> Option<u64>) -> (Option<Value>, u32) {
    let mut kills = 0;
    loop {
        let (mut child, mut lines) = project.start(args);
        let mut last = None;
        let limit = after();
        for _ in 0..limit.unwrap_or(u64::MAX) {
            match lines.next() {
                Some(line) => last = Some(line.unwrap()),
                None => break,
            }
        }
        if limit.is_some() {
            signal(&child, Signal::KILL);
        }
        // A line that was printed in the same moment may still say that it had ended.
        last = lines.map_while(Result::ok).last().or(last);
        let status = child.wait().unwrap();
        let last: Option<Value> = last.and_then(|l| serde_json::from_str(&l).ok());
        match last.filter(|l| l["event"] == "finished") {
            Some(last) => return (Some(last), kills),
            None => assert!(status.code().is_none(), "ended by itself with {status}, but without a last line"),
        }
        kills += 1;
        // It ran ahead of what was read, and was killed between the journal's last event and its own last line.
        if !project.events("finished").is_empty() {
            return (None, kills);
        }
    }
}

/// Every promise about counts that a journal must keep, however it came about.
fn nothing_lost_or_doubled(project: &Project, last: &Value) {
    let mut judged: HashMap<String, u32> = HashMap::new();
    let mut admitted: HashMap<String, u32> = HashMap::new();
    let mut steps: HashMap<u64, u32> = HashMap::new();
    let (mut attempts, mut evals, mut accepted) = (0, 0, 0);
    let (mut parts, mut part_of) = (0, 1);
    let journal = project.journal();
    for event in &journal {
        let variant = event["variant"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap() {
            "judged" => {
                *judged.entry(variant).or_default() += 1;
                accepted += u64::from(event["judgement"]["verdict"] == "accepted");
            }
            "admitted" => *admitted.entry(variant).or_default() += 1,
            "examined" if event["scorecard"]["part_of"].is_u64() => {
                let marks = event["scorecard"]["marks"].as_array().unwrap();
                parts += marks.iter().filter(|mark| mark["split"] == "validation").count() as u64;
                part_of = event["scorecard"]["part_of"].as_u64().unwrap();
            }
            "examined" | "traced" => evals += 1,
            "bid" => {
                *steps.entry(event["step"].as_u64().unwrap()).or_default() += 1;
                attempts += u64::from(event["outcome"] != "exhausted");
            }
            _ => {}
        }
    }
    assert!(judged.values().all(|n| *n == 1), "a variant was judged twice: {judged:?}");
    assert!(admitted.values().all(|n| *n == 1), "a variant was admitted twice: {admitted:?}");
    assert!(steps.values().all(|n| *n == 1), "a step was done twice: {steps:?}");
    match parts {
        0 => assert_eq!(admitted.len(), judged.len() + 1, "each variant but the baseline has a verdict"),
        _ => assert!(judged.keys().all(|variant| admitted.contains_key(variant))),
    }
    assert_eq!(last["attempts"], attempts, "attempts are the bids");
    assert_eq!(
        last["evals"],
        evals + parts.div_ceil(part_of),
        "evaluations are the examinations, parts of them together"
    );
    assert_eq!(last["accepted"], accepted);
    let seqs: Vec<u64> = journal.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "the journal has a gap");
    project.chain_holds();
}

fn killed_by_events_equals_uninterrupted(strategy: &str, evals: &str) {
    let args = ["run", ".", "--json", "--jobs", "1", "--seed", "7", "--strategy", strategy, "--evals", evals];
    let whole = Project::arithmetic();
    let expected = whole.meliora(&args).last();
    let expected_story = story(&whole);

    let project = Project::arithmetic();
    let mut random = scatter(11);
    let mut first = 0;
    // The first moments one by one, then steps of any size: between events of one step, and between steps.
    let (last, kills) = run_killed(&project, &args, || {
        first += 1;
        Some(if first <= 4 { first } else { 3 + random(16) })
    });
    assert!(kills >= 4, "only {kills} kills");
    let last = last.unwrap_or_else(|| expected.clone());
    assert_eq!(outcome(&last), outcome(&expected));
    assert_eq!(story(&project), expected_story);
    nothing_lost_or_doubled(&project, &last);
    let champion = |p: &Project| p.git(&["--git-dir", ".meliora/archive.git", "rev-parse", "champion"]);
    assert_eq!(champion(&project), last["champion"].as_str().unwrap(), "the archive's branch points at the champion");
    assert_eq!(champion(&project), champion(&whole));
}

#[test]
fn a_greedy_run_killed_after_any_event_ends_as_if_never_killed() {
    killed_by_events_equals_uninterrupted("greedy", "30");
}

#[test]
fn a_dgm_run_killed_after_any_event_ends_as_if_never_killed() {
    killed_by_events_equals_uninterrupted("dgm", "30");
}

#[test]
fn an_hgm_run_killed_after_any_event_ends_as_if_never_killed() {
    killed_by_events_equals_uninterrupted("hgm", "20");
}

#[test]
fn a_run_on_islands_killed_after_any_event_ends_as_if_never_killed() {
    killed_by_events_equals_uninterrupted("islands", "24");
}

#[test]
fn a_run_along_the_front_killed_after_any_event_ends_as_if_never_killed() {
    killed_by_events_equals_uninterrupted("pareto", "24");
}

#[test]
fn a_run_with_approved_proposals_killed_after_any_event_uses_each_yes_once_and_ends_as_if_never_killed() {
    let propose = ["run", ".", "--json", "--jobs", "1", "--seed", "7", "--evals", "30"];
    let examine = ["run", ".", "--json", "--jobs", "1", "--seed", "7", "--evals", "30", "--fresh"];
    let approved = || {
        let project = Project::arithmetic();
        project.constitute(
            "immutable_constraints: [\"Never modify this constitution file\"]\nautonomous_operations:\n  \
             code_modifications: {scope: \"agent workspace\", requires: [\"approval\"]}\n",
        );
        project.meliora(&propose).exits(5);
        let asks = project.meliora(&["approvals", "list", "--json"]).exits(0).objects();
        assert!(asks.len() >= 6, "{} asks", asks.len());
        for ask in &asks[..6] {
            project.meliora(&["approvals", "approve", ask["request"]["id"].as_str().unwrap()]).exits(0);
        }
        project
    };
    let whole = approved();
    let expected = whole.meliora(&examine).last();
    assert_eq!(whole.events("used").len(), 6);

    let project = approved();
    let mut random = scatter(17);
    // The first start alone is fresh; the others go on with it.
    let mut args = examine.to_vec();
    let mut kills = 0;
    let last = loop {
        let (mut child, mut lines) = project.start(&args);
        let mut last = None;
        for _ in 0..1 + random(8) {
            last = lines.next().map(Result::unwrap).or(last);
        }
        if kills < 12 {
            signal(&child, Signal::KILL);
        }
        last = lines.map_while(Result::ok).last().or(last);
        child.wait().unwrap();
        let line: Option<Value> = last.and_then(|l| serde_json::from_str(&l).ok());
        if let Some(line) = line.filter(|l| l["event"] == "finished") {
            break line;
        }
        kills += 1;
        // It ran ahead of what was read, and was killed between the journal's last event and its own last line.
        if project.events("finished").len() == 2 {
            break expected.clone();
        }
        if project.events("run_started").len() == 2 {
            args = propose.to_vec();
        }
    };
    assert!(kills >= 3, "only {kills} kills");
    assert_eq!(outcome(&last), outcome(&expected));
    let without_words = |p: &Project| story(p).into_iter().filter(|s| s != "answered").collect::<Vec<_>>();
    assert_eq!(without_words(&project), without_words(&whole));
    let used: Vec<Value> = project.events("used").iter().map(|e| e["request"].clone()).collect();
    assert_eq!(used.len(), used.iter().map(Value::to_string).collect::<std::collections::HashSet<_>>().len());
    project.chain_holds();
}

#[test]
fn a_run_killed_at_random_times_ends_as_if_never_killed() {
    let args = ["run", ".", "--json", "--jobs", "1", "--seed", "3", "--strategy", "dgm", "--evals", "24"];
    let whole = Project::arithmetic();
    let expected = whole.meliora(&args).last();

    let project = Project::arithmetic();
    let mut random = scatter(5);
    for _ in 0..10 {
        // Whatever it is doing then: opening, examining, writing. Nothing below depends on how far it came.
        let (mut child, _lines) = project.start(&args);
        std::thread::sleep(std::time::Duration::from_millis(20 + random(700)));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
    }
    let after = project.meliora(&args);
    // A run may have ended before its kill: then this one began anew from its champion, and there is no more to compare.
    let runs = project.events("run_started").len();
    if runs == 1 {
        assert_eq!(outcome(&after.last()), outcome(&expected));
        assert_eq!(story(&project), story(&whole));
        nothing_lost_or_doubled(&project, &after.last());
    } else {
        let (mine, theirs) = (story(&project), story(&whole));
        assert_eq!(mine[..theirs.len()], theirs[..]);
        project.chain_holds();
    }
}

#[test]
fn with_two_jobs_kills_lose_nothing_and_double_nothing() {
    let args = ["run", ".", "--json", "--jobs", "2", "--seed", "7", "--strategy", "greedy", "--evals", "40"];
    let project = Project::arithmetic();
    let mut random = scatter(23);
    let mut left = 6;
    let (last, kills) = run_killed(&project, &args, || {
        left -= 1;
        (left >= 0).then(|| 1 + random(14))
    });
    assert!(kills >= 4, "only {kills} kills");
    let last = last.expect("the last start is never killed; six kills come long before the end");
    assert!(last["evals"].as_u64().unwrap() <= 40);
    nothing_lost_or_doubled(&project, &last);
}

#[test]
fn lock_files_that_a_killed_process_left_in_the_archive_stop_no_later_run() {
    let project = Project::arithmetic();
    let args = ["run", ".", "--json", "--jobs", "1", "--seed", "7", "--evals", "12"];
    let (mut child, mut lines) = project.start(&args);
    while !lines.next().unwrap().unwrap().contains("\"crowned\"") {}
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    // As git leaves them when it is killed while it moves a branch, writes a tag, packs references.
    for name in ["refs/heads/champion.lock", "refs/tags/run-1/step-1.lock", "packed-refs.lock", "HEAD.lock"] {
        project.write(&format!(".meliora/archive.git/{name}"), "");
    }
    assert_eq!(project.meliora(&args).last()["event"], "finished");
    project.chain_holds();
}

#[test]
fn a_second_run_killed_at_its_start_still_begins_from_the_champion_of_the_first() {
    let project = Project::arithmetic();
    let short = ["run", ".", "--json", "--jobs", "1", "--seed", "7", "--evals", "26"];
    let first = project.meliora(&short).last();
    assert_ne!(first["champion_score"], first["baseline_score"], "the first run must get somewhere: {first}");
    let (mut child, mut lines) = project.start(&short);
    while !lines.next().unwrap().unwrap().contains("\"run_started\"") {}
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let second = project.meliora(&short).last();
    assert_eq!(second["baseline_score"], first["champion_score"], "the second run forgot the champion");
}

#[test]
fn ctrl_c_saves_says_how_to_go_on_and_the_run_goes_on() {
    let args = ["run", ".", "--jobs", "1", "--seed", "7", "--evals", "30"];
    let whole = Project::arithmetic();
    whole.meliora(&args);

    let project = Project::arithmetic();
    let mut child = project
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The heading is printed before signals are caught, the first accepted variant after.
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains('✓') {
        assert_ne!(std::io::BufRead::read_line(&mut err, &mut said).unwrap(), 0, "ended early: {said}");
    }
    signal(&child, Signal::INT);
    err.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}\n{out}");
    assert!(out.contains("meliora run"), "does not say how to go on:\n{out}");
    assert_eq!(project.events("interrupted").len(), 1);

    let after = project.meliora(&args).says(&["going on with the unfinished run"]);
    let (mut mine, theirs) = (story(&project), story(&whole));
    mine.retain(|line| line != "interrupted");
    assert_eq!(mine, theirs, "{}", after.err);
}

#[test]
fn a_second_process_is_told_who_holds_the_project() {
    let project = Project::arithmetic();
    let (mut child, mut lines) = project.start(&["run", ".", "--json", "--jobs", "1"]);
    lines.next().unwrap().unwrap();
    // Held still, so that it cannot have ended before the others have asked.
    signal(&child, Signal::STOP);
    let pid = child.id();
    for args in [&["run", "."][..], &["bench", "."], &["rollback"]] {
        project.meliora(args).exits(6).says(&[&format!("(process {pid})"), "meliora run", "hint:"]);
    }
    // Reading is free.
    project.meliora(&["log", "."]).exits(0);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let last = project.meliora(&["run", ".", "--json", "--jobs", "1", "--evals", "12"]).last();
    assert_eq!(last["event"], "finished", "a dead process holds nothing");
}

/// A model server that answers nothing: it reads a request and hangs. Tells when a chat has reached it.
fn hanging_server() -> (String, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (tell, mut stream) = (tell.clone(), stream.unwrap());
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                let n = stream.read(&mut bytes).unwrap_or(0);
                let head = String::from_utf8_lossy(&bytes[..n]).into_owned();
                if head.starts_with("POST") {
                    let _ = tell.send(());
                    // Hold the connection until the other side is gone.
                    while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
                } else {
                    let _ =
                        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                }
            });
        }
    });
    (url, told)
}

#[test]
fn a_paid_call_that_the_crash_lost_stays_charged() {
    let project = Project::add();
    let (url, called) = hanging_server();
    let args = ["run", ".", "--json", "--jobs", "1", "--proposer", "rewrite", "--base-url", &url, "--model", "m"];
    let reserved = |project: &Project| -> u64 {
        project.events("reserved").iter().map(|e| e["cost"]["tokens"].as_u64().unwrap()).sum()
    };
    for calls in 1..=2 {
        let (mut child, _lines) = project.start(&args);
        called.recv().unwrap();
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        assert_eq!(project.events("reserved").len(), calls, "set aside before it is spent");
    }
    let tokens = reserved(&project);
    assert!(tokens > 0);
    // A budget that what was lost has used up leaves nothing for another call.
    let (more, budget) = ((tokens * 3 / 2 - 1).to_string(), tokens);
    let mut last: Vec<&str> = args.to_vec();
    last.extend(["--tokens", &more]);
    let ran = project.meliora(&last).exits(5);
    assert_eq!(ran.last()["tokens"], budget, "what was lost is not charged");
    assert_eq!(ran.last()["reason"], "budget of tokens is used up");
    assert!(called.try_recv().is_err(), "a call was made that the budget did not allow");
    project.chain_holds();
}
