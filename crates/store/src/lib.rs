//! The archive of variants and the journal of events, and the user's own tree.
//!
//! [`SqliteGitArchive`] keeps the journal in SQLite and the variants in a bare git repository; [`MemoryArchive`] keeps
//! both in memory and passes the same tests. [`GitTarget`] applies a champion to the user's repository as one commit.
//! [`ProjectLock`] sees to it that one process at a time writes. Nothing here decides what is kept or promoted.

mod archive;
mod chain;
mod error;
mod files;
mod globs;
mod journal;
mod lock;
mod memory;
mod objects;
mod pack;
mod schema;
mod target;
mod variants;

pub use archive::SqliteGitArchive;
pub use files::read_genome;
pub use globs::Globs;
pub use lock::{Held, LockError, ProjectLock};
pub use memory::MemoryArchive;
pub use target::GitTarget;
