//! Raw calls that neither `libc` nor `rustix` offers in a form that the child of a clone may use.
//!
//! Nothing here allocates or locks. Nothing here decides.

use std::ffi::CStr;
use std::os::fd::RawFd;

/// An error number of the kernel.
pub(crate) type Errno = i32;

/// `mount_attr` of `linux/mount.h`.
#[repr(C)]
pub(crate) struct MountAttr {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
    pub(crate) user_ns: u64,
}

// linux/mount.h
pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const AT_RECURSIVE: libc::c_int = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;

/// The error number of the call that just failed on this thread.
pub(crate) fn errno() -> Errno {
    // SAFETY: the location is this thread's own and always valid.
    unsafe { *libc::__errno_location() }
}

/// Turns the kernel's `-1` into the error number.
pub(crate) fn check(result: impl Into<i64>) -> Result<i64, Errno> {
    let result = result.into();
    if result < 0 { Err(errno()) } else { Ok(result) }
}

/// Clones the mount tree at an absolute path, submounts included, detached from any place.
pub(crate) fn open_tree(path: &CStr) -> Result<RawFd, Errno> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE as libc::c_uint;
    // SAFETY: the path is a valid C string; the call returns a new descriptor or -1.
    check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) }).map(|fd| fd as RawFd)
}

/// Sets attributes on a detached tree, submounts included, and takes it out of every peer group.
pub(crate) fn harden_tree(tree: RawFd, attributes: u64) -> Result<(), Errno> {
    let attr = MountAttr { set: attributes, clear: 0, propagation: libc::MS_PRIVATE, user_ns: 0 };
    let flags = libc::AT_EMPTY_PATH | AT_RECURSIVE;
    // SAFETY: the structure is the kernel's own layout, its size is given, and it lives through the call.
    check(unsafe {
        libc::syscall(libc::SYS_mount_setattr, tree, c"".as_ptr(), flags, &raw const attr, size_of::<MountAttr>())
    })
    .map(drop)
}

/// Attaches a detached tree at a path relative to the working directory.
pub(crate) fn place_tree(tree: RawFd, target: &CStr) -> Result<(), Errno> {
    // SAFETY: both strings are valid C strings; the descriptor is only read.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree,
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })
    .map(drop)
}

/// The highest Landlock ABI of the running kernel.
pub(crate) fn landlock_abi() -> Result<u32, Errno> {
    // SAFETY: with a null attribute, size 0 and the version flag, the call only returns a number.
    check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, 1u32) })
        .map(|abi| abi as u32)
}

/// Closes every descriptor that is not in `keep`, which is sorted.
pub(crate) fn close_all_but(keep: &[RawFd]) -> Result<(), Errno> {
    let mut first: libc::c_uint = 0;
    for fd in keep {
        let fd = *fd as libc::c_uint;
        if fd > first {
            // SAFETY: closing descriptors of a process that owns nothing but its kept ones breaks no one.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, fd.wrapping_sub(1), 0u32) })?;
        }
        first = fd.wrapping_add(1);
    }
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0u32) }).map(drop)
}

/// Gives every signal its default action.
pub(crate) fn default_signals() {
    // SAFETY: an all-zero action is the default one, without a handler. SIGKILL, SIGSTOP and the two of the C library
    // refuse; they are at their default anyway.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        for signal in 1..=64 {
            libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        }
    }
}

/// Makes 0, 1 and 2 ends of pipes, as a command has them, so that Python makes its streams for pipes.
pub(crate) fn pipes_as_streams() -> Result<(), Errno> {
    // SAFETY: locals of the right size; 0, 1 and 2 are this process's own and hold nothing that is needed.
    unsafe {
        let mut ends: [RawFd; 2] = [-1; 2];
        check(libc::pipe(ends.as_mut_ptr()))?;
        check(libc::dup2(ends[0], 0))?;
        check(libc::dup2(ends[1], 1))?;
        check(libc::dup2(ends[1], 2))?;
        libc::close(ends[0]);
        libc::close(ends[1]);
    }
    Ok(())
}

/// Makes 0, 1 and 2 the null device.
pub(crate) fn quiet_streams() -> Result<(), Errno> {
    // SAFETY: a valid C string; the descriptors are this process's own.
    unsafe {
        let null = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR))? as RawFd;
        for standard in 0..=2 {
            if standard != null {
                check(libc::dup2(null, standard))?;
            }
        }
        if null > 2 {
            libc::close(null);
        }
    }
    Ok(())
}

/// Gives the calling process, which has one thread, mounts of its own that follow the host's.
pub(crate) fn own_mounts() -> Result<(), Errno> {
    let kind = libc::MS_REC | libc::MS_SLAVE;
    // SAFETY: valid C strings, and null where the call reads nothing.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS))?;
        check(libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), kind, std::ptr::null())).map(drop)
    }
}

/// Leaves all groups but the own one, where this process is root and may: with the starter's groups a cage could read
/// what these may read. An ordinary user cannot leave any.
pub(crate) fn leave_groups() -> Result<(), Errno> {
    // SAFETY: numbers, and a list of no groups.
    unsafe {
        if libc::geteuid() != 0 {
            return Ok(());
        }
        match check(libc::setgroups(0, std::ptr::null())) {
            // A user namespace with one id: `user_namespaces(7)`.
            Err(libc::EPERM) if std::fs::read("/proc/self/setgroups").is_ok_and(|word| word.starts_with(b"deny")) => {
                Ok(())
            }
            left => left.map(drop),
        }
    }
}

/// Gives up the capabilities that pass the permissions of files, for good: `CAP_DAC_OVERRIDE`, `CAP_DAC_READ_SEARCH` and
/// `CAP_FOWNER`. A program that root executes has them again.
pub(crate) fn forgo_file_rights() -> Result<(), Errno> {
    // linux/capability.h: two triples of words, of which the first holds these.
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut sets = [0u32; 6];
    // SAFETY: header and sets have the kernel's layout for version 3.
    unsafe {
        check(libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()))?;
        for set in sets.iter_mut().take(3) {
            *set &= !0b1110;
        }
        check(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr())).map(drop)
    }
}
