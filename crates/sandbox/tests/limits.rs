//! Every limit ends what passes it, wholly.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::{CageError, Command, run_to_end};

#[test]
fn the_wall_clock_kills_daemons_and_stopped_processes_too() {
    let cage = open(wall(500));
    let code = "
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open('/work/daemon', 'w').write('up')
        time.sleep(100)
    os._exit(0)
child = os.fork()
if child == 0:
    time.sleep(100)
os.kill(child, signal.SIGSTOP)
open('/work/ready', 'w').close()
time.sleep(100)
";
    let ran = py(&*cage, code);
    assert_eq!(ran.ending, Ending::WallClock, "{}", err(&ran));
    // What it left can be read, and no process is left: only PID 1 and the one that asks.
    assert_eq!(cage.get("/work/daemon", 10).unwrap(), b"up");
    let seen = py(
        &*cage,
        "import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit())[1:] == [] or [p for p in os.listdir('/proc') if p.isdigit()])",
    );
    assert_eq!(out(&seen).trim(), "True");
}

#[test]
fn a_command_may_have_a_shorter_clock_than_its_cage() {
    let cage = cage();
    let short = Command { wall: Some(Duration::from_millis(100)), ..command(["/bin/sleep", "100"]) };
    assert_eq!(run_to_end(&*cage, &short, b"").unwrap().ending, Ending::WallClock);
    assert_eq!(shell(&*cage, "echo still here").ending, Ending::Exited(0));
}

#[test]
fn what_a_command_leaves_behind_does_not_outlive_it() {
    let cage = cage();
    let ran = shell(&*cage, "sleep 100 & (setsid sleep 100 &) ; echo done");
    assert_eq!((out(&ran).as_str(), ran.ending), ("done\n", Ending::Exited(0)));
    assert!(ran.seconds < 50.0, "the background processes held the command up");
}

#[test]
fn a_flood_of_output_ends_at_the_cap() {
    let cage = open(Limits { output: 100_000, ..Limits::default() });
    let ran = shell(&*cage, "yes");
    assert_eq!((ran.stdout.len(), ran.ending), (100_000, Ending::OutputCap));
    let both = shell(&*cage, "yes >&2");
    assert_eq!((both.stderr.len(), both.ending), (100_000, Ending::OutputCap));
    let exact = py(&*cage, "import os; os.write(1, b'x' * 100_000)");
    assert_eq!((exact.stdout.len(), exact.ending), (100_000, Ending::Exited(0)));
}

#[test]
fn a_fork_bomb_stays_within_its_number() {
    let cage = open(Limits { processes: 20, ..wall(5000) });
    let code = "
import os, time
n = 0
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(100)
        n += 1
except OSError as error:
    print(n, type(error).__name__)
";
    assert_eq!(out(&py(&*cage, code)), "19 BlockingIOError\n");
    let bomb = shell(&*cage, "b() { b | b & }; b; sleep 100");
    assert!(matches!(bomb.ending, Ending::WallClock | Ending::Exited(_)), "{:?}", bomb.ending);
    assert_eq!(out(&shell(&*cage, "echo alive")), "alive\n");
}

#[test]
fn files_grow_no_further_than_the_limit() {
    let cage = open(Limits { disk: 4 << 20, ..Limits::default() });
    let code = "
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill(names, each):
    written = 0
    try:
        for name in names:
            with open(name, 'wb', buffering=0) as f:
                for _ in range(each):
                    written += f.write(b'x' * (1 << 20))
    except OSError as error:
        print(type(error).__name__, error.errno, written <= 4 << 20)
fill(['/work/one'], 100)
fill([f'/tmp/{n}' for n in range(100)], 1)
";
    assert_eq!(out(&py(&*cage, code)), "OSError 27 True\nOSError 28 True\n");
    assert!(matches!(cage.put("/tmp/more", b"x", false), Err(CageError::Full { .. })));
}

#[test]
fn the_number_of_files_is_limited_too() {
    let cage = cage();
    let code = "
n = 0
try:
    for n in range(100_000):
        open(f'/work/{n}', 'w').close()
except OSError as error:
    print(error.errno, n < 20_000)
";
    assert_eq!(out(&py(&*cage, code)), "28 True\n");
}

#[test]
fn memory_of_one_process_is_limited() {
    let cage = open(Limits { memory: 200 << 20, ..Limits::default() });
    let ran = py(&*cage, "x = bytearray(400 << 20)");
    assert_eq!(ran.ending, Ending::Exited(1));
    assert!(err(&ran).contains("MemoryError"), "{}", err(&ran));
    assert_eq!(py(&*cage, "x = bytearray(100 << 20)").ending, Ending::Exited(0));
}

#[test]
fn shared_memory_and_the_sum_of_all_processes_are_limited_too() {
    let cage = open(Limits { memory: 100 << 20, ..Limits::default() });
    let shared = "
import mmap, time
m = mmap.mmap(-1, 300 << 20)
for at in range(0, len(m), 4096):
    m[at] = 1
time.sleep(100)
";
    assert_eq!(py(&*cage, shared).ending, Ending::Memory);
    let many = "
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(b'x') * (50 << 20)
        time.sleep(100)
time.sleep(100)
";
    assert_eq!(py(&*cage, many).ending, Ending::Memory);
    // Processes that made themselves unreadable (PR_SET_DUMPABLE) count as well.
    for code in [shared, many] {
        let hidden = format!("import ctypes\nassert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n{code}");
        let ran = py(&*cage, &hidden);
        assert_eq!(ran.ending, Ending::Memory, "{}", err(&ran));
    }
    assert_eq!(out(&shell(&*cage, "echo alive")), "alive\n");
}

/// Where root may make control groups, the kernel itself holds the limits, between two looks of the watch as well.
#[test]
fn a_control_group_holds_all_processes_together() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let told = meliora_evolve::Sandbox::describe(sandbox());
    assert!(told.contains("cgroup v") && told.contains("memory, pids"), "the host of this test has no cgroups: {told}");
    let cage = open(Limits { memory: 64 << 20, disk: 1 << 20, processes: 12, ..Limits::default() });
    // The sum of many small ones, while nobody looks: each is within its own limit, and all have one.
    let many = "
import mmap, os, time
for _ in range(9):
    if os.fork() == 0:
        m = mmap.mmap(-1, 40 << 20)
        for at in range(0, len(m), 4096):
            m[at] = 1
        time.sleep(100)
told = str(os.wait()[1])
open('/work/part', 'w').write(told)
os.rename('/work/part', '/work/told')
time.sleep(100)
";
    let process = cage.spawn(&command([&python().program, "-I", "-S", "-c", many])).unwrap();
    let started = std::time::Instant::now();
    while cage.get("/work/told", 10).is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "the kernel let all of them grow");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(cage.get("/work/told", 10).unwrap(), b"9", "one was killed");
    assert_eq!(process.next().unwrap(), meliora_evolve::Happening::Exit(Ending::Memory));
    // The kernel takes a moment to give back what the dead held.
    let alive = || out(&shell(&*cage, "echo alive")) == "alive\n";
    assert!(
        (0..50).any(|_| alive() || (std::thread::sleep(Duration::from_millis(20)), false).1),
        "nothing runs any more"
    );
    assert_eq!(shell(&*cage, "kill -9 $$").ending, Ending::Signalled(9), "what came before is not held against it");
    let seen = py(&*cage, "print(open('/proc/self/cgroup').read())");
    for line in out(&seen).lines().filter(|line| !line.is_empty()) {
        assert!(line.ends_with(":/") || !line.contains("meliora"), "the cage sees where it is: {line}");
    }
    // Threads count as processes do.
    let threads = "
import threading, time
threading.stack_size(1 << 18)
n = 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start(); n += 1
except RuntimeError:
    print(n)
";
    assert_eq!(out(&py(&*cage, threads)), "11\n");
}

/// The folders of control groups that hosts of this number made.
fn groups_of(pid: u32) -> usize {
    let name = format!("/meliora-{pid}-");
    let list = std::process::Command::new("find").args(["/sys/fs/cgroup", "-type", "d"]).output().unwrap();
    String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.contains(&name)).count()
}

#[test]
fn control_groups_are_removed_with_their_sandbox_and_those_of_the_dead_by_the_next() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["helper_of_kill_nine", "--exact", "--nocapture"])
        .env("MELIORA_TEST_VICTIM", "1001.5")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let wait_for = |wanted: &dyn Fn() -> bool| {
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            wanted()
        })
    };
    assert!(wait_for(&|| groups_of(host.id()) >= 4), "the host has groups");
    // Those of the living stay.
    drop(meliora_sandbox::Namespaces::new().unwrap());
    assert!(groups_of(host.id()) >= 4);
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(wait_for(&|| {
        drop(meliora_sandbox::Namespaces::new().unwrap());
        groups_of(host.id()) == 0
    }));
}

#[test]
fn processor_time_is_limited() {
    let cage = open(Limits { cpu_seconds: 1, ..Limits::default() });
    assert_eq!(py(&*cage, "while True: pass").ending, Ending::CpuTime);
    let stubborn = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass";
    assert_eq!(py(&*cage, stubborn).ending, Ending::CpuTime);
}

#[test]
fn open_files_are_limited() {
    let cage = open(Limits { files: 32, ..Limits::default() });
    let code = "
f = []
try:
    while True: f.append(open('/dev/null'))
except OSError as error:
    print(error.errno, len(f) <= 29)
";
    assert_eq!(out(&py(&*cage, code)), "24 True\n");
}

#[test]
fn no_process_is_left_uncollected() {
    let sandbox = meliora_sandbox::Namespaces::new().unwrap();
    let me = std::process::id().to_string();
    for _ in 0..8 {
        let cage = meliora_evolve::Sandbox::open(&sandbox, spec(Limits::default())).unwrap();
        shell(&*cage, "sleep 100 & true");
    }
    drop(sandbox);
    // The sandbox waits for its dead; cages of other tests run on, but none of them is dead and uncollected for long.
    let dead = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
            .filter(|stat| {
                let mut words = stat.rsplit(')').next().unwrap_or("").split_whitespace();
                words.next() == Some("Z") && words.next() == Some(me.as_str())
            })
            .count()
    };
    for _ in 0..100 {
        if dead() == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{} dead children are left", dead());
}

/// Run by the test below in a process of its own.
#[test]
fn helper_of_kill_nine() {
    if std::env::var("MELIORA_TEST_VICTIM").is_err() {
        return;
    }
    let cage = cage();
    let name = std::env::var("MELIORA_TEST_VICTIM").unwrap();
    cage.spawn(&command(["/bin/sh", "-c", &format!("sleep {name} & setsid sleep {name} & wait")]))
        .map(std::mem::forget)
        .unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn kill_nine_of_the_host_ends_its_cages() {
    let name = format!("1000.{}", std::process::id());
    let sleepers = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .filter(|line| line.starts_with(b"sleep\0") && line[6..].starts_with(name.as_bytes()))
            .count()
    };
    let wait_for = |count: usize| {
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            sleepers() == count
        })
    };
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["helper_of_kill_nine", "--exact", "--nocapture"])
        .env("MELIORA_TEST_VICTIM", &name)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait_for(2), "the cage's commands run: {}", sleepers());
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(wait_for(0), "{} processes of the cage outlived the host", sleepers());
}

#[test]
fn ordinary_user_has_the_same_limits() {
    again_as_an_ordinary_user();
}

#[test]
fn shared_memory_is_of_limited_size_and_number_of_files() {
    let fill = "
import os
full = []
try:
    with open('/dev/shm/big', 'wb') as file:
        while True:
            file.write(b'x' * (1 << 20))
except OSError as error:
    full.append(error.errno)
size = os.stat('/dev/shm/big').st_size >> 20
os.remove('/dev/shm/big')
try:
    for number in range(100_000):
        open(f'/dev/shm/{number}', 'w').close()
except OSError as error:
    full.append(error.errno)
print(full, size, number < 1024)
";
    assert_eq!(out(&py(&*cage(), fill)), "[28, 28] 16 True\n");
    // A cage with less disk has no more of this.
    let small = open(Limits { disk: 2 << 20, ..Limits::default() });
    let told = out(&py(&*small, fill));
    assert!(told.ends_with(" 2 True\n"), "{told}");
}
