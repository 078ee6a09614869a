//! Programs for other tools: as text, as a page, for promptfoo, and as code that says the same.

mod code;
mod promptfoo;

use meliora_domain::{Fields, Message, Role, Value};

use crate::program::Predictor;
use crate::{Adapter, Module, Program, PromptError, dspy};

/// A form that a program is exported in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The JSON that DSPy's `Module.load` reads.
    Dspy,
    /// What is said, as plain text.
    Text,
    /// A page for people.
    Markdown,
    /// A configuration of promptfoo.
    Promptfoo,
    /// A Python module: with DSPy; a plain prompt without it.
    Python,
    /// A Rust module that uses this crate.
    Rust,
}

impl Format {
    /// All, by the names that users type.
    pub const ALL: [(&str, Format); 6] = [
        ("dspy", Format::Dspy),
        ("text", Format::Text),
        ("markdown", Format::Markdown),
        ("promptfoo", Format::Promptfoo),
        ("python", Format::Python),
        ("rust", Format::Rust),
    ];
}

/// Who is asked, for the forms that name a model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Name of the model; empty for a place to be filled in.
    pub model: String,
    /// Address of its server, if it is not OpenAI's.
    pub base_url: Option<String>,
}

/// The program in another form. `name` is what it is called there.
///
/// # Errors
/// If the form has no way to say it; the hint names one that has.
pub fn export(program: &Program, format: Format, name: &str, asked: &Asked) -> Result<String, PromptError> {
    match format {
        Format::Dspy => dspy::save(program),
        Format::Text => Ok(text(program)),
        Format::Markdown => Ok(markdown(program, name)),
        Format::Promptfoo => promptfoo::config(program, name, asked),
        Format::Python => code::python(program, name),
        Format::Rust => Ok(code::rust(program, name)),
    }
}

/// What stands on both sides of an input's name until its form is known: nothing that a prompt holds.
const MARK: char = '\u{1}';

/// The messages of a predictor with a mark around each input's name. A piece after a mark is now a name, now a text.
fn template(program: &Program, predictor: &Predictor) -> Vec<Message> {
    let inputs: Fields = predictor
        .signature
        .inputs
        .iter()
        .map(|field| (field.name.as_str(), Value::Text(format!("{MARK}{}{MARK}", field.name))))
        .collect();
    program.adapter.ask(predictor, &inputs)
}

/// A template's text with each text and each name in the form of what it becomes part of.
fn filled(content: &str, text: impl Fn(&str) -> String, name: impl Fn(&str) -> String) -> Vec<String> {
    let pieces = content.split(MARK).enumerate();
    pieces
        .filter(|(at, piece)| at % 2 == 1 || !piece.is_empty())
        .map(|(at, piece)| if at % 2 == 1 { name(piece) } else { text(piece) })
        .collect()
}

fn in_braces(content: &str) -> String {
    filled(content, str::to_owned, |name| format!("{{{name}}}")).concat()
}

fn role(message: &Message) -> &'static str {
    match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// All messages, with the names of inputs in braces. One that is said alone stands alone.
fn text(program: &Program) -> String {
    let predictors = program.predictors();
    let mut out = String::new();
    for predictor in &predictors {
        let messages = template(program, predictor);
        if let ([_], [only]) = (&predictors[..], &messages[..]) {
            return in_braces(&only.content) + "\n";
        }
        if predictors.len() > 1 {
            out += &format!("=== {} ===\n\n", predictor.name);
        }
        for message in &messages {
            out += &format!("[{}]\n{}\n\n", role(message), in_braces(&message.content));
        }
    }
    out.trim_end().to_owned() + "\n"
}

fn markdown(program: &Program, name: &str) -> String {
    let mut out = format!("# {name}\n");
    for step in &program.steps {
        let module = match &step.module {
            Module::Predict => "asks once".to_owned(),
            Module::ChainOfThought => "asks once, for the reasoning first".to_owned(),
            Module::React { tools, turns } => {
                let tools: Vec<String> = tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
                format!("uses {} in at most {turns} turns", tools.join(", "))
            }
        };
        out += &format!("\n## {}\n\nThis step {module}.\n\n", step.name);
        out += "| field | | type | description |\n|---|---|---|---|\n";
        let signature = &step.signature;
        let sides = signature.inputs.iter().map(|f| ("in", f)).chain(signature.outputs.iter().map(|f| ("out", f)));
        for (side, field) in sides {
            let description = field.description.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
            out += &format!(
                "| `{}` | {side} | `{}` | {description} |\n",
                field.name,
                field.of_type.to_string().replace('|', "\\|")
            );
        }
        for predictor in step.predictors() {
            let title = if program.adapter == Adapter::Plain { "What is said" } else { "What is said, demos included" };
            let of = if predictor.name == step.name { String::new() } else { format!(": `{}`", predictor.name) };
            out += &format!("\n### {title}{of}\n");
            for message in template(program, &predictor) {
                let content = in_braces(&message.content);
                let fence = "`".repeat(3.max(longest_run(&content) + 1));
                out += &format!("\n{}:\n\n{fence}text\n{}\n{fence}\n", role(&message), content.trim_end_matches('\n'));
            }
        }
    }
    out
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
