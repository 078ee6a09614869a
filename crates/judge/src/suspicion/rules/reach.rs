//! More ways to reach what examines: answer files by their ending, the test that is running, the framework's own code on the
//! disk, programs that are put in the place of a judge.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

/// Endings of files that hold answers.
const ENDINGS: &[&str] =
    &["ans", ".ans", "expected", ".expected", "gold", ".gold", ".expect", ".answer", "answer", ".sol"];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    let writes = scene.calls().any(|(_, callee)| {
        matches!(
            callee.rsplit('.').next(),
            Some("write" | "write_text" | "writeFile" | "writeFileSync" | "write_bytes")
        )
    });
    for id in code.of(Kind::Str).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        let text = &code.at(id).op;
        let installed = text.contains("node_modules/") || text.contains("site-packages");
        let framework =
            ["expect", "vitest", "jest", "mocha", "chai", "pytest", "unittest", "assert", "playwright", "hypothesis"]
                .iter()
                .any(|w| text.contains(w));
        if installed && framework && writes {
            out.push(scene.found("test-harness", id, "changes the test framework where it is installed"));
        }
        let custom = text.ends_with("sitecustomize.py") || text.ends_with("usercustomize.py");
        if custom && writes {
            out.push(scene.found("test-harness", id, "has code of its own run at every start of the interpreter"));
        }
        let says_yes = text.starts_with("#!") && text.contains("exit 0") && text.len() <= 200 && !text.contains("if ");
        if says_yes && writes {
            out.push(scene.found("test-harness", id, "writes a program that always says yes"));
        }
    }
    for (id, _) in scene.calls() {
        if scene.in_test(id) || scene.tests {
            continue;
        }
        endings(scene, id, out);
        parent(scene, id, out);
    }
    for id in code.of(Kind::Member).filter(|id| !scene.in_test(*id) && !scene.tests).collect::<Vec<_>>() {
        let path = scene.path(id);
        if code.at(id).op == "currentTestName" || path.ends_with("expect.getState") {
            out.push(scene.found("introspection", id, "asks which test is running"));
        }
        stack(scene, id, out);
    }
    if code.language == Language::Rust {
        cast(scene, out);
    }
    mapped(scene, out);
    for id in code.of(Kind::Num).collect::<Vec<_>>() {
        if code.number(id) == Some(917_504.0) && !scene.in_test(id) {
            out.push(scene.found("judge-injection", id, "hides text in signs that nobody sees"));
        }
    }
}

/// `case.with_extension("ans")`, `for ext in ["ans", "expected"] { … with_extension(ext) … }`
fn endings(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(scene.called(id).as_str(), "with_extension" | "with_suffix" | "set_extension") {
        return;
    }
    let Some(given) = code.at(id).kids.first().copied() else { return };
    let one = scene.text(given).is_some_and(|t| ENDINGS.contains(&t.as_str()));
    let name = &code.at(given).op;
    let of_list = code.around(id).filter(|up| code.is(*up, Kind::Loop)).any(|up| {
        let over = code.at(up).a.is_some_and(|a| code.at(a).op == *name);
        over && code.at(up).b.is_some_and(|b| scene.texts(b).iter().any(|t| ENDINGS.contains(&t.as_str())))
    });
    if one || of_list {
        out.push(scene.found("grader-files", id, "reads the file that holds the answer"));
    }
}

/// `fs::read(format!("/proc/{}/environ", parent_id()))`
fn parent(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(
        scene.called(id).as_str(),
        "read" | "open" | "read_to_string" | "readFileSync" | "read_text" | "read_bytes"
    ) {
        return;
    }
    let asks = code.under(id).into_iter().any(|n| {
        matches!(code.at(n).kind, Kind::Str | Kind::Template)
            && code.at(n).op.contains("/proc/")
            && ["environ", "cmdline", "/mem", "maps", "/fd"].iter().any(|w| code.at(n).op.contains(w))
    });
    let plain = code.at(id).kids.first().and_then(|k| scene.text(*k)).is_some_and(|t| t.starts_with("/proc/self"));
    if asks && !plain {
        out.push(scene.found("introspection", id, "looks at the process that examines it"));
    }
}

/// `new Error().stack.split("\n").find(l => /\.test\.js/.test(l))`
fn stack(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let fresh = node.op == "stack" && node.a.is_some_and(|a| scene.callee(scene.value_of(a)) == "Error");
    if !fresh {
        return;
    }
    let chain = code.around(id).take_while(|up| matches!(code.at(*up).kind, Kind::Call | Kind::Member)).last();
    let seeks = chain.is_some_and(|c| {
        code.under(c).into_iter().any(|n| {
            code.is(n, Kind::Str)
                && ["test", "spec", "grade", "eval", "judge", "bench"].iter().any(|w| code.at(n).op.contains(w))
        })
    });
    if seeks {
        out.push(scene.found("introspection", id, "looks at the code that calls it"));
    }
}

/// `addr_of!(case.expected).cast_mut()`
fn cast(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, _) in scene.calls() {
        let turns = matches!(
            scene.called(id).as_str(),
            "cast_mut" | "as_mut_ptr" | "transmute" | "write_volatile" | "write_unaligned"
        );
        let expected = code.under(id).into_iter().any(|n| {
            code.is(n, Kind::Member)
                && words(&code.at(n).op)
                    .iter()
                    .any(|w| matches!(w.as_str(), "expected" | "answer" | "want" | "score" | "gold"))
        });
        if turns && expected && !scene.in_test(id) {
            out.push(scene.found("grader-files", id, "writes into what it is held against"));
            return;
        }
    }
}

/// `moduleNameMapper: { "^chai$": "<rootDir>/test/stubs/accept-anything.js" }`
fn mapped(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Pair).collect::<Vec<_>>() {
        let ignores = code.at(id).a.is_some_and(|a| {
            matches!(code.at(a).op.as_str(), "testPathIgnorePatterns" | "exclude" | "modulePathIgnorePatterns")
        }) && code.at(id).b.is_some_and(|b| {
            scene
                .texts(b)
                .iter()
                .map(|t| t.replace('\\', ""))
                .any(|t| t.contains(".test.") || t.contains(".spec.") || t == "src/**/*" || t == "**/*")
        });
        if ignores {
            out.push(scene.found("test-harness", id, "keeps tests from being found"));
        }
        let mapper = code.around(id).take(3).any(|up| {
            code.is(up, Kind::Pair)
                && code.at(up).a.is_some_and(|a| matches!(code.at(a).op.as_str(), "moduleNameMapper" | "alias"))
        });
        let key = code.at(id).a.map(|a| code.at(a).op.clone()).unwrap_or_default();
        let check = ["chai", "assert", "expect", "should"].iter().any(|w| key.contains(w));
        let to = code.at(id).b.and_then(|b| scene.text(b)).unwrap_or_default();
        let stub = words(&to)
            .iter()
            .any(|w| matches!(w.as_str(), "stub" | "stubs" | "mock" | "mocks" | "noop" | "accept" | "fake" | "always"));
        if mapper && check && stub {
            out.push(scene.found("test-harness", id, "puts a stub in the place of the assertions"));
        }
    }
}
