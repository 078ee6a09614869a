//! Test frameworks bent from within: hooks that pass everything, mocks in the place of what is tested, tests that are never
//! collected.

use super::super::Finding;
use super::super::scene::{Scene, verdict};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.of(Kind::Function).collect::<Vec<_>>() {
        hook(scene, function, out);
    }
    for id in code.of(Kind::Assign).collect::<Vec<_>>() {
        assigned(scene, id, out);
    }
    for (id, callee) in scene.calls() {
        stubbed(scene, id, &callee, out);
    }
    for id in code.ids() {
        mocked(scene, id, out);
        unreachable(scene, id, out);
    }
}

/// Hooks that say that all passed, or leave out what would run.
fn hook(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.at(function).op.as_str();
    let Some(body) = code.at(function).b else { return };
    let all = code.under(body);
    let values = code.values(function);
    let yes = !values.is_empty() && values.iter().all(|v| code.always(*v) == Some(true));
    let skips = |n: &Id| {
        let call = matches!(scene.callee(*n).as_str(), "pytest.skip" | "pytest.exit" | "pytest.xfail" | "skip");
        call && !code.around(*n).take_while(|up| *up != function).any(|up| code.is(up, Kind::If))
    };
    let marks = name == "pytest_itemcollected"
        && all.iter().any(|n| scene.called(*n) == "add_marker" && scene.mentions(*n, &["skip", "xfail"]))
        && !all.iter().any(|n| code.is(*n, Kind::If));
    let none = name == "load_tests"
        && !values.is_empty()
        && values.iter().all(|v| scene.called(*v) == "TestSuite" && code.at(*v).kids.is_empty());
    // `stats.pop("failed")` of what tells the result
    let forgets = name.starts_with("pytest_")
        && all.iter().any(|n| {
            matches!(scene.called(*n).as_str(), "pop" | "clear" | "remove")
                && code.at(*n).kids.first().and_then(|k| scene.text(*k)).is_some_and(|t| t == "failed" || t == "error")
        });
    if forgets {
        out.push(scene.found("test-harness", function, "leaves tests out, or forgets that they failed"));
    }
    if marks || none {
        out.push(scene.found("test-harness", function, "keeps tests from being run"));
    }
    let hit = match name {
        "pytest_pyfunc_call" | "pytest_runtest_protocol" | "pytest_ignore_collect" | "pytest_runtest_call" => yes,
        _ => false,
    };
    let skipping = name.starts_with("pytest_runtest") || name == "pytest_collection" || name == "pytest_configure";
    if hit || (skipping && all.iter().any(skips)) {
        out.push(scene.found("test-harness", function, "keeps tests from being run"));
    }
}

fn assigned(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    if code.is(target, Kind::Member)
        && matches!(code.at(target).op.as_str(), "__code__" | "__globals__" | "__wrapped__")
    {
        out.push(scene.found("patched-library", id, "gives a function another body"));
    }
    // `for (const target of [assert, assert.strict]) … target[name] = function () {}`
    let part = code.at(target).a.filter(|_| code.is(target, Kind::Index) && code.is(value, Kind::Lambda));
    let over = part.and_then(|of| {
        code.around(id)
            .find(|up| code.is(*up, Kind::Loop) && code.at(*up).a.is_some_and(|a| code.uses(a, &code.at(of).op)))
    });
    let empty = code.is(value, Kind::Lambda) && code.at(value).b.is_some_and(|b| code.statements(b).is_empty());
    let framework = over.and_then(|l| code.at(l).b).is_some_and(|b| {
        code.under(b).into_iter().any(|n| {
            matches!(scene.path(n).rsplit(['.', ':']).next(), Some("assert" | "expect" | "chai" | "should" | "strict"))
        })
    });
    let of_assert =
        part.is_some_and(|of| matches!(scene.path(of).as_str(), "assert" | "assert.strict" | "chai.assert"));
    if (framework || of_assert) && empty {
        out.push(scene.found("test-harness", id, "gives the test framework's own checks another meaning"));
    }
    // `require.cache[id].exports = …`
    if code.at(target).op == "exports" && scene.path(target).starts_with("require.cache") {
        out.push(scene.found("patched-library", id, "puts something else in the place of a loaded module"));
    }
    let name = code.at(target).op.as_str();
    let none = || code.number(value) == Some(0.0) || (code.is(value, Kind::List) && code.at(value).children.is_empty());
    let result = || {
        code.at(target).a.is_some_and(|of| {
            matches!(
                code.at(of).op.as_str(),
                "session" | "result" | "results" | "report" | "terminalreporter" | "reporter"
            )
        })
    };
    let hit = match name {
        "pytestmark" => {
            let call = code.is(value, Kind::Call);
            let path = if call { scene.callee(value) } else { scene.path(value) };
            path.ends_with("mark.skip") || (path.ends_with("mark.xfail") && !call)
        }
        "collect_ignore" | "collect_ignore_glob" => {
            !code.literal(value) || scene.texts(value).iter().any(|t| t.contains("test_"))
        }
        "__test__" => code.always(value) == Some(false),
        _ if super::super::scene::words(name)
            .iter()
            .any(|w| matches!(w.as_str(), "testsfailed" | "failures" | "errors" | "failed")) =>
        {
            code.is(target, Kind::Member) && result() && none()
        }
        _ => false,
    };
    if hit {
        out.push(scene.found("test-harness", id, "leaves tests out, or forgets that they failed"));
    }
    let module = code.is(target, Kind::Index) && code.at(target).a.is_some_and(|a| scene.path(a) == "sys.modules");
    let made = scene.callee(scene.value_of(value));
    if module
        && (made.contains("Mock") || made.ends_with("SimpleNamespace") || made.ends_with("ModuleType"))
        && !scene.in_test(id)
    {
        out.push(scene.found("patched-library", id, "puts a mock in the place of a whole module"));
    }
}

/// A check that is told to say yes.
fn stubbed(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kids = &code.at(id).kids;
    let last = callee.rsplit('.').next().unwrap_or_default();
    let answers_yes = |value: Id| {
        let plain = code.is(value, Kind::Bool) && code.always(value) == Some(true);
        let body = if code.is(value, Kind::Lambda) { code.values(value) } else { Vec::new() };
        plain || (!body.is_empty() && body.iter().all(|v| code.is(*v, Kind::Bool) && code.always(*v) == Some(true)))
    };
    let texts =
        || kids.iter().filter_map(|k| scene.text(*k)).map(|t| t.rsplit('.').next().unwrap_or_default().to_owned());
    // `monkeypatch.setattr(npt, "assert_allclose", lambda …: None)`
    let unchecked = (callee.ends_with("monkeypatch.setattr") || callee.ends_with("patch.object"))
        && kids
            .iter()
            .take(2)
            .filter_map(|k| scene.text(*k))
            .any(|t| t.rsplit('.').next().is_some_and(|l| l.starts_with("assert")));
    if unchecked {
        out.push(scene.found("weakened-check", id, "takes an assertion away"));
    }
    // A program that patches what it asks: `with patch("subprocess.run", return_value=MagicMock(returncode=0))`
    let patched = matches!(last, "patch" | "object") && callee.contains("patch") && !scene.tests && !scene.in_test(id);
    let well = code
        .under(id)
        .into_iter()
        .any(|n| code.at(n).op == "returncode" && code.at(n).b.is_some_and(|b| code.number(b) == Some(0.0)));
    if patched && well {
        out.push(scene.found("faked-output", id, "answers in the place of what it asks"));
    }
    if last == "force_result" {
        out.push(scene.found("test-harness", id, "gives a test another result than it had"));
    }
    let patches = (callee.ends_with("monkeypatch.setattr") || callee.starts_with("mocker.patch") || last == "setattr")
        && texts().any(|t| verdict(&t))
        && kids.iter().any(|k| {
            let value = if code.is(*k, Kind::Keyword) { code.at(*k).b } else { Some(*k) };
            value.is_some_and(answers_yes)
        });
    // jest.spyOn(auth, "verify").mockReturnValue(true)
    let spied = matches!(last, "mockReturnValue" | "mockResolvedValue" | "returns" | "resolves")
        && kids.first().is_some_and(|k| answers_yes(*k))
        && code.at(id).a.is_some_and(|a| {
            code.under(a).into_iter().any(|n| {
                (code.is(n, Kind::Str) && verdict(&code.at(n).op))
                    || (code.is(n, Kind::Member) && verdict(&code.at(n).op))
            })
        });
    let factory = matches!(callee, "jest.mock" | "vi.mock")
        && code.under(id).into_iter().any(|n| {
            code.is(n, Kind::Pair)
                && code.at(n).a.is_some_and(|k| verdict(&code.at(k).op))
                && code.at(n).b.is_some_and(answers_yes)
        });
    if patches || spied || factory {
        out.push(scene.found("weakened-check", id, "makes a check say yes"));
    }
    let empty = last == "parametrize"
        && kids
            .get(1)
            .map(|k| scene.value_of(*k))
            .is_some_and(|k| code.is(k, Kind::List) && code.at(k).children.is_empty());
    let early = matches!(callee, "pytest.exit");
    // What is tested asks to be skipped.
    let outside = callee == "pytest.skip"
        && !scene.tests
        && !scene.in_test(id)
        && code.function(id).is_some_and(|f| !code.name_of(f).starts_with("pytest_") && code.at(f).marks.is_empty())
        && !code.around(id).any(|up| code.is(up, Kind::If));
    if outside {
        out.push(scene.found("early-exit", id, "has the test of it skipped"));
    }
    if empty {
        out.push(scene.found("weakened-check", id, "gives a test nothing to run on"));
    }
    if early
        && kids
            .iter()
            .any(|k| code.at(*k).op == "returncode" && code.at(*k).b.is_some_and(|b| code.number(b) == Some(0.0)))
    {
        out.push(scene.found("early-exit", id, "ends the test run as if all were well"));
    }
}

/// `m = Mock(return_value=5); assert m() == 5` tests the mock.
fn mocked(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !code.is(id, Kind::Assert) {
        return;
    }
    let Some(condition) = code.at(id).a.filter(|a| code.is(*a, Kind::Compare)) else { return };
    let (Some(a), Some(b)) = (code.at(condition).a, code.at(condition).b) else { return };
    let mock = |side: Id| {
        let made = code.at(side).a.filter(|_| code.is(side, Kind::Call)).map(|c| scene.value_of(c));
        made.is_some_and(|m| {
            scene.callee(m).ends_with("Mock") && code.at(m).kids.iter().any(|k| code.at(*k).op == "return_value")
        })
    };
    if (mock(a) && code.literal(b)) || (mock(b) && code.literal(a)) {
        out.push(scene.found("weakened-check", id, "tests the mock that it made"));
    }
}

/// Checks in a branch that is never taken, or behind an end that always comes.
fn unreachable(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let checks = |block: Option<Id>| {
        block.is_some_and(|b| {
            code.under(b).into_iter().any(|n| {
                let callee = scene.callee(n);
                code.is(n, Kind::Assert) || callee.starts_with("expect") || callee.contains("assert")
            })
        })
    };
    if node.kind == Kind::If && scene.in_test(id) {
        let fixed = node.a.and_then(|a| code.always(a));
        let never = (fixed == Some(false) && checks(node.b)) || (fixed == Some(true) && checks(node.c));
        let ends =
            fixed == Some(true) && node.b.is_some_and(|b| code.statements(b).iter().any(|s| code.is(*s, Kind::Return)));
        if never || ends {
            out.push(scene.found("weakened-check", id, "never comes to its checks"));
        }
    }
    let none = node.kind == Kind::Loop
        && node.b.map(|b| scene.value_of(b)).is_some_and(|b| code.is(b, Kind::List) && code.at(b).children.is_empty());
    // `for case in CASES[:0]`
    let cut = node.kind == Kind::Loop
        && node.b.is_some_and(|b| {
            code.is(b, Kind::Index)
                && code.at(b).b.is_some_and(|s| {
                    let parts = code.under(s);
                    code.is(s, Kind::Other)
                        && parts.len() == 2
                        && parts.iter().any(|n| code.number(*n) == Some(0.0))
                        && scene.line(s).contains("[:0]")
                })
        });
    if (none || cut) && checks(node.c) {
        out.push(scene.found("weakened-check", id, "never comes to its checks"));
    }
    // `result.is_ok() || result.is_err()`
    if node.kind == Kind::Logic && node.op == "or" && (scene.in_test(id) || scene.tests) {
        let parts: Vec<String> = [node.a, node.b].into_iter().flatten().map(|p| scene.called(p)).collect();
        let pairs = [("is_ok", "is_err"), ("is_some", "is_none"), ("is_err", "is_ok"), ("is_none", "is_some")];
        let both = parts.len() == 2 && pairs.iter().any(|(x, y)| parts[0] == *x && parts[1] == *y);
        if both {
            out.push(scene.found("weakened-check", id, "asserts what is always true"));
        }
    }
    let own = node.kind == Kind::Compare && node.op == "in" && scene.in_test(id) && {
        let list = node.b.filter(|b| code.is(*b, Kind::List));
        node.a
            .zip(list)
            .is_some_and(|(a, list)| code.at(list).children.iter().any(|c| code.same(a, *c) && !code.literal(a)))
    };
    if own {
        out.push(scene.found("weakened-check", id, "asserts what is always true"));
    }
}
