//! Files of a cage, written and read by the host without ever trusting a name in it.
//!
//! Every path is resolved beneath one of the two writable folders, by the kernel, without any link; nothing is opened
//! that could block; nothing is read that is not a regular file.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use meliora_evolve::{CageEntry, CageError, EntryKind};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::plan::{failed, os_failed};

/// Entries of a folder that are told at most.
const ENTRIES: usize = 10_000;

/// The two writable folders, and whose they are.
pub(crate) struct Folders {
    pub(crate) work: OwnedFd,
    pub(crate) tmp: OwnedFd,
    /// `/dev/pts`, where the cage has one.
    pub(crate) terminals: Option<OwnedFd>,
    /// The second path of `/work` in the cage.
    pub(crate) home: Option<String>,
    /// The cage's user and group on the host, where they are not the host's own.
    pub(crate) owner: Option<(u32, u32)>,
}

/// Until dropped, this thread uses files as the cage's user: the host's root could not even make a file in a file
/// system of another user namespace (EOVERFLOW), and should not pass its permissions.
struct AsOwner {
    before: Option<(u32, u32)>,
}

impl AsOwner {
    fn of(folders: &Folders) -> Self {
        let before = folders.owner.map(|(uid, gid)| {
            // Group first: without the user's rights it could not be set.
            // SAFETY: numbers only; for files both are of this thread alone.
            unsafe {
                let gid = libc::setfsgid(gid) as u32;
                (libc::setfsuid(uid) as u32, gid)
            }
        });
        AsOwner { before }
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some((uid, gid)) = self.before {
            // SAFETY: as above.
            unsafe {
                libc::setfsuid(uid);
                libc::setfsgid(gid);
            }
        }
    }
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

fn no_file(path: &str, why: impl ToString) -> CageError {
    CageError::NoFile { path: path.to_owned(), why: why.to_string() }
}

/// What an error number means for a path that the subject may have shaped.
fn explain(path: &str, errno: Errno) -> CageError {
    match errno {
        Errno::NOSPC | Errno::DQUOT => CageError::Full { path: path.to_owned() },
        Errno::LOOP => no_file(path, "it leads through a link"),
        Errno::XDEV => no_file(path, "it leads out of the writable folder"),
        Errno::NXIO => no_file(path, "it is a pipe or a socket"),
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO => {
            CageError::Machinery(os_failed("files of the cage", errno.raw_os_error()))
        }
        other => no_file(path, other),
    }
}

impl Folders {
    /// Does something to files as the cage's user.
    pub(crate) fn as_owner<T>(&self, work: impl FnOnce() -> T) -> T {
        let _owner = AsOwner::of(self);
        work()
    }

    /// The writable folder that a path lies in, and the rest of the path.
    fn split<'a>(&self, path: &'a str) -> Result<(BorrowedFd<'_>, &'a str), CageError> {
        let home = self.home.as_deref().map(|home| (home, &self.work));
        for (prefix, folder) in [("/work", &self.work), ("/tmp", &self.tmp)].into_iter().chain(home) {
            if let Some(rest) = path.strip_prefix(prefix)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                let rest = rest.trim_matches('/');
                if rest.split('/').any(|part| part == ".." || part.contains('\0')) {
                    return Err(no_file(path, "it has '..' or a zero byte in it"));
                }
                return Ok((folder.as_fd(), if rest.is_empty() { "." } else { rest }));
            }
        }
        Err(no_file(path, "only /work and /tmp can be used"))
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError> {
        let (base, rest) = self.split(path)?;
        let _owner = AsOwner::of(self);
        let (folder, name) = parent(base, rest, true).map_err(|e| explain(path, e))?;
        // Always a new file: whatever the subject left at that name is never opened.
        let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = || rustix::fs::openat2(&folder, name, flags, mode, BENEATH);
        let file = match create() {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(&folder, name, AtFlags::empty()).map_err(|e| explain(path, e))?;
                create()
            }
            other => other,
        }
        .map_err(|e| explain(path, e))?;
        // The host's umask is not the cage's business.
        rustix::fs::fchmod(&file, mode).map_err(|e| explain(path, e))?;
        std::fs::File::from(file).write_all(bytes).map_err(|error| match Errno::from_io_error(&error) {
            Some(errno) => explain(path, errno),
            None => CageError::Machinery(failed("files of the cage", error)),
        })
    }

    pub(crate) fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, CageError> {
        let (base, rest) = self.split(path)?;
        let _owner = AsOwner::of(self);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(base, rest, flags, Mode::empty(), BENEATH).map_err(|e| explain(path, e))?;
        let stat = rustix::fs::fstat(&file).map_err(|e| explain(path, e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(no_file(path, "it is no regular file"));
        }
        let too_large = |size| CageError::TooLarge { path: path.to_owned(), size, limit };
        let size = stat.st_size as u64;
        if size > limit {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        // It may grow while it is read.
        std::fs::File::from(file)
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| CageError::Machinery(failed("files of the cage", error)))?;
        if bytes.len() as u64 > limit {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError> {
        let (base, rest) = self.split(path)?;
        let _owner = AsOwner::of(self);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat2(base, rest, flags, Mode::empty(), BENEATH).map_err(|e| explain(path, e))?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder).map_err(|e| explain(path, e))? {
            let entry = entry.map_err(|e| explain(path, e))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if entries.len() == ENTRIES {
                break;
            }
            // It may be gone by now; then it is no entry.
            let Ok(stat) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            entries.push(entry_of(folder.as_fd(), name, &stat));
        }
        Ok(entries)
    }

    pub(crate) fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        let (base, rest) = self.split(path)?;
        let _owner = AsOwner::of(self);
        let (folder, name) = parent(base, rest, false).map_err(|e| explain(path, e))?;
        let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| explain(path, e))?;
        let name = std::ffi::CString::new(name).map_err(|e| no_file(path, e))?;
        let entry = entry_of(folder.as_fd(), &name, &stat);
        let own = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(CageEntry { name: own.to_owned(), ..entry })
    }

    pub(crate) fn make_folder(&self, path: &str) -> Result<bool, CageError> {
        let (base, rest) = self.split(path)?;
        let _owner = AsOwner::of(self);
        let make = || {
            let (folder, name) = parent(base, rest, true)?;
            match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Err(Errno::EXIST) => match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(false),
                    _ => Err(Errno::EXIST),
                },
                made => made.map(|()| true),
            }
        };
        make().map_err(|e| explain(path, e))
    }

    pub(crate) fn remove(&self, path: &str) -> Result<(), CageError> {
        let (base, rest) = self.split(path)?;
        if rest == "." {
            return Err(no_file(path, "a writable folder itself stays"));
        }
        let _owner = AsOwner::of(self);
        let (folder, name) = parent(base, rest, false).map_err(|e| explain(path, e))?;
        let name = std::ffi::CString::new(name).map_err(|e| no_file(path, e))?;
        remove(folder.as_fd(), &name, 0).map_err(|e| explain(path, e))
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), CageError> {
        let (old_base, old) = self.split(from)?;
        let (new_base, new) = self.split(to)?;
        if old == "." || new == "." {
            return Err(no_file(from, "a writable folder itself stays"));
        }
        let _owner = AsOwner::of(self);
        let (old_folder, old) = parent(old_base, old, false).map_err(|e| explain(from, e))?;
        let (new_folder, new) = parent(new_base, new, true).map_err(|e| explain(to, e))?;
        match rustix::fs::renameat(&old_folder, old, &new_folder, new) {
            // `/work` and `/tmp` are file systems of their own.
            Err(Errno::XDEV) => Err(no_file(from, "it cannot be moved between /work and /tmp; copy it")),
            other => other.map_err(|e| explain(from, e)),
        }
    }
}

/// The folder that a path's last part lies in, and that part. No link on the way is followed.
fn parent<'a>(base: BorrowedFd<'_>, rest: &'a str, make: bool) -> Result<(OwnedFd, &'a str), Errno> {
    let (parents, name) = rest.rsplit_once('/').unwrap_or(("", rest));
    let mut folder = rustix::io::fcntl_dupfd_cloexec(base, 3)?;
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        if make {
            match rustix::fs::mkdirat(&folder, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        folder = rustix::fs::openat2(&folder, part, flags, Mode::empty(), BENEATH)?;
    }
    Ok((folder, name))
}

fn entry_of(folder: BorrowedFd<'_>, name: &std::ffi::CStr, stat: &Stat) -> CageEntry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Folder,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    };
    // Another link may stand there by now: its target is as good.
    let target = match kind {
        EntryKind::Link => rustix::fs::readlinkat(folder, name, Vec::new()).ok(),
        _ => None,
    };
    CageEntry {
        name: name.to_string_lossy().into_owned(),
        kind,
        size: stat.st_size as u64,
        mode: stat.st_mode & 0o7777,
        modified: Duration::new(u64::try_from(stat.st_mtime).unwrap_or(0), stat.st_mtime_nsec as u32),
        target: target.map(|t| t.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

/// Folders in folders that are removed; deeper ones go with the cage.
const DEPTH: usize = 128;

fn remove(folder: BorrowedFd<'_>, name: &std::ffi::CStr, depth: usize) -> Result<(), Errno> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) if depth < DEPTH => {}
        other => return other,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = rustix::fs::openat2(folder, name, flags, Mode::empty(), BENEATH)?;
    for entry in Dir::read_from(&inner)? {
        let entry = entry?;
        let below = entry.file_name();
        if below != c"." && below != c".." {
            match remove(inner.as_fd(), below, depth + 1) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)
}
