//! What examinations tell: marks by task, what they cost, and what a variant's proposer gained by it.

use meliora_domain::{Cost, MarkStatus, Scorecard, Split, VariantId, Verdict};

use super::parts::parts_of;
use super::{ByTask, Lineage, Node, NodeIndex};

/// What a variant is judged against: the nearest variant it was bred from by first parents that was examined on all tasks.
pub(crate) fn reference(lineage: &Lineage, parent: NodeIndex) -> NodeIndex {
    let mut line = std::iter::successors(Some(parent), |at| lineage.node(*at).parents.first().copied());
    line.find(|at| lineage.node(*at).whole).unwrap_or(parent)
}

impl Lineage {
    /// The run's validation tasks that a variant has no mark of.
    pub fn unseen<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = u32> + 'a {
        let tasks = self.run.as_ref().map(|run| run.tasks.as_slice()).unwrap_or_default();
        let flaky = self.flaky(&node.evaluator.unwrap_or_default());
        let counts = |task: &u32| flaky.is_empty() || !flaky.contains(&self.tasks[*task as usize]);
        tasks.iter().copied().filter(move |task| node.by_task.of(*task).is_none() && counts(task))
    }

    /// Takes an examination's marks in.
    pub(super) fn examined(&mut self, variant: &VariantId, card: &Scorecard) {
        let Some(index) = self.find(variant) else { return };
        let node = &mut self.nodes[index as usize];
        if node.evaluator != Some(card.evaluator) {
            node.evaluator = Some(card.evaluator);
            (node.examined, node.marks, node.sum) = (0, 0, 0.0);
            (node.whole, node.by_task) = (false, ByTask::default());
        }
        node.examined += 1;
        let flaky = |task| self.flaky.0 == card.evaluator && self.flaky.1.contains(task);
        let mut places = Vec::new();
        for mark in card.of(Split::Validation) {
            let place = *self.by_task.entry(mark.task.clone()).or_insert_with(|| {
                self.tasks.push(mark.task.clone());
                self.tasks.len() as u32 - 1
            });
            places.push(place);
            if mark.status == MarkStatus::Missing || flaky(&mark.task) {
                continue;
            }
            node.marks += 1;
            node.sum += mark.score;
            if mark.score.is_finite() {
                let score = node.by_task.take(place, mark.score);
                if let Some(run) = &mut self.run {
                    run.range = (run.range.0.min(score), run.range.1.max(score));
                }
            }
        }
        // Scores by task are kept to 24 bits only; all marks are the same where each task has as many.
        node.score = match node.marks {
            0 => None,
            marks if node.by_task.even() || !node.sum.is_finite() => Some(node.sum / f64::from(marks)),
            _ => node.by_task.mean(),
        };
        if card.of(Split::Train).next().is_some() {
            let failed = card.of(Split::Train).find(|m| m.status != MarkStatus::Passed);
            node.trouble = failed.map(|m| m.detail.chars().take(240).collect()).unwrap_or_default();
        }
        self.touched.0.push(index);
        let Some(run) = &mut self.run else { return };
        run.spent += Cost::evals(run.price_of([card]));
        run.parts += parts_of(card);
        run.longest_exam = run.longest_exam.max(card.seconds);
        if run.baseline == Some(index) && run.tasks.is_empty() {
            places.sort_unstable();
            places.dedup();
            run.tasks = places;
        }
        run.keep_features(node, card);
        let ranked = run.best.contains(&index);
        if run.baseline == Some(index) && run.best.is_empty() {
            run.best.push(index);
        }
        let whole = card.part_of == 0 || self.unseen(self.node(index)).next().is_none();
        self.nodes[index as usize].whole |= whole;
        if ranked {
            self.rank(index);
        }
    }

    /// A judged variant's gain over its parent and the baseline goes to the proposer that made it.
    pub(super) fn pay(&mut self, index: NodeIndex) {
        let node = &self.nodes[index as usize];
        if matches!(node.verdict, Some(Verdict::Unviable | Verdict::Suspect)) {
            return;
        }
        let Some(run) = &mut self.run else { return };
        let score = |index: Option<NodeIndex>| index.and_then(|i| self.nodes[i as usize].score);
        let before = [score(node.parents.first().copied()), score(run.baseline)];
        let before = before.into_iter().flatten().fold(f64::NEG_INFINITY, f64::max);
        if let (Some(score), Some(record)) = (node.score, run.arms.get_mut(usize::from(node.arm))) {
            // A mean over a few tasks is held against none over all.
            record.gain(if before.is_finite() && node.whole { score - before } else { 0.0 });
        }
    }
}
