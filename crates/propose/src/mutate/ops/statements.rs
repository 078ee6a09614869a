//! Whole statements: deleted, doubled, moved, and put into or out of what stands around them.

use crate::mutate::prior::Family;
use crate::mutate::sketch::Sketch;
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    keyword(s, id);
    if s.kind(id) == Kind::Else && matches!(s.kind(s.node(id).parent), Kind::If | Kind::While | Kind::For) {
        let from = s.line_start(s.node(id).start);
        if s.leads_line(id) {
            s.put(Family::Delete, id, (from, s.line_end(s.node(id).end.saturating_sub(1))), "", 2.0);
        }
    }
    if !s.ast.is_statement(id) || s.ast.function(id).is_none() {
        return;
    }
    if matches!(s.kind(id), Kind::Function | Kind::Class | Kind::Import) || !s.leads_line(id) || !owns_lines(s, id) {
        return;
    }
    let siblings = s.node(s.node(id).parent).items.clone();
    let Some(nth) = siblings.iter().position(|i| *i == id) else { return };
    if docstring(s, id) {
        return;
    }
    delete(s, id, siblings.len());
    exchange(s, id, &siblings, nth);
    indent(s, id, &siblings, nth);
    dedent(s, id, &siblings, nth);
    if matches!(s.kind(id), Kind::ExprStmt) {
        let (from, to) = lines(s, id);
        let text = ended(&s.text[from..to]);
        s.put(Family::Duplicate, id, (to, to), text, 0.0);
    }
}

/// Whether a statement is a function's documentation.
pub(super) fn docstring(s: &Sketch<'_>, id: Id) -> bool {
    s.kind(id) == Kind::ExprStmt && s.node(id).a.is_some_and(|a| s.kind(a) == Kind::Str)
}

/// The whole lines of a statement.
fn lines(s: &Sketch<'_>, id: Id) -> (usize, usize) {
    let node = s.node(id);
    (s.line_start(node.start), s.line_end(node.end.saturating_sub(1).max(node.start)))
}

/// Whether nothing else stands on the statement's lines.
pub(super) fn owns_lines(s: &Sketch<'_>, id: Id) -> bool {
    let (_, to) = lines(s, id);
    let rest = s.text[s.node(id).end..to.max(s.node(id).end)].trim();
    rest.is_empty() || rest == ";" || rest.starts_with('#') || rest.starts_with("//")
}

fn ended(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("\n{text}") }
}

fn delete(s: &mut Sketch<'_>, id: Id, siblings: usize) {
    let (from, to) = lines(s, id);
    let simple = s.node(id).c.is_none();
    let cost = if simple { 0.0 } else { 0.8 };
    if siblings > 1 || s.words().braces {
        s.put(Family::Delete, id, (from, to), "", cost);
    } else {
        s.put(Family::Delete, id, (s.node(id).start, s.node(id).end), "pass", cost + 0.4);
    }
    // The body without what it stands in: a condition or loop too many.
    if let Some(body) = s.node(id).c.filter(|c| s.kind(*c) == Kind::Block && s.kind(id) == Kind::If) {
        let first = s.node(body).items.first().copied();
        let alternatives =
            s.node(id).items.iter().any(|i| matches!(s.kind(*i), Kind::Else | Kind::If) && Some(*i) != first);
        if let Some(first) = first.filter(|f| !alternatives && s.leads_line(*f)) {
            let (start, end) = (
                s.line_start(s.node(first).start),
                s.line_end(s.node(body).items.last().map_or(0, |l| s.node(*l).end.saturating_sub(1))),
            );
            let deeper = s.indent_of(s.node(first).start).len().saturating_sub(s.indent_of(s.node(id).start).len());
            let text = outdented(&s.text[start..end], deeper);
            s.put(Family::Delete, id, (from, to), text, 1.0);
        }
    }
}

fn exchange(s: &mut Sketch<'_>, id: Id, siblings: &[Id], nth: usize) {
    let (from, mid) = lines(s, id);
    for (step, cost) in [(1, 0.0), (2, 0.8)] {
        let Some(other) = siblings.get(nth + step).copied() else { continue };
        if !s.leads_line(other) || !owns_lines(s, other) || lines(s, other).0 < mid {
            continue;
        }
        let (_, to) = lines(s, other);
        if matches!(s.kind(id), Kind::Return | Kind::Break | Kind::Continue) {
            continue;
        }
        let (own, rest) = (&s.text[from..mid], &s.text[mid..to]);
        let text = if rest.ends_with('\n') {
            format!("{rest}{own}")
        } else {
            format!("{rest}\n{}", own.trim_end_matches('\n'))
        };
        s.put(Family::Move, id, (from, to), text, cost);
    }
}

fn unit(s: &Sketch<'_>, block: Id, owner: Id) -> usize {
    let inner = s.node(block).items.first().map_or(0, |f| s.indent_of(s.node(*f).start).len());
    inner.saturating_sub(s.indent_of(s.node(owner).start).len()).max(1)
}

fn indented(text: &str, pad: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("{pad}{line}") })
        .collect()
}

fn outdented(text: &str, by: usize) -> String {
    let cut = |line: &str| {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        line[by.min(blank)..].to_owned()
    };
    text.split_inclusive('\n').map(cut).collect()
}

/// Into the statement before it or after it.
fn indent(s: &mut Sketch<'_>, id: Id, siblings: &[Id], nth: usize) {
    let (from, to) = lines(s, id);
    if let Some(before) = nth.checked_sub(1).map(|n| siblings[n])
        && let Some(body) = last_body(s, before)
        && lines(s, before).1 <= from
    {
        let pad = " ".repeat(unit(s, body, before));
        let own = indented(&s.text[from..to], &pad);
        if s.words().braces {
            let close = s.node(body).end - 1;
            let at = s.line_start(close);
            let text = format!("{own}{}", &s.text[at..from]);
            s.put(Family::Indent, id, (at, to), text, 0.0);
        } else {
            s.put(Family::Indent, id, (from, to), own, 0.0);
            // One deeper, into what ends there.
            if let Some(inner) = s.node(body).items.last().copied().and_then(|l| last_body(s, l)) {
                let deep = s.node(inner).items.first().map_or(8, |f| s.indent_of(s.node(*f).start).len());
                let pad = " ".repeat(deep.saturating_sub(s.indent_of(s.node(id).start).len()));
                s.put(Family::Indent, id, (from, to), indented(&s.text[from..to], &pad), 0.6);
            }
        }
    }
    if let Some(after) = siblings.get(nth + 1).copied()
        && let Some(body) = s.node(after).c.filter(|c| s.kind(*c) == Kind::Block)
        && let Some(first) = s.node(body).items.first().copied().filter(|f| s.leads_line(*f))
        && to <= s.node(after).start
    {
        let pad = " ".repeat(unit(s, body, after));
        let at = s.line_start(s.node(first).start);
        let text = format!("{}{}", &s.text[to..at], indented(&s.text[from..to], &pad));
        s.put(Family::Move, id, (from, at), text, 0.5);
    }
}

/// The block at whose end a statement would land if it were indented.
fn last_body(s: &Sketch<'_>, id: Id) -> Option<Id> {
    let node = s.node(id);
    if !matches!(
        node.kind,
        Kind::If | Kind::For | Kind::While | Kind::CFor | Kind::Else | Kind::Loop | Kind::Other | Kind::ExprStmt
    ) {
        return None;
    }
    let last = node
        .items
        .iter()
        .rev()
        .find(|i| matches!(s.kind(**i), Kind::Else | Kind::If | Kind::For | Kind::While | Kind::Loop));
    match last {
        Some(clause) if Some(*clause) != node.c => last_body(s, *clause),
        _ => node.c.filter(|c| s.kind(*c) == Kind::Block && s.node(*c).items.last().is_some_and(|l| s.leads_line(*l))),
    }
}

/// Out of the loop or condition around it: after it, or before it.
fn dedent(s: &mut Sketch<'_>, id: Id, siblings: &[Id], nth: usize) {
    let block = s.node(id).parent;
    let owner = s.node(block).parent;
    if !matches!(s.kind(owner), Kind::If | Kind::For | Kind::While | Kind::CFor | Kind::Loop | Kind::Else)
        || siblings.len() < 2
    {
        return;
    }
    let by = unit(s, block, owner);
    let (from, to) = lines(s, id);
    let own = outdented(&s.text[from..to], by);
    let outer = s.ast.statement(owner);
    if nth + 1 == siblings.len() {
        let ends = s.node(outer).end == s.node(block).end;
        if s.words().braces {
            let after = s.line_end(s.node(outer).end - 1);
            let text = format!("{}{}", &s.text[to..after], ended(&own).trim_start_matches('\n'));
            s.put(Family::Indent, id, (from, after), text, 0.0);
        } else if ends {
            s.put(Family::Indent, id, (from, to), own.clone(), 0.0);
        } else {
            let after = s.line_end(s.node(outer).end - 1);
            s.put(
                Family::Indent,
                id,
                (from, after),
                format!("{}{own}", ended(&s.text[to..after]).trim_start_matches('\n')),
                0.3,
            );
        }
    }
    if nth == 0 && s.leads_line(outer) {
        let at = s.line_start(s.node(outer).start);
        s.put(Family::Move, id, (at, to), format!("{own}{}", &s.text[at..from]), 0.4);
    }
    // Everything from here on, out of what stands around it.
    if nth > 0 && nth + 1 < siblings.len() && !s.words().braces && s.node(outer).end == s.node(block).end {
        let last = siblings[siblings.len() - 1];
        let end = s.line_end(s.node(last).end - 1);
        s.put(Family::Indent, id, (from, end), outdented(&s.text[from..end], by), 0.5);
    }
}

/// `if` against `while`, `elif` against `if`.
fn keyword(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let start = node.start;
    let swaps: &[(&str, &str)] = match node.kind {
        Kind::If => &[("if ", "while "), ("elif ", "if ")],
        Kind::While => &[("while ", "if ")],
        _ => return,
    };
    for (from, to) in swaps {
        if s.text[start..].starts_with(from) && (node.c.is_some() && node.items.len() == 2 || *from == "elif ") {
            // A loop that takes one turn is seldom what was meant.
            let cost = if *to == "if " && *from == "while " { 1.2 } else { 0.3 };
            s.put(Family::Jump, id, (start, start + from.len()), *to, cost);
        }
    }
    // A second `if` of the same block that should not be tried after the first.
    if node.kind == Kind::If && s.text[start..].starts_with("if ") && !s.words().braces && s.ast.is_statement(id) {
        let siblings = &s.node(node.parent).items;
        let before = siblings.iter().position(|i| *i == id).and_then(|n| n.checked_sub(1)).map(|n| siblings[n]);
        if before.is_some_and(|b| s.kind(b) == Kind::If && !s.node(b).items.iter().any(|i| s.kind(*i) == Kind::Else)) {
            s.put(Family::Jump, id, (start, start), "el", 0.2);
        }
    }
}
