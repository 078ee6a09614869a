//! From a request of the host to the program that runs: how PID 1 of a cage starts a command.
//!
//! Like PID 1 itself it must not allocate, lock or panic. (One exception: around the fork of a warm command Python does, in a
//! process that never had a second thread.)

use std::os::fd::RawFd;
use std::ptr;

use libc::{c_char, c_int, c_void};

use crate::init::{close, hear, kill, leave, tell};
use crate::interpreter::Interpreter;
use crate::plan::Plan;
use crate::sys::{self, Errno, check, close_all_but, errno};
use crate::wire::{NO_EXEC, NO_FOLDER, NO_START, REQUEST, Report, Request, SPAWN_FDS};

/// What the command's process needs until its `execve`, in memory that it shares with PID 1.
pub(crate) struct Launch<'a> {
    plan: &'a Plan,
    folder: *const c_char,
    argv: *const *const c_char,
    environment: *const *const c_char,
    streams: [RawFd; 3],
    /// Whether the streams are a terminal, which it is to have as its own.
    terminal: bool,
    /// What went wrong: which [`Report::kind`], and the error number.
    failed: Option<(u64, Errno)>,
}

/// A copy of the interpreter that waits, and what it is to be told.
pub(crate) struct Spare {
    pub(crate) spare: (libc::pid_t, RawFd),
    pub(crate) request: [u8; REQUEST],
    pub(crate) fds: [RawFd; SPAWN_FDS],
}

impl Spare {
    /// Lets it go on as the command.
    fn go(self) -> Option<libc::pid_t> {
        let (pid, line) = self.spare;
        let told = tell(line, &self.request, &self.fds);
        close(line);
        told.ok().map(|()| pid)
    }

    fn end(self) {
        let (pid, line) = self.spare;
        close(line);
        kill(pid, libc::SIGKILL);
    }
}

/// Has a copy of the interpreter wait for its command.
pub(crate) fn have_wait(plan: &Plan, python: &Interpreter) -> Result<(libc::pid_t, RawFd), Errno> {
    let mut ends: [RawFd; 2] = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: two descriptors are written into a local.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    let [ours, theirs] = ends;
    match python.fork() {
        Ok(0) => wait_for_command(plan, python, theirs),
        forked => {
            close(theirs);
            forked.map(|pid| (pid, ours)).inspect_err(|_| close(ours))
        }
    }
}

/// The life of a copy of the interpreter that waits: nothing of any command is here before it comes.
fn wait_for_command(plan: &Plan, python: &Interpreter, line: RawFd) -> ! {
    if close_all_but(&[0, 1, 2, line]).is_err() {
        leave(127);
    }
    python.forked();
    let Some((Request::Spawn { argc, envc, length, .. }, fds, SPAWN_FDS)) = hear(line) else { leave(0) };
    close(line);
    let [strings, stdin, stdout, stderr, report] = fds;
    let streams = ([stdin, stdout, stderr], false);
    match Words::read(strings, [argc as usize, envc as usize, length as usize]) {
        Ok(words) => go_on(&words.launch(plan, streams), python, report, true),
        Err(errno) => not_started(report, (NO_START, errno)),
    }
}

/// The words of a command, laid out for `execve`.
struct Words {
    text: Map,
    table: Map,
    argc: usize,
    envc: usize,
}

impl Words {
    /// `strings` holds the folder, `argc` arguments and `envc` variables in `length` bytes.
    fn read(strings: RawFd, [argc, envc, length]: [usize; 3]) -> Result<Self, Errno> {
        let pointers = argc.wrapping_add(envc).wrapping_add(2).wrapping_mul(size_of::<*const c_char>());
        let words = Words { text: Map::file(strings, length)?, table: Map::memory(pointers)?, argc, envc };
        // SAFETY: the host wrote `argc + envc + 1` strings, each ended by zero, into `length` mapped bytes, and `table`
        // has room for as many pointers and a second null; the loops write within both.
        unsafe {
            let mut offset = libc::strlen(words.text.at.cast()).wrapping_add(1);
            for (list, count) in [(words.argv(), argc), (words.variables(), envc)] {
                let mut place = 0;
                while place < count && offset < length {
                    let here = words.text.at.cast::<c_char>().wrapping_add(offset);
                    *list.wrapping_add(place) = here;
                    offset = offset.wrapping_add(libc::strlen(here)).wrapping_add(1);
                    place = place.wrapping_add(1);
                }
                *list.wrapping_add(place) = ptr::null();
            }
        }
        Ok(words)
    }

    fn argv(&self) -> *mut *const c_char {
        self.table.at.cast()
    }

    /// Its own variables.
    fn variables(&self) -> *mut *const c_char {
        self.argv().wrapping_add(self.argc).wrapping_add(1)
    }

    fn launch<'a>(&self, plan: &'a Plan, (streams, terminal): ([RawFd; 3], bool)) -> Launch<'a> {
        let own = self.variables().cast_const();
        let environment = if self.envc > 0 { own } else { plan.environment.as_ptr() };
        let folder = self.text.at.cast();
        Launch { plan, folder, argv: self.argv(), environment, streams, terminal, failed: None }
    }
}

/// Starts a command; for `counts` see [`Words::read`].
pub(crate) fn start(
    plan: &Plan,
    strings: RawFd,
    counts: [usize; 3],
    streams: ([RawFd; 3], bool),
    report: RawFd,
    spare: Option<Spare>,
) -> Result<libc::pid_t, (u64, Errno)> {
    let no_start = |errno: Errno| (NO_START, errno);
    let words = Words::read(strings, counts).map_err(no_start)?;
    let mut launch = words.launch(plan, streams);
    // SAFETY: the table was filled, and both lists in it end with a null pointer.
    let goes_on = |python: &&Interpreter| unsafe {
        !launch.terminal && python.takes(words.argv()) && python.takes_environment(words.variables())
    };
    if let Some(python) = plan.python.as_deref().filter(goes_on) {
        if let Some(pid) = spare.and_then(Spare::go) {
            return Ok(pid);
        }
        return match python.fork().map_err(no_start)? {
            0 => go_on(&launch, python, report, false),
            pid => Ok(pid),
        };
    }
    if let Some(spare) = spare {
        spare.end();
    }
    // Shared memory until `execve`, as vfork does: copying PID 1's tables would cost more than all the rest.
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let top = plan.stack.as_ptr_range().end.cast_mut().cast::<c_void>();
    // SAFETY: the stack is 64 KiB that nobody else uses while this process stands still, which CLONE_VFORK makes sure
    // of; it is a private copy since the host's clone. `launch` outlives that time.
    let pid = check(unsafe { libc::clone(run, top, flags, (&raw mut launch).cast()) }).map_err(no_start)?;
    // SAFETY: the other process, which wrote it, is gone or has its own memory by now.
    match unsafe { ptr::read_volatile(&raw const launch.failed) } {
        None => Ok(pid as libc::pid_t),
        Some(failed) => {
            // SAFETY: collects the one child that just ended.
            unsafe { libc::waitpid(pid as libc::pid_t, ptr::null_mut(), 0) };
            Err(failed)
        }
    }
}

/// From the clone to `execve`. Runs on its own stack in PID 1's memory, while PID 1 stands still.
extern "C" fn run(launch: *mut c_void) -> c_int {
    // SAFETY: `start` passes its `Launch` and waits.
    let launch = unsafe { &mut *launch.cast::<Launch<'_>>() };
    launch.failed = become_command(launch).err();
    leave(127)
}

/// From the fork to the first line of a Python script, in the child, which may have `waited`.
fn go_on(launch: &Launch<'_>, python: &Interpreter, report: RawFd, waited: bool) -> ! {
    let failed = match prepare_command(launch, &[0, 1, 2, report]) {
        Err(failed) => failed,
        // SAFETY: `start` saw that the interpreter takes these arguments, and this is the child of its fork.
        Ok(()) => unsafe {
            if python.usual(launch.argv) {
                close(report);
                // PID 1 is shielded from the commands' eyes, and its child as well until it is executed or comes here.
                // A command is not, or the host could not see how much memory it holds.
                libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
                if !waited {
                    python.forked();
                }
                python.go_on(launch.argv, launch.environment)
            }
            libc::fcntl(report, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::execve(*launch.argv, launch.argv, launch.environment);
            (NO_EXEC, errno())
        },
    };
    not_started(report, failed)
}

/// Reports from the child that it did not start: PID 1, which has gone on, will report as well, and the host believes the
/// first.
fn not_started(report: RawFd, (kind, errno): (u64, Errno)) -> ! {
    let bytes = Report { kind, status: errno as u64, ..Report::default() }.encode();
    // SAFETY: writes a local of the given size.
    unsafe { libc::write(report, bytes.as_ptr().cast(), bytes.len()) };
    leave(127)
}

fn become_command(launch: &Launch<'_>) -> Result<std::convert::Infallible, (u64, Errno)> {
    prepare_command(launch, &[0, 1, 2])?;
    // SAFETY: strings that `start` laid out, or the plan's environment.
    unsafe { libc::execve(*launch.argv, launch.argv, launch.environment) };
    Err((NO_EXEC, errno()))
}

/// Everything between PID 1's memory and the program: session, streams, folder, limits, signals. `keep` is sorted.
fn prepare_command(launch: &Launch<'_>, keep: &[RawFd]) -> Result<(), (u64, Errno)> {
    let no_start = |errno: Errno| (NO_START, errno);
    // SAFETY: system calls on this process with locals and with strings that `start` laid out.
    unsafe {
        check(libc::setsid()).map_err(no_start)?;
        for (standard, stream) in (0..).zip(launch.streams) {
            check(libc::dup2(stream, standard)).map_err(no_start)?;
        }
        close_all_but(keep).map_err(no_start)?;
        if launch.terminal {
            check(libc::ioctl(0, libc::TIOCSCTTY, 0)).map_err(no_start)?;
        }
        if libc::chdir(launch.folder) < 0 {
            return Err((NO_FOLDER, errno()));
        }
        for (which, soft, hard) in &launch.plan.limits {
            let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
            match check(libc::setrlimit(*which, &limit)) {
                // The host's own limit is lower still, and cannot be raised.
                Err(libc::EPERM) => lower(*which, limit).map_err(no_start)?,
                other => drop(other.map_err(no_start)?),
            }
        }
        // What the host ignores (Rust programs: SIGPIPE) is not for the command to inherit.
        sys::default_signals();
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut())).map_err(no_start)?;
    }
    Ok(())
}

/// Sets a limit as far as the hard limit that is in force allows.
fn lower(which: u32, mut wanted: libc::rlimit) -> Result<(), Errno> {
    // SAFETY: both calls get a local of the right kind.
    unsafe {
        let mut now: libc::rlimit = std::mem::zeroed();
        check(libc::getrlimit(which, &raw mut now))?;
        wanted.rlim_max = wanted.rlim_max.min(now.rlim_max);
        wanted.rlim_cur = wanted.rlim_cur.min(wanted.rlim_max);
        check(libc::setrlimit(which, &raw const wanted)).map(drop)
    }
}

/// Mapped memory, let go when dropped.
struct Map {
    at: *mut c_void,
    length: usize,
}

impl Map {
    fn file(fd: RawFd, length: usize) -> Result<Self, Errno> {
        Self::make(fd, length, libc::PROT_READ, libc::MAP_PRIVATE)
    }

    fn memory(length: usize) -> Result<Self, Errno> {
        Self::make(-1, length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
    }

    fn make(fd: RawFd, length: usize, protection: c_int, flags: c_int) -> Result<Self, Errno> {
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory in use.
        let at = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, fd, 0) };
        if at == libc::MAP_FAILED { Err(errno()) } else { Ok(Map { at, length }) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.at, self.length) };
    }
}
