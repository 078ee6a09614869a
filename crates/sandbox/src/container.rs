//! Cages in containers of Podman or Docker, by command line: for machines where those are what may make namespaces.
//!
//! The engine builds the walls: namespaces, no network, a read-only root, no capability, limits. Inside, PID 1 is ours
//! (`inside.rs`): it adds Landlock, the allow-list of system calls and resource limits, and from then on the cage is used
//! like any other, over a socket that it took along; nothing is ever run by the engine's `exec`.

mod engine;
mod image;
mod inside;

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meliora_evolve::{Cage, CageEntry, CageError, CageSpec, CageUsage, Command, Process, Sandbox, SandboxError};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::MemfdFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags};

use crate::cage::NamespaceCage;
use crate::files::Folders;
use crate::identity::{Lease, Pool};
use crate::namespaces::{landlock_abi, stands};
use crate::plan::{Ground, INODES, SHARED, extra, failed, home, os_failed};
use crate::reaper::{Reaper, Remains};
use crate::zygote::{encode, send};
pub(crate) use inside::contain_if_asked;

use engine::{Engine, Kind, last_words};

/// How long a container may take to stand. Engines on a loaded machine are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a container may take to be gone once its PID 1 is.
const FAREWELL: Duration = Duration::from_secs(20);

/// What the backend needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerSettings {
    /// `podman` or `docker`: path of the program.
    pub engine: PathBuf,
    /// This program's own file, which is PID 1 of every container; its `main` must begin with [`crate::serve_if_asked`].
    pub program: PathBuf,
    /// A folder for sockets, writable and not seen by cages.
    pub scratch: PathBuf,
}

/// Cages that are containers.
pub struct Containers {
    engine: Engine,
    version: String,
    settings: ContainerSettings,
    /// Links of this machine's root, and the folders that hold its programs.
    links: Vec<(Vec<u8>, Vec<u8>)>,
    system: Vec<PathBuf>,
    landlock_abi: u32,
    pool: Pool,
    reaper: Arc<Reaper>,
}

impl Containers {
    /// Looks for a way to start containers, and opens one empty cage to be sure.
    ///
    /// # Errors
    /// Says what the engine says.
    pub fn new(settings: ContainerSettings) -> Result<Self, SandboxError> {
        let engine = Engine::new(&settings.engine);
        let landlock_abi = landlock_abi()?;
        let ground = Ground::survey(landlock_abi)?;
        // Docker's service knows ids as the host does.
        let pool = if engine.kind == Kind::Docker { Pool::without_ranges() } else { Pool::survey() };
        let mut containers = Containers {
            version: engine.version()?,
            engine,
            settings,
            links: image::links(&ground.links),
            system: ground.system,
            landlock_abi,
            pool,
            reaper: Arc::new(Reaper::start().map_err(|error| failed("reaper thread", error))?),
        };
        let mut tried: Vec<String> = Vec::new();
        let mut first = None;
        for way in containers.engine.ways() {
            containers.engine = way;
            match containers.open(CageSpec::manual()) {
                Ok(_) => return Ok(containers),
                Err(error) => {
                    let way = containers.engine.runtime.unwrap_or("its own runtime");
                    let groups = if containers.engine.grouped { "" } else { ", without control groups" };
                    tried.push(format!("{} with {way}{groups}: {error}", containers.version));
                    first.get_or_insert(error);
                }
            }
        }
        let hint = first.and_then(|error| error.hint);
        Err(SandboxError { hint, ..failed("container", tried.join("; ")) })
    }

    fn start(&self, spec: &CageSpec) -> Result<ContainerCage, SandboxError> {
        let shown = extra(spec, &self.system)?;
        let second = home(spec, &self.system, &shown)?;
        let archive = image::archive(&self.links, second.as_deref());
        let image = image::name(&archive);
        self.engine.import(&image, &archive)?;

        let meeting = Meeting::arrange(&self.settings.scratch)?;
        let lease = self.pool.lease()?;
        let arguments = self.arguments(spec, &shown, &image, &meeting, &lease)?;
        let mut client = Client {
            child: Some(self.engine.run(&arguments)?),
            engine: self.engine.clone(),
            name: meeting.name.clone(),
        };
        let control = meeting.meet(&mut client)?;
        drop(meeting);
        let cage = self
            .settle(spec, control, &lease)
            .map_err(|error| SandboxError { hint: error.hint.clone().or_else(|| Some(self.engine.hint())), ..error })?;
        Ok(ContainerCage { cage: Some(cage), end: Some((client, lease)) })
    }

    /// Tells PID 1 what to be and waits until the cage stands.
    fn settle(&self, spec: &CageSpec, control: OwnedFd, lease: &Lease) -> Result<NamespaceCage, SandboxError> {
        let failure = |errno: rustix::io::Errno| os_failed("cage start", errno.raw_os_error());
        let first = rustix::net::sockopt::socket_peercred(&control).map_err(failure)?;
        let pid: Pid = first.pid;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(failure)?;
        let text = rustix::fs::memfd_create(c"spec", MemfdFlags::CLOEXEC).map_err(failure)?;
        let mut text = std::fs::File::from(text);
        text.write_all(&encode(spec)).map_err(|error| failed("cage start", error))?;
        send(control.as_fd(), &self.landlock_abi.to_ne_bytes(), &[text.as_fd()]).map_err(failure)?;
        let ([work, tmp, proc], terminals) = stands(&control, Ok(()))?;
        let owner = matches!(self.pool, Pool::Own { .. }).then_some((lease.uid, lease.gid));
        let folders = Folders { work, tmp, terminals, home: spec.home.clone(), owner };
        // The user stays taken until the container is gone, which the engine's own process tells.
        let lent = Pool::Starter { uid: lease.uid, gid: lease.gid }.lease()?;
        let remains = Remains { pidfd, lease: lent, group: None };
        Ok(NamespaceCage::new(control, folders, proc, spec, remains, Arc::clone(&self.reaper)))
    }

    fn arguments(
        &self,
        spec: &CageSpec,
        shown: &[PathBuf],
        image: &str,
        meeting: &Meeting,
        lease: &Lease,
    ) -> Result<Vec<String>, SandboxError> {
        let limits = &spec.limits;
        let mib = |bytes: u64| bytes.div_ceil(1 << 20).max(1);
        let both = |number: u64| format!("{number}:{number}");
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["--rm", "--name", &meeting.name, "--pull", "never", "--hostname", "cage", "--log-driver", "none"]);
        add(&["--network", "none", "--ipc", "private", "--read-only", "--cap-drop", "all"]);
        // The filter of calls is put on by PID 1 before it runs anything; an engine's own would forbid PID 1 to do so.
        add(&["--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"]);
        add(&["--security-opt", "label=disable", "--user", &format!("{}:{}", lease.uid, lease.gid)]);
        add(&["--ulimit", &format!("nofile={}", both(u64::from(limits.files.max(64))))]);
        add(&["--ulimit", &format!("nproc={}", both(u64::from(limits.processes) + 2)), "--ulimit", "core=0:0"]);
        if self.engine.kind == Kind::Podman {
            add(&["--read-only-tmpfs=false", "--security-opt", "mask=/sys:/proc/kallsyms:/proc/config.gz"]);
            if self.engine.rootless {
                add(&["--userns", "keep-id"]);
            }
        }
        if self.engine.grouped {
            // Files in memory count as well, and PID 1.
            let together = mib(limits.memory) + 2 * mib(limits.disk) + 64;
            add(&["--memory", &format!("{together}m"), "--pids-limit", &(limits.processes + 2).to_string()]);
        } else {
            add(&["--cgroups=disabled"]);
        }
        for folder in ["/work", "/tmp"] {
            let size = format!("size={}m", mib(limits.disk));
            if self.engine.rootless {
                add(&["--tmpfs", &format!("{folder}:rw,exec,nosuid,nodev,{size},mode=1777")]);
                continue;
            }
            // A volume in memory, which goes with the container: what `--tmpfs` does, and a number of files as well. The
            // quotation marks are those of a list of values that has commas in one of them.
            let options = format!("{size},nr_inodes={INODES},nosuid,nodev");
            let volume = "type=volume,volume-opt=type=tmpfs,volume-opt=device=tmpfs";
            add(&["--mount", &format!("{volume},destination={folder},\"volume-opt=o={options}\"")]);
        }
        add(&["--shm-size", &format!("{}m", mib(limits.disk.min(SHARED)))]);

        let mut mounts: Vec<(PathBuf, PathBuf)> =
            vec![(self.settings.program.clone(), PROGRAM.into()), (meeting.folder.clone(), MEETING.into())];
        let system = self.system.iter().map(PathBuf::as_path);
        let etc = ["/etc/ld.so.cache", "/etc/alternatives"].into_iter().map(Path::new).filter(|path| path.exists());
        for path in system.chain(etc).chain(shown.iter().map(PathBuf::as_path)) {
            mounts.push((path.to_owned(), path.to_owned()));
        }
        for (source, target) in &mounts {
            let what = || format!("read-only path '{}'", source.display());
            std::fs::metadata(source).map_err(|error| failed(what(), error))?;
            let (Some(from), Some(to)) = (image::plain(source.as_os_str()), image::plain(target.as_os_str())) else {
                return Err(SandboxError {
                    hint: Some("give it a path without commas, colons and quotation marks".to_owned()),
                    ..failed(what(), "the engine's command line cannot carry it")
                });
            };
            add(&["--mount", &format!("type=bind,source={from},destination={to},ro=true")]);
        }
        add(&["--entrypoint", PROGRAM, image, inside::ASKED, &format!("{MEETING}/{SOCKET}")]);
        Ok(arguments)
    }
}

impl Sandbox for Containers {
    fn open(&self, spec: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
        Ok(Box::new(self.start(&spec)?))
    }

    fn describe(&self) -> String {
        format!(
            "container ({}{}), no network, read-only root, {}, no capabilities, seccomp allow-list, landlock ABI {}, {}, \
             rlimits, memory watch",
            self.version,
            self.engine.runtime.map(|runtime| format!(", {runtime}")).unwrap_or_default(),
            match (self.engine.rootless, self.pool) {
                (true, _) => "the starting user in a user namespace",
                (false, Pool::Own { .. }) => "an own user for each cage",
                (false, Pool::Starter { .. }) => "the starting user in each cage",
            },
            self.landlock_abi,
            if self.engine.grouped { "control groups" } else { "no control groups" },
        )
    }
}

/// Where PID 1 and the socket to meet it lie in a container.
const PROGRAM: &str = "/meliora/cage";
const MEETING: &str = "/meliora/meeting";
const SOCKET: &str = "s";

/// A socket that one container connects to, once. Its folder goes with it, so nothing answers there later.
struct Meeting {
    listener: OwnedFd,
    folder: PathBuf,
    name: String,
}

impl Meeting {
    fn arrange(scratch: &Path) -> Result<Self, SandboxError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let since =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let name = format!("meliora-{}-{since:x}-{turn}", std::process::id());
        let folder = scratch.join(&name);
        let broken = |error: std::io::Error| SandboxError {
            hint: Some(format!("{} must be a folder that can be written", scratch.display())),
            ..failed("socket of the container", error)
        };
        // Others of this machine cannot go in; the container sees it at another place. The user in it is another too.
        std::fs::DirBuilder::new().mode(0o711).create(&folder).map_err(broken)?;
        let failure = |errno: rustix::io::Errno| os_failed("socket of the container", errno.raw_os_error());
        let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(failure)?;
        let meeting = Meeting { listener, folder, name };
        let path = meeting.folder.join(SOCKET);
        let address = SocketAddrUnix::new(&path).map_err(failure)?;
        rustix::net::bind(&meeting.listener, &address).map_err(failure)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).map_err(broken)?;
        rustix::net::listen(&meeting.listener, 1).map_err(failure)?;
        Ok(meeting)
    }

    /// Waits for the container's PID 1.
    fn meet(&self, client: &mut Client) -> Result<OwnedFd, SandboxError> {
        let failure = |errno: rustix::io::Errno| os_failed("socket of the container", errno.raw_os_error());
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let tick = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let mut polls = [PollFd::new(&self.listener, PollFlags::IN)];
            match rustix::event::poll(&mut polls, Some(&tick)) {
                Ok(1..) => return rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC).map_err(failure),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failure(errno)),
            }
            if let Some(words) = client.ended() {
                return Err(SandboxError { hint: Some(client.engine.hint()), ..failed("container", words) });
            }
        }
        Err(SandboxError {
            hint: Some(client.engine.hint()),
            ..failed("container", format!("it did not stand in {} seconds", PATIENCE.as_secs()))
        })
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The engine's own process, which ends when the container is gone.
struct Client {
    child: Option<Child>,
    engine: Engine,
    name: String,
}

impl Client {
    /// What it said, if it has ended.
    fn ended(&mut self) -> Option<String> {
        let child = self.child.as_mut()?;
        let ended = child.try_wait().ok().flatten().is_some();
        ended.then(|| last_words(child))
    }
}

impl Drop for Client {
    /// PID 1 is dead, or never was: then the engine clears up by itself, else it is told to.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let start = Instant::now();
        while let Ok(None) = child.try_wait() {
            if start.elapsed() > FAREWELL {
                self.engine.remove(&self.name);
                child.kill().ok();
                child.wait().ok();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A container, used as any cage.
struct ContainerCage {
    cage: Option<NamespaceCage>,
    /// The engine's process and the user of the container, for whoever waits for their end.
    end: Option<(Client, Lease)>,
}

impl ContainerCage {
    fn cage(&self) -> &NamespaceCage {
        self.cage.as_ref().expect("it is taken by drop alone")
    }
}

impl Drop for ContainerCage {
    fn drop(&mut self) {
        // PID 1 is killed, or, where it is not ours to kill, ends with its socket.
        drop(self.cage.take());
        if let Some(end) = self.end.take() {
            // Engines take their time. A program that ends meanwhile leaves the clearing up to the engine.
            std::thread::spawn(move || drop(end));
        }
    }
}

impl Cage for ContainerCage {
    fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError> {
        self.cage().put(path, bytes, executable)
    }

    fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, CageError> {
        self.cage().get(path, limit)
    }

    fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError> {
        self.cage().list(path)
    }

    fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        self.cage().stat(path)
    }

    fn make_folder(&self, path: &str) -> Result<bool, CageError> {
        self.cage().make_folder(path)
    }

    fn remove(&self, path: &str) -> Result<(), CageError> {
        self.cage().remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), CageError> {
        self.cage().rename(from, to)
    }

    fn pause(&self, stopped: bool) -> Result<(), SandboxError> {
        self.cage().pause(stopped)
    }

    fn usage(&self) -> CageUsage {
        self.cage().usage()
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError> {
        self.cage().spawn(command)
    }
}
