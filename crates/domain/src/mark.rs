//! Marks: what came of one task, and of all tasks of one examination.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Fields, Split, TaskId, Value};

/// How a task ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkStatus {
    /// Solved.
    Passed,
    /// A result was there and it was not the right one.
    Failed,
    /// The subject or a foreign evaluator raised an error or died.
    Crashed,
    /// The time was over.
    TimedOut,
    /// Memory, output or another limit was passed.
    OverLimit,
    /// It ended without a readable result.
    Garbled,
    /// Our own machinery failed: this mark does not count, neither way.
    Missing,
}

/// The outcome of one task.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// The task.
    pub task: TaskId,
    /// Which part of the suite the task belongs to.
    pub split: Split,
    /// How it ended.
    pub status: MarkStatus,
    /// The score; 0 to 1 in native suites, any finite number in foreign ones.
    pub score: f64,
    /// What went wrong, for people and, on train tasks, for proposers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// All marks of one examination, with the evaluator they are bound to.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Scorecard {
    /// Hash of tasks, keys, evaluator code and its settings. Scores of different hashes are never compared.
    pub evaluator: Digest,
    /// One mark a task, in the suite's order.
    pub marks: Vec<Mark>,
    /// Named figures that a foreign evaluator gave beside the score.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Wall-clock seconds that the examination took.
    pub seconds: f64,
    /// Seed of what the subject did by chance: marks of one task and one seed are a pair.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seed: u64,
    /// Number of validation tasks that the suite has, where only some of them were examined; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part_of: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Scorecard {
    /// Mean score of the tasks of this split, missing marks left out. `None` if no mark counts.
    pub fn mean(&self, split: Split) -> Option<f64> {
        let mut sum = 0.0;
        let mut n = 0u32;
        for mark in self.of(split).filter(|m| m.status != MarkStatus::Missing) {
            sum += mark.score;
            n += 1;
        }
        (n > 0).then(|| sum / f64::from(n))
    }

    /// The marks of this split.
    pub fn of(&self, split: Split) -> impl Iterator<Item = &Mark> {
        self.marks.iter().filter(move |m| m.split == split)
    }

    /// Whether the subject did no task of this split at all: every mark is a crash, a time-out, a limit or garbage.
    pub fn unviable(&self, split: Split) -> bool {
        self.of(split).all(|m| {
            matches!(m.status, MarkStatus::Crashed | MarkStatus::TimedOut | MarkStatus::OverLimit | MarkStatus::Garbled)
        })
    }
}

/// What a proposer may know of one train task.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Feedback {
    /// The train task.
    pub task: TaskId,
    /// Whether it passed.
    pub passed: bool,
    /// What was asked, expected and got, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Lines of each genome file (1-based) that ran during the task, where coverage can be gathered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, Vec<u32>>,
}

/// A row of a prompt suite's train data, with what a program made of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Example {
    /// The train task.
    pub task: TaskId,
    /// The row's inputs.
    pub inputs: Fields,
    /// What is expected.
    pub expected: Value,
    /// The score, 0 to 1.
    pub score: f64,
    /// What was right or wrong, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Whether it may be shown as a demo: not where the same row decides.
    pub demo: bool,
    /// What each predictor was given and gave, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<Call>,
}

/// One call of a predictor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The predictor's name within the program.
    pub predictor: String,
    /// What it was given.
    pub inputs: Fields,
    /// What it gave; empty if its answer could not be read.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub outputs: Fields,
    /// The answer as it came, if it could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}
