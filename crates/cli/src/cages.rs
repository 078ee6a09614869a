//! Which cages: a backend by its name. The only place that knows the concrete types behind the port.
//!
//! A backend is never chosen by itself: what is not there is an error, not a reason to take a weaker one.

use std::path::PathBuf;
use std::time::Duration;

use meliora_benchmark::Toolbox;
use meliora_evolve::{Sandbox, SandboxError};
use meliora_sandbox::{E2b, E2bSettings, Extent, Key, Namespaces, State, WarmPython};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::toolbox;

/// Where cages come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Linux namespaces of this machine.
    #[default]
    Ns,
    /// A virtual machine.
    Microvm,
    /// E2B's cloud, or a service that speaks its protocol.
    E2b,
    /// Podman or Docker.
    Container,
}

impl Backend {
    /// The name that flags, settings and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Ns => "ns",
            Backend::Microvm => "microvm",
            Backend::E2b => "e2b",
            Backend::Container => "container",
        }
    }
}

/// The backend that the settings name, ready to open cages, with what interpreters it can have warm. Where it can, it
/// has `ahead` cages of each kind waiting.
///
/// # Errors
/// Names what is missing on this machine, and how to mend it.
pub fn sandbox(
    settings: &config::Sandbox,
    tools: &Toolbox,
    ahead: usize,
) -> Result<Box<dyn Sandbox + Send>, SandboxError> {
    with(settings, toolbox::warm(tools).as_ref(), ahead)
}

/// The same with another warm Python, or none.
///
/// # Errors
/// As [`sandbox`].
pub fn with(
    settings: &config::Sandbox,
    warm: Option<&WarmPython>,
    ahead: usize,
) -> Result<Box<dyn Sandbox + Send>, SandboxError> {
    match settings.backend {
        Backend::Ns => Ok(Box::new(Namespaces::warm(warm)?.ahead(ahead)?)),
        Backend::E2b => Ok(Box::new(e2b(settings)?)),
        absent @ (Backend::Microvm | Backend::Container) => Err(SandboxError {
            what: format!("backend '{}'", absent.name()),
            cause: "it is not in this build".to_owned(),
            hint: Some("`--backend ns` needs nothing but this machine's kernel".to_owned()),
        }),
    }
}

/// The backend of the settings, after it was seen to hold: where cages share this machine's kernel, the quick form of the
/// self-test comes first. A virtual machine or another machine is a wall of its own, and starting a cage there takes
/// longer than all of a test; `meliora sandbox selftest --backend …` tries those.
///
/// # Errors
/// As [`sandbox`]; and if something is open, or the test cannot be run, nothing is started.
pub fn tested(settings: &config::Sandbox, tools: &Toolbox, ahead: usize) -> Result<Box<dyn Sandbox + Send>, Failure> {
    holding(settings, sandbox(settings, tools, ahead)?)
}

/// The same for a sandbox that is ready.
///
/// # Errors
/// As [`tested`].
pub fn holding(
    settings: &config::Sandbox,
    sandbox: Box<dyn Sandbox + Send>,
) -> Result<Box<dyn Sandbox + Send>, Failure> {
    match settings.backend {
        Backend::Ns | Backend::Container => {}
        Backend::Microvm | Backend::E2b => return Ok(sandbox),
    }
    let findings = meliora_sandbox::selftest(sandbox.as_ref(), &program()?, Extent::Quick)?;
    let open: Vec<String> = findings
        .iter()
        .filter(|finding| finding.state == State::Open)
        .map(|finding| format!("{} ({})", finding.name, finding.detail))
        .collect();
    if open.is_empty() {
        return Ok(sandbox);
    }
    let backend = settings.backend.name();
    Err(Failure::new(
        Exit::Open,
        format!("a cage of the backend '{backend}' lets out what it should hold: {}", open.join("; ")),
    )
    .hint(format!("`meliora sandbox selftest --backend {backend}` tells all; nothing was started")))
}

/// This program's own file, which cages are shown for the self-test.
///
/// # Errors
/// Where it cannot be told.
pub fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|e| Failure::new(Exit::Machinery, format!("this program cannot find its own file: {e}")))
}

/// The interpreters and compilers that cages of this backend see: this machine's, or what the cloud's template has.
///
/// # Errors
/// A Python that was asked for and cannot be used, and what keeps the cloud from telling.
pub fn tools(settings: &config::Sandbox) -> Result<Toolbox, Failure> {
    match settings.backend {
        Backend::E2b => toolbox::inside(&e2b(settings)?, settings.python.as_deref()),
        Backend::Ns | Backend::Microvm | Backend::Container => {
            toolbox::find(settings.python.as_deref(), &settings.warm)
        }
    }
}

/// E2B's cloud, as the settings and the environment name it. The key is in the environment alone.
fn e2b(settings: &config::Sandbox) -> Result<E2b, SandboxError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let key = variable("E2B_API_KEY").as_deref().and_then(Key::new).ok_or_else(|| SandboxError {
        what: "backend 'e2b'".into(),
        cause: "E2B_API_KEY is not set, or holds what no key has".into(),
        hint: Some("export E2B_API_KEY with a key of your account; docs/e2b.md".into()),
    })?;
    E2b::new(E2bSettings {
        domain: variable("E2B_DOMAIN"),
        api_url: variable("E2B_API_URL"),
        sandbox_url: variable("E2B_SANDBOX_URL"),
        template: settings.e2b.template.clone(),
        lifetime: Duration::from_secs(settings.e2b.lifetime_seconds),
        ..E2bSettings::new(key)
    })
}
