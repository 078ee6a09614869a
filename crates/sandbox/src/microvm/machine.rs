//! One running QEMU: how it is started, confined and ended.
//!
//! It has no network device, no display and no disk that it may write. It runs as a user of its own where the host can
//! give it one, without a network, under QEMU's own seccomp filter, and ends with this process whatever happens to that.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use meliora_evolve::SandboxError;

use super::kvm::Kvm;
use crate::agent::Host;
use crate::identity::{Lease, Pool};
use crate::plan::failed;

/// What a machine is made of. Paths would have to be open to the machine's own user; descriptors need not.
pub(crate) struct Parts {
    pub(crate) kernel: OwnedFd,
    pub(crate) initrd: OwnedFd,
    /// The base disk first.
    pub(crate) disks: Vec<OwnedFd>,
    /// Its memory: written through while the snapshot is made, a private copy afterwards.
    pub(crate) memory: OwnedFd,
    /// Bytes of memory.
    pub(crate) size: u64,
}

/// Whether a machine boots, or goes on from a snapshot.
pub(crate) enum From<'a> {
    /// It boots; its console goes to this file, and it can be told to write a snapshot.
    Start { console: &'a OwnedFd },
    /// The state of everything but memory.
    Snapshot(&'a OwnedFd),
}

/// Starts machines from one thread that lives as long as any of them: the kernel kills a child when the thread that
/// started it ends, and that is to be never before this process does.
pub(crate) struct Launcher {
    jobs: Sender<(Command, Sender<std::io::Result<Child>>)>,
    pub(crate) qemu: PathBuf,
    pub(crate) kvm: Kvm,
    users: Pool,
}

impl Launcher {
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn new(qemu: PathBuf, kvm: Kvm) -> Result<Arc<Self>, SandboxError> {
        let (jobs, asked) = channel::<(Command, Sender<std::io::Result<Child>>)>();
        let launch = move || {
            for (mut command, answer) in asked {
                answer.send(command.spawn()).ok();
            }
        };
        std::thread::Builder::new()
            .name("microvm-launcher".to_owned())
            .spawn(launch)
            .map_err(|error| failed("launcher of machines", error))?;
        Ok(Arc::new(Launcher { jobs, qemu, kvm, users: Pool::without_ranges() }))
    }

    /// Starts QEMU. Returns the machine, the line to its agent, and the line to QEMU itself, which one that goes on from a
    /// snapshot waits to be told on.
    ///
    /// # Errors
    /// What QEMU needs and cannot have.
    pub(crate) fn start(
        self: &Arc<Self>,
        parts: &Parts,
        from: &From<'_>,
    ) -> Result<(Machine, UnixStream, UnixStream), SandboxError> {
        let failure = |error: std::io::Error| failed("line to the machine", error);
        let (ours, theirs) = UnixStream::pair().map_err(failure)?;
        let lease = self.lease()?;
        let mut command = Command::new(&self.qemu);
        let mut keep = vec![theirs.as_raw_fd()];
        arguments(&mut command, &self.kvm, parts, &mut keep);
        command.arg("-chardev").arg(format!("socket,id=agent,fd={}", theirs.as_raw_fd()));
        let (monitor, their_monitor) = UnixStream::pair().map_err(failure)?;
        command.arg("-chardev").arg(format!("socket,id=monitor,fd={}", their_monitor.as_raw_fd()));
        command.args(["-mon", "chardev=monitor,mode=control"]);
        keep.push(their_monitor.as_raw_fd());
        command.arg("-object").arg(parts.memory(matches!(from, From::Start { .. })));
        match from {
            From::Start { console } => {
                command.arg("-chardev").arg(format!("file,id=console,path={}", path(console)));
                keep.push(console.as_raw_fd());
            }
            From::Snapshot(state) => {
                command.args(["-chardev", "null,id=console"]);
                command.args(["-incoming", "defer"]);
                keep.push(state.as_raw_fd());
            }
        }
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // The one that boots writes its console and its state; one that goes on writes no file at all.
        let writes = if matches!(from, From::Start { .. }) { parts.size } else { 0 };
        confine(&mut command, &lease, keep, writes, self.kvm.group());

        let machine = self.launch(command, &self.qemu, lease)?;
        drop((theirs, their_monitor));
        Ok((machine, ours, monitor))
    }

    /// A user for a machine.
    ///
    /// # Errors
    /// If all are in use.
    pub(crate) fn lease(&self) -> Result<Lease, SandboxError> {
        self.users.lease()
    }

    /// Starts a program as a machine.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn launch(
        self: &Arc<Self>,
        command: Command,
        program: &Path,
        lease: Lease,
    ) -> Result<Machine, SandboxError> {
        let (answer, started) = channel();
        let gone = || failed("launcher of machines", "it has ended");
        self.jobs.send((command, answer)).map_err(|_| gone())?;
        let child = started.recv().map_err(|_| gone())?.map_err(|error| SandboxError {
            hint: Some(
                "a machine is started without a network of its own, which takes the right to use namespaces: root's, or an \
                 ordinary user's where kernel.unprivileged_userns_clone and AppArmor allow it"
                    .to_owned(),
            ),
            ..failed(format!("start of {}", program.display()), error)
        })?;
        let running = Running { state: Mutex::new(State::Alive(child)), _launcher: Arc::clone(self), _lease: lease };
        Ok(Machine(Arc::new(running)))
    }
}

pub(crate) fn path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Everything that is the same for the machine that boots and those that go on from its snapshot.
fn arguments(command: &mut Command, kvm: &Kvm, parts: &Parts, keep: &mut Vec<RawFd>) {
    let mib = parts.size >> 20;
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-smp", "1"]);
    command.args(["-machine", "pc,usb=off,hpet=off,vmport=off,memory-backend=memory"]);
    match kvm {
        Kvm::Works { .. } => command.args(["-accel", "kvm", "-cpu", "host"]),
        // Five levels of page tables make every emulated page walk longer.
        Kvm::Fails(_) => command.args(["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]),
    };
    command.arg("-m").arg(format!("{mib}M"));
    command.arg("-kernel").arg(path(&parts.kernel)).arg("-initrd").arg(path(&parts.initrd));
    command.arg("-append").arg(format!(
        "console=ttyS0 quiet loglevel=3 panic=-1 oops=panic random.trust_cpu=on mitigations=off lsm=landlock \
         -- {}",
        super::guest::ASKED
    ));
    command.args(["-device", "isa-serial,chardev=console"]);
    command.args(["-device", "virtio-serial-pci,max_ports=2"]);
    command.args(["-device", "virtserialport,chardev=agent,nr=1"]);
    for (number, disk) in parts.disks.iter().enumerate() {
        let drive = format!("if=none,id=disk{number},format=raw,readonly=on,file.locking=off,file={}", path(disk));
        command.arg("-drive").arg(drive).arg("-device").arg(format!("virtio-blk-pci,drive=disk{number}"));
    }
    command.args(["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]);
    keep.extend([&parts.kernel, &parts.initrd, &parts.memory].map(AsRawFd::as_raw_fd));
    keep.extend(parts.disks.iter().map(AsRawFd::as_raw_fd));
}

impl Parts {
    /// The argument for memory, which differs: see [`From`].
    pub(crate) fn memory(&self, shared: bool) -> String {
        format!(
            "memory-backend-file,id=memory,size={},share={},mem-path={}",
            self.size,
            if shared { "on" } else { "off" },
            path(&self.memory)
        )
    }
}

/// What the new process does between fork and exec: only system calls, with what was made before.
pub(crate) fn confine(command: &mut Command, lease: &Lease, keep: Vec<RawFd>, writes: u64, kvm_group: Option<u32>) {
    let root = crate::ranges::real_root();
    let (uid, gid) = (lease.uid, lease.gid);
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let mut groups: Vec<libc::gid_t> = Vec::with_capacity(1);
    groups.extend(kvm_group.filter(|_| root));
    let enclose = move || {
        let done = |result: i32| if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) };
        let mut spaces = libc::CLONE_NEWNET | libc::CLONE_NEWIPC;
        if !root {
            spaces |= libc::CLONE_NEWUSER;
        }
        // SAFETY: system calls on this new process alone, with numbers and with memory that was made before the fork.
        unsafe {
            done(libc::unshare(spaces))?;
            if root {
                done(libc::setgroups(groups.len(), groups.as_ptr()))?;
                done(libc::setresgid(gid, gid, gid))?;
                done(libc::setresuid(uid, uid, uid))?;
            }
            for (which, most) in [(libc::RLIMIT_CORE, 0), (libc::RLIMIT_FSIZE, writes), (libc::RLIMIT_NOFILE, 256)] {
                let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
                done(libc::setrlimit(which, &raw const limit))?;
            }
            done(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            // After the change of user, which would undo it.
            done(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            if libc::getppid() != parent {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
            // Whatever else is open here is closed by exec.
            done(libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) as i32)?;
            for fd in &keep {
                done(libc::fcntl(*fd, libc::F_SETFD, 0))?;
            }
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing, locks nothing and calls nothing but the system.
    unsafe { command.pre_exec(enclose) };
}

struct Running {
    state: Mutex<State>,
    _launcher: Arc<Launcher>,
    /// Its user, which nobody else may be as long as it lives.
    _lease: Lease,
}

enum State {
    Alive(Child),
    /// With what QEMU wrote to standard error.
    Ended(String),
}

/// A running machine. Its last holder ends it.
#[derive(Clone)]
pub(crate) struct Machine(Arc<Running>);

impl Machine {
    /// Ends it, and says what QEMU wrote to standard error.
    pub(crate) fn end(&self) -> String {
        let mut running = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Alive(child) = &mut *running {
            // It can only fail when it is dead already.
            child.kill().ok();
            let mut said = Vec::new();
            if let Some(stderr) = child.stderr.take() {
                std::io::Read::read_to_end(&mut std::io::Read::take(stderr, 4096), &mut said).ok();
            }
            child.wait().ok();
            *running = State::Ended(String::from_utf8_lossy(&said).trim().to_owned());
        }
        match &*running {
            State::Ended(said) => said.clone(),
            State::Alive(_) => String::new(),
        }
    }

    /// Waits until QEMU has ended by itself.
    pub(crate) fn wait(&self) {
        let mut running = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Alive(child) = &mut *running {
            child.wait().ok();
        }
    }
}

impl Machine {
    /// Whether it has ended by itself, or was ended.
    pub(crate) fn has_ended(&self) -> bool {
        let mut running = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *running {
            State::Alive(child) => !matches!(child.try_wait(), Ok(None)),
            State::Ended(_) => true,
        }
    }
}

impl Host for Machine {
    fn kill(&self) {
        self.end();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let State::Alive(child) = self.state.get_mut().unwrap_or_else(PoisonError::into_inner) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// An anonymous file in memory that may be sealed.
pub(crate) fn memory_file(name: &std::ffi::CStr, size: u64) -> Result<OwnedFd, SandboxError> {
    use rustix::fs::MemfdFlags;
    let failure = |errno: rustix::io::Errno| failed("memory of the machine", errno);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create(name, flags).map_err(failure)?;
    rustix::fs::ftruncate(&file, size).map_err(failure)?;
    Ok(file)
}

/// Makes a file unchangeable for everyone, also for who opens it anew.
pub(crate) fn seal(file: &OwnedFd) -> Result<(), SandboxError> {
    use rustix::fs::SealFlags;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(file, seals).map_err(|errno| failed("memory of the machine", errno))
}
