//! Cassettes: what models were asked and what they answered, one JSON object a line, to be replayed without a model.
//!
//! Replay is strict: what was not recorded is an error. No key ever gets here: the request holds what is said to the
//! model, not how the server is reached.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use meliora_domain::{Cost, Digest, MicroUsd};
use meliora_evolve::{Chat, Message, Model, ModelError, Reply, Reservation, Role};
use serde::{Deserialize, Serialize};

use crate::chat_tokens;
use crate::nearest::{likeness, short_diff};

/// Lines of the diff that an unrecorded request is shown with.
const DIFF_LINES: usize = 20;

/// A cassette cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cassette {}: {what}", path.display())]
pub struct CassetteError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, with the line number where there is one.
    pub what: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

/// What is asked, with all that may change the answer. Its fields' order is part of the key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    model: String,
    messages: Vec<Message>,
    temperature: f64,
    max_tokens: u32,
    seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
}

impl Request {
    pub(crate) fn of(model: &str, chat: &Chat) -> Self {
        Request {
            model: model.to_owned(),
            messages: chat.messages.clone(),
            temperature: chat.temperature,
            max_tokens: chat.max_tokens,
            seed: chat.seed,
            schema: chat.schema.clone(),
        }
    }

    fn key(&self) -> Digest {
        let json = serde_json::to_vec(self).expect("strings and numbers always have a JSON form");
        Digest::of([json.as_slice()])
    }

    /// As text, for comparing with others.
    fn text(&self) -> String {
        let mut text = format!(
            "model: {}\ntemperature: {}\nmax_tokens: {}\nseed: {}\n",
            self.model, self.temperature, self.max_tokens, self.seed
        );
        if let Some(schema) = &self.schema {
            text += &format!("schema: {schema}\n");
        }
        for message in &self.messages {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            text += &format!("[{role}]\n{}\n", message.content);
        }
        text
    }
}

/// What came back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// A reply.
    Reply(Reply),
    /// No answer, which a run goes on after and a replay must therefore give as well.
    Failed { tries: u32, cause: String, spent: Cost },
    /// Not asked, since the prompt is too long; the same holds.
    TooLong(String),
}

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Entry {
    key: Digest,
    request: Request,
    #[serde(flatten)]
    answer: Answer,
}

/// Reads entries with their line numbers; a last line without its end is left to the caller.
fn read(path: &Path, text: &str) -> Result<Vec<Entry>, CassetteError> {
    let mut entries = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let broken = |what: String, hint: &str| CassetteError {
            path: path.to_owned(),
            what: format!("line {}: {what}", i + 1),
            hint: Some(hint.into()),
        };
        let entry: Entry = serde_json::from_str(line)
            .map_err(|e| broken(format!("no recorded call: {e}"), "remove the line, or record the cassette again"))?;
        if entry.request.key() != entry.key {
            let hint = "record the cassette again; a request cannot be changed by hand";
            return Err(broken("the key is not the request's: one of them was altered".into(), hint));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Passes calls on to a model and writes each of them down, with its answer, before it is given back.
pub struct Recorder<M> {
    inner: M,
    path: PathBuf,
    file: Mutex<File>,
}

impl<M: Model> Recorder<M> {
    /// Appends to this file, which is made if there is none.
    ///
    /// # Errors
    /// If the file cannot be opened or holds something other than recorded calls. A last line that a crash cut off
    /// is removed.
    pub fn new(inner: M, path: &Path) -> Result<Self, CassetteError> {
        let failed = |e: std::io::Error| CassetteError {
            path: path.to_owned(),
            what: e.to_string(),
            hint: Some("is the folder there and writable?".into()),
        };
        let mut file = File::options().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        read(path, &String::from_utf8_lossy(&bytes[..whole]))?;
        if whole < bytes.len() {
            let tail = String::from_utf8_lossy(&bytes[whole..]);
            if !tail.starts_with('{') {
                read(path, &tail)?;
            }
            file.set_len(whole as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        Ok(Recorder { inner, path: path.to_owned(), file: Mutex::new(file) })
    }
}

impl<M: Model> Model for Recorder<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn estimate(&self, chat: &Chat) -> Cost {
        self.inner.estimate(chat)
    }

    /// Replies and failures are written down; refusals and unreachable servers are not, since a run ends with them.
    fn chat(&self, chat: &Chat, reservation: Reservation) -> Result<Reply, ModelError> {
        let result = self.inner.chat(chat, reservation);
        let (answer, spent) = match &result {
            Ok(reply) => (Answer::Reply(reply.clone()), reply.cost()),
            Err(ModelError::Failed { tries, cause, spent }) => {
                (Answer::Failed { tries: *tries, cause: cause.clone(), spent: *spent }, *spent)
            }
            Err(ModelError::TooLong(why)) => (Answer::TooLong(why.clone()), Cost::ZERO),
            Err(_) => return result,
        };
        let request = Request::of(self.inner.name(), chat);
        let entry = Entry { key: request.key(), request, answer };
        let mut line = serde_json::to_string(&entry).expect("strings and numbers always have a JSON form");
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write a line, so that two recorders of one file do not mix their lines.
        match file.write_all(line.as_bytes()).and_then(|()| file.flush()) {
            Ok(()) => result,
            Err(e) => {
                let cause = format!("the answer came, but cassette {} cannot be written: {e}", self.path.display());
                Err(ModelError::Failed { tries: 1, cause, spent })
            }
        }
    }
}

/// Plays recorded calls.
pub struct Cassette {
    name: String,
    /// Highest price of a token among the recorded calls, in millionths of a dollar: estimates must not be too low.
    dearest: f64,
    requests: Vec<Request>,
    answers: Mutex<HashMap<Digest, VecDeque<Answer>>>,
}

impl Cassette {
    /// Reads a cassette. `model` says which of its models is meant, where it holds calls of several.
    ///
    /// # Errors
    /// If it cannot be read, a line is no recorded call (the message has its number), it holds no call at all, or
    /// calls of several models and none is named.
    pub fn load(path: &Path, model: Option<&str>) -> Result<Self, CassetteError> {
        let broken =
            |what: String, hint: &str| CassetteError { path: path.to_owned(), what, hint: Some(hint.to_owned()) };
        let text = std::fs::read_to_string(path)
            .map_err(|e| broken(e.to_string(), "give the path of a file that was recorded with --record"))?;
        let entries = read(path, &text)?;
        let mut names: Vec<&str> = entries.iter().map(|e| e.request.model.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let name = match (model, names.as_slice()) {
            (_, []) => return Err(broken("it holds no call".into(), "record one with --record")),
            (Some(model), _) if names.contains(&model) => model.to_owned(),
            (Some(model), _) => {
                return Err(broken(
                    format!("it holds no call of model '{model}', only of {}", names.join(", ")),
                    "name one of those with --model",
                ));
            }
            (None, [only]) => (*only).to_owned(),
            (None, _) => {
                return Err(broken(
                    format!("it holds calls of several models: {}", names.join(", ")),
                    "name one of them with --model",
                ));
            }
        };
        let mut cassette = Cassette { name, dearest: 0.0, requests: Vec::new(), answers: Mutex::new(HashMap::new()) };
        let answers = cassette.answers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for Entry { key, request, answer } in entries {
            if let Answer::Reply(reply) = &answer {
                let tokens = reply.worth().tokens.max(1);
                cassette.dearest = cassette.dearest.max(reply.usd.0 as f64 / tokens as f64);
            }
            let same = answers.entry(key).or_default();
            if same.is_empty() {
                cassette.requests.push(request);
            }
            same.push_back(answer);
        }
        Ok(cassette)
    }

    fn not_recorded(&self, request: &Request) -> ModelError {
        if self.requests.contains(request) {
            let what = "the request was recorded, but was now asked once more than then";
            return ModelError::NotRecorded(what.into());
        }
        let text = request.text();
        let scored = self.requests.iter().map(|r| (likeness(&r.text(), &text), r));
        let nearest = scored.max_by(|a, b| a.0.total_cmp(&b.0));
        let (score, nearest) = nearest.expect("a cassette without calls does not load");
        ModelError::NotRecorded(format!(
            "the nearest recorded one ({} of {}, {:.0} % of the lines are the same) differs so (- recorded, + asked):\n{}",
            nearest.key().short(),
            self.requests.len(),
            score * 100.0,
            short_diff(&nearest.text(), &text, DIFF_LINES)
        ))
    }
}

impl Model for Cassette {
    fn name(&self) -> &str {
        &self.name
    }

    /// Tokens as for any model, at the highest price that was recorded.
    fn estimate(&self, chat: &Chat) -> Cost {
        let tokens = chat_tokens(chat) + u64::from(chat.max_tokens);
        Cost { evals: 0, tokens, usd: MicroUsd((tokens as f64 * self.dearest).ceil() as u64) }
    }

    /// Gives what was recorded, with the cost it had. The reservation was the recorded call's to honour.
    fn chat(&self, chat: &Chat, _reservation: Reservation) -> Result<Reply, ModelError> {
        let request = Request::of(&self.name, chat);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get_mut(&request.key()).and_then(VecDeque::pop_front) {
            Some(Answer::Reply(reply)) => Ok(reply),
            Some(Answer::Failed { tries, cause, spent }) => Err(ModelError::Failed { tries, cause, spent }),
            Some(Answer::TooLong(why)) => Err(ModelError::TooLong(why)),
            None => Err(self.not_recorded(&request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_evolve::Usage;

    /// Answers with the number of the call; the third one fails.
    struct Counting(Mutex<u32>);

    impl Model for Counting {
        fn name(&self) -> &str {
            "counting"
        }
        fn estimate(&self, _: &Chat) -> Cost {
            Cost::ZERO
        }
        fn chat(&self, _: &Chat, _: Reservation) -> Result<Reply, ModelError> {
            let mut calls = self.0.lock().unwrap();
            *calls += 1;
            if *calls == 3 {
                return Err(ModelError::Failed { tries: 2, cause: "busy".into(), spent: Cost::ZERO });
            }
            Ok(Reply {
                text: format!("answer {calls}"),
                truncated: false,
                usage: Usage { prompt: 10, completion: 10, estimated: false },
                usd: MicroUsd(40),
                kept: false,
            })
        }
    }

    fn chat(text: &str) -> Chat {
        let messages = vec![Message { role: Role::User, content: text.into() }];
        Chat { messages, temperature: 0.7, max_tokens: 50, seed: 3, schema: None }
    }

    fn ask(model: &dyn Model, text: &str) -> Result<String, ModelError> {
        model.chat(&chat(text), Reservation(Cost::ZERO)).map(|reply| reply.text)
    }

    fn recorded() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.jsonl");
        let recorder = Recorder::new(Counting(Mutex::new(0)), &path).unwrap();
        for text in ["fix\nthe first", "fix\nthe first", "fix\nthe third"] {
            let _ = ask(&recorder, text);
        }
        (folder, path)
    }

    #[test]
    fn what_was_recorded_replays_in_order_failures_included() {
        let (_folder, path) = recorded();
        let cassette = Cassette::load(&path, None).unwrap();
        assert_eq!(cassette.name(), "counting");
        assert_eq!(ask(&cassette, "fix\nthe first").unwrap(), "answer 1");
        assert_eq!(ask(&cassette, "fix\nthe first").unwrap(), "answer 2");
        assert!(matches!(ask(&cassette, "fix\nthe third"), Err(ModelError::Failed { tries: 2, .. })));
        let again = ask(&cassette, "fix\nthe first").unwrap_err();
        assert!(again.to_string().contains("once more than then"), "{again}");
    }

    #[test]
    fn an_unrecorded_request_is_shown_beside_the_nearest_recorded_one() {
        let (_folder, path) = recorded();
        let error = ask(&Cassette::load(&path, None).unwrap(), "fix\nthe fourth").unwrap_err().to_string();
        assert!(error.contains("- the first\n+ the fourth") || error.contains("- the third\n+ the fourth"), "{error}");
        assert!(!error.contains("fix"), "{error}");
    }

    #[test]
    fn an_estimate_is_no_lower_than_what_such_a_call_cost() {
        let (_folder, path) = recorded();
        let estimate = Cassette::load(&path, None).unwrap().estimate(&chat("fix\nthe first"));
        assert!(estimate.tokens >= 50 && estimate.usd.0 == 2 * estimate.tokens, "{estimate:?}");
    }

    #[test]
    fn a_broken_or_altered_line_is_named_by_its_number() {
        let (_folder, path) = recorded();
        let text = std::fs::read_to_string(&path).unwrap();
        for (broken, words) in [
            (format!("{text}{{\"key\": 7"), "line 4: no recorded call"),
            (text.replacen("the first", "the worst", 1), "line 1: the key is not the request's"),
            (text.replacen("\"seed\":3", "\"seed\":3,\"extra\":1", 1), "line 1: no recorded call"),
            (String::new(), "it holds no call"),
        ] {
            std::fs::write(&path, broken).unwrap();
            let error = Cassette::load(&path, None).err().unwrap();
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.hint.is_some());
        }
        assert!(Cassette::load(Path::new("nowhere.jsonl"), None).is_err());
    }

    #[test]
    fn recording_goes_on_after_a_crash_cut_the_last_line() {
        let (_folder, path) = recorded();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{}", &text[..40])).unwrap();
        let recorder = Recorder::new(Counting(Mutex::new(7)), &path).unwrap();
        assert_eq!(ask(&recorder, "new").unwrap(), "answer 8");
        assert_eq!(ask(&Cassette::load(&path, None).unwrap(), "new").unwrap(), "answer 8");
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(&text));
    }

    #[test]
    fn a_file_that_is_no_cassette_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for notes in ["my notes\n", "my notes"] {
            std::fs::write(&path, notes).unwrap();
            assert!(Recorder::new(Counting(Mutex::new(0)), &path).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), notes);
        }
    }

    #[test]
    fn one_of_several_models_must_be_named() {
        let (_folder, path) = recorded();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut entry: Entry = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        entry.request.model = "other".into();
        entry.key = entry.request.key();
        std::fs::write(&path, format!("{text}{}\n", serde_json::to_string(&entry).unwrap())).unwrap();
        assert!(Cassette::load(&path, None).err().unwrap().to_string().contains("several models: counting, other"));
        assert!(Cassette::load(&path, Some("third")).is_err());
        assert_eq!(ask(&Cassette::load(&path, Some("other")).unwrap(), "fix\nthe first").unwrap(), "answer 1");
    }
}
