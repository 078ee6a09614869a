//! Collects dead cages away from whoever dropped them: the kernel takes its time to take a cage apart.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::groups::Lent;
use crate::identity::Lease;
use crate::sys;

/// Cages that may wait to be collected; who drops one more waits.
const WAITING: usize = 16;

/// PID 1 of a cage that was killed, and the user and group that are free again once it is gone.
pub(crate) struct Remains {
    pub(crate) pidfd: OwnedFd,
    pub(crate) lease: Lease,
    /// Its control group, if it has one.
    pub(crate) group: Option<Lent>,
}

/// The thread that collects.
pub(crate) struct Reaper {
    queue: Option<SyncSender<Remains>>,
    thread: Option<JoinHandle<()>>,
}

impl Reaper {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (queue, remains) = sync_channel::<Remains>(WAITING);
        let thread = std::thread::Builder::new().name("cage-reaper".to_owned()).spawn(move || {
            for dead in remains {
                collect(dead);
            }
        })?;
        Ok(Reaper { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands over a cage whose PID 1 was killed.
    pub(crate) fn take(&self, remains: Remains) {
        match &self.queue {
            Some(queue) => {
                if let Err(unsent) = queue.send(remains) {
                    collect(unsent.0);
                }
            }
            None => collect(remains),
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic there would have been ours alone; there is nothing left to collect with.
            thread.join().ok();
        }
    }
}

/// Waits for the end of PID 1, with which everything in its cage has ended, and frees its user.
pub(crate) fn collect(remains: Remains) {
    loop {
        // SAFETY: an all-zero siginfo is valid, and the call writes one. __WALL because the clone asked for no exit
        // signal, so that no `wait` of the host's own ever meets a cage.
        let waited = sys::check(unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let pidfd = remains.pidfd.as_raw_fd() as libc::id_t;
            libc::waitid(libc::P_PIDFD, pidfd, &raw mut info, libc::WEXITED | libc::__WALL)
        });
        if waited != Err(libc::EINTR) {
            break;
        }
    }
    drop(remains);
}
