//! Terminals of a cage, as the host holds them: a pair of the cage's own instance, made by the host, whose other end is a
//! command's standard streams.
//!
//! A terminal carries bytes and a size. What is typed, echoed or interrupted is between the kernel and the cage; the host
//! never makes one its own controlling terminal.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use meliora_evolve::{SandboxError, Terminal};
use rustix::fs::{FileType, Mode, OFlags};

use crate::files::Folders;
use crate::plan::{failed, os_failed};
use crate::sys;

/// What is typed to say that no more comes: Ctrl-D.
pub(crate) const END_OF_INPUT: u8 = 4;

/// Opens a pair of this size: the host's end, which does not block, and the command's.
pub(crate) fn open(folders: &Folders, size: Terminal) -> Result<(OwnedFd, OwnedFd), SandboxError> {
    let Some(terminals) = &folders.terminals else {
        return Err(SandboxError {
            hint: Some("open the cage with `terminals`".to_owned()),
            ..failed("terminal of the command", "the cage was opened without terminals")
        });
    };
    let failure = |errno: i32| os_failed("terminal of the command", errno);
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let ours = folders
        .as_owner(|| rustix::fs::openat(terminals, c"ptmx", flags, Mode::empty()))
        .map_err(|errno| failure(errno.raw_os_error()))?;
    let stat = rustix::fs::fstat(&ours).map_err(|errno| failure(errno.raw_os_error()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice || stat.st_rdev != libc::makedev(5, 2) {
        return Err(failed("terminal of the command", "what lies at its place is none"));
    }
    let unlocked: libc::c_int = 0;
    // SAFETY: the call reads an integer of ours.
    sys::check(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) }).map_err(failure)?;
    resize(&ours, size)?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the call takes a number and returns a new descriptor, which is ours alone.
    let theirs = unsafe {
        let fd = sys::check(libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags)).map_err(failure)?;
        OwnedFd::from_raw_fd(fd as libc::c_int)
    };
    Ok((ours, theirs))
}

/// Gives it another size; the processes in front are told so by the kernel (SIGWINCH).
pub(crate) fn resize(terminal: &OwnedFd, size: Terminal) -> Result<(), SandboxError> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call reads a structure of ours.
    sys::check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
        .map(drop)
        .map_err(|errno| os_failed("size of the terminal", errno))
}
