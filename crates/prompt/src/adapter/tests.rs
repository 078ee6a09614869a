//! Tests of how programs are said and answers are read.

use super::*;
use crate::{Module, Program, Step};

fn text(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| (*name, Value::from(*value))).collect()
}

#[test]
fn a_plain_prompt_stands_before_its_input_or_holds_it() {
    let ask = |prompt: &str, names: &[&str], inputs: &Fields| {
        let program = Program::plain(prompt, names);
        Adapter::Plain.ask(&program.predictors()[0], inputs)
    };
    let one = text(&[("input", "x = = 1")]);
    assert_eq!(
        ask("Fix it.", &["input"], &one),
        [Message::new(Role::System, "Fix it."), Message::new(Role::User, "x = = 1")]
    );
    let two = text(&[("a", "{b}"), ("b", "2")]);
    assert_eq!(ask("{a} and {b} {c}", &["a", "b"], &two), [Message::new(Role::User, "{b} and 2 {c}")]);
    assert_eq!(ask("Add.", &["a", "b"], &two)[1].content, "a: {b}\nb: 2");
}

#[test]
fn an_answer_under_headings_is_read_by_type() {
    let signature = Signature::read("q -> a: int, b").unwrap();
    let said = "Sure.\n[[ ## a ## ]]\n41\n[[ ## b ## ]] yes\n[[ ## completed ## ]]";
    let fields = Adapter::Chat.read(&signature, said).unwrap();
    assert_eq!(fields, Fields::from_iter([("a", Value::Int(41)), ("b", Value::from("yes"))]));
    let error = Adapter::Chat.read(&signature, "[[ ## a ## ]]\nmany\n[[ ## b ## ]]\nx").unwrap_err();
    assert!(error.contains("the field 'a'"), "{error}");
    assert!(Adapter::Chat.read(&signature, "  ").unwrap_err().contains("empty"));
}

#[test]
fn reasoning_is_asked_for_first() {
    let step = Step::new("s", Module::ChainOfThought, Signature::read("q -> a").unwrap());
    let messages = Adapter::Chat.ask(&step.predictors()[0], &text(&[("q", "?")]));
    assert!(messages[1].content.contains("starting with the field `[[ ## reasoning ## ]]`, then `[[ ## a ## ]]`"));
}
