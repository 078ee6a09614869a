//! Files of a sandbox: what the host reaches itself (`/work`, `/tmp`), and, to be looked at only, what programs inside
//! can see.

use std::collections::BTreeMap;
use std::time::Duration;

use meliora_domain::Ending;
use meliora_evolve::{Cage, CageEntry, CageError, Command, EntryKind, Happening};
use serde_json::{Value, json};

use crate::fault::{Answer, Kind, fault, invalid};
use crate::guest::Guest;
use crate::job::{KILL, end};
use crate::paths::Place;

/// Entries that one listing tells at most.
const ENTRIES: usize = 50_000;
/// Folders in folders that one listing goes down at most.
const DEPTH: u64 = 64;
/// How long a program inside may take to look at what the host cannot reach.
const LOOK: Duration = Duration::from_secs(20);
/// Bytes that such a program may tell of a folder.
const TOLD: usize = 16 << 20;

/// A file, folder or link, and where it is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) entry: CageEntry,
}

/// One entry.
pub(crate) fn stat(cage: &dyn Cage, place: &Place) -> Answer<Found> {
    if place.is_inside() {
        let entry = cage.stat(&place.real)?;
        return Ok(Found { place: place.clone(), entry });
    }
    let found = look(cage, place, 0)?.into_iter().next();
    found.ok_or_else(|| missing(place))
}

/// What is in a folder, and in the folders of it down to `depth`, in the order of their paths.
pub(crate) fn list(cage: &dyn Cage, place: &Place, depth: u64) -> Answer<Vec<Found>> {
    let depth = depth.clamp(1, DEPTH);
    let mut found = Vec::new();
    if place.is_inside() {
        if cage.stat(&place.real)?.kind != EntryKind::Folder {
            return Err(invalid(format!("'{}' is no folder", place.seen)));
        }
        descend(cage, place, depth, &mut found)?;
    } else {
        let mut all = look(cage, place, depth)?;
        if all.is_empty() {
            return Err(missing(place));
        }
        // The first one is the folder itself.
        if all.remove(0).entry.kind != EntryKind::Folder {
            return Err(invalid(format!("'{}' is no folder", place.seen)));
        }
        found = all;
    }
    found.sort_by(|a, b| a.place.seen.cmp(&b.place.seen));
    Ok(found)
}

fn descend(cage: &dyn Cage, place: &Place, depth: u64, found: &mut Vec<Found>) -> Answer<()> {
    for entry in cage.list(&place.real)? {
        if found.len() >= ENTRIES {
            return Err(fault(Kind::TooLarge, format!("more than {ENTRIES} entries; list a smaller folder")));
        }
        let below = place.child(&entry.name);
        let inner = entry.kind == EntryKind::Folder && depth > 1;
        found.push(Found { place: below.clone(), entry });
        if inner {
            // It may be gone by now, or closed to us; then it has no entries.
            match descend(cage, &below, depth - 1, found) {
                Err(fault) if fault.kind == Kind::NotFound => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// The bytes of a file.
pub(crate) fn read(cage: &dyn Cage, place: &Place, limit: usize) -> Answer<Vec<u8>> {
    if place.is_inside() {
        match cage.get(&place.real, limit as u64) {
            // A program inside may follow links: it gets nowhere that the sandbox does not.
            Err(CageError::NoFile { why, .. }) if why.contains("link") => {}
            Err(CageError::NoFile { .. }) if is_folder(cage, place) => {
                return Err(invalid(format!("'{}' is a folder", place.seen)));
            }
            other => return other.map_err(Into::into),
        }
    }
    let program = ["/bin/cat", "--", &place.real].map(str::to_owned).into();
    let (bytes, complaint, ending) = run(cage, program, limit)?;
    match ending {
        Ending::Exited(0) => Ok(bytes),
        Ending::Exited(1) => {
            Err(fault(Kind::NotFound, format!("'{}' cannot be read: {}", place.seen, complaint.trim())))
        }
        other => Err(fault(Kind::Internal, format!("reading '{}' failed: {}", place.seen, end(other).2))),
    }
}

fn is_folder(cage: &dyn Cage, place: &Place) -> bool {
    cage.stat(&place.real).is_ok_and(|entry| entry.kind == EntryKind::Folder)
}

/// Writes a file; one that could be executed still can.
pub(crate) fn write(cage: &dyn Cage, place: &Place, bytes: &[u8]) -> Answer<()> {
    writable(place)?;
    let before = cage.stat(&place.real).ok();
    let executable = before.is_some_and(|entry| entry.kind == EntryKind::File && entry.mode & 0o111 != 0);
    cage.put(&place.real, bytes, executable).map_err(|error| match error {
        // Nothing is missing where folders are made as needed: something else stands in the way.
        CageError::NoFile { why, .. } => invalid(format!("'{}' cannot be written: {why}", place.seen)),
        other => other.into(),
    })
}

/// That something can be written there.
pub(crate) fn writable(place: &Place) -> Answer<()> {
    if place.is_inside() {
        return Ok(());
    }
    Err(fault(
        Kind::Denied,
        format!("'{}' cannot be changed: only /home/user (which is /work) and /tmp can", place.seen),
    ))
}

/// Removes it and all that is in it. What is not there is removed already.
pub(crate) fn remove(cage: &dyn Cage, place: &Place) -> Answer<()> {
    writable(place)?;
    match cage.stat(&place.real) {
        Err(CageError::NoFile { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => cage.remove(&place.real).map_err(Into::into),
    }
}

fn missing(place: &Place) -> crate::fault::Fault {
    fault(Kind::NotFound, format!("path '{}' does not exist", place.seen))
}

/// Has a program inside look at a path and what is below it.
fn look(cage: &dyn Cage, place: &Place, depth: u64) -> Answer<Vec<Found>> {
    const FORMAT: &str = r"%y\0%s\0%m\0%T@\0%P\0%l\0";
    let depth = depth.to_string();
    let argv = ["/usr/bin/find", "-P", &place.real, "-maxdepth", &depth, "-printf", FORMAT].map(str::to_owned).into();
    let (told, complaint, ending) = run(cage, argv, TOLD)?;
    // It ends with 1 where some folder is closed to it, which is no failure.
    match ending {
        Ending::Exited(0 | 1) => Ok(looked(&told, place)),
        other => {
            let why = format!("{}; {}", end(other).2, complaint.trim());
            Err(fault(Kind::Internal, format!("'{}' cannot be looked at: {why}", place.seen)))
        }
    }
}

fn looked(told: &[u8], place: &Place) -> Vec<Found> {
    let fields: Vec<String> = told.split(|byte| *byte == 0).map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    let entry = |fields: &[String]| {
        let [kind, size, mode, modified, name, target] = fields else { return None };
        let place = if name.is_empty() { place.clone() } else { place.child(name) };
        let kind = match kind.as_str() {
            "f" => EntryKind::File,
            "d" => EntryKind::Folder,
            "l" => EntryKind::Link,
            _ => EntryKind::Other,
        };
        let modified = modified.parse::<f64>().unwrap_or(0.0).max(0.0);
        let entry = CageEntry {
            name: place.name().to_owned(),
            kind,
            size: size.parse().unwrap_or(0),
            mode: u32::from_str_radix(mode, 8).unwrap_or(0),
            modified: Duration::try_from_secs_f64(modified).unwrap_or_default(),
            target: target.clone(),
        };
        Some(Found { place, entry })
    };
    fields.chunks_exact(6).filter_map(entry).collect()
}

/// Runs a small program inside: what it wrote, what it complained about, how it ended.
fn run(cage: &dyn Cage, argv: Vec<String>, limit: usize) -> Answer<(Vec<u8>, String, Ending)> {
    let process = cage.spawn(&Command { argv, wall: Some(LOOK), ..Command::default() })?;
    process.close_stdin();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match process.next()? {
            Happening::Stdout(bytes) if out.len() + bytes.len() > limit => {
                process.signal(KILL).ok();
                return Err(fault(Kind::TooLarge, format!("more than the {limit} bytes that are taken at once")));
            }
            Happening::Stdout(bytes) => out.extend(bytes),
            Happening::Stderr(bytes) => err.extend(bytes.into_iter().take(4096)),
            Happening::Exit(ending) => return Ok((out, String::from_utf8_lossy(&err).into_owned(), ending)),
        }
        err.truncate(4096);
    }
}

/// An entry as clients read it.
pub(crate) fn describe(guest: &Guest, found: &Found) -> Value {
    let Found { place, entry } = found;
    let (kind, letter) = match entry.kind {
        EntryKind::File => ("FILE_TYPE_FILE", '-'),
        EntryKind::Folder => ("FILE_TYPE_DIRECTORY", 'd'),
        EntryKind::Link => ("FILE_TYPE_SYMLINK", 'l'),
        EntryKind::Other => ("FILE_TYPE_UNSPECIFIED", '?'),
    };
    let owner = if place.is_inside() { "user" } else { "root" };
    let mut told = json!({
        "name": place.name(),
        "type": kind,
        "path": place.seen,
        "size": entry.size.to_string(),
        "mode": entry.mode,
        "permissions": permissions(letter, entry.mode),
        "owner": owner,
        "group": owner,
        "modifiedTime": crate::time::iso(entry.modified),
    });
    if entry.kind == EntryKind::Link {
        told["symlinkTarget"] = json!(entry.target);
    }
    if let Some(notes) = guest.notes().get(&place.real) {
        told["metadata"] = json!(notes);
    }
    told
}

fn permissions(letter: char, mode: u32) -> String {
    let bits = (0..9).rev().zip("rwx".chars().cycle());
    std::iter::once(letter).chain(bits.map(|(bit, letter)| if mode >> bit & 1 == 1 { letter } else { '-' })).collect()
}

/// Files for which a client's own notes are kept.
const NOTES: usize = 10_000;

/// Keeps what a client said of a file it wrote; what was said before is gone.
pub(crate) fn note(guest: &Guest, place: &Place, notes: &BTreeMap<String, String>) {
    let mut all = guest.notes();
    if notes.is_empty() {
        all.remove(&place.real);
    } else if all.len() < NOTES || all.contains_key(&place.real) {
        all.insert(place.real.clone(), notes.clone());
    }
}

/// Takes notes along when a file or folder gets another place, or forgets them when it is removed.
pub(crate) fn move_notes(guest: &Guest, from: &Place, to: Option<&Place>) {
    let mut all = guest.notes();
    let inside = format!("{}/", from.real);
    let moved: Vec<String> = all.keys().filter(|key| **key == from.real || key.starts_with(&inside)).cloned().collect();
    for key in moved {
        if let (Some(notes), Some(to)) = (all.remove(&key), to) {
            all.insert(format!("{}{}", to.real, &key[from.real.len()..]), notes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::place;
    use proptest::prelude::*;

    #[test]
    fn what_a_program_inside_tells_is_read() {
        let told = b"d\x004096\x00755\x001700000000.5000000000\x00\x00\x00l\x007\x00777\x001.0\x00a\nb\x00usr/bin\x00";
        let found = looked(told, &place("/etc").unwrap());
        assert_eq!(found[0].place.seen, "/etc");
        assert_eq!(found[0].entry.modified, Duration::from_millis(1_700_000_000_500));
        assert_eq!((found[1].place.seen.as_str(), found[1].entry.target.as_str()), ("/etc/a\nb", "usr/bin"));
    }

    proptest! {
        #[test]
        fn nothing_that_it_tells_makes_us_panic(told in prop::collection::vec(any::<u8>(), 0..200)) {
            looked(&told, &place("/x").unwrap());
        }
    }

    #[test]
    fn permissions_read_as_ls_shows_them() {
        assert_eq!(permissions('-', 0o644), "-rw-r--r--");
        assert_eq!(permissions('d', 0o751), "drwxr-x--x");
    }
}
