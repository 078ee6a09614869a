//! What code in a cage may use, and how its processes end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a cage may use. Every limit is enforced; passing one ends the process or the cage.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory of each process, in bytes.
    pub memory: u64,
    /// Processes and threads alive at once.
    pub processes: u32,
    /// Open files of each process.
    pub files: u32,
    /// Largest file that may be written, in bytes; also the size of each writable folder.
    pub disk: u64,
    /// Processor seconds of each process.
    pub cpu_seconds: u32,
    /// Wall-clock time of each command.
    pub wall: Duration,
    /// Bytes of standard output and standard error together that are kept; one more ends the command.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 1 << 30,
            processes: 64,
            files: 256,
            disk: 64 << 20,
            cpu_seconds: 60,
            wall: Duration::from_secs(30),
            output: 4 << 20,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal, which nobody of ours sent.
    Signalled(i32),
    /// Its wall-clock time was over; it and all it started were killed.
    WallClock,
    /// Its processor time was over.
    CpuTime,
    /// It wrote more than may be kept; it and all it started were killed.
    OutputCap,
    /// It needed more memory than it may have.
    Memory,
}

/// All that a command left.
#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub ending: Ending,
    /// Wall-clock seconds, by the host's clock.
    pub seconds: f64,
}
