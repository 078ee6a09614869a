//! The table of programs: which flags read, write, run or are harmless, as data. It lies in `programs.table`, which
//! says how its lines are read. A program or a flag that is not in it is not understood.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What a flag does, and whether it takes a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flag {
    /// Nothing that matters.
    Plain,
    /// Takes a text.
    Text,
    /// May have a text behind it, in the same word.
    Attached,
    /// Takes a path that is read.
    Read,
    /// Takes a path that is written.
    Write,
    /// Takes a path, and code in it is run.
    Code,
    /// Takes the name of a module, a configuration or a program, which is loaded.
    Loads,
    /// Makes a program that only looks write its files anew.
    Rewrites,
    /// Makes a program that would write its files anew only look.
    Looks,
    /// Does what nobody can foresee.
    Harm,
}

/// What a word is that is no flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// Text, or a path that is read if it leads out of the workspace.
    Name,
    /// A path that is read.
    Read,
    /// A path whose code is run.
    Code,
    /// A path that is written.
    Write,
    /// A path that is deleted; with `-r`, all in it.
    Delete,
    /// There is none.
    None,
    /// The name of a task of the workspace: `test`, `lint`.
    Task,
}

/// Programs that a list of flags cannot describe: the function that judges them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Special {
    Awk,
    Copy,
    Database,
    Env,
    Find,
    Link,
    Make,
    Move,
    Python,
    Run,
    Sed,
    Shell,
    Xargs,
}

/// A program, or a subcommand of one.
#[derive(Default, Debug)]
pub(crate) struct Program {
    /// A person decides, whatever the flags: why.
    pub(crate) ask: Option<&'static str>,
    /// It never happens, whatever the flags: why.
    pub(crate) forbid: Option<&'static str>,
    /// No flag of it does harm; unknown ones may take a path that is read.
    pub(crate) pure: bool,
    /// The first word is a text, unless a flag gave it (`grep`).
    pub(crate) pattern: bool,
    /// What it prints are paths of the workspace.
    pub(crate) lists: bool,
    /// It prints what it reads, or less.
    pub(crate) filter: bool,
    /// It runs the workspace's own code.
    pub(crate) builds: bool,
    /// The shell itself does it; no variable of the environment can make it do something else.
    pub(crate) builtin: bool,
    /// Flags are whole words behind one dash or two (`go`, `terraform`).
    pub(crate) long: bool,
    /// It talks to other machines.
    pub(crate) network: bool,
    /// Words behind `--` are for the workspace's own code.
    pub(crate) passes: bool,
    /// It writes the files anew that it is given, unless a flag makes it only look.
    pub(crate) rewrites: bool,
    /// A function of its own judges it.
    pub(crate) special: Option<Special>,
    /// What its words are; the last stands for all that follow.
    pub(crate) words: Vec<Kind>,
    pub(crate) flags: HashMap<&'static str, Flag>,
    pub(crate) children: HashMap<&'static str, Program>,
}

/// The programs, by name.
pub(crate) fn programs() -> &'static HashMap<&'static str, Program> {
    static TABLE: OnceLock<HashMap<&'static str, Program>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut programs = HashMap::new();
        for text in [include_str!("programs.table"), include_str!("tools.table"), include_str!("remote.table")] {
            read(text, &mut programs);
        }
        programs.values_mut().for_each(loads);
        programs
    })
}

/// What flags are called whose value names a module, a program or a configuration that is loaded. A tool that runs code
/// takes it from where the value says, also where its line in the table calls it a text.
pub(super) const LOADERS: [&str; 30] = [
    "browser",
    "builder",
    "collect",
    "compiler",
    "context",
    "env",
    "environment",
    "format",
    "formatter",
    "import",
    "interpreter",
    "loader",
    "logger",
    "output-format",
    "parser",
    "plugin",
    "plugins",
    "pool",
    "preset",
    "processor",
    "provider",
    "python",
    "reporter",
    "reporters",
    "require",
    "resolver",
    "runner",
    "standard",
    "transform",
    "ui",
];

fn loads(program: &mut Program) {
    let runs = program.builds || program.special == Some(Special::Run) || program.words.contains(&Kind::Code);
    for (name, flag) in program.flags.iter_mut().filter(|_| runs) {
        if *flag == Flag::Text && LOADERS.contains(name) {
            *flag = Flag::Loads;
        }
    }
    program.children.values_mut().for_each(loads);
}

/// A program's reason why a person decides: the article, and in words.
pub(crate) fn reason(name: &str) -> (&'static str, &'static str) {
    match name {
        "network" => ("network-denied", "it connects to other machines"),
        "remote" => ("remote-resources", "it can change what lies on other machines or is shared with others"),
        "system" => {
            ("system-integrity", "it can change the machine: services, packages, users, disks, networks, processes")
        }
        "privileges" => ("privileges", "it raises privileges or changes who may do what"),
        "secrets" => ("secrets", "it handles secrets"),
        "container" => ("system-integrity", "it starts or changes containers, which reach more than the workspace"),
        "fetch" => ("unreviewed-code", "it fetches or installs code that nobody reviewed"),
        "code" => ("unreviewed-code", "it runs code that the law cannot read"),
        "data" => ("database-deletion", "it can change or delete a database"),
        "history" => ("history-immutable", "it changes the history or the state of the repository"),
        "loss" => ("reversible", "it can delete what nothing brings back"),
        "resources" => ("resources", "it can use up the machine"),
        "word" => ("self-approval", "it gives a person's word, which only a person can give"),
        "files" => ("editable-paths", "which files it writes cannot be told from the command"),
        _ => ("command-understood", "what it does is not known"),
    }
}

fn read(text: &'static str, programs: &mut HashMap<&'static str, Program>) {
    let lines = text.lines().map(|line| line.split("##").next().unwrap_or_default());
    for line in lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (names, rest) = line.split_once(" : ").unwrap_or((line.trim_end_matches(" :"), ""));
        let (traits, flags) = rest.split_once(';').unwrap_or((rest, ""));
        let path: Vec<&'static str> = names.split_whitespace().collect();
        for name in path.first().copied().unwrap_or_default().split(',') {
            add(programs, name, &path[1..], traits, flags);
        }
    }
}

fn add(
    programs: &mut HashMap<&'static str, Program>,
    name: &'static str,
    deeper: &[&'static str],
    traits: &'static str,
    flags: &'static str,
) {
    let program = programs.entry(name).or_default();
    match deeper.split_first() {
        Some((names, deeper)) => {
            names.split(',').for_each(|name| add(&mut program.children, name, deeper, traits, flags));
        }
        None => {
            // The more special line comes later, and holds.
            if !traits.contains("ask:") && !traits.contains("forbid:") && !traits.trim().is_empty() {
                program.ask = None;
            }
            traits.split_whitespace().for_each(|word| program.take(word));
            flags.split_whitespace().for_each(|word| program.flag(word));
        }
    }
}

impl Program {
    fn take(&mut self, word: &'static str) {
        match word {
            "pure" => self.pure = true,
            "pattern" => self.pattern = true,
            "lists" => self.lists = true,
            "filter" => self.filter = true,
            "builds" => self.builds = true,
            "builtin" => self.builtin = true,
            "long" => self.long = true,
            "network" => self.network = true,
            "passes" => self.passes = true,
            "rewrites" => self.rewrites = true,
            "text" => self.words.push(Kind::Text),
            "name" => self.words.push(Kind::Name),
            "read" => self.words.push(Kind::Read),
            "code" => self.words.push(Kind::Code),
            "write" => self.words.push(Kind::Write),
            "delete" => self.words.push(Kind::Delete),
            "none" => self.words.push(Kind::None),
            "task" => self.words.push(Kind::Task),
            "=awk" => self.special = Some(Special::Awk),
            "=copy" => self.special = Some(Special::Copy),
            "=database" => self.special = Some(Special::Database),
            "=env" => self.special = Some(Special::Env),
            "=find" => self.special = Some(Special::Find),
            "=link" => self.special = Some(Special::Link),
            "=make" => self.special = Some(Special::Make),
            "=move" => self.special = Some(Special::Move),
            "=python" => self.special = Some(Special::Python),
            "=run" => self.special = Some(Special::Run),
            "=sed" => self.special = Some(Special::Sed),
            "=shell" => self.special = Some(Special::Shell),
            "=xargs" => self.special = Some(Special::Xargs),
            word => match (word.strip_prefix("ask:"), word.strip_prefix("forbid:")) {
                (Some(why), _) => self.ask = Some(why),
                (_, Some(why)) => self.forbid = Some(why),
                _ => debug_assert!(false, "{word:?} in the table of programs"),
            },
        }
    }

    fn flag(&mut self, word: &'static str) {
        let (name, flag) = match word.as_bytes().last() {
            Some(b'?') => (word.trim_end_matches('?').trim_end_matches('='), Flag::Attached),
            Some(b':' | b'=') if word.len() > 1 => (&word[..word.len() - 1], Flag::Text),
            Some(b'<') => (&word[..word.len() - 1], Flag::Read),
            Some(b'>') => (&word[..word.len() - 1], Flag::Write),
            Some(b'%') => (&word[..word.len() - 1], Flag::Code),
            Some(b'!') => (&word[..word.len() - 1], Flag::Harm),
            Some(b'@') => (&word[..word.len() - 1], Flag::Loads),
            Some(b'^') => (&word[..word.len() - 1], Flag::Rewrites),
            Some(b'~') => (&word[..word.len() - 1], Flag::Looks),
            _ => (word, Flag::Plain),
        };
        // `-abc` are three flags, where flags are single letters.
        let letters = name.strip_prefix('-').filter(|n| !self.long && !n.starts_with('-') && n.len() > 1);
        match letters {
            Some(letters) => {
                for (at, letter) in letters.char_indices() {
                    let at = at + 1;
                    let last = at + letter.len_utf8() == name.len();
                    self.flags.insert(&name[at..at + letter.len_utf8()], if last { flag } else { Flag::Plain });
                }
            }
            None => {
                let key = name.trim_start_matches('-');
                self.flags
                    .insert(if name.starts_with("--") && !self.long && key.len() == 1 { name } else { key }, flag);
            }
        }
    }

    /// What the n-th word that is no flag is.
    pub(crate) fn kind(&self, n: usize) -> Kind {
        self.words.get(n).or(self.words.last()).copied().unwrap_or(Kind::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_says_what_the_program_takes() {
        fn check(name: &str, program: &Program) {
            let group = !program.children.is_empty();
            assert!(
                group
                    || program.ask.or(program.forbid).is_some()
                    || program.special.is_some()
                    || !program.words.is_empty(),
                "{name}: neither words nor a decision nor subcommands"
            );
            if let Some(why) = program.ask.or(program.forbid) {
                assert_ne!(reason(why), reason(""), "{name}: {why}");
            }
            program.children.iter().for_each(|(child, program)| check(&format!("{name} {child}"), program));
        }
        assert!(programs().len() > 300);
        programs().iter().for_each(|(name, program)| check(name, program));
    }

    #[test]
    fn letters_stand_for_single_flags_and_the_last_one_takes_the_value() {
        let mut program = Program::default();
        ["-ab", "-n:", "--long=", "--to>"].into_iter().for_each(|word| program.flag(word));
        assert_eq!(program.flags["a"], Flag::Plain);
        assert_eq!(program.flags["n"], Flag::Text);
        assert_eq!(program.flags["long"], Flag::Text);
        assert_eq!(program.flags["to"], Flag::Write);
    }
}
