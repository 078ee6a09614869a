//! The measure of the operators: textbook programs with one line broken, and where among the candidates its repair stands.

mod behaviour;
mod honest;
mod javascript;
mod numbers;
mod python;
mod rust;

use super::deck::candidates;
use super::language::Lang;
use super::localise::Suspicion;
use super::render::after;
use super::tree::Ast;

/// A program, a part of it that stands there once, and the slip that takes its place.
struct Slip {
    name: &'static str,
    program: &'static str,
    right: &'static str,
    wrong: &'static str,
    /// Other texts in the slip's place that mean the same as the right one.
    same: &'static [&'static str],
}

const fn slip(name: &'static str, program: &'static str, right: &'static str, wrong: &'static str) -> Slip {
    Slip { name, program, right, wrong, same: &[] }
}

/// Text without blanks inside lines: what is written with other spaces is the same.
fn squeezed(text: &str) -> String {
    text.lines()
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            format!("{indent}{}\n", line.split_whitespace().collect::<String>())
        })
        .collect()
}

/// Place of the repair among the candidates (from 1) when nothing is known of the lines, and their number.
fn place(lang: Lang, slip: &Slip) -> (Option<usize>, usize) {
    assert_eq!(slip.program.matches(slip.right).count(), 1, "{}: the right text must stand there once", slip.name);
    let broken = slip.program.replacen(slip.right, slip.wrong, 1);
    let wanted: Vec<String> = std::iter::once(&slip.right)
        .chain(slip.same)
        .map(|right| squeezed(&slip.program.replacen(slip.right, right, 1)))
        .collect();
    let ast = Ast::parse(lang, &broken).unwrap();
    let ranked = candidates(&ast, &broken, &Suspicion::of("", &[]));
    let found = ranked.iter().position(|(_, c)| wanted.contains(&squeezed(&after(&broken, c))));
    (found.map(|n| n + 1), ranked.len())
}

/// Every slip is repaired within `within` candidates, and half of them within `median`.
fn measure(lang: Lang, slips: &[Slip], within: usize, median: usize) {
    let mut places = Vec::new();
    let mut late = Vec::new();
    for slip in slips {
        let (found, of) = place(lang, slip);
        println!("{:>6} of {of:>6}  {}", found.map_or("-".to_owned(), |n| n.to_string()), slip.name);
        places.push(found.unwrap_or(usize::MAX));
        if found.is_none_or(|n| n > within) {
            late.push(slip.name);
        }
    }
    places.sort_unstable();
    let logs = places.iter().map(|n| (*n.min(&100_000) as f64).ln()).sum::<f64>() / places.len() as f64;
    println!("typical {:.1}", logs.exp());
    println!("median {}, last {}", places[places.len() / 2], places[places.len() - 1]);
    assert!(late.is_empty(), "not within {within}: {late:?}");
    assert!(places[places.len() / 2] <= median, "the median is {}", places[places.len() / 2]);
}
