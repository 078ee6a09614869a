//! The journal as the engine uses it: append, take into the lineage, then tell.

use meliora_domain::{Event, Recorded, Timestamp};

use crate::Progress;
use crate::error::EvolveError;
use crate::lineage::Lineage;
use crate::port::{Archive, Observer, Snapshot};

/// A snapshot is kept whenever the journal has grown by this many events.
const SNAPSHOT_EVERY: u64 = 20_000;

/// Journal and lineage, always in step.
pub struct Journal<'a> {
    archive: &'a dyn Archive,
    observer: &'a dyn Observer,
    clock: &'a (dyn Fn() -> Timestamp + Sync),
    lineage: Lineage,
    snapshot_at: u64,
}

impl<'a> Journal<'a> {
    /// Opens it: from the newest snapshot that fits, and the events after it.
    pub fn open(
        archive: &'a dyn Archive,
        observer: &'a dyn Observer,
        clock: &'a (dyn Fn() -> Timestamp + Sync),
    ) -> Result<Self, EvolveError> {
        Self::from(lineage_of(archive)?, archive, observer, clock)
    }

    /// Opens it from its first event on, whatever snapshots there are: they are for speed, and no hash covers what is in them.
    /// For what touches the user's own tree, and for a person's word.
    pub fn open_in_full(
        archive: &'a dyn Archive,
        observer: &'a dyn Observer,
        clock: &'a (dyn Fn() -> Timestamp + Sync),
    ) -> Result<Self, EvolveError> {
        Self::from(replayed_in_full(archive)?, archive, observer, clock)
    }

    fn from(
        lineage: Lineage,
        archive: &'a dyn Archive,
        observer: &'a dyn Observer,
        clock: &'a (dyn Fn() -> Timestamp + Sync),
    ) -> Result<Self, EvolveError> {
        let snapshot_at = archive.snapshot()?.map_or(0, |s| s.seq);
        Ok(Journal { archive, observer, clock, lineage, snapshot_at })
    }

    /// The lineage as it stands.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Appends the events as one unit, takes them in, and tells the observer. What other processes appended before them is
    /// taken in first.
    pub fn record(&mut self, events: &[Event]) -> Result<Vec<Recorded>, EvolveError> {
        let recorded = self.archive.append(events, (self.clock)())?;
        if let Some(first) = recorded.first().filter(|first| first.seq > self.lineage.seq + 1) {
            self.take_in(first.seq)?;
        }
        for event in &recorded {
            self.lineage.take(event);
            self.observer.notice(event);
        }
        Ok(recorded)
    }

    /// Takes in the events up to this position that others appended.
    fn take_in(&mut self, before: u64) -> Result<(), EvolveError> {
        let Journal { archive, observer, lineage, .. } = self;
        archive.replay(lineage.seq, &mut |event| {
            let foreign = event.seq < before;
            if foreign {
                lineage.take(&event);
                observer.notice(&event);
            }
            foreign
        })?;
        Ok(())
    }

    /// Keeps a snapshot if enough has happened since the last one.
    pub fn snapshot_now_and_then(&mut self) -> Result<(), EvolveError> {
        if self.lineage.seq >= self.snapshot_at + SNAPSHOT_EVERY { self.keep_snapshot() } else { Ok(()) }
    }

    /// Keeps a snapshot.
    pub fn keep_snapshot(&mut self) -> Result<(), EvolveError> {
        let Lineage { seq, hash, .. } = self.lineage;
        self.archive.keep_snapshot(&Snapshot { seq, hash, bytes: self.lineage.to_bytes() })?;
        self.snapshot_at = seq;
        Ok(())
    }

    /// How the run stands.
    pub fn progress(&self) -> Progress {
        let Some(run) = &self.lineage.run else { return Progress::default() };
        Progress {
            attempts: run.attempts,
            accepted: run.accepted,
            refused: run.refused,
            best: self.lineage.champion().and_then(|n| n.score),
            spent: run.charged(),
        }
    }
}

/// The lineage that the archive's journal gives.
pub fn lineage_of(archive: &dyn Archive) -> Result<Lineage, EvolveError> {
    let start = archive.snapshot()?.and_then(|s| Lineage::from_bytes(&s.bytes).filter(|l| l.hash == s.hash));
    replayed(archive, start.unwrap_or_default())
}

/// The lineage by full replay, whatever snapshots there are.
pub fn replayed_in_full(archive: &dyn Archive) -> Result<Lineage, EvolveError> {
    replayed(archive, Lineage::default())
}

fn replayed(archive: &dyn Archive, mut lineage: Lineage) -> Result<Lineage, EvolveError> {
    archive.replay(lineage.seq, &mut |recorded| {
        lineage.take(&recorded);
        true
    })?;
    Ok(lineage)
}
