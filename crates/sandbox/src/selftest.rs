//! The self-test: tries every known way out of a cage, from inside, and tells which are open.
//!
//! The probes are this very program, shown to the cage (or put into it) and executed there by a hidden first argument, so
//! that they are native code that needs nothing in the cage but a C library. What cannot be tried is told as not run;
//! it never counts as closed.

mod inside;
mod probes;
mod results;

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meliora_domain::{Ending, Finished, Limits};
use meliora_evolve::{Cage, CageSpec, Command, ReadOnly, Sandbox, SandboxError, run_to_end};

pub(crate) use inside::probe_if_asked;
pub use probes::Kind;
use probes::{Outcome, Run, Scene, all};

use crate::plan::{failed, os_failed};

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// A handful, in one cage: what every run begins with.
    Quick,
    /// Everything.
    Whole,
}

/// Whether a way leads out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It does not.
    Closed,
    /// It does.
    Open,
    /// It could not be tried.
    NotRun,
}

/// What came of one probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub kind: Kind,
    /// Whether it leads out.
    pub state: State,
    /// How it was closed, what is open, or why it was not run.
    pub detail: String,
}

impl Finding {
    fn new(name: &'static str, kind: Kind, outcome: Outcome) -> Self {
        let (state, detail) = match outcome {
            Outcome::Closed(detail) => (State::Closed, detail),
            Outcome::Open(detail) => (State::Open, detail),
            Outcome::NotRun(detail) => (State::NotRun, detail),
        };
        Finding { name, kind, state, detail }
    }
}

/// Tries the ways out of cages of this sandbox. `program` is this program's own file; its `main` must begin with
/// [`crate::serve_if_asked`]. The findings are in the order of their kinds.
///
/// # Errors
/// The cage does not open, or the program does not run in it.
pub fn selftest(sandbox: &dyn Sandbox, program: &Path, extent: Extent) -> Result<Vec<Finding>, SandboxError> {
    let lures = Lures::set()?;
    let stage = Stage::new(sandbox, program, &lures)?;
    let mut findings = stage.together(extent)?;
    if extent == Extent::Whole {
        findings.extend(stage.alone()?);
        for pair in results::PAIRS {
            let cage: Arc<dyn Cage> = Arc::from(stage.open()?);
            findings.push(Finding::new(pair.name, pair.kind, (pair.attempt)(&stage, cage)?));
        }
    }
    findings.sort_by_key(|finding| finding.kind);
    Ok(findings)
}

/// What there is on the host to be reached, so that not reaching it means something.
struct Lures {
    service: TcpListener,
    name: String,
    _socket: UnixListener,
    /// A descriptor that every program would inherit.
    _stray: std::fs::File,
}

impl Lures {
    fn set() -> Result<Self, SandboxError> {
        let lure =
            |error: std::io::Error| failed("self-test", format!("nothing can be laid out to be reached: {error}"));
        let service = TcpListener::bind("127.0.0.1:0").map_err(lure)?;
        let port = service.local_addr().map_err(lure)?.port();
        // The port is this process's alone, and so is the name.
        let name = format!("meliora-selftest-{}-{port}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).map_err(lure)?;
        let _socket = UnixListener::bind_addr(&address).map_err(lure)?;
        let _stray = std::fs::File::open("/dev/null").map_err(lure)?;
        rustix::io::fcntl_setfd(&_stray, rustix::io::FdFlags::empty())
            .map_err(|errno| os_failed("self-test", errno.raw_os_error()))?;
        Ok(Lures { service, name, _socket, _stray })
    }
}

/// Memory of each process: enough for the program, and little enough to be passed soon.
const MEMORY: u64 = 96 << 20;
const DISK: u64 = 24 << 20;
/// Where the program goes if the cage cannot be shown it.
const PUT: &str = "/work/.meliora-probes";

/// Where the probes perform: how to open a cage with the program in it.
pub(crate) struct Stage<'a> {
    sandbox: &'a dyn Sandbox,
    /// Path of the program inside, and its bytes where it must be put there.
    program: String,
    bytes: Option<Vec<u8>>,
    scene: Scene,
    limits: Limits,
}

impl<'a> Stage<'a> {
    fn new(sandbox: &'a dyn Sandbox, program: &Path, lures: &Lures) -> Result<Self, SandboxError> {
        let limits = Limits {
            memory: MEMORY,
            disk: DISK,
            output: results::OUTPUT,
            wall: Duration::from_secs(60),
            ..Limits::default()
        };
        let port = lures.service.local_addr().map_or(0, |address| address.port());
        let shown = program.to_str().filter(|path| path.starts_with('/') && Path::new(path).is_file());
        let mut stage = Stage {
            sandbox,
            program: shown.unwrap_or(PUT).to_owned(),
            bytes: None,
            scene: Scene {
                port,
                socket: lures.name.clone(),
                host: std::process::id() as i32,
                name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                shown: shown.unwrap_or_default().to_owned(),
                memory: limits.memory,
                processes: u64::from(limits.processes),
                disk: limits.disk,
                ..Scene::default()
            },
            limits,
        };
        if shown.is_none() || stage.open().is_err() {
            stage.put_instead()?;
        }
        Ok(stage)
    }

    /// A backend that cannot show a path of the host is given the program as a file.
    fn put_instead(&mut self) -> Result<(), SandboxError> {
        let bytes = std::fs::read("/proc/self/exe").map_err(|error| failed("self-test", error))?;
        self.limits.disk = bytes.len() as u64 + DISK;
        self.scene.disk = self.limits.disk;
        self.scene.shown = String::new();
        PUT.clone_into(&mut self.program);
        self.bytes = Some(bytes);
        Ok(())
    }

    /// A cage with the program in it.
    fn open(&self) -> Result<Box<dyn Cage>, SandboxError> {
        self.open_with(false)
    }

    /// The same, with terminals or without.
    fn open_with(&self, terminals: bool) -> Result<Box<dyn Cage>, SandboxError> {
        let mut spec = CageSpec::manual();
        spec.terminals = terminals;
        spec.limits = self.limits.clone();
        spec.env = vec![(probes::GIVEN.to_owned(), "1".to_owned())];
        if self.bytes.is_none() {
            spec.read_only = vec![ReadOnly { path: self.program.clone().into() }];
        }
        let cage = self.sandbox.open(spec)?;
        if let Some(bytes) = &self.bytes {
            cage.put(PUT, bytes, true).map_err(|error| failed("self-test", error))?;
        }
        Ok(cage)
    }

    /// The program, asked for these probes or for this guest.
    fn command(&self, which: &str) -> Command {
        let mut argv = vec![self.program.clone(), inside::ASKED.to_owned(), which.to_owned()];
        argv.extend(self.scene.encode());
        Command { argv, ..Command::default() }
    }

    /// Runs a guest to its end.
    fn guest(&self, cage: &dyn Cage, which: &str) -> Result<Finished, SandboxError> {
        let finished = run_to_end(cage, &self.command(which), b"")?;
        match finished.ending {
            Ending::Exited(0) => Ok(finished),
            ending => Err(failed("self-test", format!("the guest '{which}' ended with {ending:?}"))),
        }
    }

    /// Probes that share a cage and a command.
    fn together(&self, extent: Extent) -> Result<Vec<Finding>, SandboxError> {
        let which = if extent == Extent::Quick { inside::QUICK } else { inside::WHOLE };
        let cage = self.open()?;
        let finished = run_to_end(&*cage, &self.command(which), b"")?;
        let text = String::from_utf8_lossy(&finished.stdout);
        let told: Vec<_> = text.lines().filter_map(inside::parse).collect();
        if told.is_empty() {
            return Err(SandboxError {
                what: "self-test".to_owned(),
                cause: format!(
                    "the probe program does not run in this cage ({:?}): {}",
                    finished.ending,
                    String::from_utf8_lossy(&finished.stderr).trim()
                ),
                hint: Some("the cage needs a C library that this program runs with".to_owned()),
            });
        }
        if !text.lines().last().is_some_and(|line| line.starts_with(inside::END)) {
            let last = told.last().map_or("none", |(name, _)| name);
            let cause = format!("the probes ended before their end ({:?}); the last was '{last}'", finished.ending);
            return Err(failed("self-test", cause));
        }
        let wanted = all().filter(|probe| match extent {
            Extent::Quick => probe.run == Run::Quick,
            Extent::Whole => probe.run != Run::Alone,
        });
        Ok(wanted
            .map(|probe| {
                let outcome = told.iter().find(|(name, _)| *name == probe.name).map(|(_, outcome)| outcome.clone());
                let outcome = outcome.unwrap_or_else(|| Outcome::NotRun("nothing was said of it".to_owned()));
                Finding::new(probe.name, probe.kind, outcome)
            })
            .collect())
    }

    /// Probes that the cage may answer by killing; a cage that did is not used again.
    fn alone(&self) -> Result<Vec<Finding>, SandboxError> {
        let mut findings = Vec::new();
        let mut kept = None;
        for probe in all().filter(|probe| probe.run == Run::Alone) {
            let cage = match kept.take() {
                Some(cage) => cage,
                None => self.open()?,
            };
            let finished = run_to_end(&*cage, &self.command(probe.name), b"")?;
            let text = String::from_utf8_lossy(&finished.stdout);
            let outcome = match (text.lines().find_map(inside::parse), finished.ending) {
                (Some((_, outcome)), _) => outcome,
                (None, Ending::Memory | Ending::OutputCap | Ending::WallClock | Ending::CpuTime) => {
                    Outcome::Closed(format!("ended by the cage: {:?}", finished.ending))
                }
                (None, Ending::Signalled(libc::SIGKILL)) => Outcome::Closed("killed".to_owned()),
                (None, ending) => Outcome::NotRun(format!("it ended without an answer: {ending:?}")),
            };
            if matches!(finished.ending, Ending::Exited(_)) {
                kept = Some(cage);
            }
            findings.push(Finding::new(probe.name, probe.kind, outcome));
        }
        Ok(findings)
    }
}
