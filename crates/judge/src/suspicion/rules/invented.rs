//! Figures that nobody measured: from a formula, from a source of random numbers, of a pool that was emptied.

use super::super::Finding;
use super::super::scene::{Scene, among, error_measure, words};
use super::super::tree::{Id, Kind};
use super::theatre::{FORMS, inert};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Loop).collect::<Vec<_>>() {
        curve(scene, id, out);
    }
    for id in code.of(Kind::Block).collect::<Vec<_>>() {
        emptied(scene, id, out);
    }
    for (id, callee) in scene.calls() {
        written(scene, id, &callee, out);
        logged(scene, id, &callee, out);
    }
    for id in code.of(Kind::Assign).collect::<Vec<_>>() {
        series(scene, id, out);
        let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { continue };
        let noise = words(&code.at(target).op).iter().any(|w| w == "noise");
        if noise && matches!(scene.called(value).as_str(), "zeros_like" | "zeros") && !simulated(scene, id) {
            out.push(scene.found("constant-check", id, "adds a noise that is none"));
        }
    }
    for id in code.ids().filter(|id| matches!(code.at(*id).kind, Kind::Pair | Kind::Keyword)).collect::<Vec<_>>() {
        jitter(scene, id, out);
    }
}

pub(super) fn drawn(scene: &Scene<'_>, id: Id) -> bool {
    let callee = scene.callee(id).to_lowercase();
    let last = callee.rsplit('.').next().unwrap_or_default().to_owned();
    let of_source = scene.code.at(id).a.and_then(|a| scene.code.at(a).a).is_some_and(|of| {
        let made = scene.callee(scene.value_of(of)).to_lowercase();
        made.ends_with("random") || made.ends_with("default_rng") || made.ends_with("randomstate")
    });
    (of_source && scene.code.is(id, Kind::Call))
        || (callee.contains("random") && !callee.contains("uuid") && last != "default_rng" && last != "seed")
        || (matches!(last.as_str(), "uniform" | "normal" | "gauss" | "standard_normal" | "gen_range")
            && callee.contains('.'))
}

/// A pool of what was never put in: `grams.clear()` right after it was made, noise that is zeros.
fn emptied(scene: &Scene<'_>, block: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let statements = code.statements(block);
    for pair in statements.windows(2) {
        let made = code.at(pair[0]);
        let (Some(target), Some(value)) = (made.a.filter(|_| made.kind == Kind::Assign), made.b) else { continue };
        let full = code.is(value, Kind::Comp) || code.is(value, Kind::Call) && !code.at(value).kids.is_empty();
        let clears = scene.called(pair[1]) == "clear"
            && code.at(pair[1]).a.and_then(|a| code.at(a).a).is_some_and(|of| code.same(of, target));
        if full && clears && code.is(target, Kind::Name) {
            out.push(scene.found("constant-check", pair[1], "empties what it has just gathered"));
        }
    }
}

/// Names of what is measured.
fn measure(told: &[String]) -> bool {
    told.iter().any(|w| {
        matches!(
            w.as_str(),
            "accuracy"
                | "acc"
                | "f1"
                | "precision"
                | "recall"
                | "auc"
                | "bleu"
                | "score"
                | "confidence"
                | "similarity"
                | "relevance"
                | "perplexity"
                | "loss"
                | "reward"
                | "map"
                | "iou"
                | "wer"
                | "rouge"
        )
    })
}

fn simulated(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    scene.tests
        || scene.in_test(id)
        || code.around(id).any(|up| {
            matches!(code.at(up).kind, Kind::Function | Kind::Lambda | Kind::Class) && {
                let name = if code.is(up, Kind::Class) { code.at(up).op.as_str() } else { code.name_of(up) };
                words(name).iter().any(|w| among(FORMS, w))
            }
        })
}

/// `ours = 0.93 * (1 - np.exp(-epochs / 7)) + np.random.normal(…)`, drawn as a result.
fn series(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    if !code.is(target, Kind::Name) || !code.is(value, Kind::Binary) || simulated(scene, id) {
        return;
    }
    let parts = code.under(value);
    let invented = parts.iter().any(|n| drawn(scene, *n))
        && parts.iter().any(|n| code.number(*n).is_some())
        && parts.iter().filter(|n| code.is(**n, Kind::Call)).all(|n| {
            drawn(scene, *n) || matches!(scene.called(*n).as_str(), "exp" | "log" | "sqrt" | "tanh" | "power")
        });
    let name = &code.at(target).op;
    let shown = scene.calls().any(|(call, callee)| {
        matches!(callee.rsplit('.').next(), Some("plot" | "errorbar" | "bar" | "scatter" | "add_row"))
            && code.uses(call, name)
    });
    let claimed = code.of(Kind::Str).any(|s| {
        let text = code.at(s).op.to_lowercase();
        ["accuracy", "ours", "baseline", "top-1", "validation", "bleu", "f1"].iter().any(|w| text.contains(w))
    });
    let toy = code.of(Kind::Str).any(|s| {
        let text = code.at(s).op.to_lowercase();
        ["synthetic", "simulated", "toy", "illustrat", "example", "schematic"].iter().any(|w| text.contains(w))
    });
    if invented && shown && claimed && !toy {
        out.push(scene.found("metric", id, "makes figures by a formula and tells them as measured"));
    }
}

/// `{"accuracy": 0.947 + jitter()}`
fn jitter(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let key = if node.kind == Kind::Keyword {
        node.op.clone()
    } else {
        node.a.map(|a| code.at(a).op.clone()).unwrap_or_default()
    };
    let Some(value) = node.b.filter(|_| measure(&words(&key))) else { return };
    let random = |n: Id| {
        drawn(scene, n) || {
            let local = code.functions().find(|f| code.is(n, Kind::Call) && code.name_of(*f) == scene.callee(n));
            local.and_then(|f| code.at(f).b).is_some_and(|b| code.under(b).into_iter().any(|m| drawn(scene, m)))
        }
    };
    let parts = code.under(value);
    let others = parts.iter().any(|n| {
        let call = code.is(*n, Kind::Call) && !random(*n) && !inert(scene, *n, &[]);
        call || (code.is(*n, Kind::Name)
            && code.at(code.at(*n).parent).a != Some(*n)
            && !code.is(code.at(*n).parent, Kind::Call)
            && code.number(*n).is_none()
            && !matches!(code.at(*n).op.as_str(), "random" | "np" | "rng" | "Math"))
    });
    let number = parts.iter().any(|n| code.number(*n).is_some());
    if parts.iter().any(|n| random(*n)) && number && !others && !simulated(scene, id) {
        out.push(scene.found("metric", id, "draws a figure at random and tells it as measured"));
    }
}

/// `loss = 2.3 * 0.8 ** epoch; print(f"loss {loss}")`
fn curve(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if simulated(scene, id) {
        return;
    }
    let (Some(target), Some(body)) = (code.at(id).a, code.at(id).c) else { return };
    let loops: Vec<Id> = std::iter::once(id).chain(code.around(id)).filter(|up| code.is(*up, Kind::Loop)).collect();
    let targets: Vec<String> = loops
        .iter()
        .filter_map(|l| code.at(*l).a)
        .chain(std::iter::once(target))
        .flat_map(|t| code.under(t))
        .filter(|n| code.is(*n, Kind::Name))
        .map(|n| code.at(n).op.clone())
        .collect();
    let all = code.under(body);
    for assign in all.iter().copied().filter(|n| code.is(*n, Kind::Assign)) {
        let (Some(to), Some(value)) = (code.at(assign).a, code.at(assign).b) else { continue };
        let name = code.at(to).op.clone();
        if !code.is(to, Kind::Name)
            || !(measure(&words(&name)) || error_measure(&name))
            || words(&name).iter().any(|w| matches!(w.as_str(), "weight" | "scale" | "best" | "rate" | "lr"))
        {
            continue;
        }
        let invented = |value: Id| {
            let parts = code.under(value);
            parts.iter().any(|n| code.number(*n).is_some())
                && parts.iter().all(|n| {
                    let node = code.at(*n);
                    match node.kind {
                        Kind::Name => {
                            node.op == name
                                || targets.contains(&node.op)
                                || matches!(
                                    node.op.as_str(),
                                    "random"
                                        | "math"
                                        | "np"
                                        | "numpy"
                                        | "min"
                                        | "max"
                                        | "round"
                                        | "exp"
                                        | "Math"
                                        | "rng"
                                )
                                || code.number(scene.value_of(*n)).is_some()
                        }
                        Kind::Call => {
                            drawn(scene, *n)
                                || matches!(
                                    scene.called(*n).as_str(),
                                    "min" | "max" | "exp" | "log" | "sqrt" | "round" | "pow" | "float"
                                )
                        }
                        Kind::Num | Kind::Binary | Kind::Unary | Kind::Member | Kind::Other | Kind::Choice => true,
                        _ => false,
                    }
                })
        };
        // It changes with the loop, or by itself.
        let moves = code.at(assign).op.len() == 2
            || code.under(value).into_iter().any(|n| targets.contains(&code.at(n).op) || drawn(scene, n));
        let everywhere = code.of(Kind::Assign).filter(|a| code.function(*a) == code.function(assign)).all(|a| {
            let node = code.at(a);
            node.a.is_none_or(|t| code.at(t).op != name) || node.b.is_some_and(|b| invented(b) || code.literal(b))
        });
        let said = all.iter().any(|n| {
            matches!(
                scene.called(*n).as_str(),
                "print" | "append" | "log" | "info" | "write" | "push" | "println!" | "add_scalar" | "add_row"
            ) && code.under(*n).into_iter().any(|m| code.at(m).op == name && m != to)
        });
        if moves && everywhere && invented(value) && said {
            out.push(scene.found("metric", assign, "makes figures by a formula and tells them as measured"));
            return;
        }
    }
}

/// Rows that were drawn, written where results are collected.
fn written(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let last = callee.rsplit('.').next().unwrap_or_default();
    if !among("to_csv savetxt writeFileSync writeFile write_text dump save to_json", last) || simulated(scene, id) {
        return;
    }
    let told: Vec<String> = scene.texts(id).iter().filter(|t| t.contains('.')).flat_map(|t| words(t)).collect();
    let has = |list: &str| told.iter().any(|w| among(list, w));
    let results =
        has("results collected responses survey annotations ratings measurements scores metrics participants labels")
            && !has("synthetic fake sample mock seed demo toy fixture simulated random");
    let seen: Vec<Id> = code.under(id).into_iter().flat_map(|n| code.under(scene.value_of(n))).collect();
    let rows = code.of(Kind::Call).any(|n| {
        let of = code.at(n).a.and_then(|a| code.at(a).a);
        matches!(scene.called(n).as_str(), "append" | "push")
            && of.is_some_and(|of| seen.iter().any(|s| code.is(*s, Kind::Name) && code.at(*s).op == code.at(of).op))
            && code.under(n).into_iter().any(|m| drawn(scene, m))
    });
    if results && (rows || seen.iter().any(|n| drawn(scene, *n))) {
        out.push(scene.found("faked-output", id, "writes results that were drawn at random"));
    }
}

/// `log_metric("val_acc", 0.7 + epoch * 0.009)`
fn logged(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let last = callee.rsplit('.').next().unwrap_or_default();
    if !among("log_metric add_scalar log_scalar report_scalar", last) || simulated(scene, id) {
        return;
    }
    let [key, value, ..] = code.at(id).kids[..] else { return };
    let told = scene.text(key).map(|t| words(&t)).unwrap_or_default();
    let looped = code.around(id).find(|up| code.is(*up, Kind::Loop)).and_then(|l| code.at(l).a);
    let parts = code.under(value);
    let formula = code.is(value, Kind::Binary)
        && parts.iter().any(|n| code.number(*n).is_some())
        && parts.iter().filter(|n| code.is(**n, Kind::Name)).all(|n| {
            looped.is_some_and(|l| code.at(l).op == code.at(*n).op) || among("random math np rng", &code.at(*n).op)
        });
    if measure(&told) && formula {
        out.push(scene.found("metric", id, "makes figures by a formula and tells them as measured"));
    }
}
