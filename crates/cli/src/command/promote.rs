//! `meliora promote`: a variant becomes a commit in the user's repository.

use std::path::Path;

use meliora_domain::{Genome, Operation, Split, VariantId, Verdict};
use meliora_evolve::{Archive, Examiner, Journal, Kept, Observer, Unsealed, unseal, unsealed};

use crate::cages;
use crate::command::approvals::yes_to;
use crate::command::bench::{SEALED, gap_words};
use crate::command::review::{Passage, passage};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, GOOD, Printer, behind, paint};
use crate::project::{Project, nonce, now, resolve};

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
    let note = pass_holdout(&project, &archive, &mut journal, variant)?;
    let target = project.target()?;
    let under = (&project.suite, &project.constitution);
    let commit = meliora_evolve::promote(&mut journal, &archive, &target, variant, under, (unproven, yes.as_ref()))?;
    if printer.json() {
        printer.object(&serde_json::json!({
            "event": "promoted", "variant": variant, "commit": commit,
            "holdout_score": note.opened.as_ref().and_then(|o| o.card.mean(Split::Holdout)),
            "holdout_gap": note.opened.as_ref().and_then(|o| o.gap).map(|gap| gap.0),
        }));
    } else {
        let commit: String = commit.chars().take(10).collect();
        printer.data(format!("{} {} as commit {commit}", paint(GOOD, "promoted"), paint(BOLD, variant.short())));
        let (at, flag) = (behind("", dir), behind("--dir", dir));
        match &note.opened {
            Some(Unsealed { card, gap, .. }) => {
                let score = card.mean(Split::Holdout).map_or("–".to_owned(), |score| format!("{score:.4}"));
                printer.data(format!(
                    "  holdout score {score}; {}",
                    gap.as_ref().map_or("no gap to tell".into(), gap_words)
                ));
            }
            None if note.sealed => printer.data(format!(
                "  its holdout was never opened; `meliora bench{at} --variant {} --holdout` asks the model for it",
                variant.short()
            )),
            None => {}
        }
        printer.data(format!(
            "  meliora bench{at}       examines it again; a drop of 5 % or more rolls it back by itself"
        ));
        printer.data(format!("  meliora rollback{flag}    undoes it by hand"));
    }
    Ok(Exit::Done)
}

/// What is known of a variant's sealed tasks.
struct Note {
    /// What they said.
    opened: Option<Unsealed>,
    /// Whether there are any.
    sealed: bool,
}

/// What would stand in the user's tree passes the holdout before, unless it has at the end of its run: then that is told.
/// With an alarm it is suspect, and the promotion is refused for that. Where a model would have to be paid for the answers,
/// nothing is opened.
fn pass_holdout(
    project: &Project,
    archive: &dyn Archive,
    journal: &mut Journal<'_>,
    variant: VariantId,
) -> Result<Note, Failure> {
    let (suite, vigilance) = (&project.suite, project.config.judge.vigilance());
    let sealed = suite.count(Split::Holdout) > 0;
    let lineage = journal.lineage();
    let node = lineage.find(&variant).map(|index| lineage.node(index));
    // Prompts are marked under an evaluator that has their student in it.
    let evaluator = match suite.prompts() {
        Some(_) => node.and_then(|node| node.evaluator).unwrap_or_default(),
        None => suite.evaluator(),
    };
    let opened = unsealed(archive, lineage, &variant, &evaluator, &vigilance)?;
    let finalist = node.is_some_and(|node| node.verdict == Some(Verdict::Accepted) && node.viable());
    if opened.is_some() || !sealed || !finalist || suite.prompts().is_some() {
        return Ok(Note { opened, sealed });
    }
    let sandbox = cages::tested(&project.config.sandbox, &project.tools, 0)?;
    let policy = project.policy();
    let (constitution, sandbox) = (&project.constitution, sandbox.as_ref());
    let kept = Kept::default();
    let examiner =
        Examiner { constitution, suite, sandbox, student: None, policy: &policy, nonce: &nonce, kept: &kept };
    let mut examine = |genome: &Genome| examiner.card(genome, &SEALED);
    let (opened, events) = unseal(archive, lineage, variant, (&evaluator, &vigilance, false), &mut examine)?;
    journal.record(&events)?;
    Ok(Note { opened: Some(opened), sealed })
}
