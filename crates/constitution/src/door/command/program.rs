//! Judges one plain command: the program and its arguments.

use meliora_domain::Decision::Ask;

use super::flags::shown;
use super::reading::tells_little;
use super::table::{Kind, Program, Special, programs, reason};
use super::{Arg, Flow, Judge};
use crate::door::paths::{Deed, Part};
use crate::door::secrets::{holds_secret, meets_secret, surely_holds_secret};

/// Where the machine's own programs lie.
const FOLDERS: [&str; 8] =
    ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin", "/opt/bin"];

impl Judge<'_> {
    /// Judges a command; returns what flows out of it.
    pub(super) fn program(&mut self, args: &[Arg], text: &str, input: &Flow) -> Flow {
        if self.wrapped >= super::WRAPPED {
            self.doubt("command-understood", "too many programs start each other", "");
            return Flow { any: true, ..Flow::default() };
        }
        self.wrapped += 1;
        let flow = self.plain(args, text, input);
        self.wrapped -= 1;
        flow
    }

    fn plain(&mut self, args: &[Arg], text: &str, input: &Flow) -> Flow {
        let Some((first, rest)) = args.split_first() else { return Flow::default() };
        let words: Vec<&str> = args.iter().map(shown).collect();
        self.notes.extend(self.realm.own_commands(&words, text));
        self.hidden(args, text);
        let Arg::Plain(given) = first else {
            self.doubt("command-understood", "which program runs cannot be told", text);
            return Flow { any: true, ..Flow::default() };
        };
        if self.functions.contains(given) {
            return Flow { any: true, ..Flow::default() };
        }
        let (folder, name) =
            given.rsplit_once('/').map_or((None, given.as_str()), |(folder, name)| (Some(folder), name));
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let wrapper = matches!(given.as_str(), "./gradlew" | "./mvnw");
        if let Some(folder) = folder
            && !FOLDERS.contains(&folder)
            && !wrapper
        {
            self.doubt("unreviewed-code", format!("{given:?} is no program of the machine"), text);
            self.path(first, Deed::Run);
        }
        if name == "eval" {
            return self.eval(rest, text);
        }
        if matches!(name, "trap" | "alias") {
            let inner: Vec<String> =
                rest.iter().filter_map(|a| if let Arg::Plain(t) = a { Some(t.clone()) } else { None }).collect();
            for text in inner {
                self.script(text.split_once('=').map_or(text.as_str(), |(_, value)| value), &Flow::default());
            }
        }
        if name == "export"
            && !rest.is_empty()
            && rest.iter().all(|arg| matches!(arg, Arg::Plain(text) if text.contains('=')))
        {
            for arg in rest {
                if let Arg::Plain(text) = arg
                    && let Some((variable, value)) = text.split_once('=')
                {
                    self.environment(variable, Some(&Arg::Plain(value.to_owned())), text);
                }
            }
            return Flow::default();
        }
        let (name, versioned) = match name.split_once('.') {
            Some((family, _)) if family.starts_with("python") || family == "mkfs" => (family, true),
            _ => (name, false),
        };
        let Some(program) =
            programs().get(name).or_else(|| versioned.then(|| programs().get(given.as_str())).flatten())
        else {
            self.doubt("command-understood", format!("the program {name:?} is not known"), text);
            self.protected_words(rest, text);
            return Flow { any: true, ..Flow::default() };
        };
        if program.special == Some(Special::Python)
            || program.special == Some(Special::Shell)
            || program.ask == Some("code")
        {
            self.fed(name, rest, text, input);
        }
        let flow = self.walk(name, &[program], rest, text, input);
        match name {
            "cd" | "pushd" => {
                let to = rest.iter().find(|arg| !matches!(shown(arg), "--" | "-P" | "-L" | "-e"));
                self.enter(to);
            }
            "popd" => self.enter(Some(&Arg::Plain("-".into()))),
            _ => {}
        }
        flow
    }

    /// An interpreter that reads its program from what flows in.
    fn fed(&mut self, name: &str, rest: &[Arg], text: &str, input: &Flow) {
        let network = rest.iter().any(|arg| matches!(arg, Arg::Opaque { begin, .. } if begin == "<network>"));
        if input.network || network {
            let why = format!("{name:?} runs what another machine sends");
            self.forbid("unreviewed-code", why, "fetch it into the workspace and have it reviewed", text);
        }
    }

    /// Follows subcommands, takes flags and words as the table says.
    pub(super) fn walk(
        &mut self,
        name: &str,
        chain: &[&'static Program],
        args: &[Arg],
        text: &str,
        input: &Flow,
    ) -> Flow {
        let wrote = self.wrote;
        let told = std::mem::replace(&mut self.tells_little, tells_little(name, args));
        let taken = self.take(name, chain, args, text);
        let program = taken.program;
        self.whole_folders(name, &taken, input);
        if let Some(why) = program.forbid {
            let (article, why) = reason(why);
            self.forbid(article, why, "leave it to a person", text);
        }
        if let Some(why) = program.ask {
            let (article, why) = reason(why);
            self.doubt(article, why, text);
            self.protected_words(args, text);
        }
        if program.network || chain.iter().any(|p| p.network) {
            if let Some(last) = self.notes.last_mut() {
                last.network = true;
            }
            self.sends(args, text);
        }
        // These look into a text once more, and run what stands in brackets: `a[$(id)]`.
        let looks_again = matches!(name, "test" | "[" | "read" | "unset" | "local" | "printf" | "wait");
        if looks_again && args.iter().any(|arg| {
            let named = matches!(name, "unset" | "local" | "read" | "wait");
            matches!(arg, Arg::Plain(text) if text.contains("[$") || text.contains("[`") || named && text.contains('['))
        }) {
            self.doubt("command-understood", "a text that the shell may run once more", text);
        }
        if program.builds || name == "git" {
            self.runs_here(text);
        }
        if name == "git" {
            self.history(&taken, args);
        }
        if program.builds {
            if wrote {
                self.doubt("unreviewed-code", "it runs code that this same command has written", text);
            }
            // What a build leaves behind is no code that was written to be run.
            self.wrote = wrote;
        }
        let network = program.network;
        let lists = self.lists(name, program, &taken, input);
        let flow = match program.special {
            Some(special) => self.special(special, name, &taken, args, text, input),
            None => {
                self.aimed(name, program, args, text);
                Flow::default()
            }
        };
        self.tells_little = told;
        Flow {
            any: true,
            network: network || flow.network,
            lists: flow.lists.or(lists),
            text: match name {
                // What looks like a flag is said, too, or changes how the rest is.
                "echo" | "printf" if taken.flags.is_empty() => said(name, &taken.words),
                "cat" if taken.words.is_empty() && taken.flags.is_empty() => input.text.clone(),
                _ => None,
            },
        }
    }

    /// What a program that a person decides on is aimed at: the machine's files and devices, processes of Meliora.
    fn aimed(&mut self, name: &str, program: &Program, args: &[Arg], text: &str) {
        let plain: Vec<&str> = args
            .iter()
            .filter_map(|a| if let Arg::Plain(t) | Arg::Pattern(t) = a { Some(t.as_str()) } else { None })
            .collect();
        match program.ask {
            Some("privileges") if name.starts_with("ch") => {
                for arg in args.iter().filter(|a| !matches!(a, Arg::Plain(t) if t.starts_with('-'))).skip(1) {
                    self.path(arg, Deed::Write);
                }
            }
            Some("files") => {
                for word in plain {
                    if let Some(path) = word.strip_prefix("of=") {
                        self.path(&Arg::Plain(path.to_owned()), Deed::Write);
                    } else if matches!(name, "dd" | "shred" | "fallocate" | "install" | "split" | "mkfifo" | "mknod")
                        && word.starts_with(['/', '~'])
                    {
                        self.path(&Arg::Plain(word.to_owned()), Deed::Write);
                    }
                }
            }
            Some("system") => {
                let device = plain
                    .iter()
                    .any(|w| w.starts_with("/dev/") && !matches!(*w, "/dev/null" | "/dev/stdin" | "/dev/stdout"));
                if device && !matches!(name, "lsof" | "smartctl" | "fuser") {
                    self.forbid("system-integrity", "it changes a device of the machine", "leave devices alone", text);
                }
                if matches!(name, "kill" | "killall" | "pkill" | "systemctl" | "service")
                    && plain.iter().any(|w| w.contains("meliora"))
                {
                    let why = "it stops what watches over the work";
                    self.forbid("audit-immutable", why, "leave Meliora's processes alone", text);
                }
            }
            _ => {}
        }
    }

    /// A program that connects to other machines: what it is given to send.
    fn sends(&mut self, args: &[Arg], text: &str) {
        let mut identity = false;
        self.notes
            .extend(args.iter().filter_map(|arg| self.realm.own_host(host_of(shown(arg))?, text)).collect::<Vec<_>>());
        for arg in args {
            let (Arg::Plain(word) | Arg::Pattern(word) | Arg::Opaque { begin: word, .. }) = arg else { continue };
            let word = word.rsplit(['@', '=']).next().unwrap_or(word);
            let path = !word.contains("://");
            if surely_holds_secret(word) && !identity && path {
                let why = format!("it may send {word:?}, which may hold secrets");
                self.forbid("secrets", why, "send nothing that holds secrets", text);
            }
            let shell = ["EXEC:", "SYSTEM:", "exec:", "system:"].iter().any(|p| word.starts_with(p));
            if shell {
                self.forbid("network-denied", "it hands a shell to another machine", "do not", text);
            }
            identity = matches!(word, "-i" | "--key" | "--cert" | "--cacert");
        }
    }

    /// A program that may write, and is given the name of a file that nothing may change.
    pub(super) fn protected_words(&mut self, args: &[Arg], text: &str) {
        for arg in args {
            let Arg::Plain(word) = arg else { continue };
            let word = word.rsplit(['=', '@']).next().unwrap_or(word).trim_start_matches("./");
            let meets = |name: &str| crate::path::fold(word.rsplit('/').next().unwrap_or(word)) == name;
            if ["constitution.yaml", "constitution.yaml.minisig", "meliora.toml"].iter().any(|name| meets(name))
                || crate::door::workspace::has_part(word, &[".meliora"])
            {
                let why = format!("it may change {word:?}, which nothing may change");
                let article = if meets("meliora.toml") || word.contains(".meliora") {
                    "protected-paths"
                } else {
                    "constitution-immutable"
                };
                self.forbid(article, why, "name other files; to read this one, use `cat`", text);
            }
        }
    }

    fn eval(&mut self, rest: &[Arg], text: &str) -> Flow {
        let mut words = Vec::new();
        for arg in rest {
            match arg {
                Arg::Plain(word) => words.push(word.as_str()),
                _ => {
                    self.doubt("unreviewed-code", "what is evaluated cannot be told", text);
                    if text.contains("curl") || text.contains("wget") {
                        self.forbid("unreviewed-code", "it runs what another machine sends", "do not", text);
                    }
                    return Flow::default();
                }
            }
        }
        self.script(&words.join(" "), &Flow::default());
        Flow { any: true, ..Flow::default() }
    }

    /// Judges a word that is no flag.
    pub(super) fn word(&mut self, kind: Kind, arg: &Arg, all: bool, text: &str) {
        if let Arg::Opaque { begin, harmless, .. } = arg {
            let reads = matches!(kind, Kind::Text);
            if reads && *harmless && !begin.starts_with('-') {
                return;
            }
            if reads {
                return self.doubt("command-understood", "what it is given cannot be told", text);
            }
            return self.path(arg, if matches!(kind, Kind::Delete | Kind::Write) { Deed::Write } else { Deed::Read });
        }
        let (Arg::Plain(_) | Arg::Pattern(_) | Arg::Listed(_)) = arg else { return };
        let word = shown(arg).to_owned();
        match kind {
            Kind::Text => {}
            Kind::Name => {
                // `HEAD:path`, and git's `:(icase)path`.
                let named = word.rsplit(':').next().unwrap_or(&word);
                let named = named.strip_prefix('(').and_then(|n| n.split_once(')')).map_or(named, |(_, path)| path);
                let named = &named.to_lowercase();
                if leads_out(&word) {
                    self.path(arg, Deed::Read);
                } else if holds_secret(named) || meets_secret(named) || secret_for_git(named) {
                    self.path(&Arg::Plain(named.clone()), Deed::Read);
                    if !holds_secret(named) {
                        let why = format!("{named:?} may stand for files that hold secrets");
                        self.note(Part::new(Ask, "secrets", why, "name files without secrets"), &word);
                    }
                }
            }
            Kind::Read if word == "-" => {}
            Kind::Read => self.path(arg, Deed::Read),
            Kind::Code if word == "-" => {}
            Kind::Code => {
                let path = word.split("::").next().unwrap_or(&word).to_owned();
                self.path(
                    &if matches!(arg, Arg::Pattern(_)) { Arg::Pattern(path) } else { Arg::Plain(path) },
                    Deed::Run,
                );
            }
            Kind::Write if word == "-" => {}
            Kind::Write => self.path(arg, Deed::Write),
            Kind::Delete => self.path(arg, if all { Deed::DeleteAll } else { Deed::Delete }),
            Kind::None => {
                let why = format!("what {word:?} makes the program do is not known");
                self.doubt("command-understood", why, text);
            }
            Kind::Task => {
                if !super::told::task(&word) {
                    let why = format!("what the task {word:?} does is not known");
                    self.note(Part::new(Ask, "command-understood", why, "run tasks that build, test or check"), text);
                    if let Some(last) = self.notes.last_mut() {
                        last.soft = true;
                    }
                }
            }
        }
    }
}

/// The host that a word names: of an address, or behind a user's name.
fn host_of(word: &str) -> Option<&str> {
    let rest = match word.split_once("://") {
        Some((_, rest)) => rest,
        None if word.starts_with('-') || word.contains('=') => return None,
        None => word,
    };
    let rest = rest.split(['/', '?', '#']).next()?;
    let rest = rest.rsplit('@').next()?;
    let host = rest.split(':').next()?;
    (!host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))).then_some(host)
}

/// What `echo` and `printf` print, as far as a shell that reads it is concerned. Escapes become other characters in some
/// shells, a line's end among them, so that it is not known then.
fn said(name: &str, words: &[Arg]) -> Option<String> {
    let mut said = Vec::new();
    for word in words {
        match word {
            Arg::Plain(text) if !(text.contains('\\') || name == "printf" && text.contains('%')) => {
                said.push(text.as_str());
            }
            _ => return None,
        }
    }
    Some(said.join(" "))
}

/// Whether a word is a path that leads out of the folder of the moment.
pub(super) fn leads_out(word: &str) -> bool {
    word.starts_with(['/', '~'])
        || word.contains("../")
        || word.ends_with("..") && !word.ends_with("...") && word.len() == 2
}

/// Whether a pattern that git fills in itself, for which a dot is a letter as any other, meets names that secrets go by and
/// says more than `all`.
fn secret_for_git(pattern: &str) -> bool {
    const LIKE: [&str; 8] =
        [".env", ".env.local", ".npmrc", ".netrc", "id_rsa", "secrets.yml", "credentials.json", "server.pem"];
    let last = pattern.rsplit('/').next().unwrap_or_default();
    last.contains(['*', '?', '['])
        && !last.trim_matches(['*', '?', '.']).is_empty()
        && LIKE.iter().any(|name| fast_glob::glob_match(last, name))
}
