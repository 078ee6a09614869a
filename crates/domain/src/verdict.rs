//! Verdicts: what a variant's marks prove.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the marks of a variant prove.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Shown to be better.
    Accepted,
    /// Shown not to be better.
    Rejected,
    /// Perhaps better; the evidence is too weak.
    Inconclusive,
    /// It does not work at all.
    Unviable,
    /// Too good to be true, or seen to cheat. Never a parent of a champion.
    Suspect,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Unviable => "unviable",
            Verdict::Suspect => "suspect",
        })
    }
}

/// A verdict with its grounds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Mean score difference to what it was compared with, in score points.
    pub effect: f64,
    /// One-sided p-value of the paired exact test; absent where the suite is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The grounds in one sentence.
    pub reason: String,
    /// Why it is suspect; empty for every other verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Alarm>,
}

/// One reason to suspect a variant of gaming its objective.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alarm {
    /// Id of the rule that raised it.
    pub rule: String,
    /// File and line, task or figure that it is about.
    #[serde(rename = "where")]
    pub place: String,
    /// What was seen, in words.
    pub words: String,
}
