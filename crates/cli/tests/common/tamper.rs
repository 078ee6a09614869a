//! What whoever may write to a journal's file can do to it behind Meliora's back.

use std::process::Command;

use super::Project;

/// Each way once, and the name that the audit gives it. None is told by the numbers alone: they are mended.
pub const WAYS: [(&str, &str); 5] = [
    ("UPDATE journal SET body = replace(body, '\"forbid\"', '\"allow\"') WHERE kind = 'violated'", "edited"),
    (
        "CREATE TABLE gone AS SELECT min(seq) AS at FROM journal WHERE kind = 'violated';
         DELETE FROM journal WHERE seq = (SELECT at FROM gone);
         UPDATE journal SET seq = seq + 99999 WHERE seq > (SELECT at FROM gone);
         UPDATE journal SET seq = seq - 100000 WHERE seq > 99999; DROP TABLE gone",
        "removed",
    ),
    (
        "UPDATE journal SET seq = seq + 100000 WHERE seq > 4; UPDATE journal SET seq = seq - 99999 WHERE seq > 99999;
         INSERT INTO journal SELECT 5, at, prev, hash, kind, variant, body FROM journal WHERE seq = 4",
        "inserted",
    ),
    (
        "UPDATE journal SET seq = -4 WHERE seq = 4; UPDATE journal SET seq = 4 WHERE seq = 5;
         UPDATE journal SET seq = 5 WHERE seq = -4",
        "reordered",
    ),
    ("DELETE FROM journal WHERE seq > (SELECT min(seq) FROM journal WHERE kind = 'violated')", "truncated"),
];

/// Opens the journal, and takes its guards away.
const OPEN: &str = "import hashlib, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
    guards = db.execute(\"SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'\").fetchall()\n\
    for name, _ in guards: db.execute('DROP TRIGGER ' + name)\n";

/// Hashes every event anew after what it says was changed, and sets the guards up again: nothing in the file shows it.
const REWRITE: &str = "
before = bytes(32)
for seq, at, body in db.execute('SELECT seq, at, body FROM journal ORDER BY seq').fetchall():
    body = body.replace('\"forbid\"', '\"allow\"')
    parts = (seq.to_bytes(8, 'little'), at.to_bytes(8, 'little'), before, body.encode())
    hashed = hashlib.sha256(b''.join(len(part).to_bytes(8, 'little') + part for part in parts)).digest()
    db.execute('UPDATE journal SET prev = ?, hash = ?, body = ? WHERE seq = ?', (before, hashed, body, seq))
    before = hashed
for _, sql in guards: db.execute(sql)
";

/// Changes the journal's file as a person with a shell could. Its guards are gone afterwards.
pub fn tamper(project: &Project, sql: &str) {
    python(project, &format!("{OPEN}db.executescript(sys.argv[2])"), sql);
}

/// Says of all that was forbidden that it was allowed, in a chain that holds from end to end, under guards as they were.
pub fn rewrite(project: &Project) {
    python(project, &format!("{OPEN}{REWRITE}"), "");
}

/// Does this with a copy of the journal in the journal's place; what was there is there again afterwards.
pub fn on_a_copy(project: &Project, act: impl FnOnce()) {
    let files = ["journal.db", "journal.db-wal", "journal.db-shm"].map(|name| project.path(".meliora").join(name));
    let kept: Vec<Option<Vec<u8>>> = files.iter().map(|file| std::fs::read(file).ok()).collect();
    act();
    for (file, bytes) in files.iter().zip(kept) {
        let _ = std::fs::remove_file(file);
        if let Some(bytes) = bytes {
            std::fs::write(file, bytes).unwrap();
        }
    }
}

fn python(project: &Project, script: &str, argument: &str) {
    let journal = project.path(".meliora/journal.db");
    let done = Command::new("python3").args(["-c", script]).arg(journal).arg(argument).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
