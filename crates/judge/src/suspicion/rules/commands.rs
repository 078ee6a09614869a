//! Commands of a shell script, and which of them check something.

use tree_sitter::Node;

use super::inside::test_code;

/// A command as it is written: its words without quotes, and what it is in.
pub(super) struct Command<'t> {
    pub(super) node: Node<'t>,
    pub(super) words: Vec<String>,
    /// Files that its output goes to.
    pub(super) into: Vec<String>,
    /// Files that it is given.
    pub(super) from: Vec<String>,
    /// Words of what is before it in a pipe.
    pub(super) before: Vec<String>,
    /// Text that is given to it.
    pub(super) here: String,
    /// Assignments before it.
    pub(super) set: Vec<String>,
}

/// The commands beneath a node, in order.
pub(super) fn gather<'t>(node: Node<'t>, text: &str, out: &mut Vec<Command<'t>>, depth: usize) {
    if depth > 200 {
        return;
    }
    if node.kind() == "command" {
        let (mut words, mut set) = (Vec::new(), Vec::new());
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            match child.kind() {
                "variable_assignment" => set.push(plain(child, text)),
                "herestring_redirect" | "file_redirect" => {}
                _ => words.push(plain(child, text)),
            }
        }
        let (mut into, mut from, mut here) = (Vec::new(), Vec::new(), String::new());
        let piped = node.parent().filter(|p| p.kind() == "pipeline");
        let before: Vec<String> = piped
            .map(|p| text.get(p.start_byte()..node.start_byte()).unwrap_or_default())
            .unwrap_or_default()
            .split(|c: char| c.is_whitespace() || c == '|')
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect();
        let mut above = node.parent();
        while let Some(up) = above.filter(|u| matches!(u.kind(), "redirected_statement" | "pipeline" | "list")) {
            if up.kind() == "redirected_statement" {
                let mut cursor = up.walk();
                for redirect in up.named_children(&mut cursor) {
                    let what = plain(redirect, text);
                    match redirect.kind() {
                        "file_redirect" if what.contains('>') => {
                            into.extend(redirect.child_by_field_name("destination").map(|d| plain(d, text)))
                        }
                        "file_redirect" => {
                            from.extend(redirect.child_by_field_name("destination").map(|d| plain(d, text)))
                        }
                        "heredoc_redirect" => {
                            here.push_str(&what);
                            let mut inner = redirect.walk();
                            into.extend(
                                redirect
                                    .named_children(&mut inner)
                                    .filter(|r| r.kind() == "file_redirect")
                                    .filter_map(|r| r.child_by_field_name("destination"))
                                    .map(|d| plain(d, text)),
                            );
                        }
                        _ => {}
                    }
                }
            }
            // What is redirected at the end of `a && b` is what `b` says.
            if up.kind() == "list" && up.end_byte() != node.end_byte() {
                break;
            }
            above = up.parent();
        }
        out.push(Command { node, words, into, from, before, here, set });
    }
    if node.kind() == "variable_assignment" && node.parent().is_some_and(|p| p.kind() != "command") {
        out.push(Command {
            node,
            words: Vec::new(),
            into: Vec::new(),
            from: Vec::new(),
            before: Vec::new(),
            here: String::new(),
            set: vec![plain(node, text)],
        });
    }
    if node.kind() == "unset_command" || node.kind() == "declaration_command" {
        let words = of(node, text).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let set = words.iter().skip(1).cloned().collect();
        out.push(Command {
            node,
            words,
            into: Vec::new(),
            from: Vec::new(),
            before: Vec::new(),
            here: String::new(),
            set,
        });
    }
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        gather(child, text, out, depth + 1);
    }
}

pub(super) fn of<'t>(node: Node<'_>, text: &'t str) -> &'t str {
    text.get(node.byte_range()).unwrap_or_default()
}

/// A word without its quotes.
fn plain(node: Node<'_>, text: &str) -> String {
    let word = of(node, text);
    word.trim_matches(['"', '\'']).to_owned()
}

/// Programs that check something.
pub(super) fn checks(words: &[String]) -> bool {
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .skip_while(|w| {
            matches!(
                *w,
                "env"
                    | "time"
                    | "timeout"
                    | "sudo"
                    | "nice"
                    | "poetry"
                    | "uv"
                    | "run"
                    | "npx"
                    | "exec"
                    | "xvfb-run"
                    | "bundle"
                    | "@"
            ) || w.parse::<f64>().is_ok()
                || w.contains('=')
        })
        .collect();
    let name = words
        .first()
        .copied()
        .unwrap_or_default()
        .trim_start_matches(['-', '@', '+'])
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let then = words.get(1).copied().unwrap_or_default();
    match name {
        "pytest" | "tox" | "nox" | "jest" | "mocha" | "vitest" | "ctest" | "phpunit" | "rspec" | "mypy" | "eslint"
        | "shellcheck" | "flake8" | "pylint" | "tsc" | "clippy" | "ava" | "bats" => true,
        "cargo" => words.iter().any(|w| matches!(*w, "test" | "clippy" | "nextest" | "check" | "audit" | "deny")),
        "go" => matches!(then, "test" | "vet"),
        "npm" | "yarn" | "pnpm" | "bun" | "deno" => {
            matches!(then, "test" | "t")
                || (then == "run" && words.get(2).is_some_and(|w| w.contains("test") || w.contains("lint")))
        }
        "make" | "just" | "gradle" | "gradlew" | "mvn" | "ninja" => {
            words.iter().skip(1).any(|w| matches!(*w, "test" | "check" | "verify" | "tests" | "lint"))
        }
        "ruff" => then == "check",
        "python" | "python3" => {
            words.windows(2).any(|w| w[0] == "-m" && matches!(w[1], "pytest" | "unittest" | "doctest" | "mypy" | "tox"))
                || words.iter().skip(1).any(|w| test_code(w))
        }
        "bash" | "sh" | "node" => words.iter().skip(1).any(|w| w.rsplit('/').next().is_some_and(script)),
        _ => script(name),
    }
}

fn script(name: &str) -> bool {
    let words = super::super::scene::words(name);
    words.iter().any(|w| matches!(w.as_str(), "test" | "tests" | "verify" | "validate"))
        && (name.contains('.') || name.contains('_') || name.contains('-'))
}
