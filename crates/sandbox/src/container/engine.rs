//! Podman or Docker, by command line.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use meliora_evolve::SandboxError;

use crate::plan::failed;
use crate::ranges;

/// Which of the two: they differ in a few flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Podman,
    Docker,
}

/// A way to start containers that works on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Engine {
    pub(super) program: PathBuf,
    pub(super) kind: Kind,
    /// The program beneath it that makes the container, where its own choice does not work.
    pub(super) runtime: Option<&'static str>,
    /// Whether limits over all processes together can be had of control groups.
    pub(super) grouped: bool,
    /// Whether its containers belong to the user who starts them, in a user namespace.
    pub(super) rootless: bool,
}

impl Engine {
    pub(super) fn new(program: &Path) -> Self {
        let docker = program.file_name().is_some_and(|name| name.to_string_lossy().contains("docker"));
        let kind = if docker { Kind::Docker } else { Kind::Podman };
        let rootless = kind == Kind::Podman && !rustix::process::geteuid().is_root();
        Engine { program: program.to_owned(), kind, runtime: None, grouped: true, rootless }
    }

    /// Ways to try, the best first: with its own runtime, with another, without control groups.
    pub(super) fn ways(&self) -> Vec<Self> {
        let mut ways = vec![self.clone()];
        if self.kind == Kind::Podman {
            ways.extend(["runc", "crun"].map(|runtime| Engine { runtime: Some(runtime), ..self.clone() }));
            ways.push(Engine { grouped: false, ..self.clone() });
            ways.push(Engine { grouped: false, runtime: Some("crun"), ..self.clone() });
        }
        ways
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(runtime) = self.runtime {
            command.args(["--runtime", runtime]);
        }
        if let Some((uid, gid)) = ranges::starter().filter(|_| self.kind == Kind::Podman) {
            // It is to take this user namespace, which is made as it makes its own.
            command.env("_CONTAINERS_USERNS_CONFIGURED", "done");
            command.env("_CONTAINERS_ROOTLESS_UID", uid.to_string()).env("_CONTAINERS_ROOTLESS_GID", gid.to_string());
        }
        command
    }

    /// Its name and version.
    pub(super) fn version(&self) -> Result<String, SandboxError> {
        let output = self.command().arg("--version").stdin(Stdio::null()).output().map_err(|error| SandboxError {
            hint: Some("install podman, or docker".to_owned()),
            ..failed(format!("container engine '{}'", self.program.display()), error)
        })?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Makes an image of this archive under this name, unless there is one.
    pub(super) fn import(&self, name: &str, archive: &[u8]) -> Result<(), SandboxError> {
        let broken = |error: std::io::Error| failed("image of the container", error);
        let known = self.command().args(["image", "inspect", name]).stdin(Stdio::null()).output().map_err(broken)?;
        if known.status.success() {
            return Ok(());
        }
        let mut import = self
            .command()
            .args(["import", "-", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        // Where it stops reading it says why.
        import.stdin.take().map(|mut stdin| stdin.write_all(archive));
        let output = import.wait_with_output().map_err(broken)?;
        if output.status.success() {
            return Ok(());
        }
        Err(SandboxError { hint: Some(self.hint()), ..failed("image of the container", told(&output.stderr)) })
    }

    /// Starts a container in the foreground, by these arguments behind `run`.
    pub(super) fn run(&self, arguments: &[String]) -> Result<Child, SandboxError> {
        self.command()
            .arg("run")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed("container", error))
    }

    /// Removes a container that may still run. Nothing is done where there is none.
    pub(super) fn remove(&self, name: &str) {
        let removed = self.command().args(["rm", "--force", name]).stdin(Stdio::null()).output();
        // What is gone is gone, and what stays has no process of ours to speak to.
        drop(removed);
    }

    pub(super) fn hint(&self) -> String {
        match self.kind {
            Kind::Podman => {
                "does `podman run --rm --rootfs / true` work here? Debian needs podman and crun or runc; without \
                 overlay file systems, set driver = \"vfs\" in /etc/containers/storage.conf"
                    .to_owned()
            }
            Kind::Docker => {
                "is the daemon running, on this machine, and may you speak to it (`docker info`)?".to_owned()
            }
        }
    }
}

/// What a container's engine said before it ended.
pub(super) fn last_words(child: &mut Child) -> String {
    let mut bytes = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(1 << 16).read_to_end(&mut bytes).ok();
    }
    told(&bytes)
}

fn told(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Warnings come first, the error last.
    lines.last().map_or("it ended without a word".to_owned(), |line| (*line).to_owned())
}
