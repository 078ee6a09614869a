//! Answers kept on disk, one file a request: what was asked before in the very same words costs nothing.
//!
//! Kept where the temperature is zero, or always where that is asked for: elsewhere a second answer is meant to differ.
//! A cache never fails a call: what cannot be read is asked again, what cannot be written is told at the end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meliora_domain::{Cost, Digest};
use meliora_evolve::{Chat, Model, ModelError, Reply, Reservation};
use serde::{Deserialize, Serialize};

use crate::cassette::Request;

/// A model with a cache before it.
pub struct Cache<M> {
    inner: M,
    endpoint: String,
    folder: PathBuf,
    always: bool,
    kept: Arc<Kept>,
}

/// What a cache saved.
#[derive(Debug, Default)]
pub struct Kept {
    calls: AtomicU64,
    tokens: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Kept {
    /// Calls that were answered from the cache.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Tokens that those calls had cost when they were made.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Why an answer could not be kept, if that happened.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A file of the cache.
#[derive(Serialize, Deserialize)]
struct Entry {
    endpoint: String,
    request: Request,
    reply: Reply,
}

impl<M: Model> Cache<M> {
    /// Keeps answers of the server at `endpoint` under this folder, which is made when the first one comes; at
    /// temperature zero, or `always`.
    pub fn new(inner: M, endpoint: &str, folder: &Path, always: bool) -> Self {
        let endpoint = endpoint.to_owned();
        Cache { inner, endpoint, folder: folder.to_owned(), always, kept: Arc::default() }
    }

    /// What it saved, as it goes on.
    pub fn kept(&self) -> Arc<Kept> {
        self.kept.clone()
    }

    fn path(&self, request: &Request) -> PathBuf {
        let asked =
            serde_json::to_vec(&(&self.endpoint, request)).expect("strings and numbers always have a JSON form");
        let name = Digest::of([asked.as_slice()]).to_string();
        self.folder.join(&name[..2]).join(format!("{name}.json"))
    }

    fn find(&self, request: &Request) -> Option<Reply> {
        let text = std::fs::read(self.path(request)).ok()?;
        let entry: Entry = serde_json::from_slice(&text).ok()?;
        // A file that was copied or altered by hand answers nothing else.
        (entry.request == *request && entry.endpoint == self.endpoint).then_some(entry.reply)
    }

    fn keep(&self, request: Request, reply: &Reply) -> std::io::Result<()> {
        let path = self.path(&request);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)?;
        let entry = Entry { endpoint: self.endpoint.clone(), request, reply: reply.clone() };
        // Under another name first: a file of the cache is whole at every moment.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&entry)?)?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    }
}

impl<M: Model> Model for Cache<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn estimate(&self, chat: &Chat) -> Cost {
        self.inner.estimate(chat)
    }

    fn chat(&self, chat: &Chat, reservation: Reservation) -> Result<Reply, ModelError> {
        if chat.temperature != 0.0 && !self.always {
            return self.inner.chat(chat, reservation);
        }
        let request = Request::of(self.inner.name(), chat);
        if let Some(reply) = self.find(&request) {
            self.kept.calls.fetch_add(1, Ordering::Relaxed);
            self.kept.tokens.fetch_add(reply.cost().tokens, Ordering::Relaxed);
            return Ok(Reply { kept: true, ..reply });
        }
        let reply = self.inner.chat(chat, reservation)?;
        if let Err(e) = self.keep(request, &reply) {
            let told = format!("answers cannot be kept in {}: {e}", self.folder.display());
            *self.kept.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use meliora_domain::MicroUsd;
    use meliora_evolve::Usage;

    use super::*;

    /// Answers with the number of the call.
    struct Counting(AtomicU64);

    impl Model for Counting {
        fn name(&self) -> &str {
            "counting"
        }
        fn estimate(&self, _: &Chat) -> Cost {
            Cost::ZERO
        }
        fn chat(&self, chat: &Chat, _: Reservation) -> Result<Reply, ModelError> {
            if chat.seed == 13 {
                return Err(ModelError::Failed { tries: 1, cause: "busy".into(), spent: Cost::ZERO });
            }
            Ok(Reply {
                text: format!("answer {}", self.0.fetch_add(1, Ordering::Relaxed)),
                truncated: false,
                usage: Usage { prompt: 10, completion: 5, estimated: false },
                usd: MicroUsd(40),
                kept: false,
            })
        }
    }

    fn cache(folder: &Path, endpoint: &str, always: bool) -> Cache<Counting> {
        Cache::new(Counting(AtomicU64::new(0)), endpoint, folder, always)
    }

    fn ask(model: &dyn Model, chat: &Chat) -> Reply {
        model.chat(chat, Reservation(Cost::ZERO)).unwrap()
    }

    #[test]
    fn the_same_request_is_free_the_second_time_also_for_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let chat = Chat { max_tokens: 9, ..Chat::default() };
        let first = cache(folder.path(), "http://h/v1", false);
        assert_eq!(ask(&first, &chat).cost().tokens, 15);
        let again = ask(&first, &chat);
        assert_eq!((again.text.as_str(), again.cost()), ("answer 0", Cost::ZERO));
        assert_eq!((first.kept().calls(), first.kept().tokens(), first.kept().trouble()), (1, 15, None));
        let second = cache(folder.path(), "http://h/v1", false);
        assert_eq!((ask(&second, &chat).cost(), second.inner.0.into_inner()), (Cost::ZERO, 0));
    }

    #[test]
    fn whatever_may_change_the_answer_is_another_request() {
        let folder = tempfile::tempdir().unwrap();
        let chat = Chat::default();
        let here = cache(folder.path(), "http://h/v1", false);
        ask(&here, &chat);
        for other in [
            Chat { seed: 1, ..chat.clone() },
            Chat { max_tokens: 1, ..chat.clone() },
            Chat { schema: Some("{}".into()), ..chat.clone() },
        ] {
            assert_ne!(ask(&here, &other).cost(), Cost::ZERO, "{other:?}");
        }
        assert_ne!(ask(&cache(folder.path(), "http://other/v1", false), &chat).cost(), Cost::ZERO);
    }

    #[test]
    fn warm_answers_are_kept_only_where_that_is_asked_for_and_failures_never() {
        let folder = tempfile::tempdir().unwrap();
        let warm = Chat { temperature: 0.7, ..Chat::default() };
        for always in [false, true] {
            let cache = cache(folder.path(), "h", always);
            ask(&cache, &warm);
            assert_eq!(ask(&cache, &warm).cost() == Cost::ZERO, always);
        }
        let here = cache(folder.path(), "h", true);
        let fails = Chat { seed: 13, ..warm };
        assert!((0..2).all(|_| here.chat(&fails, Reservation(Cost::ZERO)).is_err()));
    }

    #[test]
    fn a_broken_file_is_asked_again_and_an_unwritable_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let chat = Chat::default();
        let here = cache(folder.path(), "h", false);
        ask(&here, &chat);
        let path = here.path(&Request::of("counting", &chat));
        let whole = std::fs::read_to_string(&path).unwrap();
        for broken in ["", "{}", &whole[..whole.len() / 2], &whole.replace("\"seed\":0", "\"seed\":1")] {
            std::fs::write(&path, broken).unwrap();
            assert_ne!(ask(&here, &chat).cost(), Cost::ZERO, "{broken}");
            assert_eq!(ask(&here, &chat).cost(), Cost::ZERO, "and then it is whole again");
        }
        // A file where the folder should be: nothing can be written there, whoever runs the test.
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let here = cache(&blocked, "h", false);
        ask(&here, &chat);
        assert!(here.kept().trouble().unwrap().contains("cannot be kept"));
    }
}
