//! Which user of the host a cage's processes are: an own one for each cage where the host may give it, else the
//! user who started Meliora.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use meliora_evolve::SandboxError;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::plan::{CAGE_ID, failed};

/// First user id that cages take. Above what distributions hand out to people (to 60,000), to `/etc/subuid` (from
/// 100,000 to 600,100,000) and to systemd's containers (to 1,879,048,191), below 2³¹.
const FIRST: u32 = 1_900_000_000;
const COUNT: u32 = 60_000;

/// Users that cages may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pool {
    /// Each cage has its own, from `first` on.
    Own { first: u32, count: u32 },
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

    pub(crate) fn lease(self) -> Result<Lease, SandboxError> {
        let (first, count) = match self {
            Pool::Starter { uid, gid } => return Ok(Lease { uid, gid, _name: None }),
            Pool::Own { first, count } => (first, count),
        };
        // Processes begin at different places, so that they seldom meet.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..count {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed);
            let id = first + std::process::id().wrapping_mul(97).wrapping_add(turn) % count;
            if let Some(name) = take_name(id) {
                return Ok(Lease { uid: id, gid: id, _name: Some(name) });
            }
        }
        Err(failed("user of the cage", "every user id set aside for cages is in use"))
    }
}

fn take_name(id: u32) -> Option<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    let name = SocketAddrUnix::new_abstract_name(format!("meliora-cage-{id}").as_bytes()).ok()?;
    rustix::net::bind(&socket, &name).ok()?;
    Some(socket)
}

/// The ids that cages may take under these maps of user and group ids (`user_namespaces(7)`): first inside, first
/// outside, how many.
fn own_range(uids: &str, gids: &str) -> Option<Pool> {
    let ranges = |map: &str| -> Vec<(u32, u32)> {
        map.lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace().map(str::parse::<u32>);
                let (first, _, count) = (words.next()?.ok()?, words.next()?, words.next()?.ok()?);
                Some((first, first.saturating_add(count)))
            })
            .collect()
    };
    let gids = ranges(gids);
    let usable = ranges(uids).into_iter().filter_map(|(first, end)| {
        let (first, end) = gids
            .iter()
            .map(|(low, high)| (first.max(*low).max(1), end.min(*high)))
            .filter(|(low, high)| low < high)
            .max_by_key(|(low, high)| high - low)?;
        if first <= FIRST && FIRST + COUNT <= end {
            return Some((FIRST, COUNT));
        }
        // The upper half of a small range: its lower ids are more likely to be someone's.
        let count = ((end - first) / 2).min(COUNT);
        (count > 0).then(|| (end - count, count))
    });
    usable.max_by_key(|(_, count)| *count).map(|(first, count)| Pool::Own { first, count })
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
        let pool = Pool::Own { first: FIRST + COUNT, count: 2 };
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
        assert_eq!(own_range(whole, whole), Some(Pool::Own { first: FIRST, count: COUNT }));
        let container = "         0     100000      65536\n";
        assert_eq!(own_range(container, container), Some(Pool::Own { first: 65536 - 32767, count: 32767 }));
        assert_eq!(own_range("0 1000 1\n", "0 1000 1\n"), None);
        assert_eq!(own_range("", ""), None);
    }
}
