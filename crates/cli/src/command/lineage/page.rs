//! The lineage as one page that needs nothing else: `meliora lineage --html FILE`.
//!
//! The page is fixed; what is known of the run stands in it as one JSON value. Nothing of it is markup: reasons and diffs come from
//! models, and are only ever set as text.

use std::collections::BTreeMap;
use std::path::Path;

use meliora_domain::{Cost, Event, FinishReason, Genome, VariantId};
use meliora_evolve::{Archive, Lineage, NodeIndex};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::printer::Printer;

const PAGE: &str = include_str!("page.html");
/// Diffs are left out once they have taken this many bytes: a page must open in a browser.
const MOST_DIFFS: usize = 32 << 20;
/// The longest diff of one variant, in bytes.
const LONGEST_DIFF: usize = 16 << 10;
/// Unchanged lines around a change.
const CONTEXT: usize = 2;

/// Writes the page.
pub fn write(
    archive: &dyn Archive,
    lineage: &Lineage,
    name: &str,
    file: &Path,
    printer: &Printer,
) -> Result<(), Failure> {
    crate::page::write(PAGE, &data(archive, lineage, name)?, file, printer)
}

/// What the journal tells of one variant's making and examinations.
#[derive(Default)]
struct Making {
    cost: Cost,
    evals: u64,
    seconds: f64,
    /// How much it differs from its parent, and where that lies, where a test says so.
    effect: Option<(f64, (f64, f64))>,
}

fn data(archive: &dyn Archive, lineage: &Lineage, name: &str) -> Result<Value, Failure> {
    let Some(run) = &lineage.run else { return Ok(json!({})) };
    let shown: Vec<NodeIndex> = (0..lineage.nodes().len() as NodeIndex)
        .filter(|i| lineage.node(*i).run == run.number || run.baseline == Some(*i))
        .collect();
    let place: BTreeMap<NodeIndex, usize> = shown.iter().enumerate().map(|(place, index)| (*index, place)).collect();
    let (makings, crowns) = makings(archive)?;
    let mut room = MOST_DIFFS;
    let mut before: Option<(VariantId, Genome)> = None;
    let mut variants = Vec::new();
    for index in &shown {
        let node = lineage.node(*index);
        let mine = run.baseline == Some(*index);
        let parents: Vec<NodeIndex> = if mine { Vec::new() } else { node.parents.clone() };
        let mut variant = json!({
            "id": node.id.to_string(), "step": if mine { 0 } else { node.step }, "score": node.score, "reason": node.reason, "grounds": node.grounds,
            "parents": parents.iter().filter_map(|p| place.get(p)).collect::<Vec<_>>(),
        });
        let mut tell = |key: &str, value: Value| variant[key] = value;
        if !mine {
            tell("verdict", node.verdict.map_or(Value::Null, |v| json!(v.to_string())));
        }
        if let Some(making) = makings.get(&node.id) {
            tell("evals", json!(making.evals));
            tell("tokens", json!(making.cost.tokens));
            tell("usd", json!(making.cost.usd.0 as f64 / 1e6));
            tell("seconds", json!(making.seconds));
            if let (Some((effect, (low, high))), Some(score)) = (making.effect, node.score) {
                tell("interval", json!([score - effect + low, score - effect + high]));
            }
        }
        if let Some(parent) = parents.first().map(|p| lineage.node(*p).id)
            && room > 0
        {
            // Neighbours mostly have the same parent.
            let from = match before.take() {
                Some((id, genome)) if id == parent => genome,
                _ => archive.load(&parent)?,
            };
            let diff = diff(&from, &archive.load(&node.id)?);
            before = Some((parent, from));
            room = room.saturating_sub(diff.len());
            tell("diff", json!(diff));
        }
        variants.push(variant);
    }
    let crowns: Vec<&usize> = std::iter::once(run.baseline)
        .flatten()
        .chain(crowns.iter().filter_map(|id| lineage.find(id)).filter(|i| lineage.node(*i).run == run.number))
        .filter_map(|i| place.get(&i))
        .collect();
    let score = |index: Option<NodeIndex>| {
        index.and_then(|i| lineage.node(i).score).map_or("–".to_owned(), |s| format!("{s:.6}"))
    };
    let spent = run.charged();
    Ok(json!({
        "name": name, "run": run.number, "strategy": run.plan.strategy, "seed": run.plan.seed,
        "ended": run.finished.as_ref().map(ending),
        "baseline": run.baseline.and_then(|i| place.get(&i)), "champion": run.champion.and_then(|i| place.get(&i)),
        "crowns": crowns, "variants": variants,
        "figures": [
            ["score", format!("{} → {}", score(run.baseline), score(run.champion))],
            ["examinations", spent.evals.to_string()], ["attempts", run.attempts.to_string()], ["accepted", run.accepted.to_string()],
            ["refused", run.refused.to_string()], ["tried before", run.duplicates.to_string()], ["unusable", run.unusable.to_string()],
            ["tokens", spent.tokens.to_string()], ["cost", format!("${:.4}", spent.usd.0 as f64 / 1e6)],
            ["seconds", format!("{:.1}", run.busy_millis as f64 / 1000.0)],
        ],
    }))
}

fn ending(reason: &FinishReason) -> String {
    match reason {
        FinishReason::Solved => "solved".to_owned(),
        FinishReason::Budget(which) => format!("the budget of {which} was used up"),
        FinishReason::Exhausted => "the proposers had nothing more to offer".to_owned(),
        FinishReason::Superseded(why) => why.clone(),
    }
}

/// What each variant of the newest run cost, and the champions in their order.
fn makings(archive: &dyn Archive) -> Result<(BTreeMap<VariantId, Making>, Vec<VariantId>), Failure> {
    let mut steps: BTreeMap<u64, Cost> = BTreeMap::new();
    let mut makings: BTreeMap<VariantId, Making> = BTreeMap::new();
    let mut crowns = Vec::new();
    archive.replay(0, &mut |recorded| {
        match recorded.event {
            Event::RunStarted(_) => {
                steps.clear();
                crowns.clear();
            }
            Event::Bid(attempt) => {
                steps.insert(attempt.step, attempt.cost);
            }
            Event::Admitted { step, variant, .. } => {
                makings
                    .insert(variant, Making { cost: steps.remove(&step).unwrap_or(Cost::ZERO), ..Making::default() });
            }
            Event::Examined { variant, scorecard, .. } => {
                let making = makings.entry(variant).or_default();
                making.evals += 1;
                making.seconds += scorecard.seconds;
            }
            Event::Judged { variant, judgement, .. } => {
                let making = makings.entry(variant).or_default();
                making.effect = judgement.interval.map(|interval| (judgement.effect, interval)).or(making.effect);
            }
            Event::Crowned { variant, .. } => crowns.push(variant),
            _ => {}
        }
        true
    })?;
    Ok((makings, crowns))
}

/// A unified diff of the files that differ.
fn diff(before: &Genome, after: &Genome) -> String {
    let mut paths: Vec<_> = before.files().chain(after.files()).map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    let mut out = String::new();
    for path in paths {
        let (a, b) = (before.get(path), after.get(path));
        if a == b {
            continue;
        }
        let text =
            |body: Option<&meliora_domain::FileBody>| body.map_or(Some(String::new()), |f| f.text().map(str::to_owned));
        match (text(a), text(b)) {
            (Some(a), Some(b)) => {
                let told = similar::TextDiff::from_lines(&a, &b);
                out += &told
                    .unified_diff()
                    .context_radius(CONTEXT)
                    .missing_newline_hint(false)
                    .header(path.as_str(), path.as_str())
                    .to_string();
            }
            _ => out += &format!("binary file {path} differs\n"),
        }
    }
    if out.len() > LONGEST_DIFF {
        let cut = (0..=LONGEST_DIFF).rev().find(|n| out.is_char_boundary(*n)).unwrap_or(0);
        out.truncate(cut);
        out.push_str("\n… cut");
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_place_for_its_data_and_asks_no_network() {
        crate::page::check(PAGE);
    }
}
