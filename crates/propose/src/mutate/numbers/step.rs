//! The next step of a vector of numbers: where to, and how far.
//!
//! In the spirit of CMA-ES (Hansen and Ostermeier 2001, "Completely Derandomized Self-Adaptation in Evolution
//! Strategies"): directions and lengths are learned from the steps that were accepted. What a proposer may keep between two
//! steps is nothing, so there is no matrix that grows; instead each step is drawn from the accepted ones themselves: along
//! a random mixture of them (which has their covariance, the rank-μ form), or elsewhere with the length and the number of
//! coordinates of one of them. Attempts that failed since make steps shorter, as the one-fifth rule does (Rechenberg 1973).

use super::dice::Dice;

/// The numbers of a program, and which belong together.
pub(super) struct Space {
    /// Their values.
    pub(super) values: Vec<f64>,
    /// A natural length for each, above 0.
    pub(super) scales: Vec<f64>,
    /// Numbers that stand side by side, such as one point; each number is in exactly one.
    pub(super) groups: Vec<Vec<usize>>,
    /// Groups that stand side by side, such as all points, as indexes of groups; each group is in exactly one.
    pub(super) vectors: Vec<Vec<usize>>,
}

/// How a step was drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// Along steps that were accepted.
    Along,
    /// As far as a step that was accepted, elsewhere.
    Like,
    /// Of a length and to numbers that nothing speaks for yet.
    Fresh,
    /// Groups drawn anew from the range of their vector.
    Redrawn,
}

/// Lengths that are tried where nothing is known, in scales: from a tenth of a thousandth to one.
const SHORTEST: f64 = 1e-4;
/// No step is longer than this, in scales.
const LONGEST: f64 = 4.0;
/// How much longer the step after an accepted one is, and what each failed attempt makes of it: the length stands still where
/// about one step in eight succeeds, which did best among a handful of pairs on packed circles and on [`tests`].
const GROW: f64 = 3.0;
const SHRINK: f64 = 0.85;
/// So many failures in a row, of the 24 that a brief holds at most, and a search counts as stuck.
const STUCK: usize = 16;

/// Draws a step: a difference for each number. `past` are accepted steps, the newest first; `failures` are the attempts since.
pub(super) fn step(space: &Space, past: &[Vec<f64>], failures: usize, dice: &mut Dice) -> (Vec<f64>, Way) {
    let past: Vec<&Vec<f64>> = past.iter().filter(|step| length(space, step) > 0.0).collect();
    // Where steps that resemble the accepted ones fail again and again, others are due as often.
    let learned = if failures < STUCK { 0.8 } else { 0.5 };
    if !past.is_empty() && dice.chance(learned) {
        // Recent ones say more: each is half as likely as the one eight before it.
        let nth = ((-dice.unit().max(1e-12).log2() * 8.0) as usize).min(past.len() - 1);
        let model = past[nth];
        let drift = GROW * SHRINK.powi(failures.min(64) as i32);
        let far = (length(space, model) * drift * dice.normal().exp()).min(LONGEST);
        if dice.chance(0.4) {
            return (along(space, &past, model, far, dice), Way::Along);
        }
        let touched = touched(space, model).len();
        let chosen = choose(space, touched, dice);
        return (scatter(space, &chosen, far, dice), Way::Like);
    }
    if dice.chance(0.25) {
        return (redraw(space, dice), Way::Redrawn);
    }
    let far = SHORTEST.powf(dice.unit());
    let most = space.groups.len();
    let chosen = match dice.below(10) {
        0..2 => {
            let group = dice.pick(&space.groups);
            vec![*dice.pick(group)]
        }
        2..5 => choose(space, 1, dice),
        5..7 => choose(space, 2 + dice.below(3), dice),
        7..9 => dice.pick(&space.vectors).iter().flat_map(|g| space.groups[*g].clone()).collect(),
        _ => choose(space, most, dice),
    };
    (scatter(space, &chosen, far, dice), Way::Fresh)
}

/// The largest difference of a step, in scales.
pub(super) fn length(space: &Space, step: &[f64]) -> f64 {
    step.iter().zip(&space.scales).map(|(d, s)| (d / s).abs()).fold(0.0, f64::max)
}

/// The groups that a step touches.
fn touched(space: &Space, step: &[f64]) -> Vec<usize> {
    (0..space.groups.len()).filter(|g| space.groups[*g].iter().any(|i| step[*i] != 0.0)).collect()
}

/// A mixture of accepted steps, or one of them again, of the wanted length.
fn along(space: &Space, past: &[&Vec<f64>], model: &[f64], far: f64, dice: &mut Dice) -> Vec<f64> {
    let mut made = vec![0.0; space.values.len()];
    if dice.chance(0.5) {
        made.copy_from_slice(model);
    } else {
        for step in past {
            let weight = dice.normal() / length(space, step);
            made.iter_mut().zip(step.iter()).for_each(|(m, d)| *m += weight * d);
        }
    }
    let now = length(space, &made);
    if now > 0.0 {
        made.iter_mut().for_each(|m| *m *= far / now);
    }
    made
}

/// Numbers of so many groups, each as likely as the other.
fn choose(space: &Space, count: usize, dice: &mut Dice) -> Vec<usize> {
    let mut left: Vec<usize> = (0..space.groups.len()).collect();
    let mut chosen = Vec::new();
    for _ in 0..count.min(left.len()) {
        let at = dice.below(left.len());
        chosen.extend(&space.groups[left.swap_remove(at)]);
    }
    chosen
}

/// Independent normal differences of these numbers.
fn scatter(space: &Space, chosen: &[usize], far: f64, dice: &mut Dice) -> Vec<f64> {
    let mut made = vec![0.0; space.values.len()];
    for i in chosen {
        made[*i] = dice.normal() * far * space.scales[*i];
    }
    made
}

/// Moves one group of a vector, or a few, each to a place drawn from the range that the vector's groups span, number by number.
fn redraw(space: &Space, dice: &mut Dice) -> Vec<f64> {
    let mut made = vec![0.0; space.values.len()];
    let mut left = dice.pick(&space.vectors).clone();
    let count = if dice.chance(0.5) { 1 } else { 2 + dice.below(3) };
    let vector = left.clone();
    for _ in 0..count.min(vector.len()) {
        let group = left.swap_remove(dice.below(left.len()));
        for (nth, i) in space.groups[group].iter().enumerate() {
            let column = vector.iter().filter_map(|g| space.groups[*g].get(nth)).map(|i| space.values[*i]);
            let (low, high) = column.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
            made[*i] = if high > low {
                low + dice.unit() * (high - low) - space.values[*i]
            } else {
                dice.normal() * space.scales[*i]
            };
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Climbs down `height` from `start` as a greedy run would, and returns where it ended.
    fn descend(start: &[f64], steps: u64, seed: u64, height: impl Fn(&[f64]) -> f64) -> f64 {
        let mut at = start.to_vec();
        let mut low = height(&at);
        let (mut past, mut failures) = (Vec::new(), 0);
        for nth in 0..steps {
            let space = Space {
                scales: at.iter().map(|v: &f64| v.abs().max(1e-3)).collect(),
                groups: (0..at.len()).map(|i| vec![i]).collect(),
                vectors: vec![(0..at.len()).collect()],
                values: at.clone(),
            };
            let (by, _) = step(&space, &past, failures, &mut Dice::of(seed, nth));
            let there: Vec<f64> = at.iter().zip(&by).map(|(a, b)| a + b).collect();
            let found = height(&there);
            if found < low {
                (at, low, failures) = (there, found, 0);
                past.insert(0, by);
                past.truncate(32);
            } else {
                failures = (failures + 1).min(24);
            }
        }
        low
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    #[test]
    fn a_bowl_is_descended_to_its_bottom() {
        let bowl = |x: &[f64]| x.iter().map(|v| (v - 0.3).powi(2)).sum();
        let low = median((0..9).map(|seed| descend(&[1.0; 6], 800, seed, bowl)).collect());
        assert!(low < 1e-5, "{low}");
    }

    #[test]
    fn a_bent_narrow_valley_is_followed() {
        // Rosenbrock's function, of which steps along single numbers soon stand still.
        let valley = |x: &[f64]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2);
        let low = median((0..9).map(|seed| descend(&[-1.2, 1.0], 3000, seed, valley)).collect());
        assert!(low < 1e-2, "{low}");
    }

    #[test]
    fn what_differs_by_thousands_in_scale_is_descended_too() {
        let flat = |x: &[f64]| x.iter().enumerate().map(|(i, v)| 10f64.powi(2 * i as i32) * v * v).sum();
        let low = median((0..9).map(|seed| descend(&[1.0; 4], 2000, seed, flat)).collect());
        assert!(low < 1e-3, "{low}");
    }

    #[test]
    fn the_same_numbers_give_the_same_step() {
        let space =
            Space { values: vec![1.0, 2.0], scales: vec![1.0, 1.0], groups: vec![vec![0, 1]], vectors: vec![vec![0]] };
        for nth in 0..50 {
            let draw = || step(&space, &[vec![0.1, 0.0]], 3, &mut Dice::of(7, nth));
            assert_eq!(draw(), draw());
            assert!(draw().0.iter().all(|d| d.is_finite()));
        }
    }
}
