//! An archive that lives and dies with its process, for tests of whatever stands on the port.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meliora_domain::{Event, Genome, Recorded, Timestamp, VariantId};
use meliora_evolve::{Archive, ArchiveError, Draft, Snapshot};

use crate::chain::{self, Tail};
use crate::objects;

/// Journal and variants in memory. Gives the same ids and hashes as [`crate::GitArchive`].
#[derive(Default)]
pub struct MemoryArchive {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    tail: Tail,
    journal: Vec<Recorded>,
    snapshots: BTreeMap<u64, Snapshot>,
    variants: BTreeMap<VariantId, Genome>,
    champion: Option<VariantId>,
}

impl MemoryArchive {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// The variant that the champion branch points at.
    pub fn champion(&self) -> Option<VariantId> {
        self.inner().champion
    }

    /// No method leaves it half-changed, so that a panic elsewhere harms nothing.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Archive for MemoryArchive {
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError> {
        let mut inner = self.inner();
        let mut tail = inner.tail;
        let bound = events.iter().map(|e| chain::bind(&mut tail, e, at).map(|(recorded, _)| recorded));
        let recorded = bound.collect::<Result<Vec<_>, _>>()?;
        inner.tail = tail;
        inner.journal.extend_from_slice(&recorded);
        Ok(recorded)
    }

    fn replay(&self, after: u64, each: &mut dyn FnMut(Recorded) -> bool) -> Result<(), ArchiveError> {
        // Copied first, so that `each` may append.
        let events = {
            let inner = self.inner();
            if after > inner.tail.seq {
                return Err(ArchiveError::Broken { seq: after, why: "it is missing".into() });
            }
            inner.journal.iter().filter(|r| r.seq > after).cloned().collect::<Vec<_>>()
        };
        events.into_iter().all(each);
        Ok(())
    }

    fn about(&self, variant: &VariantId) -> Result<Vec<Recorded>, ArchiveError> {
        let inner = self.inner();
        Ok(inner.journal.iter().filter(|r| chain::variant(&r.event) == Some(variant)).cloned().collect())
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError> {
        let inner = self.inner();
        let fits = |s: &&Snapshot| inner.journal.iter().any(|r| r.seq == s.seq && r.hash == s.hash);
        Ok(inner.snapshots.values().rev().find(fits).cloned())
    }

    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        let mut inner = self.inner();
        inner.snapshots.insert(snapshot.seq, snapshot.clone());
        while inner.snapshots.len() > 2 {
            inner.snapshots.pop_first();
        }
        Ok(())
    }

    fn store(&self, draft: &Draft<'_>) -> Result<VariantId, ArchiveError> {
        let mut inner = self.inner();
        if let Some(parent) = draft.parents.iter().find(|p| !inner.variants.contains_key(p)) {
            return Err(ArchiveError::NoVariant(parent.to_string()));
        }
        let (oid, _) = objects::commit(&draft.genome.tree(), draft)?;
        let variant = objects::variant(oid);
        inner.variants.insert(variant, draft.genome.clone());
        Ok(variant)
    }

    fn load(&self, variant: &VariantId) -> Result<Genome, ArchiveError> {
        let genome = self.inner().variants.get(variant).cloned();
        genome.ok_or_else(|| ArchiveError::NoVariant(variant.to_string()))
    }

    fn find(&self, prefix: &str) -> Result<VariantId, ArchiveError> {
        let digits = objects::prefix(prefix)?;
        let inner = self.inner();
        let mut fits = inner.variants.keys().filter(|v| v.to_string().starts_with(&digits));
        match (fits.next(), fits.next()) {
            (None, _) => Err(ArchiveError::NoVariant(prefix.to_owned())),
            (Some(one), None) => Ok(*one),
            (Some(_), Some(_)) => Err(ArchiveError::AmbiguousVariant(prefix.to_owned())),
        }
    }

    fn point_champion(&self, variant: &VariantId) -> Result<(), ArchiveError> {
        let mut inner = self.inner();
        if !inner.variants.contains_key(variant) {
            return Err(ArchiveError::NoVariant(variant.to_string()));
        }
        inner.champion = Some(*variant);
        Ok(())
    }
}
