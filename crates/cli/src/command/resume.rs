//! `meliora resume`: a person lets the work go on after a pause.

use std::path::Path;

use meliora_constitution::word::{Terms, give};
use meliora_domain::Timestamp;
use meliora_evolve::{Journal, pause_in_force};

use super::approvals::{fresh, trusted};
use super::promote::Silent;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keys;
use crate::printer::{BOLD, GOOD, Printer, behind, paint};
use crate::project::{Project, now};

/// A word on a pause is used at once.
const GOOD_FOR: u64 = 10 * 60 * 1000;

/// Ends the pause with the person's signed word.
pub fn resume(dir: &Path, reason: &str, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::open_without_examining(dir, printer)?;
    let _lock = project.lock("meliora resume")?;
    let archive = project.archive()?;
    let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
    let Some(pause) = pause_in_force(&mut journal, &project.constitution)? else {
        return Err(Failure::new(Exit::Usage, "nothing is paused"));
    };
    let terms = Terms {
        request: pause.request(),
        constitution: project.constitution.digest(),
        granted: true,
        nonce: fresh(),
        expires: Timestamp(now().0 + GOOD_FOR),
        reason: reason.to_owned(),
    };
    let word = give(terms, &keys::secret()?).map_err(|e| Failure::new(Exit::Machinery, e.to_string()))?;
    trusted(&project, &word)?;
    meliora_evolve::resume(&mut journal, &project.constitution, word, now())?;
    if printer.json() {
        printer.object(&serde_json::json!({ "event": "resumed", "rule": pause.rule, "paused": pause.reason }));
    } else {
        printer.data(format!(
            "{} after the pause by {}: {}",
            paint(GOOD, "resumed"),
            paint(BOLD, &pause.rule),
            pause.reason
        ));
        printer.data(format!("  meliora run{}    goes on where it stopped", behind("", dir)));
    }
    Ok(Exit::Done)
}
