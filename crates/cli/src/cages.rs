//! Which cages: a backend by its name. The only place that knows the concrete types behind the port.
//!
//! A backend is never chosen by itself: what is not there is an error, not a reason to take a weaker one.

use meliora_benchmark::Toolbox;
use meliora_evolve::{Sandbox, SandboxError};
use meliora_sandbox::Namespaces;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config;
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

/// The backend that the settings name, ready to open cages, with what interpreters it can have warm.
///
/// # Errors
/// Names what is missing on this machine, and how to mend it.
pub fn sandbox(settings: &config::Sandbox, tools: &Toolbox) -> Result<Box<dyn Sandbox>, SandboxError> {
    match settings.backend {
        Backend::Ns => Ok(Box::new(Namespaces::warm(toolbox::warm(tools).as_ref())?)),
        absent @ (Backend::Microvm | Backend::E2b | Backend::Container) => Err(SandboxError {
            what: format!("backend '{}'", absent.name()),
            cause: "it is not in this build".to_owned(),
            hint: Some("`--backend ns` needs nothing but this machine's kernel".to_owned()),
        }),
    }
}
