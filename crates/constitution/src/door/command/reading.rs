//! Programs that read more than they name: whole folders, and paths that another program listed.

use meliora_domain::Decision::Ask;

use super::flags::{Taken, shown};
use super::table::Program;
use super::{Arg, Flow, Judge, Listing};
use crate::door::paths::Part;
use crate::door::secrets::{holds_secret, meets_secret};
use crate::door::tracked;

impl Judge<'_> {
    /// The paths that a program prints: its own, or those that flowed in.
    pub(super) fn lists(&self, name: &str, program: &Program, taken: &Taken, input: &Flow) -> Option<Listing> {
        let passed = program.filter && taken.words.is_empty() || program.pattern && !program.lists;
        match (program.lists, &input.lists) {
            (true, _) if program.special.is_some() => None,
            // They leave out names with a dot at their front; git knows those, too.
            (true, _) => {
                let all = ["a", "A", "all", "hidden", "H", ".", "u", "unrestricted"];
                Some(Listing { hidden: name == "git" || taken.has(&all), bare: true, ..Listing::of(".") })
            }
            (false, Some(listing)) if passed && name != "xargs" => Some(listing.clone()),
            _ => None,
        }
    }

    /// A program that reads all that is in the folders it is given.
    pub(super) fn whole_folders(&mut self, name: &str, taken: &Taken, input: &Flow) {
        let recursive = taken.has(&["r", "R", "recursive", "dereference-recursive"]);
        let hidden = taken.has(&["hidden", ".", "unrestricted", "no-ignore", "u"]);
        let reads = match name {
            "grep" | "egrep" | "fgrep" | "zgrep" => {
                recursive || taken.values.iter().any(|(flag, value)| flag == "directories" && shown(value) == "recurse")
            }
            // Without a word they search the folder of the moment, or what flows in. All but what has a dot at its front.
            "rg" | "ag" | "ack" => {
                let given = usize::from(!taken.has(&["e", "f", "regexp", "file"]));
                let names = ["files", "type-list", "l", "c", "q", "quiet", "count", "files-with-matches"];
                !(taken.has(&names) || input.any && taken.words.len() <= given)
            }
            "diff" => taken.has(&["r", "recursive"]),
            "cp" => taken.has(&["r", "R", "a", "recursive", "archive"]),
            // Under another name it may be read as what it is not.
            "mv" => true,
            _ => false,
        };
        let filters = ["include", "glob", "iglob", "g", "G"];
        let only: Vec<String> = taken
            .values
            .iter()
            .filter(|(flag, value)| filters.contains(&flag.as_str()) && !shown(value).starts_with('!'))
            .map(|(_, value)| shown(value).to_owned())
            .collect();
        if let Some(like) = only.iter().find(|like| holds_secret(like) || meets_secret(like)) {
            let why = format!("{like:?} may hold secrets");
            self.note(Part::new(Ask, "secrets", why, "search in files without secrets"), like);
        }
        if !reads || self.tells_little {
            return;
        }
        let given = taken.has(&["e", "f", "regexp", "file"]);
        let places = matches!(name, "cp" | "mv");
        let skip = usize::from(!given && !places && name != "diff");
        let last = places && !taken.has(&["t", "target-directory"]);
        let end = taken.words.len().saturating_sub(usize::from(last));
        let words: Vec<&str> = taken.words.get(skip..end.max(skip)).unwrap_or_default().iter().map(shown).collect();
        let words = if words.is_empty() && !places { vec!["."] } else { words };
        let all = hidden || !matches!(name, "rg" | "ag" | "ack");
        let wanted = |path: &str| {
            if !all && path.split('/').any(|part| part.starts_with('.')) {
                return false;
            }
            let base = path.rsplit('/').next().unwrap_or(path);
            let meets = |like: &String| fast_glob::glob_match(like, base) || fast_glob::glob_match(like, path);
            only.is_empty() || only.iter().any(meets)
        };
        for word in words {
            self.all_below(word, &wanted);
        }
    }

    /// Diffs and commits that git shows: of all that it tracks, but for what is named.
    pub(super) fn history(&mut self, taken: &Taken, args: &[Arg]) {
        if !shows_contents(taken, args) {
            return;
        }
        let words: Vec<&str> = taken.words.iter().map(shown).collect();
        // `HEAD:path` is that file alone.
        if !words.is_empty() && words.iter().all(|word| word.contains(':') && !word.starts_with(':')) {
            return;
        }
        let behind = args.iter().position(|arg| shown(arg) == "--").map(|at| args.len() - at - 1);
        for folder in self.folders.clone().iter().flatten() {
            let (revisions, paths): (Vec<&str>, Vec<&str>) = match behind {
                Some(count) => {
                    let (before, behind) = words.split_at(words.len().saturating_sub(count));
                    (before.to_vec(), behind.to_vec())
                }
                None => words.iter().partition(|word| !folder.join(word).exists()),
            };
            // Without a commit to hold it against, only what was changed since it was added is shown.
            let diff = taken.own.checked_sub(1).and_then(|at| args.get(at)).is_some_and(|arg| shown(arg) == "diff");
            let changed = diff && revisions.is_empty() && !taken.has(&["cached", "staged", "merge-base"]);
            let found = match tracked::secrets(folder) {
                Some(tracked) => tracked
                    .first(folder, &paths, changed)
                    .map(|file| format!("it may show {file:?}, which git tracks and which may hold secrets")),
                None => Some("which files git tracks cannot be told, and it shows what stands in them".to_owned()),
            };
            if let Some(why) = found {
                let mend = "name the files behind `--`, or look at `--stat` alone";
                self.note(Part::new(Ask, "secrets", why, mend), "git");
            }
        }
    }
}

/// Whether a command of git shows what stands in files that nobody has to name for it.
fn shows_contents(taken: &Taken, args: &[Arg]) -> bool {
    let patch = taken.has(&["p", "u", "U", "patch", "unified", "patch-with-stat", "cc", "L"]);
    let brief = ["stat", "numstat", "shortstat", "dirstat", "summary", "name-only", "name-status", "raw", "quiet"];
    let brief = taken.has(&brief) || taken.has(&["s", "no-patch", "check", "compact-summary"]);
    let called = |back: usize| taken.own.checked_sub(back).and_then(|at| args.get(at)).map_or("", shown);
    match called(1) {
        "show" | "list" if called(2) == "stash" => patch,
        "diff" | "show" | "range-diff" => patch || !brief,
        "log" | "whatchanged" | "reflog" | "diff-tree" | "diff-index" | "diff-files" => patch,
        _ => false,
    }
}

/// Whether a program tells nothing of what stands in the files that it reads: it counts, names or compares.
pub(super) fn tells_little(name: &str, args: &[Arg]) -> bool {
    // Behind a letter that takes a text, what follows in the word is that: `-reclient` searches for `client`.
    let letters = |word: &str| -> String { word[1..].chars().take_while(|c| !"efABCmdD".contains(*c)).collect() };
    let flag = |wanted: &[char]| {
        args.iter().take_while(|arg| shown(arg) != "--").any(|arg| {
            matches!(arg, Arg::Plain(word) if word.starts_with('-') && !word.starts_with("--") && letters(word).contains(wanted))
        })
    };
    match name {
        "wc" | "ls" | "dir" | "vdir" | "stat" | "du" | "df" | "file" | "readlink" | "realpath" | "cksum" | "sum"
        | "test" | "[" | "tree" => true,
        "grep" | "egrep" | "fgrep" => flag(&['l', 'L', 'q', 'c']),
        name => name.ends_with("sum"),
    }
}
