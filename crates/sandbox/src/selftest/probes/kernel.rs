//! Mounts, namespaces, and calls that reach deep into the kernel.

use super::{Kind, Outcome, Probe, Run, Scene, call, errno, must_be_refused, must_fail};
use crate::sys;

const HERE: usize = libc::AT_FDCWD as usize;

const fn spaces(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Namespaces, Run::Whole, name, attempt)
}

const fn kernel(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Kernel, Run::Whole, name, attempt)
}

fn at(text: &std::ffi::CStr) -> usize {
    text.as_ptr() as usize
}

pub(super) const NAMESPACES: &[Probe] = &[
    spaces("remount /", |_| {
        let flags = (libc::MS_REMOUNT | libc::MS_BIND) as usize;
        must_fail(call(libc::SYS_mount, [0, at(c"/"), 0, flags, 0]))
    }),
    spaces("mount over /tmp", |_| {
        let mounted = call(libc::SYS_mount, [at(c"none"), at(c"/tmp"), at(c"tmpfs"), 0, 0]);
        if mounted.is_ok() {
            call(libc::SYS_umount2, [at(c"/tmp"), libc::MNT_DETACH as usize]).ok();
        }
        must_fail(mounted)
    }),
    spaces("fsopen", |_| must_fail(call(libc::SYS_fsopen, [at(c"tmpfs"), 0]))),
    spaces("open_tree", |_| must_fail(call(libc::SYS_open_tree, [HERE, at(c"/"), 1]))),
    spaces("move_mount", |_| must_be_refused(call(libc::SYS_move_mount, [HERE, 0, HERE, 0, usize::MAX]))),
    spaces("pivot_root", |_| {
        must_be_refused(call(libc::SYS_pivot_root, [at(c"/.meliora-none"), at(c"/.meliora-none")]))
    }),
    spaces("chroot", |_| must_fail(call(libc::SYS_chroot, [at(c"/tmp")]))),
    Probe::new(Kind::Namespaces, Run::Quick, "unshare user", |_| {
        must_fail(call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize]))
    }),
    spaces("unshare user, mount, network", |_| {
        must_fail(call(libc::SYS_unshare, [(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWNET) as usize]))
    }),
    spaces("clone user", |_| child(call(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD) as usize]))),
    // Its flags lie in memory, where a filter cannot read them.
    spaces("clone3 user", |_| {
        // SAFETY: all zero is a valid value of this plain structure.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = libc::CLONE_NEWUSER as u64;
        arguments.exit_signal = libc::SIGCHLD as u64;
        child(call(libc::SYS_clone3, [(&raw const arguments) as usize, size_of::<libc::clone_args>()]))
    }),
    spaces("join PID 1's mounts", |_| join("/proc/1/ns/mnt")),
    spaces("join the own host name", |_| join("/proc/self/ns/uts")),
    spaces("set the host name", |_| must_be_refused(call(libc::SYS_sethostname, [at(c"x"), usize::MAX]))),
];

pub(super) const PROBES: &[Probe] = &[
    kernel("open_by_handle_at", handle),
    kernel("name_to_handle_at", |_| {
        let (mut handle, mut mount) = ([64u32, 0].into_iter().chain([0; 32]).collect::<Vec<u32>>(), 0u32);
        let room = handle.as_mut_ptr() as usize;
        must_fail(call(libc::SYS_name_to_handle_at, [HERE, at(c"/tmp"), room, (&raw mut mount) as usize, 0]))
    }),
    kernel("bpf", |_| {
        // An array of one number: type, key size, value size, entries.
        let attributes = [2u32, 4, 4, 1].into_iter().chain([0; 26]).collect::<Vec<u32>>();
        must_fail(call(libc::SYS_bpf, [0, attributes.as_ptr() as usize, 72]))
    }),
    kernel("perf_event_open", |_| {
        // linux/perf_event.h: type software, size, config cpu clock.
        let mut attributes = [0u32; 28];
        attributes[0] = 1;
        attributes[1] = 112;
        must_fail(call(libc::SYS_perf_event_open, [attributes.as_ptr() as usize, 0, usize::MAX, usize::MAX, 0]))
    }),
    kernel("userfaultfd", |_| must_fail(call(libc::SYS_userfaultfd, [1]))),
    kernel("io_uring", |_| {
        let parameters = [0u8; 120];
        must_fail(call(libc::SYS_io_uring_setup, [1, parameters.as_ptr() as usize]))
    }),
    // The session's keyring, made if need be.
    kernel("keyctl", |_| must_fail(call(libc::SYS_keyctl, [0, -3isize as usize, 1]))),
    // Into the process's own keyring, which goes with it.
    kernel("add_key", |_| {
        must_fail(call(libc::SYS_add_key, [at(c"user"), at(c"meliora-probe"), at(c"x"), 1, -2isize as usize]))
    }),
    kernel("request_key", |_| {
        must_be_refused(call(libc::SYS_request_key, [at(c"user"), at(c"meliora-none"), 0, -2isize as usize]))
    }),
    kernel("kernel log", |_| {
        let mut text = vec![0u8; 4096];
        must_fail(call(libc::SYS_syslog, [3, text.as_mut_ptr() as usize, text.len()]))
    }),
    kernel("init_module", |_| must_be_refused(call(libc::SYS_init_module, [at(c"no module"), 9, at(c"")]))),
    kernel("finit_module", |_| must_be_refused(call(libc::SYS_finit_module, [usize::MAX, at(c""), 0]))),
    kernel("kexec_load", |_| must_be_refused(call(libc::SYS_kexec_load, [0, 0, 0, 0xffff]))),
    // The right magic and a command that there is not: past the guard it is EINVAL, and nothing happens.
    kernel("reboot", |_| {
        must_be_refused(call(libc::SYS_reboot, [0xfee1_dead, libc::LINUX_REBOOT_MAGIC2 as usize, 0x4d4c_4f52, 0]))
    }),
    kernel("switch off address randomness", |_| {
        let wanted = libc::ADDR_NO_RANDOMIZE as i64;
        call(libc::SYS_personality, [wanted as usize]).ok();
        match call(libc::SYS_personality, [0xffff_ffff]) {
            Ok(now) if now & wanted != 0 => Outcome::Open("it is off".to_owned()),
            Ok(_) => Outcome::Closed("it stays on".to_owned()),
            Err(number) => Outcome::Closed(errno(number)),
        }
    }),
    kernel("memfd_secret", |_| must_fail(call(libc::SYS_memfd_secret, [0]))),
    #[cfg(target_arch = "x86_64")]
    kernel("modify_ldt", |_| {
        let mut table = [0u8; 16];
        must_fail(call(libc::SYS_modify_ldt, [0, table.as_mut_ptr() as usize, table.len()]))
    }),
    #[cfg(target_arch = "x86_64")]
    kernel("iopl", |_| must_fail(call(libc::SYS_iopl, [3]))),
    #[cfg(target_arch = "x86_64")]
    kernel("ioperm", |_| must_fail(call(libc::SYS_ioperm, [0x80, 1, 1]))),
    // Without a time and a zone it only asks for the right.
    kernel("set the clock", |_| must_fail(call(libc::SYS_settimeofday, [0, 0]))),
    kernel("accounting", |_| must_be_refused(call(libc::SYS_acct, [at(c"/.meliora-none")]))),
    kernel("swapon", |_| must_be_refused(call(libc::SYS_swapon, [at(c"/.meliora-none"), 0]))),
    kernel("fanotify", |_| must_fail(call(libc::SYS_fanotify_init, [0, 0]))),
    Probe::new(Kind::Kernel, Run::Quick, "calls of 32 bits (int 0x80)", |_| int80()),
    Probe::new(Kind::Kernel, Run::Quick, "calls of x32", |_| x32()),
];

/// Collects what was cloned, if it was.
fn child(cloned: Result<i64, sys::Errno>) -> Outcome {
    match cloned {
        // SAFETY: in the new process, which has nothing to do.
        Ok(0) => unsafe { libc::_exit(0) },
        Ok(pid) => {
            // SAFETY: collects the process that was just made.
            unsafe { libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), 0) };
            Outcome::Open("a process in a user namespace of its own".to_owned())
        }
        Err(number) => Outcome::Closed(errno(number)),
    }
}

fn join(path: &str) -> Outcome {
    use std::os::fd::AsRawFd as _;
    match std::fs::File::open(path) {
        Ok(file) => must_fail(call(libc::SYS_setns, [file.as_raw_fd() as usize, 0])),
        // The link alone tells too little to be a way in, and without it there is none.
        Err(error) => match call(libc::SYS_setns, [usize::MAX, 0]) {
            Err(libc::EBADF) => Outcome::Closed(format!("no namespace to join: {}", super::io(&error))),
            other => must_fail(other),
        },
    }
}

/// A handle made up: whoever may open handles reaches every file of a file system by its number.
fn handle(_: &Scene) -> Outcome {
    // struct file_handle: eight bytes of type 1, inode 2, generation 0.
    let handle = [8u32, 1, 2, 0];
    let opened = call(libc::SYS_open_by_handle_at, [HERE, handle.as_ptr() as usize, libc::O_RDONLY as usize]);
    must_be_refused(opened)
}

#[cfg(target_arch = "x86_64")]
fn int80() -> Outcome {
    let id: i32;
    // SAFETY: call 20 of the 32-bit table is getpid; it takes nothing and changes `eax` alone.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("eax") 20 => id, lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _)
    };
    match id {
        0.. => Outcome::Open(format!("getpid by the 32-bit table said {id}")),
        _ => Outcome::Closed(errno(-id)),
    }
}

#[cfg(target_arch = "x86_64")]
fn x32() -> Outcome {
    must_fail(call(0x4000_0000 | libc::SYS_getpid, []))
}

#[cfg(not(target_arch = "x86_64"))]
fn int80() -> Outcome {
    Outcome::NotRun("this processor has none".to_owned())
}

#[cfg(not(target_arch = "x86_64"))]
fn x32() -> Outcome {
    Outcome::NotRun("this processor has none".to_owned())
}
