//! Strategies side by side on landscapes, at equal budgets and seeds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use meliora_domain::{DgmPlan, Feature, Scale, SearchPlan};
use meliora_judge::sign_test;

use super::course::{Contestant, Course, course};
use super::grid::{Family, Point};
use crate::strategy::StrategyKind;

/// All strategies as they are without settings, `dgm` in its second form too, and `dgm` and `hgm` with a first look at 8 tasks.
pub fn contestants() -> Vec<Contestant> {
    let sizes = Feature { name: "size".into(), edges: vec![600.0, 800.0, 1000.0, 1250.0, 1600.0] };
    let plain = |kind: StrategyKind| {
        let mut search = SearchPlan::default();
        search.islands.features.push(sizes.clone());
        Contestant { name: kind.name().into(), kind, search }
    };
    let mut all: Vec<Contestant> = StrategyKind::ALL.into_iter().map(plain).collect();
    let median = SearchPlan { dgm: DgmPlan { scale: Scale::Median }, ..SearchPlan::default() };
    let staged = SearchPlan { first_tasks: 8, ..SearchPlan::default() };
    all.push(Contestant { name: "dgm median".into(), kind: StrategyKind::Dgm, search: median });
    all.push(Contestant { name: "dgm staged".into(), kind: StrategyKind::Dgm, search: staged.clone() });
    all.push(Contestant { name: "hgm staged".into(), kind: StrategyKind::Hgm, search: staged });
    all
}

/// What came of one landscape.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The landscape.
    pub point: Point,
    /// By contestant, then by seed.
    pub courses: Vec<Vec<Course>>,
}

/// Runs every contestant on every landscape with `seeds` seeds from `first` on, the same for all contestants, on so many threads.
/// What comes of it does not depend on the threads.
pub fn compare(points: &[Point], contestants: &[Contestant], first: u64, seeds: u64, threads: usize) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let jobs = points.len() * contestants.len();
    let done: Mutex<Vec<Option<Vec<Course>>>> = Mutex::new(vec![None; jobs]);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return;
                    }
                    let (place, contestant) = (job / contestants.len(), &contestants[job % contestants.len()]);
                    // Each landscape has seeds of its own, else what chance did on one it would do on all.
                    let first = first + place as u64 * seeds;
                    let courses =
                        (first..first + seeds).map(|seed| course(&points[place].landscape, contestant, seed)).collect();
                    if let Ok(mut done) = done.lock() {
                        done[job] = Some(courses);
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default().into_iter().map(Option::unwrap_or_default);
    points.iter().map(|point| Row { point: *point, courses: done.by_ref().take(contestants.len()).collect() }).collect()
}

/// Mean and standard error.
pub fn mean(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let spread = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (spread / n).sqrt())
}

/// How one contestant did against another, landscape by landscape and seed by seed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Duel {
    /// Pairs that it won.
    pub wins: u64,
    /// Pairs that it lost.
    pub losses: u64,
    /// Mean difference of the champions' shares, of all pairs.
    pub gain: f64,
    /// One-sided exact sign test: the chance of so many wins where neither is better. Ties are left out.
    pub p: f64,
}

/// Compares two contestants, by their place, over the landscapes of a family.
pub fn duel(rows: &[Row], family: Family, one: usize, other: usize) -> Duel {
    let rows = rows.iter().filter(|row| row.point.family == family);
    let pairs = rows.flat_map(|row| row.courses[one].iter().zip(&row.courses[other]));
    let gaps: Vec<f64> = pairs.map(|(a, b)| a.champion - b.champion).collect();
    let wins = gaps.iter().filter(|gap| **gap > 1e-9).count() as u64;
    let losses = gaps.iter().filter(|gap| **gap < -1e-9).count() as u64;
    Duel { wins, losses, gain: mean(&gaps).0, p: sign_test(wins, losses) }
}
