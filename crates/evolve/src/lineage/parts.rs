//! What a lineage is made of: variants, runs, promotions.

use std::collections::{BTreeMap, HashSet};

use meliora_domain::{Alarm, Cost, Digest, FinishReason, RunPlan, Scorecard, Split, TreeId, VariantId, Verdict, Word};
use serde::{Deserialize, Serialize};

use super::{ArmRecord, ByTask, NodeIndex, REMEMBERED_ATTEMPTS};

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
    /// How many variants of its run were admitted before it.
    pub born: u32,
    /// Which proposer of the run's plan made it.
    pub arm: u8,
    /// How many variants were made from it.
    pub children: u32,
    /// Mean score of all validation marks under `evaluator`.
    pub score: Option<f64>,
    /// Number of these marks.
    pub marks: u32,
    /// Sum of their scores.
    pub(super) sum: f64,
    /// What came of each validation task.
    pub by_task: ByTask,
    /// Whether it was examined on all validation tasks.
    pub whole: bool,
    /// Figures of the evaluator that the run's search looks at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
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
    /// Why it is suspect, or was until a person cleared it.
    pub alarms: Vec<Alarm>,
    /// The word by which a person cleared it.
    pub cleared: Option<Word>,
    /// Whether something that it was bred from is suspect.
    pub tainted: bool,
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
    /// Validation tasks marked so far in examinations of some tasks only.
    pub parts: u64,
    /// Reservations by step that are not settled yet.
    pub reserved: BTreeMap<u64, Cost>,
    /// Milliseconds that it was at work.
    pub busy_millis: u64,
    /// Variants that were admitted, the baseline among them.
    pub variants: u32,
    /// Its validation tasks, by their place in the lineage's, rising.
    pub tasks: Vec<u32>,
    /// The lowest and the highest score of a validation task so far, zero and one included.
    pub range: (f32, f32),
    /// What each proposer brought and cost.
    pub arms: Vec<ArmRecord>,
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
    /// Shapes that were tried.
    #[serde(default)]
    pub shapes: HashSet<Digest>,
    /// Ideas that did not help.
    pub ideas: HashSet<Digest>,
    /// Proposals that wait for a person.
    pub asked: u64,
    /// Answers in a row, of those that were not `exhausted`, that led to no examination.
    pub stale: u64,
    /// Steps whose proposals are being dealt with.
    pub(super) pending: BTreeMap<u64, Pending>,
    /// The best variants, best first.
    pub best: Vec<NodeIndex>,
    /// Gains of the accepted variants, in score points, in order.
    pub gains: Vec<f64>,
    /// Longest examination, in seconds.
    pub longest_exam: f64,
    /// Whether it ended, and why.
    pub finished: Option<FinishReason>,
}

/// A step's proposal that is being dealt with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) parents: Vec<NodeIndex>,
    pub(super) arm: usize,
    pub(super) reason: String,
    pub(super) idea: Option<Digest>,
}

impl Node {
    pub(super) fn new(id: VariantId, tree: TreeId, parents: Vec<NodeIndex>, step: u64, reason: String) -> Self {
        Node {
            id,
            tree,
            parents,
            run: 0,
            step,
            born: 0,
            arm: 0,
            children: 0,
            score: None,
            marks: 0,
            sum: 0.0,
            by_task: ByTask::default(),
            whole: false,
            metrics: BTreeMap::new(),
            examined: 0,
            evaluator: None,
            verdict: None,
            grounds: String::new(),
            reason,
            exhausted: 0,
            attempts: Vec::new(),
            trouble: String::new(),
            alarms: Vec::new(),
            cleared: None,
            tainted: false,
        }
    }

    /// Whether what is bred from it is not to be trusted.
    pub(super) fn taints(&self) -> bool {
        self.tainted || self.verdict == Some(Verdict::Suspect)
    }

    /// Whether it may be a parent: it works, and neither it nor what it was bred from is suspect.
    pub fn viable(&self) -> bool {
        self.examined > 0 && !self.tainted && !matches!(self.verdict, Some(Verdict::Unviable | Verdict::Suspect))
    }
}

impl Run {
    pub(super) fn new(number: u32, plan: RunPlan) -> Self {
        let arms = vec![ArmRecord::default(); plan.arms.len()];
        Run {
            number,
            plan,
            baseline: None,
            champion: None,
            last_step: 0,
            spent: Cost::ZERO,
            parts: 0,
            reserved: BTreeMap::new(),
            busy_millis: 0,
            variants: 0,
            tasks: Vec::new(),
            range: (0.0, 1.0),
            arms,
            attempts: 0,
            accepted: 0,
            refused: 0,
            refusals: BTreeMap::new(),
            duplicates: 0,
            unusable: 0,
            asked: 0,
            stale: 0,
            verdicts: BTreeMap::new(),
            troubles: Vec::new(),
            trees: HashSet::new(),
            shapes: HashSet::new(),
            ideas: HashSet::new(),
            pending: BTreeMap::new(),
            best: Vec::new(),
            gains: Vec::new(),
            longest_exam: 0.0,
            finished: None,
        }
    }

    pub(super) fn trouble(&mut self, what: String) {
        if self.troubles.len() == REMEMBERED_ATTEMPTS {
            self.troubles.remove(0);
        }
        self.troubles.push(what);
    }

    /// A proposer was asked.
    pub(super) fn asked_of(&mut self, arm: usize, cost: Cost) {
        let left = self.plan.search.bandit.decay;
        self.arms.iter_mut().for_each(|record| record.decay(left));
        if let Some(record) = self.arms.get_mut(arm) {
            record.attempt(cost);
        }
    }

    /// Keeps the figures of a scorecard that the run's search looks at.
    pub(super) fn keep_features(&self, node: &mut Node, card: &Scorecard) {
        if self.plan.strategy != "islands" {
            return;
        }
        for feature in &self.plan.search.islands.features {
            if let Some(value) = card.metrics.get(&feature.name).filter(|value| value.is_finite()) {
                node.metrics.insert(feature.name.clone(), *value);
            }
        }
    }

    /// What examinations add to the evaluations spent. One of all tasks counts as one. Those of some tasks only count
    /// together, by their tasks: they add one whenever the ones paid for no longer make up for theirs.
    pub fn price_of<'c>(&self, cards: impl IntoIterator<Item = &'c Scorecard>) -> u64 {
        let (mut parts, mut price) = (self.parts, 0);
        for card in cards {
            let after = parts + parts_of(card);
            price += if card.part_of == 0 { 1 } else { after.div_ceil(card.part_of) - parts.div_ceil(card.part_of) };
            parts = after;
        }
        price
    }

    /// Everything spent and reserved.
    pub fn charged(&self) -> Cost {
        self.reserved.values().fold(self.spent, |sum, cost| sum + *cost)
    }
}

/// Validation tasks of an examination of some tasks only; 0 for one of all.
pub(super) fn parts_of(card: &Scorecard) -> u64 {
    if card.part_of == 0 { 0 } else { card.of(Split::Validation).count() as u64 }
}
