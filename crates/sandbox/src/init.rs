//! PID 1 of a cage: starts commands when the host asks, reaps whatever ends, and ends with the host.
//!
//! Like the checklist before it, it must not allocate, lock or panic. (One exception: around the fork of a warm command
//! Python does, in a process that never had a second thread.)

use std::os::fd::RawFd;
use std::ptr;

use libc::c_int;

use crate::checklist::{self, Failure, Step};
use crate::launch::{self, Spare};
use crate::plan::Plan;
use crate::sys::{Errno, check, errno};
use crate::wire::{ENDED, NO_START, READY_FDS, REQUEST, Report, Request, SPAWN_FDS};

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

pub(crate) fn close(fd: RawFd) {
    // SAFETY: descriptors of this process are its own; none is used after it was closed.
    unsafe { libc::close(fd) };
}

/// Sends bytes and at most five descriptors.
pub(crate) fn tell(control: RawFd, words: &[u8], fds: &[RawFd]) -> Result<(), Errno> {
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
pub(crate) fn hear(control: RawFd) -> Option<(Request, [RawFd; SPAWN_FDS], usize)> {
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
                        launch::start(self.plan, strings, counts, ([stdin, stdout, stderr], terminal), report, spare)
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
                    self.spare =
                        self.plan.python.as_deref().and_then(|python| launch::have_wait(self.plan, python).ok());
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

pub(crate) fn kill(pid: libc::pid_t, signal: c_int) {
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
