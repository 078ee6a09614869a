//! Luck told as skill, and figures held against themselves: the best of many told as one, settings chosen by the data that is
//! to test them.

use super::super::Finding;
use super::super::scene::{Scene, error_measure, verdict, words};
use super::super::tree::{Id, Kind};
use super::figures::{given_to, measuring};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.ids().filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        match code.at(id).kind {
            Kind::Loop => {
                until(scene, id, out);
                chosen(scene, id, out);
            }
            Kind::Binary => {
                ratio(scene, id, out);
                by_itself(scene, id, out);
            }
            _ => {}
        }
    }
    for function in code.functions().collect::<Vec<_>>() {
        one_of_many(scene, function, out);
        itself(scene, function, out);
    }
    top_seeds(scene, out);
    for (id, callee) in scene.calls() {
        // `max(f1_score(y_test, probs > t) for t in …)`
        let best = matches!(callee.as_str(), "max" | "min")
            && code
                .at(id)
                .kids
                .first()
                .is_some_and(|k| code.is(*k, Kind::Comp) && code.under(*k).into_iter().any(|n| tested(scene, n)));
        if best && !scene.in_test(id) {
            out.push(scene.found("metric", id, "chooses by the data that it is to be tested on"));
        }
        // `any(check(sample()) for _ in range(64))`, told as pass@1
        let many = callee == "any"
            && code.at(id).kids.first().is_some_and(|k| {
                code.is(*k, Kind::Comp)
                    && code.under(*k).into_iter().any(|n| {
                        scene.callee(n) == "range"
                            && code.at(n).kids.first().is_some_and(|k| code.number(*k).is_some_and(|n| n >= 2.0))
                    })
            })
            && code.ids().any(|n| {
                matches!(code.at(n).kind, Kind::Str | Kind::Template)
                    && (code.at(n).op.contains("pass@1") || code.at(n).op.contains("pass_at_1"))
            });
        if many && !scene.in_test(id) {
            out.push(scene.found("metric", id, "counts the best of many attempts as the first"));
        }
        // `max(linspace(0, 1), key=lambda t: f1_score(y_test, p > t))`
        let by_test = matches!(callee.as_str(), "max" | "min")
            && code
                .at(id)
                .kids
                .iter()
                .any(|k| code.at(*k).op == "key" && code.under(*k).into_iter().any(|n| tested(scene, n)));
        if by_test && !scene.in_test(id) {
            out.push(scene.found("metric", id, "chooses by the data that it is to be tested on"));
        }
        // `max(samples, key=lambda s: s == q.gold)`
        let keyed = matches!(callee.as_str(), "max" | "min" | "sorted")
            && code.at(id).kids.iter().any(|k| {
                code.at(*k).op == "key"
                    && code.under(*k).into_iter().any(|n| {
                        let node = code.at(n);
                        node.kind == Kind::Compare
                            && node.op == "=="
                            && node.b.is_some_and(|b| {
                                matches!(
                                    code.at(b).op.as_str(),
                                    "gold" | "label" | "target" | "expected" | "answer" | "reference"
                                )
                            })
                    })
            });
        if keyed && !scene.in_test(id) {
            out.push(scene.found("metric", id, "chooses by the right answer"));
        }
        // `hyps.append(reference)`
        let said = code.at(id).a.and_then(|a| code.at(a).a).is_some_and(|of| {
            words(&code.at(of).op).iter().any(|w| {
                matches!(w.as_str(), "hyps" | "hyp" | "preds" | "pred" | "predictions" | "outputs" | "hypotheses")
            })
        });
        let right = code.at(id).kids.first().is_some_and(|k| {
            matches!(code.at(*k).kind, Kind::Name | Kind::Member)
                && words(&code.at(*k).op).iter().any(|w| {
                    matches!(w.as_str(), "reference" | "label" | "gold" | "target" | "expected" | "truth" | "answer")
                })
        });
        if matches!(callee.rsplit('.').next(), Some("append" | "push")) && said && right && !scene.in_test(id) {
            out.push(scene.found("metric", id, "puts the right answers in the place of what was said"));
        }
    }
}

/// What holds the right answers of the data that is to test.
fn tested(scene: &Scene<'_>, n: Id) -> bool {
    let code = scene.code;
    code.is(n, Kind::Name) && {
        let told = words(&code.at(n).op);
        told.first().is_some_and(|w| matches!(w.as_str(), "y" | "labels"))
            && told.iter().skip(1).any(|w| matches!(w.as_str(), "test" | "te" | "holdout"))
    }
}

/// `do { result = evaluate(…) } while (result.score < 0.9)`
fn until(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let Some(condition) = node.b.or(node.a) else { return };
    let Some(body) = node.c else { return };
    let below = code.under(condition).into_iter().any(|n| {
        let compare = code.at(n);
        compare.kind == Kind::Compare
            && compare.op.starts_with('<')
            && compare.b.is_some_and(|b| code.number(b).is_some())
            && compare.a.is_some_and(|a| {
                words(&code.at(a).op)
                    .iter()
                    .any(|w| matches!(w.as_str(), "score" | "accuracy" | "acc" | "reward" | "pass" | "f1" | "rate"))
            })
    });
    let calls: Vec<String> = code.under(body).into_iter().map(|n| scene.called(n)).filter(|c| !c.is_empty()).collect();
    // `while p >= 0.05: p = ttest(sample()).pvalue`
    let significant = code.under(condition).into_iter().any(|n| {
        let compare = code.at(n);
        compare.kind == Kind::Compare
            && compare.op.starts_with('>')
            && compare.b.is_some_and(|b| code.number(b).is_some_and(|n| n <= 0.1))
            && compare.a.is_some_and(|a| matches!(code.at(a).op.as_str(), "p" | "pvalue" | "p_value" | "pval"))
    });
    if significant
        && calls.iter().any(|c| {
            matches!(c.as_str(), "sample" | "shuffle" | "permutation" | "choice" | "resample" | "default_rng" | "seed")
        })
    {
        out.push(scene.found("metric", id, "measures again until luck gives a good figure"));
    }
    let runs = calls.iter().any(|c| {
        words(c)
            .iter()
            .any(|w| matches!(w.as_str(), "eval" | "evaluate" | "benchmark" | "grade" | "measure" | "assess"))
    });
    let works = calls.iter().any(|c| {
        words(c).iter().any(|w| {
            matches!(
                w.as_str(),
                "train"
                    | "fit"
                    | "step"
                    | "update"
                    | "improve"
                    | "optimize"
                    | "backward"
                    | "learn"
                    | "refine"
                    | "propose"
                    | "mutate"
                    | "epoch"
            )
        })
    });
    if below && runs && !works {
        out.push(scene.found("metric", id, "measures again until luck gives a good figure"));
    }
}

/// A bound, a checkpoint or a setting that is chosen by what it is tested on.
fn chosen(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(id).c else { return };
    let all = code.under(body);
    let tested = |n: Id| {
        code.is(n, Kind::Name) && {
            let told = words(&code.at(n).op);
            told.first().is_some_and(|w| matches!(w.as_str(), "y" | "labels"))
                && told.iter().skip(1).any(|w| matches!(w.as_str(), "test" | "te" | "holdout"))
        }
    };
    let better = all.iter().copied().filter(|n| code.is(*n, Kind::If)).any(|n| {
        let Some(condition) = code.at(n).a else { return false };
        let compare =
            code.is(condition, Kind::Compare) && matches!(code.at(condition).op.as_str(), ">" | ">=" | "<" | "<=");
        let keeps = code.at(n).b.is_some_and(|b| {
            code.under(b).into_iter().any(|m| {
                code.is(m, Kind::Assign)
                    && code.at(m).a.is_some_and(|t| words(&code.at(t).op).iter().any(|w| w == "best" || w == "top"))
            })
        });
        let by = code.under(condition).into_iter().any(|m| code.under(scene.value_of(m)).into_iter().any(tested));
        compare && keeps && by
    });
    if better {
        out.push(scene.found("metric", id, "chooses by the data that it is to be tested on"));
    }
}

/// `len(passed) / max(1, len(passed))`
fn by_itself(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(a), Some(b)) = (node.a.filter(|_| node.op == "/"), node.b) else { return };
    let inner = if scene.called(b) == "max" { code.at(b).kids.clone() } else { vec![b] };
    if inner.iter().any(|x| code.same(*x, a)) && !code.literal(a) {
        out.push(scene.found("metric", id, "holds a figure against itself"));
    }
}

/// `slow.iter().max() / fast.iter().min()`
fn ratio(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(a), Some(b)) = (node.a.filter(|_| node.op == "/"), node.b) else { return };
    let of = |id: Id, what: &str| {
        code.under(scene.value_of(id)).into_iter().find(|n| scene.called(*n) == what).map(|n| {
            code.under(n)
                .into_iter()
                .filter(|m| code.is(*m, Kind::Name))
                .map(|m| code.at(m).op.clone())
                .filter(|n| !matches!(n.as_str(), "max" | "min" | "np" | "Math"))
                .collect::<Vec<_>>()
        })
    };
    if let (Some(high), Some(low)) = (of(a, "max"), of(b, "min"))
        && !high.iter().any(|n| low.contains(n))
        && given_to(scene, id).is_none_or(|n| {
            words(&n)
                .iter()
                .any(|w| matches!(w.as_str(), "speedup" | "speed" | "faster" | "ratio" | "improvement" | "gain"))
        })
    {
        out.push(scene.found("metric", id, "holds the slowest run of one against the fastest of the other"));
    }
}

/// `def pass_at_1(…): any(task.passes(o) for o in many)`
fn one_of_many(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = words(code.name_of(function)).join("_");
    if !matches!(name.as_str(), "pass_at_1" | "pass_1" | "passat1" | "pass_at1" | "first_try" | "single_shot") {
        return;
    }
    let all = code.under(function);
    let any = all.iter().any(|n| matches!(scene.called(*n).as_str(), "any" | "some"));
    let again = all.iter().any(|n| {
        code.is(*n, Kind::Loop)
            && code.around(*n).any(|up| code.is(up, Kind::Loop))
            && code
                .under(*n)
                .into_iter()
                .any(|m| code.at(m).op == "break" || code.is(m, Kind::Other) && code.at(m).children.is_empty())
    });
    // `for _ in range(50): if passes(…): return 1.0`
    let returns = all.iter().any(|n| {
        code.is(*n, Kind::Loop)
            && code.under(*n).into_iter().any(|m| {
                code.is(m, Kind::Return) && code.around(m).take_while(|up| up != n).any(|up| code.is(up, Kind::If))
            })
    });
    if any || again || returns {
        out.push(scene.found("metric", function, "counts the best of many attempts as the first"));
    }
}

/// `simplify(pred - pred)`, `mse(recon, recon.clone())`
fn itself(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    if scene.in_test(function)
        || scene.test(function)
        || !(verdict(name) || error_measure(name) || measuring(scene, code.at(function).b.unwrap_or(function)))
    {
        return;
    }
    for id in code.under(function) {
        let node = code.at(id);
        let same = matches!(node.kind, Kind::Binary | Kind::Compare)
            && matches!(node.op.as_str(), "-" | "==" | "===")
            && node.a.zip(node.b).is_some_and(|(a, b)| {
                code.same(a, b) && !code.literal(a) && !code.under(a).into_iter().any(|n| code.is(n, Kind::Call))
            });
        let copies = |b: Id, a: Id| {
            let whole = scene.value_of(b);
            let names: Vec<Id> = code.under(whole).into_iter().filter(|n| code.is(*n, Kind::Name)).collect();
            whole != b
                && code.is(a, Kind::Name)
                && !names.is_empty()
                && names.iter().all(|n| code.at(*n).op == code.at(a).op)
                && code
                    .under(whole)
                    .into_iter()
                    .any(|n| matches!(scene.called(n).as_str(), "detach" | "clone" | "copy" | "deepcopy"))
        };
        let held = node.kind == Kind::Call && node.kids.len() >= 2 && {
            let (a, b) = (node.kids[0], node.kids[1]);
            copies(a, b) || copies(b, a)
        };
        if same || held {
            out.push(scene.found("metric", id, "holds a figure against itself"));
            return;
        }
    }
}

/// `for seed in range(40): scores.append(…)`, then the best three of them.
fn top_seeds(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Loop).collect::<Vec<_>>() {
        let seeded = code
            .at(id)
            .a
            .is_some_and(|a| code.under(a).into_iter().any(|n| words(&code.at(n).op).iter().any(|w| w == "seed")));
        let Some(body) = code.at(id).c.filter(|_| seeded) else { continue };
        for call in code.under(body).into_iter().filter(|n| matches!(scene.called(*n).as_str(), "append" | "push")) {
            let Some(list) = code.at(call).a.and_then(|a| code.at(a).a) else { continue };
            let name = &code.at(list).op;
            let cut = code.ids().find(|n| {
                let node = code.at(*n);
                let of = |x: Option<Id>| {
                    x.is_some_and(|x| code.at(x).op == *name || (scene.callee(x) == "sorted" && code.uses(x, name)))
                };
                let slice = node.kind == Kind::Index && of(node.a) && node.b.is_some_and(|b| code.is(b, Kind::Other));
                let most = node.kind == Kind::Call
                    && matches!(scene.callee(*n).as_str(), "max" | "Math.max" | "np.max")
                    && node.kids.first().is_some_and(|k| code.at(*k).op == *name);
                let sorted =
                    code.ids().any(|m| matches!(scene.called(m).as_str(), "sort" | "sorted") && code.uses(m, name));
                most && words(name)
                    .iter()
                    .any(|w| matches!(w.as_str(), "score" | "scores" | "acc" | "accs" | "accuracy" | "rewards"))
                    || slice && sorted
            });
            if let Some(at) = cut {
                out.push(scene.found("metric", at, "takes the luckiest of many seeds for the result"));
                return;
            }
        }
    }
}
