//! Positions: subscripts, slices and ranges, which are off by one more often than anything else.

use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    match s.kind(id) {
        Kind::Index => {
            subscript(s, id);
            chain(s, id);
            whole(s, id);
        }
        Kind::Slice => slice(s, id),
        Kind::Call => range(s, id),
        _ => {}
    }
    if s.is_value(id) {
        cut_off(s, id);
        shift(s, id);
    }
}

fn span(s: &Sketch<'_>, id: Id) -> (usize, usize) {
    (s.node(id).start, s.node(id).end)
}

fn subscript(s: &mut Sketch<'_>, id: Id) {
    let parts: Vec<Id> = s.node(id).items.iter().skip(1).copied().collect();
    for pair in parts.windows(2) {
        let text = format!("{}{}{}", s.of(pair[1]), &s.text[s.node(pair[0]).end..s.node(pair[1]).start], s.of(pair[0]));
        s.put(Family::Subscript, id, (s.node(pair[0]).start, s.node(pair[1]).end), text, 0.0);
    }
    if let [only] = parts.as_slice()
        && s.kind(*only) != Kind::Slice
    {
        let at = span(s, *only);
        for (cost, to) in ["0", "-1", "1", "-2"].into_iter().enumerate() {
            if s.words().braces && to.starts_with('-') {
                continue;
            }
            s.put(Family::Subscript, id, at, to, 0.8 + cost as f32 * 0.3);
        }
        // `xs[i]` against `xs[len(xs) - 1 - i]`, and a slice that begins or ends there.
        let (Some(a), text) = (s.node(id).a, s.operand(*only)) else { return };
        let len = s.lang().len_of(s.of(a));
        s.put(Family::Subscript, id, at, format!("{len} - 1 - {text}"), 1.8);
        s.put(Family::Subscript, id, at, format!("{len} - 1"), 1.9);
        // A position that has a name of its own.
        if matches!(s.kind(*only), Kind::Binary | Kind::Int) {
            let base = if s.kind(*only) == Kind::Binary { 0.6 } else { 1.0 };
            let names = s.names_at(id, Tags::NUM, "").into_iter().filter(|n| n.2 == Tags::NUM || n.2.0 == 0);
            for (name, cost, _) in names.take(5) {
                s.put(Family::Subscript, id, at, name, base + cost);
            }
        }
        // The same from a length that has a name.
        for (name, cost, _) in s.names_at(id, Tags::NUM, s.of(*only)).into_iter().filter(|n| n.2 == Tags::NUM).take(3) {
            s.put(Family::Subscript, id, at, format!("{name} - 1 - {text}"), 1.6 + cost);
        }
        if s.lang() == Lang::Python && !s.node(id).bind {
            s.put(Family::Slice, id, at, format!("{}:", s.of(*only)), 1.0);
            s.put(Family::Slice, id, at, format!(":{}", s.of(*only)), 1.1);
            s.put(Family::Subscript, id, at, format!("-{}", s.tight(*only)), 1.5);
            s.put(Family::Subscript, id, at, format!("{} % {len}", s.tight(*only)), 1.4);
        }
    }
}

/// `a[i][j]` to `a[j][i]`.
fn chain(s: &mut Sketch<'_>, id: Id) {
    let Some(inner) = s.node(id).a.filter(|a| s.kind(*a) == Kind::Index) else { return };
    let (Some(x), Some(y), Some(base)) = (s.node(inner).b, s.node(id).b, s.node(inner).a) else { return };
    let text = format!("{}[{}][{}]", s.of(base), s.of(y), s.of(x));
    s.put(Family::Subscript, id, span(s, id), text, 0.0);
}

/// `a[i]` to `a` or to `i`.
fn whole(s: &mut Sketch<'_>, id: Id) {
    if s.node(id).bind {
        return;
    }
    let (Some(a), Some(b)) = (s.node(id).a, s.node(id).b) else { return };
    s.swap(Family::Unwrap, id, s.of(a), Bond::Atom, 0.8);
    if s.kind(b) != Kind::Slice {
        s.swap(Family::Unwrap, id, s.of(b), Bond::Arith, 1.0);
    }
}

fn slice(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let parts = [node.a, node.b, node.c];
    let python = s.lang() == Lang::Python;
    if node.ops.is_empty() {
        return;
    }
    let texts: Vec<String> = parts.iter().map(|p| p.map_or(String::new(), |p| s.of(p).to_owned())).collect();
    let sep = if python { ":" } else { s.op(id) };
    let make = |a: &str, b: &str, c: &str| {
        let step = if c.is_empty() { String::new() } else { format!(":{c}") };
        format!("{a}{sep}{b}{step}")
    };
    let (a, b, c) = (texts[0].as_str(), texts[1].as_str(), texts[2].as_str());
    let mut forms: Vec<(String, f32)> = Vec::new();
    if !a.is_empty() {
        forms.push((make("", b, c), 0.8));
        forms.push((make(&format!("{a} + 1"), b, c), 0.2));
        forms.push((make(&format!("{a} - 1"), b, c), 0.4));
    } else {
        forms.push((make("1", b, c), 0.4));
        forms.push((make("0", b, c), 3.0));
    }
    if !b.is_empty() {
        forms.push((make(a, "", c), 0.8));
        forms.push((make(a, &format!("{b} + 1"), c), 0.2));
        forms.push((make(a, &format!("{b} - 1"), c), 0.4));
    } else if python {
        forms.push((make(a, "-1", c), 0.5));
        if !a.is_empty() {
            forms.push((make(a, &after(a), c), 0.7));
        }
    }
    if !a.is_empty() || !b.is_empty() {
        forms.push((make(b, a, c), 0.6));
    }
    if python && a.is_empty() != b.is_empty() {
        // The other end: `[1:]` and `[:-1]`, `[-k:]` and `[:k]`.
        let bound = parts[0].or(parts[1]);
        let turned = match bound.map(|part| (s.kind(part), s.node(part).a)) {
            Some((Kind::Unary, Some(inner))) => s.of(inner).to_owned(),
            _ => bound.map_or(String::new(), |part| format!("-{}", s.tight(part))),
        };
        let (same, other) = (make(&turned, "", c), make("", &turned, c));
        let (same, other) = if a.is_empty() { (other, same) } else { (same, other) };
        forms.push((other, 0.3));
        forms.push((same, 0.7));
    }
    if python {
        for step in ["-1", "2"].into_iter().filter(|step| *step != c) {
            forms.push((make(a, b, step), 1.0));
        }
        if !c.is_empty() {
            forms.push((make(a, b, ""), 0.6));
        }
        forms.push((make("", "", "-1"), 1.6));
        forms.push((make("", "", ""), 2.0));
    }
    for (name, cost, _) in s.names_at(id, Tags::NUM, "").into_iter().filter(|n| n.2.has(Tags::NUM)).take(6) {
        if a.is_empty() {
            forms.push((make(&name, b, c), 0.8 + cost));
        }
        if b.is_empty() {
            forms.push((make(a, &name, c), 0.8 + cost));
            forms.push((make(a, &format!("{name} + 1"), c), 1.4 + cost));
        } else if a.is_empty() || python {
            forms.push((make(a, &format!("{b} + {name}"), c), 1.4 + cost));
            forms.push((make(a, &format!("{a} + {name}"), c), 1.6 + cost));
        }
    }
    if python || s.words().braces {
        for (text, cost) in forms {
            s.put(Family::Slice, id, span(s, id), text, cost);
        }
    }
}

/// One more than a position: `i + 2` after `i + 1`.
fn after(position: &str) -> String {
    let more =
        position.rsplit_once(" + ").and_then(|(stem, by)| Some(format!("{stem} + {}", by.parse::<u32>().ok()? + 1)));
    more.unwrap_or_else(|| format!("{position} + 1"))
}

/// `range(a, b, c)`: its bounds, and arguments that are too many or too few.
fn range(s: &mut Sketch<'_>, id: Id) {
    let (Some(callee), Some(args)) = (s.node(id).a, s.node(id).b) else { return };
    if s.of(callee) != "range" || s.kind(args) != Kind::Args {
        return;
    }
    let items = s.node(args).items.clone();
    let inner = (s.node(args).start + 1, s.node(args).end - 1);
    let t: Vec<String> = items.iter().map(|i| s.of(*i).to_owned()).collect();
    let mut forms: Vec<(String, f32)> = Vec::new();
    match t.as_slice() {
        [n] => {
            forms.push((format!("{n} + 1"), 0.0));
            forms.push((format!("{n} - 1"), 0.1));
            forms.push((format!("1, {n}"), 0.2));
            forms.push((format!("1, {n} + 1"), 0.3));
            forms.push((format!("2, {n} + 1"), 0.8));
            forms.push((format!("2, {n}"), 0.7));
            forms.push((format!("{n} - 1, -1, -1"), 0.6));
            forms.push((format!("{n}, 0, -1"), 1.0));
            forms.push((format!("0, {n}, 2"), 1.2));
        }
        [a, b] => {
            forms.push((format!("{a}, {b} + 1"), 0.0));
            forms.push((format!("{a}, {b} - 1"), 0.1));
            forms.push((format!("{a} + 1, {b}"), 0.2));
            forms.push((format!("{a} - 1, {b}"), 0.5));
            forms.push((format!("{a} + 1, {b} + 1"), 0.6));
            forms.push((b.clone(), 0.8));
            forms.push((format!("{b} - 1, {a} - 1, -1"), 0.9));
            forms.push((format!("{b}, {a}, -1"), 1.0));
            forms.push((format!("{a}, {b}, -1"), 0.9));
            forms.push((format!("{a}, {b}, 2"), 1.1));
            forms.push((format!("{b}, {a} - 1, -1"), 1.2));
        }
        [a, b, c] => {
            forms.push((format!("{a}, {b} + 1, {c}"), 0.0));
            forms.push((format!("{a}, {b} - 1, {c}"), 0.1));
            forms.push((format!("{a} - 1, {b}, {c}"), 0.2));
            forms.push((format!("{a} + 1, {b}, {c}"), 0.4));
            forms.push((format!("{a}, {b}"), 0.6));
            forms.push((format!("{b} - 1, {a} - 1, -1"), 0.9));
        }
        _ => {}
    }
    if let Some(step_free) = (t.len() == 2 || t.len() == 1).then(|| t.join(", ")) {
        let head = if t.len() == 1 { format!("0, {step_free}") } else { step_free };
        for (name, cost, _) in s.names_at(id, Tags::NUM, "").into_iter().filter(|n| n.2.has(Tags::NUM)).take(6) {
            forms.push((format!("{head}, {name}"), 1.2 + cost));
            if let [n] = t.as_slice() {
                forms.push((format!("{name}, {n}"), 0.8 + cost));
                forms.push((format!("{name} + 1, {n}"), 0.7 + cost));
                forms.push((format!("{name}, {n} + 1"), 0.9 + cost));
            }
        }
    }
    for (text, cost) in forms {
        s.put(Family::Range, id, inner, text, cost);
    }
}

/// A sequence without its first or last element, up to or from a position, or turned round.
fn cut_off(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    if !matches!(node.kind, Kind::Name | Kind::Member | Kind::Call | Kind::Index) {
        return;
    }
    let up = s.node(node.parent);
    let place = match up.kind {
        Kind::Args | Kind::For | Kind::CompFor | Kind::Return => 0.0,
        Kind::Assign | Kind::Compare | Kind::Binary => 0.6,
        _ => return,
    };
    let tags = s.tags(id);
    if tags != Tags::default() && !tags.has(Tags::SEQ.with(Tags::STR)) || tags.has(Tags::FUNC) {
        return;
    }
    let unsure = Tags::SEQ.clash(tags);
    let text = s.of(id);
    let forms: &[(&str, f32)] = match s.lang() {
        Lang::Python => &[
            ("[1:]", 0.0),
            ("[:-1]", 0.3),
            ("[::-1]", 0.8),
            ("[:]", 0.9),
            ("[0]", 0.6),
            ("[-1]", 0.7),
            ("[1]", 1.2),
            ("[2:]", 1.4),
        ],
        Lang::Rust => &[("[1..]", 0.5), ("[0]", 1.0)],
        _ => &[(".slice(1)", 0.0), (".slice(0, -1)", 0.4), (".slice()", 0.5), ("[0]", 0.6)],
    };
    for (suffix, cost) in forms {
        s.swap(Family::CutOff, id, &format!("{text}{suffix}"), Bond::Atom, cost + place + unsure);
    }
    for (name, cost, _) in
        s.names_at(id, Tags::NUM, text).into_iter().filter(|n| n.2.has(Tags::NUM) || n.2.0 == 0).take(5)
    {
        let (from, upto, at) = match s.lang() {
            Lang::Python => (format!("[{name}:]"), format!("[:{name}]"), format!("[{name}]")),
            Lang::Rust => (format!("[{name}..]"), format!("[..{name}]"), format!("[{name}]")),
            _ => (format!(".slice({name})"), format!(".slice(0, {name})"), format!("[{name}]")),
        };
        for (nth, suffix) in [from, upto, at].into_iter().enumerate() {
            s.swap(
                Family::CutOff,
                id,
                &format!("{text}{suffix}"),
                Bond::Atom,
                0.4 + nth as f32 * 0.3 + cost + place + unsure,
            );
        }
    }
}

/// `x` to `x + 1` and `x - 1`, where numbers decide: positions, bounds, arguments, returned and compared values.
fn shift(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let tags = s.tags(id);
    if matches!(node.kind, Kind::Int | Kind::Float) && s.kind(node.parent) != Kind::Args {
        return;
    }
    if tags != Tags::default() && !tags.has(Tags::NUM)
        || tags.has(Tags::FUNC)
        || matches!(node.kind, Kind::Str | Kind::Paren)
    {
        return;
    }
    let up = s.node(node.parent);
    if up.kind == Kind::Call && up.a == Some(id)
        || up.kind == Kind::Member
        || up.kind == Kind::Index && up.a == Some(id)
    {
        return;
    }
    let place = match up.kind {
        Kind::Index | Kind::Slice => 0.0,
        Kind::Args | Kind::Return | Kind::Compare => 0.3,
        Kind::Assign | Kind::Binary | Kind::Pair | Kind::Tuple | Kind::Paren | Kind::Around | Kind::List => 0.6,
        Kind::Aug | Kind::Choice | Kind::Lambda | Kind::Comp | Kind::Block | Kind::Yield | Kind::Logic => 1.0,
        _ => return,
    };
    let unsure = if tags.0 == 0 { 0.5 } else { 0.0 };
    let text = s.operand(id);
    let order = if up.kind == Kind::Index { ["-", "+"] } else { ["+", "-"] };
    for (nth, op) in order.into_iter().enumerate() {
        s.swap(Family::Shift, id, &format!("{text} {op} 1"), Bond::Arith, place + unsure + nth as f32 * 0.15);
    }
}
