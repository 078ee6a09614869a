//! How many requests a server gets at once and in a minute. Everybody who asks through one client shares its gate.

use std::num::NonZeroU32;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Waiter;

/// The way to a server.
pub(crate) struct Gate {
    most: Option<NonZeroU32>,
    /// Time from one request's beginning to the next one's.
    spacing: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    inside: u32,
    /// When the next request may begin.
    next: Option<Instant>,
}

/// A place inside; dropping it gives it back.
pub(crate) struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).inside -= 1;
        self.0.freed.notify_one();
    }
}

impl Gate {
    /// Lets through `most` at once and `per_minute` in a minute; `None` is no limit.
    pub(crate) fn new(most: Option<NonZeroU32>, per_minute: Option<f64>) -> Self {
        let spacing = per_minute.and_then(|n| Duration::try_from_secs_f64(60.0 / n).ok()).unwrap_or_default();
        Gate { most, spacing, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits for its turn; `None` if the turn does not come before `until`.
    pub(crate) fn enter(&self, waiter: &dyn Waiter, until: Option<Instant>) -> Option<Place<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while self.most.is_some_and(|most| state.inside >= most.get()) {
            state = match until {
                None => self.freed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let now = Instant::now();
        let turn = state.next.map_or(now, |next| next.max(now));
        if until.is_some_and(|until| turn > until) {
            return None;
        }
        state.next = Some(turn + self.spacing);
        state.inside += 1;
        drop(state);
        let place = Place(self);
        if turn > now {
            waiter.wait(turn - now);
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_spread_over_the_minute() {
        let waits = Mutex::new(Vec::new());
        // Waits are only noted, so each turn is a little less than a second after the one before.
        let gate = Gate::new(None, Some(60.0));
        let begun = Instant::now();
        for _ in 0..4 {
            let waiter = |pause: Duration| waits.lock().unwrap().push(pause);
            // A waiter is `'static` only where it is boxed.
            gate.enter(&waiter, None).unwrap();
        }
        let passed = begun.elapsed();
        let waits = waits.into_inner().unwrap();
        assert_eq!(waits.len(), 3, "the first one goes at once");
        for (n, wait) in waits.iter().enumerate() {
            let full = Duration::from_secs(n as u64 + 1);
            assert!(*wait <= full && *wait + passed >= full, "{n}: {wait:?}");
        }
    }

    #[test]
    fn nobody_waits_for_a_turn_after_the_end() {
        let gate = Gate::new(NonZeroU32::new(1), Some(1.0));
        let over = Some(Instant::now() + Duration::from_secs(5));
        let inside = gate.enter(&|_: Duration| (), over).unwrap();
        assert!(gate.enter(&|_: Duration| (), Some(Instant::now())).is_none(), "the only place is taken");
        drop(inside);
        assert!(gate.enter(&|_: Duration| panic!("waited"), over).is_none(), "the next turn is in a minute");
    }
}
