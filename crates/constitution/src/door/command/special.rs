//! Programs that a list of flags cannot describe: those that start others, that carry a program of their own among
//! their arguments, or that write where their last argument says.

use super::flags::{Taken, shown};
use super::table::{Kind, Special, programs};
use super::{Arg, Flow, Judge, Listing};
use crate::door::paths::Deed;

impl Judge<'_> {
    pub(super) fn special(
        &mut self,
        special: Special,
        name: &str,
        taken: &Taken,
        args: &[Arg],
        text: &str,
        input: &Flow,
    ) -> Flow {
        let rest = &args[taken.start.min(args.len())..];
        match special {
            Special::Run => self.run(name, taken, rest, text, input),
            Special::Env => self.env(rest, text, input),
            Special::Xargs => self.xargs(taken, rest, text, input),
            Special::Find => self.find(rest, text),
            Special::Shell => self.shell(rest, text, input),
            Special::Python => self.python(name, rest, text, input),
            Special::Sed => self.sed(rest, text),
            Special::Awk => self.awk(rest, text),
            Special::Copy | Special::Move | Special::Link => {
                self.place(special, taken, text);
                Flow::default()
            }
            Special::Make => {
                self.jobs(args, text);
                self.make(taken, text);
                Flow::default()
            }
            Special::Database => {
                self.database(name, rest, text, input);
                Flow::default()
            }
        }
    }

    /// A program that starts the one that follows.
    fn run(&mut self, name: &str, taken: &Taken, rest: &[Arg], text: &str, input: &Flow) -> Flow {
        // What stands before the command: a time, a lock, a user. Where that is not known the whole is asked about.
        let skip = match name {
            "timeout" => 1,
            "busybox" | "toybox" | "nohup" | "nice" | "stdbuf" | "setsid" | "ionice" | "time" | "chronic"
            | "command" | "builtin" | "exec" | "uv" | "poetry" | "npx" | "bundle" | "coverage" | "hatch" | "pdm"
            | "pipenv" | "rye" => 0,
            _ => {
                // So that a danger within is told of: each word may be the first of a command.
                let known = |arg: &Arg| matches!(arg, Arg::Plain(word) if programs().contains_key(word.rsplit('/').next().unwrap_or(word)));
                if let Some(at) = rest.iter().position(known) {
                    self.apart(&rest[at..], text, input);
                } else {
                    for arg in rest {
                        if let Arg::Plain(inner) = arg
                            && inner.contains(' ')
                        {
                            self.script(&inner.clone(), input);
                        }
                    }
                }
                if taken.program.ask.is_none() {
                    self.doubt("command-understood", "what it starts is not known", text);
                }
                return Flow { any: true, ..Flow::default() };
            }
        };
        let rest = rest.get(skip..).unwrap_or_default();
        if rest.is_empty() {
            if matches!(name, "uv" | "exec" | "npx" | "busybox" | "toybox") {
                self.doubt("command-understood", "what it starts is not known", text);
            }
            return Flow::default();
        }
        if name == "npx" {
            let known = matches!(&rest[0], Arg::Plain(tool) if programs().get(tool.as_str()).is_some_and(|p| p.builds));
            if !known {
                self.doubt("unreviewed-code", "it may fetch code that nobody reviewed", text);
            }
        }
        match name {
            "command" | "builtin" | "exec" => self.program(rest, text, input),
            // `time` is a word of the shell's; the program of this name is another.
            "time" => {
                let before = self.folders.clone();
                let flow = self.program(rest, text, input);
                self.may_be_in(before);
                flow
            }
            _ => self.apart(rest, text, input),
        }
    }

    fn env(&mut self, args: &[Arg], text: &str, input: &Flow) -> Flow {
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            at += 1;
            match arg {
                Arg::Plain(word) if word == "-i" || word == "-" || word == "--ignore-environment" => {}
                Arg::Plain(word) if matches!(word.as_str(), "-u" | "--unset") => at += 1,
                Arg::Plain(word) if word.starts_with("--unset=") => {}
                Arg::Plain(word) if word.starts_with("-S") || word.starts_with("--split-string") => {
                    self.doubt("command-understood", "env takes a text apart that the law does not", text);
                    let inner: Vec<&str> = args[at - 1..].iter().map(shown).collect();
                    let inner = inner.join(" ");
                    let inner =
                        inner.trim_start_matches("-S").trim_start_matches("--split-string").trim_start_matches('=');
                    self.script(inner, input);
                    return Flow::default();
                }
                Arg::Plain(word) if word.starts_with('-') => {
                    self.doubt("command-understood", format!("what the flag {word:?} does is not known"), text);
                    if matches!(word.as_str(), "-C" | "--chdir") {
                        self.enter(args.get(at));
                        at += 1;
                    }
                }
                Arg::Plain(word) if word.contains('=') => {
                    let (name, value) = word.split_once('=').unwrap_or((word, ""));
                    self.environment(name, Some(&Arg::Plain(value.to_owned())), text);
                }
                Arg::Opaque { begin, .. } if begin.contains('=') => {
                    let name = begin.split('=').next().unwrap_or_default().to_owned();
                    self.environment(&name, None, text);
                }
                _ => return self.apart(&args[at - 1..], text, input),
            }
        }
        self.doubt("secrets", "it prints the environment, which may hold secrets", text);
        Flow { any: true, ..Flow::default() }
    }

    fn xargs(&mut self, taken: &Taken, rest: &[Arg], text: &str, input: &Flow) -> Flow {
        let more = match (&input.lists, &input.text) {
            (Some(listing), _) => Arg::Listed(listing.clone()),
            (_, Some(known)) if !known.contains(['\'', '"', '\\']) && known.split_whitespace().count() == 1 => {
                Arg::Plain(known.trim().to_owned())
            }
            _ => Arg::Opaque { begin: String::new(), harmless: true, text: "what flows into xargs".into() },
        };
        let mark = taken
            .values
            .iter()
            .find(|(flag, _)| matches!(flag.as_str(), "I" | "replace"))
            .map(|(_, mark)| shown(mark).to_owned());
        if rest.is_empty() {
            return Flow { any: true, ..Flow::default() };
        }
        let mut command: Vec<Arg> = rest.to_vec();
        match mark {
            Some(mark) => command.iter_mut().skip(1).for_each(|arg| {
                if shown(arg) == mark {
                    *arg = more.clone();
                } else if shown(arg).contains(&mark) {
                    *arg = Arg::Opaque { begin: String::new(), harmless: false, text: shown(arg).to_owned() };
                }
            }),
            None => command.push(more),
        }
        // Names that begin with a dash are flags to whoever is given them, where nothing stands before them.
        let dashed = matches!(&command[..], [.., Arg::Listed(listing)] if listing.bare) && self.has_dashed_names();
        if dashed {
            self.doubt("command-understood", "a file's name here begins with a dash, and may be read as a flag", text);
        }
        self.apart(&command, text, &Flow { any: true, ..Flow::default() });
        Flow { any: true, ..Flow::default() }
    }

    /// A command that another program starts: what it does to the shell's folder and variables ends with it.
    fn apart(&mut self, command: &[Arg], text: &str, input: &Flow) -> Flow {
        let kept = self.keep();
        let flow = self.program(command, text, input);
        self.restore(kept);
        flow
    }

    /// Whether a file was written, or lies in a folder of the moment, whose name a program could take for a flag.
    fn has_dashed_names(&self) -> bool {
        let dashed = |folder: &std::path::PathBuf| {
            std::fs::read_dir(folder).is_ok_and(|entries| {
                entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"-"))
            })
        };
        self.wrote || self.folders.iter().flatten().any(dashed)
    }

    fn find(&mut self, args: &[Arg], text: &str) -> Flow {
        const BARE: [&str; 28] = [
            "-print",
            "-print0",
            "-prune",
            "-quit",
            "-empty",
            "-depth",
            "-d",
            "-daystart",
            "-follow",
            "-mount",
            "-xdev",
            "-ls",
            "-true",
            "-false",
            "-not",
            "-and",
            "-or",
            "-a",
            "-o",
            "!",
            "(",
            ")",
            ",",
            "-readable",
            "-writable",
            "-executable",
            "-nouser",
            "-nogroup",
        ];
        const TAKES: [&str; 38] = [
            "-name",
            "-iname",
            "-path",
            "-ipath",
            "-wholename",
            "-iwholename",
            "-regex",
            "-iregex",
            "-regextype",
            "-type",
            "-xtype",
            "-size",
            "-mtime",
            "-atime",
            "-ctime",
            "-mmin",
            "-amin",
            "-cmin",
            "-newer",
            "-anewer",
            "-cnewer",
            "-perm",
            "-user",
            "-group",
            "-uid",
            "-gid",
            "-links",
            "-inum",
            "-samefile",
            "-maxdepth",
            "-mindepth",
            "-printf",
            "-lname",
            "-ilname",
            "-newermt",
            "-newerct",
            "-fstype",
            "-used",
        ];
        let starts: Vec<&Arg> = args
            .iter()
            .skip_while(|arg| matches!(arg, Arg::Plain(w) if matches!(w.as_str(), "-H" | "-L" | "-P")))
            .take_while(|arg| !matches!(arg, Arg::Plain(w) if w.starts_with('-') || w == "(" || w == "!"))
            .collect();
        let flags = args.len()
            - args
                .iter()
                .skip_while(|arg| matches!(arg, Arg::Plain(w) if matches!(w.as_str(), "-H" | "-L" | "-P")))
                .count();
        for start in &starts {
            self.path(start, Deed::Read);
        }
        let start = starts.first().map_or(".".to_owned(), |arg| shown(arg).to_owned());
        let listing = Listing { name: only_name(args), ..Listing::of(&start) };
        let listings: Vec<Listing> =
            starts.iter().map(|start| Listing { start: shown(start).to_owned(), ..listing.clone() }).collect();
        let mut at = starts.len() + flags;
        while let Some(arg) = args.get(at) {
            at += 1;
            let Arg::Plain(word) = arg else {
                self.doubt("command-understood", "what find does here cannot be told", text);
                continue;
            };
            match word.as_str() {
                word if BARE.contains(&word) => {}
                word if TAKES.contains(&word) => at += 1,
                "-exec" | "-execdir" | "-ok" | "-okdir" => {
                    let end = args[at..]
                        .iter()
                        .position(|a| matches!(a, Arg::Plain(w) if w == ";" || w == "+"))
                        .map_or(args.len(), |n| at + n);
                    let command: Vec<Arg> = args[at..end]
                        .iter()
                        .map(|arg| match shown(arg) {
                            "{}" => Arg::Listed(listing.clone()),
                            part if part.contains("{}") => {
                                Arg::Opaque { begin: String::new(), harmless: false, text: part.to_owned() }
                            }
                            _ => arg.clone(),
                        })
                        .collect();
                    self.apart(&command, text, &Flow::default());
                    for other in listings.iter().skip(1).filter(|_| command.iter().any(|a| matches!(a, Arg::Listed(_))))
                    {
                        self.path(&Arg::Listed(other.clone()), Deed::Read);
                    }
                    at = end + 1;
                }
                "-delete" => {
                    for listing in &listings {
                        self.path(&Arg::Listed(listing.clone()), Deed::Delete);
                    }
                    if starts.is_empty() {
                        self.path(&Arg::Listed(listing.clone()), Deed::Delete);
                    }
                }
                "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                    if let Some(path) = args.get(at) {
                        self.path(path, Deed::Write);
                    }
                    at += 1 + usize::from(word == "-fprintf");
                }
                word => self.doubt("command-understood", format!("what {word:?} makes find do is not known"), text),
            }
        }
        // What several folders hold is listed as one: below the folder that has them all.
        let lists = if starts.len() > 1 { Listing { start: ".".into(), ..listing } } else { listing };
        Flow { any: true, lists: Some(lists), ..Flow::default() }
    }

    /// `cp`, `mv`, `ln`: sources, and where they go.
    fn place(&mut self, special: Special, taken: &Taken, text: &str) {
        let into = taken
            .values
            .iter()
            .find(|(flag, _)| matches!(flag.as_str(), "t" | "target-directory"))
            .map(|(_, arg)| arg.clone());
        let (sources, target) = match (&into, taken.words.split_last()) {
            (Some(into), _) => (taken.words.as_slice(), into.clone()),
            (None, Some((target, sources))) if !sources.is_empty() => (sources, target.clone()),
            (None, Some((only, _))) if special == Special::Link => (std::slice::from_ref(only), Arg::Plain(".".into())),
            _ => return self.doubt("command-understood", "what goes where cannot be told", text),
        };
        // What was there is kept under the old name with something behind it.
        let suffix = taken.values.iter().find(|(flag, _)| matches!(flag.as_str(), "S" | "suffix"));
        let suffix = suffix.map(|(_, suffix)| suffix.clone());
        if suffix.as_ref().is_some_and(|suffix| !matches!(suffix, Arg::Plain(text) if !text.contains('/'))) {
            self.doubt("command-understood", "under which name the old file is kept cannot be told", text);
        }
        let kept = |to: &str| match &suffix {
            Some(Arg::Plain(suffix)) => Some(Arg::Plain(format!("{to}{suffix}"))),
            _ => None,
        };
        let links = taken.has(&["l", "s", "link", "symbolic-link"]);
        for source in sources {
            match special {
                Special::Copy if links => self.path(source, Deed::Link),
                // A copy of a link leads where it leads.
                Special::Copy if self.on_disk(source).is_some_and(|meta| meta.is_symlink()) => {
                    self.path(source, Deed::Link);
                }
                Special::Copy => self.path(source, Deed::Read),
                Special::Move => self.path(source, Deed::Move),
                // What is written to a link is written to where it leads.
                _ => self.path(source, Deed::Link),
            }
        }
        let exact = taken.has(&["T", "no-target-directory"]);
        let recursive = taken.has(&["a", "r", "R", "archive", "recursive"]);
        let folder = !exact
            && (into.is_some()
                || sources.len() > 1
                || matches!(&target, Arg::Plain(path) if path.ends_with('/') || matches!(path.as_str(), "." | ".."))
                || self.is_folder(&target));
        if !folder {
            self.word(Kind::Write, &target, false, text);
            if recursive {
                self.path(&target, Deed::Rewrite);
            }
            if let Some(kept) = kept(shown(&target)) {
                self.path(&kept, Deed::Write);
            }
        }
        let Arg::Plain(to) = &target else {
            if folder {
                self.word(Kind::Write, &target, false, text);
            }
            return;
        };
        if folder || recursive && !exact || special != Special::Copy && !exact || !self.is_file(&target) {
            for source in sources {
                let (Arg::Plain(path) | Arg::Pattern(path)) = source else { continue };
                let whole = path.trim_end_matches('/');
                let base = if taken.has(&["parents"]) { whole } else { whole.rsplit('/').next().unwrap_or_default() };
                let joined = format!("{}/{base}", to.trim_end_matches('/'));
                let joined = if to == "/" { format!("/{base}") } else { joined };
                if let Some(kept) = kept(&joined) {
                    self.path(&kept, Deed::Write);
                }
                let pattern = matches!(source, Arg::Pattern(_)) && base.contains(['*', '?', '[', '{']);
                let to = if pattern { Arg::Pattern(joined) } else { Arg::Plain(joined) };
                self.path(&to, Deed::Write);
                // What is in the folder is written, too.
                if recursive {
                    self.path(&to, Deed::Rewrite);
                }
            }
        }
    }

    fn is_folder(&self, arg: &Arg) -> bool {
        self.on_disk(arg).is_some_and(|meta| meta.is_dir())
    }

    fn is_file(&self, arg: &Arg) -> bool {
        self.on_disk(arg).is_some_and(|meta| meta.is_file())
    }

    fn on_disk(&self, arg: &Arg) -> Option<std::fs::Metadata> {
        let (Arg::Plain(path), [Some(folder)]) = (arg, self.folders.as_slice()) else { return None };
        std::fs::symlink_metadata(folder.join(path)).ok()
    }

    /// `-j` without a number starts as many programs as there is work.
    fn jobs(&mut self, args: &[Arg], text: &str) {
        let endless = args.iter().enumerate().any(|(at, arg)| {
            let Arg::Plain(word) = arg else { return false };
            let letters = word.starts_with('-') && !word.starts_with("--") && word.ends_with('j');
            let number = args.get(at + 1).is_some_and(|next| shown(next).bytes().all(|b| b.is_ascii_digit()));
            (letters || word == "--jobs") && !number
        });
        let bounded = args.iter().any(|arg| shown(arg).starts_with("-l") || shown(arg).starts_with("--load"));
        if endless && !bounded {
            self.doubt("resources", "it starts as many programs at once as there is work; write `-j 8`", text);
        }
    }

    fn make(&mut self, taken: &Taken, text: &str) {
        const HARMLESS: [&str; 20] = [
            "V",
            "VERBOSE",
            "DEBUG",
            "NDEBUG",
            "BUILD",
            "MODE",
            "PROFILE",
            "CONFIG",
            "RELEASE",
            "TEST",
            "TESTS",
            "T",
            "CI",
            "J",
            "N",
            "K",
            "Q",
            "COVERAGE",
            "COLOR",
            "BUILD_TYPE",
        ];
        if taken.has(&["p", "print-data-base"]) {
            self.doubt("secrets", "it prints the environment, which may hold secrets", text);
        }
        for word in &taken.words {
            match word {
                Arg::Plain(text) if text.contains('=') => {
                    let (name, value) = text.split_once('=').unwrap_or((text, ""));
                    let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "_.-:".contains(c));
                    if !(HARMLESS.contains(&name) && plain) {
                        self.doubt(
                            "unreviewed-code",
                            format!("the variable {name:?} may make it run something else"),
                            text,
                        );
                    }
                }
                word => self.word(Kind::Task, word, false, text),
            }
        }
    }
}

/// The pattern that all names fit which find lists, where only one is given and nothing is left out or chosen between.
fn only_name(args: &[Arg]) -> Option<String> {
    let words: Vec<&str> = args.iter().map(shown).collect();
    let odd = ["-o", "-or", "!", "-not", ",", "("].iter().any(|word| words.contains(word));
    let mut names = words.windows(2).filter(|two| two[0] == "-name").map(|two| two[1].to_owned());
    match (odd, names.next(), names.next()) {
        (false, Some(name), None) => Some(name),
        _ => None,
    }
}
