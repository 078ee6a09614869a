//! PID 1 of a cage: starts commands when the host asks, reaps whatever ends, and ends with the host.
//!
//! Like the checklist before it, it must not allocate, lock or panic. (One exception: around the fork of a warm command
//! Python does, in a process that never had a second thread.)

use std::os::fd::RawFd;
use std::ptr;

use libc::{c_char, c_int, c_void};

use crate::checklist::{self, Failure, Step};
use crate::interpreter::Interpreter;
use crate::plan::Plan;
use crate::sys::{self, Errno, check, close_all_but, errno};
use crate::wire::{ENDED, NO_EXEC, NO_FOLDER, NO_START, READY_FDS, REQUEST, Report, Request, SPAWN_FDS};

/// Commands that may run at once in one cage.
const SLOTS: usize = 64;

/// Room for the control data of five descriptors, aligned as the kernel wants it.
type ControlRoom = [u64; 8];

#[derive(Clone, Copy)]
struct Slot {
    id: u32,
    pid: libc::pid_t,
    report: RawFd,
}

struct Init<'a> {
    plan: &'a Plan,
    slots: [Option<Slot>; SLOTS],
    cpu_us: u64,
    peak_kib: u64,
}

/// The whole life of the clone's child.
pub(crate) fn live(plan: &Plan) -> ! {
    live_in(plan, checklist::enclose)
}

/// The whole life of PID 1 of a container.
pub(crate) fn live_within(plan: &Plan) -> ! {
    live_in(plan, checklist::enclose_within)
}

fn live_in(plan: &Plan, enclose: fn(&Plan) -> Result<[RawFd; READY_FDS], Failure>) -> ! {
    let outcome = enclose(plan)
        .and_then(|folders| announce(plan.control, &folders).map_err(|errno| Failure { step: Step::Announce, errno }));
    if let Err(failure) = outcome {
        tell(plan.control, &[failure.step as u32, failure.errno as u32], &[]).ok();
        leave(1);
    }
    Init { plan, slots: [None; SLOTS], cpu_us: 0, peak_kib: 0 }.serve()
}

/// Ends this process and nothing else of the host's.
pub(crate) fn leave(code: c_int) -> ! {
    // SAFETY: ends the process without running anything of the host's. With PID 1, the kernel ends all others.
    unsafe { libc::_exit(code) }
}

fn announce(control: RawFd, folders: &[RawFd; READY_FDS]) -> Result<(), Errno> {
    // The last is not always there.
    let count = folders.iter().take_while(|fd| **fd >= 0).count();
    let folders = folders.get(..count).unwrap_or(folders);
    tell(control, &[0, 0], folders)?;
    for folder in folders {
        close(*folder);
    }
    Ok(())
}

fn close(fd: RawFd) {
    // SAFETY: descriptors of this process are its own; none is used after it was closed.
    unsafe { libc::close(fd) };
}

/// Sends two words and descriptors to the host.
fn tell(control: RawFd, words: &[u32; 2], fds: &[RawFd]) -> Result<(), Errno> {
    let mut room: ControlRoom = [0; 8];
    // SAFETY: the message points to locals that live through the call; the control data fits `room` (four
    // descriptors take 32 bytes of its 64) and is written within what the macros report.
    unsafe {
        let mut part = libc::iovec { iov_base: words.as_ptr().cast_mut().cast(), iov_len: size_of_val(words) };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if !fds.is_empty() {
            let bytes = size_of_val(fds) as libc::c_uint;
            message.msg_control = room.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(bytes) as _;
            ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), size_of_val(fds));
        }
        check(libc::sendmsg(control, &raw const message, libc::MSG_NOSIGNAL) as i64).map(drop)
    }
}

/// One request and the descriptors that came with it; `None` when the host is gone.
fn hear(control: RawFd) -> Option<(Request, [RawFd; SPAWN_FDS], usize)> {
    let mut bytes = [0u8; REQUEST];
    let mut room: ControlRoom = [0; 8];
    let mut fds = [-1; SPAWN_FDS];
    let mut count = 0;
    // SAFETY: the message points to locals that live through the call; descriptors are read only from control data
    // that the kernel wrote, and no more than fit `fds`.
    let read = unsafe {
        let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: REQUEST };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = room.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&room) as _;
        let read = libc::recvmsg(control, &raw mut message, libc::MSG_CMSG_CLOEXEC);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if read > 0 && !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS {
            let length = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            count = (length / size_of::<RawFd>()).min(SPAWN_FDS);
            ptr::copy_nonoverlapping(
                libc::CMSG_DATA(header),
                fds.as_mut_ptr().cast::<u8>(),
                count.wrapping_mul(size_of::<RawFd>()),
            );
        }
        read
    };
    if read != REQUEST as isize {
        return None;
    }
    Request::decode(&bytes).map(|request| (request, fds, count))
}

impl Init<'_> {
    fn serve(mut self) -> ! {
        let Ok(children) = child_signals() else { leave(2) };
        let mut ready = [
            libc::pollfd { fd: self.plan.control, events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: children, events: libc::POLLIN, revents: 0 },
        ];
        loop {
            // SAFETY: two entries, as given.
            if unsafe { libc::poll(ready.as_mut_ptr(), 2, -1) } < 0 && errno() != libc::EINTR {
                leave(3);
            }
            let [control, signals] = &ready;
            if signals.revents != 0 {
                let mut taken = [0u8; 128]; // one signalfd_siginfo; several deaths may share it
                // SAFETY: reads into a local of the given size.
                unsafe { libc::read(children, taken.as_mut_ptr().cast(), taken.len()) };
                self.reap();
            }
            if control.revents != 0 {
                // The host closed its end, or died: either way this cage ends, with all that is in it. (The parent
                // death signal would come too early: it is bound to the thread that opened the cage.)
                let Some((request, fds, count)) = hear(self.plan.control) else { leave(0) };
                self.obey(request, &fds, count);
            }
        }
    }

    fn obey(&mut self, request: Request, fds: &[RawFd; SPAWN_FDS], count: usize) {
        match request {
            Request::Spawn { id, argc, envc, length, terminal } if count == SPAWN_FDS => {
                let [strings, stdin, stdout, stderr, report] = *fds;
                let free = self.slots.iter_mut().find(|slot| slot.is_none());
                let started = match free {
                    Some(_) => {
                        let counts = [argc as usize, envc as usize, length as usize];
                        start(self.plan, strings, counts, ([stdin, stdout, stderr], terminal), report)
                    }
                    None => Err((NO_START, libc::EAGAIN)),
                };
                match (started, free) {
                    (Ok(pid), Some(slot)) => *slot = Some(Slot { id, pid, report }),
                    (Ok(_), None) => {}
                    (Err((kind, errno)), _) => {
                        self.report(report, Report { kind, status: errno as u64, ..Report::default() });
                    }
                }
                for fd in [strings, stdin, stdout, stderr] {
                    close(fd);
                }
                // Its end may have been noticed before it had a slot.
                self.reap();
            }
            Request::Signal { id, signal } => {
                let alone = self.slots.iter().flatten().count() == 1;
                if let Some(slot) = self.slots.iter().flatten().find(|slot| slot.id == id) {
                    // Alone, "all it started" is everything here, also what left its process group.
                    let target = if alone && signal == libc::SIGKILL as u32 { -1 } else { slot.pid.wrapping_neg() };
                    kill(target, signal as c_int);
                }
            }
            Request::SignalAll { signal } => kill(-1, signal as c_int),
            Request::Spawn { .. } => {
                for fd in fds.iter().take(count) {
                    close(*fd);
                }
            }
        }
    }

    /// Collects the dead. When the last command has ended, whatever it left behind is killed and collected as well,
    /// before anyone hears of the end: nothing that it started runs on, and its pipes are closed.
    fn reap(&mut self) {
        loop {
            let mut status: c_int = 0;
            // SAFETY: an all-zero usage is valid; both locals are written by the call.
            let (pid, usage) = unsafe {
                let mut usage: libc::rusage = std::mem::zeroed();
                (libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut usage), usage)
            };
            if pid <= 0 {
                return;
            }
            let cpu_us = self.count(&usage);
            let Some(place) = self.slots.iter_mut().find(|slot| slot.is_some_and(|slot| slot.pid == pid)) else {
                continue;
            };
            let Some(slot) = place.take() else { continue };
            if self.slots.iter().all(Option::is_none) {
                self.sweep();
            }
            let status = u64::from(status as u32);
            self.report(slot.report, Report { kind: ENDED, status, cpu_us, ..Report::default() });
        }
    }

    fn sweep(&mut self) {
        kill(-1, libc::SIGKILL);
        loop {
            // SAFETY: as in `reap`; a null status is allowed.
            let (pid, usage) = unsafe {
                let mut usage: libc::rusage = std::mem::zeroed();
                (libc::wait4(-1, ptr::null_mut(), 0, &raw mut usage), usage)
            };
            if pid > 0 {
                self.count(&usage);
            } else if errno() != libc::EINTR {
                return;
            }
        }
    }

    fn count(&mut self, usage: &libc::rusage) -> u64 {
        let micros =
            |time: libc::timeval| (time.tv_sec as u64).wrapping_mul(1_000_000).wrapping_add(time.tv_usec as u64);
        let cpu = micros(usage.ru_utime).wrapping_add(micros(usage.ru_stime));
        self.cpu_us = self.cpu_us.wrapping_add(cpu);
        self.peak_kib = self.peak_kib.max(usage.ru_maxrss as u64);
        cpu
    }

    fn report(&self, to: RawFd, mut report: Report) {
        report.cage_cpu_us = self.cpu_us;
        report.cage_peak_kib = self.peak_kib;
        let bytes = report.encode();
        // SAFETY: writes a local of the given size. Nobody listening is nobody's loss; SIGPIPE is held back.
        unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
        close(to);
    }
}

fn kill(pid: libc::pid_t, signal: c_int) {
    // SAFETY: no pointers. -1 means every process of this pid namespace but PID 1.
    unsafe { libc::kill(pid, signal) };
}

/// A descriptor that becomes readable when a child ends.
fn child_signals() -> Result<RawFd, Errno> {
    // SAFETY: the set is a local that `sigemptyset` fills.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        check(libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)).map(|fd| fd as RawFd)
    }
}

/// What the command's process needs until its `execve`, in memory that it shares with PID 1.
struct Launch<'a> {
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

/// Starts a command. `strings` holds the folder, `argc` arguments and `envc` variables in `length` bytes.
fn start(
    plan: &Plan,
    strings: RawFd,
    [argc, envc, length]: [usize; 3],
    (streams, terminal): ([RawFd; 3], bool),
    report: RawFd,
) -> Result<libc::pid_t, (u64, Errno)> {
    let no_start = |errno: Errno| (NO_START, errno);
    let pointers = argc.wrapping_add(envc).wrapping_add(2).wrapping_mul(size_of::<*const c_char>());
    let (text, table) = (Map::file(strings, length).map_err(no_start)?, Map::memory(pointers).map_err(no_start)?);
    let argv = table.at.cast::<*const c_char>();
    let own = argv.wrapping_add(argc).wrapping_add(1);
    // SAFETY: the host wrote `argc + envc + 1` strings, each ended by zero, into `length` mapped bytes, and `table` has
    // room for as many pointers and a second null; the loops write within both.
    unsafe {
        let mut offset = libc::strlen(text.at.cast()).wrapping_add(1);
        for (list, count) in [(argv, argc), (own, envc)] {
            let mut place = 0;
            while place < count && offset < length {
                let here = text.at.cast::<c_char>().wrapping_add(offset);
                *list.wrapping_add(place) = here;
                offset = offset.wrapping_add(libc::strlen(here)).wrapping_add(1);
                place = place.wrapping_add(1);
            }
            *list.wrapping_add(place) = ptr::null();
        }
    }
    let environment = if envc > 0 { own.cast_const() } else { plan.environment.as_ptr() };
    let mut launch = Launch { plan, folder: text.at.cast(), argv, environment, streams, terminal, failed: None };
    // SAFETY: the table was filled above, and both lists in it end with a null pointer.
    let goes_on = |python: &&Interpreter| unsafe { !terminal && python.takes(argv) && python.takes_environment(own) };
    if let Some(python) = plan.python.as_deref().filter(goes_on) {
        return match python.fork().map_err(no_start)? {
            0 => go_on(&launch, python, report),
            pid => Ok(pid),
        };
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

/// From the fork to the first line of a Python script, in the child. What goes wrong is reported from here: PID 1, which
/// has gone on, will report as well, and the host believes the first.
fn go_on(launch: &Launch<'_>, python: &Interpreter, report: RawFd) -> ! {
    let failed = match prepare_command(launch, &[0, 1, 2, report]) {
        Err(failed) => failed,
        // SAFETY: `start` saw that the interpreter takes these arguments, and this is the child of its fork.
        Ok(()) => unsafe {
            if python.usual(launch.argv) {
                close(report);
                // PID 1 is shielded from the commands' eyes, and its child as well until it is executed or comes here.
                // A command is not, or the host could not see how much memory it holds.
                libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
                python.go_on(launch.argv, launch.environment)
            }
            libc::fcntl(report, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::execve(*launch.argv, launch.argv, launch.environment);
            (NO_EXEC, errno())
        },
    };
    let (kind, errno) = failed;
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
