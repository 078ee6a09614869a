//! One process at a time works on a project.
//!
//! A `flock` on `.meliora/lock`. The system lets go of it when the process ends, however it ends, so that no stale lock
//! can remain; what the file says is only for people.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use meliora_domain::Timestamp;
use rustix::fs::{FlockOperation, flock};

/// Who holds a project.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("another process works on this project: {command} (process {pid})")]
pub struct Held {
    /// Its process id; 0 if it has not said so yet.
    pub pid: u32,
    /// When it took the lock; zero if it has not said so yet.
    pub since: Timestamp,
    /// What it is doing: `meliora run`.
    pub command: String,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error(transparent)]
    Held(#[from] Held),
    /// The lock file cannot be opened or locked.
    #[error("take the lock {path}: {cause}; check that the folder exists and may be written")]
    Failed {
        /// The lock file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
}

/// The right to write to a project's archive, for as long as this value lives. Programs that are started meanwhile do
/// not inherit it (close-on-exec).
#[derive(Debug)]
pub struct ProjectLock {
    file: File,
}

impl ProjectLock {
    /// Takes the lock of the project whose `.meliora` folder this is, or says at once who holds it. `command` and
    /// `now` are what the next one is told.
    pub fn take(dir: &Path, command: &str, now: Timestamp) -> Result<ProjectLock, LockError> {
        let path = dir.join("lock");
        let failed = |cause| LockError::Failed { path: path.display().to_string(), cause };
        // The standard library opens files close-on-exec.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(holder(&mut file).into()),
            Err(errno) => return Err(failed(errno.into())),
        }
        let line = format!("{}\n{}\n{}\n", std::process::id(), now.0, command.replace('\n', " "));
        file.set_len(0).and_then(|()| file.write_all(line.as_bytes())).map_err(failed)?;
        let archive = dir.join("archive.git");
        sweep(&archive, false);
        sweep(&archive.join("refs"), true);
        Ok(ProjectLock { file })
    }
}

impl Drop for ProjectLock {
    fn drop(&mut self) {
        // So that the next holder is not taken for this one in the moment before it has written its own name.
        let _ = self.file.set_len(0);
        // Said and not left to closing the file: a child that is just starting may still have the file for a moment.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Removes the lock files that git leaves where a process was killed while it moved a branch or wrote a tag. Whoever holds
/// the project is its only writer, so none of them is in use; left there, each would stop every later run.
fn sweep(folder: &Path, deep: bool) {
    // A file that cannot be removed is reported by the write that it then stops.
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if deep && path.is_dir() {
            sweep(&path, true);
        } else if path.is_file() && path.extension().is_some_and(|e| e == "lock") {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// What the lock file says of its holder.
fn holder(file: &mut File) -> Held {
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let mut lines = text.lines();
    let pid = lines.next().and_then(|l| l.parse().ok()).unwrap_or(0);
    let since = Timestamp(lines.next().and_then(|l| l.parse().ok()).unwrap_or(0));
    let command = lines.next().filter(|l| !l.is_empty()).unwrap_or("unknown").to_owned();
    Held { pid, since, command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_the_project_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProjectLock::take(dir.path(), "meliora run", Timestamp(7)).unwrap();
        let Err(LockError::Held(held)) = ProjectLock::take(dir.path(), "meliora bench", Timestamp(8)) else {
            panic!("two hold it at once")
        };
        assert_eq!(held, Held { pid: std::process::id(), since: Timestamp(7), command: "meliora run".into() });
        drop(lock);
        ProjectLock::take(dir.path(), "meliora bench", Timestamp(8)).unwrap();
    }

    #[test]
    fn a_program_that_the_holder_started_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProjectLock::take(dir.path(), "meliora run", Timestamp(7)).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        drop(lock);
        let again = ProjectLock::take(dir.path(), "meliora run", Timestamp(9));
        child.kill().unwrap();
        child.wait().unwrap();
        again.unwrap();
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error_with_its_path() {
        let error = ProjectLock::take(Path::new("/nonexistent/.meliora"), "x", Timestamp(0)).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/.meliora/lock"), "{error}");
    }
}
