//! Loops: the statement that moves one on, the condition under which a turn is skipped, and the step that is taken back.

use super::conditions::terms;
use super::synthesis::{Gap, insert};
use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::Sketch;
use crate::mutate::tree::{Id, Kind};

/// Statements that move a loop on, for a gap in it, each with its cost.
pub(super) fn progress(s: &Sketch<'_>, id: Id, texts: &mut Vec<(String, f32)>) {
    let Some(looped) = s.ast.in_loop(id).filter(|l| s.kind(*l) == Kind::While) else { return };
    let Some(test) = s.node(looped).a else { return };
    let end = s.words().end;
    let (from, to) = (s.node(test).start, s.node(test).end);
    let whole = s.of(looped);
    let mut seen: Vec<&str> = Vec::new();
    for name in s.ast.ids().skip(test).take_while(|n| s.node(*n).start < to) {
        let text = s.of(name);
        let counts = s.kind(name) == Kind::Name && s.node(name).start >= from && !seen.contains(&text);
        if !counts || s.tags(name).has(Tags::FUNC) || moved(whole, text) {
            continue;
        }
        seen.push(text);
        // Nothing in the loop changes what its condition reads: it never ends.
        let number = Tags::NUM.clash(s.tags(name)).min(1.0);
        let half = if s.lang() == Lang::Python { "//=" } else { "/=" };
        let steps =
            [format!("{half} 2"), ">>= 1".to_owned(), format!("{half} 10"), "*= 2".to_owned(), "-= 2".to_owned()];
        for (nth, step) in steps.into_iter().enumerate() {
            texts.push((format!("{text} {step}{end}"), number + nth as f32 * 0.15));
        }
        for member in Sketch::near(&s.members, id) {
            if let Some(field) = s.node(member).b.map(|b| s.of(b))
                && s.node(member).a.is_some_and(|a| s.of(a) == text)
                && s.kind(s.node(member).parent) != Kind::Call
            {
                texts.push((format!("{text} = {text}.{field}{end}"), -0.3));
            }
        }
        for (other, cost, tags) in
            s.names_at(id, Tags::default(), text).into_iter().filter(|n| !n.2.has(Tags::FUNC)).take(6)
        {
            if tags.has(Tags::NUM) {
                for (nth, op) in ["-=", "+=", half, "*="].into_iter().enumerate() {
                    texts.push((format!("{text} {op} {other}{end}"), number + 0.2 + cost * 0.5 + nth as f32 * 0.15));
                }
            }
            if tags.has(Tags::SEQ.with(Tags::BAG)) {
                texts.push((format!("{text} = {other}[{text}]{end}"), 0.2 + cost * 0.5));
            }
        }
    }
}

/// Whether a loop's text changes a name.
fn moved(whole: &str, name: &str) -> bool {
    let ways = [
        " = ", " += ", " -= ", " //= ", " /= ", " *= ", " >>= ", " %= ", ".pop", ".remove(", ".shift(", ".append", ", ",
    ];
    ways.iter().any(|way| whole.contains(&format!("{name}{way}")))
        || whole.contains(&format!(", {name} = "))
        || whole.contains(&format!("pop({name}"))
}

/// `if condition: continue` and `if condition: break` as the first thing of what is left of a turn.
pub(super) fn skips(s: &mut Sketch<'_>, id: Id, gap: &Gap) {
    if s.ast.in_loop(id).is_none() || gap.last {
        return;
    }
    let end = s.words().end;
    let unit = if gap.indent.contains('\t') { "\t" } else { "    " };
    let rest = rest_of(s, id);
    for (nth, (term, cost)) in terms(s, id, id).into_iter().take(24).enumerate() {
        // What the rest of the turn reads is what it must not be done for.
        let read = rest.iter().any(|base| term.contains(base.as_str()));
        let cost = cost.max(0.0) * 0.7 + nth as f32 * 0.03 + if read { 0.0 } else { 0.6 };
        for (late, word) in [(0.0, "continue"), (0.35, "break")] {
            let text = match s.lang() {
                Lang::Python => format!("if {term}:\n{}{unit}{word}", gap.indent),
                Lang::Rust => format!("if {term} {{ {word}{end} }}"),
                _ => format!("if ({term}) {word}{end}"),
            };
            insert(s, Family::Skip, id, gap, &text, cost + late);
        }
    }
}

/// Names that a statement reads.
fn rest_of(s: &Sketch<'_>, id: Id) -> Vec<String> {
    let end = s.node(id).end;
    let names = (id..s.ast.nodes.len()).take_while(|n| s.node(*n).start < end).filter(|n| s.kind(*n) == Kind::Name);
    names.map(|n| s.of(n).to_owned()).collect()
}

/// Whether a function of a size that a person writes calls itself.
pub(super) fn calls_itself(s: &Sketch<'_>, scope: Id) -> bool {
    let Some(name) = s.node(scope).a.map(|a| s.of(a)) else { return false };
    let end = s.node(scope).end;
    s.of(scope).len() < 10_000
        && (scope..s.ast.nodes.len()).take_while(|id| s.node(*id).start < end).any(|id| {
            s.kind(id) == Kind::Call && s.node(id).a.is_some_and(|a| s.of(a).rsplit('.').next() == Some(name))
        })
}

/// What a function that calls itself sets back after the call: `grid[r][c] = 0` after `grid[r][c] = digit`, with a value that the place
/// is compared with, and `total -= x` after `total += x`.
pub(super) fn set_back(s: &Sketch<'_>, (scope, statement): (Id, Id), far: f32, texts: &mut Vec<(String, f32)>) {
    let Some(set) = s.node(statement).a.filter(|a| matches!(s.kind(*a), Kind::Assign | Kind::Aug)) else { return };
    let (Some(place), Some(value)) = (s.node(set).a, s.node(set).b) else { return };
    let (place_text, value_text) = (s.of(place), s.of(value));
    if s.kind(set) == Kind::Aug {
        let back = match s.op(set) {
            "+=" => "-=",
            "-=" => "+=",
            "^=" => "^=",
            _ => return,
        };
        texts.push((format!("{place_text} {back} {value_text}"), 0.1 + far));
        return;
    }
    if s.kind(place) != Kind::Index || matches!(s.kind(value), Kind::Bool) {
        return;
    }
    let base = place_text.split('[').next().unwrap_or("");
    let end = s.node(scope).end;
    let asked = (scope..s.ast.nodes.len())
        .take_while(|id| s.node(*id).start < end)
        .filter(|id| s.kind(*id) == Kind::Compare && s.of(*id).starts_with(&format!("{base}[")))
        .filter_map(|id| s.node(id).b)
        .filter(|b| matches!(s.kind(*b), Kind::Int | Kind::Str | Kind::Null))
        .map(|b| s.of(b));
    let mut empties: Vec<&str> = Vec::new();
    for empty in asked.chain(["0", s.words().null, "-1"]) {
        if empty != value_text && !empties.contains(&empty) {
            texts.push((format!("{place_text} = {empty}"), 0.1 + far + empties.len() as f32 * 0.25));
            empties.push(empty);
        }
    }
}

/// What takes back an addition that the function makes: `xs.append(x)` is taken back by `xs.pop()`.
pub(super) fn undone(s: &Sketch<'_>, text: &str, far: f32, texts: &mut Vec<(String, f32)>) {
    let w = s.words();
    let marks = format!("] = {}", w.yes);
    if let Some((place, rest)) = text.split_once(&marks) {
        texts.push((format!("{place}] = {}{rest}", w.no), 0.2 + far));
        return;
    }
    let (put, takes): (&str, &[&str]) = match s.lang() {
        Lang::Python if text.contains(".add(") => (".add(", &[".remove(", ".discard("]),
        Lang::Python if text.contains(".append(") => (".append(", &[".pop()", ".remove("]),
        Lang::Python => return,
        _ if text.contains(".push(") => (".push(", &[".pop()"]),
        Lang::Rust if text.contains(".insert(") => (".insert(", &[".remove("]),
        _ if text.contains(".add(") => (".add(", &[".delete("]),
        _ => return,
    };
    let Some((object, rest)) = text.split_once(put) else { return };
    for (nth, take) in takes.iter().enumerate() {
        let rest = if take.ends_with("()") { s.words().end } else { rest };
        texts.push((format!("{object}{take}{rest}"), 0.5 + far + nth as f32 * 0.3));
    }
}
