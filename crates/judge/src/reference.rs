//! The tests against scipy and statsmodels: the numbers are what `bench/judge/compare.py` printed.

use crate::{capital, evidence, sign_flip, sign_test, subsets, won};

/// The cases of `bench/judge/compare.py`, by the same rules.
fn cases() -> [(&'static str, Vec<f64>); 4] {
    [
        ("small", vec![0.5, 0.25, -0.25, 0.75, 0.125, -0.125, 0.375, 0.5]),
        ("ties", vec![0.5, 0.0, 0.0, 0.25, -0.5, 0.0, 0.5, 0.25, 0.125, 0.0]),
        ("outlier", vec![1.0, -0.1, -0.1, -0.05, 0.2, -0.15, 0.1]),
        ("long", (0..60).map(|i| f64::from(i * 37 % 41 - 17) / 40.0).collect()),
    ]
}

fn near(what: &str, got: f64, expected: f64, by: f64) {
    assert!((got - expected).abs() <= by, "{what}: {got}, and {expected} by scipy");
}

#[test]
fn the_sign_test_is_scipys_and_statsmodels() {
    for (wins, losses, p) in [
        (5, 0, 0.03125),
        (9, 1, 0.0107421875),
        (14, 3, 0.0063629150390625),
        (30, 18, 0.055_701_445_530_509_39),
        (120, 90, 0.022557043932420348),
        (531, 470, 0.02892526118584356),
    ] {
        near("sign test", sign_test(wins, losses), p, 1e-12);
    }
}

#[test]
fn the_sign_flip_is_scipys() {
    let cases = cases();
    for (at, p) in [(0, 0.04296875), (1, 0.15625), (2, 0.3359375)] {
        let (name, d) = &cases[at];
        near(name, sign_flip(d, 1, 200_000), p, 1e-12);
    }
    // Drawn: a draw ends after fifty as good, so each is right within 14 %, and the mean of many within far less.
    let (name, d) = &cases[3];
    let mean = (1..=60).map(|seed| sign_flip(d, seed, 200_000)).sum::<f64>() / 60.0;
    near(name, mean, 0.026309868450657747, 0.002);
}

#[test]
fn the_interval_of_subsets_is_numpys() {
    let cases = cases();
    let expected = [
        (0, -0.041_666_666_666_666_664, 0.541_666_666_666_666_6),
        (1, -0.09375, 0.3125),
        (2, -0.125, 0.55),
        (3, -0.000_862_068_965_517_244, 0.1525),
    ];
    for (at, low, high) in expected {
        let (name, d) = &cases[at];
        let (l, h) = subsets(d, 0.05, 1).unwrap_or_default();
        let by = if d.len() <= 11 { 1e-12 } else { 0.012 };
        near(name, l, low, by);
        near(name, h, high, by);
    }
    assert_eq!(subsets(&[0.1, 0.2, 0.3, 0.4, 0.5], 0.05, 1), None, "31 subsets are too few to leave 2.5 % out");
}

#[test]
fn the_bets_are_numpys() {
    let expected = [
        (2.6528767064567886, 2.6528767064567886),
        (1.5509159038840037, 1.5509159038840037),
        (1.3959953868617831, 1.5),
        (4.778_577_048_464_39, 5.642_959_789_744_48),
    ];
    for ((name, d), (end, highest)) in cases().iter().zip(expected) {
        near(name, won(d.iter().copied()), end, 1e-12);
        near(name, evidence(d.iter().copied()), highest, 1e-12);
        assert_eq!(capital(d.iter().copied()).count(), d.len());
    }
}
