//! The simplest optimizer: shows a model the instructions and what went wrong, and asks for better ones.

use std::sync::Arc;

use meliora_domain::{Cost, Example, Genome};
use meliora_evolve::{Bid, Brief, Model, ProposeError, Proposer, Rng};

use super::{Asking, Ground, Settings, bid, times, wording};

/// Questions that are asked in one bid, until an answer can be used.
const TRIES: usize = 3;
/// Rows that are shown.
const SHOWN: usize = 4;
/// Sampling temperature.
const TEMPERATURE: f64 = 0.7;

/// Asks for better instructions.
pub struct Reword {
    model: Arc<dyn Model>,
    settings: Settings,
}

impl Reword {
    /// With this model.
    pub fn new(model: Arc<dyn Model>, settings: Settings) -> Self {
        Reword { model, settings }
    }
}

impl Proposer for Reword {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = Ground::of(brief.genome, brief.examples) else { return Ok(Bid::Exhausted) };
        let mut rng = Rng::of(brief.seed, 0, 0);
        let mut asking = Asking::new(self.model.as_ref(), &self.settings, brief);
        let steps = ground.program().steps.len() as u64;
        let step = usize::try_from(rng.below(steps)).unwrap_or(0);
        let shown = chosen(brief.examples, SHOWN, &mut rng);
        let name = ground.program().steps[step].name.clone();
        let question = format!(
            "You improve the instructions that a language model is given.\n\n{}{}{}{}",
            wording::task(brief, ground.program(), step),
            wording::rows(&shown, Some(&name)),
            wording::attempts(brief, 4),
            wording::FORM
        );
        let mut useless = String::new();
        for _ in 0..TRIES {
            let answer = asking.say(question.clone(), TEMPERATURE, rng.bits())?;
            match answer.and_then(|text| instructed(&ground, step, &text, brief)) {
                Ok((program, reason)) => {
                    let bid = bid(&ground, &program, reason, brief, asking.spent);
                    match bid {
                        Bid::Unusable { reason, .. } => useless = reason,
                        bid => return Ok(bid),
                    }
                }
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
}

/// The parent with the instructions of an answer, and the reason for it.
pub(super) fn instructed(
    ground: &Ground,
    step: usize,
    answer: &str,
    brief: &Brief<'_>,
) -> Result<(meliora_prompt::Program, String), String> {
    let mut program = ground.program().clone();
    let old = &program.steps[step].signature;
    let places: Vec<String> = old.inputs.iter().map(|f| format!("{{{}}}", f.name)).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let new = wording::read(answer, &old.instructions(), brief.examples, &places)?;
    let head: String = new.lines().next().unwrap_or_default().chars().take(100).collect();
    let reason = format!("{}: {head}", program.steps[step].name);
    program.steps[step].signature.instructions = new;
    Ok((program, reason))
}

/// Rows to show: wrong ones first, and a right one if there is room.
pub(super) fn chosen<'e>(examples: &'e [Example], most: usize, rng: &mut Rng) -> Vec<&'e Example> {
    let all: Vec<&Example> = examples.iter().collect();
    let mixed = super::sample(&all, all.len(), rng);
    let (wrong, right): (Vec<&Example>, Vec<&Example>) = mixed.into_iter().partition(|e| e.score < 1.0);
    wrong.into_iter().take(most.saturating_sub(1).max(1)).chain(right).take(most).collect()
}
