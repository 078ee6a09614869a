//! The official SDKs, unmodified, as a person uses them: the scripts of `tests/sdk`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::server::{Server, config};

pub const TESTS: &[(&str, fn())] = &[
    ("the_synchronous_python_sdk_runs_unmodified", the_synchronous_python_sdk_runs_unmodified),
    ("the_asynchronous_python_sdk_runs_unmodified", the_asynchronous_python_sdk_runs_unmodified),
    ("the_javascript_sdk_runs_unmodified", the_javascript_sdk_runs_unmodified),
    ("older_python_sdks_run_what_they_know", older_python_sdks_run_what_they_know),
];

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

/// Says loudly that a test does not run. Where everything must run, that is a failure.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "a test would be skipped, which CI does not allow: {why}");
    eprintln!("\n======== SKIPPED: {why} ========\n");
}

fn the_synchronous_python_sdk_runs_unmodified() {
    let Some(venv) = python_sdk("requirements.txt") else { return };
    run(&mut script(&venv.join("bin/python"), "synchronous.py"), Some(&modules(&venv)));
}

fn the_asynchronous_python_sdk_runs_unmodified() {
    let Some(venv) = python_sdk("requirements.txt") else { return };
    run(&mut script(&venv.join("bin/python"), "asynchronous.py"), Some(&modules(&venv)));
}

fn older_python_sdks_run_what_they_know() {
    let Some(venv) = python_sdk("requirements-older.txt") else { return };
    run(&mut script(&venv.join("bin/python"), "older.py"), None);
}

fn the_javascript_sdk_runs_unmodified() {
    let folder = cache("javascript", "package.json");
    for name in ["package.json", "javascript.mjs"] {
        std::fs::copy(Path::new(SCRIPTS).join(name), folder.join(name)).unwrap();
    }
    if !folder.join("done").exists() {
        let npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"];
        if !installed("npm install", Command::new(npm[0]).args(&npm[1..]).current_dir(&folder)) {
            return;
        }
        std::fs::write(folder.join("done"), "").unwrap();
    }
    run(Command::new("node").arg("javascript.mjs").current_dir(&folder), None);
}

fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(SCRIPTS).join(name));
    command
}

/// Runs a script against a service of its own. Its last line must say that it came to its end.
fn run(command: &mut Command, modules: Option<&Path>) {
    let server = Server::start(config(modules));
    let output = command
        .envs([("E2B_API_URL", server.url()), ("E2B_SANDBOX_URL", server.url())])
        .env("E2B_API_KEY", "e2b_0000000000000000000000000000000000000000")
        .env_remove("E2B_DOMAIN")
        .env_remove("E2B_DEBUG")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let last = told.lines().last().unwrap_or_default();
    assert!(output.status.success() && last.starts_with("all of it ran"), "{}", both(&output));
}

fn both(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A folder that outlives the test, for this very list of packages.
fn cache(kind: &str, list: &str) -> PathBuf {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hash = DefaultHasher::new();
    std::fs::read(Path::new(SCRIPTS).join(list)).unwrap().hash(&mut hash);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sdk-{kind}-{:016x}", hash.finish()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A virtual environment with these packages in it, made once.
fn python_sdk(list: &str) -> Option<PathBuf> {
    let venv = cache("python", list);
    if !venv.join("done").exists() {
        let list = Path::new(SCRIPTS).join(list);
        let made = installed("python3 -m venv", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        let pip = venv.join("bin/pip");
        if !made || !installed("pip install", Command::new(pip).args(["install", "-q", "-r"]).arg(list)) {
            return None;
        }
        std::fs::write(venv.join("done"), "").unwrap();
    }
    Some(venv)
}

fn installed(what: &str, command: &mut Command) -> bool {
    match command.output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            skip(&format!("the SDK cannot be installed ({what}): {}", both(&output)));
            false
        }
        Err(error) => {
            skip(&format!("the SDK cannot be installed ({what}): {error}"));
            false
        }
    }
}

/// Where a virtual environment keeps its modules; what the sandbox is shown as well.
fn modules(venv: &Path) -> PathBuf {
    let lib = std::fs::read_dir(venv.join("lib")).unwrap().map(|entry| entry.unwrap().path());
    let mut found = lib.filter(|path| path.join("site-packages").is_dir());
    found.next().expect("a virtual environment has its modules in lib").join("site-packages").canonicalize().unwrap()
}
