//! Literals: numbers, strings, absence, and what lists and initial values hold.

use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    match s.kind(id) {
        Kind::Int => integer(s, id),
        Kind::Float => float(s, id),
        Kind::Str => string(s, id),
        Kind::Null => nothing(s, id),
        Kind::List | Kind::Dict | Kind::Set => literal(s, id),
        Kind::Assign | Kind::Default => initial(s, id),
        _ => {}
    }
}

fn span(s: &Sketch<'_>, id: Id) -> (usize, usize) {
    (s.node(id).start, s.node(id).end)
}

fn integer(s: &mut Sketch<'_>, id: Id) {
    let text = s.of(id);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
    let (digits, suffix) =
        if text.starts_with("0x") || text.starts_with("0b") { (text, "") } else { (digits, &text[digits.len()..]) };
    let Some(value) = parse(digits) else { return };
    let negative = s.kind(s.node(id).parent) == Kind::Unary;
    bits(s, id, value);
    unit(s, id);
    let mut near = [value.saturating_add(1), value.saturating_sub(1)];
    // What is given back for want of an answer is 0, -1 or a truth value, hardly 1 more.
    if s.kind(s.node(id).parent) == Kind::Return {
        near.reverse();
    }
    for (cost, to) in near.into_iter().enumerate() {
        if to >= 0 {
            s.put(Family::Constant, id, span(s, id), format!("{to}{suffix}"), cost as f32 * 0.2);
        } else if !negative {
            s.swap(Family::Constant, id, "-1", Bond::Arith, cost as f32 * 0.3);
        }
    }
    for (cost, to) in [0, 1, 2, 10].into_iter().enumerate() {
        if to != value {
            s.put(Family::ConstantReset, id, span(s, id), format!("{to}{suffix}"), 0.5 + cost as f32 * 0.4);
        }
    }
    if value != 0 && !negative {
        s.swap(Family::ConstantReset, id, &format!("-{text}"), Bond::Arith, 1.5);
    }
    if value > 1 {
        for (cost, to) in
            [value.saturating_mul(2), value / 2, value.saturating_mul(10), value / 10].into_iter().enumerate()
        {
            if to > 2 {
                s.put(Family::ConstantReset, id, span(s, id), format!("{to}{suffix}"), 3.0 + cost as f32 * 0.5);
            }
        }
        // The first digit is misread or mistyped.
        let place = 10i64.pow(value.ilog10());
        for (cost, to) in [value.saturating_add(place), value - place].into_iter().enumerate() {
            if value >= 10 && to > 0 {
                s.put(Family::ConstantReset, id, span(s, id), format!("{to}{suffix}"), 2.6 + cost as f32 * 0.2);
            }
        }
        // Numbers that programs hold by the handful are taken for one another.
        const FAMILIAR: [i64; 20] = [3, 4, 5, 6, 7, 8, 12, 16, 24, 26, 31, 32, 60, 64, 97, 100, 255, 256, 365, 1000];
        for to in FAMILIAR.into_iter().filter(|to| *to != value && (*to as f64 / value as f64).ln().abs() < 1.2) {
            s.put(
                Family::ConstantReset,
                id,
                span(s, id),
                format!("{to}{suffix}"),
                4.0 + (to as f64 - value as f64).abs().ln_1p() as f32 * 0.5,
            );
        }
    }
    let infinity = match s.lang() {
        crate::mutate::language::Lang::Python => "float(\"inf\")",
        crate::mutate::language::Lang::Rust => return,
        _ => "Infinity",
    };
    if matches!(s.kind(s.node(id).parent), Kind::Assign | Kind::Unary) {
        s.put(Family::Initial, id, span(s, id), infinity, 1.5);
        s.swap(Family::Initial, id, &format!("-{infinity}"), Bond::Arith, 1.6);
    }
}

/// The unit matrix: `[[1 for j in …] for i in …]` to `[[int(i == j) for j in …] for i in …]`.
fn unit(s: &mut Sketch<'_>, id: Id) {
    let target = |comp: Id| {
        let turn = s.node(comp).items.iter().copied().find(|i| s.kind(*i) == Kind::CompFor)?;
        s.node(turn).a.filter(|a| s.kind(*a) == Kind::Name).map(|a| s.of(a).to_owned())
    };
    let inner = s.node(id).parent;
    let outer = s.node(inner).parent;
    if s.kind(inner) != Kind::Comp || s.kind(outer) != Kind::Comp || !s.text[s.node(inner).start..].starts_with('[') {
        return;
    }
    if let (Some(a), Some(b)) = (target(outer), target(inner)) {
        s.put(Family::Literal, id, span(s, id), format!("int({a} == {b})"), 0.6);
    }
}

/// A pattern of bits as it is written, with a bit or a digit moved: `0x08` to `0x80`.
fn bits(s: &mut Sketch<'_>, id: Id, value: i64) {
    let text = s.of(id);
    let width = text.len().min(66);
    let digit = match text.get(..2) {
        Some("0x") => 4,
        Some("0b") => 1,
        _ => return,
    };
    let moved = [(value << 1, 0.3), (value >> 1, 0.3), (value << digit, 0.2), (value >> digit, 0.2)];
    let filled = [((value << 1) | 1, 0.5), ((value << digit) | ((1 << digit) - 1), 0.6), (!(!0 << digit), 0.9)];
    for (to, cost) in moved.into_iter().chain(filled) {
        if to > 0 && to != value {
            let new = if digit == 4 { format!("{to:#0width$x}") } else { format!("{to:#0width$b}") };
            s.put(Family::Constant, id, span(s, id), new, cost);
        }
    }
}

fn parse(text: &str) -> Option<i64> {
    let clean = text.replace('_', "");
    match clean.get(..2) {
        Some("0x") => i64::from_str_radix(&clean[2..], 16).ok(),
        Some("0b") => i64::from_str_radix(&clean[2..], 2).ok(),
        _ => clean.parse().ok(),
    }
}

fn float(s: &mut Sketch<'_>, id: Id) {
    let Ok(value) = s.of(id).parse::<f64>() else { return };
    let candidates = [
        value + 1.0,
        value - 1.0,
        0.0,
        1.0,
        0.5,
        2.0,
        value * 2.0,
        value / 2.0,
        value * 10.0,
        value / 10.0,
        1.0 - value,
    ];
    for (cost, to) in candidates.into_iter().enumerate() {
        if to >= 0.0 && to.is_finite() && to != value {
            s.put(Family::Constant, id, span(s, id), format!("{to:?}"), cost as f32 * 0.4);
        }
    }
}

fn string(s: &mut Sketch<'_>, id: Id) {
    let text = s.of(id);
    let parent = s.node(s.node(id).parent);
    if parent.kind == Kind::ExprStmt || text.len() > 200 || text.starts_with("\"\"\"") || text.starts_with("'''") {
        return;
    }
    let scope = s.ast.definition(id).unwrap_or(0);
    let mut cost = 0.5;
    let mut seen = vec![text];
    let (from, to) = (s.node(scope).start, s.node(scope).end);
    for other in Sketch::near(&s.strings, id) {
        if s.kind(s.node(other).parent) == Kind::ExprStmt {
            continue;
        }
        let there = s.node(other).start;
        let name = s.of(other);
        if there >= from && there < to && !seen.contains(&name) && name.len() < 60 {
            seen.push(name);
            s.put(Family::Text, id, span(s, id), name, cost);
            cost += 0.3;
        }
    }
    let quote = if text.ends_with('\'') { '\'' } else { '"' };
    let inner = text.trim_matches(quote);
    let mut variants: Vec<String> = Vec::new();
    match inner {
        "" => variants.extend([" ", "0", ",", ", ", "\\n"].map(str::to_owned)),
        " " => variants.extend(["", "  ", "\\n", "-", "_"].map(str::to_owned)),
        _ => {
            variants.push(String::new());
            variants.push(inner.trim().to_owned());
            variants.push(format!("{inner} "));
            variants.push(format!(" {inner}"));
            variants.push(inner.to_uppercase());
            variants.push(inner.to_lowercase());
            variants.push(" ".to_owned());
            if inner.chars().count() <= 3 {
                const PUNCTUATION: [&str; 14] = ["(", ")", "[", "]", "{", "}", "+", "-", "*", "/", ".", ",", ":", "0"];
                variants.extend(PUNCTUATION.map(str::to_owned));
            }
            if inner.chars().count() > 1 && inner.is_ascii() && !inner.contains('\\') {
                variants.push(inner[1..].to_owned());
                variants.push(inner[..inner.len() - 1].to_owned());
                variants.push(inner.chars().rev().collect());
            }
        }
    }
    for (nth, variant) in variants.into_iter().enumerate() {
        s.put(Family::Text, id, span(s, id), format!("{quote}{variant}{quote}"), 1.0 + nth as f32 * 0.3);
    }
}

fn nothing(s: &mut Sketch<'_>, id: Id) {
    let returned = s.kind(s.node(id).parent) == Kind::Return;
    let w = s.words();
    let mut cost = 0.3;
    for to in [w.no, w.yes, "0", "-1", "1"].into_iter().chain(w.empties.iter().copied()) {
        if to != s.of(id) {
            s.put(if returned { Family::Return } else { Family::Initial }, id, span(s, id), to, cost);
            cost += 0.3;
        }
    }
}

/// What a list literal holds: one element fewer, one more, or a nested one.
fn literal(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let items = node.items.clone();
    let (start, end) = (node.start, node.end);
    let list = node.kind == Kind::List;
    if s.node(id).bind || !s.text[start..].starts_with(['[', '{']) {
        return;
    }
    if items.is_empty() {
        if list {
            for (cost, to) in ["[[]]", "[0]", "[1]"].into_iter().enumerate() {
                s.put(Family::Literal, id, (start, end), to, cost as f32 * 0.5);
            }
            s.put(Family::Literal, id, (start, end), format!("[{}]", s.words().null), 3.0);
            for (name, cost, _) in s.names_at(id, Tags::NUM, "").into_iter().take(8) {
                s.put(Family::Literal, id, (start, end), format!("[{name}]"), 0.7 + cost);
            }
        }
        return;
    }
    for nth in 0..items.len().min(8) {
        let (from, to) = cut(s, &items, nth);
        s.put(Family::Literal, id, (from, to), "", 1.0 + nth as f32 * 0.3);
    }
    if list {
        s.put(Family::Literal, id, (start, end), "[]", 2.0);
        s.put(Family::Literal, id, (start, end), format!("[{}]", s.of(id)), 2.5);
        if let [only] = items.as_slice() {
            s.swap(Family::Unwrap, id, s.of(*only), Bond::Logic, 1.0);
        }
    }
    if items.len() == 2 && list {
        let text = format!("[{}, {}]", s.of(items[1]), s.of(items[0]));
        s.put(Family::OperandSwap, id, (start, end), text, 0.3);
    }
}

/// The bytes of one item of a list with the comma that goes with it.
pub(super) fn cut(s: &Sketch<'_>, items: &[Id], nth: usize) -> (usize, usize) {
    let (start, end) = span(s, items[nth]);
    match (items.get(nth + 1), nth.checked_sub(1).map(|p| items[p])) {
        (Some(next), _) => (start, s.node(*next).start),
        (None, Some(before)) => (s.node(before).end, end),
        (None, None) => (start, end),
    }
}

/// What several variables begin with, if it is one number: `up, down = 0, 0` to `1, 1`.
fn together(s: &mut Sketch<'_>, id: Id, value: Id) {
    let items = s.node(value).items.clone();
    if s.kind(value) != Kind::Tuple || items.len() < 2 || items.iter().any(|i| s.of(*i) != s.of(items[0])) {
        return;
    }
    if s.kind(items[0]) != Kind::Int {
        return;
    }
    let start = s.node(items[0]).start;
    let end = s.node(items[items.len() - 1]).end;
    for (cost, to) in ["0", "1", "-1"].into_iter().enumerate() {
        if to != s.of(items[0]) {
            s.put(Family::Initial, id, (start, end), vec![to; items.len()].join(", "), cost as f32 * 0.3);
        }
    }
}

/// What a variable begins with.
fn initial(s: &mut Sketch<'_>, id: Id) {
    let (Some(target), Some(value)) = (s.node(id).a, s.node(id).b) else { return };
    let kind = s.kind(value);
    together(s, id, value);
    let small = matches!(
        kind,
        Kind::Int
            | Kind::Float
            | Kind::Unary
            | Kind::Null
            | Kind::List
            | Kind::Dict
            | Kind::Bool
            | Kind::Str
            | Kind::Name
    ) || s.of(value).len() <= 12;
    if !small || s.node(value).bind {
        return;
    }
    let tags = s.scopes.tags_of_name(s.ast, id, s.of(target));
    let at = span(s, value);
    let w = s.words();
    let mut cost = 0.5;
    for to in ["0", "1", "-1"].into_iter().chain(w.empties.iter().copied()).chain([w.null, w.yes, w.no]) {
        let extra = match to {
            "0" | "1" | "-1" => Tags::NUM.clash(tags),
            _ if to == w.yes || to == w.no => Tags::BOOL.clash(tags),
            _ if to == w.null => Tags::OPT.clash(tags).min(1.5),
            _ => Tags::SEQ.with(Tags::BAG).with(Tags::STR).clash(tags),
        };
        s.put(Family::Initial, id, at, to, cost + extra);
        cost += 0.2;
    }
    // The first element of a sequence, or its length. What is compared with each element and takes the larger one begins with
    // an element rather than with a number of its own.
    let (best, body) = (s.of(target), s.ast.function(id).map_or("", |f| s.of(f)));
    let extreme = kind == Kind::Int
        && ["max(", "min(", "> ", "< "].iter().any(|before| body.contains(&format!("{before}{best}")));
    let first = if extreme { 0.0 } else { 0.8 };
    for (name, near, _) in s.names_at(id, Tags::SEQ, s.of(target)).into_iter().filter(|n| n.2.has(Tags::SEQ)).take(4) {
        let num = Tags::NUM.clash(tags);
        s.put(Family::Initial, id, at, format!("{name}[0]"), first + near);
        s.put(Family::Initial, id, at, format!("-{name}[0]"), first + 0.6 + near + num);
        s.put(Family::Initial, id, at, s.lang().len_of(&name), 1.0 + near + num);
        s.put(Family::Initial, id, at, format!("{} - 1", s.lang().len_of(&name)), 1.1 + near + num);
        s.put(Family::Initial, id, at, format!("[{name}]"), 2.0 + near);
        s.put(Family::Initial, id, at, format!("{{{name}}}"), 2.2 + near);
    }
}
