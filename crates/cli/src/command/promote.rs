//! `meliora promote`: a variant becomes a commit in the user's repository.

use std::path::Path;

use meliora_domain::Operation;
use meliora_evolve::{Archive as _, Journal, Observer};

use crate::command::approvals::yes_to;
use crate::command::review::{Passage, passage};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, GOOD, Printer, behind, paint};
use crate::project::{Project, now, resolve};

/// Watches without a word.
pub struct Silent;

impl Observer for Silent {
    fn notice(&self, _: &meliora_domain::Recorded) {}
}

/// Promotes.
pub fn promote(id: &str, dir: &Path, unproven: bool, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::open_without_examining(dir, printer)?;
    let _lock = project.lock("meliora promote")?;
    let archive = project.archive()?;
    let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
    let variant = resolve(&archive, journal.lineage(), id)?;
    archive.load(&variant)?;
    let yes = match passage(dir, &project.constitution, Operation::Promote { variant })? {
        Passage::Free => None,
        Passage::Shut(event, failure) => {
            journal.record(&[*event])?;
            return Err(failure);
        }
        Passage::Waits(request) => Some(yes_to(&mut journal, &project.constitution, *request)?),
    };
    let target = project.target()?;
    let under = (&project.suite, &project.constitution);
    let commit = meliora_evolve::promote(&mut journal, &archive, &target, variant, under, (unproven, yes.as_ref()))?;
    if printer.json() {
        printer.object(&serde_json::json!({ "event": "promoted", "variant": variant, "commit": commit }));
    } else {
        let commit: String = commit.chars().take(10).collect();
        printer.data(format!("{} {} as commit {commit}", paint(GOOD, "promoted"), paint(BOLD, variant.short())));
        let (at, flag) = (behind("", dir), behind("--dir", dir));
        printer.data(format!(
            "  meliora bench{at}       examines it again; a drop of 5 % or more rolls it back by itself"
        ));
        printer.data(format!("  meliora rollback{flag}    undoes it by hand"));
    }
    Ok(Exit::Done)
}
