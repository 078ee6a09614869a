//! A variant as git objects: what its folders and its commit look like, byte for byte.
//!
//! They are written here and not by libgit2's builders, which look every entry up on the disk again.

use std::collections::BTreeMap;

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
