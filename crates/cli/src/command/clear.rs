//! `meliora clear`: a person lets a suspect variant go.

use std::path::Path;

use meliora_constitution::word::{Terms, give};
use meliora_domain::{Timestamp, Verdict};
use meliora_evolve::{Journal, clearance};

use super::approvals::{fresh, trusted};
use super::promote::Silent;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keys;
use crate::printer::{BOLD, GOOD, Printer, paint};
use crate::project::{Project, now, resolve};

/// A word on a suspect is used at once.
const GOOD_FOR: u64 = 10 * 60 * 1000;

/// Clears the variant by the person's signed word.
pub fn clear(id: &str, dir: &Path, reason: &str, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::open_without_examining(dir, printer)?;
    let _lock = project.lock("meliora clear")?;
    let archive = project.archive()?;
    let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
    let variant = resolve(&archive, journal.lineage(), id)?;
    let lineage = journal.lineage();
    let node = lineage.find(&variant).map(|i| lineage.node(i)).filter(|n| n.verdict == Some(Verdict::Suspect));
    let Some(node) = node else {
        return Err(Failure::new(Exit::Usage, format!("{} is not suspect", variant.short()))
            .hint("`meliora log` shows the suspects"));
    };
    let (request, alarms) = (clearance(node), node.alarms.clone());
    let terms = Terms {
        request,
        constitution: project.constitution.digest(),
        granted: true,
        nonce: fresh(),
        expires: Timestamp(now().0 + GOOD_FOR),
        reason: reason.to_owned(),
    };
    let word = give(terms, &keys::secret()?).map_err(|e| Failure::new(Exit::Machinery, e.to_string()))?;
    trusted(&project, &word)?;
    let policy = project.policy();
    let judgement =
        meliora_evolve::clear(&mut journal, &archive, &project.constitution, &policy, (variant, word), now())?;
    if printer.json() {
        printer.object(
            &serde_json::json!({ "event": "cleared", "variant": variant, "alarms": alarms, "judgement": judgement }),
        );
        return Ok(Exit::Done);
    }
    printer.data(format!(
        "{} {}: {}, {}",
        paint(GOOD, "cleared"),
        paint(BOLD, variant.short()),
        judgement.verdict,
        judgement.reason
    ));
    for alarm in &alarms {
        printer.data(format!("  {} {}: {}", alarm.rule, alarm.place, alarm.words));
    }
    Ok(Exit::Done)
}
