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
    /// A copy of the interpreter that waits for the first command, and its line.
    spare: Option<(libc::pid_t, RawFd)>,
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
        let words = [(failure.step as u32).to_ne_bytes(), (failure.errno as u32).to_ne_bytes()];
        tell(plan.control, words.as_flattened(), &[]).ok();
        leave(1);
    }
    Init { plan, slots: [None; SLOTS], spare: None, cpu_us: 0, peak_kib: 0 }.serve()
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
    tell(control, [[0u8; 4]; 2].as_flattened(), folders)?;
    for folder in folders {
        close(*folder);
    }
    Ok(())
}

fn close(fd: RawFd) {
    // SAFETY: descriptors of this process are its own; none is used after it was closed.
    unsafe { libc::close(fd) };
}

/// Sends bytes and at most five descriptors.
fn tell(control: RawFd, words: &[u8], fds: &[RawFd]) -> Result<(), Errno> {
    let mut room: ControlRoom = [0; 8];
    // SAFETY: the message points to locals that live through the call; the control data fits `room` (five
    // descriptors take 40 bytes of its 64) and is written within what the macros report.
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
                        // Whether or not it is one for the interpreter: no later command finds a process beside it.
                        let spare =
                            self.spare.take().map(|spare| Spare { spare, request: request.encode(), fds: *fds });
                        start(self.plan, strings, counts, ([stdin, stdout, stderr], terminal), report, spare)
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
            Request::Prepare => {
                if self.spare.is_none() && self.slots.iter().all(Option::is_none) {
                    self.spare = self.plan.python.as_deref().and_then(|python| have_wait(self.plan, python).ok());
                }
            }
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
            if let Some((_, line)) = self.spare.take_if(|(spare, _)| *spare == pid) {
                close(line);
            }
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
        if let Some((_, line)) = self.spare.take() {
            close(line);
        }
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

/// A copy of the interpreter that waits, and what it is to be told.
struct Spare {
    spare: (libc::pid_t, RawFd),
    request: [u8; REQUEST],
    fds: [RawFd; SPAWN_FDS],
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
fn have_wait(plan: &Plan, python: &Interpreter) -> Result<(libc::pid_t, RawFd), Errno> {
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
    python.forked(true);
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
fn start(
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
                    python.forked(false);
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
