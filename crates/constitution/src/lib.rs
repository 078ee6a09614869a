//! The law: parse, explain and enforce it. The only maker of a [`Lawful`] value.
//!
//! Everything is decided before anything runs, and everything that is not understood is refused.

mod article;
mod ask;
mod block;
mod door;
mod file;
mod guardian;
pub mod key;
mod path;
mod review;
mod schema;
mod seal;
mod trust;
pub mod word;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use meliora_domain::{Change, Digest, Edit, Timestamp};

pub use article::own::{Example, OwnArticle, operation, operation_of};
pub use article::{Article, article, articles, bind};
pub use door::{Finding, Matcher, Workspace};
pub use file::autonomy::{Area, Autonomous, Consent, Requirement, Scope};
pub use file::{Law, Rule, standard, template};
pub use guardian::{
    BudgetBurn, Degradation, GuardianRules, Measure, Repeated, SandboxFailures, Silence, Stall, ViolationRate,
};
pub use review::{Lawful, Refusal, Ruling, Subject};
pub use schema::schema;
pub use seal::{Seal, seal};
pub use trust::{Seen, Trust, project_of};

use file::autonomy::Autonomy;
use key::PublicKey;
use path::Bounds;

/// What lies within reach of a change, from the project's configuration.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Globs of files that may change, relative to the genome's root. `*` stops at `/`, `**` does not; case counts.
    pub editable: Vec<String>,
    /// Paths relative to the genome's root that no change may touch whatever `editable` says: the suite, the
    /// constitution, `.meliora`, `meliora.toml`, the evaluator, where they lie inside the root. Case does not count.
    pub protected: Vec<String>,
    /// Largest genome in bytes after a change. Zero lets nothing through.
    pub max_bytes: u64,
}

/// The law in force: a constitution and the reach it governs.
#[derive(Debug)]
pub struct Constitution {
    law: Law,
    bounds: Bounds,
    autonomy: Autonomy,
    max_bytes: u64,
    digest: Digest,
    people: Vec<PublicKey>,
    source: Option<Source>,
    seen: Option<Seen>,
}

/// Where a constitution came from, to look there again.
#[derive(Debug)]
struct Source {
    file: PathBuf,
    /// The constitution and its signature as they were.
    held: (Option<String>, Option<String>),
}

/// The law does not load, so nothing may run.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct LawError {
    /// What is wrong, with the line where it can be told.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Constitution {
    /// Loads `CONSTITUTION.yaml` and its signature `CONSTITUTION.yaml.minisig`, or takes the compiled-in default where
    /// there is no such file.
    ///
    /// Fails on a file that cannot be read (a dangling link too), does not parse, holds a rule that no article
    /// enforces, or is altered, expired, older than the one before, or not signed with a pinned key; on no file where
    /// there was one before; and on a reach that leads out of the genome's root.
    pub fn load(file: &Path, reach: Reach, trust: &Trust) -> Result<Self, LawError> {
        let name = || file.file_name().map_or(file.display().to_string(), |n| n.display().to_string());
        let named = |e: LawError| LawError { what: format!("{}: {}", name(), e.what), hint: e.hint };
        let held = (file::read(file)?, file::read(&signature_of(file))?);
        let mut constitution = match &held.0 {
            Some(text) => {
                let law = Law::parse(text).map_err(named)?;
                let seen = trust.verify(&law, text, held.1.as_deref()).map_err(named)?;
                let mut constitution = Self::with(law, text, &reach)?;
                constitution.seen = Some(seen);
                constitution
            }
            None if trust.seen.is_some() => {
                return Err(named(LawError {
                    what: "it is gone, and one has governed this project before".into(),
                    hint: Some("put it back; where it is (`git checkout`), or write and sign a new one".into()),
                }));
            }
            None => Self::builtin(reach)?,
        };
        constitution.source = Some(Source { file: file.to_owned(), held });
        Ok(constitution)
    }

    /// The law that a constitution's text makes, whoever signed it: to try it and to explain it, not to govern. Fails
    /// on what does not parse, and on a checksum that is missing or wrong.
    pub fn from_text(text: &str, reach: Reach) -> Result<Self, LawError> {
        let law = Law::parse(text)?;
        law.seal.require()?;
        Self::with(law, text, &reach)
    }

    /// The compiled-in law.
    pub fn builtin(reach: Reach) -> Result<Self, LawError> {
        Self::with(Law::default(), "", &reach)
    }

    fn with(law: Law, text: &str, reach: &Reach) -> Result<Self, LawError> {
        let count = |list: &[String]| (list.len() as u64).to_le_bytes();
        let (text, max) = (if text.is_empty() { file::DEFAULT } else { text }, reach.max_bytes.to_le_bytes());
        let counts = [count(&reach.editable), count(&reach.protected)];
        let parts = [text.as_bytes(), &max, &counts[0], &counts[1]].into_iter();
        let lists = reach.editable.iter().chain(&reach.protected).map(String::as_bytes);
        let digest = Digest::of(parts.chain(lists));
        let autonomy = Autonomy::new(law.operations.values().cloned())?;
        let (bounds, max_bytes) = (Bounds::new(reach)?, reach.max_bytes);
        Ok(Constitution { law, bounds, autonomy, max_bytes, digest, people: Vec::new(), source: None, seen: None })
    }

    /// The same law, under which the words of those people count whose keys these are. Without a key no word does.
    pub fn under(mut self, people: Vec<PublicKey>) -> Self {
        self.people = people;
        self
    }

    /// The keys of the people whose words count.
    pub fn people(&self) -> &[PublicKey] {
        &self.people
    }

    /// Whether it still governs: its files are as they were when it was loaded, and it has not expired. To be asked
    /// before each step; costs the reading of two small files.
    pub fn holds(&self, now: Timestamp) -> Result<(), LawError> {
        if self.expired(now) {
            return Err(LawError {
                what: "the constitution has expired".into(),
                hint: Some("give it a later `expires`, then run `meliora constitution sign`".into()),
            });
        }
        let Some(source) = &self.source else { return Ok(()) };
        let found = (file::read(&source.file)?, file::read(&signature_of(&source.file))?);
        if found == source.held {
            return Ok(());
        }
        Err(LawError {
            what: format!("{} or its signature was altered while it governed", source.file.display()),
            hint: Some(
                "look at what changed; if it is what you want, run `meliora constitution sign` and run again".into(),
            ),
        })
    }

    /// Whether its time is over.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.law.expires.is_some_and(|end| now >= end)
    }

    /// What is to be remembered of it outside of the project, for the next [`Trust`]. `None` for the compiled-in law.
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// What a change to these files takes: the requirements of every autonomous operation that one of them belongs to.
    pub fn requires<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<Requirement> {
        self.autonomy.requires(paths)
    }

    /// Why a change needs a person's word, if it does. Says nothing about whether it is lawful otherwise.
    pub fn consent(&self, change: &Change) -> Option<Consent> {
        let own = article::own::strictest(&self.law.articles, &article::own::implied(change));
        match own {
            Some((own, matched)) if own.decision == meliora_domain::Decision::Ask => Some(Consent {
                article: own.id.clone(),
                reason: format!("{matched:?}: {}", own.text),
                risk: own.justification.clone(),
            }),
            _ => self.autonomy.consent(change.edits.iter().map(Edit::path)),
        }
    }

    /// What the constitution says, each rule with the article that enforces it.
    pub fn law(&self) -> &Law {
        &self.law
    }

    /// Whether a path may be written at all: of plain form, not protected, editable.
    pub fn may_write(&self, path: &str) -> bool {
        self.bounds.check(path).is_ok()
    }

    /// When the guardian acts.
    pub fn guardian(&self) -> &GuardianRules {
        &self.law.guardian
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The articles of the user's own, as the door sees them.
    pub(crate) fn own(&self) -> Vec<door::Own<'_>> {
        let articles = self.law.articles.iter();
        articles
            .map(|own| door::Own { id: &own.id, text: &own.text, decision: own.decision, matcher: &own.matcher })
            .collect()
    }

    /// Digest of the law in force: of the file's bytes (or the default's) and the reach.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The file that holds a constitution's signature.
pub fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}
