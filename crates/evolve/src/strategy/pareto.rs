//! Parents from the front of those that are best at some task.
//!
//! Agrawal and others: "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning", arXiv 2507.19457, algorithm 2:
//! for each validation task the variants with the highest score on it; a variant is dropped if on each of its tasks another
//! one remains, the worst on average first; one is drawn in proportion to the tasks on which it is among the best.
//! Now and then two of them are joined (the same paper, appendix "merge"): both are parents, and the second is shown first.
//!
//! Of the variants that tie on a task only the best on average can outlast the dropping, so one list a task is enough: the
//! result is the paper's. Of equal averages the older variant remains.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::order::Ordered;
use super::{Action, Strategy, arm_for, breeds, exam, inspirations};
use crate::budget::Budget;
use crate::lineage::{Lineage, NodeIndex, Run};
use crate::rng::Rng;

/// How many of a task's best are kept at hand.
const AT_HAND: usize = 32;
/// How far up a line is looked for a common ancestor.
const LONGEST_LINE: usize = 1000;

/// Score on the task, mean score, age; highest first.
type Entry = (Reverse<Ordered>, Reverse<Ordered>, NodeIndex);

/// The best of one task that may be parents, in order: the first so many of all.
#[derive(Clone, Debug)]
struct Front {
    top: Vec<Entry>,
    /// Whether they are all there are.
    all: bool,
}

impl Default for Front {
    fn default() -> Self {
        Front { top: Vec::new(), all: true }
    }
}

impl Front {
    fn remove(&mut self, index: NodeIndex) {
        self.top.retain(|entry| entry.2 != index);
    }

    fn insert(&mut self, entry: Entry) {
        let at = self.top.partition_point(|other| *other < entry);
        if at < self.top.len() || self.all {
            self.top.insert(at, entry);
        }
        if self.top.len() > AT_HAND {
            self.top.truncate(AT_HAND);
            self.all = false;
        }
    }
}

/// Parents from the front.
#[derive(Clone, Debug, Default)]
pub struct Pareto {
    run: u32,
    seen: usize,
    /// By the task's place in the run's tasks.
    fronts: Vec<Front>,
}

impl Pareto {
    fn catch_up(&mut self, lineage: &Lineage, run: &Run) {
        if self.run != run.number || self.fronts.len() != run.tasks.len() {
            *self = Pareto { run: run.number, seen: 0, fronts: vec![Front::default(); run.tasks.len()] };
        }
        let mut touched = lineage.touched_since(self.seen).to_vec();
        self.seen += touched.len();
        touched.sort_unstable();
        touched.dedup();
        for index in touched {
            for (front, task) in self.fronts.iter_mut().zip(&run.tasks) {
                front.remove(index);
                if let Some(entry) = entry(lineage, run, index, *task) {
                    front.insert(entry);
                }
            }
        }
        // Where all at hand are gone, the others come forward. That takes a look at every variant, and is rare.
        for (front, task) in
            self.fronts.iter_mut().zip(&run.tasks).filter(|(front, _)| front.top.is_empty() && !front.all)
        {
            front.all = true;
            (0..lineage.nodes().len() as NodeIndex)
                .filter_map(|index| entry(lineage, run, index, *task))
                .for_each(|entry| front.insert(entry));
        }
    }

    /// The front after the dropping, each with the number of tasks on which it is among the best.
    fn survivors(&self, lineage: &Lineage, run: &Run) -> Vec<(NodeIndex, u64)> {
        let leaders: BTreeSet<(Ordered, Reverse<NodeIndex>)> = self
            .fronts
            .iter()
            .filter_map(|front| front.top.first())
            .map(|(_, mean, index)| (mean.0, Reverse(*index)))
            .collect();
        let member = |index: NodeIndex| -> Vec<usize> {
            let marks = &lineage.node(index).by_task;
            let is_best = |(front, task): (&Front, &u32)| {
                let best = front.top.first().map(|(score, _, _)| score.0);
                best.is_some() && best == Ordered::of(marks.of(*task).map(f64::from))
            };
            self.fronts.iter().zip(&run.tasks).enumerate().filter(|(_, at)| is_best(*at)).map(|(at, _)| at).collect()
        };
        let leaders: Vec<(NodeIndex, Vec<usize>)> =
            leaders.into_iter().map(|(_, Reverse(index))| (index, member(index))).collect();
        let mut covered = vec![0u32; self.fronts.len()];
        leaders.iter().flat_map(|(_, tasks)| tasks).for_each(|task| covered[*task] += 1);
        let mut left = Vec::new();
        for (index, tasks) in leaders {
            if tasks.iter().all(|task| covered[*task] > 1) {
                tasks.iter().for_each(|task| covered[*task] -= 1);
            } else {
                left.push((index, tasks.len() as u64));
            }
        }
        left
    }
}

fn entry(lineage: &Lineage, run: &Run, index: NodeIndex, task: u32) -> Option<Entry> {
    let node = lineage.node(index);
    let score = Ordered::of(node.by_task.of(task).map(f64::from))?;
    let mean = Ordered::of(node.by_task.mean())?;
    (node.whole && breeds(node, run)).then_some((Reverse(score), Reverse(mean), index))
}

/// Draws in proportion to the weights, those left out aside.
fn draw(among: &[(NodeIndex, u64)], but: Option<NodeIndex>, rng: &mut Rng) -> Option<NodeIndex> {
    let fit = || among.iter().filter(|(index, _)| Some(*index) != but);
    let mut at = rng.below(fit().map(|(_, weight)| weight).sum());
    for (index, weight) in fit() {
        if at < *weight {
            return Some(*index);
        }
        at -= weight;
    }
    None
}

/// Whether one was bred from the other by first parents.
fn related(lineage: &Lineage, one: NodeIndex, other: NodeIndex) -> bool {
    let line = |from: NodeIndex| {
        std::iter::successors(Some(from), |at| lineage.node(*at).parents.first().copied()).take(LONGEST_LINE)
    };
    line(one).any(|at| at == other) || line(other).any(|at| at == one)
}

impl Strategy for Pareto {
    fn name(&self) -> &'static str {
        "pareto"
    }

    fn next(&mut self, lineage: &Lineage, _budget: &Budget, rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        self.catch_up(lineage, run);
        let front = self.survivors(lineage, run);
        let Some(parent) = draw(&front, None, rng) else { return Action::Stop };
        let joins = rng.unit() < run.plan.search.pareto.merge;
        let second = if joins { draw(&front, Some(parent), rng) } else { None };
        let second = second.filter(|second| !related(lineage, parent, *second));
        let node = lineage.node(parent);
        let turn = rng.bits();
        let Some(arm) = arm_for(node, run, turn, rng) else { return Action::Stop };
        let parents: Vec<_> =
            [Some(parent), second].into_iter().flatten().map(|index| lineage.node(index).id).collect();
        let mut shown: Vec<_> = parents[1..].to_vec();
        shown.extend(inspirations(lineage, parent, 3).into_iter().filter(|id| !parents.contains(id)));
        shown.truncate(3);
        Action::Expand { parents, inspirations: shown, arm, exam: exam(lineage, run, rng) }
    }
}
