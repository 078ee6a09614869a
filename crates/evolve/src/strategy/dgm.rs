//! The Darwin Gödel Machine's choice of a parent.
//!
//! Zhang, Hu, Lu, Lange, Clune: "Darwin Gödel Machine: Open-Ended Evolution of Self-Improving Agents",
//! arXiv 2505.22954, appendix "Parent selection": with score `a` and `n` children,
//! `s = 1 / (1 + exp(-10 (a - 0.5)))`, `h = 1 / (1 + n)`, and a parent is drawn with probability proportional to `s h`.
//! Every viable variant stays in the archive and may be drawn.

use super::{Action, Strategy, arm_for, inspirations};
use crate::budget::Budget;
use crate::lineage::{Lineage, Node};
use crate::rng::Rng;

/// Steepness of the sigmoid (λ in the paper).
const STEEPNESS: f64 = 10.0;
/// Score at which the sigmoid is one half (α₀ in the paper).
const MIDPOINT: f64 = 0.5;
/// Weights are whole numbers, so that sums are exact in any order: a fresh index equals one kept for long.
const ONE: f64 = (1u64 << 32) as f64;

/// Draws parents by score and novelty.
#[derive(Clone, Debug, Default)]
pub struct Dgm {
    run: u32,
    seen: usize,
    weights: Sums,
}

/// The weight of a variant, in units of 2⁻³², at least 1 where it may be drawn.
///
/// A score below 0 or above 1 saturates the sigmoid, as the formula says.
fn weight(node: &Node, run: u32, arms: usize) -> u64 {
    let open = arm_for(node, arms, 0).is_some();
    if node.run != run || !node.viable() || !open {
        return 0;
    }
    let score = node.score.unwrap_or(0.0);
    let s = 1.0 / (1.0 + (-STEEPNESS * (score - MIDPOINT)).exp());
    let h = 1.0 / (1.0 + f64::from(node.children));
    ((s * h * ONE) as u64).max(1)
}

impl Dgm {
    /// Brings the index up to date with the lineage.
    fn catch_up(&mut self, lineage: &Lineage, run: u32, arms: usize) {
        if self.run != run {
            *self = Dgm { run, ..Dgm::default() };
        }
        let touched = lineage.touched_since(self.seen);
        self.seen += touched.len();
        for index in touched {
            self.weights.set(*index as usize, weight(lineage.node(*index), run, arms));
        }
    }
}

impl Strategy for Dgm {
    fn name(&self) -> &'static str {
        "dgm"
    }

    fn next(&mut self, lineage: &Lineage, _budget: &Budget, rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        let arms = run.plan.arms.len();
        self.catch_up(lineage, run.number, arms);
        let total = self.weights.total();
        if total == 0 {
            return Action::Stop;
        }
        let parent = self.weights.find(rng.below(total));
        let node = lineage.node(parent as u32);
        match arm_for(node, arms, rng.bits()) {
            Some(arm) => {
                Action::Expand { parents: vec![node.id], inspirations: inspirations(lineage, parent as u32, 3), arm }
            }
            None => Action::Stop,
        }
    }
}

/// Sums of weights by prefix (Fenwick, "A New Data Structure for Cumulative Frequency Tables", 1994):
/// changing a weight and drawing by weight take a number of steps logarithmic in the number of variants.
#[derive(Clone, Debug, Default)]
struct Sums {
    weights: Vec<u64>,
    tree: Vec<u64>,
}

impl Sums {
    fn set(&mut self, index: usize, weight: u64) {
        if index >= self.weights.len() {
            let capacity = (index + 1).next_power_of_two().max(64);
            self.weights.resize(capacity, 0);
            self.rebuild();
        }
        let delta = weight.wrapping_sub(self.weights[index]);
        self.weights[index] = weight;
        let mut i = index + 1;
        while i < self.tree.len() {
            self.tree[i] = self.tree[i].wrapping_add(delta);
            i += i & i.wrapping_neg();
        }
    }

    fn rebuild(&mut self) {
        self.tree = vec![0; self.weights.len() + 1];
        for i in 1..self.tree.len() {
            self.tree[i] = self.tree[i].wrapping_add(self.weights[i - 1]);
            let above = i + (i & i.wrapping_neg());
            if above < self.tree.len() {
                self.tree[above] = self.tree[above].wrapping_add(self.tree[i]);
            }
        }
    }

    fn total(&self) -> u64 {
        // The length is a power of two, so the last entry spans all.
        self.tree.last().copied().unwrap_or(0)
    }

    /// The index whose weight spans the `at`-th unit; `at` below the total.
    fn find(&self, mut at: u64) -> usize {
        let mut index = 0;
        let mut span = self.weights.len();
        while span > 0 {
            let next = index + span;
            if next < self.tree.len() && self.tree[next] <= at {
                at -= self.tree[next];
                index = next;
            }
            span /= 2;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn drawing_by_sums_is_drawing_by_weight(weights in proptest::collection::vec(0u64..50, 1..200), at in 0u64..10_000) {
            let mut sums = Sums::default();
            for (i, w) in weights.iter().enumerate() {
                sums.set(i, w + 3);
                sums.set(i, *w);
            }
            let total: u64 = weights.iter().sum();
            prop_assert_eq!(sums.total(), total);
            if total > 0 {
                let at = at % total;
                let mut before = 0;
                let expected = weights.iter().position(|w| { before += w; before > at }).unwrap();
                prop_assert_eq!(sums.find(at), expected);
            }
        }
    }
}
