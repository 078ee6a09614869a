//! The student: a model that answers the questions of a prompt suite, as a program of prompts tells it to.
//!
//! What it says, however useless, is an answer that is marked. Nothing is asked that was not set aside.

mod judge;
mod react;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use meliora_benchmark::{Answered, Question};
use meliora_domain::{Call, Cost, Digest, Fields, MarkStatus, Message, MicroUsd, Role, Value, counted};
use meliora_prompt::{Adapter, Module, Predictor, Program, Step, Tool};

use crate::port::{Chat, Model, ModelError, Reply, Reservation, SandboxError};

pub use judge::Judge;
pub use react::Hands;

/// What the mark of a row says first that has no answer, since the call failed for good.
pub const NO_ANSWER: &str = "the model gave no answer";
/// Most answers that are kept at hand.
const AT_HAND: usize = 65_536;
/// Tokens by which a candidate's prompt may be longer than its parent's, where that is shorter.
const ROOM: u64 = 1500;

/// A model and how it is asked.
pub struct Student<'a> {
    /// The model.
    pub model: &'a dyn Model,
    /// Sampling temperature. At 0 an equal request is asked once.
    pub temperature: f64,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Seed, for servers that take one.
    pub seed: u64,
    /// How many questions are asked at once; at least 1.
    pub at_once: usize,
    /// Who marks answers, where the suite has a rubric.
    pub judge: Option<Judge<'a>>,
    /// What was answered to which request.
    at_hand: Mutex<HashMap<Digest, Reply>>,
    /// What its calls took.
    tally: Mutex<Tally>,
}

/// What a student's calls took so far. A question that is asked once for several rows is one call.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tally {
    /// Tokens read.
    pub read: u64,
    /// Tokens written.
    pub written: u64,
    /// Calls whose tokens the server did not count, so that they are estimates.
    pub estimated: u64,
    /// Price of all.
    pub usd: MicroUsd,
    /// Seconds that each call took that got an answer, in the order of their ends.
    pub seconds: Vec<f64>,
}

/// What an examination may cost, and what it has.
#[derive(Debug)]
pub struct Purse {
    /// What is left; `None` for no limit.
    left: Mutex<(Option<Cost>, Cost)>,
}

impl Purse {
    /// With so much in it; `None` for no limit.
    pub fn new(most: Option<Cost>) -> Self {
        Purse { left: Mutex::new((most, Cost::ZERO)) }
    }

    /// What was spent.
    pub fn spent(&self) -> Cost {
        self.lock().1
    }

    /// Takes out what a call may cost; what is left where that is too little.
    fn take(&self, cost: Cost) -> Result<(), Cost> {
        let mut purse = self.lock();
        let Some(left) = purse.0 else { return Ok(()) };
        if cost.tokens > left.tokens || cost.usd > left.usd {
            return Err(left);
        }
        purse.0 = Some(minus(left, cost));
        Ok(())
    }

    /// Puts back what a call did not cost.
    fn settle(&self, taken: Cost, spent: Cost) {
        let mut purse = self.lock();
        purse.1 += spent;
        if let Some(left) = purse.0 {
            purse.0 = Some(minus(left + taken, spent));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Option<Cost>, Cost)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn minus(a: Cost, b: Cost) -> Cost {
    Cost { evals: 0, tokens: a.tokens.saturating_sub(b.tokens), usd: MicroUsd(a.usd.0.saturating_sub(b.usd.0)) }
}

/// One examination, as its questions see it.
#[derive(Clone, Copy)]
struct Sitting<'p> {
    seed: u64,
    purse: &'p Purse,
    hands: &'p dyn Hands,
}

/// For programs without tools.
pub struct NoHands;

impl Hands for NoHands {
    fn use_tool(&self, _: &Tool, _: &Fields) -> Result<Result<Value, String>, SandboxError> {
        Ok(Err("there are no tools here".into()))
    }
}

/// Why questions could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum StudentError {
    /// The model cannot be reached or refuses for good.
    #[error(transparent)]
    Model(ModelError),
    /// A cage that a tool runs in broke.
    #[error(transparent)]
    Cage(SandboxError),
}

/// Why a question has no outputs.
enum Trouble {
    /// The subject's own, or the model's: a mark.
    Mark(MarkStatus, String),
    /// The machinery's.
    Broken(ModelError),
    /// The machinery's, where a tool is to run.
    Cage(SandboxError),
}

impl<'a> Student<'a> {
    /// A student that has answered nothing yet.
    pub fn new(model: &'a dyn Model, temperature: f64, max_tokens: u32, seed: u64, at_once: usize) -> Self {
        let (at_hand, tally) = (Mutex::default(), Mutex::default());
        Student { model, temperature, max_tokens, seed, at_once, judge: None, at_hand, tally }
    }

    /// The same at a temperature of 1 at least, with a memory of its own: equal questions get different answers.
    pub fn varied(&self) -> Student<'a> {
        let Student { model, temperature, max_tokens, seed, at_once, judge, .. } = *self;
        Student { judge, ..Student::new(model, temperature.max(1.0), max_tokens, seed, at_once) }
    }

    /// All that may change its answers, in words: part of the evaluator.
    pub fn describe(&self) -> String {
        let Student { temperature, max_tokens, seed, .. } = self;
        let judge = self.judge.map_or_else(String::new, |judge| format!(", judged by {}", judge.model.name()));
        format!("{} at temperature {temperature}, {max_tokens} tokens, seed {seed}{judge}", self.model.name())
    }

    /// What its calls took so far.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, reply: &Reply, seconds: f64) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.seconds.push(seconds);
        if reply.kept {
            return;
        }
        tally.read += reply.usage.prompt;
        tally.written += reply.usage.completion;
        tally.estimated += u64::from(reply.usage.estimated);
        tally.usd = MicroUsd(tally.usd.0.saturating_add(reply.usd.0));
    }

    /// What answering may cost at most, a repair of each answer included.
    pub fn estimate(&self, program: &Program, questions: &[Question<'_>]) -> Cost {
        let mut sum = Cost::ZERO;
        for question in questions {
            if let Some(judge) = &self.judge {
                sum += judge.price(self.max_tokens, Value::Map(question.inputs.clone()).to_string().len());
            }
            for predictor in program.predictors() {
                let messages = program.adapter.ask(&predictor, question.inputs);
                let least = self.model.estimate(&self.chat(messages.clone(), self.seed));
                let room = ROOM.max(least.tokens.saturating_sub(u64::from(self.max_tokens)));
                let filler = Message::new(Role::User, "abc".repeat(usize::try_from(room).unwrap_or(usize::MAX / 3)));
                let most = self.model.estimate(&self.chat(messages.into_iter().chain([filler]).collect(), self.seed));
                for _ in 0..calls(program, &predictor) {
                    sum += most;
                }
            }
        }
        sum
    }

    fn chat(&self, messages: Vec<Message>, seed: u64) -> Chat {
        let Student { temperature, max_tokens, .. } = *self;
        Chat { messages, temperature, max_tokens, seed, ..Chat::default() }
    }

    /// Answers the questions, several at once; the answers come in the questions' order. The examination's seed is added to
    /// the student's own: at a temperature of 0 it changes nothing.
    ///
    /// # Errors
    /// When the model cannot be reached or refuses for good. What was spent is in the purse.
    pub fn answer(
        &self,
        program: &Program,
        questions: &[Question<'_>],
        (seed, hands): (u64, &dyn Hands),
        purse: &Purse,
    ) -> Result<Vec<Answered>, StudentError> {
        // What is asked once is answered once, also where two ask at the same moment.
        let same = |q: &Question<'_>| questions.iter().find(|first| first.inputs == q.inputs).map_or(q.row, |f| f.row);
        let asked: Vec<&Question<'_>> =
            questions.iter().filter(|q| self.temperature > 0.0 || same(q) == q.row).collect();
        let at = Sitting { seed: self.seed.wrapping_add(seed), purse, hands };
        let answers = self.each(&asked, |question| {
            let mut trace = Vec::new();
            let answer = match self.run(program, question.inputs, at, &mut trace) {
                Ok(outputs) => Ok(outputs),
                Err(Trouble::Mark(status, why)) => Err((status, why)),
                Err(Trouble::Broken(e)) => return Err(StudentError::Model(e)),
                Err(Trouble::Cage(e)) => return Err(StudentError::Cage(e)),
            };
            Ok(Answered { row: question.row, answer, trace })
        })?;
        let of = |row: usize| answers.iter().find(|a| a.row == row);
        let found = |q: &Question<'_>| of(q.row).or_else(|| of(same(q))).map(|a| Answered { row: q.row, ..a.clone() });
        Ok(questions.iter().filter_map(found).collect())
    }

    /// Does this for each, several at once, until one breaks; in their order.
    fn each<I: Sync, T: Send>(
        &self,
        items: &[I],
        work: impl Fn(&I) -> Result<T, StudentError> + Sync,
    ) -> Result<Vec<T>, StudentError> {
        let next = AtomicUsize::new(0);
        let (done, broken) = (Mutex::new(Vec::new()), Mutex::new(None));
        let loops = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else { return };
                match work(item) {
                    Ok(made) => done.lock().unwrap_or_else(PoisonError::into_inner).push((at, made)),
                    Err(e) => {
                        next.store(items.len(), Ordering::Relaxed);
                        broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                        return;
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.at_once.clamp(1, items.len().max(1)) {
                scope.spawn(loops);
            }
            loops();
        });
        if let Some(e) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(e);
        }
        let mut done: Vec<(usize, T)> = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, made)| made).collect())
    }

    /// Runs the steps one after the other.
    fn run(
        &self,
        program: &Program,
        inputs: &Fields,
        at: Sitting<'_>,
        trace: &mut Vec<Call>,
    ) -> Result<Fields, Trouble> {
        let mut known = inputs.clone();
        let mut last = Fields::new();
        for step in &program.steps {
            last = self.step(program.adapter, step, &known, at, trace)?;
            for (name, value) in last.iter() {
                known.set(name, value.clone());
            }
        }
        Ok(last.iter().filter(|(name, _)| program.outputs().iter().any(|f| f.name == *name)).map(own).collect())
    }

    fn step(
        &self,
        adapter: Adapter,
        step: &Step,
        known: &Fields,
        at: Sitting<'_>,
        trace: &mut Vec<Call>,
    ) -> Result<Fields, Trouble> {
        match (&step.module, step.predictors().as_slice()) {
            (Module::React { tools, turns }, [act, extract]) => {
                self.react(adapter, (act, extract), (tools, *turns), known, at, trace)
            }
            (_, [only]) => self.predict(adapter, only, known, at, trace),
            (_, several) => {
                let why = format!("the step '{}' asks {} times", step.name, several.len());
                Err(Trouble::Mark(MarkStatus::Crashed, why))
            }
        }
    }

    /// Asks for a predictor's outputs, and once more where the answer cannot be read.
    fn predict(
        &self,
        adapter: Adapter,
        predictor: &Predictor,
        known: &Fields,
        at: Sitting<'_>,
        trace: &mut Vec<Call>,
    ) -> Result<Fields, Trouble> {
        let wanted = &predictor.signature.inputs;
        let inputs: Fields = known.iter().filter(|(name, _)| wanted.iter().any(|f| f.name == *name)).map(own).collect();
        let (name, signature) = (predictor.name.clone(), &predictor.signature);
        let messages = adapter.ask(predictor, &inputs);
        let first = self.ask(messages.clone(), at)?;
        let read = adapter.read(signature, &first.text);
        let (reply, read) = match (adapter, read) {
            // An answer that was cut off would be cut off again.
            (Adapter::Chat | Adapter::Json, Err(why)) if !first.truncated => {
                match Adapter::Json.read(signature, &first.text) {
                    Ok(outputs) => (first, Ok(outputs)),
                    Err(_) => self.repaired(adapter, predictor, &inputs, (messages, first, why), at)?,
                }
            }
            (_, read) => (first, read),
        };
        match read {
            Ok(outputs) => {
                trace.push(Call { predictor: name, inputs, outputs: outputs.clone(), said: String::new() });
                Ok(outputs)
            }
            Err(why) => {
                trace.push(Call { predictor: name, inputs, outputs: Fields::new(), said: reply.text.clone() });
                let cut = if reply.truncated {
                    format!(", and was cut off at {} tokens", self.max_tokens)
                } else {
                    String::new()
                };
                let said: String = reply.text.chars().take(200).collect();
                Err(Trouble::Mark(MarkStatus::Garbled, format!("{why}{cut}; the answer was: {said}")))
            }
        }
    }

    /// Asks once more: under headings before, as JSON now (as DSPy does); as JSON before, with what was wrong.
    fn repaired(
        &self,
        adapter: Adapter,
        predictor: &Predictor,
        inputs: &Fields,
        (mut messages, first, why): (Vec<Message>, Reply, String),
        at: Sitting<'_>,
    ) -> Result<(Reply, Result<Fields, String>), Trouble> {
        if adapter == Adapter::Chat {
            messages = Adapter::Json.ask(predictor, inputs);
        } else {
            messages.push(Message::new(Role::Assistant, first.text));
            let ask = format!(
                "That cannot be read: {why}. Answer with the JSON object that was asked for, and nothing else."
            );
            messages.push(Message::new(Role::User, ask));
        }
        let reply = self.ask(messages, at)?;
        let read = Adapter::Json.read(&predictor.signature, &reply.text);
        Ok((reply, read))
    }

    fn ask(&self, messages: Vec<Message>, at: Sitting<'_>) -> Result<Reply, Trouble> {
        let seed = if self.temperature == 0.0 { self.seed } else { at.seed };
        self.once(self.model, &self.chat(messages, seed), at)
    }

    /// Asks; at a temperature of 0 an equal question only once.
    fn once(&self, model: &dyn Model, chat: &Chat, at: Sitting<'_>) -> Result<Reply, Trouble> {
        let key = serde_json::to_vec(chat).map(|bytes| Digest::of([bytes.as_slice()])).unwrap_or_default();
        let at_hand = || self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if chat.temperature == 0.0
            && let Some(reply) = at_hand().get(&key)
        {
            return Ok(Reply { kept: true, ..reply.clone() });
        }
        let reply = self.say(model, chat, at)?;
        if chat.temperature == 0.0 {
            let mut at_hand = at_hand();
            if at_hand.len() >= AT_HAND {
                at_hand.clear();
            }
            at_hand.insert(key, reply.clone());
        }
        Ok(reply)
    }

    /// One call, paid from the purse.
    fn say(&self, model: &dyn Model, chat: &Chat, at: Sitting<'_>) -> Result<Reply, Trouble> {
        let price = model.estimate(chat);
        at.purse.take(price).map_err(|left| {
            let why = format!(
                "the prompt needs up to {} tokens and {} are left for the examination",
                price.tokens, left.tokens
            );
            Trouble::Mark(MarkStatus::OverLimit, why)
        })?;
        let asked = std::time::Instant::now();
        let reply = model.chat(chat, Reservation(price));
        let spent = match &reply {
            Ok(reply) => {
                self.count(reply, asked.elapsed().as_secs_f64());
                reply.cost()
            }
            Err(ModelError::Failed { spent, .. }) => *spent,
            Err(_) => Cost::ZERO,
        };
        at.purse.settle(price, spent);
        match reply {
            Ok(reply) => Ok(reply),
            // One call that failed says nothing of the prompt: the mark counts neither way.
            Err(ModelError::Failed { tries, cause, .. }) => {
                let why = format!("{NO_ANSWER} after {}: {cause}", counted(tries, "attempt"));
                Err(Trouble::Mark(MarkStatus::Missing, why))
            }
            Err(ModelError::Refused(told)) if told.to_lowercase().contains("context") => Err(Trouble::Mark(
                MarkStatus::OverLimit,
                format!("the prompt is longer than the model's context: {told}"),
            )),
            Err(e @ (ModelError::OverReservation { .. } | ModelError::TooLong(_))) => {
                Err(Trouble::Mark(MarkStatus::OverLimit, e.to_string()))
            }
            Err(e) => Err(Trouble::Broken(e)),
        }
    }
}

fn own<'f>((name, value): (&'f str, &meliora_domain::Value)) -> (&'f str, meliora_domain::Value) {
    (name, value.clone())
}

/// How often a predictor may be asked for one row.
fn calls(program: &Program, predictor: &Predictor) -> u32 {
    if program.adapter == Adapter::Plain {
        return 1;
    }
    let turns = program.steps.iter().find_map(|step| match &step.module {
        Module::React { turns, .. } if predictor.name == format!("{}.react", step.name) => Some(*turns),
        _ => None,
    });
    2 * turns.unwrap_or(1)
}

#[cfg(test)]
mod tests;
