//! Which candidate comes first.
//!
//! Weight = suspicion of the line × prior of the family × what the failures speak for ÷ how far it is from what is there × Zipf's law over the family's
//! candidates of that line. The last factor deals the candidates out in turn between lines and families.

use std::collections::{BTreeMap, BTreeSet};

use super::localise::Suspicion;
use super::prior::{Family, diminish};
use super::sketch::Candidate;
use super::tree::{Ast, Id, Kind};

/// The file's candidates with their weights, heaviest first, each resulting text once.
pub(super) fn rank(ast: &Ast, text: &str, candidates: Vec<Candidate>, suspicion: &Suspicion) -> Vec<(f64, Candidate)> {
    let mut groups: BTreeMap<(Id, Family), Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        groups.entry((candidate.statement, candidate.family)).or_default().push(candidate);
    }
    let mut ranked: Vec<(f64, Candidate)> = Vec::new();
    for ((statement, family), mut group) in groups {
        group.sort_by(|a, b| a.cost.total_cmp(&b.cost).then_with(|| a.text.len().cmp(&b.text.len())));
        let line = weight_of(ast, statement, family, suspicion) * suspicion.lean(family);
        let mut seen = BTreeSet::new();
        let mut nth = 0;
        for candidate in group {
            if !seen.insert(essence(text, &candidate)) {
                continue;
            }
            // Below 0 something speaks for just this edit.
            let cost = f64::from(candidate.cost);
            let near = if cost < 0.0 { 1.0 - 0.5 * cost } else { 1.0 / (1.0 + 0.25 * cost) };
            ranked.push((line * family.prior() * near * diminish(family, nth), candidate));
            nth += 1;
        }
    }
    ranked.sort_by(|a, b| {
        let place = |c: &Candidate| (c.start, c.end, c.family);
        b.0.total_cmp(&a.0).then_with(|| place(&a.1).cmp(&place(&b.1))).then_with(|| a.1.text.cmp(&b.1.text))
    });
    let mut seen = BTreeSet::new();
    ranked.retain(|(_, candidate)| match essence(text, candidate) {
        Some(essence) => seen.insert(essence),
        None => false,
    });
    ranked
}

fn weight_of(ast: &Ast, statement: Id, family: Family, suspicion: &Suspicion) -> f64 {
    let own = suspicion.weight(ast.own_rows(statement));
    if !matches!(
        family,
        Family::Insert | Family::InsertReturn | Family::Guard | Family::Skip | Family::Move | Family::Indent
    ) {
        return own;
    }
    // What is missing was not run: its neighbours speak for it.
    let block = ast.nodes[statement].parent;
    let siblings = &ast.nodes[block].items;
    let nth = siblings.iter().position(|s| *s == statement).unwrap_or(0);
    let before = nth.checked_sub(1).map(|n| siblings[n]);
    let owner = Some(ast.nodes[block].parent).filter(|o| !matches!(ast.nodes[*o].kind, Kind::Function | Kind::Module));
    let around = before.into_iter().chain(owner).map(|id| suspicion.weight(ast.own_rows(id)));
    around.fold(own, f64::max)
}

/// The edit without what it shares with the text at both ends: equal for edits with equal results. `None` if nothing is left.
pub(super) fn essence(text: &str, candidate: &Candidate) -> Option<(usize, usize, String)> {
    let (start, end) = (candidate.start, candidate.end);
    let old = text.as_bytes();
    let new = |n: usize| match candidate.text.as_bytes().get(n) {
        Some(byte) => Some(*byte),
        None => old.get(end + n - candidate.text.len()).copied(),
    };
    // What stays equal from the edit's start on, into the text after it if need be.
    let mut head = 0;
    while let (Some(a), Some(b)) = (old.get(start + head), new(head)) {
        if *a != b {
            break;
        }
        head += 1;
    }
    if start + head == old.len() && new(head).is_none() {
        return None;
    }
    let from = start + head;
    let (old_len, new_len) = (old.len(), old.len() - (end - start) + candidate.text.len());
    // What stands after the edit stays: only what is left of it may be shared beyond.
    let mut tail = (old_len - end).min(old_len - from).min(new_len - from);
    let last = |n: usize| new(new_len - 1 - n - start);
    while from + tail < old_len && from + tail < new_len && last(tail) == Some(old[old_len - 1 - tail]) {
        tail += 1;
    }
    let made: Vec<u8> = (from - start..new_len - tail - start).filter_map(new).collect();
    Some((from, old_len - tail, String::from_utf8_lossy(&made).into_owned()))
}
