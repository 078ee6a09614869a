//! Calls: the order, number and content of arguments, calls around values, and calls that should not be there.

use super::constants::cut;
use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    if s.kind(id) == Kind::Call {
        arguments(s, id);
        unwrap(s, id);
        if s.lang() == Lang::Python {
            python(s, id);
        }
    }
    if s.is_value(id) {
        wrap(s, id);
    }
}

fn arguments(s: &mut Sketch<'_>, id: Id) {
    let Some(args) = s.node(id).b.filter(|b| s.kind(*b) == Kind::Args) else { return };
    let items = s.node(args).items.clone();
    for (nth, pair) in items.windows(2).enumerate() {
        exchange(s, pair[0], pair[1], Family::Arguments, nth as f32 * 0.3);
    }
    if items.len() == 3 {
        exchange(s, items[0], items[2], Family::Arguments, 1.0);
    }
    for nth in 0..items.len().min(6) {
        let span = cut(s, &items, nth);
        let keyed = s.kind(items[nth]) == Kind::Keyword;
        s.put(
            if keyed { Family::Key } else { Family::ArgumentDrop },
            id,
            span,
            "",
            if keyed { 0.3 } else { 0.8 + nth as f32 * 0.2 },
        );
    }
    insert(s, id, args, &items);
    rotate(s, id, &items);
}

/// `f(a % b, b)` to `f(b, a % b)` is a plain exchange; `f(n - 1, acc)` to `f(acc, n - 1)` too.
fn exchange(s: &mut Sketch<'_>, a: Id, b: Id, family: Family, cost: f32) {
    let (x, y) = (s.node(a), s.node(b));
    let text = format!("{}{}{}", s.of(b), &s.text[x.end..y.start], s.of(a));
    s.put(family, a, (x.start, y.end), text, cost);
}

/// Three arguments, turned round.
fn rotate(s: &mut Sketch<'_>, id: Id, items: &[Id]) {
    let [a, b, c] = items else { return };
    let (x, y, z) = (s.of(*a), s.of(*b), s.of(*c));
    let span = (s.node(*a).start, s.node(*c).end);
    s.put(Family::Arguments, id, span, format!("{y}, {z}, {x}"), 1.5);
    s.put(Family::Arguments, id, span, format!("{z}, {x}, {y}"), 1.6);
}

fn insert(s: &mut Sketch<'_>, id: Id, args: Id, items: &[Id]) {
    let callee = s.node(id).a.map_or("", |a| s.of(a));
    let known = Sketch::near(&s.functions, id).into_iter().find(|f| s.node(*f).a.is_some_and(|a| s.of(a) == callee));
    let wanted = known
        .and_then(|f| s.node(f).items.iter().find(|p| s.kind(**p) == Kind::Params))
        .map(|p| s.node(*p).items.len());
    let takes_more = wanted.is_none_or(|w| w > items.len());
    let base = if takes_more { 0.0 } else { 3.0 };
    let (first, last) = match (items.first(), items.last()) {
        (Some(f), Some(l)) => (s.node(*f).start, s.node(*l).end),
        _ => (s.node(args).start + 1, s.node(args).end - 1),
    };
    let names = s.names_at(id, Tags::default(), callee);
    for (name, cost, tags) in names.into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(8) {
        let cost = base + cost + if tags.has(Tags::FUNC) { 3.0 } else { 0.0 };
        add(s, id, (first, last), items, &name, cost);
    }
    for (nth, literal) in
        ["0", "1", "-1", s.words().null, s.words().empties[0], s.words().yes, s.words().no].into_iter().enumerate()
    {
        add(s, id, (first, last), items, literal, base + 0.8 + nth as f32 * 0.3);
    }
}

fn add(s: &mut Sketch<'_>, id: Id, (first, last): (usize, usize), items: &[Id], text: &str, cost: f32) {
    if items.is_empty() {
        s.put(Family::ArgumentInsert, id, (first, last), text, cost);
    } else {
        s.put(Family::ArgumentInsert, id, (last, last), format!(", {text}"), cost);
        s.put(Family::ArgumentInsert, id, (first, first), format!("{text}, "), cost + 0.4);
    }
}

/// `f(x)` to `x`, `x.m()` to `x`.
fn unwrap(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    if !s.is_value(id) {
        return;
    }
    let items =
        node.b.map(|b| if s.kind(b) == Kind::Args { s.node(b).items.clone() } else { vec![b] }).unwrap_or_default();
    let standing = s.kind(node.parent) == Kind::ExprStmt;
    for (nth, item) in items.iter().enumerate().take(4) {
        if s.kind(*item) == Kind::Keyword || standing {
            continue;
        }
        let bond = bond_of(s, *item);
        s.swap(Family::Unwrap, id, s.of(*item), bond, nth as f32 * 0.4 + if items.len() > 1 { 0.4 } else { 0.0 });
    }
    let Some(a) = node.a else { return };
    if !standing
        && s.kind(a) == Kind::Member
        && let Some(object) = s.node(a).a
    {
        s.swap(Family::Unwrap, id, s.of(object), Bond::Atom, 0.5 + items.len() as f32 * 0.5);
    }
    if !standing && items.is_empty() {
        s.swap(Family::Unwrap, id, s.of(a), Bond::Atom, 2.0);
    }
}

pub(super) fn bond_of(s: &Sketch<'_>, id: Id) -> Bond {
    match s.kind(id) {
        Kind::Logic | Kind::Choice | Kind::Lambda | Kind::Not => Bond::Logic,
        Kind::Compare => Bond::Compare,
        Kind::Binary | Kind::Unary => Bond::Arith,
        _ => Bond::Atom,
    }
}

fn wrap(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let up = s.node(node.parent);
    let callee = up.kind == Kind::Call && up.a == Some(id);
    if callee
        || matches!(up.kind, Kind::ExprStmt | Kind::Tokens)
        || matches!(node.kind, Kind::Str | Kind::Null | Kind::Bool | Kind::Paren)
    {
        return;
    }
    let (text, tags) = (s.of(id), s.tags(id));
    if text.len() > 80 || matches!(node.kind, Kind::Int | Kind::Float) {
        return;
    }
    for (nth, (open, close)) in s.lang().wrappers().iter().enumerate() {
        let fits = match *open {
            "len(" | "sorted(" | "list(" | "set(" | "reversed(" | "sum(" | "tuple(" | "enumerate(" | "iter("
            | "max(" | "min(" => Tags::SEQ.with(Tags::BAG).with(Tags::STR).with(Tags::OPT).clash(tags),
            "int(" | "float(" | "Number(" | "parseInt(" => Tags::STR.with(Tags::NUM).clash(tags),
            "ord(" => Tags::STR.clash(tags),
            "abs(" | "range(" | "chr(" | "Math.floor(" | "Math.abs(" | "Math.ceil(" | "Math.sqrt(" => {
                Tags::NUM.clash(tags)
            }
            _ => 0.6,
        };
        // What the file calls already is likelier to be missing elsewhere.
        let used = if s.uses(open) { 0.0 } else { 0.6 };
        let around = if matches!(up.kind, Kind::For | Kind::Return | Kind::Assign | Kind::Args | Kind::Compare) {
            0.0
        } else {
            0.5
        };
        if !text.starts_with(open) && fits < 3.0 {
            let inner =
                if close.is_empty() && node.kind == Kind::Binary { format!("({text})") } else { text.to_owned() };
            s.swap(
                Family::Wrap,
                id,
                &format!("{open}{inner}{close}"),
                Bond::Atom,
                nth as f32 * 0.25 + fits + used + around,
            );
        }
    }
    for (nth, suffix) in s.lang().suffixes().iter().enumerate() {
        let fits = match *suffix {
            ".lower()" | ".upper()" | ".strip()" | ".split()" | ".rstrip()" | ".lstrip()" => {
                Tags::STR.with(Tags::SEQ).clash(tags)
            }
            ".items()" | ".keys()" | ".values()" | ".get()" => Tags::BAG.clash(tags),
            "[::-1]" | ".copy()" | ".pop()" => Tags::SEQ.with(Tags::STR).clash(tags),
            _ => 0.6,
        };
        let stem = suffix.trim_start_matches('.').trim_end_matches("()");
        let used = if s.uses(stem) { 0.0 } else { 0.6 };
        if fits < 3.0 && !text.ends_with(suffix) && tags != Tags::NUM {
            s.swap(
                Family::Wrap,
                id,
                &format!("{}{suffix}", s.tight(id)),
                Bond::Atom,
                0.8 + nth as f32 * 0.25 + fits + used,
            );
        }
    }
    if matches!(node.kind, Kind::Name | Kind::Member) && tags.has(Tags::FUNC) || node.kind == Kind::Member {
        s.swap(Family::Wrap, id, &format!("{text}()"), Bond::Atom, 0.4);
    }
    own_calls(s, id, text);
    let bond = Bond::Atom;
    // The length of a list of one is 1, whatever it holds.
    let counted = up.kind == Kind::Args && s.text[..up.start].ends_with("len");
    if !counted {
        s.swap(Family::Literal, id, &format!("[{text}]"), bond, 1.5);
    }
    extremes(s, id, text);
}

/// Around a value, a call of a function that the file defines and that takes one argument.
fn own_calls(s: &mut Sketch<'_>, id: Id, text: &str) {
    let mut cost = 0.6;
    for f in Sketch::near(&s.functions, id) {
        let Some(name) = s.node(f).a.map(|a| s.of(a)) else { continue };
        let params = s.node(f).items.iter().find(|p| s.kind(**p) == Kind::Params);
        let takes_one = params.is_some_and(|p| s.node(*p).items.len() == 1);
        let itself = text.starts_with(name);
        if takes_one && !itself && !name.starts_with("__") && cost < 3.0 {
            s.swap(Family::Wrap, id, &format!("{name}({text})"), Bond::Atom, cost);
            cost += 0.3;
        }
    }
    // A value that should have been made an object of the file's own.
    for class in Sketch::near(&s.classes, id) {
        if let Some(name) = s.node(class).a.map(|a| s.of(a)).filter(|n| !text.starts_with(n) && cost < 3.0) {
            let new = if s.words().braces { "new " } else { "" };
            s.swap(Family::Wrap, id, &format!("{new}{name}({text})"), Bond::Atom, cost + 0.3);
            cost += 0.3;
        }
    }
}

/// `max(x, y)` and `min(x, y)` with the target of the assignment, 0, 1 or a name.
fn extremes(s: &mut Sketch<'_>, id: Id, text: &str) {
    let up = s.node(s.node(id).parent);
    let assigned = up.kind == Kind::Assign && up.b == Some(id);
    let place = match up.kind {
        Kind::Assign if assigned => 0.0,
        Kind::Return => 0.6,
        Kind::Args | Kind::Slice | Kind::Index => 1.4,
        _ => return,
    };
    let tags = s.tags(id);
    if tags.has(Tags::BOOL)
        || tags.has(Tags::STR) && !tags.has(Tags::NUM)
        || s.text[s.node(id).start..].starts_with(['[', '{'])
    {
        return;
    }
    let inner = if s.words().braces && s.lang() == Lang::Rust { s.tight(id) } else { text.to_owned() };
    if let (true, Some(target)) = (assigned, up.a) {
        for (nth, which) in ["max", "min"].into_iter().enumerate() {
            let text = s.lang().extreme(which, s.of(target), &inner);
            s.swap(Family::Wrap, id, &text, Bond::Atom, 0.1 + nth as f32 * 0.1);
        }
    }
    for (nth, which) in ["max", "min"].into_iter().enumerate() {
        for (more, bound) in ["0", "1"].into_iter().enumerate() {
            let text = s.lang().extreme(which, bound, &inner);
            s.swap(Family::Wrap, id, &text, Bond::Atom, place + 0.4 + nth as f32 * 0.5 + more as f32 * 0.5);
        }
    }
    let names = s.names_at(id, Tags::NUM, text);
    for (name, cost, _) in names.into_iter().filter(|n| n.2.has(Tags::NUM) || n.2.0 == 0).take(6) {
        for which in ["max", "min"] {
            let text = s.lang().extreme(which, &inner, &name);
            s.swap(Family::Wrap, id, &text, Bond::Atom, place + 0.6 + cost);
        }
    }
}

/// Arguments that some Python calls take: sort order, defaults, bounds.
fn python(s: &mut Sketch<'_>, id: Id) {
    let (Some(a), Some(args)) = (s.node(id).a, s.node(id).b.filter(|b| s.kind(*b) == Kind::Args)) else { return };
    let callee = s.of(a).rsplit('.').next().unwrap_or("");
    let items = s.node(args).items.clone();
    let end = s.node(args).end - 1;
    let comma = if items.is_empty() { "" } else { ", " };
    let append =
        |s: &mut Sketch<'_>, family, text: &str, cost| s.put(family, id, (end, end), format!("{comma}{text}"), cost);
    match callee {
        "sorted" | "sort" | "max" | "min" => {
            let has = |word: &str| items.iter().any(|i| s.of(*i).starts_with(word));
            let (keyed, turned) = (has("key"), has("reverse"));
            if !turned && callee.starts_with("sort") {
                append(s, Family::Key, "reverse=True", 0.0);
            }
            if !keyed {
                for (nth, key) in [
                    "len",
                    "lambda x: x[0]",
                    "lambda x: x[1]",
                    "abs",
                    "lambda x: -x",
                    "str.lower",
                    "str",
                    "int",
                    "lambda x: (x[1], x[0])",
                    "lambda x: (-x[1], x[0])",
                ]
                .into_iter()
                .enumerate()
                {
                    append(s, Family::Key, &format!("key={key}"), 0.5 + nth as f32 * 0.4);
                }
                for (name, cost, _) in
                    s.names_at(id, Tags::FUNC, "").into_iter().filter(|n| n.2.has(Tags::FUNC)).take(3)
                {
                    append(s, Family::Key, &format!("key={name}"), 1.0 + cost);
                }
            }
            if callee.starts_with('m') {
                for (nth, text) in ["default=0", "default=None"].into_iter().enumerate() {
                    append(s, Family::Key, text, 1.0 + nth as f32);
                }
            }
        }
        "get" if items.len() == 1 => {
            for (nth, text) in
                ["0", "[]", "1", "\"\"", "set()", "{}", "False", "float(\"inf\")", "-1"].into_iter().enumerate()
            {
                append(s, Family::ArgumentInsert, text, 0.2 + nth as f32 * 0.2);
            }
            append(s, Family::ArgumentInsert, s.of(items[0]), 0.6);
        }
        "pop" if items.is_empty() => append(s, Family::ArgumentInsert, "0", 0.0),
        "enumerate" if items.len() == 1 => append(s, Family::ArgumentInsert, "1", 0.0),
        "round" | "zip" | "int" | "split" | "strip" => {
            for (nth, text) in ["2", "\",\"", "\" \"", "strict=True"].into_iter().enumerate() {
                append(s, Family::ArgumentInsert, text, 0.6 + nth as f32 * 0.4);
            }
        }
        _ => {}
    }
    heap(s, id, a, &items);
    // `x.sort()` against `x = sorted(x)`, `xs.append(x)` against `xs += [x]`.
    standing(s, id, a, &items);
}

/// `xs.pop()` and `xs.append(x)` on what is a heap elsewhere.
fn heap(s: &mut Sketch<'_>, id: Id, a: Id, items: &[Id]) {
    let (Kind::Member, Some(object), Some(method)) = (s.kind(a), s.node(a).a, s.node(a).b) else { return };
    let prefix = if s.uses("heapq") { "heapq." } else { "" };
    if !s.uses("heappush") && !s.uses("heappop") && prefix.is_empty() {
        return;
    }
    let (xs, span) = (s.of(object), (s.node(id).start, s.node(id).end));
    // A name that was imported by itself stands without its module.
    let name = |call: &str| {
        if s.text.contains(&format!("heapq.{call}")) || !s.uses(call) {
            format!("{prefix}{call}")
        } else {
            call.to_owned()
        }
    };
    match (s.of(method), items) {
        ("pop", _) => s.put(Family::Kin, id, span, format!("{}({xs})", name("heappop")), 0.0),
        ("append", [x]) => s.put(Family::Kin, id, span, format!("{}({xs}, {})", name("heappush"), s.of(*x)), 0.0),
        _ => {}
    }
}

/// A method call that stands alone and should have been an assignment.
fn standing(s: &mut Sketch<'_>, id: Id, a: Id, items: &[Id]) {
    let node = s.node(id);
    if s.kind(node.parent) != Kind::ExprStmt || s.kind(a) != Kind::Member {
        return;
    }
    let Some(object) = s.node(a).a.map(|o| s.of(o).to_owned()) else { return };
    let span = (node.start, node.end);
    if let [only] = items {
        let value = s.of(*only);
        s.put(Family::Target, id, span, format!("{object} = {value}"), 0.3);
        s.put(Family::Target, id, span, format!("{object} += {value}"), 1.0);
        s.put(Family::Literal, id, (s.node(*only).start, s.node(*only).end), format!("{value}[:]"), 0.4);
        s.put(Family::Literal, id, (s.node(*only).start, s.node(*only).end), format!("list({value})"), 0.8);
    }
    s.put(Family::Target, id, span, format!("{object} = {}", s.of(id)), 0.8);
}
