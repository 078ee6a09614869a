//! A library of prompts: how they stand, a night's round within one budget, pages, and the end of a run's minutes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::Project;
use common::model::{serve, server};
use serde_json::Value;

/// Puts a colon where one is missing: with talk around it, unless it is told to answer with the code alone.
fn fixes(said: &str) -> String {
    if said.contains("You improve the instructions") {
        return "<instructions>\nFix the bug. Answer with the code alone, without a fence.\n</instructions>".into();
    }
    let code = said.rsplit("---\n").next().unwrap().replacen(")\n", "):\n", 1);
    if said.contains("code alone") { code } else { format!("Here is the code:\n```python\n{code}\n```") }
}

const CASES: &str = "{\"input\": \"def f(a)\\n    return a\", \"expected\": \"def f(a):\\n    return a\"}\n\
                     {\"input\": \"for i in f(2)\\n    g(i)\", \"expected\": \"for i in f(2):\\n    g(i)\"}\n";

fn prompt(library: &Project, name: &str, prompt: &str, more: &str) {
    library.write(
        &format!("prompts/{name}/meliora.toml"),
        format!(
            "name = \"{name}\"\nowner = \"team {name}\"\n[genome]\nroot = \"genome\"\neditable = [\"*\"]\n[run]\njobs = 1\n{more}"
        ),
    );
    library.write(&format!("prompts/{name}/genome/prompt.txt"), prompt);
    library.write(
        &format!("prompts/{name}/suite/suite.toml"),
        "kind = \"exact\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = \"exact\"\n",
    );
    library.write(&format!("prompts/{name}/suite/cases.jsonl"), CASES);
}

#[test]
fn a_round_betters_each_prompt_within_one_budget_and_the_best_becomes_production_with_its_evidence() {
    let (url, calls) = server(fixes);
    let library = Project::empty();
    prompt(&library, "bugs", "Fix the bug.\n", "");
    prompt(&library, "fine", "Answer with the code alone.\n", "");
    prompt(&library, "odd", "Fix it.\n", "");
    library.write("prompts/odd/suite/cases.jsonl", "no JSON\n");
    library.write("prompts/notes.txt", "no project\n");
    let ran = library
        .meliora(&["prompt", "optimize", "prompts", "--all", "--evals", "18", "--base-url", &url, "--json"])
        .exits(0);
    let last = ran.last();
    let outcome = |name: &str| {
        let all = last["prompts"].as_array().unwrap();
        all.iter().find(|p| p["name"] == name).unwrap()["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!((last["event"].as_str(), last["improved"].as_u64()), (Some("round"), Some(1)), "{last}");
    assert_eq!(outcome("bugs"), "improved");
    assert!(outcome("odd").contains("cases.jsonl:1: this is no JSON object"), "{last}");
    assert_eq!(last["tokens"].as_u64().unwrap(), calls.load(Ordering::SeqCst) * 30, "all that was asked is in the sum");
    assert!(last["evals"].as_u64().unwrap() <= 18);

    std::fs::remove_dir_all(library.path("prompts/odd")).unwrap();
    let list = library.meliora(&["prompt", "list", "prompts", "--json"]).exits(0).objects();
    let bugs = &list[0];
    assert_eq!((bugs["owner"].as_str(), bugs["version"].as_u64()), (Some("team bugs"), Some(0)), "{bugs}");
    assert_eq!(bugs["waiting_score"].as_f64(), Some(1.0));
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git").arg("-C").arg(library.dir()).args(args).output().unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q"]);
    git(&["config", "user.name", "A"]);
    git(&["config", "user.email", "a@example.org"]);
    library.write(".gitignore", ".meliora\n");
    git(&["add", "-A"]);
    git(&["commit", "-qm", "prompts"]);
    library.meliora(&["promote", "champion", "--dir", "prompts/bugs"]).exits(0);
    let message = git(&["log", "-1", "--format=%B", "--", "prompts/bugs/genome"]);
    for part in ["score 0.0000 -> 1.0000", "solves 2 of 2 tasks where its parent solved 0", "Meliora-Variant:"] {
        assert!(message.contains(part), "'{part}' is not in\n{message}");
    }
    let list = library.meliora(&["prompt", "list", "prompts", "--json"]).exits(0).objects();
    assert_eq!((list[0]["version"].as_u64(), list[0]["score"].as_f64()), (Some(1), Some(1.0)), "{}", list[0]);
    assert_eq!(list[0]["waiting"], Value::Null);
    assert!(list[0]["commit"].as_str().is_some());
}

#[test]
fn a_run_is_written_as_one_page_with_rows_words_and_cost() {
    let (url, _) = server(fixes);
    let library = Project::empty();
    prompt(&library, "bugs", "Fix the bug <b>now</b>.\n", "[budget]\nevals = 12\n");
    let dir = "prompts/bugs";
    library.meliora(&["prompt", "report", dir, "--html", "out.html"]).exits(3).says(&["nothing has run", "hint:"]);
    library.meliora(&["prompt", "optimize", dir, "--base-url", &url]).exits(0);
    library.meliora(&["prompt", "report", dir, "--html", "out.html"]).exits(0);
    let page = library.read("out.html");
    assert!(page.contains("default-src 'none'") && !page.contains("<b>now"), "what a prompt says is no markup");
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["means"][1][0].as_str(), Some("validation"));
    assert_eq!((data["means"][1][1].as_f64(), data["means"][1][2].as_f64()), (Some(0.0), Some(1.0)));
    let rows = data["rows"].as_array().unwrap();
    assert!(
        rows.len() == 4 && rows.iter().all(|r| r["before"]["score"] == 0.0 && r["after"]["score"] == 1.0),
        "{data}"
    );
    let parts = data["files"][0]["parts"].as_array().unwrap();
    assert!(parts.iter().any(|p| p[0] == "+" && p[1].as_str().unwrap().contains("alone")), "{parts:?}");
    assert!(parts.iter().any(|p| p[0] == "=" && p[1].as_str().unwrap().contains("Fix")), "{parts:?}");
    assert!(data["cost"]["tokens"].as_u64().unwrap() > 0 && !data["attempts"].as_array().unwrap().is_empty());
}

#[test]
fn calls_of_a_prompt_run_end_with_the_runs_minutes() {
    // The baseline is answered at once, and everything after it takes a minute.
    let (url, _) = serve(|chat| {
        if common::model::said(chat).contains("You improve the instructions") {
            std::thread::sleep(Duration::from_secs(60));
        }
        "no".into()
    });
    let library = Project::empty();
    prompt(&library, "bugs", "Fix the bug.\n", "[model]\nretries = 0\n");
    let began = Instant::now();
    let ran = library
        .meliora(&["prompt", "optimize", "prompts/bugs", "--minutes", "0.1", "--base-url", &url, "--json"])
        .exits(5);
    assert!(began.elapsed() < Duration::from_secs(40), "it waited for a call that took a minute");
    assert_eq!(ran.last()["reason"], "budget of minutes is used up", "{}", ran.last());

    // The same where it is the examination that is under way.
    let (url, _) = serve(|chat| {
        let text = common::model::said(chat);
        if text.contains("You improve the instructions") {
            return "<instructions>Another.</instructions>".into();
        }
        if text.contains("Another.") {
            std::thread::sleep(Duration::from_secs(60));
        }
        "no".into()
    });
    let began = Instant::now();
    prompt(&library, "more", "Fix the bug.\n", "[model]\nretries = 0\n");
    let ran = library
        .meliora(&["prompt", "optimize", "prompts/more", "--minutes", "0.1", "--base-url", &url, "--json"])
        .exits(5);
    assert!(began.elapsed() < Duration::from_secs(40), "it waited for an answer that took a minute");
    assert_eq!(ran.last()["accepted"].as_u64(), Some(0), "{}", ran.last());
}
