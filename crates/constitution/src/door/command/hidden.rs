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
        let Some(Arg::Plain(given)) = args.first() else { return };
        let name = given.rsplit('/').next().unwrap_or(given);
        let name = name.strip_suffix(".exe").unwrap_or(name);
        // `python3.12` is a Python.
        let program =
            name.split_once('.').map_or(name, |(family, _)| if family.starts_with("python") { family } else { name });
        let rest = args.get(1..).unwrap_or_default();
        let words: Vec<&str> = rest.iter().map(shown).collect();
        let options = rest.iter().take_while(|arg| !matches!(arg, Arg::Plain(word) if word == "--"));
        let unknown = |arg: &Arg| matches!(arg, Arg::Opaque { begin, .. } if begin.is_empty());
        if !TEXT.contains(&program) && options.into_iter().any(unknown) {
            self.doubt("command-understood", "a word of which nothing is known may be a flag or a command", text);
        }
        if shows_settings(program, &words) {
            self.doubt("secrets", "it shows the environment or settings, which may hold secrets", text);
        }
        if let Some(why) = builtin(program, &words) {
            self.doubt("command-understood", why, text);
        }
        if matches!(program, "unset" | "read" | "mapfile" | "readarray" | "printf" | "local" | "getopts") {
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
        self.steered(program, &words, text);
        if LOOKED_AT.contains(&program) {
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

impl Judge<'_> {
    /// What single programs can be made to do by words that elsewhere are harmless.
    fn steered(&mut self, program: &str, words: &[&str], text: &str) {
        let first = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
        match program {
            "git" => {
                let remote = first == "remote"
                    && words.iter().any(|w| matches!(*w, "-v" | "--verbose" | "show" | "get-url"))
                    || words.iter().any(|w| w.to_lowercase().contains(".url") || *w == "--get-url");
                if remote && self.realm.workspace.remotes_hold_secrets() {
                    self.doubt(
                        "secrets",
                        "it shows the address of a remote, which has a password or token in it",
                        text,
                    );
                }
                // Two folders are compared file by file.
                if words.contains(&"--no-index") {
                    for word in words.iter().filter(|word| !word.starts_with('-')).skip(1) {
                        self.all_below(word, &|_| true);
                    }
                }
                // It searches whatever it knows in the folder of the moment, or what is named behind `--`.
                const LITTLE: [&str; 7] = ["-l", "-L", "-c", "-q", "--files-with-matches", "--name-only", "--count"];
                if first == "grep" && !words.iter().any(|word| LITTLE.contains(word)) {
                    let named: Vec<&str> = words.iter().skip_while(|word| **word != "--").skip(1).copied().collect();
                    let takes_in = |spec: &&str, path: &str| {
                        let base = path.rsplit('/').next().unwrap_or(path);
                        let below =
                            path.strip_prefix(spec.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
                        matches!(*spec, "." | "./" | ":/")
                            || spec.starts_with(':')
                            || below
                            || [path, base].iter().any(|path| fast_glob::glob_match(spec, path))
                    };
                    self.all_below(".", &|path| named.is_empty() || named.iter().any(|spec| takes_in(spec, path)));
                }
            }
            "jq" => {
                let loads = |word: &&str| {
                    word.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| matches!(w, "import" | "include"))
                };
                if words.iter().any(loads) {
                    self.doubt("unreviewed-code", "it reads other files as modules or data", text);
                }
            }
            "rustc" => {
                let mut written = words.iter().map(|word| word.strip_prefix("--print=").unwrap_or(word));
                if written.any(|word| !word.starts_with('-') && word.contains('=')) {
                    self.doubt("editable-paths", "it may write what it prints into a file", text);
                }
            }
            // In a checkout of Meliora it is Meliora that is run.
            "cargo" => {
                let told = words.iter().skip_while(|word| **word != "--").filter(|word| !word.starts_with('-'));
                let told: Vec<&str> = told.copied().collect();
                if matches!(
                    told.as_slice(),
                    ["approvals", "approve" | "deny", ..] | ["constitution", "sign", ..] | ["resume", ..]
                ) {
                    let (article, why) = super::table::reason("word");
                    self.forbid(article, why, "leave it to a person", text);
                }
            }
            "go" => {
                // The name of a module is asked for where it may lie, and says to whoever is asked what stands in it.
                let far = |word: &&str| {
                    let host = word.split('/').next().unwrap_or_default();
                    !word.starts_with(['-', '.', '/']) && host.contains('.')
                };
                let lists = matches!(first, "list" | "doc") && words.iter().skip(1).any(far);
                if lists || words.iter().any(|word| matches!(*word, "-versions" | "-u")) {
                    self.doubt("network-denied", "it may ask other machines for what it is told of", text);
                }
            }
            "pip" | "pip3" | "uv" | "poetry" | "bundle" => {
                let asks = |word: &&str| {
                    matches!(*word, "--outdated" | "outdated" | "--latest" | "--uptodate" | "-o" | "-u" | "-l")
                };
                if words.iter().any(asks) {
                    self.doubt("network-denied", "it asks other machines for newer versions", text);
                }
            }
            "tox" | "nox" | "ninja" | "samu" | "pre-commit"
                if words.iter().any(|word| !word.starts_with('-') && super::told::goes_far(word)) =>
            {
                self.doubt("system-integrity", "what it is told to do reaches further than the workspace", text);
            }
            "cmake" => {
                let target = |at: usize| match words[at].split_once('=') {
                    Some(("--target", name)) => Some(name),
                    _ if matches!(words[at], "--target" | "-t") => words.get(at + 1).copied(),
                    _ => None,
                };
                if (0..words.len()).filter_map(target).any(super::told::goes_far) {
                    self.doubt("system-integrity", "what it builds reaches further than the workspace", text);
                }
            }
            "pytest" | "py.test" | "python" | "python3" => {
                // `error::module.Class` is imported.
                let imports = |w: &&str| {
                    w.rsplit("::").next().is_some_and(|last| last != *w && last.contains('.') && !last.contains('/'))
                };
                let warned = |at: &usize| words[*at] == "-W" || words[*at].starts_with("-W");
                let given =
                    (0..words.len()).filter(warned).flat_map(|at| [Some(words[at]), words.get(at + 1).copied()]);
                if given.flatten().any(|word| imports(&word)) {
                    self.doubt("unreviewed-code", "it imports the module whose warnings it is told of", text);
                }
            }
            "truncate" => {
                let large = |word: &&str| {
                    let size = word.trim_start_matches("--size=").trim_start_matches("-s");
                    size.starts_with(|c: char| c.is_ascii_digit())
                        && (size.contains(['G', 'T', 'P', 'E', 'Z', 'Y']) || size.len() > 9)
                };
                if words.iter().any(large) {
                    self.doubt("resources", "it makes a file that may use up the disk", text);
                }
            }
            "sleep" if words.iter().any(|word| word.contains("inf") || word.len() > 6) => {
                self.doubt("resources", "it waits without end", text);
            }
            "seq" | "printf" => {
                let long = |word: &&str| word.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 7);
                let endless = program == "seq" && words.iter().any(|word| word.contains("inf"));
                if endless || words.iter().take(if program == "seq" { 3 } else { 1 }).any(long) {
                    self.doubt("resources", "it may print without end", text);
                }
            }
            _ => {}
        }
        // A file of arguments, as many tools take it, says what no table sees.
        let tools = |p: &super::table::Program| p.builds || p.rewrites || p.words.contains(&super::table::Kind::Code);
        let named = super::table::programs().get(program);
        let binary = matches!(program, "nm" | "readelf" | "objdump" | "size" | "strings");
        let scoped =
            matches!(program, "npm" | "npx" | "yarn" | "pnpm" | "dune" | "bazel" | "bazelisk" | "mvn" | "mvnw");
        if (binary || named.is_some_and(tools)) && !scoped && words.iter().any(|w| w.starts_with('@') && w.len() > 1) {
            self.doubt("command-understood", "what the file says that is behind the @ is not looked into", text);
        }
        if !TEXT.contains(&program) {
            for word in words {
                let value = word.split_once('=').map_or(*word, |(_, value)| value);
                if let Some(path) = value.strip_prefix("file:").filter(|path| !path.is_empty()) {
                    let path = Arg::Plain(path.trim_start_matches("//").to_owned());
                    self.path(&path, Deed::Read);
                }
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
