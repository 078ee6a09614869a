//! Approvals: people's words are taken into the journal if they hold, and a proposal that got its yes becomes a step.
//!
//! A word is believed for its signature alone, wherever it came from, and used once: its nonce stays in the journal, and
//! its use is journalled in one unit with what came of it.

use std::sync::Arc;

use meliora_constitution::Constitution;
use meliora_domain::{Change, Cost, Decision, Digest, Event, Operation, Timestamp, Word};

use crate::brief::Errand;
use crate::error::EvolveError;
use crate::evolution::Evolution;
use crate::journal::Journal;
use crate::lineage::{Answer, Ask, Lineage, Pause};
use crate::rng::{Rng, STEPS};

/// So many requests may wait at once; further proposals that need a person are refused, so that nobody is flooded.
pub(crate) const MOST_OPEN: usize = 200;

/// A proposal that a person said yes to.
#[derive(Clone, Debug)]
pub struct Approved {
    /// The request.
    pub request: Digest,
    /// The yes.
    pub word: Word,
    /// What was proposed.
    pub change: Change,
    /// Why, in the proposer's words.
    pub reason: String,
}

/// What a word is to the journal.
enum Heard {
    /// It holds and is new.
    New,
    /// It is the one that the journal has and nobody has used yet.
    Known,
    /// It does not count; says why.
    Void(String),
}

/// Takes a person's word into the journal. What does not hold is journalled as a violation, and said.
///
/// # Errors
/// [`EvolveError::NotAllowed`] where it does not hold; else only when the journal cannot be written.
pub fn answer(
    journal: &mut Journal<'_>,
    constitution: &Constitution,
    word: &Word,
    now: Timestamp,
) -> Result<(), EvolveError> {
    match hear(journal.lineage(), constitution, word, now) {
        Heard::New => journal.record(&[Event::Answered(word.clone())]).map(|_| ()),
        Heard::Known => Ok(()),
        Heard::Void(why) => {
            let what = format!("the word on {} does not count: {why}", word.request.short());
            journal.record(&[void(&what)])?;
            Err(EvolveError::NotAllowed { what, hint: Some("`meliora approvals list` shows what waits".into()) })
        }
    }
}

/// The yes for this request that still holds and was not used. Whoever uses it journals [`Event::Used`] in one unit with what was done.
pub fn granted(lineage: &Lineage, constitution: &Constitution, request: &Digest, now: Timestamp) -> Option<Word> {
    let law = constitution.digest();
    let ask = lineage.asks.get(request).filter(|ask| ask.answer(&law, now) == Answer::Granted)?;
    ask.word.clone().filter(|word| constitution.hears(word, request, now).is_ok())
}

/// The pause that holds. One that was ended counts as ended only for a word that a person signed; where none did, that is
/// journalled as a violation, and the work is paused anew.
pub fn pause_in_force(journal: &mut Journal<'_>, constitution: &Constitution) -> Result<Option<Pause>, EvolveError> {
    let Some(pause) = journal.lineage().watched.newest_pause().cloned() else { return Ok(None) };
    let Some(word) = &pause.word else { return Ok(Some(pause)) };
    // Given for a pause, it holds on: its time and its constitution were checked when it was given.
    let then = Timestamp(word.expires.0.saturating_sub(1));
    let signed =
        meliora_constitution::word::holds(word, &pause.request(), &word.constitution, constitution.people(), then);
    let Err(why) = signed else { return Ok(None) };
    let Pause { rule, reason, .. } = &pause;
    let paused = Event::Paused { rule: rule.clone(), reason: reason.clone() };
    journal.record(&[void(&format!("the pause by {rule} was ended by nobody's word: {why}")), paused])?;
    Ok(journal.lineage().watched.paused().cloned())
}

/// Ends the pause by a person's word.
///
/// # Errors
/// [`EvolveError::NotAllowed`] where nothing is paused or the word does not hold.
pub fn resume(
    journal: &mut Journal<'_>,
    constitution: &Constitution,
    word: Word,
    now: Timestamp,
) -> Result<(), EvolveError> {
    let Some(pause) = pause_in_force(journal, constitution)? else {
        return Err(EvolveError::NotAllowed { what: "nothing is paused".into(), hint: None });
    };
    let held = constitution.hears(&word, &pause.request(), now).map_err(|e| e.to_string());
    let held = held.and_then(|()| if word.granted { Ok(()) } else { Err("it is a no".into()) });
    if let Err(why) = held {
        let what = format!("the word does not end the pause: {why}");
        journal.record(&[void(&what)])?;
        return Err(EvolveError::NotAllowed { what, hint: None });
    }
    journal.record(&[Event::Resumed { reason: word.reason.clone(), word: Some(word) }])?;
    Ok(())
}

fn hear(lineage: &Lineage, constitution: &Constitution, word: &Word, now: Timestamp) -> Heard {
    let Some(ask) = lineage.asks.get(&word.request) else { return Heard::Void("nobody asked".into()) };
    if lineage.asks.heard(&word.nonce) {
        let known = ask.word.as_ref() == Some(word) && !ask.used;
        return if known { Heard::Known } else { Heard::Void("it was given before, and a word is used once".into()) };
    }
    if let Err(why) = constitution.hears(word, &ask.request.id, now) {
        return Heard::Void(why.to_string());
    }
    match ask.answer(&constitution.digest(), now) {
        Answer::Lapsed => Heard::Void("what it is on was asked under another constitution".into()),
        Answer::Used => Heard::Void("what it is on was done already".into()),
        // Whoever holds a yes that was given before the no must not make it good again.
        Answer::Denied if word.granted => Heard::Void("a person said no, which is final".into()),
        _ => Heard::New,
    }
}

fn void(reason: &str) -> Event {
    Event::Violated {
        decision: Decision::Forbid,
        article: "approval".to_owned(),
        reason: reason.to_owned(),
        source: "approval".to_owned(),
        operation: None,
    }
}

impl Evolution<'_> {
    /// Takes in what lies on the desk.
    pub(crate) fn take_words(&mut self) -> Result<(), EvolveError> {
        for letter in self.setup.desk.letters() {
            let now = (self.setup.clock)();
            let taken = match &letter.word {
                Ok(word) => answer(&mut self.journal, self.setup.constitution, word, now),
                Err(why) => {
                    self.journal.record(&[void(&format!("what claims to be a word is none: {why}"))]).map(|_| ())
                }
            };
            match taken {
                // What does not hold is a violation in the journal, and no trouble of ours.
                Ok(()) | Err(EvolveError::NotAllowed { .. }) => self.setup.desk.done(&letter.name),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The oldest proposal that a person said yes to and no step has taken up, as an errand. It needs a parent whose marks
    /// are of the evaluator in force.
    pub(crate) fn approved_errand(&mut self) -> Result<Option<Errand>, EvolveError> {
        let Some((approved, ask)) = self.next_approved() else { return Ok(None) };
        let run = self.run();
        let (step, seed) = (self.memory.next_step(run.last_step), run.plan.seed);
        let seed = Rng::of(seed, STEPS, step).bits();
        let lineage = self.journal.lineage();
        let mut errand = self.memory.errand(lineage, step, seed, ask.parents, &[], ask.arm, Cost::ZERO)?;
        errand.approved = Some(approved);
        errand.scales = self.scales(step, seed)?;
        Ok(Some(errand))
    }

    fn next_approved(&self) -> Option<(Approved, Ask)> {
        let (lineage, now) = (self.journal.lineage(), (self.setup.clock)());
        let evaluator = Some(self.setup.suite.evaluator());
        let bred = |ask: &Ask| {
            let parent = ask.parents.first().and_then(|p| lineage.find(p));
            parent.is_some_and(|p| lineage.node(p).evaluator == evaluator && lineage.node(p).viable())
        };
        lineage.asks.all().into_iter().filter(|ask| bred(ask) && !self.dealing.contains(&ask.request.id)).find_map(
            |ask| {
                let word = granted(lineage, self.setup.constitution, &ask.request.id, now)?;
                let Operation::Change { change, .. } = &ask.request.operation else { return None };
                let (request, reason, change) = (ask.request.id, ask.reason.clone(), change.clone());
                Some((Approved { request, word, change, reason }, ask.clone()))
            },
        )
    }
}

/// What is journalled of a proposal that needs a person.
pub(crate) fn asked(
    lineage: &Lineage,
    step: u64,
    (request, tree, change): (meliora_domain::Request, meliora_domain::TreeId, Change),
    now: Timestamp,
) -> Event {
    match lineage.asks.get(&request.id) {
        // Under another constitution it is another question.
        Some(ask) if ask.request.constitution == request.constitution => Event::Duplicate { step, tree, asked: true },
        _ if lineage.asks.open(&request.constitution, now) >= MOST_OPEN => Event::Refused {
            step,
            article: request.article,
            reason: format!("{MOST_OPEN} requests wait for a person already; lawful is what needs none"),
            change,
        },
        _ => Event::Asked { step: Some(step), request },
    }
}

/// Shared errands: a step that is done anew is the same errand again.
pub(crate) type Shared = Arc<Errand>;
