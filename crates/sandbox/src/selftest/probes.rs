//! The probes that run inside a cage: what each tries, and what counts as open.
//!
//! A probe does no harm where it gets through: it undoes what it did, or asks for what the kernel checks the right to
//! before it looks at the rest. It runs in a process of its own, so it may also change that process, or die.

mod files;
mod kernel;
mod limits;
mod world;

use std::io::Read as _;

pub(crate) use world::GIVEN;

use crate::sys::{self, Errno};

/// What a probe is about; probes are told grouped by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// Files, folders and devices of the host.
    Files,
    /// Mounts and namespaces.
    Namespaces,
    /// Calls that reach deep into the kernel.
    Kernel,
    /// Other processes.
    Processes,
    /// Networks and sockets.
    Network,
    /// Users, rights and what a process carries with it.
    Identity,
    /// How much may be used.
    Limits,
    /// What the host fetches from a cage.
    Results,
}

impl Kind {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Files => "files",
            Kind::Namespaces => "namespaces",
            Kind::Kernel => "kernel",
            Kind::Processes => "processes",
            Kind::Network => "network",
            Kind::Identity => "identity",
            Kind::Limits => "limits",
            Kind::Results => "results",
        }
    }
}

/// What came of a probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The way is closed; how.
    Closed(String),
    /// It leads out; where.
    Open(String),
    /// It could not be tried; why.
    NotRun(String),
}

/// How a probe is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Run {
    /// At the start of every run too.
    Quick,
    /// With all others.
    Whole,
    /// As a command of its own, because the cage may answer by killing all that the command is.
    Alone,
}

/// One way out, tried.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) run: Run,
    pub(crate) attempt: fn(&Scene) -> Outcome,
}

impl Probe {
    const fn new(kind: Kind, run: Run, name: &'static str, attempt: fn(&Scene) -> Outcome) -> Self {
        Probe { name, kind, run, attempt }
    }
}

/// Every probe that runs inside.
pub(crate) fn all() -> impl Iterator<Item = &'static Probe> {
    [files::PROBES, kernel::NAMESPACES, kernel::PROBES, world::PROBES, limits::PROBES].into_iter().flatten()
}

/// What a probe knows of the world it was started in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scene {
    /// Port of a service of the host on its loopback.
    pub(crate) port: u16,
    /// An abstract socket of the host.
    pub(crate) socket: String,
    /// The host's own process.
    pub(crate) host: i32,
    /// The host's name.
    pub(crate) name: String,
    /// The program that the cage was shown, if it was.
    pub(crate) shown: String,
    /// Bytes of memory that a process may have.
    pub(crate) memory: u64,
    /// Processes that may be.
    pub(crate) processes: u64,
    /// Bytes that a folder may hold.
    pub(crate) disk: u64,
    /// `/proc/self/status` as it was at the start.
    pub(crate) status: String,
    /// Descriptors that were open at the start, beside the standard streams.
    pub(crate) descriptors: Vec<i32>,
}

impl Scene {
    /// As arguments; what the probes find out for themselves is not among them.
    pub(crate) fn encode(&self) -> Vec<String> {
        vec![
            self.port.to_string(),
            self.socket.clone(),
            self.host.to_string(),
            self.name.clone(),
            self.shown.clone(),
            self.memory.to_string(),
            self.processes.to_string(),
            self.disk.to_string(),
        ]
    }

    pub(crate) fn decode(mut words: impl Iterator<Item = String>) -> Option<Self> {
        Some(Scene {
            port: words.next()?.parse().ok()?,
            socket: words.next()?,
            host: words.next()?.parse().ok()?,
            name: words.next()?,
            shown: words.next()?,
            memory: words.next()?.parse().ok()?,
            processes: words.next()?.parse().ok()?,
            disk: words.next()?.parse().ok()?,
            ..Scene::default()
        })
    }

    /// A field of `/proc/self/status`.
    fn field(&self, name: &str) -> Option<&str> {
        self.status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

/// A system call by its number; unused arguments are zero.
fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<i64, Errno> {
    let mut all = [0usize; 6];
    all[..N].copy_from_slice(&arguments);
    let [a, b, c, d, e, f] = all;
    // SAFETY: each probe passes pointers to its own locals and C strings, which outlive the call, with the sizes that
    // the call expects; what the call may do to the process is what the probe is for, and the process is its own.
    sys::check(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

/// The name of an error number.
fn errno(number: Errno) -> String {
    match number {
        libc::EPERM => "EPERM".to_owned(),
        libc::ENOENT => "ENOENT".to_owned(),
        libc::ESRCH => "ESRCH".to_owned(),
        libc::EACCES => "EACCES".to_owned(),
        libc::EROFS => "EROFS".to_owned(),
        libc::ENOSYS => "ENOSYS".to_owned(),
        libc::EAFNOSUPPORT => "EAFNOSUPPORT".to_owned(),
        libc::ENOTTY => "ENOTTY".to_owned(),
        libc::EINVAL => "EINVAL".to_owned(),
        libc::ENOMEM => "ENOMEM".to_owned(),
        libc::EAGAIN => "EAGAIN".to_owned(),
        libc::ENOSPC => "ENOSPC".to_owned(),
        libc::EFBIG => "EFBIG".to_owned(),
        other => std::io::Error::from_raw_os_error(other).to_string(),
    }
}

/// Open if the call succeeded.
fn must_fail(result: Result<i64, Errno>) -> Outcome {
    match result {
        Ok(value) => Outcome::Open(format!("the call returned {value}")),
        Err(number) => Outcome::Closed(errno(number)),
    }
}

/// Open if the call got as far as its arguments, which are wrong on purpose: the kernel looks at the right first.
fn must_be_refused(result: Result<i64, Errno>) -> Outcome {
    match result {
        Err(number @ (libc::EPERM | libc::EACCES | libc::ENOSYS)) => Outcome::Closed(errno(number)),
        Err(number) => Outcome::Open(format!("the right was there, only the argument was wrong ({})", errno(number))),
        Ok(value) => Outcome::Open(format!("the call returned {value}")),
    }
}

/// Open if something can be read.
fn must_not_read(path: &str) -> Outcome {
    let mut first = [0; 64];
    match std::fs::File::open(path).and_then(|mut file| file.read(&mut first)) {
        Ok(0) => Outcome::Closed("it is empty".to_owned()),
        Ok(_) => Outcome::Open(format!("{path} can be read")),
        Err(error) => Outcome::Closed(io(&error)),
    }
}

/// Open if it can be opened to be written.
fn must_not_open_to_write(path: &str) -> Outcome {
    match std::fs::OpenOptions::new().write(true).open(path) {
        Ok(_) => Outcome::Open(format!("{path} can be written")),
        Err(error) => Outcome::Closed(io(&error)),
    }
}

fn io(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), errno)
}
