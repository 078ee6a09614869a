//! The genome: the files that may change, as one immutable value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha1::Digest as _;

use crate::TreeId;

/// A path inside the genome: relative, `/`-separated, without `.`, `..`, empty parts, backslashes or control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct GenomePath(Arc<str>);

/// Why a text is no path inside a genome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{path}' is not a path inside the genome: {why}")]
pub struct PathError {
    /// The text as it was given.
    pub path: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl GenomePath {
    /// Checks the text. Nothing is normalised: a path that would need it is refused.
    pub fn new(path: &str) -> Result<Self, PathError> {
        let bad = |why| Err(PathError { path: path.to_owned(), why });
        if path.is_empty() {
            return bad("it is empty");
        }
        if path.starts_with('/') {
            return bad("it is absolute");
        }
        if path.contains('\\') || path.chars().any(char::is_control) {
            return bad("it has a backslash or a control character");
        }
        for part in path.split('/') {
            match part {
                "" => return bad("it has an empty part"),
                "." | ".." => return bad("it has a '.' or '..' part"),
                _ if part.eq_ignore_ascii_case(".git") => return bad("it names a .git folder"),
                _ => {}
            }
        }
        Ok(GenomePath(path.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part's extension, without the dot; empty if there is none.
    pub fn extension(&self) -> &str {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

impl fmt::Display for GenomePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GenomePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GenomePath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        GenomePath::new(&s).map_err(serde::de::Error::custom)
    }
}

/// One file: its bytes, whether it may be executed, and its git blob hash (computed once).
#[derive(Clone, PartialEq, Eq)]
pub struct FileBody {
    bytes: Arc<[u8]>,
    executable: bool,
    blob: [u8; 20],
}

impl FileBody {
    /// A file with these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>, executable: bool) -> Self {
        let bytes = bytes.into();
        let mut hasher = sha1::Sha1::new();
        hasher.update(format!("blob {}\0", bytes.len()));
        hasher.update(&bytes);
        FileBody { blob: hasher.finalize().into(), bytes, executable }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The file's text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The hash that git gives a blob with these bytes (SHA-1, git's object format).
    pub fn blob(&self) -> &[u8; 20] {
        &self.blob
    }

    /// Whether the file has the executable bit.
    pub fn executable(&self) -> bool {
        self.executable
    }
}

impl fmt::Debug for FileBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileBody({} bytes)", self.bytes.len())
    }
}

/// The files of one variant. Cheap to clone where files are shared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Genome {
    files: BTreeMap<GenomePath, FileBody>,
}

impl Genome {
    /// A genome without files.
    pub fn new() -> Self {
        Genome::default()
    }

    /// The file at this path.
    pub fn get(&self, path: &GenomePath) -> Option<&FileBody> {
        self.files.get(path)
    }

    /// The same genome with this file in it, replacing one that stood there.
    #[must_use]
    pub fn with(mut self, path: GenomePath, body: FileBody) -> Self {
        self.files.insert(path, body);
        self
    }

    /// The same genome without this file.
    #[must_use]
    pub fn without(mut self, path: &GenomePath) -> Self {
        self.files.remove(path);
        self
    }

    /// Every file, in the order of its path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&GenomePath, &FileBody)> {
        self.files.iter()
    }

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Sum of all files' lengths in bytes.
    pub fn size(&self) -> usize {
        self.files.values().map(|f| f.bytes.len()).sum()
    }

    /// The hash that git gives a tree with just these files (SHA-1, git's object format).
    pub fn tree(&self) -> TreeId {
        let entries: Vec<(&str, &FileBody)> = self.files.iter().map(|(p, b)| (p.as_str(), b)).collect();
        TreeId(hash_tree(&entries))
    }
}

impl FromIterator<(GenomePath, FileBody)> for Genome {
    fn from_iter<I: IntoIterator<Item = (GenomePath, FileBody)>>(files: I) -> Self {
        Genome { files: files.into_iter().collect() }
    }
}

/// Hashes the folder whose files have these paths relative to it, folders within it included.
fn hash_tree(entries: &[(&str, &FileBody)]) -> [u8; 20] {
    let mut folders: BTreeMap<&str, Vec<(&str, &FileBody)>> = BTreeMap::new();
    // git sorts entries by name, a folder's as if it ended in '/'.
    let mut rows: BTreeMap<String, (&str, &str, [u8; 20])> = BTreeMap::new();
    for (path, body) in entries {
        match path.split_once('/') {
            Some((folder, rest)) => folders.entry(folder).or_default().push((rest, body)),
            None => {
                let mode = if body.executable { "100755" } else { "100644" };
                rows.insert((*path).to_owned(), (mode, path, body.blob));
            }
        }
    }
    for (folder, inside) in &folders {
        rows.insert(format!("{folder}/"), ("40000", folder, hash_tree(inside)));
    }
    let mut content = Vec::new();
    for (mode, name, hash) in rows.values() {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content.extend_from_slice(hash);
    }
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("tree {}\0", content.len()));
    hasher.update(&content);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_genome_are_refused() {
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/./b", "a\\b", "a\nb", ".git/config", "x/.GIT/y"] {
            assert!(GenomePath::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(GenomePath::new("src/a.b.py").unwrap().extension(), "py");
    }

    #[test]
    fn the_empty_tree_has_the_hash_git_gives_it() {
        assert_eq!(Genome::new().tree().to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    }
}
