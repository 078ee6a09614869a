//! What the journal says, as one value in memory: every variant with its scores and children, and the current run.
//!
//! A projection: replaying the journal gives it, and nothing else may. It decides nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use meliora_domain::{
    BidOutcome, Cost, Digest, Event, FinishReason, MarkStatus, Recorded, RunPlan, Scorecard, Split, TreeId, VariantId,
    Verdict,
};
use serde::{Deserialize, Serialize};

/// How many failed attempts of a parent are remembered for briefs.
const REMEMBERED_ATTEMPTS: usize = 24;
/// How many of the best variants are kept in order.
const KEPT_BEST: usize = 16;

/// Position of a variant in the lineage.
pub type NodeIndex = u32;

/// One variant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its id.
    pub id: VariantId,
    /// Its tree.
    pub tree: TreeId,
    /// Its parents.
    pub parents: Vec<NodeIndex>,
    /// The run it was made in, from 1.
    pub run: u32,
    /// The step it was made in; 0 for a baseline.
    pub step: u64,
    /// How many variants were made from it.
    pub children: u32,
    /// Mean validation score of its newest examination.
    pub score: Option<f64>,
    /// How often it was examined under `evaluator`.
    pub examined: u32,
    /// The evaluator of its newest examination.
    pub evaluator: Option<Digest>,
    /// What its marks proved; a baseline has none.
    pub verdict: Option<Verdict>,
    /// Why, in one sentence.
    pub grounds: String,
    /// Why it was made, in its proposer's words.
    pub reason: String,
    /// Proposers, by position in the run's plan, that have nothing more for it: a bit set.
    pub exhausted: u64,
    /// What was tried on it and did not help, newest last.
    pub attempts: Vec<Tried>,
    /// First failing train task's detail, shortened.
    pub trouble: String,
}

/// An attempt that did not help, as briefs tell it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// The proposer's reason.
    pub reason: String,
    /// What came of it.
    pub outcome: String,
    /// What the train tasks said.
    pub feedback: String,
}

/// A promotion that stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// The variant that was applied.
    pub variant: VariantId,
    /// The variant that stood before.
    pub previous: VariantId,
    /// The commit in the user's repository.
    pub commit: String,
    /// Whether its examiner was within its reach.
    pub unproven: bool,
}

/// The current or last run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its number, from 1.
    pub number: u32,
    /// What it set out with.
    pub plan: RunPlan,
    /// Its baseline.
    pub baseline: Option<NodeIndex>,
    /// The best accepted variant so far, the baseline at first.
    pub champion: Option<NodeIndex>,
    /// The last step that was begun.
    pub last_step: u64,
    /// Spent, and reserved by calls that never came back.
    pub spent: Cost,
    /// Reservations by step that are not settled yet.
    pub reserved: BTreeMap<u64, Cost>,
    /// Milliseconds that it was at work.
    pub busy_millis: u64,
    /// Attempts, whatever came of them.
    pub attempts: u64,
    /// Accepted variants.
    pub accepted: u64,
    /// Proposals that the law refused.
    pub refused: u64,
    /// Refusals by article.
    pub refusals: BTreeMap<String, u64>,
    /// Proposals that had been tried before.
    pub duplicates: u64,
    /// Answers without a usable proposal.
    pub unusable: u64,
    /// Verdicts by name.
    pub verdicts: BTreeMap<String, u64>,
    /// The newest reasons why an answer was unusable or refused.
    pub troubles: Vec<String>,
    /// Trees that were tried.
    pub trees: HashSet<TreeId>,
    /// Ideas that did not help.
    pub ideas: HashSet<Digest>,
    /// Steps whose proposals are being dealt with: reason and idea.
    pending: BTreeMap<u64, (Vec<NodeIndex>, String, Option<Digest>)>,
    /// The best variants, best first.
    pub best: Vec<NodeIndex>,
    /// Longest examination, in seconds.
    pub longest_exam: f64,
    /// Whether it ended, and why.
    pub finished: Option<FinishReason>,
}

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
    /// The current or last run.
    pub run: Option<Run>,
    /// Promotions that stand, the newest last.
    pub standing: Vec<Standing>,
    /// How often the holdout was opened.
    pub holdout_openings: u64,
    /// Automatic and manual rollbacks so far.
    pub rollbacks: u64,
    /// The newest drop that a re-examination showed.
    pub last_drop: Option<String>,
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
        for (index, node) in (0..).zip(&lineage.nodes) {
            lineage.by_id.insert(node.id, index);
            lineage.by_tree.insert(node.tree, index);
        }
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

    /// The run, if it began and has not ended.
    pub fn unfinished(&self) -> Option<&Run> {
        self.run.as_ref().filter(|r| r.finished.is_none())
    }

    /// Takes the next event in.
    pub fn take(&mut self, recorded: &Recorded) {
        let waited = recorded.at.0.saturating_sub(self.at);
        if let Some(run) = self.run.as_mut().filter(|r| r.finished.is_none())
            && !matches!(recorded.event, Event::RunContinued | Event::RunStarted(_))
        {
            run.busy_millis += waited;
        }
        self.seq = recorded.seq;
        self.hash = recorded.hash;
        self.at = recorded.at.0;
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
            Event::Examined { variant, scorecard, .. } => self.examined(variant, scorecard),
            Event::Judged { step, variant, judgement } => {
                let Some(index) = self.find(variant) else { return };
                let node = &mut self.nodes[index as usize];
                node.verdict = Some(judgement.verdict);
                node.grounds.clone_from(&judgement.reason);
                let trouble = node.trouble.clone();
                self.touched.0.push(index);
                if let Some(run) = &mut self.run {
                    *run.verdicts.entry(judgement.verdict.to_string()).or_default() += 1;
                    if judgement.verdict == Verdict::Accepted {
                        run.accepted += 1;
                        run.pending.remove(step);
                    }
                }
                if judgement.verdict != Verdict::Accepted {
                    self.failed(*step, format!("{}: {}", judgement.verdict, judgement.reason), trouble);
                }
                self.rank(index);
            }
            Event::Crowned { variant, .. } => {
                let index = self.find(variant);
                if let (Some(run), Some(index)) = (&mut self.run, index) {
                    run.champion = Some(index);
                }
            }
            Event::Traced { .. } => {
                if let Some(run) = &mut self.run {
                    run.spent += Cost::evals(1);
                }
            }
            Event::HoldoutOpened { .. } => self.holdout_openings += 1,
            Event::Promoted { variant, commit, previous, unproven, .. } => self.standing.push(Standing {
                variant: *variant,
                previous: *previous,
                commit: commit.clone(),
                unproven: *unproven,
            }),
            Event::RolledBack { reason, .. } => {
                self.standing.pop();
                self.rollbacks += 1;
                self.last_drop = Some(reason.clone());
            }
            Event::Finished { reason, .. } => {
                if let Some(run) = &mut self.run {
                    run.finished = Some(reason.clone());
                }
            }
            Event::Reexamined { .. } | Event::Warned { .. } | Event::Interrupted => {}
        }
    }

    fn admit(&mut self, step: u64, variant: VariantId, tree: TreeId, parents: &[VariantId]) {
        let Some(run) = &mut self.run else { return };
        run.trees.insert(tree);
        let parents: Vec<NodeIndex> = parents.iter().filter_map(|p| self.by_id.get(p).copied()).collect();
        let known = self.by_id.get(&variant).copied();
        let index = known.unwrap_or(self.nodes.len() as NodeIndex);
        if known.is_none() {
            let reason = run.pending.get(&step).map(|(_, reason, _)| reason.clone()).unwrap_or_default();
            for parent in &parents {
                self.nodes[*parent as usize].children += 1;
                self.touched.0.push(*parent);
            }
            self.nodes.push(Node::new(variant, tree, parents, step, reason));
            self.by_id.insert(variant, index);
            self.by_tree.insert(tree, index);
        }
        let node = &mut self.nodes[index as usize];
        node.run = run.number;
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
        run.reserved.remove(&attempt.step);
        run.spent += attempt.cost;
        run.last_step = run.last_step.max(attempt.step);
        match &attempt.outcome {
            BidOutcome::Proposed { reason, idea } => {
                run.attempts += 1;
                run.pending.insert(attempt.step, (parents, reason.clone(), *idea));
            }
            BidOutcome::Unusable { reason } => {
                run.attempts += 1;
                run.unusable += 1;
                run.trouble(format!("unusable answer: {reason}"));
                run.pending.insert(attempt.step, (parents, String::new(), None));
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

    fn examined(&mut self, variant: &VariantId, card: &Scorecard) {
        let Some(index) = self.find(variant) else { return };
        let node = &mut self.nodes[index as usize];
        if node.evaluator != Some(card.evaluator) {
            node.evaluator = Some(card.evaluator);
            node.examined = 0;
        }
        node.examined += 1;
        node.score = card.mean(Split::Validation);
        node.trouble = card
            .of(Split::Train)
            .find(|m| m.status != MarkStatus::Passed)
            .map(|m| m.detail.chars().take(240).collect())
            .unwrap_or_default();
        self.touched.0.push(index);
        if let Some(run) = &mut self.run {
            run.spent += Cost::evals(1);
            run.longest_exam = run.longest_exam.max(card.seconds);
            if run.baseline == Some(index) && run.best.is_empty() {
                run.best.push(index);
            }
        }
    }

    /// Puts a judged variant among the best, if it belongs there.
    fn rank(&mut self, index: NodeIndex) {
        let nodes = &self.nodes;
        let Some(run) = &mut self.run else { return };
        let viable = !matches!(nodes[index as usize].verdict, Some(Verdict::Unviable | Verdict::Suspect));
        let Some(score) = nodes[index as usize].score.filter(|_| viable) else { return };
        let place = run.best.partition_point(|i| nodes[*i as usize].score.is_some_and(|s| s >= score));
        if place < KEPT_BEST {
            run.best.insert(place, index);
            run.best.truncate(KEPT_BEST);
        }
    }

    /// A step's proposal did not help: its parent and its idea are remembered.
    fn failed(&mut self, step: u64, outcome: String, feedback: String) {
        let Some(run) = &mut self.run else { return };
        let Some((parents, reason, idea)) = run.pending.remove(&step) else { return };
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

impl Node {
    fn new(id: VariantId, tree: TreeId, parents: Vec<NodeIndex>, step: u64, reason: String) -> Self {
        Node {
            id,
            tree,
            parents,
            run: 0,
            step,
            children: 0,
            score: None,
            examined: 0,
            evaluator: None,
            verdict: None,
            grounds: String::new(),
            reason,
            exhausted: 0,
            attempts: Vec::new(),
            trouble: String::new(),
        }
    }

    /// Whether it may be a parent: it works, and nothing speaks against it.
    pub fn viable(&self) -> bool {
        self.examined > 0 && !matches!(self.verdict, Some(Verdict::Unviable | Verdict::Suspect))
    }
}

impl Run {
    fn new(number: u32, plan: RunPlan) -> Self {
        Run {
            number,
            plan,
            baseline: None,
            champion: None,
            last_step: 0,
            spent: Cost::ZERO,
            reserved: BTreeMap::new(),
            busy_millis: 0,
            attempts: 0,
            accepted: 0,
            refused: 0,
            refusals: BTreeMap::new(),
            duplicates: 0,
            unusable: 0,
            verdicts: BTreeMap::new(),
            troubles: Vec::new(),
            trees: HashSet::new(),
            ideas: HashSet::new(),
            pending: BTreeMap::new(),
            best: Vec::new(),
            longest_exam: 0.0,
            finished: None,
        }
    }

    fn trouble(&mut self, what: String) {
        if self.troubles.len() == REMEMBERED_ATTEMPTS {
            self.troubles.remove(0);
        }
        self.troubles.push(what);
    }

    /// Everything spent and reserved.
    pub fn charged(&self) -> Cost {
        self.reserved.values().fold(self.spent, |sum, cost| sum + *cost)
    }
}
