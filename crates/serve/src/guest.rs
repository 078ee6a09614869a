//! One sandbox: an open cage, whose it is, how long it lives, and what runs in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use meliora_evolve::{Cage, Command, Process};

use crate::fault::{Answer, Kind, fault};
use crate::interpreter::Context;
use crate::job::{Asked, Did, Job};
use crate::outlet::Listener;
use crate::paths;
use crate::registry::Owner;
use crate::watch::Watcher;

/// Commands of one sandbox at once. The cage's own limits on processes come on top.
const JOBS: usize = 60;
/// What keeps a cage alive between commands: when the last command of a cage ends, all that is left in it is killed.
const KEEPER: [&str; 2] = ["/bin/sleep", "infinity"];

/// What a client said when it made the sandbox.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) template: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) envs: Vec<(String, String)>,
    pub(crate) auto_pause: bool,
    pub(crate) auto_resume: bool,
    pub(crate) idempotency: Option<String>,
}

/// How long it lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Life {
    pub(crate) until: SystemTime,
    pub(crate) paused: bool,
}

pub(crate) struct Guest {
    pub(crate) id: String,
    /// What its data plane asks for.
    pub(crate) token: String,
    pub(crate) owner: Owner,
    pub(crate) wishes: Wishes,
    pub(crate) started: SystemTime,
    life: Mutex<Life>,
    /// `None` once it has ended.
    cage: Mutex<Option<Arc<dyn Cage>>>,
    keeper: Mutex<Option<Box<dyn Process>>>,
    jobs: Mutex<BTreeMap<u32, Arc<Job>>>,
    next_pid: AtomicU32,
    contexts: Mutex<BTreeMap<String, Arc<Context>>>,
    watchers: Mutex<HashMap<String, Watcher>>,
    /// What clients said of files they wrote.
    notes: Mutex<HashMap<String, BTreeMap<String, String>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something that waits on a thread where that harms nobody.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| fault(Kind::Internal, format!("a thread of the service broke: {error}")))
}

/// What everyone is told of a sandbox that is not there.
pub(crate) fn no_sandbox() -> crate::fault::Fault {
    fault(Kind::NoSandbox, "The sandbox was not found")
}

impl Guest {
    pub(crate) fn new(
        id: String,
        token: String,
        owner: Owner,
        wishes: Wishes,
        life: Duration,
        cage: Box<dyn Cage>,
    ) -> Self {
        let started = SystemTime::now();
        let guest = Guest {
            id,
            token,
            owner,
            wishes,
            started,
            life: Mutex::new(Life { until: started + life, paused: false }),
            cage: Mutex::new(Some(Arc::from(cage))),
            keeper: Mutex::new(None),
            jobs: Mutex::default(),
            next_pid: AtomicU32::new(1000),
            contexts: Mutex::default(),
            watchers: Mutex::default(),
            notes: Mutex::default(),
        };
        guest.keep();
        guest
    }

    /// Starts the keeper anew. It uses nothing; nobody waits for it.
    pub(crate) fn keep(&self) {
        let Ok(cage) = self.any_cage() else { return };
        let command = Command { argv: KEEPER.map(str::to_owned).into(), ..Command::default() };
        if let Ok(process) = cage.spawn(&command) {
            *locked(&self.keeper) = Some(process);
        }
    }

    fn any_cage(&self) -> Answer<Arc<dyn Cage>> {
        locked(&self.cage).clone().ok_or_else(no_sandbox)
    }

    /// Its cage, if it is there and runs.
    pub(crate) fn cage(&self) -> Answer<Arc<dyn Cage>> {
        if self.life().paused {
            return Err(no_sandbox());
        }
        self.any_cage()
    }

    /// Does something with the cage on a thread where it may wait.
    pub(crate) async fn with_cage<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Cage) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let cage = self.cage()?;
        blocking(move || work(&*cage)).await?
    }

    pub(crate) fn life(&self) -> Life {
        *locked(&self.life)
    }

    /// Sets the end of its life.
    pub(crate) fn live_until(&self, until: SystemTime) {
        locked(&self.life).until = until;
    }

    /// Stops everything in it, or lets it go on. `false` if that was so already.
    pub(crate) fn pause(&self, stopped: bool) -> Answer<bool> {
        let cage = self.any_cage()?;
        let mut life = locked(&self.life);
        if life.paused == stopped {
            return Ok(false);
        }
        cage.pause(stopped)?;
        life.paused = stopped;
        Ok(true)
    }

    /// Ends it and everything in it.
    pub(crate) fn end(&self) {
        let cage = locked(&self.cage).take();
        drop(cage);
        locked(&self.keeper).take();
        let jobs: Vec<_> = locked(&self.jobs).values().cloned().collect();
        jobs.iter().for_each(|job| job.let_go());
        let contexts: Vec<_> = std::mem::take(&mut *locked(&self.contexts)).into_values().collect();
        contexts.iter().for_each(|context| context.let_go());
        locked(&self.watchers).clear();
    }

    pub(crate) fn jobs(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Job>>> {
        locked(&self.jobs)
    }

    pub(crate) fn contexts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Context>>> {
        locked(&self.contexts)
    }

    pub(crate) fn watchers(&self) -> MutexGuard<'_, HashMap<String, Watcher>> {
        locked(&self.watchers)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<String, String>>> {
        locked(&self.notes)
    }

    /// Variables of every command: those of the sandbox, and what tells it where it is.
    pub(crate) fn environment(&self, more: &[(String, String)]) -> Vec<(String, String)> {
        let own = [("E2B_SANDBOX_ID".to_owned(), self.id.clone())];
        own.into_iter().chain(self.wishes.envs.iter().cloned()).chain(more.iter().cloned()).collect()
    }

    /// Starts a command.
    pub(crate) async fn start(self: &Arc<Self>, asked: Asked) -> Answer<(Arc<Job>, Listener<Did>)> {
        if self.jobs().len() >= JOBS {
            return Err(fault(Kind::TooMany, format!("{JOBS} commands run in this sandbox already")));
        }
        if asked.cmd.is_empty() {
            return Err(crate::fault::invalid("the command has no program"));
        }
        for (name, value) in &asked.envs {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(crate::fault::invalid(format!("'{}' is no variable", name.escape_debug())));
            }
        }
        let folder = paths::folder(asked.cwd.as_deref())?;
        let command = Command {
            argv: std::iter::once(&asked.cmd).chain(&asked.args).cloned().collect(),
            cwd: folder,
            env: self.environment(&asked.envs),
            terminal: asked.terminal,
            ..Command::default()
        };
        if command.argv.iter().any(|text| text.contains('\0')) {
            return Err(crate::fault::invalid("the command has a zero byte in it"));
        }
        let guest = Arc::clone(self);
        self.with_cage(move |cage| {
            let process = Arc::from(cage.spawn(&command)?);
            let pid = guest.next_pid.fetch_add(1, Ordering::Relaxed);
            Job::new(&guest, pid, asked, process)
        })
        .await
    }
}
