//! Where a path leads: into the workspace, into what is the agent's own, or out of both. Links are looked at, never
//! trusted: a path through one is judged by where it leads, too.

use std::path::{Component, Path, PathBuf};

use crate::path::fold;

/// The places that the door knows: an agent's workspace, the home of the user who runs it, folders for temporary files.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    home: PathBuf,
    temporary: Vec<PathBuf>,
}

/// Where a path leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Inside the workspace: the path relative to it, empty for the workspace itself.
    Inside(String),
    /// In a folder for temporary files, but not such a folder itself.
    Temporary,
    /// `/dev/null` and the standard streams.
    Nowhere,
    /// Anywhere else: the absolute path.
    Outside(String),
    /// Not to be told.
    Unknown,
}

/// A path, and each place it may lead to: by its text, and through links.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) places: Vec<Place>,
    /// Whether a link lies on the way.
    pub(crate) linked: bool,
}

impl Workspace {
    /// A workspace at `root`, an absolute path; of a user with this home. `/tmp` is for temporary files.
    pub fn new(root: &Path, home: &Path) -> Self {
        let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        // A workspace that lies in /tmp is a workspace still.
        Workspace { root, home: home.to_owned(), temporary: vec![PathBuf::from("/tmp")] }
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Where `path` leads from `from`, both as a shell has them after its expansions. `pattern`: it has `*`, `?`, `[` or
    /// braces that the shell fills in.
    pub(crate) fn locate(&self, from: &Path, path: &str, pattern: bool) -> Located {
        let unknown = Located { places: vec![Place::Unknown], linked: false };
        if path.is_empty() || path.contains('\0') {
            return unknown;
        }
        if matches!(path, "/dev/null" | "/dev/stdin" | "/dev/stdout" | "/dev/stderr" | "/dev/tty") {
            return Located { places: vec![Place::Nowhere], linked: false };
        }
        let expanded = match path.strip_prefix('~') {
            None => from.join(path),
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            Some(_) => return Located { places: vec![Place::Outside(path.to_owned())], linked: false },
        };
        // What a pattern stands for is not known; what it can lead to lies in the folder before it, unless it goes up.
        let (mut plain, mut rest) = (PathBuf::new(), PathBuf::new());
        for part in expanded.components() {
            let text = part.as_os_str().to_string_lossy();
            if pattern && (!rest.as_os_str().is_empty() || text.contains(['*', '?', '[', '{'])) {
                if part == Component::ParentDir || text.contains("..") {
                    return unknown;
                }
                rest.push(part);
            } else {
                plain.push(part);
            }
        }
        let by_text = lexical(&plain);
        let (real, mut linked) = real(&plain);
        if !rest.as_os_str().is_empty() {
            linked |= links_match(&real, &rest);
        }
        let mut places = vec![self.place(&by_text.join(&rest))];
        let other = self.place(&real.join(&rest));
        if !places.contains(&other) {
            places.push(other);
        }
        if linked && !rest.as_os_str().is_empty() {
            places.push(Place::Unknown);
        }
        Located { places, linked }
    }

    fn place(&self, path: &Path) -> Place {
        if let Ok(inside) = path.strip_prefix(&self.root) {
            return Place::Inside(inside.to_string_lossy().into_owned());
        }
        match self.temporary.iter().any(|folder| path.starts_with(folder) && path != folder) {
            true => Place::Temporary,
            false => Place::Outside(path.to_string_lossy().into_owned()),
        }
    }

    /// Whether the workspace lies in this place.
    pub(crate) fn lies_in(&self, path: &str) -> bool {
        self.root.starts_with(path)
    }

    /// Whether the file has a second name, so that writing to it may write to another.
    pub(crate) fn shared(&self, from: &Path, path: &str) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            std::fs::symlink_metadata(from.join(path)).is_ok_and(|meta| meta.is_file() && meta.nlink() > 1)
        }
        #[cfg(not(unix))]
        {
            let _ = (from, path);
            false
        }
    }
}

/// The path without `.` and `..`, by its text alone.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Where the path leads through links, as far as it exists, and whether there is one.
fn real(path: &Path) -> (PathBuf, bool) {
    let (mut real, mut linked) = (PathBuf::new(), false);
    let mut missing = false;
    for part in path.components() {
        match part {
            Component::ParentDir => {
                real.pop();
                continue;
            }
            Component::CurDir => continue,
            part => real.push(part),
        }
        if missing {
            continue;
        }
        match std::fs::symlink_metadata(&real) {
            Ok(meta) if meta.is_symlink() => {
                linked = true;
                match std::fs::canonicalize(&real) {
                    Ok(target) => real = target,
                    // A link that leads nowhere yet: what is written there appears where it points.
                    Err(_) => {
                        let to = std::fs::read_link(&real).unwrap_or_default();
                        real.pop();
                        real = lexical(&real.join(to));
                    }
                }
            }
            Ok(_) => {}
            Err(_) => missing = true,
        }
    }
    (real, linked)
}

/// Whether a link in the folder meets the pattern's first part, so that the pattern may lead elsewhere.
fn links_match(folder: &Path, pattern: &Path) -> bool {
    let Some(first) = pattern.components().next() else { return false };
    let first = first.as_os_str().to_string_lossy();
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let deep = pattern.components().count() > 1;
    entries.take(MOST).enumerate().any(|(n, entry)| {
        n + 1 == MOST
            || entry.is_ok_and(|entry| {
                let name = entry.file_name();
                let meets = fast_glob::glob_match(first.as_ref(), name.to_string_lossy().as_ref());
                meets && entry.file_type().is_ok_and(|kind| kind.is_symlink() || (deep && has_link(&entry.path())))
            })
    })
}

/// Whether a folder holds a link.
fn has_link(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries
        .take(MOST)
        .enumerate()
        .any(|(n, e)| n + 1 == MOST || e.is_ok_and(|e| e.file_type().is_ok_and(|kind| kind.is_symlink())))
}

/// So many entries of a folder are looked at; a larger one counts as one with a link.
const MOST: usize = 5000;

/// Whether a path's text or one of its parts, as a forgiving filesystem reads it, is this name.
pub(crate) fn has_part(path: &str, names: &[&str]) -> bool {
    path.split('/').any(|part| names.contains(&fold(part).as_str()))
}
