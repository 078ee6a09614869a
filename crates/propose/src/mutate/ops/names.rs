//! Names for other names: variables in scope, attributes and methods of the file, well-known pairs.

use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::{Bond, Sketch, similar};
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    if s.kind(id) != Kind::Name {
        return;
    }
    let parent = s.node(id).parent;
    let up = s.node(parent);
    let text = s.of(id);
    if up.kind == Kind::Import || s.ast.ancestors(id).any(|p| s.kind(p) == Kind::Import) {
        return;
    }
    kin(s, id, text);
    if up.kind == Kind::Member && up.b == Some(id) {
        attribute(s, id, text);
    } else if up.kind == Kind::Keyword && up.a == Some(id) {
        keyword(s, id, text);
    } else if !s.node(id).bind {
        variable(s, id, text);
    } else if assigned(s, id) {
        target(s, id, text);
    }
}

/// Whether a bound name is the target of a plain assignment, which may be another one.
fn assigned(s: &Sketch<'_>, id: Id) -> bool {
    let parent = s.node(id).parent;
    let holder = if s.kind(parent) == Kind::Other { s.node(parent).parent } else { parent };
    matches!(s.kind(holder), Kind::Assign | Kind::Aug | Kind::For)
        && s.kind(s.node(holder).parent) != Kind::Decl
        && !s.of(holder).starts_with("let ")
}

fn kin(s: &mut Sketch<'_>, id: Id, text: &str) {
    let node = s.node(id);
    if node.bind && s.kind(node.parent) != Kind::Member {
        return;
    }
    let called = s.kind(node.parent) == Kind::Call
        || s.kind(node.parent) == Kind::Member && s.kind(s.node(node.parent).parent) == Kind::Call;
    let tail = text.rfind("::").map_or(0, |n| n + 2);
    // Nobody takes a deque for what is filled and emptied at one end.
    let stack = text == "pop" && s.uses("deque") && !s.uses("popleft") && !s.uses("appendleft");
    for row in s.lang().kin().iter().filter(|row| row.contains(&&text[tail..])) {
        for (nth, to) in row.iter().filter(|to| **to != &text[tail..]).enumerate() {
            let cost = nth as f32 * 0.4 + if called || s.kind(node.parent) == Kind::Member { 0.0 } else { 2.0 };
            let cost = if stack && *to == "popleft" { -1.5 } else { cost };
            s.put(Family::Kin, id, (node.start + tail, node.end), *to, cost);
        }
    }
}

fn attribute(s: &mut Sketch<'_>, id: Id, text: &str) {
    let span = (s.node(id).start, s.node(id).end);
    let row = s.node(id).row;
    let calls =
        |member: Id| s.kind(s.node(member).parent) == Kind::Call && s.node(s.node(member).parent).a == Some(member);
    let called = calls(s.node(id).parent);
    let mut seen: Vec<(&str, f32)> = Vec::new();
    for up in Sketch::near(&s.members, id) {
        let Some(other) = s.node(up).b else { continue };
        let name = s.of(other);
        if name == text {
            continue;
        }
        let far = s.node(other).row.abs_diff(row).min(40) as f32 * 0.05;
        let form = if calls(up) == called { 0.0 } else { 2.0 };
        let alike = if similar(name, text) { -0.8 } else { 0.0 };
        let cost = 0.5 + far + form + alike;
        match seen.iter_mut().find(|n| n.0 == name) {
            Some(known) => known.1 = known.1.min(cost),
            None => seen.push((name, cost)),
        }
    }
    for (name, cost) in seen {
        s.put(Family::Attribute, id, span, name, cost);
    }
    // `a.b` that should have been `a`.
    let member = s.node(id).parent;
    if !called && s.is_value(member) {
        let object = s.node(member).a.map(|a| s.of(a).to_owned());
        if let Some(object) = object {
            s.swap(Family::Unwrap, member, &object, Bond::Atom, 1.5);
        }
    }
}

fn keyword(s: &mut Sketch<'_>, id: Id, text: &str) {
    let span = (s.node(id).start, s.node(id).end);
    for up in Sketch::near(&s.keywords, id) {
        let Some(other) = s.node(up).a else { continue };
        if s.of(other) != text {
            s.put(Family::Attribute, id, span, s.of(other), 2.0);
        }
    }
}

fn variable(s: &mut Sketch<'_>, id: Id, text: &str) {
    let parent = s.node(id).parent;
    let called = s.kind(parent) == Kind::Call && s.node(parent).a == Some(id);
    let tags = if called { Tags::FUNC } else { s.tags(id) };
    for (name, cost, other) in s.names_at(id, tags, text) {
        if called && !other.has(Tags::FUNC) {
            continue;
        }
        // `x - x` and `x == x` are never meant.
        let up = s.node(parent);
        let twice = matches!(up.kind, Kind::Binary | Kind::Compare)
            && [up.a, up.b].into_iter().flatten().any(|other| other != id && s.of(other) == name)
            && !matches!(s.op(parent), "+" | "*");
        s.swap(Family::Name, id, &name, Bond::Atom, cost + if twice { 3.0 } else { 0.0 });
    }
    let w = s.words();
    if !called {
        // `x` that should have been an attribute which the file has: `self.x`.
        let this = format!("{}.{text}", w.this);
        if s.fields.contains(this.as_str()) {
            s.swap(Family::Attribute, id, &this, Bond::Atom, 0.3);
        }
        attributes_of(s, id, text);
    }
}

/// `node` that should have been `node.next`: attributes which the file reads from objects.
fn attributes_of(s: &mut Sketch<'_>, id: Id, text: &str) {
    if !s.tags(id).has(Tags::OBJ) || s.kind(s.node(id).parent) == Kind::Member {
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for member in Sketch::near(&s.members, id) {
        let call = s.node(member).parent;
        let method = s.kind(call) == Kind::Call && s.node(call).a == Some(member);
        let Some(field) = s.node(member).b.map(|b| s.of(b)) else { continue };
        if method || seen.contains(&field) {
            continue;
        }
        let same = s.node(member).a.is_some_and(|a| s.of(a) == text);
        seen.push(field);
        let cost = if same { 0.3 } else { 1.2 } + seen.len() as f32 * 0.1;
        s.swap(Family::Wrap, id, &format!("{text}.{field}"), Bond::Atom, cost);
    }
}

/// Another variable as the one that is assigned.
fn target(s: &mut Sketch<'_>, id: Id, text: &str) {
    let span = (s.node(id).start, s.node(id).end);
    let tags = s.scopes.tags_of_name(s.ast, id, text);
    for (name, cost, other) in s.names_at(id, tags, text) {
        if !other.has(Tags::FUNC) {
            s.put(Family::Name, id, span, name, 0.7 + cost);
        }
    }
}
