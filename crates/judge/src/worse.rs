//! Whether a promoted variant got worse.

use meliora_domain::{Kind, Scorecard};

use crate::better::percent;
use crate::pairs::{Pairs, gaps, incomparable, too_few, unviable};
use crate::{Policy, sign_test};

/// What a re-examination of a promoted variant says.
#[derive(Clone, PartialEq, Debug)]
pub enum Standing {
    /// No drop that counts.
    Stands(String),
    /// A drop of the margin or more that counts.
    Dropped(String),
    /// A drop that is not evidence enough.
    Unclear(String),
    /// Examine once more.
    Rerun,
}

/// Rounding that a drop of just the margin may fall short by, as a part of the reference.
const SLACK: f64 = 1e-9;

/// Whether a promoted variant still stands: `now` are its marks of today, `reference` those it is held against.
///
/// A drop is (reference − now) / |reference|, of the mean scores over the tasks that both sides have marks of; against a
/// reference of zero, where a part of it means nothing, it is counted in score points. It counts from the policy's margin
/// on. Exact: every examination of today must show it, against every one of the reference, and there must be two at
/// least. Sample: the paired exact [`sign_test`] must show it too. Work that is not done at all is a drop
/// whatever its scores say, once a second examination confirms it.
pub fn standing(now: &[&Scorecard], reference: &[&Scorecard], policy: &Policy) -> Standing {
    if let Some(why) = incomparable(now, reference) {
        return Standing::Unclear(why);
    }
    if now.iter().all(|card| unviable(card)) && !reference.iter().any(|card| unviable(card)) {
        let why = "it does no task at all any more, and a re-run confirmed it";
        return if now.len() >= 2 { Standing::Dropped(why.into()) } else { Standing::Rerun };
    }
    match policy.kind {
        Kind::Exact => exact(now, reference, policy.margin),
        Kind::Sample => sample(now, reference, policy),
    }
}

fn exact(now: &[&Scorecard], reference: &[&Scorecard], margin: f64) -> Standing {
    let mut worst: Option<Pairs> = None;
    for card in now {
        let all = reference.iter().map(|other| Pairs::of(&[card], &[other]));
        let mildest = all.min_by(|a, b| b.covered().cmp(&a.covered()).then(drop_of(a).total_cmp(&drop_of(b))));
        let pairs = mildest.unwrap_or_else(|| Pairs::of(&[card], &[]));
        if !pairs.covered() {
            return Standing::Unclear(too_few(&pairs));
        }
        if !counts(&pairs, margin) {
            let was = if worst.is_some() { "a drop was seen once and is not repeatable: it " } else { "" };
            return Standing::Stands(format!("{was}{}", words(&pairs)));
        }
        worst = Some(pairs);
    }
    match worst {
        Some(pairs) if now.len() >= 2 => Standing::Dropped(format!("{}; a re-run confirmed it", words(&pairs))),
        _ => Standing::Rerun,
    }
}

fn sample(now: &[&Scorecard], reference: &[&Scorecard], policy: &Policy) -> Standing {
    let pairs = Pairs::of(now, reference);
    if !pairs.covered() {
        return Standing::Unclear(too_few(&pairs));
    }
    if !counts(&pairs, policy.margin) {
        return Standing::Stands(words(&pairs));
    }
    let (wins, losses) = pairs.wins_and_losses();
    let p = sign_test(losses, wins);
    let why = format!(
        "{}: worse on {losses} and better on {wins} tasks, luck alone would do that {}",
        words(&pairs),
        percent(p)
    );
    if p <= policy.alpha {
        Standing::Dropped(why)
    } else {
        Standing::Unclear(format!("{why}, which is too little evidence"))
    }
}

fn drop_of(pairs: &Pairs) -> f64 {
    let (_, reference) = pairs.means();
    -pairs.effect() / if reference == 0.0 { 1.0 } else { reference.abs() }
}

fn counts(pairs: &Pairs, margin: f64) -> bool {
    let drop = drop_of(pairs);
    drop > 0.0 && drop + SLACK >= margin
}

/// `scores 0.9000 on average where 1.0000 is its reference, a drop of 10.0 %`.
fn words(pairs: &Pairs) -> String {
    let ((now, was), (verb, past), drop) = (pairs.words(), pairs.verb(), drop_of(pairs));
    let (_, reference) = pairs.means();
    let change = if drop <= 0.0 {
        "no drop".to_owned()
    } else if reference == 0.0 {
        format!("a drop of {drop:.4} points")
    } else {
        format!("a drop of {:.1} %", drop * 100.0)
    };
    format!("{verb} {now} where it {past} {was} before, {change}{}", gaps(pairs))
}
