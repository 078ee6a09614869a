//! The Huxley-Gödel Machine: parents by what their descendants achieve, and examining apart from making.
//!
//! Wang, Piękos, Nanbo, Laakom, Chen, Ostaszewski, Zhuge, Schmidhuber: "Huxley-Gödel Machine: Human-Level Coding Agent
//! Development by an Approximation of the Optimal Self-Improving Machine", arXiv 2510.21614, section 3 and algorithm 1:
//!
//! - a clade's metaproductivity is estimated by the successes and failures of all its members together;
//! - with N marks and |T| variants, a variant is made iff `N^α ≥ |T|`, else one is examined on tasks it was not marked on;
//! - the parent is drawn by Thompson sampling from `Beta(τ (1 + S), τ (1 + F))` over clades, the variant to examine likewise
//!   over variants' own marks, with `τ = B / b` of the budget B and what is left of it, b;
//! - the final choice is the highest ε-quantile of `Beta(1 + s, 1 + f)`.
//!
//! Here the final choice is of a few finalists, which are examined on all tasks and judged like every champion: what was best
//! among many by few marks is mostly lucky. A mark between failure and success counts as a part of each. A child of two
//! parents belongs to the first one's clade. τ ends at 1000.

use super::blocks::Blocks;
use super::pool::{Belief, Pool};
use super::{Action, Exam, Strategy, arm_for, breeds, draw, inspirations, sound, unfinished};
use crate::budget::Budget;
use crate::lineage::{Lineage, NodeIndex, Run};
use crate::rng::Rng;

/// Scores are summed in these units, as whole numbers: a fresh index equals one kept for long.
const ONE: f64 = (1u64 << 32) as f64;
/// Scores farther from zero count as this far.
const FARTHEST: f64 = 1e18;
/// τ is at most this.
const HOTTEST: f64 = 1000.0;
/// Where no number of evaluations is a limit, the finalists' turn comes when this share of the budget is left.
const LAST_SHARE: f64 = 0.05;

/// Parents by their clades.
#[derive(Clone, Debug, Default)]
pub struct Hgm {
    run: u32,
    seen: usize,
    range: (f64, f64),
    own: Blocks<Sum>,
    clade: Blocks<Sum>,
    /// Tasks with a mark, over all variants.
    marks: i64,
    parents: Pool,
    unfinished: Pool,
    finished: Pool,
}

/// Scores of tasks, summed.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Sum {
    scores: i128,
    tasks: i64,
}

impl Sum {
    /// As successes and failures, where the lowest score there was is a failure and the highest a success.
    fn belief(self, (low, high): (f64, f64)) -> Belief {
        let tasks = self.tasks as f64;
        let successes = (self.scores as f64 / ONE - tasks * low) / (high - low);
        Belief::of(successes, tasks - successes)
    }
}

impl Hgm {
    fn catch_up(&mut self, lineage: &Lineage, run: &Run) {
        // 0 and 1 are failure and success; scores beyond them widen the range, and all beliefs with it.
        let range = (f64::from(run.range.0).clamp(-FARTHEST, 0.0), f64::from(run.range.1).clamp(1.0, FARTHEST));
        if self.run != run.number || self.range != range {
            *self = Hgm { run: run.number, range, ..Hgm::default() };
        }
        let touched = lineage.touched_since(self.seen);
        self.seen += touched.len();
        let places = lineage.nodes().len();
        self.own.reach(places);
        self.clade.reach(places);
        for index in touched {
            self.take(lineage, run, *index);
        }
    }

    fn take(&mut self, lineage: &Lineage, run: &Run, index: NodeIndex) {
        let (node, place) = (lineage.node(index), index as usize);
        if node.run != run.number {
            return;
        }
        let mut now = Sum::default();
        for (_, score) in node.by_task.iter() {
            now.scores += (f64::from(score).clamp(-FARTHEST, FARTHEST) * ONE) as i128;
            now.tasks += 1;
        }
        let before = std::mem::replace(&mut self.own[place], now);
        if before != now {
            let (scores, tasks) = (now.scores - before.scores, now.tasks - before.tasks);
            self.marks += tasks;
            let mut at = Some(index);
            while let Some(member) = at.filter(|m| lineage.node(*m).run == run.number) {
                let clade = &mut self.clade[member as usize];
                clade.scores += scores;
                clade.tasks += tasks;
                self.believe_clade(lineage, run, member);
                at = lineage.node(member).parents.first().copied();
            }
        }
        self.believe_clade(lineage, run, index);
        let own = self.own[place].belief(self.range);
        let open = unfinished(node, run);
        self.unfinished.set(index, open.then_some(own));
        self.finished.set(index, (!open && node.whole && sound(node, run)).then_some(own));
    }

    fn believe_clade(&mut self, lineage: &Lineage, run: &Run, index: NodeIndex) {
        let belief = breeds(lineage.node(index), run).then(|| self.clade[index as usize].belief(self.range));
        self.parents.set(index, belief);
    }

    /// Of the few that are surest to be good, the best that was not examined on all tasks yet; once what is left of the budget
    /// is no more than it takes to examine them all, twice.
    fn finalist(&self, run: &Run, budget: &Budget) -> Option<NodeIndex> {
        let limit = budget.limit().evals;
        let most = u64::from(run.plan.search.hgm.finalists);
        let most = if limit > 0 { most.min(limit / 10).max(1) } else { most };
        let over = budget.charged().evals + 2 * most >= limit;
        let early = if limit > 0 { !over } else { budget.left() > LAST_SHARE };
        if early {
            return None;
        }
        let (epsilon, most) = (run.plan.search.hgm.epsilon, most as usize);
        let mut best = self.unfinished.surest(epsilon, most);
        best.extend(self.finished.surest(epsilon, most));
        best.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let unfinished = |index: &NodeIndex| self.unfinished.holds(*index);
        best.into_iter().take(most).map(|(_, index)| index).find(unfinished)
    }
}

impl Strategy for Hgm {
    fn name(&self) -> &'static str {
        "hgm"
    }

    fn next(&mut self, lineage: &Lineage, budget: &Budget, rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        self.catch_up(lineage, run);
        let plan = &run.plan.search.hgm;
        let examine = |index: NodeIndex, most: usize, rng: &mut Rng| {
            let node = lineage.node(index);
            let unseen: Vec<u32> = lineage.unseen(node).collect();
            Action::Examine { variant: node.id, tasks: draw(lineage, &unseen, most, rng) }
        };
        if let Some(finalist) = self.finalist(run, budget) {
            return examine(finalist, usize::MAX, rng);
        }
        let heat = (1.0 / budget.left().max(1.0 / HOTTEST)).max(1.0);
        let grows = (self.marks.max(0) as f64).powf(plan.alpha) >= f64::from(run.variants);
        let batch = plan.batch.max(1) as usize;
        if (!grows || self.parents.is_empty())
            && let Some(index) = self.unfinished.draw(heat, rng)
        {
            return examine(index, batch, rng);
        }
        let Some(parent) = self.parents.draw(heat, rng) else { return Action::Stop };
        let node = lineage.node(parent);
        let turn = rng.bits();
        let Some(arm) = arm_for(node, run, turn, rng) else { return Action::Stop };
        let first = batch.max(run.plan.search.first_tasks as usize);
        let exam =
            if first >= run.tasks.len() { Exam::Whole } else { Exam::Part(draw(lineage, &run.tasks, first, rng)) };
        Action::Expand { parents: vec![node.id], inspirations: inspirations(lineage, parent, 3), arm, exam }
    }
}
