//! Reads a suite's folder: regular files only, bounded in number and size.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::SuiteError;

/// Most bytes of all files of a folder together.
const MAX_BYTES: u64 = 64 << 20;
/// Most files.
const MAX_FILES: usize = 2000;

/// The files of a folder: path relative to it, with `/`, and content.
pub(crate) type Files = BTreeMap<String, Arc<[u8]>>;

/// A clear error.
pub(crate) fn error(what: impl Into<String>, hint: impl Into<String>) -> SuiteError {
    SuiteError { what: what.into(), hint: Some(hint.into()) }
}

/// Reads all regular files, hidden ones, virtual environments and those for which `skip` says so left out.
/// `skip` gets the path relative to the folder.
pub(crate) fn read(folder: &Path, skip: &dyn Fn(&str) -> bool) -> Result<Files, SuiteError> {
    if !folder.is_dir() {
        return Err(error(
            format!("there is no folder '{}'", folder.display()),
            "give the folder that holds the suite",
        ));
    }
    let mut files = Files::new();
    let mut bytes = 0;
    read_into(folder, "", skip, &mut files, &mut bytes)?;
    Ok(files)
}

fn read_into(
    folder: &Path,
    prefix: &str,
    skip: &dyn Fn(&str) -> bool,
    files: &mut Files,
    bytes: &mut u64,
) -> Result<(), SuiteError> {
    let unreadable = |path: &Path, cause: std::io::Error| {
        error(format!("'{}' cannot be read: {cause}", path.display()), "check that the file exists and may be read")
    };
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| unreadable(folder, e))?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(error(format!("'{}' has a name that is not UTF-8", path.display()), "rename the file"));
        };
        let relative = format!("{prefix}{name}");
        if name.starts_with('.') || name == "__pycache__" || skip(&relative) {
            continue;
        }
        let kind = entry.file_type().map_err(|e| unreadable(&path, e))?;
        if kind.is_dir() && path.join("pyvenv.cfg").is_file() {
            // A Python environment beside the suite is a tool, chosen apart from it; it is large and full of links.
            continue;
        } else if kind.is_dir() {
            read_into(&path, &format!("{relative}/"), skip, files, bytes)?;
        } else if kind.is_file() {
            let size = entry.metadata().map_err(|e| unreadable(&path, e))?.len();
            *bytes += size;
            if *bytes > MAX_BYTES || files.len() >= MAX_FILES {
                return Err(error(
                    format!("'{}' holds more than {MAX_FILES} files or {} MiB", folder.display(), MAX_BYTES >> 20),
                    "keep only what the suite needs in its folder",
                ));
            }
            files.insert(relative, std::fs::read(&path).map_err(|e| unreadable(&path, e))?.into());
        } else {
            return Err(error(
                format!("'{}' is neither a regular file nor a folder", path.display()),
                "replace links by the files they lead to",
            ));
        }
    }
    Ok(())
}
