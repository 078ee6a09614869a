//! The journal's database file: how it is made, recognised and opened. What is not ours is never written to.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use meliora_evolve::ArchiveError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{failed, sqlite};

/// Marks the file as a Meliora journal: "Meli" in ASCII.
const APPLICATION: i32 = 0x4d65_6c69;
/// Version of the tables that the migrations make. A higher one was written by a newer Meliora.
const VERSION: i32 = MIGRATIONS.len() as i32;

/// One for each version, in order. A migration that has been published is never changed.
const MIGRATIONS: [&str; 2] = [JOURNAL, include_str!("sql/sqlite_tables.sql")];

const JOURNAL: &str = "
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
            migrate(&mut db).map_err(fail)?;
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
            1..=VERSION => Ok(true),
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

/// Makes what is missing, all or none.
fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    if version(db)? == VERSION {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = usize::try_from(version(&transaction)?).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn version(db: &Connection) -> rusqlite::Result<i32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// What is no longer as the migrations made it: triggers, views, the table itself.
pub(crate) fn weakened(db: &Connection) -> Result<Vec<String>, ArchiveError> {
    let compare = || -> rusqlite::Result<Vec<String>> {
        let fresh = Connection::open_in_memory()?;
        for migration in MIGRATIONS.iter().take(usize::try_from(version(db)?).unwrap_or_default()) {
            fresh.execute_batch(migration)?;
        }
        let (made, stands) = (objects(&fresh)?, objects(db)?);
        let altered = made.iter().filter(|(name, made)| stands.get(*name) != Some(*made));
        let added = stands.keys().filter(|name| !made.contains_key(*name));
        // An index that says something else than its table hides rows from whoever asks by it.
        let unsound = db
            .prepare("PRAGMA integrity_check(4)")?
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<String>>>()?;
        Ok(altered
            .map(|((kind, name), _)| format!("the {kind} {name} is gone or not as it was made"))
            .chain(added.map(|(kind, name)| format!("the {kind} {name} is none of ours")))
            .chain(unsound.into_iter().filter(|said| said != "ok").map(|said| format!("the file is not sound: {said}")))
            .collect())
    };
    compare().map_err(|e| sqlite("look at the tables", e))
}

/// Everything in the database with the statement that made it, by kind and name.
fn objects(db: &Connection) -> rusqlite::Result<BTreeMap<(String, String), Option<String>>> {
    // What SQLite makes for itself has a reserved name.
    db.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
        .collect()
}
