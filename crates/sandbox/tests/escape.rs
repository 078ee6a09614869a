//! What code in a cage may try. Each probe must be blocked, as root's cage and as an ordinary user's.

mod common;

use std::os::fd::AsRawFd;

use common::*;
use meliora_domain::Ending;
use meliora_evolve::{CageError, EntryKind};

/// Each probe raises or returns something false when it is blocked.
const PROBES: &str = r#"
import ctypes, os, socket, sys
inherited = [fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}')]
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    result = libc.syscall(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), 'blocked')
    return f'returned {result}'
def field(name):
    return dict(line.split(':', 1) for line in open('/proc/self/status')).get(name, 'missing').strip()
def child_clone(flags):
    pid = call(56, flags | 17, 0, 0, 0, 0)
    if pid == 'returned 0':
        os._exit(0)
    return pid
def write(path):
    open(path, 'w').write('x')
    return 'written'
def run_from(path):
    import shutil
    shutil.copyfile('/usr/bin/true', path)
    os.chmod(path, 0o755)
    os.execv(path, [path])
def map_code(path):
    import mmap
    with open(path, 'r+b') as file:
        return mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
def moved(before, after):
    write(before)
    os.link(before, after)
    return 'moved'
def listing(path):
    return os.listdir(path)
def sock(*args):
    socket.socket(*args)
    return 'made'
def processes():
    return [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]
NEWUSER, NEWNS, NEWNET = 0x10000000, 0x20000, 0x40000000
buffer = ctypes.create_string_buffer(4096)
attr = ctypes.create_string_buffer(b'\0' * 120, 120)
probes = {
    'read shadow': lambda: open('/etc/shadow').read(),
    'list root home': lambda: [x for x in listing('/root') if x != '.pyenv'],
    'list homes': lambda: listing('/home'),
    'host run': lambda: listing('/run'),
    'host var': lambda: listing('/var/log'),
    'sysfs': lambda: listing('/sys'),
    'proc 1 root': lambda: listing('/proc/1/root'),
    'proc 1 environ': lambda: open('/proc/1/environ').read(),
    'proc 1 mem': lambda: open('/proc/1/mem', 'rb'),
    'proc 1 fd': lambda: listing('/proc/1/fd'),
    'proc kcore': lambda: open('/proc/kcore', 'rb'),
    'proc sysrq': lambda: open('/proc/sysrq-trigger', 'w'),
    'proc core_pattern': lambda: open('/proc/sys/kernel/core_pattern', 'w'),
    'proc kallsyms': lambda: open('/proc/kallsyms').read(),
    'other processes': processes,
    'devices': lambda: set(listing('/dev')) - {'null', 'zero', 'random', 'urandom', 'shm'},
    'mknod block': lambda: os.mknod('/work/disk', 0o060666, os.makedev(254, 0)) or 'made',
    'mknod char': lambda: os.mknod('/work/mem', 0o020666, os.makedev(1, 1)) or 'made',
    'write usr': lambda: write('/usr/x'),
    'write root': lambda: write('/x'),
    'write etc': lambda: write('/etc/passwd'),
    'write dev': lambda: write('/dev/x'),
    'run from shared memory': lambda: run_from('/dev/shm/x'),
    'map code from shared memory': lambda: map_code('/dev/shm/x'),
    'folder in shared memory': lambda: os.mkdir('/dev/shm/d') or 'made',
    'link in shared memory': lambda: os.symlink('/etc/passwd', '/dev/shm/l') or 'made',
    'pipe in shared memory': lambda: os.mkfifo('/dev/shm/p') or 'made',
    'device in shared memory': lambda: os.mknod('/dev/shm/c', 0o020666, os.makedev(1, 1)) or 'made',
    'move into shared memory': lambda: moved('/work/m', '/dev/shm/m'),
    'write proc': lambda: write('/proc/self/oom_score_adj'),
    'write python': lambda: write(sys.prefix + '/x'),
    'chmod usr': lambda: os.chmod('/usr/bin/true', 0o777) or 'done',
    'mount tmpfs': lambda: call(165, b'none', b'/tmp', b'tmpfs', 0, 0),
    'remount root': lambda: call(165, 0, b'/', 0, 32 | 4096, 0),
    'umount proc': lambda: call(166, b'/proc', 2),
    'fsopen': lambda: call(430, b'tmpfs', 0),
    'open_tree': lambda: call(428, -100, b'/', 1),
    'move_mount': lambda: call(429, -100, b'/usr', -100, b'/tmp', 0),
    'pivot_root': lambda: call(155, b'.', b'.'),
    'chroot': lambda: os.chroot('/tmp') or 'done',
    'unshare user': lambda: call(272, NEWUSER),
    'unshare user mount net': lambda: call(272, NEWUSER | NEWNS | NEWNET),
    'clone user': lambda: child_clone(NEWUSER),
    'clone mount': lambda: child_clone(NEWNS),
    'clone3': lambda: call(435, attr, 88),
    'setns': lambda: call(308, os.open('/proc/self/ns/mnt', os.O_RDONLY), 0),
    'open_by_handle_at': lambda: call(304, -100, buffer, 0),
    'name_to_handle_at': lambda: call(303, -100, b'/usr', buffer, buffer, 0),
    'ptrace pid 1': lambda: call(101, 16, 1, 0, 0),
    'ptrace me': lambda: call(101, 0, 0, 0, 0),
    'process_vm_readv': lambda: call(310, 1, buffer, 1, buffer, 1, 0),
    'kcmp': lambda: call(312, 1, os.getpid(), 0, 0, 0),
    'pidfd_getfd': lambda: call(438, os.pidfd_open(1), 0, 0),
    'limits of pid 1': lambda: call(302, 1, 7, 0, buffer),
    'bpf': lambda: call(321, 0, attr, 72),
    'perf_event_open': lambda: call(298, attr, 0, -1, -1, 0),
    'userfaultfd': lambda: call(323, 1),
    'io_uring_setup': lambda: call(425, 1, attr),
    'keyctl': lambda: call(250, 0, -3, 1),
    'add_key': lambda: call(248, b'user', b'x', b'y', 1, -3),
    'syslog': lambda: call(103, 3, buffer, 4096),
    'init_module': lambda: call(175, buffer, 1, b''),
    'kexec_load': lambda: call(246, 0, 0, 0, 0),
    'reboot': lambda: call(169, 0xfee1dead, 672274793, 0, 0),
    'personality': lambda: call(135, 0x0040000),
    'memfd_create': lambda: call(319, b'x', 0),
    'memfd_secret': lambda: call(447, 0),
    'modify_ldt': lambda: call(154, 0, buffer, 16),
    'iopl': lambda: call(172, 3),
    'set time': lambda: call(227, 0, buffer),
    'shmget': lambda: call(29, 0, 4096, 0o1600),
    'swapon': lambda: call(167, b'/work/x', 0),
    'fanotify': lambda: call(300, 0, 0),
    'landlock, seccomp of its own': lambda: call(317, 1, 0, buffer),
    'tcp': lambda: sock(socket.AF_INET, socket.SOCK_STREAM),
    'udp 6': lambda: sock(socket.AF_INET6, socket.SOCK_DGRAM),
    'netlink': lambda: sock(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    'packet': lambda: sock(socket.AF_PACKET, socket.SOCK_RAW),
    'vsock': lambda: sock(40, socket.SOCK_STREAM),
    'alg': lambda: sock(38, socket.SOCK_SEQPACKET),
    'abstract socket of the host': lambda: socket.socket(socket.AF_UNIX).connect('\0' + sys.argv[1]) or 'connected',
    'setuid 0': lambda: os.setuid(0) or 'done',
    'setuid host user': lambda: os.setuid(65534) or 'done',
    'setgroups': lambda: os.setgroups([0]) or 'done',
    'capabilities': lambda: {f: field(f) for f in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb') if int(field(f), 16)},
    'no_new_privs': lambda: field('NoNewPrivs') != '1',
    'seccomp': lambda: field('Seccomp') != '2',
    'root identity': lambda: 0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid()),
    'groups': lambda: set(os.getgroups()) - {1000, 65534},
    'hostname': lambda: os.uname().nodename != 'cage',
    'inherited descriptors': lambda: inherited,
    'environment': lambda: set(os.environ) - {'HOME', 'LD_LIBRARY_PATH', 'LC_CTYPE'},
    'terminal': lambda: call(16, 0, 0x5412, b'x'),
    'raise a limit': lambda: __import__('resource').setrlimit(7, (4096, 4096)) or 'raised',
    'signal outside': lambda: os.kill(2 ** 21, 0) or 'sent',
    'kill pid 1': lambda: (os.kill(1, 9), os.kill(1, 19), not os.path.isdir('/proc'))[2],
}
for name, probe in probes.items():
    try:
        leak = probe()
    except (OSError, ValueError) as error:
        leak = None
    print(f'{name}: LEAK {leak!r}' if leak else f'{name}: blocked', flush=True)
print(len(probes), 'probes')
"#;

// The probes name calls by their x86-64 numbers.
#[cfg(target_arch = "x86_64")]
#[test]
fn no_probe_gets_out() {
    // Things that could be inherited or reached: a descriptor without CLOEXEC, and an abstract socket.
    let stray = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&stray, rustix::io::FdFlags::empty()).unwrap();
    assert!(stray.as_raw_fd() > 2);
    let name = format!("meliora-escape-{}", std::process::id());
    let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name);
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address.unwrap()).unwrap();

    let cage = cage();
    let ran = run(&*cage, &[&python().program, "-I", "-S", "-c", PROBES, &name]);
    let told = out(&ran);
    assert_eq!(ran.ending, Ending::Exited(0), "{told}{}", err(&ran));
    let leaks: Vec<_> = told.lines().filter(|line| line.contains("LEAK")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let blocked = told.lines().filter(|line| line.ends_with(": blocked")).count();
    assert!(blocked > 80 && told.ends_with(&format!("{blocked} probes\n")), "{told}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_another_abi_kill_the_caller() {
    let cage = cage();
    let x32 = py(&*cage, "import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 39); print('alive')");
    assert_eq!((out(&x32).as_str(), x32.ending), ("", Ending::Signalled(31)));
    let int80 = "
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex('b814000000cd80c3'))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print('alive')
";
    let int80 = py(&*cage, int80);
    assert_eq!((out(&int80).as_str(), int80.ending), ("", Ending::Signalled(31)), "{}", err(&int80));
}

#[test]
fn a_network_of_the_host_is_not_there() {
    let cage = cage();
    let seen = py(
        &*cage,
        "import os; print(os.path.exists('/proc/net'), os.path.exists('/proc/self/net/dev') and open('/proc/self/net/dev').read().count(':'))",
    );
    let told = out(&seen);
    assert!(told.starts_with("False") && !told.contains('2'), "{told}{}", err(&seen));
}

#[test]
fn results_are_never_fetched_through_what_a_subject_made_of_them() {
    let cage = cage();
    let code = "
import os, socket
os.symlink('/etc/passwd', '/work/link')
os.symlink('/work', '/work/way')
os.mkfifo('/work/fifo')
socket.socket(socket.AF_UNIX).bind('/work/socket')
os.mkdir('/work/folder')
with open('/work/sparse', 'w') as f: f.truncate(60 << 20)
open('/work/real', 'w').write('ok')
os.chmod('/work/real', 0o600)
";
    assert_eq!(py(&*cage, code).ending, Ending::Exited(0));
    for path in ["/work/link", "/work/way/real", "/work/fifo", "/work/socket", "/work/folder", "/work/none", "/work"] {
        assert!(matches!(cage.get(path, 1 << 20), Err(CageError::NoFile { .. })), "{path}: {:?}", cage.get(path, 100));
    }
    assert!(matches!(cage.get("/work/sparse", 1 << 20), Err(CageError::TooLarge { .. })));
    assert_eq!(cage.get("/work/real", 10).unwrap(), b"ok");
    let files: Vec<_> = cage
        .list("/work")
        .unwrap()
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .map(|entry| entry.name)
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(matches!(cage.list("/work/way"), Err(CageError::NoFile { .. })));
    // What is put takes the place of what was there, and goes nowhere else.
    for path in ["/work/link", "/work/fifo"] {
        cage.put(path, b"mine", false).unwrap();
        assert_eq!(cage.get(path, 10).unwrap(), b"mine");
    }
    assert!(matches!(cage.put("/work/way/x", b"x", false), Err(CageError::NoFile { .. })));
}

#[test]
fn two_cages_cannot_see_or_signal_each_other() {
    let (one, two) = (cage(), cage());
    let process = one.spawn(&command(["/bin/sh", "-c", "echo secret > /tmp/mine; echo up; sleep 100"])).unwrap();
    process.next().unwrap();
    let code = "
import os
print([p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())], os.listdir('/tmp'), os.listdir('/work'))
try: os.kill(-1, 9)
except ProcessLookupError: pass
";
    assert_eq!(out(&py(&*two, code)), "[] [] []\n");
    process.signal(0).unwrap();
    assert_eq!(out(&shell(&*one, "cat /tmp/mine")), "secret\n");
}

#[test]
fn each_cage_has_a_user_of_its_own_where_the_host_can_give_one() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (one, two) = (cage(), cage());
    let mut held = Vec::new();
    for (cage, name) in [(&one, "3001.5"), (&two, "3002.5")] {
        let process = cage.spawn(&command(["/bin/sh", "-c", &format!("echo up; exec sleep {name}")])).unwrap();
        process.next().unwrap();
        held.push(process);
    }
    let users = users_of(["3001.5", "3002.5"]);
    assert!(users[0] != users[1] && users.iter().all(|user| *user >= 1_900_000_000), "{users:?}");
}

#[test]
fn ordinary_user_gets_out_no_more_than_root() {
    again_as_an_ordinary_user();
}
