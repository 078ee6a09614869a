//! Measures the door on labelled commands and SQL: how much of the dangerous is let through, how much of the harmless is
//! hindered, and how long a review takes.
//!
//! `cargo run --release -p meliora-constitution --example corpus -- FOLDER [--cases | --allowed]`: FOLDER holds the files of
//! labelled cases, one JSON object a line with `text`, `category` and, where it matters, `routine`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use meliora_constitution::{Constitution, Reach, Workspace};
use meliora_domain::{Decision, Operation};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".into());
    let flag = arguments.next().unwrap_or_default();
    let (cases, allowed) = (flag == "--cases", flag == "--allowed");
    let reach = Reach { editable: vec!["**".into()], protected: vec!["suite".into()], max_bytes: 1 << 20 };
    let law = Constitution::builtin(reach).expect("the compiled-in law loads");
    let workspace = Workspace::new(Path::new("/home/agent/work"), Path::new("/home/agent"));
    let mut times = Vec::new();
    for (file, sql) in [
        ("commands_dangerous", false),
        ("commands_gtfobins", false),
        ("commands_benign", false),
        ("sql_dangerous", true),
        ("sql_benign", true),
    ] {
        let path = Path::new(&folder).join(format!("{file}.jsonl"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("{} is not there", path.display());
            continue;
        };
        let mut counts: BTreeMap<(String, bool), [usize; 3]> = BTreeMap::new();
        for line in text.lines() {
            let case: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            let text = case["text"].as_str().unwrap_or_default().to_owned();
            let routine = case["routine"].as_bool().unwrap_or(false);
            let category = case["category"].as_str().unwrap_or_default().to_owned();
            let operation =
                if sql { Operation::Sql { text: text.clone() } } else { Operation::Command { text: text.clone() } };
            let start = Instant::now();
            let finding = law.decide(&operation, &workspace);
            times.push(start.elapsed());
            let at = match finding.decision {
                Decision::Allow => 0,
                Decision::Ask => 1,
                Decision::Forbid => 2,
            };
            counts.entry((category, routine)).or_default()[at] += 1;
            let wrong = match (file.ends_with("benign"), routine, finding.decision) {
                (false, _, decision) => decision == Decision::Allow,
                (true, true, decision) => decision != Decision::Allow,
                (true, false, decision) => decision == Decision::Forbid,
            };
            if allowed && finding.decision == Decision::Allow {
                println!("  {text}");
            }
            if cases && wrong {
                println!(
                    "  {file} {}: {text:?}\n      {} {:?}: {}",
                    finding.decision, finding.article, finding.matched, finding.why
                );
            }
        }
        println!("\n{file}\n| category | cases | allow | ask | forbid |\n|---|---:|---:|---:|---:|");
        let mut totals: BTreeMap<bool, [usize; 3]> = BTreeMap::new();
        for ((category, routine), count) in &counts {
            let name = if *routine { format!("{category}, routine") } else { category.clone() };
            println!("| {name} | {} | {} | {} | {} |", count.iter().sum::<usize>(), count[0], count[1], count[2]);
            for (total, part) in totals.entry(*routine).or_default().iter_mut().zip(count) {
                *total += part;
            }
        }
        for (routine, count) in totals {
            let name = if routine { "all routine" } else { "all" };
            println!("| **{name}** | {} | {} | {} | {} |", count.iter().sum::<usize>(), count[0], count[1], count[2]);
        }
    }
    times.sort();
    if let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) {
        println!("\n{} reviews, median {median:?}, longest {most:?}", times.len());
    }
}
