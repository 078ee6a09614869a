//! What every backend must do: files in and out, commands, their streams and their ends.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::{CageError, Command, EntryKind, Happening, Sandbox, run_to_end};

#[test]
fn a_command_runs_with_its_input_output_and_exit_code() {
    let cage = cage();
    let cat = run_to_end(&*cage, &command(["/bin/cat"]), b"hello").unwrap();
    assert_eq!((cat.stdout.as_slice(), cat.ending), (b"hello".as_slice(), Ending::Exited(0)));
    let both = shell(&*cage, "echo one; echo two >&2; exit 7");
    assert_eq!((out(&both).as_str(), err(&both).as_str(), both.ending), ("one\n", "two\n", Ending::Exited(7)));
}

#[test]
fn a_file_that_was_put_can_be_read_changed_and_fetched() {
    let cage = cage();
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

#[test]
fn python_runs_and_may_write_where_it_should() {
    let cage = cage();
    let ran = py(&*cage, "open('/work/a','w').write('x'); open('/tmp/b','w').write('y'); print(6*7)");
    assert_eq!((out(&ran).as_str(), err(&ran).as_str(), ran.ending), ("42\n", "", Ending::Exited(0)));
}

#[test]
fn several_commands_share_the_folder_one_after_another_and_at_once() {
    let cage = cage();
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

#[test]
fn a_command_that_reads_and_writes_much_at_once_does_not_stand_still() {
    let cage = cage();
    let much = vec![b'x'; 3 << 20];
    let cat = run_to_end(&*cage, &command(["/bin/cat"]), &much).unwrap();
    assert_eq!((cat.stdout.len(), cat.ending), (much.len(), Ending::Exited(0)));
}

#[test]
fn input_that_nobody_reads_is_dropped() {
    let cage = cage();
    let ran = run_to_end(&*cage, &command(["/usr/bin/true"]), &vec![0; 3 << 20]).unwrap();
    assert_eq!(ran.ending, Ending::Exited(0));
}

#[test]
fn signals_reach_a_command_and_what_it_started() {
    let cage = cage();
    for (signal, ending) in [(15, Ending::Signalled(15)), (9, Ending::Signalled(9))] {
        let process = cage.spawn(&command(["/bin/sh", "-c", "sleep 100 & echo up; wait"])).unwrap();
        assert_eq!(process.next().unwrap(), Happening::Stdout(b"up\n".to_vec()));
        process.signal(signal).unwrap();
        assert_eq!(process.next().unwrap(), Happening::Exit(ending));
    }
    assert_eq!(shell(&*cage, "kill -SEGV $$").ending, Ending::Signalled(11));
}

#[test]
fn a_program_that_cannot_start_says_why_as_a_shell_would() {
    let cage = cage();
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

#[test]
fn a_very_long_argument_arrives_whole() {
    let cage = cage();
    let long = format!("echo {}", "y".repeat(100_000));
    assert_eq!(out(&shell(&*cage, &long)).len(), 100_001);
}

#[test]
fn cages_open_at_once_do_not_meet() {
    let cages: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                scope.spawn(move || {
                    let cage = cage();
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

#[test]
fn usage_tells_processor_time_and_memory() {
    let cage = cage();
    py(&*cage, "x = bytearray(50 << 20); sum(range(3_000_000))");
    let usage = cage.usage();
    assert!(usage.cpu_seconds > 0.01, "{usage:?}");
    assert!(usage.peak_memory > 50 << 20, "{usage:?}");
}

#[test]
fn files_outside_the_writable_folders_are_out_of_reach() {
    let cage = cage();
    for path in ["/etc/passwd", "/work/../etc/passwd", "work/x", "/workshop/x", "/usr/bin/true"] {
        assert!(matches!(cage.get(path, 1000), Err(CageError::NoFile { .. })), "get {path}");
        assert!(matches!(cage.put(path, b"x", false), Err(CageError::NoFile { .. })), "put {path}");
    }
    cage.put("/work/five", b"12345", false).unwrap();
    assert!(matches!(cage.get("/work/five", 4), Err(CageError::TooLarge { size: 5, limit: 4, .. })));
    assert_eq!(cage.get("/work/five", 5).unwrap(), b"12345");
}

#[test]
fn a_full_folder_is_said_to_be_full() {
    let cage = open(Limits { disk: 1 << 20, ..Limits::default() });
    assert!(matches!(cage.put("/work/big", &vec![1; 2 << 20], false), Err(CageError::Full { .. })));
}

#[test]
fn what_a_dropped_cage_ran_is_gone() {
    let cage = cage();
    let process = cage.spawn(&command(["/bin/sh", "-c", "echo up; exec sleep 100"])).unwrap();
    assert_eq!(process.next().unwrap(), Happening::Stdout(b"up\n".to_vec()));
    drop(cage);
    assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(9)));
}

#[test]
fn a_path_that_cannot_be_shown_is_refused_by_name() {
    for path in ["/no/such/place", "/", "/proc/1", "relative", "/root/../etc"] {
        let mut spec = spec(Limits::default());
        spec.read_only.push(meliora_evolve::ReadOnly { path: path.into() });
        let Err(error) = sandbox().open(spec) else { panic!("'{path}' was shown") };
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn node_runs_with_its_compiler_and_threads() {
    let Some(node) = tool("node", &["-p", "process.execPath"]) else { return };
    assert!(node.starts_with("/usr/"), "this test knows node under /usr only, not {node}");
    let cage = cage();
    let code = "let f=(n)=>n<2?n:f(n-1)+f(n-2); const b=Buffer.alloc(1<<20); require('fs').writeFileSync('/work/x', b); \
                new (require('worker_threads').Worker)('console.log(40+2)',{eval:true}); f(25)";
    let ran = run(&*cage, &[&node, "-e", code]);
    assert_eq!((out(&ran).as_str(), err(&ran).as_str(), ran.ending), ("42\n", "", Ending::Exited(0)));
}

#[test]
fn rust_compiles_links_and_runs() {
    let Some(root) = tool("rustc", &["--print", "sysroot"]) else { return };
    if std::fs::metadata(&root).is_err() {
        return; // an ordinary user who cannot see the toolchain
    }
    let mut spec = spec(Limits { processes: 64, disk: 256 << 20, ..Limits::default() });
    spec.read_only.push(meliora_evolve::ReadOnly { path: root.clone().into() });
    spec.env.push(("PATH".into(), "/usr/bin:/bin".into()));
    let cage = sandbox().open(spec).unwrap();
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

#[test]
fn ordinary_user_gets_the_same() {
    again_as_an_ordinary_user();
}

#[test]
fn processes_of_a_cage_share_locks_queues_and_memory() {
    let cage = open(Limits { processes: 32, ..Limits::default() });
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
        let ran = run(&*cage, &[&python().program, "/work/main.py"]);
        assert_eq!(out(&ran), "[0, 1, 4, 9]\n[0, 1, 4, 9]\nTrue None 1\n[]\n", "{method}: {}", err(&ran));
    }
}

#[test]
fn the_host_can_do_with_files_what_a_person_can() {
    let cage = cage();
    assert!(cage.make_folder("/work/a/b").unwrap());
    assert!(!cage.make_folder("/work/a/b").unwrap(), "it was there");
    cage.put("/work/a/b/file", b"1234", false).unwrap();
    let entry = cage.stat("/work/a/b/file").unwrap();
    assert_eq!((entry.name.as_str(), entry.kind, entry.size, entry.mode), ("file", EntryKind::File, 4, 0o644));
    assert!(entry.modified.as_secs() > 1_600_000_000);
    assert!(matches!(cage.make_folder("/work/a/b/file"), Err(CageError::NoFile { .. })));

    py(&*cage, "import os; os.symlink('/etc/passwd', '/work/a/link'); os.mkfifo('/work/a/pipe')");
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

#[test]
fn a_paused_cage_stands_still_and_goes_on() {
    let cage = cage();
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

#[test]
fn several_threads_may_use_one_command() {
    let cage = cage();
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

#[test]
fn a_folder_of_very_many_files_is_told_in_part_and_removed_whole() {
    let cage = cage();
    let code = "
import os
os.mkdir('/work/many')
n = 0
try:
    for n in range(1_000_000):
        os.close(os.open(f'/work/many/{n}', os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(error.errno, n > 10_000)
";
    assert_eq!(out(&py(&*cage, code)), "28 True\n");
    assert_eq!(cage.list("/work/many").unwrap().len(), 10_000);
    cage.remove("/work/many").unwrap();
    assert_eq!(cage.list("/work").unwrap(), []);
    cage.put("/work/again", b"x", false).unwrap();
}

#[test]
fn names_with_line_breaks_and_without_text_are_told_and_can_be_handled() {
    let cage = cage();
    let code = r"
import os
os.makedirs(b'/work/d/\xff\xfe')
open(b'/work/d/\xff\xfe/in', 'w').close()
open('/work/d/two\nlines', 'w').write('2')
open('/work/d/ -rf *', 'w').close()
open('/work/d/' + 'x' * 255, 'w').close()
os.symlink(b'/\xff', b'/work/d/link')
";
    let ran = py(&*cage, code);
    assert_eq!(ran.ending, Ending::Exited(0), "{}", err(&ran));
    let mut names: Vec<String> = cage.list("/work/d").unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    assert_eq!(names, [" -rf *", "link", "two\nlines", &"x".repeat(255), "\u{fffd}\u{fffd}"]);
    assert_eq!(cage.get("/work/d/two\nlines", 10).unwrap(), b"2");
    cage.rename("/work/d/two\nlines", "/work/d/one\n").unwrap();
    assert!(cage.get("/work/d/\u{fffd}\u{fffd}", 10).is_err(), "a name that is not text is not found by its picture");
    assert_eq!(cage.stat("/work/d/link").unwrap().target, "/\u{fffd}");
    cage.put("/work/d/new\nfile", b"x", false).unwrap();
    let long = cage.put(&format!("/work/d/{}", "y".repeat(256)), b"x", false);
    assert!(matches!(long, Err(CageError::NoFile { .. })), "{long:?}");
    cage.remove("/work/d").unwrap();
    assert_eq!(cage.list("/work").unwrap(), []);
}

#[test]
fn ten_gigabytes_of_output_cost_the_host_no_more_than_the_cap() {
    let cage = cage();
    let before = resident();
    let ran = shell(&*cage, "head -c 10G /dev/zero");
    assert_eq!((ran.stdout.len() as u64, ran.ending), (Limits::default().output, Ending::OutputCap));
    assert!(resident() < before + (64 << 20), "{} became {}", before, resident());
    assert_eq!(out(&shell(&*cage, "echo alive")), "alive\n");
}

/// Bytes that this process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}
