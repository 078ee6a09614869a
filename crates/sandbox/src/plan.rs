//! Everything that a cage is built from, prepared by the host before the clone.
//!
//! The child of a clone in a process with threads may not allocate or lock, so whatever needs memory is made here:
//! C strings, mount trees, the filter, the environment, a stack.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::ptr;
use std::rc::Rc;

use meliora_domain::Limits;
use meliora_evolve::{CageSpec, SandboxError};

use crate::groups::Version;
use crate::interpreter::Interpreter;
use crate::sys;

/// User and group of the cage's processes, as they see themselves.
pub(crate) const CAGE_ID: u32 = 1000;

/// Files and folders of each writable folder; the same figure for a cage's own root.
pub(crate) const INODES: u32 = 16_384;
const ROOT_INODES: u32 = 4096;

/// Bytes and files of `/dev/shm`: enough for the locks and queues of a pool of processes and for some arrays.
pub(crate) const SHARED: u64 = 16 << 20;
const SHARED_INODES: u32 = 1024;

/// A tree of the host that the cage will see.
pub(crate) struct Mount {
    /// Where it lies on the host.
    pub(crate) source: CString,
    /// Where it goes, relative to the new root.
    pub(crate) target: CString,
    /// Its mount attributes.
    pub(crate) attributes: u64,
    /// Whether it is one file (or device), not a folder.
    pub(crate) file: bool,
    /// The detached tree: taken by the host where it has the right, else by the child.
    pub(crate) tree: Cell<RawFd>,
}

/// Landlock access rights for the kernel's ABI (`linux/landlock.h`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rights {
    pub(crate) handled_fs: u64,
    pub(crate) handled_net: u64,
    pub(crate) scoped: u64,
    /// On the whole root.
    pub(crate) look: u64,
    /// Under `/work` and `/tmp`.
    pub(crate) own: u64,
    /// Under `/dev/shm`: plain files, made, linked and removed.
    pub(crate) share: u64,
    /// On `/dev/null`.
    pub(crate) sink: u64,
    /// On a terminal.
    pub(crate) terminal: u64,
    /// On a folder of terminals, beside that.
    pub(crate) list: u64,
}

/// What the child needs.
pub(crate) struct Plan {
    /// The child's end of the control socket.
    pub(crate) control: RawFd,
    /// The control groups that it joins by itself (version 1).
    pub(crate) groups: Vec<RawFd>,
    /// The control group that it is cloned into (version 2).
    pub(crate) into: Option<RawFd>,
    /// Descriptors that the child keeps, sorted.
    pub(crate) keep: Vec<RawFd>,
    pub(crate) root_options: CString,
    pub(crate) space_options: CString,
    pub(crate) shared_options: CString,
    /// A second place of `/work`, relative to the new root.
    pub(crate) home: Option<CString>,
    /// Whether it has terminals of its own.
    pub(crate) terminals: bool,
    /// Folders to make, parents first, relative to the new root.
    pub(crate) folders: Vec<CString>,
    /// Links of the root (`lib`, `bin`, …): where to, name.
    pub(crate) links: Vec<(CString, CString)>,
    /// Small files: path, content.
    pub(crate) files: Vec<(CString, Vec<u8>)>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) rights: Rights,
    pub(crate) filter: Rc<Vec<libc::sock_filter>>,
    pub(crate) limits: Vec<(u32, u64, u64)>,
    /// Ends with a null pointer; points into `_env`.
    pub(crate) environment: Vec<*const libc::c_char>,
    /// The interpreter that commands may go on in: one that was started with this environment.
    pub(crate) python: Option<Rc<Interpreter>>,
    /// Stack for the moment between starting a command and its `execve`.
    pub(crate) stack: Rc<Vec<u128>>,
    _env: Vec<CString>,
    /// Closed when the plan goes.
    _trees: Vec<OwnedFd>,
}

/// What does not differ from cage to cage.
pub(crate) struct Ground {
    pub(crate) rights: Rights,
    /// Whether processes may hide their memory, because the host sees it anyway.
    pub(crate) may_hide: bool,
    /// The interpreter of this process, where it has one.
    pub(crate) python: Option<Rc<Interpreter>>,
    pub(crate) links: Vec<(CString, CString)>,
    /// The filters of system calls without and with terminals, once they are needed.
    filters: [OnceCell<Rc<Vec<libc::sock_filter>>>; 2],
    /// Each cage has a copy of it, as of all memory.
    stack: Rc<Vec<u128>>,
    /// Folders of the system: `/usr`, and those of `/lib` and so on that are no links.
    pub(crate) system: Vec<PathBuf>,
}

impl Ground {
    /// Looks at this machine once.
    pub(crate) fn survey(landlock_abi: u32) -> Result<Self, SandboxError> {
        let mut links = Vec::new();
        let mut system = vec![PathBuf::from("/usr")];
        for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
            let path = Path::new("/").join(name);
            if let Ok(to) = std::fs::read_link(&path) {
                links.push((c_string(&to)?, c_string(Path::new(name))?));
            } else if path.is_dir() {
                system.push(path);
            }
        }
        let rights = rights(landlock_abi);
        Ok(Ground { rights, may_hide: true, python: None, links, filters: Default::default(), stack: stack(), system })
    }

    /// The filter of a cage.
    fn filter(&self, terminals: bool) -> Rc<Vec<libc::sock_filter>> {
        let [without, with] = &self.filters;
        let place = if terminals { with } else { without };
        Rc::clone(place.get_or_init(|| crate::filter::program(self.may_hide, terminals).into()))
    }
}

/// The rights that each ABI knows: <https://docs.kernel.org/userspace-api/landlock.html>.
fn rights(abi: u32) -> Rights {
    const EXECUTE: u64 = 1;
    const WRITE_FILE: u64 = 1 << 1;
    const READ_FILE: u64 = 1 << 2;
    const READ_DIR: u64 = 1 << 3;
    const REMOVE_FILE: u64 = 1 << 5;
    const MAKE_CHAR: u64 = 1 << 6;
    const MAKE_REG: u64 = 1 << 8;
    const MAKE_BLOCK: u64 = 1 << 11;
    const REFER: u64 = 1 << 13; // ABI 2
    const TRUNCATE: u64 = 1 << 14; // ABI 3
    const IOCTL_DEV: u64 = 1 << 15; // ABI 5
    let mut all = (1 << 13) - 1;
    if abi >= 2 {
        all |= REFER;
    }
    if abi >= 3 {
        all |= TRUNCATE;
    }
    if abi >= 5 {
        all |= IOCTL_DEV;
    }
    Rights {
        handled_fs: all,
        handled_net: if abi >= 4 { 0b11 } else { 0 },
        scoped: if abi >= 6 { 0b11 } else { 0 },
        look: EXECUTE | READ_FILE | READ_DIR,
        own: all & !(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV),
        share: (READ_FILE | WRITE_FILE | READ_DIR | REMOVE_FILE | MAKE_REG | TRUNCATE) & all,
        sink: (READ_FILE | WRITE_FILE | TRUNCATE) & all,
        terminal: (READ_FILE | WRITE_FILE | IOCTL_DEV) & all,
        list: READ_DIR,
    }
}

impl Plan {
    /// Prepares a cage. `control` is the child's end of the control socket, `groups` what it joins control groups by.
    pub(crate) fn new(
        ground: &Ground,
        spec: &CageSpec,
        control: RawFd,
        groups: (Version, &[OwnedFd]),
    ) -> Result<Self, SandboxError> {
        let mut folders: BTreeSet<PathBuf> =
            ["dev", "dev/shm", "etc", "proc", "tmp", "usr", "work"].into_iter().map(PathBuf::from).collect();
        let mut links = ground.links.clone();
        if spec.terminals {
            folders.insert("dev/pts".into());
            links.push((c_string(Path::new("pts/ptmx"))?, c_string(Path::new("dev/ptmx"))?));
        }
        let mut mounts = Vec::new();
        for path in &ground.system {
            mounts.push(mount(path, false, READ_ONLY)?);
        }
        let tty = spec.terminals.then_some("tty");
        for device in ["null", "zero", "random", "urandom"].into_iter().chain(tty) {
            let path = Path::new("/dev").join(device);
            mounts.push(mount(&path, true, sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC)?);
        }
        // The loader's cache, and the links by which Debian finds `cc`.
        for (path, file) in [("/etc/ld.so.cache", true), ("/etc/alternatives", false)] {
            if Path::new(path).exists() {
                mounts.push(mount(Path::new(path), file, READ_ONLY)?);
            }
        }
        let shown = extra(spec, &ground.system)?;
        let home = home(spec, &ground.system, &shown)?;
        folders.extend(
            home.iter().flat_map(|home| home.ancestors()).filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf),
        );
        for path in shown {
            let file = !std::fs::metadata(&path)
                .map_err(|error| failed(format!("read-only path '{}'", path.display()), error))?
                .is_dir();
            mounts.push(mount(&path, file, READ_ONLY)?);
        }
        let mut files = vec![
            (c"etc/passwd".to_owned(), user_line(spec).into_bytes()),
            (c"etc/group".to_owned(), format!("cage:x:{CAGE_ID}:\n").into_bytes()),
            (c"etc/hosts".to_owned(), b"127.0.0.1 localhost\n::1 localhost\n".to_vec()),
        ];
        for mount in &mounts {
            let target = Path::new(std::ffi::OsStr::from_bytes(mount.target.as_bytes()));
            folders.extend(target.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf));
            if mount.file {
                files.push((mount.target.clone(), Vec::new()));
            } else {
                folders.insert(target.to_path_buf());
            }
        }

        let mut trees = Vec::new();
        for mount in &mounts {
            // The host takes the tree where it may, because the child's user cannot enter a folder such as /root.
            // Without the right to mount, host and child are the same user, and the child takes it.
            match sys::open_tree(&mount.source) {
                Ok(fd) => {
                    // SAFETY: the call just returned this descriptor to us alone.
                    trees.push(unsafe { OwnedFd::from_raw_fd(fd) });
                    mount.tree.set(fd);
                    sys::harden_tree(fd, mount.attributes).map_err(|errno| unshown(mount, errno))?;
                }
                Err(libc::EPERM) => break,
                Err(errno) => return Err(unshown(mount, errno)),
            }
        }

        let env = environment(&spec.env)?;
        let mut keep: Vec<RawFd> = mounts.iter().map(|m| m.tree.get()).filter(|fd| *fd >= 0).collect();
        keep.push(control);
        let entrances = groups.1.iter().map(AsRawFd::as_raw_fd);
        let (groups, into): (Vec<RawFd>, _) = match groups.0 {
            Version::One => (entrances.collect(), None),
            Version::Two => (Vec::new(), entrances.clone().next()),
        };
        keep.extend(&groups);
        keep.sort_unstable();
        Ok(Plan {
            control,
            groups,
            into,
            keep,
            root_options: options(4 << 20, ROOT_INODES, "755"),
            space_options: options(spec.limits.disk, INODES, "700"),
            shared_options: options(spec.limits.disk.min(SHARED), SHARED_INODES, "700"),
            home: home.as_deref().map(c_string).transpose()?,
            terminals: spec.terminals,
            folders: folders.iter().map(|path| c_string(path)).collect::<Result<_, _>>()?,
            links,
            files,
            mounts,
            rights: ground.rights,
            filter: ground.filter(spec.terminals),
            limits: rlimits(&spec.limits),
            environment: env.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect(),
            python: ground.python.clone().filter(|python| python.env == spec.env),
            stack: Rc::clone(&ground.stack),
            _env: env,
            _trees: trees,
        })
    }
}

/// 64 KiB.
fn stack() -> Rc<Vec<u128>> {
    vec![0; 64 * 1024 / size_of::<u128>()].into()
}

/// A path that cannot be shown in the cage.
fn unshown(mount: &Mount, errno: i32) -> SandboxError {
    let what = format!("read-only path '{}'", mount.source.to_string_lossy());
    let hint = (errno == libc::ENOSYS).then(|| "Linux 5.12 or newer is needed".to_owned());
    SandboxError { hint, ..os_failed(&what, errno) }
}

impl Plan {
    /// Prepares PID 1 of a cage that stands already, built by a container's engine: its folders are mounted.
    pub(crate) fn within(landlock_abi: u32, spec: &CageSpec, control: RawFd) -> Result<Self, SandboxError> {
        let env = environment(&spec.env)?;
        Ok(Plan {
            control,
            groups: Vec::new(),
            into: None,
            keep: vec![control],
            root_options: CString::default(),
            space_options: CString::default(),
            shared_options: CString::default(),
            home: None,
            terminals: spec.terminals,
            folders: Vec::new(),
            links: Vec::new(),
            files: Vec::new(),
            mounts: Vec::new(),
            rights: rights(landlock_abi),
            // The host may have no right to look into a process that hides, as in a user namespace of the engine's.
            filter: crate::filter::program(false, spec.terminals).into(),
            limits: rlimits(&spec.limits),
            environment: env.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect(),
            python: None,
            stack: stack(),
            _env: env,
            _trees: Vec::new(),
        })
    }
}

const READ_ONLY: u64 = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;

fn mount(path: &Path, file: bool, attributes: u64) -> Result<Mount, SandboxError> {
    let target = path.strip_prefix("/").unwrap_or(path);
    Ok(Mount { source: c_string(path)?, target: c_string(target)?, attributes, file, tree: Cell::new(-1) })
}

/// The paths of the spec that are not there anyway, parents before children and no child of one twice.
pub(crate) fn extra(spec: &CageSpec, system: &[PathBuf]) -> Result<Vec<PathBuf>, SandboxError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut wanted: Vec<&Path> = spec.read_only.iter().map(|r| r.path.as_path()).collect();
    wanted.sort();
    for path in wanted {
        let refuse = |why: &str| {
            Err(SandboxError {
                what: format!("read-only path '{}'", path.display()),
                cause: why.to_owned(),
                hint: Some("name the folder of the interpreter or toolchain itself".to_owned()),
            })
        };
        let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        if !path.is_absolute() || !plain {
            return refuse("it is not absolute, or has '..' in it");
        }
        const OURS: [&str; 6] = ["/", "/work", "/tmp", "/etc", "/usr", "/bin"];
        if system.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        if ["/proc", "/sys", "/dev", "/run"].iter().any(|folder| path.starts_with(folder))
            || OURS.iter().any(|folder| path == Path::new(folder))
        {
            return refuse("a cage has its own, or none");
        }
        // `/lib/x` on a merged system lies under `/usr` already.
        let first = path.components().nth(1).map(|c| Path::new("/").join(c));
        if first.is_some_and(|first| first.is_symlink()) {
            continue;
        }
        if !paths.iter().any(|above| path.starts_with(above)) {
            paths.push(path.to_path_buf());
        }
    }
    Ok(paths)
}

/// The second place of `/work`, relative to the root: one that the cage has no other use for.
pub(crate) fn home(spec: &CageSpec, system: &[PathBuf], shown: &[PathBuf]) -> Result<Option<PathBuf>, SandboxError> {
    let Some(text) = spec.home.as_deref().filter(|home| *home != "/work") else { return Ok(None) };
    let home = Path::new(text);
    let plain = home.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    let ours =
        ["/work", "/tmp", "/etc", "/dev", "/proc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
    let taken = |other: &Path| home.starts_with(other) || other.starts_with(home);
    let cause = if !home.is_absolute() || !plain || text.contains("//") || text.ends_with('/') {
        "it is not an absolute path in its plainest form"
    } else if ours.iter().any(|path| taken(Path::new(path))) || system.iter().chain(shown).any(|path| taken(path)) {
        "something else lies there in the cage"
    } else {
        return Ok(home.strip_prefix("/").ok().map(Path::to_path_buf));
    };
    Err(SandboxError {
        what: format!("home folder '{text}' of the cage"),
        cause: cause.to_owned(),
        hint: Some("name a folder of its own, such as /home/user".to_owned()),
    })
}

fn user_line(spec: &CageSpec) -> String {
    format!("cage:x:{CAGE_ID}:{CAGE_ID}::{}:/bin/sh\n", spec.home.as_deref().unwrap_or("/work"))
}

fn environment(pairs: &[(String, String)]) -> Result<Vec<CString>, SandboxError> {
    pairs
        .iter()
        .map(|(name, value)| {
            if name.is_empty() || name.contains('=') {
                return Err(failed(format!("environment variable '{name}'"), "not a name"));
            }
            CString::new(format!("{name}={value}"))
                .map_err(|_| failed(format!("environment variable '{name}'"), "it has a zero byte in it"))
        })
        .collect()
}

/// Resource limits of each command: which, soft, hard.
fn rlimits(limits: &Limits) -> Vec<(u32, u64, u64)> {
    let both = |which: u32, value: u64| (which, value, value);
    vec![
        // Writable private memory. Address space would be the wrong measure: V8 reserves tens of GiB that it never
        // touches. Shared memory and the sum over processes are watched from outside (`watch.rs`).
        both(libc::RLIMIT_DATA, limits.memory),
        both(libc::RLIMIT_STACK, 8 << 20),
        // One more for PID 1, which has the same user.
        both(libc::RLIMIT_NPROC, u64::from(limits.processes) + 1),
        both(libc::RLIMIT_NOFILE, u64::from(limits.files)),
        both(libc::RLIMIT_FSIZE, limits.disk),
        // The soft limit asks (SIGXCPU), the hard one, a second later, kills.
        (libc::RLIMIT_CPU, u64::from(limits.cpu_seconds), u64::from(limits.cpu_seconds) + 1),
        both(libc::RLIMIT_CORE, 0),
        both(libc::RLIMIT_MEMLOCK, 1 << 20),
        both(libc::RLIMIT_MSGQUEUE, 0),
        both(libc::RLIMIT_SIGPENDING, 1024),
        both(libc::RLIMIT_NICE, 0),
        both(libc::RLIMIT_RTPRIO, 0),
    ]
}

fn options(size: u64, inodes: u32, mode: &str) -> CString {
    CString::new(format!("size={},nr_inodes={inodes},mode={mode}", size.max(4096)))
        .expect("digits and letters hold no zero byte")
}

fn c_string(path: &Path) -> Result<CString, SandboxError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| failed(format!("path '{}'", path.display()), "it has a zero byte in it"))
}

/// A failure of ours, with its cause.
pub(crate) fn failed(what: impl Into<String>, cause: impl ToString) -> SandboxError {
    SandboxError { what: what.into(), cause: cause.to_string(), hint: None }
}

/// A failure of ours, with the kernel's reason.
pub(crate) fn os_failed(what: &str, errno: i32) -> SandboxError {
    failed(what, std::io::Error::from_raw_os_error(errno))
}

/// Pointer to a C string, or to nothing.
pub(crate) fn pointer(text: Option<&CStr>) -> *const libc::c_char {
    text.map_or(ptr::null(), CStr::as_ptr)
}
