//! Programs that a list of flags cannot describe: those that start others, that carry a program of their own among
//! their arguments, or that write where their last argument says.

use super::flags::{Taken, shown};
use super::table::{Kind, Special, programs};
use super::{Arg, Flow, Judge};
use crate::door::paths::Deed;
use crate::door::{scripts, sql};

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
            Special::Env => self.env(rest, args, taken, text, input),
            Special::Xargs => self.xargs(taken, rest, text, input),
            Special::Find => self.find(args, text),
            Special::Shell => self.shell(args, text, input),
            Special::Python => self.python(name, args, text, input),
            Special::Sed => self.sed(args, text),
            Special::Awk => self.awk(args, text),
            Special::Copy | Special::Move | Special::Link => {
                self.place(special, taken, text);
                Flow::default()
            }
            Special::Make => {
                self.make(taken, text);
                Flow::default()
            }
            Special::Database => {
                self.database(name, args, text, input);
                Flow::default()
            }
            Special::Git => {
                self.git(taken, text);
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
                    self.program(&rest[at..], text, input);
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
        if name == "coverage" {
            return self.python("python", rest, text, input);
        }
        self.program(rest, text, input)
    }

    fn env(&mut self, rest: &[Arg], args: &[Arg], _taken: &Taken, text: &str, input: &Flow) -> Flow {
        let _ = rest;
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
                    self.script(&inner.to_owned(), input);
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
                _ => return self.program(&args[at - 1..], text, input),
            }
        }
        self.doubt("secrets", "it prints the environment, which may hold secrets", text);
        Flow { any: true, ..Flow::default() }
    }

    fn xargs(&mut self, taken: &Taken, rest: &[Arg], text: &str, input: &Flow) -> Flow {
        let more = match (input.lists, &input.text) {
            (true, _) => Arg::Listed(".".into()),
            (_, Some(known)) if !known.contains(['\'', '"', '\\']) && known.split_whitespace().count() == 1 => {
                Arg::Plain(known.trim().to_owned())
            }
            _ => Arg::Opaque { begin: String::new(), harmless: false, text: "what flows into xargs".into() },
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
        self.program(&command, text, &Flow { any: true, ..Flow::default() });
        Flow { any: true, ..Flow::default() }
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
                            "{}" => Arg::Listed(start.clone()),
                            part if part.contains("{}") => {
                                Arg::Opaque { begin: String::new(), harmless: false, text: part.to_owned() }
                            }
                            _ => arg.clone(),
                        })
                        .collect();
                    self.program(&command, text, &Flow::default());
                    at = end + 1;
                }
                "-delete" => {
                    for start in &starts {
                        self.path(&Arg::Listed(shown(start).to_owned()), Deed::Delete);
                    }
                    if starts.is_empty() {
                        self.path(&Arg::Listed(".".into()), Deed::Delete);
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
        Flow { any: true, ..Flow::default() }
    }

    fn shell(&mut self, args: &[Arg], text: &str, input: &Flow) -> Flow {
        let out = Flow { any: true, ..Flow::default() };
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            at += 1;
            let word = match arg {
                Arg::Plain(word) => word.as_str(),
                _ => {
                    self.doubt("unreviewed-code", "what the shell runs cannot be told", text);
                    return out;
                }
            };
            match word {
                "--version" => return out,
                "--norc" | "--noprofile" | "--posix" | "-s" | "-" | "--" => {}
                "-o" | "+o" => at += 1,
                "--rcfile" | "--init-file" => {
                    self.doubt("unreviewed-code", "the shell runs a file first", text);
                    at += 1;
                }
                flags
                    if flags.starts_with('-')
                        && flags.len() > 1
                        && flags[1..].chars().all(|c| "ceulxvifnmp".contains(c)) =>
                {
                    if !flags.contains('c') {
                        if flags.contains('i') {
                            self.doubt("unreviewed-code", "an interactive shell does what it is told later", text);
                        }
                        continue;
                    }
                    match args.get(at) {
                        Some(Arg::Plain(inner)) => self.script(&inner.clone(), input),
                        _ => self.doubt("unreviewed-code", "what the shell runs cannot be told", text),
                    }
                    return out;
                }
                flags if flags.starts_with(['-', '+']) => {
                    self.doubt("command-understood", format!("what the flag {flags:?} does is not known"), text);
                }
                _ => {
                    self.path(arg, Deed::Run);
                    self.doubt("unreviewed-code", "it runs a script that is not looked into", text);
                    return out;
                }
            }
        }
        match &input.text {
            Some(inner) => self.script(&inner.clone(), &Flow::default()),
            None => self.doubt("unreviewed-code", "what the shell is given to run cannot be told", text),
        }
        out
    }

    fn python(&mut self, name: &str, args: &[Arg], text: &str, input: &Flow) -> Flow {
        const MODULES: [&str; 24] = [
            "pytest",
            "unittest",
            "doctest",
            "json.tool",
            "py_compile",
            "compileall",
            "tabnanny",
            "mypy",
            "black",
            "ruff",
            "flake8",
            "pylint",
            "isort",
            "coverage",
            "pyright",
            "bandit",
            "pycodestyle",
            "pydocstyle",
            "pyflakes",
            "vulture",
            "codespell",
            "yamllint",
            "pip",
            "tox",
        ];
        let mut at = 0;
        while let Some(Arg::Plain(word)) = args.get(at) {
            at += 1;
            match word.as_str() {
                "-V" | "--version" => return Flow { any: true, ..Flow::default() },
                "-u" | "-B" | "-b" | "-bb" | "-I" | "-s" | "-E" | "-O" | "-q" => {}
                "-W" | "-X" => at += 1,
                "-m" => {
                    let rest = args.get(at..).unwrap_or_default();
                    if let Some(Arg::Plain(module)) = rest.first()
                        && MODULES.contains(&module.as_str())
                    {
                        return self.program(rest, text, input);
                    }
                    break;
                }
                _ => break,
            }
        }
        self.doubt("unreviewed-code", format!("{name} runs code that the law cannot read"), text);
        self.code(args, text);
        Flow { any: true, ..Flow::default() }
    }

    /// Code of another language among the arguments: what it says plainly is still told of.
    fn code(&mut self, args: &[Arg], text: &str) {
        for arg in args {
            if let Arg::Plain(code) = arg {
                for name in ["CONSTITUTION.yaml", ".meliora/"] {
                    if code.contains(name)
                        && (code.contains("write")
                            || code.contains("'w'")
                            || code.contains("\"w\"")
                            || code.contains("'a'")
                            || code.contains("unlink")
                            || code.contains("remove"))
                    {
                        self.forbid(
                            "constitution-immutable",
                            format!("the code may change {name:?}"),
                            "leave it as it is",
                            text,
                        );
                    }
                }
            }
        }
    }

    fn sed(&mut self, args: &[Arg], text: &str) -> Flow {
        let (mut scripts, mut files, mut in_place, mut at, mut plain) = (Vec::new(), Vec::new(), false, 0, false);
        while let Some(arg) = args.get(at) {
            at += 1;
            match arg {
                Arg::Plain(word) if !plain && word == "--" => plain = true,
                Arg::Plain(word) if !plain && word.starts_with('-') && word.len() > 1 => {
                    let letters = word.trim_start_matches('-');
                    match word.as_str() {
                        "-e" | "--expression" => {
                            scripts.extend(args.get(at).cloned());
                            at += 1;
                        }
                        "-l" | "--line-length" => at += 1,
                        "--quiet" | "--silent" | "--regexp-extended" | "--separate" | "--null-data" | "--posix"
                        | "--debug" | "--sandbox" | "--unbuffered" | "--version" | "--help" => {}
                        "--in-place" => in_place = true,
                        long if long.starts_with("--expression=") => {
                            scripts.push(Arg::Plain(long["--expression=".len()..].to_owned()))
                        }
                        long if long.starts_with("--in-place=") => in_place = true,
                        _ if !word.starts_with("--") && letters.starts_with('i') => in_place = true,
                        _ if !word.starts_with("--") && letters.chars().all(|c| "nErsuz".contains(c)) => {}
                        _ if !word.starts_with("--")
                            && letters.ends_with('i')
                            && letters[..letters.len() - 1].chars().all(|c| "nErsuz".contains(c)) =>
                        {
                            in_place = true
                        }
                        _ if !word.starts_with("--")
                            && letters.ends_with('e')
                            && letters[..letters.len() - 1].chars().all(|c| "nErsuz".contains(c)) =>
                        {
                            scripts.extend(args.get(at).cloned());
                            at += 1;
                        }
                        _ => self.doubt(
                            "command-understood",
                            format!("what the flag {word:?} makes sed do is not known"),
                            text,
                        ),
                    }
                }
                arg if scripts.is_empty() => scripts.push(arg.clone()),
                arg => files.push(arg.clone()),
            }
        }
        for script in &scripts {
            let fine = match script {
                Arg::Plain(script) | Arg::Pattern(script) => scripts::sed(script),
                _ => false,
            };
            if !fine {
                self.doubt("command-understood", "what the sed script does beyond editing text cannot be told", text);
            }
        }
        for file in &files {
            self.path(file, if in_place { Deed::Write } else { Deed::Read });
        }
        Flow { any: true, ..Flow::default() }
    }

    fn awk(&mut self, args: &[Arg], text: &str) -> Flow {
        let (mut program, mut at, mut plain) = (None, 0, false);
        while let Some(arg) = args.get(at) {
            at += 1;
            match arg {
                Arg::Plain(word) if !plain && word == "--" => plain = true,
                Arg::Plain(word) if !plain && program.is_none() && matches!(word.as_str(), "-F" | "-v") => at += 1,
                Arg::Plain(word)
                    if !plain && program.is_none() && (word.starts_with("-F") || word.starts_with("-v")) => {}
                Arg::Plain(word) if !plain && program.is_none() && word.starts_with('-') && word.len() > 1 => {
                    self.doubt("command-understood", format!("what the flag {word:?} makes awk do is not known"), text);
                }
                arg if program.is_none() => program = Some(arg.clone()),
                Arg::Plain(word) if word.contains('=') && !word.contains('/') => {}
                arg => self.path(arg, Deed::Read),
            }
        }
        let fine = match &program {
            Some(Arg::Plain(program)) => scripts::awk(program),
            _ => false,
        };
        if !fine {
            self.doubt("command-understood", "what the awk program does beyond printing cannot be told", text);
        }
        Flow { any: true, ..Flow::default() }
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
        let symbolic = taken.has(&["s", "symbolic"]);
        for source in sources {
            match special {
                Special::Copy => self.path(source, Deed::Read),
                Special::Move => self.path(source, Deed::Move),
                // What is written to a link is written to where it leads.
                _ => self.path(source, Deed::Link),
            }
        }
        let _ = symbolic;
        let folder = into.is_some()
            || sources.len() > 1
            || matches!(&target, Arg::Plain(path) if path.ends_with('/') || matches!(path.as_str(), "." | ".."))
            || self.is_folder(&target);
        if !folder {
            self.word(Kind::Write, &target, false, text);
        }
        let Arg::Plain(to) = &target else {
            return if folder { self.word(Kind::Write, &target, false, text) } else { () };
        };
        if folder
            || taken.has(&["a", "r", "R", "archive", "recursive"])
            || special != Special::Copy
            || !self.is_file(&target)
        {
            for source in sources {
                let (Arg::Plain(path) | Arg::Pattern(path)) = source else { continue };
                let base = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                let joined = format!("{}/{base}", to.trim_end_matches('/'));
                let joined = if to == "/" { format!("/{base}") } else { joined };
                let pattern = matches!(source, Arg::Pattern(_)) && base.contains(['*', '?', '[', '{']);
                self.path(&if pattern { Arg::Pattern(joined) } else { Arg::Plain(joined) }, Deed::Write);
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

    fn database(&mut self, name: &str, args: &[Arg], text: &str, input: &Flow) {
        let carries = ["-c", "-e", "-q", "-Q", "-f", "--command", "--execute", "--query", "-cmd", "--eval"];
        let mut statements: Vec<String> = Vec::new();
        let (mut at, mut words, mut odd) = (0, Vec::new(), false);
        while let Some(arg) = args.get(at) {
            at += 1;
            match arg {
                Arg::Plain(word) if carries.contains(&word.as_str()) && name != "sqlite3" => {
                    statements.extend(args.get(at).map(|a| shown(a).to_owned()));
                    at += 1;
                }
                Arg::Plain(word) if word.starts_with('-') && word.contains('=') => {
                    statements.extend(word.split_once('=').map(|(_, v)| v.to_owned()).filter(|v| v.contains(' ')));
                }
                Arg::Plain(word) if word.starts_with("-c") && word.len() > 2 => statements.push(word[2..].to_owned()),
                Arg::Plain(word) if word.starts_with('-') => {
                    odd |= !matches!(
                        word.trim_start_matches('-'),
                        "header"
                            | "csv"
                            | "json"
                            | "readonly"
                            | "column"
                            | "line"
                            | "list"
                            | "table"
                            | "markdown"
                            | "box"
                            | "noheader"
                            | "version"
                            | "bail"
                            | "batch"
                            | "quote"
                    );
                }
                Arg::Plain(word) => words.push(word.clone()),
                _ => odd = true,
            }
        }
        statements.extend(input.text.clone());
        if name != "sqlite3" {
            statements.extend(words.into_iter().filter(|word| word.contains(' ')));
            for statement in &statements {
                for note in sql::judge(self.realm, statement) {
                    self.notes.push(note);
                }
            }
            if matches!(name, "dropdb" | "pg_dropcluster")
                || args.iter().any(|a| matches!(shown(a).to_lowercase().as_str(), "drop" | "flushall" | "flushdb"))
            {
                self.doubt("database-deletion", "it deletes a database", text);
            }
            return;
        }
        let Some((file, rest)) = words.split_first() else {
            return self.doubt("database-deletion", "which database and what for cannot be told", text);
        };
        statements.extend(rest.iter().cloned());
        if odd || statements.is_empty() {
            self.doubt("database-deletion", "what it does to the database cannot be told", text);
        }
        if file != ":memory:" {
            self.path(&Arg::Plain(file.clone()), Deed::Read);
        }
        for statement in &statements {
            let asks = ["tables", "schema", "headers", "mode", "indexes", "databases"];
            if let Some(dot) = statement.trim_start().strip_prefix('.') {
                let word = dot.split_whitespace().next().unwrap_or_default();
                if !asks.contains(&word) || statement.contains('\n') {
                    self.doubt("command-understood", format!("what the command .{word} does is not known"), text);
                }
                continue;
            }
            let notes = sql::judge(self.realm, statement);
            let functions =
                ["load_extension", "writefile", "readfile", "edit(", "attach", "vacuum", "pragma", "fts3_tokenizer"];
            let lower = statement.to_lowercase();
            if functions.iter().any(|f| lower.contains(f)) || statement.contains("\n.") {
                self.doubt("command-understood", "it can reach other files than the database", text);
            }
            let writes =
                !["select", "explain query plan", "values", "with"].iter().any(|w| lower.trim_start().starts_with(w));
            if file != ":memory:" && writes {
                self.doubt("database-deletion", "it changes the database", text);
            }
            self.notes.extend(notes);
        }
    }

    fn git(&mut self, taken: &Taken, text: &str) {
        let _ = (taken, text);
    }
}
