//! Strategies on synthetic landscapes: how a change to a strategy is judged.
//!
//! The real strategies, judge, lineage and budget, over a journal in memory; only what is evolved is made up. Pure: equal
//! arguments give equal results.

mod compare;
mod course;
mod grid;
mod landscape;

pub use compare::{Duel, Row, compare, contestants, duel, mean};
pub use course::{CURVE, Contestant, Course, course};
pub use grid::{FAMILIES, Family, Point, grid};
pub use landscape::{Genes, Landscape, TASKS, Terrain};
