//! Cages that are opened before anyone asks: empty, one for each use, for what was asked for last.
//!
//! A thread opens them while the host does other things. Nothing has run in one before it is handed out, and none is
//! handed out twice. Their number is bounded; a kind of cage that nobody has asked for lately is let go.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use meliora_evolve::{CageSpec, SandboxError};

use crate::cage::NamespaceCage;
use crate::zygote::encode;

/// Kinds of cages that are remembered: work and exam cages of one project, and a change of it.
const KINDS: usize = 4;

/// How cages are opened.
pub(crate) type Open = dyn Fn(&CageSpec) -> Result<NamespaceCage, SandboxError> + Send + Sync;

/// The cages that wait, and the thread that sees to it that some do.
pub(crate) struct Ready {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// How many wait, of each kind.
    size: usize,
}

#[derive(Default)]
struct State {
    /// The last asked for is the first.
    kinds: VecDeque<Kind>,
    ended: bool,
}

struct Kind {
    key: Vec<u8>,
    spec: CageSpec,
    waiting: Vec<NamespaceCage>,
    /// Opening one failed; it is tried again when someone asked and was told why.
    failed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    pub(crate) fn start(size: usize, open: Arc<Open>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), size });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("cages-ahead".to_owned()).spawn(move || fill(&theirs, &*open))?;
        Ok(Ready { shared, thread: Some(thread) })
    }

    /// One that waits, if there is one of this kind. Others of the kind will wait from now on.
    pub(crate) fn take(&self, spec: &CageSpec) -> Option<NamespaceCage> {
        let key = key(spec);
        let mut state = self.shared.state();
        let mut kind = match state.kinds.iter().position(|kind| kind.key == key) {
            Some(place) => state.kinds.remove(place)?,
            None => Kind { key, spec: spec.clone(), waiting: Vec::new(), failed: false },
        };
        let taken = kind.waiting.pop();
        kind.failed = false;
        state.kinds.push_front(kind);
        let forgotten = if state.kinds.len() > KINDS { state.kinds.pop_back() } else { None };
        drop(state);
        drop(forgotten);
        self.shared.changed.notify_one();
        taken
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there would have left cages unopened, no more.
            thread.join().ok();
        }
    }
}

/// All by which cages differ.
fn key(spec: &CageSpec) -> Vec<u8> {
    let mut key = encode(spec);
    // The host's own clock, which the encoding leaves out.
    key.extend(spec.limits.wall.as_nanos().to_ne_bytes());
    key
}

fn fill(shared: &Shared, open: &Open) {
    loop {
        let mut state = shared.state();
        let (key, spec) = loop {
            if state.ended {
                return;
            }
            match state.kinds.iter().find(|kind| kind.waiting.len() < shared.size && !kind.failed) {
                Some(kind) => break (kind.key.clone(), kind.spec.clone()),
                None => state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(state);
        let opened = open(&spec);
        let mut state = shared.state();
        // Nobody may want it any more; then it is dropped, with the lock let go.
        if let Some(kind) = state.kinds.iter_mut().find(|kind| kind.key == key) {
            match opened {
                Ok(cage) => kind.waiting.push(cage),
                Err(_) => kind.failed = true,
            }
        } else {
            drop(state);
            drop(opened);
        }
    }
}
