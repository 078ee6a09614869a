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
    start: PathBuf,
    keys: Vec<PathBuf>,
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
        let keys = [".config/meliora", ".local/state/meliora"].map(|place| home.join(place)).to_vec();
        Workspace { start: root.clone(), root, home: home.to_owned(), temporary: vec![PathBuf::from("/tmp")], keys }
    }

    /// The same, where operations begin in this folder instead of the root; relative paths are meant from there.
    pub fn at(mut self, folder: &Path) -> Self {
        self.start = self.root.join(folder);
        self
    }

    /// The same, where people's keys lie in this folder, too.
    pub fn with_keys(mut self, folder: &Path) -> Self {
        self.keys.push(folder.to_owned());
        self
    }

    /// The folder where operations begin.
    pub(crate) fn start(&self) -> &Path {
        &self.start
    }

    /// Whether it is where people's keys lie, or below.
    pub(crate) fn holds_keys(&self, path: &str) -> bool {
        self.keys.iter().any(|folder| Path::new(path).starts_with(folder))
    }

    /// Whether a path, or a pattern that could stand for it, has keys, the workspace or the home below it, or lies where
    /// keys do.
    fn precious(&self, path: &Path) -> bool {
        let meets = |held: &Path| {
            path.components().zip(held.components()).all(|(a, b)| {
                let (a, b) = (a.as_os_str().to_string_lossy(), b.as_os_str().to_string_lossy());
                a == "**" || super::paths::could_be(&a, &b)
            })
        };
        // A home that is the root, or a folder for temporary files itself, makes nothing in it dear.
        let home = self.home.components().count() > 1 && !self.temporary.contains(&self.home);
        self.keys.iter().any(|keys| meets(keys)) || meets(&self.root) || home && meets(&self.home)
    }

    /// Whether people's keys lie below it.
    pub(crate) fn keys_below(&self, path: &str) -> bool {
        self.keys.iter().any(|folder| folder.starts_with(path))
    }

    /// A folder that a path names, with links as they are.
    pub(crate) fn folder(&self, from: &Path, path: &str) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None if path == "~" => self.home.clone(),
            None => from.join(path),
        }
    }

    /// Whether git's settings of the workspace hold the address of a remote with a password or token in it, as git prints
    /// them. Settings that cannot be read hold none for whoever reads them as this user.
    pub(crate) fn remotes_hold_secrets(&self) -> bool {
        let git = self.root.join(".git");
        let mut files = vec![git.join("config"), git.join("config.worktree")];
        // In a work tree of its own it is a file that says where they are.
        if let Ok(text) = std::fs::read_to_string(&git)
            && let Some(place) = text.trim().strip_prefix("gitdir:")
        {
            let place = self.root.join(place.trim());
            files = vec![place.join("config"), place.join("config.worktree"), place.join("../../config")];
        }
        files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).any(|text| address_with_secret(&text))
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
        // Joining nothing would leave a slash at the end.
        let whole = |folder: PathBuf| if rest.as_os_str().is_empty() { folder } else { folder.join(&rest) };
        let mut places = vec![self.place(&whole(by_text))];
        let other = self.place(&whole(real));
        if !places.contains(&other) {
            places.push(other);
        }
        if linked && !rest.as_os_str().is_empty() {
            places.push(Place::Unknown);
        }
        Located { places, linked }
    }

    fn place(&self, path: &Path) -> Place {
        if self.keys.iter().any(|folder| path.starts_with(folder)) {
            return Place::Outside(path.to_string_lossy().into_owned());
        }
        if let Ok(inside) = path.strip_prefix(&self.root) {
            return Place::Inside(inside.to_string_lossy().into_owned());
        }
        let temporary = self.temporary.iter().any(|folder| path.starts_with(folder) && path != folder);
        match temporary && !self.precious(path) {
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
pub(crate) fn lexical(path: &Path) -> PathBuf {
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

/// Whether a link meets the pattern's first part in this folder, or lies in a folder that does, so that the pattern may
/// lead elsewhere. Of a folder with more entries than are looked at, it may.
fn links_match(folder: &Path, pattern: &Path) -> bool {
    let Some(first) = pattern.components().next() else { return false };
    let first = first.as_os_str().to_string_lossy();
    let deep = pattern.components().count() > 1;
    let (mut left, mut waiting) = (MOST, Vec::new());
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !fast_glob::glob_match(first.as_ref(), name.to_string_lossy().as_ref()) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => return true,
            Ok(kind) if kind.is_dir() && deep => waiting.push(entry.path()),
            _ => {}
        }
        left -= 1;
        if left == 0 {
            return true;
        }
    }
    for folder in waiting {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            left -= 1;
            if left == 0 || entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                return true;
            }
        }
    }
    false
}

/// So many entries of folders are looked at.
const MOST: usize = 2000;

/// Whether an address in the text has more before its host than the user `git`.
fn address_with_secret(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = &text[at + 3..];
        let host = rest.split(|c: char| c == '/' || c.is_whitespace()).next().unwrap_or_default();
        host.rsplit_once('@').is_some_and(|(before, _)| before.contains(':') || !matches!(before, "git" | "hg" | "svn"))
    })
}

/// Whether a path's text or one of its parts, as a forgiving filesystem reads it, is this name.
pub(crate) fn has_part(path: &str, names: &[&str]) -> bool {
    path.split('/').any(|part| names.contains(&fold(part).as_str()))
}
