//! Doubles that are asked for what they were told: mocks, spies and stubs in the place of what is tested.

use super::super::Finding;
use super::super::scene::Scene;
use super::super::tree::{Id, Kind};
use super::hollow::equals;

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for test in code.ids().filter(|id| scene.test(*id)).collect::<Vec<_>>() {
        told_before(scene, test, out);
        told_rust(scene, test, out);
        marked(scene, test, out);
    }
    for (id, _) in scene.calls() {
        stubbed_class(scene, id, out);
    }
}

/// A mock is asked for what it was told: `autospec.side_effect = […]`, `spyOn(svc, "charge").mockResolvedValue(…)`.
fn told_before(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(test);
    let mut stubbed: Vec<(Id, String, Option<String>)> = Vec::new();
    for id in &all {
        let node = code.at(*id);
        // `m.allow.side_effect = […]`, `m.load.return_value = doc`
        if node.kind == Kind::Assign
            && let Some(target) = node.a.filter(|a| matches!(code.at(*a).op.as_str(), "return_value" | "side_effect"))
            && let Some(method) = code.at(target).a.filter(|m| code.is(*m, Kind::Member))
            && let Some(of) = code.at(method).a.filter(|of| code.is(*of, Kind::Name))
        {
            let made = scene.called(scene.value_of(of));
            if matches!(made.as_str(), "Mock" | "MagicMock" | "AsyncMock" | "create_autospec" | "NonCallableMock") {
                stubbed.push((*id, code.at(of).op.clone(), Some(code.at(method).op.clone())));
            }
        }
        // `monkeypatch.setattr(billing, "vat", lambda …: 19.0)`
        if matches!(scene.callee(*id).as_str(), "monkeypatch.setattr" | "mocker.patch.object")
            && let [of, name, ..] = node.kids[..]
            && code.is(of, Kind::Name)
            && scene.text(name).is_some()
        {
            stubbed.push((*id, code.at(of).op.clone(), scene.text(name)));
        }
        // `with patch.object(classifier, "predict", side_effect=…)`
        if scene.callee(*id).ends_with("patch.object")
            && let [of, name, ..] = node.kids[..]
            && code.is(of, Kind::Name)
            && node.kids.iter().any(|k| matches!(code.at(*k).op.as_str(), "side_effect" | "return_value" | "new"))
        {
            stubbed.push((*id, code.at(of).op.clone(), scene.text(name)));
        }
        // `mocker.patch("shop.cart.Cart.total", return_value=42)`
        if matches!(scene.callee(*id).as_str(), "mocker.patch" | "patch" | "unittest.mock.patch")
            && let Some(path) = node.kids.first().and_then(|k| scene.text(*k))
            && let Some((owner, method)) = path.rsplit_once('.')
            && node.kids.iter().any(|k| matches!(code.at(*k).op.as_str(), "return_value" | "side_effect"))
        {
            let class = owner.rsplit('.').next().unwrap_or_default();
            let made = body_names(scene, test, class);
            stubbed.extend(made.into_iter().map(|name| (*id, name, Some(method.to_owned()))));
        }
        // `sinon.stub(chain, "verify").returns(false)`
        if matches!(scene.called(*id).as_str(), "returns" | "resolves" | "callsFake")
            && let Some(stub) = node.a.and_then(|a| code.at(a).a).filter(|s| scene.called(*s) == "stub")
            && let [of, name, ..] = code.at(stub).kids[..]
            && code.is(of, Kind::Name)
        {
            stubbed.push((*id, code.at(of).op.clone(), scene.text(name)));
        }
        // `vi.spyOn(svc, "charge").mockResolvedValue(…)`
        if matches!(
            scene.called(*id).as_str(),
            "mockReturnValue" | "mockResolvedValue" | "mockImplementation" | "mockRejectedValue"
        ) && let Some(spy) = node.a.and_then(|a| code.at(a).a).filter(|s| scene.called(*s) == "spyOn")
            && let [of, name, ..] = code.at(spy).kids[..]
            && code.is(of, Kind::Name)
        {
            stubbed.push((*id, code.at(of).op.clone(), scene.text(name)));
        }
    }
    for (at, object, method) in stubbed {
        let Some(method) = method else { continue };
        let asks = |id: Id| {
            code.under(id).into_iter().any(|n| {
                let callee = code.at(n).a.filter(|_| code.is(n, Kind::Call)).map(|a| code.at(a));
                callee.is_some_and(|c| {
                    c.op == method && c.a.is_some_and(|of| code.at(of).op == object && code.is(of, Kind::Name))
                })
            })
        };
        let held = |side: Id| {
            code.under(side)
                .into_iter()
                .any(|n| code.is(n, Kind::Name) && scene.value_of(n) != n && asks(scene.value_of(n)))
        };
        let asked = equals(scene, test).into_iter().any(|(_, a, b)| asks(a) || asks(b) || held(a) || held(b));
        if asked {
            out.push(scene.found(
                "weakened-check",
                at,
                format!("asks {object}.{method} for what it told it to answer"),
            ));
            return;
        }
    }
}

/// `stub(Inventory.prototype, "reserve").resolves(…)` where `new Inventory(…)` is tested.
fn stubbed_class(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(scene.called(id).as_str(), "stub" | "spyOn") {
        return;
    }
    let [of, name, ..] = code.at(id).kids[..] else { return };
    let (class, method) = (code.at(of).a.map(|a| code.at(a).op.clone()), scene.text(name));
    let (Some(class), Some(method)) = (class.filter(|_| code.at(of).op == "prototype"), method) else { return };
    let gives = code.around(id).take(3).any(|up| {
        matches!(
            scene.called(up).as_str(),
            "returns" | "resolves" | "mockReturnValue" | "mockResolvedValue" | "callsFake" | "mockImplementation"
        )
    });
    let made = scene.calls().any(|(n, callee)| callee == class && scene.test_around(n).is_some());
    let asked = scene
        .calls()
        .any(|(n, callee)| callee.ends_with(&format!(".{method}")) && n != id && scene.test_around(n).is_some());
    if gives && made && asked {
        out.push(scene.found("weakened-check", id, format!("asks {class}.{method} for what it told it to answer")));
    }
}

/// `rules.expect_total().returning(|_| 3); assert_eq!(rules.total(&cart), 3)`
fn told_rust(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(test) {
        let Some(name) = scene.called(id).strip_prefix("expect_").map(str::to_owned) else { continue };
        let Some(of) = code.at(id).a.and_then(|a| code.at(a).a).filter(|of| code.is(*of, Kind::Name)) else { continue };
        let object = &code.at(of).op;
        let asked = equals(scene, test).into_iter().any(|(_, a, b)| {
            [a, b, scene.value_of(a), scene.value_of(b)].into_iter().any(|side| {
                let callee = code.at(side).a.filter(|_| code.is(side, Kind::Call)).map(|a| code.at(a));
                callee.is_some_and(|c| c.op == name && c.a.is_some_and(|of| code.at(of).op == *object))
            })
        });
        if asked {
            out.push(scene.found("weakened-check", id, format!("asks {object}.{name} for what it told it to answer")));
            return;
        }
    }
}

/// Names that are given a new one of a class in a test.
fn body_names(scene: &Scene<'_>, test: Id, class: &str) -> Vec<String> {
    let code = scene.code;
    if !class.starts_with(char::is_uppercase) {
        return Vec::new();
    }
    let assigns = code.under(test).into_iter().filter(|n| code.is(*n, Kind::Assign));
    assigns
        .filter(|n| code.at(*n).b.is_some_and(|b| scene.called(b) == class))
        .filter_map(|n| code.at(n).a)
        .map(|a| code.at(a).op.clone())
        .collect()
}

/// `@patch.object(Validator, "check")` on a test of `Validator().check(…)`
fn marked(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for mark in code.at(test).marks.iter().copied().filter(|m| scene.callee(*m).ends_with("patch.object")) {
        let [of, name, ..] = code.at(mark).kids[..] else { continue };
        let (class, Some(method)) = (code.at(of).op.clone(), scene.text(name)) else { continue };
        let asked = code.at(test).b.is_some_and(|b| {
            code.under(b).into_iter().any(|n| {
                let callee = code.at(n).a.filter(|_| code.is(n, Kind::Call)).map(|a| code.at(a));
                let asked = callee.or_else(|| code.is(n, Kind::Member).then(|| code.at(n)));
                asked.is_some_and(|c| {
                    c.op == method
                        && c.a.is_some_and(|of| scene.called(scene.value_of(of)) == class || code.at(of).op == class)
                })
            })
        });
        if asked {
            out.push(scene.found(
                "weakened-check",
                mark,
                format!("asks {class}.{method} for what it told it to answer"),
            ));
            return;
        }
    }
}
