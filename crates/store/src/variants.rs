//! The variants: commits in a bare git repository that any git can clone.
//!
//! An object is written once, complete and under its hash, before anything names it: blobs, folders, commit, tag. A
//! process killed in between leaves objects that the next attempt finds in place. Nothing waits for the disk until the
//! journal must; a loss of power may take the last moments, as it may with the journal.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{ErrorCode, ObjectType, Odb, OdbLookupFlags, Oid, Repository, RepositoryInitOptions};
use meliora_domain::{FileBody, Genome, GenomePath, VariantId};
use meliora_evolve::{ArchiveError, Draft};

use crate::error::{failed, git, io};
use crate::objects;
use crate::pack;
use crate::schema::Access;

const CHAMPION: &str = "refs/heads/champion";
/// At most so many hashes are remembered, about 100 MB; beyond that the disk is asked.
const REMEMBERED: usize = 2_000_000;
/// So many single objects, some thousand variants, are packed on the way: a folder of the archive then holds some
/// eighty files, and a packing takes seconds.
const MANY: usize = 20_000;
/// So many are worth packing when a run ends.
const SOME: usize = 2_000;
/// So many files are waited for one by one; where there are more, for the whole file system.
const FEW: usize = 64;

pub(crate) struct Variants {
    inner: Mutex<Inner>,
}

struct Inner {
    repository: Repository,
    /// Objects that are known to be in the repository: a variant shares nearly all of its files with its parent.
    present: HashMap<Oid, ObjectType>,
    /// Single objects in the repository, about.
    single: usize,
    /// Files that were written and may not be on the disk yet.
    fresh: Vec<PathBuf>,
}

impl Variants {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Variants, ArchiveError> {
        let what = format!("open the archive {}", path.display());
        if !path.exists() && access == Access::Write {
            create(path)?;
        }
        let repository = Repository::open_bare(path).map_err(|e| match e.code() {
            ErrorCode::NotFound => failed(
                what.as_str(),
                "it is no git repository",
                "restore it from a clone with `git clone --mirror`, or move it away to begin anew; it was left as it is",
            ),
            _ => git(&what, e),
        })?;
        let single = pack::estimate(&repository.path().join("objects"));
        Ok(Variants { inner: Mutex::new(Inner { repository, present: HashMap::new(), single, fresh: Vec::new() }) })
    }

    /// A panic while the lock is held cannot leave half an object: each is written aside and renamed.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self, draft: &Draft<'_>) -> Result<VariantId, ArchiveError> {
        let mut inner = self.inner();
        let Inner { repository, present, single, fresh } = &mut *inner;
        let odb = repository.odb().map_err(|e| git("open the archive's objects", e))?;
        for parent in draft.parents {
            let oid = objects::oid(&parent.0);
            if present.get(&oid) != Some(&ObjectType::Commit) && !is_commit(&odb, oid) {
                return Err(ArchiveError::NoVariant(parent.to_string()));
            }
        }
        let folder = repository.path().join("objects");
        let mut put = |kind, oid: Oid, bytes: &[u8]| -> Result<(), ArchiveError> {
            if present.contains_key(&oid) {
                return Ok(());
            }
            if !odb.exists_ext(oid, OdbLookupFlags::NO_REFRESH) {
                note(fresh, write(&odb, &folder, kind, oid, bytes)?);
                *single += 1;
            }
            if present.len() >= REMEMBERED {
                present.clear();
            }
            present.insert(oid, kind);
            Ok(())
        };
        for (_, body) in draft.genome.files() {
            put(ObjectType::Blob, objects::oid(body.blob()), body.bytes())?;
        }
        let tree = objects::trees(draft.genome, &mut |oid, bytes| put(ObjectType::Tree, oid, bytes))?;
        if tree != draft.genome.tree() {
            return Err(failed(
                "write a variant to the archive",
                format!("its tree is {tree} and should be {}", draft.genome.tree()),
                "this is a bug of Meliora; please report it",
            ));
        }
        let (oid, bytes) = objects::commit(&tree, draft)?;
        put(ObjectType::Commit, oid, &bytes)?;
        if let Some(path) = tag(repository, &draft.tag, oid)? {
            note(fresh, path);
        }
        drop(odb);
        inner.tidy(MANY);
        Ok(objects::variant(oid))
    }

    /// Waits until all that was stored is on the disk.
    pub(crate) fn settle(&self) -> Result<(), ArchiveError> {
        let mut inner = self.inner();
        let fresh = std::mem::take(&mut inner.fresh);
        let settled = if fresh.len() > FEW {
            File::open(inner.repository.path()).and_then(|folder| Ok(rustix::fs::syncfs(folder)?))
        } else {
            let folders: BTreeSet<&Path> = fresh.iter().filter_map(|file| file.parent()).collect();
            fresh.iter().map(PathBuf::as_path).chain(folders).try_for_each(|path| match File::open(path) {
                // It was packed, and the pack is on the disk.
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                file => file?.sync_all(),
            })
        };
        settled.map_err(|e| io("wait for the disk", &e))
    }

    /// Packs what was stored one by one, if it is worth it; for the end of a run.
    pub(crate) fn tidy(&self) {
        self.inner().tidy(SOME);
    }

    pub(crate) fn load(&self, variant: &VariantId) -> Result<Genome, ArchiveError> {
        let inner = self.inner();
        let odb = inner.repository.odb().map_err(|e| git("open the archive's objects", e))?;
        let oid = objects::oid(&variant.0);
        if !is_commit(&odb, oid) {
            return Err(ArchiveError::NoVariant(variant.to_string()));
        }
        let fail = |e| git(&format!("load variant {variant}"), e);
        let tree = inner.repository.find_commit(oid).and_then(|c| c.tree()).map_err(fail)?;
        let mut files = Vec::new();
        gather(&inner.repository, &tree, "", &mut files).map_err(|cause| {
            failed(
                format!("load variant {variant}"),
                cause,
                "`git --git-dir=.meliora/archive.git fsck` tells whether the repository is sound",
            )
        })?;
        Ok(files.into_iter().collect())
    }

    pub(crate) fn find(&self, prefix: &str) -> Result<VariantId, ArchiveError> {
        let digits = objects::prefix(prefix)?;
        let inner = self.inner();
        let fail = |e| git(&format!("find variant {prefix}"), e);
        let odb = inner.repository.odb().map_err(fail)?;
        let padded = Oid::from_str(&format!("{digits:0<40}")).map_err(fail)?;
        match odb.exists_prefix(padded, digits.len()) {
            Ok(oid) if is_commit(&odb, oid) => Ok(objects::variant(oid)),
            Ok(_) => Err(ArchiveError::NoVariant(prefix.to_owned())),
            Err(e) if e.code() == ErrorCode::NotFound => Err(ArchiveError::NoVariant(prefix.to_owned())),
            // Files and folders have hashes too: only where two commits fit is it ambiguous.
            Err(e) if e.code() == ErrorCode::Ambiguous => one_commit(&odb, &digits, prefix),
            Err(e) => Err(fail(e)),
        }
    }

    pub(crate) fn point_champion(&self, variant: &VariantId) -> Result<(), ArchiveError> {
        let inner = self.inner();
        let fail = |e| git("point the archive's champion branch at a variant", e);
        let odb = inner.repository.odb().map_err(fail)?;
        let oid = objects::oid(&variant.0);
        if !is_commit(&odb, oid) {
            return Err(ArchiveError::NoVariant(variant.to_string()));
        }
        inner.repository.reference(CHAMPION, oid, true, "champion").map_err(fail)?;
        Ok(())
    }
}

impl Inner {
    /// Packs if there are so many single objects. What cannot be packed stands as it did before, and nothing that was
    /// stored depends on it: that is no reason to stop a run. It is tried again when as many have come once more.
    fn tidy(&mut self, from: usize) {
        if self.single >= from {
            pack::pack(&self.repository).ok();
            self.single = 0;
        }
    }
}

/// Makes the repository aside and moves it into place, so that a half-made one is never met.
fn create(path: &Path) -> Result<(), ArchiveError> {
    let what = format!("create the archive {}", path.display());
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_dir_all(&aside);
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).external_template(false).initial_head("champion");
    options.description("The variants of a Meliora project. Clone it to look at them.");
    let made = Repository::init_opts(&aside, &options).and_then(|repository| {
        let mut config = repository.config()?;
        // Speed over size for what is small and written often; packing makes it small.
        config.set_i32("core.looseCompression", 1)?;
        // Variants are looked at, never pushed to.
        config.set_bool("receive.denyDeletes", true)?;
        config.set_bool("receive.denyNonFastForwards", true)
    });
    made.map_err(|e| git(&what, e))?;
    match fs::rename(&aside, path) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = fs::remove_dir_all(&aside);
            // Another process of this project was faster.
            if path.join("HEAD").exists() { Ok(()) } else { Err(io(&what, &error)) }
        }
    }
}

/// Notes a file to be waited for, as long as it is one of a few.
fn note(fresh: &mut Vec<PathBuf>, path: PathBuf) {
    if fresh.len() <= FEW {
        fresh.push(path);
    }
}

/// Writes an object that is not there, and tells where. Its hash is that of its content, or libgit2 says so.
fn write(odb: &Odb<'_>, folder: &Path, kind: ObjectType, oid: Oid, bytes: &[u8]) -> Result<PathBuf, ArchiveError> {
    let what = "write a variant to the archive";
    let wrong = |given: Oid| {
        let cause = format!("git gives {given} where {oid} was computed");
        failed(what, cause, "this is a bug of Meliora; please report it")
    };
    if bytes.len() <= objects::PLAIN {
        let hash = Oid::hash_object(kind, bytes).map_err(|e| git(what, e))?;
        if hash != oid {
            return Err(wrong(hash));
        }
        return objects::write(folder, kind, oid, bytes).map_err(|e| io(what, &e));
    }
    let written = odb.write(kind, bytes).map_err(|e| git(what, e))?;
    if written == oid { Ok(objects::place(folder, oid)) } else { Err(wrong(written)) }
}

fn is_commit(odb: &Odb<'_>, oid: Oid) -> bool {
    matches!(odb.read_header(oid), Ok((_, ObjectType::Commit)))
}

/// The one commit among all objects with this beginning.
fn one_commit(odb: &Odb<'_>, digits: &str, asked: &str) -> Result<VariantId, ArchiveError> {
    let mut fits = Vec::new();
    odb.foreach(|oid| {
        if oid.to_string().starts_with(digits) {
            fits.push(*oid);
        }
        true
    })
    .map_err(|e| git(&format!("find variant {asked}"), e))?;
    fits.retain(|oid| is_commit(odb, *oid));
    fits.sort_unstable();
    fits.dedup();
    match fits[..] {
        [] => Err(ArchiveError::NoVariant(asked.to_owned())),
        [oid] => Ok(objects::variant(oid)),
        _ => Err(ArchiveError::AmbiguousVariant(asked.to_owned())),
    }
}

fn gather(
    repository: &Repository,
    tree: &git2::Tree<'_>,
    folder: &str,
    files: &mut Vec<(GenomePath, FileBody)>,
) -> Result<(), String> {
    for entry in tree.iter() {
        let name = entry.name().map_err(|e| e.to_string())?;
        let path = format!("{folder}{name}");
        let object = entry.to_object(repository).map_err(|e| e.message().to_owned())?;
        match (entry.filemode(), object.as_tree(), object.as_blob()) {
            (_, Some(inner), _) => gather(repository, inner, &format!("{path}/"), files)?,
            (mode @ (0o100_644 | 0o100_755), _, Some(blob)) => {
                let path = GenomePath::new(&path).map_err(|e| e.to_string())?;
                files.push((path, FileBody::new(blob.content(), mode == 0o100_755)));
            }
            (mode, ..) => return Err(format!("'{path}' has mode {mode:o}, which no genome's file has")),
        }
    }
    Ok(())
}

/// Makes a tag that keeps the commit reachable. Where the name is taken by another commit (a step that a crash cut off
/// and that went otherwise the second time), the next free of `name-2`, `name-3`, … is taken: nothing is moved.
fn tag(repository: &Repository, name: &str, oid: Oid) -> Result<Option<PathBuf>, ArchiveError> {
    let what = format!("tag a variant as '{name}'");
    for number in 1_u32.. {
        let name = if number == 1 { format!("refs/tags/{name}") } else { format!("refs/tags/{name}-{number}") };
        match repository.find_reference(&name).map(|reference| reference.target()) {
            Ok(Some(there)) if there == oid => return Ok(None),
            Ok(_) => {}
            Err(e) if e.code() == ErrorCode::NotFound => return write_tag(repository, &name, oid).map(Some),
            Err(e) => return Err(git(&what, e)),
        }
    }
    Err(failed(what, "every name is taken", "this is a bug of Meliora; please report it"))
}

/// Writes a reference as git does: aside under the name that locks it, then renamed. libgit2 would first compare the
/// name with every packed one, which grows with the archive.
fn write_tag(repository: &Repository, name: &str, oid: Oid) -> Result<PathBuf, ArchiveError> {
    let what = format!("tag a variant as '{name}'");
    if !git2::Reference::is_valid_name(name) {
        return Err(failed(what, "git does not allow this name", "this is a bug of Meliora; please report it"));
    }
    let path: PathBuf = repository.path().join(name);
    let lock = path.with_file_name(format!("{}.lock", path.file_name().unwrap_or_default().to_string_lossy()));
    let create = || File::create(&lock);
    // A lock that a killed process left behind is overwritten: one process at a time writes here.
    let file = create().or_else(|e| match (e.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(folder)) => fs::create_dir_all(folder).and_then(|()| create()),
        _ => Err(e),
    });
    file.and_then(|mut file| file.write_all(format!("{oid}\n").as_bytes()))
        .and_then(|()| fs::rename(&lock, &path))
        .map_err(|e| io(&what, &e))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::Timestamp;

    #[test]
    fn all_that_was_stored_is_waited_for_once_however_much_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let variants = Variants::open(&dir.path().join("a.git"), Access::Write).unwrap();
        let store = |n: u64| {
            let body = FileBody::new(n.to_string().into_bytes(), false);
            let genome: Genome = std::iter::once((GenomePath::new("f").unwrap(), body)).collect();
            let tag = format!("run-1/step-{n}");
            variants
                .store(&Draft { genome: &genome, parents: &[], message: String::new(), date: Timestamp(0), tag })
                .unwrap()
        };
        let waiting = || variants.inner().fresh.len();
        store(1);
        assert_eq!(waiting(), 4, "a file, a folder, a commit and a tag");
        store(1);
        assert_eq!(waiting(), 4, "what is there is not written again");
        assert!(variants.inner().fresh.iter().all(|file| file.is_file()));
        variants.settle().unwrap();
        assert_eq!(waiting(), 0);
        for n in 2..100 {
            store(n);
        }
        assert_eq!(waiting(), FEW + 1, "many are not remembered one by one");
        variants.settle().unwrap();
        // One that was packed meanwhile is on the disk.
        store(100);
        pack::pack(&variants.inner().repository).unwrap();
        variants.settle().unwrap();
        assert_eq!(waiting(), 0);
    }
}
