//! What only a journal on a server can suffer: several writers, lost connections, roles, other people's tables.
#![allow(clippy::unwrap_used)] // a test that meets an error shall fail

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use meliora_domain::{Event, Timestamp};
use meliora_evolve::{Archive, ArchiveError};
use meliora_store::{Address, GitArchive, migrate, prepare};
use postgres::{Client, NoTls};

mod common;
use common::Database;

fn warned(text: impl std::fmt::Display) -> Event {
    Event::Warned { message: text.to_string() }
}

/// What the journal's events say, in order, after its chain was checked.
fn said(archive: &GitArchive) -> Vec<String> {
    let mut all = Vec::new();
    archive
        .replay(0, &mut |recorded| {
            if let Event::Warned { message } = recorded.event {
                all.push(message);
            }
            true
        })
        .unwrap();
    all
}

/// The connection of the journal is cut when the client says this, and its message …
#[derive(Clone, Copy)]
#[repr(u8)]
enum Cut {
    Never,
    /// … does not reach the server any more.
    Before,
    /// … was done, but the answer does not come back.
    After,
}

/// Stands between the journal and the server. What it is to cut at is the first of these words that the client says.
struct Proxy {
    port: u16,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    fn start(server: String, word: &'static [u8]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, cut) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU8::new(Cut::Never as u8)));
        let mode = cut.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, mode) = (TcpStream::connect(&server).unwrap(), mode.clone());
                std::thread::spawn(move || carry(client, server, &mode, word));
            }
        });
        Proxy { port, cut }
    }

    fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

fn carry(mut client: TcpStream, mut server: TcpStream, mode: &AtomicU8, word: &[u8]) {
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let silent = Arc::new(AtomicBool::new(false));
    let mute = silent.clone();
    let answering = std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(n) = answers.read(&mut buffer) {
            if n == 0 || mute.load(Ordering::SeqCst) || back.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
    });
    let mut buffer = [0; 1 << 16];
    while let Ok(n) = client.read(&mut buffer) {
        let said = buffer[..n].windows(word.len()).any(|w| w == word);
        let cut = if said { mode.swap(Cut::Never as u8, Ordering::SeqCst) } else { Cut::Never as u8 };
        if cut == Cut::After as u8 {
            silent.store(true, Ordering::SeqCst);
        }
        if n == 0 || cut == Cut::Before as u8 || server.write_all(&buffer[..n]).is_err() {
            break;
        }
        if cut == Cut::After as u8 {
            // The server's answer, which nobody gets, says that it is done.
            answering.join().unwrap();
            break;
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
}

#[test]
fn a_connection_lost_at_any_moment_of_an_append_loses_nothing_and_doubles_nothing() {
    let Some(database) = Database::fresh() else { return };
    let (server, url) = (database.server(), database.url());
    for word in [&b"BEGIN"[..], b"pg_advisory_xact_lock", b"pg_current_xact_id", b"event", b"COMMIT"] {
        let proxy = Proxy::start(server.clone(), word);
        let dir = tempfile::tempdir().unwrap();
        let address = Address::parse(&url.replace(&server, &format!("127.0.0.1:{}", proxy.port))).unwrap();
        let archive = GitArchive::open_on(dir.path(), &address).unwrap();
        let mut expected = said(&archive);
        for (round, cut) in [Cut::Before, Cut::After, Cut::Never, Cut::After, Cut::Before].into_iter().enumerate() {
            let texts: Vec<String> = (0..3).map(|n| format!("{} {round} {n}", String::from_utf8_lossy(word))).collect();
            proxy.cut(cut);
            let events: Vec<Event> = texts.iter().map(warned).collect();
            let recorded = archive.append(&events, Timestamp(1)).unwrap();
            assert!(!matches!(cut, Cut::Never) || proxy.cut.load(Ordering::SeqCst) == Cut::Never as u8);
            assert_eq!(proxy.cut.load(Ordering::SeqCst), Cut::Never as u8, "nothing was cut at {word:?}");
            expected.extend(texts);
            assert_eq!(recorded.last().unwrap().seq, expected.len() as u64);
            assert_eq!(recorded.last().unwrap().hash, archive.tail_hash());
        }
        assert_eq!(said(&GitArchive::open_on(dir.path(), &database.address()).unwrap()), expected);
    }
}

#[test]
fn a_server_that_ends_connections_all_the_time_loses_and_doubles_nothing() {
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    let name = format!("{}_killed", database.name());
    let address = Address::parse(&format!("{}&application_name={name}", database.url())).unwrap();
    let archive = GitArchive::open_on(dir.path(), &address).unwrap();
    let appended = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let (mut client, mut killed) = (database.client(), 0);
            // Slow enough that something is done between two ends on a busy machine.
            for _ in 0..200 {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
                killed += client.query_one(sql, &[&name]).unwrap().get::<_, i64>(0);
                if killed >= 10 {
                    return;
                }
                std::thread::sleep(Duration::from_millis(300));
            }
            panic!("only {killed} connections were ended");
        });
        let mut n = 0;
        while !killer.is_finished() {
            archive.append(&[warned(format!("{n} one")), warned(format!("{n} two"))], Timestamp(n)).unwrap();
            n += 1;
        }
        killer.join().unwrap();
        n
    });
    let expected: Vec<String> = (0..appended).flat_map(|n| [format!("{n} one"), format!("{n} two")]).collect();
    assert_eq!(said(&archive), expected);
}

#[test]
fn several_processes_at_once_make_one_chain() {
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    let places: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let write = |who: u32| {
            let archive = GitArchive::open_on(&dir.path().join(who.to_string()), &database.address()).unwrap();
            (0..40)
                .flat_map(|n| {
                    let events = [warned(format!("{who} {n} one")), warned(format!("{who} {n} two"))];
                    let recorded = archive.append(&events, Timestamp(n)).unwrap();
                    assert_eq!(recorded[1].prev, recorded[0].hash, "an append stays together");
                    recorded.iter().map(|r| r.seq).collect::<Vec<_>>()
                })
                .collect()
        };
        let writers: Vec<_> = (0..4).map(|who| scope.spawn(move || write(who))).collect();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert!(places.iter().all(|own| own.is_sorted()));
    let all: BTreeSet<u64> = places.into_iter().flatten().collect();
    assert_eq!(all, (1..=320).collect());
    let said = said(&GitArchive::open_on(&dir.path().join("0"), &database.address()).unwrap());
    for who in 0..4 {
        let own: Vec<&String> = said.iter().filter(|s| s.starts_with(&format!("{who} "))).collect();
        assert_eq!(own.len(), 80);
        assert!(
            (0..40).all(|n| *own[2 * n] == format!("{who} {n} one") && *own[2 * n + 1] == format!("{who} {n} two"))
        );
    }
}

/// Where the child below writes.
const CHILD: &str = "MELIORA_TEST_CHILD_URL";

#[test]
#[ignore = "started by the test below, to be killed"]
fn child_that_appends_to_postgres_until_it_is_killed() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open_on(dir.path(), &Address::parse(&url).unwrap()).unwrap();
    for n in 0.. {
        let recorded = archive.append(&[warned(n), warned(n)], Timestamp(n)).unwrap();
        println!("ack {}", recorded[1].seq);
    }
}

#[test]
fn a_process_killed_while_it_writes_to_postgres_loses_nothing_that_it_acknowledged() {
    let Some(database) = Database::fresh() else { return };
    let mut acknowledged = 0;
    for lines in [1, 30, 100] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_to_postgres_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, database.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let acks = output.filter_map(|line| line.split_once("ack ").and_then(|(_, seq)| seq.parse::<u64>().ok()));
        acknowledged = acks.take(lines).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let archive = GitArchive::open_on(dir.path(), &database.address()).unwrap();
        // A server that still believes in the dead one's connection is waited for.
        archive.append(&[warned("after"), warned("after")], Timestamp(1)).unwrap();
        let events = archive.verify().unwrap();
        assert!(events > acknowledged);
        assert_eq!(events % 2, 0, "the two events of one append are there together or not at all");
    }
    assert!(acknowledged > 200);
}

fn role(database: &Database) -> String {
    format!("{}_writer", database.name())
}

#[test]
fn a_writer_appends_and_reads_and_can_do_nothing_else() {
    let Some(database) = Database::fresh() else { return };
    let writer = role(&database);
    prepare(&database.address(), Some(&writer)).unwrap();
    prepare(&database.address(), Some(&writer)).unwrap();
    let url = database.url_as(&writer);
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open_on(dir.path(), &Address::parse(&url).unwrap()).unwrap();
    archive.append(&[warned("one"), warned("two")], Timestamp(1)).unwrap();
    assert_eq!(said(&archive), ["one", "two"]);
    assert!(!meliora_store::may_alter(dir.path(), &Address::parse(&url).unwrap()).unwrap());
    assert!(meliora_store::may_alter(dir.path(), &database.address()).unwrap());
    let mut client = Client::connect(&url, NoTls).unwrap();
    let forged = "INSERT INTO journal VALUES (4, 1, '\\x00', '\\x00', 'warned', NULL, '{}')";
    let unbound = format!(
        "INSERT INTO journal SELECT 3, 1, prev, hash, 'warned', NULL, '{}' FROM journal WHERE seq = 1",
        r#"{"event":"warned","message":""}"#
    );
    let lying = "INSERT INTO journal SELECT 3, 1, hash, hash, 'warned', NULL, '{\"event\":\"refused\"}' FROM journal WHERE seq = 2";
    for sql in [
        "UPDATE journal SET at = 0",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "DROP TABLE journal",
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        "CREATE OR REPLACE VIEW violations AS SELECT 1",
        "DROP TRIGGER journal_is_not_changed ON journal",
        "CREATE OR REPLACE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "SET session_replication_role = replica",
        "UPDATE meliora_schema SET version = 0",
        "DELETE FROM events",
        forged,
        &unbound,
        lying,
    ] {
        assert!(client.batch_execute(sql).is_err(), "the writer may {sql}");
    }
    assert_eq!(client.query("SELECT * FROM violations ORDER BY timestamp DESC LIMIT 10", &[]).unwrap().len(), 0);
    drop((client, archive));
    database.client().batch_execute(&format!("DROP OWNED BY {writer}; DROP ROLE {writer}")).unwrap();
}

#[test]
fn the_database_itself_refuses_to_change_or_delete_an_event_whoever_asks() {
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open_on(dir.path(), &database.address()).unwrap();
    archive.append(&[warned("one"), warned("two")], Timestamp(1)).unwrap();
    let mut owner = database.client();
    for before in ["", "SET session_replication_role = replica;"] {
        for sql in ["UPDATE journal SET at = 0", "DELETE FROM journal WHERE seq = 2", "TRUNCATE journal"] {
            let error = owner.batch_execute(&format!("{before}{sql}")).unwrap_err();
            assert!(error.as_db_error().unwrap().message().contains("append-only"), "{sql}: {error}");
        }
    }
    assert_eq!(archive.verify().unwrap(), 2);
}

#[test]
fn a_database_of_a_newer_or_of_no_meliora_is_named_and_left_as_it_is() {
    let newer = "CREATE TABLE meliora_schema (version integer); INSERT INTO meliora_schema VALUES (99)";
    for (sql, says) in [(newer, "newer Meliora"), ("CREATE TABLE journal (mine integer)", "another program")] {
        let Some(database) = Database::fresh() else { return };
        database.client().batch_execute(sql).unwrap();
        let dir = tempfile::tempdir().unwrap();
        for open in [GitArchive::open_on, GitArchive::open_on_readonly] {
            let error = open(dir.path(), &database.address()).err().unwrap();
            assert!(matches!(&error, ArchiveError::Failed { hint: Some(_), .. }), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
        assert_eq!(database.client().query_one(tables, &[]).unwrap().get::<_, i64>(0), 1, "{says}");
    }
}

#[test]
fn what_is_wrong_with_an_address_is_said_at_once_and_without_its_password() {
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = database.server();
    for url in [
        format!("postgres://postgres:sesame@{server}/there_is_no_such_database"),
        "postgres://postgres:sesame@127.0.0.1:1/test".to_owned(),
        database.url().replace(&server, "127.0.0.1:1"),
    ] {
        let error = GitArchive::open_on(dir.path(), &Address::parse(&url).unwrap()).err().unwrap();
        let ArchiveError::Failed { what, cause, hint: Some(hint) } = &error else { panic!("{error}") };
        assert!(![what, cause, hint].iter().any(|text| text.contains("sesame")), "{error} {hint}");
    }
}

#[test]
fn a_journal_moves_from_its_file_to_postgres_once_and_whole() {
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = GitArchive::open(dir.path()).unwrap();
    for n in 0..2_500 {
        file.append(&[warned(format!("{n} \u{0} \\u0000 ä"))], Timestamp(n)).unwrap();
    }
    let begun = GitArchive::open_on(dir.path(), &database.address()).err().unwrap();
    assert!(begun.to_string().contains("2500 events"), "a journal is not begun beside one that is there: {begun}");
    assert_eq!(migrate(dir.path(), &database.address()).unwrap(), 2_500);
    assert_eq!(migrate(dir.path(), &database.address()).unwrap(), 0, "it is there already");
    let moved = GitArchive::open_on(dir.path(), &database.address()).unwrap();
    assert_eq!((moved.tail_hash(), moved.verify().unwrap()), (file.tail_hash(), 2_500));
    let texts = database.client().query("SELECT body FROM events ORDER BY seq LIMIT 3", &[]);
    assert_eq!(texts.unwrap().len(), 3, "a character zero is no hindrance");
    moved.append(&[warned("there")], Timestamp(1)).unwrap();
    let error = migrate(dir.path(), &database.address()).unwrap_err();
    assert!(error.to_string().contains("another journal of 2501 events"), "{error}");
}

#[test]
fn two_projects_do_not_share_one_journal_unseen() {
    let Some(database) = Database::fresh() else { return };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = GitArchive::open_on(one.path(), &database.address()).unwrap();
    let genome = meliora_domain::Genome::new();
    let draft = meliora_evolve::Draft {
        genome: &genome,
        parents: &[],
        message: String::new(),
        date: Timestamp(0),
        tag: "run-1/step-0".into(),
    };
    let variant = archive.store(&draft).unwrap();
    archive
        .append(&[Event::Admitted { step: 0, variant, tree: genome.tree(), parents: vec![] }], Timestamp(1))
        .unwrap();
    GitArchive::open_on(one.path(), &database.address()).unwrap();
    let error = GitArchive::open_on(two.path(), &database.address()).err().unwrap();
    assert!(error.to_string().contains("not in this folder's archive.git"), "{error}");
}
