//! Commands at a terminal of their own, with variables of their own, and the second path of the writable folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::OnceLock;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::{Cage, CageError, CageSpec, Command, Happening, Process, Sandbox, Terminal, run_to_end};
use meliora_sandbox::Namespaces;

fn one_sandbox() -> &'static Namespaces {
    static SANDBOX: OnceLock<Namespaces> = OnceLock::new();
    SANDBOX.get_or_init(|| Namespaces::new().expect("a cage with every layer"))
}

fn with(change: impl FnOnce(&mut CageSpec)) -> Box<dyn Cage> {
    let mut spec = spec(Limits::default());
    change(&mut spec);
    one_sandbox().open(spec).expect("the cage opens")
}

fn cage_with_terminals() -> Box<dyn Cage> {
    with(|spec| spec.terminals = true)
}

const SIZE: Terminal = Terminal { columns: 81, rows: 23 };

fn at_terminal(cage: &dyn Cage, argv: &[&str]) -> Box<dyn Process> {
    cage.spawn(&Command { terminal: Some(SIZE), ..command(argv.iter().copied()) }).expect("it starts")
}

/// What it says until it says this, or ends.
fn until(process: &dyn Process, wanted: &str) -> (String, Option<Ending>) {
    let mut told = String::new();
    loop {
        match process.next().expect("our machinery holds") {
            Happening::Stdout(bytes) => told += &String::from_utf8_lossy(&bytes),
            Happening::Stderr(bytes) => panic!("a terminal has one stream: {}", String::from_utf8_lossy(&bytes)),
            Happening::Exit(ending) => return (told, Some(ending)),
        }
        if !wanted.is_empty() && told.contains(wanted) {
            return (told, None);
        }
    }
}

fn to_end(process: &dyn Process) -> (String, Ending) {
    let (told, ending) = until(process, "");
    (told, ending.unwrap())
}

#[test]
fn a_command_at_a_terminal_has_one_of_the_size_that_was_asked_for() {
    let cage = cage_with_terminals();
    let code = "import os, sys; print([os.isatty(n) for n in range(3)], os.get_terminal_size(), os.ttyname(0), os.getpgrp() == os.tcgetpgrp(0)); \
                sys.stderr.write('both\\n'); print(open('/dev/tty').isatty()); sys.exit(3)";
    let (told, ending) = to_end(&*at_terminal(&*cage, &[&python().program, "-I", "-S", "-c", code]));
    let expected = "[True, True, True] os.terminal_size(columns=81, lines=23) /dev/pts/0 True\r\nboth\r\nTrue\r\n";
    assert_eq!((told.as_str(), ending), (expected, Ending::Exited(3)));
}

#[test]
fn what_is_typed_is_echoed_and_keys_mean_what_they_mean() {
    let cage = cage_with_terminals();
    let shell = at_terminal(&*cage, &["/bin/sh"]);
    shell.write(b"echo $((6*7))\n").unwrap();
    assert!(until(&*shell, "42\r\n").0.contains("echo $((6*7))\r\n"));
    // Ctrl-C ends what runs in front, and not the shell.
    shell.write(b"sh -c 'echo up; exec sleep 100'\n").unwrap();
    until(&*shell, "up\r\n");
    shell.write(b"\x03").unwrap();
    shell.write(b"echo $((1+1))x\n").unwrap();
    until(&*shell, "2x\r\n");
    shell.close_stdin();
    assert_eq!(to_end(&*shell).1, Ending::Exited(0));
    // Ctrl-C where nobody handles it.
    let sleep = at_terminal(&*cage, &["/bin/sh", "-c", "echo up; exec sleep 100"]);
    until(&*sleep, "up\r\n");
    sleep.write(b"\x03").unwrap();
    assert_eq!(to_end(&*sleep).1, Ending::Signalled(2));
}

#[test]
fn a_terminal_that_changes_its_size_tells_the_program() {
    let cage = cage_with_terminals();
    let code = "import os, signal, time\n\
                def told(*_): os.write(1, b'now %d %d\\n' % os.get_terminal_size()); os._exit(0)\n\
                signal.signal(signal.SIGWINCH, told); os.write(1, b'up\\n'); time.sleep(100)";
    let process = at_terminal(&*cage, &[&python().program, "-I", "-S", "-c", code]);
    until(&*process, "up\r\n");
    process.resize(Terminal { columns: 120, rows: 50 }).unwrap();
    assert_eq!(to_end(&*process), ("now 120 50\r\n".to_owned(), Ending::Exited(0)));
    process.resize(SIZE).unwrap();
}

#[test]
fn much_output_at_a_terminal_arrives_whole_and_ends_at_the_cap() {
    let cage = cage_with_terminals();
    let (told, ending) = to_end(&*at_terminal(&*cage, &["/usr/bin/seq", "1", "100000"]));
    let expected: String = (1..=100_000).map(|n| format!("{n}\r\n")).collect();
    assert!(told == expected && ending == Ending::Exited(0), "{} bytes, {ending:?}", told.len());
    let small = with(|spec| (spec.terminals, spec.limits.output) = (true, 50_000));
    let (told, ending) = to_end(&*at_terminal(&*small, &["/usr/bin/yes"]));
    assert_eq!((told.len(), ending), (50_000, Ending::OutputCap));
}

#[test]
fn raw_mode_job_control_and_pairs_of_its_own_work_at_a_terminal() {
    let cage = cage_with_terminals();
    let code = "
import os, pty, subprocess, termios, tty
tty.setraw(0)
os.write(1, b'raw')
got = os.read(0, 1)
termios.tcsetattr(0, termios.TCSANOW, termios.tcgetattr(1))
master, slave = pty.openpty()
child = subprocess.Popen(['sh', '-c', 'test -t 0 && echo inner'], stdin=slave, stdout=slave, start_new_session=True)
child.wait()
os.write(1, b' %r %r' % (got, os.read(master, 100)))
";
    let process = at_terminal(&*cage, &[&python().program, "-S", "-c", code]);
    until(&*process, "raw");
    process.write(b"\x03").unwrap();
    let (told, ending) = to_end(&*process);
    assert_eq!((told.trim(), ending), (r"b'\x03' b'inner\r\n'", Ending::Exited(0)));
    let jobs = at_terminal(&*cage, &["/bin/bash", "--norc", "-i"]);
    jobs.write(b"sh -c 'echo up; exec sleep 100'\n").unwrap();
    until(&*jobs, "up\r\n");
    jobs.write(b"\x1a").unwrap();
    until(&*jobs, "Stopped");
    jobs.write(b"disown -a; exit 5\n").unwrap();
    let (told, ending) = to_end(&*jobs);
    assert_eq!(ending, Ending::Exited(5), "{told}");
}

#[test]
fn nothing_can_be_typed_into_a_terminal_from_the_inside() {
    let cage = cage_with_terminals();
    let code = "
import fcntl, os
for call in (0x5412, 0x541c, 0x541d, 0x5423):
    for place in (0, os.open('/dev/tty', os.O_RDWR), os.open('/dev/pts/0', os.O_RDWR)):
        try: print(hex(call), fcntl.ioctl(place, call, b'x\\0\\0\\0'))
        except OSError as error: print(error.errno, end=' ')
print(sorted(os.listdir('/dev/pts')), os.stat('/dev/pts/0').st_uid)
";
    let (told, ending) = to_end(&*at_terminal(&*cage, &[&python().program, "-I", "-S", "-c", code]));
    let refused = "25 ".repeat(12);
    assert_eq!((told.as_str(), ending), (format!("{refused}['0', 'ptmx'] 1000\r\n").as_str(), Ending::Exited(0)));
}

#[test]
fn without_terminals_there_is_none_and_a_command_cannot_have_one() {
    let cage = cage();
    assert_eq!(out(&shell(&*cage, "ls /dev")), "null\nrandom\nshm\nurandom\nzero\n");
    let Err(error) = cage.spawn(&Command { terminal: Some(SIZE), ..command(["/usr/bin/true"]) }) else {
        panic!("it has a terminal")
    };
    assert!(error.to_string().contains("terminal") && error.hint.is_some(), "{error}");
    assert_eq!(out(&shell(&*cage, "echo alive")), "alive\n");
}

#[test]
fn terminals_of_two_commands_and_two_cages_are_their_own() {
    let (one, two) = (cage_with_terminals(), cage_with_terminals());
    let first = at_terminal(&*one, &["/bin/sh", "-c", "tty; read x; echo got $x"]);
    let second = at_terminal(&*one, &["/bin/sh", "-c", "tty; read x; echo got $x"]);
    let other = at_terminal(&*two, &["/bin/sh", "-c", "tty; read x; echo got $x"]);
    assert_eq!(until(&*first, "\n").0, "/dev/pts/0\r\n");
    assert_eq!(until(&*second, "\n").0, "/dev/pts/1\r\n");
    assert_eq!(until(&*other, "\n").0, "/dev/pts/0\r\n");
    for (process, word) in [(&first, "a"), (&second, "b"), (&other, "c")] {
        process.write(format!("{word}\n").as_bytes()).unwrap();
        assert_eq!(to_end(&**process), (format!("{word}\r\ngot {word}\r\n"), Ending::Exited(0)));
    }
}

#[test]
fn a_command_may_have_variables_of_its_own_over_those_of_the_cage() {
    let cage = with(|spec| spec.env.extend([("KEPT".into(), "1".into()), ("CHANGED".into(), "old".into())]));
    let own = vec![("CHANGED".to_owned(), "new =\n".to_owned()), ("OWN".to_owned(), String::new())];
    let print = |env: &[(String, String)]| {
        let code = "import os; print([os.environ.get(n) for n in ('KEPT', 'CHANGED', 'OWN', 'HOME')])";
        let command = Command { env: env.to_vec(), ..command([&python().program, "-I", "-S", "-c", code]) };
        out(&run_to_end(&*cage, &command, b"").unwrap())
    };
    assert_eq!(print(&own), "['1', 'new =\\n', '', '/work']\n");
    assert_eq!(print(&[]), "['1', 'old', None, '/work']\n", "they were of that command alone");
    for name in ["", "A=B", "A\0"] {
        let command = Command { env: vec![(name.to_owned(), "x".to_owned())], ..command(["/usr/bin/true"]) };
        assert!(cage.spawn(&command).is_err(), "{name:?}");
    }
}

#[test]
fn the_writable_folder_has_a_second_path_where_one_is_asked_for() {
    let cage = with(|spec| spec.home = Some("/home/user".to_owned()));
    cage.put("/home/user/in", b"abc", false).unwrap();
    let there =
        Command { cwd: "/home/user".to_owned(), ..command(["/bin/sh", "-c", "pwd; cat /work/in; echo x > out"]) };
    assert_eq!(out(&run_to_end(&*cage, &there, b"").unwrap()), "/home/user\nabc");
    assert_eq!(cage.get("/work/out", 10).unwrap(), b"x\n");
    assert_eq!(cage.get("/home/user/out", 10).unwrap(), b"x\n");
    cage.rename("/home/user/out", "/work/moved").unwrap();
    assert_eq!(cage.list("/home/user").unwrap().len(), 2);
    for path in ["/home", "/home/users", "/home/user/../x"] {
        assert!(matches!(cage.list(path), Err(CageError::NoFile { .. })), "{path}");
    }
    for home in ["home", "/", "/usr/x", "/etc", "/tmp/x", "/work/x", "/home/../x", "/home//x", "/home/", "/proc/1"] {
        let mut spec = spec(Limits::default());
        spec.home = Some(home.to_owned());
        let Err(error) = one_sandbox().open(spec) else { panic!("{home}") };
        assert!(error.to_string().contains(home) && error.hint.is_some(), "{error}");
    }
}

#[test]
fn ordinary_user_gets_the_same() {
    again_as_an_ordinary_user();
}
