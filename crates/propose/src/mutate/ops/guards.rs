//! Base cases and edge cases that are not there, at a function's entry.

use super::loops::calls_itself;
use super::returns::{literals, sisters};
use super::statements::docstring;
use crate::mutate::language::Lang;
use crate::mutate::prior::Family;
use crate::mutate::scope::Tags;
use crate::mutate::sketch::Sketch;
use crate::mutate::tree::{Id, Kind};

/// Candidates at one node.
pub(super) fn at(s: &mut Sketch<'_>, id: Id) {
    if s.kind(id) == Kind::Function {
        guards(s, id);
    }
}

/// Base cases and edge cases at a function's entry, from its parameters.
fn guards(s: &mut Sketch<'_>, id: Id) {
    let Some(body) = s.node(id).c.filter(|c| s.kind(*c) == Kind::Block) else { return };
    let items = s.node(body).items.clone();
    let first = items.iter().copied().find(|i| !docstring(s, *i));
    let Some(first) = first.filter(|f| s.leads_line(*f)) else { return };
    let Some(params) = s.node(id).items.iter().copied().find(|p| s.kind(*p) == Kind::Params) else { return };
    let names: Vec<(String, Tags)> = s
        .ast
        .ids()
        .skip(params)
        .take_while(|n| s.node(*n).start < s.node(params).end)
        .filter(|n| s.kind(*n) == Kind::Name && s.node(*n).bind && s.of(*n) != s.words().this)
        .map(|n| (s.of(n).to_owned(), s.scopes.tags_of_name(s.ast, first, s.of(n))))
        .collect();
    let (lang, w) = (s.lang(), s.words());
    let recursive = calls_itself(s, id);
    // A function that gives nothing back is left with a bare return.
    let silent = match lang {
        Lang::Rust => !s.text[s.node(id).start..s.node(body).start].contains("->"),
        _ => !s.of(body).contains("return "),
    };
    let mut results = if silent { vec![(String::new(), 0.0)] } else { literals(s, id) };
    // Where lists of lists are built, nothing to choose leaves one way to choose it.
    if s.of(body).contains(".append([") {
        results.iter_mut().filter(|r| r.0 == "[[]]").for_each(|r| r.1 -= 0.4);
        results.sort_by(|a, b| a.1.total_cmp(&b.1));
    }
    let given = sisters(s, id);
    let mut made: Vec<(String, String, f32)> = Vec::new();
    // Names of the function around this one, which it counts towards.
    let outside: Vec<(String, f32, Tags)> = match s.ast.function(id) {
        Some(_) => s.names_at(first, Tags::default(), "").into_iter().filter(|n| !n.2.has(Tags::FUNC)).collect(),
        None => Vec::new(),
    };
    let outside: Vec<_> = outside.into_iter().filter(|o| names.iter().all(|n| n.0 != o.0)).take(4).collect();
    for (nth, (name, tags)) in names.iter().enumerate().take(4) {
        let base = nth as f32 * 0.3;
        let mut conditions: Vec<(String, f32)> = Vec::new();
        let seq = tags.has(Tags::SEQ.with(Tags::STR).with(Tags::BAG)) || tags.0 == 0;
        let num = tags.has(Tags::NUM) || tags.0 == 0;
        if seq {
            conditions.push((lang.is_empty(name), 0.0));
            conditions.push((format!("{} <= 1", lang.len_of(name)), 0.3));
            conditions.push((format!("{} {} 1", lang.len_of(name), w.eq), 0.6));
            conditions.push((format!("{} {} 0", lang.len_of(name), w.eq), 1.5));
        }
        if num {
            let unsure = if tags.0 == 0 { 0.6 } else { 0.0 };
            for (cost, test) in [
                format!("{name} {} 0", w.eq),
                format!("{name} <= 1"),
                format!("{name} < 0"),
                format!("{name} < 2"),
                format!("{name} <= 0"),
                format!("{name} {} 1", w.eq),
            ]
            .into_iter()
            .enumerate()
            {
                conditions.push((test, unsure + cost as f32 * 0.15));
            }
        }
        if tags.has(Tags::OBJ.with(Tags::OPT)) || !tags.has(Tags::NUM) {
            conditions.push((lang.is_null(name), if silent { 0.0 } else { 0.5 }));
        }
        conditions.extend(relations(s, body, name, &names));
        conditions.extend(outside.iter().flat_map(|other| against(s, (name, *tags), other)));
        for (condition, cost) in conditions {
            for (result, by) in results.iter().take(9) {
                made.push((condition.clone(), result.clone(), base + cost + by));
            }
            for (more, (value, kind)) in names.iter().enumerate().take(if silent { 0 } else { 3 }) {
                let unlike = kind.clash(given) * 0.4;
                made.push((condition.clone(), value.clone(), base + cost + 0.2 + more as f32 * 0.3 + unlike));
            }
            if !silent {
                made.push((condition, format!("[{name}]"), base + cost + 1.5));
            }
        }
    }
    for (i, a) in names.iter().enumerate().take(3) {
        for b in names.iter().skip(i + 1).take(3) {
            if a.1.clash(b.1) < 3.0 && !silent {
                for (cost, op) in [w.eq, ">", "<", ">="].into_iter().enumerate() {
                    for (result, by) in results.iter().take(6).chain([(a.0.clone(), 0.4), (b.0.clone(), 0.6)].iter()) {
                        made.push((format!("{} {op} {}", a.0, b.0), result.clone(), 1.0 + cost as f32 * 0.4 + by));
                    }
                }
            }
        }
    }
    made.extend(by_example(s, (&items, first), &names, &outside, &results));
    if recursive && lang == Lang::Python && !silent {
        absent(&names, &mut made);
    }
    made.sort_by(|x, y| x.2.total_cmp(&y.2));
    let late = if recursive { 0.0 } else { 0.4 };
    let indent = s.indent_of(s.node(first).start).to_owned();
    let unit = if indent.starts_with('\t') { "\t" } else { "    " };
    // Among base cases that stand there already, one more mostly comes last.
    let cases = items.iter().skip_while(|i| **i != first).take_while(|i| leaves(s, **i).is_some()).count();
    let from = items.iter().position(|i| *i == first).unwrap_or(0);
    let after = items.get(from + cases).copied().filter(|i| cases > 0 && s.leads_line(*i));
    let places: Vec<(Id, f32)> =
        after.map(|i| (i, 0.0)).into_iter().chain([(first, if after.is_some() { 0.3 } else { 0.0 })]).collect();
    for (condition, result, cost) in made.into_iter().take(160) {
        let result = if result.is_empty() { result } else { format!(" {result}") };
        let text = match lang {
            Lang::Python => format!("{indent}if {condition}:\n{indent}{unit}return{result}\n"),
            Lang::Rust => format!("{indent}if {condition} {{\n{indent}{unit}return{result};\n{indent}}}\n"),
            _ => format!("{indent}if ({condition}) return{result};\n"),
        };
        for (place, later) in &places {
            let at = s.line_start(s.node(*place).start);
            s.put(Family::Guard, *place, (at, at), text.clone(), cost + late + later);
        }
    }
}

/// A base case like one that is there, of another parameter: `if j == len(target): return …` beside `if i == len(text): return 0`.
fn by_example(
    s: &Sketch<'_>,
    (items, first): (&[Id], Id),
    names: &[(String, Tags)],
    outside: &[(String, f32, Tags)],
    results: &[(String, f32)],
) -> Vec<(String, String, f32)> {
    let mut made = Vec::new();
    let cases = items.iter().skip_while(|i| **i != first);
    for (case, test) in cases.map_while(|i| Some((*i, leaves(s, *i)?))) {
        let own = s.of(case).trim_end_matches([';', '}', ' ', '\n']);
        for (from, to) in pairs(names.iter().map(|n| n.0.as_str())) {
            let Some(moved) = replaced(s.of(test), from, to) else { continue };
            let mut tests = vec![(moved.clone(), 0.3)];
            for (a, b) in pairs(outside.iter().map(|n| n.0.as_str())) {
                tests.extend(replaced(&moved, a, b).map(|test| (test, 0.0)));
            }
            for (test, cost) in tests {
                for (result, by) in results.iter().take(6) {
                    // The same test of two parameters seldom gives the same.
                    let same = if own.ends_with(format!("return {result}").trim_end()) { 0.3 } else { 0.0 };
                    made.push((test.clone(), result.clone(), cost + by + same - 0.5));
                }
            }
        }
    }
    made
}

/// All ordered pairs of different ones.
fn pairs<'n>(names: impl Iterator<Item = &'n str>) -> Vec<(&'n str, &'n str)> {
    let all: Vec<&str> = names.take(4).collect();
    all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))).filter(|(a, b)| a != b).collect()
}

/// The text with one word for another; `None` if it has not got it, or has the other already.
fn replaced(text: &str, from: &str, to: &str) -> Option<String> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = text.split_inclusive(|c| !inside(c)).collect();
    let bare = |word: &str| word.trim_end_matches(|c| !inside(c)).to_owned();
    if !words.iter().any(|w| bare(w) == from) || words.iter().any(|w| bare(w) == to) {
        return None;
    }
    Some(words.into_iter().map(|w| if bare(w) == from { w.replacen(from, to, 1) } else { w.to_owned() }).collect())
}

/// Of two trees or lists that are walked side by side, one has ended.
fn absent(names: &[(String, Tags)], made: &mut Vec<(String, String, f32)>) {
    let gone: Vec<&str> = names.iter().filter(|n| !n.1.has(Tags::NUM)).map(|n| n.0.as_str()).take(3).collect();
    for (nth, pair) in gone.windows(2).enumerate() {
        let (a, b, cost) = (pair[0], pair[1], 0.4 + nth as f32 * 0.3);
        let either = format!("{a} is None or {b} is None");
        made.push((either.clone(), format!("{a} is {b}"), cost));
        made.push((format!("not {a} or not {b}"), format!("{a} == {b}"), cost + 0.1));
        made.push((either.clone(), format!("{a} or {b}"), cost + 0.3));
        made.push((either, "False".to_owned(), cost + 0.3));
        made.push((format!("{a} is None and {b} is None"), "True".to_owned(), cost + 0.2));
    }
}

/// The condition of a statement that only gives something back, sets a default or raises: a base case. `None` for others.
fn leaves(s: &Sketch<'_>, id: Id) -> Option<Id> {
    let node = s.node(id);
    let node = if node.kind == Kind::ExprStmt { node.a.map_or(node, |a| s.node(a)) } else { node };
    let one = |body: Id| s.kind(body) != Kind::Block || s.node(body).items.len() == 1;
    let base = node.kind == Kind::If && node.items.len() == 2 && node.c.is_some_and(one);
    node.a.filter(|_| base).map(|test| s.bare(test))
}

/// Tests of a parameter against a name of the function around: `start == len(text)`, `opened > pairs`.
fn against(s: &Sketch<'_>, (name, tags): (&str, Tags), (other, _, kind): &(String, f32, Tags)) -> Vec<(String, f32)> {
    if !(tags.has(Tags::NUM) || tags.0 == 0) {
        return Vec::new();
    }
    let (eq, len) = (s.words().eq, s.lang().len_of(other));
    if kind.has(Tags::SEQ.with(Tags::STR)) || s.text.contains(&len) {
        vec![(format!("{name} {eq} {len}"), 0.1), (format!("{name} >= {len}"), 0.3)]
    } else if kind.has(Tags::NUM) || kind.0 == 0 {
        vec![
            (format!("{name} {eq} {other}"), 0.5),
            (format!("{name} > {other}"), 0.4),
            (format!("{name} >= {other}"), 0.7),
        ]
    } else {
        Vec::new()
    }
}

/// Tests of a parameter against what the function does with it: `key not in self.items` where it reads `self.items[key]`,
/// `n > len(xs)` where both are parameters.
fn relations(s: &Sketch<'_>, body: Id, name: &str, names: &[(String, Tags)]) -> Vec<(String, f32)> {
    let lang = s.lang();
    let end = s.node(body).end;
    let mut found: Vec<(String, f32)> = Vec::new();
    for id in (body..s.ast.nodes.len()).take_while(|id| s.node(*id).start < end) {
        let (Some(base), Some(at)) = (s.node(id).a, s.node(id).b) else { continue };
        if s.kind(id) != Kind::Index || s.of(at) != name || s.of(base).len() > 30 {
            continue;
        }
        let base = s.of(base);
        let has = lang.member(name, base);
        let lacks = if lang == Lang::Python { format!("{name} not in {base}") } else { format!("!{has}") };
        for (test, cost) in [(lacks, 0.0), (has, 0.3), (format!("{name} >= {}", lang.len_of(base)), 0.4)] {
            if !found.iter().any(|f| f.0 == test) {
                found.push((test, cost));
            }
        }
    }
    let tags = names.iter().find(|n| n.0 == name).map_or(Tags::default(), |n| n.1);
    for (other, kind) in names.iter().filter(|n| n.0 != name) {
        let counted = tags.has(Tags::NUM) && kind.has(Tags::SEQ.with(Tags::STR));
        if counted {
            found.push((format!("{name} > {}", lang.len_of(other)), 0.2));
            found.push((format!("{name} >= {}", lang.len_of(other)), 0.4));
        }
    }
    found
}
