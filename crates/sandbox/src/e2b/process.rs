//! A running command in a sandbox: its streams, its clock, its end.
//!
//! A thread reads what the cloud sends and passes it on; whoever waits in `next` keeps the limits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use meliora_domain::Ending;
use meliora_evolve::{Command, Happening, Process, SandboxError, Terminal};

use crate::plan::failed;

use super::cage::Inner;
use super::http::nonce;
use super::inside::{Start, Stream};
use super::launch::{Preamble, SIGNAL, launch};
use super::trouble::{Kind, Trouble};
use super::wire::{End, Event, signal_of};

/// How long the end of a killed command may take to arrive, before the whole sandbox is ended.
const GRACE: Duration = Duration::from_secs(10);
/// How long a signal waits for the command's first line.
const MOMENT: Duration = Duration::from_secs(2);
/// How often a waiting reader looks whether the cage is still there.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of input sent at once.
const CHUNK: usize = 256 << 10;

enum Word {
    Said(Event),
    Trouble(Trouble),
}

pub(crate) struct Running {
    cage: Arc<Inner>,
    /// The daemon's number.
    pid: u32,
    terminal: bool,
    deadline: Instant,
    /// The number inside, which names its group.
    inner: Arc<Number>,
    /// One writer at a time, or their bytes would mix.
    writing: Mutex<()>,
    stdin_closed: AtomicBool,
    ended: AtomicBool,
    output: Mutex<Output>,
}

/// A number that is told a moment after the start.
#[derive(Default)]
struct Number(Mutex<Option<u32>>, Condvar);

impl Number {
    fn tell(&self, number: u32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        self.1.notify_all();
    }

    /// Waits a little for it. 0 and 1 are none: they would name every process there is.
    fn get(&self, until: Instant) -> Option<u32> {
        let mut number = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while number.is_none() {
            let left = until.checked_duration_since(Instant::now())?;
            number = self.1.wait_timeout(number, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        number.filter(|number| *number > 1)
    }
}

/// What comes out of a command.
struct Output {
    words: Receiver<Word>,
    queue: VecDeque<Happening>,
    kept: u64,
    /// The limit that was passed, and until when its end may take.
    breach: Option<(Ending, Instant)>,
    /// How it ended, or why nobody knows.
    result: Option<Result<Ending, Unknown>>,
}

/// Why nobody knows how a command ended; told as often as it is asked.
#[derive(Clone)]
struct Unknown {
    what: String,
    cause: String,
    hint: Option<String>,
}

impl Running {
    pub(crate) fn start(cage: Arc<Inner>, command: &Command) -> Result<Self, SandboxError> {
        let begin = Instant::now();
        let limits = &cage.limits;
        let wall = command.wall.map_or(limits.wall, |wall| wall.min(limits.wall));
        let launch = launch(command, &cage.env, limits, &nonce())?;
        let start = Start {
            program: "/bin/sh",
            args: &launch.args,
            terminal: command.terminal.map(|size| (size.columns, size.rows)),
            stdin: true,
            user: None,
            time: wall,
        };
        let (pid, stream) = cage.inside.start(&start).map_err(|trouble| trouble.told("start of a command"))?;
        // One byte more than may be kept, so that it shows.
        let (room, terminal) = (limits.output.saturating_add(1), command.terminal.is_some());
        let inner = Arc::new(Number::default());
        let (said, words) = channel();
        std::thread::Builder::new()
            .name("e2b-reader".into())
            .spawn({
                let inner = Arc::clone(&inner);
                let mut ears = Ears { preamble: launch.preamble, terminal, inner, room };
                move || ears.listen(stream, &said)
            })
            .map_err(|error| failed("reader thread", error))?;
        let output = Output { words, queue: VecDeque::new(), kept: 0, breach: None, result: None };
        Ok(Running {
            cage,
            pid,
            terminal,
            deadline: begin + wall,
            inner,
            writing: Mutex::new(()),
            stdin_closed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            output: Mutex::new(output),
        })
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.cage.life.is_over()
    }

    /// Kills it and all it started, as far as that is known.
    fn kill(&self) {
        // Where that fails its end does not come, and the sandbox is ended.
        self.signal(libc::SIGKILL).ok();
    }

    /// Takes the next word, or notes which limit was passed.
    fn wait(&self, output: &mut Output) -> Result<(), SandboxError> {
        let now = Instant::now();
        if self.cage.life.is_over() && output.breach.is_none() {
            output.result = Some(Ok(Ending::Signalled(libc::SIGKILL)));
            return Ok(());
        }
        let until = output.breach.map_or(self.deadline, |(_, until)| until);
        if now >= until {
            match output.breach {
                None => {
                    output.breach = Some((Ending::WallClock, now + GRACE));
                    self.kill();
                }
                Some((ending, _)) => {
                    // Whatever still lives there is out of our reach otherwise.
                    self.cage.end();
                    output.result = Some(Ok(ending));
                }
            }
            return Ok(());
        }
        match output.words.recv_timeout((until - now).min(LOOK)) {
            Ok(Word::Said(event)) => self.note(output, event),
            Ok(Word::Trouble(trouble)) => output.result = Some(self.explain(output, trouble)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let trouble = Trouble::Broken("the command's stream ends without its end".into());
                output.result = Some(self.explain(output, trouble));
            }
        }
        Ok(())
    }

    fn note(&self, output: &mut Output, event: Event) {
        match event {
            Event::Out(bytes) => self.keep(output, bytes, Happening::Stdout),
            Event::Err(bytes) => self.keep(output, bytes, Happening::Stderr),
            Event::End(end) => {
                let ending = judge(&end);
                output.result = Some(match output.breach {
                    Some((breach, _)) => Ok(breach),
                    None => ending.map_err(|cause| Unknown { what: "end of a command".to_owned(), cause, hint: None }),
                });
            }
            Event::Start(_) | Event::Nothing => {}
        }
    }

    /// Queues output up to the cap; one byte more ends the command.
    fn keep(&self, output: &mut Output, mut bytes: Vec<u8>, which: fn(Vec<u8>) -> Happening) {
        let room = self.cage.limits.output.saturating_sub(output.kept);
        let over = bytes.len() as u64 > room;
        if over {
            bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        }
        output.kept += bytes.len() as u64;
        if !bytes.is_empty() {
            output.queue.push_back(which(bytes));
        }
        if over && output.breach.is_none() {
            output.breach = Some((Ending::OutputCap, Instant::now() + GRACE));
            self.kill();
        }
    }

    /// What a stream that ended badly means for the command.
    fn explain(&self, output: &Output, trouble: Trouble) -> Result<Ending, Unknown> {
        if let Some((breach, _)) = output.breach {
            return Ok(breach);
        }
        if self.cage.life.is_over() {
            return Ok(Ending::Signalled(libc::SIGKILL));
        }
        if trouble.kind() == Some(Kind::Deadline) {
            return Ok(Ending::WallClock);
        }
        let gone = trouble.kind() != Some(Kind::Gone) && self.cage.inside.is_gone();
        let error = trouble.told("output of a command");
        let cause =
            if gone { format!("the sandbox ended while the command ran: {}", error.cause) } else { error.cause };
        Err(Unknown { what: error.what, cause, hint: error.hint })
    }
}

/// What the reading thread has.
struct Ears {
    preamble: Preamble,
    terminal: bool,
    inner: Arc<Number>,
    /// Bytes of output that are still passed on.
    room: u64,
}

impl Ears {
    /// Reads the stream to its end, whether or not somebody takes what is read: a command that writes as it reads
    /// would stand still, and its writer too.
    fn listen(&mut self, mut stream: Stream, said: &Sender<Word>) {
        loop {
            let word = match stream.next() {
                Ok(Some(Event::Out(bytes))) => Word::Said(Event::Out(self.hear(bytes, self.terminal))),
                Ok(Some(Event::Err(bytes))) => Word::Said(Event::Err(self.hear(bytes, true))),
                Ok(Some(Event::Nothing)) => continue,
                Ok(Some(event)) => Word::Said(event),
                Ok(None) => return,
                Err(trouble) => Word::Trouble(trouble),
            };
            let last = matches!(word, Word::Trouble(_) | Word::Said(Event::End(_)));
            // Nobody listens any more: the command was dropped.
            if said.send(word).is_err() || last {
                return;
            }
        }
    }

    /// Takes our own first line off, and what is too much.
    fn hear(&mut self, bytes: Vec<u8>, begins: bool) -> Vec<u8> {
        let (mut bytes, number) = if begins { self.preamble.take(bytes) } else { (bytes, None) };
        if let Some(number) = number {
            self.inner.tell(number);
        }
        bytes.truncate(usize::try_from(self.room).unwrap_or(usize::MAX));
        self.room -= bytes.len() as u64;
        bytes
    }
}

fn judge(end: &End) -> Result<Ending, String> {
    if end.exited {
        return Ok(Ending::Exited(end.exit_code));
    }
    match signal_of(&end.status) {
        Some(libc::SIGXCPU) => Ok(Ending::CpuTime),
        Some(signal) => Ok(Ending::Signalled(signal)),
        None => Err(format!("the cloud says '{}', which is no known end", end.status)),
    }
}

impl Process for Running {
    fn write(&self, bytes: &[u8]) -> Result<(), SandboxError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks(CHUNK) {
            if self.is_over() || self.stdin_closed.load(Ordering::Acquire) {
                return Ok(());
            }
            let left = self.deadline.saturating_duration_since(Instant::now()) + LOOK;
            match self.cage.inside.input(self.pid, self.terminal, chunk, left) {
                Ok(()) => {}
                // It no longer reads, or is over: what it does not want is dropped. Older daemons call a broken pipe
                // an error of their own.
                Err(Trouble::Answer(answer)) if matches!(answer.kind, Kind::Missing | Kind::Moment | Kind::Other) => {
                    return Ok(());
                }
                // It did not take it within its time: `next` will say so.
                Err(Trouble::Slow(_)) if Instant::now() >= self.deadline => {
                    self.kill();
                    return Ok(());
                }
                Err(_) if self.is_over() => return Ok(()),
                Err(trouble) => return Err(trouble.told("standard input of a command")),
            }
        }
        Ok(())
    }

    fn close_stdin(&self) {
        if self.is_over() || self.stdin_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let done = if self.terminal {
            // A terminal ends its input by a character.
            self.cage.inside.input(self.pid, true, &[4], self.cage.inside.http.settings().request)
        } else {
            self.cage.inside.close_input(self.pid)
        };
        // One that waits for the end of its input in vain is stopped by its clock.
        done.ok();
    }

    fn next(&self) -> Result<Happening, SandboxError> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(happening) = output.queue.pop_front() {
                return Ok(happening);
            }
            match output.result.clone() {
                Some(Ok(ending)) => {
                    self.ended.store(true, Ordering::Release);
                    return Ok(Happening::Exit(ending));
                }
                Some(Err(Unknown { what, cause, hint })) => {
                    self.ended.store(true, Ordering::Release);
                    return Err(SandboxError { what, cause, hint });
                }
                None => self.wait(&mut output)?,
            }
        }
    }

    fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        if self.is_over() || signal <= 0 {
            return Ok(());
        }
        let inside = &self.cage.inside;
        let told = |trouble: Trouble| trouble.told("signal to a command");
        let inner = self.inner.get(Instant::now() + MOMENT);
        if let Some(inner) = inner {
            inside.run(SIGNAL, &[signal.to_string(), inner.to_string()], None).map_err(told)?;
        }
        // The daemon itself knows two signals. It is told as well: it stops waiting for output that a survivor holds,
        // and it is all there is before the first line arrived.
        if matches!(signal, libc::SIGKILL | libc::SIGTERM) && (inner.is_none() || signal == libc::SIGKILL) {
            match inside.kill(self.pid, signal == libc::SIGTERM) {
                Ok(()) => {}
                // It is over.
                Err(Trouble::Answer(answer)) if answer.kind != Kind::Key => {}
                Err(trouble) => return Err(told(trouble)),
            }
        }
        Ok(())
    }

    fn resize(&self, size: Terminal) -> Result<(), SandboxError> {
        if self.is_over() || !self.terminal {
            return Ok(());
        }
        self.cage.inside.resize(self.pid, size.columns, size.rows).map_err(|trouble| trouble.told("size of a terminal"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody listens any more; a command that runs on unseen would pass every limit but its own.
        self.kill();
    }
}
