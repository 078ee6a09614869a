//! The sandbox: looks once at what this machine can do, then opens cages.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use meliora_evolve::{Cage, CageSpec, Sandbox, SandboxError};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Signal;

use crate::cage::NamespaceCage;
use crate::checklist::Step;
use crate::files::Folders;
use crate::groups::{Groups, Version};
use crate::identity::{Lease, Pool};
use crate::plan::{Ground, failed, os_failed};
use crate::ready::Ready;
use crate::reaper::{Reaper, Remains, collect};
use crate::sys;
use crate::warm::WarmPython;
use crate::wire::READY_FDS;
use crate::zygote::Zygote;

/// Cages of Linux namespaces: own users, processes, mounts, network, IPC and host name; no capability; a seccomp
/// allow-list; Landlock; resource limits. Works as root and as an ordinary user.
pub struct Namespaces {
    // Before what it opens cages with.
    ready: Option<Ready>,
    machine: Arc<Machine>,
}

/// What cages are opened with.
struct Machine {
    zygote: Zygote,
    pool: Pool,
    landlock_abi: u32,
    python: Option<String>,
    groups: Result<Arc<Groups>, String>,
    reaper: Arc<Reaper>,
}

impl Namespaces {
    /// Looks at this machine and opens one empty cage to be sure. Call it early: what the process holds in memory at
    /// this moment is copied (as page tables) for every cage.
    ///
    /// # Errors
    /// Names the layer that is missing, and what would mend it. There is no weaker cage.
    pub fn new() -> Result<Self, SandboxError> {
        let landlock_abi = landlock_abi()?;
        Self::over(Zygote::start(Ground::survey(landlock_abi)?)?, landlock_abi, None)
    }

    /// The same from a fresh image of this program, which must call [`crate::serve_if_asked`] first thing in its `main`:
    /// no cage holds a copy of this process's memory or environment, so it may be called at any time. With a Python,
    /// commands that start it as it says need no start of their own; where that cannot be, they are executed as ever,
    /// and [`Sandbox::describe`] says why.
    ///
    /// # Errors
    /// As [`Self::new`], and if the program does not serve cages.
    pub fn warm(python: Option<&WarmPython>) -> Result<Self, SandboxError> {
        let landlock_abi = landlock_abi()?;
        let (zygote, cold) = Zygote::execute(landlock_abi, python)?;
        let words = cold.map_or("python: warm".to_owned(), |why| format!("python: cold ({why})"));
        Self::over(zygote, landlock_abi, python.map(|_| words))
    }

    fn over(zygote: Zygote, landlock_abi: u32, python: Option<String>) -> Result<Self, SandboxError> {
        let machine = Machine {
            zygote,
            pool: Pool::survey(),
            landlock_abi,
            python,
            groups: Groups::survey(),
            reaper: Arc::new(Reaper::start().map_err(|error| failed("reaper thread", error))?),
        };
        drop(machine.start(&CageSpec::manual())?);
        Ok(Namespaces { ready: None, machine: Arc::new(machine) })
    }

    /// Has `count` cages of each kind that was asked for lately waiting, opened by a thread while nobody waits for them.
    /// Zero: none.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn ahead(mut self, count: usize) -> Result<Self, SandboxError> {
        self.ready = None;
        if count > 0 {
            let machine = Arc::clone(&self.machine);
            let ready = Ready::start(
                count,
                Arc::new(move |spec: &CageSpec| {
                    let cage = machine.start(spec)?;
                    if machine.python.is_some() {
                        cage.prepare()?;
                    }
                    Ok(cage)
                }),
            );
            self.ready = Some(ready.map_err(|error| failed("thread that opens cages ahead", error))?);
        }
        Ok(self)
    }
}

impl Machine {
    fn start(&self, spec: &CageSpec) -> Result<NamespaceCage, SandboxError> {
        let failure = |errno: rustix::io::Errno| os_failed("control socket", errno.raw_os_error());
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(failure)?;
        let lease = self.pool.lease()?;
        let group = self.groups.as_ref().ok().map(|groups| groups.lend(&spec.limits)).transpose()?;
        let version = self.groups.as_ref().map_or(Version::One, |groups| groups.version());
        let joined = group.as_ref().map(|lent| &*lent.group);
        let (pid, pidfd) = self.zygote.clone_cage(spec, &theirs, (version, joined))?;
        // From here on the child must be collected, whatever happens.
        let remains = Remains { pidfd, lease, group };
        drop(theirs);
        match settle(&ours, pid, &remains.lease) {
            Ok(([work, tmp, proc], terminals)) => {
                let owner = matches!(self.pool, Pool::Own { .. }).then_some((remains.lease.uid, remains.lease.gid));
                let folders = Folders { work, tmp, terminals, home: spec.home.clone(), owner };
                Ok(NamespaceCage::new(ours, folders, proc, spec, remains, Arc::clone(&self.reaper)))
            }
            Err(error) => {
                rustix::process::pidfd_send_signal(&remains.pidfd, Signal::KILL).ok();
                collect(remains);
                Err(error)
            }
        }
    }
}

impl Sandbox for Namespaces {
    fn open(&self, spec: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
        match self.ready.as_ref().and_then(|ready| ready.take(&spec)) {
            Some(cage) => Ok(Box::new(cage)),
            None => Ok(Box::new(self.machine.start(&spec)?)),
        }
    }

    fn describe(&self) -> String {
        let machine = &self.machine;
        let user = match machine.pool {
            Pool::Own { .. } => "an own user for each cage".to_owned(),
            Pool::Starter { .. } => format!("weaker: the starting user in each cage ({})", crate::ranges::missing()),
        };
        format!(
            "namespaces (user, pid, mount, network, ipc, uts, cgroup), {user}, no capabilities, \
             seccomp allow-list, landlock ABI {}, {}, rlimits, memory watch{}{}",
            machine.landlock_abi,
            machine.groups.as_ref().map_or_else(|why| format!("no cgroup ({why})"), |groups| groups.describe()),
            if machine.python.is_some() { "; " } else { "" },
            machine.python.as_deref().unwrap_or_default(),
        )
    }
}

pub(crate) fn landlock_abi() -> Result<u32, SandboxError> {
    sys::landlock_abi().map_err(|errno| {
        let (what, hint) = Step::explain(Step::Landlock as u32);
        SandboxError { hint: hint.map(str::to_owned), ..os_failed(what, errno) }
    })
}

/// Gives the child its identity and waits until its cage stands. Returns `/work`, `/tmp` and `/proc`, and `/dev/pts` if
/// it has one.
fn settle(control: &OwnedFd, pid: i32, lease: &Lease) -> Result<([OwnedFd; 3], Option<OwnedFd>), SandboxError> {
    let granted = lease.grant(pid);
    if granted.is_ok() {
        // It may be gone already, and have said why.
        match rustix::net::sendmsg(control, &[IoSlice::new(&[1])], &mut Default::default(), SendFlags::NOSIGNAL) {
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(errno) => return Err(os_failed("cage start", errno.raw_os_error())),
        }
    }
    stands(control, granted)
}

/// Waits until a cage stands, as its PID 1 tells. Returns what [`settle`] does. Where what it waits for was not `granted`,
/// that is the error, unless it has said another.
pub(crate) fn stands(
    control: &OwnedFd,
    granted: Result<(), SandboxError>,
) -> Result<([OwnedFd; 3], Option<OwnedFd>), SandboxError> {
    let failure = |errno: Errno| os_failed("cage start", errno.raw_os_error());
    let mut flags = RecvFlags::CMSG_CLOEXEC;
    if granted.is_err() {
        // It waits for what will not come, or is gone.
        flags |= RecvFlags::DONTWAIT;
    }
    let mut words = [0; 8];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(READY_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let mut reset = false;
    let read = loop {
        match rustix::net::recvmsg(control, &mut [IoSliceMut::new(&mut words)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            // Said once where it went without having read our word; what it sent before comes behind.
            Err(Errno::CONNRESET) if !reset => reset = true,
            Err(errno) => return granted.and(Err(failure(errno))),
            Ok(message) => break message.bytes,
        }
    };
    if read == 0 {
        granted?;
        return Err(failed("cage start", "PID 1 of the cage died before it was ready"));
    }
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    let [a, b, c, d, e, f, g, h] = words;
    let (step, errno) = (u32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]));
    let terminals = (fds.len() == READY_FDS).then(|| fds.pop()).flatten();
    match <[OwnedFd; 3]>::try_from(fds) {
        Ok(folders) if read == words.len() && step == 0 => Ok((folders, terminals)),
        _ => {
            let (what, hint) = Step::explain(step);
            Err(SandboxError { hint: hint.map(str::to_owned), ..os_failed(what, errno) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a machine whose controllers are all of version 1 this shows at least that the way in is right.
    #[test]
    fn a_cage_is_cloned_into_a_group_of_version_two() {
        let Some((groups, folder)) = crate::groups::tests::unlimited() else {
            eprintln!("NOT TESTED: no control groups of version 2 can be made here");
            assert!(std::env::var_os("CI").is_none() || !rustix::process::geteuid().is_root());
            return;
        };
        let mut sandbox = Namespaces::new().unwrap();
        Arc::get_mut(&mut sandbox.machine).unwrap().groups = Ok(groups);
        let cage = sandbox.open(CageSpec::manual()).unwrap();
        let members = std::fs::read_to_string(folder.join("0/cgroup.procs")).unwrap();
        assert_eq!(members.lines().count(), 1, "{members:?}");
        drop(cage);
        drop(sandbox);
        assert!(!folder.exists());
    }
}
