//! Programs that carry a program of their own among their arguments, or are fed one: shells, Python, sed, awk, databases.

use super::flags::shown;
use super::{Arg, Flow, Judge};
use crate::door::paths::Deed;
use crate::door::{scripts, sql};

impl Judge<'_> {
    pub(super) fn shell(&mut self, args: &[Arg], text: &str, input: &Flow) -> Flow {
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

    pub(super) fn python(&mut self, name: &str, args: &[Arg], text: &str, input: &Flow) -> Flow {
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
    pub(super) fn code(&mut self, args: &[Arg], text: &str) {
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

    pub(super) fn sed(&mut self, args: &[Arg], text: &str) -> Flow {
        let (mut scripts, mut files, mut in_place, mut at, mut plain) = (Vec::new(), Vec::new(), false, 0, false);
        let mut kept = String::new();
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
                        long if long.starts_with("--in-place=") => {
                            in_place = true;
                            kept = long["--in-place=".len()..].to_owned();
                        }
                        _ if !word.starts_with("--") && letters.starts_with('i') => {
                            in_place = true;
                            kept = letters[1..].to_owned();
                        }
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
        if kept.contains(['*', '/']) {
            self.doubt("command-understood", "under which name the old file is kept cannot be told", text);
        }
        for file in &files {
            self.path(file, if in_place { Deed::Write } else { Deed::Read });
            if !kept.is_empty() {
                self.path(&Arg::Plain(format!("{}{kept}", shown(file))), Deed::Write);
            }
        }
        Flow { any: true, ..Flow::default() }
    }

    pub(super) fn awk(&mut self, args: &[Arg], text: &str) -> Flow {
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

    pub(super) fn database(&mut self, name: &str, args: &[Arg], text: &str, input: &Flow) {
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
            // Each statement by how it begins; what is quoted may hold a semicolon, and then a person is asked.
            let writes = lower.split(';').map(str::trim).filter(|part| !part.is_empty()).any(|part| {
                let reads = ["select", "explain query plan", "values", "with"].iter().any(|w| part.starts_with(w));
                let changes = ["insert", "update", "delete", "replace"];
                !reads || part.starts_with("with") && part.split_whitespace().any(|word| changes.contains(&word))
            });
            if file != ":memory:" && writes {
                self.doubt("database-deletion", "it changes the database", text);
            }
            self.notes.extend(notes);
        }
    }
}
