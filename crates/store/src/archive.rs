//! The archive of a project: its journal, in `journal.db` or on Postgres, and `archive.git` in its `.meliora` folder.

use std::fs;
use std::io::Write;
use std::path::Path;

use meliora_domain::{Digest, Event, Genome, Recorded, Timestamp, VariantId};
use meliora_evolve::{Archive, ArchiveError, Draft, Snapshot};

use crate::audit::{Audit, Tampering};
use crate::chain::{self, Tail};
use crate::checkpoint::{Check, Checkpoint};
use crate::error::{failed, io};
use crate::export;
use crate::journal::{self, Journal};
use crate::ledger::{Ledger, missing};
use crate::postgres::{Address, PostgresJournal};
use crate::schema::Access;
use crate::seal::Seal;
use crate::variants::Variants;
use crate::witness::Witness;

/// Name of the journal's file.
const FILE: &str = "journal.db";

/// The journal in a database and the variants in a bare git repository.
///
/// What [`Archive::append`] and [`Archive::store`] have acknowledged survives the death of the process at any moment.
/// A loss of power may take the last moments of a file, but leaves the rest sound; it does not take what was paid for,
/// promoted, rolled back or said by a person, nor anything before that: these wait for the disk.
pub struct GitArchive {
    journal: Box<dyn Ledger>,
    variants: Variants,
    witness: Option<Witness>,
    seal: Option<Seal>,
}

impl GitArchive {
    /// Opens the archive in this folder (a project's `.meliora`), with the journal in a file of it, and creates what is
    /// missing. The caller holds the project's lock. A file that is not ours, or that a newer Meliora wrote, is an error
    /// and stays as it is.
    pub fn open(dir: &Path) -> Result<Self, ArchiveError> {
        fs::create_dir_all(dir).map_err(|e| io(&format!("create the folder {}", dir.display()), &e))?;
        Self::with(dir, Box::new(Journal::open(&dir.join(FILE), Access::Write)?), Access::Write)
    }

    /// Opens an existing archive for looking only. Needs no lock: a run may go on meanwhile.
    pub fn open_readonly(dir: &Path) -> Result<Self, ArchiveError> {
        if !dir.join(FILE).exists() {
            return Err(failed(
                format!("open the journal in {}", dir.display()),
                "there is none",
                "`meliora run` begins one",
            ));
        }
        Self::with(dir, Box::new(Journal::open(&dir.join(FILE), Access::Read)?), Access::Read)
    }

    /// As [`GitArchive::open`], with the journal on Postgres. A journal that is in the folder already is not left behind.
    pub fn open_on(dir: &Path, address: &Address) -> Result<Self, ArchiveError> {
        fs::create_dir_all(dir).map_err(|e| io(&format!("create the folder {}", dir.display()), &e))?;
        let journal = PostgresJournal::open(address, &dir.join("snapshots"), Access::Write)?;
        if journal.tail().seq == 0 && dir.join(FILE).exists() {
            let events = Journal::open(&dir.join(FILE), Access::Read)?.tail().seq;
            if events > 0 {
                return Err(failed(
                    format!("begin a journal on {address}"),
                    format!("the project has one of {events} events in {}", dir.join(FILE).display()),
                    "`meliora store migrate` copies it; or move the file away",
                ));
            }
        }
        let archive = Self::with(dir, Box::new(journal), Access::Write)?;
        archive.holds_its_variants(address)?;
        Ok(archive)
    }

    /// A journal that several folders share would name variants that only one of them has.
    fn holds_its_variants(&self, address: &Address) -> Result<(), ArchiveError> {
        let mut first = None;
        self.journal.lines(0, &mut |line| {
            first =
                line.variant.filter(|_| line.kind == "admitted").and_then(|variant| variant.parse::<VariantId>().ok());
            Ok(first.is_none())
        })?;
        match first.map(|variant| self.variants.load(&variant)) {
            Some(Err(ArchiveError::NoVariant(variant))) => Err(failed(
                format!("use the journal on {address}"),
                format!("its variants are not in this folder's archive.git ({variant} is the first)"),
                "copy .meliora/archive.git from where they were made; another project needs another database or schema",
            )),
            Some(Err(other)) => Err(other),
            _ => Ok(()),
        }
    }

    /// As [`GitArchive::open_readonly`], with the journal on Postgres.
    pub fn open_on_readonly(dir: &Path, address: &Address) -> Result<Self, ArchiveError> {
        Self::with(dir, Box::new(PostgresJournal::open(address, &dir.join("snapshots"), Access::Read)?), Access::Read)
    }

    fn with(dir: &Path, journal: Box<dyn Ledger>, access: Access) -> Result<Self, ArchiveError> {
        let variants = Variants::open(&dir.join("archive.git"), access)?;
        Ok(GitArchive { journal, variants, witness: None, seal: None })
    }

    /// From now on a snapshot counts only if it bears this seal, and those that are kept get it.
    #[must_use]
    pub fn sealed(mut self, seal: Seal) -> Self {
        self.seal = Some(seal);
        self
    }

    /// Whether the newest snapshot bears a seal that is not right: somebody has altered it.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn snapshot_was_altered(&self) -> Result<bool, ArchiveError> {
        let Some(seal) = &self.seal else { return Ok(false) };
        Ok(self.journal.snapshot()?.is_some_and(|kept| Seal::is_on(&kept) && seal.open(kept).is_none()))
    }

    /// From now on the witness signs checkpoints of what is appended. It must find what it saw last, and `check` must know
    /// its signature.
    pub fn witnessed(mut self, witness: Witness, check: &Check<'_>, now: Timestamp) -> Result<Self, ArchiveError> {
        witness.begin(self.journal.as_ref(), check, now)?;
        self.witness = Some(witness);
        Ok(self)
    }

    /// Checks the whole journal: that no event is missing, was altered or changed its place. Returns how many there
    /// are. Events cut off at the very end leave a sound chain, and so does a chain that was made anew:
    /// [`GitArchive::audit`] finds these by checkpoints.
    pub fn verify(&self) -> Result<u64, ArchiveError> {
        let mut events = 0;
        self.replay(0, &mut |recorded| {
            events = recorded.seq;
            true
        })?;
        Ok(events)
    }

    /// Hands every line to the audit, and what the database's own guards have become.
    pub fn audit(&self, audit: &mut Audit<'_>) -> Result<(), ArchiveError> {
        for what in self.journal.weakened()? {
            audit.find(Tampering::Weakened, 0, what);
        }
        let read = self.journal.lines(0, &mut |line| {
            audit.line(line);
            if let Err(ArchiveError::Broken { seq, why }) = chain::read(line) {
                audit.find(Tampering::Edited, seq, why);
            }
            Ok(true)
        });
        match read {
            Err(ArchiveError::Broken { seq, why }) => audit.find(Tampering::Edited, seq, why),
            other => other?,
        }
        Ok(())
    }

    /// Writes every event as a line of JSON, and at the end a checkpoint of them all if the archive has a witness.
    /// Returns how many events were written.
    pub fn export(&self, out: &mut dyn Write, now: Timestamp) -> Result<u64, ArchiveError> {
        let fail =
            |e: std::io::Error| failed("write the export", e, "see that there is room, and that the reader stays");
        // The checkpoint first: what is appended meanwhile is left for the next export.
        let checkpoint = self.witness.as_ref().map(|w| w.now(self.journal.as_ref(), now)).transpose()?;
        let end = checkpoint.as_ref().map_or(self.journal.tail().seq, |c| c.size);
        let mut events = 0;
        self.journal.lines(0, &mut |line| {
            if line.seq > end {
                return Ok(false);
            }
            events += 1;
            export::write_line(out, line).map_err(fail).map(|()| true)
        })?;
        if let Some(checkpoint) = checkpoint {
            export::write_checkpoint(out, &checkpoint).map_err(fail)?;
        }
        out.flush().map_err(fail)?;
        Ok(events)
    }

    /// A checkpoint of the journal as it is now, in the witness's book.
    pub fn checkpoint(&self, now: Timestamp) -> Result<Option<Checkpoint>, ArchiveError> {
        self.witness.as_ref().map(|w| w.now(self.journal.as_ref(), now)).transpose()
    }

    /// Hash of the last event, which stands for the whole journal; zeros while it is empty.
    pub fn tail_hash(&self) -> Digest {
        let Tail { hash, .. } = self.journal.tail();
        hash
    }
}

/// Copies the journal of a project's folder to Postgres, which must hold none yet. The file stays as it is. Returns how
/// many events were copied; 0 if they were there already.
pub fn migrate(dir: &Path, to: &Address) -> Result<u64, ArchiveError> {
    let from = Journal::open(&dir.join(FILE), Access::Read)?;
    PostgresJournal::open(to, &dir.join("snapshots"), Access::Write)?.import(&from)
}

/// Makes the tables of a journal on Postgres, and with a name a role that may append to it and read it, and nothing else.
pub fn prepare(address: &Address, writer: Option<&str>) -> Result<(), ArchiveError> {
    PostgresJournal::prepare(address, writer)
}

/// Whether the role of this address could change what was written. An `audit` would find it; a role that cannot is better.
pub fn may_alter(dir: &Path, address: &Address) -> Result<bool, ArchiveError> {
    PostgresJournal::open(address, &dir.join("snapshots"), Access::Read)?.may_alter()
}

impl Archive for GitArchive {
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError> {
        if events.iter().any(journal::lasting) {
            // What the journal names is on the disk before the journal is.
            self.variants.settle()?;
        }
        let recorded = self.journal.append(events, at)?;
        if let Some(witness) = &self.witness {
            witness.saw(&recorded, self.journal.as_ref(), at)?;
        }
        if events.iter().any(|event| matches!(event, Event::Finished { .. })) {
            self.variants.tidy();
        }
        Ok(recorded)
    }

    fn replay(&self, after: u64, each: &mut dyn FnMut(Recorded) -> bool) -> Result<(), ArchiveError> {
        let mut end = match after {
            0 => Tail::default(),
            seq => Tail { seq, hash: self.journal.hash_at(seq)?.ok_or_else(|| missing(seq))? },
        };
        self.journal.lines(after, &mut |line| {
            let prev = end.hash;
            chain::follow(&mut end, line)?;
            let event = chain::read(line)?;
            Ok(each(Recorded { seq: line.seq, at: Timestamp(line.at), prev, hash: end.hash, event }))
        })
    }

    /// Each line's own hash is checked; the chain is checked by `replay`.
    fn about(&self, variant: &VariantId) -> Result<Vec<Recorded>, ArchiveError> {
        let mut events = Vec::new();
        self.journal.lines_about(variant, &mut |line| {
            let prev = line.prev.try_into().map(Digest).unwrap_or_default();
            let mut tail = Tail { seq: line.seq.saturating_sub(1), hash: prev };
            chain::follow(&mut tail, line)?;
            let event = chain::read(line)?;
            events.push(Recorded { seq: line.seq, at: Timestamp(line.at), prev, hash: tail.hash, event });
            Ok(true)
        })?;
        Ok(events)
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError> {
        let kept = self.journal.snapshot()?;
        Ok(match &self.seal {
            Some(seal) => kept.and_then(|kept| seal.open(kept)),
            None => kept,
        })
    }

    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        match &self.seal {
            Some(seal) => self.journal.keep_snapshot(&seal.put_on(snapshot)?),
            None => self.journal.keep_snapshot(snapshot),
        }
    }

    fn store(&self, draft: &Draft<'_>) -> Result<VariantId, ArchiveError> {
        self.variants.store(draft)
    }

    fn load(&self, variant: &VariantId) -> Result<Genome, ArchiveError> {
        self.variants.load(variant)
    }

    fn find(&self, prefix: &str) -> Result<VariantId, ArchiveError> {
        self.variants.find(prefix)
    }

    fn point_champion(&self, variant: &VariantId) -> Result<(), ArchiveError> {
        self.variants.point_champion(variant)
    }
}
