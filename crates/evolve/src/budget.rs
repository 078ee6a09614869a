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
    /// Tasks of a whole examination.
    whole: u64,
    charged: Mutex<Charged>,
}

#[derive(Clone, Copy, Debug)]
struct Charged {
    cost: Cost,
    /// Marks of examinations of some tasks only, beside `cost`.
    marks: u64,
    seconds: f64,
    longest: f64,
}

impl Budget {
    /// A ledger on which `charged` (spent and lost reservations) and `seconds` already stand.
    pub fn new(limit: Cost, minutes: f64, charged: Cost, seconds: f64) -> Self {
        let charged = Charged { cost: charged, marks: 0, seconds, longest: 0.0 };
        Budget { limit, minutes, whole: 1, charged: Mutex::new(charged) }
    }

    /// With the number of tasks of a whole examination, and so many marks beside the whole ones already charged.
    pub fn in_parts(mut self, whole: u64, marks: u64) -> Self {
        self.whole = whole.max(1);
        self.lock().marks = marks;
        self
    }

    /// Sets a cost aside, or says which limit it would pass. Nothing is set aside then.
    pub fn reserve(&self, cost: Cost) -> Result<(), Over> {
        self.reserve_with(cost, 0)
    }

    /// Sets a cost aside with an examination of so many tasks. Such examinations count by their part of a whole one.
    pub fn reserve_with(&self, cost: Cost, marks: u64) -> Result<(), Over> {
        let mut charged = self.lock();
        let (after, marks) = (charged.cost + cost, charged.marks + marks);
        let passes = |after: u64, limit: u64| limit > 0 && after > limit;
        if passes(after.evals + marks.div_ceil(self.whole), self.limit.evals) {
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
        (charged.cost, charged.marks) = (after, marks);
        Ok(())
    }

    /// Replaces marks that were set aside by those that were made.
    pub fn settle_marks(&self, reserved: u64, made: u64) {
        let mut charged = self.lock();
        charged.marks = charged.marks.saturating_sub(reserved) + made;
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

    /// Spent and set aside. Examinations of some tasks count by their part of a whole one, the last part in full.
    pub fn charged(&self) -> Cost {
        let charged = self.lock();
        charged.cost + Cost::evals(charged.marks.div_ceil(self.whole))
    }

    /// Examinations that are left, parts of one as parts; infinite where there is no limit.
    pub fn evals_left(&self) -> f64 {
        if self.limit.evals == 0 {
            return f64::INFINITY;
        }
        let charged = self.lock();
        let marks = charged.marks as f64 / self.whole as f64;
        (self.limit.evals as f64 - charged.cost.evals as f64 - marks).max(0.0)
    }

    /// What is left of what is scarcest, as a share, minutes aside (a clock decides nothing): 1 where nothing has a limit.
    pub fn left(&self) -> f64 {
        let (charged, limit) = (self.charged(), self.limit);
        let share = |spent: u64, limit: u64| if limit == 0 { 1.0 } else { 1.0 - spent as f64 / limit as f64 };
        let evals = if limit.evals == 0 { 1.0 } else { self.evals_left() / limit.evals as f64 };
        evals.min(share(charged.tokens, limit.tokens)).min(share(charged.usd.0, limit.usd.0)).max(0.0)
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
