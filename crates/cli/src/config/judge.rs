//! `[judge]`: what decides.

use meliora_judge::Vigilance;
use schemars::JsonSchema;
use serde::Deserialize;

/// `[judge]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Judge {
    /// Highest chance that a run in which nothing is better accepts anything, for `sample` suites.
    pub alpha: f64,
    /// Drop after a promotion that rolls it back: 0.05 is 5 %, or 0.05 points.
    pub margin: f64,
    /// What the margin is a part of.
    pub margin_kind: MarginKind,
    /// Seeds with which each task is examined at most, where marks depend on the seed, for `sample` suites.
    pub seeds: u64,
    /// Whether code and scores that look like cheating make a variant suspect: `on` or `off`.
    pub suspicion: Suspicion,
    /// Rules of suspicion that do not count, by id (`docs/suspects.md` lists them).
    pub suspicion_without: Vec<String>,
    /// The highest score that can be reached honestly; anything above is suspect.
    pub ceiling: Option<f64>,
}

/// What `[judge] margin` is a part of.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MarginKind {
    /// Of the score at promotion.
    #[default]
    Relative,
    /// Of the scale, in score points.
    Absolute,
}

/// `suspicion` of `[judge]`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Suspicion {
    /// All rules count that are not left out by name.
    #[default]
    On,
    /// None does.
    Off,
}

impl Judge {
    /// What makes a variant suspect.
    pub fn vigilance(&self) -> Vigilance {
        Vigilance {
            off: self.suspicion == Suspicion::Off,
            without: self.suspicion_without.iter().cloned().collect(),
            ceiling: self.ceiling,
        }
    }
}

impl Default for Judge {
    fn default() -> Self {
        Judge {
            alpha: 0.05,
            margin: 0.05,
            margin_kind: MarginKind::Relative,
            seeds: 3,
            suspicion: Suspicion::On,
            suspicion_without: Vec::new(),
            ceiling: None,
        }
    }
}
