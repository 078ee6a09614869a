//! The process that cages are cloned from, as a fresh image of this program: nothing of the host's memory is in it.
//!
//! It is started by executing `/proc/self/exe` with a hidden argument, with the environment that Python commands are to
//! have and with one socket. So neither a key in the host's environment, nor an archive, nor an answer key that the host
//! has read, is ever in the memory of a cage. What is there: this program's code, Python's library, what the host asked
//! to have ready (`WarmPython`) and the specifications of cages before this one (limits, paths, environments). Cages that
//! are cloned from one process share their address layout, as the children of any server that forks do.

use std::ffi::{CStr, CString, OsString};
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use meliora_evolve::SandboxError;
use rustix::fs::MemfdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::init;
use crate::interpreter::{Interpreter, NotWarm};
use crate::plan::{Ground, failed, os_failed};
use crate::sys;
use crate::warm::{WarmPython, module_words};
use crate::zygote::{ANSWER, Zygote, contents, decode_error, encode_error, receive, send, serve};

/// The first argument of a process that is to serve cages; no command is called so.
const ASKED: &CStr = c"__cages";
/// Where its socket lies.
const SOCKET: RawFd = 3;

/// Serves cages, runs the probes of the self-test, or is the first process of a container or of a virtual machine, and does
/// not return, if this process was started for that. A program that calls [`crate::Namespaces::warm`] or
/// [`crate::selftest()`], or opens containers, must call this first thing in its `main`, with its arguments.
pub fn serve_if_asked(arguments: impl Iterator<Item = OsString>) {
    let arguments: Vec<OsString> = arguments.collect();
    crate::selftest::probe_if_asked(arguments.iter().cloned());
    crate::container::contain_if_asked(&arguments);
    crate::microvm::live_if_asked(&arguments);
    if arguments.get(1).and_then(|word| word.to_str()).map(str::as_bytes) != Some(ASKED.to_bytes()) {
        return;
    }
    // SAFETY: whoever passes this argument has put the socket there, and nobody in this process uses it but us.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    let served = rustix::net::sockopt::socket_type(&socket).is_ok_and(|kind| kind == SocketType::SEQPACKET);
    if served {
        begin(&socket);
    }
    init::leave(i32::from(!served))
}

/// Takes the first message, starts what it asks for, and serves.
fn begin(socket: &OwnedFd) {
    if rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC).is_err() {
        return;
    }
    let mut abi = [0; 4];
    let Ok((4, fds)) = receive(socket.as_fd(), &mut abi) else { return };
    let Some(asked) = fds.into_iter().next().and_then(|fd| contents(&fd.into()).ok()) else { return };
    let ground = Ground::survey(u32::from_ne_bytes(abi));
    let mut ground = match ground {
        Ok(ground) => ground,
        Err(error) => {
            send(socket.as_fd(), &[b"e", &encode_error(&error)[..]].concat(), &[]).ok();
            return;
        }
    };
    let python = match WarmPython::decode(&asked) {
        None => Err(NotWarm::Cold("none was asked for".to_owned())),
        Some(warm) => Interpreter::start(&warm),
    };
    let mut answer = b"p".to_vec();
    match python {
        Ok(python) => {
            ground.python = Some(python.into());
            // The memory of a warm command belongs to the user namespace of this process's `execve`, where an ordinary
            // host has no right to look at one that hides: the memory watch would not see it. Root sees it anyway.
            if !rustix::process::geteuid().is_root() {
                ground.may_hide = false;
            }
        }
        Err(NotWarm::Cold(why)) => answer.extend(why.bytes().take(ANSWER / 2)),
        Err(NotWarm::Module { name, why }) => {
            let error = SandboxError {
                what: module_words(&name),
                cause: why.chars().take(ANSWER / 8).collect(),
                hint: Some(
                    "install it where the Python of this project finds it, or take it out of `warm` in [sandbox]"
                        .to_owned(),
                ),
            };
            answer = [b"e", &encode_error(&error)[..]].concat();
        }
    }
    if send(socket.as_fd(), &answer, &[]).is_ok() {
        serve(socket, &ground);
    }
}

impl Zygote {
    /// Executes it anew. Returns also why Python is cold, if it is.
    ///
    /// # Errors
    /// Only what keeps cages from being cloned; a Python that does not start is left out.
    pub(crate) fn execute(
        landlock_abi: u32,
        python: Option<&WarmPython>,
    ) -> Result<(Self, Option<String>), SandboxError> {
        let died = |zygote: Self| match zygote.begin(landlock_abi, None) {
            Ok((zygote, _)) => Ok((zygote, Some("it ended while it started".to_owned()))),
            Err(error) => Err(error.unwrap_or_else(|| failed("zygote", "this program does not serve cages"))),
        };
        let env = python.map_or(&[][..], |python| &python.env);
        match Self::spawn(env)?.begin(landlock_abi, python) {
            Ok(begun) => Ok(begun),
            Err(Some(error)) => Err(error),
            // The interpreter took the process with it.
            Err(None) => died(Self::spawn(env)?),
        }
    }

    /// Says what to begin with. `Err(None)`: it ended.
    fn begin(self, abi: u32, python: Option<&WarmPython>) -> Result<(Self, Option<String>), Option<SandboxError>> {
        let failure = |errno: rustix::io::Errno| Some(os_failed("zygote", errno.raw_os_error()));
        let text = rustix::fs::memfd_create(c"python", MemfdFlags::CLOEXEC).map_err(failure)?;
        let mut text = std::fs::File::from(text);
        text.write_all(&python.map(WarmPython::encode).unwrap_or_default())
            .map_err(|error| Some(failed("zygote", error)))?;
        let mut answer = [0; ANSWER];
        let read = {
            let socket = self.socket().map_err(Some)?;
            if send(socket.as_fd(), &abi.to_ne_bytes(), &[text.as_fd()]).is_err() {
                return Err(None);
            }
            receive(socket.as_fd(), &mut answer).map_or(0, |(read, _)| read)
        };
        match answer.get(..read) {
            Some([b'p']) => Ok((self, None)),
            Some([b'p', why @ ..]) => Ok((self, Some(String::from_utf8_lossy(why).into_owned()))),
            Some([b'e', error @ ..]) => Err(Some(decode_error(error))),
            _ => Err(None),
        }
    }

    fn spawn(env: &[(String, String)]) -> Result<Self, SandboxError> {
        let failure = |errno: rustix::io::Errno| os_failed("zygote", errno.raw_os_error());
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(failure)?;
        // Clear of the places that the child fills.
        let theirs = rustix::io::fcntl_dupfd_cloexec(&theirs, SOCKET + 1).map_err(failure)?;
        let env: Vec<CString> = env
            .iter()
            .map(|(name, value)| CString::new(format!("{name}={value}")))
            .collect::<Result<_, _>>()
            .map_err(|_| failed("zygote", "its environment has a zero byte in it"))?;
        let pointers: Vec<_> = env.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        let argv = [c"meliora".as_ptr(), ASKED.as_ptr(), std::ptr::null()];
        // SAFETY: between fork and exec the child makes system calls only, with strings that were made before.
        match unsafe { libc::fork() } {
            0 => {
                let socket = theirs.as_raw_fd();
                // SAFETY: as above; every descriptor but the socket is closed first.
                unsafe {
                    if sys::close_all_but(&[socket]).is_ok() && sys::quiet_streams().is_ok() {
                        let mut none: libc::sigset_t = std::mem::zeroed();
                        libc::sigemptyset(&mut none);
                        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
                        libc::dup2(socket, SOCKET);
                        libc::execve(c"/proc/self/exe".as_ptr(), argv.as_ptr(), pointers.as_ptr());
                    }
                }
                init::leave(127)
            }
            pid if pid > 0 => Ok(Zygote::new(ours, pid)),
            _ => Err(os_failed("zygote", sys::errno())),
        }
    }
}
