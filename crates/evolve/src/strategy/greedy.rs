//! Greedy: always the champion. The simplest strategy, and the right one for independent repairs.

use super::{Action, Strategy, expand};
use crate::budget::Budget;
use crate::lineage::Lineage;
use crate::rng::Rng;

/// Always the champion.
#[derive(Clone, Copy, Debug, Default)]
pub struct Greedy;

impl Strategy for Greedy {
    fn name(&self) -> &'static str {
        "greedy"
    }

    fn next(&mut self, lineage: &Lineage, _budget: &Budget, rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        let Some(champion) = run.champion else { return Action::Wait };
        expand(lineage, run, champion, (run.last_step, 2), rng)
    }
}
