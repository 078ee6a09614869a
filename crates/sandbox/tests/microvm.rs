//! Cages in virtual machines: what is theirs alone. What they share with every other backend is in `conformance.rs`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::Sandbox;

#[test]
fn python_runs_in_a_machine() {
    let Some(microvm) = microvm() else { return };
    let start = std::time::Instant::now();
    let cage = microvm.open(vm_spec(vm_limits())).unwrap();
    eprintln!("{:?} {}", start.elapsed(), microvm.describe());
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let ran = run(&*cage, &["/usr/bin/python3", "-I", "-S", "-c", "import os; print(6*7, os.uname().nodename)"]);
        eprintln!("{:?}", start.elapsed());
        assert_eq!((out(&ran).as_str(), err(&ran).as_str(), ran.ending), ("42 cage\n", "", Ending::Exited(0)));
    }
    let start = std::time::Instant::now();
    let ran = shell(&*cage, "uname -a; cat /proc/cpuinfo | head -5; ls /; id; ls -la /dev /sys");
    eprintln!("{:?} {}", start.elapsed(), out(&ran));
}
