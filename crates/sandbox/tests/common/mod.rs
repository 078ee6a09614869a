//! What the test files share: opening cages and running programs in them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use meliora_domain::{Finished, Limits};
use meliora_evolve::{Cage, CageSpec, Command, ReadOnly, Sandbox, run_to_end};
use meliora_sandbox::{ImagePlan, Microvm, MicrovmPlan, Namespaces, build_image};

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
    // The library path is for a Python that was moved.
    let library = python().prefix.join("lib").display().to_string();
    spec.env = vec![("HOME".into(), "/work".into()), ("LD_LIBRARY_PATH".into(), library)];
    spec
}

pub fn open(limits: Limits) -> Box<dyn Cage> {
    sandbox().open(spec(limits)).expect("the cage opens")
}

pub fn cage() -> Box<dyn Cage> {
    open(Limits::default())
}

pub fn command<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Command {
    Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() }
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

/// Set for a run as an ordinary user who has ids of `/etc/subuid`.
const WITH_RANGES: &str = "MELIORA_TEST_RANGES";

/// Whether this is such a run: its root is an ordinary user outside.
pub fn with_ranges() -> bool {
    std::env::var_os(WITH_RANGES).is_some()
}

/// First thing in the `main` of tests that [`again_with_ranges`] runs once more.
pub fn begin() {
    meliora_sandbox::serve_if_asked(std::env::args_os());
    if with_ranges() {
        meliora_sandbox::take_ranges(|name| std::env::var(name).ok()).unwrap();
        assert!(rustix::process::geteuid().is_root(), "no ranges were taken");
    }
}

/// Runs the tests of this binary once more as an ordinary user, if root runs them now. Python may lie where that user
/// cannot go, so it is shown to them elsewhere, in a mount namespace of its own.
pub fn again_as_an_ordinary_user() {
    again("as uid 65534", None);
}

/// The same for one to whom `/etc/subuid` gives ids.
pub fn again_with_ranges() {
    if which("newuidmap").is_none() || !std::path::Path::new("/etc/subuid").exists() {
        return skip("ranges of /etc/subuid: the package uidmap is not here, or no such file");
    }
    again("as uid 65534 with ranges", Some("65534:200000:65536\n"));
}

fn again(who: &str, ranges: Option<&str>) {
    use std::os::unix::fs::PermissionsExt;
    if !rustix::process::geteuid().is_root() || with_ranges() {
        return;
    }
    let place = tempfile::Builder::new().prefix("cage-test").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let (binary, prefix) = (place.path().join("tests"), place.path().join("python"));
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(&prefix).unwrap();
    let ids = place.path().join("ids");
    std::fs::write(&ids, ranges.unwrap_or_default()).unwrap();
    let python = python();
    let inside = std::path::Path::new(&python.program).strip_prefix(&python.prefix).expect("python lies in its prefix");
    let script = r#"mount --bind "$1" "$2" || exit 1
        if [ -s "$4" ]; then mount --bind "$4" /etc/subuid && mount --bind "$4" /etc/subgid || exit 1; fi
        cd / && exec setpriv --reuid 65534 --regid 65534 --groups 4,65534 \
        "$3" --skip ordinary_user --skip with_ranges --skip kill_nine --test-threads 2"#;
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([&python.prefix, &prefix, &binary, &ids])
        .env("MELIORA_TEST_PYTHON", format!("{}\n{}", prefix.join(inside).display(), prefix.display()));
    if ranges.is_some() {
        command.env(WITH_RANGES, "1");
    }
    let output = command.output().expect("this test needs unshare and setpriv of util-linux, and they are not there");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{who}:\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains(" 0 passed"), "no test ran {who}:\n{told}");
}

/// The users, as this process sees them, of the commands `sleep` with these times.
pub fn users_of(times: [&str; 2]) -> Vec<u32> {
    for _ in 0..200 {
        let processes = || std::fs::read_dir("/proc").unwrap().flatten();
        let user = |time: &str| {
            let wanted = format!("sleep\0{time}\0");
            let process = processes().find(|entry| {
                std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
            })?;
            Some(std::os::unix::fs::MetadataExt::uid(&process.metadata().ok()?))
        };
        if let [Some(one), Some(two)] = times.map(user) {
            return vec![one, two];
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the commands are not there")
}

/// Machines for tests, or why this computer cannot have them: it lacks QEMU, or the packages of an image.
pub fn make_microvm() -> Result<Microvm, String> {
    let qemu = which("qemu-system-x86_64").ok_or("there is no qemu-system-x86_64")?;
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("microvm");
    let image = ImagePlan { folder: place.join("image"), packages: Vec::new() };
    let agent = env!("CARGO_BIN_EXE_meliora-agent").into();
    let folder = image.folder.clone();
    let plan = MicrovmPlan { qemu, firecracker: None, image: folder, cache: place.join("cache"), agent };
    let made = Microvm::new(plan.clone());
    if made.as_ref().is_err_and(|error| error.hint.as_deref().is_some_and(|hint| hint.contains("image build"))) {
        build_image(&image, &mut |_| {}).map_err(|error| error.to_string())?;
        return Microvm::new(plan).map_err(|error| error.to_string());
    }
    made.map_err(|error| error.to_string())
}

/// The same, once for all tests of a program; `None` where there are none, which is said.
pub fn microvm() -> Option<&'static Microvm> {
    static MICROVM: OnceLock<Result<Microvm, String>> = OnceLock::new();
    let made = MICROVM.get_or_init(make_microvm);
    if let Err(why) = made {
        skip(&format!("virtual machines: {why}"));
    }
    made.as_ref().ok()
}

pub fn which(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Less memory than usual: machines of several tests may run at once.
pub fn vm_limits() -> Limits {
    Limits { memory: 256 << 20, disk: 16 << 20, ..Limits::default() }
}

/// A cage that sees nothing but the image: emulated, this machine's own Python would take long to start.
pub fn vm_spec(limits: Limits) -> CageSpec {
    let mut spec = CageSpec::manual();
    spec.limits = limits;
    spec.env = vec![("HOME".into(), "/work".into()), ("PATH".into(), "/usr/bin:/bin".into())];
    spec
}

/// Says that a test is skipped; in CI that is a failure.
#[track_caller]
#[allow(clippy::print_stderr)]
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "a test would be skipped, which CI does not allow: {why}");
    eprintln!("\n======== SKIPPED: {why} ========\n");
}

/// The `main` of a test program that is executed anew by what it tests: runs the tests that its arguments ask for.
#[allow(clippy::print_stdout)]
pub fn run_tests<T: Fn()>(tests: &[(&str, T)]) {
    let (mut wanted, mut skipped) = (Vec::new(), Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--skip" => skipped.extend(words.next()),
            "--test-threads" => drop(words.next()),
            word if word.starts_with('-') => {}
            word => wanted.push(word.to_owned()),
        }
    }
    if std::env::args().any(|word| word == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests {
        let fits = |words: &[String]| words.iter().any(|word| name.contains(word.as_str()));
        if fits(&skipped) || !wanted.is_empty() && !fits(&wanted) {
            continue;
        }
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if held { "ok" } else { "FAILED" });
        *(if held { &mut passed } else { &mut failed }) += 1;
    }
    println!("test result: {passed} passed; {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
