//! Second thoughts: how functions stood before changes that mended something and not all of it.
//!
//! A change after which some tests of a function pass and others still fail is seldom a step on the way. Mostly it hides the
//! fault from a few tests, and stands in the way of the edit that would have mended all. Such a function is also mutated as
//! it stood before, so that an edit can take the place of the change. A function that no failing test runs is mended; what
//! was done to it is left alone.

use std::collections::BTreeSet;

use meliora_domain::{Feedback, GenomePath};
use meliora_evolve::Brief;

use super::tree::Ast;

/// A file as it stood before the changes that are in doubt.
pub(super) struct Before<'a> {
    pub(super) text: String,
    /// What the train tasks told of it, or of the parent if it never stood so.
    pub(super) feedback: &'a [Feedback],
}

/// The file of the parent as it stood before, if changes to it are in doubt.
pub(super) fn before<'a>(brief: &Brief<'a>, path: &GenomePath, text: &str, ast: &Ast) -> Option<Before<'a>> {
    let failing: BTreeSet<u32> = brief
        .feedback
        .iter()
        .filter(|f| !f.passed)
        .filter_map(|f| f.lines.get(path.as_str()))
        .flatten()
        .copied()
        .collect();
    let stood = |a: &'a meliora_evolve::Ancestor| a.genome.get(path).and_then(|body| body.text());
    // Where nothing is known of the lines, only the last change is in doubt.
    let known = brief.feedback.iter().any(|f| !f.passed && !f.lines.is_empty());
    let line = if known { brief.ancestors } else { &brief.ancestors[..brief.ancestors.len().min(1)] };
    let (first, told) = line.iter().rev().find_map(|a| Some((stood(a)?, &a.feedback)))?;
    // A change may also keep a failing task away from the function that it was to mend.
    let still: BTreeSet<&str> = brief.feedback.iter().filter(|f| !f.passed).map(|f| f.task.0.as_str()).collect();
    let failed: BTreeSet<u32> = told
        .iter()
        .filter(|f| still.contains(f.task.0.as_str()))
        .filter_map(|f| f.lines.get(path.as_str()))
        .flatten()
        .copied()
        .collect();
    let first_ast = Ast::parse(ast.lang, first)?;
    let (old, new): (Vec<&str>, Vec<&str>) =
        (first.split_inclusive('\n').collect(), text.split_inclusive('\n').collect());
    let mut taken_back = String::new();
    let mut at = 0;
    for (was, is) in hunks(&old, &new) {
        new[at..is.0].iter().for_each(|l| taken_back.push_str(l));
        let doubt = !known || in_doubt(ast, &failing, is) || in_doubt(&first_ast, &failed, was);
        let lines = if doubt { &old[was.0..was.1] } else { &new[is.0..is.1] };
        lines.iter().for_each(|l| taken_back.push_str(l));
        at = is.1;
    }
    new[at..].iter().for_each(|l| taken_back.push_str(l));
    if taken_back == text {
        return None;
    }
    let feedback =
        brief.ancestors.iter().find(|a| stood(a) == Some(&taken_back)).map_or(brief.feedback, |a| &a.feedback);
    Some(Before { text: taken_back, feedback })
}

/// Whether failing tests run the function in which these lines (from 0, the end not included) stand.
fn in_doubt(ast: &Ast, failing: &BTreeSet<u32>, (from, to): (usize, usize)) -> bool {
    // Where there is no line, the one before tells: a line may be put at the end of a function.
    let from = if from == to { from.saturating_sub(1) } else { from };
    let last = to.saturating_sub(1).max(from);
    // The innermost node of these lines tells the function.
    let around = ast.ids().rfind(|id| ast.nodes[*id].row <= from && last <= ast.nodes[*id].last_row);
    let Some(definition) = around.and_then(|id| ast.definition(id)) else { return !failing.is_empty() };
    let node = &ast.nodes[definition];
    // The head of a function runs when the file is loaded.
    let body = node.c.map_or(node.row, |c| ast.nodes[c].row.max(node.row + 1));
    failing.range(body as u32 + 1..=node.last_row as u32 + 1).next().is_some()
}

type Span = (usize, usize);

/// Differences beyond this many pairs of lines are taken as one.
const MOST_PAIRS: usize = 4_000_000;

/// Where two texts differ, as ranges of lines of each (from 0, the ends not included), by their longest common subsequence.
fn hunks(old: &[&str], new: &[&str]) -> Vec<(Span, Span)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    if a.len() * b.len() > MOST_PAIRS {
        return vec![((head, head + a.len()), (head, head + b.len()))];
    }
    // Lengths of the common subsequences of what follows.
    let width = b.len() + 1;
    let mut common = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i * width + j] = if a[i] == b[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found: Vec<(Span, Span)> = Vec::new();
    let (mut from, mut open) = ((0, 0), false);
    loop {
        let same = i < a.len() && j < b.len() && a[i] == b[j];
        let end = i == a.len() && j == b.len();
        if (same || end) && open {
            found.push(((head + from.0, head + i), (head + from.1, head + j)));
            open = false;
        }
        if end {
            return found;
        }
        if same {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if !open {
            (from, open) = ((i, j), true);
        }
        if j == b.len() || i < a.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        text.split_inclusive('\n').collect()
    }

    #[test]
    fn differences_are_found_line_by_line() {
        let (old, new) = (lines("a\nb\nc\nd\ne\n"), lines("a\nB\nc\ne\nf\n"));
        assert_eq!(hunks(&old, &new), [((1, 2), (1, 2)), ((3, 4), (3, 3)), ((5, 5), (4, 5))]);
        assert_eq!(hunks(&old, &old), []);
        assert_eq!(hunks(&[], &lines("x\n")), [((0, 0), (0, 1))]);
    }
}
