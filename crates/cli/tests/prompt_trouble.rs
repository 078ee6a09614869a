//! What goes wrong between a prompt and its model: each is a clear outcome or a clear error, and a run goes on afterwards.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::Project;
use common::model::{said, server};
use serde_json::Value;

const SUITE: &str = "kind = \"exact\"\n[prompt]\ndata = \"r.jsonl\"\nmetric = \"exact\"\n";
const ROWS: &str = "{\"question\": \"one\", \"expected\": 1}\n{\"question\": \"two\", \"expected\": 2}\n";
const TYPED: &str = "[[steps]]\nname = \"s\"\nsignature = \"question -> answer: int\"\ninstructions = \"Answer.\"\n";

fn project(more: &str) -> Project {
    let project = Project::empty();
    project.write(
        "meliora.toml",
        format!("name = \"p\"\n[genome]\nroot = \"genome\"\neditable = [\"*\"]\n[run]\njobs = 1\n{more}"),
    );
    project.write("genome/program.toml", TYPED);
    project.write("suite/suite.toml", SUITE);
    project.write("suite/r.jsonl", ROWS);
    project
}

/// Each row's status and detail, of the visible ones that are told.
fn marks(last: &Value) -> Vec<(String, String)> {
    let tasks = last["tasks"].as_array().unwrap().iter().filter(|t| t["split"] == "train");
    tasks.map(|t| (t["status"].as_str().unwrap().to_owned(), t["detail"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn a_prompt_that_is_longer_than_the_context_marks_its_row_and_is_not_sent() {
    let (url, calls) = server(|_| "[[ ## answer ## ]]\n1".into());
    let project = project("[model]\ncontext = 1200\nmax_tokens = 100\n[student]\nmax_tokens = 100\n");
    let long = "word ".repeat(6000);
    project.write(
        "suite/r.jsonl",
        format!("{{\"question\": \"one\", \"expected\": 1}}\n{{\"question\": \"{long}\", \"expected\": 1}}\n"),
    );
    let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    let marks = marks(&last);
    assert_eq!((marks[0].0.as_str(), marks[1].0.as_str()), ("passed", "over_limit"), "{last}");
    assert!(marks[1].1.contains("too long") && marks[1].1.contains("takes 1200"), "{}", marks[1].1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_model_that_ignores_the_form_or_repeats_itself_or_speaks_another_language_is_marked_and_told() {
    for (answer, part) in [
        ("Sure! Here is what I think about it.", "Sure!"),
        ("again and again again and again again and again", "again and again"),
        ("答案是二。", "答案是二"),
        ("[[ ## answer ## ]]\nzwei", "zwei"),
        ("\u{0}\u{1}\u{7f}<|im_end|>", "im_end"),
    ] {
        let (url, calls) = common::model::serve(move |_| answer.into());
        let project = project("");
        let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
        let marks = marks(&last);
        assert!(marks.iter().all(|(status, _)| status == "garbled"), "{answer}: {last}");
        assert!(marks[0].1.contains(part), "{answer}: {}", marks[0].1);
        // Each of both rows was asked for once more.
        assert_eq!(calls.load(Ordering::SeqCst), 4, "{answer}");
    }
}

/// A server that answers properly while `up`, and else as `down` says.
fn flickering(down: &'static [u8], up: &Arc<AtomicBool>, answer: fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (up, fell) = (up.clone(), AtomicBool::new(false));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![0; 1 << 20];
            let mut length = 0;
            let text = loop {
                let n = stream.read(&mut bytes[length..]).unwrap_or(0);
                length += n;
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let want = text
                    .to_lowercase()
                    .split("content-length:")
                    .nth(1)
                    .and_then(|t| t.lines().next()?.trim().parse::<usize>().ok());
                let at = text.find("\r\n\r\n");
                if n == 0 || at.is_some_and(|at| length >= at + 4 + want.unwrap_or(0)) {
                    break text[at.map_or(text.len(), |at| at + 4)..].to_owned();
                }
            };
            if !up.load(Ordering::SeqCst) {
                let _ = stream.write_all(down);
                continue;
            }
            let reply = match serde_json::from_str::<Value>(&text) {
                Ok(chat) => {
                    if said(&chat).contains("two") && !fell.swap(true, Ordering::SeqCst) {
                        up.store(false, Ordering::SeqCst);
                    }
                    serde_json::json!({
                        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": answer(&said(&chat))}}],
                        "usage": {"prompt_tokens": 20, "completion_tokens": 10}
                    })
                }
                Err(_) => serde_json::json!({"object": "list", "data": [{"id": "stub"}]}),
            };
            let reply = reply.to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
            let _ = stream.write_all(format!("{head}: {}\r\n\r\n{reply}", reply.len()).as_bytes());
        }
    });
    url
}

fn improves(text: &str) -> String {
    if text.contains("You improve the instructions") {
        return "<instructions>Better: one is 1, two is 2.</instructions>".into();
    }
    match (text.contains("Better"), text.contains("question ## ]]\ntwo")) {
        (true, true) => "[[ ## answer ## ]]\n2".into(),
        (true, false) => "[[ ## answer ## ]]\n1".into(),
        _ => "[[ ## answer ## ]]\n0".into(),
    }
}

#[test]
fn a_server_that_goes_down_midway_or_sends_garbage_ends_the_run_or_a_row_and_the_run_goes_on_later() {
    let garbage: [&'static [u8]; 3] = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n\xff\xfe{\"choices\"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense",
    ];
    for down in garbage {
        let up = Arc::new(AtomicBool::new(true));
        let url = flickering(down, &up, improves);
        let project = project(
            "[model]\nname = \"stub\"\nretries = 0\ncache = \"never\"\n[student]\nat_once = 1\n[budget]\nevals = 8\n",
        );
        let first = project.meliora(&["prompt", "optimize", ".", "--base-url", &url, "--json"]);
        // It ends in an orderly way, whatever was lost, and says so.
        assert!([5, 6].contains(&first.code), "{}: {}\n{}", first.code, first.out, first.err);
        up.store(true, Ordering::SeqCst);
        let fresh: &[&str] = if first.code == 5 { &["--fresh"] } else { &[] };
        let args: Vec<&str> = ["prompt", "optimize", ".", "--base-url", &url, "--json"]
            .iter()
            .copied()
            .chain(fresh.iter().copied())
            .collect();
        let mut last = Value::Null;
        for _ in 0..3 {
            up.store(true, Ordering::SeqCst);
            let ran = project.meliora(&args);
            if ran.code == 0 {
                last = ran.last();
                break;
            }
        }
        assert_eq!(last["champion_score"].as_f64(), Some(1.0), "after {:?}: {last}", String::from_utf8_lossy(down));
    }
}

#[test]
fn a_cassette_that_does_not_hold_what_is_asked_says_so_and_how_to_mend_it() {
    let (url, _) = server(improves);
    let project = project("[budget]\nevals = 8\n");
    project.meliora(&["prompt", "optimize", ".", "--base-url", &url, "--record", "tape.jsonl"]).exits(0);
    project.write("genome/program.toml", TYPED.replace("Answer.", "Say a number."));
    let changed = project.meliora(&["prompt", "optimize", ".", "--fresh", "--cassette", "tape.jsonl"]);
    changed.exits(6).says(&["the cassette holds no such request", "hint:", "record"]);
}

#[test]
fn money_is_not_limited_where_the_price_is_not_known() {
    let (url, calls) = server(improves);
    let project = project("");
    let ran = project.meliora(&["prompt", "optimize", ".", "--usd", "1", "--base-url", &url]);
    ran.exits(3).says(&["what the model costs is not known", "price_prompt", "hint:"]);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[test]
fn rows_lost_to_time_outs_are_counted_with_their_cause_and_many_of_them_are_no_measurement() {
    let slow = Arc::new(AtomicBool::new(true));
    let late = slow.clone();
    let (url, calls) = common::model::serve(move |chat| {
        if late.load(Ordering::SeqCst) && said(chat).contains("]]\ntwo") {
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        "[[ ## answer ## ]]\n1".into()
    });
    let project = project("[model]\nretries = 0\ntimeout_seconds = 0.5\n");
    let bench = ["bench", ".", "--base-url", &url];
    // Both rows are in both splits.
    let told = ["2 of 4 rows have no answer", "2 × the model gave no answer after 1 attempt: no answer within 0.5 s"];
    project.meliora(&bench).exits(15).says(&told).says(&["timeout_seconds", "hint:"]);
    let run = project.meliora(&["prompt", "optimize", ".", "--base-url", &url]).exits(6);
    run.says(&["no answer within 0.5 s", "timeout_seconds", "goes on"]);
    let rows: String = (0..40).map(|i| format!("{{\"question\": \"{i}\", \"expected\": 1}}\n")).collect();
    project.write("suite/r.jsonl", format!("{{\"question\": \"two\", \"expected\": 1}}\n{rows}"));
    project.meliora(&bench).exits(0).says(&["2 of 82 rows have no answer"]);
    // Later it asks for what is missing alone.
    slow.store(false, Ordering::SeqCst);
    let before = calls.load(Ordering::SeqCst);
    project.meliora(&bench).exits(0);
    assert_eq!(calls.load(Ordering::SeqCst), before + 1);
}

#[test]
fn a_cassette_of_another_model_or_one_that_was_altered_is_not_played() {
    let (url, _) = server(improves);
    let project = project("[budget]\nevals = 8\n");
    project.meliora(&["prompt", "optimize", ".", "--base-url", &url, "--record", "tape.jsonl"]).exits(0);
    let play = ["prompt", "optimize", ".", "--cassette", "tape.jsonl"];
    let other = [&play[..], &["--model", "other"]].concat();
    project.meliora(&other).exits(3).says(&["no call of model 'other', only of stub", "hint:"]);
    project.edit("tape.jsonl", "\"max_tokens\":512", "\"max_tokens\":511");
    project.meliora(&play).exits(3).says(&["line 1: the key is not the request's", "record the cassette again"]);
}
