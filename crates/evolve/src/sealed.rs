//! The holdout: opened for a finalist, once, and what it says of the gain. Nothing else in this room opens it.

use std::collections::BTreeMap;

use meliora_domain::{Alarm, Digest, Event, Genome, Mark, MarkStatus, Scorecard, Split, TaskId, VariantId};
use meliora_judge::{Gap, Sealed, Vigilance};

use crate::brief::scorecards;
use crate::error::EvolveError;
use crate::lineage::Lineage;
use crate::port::Archive;
use crate::suspects::suspected;

/// Confidence of the gap that is told.
const REPORTED: f64 = 0.05;

/// What the holdout says of a variant.
#[derive(Clone, PartialEq, Debug)]
pub struct Unsealed {
    /// Its marks on the sealed tasks.
    pub card: Scorecard,
    /// How much more it gained over what it came from on validation tasks than on sealed ones, at 95 % confidence.
    pub gap: Option<Gap>,
    /// What looks like cheating, if anything does.
    pub alarms: Vec<Alarm>,
}

/// What is said where the holdout was opened for a variant under this evaluator; `None` where it was not. Opens nothing.
///
/// # Errors
/// When the archive cannot be read.
pub fn unsealed(
    archive: &dyn Archive,
    lineage: &Lineage,
    variant: &VariantId,
    evaluator: &Digest,
    vigilance: &Vigilance,
) -> Result<Option<Unsealed>, EvolveError> {
    let Some(card) = opened(archive, variant, evaluator)? else { return Ok(None) };
    let visible = newest(&scorecards(archive, variant, evaluator)?);
    let before = origin(archive, lineage, variant, evaluator)?;
    let before = match before {
        Some((id, visible)) => opened(archive, &id, evaluator)?.map(|sealed| (visible, sealed)),
        None => None,
    };
    Ok(Some(told(&visible, card, before.as_ref(), vigilance)))
}

/// Opens the holdout for a variant, and for what it came from, each unless it was opened for it before under this evaluator
/// (`anew` opens it for the variant all the same). Returns what it says, and the events that are to be journalled: each
/// opening, and the judgement that it is suspect, if it is.
///
/// # Errors
/// What `examine` says, which marks a genome's sealed tasks; and when the archive cannot be read.
pub fn unseal(
    archive: &dyn Archive,
    lineage: &Lineage,
    variant: VariantId,
    (evaluator, vigilance, anew): (&Digest, &Vigilance, bool),
    examine: &mut dyn FnMut(&Genome) -> Result<Scorecard, EvolveError>,
) -> Result<(Unsealed, Vec<Event>), EvolveError> {
    let mut events = Vec::new();
    let mut open = |id: VariantId, anew: bool| {
        if let Some(card) = opened(archive, &id, evaluator)?.filter(|_| !anew) {
            return Ok::<_, EvolveError>(card);
        }
        let scorecard = examine(&archive.load(&id)?)?;
        events.push(Event::HoldoutOpened { variant: id, scorecard: scorecard.clone() });
        Ok(scorecard)
    };
    let visible = newest(&scorecards(archive, &variant, evaluator)?);
    let before = match origin(archive, lineage, &variant, evaluator)? {
        Some((id, visible)) => Some((visible, open(id, false)?)),
        None => None,
    };
    let card = open(variant, anew)?;
    let told = told(&visible, card, before.as_ref(), vigilance);
    events.extend(suspected(lineage, variant, told.alarms.clone()));
    Ok((told, events))
}

/// Whether the holdout was opened for a variant under this evaluator.
///
/// # Errors
/// When the archive cannot be read.
pub fn opened_before(archive: &dyn Archive, id: &VariantId, evaluator: &Digest) -> Result<bool, EvolveError> {
    Ok(opened(archive, id, evaluator)?.is_some())
}

fn told(
    visible: &Scorecard,
    card: Scorecard,
    before: Option<&(Scorecard, Scorecard)>,
    vigilance: &Vigilance,
) -> Unsealed {
    let sealed = Sealed { variant: (visible, &card), before: before.map(|(visible, sealed)| (visible, sealed)) };
    let (gap, alarms) = (sealed.gap(REPORTED), vigilance.of_holdout(&sealed));
    Unsealed { gap, alarms, card }
}

/// The holdout marks of the newest opening for a variant under this evaluator.
fn opened(archive: &dyn Archive, id: &VariantId, evaluator: &Digest) -> Result<Option<Scorecard>, EvolveError> {
    Ok(archive.about(id)?.into_iter().rev().find_map(|recorded| match recorded.event {
        Event::HoldoutOpened { variant, scorecard } if variant == *id && scorecard.evaluator == *evaluator => {
            Some(scorecard)
        }
        _ => None,
    }))
}

/// What a variant came from: the furthest of its ancestors by first parents that has validation marks under this evaluator,
/// with them. So the holdout of one project is opened for one origin, however many runs follow each other.
fn origin(
    archive: &dyn Archive,
    lineage: &Lineage,
    variant: &VariantId,
    evaluator: &Digest,
) -> Result<Option<(VariantId, Scorecard)>, EvolveError> {
    let first = |at: &u32| lineage.node(*at).parents.first().copied();
    let mut line: Vec<u32> = std::iter::successors(lineage.find(variant).and_then(|at| first(&at)), first).collect();
    while let Some(at) = line.pop() {
        let id = lineage.node(at).id;
        let card = newest(&scorecards(archive, &id, evaluator)?);
        if card.of(Split::Validation).next().is_some() {
            return Ok(Some((id, card)));
        }
    }
    Ok(None)
}

/// The mark of each task with the newest seed, as one card: of marks that chance bears on, those that had no part in choosing
/// have it.
fn newest(cards: &[Scorecard]) -> Scorecard {
    let mut cards: Vec<&Scorecard> = cards.iter().collect();
    cards.sort_by_key(|card| card.seed);
    let marks = cards.into_iter().flat_map(|card| card.of(Split::Validation));
    let marks: BTreeMap<&TaskId, &Mark> =
        marks.filter(|mark| mark.status != MarkStatus::Missing).map(|mark| (&mark.task, mark)).collect();
    Scorecard { marks: marks.into_values().cloned().collect(), ..Scorecard::default() }
}
