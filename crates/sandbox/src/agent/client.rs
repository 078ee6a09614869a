//! The asking end of the line: a cage whose work is done elsewhere.
//!
//! It trusts nothing that it hears. Every answer has a largest length and a time by which it must be there, output counts
//! against its limit here once more, a command's clock runs here as well; and what does not keep to that is killed, with
//! all that it is.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meliora_domain::{Ending, Limits};
use meliora_evolve::{Cage, CageEntry, CageError, CageSpec, CageUsage, Command, Happening, Process, SandboxError};

use super::code::Bytes;
use super::command::{Inbox, RemoteProcess};
use super::protocol::{Answer, Ask, CHUNK, HEAD, Tell, Value, receive, send};
use crate::plan::failed;

/// How long an answer may take that waits for no command: emulated machines on a busy host are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer without a file or a list in it, and longest list.
pub(super) const SMALL: u32 = 64 * 1024;
const LIST: u32 = 64 << 20;

/// What is behind the other end: a machine, a container.
pub(crate) trait Host: Send + Sync {
    /// Ends it, and everything in it. Once is enough.
    fn kill(&self);
}

/// A line, shared by a cage and its commands.
pub(crate) struct Line {
    writes: Mutex<UnixStream>,
    state: Mutex<State>,
    host: Box<dyn Host>,
}

#[derive(Default)]
struct State {
    last: u32,
    /// Who waits for which answer, and how long it may be.
    calls: HashMap<u32, (Sender<Answer>, u32)>,
    inboxes: HashMap<u32, Arc<Inbox>>,
    ready: Option<Sender<String>>,
    /// Why nothing goes over it any more.
    dead: Option<String>,
}

impl Line {
    /// Listens on a stream. The receiver is told once what the other end says of itself.
    ///
    /// # Errors
    /// If the stream cannot be used, or no thread can be started.
    pub(crate) fn new(stream: UnixStream, host: Box<dyn Host>) -> Result<(Arc<Self>, Receiver<String>), SandboxError> {
        let failure = |error: std::io::Error| failed("line to the cage", error);
        let mut reads = stream.try_clone().map_err(failure)?;
        // One that no longer reads must not hold us.
        stream.set_write_timeout(Some(PATIENCE)).map_err(failure)?;
        let (ready, words) = channel();
        let state = State { ready: Some(ready), ..State::default() };
        let line = Arc::new(Line { writes: Mutex::new(stream), state: Mutex::new(state), host });
        let listener = Arc::clone(&line);
        let listen = move || {
            let why = loop {
                match receive(&mut reads, |kind, number| listener.allowed(kind, number)) {
                    Ok(Some(body)) => {
                        if let Err(why) = listener.hear(&body) {
                            break why;
                        }
                    }
                    Ok(None) => break "it ended".to_owned(),
                    Err(error) => break error.to_string(),
                }
            };
            listener.end(&why);
        };
        std::thread::Builder::new().name("cage-line".to_owned()).spawn(listen).map_err(failure)?;
        Ok((line, words))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allowed(&self, kind: u8, number: u32) -> u32 {
        match kind {
            2 => self.state().calls.get(&number).map_or(0, |(_, length)| *length),
            3 | 4 => (HEAD + 4 + CHUNK) as u32,
            _ => SMALL,
        }
    }

    /// Takes in one message, or says what is wrong with it.
    fn hear(&self, body: &[u8]) -> Result<(), String> {
        let (number, tell) = Tell::parse(body).ok_or("it said something that is no message")?;
        let inbox = |line: &Self| line.state().inboxes.get(&number).cloned();
        match tell {
            Tell::Ready(words) => {
                if let Some(ready) = self.state().ready.take() {
                    ready.send(words).ok();
                }
            }
            Tell::Done(answer) => {
                let (waits, _) = self.state().calls.remove(&number).ok_or("it answered what nobody asked")?;
                waits.send(answer).ok();
            }
            Tell::Stdout(bytes) => inbox(self).map_or(Ok(()), |inbox| inbox.take(Happening::Stdout(bytes.0)))?,
            Tell::Stderr(bytes) => inbox(self).map_or(Ok(()), |inbox| inbox.take(Happening::Stderr(bytes.0)))?,
            Tell::Exit(ending, _) => {
                if let Some(inbox) = inbox(self) {
                    inbox.end(ending);
                }
            }
            // There is no sandbox behind it.
            Tell::Broke(error) if number == 0 => return Err(error.to_string()),
            Tell::Broke(error) => {
                if let Some(inbox) = inbox(self) {
                    inbox.fail(error);
                }
            }
        }
        Ok(())
    }

    /// Kills what is behind the line, and tells everybody who waits.
    pub(crate) fn end(&self, why: &str) {
        self.host.kill();
        let inboxes = {
            let mut state = self.state();
            state.dead.get_or_insert_with(|| why.to_owned());
            state.calls.clear();
            state.ready = None;
            std::mem::take(&mut state.inboxes)
        };
        for inbox in inboxes.values() {
            inbox.end(Ending::Signalled(libc::SIGKILL));
        }
    }

    /// Why nothing goes over it any more.
    pub(crate) fn gone(&self) -> SandboxError {
        let why = self.state().dead.clone().unwrap_or_else(|| "it ended".to_owned());
        failed("line to the cage", why)
    }

    pub(super) fn say(&self, number: u32, ask: &Ask) -> Result<(), SandboxError> {
        let sent = {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            send(&mut *writes, &ask.frame(number))
        };
        sent.map_err(|error| {
            self.end(&error.to_string());
            self.gone()
        })
    }

    pub(super) fn begin(&self, ask: &Ask, longest: u32) -> Result<Receiver<Answer>, SandboxError> {
        let (answers, answer) = channel();
        let number = {
            let mut state = self.state();
            if state.dead.is_some() {
                drop(state);
                return Err(self.gone());
            }
            state.last = state.last.wrapping_add(1);
            let number = state.last;
            state.calls.insert(number, (answers, longest));
            number
        };
        self.say(number, ask)?;
        Ok(answer)
    }

    /// Asks, and waits for the answer.
    pub(crate) fn call(&self, ask: &Ask, longest: u32) -> Result<Value, CageError> {
        match self.begin(ask, longest)?.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.end(&format!("it gave no answer in {} seconds", PATIENCE.as_secs()));
                Err(self.gone().into())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.gone().into()),
        }
    }

    pub(super) fn ask(&self, ask: &Ask) -> Result<Value, SandboxError> {
        self.call(ask, SMALL).map_err(machinery)
    }

    /// Gives a command a number, by which its inbox is found.
    fn introduce(&self, inbox: &Arc<Inbox>) -> u32 {
        let mut state = self.state();
        state.last = state.last.wrapping_add(1);
        let id = state.last;
        state.inboxes.insert(id, Arc::clone(inbox));
        id
    }

    /// Takes the inbox of a command away. Whether there was one.
    pub(super) fn dismiss(&self, id: u32) -> bool {
        self.state().inboxes.remove(&id).is_some()
    }

    /// Sets clock and random numbers of the other end.
    pub(crate) fn wake(&self) -> Result<(), SandboxError> {
        let mut seed = vec![0; 64];
        rustix::rand::getrandom(&mut seed[..], rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| failed("random seed", errno))?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.ask(&Ask::Wake(now.as_nanos() as u64, Bytes(seed))).map(drop)
    }
}

/// An answer that does not fit the question.
fn nonsense() -> SandboxError {
    failed("line to the cage", "an answer does not fit its question")
}

pub(super) fn machinery(error: CageError) -> SandboxError {
    match error {
        CageError::Machinery(error) => error,
        other => failed("cage", other),
    }
}

/// A cage at the other end of a line. Its end is the end of everything behind that line.
pub(crate) struct RemoteCage {
    line: Arc<Line>,
    limits: Limits,
    /// Whether it was closed, and what is behind the line is to stay.
    left: bool,
}

impl RemoteCage {
    /// Opens it.
    ///
    /// # Errors
    /// What the other end says, or that it says nothing.
    pub(crate) fn open(line: Arc<Line>, spec: CageSpec) -> Result<Self, SandboxError> {
        let limits = spec.limits.clone();
        let cage = RemoteCage { line, limits, left: false };
        cage.line.ask(&Ask::Open(spec))?;
        Ok(cage)
    }

    /// Closes it, but leaves what is behind the line.
    ///
    /// # Errors
    /// If the other end does not answer.
    pub(crate) fn leave(mut self) -> Result<(), SandboxError> {
        self.line.ask(&Ask::Close())?;
        self.left = true;
        Ok(())
    }

    fn nothing(&self, ask: &Ask) -> Result<(), CageError> {
        match self.line.call(ask, SMALL)? {
            Value::Nothing() => Ok(()),
            _ => Err(nonsense().into()),
        }
    }
}

impl Drop for RemoteCage {
    fn drop(&mut self) {
        if !self.left {
            self.line.end("its cage was closed");
        }
    }
}

impl Cage for RemoteCage {
    fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError> {
        // What cannot fit need not travel, and the other end has no room to hold it either.
        if bytes.len() as u64 > self.limits.disk {
            return Err(CageError::Full { path: path.to_owned() });
        }
        self.nothing(&Ask::Put(path.to_owned(), executable, Bytes(bytes.to_vec())))
    }

    fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, CageError> {
        let longest = u32::try_from(limit.saturating_add(u64::from(SMALL))).unwrap_or(u32::MAX);
        match self.line.call(&Ask::Get(path.to_owned(), limit), longest)? {
            Value::File(bytes) if bytes.0.len() as u64 <= limit => Ok(bytes.0),
            _ => Err(nonsense().into()),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError> {
        match self.line.call(&Ask::List(path.to_owned()), LIST)? {
            Value::Entries(entries) => Ok(entries),
            _ => Err(nonsense().into()),
        }
    }

    fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        match self.line.call(&Ask::Stat(path.to_owned()), SMALL)? {
            Value::Entry(entry) => Ok(entry),
            _ => Err(nonsense().into()),
        }
    }

    fn make_folder(&self, path: &str) -> Result<bool, CageError> {
        match self.line.call(&Ask::MakeFolder(path.to_owned()), SMALL)? {
            Value::Flag(made) => Ok(made),
            _ => Err(nonsense().into()),
        }
    }

    fn remove(&self, path: &str) -> Result<(), CageError> {
        self.nothing(&Ask::Remove(path.to_owned()))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), CageError> {
        self.nothing(&Ask::Rename(from.to_owned(), to.to_owned()))
    }

    fn pause(&self, stopped: bool) -> Result<(), SandboxError> {
        self.line.ask(&Ask::Pause(stopped)).map(drop)
    }

    fn usage(&self) -> CageUsage {
        match self.line.call(&Ask::Usage(), SMALL) {
            Ok(Value::Used(usage)) if usage.cpu_seconds.is_finite() && usage.cpu_seconds >= 0.0 => usage,
            _ => CageUsage::default(),
        }
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError> {
        if command.argv.is_empty() {
            return Err(failed("command", "it has no program"));
        }
        let wall = command.wall.map_or(self.limits.wall, |wall| wall.min(self.limits.wall));
        let inbox = Arc::new(Inbox::new(self.limits.output));
        let id = self.line.introduce(&inbox);
        let process = RemoteProcess::new(Arc::clone(&self.line), id, inbox, wall);
        self.line.ask(&Ask::Spawn(id, command.clone()))?;
        Ok(Box::new(process))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::protocol::LARGEST_ASK;
    use super::*;

    /// What stands in for a machine: it notes that it was killed.
    struct Stand(Arc<AtomicBool>);

    impl Host for Stand {
        fn kill(&self) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// A cage whose other end answers as told, whatever was asked, and whether it was killed.
    fn cage_of(answers: impl Fn(u32, Ask) -> Vec<Vec<u8>> + Send + 'static) -> (RemoteCage, Arc<AtomicBool>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let killed = Arc::new(AtomicBool::new(false));
        let (line, _) = Line::new(ours, Box::new(Stand(Arc::clone(&killed)))).unwrap();
        std::thread::spawn(move || {
            let (mut reads, mut writes) = (theirs.try_clone().unwrap(), theirs);
            while let Ok(Some(body)) = receive(&mut reads, |_, _| LARGEST_ASK) {
                let (number, ask) = Ask::parse(&body).unwrap();
                for frame in answers(number, ask) {
                    if writes.write_all(&frame).is_err() {
                        return;
                    }
                }
            }
        });
        let mut spec = CageSpec::manual();
        spec.limits = Limits { output: 100, wall: Duration::from_millis(100), ..Limits::default() };
        (RemoteCage::open(line, spec).unwrap(), killed)
    }

    fn done(number: u32) -> Vec<u8> {
        Tell::Done(Ok(Value::Nothing())).frame(number)
    }

    fn command() -> Command {
        Command { argv: vec!["/x".into()], ..Command::default() }
    }

    #[test]
    fn an_end_that_passes_on_more_output_than_it_may_is_killed() {
        let (cage, killed) = cage_of(|number, ask| match ask {
            Ask::Spawn(process, _) => {
                let flood = Tell::Stdout(Bytes(vec![b'x'; 60])).frame(process);
                vec![done(number), flood.clone(), flood.clone(), flood]
            }
            _ => vec![done(number)],
        });
        let process = cage.spawn(&command()).unwrap();
        assert_eq!(process.next().unwrap(), Happening::Stdout(vec![b'x'; 60]));
        assert_eq!(process.next().unwrap(), Happening::Exit(Ending::OutputCap));
        assert!((0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            killed.load(Ordering::Acquire)
        }));
    }

    #[test]
    fn an_end_that_answers_what_nobody_asked_or_too_much_or_nonsense_is_killed() {
        type Lie = fn(u32) -> Vec<u8>;
        let lies: [Lie; 5] = [
            |number| done(number + 100),
            |number| Tell::Done(Ok(Value::File(Bytes(vec![0; 1 << 20])))).frame(number),
            |_| vec![255; 64],
            |_| vec![9, 0, 0, 0, 77, 0, 0, 0, 0, 1, 2, 3, 4],
            |_| Tell::Stdout(Bytes(vec![0; 1 << 20])).frame(1),
        ];
        for (which, lie) in lies.into_iter().enumerate() {
            let (cage, killed) = cage_of(move |number, ask| match ask {
                Ask::Get(..) => vec![lie(number)],
                _ => vec![done(number)],
            });
            let error = cage.get("/work/x", 10).unwrap_err();
            assert!(matches!(error, CageError::Machinery(_)), "{which}: {error}");
            assert!(killed.load(Ordering::Acquire), "{which}");
            assert!(cage.get("/work/x", 10).is_err() && cage.spawn(&command()).is_err(), "{which}: it stays dead");
        }
    }

    #[test]
    fn an_answer_of_another_kind_is_an_error_and_no_answer() {
        let (cage, _) = cage_of(|number, _| vec![done(number)]);
        assert!(cage.get("/work/x", 10).is_err());
        assert!(cage.list("/work").is_err());
        assert!(cage.stat("/work").is_err());
        assert_eq!(cage.usage(), CageUsage::default());
    }

    #[test]
    fn figures_that_cannot_be_are_not_believed() {
        let (cage, _) = cage_of(|number, ask| match ask {
            Ask::Usage() => {
                let usage = CageUsage { cpu_seconds: f64::NAN, peak_memory: 1 };
                vec![Tell::Done(Ok(Value::Used(usage))).frame(number)]
            }
            _ => vec![done(number)],
        });
        assert_eq!(cage.usage(), CageUsage::default());
    }

    #[test]
    fn a_command_ends_with_the_line_and_the_line_with_the_cage() {
        let (cage, killed) = cage_of(|number, _| vec![done(number)]);
        let process = cage.spawn(&command()).unwrap();
        drop(cage);
        assert!(killed.load(Ordering::Acquire));
        assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(9)));
        process.write(b"more").unwrap();
        process.signal(15).unwrap();
    }

    #[test]
    fn a_file_that_cannot_fit_is_not_sent() {
        let (cage, _) = cage_of(|number, ask| {
            assert!(!matches!(ask, Ask::Put(..)));
            vec![done(number)]
        });
        let much = vec![0; cage.limits.disk as usize + 1];
        assert!(matches!(cage.put("/work/x", &much, false), Err(CageError::Full { .. })));
    }
}
