//! The loop: choose, propose, review, examine, judge, record; and the ports it needs.
//!
//! Synchronous. Never prints, never reads the environment, never opens a file.

mod approval;
mod baseline;
mod brief;
mod budget;
mod crew;
mod diagnosis;
mod error;
mod evolution;
mod examine;
mod finals;
mod fresh;
mod further;
mod guardian;
mod journal;
mod lineage;
mod novelty;
mod port;
mod promotion;
mod relay;
mod requirement;
mod rng;
mod scales;
mod sealed;
pub mod simulate;
mod standing;
mod strategy;
mod student;
mod suspects;
mod work;

pub use approval::{answer, granted, pause_in_force, resume};
pub use baseline::mend_of_chance;
pub use brief::{judgement, scorecards};
pub use budget::{Budget, Over};
pub use crew::tell_of_pause;
pub use diagnosis::{Circumstances, Finding, diagnose};
pub use error::EvolveError;
pub use evolution::{Ended, Evolution, Setup};
pub use examine::{Means, Nonce, examine};
pub use guardian::{Act, Sight, stricter, watch};
pub use journal::{Journal, lineage_of, replayed_in_full};
pub use lineage::{
    Answer, ArmRecord, Ask, Asks, ByTask, Lineage, Node, NodeIndex, Pause, REMEMBERED_ATTEMPTS, Run, Standing, Watched,
};
pub use novelty::Novelty;
pub use port::*;
pub use promotion::{promote, rollback};
pub use relay::Kept;
pub use rng::Rng;
pub use sealed::{Unsealed, opened_before, unseal, unsealed};
pub use standing::{Examiner, Reexamination, reexamine};
pub use strategy::{Action, Arm, Exam, Strategy, StrategyKind};
pub use student::{Hands, Judge, NO_ANSWER, NoHands, Purse, Student, StudentError, Tally};
pub use suspects::{clear, clearance};

/// How a run stands, for whoever shows it. Not journalled.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Progress {
    /// Attempts so far.
    pub attempts: u64,
    /// Accepted so far.
    pub accepted: u64,
    /// Refused so far.
    pub refused: u64,
    /// Best validation score so far.
    pub best: Option<f64>,
    /// Spent so far.
    pub spent: meliora_domain::Cost,
}
