//! What is said to the daemon inside of a sandbox: files, folders, commands. Every call names its sandbox.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Method;

use super::control::Made;
use super::http::{Again, Ask, Http};
use super::trouble::{Answer, Kind, Trouble};
use super::wire::{self, End, Event, Frame, Frames};

/// The daemon's port, and the code interpreter's.
const DAEMON: u16 = 49983;
pub(crate) const INTERPRETER: u16 = 49999;
/// Bytes of an answer that are read; a folder of ten thousand entries has some MiB.
const ANSWER: u64 = 32 << 20;
/// The daemon kills a command itself so long after we would have: we may be gone by then.
const LATER: Duration = Duration::from_secs(10);
/// Output of our own small commands that is read.
const SAID: usize = 64 << 10;

/// An open sandbox and the way to it.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) http: Arc<Http>,
    pub(crate) made: Made,
}

/// An entry of a folder, in the daemon's words.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) r#type: String,
    /// A string, since JSON's numbers end at 2^53; some write a number all the same.
    pub(crate) size: Value,
    pub(crate) mode: u32,
    pub(crate) modified_time: Option<String>,
    /// Present for a link, whatever `type` says: that is of what it points to.
    pub(crate) symlink_target: Option<String>,
}

/// A command's stream, read message by message.
pub(crate) struct Stream {
    inside: Inside,
    body: ureq::BodyReader<'static>,
    frames: Frames,
    over: bool,
}

/// What to start.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a str,
    pub(crate) args: &'a [String],
    /// Columns and rows.
    pub(crate) terminal: Option<(u16, u16)>,
    pub(crate) stdin: bool,
    /// The user to run as; the template's own if none is named.
    pub(crate) user: Option<&'a str>,
    /// When the command must be over.
    pub(crate) time: Duration,
}

impl Inside {
    fn ask<'a>(&self, method: Method, port: u16, path: &str, body: Option<&'a [u8]>) -> Ask<'a> {
        let settings = self.http.settings();
        let mut headers = vec![("e2b-sandbox-id", self.made.id.clone()), ("e2b-sandbox-port", port.to_string())];
        if let Some(token) = &self.made.token {
            headers.push(("x-access-token", token.expose().to_owned()));
        }
        if let Some(token) = &self.made.traffic {
            headers.push(("e2b-traffic-access-token", token.expose().to_owned()));
        }
        let url = format!("{}{path}", settings.inside(&self.made.id, port, self.made.domain.as_deref()));
        Ask { method, url, headers, body, time: settings.request, again: Again::Harmless }
    }

    /// A request to the code interpreter, which is answered by a stream.
    pub(crate) fn interpret(
        &self,
        path: &str,
        body: &Value,
        time: Duration,
    ) -> Result<ureq::BodyReader<'static>, Trouble> {
        let bytes = body.to_string().into_bytes();
        let mut ask = self.ask(Method::POST, INTERPRETER, path, Some(&bytes));
        ask.headers.push(("content-type", "application/json".into()));
        (ask.time, ask.again) = (time, Again::Unsent);
        self.http.open(&ask)
    }

    /// A question that one message answers.
    fn call(&self, method: &str, body: &Value, again: Again, time: Duration) -> Result<Vec<u8>, Trouble> {
        let bytes = body.to_string().into_bytes();
        let mut ask = self.ask(Method::POST, DAEMON, &format!("/{method}"), Some(&bytes));
        ask.headers.push(("content-type", "application/json".into()));
        ask.headers.push(("connect-protocol-version", "1".into()));
        (ask.again, ask.time) = (again, time);
        self.http.call(&ask, ANSWER)
    }

    fn files<T: DeserializeOwned>(&self, method: &str, body: &Value, again: Again) -> Result<T, Trouble> {
        let time = self.http.settings().request;
        let answer = self.call(&format!("filesystem.Filesystem/{method}"), body, again, time)?;
        serde_json::from_slice(&answer)
            .map_err(|error| Trouble::Broken(format!("the daemon's answer cannot be read: {error}")))
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Entry, Trouble> {
        #[derive(Deserialize)]
        struct Reply {
            #[serde(default)]
            entry: Entry,
        }
        Ok(self.files::<Reply>("Stat", &json!({ "path": path }), Again::Harmless)?.entry)
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<Entry>, Trouble> {
        #[derive(Deserialize)]
        struct Reply {
            #[serde(default)]
            entries: Vec<Entry>,
        }
        Ok(self.files::<Reply>("ListDir", &json!({"path": path, "depth": 1}), Again::Harmless)?.entries)
    }

    pub(crate) fn make_folder(&self, path: &str) -> Result<(), Trouble> {
        self.files::<Value>("MakeDir", &json!({ "path": path }), Again::Unsent).map(drop)
    }

    pub(crate) fn remove(&self, path: &str) -> Result<(), Trouble> {
        self.files::<Value>("Remove", &json!({ "path": path }), Again::Harmless).map(drop)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        self.files::<Value>("Move", &json!({"source": from, "destination": to}), Again::Unsent).map(drop)
    }

    /// Writes a whole file, with the folders above it.
    pub(crate) fn write_file(&self, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let mut ask = self.ask(Method::POST, DAEMON, &format!("/files?path={}", escape(path)), Some(bytes));
        ask.headers.push(("content-type", "application/octet-stream".into()));
        self.http.call(&ask, ANSWER).map(drop)
    }

    pub(crate) fn read_file(&self, path: &str, limit: u64) -> Result<Vec<u8>, Trouble> {
        let ask = self.ask(Method::GET, DAEMON, &format!("/files?path={}", escape(path)), None);
        self.http.call(&ask, limit)
    }

    /// Whether the sandbox is there at all.
    pub(crate) fn is_gone(&self) -> bool {
        let mut ask = self.ask(Method::GET, DAEMON, "/health", None);
        ask.time = Duration::from_secs(5);
        matches!(self.http.call(&ask, ANSWER), Err(trouble) if trouble.kind() == Some(Kind::Gone))
    }

    /// Starts a command. Its first message, which says that it runs, is read already.
    pub(crate) fn start(&self, start: &Start<'_>) -> Result<(u32, Stream), Trouble> {
        let mut body = json!({
            "process": {"cmd": start.program, "args": start.args, "cwd": "/"},
            "stdin": start.stdin,
        });
        if let Some((columns, rows)) = start.terminal {
            body["pty"] = json!({"size": {"cols": columns, "rows": rows}});
        }
        let bytes = wire::frame(body.to_string().as_bytes());
        let mut ask = self.ask(Method::POST, DAEMON, "/process.Process/Start", Some(&bytes));
        let time = start.time + LATER;
        ask.headers.push(("content-type", "application/connect+json".into()));
        ask.headers.push(("connect-protocol-version", "1".into()));
        ask.headers.push(("connect-timeout-ms", time.as_millis().to_string()));
        ask.headers.push(("keepalive-ping-interval", "50".into()));
        if let Some(user) = start.user {
            ask.headers.push(("authorization", format!("Basic {}", wire::encode(format!("{user}:").as_bytes()))));
        }
        (ask.time, ask.again) = (time + LATER, Again::Unsent);
        let body = self.http.open(&ask)?;
        let mut stream = Stream { inside: self.clone(), body, frames: Frames::default(), over: false };
        loop {
            match stream.next()? {
                Some(Event::Start(pid)) => return Ok((pid, stream)),
                Some(Event::Nothing) => {}
                other => {
                    return Err(Trouble::Broken(format!(
                        "the command's stream begins with {other:?}, not with its start"
                    )));
                }
            }
        }
    }

    /// Runs a small command of ours to its end: its exit code and what it said.
    pub(crate) fn run(&self, script: &str, args: &[String], user: Option<&str>) -> Result<(i32, String), Trouble> {
        let mut argv = vec!["-c".to_owned(), script.to_owned(), "sh".to_owned()];
        argv.extend_from_slice(args);
        let time = self.http.settings().request;
        let start = Start { program: "/bin/sh", args: &argv, terminal: None, stdin: false, user, time };
        let (_, mut stream) = self.start(&start)?;
        let mut said = Vec::new();
        loop {
            match stream.next()? {
                Some(Event::Out(bytes) | Event::Err(bytes)) => {
                    said.extend_from_slice(&bytes[..bytes.len().min(SAID - said.len().min(SAID))]);
                }
                Some(Event::End(End { exit_code, exited, .. })) => {
                    let said = String::from_utf8_lossy(&said).trim().to_owned();
                    return Ok((if exited { exit_code } else { -1 }, said));
                }
                Some(Event::Start(_) | Event::Nothing) => {}
                None => return Err(Trouble::Broken("the command's stream ends without its end".into())),
            }
        }
    }

    fn process(&self, method: &str, pid: u32, mut body: Value, again: Again, time: Duration) -> Result<(), Trouble> {
        body["process"] = json!({ "pid": pid });
        self.call(&format!("process.Process/{method}"), &body, again, time).map(drop)
    }

    /// Gives a command input; waits until it takes it.
    pub(crate) fn input(&self, pid: u32, terminal: bool, bytes: &[u8], time: Duration) -> Result<(), Trouble> {
        let which = if terminal { "pty" } else { "stdin" };
        let body = json!({"input": {which: wire::encode(bytes)}});
        self.process("SendInput", pid, body, Again::Unsent, time)
    }

    pub(crate) fn close_input(&self, pid: u32) -> Result<(), Trouble> {
        self.process("CloseStdin", pid, json!({}), Again::Harmless, self.http.settings().request)
    }

    /// Only these two signals are in the protocol.
    pub(crate) fn kill(&self, pid: u32, gently: bool) -> Result<(), Trouble> {
        let signal = if gently { "SIGNAL_SIGTERM" } else { "SIGNAL_SIGKILL" };
        self.process("SendSignal", pid, json!({ "signal": signal }), Again::Harmless, self.http.settings().request)
    }

    pub(crate) fn resize(&self, pid: u32, columns: u16, rows: u16) -> Result<(), Trouble> {
        let body = json!({"pty": {"size": {"cols": columns, "rows": rows}}});
        self.process("Update", pid, body, Again::Harmless, self.http.settings().request)
    }
}

impl Stream {
    /// The next event; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Trouble> {
        let mut bytes = vec![0; 64 << 10];
        while !self.over {
            match self.frames.next().map_err(Trouble::Broken)? {
                Some(Frame::Message(message)) => return wire::event(&message).map(Some).map_err(Trouble::Broken),
                Some(Frame::Last(message)) => {
                    self.over = true;
                    if let Some((code, message)) = wire::last(&message).map_err(Trouble::Broken)? {
                        let message = self.inside.http.settings().key.scrub(&message);
                        return Err(Trouble::Answer(Answer::ended(&code, message)));
                    }
                }
                None => match self.body.read(&mut bytes) {
                    Ok(0) => return Err(Trouble::Broken("the command's stream was cut".into())),
                    Ok(count) => self.frames.push(&bytes[..count]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.inside.http.read_failure(&error)),
                },
            }
        }
        Ok(None)
    }
}

/// A path as part of a query.
fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_bytes_stands_in_a_query() {
        assert_eq!(escape("/work/a b&c=ü\n.py"), "/work/a%20b%26c%3D%C3%BC%0A.py");
    }
}
