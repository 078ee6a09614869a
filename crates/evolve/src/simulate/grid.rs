//! The landscapes that strategies are compared on. Written down before the first comparison, and all reported: nothing is
//! changed or left out because of what came of it.

use super::landscape::{Landscape, Terrain};

/// What a group of landscapes has in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Children have their parent's potential.
    Inherited,
    /// There is potential, and children have nothing of their parent's.
    Fresh,
    /// There is no potential.
    Plain,
    /// Traps: what is best nearby leads away from what is best.
    Deceptive,
}

/// The families, in the order of reports.
pub const FAMILIES: [Family; 4] = [Family::Inherited, Family::Fresh, Family::Plain, Family::Deceptive];

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Family::Inherited => "inherited",
            Family::Fresh => "fresh",
            Family::Plain => "plain",
            Family::Deceptive => "deceptive",
        })
    }
}

/// One landscape of the grid.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// Its family.
    pub family: Family,
    /// The landscape.
    pub landscape: Landscape,
}

impl Point {
    /// Its parameters, short.
    pub fn describe(&self) -> String {
        let shape = match self.landscape.terrain {
            Terrain::Potential { heritability, mismatch, .. } if self.family != Family::Plain => {
                format!("heritability {heritability}, mismatch {mismatch}")
            }
            Terrain::Potential { .. } => "no potential".to_owned(),
            Terrain::Traps { blocks, width } => format!("{blocks} traps of {width}"),
        };
        if self.landscape.noise > 0.0 { format!("{shape}, noise {}", self.landscape.noise) } else { shape }
    }
}

/// The chance of a wrong mark on noisy landscapes.
const NOISE: f64 = 0.05;
/// Examinations on landscapes of skill, and on traps.
const EVALS: (u64, u64) = (40, 100);

/// All landscapes: 12 with inherited potential, 4 with fresh, 2 with none, 8 with traps.
pub fn grid() -> Vec<Point> {
    let mut points = Vec::new();
    for noise in [0.0, NOISE] {
        let mut potential = |family, spread, heritability, mismatch| {
            let terrain = Terrain::Potential { spread, heritability, mismatch };
            points.push(Point { family, landscape: Landscape { terrain, noise, evals: EVALS.0 } });
        };
        for heritability in [0.7, 0.95] {
            for mismatch in [0.0, 0.4, 0.8] {
                potential(Family::Inherited, 1.0, heritability, mismatch);
            }
        }
        for mismatch in [0.0, 0.8] {
            potential(Family::Fresh, 1.0, 0.0, mismatch);
        }
        potential(Family::Plain, 0.0, 0.0, 0.0);
        for width in [2, 3] {
            for blocks in [5, 10] {
                let terrain = Terrain::Traps { blocks, width };
                points
                    .push(Point { family: Family::Deceptive, landscape: Landscape { terrain, noise, evals: EVALS.1 } });
            }
        }
    }
    points.sort_by_key(|point| point.family);
    points
}
