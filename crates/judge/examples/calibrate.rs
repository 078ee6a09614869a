//! How often each test errs where nothing is better, and how often it finds what is: simulated, with fixed seeds.
//!
//!     cargo run --release -p meliora-judge --example calibrate [RUNS [PART ...]]
//!
//! PART is `tests`, `powers`, `alarms`, `regression`, `binary`, `graded`, `exact` or `finals`; all of them where none is named. They
//! have random numbers of their own, so that a part says the same alone. Prints a table; ends with 1 if a rate is above its
//! nominal value by more than chance allows (4 standard errors), or a power is more than 5 % off the theoretical one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::collections::BTreeSet;
use std::process::ExitCode;

use meliora_domain::{Digest, Kind, Mark, MarkStatus, Scorecard, Split, TaskId, Verdict};
use meliora_judge::{
    Evidence, MarginKind, Policy, Regression, Ruling, Sealed, Side, Standing, Vigilance, capital, evidence, hopeless,
    interval, judge, sign_flip, sign_test, standing, subsets,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};

const ALPHA: f64 = 0.05;
const PARTS: [&str; 8] = ["tests", "powers", "alarms", "regression", "binary", "graded", "exact", "finals"];

struct Dice(ChaCha8Rng);

impl Dice {
    fn of(seed: u64) -> Self {
        Dice(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Between 0 and 1.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// 1, -1 or 0 with these chances of the first two.
    fn pair(&mut self, win: f64, loss: f64) -> f64 {
        let x = self.unit();
        f64::from(x < win) - f64::from(x >= win && x < win + loss)
    }
}

/// So many runs, on all cores; each has random numbers of its own, so that the figures are the same on any machine.
fn many<T: Send>(runs: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = runs.div_ceil(cores).max(1);
    let share = |first: usize| (first..(first + part).min(runs)).map(&run).collect::<Vec<T>>();
    let share = &share;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..runs).step_by(part).map(|first| scope.spawn(move || share(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    })
}

struct Report {
    bad: bool,
}

impl Report {
    /// A rate that must not be above the nominal one.
    fn rate(&mut self, what: &str, hits: usize, runs: usize, nominal: f64) {
        let rate = hits as f64 / runs as f64;
        let bad = rate > nominal + 4.0 * (nominal * (1.0 - nominal) / runs as f64).sqrt();
        self.bad |= bad;
        println!("{what:<72} {rate:>8.4} of at most {nominal:<8.4} {}", if bad { "TOO OFTEN" } else { "" });
    }

    /// A rate that must be within 5 % of the theoretical one.
    fn power(&mut self, what: &str, hits: usize, runs: usize, theory: f64) {
        let rate = hits as f64 / runs as f64;
        let noise = 4.0 * (theory * (1.0 - theory) / runs as f64).sqrt();
        let bad = (rate - theory).abs() > 0.05 * theory + noise;
        self.bad |= bad;
        println!("{what:<72} {rate:>8.4} theory {theory:<8.4}    {}", if bad { "OFF" } else { "" });
    }
}

fn counts(d: &[f64]) -> (u64, u64) {
    (d.iter().filter(|x| **x > 0.0).count() as u64, d.iter().filter(|x| **x < 0.0).count() as u64)
}

/// Power of the exact sign test at ALPHA: the sum over all outcomes.
fn sign_power(n: u64, win: f64, loss: f64) -> f64 {
    let ln_factorial: Vec<f64> = std::iter::once(0.0)
        .chain((1..=n).scan(0.0, |sum, k| {
            *sum += (k as f64).ln();
            Some(*sum)
        }))
        .collect();
    let f = |k: u64| ln_factorial[k as usize];
    let mut power = 0.0;
    for wins in 0..=n {
        for losses in 0..=n - wins {
            if sign_test(wins, losses) <= ALPHA {
                let ties = n - wins - losses;
                let ln = f(n) - f(wins) - f(losses) - f(ties)
                    + wins as f64 * win.ln()
                    + losses as f64 * loss.ln()
                    + ties as f64 * (1.0 - win - loss).ln();
                power += ln.exp();
            }
        }
    }
    power
}

fn tests(runs: usize, report: &mut Report) {
    let nothing = [("all differ", 0.5, 0.5), ("a quarter differs", 0.125, 0.125)];
    for n in [8usize, 20, 60, 200] {
        for (what, win, loss) in nothing {
            let mut dice = Dice::of(1);
            let (mut sign, mut bet, mut missed) = (0, 0, 0);
            for _ in 0..runs {
                let d: Vec<f64> = (0..n).map(|_| dice.pair(win, loss)).collect();
                let (wins, losses) = counts(&d);
                sign += usize::from(sign_test(wins, losses) <= ALPHA);
                bet += usize::from(evidence(d.iter().copied()) >= 1.0 / ALPHA);
                let (low, high) = interval(&d, ALPHA);
                missed += usize::from(low > 0.0 || high < 0.0);
            }
            report.rate(&format!("McNemar, {n} tasks, pass or fail, {what}"), sign, runs, ALPHA);
            report.rate(&format!("bet looked at after each of {n} tasks, {what}"), bet, runs, ALPHA);
            report.rate(&format!("interval that leaves the truth out, {n} tasks, {what}"), missed, runs, ALPHA);
        }
        let mut dice = Dice::of(2);
        let (mut flip, mut bet) = (0, 0);
        for i in 0..runs {
            // Both sides alike: scores of three sizes, the same chances on either side.
            let score = |dice: &mut Dice| (dice.unit() * 5.0).floor() / 4.0 * dice.unit();
            let d: Vec<f64> = (0..n).map(|_| score(&mut dice) - score(&mut dice)).collect();
            flip += usize::from(sign_flip(&d, i as u64, 2000) <= ALPHA);
            bet += usize::from(evidence(d.iter().copied()) >= 1.0 / ALPHA);
        }
        report.rate(&format!("sign flip, {n} tasks, graded"), flip, runs, ALPHA);
        report.rate(&format!("bet looked at after each of {n} tasks, graded"), bet, runs, ALPHA);
    }
    // Differences without bounds; where both sides are alike they are symmetric, however heavy their tails are.
    type Shape = (&'static str, fn(&mut Dice) -> f64, bool);
    let shapes: [Shape; 3] = [
        ("normal", |dice| dice.normal() * 40.0, true),
        ("heavy tails", |dice| dice.normal() / (dice.normal().abs() + 0.05), true),
        ("skewed", |dice| -(1.0 - dice.unit()).ln() - 1.0, false),
    ];
    for n in [8usize, 20, 60, 200] {
        for (what, draw, claimed) in shapes {
            let missed = many(runs, |i| {
                let mut dice = Dice::of(3 + i as u64 * 7919);
                let d: Vec<f64> = (0..n).map(|_| draw(&mut dice)).collect();
                subsets(&d, ALPHA, i as u64).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
            });
            let missed = missed.into_iter().filter(|m| *m).count();
            let name = format!("interval of subsets that leaves the truth out, {n} tasks, no bounds, {what}");
            if claimed {
                report.rate(&name, missed, runs, ALPHA);
            } else {
                println!("{name:<72} {:>8.4}, which no A/A run has", missed as f64 / runs as f64);
            }
        }
    }
}

fn powers(runs: usize, report: &mut Report) {
    for (n, win, loss) in [(60usize, 0.20, 0.05), (200, 0.10, 0.05), (369, 0.10, 0.05)] {
        let mut dice = Dice::of(4);
        let found = (0..runs).filter(|_| {
            let d: Vec<f64> = (0..n).map(|_| dice.pair(win, loss)).collect();
            let (wins, losses) = counts(&d);
            sign_test(wins, losses) <= ALPHA
        });
        let found = found.count();
        let theory = sign_power(n as u64, win, loss);
        report.power(&format!("McNemar's power, {n} tasks, {win} won, {loss} lost"), found, runs, theory);
    }
    // The sign flip of normal differences is as powerful as the t-test; that power by the noncentral t (bench/judge).
    for (n, mean, sd, theory) in [(30usize, 0.1, 0.25, 0.6895), (60, 0.05, 0.2, 0.6062)] {
        let mut dice = Dice::of(5);
        let found = (0..runs).filter(|i| {
            let d: Vec<f64> = (0..n).map(|_| mean + sd * dice.normal()).collect();
            sign_flip(&d, *i as u64, 2000) <= ALPHA
        });
        let found = found.count();
        report.power(&format!("sign flip's power, {n} tasks, mean {mean}, sd {sd}"), found, runs, theory);
    }
    // Tasks until a bet has won, against Wald's expected sample size of the best single bet, ln(1/α) over its growth.
    for (win, loss) in [(0.30f64, 0.05), (0.15, 0.05), (0.10, 0.05)] {
        let (mut dice, mut sum) = (Dice::of(6), 0usize);
        let times = runs.min(2000);
        for _ in 0..times {
            let won = capital(std::iter::repeat_with(|| dice.pair(win, loss))).take(20_000);
            sum += won.take_while(|capital| *capital < 1.0 / ALPHA).count() + 1;
        }
        let best = (win - loss) / (win + loss);
        let growth = win * (1.0 + best).ln() + loss * (1.0 - best).ln();
        println!(
            "tasks until a bet has won at 0.05, {win} won, {loss} lost: {:.0}; the best bet, known before: {:.0}",
            sum as f64 / times as f64,
            (1.0 / ALPHA).ln() / growth
        );
    }
}

fn card(ids: &[TaskId], scores: impl Iterator<Item = f64>, seed: u64, of: usize) -> Scorecard {
    let mark = |(task, score): (&TaskId, f64)| Mark {
        task: task.clone(),
        split: Split::Validation,
        status: if score >= 1.0 { MarkStatus::Passed } else { MarkStatus::Failed },
        score,
        detail: String::new(),
    };
    let part_of = if ids.len() < of { of as u64 } else { 0 };
    let marks = ids.iter().zip(scores).map(mark).collect();
    Scorecard { evaluator: Digest::default(), marks, seed, part_of, ..Scorecard::default() }
}

/// How marks come about.
struct World {
    /// How evidence is weighed.
    kind: Kind,
    tasks: usize,
    /// Chance that a task is solved, before what a seed adds.
    solved: f64,
    /// How much of a candidate's chance on a task is its own luck with the task, rather than that of the seed: 1 for
    /// deterministic work.
    fixed: bool,
    graded: bool,
    /// What a candidate is better by.
    gain: f64,
}

impl World {
    fn score(&self, dice: &mut Dice, chance: f64) -> f64 {
        if self.graded { (chance + dice.unit() - 0.5).clamp(0.0, 1.0) } else { f64::from(dice.unit() < chance) }
    }

    /// Scores of one examination of all tasks.
    fn scores(&self, dice: &mut Dice, gain: f64) -> Vec<f64> {
        (0..self.tasks).map(|_| self.score(dice, self.solved + gain)).collect()
    }

    /// One candidate against its parent to the verdict: (accepted, its cards, tasks examined).
    fn candidate(
        &self,
        dice: &mut Dice,
        parent: &mut Vec<Scorecard>,
        ids: &[TaskId],
        k: u64,
    ) -> (bool, Vec<Scorecard>, usize) {
        let mut cards = Vec::new();
        let (accepted, examined) = self.duel(dice, (&mut cards, self.gain), (parent, 0.0), ids, k);
        (accepted, cards, examined)
    }

    /// A variant against what it is held against, each with its gain: (accepted, tasks examined).
    fn duel(
        &self,
        dice: &mut Dice,
        (cards, gain): (&mut Vec<Scorecard>, f64),
        (parent, theirs): (&mut Vec<Scorecard>, f64),
        ids: &[TaskId],
        k: u64,
    ) -> (bool, usize) {
        let policy = Policy { kind: self.kind, ..Policy::default() };
        // What deterministic work scores is drawn once for each candidate.
        let own = self.scores(dice, gain);
        let flaky = BTreeSet::new();
        let mut places: Vec<usize> = (0..ids.len()).collect();
        for i in (1..places.len()).rev() {
            places.swap(i, (dice.unit() * (i + 1) as f64) as usize);
        }
        let order: Vec<TaskId> = places.iter().map(|place| ids[*place].clone()).collect();
        let examine = |dice: &mut Dice, tasks: &[TaskId], seed: u64, gain: f64, own: Option<&[f64]>| {
            let score = |id: &TaskId| match own {
                Some(own) => own[ids.binary_search(id).unwrap_or(0)],
                None => self.score(dice, self.solved + gain),
            };
            card(tasks, tasks.iter().map(score).collect::<Vec<f64>>().into_iter(), seed, ids.len())
        };
        let kept = self.fixed.then_some(&own[..]);
        let mut examined = 0;
        if cards.is_empty() {
            let first = Evidence::first_tasks(&order, self.kind);
            let first = if first.is_empty() { &order[..] } else { first };
            cards.push(examine(dice, first, 0, gain, kept));
            examined += first.len();
        }
        loop {
            let (variant, reference): (Vec<_>, Vec<_>) = (cards.iter().collect(), parent.iter().collect());
            let known = Evidence {
                variant: &variant,
                reference: &reference,
                against: "its parent",
                tasks: &order,
                flaky: &flaky,
                candidate: k,
                chance: !self.fixed,
                seed: k,
            };
            let (of, tasks, seed) = match judge(&known, &policy) {
                Ruling::Verdict(judgement) => return (judgement.verdict == Verdict::Accepted, examined),
                Ruling::NeedMore { of, tasks, seed, .. } => (of, tasks, seed),
            };
            let tasks = if tasks.is_empty() { ids.to_vec() } else { tasks };
            examined += tasks.len();
            match of {
                Side::Variant => cards.push(examine(dice, &tasks, seed, gain, kept)),
                Side::Reference => parent.push(examine(dice, &tasks, seed, theirs, None)),
            }
        }
    }

    fn ids(&self) -> Vec<TaskId> {
        (0..self.tasks).map(|i| TaskId(format!("t{i:03}"))).collect()
    }

    /// A run: so many candidates against one parent. Returns whether any was accepted, and the mean tasks examined.
    fn run(&self, dice: &mut Dice, candidates: u64) -> (bool, f64) {
        let ids = self.ids();
        let scores = self.scores(dice, 0.0);
        let mut parent = vec![card(&ids, scores.into_iter(), 0, self.tasks)];
        let (mut any, mut sum) = (false, 0);
        for k in 1..=candidates {
            let (accepted, _, examined) = self.candidate(dice, &mut parent, &ids, k);
            any |= accepted;
            sum += examined;
        }
        (any, sum as f64 / candidates as f64)
    }

    /// A run of candidates of which some are better, to its champion, and then the finals as `evolve/src/finals.rs` has
    /// them. Returns the true gain of the champion and how much its mean score tells too much, before and after.
    fn finals(&self, dice: &mut Dice, candidates: u64) -> [(f64, f64); 2] {
        let ids = self.ids();
        let scores = self.scores(dice, 0.0);
        let mut parent = vec![card(&ids, scores.into_iter(), 0, self.tasks)];
        let mut accepted: Vec<(f64, Vec<Scorecard>)> = vec![(0.0, parent.clone())];
        let mut champion = 0;
        for k in 1..=candidates {
            let gain = if dice.unit() < 0.85 { -0.1 * dice.unit() } else { 0.3 * dice.unit() };
            let mut cards = Vec::new();
            if !self.duel(dice, (&mut cards, gain), (&mut parent, 0.0), &ids, k).0 {
                continue;
            }
            let (theirs, mut rival) = accepted[champion].clone();
            let wins = champion == 0 || self.duel(dice, (&mut cards, gain), (&mut rival, theirs), &ids, k).0;
            accepted[champion].1 = rival;
            accepted.push((gain, cards));
            champion = if wins { accepted.len() - 1 } else { champion };
        }
        let mean = |cards: &[Scorecard]| {
            let all: Vec<f64> = cards.iter().flat_map(|card| card.of(Split::Validation)).map(|m| m.score).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let (gain, cards) = &accepted[champion];
        let before = (*gain, mean(cards) - self.solved - gain);
        if champion == 0 {
            return [before; 2];
        }
        let mut others: Vec<usize> = (1..accepted.len()).filter(|i| *i != champion).collect();
        others.sort_by(|a, b| mean(&accepted[*b].1).total_cmp(&mean(&accepted[*a].1)));
        let mut best = (f64::NEG_INFINITY, 0.0);
        for i in std::iter::once(champion).chain(others).take(3) {
            let gain = accepted[i].0;
            let fresh: Vec<f64> = (0..3).flat_map(|_| self.scores(dice, gain)).collect();
            let score = fresh.iter().sum::<f64>() / fresh.len() as f64;
            if score > best.0 {
                best = (score, gain);
            }
        }
        [before, (best.1, best.0 - self.solved - best.1)]
    }
}

/// Equal candidates, each judged by the whole procedure.
fn procedure(graded: bool, runs: usize, report: &mut Report) {
    for fixed in [true, false] {
        let world = World { kind: Kind::Sample, tasks: 60, solved: 0.5, fixed, graded, gain: 0.0 };
        let all = many(runs, |i| world.run(&mut Dice::of(7 + i as u64 * 7919), 80));
        let hits = all.iter().filter(|(any, _)| *any).count();
        let examined = all.iter().map(|(_, sum)| sum).sum::<f64>() / runs as f64;
        let kind = if fixed { "deterministic" } else { "by chance" };
        let scores = if graded { "graded" } else { "pass or fail" };
        report.rate(
            &format!("80 equal candidates, 60 tasks, {kind}, {scores}: any accepted ({runs} runs)"),
            hits,
            runs,
            ALPHA,
        );
        println!("    tasks examined for a candidate, of 60: {examined:.1}");
    }
}

/// Equal candidates on suites that are called exact and mark the same work differently each time; a tenth of the runs.
fn exact(runs: usize, report: &mut Report) {
    let runs = (runs / 10).max(1);
    for (tasks, graded) in [(1, true), (1, false), (12, true), (60, false)] {
        let world = World { kind: Kind::Exact, tasks, solved: 0.5, fixed: false, graded, gain: 0.0 };
        let ids = world.ids();
        let all = many(runs, |i| {
            let mut dice = Dice::of(12 + i as u64 * 7919);
            // A baseline is examined twice.
            let first = |seed, dice: &mut Dice| card(&ids, world.scores(dice, 0.0).into_iter(), seed, tasks);
            let mut parent = vec![first(0, &mut dice), first(1, &mut dice)];
            let mut cards = 0;
            let any = (1..=80).fold(false, |any, k| {
                let (accepted, taken, _) = world.candidate(&mut dice, &mut parent, &ids, k);
                cards += taken.len();
                any | accepted
            });
            (any, cards as f64 / 80.0)
        });
        let hits = all.iter().filter(|(any, _)| *any).count();
        let scores = if graded { "graded" } else { "pass or fail" };
        let what = format!("80 equal candidates, called exact, {tasks} tasks, {scores}: any accepted ({runs} runs)");
        if tasks == 1 && !graded {
            // Two examinations of a coin agree in half of the cases, and then nothing shows that it is one.
            println!("{what:<72} {:>8.4}: a coin that two examinations do not show", hits as f64 / runs as f64);
        } else {
            report.rate(&what, hits, runs, ALPHA);
        }
        let taken = all.iter().map(|(_, cards)| cards).sum::<f64>() / runs as f64;
        println!("    examinations of a candidate: {taken:.1}");
    }
    println!("a better candidate, the 20th of its run, one task that is graded, called exact: accepted, examinations");
    for gain in [0.1, 0.2, 0.4, 0.8] {
        let world = World { kind: Kind::Exact, tasks: 1, solved: 0.5, fixed: false, graded: true, gain };
        let ids = world.ids();
        let all = many(runs, |i| {
            let mut dice = Dice::of(13 + i as u64 * 7919);
            let first = |seed, dice: &mut Dice| card(&ids, world.scores(dice, 0.0).into_iter(), seed, 1);
            let mut parent = vec![first(0, &mut dice), first(1, &mut dice)];
            let (accepted, taken, _) = world.candidate(&mut dice, &mut parent, &ids, 20);
            (accepted, taken.len())
        });
        let hits = all.iter().filter(|(accepted, _)| *accepted).count();
        let taken: usize = all.iter().map(|(_, taken)| taken).sum();
        println!("    +{gain}: {:.3}, {:.1}", hits as f64 / all.len() as f64, taken as f64 / all.len() as f64);
    }
}

/// Alarms and early rejections where nothing is wrong: Fisher's exact tests, gaps of gains, the first few tasks.
fn alarms(runs: usize, report: &mut Report) {
    let vigilance = Vigilance::default();
    for (visible, sealed) in [(20usize, 12usize), (60, 30), (200, 60)] {
        let hits = (0..runs).filter(|i| {
            let mut dice = Dice::of(14 + *i as u64 * 7919);
            let mut part = |split, tasks: usize, chance: f64| {
                let ids: Vec<TaskId> = (0..tasks).map(|i| TaskId(format!("{split:?}{i:03}"))).collect();
                let scores: Vec<f64> = (0..tasks).map(|_| f64::from(dice.unit() < chance)).collect();
                let mut card = card(&ids, scores.into_iter(), 0, tasks);
                card.marks.iter_mut().for_each(|mark| mark.split = split);
                card
            };
            // As much better where it was sought as where nobody looked.
            let now = (part(Split::Validation, visible, 0.7), part(Split::Holdout, sealed, 0.7));
            let was = (part(Split::Validation, visible, 0.4), part(Split::Holdout, sealed, 0.4));
            let known = Sealed { variant: (&now.0, &now.1), before: Some((&was.0, &was.1)) };
            !vigilance.of_holdout(&known).is_empty()
        });
        let name = format!("holdout-gap, {visible} visible and {sealed} sealed tasks, as good on both");
        report.rate(&name, hits.count(), runs, 0.02);
    }
    for (inputs, chance) in [(10u64, 0.9), (40, 0.97), (40, 0.9)] {
        let mut dice = Dice::of(15);
        let hits = (0..runs).filter(|_| {
            let mut right = || (0..inputs).filter(|_| dice.unit() < chance).count() as u64;
            // It is asked only where all declared ones are right.
            let (declared, fresh) = (right(), right());
            declared == inputs && !vigilance.of_fresh(inputs, fresh, inputs, inputs).is_empty()
        });
        let name =
            format!("fresh-inputs, {inputs} declared and new ones, right on {chance} of any, whatever its parent is");
        report.rate(&name, hits.count(), runs, 0.01);
    }
    for first in [4usize, 8, 16] {
        let ids: Vec<TaskId> = (0..60).map(|i| TaskId(format!("t{i:03}"))).collect();
        let mut dice = Dice::of(16);
        let (mut early, mut any) = (0, 0);
        for _ in 0..runs {
            let mut draw = |ids: &[TaskId]| {
                let scores: Vec<f64> = ids.iter().map(|_| f64::from(dice.unit() < 0.5)).collect();
                card(ids, scores.into_iter(), 0, 60)
            };
            let was = draw(&ids);
            let ends = std::iter::successors(Some(first), |end| Some(2 * end)).take_while(|end| *end < 60);
            let parts: Vec<_> = ends.map(|end| draw(&ids[if end == first { 0 } else { end / 2 }..end])).collect();
            let seen: Vec<_> = parts.iter().collect();
            let look = |n: usize| hopeless(&seen[..n], &[&was], &BTreeSet::new(), (first, 60)).is_some();
            early += usize::from(look(1));
            any += usize::from((1..=seen.len()).any(look));
        }
        report.rate(&format!("equal, and rejected after the first {first} tasks"), early, runs, 0.1);
        report.rate(&format!("equal, and rejected after {first}, {}, … of 60 tasks", 2 * first), any, runs, 0.2);
    }
}

/// What better candidates come to.
fn finals(runs: usize) {
    println!(
        "a better candidate, the 20th of its run, 60 tasks, pass or fail, deterministic: accepted, tasks examined"
    );
    for gain in [0.1, 0.2, 0.3, 0.4] {
        let world = World { kind: Kind::Sample, tasks: 60, solved: 0.5, fixed: true, graded: false, gain };
        let ids = world.ids();
        let times = (runs / 5).max(1);
        let all = many(times, |i| {
            let mut dice = Dice::of(8 + i as u64 * 7919);
            let scores = world.scores(&mut dice, 0.0);
            let mut parent = vec![card(&ids, scores.into_iter(), 0, 60)];
            let (accepted, _, examined) = world.candidate(&mut dice, &mut parent, &ids, 20);
            (accepted, examined)
        });
        let hits = all.iter().filter(|(accepted, _)| *accepted).count();
        let sum: usize = all.iter().map(|(_, examined)| examined).sum();
        println!("    +{gain}: {:.3}, {:.1}", hits as f64 / times as f64, sum as f64 / times as f64);
    }
    println!(
        "80 candidates of which some are better, by chance: true gain of the champion, what its score tells too much"
    );
    for tasks in [60, 200] {
        let world = World { kind: Kind::Sample, tasks, solved: 0.5, fixed: false, graded: false, gain: 0.0 };
        let times = (runs / 10).max(1);
        let all = many(times, |i| world.finals(&mut Dice::of(11 + i as u64 * 7919), 80));
        for (at, what) in ["without finals", "with finals"].into_iter().enumerate() {
            let mean = |of: fn(&(f64, f64)) -> f64| all.iter().map(|both| of(&both[at])).sum::<f64>() / times as f64;
            println!("    {tasks} tasks, {what}: {:.4}, {:+.4} ({times} runs)", mean(|m| m.0), mean(|m| m.1));
        }
    }
}

/// A promoted variant that did not change: how often it is rolled back by chance, and how often it is shown to be as good; one
/// that dropped: how often that is seen; one that dropped by just the margin: how often it passes for as good.
fn regression(runs: usize, report: &mut Report) {
    for (tasks, was, drop, then) in [
        (60usize, 0.7, 0.0, 4u64),
        (60, 0.7, 0.0, 7),
        (60, 0.7, 0.0, 12),
        (200, 0.7, 0.0, 4),
        (200, 0.7, 0.0, 7),
        (200, 0.95, 0.0, 7),
        (60, 0.95, 0.0, 7),
        (60, 0.7, 0.05, 7),
        (200, 0.7, 0.05, 7),
        (200, 0.95, 0.05, 7),
        (60, 0.7, 0.2, 4),
        (200, 0.7, 0.2, 4),
    ] {
        let ids: Vec<TaskId> = (0..tasks).map(|i| TaskId(format!("t{i:03}"))).collect();
        let policy = Policy { kind: Kind::Sample, margin_kind: MarginKind::Absolute, ..Policy::default() };
        let flaky = BTreeSet::new();
        let all = many(runs, |i| {
            let mut dice = Dice::of(9 + i as u64 * 7919);
            let mut draw = |seed, chance: f64| {
                let scores: Vec<f64> = (0..tasks).map(|_| f64::from(dice.unit() < chance)).collect();
                card(&ids, scores.into_iter(), seed, tasks)
            };
            let reference: Vec<Scorecard> = (0..then).map(|seed| draw(seed, was)).collect();
            let mut now = vec![draw(0, was - drop)];
            loop {
                let (n, r): (Vec<_>, Vec<_>) = (now.iter().collect(), reference.iter().collect());
                match standing(&Regression { now: &n, reference: &r, flaky: &flaky }, &policy) {
                    Standing::NeedMore { seed } => now.push(draw(seed, was - drop)),
                    decided => break (decided, now.len()),
                }
            }
        });
        let count = |of: fn(&Standing) -> bool| all.iter().filter(|(standing, _)| of(standing)).count();
        let back = count(|s| matches!(s, Standing::Dropped(_)));
        let fine = count(|s| matches!(s, Standing::Stands(_)));
        let seeds = all.iter().map(|(_, seeds)| seeds).sum::<usize>() as f64 / runs as f64;
        let what = format!("{tasks} tasks that passed in {was} of cases, {then} seeds then");
        if drop == 0.0 {
            report.rate(&format!("unchanged, {what}: rolled back"), back, runs, ALPHA);
            println!("    shown to be as good: {:.3}; seeds taken: {seeds:.1}", fine as f64 / runs as f64);
        } else if drop == policy.margin {
            report.rate(&format!("worse by just the margin, {what}: shown to be as good"), fine, runs, ALPHA);
            println!("    rolled back: {:.3}; seeds taken: {seeds:.1}", back as f64 / runs as f64);
        } else {
            let seen = back as f64 / runs as f64;
            println!("a drop of {drop} points, {what}: rolled back {seen:.3}; seeds taken: {seeds:.1}");
        }
    }
}

fn main() -> ExitCode {
    let runs = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let named: Vec<String> = std::env::args().skip(2).collect();
    if let Some(unknown) = named.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprintln!("there is no part {unknown:?}; the parts are {}", PARTS.join(", "));
        return ExitCode::from(2);
    }
    let mut report = Report { bad: false };
    for part in PARTS.into_iter().filter(|part| named.is_empty() || named.iter().any(|name| name == part)) {
        match part {
            "tests" => tests(runs, &mut report),
            "powers" => powers(runs, &mut report),
            "alarms" => alarms(runs, &mut report),
            "regression" => regression(runs, &mut report),
            "binary" => procedure(false, runs, &mut report),
            "graded" => procedure(true, runs, &mut report),
            "exact" => exact(runs, &mut report),
            _ => finals(runs),
        }
    }
    if report.bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
