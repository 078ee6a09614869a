//! What each proposer of a run brought and cost: what a choice among them goes by.

use serde::{Deserialize, Serialize};

/// One proposer's record. Old attempts count less and less: each of the run's attempts leaves `decay` of what was before.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct ArmRecord {
    /// Attempts, undecayed.
    pub asked: u64,
    /// Attempts.
    pub weight: f64,
    /// Natural logarithm of the sum of `exp(gain) − 1`, so that no gain is too large for it. As far below zero as numbers go
    /// where nothing was gained.
    pub log_gain: f64,
    /// Tokens.
    pub tokens: f64,
    /// US dollars.
    pub usd: f64,
}

/// Stands for the logarithm of nothing: JSON knows no infinities.
const NOTHING: f64 = f64::MIN;

impl Default for ArmRecord {
    fn default() -> Self {
        ArmRecord { asked: 0, weight: 0.0, log_gain: NOTHING, tokens: 0.0, usd: 0.0 }
    }
}

impl ArmRecord {
    pub(super) fn decay(&mut self, left: f64) {
        self.weight *= left;
        self.tokens *= left;
        self.usd *= left;
        if self.log_gain > NOTHING {
            self.log_gain += left.ln();
        }
    }

    /// An attempt that cost this.
    pub(super) fn attempt(&mut self, cost: meliora_domain::Cost) {
        self.asked += 1;
        self.weight += 1.0;
        self.tokens += cost.tokens as f64;
        self.usd += cost.usd.usd();
    }

    /// What an attempt gained over both its parent and the baseline; zero or less changes nothing.
    pub(super) fn gain(&mut self, gain: f64) {
        if gain.is_nan() || gain <= 0.0 {
            return;
        }
        // ln(exp(g) − 1), which is g itself where exp(g) is too large.
        let gain = gain.min(1e300);
        let log = if gain > 30.0 { gain } else { gain.exp_m1().ln() };
        let (high, low) = if log > self.log_gain { (log, self.log_gain) } else { (self.log_gain, log) };
        self.log_gain = high + (low - high).exp().ln_1p();
    }

    /// Whether it ever brought anything.
    pub fn gained(&self) -> bool {
        self.log_gain > NOTHING
    }
}
