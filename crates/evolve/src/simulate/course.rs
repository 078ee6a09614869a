//! One strategy on one landscape with one seed: the loop of a run, over a lineage in memory.

use std::collections::{HashMap, HashSet};

use meliora_domain::{
    Attempt, BidOutcome, Cost, Digest, Event, Judgement, Kind, Mark, MarkStatus, Proposer, Recorded, RunPlan,
    Scorecard, SearchPlan, Split, TaskId, Timestamp, TreeId, VariantId, Verdict,
};
use meliora_judge::{Policy, Ruling, hopeless, judge};

use super::landscape::{Genes, Landscape, TASKS};
use crate::budget::Budget;
use crate::lineage::Lineage;
use crate::rng::Rng;
use crate::stages::{reference, whole};
use crate::strategy::{Action, Exam, StrategyKind};

/// So many proposals in a row that had been tried end a run, as they end a real one.
const STALE: u32 = 50;
/// Points of a course's curve.
pub const CURVE: usize = 20;

/// A strategy with its settings.
#[derive(Clone, PartialEq, Debug)]
pub struct Contestant {
    /// What it is called.
    pub name: String,
    /// The strategy.
    pub kind: StrategyKind,
    /// Its settings.
    pub search: SearchPlan,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Course {
    /// Share of the tasks that the champion solves, noise aside.
    pub champion: f64,
    /// The same of the best variant that was made.
    pub best: f64,
    /// Examinations that were spent.
    pub evals: u64,
    /// Variants that were made.
    pub variants: u32,
    /// The champion's share after each twentieth of the budget, from none to all.
    pub curve: [f64; CURVE + 1],
}

struct World<'a> {
    landscape: &'a Landscape,
    policy: Policy,
    lineage: Lineage,
    budget: Budget,
    tasks: Vec<TaskId>,
    genes: HashMap<VariantId, Genes>,
    cards: HashMap<VariantId, Vec<Scorecard>>,
    tried: HashSet<[u64; 2]>,
    /// Decides how marks fall where there is noise.
    luck: Rng,
    seq: u64,
}

/// Runs it. Equal arguments give equal courses.
pub fn course(landscape: &Landscape, contestant: &Contestant, seed: u64) -> Course {
    let kind = if landscape.noise > 0.0 { Kind::Sample } else { Kind::Exact };
    let budget = Cost::evals(landscape.evals);
    let mut world = World {
        landscape,
        policy: Policy { kind, ..Policy::default() },
        lineage: Lineage::default(),
        budget: Budget::new(budget, 0.0, Cost::ZERO, 0.0).in_parts(TASKS.into(), 0),
        tasks: (0..TASKS).map(|task| TaskId(format!("task-{task:02}"))).collect(),
        genes: HashMap::new(),
        cards: HashMap::new(),
        tried: HashSet::new(),
        luck: Rng::of(seed, 2, 0),
        seq: 0,
    };
    world.take(Event::RunStarted(RunPlan {
        strategy: contestant.kind.name().into(),
        arms: vec![Proposer { kind: "simulated".into(), model: None }],
        seed,
        budget,
        minutes: 0.0,
        evaluator: Digest::default(),
        baseline: TreeId([0; 20]),
        constitution: Digest::default(),
        tier: None,
        search: contestant.search.clone(),
    }));
    world.begin();
    let mut strategy = contestant.kind.build();
    let mut curve = [0.0; CURVE + 1];
    let mut reached = 0;
    let (mut step, mut stale) = (0, 0);
    while stale < STALE && world.champion() < 1.0 {
        step += 1;
        let spent = landscape.evals as f64 - world.budget.evals_left();
        while reached <= CURVE && spent * CURVE as f64 >= reached as f64 * landscape.evals as f64 {
            curve[reached] = world.champion_quality();
            reached += 1;
        }
        let mut rng = Rng::of(seed, 1, step);
        let made = match strategy.next(&world.lineage, &world.budget, &mut rng) {
            Action::Expand { parents, exam, .. } => world.expand(step, &parents, exam, &mut rng),
            Action::Examine { variant, tasks } => world.examine_more(step, variant, &tasks),
            Action::Wait | Action::Stop => None,
        };
        match made {
            Some(true) => stale = 0,
            Some(false) => stale += 1,
            None => break,
        }
    }
    let champion = world.champion_quality();
    curve[reached..].fill(champion);
    let best = world.genes.values().map(|genes| landscape.quality(genes)).fold(0.0, f64::max);
    Course { champion, best, evals: world.budget.charged().evals, variants: world.genes.len() as u32, curve }
}

impl World<'_> {
    fn take(&mut self, event: Event) {
        self.seq += 1;
        let (prev, hash) = (Digest::default(), Digest::default());
        self.lineage.take(&Recorded { seq: self.seq, at: Timestamp(self.seq), prev, hash, event });
    }

    /// The champion's score, as the journal has it.
    fn champion(&self) -> f64 {
        self.lineage.champion().and_then(|node| node.score).unwrap_or(0.0)
    }

    fn champion_quality(&self) -> f64 {
        self.lineage.champion().map_or(0.0, |node| self.landscape.quality(&self.genes[&node.id]))
    }

    /// The baseline, examined twice.
    fn begin(&mut self) {
        let (genes, variant) = (self.landscape.baseline(), id(0));
        self.tried.insert(self.landscape.identity(&genes));
        self.genes.insert(variant, genes);
        self.take(Event::Admitted { step: 0, variant, tree: TreeId(variant.0), parents: vec![] });
        for _ in 0..2 {
            if self.budget.reserve(Cost::evals(1)).is_ok() {
                self.mark(0, variant, &self.tasks.clone());
            }
        }
        let score = self.cards[&variant][0].mean(Split::Validation).unwrap_or(0.0);
        self.take(Event::Crowned { variant, score });
    }

    /// Makes a variant and examines it: `Some(false)` if it had been tried, `None` if the budget is used up.
    fn expand(&mut self, step: u64, parents: &[VariantId], exam: Exam, rng: &mut Rng) -> Option<bool> {
        let first = match &exam {
            Exam::Part(tasks) => tasks.len() as u64,
            Exam::Whole | Exam::Staged(_) => TASKS.into(),
        };
        self.budget.reserve_with(Cost::ZERO, first).ok()?;
        let genes = match parents {
            [one, other, ..] => self.landscape.join(&self.genes[one], &self.genes[other], rng),
            [one] => self.landscape.change(&self.genes[one], rng),
            [] => return None,
        };
        let outcome = BidOutcome::Proposed { reason: String::new(), idea: None };
        self.take(Event::Bid(Attempt { step, parents: parents.to_vec(), arm: 0, cost: Cost::ZERO, outcome }));
        let variant = id(step);
        if !self.tried.insert(self.landscape.identity(&genes)) {
            self.budget.settle_marks(first, 0);
            self.take(Event::Duplicate { step, tree: TreeId(variant.0) });
            return Some(false);
        }
        self.genes.insert(variant, genes);
        self.take(Event::Admitted { step, variant, tree: TreeId(variant.0), parents: parents.to_vec() });
        match exam {
            Exam::Whole => self.mark(step, variant, &self.tasks.clone()),
            Exam::Part(tasks) => {
                self.mark(step, variant, &tasks);
                return Some(true);
            }
            Exam::Staged(tasks) => {
                self.mark(step, variant, &tasks);
                let others: Vec<TaskId> = self.tasks.iter().filter(|task| !tasks.contains(task)).cloned().collect();
                let reference: Vec<&Scorecard> = self.cards[&parents[0]].iter().collect();
                if let Some(judgement) = hopeless(&self.cards[&variant][0], &reference, others.len()) {
                    self.budget.settle_marks(others.len() as u64, 0);
                    self.take(Event::Judged { step, variant, judgement });
                    return Some(true);
                }
                self.mark(step, variant, &others);
            }
        }
        self.judge(step, variant);
        Some(true)
    }

    /// Examines a variant on more tasks, and judges it once it was examined on all.
    fn examine_more(&mut self, step: u64, variant: VariantId, tasks: &[TaskId]) -> Option<bool> {
        self.budget.reserve_with(Cost::ZERO, tasks.len() as u64).ok()?;
        self.mark(step, variant, tasks);
        if self.lineage.find(&variant).is_some_and(|index| self.lineage.node(index).whole) {
            self.judge(step, variant);
        }
        Some(true)
    }

    /// Marks of these tasks; their cost is set aside already.
    fn mark(&mut self, step: u64, variant: VariantId, tasks: &[TaskId]) {
        let genes = self.genes[&variant];
        let marks = tasks
            .iter()
            .map(|task| {
                let number = self.tasks.binary_search(task).map_or(0, |at| at as u32);
                let slip = self.landscape.noise > 0.0 && self.luck.unit() < self.landscape.noise;
                let solved = self.landscape.solves(&genes, number) != slip;
                let status = if solved { MarkStatus::Passed } else { MarkStatus::Failed };
                let score = f64::from(u8::from(solved));
                Mark { task: task.clone(), split: Split::Validation, status, score, detail: String::new() }
            })
            .collect();
        let metrics = [("size".to_owned(), genes.size)].into();
        let scorecard = Scorecard { evaluator: Digest::default(), marks, metrics, seconds: 0.0 };
        self.cards.entry(variant).or_default().push(scorecard.clone());
        self.take(Event::Examined { step, variant, scorecard });
    }

    /// The judge's verdict, with as many re-runs as it asks for and the budget has; and the crown, if it beats the champion too.
    fn judge(&mut self, step: u64, variant: VariantId) {
        let Some(index) = self.lineage.find(&variant) else { return };
        let parent = self.lineage.node(index).parents.first().copied();
        let Some(parent) = parent.map(|parent| reference(&self.lineage, parent)) else { return };
        let against = self.whole_cards(&self.lineage.node(parent).id);
        let judgement = loop {
            match ruling(&self.whole_cards(&variant), &against, &self.policy) {
                Ruling::Verdict(judgement) => break judgement,
                Ruling::Rerun if self.budget.reserve(Cost::evals(1)).is_ok() => {
                    self.mark(step, variant, &self.tasks.clone());
                }
                Ruling::Rerun => {
                    let reason = "no budget for a re-run".to_owned();
                    break Judgement { verdict: Verdict::Inconclusive, effect: 0.0, p: None, reason };
                }
            }
        };
        let accepted = judgement.verdict == Verdict::Accepted;
        self.take(Event::Judged { step, variant, judgement });
        let (Some(score), Some(champion)) = (self.lineage.node(index).score, self.lineage.champion()) else { return };
        let against = self.whole_cards(&champion.id);
        let beats = |world: &Self| {
            let ruling = ruling(&world.whole_cards(&variant), &against, &world.policy);
            matches!(ruling, Ruling::Verdict(Judgement { verdict: Verdict::Accepted, .. }))
        };
        if accepted && champion.score.is_none_or(|best| score > best) && beats(self) {
            self.take(Event::Crowned { variant, score });
        }
    }

    fn whole_cards(&self, variant: &VariantId) -> Vec<Scorecard> {
        whole(&self.cards[variant], TASKS as usize)
    }
}

fn ruling(cards: &[Scorecard], against: &[Scorecard], policy: &Policy) -> Ruling {
    judge(&cards.iter().collect::<Vec<_>>(), &against.iter().collect::<Vec<_>>(), policy)
}

/// The variant of a step.
fn id(step: u64) -> VariantId {
    let mut id = [0; 20];
    id[..8].copy_from_slice(&step.to_be_bytes());
    VariantId(id)
}
