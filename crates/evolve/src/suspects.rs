//! Suspects: a variant that an alarm keeps from being a parent, the champion or promoted, until a person says otherwise.

use std::collections::BTreeSet;

use meliora_constitution::Constitution;
use meliora_constitution::word::holds;
use meliora_domain::{Alarm, Digest, Event, Judgement, Scorecard, Split, TaskId, Timestamp, VariantId, Verdict, Word};
use meliora_judge::{Evidence, Policy, Ruling, Vigilance, judge};

use crate::brief::scorecards;
use crate::error::EvolveError;
use crate::journal::Journal;
use crate::lineage::{Lineage, Node};
use crate::port::Archive;

/// What a word on letting a suspect go is on: exactly this variant and these alarms.
pub fn clearance(node: &Node) -> Digest {
    let mut parts = vec![b"clear".to_vec(), node.id.0.to_vec()];
    for Alarm { rule, place, words } in &node.alarms {
        parts.extend([rule, place, words].map(|text| text.as_bytes().to_vec()));
    }
    Digest::of(parts.iter().map(Vec::as_slice))
}

/// Whether a variant that was suspect once was let go by a word that a person signed.
pub(crate) fn cleared(node: &Node, law: &Constitution) -> Result<(), EvolveError> {
    let Some(word) = &node.cleared else { return Ok(()) };
    // Given once, it holds on: its time and its constitution were checked when it was given.
    let then = Timestamp(word.expires.0.saturating_sub(1));
    holds(word, &clearance(node), &word.constitution, law.people(), then).map_err(|why| EvolveError::NotAllowed {
        what: format!("{} was suspect, and nobody's word cleared it: {why}", node.id.short()),
        hint: Some(format!("`meliora clear {}`", node.id.short())),
    })
}

/// The judgement that a variant is suspect that was judged before: something came to light. None without an alarm.
pub(crate) fn suspected(lineage: &Lineage, variant: VariantId, alarms: Vec<Alarm>) -> Option<Event> {
    let node = lineage.node(lineage.find(&variant).filter(|_| !alarms.is_empty())?);
    let before = Judgement::of(node.verdict.unwrap_or(Verdict::Inconclusive), 0.0, node.grounds.clone());
    Some(Event::Judged { step: node.step, variant, judgement: Vigilance::default().suspect(before, alarms) })
}

/// Lets a suspect go by a person's word: what its marks prove counts. Returns that.
///
/// # Errors
/// [`EvolveError::NotAllowed`] where it is not suspect or the word does not hold.
pub fn clear(
    journal: &mut Journal<'_>,
    archive: &dyn Archive,
    constitution: &Constitution,
    policy: &Policy,
    (variant, word): (VariantId, Word),
    now: Timestamp,
) -> Result<Judgement, EvolveError> {
    let lineage = journal.lineage();
    let refuse = |what: String| EvolveError::NotAllowed { what, hint: None };
    let node = lineage.find(&variant).map(|i| lineage.node(i));
    let Some(node) = node.filter(|n| n.verdict == Some(Verdict::Suspect)) else {
        return Err(refuse(format!("{} is not suspect", variant.short())));
    };
    let held = constitution.hears(&word, &clearance(node), now).map_err(|e| e.to_string());
    if let Err(why) = held.and_then(|()| if word.granted { Ok(()) } else { Err("it is a no".into()) }) {
        return Err(refuse(format!("the word does not clear {}: {why}", variant.short())));
    }
    let evaluator = node.evaluator.unwrap_or_default();
    let parent = node.parents.first().map(|p| lineage.node(*p).id);
    let reference = parent.map(|p| scorecards(archive, &p, &evaluator)).transpose()?.unwrap_or_default();
    let cards = scorecards(archive, &variant, &evaluator)?;
    let terms = (node.step, lineage.flaky(&evaluator));
    let judgement = proven(&cards, &reference, terms, policy);
    journal.record(&[Event::Cleared { variant, judgement: judgement.clone(), word }])?;
    Ok(judgement)
}

/// What the marks prove that there are, of the candidate of this number, tasks that do not count left out.
fn proven(
    cards: &[Scorecard],
    reference: &[Scorecard],
    (candidate, flaky): (u64, &BTreeSet<TaskId>),
    policy: &Policy,
) -> Judgement {
    let open = |reason: &str| Judgement::of(Verdict::Inconclusive, 0.0, reason);
    if cards.is_empty() || reference.is_empty() || cards[0].mean(Split::Validation).is_none() {
        return open("cleared by a person; there are no marks to hold against its parent's");
    }
    let tasks: BTreeSet<TaskId> =
        reference.iter().flat_map(|card| card.of(Split::Validation)).map(|mark| mark.task.clone()).collect();
    let tasks: Vec<TaskId> = tasks.into_iter().filter(|task| !flaky.contains(task)).collect();
    let (variant, reference): (Vec<_>, Vec<_>) = (cards.iter().collect(), reference.iter().collect());
    let (against, chance, seed) = ("its parent", false, candidate);
    let evidence =
        Evidence { variant: &variant, reference: &reference, against, tasks: &tasks, flaky, candidate, chance, seed };
    match judge(&evidence, policy) {
        Ruling::Verdict(judgement) => judgement,
        Ruling::NeedMore { .. } => open("cleared by a person; it looks better, and no re-run has confirmed that yet"),
    }
}
