//! The journal on Postgres: the same chain, for several processes and machines at once.
//!
//! Appends take turns by an advisory lock. When the connection is lost it is made anew, and what became of the append that
//! was under way is asked of the server by its transaction's number: it is neither lost nor done twice.

mod address;
mod snapshots;
mod tables;
mod tls;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meliora_domain::{Digest, Event, Recorded, Timestamp, VariantId};
use meliora_evolve::{ArchiveError, Snapshot};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, GenericClient, Row, Statement};

use crate::chain::{self, Line, Tail};
use crate::error::failed;
use crate::ledger::{Each, Ledger, replaced};
use crate::schema::Access;

pub use address::Address;
use snapshots::Snapshots;

/// How long a lost connection is tried again: as long as a server takes to start anew or to hand over to another.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first pause between two tries; each is twice as long as the one before, up to two seconds.
const PAUSE: Duration = Duration::from_millis(50);
/// Lines that are read at once.
const PAGE: i64 = 2_000;

const COLUMNS: &str = "seq, at, prev, hash, kind, variant, body";

pub(crate) struct PostgresJournal {
    address: Address,
    access: Access,
    snapshots: Snapshots,
    inner: Mutex<Inner>,
}

struct Inner {
    session: Option<Session>,
    /// The end of the journal as this process knows it.
    tail: Tail,
}

struct Session {
    client: Client,
    insert: Statement,
    after: Statement,
}

/// Why something could not be done.
enum Trouble {
    /// The connection is lost, or the server is not there at the moment.
    Lost(postgres::Error),
    /// Anything else.
    Failed(ArchiveError),
}

impl From<ArchiveError> for Trouble {
    fn from(error: ArchiveError) -> Self {
        Trouble::Failed(error)
    }
}

impl From<postgres::Error> for Trouble {
    fn from(error: postgres::Error) -> Self {
        if lost(&error) { Trouble::Lost(error) } else { Trouble::Failed(said("talk to Postgres", &error, None)) }
    }
}

impl PostgresJournal {
    /// Opens the journal at this address and makes its tables if they are missing and may be made. Snapshots are kept in
    /// the folder: they only save time, and the database knows no deletion.
    pub(crate) fn open(address: &Address, folder: &Path, access: Access) -> Result<Self, ArchiveError> {
        let what = format!("open the journal {address}");
        let session = connect(address).and_then(|mut client| {
            tables::open(&mut client, &what, access)?;
            Session::new(client, access)
        });
        // At the beginning nobody waits: an address that is wrong should say so.
        let mut session = session.map_err(|trouble| settled(&what, trouble))?;
        let tail = tail(&mut session.client).map_err(|trouble| settled(&what, trouble))?;
        let inner = Mutex::new(Inner { session: Some(session), tail });
        Ok(PostgresJournal { address: address.clone(), access, snapshots: Snapshots::new(folder), inner })
    }

    /// Makes the tables, and with a name a role that may append and read and nothing else.
    pub(crate) fn prepare(address: &Address, writer: Option<&str>) -> Result<(), ArchiveError> {
        let what = format!("prepare {address}");
        let done = connect(address).and_then(|mut client| match writer {
            Some(writer) => tables::admit(&mut client, &what, writer),
            None => tables::open(&mut client, &what, Access::Write),
        });
        done.map_err(|trouble| settled(&what, trouble))
    }

    /// Whether the role that is connected could change what was written.
    pub(crate) fn may_alter(&self) -> Result<bool, ArchiveError> {
        self.talk("look at the role's rights", |session, _| tables::may_alter(&mut session.client))
    }

    /// Copies a whole journal into this one, which must be empty. Returns how many events were copied; none if they were
    /// there already.
    pub(crate) fn import(&self, from: &dyn Ledger) -> Result<u64, ArchiveError> {
        let what = "copy the journal";
        let source = from.tail();
        let copied = self.talk(what, |session, known| {
            let mut transaction = session.client.transaction()?;
            transaction.query(LOCK, &[])?;
            let stored = tail(&mut transaction)?;
            *known = stored;
            if stored == source {
                return Ok(0);
            }
            if stored.seq > 0 {
                let cause = format!("there is another journal of {} events already", stored.seq);
                return Err(failed(what, cause, "a journal is copied into an empty database").into());
            }
            let types = [Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA, Type::TEXT, Type::TEXT, Type::TEXT];
            let sink = transaction.copy_in(&format!("COPY journal ({COLUMNS}) FROM STDIN (FORMAT binary)"))?;
            let mut writer = BinaryCopyInWriter::new(sink, &types);
            let (mut end, mut trouble) = (Tail::default(), None);
            from.lines(0, &mut |line| {
                chain::follow(&mut end, line)?;
                chain::read(line)?;
                let (seq, at) = (signed(line.seq, what)?, signed(line.at, what)?);
                let row: [&(dyn ToSql + Sync); 7] =
                    [&seq, &at, &line.prev, &line.hash, &line.kind, &line.variant, &line.body];
                trouble = writer.write(&row).err();
                Ok(trouble.is_none())
            })?;
            trouble.map_or(Ok(()), Err)?;
            writer.finish()?;
            transaction.commit()?;
            *known = end;
            Ok(end.seq)
        })?;
        Ok(copied)
    }

    /// A panic while the lock is held leaves an open transaction at worst, which ends with the connection.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection, and again with a new one as long as the connection is what fails.
    fn talk<T>(
        &self,
        what: &str,
        mut act: impl FnMut(&mut Session, &mut Tail) -> Result<T, Trouble>,
    ) -> Result<T, ArchiveError> {
        let mut inner = self.inner();
        let Inner { session, tail } = &mut *inner;
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let done = match session {
                Some(session) => act(session, tail),
                None => connect(&self.address)
                    .and_then(|client| Session::new(client, self.access))
                    .and_then(|made| act(session.insert(made), tail)),
            };
            match done {
                Ok(done) => return Ok(done),
                Err(Trouble::Lost(_)) if begun.elapsed() < PATIENCE => {
                    *session = None;
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(trouble) => {
                    // A transaction that failed half way ends with its connection.
                    *session = None;
                    return Err(settled(what, trouble));
                }
            }
        }
    }

    fn pages(&self, after: u64, variant: Option<&VariantId>, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let what = "read the journal";
        let mut last = signed(after, what)?;
        let name = variant.map(VariantId::to_string);
        loop {
            let rows = self.talk(what, |session, _| {
                let Session { client, after, .. } = session;
                Ok(match &name {
                    None => client.query(after, &[&last, &PAGE])?,
                    Some(name) => {
                        let about = format!(
                            "SELECT {COLUMNS} FROM journal WHERE variant = $1 AND seq > $2 ORDER BY seq LIMIT $3"
                        );
                        client.query(&about, &[name, &last, &PAGE])?
                    }
                })
            })?;
            for row in &rows {
                if !each(&line(row)?)? {
                    return Ok(());
                }
            }
            match rows.last() {
                Some(row) if rows.len() as i64 == PAGE => last = row.get(0),
                _ => return Ok(()),
            }
        }
    }
}

/// Writers take turns. Held until the transaction ends, however it ends.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('meliora'), hashtext('journal'::regclass::oid::text))";

impl Ledger for PostgresJournal {
    fn append(&self, events: &[Event], at: Timestamp) -> Result<Vec<Recorded>, ArchiveError> {
        let what = "append to the journal";
        if events.is_empty() {
            return Ok(Vec::new());
        }
        // The append that was under way when the connection was lost: its transaction, and what it would have come to.
        let mut doubtful: Option<(String, Vec<Recorded>, Tail)> = None;
        self.talk(what, |session, known| {
            let Session { client, insert, .. } = session;
            let mut transaction = client.transaction()?;
            // Whoever else appends is waited for, also a connection of our own that the server still believes in.
            transaction.query(LOCK, &[])?;
            if let Some((number, recorded, end)) = doubtful.take() {
                let became = transaction.query_one("SELECT pg_xact_status($1::text::xid8)", &[&number]);
                match became {
                    Ok(row) if row.get::<_, Option<&str>>(0) == Some("committed") => {
                        *known = end;
                        return Ok(recorded);
                    }
                    Ok(_) => {}
                    Err(e) => {
                        doubtful = Some((number, recorded, end));
                        return Err(e.into());
                    }
                }
            }
            let number: String = transaction.query_one("SELECT pg_current_xact_id()::text", &[])?.get(0);
            let stored = tail(&mut transaction)?;
            if stored != *known && (stored.seq <= known.seq || hash_at(&mut transaction, known.seq)? != held(*known)) {
                return Err(replaced(*known).into());
            }
            let mut end = stored;
            let lines = events.iter().map(|e| chain::bind(&mut end, e, at)).collect::<Result<Vec<_>, _>>()?;
            let rows = Rows::of(&lines, what)?;
            transaction.execute(&*insert, &rows.columns())?;
            let recorded: Vec<Recorded> = lines.into_iter().map(|(line, _)| line).collect();
            doubtful = Some((number, recorded.clone(), end));
            transaction.commit()?;
            *known = end;
            Ok(recorded)
        })
    }

    fn lines(&self, after: u64, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        self.pages(after, None, each)
    }

    fn lines_about(&self, variant: &VariantId, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        self.pages(0, Some(variant), each)
    }

    fn hash_at(&self, seq: u64) -> Result<Option<Digest>, ArchiveError> {
        self.talk("read the journal", |session, _| hash_at(&mut session.client, seq))
    }

    fn tail(&self) -> Tail {
        self.inner().tail
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, ArchiveError> {
        for snapshot in self.snapshots.newest_first()? {
            if self.hash_at(snapshot.seq)? == Some(snapshot.hash) {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        self.snapshots.keep(snapshot)
    }

    /// The server has every append on its disk before it says that it is done, as long as `synchronous_commit` is on.
    fn settle(&self) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn weakened(&self) -> Result<Vec<String>, ArchiveError> {
        self.talk("look at the tables", |session, _| tables::weakened(&mut session.client))
    }
}

impl Session {
    fn new(mut client: Client, access: Access) -> Result<Session, Trouble> {
        // A transaction of ours never idles, so that one that does has lost its client and shall not keep the lock.
        client.batch_execute(
            "SET idle_in_transaction_session_timeout = '20s'; SET lock_timeout = '60s'; SET synchronous_commit = on",
        )?;
        if access == Access::Read {
            client.batch_execute("SET default_transaction_read_only = on")?;
        }
        let insert = client.prepare(&format!(
            "INSERT INTO journal ({COLUMNS})
             SELECT * FROM unnest($1::int8[], $2::int8[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::text[])"
        ))?;
        let after = client.prepare(&format!("SELECT {COLUMNS} FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2"))?;
        Ok(Session { client, insert, after })
    }
}

/// Events as columns, for one statement whatever their number.
struct Rows<'a> {
    seq: Vec<i64>,
    at: Vec<i64>,
    prev: Vec<&'a [u8]>,
    hash: Vec<&'a [u8]>,
    kind: Vec<&'a str>,
    variant: Vec<Option<String>>,
    body: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    fn of(lines: &'a [(Recorded, String)], what: &str) -> Result<Rows<'a>, ArchiveError> {
        Ok(Rows {
            seq: lines.iter().map(|(r, _)| signed(r.seq, what)).collect::<Result<_, _>>()?,
            at: lines.iter().map(|(r, _)| signed(r.at.0, what)).collect::<Result<_, _>>()?,
            prev: lines.iter().map(|(r, _)| &r.prev.0[..]).collect(),
            hash: lines.iter().map(|(r, _)| &r.hash.0[..]).collect(),
            kind: lines.iter().map(|(_, body)| chain::kind(body)).collect(),
            variant: lines.iter().map(|(r, _)| chain::variant(&r.event).map(ToString::to_string)).collect(),
            body: lines.iter().map(|(_, body)| body.as_str()).collect(),
        })
    }

    fn columns(&self) -> [&(dyn ToSql + Sync); 7] {
        [&self.seq, &self.at, &self.prev, &self.hash, &self.kind, &self.variant, &self.body]
    }
}

fn connect(address: &Address) -> Result<Client, Trouble> {
    Ok(address.connect()?)
}

fn tail(client: &mut impl GenericClient) -> Result<Tail, Trouble> {
    let row = client.query_opt("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1", &[])?;
    row.map_or(Ok(Tail::default()), |row| {
        let seq = row.get::<_, i64>(0).unsigned_abs();
        Ok(Tail { seq, hash: digest(&row, 1).ok_or_else(|| unreadable(seq))? })
    })
}

fn hash_at(client: &mut impl GenericClient, seq: u64) -> Result<Option<Digest>, Trouble> {
    let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
    Ok(client.query_opt("SELECT hash FROM journal WHERE seq = $1", &[&seq])?.and_then(|row| digest(&row, 0)))
}

/// What `hash_at` says where the journal is as it is known: nothing for its very beginning.
fn held(tail: Tail) -> Option<Digest> {
    (tail.seq > 0).then_some(tail.hash)
}

fn digest(row: &Row, column: usize) -> Option<Digest> {
    row.try_get::<_, &[u8]>(column).ok()?.try_into().ok().map(Digest)
}

fn line(row: &Row) -> Result<Line<'_>, ArchiveError> {
    let columns = || -> Option<Line<'_>> {
        Some(Line {
            seq: u64::try_from(row.try_get::<_, i64>(0).ok()?).ok()?,
            at: u64::try_from(row.try_get::<_, i64>(1).ok()?).ok()?,
            prev: row.try_get(2).ok()?,
            hash: row.try_get(3).ok()?,
            kind: row.try_get(4).ok()?,
            variant: row.try_get(5).ok()?,
            body: row.try_get(6).ok()?,
        })
    };
    columns().ok_or_else(|| unreadable(row.try_get::<_, i64>(0).unwrap_or_default().unsigned_abs()))
}

fn unreadable(seq: u64) -> ArchiveError {
    ArchiveError::Broken { seq, why: "its line cannot be read".into() }
}

/// Postgres' integers are signed; positions and milliseconds fit for three hundred million years.
fn signed(number: u64, what: &str) -> Result<i64, ArchiveError> {
    i64::try_from(number).map_err(|e| failed(what, e, "this is a bug of Meliora; please report it"))
}

/// Whether the connection is what failed, so that another one may succeed.
fn lost(error: &postgres::Error) -> bool {
    match error.code() {
        Some(code) => {
            // Class 08: connections. The others: the server stops, starts, or has too many clients for the moment.
            code.code().starts_with("08")
                || [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::TOO_MANY_CONNECTIONS,
                    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                ]
                .contains(code)
        }
        // A server that is ending may close a connection in the midst of a handshake; a certificate stays as it is.
        None if tls::hint(error).is_some() => false,
        None => error.is_closed() || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>()),
    }
}

/// Trouble that nothing more is tried against, in words.
fn settled(what: &str, trouble: Trouble) -> ArchiveError {
    match trouble {
        Trouble::Failed(error @ (ArchiveError::Broken { .. } | ArchiveError::Full(_))) => error,
        Trouble::Failed(ArchiveError::Failed { cause, hint, .. }) => {
            ArchiveError::Failed { what: what.to_owned(), cause, hint }
        }
        Trouble::Failed(error) => error,
        Trouble::Lost(e) => {
            let hint = "nothing that was acknowledged is lost; see that the server runs and `[store] url` names it";
            said(what, &e, Some(hint))
        }
    }
}

/// What Postgres says, with the hint of ours or of its own.
fn said(what: &str, error: &postgres::Error, hint: Option<&str>) -> ArchiveError {
    let Some(db) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(|s| format!(": {s}")).unwrap_or_default();
        let hint = tls::hint(error).or(hint).map(str::to_owned);
        return ArchiveError::Failed { what: what.to_owned(), cause: format!("{error}{cause}"), hint };
    };
    if *db.code() == SqlState::DISK_FULL {
        return ArchiveError::Full(what.to_owned());
    }
    let known = match db.code().code() {
        "28P01" | "28000" => Some("check the user and the password of `[store] url`, or the server's pg_hba.conf"),
        "3D000" => Some("`createdb` makes a database"),
        "42501" => Some("the role lacks a right; `meliora store prepare --writer NAME` gives a writer what it needs"),
        "55P03" => Some("another process has been appending for a minute; see `SELECT * FROM pg_stat_activity`"),
        _ => None,
    };
    let hint = hint.or(known).or(db.hint()).map(str::to_owned);
    ArchiveError::Failed { what: what.to_owned(), cause: db.message().to_owned(), hint }
}

/// As [`said`], for what a role may not be allowed to do.
fn refused(error: postgres::Error, what: &str, hint: &str) -> Trouble {
    if lost(&error) { Trouble::Lost(error) } else { Trouble::Failed(said(what, &error, Some(hint))) }
}
