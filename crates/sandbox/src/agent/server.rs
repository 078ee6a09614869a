//! The end of the line that has the sandbox: opens one cage at a time, and does in it what the host asks.
//!
//! It believes the host. It ends with the line, and its cage with it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use meliora_evolve::{Cage, CageError, Happening, Process, Sandbox, SandboxError};

use super::code::Bytes;
use super::protocol::{Answer, Ask, CHUNK, LARGEST_ASK, Tell, Value, receive, send};
use crate::plan::failed;

/// The two ways of a line.
pub(crate) struct Stream {
    pub(crate) reads: Box<dyn Read + Send>,
    pub(crate) writes: Box<dyn Write + Send>,
}

/// Sets the clock (nanoseconds since 1970) and stirs the seed into the kernel's random numbers.
type Wake<'a> = &'a dyn Fn(u64, &[u8]) -> Result<(), SandboxError>;

/// Where every thread of this end writes.
#[derive(Clone)]
struct Voice(Arc<Mutex<Box<dyn Write + Send>>>);

impl Voice {
    fn say(&self, number: u32, tell: &Tell) {
        let mut writes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A host that is gone needs no answer; the reading side notices.
        send(&mut *writes, &tell.frame(number)).ok();
    }
}

/// Says that there is no sandbox, and why.
pub(crate) fn refuse(mut stream: Stream, error: SandboxError) {
    send(&mut stream.writes, &Tell::Broke(error).frame(0)).ok();
}

/// A command that was started, and who writes to it.
struct Started {
    process: Arc<dyn Process>,
    input: Sender<(u32, Vec<u8>)>,
}

/// Serves one line.
pub(crate) struct Server<'a> {
    sandbox: &'a dyn Sandbox,
    wake: Wake<'a>,
    voice: Voice,
    cage: Option<Arc<dyn Cage>>,
    started: HashMap<u32, Started>,
}

impl<'a> Server<'a> {
    /// Says that the sandbox stands, and obeys until the host is gone or wants it to end.
    pub(crate) fn serve(stream: Stream, sandbox: &'a dyn Sandbox, wake: Wake<'a>) {
        let Stream { mut reads, writes } = stream;
        let voice = Voice(Arc::new(Mutex::new(writes)));
        voice.say(0, &Tell::Ready(sandbox.describe()));
        let mut server = Server { sandbox, wake, voice, cage: None, started: HashMap::new() };
        while let Ok(Some(body)) = receive(&mut reads, |_, _| LARGEST_ASK) {
            let Some((number, ask)) = Ask::parse(&body) else { return };
            if matches!(ask, Ask::PowerOff()) {
                return;
            }
            if let Some(answer) = server.obey(number, ask) {
                server.voice.say(number, &Tell::Done(answer));
            }
        }
    }

    fn cage(&self) -> Result<&Arc<dyn Cage>, CageError> {
        self.cage.as_ref().ok_or_else(|| failed("cage", "none is open").into())
    }

    fn started(&self, process: u32) -> Result<&Started, CageError> {
        self.started.get(&process).ok_or_else(|| failed("command", "there is none of this number").into())
    }

    /// Does what was asked. `None` where another thread answers, or nobody.
    fn obey(&mut self, number: u32, ask: Ask) -> Option<Answer> {
        let nothing = |()| Value::Nothing();
        Some(match ask {
            Ask::Wake(nanos, seed) => (self.wake)(nanos, &seed.0).map(nothing).map_err(CageError::from),
            Ask::Open(spec) => self.sandbox.open(spec).map_err(CageError::from).map(|cage| {
                self.cage = Some(Arc::from(cage));
                Value::Nothing()
            }),
            Ask::Close() => {
                for (_, started) in self.started.drain() {
                    started.process.signal(libc::SIGKILL).ok();
                }
                self.cage = None;
                Ok(Value::Nothing())
            }
            Ask::Put(path, executable, bytes) => {
                self.cage().and_then(|cage| cage.put(&path, &bytes.0, executable)).map(nothing)
            }
            Ask::Get(path, limit) => {
                self.cage().and_then(|cage| cage.get(&path, limit)).map(|bytes| Value::File(Bytes(bytes)))
            }
            Ask::List(path) => self.cage().and_then(|cage| cage.list(&path)).map(Value::Entries),
            Ask::Stat(path) => self.cage().and_then(|cage| cage.stat(&path)).map(Value::Entry),
            Ask::MakeFolder(path) => self.cage().and_then(|cage| cage.make_folder(&path)).map(Value::Flag),
            Ask::Remove(path) => self.cage().and_then(|cage| cage.remove(&path)).map(nothing),
            Ask::Rename(from, to) => self.cage().and_then(|cage| cage.rename(&from, &to)).map(nothing),
            Ask::Pause(stopped) => {
                self.cage().and_then(|cage| cage.pause(stopped).map_err(CageError::from)).map(nothing)
            }
            Ask::Usage() => self.cage().map(|cage| Value::Used(cage.usage())),
            Ask::Spawn(process, command) => {
                let spawned = self.cage().and_then(|cage| cage.spawn(&command).map_err(CageError::from));
                match spawned {
                    Err(error) => Err(error),
                    Ok(spawned) => {
                        self.voice.say(number, &Tell::Done(Ok(Value::Nothing())));
                        self.attend(process, Arc::from(spawned));
                        return None;
                    }
                }
            }
            Ask::Write(process, bytes) => match self.started(process) {
                // It may take its time: the command must read first.
                Ok(started) if started.input.send((number, bytes.0)).is_ok() => return None,
                Ok(_) => Ok(Value::Nothing()),
                Err(error) => Err(error),
            },
            Ask::Signal(process, signal) => {
                self.started(process).and_then(|s| s.process.signal(signal).map_err(CageError::from)).map(nothing)
            }
            Ask::Resize(process, size) => {
                self.started(process).and_then(|s| s.process.resize(size).map_err(CageError::from)).map(nothing)
            }
            Ask::CloseStdin(process) => {
                if let Ok(started) = self.started(process) {
                    started.process.close_stdin();
                }
                return None;
            }
            Ask::Forget(process) => {
                if let Some(started) = self.started.remove(&process) {
                    started.process.signal(libc::SIGKILL).ok();
                }
                return None;
            }
            Ask::PowerOff() => return None,
        })
    }

    /// Gives a command its two threads: one tells what it does, one writes to it.
    fn attend(&mut self, number: u32, process: Arc<dyn Process>) {
        let (input, writes) = channel::<(u32, Vec<u8>)>();
        let (writer, voice) = (Arc::clone(&process), self.voice.clone());
        std::thread::spawn(move || {
            for (call, bytes) in writes {
                let written = writer.write(&bytes).map(|()| Value::Nothing()).map_err(CageError::from);
                voice.say(call, &Tell::Done(written));
            }
        });
        let (reader, voice) = (Arc::clone(&process), self.voice.clone());
        // Not the cage itself: it must end when the host wants it to, whatever still runs.
        let cage = self.cage.as_ref().map(Arc::downgrade);
        std::thread::spawn(move || {
            loop {
                let (bytes, tell): (_, fn(Bytes) -> Tell) = match reader.next() {
                    Ok(Happening::Stdout(bytes)) => (bytes, Tell::Stdout),
                    Ok(Happening::Stderr(bytes)) => (bytes, Tell::Stderr),
                    Ok(Happening::Exit(ending)) => {
                        let usage = cage.and_then(|cage| cage.upgrade()).map(|cage| cage.usage()).unwrap_or_default();
                        return voice.say(number, &Tell::Exit(ending, usage));
                    }
                    Err(error) => return voice.say(number, &Tell::Broke(error)),
                };
                for chunk in bytes.chunks(CHUNK) {
                    voice.say(number, &tell(Bytes(chunk.to_vec())));
                }
            }
        });
        self.started.insert(number, Started { process, input });
    }
}
