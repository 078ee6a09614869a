//! What gives verdicts or figures, and gives always the good one; what is said without having been measured; and what turns
//! off those who watch.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, error_measure, verdict, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) {
            continue;
        }
        constant(scene, function, out);
        failed_well(scene, function, out);
        bent(scene, function, out);
        unmeasured(scene, function, out);
    }
    claims(scene, out);
    seeds(scene, out);
    for (id, _) in scene.calls() {
        trained(scene, id, out);
    }
}

/// The best that can be said: yes, full marks, no error.
fn success(scene: &Scene<'_>, value: Id, error: bool) -> bool {
    let code = scene.code;
    let node = code.at(value);
    if let Some(n) = code.number(value) {
        return if error { n == 0.0 } else { n == 1.0 || n == 100.0 || n.is_infinite() && n > 0.0 || n == 10.0 };
    }
    match node.kind {
        Kind::Bool => node.op == "true",
        Kind::Str => matches!(
            node.op.to_lowercase().as_str(),
            "pass" | "passed" | "ok" | "success" | "valid" | "accepted" | "correct"
        ),
        Kind::Call if matches!(scene.callee(value).as_str(), "Ok" | "Some" | "Promise.resolve") => {
            let kid = node.kids.first();
            kid.is_none_or(|k| code.is(*k, Kind::Null) && scene.callee(value) == "Ok" || success(scene, *k, error))
        }
        Kind::Dict => {
            let verdicts = node.kids.iter().filter(|k| {
                let key = code.at(**k).a.map(|a| code.at(a).op.to_lowercase()).unwrap_or_default();
                matches!(
                    key.as_str(),
                    "valid" | "ok" | "pass" | "passed" | "score" | "success" | "combined_score" | "accuracy" | "reward"
                )
            });
            let all: Vec<&Id> = verdicts.collect();
            !all.is_empty()
                && all.iter().all(|k| {
                    code.at(**k).b.is_some_and(|b| success(scene, b, false) || code.number(b).is_some_and(|n| n >= 0.9))
                })
        }
        Kind::List => node.children.first().is_some_and(|c| code.is(*c, Kind::Bool) && success(scene, *c, error)),
        _ => false,
    }
}

/// Names of classes whose business is to say yes, or to be overridden.
fn open_hand(name: &str) -> bool {
    words(name).iter().any(|w| {
        matches!(
            w.as_str(),
            "base"
                | "abstract"
                | "mixin"
                | "null"
                | "noop"
                | "dummy"
                | "fake"
                | "stub"
                | "mock"
                | "default"
                | "allow"
                | "always"
                | "permissive"
                | "protocol"
                | "any"
                | "interface"
                | "trait"
        )
    })
}

/// `let _ = (message, key);`: nothing but a word to the compiler.
fn dropped(scene: &Scene<'_>, statement: Id) -> bool {
    let code = scene.code;
    let node = code.at(statement);
    node.kind == Kind::Assign
        && node.a.is_none_or(|a| code.at(a).op == "_" || code.at(a).op.is_empty())
        && !code.under(statement).into_iter().any(|n| code.is(n, Kind::Call))
}

fn constant(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    let measure = error_measure(name);
    let params = code.params(function);
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let overridden = class.is_some_and(|c| {
        open_hand(&code.at(c).op)
            || (code.language == Language::Rust && code.at(c).kids.is_empty() && is_trait(scene, c))
    });
    if !(verdict(name) || measure) || params.is_empty() || overridden {
        return;
    }
    let values = code.values(function);
    let raises = code.at(function).b.is_some_and(|b| {
        code.under(b).into_iter().any(|n| {
            code.is(n, Kind::Raise)
                || matches!(scene.called(n).as_str(), "Err" | "bail!" | "assert!" | "panic!" | "ensure!")
                || code.is(n, Kind::Assert)
        })
    });
    let tries = code
        .at(function)
        .b
        .is_some_and(|b| code.under(b).into_iter().any(|n| code.at(n).kind == Kind::Other && code.at(n).op == "?"));
    let fixed = !values.is_empty() && values.iter().all(|v| success(scene, *v, measure));
    // A function with `?` in it returns early where something fails.
    let propagates = code.language == Language::Rust
        && values.iter().all(|v| scene.callee(*v) == "Ok")
        && code.at(function).b.is_some_and(|b| code.statements(b).iter().filter(|s| !dropped(scene, **s)).count() > 1);
    if fixed && !raises && !tries && !propagates {
        out.push(scene.found(
            "constant-check",
            function,
            format!("{name} gives the best verdict whatever it is given"),
        ));
    }
}

fn is_trait(scene: &Scene<'_>, class: Id) -> bool {
    scene.code.at(class).op.ends_with("Trait")
}

fn failed_well(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !verdict(code.name_of(function))
        && !code.name_of(function).starts_with("is_")
        && !code.name_of(function).starts_with("test")
    {
        return;
    }
    for id in code.of(Kind::Handler).filter(|id| code.function(*id) == Some(function)) {
        let wide = code.at(id).a.is_none_or(|a| {
            code.under(a).into_iter().any(|n| matches!(code.at(n).op.as_str(), "Exception" | "BaseException"))
        }) || code.language.is_script();
        let Some(body) = code.at(id).b.filter(|_| wide) else { continue };
        let returned = code
            .under(body)
            .into_iter()
            .find(|n| code.is(*n, Kind::Return) && code.at(*n).a.is_some_and(|a| success(scene, a, false)));
        if let Some(at) = returned {
            out.push(scene.found("constant-check", at, "counts an error as success"));
        }
    }
}

/// Figures that are bent on their way out.
fn bent(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    let error = error_measure(name);
    let good = verdict(name)
        || words(name).iter().any(|w| matches!(w.as_str(), "accuracy" | "precision" | "recall" | "metric" | "f1"));
    if !error && !good {
        return;
    }
    // Where it may give nothing at all, the least of what is right is no floor.
    let values = code.values(function);
    let may_fail = values.iter().any(|v| code.number(*v) == Some(0.0));
    let chosen =
        |v: Id| if code.is(v, Kind::Choice) { code.at(v).b.into_iter().chain(code.at(v).c).collect() } else { vec![v] };
    for value in values.into_iter().flat_map(chosen) {
        let value = scene.value_of(value);
        let wrapped = matches!(scene.callee(value).as_str(), "float" | "round");
        let value = code.at(value).kids.first().copied().filter(|_| wrapped).map_or(value, |k| scene.value_of(k));
        let node = code.at(value);
        let zero = |x: Option<Id>| x.is_some_and(|x| code.number(x) == Some(0.0));
        if node.kind == Kind::Binary && node.op == "*" && (zero(node.a) || zero(node.b)) && error {
            out.push(scene.found("metric", value, "makes a measured error nothing by multiplying it with zero"));
        }
        let callee = scene.called(value);
        let bounds: Vec<f64> = node.kids.iter().filter_map(|k| code.number(*k)).collect();
        let receiver = node.a.is_some_and(|a| {
            code.is(a, Kind::Member)
                && !matches!(
                    code.at(a).a.map(|o| code.at(o).op.as_str()),
                    Some("Math" | "np" | "numpy" | "math" | "torch")
                )
        });
        let one = bounds.len() == 1 && (node.kids.len() == 2 || (receiver && node.kids.len() == 1));
        if one && error && callee == "min" && bounds[0] > 0.0 && bounds[0] < 1.0 {
            out.push(scene.found("metric", value, "never reports more than a small error"));
        }
        let clipped = callee == "clip" && bounds.first().is_some_and(|low| *low >= 0.5 && *low < 1.0);
        // `max(run.score, best + 0.01)`
        let lifted = callee == "max"
            && node.kids.iter().any(|k| words(&code.at(*k).op).iter().any(|w| w == "score"))
            && node.kids.iter().any(|k| {
                code.is(*k, Kind::Binary)
                    && code.at(*k).op == "+"
                    && code.at(*k).b.is_some_and(|b| code.number(b).is_some_and(|n| n > 0.0))
            });
        if good && lifted {
            out.push(scene.found("metric", value, "lifts a score that is too low"));
        }
        if good && !error && !may_fail && (clipped || one && callee == "max" && bounds[0] >= 0.5) {
            out.push(scene.found("metric", value, "never reports less than a good score"));
        }
    }
}

/// Health, latency and the like, answered without looking.
fn unmeasured(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = words(code.name_of(function));
    let measures = name.iter().any(|w| {
        matches!(
            w.as_str(),
            "health"
                | "ping"
                | "measure"
                | "probe"
                | "benchmark"
                | "latency"
                | "healthcheck"
                | "uptime"
                | "profile"
                | "bench"
        )
    });
    if !measures || code.params(function).is_empty() {
        return;
    }
    let values = code.values(function);
    let figure = |value: &Id| {
        let node = code.at(*value);
        let inert = code.under(*value).into_iter().filter(|n| code.is(*n, Kind::Call)).all(|n| {
            matches!(scene.called(n).as_str(), "into" | "to_string" | "clone" | "from" | "to_owned" | "String" | "str")
        });
        let numbers = node.kids.iter().filter(|k| code.at(**k).b.is_some_and(|b| code.number(b).is_some())).count();
        let told = node.kids.iter().filter(|k| code.at(**k).b.is_some_and(|b| success(scene, b, false))).count();
        node.kind == Kind::Dict && inert && numbers >= 1 && (told >= 1 || numbers == node.kids.len())
    };
    let body = code.at(function).b.map(|b| code.statements(b).len()).unwrap_or_default();
    if !values.is_empty() && values.iter().all(figure) && body <= 2 {
        out.push(scene.found("constant-check", function, "reports what it never measured"));
    }
}

/// It says that it checks, and then says yes.
fn claims(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for block in code.of(Kind::Block) {
        let statements = code.statements(block);
        for pair in statements.windows(2) {
            let (said, then) = (pair[0], pair[1]);
            let logs = matches!(scene.called(said).as_str(), "log" | "print" | "info" | "debug" | "println!" | "info!");
            let text = code.at(said).kids.first().and_then(|k| scene.text(*k)).unwrap_or_default().to_lowercase();
            let claim = ["validat", "verif", "checking", "scanning", "sanitiz", "inspecting", "authenticat", "testing"]
                .iter()
                .any(|w| text.contains(w));
            let yes = code.is(then, Kind::Return) && code.at(then).a.is_some_and(|a| success(scene, a, false));
            if logs && claim && yes && statements.len() <= 3 {
                out.push(scene.found("constant-check", then, "says that it checks, and checks nothing"));
            }
        }
    }
}

/// The best of many seeds, told as the result.
fn seeds(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        if !matches!(callee.rsplit('.').next().unwrap_or_default(), "max" | "min" | "sorted") {
            continue;
        }
        let drawn = code.at(id).kids.iter().flat_map(|k| code.under(scene.value_of(*k))).any(|n| {
            let looped = code.around(n).any(|up| code.is(up, Kind::Comp));
            let seeded = code.is(n, Kind::Keyword) && words(&code.at(n).op).iter().any(|w| w == "seed")
                || (code.is(n, Kind::Call) && code.at(n).kids.iter().any(|k| code.at(*k).op == "seed"));
            looped && seeded
        });
        if drawn {
            out.push(scene.found("metric", id, "takes the luckiest of many seeds for the result"));
        }
    }
}

/// Fitted to what it is to be tested on.
fn trained(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(scene.called(id).as_str(), "fit" | "partial_fit" | "fit_transform" | "train_on_batch" | "finetune") {
        return;
    }
    let test = |n: Id| {
        code.is(n, Kind::Name)
            && words(&code.at(n).op).iter().any(|w| matches!(w.as_str(), "test" | "holdout" | "heldout" | "te"))
    };
    let joined = |n: Id| {
        let value = scene.value_of(n);
        code.under(value)
            .into_iter()
            .any(|n| matches!(scene.called(n).as_str(), "concat" | "concatenate" | "vstack" | "hstack" | "append"))
            && code.under(value).into_iter().any(test)
    };
    let tested = code
        .at(id)
        .kids
        .iter()
        .filter(|k| !code.is(**k, Kind::Keyword))
        .flat_map(|k| code.under(*k))
        .any(|n| test(n) || joined(n));
    // A copy that is fitted to everything once all is measured.
    let afterwards = code.at(id).a.is_some_and(|a| code.under(a).into_iter().any(|n| scene.called(n) == "clone"));
    if tested && !afterwards {
        out.push(scene.found("metric", id, "learns from the data that it is to be tested on"));
    }
}
