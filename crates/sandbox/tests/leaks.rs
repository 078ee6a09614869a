//! Many cages, one after another and at once: nothing is left of them.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use meliora_domain::Limits;
use meliora_evolve::{Command, Sandbox, Terminal, run_to_end};
use meliora_sandbox::Namespaces;

/// What this process and its sandbox hold: descriptors, children, mounts that the host sees, control groups, threads.
#[derive(PartialEq, Eq, Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    children: usize,
    mounts: usize,
    groups: usize,
    threads: usize,
}

fn held() -> Held {
    let count = |path: &str| std::fs::read_dir(path).unwrap().count();
    let me = std::process::id();
    let children = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (parent == me).then_some(())
    });
    let name = format!("/meliora-{me}-");
    let list = std::process::Command::new("find").args(["/sys/fs/cgroup", "-type", "d"]).output().unwrap();
    Held {
        descriptors: count("/proc/self/fd"),
        children: children.count(),
        mounts: std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(),
        groups: String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.contains(&name)).count(),
        threads: count("/proc/self/task"),
    }
}

/// KiB that a process holds.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// One of each way in which a cage is used and ends.
fn use_one(sandbox: &Namespaces, turn: usize) {
    let mut spec = spec(Limits::default());
    spec.terminals = turn % 4 == 1;
    let cage = sandbox.open(spec).unwrap();
    match turn % 4 {
        0 => assert_eq!(out(&shell(&*cage, "echo hello; sleep 100 &")), "hello\n"),
        1 => {
            let size = Some(Terminal { columns: 80, rows: 24 });
            let at_terminal = Command { terminal: size, ..command(["/bin/sh", "-c", "echo hello"]) };
            assert_eq!(out(&run_to_end(&*cage, &at_terminal, b"").unwrap()), "hello\r\n");
        }
        2 => {
            cage.put("/work/x", &[0; 10_000], false).unwrap();
            drop(cage.spawn(&command(["/bin/sleep", "100"])).unwrap());
        }
        _ => {
            let process = cage.spawn(&command(["/bin/sleep", "100"])).unwrap();
            drop(cage);
            process.next().unwrap();
        }
    }
}

#[test]
fn three_hundred_cages_in_a_row_and_sixty_four_at_once_leave_nothing() {
    let before = held();
    for ahead in [0, 2] {
        let sandbox = Namespaces::new().unwrap().ahead(ahead).unwrap();
        // What is made once and kept.
        for turn in 0..8 {
            use_one(&sandbox, turn);
        }
        let (begun, small) = (held(), resident(std::process::id()));
        for turn in 0..300 {
            use_one(&sandbox, turn);
            if turn % 10 == 0 {
                let mut wrong = spec(Limits::default());
                wrong.read_only.push(meliora_evolve::ReadOnly { path: "/no/such/place".into() });
                assert!(sandbox.open(wrong).is_err());
            }
        }
        // Some are kept for the next cage, or wait; one that is lost with each would be three hundred.
        let few = |now: usize, then: usize| now <= then + 40;
        let settled = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let now = held();
            few(now.descriptors, begun.descriptors)
                && few(now.children, begun.children)
                && few(now.groups, begun.groups)
                && (now.mounts, now.threads) == (begun.mounts, begun.threads)
        });
        assert!(settled, "{begun:?} became {:?}", held());
        let grown = resident(std::process::id()).saturating_sub(small);
        assert!(grown < 8 << 10, "{grown} KiB more");

        let cages: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..64).map(|_| scope.spawn(|| sandbox.open(spec(Limits::default())).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let running: Vec<_> =
            cages.iter().map(|cage| cage.spawn(&command(["/bin/sh", "-c", "read x; echo $x"])).unwrap()).collect();
        for (n, process) in running.iter().enumerate() {
            process.write(format!("{n}\n").as_bytes()).unwrap();
            assert_eq!(process.next().unwrap(), meliora_evolve::Happening::Stdout(format!("{n}\n").into_bytes()));
        }
        drop((running, cages));
    }
    let mut now = held();
    for _ in 0..200 {
        if now == before {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        now = held();
    }
    panic!("{before:?} became {now:?}");
}
