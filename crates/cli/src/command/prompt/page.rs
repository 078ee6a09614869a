//! The newest run of a prompt as one page that needs nothing else: each row before and after, the words that changed, the cost.
//!
//! The page is fixed; what is known stands in it as one JSON value. Nothing of it is markup: prompts and answers come from
//! models, and are only ever set as text.

use std::collections::BTreeMap;
use std::path::Path;

use meliora_domain::{Cost, Event, Genome, Mark, Scorecard, Split, VariantId};
use meliora_evolve::{Archive, Lineage, lineage_of};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::page;
use crate::printer::Printer;
use crate::project::archive_to_read;

const PAGE: &str = include_str!("page.html");
/// Longest text of one file that is compared, in bytes.
const LONGEST: usize = 1 << 20;

/// Writes it.
pub fn report(dir: &Path, file: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(dir)?;
    let lineage = lineage_of(&archive)?;
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = whole.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    page::write(PAGE, &data(&archive, &lineage, &name)?, file, printer)?;
    Ok(Exit::Done)
}

fn data(archive: &dyn Archive, lineage: &Lineage, name: &str) -> Result<Value, Failure> {
    let (Some(run), Some(baseline), Some(champion)) = (&lineage.run, lineage.baseline(), lineage.champion()) else {
        return Err(Failure::new(Exit::Configuration, "the newest run has not examined its baseline yet")
            .hint("`meliora prompt optimize` goes on with it"));
    };
    let card = |id: &VariantId| -> Result<Option<Scorecard>, Failure> {
        let cards = meliora_evolve::scorecards(archive, id, &run.plan.evaluator)?;
        let whole = cards.iter().rev().find(|card| card.part_of == 0).cloned();
        Ok(whole.or_else(|| cards.last().cloned()))
    };
    let (before, after) = (card(&baseline.id)?, card(&champion.id)?);
    let (steps, sealed) = told(archive)?;
    let sealed_of = |id: &VariantId| sealed.get(id).filter(|card| card.evaluator == run.plan.evaluator);
    let marks = |card: Option<&Scorecard>, sealed: Option<&Scorecard>| -> Vec<Mark> {
        card.into_iter().chain(sealed).flat_map(|card| card.marks.iter().cloned()).collect()
    };
    let was = marks(before.as_ref(), sealed_of(&baseline.id));
    let now = marks(after.as_ref(), sealed_of(&champion.id));
    let mut order: Vec<&Mark> = was.iter().chain(now.iter().filter(|m| was.iter().all(|w| w.task != m.task))).collect();
    order.sort_by_key(|mark| mark.split);
    let cell = |mark: Option<&Mark>| mark.map(|m| json!({ "status": m.status, "score": m.score, "detail": m.detail }));
    let rows: Vec<Value> = order
        .iter()
        .map(|mark| {
            let of = |marks: &[Mark]| cell(marks.iter().find(|m| m.task == mark.task));
            json!({ "task": mark.task, "split": mark.split, "before": of(&was), "after": of(&now) })
        })
        .collect();
    let means: Vec<Value> = [Split::Train, Split::Validation, Split::Holdout]
        .iter()
        .filter_map(|split| {
            let mean = |card: Option<&Scorecard>| card.and_then(|card| card.mean(*split));
            let sealed = |id| mean(sealed_of(id));
            let pair = match split {
                Split::Holdout => (sealed(&baseline.id), sealed(&champion.id)),
                _ => (mean(before.as_ref()), mean(after.as_ref())),
            };
            (pair.0.is_some() || pair.1.is_some()).then(|| json!([split, pair.0, pair.1]))
        })
        .collect();
    let (old, new) = (archive.load(&baseline.id)?, archive.load(&champion.id)?);
    let judgement = meliora_evolve::judgement(archive, &champion.id)?.map(|judgement| judgement.figures());
    let spent = run.charged();
    let attempts: Vec<Value> = steps
        .iter()
        .map(|(id, cost)| {
            let node = lineage.find(id).map(|index| lineage.node(index));
            json!({
                "id": id.short().to_string(), "reason": node.map(|n| n.reason.clone()), "score": node.and_then(|n| n.score),
                "verdict": node.and_then(|n| n.verdict).map(|verdict| verdict.to_string()),
                "tokens": cost.tokens, "usd": cost.usd.usd(),
            })
        })
        .collect();
    Ok(json!({
        "name": name, "baseline": baseline.id.short().to_string(), "champion": champion.id.short().to_string(),
        "improved": run.champion != run.baseline, "proposers": run.plan.arms.iter().map(|arm| &arm.kind).collect::<Vec<_>>(),
        "models": run.plan.arms.iter().filter_map(|arm| arm.model.as_ref()).collect::<Vec<_>>(),
        "evidence": judgement, "grounds": champion.grounds, "means": means, "rows": rows, "files": words(&old, &new),
        "attempts": attempts,
        "cost": {
            "evals": spent.evals, "tokens": spent.tokens, "usd": spent.usd.usd(), "seconds": run.busy_millis as f64 / 1000.0,
            "attempts": run.attempts, "accepted": run.accepted, "unusable": run.unusable,
        },
    }))
}

/// What each examined variant of the newest run cost, in their order, and the newest openings of the holdout.
type Told = (Vec<(VariantId, Cost)>, BTreeMap<VariantId, Scorecard>);

fn told(archive: &dyn Archive) -> Result<Told, Failure> {
    let (mut bids, mut steps) = (BTreeMap::new(), Vec::new());
    let mut sealed = BTreeMap::new();
    archive.replay(0, &mut |recorded| {
        match recorded.event {
            Event::RunStarted(_) => {
                bids.clear();
                steps.clear();
            }
            Event::Bid(attempt) => {
                bids.insert(attempt.step, attempt.cost);
            }
            Event::Admitted { step, variant, .. } => {
                steps.push((variant, bids.remove(&step).unwrap_or(Cost::ZERO)));
            }
            Event::HoldoutOpened { variant, scorecard } => {
                sealed.insert(variant, scorecard);
            }
            _ => {}
        }
        true
    })?;
    Ok((steps, sealed))
}

/// The texts of all files, word by word: `=` for what stayed, `-` for what went, `+` for what came.
fn words(before: &Genome, after: &Genome) -> Vec<Value> {
    let mut paths: Vec<_> = before.files().chain(after.files()).map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    let text = |genome: &Genome, path| match genome.get(path) {
        Some(body) => body.text().map(str::to_owned),
        None => Some(String::new()),
    };
    let one = |path| {
        let parts = match (text(before, path), text(after, path)) {
            (Some(a), Some(b)) if a.len().max(b.len()) <= LONGEST => parts(&a, &b),
            (a, b) if a == b => vec![("=".to_owned(), "(not shown)".to_owned())],
            _ => vec![("+".to_owned(), "(differs; not shown)".to_owned())],
        };
        json!({ "path": path.to_string(), "parts": parts })
    };
    paths.into_iter().map(one).collect()
}

fn parts(before: &str, after: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        let tag = match change.tag() {
            ChangeTag::Equal => "=",
            ChangeTag::Delete => "-",
            ChangeTag::Insert => "+",
        };
        match parts.last_mut().filter(|(last, _)| last == tag) {
            Some((_, text)) => text.push_str(change.value()),
            None => parts.push((tag.to_owned(), change.value().to_owned())),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_compared_word_by_word_and_both_texts_are_in_what_is_told() {
        let (old, new) = ("Fix the Python bug.\n", "Fix the Python bug. Answer with code alone.\n");
        let parts = parts(old, new);
        assert!(parts.iter().any(|(tag, text)| tag == "+" && text.contains("Answer with code alone.")), "{parts:?}");
        let side = |sign: &str| -> String {
            parts.iter().filter(|(tag, _)| tag == "=" || tag == sign).map(|(_, text)| text.as_str()).collect()
        };
        assert_eq!((side("-").as_str(), side("+").as_str()), (old, new));
    }

    #[test]
    fn the_page_stands_alone() {
        page::check(PAGE);
    }
}
