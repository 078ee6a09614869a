//! The door: what the law says of an operation before it happens.
//!
//! Each operation is taken apart into what it does to files, programs, databases and networks; each part is judged, and
//! the strictest judgement holds: forbid beats ask beats allow. What is not understood is asked about, never allowed.

mod command;
mod diff;
mod matcher;
mod network;
mod paths;
mod scripts;
mod secrets;
mod sql;
mod tracked;
mod workspace;

use std::path::{Path, PathBuf};

use meliora_domain::{Decision, Edit, Operation};

pub use matcher::Matcher;
pub use workspace::Workspace;

use crate::Constitution;
use crate::path::Bounds;
use paths::{Deed, Part};

/// What the law says of an operation, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The strictest decision of all parts.
    pub decision: Decision,
    /// Id of the article that decides, one of Meliora's or of the user's.
    pub article: String,
    /// The part of the operation that it decides on, as it stands there.
    pub matched: String,
    /// Why, in words.
    pub why: String,
    /// What would make it lawful; empty where it is.
    pub mend: String,
}

/// An article of the user's own, as the door sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own<'a> {
    pub(crate) id: &'a str,
    pub(crate) text: &'a str,
    pub(crate) decision: Decision,
    pub(crate) matcher: &'a Matcher,
}

/// Something to be said against a part of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Note {
    decision: Decision,
    article: String,
    matched: String,
    why: String,
    mend: String,
    /// An article of the user's own may allow it nevertheless.
    soft: bool,
    /// It is about a program that connects to other machines.
    network: bool,
}

impl Note {
    fn of(part: Part, matched: &str) -> Self {
        Note {
            decision: part.decision,
            article: part.article.to_owned(),
            matched: short(matched),
            why: part.why,
            mend: part.mend.to_owned(),
            soft: false,
            network: false,
        }
    }

    fn own(own: &Own<'_>, matched: &str) -> Self {
        Note {
            decision: own.decision,
            article: own.id.to_owned(),
            matched: short(matched),
            why: own.text.to_owned(),
            mend: "do without it, or change the article and sign the constitution".into(),
            soft: false,
            network: false,
        }
    }
}

/// All that a judgement is made by.
#[derive(Debug)]
pub(crate) struct Realm<'a> {
    bounds: &'a Bounds,
    workspace: &'a Workspace,
    own: Vec<Own<'a>>,
}

impl Realm<'_> {
    fn path(&self, from: &Path, path: &str, pattern: bool, deed: Deed) -> Part {
        paths::judge(self.bounds, self.workspace, from, path, pattern, deed)
    }

    /// What articles of the user's own say of a deed to a path.
    fn own_paths(&self, folders: &[Option<PathBuf>], path: &str, deed: Deed) -> Vec<Note> {
        if self.own.iter().all(|own| own.matcher.paths.is_empty()) || matches!(deed, Deed::Read | Deed::Run) {
            return Vec::new();
        }
        let deletes = matches!(deed, Deed::Delete | Deed::DeleteAll | Deed::Move);
        let mut notes = Vec::new();
        for folder in folders.iter().flatten() {
            for place in self.workspace.locate(folder, path, false).places {
                let (paths::Place::Inside(place) | paths::Place::Outside(place)) = place else { continue };
                let strict = self.own.iter().filter(|own| own.decision > Decision::Allow);
                let meets = |own: &&Own<'_>| {
                    own.matcher.of_kind(&[if deletes { "delete" } else { "write" }, "command"])
                        && (own.matcher.path(&place) || deletes && own.matcher.path_below(&place))
                };
                notes.extend(strict.filter(meets).map(|own| Note::own(own, path)));
            }
        }
        notes
    }

    /// What articles of the user's own say against a command.
    fn own_commands(&self, words: &[&str], text: &str) -> Vec<Note> {
        let strict = self.own.iter().filter(|own| own.decision > Decision::Allow && own.matcher.of_kind(&["command"]));
        strict.filter(|own| own.matcher.command(words)).map(|own| Note::own(own, text)).collect()
    }

    /// Whether an article of the user's own allows a command: one that begins as the article says, word for word.
    fn own_allows(&self, words: &[&str]) -> bool {
        let allow = self.own.iter().filter(|own| own.decision == Decision::Allow && own.matcher.of_kind(&["command"]));
        allow.into_iter().any(|own| own.matcher.command_begins(words))
    }

    /// What an article of the user's own says against a connection.
    fn own_host(&self, host: &str, text: &str) -> Option<Note> {
        let strict = self
            .own
            .iter()
            .filter(|own| own.decision > Decision::Allow && own.matcher.of_kind(&["network", "command"]));
        strict.into_iter().find(|own| own.matcher.host(host, None)).map(|own| Note::own(own, text))
    }
}

impl Constitution {
    /// What the law says of an operation in this workspace. Fails closed: what cannot be understood is asked about.
    /// Looks at the filesystem only to see where links lead; changes nothing and runs nothing.
    pub fn decide(&self, operation: &Operation, workspace: &Workspace) -> Finding {
        let realm = Realm { bounds: self.bounds(), workspace, own: self.own() };
        let mut notes = Vec::new();
        let kind = matcher::kind(operation);
        // What articles of the user's own say of commands is asked for each command in it.
        let whole = !matches!(operation, Operation::Command { .. });
        for own in realm.own.iter().filter(|own| whole && own.decision > Decision::Allow) {
            if let Some(matched) = own.matcher.meets(operation) {
                notes.push(Note::own(own, &matched));
            }
        }
        notes.extend(self::notes(&realm, operation));
        // Of several with one decision, the first is told: the user's own.
        let mut strictest: Option<Note> = None;
        for note in notes {
            if strictest.as_ref().is_none_or(|held| note.decision > held.decision) {
                strictest = Some(note);
            }
        }
        match strictest.filter(|note| note.decision > Decision::Allow) {
            Some(note) => Finding {
                decision: note.decision,
                article: note.article,
                matched: note.matched,
                why: note.why,
                mend: note.mend,
            },
            None => Finding {
                decision: Decision::Allow,
                article: "editable-paths".into(),
                matched: kind.into(),
                why: "it reads, builds, tests or edits inside the workspace, and no article speaks against it".into(),
                mend: String::new(),
            },
        }
    }
}

fn notes(realm: &Realm<'_>, operation: &Operation) -> Vec<Note> {
    let start = realm.workspace.start();
    if let Operation::Write { path } | Operation::Delete { path } = operation
        && let Some(odd) = path.chars().find(|c| crate::path::deceives(*c) || c.is_control())
    {
        let why =
            format!("the path has the character {}, which is not seen or looks like another", odd.escape_unicode());
        return vec![Note::of(Part::new(Decision::Forbid, "path-form", why, "name it without"), path)];
    }
    let path = |path: &str, deed: Deed| Note::of(realm.path(start, path, false, deed), path);
    match operation {
        Operation::Change { change, .. } => change
            .edits
            .iter()
            .map(|edit| path(edit.path(), if matches!(edit, Edit::Delete { .. }) { Deed::Delete } else { Deed::Write }))
            .collect(),
        Operation::Write { path: to } => vec![path(to, Deed::Write)],
        Operation::Delete { path: gone } => {
            vec![path(gone, if start.join(gone).is_dir() { Deed::DeleteAll } else { Deed::Delete })]
        }
        Operation::Command { text } => command::judge(realm, text),
        Operation::Sql { text } => sql::judge(realm, text),
        Operation::Network { host, port } => network::judge(realm, host, *port),
        Operation::Diff { text } => diff::judge(realm, text),
        Operation::Promote { variant } => {
            let why = "it puts a variant into the user's own tree";
            vec![Note::of(Part::new(Decision::Ask, "promotion-approval", why, "ask a person"), &variant.to_string())]
        }
        Operation::Migrate { to } => {
            let why = "it moves the record of all that happened to another database";
            vec![Note::of(Part::new(Decision::Ask, "audit-immutable", why, "ask a person"), to)]
        }
    }
}

/// So much of a text that a person still reads it.
fn short(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
