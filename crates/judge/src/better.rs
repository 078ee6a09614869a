//! Whether a variant is better than its parent, or than the champion.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::{Judgement, Kind, Mark, MarkStatus, Scorecard, Split, TaskId, Verdict};

use crate::Policy;
use crate::pairs::{Pairs, gaps, incomparable, too_few, unviable};
use crate::sample::{batch, sample};
use crate::seeds;
use crate::whole::{examinations, unmarked};

/// Who is to be examined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The variant that is judged.
    Variant,
    /// What it is held against.
    Reference,
}

/// What the judge says.
#[derive(Clone, PartialEq, Debug)]
pub enum Ruling {
    /// The verdict.
    Verdict(Judgement),
    /// More marks could decide.
    NeedMore {
        /// Whose.
        of: Side,
        /// Of which tasks; empty for all.
        tasks: Vec<TaskId>,
        /// With which seed.
        seed: u64,
        /// The verdict as long as there are no more: Inconclusive.
        so_far: Judgement,
    },
}

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The variant's scorecards, in the order of the examinations.
    pub variant: &'a [&'a Scorecard],
    /// Those of what it is held against.
    pub reference: &'a [&'a Scorecard],
    /// What that is, in words: `its parent`.
    pub against: &'a str,
    /// The validation tasks in the order in which they are examined. On a sample it must not depend on any mark.
    pub tasks: &'a [TaskId],
    /// Tasks whose marks do not count, because the same work was marked differently.
    pub flaky: &'a BTreeSet<TaskId>,
    /// Number of the candidate within its run, from 1.
    pub candidate: u64,
    /// Whether marks are known to depend on the seed.
    pub chance: bool,
    /// What drawn numbers follow from.
    pub seed: u64,
}

impl Evidence<'_> {
    /// The tasks that are examined first; empty for all. Only a sample is examined in parts, a quarter first and 8 at
    /// least, so that what is clear early costs little.
    pub fn first_tasks(tasks: &[TaskId], kind: Kind) -> &[TaskId] {
        let first = batch(tasks, 0);
        if kind == Kind::Exact || first >= tasks.len() { &[] } else { &tasks[..first] }
    }
}

/// Judges a variant's validation marks against those of its reference.
///
/// All marks must be of one evaluator, else the verdict is Inconclusive. Marks are paired by task and seed; tasks without a
/// mark that counts on both sides are left out, and with fewer than half left the verdict is Inconclusive.
///
/// Exact: accepted if the mean rose in the first examination and in a re-run with another seed. Where examinations disagree
/// on some tasks, the gain has to stand with each such task at its worst against the reference's best. `effect` is then the
/// smallest gain seen. Where they disagree on more than a fifth of the tasks, luck is in the marks whatever was declared, and
/// evidence over seeds decides: see the module `seeds`. Sample: see the module `sample`.
pub fn judge(evidence: &Evidence<'_>, policy: &Policy) -> Ruling {
    let mut ruling = rule(evidence, policy);
    match &mut ruling {
        Ruling::Verdict(judgement) | Ruling::NeedMore { so_far: judgement, .. } => {
            judgement.candidates = evidence.candidate;
        }
    }
    ruling
}

fn rule(evidence: &Evidence<'_>, policy: &Policy) -> Ruling {
    let Evidence { variant, reference, .. } = evidence;
    if let Some(why) = incomparable(variant, reference) {
        return Ruling::Verdict(Judgement::of(Verdict::Inconclusive, 0.0, why));
    }
    if variant.iter().all(|card| unviable(card)) {
        let effect = Pairs::of(variant, reference, evidence.flaky).effect();
        let why =
            "it does no task at all: every one ended in a crash, a time-out, a limit or without a readable result";
        return Ruling::Verdict(Judgement::of(Verdict::Unviable, effect, why));
    }
    match policy.kind {
        Kind::Exact if seeds::differ(evidence) => seeds::by_seed(evidence, policy),
        Kind::Exact => exact(evidence),
        Kind::Sample => sample(evidence, policy),
    }
}

fn exact(evidence: &Evidence<'_>) -> Ruling {
    let Evidence { variant, reference, against, tasks, .. } = *evidence;
    let (whole, held) = (examinations(variant), examinations(reference));
    let held: Vec<&Scorecard> = held.iter().map(AsRef::as_ref).collect();
    let mut smallest: Option<Pairs> = None;
    for card in &whole {
        let pairs = against_best(card, &held, evidence.flaky);
        // Examinations of some tasks are completed first, on either side.
        let of_parts = |cards: &[&Scorecard]| cards.iter().all(|card| card.part_of > 0);
        for (of, cards, seed) in
            [(Side::Variant, &[card.as_ref()][..], card.seed), (Side::Reference, reference, reference[0].seed)]
        {
            let tasks = unmarked(tasks, cards, None);
            if of_parts(cards) && !tasks.is_empty() {
                let so_far = Judgement::of(Verdict::Inconclusive, pairs.effect(), too_few(&pairs));
                return Ruling::NeedMore { of, tasks, seed, so_far };
            }
        }
        if !pairs.covered() {
            return Ruling::Verdict(Judgement::of(Verdict::Inconclusive, pairs.effect(), too_few(&pairs)));
        }
        let effect = pairs.effect();
        let ((now, was), (verb, past)) = (pairs.words(), pairs.verb());
        if effect <= 0.0 {
            let why = match &smallest {
                Some(gain) => format!(
                    "not repeatable: it {} {} where {against} {} {}, but {now} when it was examined again, against {was}",
                    gain.verb().1,
                    gain.words().0,
                    gain.verb().1,
                    gain.words().1
                ),
                None if effect < 0.0 => format!("{verb} only {now} where {against} {past} {was}"),
                None => format!("{verb} {now}, no more than {against}"),
            };
            return Ruling::Verdict(Judgement::of(Verdict::Rejected, effect, why + &gaps(&pairs)));
        }
        if smallest.as_ref().is_none_or(|least| effect < least.effect()) {
            smallest = Some(pairs);
        }
    }
    let Some(least) = smallest else { unreachable!("a card was compared, for without one nothing is comparable") };
    let ((now, was), (verb, past)) = (least.words(), least.verb());
    let seen = format!("{verb} {now} where {against} {past} {was}");
    if whole.len() < 2 {
        let so_far =
            Judgement::of(Verdict::Inconclusive, least.effect(), format!("{seen}, examined once{}", gaps(&least)));
        let seed = variant.iter().map(|card| card.seed).max().map_or(0, |seed| seed + 1);
        return Ruling::NeedMore { of: Side::Variant, tasks: Vec::new(), seed, so_far };
    }
    let worst = extreme(&whole.iter().map(AsRef::as_ref).collect::<Vec<_>>(), f64::min);
    let best = extreme(&held, f64::max);
    let each = Pairs::of(&[&worst], &[&best], evidence.flaky);
    if each.effect() <= 0.0 {
        let (now, was) = each.words();
        let why = format!(
            "not repeatable: {seen} in the mean, but with each task at its worst it {verb} {now}, and {against} {past} {was} \
             at its best"
        );
        return Ruling::Verdict(Judgement::of(Verdict::Rejected, each.effect(), why + &gaps(&each)));
    }
    let why = format!("{seen}; a re-run confirmed it{}", gaps(&least));
    Ruling::Verdict(Judgement::of(Verdict::Accepted, least.effect(), why))
}

/// A card with each task at its lowest score, or at its highest, of all examinations in which it has a mark that counts.
fn extreme(cards: &[&Scorecard], of: fn(f64, f64) -> f64) -> Scorecard {
    let mut marks: BTreeMap<&TaskId, Mark> = BTreeMap::new();
    for mark in cards.iter().flat_map(|card| card.of(Split::Validation)) {
        let known = marks.entry(&mark.task).or_insert_with(|| mark.clone());
        match (known.status, mark.status) {
            (_, MarkStatus::Missing) => {}
            (MarkStatus::Missing, _) => *known = mark.clone(),
            _ => known.score = of(known.score, mark.score),
        }
    }
    Scorecard { evaluator: cards[0].evaluator, marks: marks.into_values().collect(), ..Scorecard::default() }
}

/// The pairs with that examination of the reference which leaves the smallest gain, of those that cover enough tasks.
fn against_best(card: &Scorecard, reference: &[&Scorecard], flaky: &BTreeSet<TaskId>) -> Pairs {
    let all = reference.iter().map(|other| Pairs::of(&[card], &[other], flaky));
    let least = all.min_by(|a, b| b.covered().cmp(&a.covered()).then(a.effect().total_cmp(&b.effect())));
    least.unwrap_or_else(|| Pairs::of(&[card], &[], flaky))
}
