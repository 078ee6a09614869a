//! `meliora checkout`: a variant's files, in a new folder.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use meliora_evolve::{Archive as _, replayed_in_full};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project::{archive_to_read, resolve};

/// Writes the files. The folder must be new or empty, so that nothing is overwritten and no link is followed.
pub fn checkout(id: &str, dest: &Path, dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(dir)?;
    let id = resolve(&archive, &replayed_in_full(&archive)?, id)?;
    let genome = archive.load(&id)?;
    let failed = |path: &Path, e: std::io::Error| {
        Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", path.display()))
    };
    if dest.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Exit::Usage, format!("{} is not empty", dest.display()))
            .hint("name a folder that does not exist yet"));
    }
    std::fs::create_dir_all(dest).map_err(|e| failed(dest, e))?;
    for (path, body) in genome.files() {
        let to = dest.join(path.as_str());
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        }
        let mode = if body.executable() { 0o755 } else { 0o644 };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&to)
            .map_err(|e| failed(&to, e))?;
        file.write_all(body.bytes()).map_err(|e| failed(&to, e))?;
    }
    printer.talk(format!(
        "{} of {} written to {}",
        meliora_domain::counted(genome.files().len(), "file"),
        id.short(),
        dest.display()
    ));
    Ok(Exit::Done)
}
