//! Greedy: always the champion. The simplest strategy, and the right one for independent repairs.

use super::{Action, Strategy, arm_for, inspirations};
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

    fn next(&mut self, lineage: &Lineage, _budget: &Budget, _rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        let Some(champion) = run.champion else { return Action::Wait };
        match arm_for(lineage.node(champion), run.plan.arms.len(), run.last_step) {
            Some(arm) => Action::Expand {
                parents: vec![lineage.node(champion).id],
                inspirations: inspirations(lineage, champion, 2),
                arm,
            },
            None => Action::Stop,
        }
    }
}
