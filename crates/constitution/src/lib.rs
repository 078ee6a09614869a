//! The law: parse, explain and enforce it. The only maker of a [`Lawful`] value.

use std::path::Path;

use meliora_domain::{Change, Digest, Genome};

/// A genome that the law has let through. Only [`Constitution::review`] makes one.
#[derive(Clone, Debug)]
pub struct Lawful {
    genome: Genome,
}

impl Lawful {
    /// The genome.
    pub fn genome(&self) -> &Genome {
        &self.genome
    }
}

/// What is to be reviewed.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The genome as the user has it.
    Baseline(&'a Genome),
    /// A change to a genome that was let through before.
    Proposal {
        /// The parent.
        parent: &'a Genome,
        /// The change.
        change: &'a Change,
    },
}

/// Why the law refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Id of the article: `editable-paths`, `evolve-block`, `change-applies`, `size`, …
    pub article: &'static str,
    /// What exactly is refused, and what would be lawful.
    pub reason: String,
}

/// What the law says of a subject.
#[derive(Clone, Debug)]
pub enum Ruling {
    /// It may be examined.
    Lawful(Lawful),
    /// It may not.
    Refused(Refusal),
}

/// What lies within reach of a change, from the project's configuration.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Globs of files that may change, relative to the genome's root.
    pub editable: Vec<String>,
    /// Paths relative to the genome's root that no change may touch whatever `editable` says: the suite, the
    /// constitution, `.meliora`, `meliora.toml`, the evaluator, where they lie inside the root.
    pub protected: Vec<String>,
    /// Largest genome in bytes after a change.
    pub max_bytes: u64,
}

/// The law in force.
#[derive(Debug)]
pub struct Constitution {}

/// The law does not load, so nothing may run.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct LawError {
    /// What is wrong, with the line where it can be told.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Constitution {
    /// Loads `CONSTITUTION.yaml`, or takes the compiled-in default where there is no such file.
    pub fn load(_file: &Path, _reach: Reach) -> Result<Self, LawError> {
        todo!()
    }

    /// Reviews a subject.
    pub fn review(&self, _subject: Subject<'_>) -> Ruling {
        todo!()
    }

    /// Whether a path may be written at all.
    pub fn may_write(&self, _path: &str) -> bool {
        todo!()
    }

    /// Digest of the law in force: of the file's bytes (or the default's) and the reach.
    pub fn digest(&self) -> Digest {
        todo!()
    }
}
