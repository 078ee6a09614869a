//! The sandbox service: what E2B's SDKs speak, on one port, over any sandbox that is handed in.
//!
//! The asynchronous runtime stays in this room. What is beneath is synchronous: each running command has a thread that
//! waits for it. Nothing in here decides how strong a cage is; every sandbox is one cage, and ends with it.

mod config;
mod connect;
mod control;
mod fault;
mod fields;
mod files;
mod filesystem;
mod guest;
mod http;
mod interpreter;
mod job;
mod kernel;
mod multipart;
mod outlet;
mod paths;
mod process;
mod query;
mod random;
mod registry;
mod service;
mod time;
mod transfer;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use meliora_evolve::Sandbox;
use tokio::sync::{Notify, Semaphore};

pub use config::{Config, Interpreter};
pub use control::environment;

use registry::{Keys, Registry};
use service::Service;

/// How often it is looked for sandboxes whose time is over.
const SWEEP: Duration = Duration::from_millis(200);
/// Connections at once.
const CONNECTIONS: usize = 2048;
/// How long a client may take to send the head of a request, also of the next one on a connection that it keeps.
const HEAD: Duration = Duration::from_secs(120);

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could reach it, and nothing would keep them out.
    #[error("a service on {address} can be reached from other machines, and has no key")]
    KeyNeeded {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// A key with nothing in it.
    #[error("a key is empty")]
    EmptyKey,
    /// The network or the runtime.
    #[error("{what}: {cause}")]
    System {
        /// What failed.
        what: &'static str,
        /// Why.
        cause: std::io::Error,
    },
}

/// Ends a running service from another thread.
#[derive(Clone, Default)]
pub struct Stop(Arc<Notify>);

impl Stop {
    /// Tells the service to end. It may be told before it begins.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

/// The script that runs Python code: where it lies in a sandbox, and its text. A Python that is kept warm should know it.
pub fn python_script() -> (String, String) {
    (kernel::PYTHON.0.to_owned(), kernel::PYTHON.1.to_owned())
}

/// Modules that the script of [`python_script`] imports.
pub const PYTHON_MODULES: &[&str] = &["sys", "os", "json", "signal", "ast", "linecache", "traceback", "builtins"];

/// Serves until told to stop; then ends every sandbox.
///
/// # Errors
/// If it must not listen where it is to, or cannot run.
pub fn serve(
    listener: std::net::TcpListener,
    sandbox: Arc<dyn Sandbox + Send>,
    config: Config,
    stop: &Stop,
) -> Result<(), ServeError> {
    let system = |what| move |cause| ServeError::System { what, cause };
    config.check(listener.local_addr().map_err(system("address of the service"))?)?;
    listener.set_nonblocking(true).map_err(system("listener of the service"))?;
    more_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)))
        .enable_all()
        .build()
        .map_err(system("runtime of the service"))?;
    let service = Arc::new(Service {
        registry: Registry::new(config.max_sandboxes),
        keys: Keys::new(&config.keys),
        uploads: Semaphore::new(transfer::AT_ONCE),
        sandbox,
        config: Arc::new(config),
    });
    let ended = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(system("listener of the service"))?;
        tokio::select! {
            () = accept(listener, &service) => {}
            () = sweep(&service) => {}
            () = stop.0.notified() => {}
        }
        Ok(())
    });
    service.registry.end_all();
    runtime.shutdown_timeout(Duration::from_secs(2));
    ended
}

/// Raises the soft limit of open files to the hard one: every sandbox takes some twenty, and the usual soft limit of 1024
/// is there for programs that cannot count further.
fn more_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let hard = getrlimit(Resource::Nofile).maximum;
    // Where that is not allowed, fewer sandboxes are open at once, and who asks for one more is told why.
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).ok();
}

async fn accept(listener: tokio::net::TcpListener, service: &Arc<Service>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptors left, most likely: some will come back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        stream.set_nodelay(true).ok();
        let service = Arc::clone(service);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, std::convert::Infallible>(service::answer(service, request).await) }
            });
            // A connection that breaks is the client's affair.
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), answer)
                .await
                .ok();
            drop(place);
        });
    }
}

async fn sweep(service: &Arc<Service>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let service = Arc::clone(service);
        let longest = service.config.limits.wall;
        guest::blocking(move || service.registry.sweep(SystemTime::now(), longest)).await.ok();
    }
}
