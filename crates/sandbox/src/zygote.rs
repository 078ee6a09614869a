//! The process that cages are cloned from, apart from the host.
//!
//! It is a fresh image of this program (`serve.rs`), or, in a program that does not call `serve_if_asked`, a copy of the
//! host from before the host grew. A clone copies the page tables of whoever clones. A host that holds half a gigabyte would pay tens of milliseconds for
//! each cage, so a small process, forked once, does it in its place. It has one thread and nothing but its socket;
//! the cages it clones are children of the host.

use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meliora_domain::Limits;
use meliora_evolve::{CageSpec, ReadOnly, SandboxError};
use rustix::fs::MemfdFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};

use crate::checklist::Step;
use crate::groups::{Group, Version};
use crate::init;
use crate::plan::{Ground, Plan, failed, os_failed};
use crate::sys;

/// Bytes of an answer: an error's text, cut to fit.
pub(crate) const ANSWER: usize = 4096;

/// Descriptors of a message at most: a cage's socket and specification, and its control groups.
const FDS: usize = 6;

/// The host's hold on it. It ends when this is dropped, or with the host.
pub(crate) struct Zygote {
    socket: Option<Mutex<OwnedFd>>,
    pid: libc::pid_t,
}

impl Zygote {
    /// Forks it.
    pub(crate) fn start(ground: Ground) -> Result<Self, SandboxError> {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|errno| os_failed("zygote socket", errno.raw_os_error()))?;
        // Clear of 0, 1 and 2, which the zygote makes its own.
        let theirs = rustix::io::fcntl_dupfd_cloexec(&theirs, 3)
            .map_err(|errno| os_failed("zygote socket", errno.raw_os_error()))?;
        // SAFETY: the C library's own fork leaves the child a working allocator. The child has one thread, takes no lock
        // that another may have held, and never returns from `live`.
        match unsafe { libc::fork() } {
            0 => live(&theirs, &ground),
            pid if pid > 0 => Ok(Zygote::new(ours, pid)),
            _ => Err(os_failed("zygote", sys::errno())),
        }
    }

    pub(crate) fn new(socket: OwnedFd, pid: libc::pid_t) -> Self {
        Zygote { socket: Some(Mutex::new(socket)), pid }
    }

    /// The socket, for one question and its answer.
    pub(crate) fn socket(&self) -> Result<MutexGuard<'_, OwnedFd>, SandboxError> {
        let socket = self.socket.as_ref().ok_or_else(|| failed("zygote", "it has ended"))?;
        Ok(socket.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Clones PID 1 of a cage, which waits on `control` for its identity, into these control groups.
    pub(crate) fn clone_cage(
        &self,
        spec: &CageSpec,
        control: &OwnedFd,
        (version, group): (Version, Option<&Group>),
    ) -> Result<(i32, OwnedFd), SandboxError> {
        let failure = |errno: rustix::io::Errno| os_failed("zygote", errno.raw_os_error());
        let text = rustix::fs::memfd_create(c"spec", MemfdFlags::CLOEXEC).map_err(failure)?;
        let mut text = std::fs::File::from(text);
        text.write_all(&encode(spec)).map_err(|error| failed("zygote", error))?;

        let entrances = group.map(Group::entrances).transpose().map_err(|e| failed("control group of the cage", e))?;
        let entrances = entrances.unwrap_or_default();
        let socket = self.socket()?;
        let mut fds = vec![control.as_fd(), text.as_fd()];
        fds.extend(entrances.iter().map(AsFd::as_fd));
        send(socket.as_fd(), &[if version == Version::One { 1 } else { 2 }], &fds).map_err(failure)?;
        let mut answer = [0; ANSWER];
        let (read, mut fds) = receive(socket.as_fd(), &mut answer).map_err(failure)?;
        drop(socket);
        match (answer.get(..read), fds.pop()) {
            (Some([a, b, c, d]), Some(pidfd)) => Ok((i32::from_ne_bytes([*a, *b, *c, *d]), pidfd)),
            (Some([]) | None, _) => Err(failed("zygote", "it has ended")),
            (Some(text), _) => Err(decode_error(text)),
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.socket = None;
        // SAFETY: our own child, which ends when its socket does.
        while unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) } < 0 && sys::errno() == libc::EINTR {}
    }
}

/// The zygote's whole life.
fn live(socket: &OwnedFd, ground: &Ground) -> ! {
    // A panic must not unwind into what is a copy of the host.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| serve(socket, ground)));
    init::leave(if outcome.is_ok() { 0 } else { 1 })
}

/// Clones cages as long as the host asks.
pub(crate) fn serve(socket: &OwnedFd, ground: &Ground) {
    // What is wrong is told to whoever asks for the first cage.
    let settled = settle_down(socket.as_raw_fd())
        .map_err(|errno| (Step::Descriptors, errno))
        .and_then(|()| sys::leave_groups().map_err(|errno| (Step::Identity, errno)));
    // Until the host is gone.
    let mut version = [0; 1];
    while let Ok((1, fds)) = receive(socket.as_fd(), &mut version) {
        let mut fds = fds.into_iter();
        let (Some(control), Some(text)) = (fds.next(), fds.next()) else { return };
        let groups: Vec<OwnedFd> = fds.collect();
        let version = if version == [1] { Version::One } else { Version::Two };
        let cloned = match settled {
            Ok(()) => clone_one(ground, &control, &text.into(), (version, &groups)),
            Err((step, errno)) => {
                let (what, hint) = Step::explain(step as u32);
                Err(SandboxError { hint: hint.map(str::to_owned), ..os_failed(what, errno) })
            }
        };
        let sent = match cloned {
            Ok((pid, pidfd)) => send(socket.as_fd(), &pid.to_ne_bytes(), &[pidfd.as_fd()]),
            Err(error) => send(socket.as_fd(), &encode_error(&error), &[]),
        };
        // With the host's own end of the socket still open here, its end would not be noticed.
        if sent.is_err() || settled.is_err() {
            return;
        }
    }
}

/// Lets go of everything that is the host's: its terminal, its signal handlers, its descriptors.
fn settle_down(socket: RawFd) -> Result<(), sys::Errno> {
    sys::close_all_but(&[socket])?;
    sys::default_signals();
    // SAFETY: calls on this process with a valid C string.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, c"cage-zygote".as_ptr());
    }
    sys::quiet_streams()
}

fn clone_one(
    ground: &Ground,
    control: &OwnedFd,
    text: &std::fs::File,
    groups: (Version, &[OwnedFd]),
) -> Result<(i32, OwnedFd), SandboxError> {
    let bytes = contents(text).map_err(|error| failed("zygote", error))?;
    let spec = decode(&bytes).ok_or_else(|| failed("zygote", "the specification did not arrive whole"))?;
    clone(&Plan::new(ground, &spec, control.as_raw_fd(), groups)?)
}

/// Clones this process into new namespaces, as a child of the host. The child never returns from here.
fn clone(plan: &Plan) -> Result<(i32, OwnedFd), SandboxError> {
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_PIDFD
        // The host is the parent, who kills and collects it.
        | libc::CLONE_PARENT;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all zero is a valid value of this plain structure.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    // The host's signal handlers are host code; PID 1 must not run it.
    arguments.flags = flags as u32 as u64 | 0x1_0000_0000; // CLONE_CLEAR_SIGHAND, linux/sched.h
    arguments.pidfd = (&raw mut pidfd) as u64;
    if let Some(group) = plan.into {
        arguments.flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP, linux/sched.h
        arguments.cgroup = group as u64;
    }
    // SAFETY: without CLONE_VM and a stack of its own this is a fork: the child goes on here with a copy of all memory.
    // It runs `init::live` only, which makes no use of anything that another thread may have held at this moment.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match pid {
        0 => init::live(plan),
        pid if pid > 0 => {
            // SAFETY: the kernel just stored this new descriptor for us.
            Ok((pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
        _ => {
            let errno = sys::errno();
            let hint = match errno {
                libc::EPERM => Some(
                    "unprivileged user namespaces are switched off: set kernel.unprivileged_userns_clone=1 or \
                     kernel.apparmor_restrict_unprivileged_userns=0, or, in a container, allow clone3 with \
                     CLONE_NEWUSER in its seccomp profile",
                ),
                libc::ENOSPC | libc::EUSERS => {
                    Some("too many namespaces: raise user.max_user_namespaces and its like, which may be 0")
                }
                libc::ENOSYS | libc::EINVAL => {
                    Some("Linux 5.7 or newer is needed, with user, pid, network, ipc, uts and cgroup namespaces")
                }
                _ => None,
            };
            Err(SandboxError { hint: hint.map(str::to_owned), ..os_failed("user namespace", errno) })
        }
    }
}

/// All of a memory file.
pub(crate) fn contents(text: &std::fs::File) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; text.metadata()?.len() as usize];
    text.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> rustix::io::Result<usize> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut room);
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
    }
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)
    })
}

pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> rustix::io::Result<(usize, Vec<OwnedFd>)> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let read = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?
    .bytes;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok((read, fds))
}

/// A specification as bytes: seven numbers, the number of paths, then home, paths, names and values, each behind its
/// length.
pub(crate) fn encode(spec: &CageSpec) -> Vec<u8> {
    let limits = &spec.limits;
    let mut bytes = Vec::new();
    for number in [
        limits.memory,
        u64::from(limits.processes),
        u64::from(limits.files),
        limits.disk,
        u64::from(limits.cpu_seconds),
        limits.output,
        u64::from(spec.terminals),
        spec.read_only.len() as u64,
    ] {
        bytes.extend(number.to_ne_bytes());
    }
    let paths = spec.read_only.iter().map(|path| path.path.as_os_str().as_bytes());
    let home = spec.home.as_deref().unwrap_or_default().as_bytes();
    for text in std::iter::once(home)
        .chain(paths)
        .chain(spec.env.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]))
    {
        bytes.extend((text.len() as u64).to_ne_bytes());
        bytes.extend(text);
    }
    bytes
}

pub(crate) fn decode(mut bytes: &[u8]) -> Option<CageSpec> {
    let mut number = || {
        let (first, rest) = bytes.split_first_chunk::<8>()?;
        bytes = rest;
        Some(u64::from_ne_bytes(*first))
    };
    let mut spec = CageSpec::manual();
    spec.limits = Limits {
        memory: number()?,
        processes: number()? as u32,
        files: number()? as u32,
        disk: number()?,
        cpu_seconds: number()? as u32,
        output: number()?,
        // The host's own clock decides.
        wall: Duration::ZERO,
    };
    spec.terminals = number()? != 0;
    let paths = (number()? as usize).saturating_add(1);
    let mut texts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let (text, rest) = rest.split_at_checked(u64::from_ne_bytes(*length) as usize)?;
        texts.push(text.to_vec());
        bytes = rest;
    }
    let env = texts.split_off(paths.min(texts.len()));
    if texts.is_empty() {
        return None;
    }
    let home = String::from_utf8(texts.remove(0)).ok()?;
    spec.home = (!home.is_empty()).then_some(home);
    spec.read_only =
        texts.into_iter().map(|path| ReadOnly { path: PathBuf::from(std::ffi::OsString::from_vec(path)) }).collect();
    for pair in env.chunks_exact(2) {
        spec.env.push((String::from_utf8(pair[0].clone()).ok()?, String::from_utf8(pair[1].clone()).ok()?));
    }
    Some(spec)
}

/// What, cause and hint, each ended by a zero byte.
pub(crate) fn encode_error(error: &SandboxError) -> Vec<u8> {
    let mut bytes = format!("{}\0{}\0{}\0", error.what, error.cause, error.hint.as_deref().unwrap_or("")).into_bytes();
    bytes.truncate(ANSWER);
    bytes
}

pub(crate) fn decode_error(bytes: &[u8]) -> SandboxError {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0').map(str::to_owned);
    let (what, cause) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    SandboxError { what, cause, hint: parts.next().filter(|hint| !hint.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_and_an_error_survive_the_way() {
        let mut spec = CageSpec::manual();
        spec.limits.memory = 7;
        spec.read_only = vec![ReadOnly { path: "/a".into() }, ReadOnly { path: "/b".into() }];
        spec.env = vec![("NAME".into(), String::new()), ("OTHER".into(), "x=y".into())];
        let again = decode(&encode(&spec)).unwrap();
        assert_eq!(
            (&again.read_only, &again.env, &again.home, again.terminals),
            (&spec.read_only, &spec.env, &None, false)
        );
        (spec.home, spec.terminals) = (Some("/home/user".into()), true);
        let again = decode(&encode(&spec)).unwrap();
        assert_eq!((&again.read_only, &again.home, again.terminals), (&spec.read_only, &spec.home, true));
        assert_eq!(again.limits, Limits { wall: Duration::ZERO, ..spec.limits.clone() });
        assert!(decode(&encode(&spec)[..40]).is_none());

        let error = SandboxError { what: "layer".into(), cause: "why".into(), hint: Some("mend".into()) };
        let told = decode_error(&encode_error(&error));
        assert_eq!((told.what, told.cause, told.hint), (error.what, error.cause, error.hint));
    }
}
