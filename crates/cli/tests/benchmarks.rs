//! Benchmarks of prompts: HumanEval, numbers, classification, and metrics that cages, schemas and judges decide.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write as _;
use std::sync::atomic::Ordering;

use common::Project;
use common::model::{said, serve, server};
use serde_json::{Value, json};

fn project(prompt: &str, suite: &str, more: &str) -> Project {
    let project = Project::empty();
    project.write("meliora.toml", format!("name = \"bench\"\n[genome]\nroot = \"genome\"\neditable = [\"*\"]\n{more}"));
    project.write("genome/prompt.txt", prompt);
    project.write("suite/suite.toml", suite);
    project
}

/// Rows in the form of HumanEval: their own tests, a function that the tests use, and solutions that nobody may see.
fn human() -> String {
    let row = |id: usize, before: &str, head: &str, name: &str, check: &str| {
        let prompt = format!("{before}def {head}:\n    \"\"\" {name} \"\"\"\n");
        let test = format!("METADATA = {{}}\n\n\ndef check(candidate):\n    {check}\n");
        json!({"task_id": format!("Own/{id}"), "prompt": prompt, "entry_point": name,
               "canonical_solution": "    return SECRET\n", "test": test, "split": "validation"})
    };
    let rows = [
        row(
            0,
            "from typing import List\n\n\n",
            "total(a: List[int]) -> int",
            "total",
            "assert candidate([1, 2]) == 3\n    assert candidate([]) == 0",
        ),
        row(
            1,
            "def double(x):\n    return 2 * x\n\n\n",
            "halve(x)",
            "halve",
            "assert all(candidate(double(i)) == halve(2 * i) == i for i in range(50))",
        ),
        row(2, "", "pair(a, b)", "pair", "assert candidate(1, 2) == (1, 2), 'a tuple'"),
        row(3, "", "never(a)", "never", "assert candidate(1) == 2"),
    ];
    rows.map(|row| format!("{row}\n")).concat()
}

/// Completes in the three ways that models do: the whole function, the body alone, the body in a fence.
fn completes(text: &str) -> String {
    assert!(!text.contains("SECRET"), "a solution was shown");
    if text.contains("def total") {
        return "```python\ndef total(a: List[int]) -> int:\n    return sum(a)\n```".into();
    }
    if text.contains("def halve") {
        return "    y = x / 2\n    return int(y)".into();
    }
    if text.contains("def pair") {
        return "```\nreturn a, b\n```".into();
    }
    "import sys\nsys.exit(0)".into()
}

#[test]
fn humaneval_is_run_in_cages_and_its_accuracy_has_an_interval() {
    let (url, calls) = server(completes);
    let suite = "kind = \"sample\"\n[prompt]\ndata = \"HumanEval.jsonl.gz\"\nformat = \"humaneval\"\n";
    let project = project("Complete the function.\n", suite, "");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(human().as_bytes()).unwrap();
    project.write("suite/HumanEval.jsonl.gz", packed.finish().unwrap());
    let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    let status: Vec<&str> = last["tasks"].as_array().unwrap().iter().map(|t| t["status"].as_str().unwrap()).collect();
    assert_eq!(status[..3], ["passed"; 3], "{last}");
    assert_ne!(status[3], "passed", "{last}");
    let accuracy = &last["accuracy"][0];
    assert_eq!((accuracy["passed"].as_u64(), accuracy["rows"].as_u64()), (Some(3), Some(4)));
    let low = accuracy["interval"][0].as_f64().unwrap();
    assert!((low - 0.3006).abs() < 1e-3, "Wilson's interval of 3 in 4 begins at 0.3006: {low}");
    assert_eq!((last["calls"]["calls"].as_u64(), calls.load(Ordering::SeqCst)), (Some(4), 4));
    assert_eq!(last["calls"]["tokens_read"].as_u64(), Some(80));
    let told = project.meliora(&["bench", ".", "--base-url", &url]).exits(0);
    told.says(&["validation accuracy", "75.0 % (3 of 4 right, 30.1 to 95.4 % at 95 % confidence)", "tokens read"]);
}

#[test]
fn several_samples_of_each_row_give_pass_at_k_without_bias() {
    // The first task is right with every second seed, the others as before.
    let (url, _) = serve(|chat| {
        let text = said(chat);
        match text.contains("def total") && chat["seed"].as_u64().unwrap() % 2 == 1 {
            true => "return 1".into(),
            false => completes(&text),
        }
    });
    let suite = "kind = \"sample\"\n[prompt]\ndata = \"h.jsonl\"\nformat = \"humaneval\"\n";
    let project = project("Complete the function.\n", suite, "[student]\ntemperature = 0.8\n");
    project.write("suite/h.jsonl", human());
    let last = project.meliora(&["bench", ".", "--base-url", &url, "--samples", "4", "--json"]).exits(0).last();
    let of = |k: u64| {
        let all = last["pass_at"].as_array().unwrap();
        all.iter().find(|p| p["k"] == k).unwrap()["pass"].as_f64().unwrap()
    };
    // (2 of 4, 4 of 4, 4 of 4, 0 of 4): 0.5 + 1 + 1 + 0 for one try, 1 - C(2, 4) / C(4, 4) = 1 for four.
    assert_eq!((of(1), of(4)), (0.625, 0.75), "{last}");
    project.write("meliora.toml", project.read("meliora.toml").replace("0.8", "0.0"));
    let ran = project.meliora(&["bench", ".", "--base-url", &url, "--samples", "4"]).exits(2);
    ran.says(&["every sample is the same", "temperature"]);
}

#[test]
fn numbers_in_the_form_of_gsm8k_and_classes_in_a_table_need_no_more_than_their_file() {
    let (url, _) =
        server(|text| if text.contains("apples") { "So it is 1,200 apples.".into() } else { "Sport".into() });
    let suite = "kind = \"sample\"\n[prompt]\ndata = \"test.jsonl\"\nformat = \"gsm8k\"\n";
    let numbers = project("Solve it.\n", suite, "");
    numbers.write(
        "suite/test.jsonl",
        "{\"question\": \"How many apples?\", \"answer\": \"600 + 600\\n#### 1,200\", \"split\": \"validation\"}\n\
         {\"question\": \"How many pears?\", \"answer\": \"2\\n#### 2\", \"split\": \"validation\"}\n",
    );
    let last = numbers.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    assert_eq!(last["score"].as_f64(), Some(0.5), "{last}");

    let suite = "kind = \"sample\"\n[prompt]\ndata = \"news.csv\"\nexpected = \"label\"\ninputs = [\"text\"]\nmetric = \"normalised\"\n";
    let classes = project("Sort it.\n", suite, "");
    classes.write(
        "suite/news.csv",
        "text,label,split\ngoal in the last minute,sport,validation\nrates rise,money,validation\n",
    );
    let last = classes.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    assert_eq!(last["score"].as_f64(), Some(0.5), "{last}");
    classes.write("suite/suite.toml", suite.replace("\"label\"", "\"class\""));
    classes
        .meliora(&["bench", ".", "--base-url", &url])
        .exits(3)
        .says(&["news.csv:2: the row has no 'class'", "hint:"]);
}

#[test]
fn a_shell_command_marks_answers_in_a_cage_of_its_own() {
    let (url, _) = server(|text| if text.contains("long") { "a b c d".into() } else { "a b".into() });
    let suite = "kind = \"exact\"\n[prompt]\ndata = \"c.jsonl\"\n\
                 metric = { kind = \"command\", argv = [\"sh\", \"check.sh\"] }\n";
    let project = project("Write.\n", suite, "");
    project.write("suite/c.jsonl", "{\"input\": \"long\"}\n{\"input\": \"short\"}\n");
    // No Python: the words of the output are counted by the shell.
    project.write(
        "suite/check.sh",
        "read -r exam\nsaid=${exam#*'\"output\":\"'}\nsaid=${said%%'\"'*}\nset -- $said\n\
         if [ $# -le 2 ]; then exit 0; fi\nprintf '{\"score\": 0.25, \"detail\": \"%d words\"}\\n' $#\n",
    );
    let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    let tasks: Vec<(&Value, &Value)> =
        last["tasks"].as_array().unwrap().iter().map(|t| (&t["score"], &t["detail"])).collect();
    assert_eq!(tasks[0], (&json!(0.25), &json!("4 words")), "{last}");
    assert_eq!(tasks[1].0, &json!(1.0), "{last}");
    project.write("suite/check.sh", "exit 3\n");
    let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    assert_eq!(last["accuracy"][0]["missing"].as_u64(), Some(2), "a broken command counts neither way: {last}");
}

/// Answers as the student; as the judge, praises long answers.
fn answers_and_judges(text: &str) -> String {
    if !text.contains("You mark the answer") {
        return if text.contains("poem") { "roses are red, violets are blue".into() } else { "no".into() };
    }
    assert!(text.contains("Reward what is long.") && text.contains("<answer_output>"), "{text}");
    let score = if text.contains("roses") { 10 } else { 3 };
    format!("{{\"reason\": \"its length\", \"score\": {score}}}")
}

#[test]
fn a_judge_advises_and_decides_only_where_it_was_chosen() {
    let (url, calls) = server(answers_and_judges);
    let rows = "{\"input\": \"a poem\", \"expected\": \"no\"}\n{\"input\": \"a word\", \"expected\": \"no\"}\n";
    for (metric, scores) in [("exact", [0.0, 1.0]), ("judge", [1.0, 0.3])] {
        let suite = format!(
            "kind = \"exact\"\n[prompt]\ndata = \"r.jsonl\"\nmetric = \"{metric}\"\n\
             [prompt.judge]\nrubric = \"Reward what is long.\"\n"
        );
        let project = project("Write.\n", &suite, "");
        project.write("suite/r.jsonl", rows);
        let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
        let tasks = last["tasks"].as_array().unwrap();
        let got: Vec<f64> =
            tasks.iter().filter(|t| t["split"] == "validation").map(|t| t["score"].as_f64().unwrap()).collect();
        assert_eq!(got, scores, "{metric}: {last}");
        assert_eq!(last["metrics"]["judge"].as_f64(), Some(0.65), "{last}");
    }
    // Two rows and two judgements, asked once for both splits; the same again.
    assert_eq!(calls.load(Ordering::SeqCst), 2 * (2 + 2));
    let suite = "kind = \"exact\"\n[prompt]\ndata = \"r.jsonl\"\nmetric = \"judge\"\n";
    let bare = project("Write.\n", suite, "");
    bare.write("suite/r.jsonl", rows);
    bare.meliora(&["bench", ".", "--base-url", &url]).exits(3).says(&["has no rubric", "hint:"]);
}
