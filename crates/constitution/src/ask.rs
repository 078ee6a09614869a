//! What needs a person's word first, and what a person is told of it.

use meliora_domain::{Change, Edit, Genome};

use crate::{Consent, Constitution};

impl Constitution {
    /// Whether a lawful change needs a person's word, and what that person should know.
    pub(crate) fn asks(&self, parent: &Genome, change: &Change) -> Option<Consent> {
        let Consent { article, reason, risk } = self.consent(change)?;
        let reason = format!("{reason}; the change {}", summary(parent, change));
        let risk =
            [risk, consequences(change)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        Some(Consent { article, reason, risk })
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

fn consequences(change: &Change) -> String {
    let deletes = change.edits.iter().any(|edit| matches!(edit, Edit::Delete { .. }));
    format!(
        "{}once approved it runs in a cage, and if its marks prove it better, it can become the champion and the parent \
         of others; your own tree changes only by a promotion",
        if deletes { "files are deleted; " } else { "" }
    )
}
