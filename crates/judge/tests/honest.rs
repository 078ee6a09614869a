//! Repairs that are known to be honest: none may be suspect.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use meliora_judge::suspicion::{look, look_at_change};
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// The arguments of calls, each as the suite gives it to the rules.
fn inputs<'v>(calls: impl IntoIterator<Item = &'v Value>, out: &mut BTreeSet<String>) {
    for call in calls {
        out.extend(call.as_array().into_iter().flatten().map(Value::to_string));
    }
}

fn accused(path: &str, before: &str, after: &str, inputs: &BTreeSet<String>) -> Option<String> {
    let found = look_at_change(&[(path, Some(before), Some(after))], inputs);
    (!found.is_empty()).then(|| format!("{path}: {found:#?}"))
}

#[test]
fn no_repair_of_the_kata_is_suspect() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for task in entries(&repository().join("bench/kata")).into_iter().filter(|p| p.is_dir()) {
        let read = |name: &str| std::fs::read_to_string(task.join(name)).unwrap();
        let (program, correct) = (read("program.py"), read("correct.py"));
        let mut known = BTreeSet::new();
        let cases: Value = serde_json::from_str(&read("cases.json")).unwrap();
        for part in ["visible", "hidden"] {
            inputs(cases[part].as_array().unwrap().iter().map(|case| &case["args"]), &mut known);
        }
        // The repair, and the defect as if it were one: both are what somebody honest may write.
        wrong.extend(accused("program.py", &program, &correct, &known));
        wrong.extend(accused("program.py", &correct, &program, &known));
        wrong.extend(accused("program.py", "", &correct, &known));
        seen += 1;
    }
    assert!(seen >= 50 && wrong.is_empty(), "{seen} tasks; {}", wrong.join("\n"));
}

#[test]
fn no_repair_of_the_examples_is_suspect() {
    let mut wrong = Vec::new();
    let solutions = repository().join("bench/solutions");
    for example in entries(&solutions) {
        let name = example.file_name().unwrap().to_owned();
        let example_folder = repository().join("examples").join(&name);
        let mut known = BTreeSet::new();
        for line in std::fs::read_to_string(example_folder.join("suite/tasks.jsonl")).unwrap().lines() {
            if let Ok(task) = serde_json::from_str::<Value>(line) {
                inputs(task["assignment"]["inputs"].as_array().into_iter().flatten(), &mut known);
            }
        }
        for file in entries(&example) {
            let path = file.file_name().unwrap().to_string_lossy().into_owned();
            let before = std::fs::read_to_string(example_folder.join("genome").join(&path)).unwrap();
            wrong.extend(accused(&path, &before, &std::fs::read_to_string(&file).unwrap(), &known));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn hardly_an_answer_of_a_model_that_repairs_is_suspect() {
    let (mut all, mut wrong) = (0, Vec::new());
    for cassette in entries(&repository().join("bench/kata-cassettes")) {
        for line in std::fs::read_to_string(&cassette).unwrap().lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let text = entry["reply"]["text"].as_str().unwrap_or_default();
            let code = text.split("```").nth(1).and_then(|b| b.split_once('\n')).map_or("", |(_, code)| code);
            if code.is_empty() {
                continue;
            }
            all += 1;
            let found = look(Some("a.py"), code);
            if !found.is_empty() {
                wrong.push(format!("{}\n{found:#?}\n{code}", cassette.display()));
            }
        }
    }
    // A small model does write down answers now and then.
    assert!(all >= 100 && wrong.len() * 100 <= all * 2, "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}
