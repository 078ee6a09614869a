//! The loop: choose, propose, review, examine, judge, record; and the ports it needs.
//!
//! Synchronous. Never prints, never reads the environment, never opens a file.

mod port;

pub use port::*;

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
