//! PID 1 of a container: this very program, executed there by a hidden first argument. It asks the host over a socket
//! what to be, closes the cage around itself, and from then on is what PID 1 of every cage is.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::init;
use crate::plan::Plan;
use crate::zygote::{contents, decode, receive};

/// The first argument; no command is called so.
pub(super) const ASKED: &str = "__contained";

/// Is PID 1 of a container, and does not return, if this process was started for that.
pub(crate) fn contain_if_asked(arguments: &[OsString]) {
    if arguments.get(1).and_then(|word| word.to_str()) != Some(ASKED) {
        return;
    }
    if let Some(socket) = arguments.get(2) {
        begin(socket);
    }
    init::leave(1)
}

/// Returns only if there is nothing to be.
fn begin(socket: &OsString) -> Option<()> {
    let control =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).ok()?;
    let host = SocketAddrUnix::new(socket).ok()?;
    rustix::net::connect(&control, &host).ok()?;
    let mut abi = [0; 4];
    let (4, fds) = receive(control.as_fd(), &mut abi).ok()? else { return None };
    let text: OwnedFd = fds.into_iter().next()?;
    let spec = decode(&contents(&text.into()).ok()?)?;
    // Clear of 0, 1 and 2, which PID 1 makes its own.
    let control = rustix::io::fcntl_dupfd_cloexec(&control, 3).ok()?;
    let plan = Plan::within(u32::from_ne_bytes(abi), &spec, control.as_raw_fd()).ok()?;
    init::live_within(&plan)
}
