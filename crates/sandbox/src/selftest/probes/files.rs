//! Files, folders and devices of the host.

use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::{Kind, Outcome, Probe, Run, Scene, call, errno, io, must_not_open_to_write, must_not_read};

const fn files(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Files, Run::Whole, name, attempt)
}

pub(super) const PROBES: &[Probe] = &[
    Probe::new(Kind::Files, Run::Quick, "read /etc/shadow", |_| must_not_read("/etc/shadow")),
    files("list /root", |scene| must_not_list("/root", scene)),
    files("list /home", |scene| must_not_list("/home", scene)),
    files("list /var", |scene| must_not_list("/var", scene)),
    files("read kcore", |_| must_not_read("/proc/kcore")),
    files("write sysrq-trigger", |_| must_not_open_to_write("/proc/sysrq-trigger")),
    files("write core_pattern", |_| must_not_open_to_write("/proc/sys/kernel/core_pattern")),
    files("write modprobe path", |_| must_not_open_to_write("/proc/sys/kernel/modprobe")),
    files("read kernel symbols", symbols),
    files("read kernel configuration", |_| must_not_read("/proc/config.gz")),
    files("list /sys", |scene| must_not_list("/sys", scene)),
    files("write a cgroup", cgroup),
    files("devices", devices),
    files("read a disk", disk),
    files("make a block device", |_| device(libc::S_IFBLK, &[(254, 0), (7, 0), (8, 0), (259, 0)])),
    files("make a character device", |_| device(libc::S_IFCHR, &[(1, 1), (1, 11)])),
    Probe::new(Kind::Files, Run::Quick, "write /usr", |_| must_not_create("/usr")),
    files("write /", |_| must_not_create("/")),
    files("write /etc", |_| must_not_create("/etc")),
    files("write /dev", |_| must_not_create("/dev")),
    files("change a program", change_program),
    files("sockets in /run", |_| sockets(Path::new("/run"), 3)),
    files("list /run", |scene| must_not_list("/run", scene)),
];

/// Open if there is more in the folder than the way to the program that the cage was shown.
fn must_not_list(folder: &str, scene: &Scene) -> Outcome {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return Outcome::Closed(io(&error)),
    };
    let known = |path: &Path| !scene.shown.is_empty() && Path::new(&scene.shown).starts_with(path);
    // What a container's own start leaves there.
    let ours = [".containerenv", "secrets"];
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| !known(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| folder != "/run" || !ours.contains(&name.as_str()))
        .collect();
    names.sort();
    match names.first() {
        None => Outcome::Closed("nothing in it".to_owned()),
        Some(first) => Outcome::Open(format!("{} entries, such as {first}", names.len())),
    }
}

fn must_not_create(folder: &str) -> Outcome {
    let path = Path::new(folder).join(".meliora-probe");
    match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(_) => {
            // It is ours: it was not there a moment ago.
            std::fs::remove_file(&path).ok();
            Outcome::Open(format!("a file can be made in {folder}"))
        }
        Err(error) => Outcome::Closed(io(&error)),
    }
}

/// Sets the bits of a program to what they are.
fn change_program(_: &Scene) -> Outcome {
    let path = "/usr/bin/env";
    match std::fs::metadata(path).and_then(|meta| std::fs::set_permissions(path, meta.permissions())) {
        Ok(()) => Outcome::Open(format!("the mode of {path} can be set")),
        Err(error) => Outcome::Closed(io(&error)),
    }
}

/// The addresses are what is worth something; zeros are shown to those who may not know.
fn symbols(_: &Scene) -> Outcome {
    match std::fs::read_to_string("/proc/kallsyms") {
        Ok(text) if text.lines().any(|line| !line.starts_with("0000000000000000")) => {
            Outcome::Open("addresses of the kernel can be read".to_owned())
        }
        Ok(_) => Outcome::Closed("no address in it".to_owned()),
        Err(error) => Outcome::Closed(io(&error)),
    }
}

fn cgroup(_: &Scene) -> Outcome {
    let mut told = String::new();
    for folder in ["", "pids", "memory", "unified", "cpu", "systemd"] {
        let path = Path::new("/sys/fs/cgroup").join(folder).join("meliora-probe");
        match std::fs::create_dir(&path) {
            Ok(()) => {
                std::fs::remove_dir(&path).ok();
                return Outcome::Open(format!("{} could be made", path.display()));
            }
            Err(error) => told = io(&error),
        }
    }
    Outcome::Closed(told)
}

/// Nodes that lead nowhere in particular.
const HARMLESS: &[&str] = &["null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"];

fn devices(_: &Scene) -> Outcome {
    let mut found = Vec::new();
    for folder in ["/dev", "/dev/net", "/dev/mapper", "/dev/dri"] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let device = entry.file_type().is_ok_and(|kind| kind.is_block_device() || kind.is_char_device());
            if device && !HARMLESS.contains(&name.as_str()) {
                found.push(name);
            }
        }
    }
    match found.first() {
        None => Outcome::Closed("none that leads anywhere".to_owned()),
        Some(first) => Outcome::Open(format!("{} devices, such as {first}", found.len())),
    }
}

fn disk(_: &Scene) -> Outcome {
    let disks = ["vda", "sda", "nvme0n1", "xvda", "loop0", "mem", "kmsg", "port"];
    let there: Vec<&str> = disks.into_iter().filter(|name| Path::new("/dev").join(name).exists()).collect();
    for name in &there {
        if std::fs::File::open(Path::new("/dev").join(name)).is_ok() {
            return Outcome::Open(format!("/dev/{name} can be opened"));
        }
    }
    Outcome::Closed(if there.is_empty() { "there is none".to_owned() } else { "none can be opened".to_owned() })
}

/// Makes a node, and opens it: one on a file system without devices is a dead one.
fn device(kind: libc::mode_t, numbers: &[(u32, u32)]) -> Outcome {
    let mut refused = String::from("no folder for it");
    let places =
        [".", "/tmp", "/dev/shm", "/dev"].into_iter().flat_map(|folder| numbers.iter().map(move |n| (folder, n)));
    for (folder, (major, minor)) in places {
        let path = format!("{folder}/.meliora-node\0");
        let (here, path) = (libc::AT_FDCWD as usize, path.as_ptr() as usize);
        let node = libc::makedev(*major, *minor) as usize;
        if let Err(number) = call(libc::SYS_mknodat, [here, path, (kind | 0o600) as usize, node]) {
            refused = errno(number);
            continue;
        }
        let opened = call(libc::SYS_openat, [here, path, libc::O_RDONLY as usize]);
        call(libc::SYS_unlinkat, [here, path, 0]).ok();
        match opened {
            Ok(_) => return Outcome::Open(format!("{major}:{minor} made and opened in {folder}")),
            // The kernel looked for the driver.
            Err(libc::ENXIO | libc::ENODEV | libc::ENOMEDIUM) => {
                return Outcome::Open(format!("{major}:{minor} made in {folder}, and a device"));
            }
            Err(number) => refused = format!("made, but dead: {}", errno(number)),
        }
    }
    Outcome::Closed(refused)
}

/// Looks for sockets that somebody listens on.
fn sockets(folder: &Path, depth: u32) -> Outcome {
    let mut folders = vec![(folder.to_owned(), depth)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_socket() && std::os::unix::net::UnixStream::connect(entry.path()).is_ok() {
                return Outcome::Open(format!("{} answers", entry.path().display()));
            }
            if kind.is_dir() && depth > 1 {
                folders.push((entry.path(), depth - 1));
            }
        }
    }
    Outcome::Closed("none that answers".to_owned())
}
