//! p. Needs the crates `meliora-domain` and `meliora-prompt`.

use meliora_domain::{Fields, Message};
use meliora_prompt::{Files, Program, ProgramFile, PromptError};

const PROGRAM: &str = r#"[[steps]]
name = "label"
module = "chain_of_thought"
signature = "text -> label: Literal['good', 'bad']"
instructions = "Say whether the text praises."

[[steps.demos]]
label = "good"
reasoning = "It praises."
text = '"Nice."'
"#;

/// The program, with its demos.
pub fn program() -> Result<Program, PromptError> {
    let files = Files::from([("program.toml".to_owned(), PROGRAM.to_owned())]);
    Ok(ProgramFile::read(&files, &[])?.program)
}

/// What its first step says to the model.
pub fn messages(inputs: &Fields) -> Result<Vec<Message>, PromptError> {
    let program = program()?;
    let asked = program.predictors().into_iter().take(1);
    Ok(asked.flat_map(|predictor| program.adapter.ask(&predictor, inputs)).collect())
}
