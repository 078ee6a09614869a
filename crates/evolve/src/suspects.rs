//! Suspects: a variant that an alarm keeps from being a parent, the champion or promoted, until a person says otherwise.

use meliora_constitution::Constitution;
use meliora_constitution::word::holds;
use meliora_domain::{Alarm, Digest, Event, Judgement, Split, Timestamp, VariantId, Verdict, Word};
use meliora_judge::{Policy, Ruling, Vigilance, judge};

use crate::brief::scorecards;
use crate::error::EvolveError;
use crate::journal::Journal;
use crate::lineage::Node;
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

/// Makes a variant suspect that was judged before: something came to light.
pub fn suspect(journal: &mut Journal<'_>, variant: VariantId, alarms: Vec<Alarm>) -> Result<(), EvolveError> {
    let Some(index) = journal.lineage().find(&variant).filter(|_| !alarms.is_empty()) else { return Ok(()) };
    let node = journal.lineage().node(index);
    let before = Judgement {
        verdict: node.verdict.unwrap_or(Verdict::Inconclusive),
        effect: 0.0,
        p: None,
        reason: node.grounds.clone(),
        alarms: Vec::new(),
    };
    let (step, judgement) = (node.step, Vigilance::default().suspect(before, alarms));
    journal.record(&[Event::Judged { step, variant, judgement }])?;
    Ok(())
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
    let judgement = proven(&scorecards(archive, &variant, &evaluator)?, &reference, policy);
    journal.record(&[Event::Cleared { variant, judgement: judgement.clone(), word }])?;
    Ok(judgement)
}

/// What the marks prove that there are.
fn proven(cards: &[meliora_domain::Scorecard], reference: &[meliora_domain::Scorecard], policy: &Policy) -> Judgement {
    let (cards, reference): (Vec<_>, Vec<_>) = (cards.iter().collect(), reference.iter().collect());
    let open = |reason: &str| Judgement {
        verdict: Verdict::Inconclusive,
        effect: 0.0,
        p: None,
        reason: reason.to_owned(),
        alarms: Vec::new(),
    };
    if cards.is_empty() || reference.is_empty() || cards[0].mean(Split::Validation).is_none() {
        return open("cleared by a person; there are no marks to hold against its parent's");
    }
    match judge(&cards, &reference, policy) {
        Ruling::Verdict(judgement) => judgement,
        Ruling::Rerun => open("cleared by a person; it looks better, and no re-run has confirmed that yet"),
    }
}
