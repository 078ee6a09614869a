//! What is said on the line: what the host asks, and what it is told.
//!
//! A frame is the length of its body (four bytes, little-endian), then the body: the kind (one byte), the number of the
//! call or command that it is about (four bytes), then the values of `code.rs`.

use std::io::{ErrorKind, Read, Write};

use meliora_domain::Ending;
use meliora_evolve::{CageEntry, CageError, CageSpec, CageUsage, Command, SandboxError, Terminal};

use super::code::{Bytes, Code};

/// Kind and number.
pub(crate) const HEAD: usize = 5;
/// Largest body that the asked end takes. It trusts the host; this guards against a line that lost its place.
pub(crate) const LARGEST_ASK: u32 = 1 << 31;
/// Bytes of output in one frame, and of input in one write.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Messages with one kind each, that are what their values are, one after another.
macro_rules! messages {
    ($(#[$about:meta])* $name:ident { $($kind:literal $variant:ident($($value:ident: $of:ty),*),)* }) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) enum $name { $($variant($($of),*)),* }

        impl $name {
            fn kind(&self) -> u8 {
                match self { $($name::$variant(..) => $kind),* }
            }
            fn write(&self, out: &mut Vec<u8>) {
                match self { $($name::$variant($($value),*) => { $($value.write(out);)* let _ = out; })* }
            }
            fn read(kind: u8, from: &mut &[u8]) -> Option<Self> {
                match kind {
                    $($kind => { $(let $value = Code::read(from)?;)* Some($name::$variant($($value),*)) })*
                    _ => None,
                }
            }
        }
    };
}

/// Messages that go over the line by themselves.
macro_rules! frames {
    ($($name:ident),*) => {$(
        impl $name {
            /// The frame that says this.
            pub(crate) fn frame(&self, number: u32) -> Vec<u8> {
                let mut out = vec![0; 4];
                self.kind().write(&mut out);
                number.write(&mut out);
                self.write(&mut out);
                let length = (out.len() - 4) as u32;
                out[..4].copy_from_slice(&length.to_le_bytes());
                out
            }
            /// The number and the message of a body; `None` if it is neither more nor less than one.
            pub(crate) fn parse(mut body: &[u8]) -> Option<(u32, Self)> {
                let from = &mut body;
                let (kind, number) = (u8::read(from)?, u32::read(from)?);
                let message = Self::read(kind, from)?;
                from.is_empty().then_some((number, message))
            }
        }
    )*};
}
frames!(Ask, Tell);

messages! {
    /// What the host asks. All but the last four are answered with [`Tell::Done`] of the same number.
    Ask {
        1 Wake(nanos: u64, seed: Bytes),
        2 Open(spec: CageSpec),
        3 Close(),
        4 Put(path: String, executable: bool, bytes: Bytes),
        5 Get(path: String, limit: u64),
        6 List(path: String),
        7 Stat(path: String),
        8 MakeFolder(path: String),
        9 Remove(path: String),
        10 Rename(from: String, to: String),
        11 Pause(stopped: bool),
        12 Usage(),
        13 Spawn(process: u32, command: Command),
        14 Write(process: u32, bytes: Bytes),
        15 Signal(process: u32, signal: i32),
        16 Resize(process: u32, size: Terminal),
        17 CloseStdin(process: u32),
        18 Forget(process: u32),
        19 PowerOff(),
    }
}

messages! {
    /// What the host is told. The number is that of the call for `Done`, that of the command for the others.
    Tell {
        // The sandbox stands, and describes itself. Said once, before anything was asked.
        1 Ready(words: String),
        2 Done(answer: Answer),
        3 Stdout(bytes: Bytes),
        4 Stderr(bytes: Bytes),
        5 Exit(ending: Ending, usage: CageUsage),
        6 Broke(error: SandboxError),
    }
}

/// What came of a call.
pub(crate) type Answer = Result<Value, CageError>;

messages! {
    /// What a call gives back.
    Value {
        0 Nothing(),
        1 Flag(flag: bool),
        2 File(bytes: Bytes),
        3 Entries(entries: Vec<CageEntry>),
        4 Entry(entry: CageEntry),
        5 Used(usage: CageUsage),
    }
}

impl Code for Answer {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Ok(value) => {
                value.kind().write(out);
                value.write(out);
            }
            Err(error) => {
                u8::MAX.write(out);
                error.write(out);
            }
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            u8::MAX => CageError::read(from).map(Err),
            kind => Value::read(kind, from).map(Ok),
        }
    }
}

/// Reads a body. `allowed` says how long it may be, by its kind and number; `Ok(None)` at the end of the stream.
pub(crate) fn receive(from: &mut impl Read, allowed: impl FnOnce(u8, u32) -> u32) -> std::io::Result<Option<Vec<u8>>> {
    let wrong = |why: &str| std::io::Error::new(ErrorKind::InvalidData, why.to_owned());
    let mut head = [0; 4 + HEAD];
    let mut filled = 0;
    while filled < head.len() {
        match from.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(wrong("it ended within a message")),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [l0, l1, l2, l3, kind, n0, n1, n2, n3] = head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if (length as usize) < HEAD {
        return Err(wrong("a message is too short to be one"));
    }
    if length > allowed(kind, u32::from_le_bytes([n0, n1, n2, n3])) {
        return Err(wrong("a message is longer than it may be"));
    }
    let mut body = vec![kind, n0, n1, n2, n3];
    let rest = u64::from(length) - HEAD as u64;
    if from.take(rest).read_to_end(&mut body)? as u64 != rest {
        return Err(wrong("it ended within a message"));
    }
    Ok(Some(body))
}

/// Writes a frame whole.
pub(crate) fn send(to: &mut impl Write, frame: &[u8]) -> std::io::Result<()> {
    to.write_all(frame)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meliora_domain::Limits;
    use meliora_evolve::{EntryKind, ReadOnly};
    use proptest::prelude::*;

    use super::*;

    /// What a message is after it went over the wire.
    fn over(tell: &Tell) -> String {
        let frame = tell.frame(7);
        let body = receive(&mut frame.as_slice(), |_, _| u32::MAX).unwrap().unwrap();
        let (number, again) = Tell::parse(&body).unwrap();
        assert_eq!(number, 7);
        format!("{again:?}")
    }

    #[test]
    fn every_message_survives_the_wire() {
        let entry = CageEntry {
            name: "näme\n".into(),
            kind: EntryKind::Link,
            size: u64::MAX,
            mode: 0o644,
            modified: Duration::new(3, 4),
            target: "..".into(),
        };
        let error = || SandboxError { what: "w".into(), cause: "c".into(), hint: Some("h".into()) };
        let usage = CageUsage { cpu_seconds: 1.5, peak_memory: 9 };
        let mut tells = vec![
            Tell::Ready("namespaces".into()),
            Tell::Stdout(Bytes(vec![0, 255])),
            Tell::Stderr(Bytes(Vec::new())),
            Tell::Broke(error()),
        ];
        for ending in [Ending::Exited(-1), Ending::Signalled(9), Ending::WallClock, Ending::CpuTime] {
            tells.push(Tell::Exit(ending, usage));
        }
        for ending in [Ending::OutputCap, Ending::Memory] {
            tells.push(Tell::Exit(ending, usage));
        }
        for answer in [
            Ok(Value::Nothing()),
            Ok(Value::Flag(true)),
            Ok(Value::File(Bytes(b"x".to_vec()))),
            Ok(Value::Entries(vec![entry.clone(), entry.clone()])),
            Ok(Value::Entry(entry)),
            Ok(Value::Used(usage)),
            Err(CageError::NoFile { path: "p".into(), why: "y".into() }),
            Err(CageError::TooLarge { path: "p".into(), size: 3, limit: 2 }),
            Err(CageError::Full { path: "p".into() }),
            Err(CageError::Machinery(error())),
        ] {
            tells.push(Tell::Done(answer));
        }
        for tell in &tells {
            assert_eq!(over(tell), format!("{tell:?}"));
        }

        let mut spec = CageSpec::manual();
        spec.limits = Limits { memory: 5, ..Limits::default() };
        spec.read_only = vec![ReadOnly { path: "/a".into() }];
        spec.env = vec![("A".into(), "b=c".into())];
        spec.home = Some("/home/user".into());
        spec.terminals = true;
        let command = Command {
            argv: vec!["/bin/sh".into()],
            wall: Some(Duration::from_millis(5)),
            env: vec![("X".into(), String::new())],
            terminal: Some(Terminal { columns: 80, rows: 24 }),
            ..Command::default()
        };
        let path = || "/work/x".to_owned();
        for ask in [
            Ask::Wake(1, Bytes(vec![1; 64])),
            Ask::Open(spec),
            Ask::Close(),
            Ask::Put(path(), true, Bytes(vec![2])),
            Ask::Get(path(), 8),
            Ask::List(path()),
            Ask::Stat(path()),
            Ask::MakeFolder(path()),
            Ask::Remove(path()),
            Ask::Rename(path(), path()),
            Ask::Pause(false),
            Ask::Usage(),
            Ask::Spawn(4, command),
            Ask::Write(4, Bytes(Vec::new())),
            Ask::Signal(4, 15),
            Ask::Resize(4, Terminal { columns: 1, rows: 2 }),
            Ask::CloseStdin(4),
            Ask::Forget(4),
            Ask::PowerOff(),
        ] {
            let frame = ask.frame(1);
            let body = receive(&mut frame.as_slice(), |_, _| LARGEST_ASK).unwrap().unwrap();
            assert_eq!(format!("{:?}", Ask::parse(&body).unwrap()), format!("{:?}", (1, ask)));
        }
    }

    #[test]
    fn a_message_longer_than_allowed_is_refused_before_it_is_read() {
        let frame = Tell::Stdout(Bytes(vec![0; 100])).frame(3);
        let refused = receive(&mut frame.as_slice(), |kind, number| {
            assert_eq!((kind, number), (3, 3));
            50
        });
        assert!(refused.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_from_the_other_end_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut from = bytes.as_slice();
            while let Ok(Some(body)) = receive(&mut from, |_, _| 300) {
                Tell::parse(&body);
                Ask::parse(&body);
            }
            Tell::parse(&bytes);
            Ask::parse(&bytes);
        }

        #[test]
        fn a_damaged_message_is_read_as_something_or_refused(at in 0usize..60, to in any::<u8>(), cut in 0usize..60) {
            let mut frame = Tell::Done(Ok(Value::Entries(vec![CageEntry {
                name: "name".into(), kind: EntryKind::File, size: 1, mode: 0o644, modified: Duration::ZERO, target: String::new(),
            }]))).frame(9);
            let place = at % frame.len();
            frame[place] = to;
            frame.truncate(frame.len() - cut % frame.len());
            if let Ok(Some(body)) = receive(&mut frame.as_slice(), |_, _| 1000) {
                Tell::parse(&body);
            }
        }

        #[test]
        fn what_is_read_is_written_the_same(kind in 1u8..20, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let body = [&[kind, 1, 0, 0, 0][..], &bytes].concat();
            if let Some((number, ask)) = Ask::parse(&body) {
                prop_assert_eq!(&ask.frame(number)[4..], &body[..]);
            }
        }
    }
}
