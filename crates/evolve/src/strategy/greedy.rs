//! Greedy: always the champion. The simplest strategy, and the right one for independent repairs.

use super::{Action, Strategy, arm_for, exam, inspirations};
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
        match arm_for(lineage.node(champion), run, run.last_step, rng) {
            Some(arm) => Action::Expand {
                parents: vec![lineage.node(champion).id],
                inspirations: inspirations(lineage, champion, 2),
                arm,
                exam: exam(lineage, run, rng),
            },
            None => Action::Stop,
        }
    }
}
