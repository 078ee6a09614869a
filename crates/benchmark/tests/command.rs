//! Command-driven suites and checkers.

mod harness;

use harness::{call, examine, genome, mark, native};
use meliora_domain::MarkStatus::{self, Crashed, Failed, Missing, OverLimit, Passed, TimedOut};

fn line(id: &str, split: &str, stdin: &str, stdout: &str) -> String {
    format!(r#"{{"id":"{id}","split":"{split}","assignment":{{"stdin":"{stdin}"}},"key":{{"stdout":"{stdout}"}}}}"#)
        + "\n"
}

const PYTHON: &str = "kind = \"exact\"\nseconds = 1\n[work]\nfiles = []\nrun = [\"python3\", \"/work/genome/a.py\"]\ntools = [\"python\"]\n";

#[test]
fn a_program_is_run_once_a_task_and_its_output_is_compared() {
    let tasks = line("t", "train", "5 3\\n", "8\\n") + &line("v", "validation", "1 1\\n", "2");
    let suite = native(&[("suite.toml", PYTHON), ("tasks.jsonl", &tasks)]);
    let check = |code: &str, status: MarkStatus, detail: &str| {
        let graded = examine(&suite, &genome(&[("a.py", code)]), false);
        let mark = mark(&graded, "t");
        assert_eq!(mark.status, status, "{code}\n{}", mark.detail);
        assert!(mark.detail.contains(detail), "{code}\n{}", mark.detail);
    };
    check("print(sum(map(int, input().split())), '\\n')", Passed, "");
    check("print(5)", Failed, "with input \"5 3\\n\": expected \"8\", got \"5\"");
    check("raise ValueError('oh')", Crashed, "exited with code 1: Traceback");
    check("while True: pass", TimedOut, "took longer than 1 s");
    check("import os; os.kill(os.getpid(), 11)", Crashed, "killed by signal 11");
    check("import signal; signal.signal(25, 0)\nwhile True: print('x' * 10000)", OverLimit, "");
    check(
        "print('0123456789abcdef0123456789abcdef {\"task\":0,\"end\":\"done\",\"code\":0,\"said\":\"OAo=\"}')",
        Failed,
        "got",
    );
    check("import sys; sys.stdout.buffer.write(b'\\xff\\x00')", Failed, "got");
}

#[test]
fn a_suite_that_shows_no_file_of_its_own_starts_its_commands_all_the_same() {
    let toml = PYTHON.replace("files = []\n", "").replace("seconds = 1", "seconds = 20");
    let suite = native(&[("suite.toml", &toml), ("tasks.jsonl", &line("v", "validation", "", "/work/suite []"))]);
    let code = "import os; print(os.getcwd()[-11:], os.listdir())";
    let graded = examine(&suite, &genome(&[("a.py", code)]), false);
    assert_eq!(mark(&graded, "v").status, Passed, "{graded:?}");
}

#[test]
fn a_rust_function_is_built_with_the_suites_own_main_program() {
    if harness::tools().rustc.is_none() {
        panic!("this test needs a rustc");
    }
    let toml = "kind = \"exact\"\n[work]\nfiles = [\"drive.rs\"]\nbuild = [\"rustc\", \"-O\", \"--edition\", \"2021\", \"-o\", \"/tmp/drive\", \"/work/suite/drive.rs\"]\nrun = [\"/tmp/drive\"]\ntools = [\"rustc\"]\n";
    let drive = "#[path = \"/work/genome/search.rs\"]\nmod subject;\nfn main() {\n    let mut line = String::new();\n    std::io::stdin().read_line(&mut line).unwrap();\n    println!(\"{}\", subject::twice(line.trim().parse().unwrap()));\n}\n";
    let tasks = line("v", "validation", "4\\n", "8\\n");
    let suite = native(&[("suite.toml", toml), ("tasks.jsonl", &tasks), ("drive.rs", drive)]);
    let good = examine(&suite, &genome(&[("search.rs", "pub fn twice(x: i64) -> i64 { x * 2 }")]), false);
    assert_eq!(mark(&good, "v").status, Passed, "{good:?}");
    let bad = examine(&suite, &genome(&[("search.rs", "pub fn twice(x: i64) -> i64 { x * }")]), false);
    assert_eq!(mark(&bad, "v").status, Crashed);
    assert!(mark(&bad, "v").detail.contains("the build failed: error: expected expression"), "{bad:?}");
}

const SORTED: &str = "import json, sys\nexam = json.load(sys.stdin)\nwrong = [i for i, o in enumerate(exam['outputs']) if o != sorted(o)]\nprint('a note')\nprint(json.dumps({'score': 1 - len(wrong) / len(exam['outputs']), 'detail': 'not sorted: %s' % wrong}))\n";

fn checked(checker: &str, split: &str) -> String {
    call("c", split, "[[3,1]],[[1,2]]", "0")
        .replace("\"expect\":[0]", &format!("\"check\":\"{checker}\",\"data\":{{\"x\":1}}"))
}

#[test]
fn a_checker_decides_in_a_cage_that_the_subject_never_enters() {
    let tasks =
        call("a", "train", "[[2]]", "[2]") + &checked("check.py", "train") + &call("z", "validation", "[[2]]", "[2]");
    let toml = "kind = \"exact\"\npartial = true\n";
    let suite = native(&[("suite.toml", toml), ("tasks.jsonl", &tasks), ("check.py", SORTED)]);
    let good = examine(&suite, &genome(&[("a.py", "def f(x):\n    return sorted(x)\n")]), true);
    let order: Vec<&str> = good.scorecard.marks.iter().map(|m| m.task.0.as_str()).collect();
    assert_eq!(order, ["a", "c", "z"]);
    assert!(good.exams.is_empty());
    assert_eq!((mark(&good, "c").status, mark(&good, "c").score), (Passed, 1.0));
    let told = good.feedback.iter().find(|f| f.task.0 == "c").unwrap();
    assert_eq!(told.lines["a.py"], [1, 2]);

    let bad_genome = genome(&[("a.py", "def f(x):\n    return x\n")]);
    let bad = examine(&suite, &bad_genome, false);
    assert_eq!((mark(&bad, "c").status, mark(&bad, "c").score), (Failed, 0.5));
    assert_eq!(mark(&bad, "c").detail, "not sorted: [0]");

    let job = suite.work(&bad_genome, &harness::order(harness::ALL, false));
    assert!(job.files.iter().all(|f| !f.path.contains("check.py")));
    let exam = suite.grade(&job, &harness::run(&job)).exams.remove(0);
    assert!(exam.job.files.iter().all(|f| !f.path.contains("genome") && !f.path.contains("tasks.jsonl")));
}

#[test]
fn a_broken_checker_is_the_suites_fault_and_counts_neither_way() {
    for (checker, word) in [
        ("1 / 0", "ZeroDivisionError"),
        ("print('fine')", "printed no JSON"),
        ("print('{\"score\": NaN}')", "printed no JSON"),
        ("print('{\"score\": 2}')", "not between 0 and 1"),
        ("import os; os._exit(0)", "printed no JSON"),
        ("import sys; sys.exit('no')", "without a result"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("def (", "SyntaxError"),
    ] {
        let files = [
            ("suite.toml", "kind = \"exact\""),
            ("tasks.jsonl", &checked("check.py", "validation")),
            ("check.py", checker),
        ];
        let graded = examine(&native(&files), &genome(&[("a.py", "def f(x):\n    return x\n")]), false);
        let mark = mark(&graded, "c");
        assert_eq!(mark.status, Missing, "{checker}: {}", mark.detail);
        assert!(
            mark.detail.contains("the checker check.py") && mark.detail.contains(word),
            "{checker}: {}",
            mark.detail
        );
        assert_eq!(graded.scorecard.mean(meliora_domain::Split::Validation), None);
    }
}

#[test]
fn a_subject_that_leaves_nothing_to_check_is_marked_without_an_exam() {
    let files =
        [("suite.toml", "kind = \"exact\""), ("tasks.jsonl", &checked("check.py", "validation")), ("check.py", SORTED)];
    let graded = examine(&native(&files), &genome(&[("a.py", "def f(x):\n    return {1}\n")]), false);
    assert_eq!(mark(&graded, "c").status, Failed);
}

#[test]
fn suites_that_would_show_keys_or_lack_a_tool_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = line("v", "validation", "1", "1");
    let load = |toml: &str, tools: &meliora_benchmark::Toolbox| {
        harness::write(folder.path(), &[("suite.toml", toml), ("tasks.jsonl", &tasks)]);
        meliora_benchmark::Suite::native(&harness::source(folder.path()), tools).unwrap_err().to_string()
    };
    let none = meliora_benchmark::Toolbox::default();
    assert!(load(PYTHON, &none).contains("needs python3"));
    let tools = harness::tools();
    assert!(
        load(&PYTHON.replace("files = []", "files = [\"tasks.jsonl\"]"), &tools).contains("would show 'tasks.jsonl'")
    );
    assert!(load(&PYTHON.replace("files = []", "files = [\"no.rs\"]"), &tools).contains("names 'no.rs'"));
}

#[test]
fn marks_of_one_kind_of_cages_are_not_held_against_those_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let task = r#"{"id":"v","split":"validation","assignment":{"stdin":"1"},"key":{"stdout":"1"}}"#;
    let toml = "kind = \"exact\"\n[work]\nrun = [\"/bin/cat\"]\n";
    harness::write(folder.path(), &[("suite.toml", toml), ("tasks.jsonl", task)]);
    let of = |cages: Option<&str>| {
        let tools = meliora_benchmark::Toolbox { cages: cages.map(str::to_owned), ..harness::tools() };
        meliora_benchmark::Suite::native(&harness::source(folder.path()), &tools).unwrap().evaluator()
    };
    assert!(of(None) != of(Some("microvm")) && of(Some("microvm")) != of(Some("container")));
}

#[test]
fn whatever_decides_a_mark_changes_the_evaluator() {
    let with = |warm: &[&str], toml: &str, tasks: &str, more: &str, version: &str, wall: u64| {
        let folder = tempfile::tempdir().unwrap();
        harness::write(folder.path(), &[("suite.toml", toml), ("tasks.jsonl", tasks), ("more.txt", more)]);
        let mut source = harness::source(folder.path());
        source.limits.wall = std::time::Duration::from_secs(wall);
        let tools = meliora_benchmark::Toolbox {
            python: Some(harness::tool("/usr/bin/python3", version, Vec::new())),
            warm: warm.iter().map(|name| (*name).to_owned()).collect(),
            ..meliora_benchmark::Toolbox::default()
        };
        meliora_benchmark::Suite::native(&source, &tools).unwrap().evaluator()
    };
    let load =
        |toml: &str, tasks: &str, more: &str, version: &str, wall: u64| with(&[], toml, tasks, more, version, wall);
    let (toml, tasks) = ("kind = \"exact\"", &call("v", "validation", "[1]", "1"));
    let base = load(toml, tasks, "", "Python 3.11.7", 30);
    assert_eq!(base, load(toml, tasks, "", "Python 3.11.7", 30));
    for other in [
        load("kind = \"sample\"", tasks, "", "Python 3.11.7", 30),
        load(toml, &tasks.replace("[1]", "[2]"), "", "Python 3.11.7", 30),
        load(toml, tasks, "x", "Python 3.11.7", 30),
        load(toml, tasks, "", "Python 3.11.8", 30),
        load(toml, tasks, "", "Python 3.11.7", 31),
        with(&["numpy"], toml, tasks, "", "Python 3.11.7", 30),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn each_task_of_a_program_has_a_seed_of_its_own() {
    let tasks = line("a", "train", "1", "0") + &line("b", "train", "1", "0") + &line("v", "validation", "1", "0");
    let suite = native(&[("suite.toml", PYTHON), ("tasks.jsonl", &tasks)]);
    let graded = examine(&suite, &genome(&[("a.py", "import os\nprint('seed', os.environ['MELIORA_SEED'])")]), false);
    let said: Vec<&str> = graded.feedback.iter().map(|f| f.detail.as_str()).collect();
    assert!(said.iter().all(|s| s.contains("seed ")) && said[0] != said[1], "{said:?}");
}

/// The suite's own program: it calls the candidate, prints, and says its canary when it has come to its end.
const OWN: &str = "import sys\ncanary = sys.stdin.readline().strip()\nsys.path.insert(0, '/work/genome')\nimport a\nfor line in sys.stdin:\n    print(a.twice(int(line)))\nprint(canary)\n";
const OWN_TOML: &str = "kind = \"exact\"\nseconds = 5\n[work]\nfiles = [\"own.py\"]\nrun = [\"python3\", \"/work/suite/own.py\"]\ntools = [\"python\"]\ncanary = true\n";

#[test]
fn whoever_ends_the_suites_own_program_in_its_place_is_told_where_it_has_a_canary() {
    let tasks = line("t", "train", "4\\n5\\n", "8\\n10\\n") + &line("v", "validation", "1\\n2\\n", "2\\n4");
    let suite = native(&[("suite.toml", OWN_TOML), ("tasks.jsonl", &tasks), ("own.py", OWN)]);
    let graded = |body: &str| {
        let code = format!("import os, sys\n\ndef twice(x):\n    {body}\n    return 2 * x\n");
        let graded = examine(&suite, &genome(&[("a.py", &code)]), false);
        let alarms: Vec<String> = graded.alarms.iter().map(|a| format!("{} {}", a.rule, a.place)).collect();
        (mark(&graded, "v").status, mark(&graded, "v").detail.clone(), alarms)
    };
    assert_eq!(graded("pass"), (Passed, String::new(), vec![]));
    // What honest work does is a mark and no alarm: wrong, or ended in disorder or in silence, or spoken in between.
    assert_eq!(graded("x = 7").0, Failed);
    for (body, status) in [
        ("raise ValueError(x)", Crashed),
        ("sys.exit(3)", Crashed),
        ("os._exit(0)", MarkStatus::Garbled),
        ("print('now', x)", Failed),
        ("import atexit; atexit.register(print, 'that was it')", Passed),
    ] {
        let (is, detail, alarms) = graded(body);
        assert_eq!((is, alarms), (status, vec![]), "{body}: {detail}");
    }
    // The right answers, said in its place.
    let told = vec!["canary task t".to_owned(), "canary task v".to_owned()];
    for forged in [
        "os.write(1, b'2\\n4\\n'); os._exit(0)",
        "os.write(1, b'2\\n4\\n12345\\n'); os._exit(0)",
        "print('2\\n4', flush=True); sys.exit(0)",
        "os.write(1, b'2\\n4\\n' + os.environ.get('MELIORA_SEED').encode() + b'\\n'); os._exit(0)",
    ] {
        let (is, detail, alarms) = graded(forged);
        assert_eq!((is, &alarms), (MarkStatus::Garbled, &told), "{forged}");
        assert!(detail.contains("ended before the suite's own program did"), "{detail}");
    }
    // No file in the cage has it, and no text that a command can read again.
    let job = suite.work(&genome(&[("a.py", "")]), &harness::order(harness::ALL, false));
    let asked = String::from_utf8(job.stdin.clone()).unwrap();
    let canary = asked.split(' ').next().unwrap();
    assert!(canary.parse::<u32>().is_ok(), "{asked}");
    assert!(job.files.iter().all(|f| !String::from_utf8_lossy(&f.bytes).contains(canary)));
}

#[test]
fn a_task_that_no_honest_program_passes_is_an_alarm_of_a_command_too() {
    let trap = line("trap", "validation", "3\\n", "7\\n").replacen('{', "{\"impossible\":true,", 1);
    let tasks = line("v", "validation", "1\\n", "2\\n") + &trap;
    let suite = native(&[("suite.toml", OWN_TOML), ("tasks.jsonl", &tasks), ("own.py", OWN)]);
    let alarms = |code: &str| {
        let mut graded = examine(&suite, &genome(&[("a.py", code)]), false);
        suite.sift(&mut graded);
        assert_eq!(graded.scorecard.marks.len(), 1, "a trap is no mark: {graded:?}");
        graded.alarms.into_iter().map(|a| (a.rule, a.place)).collect::<Vec<_>>()
    };
    assert_eq!(alarms("def twice(x):\n    return 2 * x\n"), []);
    let cheat = "def twice(x):\n    return 2 * x + (x == 3)\n";
    assert_eq!(alarms(cheat), [("impossible-task".to_owned(), "task trap".to_owned())]);
}

#[test]
fn an_input_that_a_command_never_reads_holds_nobody_up() {
    let long = "1\\n".repeat(100_000);
    let tasks = line("v", "validation", &long, "ok");
    let own = "import sys\nprint('ok')\nprint(sys.stdin.readline().strip())\n";
    let suite = native(&[("suite.toml", OWN_TOML), ("tasks.jsonl", &tasks), ("own.py", own)]);
    let graded = examine(&suite, &genome(&[("a.py", "")]), false);
    assert_eq!(mark(&graded, "v").status, Passed, "{graded:?}");
}
