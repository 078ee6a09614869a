//! Machines that lack a layer, one after the other: the error names the layer and its mend, and no weaker cage opens.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::Sandbox;
use meliora_sandbox::Namespaces;

/// Opens a cage and says how it went. Run by the tests below, in a process of its own.
#[test]
fn helper_of_missing_layers() {
    if std::env::var("MELIORA_TEST_MISSING").is_err() {
        return;
    }
    match Namespaces::new() {
        Ok(sandbox) => {
            let cage = sandbox.open(spec(Limits { memory: 64 << 20, ..Limits::default() })).unwrap();
            let fill = "import mmap, time\nm = mmap.mmap(-1, 300 << 20)\nfor at in range(0, len(m), 4096): m[at] = 1\ntime.sleep(100)";
            assert_eq!(py(&*cage, fill).ending, Ending::Memory);
            eprintln!("OPEN {}", sandbox.describe());
        }
        Err(error) => eprintln!("CLOSED {error} | {}", error.hint.as_deref().unwrap_or_default()),
    }
}

fn helper() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["helper_of_missing_layers", "--exact", "--nocapture"]).env("MELIORA_TEST_MISSING", "1");
    command
}

fn told(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.starts_with("OPEN") || line.starts_with("CLOSED"));
    line.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stdout))).to_owned()
}

/// Runs the helper on a kernel that answers a call, if its first argument is this one, with this error.
fn without(call: libc::c_long, first: Option<u32>, errno: i32) -> String {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal, give) = (libc::BPF_LD | libc::BPF_W, libc::BPF_JMP | libc::BPF_JEQ, libc::BPF_RET);
    let refuse = step(give, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32);
    let allow = step(give, 0, 0, libc::SECCOMP_RET_ALLOW);
    let load = |offset| step(load | libc::BPF_ABS, 0, 0, offset);
    let mut filter = vec![load(0), step(equal, 1, 0, call as u32), allow];
    if let Some(first) = first {
        filter.extend([load(16), step(equal, 1, 0, first), allow]);
    }
    filter.push(refuse);
    let mut command = helper();
    // SAFETY: between fork and exec, system calls only, with a filter that was made before.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
            let set = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0;
            if set { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    told(command.output().unwrap())
}

#[test]
fn each_layer_that_the_kernel_refuses_is_named_with_its_mend() {
    let prctl = |option: i32| Some(option as u32);
    let cases: &[(libc::c_long, Option<u32>, i32, &str, &str)] = &[
        (libc::SYS_clone3, None, libc::ENOSYS, "user namespace", "Linux 5.7"),
        (libc::SYS_close_range, None, libc::ENOSYS, "descriptors", "Linux 5.9"),
        (libc::SYS_mount, None, libc::EACCES, "mount namespace", "AppArmor"),
        (libc::SYS_mount, None, libc::EPERM, "mount namespace", "apparmor_restrict_unprivileged_userns"),
        (libc::SYS_open_tree, None, libc::ENOSYS, "read-only", "Linux 5.12"),
        (libc::SYS_mount_setattr, None, libc::ENOSYS, "read-only", "Linux 5.12"),
        (libc::SYS_move_mount, None, libc::ENOSYS, "read-only mounts", "Linux 5.12"),
        (libc::SYS_pivot_root, None, libc::EPERM, "mount namespace", "AppArmor"),
        (libc::SYS_setresuid, None, libc::EPERM, "identity", ""),
        (libc::SYS_sethostname, None, libc::EPERM, "host name", ""),
        (libc::SYS_capset, None, libc::EPERM, "capabilities", ""),
        (libc::SYS_prctl, prctl(libc::PR_CAPBSET_DROP), libc::EPERM, "capabilities", ""),
        (libc::SYS_landlock_create_ruleset, None, libc::ENOSYS, "landlock", "lsm="),
        (libc::SYS_landlock_create_ruleset, None, libc::EOPNOTSUPP, "landlock", "lsm="),
        (libc::SYS_landlock_restrict_self, None, libc::EPERM, "landlock", "lsm="),
        (libc::SYS_seccomp, None, libc::EINVAL, "seccomp", "CONFIG_SECCOMP_FILTER"),
    ];
    for (call, first, errno, layer, mend) in cases {
        let told = without(*call, *first, *errno);
        assert!(
            told.starts_with("CLOSED") && told.contains(layer) && told.contains(mend),
            "call {call} fails with {errno}: {told}"
        );
    }
}

/// Runs the helper in mount and user namespaces that were changed first. Needs root, and `unshare` of util-linux.
fn after(prepare: &str) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let helper = helper();
    let arguments: Vec<_> = std::iter::once(helper.get_program()).chain(helper.get_args()).collect();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("{prepare} && exec \"$@\""), "sh"])
        .args(arguments)
        .env("MELIORA_TEST_MISSING", "1")
        .output()
        .expect("this test needs unshare of util-linux");
    Some(told(output))
}

#[test]
fn without_control_groups_the_limits_hold_as_well_and_the_description_says_so() {
    let Some(told) = after("umount -R /sys/fs/cgroup") else {
        // An ordinary user's cages have none anyway.
        let told = sandbox().describe();
        assert!(told.contains("no cgroup (") || told.contains("cgroup v2"), "{told}");
        return;
    };
    assert!(told.starts_with("OPEN") && told.contains("no cgroup (version 2: it is not mounted; version 1:"), "{told}");
    assert!(sandbox().describe().contains("cgroup v"), "{}", sandbox().describe());
    // Control groups that cannot be written.
    let Some(told) = after("for each in /sys/fs/cgroup/*; do mount -o bind,ro $each $each || exit 1; done") else {
        return;
    };
    assert!(told.starts_with("OPEN") && told.contains("no cgroup (") && told.contains("Read-only"), "{told}");
}

#[test]
fn a_masked_proc_and_namespaces_that_are_forbidden_or_used_up_are_named() {
    let Some(told) = after("mount -t tmpfs none /proc/sys") else { return };
    assert!(told.starts_with("CLOSED proc of the cage") && told.contains("unmasked"), "{told}");
    // The kernel gives no user namespace to a process whose root was changed, with the error of a host that gives none
    // to anybody.
    let Some(told) = after("mount --rbind / /mnt && set -- chroot /mnt \"$@\"") else { return };
    assert!(told.starts_with("CLOSED user namespace") && told.contains("unprivileged_userns_clone"), "{told}");
    let used_up = "unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"' sh \"$@\"; exit; true";
    let Some(told) = after(used_up) else { return };
    assert!(told.starts_with("CLOSED user namespace") && told.contains("max_user_namespaces"), "{told}");
}

#[test]
fn ordinary_user_is_told_the_same() {
    again_as_an_ordinary_user();
}
