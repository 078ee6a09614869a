//! A running command, seen from the host: its streams, its clock, its end.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meliora_domain::Ending;
use meliora_evolve::{Happening, Process, SandboxError, Terminal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::cage::Inner;
use crate::plan::os_failed;
use crate::terminal;
use crate::wire::{ENDED, NO_EXEC, NO_FOLDER, REPORT, Report, Request};

/// How often memory is looked at. A program fills some tens of MiB in that time.
const TICK: Duration = Duration::from_millis(20);
/// How long PID 1 may take to report the end of a command that was killed, before it is killed itself.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// The host's ends of a command's pipes. All are non-blocking.
pub(crate) struct Pipes {
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    pub(crate) report: OwnedFd,
}

pub(crate) struct Running {
    cage: Arc<Inner>,
    id: u32,
    /// The host's end of standard input; shared with a writer that waits, so that another may close it meanwhile.
    stdin: Mutex<Option<Arc<OwnedFd>>>,
    /// The host's end of its terminal, if it has one.
    terminal: Option<Arc<OwnedFd>>,
    /// Held by whoever reads; a writer reads as well where nobody does.
    output: Mutex<Output>,
    ended: AtomicBool,
}

/// What comes out of a command, its clock and its limits.
struct Output {
    cage: Arc<Inner>,
    id: u32,
    program: String,
    pipes: Pipes,
    wall: Duration,
    deadline: Instant,
    next_look: Instant,
    /// Where it is read to.
    room: Vec<u8>,
    /// What is not told yet.
    queue: VecDeque<Happening>,
    kept: u64,
    /// The limit that was passed, and until when PID 1 may take to say that all is dead.
    breach: Option<(Ending, Instant)>,
    ending: Option<Ending>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Running {
    pub(crate) fn new(
        cage: Arc<Inner>,
        (id, program): (u32, String),
        (stdin, terminal): (OwnedFd, bool),
        pipes: Pipes,
        (start, wall): (Instant, Duration),
    ) -> Self {
        let output = Output {
            cage: Arc::clone(&cage),
            id,
            program,
            pipes,
            wall,
            deadline: start + wall,
            next_look: start,
            room: Vec::new(),
            queue: VecDeque::new(),
            kept: 0,
            breach: None,
            ending: None,
        };
        let stdin = Arc::new(stdin);
        let terminal = terminal.then(|| Arc::clone(&stdin));
        Running {
            cage,
            id,
            stdin: Mutex::new(Some(stdin)),
            terminal,
            output: Mutex::new(output),
            ended: AtomicBool::new(false),
        }
    }

    fn stdin(&self) -> MutexGuard<'_, Option<Arc<OwnedFd>>> {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits until standard input takes more, or something else happened. Meanwhile its output is read, or a program
    /// that writes as it reads would stand still, and we too; unless another thread reads it.
    fn wait_to_write(&self, stdin: &OwnedFd) -> Result<(), SandboxError> {
        if let Ok(mut output) = self.output.try_lock() {
            output.wait(Some(stdin.as_fd()))?;
            self.ended.store(output.ending.is_some(), Ordering::Release);
            return Ok(());
        }
        let timeout = Timespec::try_from(TICK).unwrap_or_default();
        match rustix::event::poll(&mut [PollFd::new(stdin, PollFlags::OUT)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(os_failed("standard input of the command", errno.raw_os_error())),
        }
    }
}

impl Process for Running {
    fn write(&self, bytes: &[u8]) -> Result<(), SandboxError> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.has_ended() {
            let Some(stdin) = self.stdin().clone() else { return Ok(()) };
            match rustix::io::write(&*stdin, rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::AGAIN) => self.wait_to_write(&stdin)?,
                Err(Errno::INTR) => {}
                // It no longer reads: what it does not want is dropped.
                Err(Errno::PIPE | Errno::IO) => *self.stdin() = None,
                Err(errno) => return Err(os_failed("standard input of the command", errno.raw_os_error())),
            }
        }
        Ok(())
    }

    fn close_stdin(&self) {
        let stdin = self.stdin().take();
        if let (Some(stdin), Some(_)) = (stdin, &self.terminal) {
            // A terminal has no end. Where its buffer is full nobody reads, and nobody misses it.
            rustix::io::write(&*stdin, &[terminal::END_OF_INPUT]).ok();
        }
    }

    fn next(&self) -> Result<Happening, SandboxError> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(happening) = output.queue.pop_front() {
                return Ok(happening);
            }
            if let Some(ending) = output.ending {
                self.ended.store(true, Ordering::Release);
                *self.stdin() = None;
                return Ok(Happening::Exit(ending));
            }
            output.wait(None)?;
        }
    }

    fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        if self.has_ended() || signal <= 0 {
            return Ok(());
        }
        self.cage.request(Request::Signal { id: self.id, signal: signal as u32 })
    }

    fn renew(&self) -> bool {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.deadline = Instant::now() + output.wall;
        output.kept = 0;
        output.ending.is_none() && output.breach.is_none()
    }

    fn resize(&self, size: Terminal) -> Result<(), SandboxError> {
        match &self.terminal {
            Some(terminal) if !self.has_ended() => terminal::resize(terminal, size),
            _ => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody listens any more; a command that runs on unseen would pass every limit but its own.
        self.signal(libc::SIGKILL).ok();
    }
}

impl Output {
    /// Waits until something happened, and takes note of it.
    fn wait(&mut self, writing: Option<BorrowedFd<'_>>) -> Result<(), SandboxError> {
        self.keep_limits()?;
        let now = Instant::now();
        let until = match self.breach {
            Some((_, until)) => until,
            None => self.deadline.min(self.next_look),
        };
        let timeout = Timespec::try_from(until.saturating_duration_since(now)).unwrap_or_default();

        let pipes = &self.pipes;
        let mut polls = vec![PollFd::new(&pipes.report, PollFlags::IN)];
        let (mut out, mut err) = (None, None);
        for (stream, place) in [(&pipes.stdout, &mut out), (&pipes.stderr, &mut err)] {
            if let Some(fd) = stream {
                *place = Some(polls.len());
                polls.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        if let Some(fd) = &writing {
            polls.push(PollFd::new(fd, PollFlags::OUT));
        }
        match rustix::event::poll(&mut polls, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(os_failed("waiting for the command", errno.raw_os_error())),
        }
        let ready = |place: Option<usize>| place.is_some_and(|place| !polls[place].revents().is_empty());
        let (reported, out, err) = (ready(Some(0)), ready(out), ready(err));
        if out {
            self.read(Stream::Out)?;
        }
        if err {
            self.read(Stream::Err)?;
        }
        if reported {
            self.finish()?;
        }
        Ok(())
    }

    fn keep_limits(&mut self) -> Result<(), SandboxError> {
        let now = Instant::now();
        if let Some((_, until)) = self.breach {
            if now >= until {
                // PID 1 itself stands still; without it nothing in the cage lives on.
                self.cage.kill();
            }
        } else if now >= self.deadline {
            // Alone in its cage, this kills everything there; else its own process group, and the rest when the last
            // command ends.
            self.breach = Some((Ending::WallClock, now + GRACE));
            self.cage.request(Request::Signal { id: self.id, signal: libc::SIGKILL as u32 })?;
        } else if now >= self.next_look {
            self.next_look = now + TICK;
            if self.cage.over_memory() {
                self.breach = Some((Ending::Memory, now + GRACE));
                self.cage.request(Request::SignalAll { signal: libc::SIGKILL as u32 })?;
            }
        }
        Ok(())
    }

    /// Reads what is there of one stream.
    fn read(&mut self, stream: Stream) -> Result<bool, SandboxError> {
        let pipe = match stream {
            Stream::Out => &mut self.pipes.stdout,
            Stream::Err => &mut self.pipes.stderr,
        };
        let Some(fd) = pipe else { return Ok(false) };
        if self.room.is_empty() {
            self.room = vec![0; CHUNK];
        }
        let count = match rustix::io::read(&*fd, &mut self.room) {
            // A terminal whose other ends are all closed says so with an error.
            Ok(0) | Err(Errno::IO) => {
                *pipe = None;
                return Ok(false);
            }
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(errno) => return Err(os_failed("output of the command", errno.raw_os_error())),
        };
        let room = self.cage.limits.output.saturating_sub(self.kept);
        let kept = (count as u64).min(room) as usize;
        self.kept += kept as u64;
        if let Some(bytes @ [_, ..]) = self.room.get(..kept) {
            let bytes = bytes.to_vec();
            self.queue.push_back(match stream {
                Stream::Out => Happening::Stdout(bytes),
                Stream::Err => Happening::Stderr(bytes),
            });
        }
        if kept < count && self.breach.is_none() {
            self.breach = Some((Ending::OutputCap, Instant::now() + GRACE));
            self.cage.request(Request::Signal { id: self.id, signal: libc::SIGKILL as u32 })?;
        }
        Ok(true)
    }

    /// Takes the report of the end, and the last output.
    fn finish(&mut self) -> Result<(), SandboxError> {
        let mut bytes = [0; REPORT];
        let report = match rustix::io::read(&self.pipes.report, &mut bytes) {
            Ok(REPORT) => Some(Report::decode(&bytes)),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            // PID 1 is gone, and everything with it.
            Ok(_) => None,
            Err(errno) => return Err(os_failed("end of the command", errno.raw_os_error())),
        };
        // What was in the pipes when it ended. After a breach of the output cap it is read and dropped.
        for stream in [Stream::Out, Stream::Err] {
            while self.read(stream)? {}
        }
        let ending = self.judge(report);
        self.ending = Some(match self.breach {
            Some((breach, _)) => breach,
            None if ending == Ending::Signalled(libc::SIGKILL) && self.cage.killed_for_memory(self.id) => {
                Ending::Memory
            }
            None => ending,
        });
        Ok(())
    }

    fn judge(&mut self, report: Option<Report>) -> Ending {
        let Some(report) = report else { return Ending::Signalled(libc::SIGKILL) };
        self.cage.note(&report);
        let status = report.status as i32;
        let mut no_start = |code: i32, what: &str| {
            let cause = std::io::Error::from_raw_os_error(status);
            self.queue.push_back(Happening::Stderr(format!("{what}: {cause}\n").into_bytes()));
            Ending::Exited(code)
        };
        match report.kind {
            ENDED if libc::WIFEXITED(status) => Ending::Exited(libc::WEXITSTATUS(status)),
            ENDED => {
                let signal = libc::WTERMSIG(status);
                let spent = report.cpu_us >= u64::from(self.cage.limits.cpu_seconds) * 1_000_000;
                match signal {
                    libc::SIGXCPU => Ending::CpuTime,
                    libc::SIGKILL if spent => Ending::CpuTime,
                    other => Ending::Signalled(other),
                }
            }
            // The shell's own codes: 127 not found, 126 found but not to be executed.
            NO_EXEC if status == libc::ENOENT => no_start(127, &format!("cannot execute '{}'", self.program)),
            NO_EXEC => no_start(126, &format!("cannot execute '{}'", self.program)),
            NO_FOLDER => no_start(126, "cannot enter the folder to start in"),
            _ => no_start(126, "cannot start the command"),
        }
    }
}
