//! How an ordinary user gets a user of the host for each cage: this program goes on in a user namespace that has the
//! ids which `/etc/subuid` and `/etc/subgid` give that user.
//!
//! In it the starter is called root, and what belongs to the starter stays so: files made there are the starter's own
//! outside. Rootless Podman does the same. Writing such a map takes the two programs of the `uidmap` package.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use meliora_evolve::SandboxError;
use rustix::thread::LinkNameSpaceType;

use crate::init;
use crate::plan::failed;
use crate::sys;

/// Fewest ids that are worth it: [`crate::identity`] takes the upper half.
const FEWEST: u32 = 128;

/// A variable that says what cages are to be: `starter` asks for the starting user, `own` refuses to go on with less than
/// a user for each.
const CAGE_USER: &str = "MELIORA_CAGE_USER";

/// Who started, for the program that begun anew: user, group and name, with colons between them.
const STARTER: &str = "MELIORA_STARTER";

/// Where distributions keep the programs that write maps.
const HELPERS: &str = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin";

/// The user who started.
struct Starter {
    uid: u32,
    gid: u32,
    name: String,
}

/// Known once this program has begun anew.
static STARTED: OnceLock<Starter> = OnceLock::new();

/// Why this process has no range.
static MISSING: OnceLock<String> = OnceLock::new();

/// Has an ordinary user's program begin anew, with the ids that `/etc/subuid` and `/etc/subgid` give that user, so that
/// each cage can have its own. Does nothing for root, where it has happened already, and where there are no such ids;
/// then [`Namespaces`](crate::Namespaces) says so in its description. To be called before there is a second thread or
/// anything was done. `variable` reads the environment: `MELIORA_CAGE_USER` as `starter` keeps it from that, and as `own` makes it an error if
/// there are none.
///
/// # Errors
/// If there are no ids and `own` was asked for, or the program cannot begin anew after it has left its user namespace.
pub fn take_ranges(variable: impl Fn(&str) -> Option<String>) -> Result<(), SandboxError> {
    if rustix::process::geteuid().is_root() {
        return match variable(STARTER).as_deref().and_then(Starter::told) {
            Some(starter) => {
                STARTED.set(starter).ok();
                settle_in()
            }
            None => Ok(()),
        };
    }
    let asked = variable(CAGE_USER).unwrap_or_default();
    let why = match asked.as_str() {
        "starter" => format!("{CAGE_USER}=starter asks for it"),
        _ => match prepare() {
            Ok((holder, name)) => return enter(holder, name.as_deref()).map(|never| match never {}),
            Err(why) => why,
        },
    };
    if asked == "own" {
        let hint = Some(format!("see docs/sandbox.md; without {CAGE_USER} cages are the starting user"));
        return Err(SandboxError { hint, ..failed("a user for each cage", why) });
    }
    // Only the first reason counts.
    MISSING.set(why).ok();
    Ok(())
}

/// Why cages are the starting user.
pub(crate) fn missing() -> &'static str {
    let none =
        if rustix::process::geteuid().is_root() { "root has no other ids here" } else { "no others were asked for" };
    MISSING.get().map_or(none, String::as_str)
}

/// The user and group who started, as the host knows them, where this program has begun anew for their ranges.
pub(crate) fn starter() -> Option<(u32, u32)> {
    STARTED.get().map(|starter| (starter.uid, starter.gid))
}

/// What the user who started is called, where this program has begun anew and is itself called root.
pub fn starter_name() -> Option<&'static str> {
    STARTED.get().map(|starter| starter.name.as_str()).filter(|name| !name.is_empty())
}

impl Starter {
    /// Reads [`STARTER`]; whoever sets it by hand changes nothing.
    fn told(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (uid, gid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let name = parts.next()?.to_owned();
        (numbers("/proc/self/uid_map").first()? == &[0, uid, 1]).then_some(Starter { uid, gid, name })
    }
}

/// Whether this process is root of the machine, or of a container, and no ordinary user who is only called so.
pub(crate) fn real_root() -> bool {
    rustix::process::geteuid().is_root() && starter().is_none()
}

/// The first steps of the program that has begun anew: it is called by its name, and goes on to keep to the permissions
/// of its user's files, which root of a namespace would pass.
fn settle_in() -> Result<(), SandboxError> {
    if let Some(name) = std::env::args_os().next()
        && let Some(name) = std::path::Path::new(&name).file_name()
        && let Ok(name) = CString::new(name.as_encoded_bytes())
    {
        // Only what lists of processes show.
        rustix::thread::set_name(&name).ok();
    }
    sys::forgo_file_rights().map_err(|errno| crate::plan::os_failed("rights over files", errno))
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

/// A namespace with the ranges in it, and the name of the user. Until it is entered nothing has happened.
fn prepare() -> Result<(Holder, Option<String>), String> {
    // SAFETY: a number. Without it, with the signal ignored by whoever started us, children could not be waited for.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let name = user_name(uid);
    let range = |file: &str| {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        largest(&text, name.as_deref(), uid).ok_or_else(|| format!("{file} gives this user no {FEWEST} ids"))
    };
    let (uids, gids) = (range("/etc/subuid")?, range("/etc/subgid")?);

    let holder = hold()?;
    for (program, kind, own, (first, count)) in [("newuidmap", "uid", uid, uids), ("newgidmap", "gid", gid, gids)] {
        let map = [[0, own, 1], [1, first, count]];
        let words = map.iter().flatten().map(u32::to_string);
        let ran = Command::new(program)
            .arg(holder.pid.to_string())
            .args(words)
            .env("PATH", HELPERS)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program} of the package uidmap: {error}"))?;
        if !ran.status.success() || numbers(&format!("/proc/{}/{kind}_map", holder.pid)) != map {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&ran.stderr).trim()));
        }
    }
    Ok((holder, name))
}

/// Goes on in that namespace: this program begins anew, since only the memory of one that was executed there belongs to it.
fn enter(holder: Holder, name: Option<&str>) -> Result<Infallible, SandboxError> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let broken = |cause: String| failed("user namespace with the ids of /etc/subuid", cause);
    let spaces = File::open(format!("/proc/{}/ns/user", holder.pid)).map_err(|error| broken(error.to_string()))?;
    rustix::thread::move_into_link_name_space(spaces.as_fd(), Some(LinkNameSpaceType::User))
        .map_err(|errno| broken(errno.to_string()))?;
    drop(holder);
    // Mounts of its own, so that Podman can make some. Those of the host go on to appear here.
    sys::own_mounts().map_err(|errno| crate::plan::os_failed("mount namespace", errno))?;
    let mut arguments = std::env::args_os();
    let mut again = Command::new("/proc/self/exe");
    again.arg0(arguments.next().unwrap_or_default()).args(arguments);
    again.env(STARTER, format!("{}:{}:{}", uid.as_raw(), gid.as_raw(), name.unwrap_or_default()));
    Err(broken(format!("this program cannot be executed again: {}", again.exec())))
}

/// The lines of a map of ids.
fn numbers(file: &str) -> Vec<[u32; 3]> {
    let line = |line: &str| {
        let numbers: Vec<u32> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        numbers.try_into().ok()
    };
    std::fs::read_to_string(file).unwrap_or_default().lines().filter_map(line).collect()
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
