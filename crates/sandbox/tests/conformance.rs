//! What every backend must do: files in and out, commands, their streams and their ends, limits, and letting nothing out.
//! Each property is a function over the port; each backend is one line in [`BACKENDS`].
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::time::Duration;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::{
    Cage, CageError, CageSpec, Command, EntryKind, Happening, ReadOnly, Sandbox, Terminal, run_to_end,
};
use meliora_sandbox::{ContainerSettings, Containers, E2b, E2bSettings, Extent, Key, Namespaces, State, selftest};

/// A backend under test, and what the tests must know of it.
struct Place<'a> {
    sandbox: &'a dyn Sandbox,
    /// Its Python.
    python: String,
    /// What its cages are shown of this machine.
    read_only: Vec<ReadOnly>,
    env: Vec<(String, String)>,
    /// Whether its `/usr` is this machine's, with the tools that are there.
    system: bool,
    /// Probes of the self-test that are known to be open, and stand in the docs; with a `?`, on some machines or at times.
    open_here: &'a [&'a str],
}

impl Place<'_> {
    fn spec(&self, limits: Limits) -> CageSpec {
        let mut spec = CageSpec::manual();
        (spec.limits, spec.read_only, spec.env) = (limits, self.read_only.clone(), self.env.clone());
        if !self.system && spec.limits.wall == Limits::default().wall {
            // Emulated, on a busy machine, what takes a second may take twenty.
            spec.limits.wall *= 6;
        }
        spec
    }

    fn open(&self, limits: Limits) -> Box<dyn Cage> {
        self.sandbox.open(self.spec(limits)).expect("the cage opens")
    }

    fn cage(&self) -> Box<dyn Cage> {
        self.open(Limits::default())
    }

    fn py(&self, cage: &dyn Cage, code: &str) -> meliora_domain::Finished {
        run(cage, &[&self.python, "-I", "-S", "-c", code])
    }
}

/// A backend as it is on this machine, or why it is not.
type Make = fn() -> Result<Box<dyn Sandbox>, String>;

/// Name, how it is made, probes known to be open.
const BACKENDS: &[(&str, Make, &[&str])] =
    &[("ns", ns, &[]), ("container", container, &[]), ("microvm", microvm, &[]), ("e2b", e2b, E2B_OPEN)];

/// What the service shares with its sandboxes, what outlives a command there, what its own limits decide, and a path
/// that is exchanged between the look and the use: docs/e2b.md.
const E2B_OPEN: &[&str] = &[
    "list /root?",
    "list /home",
    "see processes of others",
    "outlive the command",
    "memory that is shared",
    "memory of many",
    "processes?",
    "space in /tmp",
    "space in the own folder",
    "a result that is swapped with a link?",
];

fn ns() -> Result<Box<dyn Sandbox>, String> {
    Ok(Box::new(Namespaces::new().expect("a cage with every layer")))
}

fn container() -> Result<Box<dyn Sandbox>, String> {
    let engine = which("podman").or_else(|| which("docker")).ok_or("neither podman nor docker is here")?;
    let program = std::env::current_exe().unwrap();
    let settings = ContainerSettings { engine, program, scratch: std::env::temp_dir() };
    Containers::new(settings).map(|made| Box::new(made) as Box<dyn Sandbox>).map_err(|error| error.to_string())
}

fn microvm() -> Result<Box<dyn Sandbox>, String> {
    make_microvm().map(|made| Box::new(made) as Box<dyn Sandbox>)
}

/// Our client of E2B's protocol against our own service of it, which has cages of namespaces.
fn e2b() -> Result<Box<dyn Sandbox>, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rust = tool("rustc", &["--print", "sysroot"]).map(std::path::PathBuf::from).filter(|root| root.is_dir());
    let python = meliora_serve::Interpreter {
        program: python().program.clone().into(),
        flags: Vec::new(),
        // What the tests count on belongs to the template.
        needs: std::iter::once(python().prefix.clone()).chain(rust).collect(),
        modules: Vec::new(),
    };
    let usual = meliora_serve::Config::default();
    // How many processes there may be is the template's affair.
    let limits = Limits { processes: 128, ..usual.limits.clone() };
    let config = meliora_serve::Config { python: Some(python), limits, ..usual };
    let cages = std::sync::Arc::new(Namespaces::new().expect("a cage with every layer"));
    // It ends with this program.
    std::thread::spawn(move || meliora_serve::serve(listener, cages, config, &meliora_serve::Stop::default()));
    let key = Key::new("e2b_conformance").unwrap();
    let settings = E2bSettings { api_url: Some(url.clone()), sandbox_url: Some(url), ..E2bSettings::new(key) };
    Ok(Box::new(E2b::new(settings).expect("the service answers")))
}

/// What must hold of every backend.
type Property = fn(&Place);

const PROPERTIES: &[(&str, Property)] = &[
    ("a_command_runs_with_its_input_output_and_exit_code", a_command_runs_with_its_input_output_and_exit_code),
    ("a_file_that_was_put_can_be_read_changed_and_fetched", a_file_that_was_put_can_be_read_changed_and_fetched),
    ("python_runs_and_may_write_where_it_should", python_runs_and_may_write_where_it_should),
    (
        "several_commands_share_the_folder_one_after_another_and_at_once",
        several_commands_share_the_folder_one_after_another_and_at_once,
    ),
    (
        "a_command_that_reads_and_writes_much_at_once_does_not_stand_still",
        a_command_that_reads_and_writes_much_at_once_does_not_stand_still,
    ),
    ("input_that_nobody_reads_is_dropped", input_that_nobody_reads_is_dropped),
    ("signals_reach_a_command_and_what_it_started", signals_reach_a_command_and_what_it_started),
    ("a_program_that_cannot_start_says_why_as_a_shell_would", a_program_that_cannot_start_says_why_as_a_shell_would),
    ("a_very_long_argument_arrives_whole", a_very_long_argument_arrives_whole),
    ("cages_open_at_once_do_not_meet", cages_open_at_once_do_not_meet),
    ("usage_tells_processor_time_and_memory", usage_tells_processor_time_and_memory),
    ("files_outside_the_writable_folders_are_out_of_reach", files_outside_the_writable_folders_are_out_of_reach),
    ("a_full_folder_is_said_to_be_full", a_full_folder_is_said_to_be_full),
    ("what_a_dropped_cage_ran_is_gone", what_a_dropped_cage_ran_is_gone),
    ("a_path_that_cannot_be_shown_is_refused_by_name", a_path_that_cannot_be_shown_is_refused_by_name),
    ("node_runs_with_its_compiler_and_threads", node_runs_with_its_compiler_and_threads),
    ("rust_compiles_links_and_runs", rust_compiles_links_and_runs),
    ("processes_of_a_cage_share_locks_queues_and_memory", processes_of_a_cage_share_locks_queues_and_memory),
    ("the_host_can_do_with_files_what_a_person_can", the_host_can_do_with_files_what_a_person_can),
    ("a_paused_cage_stands_still_and_goes_on", a_paused_cage_stands_still_and_goes_on),
    ("several_threads_may_use_one_command", several_threads_may_use_one_command),
    ("a_command_may_have_variables_of_its_own", a_command_may_have_variables_of_its_own),
    ("a_home_is_the_same_folder_by_another_name", a_home_is_the_same_folder_by_another_name),
    ("a_terminal_is_one_and_knows_its_size", a_terminal_is_one_and_knows_its_size),
    ("limits_end_what_passes_them", limits_end_what_passes_them),
    ("what_a_command_leaves_behind_ends_with_it", what_a_command_leaves_behind_ends_with_it),
    ("nothing_is_open", nothing_is_open),
];

/// A property of one backend, by its name.
type Test<'a> = (&'a str, Box<dyn Fn() + 'a>);

fn main() {
    common::begin();
    let names: Vec<String> = BACKENDS
        .iter()
        .flat_map(|(backend, ..)| PROPERTIES.iter().map(move |(property, _)| format!("{backend}::{property}")))
        .collect();
    // An ordinary user's own run is for the backend that promises to work for everybody.
    let ordinary = std::env::var_os("MELIORA_TEST_PYTHON").is_some();
    let mut tests: Vec<Test> = Vec::new();
    for ((backend, make, open_here), names) in BACKENDS.iter().zip(names.chunks(PROPERTIES.len())) {
        if ordinary && *backend != "ns" {
            continue;
        }
        let made = std::rc::Rc::new(std::cell::OnceCell::new());
        let skipped = std::rc::Rc::new(std::cell::Cell::new(false));
        for (name, (_, property)) in names.iter().zip(PROPERTIES) {
            let (made, skipped) = (std::rc::Rc::clone(&made), std::rc::Rc::clone(&skipped));
            tests.push((
                name,
                Box::new(move || match made.get_or_init(make) {
                    Ok(sandbox) => property(&place(backend, &**sandbox, open_here)),
                    Err(why) => skip_once(&skipped, &format!("the backend '{backend}' is not on this machine: {why}")),
                }),
            ));
        }
    }
    tests.push(("ordinary_user_gets_the_same", Box::new(again_as_an_ordinary_user)));
    tests.push(("ordinary_user_with_ranges_gets_the_same", Box::new(common::again_with_ranges)));
    run_tests(&tests.iter().map(|(name, test)| (*name, &**test)).collect::<Vec<_>>());
}

/// Says so once for all properties of a backend; in CI each of them fails.
fn skip_once(skipped: &std::cell::Cell<bool>, why: &str) {
    if !skipped.replace(true) || std::env::var_os("CI").is_some() {
        skip(why);
    }
}

/// What this machine's Python needs, shown to cages of this machine; a virtual machine has a system of its own.
fn place<'a>(backend: &str, sandbox: &'a dyn Sandbox, open_here: &'a [&'a str]) -> Place<'a> {
    if backend == "microvm" {
        let like = vm_spec(Limits::default());
        let python = "/usr/bin/python3".to_owned();
        return Place { sandbox, python, read_only: like.read_only, env: like.env, system: false, open_here };
    }
    let like = spec(Limits::default());
    let python = python().program.clone();
    Place { sandbox, python, read_only: like.read_only, env: like.env, system: true, open_here }
}

fn a_command_runs_with_its_input_output_and_exit_code(at: &Place) {
    let cage = at.cage();
    let cat = run_to_end(&*cage, &command(["/bin/cat"]), b"hello").unwrap();
    assert_eq!((cat.stdout.as_slice(), cat.ending), (b"hello".as_slice(), Ending::Exited(0)));
    let both = shell(&*cage, "echo one; echo two >&2; exit 7");
    assert_eq!((out(&both).as_str(), err(&both).as_str(), both.ending), ("one\n", "two\n", Ending::Exited(7)));
}

fn a_file_that_was_put_can_be_read_changed_and_fetched(at: &Place) {
    let cage = at.cage();
    cage.put("/work/deep/er/in.txt", b"abc", false).unwrap();
    cage.put("/work/run.sh", b"#!/bin/sh\ntr a-z A-Z < deep/er/in.txt > out.txt\n", true).unwrap();
    assert_eq!(run(&*cage, &["/work/run.sh"]).ending, Ending::Exited(0));
    assert_eq!(cage.get("/work/out.txt", 100).unwrap(), b"ABC");
    cage.put("/work/out.txt", b"again", false).unwrap();
    assert_eq!(cage.get("/work/out.txt", 100).unwrap(), b"again");
    let mut names: Vec<_> =
        cage.list("/work").unwrap().into_iter().map(|e| (e.name, e.kind == EntryKind::File)).collect();
    names.sort();
    assert_eq!(names, [("deep".into(), false), ("out.txt".into(), true), ("run.sh".into(), true)]);
}

fn python_runs_and_may_write_where_it_should(at: &Place) {
    let cage = at.cage();
    let ran = at.py(&*cage, "open('/work/a','w').write('x'); open('/tmp/b','w').write('y'); print(6*7)");
    assert_eq!((out(&ran).as_str(), err(&ran).as_str(), ran.ending), ("42\n", "", Ending::Exited(0)));
}

fn several_commands_share_the_folder_one_after_another_and_at_once(at: &Place) {
    let cage = at.cage();
    shell(&*cage, "echo first > note");
    assert_eq!(out(&shell(&*cage, "cat note")), "first\n");
    let waiting = cage.spawn(&command(["/bin/sh", "-c", "read line; echo got $line"])).unwrap();
    let other = shell(&*cage, "echo meanwhile; exit 3");
    assert_eq!((out(&other).as_str(), other.ending), ("meanwhile\n", Ending::Exited(3)));
    waiting.write(b"it\n").unwrap();
    let mut said = Vec::new();
    let ending = loop {
        match waiting.next().unwrap() {
            Happening::Stdout(bytes) => said.extend(bytes),
            Happening::Stderr(bytes) => panic!("{bytes:?}"),
            Happening::Exit(ending) => break ending,
        }
    };
    assert_eq!((said.as_slice(), ending), (b"got it\n".as_slice(), Ending::Exited(0)));
    assert_eq!(waiting.next().unwrap(), Happening::Exit(Ending::Exited(0)), "exit again and again");
}

fn a_command_that_reads_and_writes_much_at_once_does_not_stand_still(at: &Place) {
    let cage = at.cage();
    let much = vec![b'x'; 3 << 20];
    let cat = run_to_end(&*cage, &command(["/bin/cat"]), &much).unwrap();
    assert_eq!((cat.stdout.len(), cat.ending), (much.len(), Ending::Exited(0)));
}

fn input_that_nobody_reads_is_dropped(at: &Place) {
    let cage = at.cage();
    let ran = run_to_end(&*cage, &command(["/usr/bin/true"]), &vec![0; 3 << 20]).unwrap();
    assert_eq!(ran.ending, Ending::Exited(0));
}

fn signals_reach_a_command_and_what_it_started(at: &Place) {
    let cage = at.cage();
    for (signal, ending) in [(15, Ending::Signalled(15)), (9, Ending::Signalled(9))] {
        let process = cage.spawn(&command(["/bin/sh", "-c", "sleep 100 & echo up; wait"])).unwrap();
        assert_eq!(process.next().unwrap(), Happening::Stdout(b"up\n".to_vec()));
        process.signal(signal).unwrap();
        assert_eq!(process.next().unwrap(), Happening::Exit(ending));
    }
    assert_eq!(shell(&*cage, "kill -SEGV $$").ending, Ending::Signalled(11));
}

fn a_program_that_cannot_start_says_why_as_a_shell_would(at: &Place) {
    let cage = at.cage();
    let missing = run(&*cage, &["/work/nothing"]);
    assert_eq!(missing.ending, Ending::Exited(127));
    assert!(err(&missing).contains("/work/nothing"), "{}", err(&missing));
    cage.put("/work/data", b"no program", false).unwrap();
    assert_eq!(run(&*cage, &["/work/data"]).ending, Ending::Exited(126));
    let nowhere = Command { cwd: "/work/none".into(), ..command(["/usr/bin/true"]) };
    let nowhere = run_to_end(&*cage, &nowhere, b"").unwrap();
    assert_eq!(nowhere.ending, Ending::Exited(126));
    assert!(err(&nowhere).contains("folder"), "{}", err(&nowhere));
}

fn a_very_long_argument_arrives_whole(at: &Place) {
    let cage = at.cage();
    let long = format!("echo {}", "y".repeat(100_000));
    assert_eq!(out(&shell(&*cage, &long)).len(), 100_001);
}

fn cages_open_at_once_do_not_meet(at: &Place) {
    let cages: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                scope.spawn(move || {
                    let cage = at.cage();
                    cage.put("/work/mine", format!("{n}").as_bytes(), false).unwrap();
                    cage
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // The threads that opened them are gone; the cages are not.
    for (n, cage) in cages.iter().enumerate() {
        assert_eq!(out(&shell(&**cage, "cat mine; ls /work")), format!("{n}mine\n"));
    }
}

fn usage_tells_processor_time_and_memory(at: &Place) {
    let cage = at.cage();
    at.py(&*cage, "x = bytearray(50 << 20); sum(range(3_000_000))");
    let usage = cage.usage();
    assert!(usage.cpu_seconds > 0.01, "{usage:?}");
    assert!(usage.peak_memory > 50 << 20, "{usage:?}");
}

fn files_outside_the_writable_folders_are_out_of_reach(at: &Place) {
    let cage = at.cage();
    for path in ["/etc/passwd", "/work/../etc/passwd", "work/x", "/workshop/x", "/usr/bin/true"] {
        assert!(matches!(cage.get(path, 1000), Err(CageError::NoFile { .. })), "get {path}");
        assert!(matches!(cage.put(path, b"x", false), Err(CageError::NoFile { .. })), "put {path}");
    }
    cage.put("/work/five", b"12345", false).unwrap();
    assert!(matches!(cage.get("/work/five", 4), Err(CageError::TooLarge { size: 5, limit: 4, .. })));
    assert_eq!(cage.get("/work/five", 5).unwrap(), b"12345");
}

fn a_full_folder_is_said_to_be_full(at: &Place) {
    let cage = at.open(Limits { disk: 1 << 20, ..Limits::default() });
    assert!(matches!(cage.put("/work/big", &vec![1; 2 << 20], false), Err(CageError::Full { .. })));
}

fn what_a_dropped_cage_ran_is_gone(at: &Place) {
    let cage = at.cage();
    let process = cage.spawn(&command(["/bin/sh", "-c", "echo up; exec sleep 100"])).unwrap();
    assert_eq!(process.next().unwrap(), Happening::Stdout(b"up\n".to_vec()));
    drop(cage);
    assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(9)));
}

fn a_path_that_cannot_be_shown_is_refused_by_name(at: &Place) {
    for path in ["/no/such/place", "/", "/proc/1", "relative", "/root/../etc"] {
        let mut spec = at.spec(Limits::default());
        spec.read_only.push(meliora_evolve::ReadOnly { path: path.into() });
        let Err(error) = at.sandbox.open(spec) else { panic!("'{path}' was shown") };
        assert!(error.to_string().contains(path), "{error}");
    }
}

fn node_runs_with_its_compiler_and_threads(at: &Place) {
    let Some(node) = tool("node", &["-p", "process.execPath"]).filter(|_| at.system) else { return };
    assert!(node.starts_with("/usr/"), "this test knows node under /usr only, not {node}");
    let cage = at.cage();
    let code = "let f=(n)=>n<2?n:f(n-1)+f(n-2); const b=Buffer.alloc(1<<20); require('fs').writeFileSync('/work/x', b); \
                new (require('worker_threads').Worker)('console.log(40+2)',{eval:true}); f(25)";
    let ran = run(&*cage, &[&node, "-e", code]);
    assert_eq!((out(&ran).as_str(), err(&ran).as_str(), ran.ending), ("42\n", "", Ending::Exited(0)));
}

fn rust_compiles_links_and_runs(at: &Place) {
    let Some(root) = tool("rustc", &["--print", "sysroot"]).filter(|_| at.system) else { return };
    if std::fs::metadata(&root).is_err() {
        return; // an ordinary user who cannot see the toolchain
    }
    let mut spec = at.spec(Limits { processes: 64, disk: 256 << 20, ..Limits::default() });
    spec.read_only.push(meliora_evolve::ReadOnly { path: root.clone().into() });
    spec.env.push(("PATH".into(), "/usr/bin:/bin".into()));
    let cage = at.sandbox.open(spec).unwrap();
    cage.put("/work/main.rs", b"fn main() { println!(\"{}\", (1..=6).sum::<u32>() * 2); }", false).unwrap();
    let built = run(&*cage, &[&format!("{root}/bin/rustc"), "-O", "main.rs"]);
    assert_eq!(built.ending, Ending::Exited(0), "{}", err(&built));
    assert_eq!(out(&run(&*cage, &["/work/main"])), "42\n");
}

/// The answer of a tool that may not be on this machine; says so if it is not.
fn tool(program: &str, ask: &[&str]) -> Option<String> {
    let answer = std::process::Command::new(program).args(ask).output().ok().filter(|output| output.status.success());
    if answer.is_none() {
        eprintln!("NOT TESTED: {program} is not on this machine");
    }
    Some(String::from_utf8(answer?.stdout).unwrap().trim().to_owned())
}

fn processes_of_a_cage_share_locks_queues_and_memory(at: &Place) {
    let cage = at.open(Limits { processes: 32, ..Limits::default() });
    let code = "
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.shared_memory import SharedMemory

def square(x):
    return x * x

def answer(queue, name):
    memory = SharedMemory(name)
    memory.buf[0] += 1
    memory.close()
    queue.put(os.getpid() > 1)

if __name__ == '__main__':
    with multiprocessing.Pool(2) as pool:
        print(pool.map(square, range(4)))
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(4))))
    memory = SharedMemory(create=True, size=4096)
    queue = multiprocessing.Queue()
    child = multiprocessing.Process(target=answer, args=(queue, memory.name))
    child.start()
    print(queue.get(timeout=20), child.join(), memory.buf[0])
    memory.close()
    memory.unlink()
    print([name for name in os.listdir('/dev/shm') if name.startswith('psm')])
";
    for method in ["fork", "spawn"] {
        let start = format!("    multiprocessing.set_start_method('{method}')\n    with multiprocessing.Pool");
        let code = code.replacen("    with multiprocessing.Pool", &start, 1);
        cage.put("/work/main.py", code.as_bytes(), false).unwrap();
        let ran = run(&*cage, &[&at.python, "/work/main.py"]);
        assert_eq!(out(&ran), "[0, 1, 4, 9]\n[0, 1, 4, 9]\nTrue None 1\n[]\n", "{method}: {}", err(&ran));
    }
}

fn the_host_can_do_with_files_what_a_person_can(at: &Place) {
    let cage = at.cage();
    assert!(cage.make_folder("/work/a/b").unwrap());
    assert!(!cage.make_folder("/work/a/b").unwrap(), "it was there");
    cage.put("/work/a/b/file", b"1234", false).unwrap();
    let entry = cage.stat("/work/a/b/file").unwrap();
    assert_eq!((entry.name.as_str(), entry.kind, entry.size, entry.mode), ("file", EntryKind::File, 4, 0o644));
    assert!(entry.modified.as_secs() > 1_600_000_000);
    assert!(matches!(cage.make_folder("/work/a/b/file"), Err(CageError::NoFile { .. })));

    at.py(&*cage, "import os; os.symlink('/etc/passwd', '/work/a/link'); os.mkfifo('/work/a/pipe')");
    let link = cage.stat("/work/a/link").unwrap();
    assert_eq!((link.kind, link.target.as_str()), (EntryKind::Link, "/etc/passwd"));
    assert_eq!(cage.stat("/work/a/pipe").unwrap().kind, EntryKind::Other);
    assert!(cage.stat("/work/a/link/x").is_err() && cage.stat("/etc/passwd").is_err());

    cage.rename("/work/a/b", "/work/c/d").unwrap();
    assert_eq!(cage.get("/work/c/d/file", 10).unwrap(), b"1234");
    assert!(cage.rename("/work/c", "/work/a/link/c").is_err(), "no way leads through a link");
    cage.remove("/work/a").unwrap();
    assert!(cage.stat("/work/a").is_err() && cage.remove("/work/a").is_err() && cage.remove("/work").is_err());
    cage.remove("/work/c/d/file").unwrap();
    assert_eq!(cage.list("/work/c/d").unwrap(), []);
}

fn a_paused_cage_stands_still_and_goes_on(at: &Place) {
    let cage = at.cage();
    let sleeper = "import time, sys\nfor n in range(10**6):\n    open('/work/n', 'w').write(str(n)); time.sleep(0.005)";
    let process = cage.spawn(&command(["/usr/bin/env", "python3", "-c", sleeper])).unwrap();
    let read = || cage.get("/work/n", 100).ok().filter(|n| !n.is_empty());
    let moves = |ms: u64| {
        let before = read();
        std::thread::sleep(std::time::Duration::from_millis(ms));
        read() != before
    };
    while read().is_none() {}
    cage.pause(true).unwrap();
    while moves(30) {}
    assert!(!moves(100), "it stands still");
    cage.pause(false).unwrap();
    while !moves(30) {}
    drop(process);
}

fn several_threads_may_use_one_command(at: &Place) {
    let cage = at.cage();
    let process = cage.spawn(&command(["/bin/cat"])).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut told = 0;
            loop {
                match process.next().unwrap() {
                    Happening::Stdout(bytes) => told += bytes.len(),
                    Happening::Stderr(_) => {}
                    Happening::Exit(ending) => return (told, ending),
                }
            }
        });
        for _ in 0..100 {
            process.write(&[b'x'; 10_000]).unwrap();
        }
        process.close_stdin();
        assert_eq!(reader.join().unwrap(), (1_000_000, Ending::Exited(0)));
    });
}

fn a_command_may_have_variables_of_its_own(at: &Place) {
    let mut spec = at.spec(Limits::default());
    spec.env.extend([("OF_CAGE".to_owned(), "1".to_owned()), ("BOTH".to_owned(), "cage".to_owned())]);
    let cage = at.sandbox.open(spec).unwrap();
    let own = vec![("BOTH".to_owned(), "own".to_owned()), ("OWN".to_owned(), "a=b c".to_owned())];
    let show = Command { env: own, ..command(["/bin/sh", "-c", "echo $OF_CAGE $BOTH $OWN"]) };
    assert_eq!(run_to_end(&*cage, &show, b"").unwrap().stdout, b"1 own a=b c\n");
    assert_eq!(out(&shell(&*cage, "echo $OF_CAGE $BOTH $OWN")), "1 cage\n");
}

fn a_home_is_the_same_folder_by_another_name(at: &Place) {
    let mut spec = at.spec(Limits::default());
    spec.home = Some("/home/user".to_owned());
    let cage = at.sandbox.open(spec).unwrap();
    cage.put("/home/user/a/x", b"there", false).unwrap();
    assert_eq!(out(&shell(&*cage, "cat /work/a/x; echo -n back > /home/user/y")), "there");
    assert_eq!(cage.get("/work/y", 10).unwrap(), b"back");
    assert_eq!(cage.stat("/home/user/y").unwrap().size, 4);
}

fn a_terminal_is_one_and_knows_its_size(at: &Place) {
    let mut spec = at.spec(Limits::default());
    spec.terminals = true;
    let cage = at.sandbox.open(spec).unwrap();
    let size = Terminal { columns: 71, rows: 13 };
    let script = "test -t 0 && test -t 1 && stty size; read line; echo got $line; stty size";
    let process = cage.spawn(&Command { terminal: Some(size), ..command(["/bin/sh", "-c", script]) }).unwrap();
    let mut told = String::new();
    let mut until = |part: &str| {
        while !told.contains(part) {
            match process.next().unwrap() {
                Happening::Stdout(bytes) => told.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("{other:?} before '{part}': {told}"),
            }
        }
    };
    until("13 71");
    process.resize(Terminal { columns: 90, rows: 40 }).unwrap();
    process.write(b"it\n").unwrap();
    until("got it");
    until("40 90");
    while !matches!(process.next().unwrap(), Happening::Exit(Ending::Exited(0))) {}
}

fn limits_end_what_passes_them(at: &Place) {
    let limits = Limits {
        output: 100_000,
        memory: 128 << 20,
        processes: 24,
        wall: Duration::from_secs(20),
        ..Limits::default()
    };
    let cage = at.open(limits);
    let short = Command { wall: Some(Duration::from_millis(500)), ..command(["/bin/sleep", "100"]) };
    assert_eq!(run_to_end(&*cage, &short, b"").unwrap().ending, Ending::WallClock);
    let flood = shell(&*cage, "yes");
    assert_eq!((flood.stdout.len(), flood.ending), (100_000, Ending::OutputCap));
    let greedy = at.py(&*cage, "x = bytearray(b'x') * (400 << 20)");
    assert_ne!(greedy.ending, Ending::Exited(0), "{}", err(&greedy));
    let forks = "
import os, time
try:
    for _ in range(200):
        if os.fork() == 0: time.sleep(100)
    print('all')
except OSError:
    print('refused')
";
    assert_eq!(out(&at.py(&*cage, forks)), "refused\n");
    assert_eq!(out(&shell(&*cage, "echo still here")), "still here\n");
}

fn what_a_command_leaves_behind_ends_with_it(at: &Place) {
    let cage = at.cage();
    let ran = shell(&*cage, "sleep 100 & (setsid sleep 100 &) ; echo done");
    assert_eq!((out(&ran).as_str(), ran.ending), ("done\n", Ending::Exited(0)));
    assert!(ran.seconds < 50.0, "the background processes held the command up");
}

fn nothing_is_open(at: &Place) {
    let findings = selftest(at.sandbox, &std::env::current_exe().unwrap(), Extent::Whole).unwrap();
    let open: Vec<_> = findings.iter().filter(|finding| finding.state == State::Open).collect();
    let known = |name: &str| at.open_here.iter().any(|known| known.trim_end_matches('?') == name);
    let unknown: Vec<_> = open.iter().filter(|finding| !known(finding.name)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    for name in at.open_here.iter().filter(|name| !name.ends_with('?')) {
        assert!(open.iter().any(|finding| finding.name == *name), "'{name}' is closed by now: say so in the docs");
    }
    let not_run: Vec<_> = findings.iter().filter(|finding| finding.state == State::NotRun).collect();
    assert!(not_run.is_empty(), "{not_run:#?}");
}
