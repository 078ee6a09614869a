//! Where the journal's lines lie: one implementation for each database. What is above deals with events, what is below with rows.

use meliora_domain::{Digest, Event, Recorded, Timestamp, VariantId};
use meliora_evolve::{ArchiveError, Snapshot};

use crate::chain::{Line, Tail};

/// What is done with each line; `false` ends the reading.
pub(crate) type Each<'a> = dyn FnMut(&Line<'_>) -> Result<bool, ArchiveError> + 'a;

/// The journal in a database. It has no way to change or delete a line.
pub(crate) trait Ledger: Send + Sync {
    /// Appends the events, all or none, after whatever other processes have appended meanwhile. What was there before must
    /// still be there.
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError>;
    /// The lines after a position, in order, as they are: nothing is checked. `each` may append.
    fn lines(&self, after: u64, each: &mut Each<'_>) -> Result<(), ArchiveError>;
    /// The lines that name this variant, in order, as they are.
    fn lines_about(&self, variant: &VariantId, each: &mut Each<'_>) -> Result<(), ArchiveError>;
    /// The hash that the line at this position has; `None` where there is none.
    fn hash_at(&self, seq: u64) -> Result<Option<Digest>, ArchiveError>;
    /// Where the journal ends, as this process knows it.
    fn tail(&self) -> Tail;
    /// The newest snapshot that fits the journal.
    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError>;
    /// Keeps a snapshot; older ones may go.
    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError>;
    /// Returns when all that was appended is on the disk.
    fn settle(&self) -> Result<(), ArchiveError>;
    /// What in the database no longer is as it was made: guards that are gone, tables that show something else.
    fn weakened(&self) -> Result<Vec<String>, ArchiveError>;
}

/// An event that is not there.
pub(crate) fn missing(seq: u64) -> ArchiveError {
    ArchiveError::Broken { seq, why: "it is missing".into() }
}

/// The journal does not begin with what this process has seen of it.
pub(crate) fn replaced(known: Tail) -> ArchiveError {
    let why = "it is not there any more as this process saw it: the journal was cut off or replaced meanwhile";
    ArchiveError::Broken { seq: known.seq, why: why.into() }
}
