//! The proposer port: who makes changes, and all that they may know.

use std::sync::Arc;

use meliora_domain::{Change, Cost, Digest, Example, Feedback, Genome, TaskId, TreeId, VariantId};
use serde::Serialize;

/// All that a proposer sees. It has no place for a validation mark of a single task, a holdout mark or an answer key.
pub struct Brief<'a> {
    /// What is to be made better, in the project's words; may be empty.
    pub goal: &'a str,
    /// Number of the step; with `seed` it fixes every random choice.
    pub step: u64,
    /// Seed of this step: a function of the run's seed and the step's number.
    pub seed: u64,
    /// The parent.
    pub parent: VariantId,
    /// The parent's files.
    pub genome: &'a Genome,
    /// The parent's mean validation score.
    pub score: Option<f64>,
    /// What the train tasks told of the parent.
    pub feedback: &'a [Feedback],
    /// For prompts: the train rows, and what the parent made of each. Empty unless the proposer asks for what is traced.
    pub examples: &'a [Example],
    /// Where changes of the parent can be tried on train rows.
    pub trial: &'a dyn Trial,
    /// What the parent was made from within this run, its own parent first. Empty unless the proposer asks for it.
    pub ancestors: &'a [Ancestor],
    /// The step's other parents, where it has several: what comes of it may take from each.
    pub mates: &'a [Inspiration],
    /// Other variants worth learning from, best first.
    pub inspirations: &'a [Inspiration],
    /// What was tried on this parent before and did not help, newest last.
    pub attempts: &'a [PastAttempt],
    /// Whether a path may be written, by the project's `editable` globs and the law.
    pub editable: &'a (dyn Fn(&str) -> bool + Sync),
    /// What was tried before, anywhere in this run.
    pub tried: &'a dyn Tried,
    /// What this bid may cost at most; it is set aside for it.
    pub reserved: Cost,
}

/// Who answers in a trial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pupil {
    /// The model that answers in examinations.
    Student,
    /// A better one to learn from; the student where there is none.
    Teacher,
    /// The student at a temperature of 1, with this seed: its answers vary.
    Sampled(u64),
}

/// What came of a trial.
#[derive(Clone, PartialEq, Debug)]
pub enum Tryout {
    /// The rows, each with its score and what was made of it.
    Done {
        /// In the suite's order.
        examples: Vec<Example>,
        /// What the answers cost.
        cost: Cost,
    },
    /// The law does not let the change through, or nothing can be tried; says why.
    Refused(String),
}

/// A change of the parent on train rows, while a bid is made. It can reach no other rows.
pub trait Trial: Sync {
    /// Has the rows answered; no change tries the parent itself. What it costs is at most `most`, where the run has limits.
    ///
    /// # Errors
    /// When the model or a cage broke; with what was spent.
    fn on(&self, change: &Change, tasks: &[TaskId], pupil: Pupil, most: Cost) -> Result<Tryout, ProposeError>;
    /// What trying the parent on these rows may cost at most.
    fn estimate(&self, tasks: &[TaskId], pupil: Pupil) -> Cost;
}

/// No trial: there is nothing to be tried.
pub struct Untried;

impl Trial for Untried {
    fn on(&self, _: &Change, _: &[TaskId], _: Pupil, _: Cost) -> Result<Tryout, ProposeError> {
        Ok(Tryout::Refused("nothing can be tried here".into()))
    }
    fn estimate(&self, _: &[TaskId], _: Pupil) -> Cost {
        Cost::ZERO
    }
}

/// Memory of what was tried in this run.
pub trait Tried: Sync {
    /// Whether this genome was tried.
    fn tree(&self, tree: &TreeId) -> bool;
    /// Whether the same idea was tried in the same context and did not help.
    fn idea(&self, idea: &Digest) -> bool;
}

/// A variant that the parent was made from.
#[derive(Clone, Debug)]
pub struct Ancestor {
    /// Its files.
    pub genome: Arc<Genome>,
    /// What the train tasks told of it.
    pub feedback: Arc<Vec<Feedback>>,
}

/// Another variant, to learn from.
#[derive(Clone, Debug)]
pub struct Inspiration {
    /// The variant.
    pub variant: VariantId,
    /// Its files.
    pub genome: Genome,
    /// Its mean validation score.
    pub score: Option<f64>,
}

/// An attempt that did not help.
#[derive(Clone, Debug, Serialize)]
pub struct PastAttempt {
    /// The proposer's reason for it.
    pub reason: String,
    /// What came of it, in words.
    pub outcome: String,
    /// What the train tasks said of it, shortened; empty if it was never examined.
    pub feedback: String,
}

/// What a proposer came back with, and what that cost.
#[derive(Clone, PartialEq, Debug)]
pub enum Bid {
    /// A change to try.
    Proposal {
        /// The change.
        change: Change,
        /// Why, in a few words.
        reason: String,
        /// Hash of the edit in its context, so that the same idea is known again on another parent.
        idea: Option<Digest>,
        /// What it cost.
        cost: Cost,
    },
    /// Nothing usable: an empty, truncated or malformed answer. An outcome, not an error.
    Unusable {
        /// Why.
        reason: String,
        /// What it cost all the same.
        cost: Cost,
    },
    /// Nothing more for this parent.
    Exhausted,
}

/// The proposer's own machinery broke.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct ProposeError {
    /// What broke.
    pub what: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// What may have been spent before it broke.
    pub spent: Cost,
}

/// Who makes changes.
pub trait Proposer: Sync {
    /// Makes one, from what the brief tells. The same brief gives the same bid, models aside.
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError>;
    /// What one bid may cost at most (tokens and money), for the reservation.
    fn estimate(&self, genome: &Genome) -> Cost {
        let _ = genome;
        Cost::ZERO
    }
    /// Whether it reads what train tasks said of failed attempts. If none does, only parents are examined on train tasks.
    fn reads_attempts(&self) -> bool {
        true
    }
    /// Whether it wants to know which lines the train tasks ran, and of prompts what was made of each row.
    fn wants_lines(&self) -> bool {
        false
    }
    /// Whether what it proposes may come from other variants than the parent: a second parent is one only then.
    fn reads_others(&self) -> bool {
        false
    }
    /// Whether it looks at what the parent was made from.
    fn reads_ancestors(&self) -> bool {
        false
    }
}
