//! Many numbers in order, with the one at any rank at hand: chunks of sorted numbers, each short enough to move.

use super::order::Ordered;

/// A chunk is cut in two at twice this length.
const CHUNK: usize = 1024;

/// A multiset of numbers. What is put in is there after [`Ranks::settle`].
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    chunks: Vec<Vec<Ordered>>,
    len: usize,
    waiting: Vec<Ordered>,
}

impl Ranks {
    pub(super) fn insert(&mut self, number: Ordered) {
        self.waiting.push(number);
    }

    pub(super) fn remove(&mut self, number: Ordered) {
        self.settle();
        let at = self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| *last < number));
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        if let Ok(place) = chunk.binary_search(&number) {
            chunk.remove(place);
            self.len -= 1;
            if chunk.is_empty() {
                self.chunks.remove(at);
            }
        }
    }

    /// Takes in what waits: one by one, or all at once where that is most of all.
    pub(super) fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.len() > self.len {
            let mut all: Vec<Ordered> = self.chunks.drain(..).flatten().chain(waiting).collect();
            all.sort_unstable();
            self.len = all.len();
            self.chunks = all.chunks(CHUNK).map(<[Ordered]>::to_vec).collect();
            return;
        }
        for number in waiting {
            let at = self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| *last < number));
            let at = at.min(self.chunks.len() - 1);
            let chunk = &mut self.chunks[at];
            chunk.insert(chunk.partition_point(|other| *other < number), number);
            self.len += 1;
            if chunk.len() >= 2 * CHUNK {
                let upper = chunk.split_off(CHUNK);
                self.chunks.insert(at + 1, upper);
            }
        }
    }

    /// The number at a rank, from 0.
    fn nth(&self, mut rank: usize) -> f64 {
        for chunk in &self.chunks {
            if rank < chunk.len() {
                return chunk[rank].0;
            }
            rank -= chunk.len();
        }
        0.0
    }

    /// The lower median, and the lower median of the distances from it; `None` where there is no number.
    pub(super) fn median_and_mad(&self) -> Option<(f64, f64)> {
        let middle = self.len.checked_sub(1)? / 2;
        let median = self.nth(middle);
        let distance = |rank: usize| (self.nth(rank) - median).abs();
        // The smallest distances are those of a window of ranks around the middle: find how far it reaches to the left.
        let (mut low, mut high) = (0, middle);
        while low < high {
            let start = (low + high) / 2;
            // A window from `start` of the right length is better one further right if its left end is farther than what follows.
            if distance(start) > distance((start + middle + 1).min(self.len - 1)) {
                low = start + 1
            } else {
                high = start
            }
        }
        Some((median, distance(low).max(distance(low + middle))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(numbers: &[f64]) -> Option<(f64, f64)> {
        let lower_median = |mut numbers: Vec<f64>| {
            numbers.sort_by(f64::total_cmp);
            numbers.get(numbers.len().checked_sub(1)? / 2).copied()
        };
        let median = lower_median(numbers.to_vec())?;
        Some((median, lower_median(numbers.iter().map(|n| (n - median).abs()).collect())?))
    }

    proptest! {
        #[test]
        fn median_and_deviation_are_those_of_the_numbers(
            steps in proptest::collection::vec((any::<bool>(), -20i32..20), 1..400),
            many in 0usize..4000,
        ) {
            let mut ranks = Ranks::default();
            let mut numbers: Vec<f64> = (0..many).map(|n| ((n * 7919) % 977) as f64).collect();
            numbers.iter().for_each(|n| ranks.insert(Ordered(*n)));
            for (put, number) in steps {
                let number = f64::from(number);
                match numbers.iter().position(|n| *n == number) {
                    Some(at) if !put => {
                        numbers.swap_remove(at);
                        ranks.remove(Ordered(number));
                    }
                    _ => {
                        numbers.push(number);
                        ranks.insert(Ordered(number));
                    }
                }
                ranks.settle();
            }
            prop_assert_eq!(ranks.median_and_mad(), expected(&numbers));
        }
    }
}
