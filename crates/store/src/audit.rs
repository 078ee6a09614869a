//! The audit: holds a journal's lines against each other and against its checkpoints, and names what was tampered with.
//!
//! Pure: the lines are handed in, from a database or from an export. It goes on after a finding, so that one change is told
//! as one finding and what follows is still looked at.

use std::fmt;

use meliora_domain::{Digest, Timestamp};

use crate::chain::{self, Line, Tail};
use crate::checkpoint::{Check, Checkpoint};
use crate::tree::Tree;

/// How far an event is looked for that has been moved.
const MOVED: i64 = 16;
/// So many findings are told; more are only counted.
const TOLD: usize = 20;

/// What was done to a journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tampering {
    /// An event is not what was written.
    Edited,
    /// Events are missing in the middle or at the beginning.
    Removed,
    /// An event was put in.
    Inserted,
    /// Events changed places.
    Reordered,
    /// Events are missing at the end.
    Truncated,
    /// The chain holds, but it is another one than the checkpoints saw.
    Rewritten,
    /// A checkpoint is not signed by the machine's key.
    Unsigned,
    /// A guard of the database is gone, or a table shows something else than the journal.
    Weakened,
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tampering::Edited => "edited",
            Tampering::Removed => "removed",
            Tampering::Inserted => "inserted",
            Tampering::Reordered => "reordered",
            Tampering::Truncated => "truncated",
            Tampering::Rewritten => "rewritten",
            Tampering::Unsigned => "unsigned",
            Tampering::Weakened => "weakened",
        })
    }
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Finding {
    /// What was done.
    pub tampering: Tampering,
    /// Position of the first event that shows it; 0 where it is no single event.
    pub seq: u64,
    /// What exactly.
    pub what: String,
}

/// What an audit came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// How many events there are.
    pub events: u64,
    /// Hash of the last one.
    pub tail: Digest,
    /// How many checkpoints the journal was held against.
    pub checkpoints: usize,
    /// How many events the newest checkpoint vouches for, and since when. `None`: nothing outside vouches for any.
    pub vouched: Option<(u64, Timestamp)>,
    /// What was found, the first twenty.
    pub findings: Vec<Finding>,
    /// How many findings more there are.
    pub more: usize,
}

/// An audit under way.
pub struct Audit<'a> {
    checkpoints: Vec<Checkpoint>,
    /// The first that the journal has not reached.
    next: usize,
    check: &'a Check<'a>,
    events: u64,
    tail: Tail,
    tree: Tree,
    /// How much further back the events stand than they were written: not zero behind an insertion or a removal.
    shift: i64,
    /// The line before has changed places, so that the next is not bound to it.
    unbound: bool,
    /// Positions that were passed over and may turn up later.
    missing: Vec<u64>,
    /// Newest checkpoint that the journal agrees with.
    agreed: Option<(u64, Timestamp)>,
    findings: Vec<Finding>,
    more: usize,
}

impl<'a> Audit<'a> {
    /// Begins one against these checkpoints, in whatever order. `check` knows the keys that may have signed them.
    pub fn new(mut checkpoints: Vec<Checkpoint>, check: &'a Check<'a>) -> Audit<'a> {
        checkpoints.sort_by_key(|c| (c.size, c.at));
        let mut audit = Audit {
            checkpoints,
            next: 0,
            check,
            events: 0,
            tail: Tail::default(),
            tree: Tree::default(),
            shift: 0,
            unbound: false,
            missing: Vec::new(),
            agreed: None,
            findings: Vec::new(),
            more: 0,
        };
        audit.compare();
        audit
    }

    /// Another checkpoint, which vouches for the events handed in so far.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint) {
        let at = self.checkpoints.partition_point(|c| c.size <= checkpoint.size).max(self.next);
        self.checkpoints.insert(at, checkpoint);
        self.compare();
    }

    /// The next line, in the order in which they are stored.
    pub(crate) fn line(&mut self, line: &Line<'_>) {
        self.events += 1;
        let due = self.tail.seq + 1;
        if line.seq < due {
            return self.late(line);
        }
        let mut seen = std::mem::take(&mut self.unbound);
        if line.seq > due {
            seen = true;
            self.missing.extend((due..line.seq).take(1 << 16));
            let count = line.seq - due;
            let what =
                if count == 1 { "it is missing".into() } else { format!("{count} events are missing from here") };
            self.find(Tampering::Removed, due, what);
        }
        let fits = |seq: u64| chain::hash(seq, line.at, line.prev, line.body).0 == line.hash;
        if !line.seq.checked_add_signed(self.shift).is_some_and(fits) {
            seen = true;
            match self.whence(line.seq, fits) {
                Some(was) => self.moved(line.seq, was),
                None => self.find(Tampering::Edited, line.seq, "its hash does not fit what it says".into()),
            }
        }
        if line.prev != self.tail.hash.0 && !seen {
            let before = line.seq.saturating_sub(1);
            let what = format!("another event stood here: event {} is bound to its hash, not to this one", line.seq);
            self.find(Tampering::Edited, before, what);
        }
        let hash = line.hash.try_into().map(Digest).unwrap_or_default();
        self.tail = Tail { seq: line.seq, hash };
        if self.clean() {
            self.tree.push(&hash);
            self.compare();
        }
    }

    /// Something that was found by other means.
    pub fn find(&mut self, tampering: Tampering, seq: u64, what: String) {
        if self.findings.len() < TOLD {
            self.findings.push(Finding { tampering, seq, what });
        } else {
            self.more += 1;
        }
    }

    /// The lines are through.
    pub fn finish(mut self) -> Report {
        // A journal that ends before the newest checkpoint, by whatever way.
        let beyond = self.checkpoints.last().filter(|c| c.size > self.tail.seq).cloned();
        if let Some(checkpoint) = beyond
            && self.signed(&checkpoint)
        {
            let (end, was) = (self.tail.seq, checkpoint.size);
            let what = format!("the journal ends at event {end}; it had {was} when a checkpoint was signed");
            self.find(Tampering::Truncated, end + 1, what);
        }
        // The newest that agrees vouches for all before it, so that its signature alone counts.
        let newest = self.agreed.and_then(|agreed| self.checkpoints.iter().find(|c| (c.size, c.at) == agreed).cloned());
        let vouched = newest.filter(|newest| self.signed(newest)).map(|newest| (newest.size, newest.at));
        let Audit { events, tail, checkpoints, findings, more, .. } = self;
        Report { events, tail: tail.hash, checkpoints: checkpoints.len(), vouched, findings, more }
    }

    /// Whether the chain has held so far; the tree means nothing behind a break.
    fn clean(&self) -> bool {
        self.findings.iter().all(|f| matches!(f.tampering, Tampering::Weakened | Tampering::Unsigned))
    }

    /// Holds the tree as it is now against the checkpoints of this size.
    fn compare(&mut self) {
        while let Some(checkpoint) = self.checkpoints.get(self.next).filter(|c| c.size <= self.tree.size()).cloned() {
            self.next += 1;
            if checkpoint.size < self.tree.size() || !self.clean() {
                continue;
            }
            if checkpoint.root == self.tree.root() && checkpoint.tail == self.tail.hash {
                self.agreed = Some((checkpoint.size, checkpoint.at));
            } else if self.signed(&checkpoint) {
                let from = self.agreed.map_or(0, |(size, _)| size) + 1;
                let what = format!(
                    "the chain holds, but events {from} to {} are others than when a checkpoint was signed",
                    checkpoint.size
                );
                self.find(Tampering::Rewritten, from, what);
            }
        }
    }

    /// Whether a checkpoint is signed by a key that may; if not, that is a finding of its own.
    fn signed(&mut self, checkpoint: &Checkpoint) -> bool {
        match (self.check)(&checkpoint.key, checkpoint.text().as_bytes(), &checkpoint.signature) {
            Ok(()) => true,
            Err(why) => {
                let what = format!("the checkpoint of {} events: {why}", checkpoint.size);
                self.find(Tampering::Unsigned, checkpoint.size, what);
                false
            }
        }
    }

    /// Where the event was written that now stands elsewhere: the nearest position that fits its hash.
    fn whence(&self, seq: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
        if self.findings.len() >= TOLD {
            return None;
        }
        let away = (1..=MOVED).flat_map(|n| [self.shift - n, self.shift + n]).chain([0]);
        away.filter_map(|by| seq.checked_add_signed(by)).find(|was| fits(*was))
    }

    /// The event at `seq` was written as number `was`, and so were those that follow, as long as nothing else shows.
    fn moved(&mut self, seq: u64, was: u64) {
        let expected = seq.saturating_add_signed(self.shift);
        self.shift = was as i64 - seq as i64;
        if was > expected {
            self.missing.extend(expected..was);
            let what = format!("event {was} stands in its place, and what was here is missing");
            return self.find(Tampering::Removed, seq, what);
        }
        if self.turned_up(was) {
            // The two that changed places are passed; the next is expected where it belongs.
            (self.shift, self.unbound) = (0, true);
            return;
        }
        let what = format!("what is event {seq} now was written as event {was}: something was put in before it");
        self.find(Tampering::Inserted, seq, what);
    }

    /// A line whose position has been passed already.
    fn late(&mut self, line: &Line<'_>) {
        if chain::hash(line.seq, line.at, line.prev, line.body).0 != line.hash {
            self.find(Tampering::Edited, line.seq, "its hash does not fit what it says".into());
        } else if !self.turned_up(line.seq) {
            let what = format!("there is a second event {} behind event {}", line.seq, self.tail.seq);
            self.find(Tampering::Inserted, line.seq, what);
        }
    }

    /// Whether this event was missed before: then it was not removed, but moved.
    fn turned_up(&mut self, seq: u64) -> bool {
        let Some(at) = self.missing.iter().position(|missing| *missing == seq) else { return false };
        self.missing.remove(at);
        let removed = |f: &&mut Finding| f.tampering == Tampering::Removed && f.seq <= seq;
        if let Some(finding) = self.findings.iter_mut().rev().find(removed) {
            finding.tampering = Tampering::Reordered;
            finding.what = format!("event {seq} does not stand where it was written");
        }
        true
    }
}
