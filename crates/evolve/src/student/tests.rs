//! Tests of the student, with a model that says what it is told to.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::port::Usage;
use meliora_domain::{Split, Value};
use meliora_prompt::Signature;

/// Answers with the next text each time; what is not there is no answer.
struct Says {
    texts: Vec<Result<&'static str, ModelError>>,
    calls: AtomicU32,
}

impl Says {
    fn these(texts: Vec<Result<&'static str, ModelError>>) -> Self {
        Says { texts, calls: AtomicU32::new(0) }
    }
}

impl Model for Says {
    fn name(&self) -> &str {
        "says"
    }
    fn estimate(&self, chat: &Chat) -> Cost {
        let tokens = chat.messages.iter().map(|m| m.content.len() as u64 / 3).sum::<u64>();
        Cost { tokens: tokens + u64::from(chat.max_tokens), ..Cost::ZERO }
    }
    fn chat(&self, _: &Chat, _: Reservation) -> Result<Reply, ModelError> {
        let at = self.calls.fetch_add(1, Ordering::Relaxed) as usize;
        let text = self.texts.get(at).cloned().unwrap_or(Ok(""))?;
        let usage = Usage { prompt: 10, completion: 5, estimated: false };
        Ok(Reply { text: text.into(), truncated: text.starts_with("cut"), usage, usd: MicroUsd(0), kept: false })
    }
}

fn program(signature: &str) -> Program {
    Program::of(Step::new("s", Module::Predict, Signature::read(signature).unwrap()))
}

fn ask(model: &Says, program: &Program, most: Option<Cost>) -> (Result<Vec<Answered>, StudentError>, Cost) {
    let student = Student::new(model, 0.0, 100, 1, 1);
    let inputs = Fields::from_iter([("q", Value::from("one"))]);
    let question = Question { row: 0, split: Split::Train, inputs: &inputs };
    let purse = Purse::new(most);
    let again = Question { row: 1, split: Split::Validation, ..question };
    let answers = student.answer(program, &[question, again], (0, &NoHands), &purse);
    (answers, purse.spent())
}

#[test]
fn an_answer_is_read_and_the_same_question_is_asked_once() {
    let model = Says::these(vec![Ok("[[ ## a ## ]]\n4")]);
    let (answers, spent) = ask(&model, &program("q -> a: int"), None);
    let answers = answers.unwrap();
    assert_eq!(answers[0].answer, Ok(Fields::from_iter([("a", Value::Int(4))])));
    assert_eq!(answers[1].answer, answers[0].answer);
    assert_eq!((model.calls.into_inner(), spent.tokens), (1, 15));
    assert_eq!(answers[0].trace[0].predictor, "s");
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_for_once_more() {
    let model = Says::these(vec![Ok("four"), Ok("{\"a\": 4}")]);
    let (answers, spent) = ask(&model, &program("q -> a: int"), None);
    assert_eq!(answers.unwrap()[0].answer, Ok(Fields::from_iter([("a", Value::Int(4))])));
    assert_eq!(spent.tokens, 30);

    let model = Says::these(vec![Ok("four"), Ok("five")]);
    let (answers, _) = ask(&model, &program("q -> a: int"), None);
    let answer = &answers.unwrap()[0];
    assert!(matches!(&answer.answer, Err((MarkStatus::Garbled, why)) if why.contains("five")), "{answer:?}");
    assert_eq!((answer.trace[0].said.as_str(), model.calls.into_inner()), ("five", 2));
}

#[test]
fn an_object_instead_of_headings_costs_no_second_call_and_a_cut_off_answer_neither() {
    let model = Says::these(vec![Ok("{\"a\": 4}")]);
    assert!(ask(&model, &program("q -> a: int"), None).0.unwrap()[0].answer.is_ok());
    let model = Says::these(vec![Ok("cut off")]);
    let answer = ask(&model, &program("q -> a: int"), None).0.unwrap()[0].answer.clone();
    assert!(matches!(answer, Err((MarkStatus::Garbled, why)) if why.contains("cut off at 100 tokens")));
    assert_eq!(model.calls.into_inner(), 1);
}

#[test]
fn what_speaks_against_the_machinery_is_no_mark_against_the_prompt() {
    let failed = ModelError::Failed { tries: 3, cause: "busy".into(), spent: Cost { tokens: 7, ..Cost::ZERO } };
    let (answers, spent) = ask(&Says::these(vec![Err(failed.clone()), Err(failed)]), &program("q -> a"), None);
    assert!(matches!(answers.unwrap()[0].answer, Err((MarkStatus::Missing, _))));
    assert_eq!(spent.tokens, 7);
    let down = ModelError::Unreachable { url: "u".into(), cause: "down".into() };
    assert!(ask(&Says::these(vec![Err(down)]), &program("q -> a"), None).0.is_err());
    let long = ModelError::Refused("400: exceeds the context size".into());
    let answers = ask(&Says::these(vec![Err(long)]), &program("q -> a"), None).0.unwrap();
    assert!(matches!(answers[0].answer, Err((MarkStatus::OverLimit, _))));
}

#[test]
fn nothing_is_asked_that_was_not_set_aside() {
    let model = Says::these(Vec::new());
    let most = Some(Cost { tokens: 150, ..Cost::ZERO });
    let (answers, spent) = ask(&model, &program("q -> a"), most);
    assert!(matches!(&answers.unwrap()[0].answer, Err((MarkStatus::OverLimit, why)) if why.contains("150 are left")));
    assert_eq!((model.calls.into_inner(), spent), (0, Cost::ZERO));
}

#[test]
fn a_step_takes_what_earlier_ones_gave() {
    let mut two = program("q -> b");
    two.steps.push(Step::new("t", Module::ChainOfThought, Signature::read("q, b -> c").unwrap()));
    let model = Says::these(vec![Ok("[[ ## b ## ]]\nB"), Ok("[[ ## reasoning ## ]]\nr\n[[ ## c ## ]]\nC")]);
    let answer = ask(&model, &two, None).0.unwrap().remove(0);
    assert_eq!(answer.answer, Ok(Fields::from_iter([("c", Value::from("C"))])), "the reasoning is no output");
    assert_eq!(answer.trace[1].inputs.get("b"), Some(&Value::from("B")));
}

#[test]
fn an_estimate_covers_every_call_that_is_made() {
    let model = Says::these(Vec::new());
    let student = Student::new(&model, 0.0, 100, 1, 1);
    let inputs = Fields::from_iter([("q", Value::from("one"))]);
    let question = Question { row: 0, split: Split::Train, inputs: &inputs };
    let program = program("q -> a");
    let one = model.estimate(&student.chat(program.adapter.ask(&program.predictors()[0], &inputs), 0));
    let most = student.estimate(&program, &[question]);
    assert!(most.tokens >= 2 * (one.tokens + ROOM), "{most:?}");
}
