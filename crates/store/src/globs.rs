//! Which paths under a root belong to the genome.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use meliora_evolve::TargetError;

/// In the name of a file that a promotion wrote aside, between the file's own name and a number.
pub(crate) const ASIDE: &str = ".meliora-";

/// Patterns of the files that may change, and paths that never do.
///
/// A pattern matches the whole path relative to the root: `*` and `?` stay within one folder, `**` crosses folders
/// (`src/**/*.py` also matches `src/a.py`), `[ab]` and `{a,b}` choose. Letters are matched as written. An excluded path
/// is a file or a folder with all that it holds, in whatever case. `.git` and `.meliora` are always excluded.
pub struct Globs {
    editable: GlobSet,
    /// The folders that each pattern begins with, so that no others are looked into.
    beginnings: Vec<String>,
    excluded: Vec<String>,
}

impl Globs {
    /// Compiles the patterns. An error names the one that is malformed.
    pub fn new(editable: &[String], excluded: &[String]) -> Result<Globs, TargetError> {
        let failed = |pattern: &str, e: globset::Error| TargetError::Failed {
            what: format!("read the editable pattern '{pattern}'"),
            cause: e.kind().to_string(),
        };
        let mut set = GlobSetBuilder::new();
        for pattern in editable {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.map_err(|e| failed(pattern, e))?);
        }
        let editable_set = set.build().map_err(|e| failed("", e))?;
        let excluded = excluded.iter().map(|p| p.trim_matches('/').to_lowercase()).collect();
        Ok(Globs { editable: editable_set, beginnings: editable.iter().map(|p| beginning(p)).collect(), excluded })
    }

    /// Whether a file at this path belongs to the genome.
    pub fn editable(&self, path: &str) -> bool {
        self.editable.is_match(path) && !self.excludes(path)
    }

    /// Whether files that belong to the genome may lie in or below this folder.
    pub(crate) fn enters(&self, folder: &str) -> bool {
        let within = |inner: &str, outer: &str| outer.is_empty() || below(inner, outer);
        self.beginnings.iter().any(|b| within(folder, b) || below(b, folder)) && !self.excludes(folder)
    }

    fn excludes(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        let ours = |part: &str| part == ".git" || part == ".meliora" || part.starts_with('.') && part.contains(ASIDE);
        path.split('/').any(ours) || self.excluded.iter().any(|e| below(&path, e))
    }
}

/// Whether `inner` is `outer` or lies in it.
fn below(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The folders in front of the first part that has a wildcard; the file's own name is none of them.
fn beginning(pattern: &str) -> String {
    let parts: Vec<&str> = pattern.split('/').collect();
    let folders = &parts[..parts.len() - 1];
    let plain = folders.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\']));
    plain.copied().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(editable: &[&str], excluded: &[&str]) -> Globs {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Globs::new(&own(editable), &own(excluded)).unwrap()
    }

    #[test]
    fn one_star_stays_in_its_folder_and_two_do_not() {
        let g = globs(&["src/*.py", "lib/**/*.rs", "prompt.md"], &[]);
        for yes in ["src/a.py", "lib/a.rs", "lib/x/y/a.rs", "prompt.md"] {
            assert!(g.editable(yes), "{yes}");
        }
        for no in ["src/x/a.py", "a.py", "src/a.rs", "docs/prompt.md", "src/A.PY"] {
            assert!(!g.editable(no), "{no}");
        }
    }

    #[test]
    fn excluded_paths_win_in_any_case() {
        let g = globs(&["**"], &["CONSTITUTION.yaml", "suite/"]);
        for no in ["constitution.yaml", "Suite/keys/1.json", "suite", ".meliora/x", "a/.GIT/config", ".Meliora/lock"] {
            assert!(!g.editable(no), "{no}");
        }
        assert!(g.editable("suites/a") && g.editable("a/CONSTITUTION.yaml"));
    }

    #[test]
    fn folders_that_hold_nothing_editable_are_not_entered() {
        let g = globs(&["src/core/*.py", "docs/**"], &["docs/private"]);
        for yes in ["src", "src/core", "docs", "docs/a/b"] {
            assert!(g.enters(yes), "{yes}");
        }
        for no in ["target", "srcs", "src/other", "docs/private", ".git"] {
            assert!(!g.enters(no), "{no}");
        }
    }

    #[test]
    fn a_malformed_pattern_is_named() {
        let error = Globs::new(&["src/[".to_owned()], &[]).err().unwrap();
        assert!(error.to_string().contains("'src/['"), "{error}");
    }
}
