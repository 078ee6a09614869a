//! Programs as a configuration of promptfoo: one chat, whose inputs are variables.

use meliora_domain::{Fields, Value};

use super::{Asked, filled, role, template};
use crate::file::yaml;
use crate::{FieldType, Program, PromptError, python};

/// What stands for a model that is not named.
const SOME_MODEL: &str = "MODEL";

pub(super) fn config(program: &Program, name: &str, asked: &Asked) -> Result<String, PromptError> {
    let predictors = program.predictors();
    let [predictor] = predictors.as_slice() else {
        return Err(PromptError::new(
            format!("the program asks a model in {} ways, and promptfoo asks in one", predictors.len()),
            "export it as python, and name that file as promptfoo's provider",
        ));
    };
    let inputs = &predictor.signature.inputs;
    // Lists and objects would be shown as JavaScript shows them.
    let variable = |name: &str| match inputs.iter().find(|f| f.name == name).map(|f| &f.of_type) {
        Some(FieldType::List(_) | FieldType::Dict(_)) => format!("{{{{ {name} | dump }}}}"),
        _ => format!("{{{{ {name} }}}}"),
    };
    let messages = template(program, predictor).into_iter().map(|message| {
        let content = filled(&message.content, literal, variable).concat();
        Value::Map(Fields::from_iter([("role", Value::from(role(&message))), ("content", Value::Text(content))]))
    });
    // promptfoo fills the texts inside of what is JSON, whatever stands in its variables.
    let chat = python::json(&Value::List(messages.collect()), Some(2));
    let model = if asked.model.is_empty() { SOME_MODEL } else { &asked.model };
    let mut settings = Fields::from_iter([("temperature", Value::Int(0))]);
    if let Some(url) = &asked.base_url {
        settings.set("apiBaseUrl", Value::from(url.as_str()));
        // Servers of one's own ask for none; OPENAI_API_KEY is sent where it is set.
        settings.set("apiKeyRequired", Value::Bool(false));
    }
    let provider = [("id", Value::Text(format!("openai:chat:{model}"))), ("config", Value::Map(settings))];
    let vars: Fields = inputs.iter().map(|field| (field.name.as_str(), Value::from(""))).collect();
    // promptfoo takes a list in a variable for several tests.
    let whole = Fields::from_iter([("disableVarExpansion", Value::Bool(true))]);
    let config = Fields::from_iter([
        ("description", Value::from(name)),
        ("prompts", Value::List(vec![Value::Text(chat)])),
        ("providers", Value::List(vec![Value::Map(Fields::from_iter(provider))])),
        ("defaultTest", Value::Map(Fields::from_iter([("options", Value::Map(whole))]))),
        ("tests", Value::List(vec![Value::Map(Fields::from_iter([("vars", Value::Map(vars))]))])),
    ]);
    let mut out = "# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json\n".to_owned();
    yaml(&Value::Map(config), 0, &mut out);
    Ok(out)
}

/// A text that promptfoo's templates leave as it is.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match (c, letters.peek()) {
            ('{', Some('{' | '%' | '#')) => out.push_str("{{ '{' }}"),
            _ => out.push(c),
        }
    }
    out
}
