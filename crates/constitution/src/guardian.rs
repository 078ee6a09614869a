//! The guardian's rules, as a constitution states them under `guardian:`. What they see and do is in `evolve`.
//!
//! Values only. A rule that is left out has its default; a number of zero turns a rule off, as with budgets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When the guardian acts. Every key may be left out; unknown keys are errors.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuardianRules {
    /// Too many violations of the law.
    pub violations: ViolationRate,
    /// A promoted variant that got worse: it is rolled back.
    pub degradation: Degradation,
    /// Cages that fail for no fault of their subject.
    pub sandbox_failures: SandboxFailures,
    /// A step that does not come back: it is given up and done anew.
    pub stall: Stall,
    /// Most of a budget is spent.
    pub budget: BudgetBurn,
    /// Proposals of what was tried before, one after the other.
    pub repeated: Repeated,
    /// The guardian itself does not move.
    pub silence: Silence,
}

/// What follows when a rule is met. A pause is also told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Somebody is told.
    Alert,
    /// The work stops until a person lets it go on.
    Pause,
}

/// `violations`: more than `most` within `within_minutes`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViolationRate {
    /// So many are borne; 0 turns the rule off, at most 1000.
    pub most: u32,
    /// Minutes, above 0.
    pub within_minutes: f64,
    /// What follows.
    pub act: Measure,
}

impl Default for ViolationRate {
    fn default() -> Self {
        ViolationRate { most: 50, within_minutes: 60.0, act: Measure::Pause }
    }
}

/// `degradation`: a promoted variant is examined again every `every_minutes`, and rolled back after a proven drop.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Degradation {
    /// The relative drop that counts, between 0 and 1: 0.05 is 5 %. 0 turns the rule off.
    pub margin: f64,
    /// Minutes between examinations of what stands, while a run is at work; 0 examines only when a run begins.
    pub every_minutes: f64,
}

impl Default for Degradation {
    fn default() -> Self {
        Degradation { margin: 0.05, every_minutes: 0.0 }
    }
}

/// `sandbox_failures`: more than `most` within `within_minutes`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxFailures {
    /// So many are borne; 0 turns the rule off, at most 1000.
    pub most: u32,
    /// Minutes, above 0.
    pub within_minutes: f64,
    /// What follows.
    pub act: Measure,
}

impl Default for SandboxFailures {
    fn default() -> Self {
        SandboxFailures { most: 2, within_minutes: 10.0, act: Measure::Alert }
    }
}

/// `stall`: a step takes longer than `minutes`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stall {
    /// Minutes; 0 turns the rule off.
    pub minutes: f64,
    /// So often a step is done anew; a step that stalls once more pauses the work.
    pub restarts: u32,
}

impl Default for Stall {
    fn default() -> Self {
        Stall { minutes: 60.0, restarts: 2 }
    }
}

/// `budget`: more than this share of the run's tokens or money is spent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetBurn {
    /// Share of the limit, between 0 and 1; 0 turns the rule off.
    pub share: f64,
    /// What follows.
    pub act: Measure,
}

impl Default for BudgetBurn {
    fn default() -> Self {
        BudgetBurn { share: 0.9, act: Measure::Alert }
    }
}

/// `repeated`: more than `most` proposals in a row that had been tried before.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Repeated {
    /// So many in a row are borne; 0 turns the rule off.
    pub most: u32,
    /// What follows.
    pub act: Measure,
}

impl Default for Repeated {
    fn default() -> Self {
        Repeated { most: 20, act: Measure::Alert }
    }
}

/// `silence`: the guardian has not moved for `seconds`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// Seconds; 0 turns the rule off.
    pub seconds: f64,
}

impl Default for Silence {
    fn default() -> Self {
        Silence { seconds: 120.0 }
    }
}

impl GuardianRules {
    /// What the types cannot say; the error names key and range.
    pub fn check(&self) -> Result<(), String> {
        let window = |name: &str, most: u32, minutes: f64| match () {
            () if most > 1000 => Err(format!("guardian.{name}.most = {most} is above 1000")),
            () if !(minutes > 0.0 && minutes.is_finite()) => {
                Err(format!("guardian.{name}.within_minutes = {minutes} is no number above 0"))
            }
            () => Ok(()),
        };
        window("violations", self.violations.most, self.violations.within_minutes)?;
        window("sandbox_failures", self.sandbox_failures.most, self.sandbox_failures.within_minutes)?;
        for (name, share) in [("degradation.margin", self.degradation.margin), ("budget.share", self.budget.share)] {
            if !(0.0..1.0).contains(&share) {
                return Err(format!("guardian.{name} = {share} does not lie between 0 and 1"));
            }
        }
        let times = [
            ("degradation.every_minutes", self.degradation.every_minutes),
            ("stall.minutes", self.stall.minutes),
            ("silence.seconds", self.silence.seconds),
        ];
        for (name, time) in times {
            if !(time >= 0.0 && time.is_finite()) {
                return Err(format!("guardian.{name} = {time} is no number of 0 or more"));
            }
        }
        Ok(())
    }
}
