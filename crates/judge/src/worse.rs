//! Whether a promoted variant got worse.

use std::collections::BTreeSet;

use meliora_domain::{Kind, Scorecard, TaskId};

use statrs::distribution::{ContinuousCDF, Normal};

use crate::pairs::{Pairs, gaps, incomparable, too_few, unviable, variance_within};
use crate::sample::often;
use crate::{MarginKind, Policy, sign_flip, sign_test, won};

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
/// The last look takes so many times the policy's seeds.
const LONGEST: u64 = 4;
/// The last look's part of alpha.
const LAST: f64 = 0.8;
/// More seeds are worth it where the next look can be expected at so many standard errors.
const IN_REACH: f64 = 1.0;
/// Patterns of signs that are drawn.
const DRAWS: u64 = 20_000;

/// Whether a promoted variant still stands.
///
/// Work that is not done at all is a drop whatever its scores say, once a second examination confirms it.
///
/// Exact: a drop is (reference − now) of the mean scores over the tasks that both sides have marks of, as a part of
/// |reference| or in points, as the policy says; against a reference of zero, where a part of it means nothing, it is in
/// points. It counts from the margin on, and every examination of today must show it, against every one of the reference;
/// there must be two at least.
///
/// Sample: non-inferiority, in looks: after one seed, after the policy's number of seeds, and after four times as many. Of
/// alpha, the last look has four fifths and the others the rest, so all of them together are wrong in alpha of cases at most.
/// It dropped if luck alone would seldom make tasks so much worse ([`sign_flip`], [`sign_test`]). It stands
///
/// - if its marks are the same as before, one by one;
/// - if a bet against "worse by the margin or more" has won enough: then that is shown for all tasks that these stand for;
/// - if seeds show it on these tasks: the mean, less what it would be if worse by the margin, is beyond what chance within tasks
///   makes of it, by the normal distribution (a stratified z-test, the tasks being the strata; Cochran, "Sampling
///   Techniques", 3rd ed., section 5.3).
///
/// More seeds are asked for as long as one of these is within reach of the next look. Unclear is what is left.
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
    let Regression { now, reference, flaky } = *known;
    let paired = Pairs::of(now, reference, flaky);
    if !paired.covered() {
        return Standing::Unclear(too_few(&paired));
    }
    let same = |card: &&Scorecard| Pairs::of(&[card], reference, flaky).differences().iter().all(|d| *d == 0.0);
    if now.iter().all(same) {
        return Standing::Stands(format!("{}: every task is marked as before", words(&paired, policy)));
    }
    let looks: BTreeSet<u64> = [1, policy.seeds.max(1), LONGEST * policy.seeds.max(1)].into();
    let (seeds, last) = (seeds(now), repeated(now));
    if !looks.contains(&(seeds.len() as u64)) && !last && (seeds.len() as u64) < LONGEST * policy.seeds.max(1) {
        return next(now);
    }
    let then = looks.range(seeds.len() as u64 + 1..).next().copied().filter(|_| !last);
    let level = policy.alpha * if then.is_none() { LAST } else { (1.0 - LAST) / (looks.len() - 1) as f64 };

    // Seeds that the reference was never examined with have no pair.
    let pairs = if seeds.is_subset(&self::seeds(reference)) { paired } else { Pairs::each(now, reference, flaky) };
    let seen = words(&pairs, policy);
    let margin = margin(policy);
    let bets = not_worse(&pairs, policy);
    if won(bets.iter().copied()) >= 1.0 / level {
        return Standing::Stands(format!("{seen}, and it is shown not to be worse by {margin}"));
    }
    let by_seeds = by_seeds(known, policy);
    if by_seeds.is_some_and(|z| tail(z) <= level) {
        let n = seeds.len();
        return Standing::Stands(format!("{seen}, and {n} seeds show it not to be worse by {margin} on these tasks"));
    }
    let losses: Vec<f64> = pairs.stakes().into_iter().map(|d| -d).collect();
    let (wins, lost) = pairs.wins_and_losses();
    let tally = format!("{seen}: worse on {lost} and better on {}", meliora_domain::counted(wins, "task"));
    let luck = if pairs.of_one_size() || !pairs.bounded() {
        sign_test(lost, wins)
    } else {
        sign_flip(&losses, seeds.len() as u64, DRAWS)
    };
    if pairs.effect() < 0.0 && luck <= level {
        return Standing::Dropped(format!("{tally}, luck alone would do that {}", often(luck)));
    }
    // How far the next look may be expected to see: what chance makes of a mean shrinks with the seeds of this side alone.
    let per_mark = |seeds: u64| 1.0 / seeds as f64 + 1.0 / self::seeds(reference).len().max(1) as f64;
    let sharper = then.map(|more| (per_mark(seeds.len() as u64) / per_mark(more)).sqrt());
    let expected = [Some(scale(&losses)), Some(scale(&bets)), by_seeds].into_iter().flatten().reduce(f64::max);
    if sharper.zip(expected).is_some_and(|(sharper, z)| z * sharper >= IN_REACH) {
        return next(now);
    }
    let short = if pairs.effect() < 0.0 { "too little to tell a drop from luck" } else { "no drop to be seen" };
    Standing::Unclear(format!(
        "{tally}, {short}, and too little to show that it is not worse by {margin}: more tasks or a wider margin could"
    ))
}

fn seeds(cards: &[&Scorecard]) -> BTreeSet<u64> {
    cards.iter().map(|card| card.seed).collect()
}

/// How many standard errors of chance within tasks the mean lies above what it would be if worse by the margin. `None` where
/// chance is not seen, or scores have no bounds, so that one task could weigh more than all others.
fn by_seeds(known: &Regression<'_>, policy: &Policy) -> Option<f64> {
    let Regression { now, reference, flaky } = *known;
    let pairs = Pairs::each(now, reference, flaky);
    let variance = variance_within(now, reference, flaky).filter(|variance| *variance > 0.0 && pairs.bounded())?;
    let sum: f64 = not_worse(&pairs, policy).iter().sum();
    Some(sum / variance.sqrt())
}

/// The mean of values in their standard errors; 0 where they do not differ.
fn scale(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if variance > 0.0 { mean / (variance / n).sqrt() } else { 0.0 }
}

/// The chance of a normal value above this one.
fn tail(z: f64) -> f64 {
    Normal::standard().sf(z)
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
