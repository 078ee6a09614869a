//! What the journal says, as one value in memory: every variant with its scores and children, and the current run.
//!
//! A projection: replaying the journal gives it, and nothing else may. It decides nothing.

mod arms;
mod asks;
mod exams;
mod marks;
mod parts;
mod taint;
mod watched;

use std::collections::{BTreeSet, HashMap};

use meliora_domain::{BidOutcome, Cost, Digest, Event, Recorded, TaskId, TreeId, VariantId, Verdict};
use serde::{Deserialize, Serialize};

pub use arms::ArmRecord;
pub use asks::{Answer, Ask, Asks};
pub(crate) use exams::reference;
pub use marks::ByTask;
pub use parts::{Node, Run, Standing, Tried};
pub(crate) use watched::CAGE_FAILED;
pub use watched::{Pause, Watched};

use asks::Bred;
use parts::Pending;

/// How many failed attempts of a parent are remembered for briefs.
pub const REMEMBERED_ATTEMPTS: usize = 24;
/// How many of the best variants are kept in order.
const KEPT_BEST: usize = 16;

/// Position of a variant in the lineage.
pub type NodeIndex = u32;

/// All variants and the current run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Lineage {
    /// Position of the newest event in it.
    pub seq: u64,
    /// Hash of that event.
    pub hash: Digest,
    /// When it was written.
    at: u64,
    nodes: Vec<Node>,
    #[serde(skip)]
    by_id: HashMap<VariantId, NodeIndex>,
    #[serde(skip)]
    by_tree: HashMap<TreeId, NodeIndex>,
    /// By variant, what was bred from it.
    #[serde(skip)]
    heirs: Vec<Vec<NodeIndex>>,
    /// Every validation task that was ever marked, in the order of its first mark.
    tasks: Vec<TaskId>,
    #[serde(skip)]
    by_task: HashMap<TaskId, u32>,
    /// The current or last run.
    pub run: Option<Run>,
    /// Promotions that stand, the newest last.
    pub standing: Vec<Standing>,
    /// How often the holdout was opened.
    pub holdout_openings: u64,
    /// Automatic and manual rollbacks so far.
    pub rollbacks: u64,
    /// Tasks whose marks do not count, and the evaluator whose tasks they are.
    flaky: (Digest, BTreeSet<TaskId>),
    /// Variants that were rolled back and not promoted again since.
    pub fallen: BTreeSet<VariantId>,
    /// The newest drop that a re-examination showed.
    pub last_drop: Option<String>,
    /// What a person is asked, and what came of it.
    pub asks: Asks,
    /// What the guardian needs to know.
    pub watched: Watched,
    /// Whether a run is at work, as far as the journal tells.
    at_work: bool,
    /// Nodes that changed, in order, for strategies that keep an index. Not part of the state.
    #[serde(skip)]
    touched: Touched,
}

/// A log that two equal lineages may differ in.
#[derive(Clone, Debug, Default)]
struct Touched(Vec<NodeIndex>);

impl PartialEq for Touched {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Lineage {
    /// The state as bytes, for a snapshot.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a lineage has string keys and finite numbers only")
    }

    /// The state from a snapshot's bytes; `None` if they are of another form.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut lineage: Lineage = serde_json::from_slice(bytes).ok()?;
        lineage.heirs = vec![Vec::new(); lineage.nodes.len()];
        for (index, node) in (0..).zip(&lineage.nodes) {
            lineage.by_id.insert(node.id, index);
            lineage.by_tree.insert(node.tree, index);
            node.parents.iter().for_each(|parent| lineage.heirs[*parent as usize].push(index));
        }
        lineage.by_task = lineage.tasks.iter().cloned().zip(0..).collect();
        lineage.touched = Touched((0..lineage.nodes.len() as NodeIndex).collect());
        Some(lineage)
    }

    /// All variants, in the order in which they were admitted.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The variant at a position.
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index as usize]
    }

    /// Where a variant is.
    pub fn find(&self, id: &VariantId) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    /// The newest variant with this tree.
    pub fn find_tree(&self, tree: &TreeId) -> Option<NodeIndex> {
        self.by_tree.get(tree).copied()
    }

    /// Every validation task that was ever marked. Its place here stands for it in [`Node::by_task`] and [`Run::tasks`].
    pub fn tasks(&self) -> &[TaskId] {
        &self.tasks
    }

    /// Nodes that changed after the first `from` changes.
    pub fn touched_since(&self, from: usize) -> &[NodeIndex] {
        &self.touched.0[from.min(self.touched.0.len())..]
    }

    /// The champion of the current or last run.
    pub fn champion(&self) -> Option<&Node> {
        self.run.as_ref()?.champion.map(|i| self.node(i))
    }

    /// The baseline of the current or last run.
    pub fn baseline(&self) -> Option<&Node> {
        self.run.as_ref()?.baseline.map(|i| self.node(i))
    }

    /// Whether a variant, or one that it was bred from, is suspect.
    pub fn distrusted(&self, id: &VariantId) -> bool {
        self.find(id).is_some_and(|index| self.node(index).taints())
    }

    /// Whether a variant, or one that it was bred from, was rolled back.
    pub fn disgraced(&self, variant: &Node) -> bool {
        let mut at = Some(variant);
        while let Some(node) = at {
            if self.fallen.contains(&node.id) {
                return true;
            }
            at = node.parents.first().map(|p| self.node(*p));
        }
        false
    }

    /// Whether a variant has this tree, or one that it was bred from by first parents has.
    pub fn descends(&self, variant: &Node, tree: &TreeId) -> bool {
        let mut at = Some(variant);
        while let Some(node) = at {
            if node.tree == *tree {
                return true;
            }
            at = node.parents.first().map(|p| self.node(*p));
        }
        false
    }

    /// The tasks of an evaluator whose marks do not count.
    pub fn flaky(&self, evaluator: &Digest) -> &BTreeSet<TaskId> {
        static NONE: BTreeSet<TaskId> = BTreeSet::new();
        if self.flaky.0 == *evaluator { &self.flaky.1 } else { &NONE }
    }

    /// The run, if it began and has not ended.
    pub fn unfinished(&self) -> Option<&Run> {
        self.run.as_ref().filter(|r| r.finished.is_none())
    }

    /// Takes the next event in.
    pub fn take(&mut self, recorded: &Recorded) {
        let waited = recorded.at.0.saturating_sub(self.at);
        // What comes between two sittings of a run is no time at work: a person's word, a look at the tree.
        let idle = matches!(recorded.event, Event::RunContinued | Event::RunStarted(_) | Event::Resumed { .. });
        if let Some(run) = self.run.as_mut().filter(|r| r.finished.is_none() && self.at_work && !idle) {
            run.busy_millis += waited;
        }
        match recorded.event {
            Event::RunStarted(_) | Event::RunContinued => self.at_work = true,
            Event::Interrupted | Event::Finished { .. } | Event::Resumed { .. } => self.at_work = false,
            _ => {}
        }
        self.seq = recorded.seq;
        self.hash = recorded.hash;
        self.at = recorded.at.0;
        if let Event::Asked { step, request } = &recorded.event {
            self.asks.asked(recorded, *step, request, self.bred(*step));
        }
        self.watched.take(recorded);
        self.take_event(&recorded.event);
    }

    fn take_event(&mut self, event: &Event) {
        match event {
            Event::RunStarted(plan) => {
                let number = self.run.as_ref().map_or(1, |r| r.number + 1);
                self.run = Some(Run::new(number, plan.clone()));
            }
            Event::RunContinued => {
                // What was reserved and never settled may have been spent: it stays charged.
                if let Some(run) = &mut self.run {
                    let lost = std::mem::take(&mut run.reserved);
                    lost.values().for_each(|cost| run.spent += *cost);
                }
            }
            Event::Admitted { step, variant, tree, parents } => self.admit(*step, *variant, *tree, parents),
            Event::Reserved { step, cost } => {
                if let Some(run) = &mut self.run {
                    run.reserved.insert(*step, *cost);
                    run.last_step = run.last_step.max(*step);
                }
            }
            Event::Spent { step, cost } => {
                if let Some(run) = &mut self.run {
                    run.spent += *cost;
                    // A baseline, and a variant that is examined further, has no bid that would settle what was set aside.
                    run.reserved.remove(step);
                }
            }
            Event::Bid(attempt) => self.bid(attempt),
            Event::Refused { step, article, reason, .. } => {
                if let Some(run) = &mut self.run {
                    run.refused += 1;
                    *run.refusals.entry(article.clone()).or_default() += 1;
                    run.trouble(format!("{article}: {reason}"));
                }
                self.failed(*step, format!("refused ({article}): {reason}"), String::new());
            }
            Event::Duplicate { step, .. } => {
                if let Some(run) = &mut self.run {
                    run.duplicates += 1;
                }
                self.failed(*step, "was tried before".to_owned(), String::new());
            }
            Event::Examined { step, variant, scorecard } => {
                // A step that examines a variant further has no bid.
                if let Some(run) = &mut self.run {
                    run.last_step = run.last_step.max(*step);
                }
                self.examined(variant, scorecard);
            }
            Event::Judged { step, variant, judgement } => {
                let Some(index) = self.find(variant) else { return };
                let node = &mut self.nodes[index as usize];
                let taints = node.taints();
                node.verdict = Some(judgement.verdict);
                node.grounds.clone_from(&judgement.reason);
                node.alarms.clone_from(&judgement.alarms);
                node.cleared = None;
                let (trouble, made) = (node.trouble.clone(), node.step);
                self.touched.0.push(index);
                self.pay(index);
                let Some(run) = &mut self.run else { return };
                *run.verdicts.entry(judgement.verdict.to_string()).or_default() += 1;
                // A variant that was examined bit by bit is judged in another step than it was made in.
                let step = if run.pending.contains_key(step) { *step } else { made };
                if judgement.hopeful()
                    && let Some(pending) = run.pending.get_mut(&step)
                {
                    pending.idea = None;
                }
                if judgement.verdict == Verdict::Accepted {
                    run.accepted += 1;
                    run.gains.push(judgement.effect);
                    run.pending.remove(&step);
                } else {
                    self.failed(step, format!("{}: {}", judgement.verdict, judgement.reason), trouble);
                }
                if self.node(index).taints() != taints {
                    self.quarantine(index);
                }
                self.rank(index);
            }
            Event::Cleared { variant, judgement, word } => {
                let Some(index) = self.find(variant) else { return };
                let node = &mut self.nodes[index as usize];
                node.verdict = Some(judgement.verdict);
                node.grounds.clone_from(&judgement.reason);
                node.cleared = Some(word.clone());
                self.touched.0.push(index);
                self.quarantine(index);
            }
            Event::Crowned { variant, .. } => {
                let index = self.find(variant);
                if let (Some(run), Some(index)) = (&mut self.run, index) {
                    run.champion = Some(index);
                }
            }
            Event::Quarantined { evaluator, tasks, .. } => {
                if self.flaky.0 != *evaluator {
                    self.flaky = (*evaluator, BTreeSet::new());
                }
                self.flaky.1.extend(tasks.iter().cloned());
            }
            Event::Traced { .. } => {
                if let Some(run) = &mut self.run {
                    run.spent += Cost::evals(1);
                }
            }
            Event::Shaped { shape, .. } => {
                if let Some(run) = &mut self.run {
                    run.shapes.insert(*shape);
                }
            }
            Event::HoldoutOpened { .. } => self.holdout_openings += 1,
            Event::Promoted { variant, commit, previous, unproven, .. } => {
                self.fallen.remove(variant);
                let (variant, previous, commit) = (*variant, *previous, commit.clone());
                self.standing.push(Standing { variant, previous, commit, unproven: *unproven });
            }
            Event::RolledBack { from, reason, .. } => {
                self.standing.pop();
                self.fallen.insert(*from);
                self.rollbacks += 1;
                // What a person undid by hand shows no drop.
                if reason.starts_with("automatic") {
                    self.last_drop = Some(reason.clone());
                }
            }
            Event::Finished { reason, .. } => {
                if let Some(run) = &mut self.run {
                    run.finished = Some(reason.clone());
                }
            }
            Event::Asked { step, request } => {
                if let Some(run) = &mut self.run {
                    run.asked += u64::from(step.is_some());
                }
                if let Some(step) = step {
                    self.failed(*step, format!("waits for a person ({})", request.article), String::new());
                }
            }
            Event::Answered(word) => self.asks.answered(word),
            Event::Used { request, .. } => self.asks.used(request),
            Event::Restarted { step, .. } => {
                // What was set aside for the try that is given up may have been spent: it stays charged.
                if let Some(run) = &mut self.run
                    && let Some(lost) = run.reserved.remove(step)
                {
                    run.spent += lost;
                }
            }
            Event::Reexamined { .. }
            | Event::Violated { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Alerted { .. }
            | Event::Warned { .. }
            | Event::Interrupted => {}
        }
    }

    fn admit(&mut self, step: u64, variant: VariantId, tree: TreeId, parents: &[VariantId]) {
        let Some(run) = &mut self.run else { return };
        run.stale = 0;
        run.trees.insert(tree);
        let parents: Vec<NodeIndex> = parents.iter().filter_map(|p| self.by_id.get(p).copied()).collect();
        let known = self.by_id.get(&variant).copied();
        let index = known.unwrap_or(self.nodes.len() as NodeIndex);
        if known.is_none() {
            let reason = run.pending.get(&step).map(|p| p.reason.clone()).unwrap_or_default();
            for parent in &parents {
                self.nodes[*parent as usize].children += 1;
                self.heirs[*parent as usize].push(index);
                self.touched.0.push(*parent);
            }
            let tainted = parents.iter().any(|p| self.nodes[*p as usize].taints());
            self.nodes.push(Node { tainted, ..Node::new(variant, tree, parents, step, reason) });
            self.heirs.push(Vec::new());
            self.by_id.insert(variant, index);
            self.by_tree.insert(tree, index);
        }
        let node = &mut self.nodes[index as usize];
        node.run = run.number;
        node.born = run.variants;
        node.arm = run.pending.get(&step).map_or(0, |p| p.arm.min(63) as u8);
        run.variants += 1;
        if step == 0 {
            // A baseline begins afresh: what an earlier run's proposers had no more to say may differ now.
            run.baseline = Some(index);
            run.champion = Some(index);
            node.exhausted = 0;
        }
        self.touched.0.push(index);
    }

    fn bid(&mut self, attempt: &meliora_domain::Attempt) {
        let parents: Vec<NodeIndex> = attempt.parents.iter().filter_map(|p| self.find(p)).collect();
        let Some(run) = &mut self.run else { return };
        let arm = attempt.arm;
        if !matches!(attempt.outcome, BidOutcome::Exhausted) {
            run.asked_of(arm, attempt.cost);
        }
        run.reserved.remove(&attempt.step);
        run.spent += attempt.cost;
        run.last_step = run.last_step.max(attempt.step);
        match &attempt.outcome {
            BidOutcome::Proposed { reason, idea } => {
                run.attempts += 1;
                run.stale += 1;
                run.pending.insert(attempt.step, Pending { parents, arm, reason: reason.clone(), idea: *idea });
            }
            BidOutcome::Unusable { reason } => {
                run.attempts += 1;
                run.stale += 1;
                run.unusable += 1;
                run.trouble(format!("unusable answer: {reason}"));
                run.pending.insert(attempt.step, Pending { parents, arm, reason: String::new(), idea: None });
                self.failed(attempt.step, format!("unusable answer: {reason}"), String::new());
            }
            BidOutcome::Exhausted => {
                for parent in parents.iter().take(1) {
                    self.nodes[*parent as usize].exhausted |= 1 << attempt.arm.min(63);
                    self.touched.0.push(*parent);
                }
            }
        }
    }

    /// Where the proposal of a step that is being dealt with came from.
    fn bred(&self, step: Option<u64>) -> Option<Bred> {
        let pending = self.run.as_ref()?.pending.get(&step?)?;
        let parents = pending.parents.iter().map(|p| self.node(*p).id).collect();
        Some(Bred { parents, arm: pending.arm, reason: pending.reason.clone() })
    }

    /// Puts a judged variant among the best, if it belongs there.
    fn rank(&mut self, index: NodeIndex) {
        let nodes = &self.nodes;
        let Some(run) = &mut self.run else { return };
        let node = &nodes[index as usize];
        // What a few tasks were enough to reject may have a high mean on them.
        let early = node.verdict == Some(Verdict::Rejected) && !node.whole;
        let Some(score) = node.score.filter(|_| node.viable() && !early) else { return };
        run.best.retain(|i| *i != index);
        let place = run.best.partition_point(|i| nodes[*i as usize].score.is_some_and(|s| s >= score));
        if place < KEPT_BEST {
            run.best.insert(place, index);
            run.best.truncate(KEPT_BEST);
        }
    }

    /// A step's proposal did not help: its parent and its idea are remembered.
    fn failed(&mut self, step: u64, outcome: String, feedback: String) {
        let Some(run) = &mut self.run else { return };
        let Some(Pending { parents, reason, idea, .. }) = run.pending.remove(&step) else { return };
        run.ideas.extend(idea);
        if let Some(parent) = parents.first() {
            let attempts = &mut self.nodes[*parent as usize].attempts;
            if attempts.len() == REMEMBERED_ATTEMPTS {
                attempts.remove(0);
            }
            attempts.push(Tried { reason, outcome, feedback });
        }
    }
}
