//! What language a text is in: by its path, else by what parses best.

use tree_sitter::{Language as Grammar, Parser, Tree};

/// A language that rules know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript, JSX.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Rust.
    Rust,
    /// POSIX shell and bash.
    Shell,
    /// Makefiles.
    Make,
    /// Settings: YAML, TOML, INI, JSON.
    Settings,
    /// Plain text, such as a prompt.
    Prose,
}

impl Language {
    /// By a path's name; plain text where nothing is known of it.
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        if matches!(name, "Makefile" | "makefile" | "GNUmakefile" | "justfile") {
            return Language::Make;
        }
        match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "py" | "pyi" => Language::Python,
            "js" | "mjs" | "cjs" | "jsx" => Language::JavaScript,
            "ts" | "mts" | "cts" => Language::TypeScript,
            "tsx" => Language::Tsx,
            "rs" => Language::Rust,
            "sh" | "bash" | "zsh" | "ksh" => Language::Shell,
            "mk" => Language::Make,
            "yml" | "yaml" | "toml" | "ini" | "cfg" | "json" | "coveragerc" | "conf" => Language::Settings,
            _ => Language::Prose,
        }
    }

    pub(super) fn grammar(self) -> Option<Grammar> {
        Some(match self {
            Language::Python => tree_sitter_python::LANGUAGE.into(),
            Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Language::Rust => tree_sitter_rust::LANGUAGE.into(),
            Language::Shell => tree_sitter_bash::LANGUAGE.into(),
            Language::Make | Language::Settings | Language::Prose => return None,
        })
    }

    /// Whether it is JavaScript in one of its forms.
    pub(super) fn is_script(self) -> bool {
        matches!(self, Language::JavaScript | Language::TypeScript | Language::Tsx)
    }

    /// The likeliest language of a text without a path.
    pub fn guess(text: &str) -> Self {
        if text.starts_with("#!") {
            let first = text.lines().next().unwrap_or_default();
            return match first {
                _ if first.contains("python") => Language::Python,
                _ if first.contains("node") => Language::JavaScript,
                _ => Language::Shell,
            };
        }
        let lines: Vec<&str> = text.lines().collect();
        let rule =
            |l: &&str| !l.starts_with([' ', '\t', '#', '-']) && l.trim_end().ends_with(':') && !l.contains(['(', ' ']);
        let recipe = lines.windows(2).any(|w| rule(&w[0]) && w[1].starts_with('\t'));
        if recipe && !text.contains("def ") {
            return Language::Make;
        }
        if prose(text) {
            return Language::Prose;
        }
        let tried = [Language::Python, Language::TypeScript, Language::Rust, Language::Shell];
        let cost = |language: Language| {
            let wrong = parse(language, text).map_or(usize::MAX, |tree| errors(&tree, text.len()));
            wrong.saturating_sub(cues(language, text) * 12)
        };
        let best = tried.into_iter().min_by_key(|l| cost(*l)).unwrap_or(Language::Prose);
        match best {
            Language::TypeScript if parse(Language::JavaScript, text).is_some_and(|t| !t.root_node().has_error()) => {
                Language::JavaScript
            }
            other => other,
        }
    }
}

/// Sentences: capital letters at the beginning, stops at the end, hardly a sign that programs have.
fn prose(text: &str) -> bool {
    let words = text.split_whitespace().count();
    let signs = text.chars().filter(|c| "=(){}[];<>_|&$".contains(*c)).count();
    let stops = text.matches(". ").count() + usize::from(text.trim_end().ends_with(['.', '!', '?', '}']));
    words >= 6 && stops >= 1 && signs * 5 < words * 2 && !text.trim_start().starts_with(['#', '@'])
}

/// Words at the beginning of lines, or signs, that one language has and the others lack.
fn cues(language: Language, text: &str) -> usize {
    let begins: &[&str] = match language {
        Language::Python => &[
            "def ",
            "import ",
            "from ",
            "class ",
            "elif ",
            "except",
            "assert ",
            "print(",
            "with ",
            "@",
            "async def ",
            "try:",
            "else:",
        ],
        Language::Rust => &["fn ", "pub ", "impl ", "use ", "#[", "let mut ", "match ", "struct ", "async fn ", "mod "],
        Language::Shell => &[
            "echo ", "export ", "fi", "done", "then", "if [", "sed ", "rm ", "cp ", "mv ", "git ", "cat ", "psql ",
            "pytest ", "cargo ", "npm ", "python ", "trap ", "set -", "make", "curl ", "mkdir ", "touch ", "unset ",
        ],
        _ => &[
            "const ",
            "let ",
            "var ",
            "function ",
            "export ",
            "it(",
            "test(",
            "describe(",
            "expect(",
            "console.",
            "process.",
            "module.exports",
            "async function ",
            "import {",
            "xit(",
            "return;",
            "});",
        ],
    };
    let signs: &[&str] = match language {
        Language::Python => &["):\n", " is None", " not in ", "self.", "True", "False", "None"],
        Language::Rust => &["::", "&self", "-> ", "&str", "u64", ".unwrap()", "assert!"],
        Language::Shell => &["$(", "\"$", " || ", " && ", "| "],
        _ => &["=>", "===", "!==", "};", "});", "function"],
    };
    let lines = text.lines().filter(|l| begins.iter().any(|b| l.trim_start().starts_with(b))).count();
    lines + signs.iter().filter(|s| text.contains(**s)).count()
}

/// The tree, where the language has a grammar.
pub(super) fn parse(language: Language, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()?).expect("the grammar and the parser are of one version");
    if language == Language::Shell {
        // This grammar's scanner, which is C, crashes on some bytes that are no printable ASCII. To a shell they are letters.
        let plain = |b: u8| if matches!(b, b'\t' | b'\n' | b' '..=b'~') { b } else { b'x' };
        let masked: Vec<u8> = text.bytes().map(plain).collect();
        return parser.parse(&masked, None);
    }
    parser.parse(text, None)
}

/// Bytes that the parser could not fit in.
fn errors(tree: &Tree, length: usize) -> usize {
    let mut wrong = 0;
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            wrong += (node.end_byte() - node.start_byte()).clamp(4, length.max(4));
        } else if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return wrong;
            }
        }
    }
}

/// The text without its comments, for measuring that no rule lives on them.
pub fn without_comments(language: Language, text: &str) -> String {
    let Some(tree) = parse(language, text) else {
        let kept = text.lines().filter(|l| language == Language::Prose || !l.trim_start().starts_with('#'));
        return kept.collect::<Vec<_>>().join("\n");
    };
    let mut spans = Vec::new();
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let comment = node.kind().contains("comment");
        if comment {
            spans.push(node.byte_range());
        }
        if !comment && cursor.goto_first_child() {
            continue;
        }
        let mut up = false;
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                up = true;
                break;
            }
        }
        if up {
            break;
        }
    }
    let mut out = String::new();
    let mut from = 0;
    for span in spans {
        out.push_str(text.get(from..span.start).unwrap_or_default());
        from = span.end;
    }
    out + text.get(from..).unwrap_or_default()
}
