//! What stands beside something of the same kind and is not treated as it: one operand inside a call and the other not, one
//! index moved and the other not, one value between two bounds and the other below one.

use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::sketch::{Bond, Sketch};
use crate::mutate::tree::{Id, Kind};

/// An edit by example comes before others of its family.
const FIRST: f32 = -0.6;

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    let siblings = beside(s, id);
    for x in &siblings {
        for y in siblings.iter().filter(|y| *y != x) {
            called(s, *x, *y);
            moved(s, *x, *y);
            bounded(s, *x, *y);
        }
    }
    if s.kind(id) == Kind::Call {
        cleaned(s, id);
    }
}

/// Parts of a node that play the same part in it.
fn beside(s: &Sketch<'_>, id: Id) -> Vec<Id> {
    let node = s.node(id);
    match node.kind {
        Kind::Binary | Kind::Compare => node.a.into_iter().chain(node.b).collect(),
        Kind::Logic => {
            let mut parts = Vec::new();
            clauses(s, id, &mut parts);
            // Only the outermost of nested ones, which sees all.
            if s.kind(node.parent) == Kind::Logic { Vec::new() } else { parts }
        }
        Kind::Tuple | Kind::List | Kind::Args if node.items.len() <= 4 => node.items.clone(),
        Kind::Index => {
            let mut parts: Vec<Id> = node.items.iter().skip(1).copied().collect();
            let inner = node.a.filter(|a| s.kind(*a) == Kind::Index);
            parts.extend(inner.and_then(|a| s.node(a).b));
            parts
        }
        _ => Vec::new(),
    }
}

fn clauses(s: &Sketch<'_>, id: Id, parts: &mut Vec<Id>) {
    let id = s.bare(id);
    if s.kind(id) != Kind::Logic {
        return parts.push(id);
    }
    for part in [s.node(id).a, s.node(id).b].into_iter().flatten() {
        clauses(s, part, parts);
    }
}

/// `f(a - b) + (c - d)` to `f(a - b) + f(c - d)`.
fn called(s: &mut Sketch<'_>, x: Id, y: Id) {
    let (Some(callee), Some(args)) = (s.node(x).a, s.node(x).b) else { return };
    if s.kind(x) != Kind::Call || s.kind(args) != Kind::Args || s.kind(callee) != Kind::Name {
        return;
    }
    let [only] = s.node(args).items.as_slice() else { return };
    let bare = s.bare(y);
    let (name, inner) = (s.of(callee), s.of(bare));
    if s.kind(bare) != s.kind(*only) || !s.is_value(y) || s.of(y).starts_with(&format!("{name}(")) {
        return;
    }
    s.swap(Family::Wrap, y, &format!("{name}({inner})"), Bond::Atom, FIRST);
}

/// `t[i - 1][j]` to `t[i - 1][j - 1]`, `f(a + 1, b)` to `f(a + 1, b + 1)`.
fn moved(s: &mut Sketch<'_>, x: Id, y: Id) {
    let (Some(_), Some(by)) = (s.node(x).a, s.node(x).b) else { return };
    let op = s.op(x);
    if s.kind(x) != Kind::Binary || s.kind(by) != Kind::Int || !matches!(op, "+" | "-") {
        return;
    }
    let indexed = s.kind(s.node(y).parent) == Kind::Index;
    if s.kind(y) != Kind::Name || !s.is_value(y) || !indexed && s.kind(s.node(y).parent) != Kind::Args {
        return;
    }
    let text = format!("{} {op} {}", s.of(y), s.of(by));
    s.swap(Family::Shift, y, &text, Bond::Arith, if indexed { FIRST } else { 0.2 });
}

/// `0 <= y < rows and x < cols` to `0 <= y < rows and 0 <= x < cols`.
fn bounded(s: &mut Sketch<'_>, x: Id, y: Id) {
    if s.lang() != Lang::Python || s.kind(x) != Kind::Compare || s.kind(y) != Kind::Compare {
        return;
    }
    let (first, second) = (s.node(x), s.node(y));
    let ([low, _], [op], Some(least)) = (first.ops.as_slice(), second.ops.as_slice(), first.a) else { return };
    let (low, op) = (&s.text[low.0..low.1], &s.text[op.0..op.1]);
    if op.starts_with('<') && low.starts_with('<') {
        let text = format!("{} {low} {}", s.of(least), s.of(y));
        s.put(Family::Clause, y, (second.start, second.end), text, FIRST);
    } else if op.starts_with('>')
        && let (Some(a), Some(b)) = (second.a, second.b)
        && let Some(most) = first.items.get(2)
    {
        // `y >= 0` that should have been `0 <= y < rows`: the upper bound is another one, so it comes later.
        let text = format!("{} {low} {} < {}", s.of(b), s.of(a), s.of(*most));
        s.put(Family::Clause, y, (second.start, second.end), text, 0.4);
    }
}

/// A method without arguments that one value of a statement goes through, on its other names: `key` beside `value.strip()`.
fn cleaned(s: &mut Sketch<'_>, id: Id) {
    let (Some(callee), Some(args)) = (s.node(id).a, s.node(id).b) else { return };
    if s.kind(callee) != Kind::Member || s.kind(args) != Kind::Args || !s.node(args).items.is_empty() || !s.is_value(id)
    {
        return;
    }
    let (Some(object), Some(method)) = (s.node(callee).a, s.node(callee).b) else { return };
    if s.kind(object) != Kind::Name || s.kind(s.node(id).parent) == Kind::ExprStmt {
        return;
    }
    let (own, method) = (s.of(object), s.of(method).to_owned());
    let statement = s.ast.statement(id);
    if s.node(statement).c.is_some() {
        return;
    }
    let end = s.node(statement).end;
    let names: Vec<Id> = (statement..s.ast.nodes.len())
        .take_while(|other| s.node(*other).start < end)
        .filter(|other| s.kind(*other) == Kind::Name && s.is_value(*other) && s.of(*other) != own)
        .filter(|other| {
            let up = s.node(s.node(*other).parent);
            up.kind != Kind::Member && !(up.kind == Kind::Call && up.a == Some(*other))
        })
        .take(4)
        .collect();
    for name in names {
        s.swap(Family::Wrap, name, &format!("{}.{method}()", s.of(name)), Bond::Atom, FIRST + 0.4);
    }
}
