//! Rates: what part of tasks is right, how sure that is, and what several tries are worth.

/// Where the true rate lies at confidence 1 - alpha, from `passed` of `all` tasks: the score interval (Wilson 1927,
/// "Probable inference, the law of succession, and statistical inference", JASA 22). `None` without tasks.
pub fn wilson(passed: u64, all: u64, alpha: f64) -> Option<(f64, f64)> {
    if all == 0 {
        return None;
    }
    use statrs::distribution::{ContinuousCDF as _, Normal};
    let z = Normal::standard().inverse_cdf(1.0 - alpha / 2.0);
    let (n, rate) = (all as f64, passed as f64 / all as f64);
    let middle = (rate + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
    // What rounding takes away at the ends is put back.
    let low = if passed == 0 { 0.0 } else { middle - half };
    let high = if passed == all { 1.0 } else { middle + half };
    Some((low, high))
}

/// The chance that at least one of `k` tries passes, without bias, from `n` tries of which `c` passed (Chen et al. 2021,
/// "Evaluating large language models trained on code", arXiv 2107.03374, equation 1). `None` if fewer than `k` were made.
pub fn pass_at(n: u64, c: u64, k: u64) -> Option<f64> {
    if k == 0 || k > n || c > n {
        return None;
    }
    if n - c < k {
        return Some(1.0);
    }
    Some(1.0 - ((n - c + 1)..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_published_values() {
        // statsmodels.stats.proportion.proportion_confint(x, n, method="wilson")
        for (passed, all, low, high) in
            [(5, 10, 0.236_593, 0.763_407), (0, 20, 0.0, 0.161_125), (81, 263, 0.255_289, 0.366_198)]
        {
            let (l, h) = wilson(passed, all, 0.05).unwrap();
            assert!((l - low).abs() < 1e-3 && (h - high).abs() < 1e-3, "{passed}/{all}: {l} {h}");
        }
        assert_eq!(wilson(0, 0, 0.05), None);
        assert_eq!(wilson(4, 4, 0.05).unwrap().1, 1.0);
    }

    #[test]
    fn pass_at_k_is_what_all_choices_of_k_tries_give() {
        for n in 1..=8u64 {
            for c in 0..=n {
                for k in 1..=n {
                    // The first c of n tries pass; a choice is a set of k bits.
                    let choices = (0u32..1 << n).filter(|set| u64::from(set.count_ones()) == k);
                    let (mut good, mut all) = (0.0, 0.0);
                    for set in choices {
                        all += 1.0;
                        good += f64::from(set & ((1 << c) - 1) != 0);
                    }
                    let got = pass_at(n, c, k).unwrap();
                    assert!((got - good / all).abs() < 1e-12, "{n} {c} {k}: {got}");
                }
            }
        }
        assert_eq!((pass_at(3, 1, 4), pass_at(200, 200, 100)), (None, Some(1.0)));
    }
}
