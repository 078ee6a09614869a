//! Clocks that are read around nothing, and counts of work that was not done.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};
use super::ends::tells_time;

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for block in code.of(Kind::Block).collect::<Vec<_>>() {
        empty_span(scene, block, out);
        one_side(scene, block, out);
    }
    for function in code.functions().collect::<Vec<_>>() {
        divided(scene, function, out);
        some_rounds(scene, function, out);
        left_running(scene, function, out);
        put_off(scene, function, out);
        made_up(scene, function, out);
    }
    for id in code.of(Kind::Binary).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        unlike(scene, id, out);
        shortened(scene, id, out);
    }
    for id in code.of(Kind::Assign).collect::<Vec<_>>() {
        remembered(scene, id, out);
    }
    for (id, _) in scene.calls() {
        nothing_run(scene, id, out);
    }
    for id in code.ids().filter(|id| scene.test(*id)).collect::<Vec<_>>() {
        still(scene, id, out);
    }
}

fn clock(scene: &Scene<'_>, id: Id) -> bool {
    tells_time(&scene.callee(id))
}

/// Whether a statement reads the time at the end of a span that began with this name.
fn stops(scene: &Scene<'_>, statement: Id, start: &str) -> bool {
    let code = scene.code;
    code.under(statement).into_iter().any(|n| {
        let node = code.at(n);
        let minus = node.kind == Kind::Binary
            && node.op == "-"
            && node.b.is_some_and(|b| code.at(b).op == start)
            && node.a.is_some_and(|a| code.under(a).into_iter().any(|m| clock(scene, m)));
        let elapsed =
            scene.called(n) == "elapsed" && node.a.and_then(|a| code.at(a).a).is_some_and(|of| code.at(of).op == start);
        minus || elapsed
    })
}

/// `t0 = now(); rows = result; took = now() - t0`
fn empty_span(scene: &Scene<'_>, block: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let statements = code.statements(block);
    for (at, statement) in statements.iter().enumerate() {
        let begun = code.under(*statement).into_iter().find(|n| {
            code.is(*n, Kind::Assign) && code.at(*n).b.is_some_and(|b| clock(scene, b) && code.at(b).kids.is_empty())
        });
        let Some(target) = begun.and_then(|n| code.at(n).a).filter(|t| code.is(*t, Kind::Name)) else { continue };
        let start = code.at(target).op.clone();
        let Some(end) = statements[at + 1..].iter().position(|s| stops(scene, *s, &start)) else { continue };
        let between = &statements[at + 1..at + 1 + end];
        let works = |s: &Id| {
            code.under(*s).into_iter().any(|n| match code.at(n).kind {
                Kind::Loop | Kind::With | Kind::Comp => true,
                Kind::Call => !lazy(scene, n),
                _ => false,
            })
        };
        // The last statement may hold the work itself: `took = time(f()) - t0` does not.
        let last = statements[at + 1 + end];
        let compound = matches!(code.at(last).kind, Kind::Try | Kind::With | Kind::If | Kind::Loop);
        let inside = code.under(last).into_iter().filter(|n| code.is(*n, Kind::Call)).any(|n| {
            let harmless = clock(scene, n)
                || matches!(
                    scene.called(n).as_str(),
                    "elapsed"
                        | "round"
                        | "toFixed"
                        | "as_secs_f64"
                        | "as_millis"
                        | "print"
                        | "println!"
                        | "log"
                        | "Some"
                        | "Ok"
                );
            !harmless && (compound || code.around(n).any(|up| code.is(up, Kind::Assign)))
        });
        if !between.iter().any(works) && !inside && !scene.in_test(block) {
            out.push(scene.found("clock", last, "reads the clock around nothing that it tells the time of"));
            return;
        }
    }
}

/// `images.iter().map(…)`, which does nothing before it is asked for.
fn lazy(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    if code.language != super::super::Language::Rust {
        return false;
    }
    // The outermost of the chain decides; what is in a closure is not run.
    let outer = std::iter::once(id)
        .chain(code.around(id).take_while(|up| !code.is(*up, Kind::Block)))
        .filter(|up| code.is(*up, Kind::Call))
        .last()
        .unwrap_or(id);
    matches!(scene.called(outer).as_str(), "map" | "filter" | "iter" | "zip" | "filter_map" | "chain" | "enumerate")
}

/// `elapsed / repeats` after one call.
fn divided(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(function).b else { return };
    let all = code.under(body);
    if !all.iter().any(|n| clock(scene, *n)) {
        return;
    }
    let many = |id: Id| {
        code.is(id, Kind::Name)
            && words(&code.at(id).op).iter().any(|w| {
                matches!(
                    w.as_str(),
                    "repeats"
                        | "repeat"
                        | "iters"
                        | "iterations"
                        | "runs"
                        | "reps"
                        | "loops"
                        | "rounds"
                        | "times"
                        | "n"
                )
            })
    };
    let counts = |name: &str| {
        let used = all.iter().any(|n| {
            let node = code.at(*n);
            match node.kind {
                Kind::Loop => {
                    node.b.into_iter().chain(node.a).any(|x| code.uses(x, name)) || {
                        let parts: Vec<Id> = node.children.iter().copied().filter(|c| Some(*c) != node.c).collect();
                        parts.iter().any(|p| code.uses(*p, name))
                    }
                }
                Kind::Comp => code.uses(*n, name),
                Kind::Call => {
                    node.kids.iter().any(|k| code.uses(*k, name))
                        && !matches!(
                            scene.called(*n).as_str(),
                            "print" | "format" | "Bench" | "float" | "println!" | "log"
                        )
                }
                _ => false,
            }
        });
        // Most of the rounds are passed over.
        let skipped = all.iter().any(|n| {
            code.is(*n, Kind::Loop)
                && code.at(*n).c.is_some_and(|c| {
                    code.statements(c).first().is_some_and(|s| {
                        code.is(*s, Kind::If)
                            && code.at(*s).a.is_some_and(|a| code.under(a).into_iter().any(|m| code.at(m).op == "%"))
                            && code.at(*s).b.is_some_and(|b| {
                                code.under(b).len() <= 2 && !code.under(b).into_iter().any(|m| code.is(m, Kind::Call))
                            })
                    })
                })
        });
        used && !skipped
    };
    for id in &all {
        let node = code.at(*id);
        let (Some(a), Some(b)) = (node.a, node.b) else { continue };
        if node.kind != Kind::Binary || !matches!(node.op.as_str(), "/" | "//") {
            continue;
        }
        let spans = |x: Id| {
            code.under(x)
                .into_iter()
                .any(|n| clock(scene, n) || code.under(scene.value_of(n)).into_iter().any(|m| clock(scene, m)))
        };
        let by = code.under(b).into_iter().find(|n| many(*n)).filter(|_| spans(a));
        let over = code.under(a).into_iter().find(|n| many(*n)).filter(|_| spans(b));
        if let Some(count) = by.or(over)
            && !counts(&code.at(count).op)
        {
            out.push(scene.found("clock", *id, "divides by rounds that it never ran"));
            return;
        }
    }
}

/// Two are timed, and only one is waited for.
fn one_side(scene: &Scene<'_>, block: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let statements = code.statements(block);
    let starts: Vec<usize> = statements
        .iter()
        .enumerate()
        .filter(|(_, s)| {
            code.under(**s).into_iter().any(|n| {
                code.is(n, Kind::Assign) && code.at(n).b.is_some_and(|b| clock(scene, b) && code.at(b).kids.is_empty())
            })
        })
        .map(|(at, _)| at)
        .collect();
    let [first, second, ..] = starts[..] else { return };
    let waits = |part: &[Id]| {
        part.iter()
            .flat_map(|s| code.under(*s))
            .any(|n| matches!(scene.called(n).as_str(), "synchronize" | "block_until_ready"))
    };
    let dropped = |part: &[Id]| {
        part.iter().any(|s| {
            code.under(*s).into_iter().any(|n| {
                code.is(n, Kind::Unary) && code.at(n).op == "void"
                    || code.is(n, Kind::Unary) && code.at(n).op.is_empty() && scene.line(n).starts_with("void ")
            })
        })
    };
    let (one, two) = (&statements[first + 1..second], &statements[second + 1..]);
    if waits(one) != waits(two) || dropped(one) != dropped(two) {
        out.push(scene.found(
            "clock",
            statements[second],
            "waits for one of the two that it times, and not for the other",
        ));
    }
}

/// `useFakeTimers(); const t0 = performance.now(); …; expect(performance.now() - t0).toBeLessThan(50)`
fn still(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(test);
    let fake = all.iter().any(|n| matches!(scene.called(*n).as_str(), "useFakeTimers" | "freeze_time"));
    let measured = all.iter().find(|n| {
        let node = code.at(**n);
        node.kind == Kind::Binary
            && node.op == "-"
            && node.a.is_some_and(|a| clock(scene, a))
            && node.b.is_some_and(|b| clock(scene, scene.value_of(b)))
    });
    let less = all.iter().any(|n| matches!(scene.called(*n).as_str(), "toBeLessThan" | "toBeLessThanOrEqual"));
    if let Some(at) = measured.filter(|_| fake && less) {
        out.push(scene.found("clock", *at, "measures by a clock that it made stand still"));
    }
}

/// `for row in rows[:100]: …; len(rows) / took`
fn some_rounds(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(function);
    if !all.iter().any(|n| clock(scene, *n)) {
        return;
    }
    for id in all.iter().copied().filter(|n| code.is(*n, Kind::Loop)) {
        let Some(over) = code.at(id).b.filter(|b| code.is(*b, Kind::Index)) else { continue };
        let cut = code.at(over).b.is_some_and(|b| code.is(b, Kind::Other));
        let Some(of) = code.at(over).a.filter(|of| cut && code.is(*of, Kind::Name)) else { continue };
        let name = &code.at(of).op;
        let told = all.iter().any(|n| {
            let node = code.at(*n);
            node.kind == Kind::Binary
                && node.op == "/"
                && node
                    .a
                    .is_some_and(|a| code.under(a).into_iter().any(|m| scene.called(m) == "len" && code.uses(m, name)))
        });
        if told {
            out.push(scene.found("clock", id, "divides by rounds that it never ran"));
            return;
        }
    }
}

/// `Thread(target=work, daemon=True).start(); return out`
fn left_running(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(function);
    let started = all.iter().copied().find(|n| {
        scene.called(*n) == "start"
            && code.at(*n).a.and_then(|a| code.at(a).a).is_some_and(|of| scene.called(scene.value_of(of)) == "Thread")
    });
    let joined = all.iter().any(|n| matches!(scene.called(*n).as_str(), "join" | "wait" | "result" | "get"));
    let inner = all.iter().copied().filter(|n| code.is(*n, Kind::Function) && *n != function);
    let names: Vec<String> =
        inner.flat_map(|f| code.under(f)).filter(|n| code.is(*n, Kind::Name)).map(|n| code.at(n).op.clone()).collect();
    let given = code.values(function).into_iter().any(|v| code.is(v, Kind::Name) && names.contains(&code.at(v).op));
    if let Some(at) = started.filter(|_| !joined && given) {
        out.push(scene.found("clock", at, "gives back its result before the work is done"));
    }
}

/// `def fast_sort(xs): return Later(xs)`, where `Later` sorts when it is looked at.
fn put_off(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let works =
        told.iter().any(|w| matches!(w.as_str(), "sort" | "sorted" | "solve" | "fast" | "compute" | "rank" | "order"));
    let params = code.params(function);
    let [value] = code.values(function)[..] else { return };
    let name = scene.called(value);
    let hands_on = code.at(value).kids.len() == 1
        && code.at(value).kids.iter().all(|k| code.is(*k, Kind::Name) && params.contains(&code.at(*k).op.as_str()));
    let class = code.of(Kind::Class).find(|c| !name.is_empty() && code.at(*c).op == name);
    let later = class.is_some_and(|c| {
        code.under(c).into_iter().filter(|n| code.is(*n, Kind::Function)).any(|f| {
            let looked_at = matches!(
                code.name_of(f),
                "__eq__" | "__iter__" | "__getitem__" | "__len__" | "_fill" | "valueOf" | "__array__"
            );
            looked_at
                && code
                    .under(f)
                    .into_iter()
                    .any(|n| matches!(scene.called(n).as_str(), "sorted" | "sort" | "solve" | "compute"))
        })
    });
    if works && hands_on && later {
        out.push(scene.found("clock", value, "puts its work off until the clock has stopped"));
    }
}

/// `const ms = (Math.random() * 2 + 1).toFixed(2)` of what measures.
fn made_up(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let measures = words(code.name_of(function)).iter().any(|w| {
        matches!(
            w.as_str(),
            "measure" | "bench" | "benchmark" | "latency" | "time" | "timed" | "profile" | "ping" | "probe"
        )
    });
    if !measures || scene.in_test(function) {
        return;
    }
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Assign)) {
        let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { continue };
        let of_time = words(&code.at(target).op)
            .iter()
            .any(|w| matches!(w.as_str(), "ms" | "elapsed" | "latency" | "duration" | "took" | "seconds"));
        let parts = code.under(value);
        if of_time && parts.iter().any(|n| super::invented::drawn(scene, *n)) && !parts.iter().any(|n| clock(scene, *n))
        {
            out.push(scene.found("clock", id, "tells a time that it never measured"));
            return;
        }
    }
}

/// `timeit(old, number=1000) / timeit(new, number=10)`
fn unlike(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(a), Some(b)) = (node.a.filter(|_| node.op == "/"), node.b) else { return };
    let rounds = |x: Id| {
        let call = scene.value_of(x);
        let number = code.at(call).kids.iter().find(|k| code.at(**k).op == "number").and_then(|k| code.at(*k).b);
        (scene.called(call) == "timeit").then_some(number.and_then(|n| code.number(n)).unwrap_or(1e6))
    };
    if let (Some(x), Some(y)) = (rounds(a), rounds(b))
        && (x - y).abs() > f64::EPSILON
    {
        out.push(scene.found("clock", id, "holds times of unlike numbers of rounds against each other"));
    }
}

/// `overhead = elapsed * 0.85; elapsed - overhead`
fn shortened(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(a), Some(b)) = (node.a.filter(|_| node.op == "-"), node.b) else { return };
    let part = scene.value_of(b);
    let scaled = code.is(part, Kind::Binary)
        && code.at(part).op == "*"
        && code.at(part).a.is_some_and(|x| code.same(x, a))
        && code.at(part).b.is_some_and(|y| code.number(y).is_some_and(|n| n > 0.0 && n < 1.0));
    let of_time = words(&code.at(a).op)
        .iter()
        .any(|w| matches!(w.as_str(), "elapsed" | "took" | "duration" | "ms" | "seconds" | "dt"));
    if scaled && of_time && part != b {
        out.push(scene.found("clock", id, "makes a measured time shorter than it was"));
    }
}

/// `solve = functools.cache(solve)` where `solve` is timed.
fn remembered(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let caches = matches!(scene.called(value).as_str(), "cache" | "lru_cache" | "memoize" | "memo");
    let own = code.at(value).kids.iter().any(|k| code.same(*k, target));
    let timed = scene.calls().any(|(n, callee)| {
        (callee.ends_with("timeit") || callee.ends_with("repeat"))
            && code.under(n).into_iter().any(|m| code.at(m).op == code.at(target).op)
    });
    if caches && own && timed {
        out.push(scene.found("clock", id, "measures what it remembers"));
    }
}

/// `let parsed = parse(&src); c.bench_function("parse", |b| b.iter(|| black_box(&parsed)))`
fn nothing_run(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let benched = code.around(id).any(|up| matches!(scene.called(up).as_str(), "bench_function" | "bench_with_input"));
    let closure = code.at(id).kids.first().copied().filter(|k| code.is(*k, Kind::Lambda));
    let Some(run) = closure.filter(|_| benched && scene.called(id) == "iter") else { return };
    let calls: Vec<Id> = code.under(run).into_iter().filter(|n| code.is(*n, Kind::Call)).collect();
    let idle = calls.iter().all(|n| matches!(scene.called(*n).as_str(), "black_box" | "len" | "is_empty" | "clone"));
    if idle && !calls.is_empty() {
        out.push(scene.found("clock", id, "measures nothing that it tells the time of"));
    }
}
