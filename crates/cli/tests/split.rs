//! The tier `split`, with real cages: evaluators of every style reach the candidate, and a candidate reaches nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{Project, skip};
use serde_json::Value;

/// The candidate as a module, as most evaluators load it.
const LOAD: &str = "import importlib.util\ndef load(path):\n    spec = importlib.util.spec_from_file_location('program', path)\n    module = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(module)\n    return module\n";

/// What came of one examination.
struct Bench {
    status: String,
    score: f64,
    detail: String,
    metrics: Value,
}

fn bench_with(evaluator: &str, program: &str, flags: &[&str]) -> Bench {
    let project = Project::openevolve(evaluator, "evaluator:\n  timeout: 10\n  cascade_evaluation: false\n");
    project.write("initial_program.py", program);
    let ran = project.meliora(&[&["bench", ".", "--json"], flags].concat()).exits(0);
    let last = ran.objects().pop().unwrap();
    let task = &last["tasks"][0];
    let detail = task["detail"].as_str().unwrap_or_default().to_owned();
    let metrics = last["metrics"].clone();
    Bench {
        status: task["status"].as_str().unwrap().to_owned(),
        score: task["score"].as_f64().unwrap(),
        detail,
        metrics,
    }
}

/// Examines a program with an evaluator whose `evaluate(path)` has this body, indented by four.
fn bench(body: &str, program: &str) -> Bench {
    bench_with(&evaluator(body), program, &[])
}

fn evaluator(body: &str) -> String {
    format!("{LOAD}\n\ndef evaluate(path):\n{body}")
}

const PROGRAM: &str = "import math
SIZE = 3

def double(x, more=0):
    \"Twice x.\"
    return 2 * x + more

def squares(xs):
    return [x * x for x in xs]

def wrong():
    raise ValueError('not today')

def endless():
    while True:
        pass

def count(n):
    yield from range(n)

def through(f, x):
    return f(x) + 1

def loud():
    print('7')

if __name__ == '__main__':
    import sys
    print(sum(int(word) for word in sys.stdin.read().split()), *sys.argv[1:])
    sys.exit(4)
";

#[test]
fn however_an_evaluator_loads_and_calls_a_program_it_reaches_the_candidate() {
    let styles = [
        "    m = load(path)\n    return {'combined_score': m.double(4) + m.double(1, more=5) + m.SIZE + sum(m.squares([1, 2]))}\n",
        "    space = {}\n    exec(open(path).read(), space)\n    return {'combined_score': space['double'](4) + 15}\n",
        "    space = {}\n    exec(compile(open(path).read(), path, 'exec'), {}, space)\n    return {'combined_score': space['double'](4) + 15}\n",
        "    import runpy\n    return {'combined_score': runpy.run_path(path)['double'](4) + 15}\n",
        "    import os, sys\n    sys.path.insert(0, os.path.dirname(path))\n    import initial_program\n    return {'combined_score': initial_program.double(4) + 15}\n",
        // The program as a process.
        "    import subprocess, sys\n    run = subprocess.run([sys.executable, path, 'x'], input='20 3', capture_output=True, text=True)\n    assert (run.stdout, run.returncode) == ('23 x\\n', 4), run\n    return {'combined_score': 23}\n",
        // A script of the evaluator's own, which pickles what it got.
        "    import os, pickle, subprocess, sys, tempfile\n    folder = tempfile.mkdtemp()\n    script = os.path.join(folder, 'run.py')\n    with open(script, 'w') as f:\n        f.write('import importlib.util, pickle, sys\\nspec = importlib.util.spec_from_file_location(\"p\", sys.argv[1])\\nm = importlib.util.module_from_spec(spec)\\nspec.loader.exec_module(m)\\npickle.dump(m.double(4) + 15, open(sys.argv[2], \"wb\"))\\n')\n    out = os.path.join(folder, 'out')\n    subprocess.run([sys.executable, script, path, out], check=True, timeout=20)\n    return {'combined_score': pickle.load(open(out, 'rb'))}\n",
        // A copy of the program elsewhere.
        "    import shutil, sys, tempfile\n    folder = tempfile.mkdtemp()\n    shutil.copy(path, folder + '/copied.py')\n    sys.path.insert(0, folder)\n    import copied\n    return {'combined_score': copied.double(4) + 15}\n",
        // Exceptions, generators, functions of the evaluator, printed text, signatures.
        "    m = load(path)\n    try:\n        m.wrong()\n    except ValueError as e:\n        assert str(e) == 'not today'\n    return {'combined_score': sum(m.count(7)) + 2}\n",
        "    m = load(path)\n    return {'combined_score': m.through(lambda x: x * 2, 11)}\n",
        "    import contextlib, io\n    m = load(path)\n    out = io.StringIO()\n    with contextlib.redirect_stdout(out):\n        m.loud()\n    return {'combined_score': int(out.getvalue()) + 16}\n",
        "    import inspect\n    m = load(path)\n    assert m.double.__doc__ == 'Twice x.' and list(inspect.signature(m.double).parameters) == ['x', 'more']\n    return {'combined_score': 23}\n",
        "    import importlib, os, sys\n    sys.path.insert(0, os.path.dirname(path))\n    import initial_program\n    return {'combined_score': importlib.reload(initial_program).double(4) + 15}\n",
        // At once, from threads and from processes.
        "    from concurrent.futures import ThreadPoolExecutor\n    m = load(path)\n    with ThreadPoolExecutor(4) as pool:\n        return {'combined_score': sum(pool.map(m.double, range(5))) + 3}\n",
        "    import multiprocessing\n    m = load(path)\n    m.double(1)\n    with multiprocessing.get_context('fork').Pool(2) as pool:\n        return {'combined_score': sum(pool.starmap(call, [(path, n) for n in range(5)])) + 3}\n\ndef call(path, n):\n    return load(path).double(n)\n",
    ];
    for style in styles {
        let bench = bench(style, PROGRAM);
        assert_eq!((bench.status.as_str(), bench.score), ("passed", 23.0), "{style}\n{}", bench.detail);
    }
}

#[test]
fn a_call_that_took_too_long_does_not_answer_the_next() {
    let styles = [
        "    import signal\n    m = load(path)\n    def over(*_):\n        raise TimeoutError\n    signal.signal(signal.SIGALRM, over)\n    signal.setitimer(signal.ITIMER_REAL, 0.5)\n    try:\n        m.endless()\n    except TimeoutError:\n        pass\n    return {'combined_score': m.double(4)}\n",
        "    import concurrent.futures\n    m = load(path)\n    pool = concurrent.futures.ThreadPoolExecutor(2)\n    try:\n        pool.submit(m.endless).result(0.5)\n    except concurrent.futures.TimeoutError:\n        pass\n    return {'combined_score': pool.submit(m.double, 4).result()}\n",
        "    import subprocess, sys\n    code = 'import runpy, sys; runpy.run_path(sys.argv[1])[\"endless\"]()'\n    try:\n        subprocess.run([sys.executable, '-c', code, path], timeout=1)\n    except subprocess.TimeoutExpired:\n        pass\n    return {'combined_score': load(path).double(4)}\n",
    ];
    for style in styles {
        let bench = bench(style, PROGRAM);
        assert_eq!((bench.status.as_str(), bench.score), ("passed", 8.0), "{style}\n{}", bench.detail);
    }
}

/// Looks for a mistake that every candidate here makes: `answer` is wrong for half of the inputs, so an honest score is
/// 0.5. It measures time, compares with numbers of its own, and keeps its key in a file, as evaluators do.
const GRADER: &str = "
import json, os, sys, time

KEY = [4.0, 9.0, 16.0, 25.0]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'key.json'), 'w') as f:
    json.dump(KEY, f)


def same(a, b):
    return abs(a - b) < 1e-9


def evaluate(path):
    started = time.perf_counter()
    m = load(path)
    key = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'key.json')))
    right = 0
    for x, expected in zip([2.0, 3.0, 4.0, 5.0], key):
        try:
            right += bool(same(float(m.answer(x)), expected))
        except Exception:
            pass
    seconds = time.perf_counter() - started
    metrics = {'combined_score': right / len(KEY), 'seconds': seconds, 'right': right}
    return metrics
";

/// An honest start of every attack: right for even inputs only.
const HONEST: &str = "def answer(x):\n    return x * x if x % 2 == 0 else 0.0\n";

#[test]
fn a_candidate_that_attacks_its_evaluator_gains_nothing() {
    let evaluator = format!("{LOAD}{GRADER}");
    let honest = bench_with(&evaluator, HONEST, &[]);
    assert_eq!((honest.status.as_str(), honest.score), ("passed", 0.5), "{}", honest.detail);

    // Attack, and whether it works where the evaluator imports the candidate: those are the ones that must not here.
    let attacks: &[(&str, bool)] = &[
        // What looks like a number and is none.
        (
            "class Any(float):\n    def __float__(self): return self\n    def __sub__(self, o): return 0.0\n    __rsub__ = __sub__\n    def __abs__(self): return 0.0\ndef answer(x):\n    return Any(1.0)\n",
            false,
        ),
        (
            "class Any:\n    def __float__(self):\n        import sys\n        return sys._getframe(1).f_locals['expected']\ndef answer(x):\n    return Any()\n",
            true,
        ),
        // The stack, the heap, the module.
        (
            "import sys\ndef answer(x):\n    frame = sys._getframe()\n    while frame:\n        if 'expected' in frame.f_locals: return frame.f_locals['expected']\n        frame = frame.f_back\n",
            true,
        ),
        (
            "import gc\ndef answer(x):\n    for found in gc.get_objects():\n        if isinstance(found, dict) and 'KEY' in found and 'same' in found:\n            found['same'] = lambda a, b: True\n    return 0.0\n",
            true,
        ),
        (
            "import sys\nsys.modules['evaluation_module'].__dict__['same'] = lambda a, b: True\ndef answer(x):\n    return 0.0\n",
            true,
        ),
        ("import builtins\nbuiltins.abs = lambda x: 0.0\ndef answer(x):\n    return 0.0\n", true),
        ("import builtins\nbuiltins.zip = lambda *lists: [(2.0, 0.0)] * 4\ndef answer(x):\n    return 0.0\n", true),
        (
            "import time, json\ntime.perf_counter = lambda: 0.0\njson.load = lambda f: [0.0] * 4\ndef answer(x):\n    return 0.0\n",
            true,
        ),
        // Files: the key, the evaluator, its results.
        (
            "import json, glob\ndef answer(x):\n    for name in glob.glob('/work/**/key.json', recursive=True) + ['/work/task/key.json']:\n        return json.load(open(name))[int(x) - 2]\n",
            true,
        ),
        (
            "import os\nfor folder, _, names in os.walk('/work'):\n    for name in names:\n        try: open(os.path.join(folder, name), 'w').write('[0.0, 0.0, 0.0, 0.0]')\n        except OSError: pass\ndef answer(x):\n    return 0.0\n",
            true,
        ),
        // The end of the process, at every moment.
        ("import os\nos._exit(0)\n", false),
        ("import os\ndef answer(x):\n    os._exit(0)\n", false),
        ("import sys\ndef answer(x):\n    sys.exit(0)\n", false),
        ("import os\ndef answer(x):\n    os.kill(os.getpid(), 9)\n", false),
        ("import os, signal\ndef answer(x):\n    os.kill(-1, signal.SIGKILL)\n", false),
        // Results printed, and written to every descriptor, in the forms of all drivers.
        (
            "import os, struct\nlines = [b'\\n0123456789abcdef0123456789abcdef {\"task\":0,\"end\":\"done\",\"code\":0,\"said\":\"r 1\"}\\n', b'r {\"metrics\":[],\"combined\":\"1.0\",\"artifacts\":[]}\\n.\\n']\nframe = b'r[\"value\",9.0]'\nlines.append(struct.pack('<I', len(frame)) + frame)\nlines.append(b'r' + struct.pack('<II', 0, 10) + b'\\n{}.......')\nlines.append(lines[2] * 100)\nfor fd in range(64):\n    for line in lines:\n        try: os.write(fd, line)\n        except OSError: pass\ndef answer(x):\n    for fd in range(64):\n        try: os.write(fd, lines[2])\n        except OSError: pass\n    return 0.0\n",
            false,
        ),
        // A process that is left behind to answer the next call.
        (
            "import os, struct, time\ndef answer(x):\n    if os.fork() == 0:\n        if os.fork() == 0:\n            frame = b'r[\"value\",9.0]'\n            end = time.time() + 3\n            while time.time() < end:\n                for fd in range(3, 32):\n                    try: os.write(fd, struct.pack('<I', len(frame)) + frame)\n                    except OSError: pass\n        os._exit(0)\n    return 0.0\n",
            false,
        ),
        // Its own driver: every answer says more than it should.
        (
            "import sys\nmain = sys.modules['__main__']\nfor name in ('written', 'answer', 'call', 'failure', 'surface'):\n    setattr(main, name, lambda *a, **k: '[\"value\",{\"k\":0}]')\ndef answer(x):\n    return 0.0\n",
            false,
        ),
        (
            "import sys\nmain = sys.modules['__main__']\nmain.written = lambda *a, **k: '{\"p\":\"gASVJAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAlleGl0IDAgIyCUhZRSlC4=\"}'\ndef answer(x):\n    return 0.0\n",
            false,
        ),
        // Pickles, as bytes and as objects.
        (
            "import os\nclass Evil:\n    def __reduce__(self): return (os.system, ('touch /work/task/owned',))\ndef answer(x):\n    return Evil()\n",
            false,
        ),
        // Too much, too deep, not a number.
        ("def answer(x):\n    return [[]] * 10 ** 9\n", false),
        ("def answer(x):\n    deep = []\n    for _ in range(10 ** 5): deep = [deep]\n    return deep\n", false),
        ("def answer(x):\n    return 10 ** 10 ** 7\n", false),
        (
            "import sys\nmain = sys.modules['__main__']\nmain.answer = lambda *a: '[\"unfit\",\"' + chr(0x1f600) * (4 << 20) + '\"]'\ndef answer(x):\n    return 0.0\n",
            false,
        ),
        (
            "import sys\nmain = sys.modules['__main__']\nmain.answer = lambda *a: '[\"value\",[' + '1,' * (8 << 20) + '1]]'\ndef answer(x):\n    return 0.0\n",
            false,
        ),
        ("def answer(x):\n    return float('nan')\n", false),
        ("def answer(x):\n    return b'\\x00' * (1 << 30)\n", false),
        (
            "import os\ndef answer(x):\n    while True: os.write(1, b'x' * 65536) or os.write(2, b'x')\n    return 0\n",
            false,
        ),
        // Names that would take the place of the evaluator's.
        (
            "__builtins__ = {}\n__loader__ = 1\nsame = lambda a, b: True\nabs = lambda x: 0.0\nKEY = [0.0] * 4\ndef __getattr__(name): return 1\ndef answer(x):\n    return 0.0\n",
            false,
        ),
        // An exception that would end the loop early, and one whose message lies.
        ("def answer(x):\n    raise StopIteration\n", false),
        ("class E(Exception):\n    def __str__(self): raise SystemExit\ndef answer(x):\n    raise E\n", false),
    ];
    for (attack, works_together) in attacks {
        let split = bench_with(&evaluator, attack, &[]);
        assert!(split.score <= 0.5, "gained {}: {attack}\n{}", split.score, split.detail);
        assert!(split.metrics["seconds"].as_f64().is_none_or(|s| s > 0.0), "stopped the clock: {attack}");
        if *works_together {
            assert_eq!(split.score, 0.0, "{attack}\n{}", split.detail);
            let together = bench_with(&evaluator, attack, &["--isolation", "together"]);
            assert!(together.score > 0.5, "no attack at all: {attack}\n{}", together.detail);
        }
    }
}

#[test]
fn a_candidate_that_stops_its_own_clock_does_not_stop_the_evaluators() {
    let evaluator = evaluator(
        "    import time\n    m = load(path)\n    start = time.perf_counter()\n    m.work()\n    return {'combined_score': 1.0 if time.perf_counter() - start < 0.2 else 0.0}\n",
    );
    let program = "import time\nfor name in ('time', 'perf_counter', 'monotonic'):\n    setattr(time, name, lambda: 0.0)\ndef work():\n    time.sleep(0.5)\n";
    let split = bench_with(&evaluator, program, &[]);
    assert_eq!((split.status.as_str(), split.score), ("passed", 0.0), "{}", split.detail);
    assert_eq!(bench_with(&evaluator, program, &["--isolation", "together"]).score, 1.0, "no attack at all");
}

#[test]
fn evaluator_and_candidate_do_not_see_each_others_files() {
    // The words are put together at run time, so that who looks for them does not find itself.
    let search = "import subprocess\ndef found(word):\n    return len(subprocess.run(['grep', '-rlF', word, '/work', '/tmp'], capture_output=True, text=True).stdout.split())\n";
    let evaluator = format!(
        "{LOAD}{search}# the evaluator's mark\ndef evaluate(path):\n    m = load(path)\n    assert found(\"the evaluator's \" + 'mark')\n    here = found(\"the candidate's \" + 'mark')\n    return {{'combined_score': float(here + m.found(\"the evaluator's \" + 'mark'))}}\n"
    );
    let program = format!("{search}# the candidate's mark\n");
    let split = bench_with(&evaluator, &program, &[]);
    assert_eq!((split.status.as_str(), split.score), ("passed", 0.0), "{}", split.detail);
    let together = bench_with(&evaluator, &program, &["--isolation", "together"]);
    assert_eq!(together.score, 2.0, "{}", together.detail);
}

#[test]
fn an_evaluator_that_cannot_work_so_stops_the_run_and_names_the_other_tier() {
    let program = "import random\nVALUE = 1\nclass Thing:\n    x = 1\ndef thing():\n    return Thing()\ndef call(x):\n    return 1\ndef sort(xs):\n    xs.sort()\ndef read(path):\n    return open(path).read()\n";
    let cases = [
        ("    return {'combined_score': load(path).thing().x}\n", "thing() returned a program.Thing"),
        ("    return {'combined_score': load(path).Thing().x}\n", "uses 'Thing', which is a type"),
        (
            "    import random\n    return {'combined_score': load(path).call(random.Random())}\n",
            "call() with a random.Random",
        ),
        (
            "    m = load(path)\n    try:\n        m.thing()\n    except Exception:\n        pass\n    return {'combined_score': 1}\n",
            "thing() returned",
        ),
        (
            "    xs = [2, 1]\n    load(path).sort(xs)\n    return {'combined_score': xs[0]}\n",
            "changed its argument in place",
        ),
        (
            "    m = load(path)\n    m.VALUE = 2\n    return {'combined_score': m.call(1)}\n",
            "changes 'VALUE' in the candidate",
        ),
        (
            "    m = load(path)\n    m.random = None\n    return {'combined_score': m.call(1)}\n",
            "puts something new into the candidate",
        ),
        ("    return {'combined_score': len(open(path).read()) + load(path).call(1)}\n", "reads the candidate's text"),
        ("    import os\n    os._exit('VALUE' in open(path).read())\n", "reads the candidate's text"),
        (
            "    import inspect\n    return {'combined_score': len(inspect.getsource(load(path)))}\n",
            "reads the candidate's text",
        ),
        (
            "    import time\n    m = load(path)\n    return {'combined_score': time.process_time()}\n",
            "time.process_time()",
        ),
        (
            "    open('/tmp/data.txt', 'w').write('1')\n    return {'combined_score': int(load(path).read('/tmp/data.txt'))}\n",
            "opens '/tmp/data.txt', a file that is in the evaluator's cage",
        ),
        (
            "    space = dict(globals())\n    exec(open(path).read(), space)\n    return {'combined_score': 1}\n\ndef call(x):\n    return 2\n",
            "both have a 'call'",
        ),
        (
            "    import sys\n    sys.path.insert(0, '/work/genome')\n    space = {}\n    exec('from initial_program import *', space)\n    return {'combined_score': 1}\n",
            "with '*'",
        ),
    ];
    for (body, why) in cases {
        let project = Project::openevolve(&evaluator(body), "evaluator:\n  cascade_evaluation: false\n");
        project.write("initial_program.py", program);
        let run = ["run", ".", "--proposer", "mutate", "--jobs", "1", "--evals", "4"];
        project.meliora(&run).exits(3).says(&["the evaluator gave no verdict", why, "`--isolation together`"]);
        project.chain_holds();
    }
    // What a file beside the evaluator is needed for, the message says too.
    let project = Project::openevolve(&evaluator("    return {'a': load(path).n}\n"), "");
    project.write("helper.py", "n = 1\n");
    project.write("initial_program.py", "from helper import n\n");
    project.meliora(&["run", "."]).exits(3).says(&["imports 'helper', which is beside", "`--isolation together`"]);
    project
        .meliora(&["bench", ".", "--isolation", "together"])
        .exits(0)
        .says(&["validation score 1.0000", "tier `together`"]);

    let project = Project::openevolve("def evaluate(path):\n    return {'a': 1}\n", "");
    std::fs::rename(project.path("initial_program.py"), project.path("initial_program.rs")).unwrap();
    project.meliora(&["run", "."]).exits(3).says(&["only Python programs can", "`--isolation together`"]);
    project.meliora(&["bench", ".", "--isolation", "together"]).exits(0).says(&["validation score 1.0000"]);
    let native = Project::add();
    native.meliora(&["bench", ".", "--isolation", "split"]).exits(2).says(&["always examined apart"]);
}

/// A Python with numpy: the machine's own, or one that is made for this test.
fn python_with_numpy() -> Option<PathBuf> {
    let has = |python: &Path| {
        let ran = std::process::Command::new(python).args(["-c", "import numpy"]).output();
        ran.is_ok_and(|ran| ran.status.success())
    };
    let named = std::env::var_os("MELIORA_TEST_PYTHON").map(PathBuf::from);
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("numpy");
    let known = named.into_iter().chain(["python3".into(), "/usr/bin/python3".into(), own.join("bin/python3")]);
    if let Some(python) = known.into_iter().find(|python| has(python)) {
        return Some(python);
    }
    let run = |program: &Path, args: &[&str]| {
        std::process::Command::new(program).args(args).output().is_ok_and(|ran| ran.status.success())
    };
    let made = run("python3".as_ref(), &["-m", "venv", own.to_str()?])
        && run(&own.join("bin/python3"), &["-m", "pip", "install", "-q", "numpy"]);
    if !made {
        skip("there is no numpy and pip cannot install it");
        return None;
    }
    Some(own.join("bin/python3"))
}

#[test]
fn numeric_arrays_cross_both_ways_as_they_are() {
    let Some(python) = python_with_numpy() else { return };
    let program = "import numpy as np\nPOINTS = np.arange(3.0)\ndef pack(n):\n    return np.ones((n, 2)) / 3, np.full(n, 0.1, dtype=np.float32), np.float64(n).sum()\ndef twice(x):\n    assert isinstance(x, np.ndarray)\n    return x * 2\ndef draw():\n    return np.random.default_rng(0)\n";
    let body = "    import numpy as np\n    m = load(path)\n    centers, radii, total = m.pack(26)\n    assert centers.shape == (26, 2) and centers.dtype == np.float64 and centers[3, 1] == 1 / 3\n    assert radii.dtype == np.float32 and type(total) is np.float64 and m.POINTS.sum() == 3\n    given = np.arange(6).reshape(2, 3).T\n    assert (m.twice(given) == given * 2).all() and m.twice(np.zeros((0, 4))).shape == (0, 4)\n    assert m.twice(np.array([1 + 2j], dtype='>c16'))[0] == 2 + 4j\n    return {'combined_score': total}\n";
    let flags = ["--python", python.to_str().unwrap()];
    let bench = bench_with(&evaluator(body), program, &flags);
    assert_eq!((bench.status.as_str(), bench.score), ("passed", 26.0), "{}", bench.detail);
    let bench = bench_with(&evaluator("    return {'combined_score': load(path).draw().random()}\n"), program, &flags);
    assert_eq!(bench.status, "garbled");
    assert!(bench.detail.contains("numpy.random._generator.Generator"), "{}", bench.detail);
}

#[test]
fn a_candidate_that_patches_numpy_patches_its_own() {
    let Some(python) = python_with_numpy() else { return };
    let program = "import numpy as np\nfor name in ('allclose', 'array_equal', 'all'):\n    setattr(np, name, lambda *a, **k: True)\nnp.linalg.norm = lambda *a, **k: 0.0\nclass Same(np.ndarray):\n    def __eq__(self, other): return np.ones(3, bool)\n    def __sub__(self, other): return np.zeros(3)\n    def __array_ufunc__(self, *a, **k): return np.zeros(3)\ndef answer():\n    return np.zeros(3).view(Same)\n";
    let evaluator = evaluator(
        "    import numpy as np\n    key = np.array([1.0, 2.0, 3.0])\n    got = load(path).answer()\n    right = np.allclose(got, key) or np.array_equal(got, key) or np.linalg.norm(got - key) < 1 or (got == key).any()\n    return {'combined_score': float(right)}\n",
    );
    let python = python.to_str().unwrap();
    let split = bench_with(&evaluator, program, &["--python", python]);
    assert_eq!(split.score, 0.0, "{}", split.detail);
    let together = bench_with(&evaluator, program, &["--python", python, "--isolation", "together"]);
    assert_eq!(together.score, 1.0, "no attack at all");
}

/// Scores of one program, examined so often in one go.
fn scores(times: usize, evaluator: &str) -> Vec<f64> {
    let project = Project::openevolve(evaluator, "evaluator:\n  timeout: 10\n  cascade_evaluation: false\n");
    project.write("initial_program.py", PROGRAM);
    let ran = project.meliora(&["bench", ".", "--json", "--aa", &times.to_string()]).exits(0);
    let last = ran.objects().pop().unwrap();
    last["means"].as_array().unwrap().iter().map(|mean| mean.as_f64().unwrap()).collect()
}

#[test]
fn an_evaluator_is_loaded_once_for_many_examinations() {
    let body = "    load(path).double(1)\n    return {'combined_score': LOADED}\n";
    let scores = scores(6, &format!("import time\nLOADED = time.monotonic_ns() % 1000003\n{}", evaluator(body)));
    assert_eq!(scores.len(), 6);
    assert!(scores.iter().all(|score| *score == scores[0]), "{scores:?}");
}

#[test]
fn an_examination_finds_nothing_of_the_one_before_it() {
    let cases = [
        ("its variables", "N = [0]\n", "    N[0] += 1\n    return {'combined_score': N[0]}\n"),
        (
            "its environment and modules",
            "import os\n",
            "    import sys\n    seen = 'LEFT' in os.environ or 'left' in sys.modules\n    os.environ['LEFT'] = '1'\n    sys.modules['left'] = sys\n    return {'combined_score': 1 + seen}\n",
        ),
        (
            "its files",
            "import os\n",
            "    seen = len(os.listdir('/tmp'))\n    open('/tmp/left%d' % os.getpid(), 'w').close()\n    return {'combined_score': 1 + seen}\n",
        ),
        (
            "what it changed in a file of the task's",
            "import os\n",
            "    text = open('evaluator.py').read()\n    seen = text.count('LEFT')\n    open('evaluator.py', 'w').write(text + '# ' + 'LE' + 'FT')\n    return {'combined_score': seen}\n",
        ),
        (
            "its shared memory",
            "import os\n",
            "    seen = len(os.listdir('/dev/shm'))\n    open('/dev/shm/left', 'w').close()\n    return {'combined_score': 1 + seen}\n",
        ),
        (
            "its processes",
            "import os, subprocess\n",
            "    seen = sum(b'sleep' in open('/proc/%s/cmdline' % n, 'rb').read() for n in os.listdir('/proc') if n.isdigit() and n != '1')\n    subprocess.Popen(['/bin/sleep', '100'], start_new_session=True)\n    return {'combined_score': 1 + seen}\n",
        ),
        (
            "the place in a file that was opened before",
            "open('/tmp/text', 'w').write('abc')\nTEXT = open('/tmp/text')\n",
            "    return {'combined_score': len(TEXT.read())}\n",
        ),
        (
            "memory that was shared before",
            "import mmap\nSHARED = mmap.mmap(-1, 8)\n",
            "    SHARED[0] += 1\n    return {'combined_score': SHARED[0]}\n",
        ),
        (
            "a process that was started before, which is still there",
            "import subprocess\nLIVES = subprocess.Popen(['/bin/sleep', '100'])\n",
            "    alive = LIVES.poll() is None\n    LIVES.kill()\n    return {'combined_score': int(alive)}\n",
        ),
        (
            "a thread that was started before, which is still there",
            "import threading\nSTOP = threading.Event()\nLIVES = threading.Thread(target=STOP.wait, daemon=True)\nLIVES.start()\n",
            "    alive = LIVES.is_alive()\n    STOP.set()\n    LIVES.join()\n    return {'combined_score': int(alive)}\n",
        ),
    ];
    for (what, before, body) in cases {
        let scores = scores(2, &format!("{before}{}", evaluator(&format!("    load(path).double(1)\n{body}"))));
        assert!(
            scores.len() == 2 && scores.iter().all(|score| *score == scores[0] && *score > 0.0),
            "{what}: {scores:?}"
        );
    }
    let loads = "M = load('/work/genome/initial_program.py')\n\ndef evaluate(path):\n    return {'combined_score': M.double(2)}\n";
    assert_eq!(
        scores(3, &format!("{LOAD}\n{loads}")),
        [4.0; 3],
        "the candidate is asked for while the evaluator is loaded"
    );
}

#[test]
fn an_evaluation_that_ends_its_process_is_told_as_it_ended() {
    let cases = [
        ("    import os\n    os._exit(0)\n", "exited with code 0 and without a result"),
        ("    import os\n    os._exit(3)\n", "exited with code 3"),
        ("    import os\n    os.kill(os.getpid(), 9)\n", "signal 9"),
        ("    import ctypes\n    ctypes.string_at(0)\n", "signal 11"),
    ];
    for (body, why) in cases {
        let bench = bench(body, PROGRAM);
        assert!(bench.status != "passed" && bench.detail.contains(why), "{body}: {} {}", bench.status, bench.detail);
    }
}
