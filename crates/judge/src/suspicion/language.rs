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
        let rule = |l: &&str| {
            let target = l.split_once(':').map(|(t, _)| t);
            !l.starts_with([' ', '\t', '#', '-'])
                && target
                    .is_some_and(|t| !t.is_empty() && t.chars().all(|c| c.is_alphanumeric() || "_.-/% $".contains(c)))
                && !l.contains(":=")
        };
        let recipe = lines.windows(2).any(|w| rule(&w[0]) && w[1].starts_with('\t'));
        if recipe && !text.contains("def ") {
            return Language::Make;
        }
        if settings(text) {
            return Language::Settings;
        }
        if prose(text) || spoken(text) {
            return Language::Prose;
        }
        let tried = [Language::Python, Language::TypeScript, Language::Rust, Language::Shell];
        let cost = |language: Language| {
            let wrong = parse(language, text).map_or(usize::MAX, |tree| errors(&tree, text.len()));
            wrong.saturating_sub(cues(language, text) * 12)
        };
        let best = tried.into_iter().min_by_key(|l| cost(*l)).unwrap_or(Language::Prose);
        match best {
            Language::TypeScript
                if text.contains("</")
                    && parse(Language::TypeScript, text).is_some_and(|t| t.root_node().has_error()) =>
            {
                Language::Tsx
            }
            Language::TypeScript if parse(Language::JavaScript, text).is_some_and(|t| !t.root_node().has_error()) => {
                Language::JavaScript
            }
            other => other,
        }
    }
}

/// Keys and values, with sections or deeper and deeper.
fn settings(text: &str) -> bool {
    let lines: Vec<&str> =
        text.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with(['#', ';'])).collect();
    if lines.len() < 2 {
        return false;
    }
    let word = |k: &str| {
        !k.is_empty()
            && k.chars().all(|c| c.is_alphanumeric() || "_-./\"' ${}".contains(c))
            && k.split_whitespace().count() <= 2
    };
    let section = |l: &&&str| l.starts_with('[') && l.trim_end().ends_with(']') && !l.contains(['(', '=', '"']);
    let code = [
        "def ",
        "class ",
        "import ",
        "from ",
        "return",
        "if ",
        "for ",
        "while ",
        "with ",
        "try:",
        "except",
        "assert ",
        "print(",
        "fn ",
        "let ",
        "const ",
        "function ",
    ];
    let statement = |l: &&&str| {
        code.iter().any(|c| l.trim_start().starts_with(c)) || l.trim_end().ends_with([';', ')']) && !l.contains(": ")
    };
    // TOML and INI: sections, each with `key = value`.
    if lines.iter().any(|l| section(&l)) {
        let pairs =
            lines.iter().filter(|l| l.split_once('=').is_some_and(|(k, _)| word(k.trim())) || section(l)).count();
        let listed = lines.iter().filter(|l| l.starts_with([' ', '\t', ']'])).count();
        return (pairs + listed) * 10 >= lines.len() * 9
            && lines.first().is_some_and(|l| section(&l) || l.contains('='));
    }
    // JSON: one object, its keys quoted.
    let whole = text.trim();
    if whole.starts_with('{') && whole.ends_with('}') {
        return lines
            .iter()
            .all(|l| l.trim_start().starts_with(['"', '{', '}', ']', '[']) || l.trim().parse::<f64>().is_ok());
    }
    // YAML: `key: value` and `- item`; what hangs deeper beneath `|` is a script of its own.
    let first = lines
        .first()
        .is_some_and(|l| l.split_once(':').is_some_and(|(k, v)| word(k) && (v.is_empty() || v.starts_with(' '))));
    let pairs = lines.iter().filter(|l| {
        let bare = l.trim_start().trim_start_matches("- ");
        l.trim_start().starts_with("- ")
            || bare.split_once(':').is_some_and(|(k, v)| word(k) && (v.is_empty() || v.starts_with(' ')))
    });
    let scripted = text.contains(": |") || text.contains(": >");
    let loose = lines.iter().filter(statement).count();
    first
        && pairs.count() * 10 >= lines.len() * if scripted { 4 } else { 6 }
        && (loose == 0 || scripted)
        && !text.contains("{\n")
}

/// Prose with marks in it: sentences, and no line that is a statement.
fn spoken(text: &str) -> bool {
    let statement = |l: &&str| {
        let l = l.trim();
        let begins = [
            "def ",
            "fn ",
            "const ",
            "let ",
            "import ",
            "function ",
            "class ",
            "if (",
            "for (",
            "return",
            "echo ",
            "export ",
            "#!",
            "@",
            "assert",
            "use ",
        ];
        begins.iter().any(|b| l.starts_with(b)) || l.ends_with([';', '{', '\\'])
    };
    let sentence = |l: &&str| {
        let l = l.trim().trim_start_matches(['<', 'p', '>', '*', '-', '#', ' ']);
        let ends = l.split('<').next().unwrap_or(l).trim_end();
        l.split_whitespace().count() >= 5
            && l.starts_with(|c: char| c.is_uppercase())
            && ends.ends_with(['.', '!', '?', ':', ','])
    };
    text.lines().any(|l| sentence(&l)) && !text.lines().any(|l| statement(&l))
}

/// Sentences: capital letters at the beginning, stops at the end, hardly a sign that programs have.
fn prose(text: &str) -> bool {
    let commands = [
        "def ",
        "class ",
        "import ",
        "from ",
        "fn ",
        "const ",
        "let ",
        "function ",
        "mkdir ",
        "printf ",
        "echo ",
        "cat ",
        "python ",
        "python3 ",
        "cd ",
        "npm ",
        "git ",
        "export ",
        "rm ",
        "cp ",
        "mv ",
        "find ",
        "curl ",
        "sed ",
        "touch ",
        "pytest ",
        "make ",
        "docker ",
        "chmod ",
    ];
    if text.lines().any(|l| commands.iter().any(|c| l.trim_start().starts_with(c))) {
        return false;
    }
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
        Language::Rust => &[
            "let ",
            "println!",
            "fn ",
            "pub ",
            "impl ",
            "use ",
            "#[",
            "let mut ",
            "match ",
            "struct ",
            "async fn ",
            "mod ",
        ],
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
        Language::Rust => &[
            "::",
            "&self",
            "-> ",
            "&str",
            "u64",
            ".unwrap()",
            "assert!",
            "println!",
            "let mut ",
            " as f64",
            "vec![",
            "..=",
            "&mut ",
            "::new(",
            ".iter()",
        ],
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
