//! A machine that was booted once, and stands ready as a snapshot: its memory as a sealed file that every machine maps
//! for itself, copying only what it changes, and the state of its devices.
//!
//! A snapshot is kept in the cache under the hash of all that went into it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meliora_evolve::{Cage, CageSpec, Command, SandboxError, run_to_end};
use rustix::fs::OFlags;

use super::machine::{From, Launcher, Machine, Parts, memory_file, seal};
use super::monitor::Monitor;
use crate::agent::{Line, RemoteCage};
use crate::plan::failed;

/// How long a machine may take to boot: under emulation, on a busy host, it is not fast.
const BOOT: Duration = Duration::from_secs(300);
/// Bytes of the console that are shown when it does not.
const SHOWN: u64 = 2000;

/// A snapshot.
pub(crate) struct Template {
    parts: Parts,
    state: OwnedFd,
    /// What the sandbox inside says of itself.
    pub(crate) words: String,
}

impl Template {
    /// Boots a machine, lets it read what commands of this kind read first, and takes the snapshot.
    ///
    /// # Errors
    /// Why it does not boot, as far as QEMU and the console tell.
    pub(crate) fn make(launcher: &Arc<Launcher>, parts: Parts, spec: &CageSpec) -> Result<Self, SandboxError> {
        let console = memory_file(c"console", 0)?;
        let state = memory_file(c"state", 0)?;
        let (machine, line, monitor) = launcher.start(&parts, &From::Start { console: &console })?;
        let words = match boot(&machine, line, spec) {
            Ok(words) => words,
            Err(error) => return Err(explain(&machine, &console, error)),
        };
        Monitor::greet(monitor)
            .and_then(|monitor| monitor.snapshot(&state))
            .map_err(|error| explain(&machine, &console, error))?;
        machine.wait();
        seal(&parts.memory)?;
        seal(&state)?;
        Ok(Template { parts, state, words })
    }

    /// A new machine that goes on from here, awake: with a clock and random numbers of its own.
    ///
    /// # Errors
    /// Why QEMU does not start, or that the agent says nothing.
    pub(crate) fn wake(&self, launcher: &Arc<Launcher>) -> Result<Arc<Line>, SandboxError> {
        // The position in a file is shared by all who hold it: each machine reads the state from one of its own.
        let state = reopen(&self.state)?;
        let (machine, stream, monitor) = launcher.start(&self.parts, &From::Snapshot(&state))?;
        let (line, _) = Line::new(stream, Box::new(machine.clone()))?;
        let woken = Monitor::greet(monitor).and_then(|monitor| monitor.go_on(&state)).and_then(|()| line.wake());
        woken.map_err(|error| {
            let said = machine.end();
            if said.is_empty() { error } else { failed(error.what, format!("{}; QEMU: {said}", error.cause)) }
        })?;
        Ok(line)
    }

    /// Writes it into a folder that does not exist yet.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn store(&self, folder: &Path) -> Result<(), SandboxError> {
        let failure = |error: std::io::Error| failed(format!("snapshot in {}", folder.display()), error);
        let store = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            std::fs::write(folder.join("words"), &self.words)?;
            copy_sparse(&mut File::from(self.state.try_clone()?), &mut File::create(folder.join("state"))?)?;
            let mut memory = File::create(folder.join("memory"))?;
            copy_sparse(&mut File::from(self.parts.memory.try_clone()?), &mut memory)?;
            memory.sync_all()
        };
        store().map_err(failure)
    }

    /// Reads it from a folder; `parts` has the empty memory that it goes into. `None` if it is not there whole.
    pub(crate) fn load(folder: &Path, parts: Parts) -> Option<Self> {
        let words = std::fs::read_to_string(folder.join("words")).ok()?;
        let state = memory_file(c"state", 0).ok()?;
        copy_sparse(&mut File::open(folder.join("state")).ok()?, &mut File::from(state.try_clone().ok()?)).ok()?;
        let mut memory = File::open(folder.join("memory")).ok()?;
        if memory.metadata().ok()?.len() != parts.size {
            return None;
        }
        copy_sparse(&mut memory, &mut File::from(parts.memory.try_clone().ok()?)).ok()?;
        seal(&parts.memory).ok()?;
        seal(&state).ok()?;
        Some(Template { parts, state, words })
    }
}

/// Waits for the agent, and starts a Python wherever this cage would see one, so that its files are in memory.
fn boot(machine: &Machine, stream: std::os::unix::net::UnixStream, spec: &CageSpec) -> Result<String, SandboxError> {
    let (line, words) = Line::new(stream, Box::new(machine.clone()))?;
    let words = match words.recv_timeout(BOOT) {
        Ok(words) => words,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
            return Err(failed("boot of the machine", format!("the agent said nothing in {} seconds", BOOT.as_secs())));
        }
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Err(line.gone()),
    };
    line.wake()?;
    let cage = RemoteCage::open(line, spec.clone())?;
    let prefixes = std::iter::once(Path::new("/usr")).chain(spec.read_only.iter().map(|tree| tree.path.as_path()));
    for prefix in prefixes {
        let Some(python) = prefix.join("bin/python3").to_str().map(str::to_owned) else { continue };
        let command = Command {
            argv: vec![python, "-I".into(), "-c".into(), "import json, random, traceback".into()],
            wall: Some(spec.limits.wall.min(Duration::from_secs(60))),
            ..Command::default()
        };
        // Where there is none, nothing is lost.
        run_to_end(&cage, &command, b"")?;
    }
    cage.usage();
    cage.leave()?;
    Ok(words)
}

fn explain(machine: &Machine, console: &OwnedFd, error: SandboxError) -> SandboxError {
    let said = machine.end();
    let mut shown = String::new();
    if let Ok(file) = console.try_clone() {
        let mut file = File::from(file);
        let length = file.seek(SeekFrom::End(0)).unwrap_or(0);
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN))).ok();
        let mut bytes = Vec::new();
        file.take(SHOWN).read_to_end(&mut bytes).ok();
        shown = String::from_utf8_lossy(&bytes).trim().to_owned();
    }
    let mut cause = error.cause;
    for (who, what) in [("QEMU", said), ("console", shown)] {
        if !what.is_empty() {
            cause = format!("{cause}; {who}: {what}");
        }
    }
    SandboxError { cause, ..error }
}

fn reopen(file: &OwnedFd) -> Result<OwnedFd, SandboxError> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, rustix::fs::Mode::empty())
        .map_err(|errno| failed("snapshot of the machine", errno))
}

/// Copies what is there of a file with holes.
fn copy_sparse(from: &mut File, to: &mut File) -> std::io::Result<()> {
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut place = 0;
    while place < length {
        let begin = match rustix::fs::seek(from.as_fd(), rustix::fs::SeekFrom::Data(place)) {
            Ok(begin) => begin,
            // Nothing but a hole is left.
            Err(rustix::io::Errno::NXIO) => break,
            Err(errno) => return Err(errno.into()),
        };
        let end = rustix::fs::seek(from.as_fd(), rustix::fs::SeekFrom::Hole(begin))?;
        from.seek(SeekFrom::Start(begin))?;
        to.seek(SeekFrom::Start(begin))?;
        std::io::copy(&mut Read::by_ref(from).take(end - begin), to)?;
        place = end;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_file_with_holes_is_the_same_and_has_holes() {
        let (from, to) = (memory_file(c"from", 64 << 20).unwrap(), memory_file(c"to", 0).unwrap());
        let (mut from, mut to) = (File::from(from), File::from(to));
        from.seek(SeekFrom::Start(40 << 20)).unwrap();
        from.write_all(b"in the middle").unwrap();
        copy_sparse(&mut from, &mut to).unwrap();
        to.seek(SeekFrom::Start(40 << 20)).unwrap();
        let mut read = [0; 13];
        to.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"in the middle");
        let stat = rustix::fs::fstat(&to).unwrap();
        assert!(stat.st_size == 64 << 20 && stat.st_blocks * 512 < 1 << 20, "{stat:?}");
    }

    #[test]
    fn a_sealed_file_cannot_be_changed_however_it_is_opened() {
        let file = memory_file(c"sealed", 4096).unwrap();
        seal(&file).unwrap();
        let again = {
            use std::os::fd::AsRawFd;
            std::fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap()
        };
        assert!((&again).write(b"x").is_err() && again.set_len(0).is_err());
    }
}
