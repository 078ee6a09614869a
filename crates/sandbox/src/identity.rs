//! Which user of the host a cage's processes are: an own one for each cage where the host may give it, else the
//! user who started Meliora.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use meliora_evolve::SandboxError;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::plan::{CAGE_ID, failed, os_failed};
use crate::ranges;

/// First user id that cages take. Above what distributions hand out to people (to 60,000), to `/etc/subuid` (from
/// 100,000 to 600,100,000) and to systemd's containers (to 1,879,048,191), below 2³¹.
const FIRST: u32 = 1_900_000_000;
const COUNT: u32 = 60_000;

/// What a user namespace calls everybody that it has no id for; nobody's own.
const NOBODY: u32 = 65_534;

/// Users that cages may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pool {
    /// Each cage has its own, from `first` on, which is `outside` beyond this user namespace.
    Own { first: u32, count: u32, outside: u32 },
    /// All cages are the user who started Meliora.
    Starter { uid: u32, gid: u32 },
}

/// A user that no other cage on this machine has as long as this lives.
pub(crate) struct Lease {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// A name in the kernel's table of abstract sockets: taken once at a time, and free again whatever way its holder
    /// ends.
    _name: Option<OwnedFd>,
}

impl Pool {
    /// What this process may do.
    pub(crate) fn survey() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let starter = Pool::Starter { uid, gid };
        if uid != 0 {
            return starter;
        }
        // Root of a container may have few ids to give, or none but its own.
        let map = |name| std::fs::read_to_string(name).unwrap_or_default();
        let (uids, gids) = (map("/proc/self/uid_map"), map("/proc/self/gid_map"));
        own_range(&uids, &gids).unwrap_or(starter)
    }

    /// The same for what a program beyond this one starts, which knows nothing of ranges that this one has taken.
    pub(crate) fn without_ranges() -> Self {
        match ranges::starter() {
            Some((uid, gid)) => Pool::Starter { uid, gid },
            None => Pool::survey(),
        }
    }

    pub(crate) fn lease(self) -> Result<Lease, SandboxError> {
        let (first, count, outside) = match self {
            Pool::Starter { uid, gid } => return Ok(Lease { uid, gid, _name: None }),
            Pool::Own { first, count, outside } => (first, count, outside),
        };
        // Processes begin at different places, so that they seldom meet.
        static NEXT: OnceLock<AtomicU32> = OnceLock::new();
        let next = NEXT.get_or_init(|| AtomicU32::new(RandomState::new().build_hasher().finish() as u32));
        for _ in 0..count {
            let place = next.fetch_add(1, Ordering::Relaxed) % count;
            let id = first + place;
            if id == NOBODY {
                continue;
            }
            match take_name(outside + place) {
                Ok(name) => return Ok(Lease { uid: id, gid: id, _name: Some(name) }),
                Err(Errno::ADDRINUSE) => {}
                Err(errno) => return Err(os_failed("user of the cage", errno.raw_os_error())),
            }
        }
        Err(failed("user of the cage", "every user id set aside for cages is in use"))
    }
}

fn take_name(id: u32) -> Result<OwnedFd, Errno> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let name = SocketAddrUnix::new_abstract_name(format!("meliora-cage-{id}").as_bytes())?;
    rustix::net::bind(&socket, &name)?;
    Ok(socket)
}

/// The ids that cages may take under these maps of user and group ids (`user_namespaces(7)`): first inside, first
/// outside, how many.
fn own_range(uids: &str, gids: &str) -> Option<Pool> {
    let ranges = |map: &str| -> Vec<(u32, u32, u32)> {
        map.lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace().map(str::parse::<u32>);
                let (first, outside, count) = (words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?);
                Some((first, first.saturating_add(count), outside))
            })
            .collect()
    };
    let gids = ranges(gids);
    let usable = ranges(uids).into_iter().filter_map(|(low_uid, end, outside)| {
        let (first, end) = gids
            .iter()
            .map(|(low, high, _)| (low_uid.max(*low).max(1), end.min(*high)))
            .filter(|(low, high)| low < high)
            .max_by_key(|(low, high)| high - low)?;
        // The upper half of a small range: its lower ids are more likely to be someone's.
        let (first, count) = match first <= FIRST && FIRST + COUNT <= end {
            true => (FIRST, COUNT),
            false => (end - ((end - first) / 2).min(COUNT), ((end - first) / 2).min(COUNT)),
        };
        (count > 0).then(|| Pool::Own { first, count, outside: outside + (first - low_uid) })
    });
    usable.max_by_key(|pool| match pool {
        Pool::Own { count, .. } => *count,
        Pool::Starter { .. } => 0,
    })
}

impl Lease {
    /// Writes the identity map of a process that was just cloned into its own user namespace.
    pub(crate) fn grant(&self, pid: i32) -> Result<(), SandboxError> {
        let write = |file: &str, text: String| {
            std::fs::write(format!("/proc/{pid}/{file}"), text).map_err(|error| SandboxError {
                what: "user namespace".to_owned(),
                cause: format!("cannot write {file}: {error}"),
                hint: Some(
                    "the right to use user namespaces is restricted, often by AppArmor \
                     (kernel.apparmor_restrict_unprivileged_userns) or by the container's own settings"
                        .to_owned(),
                ),
            })
        };
        write("setgroups", "deny".to_owned())?;
        write("gid_map", format!("{CAGE_ID} {} 1", self.gid))?;
        write("uid_map", format!("{CAGE_ID} {} 1", self.uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_lent_to_one_cage_at_a_time() {
        let pool = Pool::Own { first: FIRST + COUNT, count: 2, outside: FIRST + COUNT };
        let one = pool.lease().unwrap();
        let two = pool.lease().unwrap();
        assert_ne!(one.uid, two.uid);
        assert!(pool.lease().is_err());
        drop(one);
        assert!(pool.lease().is_ok());
    }

    #[test]
    fn a_container_gives_what_it_has_and_never_root() {
        let whole = "0 0 4294967295\n";
        assert_eq!(own_range(whole, whole), Some(Pool::Own { first: FIRST, count: COUNT, outside: FIRST }));
        let container = "         0     100000      65536\n";
        assert_eq!(
            own_range(container, container),
            Some(Pool::Own { first: 65536 - 32767, count: 32767, outside: 165_536 - 32767 })
        );
        assert_eq!(own_range("0 1000 1\n", "0 1000 1\n"), None);
        assert_eq!(own_range("", ""), None);
    }
}
