//! Sorts a command's arguments into flags and words, by the table, and judges each.

use super::program::leads_out;
use super::table::{Flag, Kind, Program, Special};
use super::{Arg, Judge};
use crate::door::paths::Deed;

/// A command's arguments, sorted.
pub(super) struct Taken {
    /// The program, or the subcommand that was meant.
    pub(super) program: &'static Program,
    /// The words that are no flags and no subcommands.
    pub(super) words: Vec<Arg>,
    /// The flags, without dashes and values.
    pub(super) flags: Vec<String>,
    /// The texts that flags were given, with the flag.
    pub(super) values: Vec<(String, Arg)>,
    /// Where the words begin that the program was called for, in the arguments.
    pub(super) start: usize,
    /// Where the arguments of the subcommand begin.
    pub(super) own: usize,
    /// A flag before the subcommand that nobody knows.
    pub(super) odd: Option<String>,
    /// Flags that turn writing anew on and off.
    pub(super) rewrites: bool,
    pub(super) looks: bool,
}

impl Taken {
    pub(super) fn has(&self, flags: &[&str]) -> bool {
        self.flags.iter().any(|flag| flags.contains(&flag.as_str()))
    }
}

impl Judge<'_> {
    pub(super) fn take(&mut self, name: &str, chain: &[&'static Program], args: &[Arg], text: &str) -> Taken {
        let mut chain: Vec<&'static Program> = chain.to_vec();
        let first = *chain.last().expect("a command has a program");
        let mut taken = Taken {
            program: first,
            words: Vec::new(),
            flags: Vec::new(),
            values: Vec::new(),
            start: args.len(),
            own: 0,
            odd: None,
            rewrites: false,
            looks: false,
        };
        let (mut at, mut plain) = (0, false);
        if reads_itself(first) {
            taken.start = 0;
            return taken;
        }
        while at < args.len() {
            let program = taken.program;
            let arg = &args[at];
            at += 1;
            if let Arg::Plain(word) = arg
                && taken.words.is_empty()
                && !plain
                && let Some(child) = program.children.get(word.as_str())
            {
                chain.push(child);
                taken.program = child;
                taken.own = at;
                if reads_itself(child) {
                    taken.start = at;
                    return taken;
                }
                continue;
            }
            let flag = match arg {
                Arg::Plain(word) | Arg::Pattern(word) => {
                    (!plain && word.len() > 1 && word.starts_with('-')).then(|| word.clone())
                }
                _ => None,
            };
            if !plain && matches!(arg, Arg::Plain(word) if word == "--") {
                if program.passes {
                    self.handed(name, &args[at..], text);
                    break;
                }
                if program.builds && !program.pure {
                    self.beyond(name, &args[at..], text);
                }
                // `cargo fmt -- FILE`: what follows are flags and words of the formatter.
                plain = !program.rewrites;
                continue;
            }
            let Some(word) = flag else {
                if self.takes_command(program) {
                    taken.start = at - 1;
                    break;
                }
                if matches!(arg, Arg::Pattern(word) if word.starts_with(['*', '?', '[']))
                    && !plain
                    && !program.pure
                    && program.special.is_none()
                    && program.ask.is_none()
                {
                    self.doubt(
                        "command-understood",
                        "a file's name that the pattern meets may be read as a flag; write ./*",
                        text,
                    );
                }
                if let Arg::Plain(word) = arg
                    && let Some(toolchain) = word.strip_prefix('+')
                    && name == "cargo"
                    && taken.words.is_empty()
                    && chain.len() == 1
                {
                    let known = ["stable", "beta", "nightly"].contains(&toolchain);
                    if !known && !toolchain.chars().all(|c| c.is_ascii_digit() || c == '.') {
                        self.doubt(
                            "unreviewed-code",
                            format!("what the toolchain {toolchain:?} is cannot be told"),
                            text,
                        );
                    }
                    continue;
                }
                taken.words.push(arg.clone());
                continue;
            };
            at += self.flag(&chain, &word, args.get(at), &mut taken, text);
        }
        let decided = taken.program.ask.is_some() || taken.program.forbid.is_some();
        if let Some(odd) = taken.odd.as_ref().filter(|_| !decided) {
            self.doubt("command-understood", format!("what the flag {odd:?} does is not known"), text);
        }
        self.words(&taken, text);
        if taken.program.builds && taken.program.pure {
            self.handed(name, &args[taken.own..], text);
        }
        if (taken.program.rewrites || taken.rewrites) && !taken.looks {
            self.rewritten(name, &taken);
        }
        taken
    }

    /// A program that writes its files anew.
    fn rewritten(&mut self, name: &str, taken: &Taken) {
        // A formatter of one language goes by the modules that the workspace is made of.
        if taken.words.is_empty() && !matches!(name, "cargo" | "go" | "mix") {
            self.path(&Arg::Plain(".".into()), Deed::Rewrite);
        }
        for word in &taken.words {
            match word {
                Arg::Plain(word) if word == "-" => {}
                Arg::Plain(word) => self.path(&Arg::Plain(word.trim_end_matches("/...").to_owned()), Deed::Rewrite),
                word => self.path(word, Deed::Rewrite),
            }
        }
    }

    /// Whether what follows is a command of its own, or words that a function of its own looks at.
    fn takes_command(&self, program: &Program) -> bool {
        matches!(program.special, Some(Special::Run | Special::Xargs))
    }

    fn words(&mut self, taken: &Taken, text: &str) {
        let program = taken.program;
        // A function of its own looks at the words, or a person does.
        if program.special.is_some() || program.ask.is_some() || program.forbid.is_some() {
            return;
        }
        if !program.children.is_empty() && program.words.is_empty() && !taken.words.is_empty() {
            let why = format!("the subcommand {:?} is not known", shown(&taken.words[0]));
            return self.doubt("command-understood", why, text);
        }
        let given = program.pattern
            && taken
                .flags
                .iter()
                .any(|flag| matches!(flag.as_str(), "e" | "f" | "regexp" | "file" | "from-file" | "search-path"));
        let all = taken.has(&["r", "R", "recursive"]);
        for (n, word) in taken.words.iter().enumerate() {
            let kind = program.kind(n + usize::from(given));
            // What a tool is given that runs code is code.
            let code = program.builds && kind == Kind::Name && leads_out(shown(word));
            self.word(if code { Kind::Code } else { kind }, word, all, text);
        }
    }

    /// Takes a flag; returns how many of the following arguments belong to it: none or one.
    fn flag(
        &mut self,
        chain: &[&'static Program],
        word: &str,
        next: Option<&Arg>,
        taken: &mut Taken,
        text: &str,
    ) -> usize {
        let program = taken.program;
        // A person decides anyway: only what a function of its own looks at matters.
        let loose = program.ask.is_some() && program.flags.is_empty();
        let find = |name: &str| {
            let own = program.flags.get(name);
            own.or_else(|| chain.iter().rev().find_map(|p| p.flags.get(name))).copied()
        };
        let digits = word[1..].bytes().all(|b| b.is_ascii_digit());
        if digits && find("0").is_some() {
            return 0;
        }
        if word.starts_with("--") || program.long {
            let bare = word.strip_prefix("--").unwrap_or(&word[1..]);
            let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
            taken.flags.push(name.to_owned());
            let Some(flag) = find(name).filter(|_| name.len() > 1 || program.long) else {
                self.unknown(program, word, value, loose, taken, text);
                return 0;
            };
            return match (flag, value) {
                (Flag::Harm, _) => self.harm(word, text),
                (Flag::Plain | Flag::Attached, _) => 0,
                (Flag::Rewrites | Flag::Looks, _) => turned(flag, taken),
                (_, Some(value)) => self.value(flag, name, Arg::Plain(value.to_owned()), taken, text, 0),
                (_, None) => self.following(flag, name, next, taken, text),
            };
        }
        for (at, letter) in word.char_indices().skip(1) {
            let after = at + letter.len_utf8();
            let name = &word[at..after];
            taken.flags.push(name.to_owned());
            match find(name) {
                None => {
                    self.unknown(program, word, Some(&word[after..]), loose, taken, text);
                    return 0;
                }
                Some(Flag::Plain) => {}
                Some(flag @ (Flag::Rewrites | Flag::Looks)) => {
                    turned(flag, taken);
                }
                Some(Flag::Attached) => return 0,
                Some(Flag::Harm) => return self.harm(word, text),
                Some(flag) if after < word.len() => {
                    return self.value(flag, name, Arg::Plain(word[after..].to_owned()), taken, text, 0);
                }
                Some(flag) => return self.following(flag, name, next, taken, text),
            }
        }
        0
    }

    fn following(&mut self, flag: Flag, name: &str, next: Option<&Arg>, taken: &mut Taken, text: &str) -> usize {
        match next {
            Some(arg) => self.value(flag, name, arg.clone(), taken, text, 1),
            None => 0,
        }
    }

    fn value(&mut self, flag: Flag, name: &str, arg: Arg, taken: &mut Taken, text: &str, used: usize) -> usize {
        match flag {
            Flag::Read => self.word(Kind::Read, &arg, false, text),
            // Settings written out in place of a path.
            Flag::Code if shown(&arg).contains('{') => {
                self.doubt("unreviewed-code", "the settings that it is given may name code", text);
            }
            Flag::Code => self.word(Kind::Code, &arg, false, text),
            Flag::Write => self.word(Kind::Write, &arg, false, text),
            Flag::Loads => self.loaded(&arg, name, text),
            _ => {
                self.word(Kind::Text, &arg, false, text);
                self.texts(taken.program, name, &arg);
            }
        }
        taken.values.push((name.to_owned(), arg));
        used
    }

    fn harm(&mut self, word: &str, text: &str) -> usize {
        self.doubt("unreviewed-code", format!("the flag {word:?} can make it run or write anything"), text);
        0
    }

    /// A flag that the table does not know.
    fn unknown(
        &mut self,
        program: &Program,
        word: &str,
        value: Option<&str>,
        loose: bool,
        taken: &mut Taken,
        text: &str,
    ) {
        if loose {
            taken.odd.get_or_insert_with(|| word.to_owned());
            return;
        }
        if !program.pure {
            return self.doubt("command-understood", format!("what the flag {word:?} does is not known"), text);
        }
        // No flag of the program does harm; but what it names is read.
        let value = value.unwrap_or_default();
        if let Some(start) = value.find(['/', '~']).or(value.contains("..").then_some(0)) {
            let begins_path = start == 0 || value[..start].chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
            let path = if begins_path && !value[start..].starts_with(['/', '~']) { value } else { &value[start..] };
            if program.words.first() != Some(&Kind::Text) || program.pattern {
                self.path(&Arg::Plain(path.to_owned()), Deed::Read);
            }
        } else if word.starts_with("--") && !value.is_empty() && program.words.first() == Some(&Kind::Read) {
            self.path(&Arg::Plain(value.to_owned()), Deed::Read);
        }
    }
}

/// A flag that turns writing anew on or off; nothing that follows belongs to it.
fn turned(flag: Flag, taken: &mut Taken) -> usize {
    match flag {
        Flag::Rewrites => taken.rewrites = true,
        _ => taken.looks = true,
    }
    0
}

/// Whether a function of its own reads all its arguments, flags too.
fn reads_itself(program: &Program) -> bool {
    matches!(
        program.special,
        Some(
            Special::Shell
                | Special::Python
                | Special::Find
                | Special::Sed
                | Special::Awk
                | Special::Env
                | Special::Database
        )
    )
}

pub(super) fn shown(arg: &Arg) -> &str {
    match arg {
        Arg::Plain(text) | Arg::Pattern(text) | Arg::Opaque { text, .. } => text,
        Arg::Listed(listing) => &listing.start,
    }
}
