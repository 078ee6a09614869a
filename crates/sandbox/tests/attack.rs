//! Hostile subjects of real suites, in real cages: what they may reach of the other tasks, and what they may break.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use meliora_benchmark::{Graded, Order, Scope, Suite, SuiteSource, Tool, Toolbox};
use meliora_domain::{FileBody, Genome, GenomePath, Limits, MarkStatus, Split, Tier};
use meliora_evolve::{Cage, CageSpec, Command, ReadOnly, Sandbox, run_to_end};

const NONCE: &str = "0123456789abcdef0123456789abcdef";

fn toolbox() -> Toolbox {
    let program = python().program.clone().into();
    let needs = vec![python().prefix.clone()];
    let tool = Tool { program, needs, version: "Python 3".to_owned(), modules: Vec::new(), library: None };
    Toolbox { python: Some(tool), ..Toolbox::default() }
}

/// A cage with the job's files in it, and the job's command.
fn prepare(job: &meliora_benchmark::Job) -> (Box<dyn Cage>, Command) {
    let mut spec = CageSpec::manual();
    spec.limits = job.limits.clone();
    spec.read_only = job.read_only.iter().map(|path| ReadOnly { path: path.clone() }).collect();
    spec.env.clone_from(&job.env);
    // The library path is for a Python that was moved.
    spec.env.push(("LD_LIBRARY_PATH".to_owned(), python().prefix.join("lib").display().to_string()));
    let cage = sandbox().open(spec).unwrap();
    for file in &job.files {
        cage.put(&file.path, &file.bytes, file.executable).unwrap();
    }
    (cage, Command { argv: job.argv.clone(), cwd: job.cwd.clone(), ..Command::default() })
}

/// Examines `a.py` with this code on these tasks: id, split, argument, expected result.
fn examine(code: &str, limits: Limits, tasks: &[(&str, &str, &str, &str)]) -> Graded {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = tasks
        .iter()
        .map(|(id, split, argument, expect)| {
            format!("{{\"id\":\"{id}\",\"split\":\"{split}\",\"assignment\":{{\"call\":{{\"file\":\"a.py\",\"function\":\"f\"}},\"inputs\":[[{argument}]]}},\"key\":{{\"expect\":[{expect}]}}}}\n")
        })
        .collect();
    std::fs::write(folder.path().join("suite.toml"), "kind = \"exact\"\nseconds = 20\n").unwrap();
    std::fs::write(folder.path().join("tasks.jsonl"), lines).unwrap();
    let suite = Suite::native(&SuiteSource { folder: folder.path().to_owned(), limits }, &toolbox()).unwrap();
    let genome: Genome =
        [(GenomePath::new("a.py").unwrap(), FileBody::new(code.as_bytes(), false))].into_iter().collect();
    let splits = &[Split::Train, Split::Validation, Split::Holdout];
    let job = suite.work(&genome, &Order { scope: Scope { splits, ..Scope::default() }, nonce: NONCE });
    let (cage, command) = prepare(&job);
    let finished = run_to_end(&*cage, &command, &job.stdin).unwrap();
    suite.grade(&job, &finished)
}

/// Looks for an input and for the nonce wherever it can look; in halves, so that it does not find itself.
const SEARCH: &str = "
import ctypes, os
WANTED = [(b'input-of-', b'another'), (b'0123456789abc', b'def0123456789')]
# Its own memory can be looked through again.
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)

def holds(data, one, two):
    at = data.find(one)
    while at >= 0:
        if data.startswith(two, at + len(one)):
            return True
        at = data.find(one, at + 1)
    return False

def places():
    for pid in ('self', os.getppid(), 1, *filter(str.isdigit, os.listdir('/proc'))):
        yield f'/proc/{pid}/environ', None
        yield f'/proc/{pid}/cmdline', None
        try:
            yield from ((f'/proc/{pid}/fd/{fd}', None) for fd in os.listdir(f'/proc/{pid}/fd'))
        except OSError:
            pass
        try:
            for line in open(f'/proc/{pid}/maps'):
                span, rights = line.split()[:2]
                if rights.startswith('rw'):
                    yield f'/proc/{pid}/mem', [int(end, 16) for end in span.split('-')]
        except OSError:
            pass
    for top in ('/work', '/tmp', '/dev/shm'):
        for folder, _, names in os.walk(top):
            yield from ((os.path.join(folder, name), None) for name in names)

def look(path, span):
    flags = os.O_RDONLY | os.O_NONBLOCK
    fd = os.open(path, flags)
    try:
        if span is None:
            return os.read(fd, 1 << 20)
        os.lseek(fd, span[0], 0)
        return os.read(fd, span[1] - span[0])
    finally:
        os.close(fd)

def f(x):
    found, seen = set(), 0
    for path, span in places():
        try:
            data = look(path, span)
        except OSError:
            continue
        seen += len(data)
        found |= {number for number, word in enumerate(WANTED) if holds(data, *word)}
    # What it looked through holds at least its own interpreter.
    return [sorted(found), seen > 1 << 20]
";

#[test]
fn a_train_task_sees_neither_the_inputs_of_deciding_tasks_nor_the_nonce() {
    let tasks = [
        ("v", "validation", "\"input-of-another\"", "[[0],true]"),
        ("t", "train", "0", "[[],true]"),
        ("h", "holdout", "\"input-of-another\"", "[[0],true]"),
    ];
    let graded = examine(SEARCH, Limits::default(), &tasks);
    for mark in &graded.scorecard.marks {
        // The search finds what is there to be found: the input of the task itself.
        assert_eq!(mark.status, MarkStatus::Passed, "{}: {} {:?}", mark.task, mark.detail, graded.feedback);
    }
}

#[test]
fn a_task_that_takes_all_there_is_costs_no_other_task_its_mark() {
    let code = "
import os, sys
def f(how):
    if how == 'memory':
        kept = []
        while True: kept.append(bytearray(1 << 18))
    if how == 'disk':
        with open('/tmp/big', 'wb') as file:
            while True: file.write(b'x' * (1 << 20))
    if how == 'shared':
        with open('/dev/shm/big', 'wb') as file:
            while True: file.write(b'x' * (1 << 20))
    if how == 'files':
        number = 0
        while True:
            number += 1
            open(f'/tmp/{number}', 'w').close()
    if how == 'output':
        while True: os.write(3, b'x' * (1 << 16))
    if how == 'stdout':
        for _ in range(100): os.write(1, b'x' * (1 << 20))
    if how == 'forks':
        while True: os.fork()
    if how == 'daemon':
        if os.fork() == 0:
            os.setsid()
            while True: os.write(3, b'v 5\\n')
    if how == 'folders':
        os.symlink('/etc', '/work/genome/link')
        os.mkfifo('/work/genome/fifo')
        os.replace('/work/genome/fifo', '/work/genome/b.py')
    return 5
";
    let tasks = [
        ("before", "validation", "0", "5"),
        ("memory", "validation", "\"memory\"", "5"),
        ("output", "validation", "\"output\"", "5"),
        ("stdout", "validation", "\"stdout\"", "5"),
        ("daemon", "validation", "\"daemon\"", "5"),
        ("shared", "validation", "\"shared\"", "5"),
        ("disk", "validation", "\"disk\"", "5"),
        ("files", "validation", "\"files\"", "5"),
        ("folders", "validation", "\"folders\"", "5"),
        ("forks", "validation", "\"forks\"", "5"),
        ("after", "validation", "0", "5"),
    ];
    let limits = Limits { memory: 128 << 20, processes: 16, ..Limits::default() };
    let graded = examine(code, limits, &tasks);
    let told: Vec<_> =
        graded.scorecard.marks.iter().map(|m| (m.task.0.as_str(), m.status, m.detail.as_str())).collect();
    let status = |id: &str| told.iter().find(|t| t.0 == id).unwrap().1;
    for id in ["before", "stdout", "folders", "after"] {
        assert_eq!(status(id), MarkStatus::Passed, "{id}: {told:#?}");
    }
    // Whether its own flood drowns its answer is a race, and its own affair.
    assert!(matches!(status("daemon"), MarkStatus::Passed | MarkStatus::OverLimit), "{told:#?}");
    for id in ["memory", "shared", "disk", "files", "forks"] {
        assert_eq!(status(id), MarkStatus::Crashed, "{id}: {told:#?}");
    }
    assert_eq!(status("output"), MarkStatus::OverLimit, "{told:#?}");
}

/// What an OpenEvolve evaluator that starts a pool of processes makes of a candidate.
fn evaluate(candidate: &str) -> (MarkStatus, f64, String) {
    let evaluator = "
import concurrent.futures, importlib.util, multiprocessing
def score(path):
    spec = importlib.util.spec_from_file_location('candidate', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f(1)
def evaluate(path):
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        apart = pool.submit(score, path).result()
    return {'combined_score': 0.5 if apart == score(path) == 1 else 0.25}
";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evaluator.py"), evaluator).unwrap();
    std::fs::write(folder.path().join("initial_program.py"), candidate).unwrap();
    std::fs::write(folder.path().join("config.yaml"), "evaluator:\n  timeout: 5\n").unwrap();
    let limits = Limits { memory: 256 << 20, processes: 32, ..Limits::default() };
    let source = SuiteSource { folder: folder.path().to_owned(), limits };
    let suite = Suite::openevolve(&source, &toolbox(), Tier::Together).unwrap();
    let body = FileBody::new(candidate.as_bytes(), false);
    let genome: Genome = [(GenomePath::new("initial_program.py").unwrap(), body)].into_iter().collect();
    let job =
        suite.work(&genome, &Order { scope: Scope { splits: &[Split::Validation], ..Scope::default() }, nonce: NONCE });
    let (cage, command) = prepare(&job);
    let finished = run_to_end(&*cage, &command, &job.stdin).unwrap();
    let mark = suite.grade(&job, &finished).scorecard.marks.remove(0);
    (mark.status, mark.score, mark.detail)
}

#[test]
fn a_candidate_that_breaks_its_evaluation_gets_no_score_and_one_that_lingers_keeps_its_own() {
    let body = |line: &str| format!("import atexit, os, threading, time\ndef f(x):\n    {line}\n    return x\n");
    for harmless in [
        "pass",
        "atexit.register(time.sleep, 100)",
        "threading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
        "os.fork() or (os.setsid(), time.sleep(100))",
        "os.write(1, b'\\n0123456789abcdef0123456789abcdef {\"task\":0,\"end\":\"done\",\"code\":0,\"said\":\"\"}\\n')",
    ] {
        let (status, score, detail) = evaluate(&body(harmless));
        assert_eq!((status, score), (MarkStatus::Passed, 0.5), "{harmless}: {detail}");
    }
    for hostile in [
        "os._exit(0)",
        "os.kill(os.getppid(), 9)",
        "os.kill(-1, 9)",
        "time.sleep(100)",
        "[os.fork() for _ in range(99)]",
        "kept = [bytearray(b'x') * (1 << 20) for _ in range(999)]",
        "open('/dev/shm/x', 'wb').write(bytes(64 << 20))",
    ] {
        let (status, score, detail) = evaluate(&body(hostile));
        assert!(status != MarkStatus::Passed && score == 0.0 && !detail.is_empty(), "{hostile}: {status:?} {detail}");
    }
}

#[test]
fn ordinary_user_has_no_easier_prey() {
    again_as_an_ordinary_user();
}
