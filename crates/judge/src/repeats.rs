//! The same work examined again and again: whether a suite that is called exact is, which tasks are flaky, and whether
//! chance follows the seed.

use std::collections::BTreeMap;

use meliora_domain::{Mark, MarkStatus, Scorecard, Split, TaskId};

/// A suite may have this part of its tasks in quarantine; with more that differ, it is not exact.
pub(crate) const MOST_FLAKY: f64 = 0.2;

/// What the examinations of one genome say of one task.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskRepeats {
    /// The task.
    pub task: TaskId,
    /// Lowest and highest score.
    pub range: (f64, f64),
    /// How often it was marked.
    pub marks: u32,
    /// How often our own machinery failed, so that a mark is missing.
    pub missing: u32,
    /// Whether its scores differ.
    pub differs: bool,
    /// Whether scores of one seed differ: then chance comes from outside of the seed.
    pub differs_within_seed: bool,
}

/// What the examinations of one genome say of the suite.
#[derive(Clone, PartialEq, Debug)]
pub struct Repeats {
    /// Number of examinations.
    pub examinations: usize,
    /// Mean score of each, in order; those without a mark that counts are left out.
    pub means: Vec<f64>,
    /// The validation tasks.
    pub tasks: Vec<TaskRepeats>,
}

/// Puts the examinations of one genome under one evaluator side by side.
pub fn repeats(cards: &[&Scorecard]) -> Repeats {
    let mut marks: BTreeMap<&TaskId, Vec<(u64, &Mark)>> = BTreeMap::new();
    for card in cards {
        for mark in card.of(Split::Validation) {
            marks.entry(&mark.task).or_default().push((card.seed, mark));
        }
    }
    let tasks = marks.into_iter().map(|(task, marks)| of_task(task, &marks)).collect();
    let means = cards.iter().filter_map(|card| card.mean(Split::Validation)).collect();
    Repeats { examinations: cards.len(), means, tasks }
}

fn of_task(task: &TaskId, marks: &[(u64, &Mark)]) -> TaskRepeats {
    let counted: Vec<(u64, f64)> =
        marks.iter().filter(|(_, m)| m.status != MarkStatus::Missing).map(|(seed, m)| (*seed, m.score)).collect();
    // Compared bit by bit: the same work gives the same score, or it is not the same. NaN equals itself here.
    let unlike = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
    let lowest = counted.iter().map(|c| c.1).fold(f64::INFINITY, f64::min);
    let highest = counted.iter().map(|c| c.1).fold(f64::NEG_INFINITY, f64::max);
    TaskRepeats {
        task: task.clone(),
        range: if counted.is_empty() { (0.0, 0.0) } else { (lowest, highest) },
        marks: counted.len() as u32,
        missing: (marks.len() - counted.len()) as u32,
        differs: counted.iter().any(|c| unlike(c.1, counted[0].1)),
        differs_within_seed: counted.iter().any(|c| counted.iter().any(|d| c.0 == d.0 && unlike(c.1, d.1))),
    }
}

impl Repeats {
    /// The tasks whose scores differ.
    pub fn flaky(&self) -> impl Iterator<Item = &TaskRepeats> {
        self.tasks.iter().filter(|task| task.differs)
    }

    /// Whether every task was marked the same each time.
    pub fn exact(&self) -> bool {
        self.flaky().next().is_none()
    }

    /// The tasks to leave out so that an exact suite is exact; `None` where there are too many of them for that.
    pub fn quarantine(&self) -> Option<Vec<TaskId>> {
        let flaky: Vec<TaskId> = self.flaky().map(|task| task.task.clone()).collect();
        (flaky.len() as f64 <= MOST_FLAKY * self.tasks.len() as f64).then_some(flaky)
    }

    /// Highest mean less lowest: what a difference must exceed to be more than noise. 0 where there are none.
    pub fn spread(&self) -> f64 {
        let highest = self.means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = self.means.iter().copied().fold(f64::INFINITY, f64::min);
        if highest >= lowest { highest - lowest } else { 0.0 }
    }
}
