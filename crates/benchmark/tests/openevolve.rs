//! OpenEvolve tasks, unchanged, with honest and broken evaluators and candidates.

#![allow(clippy::unwrap_used, reason = "a helper of tests is no test to the linter")]

mod harness;

use std::path::Path;

use harness::{examine, genome, mark, source, tools, write};
use meliora_benchmark::{Graded, OpenEvolveConfig, Suite};
use meliora_domain::MarkStatus::{self, Crashed, Failed, Garbled, Missing, OverLimit, Passed, TimedOut};
use meliora_domain::{Kind, Split, Tier};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Evaluates `initial_program.py` = `program` with this evaluator and configuration.
fn evaluate(evaluator: &str, config: &str, program: &str) -> Graded {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("initial_program.py", program), ("evaluator.py", evaluator), ("config.yaml", config)]);
    assert!(Suite::is_openevolve(folder.path()));
    let suite = Suite::openevolve(&source(folder.path()), &tools(), Tier::Together).unwrap();
    examine(&suite, &genome(&[("initial_program.py", program)]), false)
}

fn check(evaluator: &str, config: &str, status: MarkStatus, score: f64, words: &str) -> Graded {
    let graded = evaluate(evaluator, config, "value = 1\n");
    let mark = mark(&graded, "evaluate");
    assert_eq!((mark.status, mark.score), (status, score), "{evaluator}\n{}", mark.detail);
    assert!(mark.detail.contains(words), "{evaluator}\n{}", mark.detail);
    graded
}

#[test]
fn a_task_is_taken_unchanged() {
    let folder = fixture("minimum");
    let suite = Suite::openevolve(&source(&folder), &tools(), Tier::Together).unwrap();
    assert_eq!((suite.kind(), suite.tier(), suite.ceiling()), (Kind::Exact, Tier::Together, None));
    assert_eq!((suite.count(Split::Validation), suite.count(Split::Train)), (1, 0));
    let program = std::fs::read_to_string(folder.join("initial_program.py")).unwrap();
    let graded = examine(&suite, &genome(&[("initial_program.py", &program)]), false);
    let mark = mark(&graded, "evaluate");
    assert_eq!((mark.status, mark.split), (Passed, Split::Validation), "{}", mark.detail);
    assert!(mark.score > 0.3 && mark.score < 1.0);
    assert_eq!(graded.scorecard.metrics["combined_score"], mark.score);
    assert!(graded.feedback[0].detail.contains("point: "));
    let again = examine(&suite, &genome(&[("initial_program.py", &program)]), false);
    assert_eq!(again.scorecard.marks, graded.scorecard.marks);

    let config = OpenEvolveConfig::load(&folder).unwrap();
    assert_eq!((config.max_iterations, config.seed()), (Some(20), Some(3)));
    assert_eq!(config.ignored, ["database.num_islands", "llm.api_key"]);
}

#[test]
fn in_the_tier_split_neither_cage_has_a_file_of_the_other() {
    let folder = fixture("minimum");
    let suite = Suite::openevolve(&source(&folder), &tools(), Tier::Split).unwrap();
    let together = Suite::openevolve(&source(&folder), &tools(), Tier::Together).unwrap();
    assert_eq!((suite.tier(), suite.kind()), (Tier::Split, Kind::Exact));
    assert_ne!(suite.evaluator(), together.evaluator(), "their marks must never be compared");
    let candidate = genome(&[("initial_program.py", "mark_of_the_candidate = 1\n")]);
    assert!(together.split(&candidate, &harness::order(harness::ALL, false)).is_none());
    let pair = suite.split(&candidate, &harness::order(harness::ALL, false)).unwrap();
    let holds = |files: &[meliora_benchmark::CageFile], text: &str| {
        files.iter().any(|f| String::from_utf8_lossy(&f.bytes).contains(text))
    };
    assert!(holds(&pair.work.files, "mark_of_the_candidate") && !holds(&pair.exam.files, "mark_of_the_candidate"));
    for name in ["evaluator.py", "landscape.py"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(holds(&pair.exam.files, &text) && !holds(&pair.work.files, &text), "{name}");
    }
    let secret = harness::order(harness::ALL, false).nonce;
    assert!(!String::from_utf8_lossy(&pair.work.stdin).contains(secret));
    assert!(pair.exam.files.iter().any(|f| f.path == "/work/genome/initial_program.py"), "the stand-in");
}

#[test]
fn a_program_that_is_not_python_has_no_stand_in() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("initial_program.rs", ""), ("evaluator.py", "")]);
    let error = Suite::openevolve(&source(folder.path()), &tools(), Tier::Split).unwrap_err();
    assert!(error.to_string().contains("only Python programs"), "{error}");
    assert!(error.hint.unwrap().contains("--isolation together"));
}

#[test]
fn fitness_is_combined_score_or_the_mean() {
    check("def evaluate(p):\n    return {'combined_score': 0.25, 'x': 9}\n", "", Passed, 0.25, "");
    check(
        "def evaluate(p):\n    return {'a': 1, 'b': 0.5, 'ok': True, 'note': 'x', 'complexity': 90}\n",
        "",
        Passed,
        0.75,
        "",
    );
    check(
        "def evaluate(p):\n    return {'a': 1, 'b': 0.5}\n",
        "database:\n  feature_dimensions: [b]\n",
        Passed,
        1.0,
        "",
    );
    check("async def evaluate(p):\n    return {'a': 1}\n", "", Garbled, 0.0, "returned a coroutine, not a dict");
    let program = "import importlib.util\ndef evaluate(p):\n    assert p.endswith('/initial_program.py')\n    return {'size': float(len(open(p).read()))}\n";
    check(program, "", Passed, 10.0, "");
}

#[test]
fn whatever_an_evaluation_does_becomes_a_mark() {
    let body = |line: &str| format!("import os, sys, time\ndef evaluate(p):\n    {line}\n");
    let fast = "evaluator:\n  timeout: 1\n";
    check(&body("raise ValueError('no')"), "", Crashed, 0.0, "evaluation raised ValueError: no");
    check(&body("return None"), "", Garbled, 0.0, "returned a NoneType, not a dict");
    check(&body("return {}"), "", Garbled, 0.0, "no numeric metric");
    check(&body("return {'a': 'b'}"), "", Garbled, 0.0, "no numeric metric");
    check(&body("return {'combined_score': float('nan')}"), "", Garbled, 0.0, "combined_score is NaN");
    check(&body("return {'a': float('inf')}"), "", Garbled, 0.0, "the metric 'a' is inf");
    check(&body("return {'a': 10 ** 400}"), "", Garbled, 0.0, "no numeric metric");
    check(&body("return {'a\\ud800': 1.0, 7: 2.0, None: True}"), "", Passed, 1.5, "");
    let odd = "return {type('K', (str,), {'__str__': lambda s: 1 / 0})('a'): 1}";
    check(&body(odd), "", Garbled, 0.0, "its result cannot be read: ZeroDivisionError");
    check(
        "def evaluate_stage1(p):\n    return {'combined_score': 10 ** 400}\ndef evaluate_stage2(p):\n    return {}\ndef evaluate(p):\n    pass\n",
        "",
        Garbled,
        0.0,
        "its result cannot be read: OverflowError",
    );
    check(&body("sys.exit(0)"), "", Crashed, 0.0, "SystemExit: 0");
    check(&body("os._exit(0)"), "", Garbled, 0.0, "exited with code 0 and without a result");
    check(&body("os.kill(os.getpid(), 9)"), "", Crashed, 0.0, "killed by signal 9");
    check(&body("time.sleep(60)"), fast, TimedOut, 0.0, "took longer than 1 s");
    check(&body("while True: print('x' * 100000)"), "", OverLimit, 0.0, "wrote more than is taken");
    check("1 / 0\n", "", Missing, 0.0, "evaluator.py cannot be loaded: ZeroDivisionError");
    check("x = 1\n", "", Missing, 0.0, "has no function 'evaluate'");
    let graded = check(&body("print('garbage {}'); sys.stderr.write('more'); return {'a': 1}"), "", Passed, 1.0, "");
    assert!(graded.feedback[0].detail.contains("garbage {}") && graded.feedback[0].detail.contains("more"));
}

const STAGES: &str = "def evaluate(p):\n    return {'combined_score': 0.1}\ndef evaluate_stage1(p):\n    return {'a': S1, 'one': 1.0, 'error': 5, 'word': 'x'}\ndef evaluate_stage2(p):\n    return {'a': S2}\ndef evaluate_stage3(p):\n    return {'a': S3}\n";

fn stages(one: &str, two: &str, three: &str) -> String {
    STAGES.replace("S1", one).replace("S2", two).replace("S3", three)
}

#[test]
fn stages_follow_openevolves_rules() {
    // Below the first threshold: the first stage's own metrics, error among them, are all there is.
    check(&stages("-1.0", "1.0", "1.0"), "", Passed, 5.0 / 3.0, "");
    // Past the first, not past the second threshold: merged, without error and words.
    check(&stages("0.5", "0.25", "1.0"), "", Passed, 0.625, "");
    // Past both.
    check(&stages("0.5", "0.9", "0.0"), "", Passed, 0.5, "");
    let config = "evaluator:\n  cascade_thresholds: [0.1, 0.1]\n";
    check(&stages("0.2", "0.2", "0.6"), config, Passed, 0.8, "");
    check(&stages("0.2", "0.2", "0.6"), "evaluator:\n  cascade_evaluation: false\n", Passed, 0.1, "");
    check(&stages("0.2", "0.2", "0.6"), "evaluator:\n  cascade_thresholds: [0.1]\n", Passed, 0.6, "");
}

#[test]
fn a_stage_that_fails_keeps_what_the_stages_before_it_gave() {
    check(&stages("1 / 0", "1.0", "1.0"), "", Crashed, 0.0, "ZeroDivisionError");
    let graded =
        check(&stages("1.0", "1 / 0", "1.0"), "", Failed, 7.0 / 4.0, "evaluate_stage2 raised ZeroDivisionError");
    assert_eq!(graded.scorecard.metrics["stage2_passed"], 0.0);
    let slow = stages("1.0", "__import__('time').sleep(9)", "1.0");
    check(&slow, "evaluator:\n  timeout: 1\n", Failed, 7.0 / 4.0, "evaluate_stage2 took longer than 1 s");
    check(&stages("1.0", "1.0", "1 / 0"), "", Failed, 2.0 / 3.0, "evaluate_stage3 raised");
    check(&stages("1.0", "__import__('os')._exit(0)", "1.0"), "", Garbled, 0.0, "exited with code 0");
}

#[test]
fn results_with_artifacts_are_taken_with_and_without_the_package() {
    let with = "from openevolve.evaluation_result import EvaluationResult\ndef evaluate(p):\n    return EvaluationResult(metrics={'a': 0.5}, artifacts={'log': 'well', 'raw': b'\\xff', 'long': 'x' * 9999})\n";
    let graded = check(with, "", Passed, 0.5, "");
    let detail = &graded.feedback[0].detail;
    assert!(detail.contains("log: well") && detail.contains("raw: \u{fffd}") && detail.len() < 9000);
    let graded = check(with, "prompt:\n  include_artifacts: false\n", Passed, 0.5, "");
    assert_eq!(graded.feedback[0].detail, "");
    let own = "class R:\n    metrics = {'a': 0.5}\n    artifacts = {}\ndef evaluate(p):\n    return R()\n";
    check(own, "", Passed, 0.5, "");
}

#[test]
fn an_evaluation_that_raises_is_tried_again_only_where_the_task_says_so() {
    let flaky = "tries = 0\ndef evaluate(p):\n    global tries\n    tries += 1\n    if tries < 3: raise ValueError\n    return {'tries': tries}\n";
    check(flaky, "", Crashed, 0.0, "ValueError");
    check(flaky, "evaluator:\n  cascade_evaluation: false\n  max_retries: 3\n", Passed, 3.0, "");
}

#[test]
fn evaluators_may_use_files_threads_and_other_processes() {
    let evaluator = "import concurrent.futures, subprocess, sys, tempfile, helper\ndef evaluate(p):\n    with tempfile.NamedTemporaryFile('w', suffix='.py') as f:\n        f.write('print(40)')\n        f.flush()\n        out = int(subprocess.run([sys.executable, f.name], capture_output=True, text=True).stdout)\n    with concurrent.futures.ThreadPoolExecutor() as pool:\n        return {'combined_score': out + pool.submit(helper.two).result()}\n";
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("initial_program.py", ""),
        ("evaluator.py", evaluator),
        ("helper.py", "def two():\n    return 2\n"),
        ("openevolve_output/best.py", "x"),
    ];
    write(folder.path(), &files);
    let suite = Suite::openevolve(&source(folder.path()), &tools(), Tier::Together).unwrap();
    let candidate = genome(&[("initial_program.py", "")]);
    let job = suite.work(&candidate, &harness::order(harness::ALL, false));
    assert!(job.files.iter().all(|f| !f.path.contains("openevolve_output")));
    let graded = examine(&suite, &candidate, false);
    assert_eq!(mark(&graded, "evaluate").score, 42.0, "{graded:?}");
}

#[test]
fn a_folder_that_is_no_task_is_refused_with_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Suite::openevolve(&source(folder.path()), &tools(), Tier::Together).unwrap_err().to_string();
    assert!(!Suite::is_openevolve(folder.path()));
    assert!(load().contains("holds no initial_program"));
    write(folder.path(), &[("initial_program.rs", "")]);
    assert!(load().contains("holds no evaluator.py"));
    write(folder.path(), &[("evaluator.py", ""), ("initial_program.js", "")]);
    assert!(load().contains("several programs: initial_program.js, initial_program.rs"));
    write(folder.path(), &[("config.yaml", "file_suffix: .rs\n")]);
    assert!(Suite::openevolve(&source(folder.path()), &tools(), Tier::Together).is_ok());
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
    assert!(load().contains("neither a regular file nor a folder"));
}

#[test]
fn the_native_fixture_is_graded_with_its_checker_and_its_tolerance() {
    let suite = Suite::native(&source(&fixture("words")), &tools()).unwrap();
    assert_eq!((suite.kind(), suite.tier(), suite.ceiling()), (Kind::Sample, Tier::Apart, Some(1.0)));
    let code = std::fs::read_to_string(fixture("words").join("words.py.txt")).unwrap();
    let graded = examine(&suite, &genome(&[("words.py", &code)]), true);
    for split in harness::ALL {
        assert_eq!(graded.scorecard.mean(*split), Some(1.0), "{graded:?}");
    }
    let worse = code.replace("word[::-1]", "word if word == 'tea' else word[::-1]");
    let graded = examine(&suite, &genome(&[("words.py", &worse)]), false);
    assert_eq!(mark(&graded, "anagram/decides").score, 0.5, "{graded:?}");
}

#[test]
fn every_driver_that_has_a_rehearsal_gets_through_it() {
    let python = tools().python.unwrap();
    let rehearse = "import os, sys\nbody, tail, behind = sys.stdin.read().rpartition('if __name__ == \"__main__\":\\n    main()\\n')\n\
                    assert tail and not behind, 'a driver ends in these two lines'\n\
                    main = type(sys)('__main__')\nexec(compile(body, 'driver', 'exec'), main.__dict__)\n\
                    def lend(text):\n    file = os.memfd_create('x')\n    os.write(file, text.encode())\n    return '/proc/self/fd/%d' % file\n\
                    if hasattr(main, 'rehearse'):\n    [main.rehearse(lend) for _ in range(3)]\n    print('rehearsed')\n";
    let mut rehearsed = 0;
    for (path, text) in meliora_benchmark::PythonStart::of(&python).drivers {
        let mut command = std::process::Command::new(&python.program);
        command.args(["-c", rehearse]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{path}");
        rehearsed += usize::from(done.stdout.ends_with(b"rehearsed\n"));
    }
    assert_eq!(rehearsed, 3, "both drivers of foreign evaluators, and the candidate's");
}
