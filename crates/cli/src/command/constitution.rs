//! `meliora constitution`: load the law, and sign it.

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, FAINT, GOOD, Printer, paint};
use crate::project::LAW;

/// Checks or signs.
pub fn constitution(command: &args::Constitution, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        args::Constitution::Check { dir } => {
            let law =
                meliora_constitution::Constitution::load(&dir.join(LAW), Default::default()).map_err(|e| Failure {
                    code: Exit::Constitution,
                    what: format!("the constitution does not load: {}", e.what),
                    hint: e.hint,
                })?;
            let from = if dir.join(LAW).exists() { "the project's own" } else { "the compiled-in default" };
            printer.talk(format!("{} {from} constitution holds, digest {}", paint(GOOD, "✓"), law.digest().short()));
            for article in meliora_constitution::articles() {
                printer.data(format!("{}  {}", paint(BOLD, article.id), article.text));
                printer.data(format!("    {}", paint(FAINT, format!("enforced by {}", article.enforced_by))));
            }
            Ok(Exit::Done)
        }
        args::Constitution::Sign { dir } => {
            let path = dir.join(LAW);
            let text = std::fs::read_to_string(&path).map_err(|e| {
                Failure::new(Exit::Constitution, format!("{} cannot be read: {e}", path.display()))
                    .hint("`meliora init` writes one")
            })?;
            std::fs::write(&path, meliora_constitution::seal(&text))
                .map_err(|e| Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", path.display())))?;
            printer.talk(format!("{} signed {}", paint(GOOD, "✓"), path.display()));
            Ok(Exit::Done)
        }
    }
}
