//! Prompts end to end: a model that answers, a model that rewords, and the program between them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::TcpListener;
use std::sync::atomic::Ordering;

use common::model::{said, serve, server};
use common::{Project, Ran};

/// Puts a colon where one is missing: with talk around it, unless it is told to answer with the code alone.
fn fixes(said: &str) -> String {
    if said.contains("You improve the instructions") {
        return "<instructions>\nFix the bug. Answer with the code alone, without a fence.\n</instructions>".into();
    }
    let code = said.rsplit("---\n").next().unwrap().replacen(")\n", "):\n", 1);
    if said.contains("code alone") { code } else { format!("Here is the code:\n```python\n{code}\n```") }
}

fn bugfix(cases: &str, suite: &str) -> Project {
    let project = Project::empty();
    project.write(
        "meliora.toml",
        "name = \"bugs\"\ngoal = \"Fix Python bugs\"\n[genome]\nroot = \"genome\"\neditable = [\"*\"]\n\
         [run]\njobs = 1\nseed = 3\n[budget]\nevals = 12\n",
    );
    project.write("genome/prompt.txt", "Fix the Python code bug.\n");
    project.write("suite/suite.toml", suite);
    project.write("suite/cases.jsonl", cases);
    project
}

const EXACT: &str = "kind = \"exact\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = \"exact\"\n";
const CASES: &str = "{\"input\": \"def f(a)\\n    return a\", \"expected\": \"def f(a):\\n    return a\"}\n\
                     {\"input\": \"for i in f(2)\\n    g(i)\", \"expected\": \"for i in f(2):\\n    g(i)\"}\n";

fn optimize(project: &Project, more: &[&str]) -> Ran {
    let mut args = vec!["prompt", "optimize", "."];
    args.extend(more);
    project.meliora(&args)
}

#[test]
fn a_prompt_is_made_better_recorded_and_replayed_without_the_model() {
    let (url, calls) = server(fixes);
    let project = bugfix(CASES, EXACT);
    let ran = optimize(&project, &["--base-url", &url, "--record", "tape.jsonl"]).exits(0);
    let ran =
        ran.says(&["score 0.0000 → 1.0000", "+Fix the bug. Answer with the code alone, without a fence.", "✓", "✗"]);
    assert!(ran.out.contains("improved"));
    // Two rows for the baseline, one reword, two rows for the new prompt: equal questions are asked once.
    assert_eq!(calls.load(Ordering::SeqCst), 5);
    assert_eq!(project.events("traced").len(), 1);

    let again = bugfix(CASES, EXACT);
    again.write("tape.jsonl", std::fs::read_to_string(project.path("tape.jsonl")).unwrap());
    let last = optimize(&again, &["--cassette", "tape.jsonl", "--json"]).exits(0).last();
    assert_eq!((last["baseline_score"].as_f64(), last["champion_score"].as_f64()), (Some(0.0), Some(1.0)));
    assert_eq!(last["tokens"], 5 * 30, "a replay costs what the recording did");
    assert_eq!(calls.load(Ordering::SeqCst), 5);
}

#[test]
fn a_cassette_holds_what_was_reported_also_of_kept_answers_and_plays_as_often_as_one_likes() {
    let (url, calls) = server(fixes);
    let project = bugfix(CASES, EXACT);
    project.meliora(&["bench", ".", "--base-url", &url]).exits(0);
    let recorded = optimize(&project, &["--base-url", &url, "--record", "tape.jsonl", "--json"]).exits(0).last();
    assert_eq!((recorded["tokens"].as_u64(), recorded["cached_calls"].as_u64()), (Some(3 * 30), Some(2)), "{recorded}");
    let tape = project.read("tape.jsonl");
    assert_eq!((tape.lines().count(), tape.matches("{\"prompt\":20,\"completion\":10").count()), (5, 5), "{tape}");
    for _ in 0..2 {
        let last = optimize(&project, &["--cassette", "tape.jsonl", "--json"]).exits(0).last();
        assert_eq!(
            (last["baseline_score"].as_f64(), last["champion_score"].as_f64()),
            (Some(0.0), Some(1.0)),
            "{last}"
        );
        assert_eq!(last["tokens"], 5 * 30);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 5);

    // The same where nothing helped, so that there is much to ask about what was tried.
    let (url, _) = serve(|chat| {
        let said = said(chat);
        if !said.contains("You improve the instructions") {
            return "no".into();
        }
        format!("<instructions>\nTry number {} of {}.\n</instructions>", chat["seed"], said.len())
    });
    let project = bugfix(CASES, EXACT);
    let recorded = optimize(&project, &["--base-url", &url, "--record", "tape.jsonl", "--json"]).exits(5).last();
    for _ in 0..2 {
        let last = optimize(&project, &["--cassette", "tape.jsonl", "--json"]).exits(5).last();
        assert_eq!((&last["tokens"], &last["attempts"]), (&recorded["tokens"], &recorded["attempts"]), "{last}");
    }
    // Without a cassette a later run goes other ways, and says which.
    optimize(&project, &["--base-url", &url]).exits(5).says(&["seed 6"]);
}

#[test]
fn what_was_found_is_told_as_found_where_nothing_more_is_proposed() {
    let (url, _) = serve(|chat| match said(chat) {
        text if text.contains("You improve the instructions") => "<instructions>Halve it.</instructions>".into(),
        text if text.contains("Halve it") && text.contains("def f") => "def f(a):\n    return a".into(),
        _ => "no".into(),
    });
    let ran = optimize(&bugfix(CASES, EXACT), &["--base-url", &url]);
    ran.exits(0).says(&["score 0.0000 → 0.5000", "the proposers have nothing more to offer", "meliora promote"]);
}

#[test]
fn a_budget_of_tokens_is_never_passed_and_what_was_spent_is_told() {
    let (url, calls) = server(fixes);
    let project = bugfix(CASES, EXACT);
    project.write("meliora.toml", project.read("meliora.toml") + &format!("[model]\nbase_url = \"{url}\"\n"));
    let ran = optimize(&project, &["--tokens", "9000", "--json"]);
    let last = ran.last();
    assert_eq!(last["reason"], "budget of tokens is used up", "{last}");
    assert_eq!(last["tokens"].as_u64().unwrap(), calls.load(Ordering::SeqCst) * 30);
    // What was too little is what is to be raised.
    optimize(&bugfix(CASES, EXACT), &["--base-url", &url, "--tokens", "9000"]).exits(5).says(&["--tokens N"]);
    let doctor = project.meliora(&["doctor", "."]).exits(0);
    doctor.says(&["budget-too-small", "raise `--tokens`", "model  stub at "]);
    let ran = optimize(&bugfix(CASES, EXACT), &["--base-url", &url, "--tokens", "100"]).exits(2);
    ran.says(&[
        "the budget of tokens does not allow a single examination",
        "raise `--tokens`",
        "two examinations, each up to",
    ]);
}

#[test]
fn a_budget_for_less_than_one_examination_is_an_error_before_anything_is_asked() {
    let (url, calls) = server(fixes);
    let project = bugfix(CASES, EXACT);
    let ran = optimize(&project, &["--base-url", &url, "--tokens", "10"]).exits(2);
    ran.says(&["the budget of tokens does not allow a single examination", "hint: raise `--tokens`"]);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    // Nothing is spoilt: a budget that reaches goes on from there.
    optimize(&project, &["--base-url", &url]).exits(0);
}

#[test]
fn what_cannot_be_worked_with_is_said_before_anything_is_asked() {
    let (url, calls) = server(fixes);
    let sample = "kind = \"sample\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = \"exact\"\n";
    let one = CASES.lines().next().unwrap();
    for (cases, suite, genome, what) in [
        ("", EXACT, "", "the data holds no row"),
        (one, sample, "", "a single row proves nothing"),
        ("{\"input\": \"a\"}", EXACT, "", "cases.jsonl:1: the row has no 'expected'"),
        (
            "{\"input\": \"a\", \"expected\": \"b\"}\n{\"input\": \"c\", \"expected\": 1}",
            EXACT,
            "",
            "cases.jsonl:2: 'expected' is a number",
        ),
        (
            CASES,
            "kind = \"exact\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = \"bleu\"\n",
            "",
            "unknown variant `bleu`",
        ),
        (CASES, EXACT, "[[steps]]\nname = \"a\"\nsignature = \"code -> fixed\"\n", "the program takes 'code'"),
    ] {
        let project = bugfix(cases, suite);
        if !genome.is_empty() {
            project.write("genome/program.toml", genome);
        }
        optimize(&project, &["--base-url", &url]).exits(3).says(&[what, "hint:"]);
    }
    let project = bugfix(CASES, EXACT);
    optimize(&project, &["--base-url", &url, "--optimizer", "labeled-few-shot"]).exits(3).says(&["no place for them"]);
    optimize(&project, &[]).exits(3).says(&["no server is named"]);
    optimize(&Project::add(), &[]).exits(3).says(&["none of prompts"]);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_model_that_is_not_there_ends_the_run_and_it_goes_on_when_it_is() {
    let project = bugfix(CASES, EXACT);
    project.write(
        "meliora.toml",
        std::fs::read_to_string(project.path("meliora.toml")).unwrap() + "[model]\nname = \"stub\"\nretries = 0\n",
    );
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    optimize(&project, &["--base-url", &format!("http://{closed}/v1")])
        .exits(6)
        .says(&["cannot be reached", "goes on"]);
    let (url, _) = server(fixes);
    optimize(&project, &["--base-url", &url]).exits(0).says(&["score 0.0000 → 1.0000"]);
}

/// Answers as the demos before the question did; without demos, wrongly. Ignores the form at times.
fn labels(said: &str) -> String {
    let last = said.rsplit("---\n").next().unwrap();
    let right = if last.contains("refund") { "billing" } else { "technical" };
    match (said.contains("]]\n\n---\n"), said.contains("JSON object")) {
        (true, _) => format!("[[ ## label ## ]]\n{right}\n\n[[ ## completed ## ]]"),
        (false, true) => "{\"label\": \"other\"}".into(),
        (false, false) => "I think it is about something else.".into(),
    }
}

#[test]
fn demos_come_from_train_rows_alone_and_decide_on_others() {
    let (url, _) = server(labels);
    let rows: String = (0..60)
        .map(|i| {
            let (text, label) = if i % 2 == 0 { ("refund", "billing") } else { ("crash", "technical") };
            format!("{{\"text\": \"{text} number {i}\", \"expected\": \"{label}\"}}\n")
        })
        .collect();
    let project = bugfix(&rows, "kind = \"sample\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = \"exact\"\n");
    std::fs::remove_file(project.path("genome/prompt.txt")).unwrap();
    project.write(
        "genome/program.toml",
        "[[steps]]\nname = \"sort\"\nsignature = \"text -> label: Literal['billing', 'technical', 'other']\"\n\
         instructions = \"Sort the message.\"\n",
    );
    let ran = optimize(&project, &["--base-url", &url, "--optimizer", "labeled-few-shot", "--json"]).exits(0);
    let last = ran.last();
    assert_eq!((last["baseline_score"].as_f64(), last["champion_score"].as_f64()), (Some(0.0), Some(1.0)));
    project.meliora(&["checkout", "champion", "out"]).exits(0);
    let program = std::fs::read_to_string(project.path("out/program.toml")).unwrap();
    let traced = &project.events("traced")[0];
    let train: Vec<&str> =
        traced["examples"].as_array().unwrap().iter().map(|e| e["inputs"]["text"].as_str().unwrap()).collect();
    let demos = program.lines().filter_map(|line| line.strip_prefix("text = \"")).map(|t| t.trim_end_matches('"'));
    let demos: Vec<&str> = demos.collect();
    assert_eq!((train.len(), demos.len()), (18, 16));
    assert!(demos.iter().all(|demo| train.contains(demo)), "{demos:?}");
    let bench =
        project.meliora(&["bench", ".", "--variant", "champion", "--holdout", "--base-url", &url, "--json"]).exits(0);
    assert_eq!(bench.last()["holdout_score"].as_f64(), Some(1.0));
}

fn adds(_: &str) -> String {
    "Of course:\n```python\ndef f(a, b):\n    return a + b\n```\n".into()
}

#[test]
fn answers_are_run_in_cages_and_a_checker_of_ones_own_decides() {
    let (url, _) = server(adds);
    let code = "{\"input\": \"add\", \"expected\": {\"function\": \"f\", \"tests\": [[[1, 2], 3], [[0, 0], 0]]}}\n\
                {\"input\": \"multiply\", \"expected\": {\"function\": \"f\", \"tests\": [[[2, 2], 4], [[2, 3], 6]]}}\n\
                {\"input\": \"no such\", \"expected\": {\"function\": \"g\", \"tests\": [[[], 1]]}}\n";
    let check = "import json, sys\nexam = json.load(sys.stdin)\n((row,),), (said,) = exam['inputs'], exam['outputs']\n\
                 right = row['input'] in exam['data'] and 'def f' in said['output']\n\
                 print(json.dumps({'score': 1 if right else 0.25, 'detail': row['input']}))\n";
    let checked = "{\"input\": \"a\", \"expected\": [\"a\"]}\n{\"input\": \"b\", \"expected\": [\"c\"]}\n";
    for (rows, metric, scores) in [
        (code, "\"tests\"", vec![1.0, 0.5, 0.0]),
        (checked, "{ kind = \"check\", program = \"check.py\" }", vec![1.0, 0.25]),
    ] {
        let project = bugfix(rows, &format!("kind = \"exact\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = {metric}\n"));
        project.write("suite/check.py", check);
        let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
        let tasks = last["tasks"].as_array().unwrap();
        let of = |split: &str| -> Vec<f64> {
            tasks.iter().filter(|t| t["split"] == split).map(|t| t["score"].as_f64().unwrap()).collect()
        };
        assert_eq!((of("validation"), of("train")), (scores.clone(), scores), "{last}");
        let secret = tasks.iter().filter(|t| t["split"] == "validation").map(|t| t["detail"].to_string());
        assert!(secret.clone().all(|detail| !detail.contains("expected")), "{:?}", secret.collect::<Vec<_>>());
    }
}
