//! Where keys lie, and what is remembered of constitutions: outside of every project, so that nothing which changes
//! projects can reach them.

use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use meliora_constitution::key::{PublicKey, SecretKey};
use meliora_constitution::{Seen, Trust, project_of, signature_of};
use meliora_domain::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::project::{LAW, STATE};

/// Name of the file in a project's folder of state that says what the project is called in signatures.
const ID: &str = "project";
/// Name of the person's own keys.
const SECRET: &str = "meliora.key";
const PUBLIC: &str = "meliora.pub";

/// The folder of the keys: `MELIORA_KEYS`, or `meliora/keys` in the user's folder of settings.
pub fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = || set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    set("MELIORA_KEYS").or_else(|| base().map(|base| base.join("meliora/keys")))
}

/// The public keys that are pinned on this machine: every `.pub` in the folder; none where there is no such folder.
pub fn pinned() -> Result<Vec<PublicKey>, Failure> {
    let Some(entries) = folder().and_then(|folder| std::fs::read_dir(folder).ok()) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "pub"));
    files.sort();
    files.iter().map(|path| public(path)).collect()
}

fn public(path: &Path) -> Result<PublicKey, Failure> {
    let bad = |why: String, hint: &str| {
        Failure::new(Exit::Constitution, format!("the key {}: {why}", path.display())).hint(hint)
    };
    let read = |e: std::io::Error| bad(e.to_string(), "mend it, or take it out of the folder");
    let mode = std::fs::metadata(path).map_err(read)?.permissions().mode();
    if mode & 0o002 != 0 {
        let hint = format!("look whether it is still yours, then `chmod o-w {}`", path.display());
        return Err(bad("everybody may replace it".into(), &hint));
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    PublicKey::decode(&text).map_err(|e| bad(e.to_string(), "put a public key of minisign there, or take it out"))
}

/// The person's secret key. Who has none is told so: a cage has none, and neither has who proposes.
pub fn secret() -> Result<SecretKey, Failure> {
    let path = own_folder()?.join(SECRET);
    existing(&path)?.ok_or_else(|| {
        Failure::new(Exit::Constitution, format!("there is no secret key {}", path.display())).hint(
            "a person's word is signed with a person's key; `meliora constitution sign` makes one where there is none. \
             In a cage, and for what proposes, there is none on purpose",
        )
    })
}

/// The person's secret key, made if there is none, and its public key pinned. Says whether it was made.
pub fn secret_or_new() -> Result<(SecretKey, bool), Failure> {
    let folder = own_folder()?;
    if let Some(key) = existing(&folder.join(SECRET))? {
        pin(&folder, &key)?;
        return Ok((key, false));
    }
    let failed = |what: String| Failure::new(Exit::Machinery, what).hint("`MELIORA_KEYS` names another folder");
    std::fs::create_dir_all(&folder).map_err(|e| failed(format!("{} cannot be made: {e}", folder.display())))?;
    let _ = std::fs::set_permissions(&folder, Permissions::from_mode(0o700));
    let key = SecretKey::generate().map_err(|e| failed(e.to_string()))?;
    let text = key.encode().map_err(|e| failed(e.to_string()))?;
    let made = put_new(&folder.join(SECRET), &text, 0o600)?;
    // Two that begin at once have one key: the first one's.
    let key = if made { key } else { secret()? };
    pin(&folder, &key)?;
    Ok((key, made))
}

fn pin(folder: &Path, key: &SecretKey) -> Result<(), Failure> {
    if pinned()?.contains(&key.public()) {
        return Ok(());
    }
    if put_new(&folder.join(PUBLIC), &key.public().encode(), 0o644)? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Constitution,
        format!("{} is not the public key of {}", folder.join(PUBLIC).display(), folder.join(SECRET).display()),
    )
    .hint("one of the two was replaced: find out which is yours, and put its other half back"))
}

fn own_folder() -> Result<PathBuf, Failure> {
    folder().ok_or_else(|| {
        Failure::new(Exit::Constitution, "there is no home folder, so nowhere to keep keys")
            .hint("set HOME, or name a folder in `MELIORA_KEYS`")
    })
}

fn existing(path: &Path) -> Result<Option<SecretKey>, Failure> {
    let bad = |why: String, hint: String| {
        Failure::new(Exit::Constitution, format!("the secret key {}: {why}", path.display())).hint(hint)
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(bad(e.to_string(), "it must be readable, by you alone".into())),
    };
    let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(bad("others can read it".into(), format!("`chmod 600 {}`", path.display())));
    }
    let password = std::env::var("MELIORA_KEY_PASSWORD").ok();
    let hint = || "a key with a password needs `MELIORA_KEY_PASSWORD`".to_owned();
    SecretKey::decode(&text, password.as_deref()).map(Some).map_err(|e| bad(e.to_string(), hint()))
}

/// Fails if one of these paths would show the secret key to what runs in a cage.
pub fn stay_out<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    let Some(folder) = folder().and_then(|folder| folder.canonicalize().ok()) else { return Ok(()) };
    match paths.into_iter().find(|path| folder.starts_with(path) || path.starts_with(&folder)) {
        None => Ok(()),
        Some(path) => {
            Err(Failure::new(Exit::Configuration, format!("{} would show your keys to a cage", path.display()))
                .hint(format!("keys lie in {}; show the cage a folder of its own", folder.display())))
        }
    }
}

/// What the constitution of a project is held against.
pub fn trust(project: &Path, now: Timestamp) -> Result<Trust, Failure> {
    let Some(folder) = folder() else { return Ok(Trust { now, ..Trust::default() }) };
    if real(&folder).starts_with(project) && project.join(LAW).exists() {
        return Err(Failure::new(
            Exit::Constitution,
            format!("the keys' folder {} lies in the project that they protect", folder.display()),
        )
        .hint("name a folder outside of it in `MELIORA_KEYS`"));
    }
    let mut newest: Option<Seen> = None;
    for path in notes(&folder, project) {
        let Some(note) = read_note(&path)? else { continue };
        let at = newest.as_ref().map_or(note.seen.at, |held| held.at.max(note.seen.at));
        if newest.as_ref().is_none_or(|held| (held.version, held.signed) < (note.seen.version, note.seen.signed)) {
            newest = Some(note.seen);
        }
        if let Some(held) = &mut newest {
            held.at = at;
        }
    }
    // A copy that was signed anew goes by its new name; where it lies tells which.
    let project = read_note(&note(&folder, project))?.and_then(|note| note.id);
    Ok(Trust { keys: pinned()?, seen: newest, project, now })
}

/// What is remembered of a project's constitution.
#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    seen: Seen,
    /// Where the project lay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<PathBuf>,
    /// What it is called in signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// The names that a project goes by wherever it lies: the one in its constitution's signature, and the one in its own
/// folder, for when the constitution is gone.
fn ids(project: &Path) -> Vec<String> {
    let mut ids: Vec<String> = signed_id(project).into_iter().collect();
    let own = std::fs::read_to_string(project.join(STATE).join(ID)).unwrap_or_default();
    let own = own.trim().to_owned();
    if own.len() == 32 && own.bytes().all(|b| b.is_ascii_hexdigit()) && !ids.contains(&own) {
        ids.push(own);
    }
    ids
}

fn signed_id(project: &Path) -> Option<String> {
    project_of(&std::fs::read_to_string(signature_of(&project.join(LAW))).ok()?)
}

/// The name that a constitution is to be signed for: the project's own, or a new one where it has none, or is a copy of
/// one that still lies where it was.
pub fn id_to_sign(project: &Path) -> Result<String, Failure> {
    let known = own_folder()?;
    for id in ids(project) {
        let elsewhere = read_note(&note_of(&known, &id))?.and_then(|note| note.place).filter(|place| place != project);
        let copied = elsewhere.is_some_and(|place| ids(&place).contains(&id));
        if !copied {
            return Ok(id);
        }
    }
    Ok(crate::project::nonce().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where a path leads, also one that is not there yet: links and `..` of what is there are followed.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| above.canonicalize().ok().map(|real| (real, above)));
    match there {
        Some((real, above)) => real.join(path.strip_prefix(above).unwrap_or(Path::new(""))),
        None => path,
    }
}

/// Writes what the project is called in signatures into its own folder of state, where there is one, for when the
/// constitution itself is gone. Returns the name.
pub fn named_in_its_folder(project: &Path) -> Result<Option<String>, Failure> {
    let id = signed_id(project);
    let own = project.join(STATE).join(ID);
    if let Some(id) = &id
        && project.join(STATE).is_dir()
        && std::fs::read_to_string(&own).ok().as_deref() != Some(id.as_str())
    {
        replace(&own, id.as_bytes()).map_err(|e| {
            Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", own.display())).hint(
                "without it the project would not be known again where it is moved and its constitution taken away; see \
                 that the folder may be written",
            )
        })?;
    }
    Ok(id)
}

/// Remembers what governs a project, so that nothing older will.
pub fn remember(project: &Path, before: Option<&Seen>, now: &Seen) -> Result<(), Failure> {
    let id = named_in_its_folder(project)?;
    // That time went by is worth a note each hour, not each command.
    let same =
        before.is_some_and(|before| Seen { at: now.at, ..before.clone() } == *now && now.at.0 < before.at.0 + HOUR);
    let folder = own_folder()?;
    // Where it lies now tells a copy of it from the project itself.
    let lies = |path: &Path| matches!(read_note(path), Ok(Some(note)) if note.place.as_deref() == Some(project) && note.id == id);
    if same && lies(&note(&folder, project)) && id.as_ref().is_none_or(|id| lies(&note_of(&folder, id))) {
        return Ok(());
    }
    let text = serde_json::to_string(&Note { seen: now.clone(), place: Some(project.to_owned()), id: id.clone() })
        .unwrap_or_default();
    for path in [Some(note(&folder, project)), id.as_ref().map(|id| note_of(&folder, id))].into_iter().flatten() {
        let failed = |e: std::io::Error| {
            Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", path.display())).hint(
                "without it an older constitution could be put in place unseen; `MELIORA_KEYS` names another folder",
            )
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        replace(&path, text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

const HOUR: u64 = 3_600_000;

fn read_note(path: &Path) -> Result<Option<Note>, Failure> {
    let bad = |why: String| {
        Failure::new(Exit::Constitution, format!("what is known of this project's constitution cannot be read: {why}"))
            .hint(format!("look at the constitution; if it is the newest, remove {}", path.display()))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| bad(e.to_string())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(bad(e.to_string())),
    }
}

/// The file that remembers a project by its name, wherever it lies.
fn note_of(folder: &Path, id: &str) -> PathBuf {
    folder.join("seen").join(format!("{id}.json"))
}

/// The files that remember a project: by the place where it lies, and by its names, as it may have been moved here, with an
/// older constitution.
pub fn notes(folder: &Path, project: &Path) -> Vec<PathBuf> {
    let mut notes = vec![note(folder, project)];
    notes.extend(ids(project).iter().map(|id| note_of(folder, id)));
    notes
}

fn note(folder: &Path, project: &Path) -> PathBuf {
    let name = project.file_name().map_or("project".into(), |name| name.to_string_lossy().into_owned());
    let place = Digest::of([b"project".as_slice(), project.as_os_str().as_encoded_bytes()]);
    folder.join("seen").join(format!("{name}-{}.json", place.short()))
}

/// Writes a file that must not be there yet; `false` if it is. It is never there in part.
fn put_new(path: &Path, text: &str, mode: u32) -> Result<bool, Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", path.display()))
            .hint("`MELIORA_KEYS` names another folder for keys")
    };
    let beside = beside(path);
    write(&beside, text.as_bytes(), mode).map_err(failed)?;
    let linked = std::fs::hard_link(&beside, path);
    let _ = std::fs::remove_file(&beside);
    match linked {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(failed(e)),
    }
}

/// Replaces a file wholly or not at all.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mode = std::fs::metadata(path).map_or(0o644, |meta| meta.permissions().mode() & 0o777);
    let beside = beside(path);
    write(&beside, bytes, mode)?;
    std::fs::rename(&beside, path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    PathBuf::from(name)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
