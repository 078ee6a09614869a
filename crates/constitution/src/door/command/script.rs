//! Walks through a script: which commands may run, in which folder, with which variables, and what flows into them.

use meliora_domain::Decision::Ask;

use super::flags::shown;
use super::hidden::is_output;
use super::{Arg, Flow, Judge, MOST, Redirect, Simple, Step};
use crate::door::paths::{Deed, Part};

/// Variables that programs of the workspace look at and that make none of them run something else, where the value is a
/// plain word. All others could: `PATH`, `LD_PRELOAD`, `PAGER`, `GIT_SSH_COMMAND`, `PYTHONSTARTUP`, …
const HARMLESS: [&str; 44] = [
    "RUST_BACKTRACE",
    "RUST_LOG",
    "CARGO_TERM_COLOR",
    "CARGO_INCREMENTAL",
    "CARGO_BUILD_JOBS",
    "CI",
    "NO_COLOR",
    "TZ",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "TERM",
    "COLUMNS",
    "LINES",
    "LANG",
    "LANGUAGE",
    "NODE_ENV",
    "DEBUG",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONUTF8",
    "VERBOSE",
    "V",
    "CGO_ENABLED",
    "GOOS",
    "GOARCH",
    "PROPTEST_CASES",
    "INSTA_UPDATE",
    "SEED",
    "RUST_TEST_THREADS",
    "COVERAGE",
    "LOG_LEVEL",
    "PYTHONWARNINGS",
    "GOTRACEBACK",
    "CTEST_OUTPUT_ON_FAILURE",
    "CTEST_PARALLEL_LEVEL",
    "JOBS",
    "FOO",
    "BAR",
    "ENVIRONMENT",
    "APP_ENV",
    "RAILS_ENV",
];

impl Judge<'_> {
    pub(super) fn steps(&mut self, steps: &[Step], input: &Flow) {
        for step in steps {
            let before = self.folders.clone();
            self.step(step, input);
            self.may_be_in(before);
        }
    }

    /// Judges a part of a script; returns what flows out of it.
    pub(super) fn step(&mut self, step: &Step, input: &Flow) -> Flow {
        self.parts += 1;
        if self.parts > MOST {
            if self.parts == MOST + 1 {
                self.note(Part::new(Ask, "command-understood", "it has too many parts", "write less at once"), "");
            }
            return Flow::default();
        }
        match step {
            Step::Simple(simple) => self.simple(simple, input),
            Step::Pipeline(parts) => {
                let mut flow = input.clone();
                for part in parts {
                    let kept = self.keep();
                    let network = flow.network;
                    flow = self.step(part, &flow);
                    flow.network |= network;
                    flow.any = true;
                    self.restore(kept);
                }
                flow
            }
            Step::Chain(left, both, right) => {
                let before = self.folders.clone();
                self.step(left, input);
                if !both {
                    self.may_be_in(before);
                }
                let known = self.variables.clone();
                let flow = self.step(right, input);
                self.may_have(known);
                flow
            }
            Step::Group(parts) => {
                let known = self.variables.clone();
                self.steps(parts, input);
                self.may_have(known);
                Flow { any: true, ..Flow::default() }
            }
            Step::Subshell(parts) => {
                let kept = self.keep();
                self.steps(parts, input);
                self.restore(kept);
                Flow { any: true, ..Flow::default() }
            }
            Step::For { name, values, body } => {
                if !name.contains(char::is_lowercase) {
                    self.doubt("command-understood", "it sets a variable that may steer programs", name);
                }
                let values: Vec<Arg> = values.iter().flat_map(|word| self.expand(word)).collect();
                let secret = values.iter().find(|value| tells(value)).cloned();
                let plain: Vec<&String> =
                    values.iter().filter_map(|v| if let Arg::Plain(t) = v { Some(t) } else { None }).collect();
                if plain.len() == values.len() && values.len() <= 16 {
                    for value in plain {
                        self.variables.insert(name.clone(), Some(Arg::Plain(value.clone())));
                        self.steps(body, input);
                    }
                } else if values.iter().all(|v| matches!(v, Arg::Plain(_) | Arg::Pattern(_) | Arg::Listed(_)))
                    && values.len() <= 16
                {
                    for value in values {
                        self.variables.insert(name.clone(), Some(value));
                        self.steps(body, input);
                    }
                } else {
                    self.variables.insert(name.clone(), secret.clone());
                    self.steps(body, input);
                }
                self.variables.insert(name.clone(), secret);
                Flow { any: true, ..Flow::default() }
            }
            Step::While { condition, body, text } => {
                let reads = matches!(condition.as_slice(), [Step::Simple(simple)]
                    if simple.words.first().is_some_and(|word| word.text == "read"));
                if !reads {
                    self.doubt("resources", "a loop that may never end", text);
                }
                if let [Step::Simple(simple)] = condition.as_slice() {
                    for word in simple.words.iter().skip(1).chain(simple.assigns.iter().filter_map(|a| a.1.as_ref())) {
                        self.variables.insert(word.text.clone(), input.lists.clone().map(Arg::Listed));
                    }
                }
                self.steps(condition, input);
                self.steps(body, input);
                Flow { any: true, ..Flow::default() }
            }
            Step::Function { name, body, text } => {
                self.doubt("command-understood", "a function changes what a command means", text);
                if calls(body, name) {
                    self.forbid("resources", format!("the function {name:?} calls itself without end"), "end it", text);
                }
                self.functions.push(name.clone());
                self.steps(body, &Flow::default());
                Flow::default()
            }
            Step::Test { words, text, computes } => {
                for word in words {
                    // What stands in brackets beside a number that is compared is looked into again and again.
                    let number = matches!(word.text.as_str(), "$#" | "$?" | "$$");
                    for arg in self.expand(word) {
                        let digits =
                            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
                        let unclear = match &arg {
                            Arg::Plain(text) if *computes => !digits(text),
                            // `-v` looks into a text once more: `a[$(id)]`.
                            Arg::Plain(text) => text.contains(['$', '`']),
                            Arg::Opaque { harmless, .. } => !harmless || *computes && !number,
                            Arg::Pattern(_) | Arg::Listed(_) => *computes,
                        };
                        if unclear {
                            self.doubt("command-understood", "what is tested here cannot be told", text);
                        }
                    }
                }
                Flow::default()
            }
            Step::Redirected(inner, redirects) => {
                let flow = self.redirects(redirects, input);
                self.step(inner, &flow)
            }
            Step::Odd { what, text, inner } => {
                self.doubt("command-understood", format!("{what} is not understood"), text);
                self.steps(inner, input);
                Flow { any: true, ..Flow::default() }
            }
        }
    }

    fn simple(&mut self, simple: &Simple, input: &Flow) -> Flow {
        let first = self.notes.len();
        let mut assigned = Vec::new();
        for (name, value) in &simple.assigns {
            let args = value.as_ref().map_or(vec![Arg::Plain(String::new())], |word| self.expand(word));
            assigned.push((name.clone(), args));
        }
        let args: Vec<Arg> = simple.words.iter().flat_map(|word| self.expand(word)).collect();
        let wrote = self.wrote;
        let flow = self.redirects(&simple.redirects, input);
        // What a command prints into a file that is named like output is no code that was written to be run.
        let chooses =
            matches!(args.first(), Some(Arg::Plain(name)) if matches!(name.as_str(), "echo" | "printf" | "cat"));
        if !chooses && !args.is_empty() {
            let written =
                simple.redirects.iter().filter_map(|r| if let Redirect::Write(word) = r { Some(word) } else { None });
            let written: Vec<Arg> = written.flat_map(|word| self.expand(word)).collect();
            self.wrote = wrote || !written.iter().all(is_output);
        }
        if args.is_empty() {
            for (name, args) in assigned {
                self.assign(&name, &args, &simple.text);
            }
            return Flow::default();
        }
        let builtin = matches!(args.first(), Some(Arg::Plain(name)) if super::table::programs().get(name.as_str()).is_some_and(|p| p.builtin));
        for (name, args) in assigned {
            if !builtin || matches!(name.as_str(), "CDPATH" | "HOME" | "OLDPWD" | "PWD" | "IFS") {
                self.environment(&name, args.first(), &simple.text);
            }
        }
        self.over_itself(simple, &args);
        let out = self.program(&args, &simple.text, &flow);
        self.own_allowance(first, &args);
        out
    }

    /// A command that prints into a file that it reads: what was in it is lost, or it grows without end.
    fn over_itself(&mut self, simple: &Simple, args: &[Arg]) {
        let (mut written, mut read) = (Vec::new(), Vec::new());
        for redirect in &simple.redirects {
            match redirect {
                Redirect::Write(word) => written.push(word.text.as_str()),
                Redirect::Read(word) => read.push(word.text.as_str()),
                _ => {}
            }
        }
        let name = args.first().map_or("", shown);
        let words = args.iter().skip(1).map(shown);
        match name {
            "echo" | "printf" | "test" | "[" => {}
            "tee" => written.extend(words),
            _ => read.extend(words),
        }
        if written.iter().any(|path| !path.starts_with("/dev/") && read.contains(path)) {
            let why = "it writes to a file that it reads, so that what is in it is lost or it grows without end";
            self.doubt("reversible", why, &simple.text);
        }
    }

    /// Takes in an article of the user's own that allows this command.
    fn own_allowance(&mut self, first: usize, args: &[Arg]) {
        let plain = args.iter().all(|arg| matches!(arg, Arg::Plain(_)));
        let words: Vec<&str> = args.iter().map(shown).collect();
        if plain && self.realm.own_allows(&words) {
            let mut at = 0;
            self.notes.retain(|note| {
                at += 1;
                at <= first || !note.soft
            });
        }
    }

    fn redirects(&mut self, redirects: &[Redirect], input: &Flow) -> Flow {
        let mut flow = input.clone();
        for redirect in redirects {
            match redirect {
                Redirect::Same => {}
                Redirect::Write(word) | Redirect::Read(word) => {
                    let deed = if matches!(redirect, Redirect::Write(_)) { Deed::Write } else { Deed::Read };
                    for arg in self.expand(word) {
                        let socket = ["/dev/tcp/", "/dev/udp/"];
                        if let Arg::Plain(path) | Arg::Opaque { begin: path, .. } = &arg
                            && socket.iter().any(|s| path.starts_with(s))
                        {
                            let why = "the shell itself connects to another machine";
                            self.forbid("network-denied", why, "use a program that the law knows", &word.text);
                            continue;
                        }
                        self.path(&arg, deed);
                    }
                    if deed == Deed::Read {
                        flow = Flow { any: true, ..Flow::default() };
                    }
                }
                Redirect::Here(word) => {
                    let args = self.expand(word);
                    if args.iter().any(tells) {
                        self.doubt("command-understood", "what it is given cannot be told", &word.text);
                    }
                    let text = match args.as_slice() {
                        [Arg::Plain(text)] => Some(text.clone()),
                        [] => Some(String::new()),
                        _ => None,
                    };
                    flow = Flow { text, any: true, ..Flow::default() };
                }
            }
        }
        flow
    }

    fn assign(&mut self, name: &str, args: &[Arg], text: &str) {
        let steers = name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
            && (matches!(
                name,
                "PATH" | "IFS" | "ENV" | "PS4" | "HOME" | "SHELL" | "EDITOR" | "VISUAL" | "CDPATH" | "CC" | "CXX"
            ) || [
                "LD_", "DYLD_", "BASH_", "GIT_", "PYTHON", "PERL", "RUBY", "NODE_", "RUST", "CARGO", "GO", "JAVA",
                "NPM_", "MAKE", "SSH_", "PROMPT_",
            ]
            .iter()
            .any(|p| name.starts_with(p))
                || ["PAGER", "_OPTIONS", "OPTS", "PROXY", "FLAGS"].iter().any(|end| name.ends_with(end)));
        if steers {
            self.doubt("command-understood", format!("the variable {name} can change what later commands do"), text);
        }
        let value = match args {
            [value @ (Arg::Plain(_) | Arg::Listed(_) | Arg::Opaque { harmless: false, .. })] => Some(value.clone()),
            args => args.iter().find(|arg| tells(arg)).cloned(),
        };
        self.variables.insert(name.to_owned(), value);
    }

    /// A variable of the environment that a program is given.
    pub(super) fn environment(&mut self, name: &str, value: Option<&Arg>, text: &str) {
        let plain = |value: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || "_.,:=+-@% *".contains(c));
        let within = |value: &str| {
            !value.starts_with('/')
                && !value.contains("..")
                && value.chars().all(|c| c.is_ascii_alphanumeric() || "_./-:".contains(c))
        };
        let fine = match (name, value) {
            ("RUSTFLAGS" | "RUSTDOCFLAGS", Some(Arg::Plain(value))) => value.split_whitespace().all(|word| {
                matches!(word, "-D" | "-W" | "-A" | "-F")
                    || ["-D", "-W", "-A", "warnings"].iter().any(|p| word.starts_with(p))
                    || word.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c))
            }),
            ("PYTHONPATH", Some(Arg::Plain(value))) => value.split(':').all(within),
            // What is warned of is imported: `error::module.Class`.
            ("PYTHONWARNINGS", Some(Arg::Plain(value))) => plain(value) && !value.contains('.'),
            (name, Some(Arg::Plain(value))) => {
                (HARMLESS.contains(&name) || name.starts_with("LC_") || name.starts_with("TEST_")) && plain(value)
            }
            _ => false,
        };
        if !fine {
            self.doubt(
                "command-understood",
                format!("what the variable {name} makes the program do is not known"),
                text,
            );
        }
    }

    /// What a shell of its own does not change for the one that started it.
    pub(super) fn keep(&self) -> (Vec<Option<std::path::PathBuf>>, std::collections::HashMap<String, Option<Arg>>) {
        (self.folders.clone(), self.variables.clone())
    }

    pub(super) fn restore(
        &mut self,
        kept: (Vec<Option<std::path::PathBuf>>, std::collections::HashMap<String, Option<Arg>>),
    ) {
        (self.folders, self.variables) = kept;
    }

    /// The command before may have failed: it may be in these folders, too.
    pub(super) fn may_be_in(&mut self, folders: Vec<Option<std::path::PathBuf>>) {
        for folder in folders {
            if !self.folders.contains(&folder) {
                self.folders.push(folder);
            }
        }
        if self.folders.len() > 8 {
            self.folders = vec![None];
        }
    }

    /// What was just looked at may not have run: what it set is not known.
    fn may_have(&mut self, known: std::collections::HashMap<String, Option<Arg>>) {
        for (name, value) in &mut self.variables {
            let held = known.get(name);
            let (now, before) = (value.as_ref().map(shown), held.map(|before| before.as_ref().map(shown)));
            if before != Some(now) {
                let secret = value.as_ref().or(held.and_then(Option::as_ref)).filter(|value| tells(value));
                *value = secret.or(held.and_then(Option::as_ref).filter(|value| tells(value))).cloned();
            }
        }
    }

    /// `cd`: from now on in another folder.
    pub(super) fn enter(&mut self, to: Option<&Arg>) {
        let folders = match to {
            None => vec![Some(self.realm.workspace.home().to_owned())],
            Some(Arg::Plain(path)) if path != "-" && !path.starts_with('~') => {
                self.folders.iter().map(|folder| folder.as_ref().map(|f| f.join(path))).collect()
            }
            _ => vec![None],
        };
        self.folders = folders;
    }
}

/// Whether a word may tell a secret of the environment.
fn tells(arg: &Arg) -> bool {
    matches!(arg, Arg::Opaque { harmless: false, .. })
}

/// Whether one of the commands has this name.
fn calls(steps: &[Step], name: &str) -> bool {
    steps.iter().any(|step| match step {
        Step::Simple(simple) => simple.words.first().is_some_and(|word| word.text == name),
        Step::Pipeline(parts) | Step::Group(parts) | Step::Subshell(parts) => calls(parts, name),
        Step::Chain(left, _, right) => {
            calls(std::slice::from_ref(left), name) || calls(std::slice::from_ref(right), name)
        }
        Step::Redirected(inner, _) => calls(std::slice::from_ref(inner), name),
        Step::Odd { inner, .. } => calls(inner, name),
        _ => false,
    })
}

/// Whether a command brings something from another machine.
pub(super) fn fetches(step: &Step) -> bool {
    ["curl", "wget", "nc", "ssh", "http"].iter().any(|name| calls(std::slice::from_ref(step), name))
}
