//! The privileged part: from a fresh clone to PID 1 of a closed cage, in one list, read top to bottom.
//!
//! Runs in the child of a clone in a process with threads: it must not allocate, lock, panic or call anything but
//! system calls. Every string and table was made before by [`crate::plan`]. A step that fails ends the child, and the
//! host is told which one it was: there is no weaker cage.

use std::ffi::CStr;
use std::os::fd::RawFd;

use libc::{c_int, c_ulong};

use crate::plan::{CAGE_ID, Plan, pointer};
use crate::sys::{self, Errno, check};
use crate::wire::READY_FDS;

/// The steps, for the host's error message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Step {
    Descriptors = 1,
    Groups,
    Session,
    Wait,
    PrivateMounts,
    Identity,
    RootFolder,
    WritableFolders,
    Proc,
    Terminals,
    Skeleton,
    HostFolders,
    Pivot,
    SealRoot,
    Hostname,
    OwnDescriptors,
    Capabilities,
    NoNewPrivileges,
    Landlock,
    Seccomp,
    Announce,
}

impl Step {
    /// The step of a number from the wire: its layer, and what a person can do where it fails.
    pub(crate) fn explain(number: u32) -> (&'static str, Option<&'static str>) {
        use Step::*;
        const ALL: [Step; 21] = [
            Descriptors,
            Groups,
            Session,
            Wait,
            PrivateMounts,
            Identity,
            RootFolder,
            WritableFolders,
            Proc,
            Terminals,
            Skeleton,
            HostFolders,
            Pivot,
            SealRoot,
            Hostname,
            OwnDescriptors,
            Capabilities,
            NoNewPrivileges,
            Landlock,
            Seccomp,
            Announce,
        ];
        match ALL.into_iter().find(|step| *step as u32 == number) {
            Some(Descriptors) => ("closing inherited descriptors", Some("Linux 5.9 or newer is needed")),
            Some(Groups) => (
                "control groups",
                Some("the folder of this process's control group must stay as it is while Meliora runs"),
            ),
            Some(Session | Wait | Announce) | None => ("cage start", None),
            Some(PrivateMounts | RootFolder | WritableFolders | Pivot | SealRoot) => (
                "mount namespace",
                Some(
                    "mounts inside a user namespace are restricted, often by AppArmor: \
                     set kernel.apparmor_restrict_unprivileged_userns=0 or allow the program by a profile",
                ),
            ),
            Some(Identity) => ("user namespace identity", None),
            Some(Proc) => (
                "proc of the cage",
                Some(
                    "in a container, /proc must not be masked: start it with an unmasked /proc (unmask=ALL with podman, systempaths=unconfined with docker)",
                ),
            ),
            Some(Terminals) => ("terminals of the cage", Some("the kernel must be built with CONFIG_UNIX98_PTYS")),
            Some(Skeleton) => ("folders of the cage", None),
            Some(HostFolders) => (
                "read-only mounts",
                Some(
                    "every read-only path must be reachable for the user who starts the cage; Linux 5.12 or newer is needed",
                ),
            ),
            Some(Hostname) => (
                "host name namespace",
                Some("in a container, its filter of system calls must let cages be built: seccomp=unconfined"),
            ),
            Some(OwnDescriptors) => ("descriptors of the cage", None),
            Some(Capabilities) => ("dropping capabilities", None),
            Some(NoNewPrivileges) => ("no_new_privs", None),
            Some(Landlock) => {
                ("landlock", Some("the kernel must be built with Landlock and have it in its lsm= boot list"))
            }
            Some(Seccomp) => ("seccomp", Some("the kernel must be built with CONFIG_SECCOMP_FILTER")),
        }
    }
}

/// Which step failed, and why.
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: Errno,
}

trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| Failure { step, errno })
    }
}

/// Options of the cage's own terminals: they belong to its user, and are few. A mount is an instance of its own.
const TERMINALS: &CStr = c"uid=1000,gid=1000,mode=600,ptmxmode=666,max=64";
const _: () = assert!(CAGE_ID == 1000);

/// Builds the cage around the calling process and returns the folders to hand to the host: `/work`, `/tmp`, `/proc` and
/// `/dev/pts`, or -1 for what it does not have.
pub(crate) fn enclose(plan: &Plan) -> Result<[RawFd; READY_FDS], Failure> {
    // 1. Nothing of the host stays open. Other threads' descriptors came along with the clone, among them the host's
    //    ends of other cages' sockets, which would keep those from noticing the host's death.
    sys::close_all_but(&plan.keep).at(Step::Descriptors)?;

    //    Limits over all that will ever run here, before anything does; then a view that begins there.
    join_groups(plan).at(Step::Groups)?;

    // 2. Own session: no terminal, and no signal from the host's keyboard. Every signal is held back; SIGCHLD is
    //    read from a descriptor later.
    session().at(Step::Session)?;

    // 3. No mount of ours is ever seen outside.
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None).at(Step::PrivateMounts)?;

    // 4. Wait for the host to write the identity map: from here on we may be who we shall be. The one identity that
    //    exists here is not root, so no capability ever comes back from it.
    wait_for_go(plan.control).at(Step::Wait)?;
    // Before the identity is taken: as long as this process is its host user, that user's folders can be entered.
    take_trees(plan).at(Step::HostFolders)?;
    become_cage_user().at(Step::Identity)?;

    // 5. An empty root in memory, on a place that every host has. Nothing is executed, opened as a device or raised
    //    to another user from it.
    let plain = libc::MS_NOSUID | libc::MS_NODEV;
    mount(Some(c"tmpfs"), c"/usr", Some(c"tmpfs"), plain, Some(&plan.root_options)).at(Step::RootFolder)?;
    change_folder(c"/usr").at(Step::RootFolder)?;

    // 6. Folders, links and files of the root; then the places that can be written, each of limited size and number
    //    of files. (Places of read-only trees below those are made once they are mounted, so twice over all folders.)
    make_folders(plan).at(Step::Skeleton)?;
    mount(Some(c"tmpfs"), c"work", Some(c"tmpfs"), plain, Some(&plan.space_options)).at(Step::WritableFolders)?;
    mount(Some(c"tmpfs"), c"tmp", Some(c"tmpfs"), plain, Some(&plan.space_options)).at(Step::WritableFolders)?;
    // Semaphores and memory that the processes of the cage share, as Python's multiprocessing has them.
    let data = plain | libc::MS_NOEXEC;
    mount(Some(c"tmpfs"), c"dev/shm", Some(c"tmpfs"), data, Some(&plan.shared_options)).at(Step::WritableFolders)?;
    if let Some(home) = &plan.home {
        mount(Some(c"work"), home, None, libc::MS_BIND, None).at(Step::WritableFolders)?;
    }
    make_folders(plan).at(Step::Skeleton)?;
    make_links_and_files(plan).at(Step::Skeleton)?;

    // 7. Processes of the cage only, and of those only what belongs to processes: nothing of the kernel.
    let inert = plain | libc::MS_NOEXEC | libc::MS_RDONLY;
    mount(Some(c"proc"), c"proc", Some(c"proc"), inert, Some(c"hidepid=2,subset=pid")).at(Step::Proc)?;

    //    Terminals of its own, where it was opened for any: none of the host's can be named.
    if plan.terminals {
        let own = libc::MS_NOSUID | libc::MS_NOEXEC;
        mount(Some(c"devpts"), c"dev/pts", Some(c"devpts"), own, Some(TERMINALS)).at(Step::Terminals)?;
    }

    // 8. The host's system folders, interpreters and four devices. Read-only (submounts too), before they are placed.
    place_trees(plan).at(Step::HostFolders)?;

    // 9. This is the root now, and the host's is gone.
    pivot().at(Step::Pivot)?;

    // 10. The root itself is read-only from here on.
    mount(None, c"/", None, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | plain, None).at(Step::SealRoot)?;

    // 11. A name that tells nothing of the host.
    hostname().at(Step::Hostname)?;

    confine(plan)
}

/// The same for a cage that a container's engine has built: its PID 1 has only to close it.
pub(crate) fn enclose_within(plan: &Plan) -> Result<[RawFd; READY_FDS], Failure> {
    sys::close_all_but(&plan.keep).at(Step::Descriptors)?;
    session().at(Step::Session)?;
    confine(plan)
}

/// The steps that need no right over anything but oneself.
fn confine(plan: &Plan) -> Result<[RawFd; READY_FDS], Failure> {
    // 12. What the host reads and writes files by, and quiet standard streams for PID 1, so that 0, 1 and 2 are taken.
    let folders = own_descriptors(plan).at(Step::OwnDescriptors)?;

    // 13. No capability, not even in this user namespace, and none to be had.
    drop_capabilities().at(Step::Capabilities)?;

    // 14. No program gains privileges when it is executed; and nobody reads this process, a copy of the host's memory.
    no_new_privileges().at(Step::NoNewPrivileges)?;

    // 15. Landlock: even if a mount were not what it should be, only `/work`, `/tmp` and `/dev/shm` can be written, no
    //     port opened, no process outside signalled.
    landlock(plan).at(Step::Landlock)?;

    // 16. Seccomp last, because the steps above need calls that it takes away.
    seccomp(plan).at(Step::Seccomp)?;
    Ok(folders)
}

fn join_groups(plan: &Plan) -> Result<(), Errno> {
    for group in &plan.groups {
        // "0" is whoever writes it, who alone need not wait for all others of the machine to stand still.
        // SAFETY: writes a string of ours; the descriptor is closed here and not used again.
        unsafe {
            let joined = check(libc::write(*group, c"0".as_ptr().cast(), 1) as i64);
            libc::close(*group);
            joined?;
        }
    }
    if plan.groups.is_empty() && plan.into.is_none() {
        return Ok(());
    }
    // SAFETY: a number only.
    check(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }).map(drop)
}

fn session() -> Result<(), Errno> {
    // SAFETY: plain calls on this process; the mask is a value of ours that `sigfillset` fills.
    unsafe {
        match check(libc::setsid()) {
            // PID 1 of a container leads its session already.
            Ok(_) | Err(libc::EPERM) => {}
            Err(errno) => return Err(errno),
        }
        libc::umask(0o022);
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        check(libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut())).map(drop)
    }
}

fn wait_for_go(control: RawFd) -> Result<(), Errno> {
    let mut byte = 0u8;
    // SAFETY: reads one byte into a variable of ours.
    match check(unsafe { libc::read(control, (&raw mut byte).cast(), 1) } as i64)? {
        1 => Ok(()),
        _ => Err(libc::ECANCELED),
    }
}

fn become_cage_user() -> Result<(), Errno> {
    let id = libc::c_long::from(CAGE_ID);
    // Raw calls: the C library's own forms would look for the host's other threads.
    // SAFETY: calls without pointers.
    unsafe {
        check(libc::syscall(libc::SYS_setresgid, id, id, id))?;
        check(libc::syscall(libc::SYS_setresuid, id, id, id)).map(drop)
    }
}

fn take_trees(plan: &Plan) -> Result<(), Errno> {
    for mount in &plan.mounts {
        if mount.tree.get() < 0 {
            let tree = sys::open_tree(&mount.source)?;
            sys::harden_tree(tree, mount.attributes)?;
            mount.tree.set(tree);
        }
    }
    Ok(())
}

fn place_trees(plan: &Plan) -> Result<(), Errno> {
    for mount in &plan.mounts {
        sys::place_tree(mount.tree.get(), &mount.target)?;
        // SAFETY: the descriptor is ours and not used again.
        unsafe { libc::close(mount.tree.get()) };
    }
    Ok(())
}

fn make_folders(plan: &Plan) -> Result<(), Errno> {
    for folder in &plan.folders {
        // SAFETY: a valid C string.
        match check(unsafe { libc::mkdir(folder.as_ptr(), 0o755) }) {
            Ok(_) | Err(libc::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn make_links_and_files(plan: &Plan) -> Result<(), Errno> {
    for (to, name) in &plan.links {
        // SAFETY: valid C strings.
        check(unsafe { libc::symlink(to.as_ptr(), name.as_ptr()) })?;
    }
    for (path, content) in &plan.files {
        let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC;
        // SAFETY: a valid C string; the content is a slice of ours; the descriptor is closed here and not used again.
        unsafe {
            let file = check(libc::open(path.as_ptr(), flags, 0o444 as c_int))? as RawFd;
            let written = check(libc::write(file, content.as_ptr().cast(), content.len()) as i64);
            libc::close(file);
            written?;
        }
    }
    Ok(())
}

fn change_folder(path: &CStr) -> Result<(), Errno> {
    // SAFETY: a valid C string.
    check(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}

fn pivot() -> Result<(), Errno> {
    // With both names the same, the old root lies on top of the new one, from where it is detached.
    // SAFETY: valid C strings.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        check(libc::umount2(c".".as_ptr(), libc::MNT_DETACH))?;
    }
    change_folder(c"/")
}

fn hostname() -> Result<(), Errno> {
    let name = c"cage";
    // SAFETY: a valid string of the given length; the domain name is set to nothing.
    unsafe {
        check(libc::sethostname(name.as_ptr(), name.count_bytes()))?;
        check(libc::setdomainname(c"".as_ptr(), 0)).map(drop)
    }
}

fn own_descriptors(plan: &Plan) -> Result<[RawFd; READY_FDS], Errno> {
    let folder = |path: &CStr, flags: c_int| {
        // SAFETY: a valid C string.
        check(unsafe { libc::open(path.as_ptr(), flags | libc::O_DIRECTORY | libc::O_CLOEXEC) }).map(|fd| fd as RawFd)
    };
    // SAFETY: a valid C string; the copies replace 0, 1 and 2, which nobody uses: the kept descriptors lie above.
    unsafe {
        let null = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC))? as RawFd;
        for standard in 0..=2 {
            if standard != null {
                check(libc::dup2(null, standard))?;
            }
        }
        if null > 2 {
            libc::close(null);
        }
    }
    let terminals = if plan.terminals { folder(c"/dev/pts", libc::O_PATH)? } else { -1 };
    Ok([folder(c"/work", libc::O_PATH)?, folder(c"/tmp", libc::O_PATH)?, folder(c"/proc", libc::O_RDONLY)?, terminals])
}

fn drop_capabilities() -> Result<(), Errno> {
    // linux/capability.h
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    const VERSION_3: u32 = 0x2008_0522;
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong)?;
    for capability in 0..64u64 {
        // SAFETY: asks about a number.
        match check(unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability) }) {
            // An engine's container has none from the start, nor the right to drop any.
            Ok(0) => {}
            Ok(_) => prctl(libc::PR_CAPBSET_DROP, capability)?,
            // Past the last one that this kernel knows.
            Err(libc::EINVAL) if capability > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    let header = Header { version: VERSION_3, pid: 0 };
    let none = [0u32; 6];
    // SAFETY: header and sets have the kernel's layout for version 3 (two triples of words).
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) }).map(drop)
}

fn no_new_privileges() -> Result<(), Errno> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    prctl(libc::PR_SET_DUMPABLE, 0)
}

fn landlock(plan: &Plan) -> Result<(), Errno> {
    // linux/landlock.h; a kernel that knows less takes the longer form as long as the rest is zero.
    #[repr(C)]
    struct Ruleset {
        fs: u64,
        net: u64,
        scoped: u64,
    }
    #[repr(C, packed)]
    struct Beneath {
        allowed: u64,
        parent: i32,
    }
    const PATH_BENEATH: c_int = 1;
    let rights = &plan.rights;
    let ruleset = Ruleset { fs: rights.handled_fs, net: rights.handled_net, scoped: rights.scoped };
    // SAFETY: the structure has the kernel's layout and its size is given.
    let rules = check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size_of::<Ruleset>(), 0u32)
    })? as RawFd;
    for (path, allowed) in [
        (c"/", rights.look),
        (c"/work", rights.own),
        (c"/tmp", rights.own),
        (c"/dev/shm", rights.share),
        (c"/dev/null", rights.sink),
        (c"/dev/tty", rights.terminal),
        (c"/dev/pts", rights.terminal | rights.list),
    ] {
        if !plan.terminals && (path == c"/dev/tty" || path == c"/dev/pts") {
            continue;
        }
        // SAFETY: a valid C string; the rule has the kernel's (packed) layout; the descriptor is closed here.
        unsafe {
            let parent = check(libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC))? as RawFd;
            let rule = Beneath { allowed, parent };
            let added = check(libc::syscall(libc::SYS_landlock_add_rule, rules, PATH_BENEATH, &raw const rule, 0u32));
            libc::close(parent);
            added?;
        }
    }
    // SAFETY: the ruleset is ours; it is closed and not used again.
    unsafe {
        check(libc::syscall(libc::SYS_landlock_restrict_self, rules, 0u32))?;
        libc::close(rules);
    }
    Ok(())
}

fn seccomp(plan: &Plan) -> Result<(), Errno> {
    let program =
        libc::sock_fprog { len: plan.filter.len() as libc::c_ushort, filter: plan.filter.as_ptr().cast_mut() };
    // SAFETY: the program points to `len` instructions, which the kernel copies and checks.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0u32, &raw const program) })
        .map(drop)
}

fn prctl(option: c_int, argument: c_ulong) -> Result<(), Errno> {
    // SAFETY: the options used here take numbers only.
    check(unsafe { libc::prctl(option, argument, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) }).map(drop)
}

fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: c_ulong,
    options: Option<&CStr>,
) -> Result<(), Errno> {
    // SAFETY: each pointer is a valid C string or null, as the call allows.
    check(unsafe { libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(options).cast()) })
        .map(drop)
}
