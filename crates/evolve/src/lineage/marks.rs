//! What came of each validation task of a variant, small: a million variants fit into memory.

use serde::{Deserialize, Serialize};

/// The marks of one task.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Tally(f32, u32);

/// Mean score of each validation task that was marked, by the task's place in [`Lineage::tasks`](super::Lineage::tasks).
///
/// Scores are kept to 24 bits; whoever judges reads the scorecards.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByTask(Vec<Tally>);

impl ByTask {
    /// Mean score of a task; `None` if it was not marked.
    pub fn of(&self, task: u32) -> Option<f32> {
        self.0.get(task as usize).filter(|tally| tally.1 > 0).map(|tally| tally.0)
    }

    /// The tasks that were marked, with their mean scores, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> {
        (0..).zip(&self.0).filter(|(_, tally)| tally.1 > 0).map(|(task, tally)| (task, tally.0))
    }

    /// Mean over the tasks that were marked; `None` if there is none.
    pub fn mean(&self) -> Option<f64> {
        let (sum, n) = self.iter().fold((0.0, 0u32), |(sum, n), (_, score)| (sum + f64::from(score), n + 1));
        (n > 0).then(|| sum / f64::from(n))
    }

    /// Whether every task that was marked has as many marks as the others.
    pub(super) fn even(&self) -> bool {
        let mut counts = self.0.iter().map(|tally| tally.1).filter(|n| *n > 0);
        counts.next().is_none_or(|first| counts.all(|n| n == first))
    }

    /// Takes a finite score in and says how it is kept. Equal scores leave the mean exactly as it is.
    pub(super) fn take(&mut self, task: u32, score: f64) -> f32 {
        let (place, score) = (task as usize, score.clamp(f64::from(f32::MIN), f64::from(f32::MAX)));
        if self.0.len() <= place {
            self.0.reserve_exact(place + 1 - self.0.len());
            self.0.resize(place + 1, Tally::default());
        }
        let tally = &mut self.0[place];
        tally.1 = tally.1.saturating_add(1);
        let mean = f64::from(tally.0);
        tally.0 = (mean + (score - mean) / f64::from(tally.1)) as f32;
        score as f32
    }
}
