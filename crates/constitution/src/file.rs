//! CONSTITUTION.yaml: read strictly, each rule bound to the article that enforces it.

pub(crate) mod autonomy;
mod date;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use meliora_domain::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::article::own::{self, OwnArticle, OwnArticleText};
use crate::guardian::GuardianRules;
use crate::{Article, LawError, Seal, articles, bind, seal};
pub(crate) use autonomy::AutonomousText;
use autonomy::{Autonomous, ScopesText};

/// Largest constitution that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The compiled-in default.
pub(crate) const DEFAULT: &str = include_str!("constitution.yaml");

/// What a constitution says.
#[derive(Clone, PartialEq, Debug)]
pub struct Law {
    /// Its version; 0 if it has none.
    pub version: u64,
    /// From this moment on it is void.
    pub expires: Option<Timestamp>,
    /// The immutable constraints, in the file's order; at least one.
    pub rules: Vec<Rule>,
    /// The articles that it adds, in the file's order.
    pub articles: Vec<OwnArticle>,
    /// What happens without asking, by the file's keys.
    pub operations: BTreeMap<String, Autonomous>,
    /// When the guardian acts.
    pub guardian: GuardianRules,
    /// Whether its checksum holds.
    pub seal: Seal,
}

/// An English rule and what enforces it.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// As it stands in the file.
    pub text: String,
    /// Its line, from 1.
    pub line: u64,
    /// The article it is bound to.
    pub article: &'static Article,
}

/// The law of a project: what a program that improves itself may do there, and what never.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Constitution")]
pub(crate) struct LawText {
    /// Raised with each change; an older version than the last one is refused.
    #[serde(default)]
    version: u64,
    /// The last day on which it holds, or the moment at which it ends, in UTC. Without it, it holds until it is replaced.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::expires")]
    expires: Option<Spanned<String>>,
    /// Rules in English, each naming an article: what never happens, whatever a change promises.
    #[schemars(with = "Vec<String>", length(min = 1))]
    immutable_constraints: Vec<Spanned<String>>,
    /// Named globs of editable files, for `autonomous_operations`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    scopes: ScopesText,
    /// Articles of your own.
    #[serde(default)]
    #[schemars(with = "Vec<OwnArticleText>")]
    articles: Vec<Spanned<OwnArticleText>>,
    /// What happens without asking, and what it takes. Left out, it is that of the compiled-in constitution; empty,
    /// everything asks.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::autonomous")]
    autonomous_operations: Option<BTreeMap<String, AutonomousText>>,
    /// When the guardian acts.
    #[serde(default)]
    #[schemars(with = "GuardianRules")]
    guardian: Option<Spanned<GuardianRules>>,
    /// SHA-256 of the file without this line, written by `meliora constitution sign`.
    signature: Option<String>,
}

impl Default for Law {
    /// The compiled-in law: what [`standard`] says, in force without a signature.
    fn default() -> Self {
        let mut law = Law::parse(DEFAULT).expect("a test parses the compiled-in constitution");
        law.seal = Seal::BuiltIn;
        law
    }
}

impl Law {
    /// Reads a constitution. A missing or wrong signature is no error here (see [`Law::seal`]); to govern a run it must
    /// hold.
    ///
    /// Fails, naming key and line, on anything but a mapping of the known keys, on a rule that names no article, on
    /// unknown scopes, operations and requirements, on an example that does not hold, and on contradictions.
    pub fn parse(text: &str) -> Result<Self, LawError> {
        let parsed = read_yaml(text)?;
        let law = Law::of(text, parsed)?;
        own::check(&law.articles, &law.rules)?;
        Ok(law)
    }

    /// Reads a constitution without holding its articles to their examples and to each other, so that all examples can
    /// be tried. Otherwise as [`Law::parse`].
    pub fn trial(text: &str) -> Result<Self, LawError> {
        let parsed = read_yaml(text)?;
        Law::of(text, parsed)
    }

    fn of(text: &str, parsed: LawText) -> Result<Self, LawError> {
        let most = [("immutable_constraints", parsed.immutable_constraints.len()), ("articles", parsed.articles.len())];
        if let Some((key, count)) = most.into_iter().find(|(_, count)| *count > MOST) {
            return Err(LawError {
                what: format!("{key} holds {count}, more than {MOST}"),
                hint: Some("a law that nobody can read governs nobody; say it in fewer".into()),
            });
        }
        if parsed.version > NEWEST {
            return Err(LawError {
                what: format!("version {} is higher than {NEWEST}", parsed.version),
                hint: Some("count up by one; nothing could be newer than the highest".into()),
            });
        }
        let rules: Vec<Rule> = parsed.immutable_constraints.into_iter().map(rule).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            return Err(LawError {
                what: "immutable_constraints holds no rule".into(),
                hint: Some("write at least \"Never modify this constitution file\"".into()),
            });
        }
        let scopes = parsed.scopes;
        let operations = match parsed.autonomous_operations {
            Some(texts) => {
                let read = |(key, text): (String, AutonomousText)| {
                    autonomy::read(&key, text, &scopes).map(|operation| (key, operation))
                };
                texts.into_iter().map(read).collect::<Result<Vec<_>, _>>()?
            }
            None => vec![autonomy::standard()],
        };
        one_of_each_area(&operations)?;
        autonomy::check_scopes(&scopes, &operations)?;
        let articles: Vec<OwnArticle> = parsed.articles.into_iter().map(own::read).collect::<Result<_, _>>()?;
        let guardian = parsed.guardian.map_or(Ok(GuardianRules::default()), rules_of_the_guardian)?;
        let expires = parsed.expires.as_ref().map(expiry).transpose()?;
        let seal = seal::examine(text, parsed.signature.as_deref())?;
        let operations = operations.into_iter().collect();
        Ok(Law { version: parsed.version, expires, rules, articles, operations, guardian, seal })
    }
}

/// Most rules, and most articles, that a constitution holds: each is held against all others.
const MOST: usize = 500;
/// Highest version.
const NEWEST: u64 = 1_000_000_000;

fn read_yaml(text: &str) -> Result<LawText, LawError> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        // A law says what it says in one place; and a large text aliased often is a large memory.
        budget: serde_saphyr::budget! { max_aliases: 0 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|e| LawError {
        what: e.to_string(),
        hint: Some(
            "keys are version, expires, immutable_constraints, scopes, articles, autonomous_operations, guardian and \
             signature; docs/constitution.md explains each"
                .into(),
        ),
    })
}

fn rules_of_the_guardian(rules: Spanned<GuardianRules>) -> Result<GuardianRules, LawError> {
    rules.value.check().map_err(|what| LawError {
        what: format!("line {}: {what}", rules.referenced.line()),
        hint: Some("docs/guardian.md lists every key with its range; 0 turns a rule off".into()),
    })?;
    Ok(rules.value)
}

fn one_of_each_area(operations: &[(String, Autonomous)]) -> Result<(), LawError> {
    for (i, (key, operation)) in operations.iter().enumerate() {
        if let Some((other, _)) = operations[..i].iter().find(|(_, other)| other.area == operation.area) {
            return Err(LawError {
                what: format!("autonomous_operations: '{other}' and '{key}' are one operation"),
                hint: Some(format!("write it once, as {}", operation.area.name())),
            });
        }
    }
    Ok(())
}

fn expiry(text: &Spanned<String>) -> Result<Timestamp, LawError> {
    date::end_of(&text.value).ok_or_else(|| LawError {
        what: format!("line {}: expires {:?} is no date", text.referenced.line(), text.value),
        hint: Some("write the last day on which it holds, as 2027-12-31, or a moment, as 2027-12-31T12:00:00Z".into()),
    })
}

fn rule(text: Spanned<String>) -> Result<Rule, LawError> {
    let line = text.referenced.line();
    let article = bind(&text.value).ok_or_else(|| {
        let known: Vec<String> =
            articles().iter().filter(|a| !a.phrasings.is_empty()).map(|a| format!("\n  - {:?}", a.text)).collect();
        LawError {
            what: format!("line {line}: nothing enforces the rule {:?}, and an unenforced rule is no law", text.value),
            hint: Some(format!("say it as one of the rules that can be enforced, or take it out:{}", known.concat())),
        }
    })?;
    Ok(Rule { text: text.value, line, article })
}

/// The constitution that `init` signs: commented and valid; what it says is in force where a project has none.
pub fn standard() -> &'static str {
    DEFAULT
}

/// Everything that a constitution can say, commented and valid.
pub fn template() -> &'static str {
    include_str!("constitution.yaml.template")
}

/// The text of the file, or `None` where there is none.
pub(crate) fn read(file: &Path) -> Result<Option<String>, LawError> {
    let broken = |why: String| LawError {
        what: format!("{} cannot be read: {why}", file.display()),
        hint: Some("mend the file, or remove it to run under the compiled-in constitution".into()),
    };
    // A link that leads nowhere is not the absence of a law.
    match std::fs::symlink_metadata(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(broken(e.to_string())),
        Ok(_) => {}
    }
    // Asked before it is opened: opening a pipe would wait for ever.
    let meta = std::fs::metadata(file).map_err(|e| broken(e.to_string()))?;
    if !meta.is_file() {
        return Err(broken("it is not a regular file".into()));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|e| broken(e.to_string()))?;
    opened.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| broken(e.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(broken(format!("it has more than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map(Some).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        broken(format!("line {line} is not UTF-8 text"))
    })
}
