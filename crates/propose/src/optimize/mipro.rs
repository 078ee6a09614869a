//! MIPROv2: instructions that are grounded in the data, sets of bootstrapped demos, and a search over both by a Parzen
//! estimator on minibatches (Opsahl-Ong et al., 2024, arXiv 2406.11695, §4 and algorithm 1).
//!
//! Each bid is one such search: the best of its combinations is examined in full by the engine, and the next bid starts from
//! whatever the strategy chooses. The minibatches are of train rows, for no others are known here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use meliora_domain::{Cost, Example, Genome, TaskId, TreeId};
use meliora_evolve::{Bid, Brief, Model, ProposeError, Proposer, Pupil, Rng, Tryout};
use meliora_prompt::Program;

use super::demos::demo_sets;
use super::reword::{chosen, instructed};
use super::{Asking, Ground, Settings, bid, times, tpe, wording};

/// Instructions that are asked for, beside the parent's own.
const INSTRUCTIONS: usize = 3;
/// Sets of demos, beside the parent's own: raw rows, and bootstrapped ones.
const SETS: usize = 3;
/// Combinations that are tried in one bid.
const TRIALS: usize = 8;
/// Draws until one is new; where none is, all that is worth it was tried.
const DRAWS: usize = 40;
/// Rows of a minibatch: the paper's 35 where there are so many.
const MINIBATCH: usize = 35;
/// Sampling temperature of instructions.
const TEMPERATURE: f64 = 1.0;
/// What each instruction is to aim at, so that they differ.
const TIPS: [&str; INSTRUCTIONS] = [
    "Be brief and plain.",
    "Describe the task step by step, with what to look at first.",
    "Say for which cases mistakes are likely and how to avoid them.",
];

/// Searches over instructions and demos together.
pub struct Mipro {
    model: Arc<dyn Model>,
    settings: Settings,
    /// Instructions by the tree that they were asked for. It only saves calls.
    at_hand: Mutex<HashMap<TreeId, Vec<Program>>>,
}

impl Mipro {
    /// With this model for the instructions.
    pub fn new(model: Arc<dyn Model>, settings: Settings) -> Self {
        Mipro { model, settings, at_hand: Mutex::default() }
    }

    /// The parent and others with new instructions, for each step in turn.
    fn instructions(
        &self,
        ground: &Ground,
        brief: &Brief<'_>,
        asking: &mut Asking<'_>,
    ) -> Result<Vec<Program>, ProposeError> {
        let at_hand = || self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = brief.genome.tree();
        if let Some(known) = at_hand().get(&tree) {
            return Ok(known.clone());
        }
        let mut programs = vec![ground.program().clone()];
        for (i, tip) in TIPS.iter().enumerate() {
            let mut rng = Rng::of(i as u64, 8, 0);
            let step = i % ground.program().steps.len();
            let name = ground.program().steps[step].name.clone();
            let question = format!(
                "You write the instructions that a language model is given for a task.\n\n{}Some of the data:\n\n{}{} {tip}",
                wording::task(brief, ground.program(), step),
                wording::rows(&chosen(brief.examples, 4, &mut rng), Some(&name)),
                wording::FORM
            );
            let answer = asking.say(question, TEMPERATURE, rng.bits())?;
            programs.extend(answer.and_then(|text| instructed(ground, step, &text, brief)).map(|(program, _)| program));
        }
        at_hand().insert(tree, programs.clone());
        Ok(programs)
    }
}

impl Proposer for Mipro {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = Ground::of(brief.genome, brief.examples) else { return Ok(Bid::Exhausted) };
        if brief.examples.is_empty() {
            return Ok(Bid::Exhausted);
        }
        let mut asking = Asking::new(self.model.as_ref(), &self.settings, brief);
        let instructions = self.instructions(&ground, brief, &mut asking)?;
        let (sets, spent) = demo_sets(&ground, brief, SETS)?;
        asking.spent += spent;
        let mut rng = Rng::of(brief.seed, 9, 0);
        let all: Vec<&Example> = brief.examples.iter().collect();
        let rows = super::sample(&all, MINIBATCH, &mut rng);
        let tasks: Vec<TaskId> = rows.iter().map(|e| e.task.clone()).collect();
        let parent = rows.iter().map(|e| e.score).sum::<f64>() / rows.len() as f64;
        let sizes = [instructions.len(), sets.len()];
        // The parent's own instructions and demos are known already.
        let mut trials: Vec<tpe::Trial> = vec![(vec![0, 0], parent)];
        let mut best: Option<(f64, Program, String)> = None;
        for _ in 0..TRIALS {
            // On the same rows a combination gives the same again.
            let new = |choice: &Vec<usize>| !trials.iter().any(|(tried, _)| tried == choice);
            let guided = (0..DRAWS).map(|_| tpe::next(&sizes, &trials, &mut rng)).find(new);
            // Where the estimator has made up its mind, what is left of the budget looks elsewhere.
            let choice = guided.or_else(|| (0..DRAWS).map(|_| tpe::next(&sizes, &[], &mut rng)).find(new));
            let Some(choice) = choice else { break };
            let mut program = instructions[choice[0]].clone();
            for (step, demos) in program.steps.iter_mut().zip(&sets[choice[1]]) {
                step.demos.clone_from(demos);
            }
            let change = ground.change(&program);
            let score = match ground.stale(&change, brief) {
                Some(_) => 0.0,
                None => match brief.trial.on(&change, &tasks, Pupil::Student, asking.left()) {
                    Err(e) => return Err(ProposeError { spent: asking.spent + e.spent, ..e }),
                    Ok(Tryout::Refused(_)) => 0.0,
                    Ok(Tryout::Done { examples, cost }) => {
                        asking.spent += cost;
                        let score = examples.iter().map(|e| e.score).sum::<f64>() / rows.len() as f64;
                        if best.as_ref().is_none_or(|(most, ..)| score > *most) {
                            let reason = format!(
                                "instructions {} with demos {} ({parent:.2} → {score:.2} on {} rows)",
                                choice[0],
                                choice[1],
                                rows.len()
                            );
                            best = Some((score, program, reason));
                        }
                        score
                    }
                },
            };
            trials.push((choice, score));
        }
        match best {
            Some((score, program, reason)) if score > parent => Ok(bid(&ground, &program, reason, brief, asking.spent)),
            Some((.., reason)) => Ok(Bid::Unusable { reason: format!("nothing better: {reason}"), cost: asking.spent }),
            None => Ok(Bid::Unusable { reason: "no combination could be tried".into(), cost: asking.spent }),
        }
    }

    fn estimate(&self, _genome: &Genome) -> Cost {
        let asked = times(Asking::price(self.model.as_ref(), &self.settings), INSTRUCTIONS);
        asked + times(self.settings.row, TRIALS * MINIBATCH + SETS * super::demos::ASKED)
    }

    fn wants_lines(&self) -> bool {
        true
    }
}
