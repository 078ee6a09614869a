//! Whether a variant is better than its parent.

use meliora_domain::{Judgement, Kind, Scorecard, Verdict};

use crate::pairs::{Pairs, gaps, incomparable, too_few, unviable};
use crate::{Policy, sign_test};

/// What the judge says.
#[derive(Clone, PartialEq, Debug)]
pub enum Ruling {
    /// The verdict.
    Verdict(Judgement),
    /// Examine once more: a strict gain (or drop) on an exact suite counts only if a re-run shows it too.
    Rerun,
}

/// Judges a variant's validation marks against its parent's (the reference).
///
/// `variant` and `reference` hold one scorecard an examination, first examination first; all of one evaluator hash, else
/// the verdict is Inconclusive. Marks are paired by task; tasks without a mark that counts on both sides are left out,
/// and with fewer than half left the verdict is Inconclusive.
///
/// Exact: accepted if the mean rose in the first examination and in every re-run. Where examinations of the parent
/// disagree, the gain has to stand against each of them, so against its best. `effect` is then the smallest gain seen.
/// Sample: paired exact [`sign_test`] over the tasks, the scores of re-runs of one task averaged first.
pub fn judge(variant: &[&Scorecard], reference: &[&Scorecard], policy: &Policy) -> Ruling {
    if let Some(why) = incomparable(variant, reference) {
        return verdict(Verdict::Inconclusive, 0.0, None, why);
    }
    if unviable(variant[0]) {
        let effect = Pairs::of(&variant[..1], &reference[..1]).effect();
        let why =
            "it does no task at all: every one ended in a crash, a time-out, a limit or without a readable result";
        return verdict(Verdict::Unviable, effect, None, why.into());
    }
    match policy.kind {
        Kind::Exact => exact(variant, reference),
        Kind::Sample => sample(variant, reference, policy.alpha),
    }
}

fn exact(variant: &[&Scorecard], reference: &[&Scorecard]) -> Ruling {
    let mut smallest: Option<Pairs> = None;
    for card in variant {
        let pairs = against_best(card, reference);
        if !pairs.covered() {
            return verdict(Verdict::Inconclusive, pairs.effect(), None, too_few(&pairs));
        }
        let effect = pairs.effect();
        let ((now, was), (verb, past)) = (pairs.words(), pairs.verb());
        if effect <= 0.0 {
            let why = match &smallest {
                Some(gain) => format!(
                    "not repeatable: it {} {} where its parent {} {}, but {now} when it was examined again, against {was}",
                    gain.verb().1,
                    gain.words().0,
                    gain.verb().1,
                    gain.words().1
                ),
                None if effect < 0.0 => format!("{verb} only {now} where its parent {past} {was}"),
                None => format!("{verb} {now}, no more than its parent"),
            };
            return verdict(Verdict::Rejected, effect, None, why + &gaps(&pairs));
        }
        if smallest.as_ref().is_none_or(|least| effect < least.effect()) {
            smallest = Some(pairs);
        }
    }
    let (Some(least), true) = (smallest, variant.len() >= 2) else { return Ruling::Rerun };
    let ((now, was), (verb, past)) = (least.words(), least.verb());
    let why = format!("{verb} {now} where its parent {past} {was}; a re-run confirmed it{}", gaps(&least));
    verdict(Verdict::Accepted, least.effect(), None, why)
}

/// The pairs with that examination of the reference which leaves the smallest gain, of those that cover enough tasks.
fn against_best(card: &Scorecard, reference: &[&Scorecard]) -> Pairs {
    let all = reference.iter().map(|other| Pairs::of(&[card], &[other]));
    let least = all.min_by(|a, b| b.covered().cmp(&a.covered()).then(a.effect().total_cmp(&b.effect())));
    least.unwrap_or_else(|| Pairs::of(&[card], &[]))
}

fn sample(variant: &[&Scorecard], reference: &[&Scorecard], alpha: f64) -> Ruling {
    let pairs = Pairs::of(variant, reference);
    let effect = pairs.effect();
    let (wins, losses) = pairs.wins_and_losses();
    let p = sign_test(wins, losses);
    if !pairs.covered() {
        return verdict(Verdict::Inconclusive, effect, Some(p), too_few(&pairs));
    }
    let n = pairs.len();
    let count = format!("better on {wins} and worse on {losses} of {n} tasks than its parent");
    let chance = format!("luck alone would do as well {}", percent(p));
    let (outcome, why) = if effect <= 0.0 {
        (Verdict::Rejected, format!("{count}, and no better on average"))
    } else if p <= alpha {
        (Verdict::Accepted, format!("{count}; {chance}"))
    } else {
        let need = format!("{} % or less is asked for", round(alpha * 100.0));
        (Verdict::Inconclusive, format!("{count}, which is too little evidence: {chance}, and {need}"))
    };
    verdict(outcome, effect, Some(p), why + &gaps(&pairs))
}

/// `in 3.1 % of cases`.
pub(crate) fn percent(p: f64) -> String {
    if p < 0.001 { "in less than 0.1 % of cases".into() } else { format!("in {} % of cases", round(p * 100.0)) }
}

fn round(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn verdict(verdict: Verdict, effect: f64, p: Option<f64>, reason: String) -> Ruling {
    Ruling::Verdict(Judgement { verdict, effect, p, reason, alarms: Vec::new() })
}
