//! The genome's files in a folder: read and replaced without ever following a symbolic link.
//!
//! Every file is opened relative to the root's own descriptor with `openat2`, which refuses links and paths that lead
//! outside, so that nobody can swap a folder for a link between a check and a use.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use meliora_domain::{FileBody, Genome, GenomePath};
use meliora_evolve::TargetError;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::globs::{ASIDE, Globs};

/// Bytes that all files of a genome may have together.
pub(crate) const MOST_BYTES: u64 = 64 << 20;

/// What is in the place of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Nothing,
    File,
    /// A link, or behind one.
    Link,
    /// A folder, a pipe, a device, or below something that is no folder.
    Other,
}

/// A folder that the genome's paths are relative to.
pub(crate) struct Root {
    fd: OwnedFd,
}

pub(crate) fn failed(what: impl Into<String>, cause: impl ToString) -> TargetError {
    TargetError::Failed { what: what.into(), cause: cause.to_string() }
}

/// Reads the genome under a folder that need not be in a git repository: regular files that `globs` takes, of any
/// content. Symbolic links are skipped and never followed, as are folders that are git repositories of their own.
/// Errors: a file that cannot be read, whose name no genome can hold or differs from another only in case, and more
/// than 64 MiB in all.
pub fn read_genome(root: &Path, globs: &Globs) -> Result<Genome, TargetError> {
    Root::open(root)?.read(globs)
}

impl Root {
    /// Opens the folder. The root itself may be reached through links; nothing below it may.
    pub(crate) fn open(path: &Path) -> Result<Root, TargetError> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| failed(format!("open the genome's folder {}", path.display()), e))?;
        Ok(Root { fd })
    }

    pub(crate) fn read(&self, globs: &Globs) -> Result<Genome, TargetError> {
        let mut paths = Vec::new();
        self.list("", globs, &mut paths)?;
        paths.sort_unstable();
        let mut left = MOST_BYTES;
        let mut files = Vec::new();
        for path in paths {
            let place = GenomePath::new(&path).map_err(|e| failed(format!("read the file '{path}'"), e))?;
            let body = self.read_file(&path, &mut left)?;
            files.push((place, body));
        }
        let genome: Genome = files.into_iter().collect();
        refuse_clashes(genome.files().map(|(path, _)| path.as_str()))?;
        Ok(genome)
    }

    fn list(&self, folder: &str, globs: &Globs, paths: &mut Vec<String>) -> Result<(), TargetError> {
        let fail = |e: Errno| failed(format!("list the folder '{}'", if folder.is_empty() { "." } else { folder }), e);
        let fd = self.open_folder(folder).map_err(fail)?;
        let mut folders = Vec::new();
        for entry in Dir::read_from(&fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            // Some file systems do not say what an entry is.
            let kind = match entry.file_type() {
                FileType::Unknown => rustix::fs::statat(&fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                    .map(|s| FileType::from_raw_mode(s.st_mode))
                    .map_err(fail)?,
                known => known,
            };
            let text = String::from_utf8_lossy(name);
            let path = if folder.is_empty() { text.to_string() } else { format!("{folder}/{text}") };
            match kind {
                FileType::RegularFile if globs.editable(&path) => {
                    if std::str::from_utf8(name).is_err() {
                        return Err(failed(format!("read the file '{path}'"), "its name is not UTF-8; rename it"));
                    }
                    paths.push(path);
                }
                FileType::Directory if globs.enters(&path) => folders.push(path),
                _ => {}
            }
        }
        for path in folders {
            if self.place(&format!("{path}/.git")) == Place::Nothing {
                self.list(&path, globs, paths)?;
            }
        }
        Ok(())
    }

    fn read_file(&self, path: &str, left: &mut u64) -> Result<FileBody, TargetError> {
        let fail = |e: std::io::Error| failed(format!("read the file '{path}'"), e);
        // NONBLOCK: a pipe that took the file's place since it was listed must not hold us.
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).map_err(|e| match e {
            Errno::LOOP => TargetError::Link(path.to_owned()),
            e => fail(e.into()),
        })?;
        let stat = rustix::fs::fstat(&fd).map_err(|e| fail(e.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(failed(format!("read the file '{path}'"), "it is not a regular file"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0).min(*left as usize));
        File::from(fd).take(*left + 1).read_to_end(&mut bytes).map_err(fail)?;
        let size = bytes.len() as u64;
        if size > *left {
            return Err(failed(
                format!("read the file '{path}' ({} bytes)", stat.st_size),
                format!(
                    "with it the genome has more than {} MiB; exclude large files in the editable patterns",
                    MOST_BYTES >> 20
                ),
            ));
        }
        *left -= size;
        Ok(FileBody::new(bytes, stat.st_mode & 0o100 != 0))
    }

    /// What stands at this path, seen without following anything.
    pub(crate) fn place(&self, path: &str) -> Place {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => match rustix::fs::fstat(&fd).map(|s| FileType::from_raw_mode(s.st_mode)) {
                Ok(FileType::RegularFile) => Place::File,
                Ok(FileType::Symlink) => Place::Link,
                _ => Place::Other,
            },
            Err(Errno::NOENT) => Place::Nothing,
            Err(Errno::LOOP | Errno::XDEV) => Place::Link,
            Err(_) => Place::Other,
        }
    }

    /// Makes the folders above a path that are missing. Those it made are added to `made`.
    pub(crate) fn make_folders(&self, path: &str, made: &mut Vec<String>) -> Result<(), Errno> {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            match self.open_folder(folder) {
                Ok(_) => {}
                Err(Errno::NOENT) => {
                    let (parent, name) = self.parent(folder)?;
                    rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777))?;
                    made.push(folder.to_owned());
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes a file aside, in the folder of `path`, and returns where. `mode` is what the file it will replace has;
    /// a new file has what the process's umask leaves.
    pub(crate) fn write_aside(&self, path: &str, body: &FileBody, mode: Option<u32>) -> std::io::Result<String> {
        let aside = aside(path, "new");
        let _ = self.remove(&aside);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let fresh = if body.executable() { 0o777 } else { 0o666 };
        let mut file = File::from(self.open_at(&aside, flags, Mode::from_raw_mode(fresh))?);
        let written = file.write_all(body.bytes()).and_then(|()| match mode {
            // Who may read it may run it, and nobody else.
            Some(m) if body.executable() => Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(m | (m & 0o444) >> 2))?),
            Some(m) => Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(m & !0o111))?),
            None => Ok(()),
        });
        // The content reaches the disk before the name does: a loss of power leaves the old file or the new one.
        match written.and_then(|()| file.sync_data()) {
            Ok(()) => Ok(aside),
            Err(e) => {
                let _ = self.remove(&aside);
                Err(e)
            }
        }
    }

    /// Gives a file a second name, so that it can be had back after another one took its place. Returns that name.
    pub(crate) fn keep_aside(&self, path: &str) -> Result<String, Errno> {
        let aside = aside(path, "old");
        let _ = self.remove(&aside);
        let ((from, old), (to, new)) = (self.parent(path)?, self.parent(&aside)?);
        match rustix::fs::linkat(&from, old, &to, new, AtFlags::empty()) {
            // A file system without hard links: for a moment nothing stands in the file's place.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS) => self.put_in_place(path, &aside)?,
            done => done?,
        }
        Ok(aside)
    }

    /// Puts a file that was written aside into its place, in one step.
    pub(crate) fn put_in_place(&self, aside: &str, path: &str) -> Result<(), Errno> {
        let ((from, old), (to, new)) = (self.parent(aside)?, self.parent(path)?);
        rustix::fs::renameat(&from, old, &to, new)
    }

    pub(crate) fn remove(&self, path: &str) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        rustix::fs::unlinkat(&parent, name, AtFlags::empty())
    }

    /// Removes a folder if it is empty.
    pub(crate) fn remove_folder(&self, path: &str) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)
    }

    /// The permission bits of a file.
    pub(crate) fn mode(&self, path: &str) -> Result<u32, Errno> {
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(rustix::fs::fstat(&fd)?.st_mode & 0o7777)
    }

    fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str), Errno> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.open_folder(folder)?, name))
    }

    fn open_folder(&self, path: &str) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    fn open_at(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(self.fd.as_fd(), path, flags | OFlags::CLOEXEC, mode, resolve) {
                // The kernel asks to try again when something above was renamed meanwhile.
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
    }
}

/// The name that a file has while it is aside.
fn aside(path: &str, what: &str) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}.{name}{ASIDE}{what}-{}", std::process::id())
}

/// Refuses paths that are the same where letters have no case: they could not stand side by side on every machine.
pub(crate) fn refuse_clashes<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), TargetError> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for path in paths {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for part in ends.map(|end| &path[..end]) {
            match seen.insert(part.to_lowercase(), part) {
                Some(other) if other != part => {
                    return Err(failed(
                        format!("take '{part}' into the genome"),
                        format!("it differs from '{other}' only in the case of letters; rename one of them"),
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
