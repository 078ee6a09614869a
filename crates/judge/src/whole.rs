//! Examinations of some tasks put together: what adds up to all tasks is one examination.

use std::borrow::Cow;
use std::collections::BTreeSet;

use meliora_domain::{Scorecard, Split, TaskId};

/// The cards as examinations: cards of some tasks and one seed, each task once, make one together.
pub(crate) fn examinations<'a>(cards: &[&'a Scorecard]) -> Vec<Cow<'a, Scorecard>> {
    let mut whole: Vec<Cow<'a, Scorecard>> = Vec::new();
    for card in cards {
        let fits = |other: &Cow<'_, Scorecard>| {
            let new = card.of(Split::Validation).all(|mark| other.of(Split::Validation).all(|m| m.task != mark.task));
            new && other.seed == card.seed && other.evaluator == card.evaluator
        };
        match whole.iter_mut().find(|other| card.part_of > 0 && other.part_of > 0 && fits(other)) {
            Some(other) => other.to_mut().marks.extend(card.marks.iter().cloned()),
            None => whole.push(Cow::Borrowed(card)),
        }
    }
    whole
}

/// The tasks, in this order, that no card of this seed (of any, if none is named) has a mark of, missing ones included.
pub(crate) fn unmarked(tasks: &[TaskId], cards: &[&Scorecard], seed: Option<u64>) -> Vec<TaskId> {
    let cards = cards.iter().filter(|card| seed.is_none_or(|seed| card.seed == seed));
    let marked: BTreeSet<&TaskId> = cards.flat_map(|card| card.of(Split::Validation)).map(|mark| &mark.task).collect();
    tasks.iter().filter(|task| !marked.contains(task)).cloned().collect()
}
