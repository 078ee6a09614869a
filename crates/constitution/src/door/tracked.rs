//! What git tracks in the repository around a folder and what of it may hold secrets: diffs and commits show such files
//! without anybody naming them. Read from git's index (gitformat-index); no git is run.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::secrets::holds_secret;
use super::workspace::lexical;

/// Largest index that is looked into, in bytes.
const LARGEST: u64 = 64 << 20;

/// Tracked files whose names secrets go by.
pub(crate) struct Tracked {
    top: PathBuf,
    files: Vec<Entry>,
}

/// A file in the index, as it was when git last looked at it.
struct Entry {
    path: String,
    seconds: u32,
    size: u32,
}

/// Those of the repository that a folder lies in: none where there is no repository, `None` where its index cannot be read.
pub(crate) fn secrets(folder: &Path) -> Option<Tracked> {
    let Some(top) = folder.ancestors().find(|at| at.join(".git").exists()) else {
        return Some(Tracked { top: folder.to_owned(), files: Vec::new() });
    };
    let git = git_folder(top);
    let mut files = match std::fs::metadata(git.join("index")) {
        // Nothing was ever added.
        Err(_) => Vec::new(),
        Ok(meta) if meta.len() > LARGEST => return None,
        Ok(_) => entries(&std::fs::read(git.join("index")).ok()?, hash_length(&git))?,
    };
    files.retain(|file| holds_secret(&file.path));
    Some(Tracked { top: top.to_owned(), files })
}

/// Where a repository's own files are: in a work tree of its own `.git` is a file that says so.
fn git_folder(top: &Path) -> PathBuf {
    let git = top.join(".git");
    let told = std::fs::read_to_string(&git).ok();
    told.and_then(|text| text.trim().strip_prefix("gitdir:").map(|place| top.join(place.trim()))).unwrap_or(git)
}

/// Bytes of an object's name: those of SHA-1, but where the settings say otherwise.
fn hash_length(git: &Path) -> usize {
    let says = |file: PathBuf| std::fs::read_to_string(file).is_ok_and(|text| text.to_lowercase().contains("= sha256"));
    if says(git.join("config")) || says(git.join("../../config")) { 32 } else { 20 }
}

impl Tracked {
    /// The first that these pathspecs take in, meant from a folder; none of them takes in all. `changed`: only what is not
    /// as it was when it was added.
    pub(crate) fn first(&self, folder: &Path, pathspecs: &[&str], changed: bool) -> Option<&str> {
        let takes = |spec: &&str, path: &str| {
            let spec = lexical(&folder.join(spec));
            let Ok(spec) = spec.strip_prefix(&self.top) else { return true };
            let spec = spec.to_string_lossy();
            // Git's `*` stands for slashes, too.
            let (before, behind) = (spec.find(['*', '?', '[']), spec.rfind(['*', '?', ']']));
            match before.zip(behind) {
                Some((before, behind)) => path.starts_with(&spec[..before]) && path.ends_with(&spec[behind + 1..]),
                None => spec.is_empty() || path == spec || path.starts_with(&format!("{spec}/")),
            }
        };
        let files = self.files.iter().filter(|file| !changed || file.changed(&self.top));
        let mut meant =
            files.filter(|file| pathspecs.is_empty() || pathspecs.iter().any(|spec| takes(spec, &file.path)));
        meant.next().map(|file| file.path.as_str())
    }
}

impl Entry {
    fn changed(&self, top: &Path) -> bool {
        let Ok(meta) = std::fs::symlink_metadata(top.join(&self.path)) else { return true };
        let since = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        meta.len() as u32 != self.size || since.is_none_or(|since| since.as_secs() as u32 != self.seconds)
    }
}

/// The index's files; `None` where it is of another form.
fn entries(bytes: &[u8], hash: usize) -> Option<Vec<Entry>> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let version = number(4).filter(|version| bytes.starts_with(b"DIRC") && (2..=4).contains(version))?;
    let (mut at, mut files, mut path) = (12, Vec::new(), Vec::new());
    for _ in 0..number(8)? {
        let begin = at;
        let (seconds, size) = (number(begin + 8)?, number(begin + 36)?);
        at = begin + 40 + hash;
        // A flag says that there are more flags.
        let more = bytes.get(at)? & 0x40 != 0;
        at += if more { 4 } else { 2 };
        if version == 4 {
            let shorter = offset(bytes, &mut at)?;
            path.truncate(path.len().checked_sub(shorter)?);
        } else {
            path.clear();
        }
        let rest = bytes.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        path.extend_from_slice(&rest[..end]);
        // Versions before the fourth fill up to eight bytes, with one zero at least.
        at = if version == 4 { at + end + 1 } else { begin + (at - begin + end + 8) / 8 * 8 };
        files.push(Entry { path: String::from_utf8_lossy(&path).into_owned(), seconds, size });
    }
    Some(files)
}

/// A number of variable length, as offsets in packs are written.
fn offset(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut next = || {
        let byte = *bytes.get(*at)?;
        *at += 1;
        Some(byte)
    };
    let mut byte = next()?;
    let mut number = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        byte = next()?;
        number = number.checked_add(1)?.checked_mul(128)? | usize::from(byte & 0x7f);
    }
    Some(number)
}
