//! Numbers that look random and follow from a seed: for tests that draw. Nothing else of the judge may use them.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014, section 5).
pub(crate) struct Stream(u64);

impl Stream {
    /// Equal seeds give equal numbers.
    pub(crate) fn of(seed: u64) -> Self {
        Stream(seed)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
