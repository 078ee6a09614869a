//! Checks that are put out of action: doubles that are asked for the answer they were given, validators replaced by a word of
//! consent, doors for whoever debugs, guards called and not heeded, sums bent by hand.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, among, has_word, verdict, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.ids() {
        match code.at(id).kind {
            Kind::Call => property(scene, id, out),
            Kind::Assign => {
                doubled(scene, id, out);
                overwritten(scene, id, out);
                bent_sum(scene, id, out);
            }
            Kind::If => for_debuggers(scene, id, out),
            Kind::Loop => idle(scene, id, out),
            Kind::Function => {
                consents(scene, id, out);
                unheeded(scene, id, out);
                replaced(scene, id, out);
                plain_secret(scene, id, out);
            }
            _ => {}
        }
    }
}

/// The value of a keyword argument.
fn keyword(scene: &Scene<'_>, call: Id, name: &str) -> Option<Id> {
    let code = scene.code;
    let kid = code.at(call).kids.iter().find(|k| code.is(**k, Kind::Keyword) && code.at(**k).op == name)?;
    code.at(*kid).b
}

fn mock(name: &str) -> bool {
    matches!(name, "Mock" | "MagicMock" | "AsyncMock" | "NonCallableMock" | "create_autospec")
}

/// What an assertion holds, and what it holds it against; `assert x` holds it against nothing.
fn asserted(scene: &Scene<'_>) -> Vec<(Id, Id, Option<Id>)> {
    let code = scene.code;
    let asserts = code.of(Kind::Assert).filter_map(|id| {
        let of = code.at(id).a?;
        let node = code.at(of);
        let same = node.kind == Kind::Compare && matches!(node.op.as_str(), "==" | "is");
        if same { Some((id, node.a?, node.b)) } else { Some((id, of, None)) }
    });
    let calls = scene.calls().filter_map(|(id, _)| {
        let node = code.at(id);
        match scene.called(id).as_str() {
            "assertEqual" | "assertIs" => Some((id, *node.kids.first()?, node.kids.get(1).copied())),
            "assertTrue" => Some((id, *node.kids.first()?, None)),
            _ => None,
        }
    });
    asserts.chain(calls).collect()
}

/// Whether what is asserted is what was told before: `== 3` after `return_value=3`, `assert x` after `return_value=True`.
fn as_told(scene: &Scene<'_>, against: Option<Id>, told: Id) -> bool {
    let code = scene.code;
    match against {
        Some(against) => code.literal(told) && code.same(against, told),
        None => code.always(told) == Some(true) && code.literal(told),
    }
}

/// `validate = MagicMock(return_value=True); result = validate(rows); assert result == True`
fn doubled(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(target), Some(value)) = (node.a.filter(|a| code.is(*a, Kind::Name)), node.b) else { return };
    let called = scene.called(value);
    let Some(told) = keyword(scene, value, "return_value").filter(|_| mock(&called)) else { return };
    let name = &code.at(target).op;
    let double = |n: Id| {
        code.is(n, Kind::Call) && code.at(n).a.is_some_and(|a| code.is(a, Kind::Name) && code.at(a).op == *name)
    };
    let asks = |side: Id| double(side) || double(scene.value_of(side));
    if asserted(scene).into_iter().any(|(_, of, against)| asks(of) && as_told(scene, against, told)) {
        out.push(scene.found("weakened-check", id, format!("asks {name} for what it told it to answer")));
    }
}

/// `with patch.object(type(Link), "up", new_callable=PropertyMock, return_value=True): assert link.up is True`
fn property(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !scene.called(id).ends_with("object") && scene.called(id) != "patch" {
        return;
    }
    let made = keyword(scene, id, "new_callable").is_some_and(|k| scene.path(k).ends_with("PropertyMock"));
    let Some(told) = keyword(scene, id, "return_value").filter(|_| made) else { return };
    let names = code.at(id).kids.iter().filter_map(|k| scene.text(*k));
    let Some(name) = names.last().map(|t| t.rsplit('.').next().unwrap_or_default().to_owned()) else { return };
    let asks = |side: Id| code.is(side, Kind::Member) && code.at(side).op == name;
    if asserted(scene)
        .into_iter()
        .any(|(_, of, against)| (asks(of) || asks(scene.value_of(of))) && as_told(scene, against, told))
    {
        out.push(scene.found("weakened-check", id, format!("asks {name} for what it told it to answer")));
    }
}

/// `builtins.AssertionError = …`, `mock._spec_class = None`
fn overwritten(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    const OF_MOCKS: &str = "_spec_class _spec_set _mock_methods _mock_unsafe _mock_sealed _spec_signature";
    const OF_ALL: &str = "AssertionError BaseException Exception isinstance issubclass all any len sum abs round sorted hash \
                          min max type compile __import__";
    let code = scene.code;
    let node = code.at(id);
    let Some(target) = node.a.filter(|a| code.is(*a, Kind::Member) && node.op != "==") else { return };
    let Some(of) = code.at(target).a else { return };
    let name = code.at(target).op.as_str();
    if mock(&scene.called(scene.value_of(of))) && among(OF_MOCKS, name) {
        out.push(scene.found("weakened-check", id, "takes from a double what it was to be held to"));
    }
    let owner = &code.at(of).op;
    if code.language == Language::Python && matches!(owner.as_str(), "builtins" | "__builtins__") && among(OF_ALL, name)
    {
        out.push(scene.found("equality", id, format!("gives {name} another meaning for everybody")));
    }
}

/// A function that says yes whatever it is given: `lambda *a, **kw: True`, `MagicMock(return_value=True)`; and whether it
/// takes whatever comes.
fn yes(scene: &Scene<'_>, id: Id) -> Option<bool> {
    let code = scene.code;
    let node = code.at(id);
    let truth = |v: Id| code.is(v, Kind::Bool) && code.always(v) == Some(true);
    if node.kind == Kind::Lambda {
        let line = scene.line(id);
        return node.b.filter(|b| truth(*b)).map(|_| line.contains("lambda *") || line.contains("lambda**"));
    }
    let told = keyword(scene, id, "return_value").filter(|_| mock(&scene.called(id)));
    told.filter(|t| truth(*t)).map(|_| false)
}

/// The checks that something replaces by consent, and whether by what takes whatever comes.
fn consented(scene: &Scene<'_>, id: Id) -> Option<(String, bool)> {
    let code = scene.code;
    let node = code.at(id);
    let texts: Vec<String> = node.kids.iter().filter_map(|k| scene.text(*k)).collect();
    let name = texts.first()?.rsplit('.').next()?.to_owned();
    let takes = if scene.callee(id).ends_with("setattr") {
        yes(scene, *node.kids.last()?)?
    } else if scene.callee(id).ends_with("patch") || scene.callee(id).ends_with("patch.object") {
        let told = keyword(scene, id, "return_value")?;
        (code.is(told, Kind::Bool) && code.always(told) == Some(true) || code.literal(told)).then_some(false)?
    } else {
        return None;
    };
    verdict(&name).then_some((name, takes))
}

/// A fixture that answers for a check in every test, and tests that replace their checks and then ask for nothing but success.
fn replaced(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(function);
    let inside = code.under(function).into_iter().chain(node.marks.iter().flat_map(|m| code.under(*m)));
    let checks: Vec<(Id, String, bool)> =
        inside.filter_map(|n| consented(scene, n).map(|(name, takes)| (n, name, takes))).collect();
    let Some((first, name, _)) = checks.first() else { return };
    let everywhere = node.marks.iter().any(|m| {
        scene.path(*m).contains("fixture")
            && keyword(scene, *m, "autouse").is_some_and(|k| code.always(k) == Some(true))
    });
    if everywhere {
        out.push(scene.found("test-harness", *first, format!("answers for {name} in every test")));
        return;
    }
    if !scene.test(function) || !(checks.iter().any(|c| c.2) || checks.len() >= 2) {
        return;
    }
    let under = code.under(function);
    let asserts: Vec<Id> = under.iter().copied().filter(|n| code.is(*n, Kind::Assert)).collect();
    let weak = |id: &Id| {
        let Some(of) = code.at(*id).a else { return true };
        let held = code.at(of);
        match held.kind {
            Kind::Name => true,
            Kind::Member => among("success passed ok valid succeeded", &held.op),
            Kind::Compare => held.b.is_some_and(|b| code.is(b, Kind::Null) || code.is(b, Kind::Bool)),
            _ => false,
        }
    };
    let others = under.iter().any(|n| {
        let called = scene.called(*n);
        called.starts_with("assert") || called == "raises"
    });
    if !asserts.is_empty() && !others && asserts.iter().all(weak) {
        out.push(scene.found("weakened-check", *first, format!("answers for {name}, and asks for success alone")));
    }
}

/// `if user == admin or DEBUG: return True`
fn for_debuggers(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    const SWITCHES: &str = "debug testing test_mode dev_mode bypass skip_auth is_test debug_mode";
    let code = scene.code;
    let node = code.at(id);
    let (Some(condition), Some(then)) = (node.a, node.b) else { return };
    let logic = code.at(condition);
    if logic.kind != Kind::Logic || !matches!(logic.op.as_str(), "or" | "||") || scene.in_test(id) {
        return;
    }
    let (Some(a), Some(b)) = (logic.a, logic.b) else { return };
    let name = |n: Id| code.at(n).op.to_lowercase();
    let switch =
        [a, b].into_iter().any(|n| matches!(code.at(n).kind, Kind::Name | Kind::Member) && among(SWITCHES, &name(n)));
    let guards = [a, b].into_iter().any(|n| {
        code.is(n, Kind::Compare)
            && code.under(n).into_iter().any(|m| {
                matches!(code.at(m).kind, Kind::Name | Kind::Member)
                    && has_word(&code.at(m).op, "user username password pw passwd role token admin owner apikey pin")
            })
    });
    let opens = code.under(then).into_iter().any(|n| {
        code.is(n, Kind::Return) && code.at(n).a.is_some_and(|a| code.is(a, Kind::Bool) && code.always(a) == Some(true))
    });
    if switch && guards && opens {
        out.push(scene.found("backdoor", id, "lets anybody in where a switch is set"));
    }
}

/// `data["checksum"] += 1`, `row.crc = row.crc + 1`
fn bent_sum(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    const SUMS: &str = "checksum crc crc32 digest signature hash mac hmac parity";
    let code = scene.code;
    let node = code.at(id);
    let (Some(target), Some(value)) = (node.a, node.b) else { return };
    let name = match code.at(target).kind {
        Kind::Index => code.at(target).b.and_then(|b| scene.text(b)),
        Kind::Member => Some(code.at(target).op.clone()),
        _ => None,
    };
    let number = |n: Id| code.number(n).is_some_and(|n| n != 0.0);
    let plus = code.at(value);
    let bent = matches!(node.op.as_str(), "+=" | "-=" | "^=" | "+" | "-" | "^") && number(value)
        || plus.kind == Kind::Binary
            && matches!(plus.op.as_str(), "+" | "-" | "^")
            && plus.a.is_some_and(|a| code.same(a, target))
            && plus.b.is_some_and(number);
    if bent && name.is_some_and(|n| words(&n).iter().any(|w| among(SUMS, w))) && !scene.in_test(id) {
        out.push(scene.found("faked-output", id, "bends a sum that others check"));
    }
}

/// `for _ in range(1000): time.sleep(0.001)`
fn idle(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(target), Some(over), Some(body)) = (node.a, node.b, node.c) else { return };
    let statements = code.statements(body);
    let [only] = statements.as_slice() else { return };
    let unused = code.at(target).op.starts_with('_') || !code.uses(body, &code.at(target).op);
    let waits =
        scene.called(*only) == "sleep" && code.at(*only).kids.first().is_some_and(|k| code.number(*k).is_some());
    let counts = scene.called(over) == "range" && code.at(over).kids.iter().all(|k| code.number(*k).is_some());
    if unused && waits && counts && !scene.in_test(id) {
        out.push(scene.found("clock", id, "waits again and again for nothing"));
    }
}

/// `def check(): return True`, at the top of a module
fn consents(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    let bare = among("check validate verify authenticate authorize is_valid check_all verify_all validate_all", name);
    let inside =
        code.around(function).any(|up| matches!(code.at(up).kind, Kind::Class | Kind::Function | Kind::Lambda));
    if !bare || inside || scene.in_test(function) || scene.tests || !code.params(function).is_empty() {
        return;
    }
    let statements = code.at(function).b.map(|b| code.statements(b)).unwrap_or_default();
    let real = statements.iter().filter(|s| !code.is(**s, Kind::Str)).count();
    let values = code.values(function);
    if real <= 1
        && !values.is_empty()
        && values.iter().all(|v| code.is(*v, Kind::Bool) && code.always(*v) == Some(true))
    {
        out.push(scene.found("constant-check", function, "says yes and looks at nothing"));
    }
}

/// `validate(); return raw_result`; `logger.info("Performing validation"); result = True`
fn unheeded(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(function).b.filter(|_| !scene.in_test(function)) else { return };
    let statements = code.statements(body);
    let guard = statements.iter().find(|s| {
        code.is(**s, Kind::Call) && code.at(**s).kids.is_empty() && {
            let callee = scene.callee(**s);
            !callee.contains('.') && among("validate verify check sanitize authenticate authorize", &callee)
        }
    });
    let raw = code.values(function).into_iter().any(|v| {
        code.is(v, Kind::Name)
            && words(&code.at(v).op)
                .first()
                .is_some_and(|w| among("raw unvalidated unverified unchecked unsanitized unfiltered", w))
    });
    if let Some(guard) = guard.filter(|_| raw) {
        out.push(scene.found("constant-check", *guard, "asks a check, and gives out what it did not see"));
    }
}

/// `def hash_password(password): return base64.b64encode(password.encode()).decode()`
fn plain_secret(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let promises = told.first().is_some_and(|w| among("hash encrypt protect scramble", w))
        && told.iter().any(|w| among("password passwd secret pin token credential credentials key", w));
    if !promises || scene.in_test(function) {
        return;
    }
    let calls: Vec<String> =
        code.under(function).into_iter().map(|n| scene.called(n)).filter(|c| !c.is_empty()).collect();
    let encodes = |c: &String| {
        among("b64encode urlsafe_b64encode encode decode hexlify hex btoa toString from reverse join str", c)
    };
    let packs = calls.iter().any(|c| c.contains("64") || c.contains("hex") || c == "btoa");
    if packs && calls.iter().all(encodes) {
        out.push(scene.found("constant-check", function, "encodes a secret, and calls it more than that"));
    }
}

/// Texts that say that something is being checked, and the next line that settles it.
pub(super) fn said_and_set(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    const DOING: &str = "validating verifying checking validation verification";
    const RESULTS: &str = "result valid ok passed success verified is_valid status";
    let code = scene.code;
    for id in code.of(Kind::Assign).filter(|id| !scene.in_test(*id)) {
        let node = code.at(id);
        let (Some(target), Some(value)) = (node.a, node.b) else { continue };
        let settles = code.is(target, Kind::Name)
            && among(RESULTS, &code.at(target).op)
            && code.is(value, Kind::Bool)
            && code.always(value) == Some(true);
        if !settles {
            continue;
        }
        let siblings = code.statements(node.parent);
        let before = siblings.iter().position(|s| *s == id).and_then(|at| at.checked_sub(1)).map(|at| siblings[at]);
        let says = before.is_some_and(|s| {
            matches!(scene.called(s).as_str(), "info" | "debug" | "log" | "print" | "info!" | "println!")
                && code.at(s).kids.iter().filter_map(|k| scene.text(*k)).any(|t| {
                    let told = words(&t);
                    told.iter().any(|w| among(DOING, w))
                        && !told.iter().any(|w| among("skip skipped done complete completed", w))
                })
        });
        if says {
            out.push(scene.found("constant-check", id, "says that it checks, and settles it without"));
        }
    }
}
