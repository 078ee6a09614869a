//! Conditions: negated, widened by a clause, narrowed by one, or replaced.

use super::calls::bond_of;
use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    match s.kind(id) {
        Kind::If | Kind::While | Kind::CFor | Kind::Assert => {
            let Some(condition) = s.node(id).a else { return };
            condition_of(s, id, condition);
        }
        Kind::CompIf => {
            let Some(condition) = s.node(id).a else { return };
            condition_of(s, id, condition);
            let start = s.text[..s.node(id).start].trim_end().len();
            s.put(Family::ClauseDrop, id, (start, s.node(id).end), "", 0.5);
        }
        Kind::Choice => {
            let Some(condition) = s.node(id).b else { return };
            condition_of(s, id, condition);
        }
        Kind::CompFor => filter(s, id),
        Kind::Not => positive(s, id),
        Kind::Compare | Kind::Logic | Kind::Call | Kind::Name | Kind::Index => truth(s, id),
        Kind::Assign => turned(s, id),
        Kind::Loop => {
            // Rust `loop` that should end by itself.
            let body = s.node(id).c.map(|c| s.node(c).start);
            for (name, cost, _) in s.names_at(id, Tags::SEQ, "").into_iter().take(6) {
                if let Some(body) = body {
                    let text = format!("while !{name}.is_empty() ");
                    s.put(Family::LoopCondition, id, (s.node(id).start, body), text, cost);
                }
            }
        }
        _ => {}
    }
}

fn positive(s: &mut Sketch<'_>, id: Id) {
    let Some(a) = s.node(id).a else { return };
    s.swap(Family::Negation, id, s.of(a), bond_of(s, a), 0.0);
}

/// A truth value that is part of a larger one or is returned: negated.
fn truth(s: &mut Sketch<'_>, id: Id) {
    let up = s.node(s.node(id).parent);
    let boolean = s.tags(id).has(Tags::BOOL);
    let place = match up.kind {
        Kind::Logic => 0.2,
        Kind::Return | Kind::Block | Kind::Comp if boolean => 0.2,
        Kind::Return if s.kind(id) == Kind::Call => 1.0,
        Kind::Assign if boolean && up.b == Some(id) => 0.6,
        Kind::Args if boolean => 0.8,
        _ => return,
    };
    if !s.is_value(id) {
        return;
    }
    let text = negated(s, id);
    s.swap(Family::Negation, id, &text, Bond::Compare, place);
}

/// A value that is handed on and should have been turned over on the way: `side[w] = side[v]` to `not side[v]` or `1 - side[v]`.
fn turned(s: &mut Sketch<'_>, id: Id) {
    let (Some(a), Some(b)) = (s.node(id).a, s.node(id).b) else { return };
    if !matches!(s.kind(b), Kind::Index | Kind::Member) || s.kind(a) != s.kind(b) || s.node(b).bind {
        return;
    }
    let (text, tags) = (s.of(b).to_owned(), s.tags(b));
    s.swap(
        Family::Negation,
        b,
        &format!("{}{text}", s.words().not),
        Bond::Logic,
        0.3 + Tags::BOOL.clash(tags).min(1.0),
    );
    s.swap(Family::Negation, b, &format!("-{text}"), Bond::Arith, 0.6 + Tags::NUM.clash(tags).min(1.0));
    s.swap(Family::Negation, b, &format!("1 - {text}"), Bond::Arith, 0.5 + Tags::NUM.clash(tags).min(1.0));
}

fn negated(s: &Sketch<'_>, id: Id) -> String {
    let loose = match s.lang() {
        Lang::Python => matches!(s.kind(id), Kind::Logic | Kind::Choice | Kind::Lambda),
        _ => !matches!(s.kind(id), Kind::Name | Kind::Call | Kind::Member | Kind::Index | Kind::Paren),
    };
    let not = s.words().not;
    if loose { format!("{not}({})", s.of(id)) } else { format!("{not}{}", s.of(id)) }
}

fn condition_of(s: &mut Sketch<'_>, id: Id, condition: Id) {
    let inner = s.bare(condition);
    let node = s.node(inner);
    if s.of(inner).starts_with("let ") {
        return;
    }
    let span = (node.start, node.end);
    let looped = matches!(s.kind(id), Kind::While | Kind::CFor);
    if !matches!(s.kind(inner), Kind::Not | Kind::Bool) {
        let text = negated(s, inner);
        s.put(Family::Negation, id, span, text, if looped { 1.0 } else { 0.0 });
    }
    let w = s.words();
    for (nth, word) in [w.yes, w.no].into_iter().enumerate() {
        s.put(Family::ConditionConstant, id, span, word, nth as f32 * 0.3 + if looped { 3.0 } else { 0.0 });
    }
    clauses(s, id, inner);
    replacements(s, id, inner, looped);
}

/// Terms that can be tested here, each with its cost.
pub(super) fn terms(s: &Sketch<'_>, id: Id, inner: Id) -> Vec<(String, f32)> {
    let lang = s.lang();
    let w = s.words();
    let own = s.of(inner);
    let mut terms: Vec<(String, f32)> = Vec::new();
    let names = s.names_at(id, Tags::default(), "");
    let value = names.iter().filter(|n| !n.2.has(Tags::FUNC)).take(12);
    let seqs: Vec<&String> =
        names.iter().filter(|n| n.2.has(Tags::SEQ.with(Tags::BAG))).map(|n| &n.0).take(5).collect();
    let body = s.ast.function(id).map_or("", |f| s.of(f));
    for (name, cost, tags) in value {
        let cost = *cost + if word_in(own, name) { 0.0 } else { 0.3 };
        if tags.has(Tags::OBJ.with(Tags::OPT)) || tags.0 == 0 {
            terms.push((lang.is_null(name), cost + 0.1));
        }
        if tags.has(Tags::SEQ.with(Tags::BAG).with(Tags::STR).with(Tags::BOOL).with(Tags::OBJ)) || tags.0 == 0 {
            terms.push((lang.is_empty(name), cost));
            if lang == Lang::Python {
                terms.push((name.clone(), cost + 0.6));
            }
        }
        if tags.has(Tags::NUM) || tags.0 == 0 {
            for (nth, test) in [
                format!("{name} {} 0", w.eq),
                format!("{name} < 0"),
                format!("{name} > 0"),
                format!("{name} <= 0"),
                format!("{name} {} 1", w.eq),
                format!("{name} {} 0", w.ne),
                format!("{name} >= 0"),
            ]
            .into_iter()
            .enumerate()
            {
                terms.push((test, cost + 0.3 + nth as f32 * 0.2));
            }
            for xs in seqs.iter().filter(|xs| **xs != name) {
                terms.push((format!("{name} < {}", lang.len_of(xs)), cost + 0.5));
                terms.push((format!("{name} {} {}", w.eq, lang.len_of(xs)), cost + 1.0));
                terms.push((format!("{name} >= {}", lang.len_of(xs)), cost + 0.9));
            }
        }
        for xs in seqs.iter().filter(|xs| **xs != name && !tags.has(Tags::BAG)) {
            // What is marked somewhere is asked for somewhere.
            let marked = body.contains(&format!("{xs}.add({name})")) || body.contains(&format!("{xs}[{name}] = "));
            let cost = if marked { cost - 0.6 } else { cost };
            terms.push((lang.member(name, xs), cost + 0.7));
            let not = if lang == Lang::Python {
                format!("{name} not in {xs}")
            } else {
                format!("!{}", lang.member(name, xs))
            };
            terms.push((not, cost + 0.6));
        }
    }
    let numbers: Vec<&(String, f32, Tags)> = names.iter().filter(|n| n.2.has(Tags::NUM)).take(5).collect();
    for (i, a) in numbers.iter().enumerate() {
        for b in numbers.iter().skip(i + 1) {
            let cost = (a.1 + b.1) / 2.0 + 0.9;
            for (nth, op) in ["<", w.ne, w.eq, "<=", ">", ">="].into_iter().enumerate() {
                terms.push((format!("{} {op} {}", a.0, b.0), cost + nth as f32 * 0.2));
            }
        }
    }
    terms.extend(donors(s, id, inner));
    terms.extend(alike(s, id, inner));
    terms.extend(mirrored(s, id, inner));
    terms.extend(marked(s, id, &names));
    for (name, cost, _) in names.iter().filter(|n| n.2 == Tags::NUM).take(4) {
        for xs in &seqs {
            terms.push((format!("{} % {name} {} 0", lang.len_of(xs), w.eq), cost + 1.2));
        }
    }
    terms.extend(bases(s, inner));
    terms.extend(bounds(s, inner));
    terms.sort_by(|a, b| a.1.total_cmp(&b.1));
    terms
}

/// Tests that the function makes elsewhere.
fn donors(s: &Sketch<'_>, id: Id, inner: Id) -> Vec<(String, f32)> {
    let Some(scope) = s.ast.function(id) else { return Vec::new() };
    let (end, row) = (s.node(scope).end, s.node(id).row);
    let own = s.of(inner);
    (scope..s.ast.nodes.len())
        .take_while(|other| s.node(*other).start < end)
        .filter(|other| matches!(s.kind(*other), Kind::Compare | Kind::Not) && !own.contains(s.of(*other)))
        .map(|other| (s.of(other).to_owned(), 0.5 + s.node(other).row.abs_diff(row).min(20) as f32 * 0.08))
        .collect()
}

/// Tests that the function makes of other names, as this one is made: `left < right` beside `top < bottom`, from `left <= right`.
fn alike(s: &Sketch<'_>, id: Id, inner: Id) -> Vec<(String, f32)> {
    let Some(scope) = s.ast.function(id).filter(|_| s.kind(inner) == Kind::Compare) else { return Vec::new() };
    let ([op], own) = (s.node(inner).ops.as_slice(), s.of(inner)) else { return Vec::new() };
    let (end, op) = (s.node(scope).end, &s.text[op.0..op.1]);
    let order = |op: &str| op.starts_with(['<', '>']);
    (scope..s.ast.nodes.len())
        .take_while(|other| s.node(*other).start < end)
        .filter(|other| s.kind(*other) == Kind::Compare && s.node(*other).ops.len() == 1)
        .filter(|other| s.op(*other) != op && order(op) && s.op(*other).starts_with(&op[..1]))
        .filter_map(|other| Some((s.of(s.node(other).a?), s.of(s.node(other).b?))))
        .filter(|(a, b)| !word_in(own, a) && !word_in(own, b))
        .map(|(a, b)| (format!("{a} {op} {b}"), 0.3))
        .collect()
}

/// Subscripts that another condition asks for by themselves, with the other position moved: `reach[i - 1][j]` beside `reach[i][j - 1]`.
fn mirrored(s: &Sketch<'_>, id: Id, inner: Id) -> Vec<(String, f32)> {
    let Some(scope) = s.ast.function(id) else { return Vec::new() };
    let (end, own) = (s.node(scope).end, s.of(inner));
    let mut found = Vec::new();
    for other in (scope..s.ast.nodes.len()).take_while(|other| s.node(*other).start < end) {
        let up = s.kind(s.node(other).parent);
        if s.kind(other) != Kind::Index
            || !matches!(up, Kind::Logic | Kind::If | Kind::Not)
            || own.contains(s.of(other))
        {
            continue;
        }
        found.push((s.of(other).to_owned(), 0.6));
        let Some(first) = s.node(other).a.filter(|a| s.kind(*a) == Kind::Index) else { continue };
        let (Some(base), Some(x), Some(y)) = (s.node(first).a, s.node(first).b, s.node(other).b) else { continue };
        let moved = |part: Id| -> Option<(&str, &str)> {
            let (a, b) = (s.node(part).a?, s.node(part).b?);
            (s.kind(part) == Kind::Binary && s.kind(b) == Kind::Int)
                .then(|| (s.of(a), &s.text[s.node(a).end..s.node(b).end]))
        };
        let text = match (moved(x), moved(y)) {
            (Some((a, by)), None) => format!("{}[{a}][{}{by}]", s.of(base), s.of(y)),
            (None, Some((b, by))) => format!("{}[{}{by}][{b}]", s.of(base), s.of(x)),
            _ => continue,
        };
        found.push((text, -0.6));
    }
    found.retain(|term| !own.contains(&term.0));
    found
}

/// Tuples of the function in what it keeps: `(row, column) in used`.
fn marked(s: &Sketch<'_>, id: Id, names: &[(String, f32, Tags)]) -> Vec<(String, f32)> {
    let Some(scope) = s.ast.function(id).filter(|_| s.lang() == Lang::Python) else { return Vec::new() };
    let bags: Vec<&(String, f32, Tags)> = names.iter().filter(|n| n.2.has(Tags::BAG)).take(3).collect();
    let mut found = Vec::new();
    for (tuple, far) in tuples(s, scope, s.node(id).row).into_iter().take(3) {
        for (bag, near, _) in &bags {
            found.push((format!("{tuple} in {bag}"), 0.4 + near + far));
            found.push((format!("{tuple} not in {bag}"), 0.3 + near + far));
        }
    }
    found
}

/// The function's tuples of nothing but names, as they stand in parentheses, with how far they are from a line.
pub(super) fn tuples(s: &Sketch<'_>, scope: Id, row: usize) -> Vec<(String, f32)> {
    let end = s.node(scope).end;
    let mut found: Vec<(String, f32)> = Vec::new();
    for id in (scope..s.ast.nodes.len()).take_while(|id| s.node(*id).start < end) {
        let node = s.node(id);
        let names =
            node.kind == Kind::Tuple && node.items.len() > 1 && node.items.iter().all(|i| s.kind(*i) == Kind::Name);
        if !names || node.bind {
            continue;
        }
        let text = s.of(id);
        let text = if text.starts_with('(') { text.to_owned() } else { format!("({text})") };
        let far = node.row.abs_diff(row).min(20) as f32 * 0.06;
        match found.iter_mut().find(|f| f.0 == text) {
            Some(known) => known.1 = known.1.min(far),
            None => found.push((text, far)),
        }
    }
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found
}

/// Objects that a condition reads from and that may be absent: `a.b.c` gives `a` and `a.b`.
fn bases(s: &Sketch<'_>, inner: Id) -> Vec<(String, f32)> {
    let end = s.node(inner).end;
    let lang = s.lang();
    let mut found = Vec::new();
    for id in inner..s.ast.nodes.len() {
        let node = s.node(id);
        if node.start >= end {
            break;
        }
        let Some(base) = node.a.filter(|_| node.kind == Kind::Member) else { continue };
        let object = s.of(base);
        found.push((lang.is_null(object), 0.0));
        found.push((lang.is_empty(object), 0.4));
        if lang == Lang::Python {
            found.push((object.to_owned(), 0.3));
            found.push((format!("{object} is not None"), 0.2));
        }
    }
    found
}

/// Bounds of the subscripts that a condition reads: `xs[i + 1]` gives `i + 1 < len(xs)`.
fn bounds(s: &Sketch<'_>, inner: Id) -> Vec<(String, f32)> {
    let end = s.node(inner).end;
    let mut found = Vec::new();
    for id in (inner..s.ast.nodes.len()).take_while(|id| s.node(*id).start < end) {
        let node = s.node(id);
        let (Some(base), Some(at)) = (node.a, node.b) else { continue };
        if node.kind != Kind::Index || matches!(s.kind(at), Kind::Slice | Kind::Int | Kind::Str | Kind::Tuple) {
            continue;
        }
        let (base, at) = (s.of(base), s.of(at));
        found.push((format!("{at} < {}", s.lang().len_of(base)), 0.0));
        found.push((format!("{at} >= 0"), 0.1));
        found.push((format!("{at} > 0"), 0.3));
        found.push((s.lang().member(at, base), 0.3));
        found.push((s.lang().is_empty(base), 0.4));
        if s.lang() == Lang::Python {
            found.push((base.to_owned(), 0.2));
        }
    }
    found
}

fn word_in(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

fn clauses(s: &mut Sketch<'_>, id: Id, inner: Id) {
    let node = s.node(inner);
    let (and, or) = (s.words().and, s.words().or);
    if node.kind == Kind::Bool {
        return;
    }
    let text = s.of(inner).to_owned();
    // `a or b and c` groups to the right: what is mixed is put in parentheses.
    let own = s.op(inner);
    let mixed = |op: &str| node.kind == Kind::Logic && own != op || node.kind == Kind::Choice;
    let terms = terms(s, id, inner);
    let looped = matches!(s.kind(id), Kind::While | Kind::CFor | Kind::CompIf);
    for (term, cost) in terms.into_iter().take(40).filter(|t| t.0 != text && !text.contains(&t.0)) {
        let guards = term.contains("None")
            || term.starts_with(s.words().not)
            || term.contains("null")
            || term.contains("len")
            || cost <= 0.3;
        // A condition of several clauses mostly lacks one more of its kind.
        let narrows = if node.kind == Kind::Logic { own == and } else { looped };
        for (op, late) in [(or, narrows), (and, !narrows)] {
            let old = if mixed(op) { format!("({text})") } else { text.clone() };
            let late = if late { 0.4 } else { 0.0 };
            // A test of absence protects what comes after it; other terms are added at the end.
            let (first, second) = if guards { (0.0, 0.5) } else { (0.8, 0.2) };
            s.put(Family::Clause, id, (node.start, node.end), format!("{term} {op} {old}"), cost + late + first);
            s.put(Family::Clause, id, (node.start, node.end), format!("{old} {op} {term}"), cost + late + second);
        }
    }
}

fn replacements(s: &mut Sketch<'_>, id: Id, inner: Id, looped: bool) {
    let span = (s.node(inner).start, s.node(inner).end);
    let endless = s.kind(inner) == Kind::Bool || s.of(inner) == "1";
    let lang = s.lang();
    let family = if looped { Family::LoopCondition } else { Family::Replace };
    let base = if endless { 0.0 } else { 0.8 };
    for (name, cost, tags) in
        s.names_at(id, Tags::SEQ.with(Tags::BOOL), "").into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(8)
    {
        let text = match lang {
            Lang::Python => name.clone(),
            Lang::Rust if tags.has(Tags::SEQ) => format!("!{name}.is_empty()"),
            Lang::Rust => name.clone(),
            _ if tags.has(Tags::SEQ) => format!("{name}.length > 0"),
            _ => name.clone(),
        };
        s.put(family, id, span, text, base + cost);
        if looped && tags.has(Tags::NUM) {
            s.put(family, id, span, format!("{name} > 0"), base + cost + 0.3);
        }
    }
    if endless {
        for (term, cost) in terms(s, id, inner).into_iter().take(30) {
            s.put(family, id, span, term, 0.8 + cost);
        }
    } else {
        let mut cost = 1.4;
        for (term, _) in terms(s, id, inner).into_iter().take(12) {
            s.put(Family::Replace, id, span, term, cost);
            cost += 0.2;
        }
    }
}

/// A comprehension that lacks its condition.
fn filter(s: &mut Sketch<'_>, id: Id) {
    let parent = s.node(id).parent;
    if s.node(parent).items.iter().any(|i| s.kind(*i) == Kind::CompIf) || s.lang() != Lang::Python {
        return;
    }
    let end = s.node(id).end;
    let Some(target) = s.node(id).a.filter(|a| s.kind(*a) == Kind::Name).map(|a| s.of(a).to_owned()) else { return };
    s.put(Family::Clause, id, (end, end), format!(" if {target}"), 0.5);
    let names = s.names_at(id, Tags::default(), &target);
    for (nth, (name, cost, _)) in names.into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(5).enumerate() {
        for (more, op) in ["!=", "not in", "in", "<", ">", "=="].into_iter().enumerate() {
            s.put(
                Family::Clause,
                id,
                (end, end),
                format!(" if {target} {op} {name}"),
                1.0 + cost + (nth + more) as f32 * 0.2,
            );
        }
    }
    for (nth, test) in ["> 0", "!= 0", "% 2 == 0", "is not None"].into_iter().enumerate() {
        s.put(Family::Clause, id, (end, end), format!(" if {target} {test}"), 1.2 + nth as f32 * 0.3);
    }
}
