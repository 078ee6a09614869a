//! Prompt optimizers: each proposes another program of prompts, from what train rows told of the parent.
//!
//! Thin: the engine chooses parents, examines, judges, keeps the budget and the archive. No row but train rows is known here.

mod copro;
mod demos;
mod gepa;
mod mipro;
mod reword;
mod simba;
mod tpe;
mod wording;

use std::sync::Arc;

use meliora_domain::{Change, Cost, Edit, Example, Fields, Genome, Value};
use meliora_evolve::{Bid, Brief, Chat, Message, Model, ModelError, ProposeError, Proposer, Reservation, Rng, Role};
use meliora_prompt::{Files, Module, Program, ProgramFile};

pub use copro::Copro;
pub use demos::{Bootstrap, Labeled, RandomSearch};
pub use gepa::Gepa;
pub use mipro::Mipro;
pub use reword::Reword;
pub use simba::Simba;

/// How optimizers ask, and what they may assume.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Most tokens of a question.
    pub context_tokens: u64,
    /// Sampling temperature; each optimizer has its own if absent.
    pub temperature: Option<f64>,
    /// What having one train row answered may cost at most, for reservations.
    pub row: Cost,
}

/// The names under which optimizers are chosen.
pub const NAMES: [&str; 8] = [
    "reword",
    "labeled-few-shot",
    "bootstrap-few-shot",
    "bootstrap-random-search",
    "copro",
    "gepa",
    "mipro-v2",
    "simba",
];

/// The optimizer of this name; `None` if there is none. Those that only choose demos need no model.
pub fn named(name: &str, model: Arc<dyn Model>, settings: Settings) -> Option<Box<dyn Proposer>> {
    Some(match name {
        "reword" => Box::new(Reword::new(model, settings)),
        "labeled-few-shot" => Box::new(Labeled),
        "bootstrap-few-shot" => Box::new(Bootstrap::new(settings)),
        "bootstrap-random-search" => Box::new(RandomSearch::new(settings)),
        "copro" => Box::new(Copro::new(model, settings)),
        "mipro-v2" => Box::new(Mipro::new(model, settings)),
        "gepa" => Box::new(Gepa::new(model, settings)),
        "simba" => Box::new(Simba::new(model, settings)),
        _ => return None,
    })
}

/// The parent as a program, with what is needed to write another one in its place.
struct Ground {
    files: Files,
    file: ProgramFile,
}

impl Ground {
    /// `None` if the genome holds no program that can be read: there is nothing to propose then.
    fn of(genome: &Genome, examples: &[Example]) -> Option<Self> {
        let files: Files =
            genome.files().filter_map(|(path, body)| Some((path.to_string(), body.text()?.to_owned()))).collect();
        let columns: Vec<&str> =
            examples.first().map(|e| e.inputs.iter().map(|(name, _)| name).collect()).unwrap_or_default();
        let file = ProgramFile::read(&files, &columns).ok()?;
        Some(Ground { files, file })
    }

    fn program(&self) -> &Program {
        &self.file.program
    }

    /// The change that makes the parent this program.
    fn change(&self, program: &Program) -> Change {
        let written = self.file.write(program, &self.files);
        Change { edits: written.into_iter().map(|(path, content)| Edit::Write { path, content }).collect() }
    }

    /// Whether a change is worth a bid; why not.
    fn stale(&self, change: &Change, brief: &Brief<'_>) -> Option<&'static str> {
        if change.edits.is_empty() {
            return Some("the answer changes nothing");
        }
        let tree = change.apply(brief.genome).ok()?.tree();
        brief.tried.tree(&tree).then_some("the answer was tried before")
    }
}

/// The row as a demo of a step: its inputs, and what is expected where that names the step's outputs or is the only one.
fn labelled(program: &Program, step: usize, example: &Example) -> Option<Fields> {
    let signature = &program.steps.get(step)?.signature;
    let last = step + 1 == program.steps.len();
    let mut demo = Fields::new();
    for field in &signature.inputs {
        if let Some(value) = example.inputs.get(&field.name) {
            demo.set(field.name.as_str(), value.clone());
        }
    }
    let named = |name: &str| match &example.expected {
        Value::Map(fields) => fields.get(name).cloned(),
        _ => None,
    };
    for field in &signature.outputs {
        if let Some(value) = named(&field.name).or_else(|| example.inputs.get(&field.name).cloned()) {
            demo.set(field.name.as_str(), value);
        }
    }
    if let (true, [only], false) = (last, signature.outputs.as_slice(), matches!(example.expected, Value::Map(_))) {
        demo.set(only.name.as_str(), example.expected.clone());
    }
    let has = |fields: &[meliora_prompt::Field]| fields.iter().any(|f| demo.get(&f.name).is_some());
    (has(&signature.inputs) && has(&signature.outputs)).then_some(demo)
}

/// The steps whose demos a trace can fill: react has another form.
fn demo_steps(program: &Program) -> Vec<usize> {
    let plain = |step: &meliora_prompt::Step| !matches!(step.module, Module::React { .. });
    (0..program.steps.len()).filter(|i| plain(&program.steps[*i])).collect()
}

/// So many of a list, none twice, in random order.
fn sample<T: Clone>(items: &[T], most: usize, rng: &mut Rng) -> Vec<T> {
    let mut left: Vec<&T> = items.iter().collect();
    let mut taken = Vec::new();
    while taken.len() < most && !left.is_empty() {
        let at = usize::try_from(rng.below(left.len() as u64)).unwrap_or(0);
        taken.push(left.remove(at).clone());
    }
    taken
}

/// Asks a model, within what is left of a reservation.
struct Asking<'a> {
    model: &'a dyn Model,
    settings: &'a Settings,
    spent: Cost,
    reserved: Cost,
}

impl<'a> Asking<'a> {
    fn new(model: &'a dyn Model, settings: &'a Settings, brief: &Brief<'_>) -> Self {
        Asking { model, settings, spent: Cost::ZERO, reserved: brief.reserved }
    }

    fn left(&self) -> Cost {
        Cost {
            evals: 0,
            tokens: self.reserved.tokens.saturating_sub(self.spent.tokens),
            usd: meliora_domain::MicroUsd(self.reserved.usd.0.saturating_sub(self.spent.usd.0)),
        }
    }

    /// What it says. `Ok(Err(why))` if it gives no answer that can be used.
    fn say(&mut self, question: String, temperature: f64, seed: u64) -> Result<Result<String, String>, ProposeError> {
        let temperature = self.settings.temperature.unwrap_or(temperature);
        let messages = vec![Message::new(Role::User, question)];
        let chat = Chat { messages, temperature, max_tokens: self.settings.max_tokens, seed, ..Chat::default() };
        match self.model.chat(&chat, Reservation(self.left())) {
            Ok(reply) => {
                self.spent += reply.cost();
                Ok(match reply.truncated {
                    true => Err(format!("the answer was cut off at {} tokens", chat.max_tokens)),
                    false => Ok(reply.text),
                })
            }
            Err(ModelError::Failed { tries, cause, spent }) => {
                self.spent += spent;
                Ok(Err(format!("the model gave no answer after {tries} tries: {cause}")))
            }
            Err(ModelError::OverReservation { .. }) => Ok(Err("too little is set aside for another question".into())),
            Err(e) => Err(ProposeError { spent: self.spent, ..crate::rewrite::broken(&e) }),
        }
    }

    /// What one question may cost at most.
    fn price(model: &dyn Model, settings: &Settings) -> Cost {
        let tokens = usize::try_from(settings.context_tokens).unwrap_or(usize::MAX / 3);
        let messages = vec![Message::new(Role::User, "abc".repeat(tokens))];
        model.estimate(&Chat {
            messages,
            temperature: 0.0,
            max_tokens: settings.max_tokens,
            seed: 0,
            ..Chat::default()
        })
    }
}

fn times(cost: Cost, times: usize) -> Cost {
    (0..times).fold(Cost::ZERO, |sum, _| sum + cost)
}

/// A bid of this program, if it is worth one.
fn bid(ground: &Ground, program: &Program, reason: String, brief: &Brief<'_>, cost: Cost) -> Bid {
    let change = ground.change(program);
    match ground.stale(&change, brief) {
        Some(why) => Bid::Unusable { reason: format!("{why}: {reason}"), cost },
        None => Bid::Proposal { change, reason, idea: None, cost },
    }
}

#[cfg(test)]
mod tests;
