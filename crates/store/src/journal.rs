//! The journal on SQLite: one file, which several processes of one machine may append to in turn.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use meliora_domain::{Cost, Digest, Event, Recorded, Timestamp, VariantId};
use meliora_evolve::{ArchiveError, Snapshot};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, TransactionBehavior, params};

use crate::chain::{self, Line, Tail};
use crate::error::{failed, io, sqlite};
use crate::ledger::{Each, Ledger, replaced};
use crate::schema::{self, Access};

/// How many snapshots are kept: one more than the newest, should that one not fit.
const SNAPSHOTS: u32 = 2;

pub(crate) struct Journal {
    path: PathBuf,
    writer: Mutex<Writer>,
}

struct Writer {
    db: Connection,
    /// The end of the journal as this process knows it. Held against the database at each append.
    tail: Tail,
    /// Whether the next append waits for the disk.
    waits: bool,
}

/// Whether losing this event would cost more than a step that is done again: what was paid for with money, what happened
/// to the user's own tree, an opening of the holdout, what a person said and what stops the work. Its append waits until the disk has it, and with it
/// all that was appended before; the others come to the disk at leisure, since waiting for each would make a run of
/// short examinations several times as long (`cargo bench -p meliora-store --bench archive` prints both).
pub(crate) fn lasting(event: &Event) -> bool {
    let paid = |cost: &Cost| cost.usd.0 > 0;
    match event {
        Event::Promoted { .. } | Event::RolledBack { .. } | Event::HoldoutOpened { .. } => true,
        Event::Answered(_)
        | Event::Used { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Cleared { .. } => true,
        Event::Reserved { cost, .. } | Event::Spent { cost, .. } => paid(cost),
        Event::Bid(attempt) => paid(&attempt.cost),
        _ => false,
    }
}

impl Journal {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Journal, ArchiveError> {
        let db = schema::open(path, access)?;
        // An event is many statements' worth of reuse; the cache must hold all that are in use at once.
        db.set_prepared_statement_cache_capacity(16);
        let tail = tail(&db).map_err(|e| sqlite("read the end of the journal", e))?;
        Ok(Journal { path: path.to_owned(), writer: Mutex::new(Writer { db, tail, waits: false }) })
    }

    /// A panic while the lock is held leaves an open transaction at worst, and dropping that rolls it back.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select(db: &Connection, rest: &str, value: &dyn ToSql, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let fail = |e| sqlite("read the journal", e);
        let columns = "SELECT seq, at, prev, hash, kind, variant, body FROM journal";
        let mut select = db.prepare_cached(&format!("{columns} {rest}")).map_err(fail)?;
        let mut rows = select.query([value]).map_err(fail)?;
        let mut before = 0;
        while let Some(row) = rows.next().map_err(fail)? {
            let line = line(row, before + 1)?;
            before = line.seq;
            if !each(&line)? {
                break;
            }
        }
        Ok(())
    }
}

impl Ledger for Journal {
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError> {
        let what = "append to the journal";
        let fail = |e| sqlite(what, e);
        let mut writer = self.writer();
        let Writer { db, tail: known, waits } = &mut *writer;
        let lasting = events.iter().any(lasting);
        if lasting != *waits {
            // It cannot be changed within a transaction.
            db.pragma_update(None, "synchronous", if lasting { "FULL" } else { "NORMAL" }).map_err(fail)?;
            *waits = lasting;
        }
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let stored = tail(&transaction).map_err(fail)?;
        // Another process may have appended meanwhile, and nothing but that.
        if stored != *known
            && (stored.seq <= known.seq
                || known.seq > 0 && hash_at(&transaction, known.seq).map_err(fail)? != Some(known.hash))
        {
            return Err(replaced(*known));
        }
        let mut end = stored;
        let lines = events.iter().map(|e| chain::bind(&mut end, e, at)).collect::<Result<Vec<_>, _>>()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO journal (seq, at, prev, hash, kind, variant, body) VALUES (?,?,?,?,?,?,?)")
                .map_err(fail)?;
            for (line, body) in &lines {
                let variant = chain::variant(&line.event).map(ToString::to_string);
                let (seq, at) = (signed(line.seq, what)?, signed(line.at.0, what)?);
                insert
                    .execute(params![seq, at, &line.prev.0[..], &line.hash.0[..], chain::kind(body), variant, body])
                    .map_err(fail)?;
            }
        }
        transaction.commit().map_err(fail)?;
        *known = end;
        Ok(lines.into_iter().map(|(line, _)| line).collect())
    }

    /// Reads on a connection of its own, so that `each` may append.
    fn lines(&self, after: u64, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let db = schema::open(&self.path, Access::Read)?;
        Journal::select(&db, "WHERE seq > ? ORDER BY seq", &signed(after, "read the journal")?, each)
    }

    fn lines_about(&self, variant: &VariantId, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        Journal::select(&self.writer().db, "WHERE variant = ? ORDER BY seq", &variant.to_string(), each)
    }

    fn hash_at(&self, seq: u64) -> Result<Option<Digest>, ArchiveError> {
        hash_at(&self.writer().db, seq).map_err(|e| sqlite("read the journal", e))
    }

    fn tail(&self) -> Tail {
        self.writer().tail
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError> {
        let query = "SELECT s.seq, s.hash, s.bytes FROM snapshots s JOIN journal j ON j.seq = s.seq AND j.hash = s.hash
                     ORDER BY s.seq DESC LIMIT 1";
        let writer = self.writer();
        writer
            .db
            .query_row(query, [], |row| {
                Ok(Snapshot {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    hash: Digest(row.get(1)?),
                    bytes: row.get(2)?,
                })
            })
            .optional()
            .map_err(|e| sqlite("read the newest snapshot", e))
    }

    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        let what = "keep a snapshot";
        let fail = |e| sqlite(what, e);
        let mut writer = self.writer();
        let transaction = writer.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        transaction
            .execute(
                "INSERT OR REPLACE INTO snapshots (seq, hash, bytes) VALUES (?,?,?)",
                params![signed(snapshot.seq, what)?, &snapshot.hash.0[..], snapshot.bytes],
            )
            .map_err(fail)?;
        transaction
            .execute(
                "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                [SNAPSHOTS],
            )
            .map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// The log and the file itself; whatever the log held before it was last emptied is in the file.
    fn settle(&self) -> Result<(), ArchiveError> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        for path in [PathBuf::from(log), self.path.clone()] {
            match File::open(&path).and_then(|file| file.sync_data()) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(io(&format!("bring {} to the disk", path.display()), &e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn weakened(&self) -> Result<Vec<String>, ArchiveError> {
        schema::weakened(&self.writer().db)
    }
}

fn tail(db: &Connection) -> rusqlite::Result<Tail> {
    db.prepare_cached("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok(Tail { seq: row.get::<_, i64>(0)?.unsigned_abs(), hash: Digest(row.get(1)?) }))
        .optional()
        .map(Option::unwrap_or_default)
}

fn hash_at(db: &Connection, seq: u64) -> rusqlite::Result<Option<Digest>> {
    let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
    db.query_row("SELECT hash FROM journal WHERE seq = ?", [seq], |row| row.get(0).map(Digest)).optional()
}

/// SQLite's integers are signed; positions and milliseconds fit for three hundred million years.
fn signed(number: u64, what: &str) -> Result<i64, ArchiveError> {
    i64::try_from(number).map_err(|e| failed(what, e, "this is a bug of Meliora; please report it"))
}

/// The row as it lies in SQLite's own memory. A column of another type than ours writes is damage.
fn line<'a>(row: &'a Row<'_>, expected: u64) -> Result<Line<'a>, ArchiveError> {
    let columns = || -> Option<Line<'a>> {
        let number = |i| row.get_ref(i).ok()?.as_i64().ok().and_then(|n| u64::try_from(n).ok());
        Some(Line {
            seq: number(0)?,
            at: number(1)?,
            prev: row.get_ref(2).ok()?.as_blob().ok()?,
            hash: row.get_ref(3).ok()?.as_blob().ok()?,
            kind: row.get_ref(4).ok()?.as_str().ok()?,
            variant: row.get_ref(5).ok()?.as_str_or_null().ok()?,
            body: row.get_ref(6).ok()?.as_str().ok()?,
        })
    };
    columns().ok_or_else(|| ArchiveError::Broken { seq: expected, why: "its line cannot be read".into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::MicroUsd;

    #[test]
    fn what_was_paid_or_promoted_waits_for_the_disk_and_the_rest_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db"), Access::Write).unwrap();
        // What SQLite obeyed at the commit just made: 1 is NORMAL, 2 is FULL.
        let obeyed = |event: Event| -> i32 {
            journal.append(&[Event::RunContinued, event], Timestamp(1)).unwrap();
            journal.writer().db.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
        };
        let reserved = |cost| Event::Reserved { step: 1, cost };
        let paid = Cost { evals: 1, tokens: 5, usd: MicroUsd(7) };
        assert_eq!(obeyed(reserved(Cost::evals(1))), 1);
        assert_eq!(obeyed(reserved(Cost { usd: MicroUsd(0), ..paid })), 1);
        assert_eq!(obeyed(reserved(paid)), 2);
        assert_eq!(obeyed(Event::Warned { message: String::new() }), 1);
        let (evaluator, marks) = (Digest([7; 32]), Vec::new());
        let scorecard = meliora_domain::Scorecard { evaluator, marks, seconds: 0.0, ..Default::default() };
        assert_eq!(obeyed(Event::HoldoutOpened { variant: VariantId([1; 20]), scorecard }), 2);
        assert_eq!(obeyed(reserved(Cost { tokens: 0, ..paid })), 2);
        assert_eq!(obeyed(Event::RunContinued), 1);
    }

    #[test]
    fn a_full_disk_is_named_and_costs_nothing_that_was_written_before() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db"), Access::Write).unwrap();
        let event = |n: u64| Event::Warned { message: format!("{n}{}", " ".repeat(2000)) };
        let limit = |pages: u32| journal.writer().db.pragma_update(None, "max_page_count", pages).unwrap();
        // SQLite answers a full disk and its own limit alike.
        limit(20);
        let mut written = 0;
        let error = loop {
            match journal.append(&[event(written), event(written + 1)], Timestamp(1)) {
                Ok(_) => written += 2,
                Err(e) => break e,
            }
            assert!(written < 1000, "the limit does not hold");
        };
        assert!(matches!(error, ArchiveError::Full(_)), "{error}");
        limit(10_000);
        assert_eq!(journal.append(&[event(0)], Timestamp(2)).unwrap()[0].seq, written + 1);
        let mut seen = 0;
        journal
            .lines(0, &mut |_| {
                seen += 1;
                Ok(true)
            })
            .unwrap();
        assert_eq!(seen, written + 1);
    }
}
