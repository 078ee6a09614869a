//! The dear optimizers end to end, each against models whose answers follow from what they are asked.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::Ordering;

use common::Project;
use common::model::{said, serve};
use serde_json::Value;

/// Messages to be sorted, of which 18 are train rows.
fn tickets(module: &str, models: &str) -> Project {
    let project = Project::empty();
    project.write(
        "meliora.toml",
        format!(
            "name = \"t\"\ngoal = \"Sort messages\"\n[genome]\nroot = \"genome\"\neditable = [\"*\"]\n\
             [run]\njobs = 1\nseed = 3\n[budget]\nevals = 14\n{models}"
        ),
    );
    project.write(
        "genome/program.toml",
        format!(
            "[[steps]]\nname = \"sort\"\n{module}signature = \"text -> label: Literal['billing', 'technical', 'other']\"\n\
             instructions = \"Sort the message.\"\n"
        ),
    );
    project.write("suite/suite.toml", "kind = \"sample\"\n[prompt]\ndata = \"cases.jsonl\"\nmetric = \"exact\"\n");
    let row = |i: usize| {
        let (text, label) = if i.is_multiple_of(2) { ("refund", "billing") } else { ("crash", "technical") };
        format!("{{\"text\": \"{text} number {i}\", \"expected\": \"{label}\"}}\n")
    };
    project.write("suite/cases.jsonl", (0..60).map(row).collect::<String>());
    project
}

/// The label of the message that is asked about, or the one that is always wrong.
fn label(chat: &Value, right: bool) -> &'static str {
    let text = said(chat);
    let asked = text.rsplit("\n---\n").next().unwrap();
    match (right, asked.contains("refund")) {
        (false, _) => "other",
        (true, true) => "billing",
        (true, false) => "technical",
    }
}

/// What stands in the champion, and whether each of its demos is a row that proposers were shown.
fn champion(project: &Project) -> (String, usize) {
    project.meliora(&["checkout", "champion", "out"]).exits(0);
    let program = project.read("out/program.toml");
    let traced = &project.events("traced")[0];
    let train: Vec<&str> =
        traced["examples"].as_array().unwrap().iter().map(|e| e["inputs"]["text"].as_str().unwrap()).collect();
    let demos: Vec<&str> =
        program.lines().filter_map(|line| line.strip_prefix("text = \"")).map(|t| t.trim_end_matches('"')).collect();
    assert!(demos.iter().all(|demo| train.contains(demo)), "{demos:?}");
    let count = demos.len();
    (program, count)
}

#[test]
fn simba_makes_a_demo_or_a_rule_of_what_sets_a_models_own_answers_apart() {
    // Without help it is right by luck alone: where the temperature is not 0, with every other seed.
    let (url, calls) = serve(|chat| {
        let text = said(chat);
        if text.contains("You look at how a language model did one task in different ways") {
            assert!(text.contains("The better answer scored 1.00") && text.contains("The worse answer scored 0.00"));
            return "{\"sort\": \"If you are given a refund or a crash, then never say other.\"}".into();
        }
        let helped = text.contains("]]\n\n---\n") || text.contains("never say other");
        let lucky = chat["temperature"].as_f64() > Some(0.0) && chat["seed"].as_u64().unwrap() % 2 == 1;
        format!("[[ ## label ## ]]\n{}\n\n[[ ## completed ## ]]", label(chat, helped || lucky))
    });
    let project = tickets("", "");
    let ran = project.meliora(&["prompt", "optimize", ".", "--base-url", &url, "--optimizer", "simba", "--json"]);
    let last = ran.exits(0).last();
    assert_eq!((last["baseline_score"].as_f64(), last["champion_score"].as_f64()), (Some(0.0), Some(1.0)), "{last}");
    assert_eq!(last["tokens"].as_u64().unwrap(), calls.load(Ordering::SeqCst) * 30, "what it asked on the way is paid");
    let (program, demos) = champion(&project);
    assert!(demos > 0 || program.contains("never say other"), "{program}");
    let reason = project.events("bid").last().unwrap()["outcome"]["proposed"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.ends_with("(0.00 → 1.00 on 18 rows)"), "{reason}");
}

#[test]
fn a_random_search_takes_the_demos_that_a_teacher_makes_where_raw_rows_do_not_help() {
    let answer = |chat: &Value, right| {
        let why = if right { "because of its words" } else { "no idea" };
        let label = label(chat, right);
        format!("[[ ## reasoning ## ]]\n{why}\n\n[[ ## label ## ]]\n{label}\n\n[[ ## completed ## ]]")
    };
    let (teacher, taught) = serve(move |chat| answer(chat, true));
    let (student, _) = serve(move |chat| answer(chat, said(chat).contains("because of its words")));
    let models = format!(
        "[model]\nbase_url = \"{teacher}\"\n[models.small]\nbase_url = \"{student}\"\n[student]\nmodel = \"small\"\n"
    );
    let project = tickets("module = \"chain_of_thought\"\n", &models);
    let args = ["prompt", "optimize", ".", "--optimizer", "bootstrap-random-search", "--json"];
    let last = project.meliora(&args).exits(0).last();
    assert_eq!((last["baseline_score"].as_f64(), last["champion_score"].as_f64()), (Some(0.0), Some(1.0)), "{last}");
    let outcomes = project.events("bid").into_iter().map(|bid| bid["outcome"].to_string()).collect::<Vec<_>>();
    assert!(outcomes[0].contains("changes nothing"), "without demos it is the parent: {outcomes:?}");
    assert!(outcomes[1].contains("16 rows as demos"), "{outcomes:?}");
    assert!(outcomes[2].contains("demos from 4 right answers of 4"), "{outcomes:?}");
    assert_eq!((outcomes.len(), taught.load(Ordering::SeqCst)), (3, 4));
    let (program, demos) = champion(&project);
    // Four with the teacher's reasoning, and raw rows up to 16.
    assert_eq!((program.matches("because of its words").count(), demos), (4, 16), "{program}");
}
