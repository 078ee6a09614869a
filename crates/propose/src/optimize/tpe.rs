//! A tree-structured Parzen estimator over categories (Bergstra et al., 2011, §4; multivariate as in Optuna, Falkner et al., 2018):
//! what did well is modelled as one density, the rest as another, and the choice whose ratio is highest comes next.

use meliora_evolve::Rng;

/// Choices that are made at random before there is something to model.
const STARTUP: usize = 4;
/// Samples among which the best ratio is taken (Optuna's `n_ei_candidates`).
const SAMPLES: usize = 24;

/// What was chosen in each dimension, and what that gave.
pub(super) type Trial = (Vec<usize>, f64);

/// The next choice, one category of each dimension.
pub(super) fn next(sizes: &[usize], trials: &[Trial], rng: &mut Rng) -> Vec<usize> {
    let any = |rng: &mut Rng| sizes.iter().map(|n| below(*n, rng)).collect::<Vec<_>>();
    if trials.len() < STARTUP {
        return any(rng);
    }
    let mut sorted: Vec<&Trial> = trials.iter().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    // Optuna's gamma: a tenth, 25 at most.
    let (good, rest) = sorted.split_at(trials.len().div_ceil(10).min(25));
    let mut best: Option<(f64, Vec<usize>)> = None;
    for _ in 0..SAMPLES {
        let choice = sample(sizes, good, rng);
        let ratio = density(sizes, good, &choice).ln() - density(sizes, rest, &choice).ln();
        if best.as_ref().is_none_or(|(most, _)| ratio > *most) {
            best = Some((ratio, choice));
        }
    }
    best.map_or_else(|| any(rng), |(_, choice)| choice)
}

fn below(n: usize, rng: &mut Rng) -> usize {
    usize::try_from(rng.below(n as u64)).unwrap_or(0)
}

/// The weight of a category in the kernel of a trial that chose `at`: itself most, the others something.
fn weight(size: usize, kernels: usize, at: usize, category: usize) -> f64 {
    // Optuna: 1 added to the chosen one, the prior of one trial spread over all.
    let prior = 1.0 / (kernels as f64 * size as f64);
    (prior + f64::from(u8::from(at == category))) / (1.0 + prior * size as f64)
}

/// The mixture of one kernel for each trial and a flat one.
fn density(sizes: &[usize], trials: &[&Trial], choice: &[usize]) -> f64 {
    let kernels = trials.len() + 1;
    let flat: f64 = sizes.iter().map(|n| 1.0 / *n as f64).product();
    let of = |trial: &&Trial| -> f64 {
        sizes.iter().zip(&trial.0).zip(choice).map(|((n, at), c)| weight(*n, kernels, *at, *c)).product()
    };
    (flat + trials.iter().map(of).sum::<f64>()) / kernels as f64
}

fn sample(sizes: &[usize], trials: &[&Trial], rng: &mut Rng) -> Vec<usize> {
    let kernels = trials.len() + 1;
    let kernel = trials.get(below(kernels, rng));
    let one = |(dimension, n): (usize, &usize)| {
        let Some(trial) = kernel else { return below(*n, rng) };
        let mut at = rng.below(1 << 32) as f64 / (1u64 << 32) as f64;
        for category in 0..*n {
            at -= weight(*n, kernels, trial.0[dimension], category);
            if at < 0.0 {
                return category;
            }
        }
        n - 1
    };
    sizes.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many trials until the best of 8 × 8 is found, at most 64.
    fn found(seed: u64, guided: bool) -> usize {
        let mut rng = Rng::of(seed, 0, 0);
        let mut trials: Vec<Trial> = Vec::new();
        for n in 1..=64 {
            let choice = next(&[8, 8], if guided { &trials } else { &[] }, &mut rng);
            let score = f64::from(u8::from(choice[0] == 5)) + f64::from(u8::from(choice[1] == 2));
            if score >= 2.0 {
                return n;
            }
            trials.push((choice, score));
        }
        64
    }

    #[test]
    fn a_good_choice_is_found_sooner_than_by_chance() {
        let mean = |guided| (0..40).map(|seed| found(seed, guided)).sum::<usize>() as f64 / 40.0;
        let (guided, blind) = (mean(true), mean(false));
        assert!(guided < 0.6 * blind, "{guided} trials against {blind}");
    }

    #[test]
    fn a_density_sums_to_one() {
        let trials = [(vec![0, 2], 1.0), (vec![1, 1], 0.5)];
        let trials: Vec<&Trial> = trials.iter().collect();
        let sum: f64 = (0..3).flat_map(|a| (0..4).map(move |b| [a, b])).map(|c| density(&[3, 4], &trials, &c)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
}
