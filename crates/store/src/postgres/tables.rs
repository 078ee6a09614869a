//! The tables of a journal on Postgres: how they are made, recognised, guarded and opened to a writer.

use postgres::error::SqlState;
use postgres::{Client, GenericClient, Transaction};

use crate::error::failed;
use crate::schema::Access;

use super::{Trouble, refused};

/// One for each version, in order. A migration that has been published is never changed.
const MIGRATIONS: [&[&str]; 1] = [&[JOURNAL, TABLES]];
const JOURNAL: &str = include_str!("../sql/postgres_journal.sql");
const TABLES: &str = include_str!("../sql/postgres_tables.sql");

/// The views of the first migration.
const VIEWS: [&str; 5] = ["events", "violations", "approvals", "promotions", "attempts"];

/// What the journal's triggers must be called.
const TRIGGERS: [&str; 3] = ["journal_is_bound", "journal_is_not_changed", "journal_is_not_truncated"];

/// Recognises the tables, and brings them up to date if they may be written.
pub(super) fn open(client: &mut Client, what: &str, access: Access) -> Result<(), Trouble> {
    let version = version(client, what)?;
    let newest = MIGRATIONS.len() as i32;
    if version > newest {
        let cause =
            format!("it was written by a newer Meliora (its version is {version}, this program knows {newest})");
        return Err(failed(what, cause, "update this program; the database was left as it is").into());
    }
    match access {
        Access::Read if version == 0 => Err(failed(what, "it holds no journal", "`meliora run` begins one").into()),
        Access::Read => Ok(()),
        Access::Write if version == newest => Ok(()),
        Access::Write => migrate(client, what),
    }
}

/// The version of the tables; 0 where there are none. Tables of another program are an error.
fn version(client: &mut impl GenericClient, what: &str) -> Result<i32, Trouble> {
    // The catalog as one snapshot: what `to_regclass` knows may be older than a lock that was waited for.
    let tables =
        "SELECT coalesce(bool_or(tablename = 'meliora_schema'), false), coalesce(bool_or(tablename = 'journal'), false)
                  FROM pg_tables WHERE schemaname = ANY (current_schemas(false))";
    let row = client.query_one(tables, &[])?;
    match (row.get(0), row.get(1)) {
        (true, _) => Ok(client.query_one("SELECT coalesce(max(version), 0) FROM meliora_schema", &[])?.get(0)),
        (false, true) => Err(failed(
            what,
            "there is a table 'journal' of another program",
            "give the journal a database of its own (`createdb agent_audit`); this one was left as it is",
        )
        .into()),
        (false, false) => Ok(0),
    }
}

/// Makes what is missing, all or none. Processes that come at the same moment wait for each other.
fn migrate(client: &mut Client, what: &str) -> Result<(), Trouble> {
    let mut transaction = client.transaction()?;
    transaction.query("SELECT pg_advisory_xact_lock(hashtext('meliora_schema'))", &[])?;
    let from = version(&mut transaction, what)?;
    let made = make(&mut transaction, from).and_then(|()| transaction.commit());
    made.map_err(|e| refused(e, what, "a role that may make tables does it once: `meliora store prepare`"))
}

fn make(transaction: &mut Transaction<'_>, from: i32) -> Result<(), postgres::Error> {
    if from == 0 {
        transaction.batch_execute(
            "CREATE TABLE meliora_schema (version integer PRIMARY KEY, made timestamptz NOT NULL DEFAULT now())",
        )?;
    }
    for (number, migration) in (1..).zip(MIGRATIONS) {
        if number > from {
            migration.iter().try_for_each(|part| transaction.batch_execute(part))?;
            transaction.execute("INSERT INTO meliora_schema (version) VALUES ($1)", &[&number])?;
        }
    }
    Ok(())
}

/// Makes the tables if need be, and lets a role append to the journal and read it, and do nothing else. The role is made,
/// without a password, where there is none.
pub(super) fn admit(client: &mut Client, what: &str, writer: &str) -> Result<(), Trouble> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !writer.chars().all(plain) || !writer.starts_with(|c: char| c.is_ascii_lowercase()) || writer.len() > 63 {
        let hint = "small letters, digits and underscores, beginning with a letter";
        return Err(failed(what, format!("'{writer}' cannot be a role's name here"), hint).into());
    }
    open(client, what, Access::Write)?;
    let tables = format!("journal, meliora_schema, {}", VIEWS.join(", "));
    let database: String = client.query_one("SELECT quote_ident(current_database())", &[])?.get(0);
    let schema: String = client.query_one("SELECT quote_ident(current_schema())", &[])?.get(0);
    let row = client.query_opt("SELECT rolsuper FROM pg_roles WHERE rolname = $1", &[&writer])?;
    if row.as_ref().is_some_and(|row| row.get(0)) {
        let hint = "name another role; nothing can be kept from a superuser";
        return Err(failed(what, format!("'{writer}' is a superuser"), hint).into());
    }
    let make = if row.is_none() { format!("CREATE ROLE {writer} LOGIN;") } else { String::new() };
    let granted = client.batch_execute(&format!(
        "{make}
         REVOKE ALL ON {tables} FROM PUBLIC, {writer};
         GRANT CONNECT ON DATABASE {database} TO {writer};
         GRANT USAGE ON SCHEMA {schema} TO {writer};
         GRANT SELECT, INSERT ON journal TO {writer};
         GRANT SELECT ON {tables} TO {writer};"
    ));
    granted.map_err(|e| refused(e, what, "the role in the URL must own the tables and may make roles"))
}

/// Whether the role that is connected could change what was written, if it set out to.
pub(super) fn may_alter(client: &mut Client) -> Result<bool, Trouble> {
    let row = client.query_one(
        "SELECT has_table_privilege('journal', 'UPDATE, DELETE, TRUNCATE')
             OR pg_has_role((SELECT relowner FROM pg_class WHERE oid = 'journal'::regclass), 'USAGE')",
        &[],
    )?;
    Ok(row.get(0))
}

/// What is no longer as a migration made it: triggers, their functions, views.
pub(super) fn weakened(client: &mut Client) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    let on = client.query(
        "SELECT t.tgname::text, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE t.tgrelid = 'journal'::regclass AND t.tgenabled = 'A'",
        &[],
    )?;
    let on: Vec<(String, String)> = on.iter().map(|row| (row.get(0), row.get(1))).collect();
    for trigger in TRIGGERS {
        match on.iter().find(|(name, _)| name == trigger) {
            None => found.push(format!("the trigger {trigger} is gone or turned off")),
            // What stands between the dollars of the migration.
            Some((_, source)) if !JOURNAL.contains(&format!("$${source}$$")) => {
                found.push(format!("the trigger {trigger} does something else than it was made to"));
            }
            Some(_) => {}
        }
    }
    // Made anew beside the old ones and compared as Postgres itself writes them; then taken back.
    let mut transaction = client.build_transaction().read_only(false).start()?;
    let own: String = transaction.query_one("SELECT quote_ident(current_schema())", &[])?.get(0);
    let definition = "SELECT v, pg_get_viewdef(to_regclass(v)) FROM unnest($1::text[]) v ORDER BY v";
    let stands: Vec<(String, Option<String>)> =
        transaction.query(definition, &[&VIEWS.as_slice()])?.iter().map(|row| (row.get(0), row.get(1))).collect();
    // Temporary views would hide those of the same name from each other: they get their names from a prefix.
    let fresh = TABLES.replace("CREATE VIEW ", "CREATE TEMP VIEW fresh_");
    match transaction.batch_execute(&fresh) {
        // A role that may make nothing, not even for itself, leaves the views to one that may.
        Err(e) if e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(found),
        made => made?,
    }
    let names: Vec<String> = VIEWS.iter().map(|view| format!("fresh_{view}")).collect();
    for row in transaction.query(definition, &[&names])? {
        let (name, made): (String, Option<String>) = (row.get(0), row.get(1));
        let name = name.trim_start_matches("fresh_");
        let there = stands.iter().find(|(view, _)| view == name).and_then(|(_, text)| text.clone());
        if there != made {
            found.push(format!("the table {own}.{name} does not show the journal as it was made to"));
        }
    }
    transaction.rollback()?;
    Ok(found)
}
