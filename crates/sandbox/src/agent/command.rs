//! A command at the other end of the line: what it did so far, its clock, its input.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meliora_domain::Ending;
use meliora_evolve::{Happening, Process, SandboxError, Terminal};

use super::client::{Line, SMALL, machinery};
use super::code::Bytes;
use super::protocol::{Ask, CHUNK};

/// How long after its time a command may go on before everything is killed.
const GRACE: Duration = Duration::from_secs(10);

/// What a command did and nobody has asked for yet.
pub(super) struct Inbox {
    told: Mutex<Told>,
    changed: Condvar,
    /// Bytes of output that are kept.
    limit: u64,
}

#[derive(Default)]
struct Told {
    queue: VecDeque<Happening>,
    kept: u64,
    ending: Option<Ending>,
    broke: Option<SandboxError>,
}

impl Inbox {
    /// An empty one, that keeps so many bytes of output.
    pub(super) fn new(limit: u64) -> Self {
        Inbox { told: Mutex::default(), changed: Condvar::new(), limit }
    }

    /// Puts output into it, or says that there is more of it than there may be. The other end keeps to the limit itself,
    /// unless somebody has taken it over.
    pub(super) fn take(&self, happening: Happening) -> Result<(), String> {
        let length = match &happening {
            Happening::Stdout(bytes) | Happening::Stderr(bytes) => bytes.len() as u64,
            Happening::Exit(_) => 0,
        };
        let mut told = self.told();
        if told.kept + length > self.limit {
            told.ending.get_or_insert(Ending::OutputCap);
            drop(told);
            self.changed.notify_all();
            return Err("it passes on more output than it may".to_owned());
        }
        told.kept += length;
        told.queue.push_back(happening);
        drop(told);
        self.changed.notify_all();
        Ok(())
    }

    /// The other end could not go on with it.
    pub(super) fn fail(&self, error: SandboxError) {
        self.told().broke = Some(error);
        self.changed.notify_all();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing comes after.
    pub(super) fn end(&self, ending: Ending) {
        self.told().ending.get_or_insert(ending);
        self.changed.notify_all();
    }
}

/// A command at the other end.
pub(super) struct RemoteProcess {
    line: Arc<Line>,
    id: u32,
    inbox: Arc<Inbox>,
    /// When it must have ended.
    until: Instant,
    closed: AtomicBool,
}

impl RemoteProcess {
    /// Its clock begins now.
    pub(super) fn new(line: Arc<Line>, id: u32, inbox: Arc<Inbox>, wall: Duration) -> Self {
        // A time too far to tell is as good as a year.
        let now = Instant::now();
        let until = now.checked_add(wall.saturating_add(GRACE)).unwrap_or(now + Duration::from_secs(31_536_000));
        RemoteProcess { line, id, inbox, until, closed: AtomicBool::new(false) }
    }

    fn has_ended(&self) -> bool {
        let told = self.inbox.told();
        told.ending.is_some() || told.broke.is_some()
    }

    fn overdue(&self) {
        self.inbox.end(Ending::WallClock);
        self.line.end("a command went on past its time");
    }
}

impl Process for RemoteProcess {
    fn write(&self, bytes: &[u8]) -> Result<(), SandboxError> {
        for chunk in bytes.chunks(CHUNK) {
            if self.closed.load(Ordering::Acquire) || self.has_ended() {
                return Ok(());
            }
            let ask = Ask::Write(self.id, Bytes(chunk.to_vec()));
            let Ok(answer) = self.line.begin(&ask, SMALL) else { return Ok(()) };
            match answer.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
                Ok(written) => written.map(drop).map_err(machinery)?,
                Err(RecvTimeoutError::Timeout) => self.overdue(),
                // It is gone, and with it whoever would have read.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    fn close_stdin(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) && !self.has_ended() {
            self.line.say(0, &Ask::CloseStdin(self.id)).ok();
        }
    }

    fn next(&self) -> Result<Happening, SandboxError> {
        let mut told = self.inbox.told();
        loop {
            if let Some(happening) = told.queue.pop_front() {
                return Ok(happening);
            }
            if let Some(ending) = told.ending {
                return Ok(Happening::Exit(ending));
            }
            if let Some(error) = &told.broke {
                return Err(SandboxError {
                    what: error.what.clone(),
                    cause: error.cause.clone(),
                    hint: error.hint.clone(),
                });
            }
            let rest = self.until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                drop(told);
                self.overdue();
                told = self.inbox.told();
                continue;
            }
            told = self.inbox.changed.wait_timeout(told, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        if signal <= 0 || self.has_ended() {
            return Ok(());
        }
        match self.line.ask(&Ask::Signal(self.id, signal)) {
            // Nothing is left to signal.
            Err(_) if self.has_ended() => Ok(()),
            other => other.map(drop),
        }
    }

    fn resize(&self, size: Terminal) -> Result<(), SandboxError> {
        if self.has_ended() {
            return Ok(());
        }
        self.line.ask(&Ask::Resize(self.id, size)).map(drop)
    }
}

impl Drop for RemoteProcess {
    fn drop(&mut self) {
        if self.line.dismiss(self.id) {
            self.line.say(0, &Ask::Forget(self.id)).ok();
        }
    }
}
