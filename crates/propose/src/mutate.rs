//! Mutation operators on syntax trees: small edits of Python, Rust, JavaScript and TypeScript, the likeliest repair first.
//!
//! A parent's candidates are drawn once ([`ops`]), weighed by where failing tests went ([`localise`]) and by how often real
//! repairs look so ([`prior`]), and dealt out one by one ([`rank`]). A candidate is checked (it parses, it applies) when its
//! turn comes, not before. Numbers are also moved as an evolution strategy moves them ([`numbers`]), with random numbers of the
//! step's seed. The same brief gives the same bid.

mod cues;
mod deck;
mod kinds;
pub(crate) mod language;
mod localise;
mod numbers;
mod ops;
mod prior;
mod rank;
pub(crate) mod render;
mod reopen;
mod scope;
mod sketch;
mod tree;

use std::sync::Mutex;

use meliora_domain::{Cost, Digest, Feedback};
use meliora_evolve::{Bid, Brief, ProposeError, Proposer};

use deck::Deck;
use numbers::Numbers;

/// Parents whose candidates are kept.
const KEPT: usize = 8;

/// Files above this many bytes are left alone: they are data or generated.
const LARGEST: usize = 1 << 20;

/// The proposer that mutates syntax trees.
#[derive(Default)]
pub struct Mutate {
    /// Ranked candidates of the latest parents, the newest last. A cache: it never changes what is proposed.
    decks: Mutex<Vec<(Digest, Deck)>>,
    numbers: Numbers,
}

impl Mutate {
    /// A mutator with nothing cached.
    pub fn new() -> Self {
        Mutate::default()
    }

    /// The next edit of the syntax tree.
    fn edit(&self, brief: &Brief<'_>) -> Option<Bid> {
        let key = key(brief);
        // A panic elsewhere cannot leave a deck half made: it is put back only when whole.
        let mut decks = self.decks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut deck = match decks.iter().position(|(k, _)| *k == key) {
            Some(found) => decks.remove(found).1,
            None => Deck::new(brief),
        };
        let card = deck.deal(brief);
        decks.push((key, deck));
        if decks.len() > KEPT {
            decks.remove(0);
        }
        let card = card?;
        Some(Bid::Proposal { change: card.change, reason: card.reason, idea: Some(card.idea), cost: Cost::ZERO })
    }

    /// The next step of the numbers, where the program is one that has some to move.
    fn move_numbers(&self, brief: &Brief<'_>) -> Option<Bid> {
        let moved = self.numbers.propose(brief)?;
        Some(Bid::Proposal { change: moved.change, reason: moved.reason, idea: None, cost: Cost::ZERO })
    }
}

impl Proposer for Mutate {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let numeric = self.numbers.turn(brief);
        let first = if numeric { self.move_numbers(brief) } else { self.edit(brief) };
        let bid = first.or_else(|| if numeric { self.edit(brief) } else { self.move_numbers(brief) });
        Ok(bid.unwrap_or(Bid::Exhausted))
    }

    fn reads_attempts(&self) -> bool {
        false
    }

    fn wants_lines(&self) -> bool {
        true
    }

    fn reads_ancestors(&self) -> bool {
        true
    }
}

/// What a parent's ranking depends on: its files, which of them may change, and what the train tasks told.
fn key(brief: &Brief<'_>) -> Digest {
    let mut told = Vec::new();
    let mut tell = |feedback: &[Feedback]| {
        for task in feedback {
            told.push(u8::from(task.passed));
            told.extend_from_slice(task.detail.as_bytes());
            for (path, lines) in &task.lines {
                told.extend_from_slice(path.as_bytes());
                told.push(0);
                lines.iter().for_each(|line| told.extend_from_slice(&line.to_le_bytes()));
            }
            told.push(2);
        }
    };
    tell(brief.feedback);
    brief.ancestors.iter().for_each(|a| tell(&a.feedback));
    brief.ancestors.iter().for_each(|a| told.extend_from_slice(&a.genome.tree().0));
    let may: Vec<u8> = brief.genome.files().map(|(path, _)| u8::from((brief.editable)(path.as_str()))).collect();
    Digest::of([&brief.parent.0[..], &brief.genome.tree().0[..], &told[..], &may[..]])
}

#[cfg(test)]
mod tests;
