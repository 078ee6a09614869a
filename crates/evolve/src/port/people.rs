//! The ports to people: where their words come in, and how they are told that something needs them.

use meliora_domain::Word;

/// Something that somebody put where words are taken in.
#[derive(Clone, PartialEq, Debug)]
pub struct Letter {
    /// Its name there.
    pub name: String,
    /// The word, or why it is none.
    pub word: Result<Word, String>,
}

/// Where people's words come in while a run is at work. Whoever can write there is not believed: words are signed.
pub trait Desk: Sync {
    /// What lies there now.
    fn letters(&self) -> Vec<Letter>;
    /// Takes a letter away that was dealt with. Cannot fail: one that stays is known by its nonce.
    fn done(&self, name: &str);
}

/// Something that somebody must be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// The guardian's rule.
    pub rule: String,
    /// What it saw, and what to do.
    pub message: String,
}

/// What came of telling it in one way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Who was told, without secrets: `terminal`, `command`, `webhook`.
    pub to: String,
    /// Why it could not be delivered after all retries; absent if it was.
    pub failed: Option<String>,
}

/// Who tells people. May take its time: it has a thread of its own.
pub trait Herald: Sync {
    /// Tells it in every way there is, each with its retries.
    fn tell(&self, alert: &Alert) -> Vec<Delivery>;
}

/// No desk, and nobody to tell: the journal alone knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Desk for Nobody {
    fn letters(&self) -> Vec<Letter> {
        Vec::new()
    }

    fn done(&self, _: &str) {}
}

impl Herald for Nobody {
    fn tell(&self, _: &Alert) -> Vec<Delivery> {
        Vec::new()
    }
}
