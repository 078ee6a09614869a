//! Is it better, is it worse: pure statistics on paired marks. Nothing here does I/O or draws a random number that does not
//! follow from a seed by argument.

mod bet;
mod better;
mod flip;
mod hopeless;
mod pairs;
mod random;
mod rate;
mod repeats;
mod sample;
mod sealed;
mod seeds;
mod share;
mod sign;
mod subsets;
pub mod suspicion;
mod vigilance;
mod whole;
mod worse;

use meliora_domain::Kind;

pub use bet::{capital, evidence, interval, won};
pub use better::{Evidence, Ruling, Side, judge};
pub use flip::sign_flip;
pub use hopeless::hopeless;
pub use rate::{pass_at, wilson};
pub use repeats::{Repeats, TaskRepeats, repeats};
pub use sealed::{Gap, Sealed};
pub use share::share;
pub use sign::sign_test;
pub use subsets::subsets;
pub use vigilance::{SCORE_RULES, Vigilance};
pub use worse::{Regression, Standing, standing};

/// What a margin is a part of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum MarginKind {
    /// Of the score that it is held against: 0.05 is 5 % of it.
    #[default]
    Relative,
    /// Of the scale: 0.05 is 0.05 score points.
    Absolute,
}

/// What decides.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// What the suite's tasks stand for.
    pub kind: Kind,
    /// Highest chance that a run in which nothing is better accepts anything (`sample` suites).
    pub alpha: f64,
    /// Drop of the mean score that counts as a regression.
    pub margin: f64,
    /// What the margin is a part of.
    pub margin_kind: MarginKind,
    /// Seeds with which each task is examined at most before a candidate on a `sample` suite is judged, where its marks
    /// depend on the seed; the one that confirms it comes on top.
    pub seeds: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { kind: Kind::Exact, alpha: 0.05, margin: 0.05, margin_kind: MarginKind::Relative, seeds: 3 }
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
