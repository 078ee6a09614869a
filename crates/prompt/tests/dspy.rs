//! Held against what DSPy itself says and reads: `dspy/cases.json` was written by DSPy 3.4.1 (`dspy/cases.py`).
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;

use meliora_domain::{Fields, Message, Value};
use meliora_prompt::{Adapter, FieldType, Module, Signature, Step, Tool};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    said: Vec<Said>,
    read: Vec<Read>,
}

#[derive(Deserialize)]
struct Said {
    signature: String,
    #[serde(default)]
    instructions: String,
    #[serde(default)]
    module: String,
    #[serde(default)]
    descriptions: HashMap<String, String>,
    inputs: Fields,
    demos: Vec<Fields>,
    chat: Vec<Message>,
    json: Vec<Message>,
}

#[derive(Deserialize)]
struct Read {
    signature: String,
    text: String,
    fields: Option<Fields>,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("dspy/cases.json")).unwrap()
}

#[test]
fn every_message_is_equal_to_dspys_to_the_byte() {
    let mut turn: HashMap<String, usize> = HashMap::new();
    for case in cases().said {
        let mut signature = Signature::read(&case.signature).unwrap();
        signature.instructions.clone_from(&case.instructions);
        for (name, text) in &case.descriptions {
            signature.field_mut(name).unwrap().description.clone_from(text);
        }
        let module = match case.module.as_str() {
            "chain_of_thought" => Module::ChainOfThought,
            "react" => {
                let tool = Tool {
                    name: "look_up".into(),
                    description: "Looks a word up.\n    Slowly.".into(),
                    arguments: vec![("word".into(), FieldType::Text), ("times".into(), FieldType::Int)],
                    file: "tools.py".into(),
                };
                Module::React { tools: vec![tool], turns: 5 }
            }
            _ => Module::Predict,
        };
        let mut step = Step::new("step", module, signature);
        step.demos.clone_from(&case.demos);
        // A react step has two predictors, one case each.
        let at = turn.entry(format!("{}{}{}", case.signature, case.module, case.inputs.len())).or_default();
        let predictors = step.predictors();
        let predictor = &predictors[if predictors.len() > 1 { *at } else { 0 }];
        *at += 1;
        assert_eq!(Adapter::Chat.ask(predictor, &case.inputs), case.chat, "{}", case.signature);
        assert_eq!(Adapter::Json.ask(predictor, &case.inputs), case.json, "{}", case.signature);
    }
}

#[test]
fn every_answer_is_read_as_dspy_reads_it() {
    for case in cases().read {
        let signature = Signature::read(&case.signature).unwrap();
        let read = Adapter::Chat.read(&signature, &case.text);
        match case.fields {
            None => assert!(read.is_err(), "{:?}", case.text),
            Some(fields) => assert_eq!(read, Ok(fields), "{:?}", case.text),
        }
    }
}

#[test]
fn an_object_in_an_answer_is_read_whatever_stands_around_it() {
    let signature = Signature::read("q -> a: int, b").unwrap();
    let read = Adapter::Json.read(&signature, "Here you are:\n```json\n{\"b\": 7, \"a\": \"3\", \"c\": null}\n```\n");
    assert_eq!(read, Ok(Fields::from_iter([("a", Value::Int(3)), ("b", Value::from("7"))])));
    assert!(Adapter::Json.read(&signature, "{\"a\": 1}").is_err(), "b is missing");
}
