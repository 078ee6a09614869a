//! Running code: contexts that keep their state from call to call, and what a call tells, line by line.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

use crate::Config;
use crate::fault::{Answer, Kind, fault};
use crate::guest::Guest;
use crate::job::end;
use crate::kernel::{Kernel, Language, Start, Told};
use crate::outlet::{Cut, Listener};
use crate::{paths, random};

/// How long code may take to heed an interrupt before its interpreter is ended.
const GRACE: Duration = Duration::from_secs(3);
/// Contexts of one sandbox.
const CONTEXTS: usize = 32;

/// A place where code runs and keeps its state.
pub(crate) struct Context {
    pub(crate) id: String,
    pub(crate) language: Language,
    /// As the client sees it.
    pub(crate) cwd: String,
    kernel: Arc<Mutex<State>>,
    /// The same kernel, for whoever must not wait for the code that runs.
    current: std::sync::Mutex<Option<Arc<Kernel>>>,
}

#[derive(Default)]
struct State {
    kernel: Option<Arc<Kernel>>,
    count: u64,
}

/// A request to run code.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Call {
    pub(crate) code: String,
    pub(crate) context: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) envs: Vec<(String, String)>,
}

impl Context {
    fn new(id: String, language: Language, cwd: String) -> Arc<Self> {
        Arc::new(Context { id, language, cwd, kernel: Arc::default(), current: std::sync::Mutex::default() })
    }

    pub(crate) fn describe(&self) -> Value {
        json!({"id": self.id, "language": self.language.name(), "cwd": self.cwd})
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Kernel>>> {
        self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The sandbox ends.
    pub(crate) fn let_go(&self) {
        if let Some(kernel) = self.current().take() {
            kernel.let_go();
        }
    }

    /// The kernel of a state, started anew where there is none.
    async fn kernel(&self, state: &mut State, guest: &Arc<Guest>, config: &Config) -> Answer<Arc<Kernel>> {
        if let Some(kernel) = state.kernel.as_ref().filter(|kernel| !kernel.has_ended()) {
            return Ok(Arc::clone(kernel));
        }
        let interpreter = match self.language {
            Language::Python => config.python.clone(),
            Language::JavaScript => config.node.clone(),
            Language::Bash => None,
        };
        let start = Start {
            language: self.language,
            interpreter,
            cwd: paths::folder(Some(&self.cwd))?,
            env: guest.environment(&[]),
            nonce: random::text(16),
        };
        if state.kernel.take().is_some() || state.count > 0 {
            // What ended the last one may have ended the keeper, too.
            guest.keep();
        }
        let kernel = Arc::new(guest.with_cage(move |cage| Kernel::start(cage, start)).await?);
        state.kernel = Some(Arc::clone(&kernel));
        *self.current() = Some(Arc::clone(&kernel));
        Ok(kernel)
    }
}

/// Makes a context.
pub(crate) fn create(guest: &Arc<Guest>, language: Option<&str>, cwd: Option<&str>) -> Answer<Arc<Context>> {
    let language = Language::of(language)?;
    let cwd = paths::place(cwd.filter(|cwd| !cwd.is_empty()).unwrap_or(paths::HOME))?.seen;
    let mut contexts = guest.contexts();
    if contexts.len() >= CONTEXTS {
        return Err(fault(Kind::TooMany, format!("this sandbox has {CONTEXTS} contexts already; remove one")));
    }
    let context = Context::new(random::text(12), language, cwd);
    contexts.insert(context.id.clone(), Arc::clone(&context));
    Ok(context)
}

/// The context of a call: the one it names, or the first one of its language.
fn context_of(guest: &Arc<Guest>, call: &Call) -> Answer<Arc<Context>> {
    if let Some(id) = call.context.as_deref().filter(|id| !id.is_empty()) {
        return find(guest, id);
    }
    let language = Language::of(call.language.as_deref())?;
    let mut contexts = guest.contexts();
    let id = format!("default-{}", language.name());
    let context = contexts.entry(id.clone()).or_insert_with(|| Context::new(id, language, paths::HOME.to_owned()));
    Ok(Arc::clone(context))
}

/// Readies Python before the first call asks for it.
pub(crate) async fn warm_up(guest: &Arc<Guest>, config: &Config) {
    let Ok(context) = context_of(guest, &Call::default()) else { return };
    let mut state = context.kernel.lock().await;
    // The call that comes will say why it could not be.
    context.kernel(&mut state, guest, config).await.ok();
}

/// A context by its id.
pub(crate) fn find(guest: &Guest, id: &str) -> Answer<Arc<Context>> {
    let found = guest.contexts().get(id).cloned();
    found.ok_or_else(|| fault(Kind::NotFound, format!("context '{}' was not found", id.escape_debug())))
}

/// Ends the interpreter of a context, whatever it does; the next call starts a new one.
pub(crate) async fn restart(context: &Context) {
    // Whoever listens to the old one is told that it ended.
    context.let_go();
    let mut state = context.kernel.lock().await;
    *state = State::default();
}

/// Runs code. What it tells goes to `lines`, one JSON object a line; when nobody takes it any more, it is interrupted.
///
/// # Errors
/// What kept it from starting.
pub(crate) async fn execute(
    guest: Arc<Guest>,
    config: Arc<Config>,
    call: Call,
    lines: mpsc::Sender<Bytes>,
) -> Answer<()> {
    let context = context_of(&guest, &call)?;
    // Calls of one context wait for each other, in the order they came.
    let mut state = tokio::select! {
        state = Arc::clone(&context.kernel).lock_owned() => state,
        () = lines.closed() => return Ok(()),
    };
    let kernel = context.kernel(&mut state, &guest, &config).await?;
    let told = kernel.run(&call.code, &call.envs).await?;
    state.count += 1;
    tokio::spawn(pass_on(context, state, kernel, told, lines));
    Ok(())
}

async fn pass_on(
    context: Arc<Context>,
    mut state: OwnedMutexGuard<State>,
    kernel: Arc<Kernel>,
    mut told: Listener<Told>,
    lines: mpsc::Sender<Bytes>,
) {
    let mut lost =
        lines.send(line(&json!({"type": "number_of_executions", "execution_count": state.count}))).await.is_err();
    let mut done = false;
    while !lost && !done {
        let next = tokio::select! {
            next = told.next() => next,
            () = lines.closed() => break,
        };
        let message = match next {
            Ok(Some(Told::Stdout(text))) => json!({"type": "stdout", "text": text, "timestamp": now()}),
            Ok(Some(Told::Stderr(text))) => json!({"type": "stderr", "text": text, "timestamp": now()}),
            Ok(Some(Told::Message(message))) => message,
            Ok(Some(Told::Done)) => {
                done = true;
                continue;
            }
            Ok(Some(Told::Ended(ending))) => {
                state.kernel = None;
                done = true;
                over(&format!("the interpreter ended ({})", end(ending).2))
            }
            Ok(None) => {
                state.kernel = None;
                done = true;
                over("the interpreter was ended")
            }
            Err(Cut) => {
                state.kernel = None;
                done = true;
                over("the output was read too slowly, and not all of it was kept: the interpreter was ended")
            }
        };
        lost = lines.send(line(&message)).await.is_err();
    }
    if done {
        lines.send(line(&json!({"type": "end_of_execution"}))).await.ok();
    } else {
        // The client is gone: what it asked for stops, what it had stays.
        kernel.interrupt();
        let stopped =
            async { while !matches!(told.next().await, Ok(Some(Told::Done | Told::Ended(_)) | None) | Err(Cut)) {} };
        if tokio::time::timeout(GRACE, stopped).await.is_err() {
            state.kernel = None;
        }
    }
    if state.kernel.is_none() {
        context.let_go();
    }
}

fn over(why: &str) -> Value {
    let value = format!("{why}; its state is lost, and the next call starts a new one");
    json!({"type": "error", "name": "ContextEnded", "value": value, "traceback": ""})
}

fn line(message: &Value) -> Bytes {
    format!("{message}\n").into()
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
