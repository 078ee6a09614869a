//! Values as bytes: numbers little-endian, texts and lists behind their length. Reading never panics and never makes room
//! for more than is there.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use meliora_domain::{Ending, Limits};
use meliora_evolve::{CageEntry, CageError, CageSpec, CageUsage, Command, EntryKind, ReadOnly, SandboxError, Terminal};

/// A value that crosses the line.
pub(crate) trait Code: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// Takes the value from the front; `None` if it is not there whole.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl Code for $kind {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
            fn read(from: &mut &[u8]) -> Option<Self> {
                let (first, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$kind>::from_le_bytes(*first))
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, i32, f64);

/// Structures that are what their fields are, one after another.
macro_rules! fields {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Code for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)*
            }
            fn read(from: &mut &[u8]) -> Option<Self> {
                $(let $field = Code::read(from)?;)*
                Some($name { $($field),* })
            }
        }
    )*};
}
fields! {
    Limits { memory, processes, files, disk, cpu_seconds, wall, output }
    Terminal { columns, rows }
    Command { argv, cwd, wall, env, terminal }
    CageUsage { cpu_seconds, peak_memory }
    CageEntry { name, kind, size, mode, modified, target }
    SandboxError { what, cause, hint }
    ReadOnly { path }
}

impl Code for bool {
    fn write(&self, out: &mut Vec<u8>) {
        u8::from(*self).write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Bytes as they are; a list of bytes one by one would be slow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Code for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        write_bytes(&self.0, out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        read_bytes(from).map(|bytes| Bytes(bytes.to_vec()))
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u32).write(out);
    out.extend(bytes);
}

fn read_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::read(from)? as usize;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

impl Code for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_bytes(self.as_bytes(), out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        String::from_utf8(read_bytes(from)?.to_vec()).ok()
    }
}

impl Code for PathBuf {
    fn write(&self, out: &mut Vec<u8>) {
        write_bytes(self.as_os_str().as_bytes(), out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(PathBuf::from(std::ffi::OsString::from_vec(read_bytes(from)?.to_vec())))
    }
}

impl Code for Duration {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_secs().write(out);
        self.subsec_nanos().write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (seconds, nanos) = (u64::read(from)?, u32::read(from)?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }
}

impl<T: Code> Code for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<T: Code> Code for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u32).write(out);
        for value in self {
            value.write(out);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let count = u32::read(from)? as usize;
        // Every value takes a byte at least, so a count that promises more is none.
        if count > from.len() {
            return None;
        }
        (0..count).map(|_| T::read(from)).collect()
    }
}

impl<A: Code, B: Code> Code for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl Code for EntryKind {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            EntryKind::File => 0u8,
            EntryKind::Folder => 1,
            EntryKind::Link => 2,
            EntryKind::Other => 3,
        }
        .write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(EntryKind::File),
            1 => Some(EntryKind::Folder),
            2 => Some(EntryKind::Link),
            3 => Some(EntryKind::Other),
            _ => None,
        }
    }
}

impl Code for Ending {
    fn write(&self, out: &mut Vec<u8>) {
        let (kind, number) = match self {
            Ending::Exited(code) => (0u8, *code),
            Ending::Signalled(signal) => (1, *signal),
            Ending::WallClock => (2, 0),
            Ending::CpuTime => (3, 0),
            Ending::OutputCap => (4, 0),
            Ending::Memory => (5, 0),
        };
        kind.write(out);
        number.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (kind, number) = (u8::read(from)?, i32::read(from)?);
        match kind {
            0 => Some(Ending::Exited(number)),
            1 => Some(Ending::Signalled(number)),
            2 => Some(Ending::WallClock),
            3 => Some(Ending::CpuTime),
            4 => Some(Ending::OutputCap),
            5 => Some(Ending::Memory),
            _ => None,
        }
    }
}

impl Code for CageError {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            CageError::NoFile { path, why } => {
                0u8.write(out);
                path.write(out);
                why.write(out);
            }
            CageError::TooLarge { path, size, limit } => {
                1u8.write(out);
                path.write(out);
                size.write(out);
                limit.write(out);
            }
            CageError::Full { path } => {
                2u8.write(out);
                path.write(out);
            }
            CageError::Machinery(error) => {
                3u8.write(out);
                error.write(out);
            }
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(match u8::read(from)? {
            0 => CageError::NoFile { path: Code::read(from)?, why: Code::read(from)? },
            1 => CageError::TooLarge { path: Code::read(from)?, size: Code::read(from)?, limit: Code::read(from)? },
            2 => CageError::Full { path: Code::read(from)? },
            3 => CageError::Machinery(Code::read(from)?),
            _ => return None,
        })
    }
}

/// Without its purpose: who may open a cage was decided before it came to a line.
impl Code for CageSpec {
    fn write(&self, out: &mut Vec<u8>) {
        self.limits.write(out);
        self.read_only.write(out);
        self.env.write(out);
        self.home.write(out);
        self.terminals.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let mut spec = CageSpec::manual();
        spec.limits = Code::read(from)?;
        spec.read_only = Code::read(from)?;
        spec.env = Code::read(from)?;
        spec.home = Code::read(from)?;
        spec.terminals = Code::read(from)?;
        Some(spec)
    }
}
