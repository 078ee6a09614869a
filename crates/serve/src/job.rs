//! A command that runs in a sandbox: a thread waits for what it does, and tells whoever listens.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use meliora_domain::Ending;
use meliora_evolve::{Happening, Process, Terminal};

use crate::fault::{Answer, Kind, fault};
use crate::guest::{Guest, blocking};
use crate::outlet::{Listener, Outlet, Weigh};

/// What a client asked to have run.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) cmd: String,
    pub(crate) args: Vec<String>,
    pub(crate) envs: Vec<(String, String)>,
    pub(crate) cwd: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) stdin: bool,
}

/// What a command did.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Did {
    Stdout(Bytes),
    Stderr(Bytes),
    /// Wrote to its terminal.
    Pty(Bytes),
    Ended(Ending),
    /// Nothing more can be known of it.
    Lost(String),
}

impl Weigh for Did {
    fn weight(&self) -> usize {
        match self {
            Did::Stdout(bytes) | Did::Stderr(bytes) | Did::Pty(bytes) => bytes.len() + 64,
            Did::Ended(_) | Did::Lost(_) => 64,
        }
    }
}

/// A running command.
pub(crate) struct Job {
    pub(crate) pid: u32,
    pub(crate) asked: Asked,
    process: Arc<dyn Process>,
    outlet: Arc<Outlet<Did>>,
}

/// Stack of a thread that waits for a command: it only reads and passes on.
pub(crate) const STACK: usize = 256 << 10;

impl Job {
    /// Takes charge of a process that has just been started, and the first to listen to it.
    pub(crate) fn new(
        guest: &Arc<Guest>,
        pid: u32,
        asked: Asked,
        process: Arc<dyn Process>,
    ) -> Answer<(Arc<Self>, Listener<Did>)> {
        if asked.terminal.is_none() && !asked.stdin {
            process.close_stdin();
        }
        let outlet = Outlet::new();
        let listener = outlet.listen();
        let job = Arc::new(Job { pid, asked, process, outlet });
        guest.jobs().insert(pid, Arc::clone(&job));
        let (thread_job, weak) = (Arc::clone(&job), Arc::downgrade(guest));
        let thread = std::thread::Builder::new().name(format!("job {pid}")).stack_size(STACK);
        match thread.spawn(move || thread_job.follow(&weak)) {
            Ok(_) => Ok((job, listener)),
            Err(error) => {
                guest.jobs().remove(&pid);
                job.process.signal(KILL).ok();
                Err(fault(Kind::Internal, format!("no thread for the command: {error}")))
            }
        }
    }

    fn follow(&self, guest: &Weak<Guest>) {
        let terminal = self.asked.terminal.is_some();
        let last = loop {
            match self.process.next() {
                Ok(Happening::Stdout(bytes)) if terminal => self.outlet.put(Did::Pty(bytes.into())),
                Ok(Happening::Stdout(bytes)) => self.outlet.put(Did::Stdout(bytes.into())),
                Ok(Happening::Stderr(bytes)) => self.outlet.put(Did::Stderr(bytes.into())),
                Ok(Happening::Exit(ending)) => break Did::Ended(ending),
                Err(error) => {
                    self.process.signal(KILL).ok();
                    break Did::Lost(error.to_string());
                }
            }
        };
        if let Some(guest) = guest.upgrade() {
            guest.jobs().remove(&self.pid);
            if matches!(last, Did::Ended(Ending::Memory | Ending::Signalled(KILL))) {
                // The keeper may have gone with it.
                guest.keep();
            }
        }
        self.outlet.put(last);
        self.outlet.close();
    }

    /// Begins to listen.
    pub(crate) fn listen(&self) -> Listener<Did> {
        self.outlet.listen()
    }

    /// Writes to its standard input or terminal.
    pub(crate) async fn write(self: &Arc<Self>, bytes: Vec<u8>) -> Answer<()> {
        let job = Arc::clone(self);
        let writing = self.outlet.writing();
        blocking(move || {
            let written = job.process.write(&bytes);
            drop(writing);
            written
        })
        .await?
        .map_err(Into::into)
    }

    pub(crate) fn close_stdin(&self) {
        self.process.close_stdin();
    }

    /// Sends a signal to it and all it started.
    pub(crate) fn signal(&self, signal: i32) -> Answer<()> {
        self.process.signal(signal).map_err(Into::into)
    }

    pub(crate) fn resize(&self, size: Terminal) -> Answer<()> {
        self.process.resize(size).map_err(Into::into)
    }

    /// The sandbox ends: nobody waits for room any more.
    pub(crate) fn let_go(&self) {
        self.outlet.close();
    }
}

/// `SIGKILL`, the same number on every Linux.
pub(crate) const KILL: i32 = 9;
/// `SIGTERM`.
pub(crate) const TERM: i32 = 15;
/// `SIGINT`.
pub(crate) const INTERRUPT: i32 = 2;

/// Code, whether it left by itself, and words for it, as Go's `os.ProcessState` says them, which clients show.
pub(crate) fn end(ending: Ending) -> (i32, bool, String) {
    let told = |text: &str| (-1, false, text.to_owned());
    match ending {
        Ending::Exited(code) => (code, true, format!("exit status {code}")),
        Ending::Signalled(KILL) => told("signal: killed"),
        Ending::Signalled(TERM) => told("signal: terminated"),
        Ending::Signalled(INTERRUPT) => told("signal: interrupt"),
        Ending::Signalled(number) => (-1, false, format!("signal: {number}")),
        Ending::WallClock => told("killed: the longest time that a command may run was over"),
        Ending::CpuTime => told("killed: its processor time was over"),
        Ending::OutputCap => told("killed: it wrote more than a command may"),
        Ending::Memory => told("killed: the sandbox was out of memory"),
    }
}
