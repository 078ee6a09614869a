//! A client that sends exactly what it is told, also what no SDK would.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The messages of a Connect stream, with their flags.
    pub fn frames(&self) -> Vec<(u8, Value)> {
        let (mut rest, mut frames) = (&self.body[..], Vec::new());
        while let [flag, a, b, c, d, tail @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            frames.push((*flag, serde_json::from_slice(&tail[..length]).unwrap()));
            rest = &tail[length..];
        }
        frames
    }
}

/// Opens a connection and sends these bytes.
pub fn open(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// The head of a request, ready for its body.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += "Host: 127.0.0.1\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n").into_bytes()
}

/// Sends a request and reads the whole answer.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    read(open(address, &[head(method, path, headers, body.len()), body.to_vec()].concat()))
}

/// Reads an answer to its end.
pub fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A refused body may end with a reset once the answer is there.
    let end = stream.read_to_end(&mut bytes);
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n");
    let at = at.unwrap_or_else(|| panic!("no answer: {end:?} {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = bytes[at + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Answer { status, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap().trim(), 16).unwrap();
        let from = at + 2;
        let end = (from + size).min(rest.len());
        body.extend(&rest[from..end]);
        if size == 0 || end + 2 > rest.len() {
            break;
        }
        rest = &rest[end + 2..];
    }
    body
}

/// A sandbox, as its own client sees it.
pub struct Sandbox {
    pub address: SocketAddr,
    pub id: String,
    pub token: String,
}

/// Asks for a sandbox with this key.
pub fn ask(address: SocketAddr, key: &str, body: &Value) -> Answer {
    send(address, "POST", "/v2/sandboxes", &[("X-API-KEY", key)], body.to_string().as_bytes())
}

impl Sandbox {
    pub fn of(address: SocketAddr, answer: &Answer) -> Self {
        assert_eq!(answer.status, 201, "{}", answer.text());
        let told = answer.json();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Sandbox { address, id: text("sandboxID"), token: text("envdAccessToken") }
    }

    pub fn open(address: SocketAddr) -> Self {
        Self::of(address, &ask(address, "k", &json!({"templateID": "base", "timeout": 120})))
    }

    /// A request of the data plane, with its token.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        send(self.address, method, path, &self.headers(kind), body)
    }

    pub fn headers<'a>(&'a self, kind: &'a str) -> [(&'a str, &'a str); 3] {
        [("E2b-Sandbox-Id", &self.id), ("X-Access-Token", &self.token), ("Content-Type", kind)]
    }

    /// A unary call of a Connect service.
    pub fn call(&self, method: &str, message: &Value) -> Answer {
        self.send("POST", &format!("/{method}"), "application/json", message.to_string().as_bytes())
    }

    /// Runs a shell command and gives its standard output and its exit code.
    pub fn shell(&self, script: &str) -> (String, i64) {
        let message = json!({"process": {"cmd": "/bin/bash", "args": ["-c", script]}, "stdin": false});
        let answer = self.send("POST", "/process.Process/Start", "application/connect+json", &frame(&message));
        let (mut out, mut code) = (Vec::new(), None);
        for (_, message) in answer.frames() {
            let event = &message["event"];
            if let Some(text) = event["data"]["stdout"].as_str() {
                use base64::Engine as _;
                out.extend(base64::engine::general_purpose::STANDARD.decode(text).unwrap());
            }
            code = event["end"]["exitCode"].as_i64().or(code);
        }
        let code = code.unwrap_or_else(|| panic!("no end: {:?}", answer.frames()));
        (String::from_utf8_lossy(&out).into_owned(), code)
    }

    /// Runs Python code; the lines that it tells.
    pub fn python(&self, code: &str) -> Vec<Value> {
        let answer = self.send("POST", "/execute", "application/json", json!({ "code": code }).to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn kill(&self, key: &str) -> u16 {
        send(self.address, "DELETE", &format!("/sandboxes/{}", self.id), &[("X-API-KEY", key)], b"").status
    }
}

/// A message in its envelope.
pub fn frame(message: &Value) -> Vec<u8> {
    let text = message.to_string();
    [&[0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}
