//! What names imports bind.

use super::language::Language;

/// Pairs of a name and the dotted path that it stands for, of one import statement.
pub(super) fn bound(language: Language, statement: &str) -> Vec<(String, String)> {
    let text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches(';').replace(['(', ')'], "");
    match language {
        Language::Python => python(&text),
        Language::Rust => {
            let mut out = Vec::new();
            let path = text.trim_start_matches("pub ").trim_start_matches("use ");
            expand("", path, &mut out);
            out
        }
        _ => script(&text),
    }
}

fn renamed(item: &str, prefix: &str) -> (String, String) {
    let (name, alias) = item.split_once(" as ").map_or((item, None), |(name, alias)| (name, Some(alias)));
    let (name, prefix) = (name.trim(), prefix.trim());
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match alias {
        Some(alias) => (alias.trim().to_owned(), path),
        // `import a.b` binds `a`.
        None if prefix.is_empty() => {
            let root = name.split('.').next().unwrap_or(name).to_owned();
            (root.clone(), root)
        }
        None => (name.to_owned(), path),
    }
}

fn python(text: &str) -> Vec<(String, String)> {
    if let Some((module, items)) = text.strip_prefix("from ").and_then(|t| t.split_once(" import ")) {
        return items.split(',').filter(|i| !i.trim().is_empty()).map(|item| renamed(item.trim(), module)).collect();
    }
    let items = text.strip_prefix("import ").unwrap_or_default();
    items.split(',').filter(|i| !i.trim().is_empty()).map(|item| renamed(item.trim(), "")).collect()
}

fn script(text: &str) -> Vec<(String, String)> {
    let Some((what, from)) = text.trim_start_matches("import ").rsplit_once(" from ") else { return Vec::new() };
    let module = from.trim_matches(['"', '\'', ' ']).trim_start_matches("node:").to_owned();
    // What a test framework calls its own is called so wherever it comes from.
    if matches!(module.as_str(), "vitest" | "@jest/globals" | "test" | "mocha" | "bun:test" | "chai") {
        return Vec::new();
    }
    let mut out = Vec::new();
    let (plain, listed) = what.split_once('{').map_or((what, ""), |(plain, listed)| (plain, listed));
    for name in plain.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        out.push((name.trim_start_matches("* as ").to_owned(), module.clone()));
    }
    for item in listed.trim_end_matches('}').split(',').map(|i| i.trim().trim_end_matches('}').trim()) {
        if !item.is_empty() {
            out.push(renamed(item, &module));
        }
    }
    out
}

fn expand(prefix: &str, path: &str, out: &mut Vec<(String, String)>) {
    let path = path.trim();
    let join = |rest: &str| match prefix {
        "" => rest.replace("::", "."),
        _ => format!("{prefix}.{}", rest.replace("::", ".")),
    };
    if let Some((head, rest)) = path.split_once('{') {
        let prefix = join(head.trim_end_matches(':')).trim_end_matches('.').to_owned();
        let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
        let (mut depth, mut from) = (0, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&prefix, &inner[from..at], out);
                    from = at + 1;
                }
                _ => {}
            }
        }
        expand(&prefix, &inner[from..], out);
        return;
    }
    if path.is_empty() {
        return;
    }
    let (path, alias) = path.split_once(" as ").map_or((path, None), |(path, alias)| (path, Some(alias)));
    let full = join(path);
    let last = full.rsplit('.').next().unwrap_or_default();
    if last == "self" {
        let full = full.trim_end_matches(".self").to_owned();
        let name = full.rsplit('.').next().unwrap_or_default().to_owned();
        out.push((alias.unwrap_or(&name).to_owned(), full));
    } else if last != "*" {
        out.push((alias.unwrap_or(last).to_owned(), full.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, statement: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        assert_eq!(bound(language, statement), expected, "{statement}");
    }

    #[test]
    fn names_stand_for_what_they_were_imported_as() {
        check(Language::Python, "import os as o, sys", &[("o", "os"), ("sys", "sys")]);
        check(Language::Python, "import a.b", &[("a", "a")]);
        check(Language::Python, "from os import (\n _exit as q,\n path)", &[("q", "os._exit"), ("path", "os.path")]);
        check(
            Language::JavaScript,
            "import fs, { exit as e } from \"node:process\";",
            &[("fs", "process"), ("e", "process.exit")],
        );
        check(Language::JavaScript, "import * as p from 'process'", &[("p", "process")]);
        check(
            Language::Rust,
            "use std::{process::{self, exit as done}, env};",
            &[("process", "std.process"), ("done", "std.process.exit"), ("env", "std.env")],
        );
    }
}
