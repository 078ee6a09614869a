//! How an ordinary user gets a user of the host for each cage: this program goes on in a user namespace that has the
//! ids which `/etc/subuid` and `/etc/subgid` give that user.
//!
//! In it the starter is called root, and what belongs to the starter stays so: files made there are the starter's own
//! outside. Rootless Podman does the same. Writing such a map takes the two programs of the `uidmap` package.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::thread::LinkNameSpaceType;

use crate::init;
use crate::sys;

/// Fewest ids that are worth it: [`crate::identity`] takes the upper half.
const FEWEST: u32 = 128;

/// A variable that, as `starter`, asks for cages of the starting user.
const CAGE_USER: &str = "MELIORA_CAGE_USER";

/// Why this process has no range.
static MISSING: OnceLock<String> = OnceLock::new();

/// Has an ordinary user's program begin anew, with the ids that `/etc/subuid` and `/etc/subgid` give that user, so that
/// each cage can have its own. Does nothing for root, where it has happened already, and where there are no such ids;
/// then [`Namespaces`](crate::Namespaces) says so in its description. To be called before there is a second thread or
/// anything was done, for the program begins once more. `MELIORA_CAGE_USER=starter` keeps it from that.
pub fn take_ranges() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let why = match std::env::var(CAGE_USER).as_deref() {
        Ok("starter") => format!("{CAGE_USER}=starter asks for it"),
        _ => {
            let Err(why) = enter();
            why
        }
    };
    // Only the first reason counts.
    MISSING.set(why).ok();
}

/// Why cages are the starting user.
pub(crate) fn missing() -> &'static str {
    MISSING.get().map_or("this program asks for no others", String::as_str)
}

/// The process that holds the namespace while it is made. It ends with this value.
struct Holder {
    pid: libc::pid_t,
    _line: OwnedFd,
}

impl Drop for Holder {
    fn drop(&mut self) {
        init::kill(self.pid, libc::SIGKILL);
        // SAFETY: collects a child of ours; a null status is allowed.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

fn enter() -> Result<std::convert::Infallible, String> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let name = user_name(uid);
    let range = |file: &str| {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        largest(&text, name.as_deref(), uid).ok_or_else(|| format!("{file} gives this user no {FEWEST} ids"))
    };
    let (uids, gids) = (range("/etc/subuid")?, range("/etc/subgid")?);

    let holder = hold()?;
    for (program, own, (first, count)) in [("newuidmap", uid, uids), ("newgidmap", gid, gids)] {
        let map = [holder.pid as u32, 0, own, 1, 1, first, count].map(|number| number.to_string());
        let ran = Command::new(program).args(map).stdin(Stdio::null()).output();
        let ran = ran.map_err(|error| format!("{program} of the package uidmap: {error}"))?;
        if !ran.status.success() {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&ran.stderr).trim()));
        }
    }
    let spaces = File::open(format!("/proc/{}/ns/user", holder.pid)).map_err(|error| error.to_string())?;
    rustix::thread::move_into_link_name_space(spaces.as_fd(), Some(LinkNameSpaceType::User))
        .map_err(|errno| format!("user namespace: {errno}"))?;
    drop(holder);
    // Mounts of its own, so that Podman can make some. Those of the host go on to appear here.
    sys::own_mounts().map_err(|errno| format!("mount namespace: {}", std::io::Error::from_raw_os_error(errno)))?;

    // Begin anew: only the memory of a program that was executed here belongs to this namespace.
    let mut arguments = std::env::args_os();
    let mut again = Command::new("/proc/self/exe");
    again.arg0(arguments.next().unwrap_or_default()).args(arguments);
    // Rootless Podman is to take this namespace, which is made as it makes its own.
    again.env("_CONTAINERS_USERNS_CONFIGURED", "done");
    again.env("_CONTAINERS_ROOTLESS_UID", uid.to_string()).env("_CONTAINERS_ROOTLESS_GID", gid.to_string());
    Err(format!("this program cannot be executed again: {}", again.exec()))
}

/// A process that waits in a new user namespace.
fn hold() -> Result<Holder, String> {
    let (heard, told) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| errno.to_string())?;
    let (held, line) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| errno.to_string())?;
    // SAFETY: the child makes system calls only.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: numbers, and a byte of ours each way. It reads the end of the file when the other end is gone.
            unsafe {
                libc::close(line.as_raw_fd());
                let made = libc::unshare(libc::CLONE_NEWUSER) == 0;
                let mut byte = 0u8;
                if made && libc::write(told.as_raw_fd(), (&raw const byte).cast(), 1) == 1 {
                    libc::close(told.as_raw_fd());
                    libc::read(held.as_raw_fd(), (&raw mut byte).cast(), 1);
                }
            }
            init::leave(0)
        }
        pid if pid > 0 => {
            let holder = Holder { pid, _line: line };
            drop(told);
            match File::from(heard).read(&mut [0]) {
                Ok(1) => Ok(holder),
                _ => Err("user namespaces are refused".to_owned()),
            }
        }
        _ => Err(std::io::Error::from_raw_os_error(sys::errno()).to_string()),
    }
}

/// What the user is called, as the system's own directory of users says.
fn user_name(uid: u32) -> Option<String> {
    let mut room = vec![0 as libc::c_char; 16_384];
    // SAFETY: an all-zero entry is valid; the call fills it with pointers into `room`, of the given size, and sets
    // `found` to the entry or to null. The name is copied while both live.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        let failed = libc::getpwuid_r(uid, &raw mut entry, room.as_mut_ptr(), room.len(), &raw mut found);
        if failed != 0 || found.is_null() {
            return None;
        }
        std::ffi::CStr::from_ptr(entry.pw_name).to_str().ok().map(str::to_owned)
    }
}

/// The largest range of `subuid(5)` that belongs to the user, who is named or numbered there: first id, how many.
fn largest(text: &str, name: Option<&str>, uid: u32) -> Option<(u32, u32)> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut parts = line.trim().split(':');
            let owner = parts.next().filter(|owner| Some(*owner) == name || *owner == number);
            let (first, count) = owner.and(Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)))?;
            Some((first, count))
        })
        .filter(|(first, count): &(u32, u32)| *first > 0 && *count >= FEWEST && first.checked_add(*count).is_some())
        .max_by_key(|(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_range_of_this_user_is_taken() {
        let text =
            "other:100000:65536\nann:165536:200\n1000:300000:65536\nann:bad:1\nann:0:70000\nann:4294967295:70000\n";
        assert_eq!(largest(text, Some("ann"), 7), Some((165_536, 200)));
        assert_eq!(largest(text, Some("ann"), 1000), Some((300_000, 65_536)));
        assert_eq!(largest("ann:100000:100\n", Some("ann"), 7), None);
        assert_eq!(largest(text, None, 7), None);
    }

    #[test]
    fn a_user_has_a_name() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!(user_name(3_999_999_999), None);
    }
}
