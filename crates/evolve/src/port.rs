//! The ports: what the loop needs of the world, as traits. Implementations live in the rooms above.

mod archive;
mod embedder;
mod model;
mod people;
mod proposer;
mod sandbox;

pub use archive::{Archive, ArchiveError, Draft, PromotionNote, Snapshot, Target, TargetError};
pub use embedder::Embedder;
pub use meliora_domain::{Message, Role};
pub use model::{Chat, Model, ModelError, Reply, Reservation, Usage};
pub use people::{Alert, Delivery, Desk, Herald, Letter, Nobody};
pub use proposer::{
    Ancestor, Bid, Brief, Inspiration, PastAttempt, ProposeError, Proposer, Pupil, Trial, Tried, Tryout, Untried,
};
pub use sandbox::{
    Cage, CageEntry, CageError, CageSpec, CageUsage, Command, EntryKind, Happening, Process, Purpose, ReadOnly,
    Sandbox, SandboxError, Terminal, run_to_end,
};

use meliora_domain::Recorded;

/// Someone who watches. Cannot fail, cannot steer.
pub trait Observer: Sync {
    /// An event has just been journalled.
    fn notice(&self, event: &Recorded);
    /// Something that is not journalled but worth showing: how busy, how much is spent.
    fn progress(&self, _progress: &crate::Progress) {}
}
