//! Tasks that are the goal themselves, and whose marks differ each time: evidence over seeds decides.
//!
//! Where a suite is exact and its marks are not, be it by the evaluator or by the work, a gain that a re-run confirms is
//! no evidence: of two pairs of draws from one distribution, one lies wholly above the other in a sixth of all cases. Then
//! both sides are examined with the same seeds, and each seed is one observation: higher, lower or the same. A bet that is
//! looked at after every seed ([`evidence`](crate::evidence)) accepts once luck alone would win as much in less than the
//! candidate's [`share`] of the run's alpha, which takes some 14 seeds that are all higher.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::{Judgement, Scorecard, TaskId, Verdict};

use crate::better::{Evidence, Ruling, Side};
use crate::pairs::{Pairs, gaps, too_few};
use crate::repeats::{MOST_FLAKY, repeats};
use crate::sample::often;
use crate::whole::unmarked;
use crate::{Policy, evidence, share, subsets};

/// So many seeds, and what is still open stays so.
const MOST: usize = 40;

/// Whether so many tasks are marked differently each time, on one side or on both, that no strict gain says anything.
pub(crate) fn differ(known: &Evidence<'_>) -> bool {
    let (mut all, mut differing) = (BTreeSet::<TaskId>::new(), BTreeSet::<TaskId>::new());
    for side in [known.variant, known.reference] {
        for task in repeats(side).tasks.into_iter().filter(|task| !known.flaky.contains(&task.task)) {
            // Sums that are rounded otherwise are no other marks.
            let (low, high) = task.range;
            if high - low > 1e-12 * high.abs().max(low.abs()) {
                differing.insert(task.task.clone());
            }
            all.insert(task.task);
        }
    }
    differing.len() as f64 > MOST_FLAKY * all.len() as f64
}

/// The verdict by seeds, or which examination could decide; a variant without an examination never comes here.
pub(crate) fn by_seed(known: &Evidence<'_>, policy: &Policy) -> Ruling {
    let Evidence { variant, reference, tasks, flaky, against, .. } = *known;
    let allowed = share(policy.alpha, known.candidate);
    let (ours, theirs) = (by_number(variant), by_number(reference));
    let all = Pairs::of(variant, reference, flaky);

    let (mut signs, mut effects) = (Vec::new(), Vec::new());
    for (seed, cards) in &ours {
        for (of, side) in [(Side::Variant, variant), (Side::Reference, reference)] {
            let missing = unmarked(tasks, side, Some(*seed));
            if !missing.is_empty() {
                let why = format!("{}, which the same seed on the other side has to show", count(&signs, against));
                let tasks = if missing.len() == tasks.len() { Vec::new() } else { missing };
                let so_far = Judgement::of(Verdict::Inconclusive, all.effect(), why);
                return Ruling::NeedMore { of, tasks, seed: *seed, so_far };
            }
        }
        let pair = Pairs::of(cards, &theirs[seed], flaky);
        if !pair.covered() {
            return Ruling::Verdict(Judgement::of(Verdict::Inconclusive, pair.effect(), too_few(&pair)));
        }
        effects.push(pair.effect());
        signs.push(if pair.effect() == 0.0 { 0.0 } else { pair.effect().signum() });
    }

    let effect = effects.iter().sum::<f64>() / effects.len().max(1) as f64;
    let (e, lost) = (evidence(signs.iter().copied()), evidence(signs.iter().map(|sign| -sign)));
    let say = |verdict, why: String| Judgement {
        interval: subsets(&effects, policy.alpha, known.seed),
        e: Some(e),
        share: Some(allowed),
        ..Judgement::of(verdict, effect, why + &gaps(&all))
    };
    let told = count(&signs, against);
    if effect <= 0.0 || lost >= 1.0 / policy.alpha {
        return Ruling::Verdict(say(Verdict::Rejected, format!("{told}, and is no better on average")));
    }
    if e >= 1.0 / allowed {
        let why = format!("{told}; luck alone would do as well {}", often(1.0 / e));
        return Ruling::Verdict(say(Verdict::Accepted, why));
    }
    let open = MOST.saturating_sub(signs.len());
    let at_best = evidence(signs.iter().copied().chain(std::iter::repeat_n(1.0, open)));
    let weak = format!("{told}: marks differ each time, and luck alone would do as well {}", often(1.0 / e));
    if at_best < 1.0 / allowed {
        return Ruling::Verdict(say(Verdict::Inconclusive, weak));
    }
    let seed = ours.keys().next_back().map_or(0, |seed| seed + 1);
    Ruling::NeedMore { of: Side::Variant, tasks: Vec::new(), seed, so_far: say(Verdict::Inconclusive, weak) }
}

/// The cards of each seed.
fn by_number<'a>(cards: &[&'a Scorecard]) -> BTreeMap<u64, Vec<&'a Scorecard>> {
    let mut out: BTreeMap<u64, Vec<&Scorecard>> = BTreeMap::new();
    for card in cards {
        out.entry(card.seed).or_default().push(card);
    }
    out
}

/// `higher than its parent with 11 of 14 seeds, lower with 2`
fn count(signs: &[f64], against: &str) -> String {
    let of = |sign: f64| signs.iter().filter(|s| **s == sign).count();
    let lower = if of(-1.0) > 0 { format!(", lower with {}", of(-1.0)) } else { String::new() };
    format!("higher than {against} with {} of {}{lower}", of(1.0), meliora_domain::counted(signs.len(), "seed"))
}
