//! What must hold before a promotion touches anything.

use std::path::Path;

use git2::{Commit, ErrorCode, Repository, RepositoryState, StatusOptions, Tree};
use meliora_domain::Genome;
use meliora_evolve::TargetError;

use super::steps::differences;
use crate::files::{Place, Root, failed, refuse_clashes};
use crate::globs::Globs;
use crate::objects;

/// How many paths an error names.
const NAMED: usize = 5;

/// What libgit2 says.
pub(super) fn git(what: &str, error: &git2::Error) -> TargetError {
    let hint = match error.code() {
        ErrorCode::Owner => "; the folder belongs to another user: run as that user, or set git's `safe.directory`",
        ErrorCode::Locked => "; another git process is at work, or one died: see .git/index.lock",
        _ => "",
    };
    failed(what, format!("{}{hint}", error.message()))
}

/// The commit that stands.
pub(super) fn head(repository: &Repository) -> Result<Commit<'_>, TargetError> {
    let commit = repository.head().and_then(|head| head.peel_to_commit());
    commit.map_err(|e| match e.code() {
        ErrorCode::UnbornBranch => TargetError::Dirty("nothing is committed yet; commit the project first".into()),
        _ => git("read the last commit", &e),
    })
}

pub(super) fn nothing_unfinished(repository: &Repository) -> Result<(), TargetError> {
    let what = match repository.state() {
        RepositoryState::Clean => return Ok(()),
        RepositoryState::Merge => "a merge",
        RepositoryState::Revert | RepositoryState::RevertSequence => "a revert",
        RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "a cherry-pick",
        RepositoryState::Bisect => "a bisection",
        RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => "a rebase",
        RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => "`git am`",
    };
    Err(TargetError::Dirty(format!("{what} is unfinished; end it or abort it first")))
}

/// No file of the genome may lie outside what the project lets change.
pub(super) fn only_editable(globs: &Globs, genome: &Genome) -> Result<(), TargetError> {
    refuse_clashes(genome.files().map(|(path, _)| path.as_str()))?;
    match genome.files().find(|(path, _)| !globs.editable(path.as_str())) {
        Some((path, _)) => Err(failed(
            format!("write '{path}'"),
            "it is not among the files that the project's editable patterns take",
        )),
        None => Ok(()),
    }
}

/// No link in the place of a file, and nothing that git does not know where a new file would be written.
pub(super) fn nothing_in_the_way(
    root: &Root,
    tree: &Tree<'_>,
    prefix: &str,
    expected: &Genome,
    genome: &Genome,
) -> Result<(), TargetError> {
    for (path, _) in expected.files().chain(genome.files()) {
        if root.place(path.as_str()) == Place::Link {
            return Err(TargetError::Link(path.to_string()));
        }
    }
    for change in differences(expected, genome).iter().filter(|c| c.after.is_some()) {
        let path = change.path.as_str();
        let tracked = tree.get_path(Path::new(&format!("{prefix}{path}"))).is_ok();
        if !tracked && root.place(path) != Place::Nothing {
            return Err(TargetError::Dirty(format!(
                "'{path}' is not in git and would be overwritten; commit it or move it away"
            )));
        }
    }
    Ok(())
}

/// No tracked file is changed and nothing is staged, anywhere in the repository.
pub(super) fn nothing_uncommitted(repository: &Repository) -> Result<(), TargetError> {
    let mut options = StatusOptions::new();
    options.include_untracked(false).include_ignored(false);
    let statuses = repository.statuses(Some(&mut options)).map_err(|e| git("look for uncommitted changes", &e))?;
    if statuses.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> =
        statuses.iter().take(NAMED).map(|s| String::from_utf8_lossy(s.path_bytes()).into_owned()).collect();
    Err(TargetError::Dirty(format!(
        "{}; commit or stash them (or, if a promotion was cut off, `git checkout HEAD -- .` restores the last commit)",
        list(&paths, statuses.len())
    )))
}

/// The tree still holds what the variant was bred from.
pub(super) fn not_moved(stands: &Genome, expected: &Genome) -> Result<(), TargetError> {
    let changes = differences(expected, stands);
    if changes.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = changes.iter().take(NAMED).map(|c| c.path.to_string()).collect();
    Err(TargetError::Moved(format!(
        "{} changed since the run began; a new run starts from what stands now",
        list(&paths, changes.len())
    )))
}

/// The last commit holds these files with the very bytes that stand in the tree.
pub(super) fn committed(tree: &Tree<'_>, prefix: &str, expected: &Genome) -> Result<(), TargetError> {
    for (path, body) in expected.files() {
        match tree.get_path(Path::new(&format!("{prefix}{path}"))) {
            Ok(entry) if entry.id() == objects::oid(body.blob()) => {}
            // The status is clean, so that git takes the two for the same: a filter stands between them.
            Ok(_) => return Err(filtered(path.as_str())),
            Err(_) => return Err(TargetError::Moved(format!("'{path}' is not in the last commit; commit it first"))),
        }
    }
    Ok(())
}

/// A file whose bytes git changes on their way into the repository cannot be applied and rolled back exactly.
pub(super) fn filtered(path: &str) -> TargetError {
    failed(
        format!("promote '{path}'"),
        "git changes its bytes when it is committed (line endings, LFS or another filter); \
         give it `-text -filter` in .gitattributes and commit it again",
    )
}

fn list(paths: &[String], all: usize) -> String {
    let named = paths.join(", ");
    if all > paths.len() { format!("{named} and {} more", all - paths.len()) } else { named }
}
