//! One thread that tells the cloud which sandboxes are still held, and ends those that are not. When this program
//! dies, it says no more, and the cloud ends them all when their lifetime is over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::control;
use super::http::Http;
use super::trouble::Kind;

/// A sandbox as its cage, its commands and the keeper share it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// Its cage was dropped, or a limit that could not be enforced otherwise ended it.
    over: AtomicBool,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

enum Word {
    Held(String),
    Over(String),
}

pub(crate) struct Keeper {
    words: Mutex<Option<Sender<Word>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    pub(crate) fn start(http: Arc<Http>) -> std::io::Result<Self> {
        let (words, heard) = channel();
        let thread = std::thread::Builder::new().name("e2b-keeper".into()).spawn(move || keep(&http, &heard))?;
        Ok(Keeper { words: Mutex::new(Some(words)), thread: Mutex::new(Some(thread)) })
    }

    /// From now on it is asked to live on.
    pub(crate) fn hold(&self, id: &str) -> Arc<Life> {
        self.say(Word::Held(id.to_owned()));
        Arc::default()
    }

    /// Ends it, soon. Once is enough.
    pub(crate) fn end(&self, id: &str, life: &Life) {
        if !life.over.swap(true, Ordering::AcqRel) {
            self.say(Word::Over(id.to_owned()));
        }
    }

    fn say(&self, word: Word) {
        if let Some(words) = &*self.words.lock().unwrap_or_else(PoisonError::into_inner) {
            // The thread listens until we hang up.
            words.send(word).ok();
        }
    }
}

impl Drop for Keeper {
    /// Waits until all that was to be ended has been.
    fn drop(&mut self) {
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            thread.join().ok();
        }
    }
}

fn keep(http: &Http, heard: &Receiver<Word>) {
    let lifetime = http.settings().lifetime;
    // Three chances before it is over.
    let every = lifetime / 3;
    let soon = (lifetime / 30).min(Duration::from_secs(5));
    let mut held: HashMap<String, Instant> = HashMap::new();
    loop {
        let next = held.values().min().copied();
        let word = match next {
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(when) => heard.recv_timeout(when.saturating_duration_since(Instant::now())),
        };
        match word {
            Ok(Word::Held(id)) => {
                held.insert(id, Instant::now() + every);
            }
            Ok(Word::Over(id)) => {
                held.remove(&id);
                // What cannot be ended now ends when its lifetime is over.
                control::end(http, &id).ok();
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                let due: Vec<String> =
                    held.iter().filter(|(_, when)| **when <= now).map(|(id, _)| id.clone()).collect();
                for id in due {
                    match control::keep(http, &id, lifetime) {
                        Ok(()) => held.insert(id, Instant::now() + every),
                        // Its commands will find out; nothing is left to keep.
                        Err(trouble) if matches!(trouble.kind(), Some(Kind::Missing | Kind::Gone)) => held.remove(&id),
                        Err(_) => held.insert(id, Instant::now() + soon),
                    };
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                // Every cage said that it is over before the last of us went; what is left was lost on the way.
                for id in held.into_keys() {
                    control::end(http, &id).ok();
                }
                return;
            }
        }
    }
}
