//! Work that leaves out what it is for: keys and right answers that are not looked at, problems that are gathered and dropped,
//! failures that are passed over and told as none, kernels that are never started.

use super::super::Finding;
use super::super::scene::{Scene, error_measure, verdict, words};
use super::super::tree::{Id, Kind};
use super::theatre::{claims, fields, returned};

/// What a check or a cipher is given to look at.
const NEEDED: &[&str] = &[
    "gold",
    "expected",
    "reference",
    "signature",
    "key",
    "secret",
    "ground_truth",
    "want",
    "truth",
    "checksum",
    "digest",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) || scene.tests {
            continue;
        }
        ignored(scene, function, out);
        vague(scene, function, out);
        dropped(scene, function, out);
        passed_over(scene, function, out);
        faultless(scene, function, out);
        never_started(scene, function, out);
        never_made(scene, function, out);
    }
}

/// Whether a body is one that others are to fill.
pub(super) fn open(scene: &Scene<'_>, function: Id) -> bool {
    let code = scene.code;
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let named = class.into_iter().flat_map(|c| words(&code.at(c).op)).chain(words(code.name_of(function))).any(|w| {
        matches!(
            w.as_str(),
            "base"
                | "abstract"
                | "null"
                | "noop"
                | "dummy"
                | "fake"
                | "stub"
                | "mock"
                | "identity"
                | "plain"
                | "none"
                | "format"
                | "length"
                | "style"
                | "syntax"
                | "latency"
                | "exact"
                | "lossless"
                | "perfect"
                | "protocol"
                | "interface"
        )
    });
    let raises = code.at(function).b.is_none_or(|b| {
        code.statements(b).iter().all(|s| matches!(code.at(*s).kind, Kind::Raise | Kind::Pass | Kind::Str))
    });
    named || raises
}

/// `def encrypt(text, key): return base64(text)`, `def math_reward(answer, gold): return len(answer) / 300`
fn ignored(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    let told = words(name);
    let seals = told.first().is_some_and(|w| matches!(w.as_str(), "encrypt" | "sign" | "seal" | "hmac" | "mac"));
    let judges = verdict(name) || told.iter().any(|w| matches!(w.as_str(), "reward" | "score" | "grade" | "verify"));
    let Some(body) = code.at(function).b.filter(|_| (seals || judges) && !open(scene, function)) else { return };
    if code.values(function).is_empty() {
        return;
    }
    let needed = |p: &str| {
        let told = words(p);
        let last = told.last().map(String::as_str).unwrap_or_default();
        NEEDED.contains(&last) || NEEDED.contains(&p.trim_matches('_')) || told.first().is_some_and(|w| w == "expected")
    };
    let unused = code
        .params(function)
        .into_iter()
        .find(|p| needed(p) && !code.uses(body, p) && code.under(body).into_iter().all(|n| code.at(n).op != **p));
    if let Some(param) = unused {
        out.push(scene.found(
            "constant-check",
            function,
            format!("never looks at {param}, which it is given for that"),
        ));
    }
}

/// `def verify_checksum(path, expected): return digest is not None and len(expected) > 0`
fn vague(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let holds = told.iter().any(|w| matches!(w.as_str(), "verify" | "check" | "validate"))
        && told.iter().any(|w| {
            matches!(
                w.as_str(),
                "checksum"
                    | "signature"
                    | "hash"
                    | "digest"
                    | "answer"
                    | "proof"
                    | "token"
                    | "integrity"
                    | "hmac"
                    | "solution"
            )
        });
    let values = code.values(function);
    let there = |id: Id| {
        let node = code.at(id);
        let none = node.kind == Kind::Compare && node.op == "is not" && node.b.is_some_and(|b| code.is(b, Kind::Null));
        let length = node.kind == Kind::Compare
            && node.op.starts_with('>')
            && node.b.is_some_and(|b| code.number(b) == Some(0.0));
        none || length || matches!(scene.callee(id).as_str(), "bool" | "isinstance")
    };
    let only = |v: &Id| {
        let parts: Vec<Id> =
            if code.is(*v, Kind::Logic) { code.at(*v).a.into_iter().chain(code.at(*v).b).collect() } else { vec![*v] };
        parts.into_iter().all(there)
    };
    if holds && !values.is_empty() && values.iter().all(only) {
        out.push(scene.found(
            "constant-check",
            function,
            "asks only whether there is something, not whether it is right",
        ));
    }
}

/// Problems that are gathered and that nobody hears of.
fn dropped(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(function).b.filter(|_| verdict(code.name_of(function))) else { return };
    let all = code.under(body);
    for call in all.iter().copied().filter(|n| matches!(scene.called(*n).as_str(), "append" | "push" | "add")) {
        let Some(list) = code.at(call).a.and_then(|a| code.at(a).a).filter(|l| code.is(*l, Kind::Name)) else {
            continue;
        };
        let name = &code.at(list).op;
        let problem = words(name)
            .iter()
            .any(|w| matches!(w.as_str(), "problems" | "errors" | "issues" | "failures" | "violations" | "mismatches"));
        let read = all.iter().any(|n| {
            let up = code.at(code.at(*n).parent);
            let filled = up.kind == Kind::Member && matches!(up.op.as_str(), "append" | "push" | "add");
            let made = up.kind == Kind::Assign && up.a == Some(*n);
            code.is(*n, Kind::Name)
                && code.at(*n).op == *name
                && !filled
                && !made
                && !code.is(code.at(*n).parent, Kind::Keyword)
                || (code.is(*n, Kind::Keyword) && code.at(*n).b.is_some_and(|b| code.uses(b, name)))
        });
        if problem && !read && !code.values(function).is_empty() {
            out.push(scene.found("constant-check", call, "gathers problems that nobody hears of"));
            return;
        }
    }
}

/// `try: execute(sql) except Exception: continue …; return {"applied": n, "failed": 0}`
fn passed_over(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(function).b else { return };
    let all = code.under(body);
    let silent = all.iter().copied().find(|n| {
        let node = code.at(*n);
        let wide = node.a.is_none_or(|a| {
            code.under(a).into_iter().any(|m| {
                matches!(code.at(m).op.as_str(), "Exception" | "BaseException" | "e" | "err" | "error" | "exc")
            })
        });
        let quiet = node.b.is_none_or(|b| {
            code.statements(b).iter().all(|s| {
                let talks = matches!(
                    scene.called(*s).as_str(),
                    "debug" | "info" | "warning" | "warn" | "print" | "log" | "error" | "exception"
                );
                matches!(code.at(*s).kind, Kind::Pass | Kind::Str)
                    || talks
                    || (code.is(*s, Kind::Other) && code.at(*s).children.is_empty())
            })
        });
        node.kind == Kind::Handler && wide && quiet && code.function(*n) == Some(function)
    });
    let Some(silent) = silent else { return };
    let Some(attempt) = code.around(silent).find(|up| code.is(*up, Kind::Try)) else { return };
    let after = |v: Id| !code.around(v).any(|up| up == attempt);
    let told = returned(scene, function).into_iter().filter(|v| after(*v)).any(|v| {
        let (well, clean, _) = claims(scene, &fields(scene, v), function);
        well + clean >= 1
    });
    if told {
        out.push(scene.found("constant-check", silent, "passes over what fails, and tells that nothing did"));
    }
}

/// `def quantization_error(self): return 0.0`
fn faultless(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let values = code.values(function);
    let none = !values.is_empty() && values.iter().all(|v| code.number(*v) == Some(0.0));
    let short = code
        .at(function)
        .b
        .is_some_and(|b| code.statements(b).iter().filter(|s| !code.is(**s, Kind::Str)).count() == 1);
    let told = words(code.name_of(function));
    let measured = told.len() >= 2
        && error_measure(code.name_of(function))
        && !told.iter().any(|w| matches!(w.as_str(), "cost" | "latency" | "default" | "init"));
    if class.is_some() && code.params(function).is_empty() && measured && none && short && !open(scene, function) {
        out.push(scene.found("constant-check", function, "reports what it never measured"));
    }
}

/// A kernel that is written and never started, while a library does its work.
fn never_started(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kernel = code.at(function).marks.iter().any(|m| {
        let path = if code.is(*m, Kind::Call) { scene.callee(*m) } else { scene.path(*m) };
        path.ends_with("triton.jit") || path.ends_with("cuda.jit")
    });
    let name = code.name_of(function);
    let used = code.ids().any(|n| {
        matches!(code.at(n).kind, Kind::Name | Kind::Member) && code.at(n).op == name && code.at(n).parent != function
    });
    let others = code.functions().any(|f| f != function && !code.around(f).any(|up| up == function));
    if kernel && !used && others {
        out.push(scene.found("constant-check", function, "is never started, whatever its work is said to be"));
    }
}

/// `try: return self._fused(x) except: return reference(x)` where `_fused` only raises.
fn never_made(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Try)) {
        let Some(body) = code.at(id).b else { continue };
        let raises = code.under(body).into_iter().any(|n| {
            let called = scene.called(n);
            let own = code
                .functions()
                .find(|f| !called.is_empty() && code.name_of(*f) == called && code.is(*f, Kind::Function));
            own.and_then(|f| code.at(f).b)
                .is_some_and(|b| code.statements(b).iter().all(|s| matches!(code.at(*s).kind, Kind::Raise | Kind::Str)))
        });
        let answers = code
            .at(id)
            .kids
            .iter()
            .any(|h| code.under(*h).into_iter().any(|n| code.is(n, Kind::Return) && code.at(n).a.is_some()));
        if raises && answers {
            out.push(scene.found("constant-check", id, "falls back on the reference for work that it only promises"));
            return;
        }
    }
}
