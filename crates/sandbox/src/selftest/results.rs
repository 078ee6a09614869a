//! Probes that need both sides: a guest inside does something, and the host fetches, waits or counts.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meliora_domain::Ending;
use meliora_evolve::{Cage, CageError, Command, EntryKind, Happening, SandboxError, Terminal, run_to_end};

use super::Stage;
use super::inside::{ASKED, parse};
use super::probes::{Kind, Outcome};

/// One of them.
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) attempt: fn(&Stage<'_>, Arc<dyn Cage>) -> Result<Outcome, SandboxError>,
}

/// All of them. Each has a cage of its own.
pub(crate) const PAIRS: &[Pair] = &[
    Pair {
        name: "a result that is a link",
        kind: Kind::Results,
        attempt: |stage, cage| {
            stage.guest(&*cage, LINKS)?;
            Ok(must_not_fetch(cage.get("/work/link", FETCHED)))
        },
    },
    Pair {
        name: "a result behind a link",
        kind: Kind::Results,
        attempt: |stage, cage| {
            stage.guest(&*cage, LINKS)?;
            Ok(must_not_fetch(cage.get("/work/way/passwd", FETCHED)))
        },
    },
    Pair { name: "a result that is swapped with a link", kind: Kind::Results, attempt: swapped },
    Pair { name: "a result that is a pipe", kind: Kind::Results, attempt: pipe },
    Pair {
        name: "a result larger than it may be",
        kind: Kind::Results,
        attempt: |stage, cage| {
            stage.guest(&*cage, LINKS)?;
            Ok(must_not_fetch(cage.get("/work/sparse", FETCHED)))
        },
    },
    Pair {
        name: "a result with a way out in its name",
        kind: Kind::Results,
        attempt: |_, cage| Ok(must_not_fetch(cage.get("/work/../etc/passwd", FETCHED))),
    },
    Pair {
        name: "a list behind a link",
        kind: Kind::Results,
        attempt: |stage, cage| {
            stage.guest(&*cage, LINKS)?;
            Ok(match cage.list("/work/way") {
                Ok(entries) => Outcome::Open(format!("{} entries", entries.len())),
                Err(error) => Outcome::Closed(error.to_string()),
            })
        },
    },
    Pair {
        name: "a file put through a link",
        kind: Kind::Results,
        attempt: |stage, cage| {
            stage.guest(&*cage, LINKS)?;
            let put = cage.put("/work/aside/through", b"x", false);
            let there = cage.stat("/tmp/through").is_ok_and(|entry| entry.kind == EntryKind::File);
            Ok(match put {
                _ if there => Outcome::Open("it arrived where the link leads".to_owned()),
                Ok(()) => Outcome::Closed("it stayed where it was put".to_owned()),
                Err(error) => Outcome::Closed(error.to_string()),
            })
        },
    },
    Pair { name: "a flood of output", kind: Kind::Limits, attempt: flood },
    Pair { name: "time on the wall", kind: Kind::Limits, attempt: wall },
    Pair { name: "type into its own terminal", kind: Kind::Identity, attempt: type_in },
    Pair { name: "outlive the command", kind: Kind::Processes, attempt: linger },
];

const LINKS: &str = "guest-links";
const SWAP: &str = "guest-swap";
const FLOOD: &str = "guest-flood";
const LINGER: &str = "guest-linger";
const COUNT: &str = "guest-count";
const STAY: &str = "guest-stay";

/// Bytes that the host takes of a file.
const FETCHED: u64 = 64 << 10;
/// Bytes of output that a cage keeps here.
pub(super) const OUTPUT: u64 = 1 << 20;
/// How long a look takes.
const LOOK: Duration = Duration::from_millis(300);
/// How long fetching a file may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a guest does, by its name.
pub(super) fn inside(which: &str) -> Option<fn() -> i32> {
    Some(match which {
        LINKS => || i32::from(links().is_err()),
        SWAP => || i32::from(swap().is_err()),
        FLOOD => || i32::from(pour().is_err()),
        LINGER => leave_behind,
        COUNT => || i32::from(count().is_err()),
        STAY => stay,
        _ => return None,
    })
}

fn must_not_fetch(got: Result<Vec<u8>, CageError>) -> Outcome {
    match got {
        Ok(bytes) => Outcome::Open(format!("{} bytes were fetched", bytes.len())),
        Err(error) => Outcome::Closed(error.to_string()),
    }
}

fn links() -> std::io::Result<()> {
    std::os::unix::fs::symlink("/etc/passwd", "link")?;
    std::os::unix::fs::symlink("/etc", "way")?;
    std::os::unix::fs::symlink("/tmp", "aside")?;
    std::fs::File::create("sparse")?.set_len(FETCHED * 8)?;
    // SAFETY: a valid C string.
    match unsafe { libc::mkfifo(c"pipe".as_ptr(), 0o666) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Swaps a folder and a link to `/etc`, for longer than anybody looks.
fn swap() -> std::io::Result<()> {
    std::fs::create_dir("swap")?;
    std::fs::write("swap/passwd", INSIDE)?;
    std::os::unix::fs::symlink("/etc", "other")?;
    std::io::stdout().write_all(b"up\n")?;
    std::io::stdout().flush()?;
    let start = Instant::now();
    while start.elapsed() < LOOK * 20 {
        let exchange = libc::RENAME_EXCHANGE;
        // SAFETY: valid C strings.
        unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                libc::AT_FDCWD,
                c"swap".as_ptr(),
                libc::AT_FDCWD,
                c"other".as_ptr(),
                exchange,
            )
        };
    }
    Ok(())
}

const INSIDE: &[u8] = b"of the cage";

fn swapped(stage: &Stage<'_>, cage: Arc<dyn Cage>) -> Result<Outcome, SandboxError> {
    let process = cage.spawn(&stage.command(SWAP))?;
    match process.next()? {
        Happening::Stdout(_) => {}
        other => return Ok(Outcome::NotRun(format!("the guest did not begin: {other:?}"))),
    }
    let (start, mut inside, mut refused) = (Instant::now(), 0, 0);
    while start.elapsed() < LOOK {
        match cage.get("/work/swap/passwd", FETCHED) {
            Ok(bytes) if bytes == INSIDE => inside += 1,
            Ok(_) => return Ok(Outcome::Open("a file of the host was fetched".to_owned())),
            Err(_) => refused += 1,
        }
    }
    Ok(Outcome::Closed(format!("{inside} times the cage's own file, {refused} times nothing")))
}

fn pipe(stage: &Stage<'_>, cage: Arc<dyn Cage>) -> Result<Outcome, SandboxError> {
    stage.guest(&*cage, LINKS)?;
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Nobody waits any more where it took too long.
        tell.send(must_not_fetch(cage.get("/work/pipe", FETCHED))).ok();
    });
    Ok(told.recv_timeout(PATIENCE).unwrap_or_else(|_| Outcome::Open("fetching it does not end".to_owned())))
}

fn pour() -> std::io::Result<()> {
    let bytes = vec![b'x'; 1 << 16];
    for _ in 0..(OUTPUT * 4) >> 16 {
        std::io::stdout().write_all(&bytes)?;
    }
    std::io::stdout().flush()
}

fn flood(stage: &Stage<'_>, cage: Arc<dyn Cage>) -> Result<Outcome, SandboxError> {
    let process = cage.spawn(&stage.command(FLOOD))?;
    let mut taken = 0;
    loop {
        match process.next()? {
            Happening::Stdout(bytes) | Happening::Stderr(bytes) => taken += bytes.len() as u64,
            Happening::Exit(Ending::OutputCap) if taken <= OUTPUT => {
                return Ok(Outcome::Closed(format!("ended after {taken} bytes")));
            }
            Happening::Exit(ending) => {
                return Ok(Outcome::Open(format!("{taken} bytes came, with a limit of {OUTPUT}; {ending:?}")));
            }
        }
    }
}

/// Waits, whatever it is asked.
fn stay() -> i32 {
    // SAFETY: signals are numbers, and ignoring them harms nobody but whoever waits for this process.
    unsafe {
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::sleep(PATIENCE.as_secs() as u32 - 1);
    }
    0
}

fn wall(stage: &Stage<'_>, cage: Arc<dyn Cage>) -> Result<Outcome, SandboxError> {
    let mut command = stage.command(STAY);
    command.wall = Some(LOOK);
    let process = cage.spawn(&command)?;
    loop {
        match process.next()? {
            Happening::Exit(Ending::WallClock) => return Ok(Outcome::Closed("ended at its time".to_owned())),
            Happening::Exit(ending) => return Ok(Outcome::Open(format!("it ended as it liked: {ending:?}"))),
            Happening::Stdout(_) | Happening::Stderr(_) => {}
        }
    }
}

/// Leaves two processes behind: one that forked twice into a session of its own, and one that stands still.
fn leave_behind() -> i32 {
    // SAFETY: this process has one thread; the children only wait. They hold none of the command's streams, which would
    // make it last as long as they do.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for standard in 0..=2 {
            libc::dup2(null, standard);
        }
        let still = libc::fork();
        if still == 0 {
            stay();
            libc::_exit(0);
        }
        libc::kill(still, libc::SIGSTOP);
        if libc::fork() == 0 {
            libc::setsid();
            if libc::fork() == 0 {
                stay();
                libc::kill(still, libc::SIGKILL);
            }
            libc::_exit(0);
        }
    }
    0
}

/// Prints how many processes of the probe program there are beside this one.
fn count() -> std::io::Result<()> {
    let mut others = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let guest = line.split(|byte| *byte == 0).any(|word| word == LINGER.as_bytes());
        let probe = line.split(|byte| *byte == 0).any(|word| word == ASKED.as_bytes());
        if guest && probe && name != std::process::id().to_string() {
            others += 1;
        }
    }
    std::io::stdout().write_all(format!("{others}\n").as_bytes())?;
    std::io::stdout().flush()
}

/// The probe that a cage without terminals can only find closed, at a terminal.
fn type_in(stage: &Stage<'_>, _: Arc<dyn Cage>) -> Result<Outcome, SandboxError> {
    let cage = match stage.open_with(true) {
        Ok(cage) => cage,
        Err(error) => return Ok(Outcome::NotRun(format!("there are no terminals: {error}"))),
    };
    let size = Terminal { columns: 80, rows: 24 };
    let command = Command { terminal: Some(size), ..stage.command("type into a terminal") };
    let finished = run_to_end(&*cage, &command, b"")?;
    let text = String::from_utf8_lossy(&finished.stdout);
    let told = text.lines().find_map(parse).map(|(_, outcome)| outcome);
    Ok(told.unwrap_or_else(|| Outcome::NotRun(format!("it ended without an answer: {:?}", finished.ending))))
}

fn linger(stage: &Stage<'_>, cage: Arc<dyn Cage>) -> Result<Outcome, SandboxError> {
    stage.guest(&*cage, LINGER)?;
    let left = stage.guest(&*cage, COUNT)?;
    Ok(match String::from_utf8_lossy(&left.stdout).trim().parse::<u32>() {
        Ok(0) => Outcome::Closed("nothing is left of it".to_owned()),
        Ok(left) => Outcome::Open(format!("{left} processes are still there")),
        Err(_) => Outcome::NotRun("they could not be counted".to_owned()),
    })
}
