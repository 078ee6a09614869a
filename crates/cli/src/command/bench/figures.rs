//! The figures of a benchmark: accuracy with its interval, and of prompts pass@k, and what the calls took.

use std::collections::BTreeMap;

use meliora_benchmark::Scope;
use meliora_domain::{Genome, Mark, MarkStatus, Scorecard, Split, TaskId, counted};
use meliora_evolve::{Examiner, NO_ANSWER, Student, Tally};
use meliora_judge::{pass_at, subsets, wilson};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, FAINT, Printer, paint, table};
use crate::project::Project;

/// Intervals are at 95 % confidence.
const ALPHA: f64 = 0.05;
/// So many of all rows without an answer are few: one in twenty.
const FEW: f64 = 0.05;
/// The numbers of tries that are told, beside that of all.
const TRIES: [u64; 4] = [1, 5, 10, 100];

/// What part of a split's rows is right.
struct Accuracy {
    split: Split,
    rows: u64,
    passed: u64,
    missing: u64,
    score: f64,
    /// Of the score.
    interval: Option<(f64, f64)>,
}

/// Of each split that the card holds. Rows that the model gave no answer to count neither way.
fn of(card: &Scorecard) -> Vec<Accuracy> {
    let splits = [Split::Train, Split::Validation, Split::Holdout];
    let one = |split: Split| {
        let (counted, missing): (Vec<&Mark>, Vec<&Mark>) =
            card.of(split).partition(|mark| mark.status != MarkStatus::Missing);
        let scores: Vec<f64> = counted.iter().map(|mark| mark.score).collect();
        let passed = counted.iter().filter(|mark| mark.status == MarkStatus::Passed).count() as u64;
        let rows = counted.len() as u64;
        let whole = scores.iter().all(|score| *score == 0.0 || *score == 1.0);
        let interval = if whole { wilson(passed, rows, ALPHA) } else { subsets(&scores, ALPHA, 0) };
        let score = scores.iter().sum::<f64>() / rows.max(1) as f64;
        let missing = missing.len() as u64;
        (rows + missing > 0).then_some(Accuracy { split, rows, passed, missing, score, interval })
    };
    splits.into_iter().filter_map(one).collect()
}

/// Where the true mean of a split's marks lies, at 95 % confidence; `None` where that cannot be told.
pub fn interval(card: &Scorecard, split: Split) -> Option<(f64, f64)> {
    of(card).into_iter().find(|accuracy| accuracy.split == split)?.interval
}

/// The accuracies of cards, as data.
pub fn accuracies(cards: &[Option<&Scorecard>]) -> Value {
    let all = cards.iter().flatten().flat_map(|card| of(card));
    let rows = all.map(|a| {
        json!({
            "split": a.split, "rows": a.rows, "passed": a.passed, "missing": a.missing, "score": a.score,
            "interval": a.interval,
        })
    });
    Value::Array(rows.collect())
}

/// What calls took, as data: tokens, dollars, and seconds of a call at the median and at the 95th of a hundred.
pub fn calls(tally: &Tally) -> Value {
    json!({
        "calls": tally.seconds.len(), "tokens_read": tally.read, "tokens_written": tally.written,
        "calls_with_estimated_tokens": tally.estimated, "usd": tally.usd.usd(),
        "seconds_median": quantile(&tally.seconds, 0.5), "seconds_p95": quantile(&tally.seconds, 0.95),
    })
}

/// Says how many rows the model gave no answer to, and why; the code that a benchmark then ends with.
pub fn answered(cards: &[Option<&Scorecard>], timeout: f64, printer: &Printer) -> Exit {
    let marks: Vec<&Mark> = cards.iter().flatten().flat_map(|card| &card.marks).collect();
    let lost = |mark: &&&Mark| mark.status == MarkStatus::Missing && mark.detail.starts_with(NO_ANSWER);
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for mark in marks.iter().filter(lost) {
        *causes.entry(mark.detail.lines().next().unwrap_or_default()).or_default() += 1;
    }
    let rows: usize = causes.values().sum();
    if rows == 0 {
        return Exit::Done;
    }
    let told: Vec<String> = causes.iter().map(|(cause, n)| format!("{n} × {cause}")).collect();
    printer.warn(format!(
        "{rows} of {} have no answer and count neither way: {}",
        counted(marks.len(), "row"),
        told.join("; ")
    ));
    printer.talk(format!(
        "hint: `[model] timeout_seconds` is {timeout}; if the server is slow, raise it, or lower `[student] at_once`. Answers at \
         temperature 0 are kept, so the same command asks for the rest alone"
    ));
    if rows as f64 > FEW * marks.len() as f64 { Exit::Unanswered } else { Exit::Done }
}

/// Prints both.
pub fn print(cards: &[Option<&Scorecard>], tally: &Tally, printer: &Printer) {
    for a in cards.iter().flatten().flat_map(|card| of(card)) {
        let between =
            a.interval.map(|(low, high)| format!(", {:.1} to {:.1} % at 95 % confidence", 100.0 * low, 100.0 * high));
        let missing = match a.missing {
            0 => String::new(),
            some => format!("; {some} rows without an answer aside"),
        };
        printer.data(format!(
            "{} {:.1} % ({} of {} right{}){missing}",
            paint(BOLD, format!("{} accuracy", a.split)),
            100.0 * a.score,
            a.passed,
            a.rows,
            between.unwrap_or_default()
        ));
    }
    print_calls(tally, printer);
}

fn print_calls(tally: &Tally, printer: &Printer) {
    if tally.seconds.is_empty() {
        return;
    }
    let estimated = match tally.estimated {
        0 => String::new(),
        some => format!(" (estimated in {some} calls)"),
    };
    printer.data(format!(
        "{} calls: {} tokens read, {} written{estimated}, {}; {:.2} s a call at the median, {:.2} s at the 95th of a hundred",
        tally.seconds.len(),
        tally.read,
        tally.written,
        tally.usd,
        quantile(&tally.seconds, 0.5),
        quantile(&tally.seconds, 0.95)
    ));
}

/// The value at this part of them in order; 0 of none.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Whether samples of answers can tell anything.
pub fn can_be_sampled(project: &Project) -> Result<(), Failure> {
    if project.suite.prompts().is_none() {
        return Err(Failure::new(Exit::Usage, "only answers of models are sampled, and this suite is none of prompts")
            .hint("`--aa N` examines other work several times"));
    }
    if project.config.student.temperature <= 0.0 {
        return Err(Failure::new(Exit::Usage, "at temperature 0 every sample is the same")
            .hint("set `[student] temperature`, such as 0.8"));
    }
    Ok(())
}

/// Examines so many times with seeds of their own, and tells pass@k.
pub fn samples(
    times: u32,
    genome: &Genome,
    examiner: &Examiner<'_>,
    (student, timeout): (&Student<'_>, f64),
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut tries: BTreeMap<(Split, TaskId), (u64, u64)> = BTreeMap::new();
    let mut cards = Vec::new();
    for seed in 0..u64::from(times) {
        let scope = Scope { splits: &[Split::Train, Split::Validation], seed, ..Scope::default() };
        let card = examiner.card(genome, &scope)?;
        for mark in card.marks.iter().filter(|mark| mark.status != MarkStatus::Missing) {
            let (made, passed) = tries.entry((mark.split, mark.task.clone())).or_default();
            *made += 1;
            *passed += u64::from(mark.status == MarkStatus::Passed);
        }
        printer.talk(format!("sample {} of {times}", seed + 1));
        cards.push(card);
    }
    let exit = answered(&cards.iter().map(Some).collect::<Vec<_>>(), timeout, printer);
    let mut ks: Vec<u64> = TRIES.into_iter().filter(|k| *k < u64::from(times)).collect();
    ks.push(times.into());
    let (mut rows, mut data) = (Vec::new(), Vec::new());
    for split in [Split::Train, Split::Validation] {
        for k in &ks {
            let of = tries.iter().filter(|((s, _), _)| *s == split);
            let rates: Vec<f64> = of.filter_map(|(_, (n, c))| pass_at(*n, *c, *k)).collect();
            if rates.is_empty() {
                continue;
            }
            let mean = rates.iter().sum::<f64>() / rates.len() as f64;
            let interval = subsets(&rates, ALPHA, 0);
            let between = interval.map_or_else(String::new, |(low, high)| format!("{low:.4} to {high:.4}"));
            let count = rates.len().to_string();
            rows.push(vec![split.to_string(), format!("pass@{k}"), format!("{mean:.4}"), between, count]);
            data.push(json!({ "split": split, "k": k, "pass": mean, "interval": interval, "rows": rates.len() }));
        }
    }
    if printer.json() {
        let tally = calls(&student.tally());
        printer.object(&json!({ "event": "samples", "samples": times, "pass_at": data, "calls": tally }));
        return Ok(exit);
    }
    for line in table(&["split", "figure", "mean", "at 95 % confidence", "rows"], &rows) {
        printer.data(line);
    }
    print_calls(&student.tally(), printer);
    printer
        .data(paint(FAINT, format!("{times} samples of each row, each with a seed of its own; pass@k without bias")));
    Ok(exit)
}
