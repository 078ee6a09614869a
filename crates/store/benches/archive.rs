//! How fast the archive is: prints one line a figure. Arguments: numbers of variants (default 1000 10000);
//! the word `variants` leaves the journal out.
//!
//! `cargo bench -p meliora-store --bench archive -- 1000 10000 100000`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::Instant;

use meliora_domain::{
    Cost, Digest, Event, FileBody, Genome, GenomePath, Mark, MarkStatus, Scorecard, Split, TaskId, Timestamp, VariantId,
};
use meliora_evolve::{Archive, Draft};
use meliora_store::GitArchive;

/// Functions in the genome, one file each; a variant changes one of them.
const FILES: u64 = 12;

fn main() {
    let mut sizes: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1000, 10_000];
    }
    if !std::env::args().any(|a| a == "variants") {
        journal();
    }
    for size in sizes {
        variants(size);
    }
    println!("peak memory: {}", peak_memory());
}

/// What a run writes: four events a step.
fn step(n: u64) -> [Event; 4] {
    let variant = VariantId(std::array::from_fn(|i| (n >> (8 * (i % 8))) as u8));
    let marks = (0..FILES).map(|t| Mark {
        task: TaskId(format!("task-{t}")),
        split: Split::Validation,
        status: MarkStatus::Passed,
        score: 1.0,
        detail: String::new(),
    });
    let scorecard =
        Scorecard { evaluator: Digest([7; 32]), marks: marks.collect(), seconds: 0.012, ..Default::default() };
    [
        Event::Reserved { step: n, cost: Cost::evals(1) },
        Event::Admitted { step: n, variant, tree: meliora_domain::TreeId([3; 20]), parents: vec![variant] },
        Event::Examined { step: n, variant, scorecard },
        Event::Crowned { variant, score: 0.5 },
    ]
}

fn journal() {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    let rate = |what: &str, events: u64, start: Instant| {
        println!("{what}: {:.0} events/s", events as f64 / start.elapsed().as_secs_f64());
    };
    let start = Instant::now();
    for n in 0..10_000 {
        for event in step(n) {
            archive.append(&[event], Timestamp(n)).unwrap();
        }
    }
    rate("append one by one", 40_000, start);
    let start = Instant::now();
    for n in 0..90_000 {
        archive.append(&step(n), Timestamp(n)).unwrap();
    }
    rate("append four at a time", 360_000, start);
    let start = Instant::now();
    let paid = Cost { evals: 1, tokens: 1000, ..Cost::default() };
    for n in 0..500 {
        archive.append(&[Event::Reserved { step: n, cost: paid }], Timestamp(n)).unwrap();
    }
    rate("append one by one what waits for the disk", 500, start);
    drop(archive);
    let start = Instant::now();
    let archive = GitArchive::open(dir.path()).unwrap();
    println!("open with 400,500 events: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let events = archive.verify().unwrap();
    rate("replay", events, start);
    println!("replay of {events} events: {:.2} s", start.elapsed().as_secs_f64());
}

fn variants(size: u64) {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    let file = |n: u64| GenomePath::new(&format!("src/f{n}.py")).unwrap();
    let base: Genome = (0..FILES).map(|n| (file(n), FileBody::new(vec![b'x'; 600], false))).collect();
    let (mut parents, mut ids) = (Vec::new(), Vec::new());
    let (start, mut lap) = (Instant::now(), Instant::now());
    for n in 0..size {
        let text = format!("def f{n}(a, b):\n    return a + {n}\n").repeat(15);
        let genome = base.clone().with(file(n % FILES), FileBody::new(text.into_bytes(), false));
        let tag = format!("run-1/step-{n}");
        let message = format!("step {n}");
        let draft = Draft { genome: &genome, parents: &parents, message, date: Timestamp(n * 1000), tag };
        let id = archive.store(&draft).unwrap();
        ids.push(id);
        parents = vec![ids[(n / 2) as usize]];
        if (n + 1) % (size / 10).max(1) == 0 {
            let each = lap.elapsed().as_secs_f64() * 1e3 / (size / 10).max(1) as f64;
            println!("  {:>6} of {size}: {each:.3} ms each", n + 1);
            lap = Instant::now();
        }
    }
    println!("store {size} variants: {:.3} ms each", start.elapsed().as_secs_f64() * 1e3 / size as f64);
    let start = Instant::now();
    archive.point_champion(&ids[0]).unwrap();
    println!("point champion: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(archive);
    let start = Instant::now();
    let archive = GitArchive::open(dir.path()).unwrap();
    println!("open: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let some: Vec<VariantId> = ids.iter().step_by((ids.len() / 1000).max(1)).copied().collect();
    let start = Instant::now();
    some.iter().for_each(|id| assert_eq!(archive.find(&id.short()).unwrap(), *id));
    println!("find by ten digits: {:.3} ms", start.elapsed().as_secs_f64() * 1e3 / some.len() as f64);
    let start = Instant::now();
    let _ = archive.find(&ids[0].to_string()[..4]);
    println!("find by four digits: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    some.iter().for_each(|id| assert_eq!(archive.load(id).unwrap().files().len() as u64, FILES));
    println!("load: {:.3} ms", start.elapsed().as_secs_f64() * 1e3 / some.len() as f64);
}

/// The kernel's own figure for this process.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned()
}
