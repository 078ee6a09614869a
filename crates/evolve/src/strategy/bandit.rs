//! Which proposer to ask: the one that brought most, that was asked seldom, that is cheap.
//!
//! Lange, Imajuku, Cetin: "ShinkaEvolve: Towards Open-Ended and Sample-Efficient Program Evolution", arXiv 2509.19349, section
//! 3.3, an upper confidence bound (Auer, Cesa-Bianchi, Fischer 2002, UCB1) on gains that are never negative: with gain
//! `r = max(score − max(parent, baseline), 0)` and sums that decay, an arm's mean is `Σ (eʳ − 1) / n`, held against the best
//! arm's, and its bound is `mean + c √(2 ln t / n)`. Cheapness is blended in: `(1 − k) · bound + k · (1 − cost / dearest)`.

use super::Arm;
use crate::lineage::{ArmRecord, Run};
use crate::rng::Rng;

/// The proposer to ask, of those that are open: each once first, then the one with the highest bound, or now and then any.
pub(super) fn choose(run: &Run, open: &[Arm], rng: &mut Rng) -> Option<Arm> {
    let records: Vec<(Arm, ArmRecord)> = open.iter().filter_map(|arm| Some((*arm, *run.arms.get(*arm)?))).collect();
    if let Some((arm, _)) = records.iter().find(|(_, record)| record.asked == 0) {
        return Some(*arm);
    }
    let plan = &run.plan.search.bandit;
    if rng.unit() < plan.epsilon {
        return records.get(rng.below(records.len() as u64) as usize).map(|(arm, _)| *arm);
    }
    let log_mean = |r: &ArmRecord| r.log_gain - r.weight.ln();
    let best = records.iter().filter(|(_, r)| r.gained()).map(|(_, r)| log_mean(r)).fold(f64::MIN, f64::max);
    let asked: f64 = records.iter().map(|(_, r)| r.weight).sum();
    let costs = costs(&records);
    let dearest = costs.iter().copied().fold(0.0, f64::max);
    let bound = |r: &ArmRecord, cost: f64| {
        let mean = if r.gained() { (log_mean(r) - best).exp() } else { 0.0 };
        let bound = mean + plan.exploration * (2.0 * asked.max(1.0).ln() / r.weight).sqrt();
        if dearest > 0.0 { (1.0 - plan.cheapness) * bound + plan.cheapness * (1.0 - cost / dearest) } else { bound }
    };
    let mut choice: Option<(Arm, f64)> = None;
    for ((arm, record), cost) in records.iter().zip(costs) {
        let bound = bound(record, cost);
        if choice.is_none_or(|(_, highest)| bound > highest) {
            choice = Some((*arm, bound));
        }
    }
    choice.map(|(arm, _)| arm)
}

/// What an attempt of each costs on average: in money, in tokens where none costs money.
fn costs(records: &[(Arm, ArmRecord)]) -> Vec<f64> {
    let paid = records.iter().any(|(_, r)| r.usd > 0.0);
    records.iter().map(|(_, r)| if paid { r.usd / r.weight } else { r.tokens / r.weight }).collect()
}
