//! What exports hold, where no other tool is needed to tell.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{Field, Signature, Step};

fn plain() -> Program {
    Program::plain("Fix {code}; keep {{braces}} and {% marks %}, it's `x`.", &["code"])
}

fn chain() -> Program {
    let mut signature = Signature::read("text, tags: list[str] -> label").unwrap();
    signature.instructions = "Say \"it\".\n\n```\nx\n```".into();
    *signature.field_mut("label").unwrap() = Field { description: "a | b".into(), ..Field::text("label") };
    Program::of(Step::new("label", Module::ChainOfThought, signature))
}

fn exported(program: &Program, format: Format) -> String {
    let asked = Asked { model: "m".into(), base_url: Some("http://h/v1".into()) };
    export(program, format, "a name", &asked).unwrap()
}

#[test]
fn promptfoo_reads_the_chat_with_its_variables_and_leaves_all_else_as_it_is() {
    let text = exported(&plain(), Format::Promptfoo);
    let config: Value = serde_saphyr::from_str(&text).unwrap();
    let Value::Map(config) = config else { panic!("{text}") };
    let Some(Value::List(prompts)) = config.get("prompts") else { panic!("{text}") };
    let messages: Vec<Message> = serde_json::from_str(prompts[0].as_text().unwrap()).unwrap();
    let said = "Fix {{ code }}; keep {{ '{' }}{braces}} and {{ '{' }}% marks %}, it's `x`.";
    assert_eq!((messages.len(), messages[0].content.as_str()), (1, said));
    for part in ["id: \"openai:chat:m\"", "apiBaseUrl: \"http://h/v1\"", "$schema=https://promptfoo.dev"] {
        assert!(text.replace("\"id\"", "id").replace("\"apiBaseUrl\"", "apiBaseUrl").contains(part), "{part}: {text}");
    }
    assert!(text.contains("\"apiKeyRequired\": false"), "{text}");
    let text = exported(&chain(), Format::Promptfoo);
    assert!(text.contains("{{ text }}") && text.contains("{{ tags | dump }}"), "{text}");
    let mut two = chain();
    two.steps.push(Step { name: "more".into(), ..two.steps[0].clone() });
    let error = export(&two, Format::Promptfoo, "x", &Asked::default()).unwrap_err();
    assert!(error.what.contains("2 ways") && error.hint.contains("python"), "{error}");
}

#[test]
fn texts_and_pages_show_names_in_braces_and_no_fence_ends_early() {
    assert_eq!(exported(&plain(), Format::Text), "Fix {code}; keep {{braces}} and {% marks %}, it's `x`.\n");
    let text = exported(&chain(), Format::Text);
    assert!(text.starts_with("[system]\n") && text.contains("[user]\n[[ ## text ## ]]\n{text}\n"), "{text}");
    let page = exported(&chain(), Format::Markdown);
    assert!(page.contains("\n````text\n") && page.contains("| a \\| b |"), "{page}");
    assert_eq!(page.matches("\n````\n").count(), 1, "the other message needs no longer one: {page}");
}

#[test]
fn a_plain_prompt_is_a_function_of_its_inputs_in_python() {
    let code = exported(&plain(), Format::Python);
    assert!(code.contains("def messages(code):"), "{code}");
    assert!(code.contains(r#"'Fix ' + str(code) + "; keep {{braces}} and {% marks %}, it's `x`.""#), "{code}");
}

#[test]
fn a_name_that_python_does_not_allow_is_said() {
    let mut program = chain();
    program.steps.push(Step { name: "two words".into(), ..program.steps[0].clone() });
    let error = export(&program, Format::Python, "x", &Asked::default()).unwrap_err();
    assert!(error.what.contains("two words"), "{error}");
}
