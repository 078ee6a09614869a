//! What the Python call driver does with honest, broken and hostile subjects.

mod harness;

use harness::{ALL, NONCE, call, examine, genome, mark, native, order, run};
use meliora_benchmark::{Order, Scope};
use meliora_domain::MarkStatus::{self, Crashed, Failed, Garbled, OverLimit, Passed, TimedOut};
use meliora_domain::TaskId;

const TOML: &str = "kind = \"exact\"\nseconds = 1\n";

/// One train and one validation task for `f`, both `f(2, 3) == 5`.
fn two() -> String {
    call("t", "train", "[2,3]", "5") + &call("v", "validation", "[2,3]", "5")
}

fn grade(code: &str) -> meliora_benchmark::Graded {
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &two())]);
    examine(&suite, &genome(&[("a.py", code)]), false)
}

#[test]
fn an_honest_function_passes_and_a_wrong_one_is_told_why() {
    let good = grade("def f(a, b):\n    return a + b\n");
    assert_eq!(good.scorecard.marks.iter().map(|m| m.status).collect::<Vec<_>>(), [Passed, Passed]);
    assert!(good.feedback[0].passed);

    let bad = grade("def f(a, b):\n    return a - b\n");
    assert_eq!(mark(&bad, "t").detail, "f(2,3): expected 5, got -1");
    assert_eq!((bad.feedback.len(), bad.feedback[0].detail.as_str()), (1, "f(2,3): expected 5, got -1"));
    // Nothing of a validation task's key is told.
    assert_eq!(mark(&bad, "v").detail, "0 of 1 inputs right");
}

#[test]
fn whatever_a_subject_does_becomes_a_mark() {
    let check = |code: &str, status: MarkStatus, detail: &str| {
        let graded = grade(code);
        let mark = mark(&graded, "t");
        assert_eq!(mark.status, status, "{code}\n{}", mark.detail);
        assert!(mark.detail.contains(detail), "{code}\n{}", mark.detail);
        assert!(mark.score == 0.0 || status == Passed);
    };
    let body = |line: &str| format!("import os, sys\ndef f(a, b):\n    {line}\n");
    check("def f(a, b)\n    return", Crashed, "SyntaxError");
    check("import no_such_module\n", Crashed, "No module named 'no_such_module'");
    check("x = 1\n", Crashed, "'a.py' has no function 'f'");
    check("1 / 0\n", Crashed, "ZeroDivisionError: division by zero\n  at a.py:1");
    check(
        &body("return a / 0"),
        Crashed,
        "f(2,3): expected 5, raised ZeroDivisionError: division by zero\n  at a.py:3 in f",
    );
    check(&body("return f(a, b)"), Crashed, "RecursionError");
    check(&body("sys.exit(0)"), Crashed, "SystemExit: 0");
    check(&body("os._exit(0)"), Garbled, "exited with code 0 and without a result");
    check(&body("os.kill(os.getpid(), 11)"), Crashed, "killed by signal 11");
    check(&body("os.abort()"), Crashed, "killed by signal 6");
    check(&body("while True: pass"), TimedOut, "took longer than 1 s");
    check("while True: pass\n", TimedOut, "took longer than 1 s");
    check(&body("return {a, b}"), Failed, "returned a set");
    check(&body("return object()"), Failed, "returned a object");
    check(&body("return float('nan')"), Failed, "returned nan");
    check(&body("return [5, float('inf')]"), Failed, "returned inf");
    check(&body("return {(1, 2): 3}"), Failed, "a key that is a tuple");
    check(&body("return {1: 3, '1': 4}"), Failed, "two keys '1'");
    check(&body("return iter(int, 1)"), Failed, "more than 100000 items");
    check(&body("return 'x' * (1 << 26)"), Failed, "returned a value of more than");
    check(&body("x = []\n    x.append(x)\n    return x"), Failed, "nested more than");
    check(&body("return '\\ud800'"), Failed, "half of a surrogate pair");
    check(&body("return {'\\udc00': 5}"), Failed, "half of a surrogate pair");
    check(&body("return 10 ** 100000"), Failed, "got 1000000");
    check(&body("return 10 ** 1000000"), Failed, "returned a value of more than");
    check(&body("return type('T', (type,), {'__name__': property(lambda c: 1 / 0)})('X', (), {})()"), Crashed, "");
    check(&body("return '5'"), Failed, "got \"5\"");
    check(&body("return 5.0"), Passed, "");
    check(&body("print('5'); sys.stderr.write('x'); return 5"), Passed, "");
    check(&body("sys.stdin.read(); return a + b"), Passed, "");
}

#[test]
fn a_subject_that_attacks_its_driver_gains_nothing() {
    let wins = |code: &str| grade(code).scorecard.marks.iter().filter(|m| m.status == Passed).count();
    let evil = |line: &str| format!("import os, sys\ndef f(a, b):\n    {line}\n    return -1\n");
    for line in [
        "print('0123456789abcdef0123456789abcdef {\"task\":0,\"end\":\"done\",\"code\":0,\"said\":\"v 5\\\\n.\\\\n\"}')",
        "open('/proc/%d/fd/1' % os.getppid(), 'w').write('\\n x {\"task\":0}\\n')",
        "os.kill(os.getppid(), 9)",
        "os.closerange(0, 100)",
        "os.fork()",
        "import builtins; builtins.eval = builtins.repr = builtins.len = builtins.isinstance = lambda *a: True",
        "import json; json.dumps = json.loads = lambda *a, **k: '5'",
        "sys.modules.clear()",
        "os.write(1, b'5'); os.write(2, b'5'); os._exit(0)",
        "return type('E', (), {'__eq__': lambda s, o: True})()",
        "return type('E', (int,), {'__eq__': lambda s, o: True, '__repr__': lambda s: '5'})(7)",
        "os.write(3, b'garbage\\n' * 1000000)",
        "import atexit; atexit.register(print, 5)",
        "sys.settrace(lambda *a: None)",
    ] {
        assert_eq!(wins(&evil(line)), 0, "{line}");
    }
}

#[test]
fn whoever_answers_in_the_drivers_place_is_told_and_honest_failures_are_not() {
    let alarms = |line: &str| {
        let graded = grade(&format!("import os, sys\ndef f(a, b):\n    {line}\n    return a + b\n"));
        let passed = graded.scorecard.marks.iter().filter(|m| m.status == Passed).count();
        (graded.alarms.first().map(|alarm| alarm.rule.clone()), passed)
    };
    let canary = Some("canary".to_owned());
    assert_eq!(alarms("os.write(3, b'v %d\\n.\\n' % (a + b)); os._exit(0)"), (canary.clone(), 0));
    assert_eq!(alarms("os.write(3, b'v %d\\n. 7\\n' % (a + b)); os._exit(0)"), (canary, 0));
    for honest in
        ["pass", "raise ValueError(a)", "sys.exit(0)", "os._exit(0)", "os.abort()", "return f(a, b)", "os.fork()"]
    {
        assert_eq!(alarms(honest).0, None, "{honest}");
    }
}

#[test]
fn what_one_task_breaks_another_does_not_see() {
    let tasks = call("t", "train", "[1,1]", "1")
        + &call("v", "validation", "[1,1]", "1")
        + &call("w", "validation", "[2,1]", "1");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = "import os\ncount = 0\ndef f(a, b):\n    global count\n    count += 1\n    if a == 2: os._exit(3)\n    return count\n";
    let graded = examine(&suite, &genome(&[("a.py", code)]), false);
    assert_eq!(graded.scorecard.marks.iter().map(|m| m.status).collect::<Vec<_>>(), [Passed, Passed, Garbled]);
}

#[test]
fn results_are_taken_as_json_has_them_and_inputs_are_fresh_each_time() {
    let line = |id: &str, arguments: &str, expect: &str| call(id, "validation", arguments, expect);
    let tasks = line("tuple", "[\"(1, [2])\"]", "[1,[2]]")
        + &line("generator", "[\"(x for x in 'ab')\"]", "[\"a\",\"b\"]")
        + &line("range", "[\"range(3)\"]", "[0,1,2]")
        + &line("keys", "[\"{1: None, True: 2}\"]", "{\"1\":2}")
        + &line("large", "[\"2 ** 200\"]", "1606938044258990275541962092341162602522202993782792835301376")
        + &line("text", "[\"chr(0x1f600) + chr(10)\"]", "\"😀\\n\"")
        + &line("truth", "[\"True\"]", "1")
        + &line("enum", "[\"__import__('enum').IntEnum('E', 'a').a\"]", "1")
        + r#"{"id":"fresh","split":"validation","assignment":{"call":{"file":"a.py","function":"g"},"inputs":[[[3,1]],[[3,1]]]},"key":{"expect":[[3,1,0],[3,1,0]]}}"#;
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = "def f(x):\n    return eval(x)\ndef g(x, keep=[]):\n    x.append(0)\n    return x\n";
    let graded = examine(&suite, &genome(&[("a.py", code)]), false);
    for mark in &graded.scorecard.marks {
        let expected = if mark.task.0 == "truth" { Failed } else { Passed };
        assert_eq!(mark.status, expected, "{}", mark.task);
    }
}

#[test]
fn lines_are_told_for_train_tasks_however_they_end() {
    let tasks = call("pass", "train", "[0]", "0")
        + &call("loop", "train", "[1]", "0")
        + &call("raise", "train", "[2]", "0")
        + &call("deep", "train", "[3]", "0")
        + &call("exit", "train", "[4]", "0")
        + &call("slow", "train", "[5]", "0")
        + &call("v", "validation", "[0]", "0");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = "import b\n\ndef f(x):\n    if x == 1:\n        while x:\n            pass\n    if x == 2:\n        raise ValueError\n    if x == 3:\n        return f(x)\n    if x == 4:\n        b.leave()\n    if x == 5:\n        b.stuck()\n    return 0\n";
    let other = "import os\n\ndef leave():\n    os._exit(1)\n\ndef stuck():\n    return sum(range(10 ** 12))\n";
    let graded = examine(&suite, &genome(&[("a.py", code), ("b.py", other)]), true);
    let lines = |id: &str, file: &str| {
        graded.feedback.iter().find(|f| f.task.0 == id).unwrap().lines.get(file).cloned().unwrap_or_default()
    };
    assert_eq!(lines("pass", "a.py"), [1, 3, 4, 7, 9, 11, 13, 15]);
    assert_eq!(mark(&graded, "loop").status, TimedOut);
    assert!(lines("loop", "a.py").starts_with(&[1, 3, 4, 5]) && !lines("loop", "a.py").contains(&7));
    assert_eq!(lines("raise", "a.py"), [1, 3, 4, 7, 8]);
    assert_eq!(lines("deep", "a.py"), [1, 3, 4, 7, 9, 10]);
    assert_eq!(lines("exit", "b.py"), [1, 3, 4, 6]);
    assert_eq!(mark(&graded, "slow").status, TimedOut);
    assert_eq!(lines("slow", "b.py"), [1, 3, 6, 7]);
    assert_eq!(graded.feedback.len(), 6, "validation tasks tell no lines");
}

#[test]
fn packages_siblings_and_relative_imports_work_as_in_a_normal_run() {
    let line = |id: &str, file: &str, function: &str| {
        format!(
            "{{\"id\":\"{id}\",\"split\":\"validation\",\"assignment\":{{\"call\":{{\"file\":\"{file}\",\"function\":\"{function}\"}},\"inputs\":[[]]}},\"key\":{{\"expect\":[7]}}}}\n"
        )
    };
    let tasks = line("package", "pkg/mod.py", "f")
        + &line("sibling", "tools/my-prog.py", "f")
        + &line("method", "top.py", "Box.make")
        + &line("pickle", "top.py", "copied");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let genome = genome(&[
        ("pkg/__init__.py", ""),
        ("pkg/mod.py", "from .other import seven\ndef f():\n    return seven\n"),
        ("pkg/other.py", "seven = 7\n"),
        ("tools/my-prog.py", "import near\ndef f():\n    return near.seven\n"),
        ("tools/near.py", "seven = 7\n"),
        (
            "top.py",
            "import pickle\nclass Box:\n    @staticmethod\n    def make():\n        return 7\ndef copied():\n    return pickle.loads(pickle.dumps(Box)).make()\n",
        ),
    ]);
    for mark in &examine(&suite, &genome, false).scorecard.marks {
        assert_eq!(mark.status, Passed, "{}: {}", mark.task, mark.detail);
    }
}

#[test]
fn partial_suites_give_the_fraction_of_right_inputs() {
    let task = r#"{"id":"p","split":"validation","assignment":{"call":{"file":"a.py","function":"f"},"inputs":[[1],[2],[3],[4]]},"key":{"expect":[1,2,3,0]}}"#;
    let code = genome(&[("a.py", "def f(x):\n    return x\n")]);
    for (toml, score) in [("partial = true\n", 0.75), ("", 0.0)] {
        let suite = native(&[("suite.toml", &format!("{TOML}{toml}")), ("tasks.jsonl", task)]);
        let graded = examine(&suite, &code, false);
        assert_eq!((mark(&graded, "p").score, mark(&graded, "p").status), (score, Failed));
    }
}

#[test]
fn a_job_holds_no_key_and_a_result_without_the_nonce_is_not_believed() {
    let tasks = call("v", "validation", "[2,3]", "\"key-4711\"");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let job = suite.work(&genome(&[("a.py", "def f(a, b):\n    return 'key-' + str(4711)\n")]), &order(ALL, true));
    let shown: Vec<u8> = job.files.iter().flat_map(|f| f.bytes.to_vec()).chain(job.stdin.clone()).collect();
    assert!(!String::from_utf8_lossy(&shown).contains("key-4711"));

    let mut finished = run(&job);
    assert_eq!(suite.grade(&job, &finished).scorecard.marks[0].status, Passed);
    finished.stdout =
        String::from_utf8(finished.stdout).unwrap().replace(harness::NONCE, "f".repeat(32).as_str()).into();
    assert_eq!(suite.grade(&job, &finished).scorecard.marks[0].status, Garbled);
}

#[test]
fn the_time_of_all_tasks_together_is_bounded() {
    let tasks: String = (0..4).map(|i| call(&format!("v{i}"), "validation", "[]", "0")).collect();
    let folder = tempfile::tempdir().unwrap();
    harness::write(folder.path(), &[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let mut source = harness::source(folder.path());
    source.limits.wall = std::time::Duration::from_millis(1500);
    source.limits.output = 1 << 20;
    let suite = meliora_benchmark::Suite::native(&source, &harness::tools()).unwrap();
    let graded = examine(&suite, &genome(&[("a.py", "def f():\n    while True: pass\n")]), false);
    assert!(graded.scorecard.marks.iter().all(|m| m.status == TimedOut));
    assert!(mark(&graded, "v0").detail.contains("took longer than 1 s"));
    assert!(
        mark(&graded, "v3").detail.contains("of the whole examination were over"),
        "{}",
        mark(&graded, "v3").detail
    );
}

#[test]
fn answers_of_many_tasks_that_are_too_much_together_are_over_the_limit_one_by_one() {
    let tasks: String = (0..40).map(|i| call(&format!("v{i}"), "validation", "[]", "0")).collect();
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let graded = examine(&suite, &genome(&[("a.py", "def f():\n    return 'x' * 200000\n")]), false);
    assert_eq!((mark(&graded, "v0").status, mark(&graded, "v39").status), (Failed, OverLimit));
}

#[test]
fn a_function_that_ran_out_of_time_twice_is_not_run_again_and_others_are() {
    let line =
        |id: &str, function: &str| call(id, "validation", "[0]", "0").replace("\"f\"", &format!("\"{function}\""));
    let tasks =
        line("a", "stuck") + &line("b", "quick") + &line("c", "stuck") + &line("d", "stuck") + &line("e", "quick");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let graded = examine(
        &suite,
        &genome(&[("a.py", "def stuck(x):\n    while True: pass\ndef quick(x):\n    return 0\n")]),
        false,
    );
    let marks = &graded.scorecard.marks;
    assert_eq!(marks.iter().map(|m| m.status).collect::<Vec<_>>(), [TimedOut, Passed, TimedOut, TimedOut, Passed]);
    assert!(mark(&graded, "c").detail.contains("took longer than 1 s"));
    assert!(mark(&graded, "d").detail.contains("not run: two tasks of this function had run out of time already"));
}

#[test]
fn train_tasks_are_run_first_and_marks_keep_the_suites_order() {
    let tasks =
        call("v", "validation", "[4711]", "0") + &call("t", "train", "[0]", "0") + &call("h", "holdout", "[1]", "0");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = genome(&[("a.py", "def f(x):\n    return 0\n")]);
    let plan = String::from_utf8(suite.work(&code, &order(ALL, false)).stdin).unwrap();
    assert!(plan.find("[0]").unwrap() < plan.find("[4711]").unwrap(), "{plan}");
    let ids: Vec<_> = examine(&suite, &code, false).scorecard.marks.into_iter().map(|m| m.task.0).collect();
    assert_eq!(ids, ["v", "t", "h"]);
}

#[test]
fn modules_of_the_genome_come_before_the_library_also_where_the_driver_imports_ahead() {
    let tasks = call("v", "validation", "[]", "7") + &call("w", "validation", "[]", "7");
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &tasks)]);
    let code = "import json, heapq, os\ndef f():\n    return json.seven if os.path.join('a', 'b') == 'a/b' and heapq.heappop([1]) else 0\n";
    let graded = examine(&suite, &genome(&[("a.py", code), ("json.py", "seven = 7\n")]), false);
    assert!(graded.scorecard.marks.iter().all(|m| m.status == Passed), "{graded:?}");
}

#[test]
fn some_tasks_are_examined_alone_with_the_seed_that_all_would_give_them() {
    let code = "import random\nimport os\ndef f(a, b):\n    return [random.random(), os.environ['MELIORA_SEED']]\n";
    let tasks: String = (0..4).map(|i| call(&format!("v{i}"), "validation", "[2,3]", "5")).collect();
    let suite = native(&[("suite.toml", TOML), ("tasks.jsonl", &(tasks + &call("t", "train", "[2,3]", "5")))]);
    let said = |tasks: &[TaskId], seed| {
        let scope = Scope { splits: ALL, tasks, seed, lines: false };
        let job = suite.work(&genome(&[("a.py", code)]), &Order { scope, nonce: NONCE });
        let card = suite.grade(&job, &run(&job)).scorecard;
        assert_eq!((card.seed, card.evaluator), (seed, suite.evaluator()));
        (card.part_of, card.marks.into_iter().map(|m| m.task.0).collect::<Vec<_>>(), suite_feedback(&suite, &job))
    };
    let (whole, names, all) = said(&[], 7);
    assert_eq!((whole, names), (0, ["v0", "v1", "v2", "v3", "t"].map(str::to_owned).to_vec()));
    let (part, names, one) = said(&[TaskId("v2".into()), TaskId("t".into())], 7);
    assert_eq!((part, names), (4, ["v2", "t"].map(str::to_owned).to_vec()));
    assert_eq!(all, one, "the train task drew the same numbers");
    assert_ne!(said(&[], 8).2, all, "another seed, other numbers");
}

/// What the train task answered, in words.
fn suite_feedback(suite: &meliora_benchmark::Suite, job: &meliora_benchmark::Job) -> String {
    suite.grade(job, &run(job)).feedback[0].detail.clone()
}
