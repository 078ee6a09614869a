//! `meliora prompt`: what is done with prompts.

use meliora_propose::optimize::NAMES;

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;

/// Does what was asked.
pub fn prompt(command: &args::Prompt, printer: &Printer) -> Result<Exit, Failure> {
    let args::Prompt::Optimize { optimizer, run } = command;
    let mut run = (**run).clone();
    if let Some(other) = run.proposers.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(Failure::new(Exit::Usage, format!("'{other}' is no optimizer of prompts"))
            .hint(format!("there are {}", NAMES.join(", "))));
    }
    run.proposers.extend(optimizer.clone());
    super::run::optimize(&run, printer)
}
