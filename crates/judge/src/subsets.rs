//! Means of subsets: an interval where scores have no bounds that a bet could rest on.

use crate::random::Stream;

/// Subsets that are drawn; with the 2.5 % that lie outside on either side a whole number of them.
const DRAWS: usize = 3999;
/// Up to so many differences, all subsets are counted.
const COUNTED: usize = 11;

/// Where the mean of the differences lies at confidence 1 - alpha: the means that [`sign_flip`](crate::sign_flip) does not
/// refute on either side at alpha/2. A mean is refuted where too many subsets of the differences have one beyond it, so the
/// ends are the outermost means of subsets but k on each side (Hartigan 1969, "Using subsample values as typical values",
/// JASA 64:1303-1317, theorem 1).
///
/// Up to 11 differences all subsets are counted, beyond, 3,999 are drawn with numbers that follow from `seed`. Each
/// difference is of one task, over all its seeds, so that tasks are drawn as clusters (Miller 2024, "Adding error bars to
/// evals", arXiv 2411.00640, section 2.2). The confidence is exact where the differences are symmetric about their mean,
/// which they are where both sides are alike. `None` with so few differences that no mean can be refuted: below 6 at 5 %.
pub fn subsets(differences: &[f64], alpha: f64, seed: u64) -> Option<(f64, f64)> {
    let n = differences.len();
    let mut means: Vec<f64> = if n <= COUNTED {
        (1..1u32 << n).map(|picked| mean(differences, |i| picked >> i & 1 == 1)).collect()
    } else {
        let mut stream = Stream::of(seed);
        let mut draw = || {
            let mut bits = 0;
            mean(differences, |i| {
                if i % 64 == 0 {
                    bits = stream.bits();
                }
                bits >> (i % 64) & 1 == 1
            })
        };
        (0..DRAWS).map(|_| draw()).collect()
    };
    // Nothing picked has no mean; so seldom that leaving it out changes nothing.
    means.retain(|mean| mean.is_finite());
    means.sort_by(f64::total_cmp);
    let outside = (alpha / 2.0 * (means.len() + 1) as f64).floor() as usize;
    (outside >= 1).then(|| (means[outside - 1], means[means.len() - outside]))
}

fn mean(differences: &[f64], mut picks: impl FnMut(usize) -> bool) -> f64 {
    let picked = differences.iter().enumerate().filter(|(i, _)| picks(*i));
    let (sum, n) = picked.fold((0.0, 0u32), |(sum, n), (_, d)| (sum + d, n + 1));
    sum / f64::from(n)
}
