//! Errors: our own machinery broke, or what we were given cannot be worked with. Never what a subject did.

use crate::port::{ArchiveError, ProposeError, SandboxError, TargetError};

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
    #[error("the budget does not allow a single examination")]
    BudgetBeforeBaseline,
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
