//! The vocabulary: what a variant, a change, a task, a mark, a verdict and an event are.
//!
//! Values, and what every room does with them ([`counted`], [`Recent`]). Nothing here does I/O, reads a clock or draws a random
//! number.

mod cage;
mod change;
mod cost;
mod count;
mod event;
mod genome;
mod id;
mod mark;
mod message;
mod operation;
mod recent;
mod search;
mod task;
mod value;
mod verdict;

pub use cage::{Ending, Finished, Limits};
pub use change::{Change, ChangeError, Edit};
pub use cost::{Cost, MicroUsd};
pub use count::counted;
pub use event::{Attempt, BidOutcome, Event, FinishReason, Proposer, Recorded, RunPlan, Timestamp};
pub use genome::{FileBody, Genome, GenomePath, PathError};
pub use id::{Digest, TaskId, TreeId, VariantId};
pub use mark::{Call, Example, Feedback, Mark, MarkStatus, Scorecard};
pub use message::{Message, Role};
pub use operation::{Decision, Operation, Request, Word};
pub use recent::Recent;
pub use search::{Arms, BanditPlan, DgmPlan, Feature, HgmPlan, IslandsPlan, ParetoPlan, Scale, SearchPlan};
pub use task::{Kind, Split, Tier};
pub use value::{Fields, Value};
pub use verdict::{Alarm, Judgement, Verdict};
