//! Whether a proposal says much the same as one that was tried: by the directions of their texts, where a model that embeds
//! is configured. After the tree's hash and the shape, which cost nothing and are never wrong.

use meliora_domain::{Cost, Event, Genome, VariantId};

use crate::error::EvolveError;
use crate::evolution::Evolution;
use crate::lineage::Node;
use crate::port::{Embedder, ModelError};
use crate::student::Purse;
use crate::work::{Outcome, Workshop};

/// Variants whose directions are kept at hand; older ones are forgotten.
pub(crate) const KEPT: usize = 1000;

/// Who embeds, and from which likeness on two are the same.
#[derive(Clone, Copy)]
pub struct Novelty<'a> {
    /// Who embeds.
    pub embedder: &'a dyn Embedder,
    /// The cosine of the angle between two directions from which on they are the same: above 0, up to 1.
    pub above: f64,
}

impl Novelty<'_> {
    /// What asking for this genome's direction costs at most.
    pub(crate) fn price(&self, genome: &Genome) -> Cost {
        self.embedder.price(&text(genome))
    }

    /// The same, of any genome of this length, whatever is known of it.
    fn most(&self, genome: &Genome) -> Cost {
        // One more letter makes a text that nobody has asked about.
        self.embedder.price(&(text(genome) + "\u{0}"))
    }

    fn direction(&self, genome: &Genome) -> Result<(Vec<f32>, Cost), EvolveError> {
        self.embedder.embed(&text(genome)).map_err(|e: ModelError| EvolveError::model(&e, &Purse::new(None)))
    }
}

impl Workshop<'_> {
    /// Whether a genome that was claimed for a step says much the same as another one of the run. If not, it is one from
    /// now on. What the question costs is set aside with the step.
    pub(crate) fn like_another(&self, genome: &Genome, step: u64, outcome: &mut Outcome) -> Result<bool, EvolveError> {
        let Some(novelty) = self.setup.novelty else { return Ok(false) };
        let (direction, cost) = novelty.direction(genome)?;
        outcome.answers += cost;
        Ok(self.seen.like(&direction, step, novelty.above))
    }
}

impl Evolution<'_> {
    /// What models cost at most that answer in the examination of a change of this genome, or say what it is like. A change
    /// may make it longer: as much again is set aside for that.
    pub(crate) fn answers_of_step(&self, genome: &Genome) -> Cost {
        let like = self.setup.novelty.map_or(Cost::ZERO, |novelty| novelty.most(genome));
        self.exam_price(genome) + like + like
    }

    /// Takes in the directions of the run's newest variants, so that one that goes on knows what it had tried.
    pub(crate) fn remember_directions(&mut self) -> Result<(), EvolveError> {
        let Some(novelty) = self.setup.novelty else { return Ok(()) };
        let run = self.run().number;
        let baseline = self.journal.lineage().baseline().map(|node| node.id);
        let of_run = self.journal.lineage().nodes().iter().rev().filter(|node| node.run == run);
        // A baseline may be an earlier run's variant, whose step is none of this one's.
        let step = |node: &Node| if Some(node.id) == baseline { 0 } else { node.step };
        let mut known: Vec<(u64, VariantId)> = of_run.take(KEPT).map(|node| (step(node), node.id)).collect();
        known.reverse();
        for (step, variant) in known {
            let genome = self.memory.genome(&variant)?;
            let price = novelty.price(&genome);
            if self.budget.reserve(price).is_err() {
                return Ok(());
            }
            let (direction, cost) = novelty.direction(&genome)?;
            self.budget.settle(price, cost);
            if cost != Cost::ZERO {
                self.journal.record(&[Event::Spent { step, cost }])?;
            }
            self.memory.seen().like(&direction, step, f64::INFINITY);
        }
        Ok(())
    }
}

/// What is embedded: the files, each under its path.
fn text(genome: &Genome) -> String {
    let files = genome.files().filter_map(|(path, body)| Some((path, body.text()?)));
    files.map(|(path, text)| format!("{path}\n{text}\n")).collect()
}

/// The cosine of the angle between two directions; 0 where they are not of one kind.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if lengths > 0.0 { product(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::Seen;

    #[test]
    fn a_cosine_is_of_the_angle_alone() {
        assert!((cosine(&[1.0, 0.0], &[5.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!(cosine(&[1.0, 0.0], &[0.0, 2.0]).abs() < 1e-12);
        assert!((cosine(&[1.0, 1.0], &[1.0, 0.0]) - 0.5f64.sqrt()).abs() < 1e-9);
        assert_eq!(cosine(&[1.0], &[1.0, 1.0]), 0.0);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }

    #[test]
    fn what_points_the_same_way_was_tried_unless_its_own_step_tried_it() {
        let seen = Seen::default();
        assert!(!seen.like(&[1.0, 0.0], 1, 0.99));
        assert!(seen.like(&[1.0, 0.05], 2, 0.99));
        assert!(!seen.like(&[1.0, 0.05], 1, 0.99), "a step that is done anew finds its own");
        assert!(!seen.like(&[0.0, 1.0], 3, 0.99));
    }
}
