//! The witness: watches what is appended to a journal and signs checkpoints of it, outside the database.
//!
//! A checkpoint is written only of what the disk already has, so that a loss of power never looks like tampering.

use std::sync::{Mutex, MutexGuard, PoisonError};

use meliora_domain::{Event, Recorded, Timestamp};
use meliora_evolve::ArchiveError;

use crate::chain::{self, Tail};
use crate::checkpoint::{Book, Check, Checkpoint, Sign};
use crate::ledger::Ledger;
use crate::tree::Tree;

/// A checkpoint comes at the latest with this many events that none vouches for, …
const EVENTS: u64 = 5_000;
/// … or with the first event this long after the last one, in milliseconds: a wait for the disk every ten seconds is not felt.
const MILLIS: u64 = 10_000;

/// Signs checkpoints of one journal.
pub struct Witness {
    origin: String,
    book: Book,
    key: String,
    sign: Sign,
    state: Mutex<State>,
}

struct State {
    tree: Tree,
    tail: Tail,
    newest: Checkpoint,
}

impl Witness {
    /// A witness of the journal of this origin, who writes into this book and signs with the key of this id. Nothing is
    /// read or written before an archive takes it.
    pub fn new(origin: &str, book: Book, key: &str, sign: Sign) -> Witness {
        let state = State {
            tree: Tree::default(),
            tail: Tail::default(),
            newest: Checkpoint::of(origin, &Tree::default(), Default::default(), Timestamp(0)),
        };
        Witness { origin: origin.to_owned(), book, key: key.to_owned(), sign, state: Mutex::new(state) }
    }

    /// Where the checkpoints are.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Holds the journal against the newest checkpoint and goes on from there. A journal without any gets its first one.
    pub(crate) fn begin(&self, ledger: &dyn Ledger, check: &Check<'_>, now: Timestamp) -> Result<(), ArchiveError> {
        let newest = self.book.read()?.into_iter().max_by_key(|c| (c.size, c.at));
        let mut state = self.state();
        let Some(newest) = newest else {
            catch_up(&mut state, ledger)?;
            return self.write(&mut state, ledger, now);
        };
        let broken = |why: String| Err(ArchiveError::Broken { seq: newest.size, why });
        if let Err(why) = check(&newest.key, newest.text().as_bytes(), &newest.signature) {
            return broken(format!(
                "the newest checkpoint in {} is not to be believed: {why}",
                self.book.path().display()
            ));
        }
        let Some(tree) = newest.tree() else {
            return broken(format!("the newest checkpoint in {} was altered", self.book.path().display()));
        };
        match ledger.hash_at(newest.size)? {
            None if newest.size > 0 => {
                let ends = ledger.tail().seq;
                let anew = match ends {
                    0 => "; if you removed it yourself to begin anew, move that file away",
                    _ => "",
                };
                return broken(format!(
                    "the journal was cut off: a checkpoint in {} has seen {} events, {ends} are there{anew}",
                    self.book.path().display(),
                    newest.size
                ));
            }
            Some(hash) if hash != newest.tail => return broken("a checkpoint has seen another event here".into()),
            _ => {}
        }
        *state = State { tree, tail: newest.end(), newest };
        catch_up(&mut state, ledger)
    }

    /// Takes in what was just appended, and signs a checkpoint when one is due.
    pub(crate) fn saw(&self, recorded: &[Recorded], ledger: &dyn Ledger, now: Timestamp) -> Result<(), ArchiveError> {
        let mut state = self.state();
        let Some(first) = recorded.first() else { return Ok(()) };
        if (first.seq, first.prev) != (state.tail.seq + 1, state.tail.hash) {
            // Another process has appended before.
            catch_up(&mut state, ledger)?;
        } else {
            for Recorded { seq, hash, .. } in recorded {
                state.tree.push(hash);
                state.tail = Tail { seq: *seq, hash: *hash };
            }
        }
        let State { tree, newest, .. } = &*state;
        let due = tree.size() >= newest.size + EVENTS || now.0 >= newest.at.0.saturating_add(MILLIS);
        if due || recorded.iter().any(|r| weighty(&r.event)) { self.write(&mut state, ledger, now) } else { Ok(()) }
    }

    /// A checkpoint of all that is there now.
    pub(crate) fn now(&self, ledger: &dyn Ledger, now: Timestamp) -> Result<Checkpoint, ArchiveError> {
        let mut state = self.state();
        catch_up(&mut state, ledger)?;
        self.write(&mut state, ledger, now)?;
        Ok(state.newest.clone())
    }

    fn write(&self, state: &mut State, ledger: &dyn Ledger, now: Timestamp) -> Result<(), ArchiveError> {
        ledger.settle()?;
        let checkpoint =
            Checkpoint::of(&self.origin, &state.tree, state.tail.hash, now).signed(&self.key, &self.sign)?;
        self.book.add(&checkpoint)?;
        state.newest = checkpoint;
        Ok(())
    }

    /// A panic while the lock is held leaves a tree that the next append finds unfit and brings up to date.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the event is vouched for at once: a run's end, what a person or the law said, what happened to the user's tree.
fn weighty(event: &Event) -> bool {
    matches!(
        event,
        Event::Finished { .. }
            | Event::Interrupted
            | Event::Promoted { .. }
            | Event::RolledBack { .. }
            | Event::Violated { .. }
            | Event::Answered(_)
            | Event::Used { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
    )
}

/// Takes in the lines that the tree does not hold yet, each checked.
fn catch_up(state: &mut State, ledger: &dyn Ledger) -> Result<(), ArchiveError> {
    let State { tree, tail, .. } = state;
    ledger.lines(tail.seq, &mut |line| {
        chain::follow(tail, line)?;
        tree.push(&tail.hash);
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::schema::Access;

    fn events(n: u64) -> Vec<Event> {
        (0..n).map(|n| Event::Warned { message: format!("{n}") }).collect()
    }

    struct Desk {
        dir: tempfile::TempDir,
        journal: Journal,
    }

    impl Desk {
        fn new() -> Desk {
            let dir = tempfile::tempdir().unwrap();
            let journal = Journal::open(&dir.path().join("journal.db"), Access::Write).unwrap();
            Desk { dir, journal }
        }

        fn book(&self) -> Book {
            Book::at(&self.dir.path().join("book"))
        }

        fn witness(&self, now: u64) -> Result<Witness, ArchiveError> {
            let sign: Sign = Box::new(|text| Ok(format!("by me: {}", String::from_utf8_lossy(text))));
            let witness = Witness::new("here", self.book(), "me", sign);
            witness.begin(&self.journal, &check, Timestamp(now))?;
            Ok(witness)
        }

        fn append(&self, witness: &Witness, events: &[Event], at: u64) {
            let recorded = self.journal.append(events, Timestamp(at)).unwrap();
            witness.saw(&recorded, &self.journal, Timestamp(at)).unwrap();
        }

        fn sizes(&self) -> Vec<u64> {
            self.book().read().unwrap().iter().map(|c| c.size).collect()
        }
    }

    fn check(key: &str, text: &[u8], signature: &str) -> Result<(), String> {
        let good = key == "me" && signature == format!("by me: {}", String::from_utf8_lossy(text));
        good.then_some(()).ok_or("it is not signed by me".to_owned())
    }

    #[test]
    fn checkpoints_come_with_time_with_number_and_with_what_matters() {
        let desk = Desk::new();
        let witness = desk.witness(1_000).unwrap();
        assert_eq!(desk.sizes(), [0]);
        desk.append(&witness, &events(3), 1_500);
        assert_eq!(desk.sizes(), [0], "none is due");
        desk.append(&witness, &events(1), 1_000 + MILLIS);
        assert_eq!(desk.sizes(), [0, 4], "time");
        desk.append(&witness, &events(EVENTS), 1_001 + MILLIS);
        assert_eq!(desk.sizes(), [0, 4, EVENTS + 4], "number");
        desk.append(&witness, &[Event::Interrupted], 1_001 + MILLIS);
        assert_eq!(desk.sizes(), [0, 4, EVENTS + 4, EVENTS + 5], "the end");
    }

    #[test]
    fn a_witness_goes_on_from_the_newest_checkpoint_and_takes_in_what_others_append() {
        let desk = Desk::new();
        let first = desk.witness(1_000).unwrap();
        desk.append(&first, &events(7), 1_001);
        desk.append(&first, &[Event::Interrupted], 1_002);
        desk.append(&first, &events(5), 1_003);
        let second = desk.witness(1_004).unwrap();
        assert_eq!(second.state().tree.size(), 13);
        let other = Journal::open(&desk.dir.path().join("journal.db"), Access::Write).unwrap();
        other.append(&events(2), Timestamp(1_005)).unwrap();
        desk.append(&second, &[Event::Interrupted], 1_006);
        let newest = desk.book().read().unwrap().pop().unwrap();
        let mut whole = Tree::default();
        desk.journal
            .lines(0, &mut |line| {
                whole.push(&meliora_domain::Digest(line.hash.try_into().unwrap()));
                Ok(true)
            })
            .unwrap();
        assert_eq!((newest.size, newest.root, newest.tail), (16, whole.root(), desk.journal.tail().hash));
    }

    #[test]
    fn a_journal_that_is_older_than_its_witness_begins_with_a_checkpoint_of_all_of_it() {
        let desk = Desk::new();
        desk.journal.append(&events(9), Timestamp(1)).unwrap();
        desk.witness(1_000).unwrap();
        assert_eq!(desk.sizes(), [9]);
    }

    #[test]
    fn no_witness_goes_on_with_a_journal_that_is_not_what_it_was() {
        for (what, says) in [
            ("DELETE FROM journal WHERE seq > 3", "was cut off"),
            ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 8", "another event"),
        ] {
            let desk = Desk::new();
            let witness = desk.witness(1_000).unwrap();
            desk.append(&witness, &events(7), 1_001);
            desk.append(&witness, &[Event::Interrupted], 1_002);
            let db = rusqlite::Connection::open(desk.dir.path().join("journal.db")).unwrap();
            db.execute_batch("DROP TRIGGER journal_is_not_updated; DROP TRIGGER journal_is_not_deleted;").unwrap();
            db.execute_batch(what).unwrap();
            let desk =
                Desk { journal: Journal::open(&desk.dir.path().join("journal.db"), Access::Write).unwrap(), ..desk };
            let error = desk.witness(1_003).err().unwrap();
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_forged_checkpoint_is_not_gone_on_from() {
        let desk = Desk::new();
        let witness = desk.witness(1_000).unwrap();
        desk.append(&witness, &[Event::Interrupted], 1_002);
        let forged = std::fs::read_to_string(desk.book().path()).unwrap().replace("\"at\":1002", "\"at\":1003");
        std::fs::write(desk.book().path(), forged).unwrap();
        let error = desk.witness(1_003).err().unwrap();
        assert!(error.to_string().contains("not signed by me"), "{error}");
    }
}
