//! Whatever is done to a journal behind Meliora's back is found, in the database and in an export, and called by its name.
#![allow(clippy::unwrap_used)] // a test that meets an error shall fail

use std::path::Path;

use meliora_domain::{Event, Timestamp};
use meliora_evolve::{Archive, ArchiveError};
use meliora_store::{
    Audit, Book, Checkpoint, GitArchive, Report, Sign, Tampering, Witness, audit_export, last_checkpoint,
};
use rusqlite::Connection;

mod common;
use common::Database;

/// Events in each journal, of which the newest checkpoint has seen all.
const EVENTS: u64 = 12;

fn sign(text: &[u8]) -> String {
    format!("by the machine: {}", String::from_utf8_lossy(text))
}

fn check(key: &str, text: &[u8], signature: &str) -> Result<(), String> {
    (key == "machine" && signature == sign(text)).then_some(()).ok_or("it is not signed by the machine".to_owned())
}

fn witness(dir: &Path) -> Witness {
    let signer: Sign = Box::new(|text| Ok(sign(text)));
    Witness::new("here", book(dir), "machine", signer)
}

fn book(dir: &Path) -> Book {
    Book::at(&dir.join("book"))
}

/// A journal in which event 3 says this, with checkpoints at 5 and at the end.
fn fill(archive: GitArchive, dir: &Path, third: &str) -> GitArchive {
    let archive = archive.witnessed(witness(dir), &check, Timestamp(1)).unwrap();
    for n in 1..=EVENTS {
        let message = if n == 3 { third.to_owned() } else { format!("event {n}") };
        archive.append(&[Event::Warned { message }], Timestamp(n)).unwrap();
        if n == 5 || n == EVENTS {
            archive.checkpoint(Timestamp(n)).unwrap();
        }
    }
    archive
}

fn audited(archive: &GitArchive, checkpoints: Vec<Checkpoint>) -> Report {
    let mut audit = Audit::new(checkpoints, &check);
    archive.audit(&mut audit).unwrap();
    audit.finish()
}

fn found(report: &Report) -> Vec<(Tampering, u64)> {
    report.findings.iter().map(|f| (f.tampering, f.seq)).collect()
}

/// What is done with SQL, and what must be told first.
const TAMPERINGS: [(&str, Tampering, u64); 13] = [
    ("UPDATE journal SET body = replace(body, 'event 4', 'event 5') WHERE seq = 4", Tampering::Edited, 4),
    ("UPDATE journal SET at = 77 WHERE seq = 4", Tampering::Edited, 4),
    ("UPDATE journal SET prev = hash WHERE seq = 4", Tampering::Edited, 4),
    ("UPDATE journal SET variant = 'x' WHERE seq = 4", Tampering::Edited, 4),
    ("UPDATE journal SET hash = prev WHERE seq = 12", Tampering::Edited, 12),
    ("DELETE FROM journal WHERE seq = 4", Tampering::Removed, 4),
    ("DELETE FROM journal WHERE seq <= 2", Tampering::Removed, 1),
    (
        "DELETE FROM journal WHERE seq = 4; UPDATE journal SET seq = seq + 99 WHERE seq > 4; UPDATE journal SET seq = seq - 100 WHERE seq > 99",
        Tampering::Removed,
        4,
    ),
    (
        "UPDATE journal SET seq = seq + 99 WHERE seq > 4; UPDATE journal SET seq = seq - 98 WHERE seq > 99;
      INSERT INTO journal SELECT 5, at, prev, hash, kind, variant, body FROM journal WHERE seq = 4",
        Tampering::Inserted,
        5,
    ),
    (
        "UPDATE journal SET seq = 99 WHERE seq = 4; UPDATE journal SET seq = 4 WHERE seq = 5; UPDATE journal SET seq = 5 WHERE seq = 99",
        Tampering::Reordered,
        4,
    ),
    ("DELETE FROM journal WHERE seq > 7", Tampering::Truncated, 8),
    ("DELETE FROM journal WHERE seq = 12", Tampering::Truncated, 12),
    ("DELETE FROM journal", Tampering::Truncated, 1),
];

/// The insertion copies event 4, so that what stands at 5 is event 4 once more.
fn expect(report: &Report, sql: &str, tampering: Tampering, seq: u64) {
    let found: Vec<_> = found(report).into_iter().filter(|(t, _)| *t != Tampering::Weakened).collect();
    assert_eq!(found.first(), Some(&(tampering, seq)), "{sql}: {:?}", report.findings);
    assert!(found.len() <= 2, "one change is told as one or two findings: {sql}: {:?}", report.findings);
}

#[test]
fn a_journal_that_nobody_touched_has_no_findings() {
    let dir = tempfile::tempdir().unwrap();
    let archive = fill(GitArchive::open(dir.path()).unwrap(), dir.path(), "event 3");
    let report = audited(&archive, book(dir.path()).read().unwrap());
    assert_eq!((report.findings.as_slice(), report.events, report.checkpoints), (&[][..], EVENTS, 3));
    assert_eq!(report.vouched, Some((EVENTS, Timestamp(EVENTS))));
    archive.append(&[Event::RunContinued], Timestamp(20)).unwrap();
    let report = audited(&archive, book(dir.path()).read().unwrap());
    assert_eq!((report.findings.len(), report.events, report.vouched.unwrap().0), (0, EVENTS + 1, EVENTS));
}

#[test]
fn an_index_that_hides_an_event_from_plain_sql_is_found() {
    let dir = tempfile::tempdir().unwrap();
    drop(fill(GitArchive::open(dir.path()).unwrap(), dir.path(), "event 3"));
    let act = |sql: &str| {
        let db = Connection::open(dir.path().join("journal.db")).unwrap();
        db.execute_batch(sql).unwrap();
    };
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    let made = |of: &str| -> (String, String, i64) {
        let query = format!("SELECT name, sql, rootpage FROM sqlite_schema WHERE name = '{of}'");
        db.query_row(&query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    };
    let (guard, index) = (made("journal_is_not_updated"), made("journal_by_kind"));
    drop(db);
    // The index takes in a lie, is put aside while the truth is put back, and stands again as if nothing had been.
    act("DROP TRIGGER journal_is_not_updated; UPDATE journal SET kind = 'hidden' WHERE seq = 4");
    act("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'journal_by_kind'");
    act("UPDATE journal SET kind = 'warned' WHERE seq = 4");
    act(&format!(
        "{}; PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('index', '{}', 'journal', {}, '{}')",
        guard.1, index.0, index.2, index.1
    ));
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    let count = "SELECT count(*) FROM journal INDEXED BY journal_by_kind WHERE kind = 'warned'";
    let seen: i64 = db.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(seen as u64, EVENTS - 1, "it hides one");
    let report = audited(&GitArchive::open(dir.path()).unwrap(), book(dir.path()).read().unwrap());
    assert!(report.findings.iter().any(|f| f.what.contains("not sound")), "{:?}", report.findings);
}

#[test]
fn every_tampering_with_a_file_is_found_and_named() {
    for (sql, tampering, seq) in TAMPERINGS {
        let dir = tempfile::tempdir().unwrap();
        drop(fill(GitArchive::open(dir.path()).unwrap(), dir.path(), "event 3"));
        let db = Connection::open(dir.path().join("journal.db")).unwrap();
        let triggers = "DROP TRIGGER journal_is_not_updated; DROP TRIGGER journal_is_not_deleted;";
        db.execute_batch(&format!("{triggers} {sql}")).unwrap();
        let archive = GitArchive::open(dir.path()).unwrap();
        let report = audited(&archive, book(dir.path()).read().unwrap());
        expect(&report, sql, tampering, seq);
        let weakened = report.findings.iter().filter(|f| f.tampering == Tampering::Weakened);
        assert_eq!(weakened.count(), 2, "the triggers that were dropped are named");
        if tampering == Tampering::Truncated {
            // A run does not go on with it.
            let error =
                GitArchive::open(dir.path()).unwrap().witnessed(witness(dir.path()), &check, Timestamp(30)).err();
            assert!(matches!(error, Some(ArchiveError::Broken { .. })), "{sql}");
        }
    }
}

#[test]
fn every_tampering_with_postgres_is_found_and_named() {
    for (sql, tampering, seq) in TAMPERINGS {
        let Some(database) = Database::fresh() else { return };
        let dir = tempfile::tempdir().unwrap();
        let open = || GitArchive::open_on(dir.path(), &database.address()).unwrap();
        assert_eq!(found(&audited(&fill(open(), dir.path(), "event 3"), book(dir.path()).read().unwrap())), []);
        database.tamper(sql);
        let report = audited(&open(), book(dir.path()).read().unwrap());
        expect(&report, sql, tampering, seq);
        assert!(report.findings.iter().any(|f| f.tampering == Tampering::Weakened), "the triggers are turned off");
    }
}

#[test]
fn a_chain_that_was_made_anew_from_the_beginning_is_found() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(fill(GitArchive::open(dir.path()).unwrap(), dir.path(), "event 3"));
    let forged = fill(GitArchive::open(other.path()).unwrap(), other.path(), "nothing to see here");
    assert_eq!(forged.verify().unwrap(), EVENTS, "its chain holds");
    let report = audited(&forged, book(dir.path()).read().unwrap());
    assert_eq!(found(&report), [(Tampering::Rewritten, 1)], "{:?}", report.findings);
    assert!(report.findings[0].what.contains("events 1 to 5"), "{:?}", report.findings);
}

#[test]
fn a_forged_checkpoint_saves_no_forged_chain() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(fill(GitArchive::open(dir.path()).unwrap(), dir.path(), "event 3"));
    let forged = fill(GitArchive::open(other.path()).unwrap(), other.path(), "nothing to see here");
    let mut checkpoints = book(other.path()).read().unwrap();
    checkpoints.iter_mut().for_each(|c| c.signature = sign(b"something else"));
    let report = audited(&forged, checkpoints);
    assert_eq!(found(&report), [(Tampering::Unsigned, EVENTS)], "{:?}", report.findings);
}

#[test]
fn a_view_that_shows_something_else_is_found() {
    let alter = "DROP VIEW violations; CREATE VIEW violations AS SELECT * FROM promotions WHERE seq < 0;";
    let dir = tempfile::tempdir().unwrap();
    let archive = fill(GitArchive::open(dir.path()).unwrap(), dir.path(), "event 3");
    Connection::open(dir.path().join("journal.db")).unwrap().execute_batch(alter).unwrap();
    let report = audited(&archive, book(dir.path()).read().unwrap());
    assert_eq!(found(&report), [(Tampering::Weakened, 0)]);
    assert!(report.findings[0].what.contains("violations"), "{:?}", report.findings);
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    let archive = fill(GitArchive::open_on(dir.path(), &database.address()).unwrap(), dir.path(), "event 3");
    database.client().batch_execute(alter).unwrap();
    let disarm = "CREATE OR REPLACE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
                  $$ BEGIN RETURN NEW; END $$";
    database.client().batch_execute(disarm).unwrap();
    let what: Vec<String> =
        audited(&archive, book(dir.path()).read().unwrap()).findings.into_iter().map(|f| f.what).collect();
    assert_eq!(what.len(), 3, "{what:?}");
    for part in ["journal_is_not_changed does something else", "journal_is_not_truncated", "violations"] {
        assert!(what.iter().any(|w| w.contains(part)), "{part} is not in {what:?}");
    }
}

/// An export as lines, and the checkpoints outside.
fn exported(dir: &Path) -> (Vec<String>, Vec<Checkpoint>) {
    let archive = fill(GitArchive::open(dir).unwrap(), dir, "event 3");
    let mut out = Vec::new();
    assert_eq!(archive.export(&mut out, Timestamp(50)).unwrap(), EVENTS);
    let lines = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    (lines, book(dir).read().unwrap())
}

fn audit_lines(lines: &[String], checkpoints: Vec<Checkpoint>) -> (bool, Report) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut audit = Audit::new(checkpoints, &check);
    let whole = audit_export(&mut text.as_bytes(), &mut audit).unwrap();
    (whole, audit.finish())
}

#[test]
fn an_export_proves_itself_and_is_what_the_log_prints() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, _) = exported(dir.path());
    let (whole, report) = audit_lines(&lines, Vec::new());
    assert!(whole && report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!((report.events, report.vouched), (EVENTS, Some((EVENTS, Timestamp(50)))));
    let mut file = std::io::Cursor::new(lines.join("\n") + "\n");
    assert_eq!(last_checkpoint(&mut file).unwrap().origin, "here");
    let recorded: meliora_domain::Recorded = serde_json::from_str(&lines[3]).unwrap();
    assert_eq!((serde_json::to_string(&recorded).unwrap(), recorded.seq), (lines[3].clone(), 4));
}

#[test]
fn every_tampering_with_an_export_is_found_and_named() {
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change, Tampering, u64); 9] = [
        ("edit", |l| l[3] = l[3].replace("event 4", "event 5"), Tampering::Edited, 4),
        ("edit a time", |l| l[3] = l[3].replace("\"at\":4", "\"at\":5"), Tampering::Edited, 4),
        ("remove", |l| drop(l.remove(3)), Tampering::Removed, 4),
        ("remove the first", |l| drop(l.remove(0)), Tampering::Removed, 1),
        ("swap", |l| l.swap(3, 4), Tampering::Reordered, 4),
        (
            "move far",
            |l| {
                let line = l.remove(3);
                l.insert(9, line)
            },
            Tampering::Reordered,
            4,
        ),
        ("twice", |l| l.insert(6, l[3].clone()), Tampering::Inserted, 4),
        ("nonsense", |l| l[3] = "{\"seq\":4}".into(), Tampering::Edited, 0),
        ("cut off before the checkpoint", |l| drop(l.drain(7..12)), Tampering::Truncated, 8),
    ];
    for (name, change, tampering, seq) in changes {
        let dir = tempfile::tempdir().unwrap();
        let (mut lines, outside) = exported(dir.path());
        change(&mut lines);
        for checkpoints in [Vec::new(), outside] {
            let (_, report) = audit_lines(&lines, checkpoints);
            assert_eq!(found(&report).first(), Some(&(tampering, seq)), "{name}: {:?}", report.findings);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut lines, outside) = exported(dir.path());
    lines.truncate(7);
    let (whole, report) = audit_lines(&lines, Vec::new());
    assert!(!whole && report.vouched.is_none(), "without its end it says that it is not whole");
    // An older checkpoint makes it whole again; only what is known elsewhere tells that there was more.
    let early = outside.iter().find(|c| c.size == 5).unwrap();
    lines.truncate(5);
    lines.push(format!("{{\"checkpoint\":{}}}", serde_json::to_string(early).unwrap()));
    assert!(audit_lines(&lines, Vec::new()).1.findings.is_empty() && report.findings.is_empty());
    assert_eq!(found(&audit_lines(&lines, outside).1), [(Tampering::Truncated, 6)]);
}
