//! The seccomp filter: the system calls that programs in a cage may make. Whatever is not listed does not exist.
//!
//! An allow-list, laid out as a binary search: the kernel runs a new filter once for every call number to learn which
//! are always allowed, and a linear list makes that the most expensive step of opening a cage.

use libc::{c_long, sock_filter};

// linux/bpf_common.h, linux/filter.h
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_ALWAYS: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

// linux/seccomp.h
const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;

/// Numbers from here on are the x32 twins of the same calls, which would slip past a list of numbers.
const X32: u32 = 0x4000_0000;

// linux/audit.h
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// What is said to one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// It runs.
    Allow,
    /// It fails with this error number.
    Refuse(i32),
    /// It runs if its argument (by position) has one of these values, else it fails.
    AllowIfOneOf(u32, &'static [u32], i32),
    /// It runs if its first argument has one of these values, or if its first two are this pair, else it fails.
    AllowIfOneOfOr(&'static [u32], [u32; 2], i32),
    /// It runs if its argument (by position) has none of these bits, else it fails.
    AllowIfNoneOf(u32, u32, i32),
}

/// `clone` may start processes and threads, never a namespace (`CLONE_NEW*` but for `CLONE_NEWTIME`, which `clone`
/// cannot ask for).
const NAMESPACE_FLAGS: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Harmless questions about descriptors and terminals: TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX,
/// FIOCLEX. TIOCSTI and its like, which type into a terminal, are not among them.
const IOCTLS: &[u32] = &[0x5401, 0x540f, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451];

/// What a terminal is asked and told where a cage has terminals: modes (TCGETS2, TCSETS, TCSETS2 and their kin), breaks,
/// flow and flushing, the controlling process group and session, its size, what is left to send, and the making of a
/// pair (TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER). Again without TIOCSTI and TIOCLINUX.
const TERMINAL_IOCTLS: &[u32] = &[
    0x5401,
    0x5402,
    0x5403,
    0x5404,
    0x5405,
    0x5406,
    0x5407,
    0x5408,
    0x5409,
    0x540a,
    0x540b,
    0x540e,
    0x540f,
    0x5410,
    0x5411,
    0x5413,
    0x5414,
    0x541b,
    0x5421,
    0x5422,
    0x5425,
    0x5429,
    0x5441,
    0x5450,
    0x5451,
    0x802c_542a,
    0x402c_542b,
    0x402c_542c,
    0x402c_542d,
    0x8004_5430,
    0x4004_5431,
];

/// Options by which a process asks about or restricts itself: death signal, dumpable (a driver hides its memory and
/// descriptors from the subject's processes), name, seccomp (read), capability bound (read), timer slack, subreaper,
/// no_new_privs, huge pages, names of memory areas.
const PRCTLS: &[u32] = &[1, 2, 3, 4, 15, 16, 21, 23, 29, 30, 36, 37, 38, 39, 41, 42, 0x5356_4d41];

/// The same without hiding: a process may only let itself be seen, as every program that was executed does.
const PRCTLS_SEEN: &[u32] = &[1, 2, 3, 15, 16, 21, 23, 29, 30, 36, 37, 38, 39, 41, 42, 0x5356_4d41];
const SEEN: [u32; 2] = [libc::PR_SET_DUMPABLE as u32, 1];

/// Calls with an answer of their own.
const SPECIAL: &[(c_long, Answer)] = &[
    (libc::SYS_clone, Answer::AllowIfNoneOf(0, NAMESPACE_FLAGS, libc::EPERM)),
    // Its flags lie in memory, where no filter can read them; told that it does not exist, libc falls back to `clone`.
    (libc::SYS_clone3, Answer::Refuse(libc::ENOSYS)),
    (libc::SYS_socket, Answer::AllowIfOneOf(0, &[libc::AF_UNIX as u32], libc::EAFNOSUPPORT)),
    (libc::SYS_socketpair, Answer::AllowIfOneOf(0, &[libc::AF_UNIX as u32], libc::EAFNOSUPPORT)),
    (libc::SYS_ioctl, Answer::AllowIfOneOf(1, IOCTLS, libc::ENOTTY)),
    (libc::SYS_prctl, Answer::AllowIfOneOf(0, PRCTLS, libc::EPERM)),
    // Only its own limits: PID 1 has the same user.
    (libc::SYS_prlimit64, Answer::AllowIfOneOf(0, &[0], libc::EPERM)),
    (libc::SYS_personality, Answer::AllowIfOneOf(0, &[0, u32::MAX], libc::EPERM)),
    (libc::SYS_ptrace, Answer::Refuse(libc::EPERM)),
    (libc::SYS_unshare, Answer::Refuse(libc::EPERM)),
    (libc::SYS_setns, Answer::Refuse(libc::EPERM)),
    (libc::SYS_mount, Answer::Refuse(libc::EPERM)),
    (libc::SYS_umount2, Answer::Refuse(libc::EPERM)),
    (libc::SYS_pivot_root, Answer::Refuse(libc::EPERM)),
    (libc::SYS_chroot, Answer::Refuse(libc::EPERM)),
    (libc::SYS_bpf, Answer::Refuse(libc::EPERM)),
    (libc::SYS_keyctl, Answer::Refuse(libc::EPERM)),
    (libc::SYS_add_key, Answer::Refuse(libc::EPERM)),
    (libc::SYS_request_key, Answer::Refuse(libc::EPERM)),
];

/// Calls that are always allowed, on every architecture. Absent on purpose, beside the ones that are refused above:
/// all of mount, modules, clocks, io_uring, userfaultfd, perf, file handles, other processes' memory, System V and
/// POSIX queues, and `memfd_create` (memory that no limit counts).
const COMMON: &[c_long] = &[
    // files
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync,
    libc::SYS_syncfs,
    libc::SYS_sync_file_range,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_pipe2,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_readlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    // memory
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_mincore,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_mseal,
    // processes, threads and their signals
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_setpgid,
    libc::SYS_getsid,
    libc::SYS_setsid,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_getattr,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_rr_get_interval,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_getrusage,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_times,
    libc::SYS_getcpu,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getrandom,
    // who it is: one user, who can become no other
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capget,
    libc::SYS_capset,
    // time
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    // waiting
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    // sockets between processes of the cage (only AF_UNIX ones can be made)
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
];

/// The older forms that only x86-64 has.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_rename,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_unlink,
    libc::SYS_symlink,
    libc::SYS_readlink,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_mknod,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_getdents,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_signalfd,
    libc::SYS_inotify_init,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_getpgrp,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[c_long] = &[];

/// The whole filter. Where the host would not see processes that hide, they may not. `terminals`: whether the cage has
/// any.
pub(crate) fn program(may_hide: bool, terminals: bool) -> Vec<sock_filter> {
    let seen = |number: c_long, answer: Answer| match number {
        libc::SYS_prctl if !may_hide => Answer::AllowIfOneOfOr(PRCTLS_SEEN, SEEN, libc::EPERM),
        libc::SYS_ioctl if terminals => Answer::AllowIfOneOf(1, TERMINAL_IOCTLS, libc::ENOTTY),
        _ => answer,
    };
    let mut answers: Vec<(u32, Answer)> = COMMON
        .iter()
        .chain(LEGACY)
        .map(|number| (*number as u32, Answer::Allow))
        .chain(SPECIAL.iter().map(|(number, answer)| (*number as u32, seen(*number, *answer))))
        .collect();
    answers.sort_by_key(|(number, _)| *number);

    // Ranges that cover all numbers: each begins where the one before ends.
    let unknown = Answer::Refuse(libc::ENOSYS);
    let mut ranges: Vec<(u32, Answer)> = vec![(0, unknown)];
    let mut push = |start: u32, answer: Answer| match ranges.last_mut() {
        Some(last) if last.0 == start => last.1 = answer,
        Some(last) if last.1 == answer => {}
        _ => ranges.push((start, answer)),
    };
    for (index, (number, answer)) in answers.iter().enumerate() {
        push(*number, *answer);
        if answers.get(index + 1).is_none_or(|(next, _)| *next != number + 1) {
            push(number + 1, unknown);
        }
    }

    let mut code = vec![
        step(LOAD, 0, 0, OFFSET_ARCH),
        step(JUMP_EQUAL, 1, 0, ARCH),
        step(RETURN, 0, 0, KILL_PROCESS),
        step(LOAD, 0, 0, OFFSET_NUMBER),
        step(JUMP_AT_LEAST, 0, 1, X32),
        step(RETURN, 0, 0, KILL_PROCESS),
    ];
    code.extend(search(&ranges));
    code
}

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// A binary search among ranges; each way ends in a `RETURN`.
fn search(ranges: &[(u32, Answer)]) -> Vec<sock_filter> {
    if let [(_, answer)] = ranges {
        return say(*answer);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (below, above) = (search(low), search(high));
    let mut code = match u8::try_from(below.len()) {
        Ok(over) => vec![step(JUMP_AT_LEAST, over, 0, high[0].0)],
        Err(_) => vec![step(JUMP_AT_LEAST, 0, 1, high[0].0), step(JUMP_ALWAYS, 0, 0, below.len() as u32)],
    };
    code.extend(below);
    code.extend(above);
    code
}

/// The instructions of one answer. Only the low half of an argument is read: all of these are 32 bits wide.
fn say(answer: Answer) -> Vec<sock_filter> {
    let argument = |position: u32| step(LOAD, 0, 0, 16 + 8 * position);
    let refuse = |errno: i32| step(RETURN, 0, 0, ERRNO | errno as u32);
    let allow = step(RETURN, 0, 0, ALLOW);
    match answer {
        Answer::Allow => vec![allow],
        Answer::Refuse(errno) => vec![refuse(errno)],
        Answer::AllowIfNoneOf(position, bits, errno) => {
            vec![argument(position), step(JUMP_ANY_BIT, 1, 0, bits), allow, refuse(errno)]
        }
        Answer::AllowIfOneOf(position, values, errno) => {
            let mut code = vec![argument(position)];
            for (index, value) in values.iter().enumerate() {
                // Over the values that are left and the refusal.
                let over = (values.len() - index) as u8;
                code.push(step(JUMP_EQUAL, over, 0, *value));
            }
            code.push(refuse(errno));
            code.push(allow);
            code
        }
        Answer::AllowIfOneOfOr(values, [first, second], errno) => {
            let mut code = vec![argument(0)];
            for (index, value) in values.iter().enumerate() {
                // Over the values that are left and the four steps of the pair.
                let over = (values.len() - index + 3) as u8;
                code.push(step(JUMP_EQUAL, over, 0, *value));
            }
            code.extend([step(JUMP_EQUAL, 0, 2, first), argument(1), step(JUMP_EQUAL, 1, 0, second)]);
            code.push(refuse(errno));
            code.push(allow);
            code
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would.
    fn verdict(arch: u32, number: u32, args: [u32; 6]) -> u32 {
        judge(&program(true, false), arch, number, args)
    }

    fn judge(code: &[sock_filter], arch: u32, number: u32, args: [u32; 6]) -> u32 {
        let (mut at, mut acc) = (0usize, 0u32);
        loop {
            let now = code[at];
            at += 1;
            let jump = |yes: bool| if yes { now.jt as usize } else { now.jf as usize };
            match now.code {
                LOAD => {
                    acc = match now.k {
                        OFFSET_NUMBER => number,
                        OFFSET_ARCH => arch,
                        offset => args[(offset as usize - 16) / 8],
                    }
                }
                JUMP_ALWAYS => at += now.k as usize,
                JUMP_EQUAL => at += jump(acc == now.k),
                JUMP_AT_LEAST => at += jump(acc >= now.k),
                JUMP_ANY_BIT => at += jump(acc & now.k != 0),
                RETURN => return now.k,
                other => panic!("unknown instruction {other}"),
            }
        }
    }

    fn here(number: c_long, first: u32) -> u32 {
        verdict(ARCH, number as u32, [first, 0, 0, 0, 0, 0])
    }

    #[test]
    fn every_listed_call_is_allowed_and_every_other_number_is_not() {
        for number in 0..1000u32 {
            let listed = COMMON.iter().chain(LEGACY).any(|known| *known as u32 == number);
            let special = SPECIAL.iter().any(|(known, _)| *known as u32 == number);
            if !special {
                let expected = if listed { ALLOW } else { ERRNO | libc::ENOSYS as u32 };
                assert_eq!(verdict(ARCH, number, [0; 6]), expected, "call {number}");
            }
        }
    }

    #[test]
    fn another_architecture_or_an_x32_number_kills() {
        assert_eq!(verdict(0x4000_0003, libc::SYS_read as u32, [0; 6]), KILL_PROCESS);
        assert_eq!(verdict(ARCH, X32 | libc::SYS_read as u32, [0; 6]), KILL_PROCESS);
        assert_eq!(verdict(ARCH, u32::MAX, [0; 6]), KILL_PROCESS);
    }

    #[test]
    fn clone_starts_processes_but_no_namespace() {
        assert_eq!(here(libc::SYS_clone, libc::SIGCHLD as u32), ALLOW);
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWPID] {
            assert_eq!(here(libc::SYS_clone, (flag | libc::SIGCHLD) as u32), ERRNO | libc::EPERM as u32);
        }
        assert_eq!(here(libc::SYS_clone3, 0), ERRNO | libc::ENOSYS as u32);
    }

    #[test]
    fn only_unix_sockets_can_be_made() {
        assert_eq!(here(libc::SYS_socket, libc::AF_UNIX as u32), ALLOW);
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_VSOCK, libc::AF_ALG, libc::AF_PACKET] {
            assert_eq!(here(libc::SYS_socket, family as u32), ERRNO | libc::EAFNOSUPPORT as u32);
        }
    }

    #[test]
    fn a_program_may_show_itself_but_not_hide() {
        let prctl = |option: u32, value: u32| verdict(ARCH, libc::SYS_prctl as u32, [option, value, 0, 0, 0, 0]);
        for option in PRCTLS {
            assert_eq!(prctl(*option, 0), ALLOW, "{option}");
        }
        for (option, value) in [(5, 1), (22, 1), (0, 1)] {
            assert_eq!(prctl(option, value), ERRNO | libc::EPERM as u32, "{option} {value}");
        }
    }

    #[test]
    fn where_the_host_would_not_see_it_a_process_may_not_hide() {
        let code = program(false, false);
        let prctl = |option: u32, value: u32| judge(&code, ARCH, libc::SYS_prctl as u32, [option, value, 0, 0, 0, 0]);
        let dumpable = libc::PR_SET_DUMPABLE as u32;
        for (option, value) in [(dumpable, 1), (1, 0), (0x5356_4d41, 0)] {
            assert_eq!(prctl(option, value), ALLOW, "{option} {value}");
        }
        for (option, value) in [(dumpable, 0), (dumpable, 2), (5, 1), (22, 1)] {
            assert_eq!(prctl(option, value), ERRNO | libc::EPERM as u32, "{option} {value}");
        }
        let others = PRCTLS.iter().filter(|option| **option != dumpable);
        assert_eq!(others.collect::<Vec<_>>(), PRCTLS_SEEN.iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_value_of_an_argument_list_is_matched() {
        for ioctl in IOCTLS {
            assert_eq!(verdict(ARCH, libc::SYS_ioctl as u32, [0, *ioctl, 0, 0, 0, 0]), ALLOW);
        }
        let terminals = program(true, true);
        let there = |number: u32| judge(&terminals, ARCH, libc::SYS_ioctl as u32, [0, number, 0, 0, 0, 0]);
        for ioctl in TERMINAL_IOCTLS.iter().chain(IOCTLS) {
            assert_eq!(there(*ioctl), ALLOW, "{ioctl:x}");
        }
        // TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD.
        for ioctl in [0x5412, 0x541c, 0x541d, 0x5423] {
            let refused = ERRNO | libc::ENOTTY as u32;
            assert_eq!(verdict(ARCH, libc::SYS_ioctl as u32, [0, ioctl, 0, 0, 0, 0]), refused);
            assert_eq!(there(ioctl), refused);
        }
    }
}
