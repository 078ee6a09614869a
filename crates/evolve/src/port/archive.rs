//! The archive port (journal and variants) and the target port (the user's own tree).

use meliora_domain::{Digest, Event, Genome, Recorded, Timestamp, VariantId};

/// A variant to be stored.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Its files.
    pub genome: &'a Genome,
    /// Its parents, the one that was changed first.
    pub parents: &'a [VariantId],
    /// First line and body of its commit.
    pub message: String,
    /// Its commit's date: derived from the step, so that the same run makes the same ids.
    pub date: Timestamp,
    /// Name of the tag that keeps it reachable: `run-1/step-12`.
    pub tag: String,
}

/// A projection's state at one event of the journal.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// Position of the last event in it.
    pub seq: u64,
    /// Hash of that event: a snapshot whose event has another hash is not used.
    pub hash: Digest,
    /// The state, in the projection's own form.
    pub bytes: Vec<u8>,
}

/// The archive's machinery failed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The journal's chain does not hold.
    #[error("the journal is damaged at event {seq}: {why}")]
    Broken {
        /// The first event that does not fit.
        seq: u64,
        /// Why.
        why: String,
    },
    /// There is no such variant.
    #[error("there is no variant '{0}' in the archive")]
    NoVariant(String),
    /// The name fits more than one variant.
    #[error("'{0}' fits more than one variant; give more digits")]
    AmbiguousVariant(String),
    /// No room on the disk.
    #[error("the disk is full while writing {0}")]
    Full(String),
    /// It was written by a newer Meliora, or is no archive at all.
    #[error("{what}: {cause}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        cause: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
}

/// Journal and variants. Nothing in it is ever changed or deleted.
pub trait Archive: Sync {
    /// Appends the events, all or none, each bound to the one before, after whatever other processes have appended
    /// meanwhile. Returns them as recorded.
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError>;
    /// Reads the events after position `after`, in order, checking the chain, until `each` says `false`.
    fn replay(&self, after: u64, each: &mut dyn FnMut(Recorded) -> bool) -> Result<(), ArchiveError>;
    /// The events that name this variant, in order.
    fn about(&self, variant: &VariantId) -> Result<Vec<Recorded>, ArchiveError>;
    /// The newest snapshot that fits the journal.
    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError>;
    /// Keeps a snapshot; older ones may go.
    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError>;
    /// Stores a variant. Storing the same draft again gives the same id.
    fn store(&self, draft: &Draft<'_>) -> Result<VariantId, ArchiveError>;
    /// Loads a variant's files.
    fn load(&self, variant: &VariantId) -> Result<Genome, ArchiveError>;
    /// The one variant whose id begins with these digits.
    fn find(&self, prefix: &str) -> Result<VariantId, ArchiveError>;
    /// Points the archive's `champion` branch at a variant.
    fn point_champion(&self, variant: &VariantId) -> Result<(), ArchiveError>;
}

/// What a promotion's commit says.
#[derive(Clone, Debug)]
pub struct PromotionNote {
    /// The variant that is applied.
    pub variant: VariantId,
    /// First line and body of the commit.
    pub message: String,
}

/// Why the user's tree was not touched.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There are changes that are not committed.
    #[error("the working tree has uncommitted changes: {0}")]
    Dirty(String),
    /// The tree is not what the variant was bred from.
    #[error("the working tree has moved: {0}")]
    Moved(String),
    /// The project is in no git repository.
    #[error("'{0}' is in no git repository")]
    NoRepository(String),
    /// A symbolic link stands where a file of the genome should.
    #[error("'{0}' is or lies behind a symbolic link")]
    Link(String),
    /// The machinery failed; the tree is as it was.
    #[error("{what}: {cause}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        cause: String,
    },
}

/// The user's own tree.
pub trait Target: Sync {
    /// The genome as it stands in the working tree.
    fn read(&self) -> Result<Genome, TargetError>;
    /// Makes the genome stand in the working tree as one commit, if the tree is clean and holds `expected`.
    /// Returns the new commit and the one before. All or nothing.
    fn apply(&self, expected: &Genome, genome: &Genome, note: &PromotionNote) -> Result<(String, String), TargetError>;
}
