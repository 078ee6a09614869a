//! What a call costs beside the model: prints one line a figure. A server in this process answers at once.
//!
//! `cargo bench -p meliora-llm --bench call`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use meliora_domain::{Cost, MicroUsd};
use meliora_evolve::{Chat, Message, Model, Reservation, Role};
use meliora_llm::{Cache, HttpModel, ModelConfig};

const CALLS: usize = 2000;
const AT_ONCE: usize = 500;
const PLENTY: Reservation = Reservation(Cost { evals: 0, tokens: u64::MAX, usd: MicroUsd(u64::MAX) });
const BODY: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":500,"completion_tokens":1}}"#;

fn main() {
    let address = server();
    let config = ModelConfig { base_url: address.clone(), model: "m".into(), ..ModelConfig::default() };
    let model = HttpModel::new(config.clone()).unwrap();
    let bare = median(|_| exchange(&address, 2200));
    let call = median(|seed| drop(model.chat(&chat(seed), PLENTY).unwrap()));
    println!("call with an instant server, median of {CALLS}: {:.3} ms", millis(call));
    println!("the same bytes over a bare socket: {:.3} ms", millis(bare));
    println!("overhead: {:.3} ms", millis(call.saturating_sub(bare)));

    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(HttpModel::new(config).unwrap(), &address, folder.path(), false);
    cache.chat(&chat(0), PLENTY).unwrap();
    println!("call answered from the cache: {:.3} ms", millis(median(|_| drop(cache.chat(&chat(0), PLENTY).unwrap()))));

    let begun = Instant::now();
    let failed = thread::scope(|scope| {
        let (model, chat) = (&model, &chat);
        let calls: Vec<_> =
            (0..AT_ONCE).map(|n| scope.spawn(move || model.chat(&chat(n as u64), PLENTY).is_err())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).filter(|failed| *failed).count()
    });
    println!("{AT_ONCE} calls at once: {failed} failed, {:.2} s", begun.elapsed().as_secs_f64());
}

fn chat(seed: u64) -> Chat {
    let messages = vec![Message { role: Role::User, content: "word ".repeat(400) }];
    Chat { messages, max_tokens: 50, seed, ..Chat::default() }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut once: impl FnMut(u64)) -> Duration {
    let mut times: Vec<Duration> = (0..CALLS as u64)
        .map(|n| {
            let begun = Instant::now();
            once(n);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[CALLS / 2]
}

/// Sends a body of so many bytes and reads the answer to its end, without any client.
fn exchange(address: &str, bytes: usize) {
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    let body = "x".repeat(bytes);
    write!(stream, "POST / HTTP/1.1\r\ncontent-length: {bytes}\r\n\r\n{body}").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(|| answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 16384];
    loop {
        let n = stream.read(&mut buffer).unwrap_or(0);
        request.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let length: usize =
            text.split("content-length: ").nth(1).and_then(|t| t.lines().next()?.parse().ok()).unwrap_or(0);
        if n == 0 || text.find("\r\n\r\n").is_some_and(|at| request.len() >= at + 4 + length) {
            break;
        }
    }
    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{BODY}", BODY.len());
}
