//! Errors: our own machinery broke, or what we were given cannot be worked with. Never what a subject did.

use meliora_domain::Cost;

use crate::budget::Over;
use crate::port::{ArchiveError, ModelError, ProposeError, SandboxError, TargetError};
use crate::student::{Purse, StudentError};

/// Why the engine stopped. What was journalled before is kept.
#[derive(Debug, thiserror::Error)]
pub enum EvolveError {
    /// A cage failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Journal or variants failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A proposer failed.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The user's tree was not touched.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The law refuses the user's own genome.
    #[error("the law refuses the genome as it stands ({}): {}", .0.article, .0.reason)]
    Baseline(meliora_constitution::Refusal),
    /// The law does not govern any more: it was altered or has expired.
    #[error(transparent)]
    Law(#[from] meliora_constitution::LawError),
    /// The evaluator gives no readable verdict on the baseline.
    #[error("the evaluator gave no verdict on the genome as it stands (task '{task}'): {detail}")]
    Evaluator {
        /// The task.
        task: String,
        /// What it said.
        detail: String,
    },
    /// The budget does not even allow the baseline.
    #[error("the budget of {over} does not allow a single examination")]
    BudgetBeforeBaseline {
        /// Which limit stands in the way.
        over: Over,
        /// What one examination may cost.
        needed: Cost,
    },
    /// So many attempts in a row that led to no examination.
    #[error(
        "many attempts in a row were unusable, refused or tried before; the last troubles:\n{}",
        .troubles.join("\n")
    )]
    Barren {
        /// The newest reasons.
        troubles: Vec<String>,
    },
    /// The plan names a proposer that is not there.
    #[error("the run's plan needs proposer number {0}, which is not configured now")]
    NoArm(usize),
    /// The model that answers in examinations broke.
    #[error("{what}")]
    Model {
        /// What broke.
        what: String,
        /// What a person can do about it.
        hint: Option<String>,
        /// What was spent before.
        spent: Cost,
    },
    /// The suite is one of prompts, and there is no model to answer.
    #[error("the suite is one of prompts, and no model is there to answer")]
    NoStudent,
    /// A worker thread died.
    #[error("a worker thread died")]
    Worker,
    /// A promotion or rollback that is not allowed.
    #[error("{what}")]
    NotAllowed {
        /// What, and why.
        what: String,
        /// What would be.
        hint: Option<String>,
    },
}

impl EvolveError {
    /// The student could not work.
    pub(crate) fn of(error: StudentError, purse: &Purse) -> Self {
        match error {
            StudentError::Model(error) => EvolveError::model(&error, purse),
            StudentError::Cage(error) => error.into(),
        }
    }

    /// The student's model broke.
    pub(crate) fn model(error: &ModelError, purse: &Purse) -> Self {
        let hint = match error {
            ModelError::Unreachable { .. } => {
                "is the server running? its address is given with --base-url; `meliora run` goes on"
            }
            ModelError::NotRecorded(_) => {
                "record the cassette again, or run with the files and the seed it was recorded with"
            }
            _ => "check --base-url, --model and the key; `meliora run` goes on",
        };
        EvolveError::Model { what: error.to_string(), hint: Some(hint.into()), spent: purse.spent() }
    }

    /// The same, where so much had been spent before it happened.
    pub(crate) fn after(self, before: Cost) -> Self {
        match self {
            EvolveError::Model { what, hint, spent } => EvolveError::Model { what, hint, spent: before + spent },
            other => other,
        }
    }

    /// What a person can do about it, where the error itself knows.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            EvolveError::Model { hint, .. } => hint.clone(),
            EvolveError::Sandbox(e) => e.hint.clone(),
            _ => None,
        }
    }

    /// A person's own genome as it stands is asked about by no law; should one do so, it stops.
    pub(crate) fn baseline_asks(request: &meliora_domain::Request) -> Self {
        EvolveError::Baseline(meliora_constitution::Refusal {
            article: request.article.clone(),
            reason: request.reason.clone(),
        })
    }
}
