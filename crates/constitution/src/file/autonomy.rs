//! What happens without asking: in which area, in which files, and what it takes.
//!
//! A file belongs to every operation whose scope holds it, and their requirements add up. A file that belongs to none is
//! nobody's to change without a person's word.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::LawError;

/// What an autonomous operation is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Area {
    /// Programs.
    Code,
    /// What models are told.
    Prompts,
    /// Tools of agents.
    Tools,
    /// The order in which things are done.
    Workflows,
    /// Settings.
    Configuration,
    /// Texts for people.
    Documentation,
    /// What programs run on.
    Infrastructure,
}

impl Area {
    /// Every area.
    pub const ALL: [Area; 7] = [
        Area::Code,
        Area::Prompts,
        Area::Tools,
        Area::Workflows,
        Area::Configuration,
        Area::Documentation,
        Area::Infrastructure,
    ];

    /// Its key under `autonomous_operations`.
    pub fn name(self) -> &'static str {
        match self {
            Area::Code => "code_modifications",
            Area::Prompts => "prompt_modifications",
            Area::Tools => "tool_modifications",
            Area::Workflows => "workflow_modifications",
            Area::Configuration => "configuration_modifications",
            Area::Documentation => "documentation_modifications",
            Area::Infrastructure => "infrastructure_modifications",
        }
    }

    /// The area that a key names: `code_modifications`, and as well `code`, `code_changes`, `code_updates`.
    pub(crate) fn named(key: &str) -> Option<Area> {
        let stem = ["_modifications", "_changes", "_updates"].iter().find_map(|end| key.strip_suffix(end));
        let stem = stem.unwrap_or(key);
        let stem = stem.strip_suffix('s').unwrap_or(stem);
        Area::ALL.into_iter().find(|area| area.name().strip_suffix("_modifications") == Some(stem))
    }
}

/// Where an operation happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All files that `editable` in meliora.toml names.
    Workspace,
    /// Those of them that a named scope's globs match.
    Named {
        /// The scope's name.
        name: String,
        /// Its globs.
        globs: Vec<String>,
    },
}

/// What may happen without asking.
#[derive(Clone, PartialEq, Debug)]
pub struct Autonomous {
    /// What it is about.
    pub area: Area,
    /// Where.
    pub scope: Scope,
    /// What it takes.
    pub requires: BTreeSet<Requirement>,
}

/// What an operation takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Requirement {
    /// No hidden test that passed before fails afterwards.
    TestsPass,
    /// It is a git commit.
    GitCommit,
    /// Its code ran in a cage only.
    Sandboxed,
    /// Its marks prove a gain.
    BenchmarkImproved,
    /// A person said yes.
    Approval,
    /// It says which change it is, and why.
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

    /// What makes it so.
    pub fn enforced_by(self) -> &'static str {
        match self {
            Requirement::TestsPass => {
                "a variant is accepted by the marks of hidden tasks only, and promotion refuses one that fails a \
                 validation task which the variant that stands passes (of a suite that is a sample, evidence decides)"
            }
            Requirement::GitCommit => "each variant is a commit in the archive, each promotion one in your repository",
            Requirement::Sandboxed => "a work cage opens for a reviewed genome only, and variants run nowhere else",
            Requirement::BenchmarkImproved => "only the verdict `accepted` makes a champion, and only one is promoted",
            Requirement::Approval => "review lets no such change through without a person's signed word",
            Requirement::ReferencesChange => {
                "a proposal without a reason is refused; each commit carries its reason, its run and its step, each \
                 promotion the variant"
            }
        }
    }
}

/// An operation as it stands in a constitution.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Autonomous")]
pub(crate) struct AutonomousText {
    /// `agent workspace`, or the name of a scope.
    #[schemars(with = "String")]
    scope: Spanned<String>,
    /// What it takes.
    #[schemars(schema_with = "crate::schema::requirements")]
    requires: Vec<Spanned<String>>,
}

/// The globs of named scopes, as a constitution holds them.
pub(crate) type ScopesText = std::collections::BTreeMap<String, Spanned<Vec<String>>>;

/// Words for the genome's editable files.
const WORKSPACE: [&str; 8] = [
    "agent workspace",
    "workspace",
    "project workspace",
    "agent's workspace",
    "genome",
    "editable",
    "editable files",
    "editable paths",
];

/// Reads one operation.
pub(crate) fn read(key: &str, text: AutonomousText, scopes: &ScopesText) -> Result<Autonomous, LawError> {
    let line = text.scope.referenced.line();
    let area = Area::named(key).ok_or_else(|| LawError {
        what: format!("line {line}: nothing enforces the autonomous operation '{key}'"),
        hint: Some(format!("known are {}", Area::ALL.map(Area::name).join(", "))),
    })?;
    let scope = scope(key, &text.scope, scopes)?;
    let requires = text.requires.iter().map(|required| {
        Requirement::ALL.into_iter().find(|r| r.name() == required.value).ok_or_else(|| LawError {
            what: format!(
                "line {}: '{key}' requires {:?}, which nothing enforces",
                required.referenced.line(),
                required.value
            ),
            hint: Some(format!("known are {}", Requirement::ALL.map(Requirement::name).join(", "))),
        })
    });
    Ok(Autonomous { area, scope, requires: requires.collect::<Result<_, _>>()? })
}

fn scope(key: &str, text: &Spanned<String>, scopes: &ScopesText) -> Result<Scope, LawError> {
    if let Some(globs) = scopes.get(&text.value) {
        return Ok(Scope::Named { name: text.value.clone(), globs: globs.value.clone() });
    }
    let lower = text.value.to_lowercase();
    if WORKSPACE.contains(&lower.trim().trim_start_matches("the ")) {
        return Ok(Scope::Workspace);
    }
    let named: Vec<&str> = scopes.keys().map(String::as_str).collect();
    let named = if named.is_empty() { "none yet".to_owned() } else { named.join(", ") };
    Err(LawError {
        what: format!("line {}: nothing enforces the scope {:?} of '{key}'", text.referenced.line(), text.value),
        hint: Some(format!(
            "write \"agent workspace\" (the files that `editable` in meliora.toml names), or the name of one of your \
             `scopes` ({named})"
        )),
    })
}

/// Fails on a scope that is empty, leads out of the workspace, has the workspace's own name, or that nothing uses.
pub(crate) fn check_scopes(scopes: &ScopesText, operations: &[(String, Autonomous)]) -> Result<(), LawError> {
    for (name, globs) in scopes {
        let wrong = |what: String, hint: &str| {
            let line = globs.referenced.line();
            Err(LawError { what: format!("line {line}: the scope {name:?} {what}"), hint: Some(hint.into()) })
        };
        if globs.value.is_empty() {
            return wrong("holds no glob".into(), "write its files as globs, such as [\"docs/**\"]");
        }
        if WORKSPACE.contains(&name.to_lowercase().as_str()) {
            return wrong("has the name of all editable files".into(), "choose another name");
        }
        if let Err(e) = build(&globs.value) {
            return wrong(
                format!("cannot be read: {}", e.what),
                "globs are relative to the genome's root, without '..'",
            );
        }
        let used = operations.iter().any(|(_, o)| matches!(&o.scope, Scope::Named { name: used, .. } if used == name));
        if !used {
            return wrong("is used by no operation".into(), "name it as the `scope` of an operation, or take it out");
        }
    }
    Ok(())
}

/// Globs ready to be asked; `*` stops at `/`, `**` does not; case counts.
pub(crate) fn build(globs: &[String]) -> Result<GlobSet, LawError> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let wrong = |what: String| LawError {
            what,
            hint: Some("write it like `src/**/*.py`, relative to the genome's root and without '..'".into()),
        };
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        let glob = glob.map_err(|e| wrong(format!("the glob {text:?} cannot be read: {}", e.kind())))?;
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return Err(wrong(format!("the glob {text:?} leads out of the genome's root")));
        }
        set.add(glob);
    }
    set.build().map_err(|e| LawError {
        what: format!("the globs cannot be used together: {}", e.kind()),
        hint: Some("use fewer or simpler globs".into()),
    })
}

/// Autonomous operations, ready to be asked.
#[derive(Debug)]
pub(crate) struct Autonomy {
    operations: Vec<(Autonomous, Option<GlobSet>)>,
}

/// Why a change needs a person's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consent {
    /// Id of the article that wants it.
    pub article: String,
    /// What exactly, and why.
    pub reason: String,
    /// What could go wrong if it were done.
    pub risk: String,
}

impl Autonomy {
    pub(crate) fn new(operations: impl IntoIterator<Item = Autonomous>) -> Result<Self, LawError> {
        let ready = operations.into_iter().map(|operation| {
            let globs = match &operation.scope {
                Scope::Workspace => None,
                Scope::Named { globs, .. } => Some(build(globs)?),
            };
            Ok((operation, globs))
        });
        Ok(Autonomy { operations: ready.collect::<Result<_, _>>()? })
    }

    /// The operations that a file belongs to.
    fn of<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Autonomous> {
        self.operations.iter().filter(move |(_, globs)| globs.as_ref().is_none_or(|g| g.is_match(path))).map(|(o, _)| o)
    }

    /// What a change to these files takes.
    pub(crate) fn requires<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<Requirement> {
        paths
            .into_iter()
            .flat_map(|path| self.of(path).flat_map(|o| o.requires.iter().copied()).collect::<Vec<_>>())
            .collect()
    }

    /// Why a change to these files needs a person's word, if it does.
    pub(crate) fn consent<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Option<Consent> {
        for path in paths {
            let mut operations = self.of(path).peekable();
            if operations.peek().is_none() {
                return Some(Consent {
                    article: "autonomous-operations".into(),
                    reason: format!("{path:?} lies in no scope of an autonomous operation, so a person decides"),
                    risk: "the constitution names no requirement that such a change would have to meet".into(),
                });
            }
            if let Some(operation) = operations.find(|o| o.requires.contains(&Requirement::Approval)) {
                let area = operation.area.name();
                return Some(Consent {
                    article: "autonomous-operations".into(),
                    reason: format!("{path:?} belongs to {area}, which requires approval"),
                    risk: format!("the constitution holds {area} for too grave to happen unseen"),
                });
            }
        }
        None
    }
}

/// What is autonomous where a constitution does not say.
pub(crate) fn standard() -> (String, Autonomous) {
    let requires =
        [Requirement::TestsPass, Requirement::GitCommit, Requirement::Sandboxed, Requirement::BenchmarkImproved];
    let operation = Autonomous { area: Area::Code, scope: Scope::Workspace, requires: requires.into() };
    (Area::Code.name().to_owned(), operation)
}
