//! Prompts as programs: signatures, modules, demos, and how they are said to a chat model.
//!
//! Pure: it says what to ask and reads what was answered; who asks is in `evolve`.

mod adapter;
mod field_type;
mod file;
mod loose;
mod program;
mod python;
mod signature;

pub use adapter::Adapter;
pub use field_type::FieldType;
pub use file::{Files, ProgramFile};
pub use loose::value as loosely;
pub use program::{FINISH, Module, Predictor, Program, Step, Tool, Turn, trajectory};
pub use python::text as shown;
pub use signature::{Field, Signature};

/// A prompt, a program or its data cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct PromptError {
    /// What is wrong, with the file where it can be told.
    pub what: String,
    /// How to mend it.
    pub hint: String,
}

impl PromptError {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        PromptError { what: what.into(), hint: hint.into() }
    }
}

/// The beginning of a text, for messages.
pub(crate) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
