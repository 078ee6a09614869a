//! What the guardian needs to know of the journal: when something went wrong, and what was said of it.

use std::collections::{BTreeMap, VecDeque};

use meliora_constitution::word::on_pause;
use meliora_domain::{Digest, Event, MarkStatus, Recorded, Timestamp, VariantId, Word};
use serde::{Deserialize, Serialize};

/// A rule of the constitution counts to a thousand at most; one more shows that it was passed.
const REMEMBERED: usize = 1001;

/// What a restart's reason begins with when a cage failed.
pub(crate) const CAGE_FAILED: &str = "the cage failed";

/// A stop of the work that only a person ends.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pause {
    /// The guardian's rule, or `person`.
    pub rule: String,
    /// What it saw.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Hash of the event that began it: what a person's word is on, see [`Pause::request`].
    pub event: Digest,
    /// Whether anybody was told.
    pub told: bool,
    /// The word that ended it; whoever goes on checks its signature.
    pub word: Option<Word>,
}

impl Pause {
    /// What a person's word that ends it is on.
    pub fn request(&self) -> Digest {
        on_pause(&self.event)
    }
}

/// What happened to a variant that stands in the user's tree.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Looked {
    pub(crate) variant: VariantId,
    pub(crate) at: u64,
    pub(crate) dropped: bool,
    pub(crate) reason: String,
}

/// Times are milliseconds since 1970; lists hold the newest only.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Watched {
    pub(crate) violations: VecDeque<u64>,
    pub(crate) failures: VecDeque<u64>,
    /// Proposals in a row that had been tried before.
    pub(crate) repeated: u32,
    /// When each rule was last spoken of.
    pub(crate) told: BTreeMap<String, u64>,
    /// How often each step that is not over yet was done anew.
    pub(crate) restarts: BTreeMap<u64, u32>,
    /// The newest examination of what stands.
    pub(crate) looked: Option<Looked>,
    /// When the work last went on after a pause.
    pub(crate) resumed: u64,
    /// The newest pause.
    pub(crate) pause: Option<Pause>,
}

impl Watched {
    /// The pause that holds, if there is one.
    pub fn paused(&self) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.word.is_none())
    }

    /// The newest pause, also if a word ended it.
    pub fn newest_pause(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    pub(super) fn take(&mut self, recorded: &Recorded) {
        let at = recorded.at.0;
        match &recorded.event {
            Event::RunStarted(_) => {
                self.told.remove("budget");
                self.restarts.clear();
                self.repeated = 0;
            }
            Event::Refused { .. } | Event::Violated { .. } => push(&mut self.violations, at),
            Event::Examined { scorecard, .. }
                if scorecard.marks.iter().any(|mark| mark.status == MarkStatus::Missing) =>
            {
                push(&mut self.failures, at);
            }
            Event::Restarted { step, reason } => {
                *self.restarts.entry(*step).or_default() += 1;
                if reason.starts_with(CAGE_FAILED) {
                    push(&mut self.failures, at);
                }
            }
            Event::Bid(attempt) => {
                self.restarts.remove(&attempt.step);
            }
            // What waits for a person is proposed again until there is an answer, and nothing is wrong with that.
            Event::Duplicate { asked, .. } => self.repeated = self.repeated.saturating_add(u32::from(!asked)),
            Event::Admitted { step, .. } if *step > 0 => self.repeated = 0,
            Event::Reexamined { variant, dropped, reason, .. } => {
                let (variant, dropped, reason) = (*variant, *dropped, reason.clone());
                self.looked = Some(Looked { variant, at, dropped, reason });
            }
            Event::Promoted { variant, .. } => {
                self.looked = Some(Looked { variant: *variant, at, dropped: false, reason: String::new() });
            }
            Event::RolledBack { .. } => self.looked = None,
            Event::Paused { rule, reason } => {
                let (rule, reason, event) = (rule.clone(), reason.clone(), recorded.hash);
                self.pause = Some(Pause { rule, reason, at: recorded.at, event, told: false, word: None });
            }
            Event::Resumed { word: Some(word), .. } => self.resume(word, at),
            Event::Alerted { rule, .. } => {
                self.told.insert(rule.clone(), at);
                if rule == "repeated" {
                    self.repeated = 0;
                }
                if let Some(pause) = self.pause.as_mut().filter(|pause| pause.rule == *rule) {
                    pause.told = true;
                }
            }
            _ => {}
        }
    }

    fn resume(&mut self, word: &Word, at: u64) {
        let Some(pause) = self.pause.as_mut().filter(|pause| pause.request() == word.request) else { return };
        pause.word = Some(word.clone());
        // What led to the pause was looked at by a person: it counts no more.
        self.told.insert(pause.rule.clone(), at);
        self.resumed = at;
        self.repeated = 0;
        self.restarts.clear();
    }
}

fn push(times: &mut VecDeque<u64>, at: u64) {
    if times.len() == REMEMBERED {
        times.pop_front();
    }
    times.push_back(at);
}
