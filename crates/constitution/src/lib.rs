//! The law: parse, explain and enforce it. The only maker of a [`Lawful`] value.
//!
//! Everything is decided before anything runs, and everything that is not understood is refused.

mod article;
mod block;
mod door;
mod file;
mod path;
mod review;
mod seal;

use std::path::Path;

use meliora_domain::Digest;

pub use article::{Article, article, articles, bind};
pub use door::{Finding, Matcher, Workspace};
pub use file::{Law, Operation, Requirement, Rule, template};
pub use review::{Lawful, Refusal, Ruling, Subject};
pub use seal::{Seal, seal};

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
    max_bytes: u64,
    digest: Digest,
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
    /// Loads `CONSTITUTION.yaml`, or takes the compiled-in default where there is no such file.
    ///
    /// Fails on a file that cannot be read (a dangling link too), does not parse, holds a rule that no article
    /// enforces, or is not sealed by its signature; and on a reach that leads out of the genome's root.
    pub fn load(file: &Path, reach: Reach) -> Result<Self, LawError> {
        match file::read(file)? {
            Some(text) => Self::from_text(&text, reach).map_err(|e| LawError {
                what: format!(
                    "{}: {}",
                    file.file_name().map_or(file.display().to_string(), |n| n.display().to_string()),
                    e.what
                ),
                hint: e.hint,
            }),
            None => Self::with(Law::default(), "", &reach),
        }
    }

    /// The law that a constitution's text makes; fails like [`Constitution::load`].
    pub fn from_text(text: &str, reach: Reach) -> Result<Self, LawError> {
        let law = Law::parse(text)?;
        law.seal.require()?;
        Self::with(law, text, &reach)
    }

    fn with(law: Law, text: &str, reach: &Reach) -> Result<Self, LawError> {
        let count = |list: &[String]| (list.len() as u64).to_le_bytes();
        let (text, max) = (if text.is_empty() { file::DEFAULT } else { text }, reach.max_bytes.to_le_bytes());
        let counts = [count(&reach.editable), count(&reach.protected)];
        let parts = [text.as_bytes(), &max, &counts[0], &counts[1]].into_iter();
        let lists = reach.editable.iter().chain(&reach.protected).map(String::as_bytes);
        let digest = Digest::of(parts.chain(lists));
        Ok(Constitution { law, bounds: Bounds::new(reach)?, max_bytes: reach.max_bytes, digest })
    }

    /// What the constitution says, each rule with the article that enforces it.
    pub fn law(&self) -> &Law {
        &self.law
    }

    /// Whether a path may be written at all: of plain form, not protected, editable.
    pub fn may_write(&self, path: &str) -> bool {
        self.bounds.check(path).is_ok()
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The articles of the user's own, as the door sees them.
    pub(crate) fn own(&self) -> Vec<door::Own<'_>> {
        Vec::new()
    }

    /// Digest of the law in force: of the file's bytes (or the default's) and the reach.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
