//! Tests that look like tests and hold nothing: what is tested held against itself, a mock asked for what it was told, all
//! outcomes allowed, cases that are chosen because they pass.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for test in code.ids().filter(|id| scene.test(*id)).collect::<Vec<_>>() {
        with_itself(scene, test, out);
        turned_into_skip(scene, test, out);
        nothing_asked(scene, test, out);
        must_fail(scene, test, out);
        only_shown(scene, test, out);
        chosen_rows(scene, test, out);
    }
    for id in code.ids().collect::<Vec<_>>() {
        any_outcome(scene, id, out);
        if scene.called(id) == "each" || scene.callee(id).ends_with(".each") {
            rows(scene, id, out);
        }
    }
}

/// What is asserted equal, each as its two sides.
pub(super) fn equals(scene: &Scene<'_>, test: Id) -> Vec<(Id, Id, Id)> {
    let code = scene.code;
    code.under(test)
        .into_iter()
        .filter_map(|n| {
            let node = code.at(n);
            match node.kind {
                Kind::Assert => {
                    let compare = code.at(node.a?);
                    (compare.kind == Kind::Compare && matches!(compare.op.as_str(), "==" | "==="))
                        .then_some((n, compare.a?, compare.b?))
                }
                Kind::Call => {
                    let last = scene.called(n);
                    if matches!(
                        last.as_str(),
                        "assert_eq!" | "assertEqual" | "assertEquals" | "strictEqual" | "deepEqual" | "deepStrictEqual"
                    ) {
                        return Some((n, *node.kids.first()?, *node.kids.get(1)?));
                    }
                    if matches!(
                        last.as_str(),
                        "toBe" | "toEqual" | "toStrictEqual" | "toMatchObject" | "equal" | "eql" | "equals"
                    ) {
                        let mut of = node.a.and_then(|a| code.at(a).a)?;
                        while code.is(of, Kind::Member) {
                            of = code.at(of).a?;
                        }
                        return Some((n, *code.at(of).kids.first()?, *node.kids.first()?));
                    }
                    None
                }
                _ => None,
            }
        })
        .collect()
}

fn title(scene: &Scene<'_>, test: Id) -> String {
    let code = scene.code;
    if code.is(test, Kind::Function) {
        return code.name_of(test).to_owned();
    }
    let call = code.around(test).find(|up| code.is(*up, Kind::Call));
    call.and_then(|c| code.at(c).kids.first().and_then(|k| scene.text(*k))).unwrap_or_default()
}

/// `out = f(x); expected = f(x); assert out == expected`
fn with_itself(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let steady = words(&title(scene, test)).iter().any(|w| {
        [
            "determin",
            "idempot",
            "stable",
            "stabil",
            "same",
            "reproduc",
            "consist",
            "cach",
            "pure",
            "repeat",
            "equal",
            "hash",
            "singleton",
            "memo",
            "identical",
            "seed",
            "twice",
            "eq",
            "reflexiv",
            "always",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    for (at, a, b) in equals(scene, test) {
        // `golden.write_text(out); assert out == golden.read_text()`
        let read = [(a, b), (b, a)].into_iter().find_map(|(x, y)| {
            let of = (scene.called(y) == "read_text" || scene.called(y) == "read")
                .then(|| code.at(y).a.and_then(|m| code.at(m).a))
                .flatten()?;
            Some((x, of))
        });
        let made_now = read.is_some_and(|(x, of)| {
            code.under(test).into_iter().any(|n| {
                scene.called(n) == "write_text"
                    && !code.around(n).take_while(|up| *up != test).any(|up| code.is(up, Kind::If))
                    && code.at(n).a.and_then(|m| code.at(m).a).is_some_and(|o| code.same(o, of))
                    && code.at(n).kids.first().is_some_and(|k| code.same(*k, x))
            })
        });
        if made_now {
            out.push(scene.found("weakened-check", at, "holds what it tests against itself"));
            return;
        }
        let any = |side: Id| {
            (code.is(side, Kind::Name) || code.is(side, Kind::Member))
                && scene.path(side).rsplit('.').next() == Some("ANY")
                || scene.callee(side) == "expect.anything"
        };
        if any(a) || any(b) {
            out.push(scene.found("weakened-check", at, "asserts what is always true"));
            return;
        }
    }
    for (at, a, b) in equals(scene, test) {
        let other = |x: Id, y: Id| {
            code.is(x, Kind::Name)
                && code.is(y, Kind::Name)
                && x != y
                && scene.value_of(y) != y
                && code.same(scene.value_of(y), x)
        };
        if other(a, b) || other(b, a) {
            out.push(scene.found("weakened-check", at, "holds what it tests against itself"));
            return;
        }
    }
    for (at, a, b) in equals(scene, test).into_iter().filter(|_| !steady) {
        let (x, y) = (scene.value_of(a), scene.value_of(b));
        let call = code.is(x, Kind::Call) && !code.at(x).kids.is_empty();
        // A generator, a clock, a reader gives something else each time.
        if call
            && code.same(x, y)
            && (x != y)
            && !matches!(scene.called(x).as_str(), "next" | "read" | "Some" | "Ok" | "int" | "str" | "list" | "Decimal")
        {
            out.push(scene.found("weakened-check", at, "holds what it tests against itself"));
            return;
        }
    }
}

/// `try: assert … except AssertionError: pytest.skip(…)`
fn turned_into_skip(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(test).into_iter().filter(|n| code.is(*n, Kind::Try)) {
        let node = code.at(id);
        let asserts = node.b.is_some_and(|b| {
            code.under(b).into_iter().any(|n| {
                code.is(n, Kind::Assert)
                    || scene.called(n).starts_with("assert")
                    || scene.callee(n).starts_with("expect")
            })
        });
        let quiet = node.kids.iter().any(|h| {
            let handler = code.at(*h);
            let wide = handler.a.is_none_or(|a| {
                code.under(a)
                    .into_iter()
                    .any(|n| matches!(code.at(n).op.as_str(), "AssertionError" | "Exception" | "BaseException"))
            }) || code.language.is_script();
            wide && handler.b.is_some_and(|b| {
                let statements = code.statements(b);
                !statements.is_empty()
                    && statements.iter().all(|s| {
                        matches!(
                            scene.callee(*s).as_str(),
                            "pytest.skip"
                                | "pytest.xfail"
                                | "print"
                                | "self.skipTest"
                                | "console.log"
                                | "console.warn"
                                | "t.skip"
                                | "this.skip"
                        ) || matches!(scene.called(*s).as_str(), "warn" | "warning" | "info" | "debug")
                    })
            })
        });
        let again = code.around(id).any(|up| code.is(up, Kind::Loop));
        if asserts && quiet && !again {
            out.push(scene.found("weakened-check", id, "makes a failed check something else than a failure"));
        }
    }
}

/// `for fn in all: try: fn(None) except: pass`
fn nothing_asked(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(test);
    let asks = all.iter().any(|n| {
        let callee = scene.callee(*n);
        let last = callee.rsplit('.').next().unwrap_or_default();
        code.is(*n, Kind::Assert)
            || last.starts_with("assert")
            || callee.starts_with("expect")
            || matches!(last, "raises" | "fail" | "throws" | "toThrow" | "warns" | "verify")
    });
    let quiet = all.iter().find(|n| {
        code.is(**n, Kind::Handler)
            && code.at(**n).a.is_none_or(|a| {
                code.under(a).into_iter().any(|m| matches!(code.at(m).op.as_str(), "Exception" | "BaseException"))
            })
            && code
                .at(**n)
                .b
                .is_none_or(|b| code.statements(b).iter().all(|s| matches!(code.at(*s).kind, Kind::Pass | Kind::Str)))
    });
    let suppressed = all.iter().find(|n| {
        scene.called(**n) == "suppress"
            && code.at(**n).kids.iter().any(|k| matches!(scene.path(*k).as_str(), "Exception" | "BaseException"))
    });
    if let Some(at) = quiet.or(suppressed).filter(|_| !asks) {
        out.push(scene.found("weakened-check", *at, "is a test that cannot fail"));
    }
}

/// `with pytest.raises(AssertionError): assert …`, `#[should_panic]` on a test that asserts an equality
fn must_fail(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let asserts = |id: Id| {
        code.under(id).into_iter().any(|n| {
            code.is(n, Kind::Assert)
                || matches!(scene.called(n).as_str(), "assert_eq!" | "assert!" | "assert_ne!" | "assertEqual")
        })
    };
    for id in code.under(test).into_iter().filter(|n| code.is(*n, Kind::With)) {
        let fails =
            code.at(id).kids.iter().flat_map(|k| code.under(*k)).any(|n| {
                scene.called(n) == "raises" && code.at(n).kids.iter().any(|k| code.at(*k).op == "AssertionError")
            });
        if fails && code.at(id).b.is_some_and(asserts) {
            out.push(scene.found("weakened-check", id, "takes a failed check for what it wants"));
        }
    }
    let panics = code.at(test).marks.iter().any(|m| code.at(*m).op.replace(' ', "") == "#[should_panic]");
    if panics && code.at(test).b.is_some_and(asserts) {
        out.push(scene.found("weakened-check", test, "takes a failed check for what it wants"));
    }
}

/// `inv = Invoice(…); print(inv.gross)`
fn only_shown(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(test).b.filter(|_| code.is(test, Kind::Function)) else { return };
    let all = code.under(body);
    let prints = all.iter().any(|n| matches!(scene.callee(*n).as_str(), "print" | "pprint" | "println!" | "dbg!"));
    let checks = all.iter().any(|n| {
        let called = scene.called(*n);
        code.is(*n, Kind::Assert)
            || code.is(*n, Kind::With)
            || code.is(*n, Kind::Raise)
            || ["assert", "check", "verify", "expect", "raises", "fail", "panic", "unwrap"]
                .iter()
                .any(|w| called.contains(w))
    });
    if prints && !checks {
        out.push(scene.found("weakened-check", test, "shows what it should check"));
    }
}

/// `assert status in (200, 400, 404, 500, …)`
fn any_outcome(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (a, list) = match node.kind {
        Kind::Compare if node.op == "in" => (node.a, node.b),
        Kind::Call if matches!(scene.called(id).as_str(), "assertIn" | "toContain" | "includes") => {
            let receiver = node.a.and_then(|a| code.at(a).a);
            match scene.called(id).as_str() {
                "assertIn" => (node.kids.first().copied(), node.kids.get(1).copied()),
                "includes" => (node.kids.first().copied(), receiver),
                _ => (node.kids.first().copied(), receiver.and_then(|r| code.at(r).kids.first().copied())),
            }
        }
        _ => return,
    };
    let (Some(_), Some(list)) = (a, list) else { return };
    if scene.test_around(id).is_none() && !scene.tests {
        return;
    }
    let list = scene.value_of(list);
    let codes: Vec<f64> = if code.is(list, Kind::List) {
        code.at(list).children.iter().filter_map(|c| code.number(*c)).collect()
    } else if scene.callee(list) == "range" {
        let ends: Vec<f64> = code.at(list).kids.iter().filter_map(|k| code.number(*k)).collect();
        match ends[..] {
            [low, high] if low <= 200.0 && high > 400.0 => vec![200.0, 404.0, 500.0],
            _ => Vec::new(),
        }
    } else {
        Vec::new()
    };
    let status = |n: &f64| (100.0..600.0).contains(n);
    let well = codes.iter().any(|n| (200.0..300.0).contains(n));
    let broken = codes.iter().any(|n| *n >= 500.0);
    if codes.len() >= 3 && codes.iter().all(status) && well && broken {
        out.push(scene.found("weakened-check", id, "allows every outcome"));
    }
}

/// `@pytest.mark.parametrize("raw,want", [(r, w) for r, w in CASES if slugify(r) == w])`
fn chosen_rows(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for mark in code.at(test).marks.iter().filter(|m| scene.called(**m) == "parametrize") {
        rows_of(scene, *mark, out);
    }
}

fn rows(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    rows_of(scene, id, out);
}

fn rows_of(scene: &Scene<'_>, call: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for part in code.at(call).kids.iter().flat_map(|k| code.under(scene.value_of(*k))) {
        let conditions: Vec<Id> = match code.at(part).kind {
            Kind::Comp => code.at(part).kids.iter().copied().filter(|k| code.is(*k, Kind::Other)).collect(),
            Kind::Call if scene.called(part) == "filter" => code.at(part).kids.clone(),
            _ => continue,
        };
        // A condition that asks what is tested, or that no row is meant to meet.
        let asks = conditions.iter().flat_map(|c| code.under(*c)).any(|n| {
            let node = code.at(n);
            let equal = node.kind == Kind::Compare && matches!(node.op.as_str(), "==" | "===");
            let called = |x: Option<Id>| {
                x.is_some_and(|x| {
                    code.is(x, Kind::Call)
                        && !code.at(x).kids.is_empty()
                        && code.at(x).a.is_some_and(|a| code.is(a, Kind::Name))
                })
            };
            let far = node.kind == Kind::Compare
                && node.op.starts_with('>')
                && node.b.is_some_and(|b| code.number(b).is_some_and(|n| n >= 50.0))
                && node.a.is_some_and(|a| code.at(a).op == "length" || scene.callee(a) == "len");
            equal && (called(node.a) || called(node.b)) || far
        });
        if asks {
            out.push(scene.found("weakened-check", part, "tests only the cases that it passes"));
            return;
        }
    }
}
