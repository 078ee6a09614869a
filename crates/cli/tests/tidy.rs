//! The house rules that a machine can check: arrows, charters, sizes.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

/// Which rooms each room may know. The picture in ARCHITECTURE.md shows the same.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("prompt", &["domain"]),
    ("judge", &["domain"]),
    ("constitution", &["domain"]),
    ("benchmark", &["domain", "prompt"]),
    ("evolve", &["domain", "prompt", "judge", "constitution", "benchmark"]),
    ("llm", &["domain", "evolve"]),
    ("propose", &["domain", "prompt", "evolve", "llm"]),
    ("sandbox", &["domain", "evolve"]),
    ("store", &["domain", "evolve"]),
    ("serve", &["domain", "evolve"]),
    (
        "cli",
        &[
            "domain",
            "prompt",
            "judge",
            "constitution",
            "benchmark",
            "evolve",
            "llm",
            "propose",
            "sandbox",
            "store",
            "serve",
        ],
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut out = Vec::new();
    for (room, _) in ARROWS {
        sources(&crates().join(room).join("src"), &mut out);
    }
    out
}

#[test]
fn rooms_know_only_the_rooms_below_them() {
    for (room, below) in ARROWS {
        let text = std::fs::read_to_string(crates().join(room).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        for name in manifest["dependencies"].as_table().unwrap().keys() {
            if let Some(other) = name.strip_prefix("meliora-") {
                assert!(below.contains(&other), "{room} may not know {other}");
            }
        }
    }
    let rooms = std::fs::read_dir(crates()).unwrap().count();
    assert_eq!(rooms, ARROWS.len(), "a room is missing from ARROWS");
}

#[test]
fn every_module_opens_with_its_charter() {
    for path in all_sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no charter", path.display());
    }
}

#[test]
fn no_file_outgrows_500_lines_without_its_tests() {
    let of_tests = |p: &PathBuf| p.components().any(|c| matches!(c.as_os_str().to_str(), Some("tests" | "tests.rs")));
    for path in all_sources().into_iter().filter(|p| !of_tests(p)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().count();
        assert!(lines <= 500, "{} has {lines} lines before its tests", path.display());
    }
}

#[test]
fn the_library_never_prints_and_never_reads_the_environment() {
    let mut seen = 0;
    for path in all_sources() {
        let inside = path.strip_prefix(crates()).unwrap();
        let tests = inside.components().any(|c| c.as_os_str() == "tests" || c.as_os_str() == "tests.rs");
        if inside.starts_with("cli") || tests {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in ["println!(", "eprintln!(", "env::var"] {
            let used = code.lines().any(|l| l.contains(word) && !l.trim_start().starts_with("//"));
            assert!(!used, "{} uses {word}", path.display());
        }
    }
    assert!(seen > 100, "only {seen} files were looked at");
}
