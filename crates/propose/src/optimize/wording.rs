//! The words in which models are asked for better instructions, and how their answers are read.

use meliora_domain::{Example, Fields, Value};
use meliora_evolve::Brief;
use meliora_prompt::{Program, shown};

/// Longest text of a value that is shown, in characters.
const VALUE: usize = 1200;
/// A train row's text that is at least so long may not stand in instructions as it is.
const COPIED: usize = 60;

/// What a step is asked to do, and with which fields.
pub(super) fn task(brief: &Brief<'_>, program: &Program, step: usize) -> String {
    let mut out = String::new();
    if !brief.goal.is_empty() {
        out += &format!("The task: {}\n\n", brief.goal);
    }
    let Some(step) = program.steps.get(step) else { return out };
    if program.adapter != meliora_prompt::Adapter::Plain {
        let list = |fields: &[meliora_prompt::Field]| {
            let names = fields.iter().map(|f| format!("{} ({})", f.name, f.of_type));
            names.collect::<Vec<_>>().join(", ")
        };
        out += &format!(
            "The instructions belong to the step '{}', which is given {} and has to give {}. The form of the answer is \
             told to it separately.\n\n",
            step.name,
            list(&step.signature.inputs),
            list(&step.signature.outputs)
        );
    }
    out + &format!("The instructions now:\n<instructions>\n{}\n</instructions>\n\n", step.signature.instructions())
}

/// What was made of some rows by a step: inputs, answer, what was expected and what was wrong.
pub(super) fn rows(examples: &[&Example], step: Option<&str>) -> String {
    let mut out = String::new();
    for (i, example) in examples.iter().enumerate() {
        out += &format!("Example {}\n", i + 1);
        let call = step.and_then(|step| {
            example
                .trace
                .iter()
                .find(|c| c.predictor == step || c.predictor.strip_prefix(step).is_some_and(|r| r.starts_with('.')))
        });
        let inputs = call.map_or(&example.inputs, |call| &call.inputs);
        out += &fields(inputs);
        match call {
            Some(call) if !call.outputs.is_empty() => out += &format!("It answered:\n{}", fields(&call.outputs)),
            Some(call) => out += &format!("It answered, in no readable form:\n{}\n", clip(&call.said)),
            None => out += "It gave no answer.\n",
        }
        out += &format!("Expected: {}\n", clip(&shown(&example.expected)));
        let verdict = if example.score >= 1.0 { "right" } else { "wrong" };
        let detail = if example.score >= 1.0 { String::new() } else { format!(": {}", clip(&example.detail)) };
        out += &format!("That is {verdict}{detail}\n\n");
    }
    out
}

fn fields(fields: &Fields) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {}\n", clip(&shown(value)))).collect()
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(VALUE) {
        Some((at, _)) => format!("{} (…)", &text[..at]),
        None => text.to_owned(),
    }
}

/// What was tried and did not help, the newest few.
pub(super) fn attempts(brief: &Brief<'_>, most: usize) -> String {
    let tried: Vec<String> = brief
        .attempts
        .iter()
        .rev()
        .take(most)
        .filter(|a| !a.reason.is_empty())
        .map(|a| format!("- {} ({})\n", clip(&a.reason), clip(&a.outcome)))
        .collect();
    if tried.is_empty() { String::new() } else { format!("Tried before, without success:\n{}\n", tried.concat()) }
}

/// How the answer is to look.
pub(super) const FORM: &str = "Write better instructions for the same task. Say what to do, what to watch out for, and in \
    which form to answer. They have to help with other inputs of the same kind, so do not repeat the examples. Answer with \
    the new instructions alone, between <instructions> and </instructions>.";

/// The instructions in an answer; `Err` says why there are none.
pub(super) fn read(answer: &str, old: &str, examples: &[Example], places: &[&str]) -> Result<String, String> {
    let inside = |text: &str| {
        let (_, rest) = text.split_once("<instructions>")?;
        let end = rest.find("</instructions>").unwrap_or(rest.len());
        Some(rest[..end].trim().to_owned())
    };
    let fenced = |text: &str| {
        let (_, rest) = text.split_once("```")?;
        let (_, rest) = rest.split_once('\n')?;
        rest.split_once("```").map(|(code, _)| code.trim().to_owned())
    };
    let new =
        inside(answer).or_else(|| fenced(answer)).ok_or("the answer holds no instructions between their marks")?;
    if new.is_empty() {
        return Err("the instructions in the answer are empty".into());
    }
    if new == old.trim() {
        return Err("the answer changes nothing".into());
    }
    if let Some(place) = places.iter().find(|place| old.contains(**place) && !new.contains(**place)) {
        return Err(format!("the new prompt has no place {place} any more"));
    }
    if repeats(&new) {
        return Err("the answer repeats itself".into());
    }
    if examples.iter().any(|example| copies(&new, example)) {
        return Err("the new instructions copy a train row".into());
    }
    Ok(new)
}

/// Whether a line of some length stands in a text more than four times.
fn repeats(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.len() >= 12).collect();
    lines.iter().any(|line| lines.iter().filter(|other| *other == line).count() > 4)
}

fn copies(text: &str, example: &Example) -> bool {
    let long = |value: &Value| {
        let shown = shown(value);
        shown.chars().count() >= COPIED && text.contains(shown.trim())
    };
    example.inputs.iter().any(|(_, value)| long(value)) || long(&example.expected)
}
