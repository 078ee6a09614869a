//! A failure as the user sees it: what, why, and how to mend it.

use meliora_evolve::{ArchiveError, EvolveError, SandboxError, TargetError};

use crate::exit::Exit;

/// What went wrong.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Exit,
    /// What and why.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(code: Exit, what: impl Into<String>) -> Self {
        Failure { code, what: what.into(), hint: None }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<SandboxError> for Failure {
    fn from(e: SandboxError) -> Self {
        Failure { code: Exit::Machinery, what: format!("the sandbox cannot work: {e}"), hint: e.hint }
    }
}

impl From<ArchiveError> for Failure {
    fn from(e: ArchiveError) -> Self {
        let (code, hint) = match &e {
            ArchiveError::NoVariant(_) => (Exit::Usage, Some("`meliora log` lists the variants".to_owned())),
            ArchiveError::AmbiguousVariant(_) => (Exit::Usage, None),
            ArchiveError::Full(_) => (
                Exit::Machinery,
                Some("free some space and run again: everything journalled so far is kept".to_owned()),
            ),
            ArchiveError::Broken { .. } => (
                Exit::Machinery,
                Some(
                    "`meliora audit verify` tells what exactly; nothing more is written to it; the variants are still in .meliora/archive.git (`git clone` it), \
                     and a copy of .meliora from before the damage can be put back"
                        .to_owned(),
                ),
            ),
            ArchiveError::Failed { hint, .. } => (Exit::Machinery, hint.clone()),
        };
        Failure { code, what: e.to_string(), hint }
    }
}

impl From<TargetError> for Failure {
    fn from(e: TargetError) -> Self {
        let hint = match &e {
            TargetError::Dirty(_) => "commit or stash them (`git status`), then try again",
            TargetError::Moved(_) => {
                "uncommitted work of your own (`git status`) can be stashed; if it is committed, `meliora run` starts anew \
                 from the tree as it stands"
            }
            TargetError::NoRepository(_) => {
                "promotion makes a git commit, so the project must be in one: `git init && git add -A && git commit`"
            }
            TargetError::Link(_) => "put a regular file in its place: links are never written through",
            TargetError::Failed { .. } => "the tree is as it was",
        };
        Failure { code: Exit::Configuration, what: e.to_string(), hint: Some(hint.to_owned()) }
    }
}

impl From<EvolveError> for Failure {
    fn from(e: EvolveError) -> Self {
        match e {
            EvolveError::Sandbox(e) => e.into(),
            EvolveError::Archive(e) => e.into(),
            EvolveError::Target(e) => e.into(),
            EvolveError::Propose(e) => Failure {
                code: Exit::Machinery,
                what: format!("the proposer cannot work: {}", e.what),
                hint: Some(format!(
                    "{}what was earned so far is saved, `meliora run` goes on; `--proposer mutate` needs no model",
                    e.hint.map(|h| format!("{h}; ")).unwrap_or_default()
                )),
            },
            EvolveError::Baseline(refusal) => Failure {
                code: Exit::Constitution,
                what: format!("the law refuses the genome as it stands ({}): {}", refusal.article, refusal.reason),
                hint: None,
            },
            EvolveError::Law(e) => Failure {
                code: Exit::Constitution,
                what: format!("stopped: {}", e.what),
                hint: e.hint.map(|h| format!("{h}; what was earned so far is saved")),
            },
            EvolveError::Evaluator { task, detail } => Failure {
                code: Exit::Configuration,
                what: format!("the evaluator gave no verdict on the genome as it stands (task '{task}'): {detail}"),
                hint: Some("`meliora bench` shows every mark; mend the evaluator first".to_owned()),
            },
            EvolveError::BudgetBeforeBaseline => Failure::new(Exit::Usage, e.to_string()).hint(
                "raise it: the baseline alone takes two evaluations, and what a model may cost that answers them",
            ),
            EvolveError::Barren { .. } => Failure::new(Exit::Machinery, e.to_string())
                .hint("`meliora doctor` tells likely causes; the state is saved, `meliora run` goes on"),
            EvolveError::NoArm(_) => Failure::new(Exit::Configuration, e.to_string())
                .hint("run with the same proposers as before, or with `--fresh`"),
            EvolveError::Model { what, hint, .. } => Failure {
                code: Exit::Machinery,
                what: format!("the model that answers cannot work: {what}"),
                hint: Some(format!(
                    "{}what was earned so far is saved",
                    hint.map(|h| format!("{h}; ")).unwrap_or_default()
                )),
            },
            EvolveError::NoStudent => Failure::new(Exit::Configuration, e.to_string())
                .hint("`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …`"),
            EvolveError::Worker => Failure::new(Exit::Machinery, e.to_string())
                .hint("the state is saved; `meliora run` goes on. Please report how it came about"),
            EvolveError::NotAllowed { what, hint } => Failure { code: Exit::Usage, what, hint },
        }
    }
}
