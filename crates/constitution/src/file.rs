//! CONSTITUTION.yaml: read strictly, each rule bound to the article that enforces it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{Article, GuardianRules, LawError, Seal, articles, bind, seal};

/// Largest constitution that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The compiled-in default.
pub(crate) const DEFAULT: &str = include_str!("constitution.yaml.template");

/// What a constitution says.
#[derive(Clone, PartialEq, Debug)]
pub struct Law {
    /// Its version, if it has one.
    pub version: Option<u64>,
    /// The immutable constraints, in the file's order; at least one.
    pub rules: Vec<Rule>,
    /// What happens without asking, by name.
    pub operations: BTreeMap<String, Operation>,
    /// When the guardian acts.
    pub guardian: GuardianRules,
    /// Whether its signature holds.
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

/// What may happen without asking.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    /// Where, in the file's words; always the genome's editable files.
    pub scope: String,
    /// What it takes.
    pub requires: Vec<Requirement>,
}

/// What an operation takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Requirement {
    /// Hidden tests have marked the variant.
    TestsPass,
    /// It is a git commit.
    GitCommit,
    /// Its code ran in a cage only.
    Sandboxed,
    /// Its marks prove a gain.
    BenchmarkImproved,
    /// A person said yes.
    Approval,
    /// It is recorded with the change that made it.
    ReferencesChange,
}

impl Requirement {
    /// Every requirement.
    pub const ALL: [Requirement; 6] = [
        Requirement::TestsPass,
        Requirement::GitCommit,
        Requirement::Sandboxed,
        Requirement::BenchmarkImproved,
        Requirement::Approval,
        Requirement::ReferencesChange,
    ];

    /// Its name in a constitution.
    pub fn name(self) -> &'static str {
        match self {
            Requirement::TestsPass => "tests_pass",
            Requirement::GitCommit => "git_commit",
            Requirement::Sandboxed => "sandboxed",
            Requirement::BenchmarkImproved => "benchmark_improved",
            Requirement::Approval => "approval",
            Requirement::ReferencesChange => "references_change",
        }
    }

    /// What makes it so. Each holds for every variant, whether a constitution asks for it or not.
    pub fn enforced_by(self) -> &'static str {
        match self {
            Requirement::TestsPass => "a variant is accepted by the marks of the suite's tasks only",
            Requirement::GitCommit => "each variant is a commit in the archive, each promotion one in your repository",
            Requirement::Sandboxed => "a work cage opens for a reviewed genome only, and variants run nowhere else",
            Requirement::BenchmarkImproved => "only the verdict `accepted` makes a champion",
            Requirement::Approval => "nothing but a person's `meliora promote` applies a variant to the user's tree",
            Requirement::ReferencesChange => "each variant is journalled with its parent, its change and its reason",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LawText {
    immutable_constraints: Vec<Spanned<String>>,
    #[serde(default)]
    autonomous_operations: BTreeMap<String, OperationText>,
    #[serde(default)]
    guardian: GuardianRules,
    version: Option<u64>,
    signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationText {
    scope: Spanned<String>,
    requires: Vec<Spanned<String>>,
}

impl Default for Law {
    /// The compiled-in law: what [`template`] says, in force without a signature.
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
    /// Fails, naming key and line, on anything but a mapping of the known keys, on a rule that names no article, and on
    /// an unknown scope or requirement.
    pub fn parse(text: &str) -> Result<Self, LawError> {
        let options = serde_saphyr::options! {
            with_snippet: false,
            merge_keys: serde_saphyr::MergeKeyPolicy::Error,
            reject_unsupported_tags: true,
            // A law says what it says in one place; and a large text aliased often is a large memory.
            budget: serde_saphyr::budget! { max_aliases: 0 },
        };
        let parsed: LawText = serde_saphyr::from_str_with_options(text, options).map_err(|e| LawError {
            what: e.to_string(),
            hint: Some("keys are immutable_constraints, autonomous_operations, version and signature".into()),
        })?;
        let rules: Vec<Rule> = parsed.immutable_constraints.into_iter().map(rule).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            return Err(LawError {
                what: "immutable_constraints holds no rule".into(),
                hint: Some("write at least \"Never modify this constitution file\"".into()),
            });
        }
        let operations = parsed.autonomous_operations.into_iter().map(operation).collect::<Result<_, _>>()?;
        let guardian = parsed.guardian;
        guardian.check().map_err(|what| LawError { what, hint: Some("docs/guardian.md lists the rules".into()) })?;
        let seal = seal::examine(text, parsed.signature.as_deref())?;
        Ok(Law { version: parsed.version, rules, operations, guardian, seal })
    }
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

fn operation((name, text): (String, OperationText)) -> Result<(String, Operation), LawError> {
    // A narrower scope would be a promise that nothing keeps: what may change is decided by `editable` alone.
    let scope = text.scope.value.to_lowercase();
    let scope = scope.trim().trim_start_matches("the ");
    if !SCOPES.contains(&scope) {
        return Err(LawError {
            what: format!(
                "line {}: nothing enforces the scope {:?} of '{name}'",
                text.scope.referenced.line(),
                text.scope.value
            ),
            hint: Some(format!(
                "write scope: \"agent workspace\" (the files that `editable` in meliora.toml names), and narrow \
                 `editable` where you want less; also understood: {}",
                SCOPES[1..].join(", ")
            )),
        });
    }
    let requires = text.requires.into_iter().map(|required| {
        Requirement::ALL.into_iter().find(|r| r.name() == required.value).ok_or_else(|| LawError {
            what: format!(
                "line {}: '{name}' requires {:?}, which nothing enforces",
                required.referenced.line(),
                required.value
            ),
            hint: Some(format!("known are {}", Requirement::ALL.map(Requirement::name).join(", "))),
        })
    });
    let requires = requires.collect::<Result<_, _>>()?;
    Ok((name, Operation { scope: text.scope.value, requires }))
}

/// Words for the genome's editable files.
const SCOPES: [&str; 8] = [
    "agent workspace",
    "workspace",
    "project workspace",
    "agent's workspace",
    "genome",
    "editable",
    "editable files",
    "editable paths",
];

/// The constitution that `init` writes: commented, valid, to be sealed with [`crate::seal`].
pub fn template() -> &'static str {
    DEFAULT
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
