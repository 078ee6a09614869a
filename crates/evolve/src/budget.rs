//! The budget: what may be spent is set aside before it is spent, and never exceeded.

use std::sync::Mutex;

use meliora_domain::{Cost, MicroUsd};

/// Which limit stands in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// Evaluations.
    Evals,
    /// Tokens.
    Tokens,
    /// Money.
    Usd,
    /// Minutes.
    Minutes,
}

impl Over {
    /// The flag that raises it.
    pub fn flag(self) -> &'static str {
        match self {
            Over::Evals => "--evals",
            Over::Tokens => "--tokens",
            Over::Usd => "--usd",
            Over::Minutes => "--minutes",
        }
    }

    /// The one that the journal calls so.
    pub fn called(name: &str) -> Option<Self> {
        [Over::Evals, Over::Tokens, Over::Usd, Over::Minutes].into_iter().find(|over| over.to_string() == name)
    }
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Over::Evals => "evaluations",
            Over::Tokens => "tokens",
            Over::Usd => "money",
            Over::Minutes => "minutes",
        })
    }
}

/// The ledger of one run. Limits of zero are no limits.
#[derive(Debug)]
pub struct Budget {
    limit: Cost,
    minutes: f64,
    charged: Mutex<Charged>,
}

#[derive(Clone, Copy, Debug)]
struct Charged {
    cost: Cost,
    seconds: f64,
    longest: f64,
}

impl Budget {
    /// A ledger on which `charged` (spent and lost reservations) and `seconds` already stand.
    pub fn new(limit: Cost, minutes: f64, charged: Cost, seconds: f64) -> Self {
        Budget { limit, minutes, charged: Mutex::new(Charged { cost: charged, seconds, longest: 0.0 }) }
    }

    /// Sets a cost aside, or says which limit it would pass. Nothing is set aside then.
    pub fn reserve(&self, cost: Cost) -> Result<(), Over> {
        let mut charged = self.lock();
        let after = charged.cost + cost;
        let passes = |after: u64, limit: u64| limit > 0 && after > limit;
        if passes(after.evals, self.limit.evals) {
            return Err(Over::Evals);
        }
        if passes(after.tokens, self.limit.tokens) {
            return Err(Over::Tokens);
        }
        if passes(after.usd.0, self.limit.usd.0) {
            return Err(Over::Usd);
        }
        if self.minutes > 0.0 && charged.seconds + charged.longest > self.minutes * 60.0 {
            return Err(Over::Minutes);
        }
        charged.cost = after;
        Ok(())
    }

    /// Replaces a reservation by what was spent. Spending more than was set aside is charged as it is.
    pub fn settle(&self, reserved: Cost, spent: Cost) {
        let mut charged = self.lock();
        let cost = charged.cost;
        charged.cost = Cost {
            evals: cost.evals.saturating_sub(reserved.evals) + spent.evals,
            tokens: cost.tokens.saturating_sub(reserved.tokens) + spent.tokens,
            usd: MicroUsd(cost.usd.0.saturating_sub(reserved.usd.0) + spent.usd.0),
        };
    }

    /// Tells the ledger how long the run has been at work, and how long one step took at most:
    /// a step that would probably end after the limit is not begun.
    pub fn clock(&self, seconds: f64, longest_step: f64) {
        let mut charged = self.lock();
        charged.seconds = seconds;
        charged.longest = longest_step;
    }

    /// What is left of what is scarcest, as a share: 1 where nothing has a limit. Minutes are left aside: a clock decides nothing.
    pub fn left(&self) -> f64 {
        let (charged, limit) = (self.charged(), self.limit);
        let pairs = [(charged.evals, limit.evals), (charged.tokens, limit.tokens), (charged.usd.0, limit.usd.0)];
        let limited = pairs.into_iter().filter(|(_, limit)| *limit > 0);
        limited.map(|(charged, limit)| 1.0 - charged as f64 / limit as f64).fold(1.0, f64::min).max(0.0)
    }

    /// Spent and set aside.
    pub fn charged(&self) -> Cost {
        self.lock().cost
    }

    /// The limits; zero stands for none.
    pub fn limit(&self) -> Cost {
        self.limit
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Charged> {
        // A panic while the lock is held leaves plain numbers: they are still right.
        self.charged.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_limit_of_zero_is_none() {
        assert!(Budget::new(Cost::ZERO, 0.0, Cost::ZERO, 1e9).reserve(Cost::evals(1_000_000)).is_ok());
    }

    #[test]
    fn a_step_that_would_end_too_late_is_not_begun() {
        let budget = Budget::new(Cost::ZERO, 1.0, Cost::ZERO, 0.0);
        budget.clock(50.0, 11.0);
        assert_eq!(budget.reserve(Cost::ZERO), Err(Over::Minutes));
        budget.clock(50.0, 9.0);
        assert_eq!(budget.reserve(Cost::ZERO), Ok(()));
    }

    proptest! {
        #[test]
        fn no_order_of_reservations_passes_a_limit(calls in proptest::collection::vec((0u64..5, 0u64..50, 0u64..50), 1..60)) {
            let limit = Cost { evals: 20, tokens: 200, usd: MicroUsd(200) };
            let budget = Budget::new(limit, 0.0, Cost::ZERO, 0.0);
            for (evals, tokens, usd) in calls {
                let cost = Cost { evals, tokens, usd: MicroUsd(usd) };
                if budget.reserve(cost).is_ok() {
                    budget.settle(cost, Cost { tokens: tokens / 2, ..cost });
                }
                let now = budget.charged();
                prop_assert!(now.evals <= 20 && now.tokens <= 200 && now.usd.0 <= 200);
            }
        }
    }
}
