//! PID 1 of a virtual machine: mounts what it was given, opens the sandbox of namespaces there, and serves the line.
//!
//! Commands get the same cage as on the host, inside a machine of their own. Whatever goes wrong here ends the machine.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meliora_evolve::SandboxError;
use rustix::mount::MountFlags;

use super::initrd::{MODULES, ORDER, TREES, decode_trees};
use crate::agent::{Server, Stream, refuse};
use crate::namespaces::Namespaces;
use crate::plan::failed;
use crate::sys;

/// The argument by which the kernel starts this program as PID 1.
pub(crate) const ASKED: &str = "__guest";
/// Where the first disk is seen, whose folders make up the system.
const BASE: &str = "/base";
/// Where the host listens: the first port of the first serial controller.
const PORT: &str = "/dev/vport0p1";
/// How long devices may take to show up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Is the first process of a machine, and does not return, if this process was started for that.
pub(crate) fn live_if_asked(arguments: &[OsString]) {
    if arguments.get(1).is_some_and(|word| word == ASKED) {
        live();
    }
}

/// The whole life of the machine.
fn live() -> ! {
    // Started by a person, it is a process as any other, and leaves this machine alone.
    if std::process::id() == 1 {
        if let Err(error) = stand_up().and_then(|()| serve()) {
            // Nobody listens to more than the console yet.
            std::fs::write("/dev/console", format!("meliora: {error}\n")).ok();
            std::fs::write("/dev/kmsg", format!("<0>meliora: {error}\n")).ok();
        }
        // SAFETY: without pointers. It ends this machine, which is the only thing that PID 1 of it may end.
        unsafe {
            libc::sync();
            libc::reboot(libc::RB_POWER_OFF);
        }
    }
    crate::init::leave(1)
}

fn io(what: &str) -> impl Fn(std::io::Error) -> SandboxError + '_ {
    move |error| failed(what, error)
}

fn mount(what: &str, source: &Path, target: &Path, kind: &str, flags: MountFlags) -> Result<(), SandboxError> {
    std::fs::create_dir_all(target).map_err(io(what))?;
    rustix::mount::mount(source, target, kind, flags, None::<&std::ffi::CStr>)
        .map_err(|errno| failed(format!("{what} on {}", target.display()), errno))
}

fn special(kind: &str, target: &str) -> Result<(), SandboxError> {
    mount("mount", Path::new(kind), Path::new(target), kind, MountFlags::NOSUID | MountFlags::NOEXEC)
}

/// Modules, disks, and a root that is no initial file system: from that one no cage could turn away.
fn stand_up() -> Result<(), SandboxError> {
    special("devtmpfs", "/dev")?;
    let order = std::fs::read_to_string(ORDER).map_err(io("list of modules"))?;
    for name in order.lines() {
        load(&Path::new(MODULES).join(name))?;
    }
    let trees = decode_trees(&std::fs::read(TREES).map_err(io("list of disks"))?)
        .ok_or_else(|| failed("list of disks", "it cannot be read"))?;

    mount("root", Path::new("root"), Path::new("/new"), "tmpfs", MountFlags::NOSUID)?;
    let inside = |path: &Path| Path::new("/new").join(path.strip_prefix("/").unwrap_or(path));
    disk(0, &inside(Path::new(BASE)))?;
    for (number, tree) in (1..).zip(&trees) {
        match tree.file {
            // A disk holds a folder; a single file lies in one of its own.
            true => {
                let holder = inside(Path::new(&format!("/files/{number}")));
                disk(number, &holder)?;
                let name = tree.path.file_name().unwrap_or_default();
                let target = inside(&tree.path);
                if let Some(parent) = target.parent() {
                    std::fs::create_dir_all(parent).map_err(io("read-only file"))?;
                }
                File::create(&target).map_err(io("read-only file"))?;
                rustix::mount::mount_bind(holder.join(name), &target).map_err(|e| failed("read-only file", e))?;
            }
            false => disk(number, &inside(&tree.path))?,
        }
    }
    system(&inside(Path::new(BASE)))?;

    // What is there so far becomes the root.
    rustix::mount::mount_move("/dev", "/new/dev")
        .or_else(|_| -> Result<(), SandboxError> { special("devtmpfs", "/new/dev") })?;
    rustix::process::chdir("/new").map_err(|e| failed("new root", e))?;
    rustix::mount::mount_move(".", "/").map_err(|e| failed("new root", e))?;
    rustix::process::chroot(".").map_err(|e| failed("new root", e))?;
    rustix::process::chdir("/").map_err(|e| failed("new root", e))?;
    special("proc", "/proc")?;
    special("sysfs", "/sys")?;
    special("cgroup2", "/sys/fs/cgroup").ok();
    rustix::system::sethostname(b"microvm").ok();
    Ok(())
}

/// `/dev/vda` and so on; 26 of them at most.
fn disk(number: u8, target: &Path) -> Result<(), SandboxError> {
    let device = PathBuf::from(format!("/dev/vd{}", char::from(b'a' + number % 26)));
    wait_for(&device)?;
    mount("disk", &device, target, "ext4", MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV)
}

fn wait_for(device: &Path) -> Result<(), SandboxError> {
    let start = Instant::now();
    while !device.exists() {
        if start.elapsed() > PATIENCE {
            return Err(failed(device.display().to_string(), "it did not show up"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Folders and links of the base disk's root at the same place in ours.
fn system(base: &Path) -> Result<(), SandboxError> {
    for entry in std::fs::read_dir(base).map_err(io("base disk"))? {
        let entry = entry.map_err(io("base disk"))?;
        let (source, target) = (entry.path(), Path::new("/new").join(entry.file_name()));
        if let Ok(to) = std::fs::read_link(&source) {
            std::os::unix::fs::symlink(to, &target).map_err(io("base disk"))?;
        } else if source.is_dir() && entry.file_name() != "lost+found" {
            std::fs::create_dir_all(&target).map_err(io("base disk"))?;
            rustix::mount::mount_bind(&source, &target).map_err(|errno| failed("base disk", errno))?;
        }
    }
    Ok(())
}

fn load(module: &Path) -> Result<(), SandboxError> {
    let file = File::open(module).map_err(io("kernel module"))?;
    // SAFETY: the descriptor is open and the text a C string; the kernel copies what it needs.
    let loaded = sys::check(unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) });
    match loaded {
        Ok(_) | Err(libc::EEXIST) => Ok(()),
        Err(errno) => {
            Err(failed(format!("kernel module {}", module.display()), std::io::Error::from_raw_os_error(errno)))
        }
    }
}

fn serve() -> Result<(), SandboxError> {
    wait_for(Path::new(PORT))?;
    let port = OpenOptions::new().read(true).write(true).open(PORT).map_err(io("serial port"))?;
    let writes = port.try_clone().map_err(io("serial port"))?;
    let stream = Stream { reads: Box::new(Patient(port)), writes: Box::new(writes) };
    match Namespaces::new() {
        Ok(sandbox) => Server::serve(stream, &sandbox, &wake),
        Err(error) => refuse(stream, error),
    }
    Ok(())
}

/// The port, which reads nothing as long as the host has not connected yet.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let start = Instant::now();
        loop {
            match self.0.read(room) {
                Ok(0) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
                other => return other,
            }
        }
    }
}

/// A machine that goes on from a snapshot has the clock and the random numbers of all its siblings, until now.
fn wake(nanos: u64, seed: &[u8]) -> Result<(), SandboxError> {
    /// `RNDADDENTROPY` and `RNDRESEEDCRNG` of `linux/random.h`.
    const ADD: libc::c_ulong = 0x4008_5203;
    const RESEED: libc::c_ulong = 0x5207;
    let time = libc::timespec {
        tv_sec: (nanos / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
    };
    // SAFETY: a local of the right kind.
    sys::check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) })
        .map_err(|errno| failed("clock", std::io::Error::from_raw_os_error(errno)))?;
    let random = OpenOptions::new().write(true).open("/dev/urandom").map_err(io("random numbers"))?;
    // `rand_pool_info`: bits of entropy, bytes, the bytes themselves.
    let mut pool = Vec::new();
    pool.extend((seed.len() as i32 * 8).to_ne_bytes());
    pool.extend((seed.len() as i32).to_ne_bytes());
    pool.extend(seed);
    // SAFETY: the first call reads eight bytes and as many more as the second number says, all of them in `pool`; the
    // other takes nothing.
    unsafe {
        sys::check(libc::ioctl(random.as_raw_fd(), ADD, pool.as_ptr()))
            .and_then(|_| sys::check(libc::ioctl(random.as_raw_fd(), RESEED)))
    }
    .map_err(|errno| failed("random numbers", std::io::Error::from_raw_os_error(errno)))
    .map(drop)
}
