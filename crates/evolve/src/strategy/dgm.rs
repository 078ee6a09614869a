//! The Darwin Gödel Machine's choice of a parent.
//!
//! Zhang, Hu, Lu, Lange, Clune: "Darwin Gödel Machine: Open-Ended Evolution of Self-Improving Agents",
//! arXiv 2505.22954, appendix "Parent selection": with score `a` and `n` children,
//! `s = 1 / (1 + exp(-10 (a - 0.5)))`, `h = 1 / (1 + n)`, and a parent is drawn with probability proportional to `s h`.
//! Every viable variant stays in the archive and may be drawn.
//!
//! With `scale = "median"`, `s = 1 / (1 + exp(-10 z))` with `z = (a - median) / max(MAD, 10⁻⁶)` over the variants that may be
//! drawn, as in Lange, Imajuku, Cetin: "ShinkaEvolve", arXiv 2509.19349, section 3.1 "weighted sampling". It does not
//! matter then what range scores have.

use meliora_domain::Scale;

use super::order::Ordered;
use super::ranks::Ranks;
use super::sums::Sums;
use super::{Action, Strategy, breeds, expand};
use crate::budget::Budget;
use crate::lineage::{Lineage, Run};
use crate::rng::Rng;

/// Steepness of the sigmoid (λ in the paper).
const STEEPNESS: f64 = 10.0;
/// Score at which the sigmoid is one half (α₀ in the paper).
const MIDPOINT: f64 = 0.5;
/// Weights are whole numbers, so that sums are exact in any order: a fresh index equals one kept for long.
const ONE: f64 = (1u64 << 32) as f64;
/// Least median absolute deviation, as in the paper's code.
const LEAST_MAD: f64 = 1e-6;
/// After so many draws that the sigmoid refused, the last one counts: all that may be drawn lie far below the median.
const DRAWS: u32 = 1000;

/// Draws parents by score and novelty.
#[derive(Clone, Debug, Default)]
pub struct Dgm {
    run: u32,
    seen: usize,
    weights: Sums,
    /// Scores of the variants that may be drawn, where the scale is their median.
    scores: Ranks,
    counted: Vec<Option<Ordered>>,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-STEEPNESS * x).exp())
}

impl Dgm {
    /// Brings the index up to date with the lineage.
    fn catch_up(&mut self, lineage: &Lineage, run: &Run) {
        if self.run != run.number {
            *self = Dgm { run: run.number, ..Dgm::default() };
        }
        let scale = run.plan.search.dgm.scale;
        let touched = lineage.touched_since(self.seen);
        self.seen += touched.len();
        for index in touched {
            let (node, place) = (lineage.node(*index), *index as usize);
            // Without a finite score it counts as nothing: it may be drawn, but seldom.
            let score = Ordered::of(node.score).unwrap_or(Ordered(0.0));
            let fits = breeds(node, run);
            let s = if scale == Scale::Fixed { sigmoid(score.0 - MIDPOINT) } else { 1.0 };
            let weight = (s / (1.0 + f64::from(node.children)) * ONE) as u64;
            self.weights.set(place, if fits { weight.max(1) } else { 0 });
            if scale == Scale::Median {
                self.count(place, fits.then_some(score));
            }
        }
        self.scores.settle();
    }

    fn count(&mut self, place: usize, score: Option<Ordered>) {
        if self.counted.len() <= place {
            self.counted.resize(place + 1, None);
        }
        if self.counted[place] == score {
            return;
        }
        if let Some(before) = std::mem::replace(&mut self.counted[place], score) {
            self.scores.remove(before);
        }
        if let Some(now) = score {
            self.scores.insert(now);
        }
    }

    /// Draws by novelty, and takes each draw with the chance that the sigmoid gives its score: so each is drawn in proportion
    /// to the product (von Neumann, 1951), though the median moves with every variant.
    fn draw_around_median(&self, rng: &mut Rng) -> usize {
        let Some((median, mad)) = self.scores.median_and_mad() else { return 0 };
        let mut drawn = 0;
        for _ in 0..DRAWS {
            drawn = self.weights.find(rng.below(self.weights.total()));
            let score = self.counted[drawn].unwrap_or(Ordered(0.0)).0;
            // Halves first: the distance of huge scores is no number else.
            let z = (score / 2.0 - median / 2.0) / (mad.max(LEAST_MAD) / 2.0);
            if rng.unit() < sigmoid(z) {
                break;
            }
        }
        drawn
    }
}

impl Strategy for Dgm {
    fn name(&self) -> &'static str {
        "dgm"
    }

    fn next(&mut self, lineage: &Lineage, _budget: &Budget, rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        self.catch_up(lineage, run);
        let total = self.weights.total();
        if total == 0 {
            return Action::Stop;
        }
        let parent = match run.plan.search.dgm.scale {
            Scale::Fixed => self.weights.find(rng.below(total)),
            Scale::Median => self.draw_around_median(rng),
        } as u32;
        let turn = rng.bits();
        expand(lineage, run, parent, (turn, 3), rng)
    }
}
