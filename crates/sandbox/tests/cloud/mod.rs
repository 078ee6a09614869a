//! A small cloud that speaks E2B's protocol, for tests: remembers what it was asked, and fails on demand. Its commands
//! are names of behaviours, not programs.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

pub const KEY: &str = "e2b_0123456789abcdef";
pub const TOKEN: &str = "tok_fedcba9876543210";
/// The number that commands have inside; the daemon's own are others.
pub const INNER: u32 = 4242;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON, out of its frame if it is in one.
    pub fn json(&self) -> Value {
        let framed = self.header("content-type") == "application/connect+json";
        serde_json::from_slice(if framed { &self.body[5..] } else { &self.body }).unwrap()
    }
}

/// What is answered instead of the right thing.
#[derive(Clone, Debug)]
pub enum Failure {
    /// A status, further header lines, a body.
    Status(u16, &'static str, String),
    /// The connection is closed without a word.
    Cut,
    /// Nothing is said until the client leaves.
    Hang,
    /// A body that breaks off.
    Short,
    /// Status 200 and these bytes.
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct Node {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    pub link: Option<String>,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    failures: Vec<(String, u32, Failure)>,
    alive: HashSet<String>,
    made: u32,
    files: BTreeMap<String, Node>,
    input: HashMap<u32, VecDeque<Vec<u8>>>,
    closed: HashSet<u32>,
    killed: HashMap<u32, i32>,
    running: Vec<u32>,
    next_pid: u32,
    version: String,
}

#[derive(Clone)]
pub struct Cloud {
    pub url: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Cloud {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State { version: "0.6.9".into(), next_pid: 100, ..State::default() };
        let cloud = Cloud { url, state: Arc::new((Mutex::new(state), Condvar::new())) };
        let serving = cloud.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.talk(stream.unwrap()));
            }
        });
        cloud
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
        result
    }

    /// Waits until something is so; a minute is for ever.
    pub fn until<T>(&self, mut look: impl FnMut(&[Asked]) -> Option<T>) -> T {
        let mut state = self.state.0.lock().unwrap();
        for _ in 0..600 {
            if let Some(found) = look(&state.asked) {
                return found;
            }
            state = self.state.1.wait_timeout(state, Duration::from_millis(100)).unwrap().0;
        }
        panic!("it never happened; asked was {:#?}", state.asked);
    }

    /// The next `times` requests whose method and path hold this text fail so.
    pub fn fail(&self, part: &str, times: u32, failure: Failure) {
        self.with(|state| state.failures.push((part.to_owned(), times, failure)));
    }

    pub fn refuse(&self, part: &str, times: u32, status: u16, body: &str) {
        self.fail(part, times, Failure::Status(status, "", body.to_owned()));
    }

    pub fn old(&self, version: &str) {
        self.with(|state| state.version = version.to_owned());
    }

    /// The requests whose method and path hold this text.
    pub fn asked(&self, part: &str) -> Vec<Asked> {
        self.with(|state| {
            state.asked.iter().filter(|a| format!("{} {}", a.method, a.path).contains(part)).cloned().collect()
        })
    }

    pub fn alive(&self) -> usize {
        self.with(|state| state.alive.len())
    }

    pub fn leave(&self, path: &str, kind: &'static str, bytes: &[u8], link: Option<&str>) {
        let node = Node { kind, bytes: bytes.to_vec(), link: link.map(str::to_owned) };
        self.with(|state| state.files.insert(path.to_owned(), node));
    }

    pub fn file(&self, path: &str) -> Option<Node> {
        self.with(|state| state.files.get(path).cloned())
    }

    fn talk(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(asked) = read_request(&mut reader) {
            let line = format!("{} {}", asked.method, asked.path);
            let failure = self.with(|state| {
                state.asked.push(asked.clone());
                let failure =
                    state.failures.iter_mut().find(|(part, times, _)| *times > 0 && line.contains(part.as_str()));
                failure.map(|(_, times, failure)| {
                    *times -= 1;
                    failure.clone()
                })
            });
            let mut stream = &stream;
            let again = match failure {
                Some(Failure::Status(status, headers, body)) => answer(stream, status, headers, body.as_bytes()),
                Some(Failure::Bytes(bytes)) => answer(stream, 200, "", &bytes),
                Some(Failure::Cut) => false,
                Some(Failure::Hang) => {
                    let _ = stream.read(&mut [0]);
                    false
                }
                Some(Failure::Short) => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\"");
                    false
                }
                None => self.serve(stream, &asked),
            };
            if !again {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }

    fn serve(&self, stream: &TcpStream, asked: &Asked) -> bool {
        let path = asked.path.split('?').next().unwrap();
        if path == "/v2/sandboxes" || path.starts_with("/sandboxes/") {
            if asked.header("x-api-key") != KEY {
                // A careless server repeats the key.
                let told = format!(r#"{{"code":401,"message":"Invalid API key {}"}}"#, asked.header("x-api-key"));
                return answer(stream, 401, "", told.as_bytes());
            }
            return self.control(stream, asked, path);
        }
        if !self.with(|state| state.alive.contains(asked.header("e2b-sandbox-id"))) {
            return answer(stream, 502, "", br#"{"message":"The sandbox was not found","code":502}"#);
        }
        if asked.header("x-access-token") != TOKEN && path != "/health" {
            return answer(stream, 401, "", br#"{"code":"unauthenticated","message":"bad token"}"#);
        }
        match path {
            "/health" => answer(stream, 204, "", b""),
            "/files" => self.files(stream, asked),
            "/execute" => answer(
                stream,
                200,
                "",
                br#"{"type":"stdout","text":"1\n"}
{"type":"end_of_execution"}
"#,
            ),
            "/process.Process/Start" => self.command(stream, asked),
            _ => match path.rsplit_once('/') {
                Some(("/filesystem.Filesystem", method)) => self.filesystem(stream, method, &asked.json()),
                Some(("/process.Process", method)) => self.process(stream, method, &asked.json()),
                _ => answer(stream, 404, "", b"{}"),
            },
        }
    }

    fn control(&self, stream: &TcpStream, asked: &Asked, path: &str) -> bool {
        match (asked.method.as_str(), path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["v2", "sandboxes"]) => answer(stream, 200, "", b"[]"),
            ("POST", ["v2", "sandboxes"]) => {
                let (id, version) = self.with(|state| {
                    state.made += 1;
                    let id = format!("sbx{}", state.made);
                    state.alive.insert(id.clone());
                    (id, state.version.clone())
                });
                let reply = json!({"templateID": "t", "sandboxID": id, "clientID": "c", "envdVersion": version,
                                   "envdAccessToken": TOKEN, "domain": null});
                answer(stream, 201, "", reply.to_string().as_bytes())
            }
            ("DELETE", ["sandboxes", id]) => {
                let was = self.with(|state| state.alive.remove(*id));
                answer(stream, if was { 204 } else { 404 }, "", b"")
            }
            ("POST", ["sandboxes", id, "timeout"]) => {
                let is = self.with(|state| state.alive.contains(*id));
                answer(stream, if is { 204 } else { 404 }, "", b"")
            }
            ("GET", ["sandboxes", _, "metrics"]) => answer(
                stream,
                200,
                "",
                br#"[{"timestampUnix":100,"cpuCount":2,"cpuUsedPct":0,"memUsed":70000000},{"timestampUnix":105,"cpuCount":2,"cpuUsedPct":25.0,"memUsed":90000000}]"#,
            ),
            _ => answer(stream, 404, "", br#"{"code":404,"message":"no such route"}"#),
        }
    }

    fn files(&self, stream: &TcpStream, asked: &Asked) -> bool {
        let path = unescape(asked.path.split_once("path=").unwrap().1);
        if asked.method == "POST" {
            self.with(|state| {
                // As the daemon does: a link is followed.
                let place = match state.files.get(&path) {
                    Some(Node { link: Some(to), .. }) => to.clone(),
                    _ => path.clone(),
                };
                state.files.insert(place, Node { kind: "FILE_TYPE_FILE", bytes: asked.body.clone(), link: None });
            });
            return answer(stream, 200, "", b"[]");
        }
        match self.file(&path) {
            Some(node) => answer(stream, 200, "", &node.bytes),
            None => answer(stream, 404, "", br#"{"code":404,"message":"path does not exist"}"#),
        }
    }

    fn filesystem(&self, stream: &TcpStream, method: &str, body: &Value) -> bool {
        let path = body["path"].as_str().unwrap_or_default().to_owned();
        let missing = |stream| answer(stream, 404, "", br#"{"code":"not_found","message":"no such file"}"#);
        match method {
            "Stat" => match self.file(&path) {
                Some(node) => answer(stream, 200, "", json!({"entry": entry(&path, &node)}).to_string().as_bytes()),
                None => missing(stream),
            },
            "ListDir" => {
                let inside = format!("{path}/");
                let entries: Vec<Value> = self.with(|state| {
                    let of =
                        state.files.iter().filter(|(p, _)| p.strip_prefix(&inside).is_some_and(|r| !r.contains('/')));
                    of.map(|(p, node)| entry(p, node)).collect()
                });
                answer(stream, 200, "", json!({ "entries": entries }).to_string().as_bytes())
            }
            "MakeDir" => match self.file(&path) {
                Some(_) => answer(stream, 409, "", br#"{"code":"already_exists","message":"there"}"#),
                None => {
                    self.leave(&path, "FILE_TYPE_DIRECTORY", b"", None);
                    answer(stream, 200, "", b"{}")
                }
            },
            "Remove" => {
                self.with(|state| state.files.retain(|p, _| *p != path && !p.starts_with(&format!("{path}/"))));
                answer(stream, 200, "", b"{}")
            }
            "Move" => {
                let (from, to) = (body["source"].as_str().unwrap(), body["destination"].as_str().unwrap());
                match self.with(|state| state.files.remove(from).map(|node| state.files.insert(to.to_owned(), node))) {
                    Some(_) => answer(stream, 200, "", b"{}"),
                    None => missing(stream),
                }
            }
            _ => missing(stream),
        }
    }

    fn process(&self, stream: &TcpStream, method: &str, body: &Value) -> bool {
        let pid = body["process"]["pid"].as_u64().unwrap() as u32;
        let known = self.with(|state| {
            let known = state.running.contains(&pid);
            match method {
                "SendInput" if known => {
                    let input = &body["input"];
                    let text = input["stdin"].as_str().or(input["pty"].as_str()).unwrap();
                    state.input.entry(pid).or_default().push_back(BASE64_STANDARD.decode(text).unwrap());
                }
                "CloseStdin" => drop(state.closed.insert(pid)),
                "SendSignal" if known => drop(state.killed.insert(pid, 9)),
                _ => {}
            }
            known
        });
        match known {
            true => answer(stream, 200, "", b"{}"),
            false => answer(stream, 404, "", br#"{"code":"not_found","message":"no such process"}"#),
        }
    }

    /// A command, by the name of what it does.
    fn command(&self, mut stream: &TcpStream, asked: &Asked) -> bool {
        let start = asked.json();
        let args: Vec<String> =
            start["process"]["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()).collect();
        let pid = self.with(|state| {
            state.next_pid += 1;
            state.running.push(state.next_pid);
            state.next_pid
        });
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/connect+json\r\ntransfer-encoding: chunked\r\n\r\n",
            )
            .unwrap();
        let mut sender = Sender { stream: stream.try_clone().unwrap(), terminal: !start["pty"].is_null() };
        sender.event(json!({"start": {"pid": pid}}));
        let done = if args[1].contains("setsid") {
            sender.bytes(false, format!("meliora:{}:", args[3]).as_bytes());
            sender.bytes(false, format!("{INNER}\n").as_bytes());
            let argv = args.iter().skip_while(|a| !a.starts_with("/do/")).cloned().collect::<Vec<_>>();
            self.behave(&mut sender, pid, &argv)
        } else {
            Some(self.own(&mut sender, &args))
        };
        self.with(|state| state.running.retain(|p| *p != pid));
        let Some(end) = done else { return false };
        sender.event(json!({ "end": end }));
        sender.last(b"{}");
        true
    }

    /// The client's own small commands.
    fn own(&self, sender: &mut Sender, args: &[String]) -> Value {
        if args[1].contains("mkdir") {
            if let Some(path) = args.iter().skip(4).find(|path| path.starts_with("/no/")) {
                sender.bytes(true, format!("{path}\n").as_bytes());
                return json!({"exited": true, "exitCode": 4, "status": "exit status 4"});
            }
        } else if args[1].contains("kill -s") {
            assert_eq!(args[4], INNER.to_string(), "signals go to the group inside");
            let signal: i32 = args[3].parse().unwrap();
            self.with(|state| {
                for pid in state.running.clone() {
                    state.killed.insert(pid, signal);
                }
            });
        }
        json!({"exited": true, "status": "exit status 0"})
    }

    fn behave(&self, sender: &mut Sender, pid: u32, argv: &[String]) -> Option<Value> {
        let killed = || self.with(|state| state.killed.get(&pid).copied());
        let end = |signal: i32| {
            let words = if signal == 9 { "signal: killed" } else { "signal: terminated" };
            Some(json!({"exitCode": -1, "status": words, "error": words}))
        };
        match argv[0].as_str() {
            "/do/say" => {
                sender.bytes(true, argv[1].as_bytes());
                sender.event(json!({"keepalive": {}}));
                sender.bytes(false, argv[2].as_bytes());
                let code: i32 = argv[3].parse().unwrap();
                Some(json!({"exited": true, "exitCode": code, "status": format!("exit status {code}")}))
            }
            "/do/status" => Some(json!({"exitCode": -1, "status": argv[1]})),
            "/do/sleep" => loop {
                if let Some(signal) = killed() {
                    return end(signal);
                }
                if !self.with(|state| state.alive.contains("sbx1")) {
                    return None;
                }
                std::thread::sleep(Duration::from_millis(5));
            },
            // Neither ends nor can be killed.
            "/do/stick" => loop {
                if !sender.event(json!({"keepalive": {}})) {
                    return None;
                }
                std::thread::sleep(Duration::from_millis(50));
            },
            "/do/flood" => loop {
                if let Some(signal) = killed() {
                    return end(signal);
                }
                if !sender.bytes(true, &[b'x'; 32 << 10]) {
                    return None;
                }
            },
            "/do/cat" => loop {
                let (input, closed) = self.with(|state| {
                    let input = state.input.get_mut(&pid).and_then(VecDeque::pop_front);
                    (input, state.closed.contains(&pid))
                });
                match input {
                    Some(bytes) if bytes == [4] && sender.terminal => return Some(json!({"exited": true})),
                    Some(bytes) => drop(sender.bytes(true, &bytes)),
                    None if closed => return Some(json!({"exited": true, "status": "exit status 0"})),
                    None if killed().is_some() => return end(9),
                    None => std::thread::sleep(Duration::from_millis(2)),
                }
            },
            "/do/cut" => {
                sender.bytes(true, b"half");
                None
            }
            "/do/vanish" => {
                self.with(|state| state.alive.clear());
                None
            }
            "/do/garbage" => {
                sender.chunk(&[0, 0, 0, 0, 3, b'n', b'o', b'!']);
                None
            }
            "/do/huge" => {
                sender.chunk(&[0, 0xff, 0xff, 0xff, 0xff]);
                None
            }
            "/do/late" => {
                sender.last(br#"{"error":{"code":"deadline_exceeded","message":"timeout"}}"#);
                None
            }
            other => panic!("no behaviour {other}"),
        }
    }
}

struct Sender {
    stream: TcpStream,
    terminal: bool,
}

impl Sender {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
        out.extend(bytes);
        out.extend(b"\r\n");
        self.stream.write_all(&out).is_ok()
    }

    fn event(&mut self, event: Value) -> bool {
        let message = json!({ "event": event }).to_string();
        let mut bytes = vec![0];
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(message.as_bytes());
        self.chunk(&bytes)
    }

    fn bytes(&mut self, out: bool, bytes: &[u8]) -> bool {
        let stream = if self.terminal {
            "pty"
        } else if out {
            "stdout"
        } else {
            "stderr"
        };
        self.event(json!({"data": {stream: BASE64_STANDARD.encode(bytes)}}))
    }

    fn last(&mut self, message: &[u8]) {
        let mut bytes = vec![2];
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(message);
        self.chunk(&bytes);
        let _ = self.stream.write_all(b"0\r\n\r\n");
    }
}

fn entry(path: &str, node: &Node) -> Value {
    let mut entry = json!({"name": path.rsplit('/').next(), "type": node.kind, "path": path,
                           "size": node.bytes.len().to_string(), "mode": 0o644, "modifiedTime": "2026-11-23T03:06:47.325880Z"});
    if let Some(link) = &node.link {
        entry["symlinkTarget"] = json!(link);
    }
    entry
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body })
}

fn answer(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8]) -> bool {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    let head = if status == 204 { format!("HTTP/1.1 204 X\r\n{headers}\r\n") } else { head };
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_ok()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
