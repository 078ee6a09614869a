//! Finite numbers in order.

use std::cmp::Ordering;

/// A number that can be a key. Both zeros are one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordered(pub f64);

impl Ordered {
    /// The number, zeros made one; `None` where it is not finite.
    pub(super) fn of(number: Option<f64>) -> Option<Self> {
        number.filter(|n| n.is_finite()).map(|n| Ordered(n + 0.0))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
