//! One strategy on one landscape with one seed: the loop of a run, over a lineage in memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use meliora_domain::{
    Attempt, BidOutcome, Cost, Digest, Event, Judgement, Kind, Mark, MarkStatus, Proposer, Recorded, RunPlan,
    Scorecard, SearchPlan, Split, TaskId, Timestamp, TreeId, VariantId, Verdict,
};
use meliora_judge::{Evidence, Policy, Ruling, Side, hopeless, judge};

use super::landscape::{Genes, Landscape, TASKS};
use crate::budget::Budget;
use crate::lineage::{Lineage, reference};
use crate::rng::Rng;
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
    seed: u64,
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
        seed,
        lineage: Lineage::default(),
        budget: Budget::new(budget, 0.0, Cost::ZERO, 0.0),
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
        let spent = world.budget.charged().evals;
        while reached <= CURVE && spent * CURVE as u64 >= reached as u64 * landscape.evals {
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
        for seed in 0..2 {
            if self.budget.reserve(Cost::evals(1)).is_ok() {
                self.mark(0, variant, &[], seed);
            }
        }
        let score = self.cards[&variant][0].mean(Split::Validation).unwrap_or(0.0);
        self.take(Event::Crowned { variant, score });
    }

    /// Makes a variant and examines it: `Some(false)` if it had been tried, `None` if the budget is used up.
    fn expand(&mut self, step: u64, parents: &[VariantId], exam: Exam, rng: &mut Rng) -> Option<bool> {
        self.budget.reserve(Cost::evals(1)).ok()?;
        let genes = match parents {
            [one, other, ..] => self.landscape.join(&self.genes[one], &self.genes[other], rng),
            [one] => self.landscape.change(&self.genes[one], rng),
            [] => return None,
        };
        let outcome = BidOutcome::Proposed { reason: String::new(), idea: None };
        self.take(Event::Bid(Attempt { step, parents: parents.to_vec(), arm: 0, cost: Cost::ZERO, outcome }));
        let variant = id(step);
        if !self.tried.insert(self.landscape.identity(&genes)) {
            self.budget.settle(Cost::evals(1), Cost::ZERO);
            self.take(Event::Duplicate { step, tree: TreeId(variant.0), asked: false });
            return Some(false);
        }
        self.genes.insert(variant, genes);
        self.take(Event::Admitted { step, variant, tree: TreeId(variant.0), parents: parents.to_vec() });
        let tasks = self.order(step);
        match exam {
            Exam::Part(tasks) => {
                self.mark(step, variant, &tasks, 0);
                self.looked_at(step, variant);
                return Some(true);
            }
            // A sample is examined in stages by its judge.
            Exam::Staged(parts) if self.policy.kind == Kind::Exact => {
                for (place, tasks) in parts.into_iter().enumerate() {
                    if place > 0 && self.budget.reserve(Cost::evals(1)).is_err() {
                        return Some(true);
                    }
                    self.mark(step, variant, &tasks, 0);
                    if self.looked_at(step, variant) {
                        return Some(true);
                    }
                }
            }
            Exam::Whole | Exam::Staged(_) => {
                let first = Evidence::first_tasks(&tasks, self.policy.kind).to_vec();
                self.mark(step, variant, &first, 0);
            }
        }
        self.judge(step, variant, step);
        Some(true)
    }

    /// Examines a variant on more tasks, and judges it once it was examined on all.
    fn examine_more(&mut self, step: u64, variant: VariantId, tasks: &[TaskId]) -> Option<bool> {
        self.budget.reserve(Cost::evals(1)).ok()?;
        self.mark(step, variant, tasks, 0);
        let node = self.lineage.find(&variant).map(|index| self.lineage.node(index));
        let (born, whole) = node.map(|node| (node.born, node.whole))?;
        if whole {
            self.judge(step, variant, born.into());
        } else {
            self.looked_at(step, variant);
        }
        Some(true)
    }

    /// Whether its marks so far show that the other tasks are not worth it; then it is judged.
    fn looked_at(&mut self, step: u64, variant: VariantId) -> bool {
        let (Some(run), Some(index)) = (&self.lineage.run, self.lineage.find(&variant)) else { return false };
        let Some(parent) = self.lineage.node(index).parents.first() else { return false };
        let held = self.lineage.node(reference(&self.lineage, *parent)).id;
        let looks = (run.plan.search.first_tasks as usize, self.tasks.len());
        let cards = |of| self.cards[&of].iter().collect::<Vec<_>>();
        let judgement = hopeless(&cards(variant), &cards(held), &BTreeSet::new(), looks);
        let hopeless = judgement.is_some();
        if let Some(judgement) = judgement {
            self.take(Event::Judged { step, variant, judgement });
        }
        hopeless
    }

    /// The tasks in the order in which a candidate is examined.
    fn order(&self, candidate: u64) -> Vec<TaskId> {
        let mut tasks = self.tasks.clone();
        if self.policy.kind == Kind::Sample {
            let mut rng = Rng::of(self.seed, 3, candidate);
            for i in (1..tasks.len()).rev() {
                tasks.swap(i, rng.below(i as u64 + 1) as usize);
            }
        }
        tasks
    }

    /// Marks of these tasks, of all if none is named. One examination is set aside for it; it costs what it counts.
    fn mark(&mut self, step: u64, variant: VariantId, tasks: &[TaskId], seed: u64) {
        let genes = self.genes[&variant];
        let part = !tasks.is_empty() && tasks.len() < self.tasks.len();
        let tasks = if part { tasks } else { &self.tasks[..] };
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
        let (metrics, part_of) = ([("size".to_owned(), genes.size)].into(), if part { TASKS.into() } else { 0 });
        let scorecard = Scorecard { marks, metrics, seed, part_of, ..Scorecard::default() };
        let price = self.lineage.run.as_ref().map_or(1, |run| run.price_of([&scorecard]));
        self.budget.settle(Cost::evals(1), Cost::evals(price));
        self.cards.entry(variant).or_default().push(scorecard.clone());
        self.take(Event::Examined { step, variant, scorecard });
    }

    /// The judge's verdict, and the crown if the champion is beaten too. The same order of things as in a real step.
    fn judge(&mut self, step: u64, variant: VariantId, candidate: u64) {
        let Some(index) = self.lineage.find(&variant) else { return };
        let parent = self.lineage.node(index).parents.first().copied();
        let parent = parent.map(|parent| self.lineage.node(reference(&self.lineage, parent)).id);
        let (Some(parent), Some(champion)) = (parent, self.lineage.champion().map(|node| node.id)) else { return };
        let judgement = self.against(step, (variant, candidate), parent, Some(champion));
        let accepted = judgement.verdict == Verdict::Accepted;
        let beats = accepted && {
            let judgement = self.against(step, (variant, candidate), champion, None);
            judgement.verdict == Verdict::Accepted
        };
        self.take(Event::Judged { step, variant, judgement });
        if let Some(score) = self.lineage.node(index).score.filter(|_| beats) {
            self.take(Event::Crowned { variant, score });
        }
    }

    /// Judges against a rival. More marks are made for as long as the judge asks, the budget has them, and the variant could
    /// become the champion with them.
    fn against(
        &mut self,
        step: u64,
        (variant, candidate): (VariantId, u64),
        rival: VariantId,
        champion: Option<VariantId>,
    ) -> Judgement {
        loop {
            let (of, tasks, seed, so_far) = match self.weigh(variant, candidate, rival) {
                Ruling::Verdict(judgement) => return judgement,
                Ruling::NeedMore { of, tasks, seed, so_far } => (of, tasks, seed, so_far),
            };
            let lost = champion.is_some_and(|champion| {
                let ruling = self.weigh(variant, candidate, champion);
                matches!(ruling, Ruling::Verdict(judgement) if judgement.verdict != Verdict::Accepted)
            });
            if lost || self.budget.reserve(Cost::evals(1)).is_err() {
                return so_far;
            }
            let who = if of == Side::Variant { variant } else { rival };
            self.mark(step, who, &tasks, seed);
        }
    }

    fn weigh(&self, variant: VariantId, candidate: u64, rival: VariantId) -> Ruling {
        let cards = |of| self.cards[&of].iter().collect::<Vec<_>>();
        let (tasks, flaky, chance) = (self.order(candidate), BTreeSet::new(), self.landscape.noise > 0.0);
        let evidence = Evidence {
            variant: &cards(variant),
            reference: &cards(rival),
            against: "its parent",
            tasks: &tasks,
            flaky: &flaky,
            candidate,
            chance,
            seed: self.seed,
        };
        judge(&evidence, &self.policy)
    }
}

/// The variant of a step.
fn id(step: u64) -> VariantId {
    let mut id = [0; 20];
    id[..8].copy_from_slice(&step.to_be_bytes());
    VariantId(id)
}
