//! Packs the archive's single objects: thousands of small files become one, which any git reads.
//!
//! An object is in the archive at every moment: the pack and its index are complete and on the disk before the first
//! single file goes, and one that a crash left behind is merely there twice until the next time.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use meliora_evolve::ArchiveError;

use crate::error::{git, io};

const WHAT: &str = "pack the archive";

/// How many single objects there are, about: hashes are even, so one of the 256 folders tells.
pub(crate) fn estimate(objects: &Path) -> usize {
    fs::read_dir(objects.join("17")).map_or(0, |entries| entries.count() * 256)
}

/// Packs all single objects, and removes their files. Returns how many there were.
pub(crate) fn pack(repository: &Repository) -> Result<usize, ArchiveError> {
    let objects = repository.path().join("objects");
    let single = singles(&objects).map_err(|e| io(WHAT, &e))?;
    if single.is_empty() {
        return Ok(0);
    }
    let packs = objects.join("pack");
    fs::create_dir_all(&packs).map_err(|e| io(WHAT, &e))?;
    sweep(&packs);
    let fail = |e| git(WHAT, e);
    let mut builder = repository.packbuilder().map_err(fail)?;
    for (oid, _) in &single {
        builder.insert_object(*oid, None).map_err(fail)?;
    }
    // It writes aside and renames both: one without the other is not seen.
    builder.write(&packs, 0o444).map_err(fail)?;
    let name = builder.name().map_err(fail)?.unwrap_or_default().to_owned();
    let settle = || -> std::io::Result<()> {
        for suffix in ["pack", "idx"] {
            File::open(packs.join(format!("pack-{name}.{suffix}")))?.sync_all()?;
        }
        File::open(&packs)?.sync_all()
    };
    settle().map_err(|e| io(WHAT, &e))?;
    let odb = repository.odb().map_err(fail)?;
    odb.refresh().map_err(fail)?;
    for (_, path) in &single {
        match fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(io(WHAT, &e)),
            _ => {}
        }
    }
    Ok(single.len())
}

/// The single objects and their files.
fn singles(objects: &Path) -> std::io::Result<Vec<(Oid, PathBuf)>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(objects)? {
        let folder = folder?;
        let Some(head) = folder.file_name().to_str().filter(|name| name.len() == 2).map(str::to_owned) else {
            continue;
        };
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            // What a crash left half-written has another kind of name.
            if let Some(rest) = file.file_name().to_str().filter(|name| name.len() == 38)
                && let Ok(oid) = Oid::from_str(&format!("{head}{rest}"))
            {
                found.push((oid, file.path()));
            }
        }
    }
    // The same objects give the same pack.
    found.sort_unstable();
    Ok(found)
}

/// Removes what a killed packing left behind. One process at a time writes here.
fn sweep(packs: &Path) {
    for entry in fs::read_dir(packs).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("pack_git2_")) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
