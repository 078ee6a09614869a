//! How fast the audit is: prints one line a figure. Arguments: number of events (default 1,000,000), and the URL of an empty
//! Postgres database, if it is to be measured too.
//!
//! `cargo bench -p meliora-store --bench audit -- 1000000 postgres://postgres@127.0.0.1/empty`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::time::Instant;

use meliora_domain::{Attempt, BidOutcome, Change, Cost, Event, Judgement, Timestamp, TreeId, VariantId, Verdict};
use meliora_evolve::Archive;
use meliora_store::{Address, Audit, Book, GitArchive, Sign, Witness, audit_export, migrate};

fn main() {
    let events: u64 = std::env::args().find_map(|a| a.parse().ok()).unwrap_or(1_000_000);
    let address = std::env::args().find(|a| a.starts_with("postgres")).map(|url| Address::parse(&url).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let book = Book::at(&dir.path().join("book"));
    let archive = watched(GitArchive::open(dir.path()).unwrap(), "file", book.clone());
    let start = Moment::now();
    for n in 0..events / 4 {
        archive.append(&step(n), Timestamp(n)).unwrap();
    }
    rate("append four at a time, with checkpoints", events, start);
    println!("checkpoints: {}", book.read().unwrap().len());

    let path = dir.path().join("export.jsonl");
    let start = Moment::now();
    archive.export(&mut BufWriter::with_capacity(1 << 20, File::create(&path).unwrap()), Timestamp(events)).unwrap();
    rate("export", events, start);
    println!("size of the export: {:.1} MB", path.metadata().unwrap().len() as f64 / 1e6);
    for _ in 0..3 {
        let start = Moment::now();
        let mut audit = Audit::new(book.read().unwrap(), &check);
        let mut read = BufReader::with_capacity(1 << 20, File::open(&path).unwrap());
        assert!(audit_export(&mut read, &mut audit).unwrap());
        sound(audit, events);
        rate("verify the export", events, start);
    }
    let start = Moment::now();
    let mut audit = Audit::new(book.read().unwrap(), &check);
    archive.audit(&mut audit).unwrap();
    sound(audit, events);
    rate("verify the file", events, start);
    if let Some(address) = address {
        postgres(dir.path(), &address, &book, events);
    }
}

fn postgres(dir: &std::path::Path, address: &Address, book: &Book, events: u64) {
    let start = Moment::now();
    assert_eq!(migrate(dir, address).unwrap(), events);
    rate("copy to Postgres", events, start);
    let archive = GitArchive::open_on_readonly(dir, address).unwrap();
    let start = Moment::now();
    let mut audit = Audit::new(book.read().unwrap(), &check);
    archive.audit(&mut audit).unwrap();
    sound(audit, events);
    rate("verify on Postgres", events, start);
    let archive = GitArchive::open_on(&dir.join("other"), address);
    // The events of this bench name variants that no archive holds, which a journal that is opened to be written must.
    assert!(archive.is_err());
}

fn sound(audit: Audit<'_>, events: u64) {
    let report = audit.finish();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!((report.events, report.vouched.map(|(size, _)| size)), (events, Some(events)));
}

/// A moment by the clock and by this process' processor time: on a busy machine the two differ.
struct Moment {
    clock: Instant,
    processor: f64,
}

impl Moment {
    fn now() -> Moment {
        // User and system time, fields 14 and 15 of proc(5), in ticks of ten milliseconds; the name before them may hold blanks.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11..=12].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        Moment { clock: Instant::now(), processor: ticks / 100.0 }
    }
}

fn rate(what: &str, events: u64, start: Moment) {
    let (clock, processor) = (start.clock.elapsed().as_secs_f64(), Moment::now().processor - start.processor);
    let per_second = |seconds: f64| events as f64 / seconds;
    println!(
        "{what}: {:.0} events/s ({clock:.2} s by the clock); {:.0} a second of processor time",
        per_second(clock),
        per_second(processor)
    );
}

fn watched(archive: GitArchive, origin: &str, book: Book) -> GitArchive {
    let sign: Sign = Box::new(|text| Ok(signature(text)));
    archive.witnessed(Witness::new(origin, book, "bench", sign), &check, Timestamp(0)).unwrap()
}

/// The time that a real signature takes is measured with the program: there is one in five thousand events.
fn signature(text: &[u8]) -> String {
    format!("signature of {} bytes", text.len())
}

fn check(_: &str, text: &[u8], given: &str) -> Result<(), String> {
    (given == signature(text)).then_some(()).ok_or("no".to_owned())
}

/// What a step of a run leaves.
fn step(n: u64) -> [Event; 4] {
    let variant = VariantId(std::array::from_fn(|i| (n >> (8 * (i % 8))) as u8));
    let reason = format!("sums.py:{n} `return a - b` -> `return a + b` (operator swap)");
    let outcome = BidOutcome::Proposed { reason, idea: Some(meliora_domain::Digest([n as u8; 32])) };
    let bid = Attempt { step: n, parents: vec![variant], arm: 0, cost: Cost { tokens: 900, ..Cost::ZERO }, outcome };
    let judgement = Judgement::of(Verdict::Rejected, -0.0625, "solves 3 of 16 tasks where its parent solved 4");
    let refused = Event::Refused {
        step: n,
        article: "edit-only-what-is-editable".into(),
        reason: "it would change suite/tasks.jsonl".into(),
        change: Change::default(),
    };
    let last = if n.is_multiple_of(50) { refused } else { Event::Judged { step: n, variant, judgement } };
    [
        Event::Bid(bid),
        Event::Admitted { step: n, variant, tree: TreeId([3; 20]), parents: vec![variant] },
        Event::Crowned { variant, score: 0.5 },
        last,
    ]
}
