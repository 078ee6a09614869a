//! The one door: what is let through here may be examined, and nothing else can be.

use std::collections::BTreeSet;

use meliora_domain::{
    Change, Decision, Edit, FileBody, Genome, GenomePath, Operation, Request, Timestamp, VariantId, Word,
};

use crate::article::own;
use crate::path::{differ_by_case, refuse};
use crate::word::{self, WordError};
use crate::{Constitution, block};

/// A file may always grow by so many bytes; beyond that, to [`GROWTH`] times its size.
const FREE_GROWTH: usize = 64 << 10;
/// Our own choice: rewriting a file does not make it five times as long, filling it with looked-up answers does.
const GROWTH: usize = 4;

/// A genome that the law has let through. Only [`Constitution::review`] makes one:
///
/// ```compile_fail
/// let lawful = meliora_constitution::Lawful { genome: meliora_domain::Genome::new() };
/// ```
///
/// ```
/// use meliora_constitution::{Constitution, Reach, Ruling, Subject};
/// use meliora_domain::{FileBody, Genome, GenomePath, Timestamp};
///
/// let genome = Genome::new().with(GenomePath::new("a.py").unwrap(), FileBody::new(*b"x = 1\n", false));
/// let reach = Reach { editable: vec!["*.py".into()], protected: vec![], max_bytes: 1 << 20 };
/// let law = Constitution::builtin(reach).unwrap();
/// let ruling = law.review(Subject::Baseline(&genome), &[], Timestamp(0));
/// assert!(matches!(ruling, Ruling::Lawful(_)));
/// ```
#[derive(Clone, Debug)]
pub struct Lawful {
    genome: Genome,
}

impl Lawful {
    /// The genome.
    pub fn genome(&self) -> &Genome {
        &self.genome
    }
}

/// What is to be reviewed.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The genome as the user has it.
    Baseline(&'a Genome),
    /// A change to a genome that was let through before.
    Proposal {
        /// Id of the parent.
        variant: VariantId,
        /// The parent.
        parent: &'a Genome,
        /// The change.
        change: &'a Change,
    },
}

/// Why the law refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Id of the article: `editable-paths`, `evolve-block`, `change-applies`, `size`, …; see [`crate::articles`].
    pub article: String,
    /// What exactly is refused, and what would be lawful.
    pub reason: String,
}

/// What the law says of a subject.
#[derive(Clone, Debug)]
pub enum Ruling {
    /// It may be examined.
    Lawful(Lawful),
    /// It may not.
    Refused(Refusal),
    /// Nothing else speaks against it, but a person must say yes to exactly this first.
    NeedsApproval(Box<Request>),
}

impl Constitution {
    /// Reviews a subject at this time. Of the words, those count that a person signed, on exactly this subject, under
    /// exactly this constitution; which were used before, the caller knows and leaves out. Pure.
    pub fn review(&self, subject: Subject<'_>, words: &[Word], now: Timestamp) -> Ruling {
        let genome = match subject {
            Subject::Baseline(genome) => self.baseline(genome),
            Subject::Proposal { parent, change, .. } => self.proposal(parent, change),
        };
        let lawful = match genome {
            Ok(genome) => Lawful { genome },
            Err(refusal) => return Ruling::Refused(refusal),
        };
        let Subject::Proposal { variant, parent, change } = subject else { return Ruling::Lawful(lawful) };
        let Some(wanted) = self.asks(parent, change) else { return Ruling::Lawful(lawful) };
        let operation = Operation::Change { parent: variant, change: change.clone() };
        let request = word::request(operation, self.digest(), wanted.article, wanted.reason, wanted.risk);
        if words.iter().any(|word| word.granted && self.hears(word, &request.id, now).is_ok()) {
            return Ruling::Lawful(lawful);
        }
        Ruling::NeedsApproval(Box::new(request))
    }

    /// Whether a word holds: signed by the person whose word counts here, on this request, under this constitution, now.
    /// Says why not. Whether it was used before is for the journal to say.
    pub fn hears(&self, word: &Word, request: &meliora_domain::Digest, now: Timestamp) -> Result<(), WordError> {
        word::holds(word, request, &self.digest(), self.people(), now)
    }

    fn baseline(&self, genome: &Genome) -> Result<Genome, Refusal> {
        for (path, _) in genome.files() {
            self.bounds.unprotected(path.as_str())?;
        }
        self.whole(genome)?;
        Ok(genome.clone())
    }

    fn proposal(&self, parent: &Genome, change: &Change) -> Result<Genome, Refusal> {
        if change.edits.len() > MOST_EDITS {
            let count = change.edits.len();
            return refuse("size", format!("it makes {count} edits at once; lawful are at most {MOST_EDITS}"));
        }
        let mut touched = BTreeSet::new();
        for edit in &change.edits {
            let path = self.bounds.check(edit.path())?;
            databases_stay(parent, edit, &path)?;
            touched.insert(path);
        }
        self.own_articles(change)?;
        distinct_names(parent, &touched)?;

        let after = change.apply(parent).map_err(|e| Refusal {
            article: "change-applies".into(),
            reason: format!("{e}; nothing of the change was applied, lawful is one that fits the parent's files"),
        })?;
        for path in &touched {
            let (old, new) = (parent.get(path), after.get(path));
            block::check(path.as_str(), old, new)?;
            modest_growth(path, old, new)?;
            file_or_folder(&after, path)?;
        }
        self.whole(&after)?;
        Ok(after)
    }

    /// Refuses what an article of the user's own forbids.
    fn own_articles(&self, change: &Change) -> Result<(), Refusal> {
        match own::strictest(&self.law.articles, &own::implied(change)) {
            Some((own, matched)) if own.decision == Decision::Forbid => {
                let why =
                    if own.justification.is_empty() { String::new() } else { format!(" ({})", own.justification) };
                refuse(&own.id, format!("{matched:?}: {}{why}; lawful is a change that leaves it alone", own.text))
            }
            _ => Ok(()),
        }
    }

    /// What holds for every genome.
    fn whole(&self, genome: &Genome) -> Result<(), Refusal> {
        if genome.is_empty() {
            return refuse("empty-genome", "no file is left in the genome; lawful is one with at least one".into());
        }
        let count = genome.files().len();
        if count > MOST_FILES {
            return refuse("size", format!("the genome has {count} files; lawful are at most {MOST_FILES}"));
        }
        let size = genome.size() as u64;
        if size > self.max_bytes {
            let most = self.max_bytes;
            return refuse("size", format!("the genome has {size} bytes; lawful are at most {most}"));
        }
        Ok(())
    }
}

/// Most edits of a change: each is held against all files.
const MOST_EDITS: usize = 1_000;
/// Most files of a genome. Each is put into every cage.
const MOST_FILES: usize = 10_000;

/// Refuses to delete or overwrite a database file of the parent.
fn databases_stay(parent: &Genome, edit: &Edit, path: &GenomePath) -> Result<(), Refusal> {
    const KINDS: [&str; 9] = ["db", "db3", "sqlite", "sqlite3", "duckdb", "mdb", "accdb", "rdb", "ldb"];
    // SQLite: https://www.sqlite.org/fileformat.html section 1.3. DuckDB's header has `DUCK` at byte 8.
    let database = |body: &FileBody| {
        let bytes = body.bytes();
        KINDS.contains(&path.extension().to_lowercase().as_str())
            || bytes.starts_with(b"SQLite format 3\0")
            || bytes.get(8..12) == Some(b"DUCK")
    };
    match parent.get(path) {
        Some(body) if database(body) => {
            let does = if matches!(edit, Edit::Delete { .. }) { "deletes" } else { "overwrites" };
            refuse(
                "database-deletion",
                format!("the change {does} the database {path:?}; lawful is to leave it as it is"),
            )
        }
        _ => Ok(()),
    }
}

/// Refuses new paths that differ from others only by case, in a file's name or in a folder's.
fn distinct_names(parent: &Genome, touched: &BTreeSet<GenomePath>) -> Result<(), Refusal> {
    for path in touched.iter().filter(|path| parent.get(path).is_none()) {
        let others = parent.files().map(|(other, _)| other).chain(touched);
        if let Some(other) = others.into_iter().find(|other| differ_by_case(other.as_str(), path.as_str())) {
            return refuse(
                "path-case",
                format!(
                    "\"{path}\" differs from \"{other}\" only by upper and lower case; lawful is the same spelling, or \
                     another name"
                ),
            );
        }
    }
    Ok(())
}

fn modest_growth(path: &GenomePath, old: Option<&FileBody>, new: Option<&FileBody>) -> Result<(), Refusal> {
    let size = |body: Option<&FileBody>| body.map_or(0, |b| b.bytes().len());
    let (old, new) = (size(old), size(new));
    let most = old.saturating_mul(GROWTH).max(old.saturating_add(FREE_GROWTH));
    if new > most {
        return refuse("size", format!("\"{path}\" grows from {old} to {new} bytes; lawful are at most {most}"));
    }
    Ok(())
}

/// Refuses a path that is a file and a folder at once: no filesystem can hold it.
fn file_or_folder(after: &Genome, path: &GenomePath) -> Result<(), Refusal> {
    if after.get(path).is_none() {
        return Ok(());
    }
    let inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    let clash = after.files().map(|(p, _)| p.as_str()).find(|p| inside(p, path.as_str()) || inside(path.as_str(), p));
    match clash {
        None => Ok(()),
        Some(other) => refuse(
            "change-applies",
            format!("\"{path}\" and \"{other}\" would be a file and a folder of one name; lawful is another name"),
        ),
    }
}
