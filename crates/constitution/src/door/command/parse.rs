//! Reads a shell text into the few forms that the door understands. What it does not understand it says so, and keeps
//! the commands within it, so that a danger hidden there is still found. Runs nothing and expands nothing.

use tree_sitter::{Node, Parser};

use super::quote::{ansi, names_in, only_cuts, unescape, unquote};

/// Deepest nesting that is looked into.
pub(super) const DEEPEST: usize = 60;

/// A part of a script.
#[derive(Debug)]
pub(crate) enum Step {
    /// Assignments, a program, its arguments, redirects: each may be missing.
    Simple(Simple),
    /// `a | b`; each runs in a shell of its own.
    Pipeline(Vec<Step>),
    /// `a && b` where the flag is set, else `a || b`.
    Chain(Box<Step>, bool, Box<Step>),
    /// `{ a; b; }`, a branch of an `if` or a `case`: parts of which any may run.
    Group(Vec<Step>),
    /// `( a; b )`
    Subshell(Vec<Step>),
    /// `for name in values; do body; done`
    For { name: String, values: Vec<Word>, body: Vec<Step> },
    /// `while condition; do body; done`, and `until`.
    While { condition: Vec<Step>, body: Vec<Step>, text: String },
    /// `f() { body; }`
    Function { name: String, body: Vec<Step>, text: String },
    /// `[[ … ]]`, and the word after `case`: nothing runs but what stands in the words, and what they hold where the shell
    /// `computes` with them.
    Test { words: Vec<Word>, text: String, computes: bool },
    /// A part with redirects of its own.
    Redirected(Box<Step>, Vec<Redirect>),
    /// What is not understood, and the commands within it.
    Odd { what: &'static str, text: String, inner: Vec<Step> },
}

/// A simple command.
#[derive(Debug, Default)]
pub(crate) struct Simple {
    pub(crate) assigns: Vec<(String, Option<Word>)>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
    /// As it stands in the script.
    pub(crate) text: String,
}

/// Where a command's input or output goes.
#[derive(Debug)]
pub(crate) enum Redirect {
    Write(Word),
    Read(Word),
    /// A here-document or here-string.
    Here(Word),
    /// From one descriptor to another.
    Same,
}

/// A word before its expansion.
#[derive(Debug, Default)]
pub(crate) struct Word {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) text: String,
}

/// A part of a word.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Plain text; quoted text is neither split nor a pattern.
    Text(String, bool),
    /// `$name`, quoted or not.
    Variable(String, bool),
    /// `$(…)`, and `$((…))` with commands in it.
    Output(Vec<Step>),
    /// `<(…)`, `>(…)`
    File(Vec<Step>),
    /// What the shell computes of these variables, `None` where more than names stands in it, with the commands in it.
    Computed(Option<Vec<String>>, Vec<Step>),
    /// Anything else, with the commands in it.
    Odd(Vec<Step>),
}

/// The script's parts, in order; the flag is `false` where something of the text is in no part, so that nothing of it
/// may be let through.
pub(crate) fn parse(text: &str) -> (Vec<Step>, bool) {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bash::LANGUAGE.into()).expect("the grammar and the parser are of one version");
    // The grammar's scanner, which is C, crashes on some bytes that are no printable ASCII. To a shell they are letters.
    let plain = |b: u8| if matches!(b, b'\t' | b'\n' | b' '..=b'~') { b } else { b'x' };
    let masked: Vec<u8> = text.bytes().map(plain).collect();
    let Some(tree) = parser.parse(&masked, None) else { return (Vec::new(), false) };
    let root = tree.root_node();
    let reader = Reader { text };
    let whole = !root.has_error() && reader.covered(root, 0);
    (reader.steps(root, 0), whole)
}

pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
}

impl<'t> Reader<'t> {
    pub(super) fn of(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn steps(&self, node: Node<'_>, depth: usize) -> Vec<Step> {
        let mut cursor = node.walk();
        node.named_children(&mut cursor).filter(|n| n.kind() != "comment").map(|n| self.step(n, depth + 1)).collect()
    }

    fn odd(&self, what: &'static str, node: Node<'_>, depth: usize) -> Step {
        Step::Odd { what, text: self.of(node).to_owned(), inner: self.within(node, depth) }
    }

    /// The commands at any depth under a node.
    fn within(&self, node: Node<'_>, depth: usize) -> Vec<Step> {
        if depth > DEEPEST {
            return vec![Step::Odd { what: "nesting this deep", text: String::new(), inner: Vec::new() }];
        }
        let mut cursor = node.walk();
        let mut found = Vec::new();
        for child in node.named_children(&mut cursor) {
            match child.kind() {
                "command" | "pipeline" | "list" | "redirected_statement" | "subshell" | "compound_statement" => {
                    found.push(self.step(child, depth + 1));
                }
                _ => found.extend(self.within(child, depth + 1)),
            }
        }
        found
    }

    fn step(&self, node: Node<'_>, depth: usize) -> Step {
        if depth > DEEPEST {
            return Step::Odd { what: "nesting this deep", text: String::new(), inner: Vec::new() };
        }
        let text = || self.of(node).to_owned();
        let mut cursor = node.walk();
        match node.kind() {
            "command" | "variable_assignment" | "declaration_command" | "unset_command" => self.simple(node, depth),
            "variable_assignments" => Step::Group(self.steps(node, depth)),
            "pipeline" => Step::Pipeline(self.steps(node, depth)),
            "list" => {
                let parts: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
                match parts.as_slice() {
                    [left, right] => {
                        let both = self.text[left.end_byte()..right.start_byte()].contains("&&");
                        let (left, right) = (self.step(*left, depth + 1), self.step(*right, depth + 1));
                        Step::Chain(Box::new(left), both, Box::new(right))
                    }
                    _ => self.odd("a list of this form", node, depth),
                }
            }
            "negated_command" => Step::Group(self.steps(node, depth)),
            "subshell" => Step::Subshell(self.steps(node, depth)),
            "compound_statement" if self.of(node).starts_with("((") => self.odd("arithmetic", node, depth),
            "compound_statement" | "do_group" | "else_clause" => Step::Group(self.steps(node, depth)),
            "if_statement" | "elif_clause" => Step::Group(self.steps(node, depth)),
            "while_statement" => {
                let body = node.child_by_field_name("body");
                let condition = node
                    .named_children(&mut cursor)
                    .filter(|n| Some(*n) != body && n.kind() != "comment")
                    .map(|n| self.step(n, depth + 1))
                    .collect();
                Step::While { condition, body: body.map_or(Vec::new(), |b| self.steps(b, depth)), text: text() }
            }
            "for_statement" if self.of(node).starts_with("for") => {
                let name = node.child_by_field_name("variable").map_or("", |n| self.of(n)).to_owned();
                let values = node.children_by_field_name("value", &mut cursor).map(|n| self.word(n, depth)).collect();
                let body = node.child_by_field_name("body").map_or(Vec::new(), |b| self.steps(b, depth));
                Step::For { name, values, body }
            }
            "case_statement" => {
                let mut parts: Vec<Step> = Vec::new();
                let words = node.child_by_field_name("value").map(|n| self.word(n, depth)).into_iter().collect();
                parts.push(Step::Test { words, text: text(), computes: false });
                for item in node.named_children(&mut cursor).filter(|n| n.kind() == "case_item") {
                    let mut inner = item.walk();
                    let patterns: Vec<Node<'_>> = item.children_by_field_name("value", &mut inner).collect();
                    let mut others = item.walk();
                    let commands = item.named_children(&mut others).filter(|n| !patterns.contains(n));
                    parts.extend(commands.filter(|n| n.kind() != "comment").map(|n| self.step(n, depth + 1)));
                    parts.extend(patterns.iter().flat_map(|p| self.within(*p, depth)));
                }
                Step::Group(parts)
            }
            "function_definition" => Step::Function {
                name: node.child_by_field_name("name").map_or("", |n| self.of(n)).to_owned(),
                body: node.child_by_field_name("body").map(|b| self.step(b, depth + 1)).into_iter().collect(),
                text: text(),
            },
            "test_command" => self.test(node, depth),
            "redirected_statement" => self.redirected(node, depth),
            _ => self.odd("this form", node, depth),
        }
    }

    fn test(&self, node: Node<'_>, depth: usize) -> Step {
        fn leaves<'n>(node: Node<'n>, into: &mut Vec<Node<'n>>, depth: usize) -> bool {
            let mut cursor = node.walk();
            depth < DEEPEST
                && node.named_children(&mut cursor).all(|child| match child.kind() {
                    "unary_expression" | "binary_expression" | "parenthesized_expression" | "negated_expression" => {
                        leaves(child, into, depth + 1)
                    }
                    "test_operator" => true,
                    "subscript" | "postfix_expression" | "ternary_expression" => false,
                    _ => {
                        into.push(child);
                        true
                    }
                })
        }
        let mut found = Vec::new();
        if !leaves(node, &mut found, 0) {
            return self.odd("a test of this form", node, depth);
        }
        let words = found.into_iter().map(|n| self.word(n, depth)).collect();
        let text = self.of(node);
        let computes = text.starts_with("[[")
            && ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R", "-t"].iter().any(|operator| {
                text.split(|c: char| c.is_whitespace() || c == '(' || c == '!').any(|word| word == *operator)
            })
            || text.split_whitespace().any(|word| word == "-v");
        Step::Test { words, text: text.to_owned(), computes }
    }

    fn simple(&self, node: Node<'_>, depth: usize) -> Step {
        let mut simple = Simple { text: self.of(node).to_owned(), ..Simple::default() };
        if node.kind() == "variable_assignment" {
            return match self.assignment(node, depth) {
                Some(assign) => {
                    simple.assigns.push(assign);
                    Step::Simple(simple)
                }
                None => self.odd("an assignment of this form", node, depth),
            };
        }
        let declares = node.kind() != "command";
        if declares {
            let first = node.child(0).map_or("", |n| self.of(n)).to_owned();
            simple.words.push(Word::plain(&first));
        }
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            match child.kind() {
                "variable_assignment" if declares => simple.words.push(self.word(child, depth)),
                "variable_assignment" => match self.assignment(child, depth) {
                    Some(assign) => simple.assigns.push(assign),
                    None => return self.odd("an assignment of this form", node, depth),
                },
                "file_redirect" | "herestring_redirect" => {
                    let (redirect, words) = self.redirect(child, depth);
                    simple.redirects.push(redirect);
                    simple.words.extend(words);
                }
                "heredoc_redirect" => return self.odd("a here-document in this place", node, depth),
                "comment" => {}
                "command_name" => simple.words.push(self.word(child.named_child(0).unwrap_or(child), depth)),
                _ => simple.words.push(self.word(child, depth)),
            }
        }
        Step::Simple(simple)
    }

    fn assignment(&self, node: Node<'_>, depth: usize) -> Option<(String, Option<Word>)> {
        let name = node.child_by_field_name("name").filter(|n| n.kind() == "variable_name")?;
        let value = node.child_by_field_name("value");
        if value.is_some_and(|v| v.kind() == "array") || self.of(node).contains("+=") {
            return None;
        }
        Some((self.of(name).to_owned(), value.map(|v| self.word(v, depth))))
    }

    /// A redirect, and the arguments that the grammar took for more of its targets.
    fn redirect(&self, node: Node<'_>, depth: usize) -> (Redirect, Vec<Word>) {
        let mut cursor = node.walk();
        let parts: Vec<Node<'_>> = node.children(&mut cursor).collect();
        let operator = parts.iter().find(|n| !n.is_named()).map_or("", |n| self.of(*n));
        let mut targets = parts.iter().filter(|n| n.is_named() && n.kind() != "file_descriptor");
        let Some(target) = targets.next() else { return (Redirect::Same, Vec::new()) };
        let more = targets.map(|n| self.word(*n, depth)).collect();
        let word = self.word(*target, depth);
        let redirect = match operator {
            "<<<" => Redirect::Here(word),
            "<" => Redirect::Read(word),
            ">&" | "<&" if self.of(*target).bytes().all(|b| b.is_ascii_digit() || b == b'-') => Redirect::Same,
            ">&-" | "<&-" => Redirect::Same,
            _ => Redirect::Write(word),
        };
        (redirect, more)
    }

    fn redirected(&self, node: Node<'_>, depth: usize) -> Step {
        let body = node.child_by_field_name("body");
        let mut step = body.map_or_else(
            || Step::Simple(Simple { text: self.of(node).to_owned(), ..Simple::default() }),
            |b| self.step(b, depth + 1),
        );
        let (mut after, mut cursor) = (Vec::new(), node.walk());
        for child in node.named_children(&mut cursor).filter(|n| Some(*n) != body && n.kind() != "comment") {
            match child.kind() {
                "heredoc_redirect" => {
                    let start = child.named_children(&mut child.walk()).find(|n| n.kind() == "heredoc_start");
                    let quoted = start.is_none_or(|n| self.of(n).contains(['\'', '"', '\\']));
                    let document = child.named_children(&mut child.walk()).find(|n| n.kind() == "heredoc_body");
                    let odd = start.is_some_and(|n| self.of(n).contains('$'))
                        || !quoted && document.is_some_and(|n| self.of(n).contains(['`', '\\']));
                    if odd {
                        return self.odd("a here-document of this form", node, depth);
                    }
                    let text = document.map_or(Word::default(), |n| match quoted {
                        true => Word::plain(self.of(n)),
                        false => self.pieces_between(n, 0, depth),
                    });
                    step.attach(Redirect::Here(text));
                    let mut inner = child.walk();
                    for part in child.named_children(&mut inner) {
                        match part.kind() {
                            "heredoc_start" | "heredoc_body" | "heredoc_end" | "comment" => {}
                            "file_redirect" | "herestring_redirect" => {
                                let (redirect, words) = self.redirect(part, depth);
                                step.attach(redirect);
                                if !words.into_iter().all(|word| step.argument(word)) {
                                    return self.odd("a redirect of this form", node, depth);
                                }
                            }
                            "pipeline"
                            | "command"
                            | "list"
                            | "redirected_statement"
                            | "subshell"
                            | "negated_command"
                            | "compound_statement"
                            | "while_statement"
                            | "for_statement"
                            | "if_statement" => {
                                after.push((part, part.kind() == "pipeline"));
                            }
                            "file_descriptor" => {}
                            _ => {
                                let word = self.word(part, depth);
                                if !step.argument(word) {
                                    return self.odd("a here-document in this place", node, depth);
                                }
                            }
                        }
                    }
                }
                "file_redirect" | "herestring_redirect" => {
                    let (redirect, words) = self.redirect(child, depth);
                    step.attach(redirect);
                    if !words.into_iter().all(|word| step.argument(word)) {
                        return self.odd("a redirect of this form", node, depth);
                    }
                }
                _ => return self.odd("a redirect of this form", node, depth),
            }
        }
        for (part, piped) in after {
            // `cat <<EOF | sh`: what follows on the first line stands inside of the here-document.
            let right = self.step(part, depth + 1);
            step = match right {
                Step::Pipeline(rest) if piped => Step::Pipeline(std::iter::once(step).chain(rest).collect()),
                right if piped => Step::Pipeline(vec![step, right]),
                right => Step::Chain(Box::new(step), false, Box::new(right)),
            };
        }
        step
    }

    fn word(&self, node: Node<'_>, depth: usize) -> Word {
        let mut word = Word { pieces: Vec::new(), text: self.of(node).to_owned() };
        self.pieces(node, false, depth, &mut word.pieces);
        word
    }

    fn pieces(&self, node: Node<'_>, quoted: bool, depth: usize, into: &mut Vec<Piece>) {
        if depth > DEEPEST {
            return into.push(Piece::Odd(Vec::new()));
        }
        let text = self.of(node);
        match node.kind() {
            "word" | "number" | "extglob_pattern" | "regex" | "variable_name" if node.named_child_count() == 0 => {
                unescape(text, into);
            }
            "raw_string" => {
                into.push(Piece::Text(text.get(1..text.len().saturating_sub(1)).unwrap_or_default().into(), true))
            }
            "ansi_c_string" => match ansi(text) {
                Some(plain) => into.push(Piece::Text(plain, true)),
                None => into.push(Piece::Odd(Vec::new())),
            },
            "string" => into.extend(self.pieces_between(node, 1, depth).pieces),
            "concatenation" | "variable_assignment" => {
                let (mut at, mut cursor) = (node.start_byte(), node.walk());
                for child in node.children(&mut cursor) {
                    unescape(self.text.get(at..child.start_byte()).unwrap_or_default(), into);
                    match child.is_named() {
                        true => self.pieces(child, quoted, depth + 1, into),
                        false => unescape(self.of(child), into),
                    }
                    at = child.end_byte();
                }
            }
            "simple_expansion" => into.push(Piece::Variable(text.trim_start_matches('$').to_owned(), quoted)),
            "expansion" => {
                let name = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).unwrap_or_default();
                match !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                    true => into.push(Piece::Variable(name.to_owned(), quoted)),
                    false if only_cuts(text) => into.push(Piece::Odd(self.within(node, depth))),
                    false => into.push(Piece::Computed(None, self.within(node, depth))),
                }
            }
            "command_substitution" => into.push(Piece::Output(self.steps(node, depth))),
            "process_substitution" => into.push(Piece::File(self.steps(node, depth))),
            "arithmetic_expansion" if text.bytes().all(|b| b"$(0123456789+-*/% )".contains(&b)) => {
                into.push(Piece::Output(Vec::new()));
            }
            "arithmetic_expansion" => into.push(Piece::Computed(names_in(text), self.within(node, depth))),
            _ => into.push(Piece::Odd(self.within(node, depth))),
        }
    }

    /// A double-quoted string or a here-document: what stands between the expansions is plain text.
    fn pieces_between(&self, node: Node<'_>, margin: usize, depth: usize) -> Word {
        let mut word = Word { pieces: Vec::new(), text: self.of(node).to_owned() };
        let end = node.end_byte().saturating_sub(margin);
        let (mut at, mut cursor) = (node.start_byte() + margin, node.walk());
        for child in node.named_children(&mut cursor) {
            if matches!(child.kind(), "string_content" | "heredoc_content") {
                continue;
            }
            word.pieces.push(Piece::Text(unquote(self.text.get(at..child.start_byte()).unwrap_or_default()), true));
            self.pieces(child, true, depth + 1, &mut word.pieces);
            at = child.end_byte();
        }
        word.pieces.push(Piece::Text(unquote(self.text.get(at..end).unwrap_or_default()), true));
        word
    }
}

impl Word {
    pub(crate) fn plain(text: &str) -> Self {
        Word { pieces: vec![Piece::Text(text.to_owned(), true)], text: text.to_owned() }
    }
}

impl Step {
    /// Gives a redirect to the command that it belongs to.
    fn attach(&mut self, redirect: Redirect) {
        match self {
            Step::Simple(simple) => simple.redirects.push(redirect),
            Step::Chain(_, _, right) => right.attach(redirect),
            Step::Pipeline(parts) if !parts.is_empty() => {
                if let Some(last) = parts.last_mut() {
                    last.attach(redirect);
                }
            }
            Step::Redirected(_, redirects) => redirects.push(redirect),
            _ => {
                let inner = std::mem::replace(self, Step::Group(Vec::new()));
                *self = Step::Redirected(Box::new(inner), vec![redirect]);
            }
        }
    }

    /// Gives an argument to the command that it belongs to, if that can be told.
    fn argument(&mut self, word: Word) -> bool {
        match self {
            Step::Simple(simple) => simple.words.push(word),
            _ => return false,
        }
        true
    }
}
