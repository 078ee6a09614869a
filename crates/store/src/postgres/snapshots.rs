//! Snapshots beside a journal on Postgres: files in the project's own folder. They only save time and are made anew from the
//! journal when they are missing.

use std::path::{Path, PathBuf};

use meliora_domain::Digest;
use meliora_evolve::{ArchiveError, Snapshot};

use crate::error::io;

/// How many are kept: one more than the newest, should that one not fit.
const KEPT: usize = 2;

pub(super) struct Snapshots {
    folder: PathBuf,
}

impl Snapshots {
    pub(super) fn new(folder: &Path) -> Snapshots {
        Snapshots { folder: folder.to_owned() }
    }

    /// Keeps one. A process that is killed meanwhile leaves none or a whole one.
    pub(super) fn keep(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        let fail = |e| io("keep a snapshot", &e);
        std::fs::create_dir_all(&self.folder).map_err(fail)?;
        let path = self.folder.join(format!("{}.{}", snapshot.seq, snapshot.hash));
        let half = path.with_extension(format!("{}.half", std::process::id()));
        std::fs::write(&half, &snapshot.bytes).and_then(|()| std::fs::rename(&half, &path)).map_err(fail)?;
        for (.., old) in self.names()?.into_iter().skip(KEPT) {
            let _ = std::fs::remove_file(old);
        }
        Ok(())
    }

    /// All that are there.
    pub(super) fn newest_first(&self) -> Result<Vec<Snapshot>, ArchiveError> {
        let read = |(seq, hash, path): (u64, Digest, PathBuf)| {
            // Another process may have taken away an old one meanwhile.
            std::fs::read(path).ok().map(|bytes| Snapshot { seq, hash, bytes })
        };
        Ok(self.names()?.into_iter().filter_map(read).collect())
    }

    fn names(&self) -> Result<Vec<(u64, Digest, PathBuf)>, ArchiveError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io("read the snapshots", &e)),
        };
        let parse = |path: PathBuf| {
            let (seq, hash) = path.file_name()?.to_str()?.split_once('.')?;
            Some((seq.parse().ok()?, hash.parse().ok()?, path.clone()))
        };
        let mut names: Vec<_> = entries.flatten().filter_map(|entry| parse(entry.path())).collect();
        names.sort_by_key(|(seq, ..)| std::cmp::Reverse(*seq));
        Ok(names)
    }
}
