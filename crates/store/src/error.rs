//! Errors of SQLite, git and the system as [`ArchiveError`]: what was tried, why it failed, how to mend it.

use std::fmt::Display;

use meliora_evolve::ArchiveError;

const CORRUPT: &str = "stop all Meliora processes and copy the folder aside; `git clone .meliora/archive.git` saves the \
                       variants and `sqlite3 journal.db .recover` saves the events that can still be read";

/// A failure with its hint.
pub(crate) fn failed(what: impl Into<String>, cause: impl Display, hint: impl Into<String>) -> ArchiveError {
    ArchiveError::Failed { what: what.into(), cause: cause.to_string(), hint: Some(hint.into()) }
}

/// What SQLite says.
pub(crate) fn sqlite(what: &str, error: rusqlite::Error) -> ArchiveError {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::DiskFull) => ArchiveError::Full(what.to_owned()),
        Some(Code::DatabaseCorrupt) => failed(what, "the database file is damaged", CORRUPT),
        Some(Code::NotADatabase) => failed(
            what,
            "the file is not a SQLite database, or its beginning is damaged",
            format!("if it belongs to something else, move it away; otherwise {CORRUPT}"),
        ),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            failed(what, "another process is writing to it", "wait for it to end, then try again")
        }
        Some(Code::ReadOnly | Code::PermissionDenied | Code::CannotOpen) => {
            failed(what, error, "check who owns the .meliora folder and whether it may be written")
        }
        _ => ArchiveError::Failed { what: what.to_owned(), cause: error.to_string(), hint: None },
    }
}

/// What libgit2 says. It has no code for a full disk, only the system's own words.
pub(crate) fn git(what: &str, error: git2::Error) -> ArchiveError {
    let cause = error.message();
    if cause.contains("No space left on device") || cause.contains("Disk quota exceeded") {
        return ArchiveError::Full(what.to_owned());
    }
    match error.code() {
        git2::ErrorCode::Owner => failed(
            what,
            cause,
            "the folder belongs to another user; run as that user, or add it to git's `safe.directory` setting",
        ),
        _ => failed(what, cause, "`git --git-dir=.meliora/archive.git fsck` tells whether the repository is sound"),
    }
}

/// What the system says of a file of ours.
pub(crate) fn io(what: &str, error: &std::io::Error) -> ArchiveError {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        return ArchiveError::Full(what.to_owned());
    }
    failed(what, error, "check that the .meliora folder exists and may be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_as_such_whoever_notices_it() {
        let full = std::io::Error::from_raw_os_error(28);
        let said_by_git = git2::Error::from_str(&format!("failed to write: {}", "No space left on device"));
        assert!(matches!(io("x", &full), ArchiveError::Full(_)));
        assert!(matches!(git("x", said_by_git), ArchiveError::Full(_)));
        assert!(matches!(git("x", git2::Error::from_str("bad object")), ArchiveError::Failed { .. }));
    }
}
