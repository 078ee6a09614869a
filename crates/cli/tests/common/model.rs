//! A model server that says what a test tells it to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// A server that answers with what this makes of a chat's messages, joined by lines of `---`; how often it was asked.
pub fn server(answer: fn(&str) -> String) -> (String, Arc<AtomicU64>) {
    serve(move |chat| answer(&said(chat)))
}

/// The messages of a request, joined.
pub fn said(chat: &Value) -> String {
    let messages = chat["messages"].as_array().unwrap();
    messages.iter().map(|m| m["content"].as_str().unwrap()).collect::<Vec<_>>().join("\n---\n")
}

/// A server that answers with what this makes of a request, each in a thread of its own; how often it was asked.
pub fn serve(answer: impl Fn(&Value) -> String + Send + Sync + 'static) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicU64::new(0));
    let (count, answer) = (calls.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count, answer) = (stream.unwrap(), count.clone(), answer.clone());
            std::thread::spawn(move || {
                let reply = match serde_json::from_slice::<Value>(&body(&mut stream)) {
                    Ok(chat) => {
                        count.fetch_add(1, Ordering::SeqCst);
                        json!({
                            "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": answer(&chat)}}],
                            "usage": {"prompt_tokens": 20, "completion_tokens": 10}
                        })
                    }
                    Err(_) => json!({"object": "list", "data": [{"id": "stub"}]}),
                };
                let reply = reply.to_string();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
                let _ = stream.write_all(format!("{head}: {}\r\n\r\n{reply}", reply.len()).as_bytes());
            });
        }
    });
    (url, calls)
}

fn body(stream: &mut TcpStream) -> Vec<u8> {
    let (mut request, mut bytes) = (Vec::new(), [0; 65536]);
    loop {
        let n = stream.read(&mut bytes).unwrap_or(0);
        request.extend_from_slice(&bytes[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let lower = text.to_lowercase();
        let length = lower.split("content-length:").nth(1).and_then(|t| t.lines().next()?.trim().parse().ok());
        let Some(at) = text.find("\r\n\r\n") else {
            if n == 0 {
                return Vec::new();
            }
            continue;
        };
        if n == 0 || request.len() >= at + 4 + length.unwrap_or(0) {
            return request[at + 4..].to_vec();
        }
    }
}
