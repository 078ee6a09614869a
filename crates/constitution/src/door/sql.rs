//! What the law says of SQL, and of what is given to psql: parsed, each statement looked at with all that is nested in
//! it. What the parser does not know, and functions and statements that are not listed here, are asked about.

mod quoted;
mod recursion;

use std::ops::ControlFlow;

use meliora_domain::Decision::{Allow, Ask, Forbid};
use sqlparser::ast::{
    BinaryOperator, CopySource, CopyTarget, DataType, Expr, FromTable, ObjectName, OnConflictAction, OnInsert, Query,
    Select, Set, SetExpr, Statement, TableFactor, Value, ValueWithSpan, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use self::quoted::{ambiguous, bare};
use super::paths::Part;
use super::{Note, Realm};

/// Longest text that is looked into, in bytes.
const LONGEST: usize = 1 << 20;
const MEND: &str = "read with SELECT, or let a person decide";

/// Tables of the record and of the approvals, Meliora's and what others commonly call theirs.
const RECORDS: [&str; 15] = [
    "audit_log",
    "audit_logs",
    "audit",
    "audit_trail",
    "audit_events",
    "journal",
    "violations",
    "approvals",
    "promotions",
    "attempts",
    "checkpoints",
    "meliora_events",
    "meliora_journal",
    "meliora_schema",
    "audit_guard",
];

/// Statements that begin so, where the parser cannot tell: the article and why.
const KNOWN: [(&str, &str, &str); 12] = [
    ("drop database", "database-deletion", "it deletes a database"),
    ("drop schema", "database-deletion", "it deletes a schema with all that is in it"),
    ("drop table", "database-deletion", "it deletes a table"),
    ("drop owned", "database-deletion", "it deletes all that a role owns"),
    ("drop", "database-deletion", "it deletes a part of a database"),
    ("truncate", "database-deletion", "it empties a table"),
    ("delete", "database-deletion", "it deletes rows"),
    ("alter system", "system-integrity", "it changes the server's settings"),
    ("alter role", "privileges", "it changes what a role may do"),
    ("alter user", "privileges", "it changes what a role may do"),
    ("reassign", "privileges", "it gives what a role owns to another"),
    ("do", "unreviewed-code", "it runs code on the server"),
];

/// Judges SQL and psql's own commands; what there is to say against them, in order.
pub(crate) fn judge(realm: &Realm<'_>, text: &str) -> Vec<Note> {
    let mut notes = Vec::new();
    if text.len() > LONGEST {
        notes.push(Note::of(Part::new(Ask, "command-understood", "it is too long to be understood", MEND), text));
        return notes;
    }
    for own in realm.own.iter().filter(|own| own.decision > Allow && own.matcher.of_kind(&["sql", "command"])) {
        if let Some(statement) = bare(text).split(';').find(|part| own.matcher.statement(part)) {
            notes.push(Note::own(own, statement.trim()));
        }
    }
    let code = bare(text);
    if let Some(odd) = code.chars().find(|c| !c.is_ascii()) {
        let why = format!("outside of texts it has the character {}", odd.escape_unicode());
        notes.push(Note::of(Part::new(Ask, "command-understood", why, "write names in ASCII"), text));
    }
    if ambiguous(text) {
        let why = "servers differ in what of it is a comment or quoted";
        notes.push(Note::of(Part::new(Ask, "command-understood", why, "write it without"), text));
    }
    if let Some(at) = code.find('\\') {
        notes.extend(meta(&code, text, at));
        if code.trim_start().starts_with('\\') && !text.trim().contains('\n') {
            return notes;
        }
    }
    // The parser does not know `TABLE name`, which is short for this. Behind a comment it is asked about.
    let (begin, rest) = text.trim_start().split_at_checked(6).unwrap_or_default();
    let long = begin.eq_ignore_ascii_case("table ").then(|| format!("SELECT * FROM {rest}"));
    match Parser::parse_sql(&PostgreSqlDialect {}, long.as_deref().unwrap_or(text)) {
        Ok(statements) => {
            for statement in &statements {
                notes.extend(one(statement));
            }
        }
        Err(_) => {
            let lower = code.to_lowercase();
            let (article, why) = lower
                .split(';')
                .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "))
                .find_map(|s| KNOWN.iter().find(|(begin, ..)| s.starts_with(begin)))
                .map_or(("command-understood", "no parser understands it"), |(_, article, why)| (*article, *why));
            notes.push(Note::of(Part::new(Ask, article, why, MEND), text));
        }
    }
    notes
}

/// A command of psql.
fn meta(code: &str, text: &str, at: usize) -> Option<Note> {
    const READS: [&str; 16] =
        ["l", "l+", "h", "?", "timing", "x", "pset", "encoding", "conninfo", "q", "a", "t", "H", "z", "dp", "help"];
    let command = code[at + 1..].split_whitespace().next().unwrap_or_default();
    let lists = command.starts_with('d')
        && command.len() <= 6
        && command.chars().all(|c| c.is_ascii_alphabetic() || "+S".contains(c));
    let rest = &code[at + 1..];
    let alone = code[..at].trim().is_empty() && !rest.contains(['\\', '`', '|', '\n', ';']);
    if alone && (READS.contains(&command) || lists) {
        return None;
    }
    let shell = command.starts_with('!') || rest.contains('`') || rest.to_lowercase().contains(" program ");
    let (decision, why) = match shell {
        true => (Forbid, "psql runs a program on this machine".to_owned()),
        false => (Ask, format!("the psql command \\{command} may read, write or run anything")),
    };
    Some(Note::of(Part::new(decision, "unreviewed-code", why, MEND), text))
}

fn one(statement: &Statement) -> Vec<Note> {
    let text = statement.to_string();
    let mut reader = Reader { notes: Vec::new(), text: text.clone() };
    let explained = match statement {
        Statement::Explain { analyze: false, statement, options, .. } => {
            let runs = options.iter().flatten().any(|option| option.name.value.eq_ignore_ascii_case("analyze"));
            (!runs).then_some(statement)
        }
        _ => None,
    };
    // A plan is made of it, no more; what stands in it is not carried out.
    if explained.is_none() {
        let _ = statement.visit(&mut reader);
    }
    reader.notes
}

struct Reader {
    notes: Vec<Note>,
    text: String,
}

impl Reader {
    fn ask(&mut self, article: &'static str, why: impl Into<String>) {
        self.notes.push(Note::of(Part::new(Ask, article, why, MEND), &self.text));
    }

    fn forbid(&mut self, article: &'static str, why: impl Into<String>) {
        self.notes
            .push(Note::of(Part::new(Forbid, article, why, "leave it to a person, outside of any agent"), &self.text));
    }

    /// A statement that changes something: the record is nobody's to change.
    fn changes(&mut self, article: &'static str, why: &str, what: &str) {
        match record(what) {
            Some(table) => self.forbid("audit-immutable", format!("it changes {table:?}, the record of what happened")),
            None => self.ask(article, why),
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let text = statement.to_string();
        match statement {
            Statement::Query(_)
            | Statement::Analyze(_)
            | Statement::ShowVariable { .. }
            | Statement::ShowVariables { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowStatus { .. }
            | Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Explain { .. }
            | Statement::ExplainTable { .. }
            | Statement::Prepare { .. }
            | Statement::Deallocate { .. }
            | Statement::LISTEN { .. }
            | Statement::UNLISTEN { .. } => {}
            Statement::Insert(insert) => {
                let table = insert.table.to_string();
                let keeps = match &insert.on {
                    None => true,
                    Some(OnInsert::OnConflict(conflict)) => matches!(conflict.action, OnConflictAction::DoNothing),
                    Some(_) => false,
                };
                if !keeps || insert.replace_into || insert.or.is_some() || insert.overwrite {
                    self.changes("database-deletion", "it changes rows that are there", &table);
                } else if record(&table).is_some() {
                    self.ask("audit-immutable", "it writes into a record of what happened");
                } else if of_the_system(&table) {
                    self.ask("system-integrity", "it writes into the database's own tables");
                }
            }
            Statement::Update(update) => {
                self.changes("database-deletion", "it changes rows", &update.table.to_string())
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                let from: Vec<String> = from.iter().map(ToString::to_string).collect();
                self.changes("database-deletion", "it deletes rows", &from.join(" "));
            }
            Statement::Truncate(_) => self.changes("database-deletion", "it empties a table", &text),
            Statement::Drop { .. } => self.changes("database-deletion", "it deletes a part of a database", &text),
            Statement::AlterTable(_)
            | Statement::DropTrigger(_)
            | Statement::CreateTrigger(_)
            | Statement::Merge(_) => {
                self.changes("database-deletion", "it changes a table or what guards it", &text);
            }
            Statement::Grant(_) | Statement::Revoke(_) | Statement::CreateRole(_) | Statement::AlterRole { .. } => {
                self.changes("privileges", "it changes who may do what", &text);
            }
            Statement::CreateTable(table) if !text.to_lowercase().contains(" or replace ") => {
                self.made(&table.name);
                if table.inherits.is_some() || table.partition_of.is_some() {
                    self.ask("command-understood", "what is put into it shows in another table");
                }
            }
            Statement::CreateView(view) if !text.to_lowercase().contains(" or replace ") => self.made(&view.name),
            Statement::CreateSequence { name, .. } => self.made(name),
            Statement::CreateIndex(_) => {}
            Statement::CreateSchema { .. } if !text.to_lowercase().contains(" authorization ") => {}
            Statement::Copy { source, to, target, .. } => {
                match source {
                    CopySource::Query(query) => {
                        let _ = query.visit(self);
                    }
                    CopySource::Table { table_name, .. } if *to => self.secret(table_name),
                    CopySource::Table { table_name, .. } => {
                        let article = if record(&table_name.to_string()).is_some() {
                            "audit-immutable"
                        } else {
                            "command-understood"
                        };
                        self.ask(article, "it puts in rows that are not shown here");
                    }
                }
                match target {
                    CopyTarget::Stdin | CopyTarget::Stdout => {}
                    CopyTarget::Program { .. } => self.forbid("unreviewed-code", "the server runs a program"),
                    CopyTarget::File { .. } => {
                        self.forbid("editable-paths", "the server reads or writes a file of its machine")
                    }
                }
            }
            Statement::Set(set) => self.set(set),
            Statement::CreateFunction(_) | Statement::CreateProcedure { .. } => {
                let lower = text.to_lowercase();
                let native = lower.contains("language c") || lower.contains("language 'c'") || lower.contains(".so'");
                match native {
                    true => self.forbid("unreviewed-code", "the server runs a library's code"),
                    false => self.ask("unreviewed-code", "it puts code into the database"),
                }
            }
            Statement::Execute { .. } => self.ask("unreviewed-code", "it runs what is not shown here"),
            _ => self.ask("command-understood", "what the statement changes is not known"),
        }
    }

    /// A table or view that is made: one of the record's name would stand before it.
    fn made(&mut self, name: &ObjectName) {
        if record(&name.to_string()).is_some() {
            self.ask("audit-immutable", "it makes something that is called like the record of what happened");
        } else if of_the_system(&name.to_string()) {
            self.ask("system-integrity", "it makes something among the database's own");
        }
    }

    /// A table that is read.
    fn secret(&mut self, table: &ObjectName) {
        const SECRETS: [&str; 9] = [
            "pg_authid",
            "pg_shadow",
            "pg_user_mapping",
            "pg_user_mappings",
            "pg_hba_file_rules",
            "pg_file_settings",
            "pg_largeobject",
            "pg_subscription",
            "pg_statistic",
        ];
        let name = table.to_string().to_lowercase().replace('"', "");
        if name.rsplit('.').next().is_some_and(|name| SECRETS.contains(&name)) {
            self.ask("secrets", format!("{name} holds passwords or the like"));
        }
    }

    fn set(&mut self, set: &Set) {
        const HARMLESS: [&str; 14] = [
            "application_name",
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "timezone",
            "client_encoding",
            "datestyle",
            "intervalstyle",
            "work_mem",
            "client_min_messages",
            "extra_float_digits",
            "jit",
            "enable_seqscan",
            "enable_indexscan",
        ];
        let harmless = |name: &ObjectName| HARMLESS.contains(&name.to_string().to_lowercase().as_str());
        let fine = match set {
            Set::SingleAssignment { variable, hivevar: false, .. } => harmless(variable),
            Set::SetTimeZone { .. } | Set::SetNames { .. } | Set::SetTransaction { .. } => true,
            _ => false,
        };
        if !fine {
            self.ask("privileges", "it changes the role, or a setting that others rely on");
        }
    }

    /// A call that makes as much as it is told to.
    fn amount(&mut self, call: &str) {
        let lower = call.to_lowercase();
        let makes = ["repeat(", "generate_series(", "lpad(", "rpad("].iter().any(|name| lower.starts_with(name));
        let number = |part: &str| part.parse::<f64>().is_ok_and(|number| number.abs() > 1e7);
        if makes && lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(number) {
            self.ask("resources", "it makes more than the server may hold");
        }
    }

    fn function(&mut self, name: &ObjectName) {
        let name = name.to_string().to_lowercase().replace('"', "");
        let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        let files = [
            "lo_export",
            "lo_import",
            "pg_read_file",
            "pg_read_binary_file",
            "pg_ls_dir",
            "pg_file_write",
            "pg_stat_file",
        ];
        if files.contains(&name) {
            self.forbid("editable-paths", format!("the function {name} reaches the server's files"));
        } else if !known(name) {
            self.ask("command-understood", format!("what the function {name} does is not known"));
        }
    }
}

impl Visitor for Reader {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.statement(statement);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // The parser keeps these beside the statements that visitors are shown.
        match query.body.as_ref() {
            SetExpr::Insert(s) | SetExpr::Update(s) | SetExpr::Delete(s) | SetExpr::Merge(s) => self.statement(s),
            _ => {}
        }
        let recursive = query.with.iter().filter(|with| with.recursive).flat_map(|with| &with.cte_tables);
        if recursive.into_iter().any(recursion::endless) {
            self.ask("resources", "nothing ends its recursion");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        // psql puts the variable's text in its place, whatever that is.
        if let Value::Placeholder(name) = &value.value
            && name.starts_with(':')
        {
            self.ask("command-understood", format!("what stands in the place of {name:?} is not shown here"));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.into.is_some() {
            self.ask("command-understood", "it makes a table of what it reads");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.secret(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                self.function(name);
                self.amount(&factor.to_string());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                self.function(&function.name);
                self.amount(&expr.to_string());
            }
            Expr::BinaryOp { op: BinaryOperator::PGCustomBinaryOperator(_), .. } => {
                self.ask("command-understood", "what an operator of the database's own does is not known");
            }
            Expr::Cast { data_type: DataType::Custom(name, _), .. } if name.0.len() > 1 => {
                self.ask("command-understood", "what a type of the database's own does is not known");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether a table is the database's own.
fn of_the_system(table: &str) -> bool {
    let table = table.to_lowercase().replace('"', "");
    table.split('.').any(|part| part.starts_with("pg_") || part == "information_schema" || part.starts_with("sqlite_"))
}

/// The table of the record that a text names.
fn record(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.find(|word| RECORDS.contains(word)).map(str::to_owned)
}

/// Whether it is a function of PostgreSQL that only computes and reads.
fn known(name: &str) -> bool {
    let names = include_str!("functions.table").lines().filter(|line| !line.starts_with('#'));
    names.flat_map(str::split_whitespace).any(|known| known == name)
}
