//! What needs a person's word first, and what a person is told of it.

use meliora_domain::{Change, Edit, Genome};

use crate::{Constitution, Requirement};

/// Why a person is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// Id of the article that wants it.
    pub(crate) article: String,
    /// What exactly, and why.
    pub(crate) reason: String,
    /// What could go wrong.
    pub(crate) risk: String,
}

impl Constitution {
    /// Whether a lawful change needs a person's word, and why.
    pub(crate) fn asks(&self, parent: &Genome, change: &Change) -> Option<Wanted> {
        let wants = self.law.operations.iter().find(|(_, o)| o.requires.contains(&Requirement::Approval));
        wants.map(|(name, _)| Wanted {
            article: "approval".to_owned(),
            reason: format!(
                "autonomous_operations.{name} requires `approval`, and the change {}",
                summary(parent, change)
            ),
            risk: risk(change),
        })
    }
}

/// `changes a.py, adds b.py and deletes c.py`.
fn summary(parent: &Genome, change: &Change) -> String {
    let mut parts = Vec::new();
    for edit in &change.edits {
        let path = edit.path();
        let known = parent.files().any(|(p, _)| p.as_str() == path);
        let does = match edit {
            Edit::Delete { .. } => "deletes",
            _ if known => "changes",
            _ => "adds",
        };
        let part = format!("{does} {path:?}");
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    const SHOWN: usize = 8;
    let more = parts.len().saturating_sub(SHOWN);
    parts.truncate(SHOWN);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

fn risk(change: &Change) -> String {
    let deletes = change.edits.iter().any(|edit| matches!(edit, Edit::Delete { .. }));
    format!(
        "{}once approved it runs in a cage, and if its marks prove it better, it can become the champion and the parent \
         of others; your own tree changes only by a promotion",
        if deletes { "files are deleted; " } else { "" }
    )
}
