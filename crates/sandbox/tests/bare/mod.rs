//! A sandbox without a cage: programs run as they are, and files are fetched as anybody would. What the self-test finds
//! open here it can find, so nothing that it finds closed elsewhere was closed for want of trying.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use meliora_domain::Ending;
use meliora_evolve::{
    Cage, CageEntry, CageError, CageSpec, CageUsage, Command, EntryKind, Happening, Process, Sandbox, SandboxError,
};

/// Whether programs are PID 1 of processes of their own: that one may be looked into, unlike this machine's perhaps.
pub struct Bare {
    pub own_processes: bool,
}

struct NoCage {
    own_processes: bool,
    folder: tempfile::TempDir,
}

struct Plain {
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Mutex<ChildStdout>,
}

fn failed(error: impl ToString) -> SandboxError {
    SandboxError { what: "bare".to_owned(), cause: error.to_string(), hint: None }
}

fn no_file(path: &str, why: impl ToString) -> CageError {
    CageError::NoFile { path: path.to_owned(), why: why.to_string() }
}

impl Sandbox for Bare {
    fn open(&self, _: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
        Ok(Box::new(NoCage {
            own_processes: self.own_processes,
            folder: tempfile::tempdir_in("/dev/shm").map_err(failed)?,
        }))
    }

    fn describe(&self) -> String {
        "nothing".to_owned()
    }
}

impl NoCage {
    /// `..` is taken away as careless programs do, and `/work` is this cage's folder.
    fn place(&self, path: &str) -> PathBuf {
        let mut plain = PathBuf::from("/");
        for part in Path::new(path).components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::Normal(name) => plain.push(name),
                _ => {}
            }
        }
        plain.strip_prefix("/work").map_or_else(|_| plain.clone(), |below| self.folder.path().join(below))
    }
}

impl Cage for NoCage {
    fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError> {
        use std::os::unix::fs::PermissionsExt as _;
        let place = self.place(path);
        std::fs::write(&place, bytes).map_err(|e| no_file(path, e))?;
        let mode = if executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).map_err(|e| no_file(path, e))
    }

    fn get(&self, path: &str, _: u64) -> Result<Vec<u8>, CageError> {
        std::fs::read(self.place(path)).map_err(|e| no_file(path, e))
    }

    fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError> {
        let entries = std::fs::read_dir(self.place(path)).map_err(|e| no_file(path, e))?;
        Ok(entries.flatten().map(|entry| entry_of(&entry.file_name().to_string_lossy(), false)).collect())
    }

    fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        let meta = std::fs::metadata(self.place(path)).map_err(|e| no_file(path, e))?;
        Ok(entry_of(path, meta.is_file()))
    }

    fn make_folder(&self, _: &str) -> Result<bool, CageError> {
        unreachable!("the self-test makes none")
    }

    fn remove(&self, _: &str) -> Result<(), CageError> {
        unreachable!("the self-test removes nothing")
    }

    fn rename(&self, _: &str, _: &str) -> Result<(), CageError> {
        unreachable!("the self-test renames nothing")
    }

    fn pause(&self, _: bool) -> Result<(), SandboxError> {
        unreachable!("the self-test pauses nothing")
    }

    fn usage(&self) -> CageUsage {
        CageUsage::default()
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError> {
        // Mounts of its own where they may be made, so that a probe that gets through changes nobody else's. A home that
        // somebody lives in, because this machine may have none.
        const OWN_MOUNTS: &str = "mount -t tmpfs none /home && mkdir /home/someone && exec \"$@\"";
        let mut started = std::process::Command::new("unshare");
        if rustix::process::geteuid().is_root() {
            if self.own_processes {
                started.args(["--pid", "--fork", "--mount-proc"]);
            }
            started.args(["--mount", "sh", "-c", OWN_MOUNTS, "sh"]).args(&command.argv);
        } else {
            started = std::process::Command::new(&command.argv[0]);
            started.args(&command.argv[1..]);
        }
        let mut child = started
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        Ok(Box::new(Plain { child: Mutex::new(child), stdin: Mutex::new(stdin), stdout: Mutex::new(stdout) }))
    }
}

fn entry_of(name: &str, file: bool) -> CageEntry {
    let kind = if file { EntryKind::File } else { EntryKind::Other };
    CageEntry { name: name.to_owned(), kind, size: 0, mode: 0, modified: Duration::ZERO, target: String::new() }
}

impl Process for Plain {
    fn write(&self, bytes: &[u8]) -> Result<(), SandboxError> {
        self.stdin.lock().unwrap().as_mut().map_or(Ok(()), |stdin| stdin.write_all(bytes)).map_err(failed)
    }

    fn close_stdin(&self) {
        *self.stdin.lock().unwrap() = None;
    }

    fn next(&self) -> Result<Happening, SandboxError> {
        use std::os::unix::process::ExitStatusExt as _;
        let mut bytes = vec![0; 64 << 10];
        let count = self.stdout.lock().unwrap().read(&mut bytes).map_err(failed)?;
        if count > 0 {
            bytes.truncate(count);
            return Ok(Happening::Stdout(bytes));
        }
        let status = self.child.lock().unwrap().wait().map_err(failed)?;
        Ok(Happening::Exit(match status.code() {
            Some(code) => Ending::Exited(code),
            None => Ending::Signalled(status.signal().unwrap()),
        }))
    }

    fn signal(&self, _: i32) -> Result<(), SandboxError> {
        unreachable!("the self-test sends none")
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        child.kill().ok();
        child.wait().ok();
    }
}
