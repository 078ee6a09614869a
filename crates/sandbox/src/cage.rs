//! An open cage, seen from the host.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use meliora_domain::Limits;
use meliora_evolve::{Cage, CageEntry, CageError, CageSpec, CageUsage, Command, Process, SandboxError};
use rustix::fs::{MemfdFlags, OFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pipe::PipeFlags;
use rustix::process::Signal;

use crate::files::Folders;
use crate::groups::Group;
use crate::plan::{failed, os_failed};
use crate::process::{Pipes, Running};
use crate::reaper::{Reaper, Remains};
use crate::terminal;
use crate::watch;
use crate::wire::{Report, Request, SPAWN_FDS};

/// What a cage and its commands share.
pub(crate) struct Inner {
    control: OwnedFd,
    pub(crate) folders: Folders,
    /// `/proc` of the cage.
    proc: OwnedFd,
    pub(crate) limits: Limits,
    /// The variables of every command.
    env: Vec<(String, String)>,
    /// Given to the reaper with the end of the cage.
    remains: Mutex<Option<Remains>>,
    reaper: Arc<Reaper>,
    next_id: AtomicU32,
    cpu_us: AtomicU64,
    peak_kib: AtomicU64,
    /// The number of the command that came next when the processes last held more memory together than they may, and
    /// were killed: those before it are not to blame for their end.
    overrun: AtomicU32,
}

/// The cage that is handed out. Its end is the end of everything in it, whoever still holds a command.
pub(crate) struct NamespaceCage(Arc<Inner>);

impl NamespaceCage {
    pub(crate) fn new(
        control: OwnedFd,
        folders: Folders,
        proc: OwnedFd,
        spec: &CageSpec,
        remains: Remains,
        reaper: Arc<Reaper>,
    ) -> Self {
        NamespaceCage(Arc::new(Inner {
            control,
            folders,
            proc,
            limits: spec.limits.clone(),
            env: spec.env.clone(),
            remains: Mutex::new(Some(remains)),
            reaper,
            next_id: AtomicU32::new(1),
            cpu_us: AtomicU64::new(0),
            peak_kib: AtomicU64::new(0),
            overrun: AtomicU32::new(0),
        }))
    }
}

impl NamespaceCage {
    /// A copy of the warm interpreter waits for the first command from now on, where the cage has one.
    pub(crate) fn prepare(&self) -> Result<(), SandboxError> {
        self.0.request(Request::Prepare)
    }
}

impl Drop for NamespaceCage {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Inner {
    /// Kills PID 1 and with it everything in the cage. Once is enough.
    pub(crate) fn kill(&self) {
        let remains = self.remains.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(remains) = remains {
            // It can only fail when it is dead already.
            rustix::process::pidfd_send_signal(&remains.pidfd, Signal::KILL).ok();
            self.reaper.take(remains);
        }
    }

    /// Its control group, as long as it is this cage's.
    fn group(&self) -> Option<Arc<Group>> {
        let remains = self.remains.lock().unwrap_or_else(PoisonError::into_inner);
        remains.as_ref()?.group.as_ref().map(|lent| Arc::clone(&lent.group))
    }

    /// Whether this command was there when processes were killed for the memory of all.
    pub(crate) fn killed_for_memory(&self, id: u32) -> bool {
        if self.killed_for_memory_now() {
            self.note_overrun();
        }
        id < self.overrun.load(Ordering::Acquire)
    }

    fn note_overrun(&self) {
        self.overrun.store(self.next_id.load(Ordering::Relaxed), Ordering::Release);
    }

    fn killed_for_memory_now(&self) -> bool {
        self.group().is_some_and(|group| group.has_killed())
    }

    pub(crate) fn request(&self, request: Request) -> Result<(), SandboxError> {
        self.send(request, &[])
    }

    fn send(&self, request: Request, fds: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
        let bytes = request.encode();
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SPAWN_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let sent = rustix::net::sendmsg(&self.control, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL);
        match sent {
            Ok(_) => Ok(()),
            // A cage that is gone has nothing left to signal; a command for it is an error.
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) if fds.is_empty() => Ok(()),
            Err(errno) => Err(os_failed("request to the cage", errno.raw_os_error())),
        }
    }

    /// Whether its processes hold more memory than they may together, or the kernel killed one for that.
    pub(crate) fn over_memory(&self) -> bool {
        // What the group holds, files included, is quickly read; below the limit there is nothing to count.
        let together = self.group().and_then(|group| group.usage()).unwrap_or(u64::MAX);
        let over = self.killed_for_memory_now()
            || together > self.limits.memory && watch::resident(&self.proc) > watch::most(self.limits.memory);
        if over {
            self.note_overrun();
        }
        over
    }

    pub(crate) fn note(&self, report: &Report) {
        self.cpu_us.fetch_max(report.cage_cpu_us, Ordering::Relaxed);
        self.peak_kib.fetch_max(report.cage_peak_kib, Ordering::Relaxed);
    }
}

impl Cage for NamespaceCage {
    fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError> {
        self.0.folders.put(path, bytes, executable)
    }

    fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, CageError> {
        self.0.folders.get(path, limit)
    }

    fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError> {
        self.0.folders.list(path)
    }

    fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        self.0.folders.stat(path)
    }

    fn make_folder(&self, path: &str) -> Result<bool, CageError> {
        self.0.folders.make_folder(path)
    }

    fn remove(&self, path: &str) -> Result<(), CageError> {
        self.0.folders.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), CageError> {
        self.0.folders.rename(from, to)
    }

    fn pause(&self, stopped: bool) -> Result<(), SandboxError> {
        self.0.request(Request::SignalAll { signal: if stopped { libc::SIGSTOP } else { libc::SIGCONT } as u32 })
    }

    fn usage(&self) -> CageUsage {
        CageUsage {
            cpu_seconds: self.0.cpu_us.load(Ordering::Relaxed) as f64 / 1e6,
            peak_memory: self.0.peak_kib.load(Ordering::Relaxed) * 1024,
        }
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError> {
        let cage = &self.0;
        let program = command.argv.first().ok_or_else(|| failed("command", "it has no program"))?.clone();
        let mut strings = Vec::new();
        let env = merged(&cage.env, &command.env)?;
        for text in std::iter::once(&command.cwd).chain(&command.argv).chain(&env) {
            if text.contains('\0') {
                return Err(failed("command", "it has a zero byte in it"));
            }
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
        }
        let failure = |errno: rustix::io::Errno| os_failed("pipes of the command", errno.raw_os_error());
        let memory = rustix::fs::memfd_create(c"command", MemfdFlags::CLOEXEC).map_err(failure)?;
        let mut file = std::fs::File::from(memory);
        std::io::Write::write_all(&mut file, &strings).map_err(|error| failed("pipes of the command", error))?;

        // Ours do not block; the command's ends are other descriptions and do.
        let pipe = |ours_reads: bool| {
            let (reads, writes) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            let (ours, theirs) = if ours_reads { (reads, writes) } else { (writes, reads) };
            rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK)?;
            Ok((ours, theirs))
        };
        let (report, their_report) = pipe(true).map_err(failure)?;
        let (stdin, pipes, theirs) = match command.terminal {
            None => {
                let (stdin, their_stdin) = pipe(false).map_err(failure)?;
                let (stdout, their_stdout) = pipe(true).map_err(failure)?;
                let (stderr, their_stderr) = pipe(true).map_err(failure)?;
                let pipes = Pipes { stdout: Some(stdout), stderr: Some(stderr), report };
                (stdin, pipes, [their_stdin, their_stdout, their_stderr])
            }
            Some(size) => {
                let (ours, theirs) = terminal::open(&cage.folders, size)?;
                let again = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(failure);
                let pipes = Pipes { stdout: Some(again(&ours)?), stderr: None, report };
                (ours, pipes, [again(&theirs)?, again(&theirs)?, theirs])
            }
        };
        let [their_stdin, their_stdout, their_stderr] = &theirs;

        let id = cage.next_id.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let request = Request::Spawn {
            id,
            argc: command.argv.len() as u32,
            envc: env.len() as u32,
            length: strings.len() as u32,
            terminal: command.terminal.is_some(),
        };
        cage.send(
            request,
            &[file.as_fd(), their_stdin.as_fd(), their_stdout.as_fd(), their_stderr.as_fd(), their_report.as_fd()],
        )?;
        let wall = command.wall.map_or(cage.limits.wall, |wall| wall.min(cage.limits.wall));
        let terminal = command.terminal.is_some();
        Ok(Box::new(Running::new(Arc::clone(cage), (id, program), (stdin, terminal), pipes, (start, wall))))
    }
}

/// The whole environment of a command that has variables of its own, else nothing: then it is that of the cage.
fn merged(cage: &[(String, String)], own: &[(String, String)]) -> Result<Vec<String>, SandboxError> {
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut env: Vec<(&str, &str)> = cage.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (name, value) in own {
        if name.is_empty() || name.contains('=') {
            return Err(failed(format!("environment variable '{name}'"), "not a name"));
        }
        env.retain(|(other, _)| other != name);
        env.push((name, value));
    }
    Ok(env.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}
