//! Quantiles of the Beta distribution, as near as numbers go to both ends.

use statrs::function::gamma::ln_gamma;

/// Above this, both parameters are so large that the normal start is exact to eight digits.
const LARGE: f64 = 3000.0;

/// `1 − x` for the x that a Beta(a, b) variable passes with probability `above`; a and b at least 1, `above` between 0 and 1.
///
/// What is missing to 1 keeps its digits where x itself would round to 1.
pub(super) fn missing(a: f64, b: f64, above: f64) -> f64 {
    if above <= 0.5 { lower(b, a, above) } else { 1.0 - lower(a, b, 1.0 - above) }
}

/// The x that a Beta(a, b) variable stays below with probability `p`, at most one half.
fn lower(a: f64, b: f64, p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if a == 1.0 {
        return -((-p).ln_1p() / b).exp_m1();
    }
    if b == 1.0 {
        return p.powf(1.0 / a);
    }
    let start = cochran(a, b, p);
    if a > LARGE && b > LARGE { start } else { polish(a, b, p, start) }
}

/// Abramowitz and Stegun, 26.5.22, with 26.2.23 for the normal quantile.
fn cochran(a: f64, b: f64, p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    let y = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    let (s, r) = (1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0));
    let (h, l) = (2.0 / (s + r), (y * y - 3.0) / 6.0);
    let w = y * (h + l).max(0.0).sqrt() / h - (r - s) * (l + 5.0 / 6.0 - 2.0 / (3.0 * h));
    a / (a + b * (2.0 * w).exp())
}

/// Newton's steps on the logarithm of the probability over the logarithm of x, where the curve is nearly straight, kept
/// between bounds that close in.
fn polish(a: f64, b: f64, p: f64, start: f64) -> f64 {
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let (mut low, mut high) = (-745.0_f64, 0.0_f64);
    let mut u = start.max(1e-300).ln().clamp(low, -1e-16);
    for _ in 0..100 {
        let x = u.exp();
        let below = regularized(a, b, x, ln_beta);
        if below < p {
            low = u
        } else {
            high = u
        }
        // d ln I / d ln x = x · density / I
        let slope = (a * u + (b - 1.0) * (-x).ln_1p() - ln_beta).exp() / below;
        let next = u - (below / p).ln() / slope;
        let next = if next > low && next < high { next } else { (low + high) / 2.0 };
        if (next - u).abs() <= 1e-11 * next.abs().max(1e-5) {
            return next.exp();
        }
        u = next;
    }
    u.exp()
}

/// The regularized incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22), evaluated as Lentz does
/// (Applied Optics 15, 1976).
fn regularized(a: f64, b: f64, x: f64, ln_beta: f64) -> f64 {
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp();
    if x > (a + 1.0) / (a + b + 2.0) {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    } else {
        front * fraction(a, b, x) / a
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |n: f64| if n.abs() < TINY { TINY } else { n };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    let mut m = 1.0;
    while m < 10_000.0 {
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-14 {
            break;
        }
        m += 1.0;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_closed_forms() {
        // Beta(2, 1) is below x with probability x²; Beta(1, 3) with 1 − (1 − x)³; Beta(2, 2) with 3x² − 2x³.
        for p in [1e-12, 1e-6, 0.01, 0.3, 0.5] {
            assert!((lower(2.0, 1.0, p) / p.sqrt() - 1.0).abs() < 1e-12);
            let x = lower(1.0, 3.0, p);
            assert!(((1.0 - (1.0 - x).powi(3)) / p - 1.0).abs() < 1e-3, "{p} {x}");
            let x = lower(2.0, 2.0, p);
            assert!(((3.0 * x * x - 2.0 * x.powi(3)) / p - 1.0).abs() < 1e-9, "{p} {x}");
        }
    }

    /// a, b, p, `scipy.stats.beta.ppf(p, a, b)` of scipy 1.17.1.
    const KNOWN: [(f64, f64, f64, f64); 9] = [
        (2.0, 5.0, 1e-9, 8.165054699768939e-6),
        (2.5, 1.25, 0.3, 0.558241213538593),
        (40.5, 13.75, 1e-6, 0.43039075870379423),
        (300.0, 2.0, 0.5, 0.9944303748073786),
        (1.5, 1e6, 0.01, 5.7415884947297957e-8),
        (1e6, 1.5, 0.25, 0.9999979458301556),
        (2999.0, 2999.0, 0.1, 0.4917264627059854),
        (5000.0, 4000.0, 1e-5, 0.5331567121307839),
        (2e6, 3e6, 0.4, 0.3999444819509155),
    ];

    #[test]
    fn quantiles_agree_with_scipy() {
        for (a, b, p, x) in KNOWN {
            let ours = lower(a, b, p);
            assert!((ours / x - 1.0).abs() < 1e-6, "Beta({a}, {b}) at {p}: {ours}, not {x}");
        }
    }

    #[test]
    fn more_successes_and_fewer_failures_never_miss_more() {
        for above in [1e-9, 1e-3, 0.2, 0.5, 0.8, 0.999] {
            let mut last = [1.0f64; 2];
            for step in 0..200 {
                let n = 1.0 + f64::from(step) * 20.0;
                for (at, now) in [missing(n, 40.0, above), missing(7.5, 4001.0 - n, above)].into_iter().enumerate() {
                    assert!(now <= last[at] * (1.0 + 1e-9), "{above} {step} {at}: {now} > {}", last[at]);
                    last[at] = now;
                }
            }
        }
    }
}
