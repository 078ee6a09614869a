//! `meliora show`: one variant.

use std::path::Path;

use meliora_domain::{Event, Mark, MarkStatus};
use meliora_evolve::{Archive as _, lineage_of};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint, table};
use crate::project::{archive_to_read, resolve};

/// Prints where a variant comes from, its marks and its diff.
pub fn show(id: &str, dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(dir)?;
    let lineage = lineage_of(&archive)?;
    let id = resolve(&archive, &lineage, id)?;
    let events = archive.about(&id)?;
    if printer.json() {
        for event in &events {
            printer.object(event);
        }
        return Ok(Exit::Done);
    }
    let Some(node) = lineage.find(&id).map(|i| lineage.node(i)) else {
        return Err(meliora_evolve::ArchiveError::NoVariant(id.to_string()).into());
    };
    printer.data(format!("{} {id}", paint(BOLD, "variant")));
    printer.data(format!("run {}, step {}", node.run, node.step));
    for parent in &node.parents {
        printer.data(format!("parent {}", lineage.node(*parent).id));
    }
    if !node.reason.is_empty() {
        printer.data(format!("why     {}", node.reason));
    }
    let verdict = node.verdict.map_or("baseline".to_owned(), |v| v.to_string());
    printer.data(format!("verdict {verdict}{}{}", if node.grounds.is_empty() { "" } else { ": " }, node.grounds));
    for alarm in &node.alarms {
        printer.data(format!("alarm   {} {}: {}", paint(NOTE, &alarm.rule), alarm.place, alarm.words));
    }
    if node.tainted {
        printer.data(paint(NOTE, "        something that it was bred from is suspect"));
    }
    if let Some(word) = &node.cleared {
        printer.data(format!("cleared by key {}: {}", word.key, word.reason));
    } else if node.verdict == Some(meliora_domain::Verdict::Suspect) {
        printer.data(paint(FAINT, format!("        `meliora clear {}` lets it go, if it is honest", node.id.short())));
    }
    let judged = events.iter().rev().find_map(|e| match &e.event {
        Event::Judged { variant, judgement, .. } if *variant == id => Some(judgement),
        _ => None,
    });
    for line in judged.into_iter().flat_map(|judgement| judgement.figures()) {
        printer.data(format!("        {line}"));
    }
    let cards = events.iter().filter_map(|e| match &e.event {
        Event::Examined { variant, scorecard, .. } if *variant == id => Some(("examined", e.at, scorecard)),
        Event::HoldoutOpened { variant, scorecard } if *variant == id => Some(("holdout opened", e.at, scorecard)),
        _ => None,
    });
    for (what, _, card) in cards {
        printer.data("");
        let seed = if card.seed == 0 { String::new() } else { format!(", seed {}", card.seed) };
        let by = card.evaluator.short();
        printer.data(paint(FAINT, format!("{what} by evaluator {by}{seed} in {:.3} s", card.seconds)));
        let rows: Vec<Vec<String>> = card.marks.iter().map(mark_row).collect();
        for line in table(&["task", "split", "mark", "detail"], &rows) {
            printer.data(line);
        }
        for (name, value) in &card.metrics {
            printer.data(format!("{name} = {value}"));
        }
    }
    if let Some(parent) = node.parents.first() {
        printer.data("");
        super::diff::print_diff(&archive.load(&lineage.node(*parent).id)?, &archive.load(&id)?, printer);
    }
    Ok(Exit::Done)
}

/// A row of a table of marks.
pub fn mark_row(mark: &Mark) -> Vec<String> {
    let detail: String = mark.detail.lines().next().unwrap_or_default().chars().take(100).collect();
    let detail = if detail.is_empty() { detail } else { paint(FAINT, detail) };
    vec![mark.task.to_string(), mark.split.to_string(), mark_cell(Some(mark)), detail]
}

/// A mark in one short cell.
pub fn mark_cell(mark: Option<&Mark>) -> String {
    let Some(mark) = mark else { return paint(FAINT, "–") };
    let score = if mark.score == 0.0 || mark.score == 1.0 { String::new() } else { format!(" {:.4}", mark.score) };
    match mark.status {
        MarkStatus::Passed => paint(GOOD, format!("✓ passed{score}")),
        MarkStatus::Failed => paint(BAD, format!("✗ failed{score}")),
        MarkStatus::Crashed => paint(BAD, "✗ crashed"),
        MarkStatus::TimedOut => paint(BAD, "✗ timed out"),
        MarkStatus::OverLimit => paint(BAD, "✗ over a limit"),
        MarkStatus::Garbled => paint(BAD, "✗ no verdict"),
        MarkStatus::Missing => paint(NOTE, "? missing"),
    }
}
