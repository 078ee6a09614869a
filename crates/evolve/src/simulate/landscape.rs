//! Synthetic landscapes: what a variant is worth there, and what changing it does. Pure; random numbers come in.

use crate::rng::Rng;

/// How a landscape is shaped.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Terrain {
    /// Skill grows by small changes, most of which do harm, and a variant's *potential* moves the changes made to it:
    /// `skill' = skill + 0.04 · (−0.5 + spread · potential + ε)` with ε ~ N(0, 1). The child's own potential is
    /// `heritability · potential + √(1 − heritability²) · (−mismatch · ε + √(1 − mismatch²) · ξ)` with ξ ~ N(0, 1): with a
    /// mismatch, what gains much at once leads less far (Wang et al., arXiv 2510.21614, section 3, "metaproductivity-
    /// performance mismatch").
    Potential {
        /// How far potential moves the mean of a change, in standard deviations of a change.
        spread: f64,
        /// How much of it a child has from its parent: 0 nothing, 1 all.
        heritability: f64,
        /// How much a change that gains at once costs of the child's potential: 0 nothing, 1 all.
        mismatch: f64,
    },
    /// Blocks of bits, each a deceptive trap (Deb and Goldberg, "Analyzing Deception in Trap Functions", FOGA 2, 1993): with u of
    /// `width` bits set, a block is worth 1 if u = width, else 0.6 · (width − 1 − u) / (width − 1). A change flips 1 to
    /// `width − 1` bits of one block, so none crosses a trap at once.
    Traps {
        /// How many blocks.
        blocks: u32,
        /// Bits of each.
        width: u32,
    },
}

/// A landscape with its examination and its budget.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Landscape {
    /// Its shape.
    pub terrain: Terrain,
    /// The chance that a mark is the opposite of what it should be. With none, the suite is exact; else it is a sample.
    pub noise: f64,
    /// Examinations of all tasks that a strategy may spend.
    pub evals: u64,
}

/// Validation tasks of every landscape.
pub const TASKS: u32 = 40;
/// Skill of the baseline.
const FIRST_SKILL: f64 = 0.2;
/// Standard deviation of a change of skill.
const STEP: f64 = 0.04;
/// Mean of a change where potential is nothing, in standard deviations: most changes do harm.
const DRIFT: f64 = -0.5;

/// What a variant is made of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Genes {
    body: Body,
    /// A trait that nothing depends on, in bytes.
    pub size: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Body {
    Skill { skill: f64, potential: f64 },
    Bits(u64),
}

impl Landscape {
    /// The baseline.
    pub fn baseline(&self) -> Genes {
        let body = match self.terrain {
            Terrain::Potential { .. } => Body::Skill { skill: FIRST_SKILL, potential: 0.0 },
            Terrain::Traps { .. } => Body::Bits(0),
        };
        Genes { body, size: 1000.0 }
    }

    /// A changed copy.
    pub fn change(&self, parent: &Genes, rng: &mut Rng) -> Genes {
        let size = (parent.size * (0.1 * rng.normal()).exp()).round().max(1.0);
        let body = match (self.terrain, parent.body) {
            (Terrain::Potential { spread, heritability, mismatch }, Body::Skill { skill, potential }) => {
                let (now, apart) = (rng.normal(), rng.normal());
                let skill = (skill + STEP * (DRIFT + spread * potential + now)).clamp(0.0, 1.0);
                let fresh = -mismatch * now + (1.0 - mismatch * mismatch).sqrt() * apart;
                let potential = heritability * potential + (1.0 - heritability * heritability).sqrt() * fresh;
                Body::Skill { skill, potential }
            }
            (Terrain::Traps { blocks, width }, Body::Bits(mut bits)) => {
                let first = rng.below(blocks.into()) * u64::from(width);
                let mut places: Vec<u64> = (first..first + u64::from(width)).collect();
                for _ in 0..1 + rng.below(u64::from(width) - 1) {
                    bits ^= 1 << places.swap_remove(rng.below(places.len() as u64) as usize);
                }
                Body::Bits(bits)
            }
            (_, body) => body,
        };
        Genes { body, size }
    }

    /// A child of two: each block of one or the other, or the mean of both; then changed.
    pub fn join(&self, one: &Genes, other: &Genes, rng: &mut Rng) -> Genes {
        let body = match (one.body, other.body) {
            (Body::Skill { skill, potential }, Body::Skill { skill: s, potential: p }) => {
                Body::Skill { skill: (skill + s) / 2.0, potential: (potential + p) / 2.0 }
            }
            (Body::Bits(a), Body::Bits(b)) => {
                let Terrain::Traps { blocks, width } = self.terrain else { return *one };
                let bits = (0..blocks).fold(0, |bits, block| {
                    let mask = ((1u64 << width) - 1) << (block * width);
                    bits | (mask & if rng.below(2) == 0 { a } else { b })
                });
                return Genes { body: Body::Bits(bits), size: one.size };
            }
            (body, _) => body,
        };
        self.change(&Genes { body, size: one.size }, rng)
    }

    /// Whether it solves a task, noise aside.
    pub fn solves(&self, genes: &Genes, task: u32) -> bool {
        match (self.terrain, genes.body) {
            (Terrain::Traps { blocks, width }, Body::Bits(bits)) => {
                let (each, block) = (TASKS / blocks, task % blocks);
                let mask = (1u64 << width) - 1;
                let set = ((bits >> (block * width)) & mask).count_ones();
                let worth = if set == width { 1.0 } else { 0.6 * f64::from(width - 1 - set) / f64::from(width - 1) };
                f64::from(task / blocks) < (worth * f64::from(each)).round()
            }
            (_, Body::Skill { skill, .. }) => (f64::from(task) + 0.5) / f64::from(TASKS) <= skill,
            (_, Body::Bits(_)) => false,
        }
    }

    /// Share of the tasks that it solves, noise aside.
    pub fn quality(&self, genes: &Genes) -> f64 {
        (0..TASKS).filter(|task| self.solves(genes, *task)).count() as f64 / f64::from(TASKS)
    }

    /// What tells it from others: equal bits are the same genome, and no two skills are.
    pub fn identity(&self, genes: &Genes) -> [u64; 2] {
        match genes.body {
            Body::Skill { skill, potential } => [skill.to_bits(), potential.to_bits()],
            Body::Bits(bits) => [bits, 0],
        }
    }
}
