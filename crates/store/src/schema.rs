//! The journal's database file: how it is made, recognised and opened. What is not ours is never written to.

use std::path::Path;
use std::time::Duration;

use meliora_evolve::ArchiveError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{failed, sqlite};

/// Marks the file as a Meliora journal: "Meli" in ASCII.
const APPLICATION: i32 = 0x4d65_6c69;
/// Version of the tables below. A higher one was written by a newer Meliora.
const VERSION: i32 = 1;

const TABLES: &str = "
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        prev BLOB NOT NULL,
        hash BLOB NOT NULL,
        kind TEXT NOT NULL,
        variant TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX journal_by_variant ON journal (variant) WHERE variant IS NOT NULL;
    CREATE TRIGGER journal_is_not_updated BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER journal_is_not_deleted BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TABLE snapshots (
        seq INTEGER PRIMARY KEY,
        hash BLOB NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
";

/// How a connection may use the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Create it if it is missing; read and write.
    Write,
    /// Read only; it must exist.
    Read,
}

/// Opens the database, after making sure that it is one of ours.
pub(crate) fn open(path: &Path, access: Access) -> Result<Connection, ArchiveError> {
    let what = format!("open the journal {}", path.display());
    let fail = |e| sqlite(&what, e);
    let flags = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let mut db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(fail)?;
    let known = recognise(&db, &what)?;
    match access {
        Access::Read if !known => {
            return Err(failed(what, "it is empty", "`meliora run` or `meliora init` begins a journal"));
        }
        Access::Read => {}
        Access::Write => {
            // WAL: a commit is one append to the log, and readers never wait. NORMAL: the log reaches the disk at
            // checkpoints, and whenever an event that must last is appended (`journal.rs`). A killed process loses
            // nothing, for the system holds what was written; a loss of power may take the last moments before it,
            // never the soundness of what stands.
            db.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
            db.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
            // 16 MiB between checkpoints: each costs two waits for the disk.
            db.pragma_update(None, "wal_autocheckpoint", 4096).map_err(fail)?;
            db.pragma_update(None, "journal_size_limit", 64 << 20).map_err(fail)?;
            if !known {
                create(&mut db).map_err(fail)?;
            }
        }
    }
    Ok(db)
}

/// Whether it is a journal of ours; `false` for an empty file. Anything else is an error.
fn recognise(db: &Connection, what: &str) -> Result<bool, ArchiveError> {
    let number = |pragma: &str| -> Result<i32, ArchiveError> {
        db.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|e| sqlite(what, e))
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == APPLICATION {
        return match version {
            VERSION => Ok(true),
            newer if newer > VERSION => Err(failed(
                what,
                format!("it was written by a newer Meliora (its version is {newer}, this program knows {VERSION})"),
                "update this program; the file was left as it is",
            )),
            _ => Err(failed(what, format!("its version {version} is unknown"), "restore it from a copy")),
        };
    }
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(|e| sqlite(what, e))?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(false);
    }
    Err(failed(what, "it is a database of another program", "move it away; the file was left as it is"))
}

/// Makes the tables, all or none.
fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let made: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if made == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
