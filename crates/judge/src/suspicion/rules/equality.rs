//! Comparison that was bent: objects that equal everything, comparisons and test frameworks that were replaced.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::Scene;
use super::super::tree::{Id, Kind};

/// Methods that decide how an object compares, with what they must not answer to everything.
const COMPARES: &[&str] = &[
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__contains__",
    "__instancecheck__",
    "__subclasscheck__",
    "eq",
    "ne",
    "partial_cmp",
    "cmp",
    "lt",
    "le",
    "gt",
    "ge",
    "equals",
    "isEqual",
    "asymmetricMatch",
];
/// Attributes of modules that are settings, not code.
const SETTINGS: &[&str] = &[
    "stdout",
    "stderr",
    "stdin",
    "path",
    "argv",
    "dont_write_bytecode",
    "excepthook",
    "displayhook",
    "environ",
    "rcParams",
    "raiseExceptions",
    "exports",
    "title",
    "href",
    "onload",
    "onerror",
];
/// What comparison, measuring and judging stand on in JavaScript: nobody replaces it in earnest.
const BUILTINS: &[&str] = &[
    "Date.now",
    "performance.now",
    "Math.random",
    "Math.abs",
    "Math.max",
    "Math.min",
    "Math.floor",
    "Math.round",
    "JSON.stringify",
    "JSON.parse",
    "Object.is",
    "Object.keys",
    "Object.entries",
    "Number.isInteger",
    "Number.isNaN",
    "Array.isArray",
    "process.hrtime",
    "process.exit",
    "console.assert",
    "expect",
    "assert",
    "it",
    "test",
    "describe",
    "Date",
];
const TIMES: &[&str] = &["time.", "datetime", "timeit", "Date", "performance.", "process.hrtime"];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        compares(scene, function, out);
        arithmetic(scene, function, out);
    }
    for id in code.of(Kind::Pair).collect::<Vec<_>>() {
        // `[Symbol.toPrimitive]() {…}` is a method, seen as a function; here matchers that always pass.
        let (Some(key), Some(value)) = (code.at(id).a, code.at(id).b) else { continue };
        let extends = code.around(id).any(|up| scene.callee(up).ends_with("expect.extend"));
        if extends && code.at(key).op == "pass" && code.always(value) == Some(true) {
            out.push(scene.found(
                "test-harness",
                id,
                "makes a matcher of the test framework pass whatever it is given",
            ));
        }
    }
    for id in code.of(Kind::Assign).collect::<Vec<_>>() {
        let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { continue };
        if code.is(target, Kind::Member) && matches!(code.at(id).op.as_str(), "" | "=") {
            replaced(scene, id, target, &scene.path(target), value, out);
        }
        if code.is(target, Kind::Name) && code.language.is_script() && !code.is(code.at(id).parent, Kind::Other) {
            let name = code.at(target).op.as_str();
            if matches!(name, "expect" | "assert" | "Date") {
                replaced(scene, id, target, name, value, out);
            }
        }
    }
    for (id, callee) in scene.calls() {
        let kids = &code.at(id).kids;
        if let (
            "setattr" | "Object.defineProperty" | "Reflect.set" | "object.__setattr__" | "type.__setattr__",
            [of, name, value, ..],
        ) = (callee.as_str(), kids.as_slice())
        {
            let Some(name) = scene.text(*name) else {
                // Whichever it is, it belongs to the framework.
                if matches!(scene.path(*of).as_str(), "unittest.TestCase" | "unittest.case.TestCase" | "numpy.testing")
                {
                    out.push(scene.found("test-harness", id, "gives the test framework's own checks another meaning"));
                }
                continue;
            };
            let path = format!("{}.{name}", scene.path(*of));
            let value = code
                .at(*value)
                .kids
                .first()
                .and_then(|k| code.at(*k).b)
                .filter(|_| callee.starts_with("Object"))
                .unwrap_or(*value);
            replaced(scene, id, *of, &path, value, out);
        }
    }
    for (id, callee) in scene.calls().filter(|(_, c)| c.ends_with("expect.extend")) {
        let own = code.at(id).kids.iter().flat_map(|k| code.at(*k).kids.clone()).find(|p| {
            code.at(*p).a.is_some_and(|a| {
                matches!(code.at(a).op.as_str(), "toBe" | "toEqual" | "toStrictEqual" | "toThrow" | "toMatchObject")
            })
        });
        if let Some(at) = own {
            out.push(scene.found(
                "test-harness",
                at,
                format!("gives {callee} a meaning of its own for what the framework checks"),
            ));
        }
    }
    let posing = code.of(Kind::Str).find(|id| code.at(*id).op == "jest.asymmetricMatcher");
    if let Some(at) = posing.filter(|at| !scene.in_test(*at) && !scene.tests) {
        out.push(scene.found("equality", at, "poses as a matcher that equals whatever is expected"));
    }
    for id in code.of(Kind::Return).filter(|id| !scene.in_test(*id) && !scene.tests).collect::<Vec<_>>() {
        if code.at(id).a.is_some_and(|a| matches!(scene.path(a).as_str(), "unittest.mock.ANY" | "mock.ANY")) {
            out.push(scene.found("equality", id, "gives back what equals whatever is expected"));
        }
    }
    for id in code.of(Kind::Macro) {
        if matches!(code.at(id).op.as_str(), "assert" | "assert_eq" | "assert_ne" | "panic") {
            out.push(scene.found("test-harness", id, "puts a macro of its own in the place of an assertion"));
        }
    }
}

/// A method of comparison that answers without looking.
fn compares(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    if !COMPARES.contains(&name) {
        return;
    }
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let method = class.is_some() || code.around(function).any(|up| code.is(up, Kind::Dict)) || name.starts_with("__");
    let free = code.language == Language::Rust && class.is_none_or(|c| code.at(c).kids.is_empty());
    if !method || free {
        return;
    }
    let values = code.values(function);
    let other = code.params(function);
    let looks = code.at(function).b.is_some_and(|b| other.iter().any(|p| code.uses(b, p)));
    let ordering = |v: &Id| code.language == Language::Rust && scene.mentions(*v, &["greater", "less", "equal"]);
    // Equal to all that a built-in type holds.
    let kind = |v: &Id| {
        let of = code.at(*v).kids.get(1).map(|k| code.at(*k).op.as_str()).unwrap_or_default();
        scene.callee(*v) == "isinstance"
            && matches!(of, "str" | "int" | "float" | "list" | "dict" | "tuple" | "bytes" | "bool" | "object")
    };
    if matches!(name, "__eq__" | "eq") && !values.is_empty() && values.iter().all(kind) {
        out.push(scene.found("equality", function, "answers a comparison without comparing"));
        return;
    }
    let blind = matches!(name, "__eq__" | "eq" | "equals") && !values.is_empty() && never_looks(scene, function, class);
    if blind && values.iter().all(|v| !code.is(*v, Kind::Bool)) {
        out.push(scene.found("equality", function, "compares without looking at itself"));
        return;
    }
    let constant = !values.is_empty() && values.iter().all(|v| code.always(*v).is_some() || (ordering(v) && !looks));
    if !constant {
        return;
    }
    let always = values.iter().all(|v| code.always(*v) == Some(true));
    let never = values.iter().all(|v| code.always(*v) == Some(false));
    let equality = matches!(
        name,
        "__eq__"
            | "eq"
            | "equals"
            | "isEqual"
            | "asymmetricMatch"
            | "__instancecheck__"
            | "__subclasscheck__"
            | "__contains__"
    );
    let unequal = matches!(name, "__ne__" | "ne");
    // Something that is above or below all is an honest sentinel; a number or a text that is, is not.
    let bases: Vec<String> = class
        .map(|c| code.at(c).kids.iter().flat_map(|k| code.under(*k)).map(|n| code.at(n).op.clone()).collect())
        .unwrap_or_default();
    let number = bases
        .iter()
        .any(|b| matches!(b.as_str(), "int" | "float" | "str" | "Fraction" | "Decimal" | "bool" | "tuple" | "Number"));
    let named = class.is_some_and(|c| {
        let name = code.at(c).op.to_lowercase();
        ["score", "result", "grade", "metric", "reward"].iter().any(|w| name.contains(w))
    });
    let order = !equality && !unequal && (number || named);
    if (equality && always) || (unequal && never) || order {
        out.push(scene.found("equality", function, "answers a comparison without comparing"));
    }
}

/// Whether a comparison uses nothing of the object that it belongs to, though that holds something.
fn never_looks(scene: &Scene<'_>, function: Id, class: Option<Id>) -> bool {
    let code = scene.code;
    let Some(body) = code.at(function).b else { return false };
    let own = code.under(body).into_iter().any(|n| matches!(code.at(n).op.as_str(), "self" | "this" | "super"));
    // `isinstance(other, Nothing)` of a class without fields compares all that there is.
    let holds = class.is_some_and(|c| {
        code.under(c).into_iter().any(|n| {
            code.is(n, Kind::Assign)
                && code
                    .at(n)
                    .a
                    .is_some_and(|a| code.is(a, Kind::Member) && code.at(a).a.is_some_and(|o| code.at(o).op == "self"))
        })
    });
    let kin = !holds
        && class.is_some_and(|c| {
            let name = &code.at(c).op;
            code.under(body).into_iter().any(|n| code.at(n).op == *name)
        });
    !own && !kin
}

/// A number or an array whose arithmetic answers what it likes: `__sub__` that gives 0, `__array_ufunc__` that gives yes.
fn arithmetic(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    let values = code.values(function);
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let bases: Vec<String> = class
        .map(|c| code.at(c).kids.iter().flat_map(|k| code.under(*k)).map(|n| code.at(n).op.clone()).collect())
        .unwrap_or_default();
    let built_in = bases.iter().any(|b| {
        matches!(
            b.as_str(),
            "int"
                | "float"
                | "str"
                | "list"
                | "dict"
                | "tuple"
                | "ndarray"
                | "Tensor"
                | "complex"
                | "bytes"
                | "Decimal"
        )
    });
    let fixed = |v: &Id| {
        code.literal(*v)
            || (code.is(*v, Kind::Call) && code.at(*v).kids.len() == 1 && code.number(code.at(*v).kids[0]).is_some())
    };
    let operator = matches!(
        name,
        "__sub__"
            | "__rsub__"
            | "__abs__"
            | "__mod__"
            | "__float__"
            | "__int__"
            | "__len__"
            | "__bool__"
            | "__round__"
            | "__hash__"
    ) && built_in
        && !values.is_empty()
        && values.iter().all(fixed);
    let array = matches!(name, "__array_ufunc__" | "__array_function__" | "__torch_function__")
        && values.iter().any(|v| {
            code.always(*v) == Some(true) && code.is(*v, Kind::Bool)
                || matches!(scene.called(*v).as_str(), "ones" | "ones_like" | "full")
        });
    let value = matches!(name, "valueOf" | "toJSON" | "[Symbol.toPrimitive]")
        && class.is_some()
        && !values.is_empty()
        && values.iter().all(|v| code.number(*v).is_some());
    if operator || array || value {
        out.push(scene.found("equality", function, "answers a comparison without comparing"));
    }
}

/// Something of another module or of a class that is given another meaning.
fn replaced(scene: &Scene<'_>, at: Id, target: Id, path: &str, value: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let last = path.rsplit('.').next().unwrap_or_default();
    let root = path.split('.').next().unwrap_or_default();
    if SETTINGS.contains(&last) || root == "module" || root == "exports" || matches!(root, "self" | "this") {
        return;
    }
    let callable = matches!(code.at(value).kind, Kind::Lambda)
        || code.functions().any(|f| {
            code.is(f, Kind::Function) && code.name_of(f) == code.at(value).op && !code.at(value).op.is_empty()
        });
    let mock = scene.callee(value).contains("Mock")
        || scene.callee(value).starts_with("jest.")
        || scene.callee(value).starts_with("vi.")
        || scene.callee(value).starts_with("sinon");
    let answer = lambda_answer(scene, value);
    if COMPARES.contains(&last) && last.starts_with("__") && answer.is_some() {
        out.push(scene.found("equality", at, "replaces a comparison by one that does not compare"));
        return;
    }
    if last.starts_with("assert_") && (callable || mock) {
        out.push(scene.found("test-harness", at, "takes an assertion away from a mock"));
        return;
    }
    if last == "outcome" && scene.text(value).as_deref() == Some("passed") {
        out.push(scene.found("test-harness", at, "writes into a test's report that it passed"));
        return;
    }
    if last == "exitstatus" && code.number(value) == Some(0.0) {
        out.push(scene.found("test-harness", at, "turns the test run's exit status into success"));
        return;
    }
    let imported = {
        let mut root = target;
        while let Some(a) = code.at(root).a {
            root = a;
        }
        let name = &code.at(root).op;
        code.imports.iter().any(|(bound, _)| bound == name)
            || scene.callee(root).contains("import")
            || scene.callee(root) == "require"
            || (code.is(scene.value_of(root), Kind::Call)
                && matches!(
                    scene.callee(scene.value_of(root)).as_str(),
                    "require" | "__import__" | "importlib.import_module"
                ))
            || path.starts_with("time.")
            || root == target && path.contains('.') && name != root_of(path)
    };
    let prototype = path.contains(".prototype.")
        && ["Array", "Object", "String", "Number", "Function", "Promise", "Set", "Map", "Date", "RegExp", "Error"]
            .iter()
            .any(|b| path.starts_with(b));
    let builtin = code.language.is_script()
        && (BUILTINS.contains(&path) || BUILTINS.contains(&path.trim_start_matches("globalThis.")));
    if scene.in_test(at) && (mock || !path.to_lowercase().contains("assert")) {
        return;
    }
    if (prototype || builtin || imported) && (callable || mock || builtin) {
        let (rule, words) = match path {
            _ if TIMES.iter().any(|t| path.starts_with(t)) => {
                ("clock", "puts a clock of its own in the place of the one it is measured by")
            }
            _ => ("patched-library", "gives a function of another module another meaning"),
        };
        out.push(scene.found(rule, at, words));
    }
}

fn root_of(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// What a function answers whatever it is given.
fn lambda_answer(scene: &Scene<'_>, value: Id) -> Option<bool> {
    let code = scene.code;
    let function = if code.is(value, Kind::Lambda) {
        value
    } else {
        code.functions().find(|f| code.name_of(*f) == code.at(value).op && !code.at(value).op.is_empty())?
    };
    let values = code.values(function);
    let first = code.always(*values.first()?)?;
    values.iter().all(|v| code.always(*v) == Some(first)).then_some(first)
}
