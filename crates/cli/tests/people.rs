//! What needs a person waits for a person: approvals, pauses, alerts.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Project, toml};
use meliora_constitution::key::SecretKey;
use meliora_constitution::word::{Terms, give, on_pause};
use meliora_domain::{Digest, Event, Timestamp};
use meliora_evolve::Archive as _;
use meliora_store::{GitArchive, ProjectLock};
use serde_json::Value;

/// Proposes the right sum, then a product, then nothing more; each under its own words.
const PROPOSER: &str = r#"
import json, sys
step = json.load(sys.stdin)["step"]
body = {1: "a + b", 2: "a * b"}.get(step)
edit = {"write": {"path": "sums.py", "content": f"def add(a, b):\n    return {body}\n"}}
print(json.dumps({"exhausted": True} if body is None else {"reason": f"try {body}", "edits": [edit]}))
"#;

/// Proposes to write where nothing may be written, elsewhere each time.
const HOSTILE: &str = r#"
import json, sys
step = json.load(sys.stdin)["step"]
edit = {"write": {"path": f"../suite/{step}.jsonl", "content": "mine"}}
print(json.dumps({"reason": "raise the score", "edits": [edit]}))
"#;

/// A project whose changes need a person, with this proposer and these lines at the constitution's end.
fn project(requires: &str, proposer: &str, more: &str) -> Project {
    let project = Project::add();
    project.write("propose.py", proposer);
    let settings = "[command]\nargv = [\"python3\", \"propose.py\"]\n\n[run]\nproposers = [\"command\"]\njobs = 1\n\n\
                    [alerts]\ncommand = [\"sh\", \"-c\", \"cat >> told.jsonl\"]";
    project.write("meliora.toml", toml(&["sums.py"], settings));
    project.constitute(&format!(
        "immutable_constraints:\n  - \"Never modify this constitution file\"\nautonomous_operations:\n  \
         code_modifications:\n    scope: \"agent workspace\"\n    requires: [{requires}]\n{more}"
    ));
    project
}

/// The requests that wait.
fn waiting(project: &Project) -> Vec<Value> {
    project.meliora(&["approvals", "list", "--json"]).exits(0).objects()
}

fn id(ask: &Value) -> String {
    ask["request"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_proposal_waits_for_its_yes_and_a_yes_lets_exactly_that_one_through_once() {
    let project = project("\"tests_pass\", \"approval\"", PROPOSER, "");
    let ran = project.meliora(&["run", ".", "--evals", "20"]).exits(5);
    ran.says(&["waits for a person", "meliora approvals list    2 requests"]);
    assert!(project.events("admitted").iter().all(|e| e["step"] == 0), "nothing was examined without a yes");
    let asks = waiting(&project);
    assert_eq!(asks.len(), 2);
    let (sum, product) = (id(&asks[0]), id(&asks[1]));
    project.meliora(&["approvals", "show", &sum[..12]]).exits(0).says(&[
        "code_modifications",
        "try a + b",
        "+    return a + b",
        "risk",
    ]);

    // The same proposal again is no second question.
    project.meliora(&["run", ".", "--fresh", "--evals", "20"]).exits(5);
    assert_eq!(waiting(&project).len(), 2);
    assert_eq!(project.events("asked").len(), 2);

    project.meliora(&["approvals", "approve", &sum[..12], "--reason", "read it"]).exits(0).says(&["approved"]);
    let last = project.meliora(&["run", ".", "--fresh", "--json", "--evals", "20"]).exits(0).last();
    assert_eq!((&last["reason"], &last["champion_score"]), (&"solved".into(), &1.0.into()), "{last}");
    let used = project.events("used");
    assert!(used.len() == 1 && used[0]["request"] == sum.as_str(), "{used:?}");
    assert_eq!(project.events("admitted").iter().filter(|e| e["step"] != 0).count(), 1);
    assert_eq!(waiting(&project).iter().map(id).collect::<Vec<_>>(), std::slice::from_ref(&product));
    project.meliora(&["approvals", "approve", &sum[..12]]).exits(2).says(&["done already"]);

    // The old yes again, and the old yes with another request's name in it.
    let word = &project.events("answered")[0];
    let mut other = word.clone();
    other["request"] = product.as_str().into();
    for (name, word) in [("old", word), ("other", &other)] {
        let mut word = word.clone();
        for key in ["event", "seq", "at", "prev", "hash"] {
            word.as_object_mut().unwrap().remove(key);
        }
        project.write(&format!(".meliora/words/{name}.json"), word.to_string());
    }
    project.write(".meliora/words/yes.json", "yes");
    project.meliora(&["run", ".", "--fresh", "--evals", "20"]);
    let reasons: Vec<String> = project.events("violated").iter().map(|e| e["reason"].to_string()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].contains("used once") && reasons[1].contains("used once"), "{reasons:?}");
    assert!(reasons[2].contains("is none"), "{reasons:?}");
    assert_eq!(project.events("used").len(), 1);
    assert_eq!(waiting(&project).iter().map(id).collect::<Vec<_>>(), [product]);
    assert_eq!(std::fs::read_dir(project.path(".meliora/words")).unwrap().count(), 0);
    project.chain_holds();
}

#[test]
fn a_no_is_no_and_only_the_pinned_key_has_a_word() {
    let project = project("\"approval\"", PROPOSER, "");
    project.meliora(&["run", ".", "--evals", "20"]).exits(5);
    let asks = waiting(&project);
    let (sum, product) = (id(&asks[0]), id(&asks[1]));
    project.meliora(&["approvals", "deny", &product, "--reason", "no"]).exits(0).says(&["denied"]);
    project.meliora(&["approvals", "approve", &product]).exits(2).says(&["a no is final"]);

    // Without the secret key, as in a cage, and with a key of one's own that nobody pinned.
    let approve = ["approvals", "approve", &sum];
    let run = |keys: &std::path::Path| {
        let output = project.command(&approve).env("MELIORA_KEYS", keys).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&project.path("nowhere"));
    assert!(code == 4 && said.contains("hint:"), "{code}: {said}");
    let stranger = project.strange_keys();
    let (code, said) = run(&stranger);
    assert!(code == 4 && said.contains("hint:"), "{code}: {said}");

    // Their words are no better where a run takes them in.
    let digest = |text: &Value| text.as_str().unwrap().parse::<Digest>().unwrap();
    let terms = Terms {
        request: digest(&asks[0]["request"]["id"]),
        constitution: digest(&asks[0]["request"]["constitution"]),
        granted: true,
        nonce: Digest([5; 32]),
        expires: Timestamp(u64::MAX),
        reason: String::new(),
    };
    let forged = give(terms, &SecretKey::generate().unwrap()).unwrap();
    project.write(".meliora/words/forged.json", serde_json::to_string(&forged).unwrap());
    project.meliora(&["run", ".", "--fresh", "--evals", "20"]).exits(5);
    assert_eq!(project.events("violated").len(), 1);
    assert_eq!(project.events("used").len(), 0);
    assert_eq!(waiting(&project).iter().map(id).collect::<Vec<_>>(), [sum]);
}

#[test]
fn under_a_newer_constitution_a_word_lapses_and_the_same_proposal_is_asked_anew() {
    let project = project("\"approval\"", PROPOSER, "");
    project.meliora(&["run", ".", "--evals", "20"]).exits(5);
    let sum = id(&waiting(&project)[0]);
    project.meliora(&["approvals", "approve", &sum]).exits(0);
    let law = project.read("CONSTITUTION.yaml");
    project.constitute(&format!("version: 1\n{law}"));

    let answers = || {
        let all = project.meliora(&["approvals", "list", "--all", "--json"]).exits(0).objects();
        all.iter().map(|ask| ask["answer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(answers(), ["lapsed", "lapsed"], "the approved one and the one that waited");
    assert!(waiting(&project).is_empty(), "nothing waits that no word could answer");
    project.meliora(&["approvals", "show", &sum]).exits(0).says(&["lapsed", "asked anew"]);
    project.meliora(&["approvals", "approve", &sum]).exits(2).says(&["another constitution", "asked anew"]);

    // The yes of old lets nothing through; the same proposals are two questions again.
    project.meliora(&["run", ".", "--evals", "20"]).exits(5);
    assert_eq!((answers(), project.events("used").len()), (vec!["waiting".to_owned(), "waiting".to_owned()], 0));
    project.meliora(&["approvals", "approve", &sum]).exits(0);
    project.meliora(&["run", ".", "--fresh", "--evals", "20"]).exits(0);
    assert_eq!((answers(), project.events("used").len()), (vec!["used".to_owned(), "waiting".to_owned()], 1));
}

#[test]
fn a_run_that_is_at_work_takes_a_word_from_the_desk() {
    let project = project("\"approval\"", PROPOSER, "");
    project.meliora(&["run", ".", "--evals", "20"]).exits(5);
    let sum = id(&waiting(&project)[0]);
    // As a run that is at work holds it.
    let lock = ProjectLock::take(&project.path(".meliora"), "meliora run", Timestamp(0)).unwrap();
    project.meliora(&["approvals", "approve", &sum]).exits(0).says(&["at its next step"]);
    assert_eq!(project.events("answered").len(), 0);
    drop(lock);
    project.meliora(&["run", ".", "--fresh", "--evals", "20"]).exits(0);
    assert_eq!((project.events("answered").len(), project.events("used").len()), (1, 1));
}

#[test]
fn too_many_violations_pause_the_work_until_a_person_resumes_it() {
    let project = project("\"tests_pass\"", HOSTILE, "guardian:\n  violations: {most: 2, within_minutes: 60}\n");
    project.meliora(&["run", ".", "--evals", "20"]).exits(13).says(&["paused", "violations", "meliora resume"]);
    assert_eq!(project.events("refused").len(), 3, "two are borne");
    let told = project.events("alerted");
    let ways: Vec<&Value> = told.iter().map(|e| &e["to"]).collect();
    assert_eq!(ways, ["terminal", "command"], "{told:?}");
    assert!(project.read("told.jsonl").contains("\"rule\":\"violations\""), "{}", project.read("told.jsonl"));

    // It holds over restarts, and an event that says otherwise is nobody's word.
    project.meliora(&["run", "."]).exits(13).says(&["meliora resume"]);
    let output = project.command(&["resume"]).env("MELIORA_KEYS", project.path("nowhere")).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let pause = &project.events("paused")[0];
    let terms = Terms {
        request: on_pause(&pause["hash"].as_str().unwrap().parse().unwrap()),
        constitution: Digest([1; 32]),
        granted: true,
        nonce: Digest([5; 32]),
        expires: Timestamp(u64::MAX),
        reason: String::new(),
    };
    let word = give(terms, &SecretKey::generate().unwrap()).unwrap();
    let archive = GitArchive::open(&project.path(".meliora")).unwrap();
    for word in [None, Some(word)] {
        archive.append(&[Event::Resumed { reason: String::new(), word }], Timestamp(1)).unwrap();
        project.meliora(&["run", "."]).exits(13);
    }
    drop(archive);
    assert_eq!(project.events("violated").len(), 1, "the forged word is in the journal");

    project.meliora(&["resume", ".", "--reason", "the proposer is mended"]).exits(0).says(&["resumed"]);
    project.meliora(&["resume"]).exits(2).says(&["nothing is paused"]);
    project.write("propose.py", PROPOSER.replace("{1:", "{4:"));
    let last = project.meliora(&["run", ".", "--json", "--evals", "20"]).exits(0).last();
    assert_eq!(last["reason"], "solved", "it goes on where it stopped: {last}");
    assert_eq!(project.events("run_started").len(), 1);
    project.chain_holds();
}

/// A model server that hangs on the first `hangs` chats and answers the others with the right change.
fn server(hangs: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    static CHATS: AtomicU64 = AtomicU64::new(0);
    CHATS.store(0, Ordering::SeqCst);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut bytes = [0; 65536];
                let n = stream.read(&mut bytes).unwrap_or(0);
                if !bytes[..n].starts_with(b"POST") {
                    let body = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    return;
                }
                if CHATS.fetch_add(1, Ordering::SeqCst) < hangs {
                    while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
                    return;
                }
                let content = "<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE\n";
                let body = serde_json::json!({
                    "id": "x", "object": "chat.completion", "model": "m",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
                    "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
                })
                .to_string();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    url
}

#[test]
fn a_step_that_stalls_is_done_anew_stays_charged_and_pauses_the_work_when_it_stalls_again() {
    for (hangs, code, restarts) in [(1, 0, 1), (9, 13, 2)] {
        let project = project("\"tests_pass\"", "", "guardian:\n  stall: {minutes: 0.1, restarts: 2}\n");
        let model =
            "[model]\nname = \"m\"\ntimeout_seconds = 15\nretries = 0\n\n[run]\njobs = 1\nproposers = [\"rewrite\"]";
        project.write("meliora.toml", toml(&["sums.py"], model));
        let ran = project.meliora(&["run", ".", "--json", "--base-url", &server(hangs), "--evals", "20"]).exits(code);
        let redone = project.events("restarted");
        assert_eq!(redone.len(), restarts, "{redone:?}");
        assert!(redone.iter().all(|e| e["step"] == 1), "{redone:?}");
        let reserved: Vec<u64> =
            project.events("reserved").iter().map(|e| e["cost"]["tokens"].as_u64().unwrap()).collect();
        assert_eq!(reserved.len(), restarts + 1, "set aside anew for each try");
        let tokens = ran.last()["tokens"].as_u64().unwrap();
        let lost: u64 = reserved[..restarts].iter().sum();
        if code == 0 {
            assert_eq!(tokens, lost + 20, "a try that was given up stays charged");
            assert_eq!(ran.last()["reason"], "solved");
        } else {
            assert!(ran.last()["reason"].as_str().unwrap().contains("paused by stall"), "{}", ran.last());
        }
        project.chain_holds();
    }
}

/// The score is the candidate's constant times what an installed package says, which is no part of the evaluator.
const WEIGHED: &str = "import importlib.util\nimport meliora_test_package\n\n\ndef evaluate(path):\n    \
    spec = importlib.util.spec_from_file_location('candidate', path)\n    \
    module = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(module)\n    \
    return {'combined_score': float(module.VALUE) * meliora_test_package.WEIGHT}\n";

#[test]
fn what_was_promoted_and_gets_worse_while_a_run_is_at_work_is_rolled_back_at_once() {
    if !common::have("python3") {
        return;
    }
    let project = Project::openevolve(WEIGHED, "evaluator:\n  timeout: 10\n");
    project.constitute(
        "immutable_constraints: [\"Never modify this constitution file\"]\n\
         guardian: {degradation: {margin: 0.05, every_minutes: 0.01}}\n",
    );
    let env = project.dir().parent().unwrap().join("env");
    let made = std::process::Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&env).status();
    assert!(made.unwrap().success());
    let site = std::fs::read_dir(env.join("lib")).unwrap().next().unwrap().unwrap().path().join("site-packages");
    let weigh = |weight: &str| {
        std::fs::write(site.join("meliora_test_package.py"), format!("WEIGHT = {weight}\n")).unwrap();
        let _ = std::fs::remove_dir_all(site.join("__pycache__"));
    };
    weigh("1.0");
    project.git_init();
    let env = env.to_str().unwrap();
    let run = ["run", ".", "--json", "--proposer", "mutate", "--jobs", "1", "--python", env, "--evals"];
    project.meliora(&[&run[..], &["8"]].concat()).exits(0);
    project.meliora(&["promote"]).exits(0);
    assert!(!project.read("initial_program.py").contains("VALUE = 0\n"));

    let (mut child, lines) = project.start(&[&run[..], &["400"]].concat());
    let mut stood = 0;
    for line in lines.map_while(Result::ok) {
        let event: Value = serde_json::from_str(&line).unwrap();
        match event["event"].as_str().unwrap() {
            "reexamined" if event["dropped"] != true => stood += 1,
            "rolled_back" => {
                assert!(event["reason"].as_str().unwrap().starts_with("automatic"), "{event}");
                break;
            }
            "finished" => panic!("nothing was rolled back: {event}"),
            _ => {}
        }
        if stood == 2 {
            weigh("0.5");
        }
    }
    assert!(stood >= 2, "it stood as long as it did well, and was looked at while the run was at work");
    common::signal(&child, rustix::process::Signal::KILL);
    child.wait().unwrap();
    assert!(project.read("initial_program.py").contains("VALUE = 0\n"));
    project.chain_holds();
}
