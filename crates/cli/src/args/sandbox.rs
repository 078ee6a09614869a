//! `meliora sandbox …`: its commands and flags.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::cages::Backend;

/// What to do with cages.
#[derive(Subcommand, Debug)]
pub enum Sandbox {
    /// Run a command of your own in a cage. Exit code: the command's.
    Run(SandboxRun),
    /// Try to break out of a cage in every known way. Exit code 0 if nothing is open, else 12.
    Selftest(SelfTest),
    /// Serve sandboxes to E2B's SDKs, on one port.
    Serve(SandboxServe),
    /// What virtual machines are made of (`--backend microvm`).
    Image {
        /// What to do with it.
        #[command(subcommand)]
        command: Image,
    },
}

/// What to do with the image of virtual machines.
#[derive(Subcommand, Debug)]
pub enum Image {
    /// Make it from the distribution's packages: a kernel, a shell, the usual tools, Python. Needs no root.
    Build {
        /// Its folder; without it, one in the cache, where the backend looks for it.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
        /// A further package, such as python3-numpy; may be given several times.
        #[arg(long = "package", value_name = "NAME")]
        packages: Vec<String>,
    },
}

/// `meliora sandbox run`.
#[derive(ClapArgs, Debug)]
pub struct SandboxRun {
    /// Where the cage comes from.
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<Backend>,
    /// Copy this folder into the cage's /work.
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// A variable for the command; may be given several times. Nothing is inherited.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// A further file or folder that the cage sees read-only, at its own path; may be given several times.
    #[arg(long = "read-only", value_name = "PATH")]
    pub read_only: Vec<PathBuf>,
    /// The Python that the cage sees: a program, or the folder of a virtual environment.
    #[arg(long, value_name = "PYTHON")]
    pub python: Option<String>,
    /// Memory of each process, in MiB.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub memory_mb: Option<u64>,
    /// Wall-clock seconds.
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Processes and threads at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub processes: Option<u32>,
    /// Size of each writable folder, in MiB.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub disk_mb: Option<u64>,
    /// Output that is kept, in MiB; more ends the command.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub output_mb: Option<u64>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub argv: Vec<String>,
}

/// `meliora sandbox selftest`.
#[derive(ClapArgs, Debug)]
pub struct SelfTest {
    /// Where the cage comes from.
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<Backend>,
    /// Only the handful of probes that every run begins with.
    #[arg(long)]
    pub quick: bool,
}

/// `meliora sandbox serve`.
#[derive(ClapArgs, Debug)]
pub struct SandboxServe {
    /// Where to listen. Anywhere but on this machine's own addresses, a key is required.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3000")]
    pub listen: std::net::SocketAddr,
    /// A file of keys that clients may use, one a line; `#` begins a comment. MELIORA_SANDBOX_KEY holds one as well.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Where cages come from.
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<Backend>,
    /// The Python of `run_code`: a program, or the folder of a virtual environment.
    #[arg(long, value_name = "PYTHON")]
    pub python: Option<String>,
    /// Sandboxes that one key may have at once.
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_sandboxes: u32,
    /// Seconds that a sandbox lives at most.
    #[arg(long, value_name = "S", default_value = "86400", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub max_seconds: u64,
    /// Memory of each process in a sandbox, and of all together, in MiB.
    #[arg(long, value_name = "MIB", default_value = "2048", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub memory_mb: u64,
    /// Processes and threads of a sandbox at once.
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u32).range(8..=1 << 20))]
    pub processes: u32,
    /// Size of each writable folder of a sandbox, in MiB.
    #[arg(long, value_name = "MIB", default_value = "512", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub disk_mb: u64,
    /// Largest file that is uploaded or downloaded at once, in MiB.
    #[arg(long, value_name = "MIB", default_value = "128", value_parser = clap::value_parser!(u64).range(1..=1 << 14))]
    pub upload_mb: u64,
}
