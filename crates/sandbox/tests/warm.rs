//! A warm Python does what a cold one does, and one command's doings are not another's.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use common::{err, out, python};
use meliora_domain::{Ending, Finished, Limits};
use meliora_evolve::{CageSpec, Command, ReadOnly, Sandbox, run_to_end};
use meliora_sandbox::{Namespaces, WarmPython};

/// In the environment of this process, which is a host's; the value is put together at run time.
const CANARY: &str = "MELIORA_TEST_CANARY";

fn main() {
    common::begin();
    // SAFETY: no other thread is there yet.
    unsafe { std::env::set_var(CANARY, canary()) };
    let tests: &[(&str, fn())] = &[
        ("warm_is_warm", warm_is_warm),
        ("a_script_cannot_tell_warm_from_cold", a_script_cannot_tell_warm_from_cold),
        (
            "what_one_command_does_to_its_interpreter_is_gone_for_the_next",
            what_one_command_does_to_its_interpreter_is_gone_for_the_next,
        ),
        ("nothing_of_the_host_is_in_the_memory_of_a_command", nothing_of_the_host_is_in_the_memory_of_a_command),
        ("a_script_has_rehearsed_before_its_command_begins", a_script_has_rehearsed_before_its_command_begins),
        ("what_was_made_ahead_is_shared_and_cannot_be_changed", what_was_made_ahead_is_shared_and_cannot_be_changed),
        ("limits_and_kills_are_those_of_any_command", limits_and_kills_are_those_of_any_command),
        ("no_probe_gets_out", no_probe_gets_out),
        ("chance_differs_from_command_to_command", chance_differs_from_command_to_command),
        (
            "declared_modules_are_imported_once_and_are_as_new_for_each_command",
            declared_modules_are_imported_once_and_are_as_new_for_each_command,
        ),
        (
            "a_declared_module_that_cannot_be_had_is_an_error_that_names_it",
            a_declared_module_that_cannot_be_had_is_an_error_that_names_it,
        ),
        ("numpy_is_warm_works_as_ever_and_draws_anew", numpy_is_warm_works_as_ever_and_draws_anew),
        ("cages_that_wait_are_each_used_once_and_are_as_new", cages_that_wait_are_each_used_once_and_are_as_new),
        ("a_warm_command_has_the_variables_that_it_brings", a_warm_command_has_the_variables_that_it_brings),
        ("other_commands_are_executed_as_ever", other_commands_are_executed_as_ever),
        ("a_python_that_cannot_be_warm_is_cold_and_says_why", a_python_that_cannot_be_warm_is_cold_and_says_why),
        ("ordinary_user_gets_the_same", common::again_as_an_ordinary_user),
        ("ordinary_user_with_ranges_gets_the_same", common::again_with_ranges),
    ];
    common::run_tests(tests);
}

fn canary() -> String {
    ["sk", "canary", "7f3a9c"].join("-")
}

fn environment() -> Vec<(String, String)> {
    [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into_iter()
    .chain([("LD_LIBRARY_PATH".to_owned(), library_folder())])
    .collect()
}

/// For a Python that was moved, as in the ordinary user's run.
fn library_folder() -> String {
    python().prefix.join("lib").display().to_string()
}

/// The warm form of the Python that the other tests use.
fn warm_python() -> WarmPython {
    let ask = "import os, sys, sysconfig; c = sysconfig.get_config_var; \
               print(sys.version.replace(chr(10), ' ')); print(sys.version_info >= (3, 11)); \
               print(next((p for d in (c('LIBDIR'), os.path.join(c('LIBDIR'), c('MULTIARCH') or ''), os.path.join(sys.base_prefix, 'lib')) \
               for p in (os.path.join(d, c('INSTSONAME')),) if os.path.isfile(p)), ''))";
    let told = std::process::Command::new(&python().program)
        .args(["-I", "-c", ask])
        .env("LD_LIBRARY_PATH", library_folder())
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let mut flags = vec!["-s".to_owned(), "-S".to_owned()];
    if lines[1] == "True" {
        flags.push("-P".to_owned());
    }
    WarmPython {
        program: python().program.clone().into(),
        library: Some(PathBuf::from(lines[2])).filter(|path| !path.as_os_str().is_empty()),
        version: lines[0].to_owned(),
        flags,
        env: environment(),
        modules: [
            "os",
            "json",
            "re",
            "random",
            "collections",
            "functools",
            "dataclasses",
            "importlib.util",
            "threading",
            "traceback",
            "heapq",
        ]
        .map(str::to_owned)
        .into(),
        required: Vec::new(),
        search: Vec::new(),
        scripts: vec![
            ("/work/known.py".to_owned(), KNOWN.to_owned()),
            ("/work/ahead.py".to_owned(), AHEAD.to_owned()),
            ("/work/counts.py".to_owned(), COUNTS.to_owned()),
        ],
    }
}

/// A script that is compiled beforehand.
const KNOWN: &str =
    "import sys\nprint('known', sys.argv, __name__, __file__)\ndef f(): raise ValueError('here')\nf()\n";

/// One that is executed beforehand, up to its last lines.
const AHEAD: &str = "import sys\nimport select\n\n\nclass C:\n    pass\n\n\ndef rehearse(lend):\n    import json\n    with open(lend('text')) as file:\n        assert file.read() == 'text'\n    sys.path.append('/rehearsed')\n\n\ndef main():\n    print(sys.argv, sorted(globals()), __name__, __file__, C.__module__, main.__code__.co_firstlineno, sys.path, 'json' in sys.modules, sys.modules['__main__'].__dict__ is globals(), select.select([], [], [], 0))\n    raise ValueError('here')\n\n\nif __name__ == \"__main__\":\n    main()\n";

/// One that counts its rehearsals.
const COUNTS: &str = "count = 0\n\n\ndef rehearse(lend):\n    global count\n    count += 1\n\n\ndef main():\n    print(count)\n\n\nif __name__ == \"__main__\":\n    main()\n";

fn sandboxes() -> &'static [(&'static str, Namespaces); 3] {
    static ALL: OnceLock<[(&str, Namespaces); 3]> = OnceLock::new();
    ALL.get_or_init(|| {
        [
            ("cold", Namespaces::warm(None).expect("a cage with every layer")),
            ("warm", Namespaces::warm(Some(&warm_python())).expect("a cage with every layer")),
            // Its commands have waited.
            (
                "waiting",
                Namespaces::warm(Some(&warm_python())).and_then(|s| s.ahead(2)).expect("a cage with every layer"),
            ),
        ]
    })
}

fn spec(limits: Limits) -> CageSpec {
    let mut spec = CageSpec::manual();
    spec.limits = limits;
    spec.read_only = vec![ReadOnly { path: python().prefix.clone() }];
    spec.env = environment();
    spec
}

fn argv(script: &str, rest: &[&str]) -> Vec<String> {
    let warm = warm_flags();
    let words = std::iter::once(python().program.as_str()).chain(warm.iter().map(String::as_str));
    words.chain([script]).chain(rest.iter().copied()).map(str::to_owned).collect()
}

fn warm_flags() -> &'static Vec<String> {
    static FLAGS: OnceLock<Vec<String>> = OnceLock::new();
    FLAGS.get_or_init(|| warm_python().flags)
}

fn run_in(sandbox: &Namespaces, limits: Limits, files: &[(&str, &str)], argv: Vec<String>, stdin: &[u8]) -> Finished {
    let cage = sandbox.open(spec(limits)).expect("the cage opens");
    for (path, text) in files {
        cage.put(path, text.as_bytes(), false).unwrap();
    }
    let command = Command { argv, ..Command::default() };
    run_to_end(&*cage, &command, stdin).expect("our machinery holds")
}

fn warm(code: &str) -> Finished {
    run_in(&sandboxes()[1].1, Limits::default(), &[("/work/s.py", code)], argv("/work/s.py", &[]), b"")
}

fn warm_is_warm() {
    let [(_, cold), (_, warm_one), _] = sandboxes();
    assert!(warm_one.describe().ends_with("python: warm"), "{}", warm_one.describe());
    // Only a command that was not executed still has this program's image.
    let code = "import os; print(os.readlink('/proc/self/exe'))";
    let this = std::env::current_exe().unwrap();
    let name = this.file_name().unwrap().to_str().unwrap();
    assert!(out(&warm(code)).trim().ends_with(name), "{}{}", out(&warm(code)), err(&warm(code)));
    let run = run_in(cold, Limits::default(), &[("/work/s.py", code)], argv("/work/s.py", &[]), b"");
    assert!(out(&run).trim().ends_with(&python().program), "{}", out(&run));
}

/// Name, script, files beside it.
const SCRIPTS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("exit 0", "raise SystemExit"),
    ("exit 7", "import sys; sys.exit(7)"),
    ("exit with a text", "raise SystemExit('why')"),
    ("exit with an object", "raise SystemExit([1])"),
    ("exit with a large number", "raise SystemExit(2**40)"),
    ("exit at once", "import os; print('lost', end=''); os._exit(3)"),
    ("an error", "def f(n):\n    return 1 / n\n\nf(0)\n"),
    ("a chained error", "try:\n    {}['x']\nexcept KeyError as e:\n    raise RuntimeError('no') from e\n"),
    ("a syntax error", "x = (1,\ny = 2\n"),
    ("a zero byte", "x = 1\0\n"),
    ("a bad encoding", "# coding: nonsense\n"),
    ("latin 1", "# coding: latin-1\nprint(len('é'))\n"),
    ("interrupted", "raise KeyboardInterrupt"),
    ("an excepthook", "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1/0"),
    ("input", "import sys; print(repr(sys.stdin.read())); print(sys.stdin.buffer.read())"),
    ("input by line", "print([input(), input()])"),
    (
        "streams",
        "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr, sys.__stdout__): print(s.name, s.encoding, s.errors, s.line_buffering, s.newlines, s.isatty(), s.mode, s.fileno(), s.buffer.raw.mode, s.seekable(), s is sys.__stdout__)",
    ),
    ("order of output", "import sys, os\nprint('a'); sys.stderr.write('e'); os.write(1, b'b'); print('c')"),
    ("closed output", "import os\nprint('x'); os.close(1)"),
    ("arguments", "import sys; print(sys.argv, getattr(sys, 'orig_argv', None))"),
    ("environment", "import os; print(sorted(os.environ.items())); os.system('env | sort')"),
    (
        "changed environment",
        "import os, subprocess; os.environ['NEW'] = 'x'; del os.environ['HOME']; print(subprocess.run(['env'], capture_output=True, text=True).stdout.count('NEW=x'))",
    ),
    ("place", "import os; print(os.getcwd(), os.getuid(), os.getpid() > 1, os.getppid(), os.getsid(0) == os.getpid())"),
    (
        "search path",
        "import sys; print(sys.path, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.executable, sys.flags, sys.version, sys.warnoptions, sys._xoptions)",
    ),
    (
        "main module",
        "import sys; print(sorted(globals()), __name__, __file__, __spec__, __package__, __doc__, type(__loader__).__name__, sys.modules['__main__'].__dict__ is globals(), __builtins__)",
    ),
    ("modules at the start", "import sys; print(sorted(sys.modules))"),
    (
        "modules after imports",
        "import json, collections, random, threading, heapq, sys; print([m for m in ('json.decoder', 'collections.abc', 'os.path', 'importlib.util', 'dataclasses', 'inspect', 're', 'traceback') if m in sys.modules])",
    ),
    (
        "modules are themselves",
        "import json, sys, os, collections.abc, importlib.util, re\nfor m in (json, json.decoder, os, os.path, collections, collections.abc, importlib, importlib.util, re): print(m.__name__, m.__spec__.name, m.__spec__.origin, type(m.__spec__.loader), type(getattr(m, '__loader__', None)), m.__spec__.submodule_search_locations)",
    ),
    (
        "a submodule that was not asked for",
        "import importlib; print(hasattr(importlib, 'util')); import importlib.util; print(importlib.util.find_spec('json').origin)",
    ),
    ("reload", "import json, importlib; print(importlib.reload(json) is json, json.dumps([1]))"),
    (
        "pickle",
        "import pickle, collections; P = collections.namedtuple('P', 'x'); print(pickle.loads(pickle.dumps(P(1))))",
    ),
    ("hashes", "print(hash('text'), {'a', 'b', 'c', 'd'})"),
    (
        "signals",
        "import signal; print([(s.name, signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGUSR1)] == [(s.name, signal.getsignal(s)) for s in ()], signal.getsignal(2) is signal.default_int_handler, signal.getsignal(13), signal.getsignal(25), signal.getsignal(15), signal.pthread_sigmask(0, []), int(open('/proc/self/status').read().split('SigIgn:')[1].split()[0], 16) & 0x7fffffff)",
    ),
    ("a handler", "import signal, os\nsignal.signal(10, lambda *a: print('got', a[0])); os.kill(os.getpid(), 10)"),
    (
        "interrupt by signal",
        "import os\ntry:\n    os.kill(os.getpid(), 2)\n    while True: pass\nexcept KeyboardInterrupt: print('caught')",
    ),
    ("killed by itself", "import os; os.kill(os.getpid(), 9)"),
    (
        "at exit",
        "import atexit, threading, time\natexit.register(print, 'bye')\nthreading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()\nprint('end')",
    ),
    (
        "unflushed file",
        "f = open('/work/o', 'w'); f.write('kept')\nimport atexit, os\nclass C:\n    def __del__(self): print('gone', flush=True)\nc = C()",
    ),
    (
        "subprocess of itself",
        "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'import sys; print(6*7, sys.path[1:])'], capture_output=True, text=True))",
    ),
    (
        "multiprocessing",
        "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n    with m.get_context('fork').Pool(2) as p: print(p.map(f, range(4)))",
    ),
    (
        "spawned process",
        "import multiprocessing as m\ndef f(q): q.send(40 + 2)\nif __name__ == '__main__':\n    a, b = m.Pipe(); p = m.get_context('spawn').Process(target=f, args=(b,)); p.start(); print(a.recv()); p.join(); print(p.exitcode)",
    ),
    (
        "threads",
        "import threading\nout = []\nts = [threading.Thread(target=out.append, args=(i,)) for i in range(8)]\n[t.start() for t in ts]; [t.join() for t in ts]; print(sorted(out), threading.main_thread() is threading.current_thread(), threading.get_native_id() == __import__('os').getpid())",
    ),
    (
        "fork",
        "import os\np = os.fork()\nif p == 0: print('child', flush=True); os._exit(4)\nprint(os.waitpid(p, 0)[1] >> 8)",
    ),
    (
        "recursion",
        "import sys\ndef f(n): return f(n + 1)\ntry: f(0)\nexcept RecursionError as e: print(e, sys.getrecursionlimit())",
    ),
    ("memory", "try: x = bytearray(3 << 30)\nexcept MemoryError: print('no')"),
    ("descriptors", "import os; print(sorted(os.listdir('/proc/self/fd')))"),
    ("open files", "print([open('/dev/null').fileno() for _ in range(2)])"),
    ("limits", "import resource as r; print([r.getrlimit(i) for i in range(16)])"),
    (
        "status",
        "print([l for l in open('/proc/self/status') if l.split(':')[0] in ('NoNewPrivs', 'Seccomp', 'CapEff', 'CapBnd', 'Uid', 'SigBlk', 'SigCgt', 'Threads', 'Groups')])",
    ),
    (
        "seen by others",
        "import os; print(oct(os.stat('/proc/self/mem').st_mode), os.stat('/proc/self').st_uid, os.access('/proc/self/environ', os.R_OK))",
    ),
    ("warnings", "import warnings; warnings.warn('careful'); print('x' is 'x')"),
    (
        "typing",
        "import dataclasses, typing, enum\n@dataclasses.dataclass\nclass D:\n    x: int = 1\nclass E(enum.Enum): A = 1\nprint(D(), E.A, typing.Optional[int])",
    ),
    ("garbage", "import gc; print(gc.isenabled(), gc.get_threshold())"),
    (
        "late imports",
        "import decimal, statistics, sqlite3, ctypes, datetime; print(decimal.Decimal(1) / 3, statistics.mean([1, 2]))",
    ),
    ("annotations", "x: int = 1\nprint(__annotations__)"),
    ("asyncio", "import asyncio\nasync def f(): await asyncio.sleep(0); return 5\nprint(asyncio.run(f()))"),
];

fn a_script_cannot_tell_warm_from_cold() {
    let mut differ = BTreeMap::new();
    for (name, script) in SCRIPTS {
        let ran = sandboxes().each_ref().map(|(_, sandbox)| {
            let run = run_in(
                sandbox,
                Limits::default(),
                &[("/work/s.py", script)],
                argv("/work/s.py", &["a", "-b"]),
                "eins\nzwei é\n".as_bytes(),
            );
            (out(&run), err(&run), run.ending)
        });
        if ran[0] != ran[1] || ran[0] != ran[2] {
            differ.insert(name, ran);
        }
    }
    // A module of the command's own goes before one of the library, as ever.
    let own: &[(&str, &[(&str, &str)])] = &[
        (
            "own heapq",
            &[
                (
                    "/work/s.py",
                    "import sys; sys.path.insert(0, '/work/m')\nimport heapq, random; print(heapq.__file__, random.choice([1]))",
                ),
                ("/work/m/heapq.py", ""),
            ],
        ),
        (
            "own package",
            &[
                (
                    "/work/s.py",
                    "import sys; sys.path.insert(0, '/work/m')\nimport json; print(json.__file__); import json.decoder",
                ),
                ("/work/m/json/__init__.py", ""),
            ],
        ),
        (
            "own needed module",
            &[
                ("/work/s.py", "import sys; sys.path.insert(0, '/work/m')\nimport random; print(random.__file__)"),
                ("/work/m/bisect.py", ""),
            ],
        ),
        (
            "own module of another kind",
            &[
                (
                    "/work/s.py",
                    "import sys; sys.path.insert(0, '/work/m')\nimport heapq; print(heapq.nlargest(1, [3]))",
                ),
                ("/work/m/heapq.txt", ""),
            ],
        ),
        ("known", &[("/work/known.py", KNOWN)]),
        ("ahead", &[("/work/ahead.py", AHEAD)]),
        ("changed since", &[("/work/known.py", "print('other')")]),
        ("missing", &[]),
    ];
    for (name, files) in own {
        let script = files.first().map_or("/work/none.py", |file| file.0);
        let ran = sandboxes().each_ref().map(|(_, sandbox)| {
            let run = run_in(sandbox, Limits::default(), files, argv(script, &[]), b"");
            (out(&run), err(&run), run.ending)
        });
        if ran[0] != ran[1] || ran[0] != ran[2] {
            differ.insert(name, ran);
        }
    }
    assert!(differ.is_empty(), "cold, warm, waiting: {differ:#?}");
}

fn a_script_has_rehearsed_before_its_command_begins() {
    let ran = sandboxes().each_ref().map(|(_, sandbox)| {
        let files = [("/work/counts.py", COUNTS)];
        out(&run_in(sandbox, Limits::default(), &files, argv("/work/counts.py", &[]), b""))
    });
    assert_eq!(ran, ["0\n", "40\n", "40\n"]);
}

/// The memory of the zygote is a sealed file, which no command can reach but through copies of its pages.
fn what_was_made_ahead_is_shared_and_cannot_be_changed() {
    let code = "import os\nlines = [line.split()[0] for line in open('/proc/self/maps') if 'memfd:frozen' in line]\nopened = []\n\
                for span in lines:\n    for how in (os.O_RDWR, os.O_RDONLY):\n        try: opened.append(os.open('/proc/self/map_files/' + span, how))\n        except OSError: pass\n\
                print(len(lines) > 3, opened)";
    let run = warm(code);
    assert_eq!(out(&run), "True []\n", "{}", err(&run));
}

fn what_one_command_does_to_its_interpreter_is_gone_for_the_next() {
    let spoil = "import json, os, sys, builtins, random, re\njson.dumps = None; os.environ['LEFT'] = 'x'; sys.path.append('/left'); builtins.divmod = None\n\
                 sys.modules['left'] = json; open('/tmp/left', 'w').write('x'); open('/work/left', 'w').write('x'); re.compile = None; sys.meta_path.clear(); print('done')";
    let look = "import json, os, sys, re\nprint(json.dumps([divmod(5, 2)[0]]), 'LEFT' in os.environ, '/left' in sys.path, 'left' in sys.modules, bool(re.compile('x')), os.listdir('/tmp'), sorted(os.listdir('/work')))";
    assert_eq!(out(&warm(spoil)), "done\n");
    assert_eq!(out(&warm(look)), "[2] False False False True [] ['s.py']\n");
    // In one cage the files are shared, the interpreter is not.
    let cage = sandboxes()[1].1.open(spec(Limits::default())).unwrap();
    cage.put("/work/spoil.py", spoil.as_bytes(), false).unwrap();
    cage.put("/work/look.py", look.as_bytes(), false).unwrap();
    let mut told = String::new();
    for script in ["/work/spoil.py", "/work/look.py"] {
        let command = Command { argv: argv(script, &[]), ..Command::default() };
        told += &out(&run_to_end(&*cage, &command, b"").unwrap());
    }
    assert_eq!(told, "done\n[2] False False False True ['left'] ['left', 'look.py', 'spoil.py']\n");
}

fn nothing_of_the_host_is_in_the_memory_of_a_command() {
    let scan = "
needles = [b'-'.join([b'sk', b'canary', b'7f3a9c']), b'_'.join([b'MELIORA', b'TEST', b'CANARY']) + b'=']
marker = bytearray(b'find-' + b'me-here'); found, seen, regions = [], False, 0
del needles[1:]
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
    for line in maps.read().splitlines():
        span, rights = line.split()[:2]
        if 'r' not in rights or '[v' in line: continue
        low, high = (int(x, 16) for x in span.split('-'))
        memory.seek(low)
        try: data = memory.read(high - low)
        except OSError: continue
        regions += 1
        seen = seen or bytes(marker) in data
        for needle in needles:
            at = data.find(needle)
            while at >= 0:
                found.append(low + at)
                at = data.find(needle, at + 1)
import gc
own = [id(n) for n in needles]
found = [a for a in found if not any(i <= a < i + 200 for i in own)]
print(len(found), seen, regions > 20)
";
    // The needle itself, put together in the script, lies in a few temporary places; what counts is that a value which is
    // in this process's environment and nowhere in the script adds none. So the same scan without it must find as many.
    let run = warm(scan);
    let other = warm(&scan.replace("7f3a9c", "7f3a9d"));
    assert!(out(&run).trim_end().ends_with("True True"), "{}{}", out(&run), err(&run));
    assert_eq!(out(&run), out(&other));
    let environ = warm("print(open('/proc/self/environ').read())");
    assert!(!out(&environ).contains(&canary()) && !out(&environ).contains(CANARY), "{}", out(&environ));
    // The image of this program cannot be read or executed through the link to it.
    let image = warm(
        "import os\nfor way in (lambda: open('/proc/self/exe', 'rb'), lambda: os.execv('/proc/self/exe', ['x'])):\n    try: way(); print('open')\n    except OSError: print('closed')",
    );
    assert_eq!(out(&image), "closed\nclosed\n", "{}", err(&image));
}

fn limits_and_kills_are_those_of_any_command() {
    let sandbox = &sandboxes()[1].1;
    let run = |limits: Limits, code: &str| {
        run_in(sandbox, limits, &[("/work/s.py", code)], argv("/work/s.py", &[]), b"").ending
    };
    let hang = Limits { wall: std::time::Duration::from_millis(300), ..Limits::default() };
    assert_eq!(run(hang, "while True: pass"), Ending::WallClock);
    assert_eq!(run(Limits { cpu_seconds: 1, ..Limits::default() }, "while True: pass"), Ending::CpuTime);
    assert_eq!(run(Limits { output: 1000, ..Limits::default() }, "print('x' * 5000)"), Ending::OutputCap);
    // Shared memory, which the resource limit does not count and the watch must see.
    let small = Limits { memory: 64 << 20, ..Limits::default() };
    assert_eq!(
        run(
            small.clone(),
            "import mmap, time\nm = mmap.mmap(-1, 200 << 20)\nfor i in range(0, len(m), 4096): m[i] = 1\ntime.sleep(20)"
        ),
        Ending::Memory
    );
    let forked = "import mmap, os, time\nif os.fork() == 0:\n    m = mmap.mmap(-1, 200 << 20)\n    for i in range(0, len(m), 4096): m[i] = 1\ntime.sleep(20)";
    assert_eq!(run(small.clone(), forked), Ending::Memory);
    // A program cannot hide from the watch: it may not, or is seen anyway.
    let hidden = format!("import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n{forked}");
    assert_eq!(run(small, &hidden), Ending::Memory);
    let usage = sandbox.open(spec(Limits::default())).unwrap();
    usage.put("/work/s.py", b"x = bytearray(50 << 20); sum(range(3000000))", false).unwrap();
    run_to_end(&*usage, &Command { argv: argv("/work/s.py", &[]), ..Command::default() }, b"").unwrap();
    let used = usage.usage();
    assert!(used.cpu_seconds > 0.01 && used.peak_memory > 50 << 20, "{used:?}");
    let nowhere = Command { argv: argv("/work/s.py", &[]), cwd: "/work/none".into(), ..Command::default() };
    let nowhere = run_to_end(&*usage, &nowhere, b"").unwrap();
    assert_eq!(nowhere.ending, Ending::Exited(126));
    assert!(err(&nowhere).contains("folder"), "{}", err(&nowhere));
}

fn no_probe_gets_out() {
    let probes = include_str!("escape.rs");
    let probes = probes.split("const PROBES: &str = r#\"").nth(1).unwrap().split("\"#;").next().unwrap();
    let probes = probes.replace(
        "{'HOME', 'LD_LIBRARY_PATH', 'LC_CTYPE'}",
        "{'PATH', 'HOME', 'LANG', 'LD_LIBRARY_PATH', 'PYTHONHASHSEED', 'PYTHONDONTWRITEBYTECODE'}",
    );
    let name = format!("meliora-warm-{}", std::process::id());
    let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name);
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address.unwrap()).unwrap();
    let ran =
        run_in(&sandboxes()[1].1, Limits::default(), &[("/work/s.py", &probes)], argv("/work/s.py", &[&name]), b"");
    let told = out(&ran);
    assert_eq!(ran.ending, Ending::Exited(0), "{told}{}", err(&ran));
    let leaks: Vec<_> = told.lines().filter(|line| line.contains("LEAK")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let blocked = told.lines().filter(|line| line.ends_with(": blocked")).count();
    assert!(blocked > 80 && told.ends_with(&format!("{blocked} probes\n")), "{told}");
}

fn a_warm_command_has_the_variables_that_it_brings() {
    let code = "import os, subprocess\nprint(os.environ.get('OWN'), os.environ.get('HOME'), os.readlink('/proc/self/exe').endswith('/' + os.environ['IMAGE']))\n\
                print(subprocess.run(['env'], capture_output=True, text=True).stdout.count('OWN=é x=y'))";
    let this = std::env::current_exe().unwrap();
    let image = this.file_name().unwrap().to_str().unwrap();
    let cage = sandboxes()[1].1.open(spec(Limits::default())).unwrap();
    cage.put("/work/s.py", code.as_bytes(), false).unwrap();
    let own = [("OWN", "é x=y"), ("HOME", "/other"), ("IMAGE", image)];
    let env = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let run = run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), env, ..Command::default() }, b"").unwrap();
    assert_eq!(out(&run), "é x=y /other True\n1\n", "{}", err(&run));
    let after = warm("import os; print('OWN' in os.environ, os.environ['HOME'])");
    assert_eq!(out(&after), "False /tmp\n");
}

/// Installed modules: a package with a file of data, one that starts a thread, one that cannot be imported.
fn packages() -> &'static tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("cage-packages").tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(
            "slow/__init__.py",
            "import json, os, time\nfrom .inner import state\nPID = os.getpid()\ntime.sleep(0.05)\n",
        );
        put("slow/inner.py", "state = {}\n");
        put("slow/later.py", "here = True\n");
        put(
            "threads.py",
            "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n",
        );
        put("broken.py", "1 / 0\n");
        folder
    })
}

fn with_modules(required: &[&str], search: &[PathBuf]) -> WarmPython {
    let required = required.iter().map(|name| (*name).to_owned()).collect();
    WarmPython { required, search: search.to_vec(), ..warm_python() }
}

/// Runs a script in a cage of its own that sees these folders, as a driver would: with them on the search path.
fn run_with(sandbox: &Namespaces, folders: &[PathBuf], code: &str) -> Finished {
    let mut spec = spec(Limits::default());
    spec.read_only.extend(folders.iter().map(|path| ReadOnly { path: path.clone() }));
    let cage = sandbox.open(spec).unwrap();
    let code = format!("import sys; sys.path += {folders:?}\n{code}");
    cage.put("/work/s.py", code.as_bytes(), false).unwrap();
    run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), ..Command::default() }, b"").unwrap()
}

fn declared_modules_are_imported_once_and_are_as_new_for_each_command() {
    let folders = [packages().path().to_owned()];
    let sandbox = Namespaces::warm(Some(&with_modules(&["slow"], &folders))).unwrap();
    assert!(sandbox.describe().ends_with("python: warm"), "{}", sandbox.describe());
    // What was imported elsewhere was another process's doing.
    let told = run_with(
        &sandbox,
        &folders,
        "import sys; print('slow' in sys.modules, 'json' in sys.modules)\nimport slow, os; print(slow.PID != os.getpid(), slow.inner.state, sorted(m for m in sys.modules if m.startswith('slow')), 'json' in sys.modules, slow.__file__, slow.__spec__.origin)\nimport slow.later; print(slow.later.here)",
    );
    let origin = folders[0].join("slow/__init__.py").display().to_string();
    let expected = format!("False False\nTrue {{}} ['slow', 'slow.inner'] True {origin} {origin}\nTrue\n");
    assert_eq!(out(&told), expected, "{}", err(&told));
    let spoil = "import slow, slow.inner, sys\nslow.inner.state['left'] = 1; slow.PID = 'left'; sys.modules['slow.more'] = slow; slow.os.getpid = None; open('/tmp/left', 'w').write('x'); print('done')";
    assert_eq!(out(&run_with(&sandbox, &folders, spoil)), "done\n");
    let look = "import slow, os, sys; print(slow.inner.state, slow.PID == 'left', 'slow.more' in sys.modules, os.getpid() > 1, os.listdir('/tmp'), os.path.exists('/work/left'))";
    assert_eq!(out(&run_with(&sandbox, &folders, look)), "{} False False True []  False\n".replace("  ", " "));
    // A file of the command's own goes first.
    let own = "import os; os.mkdir('/work/m'); open('/work/m/slow.py', 'w').write('own = 1')\nsys.path.insert(0, '/work/m')\nimport slow; print(slow.own, slow.__file__)";
    assert_eq!(out(&run_with(&sandbox, &folders, own)), "1 /work/m/slow.py\n");
}

fn a_declared_module_that_cannot_be_had_is_an_error_that_names_it() {
    let folders = [packages().path().to_owned()];
    for (name, why) in [
        ("nowhere", "ModuleNotFoundError"),
        ("slow.nothing", "ModuleNotFoundError"),
        ("broken", "ZeroDivisionError"),
        ("threads", "starts threads"),
    ] {
        let Err(error) = Namespaces::warm(Some(&with_modules(&[name], &folders))) else { panic!("{name} is warm") };
        let told = error.to_string();
        assert!(told.contains(name) && told.contains(why) && error.hint.is_some(), "{told}");
    }
}

/// The folder of an installed numpy, which this machine may not have; says so if it has none.
fn numpy() -> Option<PathBuf> {
    let ask = "import os, numpy; print(os.path.dirname(os.path.dirname(numpy.__file__)))";
    let output = std::process::Command::new(&python().program)
        .args(["-c", ask])
        .envs(std::env::var("MELIORA_TEST_PACKAGES").map(|path| ("PYTHONPATH", path)))
        .env("LD_LIBRARY_PATH", library_folder())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let folder = Some(PathBuf::from(told.trim())).filter(|path| output.status.success() && path.is_dir());
    if folder.is_none() {
        println!("NOT TESTED: python3 of this machine has no numpy (nor has the folder MELIORA_TEST_PACKAGES)");
        assert!(std::env::var_os("CI").is_none(), "numpy must be there");
    }
    folder
}

fn numpy_is_warm_works_as_ever_and_draws_anew() {
    let Some(folder) = numpy() else { return };
    let folders = [folder];
    let warm = Namespaces::warm(Some(&with_modules(&["numpy", "numpy.random"], &folders))).unwrap();
    let cold = &sandboxes()[0].1;
    let work = "import numpy as np, numpy, sys\n\
        a = np.arange(12.0).reshape(3, 4)\n\
        print(a @ a.T, np.linalg.inv(np.eye(3) * 2), np.fft.fft([1, 2, 3]), np.random.default_rng(1).random(3))\n\
        np.random.seed(3); print(np.random.rand(2), np.polyfit([1, 2, 3], [2, 4, 6], 1).round(6))\n\
        import numpy.linalg, numpy.ma, numpy.testing, pickle; print(numpy.linalg is np.linalg, pickle.loads(pickle.dumps(a)).sum())\n\
        big = np.ones((400, 400)); print((big @ big)[0, 0], np.float32(1.5), np.dtype('f8'))\n\
        print(sorted(m for m in sys.modules if m.startswith('numpy')))\n\
        import threading; t = threading.Thread(target=lambda: print((big @ big).sum())); t.start(); t.join()\n";
    let (one, two) = (run_with(cold, &folders, work), run_with(&warm, &folders, work));
    assert_eq!((out(&one), err(&one), one.ending), (out(&two), err(&two), two.ending));
    assert_eq!(one.ending, Ending::Exited(0), "{}", err(&one));
    let draw = "import numpy as np, random, uuid, os\n\
        print(np.random.rand(), np.random.RandomState().rand(), np.random.default_rng().random(), random.random(), uuid.uuid4(), os.urandom(8).hex(), sep='\\n')\nprint(hash('text'))";
    let drawn: Vec<Vec<String>> =
        (0..3).map(|_| out(&run_with(&warm, &folders, draw)).lines().map(str::to_owned).collect()).collect();
    for place in 0..6 {
        let mut values: Vec<&str> = drawn.iter().map(|told| told[place].as_str()).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 3, "{drawn:?}");
    }
    assert!(drawn.iter().all(|told| told[6] == drawn[0][6]), "the hash seed is fixed: {drawn:?}");
}

fn cages_that_wait_are_each_used_once_and_are_as_new() {
    let sandbox = Namespaces::warm(Some(&warm_python())).unwrap().ahead(3).unwrap();
    let mut users = Vec::new();
    for _ in 0..12 {
        let cage = sandbox.open(spec(Limits::default())).unwrap();
        let look = "import os; print(os.listdir('/work'), os.listdir('/tmp'), [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]); open('/tmp/left', 'w').write('x')";
        cage.put("/work/s.py", look.as_bytes(), false).unwrap();
        let run = run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), ..Command::default() }, b"").unwrap();
        assert_eq!(out(&run), "['s.py'] [] []\n", "{}", err(&run));
        users.push(cage);
    }
    // Another kind of cage is not one that waits.
    let mut other = spec(Limits { processes: 7, ..Limits::default() });
    other.env.push(("OTHER".into(), "1".into()));
    let cage = sandbox.open(other).unwrap();
    cage.put(
        "/work/s.py",
        b"import os, resource; print(os.environ['OTHER'], resource.getrlimit(resource.RLIMIT_NPROC))",
        false,
    )
    .unwrap();
    let run = run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), ..Command::default() }, b"").unwrap();
    assert_eq!(out(&run), "1 (8, 8)\n", "{}", err(&run));
    // What cannot be opened is said to whoever asks, each time.
    for _ in 0..3 {
        let mut wrong = spec(Limits::default());
        wrong.read_only.push(ReadOnly { path: "/no/such/place".into() });
        assert!(sandbox.open(wrong).is_err());
    }
}

fn chance_differs_from_command_to_command() {
    let mut drawn: Vec<String> = (0..4).map(|_| out(&warm("import random; print(random.random())"))).collect();
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 4, "{drawn:?}");
    let seeded: Vec<String> =
        (0..2).map(|_| out(&warm("import random; random.seed(1); print(random.random())"))).collect();
    assert_eq!(seeded[0], seeded[1]);
}

fn other_commands_are_executed_as_ever() {
    let sandbox = &sandboxes()[1].1;
    let image = "import os; print(os.readlink('/proc/self/exe') == os.path.realpath(__import__('sys').executable))";
    let program = python().program.clone();
    let inline = vec![program.clone(), "-s".into(), "-S".into(), "-c".into(), image.into()];
    let bare = vec![program, "/work/s.py".into()];
    for words in [inline, bare] {
        let run = run_in(sandbox, Limits::default(), &[("/work/s.py", image)], words, b"");
        assert_eq!(out(&run), "True\n", "{}", err(&run));
    }
    // Another environment: another interpreter.
    let mut other = spec(Limits::default());
    other.env.push(("PYTHONOPTIMIZE".into(), "1".into()));
    let cage = sandbox.open(other).unwrap();
    cage.put("/work/s.py", format!("{image}; print(__debug__)").as_bytes(), false).unwrap();
    let run = run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), ..Command::default() }, b"").unwrap();
    assert_eq!(out(&run), "True\nFalse\n", "{}", err(&run));
    // Variables of its own that an interpreter reads at its start.
    let cage = sandbox.open(spec(Limits::default())).unwrap();
    cage.put("/work/s.py", format!("{image}; print(__debug__)").as_bytes(), false).unwrap();
    let own = vec![("PYTHONOPTIMIZE".to_owned(), "1".to_owned())];
    let run =
        run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), env: own, ..Command::default() }, b"").unwrap();
    assert_eq!(out(&run), "True\nFalse\n", "{}", err(&run));
    // A terminal: its streams were made for pipes.
    let mut with_terminal = spec(Limits::default());
    with_terminal.terminals = true;
    let cage = sandbox.open(with_terminal).unwrap();
    cage.put("/work/s.py", format!("{image}; print(os.isatty(1), end='')").as_bytes(), false).unwrap();
    let size = Some(meliora_evolve::Terminal { columns: 80, rows: 24 });
    let run = run_to_end(&*cage, &Command { argv: argv("/work/s.py", &[]), terminal: size, ..Command::default() }, b"")
        .unwrap();
    assert!(out(&run).ends_with("True\r\nTrue"), "{}", out(&run));
    let shell = run_in(sandbox, Limits::default(), &[], vec!["/bin/sh".into(), "-c".into(), "echo hello".into()], b"");
    assert_eq!(out(&shell), "hello\n");
}

fn a_python_that_cannot_be_warm_is_cold_and_says_why() {
    let good = warm_python();
    let version = good.version.clone();
    for (python, why) in [
        (WarmPython { library: None, ..good.clone() }, "no shared library"),
        (WarmPython { library: Some("/usr/lib/none.so".into()), ..good.clone() }, "cannot be loaded"),
        (WarmPython { library: Some("/usr/bin/true".into()), ..good.clone() }, "cannot be loaded"),
        (WarmPython { version: "3.7.1 (old)".into(), ..good.clone() }, "version"),
        (WarmPython { version: format!("{version} of another day"), ..good.clone() }, "another build"),
        (WarmPython { flags: vec!["-X".into()], ..good.clone() }, "flag -X"),
    ] {
        let sandbox = Namespaces::warm(Some(&python)).unwrap();
        let told = sandbox.describe();
        assert!(told.contains("python: cold (") && told.contains(why), "{told}");
        let run = run_in(&sandbox, Limits::default(), &[("/work/s.py", "print(6 * 7)")], argv("/work/s.py", &[]), b"");
        assert_eq!(out(&run), "42\n", "{}", err(&run));
    }
}
