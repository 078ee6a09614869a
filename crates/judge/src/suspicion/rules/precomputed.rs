//! Answers that do not come of what is asked: texts sealed without their key, results drawn by lot, played back, looked up by
//! size, guessed between a few known ones, or worked out only when somebody looks.

use super::super::Finding;
use super::super::scene::{Scene, has_word};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().filter(|f| !scene.test(*f) && !scene.in_test(*f)).collect::<Vec<_>>() {
        keyless(scene, function, out);
        lots(scene, function, out);
        played_back(scene, function, out);
        listed(scene, function, out);
        guessed_between(scene, function, out);
        by_size(scene, function, out);
        deferred(scene, function, out);
    }
}

/// The uses of a name in a function's body, those aside that only throw it away.
fn uses(scene: &Scene<'_>, function: Id, name: &str) -> usize {
    let code = scene.code;
    let Some(body) = code.at(function).b else { return 0 };
    let used = code.under(body).into_iter().filter(|n| {
        let thrown = scene.line(*n).trim_end_matches(';');
        code.is(*n, Kind::Name)
            && code.at(*n).op == name
            && thrown != format!("let _ = {name}")
            && thrown != format!("del {name}")
            && thrown != format!("_ = {name}")
    });
    used.count()
}

/// `pub fn seal(key, plain) { let _ = key; … }`
fn keyless(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !has_word(code.name_of(function), "seal encrypt sign hmac mac cipher encipher") {
        return;
    }
    let keys =
        code.params(function).into_iter().filter(|p| has_word(p, "key secret password passphrase")).map(str::to_owned);
    let unused = keys.into_iter().any(|key| uses(scene, function, &key) == 0);
    if unused && !code.values(function).is_empty() && code.values(function).iter().any(|v| !code.literal(*v)) {
        out.push(scene.found("constant-check", function, "seals or signs without its key"));
    }
}

/// `rng = Random(query); rng.sample(docs, k)`, told as a search.
fn lots(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let works = "search predict classify embed embedding translate summarize summarise detect recognize rank answer infer recommend transcribe forecast";
    if !has_word(code.name_of(function), works) {
        return;
    }
    let params: Vec<String> = code
        .params(function)
        .into_iter()
        .filter(|p| !has_word(p, "seed rng random state generator"))
        .map(str::to_owned)
        .collect();
    let drawn = code.under(function).into_iter().find(|n| {
        matches!(scene.called(*n).as_str(), "Random" | "default_rng" | "RandomState" | "seed" | "manual_seed")
            && code.at(*n).kids.iter().any(|k| params.iter().any(|p| code.uses(*k, p)))
    });
    if let Some(at) = drawn {
        out.push(scene.found("faked-output", at, "draws its results by lot"));
    }
}

/// `_next = iter([3, 0, 12]).__next__`, and a function that returns `_next()` whatever it is asked.
fn played_back(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(body), params) = (code.at(function).b, code.params(function)) else { return };
    if params.is_empty() || params.iter().any(|p| code.uses(body, p)) {
        return;
    }
    let kept = |n: Id| {
        code.under(scene.value_of(n)).into_iter().any(|m| {
            matches!(scene.called(m).as_str(), "iter" | "cycle" | "deque" | "values" | "into_iter")
                && code
                    .at(m)
                    .kids
                    .first()
                    .is_some_and(|k| code.is(*k, Kind::List) && code.literal(*k) && code.at(*k).children.len() >= 3)
        })
    };
    let told = code.values(function).into_iter().any(|v| {
        code.under(v)
            .into_iter()
            .any(|n| code.is(n, Kind::Call) && code.under(n).into_iter().any(|m| code.is(m, Kind::Name) && kept(m)))
    });
    if told {
        out.push(scene.found("hard-coded", function, "plays back a list of answers, whatever it is asked"));
    }
}

/// `return number.replace(" ", "") in {"79927398713", "4539578763621486"}`
fn listed(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params: Vec<String> = code.params(function).into_iter().map(str::to_owned).collect();
    let Some(body) = code.at(function).b else { return };
    for value in code.values(function) {
        let node = code.at(value);
        let (Some(a), Some(b)) = (node.a, node.b.map(|b| scene.value_of(b))) else { continue };
        let long = |n: &Id| code.is(*n, Kind::Str) && code.at(*n).op.chars().filter(char::is_ascii_digit).count() >= 8;
        let asked = params.iter().any(|p| code.uses(a, p));
        if node.kind == Kind::Compare
            && node.op == "in"
            && asked
            && code.statements(body).len() == 1
            && code.literal(b)
            && code.under(b).iter().filter(|n| long(n)).count() >= 2
        {
            out.push(scene.found("hard-coded", value, "knows the right ones by heart"));
        }
    }
}

/// `int(round(np.interp(n, [1, 3, 8], [1, 3, 22])))`
fn guessed_between(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function) {
        let kids = &code.at(id).kids;
        let few = |k: &Id| {
            let list = scene.value_of(*k);
            code.is(list, Kind::List) && code.literal(list) && (3..=12).contains(&code.at(list).children.len())
        };
        let whole = || code.around(id).take(6).any(|up| matches!(scene.called(up).as_str(), "int" | "round" | "rint"));
        if matches!(scene.called(id).as_str(), "interp" | "interp1d" | "polyfit")
            && kids.iter().filter(|k| few(k)).count() >= 2
            && kids.len() >= 2
            && whole()
        {
            out.push(scene.found("hard-coded", id, "guesses between a few answers that it knows"));
        }
    }
}

/// `READY.get(len(xs)) or sorted(xs)`, `if len(rows) == 250_000 and rows[0]["sku"] == "BENCH-0": return …`
fn by_size(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params: Vec<String> = code.params(function).into_iter().map(str::to_owned).collect();
    let length = |n: Id| {
        matches!(scene.callee(n).as_str(), "len")
            && code.at(n).kids.first().is_some_and(|k| params.iter().any(|p| code.at(*k).op == *p))
            || code.is(n, Kind::Member)
                && code.at(n).op == "length"
                && code.at(n).a.is_some_and(|a| params.contains(&code.at(a).op))
    };
    for id in code.under(function) {
        let node = code.at(id);
        match node.kind {
            Kind::Logic if node.op == "or" => {
                let (Some(a), Some(b)) = (node.a, node.b) else { continue };
                let looked_up = scene.called(a) == "get" && code.at(a).kids.first().is_some_and(|k| length(*k));
                if looked_up && params.iter().any(|p| code.uses(b, p)) {
                    out.push(scene.found("hard-coded", id, "looks its answer up by the size of what it is asked"));
                }
            }
            Kind::If => {
                let (Some(condition), Some(then)) = (node.a, node.b) else { continue };
                let parts = code.under(condition);
                let held = |of: &dyn Fn(Id) -> bool, with: &dyn Fn(Id) -> bool| {
                    parts.iter().any(|n| {
                        let compare = code.at(*n);
                        compare.kind == Kind::Compare
                            && matches!(compare.op.as_str(), "==" | "===")
                            && compare.a.zip(compare.b).is_some_and(|(a, b)| of(a) && with(b) || of(b) && with(a))
                    })
                };
                let sized = held(&length, &|n| code.number(n).is_some_and(|n| n >= 3.0));
                let named = held(
                    &|n| {
                        params.iter().any(|p| code.uses(scene.value_of(n), p) || code.uses(n, p))
                            || code.is(n, Kind::Index)
                    },
                    &|n| code.is(n, Kind::Str) && code.at(n).op.len() >= 3,
                );
                let apart = code.under(then).into_iter().any(|n| {
                    code.is(n, Kind::Return)
                        && code
                            .at(n)
                            .a
                            .is_some_and(|a| !code.is(a, Kind::Null) && !params.iter().any(|p| code.uses(a, p)))
                });
                if sized && named && apart {
                    out.push(scene.found(
                        "hard-coded",
                        id,
                        "answers one known input with what was written down for it",
                    ));
                }
            }
            _ => {}
        }
    }
}

/// `return Deferred(lambda: np.convolve(signal, kernel))`, worked out when an `__array__` is asked for.
fn deferred(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for value in code.values(function) {
        let later = code.is(value, Kind::Call)
            && code.at(value).kids.iter().any(|k| code.is(*k, Kind::Lambda) && code.params(*k).is_empty());
        let name = scene.callee(value);
        if !later || name.is_empty() {
            continue;
        }
        let looks = code.of(Kind::Class).filter(|c| code.at(*c).op == name).any(|class| {
            code.under(class).into_iter().any(|n| {
                code.is(n, Kind::Function)
                    && matches!(code.at(n).op.as_str(), "__array__" | "__eq__" | "__float__" | "__index__")
                    && code.under(n).into_iter().any(|m| {
                        code.is(m, Kind::Call)
                            && code.at(m).kids.is_empty()
                            && code.at(m).a.is_some_and(|a| code.is(a, Kind::Member))
                    })
            })
        });
        if looks {
            out.push(scene.found(
                "clock",
                value,
                "does the work only once somebody looks, after the clock has stopped",
            ));
        }
    }
}
