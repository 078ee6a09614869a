//! The user's own repository: a champion is applied to it as one commit, or not at all.
//!
//! The order is made so that nothing is lost wherever it is cut off: (1) everything is checked; (2) the new commit is
//! written to the object database, where nobody sees it yet; (3) new contents are written aside; (4) files are renamed
//! into place; (5) the index follows; (6) the branch moves, if it still stands where it stood. A failure undoes what was
//! done. A process killed in steps 4 or 5 leaves changes that `git status` shows and the next attempt refuses as
//! uncommitted; `git checkout HEAD -- .` restores them. (Leftovers of steps 3 and 4 are untracked files named
//! `.NAME.meliora-…`, which no genome takes in.)

mod checks;
mod steps;

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository};
use meliora_domain::Genome;
use meliora_evolve::{PromotionNote, Target, TargetError};

use crate::files::{Root, failed};
use crate::globs::Globs;
use checks::git;

/// The genome under a folder of the user's git repository. The folder may lie anywhere in it.
///
/// A detached HEAD is fine: the commit then moves HEAD itself, as `git commit` does. Hooks are not run.
pub struct GitTarget {
    root: PathBuf,
    globs: Globs,
}

impl GitTarget {
    /// The files under `root` that the `editable` patterns take, less the `excluded` paths (see [`Globs`]).
    pub fn new(root: &Path, editable: &[String], excluded: &[String]) -> Result<GitTarget, TargetError> {
        let what = || format!("open the genome's folder {}", root.display());
        let root = root.canonicalize().map_err(|e| failed(what(), e))?;
        Ok(GitTarget { root, globs: Globs::new(editable, excluded)? })
    }

    /// The repository, and the path of the root in it: empty or ending in `/`.
    fn repository(&self) -> Result<(Repository, String), TargetError> {
        let nowhere = || TargetError::NoRepository(self.root.display().to_string());
        let repository = Repository::discover(&self.root).map_err(|e| match e.code() {
            ErrorCode::NotFound => nowhere(),
            _ => git("open the repository", &e),
        })?;
        let top = repository.workdir().ok_or_else(nowhere)?.canonicalize().map_err(|e| failed("find its top", e))?;
        let inner = self.root.strip_prefix(&top).map_err(|_| nowhere())?;
        let inner =
            inner.to_str().ok_or_else(|| failed("find the genome in the repository", "its path is not UTF-8"))?;
        let prefix = if inner.is_empty() { String::new() } else { format!("{inner}/") };
        Ok((repository, prefix))
    }
}

impl Target for GitTarget {
    fn read(&self) -> Result<Genome, TargetError> {
        Root::open(&self.root)?.read(&self.globs)
    }

    /// Where the tree holds `genome` already, there is nothing to do: both commits are the one that stands.
    fn apply(&self, expected: &Genome, genome: &Genome, note: &PromotionNote) -> Result<(String, String), TargetError> {
        let (repository, prefix) = self.repository()?;
        let root = Root::open(&self.root)?;
        let head = checks::head(&repository)?;
        let tree = head.tree().map_err(|e| git("read the last commit", &e))?;

        checks::nothing_unfinished(&repository)?;
        checks::only_editable(&self.globs, genome)?;
        checks::nothing_in_the_way(&root, &tree, &prefix, expected, genome)?;
        checks::nothing_uncommitted(&repository)?;
        checks::not_moved(&root.read(&self.globs)?, expected)?;
        checks::committed(&tree, &prefix, expected)?;

        let changes = steps::differences(expected, genome);
        if changes.is_empty() {
            return Ok((head.id().to_string(), head.id().to_string()));
        }
        let new_tree = steps::build_tree(&repository, &tree, &prefix, &changes)?;
        let commit = steps::build_commit(&repository, new_tree, &head, &note.message)?;

        let undo = steps::replace_files(&root, &changes)?;
        let done = steps::stage(&repository, &prefix, &changes, new_tree)
            .and_then(|()| steps::move_head(&repository, head.id(), commit, &note.message));
        if let Err(first) = done {
            let undone = undo.restore(&root).and_then(|()| steps::unstage(&repository, &prefix, &changes));
            return Err(match undone {
                Ok(()) => first,
                Err(second) => failed(
                    "restore the working tree after a promotion failed",
                    format!("{second} (it failed because: {first}); `git checkout HEAD -- .` restores it"),
                ),
            });
        }
        undo.forget(&root, &changes);
        Ok((commit.to_string(), head.id().to_string()))
    }
}
