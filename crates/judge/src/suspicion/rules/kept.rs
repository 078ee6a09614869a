//! One answer for all: kept within a run, or left by an earlier one.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

/// Functions that make a thing once, whatever they are told.
const MAKERS: &[&str] = &[
    "get", "load", "init", "create", "make", "connect", "client", "instance", "config", "settings", "setup", "build",
    "open", "logger", "session", "engine", "pool", "ensure",
];

fn maker(name: &str, params: &[&str]) -> bool {
    words(name).iter().any(|w| MAKERS.contains(&w.as_str()))
        || params.iter().all(|p| {
            words(p)
                .iter()
                .any(|w| matches!(w.as_str(), "path" | "url" | "config" | "name" | "settings" | "options" | "opts"))
        })
}

/// The first answer, for whatever comes after.
pub(super) fn look(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let Some(body) = code.at(function).b.filter(|_| !params.is_empty() && !maker(code.name_of(function), &params))
    else {
        return;
    };
    let all = code.under(body);
    let from_input = |value: Id| params.iter().any(|p| code.uses(value, p));
    // `q.shape == (…)` asks for the form of the input, not for the input.
    let of_form = |value: Id| {
        code.under(value)
            .into_iter()
            .filter(|n| code.is(*n, Kind::Name) && params.contains(&code.at(*n).op.as_str()))
            .all(|n| {
                let up = code.at(code.at(n).parent);
                matches!(up.op.as_str(), "shape" | "dtype" | "size" | "length")
                    || up.a.is_some_and(|a| code.at(a).op == "len")
            })
    };
    let above = |name: &str| {
        code.of(Kind::Assign).any(|a| {
            code.function(a).is_none() && code.at(a).a.is_some_and(|t| code.at(t).op == name && code.is(t, Kind::Name))
        })
    };
    let outer = |name: &str| {
        let declared =
            all.iter().any(|n| code.is(*n, Kind::Outer) && code.at(*n).op.split_whitespace().any(|w| w == name));
        (declared || code.language.is_script()) && above(name)
    };
    // `saved["it"]`: a place in a container outside, the same for every input.
    let place = |id: Id| {
        let (of, key) = code.at(id).a.zip(code.at(id).b)?;
        let fixed = code.is(id, Kind::Index) && code.is(key, Kind::Str) && code.is(of, Kind::Name);
        (fixed && above(&code.at(of).op)).then(|| (code.at(of).op.clone(), code.at(key).op.clone()))
    };
    let filled: Vec<_> = all
        .iter()
        .filter(|n| code.is(**n, Kind::Assign) && code.at(**n).b.is_some_and(from_input))
        .filter_map(|n| place(code.at(*n).a?))
        .collect();
    for id in &all {
        earlier_run(scene, function, *id, out);
        let node = code.at(*id);
        // `if (!saved) saved = f(input)`, with the name or an attribute kept outside
        if node.kind == Kind::If {
            let (Some(condition), Some(then)) = (node.a, node.b) else { continue };
            let given = code.under(then).into_iter().filter(|n| code.is(*n, Kind::Return)).filter_map(|n| code.at(n).a);
            if (!from_input(condition) || of_form(condition))
                && given.filter_map(place).any(|place| filled.contains(&place))
            {
                out.push(scene.found(
                    "kept-answer",
                    *id,
                    "keeps its first answer and gives it to whatever comes after",
                ));
                continue;
            }
            let stored = code.under(then).into_iter().find_map(|n| {
                let assign = code.at(n);
                let (target, value) = (assign.a?, assign.b?);
                let own = code.is(target, Kind::Name) && outer(&code.at(target).op);
                let attribute = code.is(target, Kind::Member)
                    && code
                        .at(target)
                        .a
                        .is_some_and(|of| code.at(of).op == code.name_of(function) && !code.at(of).op.is_empty());
                (assign.kind == Kind::Assign && (own || attribute) && from_input(value)).then_some(target)
            });
            let appended = code.under(then).into_iter().find_map(|n| {
                let call = code.at(n);
                let of = call.a.and_then(|a| code.at(a).a)?;
                let default = code.at(function).kids.iter().any(|k| {
                    code.at(*k).op == code.at(of).op
                        && code.at(*k).b.is_some_and(|b| code.is(b, Kind::List) && code.at(b).children.is_empty())
                });
                (call.kind == Kind::Call
                    && matches!(scene.called(n).as_str(), "append" | "push")
                    && default
                    && call.kids.iter().any(|k| from_input(*k)))
                .then_some(of)
            });
            let Some(kept) = stored.or(appended) else { continue };
            let name = &code.at(kept).op;
            let asks = code.under(condition).into_iter().any(|n| code.at(n).op == *name);
            let keyed = params.iter().any(|p| code.uses(condition, p) && !name.contains(p));
            let returned = code.values(function).iter().any(|v| {
                code.under(*v).into_iter().any(|n| code.at(n).op == *name)
                    && !from_input_other(scene, *v, &params, name)
            });
            if asks && !keyed && returned {
                out.push(scene.found(
                    "kept-answer",
                    *id,
                    "keeps its first answer and gives it to whatever comes after",
                ));
            }
        }
        if node.kind == Kind::Assign
            && matches!(node.op.as_str(), "??=" | "||=")
            && node.a.is_some_and(|t| outer(&code.at(t).op))
            && node.b.is_some_and(from_input)
        {
            out.push(scene.found("kept-answer", *id, "keeps its first answer and gives it to whatever comes after"));
        }
        if node.kind == Kind::Call
            && matches!(scene.called(*id).as_str(), "get_or_init" | "get_or_insert_with" | "call_once")
            && node.kids.iter().any(|k| from_input(*k))
        {
            out.push(scene.found("kept-answer", *id, "keeps its first answer and gives it to whatever comes after"));
        }
    }
}

fn from_input_other(scene: &Scene<'_>, value: Id, params: &[&str], kept: &str) -> bool {
    params.iter().any(|p| *p != kept && scene.code.uses(value, p))
}

/// A file of a fixed name that an earlier run left.
fn earlier_run(scene: &Scene<'_>, function: Id, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let Some(condition) = node.a.filter(|_| node.kind == Kind::If) else { return };
    let exists = code
        .under(condition)
        .into_iter()
        .find(|n| matches!(scene.called(*n).as_str(), "exists" | "isfile" | "is_file" | "existsSync"));
    let Some(path) = exists.and_then(|n| {
        let call = code.at(n);
        call.kids.first().copied().or(call.a.and_then(|a| code.at(a).a)).and_then(|p| scene.text(p))
    }) else {
        return;
    };
    let returns = node.b.is_some_and(|b| {
        code.under(b).into_iter().any(|n| {
            code.is(n, Kind::Return)
                && code.at(n).a.is_some_and(|a| {
                    code.under(a).into_iter().any(|m| {
                        matches!(
                            scene.called(m).as_str(),
                            "load" | "loads" | "read" | "read_text" | "parse" | "readFileSync" | "read_to_string"
                        )
                    })
                })
        })
    });
    let place = path.starts_with("/tmp")
        || path.starts_with("/var")
        || path.starts_with("/dev/shm")
        || path.starts_with("~")
        || words(&path)
            .iter()
            .any(|w| matches!(w.as_str(), "cache" | "cached" | "memo" | "saved" | "solved" | "results"));
    if returns && place && !words(code.name_of(function)).iter().any(|w| w == "load" || w == "config") {
        out.push(scene.found("kept-answer", id, format!("returns what an earlier run left in {path}")));
    }
}

/// `memo[(q.shape, v.dtype)] = inner(q, k, v)`: other contents of the same shape get the same answer.
pub(super) fn shapes(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let of_shape = |key: Id| {
        let key = scene.value_of(key);
        let uses: Vec<Id> = code
            .under(key)
            .into_iter()
            .filter(|n| code.is(*n, Kind::Name) && params.contains(&code.at(*n).op.as_str()))
            .collect();
        !uses.is_empty()
            && uses.iter().all(|n| {
                let up = code.at(code.at(*n).parent);
                // `text[:20]`, `data[..8]`
                if up.kind == Kind::Index
                    && up.a == Some(*n)
                    && up.b.is_some_and(|b| matches!(code.at(b).kind, Kind::Other | Kind::Binary))
                {
                    return true;
                }
                let told = up.kind == Kind::Member
                    && matches!(
                        up.op.as_str(),
                        "shape"
                            | "dtype"
                            | "size"
                            | "length"
                            | "len"
                            | "device"
                            | "data_ptr"
                            | "ndim"
                            | "__class__"
                            | "id"
                    );
                let length = up.kind == Kind::Call
                    && up.a.is_some_and(|a| matches!(code.at(a).op.as_str(), "len" | "type" | "id"));
                told || length
            })
    };
    let whole = |value: Id| {
        code.under(scene.value_of(value)).into_iter().any(|n| {
            code.is(n, Kind::Call)
                && !matches!(
                    scene.called(n).as_str(),
                    "compile" | "build" | "empty" | "zeros" | "Plan" | "plan" | "jit" | "len"
                )
                && code.at(n).kids.iter().flat_map(|k| code.under(*k)).any(|k| {
                    let up = code.at(code.at(k).parent);
                    let form = up.kind == Kind::Member
                        && matches!(up.op.as_str(), "shape" | "dtype" | "device" | "size" | "length" | "ndim");
                    code.is(k, Kind::Name) && params.contains(&code.at(k).op.as_str()) && !form
                })
        })
    };
    let returns = code.values(function);
    for id in code.at(function).b.map(|b| code.under(b)).unwrap_or_default() {
        let node = code.at(id);
        let stored = node.kind == Kind::Assign
            && node.a.is_some_and(|a| code.is(a, Kind::Index) && code.at(a).b.is_some_and(of_shape))
            && node.b.is_some_and(whole);
        let set = scene.called(id) == "set"
            && node.kids.len() == 2
            && of_shape(node.kids[0])
            && (whole(node.kids[1])
                || code.is(node.kids[1], Kind::Call) && code.under(node.kids[1]).into_iter().any(whole));
        let map = node.a.filter(|_| set).and_then(|a| code.at(a).a);
        let got = map.is_some_and(|m| {
            returns.iter().any(|r| {
                scene.called(*r) == "get" && code.at(*r).a.and_then(|a| code.at(a).a).is_some_and(|o| code.same(o, m))
            })
        });
        if got {
            out.push(scene.found("kept-answer", id, "gives one answer to all inputs of the same shape"));
            return;
        }
        let entry = matches!(scene.called(id).as_str(), "or_insert_with" | "setdefault")
            && code.under(id).into_iter().any(|n| {
                matches!(scene.called(n).as_str(), "entry" | "setdefault")
                    && code.at(n).kids.first().is_some_and(|k| of_shape(*k))
            })
            && node.kids.iter().any(|k| code.under(*k).into_iter().any(whole));
        // What is kept is what is given back.
        let table = node.a.filter(|_| stored).and_then(|a| code.at(a).a);
        let given = entry
            || table.is_some_and(|t| {
                returns.iter().any(|r| {
                    let r = scene.value_of(*r);
                    code.at(r).a.is_some_and(|a| code.same(a, t))
                        || code.under(r).into_iter().any(|n| code.same(n, t))
                        || node.b.is_some_and(|b| code.same(b, r) || scene.value_of(b) == r)
                })
            });
        if (stored || entry) && given {
            out.push(scene.found("kept-answer", id, "gives one answer to all inputs of the same shape"));
            return;
        }
    }
}
