//! What something cost, and the unit money is counted in.

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Money in millionths of a US dollar. Whole numbers, so that sums are exact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// From dollars, rounded up: a price is never counted too low. Negative and non-finite amounts count as zero.
    pub fn from_usd(usd: f64) -> Self {
        MicroUsd((usd.max(0.0) * 1e6).ceil() as u64)
    }

    /// In dollars.
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.4}", self.usd())
    }
}

/// What was spent, or reserved.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// Examinations of a variant; a re-run counts as one more.
    #[serde(skip_serializing_if = "is_zero")]
    pub evals: u64,
    /// Tokens read and written by models.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens: u64,
    /// Money paid to model providers, in millionths of a dollar.
    #[serde(skip_serializing_if = "is_free")]
    pub usd: MicroUsd,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_free(m: &MicroUsd) -> bool {
    m.0 == 0
}

impl Cost {
    /// Nothing.
    pub const ZERO: Cost = Cost { evals: 0, tokens: 0, usd: MicroUsd(0) };

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        *self == Cost::ZERO
    }

    /// So many examinations and nothing else.
    pub fn evals(evals: u64) -> Self {
        Cost { evals, ..Cost::ZERO }
    }
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost {
            evals: self.evals.saturating_add(other.evals),
            tokens: self.tokens.saturating_add(other.tokens),
            usd: MicroUsd(self.usd.0.saturating_add(other.usd.0)),
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        *self = *self + other;
    }
}
