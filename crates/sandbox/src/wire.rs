//! What host and PID 1 say to each other: fixed-size messages of native words, over a socket that keeps boundaries.

/// A request of the host, sent on the control socket. With `Spawn` come five descriptors: the command's strings
/// (a memory file), standard input, output and error, and the pipe for its one [`Report`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Start command `id`; its strings are the folder to start in, `argc` arguments and `envc` variables, each ended
    /// by a zero byte. Without variables of its own it has those of the cage. `terminal`: its standard streams are one,
    /// which is to control it.
    Spawn { id: u32, argc: u32, envc: u32, length: u32, terminal: bool },
    /// Send a signal to command `id` and what it started.
    Signal { id: u32, signal: u32 },
    /// Send a signal to every process of the cage but PID 1.
    SignalAll { signal: u32 },
    /// A warm command will come: have a copy of the interpreter wait for it.
    Prepare,
}

/// Bytes of a request.
pub(crate) const REQUEST: usize = 24;
/// Descriptors that come with `Spawn`.
pub(crate) const SPAWN_FDS: usize = 5;
/// Folders that PID 1 hands out when the cage stands: `/work`, `/tmp`, `/proc`, and `/dev/pts` where there is one.
pub(crate) const READY_FDS: usize = 4;

impl Request {
    pub(crate) fn encode(self) -> [u8; REQUEST] {
        let words = match self {
            Request::Spawn { id, argc, envc, length, terminal } => [1, id, argc, envc, length, u32::from(terminal)],
            Request::Signal { id, signal } => [2, id, signal, 0, 0, 0],
            Request::SignalAll { signal } => [3, signal, 0, 0, 0, 0],
            Request::Prepare => [4, 0, 0, 0, 0, 0],
        };
        let mut bytes = [0; REQUEST];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; REQUEST]) -> Option<Self> {
        let mut words = [0u32; REQUEST / 4];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_ne_bytes([place[0], place[1], place[2], place[3]]);
        }
        match words {
            [1, id, argc, envc, length, terminal] => {
                Some(Request::Spawn { id, argc, envc, length, terminal: terminal != 0 })
            }
            [2, id, signal, ..] => Some(Request::Signal { id, signal }),
            [3, signal, ..] => Some(Request::SignalAll { signal }),
            [4, ..] => Some(Request::Prepare),
            _ => None,
        }
    }
}

/// How a command came to its end, as PID 1 saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Report {
    /// Which of [`ENDED`], [`NO_EXEC`], [`NO_FOLDER`], [`NO_START`].
    pub(crate) kind: u64,
    /// Wait status, or the error number where it did not start.
    pub(crate) status: u64,
    /// Processor time of the command and the children that it waited for, in microseconds.
    pub(crate) cpu_us: u64,
    /// Processor time of everything that has ended in this cage so far, in microseconds.
    pub(crate) cage_cpu_us: u64,
    /// Largest resident size of one ended process in this cage so far, in KiB.
    pub(crate) cage_peak_kib: u64,
}

/// It ran and ended.
pub(crate) const ENDED: u64 = 0;
/// The program could not be executed.
pub(crate) const NO_EXEC: u64 = 1;
/// The folder to start in could not be entered.
pub(crate) const NO_FOLDER: u64 = 2;
/// PID 1 could not start it.
pub(crate) const NO_START: u64 = 3;

/// Bytes of a report: less than a pipe writes at once, so it is never torn.
pub(crate) const REPORT: usize = 40;

impl Report {
    pub(crate) fn encode(self) -> [u8; REPORT] {
        let words = [self.kind, self.status, self.cpu_us, self.cage_cpu_us, self.cage_peak_kib];
        let mut bytes = [0; REPORT];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; REPORT]) -> Self {
        let mut words = [0u64; REPORT / 8];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut raw = [0; 8];
            raw.copy_from_slice(place);
            *word = u64::from_ne_bytes(raw);
        }
        let [kind, status, cpu_us, cage_cpu_us, cage_peak_kib] = words;
        Report { kind, status, cpu_us, cage_cpu_us, cage_peak_kib }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        for request in [
            Request::Spawn { id: 7, argc: 3, envc: 2, length: 4096, terminal: true },
            Request::Signal { id: 9, signal: 15 },
            Request::SignalAll { signal: 9 },
            Request::Prepare,
        ] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        assert_eq!(Request::decode(&[0; REQUEST]), None);
        let report = Report { kind: 1, status: 2, cpu_us: 3, cage_cpu_us: 4, cage_peak_kib: 5 };
        assert_eq!(Report::decode(&report.encode()), report);
    }
}
