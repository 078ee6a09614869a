//! Which cages: a backend by its name. The only place that knows the concrete types behind the port.
//!
//! A backend is never chosen by itself: what is not there is an error, not a reason to take a weaker one.

use std::path::PathBuf;
use std::time::Duration;

use meliora_benchmark::Toolbox;
use meliora_evolve::{Sandbox, SandboxError};
use meliora_sandbox::{
    ContainerSettings, Containers, E2b, E2bSettings, Extent, Finding, Key, Microvm, MicrovmPlan, Namespaces, State,
    WarmPython,
};
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
pub fn sandbox(settings: &config::Sandbox, tools: &Toolbox, ahead: usize) -> Result<Box<dyn Sandbox + Send>, Failure> {
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
) -> Result<Box<dyn Sandbox + Send>, Failure> {
    open(settings, warm, ahead).map_err(|error| {
        // A module that the settings ask for and that cannot be had is a matter of the settings, all else of the machine.
        if warm.is_some_and(|warm| warm.lacks(&error)) {
            return Failure { code: Exit::Configuration, what: error.to_string(), hint: error.hint };
        }
        error.into()
    })
}

/// The same, with the error as the backend tells it.
///
/// # Errors
/// As [`sandbox`].
pub fn open(
    settings: &config::Sandbox,
    warm: Option<&WarmPython>,
    ahead: usize,
) -> Result<Box<dyn Sandbox + Send>, SandboxError> {
    Ok(match settings.backend {
        Backend::Ns => Box::new(Namespaces::warm(warm)?.ahead(ahead)?),
        Backend::Container => Box::new(Containers::new(container()?)?),
        Backend::E2b => Box::new(e2b(settings)?),
        Backend::Microvm => Box::new(microvm(settings)?),
    })
}

/// Podman, or else Docker, of the PATH.
fn container() -> Result<ContainerSettings, SandboxError> {
    let absent = |cause: String, hint: &str| SandboxError {
        what: "backend 'container'".to_owned(),
        cause,
        hint: Some(hint.to_owned()),
    };
    let engine = ["podman", "docker"].into_iter().find_map(toolbox::which);
    let engine = engine.ok_or_else(|| {
        absent("neither podman nor docker is on the PATH".to_owned(), "Debian: `apt-get install podman crun`")
    })?;
    let program = program().map_err(|failure| absent(failure.what, "start it by its path"))?;
    Ok(ContainerSettings { engine, program, scratch: std::env::temp_dir() })
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
    stop_if_open(settings.backend, &findings)?;
    Ok(sandbox)
}

/// Names what is open, if anything is.
fn stop_if_open(backend: Backend, findings: &[Finding]) -> Result<(), Failure> {
    let open: Vec<String> = findings
        .iter()
        .filter(|finding| finding.state == State::Open)
        .map(|finding| format!("{} ({})", finding.name, finding.detail))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let backend = backend.name();
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

/// The interpreters and compilers that cages of this backend see: this machine's, or what the cloud's template or the
/// virtual machine's image has. A virtual machine sees a Python of this machine if it is asked for by name.
///
/// # Errors
/// A Python that was asked for and cannot be used, and what keeps the cloud from telling.
pub fn tools(settings: &config::Sandbox) -> Result<Toolbox, Failure> {
    let tools = match settings.backend {
        Backend::E2b => toolbox::inside(&e2b(settings)?, settings.python.as_deref()),
        Backend::Microvm if settings.python.is_none() => toolbox::inside(&microvm(settings)?, None),
        Backend::Ns | Backend::Microvm | Backend::Container => {
            toolbox::find(settings.python.as_deref(), &settings.warm)
        }
    };
    let cages = (settings.backend != Backend::default()).then(|| settings.backend.name().to_owned());
    Ok(Toolbox { cages, ..tools? })
}

/// Virtual machines of the image that the settings name.
fn microvm(settings: &config::Sandbox) -> Result<Microvm, SandboxError> {
    let program = program().map_err(|failure| SandboxError {
        what: "agent of the machine".into(),
        cause: failure.what,
        hint: failure.hint,
    })?;
    // The small static agent is built beside this program; alone, this program does as well.
    let agent = Some(program.with_file_name("meliora-agent")).filter(|agent| agent.is_file()).unwrap_or(program);
    let cache = microvm_folder()?;
    Microvm::new(MicrovmPlan {
        qemu: toolbox::which("qemu-system-x86_64").unwrap_or_else(|| "qemu-system-x86_64".into()),
        firecracker: toolbox::which("firecracker"),
        image: settings.microvm_image.clone().unwrap_or_else(|| cache.join("image")),
        cache,
        agent,
    })
}

/// Where images, disks and snapshots of machines are kept.
///
/// # Errors
/// If there is no home folder.
pub fn microvm_folder() -> Result<PathBuf, SandboxError> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    cache.map(|cache| cache.join("meliora/microvm")).ok_or_else(|| SandboxError {
        what: "cache folder".into(),
        cause: "neither XDG_CACHE_HOME nor HOME is set".into(),
        hint: Some("set XDG_CACHE_HOME to a folder with a few hundred MiB of room".into()),
    })
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

#[cfg(test)]
mod tests {
    use meliora_sandbox::Kind;

    use super::*;

    #[test]
    fn what_is_open_stops_a_run_by_name_and_what_was_not_run_does_not() {
        let finding = |name, state| Finding { name, kind: Kind::Files, state, detail: "detail".to_owned() };
        let held = [finding("one", State::Closed), finding("two", State::NotRun)];
        assert!(stop_if_open(Backend::Ns, &held).is_ok());
        let failure =
            stop_if_open(Backend::Ns, &[finding("one", State::Closed), finding("three", State::Open)]).unwrap_err();
        assert_eq!(failure.code, Exit::Open);
        assert!(failure.what.contains("three (detail)") && !failure.what.contains("one"), "{}", failure.what);
        assert!(failure.hint.unwrap().contains("selftest --backend ns"));
    }
}
