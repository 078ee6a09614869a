//! What the law says of a shell command: the script is parsed, each plain command in it is looked up in the table of
//! programs, and what remains not understood is asked about.
//!
//! Nothing is run and nothing is expanded but what the text itself says. The strictest judgement of all parts holds.

mod cover;
mod flags;
mod hidden;
mod language;
mod parse;
mod program;
mod quote;
mod reading;
mod script;
mod special;
mod table;
mod told;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use meliora_domain::Decision::{Ask, Forbid};

use super::paths::{self, Deed, Part};
use super::secrets::{holds_secret, meets_secret};
use super::{Matcher, Note, Own, Realm, Workspace};
use crate::Reach;
use crate::path::Bounds;

pub(crate) use parse::{Piece, Redirect, Simple, Step, Word, parse};

/// Longest command that is looked into, in bytes.
const LONGEST: usize = 256 << 10;
/// So deep may commands be hidden in others.
const DEEPEST: usize = 12;
/// So many programs may start each other, as in `env nice timeout 5 make`.
const WRAPPED: usize = 24;
/// Longest value of a word that is followed, in bytes.
const WIDEST: usize = 64 << 10;
/// So many parts of a script are judged; a script with more is asked about, whatever else is found.
const MOST: usize = 20_000;

/// A word after the shell's expansions, as far as they can be told from the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Arg {
    /// Exactly this text.
    Plain(String),
    /// A pattern that the shell fills in with names of files.
    Pattern(String),
    /// Paths that another program listed.
    Listed(Listing),
    /// A text of which only the beginning is known. `harmless`: whatever it is, no secret of the environment.
    Opaque { begin: String, harmless: bool, text: String },
}

/// Paths that a program lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listing {
    /// They lie below this path.
    start: String,
    /// What their names are like, where that is said.
    name: Option<String>,
    /// Whether there are names with a dot at their front among them.
    hidden: bool,
    /// Whether nothing stands before the names, so that one may begin with a dash.
    bare: bool,
}

impl Listing {
    fn of(start: &str) -> Self {
        Listing { start: start.to_owned(), name: None, hidden: true, bare: false }
    }

    /// Whether a path below the start may be among them.
    fn takes_in(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let shown = self.hidden || !path.split('/').any(|part| part.starts_with('.'));
        shown && self.name.as_ref().is_none_or(|like| fast_glob::glob_match(like, name))
    }
}

/// What flows into a command.
#[derive(Clone, Default, Debug)]
pub(crate) struct Flow {
    /// The text, where it is known.
    text: Option<String>,
    /// It is paths of the workspace.
    lists: Option<Listing>,
    /// It comes from another machine.
    network: bool,
    /// Something flows in.
    any: bool,
}

/// One review of one script.
pub(crate) struct Judge<'a> {
    realm: &'a Realm<'a>,
    pub(crate) notes: Vec<Note>,
    /// The folders in which the next command may run; `None` is one that cannot be told.
    folders: Vec<Option<PathBuf>>,
    /// Variables that the script has set: `None` where the value cannot be told.
    variables: HashMap<String, Option<Arg>>,
    /// Functions that the script has defined.
    functions: Vec<String>,
    /// A file was written that a later command may run.
    wrote: bool,
    /// The program under judgement tells nothing of what is in the files that it reads.
    tells_little: bool,
    depth: usize,
    /// So many programs have started each other.
    wrapped: usize,
    parts: usize,
}

/// Judges a script and returns what there is to say against it, in order.
pub(crate) fn judge(realm: &Realm<'_>, text: &str) -> Vec<Note> {
    let mut judge = Judge {
        realm,
        notes: Vec::new(),
        folders: vec![Some(realm.workspace.start().to_owned())],
        variables: HashMap::new(),
        functions: Vec::new(),
        wrote: false,
        tells_little: false,
        depth: 0,
        wrapped: 0,
        parts: 0,
    };
    judge.script(text, &Flow::default());
    judge.together(text);
    judge.notes
}

/// The first part of a script that meets a matcher: a command in it, however it is started, a path that it writes, SQL
/// that it hands on, a host.
pub(crate) fn meets(matcher: &Matcher, text: &str) -> Option<String> {
    const ASKED: &str = "?";
    let bounds = Bounds::new(&Reach::default()).ok()?;
    let workspace = Workspace::new(Path::new("/workspace"), Path::new("/home/person"));
    let own = vec![Own { id: ASKED, text: "", decision: Forbid, matcher }];
    let realm = Realm { bounds: &bounds, workspace: &workspace, own };
    judge(&realm, text).into_iter().find(|note| note.article == ASKED).map(|note| note.matched)
}

impl Judge<'_> {
    pub(crate) fn note(&mut self, part: Part, matched: &str) {
        self.notes.push(Note::of(part, matched));
    }

    /// What an article of the user's own may allow nevertheless.
    pub(crate) fn doubt(&mut self, article: &'static str, why: impl Into<String>, matched: &str) {
        let mend = "use a plain command that the law knows, or add an article that allows this one";
        let mut note = Note::of(Part::new(Ask, article, why, mend), matched);
        note.soft = true;
        self.notes.push(note);
    }

    pub(crate) fn forbid(&mut self, article: &'static str, why: impl Into<String>, mend: &'static str, matched: &str) {
        self.note(Part::new(Forbid, article, why, mend), matched);
    }

    /// In each folder where a command may run, what lies there is run, or steers what is.
    pub(crate) fn runs_here(&mut self, text: &str) {
        for folder in self.folders.clone() {
            let part = match folder {
                Some(folder) => self.realm.path(&folder, ".", false, Deed::Run),
                None => {
                    Part::new(Ask, "command-understood", "in which folder it runs cannot be told", "do without `cd`")
                }
            };
            if part.decision > meliora_domain::Decision::Allow {
                self.note(part, text);
            }
        }
    }

    /// Judges a text that a shell reads.
    pub(crate) fn script(&mut self, text: &str, input: &Flow) {
        if self.depth >= DEEPEST || text.len() > LONGEST {
            return self.doubt("command-understood", "it is too long or nested too deep to be understood", "");
        }
        let hidden = |c: &char| crate::path::deceives(*c) || c.is_control();
        if let Some(odd) = text.chars().find(|c| hidden(c) && !matches!(c, '\t' | '\n')) {
            let why = format!("it has the character {}, which is not seen or looks like another", odd.escape_unicode());
            self.note(Part::new(Ask, "command-understood", why, "write it without such characters"), "");
        }
        self.depth += 1;
        let (steps, whole) = parse(text);
        if !whole {
            self.doubt("command-understood", "the shell's grammar cannot be told from the text", text);
        }
        self.steps(&steps, input);
        self.depth -= 1;
    }

    /// A deed to a path that an argument names, in each folder that the command may run in.
    pub(crate) fn path(&mut self, arg: &Arg, deed: Deed) {
        let writes = !matches!(deed, Deed::Read | Deed::Run);
        let (path, pattern) = match arg {
            Arg::Plain(path) => (path.as_str(), false),
            Arg::Pattern(path) => (path.as_str(), true),
            Arg::Listed(listing) => return self.listed(&listing.clone(), deed),
            Arg::Opaque { begin, text, .. } => {
                // Where it begins tells that it leads out; where it ends is not known.
                if begin.starts_with(['/', '~']) && begin.len() > 1 {
                    let (begin, text) = (begin.clone(), text.clone());
                    self.single(&begin, false, deed, &text);
                }
                let why = format!("which path {text:?} names cannot be told");
                let mend = "write the path out";
                let text = text.clone();
                return self.note(Part::new(Ask, "command-understood", why, mend), &text);
            }
        };
        self.wrote |= writes && !path.starts_with("/dev/");
        let path = path.to_owned();
        self.single(&path, pattern, deed, &path);
    }

    fn single(&mut self, path: &str, pattern: bool, deed: Deed, matched: &str) {
        let folders = self.folders.clone();
        for folder in &folders {
            let part = match folder {
                Some(folder) => self.realm.path(folder, path, pattern, deed),
                None if path.starts_with(['/', '~']) => {
                    let root = self.realm.workspace.root().to_owned();
                    self.realm.path(&root, path, pattern, deed)
                }
                None => Part::new(
                    Ask,
                    "command-understood",
                    format!("in which folder {path:?} lies cannot be told"),
                    "name paths from the workspace's root, without `cd`",
                ),
            };
            if part.decision > meliora_domain::Decision::Allow {
                self.note(part, matched);
            }
        }
        for note in self.realm.own_paths(&folders, path, deed) {
            self.notes.push(note);
        }
    }

    /// A deed to paths that another program lists.
    fn listed(&mut self, listing: &Listing, deed: Deed) {
        let start = listing.start.as_str();
        match deed {
            Deed::Read => {
                self.single(start, false, deed, start);
                if !self.tells_little {
                    if let Some(like) = listing.name.as_ref().filter(|like| holds_secret(like) || meets_secret(like)) {
                        let why = format!("{like:?} may hold secrets");
                        self.note(Part::new(Ask, "secrets", why, "read files without secrets"), start);
                    }
                    self.all_below(start, &|path| listing.takes_in(path));
                }
            }
            _ => {
                let folder = self.folders.iter().flatten().next().cloned().unwrap_or_default();
                let place = self.realm.workspace.locate(&folder, start, false);
                if place.places.iter().any(|p| matches!(p, paths::Place::Outside(_))) {
                    self.single(start, false, Deed::DeleteAll, start);
                }
                let why = format!("which of the files below {start:?} it changes cannot be told");
                self.note(Part::new(Ask, "reversible", why, "name the files"), start);
            }
        }
    }

    /// All below a folder is read, as far as it is `wanted`.
    pub(crate) fn all_below(&mut self, folder: &str, wanted: &dyn Fn(&str) -> bool) {
        for from in self.folders.clone().iter().flatten() {
            let part = paths::read_below(self.realm.workspace, from, folder, wanted);
            if part.decision > meliora_domain::Decision::Allow {
                self.note(part, folder);
            }
        }
    }

    /// What only all parts together show.
    fn together(&mut self, text: &str) {
        let secret = self.notes.iter().any(|note| note.article == "secrets" && note.why.contains("may hold secrets"));
        if secret && self.notes.iter().any(|note| note.network) {
            self.forbid("secrets", "it reads what may hold secrets and connects to other machines", "do neither", text);
        }
    }
}
