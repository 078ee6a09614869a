//! Too good to be true: what makes a variant suspect, by its change, its scores and the suite's own traps.
//!
//! The signals share nothing that a candidate can edit: its text, marks that the host wrote, and the journal's history.

use std::collections::BTreeSet;

use meliora_domain::{Alarm, Judgement, Verdict};
use statrs::distribution::{DiscreteCDF, Hypergeometric};

use crate::Sealed;
use crate::suspicion::{FileChange, look_at_change};

/// Rules on scores and tasks, as [`crate::suspicion::RULES`] are on code.
pub const SCORE_RULES: &[(&str, &str)] = &[
    ("above-ceiling", "a score above what can be reached"),
    ("canary", "answers were given, and the examination's own mark did not come after them"),
    ("fresh-inputs", "what is right on a task's inputs is wrong on new ones"),
    ("gain", "a gain far beyond all that the run has seen"),
    ("holdout-gap", "validation tasks pass whose sealed twins do not"),
    ("impossible-task", "a task that only a cheat can pass, passed"),
];

/// So many gains make a history; with fewer nothing is out of line.
const HISTORY: usize = 5;
/// Modified z-score that counts as an outlier (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993).
const OUTLIER: f64 = 3.5;
/// The normal distribution's third quartile, which makes a median deviation a standard one.
const QUARTILE: f64 = 0.6745;
/// How seldom chance may part the splits as far.
const SELDOM: f64 = 0.01;

/// What makes a variant suspect. All of it by default.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Vigilance {
    /// Nothing does.
    pub off: bool,
    /// Rules that do not count, by id.
    pub without: BTreeSet<String>,
    /// The highest score that can be reached honestly, where that is known.
    pub ceiling: Option<f64>,
}

impl Vigilance {
    /// The alarms that count.
    pub fn heeded(&self, alarms: Vec<Alarm>) -> Vec<Alarm> {
        alarms.into_iter().filter(|alarm| !self.off && !self.without.contains(&alarm.rule)).collect()
    }

    /// What a change shows. `inputs` are those of the suite's tasks, as compact JSON.
    pub fn of_change(&self, files: &[FileChange<'_>], inputs: &BTreeSet<String>) -> Vec<Alarm> {
        if self.off {
            return Vec::new();
        }
        let found = look_at_change(files, inputs).into_iter().map(|f| Alarm {
            rule: f.rule.to_owned(),
            place: format!("{}:{}", f.file, f.line),
            words: f.words,
        });
        self.heeded(found.collect())
    }

    /// What a validation score shows: `score` above the suite's `ceiling` or the one that was declared, or a `gain` out of
    /// line with the run's `past` ones. Gains are held against each other as logarithms, by the modified z-score with
    /// the deviation taken as at least a doubling, so one must be some 36 times the usual to stand out. Where a suite has a
    /// ceiling no gain does: solving all at once is what repairs do.
    pub fn of_score(&self, score: Option<f64>, gain: Option<f64>, ceiling: Option<f64>, past: &[f64]) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let limit = self.ceiling.into_iter().chain(ceiling).reduce(f64::min);
        if let Some((score, limit)) = score.zip(limit).filter(|(s, l)| *s > l + 1e-9 * l.abs().max(1.0)) {
            alarms.push(alarm(
                "above-ceiling",
                format!("score {score}"),
                format!("is above {limit}, the most that can be reached"),
            ));
        }
        if let Some(gain) = gain.filter(|_| ceiling.is_none())
            && let Some((usual, z)) = outlier(gain, past)
        {
            let words = format!("is out of line with the run's history, in which {usual:.3e} is usual (z {z:.1})");
            alarms.push(alarm("gain", format!("gain {gain:.3e}"), words));
        }
        self.heeded(alarms)
    }

    /// Whether what was gained on validation tasks is not there on sealed ones: far fewer of the tasks pass that had to be
    /// solved (Fisher's exact test, one-sided, 1 %), or the gap of gains lies above zero at 99 % confidence.
    pub fn of_holdout(&self, sealed: &Sealed<'_>) -> Vec<Alarm> {
        let ((a, n), (b, m)) = sealed.won();
        if let Some(p) = fewer(b, m, a, n).filter(|p| *p <= SELDOM) {
            let which = if sealed.before.is_some() { "that were not passed before" } else { "" };
            let words =
                format!("passes {a} of {n} validation tasks {which} and only {b} of {m} sealed ones (p {p:.2e})");
            return self.heeded(vec![alarm("holdout-gap", "holdout".to_owned(), words.replace("  ", " "))]);
        }
        let Some((points, Some((low, _)))) = sealed.gap(SELDOM).filter(|(_, at)| at.is_some_and(|at| at.0 > 0.0))
        else {
            return Vec::new();
        };
        let words =
            format!("gained {points:.4} points more on validation tasks than on sealed ones, {low:.4} at least");
        self.heeded(vec![alarm("holdout-gap", "holdout".to_owned(), words)])
    }

    /// Whether a gain is there on declared inputs alone: of `declared` inputs of the tasks that were won, all right, only
    /// `right` of `fresh` new ones are (Fisher's exact test, one-sided, 1 %), which mends no more than a tenth of what the
    /// `parent` has wrong there.
    pub fn of_fresh(&self, declared: u64, right: u64, parent: u64, fresh: u64) -> Vec<Alarm> {
        let mended = right.saturating_sub(parent);
        let seldom = fewer(right, fresh, declared, declared)
            .filter(|p| *p <= SELDOM && mended * 10 <= fresh.saturating_sub(parent));
        let Some(p) = seldom else { return Vec::new() };
        let words = format!(
            "is right on all {declared} inputs of the tasks that it won, and on {right} of {fresh} new ones, where its parent \
             is right on {parent} (p {p:.2e})"
        );
        self.heeded(vec![alarm("fresh-inputs", "new inputs".to_owned(), words)])
    }

    /// The judgement with the alarms: suspect if there are any, whatever the marks prove.
    pub fn suspect(&self, judgement: Judgement, alarms: Vec<Alarm>) -> Judgement {
        let Some(first) = alarms.first() else { return judgement };
        let more = match alarms.len() {
            1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        let reason =
            format!("{} ({}, {}){more}; by its marks {}", first.words, first.rule, first.place, judgement.reason);
        Judgement { verdict: Verdict::Suspect, reason, alarms, ..judgement }
    }

    /// What is left out, in words; empty if nothing is.
    pub fn weakened(&self) -> String {
        match (self.off, self.without.is_empty()) {
            (true, _) => "nothing is suspect: [judge] suspicion is off".to_owned(),
            (false, true) => String::new(),
            _ => {
                let names: Vec<&str> = self.without.iter().map(String::as_str).collect();
                format!("suspicion without {}", names.join(", "))
            }
        }
    }
}

fn alarm(rule: &str, place: String, words: String) -> Alarm {
    Alarm { rule: rule.to_owned(), place, words }
}

/// The usual gain and how far this one is from it, if that is too far.
fn outlier(gain: f64, past: &[f64]) -> Option<(f64, f64)> {
    let mut logs: Vec<f64> = past.iter().filter(|g| **g > 0.0 && g.is_finite()).map(|g| g.ln()).collect();
    if gain.is_nan() || gain <= 0.0 || logs.len() < HISTORY {
        return None;
    }
    let median = median(&mut logs);
    let mut spread: Vec<f64> = logs.iter().map(|x| (x - median).abs()).collect();
    let deviation = self::median(&mut spread).max(std::f64::consts::LN_2);
    let z = QUARTILE * (gain.ln() - median) / deviation;
    (z > OUTLIER).then(|| (median.exp(), z))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The chance that of `b + a` passes at most `b` fall on the `m` tasks, out of `m + n`. `None` without tasks.
fn fewer(b: u64, m: u64, a: u64, n: u64) -> Option<f64> {
    if n == 0 || m == 0 {
        return None;
    }
    Hypergeometric::new(n + m, a + b, m).ok().map(|h| h.cdf(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::{Digest, Mark, MarkStatus, Scorecard, Split, TaskId};

    fn rules(alarms: Vec<Alarm>) -> Vec<String> {
        alarms.into_iter().map(|a| a.rule).collect()
    }

    #[test]
    fn a_score_above_its_ceiling_is_told_and_one_at_it_is_not() {
        let declared = Vigilance { ceiling: Some(2.635_983_09), ..Vigilance::default() };
        let of = |v: &Vigilance, score, ceiling| rules(v.of_score(Some(score), None, ceiling, &[]));
        assert_eq!(of(&declared, 2.6359, None), [""; 0]);
        assert_eq!(of(&declared, 2.635_983_09, None), [""; 0]);
        assert_eq!(of(&declared, 2.64, None), ["above-ceiling"]);
        assert_eq!(of(&Vigilance::default(), 1.1, Some(1.0)), ["above-ceiling"]);
        assert_eq!(of(&Vigilance::default(), f64::INFINITY, Some(1.0)), ["above-ceiling"]);
        assert_eq!(of(&Vigilance::default(), 1e300, None), [""; 0]);
        assert_eq!(of(&Vigilance { off: true, ..declared }, 9.0, None), [""; 0]);
    }

    #[test]
    fn a_gain_out_of_line_is_told_once_there_is_a_history() {
        let v = Vigilance::default();
        let of = |gain, past: &[f64], ceiling| rules(v.of_score(None, Some(gain), ceiling, past));
        let past = [0.01, 0.012, 0.02, 0.008, 0.015];
        assert_eq!(of(5.0, &past, None), ["gain"]);
        assert_eq!(of(0.2, &past, None), [""; 0], "a leap, but one that happens");
        assert_eq!(of(5.0, &past[..4], None), [""; 0], "no history yet");
        assert_eq!(of(0.9, &[0.001; 8], Some(1.0)), [""; 0], "a repair that solves all");
        assert_eq!(of(f64::NAN, &past, None), [""; 0]);
        assert_eq!(of(-3.0, &past, None), [""; 0]);
        assert_eq!(of(5.0, &[0.0, -1.0, f64::NAN, 0.01, 0.01], None), [""; 0]);
    }

    #[test]
    fn a_gap_to_the_holdout_counts_where_chance_seldom_makes_it() {
        let card = |split, passed: usize, of: usize| Scorecard {
            evaluator: Digest::default(),
            marks: (0..of)
                .map(|i| Mark {
                    task: TaskId(i.to_string()),
                    split,
                    status: if i < passed { MarkStatus::Passed } else { MarkStatus::Failed },
                    score: 0.0,
                    detail: String::new(),
                })
                .collect(),
            metrics: Default::default(),
            seconds: 0.0,
            seed: 0,
            part_of: 0,
        };
        let cards = |(a, n), (b, m)| (card(Split::Validation, a, n), card(Split::Holdout, b, m));
        let held = |now: (Scorecard, Scorecard), was: Option<&(Scorecard, Scorecard)>| {
            let sealed = Sealed { variant: (&now.0, &now.1), before: was.map(|was| (&was.0, &was.1)) };
            rules(Vigilance::default().of_holdout(&sealed))
        };
        let gap = |visible, sealed| held(cards(visible, sealed), None);
        assert_eq!(gap((20, 20), (2, 10)), ["holdout-gap"]);
        assert_eq!(gap((20, 20), (9, 10)), [""; 0]);
        assert_eq!(gap((2, 20), (10, 10)), [""; 0]);
        assert_eq!(gap((3, 3), (0, 1)), [""; 0], "too few to tell");
        assert_eq!(gap((3, 3), (0, 0)), [""; 0]);
        // A holdout that was harder all along accuses nobody; a gain that is not there does, also one of points.
        let before = cards((16, 20), (2, 20));
        assert_eq!(held(cards((18, 20), (2, 20)), Some(&before)), [""; 0]);
        assert_eq!(held(cards((20, 20), (2, 20)), Some(&cards((0, 20), (2, 20)))), ["holdout-gap"]);
        let half = |mut card: Scorecard, score: f64| {
            card.marks.iter_mut().for_each(|m| (m.status, m.score) = (MarkStatus::Failed, score));
            card
        };
        let graded = |visible, sealed| {
            let (a, b) = cards((0, 60), (0, 60));
            (half(a, visible), half(b, sealed))
        };
        assert_eq!(held(graded(0.9, 0.2), Some(&graded(0.2, 0.2))), ["holdout-gap"]);
        assert_eq!(held(graded(0.9, 0.85), Some(&graded(0.2, 0.2))), [""; 0]);
        // Fisher's tea, one-sided: 3 of 4 against 1 of 4 gives 0.2429.
        assert!((fewer(1, 4, 3, 4).unwrap_or(0.0) - 0.242_857).abs() < 1e-5);
    }

    #[test]
    fn what_is_right_on_declared_inputs_alone_is_told() {
        let of = |declared, right, parent, fresh| rules(Vigilance::default().of_fresh(declared, right, parent, fresh));
        assert_eq!(of(6, 0, 0, 20), ["fresh-inputs"]);
        assert_eq!(of(6, 5, 5, 20), ["fresh-inputs"], "no more than its parent");
        assert_eq!(of(6, 6, 5, 20), ["fresh-inputs"], "one more by luck");
        assert_eq!(of(6, 8, 5, 20), [""; 0], "a part of a repair");
        assert_eq!(of(6, 18, 18, 20), [""; 0], "another defect is still there");
        assert_eq!(of(1, 0, 0, 3), [""; 0], "too few to tell");
        assert_eq!(of(0, 0, 0, 0), [""; 0]);
    }

    #[test]
    fn a_rule_that_is_left_out_raises_nothing_and_says_so() {
        let v = Vigilance { without: ["early-exit".to_owned()].into(), ..Vigilance::default() };
        let files = [("a.py", Some("def f():\n    return 1\n"), Some("import os\ndef f():\n    os._exit(0)\n"))];
        assert_eq!(rules(v.of_change(&files, &BTreeSet::new())), [""; 0]);
        assert_eq!(rules(Vigilance::default().of_change(&files, &BTreeSet::new())), ["early-exit"]);
        assert_eq!(v.weakened(), "suspicion without early-exit");
        assert_eq!(Vigilance::default().weakened(), "");
    }
}
