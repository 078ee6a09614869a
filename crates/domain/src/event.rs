//! Events: the only wire between the engine and whoever shows or keeps what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Change, Cost, Decision, Digest, Example, Feedback, Judgement, Operation, Request, Scorecard, SearchPlan, TaskId,
    Tier, TreeId, VariantId, Word,
};

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// Who proposed: the proposer's kind and, for models, the model's name.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Proposer {
    /// `mutate`, `rewrite`, `replay` or `command`.
    pub kind: String,
    /// The model's name, where one speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What a run set out with. A run is continued only under the same plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunPlan {
    /// The strategy's name.
    pub strategy: String,
    /// The proposers it chooses from, by position.
    pub arms: Vec<Proposer>,
    /// Seed of every random choice.
    pub seed: u64,
    /// What may be spent: evaluations, tokens, money. Zero stands for no limit.
    pub budget: Cost,
    /// Wall-clock minutes that the run may take in all. Zero stands for no limit.
    pub minutes: f64,
    /// Hash of the evaluator that marks it.
    pub evaluator: Digest,
    /// Tree of the baseline.
    pub baseline: TreeId,
    /// Digest of the constitution in force.
    pub constitution: Digest,
    /// How far subjects are kept from their examiner; older journals do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The settings of its search; older journals have none.
    #[serde(default, skip_serializing_if = "SearchPlan::is_default")]
    pub search: SearchPlan,
}

/// One step's proposal and what came of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Number of the step within the run, from 1.
    pub step: u64,
    /// Parents, the one that was changed first.
    pub parents: Vec<VariantId>,
    /// Position of the proposer in the run's plan.
    pub arm: usize,
    /// What the proposal cost.
    pub cost: Cost,
    /// What was proposed, or why nothing was.
    pub outcome: BidOutcome,
}

/// What a proposer came back with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BidOutcome {
    /// A change to try.
    Proposed {
        /// Why, in the proposer's words.
        reason: String,
        /// Hash of the edit in its context: an edit with the same hash was the same idea.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idea: Option<Digest>,
    },
    /// Nothing usable, and why.
    Unusable {
        /// Why, in words.
        reason: String,
    },
    /// The proposer has nothing more for this parent.
    Exhausted,
}

/// Why a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The highest score that the suite can give was reached.
    Solved,
    /// The named budget is used up.
    Budget(String),
    /// No proposer has anything more to offer.
    Exhausted,
    /// It cannot go on, because what it was begun under has changed; says what.
    Superseded(String),
}

/// Everything that can happen. The journal holds these, in order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began.
    RunStarted(RunPlan),
    /// An unfinished run goes on.
    RunContinued,
    /// A variant was stored: a commit in the archive.
    Admitted {
        /// The step that made it; 0 for a baseline.
        step: u64,
        /// The variant.
        variant: VariantId,
        /// Its tree.
        tree: TreeId,
        /// Its parents; empty for a baseline.
        parents: Vec<VariantId>,
    },
    /// The shape of a variant that was stored: what is left of it without layout, comments and names of locals.
    Shaped {
        /// The variant.
        variant: VariantId,
        /// Hash of its shape.
        shape: Digest,
    },
    /// A cost was set aside before it is spent.
    Reserved {
        /// The step it is for.
        step: u64,
        /// At most this is spent.
        cost: Cost,
    },
    /// What models cost that answered in the examinations of a step.
    Spent {
        /// The step; 0 for a baseline.
        step: u64,
        /// Tokens and money.
        cost: Cost,
    },
    /// A proposer answered; its reservation is settled by the attempt's cost.
    Bid(Attempt),
    /// The law refused a proposal.
    Refused {
        /// The step.
        step: u64,
        /// The article that refuses it.
        article: String,
        /// What exactly, and what would be lawful.
        reason: String,
        /// What was proposed.
        change: Change,
    },
    /// A proposal is a genome that was tried before.
    Duplicate {
        /// The step.
        step: u64,
        /// The tree that was tried before.
        tree: TreeId,
        /// It was not tried: a person was asked about it before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        asked: bool,
    },
    /// A variant was examined.
    Examined {
        /// The step it belongs to.
        step: u64,
        /// The variant.
        variant: VariantId,
        /// The marks. The second and later examinations of a variant are re-runs.
        scorecard: Scorecard,
    },
    /// A variant's marks were judged against its parent's.
    Judged {
        /// The step.
        step: u64,
        /// The variant.
        variant: VariantId,
        /// The verdict and its grounds.
        judgement: Judgement,
    },
    /// A person let a suspect variant go: what its marks prove counts again.
    Cleared {
        /// The variant.
        variant: VariantId,
        /// What its marks prove, alarms aside.
        judgement: Judgement,
        /// The person's word on exactly these alarms.
        word: Word,
    },
    /// A variant became the champion.
    Crowned {
        /// The variant.
        variant: VariantId,
        /// Its validation score.
        score: f64,
    },
    /// The same work was marked differently, so these tasks of this evaluator count for no verdict.
    Quarantined {
        /// The evaluator.
        evaluator: Digest,
        /// The tasks.
        tasks: Vec<TaskId>,
        /// What showed it, in words.
        reason: String,
    },
    /// What train tasks told of a variant, gathered when it first became a parent.
    Traced {
        /// The variant.
        variant: VariantId,
        /// One entry a train task.
        feedback: Vec<Feedback>,
        /// For prompts: the train rows, and what the variant made of each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        examples: Vec<Example>,
    },
    /// The holdout was opened for a variant.
    HoldoutOpened {
        /// The variant.
        variant: VariantId,
        /// The marks of its holdout tasks.
        scorecard: Scorecard,
    },
    /// A champion was applied to the user's tree.
    Promoted {
        /// The variant.
        variant: VariantId,
        /// The commit in the user's repository.
        commit: String,
        /// The commit that stood before.
        before: String,
        /// The variant that stood before.
        previous: VariantId,
        /// Whether it was promoted from a tier where its examiner was within its reach.
        unproven: bool,
    },
    /// A promoted variant was examined again.
    Reexamined {
        /// The variant.
        variant: VariantId,
        /// Its score now.
        score: f64,
        /// The score it is held against.
        reference: f64,
        /// What followed, in words.
        reason: String,
        /// Whether it proved a drop that counts.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dropped: bool,
        /// Whether it proved neither a drop nor that there is none.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unclear: bool,
    },
    /// A promotion was undone.
    RolledBack {
        /// The variant that stood.
        from: VariantId,
        /// The variant that stands again.
        to: VariantId,
        /// The commit in the user's repository that undid it.
        commit: String,
        /// Who decided: `automatic` or `manual`, and why.
        reason: String,
    },
    /// An operation that is no step's proposal was not allowed, or something was found altered that the law protects.
    Violated {
        /// `ask` where nobody had said yes.
        decision: Decision,
        /// The article.
        article: String,
        /// What exactly, and what would be lawful.
        reason: String,
        /// Where it was met: `review`, `hook`, `promote`, `integrity`, …
        source: String,
        /// The operation, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Operation>,
    },
    /// Something waits for a person.
    Asked {
        /// The step whose proposal it is; absent for what no step proposed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<u64>,
        /// What is asked.
        request: Request,
    },
    /// A person said yes or no.
    Answered(Word),
    /// A yes was used up.
    Used {
        /// The request.
        request: Digest,
        /// The word's nonce.
        nonce: Digest,
    },
    /// The guardian stopped the work, or a person did. Only a person lets it go on.
    Paused {
        /// The guardian's rule, or `person`.
        rule: String,
        /// What it saw.
        reason: String,
    },
    /// A person let the work go on.
    Resumed {
        /// Why, in the person's words; may be empty.
        reason: String,
        /// The person's word on the pause; without it nothing goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<Word>,
    },
    /// The guardian told someone.
    Alerted {
        /// The guardian's rule.
        rule: String,
        /// What it saw.
        message: String,
        /// Who was told, without secrets: `terminal`, `command`, `webhook`.
        to: String,
        /// Why it could not be delivered, after all retries; absent if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// A step that did not come back was given up, to be done anew.
    Restarted {
        /// The step.
        step: u64,
        /// Why.
        reason: String,
    },
    /// Something a person should know.
    Warned {
        /// What, and what to do.
        message: String,
    },
    /// A run was stopped from outside; it can go on.
    Interrupted,
    /// A run ended.
    Finished {
        /// Why.
        reason: FinishReason,
        /// Counts by name, for people.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        counts: BTreeMap<String, u64>,
    },
}

impl Event {
    /// The law itself was found altered; says what.
    pub fn altered(what: &str) -> Self {
        Event::Violated {
            decision: Decision::Forbid,
            article: "constitution-immutable".into(),
            reason: what.into(),
            source: "integrity".into(),
            operation: None,
        }
    }
}

/// An event as the journal holds it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// Position in the journal, from 1, without gaps.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Hash of the event before it; zeros before the first.
    pub prev: Digest,
    /// Hash of this event: of `seq`, `at`, `prev` and the event's JSON.
    pub hash: Digest,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}
