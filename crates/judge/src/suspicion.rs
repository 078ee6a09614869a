//! Whether code or a change to it games its objective: rules on syntax trees, one for each way to a better score without
//! better work.
//!
//! Pure, and in no way a proof: what is found asks for a person, and what is not found may still cheat. Comments are no
//! evidence, texts only where they are executed, printed or spoken to a judge. Families of such cheats are described for
//! language models by Baker et al., arXiv 2503.11926, and METR, "Recent Frontier Models Are Reward Hacking" (2025).

mod change;
mod fold;
mod imports;
mod kinds;
mod language;
mod loosened;
mod rules;
mod scene;
mod tree;

use std::collections::BTreeSet;

pub use language::{Language, without_comments};
pub use rules::RULES;

/// Texts beyond this are not read: no person writes them, and the answer would come late. One that a change makes so long is
/// told for that.
const LONGEST: usize = 1 << 20;

/// One reason to suspect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Id of the rule, one of [`RULES`].
    pub rule: &'static str,
    /// Path of the file; empty for a text without one.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// That line, shortened.
    pub excerpt: String,
    /// What it does, in words that complete "this code …".
    pub words: String,
}

/// One file of a change: its path and what is in it before and after; `None` where it is not there.
pub type FileChange<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Looks at one text. Without a path its language is guessed; a unified diff is taken as the change that it describes.
pub fn look(path: Option<&str>, text: &str) -> Vec<Finding> {
    if text.len() > LONGEST {
        return Vec::new();
    }
    if path.is_none() && text.lines().any(|l| l.starts_with("+++ ")) && text.lines().any(|l| l.starts_with("--- ")) {
        let files = halves(text);
        let changes: Vec<FileChange<'_>> =
            files.iter().map(|(path, old, new)| (path.as_str(), Some(old.as_str()), Some(new.as_str()))).collect();
        return look_at_change(&changes, &BTreeSet::new());
    }
    let language = path.map_or_else(|| Language::guess(text), Language::of_path);
    let mut found = rules::look(language, path.unwrap_or_default(), text);
    found.iter_mut().for_each(|f| f.file = path.unwrap_or_default().to_owned());
    found
}

/// Looks at a change: what is found in it after and was not there before, and what it took away.
///
/// `inputs` are inputs of tasks, each as compact JSON; one that newly stands in the code as a case of its own is told.
pub fn look_at_change(files: &[FileChange<'_>], inputs: &BTreeSet<String>) -> Vec<Finding> {
    let mut out = Vec::new();
    let gone = change::functions_gone(files);
    // What is expected may change together with the code that gives it.
    let beside = files.iter().any(|(path, before, after)| !scene::test_path(path) && before != after);
    for (path, before, after) in files {
        if before == after {
            continue;
        }
        let long = |text: &Option<&str>| text.is_some_and(|t| t.len() > LONGEST);
        if long(before) || long(after) {
            let hides = long(after) && !long(before) && Language::of_path(path) != Language::Prose;
            let bytes = after.map_or(0, str::len);
            out.extend(hides.then(|| Finding {
                rule: "hidden-data",
                file: (*path).to_owned(),
                line: 1,
                excerpt: String::new(),
                words: format!("has grown to {bytes} bytes, more than anybody reads"),
            }));
            continue;
        }
        let Some(after) = after else {
            if scene::test_path(path) && before.is_some_and(|b| !b.trim().is_empty()) {
                out.push(Finding {
                    rule: "removed-check",
                    file: (*path).to_owned(),
                    line: 1,
                    excerpt: String::new(),
                    words: "takes a file of tests away".to_owned(),
                });
            }
            continue;
        };
        let language = Language::of_path(path);
        // What was there before is not of this change, wherever its line is now.
        let mut old: Vec<(&'static str, String)> = before
            .map(|text| rules::look(language, path, text).into_iter().map(|f| (f.rule, f.excerpt)).collect())
            .unwrap_or_default();
        let mut found = rules::look(language, path, after);
        found.retain(|f| match old.iter().position(|(rule, excerpt)| *rule == f.rule && *excerpt == f.excerpt) {
            Some(at) => {
                old.swap_remove(at);
                false
            }
            None => true,
        });
        found.extend(change::between(language, path, before.unwrap_or_default(), after, inputs, &gone, beside));
        found.iter_mut().for_each(|f| f.file = (*path).to_owned());
        out.extend(found);
    }
    out
}

/// The files of a unified diff, each as far as it is shown before and after.
fn halves(diff: &str) -> Vec<(String, String, String)> {
    let mut files: Vec<(String, String, String)> = Vec::new();
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ ") {
            let path = path.split('\t').next().unwrap_or(path);
            files.push((path.trim_start_matches("b/").to_owned(), String::new(), String::new()));
        } else if let Some(rest) = line.strip_prefix("@@") {
            // What a hunk is in is told behind its numbers; only Python closes nothing.
            let within = rest.rsplit("@@").next().unwrap_or(rest).trim();
            let opens = ["def ", "class ", "async def "].iter().any(|w| within.starts_with(w)) && within.ends_with(':');
            if let Some((_, old, new)) = files.last_mut().filter(|(path, _, _)| opens && path.ends_with(".py")) {
                for half in [old, new] {
                    half.push_str(within);
                    half.push('\n');
                }
            }
        } else if !line.starts_with("--- ")
            && let Some((_, old, new)) = files.last_mut()
        {
            let (mark, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
            for half in [(mark != "+").then_some(old), (mark != "-").then_some(new)].into_iter().flatten() {
                half.push_str(rest);
                half.push('\n');
            }
        }
    }
    files
}
