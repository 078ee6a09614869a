//! A long list that grows without moving: what it held stays where it is, so no decision has to wait for a copy of it.

use std::ops::{Index, IndexMut};

/// Places of a block.
const BLOCK: usize = 1 << 12;

/// Values by their places; all up to [`Self::reach`] are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks<T>(Vec<Box<[T]>>);

impl<T: Copy + Default> Blocks<T> {
    /// Has at least so many places; new ones hold the default.
    pub(super) fn reach(&mut self, places: usize) {
        while self.0.len() * BLOCK < places {
            self.0.push(vec![T::default(); BLOCK].into());
        }
    }

    /// The value there, if the list reaches so far.
    pub(super) fn get(&self, place: usize) -> Option<T> {
        self.0.get(place / BLOCK).and_then(|block| block.get(place % BLOCK)).copied()
    }
}

impl<T> Index<usize> for Blocks<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.0[place / BLOCK][place % BLOCK]
    }
}

impl<T> IndexMut<usize> for Blocks<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.0[place / BLOCK][place % BLOCK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_while_it_grows() {
        let mut blocks = Blocks::<u32>::default();
        assert_eq!(blocks.get(0), None);
        blocks.reach(1);
        blocks[0] = 7;
        let at = &raw const blocks[0];
        blocks.reach(3 * BLOCK + 1);
        blocks[3 * BLOCK] = 9;
        assert_eq!((blocks[0], blocks[1], blocks.get(3 * BLOCK), blocks.get(4 * BLOCK)), (7, 0, Some(9), None));
        assert_eq!(&raw const blocks[0], at);
    }
}
