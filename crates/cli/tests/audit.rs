//! The journal as evidence, with the whole program: every tampering is found, an export proves itself elsewhere, and a
//! database on a server does what the file does.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;

use std::process::Command;

use common::tamper::tamper;
use common::{Project, SEED, toml};

/// A project that has run.
fn run() -> Project {
    let project = Project::add();
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "12"]).exits(0);
    project
}

#[test]
fn a_run_is_vouched_for_to_its_last_event() {
    let project = run();
    let told = project.meliora(&["audit", "verify", "--json"]).exits(0).last();
    assert_eq!((&told["good"], &told["events"]), (&true.into(), &told["vouched"]), "{told}");
    project.meliora(&["audit", "verify"]).exits(0).says(&["the chain holds", "vouches for"]);
    let state = project.state().join("meliora");
    assert!(state.join("machine.key").is_file() && state.join("checkpoints").is_dir());
    assert!(!project.path(".meliora/checkpoints").exists(), "nothing of it is in the project");
}

#[test]
fn tampering_with_the_file_is_found_and_nothing_goes_on_with_it() {
    for (sql, name) in [
        ("UPDATE journal SET body = replace(body, 'operator', 'opera') WHERE kind = 'bid'", "edited"),
        ("DELETE FROM journal WHERE seq = 3", "removed"),
        ("DELETE FROM journal WHERE kind = 'finished'", "truncated"),
        ("DELETE FROM journal", "truncated"),
    ] {
        let project = run();
        tamper(&project, sql);
        let told = project.meliora(&["audit", "verify", "--json"]).exits(14).last();
        let named: Vec<&str> =
            told["findings"].as_array().unwrap().iter().map(|f| f["tampering"].as_str().unwrap()).collect();
        assert!(named.contains(&name), "{sql}: {told}");
        assert!(named.contains(&"weakened"), "the dropped triggers are told: {told}");
        project.meliora(&["audit", "verify"]).exits(14).says(&[name]);
        project
            .meliora(&["store", "migrate", "--to", "postgres://127.0.0.1:1/x"])
            .exits(14)
            .says(&["nothing was copied"]);
        if name == "truncated" {
            project.meliora(&["run", ".", "--fresh"]).exits(6).says(&["cut off", "audit verify"]);
        }
    }
}

#[test]
fn another_journal_in_its_place_is_found() {
    let (project, other) = (run(), run());
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let (from, to) = (other.path(".meliora").join(file), project.path(".meliora").join(file));
        let _ = std::fs::remove_file(&to);
        if from.exists() {
            std::fs::copy(from, to).unwrap();
        }
    }
    project.meliora(&["audit", "verify", "--chain-only"]).exits(14).says(&["rewritten"]);
    project.meliora(&["run", ".", "--fresh"]).exits(6).says(&["a checkpoint has seen another event here"]);
}

#[test]
fn without_checkpoints_nothing_is_believed_unless_that_is_asked_for() {
    let project = run();
    let checkpoints = project.state().join("meliora/checkpoints");
    let file = std::fs::read_dir(&checkpoints).unwrap().next().unwrap().unwrap().path();
    let aside = project.dir().parent().unwrap().join("aside.jsonl");
    std::fs::rename(file, &aside).unwrap();
    project.meliora(&["audit", "verify"]).exits(14).says(&["no checkpoint vouches", "--checkpoints"]);
    project.meliora(&["audit", "verify", "--chain-only"]).exits(0);
    project.meliora(&["audit", "verify", "--checkpoints", aside.to_str().unwrap()]).exits(0);
    project.write("nothing", "");
    project.meliora(&["audit", "verify", "--checkpoints", "there-is-none"]).exits(2);
    // The next run begins anew with them, and the audit says from where on.
    project.meliora(&["run", ".", "--fresh", "--jobs", "1", "--evals", "12"]).exits(0);
    project.meliora(&["audit", "verify"]).exits(0).says(&["before the first checkpoint"]);
}

#[test]
fn an_export_proves_itself_elsewhere_with_the_key_alone() {
    let project = run();
    project.meliora(&["audit", "export", "-o", "journal.jsonl"]).exits(0);
    let export = project.read("journal.jsonl");
    assert_eq!(project.meliora(&["audit", "export"]).exits(0).out.lines().count(), export.lines().count());
    let logged = project.meliora(&["log", "--json", "-n", "100000"]).exits(0).out;
    assert_eq!(logged.lines().collect::<Vec<_>>(), export.lines().take(logged.lines().count()).collect::<Vec<_>>());

    let elsewhere = Project::empty();
    elsewhere.write("journal.jsonl", &export);
    elsewhere.write("machine.pub", std::fs::read(project.state().join("meliora/machine.pub")).unwrap());
    let verify = ["audit", "verify", "--export", "journal.jsonl", "--key", "machine.pub"];
    elsewhere.meliora(&verify).exits(0).says(&["the chain holds"]);
    // Also from a folder that holds the folder of state, such as the home folder.
    let home = project.dir().parent().unwrap();
    let out =
        project.command(&["audit", "verify", "--export", "project/journal.jsonl"]).current_dir(home).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    elsewhere.meliora(&verify[..4]).exits(14).says(&["not known here", "--key"]);
    let half = export.len() / 2;
    let cut = export[..half].rfind('\n').unwrap();
    for (altered, name) in [
        (export.replace("operator swap", "operator swop"), "edited"),
        (export[..=cut].to_owned(), "truncated"),
        (export.lines().filter(|l| !l.starts_with("{\"seq\":3,")).map(|l| format!("{l}\n")).collect(), "removed"),
    ] {
        assert_ne!(altered, export, "{name}");
        elsewhere.write("journal.jsonl", altered);
        elsewhere.meliora(&verify).exits(14).says(&[name]);
    }
    project.meliora(&["audit", "verify", "--export", "journal.jsonl"]).exits(0);
}

#[test]
fn checkpoints_in_the_project_or_in_no_folder_are_a_mistake_that_is_named() {
    let project = Project::add();
    project.write("meliora.toml", toml(&["sums.py"], "\n[store]\ncheckpoints = 'here'\n"));
    project.meliora(&["run", "."]).exits(3).says(&["in the project that they vouch for"]);
    project.write("meliora.toml", toml(&["sums.py"], "\n[store]\nurl = 'mysql://me:sesame@host/x'\n"));
    let ran = project.meliora(&["run", "."]);
    assert!(!ran.err.contains("sesame"), "{}", ran.err);
    ran.exits(6).says(&["postgres://"]);
    let bare = Project::empty();
    bare.meliora(&["audit", "verify"]).exits(3).says(&["nothing has run"]);
}

/// A database of its own on the server that tests may use; `None`, said aloud, where there is none.
struct Server {
    url: String,
    base: String,
    name: String,
}

fn psql(url: &str, sql: &str) -> Option<String> {
    let out =
        Command::new("psql").args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).output().ok()?;
    out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
}

impl Server {
    fn fresh(name: &str) -> Option<Server> {
        let base = std::env::var("MELIORA_TEST_POSTGRES")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned());
        let name = format!("meliora_{name}_{}", std::process::id());
        if psql(&base, &format!("CREATE DATABASE {name}")).is_none() {
            assert!(std::env::var("CI").is_err(), "no Postgres for tests");
            eprintln!("SKIPPED: no psql, or no Postgres at MELIORA_TEST_POSTGRES");
            return None;
        }
        let url = format!("{}/{name}", base.rsplit_once('/').unwrap().0);
        Some(Server { url, base, name })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = psql(&self.base, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

#[test]
fn a_run_on_postgres_is_the_run_on_a_file_and_answers_sql() {
    let Some(server) = Server::fresh("run") else { return };
    let project = Project::add();
    project.write("meliora.toml", toml(&["sums.py"], &format!("\n[store]\nurl = '{}'\n", server.url)));
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "12"]).exits(0);
    assert!(!project.path(".meliora/journal.db").exists());
    let on_file = run();
    let told = |project: &Project| {
        let told = project.meliora(&["audit", "verify", "--json"]).exits(0).last();
        (told["events"].clone(), told["vouched"].clone())
    };
    assert_eq!(told(&project), told(&on_file), "the same run, event for event");
    project.meliora(&["doctor", "."]).says(&["the chain holds", "could change what was written"]);
    project.meliora(&["show", "champion"]).exits(0);
    let count = psql(&server.url, "SELECT count(*) FROM attempts WHERE verdict = 'accepted'").unwrap();
    assert_eq!(count.trim(), "1");
    assert!(psql(&server.url, "SELECT * FROM violations ORDER BY timestamp DESC LIMIT 10").is_some());
    assert!(psql(&server.url, "DELETE FROM journal").is_none(), "nothing is deleted");
    let cut = "ALTER TABLE journal DISABLE TRIGGER ALL; DELETE FROM journal WHERE kind = 'finished'";
    psql(&server.url, cut).unwrap();
    project.meliora(&["audit", "verify"]).exits(14).says(&["truncated", "weakened"]);
}

#[test]
fn a_project_moves_to_postgres_and_goes_on_there_as_a_writer() {
    let Some(server) = Server::fresh("move") else { return };
    let project = run();
    let writer = format!("{}_w", server.name);
    project.meliora(&["store", "prepare", "--url", &server.url, "--writer", &writer]).exits(0).says(&["nothing else"]);
    let url = server.url.replace("postgres@", &format!("{writer}@"));
    let moved = project.meliora(&["store", "migrate", "--to", &url]).exits(0);
    moved.says(&["copied", "[store]", &format!("url = \"{url}\"")]);
    project.meliora(&["store", "migrate", "--to", &url]).exits(0).says(&["already"]);
    let before = project.meliora(&["audit", "verify", "--json"]).exits(0).last();
    project.write("meliora.toml", toml(&["sums.py"], &format!("\n[store]\nurl = '{url}'\n")));
    let after = project.meliora(&["audit", "verify", "--json"]).exits(0).last();
    for same in ["tail", "events", "checkpoints"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    let told = project.meliora(&["audit", "verify"]).exits(0);
    assert!(!told.out.contains("before the first checkpoint"), "{}", told.out);
    project.meliora(&["run", ".", "--fresh", "--jobs", "1", "--evals", "12"]).exits(0);
    project.meliora(&["audit", "verify"]).exits(0);
    let role = format!("DROP OWNED BY {writer}; DROP ROLE {writer}");
    psql(&server.url, &role).unwrap();
}

#[test]
fn an_article_that_asks_about_moving_the_record_takes_a_signed_word_once_and_one_that_forbids_is_on_record() {
    let Some(server) = Server::fresh("asked") else { return };
    let project = run();
    let article = |decision: &str| {
        format!(
            "{SEED}articles:\n  - {{id: record-stays, text: The record stays where it is, decision: {decision}, \
             matcher: {{operations: [migrate]}}, justification: others read it there, \
             match: [{{migrate: \"postgres://h/d\"}}], not_match: [{{write: a.py}}]}}\n"
        )
    };
    let migrate = || project.meliora(&["store", "migrate", "--to", &server.url]);
    let moved = || psql(&server.url, "SELECT count(*) FROM journal").is_some_and(|n| n.trim() != "0");

    project.constitute(&article("forbid"));
    migrate().exits(11).says(&["record-stays", "hint:"]);
    assert_eq!(project.events("violated").pop().unwrap()["article"], "record-stays");

    project.constitute(&article("ask"));
    migrate().exits(10).says(&["record-stays", "meliora approvals approve"]);
    let asked = project.meliora(&["approvals", "list", "--json"]).exits(0).last();
    let id = asked["request"]["id"].as_str().unwrap().to_owned();
    migrate().exits(10);
    assert_eq!(project.events("asked").len(), 1, "the same question again");
    assert!(!moved(), "nothing was copied for a question");
    // A yes on one place is none on another.
    project.meliora(&["approvals", "approve", &id[..8], "--reason", "read"]).exits(0).says(&["give the command again"]);
    let elsewhere = server.url.replace(&server.name, "postgres");
    project.meliora(&["store", "migrate", "--to", &elsewhere]).exits(10);
    migrate().exits(0).says(&["copied"]);
    let used = psql(&server.url, "SELECT count(*) FROM events WHERE kind = 'used'").unwrap();
    assert_eq!(used.trim(), "1", "what was copied tells of the word");
    // It is used up.
    migrate().exits(10);
    project.meliora(&["audit", "verify"]).exits(0);
}

#[test]
fn a_forged_snapshot_is_found_and_promotes_nothing() {
    let project = run();
    let lineage = project.meliora(&["lineage", "--json"]).exits(0).objects();
    assert!(!lineage.is_empty());
    let script = "import json, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  (seq, text), = db.execute('SELECT seq, bytes FROM snapshots ORDER BY seq DESC LIMIT 1')\n\
                  head, _, text = text.partition(b'\\n')\nstate = json.loads(text)\nstate['run']['champion'] = state['run']['baseline']\n\
                  head = head + b'\\n' if sys.argv[2] == 'sealed' else b''\n\
                  db.execute('UPDATE snapshots SET bytes = ? WHERE seq = ?', (head + json.dumps(state).encode(), seq))";
    let forge = |how: &str| {
        let mut python = Command::new("python3");
        let done = python.args(["-c", script]).arg(project.path(".meliora/journal.db")).arg(how).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // Nobody believes it: what is shown comes from the events.
        assert_eq!(project.meliora(&["lineage", "--json"]).exits(0).objects(), lineage, "{how}");
    };
    forge("sealed");
    let told = project.meliora(&["audit", "verify", "--json"]).exits(14).last();
    assert!(told.to_string().contains("a snapshot was altered after it was kept"), "{told}");
    forge("bare");
    project.git_init();
    project.meliora(&["promote", "champion"]).exits(0);
    assert!(project.read("genome/sums.py").contains("a + b"));
}
