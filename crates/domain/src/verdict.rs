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

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Judgement {
    /// A verdict on which no figures of chance bear.
    pub fn of(verdict: Verdict, effect: f64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Judgement {
            verdict,
            effect,
            interval: None,
            p: None,
            e: None,
            share: None,
            candidates: 0,
            reason,
            alarms: Vec::new(),
        }
    }

    /// Effect, interval, evidence and the candidates behind it, a line each, in words that nobody reads as more than they say.
    pub fn figures(&self) -> Vec<String> {
        let mut lines = vec![format!("{:+.4} points on average", self.effect)];
        if let Some((low, high)) = self.interval {
            lines.push(format!("the true difference lies between {low:+.4} and {high:+.4}, at 95 % confidence"));
        }
        if let Some(p) = self.p {
            let bet = self.e.map(|e| format!(", e = {e:.3}")).unwrap_or_default();
            lines.push(format!("luck alone would look as good in a part of {p:.2e} of cases (p{bet})"));
        }
        if self.candidates > 0 {
            let share = self.share.map(|s| format!("; luck may pass in a part of {s:.2e} of them")).unwrap_or_default();
            lines.push(format!("candidate {} of its run{share}", self.candidates));
        }
        lines
    }

    /// Whether it looked better than its parent and only the evidence is too weak: the idea behind it may be worth another
    /// try elsewhere.
    pub fn hopeful(&self) -> bool {
        self.verdict == Verdict::Inconclusive && self.effect > 0.0
    }
}
