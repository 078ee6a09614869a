//! Drawing by weight among many.

/// Sums of weights by prefix (Fenwick, "A New Data Structure for Cumulative Frequency Tables", 1994):
/// changing a weight and drawing by weight take a number of steps logarithmic in the number of variants.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    weights: Vec<u64>,
    tree: Vec<u64>,
}

impl Sums {
    /// Gives an index a weight; zero takes it out.
    pub(super) fn set(&mut self, index: usize, weight: u64) {
        if index >= self.weights.len() {
            let capacity = (index + 1).next_power_of_two().max(64);
            self.weights.resize(capacity, 0);
            self.rebuild();
        }
        let delta = weight.wrapping_sub(self.weights[index]);
        self.weights[index] = weight;
        let mut i = index + 1;
        while i < self.tree.len() {
            self.tree[i] = self.tree[i].wrapping_add(delta);
            i += i & i.wrapping_neg();
        }
    }

    fn rebuild(&mut self) {
        self.tree = vec![0; self.weights.len() + 1];
        for i in 1..self.tree.len() {
            self.tree[i] = self.tree[i].wrapping_add(self.weights[i - 1]);
            let above = i + (i & i.wrapping_neg());
            if above < self.tree.len() {
                self.tree[above] = self.tree[above].wrapping_add(self.tree[i]);
            }
        }
    }

    /// All weights together.
    pub(super) fn total(&self) -> u64 {
        // The length is a power of two, so the last entry spans all.
        self.tree.last().copied().unwrap_or(0)
    }

    /// The index whose weight spans the `at`-th unit; `at` below the total.
    pub(super) fn find(&self, mut at: u64) -> usize {
        let mut index = 0;
        let mut span = self.weights.len();
        while span > 0 {
            let next = index + span;
            if next < self.tree.len() && self.tree[next] <= at {
                at -= self.tree[next];
                index = next;
            }
            span /= 2;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn drawing_by_sums_is_drawing_by_weight(weights in proptest::collection::vec(0u64..50, 1..200), at in 0u64..10_000) {
            let mut sums = Sums::default();
            for (i, w) in weights.iter().enumerate() {
                sums.set(i, w + 3);
                sums.set(i, *w);
            }
            let total: u64 = weights.iter().sum();
            prop_assert_eq!(sums.total(), total);
            if total > 0 {
                let at = at % total;
                let mut before = 0;
                let expected = weights.iter().position(|w| { before += w; before > at }).unwrap();
                prop_assert_eq!(sums.find(at), expected);
            }
        }
    }
}
