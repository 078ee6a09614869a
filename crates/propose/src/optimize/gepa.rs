//! GEPA: reflection on what was made of a few rows, a gate on the same rows, and the merging of two programs that changed
//! different parts (Agrawal et al., 2025, arXiv 2507.19457, algorithm 1 and 2, appendix on merge).
//!
//! Which parent is changed is the strategy's choice.

use std::sync::Arc;

use meliora_domain::{Cost, Example, Genome, MicroUsd, TaskId};
use meliora_evolve::{Bid, Brief, Model, ProposeError, Proposer, Pupil, Rng, Tryout};
use meliora_prompt::Program;

use super::reword::instructed;
use super::{Asking, Ground, Settings, bid, times, wording};

/// Rows of a minibatch (§3.1).
const MINIBATCH: usize = 3;
/// Rows that a merge is tried on.
const MERGE_ROWS: usize = 5;
/// Reflections in one bid, until one passes its gate.
const TRIES: usize = 2;
/// Every so many steps two programs are merged, where they can be.
const MERGE_EVERY: u64 = 5;
/// Sampling temperature of the reflection.
const TEMPERATURE: f64 = 1.0;

/// Reflects.
pub struct Gepa {
    model: Arc<dyn Model>,
    settings: Settings,
}

impl Gepa {
    /// With this model for the reflection.
    pub fn new(model: Arc<dyn Model>, settings: Settings) -> Self {
        Gepa { model, settings }
    }
}

impl Proposer for Gepa {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = Ground::of(brief.genome, brief.examples) else { return Ok(Bid::Exhausted) };
        if brief.examples.is_empty() || brief.examples.iter().all(|e| e.score >= 1.0) {
            return Ok(Bid::Exhausted);
        }
        let mut asking = Asking::new(self.model.as_ref(), &self.settings, brief);
        if brief.step.is_multiple_of(MERGE_EVERY)
            && let Some(bid) = merge(&ground, brief, &mut asking)?
        {
            return Ok(bid);
        }
        let steps = ground.program().steps.len();
        let mut useless = String::new();
        for round in 0..TRIES {
            let mut rng = Rng::of(brief.seed, 6, round as u64);
            let step = (usize::try_from(brief.step).unwrap_or(0) + round) % steps;
            let batch = minibatch(brief.examples, &mut rng);
            let name = ground.program().steps[step].name.clone();
            let question = format!(
                "You improve the instructions that a language model is given, by looking at what it made of some rows.\n\n\
                 {}{}Think about what these answers have in common: what was misunderstood, which facts or rules of the task \
                 the instructions do not tell, what went right and has to stay. {}",
                wording::task(brief, ground.program(), step),
                wording::rows(&batch, Some(&name)),
                wording::FORM
            );
            let answer = asking.say(question, TEMPERATURE, rng.bits())?;
            let (program, reason) = match answer.and_then(|text| instructed(&ground, step, &text, brief)) {
                Ok(found) => found,
                Err(why) => {
                    useless = why;
                    continue;
                }
            };
            match gate(&ground, &program, &batch, 0.0, brief, &mut asking)? {
                Ok((was, now)) => {
                    let reason = format!("{reason} ({was:.2} → {now:.2} on {} rows)", batch.len());
                    match bid(&ground, &program, reason, brief, asking.spent) {
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
        let merge = times(self.settings.row, MERGE_ROWS);
        let once = Asking::price(self.model.as_ref(), &self.settings) + times(self.settings.row, MINIBATCH);
        merge + times(once, TRIES)
    }

    fn wants_lines(&self) -> bool {
        true
    }

    fn reads_others(&self) -> bool {
        true
    }

    fn reads_ancestors(&self) -> bool {
        true
    }
}

/// A few rows, one of them wrong at least: rows that are all right tell nothing.
fn minibatch<'e>(examples: &'e [Example], rng: &mut Rng) -> Vec<&'e Example> {
    let all: Vec<&Example> = examples.iter().collect();
    let mut batch = super::sample(&all, MINIBATCH, rng);
    if batch.iter().all(|e| e.score >= 1.0) {
        let wrong: Vec<&Example> = all.into_iter().filter(|e| e.score < 1.0).collect();
        if let (Some(one), Some(first)) = (super::sample(&wrong, 1, rng).first(), batch.first_mut()) {
            *first = one;
        }
    }
    batch
}

/// Whether a program does better than its parent on the same rows, by more than `margin`; both sums, or why not.
fn gate(
    ground: &Ground,
    program: &Program,
    batch: &[&Example],
    margin: f64,
    brief: &Brief<'_>,
    asking: &mut Asking<'_>,
) -> Result<Result<(f64, f64), String>, ProposeError> {
    let change = ground.change(program);
    if let Some(why) = ground.stale(&change, brief) {
        return Ok(Err(why.to_owned()));
    }
    let tasks: Vec<TaskId> = batch.iter().map(|e| e.task.clone()).collect();
    let left = asking.left();
    let tryout = brief.trial.on(&change, &tasks, Pupil::Student, Cost { usd: MicroUsd(left.usd.0), ..left });
    match tryout.map_err(|e| ProposeError { spent: asking.spent + e.spent, ..e })? {
        Tryout::Refused(why) => Ok(Err(format!("could not be tried: {why}"))),
        Tryout::Done { examples, cost } => {
            asking.spent += cost;
            let (was, now): (f64, f64) = (batch.iter().map(|e| e.score).sum(), examples.iter().map(|e| e.score).sum());
            if now > was + margin {
                Ok(Ok((was, now)))
            } else {
                Ok(Err(format!("no better on the same {} rows ({was:.2} → {now:.2})", batch.len())))
            }
        }
    }
}

/// The parent with the steps that another good program changed and the parent did not, since the baseline of both.
fn merge(ground: &Ground, brief: &Brief<'_>, asking: &mut Asking<'_>) -> Result<Option<Bid>, ProposeError> {
    let base = brief.ancestors.last().and_then(|a| Ground::of(&a.genome, brief.examples));
    let Some(base) = base else { return Ok(None) };
    for other in brief.inspirations {
        let Some(theirs) = Ground::of(&other.genome, brief.examples) else { continue };
        let (ours, theirs, base) = (ground.program(), theirs.program(), base.program());
        if ours.steps.len() != theirs.steps.len() || ours.steps.len() != base.steps.len() {
            continue;
        }
        let mut merged = ours.clone();
        for (i, step) in merged.steps.iter_mut().enumerate() {
            if ours.steps[i] == base.steps[i] && theirs.steps[i] != base.steps[i] {
                step.clone_from(&theirs.steps[i]);
            }
        }
        if merged == *ours || merged == *theirs {
            continue;
        }
        let all: Vec<&Example> = brief.examples.iter().collect();
        let rows = super::sample(&all, MERGE_ROWS, &mut Rng::of(brief.seed, 7, 0));
        // As good as the better of the two is enough for a merge.
        if let Ok((was, now)) = gate(ground, &merged, &rows, -f64::EPSILON, brief, asking)? {
            let reason = format!("merged with {} ({was:.2} → {now:.2} on {} rows)", other.variant.short(), rows.len());
            return Ok(Some(bid(ground, &merged, reason, brief, asking.spent)));
        }
        return Ok(None);
    }
    Ok(None)
}
