//! Folders of the host as disks of a machine: read-only file systems made by `mke2fs`, kept in the cache under the hash of
//! what is in them.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use meliora_evolve::SandboxError;
use sha2::{Digest, Sha256};

use crate::plan::failed;

/// What tells one state of a folder from another, and how much there is in it.
pub(crate) struct Survey {
    pub(crate) hash: String,
    blocks: u64,
    entries: u64,
}

const BLOCK: u64 = 4096;

/// Looks at every entry beneath a path, but into no file: names, kinds, sizes, times, where links point.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn survey(path: &Path) -> Result<Survey, SandboxError> {
    let mut hash = Sha256::new();
    let mut survey = Survey { hash: String::new(), blocks: 0, entries: 0 };
    walk(path, &mut hash, &mut survey)
        .map_err(|error| failed(format!("read-only path '{}'", path.display()), error))?;
    survey.hash = hex(hash);
    Ok(survey)
}

pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn walk(path: &Path, hash: &mut Sha256, survey: &mut Survey) -> std::io::Result<()> {
    let about = std::fs::symlink_metadata(path)?;
    survey.entries += 1;
    survey.blocks += about.len().div_ceil(BLOCK) + 1;
    hash.update((path.as_os_str().len() as u64).to_le_bytes());
    hash.update(path.as_os_str().as_bytes());
    hash.update(about.mode().to_le_bytes());
    if about.is_dir() {
        let mut names: Vec<_> = std::fs::read_dir(path)?.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>()?;
        names.sort();
        for name in names {
            walk(&path.join(name), hash, survey)?;
        }
    } else {
        hash.update(about.len().to_le_bytes());
        hash.update(about.mtime().to_le_bytes());
        hash.update(about.mtime_nsec().to_le_bytes());
        if about.is_symlink() {
            hash.update(std::fs::read_link(path)?.as_os_str().as_bytes());
        }
    }
    Ok(())
}

/// Makes a disk of a folder, or of one file in a folder of its own. The file appears whole or not at all.
///
/// # Errors
/// What `mke2fs` says, or that it is not there.
pub(crate) fn make(from: &Path, survey: &Survey, to: &Path) -> Result<(), SandboxError> {
    let what = || format!("disk of '{}'", from.display());
    let failure = |error: std::io::Error| failed(what(), error);
    let folder = to.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).map_err(failure)?;
    let work = folder.join(format!(".{}.{}", std::process::id(), survey.hash));
    let (image, holder) = (work.with_extension("img"), work.with_extension("folder"));
    let result = (|| {
        let mut source = from.to_owned();
        if !std::fs::metadata(from).map_err(failure)?.is_dir() {
            std::fs::create_dir_all(&holder).map_err(failure)?;
            let copy = holder.join(from.file_name().unwrap_or_default());
            std::fs::copy(from, copy).map_err(failure)?;
            source.clone_from(&holder);
        }
        // Room for the tables of the file system itself; what is not used is a hole.
        let blocks = survey.blocks + survey.blocks / 8 + survey.entries / 8 + 4096;
        let output = mke2fs(&source, &image, blocks, survey.entries + 64).map_err(failure)?;
        if !output.status.success() {
            return Err(failed(what(), format!("mke2fs: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        std::fs::rename(&image, to).map_err(failure)
    })();
    std::fs::remove_file(&image).ok();
    std::fs::remove_dir_all(&holder).ok();
    result.map_err(|error| SandboxError {
        hint: Some("disks are made with mke2fs (Debian's e2fsprogs), in the cache folder, which needs the room".into()),
        ..error
    })
}

fn mke2fs(source: &Path, image: &Path, blocks: u64, inodes: u64) -> std::io::Result<std::process::Output> {
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for program in ["/usr/sbin/mke2fs", "/sbin/mke2fs", "mke2fs"] {
        let made = Command::new(program)
            .args([
                "-q",
                "-F",
                "-t",
                "ext4",
                "-O",
                "^has_journal,^resize_inode,^metadata_csum",
                "-b",
                "4096",
                "-m",
                "0",
            ])
            .args(["-E", "lazy_itable_init=1,nodiscard", "-N", &inodes.to_string(), "-d"])
            .arg(source)
            .arg(image)
            .arg(blocks.to_string())
            .env("SOURCE_DATE_EPOCH", "0")
            .output();
        match made {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => last = error,
            other => return other,
        }
    }
    Err(last)
}

/// Removes the oldest entries of a folder beyond the `most` that were used last.
pub(crate) fn keep_newest(folder: &Path, most: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut found: Vec<(std::time::SystemTime, PathBuf)> =
        entries.flatten().filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
    found.sort();
    let spare = found.len().saturating_sub(most);
    for (_, path) in found.into_iter().take(spare) {
        if path.is_dir() {
            std::fs::remove_dir_all(path).ok();
        } else {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Notes that something in the cache was used now.
pub(crate) fn touch(path: &Path) {
    if let Ok(file) = std::fs::File::open(path) {
        file.set_modified(std::time::SystemTime::now()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_folder_is_seen_and_a_second_look_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let hash = || survey(folder.path()).unwrap().hash;
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let first = hash();
        assert_eq!(hash(), first);
        std::fs::write(folder.path().join("a"), "22").unwrap();
        let second = hash();
        assert_ne!(second, first);
        std::os::unix::fs::symlink("a", folder.path().join("b")).unwrap();
        assert_ne!(hash(), second);
    }

    #[test]
    fn what_was_used_last_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [("old", 100), ("older", 200), ("new", 1)] {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        touch(&folder.path().join("older"));
        keep_newest(folder.path(), 2);
        let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["new", "older"]);
    }
}
