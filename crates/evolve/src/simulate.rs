//! Strategies on synthetic landscapes. Pure.

mod grid;
mod landscape;

pub use grid::{FAMILIES, Family, Point, grid};
pub use landscape::{Genes, Landscape, TASKS, Terrain};
