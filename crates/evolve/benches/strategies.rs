//! How long each strategy takes to decide among N variants (default 1,000,000), each decision after one more variant, and what
//! memory it takes.
//!
//! `cargo bench -p meliora-evolve --bench strategies -- 1000000`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints figures")]

use std::time::Instant;

use meliora_domain::{
    Attempt, BidOutcome, Cost, DgmPlan, Digest, Event, Judgement, Mark, MarkStatus, Proposer, Recorded, RunPlan, Scale,
    Scorecard, SearchPlan, Split, TaskId, Timestamp, TreeId, VariantId, Verdict,
};
use meliora_evolve::{Action, Budget, Lineage, Rng, StrategyKind};

/// Validation tasks.
const TASKS: u64 = 12;
/// Decisions that are measured.
const DECISIONS: u64 = 300;

fn main() {
    let n = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1_000_000);
    println!("strategy     variants   index s   decide, median ms   highest ms   peak MiB");
    let median = SearchPlan { dgm: DgmPlan { scale: Scale::Median }, ..SearchPlan::default() };
    let mut all: Vec<(&str, StrategyKind, SearchPlan)> =
        StrategyKind::ALL.map(|kind| (kind.name(), kind, SearchPlan::default())).into();
    all.push(("dgm median", StrategyKind::Dgm, median));
    for (name, kind, search) in all {
        measure(name, kind, search, n);
    }
}

fn measure(name: &str, kind: StrategyKind, search: SearchPlan, n: u64) {
    let mut world = World { lineage: Lineage::default(), seq: 0 };
    world.take(Event::RunStarted(plan(kind, search)));
    for step in 0..n {
        world.variant(step);
    }
    let mut strategy = kind.build();
    let budget = Budget::new(Cost::evals(n * 4), 0.0, Cost::evals(n), 0.0);
    let start = Instant::now();
    strategy.next(&world.lineage, &budget, &mut Rng::of(1, 1, n));
    let index = start.elapsed().as_secs_f64();
    let mut times: Vec<f64> = (n..n + DECISIONS)
        .map(|step| {
            world.variant(step);
            let start = Instant::now();
            let action = strategy.next(&world.lineage, &budget, &mut Rng::of(1, 1, step));
            let time = start.elapsed().as_secs_f64();
            assert!(matches!(action, Action::Expand { .. } | Action::Examine { .. }));
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{name:<10}   {n:>8}   {index:>7.2}   {:>17.3}   {:>10.3}   {:>8.0}",
        times[times.len() / 2] * 1e3,
        times[times.len() - 1] * 1e3,
        peak_mib(),
    );
}

struct World {
    lineage: Lineage,
    seq: u64,
}

impl World {
    fn take(&mut self, event: Event) {
        self.seq += 1;
        let (prev, hash) = (Digest::default(), Digest::default());
        self.lineage.take(&Recorded { seq: self.seq, at: Timestamp(self.seq), prev, hash, event });
    }

    /// A variant of some older one; every second is examined on all tasks and judged, the others on three tasks.
    fn variant(&mut self, step: u64) {
        let child = variant(step);
        let parents: Vec<VariantId> = step.checked_sub(1).map(|n| variant(scatter(step, n + 1))).into_iter().collect();
        if step > 0 {
            let outcome = BidOutcome::Proposed { reason: "arithmetic.py:12 `a - b` -> `a + b`".into(), idea: None };
            self.take(Event::Bid(Attempt { step, parents: parents.clone(), arm: 0, cost: Cost::ZERO, outcome }));
        }
        self.take(Event::Admitted { step, variant: child, tree: TreeId(child.0), parents });
        let whole = step.is_multiple_of(2);
        let skill = scatter(step ^ 0x5eed, 100);
        let mark = |task: u64| {
            let score = if scatter(step * TASKS + task, 100) < skill { 1.0 } else { 0.0 };
            let status = if score > 0.0 { MarkStatus::Passed } else { MarkStatus::Failed };
            let task = TaskId(format!("task-{task}"));
            Mark { task, split: Split::Validation, status, score, detail: String::new() }
        };
        let marks = (0..if whole { TASKS } else { 3 }).map(mark).collect();
        let part_of = if whole { 0 } else { TASKS };
        let scorecard = Scorecard { marks, part_of, seconds: 0.01, ..Scorecard::default() };
        self.take(Event::Examined { step, variant: child, scorecard });
        if step == 0 {
            self.take(Event::Crowned { variant: child, score: 0.4 });
        } else if whole {
            let judgement = Judgement::of(Verdict::Rejected, 0.0, "solves 5 of 12 tasks, no more than its parent");
            self.take(Event::Judged { step, variant: child, judgement });
        }
    }
}

/// A number below `below` without a pattern.
fn scatter(n: u64, below: u64) -> u64 {
    let mixed = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below
}

fn variant(step: u64) -> VariantId {
    let mut id = [0; 20];
    id[..8].copy_from_slice(&step.to_be_bytes());
    VariantId(id)
}

fn plan(kind: StrategyKind, search: SearchPlan) -> RunPlan {
    RunPlan {
        strategy: kind.name().into(),
        arms: vec![Proposer { kind: "mutate".into(), model: None }],
        seed: 1,
        budget: Cost::ZERO,
        minutes: 0.0,
        evaluator: Digest::default(),
        baseline: TreeId([0; 20]),
        constitution: Digest::default(),
        tier: None,
        search,
    }
}

/// Highest resident size of this process, in MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
