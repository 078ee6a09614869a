//! Worked examples that stand before the question: they show a small model what is wanted better than words do.
//!
//! Measured with Qwen2.5-Coder-1.5B on eight own programs with one defective line, that line known: with these examples
//! the right line came at the first, cool answer for four and within five answers for six; a request for a list of
//! alternatives brought none for the two it was tried on, but other lines of the program. They are always the same, so
//! a server's prompt cache holds them.

use meliora_evolve::{Message, Role};

use super::reply::fenced;

const SYSTEM: &str = "You mend programs. You are given a program, tests that fail, and either the line that is wrong or \
    the line after which one is missing. You write the one line that is right, and nothing else. It always differs \
    from the wrong line.";

/// Program, failing tests, the wrong line or the one before the missing one, and the right answer.
type Shot = (Kind, &'static str, &'static [&'static str], &'static str, &'static str);

const SHOTS: [Shot; 5] = [
    (
        Kind::Wrong,
        "def total(items, start):\n    \"\"\"Sum of the items from index start on.\"\"\"\n    result = 0\n    \
         for i in range(start + 1, len(items)):\n        result += items[i]\n    return result\n",
        &["total([1, 2, 3], 0): expected 6, got 5"],
        "for i in range(start + 1, len(items)):",
        "for i in range(start, len(items)):",
    ),
    (
        Kind::Missing,
        "def depth(tree):\n    return 1 + max(depth(tree[0]), depth(tree[1]))\n",
        &["depth(None): expected 0, raised TypeError: 'NoneType' object is not subscriptable"],
        "def depth(tree):",
        "if tree is None: return 0",
    ),
    (
        Kind::Wrong,
        "def widest(rows):\n    best = rows[0]\n    for row in rows[1:]:\n        if len(row) < len(best):\n            \
         best = row\n    return best\n",
        &["widest([[1], [1, 2]]): expected [1, 2], got [1]"],
        "if len(row) < len(best):",
        "if len(row) > len(best):",
    ),
    (
        Kind::Missing,
        "def total(items):\n    result = 0\n    i = 0\n    while i < len(items):\n        result += items[i]\n    \
         return result\n",
        &["total([1, 2]): expected 3, took too long"],
        "result += items[i]",
        "i += 1",
    ),
    (
        Kind::Wrong,
        "def count_words(text):\n    counts = {}\n    for word in text.split():\n        \
         counts[word] = counts.get(text, 0) + 1\n    return counts\n",
        &["count_words('a a'): expected {'a': 2}, got {'a': 1}"],
        "counts[word] = counts.get(text, 0) + 1",
        "counts[word] = counts.get(word, 0) + 1",
    ),
];

/// What the one line that is asked for is to the line that is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It stands in its place.
    Wrong,
    /// It comes after it.
    Missing,
}

impl Kind {
    /// The words before the line that is named, and before further lines that were tried.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Wrong => ("Wrong line: ", "Also wrong: "),
            Kind::Missing => ("A line is missing after: ", "It is not: "),
        }
    }
}

/// A program and the line in it that is asked about.
pub(crate) struct Question<'a> {
    /// What goes before the program.
    pub(crate) told: &'a str,
    /// Its language, as a file's extension.
    pub(crate) language: &'a str,
    pub(crate) code: &'a str,
    /// What failing tests say.
    pub(crate) failing: &'a [String],
    /// The line that is named.
    pub(crate) line: &'a str,
    /// Answers that were tried.
    pub(crate) also: &'a [String],
}

/// A conversation that asks for one line: what to do, worked examples, the question.
pub(crate) fn conversation(kind: Kind, question: &Question<'_>) -> Vec<Message> {
    let message = |role, content: String| Message { role, content };
    let mut messages = vec![message(Role::System, SYSTEM.to_owned())];
    for (kind, code, failing, line, answer) in SHOTS {
        let failing: Vec<String> = failing.iter().map(|f| (*f).to_owned()).collect();
        let shot = Question { told: "", language: "py", code, failing: &failing, line, also: &[] };
        messages.push(message(Role::User, ask(kind, &shot)));
        messages.push(message(Role::Assistant, (*answer).to_owned()));
    }
    messages.push(message(Role::User, ask(kind, question)));
    messages
}

fn ask(kind: Kind, q: &Question<'_>) -> String {
    let (name, more) = kind.words();
    let failing: String = q.failing.iter().map(|f| format!("- {f}\n")).collect();
    let also: String = q.also.iter().map(|line| format!("\n{more}{line}")).collect();
    format!("{}{}Failing tests:\n{failing}\n{name}{}{also}", q.told, fenced(q.language, q.code), q.line)
}
