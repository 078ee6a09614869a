//! A change: edits that apply wholly or fail loudly.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{FileBody, Genome, GenomePath, PathError};

/// One edit. Paths are text as the proposer gave it; the law and `apply` check them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Replace the single place where `search` stands by `replace`.
    Replace {
        /// The file to edit.
        path: String,
        /// Text that must stand in the file exactly once.
        search: String,
        /// What stands there afterwards.
        replace: String,
    },
    /// Write the whole file.
    Write {
        /// The file to write.
        path: String,
        /// Its new content.
        content: String,
    },
    /// Delete the file.
    Delete {
        /// The file to delete.
        path: String,
    },
}

impl Edit {
    /// The path it touches, unchecked.
    pub fn path(&self) -> &str {
        match self {
            Edit::Replace { path, .. } | Edit::Write { path, .. } | Edit::Delete { path } => path,
        }
    }
}

/// Edits in the order in which they apply.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Change {
    /// The edits.
    pub edits: Vec<Edit>,
}

/// Why a change does not apply. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The change is empty or leaves every file as it was.
    #[error("the change changes nothing")]
    Nothing,
    /// A path that cannot be inside a genome.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file is not in the genome.
    #[error("there is no file '{0}' in the genome")]
    NoFile(String),
    /// The file is not UTF-8 text and cannot be searched.
    #[error("'{0}' is not UTF-8 text; only a whole new file can replace it")]
    NotText(String),
    /// The searched text is empty.
    #[error("a SEARCH block for '{0}' is empty")]
    EmptySearch(String),
    /// The searched text does not stand in the file.
    #[error("the SEARCH text does not stand in '{path}': {excerpt:?}")]
    NotFound {
        /// The file.
        path: String,
        /// The beginning of the text that was searched.
        excerpt: String,
    },
    /// The searched text stands in the file more than once.
    #[error("the SEARCH text stands {times} times in '{path}', so which one is meant is unclear: {excerpt:?}")]
    Ambiguous {
        /// The file.
        path: String,
        /// How often it stands there.
        times: usize,
        /// The beginning of the text that was searched.
        excerpt: String,
    },
}

impl Change {
    /// The genome after the change. All edits apply, in order, or none does.
    pub fn apply(&self, genome: &Genome) -> Result<Genome, ChangeError> {
        let mut after = genome.clone();
        for edit in &self.edits {
            let path = GenomePath::new(edit.path())?;
            let executable = after.get(&path).is_some_and(FileBody::executable);
            after = match edit {
                Edit::Write { content, .. } => {
                    let body = FileBody::new(content.as_bytes(), executable);
                    after.with(path, body)
                }
                Edit::Delete { .. } => {
                    after.get(&path).ok_or_else(|| ChangeError::NoFile(path.to_string()))?;
                    after.without(&path)
                }
                Edit::Replace { search, replace, .. } => {
                    let body = after.get(&path).ok_or_else(|| ChangeError::NoFile(path.to_string()))?;
                    let text = body.text().ok_or_else(|| ChangeError::NotText(path.to_string()))?;
                    let text = replace_once(&path, text, search, replace)?;
                    after.with(path, FileBody::new(Arc::<[u8]>::from(text.into_bytes()), executable))
                }
            };
        }
        if after == *genome {
            return Err(ChangeError::Nothing);
        }
        Ok(after)
    }
}

fn replace_once(path: &GenomePath, text: &str, search: &str, replace: &str) -> Result<String, ChangeError> {
    if search.is_empty() {
        return Err(ChangeError::EmptySearch(path.to_string()));
    }
    let excerpt = || search.chars().take(80).collect();
    let first =
        text.find(search).ok_or_else(|| ChangeError::NotFound { path: path.to_string(), excerpt: excerpt() })?;
    // Overlapping places count too: which of them is meant would be just as unclear.
    let step = search.chars().next().map_or(1, char::len_utf8);
    if text[first + step..].contains(search) {
        let times = text.match_indices(search).count().max(2);
        return Err(ChangeError::Ambiguous { path: path.to_string(), times, excerpt: excerpt() });
    }
    Ok(format!("{}{}{}", &text[..first], replace, &text[first + search.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn genome(text: &str) -> Genome {
        Genome::new().with(GenomePath::new("a.py").unwrap(), FileBody::new(text.as_bytes(), false))
    }

    fn replace(search: &str, replace: &str) -> Change {
        Change { edits: vec![Edit::Replace { path: "a.py".into(), search: search.into(), replace: replace.into() }] }
    }

    fn text_of(genome: &Genome) -> &str {
        genome.get(&GenomePath::new("a.py").unwrap()).unwrap().text().unwrap()
    }

    #[test]
    fn a_replacement_applies_at_its_only_place() {
        assert_eq!(text_of(&replace("a - b", "a + b").apply(&genome("return a - b\n")).unwrap()), "return a + b\n");
    }

    #[test]
    fn what_does_not_fit_fails_loudly() {
        let g = genome("x\nx\n");
        assert!(matches!(replace("y", "z").apply(&g), Err(ChangeError::NotFound { .. })));
        assert!(matches!(replace("x", "z").apply(&g), Err(ChangeError::Ambiguous { times: 2, .. })));
        assert!(matches!(replace("", "z").apply(&g), Err(ChangeError::EmptySearch(_))));
        assert!(matches!(replace("x\nx", "x\nx").apply(&g), Err(ChangeError::Nothing)));
        assert!(matches!(Change::default().apply(&g), Err(ChangeError::Nothing)));
        let outside = Change { edits: vec![Edit::Write { path: "../b".into(), content: String::new() }] };
        assert!(matches!(outside.apply(&g), Err(ChangeError::Path(_))));
    }

    #[test]
    fn an_overlapping_second_place_is_ambiguous() {
        assert!(matches!(replace("aa", "b").apply(&genome("aaa")), Err(ChangeError::Ambiguous { .. })));
    }

    proptest! {
        #[test]
        fn a_failed_edit_leaves_nothing_behind(text in "[a-c\n]{0,40}", search in "[a-c\n]{0,5}", new in "[a-c]{0,5}") {
            let before = genome(&text);
            let copy = before.clone();
            if let Ok(after) = replace(&search, &new).apply(&before) {
                prop_assert_eq!(text_of(&after), text.replacen(&search, &new, 1));
                prop_assert_ne!(&after, &before);
            }
            prop_assert_eq!(copy, before);
        }

        #[test]
        fn a_whole_file_always_arrives(text in ".{0,40}", new in ".{0,40}") {
            let change = Change { edits: vec![Edit::Write { path: "a.py".into(), content: new.clone() }] };
            match change.apply(&genome(&text)) {
                Ok(after) => prop_assert_eq!(text_of(&after), new),
                Err(e) => { prop_assert_eq!(e, ChangeError::Nothing); prop_assert_eq!(text, new); }
            }
        }
    }
}
