//! Demos: from the rows as they are (`LabeledFewShot`), or from what a teacher got right (`BootstrapFewShot` and its random
//! search; Khattab et al., DSPy, 2023, §4 and appendix E). Only train rows that decide nothing become demos.
//!
//! As in DSPy up to one thing: each step samples its raw rows from all that were not bootstrapped, where DSPy lets later
//! predictors sample from what an earlier one was given.

use meliora_domain::{Cost, Example, Fields, Genome};
use meliora_evolve::{Bid, Brief, ProposeError, Proposer, Pupil, Rng, Tryout};
use meliora_prompt::Program;

use super::{Ground, Settings, bid, demo_steps, labelled, sample, times};

/// Most demos from rows as they are.
const LABELED: usize = 16;
/// Most demos from traces.
const BOOTSTRAPPED: usize = 4;
/// Rows that a teacher is asked in one bid, at most.
pub(super) const ASKED: usize = 12;
/// Candidates of a random search after the three that are fixed.
const CANDIDATES: u64 = 16;
/// Samples that are tried before there is nothing new.
const SAMPLES: u64 = 20;

/// `LabeledFewShot`: up to 16 train rows as demos, chosen at random.
pub struct Labeled;

impl Proposer for Labeled {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = few_shot(brief) else { return Ok(Bid::Exhausted) };
        for round in 0..SAMPLES {
            let rows = allowed(brief.examples);
            let rows = sample(&rows, LABELED, &mut Rng::of(brief.seed, 1, round));
            let program = labeled(ground.program(), &rows);
            let change = ground.change(&program);
            if ground.stale(&change, brief).is_none() {
                let reason = format!("{} as demos", meliora_domain::counted(rows.len(), "row"));
                return Ok(bid(&ground, &program, reason, brief, Cost::ZERO));
            }
        }
        Ok(Bid::Exhausted)
    }

    fn wants_lines(&self) -> bool {
        true
    }
}

/// `BootstrapFewShot`: what a teacher gets right becomes demos, with all that it gave on the way; raw rows fill up.
pub struct Bootstrap {
    settings: Settings,
}

impl Bootstrap {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Bootstrap { settings }
    }
}

impl Proposer for Bootstrap {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = few_shot(brief) else { return Ok(Bid::Exhausted) };
        let rows = allowed(brief.examples);
        let rows = if brief.step == 1 { rows } else { sample(&rows, rows.len(), &mut Rng::of(brief.seed, 2, 0)) };
        let mut class = Class::new(brief);
        let program = class.bootstrap(&ground, &rows, BOOTSTRAPPED)?;
        Ok(bid(&ground, &program, class.reason(), brief, class.spent))
    }

    fn estimate(&self, _genome: &Genome) -> Cost {
        times(self.settings.row, ASKED)
    }

    fn wants_lines(&self) -> bool {
        true
    }
}

/// `BootstrapFewShotWithRandomSearch`: no demos, raw rows, unshuffled traces, then shuffled ones of random number; each
/// step of the run is one of them, and the judge decides.
pub struct RandomSearch {
    settings: Settings,
}

impl RandomSearch {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        RandomSearch { settings }
    }
}

impl Proposer for RandomSearch {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = few_shot(brief) else { return Ok(Bid::Exhausted) };
        let rows = allowed(brief.examples);
        let mut class = Class::new(brief);
        let mut rng = Rng::of(brief.seed, 3, 0);
        let (program, reason) = match brief.step {
            0 | 1 => (labeled(ground.program(), &[]), "no demos".to_owned()),
            2 => {
                let rows = sample(&rows, LABELED, &mut rng);
                (labeled(ground.program(), &rows), format!("{} as demos", meliora_domain::counted(rows.len(), "row")))
            }
            3 => (class.bootstrap(&ground, &rows, BOOTSTRAPPED)?, class.reason()),
            step if step <= 3 + CANDIDATES => {
                let most = 1 + usize::try_from(rng.below(BOOTSTRAPPED as u64)).unwrap_or(0);
                let rows = sample(&rows, rows.len(), &mut rng);
                (class.bootstrap(&ground, &rows, most)?, class.reason())
            }
            _ => return Ok(Bid::Exhausted),
        };
        Ok(bid(&ground, &program, reason, brief, class.spent))
    }

    fn estimate(&self, _genome: &Genome) -> Cost {
        times(self.settings.row, ASKED)
    }

    fn wants_lines(&self) -> bool {
        true
    }
}

/// The demos of each step.
type DemoSet = Vec<Vec<Fields>>;

/// Sets of demos: the parent's own, raw rows, and what a teacher gets right of the rows in other orders. With what
/// that cost. The same parent and rows give the same sets.
pub(super) fn demo_sets(ground: &Ground, brief: &Brief<'_>, more: usize) -> Result<(Vec<DemoSet>, Cost), ProposeError> {
    let of = |program: &Program| -> DemoSet { program.steps.iter().map(|step| step.demos.clone()).collect() };
    let mut sets = vec![of(ground.program())];
    let mut spent = Cost::ZERO;
    let rows = allowed(brief.examples);
    if ground.file.is_plain() || demo_steps(ground.program()).is_empty() || rows.is_empty() {
        return Ok((sets, spent));
    }
    for set in 0..more as u64 {
        let rows = sample(&rows, rows.len(), &mut Rng::of(set, 10, 0));
        if set == 0 {
            sets.push(of(&labeled(ground.program(), &rows[..rows.len().min(LABELED)])));
            continue;
        }
        let mut class = Class::new(brief);
        class.spent = spent;
        sets.push(of(&class.bootstrap(ground, &rows, BOOTSTRAPPED)?));
        spent = class.spent;
    }
    Ok((sets, spent))
}

/// The parent, if its program has a place for demos and there are rows for them.
fn few_shot(brief: &Brief<'_>) -> Option<Ground> {
    let ground = Ground::of(brief.genome, brief.examples)?;
    let place = !ground.file.is_plain() && !demo_steps(ground.program()).is_empty();
    (place && !allowed(brief.examples).is_empty()).then_some(ground)
}

/// The rows that may be shown.
fn allowed(examples: &[Example]) -> Vec<Example> {
    examples.iter().filter(|example| example.demo).cloned().collect()
}

/// The program with these rows as demos of each step, and no others.
fn labeled(program: &Program, rows: &[Example]) -> Program {
    let mut new = program.clone();
    for step in demo_steps(program) {
        new.steps[step].demos = rows.iter().filter_map(|row| labelled(program, step, row)).collect();
    }
    new
}

/// A teacher at work on train rows.
struct Class<'a> {
    brief: &'a Brief<'a>,
    spent: Cost,
    asked: usize,
    right: usize,
}

impl<'a> Class<'a> {
    fn new(brief: &'a Brief<'a>) -> Self {
        Class { brief, spent: Cost::ZERO, asked: 0, right: 0 }
    }

    fn reason(&self) -> String {
        format!("demos from {} right answers of {}", self.right, self.asked)
    }

    /// The program with demos from the first `most` rows of these that the teacher gets right.
    fn bootstrap(&mut self, ground: &Ground, rows: &[Example], most: usize) -> Result<Program, ProposeError> {
        let program = ground.program();
        let mut traced: Vec<Vec<Fields>> = vec![Vec::new(); program.steps.len()];
        let mut used = Vec::new();
        for row in rows.iter().take(ASKED) {
            if self.right >= most {
                break;
            }
            let Some(answered) = self.taught(ground, rows, row)? else { continue };
            if answered.score < 1.0 {
                continue;
            }
            self.right += 1;
            used.push(row.task.clone());
            for step in demo_steps(program) {
                let name = &program.steps[step].name;
                let of = |p: &str| p == name || p.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'));
                if let Some(call) = answered.trace.iter().find(|c| of(&c.predictor) && !c.outputs.is_empty()) {
                    let mut demo = call.inputs.clone();
                    call.outputs.iter().for_each(|(field, value)| demo.set(field, value.clone()));
                    traced[step].push(demo);
                }
            }
        }
        let raw: Vec<Example> = rows.iter().filter(|row| !used.contains(&row.task)).cloned().collect();
        let mut new = program.clone();
        for step in demo_steps(program) {
            let mut demos = std::mem::take(&mut traced[step]);
            let room = LABELED.saturating_sub(demos.len());
            let more = sample(&raw, room, &mut Rng::of(0, 4, step as u64));
            demos.extend(more.iter().filter_map(|row| labelled(program, step, row)));
            new.steps[step].demos = demos;
        }
        Ok(new)
    }

    /// What the teacher makes of a row: the parent with raw rows as demos, that row not among them.
    fn taught(&mut self, ground: &Ground, rows: &[Example], row: &Example) -> Result<Option<Example>, ProposeError> {
        let others: Vec<Example> = rows.iter().filter(|other| other.task != row.task).cloned().collect();
        let shown = sample(&others, LABELED, &mut Rng::of(0, 5, 0));
        let change = ground.change(&labeled(ground.program(), &shown));
        let left = Cost {
            evals: 0,
            tokens: self.brief.reserved.tokens.saturating_sub(self.spent.tokens),
            usd: meliora_domain::MicroUsd(self.brief.reserved.usd.0.saturating_sub(self.spent.usd.0)),
        };
        self.asked += 1;
        let tryout = self.brief.trial.on(&change, std::slice::from_ref(&row.task), Pupil::Teacher, left);
        match tryout.map_err(|e| ProposeError { spent: self.spent + e.spent, ..e })? {
            Tryout::Done { examples, cost } => {
                self.spent += cost;
                Ok(examples.into_iter().next())
            }
            Tryout::Refused(_) => Ok(None),
        }
    }
}
