//! Statements that are not there: donors of the same function, updates and exits.

use super::conditions::tuples;
use super::loops;
use super::returns::literals;
use super::statements::{docstring, owns_lines};
use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::Sketch;
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    if s.kind(id) == Kind::Block && s.node(id).items.is_empty() && s.words().braces && s.ast.function(id).is_some() {
        let (at, indent) = (s.line_end(s.node(id).start), s.indent_of(s.node(id).start));
        if at < s.node(id).end {
            fill(
                s,
                id,
                &Gap {
                    at,
                    indent: format!("{indent}{}", if s.text.contains("\n    ") { "    " } else { "  " }),
                    cost: 0.0,
                    last: true,
                },
            );
        }
    }
    if s.ast.is_statement(id) && s.ast.function(id).is_some() && s.leads_line(id) && owns_lines(s, id) {
        gaps(s, id);
    }
}

/// A place for a statement: the byte where its line is put, and its indentation.
pub(super) struct Gap {
    at: usize,
    pub(super) indent: String,
    /// How unlikely it is that something is missing here.
    cost: f32,
    /// Whether it stands at the end of its block.
    pub(super) last: bool,
}

fn gaps(s: &mut Sketch<'_>, id: Id) {
    if docstring(s, id) || s.kind(id) == Kind::Function {
        return;
    }
    let node = s.node(id);
    let block = node.parent;
    let siblings = &s.node(block).items;
    let nth = siblings.iter().position(|i| *i == id).unwrap_or(0);
    let indent = s.indent_of(node.start).to_owned();
    let owner = s.kind(s.node(block).parent);
    let looped = matches!(owner, Kind::For | Kind::While | Kind::CFor | Kind::Loop);
    let exits = matches!(node.kind, Kind::Return | Kind::Break | Kind::Continue | Kind::Raise)
        || node.a.is_some_and(|a| {
            node.kind == Kind::ExprStmt && matches!(s.kind(a), Kind::Return | Kind::Break | Kind::Continue)
        });
    let before = match (nth, exits, looped) {
        (_, true, _) => 0.2,
        (0, _, true) => 0.5,
        (0, _, _) => 0.9,
        _ => 0.7,
    };
    let tail = s.lang() == Lang::Rust && s.is_value(id);
    let gap = Gap {
        at: s.line_start(node.start),
        indent: indent.clone(),
        cost: if tail { 0.2 } else { before },
        last: false,
    };
    fill(s, id, &gap);
    loops::skips(s, id, &gap);
    if nth + 1 == siblings.len() && !exits && !tail {
        let at = s.line_end(node.end.saturating_sub(1).max(node.start));
        let cost = if looped { 0.0 } else { 0.3 };
        fill(s, id, &Gap { at, indent, cost, last: true });
    }
}

pub(super) fn insert(s: &mut Sketch<'_>, family: Family, id: Id, gap: &Gap, text: &str, cost: f32) {
    let line = format!("{}{text}", gap.indent);
    let whole = if gap.at > 0 && !s.text[..gap.at].ends_with('\n') { format!("\n{line}") } else { format!("{line}\n") };
    s.put(family, id, (gap.at, gap.at), whole, gap.cost + cost);
}

fn fill(s: &mut Sketch<'_>, id: Id, gap: &Gap) {
    let names = s.names_at(id, Tags::default(), "");
    let names: Vec<(String, f32, Tags)> = names.into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(12).collect();
    let mut texts: Vec<(String, f32)> = Vec::new();
    donors(s, id, &names, &mut texts);
    updates(s, id, &names, &mut texts);
    loops::progress(s, id, &mut texts);
    texts.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut seen: Vec<String> = Vec::new();
    for (text, cost) in texts {
        if seen.len() >= 60 {
            break;
        }
        if !seen.contains(&text) {
            insert(s, Family::Insert, id, gap, &text, cost);
            seen.push(text);
        }
    }
    exits(s, id, gap, &names);
}

/// Simple statements of the same function, as they are and with one name for another.
fn donors(s: &Sketch<'_>, id: Id, names: &[(String, f32, Tags)], texts: &mut Vec<(String, f32)>) {
    let Some(scope) = s.ast.function(id) else { return };
    let (end, row) = (s.node(scope).end, s.node(id).row);
    let visible: Vec<&str> = names.iter().map(|n| n.0.as_str()).collect();
    let recursive = s.lang() == Lang::Python && loops::calls_itself(s, scope);
    for other in scope..s.ast.nodes.len() {
        let node = s.node(other);
        if node.start >= end {
            break;
        }
        if node.kind != Kind::ExprStmt || docstring(s, other) || s.of(other).contains('\n') {
            continue;
        }
        let text = s.of(other);
        let far = node.row.abs_diff(row).min(20) as f32 * 0.06;
        // What its own block does already is seldom done twice.
        let again = if node.parent == s.node(id).parent { 0.8 } else { 0.0 };
        texts.push((text.to_owned(), 0.9 + far + again));
        loops::undone(s, text, far, texts);
        if recursive && other < id {
            loops::set_back(s, (scope, other), far, texts);
        }
        let inner: Vec<Id> = (other..s.ast.nodes.len())
            .take_while(|i| s.node(*i).start < node.end)
            .filter(|i| s.kind(*i) == Kind::Name && !(s.node(*i).bind && s.kind(s.node(*i).parent) == Kind::Member))
            .collect();
        exchanged(s, other, &inner, far, texts);
        renamed(s, &inner, (text, node.start), names, 0.5 + far, texts);
        for place in inner {
            let called = s.kind(s.node(place).parent) == Kind::Call && s.node(s.node(place).parent).a == Some(place);
            if called {
                continue;
            }
            let tags = s.tags(place);
            let old = s.of(place);
            for (nth, name) in visible.iter().enumerate().filter(|n| *n.1 != old) {
                let (_, near, kind) = &names[nth];
                let clash = tags.clash(*kind);
                if clash >= 3.0 {
                    continue;
                }
                let (from, to) = (s.node(place).start - node.start, s.node(place).end - node.start);
                let new = format!("{}{name}{}", &text[..from], &text[to..]);
                texts.push((new, 0.5 + far + near * 0.5 + clash * 0.5));
            }
        }
    }
}

/// A donor in which two names change places: `near[b].append(a)` after `near[a].append(b)`, and `room[b][a] += x` after
/// `room[a][b] -= x`.
fn exchanged(s: &Sketch<'_>, other: Id, inner: &[Id], far: f32, texts: &mut Vec<(String, f32)>) {
    let (text, start) = (s.of(other), s.node(other).start);
    if inner.len() > 12 || text.len() > 200 {
        return;
    }
    let op = s.node(other).a.filter(|a| s.kind(*a) == Kind::Aug).and_then(|a| s.node(a).ops.first().copied());
    let key = |place: Id| s.kind(s.node(place).parent) == Kind::Index && s.node(s.node(place).parent).a != Some(place);
    for (nth, x) in inner.iter().enumerate().filter(|x| key(*x.1)) {
        // A path holds its parts: what lies inside the first is no second.
        let behind = |y: Id| s.node(y).start >= s.node(*x).end && s.of(y) != s.of(*x);
        for y in inner.iter().skip(nth + 1).filter(|y| behind(**y)) {
            let base =
                s.kind(s.node(*y).parent) == Kind::Index && !key(*y) || s.kind(s.node(*y).parent) == Kind::Member;
            let called = s.kind(s.node(*y).parent) == Kind::Call && s.node(s.node(*y).parent).a == Some(*y);
            if base || called {
                continue;
            }
            let mut new = text.to_owned();
            for (place, name) in [(*y, s.of(*x)), (*x, s.of(*y))] {
                new.replace_range(s.node(place).start - start..s.node(place).end - start, name);
            }
            if let Some((from, to)) = op {
                // What is taken from one side is given to the other.
                let sign = match &s.text[from..to] {
                    "-=" => Some("+="),
                    "+=" => Some("-="),
                    _ => None,
                };
                if let (Some(sign), Some((a, b))) = (sign, new.split_once(&s.text[from..to])) {
                    texts.push((format!("{a}{sign}{b}"), far));
                }
            }
            texts.push((new, 0.1 + far));
        }
    }
}

/// A donor in which one name stands everywhere for another: `a += [0] * (n - len(a))` for `b`.
fn renamed(
    s: &Sketch<'_>,
    inner: &[Id],
    (text, start): (&str, usize),
    names: &[(String, f32, Tags)],
    cost: f32,
    texts: &mut Vec<(String, f32)>,
) {
    let mut seen: Vec<&str> = Vec::new();
    for place in inner {
        let old = s.of(*place);
        let all: Vec<Id> = inner.iter().copied().filter(|other| s.of(*other) == old).collect();
        if all.len() < 2 || seen.contains(&old) {
            continue;
        }
        seen.push(old);
        for (name, near, tags) in names.iter().filter(|n| n.0 != old && s.tags(*place).clash(n.2) < 3.0) {
            let mut new = text.to_owned();
            for other in all.iter().rev() {
                new.replace_range(s.node(*other).start - start..s.node(*other).end - start, name);
            }
            texts.push((new, cost + near * 0.5 + s.tags(*place).clash(*tags) * 0.5));
        }
    }
}

/// What loops need and forget: the mark, the collected value, the step, the one before.
fn updates(s: &Sketch<'_>, id: Id, names: &[(String, f32, Tags)], texts: &mut Vec<(String, f32)>) {
    let end = s.words().end;
    let body = s.ast.function(id).map_or("", |f| s.of(f));
    let local = |name: &str| body.contains(&format!("{name} = ")) || body.contains(&format!("{name}, "));
    let tuples = match s.ast.function(id) {
        Some(scope) if s.lang() == Lang::Python => tuples(s, scope, s.node(id).row),
        _ => Vec::new(),
    };
    for (name, near, tags) in names {
        if tags.has(Tags::NUM) && local(name) {
            let (up, down) = steps(s, id, name);
            texts.push((format!("{name} += 1{end}"), up + near));
            texts.push((format!("{name} -= 1{end}"), down + near));
            texts.push((format!("{name} = 0{end}"), 0.9 + near));
            texts.push((format!("{name} = 1{end}"), 1.1 + near));
        }
        let Some((put, cost)) = adder(s, body, name, *tags) else { continue };
        for (value, by, kind) in names.iter().filter(|n| n.0 != *name) {
            let collection = if kind.has(Tags::SEQ) && !kind.has(Tags::NUM.with(Tags::STR)) { 0.6 } else { 0.0 };
            texts.push((format!("{name}.{put}({value}){end}"), cost + (near + by) * 0.5 + collection));
        }
        for (tuple, far) in tuples.iter().take(4) {
            // It is looked for and never put there.
            let asked =
                body.contains(&format!("{tuple} in {name}")) || body.contains(&format!("{tuple} not in {name}"));
            let text = format!("{name}.{put}({tuple}){end}");
            let missing = asked && !body.contains(&text);
            texts.push((text, cost + near * 0.5 + far + if missing { -0.5 } else { 0.4 }));
        }
    }
    for (name, near, tags) in names {
        if tags.has(Tags::BOOL) || tags.0 == 0 {
            flag(s, id, body, (name, *near), texts);
        }
        // What is begun empty may have to be emptied again.
        let begun = || ["[]", "set()", "{}", "deque()"].iter().any(|e| times(body, &format!("{name} = {e}")) > 0);
        if s.lang() == Lang::Python && tags.has(Tags::SEQ.with(Tags::BAG)) && begun() {
            texts.push((format!("{name}.clear()"), 0.5 + near * 0.5));
        }
    }
    for (a, near, tags) in names.iter().filter(|n| local(&n.0)) {
        let before = ["prev", "last", "old"].iter().any(|p| a.starts_with(p));
        for (b, by, kind) in names.iter().filter(|n| n.0 != *a) {
            let clash = tags.clash(*kind);
            if clash < 3.0 {
                let bonus = if before { -0.3 } else { 0.4 };
                texts.push((format!("{a} = {b}{end}"), 0.6 + bonus + (near + by) * 0.5 + clash * 0.5));
            }
        }
    }
    for (map, near, _) in names.iter().filter(|n| body.contains(&format!("{}[", n.0)) && n.2.has(Tags::BAG)) {
        for (key, by, _) in names.iter().filter(|n| n.0 != *map).take(4) {
            for (value, more, _) in names.iter().filter(|n| n.0 != *map && n.0 != *key).take(3) {
                texts.push((format!("{map}[{key}] = {value}{end}"), 1.4 + (near + by + more) * 0.4));
            }
        }
    }
}

/// A flag that is lowered, asked for and never raised, or the other way round, is to be set somewhere.
fn flag(s: &Sketch<'_>, id: Id, body: &str, (name, near): (&str, f32), texts: &mut Vec<(String, f32)>) {
    let w = s.words();
    for (from, to) in [(w.no, w.yes), (w.yes, w.no)] {
        let lowered = times(body, &format!("{name} = {from}"));
        // It is set to nothing else, and read.
        if lowered > 0 && lowered == times(body, &format!("{name} = ")) && times(body, name) > lowered {
            // Not beside where it is set already.
            let own = s.of(s.node(id).parent).contains(&format!("{name} = {from}"));
            texts.push((format!("{name} = {to}{}", w.end), if own { 0.3 } else { -0.7 } + near * 0.3));
        }
    }
}

/// How often a text that begins with a name stands in another, the name being a whole one there.
fn times(body: &str, text: &str) -> usize {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    body.match_indices(text).filter(|(at, _)| !body[..*at].ends_with(inside)).count()
}

/// How unlikely it is that a number should be stepped up or down here: a loop that tests it wants it moved.
fn steps(s: &Sketch<'_>, id: Id, name: &str) -> (f32, f32) {
    let Some(looped) = s.ast.in_loop(id).filter(|l| matches!(s.kind(*l), Kind::While | Kind::CFor)) else {
        return (0.2, 0.6);
    };
    let test = s.node(looped).a.map_or("", |a| s.of(a));
    let falls = test.contains(&format!("{name} >"));
    let rises = test.contains(&format!("{name} <"));
    let whole = s.of(looped);
    let moved = whole.contains(&format!("{name} +="))
        || whole.contains(&format!("{name} -="))
        || whole.contains(&format!("{name} = "));
    let base = if moved { 0.6 } else { -0.3 };
    match (rises, falls) {
        (true, _) => (base, base + 0.6),
        (_, true) => (base + 0.6, base),
        _ => (0.2, 0.6),
    }
}

/// The method with which a collection takes one more value.
fn adder(s: &Sketch<'_>, body: &str, name: &str, tags: Tags) -> Option<(&'static str, f32)> {
    let uses = |method: &str| body.contains(&format!("{name}.{method}("));
    let marks = ["seen", "visit", "done", "used", "mark", "explored"].iter().any(|m| name.contains(m));
    let (list, set) = match s.lang() {
        Lang::Python => ("append", "add"),
        Lang::Rust => ("push", "insert"),
        _ => ("push", "add"),
    };
    let empty = ["[]", "set()", "deque()", "new Set()", "Vec::new()", "vec![]"]
        .iter()
        .any(|e| body.contains(&format!("{name} = {e}")));
    let fills = [list, set, "extend", "insert", "push_back", "unshift", "appendleft"];
    if empty && !fills.iter().any(|m| uses(m)) && !body.contains(&format!("{name} +")) {
        // It begins empty and nothing is ever put into it.
        let bag = ["set()", "new Set()"].iter().any(|e| body.contains(&format!("{name} = {e}")));
        return Some((if bag { set } else { list }, -0.5));
    }
    if uses(list) {
        return Some((list, 0.3));
    }
    let begun = [format!("{name} = set("), format!("{name} = new Set("), format!("{name} = HashSet")];
    if uses(set) || begun.iter().any(|b| body.contains(b.as_str())) || marks && !body.contains(&format!("{name} = []"))
    {
        return Some((set, if marks { 0.0 } else { 0.3 }));
    }
    if tags.has(Tags::BAG) && !tags.has(Tags::SEQ) && body.contains(&format!("in {name}")) {
        return Some((set, 0.4));
    }
    tags.has(Tags::SEQ).then_some((list, 0.5))
}

fn exits(s: &mut Sketch<'_>, id: Id, gap: &Gap, names: &[(String, f32, Tags)]) {
    let end = s.words().end;
    if s.ast.in_loop(id).is_some() && gap.last {
        for (nth, word) in ["break", "continue"].into_iter().enumerate() {
            // At the end of a loop's own body it ends the loop after one turn, or does nothing.
            let bare = s.ast.in_loop(id) == Some(s.node(s.node(id).parent).parent);
            insert(
                s,
                Family::InsertReturn,
                id,
                gap,
                &format!("{word}{end}"),
                nth as f32 * 0.3 + if bare { 2.0 } else { 0.0 },
            );
        }
    }
    if gap.last {
        for (name, cost, _) in names.iter().take(8) {
            insert(s, Family::InsertReturn, id, gap, &format!("return {name}{end}"), 0.1 + cost);
        }
        insert(s, Family::InsertReturn, id, gap, &format!("return{end}"), 1.0);
        let Some(function) = s.ast.function(id) else { return };
        for (literal, cost) in literals(s, function).into_iter().take(6) {
            insert(s, Family::InsertReturn, id, gap, &format!("return {literal}{end}"), 0.4 + cost);
        }
    }
}
