//! The journal as tables: the same rows by plain SQL from a file and from Postgres.
#![allow(clippy::unwrap_used)] // a test that meets an error shall fail

use meliora_domain::{
    Attempt, BidOutcome, Change, Cost, Decision, Digest, Event, Judgement, MicroUsd, Operation, Request, RunPlan,
    Timestamp, TreeId, VariantId, Verdict, Word,
};
use meliora_evolve::Archive;
use meliora_store::GitArchive;
use rusqlite::Connection;

mod common;
use common::Database;

fn request(text: &str, article: &str) -> Request {
    let operation = Operation::Command { text: text.into() };
    let (reason, risk) = (format!("`{text}` asks"), "it cannot be undone".to_owned());
    Request { id: operation.digest(), operation, constitution: Digest([1; 32]), article: article.into(), reason, risk }
}

fn word(request: &Request, granted: bool) -> Event {
    Event::Answered(Word {
        request: request.id,
        constitution: request.constitution,
        granted,
        nonce: Digest([2; 32]),
        expires: Timestamp(1_800_000_000_500),
        reason: "as said".into(),
        key: "ABCD".into(),
        signature: "s".into(),
    })
}

fn bid(step: u64, outcome: BidOutcome) -> Event {
    let cost = Cost { tokens: step * 10, usd: MicroUsd(step * 1_500_000), ..Cost::ZERO };
    Event::Bid(Attempt { step, parents: vec![VariantId([9; 20])], arm: 1, cost, outcome })
}

fn proposed(reason: &str) -> BidOutcome {
    BidOutcome::Proposed { reason: reason.into(), idea: None }
}

/// Two runs with everything that the tables show.
fn events() -> Vec<Event> {
    let plan = RunPlan {
        strategy: "greedy".into(),
        arms: Vec::new(),
        seed: 1,
        budget: Cost::ZERO,
        minutes: 0.0,
        evaluator: Digest([3; 32]),
        baseline: TreeId([4; 20]),
        constitution: Digest([1; 32]),
        tier: None,
        search: Default::default(),
    };
    let (granted, denied, waiting) =
        (request("rm a", "deletions"), request("rm b", "deletions"), request("rm c", "all"));
    let judgement = Judgement::of(Verdict::Accepted, 0.5, "better");
    let (one, two) = (VariantId([1; 20]), VariantId([2; 20]));
    let admitted = |step, variant| Event::Admitted { step, variant, tree: TreeId([5; 20]), parents: vec![] };
    vec![
        Event::RunStarted(plan.clone()),
        bid(1, proposed("make it faster \u{0} \"quoted\"")),
        admitted(1, one),
        Event::Judged { step: 1, variant: one, judgement: judgement.clone() },
        bid(2, proposed("cheat")),
        Event::Refused { step: 2, article: "suite".into(), reason: "no \u{0} way".into(), change: Change::default() },
        bid(3, BidOutcome::Unusable { reason: "no diff".into() }),
        Event::RunStarted(plan),
        bid(1, proposed("ask first")),
        Event::Asked { step: Some(1), request: waiting },
        bid(2, BidOutcome::Exhausted),
        Event::Asked { step: None, request: granted.clone() },
        Event::Asked { step: None, request: denied.clone() },
        word(&granted, false),
        word(&granted, true),
        word(&denied, false),
        Event::Used { request: granted.id, nonce: Digest([2; 32]) },
        Event::Violated {
            decision: Decision::Forbid,
            article: "databases".into(),
            reason: "drop".into(),
            source: "hook".into(),
            operation: Some(Operation::Sql { text: "DROP DATABASE x".into() }),
        },
        Event::Promoted { variant: one, commit: "abc".into(), before: "def".into(), previous: two, unproven: true },
        Event::RolledBack { from: one, to: two, commit: "fed".into(), reason: "manual: asked for".into() },
    ]
}

const QUESTIONS: [(&str, &[&str]); 4] = [
    (
        "SELECT seq, decision, article, reason, source, step, operation IS NOT NULL FROM violations ORDER BY timestamp DESC LIMIT 10",
        &[
            "18|forbid|databases|drop|hook||true",
            "13|ask|deletions|`rm b` asks|proposal||true",
            "10|ask|all|`rm c` asks|proposal|1|true",
            "6|forbid|suite|no ? way|proposal|2|true",
        ],
    ),
    (
        "SELECT seq, status, article, step, signed_by, answer, used IS NOT NULL FROM approvals ORDER BY timestamp",
        &["10|waiting|all|1|||false", "12|used|deletions||ABCD|as said|true", "13|denied|deletions||ABCD|as said|false"],
    ),
    (
        "SELECT action, substr(variant, 1, 4), substr(previous, 1, 4), git_commit, unproven, reason FROM promotions ORDER BY timestamp",
        &["promoted|0101|0202|abc|true|", "rolled back|0202|0101|fed||manual: asked for"],
    ),
    (
        "SELECT seq, run, step, substr(parent, 1, 4), arm, outcome, reason, tokens, CAST(usd AS real), substr(variant, 1, 4), verdict, grounds
         FROM attempts ORDER BY timestamp",
        &[
            "2|1|1|0909|1|proposed|make it faster ? \"quoted\"|10|1.5|0101|accepted|better",
            "5|1|2|0909|1|proposed|cheat|20|3||refused|no ? way",
            "7|1|3|0909|1|unusable|no diff|30|4.5|||",
            "9|2|1|0909|1|proposed|ask first|10|1.5||waiting|`rm c` asks",
            "11|2|2|0909|1|exhausted||20|3|||",
        ],
    ),
];

fn fill(archive: &GitArchive) {
    for (n, event) in events().into_iter().enumerate() {
        archive.append(&[event], Timestamp(1_700_000_000_000 + n as u64 * 7)).unwrap();
    }
}

/// What differs in how the two say the same: truth, the character zero, whole numbers.
fn alike(cell: &str) -> String {
    let cell = cell.replace(['\u{0}', '\u{fffd}'], "?");
    cell.strip_suffix(".0").map_or(cell.clone(), str::to_owned)
}

#[test]
fn a_file_answers_plain_sql() {
    use rusqlite::types::ValueRef;
    let dir = tempfile::tempdir().unwrap();
    fill(&GitArchive::open(dir.path()).unwrap());
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    for (sql, expected) in QUESTIONS {
        let mut select = db.prepare(sql).unwrap();
        let names = select.column_names();
        let truth: Vec<bool> = names.map(|name: &str| name.contains("IS NOT NULL") || name == "unproven").collect();
        let columns = select.column_count();
        let cell = |row: &rusqlite::Row<'_>, i: usize| match row.get_ref(i).unwrap() {
            ValueRef::Null => String::new(),
            ValueRef::Integer(n) if truth[i] => (n != 0).to_string(),
            ValueRef::Integer(n) => n.to_string(),
            ValueRef::Real(x) => alike(&x.to_string()),
            ValueRef::Text(text) => alike(std::str::from_utf8(text).unwrap()),
            ValueRef::Blob(_) => panic!("no column is a blob"),
        };
        let rows: Vec<String> = select
            .query_map([], |row| Ok((0..columns).map(|i| cell(row, i)).collect::<Vec<_>>().join("|")))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows, expected, "{sql}");
    }
    let time: String = db.query_row("SELECT timestamp FROM violations WHERE seq = 18", [], |row| row.get(0)).unwrap();
    assert_eq!(time, "2023-11-14T22:13:20.119Z");
    let expires: String = db.query_row("SELECT max(expires) FROM approvals", [], |row| row.get(0)).unwrap();
    assert_eq!(expires, "2027-01-15T08:00:00.500Z");
}

#[test]
fn postgres_answers_the_same_sql_alike() {
    let Some(database) = Database::fresh() else { return };
    let dir = tempfile::tempdir().unwrap();
    fill(&GitArchive::open_on(dir.path(), &database.address()).unwrap());
    let mut client = database.client();
    for (sql, expected) in QUESTIONS {
        // The simple protocol gives every cell as text, as psql shows it.
        let rows: Vec<String> = client
            .simple_query(sql)
            .unwrap()
            .iter()
            .filter_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            })
            .map(|row| {
                let cell = |i: usize| match row.get(i) {
                    Some("t") => "true".to_owned(),
                    Some("f") => "false".to_owned(),
                    other => alike(other.unwrap_or_default()),
                };
                (0..row.len()).map(cell).collect::<Vec<_>>().join("|")
            })
            .collect();
        assert_eq!(rows, expected, "{sql}");
    }
    let time = "SELECT (timestamp AT TIME ZONE 'UTC')::text FROM violations WHERE seq = 18";
    assert_eq!(client.query_one(time, &[]).unwrap().get::<_, String>(0), "2023-11-14 22:13:20.119");
    let all = client.query("SELECT * FROM violations ORDER BY timestamp DESC LIMIT 10", &[]).unwrap();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_journal_of_the_first_version_is_read_as_it_is_and_gets_its_tables_when_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    fill(&GitArchive::open(dir.path()).unwrap());
    let path = dir.path().join("journal.db");
    let first = "DROP VIEW violations; DROP VIEW approvals; DROP VIEW promotions; DROP VIEW attempts; DROP VIEW events;
                 DROP INDEX journal_by_kind; PRAGMA user_version = 1;";
    Connection::open(&path).unwrap().execute_batch(first).unwrap();
    assert_eq!(GitArchive::open_readonly(dir.path()).unwrap().verify().unwrap(), 20);
    assert_eq!(GitArchive::open(dir.path()).unwrap().verify().unwrap(), 20);
    let count: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM violations", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 4);
}
