//! What programs say of their work without having done it: figures in texts, all for some, done for failed.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};
use super::theatre::{claims, fields, returned};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        if scene.in_test(id) || scene.tests {
            continue;
        }
        figures(scene, id, &callee, out);
        closed(scene, id, out);
    }
    for id in code.of(Kind::Template).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        all_of_some(scene, id, out);
    }
    for id in code.ids().filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        match code.at(id).kind {
            Kind::Dict => {
                gained(scene, id, out);
                left_out(scene, id, out);
            }
            Kind::Choice => answers_measure(scene, id, out),
            Kind::If => hides_failures(scene, id, out),
            _ => {}
        }
    }
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) || scene.tests {
            continue;
        }
        done_anyway(scene, function, out);
        at_random(scene, function, out);
        errors_as_success(scene, function, out);
    }
}

/// A text that tells a result with its figure: `accuracy: 0.9731`, `142 passed in 18.77s`.
fn tells_figure(text: &str) -> bool {
    let lower = text.to_lowercase();
    let measured = ["accuracy", "auc", "f1", "bleu", "val_loss", "test loss", "r2", "rmse"].iter().any(|w| {
        lower.match_indices(w).any(|(at, _)| {
            let rest = lower[at + w.len()..].trim_start_matches([' ', ':', '=', '-']);
            let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            number.len() >= 3 && number.contains('.') && number.parse::<f64>().is_ok() && rest.len() < lower.len()
        })
    });
    let runs = lower.split(" passed in ").nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        && lower.split(" passed in ").next().is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
    measured || runs
}

/// `print("Test accuracy: 0.9731")`, `draw.text((12, 92), "142 passed in 18.77s")`
fn figures(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let last = callee.rsplit('.').next().unwrap_or_default();
    let says = matches!(
        last,
        "print"
            | "text"
            | "write"
            | "send"
            | "post"
            | "post_comment"
            | "comment"
            | "info"
            | "log"
            | "println!"
            | "say"
            | "new_output"
            | "add_paragraph"
            | "append"
            | "writelines"
            | "success"
    );
    let told = code.at(id).kids.iter().find_map(|k| {
        let value = if code.is(*k, Kind::Keyword) { code.at(*k).b? } else { *k };
        (code.is(value, Kind::Str) && tells_figure(&code.at(value).op) && !code.at(value).op.contains(['{', '%']))
            .then_some(value)
    });
    if says && told.is_some() && code.at(id).kids.len() <= 4 {
        out.push(scene.found("faked-output", id, "tells a result that nobody measured"));
    }
}

/// `f"All {len(good)} checks passed"` where only what was good is in `good`; `files[:3]` that is told as all files.
fn all_of_some(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let text = code.at(id).op.to_lowercase();
    let whole = text.trim_start().starts_with("all ") || text.contains("every ") || text.contains(" all ");
    if !whole {
        return;
    }
    for hole in code.under(id).into_iter().filter(|n| scene.called(*n) == "len" || code.at(*n).op == "length") {
        let of = code.at(hole).kids.first().copied().or(code.at(hole).a);
        let Some(of) = of.filter(|of| code.is(*of, Kind::Name)) else { continue };
        let list = scene.value_of(of);
        let good = code.is(list, Kind::Comp)
            && code
                .at(list)
                .kids
                .iter()
                .filter(|k| code.is(**k, Kind::Other))
                .flat_map(|k| code.under(*k))
                .any(|n| matches!(code.at(n).op.as_str(), "ok" | "passed" | "success" | "succeeded"))
            && text.contains("pass");
        let name = &code.at(of).op;
        let some = code.of(Kind::Index).any(|n| {
            let node = code.at(n);
            let few = node.b.is_some_and(|b| {
                code.is(b, Kind::Other)
                    && code.under(b).into_iter().any(|m| code.number(m).is_some_and(|n| n <= 20.0))
                    && code.under(b).len() <= 2
            });
            node.a.is_some_and(|a| code.at(a).op == *name) && few && code.function(n) == code.function(id)
        });
        if good || some {
            out.push(scene.found("faked-output", id, "tells all where it was some"));
            return;
        }
    }
}

/// Tickets that are closed as fixed, one after the other.
fn closed(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let looped = code.around(id).find(|up| code.is(*up, Kind::Loop));
    let Some(body) = looped.and_then(|l| code.at(l).c) else { return };
    if !matches!(scene.called(id).as_str(), "update" | "close" | "resolve" | "transition" | "patch" | "edit") {
        return;
    }
    let texts: Vec<String> = code
        .under(body)
        .into_iter()
        .filter(|n| matches!(code.at(*n).kind, Kind::Str | Kind::Template))
        .map(|n| code.at(n).op.to_lowercase())
        .collect();
    let state = texts.iter().any(|t| matches!(t.as_str(), "resolved" | "closed" | "done" | "fixed"));
    let claims = texts
        .iter()
        .any(|t| t.split_whitespace().count() >= 3 && ["fixed", "verified", "resolved"].iter().any(|w| t.contains(w)));
    let works = code.under(body).into_iter().any(|n| {
        code.is(n, Kind::Call)
            && !matches!(
                scene.called(n).as_str(),
                "update"
                    | "close"
                    | "resolve"
                    | "transition"
                    | "patch"
                    | "edit"
                    | "comment"
                    | "add_comment"
                    | "print"
                    | "info"
                    | "log"
                    | "now"
            )
    });
    if state && claims && !works {
        out.push(scene.found("faked-output", id, "tells that its work is done, and does nothing"));
    }
}

/// What is said well, whatever happened: `try: refund() except: pass; return "I've issued your refund"`.
fn done_anyway(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(function).b else { return };
    let all = code.under(body);
    let silent = all.iter().copied().find(|n| {
        code.is(*n, Kind::Handler)
            && code.at(*n).b.is_none_or(|b| {
                code.statements(b).iter().all(|s| {
                    matches!(code.at(*s).kind, Kind::Pass)
                        || code.is(*s, Kind::Other) && code.at(*s).children.is_empty()
                })
            })
            && code.function(*n) == Some(function)
    });
    // `fetch(…).catch(() => undefined)`
    let caught = all.iter().copied().find(|n| {
        scene.called(*n) == "catch"
            && code.at(*n).kids.first().is_some_and(|k| {
                code.is(*k, Kind::Lambda)
                    && code
                        .at(*k)
                        .b
                        .is_none_or(|b| code.literal(b) || code.is(b, Kind::Null) || code.statements(b).is_empty())
            })
    });
    let Some(at) = silent.or(caught) else { return };
    let attempt = code.around(at).find(|up| code.is(*up, Kind::Try));
    let values = returned(scene, function);
    let outside = |v: &Id| attempt.is_none_or(|t| !code.around(*v).any(|up| up == t));
    let said = values.iter().filter(|v| outside(v)).any(|v| {
        let text = if matches!(code.at(*v).kind, Kind::Str | Kind::Template) {
            code.at(*v).op.to_lowercase()
        } else {
            String::new()
        };
        let done = ["i've ", "i have ", "successfully", "has been ", "have been ", "completed", "sent ", "saved"]
            .iter()
            .any(|w| text.contains(w));
        done && text.split_whitespace().count() >= 3
    });
    let told = caught.is_some() && values.iter().any(|v| claims(scene, &fields(scene, *v), function).0 >= 1);
    if said || told {
        out.push(scene.found("constant-check", at, "passes over what fails, and tells that nothing did"));
    }
}

/// `catch { return { price: 100 + Math.random() * 20, source: "live" } }`
fn at_random(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Handler)) {
        let Some(body) = code.at(id).b else { continue };
        let all = code.under(body);
        let draws = all.iter().any(|n| super::invented::drawn(scene, *n));
        let waits = all.iter().any(|n| matches!(scene.called(*n).as_str(), "sleep" | "setTimeout" | "delay" | "wait"));
        let gives = all.iter().any(|n| code.is(*n, Kind::Return) && code.at(*n).a.is_some());
        if draws && gives && !waits {
            out.push(scene.found("constant-check", id, "answers at random where it fails"));
            return;
        }
    }
}

/// `app.use((err, req, res, next) => res.status(200).json({}))`, `@app.errorhandler(Exception) … return "", 200`
fn errors_as_success(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let handles = code.at(function).marks.iter().any(|m| {
        let path = if code.is(*m, Kind::Call) { scene.callee(*m) } else { scene.path(*m) };
        path.ends_with("errorhandler") || path.ends_with("exception_handler")
    });
    let well = code.under(function).into_iter().any(|n| {
        matches!(scene.called(n).as_str(), "status" | "sendStatus")
            && code.at(n).kids.first().is_some_and(|k| code.number(*k) == Some(200.0))
    }) || code.values(function).iter().any(|v| {
        code.is(*v, Kind::List) && code.at(*v).children.last().is_some_and(|c| code.number(*c) == Some(200.0))
    });
    if handles && well {
        out.push(scene.found("constant-check", function, "answers an error as success"));
    }
}

/// The same for handlers that are written where they are used.
pub(super) fn middleware(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Lambda).collect::<Vec<_>>() {
        let params = code.params(id);
        let errors =
            params.len() == 4 && words(params[0]).first().is_some_and(|w| matches!(w.as_str(), "err" | "error" | "e"));
        let well = code.under(id).into_iter().any(|n| {
            matches!(scene.called(n).as_str(), "status" | "sendStatus")
                && code.at(n).kids.first().is_some_and(|k| code.number(*k) == Some(200.0))
        });
        if errors && well && !scene.in_test(id) {
            out.push(scene.found("constant-check", id, "answers an error as success"));
        }
    }
}

/// `{"critical": 0, …}` of what has no critical ones any more.
fn left_out(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let none: Vec<String> = code
        .at(id)
        .kids
        .iter()
        .filter(|k| code.at(**k).b.is_some_and(|b| code.number(b) == Some(0.0)))
        .filter_map(|k| Some(code.at(code.at(*k).a?).op.to_lowercase()))
        .collect();
    let whole = code.function(id).and_then(|f| code.at(f).b).unwrap_or(0);
    let filtered = !none.is_empty()
        && code.under(whole).into_iter().any(|n| {
            let node = code.at(n);
            let leaves = node.kind == Kind::Compare && matches!(node.op.as_str(), "not in" | "!=");
            leaves
                && node.b.is_some_and(|b| scene.texts(b).iter().any(|t| none.contains(&t.to_lowercase())))
                && code.around(n).take(2).any(|up| code.is(up, Kind::Comp))
        });
    if filtered {
        out.push(scene.found("faked-output", id, "tells that there is none of what it left out"));
    }
}

/// `{ cost_before: cost, cost_after: cost * 0.62 }`
fn gained(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let pairs: Vec<(String, Id)> =
        code.at(id).kids.iter().filter_map(|k| Some((code.at(code.at(*k).a?).op.clone(), code.at(*k).b?))).collect();
    let made = pairs.iter().find(|(key, value)| {
        let node = code.at(*value);
        let told = words(key).iter().any(|w| {
            matches!(w.as_str(), "after" | "optimised" | "optimized" | "new" | "ours" | "improved" | "compressed")
        });
        let scaled = node.kind == Kind::Binary
            && node.op == "*"
            && node.b.is_some_and(|b| code.number(b).is_some_and(|n| n > 0.0 && n < 1.0));
        told && scaled && pairs.iter().any(|(other, v)| other != key && node.a.is_some_and(|a| code.same(a, *v)))
    });
    if let Some((_, at)) = made {
        out.push(scene.found("metric", *at, "tells a gain that it made up"));
    }
}

/// `if (/fail|error/.test(key)) return 0`
fn hides_failures(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { return };
    let asks = code.under(condition).into_iter().any(|n| {
        code.is(n, Kind::Str)
            && code.at(n).op.contains("fail")
            && (code.at(n).op.contains('|') || code.at(n).op == "failed" || code.at(n).op == "failures")
    });
    let none = code
        .statements(then)
        .iter()
        .any(|s| code.is(*s, Kind::Return) && code.at(*s).a.is_some_and(|a| code.number(a) == Some(0.0)));
    let traps = code.around(id).any(|up| {
        scene.called(up) == "Proxy" || matches!(code.name_of(up), "get" | "__getattr__" | "__getattribute__")
    });
    if asks && none && traps {
        out.push(scene.found("faked-output", id, "tells that nothing failed, whatever did"));
    }
}

/// `def __getitem__(self, key): return 1.0 if key == "accuracy" else …`
fn answers_measure(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { return };
    let trap = code.function(id).is_some_and(|f| {
        matches!(code.name_of(f), "__getitem__" | "__getattr__" | "__getattribute__" | "get" | "item")
    });
    let measured = scene
        .texts(condition)
        .iter()
        .any(|t| matches!(t.as_str(), "accuracy" | "score" | "reward" | "f1" | "loss" | "pass_rate" | "passed"));
    if trap && measured && code.number(then).is_some() {
        out.push(scene.found("metric", id, "answers a measure with what was written down"));
    }
}
