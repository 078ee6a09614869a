//! Strategies: what to do next, as a pure function of the journal so far and the step's random numbers.

mod bandit;
mod beta;
mod blocks;
mod dgm;
mod greedy;
mod hgm;
mod islands;
mod order;
mod pareto;
mod pool;
mod ranks;
mod sums;

use meliora_domain::{Arms, TaskId, VariantId, Verdict};

use crate::budget::Budget;
use crate::lineage::{Lineage, Node, NodeIndex, Run};
use crate::rng::Rng;

pub use dgm::Dgm;
pub use greedy::Greedy;
pub use hgm::Hgm;
pub use islands::Islands;
pub use pareto::Pareto;

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
        /// How the new variant is examined.
        exam: Exam,
    },
    /// Examine a variant on some of the validation tasks that it has no marks of.
    Examine {
        /// The variant.
        variant: VariantId,
        /// The tasks.
        tasks: Vec<TaskId>,
    },
    /// Nothing to do until work in progress has ended.
    Wait,
    /// Nothing more to do.
    Stop,
}

/// How a new variant is examined.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Exam {
    /// On all tasks.
    #[default]
    Whole,
    /// On these validation tasks, one part after another; on all others too unless it is hopeless before.
    Staged(Vec<Vec<TaskId>>),
    /// On these validation tasks; it is judged when later examinations have covered the others.
    Part(Vec<TaskId>),
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
    /// Huxley-Gödel Machine.
    Hgm,
    /// MAP-Elites on islands.
    Islands,
    /// The best for each task.
    Pareto,
}

impl StrategyKind {
    /// All of them.
    pub const ALL: [StrategyKind; 5] =
        [StrategyKind::Greedy, StrategyKind::Dgm, StrategyKind::Hgm, StrategyKind::Islands, StrategyKind::Pareto];

    /// A fresh one.
    pub fn build(self) -> Box<dyn Strategy> {
        match self {
            StrategyKind::Greedy => Box::new(Greedy),
            StrategyKind::Dgm => Box::new(Dgm::default()),
            StrategyKind::Hgm => Box::new(Hgm::default()),
            StrategyKind::Islands => Box::new(Islands::default()),
            StrategyKind::Pareto => Box::new(Pareto::default()),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            StrategyKind::Greedy => "greedy",
            StrategyKind::Dgm => "dgm",
            StrategyKind::Hgm => "hgm",
            StrategyKind::Islands => "islands",
            StrategyKind::Pareto => "pareto",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A change of this one parent, by the proposer whose turn it is, with up to so many others to learn from.
fn expand(lineage: &Lineage, run: &Run, parent: NodeIndex, (turn, others): (u64, usize), rng: &mut Rng) -> Action {
    let node = lineage.node(parent);
    match arm_for(node, run, turn, rng) {
        Some(arm) => Action::Expand {
            parents: vec![node.id],
            inspirations: inspirations(lineage, parent, others),
            arm,
            exam: exam(lineage, run, rng),
        },
        None => Action::Stop,
    }
}

/// Whether some proposer may still have something for this parent.
fn open(node: &Node, arms: usize) -> bool {
    (0..arms).any(|arm| node.exhausted & (1 << arm.min(63)) == 0)
}

/// Whether it may be drawn as a parent in this run.
fn breeds(node: &Node, run: &Run) -> bool {
    node.run == run.number && node.viable() && open(node, run.plan.arms.len())
}

/// The proposer to ask about this parent, those with nothing more for it left out: by turns, or by what they brought.
fn arm_for(node: &Node, run: &Run, turn: u64, rng: &mut Rng) -> Option<Arm> {
    let open: Vec<Arm> = (0..run.plan.arms.len()).filter(|arm| node.exhausted & (1 << (*arm).min(63)) == 0).collect();
    if open.is_empty() {
        return None;
    }
    match run.plan.search.arms {
        Arms::Turns => Some(open[(turn % open.len() as u64) as usize]),
        Arms::Bandit => bandit::choose(run, &open, rng),
    }
}

/// The best other variants, best first.
fn inspirations(lineage: &Lineage, parent: NodeIndex, most: usize) -> Vec<VariantId> {
    let best = lineage.run.as_ref().map(|r| r.best.as_slice()).unwrap_or_default();
    best.iter().filter(|i| **i != parent).take(most).map(|i| lineage.node(*i).id).collect()
}

/// How a new variant is examined by the run's plan: at once, or on a few tasks first, on as many again, and so on. They
/// are drawn anew for each.
fn exam(lineage: &Lineage, run: &Run, rng: &mut Rng) -> Exam {
    let first = run.plan.search.first_tasks as usize;
    if first == 0 || first >= run.tasks.len() {
        return Exam::Whole;
    }
    let (mut left, mut parts, mut next, mut drawn) = (run.tasks.clone(), Vec::new(), first, 0);
    while drawn + next < run.tasks.len() {
        let part: Vec<u32> = (0..next).map(|_| take_one(&mut left, rng)).collect();
        parts.push(named(lineage, part));
        drawn += next;
        next = drawn;
    }
    Exam::Staged(parts)
}

/// So many of these tasks, drawn without replacement, in the order of their places.
fn draw(lineage: &Lineage, tasks: &[u32], most: usize, rng: &mut Rng) -> Vec<TaskId> {
    let mut left = tasks.to_vec();
    named(lineage, (0..most.min(tasks.len())).map(|_| take_one(&mut left, rng)).collect())
}

fn take_one(left: &mut Vec<u32>, rng: &mut Rng) -> u32 {
    left.swap_remove(rng.below(left.len() as u64) as usize)
}

/// These tasks, in the order of their places.
fn named(lineage: &Lineage, mut places: Vec<u32>) -> Vec<TaskId> {
    places.sort_unstable();
    places.into_iter().map(|task| lineage.tasks()[task as usize].clone()).collect()
}

/// Whether more can be learned of it by examining tasks that it has no marks of.
fn unfinished(node: &Node, run: &Run) -> bool {
    node.run == run.number && node.examined > 0 && !node.whole && node.verdict.is_none()
}

/// Whether nothing speaks against it.
fn sound(node: &Node, run: &Run) -> bool {
    node.run == run.number && node.examined > 0 && !matches!(node.verdict, Some(Verdict::Unviable | Verdict::Suspect))
}
