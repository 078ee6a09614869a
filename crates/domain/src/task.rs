//! Words about tasks and suites that every room shares.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which part of a suite a task belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Shown to proposers, with what went wrong.
    Train,
    /// Decides. Proposers see at most its mean.
    Validation,
    /// Sealed. Each opening is counted and journalled.
    Holdout,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Holdout => "holdout",
        })
    }
}

/// What the tasks of a suite stand for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// These tasks are the goal and deterministic: a strict gain that a re-run confirms decides.
    #[default]
    Exact,
    /// The tasks stand for more than themselves: evidence decides, weak evidence is inconclusive.
    Sample,
}

/// How far the subject is kept from its examiner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Work and exam happen in different cages; the answer key never shares one with the subject.
    #[default]
    Apart,
    /// A foreign evaluator runs in a cage of its own and calls the subject, which runs in another, through plain data.
    Split,
    /// A foreign evaluator imports the subject: both share a cage. Promotion takes `--unproven`.
    Together,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Apart => "apart",
            Tier::Split => "split",
            Tier::Together => "together",
        })
    }
}
