//! Bets against "no better": evidence that stays valid however often one looks and whenever one stops.
//!
//! A bettor who starts with 1 and stakes a part λ of the capital on each difference has K = Π (1 + λ·d) after them. Where
//! the differences have a mean of zero or less, given those before, K is a nonnegative supermartingale, so the chance that
//! it *ever* reaches 1/α is at most α (Ville 1939). That holds for a mixture over λ as well: one capital for each λ of a
//! grid. Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (2024), sections
//! 4.1 (the capital) and 4.2, B.4 (grids of λ); Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic
//! confidence sequences", Annals of Statistics 49 (2021).

/// Bets of the grid: 1/21 to 20/21, evenly.
const BETS: usize = 20;

/// The capital after each value, in order: the evidence against "their mean is zero or less". Values must be -1 or more.
pub fn capital(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    let mut capitals = [1.0f64; BETS];
    values.into_iter().map(move |value| {
        for (i, capital) in capitals.iter_mut().enumerate() {
            *capital *= 1.0 + (i + 1) as f64 / (BETS + 1) as f64 * value;
        }
        // Past any threshold that anybody asks for; beyond, a product could overflow.
        (capitals.iter().sum::<f64>() / BETS as f64).min(1e300)
    })
}

/// The largest capital that was ever reached, at least 1.
pub fn evidence(values: impl IntoIterator<Item = f64>) -> f64 {
    capital(values).fold(1.0, f64::max)
}

/// The capital in the end: evidence at one look, whatever the order of the values; 1 where there are none.
pub fn won(values: impl IntoIterator<Item = f64>) -> f64 {
    capital(values).last().unwrap_or(1.0)
}

/// Where the mean of differences between -1 and 1 lies, at confidence 1 - alpha: the means that no bettor against them has
/// won 2/alpha from in the end. Between -1 and 1; all of it where there are no differences.
pub fn interval(differences: &[f64], alpha: f64) -> (f64, f64) {
    let counted = counted(differences.iter().copied());
    let mirrored: Vec<(f64, i32)> = counted.iter().map(|(d, n)| (-d, *n)).collect();
    let lower = lowest(|mean| refuted(&counted, mean, alpha));
    let upper = -lowest(|mean| refuted(&mirrored, mean, alpha));
    (lower.min(upper), upper.max(lower))
}

/// Each value with how often it comes: pass or fail has three, and a product of equal factors is a power.
fn counted(values: impl Iterator<Item = f64>) -> Vec<(f64, i32)> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let mut out: Vec<(f64, i32)> = Vec::new();
    for value in sorted {
        match out.last_mut().filter(|last| last.0 == value) {
            Some(last) => last.1 += 1,
            None => out.push((value, 1)),
        }
    }
    out
}

/// Whether "the mean is this or less" is refuted: what [`won`] says of the values, in any order.
fn refuted(values: &[(f64, i32)], mean: f64, alpha: f64) -> bool {
    // Scaled so that the worst that can come is -1.
    let scale = (1.0 + mean).max(1e-9);
    let mut capitals = [1.0f64; BETS];
    for (d, n) in values {
        for (i, capital) in capitals.iter_mut().enumerate() {
            let factor = 1.0 + (i + 1) as f64 / (BETS + 1) as f64 * (d - mean) / scale;
            *capital *= if *n == 1 { factor } else { factor.powi(*n) };
        }
    }
    capitals.iter().sum::<f64>() / BETS as f64 >= 2.0 / alpha
}

/// The largest mean that is refuted, by bisection: whoever refutes a mean refutes each below it.
fn lowest(refuted: impl Fn(f64) -> bool) -> f64 {
    let (mut below, mut above) = (-1.0, 1.0);
    for _ in 0..40 {
        let middle = (below + above) / 2.0;
        if refuted(middle) { below = middle } else { above = middle }
    }
    below
}
