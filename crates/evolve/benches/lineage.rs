//! The engine's own share at size: append, open, decide, for a journal of N variants (default 100,000).
//!
//! `cargo bench -p meliora-evolve --bench lineage -- 10000 100000`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints figures")]

use std::time::Instant;

use meliora_domain::{
    Attempt, BidOutcome, Cost, Digest, Event, Judgement, Mark, MarkStatus, Proposer, Recorded, RunPlan, Scorecard,
    Split, TaskId, Timestamp, TreeId, VariantId, Verdict,
};
use meliora_evolve::{Action, Budget, Journal, Observer, Rng, StrategyKind, lineage_of, replayed_in_full};
use meliora_store::GitArchive;

struct Silent;
impl Observer for Silent {
    fn notice(&self, _: &Recorded) {}
}

fn main() {
    let sizes: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 100_000] } else { sizes };
    println!("variants   events/s   one by one/s   snapshot ms   open ms   full replay ms   decide µs   peak MiB");
    for n in sizes {
        measure(n);
    }
}

fn measure(n: u64) {
    let folder = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(folder.path()).unwrap();
    let clock = || Timestamp(1);
    let mut journal = Journal::open(&archive, &Silent, &clock).unwrap();
    journal.record(&[Event::RunStarted(plan())]).unwrap();
    journal.record(&baseline()).unwrap();
    let start = Instant::now();
    let mut events = 0;
    for step in 1..n {
        let batch = step_events(step);
        events += batch.len();
        journal.record(&batch).unwrap();
    }
    let rate = events as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    for _ in 0..2_000 {
        journal.record(&[Event::Warned { message: "one by one".into() }]).unwrap();
    }
    let single = 2_000.0 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    journal.keep_snapshot().unwrap();
    let snapshot = start.elapsed();
    drop(journal);
    drop(archive);

    let start = Instant::now();
    let archive = GitArchive::open(folder.path()).unwrap();
    let journal = Journal::open(&archive, &Silent, &clock).unwrap();
    let mut strategy = StrategyKind::Dgm.build();
    let budget = Budget::new(Cost::ZERO, 0.0, Cost::ZERO, 0.0);
    decide(strategy.as_mut(), &journal, &budget, 0);
    let open = start.elapsed();
    let mut times: Vec<f64> = (1..1_001)
        .map(|step| {
            let start = Instant::now();
            decide(strategy.as_mut(), &journal, &budget, step);
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let peak = peak_mib();
    let start = Instant::now();
    let replayed = replayed_in_full(&archive).unwrap();
    let full = start.elapsed();
    assert_eq!(replayed, lineage_of(&archive).unwrap(), "snapshot and full replay differ");
    println!(
        "{n:>8}   {rate:>8.0}   {single:>12.0}   {:>11.0}   {:>7.0}   {:>14.0}   {:>9.2}   {peak:>8.0}",
        snapshot.as_secs_f64() * 1e3,
        open.as_secs_f64() * 1e3,
        full.as_secs_f64() * 1e3,
        times[500] * 1e6,
    );
}

fn decide(strategy: &mut dyn meliora_evolve::Strategy, journal: &Journal<'_>, budget: &Budget, step: u64) {
    let action = strategy.next(journal.lineage(), budget, &mut Rng::of(1, 1, step));
    assert!(matches!(action, Action::Expand { .. }));
}

fn plan() -> RunPlan {
    RunPlan {
        strategy: "dgm".into(),
        arms: vec![Proposer { kind: "mutate".into(), model: None }],
        seed: 1,
        budget: Cost::ZERO,
        minutes: 0.0,
        evaluator: Digest::default(),
        baseline: TreeId([0; 20]),
        constitution: Digest::default(),
        tier: None,
        search: Default::default(),
    }
}

fn variant(step: u64) -> VariantId {
    let digest = Digest::of([&step.to_le_bytes()[..]]);
    let mut id = [0; 20];
    id.copy_from_slice(&digest.0[..20]);
    VariantId(id)
}

fn card(step: u64) -> Scorecard {
    let marks = (0..12)
        .map(|t| {
            let score = if (step * 7 + t) % 12 < 5 { 1.0 } else { 0.0 };
            let status = if score > 0.0 { MarkStatus::Passed } else { MarkStatus::Failed };
            Mark { task: TaskId(format!("task-{t}")), split: Split::Validation, status, score, detail: String::new() }
        })
        .collect();
    Scorecard { evaluator: Digest::default(), marks, seconds: 0.01, ..Default::default() }
}

fn baseline() -> Vec<Event> {
    let variant = variant(0);
    vec![
        Event::Admitted { step: 0, variant, tree: TreeId(variant.0), parents: vec![] },
        Event::Examined { step: 0, variant, scorecard: card(0) },
        Event::Crowned { variant, score: 0.4 },
    ]
}

fn step_events(step: u64) -> Vec<Event> {
    let (child, parent) = (variant(step), variant(step * 2_654_435_761 % step));
    vec![
        Event::Bid(Attempt {
            step,
            parents: vec![parent],
            arm: 0,
            cost: Cost::ZERO,
            outcome: BidOutcome::Proposed { reason: "arithmetic.py:12 `a - b` -> `a + b`".into(), idea: None },
        }),
        Event::Admitted { step, variant: child, tree: TreeId(child.0), parents: vec![parent] },
        Event::Examined { step, variant: child, scorecard: card(step) },
        Event::Judged {
            step,
            variant: child,
            judgement: Judgement::of(Verdict::Rejected, 0.0, "solves 5 of 12 tasks, as its parent did"),
        },
    ]
}

/// Highest resident size of this process, in MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
