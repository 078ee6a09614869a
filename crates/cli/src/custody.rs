//! Who vouches for a project's journal: this machine's key, and where the journal and its checkpoints lie.
//!
//! Key and checkpoints are kept in the user's folder of state, outside of every project and every database: whoever can change
//! a journal cannot change these with it. The key is the machine's own and no person's: it can sign nothing but checkpoints.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use meliora_constitution::key::{PublicKey, SecretKey};
use meliora_store::{Address, Audit, Book, Checkpoint, GitArchive, Report, Seal, Sign, Witness};

use crate::config::Store;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::project::{STATE, now};

/// Name of the machine's secret key.
const SECRET: &str = "machine.key";
/// Name of its public key.
const PUBLIC: &str = "machine.pub";

/// Where a project's journal lies.
pub struct Place {
    state: PathBuf,
    address: Option<Address>,
    checkpoints: Option<PathBuf>,
}

impl Place {
    /// The place that the settings name; `dir` is the project's folder, absolute.
    pub fn of(dir: &Path, store: &Store) -> Result<Place, Failure> {
        let url = store.url.as_deref().filter(|url| !url.is_empty());
        if store.checkpoints.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return Err(Failure::new(Exit::Configuration, "[store] checkpoints names no folder")
                .hint("leave it out for the user's folder of state"));
        }
        Ok(Place {
            state: dir.join(STATE),
            address: url.map(Address::parse).transpose()?.map(|address| match meliora_sandbox::starter_name() {
                // In a user namespace of its own this program is called root.
                Some(name) => address.or_user(name),
                None => address,
            }),
            checkpoints: store.checkpoints.as_ref().map(|folder| dir.join(folder)),
        })
    }

    /// The database, where the journal is in one.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// The name under which checkpoints know the journal.
    pub fn origin(&self) -> String {
        match &self.address {
            Some(address) => address.origin().to_owned(),
            None => self.state.join("journal.db").display().to_string().replace(['\n', '\r'], " "),
        }
    }

    /// The same place in another database.
    pub fn moved(&self, address: Address) -> Place {
        Place { state: self.state.clone(), address: Some(address), checkpoints: self.checkpoints.clone() }
    }

    /// The journal's checkpoints.
    pub fn book(&self) -> Result<Book, Failure> {
        self.book_of(&self.origin())
    }

    /// The checkpoints of any journal that this machine has vouched for.
    pub fn book_of(&self, origin: &str) -> Result<Book, Failure> {
        let folder = match &self.checkpoints {
            Some(folder) => folder.clone(),
            None => folder()?.join("checkpoints"),
        };
        Ok(Book::of(&folder, origin))
    }

    /// The journal's checkpoints, to be written to: outside of the project that they vouch for.
    fn book_to_write(&self) -> Result<Book, Failure> {
        let book = self.book()?;
        let folder = plain(book.path());
        match self.state.parent().filter(|project| folder.starts_with(project)) {
            None => Ok(book),
            Some(project) => Err(Failure::new(
                Exit::Configuration,
                format!("the checkpoints would lie in the project that they vouch for, {}", project.display()),
            )
            .hint("`[store] checkpoints` names a folder outside of it, XDG_STATE_HOME one for all projects")),
        }
    }

    /// Whether there is a journal to read.
    pub fn begun(&self) -> bool {
        let own = if self.address.is_some() { "archive.git" } else { "journal.db" };
        self.state.join(own).exists()
    }

    /// The archive for looking only, which nothing vouches for while it is open.
    pub fn read(&self) -> Result<GitArchive, Failure> {
        let archive = match &self.address {
            Some(address) => GitArchive::open_on_readonly(&self.state, address)?,
            None => GitArchive::open_readonly(&self.state)?,
        };
        let known = machine()?;
        let check = move |id: &str, text: &[u8], signature: &str| match &known {
            Some(key) => check(key, id, text, signature),
            None => Err("this machine has no key".to_owned()),
        };
        Ok(archive.sealed(Seal::new(&self.origin(), "", None, Box::new(check))))
    }

    /// The archive, made if it does not exist. Checkpoints of it are signed from now on.
    pub fn write(&self) -> Result<GitArchive, Failure> {
        self.watched(match &self.address {
            Some(address) => GitArchive::open_on(&self.state, address)?,
            None => GitArchive::open(&self.state)?,
        })
    }

    /// Makes checkpoints of the same journal in another place those of this one, if it has none yet. They have been verified.
    pub fn take_over(&self, checkpoints: Vec<Checkpoint>) -> Result<(), Failure> {
        let book = self.book_to_write()?;
        if !book.read()?.is_empty() {
            return Ok(());
        }
        let key = machine_key()?;
        let id = key.id();
        Ok(book.take_over(checkpoints, &self.origin(), &id, &signer(key))?)
    }

    /// The archive with this machine as its witness.
    pub fn watched(&self, archive: GitArchive) -> Result<GitArchive, Failure> {
        let book = self.book_to_write()?;
        let key = machine_key()?;
        let (known, id) = (key.public(), key.id());
        let sealer = known.clone();
        let seals = Box::new(move |id: &str, text: &[u8], signature: &str| check(&sealer, id, text, signature));
        let seal = Seal::new(&self.origin(), &id, Some(signer(machine_key()?)), seals);
        let witness = Witness::new(&self.origin(), book, &id, signer(key));
        let archive = archive.sealed(seal);
        let archive = archive.witnessed(witness, &|id, text, signature| check(&known, id, text, signature), now());
        archive.map_err(|e| {
            let failure = Failure::from(e);
            if failure.hint.is_some() {
                return failure;
            }
            failure.hint("`meliora audit verify` tells what does not fit")
        })
    }
}

/// Signs checkpoints with this key.
fn signer(key: SecretKey) -> Sign {
    Box::new(move |text| key.sign(text, "checkpoint").map_err(|e| e.to_string()))
}

/// The path without `.` and `..`, and without links as far as it exists.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
        out = out.canonicalize().unwrap_or(out);
    }
    out
}

/// Whether this key signed; says why not.
pub fn check(key: &PublicKey, id: &str, text: &[u8], signature: &str) -> Result<(), String> {
    if id != key.id() {
        return Err(format!("it is signed with the key {id}, and this machine's is {}", key.id()));
    }
    key.verify(text, signature).map_err(|e| e.to_string())
}

/// The journal held against itself and its checkpoints, from its first event on.
pub fn audited(place: &Place) -> Result<Report, Failure> {
    let key = machine()?;
    let check = |id: &str, text: &[u8], signature: &str| match &key {
        Some(key) => check(key, id, text, signature),
        None => Err("the machine's key is gone".to_owned()),
    };
    let mut audit = Audit::new(place.book()?.read()?, &check);
    place.read()?.audit(&mut audit)?;
    Ok(audit.finish())
}

/// The user's folder of state.
pub fn folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("meliora")).ok_or_else(|| {
        Failure::new(Exit::Configuration, "there is no home folder, so nowhere to keep checkpoints of the journal")
            .hint("set HOME or XDG_STATE_HOME")
    })
}

/// The machine's public key; `None` as long as it has vouched for nothing.
pub fn machine() -> Result<Option<PublicKey>, Failure> {
    let path = folder()?.join(PUBLIC);
    match std::fs::read_to_string(&path) {
        Ok(text) => public(&path, &text).map(Some),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unusable(&path, e)),
    }
}

/// Reads a public key that somebody named.
pub fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unusable(path, e))?;
    public(path, &text)
}

fn public(path: &Path, text: &str) -> Result<PublicKey, Failure> {
    PublicKey::decode(text).map_err(|e| unusable(path, e))
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Configuration, format!("the key {} cannot be used: {why}", path.display()))
        .hint("put back a copy of it; without it checkpoints that it signed prove nothing")
}

/// The machine's key, made if there is none.
fn machine_key() -> Result<SecretKey, Failure> {
    let folder = folder()?;
    let path = folder.join(SECRET);
    if !path.exists() {
        let failed = |why: String| {
            Failure::new(Exit::Machinery, format!("the machine's key cannot be made in {}: {why}", folder.display()))
                .hint("checkpoints of the journal are signed with it; XDG_STATE_HOME names another folder")
        };
        std::fs::create_dir_all(&folder).map_err(|e| failed(e.to_string()))?;
        let key = SecretKey::generate().map_err(|e| failed(e.to_string()))?;
        let text = key.encode().map_err(|e| failed(e.to_string()))?;
        put_new(&path, &text, 0o600).map_err(|e| failed(e.to_string()))?;
    }
    let text = std::fs::read_to_string(&path).map_err(|e| unusable(&path, e))?;
    let key = SecretKey::decode(&text, None).map_err(|e| unusable(&path, e))?;
    put_new(&folder.join(PUBLIC), &key.public().encode(), 0o644).map_err(|e| unusable(&path, e))?;
    Ok(key)
}

/// Writes a file wholly, unless it is there already: of several processes that begin at once the first one wins.
fn put_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    match linked {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_never_lie_in_the_project_that_they_vouch_for() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().canonicalize().unwrap().join("project");
        std::fs::create_dir_all(project.join("in")).unwrap();
        std::os::unix::fs::symlink(project.join("in"), dir.path().join("link")).unwrap();
        let book = |folder: &str| {
            let store = Store { url: None, checkpoints: Some(folder.into()) };
            Place::of(&project, &store).unwrap().book_to_write().map(|book| plain(book.path()))
        };
        for inside in ["here", "../project/here", "./in/../in", "../link/x"] {
            assert_eq!(book(inside).unwrap_err().code, Exit::Configuration, "{inside}");
        }
        assert!(book("../beside").unwrap().starts_with(project.parent().unwrap().join("beside")));
    }

    #[test]
    fn a_key_that_is_there_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("machine.key");
        put_new(&path, "one", 0o600).unwrap();
        put_new(&path, "two", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
