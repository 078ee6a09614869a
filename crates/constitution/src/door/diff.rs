//! What the law says of a diff in git's form: which files it writes, deletes, renames, and what it makes of them.
//!
//! Read strictly, line by line, as `git apply` would: what is not surely understood is asked about. A file that a diff
//! touches twice under two spellings, a link, a submodule, bytes that nobody can read: a person decides.

use meliora_domain::Decision::{Allow, Ask, Forbid};
use meliora_domain::counted;

use super::paths::{Deed, Part};
use super::{Note, Realm};

/// Largest diff that is looked into, in bytes.
const LONGEST: usize = 8 << 20;
/// Most files and lines that a diff may change without a person.
const MOST_FILES: usize = 200;
const MOST_LINES: usize = 20_000;
const MEND: &str = "offer plain text changes to files of the workspace, in git's form, with few files";

/// What a diff does to one file.
#[derive(Default)]
struct File {
    paths: Vec<(String, Deed)>,
    header: String,
}

pub(crate) fn judge(realm: &Realm<'_>, text: &str) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut ask = |article: &'static str, why: String, matched: &str| {
        notes.push(Note::of(Part::new(Ask, article, why, MEND), matched));
    };
    if text.len() > LONGEST {
        ask("size", "it is too long to be understood".into(), "");
        return notes;
    }
    let mut files: Vec<File> = Vec::new();
    let (mut changed, mut hunk) = (0usize, (0usize, 0usize));
    for line in text.split('\n') {
        if hunk != (0, 0) {
            match line.as_bytes().first() {
                Some(b' ') | None => hunk = (hunk.0.saturating_sub(1), hunk.1.saturating_sub(1)),
                Some(b'-') => (changed, hunk.0) = (changed + 1, hunk.0.saturating_sub(1)),
                Some(b'+') => (changed, hunk.1) = (changed + 1, hunk.1.saturating_sub(1)),
                Some(b'\\') => {}
                _ => {
                    ask("command-understood", "a hunk does not hold as many lines as it says".into(), line);
                    hunk = (0, 0);
                }
            }
            continue;
        }
        if let Some(header) = line.strip_prefix("diff --git ") {
            let mut file = File { header: line.to_owned(), ..File::default() };
            match header_paths(header) {
                Some((old, new)) => {
                    file.paths.push((old, Deed::Write));
                    file.paths.push((new, Deed::Write));
                }
                None => ask("command-understood", "which file it changes cannot be told".into(), line),
            }
            files.push(file);
            continue;
        }
        if line.starts_with("--- ") || line.starts_with("+++ ") {
            let name = &line[4..];
            let name = name.split('\t').next().unwrap_or(name);
            if name != "/dev/null" {
                match plain(name) {
                    Some(path) => {
                        let path = path.strip_prefix("a/").or(path.strip_prefix("b/")).unwrap_or(&path).to_owned();
                        if files.is_empty()
                            || line.starts_with("--- ") && files.last().is_some_and(|f| f.header.is_empty())
                        {
                            files.push(File::default());
                        }
                        if let Some(file) = files.last_mut() {
                            file.paths.push((path, Deed::Write));
                        }
                    }
                    None => ask("command-understood", "which file it changes cannot be told".into(), line),
                }
            }
            continue;
        }
        if let Some(rest) = line.strip_prefix("@@ ") {
            match counts(rest) {
                Some(both) => hunk = both,
                None => ask("command-understood", "a hunk's place cannot be told".into(), line),
            }
            continue;
        }
        let named = [
            ("rename from ", Deed::Move),
            ("rename to ", Deed::Write),
            ("copy from ", Deed::Read),
            ("copy to ", Deed::Write),
        ];
        if let Some((begin, deed)) = named.into_iter().find(|(begin, _)| line.starts_with(begin)) {
            match (plain(&line[begin.len()..]), files.last_mut()) {
                (Some(path), Some(file)) => file.paths.push((path, deed)),
                _ => ask("command-understood", "what it renames cannot be told".into(), line),
            }
            continue;
        }
        match line.split_once(' ') {
            Some(("deleted", mode)) if mode.starts_with("file mode ") => {
                if let Some(file) = files.last_mut() {
                    file.paths.iter_mut().for_each(|(_, deed)| *deed = Deed::Delete);
                }
                special(mode, line, &mut ask);
            }
            Some(("new" | "old", mode)) if mode.starts_with("file mode ") || mode.starts_with("mode ") => {
                special(mode, line, &mut ask)
            }
            Some(("index", rest)) => special(rest, line, &mut ask),
            Some(("GIT", "binary patch")) => {
                ask("command-understood", "it changes bytes that nobody can read in it".into(), line)
            }
            Some(("Binary", _)) => ask("command-understood", "it changes a file that it does not show".into(), line),
            Some(("similarity" | "dissimilarity", _)) => {}
            // What stands before the first file is a message.
            _ if files.is_empty() || line.trim().is_empty() => {}
            Some(("--", _)) | None if line.starts_with("-- ") || line == "--" => {}
            _ => ask("command-understood", "a line of it is no part of a diff".into(), line),
        }
    }
    if hunk != (0, 0) {
        ask("command-understood", "it ends within a hunk".into(), "");
    }
    if files.is_empty() {
        ask("command-understood", "it is no diff in git's form".into(), text);
    }
    if files.len() > MOST_FILES || changed > MOST_LINES {
        ask(
            "size",
            format!("it changes {} and {} at once", counted(files.len(), "file"), counted(changed, "line")),
            "",
        );
    }
    for (path, deed) in files.iter().flat_map(|file| &file.paths) {
        if path.split('/').any(|part| part == "..") || path.starts_with('/') || path.chars().any(crate::path::deceives)
        {
            let why = format!("{path:?} is no plain path inside of the workspace");
            notes.push(Note::of(Part::new(Forbid, "path-form", why, MEND), path));
            continue;
        }
        let root = realm.workspace.root().to_owned();
        let part = realm.path(&root, path, false, *deed);
        if part.decision > Allow {
            notes.push(Note::of(part, path));
        }
        notes.extend(realm.own_paths(&[Some(root)], path, *deed));
    }
    notes
}

/// Modes of files that are more than files: git's 120000 is a link, 160000 a submodule.
fn special(mode: &str, line: &str, ask: &mut impl FnMut(&'static str, String, &str)) {
    let mode = mode.rsplit(' ').next().unwrap_or(mode);
    match mode {
        "120000" => ask("editable-paths", "it makes a link, which may lead anywhere".into(), line),
        "160000" => ask("unreviewed-code", "it changes a submodule, which is code from elsewhere".into(), line),
        "100755" if line.starts_with("new mode") => ask("unreviewed-code", "it makes a file a program".into(), line),
        "100644" | "100755" => {}
        _ if mode.contains("..") => {}
        _ => ask("command-understood", format!("the mode {mode:?} is not known"), line),
    }
}

/// The two paths of `diff --git a/x b/x`, where there is only one way to read them.
fn header_paths(header: &str) -> Option<(String, String)> {
    if header.contains('"') {
        let mut parts = Vec::new();
        let mut rest = header.trim();
        while !rest.is_empty() {
            let end = match rest.starts_with('"') {
                true => 1 + rest[1..].find('"').map(|at| at + 1)?,
                false => rest.find(' ').unwrap_or(rest.len()),
            };
            parts.push(plain(&rest[..end])?);
            rest = rest[end..].trim_start();
        }
        let [old, new] = <[String; 2]>::try_from(parts).ok()?;
        return Some((old.strip_prefix("a/")?.to_owned(), new.strip_prefix("b/")?.to_owned()));
    }
    let rest = header.strip_prefix("a/")?;
    let mut ways = rest.match_indices(" b/").map(|(at, _)| (&rest[..at], &rest[at + 3..]));
    let first = ways.next()?;
    let same = std::iter::once(first).chain(ways.clone()).find(|(old, new)| old == new);
    match (same, ways.next()) {
        (Some((old, new)), _) => Some((old.to_owned(), new.to_owned())),
        (None, None) => Some((first.0.to_owned(), first.1.to_owned())),
        (None, Some(_)) => None,
    }
}

/// A path as git writes it: in quotes where it has characters that are not plain. Of escapes only `\"` and `\\` are read.
fn plain(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return (!text.is_empty() && !text.contains(['"', '\r'])).then(|| text.to_owned());
    };
    (!inner.contains('\\')).then(|| inner.to_owned())
}

/// How many lines of the old and of the new file a hunk holds: `-1,3 +1,4 @@`.
fn counts(text: &str) -> Option<(usize, usize)> {
    let mut parts = text.split(' ');
    let mut count = |sign: char| {
        let part = parts.next()?.strip_prefix(sign)?;
        match part.split_once(',') {
            Some((start, count)) => start.parse::<usize>().ok().and(count.parse().ok()),
            None => part.parse::<usize>().ok().map(|_| 1),
        }
    };
    let both = (count('-')?, count('+')?);
    (parts.next() == Some("@@")).then_some(both)
}
