//! Exit codes, all of them.

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Wrong usage (also what the argument parser gives).
    Usage = 2,
    /// The configuration, the suite or the project cannot be used.
    Configuration = 3,
    /// The constitution refused to load, or refuses the genome as it stands.
    Constitution = 4,
    /// The budget ended, or the proposers did, with no improvement.
    NoImprovement = 5,
    /// Our own machinery failed: a cage, the archive, a model server.
    Machinery = 6,
    /// Interrupted; the state is saved.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}
