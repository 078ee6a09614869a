//! What an article of the user's own applies to: patterns over paths, commands, SQL, hosts and kinds of operations.
//!
//! A matcher only says whether and where an operation meets its patterns. What follows from that is the article's.

use meliora_domain::{Edit, Operation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Patterns of an article. An operation meets them when it is of one of the kinds in `operations`, where any are named,
/// and meets one pattern of the other lists, where any has one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Matcher {
    /// Globs of paths that are written or deleted, relative to the workspace or absolute: `*` stops at `/`, `**` does
    /// not, `{a,b}`, `[a-z]` and `?` mean what they do in a shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Commands: a program and, in this order but not next to each other, words among its arguments. `*` stands for any
    /// text. `git push`, `rm -r*`, `npm publish`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// SQL: words that a statement has in this order, without regard to case; `*` stands for any text within a word.
    /// `drop table`, `delete from audit_*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sql: Vec<String>,
    /// Hosts, with a port behind a colon where it matters: `*.example.com`, `localhost:5432`, `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
    /// Kinds of operations: see [`Matcher::OPERATIONS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
}

impl Matcher {
    /// The kinds of operations, as [`Matcher::operations`] names them.
    pub const OPERATIONS: [&str; 9] =
        ["change", "write", "delete", "command", "sql", "network", "diff", "promote", "migrate"];

    /// What is wrong with the patterns, if anything: a matcher without a pattern, an unknown kind, an empty pattern, a
    /// glob that cannot be read. Says how to mend it. An article whose matcher has a fault must not load.
    pub fn fault(&self) -> Option<String> {
        if let Some(odd) = self.operations.iter().find(|kind| !Self::OPERATIONS.contains(&kind.as_str())) {
            return Some(format!("{odd:?} is no kind of operation; known are {}", Self::OPERATIONS.join(", ")));
        }
        let lists = [&self.paths, &self.commands, &self.sql, &self.network];
        if lists.iter().all(|list| list.is_empty()) && self.operations.is_empty() {
            return Some("it matches nothing; name paths, commands, sql, network or operations".into());
        }
        if lists.iter().any(|list| list.iter().any(|pattern| pattern.trim().is_empty())) {
            return Some("a pattern is empty; take it out".into());
        }
        self.paths.iter().find_map(|glob| {
            globset::Glob::new(glob).err().map(|e| format!("the glob {glob:?} cannot be read: {}", e.kind()))
        })
    }

    /// The first part of the operation that meets the patterns, as it stands there. For an article that forbids or asks:
    /// one part is enough.
    pub fn meets(&self, operation: &Operation) -> Option<String> {
        let kind = kind(operation);
        if !self.operations.is_empty() && !self.operations.iter().any(|name| name == kind) {
            return None;
        }
        if [&self.paths, &self.commands, &self.sql, &self.network].iter().all(|list| list.is_empty()) {
            return (!self.operations.is_empty()).then(|| kind.to_owned());
        }
        match operation {
            Operation::Change { change, .. } => {
                change.edits.iter().map(Edit::path).find(|path| self.path(path)).map(str::to_owned)
            }
            Operation::Write { path } | Operation::Delete { path } => self.path(path).then(|| path.clone()),
            Operation::Command { text } => super::command::meets(self, text),
            Operation::Sql { text } => text.split(';').find(|part| self.statement(part)).map(|s| s.trim().to_owned()),
            Operation::Network { host, port } => self.host(host, *port).then(|| host.clone()),
            Operation::Diff { text } => text
                .lines()
                .filter_map(|line| line.strip_prefix("+++ b/").or_else(|| line.strip_prefix("--- a/")))
                .find(|path| self.path(path))
                .map(str::to_owned),
            Operation::Promote { .. } => None,
            Operation::Migrate { to } => self.network.iter().any(|pattern| like(pattern, to)).then(|| to.clone()),
        }
    }

    /// Whether it speaks of operations of one of these kinds.
    pub(crate) fn of_kind(&self, kinds: &[&str]) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|name| kinds.contains(&name.as_str()))
    }

    /// Whether something below this path may meet one of the globs.
    pub(crate) fn path_below(&self, path: &str) -> bool {
        let before = |glob: &str| glob.split(['*', '?', '[', '{']).next().unwrap_or_default().to_owned();
        self.paths
            .iter()
            .any(|glob| path.is_empty() || before(glob).starts_with(&format!("{}/", path.trim_end_matches('/'))))
    }

    /// Whether a command begins with the words of one of the patterns, one by one.
    pub(crate) fn command_begins(&self, words: &[&str]) -> bool {
        self.commands.iter().any(|pattern| {
            let wanted: Vec<&str> = pattern.split_whitespace().collect();
            !wanted.is_empty()
                && words.len() >= wanted.len()
                && wanted.iter().zip(words).all(|(want, word)| like(want, word))
        })
    }

    /// Whether a path meets one of the globs. `path` without `.` and `..`.
    pub(crate) fn path(&self, path: &str) -> bool {
        self.paths.iter().any(|glob| fast_glob::glob_match(glob, path))
    }

    /// Whether a command with these words meets one of the patterns.
    pub(crate) fn command(&self, words: &[&str]) -> bool {
        let Some((program, rest)) = words.split_first() else { return false };
        let name = program.rsplit('/').next().unwrap_or(program);
        self.commands.iter().any(|pattern| {
            let mut wanted = pattern.split_whitespace();
            let first = wanted.next().unwrap_or_default();
            let mut rest = rest.iter();
            like(first, if first.contains('/') { program } else { name })
                && wanted.all(|want| rest.any(|word| like(want, word)))
        })
    }

    /// Whether a statement meets one of the patterns.
    pub(crate) fn statement(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let words = || text.split(|c: char| !(c.is_alphanumeric() || "_.\\!$".contains(c))).filter(|w| !w.is_empty());
        self.sql.iter().any(|pattern| {
            let pattern = pattern.to_lowercase();
            let mut words = words();
            pattern.split_whitespace().all(|want| words.any(|word| like(want, word)))
        })
    }

    /// Whether a host meets one of the patterns.
    pub(crate) fn host(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.trim_end_matches('.').to_lowercase();
        self.network.iter().any(|pattern| match pattern.rsplit_once(':') {
            Some((name, number)) if number.parse::<u16>().is_ok() => {
                number.parse().ok() == port && like(&name.to_lowercase(), &host)
            }
            _ => like(&pattern.to_lowercase(), &host),
        })
    }
}

/// The kind's name.
pub(crate) fn kind(operation: &Operation) -> &'static str {
    match operation {
        Operation::Change { .. } => "change",
        Operation::Write { .. } => "write",
        Operation::Delete { .. } => "delete",
        Operation::Command { .. } => "command",
        Operation::Sql { .. } => "sql",
        Operation::Network { .. } => "network",
        Operation::Diff { .. } => "diff",
        Operation::Promote { .. } => "promote",
        Operation::Migrate { .. } => "migrate",
    }
}

/// Whether the text is what the pattern says, where `*` stands for any text, also none.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((from, at)) = star {
            star = Some((from, at + 1));
            (p, t) = (from + 1, at + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(yaml: &str) -> Matcher {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text, holds) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "ab", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("a**b", "ab", true),
            ("a?", "ab", false),
        ] {
            assert_eq!(like(pattern, text), holds, "{pattern} {text}");
        }
    }

    #[test]
    fn an_operation_meets_the_list_of_its_kind() {
        let all =
            matcher("{paths: ['secrets/**'], commands: ['git push'], sql: ['drop table'], network: ['*.evil.io:443']}");
        let text = |t: &str| t.to_owned();
        for (operation, met) in [
            (Operation::Write { path: text("secrets/a/b") }, Some("secrets/a/b")),
            (Operation::Write { path: text("src/a") }, None),
            (Operation::Command { text: text("ls; git -C x push origin") }, Some("git -C x push origin")),
            (Operation::Command { text: text("git pull") }, None),
            (Operation::Sql { text: text("select 1; DROP  table x") }, Some("DROP  table x")),
            (Operation::Network { host: text("A.evil.io"), port: Some(443) }, Some("A.evil.io")),
            (Operation::Network { host: text("a.evil.io"), port: Some(80) }, None),
        ] {
            assert_eq!(all.meets(&operation).as_deref(), met, "{operation:?}");
        }
    }

    #[test]
    fn kinds_narrow_the_patterns_and_stand_alone_too() {
        let deletes = matcher("{operations: [delete], paths: ['data/**']}");
        assert!(deletes.meets(&Operation::Delete { path: "data/a".into() }).is_some());
        assert!(deletes.meets(&Operation::Write { path: "data/a".into() }).is_none());
        let promotions = matcher("{operations: [migrate]}");
        assert_eq!(promotions.meets(&Operation::Migrate { to: "postgres://x".into() }).as_deref(), Some("migrate"));
    }

    #[test]
    fn a_matcher_that_cannot_mean_anything_has_a_fault() {
        for yaml in ["{}", "{operations: [eat]}", "{paths: ['[']}", "{commands: ['']}"] {
            assert!(matcher(yaml).fault().is_some(), "{yaml}");
        }
        assert_eq!(matcher("{paths: ['a/**']}").fault(), None);
        assert!(serde_saphyr::from_str::<Matcher>("{path: [a]}").is_err());
    }
}
