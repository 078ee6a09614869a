//! Where a value goes: a mock's answer into the check of it, the label into the prediction, the right cases into the measure,
//! the test's own text into nothing.

use super::super::Finding;
use super::super::scene::{Scene, verdict, words};
use super::super::tree::{Id, Kind};

/// What says that something is the right answer.
const LABELS: &[&str] = &[
    "label",
    "labels",
    "target",
    "targets",
    "answer",
    "expected",
    "gold",
    "ground_truth",
    "y_true",
    "solution",
    "reference_answer",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in
        code.ids().filter(|id| matches!(code.at(*id).kind, Kind::Function | Kind::Lambda)).collect::<Vec<_>>()
    {
        if scene.test(function) {
            own_mock(scene, function, out);
            skipped_failure(scene, function, out);
        } else if !scene.in_test(function) {
            label(scene, function, out);
            canned(scene, function, out);
            leaks(scene, function, out);
            become_equal(scene, function, out);
            unlooked(scene, function, out);
            guessed(scene, function, out);
        }
    }
    for id in code.of(Kind::Assign).collect::<Vec<_>>() {
        kept_cases(scene, id, out);
    }
    for (id, callee) in scene.calls() {
        mocked_module(scene, id, &callee, out);
        rewritten(scene, id, &callee, out);
        corrected(scene, id, &callee, out);
        unheard(scene, id, &callee, out);
        subject(scene, id, &callee, out);
        report(scene, id, out);
    }
    for id in code.ids().filter(|id| matches!(code.at(*id).kind, Kind::Member | Kind::Name)) {
        let name = &code.at(id).op;
        let bare = name.trim_matches('_');
        if name.starts_with("__")
            && name.ends_with("__")
            && (LABELS.contains(&bare) || bare == "answers")
            && !scene.in_test(id)
        {
            out.push(scene.found("introspection", id, "takes the answer from whoever examines it"));
        }
    }
}

/// `m.f.return_value = 3; assert m.f() == 3`
fn own_mock(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let body = code.at(test).b.map(|b| code.under(b)).unwrap_or_default();
    for made in body.iter().copied().filter(|n| code.is(*n, Kind::Assign)) {
        let (Some(target), Some(value)) = (code.at(made).a, code.at(made).b) else { continue };
        let mock = matches!(scene.called(value).as_str(), "Mock" | "MagicMock" | "AsyncMock" | "create_autospec");
        if !mock || !code.is(target, Kind::Name) {
            continue;
        }
        let name = &code.at(target).op;
        let given =
            code.at(value).kids.iter().filter(|k| code.at(**k).op == "return_value").filter_map(|k| code.at(*k).b);
        let set = body.iter().filter_map(|n| {
            let node = code.at(*n);
            let to = node.a.filter(|a| node.kind == Kind::Assign && code.at(*a).op == "return_value")?;
            code.uses(to, name).then_some(node.b).flatten()
        });
        let answers: Vec<Id> = given.chain(set).filter(|a| code.literal(*a)).collect();
        let asks = |n: Id| scene.callee(n).split('.').next() == Some(name);
        let asserted = body.iter().any(|n| {
            let node = code.at(*n);
            node.kind == Kind::Compare && node.op.starts_with("==") && {
                let sides = [(node.a, node.b), (node.b, node.a)];
                sides.into_iter().any(|(a, b)| {
                    let (Some(a), Some(b)) = (a, b) else { return false };
                    let asked = asks(a) || asks(scene.value_of(a));
                    asked && answers.iter().any(|answer| code.same(*answer, scene.value_of(b)))
                })
            }
        });
        if asserted {
            out.push(scene.found("weakened-check", made, format!("tests the answer that it gave to the mock {name}")));
        }
    }
}

/// `if x != 3: skip(); assert x == 3`
fn skipped_failure(scene: &Scene<'_>, test: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let body = code.at(test).b.map(|b| code.under(b)).unwrap_or_default();
    for branch in body.iter().copied().filter(|n| code.is(*n, Kind::If)) {
        let (Some(condition), Some(then)) = (code.at(branch).a, code.at(branch).b) else { continue };
        let leaves = code.under(then).into_iter().any(|n| {
            matches!(scene.callee(n).as_str(), "pytest.skip" | "pytest.xfail" | "self.skipTest" | "unittest.SkipTest")
                || code.is(n, Kind::Return)
        });
        let negated = code.at(condition);
        let (Some(a), Some(b)) = (negated.a, negated.b) else { continue };
        let told = body.iter().any(|n| {
            let node = code.at(*n);
            let equal = node.kind == Kind::Compare && node.op == "==" && code.is(node.parent, Kind::Assert);
            equal && node.a.is_some_and(|x| code.same(x, a)) && node.b.is_some_and(|y| code.same(y, b))
        });
        if leaves && negated.kind == Kind::Compare && negated.op == "!=" && told {
            out.push(scene.found("weakened-check", branch, "leaves the test where its check would fail"));
        }
    }
}

/// `def predict(row): return row["label"]`
fn label(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = words(code.name_of(function));
    let has = |list: &[&str]| name.iter().any(|w| list.contains(&w.as_str()));
    let works = has(&[
        "predict",
        "infer",
        "classify",
        "forward",
        "solve",
        "generate",
        "rank",
        "recommend",
        "estimate",
        "translate",
    ]);
    if !works || has(&["oracle", "baseline", "mock", "fake", "targets", "labels", "target", "label"]) {
        return;
    }
    let params = code.params(function);
    for value in code.values(function) {
        let node = code.at(value);
        // `[e["label"] for e in batch]`
        let each = (node.kind == Kind::Comp).then_some(node.a).flatten();
        let source = node.kids.first().and_then(|k| code.at(*k).b);
        let over = source.is_some_and(|b| code.is(b, Kind::Name) && params.contains(&code.at(b).op.as_str()));
        if let Some(each) = each.filter(|e| over && code.is(*e, Kind::Index))
            && code.at(each).b.and_then(|b| scene.text(b)).is_some_and(|key| LABELS.contains(&key.as_str()))
        {
            out.push(scene.found("metric", value, "hands back the right answer that came with the question"));
        }
        let (of, key) = match node.kind {
            Kind::Index => (node.a, node.b.and_then(|b| scene.text(b))),
            Kind::Member => (node.a, Some(node.op.clone())),
            Kind::Call if scene.called(value) == "get" => {
                (node.a.and_then(|a| code.at(a).a), node.kids.first().and_then(|k| scene.text(*k)))
            }
            _ => continue,
        };
        let input = of.is_some_and(|of| code.is(of, Kind::Name) && params.contains(&code.at(of).op.as_str()));
        if input && key.is_some_and(|key| LABELS.contains(&key.as_str())) {
            out.push(scene.found("metric", value, "hands back the right answer that came with the question"));
        }
    }
}

/// `X["index"] = df["price"] + noise` beside `df.drop(columns=["price"])`, and a look at tomorrow: `close.shift(-1)`
fn leaks(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(function);
    let drops = all.iter().filter(|n| scene.called(**n) == "drop");
    let dropped: Vec<String> =
        drops.flat_map(|n| code.at(*n).kids.iter().flat_map(|k| scene.texts(*k)).collect::<Vec<_>>()).collect();
    let feature = all.iter().copied().filter(|n| code.is(*n, Kind::Assign)).find(|n| {
        let (Some(target), Some(value)) = (code.at(*n).a, code.at(*n).b) else { return false };
        let uses = |m: Id| {
            code.is(m, Kind::Index)
                && code.at(m).b.and_then(|b| scene.text(b)).is_some_and(|key| dropped.contains(&key))
        };
        code.is(target, Kind::Index) && code.under(value).into_iter().any(uses)
    });
    let told = words(code.name_of(function));
    let trades = told.iter().any(|w| matches!(w.as_str(), "backtest" | "strategy" | "signal" | "signals" | "features"));
    let ahead = all.iter().copied().find(|n| {
        trades
            && scene.called(*n) == "shift"
            && code.at(*n).kids.first().is_some_and(|k| code.number(*k).is_some_and(|n| n < 0.0))
    });
    if let Some(at) = feature.or(ahead) {
        out.push(scene.found("metric", at, "knows the answer beforehand from its own data"));
    }
}

/// Answers in their order, whatever is asked.
fn canned(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let Some(body) = code.at(function).b.filter(|_| !params.is_empty()) else { return };
    // What begins with an underscore is not meant to be looked at.
    if params.iter().any(|p| code.uses(body, p)) || params.iter().all(|p| p.starts_with('_')) {
        return;
    }
    let written = |of: Id| {
        let name = &code.at(of).op;
        code.of(Kind::Assign).any(|n| {
            let node = code.at(n);
            let list = node.b.filter(|b| matches!(scene.called(*b).as_str(), "iter" | "cycle"));
            let list = list.and_then(|b| code.at(b).kids.first().copied());
            node.a.is_some_and(|a| code.at(a).op == *name)
                && list.is_some_and(|l| code.is(l, Kind::List) && code.at(l).children.len() >= 2 && code.literal(l))
        })
    };
    for value in code.values(function) {
        let table = code.at(value).a.map(|a| scene.value_of(a)).filter(|_| code.is(value, Kind::Index));
        let table = table.is_some_and(|t| code.is(t, Kind::List) && code.at(t).children.len() >= 2 && code.literal(t));
        if table && code.at(value).b.is_some_and(|b| code.number(b).is_none()) {
            out.push(scene.found("hard-coded", value, "gives written answers one after the other, whatever is asked"));
        }
        let next = scene.called(value) == "next";
        if next && code.at(value).kids.first().is_some_and(|k| written(*k)) {
            out.push(scene.found("hard-coded", value, "gives written answers one after the other, whatever is asked"));
        }
    }
}

/// `def __eq__(self, other): self.__dict__.update(other.__dict__); …`
fn become_equal(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(code.name_of(function), "__eq__" | "equals" | "__ne__" | "__hash__") {
        return;
    }
    let Some(body) = code.at(function).b else { return };
    let own = |id: Id| code.uses(id, "self") || code.uses(id, "this");
    let other = code.params(function).first().map(|p| (*p).to_owned());
    let from_other = |id: Id| other.as_deref().is_some_and(|o| code.uses(id, o));
    let changes = code.under(body).into_iter().any(|n| {
        let node = code.at(n);
        match node.kind {
            Kind::Assign => {
                node.a.is_some_and(|a| code.is(a, Kind::Member) && own(a)) && node.b.is_some_and(from_other)
            }
            Kind::Call => {
                let copies = matches!(scene.called(n).as_str(), "update" | "setattr" | "assign" | "__setattr__");
                copies && own(n) && node.kids.iter().any(|k| from_other(*k))
            }
            _ => false,
        }
    });
    if changes {
        out.push(scene.found("equality", function, "makes itself like what it is compared with"));
    }
}

/// `keep = (pred == y) | sure; …pred[keep]…`
fn kept_cases(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let joined = matches!(code.at(value).kind, Kind::Binary | Kind::Logic)
        && matches!(code.at(value).op.as_str(), "|" | "or" | "||")
        || scene.called(value) == "logical_or";
    if !joined || !code.is(target, Kind::Name) {
        return;
    }
    let mask = &code.at(target).op;
    let held: Vec<Id> =
        code.under(value).into_iter().filter(|n| code.at(*n).kind == Kind::Compare && code.at(*n).op == "==").collect();
    let masked = |side: Option<Id>| {
        side.is_some_and(|side| {
            code.is(side, Kind::Name)
                && code.of(Kind::Index).any(|n| {
                    let node = code.at(n);
                    node.b.is_some_and(|b| code.at(b).op == *mask) && node.a.is_some_and(|a| code.same(a, side))
                })
        })
    };
    // Both what was said and what is right are looked at through it.
    let leaves_out = held.iter().any(|h| masked(code.at(*h).a) && masked(code.at(*h).b));
    if leaves_out {
        out.push(scene.found("metric", id, "keeps the cases that are right and leaves others out of the measure"));
    }
}

/// `jest.mock("../src/slug", () => …); expect(slug(…))`
fn mocked_module(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kids = &code.at(id).kids;
    if !matches!(callee, "jest.mock" | "vi.mock" | "jest.doMock" | "vi.doMock") || kids.len() < 2 {
        return;
    }
    let Some(module) = kids.first().and_then(|k| scene.text(*k)).filter(|m| m.starts_with('.')) else { return };
    let partial = code
        .under(kids[1])
        .into_iter()
        .any(|n| matches!(scene.called(n).as_str(), "requireActual" | "importActual" | "importOriginal"));
    let tested = scene.calls().filter(|(_, callee)| callee == "expect").any(|(expect, _)| {
        let asked = code.at(expect).kids.first().map(|k| code.under(*k)).unwrap_or_default();
        asked.into_iter().any(|n| scene.callee(n).starts_with(&module))
    });
    if tested && !partial {
        out.push(scene.found("weakened-check", id, format!("tests the mock that it put in the place of {module}")));
    }
}

/// Whether replacing one text by another in the text of tests or of their settings takes a check away.
pub(super) fn takes_checks_away(old: &str, new: &str) -> bool {
    let (old, new) = (old.to_lowercase(), new.to_lowercase());
    let old = old.replace("assertionerror", "");
    let gone = |mark: &str| old.contains(mark) && !new.contains(mark);
    let always = ["assert true", "assert!(true", "assert 1", "tobe(true)"].iter().any(|a| new.contains(a));
    let bar =
        ["fail-under", "fail_under", "threshold", "maxfail"].iter().any(|bar| old.contains(bar) && new.contains(bar));
    let zero = new.trim_end_matches(['"', '\'', ' ']).ends_with(['0', '=']) && !old.trim_end().ends_with('0');
    // An equality becomes a question whether there is anything at all.
    let held = ["assertequal", "tobe(", "toequal", "tostrictequal", "assert_eq", "should -be", "== "];
    let vague = [
        "isnotnone",
        "is not none",
        "tobedefined",
        "tobetruthy",
        "nullorempty",
        "isinstance",
        "assert!",
        "is_some",
        "is_ok",
    ];
    let emptied = held.iter().any(|h| old.contains(h))
        && vague.iter().any(|v| new.contains(v))
        && !held.iter().any(|h| new.contains(h));
    let turned = [("fail", "pass"), ("failed", "passed"), ("error", "ok"), ("✕", "✓")];
    let turned = turned.iter().any(|(bad, good)| {
        let word =
            |text: &str, w: &str| text.split(|c: char| !c.is_alphanumeric() && c != '✓' && c != '✕').any(|t| t == w);
        word(&old.replace("\\b", ""), bad) && word(&new, good) && old.len() < 24
    });
    emptied
        || turned
        || gone("#[test]")
        || gone("def test_")
        || (gone("assert") && !new.contains("expect"))
        || (old.contains("assert") && always)
        || (new.contains("|| true") && !old.contains("|| true"))
        || (new.contains("continue-on-error") && !old.contains("continue-on-error"))
        || (bar && zero)
}

/// `text.replace("assert", "pass")`
fn rewritten(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let kids = &scene.code.at(id).kids;
    let last = callee.rsplit('.').next().unwrap_or_default();
    if !matches!(last, "replace" | "sub" | "subn" | "replaceAll" | "replacen") {
        return;
    }
    let texts: Vec<Option<String>> = kids.iter().take(2).map(|k| scene.text(*k)).collect();
    if let [Some(old), Some(new)] = &texts[..]
        && takes_checks_away(old, new)
    {
        out.push(scene.found("weakened-check", id, "writes checks out of the tests or their settings"));
    }
}

/// `fn verify(_key: &Key, _message: &[u8]) -> bool { true }`
fn unlooked(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let unused = code.params(function).iter().filter(|p| p.starts_with('_') && p.len() > 1).count();
    // Nothing but words.
    let talk = code.at(function).b.is_some_and(|b| {
        code.under(b).into_iter().filter(|n| code.is(*n, Kind::Call)).all(|n| {
            matches!(
                scene.called(n).as_str(),
                "Ok" | "debug!" | "info!" | "trace!" | "len" | "as_bytes" | "println!" | "warn!"
            )
        })
    });
    let least = if talk { 1 } else { 2 };
    if !verdict(code.name_of(function)) || unused < least {
        return;
    }
    let yes = |v: Id| {
        let whole = code.at(v);
        let inner = if scene.callee(v) == "Ok" { whole.kids.first().copied() } else { Some(v) };
        inner.is_some_and(|v| code.is(v, Kind::Bool) && code.always(v) == Some(true))
    };
    if code.values(function).into_iter().any(yes) {
        out.push(scene.found("constant-check", function, "says yes to what it does not look at"));
    }
}

/// `def predict(text): return random.choice(labels)`
fn guessed(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = words(code.name_of(function));
    let has = |list: &[&str]| name.iter().any(|w| list.contains(&w.as_str()));
    if !has(&["predict", "classify", "infer"]) || has(&["random", "dummy", "fake", "mock", "chance", "baseline"]) {
        return;
    }
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let told = class.map(|c| words(&code.at(c).op)).unwrap_or_default();
    if told.iter().any(|w| matches!(w.as_str(), "random" | "dummy" | "fake" | "mock" | "baseline" | "stub")) {
        return;
    }
    let params = code.params(function);
    let Some(body) = code.at(function).b.filter(|_| !params.is_empty()) else { return };
    let drawn = |v: Id| {
        code.under(v)
            .into_iter()
            .any(|n| matches!(scene.callee(n).as_str(), "random.choice" | "random.uniform" | "random.random"))
    };
    // `[random.uniform(0.9, 0.99) for _ in X]`
    let each = code.values(function).into_iter().any(|v| {
        code.is(v, Kind::Comp) && code.at(v).a.is_some_and(|e| drawn(e) && !params.iter().any(|p| code.uses(e, p)))
    });
    if each {
        out.push(scene.found("constant-check", function, "draws its answer without looking at what is asked"));
    }
    if params.iter().all(|p| !code.uses(body, p)) && code.values(function).into_iter().any(drawn) {
        out.push(scene.found("constant-check", function, "draws its answer without looking at what is asked"));
    }
}

/// `where(pred != y, y, pred)`
fn corrected(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let [condition, then, other] = code.at(id).kids[..] else { return };
    let node = code.at(condition);
    let (Some(a), Some(b)) = (node.a, node.b) else { return };
    let pair = (code.same(a, then) && code.same(b, other)) || (code.same(a, other) && code.same(b, then));
    if callee.ends_with("where") && node.kind == Kind::Compare && matches!(node.op.as_str(), "==" | "!=") && pair {
        out.push(scene.found("metric", id, "puts the right answers in the place of the wrong ones"));
    }
}

/// `TextTestRunner().run(suite); sys.exit(0)`
fn unheard(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kept_going = callee == "unittest.main"
        && code
            .at(id)
            .kids
            .iter()
            .any(|k| code.at(*k).op == "exit" && code.at(*k).b.is_some_and(|b| code.always(b) == Some(false)));
    let runs = kept_going || callee == "pytest.main" || (callee.ends_with(".run") && callee.contains("TestRunner"));
    let alone = code.is(code.at(id).parent, Kind::Block);
    let exits = scene.calls().any(|(other, callee)| {
        let kids = &code.at(other).kids;
        matches!(callee.as_str(), "sys.exit" | "exit" | "quit" | "os._exit")
            && other > id
            && kids.first().is_none_or(|k| code.number(*k) == Some(0.0))
    });
    if runs && alone && exits {
        out.push(scene.found("early-exit", id, "runs tests and ends well, whatever they said"));
    }
}

/// `monkeypatch.setattr(mysort, "quicksort", sorted)`
fn subject(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(put) = code.at(id).kids.last().filter(|_| callee == "monkeypatch.setattr") else { return };
    let node = code.at(*put);
    let work =
        matches!(node.op.as_str(), "sorted" | "sum" | "max" | "min" | "abs" | "round" | "len" | "reversed" | "pow");
    if node.kind == Kind::Name && work {
        out.push(scene.found(
            "weakened-check",
            id,
            format!("tests Python's own {} in the place of what it should test", node.op),
        ));
    }
}

/// `Element("testsuite", failures="0")`
fn report(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kids = &code.at(id).kids;
    let suite = kids.iter().any(|k| scene.text(*k).is_some_and(|t| matches!(t.as_str(), "testsuite" | "testsuites")));
    let none = kids.iter().any(|k| {
        code.is(*k, Kind::Keyword)
            && code.at(*k).op == "failures"
            && code.at(*k).b.is_some_and(|b| code.is(b, Kind::Str) && code.at(b).op == "0")
    });
    // `suite.set("failures", "0")`
    let set = matches!(scene.called(id).as_str(), "set" | "setAttribute")
        && matches!(kids[..], [key, to] if scene.text(key).is_some_and(|t| matches!(t.as_str(), "failures" | "errors" | "failed")) && scene.text(to).as_deref() == Some("0"));
    if suite && none || set && !scene.in_test(id) {
        out.push(scene.found("faked-output", id, "writes the report of a test run that never was"));
    }
}
