//! Where the fault may be: lines that failing tests run and passing ones do not.
//!
//! Ochiai: `ef / sqrt((ef + nf) * (ef + ep))`, with `ef` the failing and `ep` the passing tests that run the line and `nf` the
//! failing ones that do not. Abreu, Zoeteweij and van Gemund 2007, "On the Accuracy of Spectrum-based Fault Localization",
//! section 2.3.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::Feedback;

use super::cues::Cues;
use super::prior::Family;

/// Weight of a line that failing tests never run: it comes last, and still comes.
const NEVER_RUN: f64 = 0.02;

/// How many times as suspicious the line is on which a failing test raised its error.
const RAISED: f64 = 1.5;

/// Suspicion of each line of one file, from 0 to 1; a little more where errors were raised.
pub(super) struct Suspicion {
    /// By line, from 1. `None` if nothing is known: then all lines are equal.
    lines: Option<BTreeMap<u32, f64>>,
    /// What the failures look like.
    cues: Cues,
}

impl Suspicion {
    /// Reads what the train tasks told of this file. Nothing is known of it unless a failing task has lines.
    pub(super) fn of(path: &str, feedback: &[Feedback]) -> Suspicion {
        let told = |f: &&Feedback| !f.lines.is_empty();
        let failing: Vec<&Feedback> = feedback.iter().filter(|f| !f.passed).filter(told).collect();
        if failing.is_empty() {
            return Suspicion { lines: None, cues: Cues::of(feedback) };
        }
        let mut runs: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for task in feedback.iter().filter(told) {
            let mut lines = task.lines.get(path).cloned().unwrap_or_default();
            lines.sort_unstable();
            lines.dedup();
            for line in lines {
                let (ef, ep) = runs.entry(line).or_default();
                *(if task.passed { ep } else { ef }) += 1;
            }
        }
        let total = failing.len() as f64;
        let score = |(ef, ep): (u32, u32)| {
            let (ef, ep) = (f64::from(ef), f64::from(ep));
            if ef == 0.0 { 0.0 } else { ef / (total * (ef + ep)).sqrt() }
        };
        let mut lines: BTreeMap<u32, f64> = runs.into_iter().map(|(line, counts)| (line, score(counts))).collect();
        let raised: BTreeSet<u32> = failing.iter().filter_map(|f| raised_at(&f.detail, path)).collect();
        for line in raised {
            lines.entry(line).and_modify(|score| *score *= RAISED.sqrt());
        }
        Suspicion { lines: Some(lines), cues: Cues::of(feedback) }
    }

    /// How much the failures speak for a family of edits: 1 if not at all.
    pub(super) fn lean(&self, family: Family) -> f64 {
        self.cues.lean(family)
    }

    /// Weight of a stretch of lines (from 0, both ends included): that of its most suspicious one.
    pub(super) fn weight(&self, (first, last): (usize, usize)) -> f64 {
        let Some(lines) = &self.lines else { return 1.0 };
        let rows = (first as u32 + 1)..=(last.max(first) as u32 + 1);
        let best = lines.range(rows).map(|(_, score)| *score).fold(0.0, f64::max);
        // A line of half the suspicion is tried a third as eagerly.
        best.powf(1.5).max(NEVER_RUN)
    }
}

/// The line of this file on which the error was raised, if the task's own words tell it: `  at a.py:12 in f`, the last one.
fn raised_at(detail: &str, path: &str) -> Option<u32> {
    let place = detail.lines().filter_map(|line| line.strip_prefix("  at ")).next_back()?;
    place.strip_prefix(path)?.strip_prefix(':')?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::TaskId;

    fn ran(passed: bool, lines: &[u32]) -> Feedback {
        let lines = BTreeMap::from([("a.py".to_owned(), lines.to_vec())]);
        Feedback { task: TaskId("t".into()), passed, detail: String::new(), lines }
    }

    #[test]
    fn a_line_that_only_failing_tasks_run_is_the_most_suspicious() {
        let told = [ran(true, &[1, 2]), ran(false, &[1, 3]), ran(false, &[1, 3])];
        let suspicion = Suspicion::of("a.py", &told);
        assert_eq!(suspicion.weight((2, 2)), 1.0);
        assert!(
            (suspicion.weight((0, 0)) - (2.0f64 / 3.0).powf(0.75)).abs() < 1e-12,
            "2 / sqrt(2 * 3), to the power of 1.5"
        );
        assert_eq!(suspicion.weight((1, 1)), NEVER_RUN);
        assert_eq!(suspicion.weight((0, 2)), 1.0, "a stretch is as suspicious as its worst line");
    }

    #[test]
    fn the_line_that_raised_an_error_comes_before_others_of_the_same_tasks() {
        let mut told = ran(false, &[1, 2, 3]);
        told.detail = "f(1): expected 2, raised IndexError: out of range\n  at a.py:1 in g\n  at a.py:2 in f".into();
        let suspicion = Suspicion::of("a.py", &[told]);
        assert!(suspicion.weight((1, 1)) > suspicion.weight((0, 0)));
        assert_eq!(suspicion.weight((0, 0)), suspicion.weight((2, 2)));
    }

    #[test]
    fn without_lines_every_line_is_equal() {
        let mut silent = ran(false, &[]);
        silent.lines.clear();
        let suspicion = Suspicion::of("a.py", &[silent]);
        assert_eq!(suspicion.weight((0, 0)), suspicion.weight((90, 99)));
    }
}
