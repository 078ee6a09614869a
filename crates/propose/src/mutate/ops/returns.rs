//! What a function gives back.

use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    match s.kind(id) {
        Kind::Return | Kind::Yield => {
            if let Some(value) = s.node(id).a {
                returned(s, id, value);
            } else if s.kind(id) == Kind::Return {
                bare(s, id);
            }
        }
        Kind::Block if s.lang() == Lang::Rust => {
            let last = s.node(id).items.last().copied();
            let function = s.kind(s.node(id).parent) == Kind::Function;
            if let Some(last) = last.filter(|l| function && s.is_value(*l)) {
                returned(s, last, last);
            }
        }
        Kind::ExprStmt => forgotten(s, id),
        _ => {}
    }
}

fn bare(s: &mut Sketch<'_>, id: Id) {
    let end = s.node(id).start + "return".len();
    for (name, cost, _) in s.names_at(id, Tags::default(), "").into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(8) {
        s.put(Family::Return, id, (end, end), format!(" {name}"), cost);
    }
    for (nth, text) in ["0", s.words().yes, s.words().no, s.words().empties[0]].into_iter().enumerate() {
        s.put(Family::Return, id, (end, end), format!(" {text}"), 0.5 + nth as f32 * 0.3);
    }
}

/// A call whose value should have been returned.
fn forgotten(s: &mut Sketch<'_>, id: Id) {
    let Some(value) = s.node(id).a else { return };
    if s.ast.function(id).is_none() {
        return;
    }
    match s.kind(value) {
        Kind::Call => {
            s.put(Family::Return, id, (s.node(value).start, s.node(value).start), "return ", 0.3);
            if !s.words().braces {
                s.put(Family::Yield, id, (s.node(value).start, s.node(value).start), "yield from ", 1.0);
            }
        }
        Kind::Assign => {
            let Some(right) = s.node(value).b else { return };
            let text = format!("return {}", s.of(right));
            s.put(Family::Return, id, (s.node(value).start, s.node(value).end), text, 2.0);
        }
        _ => {}
    }
}

/// What the other returns of a function give back.
pub(super) fn sisters(s: &Sketch<'_>, function: Id) -> Tags {
    let end = s.node(function).end;
    let mut tags = Tags::default();
    for id in function..s.ast.nodes.len() {
        if s.node(id).start >= end {
            break;
        }
        if s.kind(id) == Kind::Return && s.ast.function(id) == Some(function) {
            tags = tags.with(s.node(id).a.map_or(Tags::OPT, |a| s.tags(a)));
        }
    }
    tags
}

/// Literals that are given back at the edges of a problem, the fitting ones first.
pub(super) fn literals(s: &Sketch<'_>, function: Id) -> Vec<(String, f32)> {
    let tags = sisters(s, function);
    let w = s.words();
    let lang = s.lang();
    let mut all: Vec<(String, f32)> = Vec::new();
    let number = Tags::NUM.clash(tags);
    for (nth, n) in ["0", "1", "-1"].into_iter().enumerate() {
        all.push((n.to_owned(), nth as f32 * 0.3 + number));
    }
    let boolean = Tags::BOOL.clash(tags);
    all.push((w.no.to_owned(), 0.2 + boolean));
    all.push((w.yes.to_owned(), 0.3 + boolean));
    all.push((w.null.to_owned(), 0.6 + Tags::OPT.clash(tags)));
    let list = Tags::SEQ.clash(tags);
    match lang {
        Lang::Python => {
            all.push(("[]".to_owned(), 0.1 + list));
            all.push(("[[]]".to_owned(), 0.4 + list));
            all.push(("\"\"".to_owned(), 0.2 + Tags::STR.clash(tags)));
            all.push(("{}".to_owned(), 0.8 + Tags::BAG.clash(tags)));
            all.push(("set()".to_owned(), 0.9 + Tags::BAG.clash(tags)));
            all.push(("float(\"inf\")".to_owned(), 1.0 + number));
        }
        Lang::Rust => {
            all.push(("Vec::new()".to_owned(), 0.1 + list));
            all.push(("String::new()".to_owned(), 0.4 + Tags::STR.clash(tags)));
        }
        _ => {
            all.push(("[]".to_owned(), 0.1 + list));
            all.push(("[[]]".to_owned(), 0.4 + list));
            all.push(("\"\"".to_owned(), 0.2 + Tags::STR.clash(tags)));
            all.push(("undefined".to_owned(), 0.9 + Tags::OPT.clash(tags)));
            all.push(("{}".to_owned(), 0.9 + Tags::BAG.clash(tags)));
        }
    }
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    all
}

fn returned(s: &mut Sketch<'_>, id: Id, value: Id) {
    let Some(function) = s.ast.function(id) else { return };
    let (kind, text) = (s.kind(value), s.of(value).to_owned());
    let tags = s.tags(value);
    let names = s.names_at(id, tags, &text);
    let values: Vec<&(String, f32, Tags)> = names.iter().filter(|n| !n.2.has(Tags::FUNC)).collect();
    for (name, cost, _) in values.iter().take(8) {
        // A name for a name is a name swap already.
        if kind != Kind::Name {
            // A literal that is given back at an edge is mostly another literal's slip.
            let edge = matches!(kind, Kind::Int | Kind::Bool | Kind::Null | Kind::List | Kind::Str | Kind::Unary);
            let late = if edge { 0.8 } else { 0.0 };
            s.put(Family::Return, id, (s.node(value).start, s.node(value).end), name, 0.3 + cost + late);
        }
    }
    for (literal, cost) in literals(s, function) {
        if literal != text {
            let constant = matches!(kind, Kind::Int | Kind::Bool | Kind::Null | Kind::List | Kind::Str | Kind::Unary);
            let late = if constant { 0.0 } else { 1.5 };
            s.put(Family::Return, id, (s.node(value).start, s.node(value).end), literal, 0.4 + cost + late);
        }
    }
    if matches!(kind, Kind::List | Kind::Int | Kind::Null | Kind::Bool | Kind::Str | Kind::Dict)
        && s.lang() != Lang::Rust
    {
        for (name, cost, _) in values.iter().take(6) {
            s.put(Family::Literal, id, (s.node(value).start, s.node(value).end), format!("[{name}]"), 0.6 + cost);
        }
    }
    if s.lang() == Lang::Python && tags.has(Tags::SEQ.with(Tags::STR)) {
        // What was collected from the end.
        for (name, cost, _) in values.iter().filter(|n| n.2.has(Tags::SEQ)).take(3) {
            s.put(Family::Return, id, (s.node(value).start, s.node(value).end), format!("{name}[::-1]"), 1.2 + cost);
        }
    }
    tests(s, id, value, &values);
    if kind != Kind::Int && kind != Kind::Null {
        let negative = if matches!(kind, Kind::Name | Kind::Call | Kind::Index | Kind::Member) {
            format!("-{text}")
        } else {
            format!("-({text})")
        };
        if tags.has(Tags::NUM) {
            s.swap(Family::Negation, value, &negative, Bond::Arith, 1.2);
        }
    }
    // Two values, where the other returns give two.
    if kind == Kind::Tuple
        && let Some(first) = s.node(value).items.first()
    {
        let first = s.of(*first).to_owned();
        s.put(Family::Unwrap, id, (s.node(value).start, s.node(value).end), first, 1.0);
    }
}

/// `return True` that should have been a test: `return depth == 0`.
fn tests(s: &mut Sketch<'_>, id: Id, value: Id, names: &[&(String, f32, Tags)]) {
    let boolean = s.tags(value).has(Tags::BOOL);
    if !boolean || matches!(s.kind(value), Kind::Not) {
        return;
    }
    let base = if s.kind(value) == Kind::Bool { 0.0 } else { 1.0 };
    let (lang, w) = (s.lang(), s.words());
    let span = (s.node(value).start, s.node(value).end);
    let text = s.of(value).to_owned();
    let constant = s.kind(value) == Kind::Bool;
    for (name, _, tags) in names.iter().take(10) {
        // Nearness counts here, the kind of the old value does not.
        let far = s
            .scopes
            .visible(s.ast, id)
            .iter()
            .find(|b| b.name == *name)
            .map_or(2.0, |b| b.distance(s.node(id).row).min(20) as f32 * 0.06);
        let mut forms: Vec<(String, f32)> = Vec::new();
        if tags.has(Tags::NUM) || tags.0 == 0 {
            forms.push((format!("{name} {} 0", w.eq), 0.2));
            forms.push((format!("{name} > 0"), 0.6));
            forms.push((format!("{name} {} 0", w.ne), 0.7));
            forms.push((format!("{name} {} 1", w.eq), 0.8));
            forms.push((format!("{name} > 1"), 0.9));
        }
        if !tags.has(Tags::NUM) || tags.has(Tags::SEQ) {
            forms.push((lang.is_empty(name), 0.3));
            forms.push((format!("{} {} 0", lang.len_of(name), w.eq), 0.5));
            forms.push((lang.is_null(name), 0.9));
        }
        for (test, cost) in forms {
            if constant {
                s.put(Family::ReturnTest, id, span, test, base + cost + far);
            } else {
                s.put(Family::Clause, id, span, format!("{text} {} {test}", w.and), base + cost + far);
                s.put(Family::Clause, id, span, format!("{text} {} {test}", w.or), base + cost + far + 0.2);
            }
        }
    }
    if constant {
        for (i, a) in names.iter().take(6).enumerate() {
            for b in names.iter().take(6).skip(i + 1) {
                for (nth, op) in [w.eq, "<", ">", "<=", w.ne].into_iter().enumerate() {
                    s.put(
                        Family::ReturnTest,
                        id,
                        span,
                        format!("{} {op} {}", a.0, b.0),
                        1.2 + (a.1 + b.1) * 0.3 + nth as f32 * 0.2,
                    );
                }
            }
        }
    }
}
