//! The archive of a project: `journal.db` and `archive.git` in its `.meliora` folder.

use std::fs;
use std::path::Path;

use meliora_domain::{Digest, Event, Genome, Recorded, Timestamp, VariantId};
use meliora_evolve::{Archive, ArchiveError, Draft, Snapshot};

use crate::chain::Tail;
use crate::error::{failed, io};
use crate::journal::{self, Journal};
use crate::schema::Access;
use crate::variants::Variants;

/// The journal in SQLite and the variants in a bare git repository.
///
/// What [`Archive::append`] and [`Archive::store`] have acknowledged survives the death of the process at any moment.
/// A loss of power may take the last moments, but leaves the rest sound; it does not take what was paid for, promoted or
/// rolled back, nor anything before that: these wait for the disk.
pub struct SqliteGitArchive {
    journal: Journal,
    variants: Variants,
}

impl SqliteGitArchive {
    /// Opens the archive in this folder (a project's `.meliora`) and creates what is missing. The caller holds the
    /// project's lock. A file that is not ours, or that a newer Meliora wrote, is an error and stays as it is.
    pub fn open(dir: &Path) -> Result<Self, ArchiveError> {
        fs::create_dir_all(dir).map_err(|e| io(&format!("create the folder {}", dir.display()), &e))?;
        Self::open_as(dir, Access::Write)
    }

    /// Opens an existing archive for looking only. Needs no lock: a run may go on meanwhile.
    pub fn open_readonly(dir: &Path) -> Result<Self, ArchiveError> {
        if !dir.join("journal.db").exists() {
            return Err(failed(
                format!("open the journal in {}", dir.display()),
                "there is none",
                "`meliora run` begins one",
            ));
        }
        Self::open_as(dir, Access::Read)
    }

    fn open_as(dir: &Path, access: Access) -> Result<Self, ArchiveError> {
        let journal = Journal::open(&dir.join("journal.db"), access)?;
        let variants = Variants::open(&dir.join("archive.git"), access)?;
        Ok(SqliteGitArchive { journal, variants })
    }

    /// Checks the whole journal: that no event is missing, was altered or changed its place. Returns how many there
    /// are. Events cut off at the very end leave a sound chain: hold [`Self::tail_hash`] against one noted elsewhere.
    pub fn verify(&self) -> Result<u64, ArchiveError> {
        let mut events = 0;
        self.journal.replay(0, &mut |recorded| {
            events = recorded.seq;
            true
        })?;
        Ok(events)
    }

    /// Hash of the last event, which stands for the whole journal; zeros while it is empty.
    pub fn tail_hash(&self) -> Digest {
        let Tail { hash, .. } = self.journal.tail();
        hash
    }
}

impl Archive for SqliteGitArchive {
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError> {
        if events.iter().any(journal::lasting) {
            // What the journal names is on the disk before the journal is.
            self.variants.settle()?;
        }
        let recorded = self.journal.append(events, at)?;
        if events.iter().any(|event| matches!(event, Event::Finished { .. })) {
            self.variants.tidy();
        }
        Ok(recorded)
    }

    fn replay(&self, after: u64, each: &mut dyn FnMut(Recorded) -> bool) -> Result<(), ArchiveError> {
        self.journal.replay(after, each)
    }

    fn about(&self, variant: &VariantId) -> Result<Vec<Recorded>, ArchiveError> {
        self.journal.about(variant)
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError> {
        self.journal.snapshot()
    }

    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        self.journal.keep_snapshot(snapshot)
    }

    fn store(&self, draft: &Draft<'_>) -> Result<VariantId, ArchiveError> {
        self.variants.store(draft)
    }

    fn load(&self, variant: &VariantId) -> Result<Genome, ArchiveError> {
        self.variants.load(variant)
    }

    fn find(&self, prefix: &str) -> Result<VariantId, ArchiveError> {
        self.variants.find(prefix)
    }

    fn point_champion(&self, variant: &VariantId) -> Result<(), ArchiveError> {
        self.variants.point_champion(variant)
    }
}
