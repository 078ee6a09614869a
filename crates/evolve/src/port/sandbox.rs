//! The cage port: a place where code runs that nobody trusts.

use std::path::PathBuf;
use std::time::Duration;

use meliora_constitution::Lawful;
use meliora_domain::{Ending, Finished, Limits};

/// What a cage is opened for. It decides who may open it, not how strong it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// A reviewed subject works.
    Work,
    /// A suite's own checker grades; no subject code is inside.
    Exam,
    /// A person's own command. Only `cli` and `serve` may say so.
    Manual,
}

/// A folder or file of the host that the cage sees read-only, at the same path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReadOnly {
    /// Absolute path on the host and in the cage.
    pub path: PathBuf,
}

/// What to open. Made by [`CageSpec::work`], [`CageSpec::exam`] or [`CageSpec::manual`] only.
#[derive(Clone, Debug)]
pub struct CageSpec {
    purpose: Purpose,
    /// What it may use.
    pub limits: Limits,
    /// What it sees of the host beside the system's own `/usr`: interpreters, toolchains, virtual environments.
    pub read_only: Vec<ReadOnly>,
    /// The whole environment of every command in it; nothing is inherited.
    pub env: Vec<(String, String)>,
    /// A second path by which `/work` is reached inside, such as `/home/user`.
    pub home: Option<String>,
    /// Whether its commands may have terminals ([`Command::terminal`]); a cage without needs no terminal devices.
    pub terminals: bool,
}

impl CageSpec {
    /// A cage for a reviewed subject. There is no other way to have one for a subject's code:
    ///
    /// ```compile_fail
    /// // A genome that nobody reviewed does not open a cage.
    /// let genome = meliora_domain::Genome::new();
    /// let spec = meliora_evolve::CageSpec::work(&genome);
    /// ```
    ///
    /// ```compile_fail
    /// // And nobody but the law can say that something is lawful.
    /// let lawful = meliora_constitution::Lawful { genome: meliora_domain::Genome::new() };
    /// ```
    pub fn work(_subject: &Lawful) -> Self {
        Self::of(Purpose::Work)
    }

    /// A cage for a suite's own checker.
    pub fn exam(_suite: &meliora_benchmark::Suite) -> Self {
        Self::of(Purpose::Exam)
    }

    /// A cage for a person's own command.
    pub fn manual() -> Self {
        Self::of(Purpose::Manual)
    }

    fn of(purpose: Purpose) -> Self {
        CageSpec {
            purpose,
            limits: Limits::default(),
            read_only: Vec::new(),
            env: Vec::new(),
            home: None,
            terminals: false,
        }
    }

    /// What it is opened for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// One command to run in a cage.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program (absolute path inside the cage) and arguments.
    pub argv: Vec<String>,
    /// Folder to start in; absolute, inside the cage.
    pub cwd: String,
    /// Wall-clock time, if it is less than the cage's own.
    pub wall: Option<Duration>,
    /// Variables beside those of the cage; of the same name, these win.
    pub env: Vec<(String, String)>,
    /// A terminal of this size as its standard streams, instead of pipes: all output is then `Stdout`. The cage must
    /// have been opened with [`CageSpec::terminals`].
    pub terminal: Option<Terminal>,
}

impl Default for Command {
    /// No program yet, in `/work`.
    fn default() -> Self {
        Command { argv: Vec::new(), cwd: "/work".to_owned(), wall: None, env: Vec::new(), terminal: None }
    }
}

/// Size of a terminal, in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terminal {
    /// Characters of a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// What a process did next.
#[derive(Clone, PartialEq, Debug)]
pub enum Happening {
    /// It wrote to standard output.
    Stdout(Vec<u8>),
    /// It wrote to standard error.
    Stderr(Vec<u8>),
    /// It ended. Nothing comes after.
    Exit(Ending),
}

/// What a cage has used so far.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct CageUsage {
    /// Processor seconds of all ended processes in it, as far as the backend can tell.
    pub cpu_seconds: f64,
    /// Largest resident size of one process, in bytes.
    pub peak_memory: u64,
}

/// What an entry of a folder inside a cage is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link; it is never followed.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// An entry of a folder inside a cage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CageEntry {
    /// Name within the folder. A name that is not UTF-8 is shown with replacement characters and cannot be asked for.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits, as `0o644`.
    pub mode: u32,
    /// When it was last changed, since 1970.
    pub modified: Duration,
    /// Where a link points to; empty for what is none.
    pub target: String,
}

/// The machinery of a cage broke, or cannot be had on this machine.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct SandboxError {
    /// The layer or step that failed: `user namespace`, `landlock`, …
    pub what: String,
    /// Why.
    pub cause: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

/// Something inside an open cage failed.
#[derive(Debug, thiserror::Error)]
pub enum CageError {
    /// The path does not exist, is not a regular file, or leads through a link.
    #[error("'{path}' in the cage is not a readable regular file: {why}")]
    NoFile {
        /// The path.
        path: String,
        /// Why.
        why: String,
    },
    /// The file is larger than the caller takes.
    #[error("'{path}' in the cage has {size} bytes, more than the {limit} that are taken")]
    TooLarge {
        /// The path.
        path: String,
        /// Its size.
        size: u64,
        /// The largest size taken.
        limit: u64,
    },
    /// The writable folder is full.
    #[error("the cage has no room for '{path}'")]
    Full {
        /// The path.
        path: String,
    },
    /// Our own machinery failed.
    #[error(transparent)]
    Machinery(#[from] SandboxError),
}

/// Where cages come from.
pub trait Sandbox: Sync {
    /// Opens a cage with every layer in place, or says which one is missing.
    fn open(&self, spec: CageSpec) -> Result<Box<dyn Cage>, SandboxError>;
    /// The tier in force, in words: `namespaces, seccomp, landlock ABI 7, rlimits`.
    fn describe(&self) -> String;
}

/// An open cage. Dropping it destroys everything inside.
/// Writable are `/work` (where subjects live) and `/tmp`; both begin empty.
pub trait Cage: Send + Sync {
    /// Writes a regular file under `/work` or `/tmp`, with the folders it needs.
    fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError>;
    /// Reads a regular file of at most `limit` bytes. Never follows a link, never blocks on a pipe.
    fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, CageError>;
    /// The entries of a folder, in no order; at most ten thousand.
    fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError>;
    /// One entry, the link itself where it is one.
    fn stat(&self, path: &str) -> Result<CageEntry, CageError>;
    /// Makes a folder, with the folders above it. `false` if it was there.
    fn make_folder(&self, path: &str) -> Result<bool, CageError>;
    /// Removes a file, a link, or a folder with all that is in it.
    fn remove(&self, path: &str) -> Result<(), CageError>;
    /// Gives a file or folder another name, or another place; a file that has that name is replaced.
    fn rename(&self, from: &str, to: &str) -> Result<(), CageError>;
    /// Stops every process inside, or lets them go on. What is stopped uses no processor time.
    fn pause(&self, stopped: bool) -> Result<(), SandboxError>;
    /// What was used so far.
    fn usage(&self) -> CageUsage;
    /// Starts a command. Its wall clock begins now.
    fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError>;
}

/// A running command. Several threads may use it at once: one waits in `next`, others write, signal or resize.
/// Dropping it kills the command.
pub trait Process: Send + Sync {
    /// Writes to its standard input, all of it, unless the process no longer reads (then the rest is dropped).
    fn write(&self, bytes: &[u8]) -> Result<(), SandboxError>;
    /// Closes its standard input. At a terminal, types the end of input (Ctrl-D).
    fn close_stdin(&self);
    /// Waits for the next thing it does. After `Exit`, always `Exit` again.
    fn next(&self) -> Result<Happening, SandboxError>;
    /// Sends a signal to it and all it started.
    fn signal(&self, signal: i32) -> Result<(), SandboxError>;
    /// Begins its wall clock and the count of its output anew, for another piece of work. `false` where that cannot be:
    /// another command has to be started for it.
    fn renew(&self) -> bool {
        false
    }
    /// Tells its terminal a new size. Nothing happens without a terminal.
    fn resize(&self, _size: Terminal) -> Result<(), SandboxError> {
        Ok(())
    }
}

/// Runs a command to its end: writes `stdin`, closes it, gathers the output.
/// `stdin` must be small enough for a subject that reads none of it (64 KiB), or be read by a driver of ours first.
pub fn run_to_end(cage: &dyn Cage, command: &Command, stdin: &[u8]) -> Result<Finished, SandboxError> {
    let process = cage.spawn(command)?;
    process.write(stdin)?;
    process.close_stdin();
    let start = std::time::Instant::now();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match process.next()? {
            Happening::Stdout(bytes) => stdout.extend(bytes),
            Happening::Stderr(bytes) => stderr.extend(bytes),
            Happening::Exit(ending) => {
                return Ok(Finished { stdout, stderr, ending, seconds: start.elapsed().as_secs_f64() });
            }
        }
    }
}
