//! Strategies: what to do next, as a pure function of the journal so far and the step's random numbers.

mod dgm;
mod greedy;

use meliora_domain::VariantId;

use crate::budget::Budget;
use crate::lineage::{Lineage, Node, NodeIndex};
use crate::rng::Rng;

pub use dgm::Dgm;
pub use greedy::Greedy;

/// Position of a proposer in the run's plan.
pub type Arm = usize;

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Make a variant.
    Expand {
        /// The parents, the one to change first.
        parents: Vec<VariantId>,
        /// Others to learn from, best first.
        inspirations: Vec<VariantId>,
        /// Which proposer.
        arm: Arm,
    },
    /// Nothing to do until work in progress has ended.
    Wait,
    /// Nothing more to do.
    Stop,
}

/// What to do next.
pub trait Strategy: Send {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Decides. The same lineage, budget and numbers give the same action; what `self` keeps is only an index.
    fn next(&mut self, lineage: &Lineage, budget: &Budget, rng: &mut Rng) -> Action;
}

/// The strategies there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StrategyKind {
    /// Always the best.
    Greedy,
    /// Darwin Gödel Machine.
    Dgm,
}

impl StrategyKind {
    /// A fresh one.
    pub fn build(self) -> Box<dyn Strategy> {
        match self {
            StrategyKind::Greedy => Box::new(Greedy),
            StrategyKind::Dgm => Box::new(Dgm::default()),
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "greedy" => Some(StrategyKind::Greedy),
            "dgm" => Some(StrategyKind::Dgm),
            _ => None,
        }
    }
}

/// The proposer whose turn it is for this parent: they take turns, those with nothing more left out.
fn arm_for(node: &Node, arms: usize, turn: u64) -> Option<Arm> {
    let open: Vec<Arm> = (0..arms).filter(|arm| node.exhausted & (1 << (*arm).min(63)) == 0).collect();
    (!open.is_empty()).then(|| open[(turn % open.len() as u64) as usize])
}

/// The best other variants, best first.
fn inspirations(lineage: &Lineage, parent: NodeIndex, most: usize) -> Vec<VariantId> {
    let best = lineage.run.as_ref().map(|r| r.best.as_slice()).unwrap_or_default();
    best.iter().filter(|i| **i != parent).take(most).map(|i| lineage.node(*i).id).collect()
}
