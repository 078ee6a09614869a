//! What a killed process, a damaged file and a foreign file do to the archive: nothing is lost in silence.
#![allow(clippy::unwrap_used)] // a test that meets an error shall fail

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use meliora_domain::{Event, FileBody, Genome, GenomePath, Timestamp, VariantId};
use meliora_evolve::{Archive, ArchiveError, Draft};
use meliora_store::GitArchive;
use proptest::prelude::*;
use rusqlite::Connection;

fn filled(dir: &Path, events: u64) -> GitArchive {
    let archive = GitArchive::open(dir).unwrap();
    for n in 1..=events {
        let variant = VariantId([n as u8; 20]);
        archive.append(&[Event::Crowned { variant, score: n as f64 }], Timestamp(n)).unwrap();
    }
    archive
}

/// Changes the database as a person with a shell could.
fn tamper(dir: &Path, sql: &str) {
    let db = Connection::open(dir.join("journal.db")).unwrap();
    db.execute_batch("DROP TRIGGER IF EXISTS journal_is_not_updated; DROP TRIGGER IF EXISTS journal_is_not_deleted;")
        .unwrap();
    db.execute_batch(sql).unwrap();
}

fn broken_at(dir: &Path) -> u64 {
    match GitArchive::open(dir).unwrap().verify() {
        Err(ArchiveError::Broken { seq, .. }) => seq,
        other => panic!("not noticed: {other:?}"),
    }
}

#[test]
fn the_database_itself_refuses_to_change_or_delete_an_event() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 3));
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    for sql in ["UPDATE journal SET at = 0 WHERE seq = 2", "DELETE FROM journal WHERE seq = 3"] {
        assert!(db.execute(sql, []).unwrap_err().to_string().contains("append-only"), "{sql}");
    }
}

#[test]
fn every_way_to_tamper_with_an_event_is_found_at_that_event() {
    for (sql, at) in [
        ("UPDATE journal SET body = replace(body, '2.0', '9.0') WHERE seq = 2", 2),
        ("UPDATE journal SET at = 77 WHERE seq = 3", 3),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 3", 3),
        ("UPDATE journal SET prev = zeroblob(32) WHERE seq = 3", 3),
        ("UPDATE journal SET kind = 'judged' WHERE seq = 4", 4),
        ("UPDATE journal SET variant = NULL WHERE seq = 4", 4),
        ("UPDATE journal SET hash = 'text' WHERE seq = 4", 4),
        ("DELETE FROM journal WHERE seq = 1", 1),
        ("DELETE FROM journal WHERE seq = 3", 3),
        (
            "UPDATE journal SET seq = -2 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = -2",
            2,
        ),
        ("UPDATE journal SET seq = seq + 1 WHERE seq = 5", 5),
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(filled(dir.path(), 5));
        if sql.contains("'text'") {
            // The table takes no text there; a journal with another type is refused by SQLite already.
            let db = Connection::open(dir.path().join("journal.db")).unwrap();
            assert!(db.execute(sql, []).is_err());
            continue;
        }
        tamper(dir.path(), sql);
        assert_eq!(broken_at(dir.path()), at, "{sql}");
    }
}

#[test]
fn events_that_are_cut_off_the_end_show_in_the_tail_hash() {
    let dir = tempfile::tempdir().unwrap();
    let noted = filled(dir.path(), 5).tail_hash();
    tamper(dir.path(), "DELETE FROM journal WHERE seq = 5");
    assert_ne!(GitArchive::open(dir.path()).unwrap().tail_hash(), noted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_byte_of_any_event_is_found(seq in 1u64..=5, column in 0usize..3, place in 0usize..200, bit in 0u8..8) {
        let dir = tempfile::tempdir().unwrap();
        drop(filled(dir.path(), 5));
        let column = ["prev", "hash", "body"][column];
        let db = Connection::open(dir.path().join("journal.db")).unwrap();
        let sql = format!("SELECT CAST({column} AS BLOB) FROM journal WHERE seq = ?");
        let mut bytes: Vec<u8> = db.query_row(&sql, [seq as i64], |row| row.get(0)).unwrap();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let kind = if column == "body" { "TEXT" } else { "BLOB" };
        drop(db);
        tamper(dir.path(), &format!("UPDATE journal SET {column} = CAST(x'{hex}' AS {kind}) WHERE seq = {seq}"));
        prop_assert_eq!(broken_at(dir.path()), seq);
    }
}

#[test]
fn a_database_of_a_newer_or_of_no_meliora_is_named_and_left_as_it_is() {
    let newer = |path: &Path| {
        drop(GitArchive::open(path.parent().unwrap()).unwrap());
        Connection::open(path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    };
    let text = |path: &Path| fs::write(path, "these are my notes, not a database\n".repeat(100)).unwrap();
    let foreign = |path: &Path| Connection::open(path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(Make<'_>, &str); 3] =
        [(&newer, "newer Meliora"), (&text, "not a SQLite database"), (&foreign, "another program")];
    for (make, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        make(&path);
        let before = fs::read(&path).unwrap();
        match GitArchive::open(dir.path()).err().unwrap() {
            ArchiveError::Failed { what, cause, hint: Some(_) } => {
                assert!(cause.contains(says) && what.contains("journal.db"), "{what}: {cause}");
            }
            other => panic!("{other}"),
        }
        assert!(GitArchive::open_readonly(dir.path()).is_err());
        assert_eq!(fs::read(&path).unwrap(), before, "{says}");
    }
}

#[test]
fn a_database_with_a_damaged_page_is_named_with_a_way_to_save_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 400));
    let path = dir.path().join("journal.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096..].iter_mut().for_each(|b| *b = 0xff);
    fs::write(&path, bytes).unwrap();
    let error = GitArchive::open(dir.path()).and_then(|a| a.verify()).unwrap_err();
    assert!(matches!(&error, ArchiveError::Failed { hint: Some(h), .. } if h.contains("git clone")), "{error}");
}

#[test]
fn a_folder_that_is_no_repository_is_not_made_into_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("archive.git")).unwrap();
    fs::write(dir.path().join("archive.git/mine"), "x").unwrap();
    assert!(matches!(GitArchive::open(dir.path()), Err(ArchiveError::Failed { hint: Some(_), .. })));
    assert_eq!(fs::read_dir(dir.path().join("archive.git")).unwrap().count(), 1);
}

#[test]
fn a_reader_sees_what_a_writer_appends_and_cannot_append() {
    let dir = tempfile::tempdir().unwrap();
    assert!(GitArchive::open_readonly(dir.path()).is_err());
    let writer = filled(dir.path(), 2);
    let reader = GitArchive::open_readonly(dir.path()).unwrap();
    writer.append(&[Event::Interrupted], Timestamp(9)).unwrap();
    assert_eq!(reader.verify().unwrap(), 3);
    assert!(reader.append(&[Event::Interrupted], Timestamp(9)).is_err());
    assert_eq!(writer.verify().unwrap(), 3);
}

#[test]
fn two_writers_make_one_chain_and_neither_goes_on_where_its_own_events_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (filled(dir.path(), 2), GitArchive::open(dir.path()).unwrap());
    assert_eq!(two.append(&[Event::Interrupted], Timestamp(9)).unwrap()[0].seq, 3);
    assert_eq!(one.append(&[Event::Interrupted], Timestamp(9)).unwrap()[0].seq, 4);
    assert_eq!(two.verify().unwrap(), 4);
    for sql in ["DELETE FROM journal WHERE seq >= 3", "UPDATE journal SET hash = zeroblob(32) WHERE seq = 3"] {
        let one = GitArchive::open(dir.path()).unwrap();
        tamper(dir.path(), sql);
        let error = one.append(&[Event::Interrupted], Timestamp(9)).unwrap_err();
        assert!(error.to_string().contains("cut off or replaced"), "{error}");
        GitArchive::open(dir.path()).unwrap().append(&[Event::Interrupted], Timestamp(9)).unwrap();
    }
}

#[test]
fn a_clone_with_git_shows_every_variant_its_lineage_and_the_champion() {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(&dir.path().join(".meliora")).unwrap();
    let mut ids: Vec<VariantId> = Vec::new();
    for n in 0..20u64 {
        let text = format!("print({n})\n");
        let genome = Genome::new().with(GenomePath::new("src/a.py").unwrap(), FileBody::new(text.as_bytes(), false));
        let parents: Vec<VariantId> = ids.get((n / 2) as usize).copied().into_iter().collect();
        let (message, tag) = (format!("variant {n}"), format!("run-1/step-{n}"));
        ids.push(
            archive.store(&Draft { genome: &genome, parents: &parents, message, date: Timestamp(n), tag }).unwrap(),
        );
    }
    archive.point_champion(&ids[7]).unwrap();
    let git = |cwd: &str, args: &[&str]| {
        let out = Command::new("git").args(args).current_dir(dir.path().join(cwd)).output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    git("", &["clone", "-q", ".meliora/archive.git", "copy"]);
    assert_eq!(fs::read_to_string(dir.path().join("copy/src/a.py")).unwrap(), "print(7)\n");
    let log = git("copy", &["log", "--all", "--format=%H %P %s"]);
    assert_eq!(log.lines().count(), 20);
    assert!(log.contains(&format!("{} {} variant 9", ids[9], ids[4])), "{log}");
    git("copy", &["fsck", "--strict"]);
    git(".meliora/archive.git", &["gc", "-q"]);
    assert_eq!(archive.find(&ids[3].to_string()).unwrap(), ids[3]);
    assert_eq!(archive.load(&ids[3]).unwrap().files().len(), 1);
}

/// Where the child below works.
const CHILD: &str = "MELIORA_TEST_CHILD";

#[test]
#[ignore = "started by the test below, to be killed"]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let archive = GitArchive::open(Path::new(&dir)).unwrap();
    for n in 0.. {
        let genome: Genome =
            [(GenomePath::new("a").unwrap(), FileBody::new(format!("{n}").into_bytes(), false))].into_iter().collect();
        let (message, tag) = (String::new(), format!("run-1/step-{n}"));
        let draft = Draft { genome: &genome, parents: &[], message, date: Timestamp(n), tag };
        let variant = archive.store(&draft).unwrap();
        let event = Event::Crowned { variant, score: n as f64 };
        let recorded = archive.append(&[event.clone(), event], Timestamp(n)).unwrap();
        println!("ack {} {variant}", recorded[1].seq);
    }
}

#[test]
fn a_process_killed_while_it_writes_loses_nothing_that_it_acknowledged() {
    for lines in [1, 40, 400] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = Vec::new();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let note = |line: String, list: &mut Vec<(u64, String)>| {
            // The test harness writes its own words in front of the first one.
            if let Some((_, rest)) = line.split_once("ack ") {
                let (seq, variant) = rest.split_once(' ').unwrap();
                list.push((seq.parse().unwrap(), variant.to_owned()));
            }
        };
        while acknowledged.len() < lines {
            note(output.next().unwrap(), &mut acknowledged);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it managed to say before it died counts too; its last line may be cut.
        let mut rest: Vec<String> = output.collect();
        rest.pop();
        rest.into_iter().for_each(|line| note(line, &mut acknowledged));

        let archive = GitArchive::open(dir.path()).unwrap();
        let events = archive.verify().unwrap();
        assert!(events >= acknowledged.last().unwrap().0);
        assert_eq!(events % 2, 0, "the two events of one append are there together or not at all");
        for (_, variant) in &acknowledged {
            assert_eq!(archive.load(&variant.parse().unwrap()).unwrap().files().len(), 1);
        }
        archive.append(&[Event::RunContinued], Timestamp(1)).unwrap();
        assert_eq!(archive.verify().unwrap(), events + 1);
    }
}
