//! The bootstrap: an interval where scores have no bounds that a bet could rest on.

use crate::random::Stream;

/// Resamples.
const DRAWS: usize = 4000;

/// Where the mean of the differences lies at confidence 1 - alpha: the middle of the means of resamples, drawn with numbers
/// that follow from `seed` (Efron 1979, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7; the
/// percentile method). Each difference is of one task, over all its seeds, so that tasks are drawn as clusters (Miller 2024,
/// "Adding error bars to evals", arXiv 2411.00640, section 2.2). It is too narrow for a few tasks: below eight there is none.
pub fn bootstrap(differences: &[f64], alpha: f64, seed: u64) -> Option<(f64, f64)> {
    let n = differences.len();
    if n < 8 {
        return None;
    }
    let mut stream = Stream::of(seed);
    let mut mean = || (0..n).map(|_| differences[stream.below(n)]).sum::<f64>() / n as f64;
    let mut means: Vec<f64> = (0..DRAWS).map(|_| mean()).collect();
    means.sort_by(f64::total_cmp);
    let at = |part: f64| means[((part * DRAWS as f64) as usize).min(DRAWS - 1)];
    Some((at(alpha / 2.0), at(1.0 - alpha / 2.0)))
}
