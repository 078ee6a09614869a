//! How long it takes to load and verify a constitution, and to look whether it still holds: one line a figure.
//!
//! `cargo bench -p meliora-constitution --bench load`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::Instant;

use meliora_constitution::key::SecretKey;
use meliora_constitution::{Constitution, Reach, Trust, seal, signature_of, template};
use meliora_domain::Timestamp;

const TIMES: usize = 500;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("CONSTITUTION.yaml");
    let (key, text) = (SecretKey::generate().unwrap(), seal(template()));
    std::fs::write(
        signature_of(&file),
        key.sign(text.as_bytes(), "timestamp:1 project:0123456789abcdef0123456789abcdef").unwrap(),
    )
    .unwrap();
    std::fs::write(&file, text).unwrap();
    let trust = Trust { keys: vec![key.public()], now: Timestamp(1), ..Trust::default() };
    let reach = || Reach { editable: vec!["**".into()], protected: vec!["suite".into()], max_bytes: 1 << 20 };
    let load = || Constitution::load(&file, reach(), &trust).unwrap();
    let law = load();
    println!("load and verify, the whole template: {}", median(|| drop(load())));
    println!("look whether it still holds: {}", median(|| law.holds(Timestamp(1)).unwrap()));
}

fn median(mut work: impl FnMut()) -> String {
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    format!("median {:.3} ms, 99 in 100 within {:.3} ms", times[TIMES / 2], times[TIMES * 99 / 100])
}
