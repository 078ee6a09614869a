//! `meliora rollback`: a promotion backwards.

use std::path::Path;

use meliora_evolve::Journal;

use super::promote::Silent;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, Printer, paint};
use crate::project::{Project, now, resolve};

/// Undoes the newest promotion.
pub fn rollback(id: Option<&str>, dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::open_without_examining(dir, printer)?;
    let _lock = project.lock("meliora rollback")?;
    let archive = project.archive()?;
    let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
    let variant = id.map(|id| resolve(&archive, journal.lineage(), id)).transpose()?;
    let (to, commit) =
        meliora_evolve::rollback(&mut journal, &archive, &project.target()?, variant, "manual: asked for")?;
    if printer.json() {
        printer.object(&serde_json::json!({ "event": "rolled_back", "variant": to, "commit": commit }));
    } else {
        let commit: String = commit.chars().take(10).collect();
        printer.data(format!("rolled back to {} by commit {commit}", paint(BOLD, to.short())));
    }
    Ok(Exit::Done)
}
