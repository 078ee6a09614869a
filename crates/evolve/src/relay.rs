//! An examination in the tier `split`: the evaluator in one cage, the candidate in others, and the host between them.
//!
//! The host decides what crosses (`meliora_benchmark::Lane`) and gives each lane a candidate in a cage of its own, so that
//! ending one ends all that it left behind. Each candidate has threads of its own here: one that does not listen, or does
//! not answer, holds up nobody else.
//!
//! Loading an evaluator costs as much as a short examination. One that can examine again waits in its cage ([`Kept`]) for
//! the next candidate; it does so in a copy of itself, which finds nothing of those before it (`drivers/examiner.py`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use meliora_benchmark::{Job, Lane, Pair, Suite, Wish, Wishes, gone, leave, told, whole};
use meliora_constitution::Lawful;
use meliora_domain::{Ending, Finished};

use crate::examine::{TOO_LARGE, command, open};
use crate::port::{Cage, CageSpec, Happening, Process, Sandbox, SandboxError};

/// The signal that nothing survives.
const KILL: i32 = 9;
/// Candidates that one examination may have, one after the other; the evaluator's driver numbers them from 1, and bounds
/// how many there are at once.
const CANDIDATES: u32 = 2000;
/// Evaluators that wait at the most: a suite may have many.
const MOST: usize = 8;
/// The last bytes that are kept of what the evaluator prints.
const ERRORS: usize = 1 << 12;

/// A candidate in its cage.
struct Candidate {
    lane: Mutex<Lane>,
    process: Box<dyn Process>,
    _cage: Box<dyn Cage>,
}

/// Evaluators that are loaded, each in its cage, and wait for their next examination.
#[derive(Default)]
pub struct Kept(Mutex<Vec<Evaluator>>);

/// An evaluator in its cage, and what it was started for.
struct Evaluator {
    job: Job,
    process: Box<dyn Process>,
    _cage: Box<dyn Cage>,
    /// Whether it has examined before.
    again: bool,
}

impl Kept {
    /// One that waits and can do this job.
    fn take(&self, job: &Job) -> Option<Evaluator> {
        let mut waiting = lock(&self.0);
        let place = waiting.iter().position(|evaluator| evaluator.job.serves(job))?;
        Some(waiting.remove(place)).filter(|evaluator| evaluator.process.renew())
    }

    fn give(&self, evaluator: Evaluator) {
        let mut waiting = lock(&self.0);
        let oldest = if waiting.len() < MOST { None } else { Some(waiting.remove(0)) };
        waiting.push(Evaluator { again: true, ..evaluator });
        drop(waiting);
        drop(oldest);
    }
}

/// Starts an evaluator in a cage of its own.
fn evaluator(sandbox: &dyn Sandbox, suite: &Suite, job: &Job) -> Result<Evaluator, SandboxError> {
    let Some(cage) = open(sandbox, CageSpec::exam(suite), job)? else {
        return Err(SandboxError {
            what: "putting files".into(),
            cause: "the evaluator's files do not fit into its cage".into(),
            hint: Some("raise [sandbox] disk_mb".into()),
        });
    };
    let process = cage.spawn(&command(job))?;
    process.write(&job.stdin)?;
    Ok(Evaluator { job: job.clone(), process, _cage: cage, again: false })
}

/// What all threads of one examination share.
struct Relay<'a> {
    sandbox: &'a dyn Sandbox,
    subject: &'a Lawful,
    pair: &'a Pair,
    /// The evaluator. Whoever writes has the lock, so that messages stay whole.
    exam: &'a dyn Process,
    pen: Mutex<()>,
    /// The first thing of ours that broke.
    broken: Mutex<Option<SandboxError>>,
}

/// What came of an examination.
struct Examined {
    finished: Finished,
    /// Whether the evaluator takes another order.
    again: bool,
}

/// Runs both jobs; the result is the evaluator's.
///
/// # Errors
/// Only when a cage cannot be had or breaks.
pub fn run(
    sandbox: &dyn Sandbox,
    kept: &Kept,
    subject: &Lawful,
    suite: &Suite,
    pair: &Pair,
) -> Result<Finished, SandboxError> {
    let start = Instant::now();
    loop {
        let waiting = kept.take(&pair.exam);
        let examined = std::thread::scope(|scope| {
            // Nearly every evaluator asks for a candidate, so the first is there by then.
            let first = scope.spawn(|| candidate(sandbox, subject, pair));
            let evaluator = waiting.map_or_else(|| evaluator(sandbox, suite, &pair.exam), Ok)?;
            evaluator.process.write(&pair.order)?;
            let (pen, broken) = (Mutex::new(()), Mutex::new(None));
            let relay = Relay { sandbox, subject, pair, exam: evaluator.process.as_ref(), pen, broken };
            let examined = relay.serve(start, first);
            match relay.broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(error) => Err(error),
                None => Ok((examined?, evaluator)),
            }
        });
        let (Examined { finished, again }, evaluator) = examined?;
        if evaluator.again && finished.stdout.is_empty() {
            // It ended while it waited; a new one is asked.
            continue;
        }
        if again {
            kept.give(evaluator);
        }
        return Ok(finished);
    }
}

/// Opens a candidate; `None` if it does not fit into its cage.
fn candidate(sandbox: &dyn Sandbox, subject: &Lawful, pair: &Pair) -> Result<Option<Candidate>, SandboxError> {
    let Some(cage) = open(sandbox, CageSpec::work(subject), &pair.work)? else { return Ok(None) };
    let process = cage.spawn(&command(&pair.work))?;
    process.write(&pair.work.stdin)?;
    Ok(Some(Candidate { lane: Mutex::default(), process, _cage: cage }))
}

type First<'s> = std::thread::ScopedJoinHandle<'s, Result<Option<Candidate>, SandboxError>>;

/// The candidates by lane, with what they are to be told, and the threads of all that there were.
#[derive(Default)]
struct Candidates<'s> {
    lanes: HashMap<u32, (Arc<Candidate>, Sender<Vec<u8>>)>,
    threads: Vec<ScopedJoinHandle<'s, ()>>,
}

impl Relay<'_> {
    /// Does what the evaluator wishes until it ends, or takes its leave.
    fn serve(&self, start: Instant, first: First<'_>) -> Result<Examined, SandboxError> {
        let (mut wishes, mut result) = (Wishes::default(), Vec::new());
        let (mut printed, mut errors) = (0, Vec::new());
        let (mut first, mut left, mut again) = (Some(first), false, false);
        let ending = std::thread::scope(|scope| {
            let mut candidates = Candidates::default();
            let ending = loop {
                match self.exam.next() {
                    Ok(Happening::Stdout(bytes)) => {
                        for wish in self.understood(wishes.read(&bytes)) {
                            match wish {
                                Wish::Say(lane, words) => self.say(scope, &mut candidates, &mut first, lane, words),
                                Wish::End(lane) => {
                                    if let Some((candidate, _)) = candidates.lanes.remove(&lane) {
                                        self.note(candidate.process.signal(KILL));
                                    }
                                }
                                Wish::Result(words) => result.extend(words),
                            }
                        }
                        if !left && whole(&result) {
                            left = true;
                            self.end(&mut candidates);
                            self.tell(&leave());
                        }
                    }
                    Ok(Happening::Stderr(bytes)) => {
                        printed += bytes.len() as u64;
                        errors.extend(bytes);
                        errors.drain(..errors.len().saturating_sub(ERRORS));
                        if left && errors.ends_with(&self.pair.farewell) {
                            errors.truncate(errors.len() - self.pair.farewell.len());
                            again = true;
                            break Ok(Ending::Exited(0));
                        }
                        if printed > self.pair.printed {
                            self.note(self.exam.signal(KILL));
                        }
                    }
                    Ok(Happening::Exit(_)) if printed > self.pair.printed => break Ok(Ending::OutputCap),
                    Ok(Happening::Exit(ending)) => break Ok(ending),
                    Err(error) => break Err(error),
                }
            };
            self.end(&mut candidates);
            ending
        })?;
        // Whether or not anybody asked it: a genome that does not fit is no candidate.
        let unused = first.map(First::join).transpose().map_err(|_| died())?.transpose()?;
        if matches!(unused, Some(None)) {
            let stderr = TOO_LARGE.as_bytes().to_vec();
            let finished = Finished { stdout: Vec::new(), stderr, ending: Ending::OutputCap, seconds: 0.0 };
            return Ok(Examined { finished, again: false });
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(Examined { finished: Finished { stdout: result, stderr: errors, ending, seconds }, again })
    }

    /// Ends all candidates; none of them says anything afterwards.
    fn end(&self, candidates: &mut Candidates<'_>) {
        for (_, (candidate, _)) in candidates.lanes.drain() {
            self.note(candidate.process.signal(KILL));
        }
        for thread in candidates.threads.drain(..) {
            if thread.join().is_err() {
                self.note(Err(died()));
            }
        }
    }

    /// Passes words on to the candidate of a lane, which is made if the lane is new.
    fn say<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        candidates: &mut Candidates<'s>,
        first: &mut Option<First<'_>>,
        lane: u32,
        words: Vec<u8>,
    ) {
        let (_, spoken) = match candidates.lanes.entry(lane) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let Some(new) = self.new_candidate(lane, first) else { return };
                let (new, (sender, receiver)) = (Arc::new(new), channel());
                let (speaker, listener) = (Arc::clone(&new), Arc::clone(&new));
                candidates.threads.push(scope.spawn(move || self.speak(&speaker, &receiver)));
                candidates.threads.push(scope.spawn(move || self.listen(lane, &listener)));
                place.insert((new, sender))
            }
        };
        // Nobody takes it where our own machinery broke, which ends everything.
        spoken.send(words).ok();
    }

    /// The candidate of a lane that is new. Without one, the evaluator is told.
    fn new_candidate(&self, lane: u32, first: &mut Option<First<'_>>) -> Option<Candidate> {
        let found = match first.take().map(First::join) {
            Some(Ok(found)) => found,
            Some(Err(_)) => Err(died()),
            None if lane > CANDIDATES => {
                self.tell(&gone(lane, &format!("the candidate was started {CANDIDATES} times already")));
                return None;
            }
            None => candidate(self.sandbox, self.subject, self.pair),
        };
        match found {
            Ok(Some(candidate)) => Some(candidate),
            Ok(None) => {
                self.tell(&gone(lane, TOO_LARGE));
                None
            }
            Err(error) => {
                self.note(Err(error));
                None
            }
        }
    }

    /// Tells a candidate what the evaluator says, as long as it says something.
    fn speak(&self, candidate: &Candidate, spoken: &Receiver<Vec<u8>>) {
        for words in spoken {
            // Its turn begins before the words are there, so that no answer comes too early.
            let bytes = lock(&candidate.lane).ask(&words);
            self.note(candidate.process.write(&bytes));
        }
    }

    /// Tells the evaluator what a candidate says, until it is gone.
    fn listen(&self, lane: u32, candidate: &Candidate) {
        let why = loop {
            match candidate.process.next() {
                Ok(Happening::Stdout(bytes)) => {
                    let heard = lock(&candidate.lane).hear(&bytes);
                    match heard {
                        Ok(messages) => messages.iter().for_each(|words| self.tell(&told(lane, words))),
                        Err(why) => break format!("the candidate {why}"),
                    }
                }
                // Its driver gave these away before any of its code ran.
                Ok(Happening::Stderr(_)) => {}
                Ok(Happening::Exit(ending)) => break ended(ending),
                Err(error) => {
                    self.note(Err(error));
                    break "the candidate's cage broke".to_owned();
                }
            }
        };
        self.note(candidate.process.signal(KILL));
        self.tell(&gone(lane, &why));
    }

    fn tell(&self, bytes: &[u8]) {
        let _pen = lock(&self.pen);
        self.note(self.exam.write(bytes));
    }

    /// Keeps the first error of our own machinery, and ends the examination because of it.
    fn note(&self, result: Result<(), SandboxError>) {
        if let Err(error) = result {
            lock(&self.broken).get_or_insert(error);
            // Fails only where it has ended, which is what is wanted.
            self.exam.signal(KILL).ok();
        }
    }

    /// The wishes, if what the evaluator's driver wrote are any.
    fn understood(&self, wishes: Result<Vec<Wish>, String>) -> Vec<Wish> {
        wishes.unwrap_or_else(|cause| {
            self.note(Err(SandboxError { what: "the evaluator's driver".into(), cause, hint: None }));
            Vec::new()
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn died() -> SandboxError {
    SandboxError { what: "the candidate's cage".into(), cause: "the thread that opens it died".into(), hint: None }
}

/// How a candidate's process ended, in words.
fn ended(ending: Ending) -> String {
    match ending {
        Ending::Exited(code) => format!("the candidate's process exited with code {code}"),
        Ending::Signalled(signal) => format!("the candidate's process was killed by signal {signal}"),
        Ending::WallClock => "the candidate's wall-clock time was over".to_owned(),
        Ending::CpuTime => "the candidate's processor time was over".to_owned(),
        Ending::OutputCap => "the candidate wrote more than may be kept".to_owned(),
        Ending::Memory => "the candidate needed more memory than it may have".to_owned(),
    }
}
