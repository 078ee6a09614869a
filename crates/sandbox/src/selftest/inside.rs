//! The probe program: this very program, executed inside a cage by a hidden first argument.
//!
//! It is honest, so what it prints is believed. It prints one line for each probe, and a last one when it came to its
//! end, so that a program that died on the way is not taken for one that found nothing.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::FromRawFd as _;

use super::probes::{Outcome, Probe, Run, Scene, all};

/// The first argument; no command is called so.
pub(crate) const ASKED: &str = "__probes";
/// How the last line begins.
pub(crate) const END: &str = "end\t";
/// Which probes: those of every start, all, or one by its name.
pub(crate) const QUICK: &str = "quick";
pub(crate) const WHOLE: &str = "whole";

/// Runs probes, and does not return, if this process was started for that.
pub(crate) fn probe_if_asked(arguments: impl Iterator<Item = OsString>) {
    let mut words = arguments.skip(1).map(|word| word.into_string().unwrap_or_default());
    if words.next().as_deref() != Some(ASKED) {
        return;
    }
    let code = match (words.next(), Scene::decode(words)) {
        (Some(which), Some(mut scene)) => {
            look_around(&mut scene);
            run(&which, &scene)
        }
        _ => 2,
    };
    // Not through the C library's `exit`: nothing of the program has begun that would have to end.
    crate::init::leave(code)
}

/// What a process is like before anything in it opens a file.
fn look_around(scene: &mut Scene) {
    let limit = 1024;
    // SAFETY: asks about descriptors by number.
    scene.descriptors = (3..limit).filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0).collect();
    scene.status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
}

fn run(which: &str, scene: &Scene) -> i32 {
    if let Some(guest) = super::results::inside(which) {
        return guest();
    }
    let wanted = |probe: &&Probe| match which {
        QUICK => probe.run == Run::Quick,
        WHOLE => probe.run != Run::Alone,
        name => probe.name == name,
    };
    let mut told = 0;
    for probe in all().filter(wanted) {
        if say(&line(probe.name, &attempt(probe, scene))).is_err() {
            return 1;
        }
        told += 1;
    }
    i32::from(say(&format!("{END}{told}\n")).is_err())
}

fn line(name: &str, outcome: &Outcome) -> String {
    let (state, detail) = match outcome {
        Outcome::Closed(detail) => ('c', detail),
        Outcome::Open(detail) => ('o', detail),
        Outcome::NotRun(detail) => ('n', detail),
    };
    format!("{name}\t{state}\t{}\n", detail.replace(['\t', '\n'], " "))
}

/// Name, outcome; the reverse of [`line`].
pub(crate) fn parse(line: &str) -> Option<(&str, Outcome)> {
    let mut parts = line.splitn(3, '\t');
    let (name, state, detail) = (parts.next()?, parts.next()?, parts.next()?.to_owned());
    let outcome = match state {
        "c" => Outcome::Closed(detail),
        "o" => Outcome::Open(detail),
        "n" => Outcome::NotRun(detail),
        _ => return None,
    };
    Some((name, outcome))
}

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Seconds that a probe may take.
const PATIENCE: u32 = 20;

/// Tries one way in a process of its own, and judges by what that says or by how it ends.
fn attempt(probe: &Probe, scene: &Scene) -> Outcome {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Outcome::NotRun("no pipe for its answer".to_owned());
    }
    // SAFETY: each end is owned once, in the one process that uses it.
    let (reads, writes) = unsafe { (std::fs::File::from_raw_fd(ends[0]), std::fs::File::from_raw_fd(ends[1])) };
    // SAFETY: this program has one thread, so the child may do whatever it likes.
    match unsafe { libc::fork() } {
        0 => {
            drop(reads);
            // SAFETY: the default action of this alarm ends the process.
            unsafe { libc::alarm(PATIENCE) };
            let mut writes = writes;
            let told = line(probe.name, &(probe.attempt)(scene));
            let sent = writes.write_all(told.as_bytes());
            crate::init::leave(i32::from(sent.is_err()))
        }
        pid if pid > 0 => {
            drop(writes);
            let mut answer = String::new();
            let read = { reads }.read_to_string(&mut answer);
            let mut status = 0;
            // SAFETY: collects the one child.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            match parse(answer.trim_end_matches('\n')) {
                Some((_, outcome)) if read.is_ok() => outcome,
                _ => by_its_end(status, probe),
            }
        }
        _ => Outcome::NotRun("no process for it".to_owned()),
    }
}

/// What the end of a process without an answer means.
fn by_its_end(status: i32, probe: &Probe) -> Outcome {
    if !libc::WIFSIGNALED(status) {
        return Outcome::NotRun(format!("it ended without an answer (status {status:x})"));
    }
    match libc::WTERMSIG(status) {
        libc::SIGSYS => Outcome::Closed("killed by the filter (SIGSYS)".to_owned()),
        libc::SIGKILL => Outcome::Closed("killed".to_owned()),
        // How a kernel without the 32-bit table answers.
        libc::SIGSEGV if probe.name.contains("int 0x80") => {
            Outcome::Closed("this kernel has none (SIGSEGV)".to_owned())
        }
        libc::SIGALRM => Outcome::NotRun(format!("no answer in {PATIENCE} s")),
        signal => Outcome::NotRun(format!("it crashed (signal {signal})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_the_way_and_nothing_else_is_one() {
        for outcome in
            [Outcome::Closed("a b".to_owned()), Outcome::Open(String::new()), Outcome::NotRun("why".to_owned())]
        {
            assert_eq!(parse(line("some probe", &outcome).trim_end_matches('\n')), Some(("some probe", outcome)));
        }
        assert_eq!(parse("end\t12"), None);
        assert_eq!(parse("x\tq\ty"), None);
        let scene = Scene { port: 7, socket: "s".to_owned(), host: 12, disk: 9, ..Scene::default() };
        assert_eq!(Scene::decode(scene.encode().into_iter()), Some(scene));
    }

    #[test]
    fn names_are_their_own_and_there_are_more_than_68() {
        let mut names: Vec<_> = all().map(|probe| probe.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count >= 68, "{count}");
    }
}
