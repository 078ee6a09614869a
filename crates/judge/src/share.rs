//! How the chance of a false acceptance is shared out among the candidates of a run.

/// Candidates that have about the same share at first; later ones have less.
const EVEN: f64 = 32.0;

/// The share of `alpha` that the candidate of this number (from 1) may use up: α·h / ((k+h-1)·(k+h)) with h = 32.
///
/// The shares of all numbers, however many, add up to alpha (each is the difference of α·h/(k+h-1) and α·h/(k+h)), so by
/// Boole's inequality a run in which nothing is better accepts anything with a chance of alpha at most, whatever its
/// candidates have in common: alpha spending (Foster and Stine 2008, "α-investing", JRSS-B 70, without the earning back).
pub fn share(alpha: f64, candidate: u64) -> f64 {
    let k = candidate.max(1) as f64;
    alpha * EVEN / ((k + EVEN - 1.0) * (k + EVEN))
}
