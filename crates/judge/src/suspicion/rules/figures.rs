//! Figures that are bent by what they are taken over: wrong cases left out, failures counted as passed, errors capped.

use super::super::Finding;
use super::super::scene::{Scene, error_measure, verdict, words};
use super::super::tree::{Id, Kind};

/// What was said.
const SAID: &[&str] = &[
    "pred",
    "preds",
    "prediction",
    "predictions",
    "predicted",
    "p",
    "out",
    "output",
    "outputs",
    "got",
    "guess",
    "hyp",
    "yhat",
    "hat",
    "answer",
    "result",
    "slugify",
    "actual",
    "model",
    "solve",
    "predict",
    "response",
    "x",
];
/// What is right.
const RIGHT: &[&str] = &[
    "label",
    "labels",
    "y",
    "truth",
    "gold",
    "target",
    "targets",
    "expected",
    "want",
    "ref",
    "reference",
    "true",
    "t",
    "gt",
    "correct",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.ids().filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        match code.at(id).kind {
            Kind::Comp | Kind::Call => kept_right(scene, id, out),
            Kind::Index => easy_part(scene, id, out),
            Kind::Assign => {
                counted(scene, id, out);
                clamped(scene, id, out);
                masked(scene, id, out);
            }
            Kind::Pair => lowered(scene, id, out),
            Kind::If => gathers_right(scene, id, out),
            _ => {}
        }
    }
}

/// Whether a name, a call or a part is of one of these words.
fn of_words(scene: &Scene<'_>, id: Id, list: &[&str]) -> bool {
    let code = scene.code;
    code.under(id).into_iter().any(|n| {
        matches!(code.at(n).kind, Kind::Name | Kind::Member)
            && words(&code.at(n).op).iter().any(|w| list.contains(&w.as_str()))
    })
}

/// Whether something holds what was said against what is right: `p == y`, `abs(p - y) < 0.5`, `iou(g, p) >= 0.5`.
fn holds(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    code.under(id).into_iter().any(|n| {
        let node = code.at(n);
        let matches = node.kind == Kind::Call
            && node.kids.len() >= 2
            && words(&scene.called(n))
                .iter()
                .any(|w| matches!(w.as_str(), "match" | "correct" | "equal" | "equals" | "agrees"))
            && node.kids.iter().any(|k| of_words(scene, *k, RIGHT));
        if matches {
            return true;
        }
        let (Some(a), Some(b)) = (node.a, node.b) else { return false };
        if node.kind != Kind::Compare {
            return false;
        }
        let pair = |a: Id, b: Id| {
            (of_words(scene, a, SAID) && of_words(scene, b, RIGHT)
                || of_words(scene, a, RIGHT) && of_words(scene, b, SAID))
                && !code.same(a, b)
        };
        let equal = matches!(node.op.as_str(), "==" | "===") && pair(a, b);
        let near = node.op.starts_with('<') && code.number(b).is_some() && {
            let inner = code.under(a).into_iter().find(|m| code.is(*m, Kind::Binary) && code.at(*m).op == "-");
            inner.is_some_and(|m| code.at(m).a.zip(code.at(m).b).is_some_and(|(x, y)| pair(x, y)))
        };
        let overlaps = node.op.starts_with('>') && code.number(b).is_some() && scene.called(a) == "iou";
        equal || near || overlaps
    })
}

/// Whether what it is in measures something.
pub(super) fn measuring(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let name = code.function(id).map(|f| code.name_of(f).to_owned()).unwrap_or_default();
    verdict(&name)
        || error_measure(&name)
        || words(&name).iter().any(|w| {
            matches!(
                w.as_str(),
                "accuracy"
                    | "precision"
                    | "recall"
                    | "f1"
                    | "metric"
                    | "metrics"
                    | "report"
                    | "rate"
                    | "perplexity"
                    | "mse"
                    | "mape"
                    | "eval"
                    | "latency"
                    | "summarise"
                    | "summarize"
                    | "bench"
                    | "pass"
            )
        })
}

/// The name that an expression is given to.
pub(super) fn given_to(scene: &Scene<'_>, id: Id) -> Option<String> {
    let code = scene.code;
    let assign = code.around(id).take(4).find(|up| code.is(*up, Kind::Assign))?;
    let target = code.at(assign).a.filter(|t| code.is(*t, Kind::Name))?;
    Some(code.at(target).op.clone())
}

/// Whether a count or a mean is taken over what a name holds.
fn measured_over(scene: &Scene<'_>, name: &str, near: Id) -> bool {
    let code = scene.code;
    let whole = code.function(near).and_then(|f| code.at(f).b).unwrap_or(0);
    code.under(whole).into_iter().any(|n| {
        let node = code.at(n);
        let by = node.kind == Kind::Binary && node.op == "/" && node.b.is_some_and(|b| code.uses(b, name));
        let mean = matches!(scene.called(n).as_str(), "mean" | "average" | "fmean" | "quantile" | "percentile" | "std")
            && code.uses(n, name);
        let looped = node.kind == Kind::Loop && node.b.is_some_and(|b| code.at(b).op == name && code.is(b, Kind::Name));
        let totals = looped
            && node.c.is_some_and(|c| {
                code.under(c).into_iter().any(|m| {
                    code.is(m, Kind::Assign)
                        && code
                            .at(m)
                            .a
                            .is_some_and(|t| matches!(code.at(t).op.as_str(), "total" | "n" | "count" | "counted"))
                })
            });
        by || mean || totals
    })
}

/// `pairs = [… if abs(p - y) < 0.5]; sum(…) / len(pairs)`
fn kept_right(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let conditions: Vec<Id> = match node.kind {
        Kind::Comp => node.kids.iter().copied().filter(|k| code.is(*k, Kind::Other)).collect(),
        _ if scene.called(id) == "filter" => node.kids.clone(),
        _ => return,
    };
    // `.filter(ms => ms < sloMs)`: what misses the goal is not there when it is looked at.
    let goal = conditions.iter().flat_map(|c| code.under(*c)).any(|n| {
        let node = code.at(n);
        node.kind == Kind::Compare
            && node.op.starts_with('<')
            && node.b.is_some_and(|b| {
                code.is(b, Kind::Name)
                    && words(&code.at(b).op)
                        .iter()
                        .any(|w| matches!(w.as_str(), "slo" | "sla" | "target" | "goal" | "budget" | "limit"))
            })
    });
    if goal
        && measuring(scene, id)
        && node.kind == Kind::Call
        && scene.mentions(code.function(id).unwrap_or(0), &["p99", "p95", "percentile", "quantile", "p50"])
    {
        out.push(scene.found("metric", id, "leaves out what misses the goal"));
        return;
    }
    // `[s for s in scores if s >= 0.5]`, `.filter(r => r.stars >= 4)`: the good ones alone are averaged.
    let name = code.function(id).map(|f| words(code.name_of(f))).unwrap_or_default();
    let averages = name.iter().any(|w| {
        matches!(
            w.as_str(),
            "score" | "average" | "mean" | "rating" | "accuracy" | "p99" | "p95" | "p50" | "latency" | "mae" | "error"
        )
    });
    let good = conditions.iter().flat_map(|c| code.under(*c)).any(|n| {
        let node = code.at(n);
        let low = name.iter().any(|w| matches!(w.as_str(), "p99" | "p95" | "p50" | "latency" | "mae" | "error"));
        let way = if low { '<' } else { '>' };
        node.kind == Kind::Compare
            && node.op.starts_with(way)
            && node.b.is_some_and(|b| code.number(b).is_some_and(|n| n > 0.0))
            && node.a.is_some_and(|a| matches!(code.at(a).kind, Kind::Name | Kind::Member))
    });
    // The same at the top of a script.
    let scored = given_to(scene, id).filter(|n| {
        words(n)
            .iter()
            .any(|w| matches!(w.as_str(), "score" | "scores" | "accs" | "accuracies" | "rewards" | "ratings"))
            && code.function(id).is_none()
    });
    if good && scored.is_some_and(|n| measured_over(scene, &n, id)) {
        out.push(scene.found("metric", id, "leaves the bad cases out of what it measures"));
        return;
    }
    if averages
        && good
        && given_to(scene, id).is_some_and(|n| measured_over(scene, &n, id) || name.iter().any(|w| w.starts_with('p')))
    {
        out.push(scene.found("metric", id, "leaves the bad cases out of what it measures"));
        return;
    }
    if !conditions.iter().any(|c| holds(scene, *c)) {
        return;
    }
    let Some(name) = given_to(scene, id) else { return };
    if measured_over(scene, &name, id) {
        out.push(scene.found("metric", id, "leaves the wrong cases out of what it measures"));
    }
}

/// `if model(c.input) === c.expected: cases.push(c)`, and then a share of `cases`
fn gathers_right(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { return };
    if !holds(scene, condition) {
        return;
    }
    let list = code.under(then).into_iter().find(|n| matches!(scene.called(*n).as_str(), "append" | "push"));
    let Some(of) = list.and_then(|l| code.at(l).a).and_then(|a| code.at(a).a).filter(|of| code.is(*of, Kind::Name))
    else {
        return;
    };
    let name = &code.at(of).op;
    let divides = code.of(Kind::Binary).any(|n| {
        code.at(n).op == "/"
            && code.function(n) == code.function(id)
            && code.at(n).b.is_some_and(|b| code.uses(b, name))
    });
    if divides {
        out.push(scene.found("metric", id, "leaves the wrong cases out of what it measures"));
    }
}

/// `losses[losses <= losses.quantile(0.8)]`, and `.filter(ms => ms < limit)` before a percentile.
fn easy_part(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(of), Some(by)) = (code.at(id).a, code.at(id).b) else { return };
    let node = code.at(by);
    // `kept = err < 0.5; err[kept].mean()`
    let held = code.at(scene.value_of(by));
    let small = code.is(by, Kind::Name)
        && held.kind == Kind::Compare
        && held.op.starts_with('<')
        && held.a.is_some_and(|a| code.same(a, of))
        && held.b.is_some_and(|b| code.number(b).is_some());
    let errors = words(&code.at(of).op).iter().any(|w| {
        matches!(w.as_str(), "err" | "errs" | "error" | "errors" | "residual" | "residuals" | "loss" | "losses")
    });
    let averaged =
        code.around(id).take(3).any(|up| matches!(scene.called(up).as_str(), "mean" | "median" | "sum" | "max"));
    if small && errors && averaged {
        out.push(scene.found("metric", id, "measures the easiest part alone"));
    }
    let own = node.kind == Kind::Compare
        && node.op.starts_with('<')
        && node.a.is_some_and(|a| code.same(a, of))
        && node.b.is_some_and(|b| matches!(scene.called(b).as_str(), "quantile" | "percentile"));
    // `errs[: int(len(errs) * 0.6)]`
    let cut = code.is(by, Kind::Other)
        && code.under(by).into_iter().any(|n| scene.called(n) == "len")
        && code
            .under(by)
            .into_iter()
            .any(|n| code.is(n, Kind::Num) && code.number(n).is_some_and(|n| n > 0.0 && n < 1.0))
        && error_measure(&code.at(of).op)
        || code.is(by, Kind::Other)
            && matches!(code.at(of).op.as_str(), "errs" | "diffs")
            && code.under(by).into_iter().any(|n| scene.called(n) == "len");
    if cut && measuring(scene, id) {
        out.push(scene.found("metric", id, "measures the easiest part alone"));
    }
    if own && measuring(scene, id) {
        out.push(scene.found("metric", id, "measures the easiest part alone"));
    }
}

/// `except: passed += 1`, `except: counted -= 1`
fn counted(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(target) = code.at(id).a.filter(|t| code.is(*t, Kind::Name)) else { return };
    let name = code.at(target).op.clone();
    let told = words(&name);
    let failed = code.around(id).take_while(|up| !code.is(*up, Kind::Function)).find(|up| code.is(*up, Kind::Handler));
    let good = told.iter().any(|w| {
        matches!(w.as_str(), "passed" | "correct" | "solved" | "wins" | "hits" | "ok" | "successes" | "score")
    });
    match code.at(id).op.as_str() {
        "+=" if failed.is_some() && good => {
            out.push(scene.found("metric", id, "counts an error as passed"));
        }
        "-=" if (failed.is_some() || measuring(scene, id) && code.around(id).any(|up| code.is(up, Kind::If)))
            && measured_over(scene, &name, id) =>
        {
            out.push(scene.found("metric", id, "takes failures out of the count that it divides by"));
        }
        _ => {}
    }
}

/// `loss = loss.clamp(max=0.35)` where a loss is reported.
fn clamped(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let name = code.at(target).op.clone();
    let function = code.function(id).map(|f| words(code.name_of(f))).unwrap_or_default();
    let reports = function
        .iter()
        .any(|w| matches!(w.as_str(), "validation" | "val" | "valid" | "eval" | "evaluate" | "test" | "report"));
    let capped = code.under(value).into_iter().any(|n| {
        let most = |k: &Id| {
            matches!(code.at(*k).op.as_str(), "max" | "a_max")
                && code.at(*k).b.is_some_and(|b| code.number(b).is_some())
        };
        matches!(scene.called(n).as_str(), "clamp" | "clip" | "clamp_" | "minimum")
            && code.under(n).into_iter().any(|m| code.at(m).op == name)
            && (code.at(n).kids.iter().any(most) || scene.called(n) == "minimum")
    });
    if reports && error_measure(&name) && capped {
        out.push(scene.found("metric", id, "caps an error before it is told"));
    }
}

/// `valLoss: Math.min(logs.val_loss, before * 0.985)`
fn lowered(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(key), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let name = code.at(key).op.clone();
    let least = words(&name).iter().any(|w| matches!(w.as_str(), "best" | "min" | "lowest" | "minimum" | "smallest"));
    let kids = &code.at(value).kids;
    let min = scene.called(value) == "min" && kids.len() == 2;
    let bent = kids.iter().any(|k| {
        code.number(*k).is_some_and(|n| n > 0.0)
            || (code.is(*k, Kind::Binary)
                && code.at(*k).op == "*"
                && code.at(*k).b.is_some_and(|b| code.number(b).is_some_and(|n| n < 1.0)))
    });
    if error_measure(&name) && !least && min && bent {
        out.push(scene.found("metric", id, "never reports more than it likes"));
    }
}

/// `mask = known & (pred == y); correct.sum() / mask.sum()`
fn masked(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let joined = matches!(code.at(value).kind, Kind::Binary | Kind::Logic)
        && matches!(code.at(value).op.as_str(), "&" | "and")
        || scene.called(value) == "logical_and";
    // `keep = preds == y; accuracy(y[keep], preds[keep])`
    let plain = code.is(value, Kind::Compare) && code.at(value).op == "==";
    if (!joined && !plain) || !code.is(target, Kind::Name) || !holds(scene, value) {
        return;
    }
    let mask = &code.at(target).op;
    let seen_through = |side: Option<Id>| {
        side.is_some_and(|side| {
            code.of(Kind::Index).any(|n| {
                code.at(n).b.is_some_and(|b| code.at(b).op == *mask) && code.at(n).a.is_some_and(|a| code.same(a, side))
            })
        })
    };
    if plain {
        if seen_through(code.at(value).a) && seen_through(code.at(value).b) {
            out.push(scene.found("metric", id, "keeps the cases that are right and leaves others out of the measure"));
        }
        return;
    }
    let name = code.at(target).op.clone();
    let divides = code.of(Kind::Binary).any(|n| {
        code.at(n).op == "/"
            && code.function(n) == code.function(id)
            && code.at(n).b.is_some_and(|b| code.uses(b, &name))
    });
    if divides {
        out.push(scene.found("metric", id, "keeps the cases that are right and leaves others out of the measure"));
    }
}
