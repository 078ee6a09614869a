//! Programs as DSPy saves them: the JSON that `Module.save` writes and `Module.load` reads.
//!
//! Such a file holds instructions, descriptions and demos, but neither the names and types of fields nor which go in and
//! which come out: DSPy takes those from its own source. Ours has them as well, where DSPy does not look.

use std::collections::BTreeMap;

use meliora_domain::{Fields, Value};

use crate::file::{skeleton, steps_of};
use crate::program::Predictor;
use crate::signature::{Field, names};
use crate::{Adapter, FieldType, Module, Program, PromptError, Signature, Step, python};

/// What an import brought.
#[derive(Clone, PartialEq, Debug)]
pub struct Imported {
    /// The program.
    pub program: Program,
    /// What had to be assumed or left out, a sentence each.
    pub notes: Vec<String>,
}

/// The name of a predictor in DSPy's file: that within the program, or, of a program of one step, within its module.
/// Empty for a lone `Predict`, whose file is its own state.
fn key<'a>(program: &Program, step: &Step, predictor: &'a Predictor) -> &'a str {
    match program.steps.len() {
        1 => predictor.name[step.name.len()..].trim_start_matches('.'),
        _ => &predictor.name,
    }
}

/// The program as DSPy saves one. A program of one step is that module; of several, a module with one attribute a step.
///
/// # Errors
/// If it has the adapter `plain`, which DSPy does not have.
pub fn save(program: &Program) -> Result<String, PromptError> {
    if program.adapter == Adapter::Plain {
        return Err(PromptError::new(
            "DSPy has no way to say a plain prompt as it stands",
            "export it as text, markdown, promptfoo or python, or make a program.toml of it with a signature",
        ));
    }
    let mut file = Fields::new();
    for step in &program.steps {
        for predictor in step.predictors() {
            match key(program, step, &predictor) {
                "" => state(&predictor).iter().for_each(|(name, value)| file.set(name, value.clone())),
                key => file.set(key, Value::Map(state(&predictor))),
            }
        }
    }
    let ours = skeleton(program);
    let metadata = [("dependency_versions", Value::Map(Fields::new())), ("meliora", ours)];
    file.set("metadata", Value::Map(Fields::from_iter(metadata)));
    Ok(python::json(&Value::Map(file), Some(2)) + "\n")
}

fn state(predictor: &Predictor) -> Fields {
    let none = || Value::List(Vec::new());
    let demos = predictor.demos.iter().cloned().map(Value::Map).collect();
    let fields = predictor.signature.fields().map(|field| {
        let told = [("prefix", Value::Text(prefix(&field.name))), ("description", Value::Text(description(field)))];
        Value::Map(Fields::from_iter(told))
    });
    let signature =
        [("instructions", Value::Text(instructions(&predictor.signature))), ("fields", Value::List(fields.collect()))];
    Fields::from_iter([
        ("traces", none()),
        ("train", none()),
        ("demos", Value::List(demos)),
        ("signature", Value::Map(Fields::from_iter(signature))),
        ("lm", Value::Null),
    ])
}

/// As DSPy keeps them: it cleans them when it reads them.
fn instructions(signature: &Signature) -> String {
    match signature.instructions.as_str() {
        "" => signature.instructions(),
        text => text.to_owned(),
    }
}

fn description(field: &Field) -> String {
    match field.description.as_str() {
        "" => format!("${{{}}}", field.name),
        text => text.to_owned(),
    }
}

/// What DSPy calls a field before the reader, after its name: `relevantText2` is `Relevant Text 2:`.
fn prefix(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (i, c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(i + 1);
        let parts = before.is_some_and(|before| {
            let hump = c.is_ascii_uppercase()
                && (after.is_some_and(char::is_ascii_lowercase)
                    || before.is_ascii_lowercase()
                    || before.is_ascii_digit());
            let number = before.is_ascii_alphabetic() && c.is_ascii_digit();
            let unit = before.is_ascii_digit() && c.is_ascii_alphabetic();
            before != '_' && (hump || number || unit)
        });
        if parts {
            text.push('_');
        }
        text.push(*c);
    }
    let word = |word: &str| {
        if word.chars().any(char::is_alphabetic) && word == word.to_uppercase() {
            return word.to_owned();
        }
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + &letters.as_str().to_lowercase()
        })
    };
    text.split('_').map(word).collect::<Vec<_>>().join(" ") + ":"
}

/// Reads what DSPy (2.6 or later) or [`save`] has saved. Names, types and sides of fields are those of `like`, if a
/// program is given, else those that the file says itself, else those of `signatures` (by step; of a lone module, by the
/// empty name), else assumed, and then told in the notes.
///
/// # Errors
/// If it is no such file, or what it leaves open cannot be assumed.
pub fn load(
    text: &str,
    like: Option<&Program>,
    signatures: &BTreeMap<String, Signature>,
) -> Result<Imported, PromptError> {
    let file = match serde_json::from_str(text) {
        Ok(Value::Map(file)) => file,
        Ok(other) => return Err(no_state(&format!("it is {}", other.kind()))),
        Err(e) => return Err(no_state(&e.to_string())),
    };
    let states = states(&file)?;
    let mut notes = Vec::new();
    let mut program = match (like, ours(&file)?) {
        (Some(like), _) => like.clone(),
        (None, Some(ours)) => ours,
        (None, None) => assumed(&states, signatures, &mut notes)?,
    };
    for step in &mut program.steps {
        step.demos.clear();
        step.extract_demos.clear();
    }
    fill(&mut program, &states, &mut notes)?;
    program.check()?;
    Ok(Imported { program, notes })
}

fn no_state(why: &str) -> PromptError {
    PromptError::new(
        format!("this is no program that DSPy saved: {why}"),
        "save it with `program.save(\"program.json\")`; a file .pkl cannot be read, and should not be",
    )
}

/// The states of predictors by their names in the file, in order.
fn states(file: &Fields) -> Result<Vec<(&str, &Fields)>, PromptError> {
    let is_state =
        |fields: &Fields| fields.get("signature").is_some() || fields.get("signature_instructions").is_some();
    if is_state(file) {
        return Ok(vec![("", file)]);
    }
    let states: Vec<(&str, &Fields)> = file
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Map(fields) if is_state(fields) => Some((name, fields)),
            _ => None,
        })
        .collect();
    if states.is_empty() { Err(no_state("no part of it has a signature")) } else { Ok(states) }
}

/// The program without its demos, where the file is ours.
fn ours(file: &Fields) -> Result<Option<Program>, PromptError> {
    let Some(Value::Map(metadata)) = file.get("metadata") else { return Ok(None) };
    metadata.get("meliora").map(steps_of).transpose()
}

/// Instructions and fields of a state.
struct Told<'a> {
    instructions: &'a str,
    /// Prefix and description of each field.
    fields: Vec<(&'a str, &'a str)>,
    demos: Vec<Fields>,
}

fn told<'a>(key: &str, state: &'a Fields) -> Result<Told<'a>, PromptError> {
    let of = if key.is_empty() { "the module".to_owned() } else { format!("'{key}'") };
    // Up to 2.5 the signature of a chain of thought stood apart.
    let signature = match state.get("extended_signature").or_else(|| state.get("signature")) {
        Some(Value::Map(signature)) => signature,
        _ => {
            return Err(PromptError::new(
                format!("the state of {of} is of a DSPy before 2.5"),
                "load it with the DSPy that saved it, and save it again with a newer one",
            ));
        }
    };
    let text = |fields: &'a Fields, name: &str| fields.get(name).and_then(Value::as_text);
    let broken = |what: &str| no_state(&format!("the signature of {of} has no {what}"));
    let instructions = text(signature, "instructions").ok_or_else(|| broken("instructions"))?;
    let Some(Value::List(listed)) = signature.get("fields") else { return Err(broken("fields")) };
    let mut fields = Vec::new();
    for field in listed {
        let Value::Map(field) = field else { return Err(broken("fields that can be read")) };
        let prefix = text(field, "prefix").ok_or_else(|| broken("prefix of a field"))?;
        fields.push((prefix, text(field, "description").or_else(|| text(field, "desc")).unwrap_or_default()));
    }
    let demos = match state.get("demos") {
        Some(Value::List(demos)) => {
            demos.iter().filter_map(|demo| if let Value::Map(d) = demo { Some(d.clone()) } else { None })
        }
        _ => return Err(no_state(&format!("the state of {of} has no demos"))),
    };
    Ok(Told { instructions, fields, demos: demos.collect() })
}

/// Puts what the states say into a program whose fields are known.
fn fill(program: &mut Program, states: &[(&str, &Fields)], notes: &mut Vec<String>) -> Result<(), PromptError> {
    let shape = program.clone();
    let mut used: Vec<String> = Vec::new();
    for (step, old) in program.steps.iter_mut().zip(&shape.steps) {
        for (turn, predictor) in old.predictors().iter().enumerate() {
            let key = key(&shape, old, predictor);
            let Some((_, state)) = states.iter().find(|(name, _)| *name == key) else {
                let there: Vec<&str> = states.iter().map(|(name, _)| *name).collect();
                return Err(PromptError::new(
                    format!("the file has no predictor '{key}', which the step '{}' needs", old.name),
                    format!("it has: {}", there.join(", ")),
                ));
            };
            used.push(key.to_owned());
            let said = told(key, state)?;
            let count = predictor.signature.fields().count();
            if said.fields.len() != count {
                return Err(PromptError::new(
                    format!("'{key}' has {} fields in the file, and {count} by its signature", said.fields.len()),
                    "give the signature that the program had in DSPy",
                ));
            }
            // The turns of a react step say what the tools and the signature make of them.
            let of_tools = matches!(old.module, Module::React { .. }) && turn == 0;
            let ours = instructions(&predictor.signature);
            if said.instructions != ours && said.instructions != predictor.signature.instructions() {
                if of_tools {
                    notes.push(format!("the instructions of '{key}' were changed; ours follow from the step's own, so they are left out"));
                } else {
                    step.signature.instructions = said.instructions.to_owned();
                }
            }
            for (field, (_, said)) in predictor.signature.fields().zip(&said.fields) {
                if *said == description(field) {
                    continue;
                }
                let said = if *said == format!("${{{}}}", field.name) { "" } else { said };
                match step.signature.field_mut(&field.name) {
                    Some(field) => field.description = said.to_owned(),
                    None => notes.push(format!(
                        "'{key}' describes '{}' anew, which the module makes itself; left out",
                        field.name
                    )),
                }
            }
            if of_tools || turn == 0 {
                step.demos = said.demos;
            } else {
                step.extract_demos = said.demos;
            }
            if let Some(Value::Map(lm)) = state.get("lm") {
                let model = lm.get("model").and_then(Value::as_text).unwrap_or("a model of its own");
                notes.push(format!("'{key}' was saved with {model}; which model is asked is said in [model]"));
            }
        }
    }
    for (name, _) in states.iter().filter(|(name, _)| !used.iter().any(|u| u == name)) {
        notes.push(format!("the file's '{name}' has no place in the program; left out"));
    }
    Ok(())
}

/// A program for states that nothing else says the fields of.
fn assumed(
    states: &[(&str, &Fields)],
    signatures: &BTreeMap<String, Signature>,
    notes: &mut Vec<String>,
) -> Result<Program, PromptError> {
    let mut steps = Vec::new();
    for (key, state) in states {
        let said = told(key, state)?;
        let last = key.rsplit('.').next().unwrap_or_default();
        if matches!(last, "react" | "extract") || key.ends_with("extract.predict") {
            return Err(PromptError::new(
                format!("'{key}' is of a ReAct module, whose tools are not in the file"),
                "give a program with the same steps and its tools, with --program",
            ));
        }
        let (module, name) = match (last, key.strip_suffix("predict")) {
            ("predict", Some(before)) if has_reasoning(&said) => (Module::ChainOfThought, before.trim_end_matches('.')),
            _ => (Module::Predict, *key),
        };
        let signature = match signatures.get(name) {
            Some(signature) => signature.clone(),
            None => guess(name, &module, &said, notes)?,
        };
        let name = if name.is_empty() { "answer" } else { name };
        steps.push(Step::new(name, module, signature));
    }
    Ok(Program { adapter: Adapter::Chat, steps })
}

fn has_reasoning(said: &Told<'_>) -> bool {
    said.fields.iter().any(|(prefix, description)| *description == "${reasoning}" || prefix.starts_with("Reasoning:"))
}

/// Names by descriptions that were never given, by the instructions that DSPy writes where nobody did, by demos with a
/// name of this prefix, or by the prefix itself. What comes out stands after the reasoning, is named by those
/// instructions, or is the last field.
fn guess(name: &str, module: &Module, said: &Told<'_>, notes: &mut Vec<String>) -> Result<Signature, PromptError> {
    let of = if name.is_empty() { "the module".to_owned() } else { format!("'{name}'") };
    let written = by_default(said.instructions);
    let mut fields = Vec::new();
    for (at, (prefix_said, description)) in said.fields.iter().enumerate() {
        let unspoken = description.strip_prefix("${").and_then(|d| d.strip_suffix('}'));
        let in_demos =
            || said.demos.iter().flat_map(Fields::iter).map(|(name, _)| name).find(|name| prefix(name) == *prefix_said);
        let known = unspoken.or_else(|| written.as_ref()?.0.get(at).copied()).or_else(in_demos);
        let field_name = match known {
            Some(name) => name.to_owned(),
            None => {
                let made = prefix_said.trim_end_matches(':').trim().to_lowercase().replace([' ', '-'], "_");
                notes.push(format!("a field of {of} is called '{made}', after its prefix '{prefix_said}'"));
                made
            }
        };
        let description = if unspoken == Some(&*field_name) { "" } else { description };
        let of_type = type_in(&said.demos, &field_name);
        if of_type != FieldType::Text {
            notes.push(format!("'{field_name}' of {of} is taken for {of_type}, as in its demos"));
        }
        fields.push(Field { name: field_name, of_type, description: description.to_owned() });
    }
    let reasoning =
        (*module == Module::ChainOfThought).then(|| fields.iter().position(|f| f.name == "reasoning")).flatten();
    let inputs = match (reasoning, &written) {
        (Some(at), _) => {
            fields.remove(at);
            at
        }
        (None, Some((_, inputs))) => *inputs,
        (None, None) => {
            let output = fields.last().map(|f| f.name.clone()).unwrap_or_default();
            notes.push(format!("which fields of {of} come out is not in the file: '{output}' alone is taken for it"));
            fields.len().saturating_sub(1)
        }
    };
    let outputs = fields.split_off(inputs.min(fields.len()));
    let mut signature = Signature { instructions: said.instructions.to_owned(), inputs: fields, outputs };
    let plain =
        format!("Given the fields {}, produce the fields {}.", names(&signature.inputs), names(&signature.outputs));
    if signature.instructions == plain {
        signature.instructions.clear();
    }
    let told = |e: PromptError| {
        PromptError::new(
            format!("the fields of {of} cannot be told: {}", e.what),
            "give its signature with --signature, or a program with --program",
        )
    };
    // Names that are none show here.
    Signature::read(&signature.to_string()).map_err(told)?;
    Ok(signature)
}

/// The fields named by the instructions that DSPy writes where nobody did, and how many of them go in.
fn by_default(instructions: &str) -> Option<(Vec<&str>, usize)> {
    let (inputs, outputs) =
        instructions.strip_prefix("Given the fields ")?.strip_suffix('.')?.split_once(", produce the fields ")?;
    let (mut inputs, outputs) = (names_of(inputs)?, names_of(outputs)?);
    let count = inputs.len();
    inputs.extend(outputs);
    Some((inputs, count))
}

fn names_of(side: &str) -> Option<Vec<&str>> {
    side.split(", ").map(|name| name.strip_prefix('`')?.strip_suffix('`')).collect()
}

/// The type that all demos show of a field; a text where they differ or there are none.
fn type_in(demos: &[Fields], name: &str) -> FieldType {
    let of = |value: &Value| match value {
        Value::Bool(_) => FieldType::Bool,
        Value::Int(_) => FieldType::Int,
        Value::Float(_) => FieldType::Float,
        Value::List(_) => FieldType::List(None),
        Value::Map(_) => FieldType::Dict(None),
        Value::Text(_) | Value::Null => FieldType::Text,
    };
    let mut types = demos.iter().filter_map(|demo| demo.get(name)).filter(|value| **value != Value::Null).map(of);
    let first = types.next().unwrap_or(FieldType::Text);
    if types.all(|other| other == first) { first } else { FieldType::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_made_of_names_as_dspy_makes_them() {
        for (name, made) in [
            ("question", "Question:"),
            ("camelCaseText", "Camel Case Text:"),
            ("snake_case_text", "Snake Case Text:"),
            ("text2number", "Text 2 Number:"),
            ("HTMLParser", "HTML Parser:"),
        ] {
            assert_eq!(prefix(name), made);
        }
    }
}
