//! Expressions: the order and number of operands, precedence, and expressions that stand elsewhere in the function.

use super::calls::bond_of;
use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    match s.kind(id) {
        Kind::Binary | Kind::Logic => {
            operands(s, id);
            precedence(s, id);
        }
        Kind::Compare => sides(s, id),
        Kind::Paren => release(s, id),
        Kind::Not | Kind::Unary => widen(s, id),
        Kind::Call => across(s, id),
        Kind::Tuple | Kind::Other => pairs(s, id),
        Kind::Choice => choice(s, id),
        _ => {}
    }
    if s.is_value(id) {
        add(s, id);
        donate(s, id);
    } else if s.node(id).bind && matches!(s.kind(id), Kind::Index | Kind::Member) {
        donate(s, id);
    }
}

fn span(s: &Sketch<'_>, id: Id) -> (usize, usize) {
    (s.node(id).start, s.node(id).end)
}

fn sides(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let ([op], Some(a), Some(b)) = (node.ops.as_slice(), node.a, node.b) else { return };
    let op = &s.text[op.0..op.1];
    let text = format!("{} {op} {}", s.of(b), s.of(a));
    // Turning a symmetric comparison changes nothing.
    if !matches!(op, "==" | "!=" | "===" | "!==" | "is" | "is not") {
        s.put(Family::OperandSwap, id, span(s, id), text, 0.5);
    }
}

fn operands(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let (Some(a), Some(b)) = (node.a, node.b) else { return };
    let op = s.op(id);
    let arithmetic = node.kind == Kind::Binary;
    let commutes =
        matches!(op, "*" | "&" | "|" | "^") || op == "+" && s.tags(id) == Tags::NUM && s.tags(a).has(Tags::NUM);
    if arithmetic && !commutes {
        let text = format!("{} {op} {}", s.tight(b), s.of(a));
        s.put(Family::OperandSwap, id, span(s, id), text, if op == "+" { 0.0 } else { 0.2 });
    }
    // `a + b + c` to `c + b + a`.
    if let (true, Some(x), Some(y)) = (arithmetic && !commutes && s.kind(a) == Kind::Binary, s.node(a).a, s.node(a).b)
        && s.op(a) == op
    {
        let text = format!("{} {op} {} {op} {}", s.tight(b), s.of(y), s.of(x));
        s.put(Family::OperandSwap, id, span(s, id), text, 0.3);
    }
    let (drop, base) = if arithmetic { (Family::OperandDrop, 0.2) } else { (Family::ClauseDrop, 0.0) };
    s.swap(drop, id, s.of(a), bond_of(s, a), base);
    s.swap(drop, id, s.of(b), bond_of(s, b), base + 0.2);
    if !arithmetic {
        // The order of clauses matters where the second relies on the first.
        let text = format!("{} {op} {}", s.of(b), s.of(a));
        s.put(Family::OperandSwap, id, span(s, id), text, 1.0);
    }
}

/// Other ways to group what stands here: `a + b * c` to `(a + b) * c`.
fn precedence(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let (Some(a), Some(b)) = (node.a, node.b) else { return };
    let op = s.op(id);
    if let (Kind::Binary | Kind::Logic, Some(x), Some(y)) = (s.kind(b), s.node(b).a, s.node(b).b) {
        let text = format!("({} {op} {}) {} {}", s.of(a), s.of(x), s.op(b), s.of(y));
        s.put(Family::Precedence, id, span(s, id), text, 0.0);
    }
    if let (Kind::Binary | Kind::Logic, Some(x), Some(y)) = (s.kind(a), s.node(a).a, s.node(a).b)
        && !(s.op(a) == op && matches!(op, "+" | "*" | "and" | "or" | "&&" | "||" | "&" | "|" | "^"))
    {
        let text = format!("{} {} ({} {op} {})", s.of(x), s.op(a), s.of(y), s.of(b));
        s.put(Family::Precedence, id, span(s, id), text, 0.0);
    }
    regrouped(s, id, a);
    if matches!(s.kind(a), Kind::Not | Kind::Unary) && node.kind == Kind::Logic {
        let Some(inner) = s.node(a).a else { return };
        let text = format!("{}({} {op} {})", s.words().not, s.of(inner), s.of(b));
        s.put(Family::Precedence, id, span(s, id), text, 0.2);
    }
    if s.kind(a) == Kind::Unary && node.kind == Kind::Binary {
        let Some(inner) = s.node(a).a else { return };
        let sign = &s.text[s.node(a).start..s.node(inner).start];
        let text = format!("{sign}({} {op} {})", s.of(inner), s.of(b));
        s.put(Family::Precedence, id, span(s, id), text, 0.3);
    }
    // `a < b + c` against `a < b` with more: `a + (b < c)` is never meant and never made.
    outward(s, id, a, b, op);
}

/// `a and b or c or d` to `a and (b or c or d)`: the parentheses around all that follows.
fn regrouped(s: &mut Sketch<'_>, id: Id, a: Id) {
    let (kind, op) = (s.kind(id), s.op(id));
    let chained = |x: Id| s.kind(x) == kind && s.op(x) == op;
    let mut first = a;
    while let Some(next) = s.node(first).a.filter(|_| chained(first)) {
        first = next;
    }
    let (Some(x), Some(y)) = (s.node(first).a, s.node(first).b) else { return };
    if first == a || s.kind(first) != kind || chained(s.node(id).parent) {
        return;
    }
    let rest = &s.text[s.node(first).end..s.node(id).end];
    let text = format!("{} {} ({}{rest})", s.of(x), s.op(first), s.of(y));
    s.put(Family::Precedence, id, span(s, id), text, 0.0);
}

/// `f(x) - 1` to `f(x - 1)`.
fn outward(s: &mut Sketch<'_>, id: Id, a: Id, b: Id, op: &str) {
    if s.kind(id) != Kind::Binary {
        return;
    }
    for (call, other, first) in [(a, b, true), (b, a, false)] {
        if s.kind(call) != Kind::Call {
            continue;
        }
        let Some(args) = s.node(call).b.filter(|b| s.kind(*b) == Kind::Args) else { continue };
        let Some(last) = s.node(args).items.last().copied().filter(|l| s.kind(*l) != Kind::Keyword) else { continue };
        let moved = if first {
            format!("{} {op} {}", s.operand(last), s.tight(other))
        } else {
            format!("{} {op} {}", s.operand(other), s.tight(last))
        };
        let (from, to) = span(s, call);
        let (x, y) = span(s, last);
        let text = format!("{}{moved}{}", &s.text[from..x], &s.text[y..to]);
        s.put(Family::Precedence, id, span(s, id), text, 0.8);
    }
}

/// `f(x - 1)` to `f(x) - 1`.
fn across(s: &mut Sketch<'_>, id: Id) {
    if !s.is_value(id) {
        return;
    }
    let Some(args) = s.node(id).b.filter(|b| s.kind(*b) == Kind::Args) else { return };
    let Some(last) = s.node(args).items.last().copied().filter(|l| matches!(s.kind(*l), Kind::Binary | Kind::Compare))
    else {
        return;
    };
    let (Some(a), Some(b)) = (s.node(last).a, s.node(last).b) else { return };
    let (from, to) = span(s, id);
    let (x, y) = span(s, last);
    let op = s.op(last);
    let bond = if s.kind(last) == Kind::Compare { Bond::Compare } else { Bond::Arith };
    let text = format!("{}{}{} {op} {}", &s.text[from..x], s.of(a), &s.text[y..to], s.tight(b));
    s.swap(Family::Precedence, id, &text, bond, 0.4);
    let text = format!("{} {op} {}{}{}", s.tight(a), &s.text[from..x], s.of(b), &s.text[y..to]);
    s.swap(Family::Precedence, id, &text, bond, 1.2);
}

/// Parentheses that should not be there.
fn release(s: &mut Sketch<'_>, id: Id) {
    let Some(inner) = s.node(id).a else { return };
    let grouped = matches!(s.kind(inner), Kind::Binary | Kind::Logic | Kind::Compare | Kind::Unary | Kind::Choice);
    let up = s.node(s.node(id).parent);
    if grouped && matches!(up.kind, Kind::Binary | Kind::Logic | Kind::Compare | Kind::Not | Kind::Unary) {
        s.put(Family::Precedence, id, span(s, id), s.of(inner), 0.0);
    }
}

/// `-a ** b` to `(-a) ** b`, `not a` of a larger thing.
fn widen(s: &mut Sketch<'_>, id: Id) {
    let Some(a) = s.node(id).a else { return };
    if matches!(s.kind(a), Kind::Binary | Kind::Compare)
        && let (Some(x), Some(y)) = (s.node(a).a, s.node(a).b)
    {
        let sign = &s.text[s.node(id).start..s.node(a).start];
        let text = format!("({sign}{}) {} {}", s.of(x), s.op(a), s.of(y));
        s.put(Family::Precedence, id, span(s, id), text, 0.6);
    }
    // `not (a and b)` to `(not a) and b`, and to `not a or not b` the other way round.
    if s.kind(a) == Kind::Paren
        && let Some(inner) = s.node(a).a.filter(|i| s.kind(*i) == Kind::Logic)
        && let (Some(x), Some(y)) = (s.node(inner).a, s.node(inner).b)
    {
        let not = s.words().not;
        let text = format!("{not}{} {} {not}{}", s.tight(x), s.op(inner), s.tight(y));
        s.swap(Family::Precedence, id, &text, Bond::Logic, 0.6);
    }
}

/// Two values of a tuple or of a target list, exchanged.
fn pairs(s: &mut Sketch<'_>, id: Id) {
    let up = s.kind(s.node(id).parent);
    let list = s.kind(id) == Kind::Tuple || matches!(up, Kind::Assign | Kind::For | Kind::CompFor);
    let items = s.node(id).items.clone();
    if !list || items.len() < 2 || items.len() > 5 {
        return;
    }
    for pair in items.windows(2) {
        let (x, y) = (s.node(pair[0]), s.node(pair[1]));
        let text = format!("{}{}{}", s.of(pair[1]), &s.text[x.end..y.start], s.of(pair[0]));
        s.put(Family::OperandSwap, id, (x.start, y.end), text, 0.1);
    }
}

fn choice(s: &mut Sketch<'_>, id: Id) {
    let (Some(a), Some(b), Some(c)) = (s.node(id).a, s.node(id).b, s.node(id).c) else { return };
    let text = match s.lang() {
        Lang::Python => format!("{} if {} else {}", s.of(c), s.of(b), s.of(a)),
        _ => format!("{} ? {} : {}", s.of(b), s.of(c), s.of(a)),
    };
    s.put(Family::OperandSwap, id, span(s, id), text, 0.2);
    // `x + y if z else 0` to `x + (y if z else 0)`.
    if let (Kind::Binary, Some(x), Some(y)) = (s.kind(a), s.node(a).a, s.node(a).b)
        && s.lang() == Lang::Python
    {
        let text = format!("{} {} ({} if {} else {})", s.of(x), s.op(a), s.of(y), s.of(b), s.of(c));
        s.put(Family::Precedence, id, span(s, id), text, 0.0);
    }
    s.swap(Family::OperandDrop, id, s.of(a), bond_of(s, a), 1.5);
    s.swap(Family::OperandDrop, id, s.of(c), bond_of(s, c), 1.6);
}

/// A term that is missing: `x` to `x * y`, `x ** 2`, `x + name`, `xs + [x]`.
fn add(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let up = s.node(node.parent);
    let callee = matches!(up.kind, Kind::Call | Kind::Member | Kind::Index) && up.a == Some(id);
    let place = match up.kind {
        _ if callee => return,
        Kind::Assign if up.b == Some(id) => 0.0,
        Kind::Return | Kind::Args => 0.1,
        Kind::Aug | Kind::Compare | Kind::Index | Kind::Paren | Kind::Lambda | Kind::Block => 0.5,
        Kind::Binary => 0.4,
        Kind::Slice | Kind::Tuple | Kind::List | Kind::Comp | Kind::Choice | Kind::Pair => 0.8,
        Kind::Yield => 0.5,
        _ => return,
    };
    if up.kind == Kind::Assign && up.b != Some(id)
        || matches!(node.kind, Kind::Null | Kind::Bool | Kind::Lambda | Kind::Paren)
    {
        return;
    }
    let tags = s.tags(id);
    if tags.has(Tags::BOOL) || tags.has(Tags::FUNC) || s.of(id).len() > 90 {
        return;
    }
    let (text, tight, factor) = (s.operand(id), s.tight(id), s.factor(id));
    let literal = if matches!(node.kind, Kind::Int | Kind::Str) { 0.8 } else { 0.0 };
    let number = Tags::NUM.clash(tags);
    if number < 3.0 {
        let power = if s.lang() == Lang::Rust { None } else { Some(format!("{tight} ** 2")) };
        let half = if s.lang() == Lang::Python { format!("{tight} // 2") } else { format!("{tight} / 2") };
        let forms = [
            power,
            Some(format!("{tight} * 2")),
            Some(half),
            Some(format!("{tight} % 2")),
            Some(format!("{tight} * 10")),
            Some(format!("{tight} * {tight}")),
        ];
        for (nth, form) in forms.into_iter().flatten().enumerate() {
            s.swap(Family::OperandAdd, id, &form, Bond::Product, 0.1 + nth as f32 * 0.3 + place + number + literal);
        }
    }
    if number < 3.0 && literal == 0.0 {
        let sequences = s.names_at(id, Tags::SEQ, "").into_iter().filter(|n| n.2.has(Tags::SEQ.with(Tags::STR)));
        for (name, cost, _) in sequences.take(3) {
            let len = s.lang().len_of(&name);
            s.swap(Family::OperandAdd, id, &format!("{factor} % {len}"), Bond::Product, 0.6 + cost + place);
            s.swap(Family::OperandAdd, id, &format!("{len} - {tight}"), Bond::Arith, 1.0 + cost + place);
        }
    }
    let names = s.names_at(id, if tags.0 == 0 { Tags::NUM } else { tags }, s.of(id));
    for (name, cost, other) in names.into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(7) {
        let cost = cost + place + literal;
        if Tags::NUM.clash(other) < 3.0 && number < 3.0 {
            let sums = [format!("{text} - {name}"), format!("{text} + {name}"), format!("{name} - {tight}")];
            let products = [format!("{factor} * {name}"), format!("{factor} % {name}")];
            let forms =
                sums.into_iter().map(|f| (f, Bond::Arith)).chain(products.into_iter().map(|f| (f, Bond::Product)));
            for (nth, (form, bond)) in forms.enumerate() {
                s.swap(Family::OperandAdd, id, &form, bond, 0.3 + cost + nth as f32 * 0.15);
            }
        }
        if (Tags::SEQ.with(Tags::STR)).clash(other) < 3.0 && (Tags::SEQ.with(Tags::STR)).clash(tags) < 3.0 {
            s.swap(Family::OperandAdd, id, &format!("{name} + {text}"), Bond::Arith, 0.4 + cost);
            s.swap(Family::OperandAdd, id, &format!("{text} + {name}"), Bond::Arith, 0.5 + cost);
        }
        if tags.has(Tags::SEQ) && s.lang() == Lang::Python {
            s.swap(Family::OperandAdd, id, &format!("{text} + [{name}]"), Bond::Arith, 0.6 + cost);
            s.swap(Family::OperandAdd, id, &format!("[{name}] + {text}"), Bond::Arith, 0.7 + cost);
        }
    }
}

/// An expression that stands elsewhere in the same function.
fn donate(s: &mut Sketch<'_>, id: Id) {
    let node = s.node(id);
    let up = s.node(node.parent);
    if !matches!(
        node.kind,
        Kind::Name | Kind::Index | Kind::Call | Kind::Member | Kind::Binary | Kind::Int | Kind::Compare
    ) {
        return;
    }
    let callee = up.kind == Kind::Call && up.a == Some(id);
    let based = matches!(up.kind, Kind::Member | Kind::Index) && up.a == Some(id) && node.kind == Kind::Name;
    if callee || up.kind == Kind::ExprStmt || based {
        return;
    }
    let Some(scope) = s.ast.function(id) else { return };
    let (text, tags) = (s.of(id), s.tags(id));
    let visible: Vec<String> = s.scopes.visible(s.ast, id).iter().map(|b| b.name.clone()).collect();
    let mut seen: Vec<&str> = vec![text];
    let mut found: Vec<(Id, f32)> = Vec::new();
    let (from, to) = span(s, scope);
    for other in scope..s.ast.nodes.len() {
        let there = s.node(other);
        if there.start >= to {
            break;
        }
        let fits = matches!(there.kind, Kind::Index | Kind::Call | Kind::Member | Kind::Binary | Kind::Name)
            && there.start >= from;
        let name = if fits { s.of(other) } else { continue };
        // Plain names come from the scope, below.
        if there.kind == Kind::Name {
            continue;
        }
        let inside =
            there.start >= node.start && there.end <= node.end || there.start <= node.start && there.end >= node.end;
        let callee = matches!(s.kind(there.parent), Kind::Call) && s.node(there.parent).a == Some(other);
        if inside || callee || name.len() > 50 || name.contains('\n') || seen.contains(&name) {
            continue;
        }
        if there.bind && there.kind == Kind::Name || node.bind && !matches!(there.kind, Kind::Index | Kind::Member) {
            continue;
        }
        if there.kind != Kind::Name && !there.bind && !s.is_value(other) || !uses_only(s, other, &visible) {
            continue;
        }
        seen.push(name);
        let kinds = if there.kind == node.kind { 0.0 } else { 0.5 };
        let far = there.row.abs_diff(node.row).min(20) as f32 * 0.1;
        let size = name.len().abs_diff(text.len()) as f32 * 0.03;
        found.push((other, 0.2 + kinds + far + size + tags.clash(s.tags(other)).min(2.0)));
    }
    if !matches!(node.kind, Kind::Name | Kind::Int) && !node.bind {
        for (name, cost, _) in s.names_at(id, tags, text).into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(8) {
            // What is worked out and read by nothing is what was meant to be kept.
            let whole = up.kind == Kind::Assign && up.b == Some(id);
            if whole && up.a.is_some_and(|a| s.of(a) == name) {
                continue;
            }
            let unread = whole && s.scopes.visible(s.ast, id).iter().any(|b| b.name == name && b.idle());
            s.swap(Family::Replace, id, &name, Bond::Atom, 0.2 + cost - if unread { 1.0 } else { 0.0 });
        }
    }
    found.sort_by(|x, y| x.1.total_cmp(&y.1));
    for (other, cost) in found.into_iter().take(14) {
        let bond = bond_of(s, other);
        let family = if node.bind { Family::Target } else { Family::Replace };
        s.swap(family, id, s.of(other), bond, cost);
    }
}

/// Whether every name in an expression can be used where it is to go.
fn uses_only(s: &Sketch<'_>, id: Id, visible: &[String]) -> bool {
    let end = s.node(id).end;
    for inner in id..s.ast.nodes.len() {
        let node = s.node(inner);
        if node.start >= end {
            break;
        }
        let called = s.kind(node.parent) == Kind::Call && s.node(node.parent).a == Some(inner);
        if node.kind == Kind::Name
            && !node.bind
            && !called
            && !visible.iter().any(|v| v == s.of(inner))
            && s.of(inner) != s.words().this
        {
            return false;
        }
    }
    true
}
