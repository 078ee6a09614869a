//! Other processes, networks and sockets, and what a process is and carries with it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::time::Duration;

use super::{Kind, Outcome, Probe, Run, Scene, call, errno, io, must_be_refused, must_fail, must_not_read};

const fn processes(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Processes, Run::Whole, name, attempt)
}

const fn network(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Network, Run::Whole, name, attempt)
}

const fn identity(name: &'static str, attempt: fn(&Scene) -> Outcome) -> Probe {
    Probe::new(Kind::Identity, Run::Whole, name, attempt)
}

pub(super) const PROBES: &[Probe] = &[
    Probe::new(Kind::Processes, Run::Quick, "see processes of others", others),
    processes("PID 1's root", |_| list("/proc/1/root")),
    processes("PID 1's descriptors", |_| list("/proc/1/fd")),
    processes("PID 1's environment", |_| must_not_read("/proc/1/environ")),
    processes("PID 1's memory", |_| match std::fs::File::open("/proc/1/mem") {
        Ok(_) => Outcome::Open("it can be opened".to_owned()),
        Err(error) => Outcome::Closed(io(&error)),
    }),
    // Seized, not attached to: it goes on, and is let go with this process.
    processes("trace PID 1", |_| must_fail(call(libc::SYS_ptrace, [0x4206, 1, 0, 0]))),
    processes("be traced", |_| must_fail(call(libc::SYS_ptrace, [0, 0, 0, 0]))),
    processes("read PID 1's memory by call", |_| {
        let mut room = [0u8; 16];
        let (ours, theirs) = ([room.as_mut_ptr() as usize, room.len()], [0x1000usize, room.len()]);
        let places = [ours.as_ptr() as usize, 1, theirs.as_ptr() as usize, 1, 0];
        no_process(call(libc::SYS_process_vm_readv, [1, places[0], places[1], places[2], places[3], places[4]]))
    }),
    processes("take PID 1's descriptor", |_| match call(libc::SYS_pidfd_open, [1, 0]) {
        Ok(pidfd) => must_be_refused(call(libc::SYS_pidfd_getfd, [pidfd as usize, 0, 0])),
        Err(number) => Outcome::Closed(errno(number)),
    }),
    processes("compare with PID 1", |_| no_process(call(libc::SYS_kcmp, [1, std::process::id() as usize, 0, 0, 0]))),
    processes("read PID 1's limits", |_| {
        let mut limits = [0u64; 2];
        must_fail(call(libc::SYS_prlimit64, [1, libc::RLIMIT_NOFILE as usize, 0, limits.as_mut_ptr() as usize]))
    }),
    Probe::new(Kind::Processes, Run::Quick, "reach the host's process", |scene| {
        match call(libc::SYS_kill, [scene.host as usize, 0]) {
            Err(libc::ESRCH) => Outcome::Closed("it is not there".to_owned()),
            // Numbers begin anew here.
            _ if scene.host < 1000 => Outcome::NotRun("a process here may have its number".to_owned()),
            Err(libc::EPERM) => Outcome::Open("it is seen, but not this user's".to_owned()),
            other => must_fail(other),
        }
    }),
    Probe::new(Kind::Network, Run::Quick, "a service of the host", |scene| {
        connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, scene.port))
    }),
    // An address for examples (RFC 5737): nobody is there, but where there is a way out, the kernel sets out.
    network("the world", |_| connect(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 80))),
    network("interfaces", interfaces),
    network("raw packets", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    network("packet sockets", |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
    network("netlink sockets", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, 0)),
    network("virtual machine sockets", |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    network("kernel cryptography", |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    Probe::new(Kind::Network, Run::Quick, "an abstract socket of the host", |scene| {
        let address = std::os::unix::net::SocketAddr::from_abstract_name(scene.socket.as_bytes());
        match address.and_then(|address| std::os::unix::net::UnixStream::connect_addr(&address)) {
            Ok(_) => Outcome::Open("it answers".to_owned()),
            Err(error) => Outcome::Closed(io(&error)),
        }
    }),
    Probe::new(Kind::Identity, Run::Quick, "be root", |_| {
        // SAFETY: the calls take and change nothing.
        let ids = unsafe { [libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()] };
        told(ids.contains(&0), format!("user {}, group {}", ids[1], ids[3]))
    }),
    identity("become root", |_| {
        let become_root = call(libc::SYS_setresuid, [0, 0, 0]);
        must_fail(become_root)
    }),
    identity("take another group", |_| {
        let groups = [0u32];
        must_fail(call(libc::SYS_setgroups, [1, groups.as_ptr() as usize]))
    }),
    Probe::new(Kind::Identity, Run::Quick, "capabilities in force", |scene| no_bits(scene, &["CapEff", "CapPrm"])),
    identity("capabilities to inherit", |scene| no_bits(scene, &["CapInh", "CapAmb", "CapPrm"])),
    Probe::new(Kind::Identity, Run::Quick, "capabilities to be had", |scene| no_bits(scene, &["CapBnd"])),
    Probe::new(Kind::Identity, Run::Quick, "new privileges", |scene| flag(scene, "NoNewPrivs", "1")),
    Probe::new(Kind::Identity, Run::Quick, "no filter of calls", |scene| flag(scene, "Seccomp", "2")),
    identity("a program that makes root", su),
    identity("type into a terminal", |_| terminal()),
    Probe::new(Kind::Identity, Run::Quick, "the host's name", |scene| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let system = rustix::system::uname();
        let ours = system.nodename().to_string_lossy();
        told(ours == scene.name || name.trim() == scene.name, format!("it is called '{ours}'"))
    }),
    Probe::new(Kind::Identity, Run::Quick, "descriptors of others", |scene| {
        told(!scene.descriptors.is_empty(), format!("{} beside the standard streams", scene.descriptors.len()))
    }),
    Probe::new(Kind::Identity, Run::Quick, "environment of others", |_| {
        let names: Vec<String> = variables().into_iter().filter(|name| name != GIVEN).collect();
        match names.first() {
            None => Outcome::Closed("only what was given".to_owned()),
            Some(first) => Outcome::Open(format!("{} variables that nobody gave, such as {first}", names.len())),
        }
    }),
];

/// The one variable that the cage is given.
pub(crate) const GIVEN: &str = "MELIORA_PROBE";

/// Names of the variables that this process was started with, which are its own to look at and nobody's settings.
fn variables() -> Vec<String> {
    let block = std::fs::read("/proc/self/environ").unwrap_or_default();
    let pairs = block.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| String::from_utf8_lossy(pair.split(|byte| *byte == b'=').next().unwrap_or(pair)).into_owned())
        .collect()
}

fn told(open: bool, what: String) -> Outcome {
    if open { Outcome::Open(what) } else { Outcome::Closed(what) }
}

fn list(path: &str) -> Outcome {
    match std::fs::read_dir(path).map(|entries| entries.count()) {
        Ok(count) => Outcome::Open(format!("{count} entries")),
        Err(error) => Outcome::Closed(io(&error)),
    }
}

/// As refused, and also where there is no such process to be had.
fn no_process(result: Result<i64, crate::sys::Errno>) -> Outcome {
    match result {
        Err(libc::ESRCH) => Outcome::Closed("there is no such process".to_owned()),
        other => must_be_refused(other),
    }
}

/// Processes that are neither PID 1, nor this one, nor above it.
fn others(_: &Scene) -> Outcome {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Outcome::Closed("no /proc".to_owned()) };
    let mut known = vec![1];
    let mut now = std::process::id();
    while now > 1 {
        known.push(now);
        let status = std::fs::read_to_string(format!("/proc/{now}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        now = parent.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    }
    let seen = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let strange: Vec<u32> = seen.filter(|pid| !known.contains(pid)).collect();
    told(!strange.is_empty(), format!("{} that are not its own", strange.len()))
}

fn connect(address: SocketAddrV4) -> Outcome {
    match TcpStream::connect_timeout(&SocketAddr::V4(address), Duration::from_millis(300)) {
        Ok(_) => Outcome::Open(format!("{address} answers")),
        Err(error) => match error.raw_os_error() {
            // Somebody would have to answer; the packets are on their way.
            None => Outcome::Open(format!("there is a way to {address}")),
            Some(libc::ECONNREFUSED | libc::EHOSTUNREACH) if !address.ip().is_loopback() => {
                Outcome::Open(format!("there is a way to {address}"))
            }
            Some(number) => Outcome::Closed(errno(number)),
        },
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> Outcome {
    must_fail(call(libc::SYS_socket, [family as usize, kind as usize, protocol as usize]))
}

/// Interfaces by every way that tells them.
fn interfaces(_: &Scene) -> Outcome {
    let mut names: Vec<String> = Vec::new();
    for file in ["/proc/net/dev", "/proc/self/net/dev", "/proc/thread-self/net/dev"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        names.extend(text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())));
    }
    for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    // SAFETY: the list ends with an entry of number 0 and is freed once; the names are C strings in it.
    unsafe {
        let list = libc::if_nameindex();
        let mut entry = list;
        while !entry.is_null() && (*entry).if_index != 0 {
            names.push(std::ffi::CStr::from_ptr((*entry).if_name).to_string_lossy().into_owned());
            entry = entry.add(1);
        }
        if !list.is_null() {
            libc::if_freenameindex(list);
        }
    }
    // Tunnels without an end, which every new network has where their drivers are built in.
    let idle = ["lo", "sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"];
    names.retain(|name| !idle.contains(&name.as_str()));
    names.sort();
    names.dedup();
    told(!names.is_empty(), if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

fn no_bits(scene: &Scene, sets: &[&str]) -> Outcome {
    for set in sets {
        match scene.field(set).and_then(|text| u64::from_str_radix(text, 16).ok()) {
            Some(0) => {}
            Some(bits) => return Outcome::Open(format!("{set} {bits:x}")),
            None => return Outcome::NotRun("/proc/self/status cannot be read".to_owned()),
        }
    }
    Outcome::Closed("none".to_owned())
}

fn flag(scene: &Scene, name: &str, wanted: &str) -> Outcome {
    match scene.field(name) {
        Some(value) => told(value != wanted, format!("{name} is {value}")),
        None => Outcome::NotRun("/proc/self/status cannot be read".to_owned()),
    }
}

/// Runs a command as root by a program that has the right to.
fn su(_: &Scene) -> Outcome {
    let Some(program) = ["/usr/bin/su", "/bin/su"].into_iter().find(|path| std::path::Path::new(path).exists()) else {
        return Outcome::NotRun("there is no su here".to_owned());
    };
    let started = std::process::Command::new(program)
        .args(["-s", "/bin/sh", "-c", "id -u", "root"])
        .stdin(std::process::Stdio::null())
        .output();
    match started {
        Ok(output) => told(output.stdout.starts_with(b"0"), format!("su ended with {}", output.status)),
        Err(error) => Outcome::Closed(io(&error)),
    }
}

/// Types into the terminal that it has, or into one that it makes.
fn terminal() -> Outcome {
    use std::os::fd::AsRawFd as _;
    let mut input = 0;
    // SAFETY: asks about a descriptor.
    let has = unsafe { libc::isatty(0) } == 1;
    let master = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx");
    let mut kept = None;
    if !has {
        let Ok(master) = &master else { return Outcome::Closed("no terminal, and none can be made".to_owned()) };
        let fd = master.as_raw_fd();
        let zero = 0i32;
        // SAFETY: TIOCSPTLCK reads a number; TIOCGPTPEER takes flags and returns a new descriptor; the new session
        // has no terminal yet and takes this one.
        let peer = unsafe {
            libc::ioctl(fd, libc::TIOCSPTLCK, &raw const zero);
            // The end of the terminal is told to the session that has it: this process.
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
            libc::setsid();
            libc::ioctl(fd, libc::TIOCGPTPEER, libc::O_RDWR)
        };
        if peer < 0 {
            return Outcome::Closed("no terminal, and none can be made".to_owned());
        }
        // SAFETY: the descriptor was just made for us; the terminal becomes this session's.
        unsafe {
            libc::ioctl(peer, libc::TIOCSCTTY, 0);
            kept = Some(<std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(peer));
        }
        input = peer;
    }
    let typed = must_fail(call(libc::SYS_ioctl, [input as usize, libc::TIOCSTI as usize, c"x".as_ptr() as usize]));
    drop(kept);
    typed
}
