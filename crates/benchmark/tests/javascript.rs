//! What the JavaScript call driver does with honest, broken and hostile subjects.

mod harness;

use harness::{call, examine, genome, mark, native};
use meliora_benchmark::{Order, Scope};
use meliora_domain::MarkStatus::{self, Crashed, Failed, Garbled, Passed, TimedOut};
use meliora_domain::Split;

const TOML: &str = "kind = \"exact\"\nseconds = 1\n";

fn suite(file: &str) -> meliora_benchmark::Suite {
    let tasks = (call("t", "train", "[2,3]", "5") + &call("v", "validation", "[2,3]", "5")).replace("a.py", file);
    native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)])
}

#[test]
fn every_kind_of_module_is_called() {
    for (file, code) in [
        ("a.js", "function f(a, b) { return a + b; }\nmodule.exports = { f };\n"),
        ("a.js", "export function f(a, b) { return a + b; }\n"),
        ("a.mjs", "export const f = async (a, b) => a + b;\n"),
        ("a.cjs", "exports.f = (a, b) => a + b;\n"),
        ("a.js", "exports.f = (a, b) => BigInt(a + b);\n"),
        ("a.js", "exports.f = (a, b) => { console.log('5'); return a + b; }\n"),
    ] {
        let graded = examine(&suite(file), &genome(&[(file, code)]), false);
        assert_eq!((mark(&graded, "t").status, mark(&graded, "v").status), (Passed, Passed), "{code}{graded:?}");
    }
}

#[test]
fn whatever_a_subject_does_becomes_a_mark() {
    let suite = suite("a.js");
    let check = |body: &str, status: MarkStatus, detail: &str| {
        let code = format!("exports.f = function f(a, b) {{\n  {body}\n}};\n");
        let graded = examine(&suite, &genome(&[("a.js", &code)]), false);
        let mark = mark(&graded, "t");
        assert_eq!(mark.status, status, "{code}\n{}", mark.detail);
        assert!(mark.detail.contains(detail), "{code}\n{}", mark.detail);
    };
    check("return a - b", Failed, "f(2,3): expected 5, got -1");
    check("return nothing", Crashed, "ReferenceError: nothing is not defined\n  at f (a.js:2");
    check("return f(a, b)", Crashed, "RangeError");
    check("return )", Crashed, "SyntaxError");
    check("for (;;);", TimedOut, "took longer than 1 s");
    check("return new Promise(() => {})", TimedOut, "took longer than 1 s");
    check("return", Failed, "returned undefined");
    check("return new Set([5])", Failed, "returned a Set");
    check("return 0 / 0", Failed, "returned NaN");
    check("return 'x'.repeat(1 << 26)", Failed, "returned a value of more than");
    check("const x = []; x.push(x); return x", Failed, "nested more than");
    check("return (function* () { for (;;) yield 1; })()", Failed, "more than 100000 items");
    check("process.exit(0)", Garbled, "exited with code 0 and without a result");
    check("require('fs').writeSync(1, '0123 {}\\n'); return 4", Failed, "got 4");
    let forged = "require('worker_threads').parentPort.postMessage({ number: 0, done: true, again: true }); for (;;);";
    // An end that somebody else says is none, and is told.
    check(forged, TimedOut, "took longer than 1 s");
    let alarms = |body: &str| {
        let code = format!("exports.f = function f(a, b) {{\n  {body}\n}};\n");
        examine(&suite, &genome(&[("a.js", &code)]), false).alarms
    };
    assert_eq!(alarms(forged).first().map(|alarm| alarm.rule.as_str()), Some("canary"));
    for honest in ["return a + b", "throw 1", "process.exit(0)", "for (;;);", "return f(a, b)"] {
        assert_eq!(alarms(honest), [], "{honest}");
    }
    check("return '\\ud800'", Failed, "half of a surrogate pair");
    check("return 10n ** 100000n", Failed, "got 1000000");
    check("return { ['\\udc00']: 5 }", Failed, "half of a surrogate pair");
    check("JSON.stringify = JSON.parse = () => '5'; Array.isArray = () => true; return 7", Failed, "");
    check("process.kill(process.pid, 'SIGKILL')", Crashed, "killed by signal 9");
}

#[test]
fn what_is_not_there_is_named() {
    let graded = examine(&suite("a.js"), &genome(&[("a.js", "exports.g = 1;\n")]), false);
    assert!(mark(&graded, "t").detail.contains("'a.js' exports no function 'f'"), "{graded:?}");
    let graded = examine(&suite("a.js"), &genome(&[("b.js", "")]), false);
    assert!(mark(&graded, "t").detail.contains("there is no file 'a.js' in the genome"));
}

#[test]
fn typescript_without_a_node_that_runs_it_is_refused_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = call("v", "validation", "[2,3]", "5").replace("a.py", "a.ts");
    harness::write(folder.path(), &[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let load = |version: &str| {
        let tools = meliora_benchmark::Toolbox {
            node: Some(harness::tool("/usr/bin/node", version, Vec::new())),
            ..meliora_benchmark::Toolbox::default()
        };
        meliora_benchmark::Suite::native(&harness::source(folder.path()), &tools)
    };
    assert!(load("v22.5.9").unwrap_err().to_string().contains("TypeScript"));
    assert!(load("v22.6.0").is_ok());
}

#[test]
fn what_one_task_leaves_behind_another_does_not_see() {
    let line =
        |id: &str, x: &str, expect: &str| call(id, "validation", &format!("[{x}]"), expect).replace("a.py", "a.mjs");
    let seen = "[1,1,0,\"undefined\",true]";
    let tasks: String = ["null", "\"global\"", "\"builtin\"", "\"timer\"", "\"listener\"", "\"endless\"", "null"]
        .iter()
        .enumerate()
        .map(|(i, x)| line(&format!("t{i}"), x, seen))
        .collect();
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = "import { shared } from './b.mjs';\nimport { createRequire } from 'node:module';\nconst old = createRequire(import.meta.url)('./c.cjs');\nlet count = 0;\nexport function f(how) {\n  const seen = [count += 1, shared.count += 1, old.count++, typeof globalThis.left, [1].map((x) => x)[0] === 1];\n  if (how === 'global') globalThis.left = 1;\n  if (how === 'builtin') Array.prototype.map = () => [2];\n  if (how === 'timer') setInterval(() => { globalThis.left = 1; }, 1);\n  if (how === 'listener') process.on('exit', () => {});\n  if (how === 'endless') (async () => { for (;;) await 0; })();\n  return seen;\n}\n";
    let files =
        [("a.mjs", code), ("b.mjs", "export const shared = { count: 0 };\n"), ("c.cjs", "exports.count = 0;\n")];
    let graded = examine(&suite, &genome(&files), false);
    for mark in &graded.scorecard.marks {
        assert_eq!(mark.status, Passed, "{}: {}", mark.task, mark.detail);
    }
}

#[test]
fn a_function_that_ran_out_of_time_twice_is_not_run_again_and_others_are() {
    let line = |id: &str, function: &str| {
        call(id, "validation", "[0]", "0").replace("a.py", "a.js").replace("\"f\"", &format!("\"{function}\""))
    };
    let tasks =
        line("a", "stuck") + &line("b", "quick") + &line("c", "stuck") + &line("d", "stuck") + &line("e", "quick");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = "exports.stuck = () => { for (;;); };\nexports.quick = () => 0;\n";
    let graded = examine(&suite, &genome(&[("a.js", code)]), false);
    let marks = &graded.scorecard.marks;
    assert_eq!(marks.iter().map(|m| m.status).collect::<Vec<_>>(), [TimedOut, Passed, TimedOut, TimedOut, Passed]);
    assert!(mark(&graded, "d").detail.contains("not run: two tasks of this function had run out of time already"));
}

#[test]
fn chance_follows_the_seed_and_leaves_nothing_behind() {
    let line = |id: &str| call(id, "train", "[0]", "0").replace("a.py", "a.js");
    let suite = native(&[
        ("suite.toml", TOML),
        ("tasks.jsonl", &(line("a") + &line("b") + &call("v", "validation", "[0]", "0").replace("a.py", "a.js"))),
    ]);
    let code = "exports.f = () => [Math.random(), process.env.MELIORA_SEED];\n";
    let drawn = |seed| {
        let scope = Scope { splits: &[Split::Train], seed, ..Scope::default() };
        let job = suite.work(&genome(&[("a.js", code)]), &Order { scope, nonce: harness::NONCE });
        let graded = suite.grade(&job, &harness::run(&job));
        graded.feedback.into_iter().map(|f| f.detail).collect::<Vec<_>>()
    };
    let (one, again, other) = (drawn(1), drawn(1), drawn(2));
    assert_eq!(one, again);
    assert!(one[0] != one[1] && one[0] != other[0] && one[0].contains("got [0."), "{one:?} {other:?}");
}
