//! One operator or keyword for another: arithmetic, comparison, logic, assignment, jumps.

use crate::mutate::prior::Family;
use crate::mutate::sketch::Sketch;
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    match s.kind(id) {
        Kind::Binary => arithmetic(s, id),
        Kind::Compare => comparison(s, id),
        Kind::Logic => logic(s, id),
        Kind::Aug => augmented(s, id),
        Kind::Assign => plain_assignment(s, id),
        Kind::Update => update(s, id),
        Kind::Break | Kind::Continue => jump(s, id),
        Kind::Bool => boolean(s, id),
        Kind::Yield => yields(s, id),
        Kind::Unary => unary(s, id),
        Kind::Slice if s.words().braces => range_end(s, id),
        _ => {}
    }
}

/// Which operators are taken for which: the nearest first.
fn nearness(from: &str, to: &str) -> f32 {
    const ROWS: &[&[&str]] = &[
        &["+", "-", "*", "|", "^"],
        &["-", "+", "*", "/", "//", "%", "&", "^"],
        &["*", "+", "**", "/", "//", "-", "%"],
        &["//", "%", "/", "*", "-", ">>"],
        &["/", "//", "*", "%", "-", ">>"],
        &["%", "//", "/", "-", "*", "&"],
        &["**", "*", "+", "^"],
        &["&", "|", "^", "%", "-", ">>"],
        &["|", "&", "^", "+", "-"],
        &["^", "&", "|", "**", "+", "-"],
        &["<<", ">>", "*", "+"],
        &[">>", ">>>", "<<", "//", "/", "%", "&"],
        &[">>>", ">>", "<<", "&"],
    ];
    let row = ROWS.iter().find(|row| row[0] == from);
    let place = row.and_then(|row| row.iter().position(|op| *op == to));
    place.map_or(6.0, |p| p as f32 * 0.7)
}

fn arithmetic(s: &mut Sketch<'_>, id: Id) {
    let op = s.op(id);
    let Some(span) = s.node(id).ops.first().copied() else { return };
    for to in s.words().arith.iter().filter(|to| **to != op) {
        s.put(Family::Operator, id, span, *to, nearness(op, to));
    }
}

fn comparison(s: &mut Sketch<'_>, id: Id) {
    // `x is 5` and `x in 5` are never meant.
    let right = s.node(id).b.map(|b| s.kind(b));
    let number = matches!(right, Some(Kind::Int | Kind::Float));
    let literal = number || right == Some(Kind::Str);
    for span in s.node(id).ops.clone() {
        let op = &s.text[span.0..span.1];
        for to in s.words().compare.iter().filter(|to| **to != op) {
            let (family, cost) = match (op, *to) {
                ("<", "<=") | ("<=", "<") | (">", ">=") | (">=", ">") => (Family::Boundary, 0.0),
                ("<", ">") | (">", "<") | ("<=", ">=") | (">=", "<=") => (Family::Comparison, 0.0),
                ("==", "!=") | ("!=", "==") | ("===", "!==") | ("!==", "===") => (Family::Comparison, 0.0),
                ("in", "not in") | ("not in", "in") | ("is", "is not") | ("is not", "is") => (Family::Comparison, 0.0),
                ("<", ">=") | (">=", "<") | (">", "<=") | ("<=", ">") => (Family::Comparison, 0.5),
                ("==" | "===" | "!=" | "!==", "<=" | ">=" | "<" | ">") => (Family::Comparison, 1.0),
                ("<" | "<=" | ">" | ">=", "==" | "!=" | "===" | "!==") => (Family::Comparison, 1.5),
                ("==" | "!=", "is" | "is not") if literal => continue,
                ("==" | "!=", "in" | "not in") if number => continue,
                ("==" | "!=", "is" | "is not" | "in" | "not in") => (Family::Comparison, 2.5),
                ("is" | "is not" | "in" | "not in", "==" | "!=") => (Family::Comparison, 2.0),
                ("in" | "not in" | "is" | "is not" | "===" | "!==", _) => continue,
                (_, "in" | "not in" | "is" | "is not") => continue,
                _ => (Family::Comparison, 3.0),
            };
            s.put(family, id, span, *to, cost);
        }
    }
    bounds(s, id);
}

/// A comparison with a number, moved in operator and number at once: `len(x) == 0` to `len(x) <= 1`.
fn bounds(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let (Some(_), Some(b), [op]) = (node.a, node.b, node.ops.as_slice()) else { return };
    let Some(value) = (s.kind(b) == Kind::Int).then(|| s.of(b).parse::<i64>().ok()).flatten() else { return };
    let (from, end) = (op.0, s.node(b).end);
    let (w, old) = (s.words(), s.op(id));
    for (cost, (to, step)) in [("<=", 1), ("<", 1), (">", 1), ("<", 2), (w.eq, 1), (">=", 1), ("<=", -1), (">", -1)]
        .into_iter()
        .enumerate()
        .filter(|(_, (to, _))| *to != old)
    {
        let number = value.saturating_add(step);
        if number >= 0 {
            s.put(Family::Boundary, id, (from, end), format!("{to} {number}"), 2.0 + cost as f32 * 0.5);
        }
    }
}

fn logic(s: &mut Sketch<'_>, id: Id) {
    let Some(span) = s.node(id).ops.first().copied() else { return };
    let (and, or) = (s.words().and, s.words().or);
    let to = if s.op(id) == and { or } else { and };
    s.put(Family::Logic, id, span, to, 0.0);
}

fn augmented(s: &mut Sketch<'_>, id: Id) {
    let Some(span) = s.node(id).ops.first().copied() else { return };
    let op = s.op(id);
    for to in s.words().augmented.iter().filter(|to| **to != op) {
        let cost = if *to == "=" { 0.5 } else { nearness(op.trim_end_matches('='), to.trim_end_matches('=')) };
        s.put(Family::Augmented, id, span, *to, cost);
    }
    let (Some(a), Some(b)) = (s.node(id).a, s.node(id).b) else { return };
    // `x += y` that should have been `x = max(x, y)`.
    for (cost, which) in ["max", "min"].into_iter().enumerate() {
        let text = format!("{} = {}", s.of(a), s.lang().extreme(which, s.of(a), s.of(b)));
        s.put(Family::Target, id, (s.node(id).start, s.node(id).end), text, 2.0 + cost as f32);
    }
    // `s += c` that should have been `s = c + s`.
    if op == "+=" {
        let text = format!("{} = {} + {}", s.of(a), s.operand(b), s.of(a));
        s.put(Family::OperandSwap, id, (s.node(id).start, s.node(id).end), text, 0.5);
    }
}

fn plain_assignment(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let (Some(a), Some(_)) = (node.a, node.b) else { return };
    let lets = s.of(id).starts_with("let ");
    if s.kind(node.parent) == Kind::Decl || lets || !matches!(s.kind(a), Kind::Name | Kind::Index | Kind::Member) {
        return;
    }
    let Some(span) = node.ops.first().copied() else { return };
    for (to, cost) in [("+=", 0.0), ("-=", 2.0), ("*=", 2.0), ("|=", 3.0), ("//=", 4.0), ("^=", 5.0), ("&=", 6.0)] {
        if s.words().augmented.contains(&to) {
            s.put(Family::Augmented, id, span, to, cost);
        }
    }
}

fn update(s: &mut Sketch<'_>, id: Id) {
    let Some(span) = s.node(id).ops.first().copied() else { return };
    let to = if s.op(id) == "++" { "--" } else { "++" };
    s.put(Family::Augmented, id, span, to, 0.0);
    if let Some(a) = s.node(id).a {
        let (node, op) = (s.node(id), &s.op(id)[..1]);
        let text = format!("{} {op}= 2", s.of(a));
        s.put(Family::Constant, id, (node.start, node.end), text, 2.0);
        // `i++` against `++i`.
        let text =
            if node.ops[0].0 == node.start { format!("{}{op}{op}", s.of(a)) } else { format!("{op}{op}{}", s.of(a)) };
        s.put(Family::Jump, id, (node.start, node.end), text, 1.0);
    }
}

fn jump(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    if s.ast.in_loop(id).is_none() {
        return;
    }
    let (from, to) = if node.kind == Kind::Break { ("break", "continue") } else { ("continue", "break") };
    s.put(Family::Jump, id, (node.start, node.start + from.len()), to, 0.0);
    if !s.words().braces {
        s.put(Family::Jump, id, (node.start, node.end), "pass", 1.0);
        s.put(Family::Jump, id, (node.start, node.end), "return", 2.0);
    }
}

fn boolean(s: &mut Sketch<'_>, id: Id) {
    let (yes, no) = (s.words().yes, s.words().no);
    let to = if s.of(id) == yes { no } else { yes };
    s.put(Family::Boolean, id, (s.node(id).start, s.node(id).end), to, 0.0);
}

fn yields(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let Some(a) = node.a else { return };
    let rest = &s.text[node.start..s.node(a).start];
    let to = match (rest.contains("from"), rest.contains('*')) {
        (true, _) => "yield ",
        (_, true) => "yield ",
        _ if s.words().braces => "yield* ",
        _ => "yield from ",
    };
    s.put(Family::Yield, id, (node.start, s.node(a).start), to, 0.0);
    let returned = format!("return {}", s.of(a));
    s.put(Family::Yield, id, (node.start, node.end), returned, 4.0);
}

fn unary(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let Some(a) = node.a else { return };
    s.put(Family::Negation, id, (node.start, s.node(a).start), "", 0.0);
    if s.text[node.start..].starts_with('-') && !s.words().braces {
        s.put(Family::Operator, id, (node.start, node.start + 1), "~", 2.0);
    }
}

/// Rust: `a..b` against `a..=b`.
fn range_end(s: &mut Sketch<'_>, id: Id) {
    let Some(span) = s.node(id).ops.first().copied() else { return };
    if s.node(id).b.is_some() {
        let to = if s.op(id) == "..=" { ".." } else { "..=" };
        s.put(Family::Boundary, id, span, to, 0.0);
    }
}
