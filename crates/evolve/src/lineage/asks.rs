//! What a person is asked, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use meliora_domain::{Digest, Operation, Recorded, Request, Timestamp, VariantId, Word};
use serde::{Deserialize, Serialize};

/// How an ask stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Nobody has said anything that still holds.
    Open,
    /// A person said yes, and it is still good.
    Granted,
    /// A person said no.
    Denied,
    /// The yes was used up.
    Used,
    /// It was asked under another constitution, so that no word on it counts. It is asked anew when it comes again.
    Lapsed,
}

/// Something that a person is asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What is asked.
    pub request: Request,
    /// Position of the event that asked, for the order.
    pub seq: u64,
    /// When it was asked.
    pub at: Timestamp,
    /// The step whose proposal it is.
    pub step: Option<u64>,
    /// The proposal's parents, the one to change first.
    pub parents: Vec<VariantId>,
    /// Position of the proposer in its run's plan.
    pub arm: usize,
    /// Why it was proposed, in the proposer's words.
    pub reason: String,
    /// What a person said last.
    pub word: Option<Word>,
    /// Whether the yes was used up.
    pub used: bool,
}

impl Ask {
    /// How it stands under this constitution at this time. Signatures are checked where a word is taken in and again where it
    /// is used.
    pub fn answer(&self, constitution: &Digest, now: Timestamp) -> Answer {
        match &self.word {
            _ if self.used => Answer::Used,
            _ if self.request.constitution != *constitution => Answer::Lapsed,
            Some(word) if !word.granted => Answer::Denied,
            Some(word) if now < word.expires => Answer::Granted,
            _ => Answer::Open,
        }
    }
}

/// All asks by their requests' ids, and the nonces of all words.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Asks {
    by_id: BTreeMap<Digest, Ask>,
    nonces: BTreeSet<Digest>,
}

impl Asks {
    /// The ask with this request id.
    pub fn get(&self, id: &Digest) -> Option<&Ask> {
        self.by_id.get(id)
    }

    /// All, the oldest first.
    pub fn all(&self) -> Vec<&Ask> {
        let mut all: Vec<&Ask> = self.by_id.values().collect();
        all.sort_by_key(|ask| ask.seq);
        all
    }

    /// How many wait for an answer under this constitution.
    pub fn open(&self, constitution: &Digest, now: Timestamp) -> usize {
        self.by_id.values().filter(|ask| ask.answer(constitution, now) == Answer::Open).count()
    }

    /// Whether the journal holds a word with this nonce.
    pub fn heard(&self, nonce: &Digest) -> bool {
        self.nonces.contains(nonce)
    }

    pub(super) fn asked(&mut self, recorded: &Recorded, step: Option<u64>, request: &Request, bred: Option<Bred>) {
        let Bred { parents, arm, reason } = bred.unwrap_or_else(|| Bred {
            parents: match &request.operation {
                Operation::Change { parent, .. } => vec![*parent],
                _ => Vec::new(),
            },
            ..Bred::default()
        });
        let (seq, at, request) = (recorded.seq, recorded.at, request.clone());
        self.by_id.insert(request.id, Ask { request, seq, at, step, parents, arm, reason, word: None, used: false });
    }

    pub(super) fn answered(&mut self, word: &Word) {
        self.nonces.insert(word.nonce);
        if let Some(ask) = self.by_id.get_mut(&word.request) {
            ask.word = Some(word.clone());
        }
    }

    pub(super) fn used(&mut self, request: &Digest) {
        if let Some(ask) = self.by_id.get_mut(request) {
            ask.used = true;
        }
    }
}

/// Where a proposal came from.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Bred {
    pub(super) parents: Vec<VariantId>,
    pub(super) arm: usize,
    pub(super) reason: String,
}
