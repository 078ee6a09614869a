//! What a word becomes when the shell has expanded it, as far as the text tells.

use super::script::fetches;
use super::{Arg, Flow, Judge, Piece, Word};

impl Judge<'_> {
    /// What a word becomes. Commands in it are judged.
    pub(super) fn expand(&mut self, word: &Word) -> Vec<Arg> {
        let (mut plain, mut begin) = (String::new(), None::<String>);
        let (mut pattern, mut harmless, mut split) = (false, true, false);
        let (mut braces, mut filled) = (0usize, false);
        // A word that is one variable, or what one command prints, is what that is.
        let empty = |piece: &&Piece| !matches!(piece, Piece::Text(text, _) if text.is_empty());
        if let [Piece::Variable(name, _)] = word.pieces.iter().filter(empty).collect::<Vec<_>>().as_slice()
            && let Some(Some(value @ (Arg::Pattern(_) | Arg::Listed(_)))) = self.variables.get(name)
        {
            return vec![value.clone()];
        }
        for (at, piece) in word.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text, quoted) => {
                    if !quoted {
                        pattern |= text.contains(['*', '?', '[']);
                        // `{a,b}` and `{1..3}` are filled in, `{}` and `HEAD@{1}` are not. The grammar may cut them up.
                        braces += text.matches('{').count();
                        filled |= braces > 0 && (text.contains(',') || text.contains(".."));
                        pattern |= filled;
                        if at == 0 && text.starts_with('~') {
                            let end = text.find('/').unwrap_or(text.len());
                            let whole = end < text.len() || word.pieces.len() == 1;
                            if whole && end == 1 {
                                plain.push_str(&self.realm.workspace.home().to_string_lossy());
                                plain.push_str(&text[1..]);
                                continue;
                            }
                        }
                    }
                    plain.push_str(text);
                }
                Piece::Variable(name, quoted) => match self.variable(name) {
                    Some(value) => {
                        split |= !quoted && value.contains([' ', '\t', '\n', '*', '?', '[']);
                        plain.push_str(&value);
                    }
                    None => {
                        begin.get_or_insert_with(|| plain.clone());
                        harmless &= match self.variables.get(name) {
                            Some(Some(Arg::Opaque { harmless, .. })) => *harmless,
                            Some(_) => true,
                            None => name.len() == 1 && !name.chars().all(char::is_alphabetic),
                        };
                    }
                },
                Piece::Output(steps) => {
                    begin.get_or_insert_with(|| plain.clone());
                    let kept = self.keep();
                    self.depth += 1;
                    let mut flow = Flow::default();
                    match self.depth > super::DEEPEST {
                        true => self.doubt("command-understood", "it is nested too deep to be understood", &word.text),
                        false => steps.iter().for_each(|step| flow = self.step(step, &Flow::default())),
                    }
                    self.depth -= 1;
                    self.restore(kept);
                    if let Some(listing) = flow.lists
                        && steps.len() == 1
                        && word.pieces.len() == 1
                    {
                        return vec![Arg::Listed(listing)];
                    }
                }
                Piece::File(steps) => {
                    let kept = self.keep();
                    self.steps(steps, &Flow { any: true, ..Flow::default() });
                    self.restore(kept);
                    // A pipe that the shell makes; what flows through it was just judged.
                    plain.push_str("/dev/stdin");
                    if steps.iter().any(fetches) {
                        begin.get_or_insert_with(|| "<network>".into());
                    }
                }
                Piece::Odd(steps) => {
                    begin.get_or_insert_with(|| plain.clone());
                    harmless = false;
                    self.steps(steps, &Flow::default());
                }
                Piece::Computed(names, steps) => {
                    begin.get_or_insert_with(|| plain.clone());
                    let number = |name: &String| {
                        self.variable(name).is_some_and(|v| v.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
                    };
                    // What a variable holds is computed, too, and run where it stands in brackets: `a[$(id)]`.
                    if names.as_ref().is_none_or(|names| !names.iter().all(number)) {
                        harmless = false;
                        self.doubt("command-understood", "what is computed here cannot be told", &word.text);
                    }
                    self.steps(steps, &Flow::default());
                }
            }
        }
        if plain.len() > super::WIDEST {
            self.doubt("command-understood", "a word is too long to be understood", "");
            return vec![Arg::Opaque { begin: String::new(), harmless: false, text: String::new() }];
        }
        if let Some(begin) = begin {
            return vec![Arg::Opaque { begin, harmless, text: word.text.clone() }];
        }
        if split {
            let words = plain.split_whitespace();
            return words
                .map(|w| if w.contains(['*', '?', '[']) { Arg::Pattern(w.into()) } else { Arg::Plain(w.into()) })
                .collect();
        }
        if braces > 0 && pattern && filled {
            // It may become several words, also flags and whole commands.
            self.doubt("command-understood", "what the shell makes of the braces is not looked into", &word.text);
        }
        vec![if pattern { Arg::Pattern(plain) } else { Arg::Plain(plain) }]
    }

    /// A variable's value, where it can be told.
    fn variable(&self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            Some(Some(Arg::Plain(value))) => Some(value.clone()),
            Some(_) => None,
            None => match name {
                "HOME" => Some(self.realm.workspace.home().to_string_lossy().into_owned()),
                "PWD" => match self.folders.as_slice() {
                    [Some(folder)] => Some(folder.to_string_lossy().into_owned()),
                    _ => None,
                },
                _ => None,
            },
        }
    }
}
