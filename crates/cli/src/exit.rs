//! Exit codes, all of them.

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Done.
    Done,
    /// Wrong usage (also what the argument parser gives).
    Usage,
    /// The configuration, the suite or the project cannot be used.
    Configuration,
    /// The constitution refused to load, or refuses the genome as it stands.
    Constitution,
    /// The budget ended, or the proposers did, with no improvement.
    NoImprovement,
    /// Our own machinery failed: a cage, the archive, a model server.
    Machinery,
    /// Interrupted; the state is saved.
    Interrupted,
    /// The guardian paused the work; only a person lets it go on.
    Paused,
    /// A review found that a person must say yes first.
    NeedsApproval,
    /// A review found it forbidden.
    Forbidden,
    /// The self-test found something open: a cage lets out what it should hold.
    Open,
    /// The journal is not what was written, or nothing vouches for it.
    Tampered,
    /// The model gave no answer to too many rows: what was measured is not what was asked for.
    Unanswered,
    /// The exit code of a command that was run for its own sake.
    Command(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Usage => 2,
            Exit::Configuration => 3,
            Exit::Constitution => 4,
            Exit::NoImprovement => 5,
            Exit::Machinery => 6,
            Exit::NeedsApproval => 10,
            Exit::Forbidden => 11,
            Exit::Open => 12,
            Exit::Paused => 13,
            Exit::Tampered => 14,
            Exit::Unanswered => 15,
            Exit::Interrupted => 130,
            Exit::Command(code) => code,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit.code())
    }
}
