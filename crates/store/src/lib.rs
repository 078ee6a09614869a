//! The archive of variants and the journal of events, and the user's own tree.
//!
//! [`GitArchive`] keeps the journal in SQLite or on Postgres and the variants in a bare git repository; [`MemoryArchive`]
//! keeps both in memory; all pass the same tests. A [`Witness`] signs checkpoints of a journal outside its database, an
//! [`Audit`] holds the two against each other. [`GitTarget`] applies a champion to the user's repository as one commit.
//! [`ProjectLock`] sees to it that one process at a time works on a project. Nothing here decides what is kept or promoted.

mod archive;
mod audit;
mod chain;
mod checkpoint;
mod error;
mod export;
mod files;
mod globs;
mod journal;
mod ledger;
mod lock;
mod memory;
mod objects;
mod pack;
mod postgres;
mod schema;
mod seal;
mod target;
mod tree;
mod variants;
mod witness;

pub use archive::{GitArchive, may_alter, migrate, prepare};
pub use audit::{Audit, Finding, Report, Tampering};
pub use checkpoint::{Book, Check, Checkpoint, Sign};
pub use export::{audit_export, last_checkpoint};
pub use files::read_genome;
pub use globs::Globs;
pub use lock::{Held, LockError, ProjectLock};
pub use memory::MemoryArchive;
pub use postgres::Address;
pub use seal::{Know, Seal};
pub use target::GitTarget;
pub use witness::Witness;
