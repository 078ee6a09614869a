//! Control groups: limits that hold over all processes of a cage together, whatever they share and however fast they are.
//!
//! Version 2 where a folder of it was delegated to us, else version 1, else none, and [`Groups::describe`] says which and
//! why. A group serves one cage at a time and then the next: making one costs more than all that a cage needs of it. The
//! groups of a host lie in one folder per hierarchy that the host holds locked, so that whoever comes later can tell
//! those of a dead host and remove them. Nothing of the groups of others is ever touched.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meliora_domain::Limits;
use meliora_evolve::SandboxError;
use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::plan::{SHARED, failed};

/// Beginning of the names of our folders.
const OURS: &str = "meliora-";
/// What a cage may hold beside the memory of its programs and its files: kernel structures, pages of its first process.
const ROOM: u64 = 64 << 20;
/// A group that still holds more than this is not used again yet: the files of the cage before are being given back.
const LEFT_OVER: u64 = 8 << 20;

/// Which interface the kernel offers us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// A hierarchy for each controller; a process joins by itself.
    One,
    /// One hierarchy; a process is cloned into it.
    Two,
}

/// A folder in which we may make groups, and the controllers that limit there.
#[derive(Clone, Debug)]
struct Hierarchy {
    base: PathBuf,
    controllers: Vec<&'static str>,
}

/// Where groups come from.
pub(crate) struct Groups {
    version: Version,
    /// Our own folder in each hierarchy, and the lock on it.
    folders: Vec<(PathBuf, Vec<&'static str>, OwnedFd)>,
    free: Mutex<Vec<Arc<Group>>>,
    next: AtomicU32,
}

/// One group.
pub(crate) struct Group {
    version: Version,
    /// One of each hierarchy; files in them are opened for the moment, for there may be many groups.
    folders: Vec<PathBuf>,
    /// The one that limits memory.
    memory: Option<PathBuf>,
    /// The limits in force, memory and processes, and the kills that were noticed or that were before this cage.
    state: Mutex<(u64, u64, u64)>,
}

/// A group, lent to a cage until this is dropped.
pub(crate) struct Lent {
    pub(crate) group: Arc<Group>,
    groups: Arc<Groups>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.groups.free().push(Arc::clone(&self.group));
    }
}

impl Groups {
    /// Looks for what this process may use, removes what dead hosts left there, and makes a first group to be sure.
    ///
    /// # Errors
    /// Why there are no groups for us.
    pub(crate) fn survey() -> Result<Arc<Self>, String> {
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let (mounts, own) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
        let two = delegated(&mounts, &own).and_then(|hierarchy| Self::at(Version::Two, vec![hierarchy]));
        let why_not_two = match two {
            Ok(groups) => return Ok(groups),
            Err(why) => why,
        };
        separate(&mounts, &own)
            .and_then(|hierarchies| Self::at(Version::One, hierarchies))
            .map_err(|why_not_one| format!("version 2: {why_not_two}; version 1: {why_not_one}"))
    }

    fn at(version: Version, hierarchies: Vec<Hierarchy>) -> Result<Arc<Self>, String> {
        let mut groups = Groups { version, folders: Vec::new(), free: Mutex::default(), next: AtomicU32::new(0) };
        for Hierarchy { base, controllers } in hierarchies {
            sweep(&base);
            let (folder, lock) = claim(&base).map_err(|error| format!("{}: {error}", base.display()))?;
            let list = controllers.iter().fold(String::new(), |mut list, name| {
                // Writing to a string does not fail.
                write!(list, "+{name} ").ok();
                list
            });
            let enabled = match version {
                Version::One => Ok(()),
                Version::Two => std::fs::write(folder.join("cgroup.subtree_control"), list),
            };
            groups.folders.push((folder, controllers, lock));
            enabled.map_err(|error| format!("{}: {error}", base.display()))?;
        }
        let groups = Arc::new(groups);
        drop(groups.lend(&Limits::default()).map_err(|error| error.to_string())?);
        Ok(groups)
    }

    /// Which it is, in words.
    pub(crate) fn describe(&self) -> String {
        let number = if self.version == Version::One { 1 } else { 2 };
        let names: Vec<&str> = self.folders.iter().flat_map(|(_, names, _)| names.iter().copied()).collect();
        format!("cgroup v{number} ({})", names.join(", "))
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Group>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group with these limits and nobody in it.
    pub(crate) fn lend(self: &Arc<Self>, limits: &Limits) -> Result<Lent, SandboxError> {
        let ready = {
            let mut free = self.free();
            let place = free.iter().rposition(|group| group.usage().unwrap_or(0) <= LEFT_OVER);
            place.map(|place| free.swap_remove(place))
        };
        let failure = |error: std::io::Error| SandboxError {
            hint: Some("the folder of this process's control group must stay as it is while Meliora runs".to_owned()),
            ..failed("control group of the cage", error)
        };
        let group = match ready {
            Some(group) => group,
            None => Arc::new(self.make().map_err(failure)?),
        };
        let lent = Lent { group, groups: Arc::clone(self) };
        lent.group.limit(limits).map_err(failure)?;
        Ok(lent)
    }

    fn make(&self) -> std::io::Result<Group> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let mut group = Group {
            version: self.version,
            folders: Vec::new(),
            memory: None,
            state: Mutex::new((u64::MAX, u64::MAX, 0)),
        };
        for (folder, controllers, _) in &self.folders {
            let folder = folder.join(&name);
            std::fs::create_dir(&folder)?;
            if controllers.contains(&"memory") {
                group.memory = Some(folder.clone());
            }
            group.folders.push(folder);
        }
        Ok(group)
    }
}

impl Group {
    /// What a process joins it by: `tasks` of each hierarchy (version 1), or the folder (version 2).
    pub(crate) fn entrances(&self) -> std::io::Result<Vec<OwnedFd>> {
        let open = |folder: &PathBuf| match self.version {
            Version::One => File::options().write(true).open(folder.join("tasks")),
            Version::Two => File::open(folder),
        };
        self.folders.iter().map(|folder| open(folder).map(OwnedFd::from)).collect()
    }

    fn limit(&self, limits: &Limits) -> std::io::Result<()> {
        // The files of the cage are memory as well.
        let files = limits.disk.saturating_mul(2).saturating_add(SHARED);
        let memory = limits.memory.saturating_add(files).saturating_add(ROOM);
        // One more for PID 1.
        let processes = u64::from(limits.processes) + 1;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.2 = self.count_kills();
        if (state.0, state.1) == (memory, processes) {
            return Ok(());
        }
        let find = |file: &str| self.folders.iter().map(|folder| folder.join(file)).find(|path| path.exists());
        let set = |file: &str, value: &str| match find(file) {
            Some(path) => std::fs::write(path, value),
            None => Ok(()),
        };
        let number = memory.to_string();
        match self.version {
            Version::One => {
                // Never above the sum with swap, in whatever order they change.
                set("memory.memsw.limit_in_bytes", "-1")?;
                set("memory.limit_in_bytes", &number)?;
                set("memory.memsw.limit_in_bytes", &number)?;
            }
            Version::Two => {
                set("memory.max", &number)?;
                set("memory.swap.max", "0")?;
            }
        }
        set("pids.max", &processes.to_string())?;
        (state.0, state.1) = (memory, processes);
        Ok(())
    }

    /// Bytes that it holds now, files included.
    pub(crate) fn usage(&self) -> Option<u64> {
        self.read("memory.usage_in_bytes", "memory.current")?.trim().parse().ok()
    }

    /// What a file of the memory controller says, of either version.
    fn read(&self, one: &str, two: &str) -> Option<String> {
        let name = if self.version == Version::One { one } else { two };
        std::fs::read_to_string(self.memory.as_ref()?.join(name)).ok()
    }

    fn count_kills(&self) -> u64 {
        let text = self.read("memory.oom_control", "memory.events").unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// Whether the kernel killed a process of this cage for its memory since this was last asked.
    pub(crate) fn has_killed(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut state.2, self.count_kills());
        state.2 > before
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in self.free().drain(..) {
            for folder in &group.folders {
                remove(folder);
            }
        }
        for (folder, _, _) in &self.folders {
            remove(folder);
        }
    }
}

/// Removes a group that is empty, or is about to be.
fn remove(folder: &Path) {
    for _ in 0..100 {
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => return,
        }
    }
}

fn lock(folder: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(folder, flags, Mode::empty()).ok()?;
    rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(fd)
}

/// Makes a folder of our own and locks it. Whoever sweeps in between may have removed it; then another one.
fn claim(base: &Path) -> std::io::Result<(PathBuf, OwnedFd)> {
    let mut last = std::io::Error::other("no folder of our own stays");
    for turn in 0..16 {
        let folder = base.join(format!("{OURS}{}-{turn}", std::process::id()));
        match std::fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                last = error;
                continue;
            }
            Err(error) => return Err(error),
        }
        if let Some(fd) = lock(&folder)
            && let (Ok(held), Ok(there)) = (rustix::fs::fstat(&fd), std::fs::metadata(&folder))
            && held.st_ino == there.ino()
        {
            return Ok((folder, fd));
        }
    }
    Err(last)
}

/// Removes what hosts left that are no more: their folders are not locked.
fn sweep(base: &Path) {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
    };
    for folder in folders(base) {
        let ours = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(OURS));
        if let Some(_lock) = ours.then(|| lock(&folder)).flatten() {
            // One that is busy is left to the next start: its last processes are ending.
            for group in folders(&folder) {
                std::fs::remove_dir(group).ok();
            }
            std::fs::remove_dir(&folder).ok();
        }
    }
}

/// Mount point, root and options of the mounts of a kind (`proc_pid_mountinfo(5)`).
fn mounts<'a>(text: &'a str, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    text.lines().filter_map(move |line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let (is, options) = (after.next()?, after.nth(1)?);
        let mut before = before.split(' ').skip(3);
        let (root, place) = (before.next()?, before.next()?);
        (is == kind).then_some((place, root, options))
    })
}

/// The folder of a group under a mount of which it may see a part only.
fn place(mount: &str, root: &str, group: &str) -> Option<PathBuf> {
    let below = if root == "/" { group } else { group.strip_prefix(root)? };
    (!below.contains("..")).then(|| Path::new(mount).join(below.trim_start_matches('/')))
}

/// The folder of version 2 in which we may limit memory and processes: our own group, or the one above it.
fn delegated(mountinfo: &str, own: &str) -> Result<Hierarchy, String> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("there is none")?;
    let folder = mounts(mountinfo, "cgroup2").find_map(|(mount, root, _)| place(mount, root, group));
    let folder = folder.ok_or("it is not mounted")?;
    let words = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let mut why = "it does not limit memory and processes here".to_owned();
    for base in [Some(folder.as_path()), folder.parent()].into_iter().flatten() {
        let has = |file: &str, name: &str| words(base.join(file)).split_whitespace().any(|word| word == name);
        if !["memory", "pids"].iter().all(|name| has("cgroup.controllers", name)) {
            continue;
        }
        let mut controllers = Vec::new();
        for name in ["memory", "pids", "cpu"] {
            let wanted = has("cgroup.controllers", name);
            // Where it is on for the groups below already, nothing has to be written.
            if wanted && !has("cgroup.subtree_control", name) {
                let file = File::options().write(true).open(base.join("cgroup.subtree_control"));
                if let Err(error) = file.and_then(|mut file| file.write_all(format!("+{name}").as_bytes())) {
                    why = format!("not delegated ({}: {error})", base.display());
                    continue;
                }
            }
            if wanted {
                controllers.push(name);
            }
        }
        if controllers.contains(&"memory") && controllers.contains(&"pids") {
            return Ok(Hierarchy { base: base.to_owned(), controllers });
        }
    }
    Err(why)
}

/// The folders of version 1, one for each controller: memory and processes, and the processor where it can be had.
fn separate(mountinfo: &str, own: &str) -> Result<Vec<Hierarchy>, String> {
    let mut hierarchies: Vec<Hierarchy> = Vec::new();
    for name in ["memory", "pids", "cpu"] {
        let among = |list: &str| list.split(',').any(|word| word == name);
        let group = own.lines().find_map(|line| {
            let (names, group) = line.split_once(':')?.1.split_once(':')?;
            among(names).then_some(group)
        });
        let base = group.and_then(|group| {
            let mut mounts = mounts(mountinfo, "cgroup").filter(|(_, _, options)| among(options));
            mounts.find_map(|(mount, root, _)| place(mount, root, group))
        });
        match base {
            Some(base) => match hierarchies.iter_mut().find(|other| other.base == base) {
                Some(other) => other.controllers.push(name),
                None => hierarchies.push(Hierarchy { base, controllers: vec![name] }),
            },
            None if name == "cpu" => {}
            None => return Err(format!("no {name} controller")),
        }
    }
    Ok(hierarchies)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Groups of version 2 that limit nothing, in the root of its hierarchy, for whoever may make them there.
    pub(crate) fn unlimited() -> Option<(Arc<Groups>, PathBuf)> {
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let base = mounts(&mountinfo, "cgroup2").map(|(mount, _, _)| PathBuf::from(mount)).next()?;
        let groups = Groups::at(Version::Two, vec![Hierarchy { base, controllers: Vec::new() }]).ok()?;
        let folder = groups.folders[0].0.clone();
        Some((groups, folder))
    }

    const MOUNTS: &str = "\
30 29 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn the_folders_of_our_own_groups_are_found_under_any_mount() {
        let own = "5:cpu,cpuacct:/a\n4:memory:/docker/abc/x\n3:pids:/\n0::/u\n";
        let found = separate(MOUNTS, own).unwrap();
        let told: Vec<_> = found.iter().map(|h| (h.base.to_str().unwrap(), h.controllers.as_slice())).collect();
        assert_eq!(
            told,
            [
                ("/sys/fs/cgroup/memory/x", &["memory"][..]),
                ("/sys/fs/cgroup/pids/", &["pids"]),
                ("/sys/fs/cgroup/cpu,cpuacct/a", &["cpu"]),
            ]
        );
        assert!(separate(MOUNTS, "3:pids:/\n0::/\n").unwrap_err().contains("memory"));
        assert!(separate(MOUNTS, "4:memory:/../x\n3:pids:/\n").is_err(), "a group outside of what we see");
        assert!(separate("", own).is_err());
        assert!(delegated(MOUNTS, "3:pids:/\n").unwrap_err().contains("none"));
        assert!(delegated("", own).unwrap_err().contains("mounted"));
    }

    /// Groups in an ordinary folder: everything but the limits themselves.
    #[test]
    fn a_host_removes_what_the_dead_left_and_nothing_that_is_held() {
        let base = tempfile::tempdir().unwrap();
        for name in ["meliora-1-0/3", "meliora-2-0", "other/1"] {
            std::fs::create_dir_all(base.path().join(name)).unwrap();
        }
        let (held, _lock) = claim(base.path()).unwrap();
        std::fs::create_dir(held.join("0")).unwrap();
        sweep(base.path());
        let mut left: Vec<_> =
            std::fs::read_dir(base.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let own = held.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(left, [own, "other".to_owned()]);
        let (second, _lock) = claim(base.path()).unwrap();
        assert_ne!(held, second);
    }
}
