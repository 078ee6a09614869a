//! How much may be used. Where nothing bounds it, a probe stops by itself at three times the limit and lets go.

use std::io::Write as _;

use super::{Kind, Outcome, Probe, Run, Scene, call, errno, io, must_fail};

const fn alone(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Limits, Run::Alone, name, attempt)
}

pub(super) const PROBES: &[Probe] = &[
    alone("memory", |scene| memory(scene, libc::MAP_PRIVATE)),
    alone("memory that is shared", |scene| memory(scene, libc::MAP_SHARED)),
    alone("memory of many", many),
    alone("processes", forks),
    alone("space in /tmp", |scene| fill("/tmp", scene)),
    alone("space in the own folder", |scene| fill(".", scene)),
    alone("space in /dev/shm", |scene| fill("/dev/shm", scene)),
    alone("files without number", files),
    Probe::new(Kind::Limits, Run::Whole, "raise a limit", |_| {
        let mut limits = [0u64; 2];
        let which = libc::RLIMIT_NOFILE as usize;
        if let Err(number) = call(libc::SYS_prlimit64, [0, which, 0, limits.as_mut_ptr() as usize]) {
            return Outcome::Closed(errno(number));
        }
        let more = [limits[0], limits[1].saturating_add(1)];
        must_fail(call(libc::SYS_prlimit64, [0, which, more.as_ptr() as usize, 0]))
    }),
    Probe::new(Kind::Limits, Run::Whole, "go before all others", |_| {
        let priority = 1i32;
        let first = libc::SCHED_FIFO as usize;
        must_fail(call(libc::SYS_sched_setscheduler, [0, first, (&raw const priority) as usize]))
    }),
    Probe::new(Kind::Limits, Run::Whole, "be nicer to itself", |_| {
        must_fail(call(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, -5isize as usize]))
    }),
    Probe::new(Kind::Limits, Run::Whole, "leave a core", |_| {
        let mut limits = [0u64; 2];
        call(libc::SYS_prlimit64, [0, libc::RLIMIT_CORE as usize, 0, limits.as_mut_ptr() as usize]).ok();
        match limits[1] {
            0 => Outcome::Closed("of no size".to_owned()),
            most => Outcome::Open(format!("of up to {most} bytes")),
        }
    }),
];

const MIB: u64 = 1 << 20;

/// Takes three times as much memory as it may have, and uses it.
fn memory(scene: &Scene, sharing: i32) -> Outcome {
    let wanted = scene.memory * 3;
    let mut taken = 0;
    while taken < wanted {
        let flags = sharing | libc::MAP_ANONYMOUS;
        let size = (8 * MIB) as usize;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice, which is then written within its size.
        unsafe {
            let place = libc::mmap(std::ptr::null_mut(), size, rights, flags, -1, 0);
            if place == libc::MAP_FAILED {
                let number = crate::sys::errno();
                return Outcome::Closed(format!("{} after {} MiB", errno(number), taken / MIB));
            }
            libc::memset(place, 1, size);
        }
        taken += size as u64;
        if sharing == libc::MAP_SHARED || scene.memory > taken {
            // Whoever watches from outside looks now and then; what is used for less than a moment is not a use.
            std::thread::sleep(std::time::Duration::from_millis(4));
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    Outcome::Open(format!("{} MiB were used, with a limit of {}", taken / MIB, scene.memory / MIB))
}

/// Eight processes that each stay below the limit.
fn many(scene: &Scene) -> Outcome {
    let each = (scene.memory / 2) as usize;
    let mut children = Vec::new();
    for _ in 0..6 {
        // SAFETY: this process has one thread; the child writes its own new memory, waits and ends.
        match unsafe { libc::fork() } {
            // SAFETY: as above.
            0 => unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let rights = libc::PROT_READ | libc::PROT_WRITE;
                let place = libc::mmap(std::ptr::null_mut(), each, rights, flags, -1, 0);
                if place == libc::MAP_FAILED {
                    libc::_exit(1);
                }
                libc::memset(place, 1, each);
                libc::usleep(400_000);
                libc::_exit(0)
            },
            pid if pid > 0 => children.push(pid),
            _ => break,
        }
    }
    let mut held = 0;
    for pid in children {
        let mut status = 0;
        // SAFETY: collects a child of ours.
        unsafe { libc::waitpid(pid, &raw mut status, 0) };
        held += u64::from(status == 0);
    }
    let mib = held * each as u64 / MIB;
    if mib > scene.memory / MIB * 2 {
        Outcome::Open(format!("{mib} MiB were used at once, with a limit of {}", scene.memory / MIB))
    } else {
        Outcome::Closed(format!("{mib} MiB in {held} processes"))
    }
}

fn forks(scene: &Scene) -> Outcome {
    let wanted = scene.processes * 3;
    let mut children = Vec::new();
    let mut refused = None;
    for _ in 0..wanted {
        // SAFETY: this process has one thread; the child only waits.
        match unsafe { libc::fork() } {
            // SAFETY: as above.
            0 => unsafe {
                libc::sleep(20);
                libc::_exit(0)
            },
            pid if pid > 0 => children.push(pid),
            _ => {
                refused = Some(crate::sys::errno());
                break;
            }
        }
    }
    let made = children.len();
    for pid in children {
        // SAFETY: ends and collects a child of ours.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
    match refused {
        Some(number) => Outcome::Closed(format!("{} after {made}", errno(number))),
        None => Outcome::Open(format!("{made} were started, with a limit of {}", scene.processes)),
    }
}

/// Writes into a folder in files of 8 MiB.
fn fill(folder: &str, scene: &Scene) -> Outcome {
    // SAFETY: a signal that would end this process becomes an error of `write`.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let wanted = scene.disk * 3;
    let chunk = vec![7u8; MIB as usize];
    let (mut written, mut paths) = (0, Vec::new());
    let mut refused = None;
    while written < wanted && refused.is_none() {
        let path = format!("{folder}/.meliora-fill-{}", paths.len());
        match std::fs::File::create(&path) {
            Ok(mut file) => {
                paths.push(path);
                for _ in 0..8 {
                    match file.write_all(&chunk) {
                        Ok(()) => written += MIB,
                        Err(error) => {
                            refused = Some(io(&error));
                            break;
                        }
                    }
                }
            }
            Err(error) => refused = Some(io(&error)),
        }
    }
    for path in paths {
        std::fs::remove_file(path).ok();
    }
    match refused {
        Some(why) => Outcome::Closed(format!("{why} after {} MiB", written / MIB)),
        None => Outcome::Open(format!("{} MiB were written, with a limit of {}", written / MIB, scene.disk / MIB)),
    }
}

/// Files and folders of a folder: more than any program in a cage needs.
const FILES: u32 = 20_000;

fn files(_: &Scene) -> Outcome {
    let folder = "./.meliora-files";
    if let Err(error) = std::fs::create_dir(folder) {
        return Outcome::NotRun(format!("no folder for them: {}", io(&error)));
    }
    let mut refused = None;
    let mut made = 0;
    while made < FILES && refused.is_none() {
        match std::fs::File::create(format!("{folder}/{made}")) {
            Ok(_) => made += 1,
            Err(error) => refused = Some(io(&error)),
        }
    }
    std::fs::remove_dir_all(folder).ok();
    match refused {
        Some(why) => Outcome::Closed(format!("{why} after {made}")),
        None => Outcome::Open(format!("{made} were made")),
    }
}
