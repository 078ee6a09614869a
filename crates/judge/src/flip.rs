//! The sign-flip test: paired differences that are more than pass or fail.

use crate::random::Stream;

/// Up to so many differences that are not zero, all patterns of signs are counted.
const COUNTED: usize = 16;
/// Draws end early once so many were at least as good: the p-value is then far from small.
const ENOUGH: u64 = 50;

/// One-sided p-value that the differences are symmetric about zero, against a larger mean: the part of all patterns of
/// signs whose sum is at least the one seen. Between 0 and 1.
///
/// Fisher, "The Design of Experiments" (1935), section 21. Up to 16 differences that are not zero it is exact. Beyond,
/// patterns are drawn with numbers that follow from `seed`, at most `draws` of them, and the pattern seen counts as one of
/// them, which keeps the p-value valid; drawing ends early where the p-value is large (Besag and Clifford 1991, "Sequential
/// Monte Carlo p-values", Biometrika 78:301-304).
pub fn sign_flip(differences: &[f64], seed: u64, draws: u64) -> f64 {
    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).filter(|d| *d > 0.0).collect();
    let total: f64 = sizes.iter().sum();
    // Sums of both sides of a pattern: what is flipped is taken off twice. Compared with room for rounding.
    let seen: f64 = differences.iter().sum();
    let most_flipped = (total - seen) / 2.0 + total * 1e-12;
    if sizes.len() <= COUNTED {
        let all = 1u32 << sizes.len();
        let good = (0..all).filter(|pattern| flipped(&sizes, |i| pattern >> i & 1 == 1) <= most_flipped).count();
        return good as f64 / f64::from(all);
    }
    let mut stream = Stream::of(seed);
    let mut good = 0;
    for drawn in 1..=draws {
        let mut bits = 0;
        let sum = flipped(&sizes, |i| {
            if i % 64 == 0 {
                bits = stream.bits();
            }
            bits >> (i % 64) & 1 == 1
        });
        good += u64::from(sum <= most_flipped);
        if good == ENOUGH {
            return good as f64 / drawn as f64;
        }
    }
    (good + 1) as f64 / (draws + 1) as f64
}

fn flipped(sizes: &[f64], mut flips: impl FnMut(usize) -> bool) -> f64 {
    sizes.iter().enumerate().map(|(i, size)| if flips(i) { *size } else { 0.0 }).sum()
}
