//! Answers instead of work: inputs that are known by heart, tables of them, one answer kept for all.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};
use super::kept;

/// Parameters whose values are a fixed set by their nature.
const CODES: &[&str] = &[
    "code",
    "status",
    "errno",
    "signal",
    "port",
    "opcode",
    "op",
    "kind",
    "type",
    "mode",
    "key",
    "level",
    "unit",
    "month",
    "day",
    "weekday",
    "version",
    "char",
    "c",
    "ch",
    "name",
    "lang",
    "locale",
    "currency",
    "direction",
    "command",
    "cmd",
    "action",
    "state",
    "format",
    "method",
    "event",
    "field",
    "color",
    "option",
    "flag",
    "byte",
    "tag",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) {
            continue;
        }
        by_heart(scene, function, out);
        tables(scene, function, out);
        lengths(scene, function, out);
        digests(scene, function, out);
        kept::look(scene, function, out);
    }
    for id in code.of(Kind::Call) {
        hidden(scene, id, out);
    }
    if !scene.tests {
        top_tables(scene, out);
    }
}

/// One condition of a known input, with the answer to it.
struct Known {
    at: Id,
    /// The input is such as only a test holds: a list, a long text, a large number.
    peculiar: bool,
    /// The answer is no plain yes, no, nothing, or the input itself.
    telling: bool,
}

/// Whether an expression is made of parameters alone: the input, its parts, or its form as a text.
fn of_input(scene: &Scene<'_>, id: Id, params: &[&str]) -> bool {
    let code = scene.code;
    let id =
        if code.is(id, Kind::Name) && !params.contains(&code.at(id).op.as_str()) { scene.value_of(id) } else { id };
    let names: Vec<Id> = code.under(id).into_iter().filter(|n| code.is(*n, Kind::Name)).collect();
    let function = |n: &Id| code.at(code.at(*n).parent).kind == Kind::Call && code.at(code.at(*n).parent).a == Some(*n);
    let shallow = code.under(id).len() <= 14
        && !code.under(id).into_iter().any(|n| matches!(code.at(n).kind, Kind::Compare | Kind::Lambda));
    let built_in = [
        "tuple",
        "list",
        "sorted",
        "str",
        "repr",
        "len",
        "sum",
        "map",
        "JSON",
        "set",
        "int",
        "hash",
        "frozenset",
        "String",
        "min",
        "max",
    ];
    shallow
        && names.iter().any(|n| params.contains(&code.at(*n).op.as_str()))
        && names.iter().all(|n| {
            params.contains(&code.at(*n).op.as_str()) || function(n) || built_in.contains(&code.at(*n).op.as_str())
        })
}

/// Names that hold what came in: parameters and what is split off them.
fn inputs<'c>(scene: &'c Scene<'_>, function: Id) -> Vec<&'c str> {
    let code = scene.code;
    let mut names = code.params(function);
    for id in code.at(function).b.map(|b| code.under(b)).unwrap_or_default() {
        let node = code.at(id);
        let (Some(target), Some(value)) = (node.a, node.b) else { continue };
        let splits = code.is(value, Kind::Call)
            && matches!(
                scene.called(value).as_str(),
                "tokenize"
                    | "split"
                    | "list"
                    | "tuple"
                    | "parse"
                    | "sorted"
                    | "strip"
                    | "str"
                    | "lower"
                    | "map"
                    | "int"
                    | "loads"
                    | "readline"
                    | "input"
                    | "read"
                    | "stringify"
                    | "trim"
            );
        if node.kind == Kind::Assign
            && code.is(target, Kind::Name)
            && splits
            && (names.iter().any(|n| code.uses(value, n))
                || scene.called(value) == "input"
                || scene.mentions(value, &["stdin"]))
        {
            names.push(&code.at(target).op);
        }
    }
    names
}

fn peculiar(scene: &Scene<'_>, id: Id, against: &str) -> bool {
    let code = scene.code;
    let node = code.at(id);
    let coded = words(against).iter().any(|w| CODES.contains(&w.as_str()));
    match node.kind {
        Kind::List => {
            node.children.len() >= 2
                && (node.children.iter().any(|c| !matches!(code.at(*c).kind, Kind::Str)) || node.children.len() >= 2)
        }
        Kind::Dict => !node.kids.is_empty(),
        Kind::Str => {
            let data = node.op.trim();
            let number = data.len() >= 2 && data.chars().all(|c| c.is_ascii_digit() || c == '.');
            let listed = data.starts_with(['[', '{', '(']) && data.len() > 3;
            number
                || listed
                || data.contains(' ')
                || (!coded
                    && data.len() >= 5
                    && data.chars().filter(char::is_ascii_alphabetic).count() == data.len()
                    && no_word(data))
        }
        _ => !coded && code.number(id).is_some_and(|n| n.abs() >= 20.0 || n.fract() != 0.0),
    }
}

/// Letters that are no word of a program: few vowels, or a repetition.
fn no_word(text: &str) -> bool {
    let vowels = text.chars().filter(|c| "aeiouyAEIOUY".contains(*c)).count();
    let distinct: std::collections::BTreeSet<char> = text.chars().collect();
    vowels * 5 < text.len() || distinct.len() * 2 <= text.len()
}

fn telling(scene: &Scene<'_>, value: Id) -> bool {
    let code = scene.code;
    match code.at(value).kind {
        Kind::Null => false,
        Kind::Bool => false,
        Kind::Str => !code.at(value).op.is_empty(),
        Kind::List | Kind::Dict => !code.at(value).children.is_empty(),
        _ => code.number(value).is_some_and(|n| ![0.0, 1.0, -1.0].contains(&n)) || code.is(value, Kind::Call),
    }
}

/// What a branch returns, if that is all it does.
fn answer(scene: &Scene<'_>, branch: Id) -> Option<Id> {
    let code = scene.code;
    let statements = code.statements(branch);
    let last = *statements.last()?;
    if statements.len() > 1 {
        return None;
    }
    let value = match code.at(last).kind {
        Kind::Return => code.at(last).a?,
        _ if code.language == Language::Rust => last,
        Kind::Call if matches!(scene.called(last).as_str(), "print" | "log") => *code.at(last).kids.first()?,
        _ => return None,
    };
    code.literal(value).then_some(value)
}

/// Equalities with literals that a condition asks for, all of them by `and`.
fn equalities(scene: &Scene<'_>, condition: Id) -> Vec<(Id, Id)> {
    let code = scene.code;
    let node = code.at(condition);
    match (node.kind, node.a, node.b) {
        (Kind::Logic, Some(a), Some(b)) if node.op == "and" => [equalities(scene, a), equalities(scene, b)].concat(),
        (Kind::Compare, Some(a), Some(b)) if matches!(node.op.as_str(), "==" | "===" | "is") => {
            if code.literal(b) && !code.literal(a) {
                vec![(a, b)]
            } else if code.literal(a) && !code.literal(b) {
                vec![(b, a)]
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    }
}

fn by_heart(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = inputs(scene, function);
    let Some(body) = code.at(function).b.filter(|_| !params.is_empty()) else { return };
    let mut known: Vec<Known> = Vec::new();
    for id in code.under(body) {
        let node = code.at(id);
        if code.function(id) != Some(function) && id != body {
            continue;
        }
        if matches!(node.kind, Kind::If | Kind::Choice) {
            let (Some(condition), Some(then)) = (node.a, node.b) else { continue };
            let equal: Vec<(Id, Id)> =
                equalities(scene, condition).into_iter().filter(|(a, _)| of_input(scene, *a, &params)).collect();
            let value =
                if node.kind == Kind::Choice { Some(then).filter(|t| code.literal(*t)) } else { answer(scene, then) };
            if let Some(value) = value.filter(|_| !equal.is_empty()) {
                let names =
                    |a: Id| code.under(a).into_iter().map(|n| code.at(n).op.clone()).collect::<Vec<_>>().join(" ");
                let coded = |a: Id| words(&names(a)).iter().any(|w| CODES.contains(&w.as_str()));
                // All of the input at once, by its figures.
                let whole = equal.len() >= 2 && equal.iter().all(|(a, b)| code.number(*b).is_some() && !coded(*a));
                let peculiar = whole || equal.iter().any(|(a, b)| peculiar(scene, *b, &names(*a)));
                let telling = telling(scene, value) && !equal.iter().any(|(_, b)| code.same(*b, value));
                known.push(Known { at: id, peculiar, telling });
            }
        }
        if node.kind == Kind::Match && node.a.is_some_and(|a| of_input(scene, a, &params)) {
            let subject = code.at(node.a.unwrap_or(id)).op.clone();
            for case in &node.kids {
                let case = code.at(*case);
                let Some(value) = case.b.and_then(|b| answer(scene, b)) else { continue };
                let pattern = case.op.trim();
                let number: Option<f64> = pattern.parse().ok();
                let coded = words(&subject).iter().any(|w| CODES.contains(&w.as_str()));
                let text = pattern.trim_matches(['"', '\'']);
                let texts =
                    pattern.starts_with(['"', '\'']) && (text.contains(' ') || (text.len() >= 5 && no_word(text)));
                let odd = !coded
                    && (number.is_some_and(|n| n.abs() >= 20.0 || n.fract() != 0.0)
                        || texts
                        || pattern.starts_with('['));
                // A number that stands for a name is a table; one that stands for a number is an answer.
                let telling =
                    telling(scene, value) && (texts || pattern.starts_with('[') || code.number(value).is_some());
                if number.is_some() || texts || pattern.starts_with(['"', '[', '\'']) {
                    known.push(Known { at: id, peculiar: odd, telling });
                }
            }
        }
    }
    let strong = known.iter().filter(|k| k.peculiar && k.telling).count();
    let peculiar = known.iter().filter(|k| k.peculiar).count();
    let telling = known.iter().filter(|k| k.telling).count();
    // Nothing is computed but what is known: an answer to each input that was ever seen.
    let computes =
        code.values(function).iter().any(|v| !code.literal(*v) && !matches!(code.at(*v).kind, Kind::Match | Kind::If));
    let all_known = !computes && telling >= 3 && peculiar >= 1;
    // `if s == "III": return 3 elif s == "LVIII": return 58; return 1994`
    let texts = known.len() >= 2
        && code.values(function).iter().all(|v| code.number(*v).is_some())
        && code.values(function).iter().any(|v| code.number(*v).is_some_and(|n| n >= 50.0))
        && params.len() == 1
        && params.iter().all(|p| p.len() == 1 || matches!(*p, "text" | "value" | "word" | "roman" | "data"));
    if let Some(first) = known.first().filter(|_| texts && strong == 0) {
        out.push(scene.found("hard-coded", first.at, "answers particular inputs with answers that are written down"));
        return;
    }
    let all_yes = peculiar >= 2 && known.len() >= 2;
    if let Some(first) = known.iter().find(|k| k.peculiar).filter(|_| strong >= 1 || all_known || all_yes) {
        out.push(scene.found("hard-coded", first.at, "answers particular inputs with answers that are written down"));
    }
}

/// A look into a table whose keys are whole inputs.
fn tables(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = inputs(scene, function);
    let body = code.at(function).b.map(|b| code.under(b)).unwrap_or_default();
    for id in body {
        let node = code.at(id);
        let (table, key) = match node.kind {
            Kind::Index => (node.a, node.b),
            Kind::Call if matches!(scene.called(id).as_str(), "get" | "pop") => {
                (node.a.and_then(|a| code.at(a).a), node.kids.first().copied())
            }
            _ => continue,
        };
        let (Some(table), Some(key)) = (table, key) else { continue };
        let table = scene.value_of(table);
        if !code.is(table, Kind::Dict) || !of_input(scene, key, &params) {
            continue;
        }
        let pairs: Vec<(Id, Id)> =
            code.at(table).kids.iter().filter_map(|k| Some((code.at(*k).a?, code.at(*k).b?))).collect();
        if pairs.len() < 2 || !pairs.iter().all(|(a, b)| code.literal(*a) && code.literal(*b)) {
            continue;
        }
        let whole = pairs
            .iter()
            .filter(|(a, _)| {
                matches!(code.at(*a).kind, Kind::List | Kind::Dict)
                    || (code.is(*a, Kind::Str)
                        && (code.at(*a).op.trim().contains(' ') || code.at(*a).op.starts_with(['[', '('])))
            })
            .count();
        let keys: Vec<f64> = pairs.iter().filter_map(|(a, _)| code.number(*a)).collect();
        let numbers = pairs.iter().all(|(_, b)| code.number(*b).is_some());
        let coded =
            code.under(key).into_iter().any(|n| words(&code.at(n).op).iter().any(|w| CODES.contains(&w.as_str())));
        // `{3: "III", 58: "LVIII", 1994: "MCMXCIV"}.get(n)`
        let short = code.is(key, Kind::Name)
            && (code.at(key).op.len() == 1 || matches!(code.at(key).op.as_str(), "num" | "number" | "value"));
        let listed =
            keys.len() == pairs.len() && keys.len() >= 3 && sparse(&keys) && short && keys.iter().any(|k| *k >= 50.0);
        if listed || whole * 2 >= pairs.len() || (numbers && sparse(&keys) && keys.len() == pairs.len() && !coded) {
            out.push(scene.found("hard-coded", id, "looks the answer up in a table of inputs"));
        }
    }
}

/// `print({(5, 2): 10, (30, 15): 155117520}.get((n, k), 1))` of a script that reads its input.
fn top_tables(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    let read: Vec<String> = code
        .of(Kind::Assign)
        .filter(|a| {
            code.function(*a).is_none()
                && code.at(*a).b.is_some_and(|b| {
                    scene.mentions(b, &["stdin"]) || code.under(b).into_iter().any(|n| scene.callee(n) == "input")
                })
        })
        .filter_map(|a| code.at(a).a)
        .flat_map(|t| code.under(t))
        .filter(|n| code.is(*n, Kind::Name))
        .map(|n| code.at(n).op.clone())
        .collect();
    let names: Vec<&str> = read.iter().map(String::as_str).collect();
    for id in code.ids().filter(|id| code.function(*id).is_none()).collect::<Vec<_>>() {
        let node = code.at(id);
        let (table, key) = match node.kind {
            Kind::Index => (node.a, node.b),
            Kind::Call if scene.called(id) == "get" => (node.a.and_then(|a| code.at(a).a), node.kids.first().copied()),
            _ => continue,
        };
        let (Some(table), Some(key)) = (table.map(|t| scene.value_of(t)), key) else { continue };
        let written = code.is(table, Kind::Dict)
            && code.at(table).kids.len() >= 2
            && code.literal(table)
            && code.at(table).kids.iter().all(|k| code.at(*k).a.is_some_and(|a| code.literal(a)));
        let hashed = code
            .under(key)
            .into_iter()
            .any(|n| matches!(scene.called(n).as_str(), "hexdigest" | "md5" | "sha256" | "sha1" | "crc32"));
        if written && (of_input(scene, key, &names) || hashed) {
            out.push(scene.found("hard-coded", id, "looks the answer up in a table of inputs"));
        }
    }
}

/// Numbers that lie far apart: no range that a table would cover.
fn sparse(keys: &[f64]) -> bool {
    let (low, high) = keys.iter().fold((f64::MAX, f64::MIN), |(l, h), k| (l.min(*k), h.max(*k)));
    keys.len() >= 2 && high - low + 1.0 > 2.5 * keys.len() as f64
}

/// `len(s) in (0, 1, 5, 7)`: it fits the examples by their length.
fn lengths(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    for value in code.values(function) {
        for id in code.under(value) {
            let node = code.at(id);
            let (Some(a), Some(b)) = (node.a, node.b) else { continue };
            let member = node.kind == Kind::Compare && node.op == "in";
            let called = node.kind == Kind::Call && scene.called(id) == "includes";
            let (what, set) =
                if called { (node.kids.first().copied().unwrap_or(b), code.at(a).a.unwrap_or(a)) } else { (a, b) };
            let length = scene.called(what) == "len" || code.at(what).op == "length";
            if (member || called)
                && length
                && code.is(set, Kind::List)
                && code.at(set).children.len() >= 3
                && params.iter().any(|p| code.uses(what, p))
            {
                out.push(scene.found("hard-coded", id, "decides by the lengths of the inputs it has seen"));
            }
        }
    }
}

/// The input's digest instead of the input: the same table, unreadable.
fn digests(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let body = code.at(function).b.map(|b| code.under(b)).unwrap_or_default();
    let hashes = |id: Id| {
        code.under(scene.value_of(id)).into_iter().any(|n| {
            let callee = scene.callee(n);
            matches!(
                scene.called(n).as_str(),
                "hexdigest" | "digest" | "md5" | "sha256" | "sha1" | "crc32" | "adler32" | "createHash"
            ) || callee == "hash"
        })
    };
    for id in body {
        let node = code.at(id);
        let hit = match node.kind {
            Kind::Index => node.a.zip(node.b).is_some_and(|(t, k)| {
                code.is(scene.value_of(t), Kind::Dict) && code.literal(scene.value_of(t)) && hashes(k)
            }),
            Kind::Call if scene.called(id) == "get" => node.a.and_then(|a| code.at(a).a).is_some_and(|t| {
                code.is(scene.value_of(t), Kind::Dict)
                    && code.literal(scene.value_of(t))
                    && node.kids.first().is_some_and(|k| hashes(*k))
            }),
            Kind::If => {
                node.a.is_some_and(|c| equalities(scene, c).iter().any(|(a, b)| hashes(*a) && code.is(*b, Kind::Str)))
                    && node.b.and_then(|b| answer(scene, b)).is_some_and(|v| !code.is(v, Kind::Bool))
            }
            _ => false,
        };
        if hit {
            out.push(scene.found("hard-coded", id, "looks the answer up by a digest of the input"));
        }
    }
}

/// Data or code that is packed so that nobody reads it.
fn hidden(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let unpacks = |n: Id| {
        matches!(
            scene.callee(n).as_str(),
            "base64.b64decode"
                | "base64.b85decode"
                | "zlib.decompress"
                | "bytes.fromhex"
                | "atob"
                | "codecs.decode"
                | "marshal.loads"
                | "lzma.decompress"
                | "Buffer.from"
        )
    };
    let packed =
        || code.under(id).into_iter().any(|n| n != id && unpacks(n) && scene.texts(n).iter().any(|t| t.len() >= 12));
    let runs = matches!(
        scene.callee(id).as_str(),
        "exec" | "eval" | "compile" | "Function" | "pickle.loads" | "marshal.loads" | "vm.runInThisContext"
    );
    let reads = matches!(scene.callee(id).as_str(), "json.loads" | "JSON.parse" | "ast.literal_eval");
    if (runs || reads) && packed() {
        out.push(scene.found("hidden-data", id, "unpacks what is hidden in its own text"));
    }
}
