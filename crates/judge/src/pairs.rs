//! Marks of the same tasks, side by side.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::{MarkStatus, Scorecard, Split, TaskId, counted};

/// A side's scores of one task by seed: their sum and how many there are. Empty where no mark counts.
type Seeds = BTreeMap<u64, (f64, u32)>;

/// Validation marks of two sides, paired by task and seed.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Pairs {
    /// (this side, the reference) of each task that both sides have a mark of.
    scores: Vec<(f64, f64)>,
    /// Tasks of either side.
    tasks: usize,
}

impl Pairs {
    /// Pairs the cards' validation marks. Several marks of a task count as one: its scores are averaged first, so that a
    /// task stays one observation however often it was marked. They are averaged over the seeds that both sides have;
    /// where they have none in common, over those that each has. Missing marks and flaky tasks do not count.
    pub(crate) fn of(these: &[&Scorecard], those: &[&Scorecard], flaky: &BTreeSet<TaskId>) -> Self {
        let (these, those) = (by_task(these), by_task(those));
        let all: BTreeSet<&TaskId> = these.keys().chain(those.keys()).copied().filter(|t| !flaky.contains(t)).collect();
        let scores = all.iter().filter_map(|task| both(these.get(task)?, those.get(task)?)).collect();
        Pairs { scores, tasks: all.len() }
    }

    /// The same, each side over all its seeds, whatever the other has: for chance that does not follow from the seed.
    pub(crate) fn each(these: &[&Scorecard], those: &[&Scorecard], flaky: &BTreeSet<TaskId>) -> Self {
        let (these, those) = (by_task(these), by_task(those));
        let all: BTreeSet<&TaskId> = these.keys().chain(those.keys()).copied().filter(|t| !flaky.contains(t)).collect();
        let mean = |seeds: Option<&Seeds>| Some(side(seeds?)?.0);
        let scores = all.iter().filter_map(|t| Some((mean(these.get(t))?, mean(those.get(t))?))).collect();
        Pairs { scores, tasks: all.len() }
    }

    /// The pairs of those tasks alone that both sides have marks of.
    pub(crate) fn shared(these: &[&Scorecard], those: &[&Scorecard], flaky: &BTreeSet<TaskId>) -> Self {
        let Pairs { scores, .. } = Pairs::of(these, those, flaky);
        Pairs { tasks: scores.len(), scores }
    }

    /// The tasks' pairs in this order; those without marks on both sides are left out.
    pub(crate) fn in_order(
        these: &[&Scorecard],
        those: &[&Scorecard],
        tasks: &[TaskId],
        flaky: &BTreeSet<TaskId>,
    ) -> Self {
        let (these, those) = (by_task(these), by_task(those));
        let tasks: Vec<&TaskId> = tasks.iter().filter(|t| !flaky.contains(t)).collect();
        let scores = tasks.iter().filter_map(|task| both(these.get(task)?, those.get(task)?)).collect();
        Pairs { scores, tasks: tasks.len() }
    }

    /// The differences, task by task; exactly zero where they are only rounding.
    pub(crate) fn differences(&self) -> Vec<f64> {
        self.scores.iter().map(|(a, b)| difference(*a, *b)).collect()
    }

    /// The pairs themselves.
    pub(crate) fn scores(&self) -> &[(f64, f64)] {
        &self.scores
    }

    /// What a bettor stakes on, task by task: the differences, or only their signs where scores have no bounds.
    pub(crate) fn stakes(&self) -> Vec<f64> {
        let sign = |d: f64| if d == 0.0 { 0.0 } else { d.signum() };
        let differences = self.differences();
        if self.bounded() { differences } else { differences.into_iter().map(sign).collect() }
    }

    /// Whether all scores lie between 0 and 1.
    pub(crate) fn bounded(&self) -> bool {
        self.scores.iter().all(|(a, b)| [a, b].iter().all(|s| (0.0..=1.0).contains(*s)))
    }

    /// Whether the differences have one size: then their signs say all.
    pub(crate) fn of_one_size(&self) -> bool {
        let mut sizes = self.differences().into_iter().filter(|d| *d != 0.0).map(f64::abs);
        sizes.next().is_none_or(|first| sizes.all(|size| difference(first, size) == 0.0))
    }

    /// Whether at least half of the tasks have marks on both sides; with fewer, nothing is concluded.
    pub(crate) fn covered(&self) -> bool {
        !self.scores.is_empty() && self.scores.len() * 2 >= self.tasks
    }

    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    /// How many tasks lack a mark on one side.
    pub(crate) fn left_out(&self) -> usize {
        self.tasks - self.scores.len()
    }

    /// Mean score of this side and of the reference, over the same tasks. Zeros where there is no pair.
    pub(crate) fn means(&self) -> (f64, f64) {
        let n = self.scores.len().max(1) as f64;
        (self.scores.iter().map(|p| p.0).sum::<f64>() / n, self.scores.iter().map(|p| p.1).sum::<f64>() / n)
    }

    /// Mean difference; exactly zero where it is only rounding.
    pub(crate) fn effect(&self) -> f64 {
        let (a, b) = self.means();
        difference(a, b)
    }

    /// On how many tasks this side scored higher, and lower.
    pub(crate) fn wins_and_losses(&self) -> (u64, u64) {
        let signs = self.scores.iter().map(|(a, b)| difference(*a, *b));
        signs.fold((0, 0), |(wins, losses), d| (wins + u64::from(d > 0.0), losses + u64::from(d < 0.0)))
    }

    /// What this side and the reference reached, in words: `solves 9 of 12 tasks`, or `scores 0.8312 on average`.
    pub(crate) fn words(&self) -> (String, String) {
        let n = self.len();
        let pass_or_fail = self.scores.iter().all(|(a, b)| [a, b].iter().all(|s| **s == 0.0 || **s == 1.0));
        if pass_or_fail {
            let solved = |side: fn(&(f64, f64)) -> f64| self.scores.iter().filter(|p| side(p) == 1.0).count();
            return (format!("{} of {}", solved(|p| p.0), counted(n, "task")), solved(|p| p.1).to_string());
        }
        let (a, b) = self.means();
        // As many digits as it takes to show the two apart; with exponents where a row of digits would be all zeros or endless.
        let most = a.abs().max(b.abs());
        let plain = most == 0.0 || (1e-4..1e15).contains(&most);
        let show = |x: f64, digits: usize| if plain { format!("{x:.digits$}") } else { format!("{x:.digits$e}") };
        let digits = (4..17).find(|d| a == b || show(a, *d) != show(b, *d)).unwrap_or(17);
        (format!("{} on average", show(a, digits)), show(b, digits))
    }

    /// `solves` or `scores`, `solved` or `scored`, to go with [`Pairs::words`].
    pub(crate) fn verb(&self) -> (&'static str, &'static str) {
        if !self.words().0.ends_with("on average") { ("solves", "solved") } else { ("scores", "scored") }
    }
}

/// Difference of two scores; zero where it is within rounding of sums of many marks (one part in 10¹²).
fn difference(a: f64, b: f64) -> f64 {
    if (a - b).abs() <= 1e-12 * a.abs().max(b.abs()) { 0.0 } else { a - b }
}

fn by_task<'a>(cards: &[&'a Scorecard]) -> BTreeMap<&'a TaskId, Seeds> {
    let mut all: BTreeMap<&TaskId, Seeds> = BTreeMap::new();
    for (card, mark) in cards.iter().flat_map(|card| card.of(Split::Validation).map(move |mark| (card, mark))) {
        let seeds = all.entry(&mark.task).or_default();
        if mark.status != MarkStatus::Missing {
            let (sum, n) = seeds.entry(card.seed).or_default();
            *sum += mark.score;
            *n += 1;
        }
    }
    all
}

/// The mean scores of both sides of one task; `None` where one has none.
fn both(these: &Seeds, those: &Seeds) -> Option<(f64, f64)> {
    let common = these.keys().any(|seed| those.contains_key(seed));
    let mean = |side: &Seeds, other: &Seeds| {
        let scores = side.iter().filter(|(seed, _)| !common || other.contains_key(seed));
        let (sum, n) = scores.fold((0.0, 0u32), |(sum, n), (_, (s, k))| (sum + s / f64::from(*k), n + 1));
        (n > 0).then(|| sum / f64::from(n))
    };
    Some((mean(these, those)?, mean(those, these)?))
}

/// The variance that chance gives the sum of differences over all tasks that both sides have marks of, each side over all its
/// seeds: by what seeds differ in within a task, both sides together. `None` where no task has two marks on a side, so that
/// nothing is known of it.
pub(crate) fn variance_within(these: &[&Scorecard], those: &[&Scorecard], flaky: &BTreeSet<TaskId>) -> Option<f64> {
    let (these, those) = (by_task(these), by_task(those));
    let (mut known, mut sum) = (false, 0.0);
    for (task, now) in these.iter().filter(|(task, _)| !flaky.contains(**task)) {
        let (Some(a), Some(b)) = (side(now), those.get(*task).and_then(side)) else { continue };
        let freedom = a.1 + b.1 - 2.0;
        known |= freedom > 0.0;
        sum += (a.2 + b.2) / freedom.max(1.0) * (1.0 / a.1 + 1.0 / b.1);
    }
    known.then_some(sum)
}

/// Mean, number of seeds, and sum of squared deviations; `None` without a mark.
fn side(seeds: &Seeds) -> Option<(f64, f64, f64)> {
    let scores: Vec<f64> = seeds.values().map(|(sum, n)| sum / f64::from(*n)).collect();
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    (n > 0.0).then(|| (mean, n, scores.iter().map(|s| (s - mean).powi(2)).sum()))
}

/// Why the cards cannot be compared at all, if so.
pub(crate) fn incomparable(these: &[&Scorecard], those: &[&Scorecard]) -> Option<String> {
    let (Some(first), Some(_)) = (these.first(), those.first()) else {
        return Some("one side was never examined".into());
    };
    let mut cards = these.iter().chain(those);
    if cards.clone().any(|card| card.evaluator != first.evaluator) {
        return Some("the marks come from different evaluators, which are never compared; examine both again".into());
    }
    let bad = cards.any(|card| {
        card.of(Split::Validation).any(|mark| mark.status != MarkStatus::Missing && !mark.score.is_finite())
    });
    bad.then(|| "a score is not a finite number; mend the evaluator".into())
}

/// Whether the card has validation marks and not one of them is of work that was done.
pub(crate) fn unviable(card: &Scorecard) -> bool {
    card.of(Split::Validation).next().is_some() && card.unviable(Split::Validation)
}

/// `; 3 tasks without marks on both sides are left out`, or nothing.
pub(crate) fn gaps(pairs: &Pairs) -> String {
    match pairs.left_out() {
        0 => String::new(),
        1 => "; 1 task without marks on both sides is left out".into(),
        n => format!("; {n} tasks without marks on both sides are left out"),
    }
}

/// Why so few pairs allow no conclusion.
pub(crate) fn too_few(pairs: &Pairs) -> String {
    format!(
        "coverage: marks on both sides for only {} of {}, and fewer than half prove nothing; examine again",
        pairs.len(),
        counted(pairs.tasks, "task")
    )
}
