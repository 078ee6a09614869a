//! The self-test finds nothing open in a cage, and everything open where there is none.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod bare;
mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{sandbox, skip};
use meliora_evolve::Sandbox as _;
use meliora_sandbox::{Extent, Finding, State, selftest};

/// Makes this program run the self-test without any cage and print what it finds.
const BARE: &str = "--without-a-cage";
/// The same with processes of its own.
const OWN: &str = "--own-processes";

fn main() {
    common::begin();
    if std::env::args().any(|word| word == BARE) {
        for finding in
            selftest(&bare::Bare { own_processes: std::env::args().any(|word| word == OWN) }, &program(), Extent::Whole)
                .unwrap()
        {
            println!("{}\t{:?}\t{}", finding.name, finding.state, finding.detail);
        }
        // A thread may still stand in the pipe that it fetches.
        std::process::exit(0);
    }
    common::run_tests::<fn()>(&[
        ("nothing_is_open_in_a_cage_of_namespaces", nothing_is_open_in_a_cage_of_namespaces),
        ("every_probe_is_open_where_nothing_is_closed", every_probe_is_open_where_nothing_is_closed),
        ("the_quick_form_is_a_handful_of_the_same", the_quick_form_is_a_handful_of_the_same),
        ("a_program_that_cannot_be_shown_is_put_into_the_cage", a_program_that_cannot_be_shown_is_put_into_the_cage),
        ("a_program_that_says_nothing_has_tested_nothing", a_program_that_says_nothing_has_tested_nothing),
        ("ordinary_user_gets_out_no_more_than_root", common::again_as_an_ordinary_user),
        ("each_cage_has_a_user_of_its_own", each_cage_has_a_user_of_its_own),
        ("ordinary_user_with_ranges_gets_out_no_more", common::again_with_ranges),
    ]);
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn not_closed(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.state != State::Closed).collect()
}

fn nothing_is_open_in_a_cage_of_namespaces() {
    let findings = selftest(sandbox(), &program(), Extent::Whole).unwrap();
    assert_eq!(not_closed(&findings), Vec::<&Finding>::new());
    assert!(findings.len() >= 120, "{}", findings.len());
    // What the filter answers with a kill was answered so, and not by a kernel that knows no such call.
    #[cfg(target_arch = "x86_64")]
    for name in ["calls of 32 bits (int 0x80)", "calls of x32"] {
        let finding = findings.iter().find(|finding| finding.name == name).unwrap();
        assert!(finding.detail.contains("SIGSYS"), "{finding:?}");
    }
}

fn the_quick_form_is_a_handful_of_the_same() {
    let findings = selftest(sandbox(), &program(), Extent::Quick).unwrap();
    assert_eq!(not_closed(&findings), Vec::<&Finding>::new());
    assert!((10..30).contains(&findings.len()), "{}", findings.len());
}

fn a_program_that_cannot_be_shown_is_put_into_the_cage() {
    let findings = selftest(sandbox(), Path::new("/no/such/file"), Extent::Quick).unwrap();
    assert_eq!(not_closed(&findings), Vec::<&Finding>::new());
}

/// As root, and as an ordinary user with ids of `/etc/subuid`.
fn each_cage_has_a_user_of_its_own() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    assert!(sandbox().describe().contains("an own user for each cage"), "{}", sandbox().describe());
    let cages = [(); 2].map(|()| sandbox().open(common::spec(common::wall(60_000))).unwrap());
    let times = ["3003.5", "3004.5"];
    let mut held = Vec::new();
    for (cage, time) in cages.iter().zip(times) {
        assert_eq!(common::out(&common::shell(&**cage, "id -u; id -G")), "1000\n1000\n");
        // What its commands close to all others the host can still read, and change.
        let private = "mkdir -m 700 /work/own && echo x > /work/own/file && chmod 600 /work/own/file";
        common::shell(&**cage, private);
        assert_eq!(cage.get("/work/own/file", 10).unwrap(), b"x\n");
        cage.put("/work/own/file", b"y", false).unwrap();
        let process = cage.spawn(&common::command(["/bin/sh", "-c", &format!("echo up; exec sleep {time}")])).unwrap();
        process.next().unwrap();
        held.push(process);
    }
    let users = common::users_of(times);
    let own = rustix::process::getuid().as_raw();
    assert!(users[0] != users[1] && !users.contains(&own) && !users.contains(&65_534), "{users:?}");
}

fn a_program_that_says_nothing_has_tested_nothing() {
    let error = selftest(sandbox(), Path::new("/usr/bin/true"), Extent::Quick).unwrap_err();
    assert!(error.to_string().contains("does not run in this cage"), "{error}");
}

/// Why a probe may be closed even to root without a cage: what it looks for depends on the kernel and its settings.
/// Each is told aloud, and none of them is what a cage of namespaces relies on alone.
const MAY_BE_ABSENT: &[(&str, &str)] = &[
    ("calls of x32", "the kernel is built without x32"),
    ("read kcore", "the kernel has no /proc/kcore, or is locked down"),
    ("read kernel configuration", "the kernel does not carry its configuration"),
    ("read kernel symbols", "the kernel shows no addresses"),
    ("write modprobe path", "the kernel loads no modules"),
    ("init_module", "the kernel loads no modules"),
    ("finit_module", "the kernel loads no modules"),
    ("kexec_load", "the kernel starts no other"),
    ("write sysrq-trigger", "the kernel has no such keys"),
    ("kernel cryptography", "the kernel has no such sockets"),
    ("virtual machine sockets", "the kernel has no such sockets"),
    ("the world", "this machine has no route"),
    ("interfaces", "this machine has no network"),
    ("memfd_secret", "the kernel has none, or it is off"),
    ("userfaultfd", "the kernel has none"),
    ("io_uring", "the kernel has none, or it is off"),
    ("accounting", "the kernel does none"),
    ("fanotify", "the kernel has none"),
    ("swapon", "the kernel has none"),
    ("read a disk", "this machine has none of the usual names"),
    ("modify_ldt", "the kernel has none"),
    ("iopl", "the kernel has none"),
    ("ioperm", "the kernel has none"),
    ("calls of 32 bits (int 0x80)", "the kernel has no 32-bit table"),
    ("bpf", "the kernel has none"),
    ("perf_event_open", "the kernel has none"),
    ("compare with PID 1", "the kernel has no kcmp"),
    ("raise a limit", "root lacks CAP_SYS_RESOURCE here"),
];

fn every_probe_is_open_where_nothing_is_closed() {
    if !rustix::process::geteuid().is_root() || common::with_ranges() {
        // Where these tests run once more as an ordinary user, root has shown it.
        if std::env::var_os("MELIORA_TEST_PYTHON").is_none() {
            skip("only root can show that all of it is open without a cage");
        }
        return;
    }
    let place = tempfile::Builder::new().prefix("cage-test").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let binary = place.path().join("tests");
    std::fs::copy(program(), &binary).unwrap();
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    let socket = format!("/run/meliora-selftest-{}.sock", std::process::id());
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();

    let mut found: BTreeMap<String, [String; 3]> = BTreeMap::new();
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    for (who, start, end) in [(0, &[][..], &[][..]), (1, &nobody[..], &[][..]), (2, &[][..], &[OWN][..])] {
        let words: Vec<&str> =
            start.iter().copied().chain([binary.to_str().unwrap(), BARE]).chain(end.iter().copied()).collect();
        let output = std::process::Command::new(words[0])
            .args(&words[1..])
            .current_dir("/")
            .env("SOME_API_KEY", "secret")
            .output()
            .expect("this test needs setpriv of util-linux, and it is not there");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        for line in text.lines() {
            let (name, told) = line.split_once('\t').unwrap();
            found.entry(name.to_owned()).or_default()[who] = told.replace('\t', ": ");
        }
    }
    std::fs::remove_file(&socket).ok();
    std::fs::remove_file("/tmp/through").ok();

    let mut vacuous = Vec::new();
    let is_open = |told: &String| told.starts_with("Open");
    for (name, [root, nobody, own]) in &found {
        println!("{name}: root {root}; nobody {nobody}; root with processes of its own {own}");
        if is_open(root) || is_open(nobody) || is_open(own) {
            continue;
        }
        match MAY_BE_ABSENT.iter().find(|(known, _)| known == name) {
            Some((_, why)) => eprintln!("NOT SEEN OPEN: {name}: {why} (root: {root})"),
            None => vacuous.push(format!("{name}: root {root}; nobody {nobody}")),
        }
    }
    assert_eq!(vacuous, Vec::<String>::new(), "these probes find nothing even where all is open");
    let open_to = |who: usize| found.values().filter(|told| is_open(&told[who])).count();
    println!("open without a cage: {} of {} to root, {} to nobody", open_to(0), found.len(), open_to(1));
    assert!(open_to(0) >= 80 && open_to(1) >= 30, "{} and {}", open_to(0), open_to(1));
}
