//! Random numbers of one bid: a function of the step's seed and of which try it is, and of nothing else.

use meliora_evolve::Rng;

/// A source of random numbers.
pub(super) struct Dice(Rng);

impl Dice {
    /// The source of the step with this seed for its `nth` try.
    pub(super) fn of(seed: u64, nth: u64) -> Dice {
        Dice(Rng::of(seed, 0, nth))
    }

    /// From 0 (included) to 1 (not included), evenly.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 bits are all that a number between 0 and 1 holds.
        (self.0.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A number below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// One of a list that is not empty.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A normal number with mean 0 and deviation 1 (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}
