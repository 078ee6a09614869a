//! The steps of a promotion, in the order in which `apply` takes them, and how each is undone.

use std::path::Path;

use git2::{Commit, ErrorCode, Index, IndexEntry, IndexTime, Oid, Repository, Signature, Tree};
use meliora_domain::{FileBody, Genome, GenomePath};
use meliora_evolve::TargetError;

use super::checks::{filtered, git};
use crate::files::{Root, failed};
use crate::objects;

/// A file that differs between two genomes.
pub(super) struct Difference<'a> {
    pub(super) path: &'a GenomePath,
    pub(super) before: Option<&'a FileBody>,
    pub(super) after: Option<&'a FileBody>,
}

/// What must change to get from one genome to the other; deletions first, as a file may become a folder.
pub(super) fn differences<'a>(before: &'a Genome, after: &'a Genome) -> Vec<Difference<'a>> {
    let deleted = before.files().filter(|(path, _)| after.get(path).is_none());
    let written = after.files().filter(|(path, body)| before.get(path) != Some(body));
    deleted
        .map(|(path, body)| Difference { path, before: Some(body), after: None })
        .chain(written.map(|(path, body)| Difference { path, before: before.get(path), after: Some(body) }))
        .collect()
}

/// The tree of the last commit with the changes, in the object database.
pub(super) fn build_tree(
    repository: &Repository,
    tree: &Tree<'_>,
    prefix: &str,
    changes: &[Difference<'_>],
) -> Result<Oid, TargetError> {
    let fail = |e| git("build the promotion's commit", &e);
    let mut index = Index::new().map_err(fail)?;
    index.read_tree(tree).map_err(fail)?;
    for change in changes {
        let path = format!("{prefix}{}", change.path);
        let Some(body) = change.after else {
            index.remove(Path::new(&path), 0).map_err(fail)?;
            continue;
        };
        if change.before.is_none() {
            refuse_other_case(&index, &path)?;
        }
        let id = repository.blob(body.bytes()).map_err(fail)?;
        let mode = if body.executable() { 0o100_755 } else { 0o100_644 };
        index.add(&entry(path, id, mode)).map_err(fail)?;
    }
    index.write_tree_to(repository).map_err(fail)
}

fn entry(path: String, id: Oid, mode: u32) -> IndexEntry {
    let never = IndexTime::new(0, 0);
    IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into_bytes(),
    }
}

/// A new file must not stand beside one whose name differs only in the case of letters.
fn refuse_other_case(index: &Index, path: &str) -> Result<(), TargetError> {
    let lower = path.to_lowercase();
    let clash = index.iter().find(|e| {
        e.path != path.as_bytes() && std::str::from_utf8(&e.path).is_ok_and(|other| other.to_lowercase() == lower)
    });
    match clash {
        Some(other) => Err(failed(
            format!("write '{path}'"),
            format!("it differs from '{}' only in the case of letters", String::from_utf8_lossy(&other.path)),
        )),
        None => Ok(()),
    }
}

/// The commit, in the object database; nothing points at it yet. By the user, where git knows who that is.
pub(super) fn build_commit(
    repository: &Repository,
    tree: Oid,
    parent: &Commit<'_>,
    message: &str,
) -> Result<Oid, TargetError> {
    let fail = |e| git("write the promotion's commit", &e);
    let who = repository.signature().or_else(|_| Signature::now("Meliora", "meliora@localhost")).map_err(fail)?;
    let tree = repository.find_tree(tree).map_err(fail)?;
    repository.commit(None, &who, &who, message, &tree, &[parent]).map_err(fail)
}

/// What [`replace_files`] did, so that it can be undone.
#[derive(Default)]
pub(super) struct Undo {
    /// New files that were written aside and not yet put in place.
    waiting: Vec<String>,
    /// Files that stood, by their path and the name under which they are kept.
    kept: Vec<(String, String)>,
    /// Files that did not stand before.
    new: Vec<String>,
    /// Folders that did not stand before, outer ones first.
    folders: Vec<String>,
}

/// Puts the changed files in place. On an error, everything is as it was.
pub(super) fn replace_files(root: &Root, changes: &[Difference<'_>]) -> Result<Undo, TargetError> {
    let mut undo = Undo::default();
    match try_replace(root, changes, &mut undo) {
        Ok(()) => Ok(undo),
        Err(first) => match undo.restore(root) {
            Ok(()) => Err(first),
            Err(second) => Err(failed(
                "restore the working tree after a promotion failed",
                format!("{second} (it failed because: {first}); `git checkout HEAD -- .` restores it"),
            )),
        },
    }
}

fn try_replace(root: &Root, changes: &[Difference<'_>], undo: &mut Undo) -> Result<(), TargetError> {
    let fail = |path: &str, e: std::io::Error| failed(format!("write '{path}'"), e);
    let mut ready = Vec::new();
    // All that can lack room or permission comes first; what remains then is renaming.
    for change in changes {
        let path = change.path.as_str();
        let Some(body) = change.after else { continue };
        root.make_folders(path, &mut undo.folders).map_err(|e| fail(path, e.into()))?;
        let mode = change.before.map(|_| root.mode(path)).transpose().map_err(|e| fail(path, e.into()))?;
        let aside = root.write_aside(path, body, mode).map_err(|e| fail(path, e))?;
        undo.waiting.push(aside.clone());
        ready.push((aside, path, change.before.is_some()));
    }
    for change in changes.iter().filter(|c| c.before.is_some()) {
        let path = change.path.as_str();
        let aside = root.keep_aside(path).map_err(|e| fail(path, e.into()))?;
        undo.kept.push((path.to_owned(), aside));
    }
    for (aside, path, stood) in ready {
        root.put_in_place(&aside, path).map_err(|e| fail(path, e.into()))?;
        if !stood {
            undo.new.push(path.to_owned());
        }
    }
    undo.waiting.clear();
    for change in changes.iter().filter(|c| c.after.is_none()) {
        let path = change.path.as_str();
        match root.remove(path) {
            // Where there are no hard links, keeping it has already moved it.
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(fail(path, e.into())),
        }
    }
    Ok(())
}

impl Undo {
    /// Makes every file what it was.
    pub(super) fn restore(&self, root: &Root) -> Result<(), TargetError> {
        for path in &self.new {
            let _ = root.remove(path);
        }
        for (path, aside) in &self.kept {
            root.put_in_place(aside, path).map_err(|e| failed(format!("restore '{path}'"), e))?;
            // Renaming one name of a file to another of the same file does nothing at all.
            let _ = root.remove(aside);
        }
        for path in &self.waiting {
            let _ = root.remove(path);
        }
        for folder in self.folders.iter().rev() {
            let _ = root.remove_folder(folder);
        }
        Ok(())
    }

    /// Lets go of what was kept, and of folders that deletions left empty, as git does.
    pub(super) fn forget(self, root: &Root, changes: &[Difference<'_>]) {
        for (_, aside) in &self.kept {
            let _ = root.remove(aside);
        }
        for change in changes.iter().filter(|c| c.after.is_none()) {
            let mut path = change.path.as_str();
            while let Some((folder, _)) = path.rsplit_once('/') {
                if root.remove_folder(folder).is_err() {
                    break;
                }
                path = folder;
            }
        }
    }
}

/// Makes the index follow the files, and checks that git sees in them what the commit holds.
pub(super) fn stage(
    repository: &Repository,
    prefix: &str,
    changes: &[Difference<'_>],
    tree: Oid,
) -> Result<(), TargetError> {
    let fail = |e| git("update git's index", &e);
    let mut index = repository.index().map_err(fail)?;
    for change in changes {
        let path = format!("{prefix}{}", change.path);
        let Some(body) = change.after else {
            index.remove_path(Path::new(&path)).map_err(fail)?;
            continue;
        };
        index.add_path(Path::new(&path)).map_err(fail)?;
        if index.get_path(Path::new(&path), 0).is_none_or(|e| e.id != objects::oid(body.blob())) {
            return Err(filtered(change.path.as_str()));
        }
    }
    if index.write_tree().map_err(fail)? != tree {
        return Err(failed("update git's index", "it holds other changes than the promotion's; try again"));
    }
    index.write().map_err(fail)
}

/// Makes the index follow the files again after they were restored.
pub(super) fn unstage(repository: &Repository, prefix: &str, changes: &[Difference<'_>]) -> Result<(), TargetError> {
    let fail = |e| git("restore git's index", &e);
    let mut index = repository.index().map_err(fail)?;
    // Drops what was changed in memory only.
    index.read(true).map_err(fail)?;
    let mut touched = false;
    for change in changes {
        let path = format!("{prefix}{}", change.path);
        let id = index.get_path(Path::new(&path), 0).map(|e| e.id);
        if id == change.before.map(|body| objects::oid(body.blob())) {
            continue;
        }
        touched = true;
        match change.before {
            Some(_) => index.add_path(Path::new(&path)).map_err(fail)?,
            None => index.remove_path(Path::new(&path)).map_err(fail)?,
        }
    }
    if touched { index.write().map_err(fail) } else { Ok(()) }
}

/// Moves the branch (or a detached HEAD) to the commit, if it still stands where it stood.
pub(super) fn move_head(repository: &Repository, from: Oid, to: Oid, message: &str) -> Result<(), TargetError> {
    let what = "move the branch to the promotion's commit";
    let head = repository.find_reference("HEAD").map_err(|e| git(what, &e))?;
    let branch = head.symbolic_target().map_err(|e| git(what, &e))?.unwrap_or("HEAD");
    let log = format!("commit: {}", message.lines().next().unwrap_or_default());
    match repository.reference_matching(branch, to, true, from, &log) {
        Ok(_) => Ok(()),
        Err(e) if e.code() == ErrorCode::Modified => {
            Err(TargetError::Moved(format!("someone committed to {branch} meanwhile; try again")))
        }
        Err(e) => Err(git(what, &e)),
    }
}
