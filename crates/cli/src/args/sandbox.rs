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
