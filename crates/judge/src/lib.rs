//! Is it better, is it worse: pure statistics on paired marks. Nothing here does I/O or draws a random number.

use meliora_domain::{Judgement, Kind, Scorecard};

/// What decides.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// What the suite's tasks stand for.
    pub kind: Kind,
    /// Highest one-sided p-value that counts as evidence (`sample` suites).
    pub alpha: f64,
    /// Relative drop of the mean score that counts as a regression: 0.05 for 5 %.
    pub margin: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { kind: Kind::Exact, alpha: 0.05, margin: 0.05 }
    }
}

/// What the judge says.
#[derive(Clone, PartialEq, Debug)]
pub enum Ruling {
    /// The verdict.
    Verdict(Judgement),
    /// Examine once more: a strict gain (or drop) on an exact suite counts only if a re-run shows it too.
    Rerun,
}

/// Judges a variant's validation marks against its parent's (the reference).
///
/// `variant` and `reference` hold one scorecard an examination, first examination first; all of one evaluator hash.
/// Exact: accepted if the mean rose in the first examination and in a re-run. Sample: paired exact sign test.
pub fn judge(_variant: &[&Scorecard], _reference: &[&Scorecard], _policy: &Policy) -> Ruling {
    todo!()
}

/// What a re-examination of a promoted variant says.
#[derive(Clone, PartialEq, Debug)]
pub enum Standing {
    /// No drop that counts.
    Stands(String),
    /// A drop of the margin or more that counts.
    Dropped(String),
    /// A drop that is not evidence enough.
    Unclear(String),
    /// Examine once more.
    Rerun,
}

/// Whether a promoted variant still stands: `now` are its marks of today, `reference` those it is held against.
pub fn standing(_now: &[&Scorecard], _reference: &[&Scorecard], _policy: &Policy) -> Standing {
    todo!()
}
