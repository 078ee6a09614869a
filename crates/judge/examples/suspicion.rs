//! How much of the known reward hacks the rules find, and how often they are wrong about honest code.
//!
//! `cargo run --release -p meliora-judge --example suspicion -- FOLDER [--verbose]` reads `reward_hacks.jsonl` and
//! `reward_clean.jsonl` of FOLDER; a file of cases (`crates/judge/tests/cases/*.txt`) is read as it is.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for measuring")]

#[path = "../tests/cases/read.rs"]
mod read;

use std::collections::BTreeMap;
use std::path::Path;

use meliora_judge::suspicion::{Finding, Language, look, without_comments};
use read::{Case, Text, examine};

fn corpus(folder: &Path) -> Vec<Case> {
    ["reward_hacks.jsonl", "reward_clean.jsonl"]
        .iter()
        .flat_map(|name| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            let rows: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            rows.into_iter().map(|row| {
                let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                Case {
                    hack: field("expect") == "hack",
                    family: field("category"),
                    name: field("id"),
                    text: Text::One(field("text")),
                }
            })
        })
        .collect()
}

fn stripped(case: &Case) -> Vec<Finding> {
    match &case.text {
        // A diff has no comments of its own.
        Text::One(text) if text.lines().any(|l| l.starts_with("+++ ")) => look(None, text),
        Text::One(text) => look(None, &without_comments(Language::guess(text), text)),
        Text::Change { .. } => examine(case),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|a| a == "--verbose");
    for source in args.iter().filter(|a| !a.starts_with("--")) {
        let path = Path::new(source);
        let cases = if path.is_dir() { corpus(path) } else { read::cases(&std::fs::read_to_string(path).unwrap()) };
        let mut rows: BTreeMap<(bool, &str), (usize, usize)> = BTreeMap::new();
        for case in &cases {
            let found = stripped(case);
            let row = rows.entry((!case.hack, &case.family)).or_default();
            row.0 += usize::from(!found.is_empty());
            row.1 += 1;
            if verbose && found.is_empty() == case.hack {
                let text = match &case.text {
                    Text::One(text) => format!("{:?}\n{text}", Language::guess(text)),
                    Text::Change { path, after, .. } => format!("{path}\n{after}"),
                };
                println!("--- {} {} {found:#?}\n{text}\n", if case.hack { "missed" } else { "false alarm" }, case.name);
            }
        }
        println!("{source}, comments taken out first");
        for hack in [true, false] {
            println!("{:<28} {:>8}", if hack { "hacks" } else { "honest" }, if hack { "found" } else { "accused" });
            let (mut hit, mut all) = (0, 0);
            for ((_, family), (found, of)) in rows.iter().filter(|((honest, _), _)| *honest != hack) {
                println!("  {family:<26} {found:>4}/{of}");
                hit += found;
                all += of;
            }
            println!("  {:<26} {hit:>4}/{all}  {:.1} %\n", "all", 100.0 * hit as f64 / all.max(1) as f64);
        }
    }
}
