//! Cages in E2B's cloud, or in a service that speaks as it does: each is a virtual machine without a way out.
//!
//! What the cloud does is decided by its own code; this is a client of its protocol. The isolation is the cloud's
//! virtual machine. Wall clock and output are limited from here, memory of a process, its processor time, files and
//! file sizes by its own limits, and the rest by the template: nothing here claims more.

mod cage;
mod code;
mod control;
mod http;
mod inside;
mod keeper;
mod launch;
mod process;
mod settings;
mod trouble;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use meliora_evolve::{Cage, CageSpec, Sandbox, SandboxError};

use crate::plan::failed;

pub use code::{Execution, ExecutionError};
pub use settings::{E2bSettings, Key};

use cage::{CloudCage, Inner};
use http::{Http, Waiter};
use inside::Inside;
use keeper::Keeper;
use launch::PREPARE;
use trouble::{Kind, Trouble};

/// Older daemons inside of a sandbox cannot close a command's input.
const OLDEST: (u32, u32, u32) = (0, 5, 2);

/// What the sandbox, its cages and their commands share.
pub(crate) struct Shared {
    http: Arc<Http>,
    keeper: Keeper,
}

/// Cages in E2B's cloud.
pub struct E2b {
    shared: Arc<Shared>,
}

impl E2b {
    /// A client; asks the cloud once whether it is there and takes the key. No sandbox is made yet.
    ///
    /// # Errors
    /// What is wrong with the settings, the key, or the way to the cloud, and what would mend it.
    pub fn new(settings: E2bSettings) -> Result<Self, SandboxError> {
        Self::with_waiter(settings, Box::new(std::thread::sleep))
    }

    /// Same, with someone else to do the waiting between two tries.
    ///
    /// # Errors
    /// As [`E2b::new`].
    pub fn with_waiter(settings: E2bSettings, waiter: Waiter) -> Result<Self, SandboxError> {
        let fault = settings.fault();
        let wrong = |cause: String| SandboxError {
            what: "settings of the e2b backend".into(),
            cause,
            hint: Some("docs/e2b.md lists them".into()),
        };
        if let Some(fault) = fault {
            return Err(wrong(fault));
        }
        let http = Arc::new(Http::new(settings, waiter).map_err(wrong)?);
        control::knock(&http).map_err(|trouble| trouble.told(format!("e2b at {}", http.settings().api())))?;
        let keeper = Keeper::start(Arc::clone(&http)).map_err(|error| failed("keeper thread", error))?;
        Ok(E2b { shared: Arc::new(Shared { http, keeper }) })
    }

    fn start(&self, spec: &CageSpec) -> Result<CloudCage, SandboxError> {
        let http = &self.shared.http;
        let template = &http.settings().template;
        let made = control::create(http).map_err(|trouble| {
            let missing = matches!(trouble.kind(), Some(Kind::Missing | Kind::Invalid));
            let error = trouble.told(format!("sandbox from template '{template}'"));
            let hint = "[sandbox.e2b] template names one that this account has";
            if missing { SandboxError { hint: Some(hint.into()), ..error } } else { error }
        })?;
        // From here on it is ended, whatever happens.
        let life = self.shared.keeper.hold(&made.id);
        let inside = Inside { http: Arc::clone(http), made };
        let cage = CloudCage(Arc::new(Inner::new(
            Arc::clone(&self.shared),
            inside,
            life,
            spec.limits.clone(),
            spec.env.clone(),
            spec.home.clone(),
        )));
        let version = &cage.0.inside.made.version;
        if !is_new_enough(version) {
            return Err(SandboxError {
                what: format!("sandbox from template '{template}'"),
                cause: format!("its daemon has version '{version}', and 0.5.2 is the oldest that can be used"),
                hint: Some("build the template anew with E2B's tools".into()),
            });
        }
        prepare(&cage.0.inside, spec)?;
        Ok(cage)
    }
}

impl Sandbox for E2b {
    fn open(&self, spec: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
        Ok(Box::new(self.start(&spec)?))
    }

    fn describe(&self) -> String {
        let settings = self.shared.http.settings();
        format!(
            "e2b at {} (a sandbox of template '{}' for each cage, kept apart by that service and asked for without a way to \
             the Internet); wall clock and output limited from here, memory, processor time, open files and file size \
             for each process, the rest by the template",
            settings.api(),
            settings.template,
        )
    }
}

/// Makes `/work`, and checks that what the caller counts on is there.
fn prepare(inside: &Inside, spec: &CageSpec) -> Result<(), SandboxError> {
    let mut args = vec![spec.home.clone().unwrap_or_default()];
    for path in &spec.read_only {
        let shown = path.path.display().to_string();
        let plain = path
            .path
            .components()
            .all(|part| matches!(part, std::path::Component::RootDir | std::path::Component::Normal(_)));
        if !path.path.is_absolute() || !plain || path.path.parent().is_none() || path.path.to_str().is_none() {
            return Err(failed(format!("read-only path '{shown}'"), "it is not a plain absolute path"));
        }
        const OWN: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];
        if OWN.iter().any(|folder| path.path.starts_with(folder)) {
            return Err(failed(format!("read-only path '{shown}'"), "a cage has its own, or none"));
        }
        args.push(shown);
    }
    let what = "preparation of a sandbox";
    let told = match inside.run(PREPARE, &args, Some("root")) {
        // A service without such a user makes `/work` itself.
        Err(Trouble::Answer(answer)) if matches!(answer.kind, Kind::Key | Kind::Invalid) => {
            inside.run(PREPARE, &args, None)
        }
        other => other,
    };
    match told.map_err(|trouble| trouble.told(what))? {
        (0, _) => Ok(()),
        (4, path) => Err(SandboxError {
            what: format!("read-only path '{path}'"),
            cause: "the template has no such path, and the cloud cannot show this machine's".into(),
            hint: Some("name a Python of the template, [sandbox] python = \"/usr/bin/python3\", or build a template that has what is needed".into()),
        }),
        (code, said) => Err(failed(what, format!("it ended with {code}: {said}"))),
    }
}

/// Whether a daemon of this version, such as `0.6.9`, can be used.
fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.split(['-', '+']).next().unwrap_or_default().parse::<u32>());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => (major, minor, patch) >= OLDEST,
        _ => false,
    }
}

/// How long an execution of code may take, unless the limits say less.
const EXECUTION: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, new_enough) in [
            ("0.5.2", true),
            ("0.6.13", true),
            ("0.5.10-rc1", true),
            ("1.0.0", true),
            ("0.5.1", false),
            ("0.4.9", false),
            ("", false),
            ("new", false),
        ] {
            assert_eq!(is_new_enough(version), new_enough, "{version}");
        }
    }
}
