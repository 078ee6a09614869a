//! Medians of a plain `exec` and of the same command in a cage of its own, in turn in one run.
//!
//! `cargo bench -p meliora-sandbox`, with `ROUNDS=200` in the environment for another number of rounds and
//! `BALLAST_MIB=500` for a host that holds that much memory.

#![allow(clippy::print_stdout)]

use std::process::{Command as Plain, Stdio};
use std::time::{Duration, Instant};

use meliora_evolve::{Cage, CageSpec, Command, ReadOnly, Sandbox, run_to_end};
use meliora_sandbox::{Namespaces, WarmPython};

fn main() {
    meliora_sandbox::serve_if_asked(std::env::args_os());
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let code = "import sys, os; print(os.path.realpath(sys.executable)); print(sys.base_prefix)";
    let told = Plain::new("python3").args(["-c", code]).output().expect("python3 must be on the PATH");
    let told = String::from_utf8(told.stdout).expect("python3 prints text");
    let (python, prefix) = told.trim().split_once('\n').expect("two lines");
    let sandbox = Namespaces::new().expect("a cage with every layer");
    // A host with much memory must not pay for it with each cage.
    let ballast: usize = std::env::var("BALLAST_MIB").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let ballast = std::hint::black_box(vec![1u8; ballast << 20]);
    println!("{}", sandbox.describe());
    println!("{rounds} rounds, milliseconds: median (least)");

    let true_argv = vec!["/usr/bin/true".to_owned()];
    let python_argv: Vec<String> = [python, "-I", "-S", "-c", "pass"].map(str::to_owned).to_vec();
    for (name, argv) in [("true", true_argv), ("python3 -I -S -c pass", python_argv)] {
        let (mut plain, mut opened, mut ran, mut cold, mut dropped) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..rounds {
            plain.push(time(|| exec(&argv)));
            let start = Instant::now();
            let cage = open(&sandbox, prefix);
            opened.push(start.elapsed());
            ran.push(time(|| run(&*cage, &argv)));
            cold.push(start.elapsed());
            dropped.push(time(|| drop(cage)));
        }
        println!("{name}");
        let (plain, cold) = (show("  plain exec", plain), show("  cold cage, open and run", cold));
        println!("    {:.2} x plain exec", cold.as_secs_f64() / plain.as_secs_f64());
        show("    open", opened);
        show("    run", ran);
        show("    drop", dropped);
    }

    scripts(python, prefix, rounds);

    let each = rounds / 2;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..each {
                    run(&*open(&sandbox, prefix), &["/usr/bin/true".to_owned()]);
                }
            });
        }
    });
    let both = start.elapsed();
    println!("two threads: {:.0} cages a second", 2.0 * each as f64 / both.as_secs_f64());
    let start = Instant::now();
    for _ in 0..rounds {
        run(&*open(&sandbox, prefix), &["/usr/bin/true".to_owned()]);
    }
    drop(ballast);
    println!("one thread: {:.0} cages a second", rounds as f64 / start.elapsed().as_secs_f64());
}

/// A script by a Python that starts anew, and by a warm one: wall clock and processor time of a whole cage.
fn scripts(python: &str, prefix: &str, rounds: usize) {
    let ask = "import os, sys, sysconfig; c = sysconfig.get_config_var; print(sys.version.replace(chr(10), ' ')); \
               print(os.path.join(c('LIBDIR'), c('INSTSONAME')))";
    let told = Plain::new(python).args(["-I", "-c", ask]).output().expect("python runs");
    let told = String::from_utf8(told.stdout).expect("python3 prints text");
    let (version, library) = told.trim().split_once('\n').expect("two lines");
    let warm = WarmPython {
        program: python.into(),
        library: Some(library.into()),
        version: version.to_owned(),
        flags: ["-s", "-S"].map(str::to_owned).into(),
        env: vec![("LANG".to_owned(), "C.UTF-8".to_owned())],
        modules: ["os", "json", "random", "importlib.util", "dataclasses"].map(str::to_owned).into(),
        required: Vec::new(),
        search: Vec::new(),
        scripts: Vec::new(),
    };
    let argv: Vec<String> = [python, "-s", "-S", "/work/s.py"].map(str::to_owned).into();
    for (name, python) in [("cold", None), ("warm", Some(&warm))] {
        let sandbox = Namespaces::warm(python).expect("a cage with every layer");
        println!("{}", sandbox.describe());
        for script in ["pass", "import json, random, importlib.util"] {
            let before = processor_seconds();
            let mut times = vec![];
            for _ in 0..rounds {
                times.push(time(|| {
                    let mut spec = CageSpec::manual();
                    spec.read_only = vec![ReadOnly { path: prefix.into() }];
                    spec.env.clone_from(&warm.env);
                    let cage = sandbox.open(spec).expect("the cage opens");
                    cage.put("/work/s.py", script.as_bytes(), false).expect("the file fits");
                    run(&*cage, &argv);
                }));
            }
            show(&format!("  {name}: {script}"), times);
            println!("    {:.2} ms of processor a cage", (processor_seconds() - before) / rounds as f64 * 1e3);
        }
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

fn open(sandbox: &Namespaces, prefix: &str) -> Box<dyn Cage> {
    let mut spec = CageSpec::manual();
    spec.read_only = vec![ReadOnly { path: prefix.into() }];
    sandbox.open(spec).expect("the cage opens")
}

fn run(cage: &dyn Cage, argv: &[String]) {
    let command = Command { argv: argv.to_vec(), ..Command::default() };
    let finished = run_to_end(cage, &command, b"").expect("the cage works");
    assert_eq!(finished.ending, meliora_domain::Ending::Exited(0), "{finished:?}");
}

fn exec(argv: &[String]) {
    let status = Plain::new(&argv[0])
        .args(&argv[1..])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("it starts")
        .status;
    assert!(status.success());
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
