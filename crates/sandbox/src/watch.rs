//! How much memory the processes of a cage hold together, seen from outside.
//!
//! The resource limit counts the writable private memory of one process. This counts what it does not: shared memory,
//! and the sum over all processes.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, Mode, OFlags};

/// Bytes of anonymous, shared and swapped memory and page tables of all processes in the cage whose `/proc` this is.
/// A process that ends meanwhile counts nothing; memory that processes share counts for each.
pub(crate) fn resident(proc: &OwnedFd) -> u64 {
    // Opened anew: a descriptor has one position, and another thread may be reading as well.
    let Ok(folder) =
        rustix::fs::openat(proc, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    else {
        return 0;
    };
    let Ok(entries) = Dir::read_from(&folder) else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().ok().filter(|name| *name != "1").map(str::to_owned))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| status(folder.as_fd(), &format!("{name}/status")))
        .map(|status| count(&status))
        .sum()
}

/// What [`resident`] may come to in a cage with this limit. Pages that an interpreter shares with its copies count for each of
/// them, and a process that reaches its own limit is to learn of it before the whole cage is ended.
pub(crate) fn most(limit: u64) -> u64 {
    limit.saturating_add(limit / 4).saturating_add(16 << 20)
}

fn status(folder: rustix::fd::BorrowedFd<'_>, path: &str) -> Option<String> {
    let file = rustix::fs::openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = vec![0; 4096];
    let mut filled = 0;
    while let Ok(read) = rustix::io::read(&file, &mut bytes[filled..]) {
        if read == 0 {
            break;
        }
        filled += read;
    }
    bytes.truncate(filled);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The figures of one `/proc/PID/status`, in bytes (the file's `kB` are KiB; `proc_pid_status(5)`).
fn count(status: &str) -> u64 {
    status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| ["RssAnon", "RssShmem", "VmPTE", "VmSwap"].contains(name))
        .filter_map(|(_, value)| value.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_a_program_made_counts_and_its_files_do_not() {
        let text = "Name:\tRssAnon: 7\nVmRSS:\t 900 kB\nRssAnon:\t 10 kB\nRssFile:\t 500 kB\nRssShmem:\t 3 kB\nVmPTE:\t 2 kB\nVmSwap:\t 1 kB\n";
        assert_eq!(count(text), 16 * 1024);
    }
}
