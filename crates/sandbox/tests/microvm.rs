//! Cages in virtual machines: what is theirs alone. What they share with every other backend is in `conformance.rs`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::time::Duration;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::{Happening, ReadOnly, Sandbox};

/// Cages of machines, open at once where a test needs several.
fn machine() -> Option<Box<dyn meliora_evolve::Cage>> {
    Some(microvm()?.open(vm_spec(vm_limits())).expect("the machine goes on"))
}

#[test]
fn python_runs_under_a_kernel_of_its_own_in_a_cage_as_on_the_host() {
    let Some(cage) = machine() else { return };
    let ran = run(&*cage, &["/usr/bin/python3", "-I", "-S", "-c", "import os; print(6 * 7, os.uname().release)"]);
    let host = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!((err(&ran).as_str(), ran.ending), ("", Ending::Exited(0)));
    let told = out(&ran);
    assert!(told.starts_with("42 ") && !told.contains(host.trim()), "{told} on {host}");

    let words = microvm().unwrap().describe();
    assert!(
        words.contains("KVM") && words.contains("kernel linux-image-") && words.contains("static agent"),
        "{words}"
    );
    assert!(words.contains("inside: namespaces (user, pid, mount, network, ipc, uts, cgroup), an own user"), "{words}");
    assert!(words.contains("seccomp") && words.contains("landlock"), "{words}");
}

#[test]
fn there_is_no_network_not_even_a_device_for_one() {
    let Some(cage) = machine() else { return };
    // The machine as its own kernel's log would not tell a cage; what a cage sees is the loopback of its own space.
    let ran = run(&*cage, &["/usr/bin/python3", "-I", "-S", "-c", "print(open('/proc/net/dev').read().count(':'))"]);
    assert!(matches!(out(&ran).as_str(), "1\n" | ""), "{} {}", out(&ran), err(&ran));
    let python = "import socket\ns = socket.socket()\ns.settimeout(3)\ns.connect(('192.0.2.1', 80))";
    assert_ne!(run(&*cage, &["/usr/bin/python3", "-I", "-c", python]).ending, Ending::Exited(0));
}

#[test]
fn machines_of_one_snapshot_share_no_random_numbers_and_know_the_time() {
    let (Some(one), Some(two)) = (machine(), machine()) else { return };
    let code = "import os, time, uuid; print(os.urandom(16).hex(), uuid.uuid4()); print(time.time())";
    let ask = |cage: &dyn meliora_evolve::Cage| {
        let ran = run(cage, &["/usr/bin/python3", "-I", "-S", "-c", code]);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let told = out(&ran);
        let (random, time) = told.trim().split_once('\n').expect("two lines");
        let off = (time.parse::<f64>().unwrap() - now).abs();
        assert!(off < 60.0, "the clock is off by {off} seconds");
        random.to_owned()
    };
    let (first, second) = (ask(&*one), ask(&*two));
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (a, b) in words(&first).iter().zip(words(&second)) {
        assert_ne!(*a, b);
    }
}

#[test]
fn what_one_machine_writes_no_other_sees() {
    let Some(one) = machine() else { return };
    one.put("/work/note", b"mine", false).unwrap();
    assert_eq!(out(&shell(&*one, "cat /work/note; echo more > /tmp/more")), "mine");
    let two = machine().unwrap();
    assert_eq!(out(&shell(&*two, "ls -A /work /tmp")), "/tmp:\n\n/work:\n");
}

#[test]
fn a_folder_and_a_file_of_the_host_are_seen_at_their_own_paths_read_only() {
    let Some(microvm) = microvm() else { return };
    let place = tempfile::Builder::new().prefix("microvm").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (folder, file) = (place.path().join("library"), place.path().join("tool"));
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    std::fs::write(folder.join("deep/data"), "from the host").unwrap();
    std::fs::write(&file, "#!/bin/sh\necho the tool runs\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let mut spec = vm_spec(vm_limits());
    spec.read_only = vec![ReadOnly { path: folder.clone() }, ReadOnly { path: file.clone() }];
    let cage = microvm.open(spec).unwrap();
    let script = format!(
        "cat {0}/deep/data; {1}; echo x > {0}/deep/data; ls {2}",
        folder.display(),
        file.display(),
        place.path().display()
    );
    let ran = shell(&*cage, &script);
    assert_eq!(out(&ran), "from the hostthe tool runs\nlibrary\ntool\n", "{}", err(&ran));
    assert!(err(&ran).contains("Read-only"), "{}", err(&ran));
    assert_eq!(std::fs::read(folder.join("deep/data")).unwrap(), b"from the host");
}

#[test]
fn a_path_that_is_not_there_is_named_before_any_machine_starts() {
    let Some(microvm) = microvm() else { return };
    for path in ["/no/such/place", "/", "/proc/1", "relative"] {
        let mut spec = vm_spec(vm_limits());
        spec.read_only.push(ReadOnly { path: path.into() });
        let Err(error) = microvm.open(spec) else { panic!("'{path}' was shown") };
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn limits_of_time_output_and_memory_hold_in_a_machine() {
    let Some(microvm) = microvm() else { return };
    let limits = Limits { output: 10_000, wall: Duration::from_secs(20), ..vm_limits() };
    let cage = microvm.open(vm_spec(limits)).unwrap();
    let slow = meliora_evolve::Command { wall: Some(Duration::from_secs(2)), ..command(["/bin/sleep", "100"]) };
    assert_eq!(meliora_evolve::run_to_end(&*cage, &slow, b"").unwrap().ending, Ending::WallClock);
    let flood = shell(&*cage, "yes");
    assert_eq!((flood.stdout.len(), flood.ending), (10_000, Ending::OutputCap));
    let hungry = run(&*cage, &["/usr/bin/python3", "-I", "-S", "-c", "x = bytearray(400 << 20)"]);
    assert!(err(&hungry).contains("MemoryError") || hungry.ending == Ending::Memory, "{hungry:?}");
    // The cage is as good as before.
    assert_eq!(out(&shell(&*cage, "echo still here")), "still here\n");
}

/// Processes of QEMU that are children of a process, by what `/proc` tells.
fn machines_of(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.rsplit_once(')') else { continue };
        let of_parent = rest.split_whitespace().nth(1) == Some(&parent.to_string());
        if of_parent && name.contains("qemu") && !rest.trim_start().starts_with('Z') {
            found.push(pid);
        }
    }
    found
}

#[test]
fn qemu_is_nobody_of_the_host_and_has_no_network_and_no_privileges() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(_cage) = machine() else { return };
    let machines = machines_of(std::process::id());
    assert!(!machines.is_empty());
    for pid in machines {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
        let uid: u32 = line("Uid:").split_whitespace().next().unwrap().parse().unwrap();
        assert!(uid >= 100_000, "{status}");
        assert_eq!((line("CapEff:").as_str(), line("Seccomp:").as_str()), ("0000000000000000", "2"), "{status}");
        let space = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        assert_ne!(space(&pid.to_string()), space("self"));
    }
}

#[test]
fn a_closed_cage_leaves_no_machine() {
    let Some(cage) = machine() else { return };
    let process = cage.spawn(&command(["/bin/sh", "-c", "echo up; exec sleep 100"])).unwrap();
    assert_eq!(process.next().unwrap(), Happening::Stdout(b"up\n".to_vec()));
    let before = machines_of(std::process::id());
    drop(cage);
    assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(9)));
    let after = machines_of(std::process::id());
    assert!(before.iter().any(|pid| !after.contains(pid)), "{before:?} {after:?}");
}

#[test]
fn kill_nine_of_the_host_ends_its_machines() {
    let Some(_) = microvm() else { return };
    // Booted here first, so that the other only goes on.
    drop(machine());
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["helper_of_kill_nine", "--exact", "--nocapture"])
        .env("MELIORA_TEST_VICTIM", "1")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let wait_for = |done: &dyn Fn() -> bool| {
        (0..3000).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            done()
        })
    };
    let machines = std::cell::RefCell::new(Vec::new());
    assert!(wait_for(&|| {
        *machines.borrow_mut() = machines_of(host.id());
        !machines.borrow().is_empty()
    }));
    // Stopped, they cannot notice by themselves that nobody is there any more: a guest that was taken over would not.
    for machine in machines.borrow().iter() {
        let machine = rustix::process::Pid::from_raw(*machine as i32).unwrap();
        rustix::process::kill_process(machine, rustix::process::Signal::STOP).unwrap();
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let alive = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.contains("qemu") && !stat.contains(") Z "))
    };
    assert!(wait_for(&|| !machines.borrow().iter().any(alive)), "{machines:?} outlived the host");
}

#[test]
fn helper_of_kill_nine() {
    if std::env::var_os("MELIORA_TEST_VICTIM").is_none() {
        return;
    }
    let cage = machine().unwrap();
    loop {
        shell(&*cage, "sleep 1");
    }
}
