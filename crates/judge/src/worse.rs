//! Whether a promoted variant got worse.

use std::collections::BTreeSet;

use meliora_domain::{Kind, Scorecard, TaskId};

use crate::pairs::{Pairs, gaps, incomparable, too_few, unviable};
use crate::sample::often;
use crate::{MarginKind, Policy, won};

/// What a re-examination of a promoted variant says.
#[derive(Clone, PartialEq, Debug)]
pub enum Standing {
    /// No drop that counts.
    Stands(String),
    /// A drop that counts.
    Dropped(String),
    /// Neither is shown.
    Unclear(String),
    /// Examine once more, with this seed.
    NeedMore {
        /// The seed.
        seed: u64,
    },
}

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct Regression<'a> {
    /// The promoted variant's scorecards of today.
    pub now: &'a [&'a Scorecard],
    /// Those that it is held against.
    pub reference: &'a [&'a Scorecard],
    /// Tasks whose marks do not count.
    pub flaky: &'a BTreeSet<TaskId>,
}

/// Rounding that a drop of just the margin may fall short by, as a part of the reference.
const SLACK: f64 = 1e-9;

/// Whether a promoted variant still stands.
///
/// Work that is not done at all is a drop whatever its scores say, once a second examination confirms it.
///
/// Exact: a drop is (reference − now) of the mean scores over the tasks that both sides have marks of, as a part of
/// |reference| or in points, as the policy says; against a reference of zero, where a part of it means nothing, it is in
/// points. It counts from the margin on, and every examination of today must show it, against every one of the reference;
/// there must be two at least.
///
/// Sample: non-inferiority. It stands if a bet against "worse by the margin or more" has won enough; it dropped if a bet
/// against "no worse" has. Where neither has, more seeds are asked for as long as it looks worse, up to the policy's number;
/// each look at them has an equal part of alpha, so all of them together are wrong in alpha of cases at most. Unclear is
/// what is left. Marks that are the same as before, one by one, are no drop and need no evidence.
pub fn standing(known: &Regression<'_>, policy: &Policy) -> Standing {
    let Regression { now, reference, .. } = known;
    if let Some(why) = incomparable(now, reference) {
        return Standing::Unclear(why);
    }
    if now.iter().all(|card| unviable(card)) && !reference.iter().any(|card| unviable(card)) {
        let why = "it does no task at all any more, and a re-run confirmed it";
        return if now.len() >= 2 { Standing::Dropped(why.into()) } else { next(now) };
    }
    match policy.kind {
        Kind::Exact => exact(known, policy),
        Kind::Sample => sample(known, policy),
    }
}

fn next(now: &[&Scorecard]) -> Standing {
    Standing::NeedMore { seed: now.iter().map(|card| card.seed).max().map_or(0, |seed| seed + 1) }
}

fn exact(known: &Regression<'_>, policy: &Policy) -> Standing {
    let mut worst: Option<Pairs> = None;
    for card in known.now {
        let all = known.reference.iter().map(|other| Pairs::of(&[card], &[other], known.flaky));
        let kind = policy.margin_kind;
        let mildest =
            all.min_by(|a, b| b.covered().cmp(&a.covered()).then(drop_of(a, kind).total_cmp(&drop_of(b, kind))));
        let pairs = mildest.unwrap_or_else(|| Pairs::of(&[card], &[], known.flaky));
        if !pairs.covered() {
            return Standing::Unclear(too_few(&pairs));
        }
        if !counts(&pairs, policy) {
            let was = if worst.is_some() { "a drop was seen once and is not repeatable: it " } else { "" };
            return Standing::Stands(format!("{was}{}", words(&pairs, policy)));
        }
        worst = Some(pairs);
    }
    match worst {
        Some(pairs) if known.now.len() >= 2 => {
            Standing::Dropped(format!("{}; a re-run confirmed it", words(&pairs, policy)))
        }
        _ => next(known.now),
    }
}

fn sample(known: &Regression<'_>, policy: &Policy) -> Standing {
    let pairs = Pairs::of(known.now, known.reference, known.flaky);
    if !pairs.covered() {
        return Standing::Unclear(too_few(&pairs));
    }
    let seen = words(&pairs, policy);
    let differences = pairs.differences();
    if differences.iter().all(|d| *d == 0.0) {
        return Standing::Stands(format!("{seen}: every task is marked as before"));
    }
    let looks = policy.seeds.max(1);
    let enough = looks as f64 / policy.alpha;
    let fine = won(not_worse(&pairs, policy));
    if fine >= enough {
        return Standing::Stands(format!("{seen}, and it is shown not to be worse by {}", margin(policy)));
    }
    let dropped = won(pairs.stakes().into_iter().map(|d| -d));
    let (wins, losses) = pairs.wins_and_losses();
    let tally = format!("{seen}: worse on {losses} and better on {}", meliora_domain::counted(wins, "task"));
    if dropped >= enough {
        return Standing::Dropped(format!("{tally}, luck alone would do that {}", often(1.0 / dropped)));
    }
    let seeds: BTreeSet<u64> = known.now.iter().map(|card| card.seed).collect();
    if pairs.effect() < 0.0 && (seeds.len() as u64) < looks && !repeated(known.now) {
        return next(known.now);
    }
    let short = if pairs.effect() < 0.0 { "too little to tell a drop from luck" } else { "no drop to be seen" };
    Standing::Unclear(format!(
        "{tally}, {short}, and too little to show that it is not worse by {}: more tasks or a wider margin could",
        margin(policy)
    ))
}

/// Values whose mean is zero or less where it is worse by the margin or more.
fn not_worse(pairs: &Pairs, policy: &Policy) -> Vec<f64> {
    let (_, reference) = pairs.means();
    let relative = policy.margin_kind == MarginKind::Relative && reference != 0.0;
    let value = |(a, b): &(f64, f64)| {
        let least = if relative { b - policy.margin * b.abs() } else { b - policy.margin };
        a - least
    };
    let values = pairs.scores().iter().map(value);
    // Without bounds, only whether each task is worse by the margin counts.
    if pairs.bounded() { values.collect() } else { values.map(|v| if v == 0.0 { 0.0 } else { v.signum() }).collect() }
}

/// Whether more seeds change nothing: the examinations of two are the same, mark by mark.
fn repeated(now: &[&Scorecard]) -> bool {
    let last = now.len().saturating_sub(1);
    let scores = |card: &Scorecard| card.marks.iter().map(|m| (m.task.clone(), m.score.to_bits())).collect::<Vec<_>>();
    last > 0 && now[last].seed != now[last - 1].seed && scores(now[last]) == scores(now[last - 1])
}

fn margin(policy: &Policy) -> String {
    match policy.margin_kind {
        MarginKind::Relative => format!("{} %", policy.margin * 100.0),
        MarginKind::Absolute => format!("{} points", policy.margin),
    }
}

fn drop_of(pairs: &Pairs, kind: MarginKind) -> f64 {
    let (_, reference) = pairs.means();
    let whole = if kind == MarginKind::Absolute || reference == 0.0 { 1.0 } else { reference.abs() };
    -pairs.effect() / whole
}

fn counts(pairs: &Pairs, policy: &Policy) -> bool {
    let drop = drop_of(pairs, policy.margin_kind);
    drop > 0.0 && drop + SLACK >= policy.margin
}

/// `scores 0.9000 on average where it scored 1.0000 before, a drop of 10.0 %`.
fn words(pairs: &Pairs, policy: &Policy) -> String {
    let ((now, was), (verb, past)) = (pairs.words(), pairs.verb());
    let drop = drop_of(pairs, policy.margin_kind);
    let (_, reference) = pairs.means();
    let change = if drop <= 0.0 {
        "no drop".to_owned()
    } else if reference == 0.0 || policy.margin_kind == MarginKind::Absolute {
        format!("a drop of {drop:.4} points")
    } else {
        format!("a drop of {:.1} %", drop * 100.0)
    };
    format!("{verb} {now} where it {past} {was} before, {change}{}", gaps(pairs))
}
