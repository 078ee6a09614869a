//! What the holdout shows: how much of a gain is there where nobody looked.

use meliora_domain::{Mark, MarkStatus, Scorecard, Split};

use crate::interval;

/// A gap of gains, in score points: its size, and where it lies.
pub type Gap = (f64, Option<(f64, f64)>);

/// A variant and what it came from, each with validation marks in one card and holdout marks in another.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// The variant: visible, sealed.
    pub variant: (&'a Scorecard, &'a Scorecard),
    /// What it came from, where that was examined on both.
    pub before: Option<(&'a Scorecard, &'a Scorecard)>,
}

impl Sealed<'_> {
    /// How much larger the gain is where it was sought than where nobody looked: the gain on validation tasks less that on
    /// holdout tasks, and where it lies at confidence 1 - alpha. `None` where a side has no pairs; no interval where scores
    /// have no bounds. The interval is that of both gains by bets, each at half of alpha.
    pub fn gap(&self, alpha: f64) -> Option<Gap> {
        let (before, sealed_before) = self.before?;
        let visible = pairs(self.variant.0, before, Split::Validation);
        let sealed = pairs(self.variant.1, sealed_before, Split::Holdout);
        gap(&visible, &sealed, alpha)
    }

    /// Passed and all tasks, visible and sealed: of those that it was not given, so that it had to solve them, where that
    /// is known. Splits of unlike difficulty then accuse nobody.
    pub(crate) fn won(&self) -> ((u64, u64), (u64, u64)) {
        let before = self.before;
        let count = |card: &Scorecard, before: Option<&Scorecard>, split| {
            let given = |mark: &&Mark| {
                let was = before.and_then(|card| card.of(split).filter(counts).find(|m| m.task == mark.task));
                was.is_some_and(|was| was.status == MarkStatus::Passed)
            };
            let sought: Vec<&Mark> = card.of(split).filter(counts).filter(|mark| !given(mark)).collect();
            (sought.iter().filter(|m| m.status == MarkStatus::Passed).count() as u64, sought.len() as u64)
        };
        let visible = count(self.variant.0, before.map(|b| b.0), Split::Validation);
        (visible, count(self.variant.1, before.map(|b| b.1), Split::Holdout))
    }
}

fn counts(mark: &&Mark) -> bool {
    mark.status != MarkStatus::Missing
}

/// Scores of the tasks of a split that both have a mark of.
fn pairs(now: &Scorecard, was: &Scorecard, split: Split) -> Vec<(f64, f64)> {
    let before = |mark: &Mark| was.of(split).filter(counts).find(|other| other.task == mark.task).map(|m| m.score);
    now.of(split).filter(counts).filter_map(|mark| Some((mark.score, before(mark)?))).collect()
}

fn gap(visible: &[(f64, f64)], holdout: &[(f64, f64)], alpha: f64) -> Option<Gap> {
    let gains = |pairs: &[(f64, f64)]| pairs.iter().map(|(a, b)| a - b).collect::<Vec<f64>>();
    let (seen, sealed) = (gains(visible), gains(holdout));
    if seen.is_empty() || sealed.is_empty() {
        return None;
    }
    let mean = |gains: &[f64]| gains.iter().sum::<f64>() / gains.len() as f64;
    let bounded = visible.iter().chain(holdout).all(|(a, b)| (0.0..=1.0).contains(a) && (0.0..=1.0).contains(b));
    let between = bounded.then(|| {
        let (a, b) = (interval(&seen, alpha / 2.0), interval(&sealed, alpha / 2.0));
        (a.0 - b.1, a.1 - b.0)
    });
    Some((mean(&seen) - mean(&sealed), between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_gain_that_the_holdout_does_not_show() {
        let (all, none) = ([(1.0, 0.0); 40], [(0.0, 0.0); 40]);
        let (points, between) = gap(&all, &none, 0.05).unwrap_or_default();
        let (low, high) = between.unwrap_or_default();
        assert!(points == 1.0 && low > 0.5 && high <= 2.0, "{points} {low} {high}");
        let (points, between) = gap(&all, &all, 0.05).unwrap_or_default();
        let (low, high) = between.unwrap_or_default();
        assert!(points == 0.0 && low < 0.0 && high > 0.0, "{low} {high}");
        assert_eq!(gap(&[(3.0, 0.0)], &[(1.0, 0.0)], 0.05), Some((2.0, None)), "no bounds, no interval");
        assert_eq!(gap(&[], &none, 0.05), None);
    }
}
