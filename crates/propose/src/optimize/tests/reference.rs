//! Ours beside DSPy's own optimizers, where a model answers by the same rule: what is compared, and what differs on purpose,
//! stands in docs/optimizers.md. `reference.py` tells what DSPy does.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::process::Command;

use serde_json::Value as Json;

use super::*;
use crate::optimize::tpe;

/// What DSPy does; `None`, said aloud, where it is not there. In CI it has to be.
fn facts() -> Option<Json> {
    let Some(python) = std::env::var_os("MELIORA_DSPY_PYTHON") else {
        assert!(std::env::var_os("CI").is_none(), "MELIORA_DSPY_PYTHON names a Python with dspy, optuna and numpy");
        eprintln!("skipped: MELIORA_DSPY_PYTHON names no Python with dspy, optuna and numpy");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/optimize/tests/reference.py");
    let done = Command::new(python).args(["-W", "ignore", script]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(serde_json::from_slice(&done.stdout).unwrap())
}

/// The number of the first question in a text.
fn number(text: &str) -> u64 {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    text.split("question ").skip(1).find_map(digits).unwrap()
}

fn numbers(json: &Json) -> Vec<u64> {
    json.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

fn demos(bid: &Bid) -> Vec<Fields> {
    made(bid).steps[0].demos.clone()
}

fn traced(demos: &[Fields]) -> Vec<u64> {
    let question = |demo: &Fields| number(demo.get("question").unwrap().as_text().unwrap());
    demos.iter().filter(|demo| demo.get("reasoning").is_some()).map(question).collect()
}

/// Rows with an even number are right.
fn even() -> Scoring {
    Box::new(|_, task, _| f64::from(task.0.parse::<u64>().unwrap() % 2 == 0))
}

#[test]
fn demos_are_chosen_as_dspy_chooses_them() {
    let Some(facts) = facts() else { return };
    let (bid, tried) = propose(&Labeled, 1, &rows(20), even());
    let found = demos(&bid);
    let mut fields: Vec<&str> = found[0].iter().map(|(name, _)| name).collect();
    fields.sort_unstable();
    let ours = serde_json::json!({ "demos": found.len(), "calls": tried.len(), "fields": fields });
    assert_eq!(ours, facts["labeled"]);

    let (bid, tried) = propose(&Bootstrap::new(settings()), 1, &rows(20), even());
    let (found, theirs) = (demos(&bid), &facts["bootstrap"]);
    let asked: Vec<u64> = tried.iter().map(|(_, tasks)| tasks[0].0.parse().unwrap()).collect();
    assert_eq!(asked, numbers(&theirs["calls"]), "a teacher is asked the same rows in the same order");
    assert_eq!(traced(&found), numbers(&theirs["traced"]));
    assert_eq!((found.len() - traced(&found).len()) as u64, theirs["raw"].as_u64().unwrap());
    assert_eq!((&theirs["raw_from_traced"], &theirs["sees_itself"]), (&Json::from(false), &Json::from(false)));
    let questions: std::collections::BTreeSet<String> =
        found.iter().map(|demo| demo.get("question").unwrap().to_string()).collect();
    assert_eq!(questions.len(), found.len(), "no raw row is one that was bootstrapped");
    assert!(theirs["traced_first"].as_bool().unwrap() && found[..4].iter().all(|demo| demo.get("reasoning").is_some()));

    let (search, theirs) = (RandomSearch::new(settings()), &facts["random_search"]);
    let of = |step: u64| match propose(&search, step, &rows(20), even()).0 {
        Bid::Unusable { .. } => Some([0, 0]),
        Bid::Exhausted => None,
        bid => Some([traced(&demos(&bid)).len() as u64, demos(&bid).len() as u64]),
    };
    let all: Vec<[u64; 2]> = (1..).map_while(of).collect();
    assert_eq!(all.len() as u64, theirs["candidates"].as_u64().unwrap());
    assert_eq!(serde_json::json!(all[..3]), theirs["fixed"], "no demos, raw rows, unshuffled traces");
    let range = numbers(&theirs["sizes"]);
    assert!(all[3..].iter().all(|[size, _]| range.contains(size)) && range.len() == 4);
    assert!(all[3..].iter().all(|[_, total]| Json::from(vec![*total]) == theirs["totals"]));
}

#[test]
fn copro_shows_what_was_tried_the_best_last_as_dspy_does() {
    let Some(facts) = facts() else { return };
    let model = Says::these(&["<instructions>Instruction 9.</instructions>"]);
    let other =
        |text: &str, score| Inspiration { variant: VariantId([7; 20]), genome: genome(text), score: Some(score) };
    let others = [other("Instruction 1.", 0.7), other("Instruction 2.", 0.2), other("Instruction 3.", 0.4)];
    let copro = Copro::new(model.clone(), settings());
    let (bid, tried) = propose_beside(&copro, 1, &rows(8), &others, even());
    assert_eq!((made(&bid).steps[0].signature.instructions.as_str(), tried.len()), ("Instruction 9.", 0));
    let asked = model.asked.lock().unwrap()[0].clone();
    let scores: Vec<f64> =
        asked.split("Score ").skip(1).map(|rest| rest.split(':').next().unwrap().parse().unwrap()).collect();
    assert_eq!(scores, [0.2, 0.4, 0.5, 0.7], "the parent among them");
    assert_eq!(facts["copro"]["best_last"], Json::from(true));
    assert_eq!(Json::from(model.temperatures.lock().unwrap()[0]), facts["copro"]["temperature"]);
}

#[test]
fn simba_takes_the_rows_whose_answers_differ_most_and_asks_as_often_as_dspy() {
    let Some(facts) = facts() else { return };
    let advice: Vec<String> = (1..=9).map(|i| format!("{{\"s\": \"Advice {i}.\"}}")).collect();
    let model = Says::these(&advice.iter().map(String::as_str).collect::<Vec<_>>());
    // Row i is right in the first i mod 7 of its samples, and never where it is examined.
    let scoring: Scoring = Box::new(|_, task, pupil| {
        let sample = match pupil {
            Pupil::Teacher => 0,
            Pupil::Sampled(sample) => sample,
            Pupil::Student => 7,
        };
        f64::from(task.0.parse::<u64>().unwrap() % 7 > sample)
    });
    let wrong: Vec<Example> = rows(32).into_iter().map(|row| Example { score: 0.0, ..row }).collect();
    let (bid, tried) = propose(&Simba::new(model.clone(), settings()), 3, &wrong, scoring);
    let steps = facts["simba"]["steps"].as_array().unwrap();
    let answers: usize = tried.iter().map(|(_, tasks)| tasks.len()).sum();
    assert_eq!(answers as u64, facts["simba"]["answers"].as_u64().unwrap());
    let asked = model.asked.lock().unwrap();
    let mut classes = Vec::new();
    for (change, _) in &tried[6..] {
        let program = Ground::of(&change.apply(&genome("Answer.")).unwrap(), &[]).unwrap().file.program;
        let step = &program.steps[0];
        match (step.demos.as_slice(), step.signature.instructions.strip_prefix("Answer.\n\nAdvice ")) {
            ([demo], None) => {
                let mut fields: Vec<&str> = demo.iter().map(|(name, _)| name).collect();
                fields.sort_unstable();
                assert_eq!(fields, ["answer", "question", "reasoning"]);
                classes.push(number(demo.get("question").unwrap().as_text().unwrap()) % 7);
            }
            ([], Some(rule)) => {
                let at: usize = rule.trim_end_matches('.').parse().unwrap();
                classes.push(number(&asked[at - 1]) % 7);
            }
            other => panic!("{other:?}"),
        }
    }
    let theirs: Vec<u64> = steps.iter().map(|step| step["class"].as_u64().unwrap()).collect();
    assert_eq!(classes, theirs, "the rows by how much their answers differ, as many candidates");
    let rules = steps.iter().filter(|step| step["kind"] == "rule");
    assert!(rules.clone().count() > 0 && rules.clone().all(|step| step["appended"] == true && step["demos"] == 0));
    assert!(steps.iter().filter(|step| step["kind"] == "demo").all(|step| step["demos"] == 1));
    assert!(!asked.is_empty() && asked.len() < 7, "both strategies were drawn: {} rules", asked.len());
    assert!(matches!(bid, Bid::Proposal { .. }));
}

#[test]
fn gepas_gate_lets_through_what_dspys_does() {
    let Some(facts) = facts() else { return };
    let answers = ["<instructions>Worse.</instructions>", "<instructions>Better.</instructions>"];
    let scoring: Scoring = Box::new(|change, _, _| f64::from(format!("{:?}", change.edits).contains("Better")));
    let wrong: Vec<Example> = rows(6).into_iter().map(|row| Example { score: 0.0, ..row }).collect();
    let (bid, tried) = propose(&Gepa::new(Says::these(&answers), settings()), 1, &wrong, scoring);
    let order: Vec<&str> = facts["gepa"]["order"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let count = |name: &str| order.iter().filter(|n| **n == name).count();
    // DSPy: three rows with the parent, the same with what is no better; three more, and all of validation with what is.
    assert_eq!((count("Worse."), count("Better.")), (tried[0].1.len(), tried[1].1.len() + 4));
    assert_eq!(facts["gepa"]["same_rows"], Json::from(true));
    assert_eq!(Json::from(made(&bid).steps[0].signature.instructions.as_str()), facts["gepa"]["accepted"]);
}

#[test]
fn the_parzen_estimator_finds_as_soon_as_optunas() {
    let Some(facts) = facts() else { return };
    let found = |seed: u64| {
        let mut rng = Rng::of(seed, 0, 0);
        let mut trials: Vec<tpe::Trial> = Vec::new();
        (1..=64).find(|_| {
            let choice = tpe::next(&[8, 8], &trials, &mut rng);
            let score = f64::from(u8::from(choice[0] == 5)) + f64::from(u8::from(choice[1] == 2));
            trials.push((choice, score));
            score >= 2.0
        })
    };
    let ours = (0..400).map(|seed| found(seed).unwrap_or(64)).sum::<usize>() as f64 / 400.0;
    let theirs = facts["tpe"]["mean"].as_f64().unwrap();
    assert!((ours - theirs).abs() < 0.3 * theirs, "{ours} trials, {theirs} by Optuna");
}
