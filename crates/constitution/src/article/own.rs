//! Articles of the user's own: a sentence, a decision, a matcher, and examples that are checked when the law is read.
//!
//! An example that does not hold, or a contradiction, stops loading: a law that means something else than its author
//! thinks is worse than none.

use std::fmt;

use meliora_domain::{Change, Decision, Edit, Operation, VariantId};
use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::article;
use crate::door::Matcher;
use crate::{LawError, Rule};

/// An article that a constitution adds.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnArticle {
    /// Its id: lower-case letters, digits and hyphens; none of [`crate::articles`].
    pub id: String,
    /// What it says, in a sentence.
    pub text: String,
    /// Its line, from 1.
    pub line: u64,
    /// What follows for an operation that meets the matcher.
    pub decision: Decision,
    /// What it applies to.
    pub matcher: Matcher,
    /// Why it is there; may be empty.
    pub justification: String,
    /// Operations that it must meet, and others that it must not.
    pub examples: Vec<Example>,
}

/// An operation that an article meets or does not meet.
#[derive(Clone, PartialEq, Debug)]
pub struct Example {
    /// The operation.
    pub operation: Operation,
    /// As it stands in the file, with its kind.
    pub text: String,
    /// Its line, from 1.
    pub line: u64,
    /// Whether the article must meet it.
    pub meets: bool,
}

impl Example {
    /// Whether the matcher does what the example says.
    pub fn holds(&self, matcher: &Matcher) -> bool {
        matcher.meets(&self.operation).is_some() == self.meets
    }
}

/// An article as it stands in a constitution.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnArticleText {
    /// Stable name: lower-case letters, digits and hyphens. It stands in the journal and in refusals.
    id: String,
    /// What it says, in one sentence.
    text: String,
    /// What follows for an operation that meets the matcher: the strictest of all articles holds.
    #[schemars(schema_with = "crate::schema::decision")]
    decision: Decision,
    /// What it applies to.
    matcher: Matcher,
    /// Why it is there.
    #[serde(default)]
    justification: String,
    /// Operations that the matcher must meet, checked when the law is read.
    #[serde(default, rename = "match")]
    #[schemars(schema_with = "crate::schema::examples")]
    meets: Vec<Spanned<ExampleText>>,
    /// Operations that it must not meet, checked when the law is read.
    #[serde(default, rename = "not_match")]
    #[schemars(schema_with = "crate::schema::examples")]
    spares: Vec<Spanned<ExampleText>>,
}

/// `command: git push`, or `git push` alone.
struct ExampleText {
    kind: String,
    text: String,
}

impl<'de> Deserialize<'de> for ExampleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ExampleText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command, or a kind of operation with its text, as in `write: src/a.py`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ExampleText, E> {
                Ok(ExampleText { kind: "command".into(), text: text.into() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExampleText, A::Error> {
                let (kind, text) = map.next_entry()?.ok_or_else(|| A::Error::custom("an example is empty"))?;
                match map.next_key::<String>()? {
                    None => Ok(ExampleText { kind, text }),
                    Some(more) => Err(A::Error::custom(format!("an example is one operation, not also {more:?}"))),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The operation that a kind and a text name: `command`, `sql`, `diff`, `write`, `delete`, `change` with a path,
/// `network` with `host` or `host:port`, `promote` with a variant, `migrate` with an address. Says what is wrong.
pub fn operation(kind: &str, text: &str) -> Result<Operation, String> {
    let text = text.to_owned();
    match kind {
        "command" => Ok(Operation::Command { text }),
        "sql" => Ok(Operation::Sql { text }),
        "diff" => Ok(Operation::Diff { text }),
        "write" => Ok(Operation::Write { path: text }),
        "delete" => Ok(Operation::Delete { path: text }),
        "change" => {
            let edit = Edit::Write { path: text, content: String::new() };
            Ok(Operation::Change { parent: NOBODY, change: Change { edits: vec![edit] } })
        }
        "network" => match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
                Ok(Operation::Network { host: host.to_owned(), port: Some(port) })
            }
            _ => Ok(Operation::Network { host: text, port: None }),
        },
        "promote" => Ok(Operation::Promote { variant: text.parse().unwrap_or(NOBODY) }),
        "migrate" => Ok(Operation::Migrate { to: text }),
        _ => Err(format!("{kind:?} is no kind of operation; known are {}", Matcher::OPERATIONS.join(", "))),
    }
}

/// The operation that a line names, as in `sql: drop table x`. A line that names no kind is a command.
pub fn operation_of(line: &str) -> Operation {
    let named = line.split_once(':').and_then(|(kind, text)| operation(kind.trim(), text.trim()).ok());
    named.unwrap_or_else(|| Operation::Command { text: line.trim().to_owned() })
}

/// Stands for a variant where none is known.
pub(crate) const NOBODY: VariantId = VariantId([0; 20]);

/// Reads an article. Its examples are not checked yet: see [`check`].
pub(crate) fn read(text: Spanned<OwnArticleText>) -> Result<OwnArticle, LawError> {
    let line = text.referenced.line();
    let text = text.value;
    let wrong = |what: String, hint: &str| LawError {
        what: format!("line {line}: the article {:?} {what}", text.id),
        hint: Some(hint.into()),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.id.is_empty() || text.id.len() > 64 || !text.id.chars().all(plain) {
        return Err(wrong(
            "has no plain id".into(),
            "write lower-case letters, digits and hyphens, such as `no-secrets`",
        ));
    }
    if article(&text.id).is_some() {
        return Err(wrong(
            "has the id of an article that always holds".into(),
            "choose another id; `meliora constitution check` lists those that are taken",
        ));
    }
    if text.text.trim().is_empty() {
        return Err(wrong("says nothing".into(), "write in `text` what it says, in one sentence"));
    }
    if let Some(fault) = text.matcher.fault() {
        return Err(wrong(format!("cannot match: {fault}"), "docs/constitution.md shows what a matcher holds"));
    }
    let example = |example: &Spanned<ExampleText>, meets: bool| {
        let line = example.referenced.line();
        let ExampleText { kind, text } = &example.value;
        operation(kind, text)
            .map(|operation| Example { operation, text: format!("{kind}: {text}"), line, meets })
            .map_err(|why| LawError {
                what: format!("line {line}: the example cannot be read: {why}"),
                hint: Some("write a command, or a kind with its text, as in `write: src/a.py`".into()),
            })
    };
    let examples = text.meets.iter().map(|e| example(e, true)).chain(text.spares.iter().map(|e| example(e, false)));
    let examples = examples.collect::<Result<Vec<_>, _>>()?;
    let OwnArticleText { id, text, decision, matcher, justification, .. } = text;
    Ok(OwnArticle { id, text, line, decision, matcher, justification, examples })
}

/// Fails on the first example that does not hold, an id that is used twice, and articles that contradict each other, a
/// rule, or what always holds.
pub(crate) fn check(articles: &[OwnArticle], rules: &[Rule]) -> Result<(), LawError> {
    for (i, own) in articles.iter().enumerate() {
        if let Some(twice) = articles[..i].iter().find(|other| other.id == own.id) {
            return Err(LawError {
                what: format!("line {}: the article {:?} stands on line {} already", own.line, own.id, twice.line),
                hint: Some("give each article an id of its own".into()),
            });
        }
        if let Some(example) = own.examples.iter().find(|example| !example.holds(&own.matcher)) {
            let does = if example.meets { "does not meet" } else { "meets" };
            return Err(LawError {
                what: format!("line {}: the article {:?} {does} its example `{}`", example.line, own.id, example.text),
                hint: Some("mend the matcher or the example; `meliora constitution test` tries them all".into()),
            });
        }
        for example in own.examples.iter().filter(|example| example.meets) {
            let over = articles
                .iter()
                .find(|other| other.decision > own.decision && other.matcher.meets(&example.operation).is_some());
            if let Some(over) = over {
                return Err(contradiction(own, &example.text, &format!("{:?} (line {})", over.id, over.line)));
            }
        }
        contradicted_by_what_holds(own, rules)?;
    }
    Ok(())
}

/// What no article of the user's own may allow, since a stricter one would forbid it anyway.
fn contradicted_by_what_holds(own: &OwnArticle, rules: &[Rule]) -> Result<(), LawError> {
    if own.decision != Decision::Allow {
        return Ok(());
    }
    for (id, always, probe) in PROBES {
        let named = rules.iter().find(|rule| rule.article.id == id);
        let operation = operation_of(probe);
        if (always || named.is_some()) && own.matcher.meets(&operation).is_some() {
            let line = named.map(|rule| format!(" (line {})", rule.line)).unwrap_or_default();
            return Err(contradiction(own, probe, &format!("{id:?}{line}")));
        }
    }
    let network = rules.iter().find(|rule| rule.article.id == "network-denied");
    match network {
        Some(rule) if !own.matcher.network.is_empty() => {
            Err(contradiction(own, "a network", &format!("\"network-denied\" (line {})", rule.line)))
        }
        _ => Ok(()),
    }
}

fn contradiction(own: &OwnArticle, what: &str, other: &str) -> LawError {
    LawError {
        what: format!(
            "line {}: the article {:?} says {} to `{what}`, and the stricter article {other} says otherwise",
            own.line, own.id, own.decision
        ),
        hint: Some(
            "the strictest decision wins, so one of the two says what does not hold: narrow or remove it".into(),
        ),
    }
}

/// Articles, whether they hold also where no rule names them, and an operation that each of them stops.
const PROBES: [(&str, bool, &str); 12] = [
    ("constitution-immutable", true, "write: CONSTITUTION.yaml"),
    ("constitution-immutable", true, "delete: CONSTITUTION.yaml"),
    ("constitution-immutable", true, "write: CONSTITUTION.yaml.minisig"),
    ("protected-paths", true, "write: meliora.toml"),
    ("audit-immutable", true, "write: .meliora/journal.db"),
    ("audit-immutable", true, "delete: .meliora/journal.db"),
    ("history-immutable", true, "write: .git/config"),
    ("database-deletion", false, "sql: DROP DATABASE production"),
    ("database-deletion", false, "command: dropdb production"),
    ("network-denied", false, "network: example.org:443"),
    ("history-immutable", false, "command: git push --force origin main"),
    ("promotion-approval", false, "promote: champion"),
];

/// Which of the articles meet a change to these files, the strictest first of each operation that it implies.
pub(crate) fn strictest<'a>(articles: &'a [OwnArticle], operations: &[Operation]) -> Option<(&'a OwnArticle, String)> {
    let met = articles.iter().filter(|own| own.decision != Decision::Allow).filter_map(|own| {
        operations.iter().find_map(|operation| own.matcher.meets(operation)).map(|matched| (own, matched))
    });
    // The first in the file of the strictest ones.
    met.fold(None, |best: Option<(&OwnArticle, String)>, next| match &best {
        Some((own, _)) if own.decision >= next.0.decision => best,
        _ => Some(next),
    })
}

/// What a change does, as operations: itself, and each file that it writes or deletes.
pub(crate) fn implied(change: &Change) -> Vec<Operation> {
    let whole = Operation::Change { parent: NOBODY, change: change.clone() };
    let parts = change.edits.iter().map(|edit| match edit {
        Edit::Delete { path } => Operation::Delete { path: path.clone() },
        edit => Operation::Write { path: edit.path().to_owned() },
    });
    std::iter::once(whole).chain(parts).collect()
}
