//! What the law says of reading, writing and deleting a path.

use std::path::Path;

use meliora_domain::Decision::{self, Allow, Ask, Forbid};

use super::secrets::{self, Found, holds_secret, meets_secret};
use super::workspace::{Workspace, has_part};

pub(crate) use super::workspace::Place;
use crate::path::{AGENTS, Bounds, NEVER, fold};

/// What is done with a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    Read,
    /// Code in it is run.
    Run,
    Write,
    /// It is written anew, and so is all that is below it.
    Rewrite,
    /// A file, or an empty folder.
    Delete,
    /// A folder with all that is in it.
    DeleteAll,
    /// It gets another name.
    Move,
    /// It gets a second name, through which it can be written.
    Link,
}

/// A judgement of one part of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) decision: Decision,
    pub(crate) article: &'static str,
    pub(crate) why: String,
    pub(crate) mend: &'static str,
}

impl Part {
    pub(crate) fn new(decision: Decision, article: &'static str, why: impl Into<String>, mend: &'static str) -> Self {
        Part { decision, article, why: why.into(), mend }
    }

    pub(crate) fn allow() -> Self {
        Part::new(Allow, "editable-paths", "it stays inside the workspace", "")
    }
}

/// Folders of the machine that no agent has to write to.
const SYSTEM: [&str; 14] =
    ["etc", "usr", "bin", "sbin", "lib", "lib32", "lib64", "boot", "dev", "proc", "sys", "root", "var", "run"];
/// What can be made anew: deleting it loses nothing.
const MADE: [&str; 26] = [
    "target",
    "build",
    "dist",
    "out",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    "coverage",
    "htmlcov",
    ".coverage",
    ".nyc_output",
    ".next",
    ".nuxt",
    ".turbo",
    ".cache",
    ".parcel-cache",
    ".gradle",
    "bin",
    "obj",
    ".eggs",
    "tmp",
    "temp",
];
/// Files with databases in them, by the ends of their names.
const DATABASES: [&str; 10] =
    [".db", ".db3", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".accdb", ".rdb", ".ldb", ".sqlite-wal"];

/// Files and folders that other programs run by themselves, without anybody starting them: on entering the folder, with a
/// commit, when an editor or an agent opens it, on the build server.
const RUNS_ITSELF: [&str; 20] = [
    ".mcp.json",
    ".envrc",
    ".husky",
    ".githooks",
    ".vscode/tasks.json",
    ".vscode/settings.json",
    ".vscode/mcp.json",
    ".cursor/mcp.json",
    ".claude/agents",
    ".claude/commands",
    ".claude/skills",
    ".claude/plugins",
    ".idea/workspace.xml",
    ".devcontainer",
    ".gitpod.yml",
    ".github/workflows",
    ".github/actions",
    ".gitlab-ci.yml",
    ".circleci",
    "lefthook.yml",
];

/// Whether one of a path's folders, or it itself, is this.
fn begins_with(names: &[&str], what: &str) -> bool {
    let what: Vec<&str> = what.split('/').collect();
    names.windows(what.len()).any(|some| some.iter().zip(&what).all(|(a, b)| fold(a) == *b || could_be(&fold(a), b)))
}

/// Whether a path is git's own settings of the workspace.
fn git_settings(inside: &str) -> bool {
    let parts: Vec<String> = inside.split('/').map(fold).collect();
    parts.iter().any(|part| part == ".git") && parts.last().is_some_and(|last| could_be(last, "config"))
        || parts.last().is_some_and(|last| last == ".git")
}

/// Whether nothing is said of the name of what a pattern meets: `/tmp/*`, `/tmp/?*/x`.
fn bare(path: &str) -> bool {
    let name = path.trim_start_matches("/tmp").trim_start_matches('/').split('/').next().unwrap_or_default();
    name.trim_matches(['*', '?', '.']).is_empty() || name.starts_with('[') && name.len() < 8
}

/// What the law says of a deed to a path that a command names. `pattern`: the shell fills it in.
pub(crate) fn judge(bounds: &Bounds, ws: &Workspace, from: &Path, path: &str, pattern: bool, deed: Deed) -> Part {
    let located = ws.locate(from, path, pattern);
    let mut worst = Part::allow();
    for place in &located.places {
        let part = match deed {
            Deed::Read | Deed::Run => read(ws, place, path, deed),
            _ => change(bounds, ws, place, path, pattern, deed),
        };
        if part.decision > worst.decision {
            worst = part;
        }
    }
    if worst.decision == Allow && pattern && deed == Deed::Read {
        worst = met(ws, from, path);
    }
    if worst.decision == Allow && matches!(deed, Deed::Move | Deed::Link) && (holds_secret(path) || meets_secret(path))
    {
        let why = format!("{path:?} may hold secrets, and gets another name");
        return Part::new(Ask, "secrets", why, "leave secrets where they are");
    }
    if worst.decision == Allow && matches!(deed, Deed::Write | Deed::Rewrite) {
        if located.linked {
            let why = format!("{path:?} leads through a link");
            return Part::new(Ask, "editable-paths", why, "name the file that the link leads to");
        }
        if ws.shared(from, path) {
            let why = format!("{path:?} is a file of several names, so writing to it changes all of them");
            return Part::new(Ask, "editable-paths", why, "write to a new file");
        }
    }
    worst
}

const READABLE: &str = "read files of the workspace only, none that hold secrets";

/// What the files that a pattern meets may hold.
fn met(ws: &Workspace, from: &Path, pattern: &str) -> Part {
    let start = pattern.find(['*', '?', '[', '{']).map_or("", |at| &pattern[..at]);
    let start = start.rfind('/').map_or("", |at| &start[..=at]);
    let rest = &pattern[start.len()..];
    let meets = |path: &str| {
        let parts = path.split('/').count() == rest.split('/').count() || rest.contains("**");
        let hidden = path.split('/').zip(rest.split('/')).any(|(a, b)| a.starts_with('.') && b.starts_with('*'));
        parts && !hidden && fast_glob::glob_match(rest, path)
    };
    found(secrets::below(&ws.folder(from, start), &meets), pattern)
}

/// What a search for secrets says of reading all that it looked at.
fn found(found: Found, path: &str) -> Part {
    let why = match found {
        Found::Nothing => return Part::allow(),
        Found::Secret(file) => format!("{path:?} takes in {file:?}, which may hold secrets"),
        Found::TooMuch => format!("{path:?} takes in more files than can be looked through for secrets"),
    };
    Part::new(Ask, "secrets", why, "name the files, or a folder without secrets in it")
}

/// What reading all below a folder says: `wanted` tells which of the paths below it are read.
pub(crate) fn read_below(ws: &Workspace, from: &Path, folder: &str, wanted: &dyn Fn(&str) -> bool) -> Part {
    found(secrets::below(&ws.folder(from, folder), wanted), folder)
}

fn read(ws: &Workspace, place: &Place, path: &str, deed: Deed) -> Part {
    const MEND: &str = READABLE;
    let secret = |text: &str| Part::new(Ask, "secrets", format!("{text:?} may hold secrets"), MEND);
    match place {
        Place::Nowhere => Part::allow(),
        Place::Temporary if deed == Deed::Run => {
            let why = format!("{path:?} is code from outside of the workspace");
            Part::new(Ask, "unreviewed-code", why, "run code of the workspace")
        }
        Place::Temporary if holds_secret(path) || meets_secret(path) => secret(path),
        Place::Temporary => Part::allow(),
        Place::Inside(inside) if holds_secret(inside) || meets_secret(inside) => secret(inside),
        Place::Inside(inside) if git_settings(inside) && ws.remotes_hold_secrets() => {
            let why = format!("{path:?} holds the address of a remote with a password or token in it");
            Part::new(Ask, "secrets", why, "keep credentials out of addresses, in a credential helper")
        }
        Place::Inside(inside) if has_part(inside, &[".meliora"]) => {
            let why = format!("{path:?} belongs to Meliora, results that must stay sealed among it");
            Part::new(Ask, "audit-immutable", why, "ask `meliora log` and `meliora show`")
        }
        Place::Inside(_) => Part::allow(),
        Place::Outside(out) if ws.holds_keys(out) => {
            let why = format!("{out:?} holds the keys that people sign with");
            Part::new(Forbid, "self-approval", why, "leave keys to people")
        }
        Place::Outside(out) if holds_secret(out) => secret(out),
        Place::Outside(out) if deed == Deed::Read && harmless(out) => Part::allow(),
        Place::Outside(out) => {
            let why = format!("{out:?} lies outside of the workspace");
            Part::new(Ask, "editable-paths", why, MEND)
        }
        Place::Unknown => Part::new(Ask, "command-understood", format!("where {path:?} leads cannot be told"), MEND),
    }
}

fn change(bounds: &Bounds, ws: &Workspace, place: &Place, path: &str, pattern: bool, deed: Deed) -> Part {
    const MEND: &str = "write inside of the workspace, to files that `editable` names, or below /tmp";
    let does = match deed {
        Deed::Delete | Deed::DeleteAll => "deletes",
        Deed::Move => "moves",
        Deed::Link => "links to",
        Deed::Rewrite => "writes anew",
        _ => "writes to",
    };
    match place {
        Place::Nowhere => Part::allow(),
        Place::Temporary if has_part(path, &["constitution.yaml"]) => protected("constitution.yaml", path),
        Place::Temporary if pattern && matches!(deed, Deed::Delete | Deed::DeleteAll | Deed::Move) && bare(path) => {
            let why = format!("{path:?} takes in what other programs keep there");
            Part::new(Ask, "reversible", why, "name what is your own")
        }
        Place::Temporary => Part::allow(),
        Place::Inside(inside) => change_inside(bounds, ws, inside, path, pattern, deed),
        Place::Outside(out)
            if ws.holds_keys(out)
                || ws.keys_below(out) && matches!(deed, Deed::Delete | Deed::DeleteAll | Deed::Move) =>
        {
            let why = format!("it {does} {out:?}, where the keys lie that people sign with");
            Part::new(Forbid, "self-approval", why, "leave keys to people")
        }
        Place::Outside(out) => {
            let first = out.split('/').find(|part| !part.is_empty()).unwrap_or_default();
            let home = ws.home().to_string_lossy();
            let whole = matches!(deed, Deed::Delete | Deed::DeleteAll | Deed::Move)
                && (ws.lies_in(out) || home.starts_with(out.as_str()));
            let of_home = out.strip_prefix(home.as_ref()).map(|rest| rest.trim_start_matches('/'));
            let steers =
                of_home.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') && !rest.starts_with(".cache/"));
            let homes = first == "home" && of_home.is_none();
            let kept = out.starts_with("/var/tmp/");
            let forbidden = whole || first.is_empty() || SYSTEM.contains(&first) && !kept || steers || homes;
            let why = format!("it {does} {out:?}, outside of the workspace");
            Part::new(if forbidden { Forbid } else { Ask }, "editable-paths", why, MEND)
        }
        Place::Unknown => {
            let why = format!("where {path:?} leads cannot be told, and it {does} it");
            Part::new(Ask, "command-understood", why, MEND)
        }
    }
}

fn change_inside(bounds: &Bounds, ws: &Workspace, inside: &str, path: &str, pattern: bool, deed: Deed) -> Part {
    let names: Vec<&str> = inside.split('/').collect();
    if pattern {
        // A pattern meets a protected name when it could stand for it.
        let meets = |name: &&&str| names.iter().any(|part| could_be(&fold(part), name));
        if let Some(name) = NEVER.iter().find(meets) {
            return softened(protected(name, path), inside, deed);
        }
        let lists = bounds.protected().map(|parts| parts.join("/"));
        if let Some(held) = lists
            .into_iter()
            .find(|held| could_be(inside, held) || held.starts_with(&format!("{}/", before_pattern(inside))))
        {
            return softened(protected(&held, path), inside, deed);
        }
        let lower: Vec<String> = names.iter().map(|part| fold(part)).collect();
        let steers = |(folder, name): &&(&str, &str)| {
            lower.windows(2).any(|two| could_be(&two[0], folder) && could_be(&two[1], name))
        };
        if let Some((folder, name)) = AGENTS.iter().find(steers) {
            return protected(&format!("{folder}/{name}"), path);
        }
    } else if let Err(refusal) = bounds.unprotected(inside) {
        if let Some(name) = names.iter().map(|part| fold(part)).find(|part| NEVER.contains(&part.as_str())) {
            return protected(&name, path);
        }
        let article = crate::article(&refusal.article).map_or("protected-paths", |article| article.id);
        return Part { decision: Forbid, article, why: refusal.reason, mend: "change other files" };
    }
    let deletes = matches!(deed, Deed::Delete | Deed::DeleteAll | Deed::Move);
    if deed == Deed::Rewrite {
        return rewrite(bounds, ws, inside, path);
    }
    if let Some((folder, _)) = AGENTS.iter().find(|(folder, _)| names.last().is_some_and(|last| fold(last) == *folder))
        && (deletes || deed == Deed::Write)
    {
        let why = format!("{path:?} may hold what decides when {folder:?} asks the law");
        return Part::new(if deletes { Forbid } else { Ask }, "protected-paths", why, "change single files in it");
    }
    // The workspace itself holds the constitution, the archive and the history.
    if inside.is_empty() && (deletes || matches!(deed, Deed::Write | Deed::Link)) {
        return softened(protected("the workspace itself", path), "*", deed);
    }
    if let Some(held) = bounds.protected().find(|held| deletes && held.join("/").starts_with(&format!("{inside}/"))) {
        return protected(&held.join("/"), path);
    }
    if DATABASES.iter().any(|end| inside.to_lowercase().ends_with(end)) {
        let does = if deletes { "deletes" } else { "writes over" };
        let why = format!("it {does} the database {path:?}");
        return Part::new(Ask, "database-deletion", why, "leave databases as they are, or ask a person");
    }
    if names.last().is_some_and(|name| could_be(&fold(name), "head")) {
        let why = format!("with {path:?} git may take the folder for a repository, whose settings run programs");
        return Part::new(Ask, "history-immutable", why, "give it another name");
    }
    if let Some(name) = RUNS_ITSELF.iter().find(|name| begins_with(&names, name)) {
        let why = format!("{path:?} is or lies in {name:?}, which other programs run by themselves");
        return Part::new(Ask, "unreviewed-code", why, "write other files, or let a person look at this one");
    }
    if deed == Deed::DeleteAll && !names.iter().any(|part| MADE.contains(part)) {
        let why =
            format!("it deletes {path:?} with all that is in it, which nothing can bring back that is in no commit");
        return Part::new(Ask, "reversible", why, "delete single files, or what a build makes anew");
    }
    // Which files a pattern meets is not looked into; in a folder that a build makes it does not matter.
    if !names.iter().any(|part| MADE.contains(part)) && (pattern || !bounds.editable(inside)) {
        let why = if pattern {
            format!("which files {path:?} meets cannot be told")
        } else {
            format!("{path:?} is not editable")
        };
        return Part::new(Ask, "editable-paths", why, "write to files that `editable` in meliora.toml names");
    }
    Part::allow()
}

/// A program that writes files anew takes all that is below a folder, so what is protected there, too.
fn rewrite(bounds: &Bounds, ws: &Workspace, inside: &str, path: &str) -> Part {
    let at = ws.root().join(inside);
    let below = |held: &str| at.is_dir() && held.starts_with(&folded(inside)) && ws.root().join(held).exists();
    let protected = bounds.protected().map(|parts| parts.join("/")).filter(|held| !held.starts_with(".meliora"));
    if let Some(held) = protected.into_iter().find(|held| below(held)) {
        let why = format!("it writes all files below {path:?} anew, {held:?} among them, which nothing may change");
        return Part::new(Ask, "protected-paths", why, "name the files or folders that are to change");
    }
    if !at.is_dir() && !inside.is_empty() && !bounds.editable(inside) {
        let why = format!("{path:?} is not editable");
        return Part::new(Ask, "editable-paths", why, "write to files that `editable` in meliora.toml names");
    }
    Part::allow()
}

/// A folder's path, folded, as what lies below it begins.
fn folded(inside: &str) -> String {
    match inside {
        "" => String::new(),
        inside => inside.split('/').map(fold).collect::<Vec<_>>().join("/") + "/",
    }
}

/// What is written to by a bare `*` may well be other files: a person decides.
fn softened(part: Part, pattern: &str, deed: Deed) -> Part {
    let bare = pattern.rsplit('/').next().is_some_and(|last| last.trim_matches(['*', '.']).is_empty());
    let decision = if bare && deed == Deed::Write { Ask } else { part.decision };
    Part { decision, ..part }
}

fn protected(name: &str, path: &str) -> Part {
    let article = match name {
        "constitution.yaml" | "constitution.yaml.minisig" => "constitution-immutable",
        ".meliora" => "audit-immutable",
        ".git" | ".gitmodules" | ".gitattributes" | "git~1" | "gitmod~1" => "history-immutable",
        _ => "protected-paths",
    };
    let why = format!("{path:?} may be or hold {name:?}, which nothing may change");
    Part::new(Forbid, article, why, "name the files that are to change, none of them protected")
}

/// Whether a shell's pattern could stand for this name. A leading dot is met by a dot only.
pub(super) fn could_be(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') && pattern.starts_with(['*', '?', '[']) {
        return false;
    }
    pattern == name || (pattern.contains(['*', '?', '[', '{']) && fast_glob::glob_match(without_sets(pattern), name))
}

/// The pattern with any one character in the place of each set: what a set holds, and what a locale makes of it, is not
/// looked into.
fn without_sets(pattern: &str) -> String {
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some((before, set)) = rest.split_once('[') {
        out.push_str(before);
        // `[]x]` and `[!]x]` hold a bracket, `[[:alpha:]]` two.
        let inner = set.trim_start_matches(['!', '^']);
        let skip = set.len() - inner.len() + usize::from(inner.starts_with(']'));
        let classes = set.get(skip..).unwrap_or_default();
        let end = match classes.rfind(":]").filter(|_| classes.contains("[:")) {
            Some(class) => classes[class + 2..].find(']').map(|end| class + 2 + end),
            None => classes.find(']'),
        };
        match end {
            Some(end) => {
                out.push('?');
                rest = &classes[end + 1..];
            }
            None => {
                out.push('?');
                rest = set;
            }
        }
    }
    out + rest
}

fn before_pattern(path: &str) -> &str {
    path.split('/').next().filter(|part| !part.contains(['*', '?', '[', '{'])).unwrap_or("\0")
}

/// What every user may read and that tells nothing secret.
fn harmless(path: &str) -> bool {
    const FOLDERS: [&str; 5] =
        ["/usr/include/", "/usr/share/doc/", "/usr/share/man/", "/usr/lib/python3", "/usr/share/dict/"];
    FOLDERS.iter().any(|folder| path.starts_with(folder))
}
