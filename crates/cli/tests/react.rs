//! Programs with tools: the loop is DSPy's to the byte, and tools run in cages.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::Project;
use common::model::{said, serve};
use serde_json::{Value, json};

const PROGRAM: &str = r#"
[[steps]]
name = "find"
module = "react"
signature = "question -> answer"
instructions = "Find it."
max_turns = 4

[[steps.tools]]
name = "look_up"
description = "Looks a word up."
arguments = "word: str, times: int"
file = "look.py"

[[steps.tools]]
name = "table"
file = "look.py"
"#;

const TOOLS: &str =
    "def look_up(word, times):\n    return word * times\n\n\ndef table():\n    return [{'a': 1.5}, 'two \"x\"']\n";

fn project(program: &str, tools: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    project.write("meliora.toml", "name = \"agent\"\n[genome]\nroot = \"genome\"\neditable = [\"*\"]\n");
    project.write("genome/program.toml", program);
    for (name, text) in tools {
        project.write(&format!("genome/{name}"), text);
    }
    project.write("suite/suite.toml", "kind = \"exact\"\n[prompt]\ndata = \"q.jsonl\"\nmetric = \"exact\"\n");
    project.write("suite/q.jsonl", "{\"question\": \"What is ab twice?\", \"expected\": \"abab\"}\n");
    project
}

/// A turn, or the outputs at the end, under the headings that are asked for.
fn headed(fields: &Value) -> String {
    let part = |(name, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("[[ ## {name} ## ]]\n{text}")
    };
    let parts: Vec<String> = fields.as_object().unwrap().iter().map(part).collect();
    format!("{}\n\n[[ ## completed ## ]]\n", parts.join("\n\n"))
}

fn turn(tool: &str, arguments: Value) -> Value {
    json!({"next_thought": format!("I use {tool}."), "next_tool_name": tool, "next_tool_args": arguments})
}

/// Benches with a model that gives these answers one after the other; the report and what was sent.
fn bench(project: &Project, answers: Vec<Value>) -> (Value, Vec<Value>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (seen, left) = (sent.clone(), Mutex::new(answers.into_iter()));
    let (url, _) = serve(move |chat| {
        seen.lock().unwrap().push(chat["messages"].clone());
        left.lock().unwrap().next().map_or_else(|| "nothing more".into(), |answer| headed(&answer))
    });
    let last = project.meliora(&["bench", ".", "--base-url", &url, "--json"]).exits(0).last();
    let sent = sent.lock().unwrap().clone();
    (last, sent)
}

#[test]
fn the_loop_and_its_messages_are_dspys_to_the_byte_and_its_tools_are_run() {
    let answers = vec![
        turn("look_up", json!({"word": "ab", "times": 2})),
        turn("table", json!({})),
        turn("finish", json!({})),
        json!({"reasoning": "It said so.", "answer": "abab"}),
    ];
    let project = project(PROGRAM, &[("look.py", TOOLS)]);
    let (last, sent) = bench(&project, answers.clone());
    assert_eq!(last["score"].as_f64(), Some(1.0), "{last}");
    assert_eq!(sent.len(), 4, "each question once: {sent:?}");
    assert!(said(&json!({ "messages": sent[1] })).contains("[[ ## observation_0 ## ]]\nabab"));

    let python = std::env::var("MELIORA_DSPY_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import dspy"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "{python} has no DSPy");
        eprintln!("skipped: {python} has no DSPy");
        return;
    }
    let source = project.meliora(&["prompt", "export", ".", "--format", "python"]).exits(0).out;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../prompt/tests/dspy/load.py");
    let mut child = Command::new(&python)
        .arg(script)
        .current_dir(project.path("genome"))
        .env("DSPY_CACHEDIR", project.path("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let jobs =
        json!([{"python": source, "state": null, "inputs": {"question": "What is ab twice?"}, "answers": answers}]);
    child.stdin.take().unwrap().write_all(jobs.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "DSPy failed; what it said stands above");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let theirs = told["sent"][0].as_array().unwrap();
    assert_eq!(theirs.len(), sent.len());
    for (i, (ours, theirs)) in sent.iter().zip(theirs).enumerate() {
        assert_eq!(ours, theirs, "call {i}, DSPy {}", told["dspy"]);
    }
}

#[test]
fn a_tool_sees_the_genome_alone_and_whatever_it_does_is_told_to_the_model() {
    let program = PROGRAM
        .replace("name = \"table\"\nfile = \"look.py\"", "name = \"say\"\narguments = \"word\"\nfile = \"say.sh\"");
    let look = "import os\n\n\ndef look_up(word, times):\n    if times == 0:\n        raise KeyError(word)\n    if times == 1:\n        \
                os._exit(3)\n    found = [n for _, folders, files in os.walk('/work') for n in folders + files]\n    return sorted(found)\n";
    let say = "read -r arguments\necho \"heard $arguments\"\n";
    let project = project(&program, &[("look.py", look), ("say.sh", say)]);
    let (last, sent) = bench(
        &project,
        vec![
            turn("look_up", json!({"word": "where", "times": 0})),
            turn("look_up", json!({"word": "x", "times": "many"})),
            turn("look_up", json!({"word": "x", "times": 1})),
            turn("look_up", json!({"word": "x", "times": 2})),
            json!({"reasoning": "The turns are over.", "answer": "abab"}),
        ],
    );
    assert_eq!(last["score"].as_f64(), Some(1.0), "{last}");
    let end = said(&json!({ "messages": sent.last().unwrap() }));
    for part in ["Execution error in look_up: KeyError", "Arg times is invalid", "exit", "look.py"] {
        assert!(end.contains(part), "{part}: {end}");
    }
    assert!(!end.contains("q.jsonl") && !end.contains("suite.toml"), "{end}");

    let (_, sent) = bench(
        &project,
        vec![turn("say", json!({"word": "it's"})), turn("finish", json!({})), json!({"reasoning": "r", "answer": "a"})],
    );
    assert!(said(&json!({ "messages": sent[1] })).contains("heard {\"word\": \"it's\"}"), "{sent:?}");
}

#[test]
fn an_answer_that_names_no_tool_ends_the_turns_and_the_outputs_are_drawn_all_the_same() {
    let project = project(PROGRAM, &[("look.py", TOOLS)]);
    let useless = json!({"next_thought": "?", "next_tool_name": "telephone", "next_tool_args": {}});
    // Once more as JSON, then the end of the turns.
    let (last, sent) = bench(&project, vec![useless.clone(), useless, json!({"reasoning": "r", "answer": "abab"})]);
    assert_eq!((last["score"].as_f64(), sent.len()), (Some(1.0), 3), "{last}");
}
