//! How long a virtual machine takes: to boot, to go on from its snapshot, and for a command.
//!
//! `cargo bench -p meliora-sandbox --bench microvm`, with `ROUNDS=20` in the environment for another number of rounds. The
//! first run builds the image; the snapshot is made anew each time.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meliora_domain::{Ending, Limits};
use meliora_evolve::{Cage, CageSpec, Command, Sandbox, run_to_end};
use meliora_sandbox::{ImagePlan, Microvm, MicrovmPlan, build_image};

fn main() {
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("microvm");
    let image = ImagePlan { folder: place.join("image"), packages: Vec::new() };
    if !image.folder.join("image").exists() {
        let start = Instant::now();
        build_image(&image, &mut |_| {}).expect("an image");
        println!("image build: {:.1} s", start.elapsed().as_secs_f64());
    }
    let cache = place.join("bench");
    std::fs::remove_dir_all(&cache).ok();
    let agent = PathBuf::from(env!("CARGO_BIN_EXE_meliora-agent"));
    let make = |cache: &Path| {
        let qemu = PathBuf::from("qemu-system-x86_64");
        let plan = MicrovmPlan { qemu, image: image.folder.clone(), cache: cache.to_owned(), agent: agent.clone() };
        Microvm::new(plan).expect("virtual machines")
    };

    let sandbox = make(&cache);
    let start = Instant::now();
    let first = open(&sandbox);
    println!("boot, snapshot, first cage: {:.1} s", start.elapsed().as_secs_f64());
    println!("{}", sandbox.describe());
    drop(first);
    let start = Instant::now();
    drop(open(&make(&cache)));
    println!("snapshot from the cache, two machines of it: {:.2} s", start.elapsed().as_secs_f64());

    println!("{rounds} rounds, milliseconds: median (least)");
    let commands: [(&str, &[&str]); 3] = [
        ("true", &["/usr/bin/true"]),
        ("python3 -I -S -c pass", &["/usr/bin/python3", "-I", "-S", "-c", "pass"]),
        ("python3 -c pass", &["/usr/bin/python3", "-c", "pass"]),
    ];
    for (name, argv) in commands {
        let (mut opened, mut ran, mut again, mut dropped) = (vec![], vec![], vec![], vec![]);
        for _ in 0..rounds {
            let start = Instant::now();
            let cage = open(&sandbox);
            opened.push(start.elapsed());
            ran.push(time(|| run(&*cage, argv)));
            again.push(time(|| run(&*cage, argv)));
            dropped.push(time(|| drop(cage)));
        }
        println!("{name}");
        show("  open: a machine goes on from the snapshot", opened);
        show("  first command", ran);
        show("  the same again", again);
        show("  drop", dropped);
    }
    let cage = open(&sandbox);
    let small = (0..rounds * 5).map(|_| time(|| cage.put("/work/x", b"x", false).expect("room"))).collect();
    show("put of one byte", small);
    std::fs::remove_dir_all(&cache).ok();
}

fn open(sandbox: &Microvm) -> Box<dyn Cage> {
    let mut spec = CageSpec::manual();
    spec.limits = Limits { wall: Duration::from_secs(300), ..Limits::default() };
    sandbox.open(spec).expect("the machine goes on")
}

fn run(cage: &dyn Cage, argv: &[&str]) {
    let command = Command { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..Command::default() };
    assert_eq!(run_to_end(cage, &command, b"").expect("our machinery holds").ending, Ending::Exited(0));
}

fn time<T>(what: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    drop(what());
    start.elapsed()
}

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("{name}: {:.1} ({:.1})", millis(times[times.len() / 2]), millis(times[0]));
}
