//! Whether a variant is better on tasks that stand for more than themselves: evidence decides.
//!
//! The tasks are examined in batches, each as large as all before it: a quarter, a half, all ([`batch`]).
//!
//! A candidate has a [`share`] of the run's alpha: how often luck may pass for an improvement of it. It goes in halves to two
//! tests, of which one suffices: a bet that is looked at after every task and may end the examination early
//! ([`evidence`](crate::evidence)), and a fixed test once all tasks are examined ([`sign_test`] where all differences are of
//! one size, which is McNemar's exact test for pass or fail, else [`sign_flip`]). Both look at the seeds that select. Who
//! passes is examined once more with a seed that had no part in it, and must show a gain there, too, at alpha: so luck
//! needs to strike twice.
//!
//! The other way round a bet ends the examination of what is clearly worse.

use meliora_domain::{Judgement, Scorecard, TaskId, Verdict};

use crate::better::{Evidence, Ruling, Side};
use crate::pairs::{Pairs, gaps, too_few};
use crate::whole::unmarked;
use crate::{Policy, evidence, interval, share, sign_flip, sign_test, subsets};

/// A candidate that luck alone equals more often than this after a first seed gets no more of them: it would hardly be
/// accepted, and every seed costs an examination.
const HOPELESS: f64 = 0.2;
/// Confidence of intervals that are reported.
const REPORTED: f64 = 0.05;
/// Patterns of signs that are drawn: enough to tell a p-value of the smallest share that a test may have to find.
const DRAWS: (f64, f64) = (1e4, 2e6);

/// Fewer tasks than this are no batch of their own.
const FEWEST: usize = 8;

/// How many tasks are examined next where so many were: a quarter first, then as many again, so that what is clear early
/// costs at most twice what it takes to see it. Tasks that would be left over as too few come along.
pub(crate) fn batch(tasks: &[TaskId], examined: usize) -> usize {
    let (all, next) = (tasks.len(), if examined == 0 { tasks.len().div_ceil(4) } else { examined }.max(FEWEST));
    if examined + next + FEWEST > all { all - examined.min(all) } else { next }
}

pub(crate) fn sample(known: &Evidence<'_>, policy: &Policy) -> Ruling {
    let Evidence { variant, reference, tasks, .. } = *known;
    let allowed = share(policy.alpha, known.candidate);
    let first = variant.iter().map(|card| card.seed).min().unwrap_or(0);
    let selecting = if known.chance { policy.seeds.max(1) } else { 1 };

    // The first seed, task by task.
    let until = |seed: u64| -> Vec<&Scorecard> { variant.iter().filter(|c| c.seed < seed).copied().collect() };
    let looked = until(first + 1);
    let pass = Pairs::in_order(&looked, reference, tasks, known.flaky);
    let say = |verdict, pairs: &Pairs, seen: &Seen, why: String| Judgement {
        interval: seen.interval,
        p: Some(seen.p),
        e: Some(seen.e),
        share: Some(allowed),
        ..Judgement::of(verdict, pairs.effect(), why + &gaps(pairs))
    };
    let bet = evidence(pass.stakes());
    let worse = evidence(pass.stakes().into_iter().map(|d| -d));
    let early = bet >= 2.0 / allowed;
    let seen = Seen::of(&pass, bet, allowed, known.seed);
    if worse >= 1.0 / policy.alpha {
        return Ruling::Verdict(say(
            Verdict::Rejected,
            &pass,
            &seen,
            format!("{}: clearly worse", count(known, &pass)),
        ));
    }
    let missing = |side: &[&Scorecard], seed| unmarked(tasks, side, Some(seed));
    let ask = |of, tasks, seed, pairs: &Pairs, seen: &Seen, why: &str| {
        let so_far = say(Verdict::Inconclusive, pairs, seen, format!("{}, {why}", count(known, pairs)));
        Ruling::NeedMore { of, tasks, seed, so_far }
    };
    let all = |tasks: Vec<_>| if tasks.len() == known.tasks.len() { Vec::new() } else { tasks };

    if !early {
        let rest = missing(&looked, first);
        if !rest.is_empty() {
            let next = batch(tasks, tasks.len() - rest.len());
            let rest = rest[..next.min(rest.len())].to_vec();
            return ask(Side::Variant, rest, first, &pass, &seen, "which is not all tasks yet");
        }
        let unheld = unmarked(tasks, reference, None);
        if !unheld.is_empty() {
            return ask(Side::Reference, unheld, first, &pass, &seen, "which is not all tasks yet");
        }
    }

    // The seeds that select.
    let chosen = until(if early { first + 1 } else { first + selecting });
    let pairs = if early { pass.clone() } else { Pairs::of(&chosen, reference, known.flaky) };
    let seen = if early { seen } else { Seen::of(&pairs, bet, allowed, known.seed) };
    if !pairs.covered() && !early {
        return Ruling::Verdict(say(Verdict::Inconclusive, &pairs, &seen, too_few(&pairs)));
    }
    let told = count(known, &pairs);
    if pairs.effect() <= 0.0 {
        return Ruling::Verdict(say(Verdict::Rejected, &pairs, &seen, format!("{told}, and no better on average")));
    }
    let asked = format!("{} is asked for where {} tried", often(allowed / 2.0), tried(known.candidate));
    let weak = || {
        format!("{told}, which is too little evidence: luck alone would do as well {}, and {}", often(seen.p), asked)
    };
    if !early {
        if seen.p > HOPELESS {
            return Ruling::Verdict(say(Verdict::Inconclusive, &pairs, &seen, weak()));
        }
        for seed in first..first + selecting {
            for (of, side) in [(Side::Reference, reference), (Side::Variant, variant)] {
                let tasks = missing(side, seed);
                if !tasks.is_empty() && (selecting > 1 || of == Side::Variant) {
                    return ask(of, all(tasks), seed, &pairs, &seen, "which more seeds could prove");
                }
            }
        }
        if seen.p > allowed / 2.0 {
            return Ruling::Verdict(say(Verdict::Inconclusive, &pairs, &seen, weak()));
        }
    }

    // A seed that had no part in it.
    let seed = if early { first + 1 } else { first + selecting };
    for (of, side) in [(Side::Reference, reference), (Side::Variant, variant)] {
        let tasks = missing(side, seed);
        if !tasks.is_empty() && (known.chance || of == Side::Variant) {
            return ask(of, all(tasks), seed, &pairs, &seen, "which a fresh seed has to confirm");
        }
    }
    let fresh: Vec<&Scorecard> = variant.iter().filter(|c| c.seed >= seed).copied().collect();
    let fresh = Pairs::of(&fresh, reference, known.flaky);
    let p = test(&fresh, policy.alpha, known.seed ^ 1);
    if !fresh.covered() || fresh.effect() <= 0.0 || p > policy.alpha {
        let again = format!(
            "{told}, but a fresh seed did not confirm it: {}, as luck alone would {}",
            count(known, &fresh),
            often(p)
        );
        return Ruling::Verdict(say(Verdict::Inconclusive, &fresh, &seen, again));
    }
    let everything = Pairs::of(variant, reference, known.flaky);
    let seen = Seen { interval: within(&everything, known.seed), ..seen };
    let luck = if early { often(1.0 / seen.e) } else { often(seen.p) };
    let why = format!("{told}; luck alone would do as well {luck}, and {asked}; a fresh seed confirmed it");
    Ruling::Verdict(say(Verdict::Accepted, &everything, &seen, why))
}

/// Figures of chance.
struct Seen {
    p: f64,
    e: f64,
    interval: Option<(f64, f64)>,
}

impl Seen {
    fn of(pairs: &Pairs, e: f64, allowed: f64, seed: u64) -> Self {
        Seen { p: test(pairs, allowed / 2.0, seed), e, interval: within(pairs, seed) }
    }
}

/// One-sided p-value of the fixed test, with draws enough to tell whether it is below `level`.
fn test(pairs: &Pairs, level: f64, seed: u64) -> f64 {
    if pairs.of_one_size() {
        let (wins, losses) = pairs.wins_and_losses();
        return sign_test(wins, losses);
    }
    sign_flip(&pairs.differences(), seed, (50.0 / level).clamp(DRAWS.0, DRAWS.1) as u64)
}

/// Where the true difference lies.
fn within(pairs: &Pairs, seed: u64) -> Option<(f64, f64)> {
    if pairs.bounded() {
        return (pairs.len() > 0).then(|| interval(&pairs.differences(), REPORTED));
    }
    subsets(&pairs.differences(), REPORTED, seed)
}

/// `better on 9 and worse on 2 of 60 tasks than its parent`.
fn count(known: &Evidence<'_>, pairs: &Pairs) -> String {
    let (wins, losses) = pairs.wins_and_losses();
    let of = meliora_domain::counted(pairs.len(), "task");
    format!("better on {wins} and worse on {losses} of {of} than {}", known.against)
}

fn tried(candidates: u64) -> String {
    if candidates <= 1 { "one candidate was".into() } else { format!("{candidates} candidates were") }
}

/// `in 3.1 % of cases`; small ones as `once in 4,000`.
pub(crate) fn often(p: f64) -> String {
    if p >= 0.001 {
        let text = format!("{:.1}", p * 100.0);
        return format!("in {} % of cases", text.strip_suffix(".0").unwrap_or(&text));
    }
    if p < 1e-9 {
        return "in less than one of a billion cases".into();
    }
    // Two figures are enough.
    let n = (1.0 / p).round() as u64;
    let unit = 10u64.pow(n.ilog10().saturating_sub(1));
    let digits = (n / unit * unit).to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or("")).collect();
    format!("once in {}", groups.join(","))
}
