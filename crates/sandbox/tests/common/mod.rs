//! What the test files share: opening cages and running programs in them.
#![allow(dead_code, unreachable_pub)]

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use meliora_domain::{Finished, Limits};
use meliora_evolve::{Cage, CageSpec, Command, ReadOnly, Sandbox, run_to_end};
use meliora_sandbox::Namespaces;

/// The Python of this machine: its program and the folder that holds its library.
pub struct Python {
    pub program: String,
    pub prefix: PathBuf,
}

/// Finds Python once. A machine without it fails these tests: they would prove nothing.
pub fn python() -> &'static Python {
    static PYTHON: OnceLock<Python> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let code = "import sys, os; print(os.path.realpath(sys.executable)); print(sys.base_prefix)";
        let told = std::env::var("MELIORA_TEST_PYTHON").unwrap_or_else(|_| {
            let output = std::process::Command::new("python3").args(["-c", code]).output();
            let output = output.expect("these tests need python3 on the PATH, and there is none");
            assert!(output.status.success(), "python3 is there but does not run: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        });
        let (program, prefix) = told.trim().split_once('\n').expect("two lines");
        Python { program: program.to_owned(), prefix: PathBuf::from(prefix.trim()) }
    })
}

pub fn sandbox() -> &'static Namespaces {
    static SANDBOX: OnceLock<Namespaces> = OnceLock::new();
    SANDBOX.get_or_init(|| Namespaces::new().expect("a cage with every layer"))
}

pub fn spec(limits: Limits) -> CageSpec {
    let mut spec = CageSpec::manual();
    spec.limits = limits;
    spec.read_only = vec![ReadOnly { path: python().prefix.clone() }];
    spec.env = vec![("PATH".into(), "/usr/bin:/bin".into()), ("HOME".into(), "/work".into())];
    spec
}

pub fn open(limits: Limits) -> Box<dyn Cage> {
    sandbox().open(spec(limits)).expect("the cage opens")
}

pub fn cage() -> Box<dyn Cage> {
    open(Limits::default())
}

pub fn command<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Command {
    Command { argv: argv.into_iter().map(Into::into).collect(), cwd: "/work".into(), wall: None }
}

pub fn run(cage: &dyn Cage, argv: &[&str]) -> Finished {
    run_to_end(cage, &command(argv.iter().copied()), b"").expect("our machinery holds")
}

pub fn shell(cage: &dyn Cage, script: &str) -> Finished {
    run(cage, &["/bin/sh", "-c", script])
}

pub fn py(cage: &dyn Cage, code: &str) -> Finished {
    run(cage, &[&python().program, "-I", "-S", "-c", code])
}

pub fn out(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stdout).into_owned()
}

pub fn err(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stderr).into_owned()
}

pub fn wall(millis: u64) -> Limits {
    Limits { wall: Duration::from_millis(millis), ..Limits::default() }
}
