//! How a signature, its demos and its inputs are said to a chat model, and how its answer is read.
//!
//! `chat` and `json` are DSPy's `ChatAdapter` and `JSONAdapter`, equal to the byte. `plain` is the prompt alone.

use meliora_domain::{Fields, Message, Role, Value};
use serde::{Deserialize, Serialize};

use crate::program::Predictor;
use crate::signature::Field;
use crate::{FieldType, Signature, loose, python};

/// How a model is asked and answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adapter {
    /// Fields under headings, `[[ ## name ## ]]`.
    #[default]
    Chat,
    /// Inputs under headings, outputs as one JSON object.
    Json,
    /// The instructions as they stand, with `{name}` where an input goes; the answer as it comes.
    Plain,
}

const PARTIAL: &str = "This is an example of the task, though some input or output fields are not supplied.";
const NOT_SUPPLIED: &str = "Not supplied for this particular example. ";
const OVERVIEW: &str =
    "All interactions will be structured in the following way, with the appropriate values filled in.";

impl Adapter {
    /// The messages that ask for a predictor's outputs. Inputs that are missing are left out.
    pub fn ask(self, predictor: &Predictor, inputs: &Fields) -> Vec<Message> {
        if self == Adapter::Plain {
            return plain(predictor, inputs);
        }
        let signature = &predictor.signature;
        let mut messages = vec![Message::new(Role::System, self.system(signature))];
        for (demo, complete) in shown(signature, &predictor.demos) {
            let (prefix, missing) = if complete { ("", "") } else { (PARTIAL, NOT_SUPPLIED) };
            messages.push(Message::new(Role::User, self.user(signature, demo, prefix, false)));
            messages.push(Message::new(Role::Assistant, self.assistant(signature, demo, missing)));
        }
        messages.push(Message::new(Role::User, self.user(signature, inputs, "", true)));
        messages
    }

    /// Reads the outputs from an answer.
    ///
    /// # Errors
    /// Says which field is missing or not of its type.
    pub fn read(self, signature: &Signature, answer: &str) -> Result<Fields, String> {
        if answer.trim().is_empty() {
            return Err("the answer is empty".into());
        }
        match self {
            Adapter::Plain => {
                let Some(field) = signature.outputs.first() else { return Ok(Fields::new()) };
                let answer = python::strip(answer);
                let value = match field.of_type {
                    FieldType::Text => Value::from(answer),
                    _ => field.of_type.parse(answer)?,
                };
                Ok(Fields::from_iter([(field.name.as_str(), value)]))
            }
            Adapter::Chat => finish(signature, |field| {
                let text = sections(answer).into_iter().find(|(name, _)| *name == field.name)?.1;
                Some(field.of_type.parse(&text))
            }),
            Adapter::Json => {
                let object = loose::object(answer).ok_or("the answer holds no JSON object")?;
                finish(signature, |field| {
                    let value = object.get(&field.name)?.clone();
                    Some(match (&field.of_type, value) {
                        (FieldType::Text, Value::Text(text)) => Ok(Value::Text(text)),
                        (FieldType::Text, value) => Ok(Value::Text(python::text(&value))),
                        (of_type, Value::Text(text)) => of_type.parse(&text),
                        (of_type, value) => of_type.fit(value),
                    })
                })
            }
        }
    }

    fn system(self, signature: &Signature) -> String {
        format!("{}\n{}\n{}", described(signature), self.structure(signature), objective(signature))
    }

    fn structure(self, signature: &Signature) -> String {
        let form = |field: &Field, note: &str| {
            let note =
                if note.is_empty() { String::new() } else { format!("        # note: the value you produce {note}") };
            format!("{{{}}}{note}", field.name)
        };
        let inputs = headed(signature.inputs.iter().map(|f| (f, form(f, ""))));
        let outputs = signature.outputs.iter().map(|f| (f, form(f, &f.of_type.demand())));
        let parts = match self {
            Adapter::Json => {
                let object: Fields = outputs.map(|(f, text)| (f.name.as_str(), Value::Text(text))).collect();
                vec![
                    OVERVIEW.to_owned(),
                    "Inputs will have the following structure:".to_owned(),
                    inputs,
                    "Outputs will be a JSON object with the following fields.".to_owned(),
                    python::json(&Value::Map(object), Some(2)),
                ]
            }
            _ => vec![OVERVIEW.to_owned(), inputs, headed(outputs), "[[ ## completed ## ]]\n".to_owned()],
        };
        python::strip(&parts.join("\n\n")).to_owned()
    }

    fn user(self, signature: &Signature, values: &Fields, prefix: &str, asks: bool) -> String {
        let mut parts = vec![prefix.to_owned()];
        for field in &signature.inputs {
            if let Some(value) = values.get(&field.name) {
                parts.push(format!("[[ ## {} ## ]]\n{}", field.name, shown_value(field, value)));
            }
        }
        if asks {
            parts.push(self.reminder(signature));
        }
        parts.push(String::new());
        python::strip(&parts.join("\n\n")).to_owned()
    }

    fn reminder(self, signature: &Signature) -> String {
        let wanted = signature.outputs.iter().map(|field| {
            let of_type = match field.of_type {
                FieldType::Text => String::new(),
                _ => format!(" (must be formatted as a valid Python {})", field.of_type.name()),
            };
            match self {
                Adapter::Json => format!("`{}`{of_type}", field.name),
                _ => format!("`[[ ## {} ## ]]`{of_type}", field.name),
            }
        });
        let wanted = wanted.collect::<Vec<_>>().join(", then ");
        match self {
            Adapter::Json => format!("Respond with a JSON object in the following order of fields: {wanted}."),
            _ => format!(
                "Respond with the corresponding output fields, starting with the field {wanted}, and then ending with the \
                 marker for `[[ ## completed ## ]]`."
            ),
        }
    }

    /// What the model answered, as it should have been written.
    pub fn assistant(self, signature: &Signature, values: &Fields, missing: &str) -> String {
        let missing = Value::from(missing);
        let value = |field: &Field| values.get(&field.name).cloned().unwrap_or_else(|| missing.clone());
        match self {
            Adapter::Json => {
                let object: Fields = signature.outputs.iter().map(|f| (f.name.as_str(), value(f))).collect();
                python::json(&Value::Map(object), Some(2))
            }
            _ => {
                let outputs = signature.outputs.iter().map(|f| (f, shown_value(f, &value(f))));
                format!("{}\n\n[[ ## completed ## ]]\n", headed(outputs))
            }
        }
    }
}

/// The fields with their types and descriptions.
fn described(signature: &Signature) -> String {
    let list = |fields: &[Field]| {
        let lines = fields
            .iter()
            .enumerate()
            .map(|(i, field)| format!("{}. `{}` ({}): {}", i + 1, field.name, field.of_type.name(), field.description));
        python::strip(&lines.collect::<Vec<_>>().join("\n")).to_owned()
    };
    format!(
        "Your input fields are:\n{}\nYour output fields are:\n{}",
        list(&signature.inputs),
        list(&signature.outputs)
    )
}

fn objective(signature: &Signature) -> String {
    let instructions = python::without_blank_space(&signature.instructions());
    let lines: String = python::lines(&instructions).iter().map(|line| format!("\n        {line}")).collect();
    format!("In adhering to this structure, your objective is: {lines}")
}

/// Values under the headings of their fields.
fn headed<'a>(values: impl Iterator<Item = (&'a Field, String)>) -> String {
    let parts: Vec<String> = values.map(|(field, value)| format!("[[ ## {} ## ]]\n{value}", field.name)).collect();
    python::strip(&parts.join("\n\n")).to_owned()
}

/// A value as a model reads it: a list in a field for texts is numbered.
pub(crate) fn shown_value(field: &Field, value: &Value) -> String {
    match (&field.of_type, value) {
        (FieldType::Text, Value::List(items)) => numbered(items),
        _ => python::text(value),
    }
}

fn numbered(items: &[Value]) -> String {
    let blob = |item: &Value| {
        // As Python's `str` has it, which is not how values stand in fields of their own.
        let text = match item {
            Value::Text(text) => text.clone(),
            other => python::repr(other),
        };
        match text.contains(['\n', '«', '»']) {
            true => format!("«««\n    {}\n»»»", text.replace('\n', "\n    ")),
            false => format!("«{text}»"),
        }
    };
    match items {
        [] => "N/A".to_owned(),
        [only] => blob(only),
        _ => {
            let lines = items.iter().enumerate().map(|(i, item)| format!("[{}] {}", i + 1, blob(item)));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// The demos that can be shown, those that lack something first; whether each is complete.
fn shown<'a>(signature: &Signature, demos: &'a [Fields]) -> Vec<(&'a Fields, bool)> {
    let complete = |demo: &Fields| signature.fields().all(|f| demo.get(&f.name).is_some_and(|v| *v != Value::Null));
    let has = |demo: &Fields, fields: &[Field]| fields.iter().any(|f| demo.get(&f.name).is_some());
    let usable = |demo: &Fields| has(demo, &signature.inputs) && has(demo, &signature.outputs);
    let partial = demos.iter().filter(|demo| !complete(demo) && usable(demo)).map(|demo| (demo, false));
    partial.chain(demos.iter().filter(|demo| complete(demo)).map(|demo| (demo, true))).collect()
}

/// What stands under each heading of an answer.
fn sections(answer: &str) -> Vec<(&str, String)> {
    let mut sections: Vec<(&str, Vec<&str>)> = vec![("", Vec::new())];
    for line in python::lines(answer) {
        match heading(python::strip(line)) {
            Some((name, rest)) => sections.push((name, Some(rest).filter(|r| !r.is_empty()).into_iter().collect())),
            None => {
                if let Some((_, lines)) = sections.last_mut() {
                    lines.push(line);
                }
            }
        }
    }
    sections.into_iter().map(|(name, lines)| (name, python::strip(&lines.join("\n")).to_owned())).collect()
}

/// The name in a heading and what follows it on its line.
fn heading(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("[[ ## ")?.split_once(" ## ]]")?;
    let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    word.then(|| (name, python::strip(rest)))
}

/// Gathers the outputs in order. What may be nothing and is missing is nothing.
fn finish(
    signature: &Signature,
    mut find: impl FnMut(&Field) -> Option<Result<Value, String>>,
) -> Result<Fields, String> {
    let mut found = Fields::new();
    for field in &signature.outputs {
        let value = match find(field) {
            Some(value) => value.map_err(|why| format!("the field '{}': {why}", field.name))?,
            None if matches!(field.of_type, FieldType::Optional(_)) => Value::Null,
            None => return Err(format!("the answer lacks the field '{}'", field.name)),
        };
        found.set(field.name.as_str(), value);
    }
    Ok(found)
}

/// The prompt alone. Where it names no input in braces, it stands as system prompt before the inputs.
fn plain(predictor: &Predictor, inputs: &Fields) -> Vec<Message> {
    let signature = &predictor.signature;
    let prompt = signature.instructions();
    let place = |field: &Field| format!("{{{}}}", field.name);
    if signature.inputs.iter().any(|field| prompt.contains(&place(field))) {
        return vec![Message::new(Role::User, filled(&prompt, signature, inputs))];
    }
    let value = |field: &Field| inputs.get(&field.name).map(|value| shown_value(field, value));
    let said = match signature.inputs.as_slice() {
        [only] => value(only).unwrap_or_default(),
        several => {
            let lines = several.iter().filter_map(|field| Some(format!("{}: {}", field.name, value(field)?)));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    vec![Message::new(Role::System, prompt), Message::new(Role::User, said)]
}

/// Puts the inputs into their places, in one pass: what an input says is no place.
fn filled(prompt: &str, signature: &Signature, inputs: &Fields) -> String {
    let (mut out, mut rest) = (String::new(), prompt);
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let field = signature.inputs.iter().find_map(|field| {
            let after = rest.strip_prefix('{')?.strip_prefix(field.name.as_str())?.strip_prefix('}')?;
            Some((inputs.get(&field.name).map(|value| shown_value(field, value)).unwrap_or_default(), after))
        });
        match field {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests;
