//! Budgets are never exceeded, and a run says how it ended.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Project, have, toml};

/// A model server that answers each chat with the same useless text and charges what it is told to.
fn server(tokens: u64) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicU64::new(0));
    let count = calls.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut bytes = [0; 65536];
            // Headers, then as much of a body as they announce.
            loop {
                let n = stream.read(&mut bytes).unwrap_or(0);
                request.extend_from_slice(&bytes[..n]);
                let text = String::from_utf8_lossy(&request).to_lowercase();
                let length = text.split("content-length:").nth(1).and_then(|t| t.lines().next()?.trim().parse().ok());
                let whole = text.find("\r\n\r\n").is_some_and(|at| request.len() >= at + 4 + length.unwrap_or(0));
                if n == 0 || whole {
                    break;
                }
            }
            let answer = if request.starts_with(b"POST") {
                let nth = count.fetch_add(1, Ordering::SeqCst);
                let content =
                    format!("<<<<<<< SEARCH\n    return a - b\n=======\n    return a - b - {nth}\n>>>>>>> REPLACE\n");
                serde_json::json!({
                    "id": "x", "object": "chat.completion", "model": "m",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
                    "usage": {"prompt_tokens": tokens / 2, "completion_tokens": tokens - tokens / 2, "total_tokens": tokens}
                })
                .to_string()
            } else {
                r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#.to_owned()
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
            let _ = stream.write_all(format!("{head}: {}\r\n\r\n{answer}", answer.len()).as_bytes());
        }
    });
    (url, calls)
}

#[test]
fn evaluations_never_pass_the_budget_whatever_it_is() {
    for (evals, jobs) in [(2, "1"), (3, "2"), (7, "2"), (11, "2")] {
        let project = Project::arithmetic();
        let ran = project.meliora(&["run", ".", "--json", "--jobs", jobs, "--evals", &evals.to_string()]);
        let last = ran.last();
        assert!(last["evals"].as_u64().unwrap() <= evals, "{last}");
        assert_eq!(last["reason"], "budget of evaluations is used up");
        let improved = last["champion_score"].as_f64() > last["baseline_score"].as_f64();
        assert_eq!(ran.code, if improved { 0 } else { 5 }, "{last}");
        let counted = project.events("examined").len() + project.events("traced").len();
        assert_eq!(last["evals"], counted, "what is counted is what was done");
    }
}

#[test]
fn the_last_line_has_every_field_and_progress_stays_off_standard_output() {
    let project = Project::add();
    let ran = project.meliora(&["run", ".", "--json", "--jobs", "1", "--evals", "40"]).exits(0);
    let last = ran.last();
    for field in [
        "event",
        "champion",
        "baseline_score",
        "champion_score",
        "evals",
        "usd",
        "seconds",
        "accepted",
        "refused",
        "cage",
        "reason",
    ] {
        assert!(!last[field].is_null(), "{field} is missing: {last}");
    }
    assert_eq!((&last["event"], &last["reason"]), (&"finished".into(), &"solved".into()));
    assert_eq!(ran.objects().iter().filter(|o| o["event"] == "finished").count(), 1);
    assert_eq!(ran.objects()[0]["event"], "run_started");
}

#[test]
fn a_proposer_that_repeats_itself_ends_the_run_though_it_costs_no_evaluations() {
    let project = Project::add();
    project.write("propose.py", "print('{\"reason\": \"again\", \"edits\": [{\"write\": {\"path\": \"sums.py\", \"content\": \"x = 1\\\\n\"}}]}')\n");
    project.write("meliora.toml", toml(&["sums.py"], "[command]\nargv = [\"python3\", \"propose.py\"]"));
    let args = ["run", ".", "--json", "--jobs", "1", "--proposer", "command", "--evals", "100"];
    let last = project.meliora(&args).exits(5).last();
    assert_eq!(last["reason"], "the proposers have nothing more to offer");
    assert!(last["attempts"].as_u64().unwrap() <= 60, "{last}");
}

#[test]
fn tokens_never_pass_the_budget() {
    let (url, calls) = server(500);
    let project = Project::add();
    let args = ["run", ".", "--json", "--jobs", "2", "--proposer", "rewrite", "--base-url", &url, "--tokens", "12000"];
    let last = project.meliora(&args).exits(5).last();
    assert_eq!(last["reason"], "budget of tokens is used up", "{last}");
    assert!(calls.load(Ordering::SeqCst) >= 2, "the budget allows some calls");
    assert_eq!(last["tokens"].as_u64().unwrap(), 500 * calls.load(Ordering::SeqCst));
    assert!(last["tokens"].as_u64().unwrap() <= 12000, "{last}");
}

#[test]
fn money_never_passes_the_budget() {
    let (url, calls) = server(1000);
    let project = Project::add();
    let prices = "[model]\nprice_prompt = 10.0\nprice_completion = 20.0\nmax_tokens = 1000";
    project.write("meliora.toml", toml(&["sums.py"], prices));
    let args = ["run", ".", "--json", "--jobs", "1", "--proposer", "rewrite", "--base-url", &url, "--usd", "0.2"];
    let last = project.meliora(&args).exits(5).last();
    assert_eq!(last["reason"], "budget of money is used up", "{last}");
    let spent = last["usd"].as_f64().unwrap();
    let expected = 0.015 * calls.load(Ordering::SeqCst) as f64;
    assert!(spent <= 0.2 && spent > 0.0 && (spent - expected).abs() < 1e-6, "{spent}, expected {expected}");
}

#[test]
fn a_run_does_not_begin_a_step_that_its_minutes_do_not_allow() {
    let project = Project::add();
    project.write("suite/tasks.jsonl", project.read("suite/tasks.jsonl").replace("[4,2]", "[\"never\",2]"));
    let ran = project.meliora(&["run", ".", "--json", "--jobs", "1", "--minutes", "0.03"]).exits(5);
    assert_eq!(ran.last()["reason"], "budget of minutes is used up", "{}", ran.last());
}

#[test]
fn the_evaluator_imports_what_the_chosen_python_has() {
    if !have("python3") {
        return;
    }
    let evaluator = "import meliora_test_package\n\n\ndef evaluate(path):\n    return {'combined_score': meliora_test_package.SCORE}\n";
    let project = Project::openevolve(evaluator, "evaluator:\n  timeout: 10\n");
    let made =
        std::process::Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(project.path("env")).status();
    assert!(made.unwrap().success());
    let site =
        std::fs::read_dir(project.path("env/lib")).unwrap().next().unwrap().unwrap().path().join("site-packages");
    std::fs::write(site.join("meliora_test_package.py"), "SCORE = 0.25\n").unwrap();
    let bench = |python: &str| project.meliora(&["bench", ".", "--json", "--python", python]);
    assert_eq!(bench("env").exits(0).last()["score"], 0.25, "by its folder");
    assert_eq!(bench("env/bin/python3").exits(0).last()["score"], 0.25, "by its program");
    let without = project.meliora(&["bench", ".", "--json"]).last();
    assert_ne!(without["score"], 0.25, "the package is in the environment alone: {without}");
    project
        .meliora(&["run", ".", "--python", "env", "--proposer", "mutate", "--evals", "3"])
        .exits(5)
        .says(&["0.2500"]);
}
