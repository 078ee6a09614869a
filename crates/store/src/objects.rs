//! A variant as git objects: what its folders and its commit look like, byte for byte.
//!
//! They are written here and not by libgit2: its builders look every entry up on the disk again, and its writer of
//! objects reads the folder of packs and makes a link and a removal for each.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid};
use meliora_domain::{FileBody, Genome, TreeId, VariantId};
use meliora_evolve::{ArchiveError, Draft};

use crate::error::{failed, git};

/// Takes a folder's hash and content.
type Sink<'a> = dyn FnMut(Oid, &[u8]) -> Result<(), ArchiveError> + 'a;

/// Makes the folders of a genome, inner ones first, and gives each with its hash to `sink`. Returns the root's hash.
pub(crate) fn trees(genome: &Genome, sink: &mut Sink<'_>) -> Result<TreeId, ArchiveError> {
    let files: Vec<(&str, &FileBody)> = genome.files().map(|(path, body)| (path.as_str(), body)).collect();
    folder(&files, sink).map(|oid| TreeId(raw(oid)))
}

/// A folder whose files have these paths relative to it.
fn folder(files: &[(&str, &FileBody)], sink: &mut Sink<'_>) -> Result<Oid, ArchiveError> {
    let mut inner: BTreeMap<&str, Vec<(&str, &FileBody)>> = BTreeMap::new();
    // git's order is by name, a folder's as if it ended in '/'.
    let mut entries: Vec<(String, &str, &str, [u8; 20])> = Vec::new();
    for (path, body) in files {
        match path.split_once('/') {
            Some((name, rest)) => inner.entry(name).or_default().push((rest, body)),
            None => {
                let mode = if body.executable() { "100755" } else { "100644" };
                entries.push(((*path).to_owned(), mode, path, *body.blob()));
            }
        }
    }
    for (name, files) in &inner {
        entries.push((format!("{name}/"), "40000", name, raw(folder(files, sink)?)));
    }
    entries.sort_unstable();
    let mut content = Vec::new();
    for (_, mode, name, hash) in &entries {
        content.extend_from_slice(mode.as_bytes());
        content.push(b' ');
        content.extend_from_slice(name.as_bytes());
        content.push(0);
        content.extend_from_slice(hash);
    }
    let oid = Oid::hash_object(ObjectType::Tree, &content).map_err(|e| git("hash a folder of a variant", e))?;
    sink(oid, &content)?;
    Ok(oid)
}

/// A variant's commit with its hash. Nothing of this machine or this moment is in it, so that the same draft is always
/// the same variant.
pub(crate) fn commit(tree: &TreeId, draft: &Draft<'_>) -> Result<(Oid, Vec<u8>), ArchiveError> {
    let what = "write a variant's commit";
    if draft.message.contains('\0') {
        return Err(failed(what, "its message holds a NUL character", "this is a bug of Meliora; please report it"));
    }
    let who = format!("Meliora <meliora@localhost> {} +0000", draft.date.0 / 1000);
    let mut content = format!("tree {tree}\n");
    for parent in draft.parents {
        content.push_str(&format!("parent {parent}\n"));
    }
    content.push_str(&format!("author {who}\ncommitter {who}\n\n{}", draft.message));
    if !content.ends_with('\n') {
        content.push('\n');
    }
    let oid = Oid::hash_object(ObjectType::Commit, content.as_bytes()).map_err(|e| git(what, e))?;
    Ok((oid, content.into_bytes()))
}

/// Largest object that is written here. Nothing is compressed, for most fit a block of the disk as they are, and
/// packing does it; larger ones are left to libgit2.
pub(crate) const PLAIN: usize = 32 << 10;

/// Writes an object as a file of its own, complete under its name or not at all, and tells where. `objects` is the repository's folder
/// of that name; one writer at a time.
pub(crate) fn write(objects: &Path, kind: ObjectType, oid: Oid, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let mut content = format!("{} {}\0", kind.str(), bytes.len()).into_bytes();
    content.extend_from_slice(bytes);
    // The name is one that git's own cleaning knows.
    let aside = objects.join("tmp_obj_meliora");
    let create = || OpenOptions::new().write(true).create_new(true).mode(0o444).open(&aside);
    let mut file: File = create().or_else(|error| match error.kind() {
        // What a crash left.
        ErrorKind::AlreadyExists => fs::remove_file(&aside).and_then(|()| create()),
        _ => Err(error),
    })?;
    file.write_all(&stored(&content))?;
    drop(file);
    let place = place(objects, oid);
    fs::rename(&aside, &place).or_else(|error| match (error.kind(), place.parent()) {
        (ErrorKind::NotFound, Some(folder)) => fs::create_dir_all(folder).and_then(|()| fs::rename(&aside, &place)),
        _ => Err(error),
    })?;
    Ok(place)
}

/// Where an object that stands alone lies.
pub(crate) fn place(objects: &Path, oid: Oid) -> PathBuf {
    let name = oid.to_string();
    objects.join(&name[..2]).join(&name[2..])
}

/// A zlib stream of blocks that are stored as they are (RFC 1950; RFC 1951, 3.2.4).
fn stored(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = content.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    // Adler-32 (RFC 1950, 8.2).
    let (a, b) = content.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// A hash's bytes.
pub(crate) fn raw(oid: Oid) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(oid.as_bytes());
    bytes
}

/// A hash as git knows it.
pub(crate) fn oid(bytes: &[u8; 20]) -> Oid {
    Oid::from_bytes(bytes).expect("twenty bytes are what a SHA-1 hash has")
}

/// A variant's id.
pub(crate) fn variant(oid: Oid) -> VariantId {
    VariantId(raw(oid))
}

/// The beginning of an id as a person types it: 4 to 40 hexadecimal digits, lowercase from here on.
pub(crate) fn prefix(text: &str) -> Result<String, ArchiveError> {
    if (4..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(failed(
        format!("find the variant '{text}'"),
        "this is not the beginning of a variant's id",
        "give 4 to 40 hexadecimal digits; `meliora lineage` lists the ids",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_reads_objects_of_any_size_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(dir.path()).unwrap();
        let objects = dir.path().join("objects");
        // A try that was cut off.
        fs::write(objects.join("tmp_obj_meliora"), b"half").unwrap();
        for size in [0, 1, 600, 0xffff - 10, 0xffff - 9, 0xffff, 0x1_0000, 200_000] {
            let bytes: Vec<u8> = (0..size).map(|n: usize| (n * 7 + n / 251) as u8).collect();
            let oid = Oid::hash_object(ObjectType::Blob, &bytes).unwrap();
            write(&objects, ObjectType::Blob, oid, &bytes).unwrap();
            assert_eq!(repository.find_blob(oid).unwrap().content(), bytes, "{size} bytes");
        }
        let told =
            std::process::Command::new("git").arg("-C").arg(dir.path()).args(["fsck", "--full"]).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        assert!(!objects.join("tmp_obj_meliora").exists());
    }
}
