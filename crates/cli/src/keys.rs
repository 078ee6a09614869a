//! Where keys lie: outside of every project, so that nothing which changes projects can reach them.

use std::path::PathBuf;

use meliora_constitution::key::{PublicKey, SecretKey};

use crate::exit::Exit;
use crate::failure::Failure;

/// The folder of the keys: `MELIORA_KEYS`, or `meliora/keys` in the user's folder of settings.
pub fn folder() -> Option<PathBuf> {
    let set = std::env::var_os("MELIORA_KEYS").map(PathBuf::from);
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    set.or_else(|| base.map(|base| base.join("meliora/keys")))
}

/// The public keys that are pinned on this machine; none where there is no such folder.
pub fn pinned() -> Result<Vec<PublicKey>, Failure> {
    let Some(entries) = folder().and_then(|folder| std::fs::read_dir(folder).ok()) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "pub"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let bad = |why: String| Failure::new(Exit::Constitution, format!("the key {}: {why}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
            PublicKey::decode(&text).map_err(|e| bad(e.to_string()))
        })
        .collect()
}

/// The person's secret key. Who has none is told so: a cage has none, and neither has who proposes.
pub fn secret() -> Result<SecretKey, Failure> {
    let path = folder().map(|folder| folder.join("meliora.key"));
    let none = |what: String| {
        Failure::new(Exit::Constitution, what).hint(
            "a person's word is signed with a person's key; `meliora constitution sign` makes one where there is none. \
             In a cage, and for what proposes, there is none on purpose",
        )
    };
    let path = path.ok_or_else(|| none("there is no home folder to look for the secret key in".into()))?;
    let text = std::fs::read_to_string(&path)
        .map_err(|e| none(format!("the secret key {} cannot be read: {e}", path.display())))?;
    let password = std::env::var("MELIORA_KEY_PASSWORD").ok();
    SecretKey::decode(&text, password.as_deref()).map_err(|e| none(format!("the secret key {}: {e}", path.display())))
}
