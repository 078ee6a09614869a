//! What a cage costs: cold beside a plain `exec` and other programs that confine, warm, how many a second, and what
//! thousands leave behind.
//!
//! `cargo bench -p meliora-sandbox --bench cage`, with in the environment:
//! - `SECTIONS=cold,warm,rate,leaks`: which parts (all but the last);
//! - `ROUNDS=200`: another number of rounds; `CAGES=10000`: of the part `leaks`;
//! - `BWRAP=PATH`, `NSJAIL=PATH`: programs to measure beside it (`bench/cages/compare.py` finds them);
//! - `PACKAGES=FOLDER`: installed modules, for the warm jobs with numpy;
//! - `BALLAST_MIB=500`: a host that holds that much memory.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::process::{Command as Plain, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use meliora_evolve::{Cage, CageSpec, Command, ReadOnly, Sandbox, run_to_end};
use meliora_sandbox::{Namespaces, WarmPython};

fn main() {
    meliora_sandbox::serve_if_asked(std::env::args_os());
    let number = |name: &str, default: usize| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let rounds = number("ROUNDS", 100);
    let sections = std::env::var("SECTIONS").unwrap_or_else(|_| "cold,warm,rate,selftest".to_owned());
    let has = |name: &str| sections.split(',').any(|section| section == name);
    let python = Python::find();
    // A host with much memory must not pay for it with each cage.
    let ballast = std::hint::black_box(vec![1u8; number("BALLAST_MIB", 0) << 20]);
    println!("{rounds} rounds, milliseconds: median (least)");
    if has("cold") {
        cold(&python, rounds);
    }
    if has("warm") {
        warm(&python, rounds);
    }
    if has("rate") {
        rate(&python, rounds);
    }
    if has("selftest") {
        quick_selftest(rounds);
    }
    if has("leaks") {
        leaks(&python, number("CAGES", 10_000));
    }
    drop(ballast);
}

/// The `python3` of the PATH.
struct Python {
    program: String,
    prefix: String,
    version: String,
    library: String,
}

impl Python {
    fn find() -> Self {
        let ask = "import os, sys, sysconfig; c = sysconfig.get_config_var; print(os.path.realpath(sys.executable)); \
                   print(sys.base_prefix); print(sys.version.replace(chr(10), ' ')); \
                   print(os.path.join(c('LIBDIR'), c('INSTSONAME')))";
        let told = Plain::new("python3").args(["-c", ask]).output().expect("python3 must be on the PATH");
        let told = String::from_utf8(told.stdout).expect("python3 prints text");
        let mut lines = told.lines().map(str::to_owned);
        let mut line = || lines.next().expect("four lines");
        Python { program: line(), prefix: line(), version: line(), library: line() }
    }

    fn warm(&self, required: &[&str], search: &[PathBuf]) -> WarmPython {
        WarmPython {
            program: self.program.clone().into(),
            library: Some(self.library.clone().into()),
            version: self.version.clone(),
            flags: ["-s", "-S"].map(str::to_owned).into(),
            env: vec![("LANG".to_owned(), "C.UTF-8".to_owned())],
            modules: ["os", "json", "random", "importlib.util", "dataclasses"].map(str::to_owned).into(),
            required: required.iter().map(|name| (*name).to_owned()).collect(),
            search: search.to_vec(),
            scripts: Vec::new(),
        }
    }

    fn spec(&self, more: &[PathBuf]) -> CageSpec {
        let mut spec = CageSpec::manual();
        spec.read_only = vec![ReadOnly { path: self.prefix.clone().into() }];
        spec.read_only.extend(more.iter().map(|path| ReadOnly { path: path.clone() }));
        spec.env = vec![("LANG".to_owned(), "C.UTF-8".to_owned())];
        spec
    }
}

/// A program that confines, and the flags with which it is used: every namespace, `/usr` and Python's folder read-only,
/// `/tmp` and `/work` of its own. Neither has a filter of system calls, Landlock or limits then.
fn others(python: &Python) -> Vec<(&'static str, Vec<String>)> {
    let mut found = Vec::new();
    let mut add = |name, variable: &str, flags: &str| match std::env::var(variable) {
        Ok(program) => {
            let flags = flags.replace("PREFIX", &python.prefix);
            println!("{name}: {flags}");
            found.push((name, std::iter::once(program).chain(flags.split(' ').map(str::to_owned)).collect()));
        }
        Err(_) => println!("NOT MEASURED: {name}, for {variable} does not say where it is"),
    };
    add(
        "bubblewrap",
        "BWRAP",
        "--unshare-all --die-with-parent --new-session --clearenv --ro-bind /usr /usr --symlink usr/bin /bin \
         --symlink usr/lib /lib --symlink usr/lib64 /lib64 --ro-bind PREFIX PREFIX --proc /proc --dev /dev \
         --tmpfs /tmp --tmpfs /work --chdir /work --",
    );
    add(
        "nsjail",
        "NSJAIL",
        "-Mo -Q --user 65534 --group 65534 -R /usr -R PREFIX -s usr/bin:/bin -s usr/lib:/lib -s usr/lib64:/lib64 \
         -T /tmp -T /work --cwd /work --",
    );
    found
}

fn cold(python: &Python, rounds: usize) {
    let sandbox = Namespaces::new().expect("a cage with every layer");
    println!("{}", sandbox.describe());
    let others = others(python);
    let true_argv = vec!["/usr/bin/true".to_owned()];
    let python_argv: Vec<String> = [&python.program, "-I", "-S", "-c", "pass"].map(str::to_owned).to_vec();
    for (name, argv) in [("true", true_argv), ("python3 -I -S -c pass", python_argv)] {
        let (mut plain, mut opened, mut ran, mut cold, mut dropped) = (vec![], vec![], vec![], vec![], vec![]);
        let mut beside: Vec<Vec<Duration>> = vec![Vec::new(); others.len()];
        for _ in 0..rounds {
            plain.push(time(|| exec(&argv)));
            let start = Instant::now();
            let cage = sandbox.open(python.spec(&[])).expect("the cage opens");
            opened.push(start.elapsed());
            ran.push(time(|| run(&*cage, &argv)));
            cold.push(start.elapsed());
            dropped.push(time(|| drop(cage)));
            for ((_, flags), times) in others.iter().zip(&mut beside) {
                times.push(time(|| exec(&[&flags[..], &argv[..]].concat())));
            }
        }
        println!("{name}");
        let (plain, cold) = (show("  plain exec", plain), show("  cold cage, open and run", cold));
        println!("    {:.2} x plain exec", cold.as_secs_f64() / plain.as_secs_f64());
        show("    open", opened);
        show("    run", ran);
        show("    drop", dropped);
        for ((name, _), times) in others.iter().zip(beside) {
            let median = show(&format!("  {name}"), times);
            println!("    {:.2} x the cage", median.as_secs_f64() / cold.as_secs_f64());
        }
    }
}

/// What every run begins with.
fn quick_selftest(rounds: usize) {
    let sandbox = Namespaces::warm(None).expect("a cage with every layer");
    let program = std::env::current_exe().expect("a program has a file");
    let test = || meliora_sandbox::selftest(&sandbox, &program, meliora_sandbox::Extent::Quick).expect("it runs");
    show("quick self-test", (0..rounds).map(|_| time(|| drop(test()))).collect());
}

/// Jobs of a warm Python, from the request to the result: a cage, a script put into it, its end. Opened on demand, and
/// taken from those that wait.
fn warm(python: &Python, rounds: usize) {
    let packages = std::env::var("PACKAGES").map(PathBuf::from).ok();
    let folders: Vec<PathBuf> = packages.into_iter().collect();
    let mut kinds = vec![("warm", Some(python.warm(&[], &[])), "import json, random; json.dumps([1])")];
    if folders.is_empty() {
        println!("NOT MEASURED: numpy, for PACKAGES does not say where it is");
    } else {
        let numpy = Some(python.warm(&["numpy"], &folders));
        kinds.push(("warm, numpy", numpy, "import numpy; numpy.arange(9).sum()"));
    }
    kinds.push(("cold", None, "import json, random; json.dumps([1])"));
    for (name, warm, script) in kinds {
        for ahead in [0, 2] {
            let sandbox = Namespaces::warm(warm.as_ref()).and_then(|sandbox| sandbox.ahead(ahead));
            let sandbox = sandbox.expect("a cage with every layer");
            let before = processor_seconds();
            let mut times = vec![];
            for _ in 0..rounds {
                if ahead > 0 {
                    // Requests come one by one: time enough to open the next cage.
                    std::thread::sleep(Duration::from_millis(10));
                }
                times.push(time(|| job(&sandbox, python, &folders, script)));
            }
            show(&format!("{name}, {}: {script}", if ahead > 0 { "waiting" } else { "on demand" }), times);
            println!("    {:.2} ms of processor a job", (processor_seconds() - before) / rounds as f64 * 1e3);
        }
    }
}

fn job(sandbox: &Namespaces, python: &Python, folders: &[PathBuf], script: &str) {
    let cage = sandbox.open(python.spec(folders)).expect("the cage opens");
    cage.put("/work/s.py", script.as_bytes(), false).expect("the file fits");
    let argv = [&python.program, "-s", "-S", "/work/s.py"].map(str::to_owned);
    run(&*cage, &argv);
}

/// Cages and warm jobs a second, on one and on two threads, and what of it is processor time.
fn rate(python: &Python, rounds: usize) {
    let plain = Namespaces::new().expect("a cage with every layer");
    let warm = Namespaces::warm(Some(&python.warm(&[], &[]))).expect("a cage with every layer");
    let cages = || {
        let cage = plain.open(python.spec(&[])).expect("the cage opens");
        run(&*cage, &["/usr/bin/true".to_owned()]);
    };
    let jobs = || job(&warm, python, &[], "import json, random; json.dumps([1])");
    let kinds: [(&str, &(dyn Fn() + Sync)); 2] = [("cages with `true`", &cages), ("warm Python jobs", &jobs)];
    for (name, work) in kinds {
        for threads in [1, 2, 4] {
            let left = AtomicUsize::new(rounds * 4);
            let (start, before) = (Instant::now(), machine_busy());
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                            work();
                        }
                    });
                }
            });
            let seconds = start.elapsed().as_secs_f64();
            let busy = (machine_busy() - before) / seconds;
            let rate = (rounds * 4) as f64 / seconds;
            println!("{name}, {threads} threads: {rate:.0} a second, {busy:.2} processors of the machine busy");
        }
    }
}

/// Seconds that the processors of the machine were not idle.
fn machine_busy() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").expect("Linux");
    let line = text.lines().next().expect("a first line");
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; a hundred ticks a second.
    [0, 1, 2, 5, 6].iter().filter_map(|place| ticks.get(*place)).sum::<f64>() / 100.0
}

/// Thousands of cages in a row and 64 at once, and what is left of them.
fn leaks(python: &Python, cages: usize) {
    let sandbox = Namespaces::new().expect("a cage with every layer");
    let one = || {
        let cage = sandbox.open(python.spec(&[])).expect("the cage opens");
        run(&*cage, &["/usr/bin/true".to_owned()]);
    };
    for _ in 0..64 {
        one();
    }
    std::thread::sleep(Duration::from_millis(500));
    let before = held();
    let start = Instant::now();
    for _ in 0..cages {
        one();
    }
    println!("{cages} cages in a row: {:.1} s", start.elapsed().as_secs_f64());
    std::thread::scope(|scope| {
        let opened: Vec<_> =
            (0..64).map(|_| scope.spawn(|| sandbox.open(python.spec(&[])).expect("the cage opens"))).collect();
        let opened: Vec<_> = opened.into_iter().map(|thread| thread.join().expect("it opens")).collect();
        for cage in &opened {
            run(&**cage, &["/usr/bin/true".to_owned()]);
        }
        println!("64 cages at once: opened and used");
    });
    std::thread::sleep(Duration::from_millis(500));
    println!("  held before: {before:?}\n  held after:  {:?}", held());
    drop(sandbox);
    println!("  at the end:  {:?}", held());
}

/// What this process and its sandbox hold.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct Held {
    descriptors: usize,
    processes: usize,
    mounts: usize,
    control_groups: usize,
    resident_kib: u64,
    slab_mib: u64,
}

fn held() -> Held {
    let lines = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let figure = |text: String, name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    let name = format!("*/meliora-{}-*", std::process::id());
    let groups = Plain::new("find").args(["/sys/fs/cgroup", "-type", "d", "-path", &name]).output();
    let groups = groups.map(|told| told.stdout.iter().filter(|byte| **byte == b'\n').count());
    let me = format!(" {} ", std::process::id());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.get(1..).is_some_and(|rest| rest.starts_with(&me)))
    });
    Held {
        descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        processes: processes.count(),
        mounts: lines("/proc/self/mountinfo").lines().count(),
        control_groups: groups.unwrap_or(0),
        resident_kib: figure(lines("/proc/self/status"), "VmRSS"),
        slab_mib: figure(lines("/proc/meminfo"), "Slab:") / 1024,
    }
}

/// Of this process and of the children that it has collected; the zygote's own is not in it.
fn processor_seconds() -> f64 {
    let of = |who| {
        // SAFETY: an all-zero usage is valid, and the call writes one.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(who, &raw mut usage);
            usage
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

fn run(cage: &dyn Cage, argv: &[String]) {
    let command = Command { argv: argv.to_vec(), ..Command::default() };
    let finished = run_to_end(cage, &command, b"").expect("the cage works");
    assert_eq!(finished.ending, meliora_domain::Ending::Exited(0), "{finished:?}");
}

fn exec(argv: &[String]) {
    let output = Plain::new(&argv[0])
        .args(&argv[1..])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn show(name: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let (median, least) = (times[times.len() / 2], times[0]);
    println!("{name}: {:.2} ({:.2})", median.as_secs_f64() * 1e3, least.as_secs_f64() * 1e3);
    median
}
