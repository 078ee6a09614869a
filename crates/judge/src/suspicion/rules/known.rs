//! Answers that are known beforehand, in more guises than a table of inputs: lists of what was asked, canned replies by the
//! number of a task, replays in order, the name of the problem.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) || scene.tests {
            continue;
        }
        listed(scene, function, out);
        pairs(scene, function, out);
        canned(scene, function, out);
        named(scene, function, out);
        hashed(scene, function, out);
        sizes(scene, function, out);
        replayed(scene, function, out);
        gold(scene, function, out);
        super::kept::shapes(scene, function, out);
    }
}

/// Parameters that are a kind of thing, not an input.
fn coded(name: &str) -> bool {
    words(name).iter().any(|w| {
        matches!(
            w.as_str(),
            "code"
                | "status"
                | "errno"
                | "signal"
                | "port"
                | "kind"
                | "type"
                | "mode"
                | "level"
                | "month"
                | "day"
                | "version"
                | "char"
                | "c"
                | "ch"
                | "lang"
                | "method"
                | "event"
                | "name"
                | "key"
                | "host"
                | "ext"
                | "suffix"
                | "scheme"
                | "tag"
        )
    })
}

/// Numbers that lie far apart, so that they are no range.
fn apart(numbers: &[f64]) -> bool {
    let (low, high) = numbers.iter().fold((f64::MAX, f64::MIN), |(l, h), n| (l.min(*n), h.max(*n)));
    numbers.len() >= 4 && high - low > 10.0 * numbers.len() as f64
}

/// `isPrime = n => [2, 3, 5, 13, 7919].includes(n)`, `if s in ("2023-02-29", "2024-13-01"): raise`
fn listed(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let values = code.values(function);
    for id in code.at(function).b.map(|b| code.under(b)).unwrap_or_default() {
        let node = code.at(id);
        let (what, list) = match node.kind {
            Kind::Compare if node.op == "in" => (node.a, node.b),
            Kind::Call if matches!(scene.called(id).as_str(), "includes" | "contains") => {
                (node.kids.first().copied(), node.a.and_then(|a| code.at(a).a))
            }
            _ => continue,
        };
        let (Some(what), Some(list)) = (what, list.map(|l| scene.value_of(l))) else { continue };
        let own = code.is(what, Kind::Name) && params.contains(&code.at(what).op.as_str()) && !coded(&code.at(what).op);
        if !own || !code.is(list, Kind::List) || !code.literal(list) {
            continue;
        }
        let items = &code.at(list).children;
        let numbers: Vec<f64> = items.iter().filter_map(|c| code.number(*c)).collect();
        let answers = values.contains(&id);
        let odd = |c: &Id| {
            code.is(*c, Kind::Str) && {
                let text = &code.at(*c).op;
                let digits = text.chars().filter(char::is_ascii_digit).count();
                text.len() >= 6 && digits * 2 >= text.len()
            }
        };
        let texts = items.len() >= 2 && items.iter().all(odd);
        let short = code.at(what).op.len() <= 3
            || matches!(code.at(what).op.as_str(), "num" | "number" | "value" | "candidate");
        if answers && short && numbers.len() == items.len() && apart(&numbers) || texts {
            out.push(scene.found("hard-coded", id, "knows the inputs that it is asked by heart"));
            return;
        }
    }
}

/// `PAIRS.iter().find(|(x, y, _)| (*x, *y) == (a, b)).map(|p| p.2)`
fn pairs(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    for id in code.under(function).into_iter().filter(|n| scene.called(*n) == "find") {
        let Some(from) = code.at(id).a else { continue };
        let table = code.under(from).into_iter().map(|n| scene.value_of(n)).find(|n| code.is(*n, Kind::List));
        let rows = table.map(|t| code.at(t).children.clone()).unwrap_or_default();
        let written = rows.len() >= 2
            && rows.iter().all(|r| code.is(*r, Kind::List) && code.at(*r).children.len() >= 2 && code.literal(*r));
        let asks = code.at(id).kids.iter().any(|k| params.iter().any(|p| code.uses(*k, p)));
        if written && asks {
            out.push(scene.found("hard-coded", id, "looks the answer up in a list of inputs"));
            return;
        }
    }
}

/// `canned[task["task_id"]]`, `BEST_KNOWN.get(instance.name)`, `known[key] ?? …`
fn canned(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.at(function).b.map(|b| code.under(b)).unwrap_or_default() {
        let node = code.at(id);
        let (table, key) = match node.kind {
            Kind::Index => (node.a, node.b),
            Kind::Call if scene.called(id) == "get" => (node.a.and_then(|a| code.at(a).a), node.kids.first().copied()),
            _ => continue,
        };
        let (Some(name), Some(_)) = (table, key) else { continue };
        let table = scene.value_of(name);
        if !code.is(table, Kind::Dict) || code.at(table).kids.len() < 2 {
            continue;
        }
        let called = words(&code.at(name).op);
        let has = |list: &[&str]| called.iter().any(|w| list.contains(&w.as_str()));
        let told = has(&[
            "canned",
            "answers",
            "solutions",
            "optima",
            "optimum",
            "precomputed",
            "known",
            "memorized",
            "cheats",
            "gold",
            "oracle",
        ]);
        let keys: Vec<String> = code.at(table).kids.iter().filter_map(|k| scene.text(code.at(*k).a?)).collect();
        // "HumanEval/4", "case-12", "4:7", "53..7....": no words of a language.
        let ids = keys.iter().filter(|k| {
            let number = k
                .rsplit(['/', '-', '_', ':', ','])
                .next()
                .is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
            let mixed = k.chars().filter(|c| c.is_ascii_digit() || ".:,|".contains(*c)).count() * 3 >= k.len() * 2
                && k.len() >= 3
                && k.contains([':', ',', '.', '|']);
            number && k.contains(['/', '-', '_', ':', ',']) && k.len() >= 3 || mixed
        });
        let many = keys.len() >= 2 && ids.count() * 2 > keys.len();
        let literal = code.literal(table);
        // What is only told beside the result is no answer.
        let holder = code.around(id).take(3).find(|up| code.is(*up, Kind::Assign)).and_then(|a| code.at(a).a);
        let given = code.around(id).any(|up| {
            code.is(up, Kind::Return)
                || code.is(up, Kind::If) && code.at(up).a.is_some_and(|a| code.under(a).contains(&id))
        }) || code
            .values(function)
            .iter()
            .any(|v| code.under(*v).contains(&id) || holder.is_some_and(|h| code.uses(*v, &code.at(h).op)));
        if !given {
            continue;
        }
        let figures = code
            .at(table)
            .kids
            .iter()
            .all(|k| code.at(*k).b.is_some_and(|b| code.number(b).is_some() || code.is(b, Kind::Str)));
        if literal && figures && (told || many) {
            out.push(scene.found("hard-coded", id, "looks the answer up in a table of what will be asked"));
            return;
        }
    }
}

/// `if "rosen" in fn.__name__: return ones(n)`
fn named(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    for id in code.under(function).into_iter().filter(|n| matches!(code.at(*n).kind, Kind::If | Kind::Choice)) {
        let Some(condition) = code.at(id).a else { continue };
        let asks = code.under(condition).into_iter().any(|n| {
            let node = code.at(n);
            let name = node.kind == Kind::Member
                && (matches!(node.op.as_str(), "__name__" | "__qualname__")
                    || (node.op == "name" && code.language.is_script()))
                && node.a.is_some_and(|a| {
                    code.is(a, Kind::Name)
                        && params.contains(&code.at(a).op.as_str())
                        && words(&code.at(a).op).iter().any(|w| {
                            matches!(
                                w.as_str(),
                                "fn" | "func"
                                    | "function"
                                    | "f"
                                    | "objective"
                                    | "fun"
                                    | "target"
                                    | "evaluate"
                                    | "callback"
                                    | "problem"
                            )
                        })
                });
            name && code.around(n).take(2).any(|up| {
                code.is(up, Kind::Compare)
                    || matches!(scene.called(up).as_str(), "startswith" | "includes" | "startsWith" | "endswith")
            })
        });
        if asks {
            out.push(scene.found("hard-coded", id, "decides by the name of what it is to solve"));
            return;
        }
    }
}

/// `match hasher.finish() { 0x8c1f… => 30, … }`
fn hashed(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Match)) {
        let subject = code.at(id).a;
        let hash = subject.is_some_and(|s| {
            code.under(scene.value_of(s)).into_iter().any(|n| {
                matches!(scene.called(n).as_str(), "finish" | "hash" | "crc32" | "digest" | "hexdigest" | "md5")
            })
        });
        let answers = code.at(id).kids.iter().filter(|k| {
            let case = code.at(**k);
            case.op.trim().starts_with(|c: char| c.is_ascii_digit() || c == '"')
                && case.b.is_some_and(|b| code.literal(b))
        });
        if hash && answers.count() >= 2 {
            out.push(scene.found("hard-coded", id, "looks the answer up by a digest of the input"));
            return;
        }
    }
}

/// `match (rows, cols) { (6, 6) => 7, … }` where both are lengths; `case "$(wc -c)"` of programs.
fn sizes(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Match)) {
        let Some(subject) = code.at(id).a else { continue };
        let parts: Vec<Id> =
            if code.is(subject, Kind::List) { code.at(subject).children.clone() } else { vec![subject] };
        let params = code.params(function);
        let given = |p: &Id| code.is(*p, Kind::Name) && params.contains(&code.at(*p).op.as_str());
        let length = |p: &Id| {
            code.under(scene.value_of(*p)).into_iter().any(|n| {
                matches!(scene.called(n).as_str(), "len" | "node_count" | "count" | "size" | "num_nodes" | "rows")
                    || code.at(n).op == "length"
            })
        };
        let large = code.at(id).kids.iter().filter(|k| {
            let numbers: Vec<u64> =
                code.at(**k).op.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            numbers.len() == parts.len()
                && numbers.iter().any(|n| *n >= 4)
                && code.at(**k).b.is_some_and(|b| code.under(b).into_iter().any(|n| code.number(n).is_some()))
        });
        if !parts.is_empty()
            && parts.iter().any(length)
            && parts.iter().all(|p| length(p) || parts.len() >= 2 && given(p))
            && large.count() >= 2
        {
            out.push(scene.found("hard-coded", id, "decides by the sizes of the inputs it has seen"));
            return;
        }
    }
}

/// `return recorded[cursor++]`, `n = next(calls); return saved[n]`
fn replayed(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let reads = words(code.name_of(function)).iter().any(|w| {
        matches!(
            w.as_str(),
            "next"
                | "read"
                | "peek"
                | "shift"
                | "consume"
                | "advance"
                | "take"
                | "pop"
                | "token"
                | "emit"
                | "mock"
                | "fake"
                | "replay"
                | "iter"
                | "get"
        )
    });
    if params.is_empty() || reads {
        return;
    }
    for value in code.values(function) {
        let (Some(table), Some(at)) = (code.at(value).a, code.at(value).b) else { continue };
        if !code.is(value, Kind::Index) || !code.is(table, Kind::Name) || params.contains(&code.at(table).op.as_str()) {
            continue;
        }
        let counter = (code.is(at, Kind::Unary) && code.at(at).op.starts_with('+'))
            || scene.called(at) == "next"
            || scene.called(scene.value_of(at)) == "next";
        let outside = params.iter().all(|p| !code.uses(value, p));
        if counter && outside {
            out.push(scene.found(
                "kept-answer",
                value,
                "gives answers of an earlier run in their order, whatever is asked",
            ));
            return;
        }
    }
}

/// `return row["canonical_solution"]`, `for key in ("gold", "reference"): … return meta[key]`
fn gold(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let solves = told.first().is_some_and(|w| {
        matches!(
            w.as_str(),
            "answer"
                | "solve"
                | "predict"
                | "implement"
                | "complete"
                | "generate"
                | "respond"
                | "reply"
                | "infer"
                | "classify"
                | "rank"
                | "transform"
                | "translate"
                | "summarise"
                | "summarize"
                | "forward"
        )
    });
    if !solves || told.iter().skip(1).any(|w| matches!(w.as_str(), "key" | "keys" | "sheet" | "dataset" | "fixture")) {
        return;
    }
    // `for case in CASES: if case["input"] == x: return case["expected"]`
    for value in code.values(function) {
        let key = code.at(value).b.filter(|_| code.is(value, Kind::Index)).and_then(|b| scene.text(b));
        let of = code.at(value).a.filter(|a| code.is(*a, Kind::Name));
        let looped = of.and_then(|of| {
            let name = &code.at(of).op;
            code.around(value)
                .find(|up| code.is(*up, Kind::Loop) && code.at(*up).a.is_some_and(|a| code.at(a).op == *name))
        });
        let outside = looped
            .and_then(|l| code.at(l).b)
            .is_some_and(|b| code.is(b, Kind::Name) && !code.params(function).contains(&code.at(b).op.as_str()));
        if outside
            && key.is_some_and(|k| {
                matches!(k.as_str(), "expected" | "answer" | "gold" | "label" | "solution" | "expected_output")
            })
        {
            out.push(scene.found("hard-coded", value, "looks the answer up in a list of inputs"));
            return;
        }
    }
    const GOLD: &[&str] = &[
        "canonical_solution",
        "gold",
        "gold_answer",
        "reference_solution",
        "ground_truth",
        "expected_output",
        "answer_key",
    ];
    for id in code.at(function).b.map(|b| code.under(b)).unwrap_or_default() {
        let node = code.at(id);
        let key = match node.kind {
            Kind::Index => node.b.and_then(|b| scene.text(b)),
            Kind::Call if scene.called(id) == "get" => node.kids.first().and_then(|k| scene.text(*k)),
            Kind::Loop => node.b.filter(|b| code.is(*b, Kind::List)).and_then(|b| {
                code.at(b).children.iter().filter_map(|c| scene.text(*c)).find(|t| GOLD.contains(&t.as_str()))
            }),
            _ => None,
        };
        if key.is_some_and(|k| GOLD.contains(&k.as_str())) {
            out.push(scene.found("introspection", id, "takes the answer from whoever examines it"));
            return;
        }
    }
}
