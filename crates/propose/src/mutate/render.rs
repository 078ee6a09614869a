//! From a candidate to the change, reason and idea that a bid carries.

use meliora_domain::{Change, Digest, Edit};

use super::prior::Family;
use super::sketch::Candidate;
use super::tree::{Ast, Kind};

/// The bytes of a file that may change.
pub(crate) struct Blocks(Option<Vec<(usize, usize)>>);

impl Blocks {
    /// All of the file, or what stands between its `EVOLVE-BLOCK-START` and `EVOLVE-BLOCK-END` lines, if it has any.
    /// A block without an end reaches to the end of the file.
    pub(crate) fn of(text: &str) -> Blocks {
        if !text.contains("EVOLVE-BLOCK-START") && !text.contains("EVOLVE-BLOCK-END") {
            return Blocks(None);
        }
        let mut blocks = Vec::new();
        let mut open = None;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if line.contains("EVOLVE-BLOCK-END") {
                blocks.extend(open.take().map(|from| (from, at)));
            }
            at += line.len();
            if line.contains("EVOLVE-BLOCK-START") {
                open = Some(at);
            }
        }
        blocks.extend(open.map(|from| (from, text.len())));
        Blocks(Some(blocks))
    }

    /// Where the blocks of a text that has some begin and end, in bytes, without their markers' lines.
    pub(crate) fn spans(&self) -> &[(usize, usize)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether an edit of these bytes stays inside.
    pub(crate) fn hold(&self, start: usize, end: usize) -> bool {
        match &self.0 {
            None => true,
            Some(blocks) => blocks.iter().any(|(from, to)| *from <= start && end <= *to),
        }
    }
}

/// The file's text after the edit.
pub(super) fn after(text: &str, candidate: &Candidate) -> String {
    format!("{}{}{}", &text[..candidate.start], candidate.text, &text[candidate.end..])
}

/// The edit that makes one text of another.
pub(super) fn between(text: &str, new: &str) -> Candidate {
    let mut start = text.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut tail = text.as_bytes()[start..]
        .iter()
        .rev()
        .zip(new.as_bytes()[start..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    while !text.is_char_boundary(text.len() - tail) {
        tail -= 1;
    }
    let (end, text) = (text.len() - tail, new[start..new.len() - tail].to_owned());
    Candidate { family: Family::Replace, start, end, text, statement: 0, cost: 0.0 }
}

/// The change: the touched lines, with as many around them as it takes to stand there once.
pub(super) fn change(path: &str, text: &str, candidate: &Candidate) -> Change {
    let edit = match window(text, candidate) {
        Some((from, to)) => Edit::Replace {
            path: path.to_owned(),
            search: text[from..to].to_owned(),
            replace: format!("{}{}{}", &text[from..candidate.start], candidate.text, &text[candidate.end..to]),
        },
        None => Edit::Write { path: path.to_owned(), content: after(text, candidate) },
    };
    Change { edits: vec![edit] }
}

fn window(text: &str, candidate: &Candidate) -> Option<(usize, usize)> {
    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |n| at + n + 1);
    let mut from = line_start(candidate.start);
    let ends_line = candidate.end > from && text[..candidate.end].ends_with('\n');
    let mut to = if ends_line { candidate.end } else { line_end(candidate.end) };
    // More than this many lines of context are no longer a small edit.
    for turn in 0..24 {
        let part = &text[from..to];
        if !part.is_empty() && once(text, part) {
            return Some((from, to));
        }
        if turn % 2 == 0 && from > 0 || to == text.len() {
            from = line_start(from.saturating_sub(1));
        } else {
            to = line_end(to);
        }
    }
    None
}

fn once(text: &str, part: &str) -> bool {
    let Some(first) = text.find(part) else { return false };
    let step = part.chars().next().map_or(1, char::len_utf8);
    !text[first + step..].contains(part)
}

/// Hash of the edit with the definition around it: the same when another definition of the file changes.
pub(super) fn idea(path: &str, text: &str, ast: &Ast, candidate: &Candidate) -> Digest {
    let (from, to) = match ast.definition(candidate.statement) {
        Some(f) => (ast.nodes[f].start.min(candidate.start), ast.nodes[f].end.max(candidate.end)),
        None => (0, text.len()),
    };
    let made = format!("{}{}{}", &text[from..candidate.start], candidate.text, &text[candidate.end..to]);
    Digest::of([path.as_bytes(), &text.as_bytes()[from..to], made.as_bytes()])
}

/// Longest text that a reason shows on either side of its arrow, in characters.
const SHOWN: usize = 60;

/// The reason in a few words: where, what, and what it becomes.
pub(super) fn reason(path: &str, text: &str, ast: &Ast, candidate: &Candidate) -> String {
    let (start, end) = (candidate.start, candidate.end);
    let lead = candidate.text.len() - candidate.text.trim_start().len();
    let mut line = text[..start].matches('\n').count() + 1;
    let label = candidate.family.label();
    if text[start..end].trim().is_empty() && candidate.text.contains('\n') {
        line += candidate.text[..lead].matches('\n').count();
        return format!("{path}:{line} insert `{}` ({label})", shown(&candidate.text));
    }
    if candidate.text.trim().is_empty() && text[start..end].contains('\n') {
        return format!("{path}:{line} delete `{}` ({label})", shown(&text[start..end]));
    }
    let around = ast
        .nodes
        .iter()
        .filter(|n| n.start <= start && end <= n.end && n.end - n.start <= SHOWN && n.end - n.start > end - start)
        .filter(|n| !matches!(n.kind, Kind::Block | Kind::Module) && n.row == n.last_row)
        .min_by_key(|n| n.end - n.start);
    let (from, to) = around.map_or((start, end), |n| (n.start, n.end));
    let made = format!("{}{}{}", &text[from..start], candidate.text, &text[end..to]);
    format!("{path}:{line} `{}` -> `{}` ({label})", shown(&text[from..to]), shown(&made))
}

fn shown(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &flat[..cut]),
        None => flat,
    }
}
