//! What a command hides that no table of its flags shows: words that may be flags, builtins that set or run, names that the
//! law protects in places where nobody looks for paths.

use super::flags::shown;
use super::{Arg, Judge};
use crate::door::paths::Deed;
use crate::path::fold;

/// Programs whose words are looked at one by one, or that only show what they are told.
const LOOKED_AT: [&str; 50] = [
    "cat",
    "head",
    "tail",
    "less",
    "more",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "ls",
    "wc",
    "stat",
    "file",
    "diff",
    "cmp",
    "git",
    "tree",
    "du",
    "find",
    "sort",
    "uniq",
    "cut",
    "awk",
    "sed",
    "echo",
    "printf",
    "test",
    "[",
    "meliora",
    "sha256sum",
    "md5sum",
    "nl",
    "od",
    "xxd",
    "jq",
    "yq",
    "bat",
    "realpath",
    "readlink",
    "basename",
    "dirname",
    "cp",
    "mv",
    "rm",
    "touch",
    "tee",
    "chmod",
    "ln",
    "mkdir",
    "cd",
];
/// Programs that do nothing with a word but say or compare it.
const TEXT: [&str; 9] = ["echo", "printf", "test", "[", "true", ":", "exit", "return", "seq"];
/// Options of the shell that make a script stricter, and nothing else.
const STRICT: [&str; 6] = ["errexit", "nounset", "xtrace", "pipefail", "errtrace", "noclobber"];

impl Judge<'_> {
    pub(super) fn hidden(&mut self, args: &[Arg], text: &str) {
        let Some(Arg::Plain(program)) = args.first() else { return };
        let rest = args.get(1..).unwrap_or_default();
        let words: Vec<&str> = rest.iter().map(shown).collect();
        let options = rest.iter().take_while(|arg| !matches!(arg, Arg::Plain(word) if word == "--"));
        let unknown = |arg: &Arg| matches!(arg, Arg::Opaque { begin, .. } if begin.is_empty());
        if !TEXT.contains(&program.as_str()) && options.into_iter().any(unknown) {
            self.doubt("command-understood", "a word of which nothing is known may be a flag or a command", text);
        }
        if shows_settings(program, &words) {
            self.doubt("secrets", "it shows the environment or settings, which may hold secrets", text);
        }
        if let Some(why) = builtin(program, &words) {
            self.doubt("command-understood", why, text);
        }
        if matches!(program.as_str(), "unset" | "read" | "mapfile" | "readarray" | "printf" | "local" | "getopts") {
            words.iter().for_each(|word| {
                self.variables.insert((*word).to_owned(), None);
            });
        }
        // `git log -L1,5:FILE`, with or without a blank.
        if program == "git" {
            let lines =
                |at: usize| words[at].strip_prefix("-L").map(|range| if range.is_empty() { at + 1 } else { at });
            for at in (0..words.len()).filter_map(lines) {
                if let Some((_, file)) = words.get(at).and_then(|range| range.rsplit_once(':')) {
                    let file = Arg::Plain(file.to_owned());
                    self.path(&file, Deed::Read);
                }
            }
        }
        if LOOKED_AT.contains(&program.as_str()) {
            return;
        }
        for word in &words {
            let protected = |part: &str| crate::path::NEVER.contains(&fold(part).as_str());
            if word.split(['=', ':', ',']).any(|path| path.split('/').any(protected)) {
                self.doubt(
                    "protected-paths",
                    "it names what no change may touch, in a place that is not looked into",
                    text,
                );
            } else if word.contains("://") {
                self.doubt("network-denied", "it names an address of another machine", text);
            }
        }
    }
}

/// Whether a program shows the environment, or settings that passwords are kept in.
fn shows_settings(program: &str, words: &[&str]) -> bool {
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    match program {
        "set" | "export" => words.is_empty(),
        // `ps eww`: letters without a dash, `e` among them; a dash's value is none.
        "ps" => (0..words.len()).any(|at| {
            let valued =
                at > 0 && word(at - 1).starts_with('-') && !word(at - 1).ends_with(['e', 'f', 'l', 'A', 'a', 'x', 'w']);
            let letters = word(at).chars().all(char::is_alphabetic);
            letters && word(at).contains('e') && !valued && word(at).len() <= 8 || word(at) == "-E"
        }),
        "jq" => words.iter().any(|word| names_environment(word)),
        "git" => {
            let words: Vec<&str> = words.iter().copied().filter(|word| !matches!(*word, "-P" | "--no-pager")).collect();
            let lists =
                |word: &&str| matches!(*word, "-l" | "--list" | "list" | "--get-regexp" | "get-regexp" | "--regexp");
            let secret = |word: &&str| {
                let word = word.to_lowercase();
                ["extraheader", "credential", "token", "password", "insteadof", "proxy", "cookie"]
                    .iter()
                    .any(|part| word.contains(part))
            };
            let at = words.iter().position(|word| matches!(*word, "config" | "var"));
            at.is_some_and(|at| words[at + 1..].iter().any(|word| lists(word) || secret(word)))
        }
        _ => false,
    }
}

/// Whether a jq program reads the environment: `env` that is no field's name, or `$ENV`.
fn names_environment(program: &str) -> bool {
    program.contains("$ENV")
        || program.match_indices("env").any(|(at, _)| {
            let letter = |c: char| c.is_alphanumeric() || "_\"'".contains(c);
            !program[..at].ends_with(|c: char| letter(c) || c == '.' || c == '$')
                && !program[at + 3..].starts_with(letter)
        })
}

/// What a builtin or a program does that looks like showing something.
fn builtin(program: &str, words: &[&str]) -> Option<&'static str> {
    let has = |flag: &str| words.iter().any(|word| word.starts_with(flag));
    let loud = |word: &&str| !word.starts_with('-') && (word.contains('[') || !word.contains(char::is_lowercase));
    Some(match program {
        "jobs" if has("-x") => "jobs runs what follows",
        "hash" if has("-p") => "it says where a program is to be found",
        "printf" if has("-v") => "it sets a variable",
        "read" | "mapfile" | "readarray" | "getopts" if words.iter().any(loud) => {
            "it sets a variable that may steer programs"
        }
        "test" | "[" if has("-v") => "the name of a variable may hold commands",
        "set"
            if words.iter().any(|word| {
                let flags = word.strip_prefix('-').unwrap_or_default();
                flags.contains('a') || !word.starts_with(['-', '+']) && !STRICT.contains(word)
            }) =>
        {
            "it changes how the shell reads what follows"
        }
        "make" | "gmake"
            if words.windows(2).any(|w| is_file(w[0]) && odd_file(w[1])) || words.iter().any(|w| odd_makefile(w)) =>
        {
            "what make is to do is not in a file of the workspace"
        }
        "date" if words.iter().any(|word| word.bytes().all(|b| b.is_ascii_digit()) && word.len() >= 8) => {
            "it sets the clock"
        }
        "go" if words.iter().any(|word| word.contains('@')) => "it fetches code and runs it",
        "mktemp" if words.iter().any(|word| word.contains('/') && !word.starts_with("/tmp/")) => {
            "it writes where it is told"
        }
        "python" | "python3" if has("pycache_prefix") || has("-Xpycache_prefix") => "it writes where it is told",
        "git"
            if words.first() == Some(&"reflog")
                && words.get(1).is_some_and(|word| matches!(*word, "expire" | "delete")) =>
        {
            "it takes away what could be gone back to"
        }
        "xargs" if has("-I") || has("-i") || has("--replace") => "what it puts in the place of a word is not known",
        _ => return None,
    })
}

fn is_file(word: &str) -> bool {
    matches!(word, "-f" | "--file" | "--makefile")
}

fn odd_file(word: &str) -> bool {
    word == "-" || word.starts_with("/dev/") || word.contains('(')
}

fn odd_makefile(word: &str) -> bool {
    ["-f", "--file=", "--makefile="].iter().any(|flag| word.strip_prefix(flag).is_some_and(odd_file))
}

/// Whether a file that a command prints into is named like what is read by people, and by no program as what to do.
pub(super) fn is_output(arg: &Arg) -> bool {
    let Arg::Plain(path) = arg else { return false };
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    path.starts_with("/dev/")
        || matches!(extension, "log" | "txt" | "out" | "err" | "csv" | "tsv" | "xml" | "html" | "md" | "diff" | "patch")
            && name != "CMakeLists.txt"
}
