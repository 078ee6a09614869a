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
    /// Where the true difference lies, at 95 % confidence; absent where the suite is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// One-sided p-value of the paired exact test: how often luck alone does as well. Absent where the suite is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Evidence as a bet, valid whenever one stops: luck alone reaches `e` or more in at most one of `e` cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<f64>,
    /// How often luck may pass for an improvement of this one candidate: its share of the run's alpha.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Candidates that the run has tried up to this one, with it; 0 where that is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub candidates: u64,
    /// The grounds in one sentence.
    pub reason: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Judgement {
    /// A verdict on which no figures of chance bear.
    pub fn of(verdict: Verdict, effect: f64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Judgement { verdict, effect, interval: None, p: None, e: None, share: None, candidates: 0, reason }
    }

    /// Whether it looked better than its parent and only the evidence is too weak: the idea behind it may be worth another
    /// try elsewhere.
    pub fn hopeful(&self) -> bool {
        self.verdict == Verdict::Inconclusive && self.effect > 0.0
    }
}
