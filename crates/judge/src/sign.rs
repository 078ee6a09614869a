//! The exact sign test.

/// One-sided p-value of `wins` against `losses` where neither side is better: the chance that at least so many of the
/// pairs that differ fall to the winner, P(X ≥ wins) for X ~ Binomial(wins + losses, ½). Between 0 and 1.
///
/// This is the exact form of McNemar's test (McNemar 1947, "Note on the sampling error of the difference between
/// correlated proportions or percentages", Psychometrika 12:153-157) and the sign test with ties left out (Conover,
/// "Practical Nonparametric Statistics", 3rd ed., section 3.4).
pub fn sign_test(wins: u64, losses: u64) -> f64 {
    let n = wins + losses;
    // ½ⁿ is a normal f64 up to here, and each term follows exactly rounded from the one before it.
    if n <= 1000 {
        let mut term = 0.5f64.powi(n as i32);
        let mut sum = 0.0;
        for x in (wins..=n).rev() {
            sum += term;
            // C(n, x-1) = C(n, x) · x / (n-x+1)
            term = term * x as f64 / (n - x + 1) as f64;
        }
        return sum.min(1.0);
    }
    let log_half = n as f64 * 0.5f64.ln();
    let term = |x| (statrs::function::factorial::ln_binomial(n, x) + log_half).exp();
    (wins..=n).map(term).sum::<f64>().min(1.0)
}
