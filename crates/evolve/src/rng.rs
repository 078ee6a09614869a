//! Random numbers that depend on nothing but a seed, what they are drawn for, and the step.

use meliora_domain::Digest;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};

/// The stream of a run's own steps.
pub const STEPS: u32 = 1;

/// The random source of one step.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The source for a step of this stream. Equal arguments give equal numbers, on every machine.
    pub fn of(seed: u64, stream: u32, step: u64) -> Self {
        let digest = Digest::of([&seed.to_le_bytes()[..], &stream.to_le_bytes()[..], &step.to_le_bytes()[..]]);
        Rng(ChaCha8Rng::from_seed(digest.0))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each as likely as the other; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Rejection keeps it unbiased.
        let zone = u64::MAX - u64::MAX % bound;
        loop {
            let n = self.bits();
            if n < zone {
                return n % bound;
            }
        }
    }

    /// A number between 0 and 1, neither of them: one of 2⁵² in equal steps.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// A number from the standard normal distribution (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * self.unit().ln()).sqrt(), std::f64::consts::TAU * self.unit());
        radius * angle.cos()
    }
}
