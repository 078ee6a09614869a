//! `meliora sandbox serve`: sandboxes for E2B's SDKs.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meliora_benchmark::{PythonStart, Tool, Toolbox};
use meliora_domain::Limits;
use meliora_sandbox::WarmPython;
use meliora_serve::{Config, Interpreter, ServeError, Stop};

use crate::args;
use crate::cages;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, FAINT, Printer, paint};
use crate::toolbox;

/// The variable that may hold a key. A key on the command line could be read by everyone on this machine.
const KEY: &str = "MELIORA_SANDBOX_KEY";

/// Cages that wait to be given out.
const AHEAD: usize = 2;

/// Serves until interrupted; then every sandbox ends.
pub fn serve(args: &args::SandboxServe, printer: &Printer) -> Result<Exit, Failure> {
    let keys = keys(args.key_file.as_deref())?;
    if keys.is_empty() && !args.listen.ip().is_loopback() {
        return Err(failure(ServeError::KeyNeeded { address: args.listen }));
    }
    let (backend, python) = (args.backend.unwrap_or_default(), args.python.clone());
    let settings = config::Sandbox { backend, python, ..config::Sandbox::default() };
    let tools = cages::tools(&settings)?;
    let config = config(args, keys, &tools);
    let sandbox = cages::holding(&settings, cages::with(&settings, warm(&tools).as_ref(), AHEAD)?)?;
    let listener = TcpListener::bind(args.listen).map_err(|e| {
        Failure::new(Exit::Machinery, format!("cannot listen on {}: {e}", args.listen))
            .hint("`--listen 127.0.0.1:0` takes any free port, and says which")
    })?;
    let address = listener.local_addr().map_err(|e| Failure::new(Exit::Machinery, e.to_string()))?;
    let stop = Stop::default();
    on_interrupt(&stop)?;
    say(printer, address, &config, &sandbox.describe());
    meliora_serve::serve(listener, Arc::from(sandbox), config, &stop).map_err(failure)?;
    printer.talk("ended, and every sandbox with it");
    Ok(Exit::Done)
}

fn failure(error: ServeError) -> Failure {
    let hint = match &error {
        ServeError::KeyNeeded { .. } => Some(format!(
            "put a key into the variable {KEY} or into a file (`--key-file`), or listen on this machine alone: \
             `--listen 127.0.0.1:3000`"
        )),
        ServeError::EmptyKey | ServeError::System { .. } => None,
    };
    let code = if hint.is_some() { Exit::Configuration } else { Exit::Machinery };
    Failure { code, what: error.to_string(), hint }
}

/// The keys of the variable and of the file.
fn keys(file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let mut text = std::env::var(KEY).unwrap_or_default();
    if let Some(file) = file {
        let more = std::fs::read_to_string(file)
            .map_err(|e| Failure::new(Exit::Configuration, format!("--key-file {}: {e}", file.display())))?;
        text = format!("{text}\n{more}");
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(str::to_owned).collect();
    match file {
        Some(file) if keys.is_empty() => {
            Err(Failure::new(Exit::Configuration, format!("--key-file {}: there is no key in it", file.display())))
        }
        _ => Ok(keys),
    }
}

fn config(args: &args::SandboxServe, keys: Vec<String>, tools: &Toolbox) -> Config {
    let usual = Config::default();
    let longest = Duration::from_secs(args.max_seconds);
    Config {
        keys,
        max_sandboxes: args.max_sandboxes as usize,
        limits: Limits {
            memory: args.memory_mb << 20,
            processes: args.processes,
            disk: args.disk_mb << 20,
            wall: longest,
            cpu_seconds: u32::try_from(args.max_seconds).unwrap_or(u32::MAX),
            ..usual.limits
        },
        python: tools.python.as_ref().map(|python| interpreter(python, PythonStart::of(python).flags)),
        node: tools.node.as_ref().map(|node| interpreter(node, Vec::new())),
        default_life: usual.default_life.min(longest),
        upload: (args.upload_mb as usize) << 20,
    }
}

/// The Python that runs code, kept ready.
fn warm(tools: &Toolbox) -> Option<WarmPython> {
    let scripts = vec![meliora_serve::python_script()];
    let mut warm = toolbox::warm_for(tools.python.as_ref()?, meliora_serve::environment(), scripts);
    warm.modules.extend(meliora_serve::PYTHON_MODULES.iter().map(|name| (*name).to_owned()));
    Some(warm)
}

fn interpreter(tool: &Tool, flags: Vec<String>) -> Interpreter {
    Interpreter { program: tool.program.clone(), flags, needs: tool.needs.clone(), modules: tool.modules.clone() }
}

fn on_interrupt(stop: &Stop) -> Result<(), Failure> {
    let stop = stop.clone();
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])
        .map_err(|e| Failure::new(Exit::Machinery, format!("signals cannot be caught: {e}")))?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            stop.stop();
        }
    });
    Ok(())
}

/// Says where it listens: as data, for whoever started it to read.
fn say(printer: &Printer, address: std::net::SocketAddr, config: &Config, tier: &str) {
    let url = format!("http://{address}");
    if printer.json() {
        printer.object(&serde_json::json!({"event": "listening", "url": url}));
    } else {
        printer.data(format!("{} {url}", paint(BOLD, "serving sandboxes on")));
    }
    let key = if config.keys.is_empty() { "anything" } else { "one of the keys" };
    printer.talk(format!("clients: E2B_API_URL={url} E2B_SANDBOX_URL={url} E2B_API_KEY=({key})"));
    printer.talk(paint(FAINT, format!("cages: {tier}; sandboxes have no network")));
    let missing = [("Python", config.python.is_none()), ("JavaScript", config.node.is_none())];
    for (language, _) in missing.iter().filter(|(_, missing)| *missing) {
        printer.warn(format!("no {language}: code in it will be refused"));
    }
}
