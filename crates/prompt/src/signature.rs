//! Signatures: what a model is asked for, from what, and with which instructions.

use crate::{FieldType, PromptError, python};

/// A field that goes in or comes out.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Its name: letters, digits and underscores.
    pub name: String,
    /// Its type.
    pub of_type: FieldType,
    /// What it is, in words; empty if nothing is said of it.
    pub description: String,
}

impl Field {
    /// A text of which nothing is said.
    pub fn text(name: impl Into<String>) -> Self {
        Field { name: name.into(), of_type: FieldType::Text, description: String::new() }
    }
}

/// Instructions, inputs and outputs.
#[derive(Clone, PartialEq, Debug)]
pub struct Signature {
    /// What the model is to do; empty for what the names of the fields say.
    pub instructions: String,
    /// What goes in, in order.
    pub inputs: Vec<Field>,
    /// What comes out, in order; at least one.
    pub outputs: Vec<Field>,
}

impl Signature {
    /// Reads `question, context: list[str] -> answer: float`. A field without a type is a text.
    ///
    /// # Errors
    /// Says what cannot be read: an unknown type, a name that is none, a field that stands twice, no output.
    pub fn read(text: &str) -> Result<Self, PromptError> {
        let wrong = |what: String| PromptError::new(what, "such as `question, context: list[str] -> answer: float`");
        let (inputs, outputs) = text
            .split_once("->")
            .ok_or_else(|| wrong(format!("the signature '{text}' has no `->` between inputs and outputs")))?;
        let read = |side: &str| -> Result<Vec<Field>, PromptError> {
            parts(side).into_iter().map(|part| field(part).map_err(wrong)).collect()
        };
        let signature = Signature { instructions: String::new(), inputs: read(inputs)?, outputs: read(outputs)? };
        signature.check()?;
        Ok(signature)
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// If there is no output, or a field stands twice.
    pub fn check(&self) -> Result<(), PromptError> {
        if self.outputs.is_empty() {
            return Err(PromptError::new("the signature has no output", "name one after the `->`"));
        }
        let mut names: Vec<&str> = self.fields().map(|f| f.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PromptError::new(
                format!("the field '{}' stands twice in a signature", pair[0]),
                "give each field a name of its own",
            ));
        }
        Ok(())
    }

    /// All fields, inputs first.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.inputs.iter().chain(&self.outputs)
    }

    /// The field of this name.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.inputs.iter_mut().chain(&mut self.outputs).find(|f| f.name == name)
    }

    /// The instructions as a model reads them: those given, without their indentation, or what the names say.
    pub fn instructions(&self) -> String {
        if !self.instructions.is_empty() {
            return python::clean(&self.instructions);
        }
        format!("Given the fields {}, produce the fields {}.", names(&self.inputs), names(&self.outputs))
    }
}

/// As it is written in files, without descriptions and instructions.
impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |fields: &[Field]| {
            let fields = fields.iter().map(|field| match field.of_type {
                FieldType::Text => field.name.clone(),
                _ => format!("{}: {}", field.name, field.of_type),
            });
            fields.collect::<Vec<_>>().join(", ")
        };
        write!(f, "{} -> {}", side(&self.inputs), side(&self.outputs))
    }
}

/// The names of fields, as a model reads them.
pub(crate) fn names(fields: &[Field]) -> String {
    fields.iter().map(|f| format!("`{}`", f.name)).collect::<Vec<_>>().join(", ")
}

/// What stands between the commas that are in no bracket and no quote.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0i32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn field(part: &str) -> Result<Field, String> {
    let (name, of_type) = match part.split_once(':') {
        Some((name, of_type)) => (name.trim(), FieldType::read(of_type)?),
        None => (part, FieldType::Text),
    };
    let word = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_numeric());
    if name.is_empty() || !word {
        return Err(format!("'{name}' is no name of a field: letters, digits and underscores"));
    }
    Ok(Field { name: name.to_owned(), of_type, description: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_from_one_line_and_written_again() {
        let text = "question, context: list[str] -> label: Literal['a, b', 'c'], score: float";
        let signature = Signature::read(text).unwrap();
        assert_eq!((signature.inputs.len(), signature.outputs.len()), (2, 2));
        assert_eq!(signature.to_string(), text);
        assert_eq!(
            Signature::read("a, b -> c").unwrap().instructions(),
            "Given the fields `a`, `b`, produce the fields `c`."
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (text, what) in [
            ("question", "no `->`"),
            ("question ->", "no output"),
            ("a -> a", "stands twice"),
            ("a b -> c", "no name"),
            ("a: text -> c", "no type 'text'"),
        ] {
            let error = Signature::read(text).unwrap_err();
            assert!(error.what.contains(what), "{text}: {error}");
        }
    }
}
