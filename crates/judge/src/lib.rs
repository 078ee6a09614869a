//! Is it better, is it worse: pure statistics on paired marks. Nothing here does I/O or draws a random number.

mod better;
mod hopeless;
mod pairs;
mod sign;
mod worse;

use meliora_domain::Kind;

pub use better::{Ruling, judge};
pub use hopeless::hopeless;
pub use sign::sign_test;
pub use worse::{Standing, standing};

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

#[cfg(test)]
mod tests;
