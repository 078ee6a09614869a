//! Tests that test nothing: assertions that cannot fail, tests that are skipped, empty, cut short, or that test a mock.

use super::super::Finding;
use super::super::scene::{Scene, verdict};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Assert) {
        let Some(condition) = code.at(id).a else { continue };
        let tuple = code.is(condition, Kind::List) && code.at(condition).children.len() == 2;
        if (tuple || code.always(condition) == Some(true)) && !empty_case(scene, id) {
            out.push(scene.found("weakened-check", id, "asserts what is always true"));
        }
        loose(scene, condition, out);
    }
    for (id, callee) in scene.calls() {
        assertion(scene, id, &callee, out);
        skipped(scene, id, &callee, out);
    }
    for function in
        code.ids().filter(|id| matches!(code.at(*id).kind, Kind::Function | Kind::Lambda)).collect::<Vec<_>>()
    {
        marks(scene, function, out);
        if scene.test(function) {
            body(scene, function, out);
        }
        mocks(scene, function, out);
    }
    swallowed(scene, out);
    harness(scene, out);
}

/// `if not xs: assert True` says that there is nothing to be tested.
fn empty_case(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let up = code.around(id).find(|up| code.is(*up, Kind::If));
    let test = scene.test_around(id);
    let more = test.is_some_and(|t| code.under(t).into_iter().filter(|n| checks_something(scene, *n)).count() >= 2);
    up.is_some() && more
}

fn is_assertion(scene: &Scene<'_>, id: Id) -> bool {
    let callee = scene.callee(id);
    let last = callee.rsplit('.').next().unwrap_or_default();
    last.starts_with("assert")
        || callee.starts_with("expect")
        || callee == "pytest.raises"
        || callee == "should"
        || callee.starts_with("t.is")
        || last == "debug_assert!"
}

fn checks_something(scene: &Scene<'_>, id: Id) -> bool {
    scene.code.is(id, Kind::Assert) || is_assertion(scene, id)
}

/// The values that an assertion of a framework holds against each other.
fn assertion(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kids = &code.at(id).kids;
    let last = callee.rsplit('.').next().unwrap_or_default();
    let truth = matches!(last, "assertTrue" | "assert!" | "ok" | "isTrue" | "assert_" | "debug_assert!")
        && (last != "ok" || callee.contains("assert"));
    let falsity = matches!(last, "assertFalse" | "isFalse");
    let equal = matches!(
        last,
        "assertEqual"
            | "assertEquals"
            | "assert_eq!"
            | "equal"
            | "strictEqual"
            | "deepEqual"
            | "deepStrictEqual"
            | "assertIs"
            | "debug_assert_eq!"
            | "assert_equal"
            | "assert_allclose"
    );
    let calls = |a: Id| code.under(a).into_iter().any(|n| code.is(n, Kind::Call));
    let empty = match (kids.first().copied(), kids.get(1).copied()) {
        (Some(a), _) if truth || (callee == "assert" && code.language.is_script()) => code.always(a) == Some(true),
        (Some(a), _) if falsity => code.always(a) == Some(false),
        (Some(a), Some(b)) if equal => code.same(a, b) && !calls(a),
        _ => false,
    };
    // expect(true).toBe(true), expect(x).toBe(x)
    let expected = code
        .at(id)
        .a
        .and_then(|a| code.at(a).a)
        .filter(|of| scene.callee(*of) == "expect")
        .and_then(|of| code.at(of).kids.first().copied());
    let matched = expected.is_some_and(|what| match (last, kids.first().copied()) {
        ("toBe" | "toEqual" | "toStrictEqual" | "equal" | "eql", Some(to)) => {
            let fixed = code.is(to, Kind::Bool) && code.is(what, Kind::Logic) && code.always(what) == code.always(to);
            code.same(what, to) && !calls(what) || fixed
        }
        ("toBeTruthy" | "toBeDefined", _) => {
            (code.literal(what) || code.is(what, Kind::Logic)) && code.always(what) == Some(true)
        }
        ("toBeFalsy" | "toBeNull" | "toBeUndefined", _) => code.literal(what) && code.always(what) == Some(false),
        _ => false,
    });
    if (empty || matched) && !empty_case(scene, id) {
        out.push(scene.found("weakened-check", id, "asserts what is always true"));
    }
    for kid in kids {
        if is_assertion(scene, id) || callee.ends_with("approx") {
            loose(scene, *kid, out);
        }
    }
    // `approx(1 / 3, abs=10)`: as wide as what is expected.
    let expected = if callee.ends_with("approx") { kids.first().and_then(|k| worth(scene, *k)) } else { None };
    let swallows = expected.is_some_and(|e| {
        kids.iter()
            .filter(|k| code.is(**k, Kind::Keyword) && matches!(code.at(**k).op.as_str(), "abs" | "delta"))
            .any(|k| code.at(*k).b.and_then(|b| code.number(b)).is_some_and(|bound| bound >= 1.0 && bound >= e.abs()))
    });
    if swallows {
        out.push(scene.found("weakened-check", id, "allows so large a difference that anything passes"));
        return;
    }
    let wide = kids.iter().filter(|k| code.is(**k, Kind::Keyword)).any(|k| {
        let node = code.at(*k);
        let bound = node.b.and_then(|b| code.number(b)).unwrap_or(0.0);
        (matches!(node.op.as_str(), "rel" | "rtol" | "rel_tol") && bound >= 0.5)
            || (matches!(node.op.as_str(), "abs" | "atol" | "abs_tol" | "delta") && bound >= 1e3)
    });
    if wide && (scene.in_test(id) || is_assertion(scene, id)) {
        out.push(scene.found("weakened-check", id, "allows so large a difference that anything passes"));
    }
}

/// A number, or a little sum of numbers.
fn worth(scene: &Scene<'_>, id: Id) -> Option<f64> {
    let code = scene.code;
    let node = code.at(id);
    if node.kind != Kind::Binary {
        return code.number(id);
    }
    let (a, b) = (code.number(node.a?)?, code.number(node.b?)?);
    match node.op.as_str() {
        "/" => Some(a / b),
        "*" => Some(a * b),
        "+" => Some(a + b),
        "-" => Some(a - b),
        _ => None,
    }
}

/// `abs(a - b) < 1e6`
fn loose(scene: &Scene<'_>, condition: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(condition);
    let (Some(a), Some(b)) = (node.a, node.b) else { return };
    let difference = matches!(scene.called(a).as_str(), "abs" | "fabs" | "norm" | "absdiff");
    if node.kind == Kind::Compare && node.op.starts_with('<') && difference && code.number(b).is_some_and(|n| n >= 1e5)
    {
        out.push(scene.found("weakened-check", condition, "allows so large a difference that anything passes"));
    }
}

/// A reason that says why it cannot run here, not that it fails.
fn reasoned(text: &str) -> bool {
    let text = text.to_lowercase();
    let excuse = [
        "todo", "fixme", "flaky", "broken", "later", "fails", "failing", "auto", "temporar", "wip", "disabled", "skip",
    ]
    .iter()
    .any(|w| text.contains(w));
    text.split_whitespace().count() >= 2 && !excuse
}

fn reason_of(scene: &Scene<'_>, call: Id) -> String {
    let code = scene.code;
    let named = code
        .at(call)
        .kids
        .iter()
        .find(|k| code.is(**k, Kind::Keyword) && matches!(code.at(**k).op.as_str(), "reason" | "msg"))
        .and_then(|k| code.at(*k).b);
    named.or(code.at(call).kids.first().copied()).and_then(|k| scene.text(k)).unwrap_or_default()
}

fn marks(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for mark in &code.at(function).marks {
        let call = code.is(*mark, Kind::Call);
        let path = if call { scene.callee(*mark) } else { scene.path(*mark) };
        let kids = &code.at(*mark).kids;
        let keyword = |name: &str| {
            kids.iter().find(|k| code.is(**k, Kind::Keyword) && code.at(**k).op == name).and_then(|k| code.at(*k).b)
        };
        let last = path.rsplit('.').next().unwrap_or_default();
        let skip = match last {
            "skip" => path.contains("mark") || path.contains("unittest") || path == "skip",
            "skipif" | "skipIf" => kids.first().is_some_and(|k| {
                !code.is(*k, Kind::Keyword) && code.always(*k) == Some(true) && !code.is(*k, Kind::Str)
            }),
            "skipUnless" => kids.first().is_some_and(|k| code.always(*k) == Some(false)),
            "xfail" | "expectedFailure" => {
                let strict = keyword("strict").is_some_and(|s| code.always(s) == Some(true));
                let conditional =
                    kids.first().is_some_and(|k| !code.is(*k, Kind::Keyword) && code.always(*k).is_none());
                !(strict || conditional) || !reasoned(&reason_of(scene, *mark))
            }
            _ => {
                let text = code.at(*mark).op.trim_start_matches("#[").trim_end_matches(']').trim().to_owned();
                text == "ignore"
                    || text
                        .strip_prefix("ignore")
                        .and_then(|t| t.trim().strip_prefix('='))
                        .is_some_and(|t| !reasoned(t.trim().trim_matches('"')))
            }
        };
        if skip {
            out.push(scene.found("weakened-check", function, "leaves a test out"));
        }
    }
}

fn skipped(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let parts: Vec<&str> = callee.split('.').collect();
    let script = code.language.is_script();
    let out_of_run = script
        && (matches!(
            parts.as_slice(),
            ["it" | "test" | "describe" | "suite", "skip" | "todo" | "failing"] | ["xit" | "xtest" | "xdescribe"]
        ))
        && code.at(id).kids.first().is_some_and(|k| scene.text(*k).is_some() || code.is(*k, Kind::Template));
    let only = script
        && matches!(parts.as_slice(), ["it" | "test" | "describe", "only"] | ["fit" | "fdescribe"])
        && code.at(id).kids.len() >= 2;
    let in_body = matches!(
        callee,
        "pytest.skip" | "self.skipTest" | "unittest.SkipTest" | "pytest.xfail" | "this.skip" | "t.skip"
    ) && !code
        .around(id)
        .take_while(|u| !matches!(code.at(*u).kind, Kind::Function | Kind::Lambda))
        .any(|u| matches!(code.at(u).kind, Kind::If | Kind::Handler | Kind::Try))
        && !code.at(id).kids.iter().any(|k| code.is(*k, Kind::Keyword) && code.at(*k).op == "allow_module_level")
        && scene.test_around(id).is_some();
    if out_of_run || in_body {
        out.push(scene.found("weakened-check", id, "leaves a test out"));
    }
    if only {
        out.push(scene.found("weakened-check", id, "runs one test alone and so leaves all others out"));
    }
}

fn body(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(block) = code.at(function).b else { return };
    let statements = code.statements(block);
    let nothing = |id: &Id| {
        matches!(code.at(*id).kind, Kind::Pass | Kind::Str | Kind::Null)
            || (code.is(*id, Kind::Return) && code.at(*id).a.is_none_or(|a| code.literal(a)))
    };
    if statements.iter().all(nothing) && !fixture_like(scene, function) {
        out.push(scene.found("weakened-check", function, "is a test without anything in it"));
        return;
    }
    // A return before what would be checked.
    let cut = statements.iter().position(|s| code.is(*s, Kind::Return));
    let later = cut
        .is_some_and(|at| statements[at + 1..].iter().flat_map(|s| code.under(*s)).any(|n| checks_something(scene, n)));
    if let Some(at) = cut.filter(|_| later) {
        out.push(scene.found("weakened-check", statements[at], "ends the test before it checks anything"));
    }
}

/// `describe` and `beforeEach` may well be empty.
fn fixture_like(scene: &Scene<'_>, function: Id) -> bool {
    let code = scene.code;
    code.is(function, Kind::Lambda)
        && code.around(function).find(|up| code.is(*up, Kind::Call)).is_some_and(|call| {
            let callee = scene.callee(call);
            !matches!(callee.split('.').next().unwrap_or_default(), "it" | "test" | "specify" | "xit" | "xtest" | "fit")
        })
}

/// What is tested was replaced by what it should answer.
fn mocks(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let with: Vec<Id> = code
        .at(function)
        .b
        .map(|b| code.under(b))
        .unwrap_or_default()
        .into_iter()
        .filter(|n| code.is(*n, Kind::With))
        .flat_map(|w| code.under(w))
        .collect();
    let patches = code.at(function).marks.iter().copied().chain(with).filter(|m| code.is(*m, Kind::Call));
    let body = code.at(function).b.map(|b| code.under(b)).unwrap_or_default();
    for patch in patches.collect::<Vec<_>>() {
        patched(scene, patch, &body, out);
    }
}

fn patched(scene: &Scene<'_>, patch: Id, body: &[Id], out: &mut Vec<Finding>) {
    let code = scene.code;
    let callee = scene.callee(patch);
    if !matches!(callee.rsplit('.').next().unwrap_or_default(), "patch" | "object") || !callee.contains("patch") {
        return;
    }
    let kids = &code.at(patch).kids;
    let name = if callee.ends_with("object") { kids.get(1) } else { kids.first() }
        .and_then(|k| scene.text(*k))
        .unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default().to_owned();
    let answers = kids.iter().any(|k| {
        code.is(*k, Kind::Keyword)
            && code.at(*k).op == "return_value"
            && code.at(*k).b.is_some_and(|b| code.literal(b) || code.is(b, Kind::Null))
    });
    let calls = |n: Id| code.is(n, Kind::Call) && code.at(n).a.is_some_and(|a| code.at(a).op == last);
    let asserted = body.iter().any(|n| checks_something(scene, *n) && code.under(*n).into_iter().any(calls));
    let kept = body.iter().any(|n| code.is(*n, Kind::Assign) && code.at(*n).b.is_some_and(calls));
    if last.starts_with("assert") || last.starts_with("check_") && !answers {
        out.push(scene.found("weakened-check", patch, format!("takes the check {last} away")));
        return;
    }
    let truth = kids.iter().any(|k| {
        code.at(*k).op == "return_value"
            && code.at(*k).b.is_some_and(|b| code.always(b) == Some(true) && code.is(b, Kind::Bool))
    });
    if answers && !last.is_empty() && (asserted || kept) {
        out.push(scene.found("weakened-check", patch, format!("tests the mock that it put in the place of {last}")));
    } else if truth && verdict(&last) && body.iter().any(|n| calls(*n)) {
        out.push(scene.found("weakened-check", patch, format!("makes {last} say yes")));
    }
}

/// Failed checks that nobody hears of.
fn swallowed(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    let wide = |handler: Id| {
        code.at(handler).a.is_none_or(|a| {
            code.under(a)
                .into_iter()
                .any(|n| matches!(code.at(n).op.as_str(), "Exception" | "BaseException" | "AssertionError" | "Error"))
        }) || code.language.is_script()
    };
    let silent = |handler: Id| {
        let body = code.at(handler).b;
        body.is_none_or(|b| {
            code.statements(b).iter().all(|s| {
                let node = code.at(*s);
                matches!(node.kind, Kind::Pass | Kind::Str)
                    || (node.kind == Kind::Return
                        && node.a.is_none_or(|a| code.always(a) == Some(true) || code.is(a, Kind::Null)))
                    || (node.kind == Kind::Other && node.children.is_empty())
            })
        })
    };
    for id in code.of(Kind::Try) {
        let Some(body) = code.at(id).b else { continue };
        let inside = code.under(body);
        let quiet = code.at(id).kids.iter().any(|h| wide(*h) && silent(*h));
        let asserts = inside.iter().any(|n| checks_something(scene, *n));
        let only_checks = code.statements(body).iter().all(|s| code.is(*s, Kind::Call) && verdict(&scene.called(*s)));
        if quiet && (asserts || only_checks) && !expects_failure(scene, body) {
            out.push(scene.found("weakened-check", id, "passes over a check that fails"));
        }
    }
    for id in code.of(Kind::With) {
        let suppresses = code.at(id).kids.iter().flat_map(|k| code.under(*k)).any(|n| {
            scene.called(n) == "suppress"
                && code
                    .at(n)
                    .kids
                    .iter()
                    .any(|k| matches!(scene.path(*k).as_str(), "AssertionError" | "Exception" | "BaseException"))
        });
        let asserts = code.at(id).b.is_some_and(|b| code.under(b).into_iter().any(|n| checks_something(scene, n)));
        if suppresses && asserts {
            out.push(scene.found("weakened-check", id, "passes over a check that fails"));
        }
    }
    for (id, callee) in scene.calls() {
        let catches = callee.ends_with("catch_unwind")
            && scene.in_test(id)
            && code.under(id).into_iter().any(|n| is_assertion(scene, n));
        let held = code.around(id).next().filter(|up| code.is(*up, Kind::Assign)).and_then(|up| code.at(up).a);
        let let_go = held.is_some_and(|h| {
            let name = &code.at(h).op;
            let uses: Vec<Id> =
                code.ids().filter(|n| code.is(*n, Kind::Name) && code.at(*n).op == *name && *n != h).collect();
            uses.iter().all(|n| scene.callee(code.at(*n).parent) == "drop")
        });
        let unused = code.is(code.at(id).parent, Kind::Block)
            || let_go
            || code.around(id).next().is_some_and(|up| {
                code.is(up, Kind::Assign) && code.at(up).a.is_none_or(|a| code.at(a).op.starts_with('_'))
            });
        if catches && unused {
            out.push(scene.found("weakened-check", id, "passes over a check that fails"));
        }
    }
}

/// `try { f(); fail() } catch {}` and `assert False` after what must raise.
fn expects_failure(scene: &Scene<'_>, body: Id) -> bool {
    let code = scene.code;
    let last = code.statements(body).last().copied();
    last.is_some_and(|l| {
        let fails = scene.called(l).contains("fail");
        let asserts_false = code.is(l, Kind::Assert) && code.at(l).a.is_some_and(|a| code.always(a) == Some(false));
        fails || asserts_false
    })
}

/// Hooks of pytest that change which tests run, or what is said of them.
fn harness(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.of(Kind::Function).collect::<Vec<_>>() {
        if code.at(function).op != "pytest_collection_modifyitems" {
            continue;
        }
        let Some(body) = code.at(function).b else { continue };
        let asks = code
            .under(body)
            .into_iter()
            .any(|n| matches!(scene.called(n).as_str(), "getoption" | "getini") || scene.path(n).ends_with(".option"));
        let drops = code.under(body).into_iter().find(|n| {
            let node = code.at(*n);
            let marks = scene.called(*n) == "add_marker"
                && node.kids.iter().any(|k| {
                    scene.path(*k).contains("skip")
                        || scene.path(*k).contains("xfail")
                        || scene.mentions(*k, &["skip", "xfail"])
                        || code.under(scene.value_of(*k)).into_iter().any(|m| scene.path(m).contains("skip"))
                });
            let cleared = matches!(scene.callee(*n).as_str(), "items.clear" | "items.pop" | "items.remove");
            let assigned = node.kind == Kind::Assign
                && node
                    .a
                    .is_some_and(|a| matches!(code.at(a).kind, Kind::Index | Kind::Other) && code.uses(a, "items"))
                && node.b.is_some_and(|b| {
                    !code.under(b).into_iter().any(|m| matches!(scene.called(m).as_str(), "sorted" | "reversed"))
                });
            marks || cleared || assigned
        });
        if let Some(at) = drops.filter(|_| !asks) {
            out.push(scene.found("test-harness", at, "leaves collected tests out"));
        }
    }
    for (id, callee) in scene.calls() {
        if callee.ends_with("patch.dict") {
            let bypass =
                code.at(id).kids.iter().flat_map(|k| code.under(*k)).filter(|n| code.is(*n, Kind::Str)).any(|n| {
                    let op = code.at(n).op.to_uppercase();
                    let turns_off = ["SKIP", "BYPASS", "DISABLE", "NO_"].iter().any(|w| op.contains(w));
                    turns_off && ["VALID", "CHECK", "AUTH", "VERIF", "TEST", "BYPASS"].iter().any(|w| op.contains(w))
                });
            if bypass {
                out.push(scene.found("weakened-check", id, "turns off the check that it tests"));
            }
        }
    }
}
