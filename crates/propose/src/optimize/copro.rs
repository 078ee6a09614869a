//! COPRO: instructions from what earlier ones scored (Opsahl-Ong et al., 2024, §3; coordinate ascent as in DSPy's `COPRO`).
//!
//! Each bid is one more instruction; breadth and depth are the run's. The archive is its memory of what scored how.

use std::sync::Arc;

use meliora_domain::{Cost, Genome};
use meliora_evolve::{Bid, Brief, Model, ProposeError, Proposer, Rng};

use super::reword::instructed;
use super::{Asking, Ground, Settings, bid, times, wording};

/// Questions that are asked in one bid.
const TRIES: usize = 3;
/// DSPy's `init_temperature`.
const TEMPERATURE: f64 = 1.4;

/// Proposes instructions by those that were tried and their scores.
pub struct Copro {
    model: Arc<dyn Model>,
    settings: Settings,
}

impl Copro {
    /// With this model.
    pub fn new(model: Arc<dyn Model>, settings: Settings) -> Self {
        Copro { model, settings }
    }
}

impl Proposer for Copro {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = Ground::of(brief.genome, brief.examples) else { return Ok(Bid::Exhausted) };
        let mut rng = Rng::of(brief.seed, 0, 0);
        let mut asking = Asking::new(self.model.as_ref(), &self.settings, brief);
        // One predictor after the other, as coordinate ascent goes.
        let step = usize::try_from(brief.step).unwrap_or(0) % ground.program().steps.len();
        let mut known: Vec<(f64, String)> = Vec::new();
        for other in brief.inspirations {
            if let (Some(score), Some(ground)) = (other.score, Ground::of(&other.genome, brief.examples))
                && let Some(step) = ground.program().steps.get(step)
            {
                known.push((score, step.signature.instructions()));
            }
        }
        known.push((brief.score.unwrap_or(0.0), ground.program().steps[step].signature.instructions()));
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        let table: String = known
            .iter()
            .map(|(score, text)| format!("Score {score:.3}:\n<instructions>\n{text}\n</instructions>\n\n"))
            .collect();
        let question = format!(
            "You search for the instructions that let a language model do a task best.\n\n{}\
             Instructions that were tried, the best last:\n\n{table}Find others that score higher; be creative. {}",
            wording::task(brief, ground.program(), step),
            wording::FORM
        );
        let mut useless = String::new();
        for _ in 0..TRIES {
            let answer = asking.say(question.clone(), TEMPERATURE, rng.bits())?;
            match answer.and_then(|text| instructed(&ground, step, &text, brief)) {
                Ok((program, reason)) => match bid(&ground, &program, reason, brief, asking.spent) {
                    Bid::Unusable { reason, .. } => useless = reason,
                    bid => return Ok(bid),
                },
                Err(why) => useless = why,
            }
        }
        Ok(Bid::Unusable { reason: useless, cost: asking.spent })
    }

    fn estimate(&self, _genome: &Genome) -> Cost {
        times(Asking::price(self.model.as_ref(), &self.settings), TRIES)
    }

    fn wants_lines(&self) -> bool {
        true
    }

    fn reads_others(&self) -> bool {
        true
    }
}
