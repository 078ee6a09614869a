//! The HTTP client against a small server that plays every way in which real ones fail.

// The helpers of an integration test are not seen as tests by the lint's own exception.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use meliora_domain::{Cost, MicroUsd};
use meliora_evolve::{Chat, Message, Model, ModelError, Reply, Reservation, Role};
use meliora_llm::{Api, HttpModel, ModelConfig, Secret, Structured, Until};

const KEY: &str = "sk-a-long-and-secret-key-0123456789";

/// What the server does with one connection.
enum Play {
    /// Status line, more header lines, body.
    Answer(&'static str, &'static str, String),
    /// Answers nothing until the client has gone.
    Silence,
    /// Promises a long body, sends a little of it and hangs up.
    BreakOff,
    /// Sends this many bytes.
    Flood(usize),
    /// Sends these bytes as the body.
    Bytes(&'static [u8]),
    /// Sends pieces of a body without an end, until the client has gone.
    Endless,
}

fn ok(body: &str) -> Play {
    Play::Answer("200 OK", "", body.into())
}

fn text(text: &str, finish: &str) -> Play {
    let content = serde_json::to_string(text).unwrap();
    ok(&format!(
        r#"{{"choices":[{{"message":{{"content":{content}}},"finish_reason":"{finish}"}}],
            "usage":{{"prompt_tokens":100,"completion_tokens":20}}}}"#
    ))
}

/// Plays the list, one entry a connection; gives its address and the requests as they come.
fn server(plays: Vec<Play>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for play in plays {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = sender.send(request(&mut stream));
            let _ = match play {
                Play::Answer(status, headers, body) => write!(
                    stream,
                    "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                ),
                Play::Silence => stream.read(&mut [0]).map(drop),
                Play::BreakOff => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{\"choices\""),
                Play::Flood(bytes) => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n")
                    .and_then(|()| stream.write_all(&vec![b' '; bytes])),
                Play::Bytes(bytes) => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len())
                    .and_then(|()| stream.write_all(bytes)),
                Play::Endless => endless(&mut stream),
            };
        }
    });
    (url, requests)
}

fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    loop {
        write!(stream, "10\r\ndata: {{\"a\": 1}}\n\n\r\n")?;
    }
}

fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if n == 0 {
            return text;
        }
    }
}

fn chat() -> Chat {
    let messages = vec![Message { role: Role::User, content: "hello".into() }];
    Chat { messages, temperature: 0.5, max_tokens: 50, seed: 11, schema: None }
}

const PLENTY: Reservation = Reservation(Cost { evals: 0, tokens: 1_000_000, usd: MicroUsd(1_000_000_000) });

/// What came of a chat with a server that plays this list.
struct Session {
    result: Result<Reply, ModelError>,
    waits: Vec<Duration>,
    requests: Vec<String>,
}

fn session(plays: Vec<Play>, change: impl FnOnce(&mut ModelConfig), reservation: Reservation) -> Session {
    let (url, requests) = server(plays);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let mut config = ModelConfig {
        base_url: url,
        model: "m".into(),
        key: Secret::new(KEY),
        retries: 2,
        longest_wait: Duration::from_secs(30),
        usd_prompt: 1.0,
        usd_completion: 10.0,
        ..ModelConfig::default()
    };
    change(&mut config);
    let seen = waits.clone();
    let waiter = move |pause| seen.lock().unwrap().push(pause);
    let result = HttpModel::with_waiter(config, Box::new(waiter)).and_then(|m| m.chat(&chat(), reservation));
    let waits = waits.lock().unwrap().clone();
    let session = Session { result, waits, requests: requests.try_iter().collect() };
    if let Err(e) = &session.result {
        assert!(!format!("{e} {e:?}").contains(KEY), "an error shows the key: {e}");
    }
    session
}

fn play(plays: Vec<Play>) -> Session {
    session(plays, |_| (), PLENTY)
}

fn failed(session: &Session) -> (u32, &str, Cost) {
    match &session.result {
        Err(ModelError::Failed { tries, cause, spent }) => (*tries, cause, *spent),
        other => panic!("not a failure: {other:?}"),
    }
}

fn refused(session: &Session) -> &str {
    match &session.result {
        Err(ModelError::Refused(told)) => told,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn a_chat_brings_text_usage_and_price() {
    let s = play(vec![text("hi", "stop")]);
    let reply = s.result.unwrap();
    assert_eq!((reply.text.as_str(), reply.truncated), ("hi", false));
    assert_eq!((reply.usage.prompt, reply.usage.completion, reply.usage.estimated), (100, 20, false));
    assert_eq!(reply.usd, MicroUsd(300));
    let request = &s.requests[0];
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains(&format!("authorization: bearer {KEY}")), "{request}");
}

#[test]
fn anthropic_is_spoken_with_its_own_headers() {
    let body = r#"{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn",
        "usage":{"input_tokens":5,"output_tokens":2}}"#;
    let s = session(vec![ok(body)], |c| c.api = Api::Anthropic, PLENTY);
    assert_eq!(s.result.unwrap().cost().tokens, 7);
    let request = s.requests[0].to_lowercase();
    assert!(request.starts_with("post /v1/messages http/1.1"), "{request}");
    assert!(request.contains(&format!("x-api-key: {KEY}")) && request.contains("anthropic-version: 2023-06-01"));
    assert!(!request.contains("authorization"), "{request}");
}

#[test]
fn an_overloaded_server_is_given_the_time_it_asks_for_up_to_the_longest_wait() {
    let busy = |headers| Play::Answer("429 Too Many Requests", headers, r#"{"error":"slow down"}"#.into());
    let s = play(vec![busy("retry-after: 7\r\n"), busy("retry-after: 9999\r\n"), text("hi", "stop")]);
    assert_eq!(s.result.unwrap().cost().tokens, 120);
    assert_eq!(s.waits, [Duration::from_secs(7), Duration::from_secs(30)]);

    let dated = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:49 GMT\r\n";
    let s = play(vec![busy(dated), text("hi", "stop")]);
    assert_eq!(s.waits, [Duration::from_secs(12)]);
}

#[test]
fn an_error_of_the_server_is_tried_again_and_then_given_up() {
    let broken = || Play::Answer("500 Internal Server Error", "", "out of memory".into());
    let s = play(vec![broken(), text("hi", "stop")]);
    assert!(s.result.is_ok());
    assert_eq!(s.waits.len(), 1);

    let s = play(vec![broken(), broken(), broken()]);
    let (tries, cause, spent) = failed(&s);
    assert_eq!((tries, spent), (3, Cost::ZERO));
    assert!(cause.contains("500") && cause.contains("out of memory"), "{cause}");
    assert!(s.waits[1] > s.waits[0]);
}

#[test]
fn a_refusal_is_told_at_once_without_the_key_that_the_server_echoes() {
    let body = format!(r#"{{"error":{{"message":"bad key {KEY}"}}}}"#);
    let s = play(vec![Play::Answer("401 Unauthorized", "", body)]);
    let told = refused(&s);
    assert!(told.contains("401") && told.contains("bad key [key]") && told.contains("/v1/chat/completions"), "{told}");
    assert!(s.waits.is_empty());

    for status in ["400 Bad Request", "403 Forbidden", "404 Not Found", "422 Unprocessable Entity"] {
        let s = play(vec![Play::Answer(status, "", "no such model".into())]);
        assert!(refused(&s).contains("no such model"));
    }
    let quota = r#"{"error":{"message":"quota","code":"insufficient_quota"}}"#;
    assert!(refused(&play(vec![Play::Answer("429 Too Many Requests", "", quota.into())])).contains("quota"));
    let moved = play(vec![Play::Answer("307 Temporary Redirect", "location: https://h/v1\r\n", String::new())]);
    assert!(refused(&moved).contains("points to https://h/v1"));
}

#[test]
fn a_key_that_a_model_echoes_does_not_get_into_the_reply() {
    let s = play(vec![text(&format!("your key is {KEY}"), "stop")]);
    assert_eq!(s.result.unwrap().text, "your key is [key]");
    // A placeholder is not masked: it would maim the answer.
    let s = session(vec![text("x = 1", "stop")], |c| c.key = Secret::new("x"), PLENTY);
    assert_eq!(s.result.unwrap().text, "x = 1");
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let s = session(vec![], |c| c.base_url = gone.to_string(), PLENTY);
    match s.result {
        Err(ModelError::Unreachable { url, .. }) => assert_eq!(url, format!("http://{gone}/v1")),
        other => panic!("{other:?}"),
    }
    assert_eq!(s.waits.len(), 2);
}

#[test]
fn a_server_that_says_nothing_runs_into_the_time_out_and_is_paid_at_the_most() {
    let quick = |c: &mut ModelConfig| c.timeout = Duration::from_millis(200);
    let s = session(vec![Play::Silence, Play::Silence, Play::Silence], quick, PLENTY);
    let (tries, cause, spent) = failed(&s);
    assert_eq!(tries, 3);
    assert!(cause.contains("no answer within 0.2 s"), "{cause}");
    // Five letters, the chat's own marks and the fifty tokens it may write, three times.
    assert_eq!(spent.tokens, 3 * (2 + 8 + 32 + 50));
}

#[test]
fn a_call_ends_with_the_time_of_the_run() {
    let until =
        |millis: u64| move |c: &mut ModelConfig| c.until = Until::at(Instant::now() + Duration::from_millis(millis));
    // Under way when the time ends: cut, paid at the most, and not begun again.
    let s = session(vec![Play::Silence, text("late", "stop")], until(200), PLENTY);
    let (tries, cause, spent) = failed(&s);
    assert_eq!((tries, spent.tokens, s.requests.len()), (1, 2 + 8 + 32 + 50, 1));
    assert!(cause.contains("the time of the run is over"), "{cause}");
    // Over before it begins: nothing is sent.
    let s = session(vec![text("late", "stop")], until(0), PLENTY);
    assert_eq!((failed(&s).0, failed(&s).2, s.requests.len()), (0, Cost::ZERO, 0));
    // A pause that would outlast it is not waited for.
    let busy = Play::Answer("429 Too Many Requests", "retry-after: 20\r\n", "{}".into());
    let s = session(vec![busy, text("late", "stop")], until(10_000), PLENTY);
    assert_eq!((failed(&s).0, s.waits.len(), s.requests.len()), (1, 0, 1));
    // And with time enough nothing is different.
    assert_eq!(session(vec![text("hi", "stop")], until(60_000), PLENTY).result.unwrap().text, "hi");
}

#[test]
fn a_lost_call_is_only_tried_again_where_the_reservation_has_room() {
    let one = 2 + 8 + 32 + 50;
    let exact = Reservation(Cost { evals: 0, tokens: one, usd: MicroUsd(1_000_000) });
    let s = session(vec![Play::BreakOff, text("hi", "stop")], |_| (), exact);
    let (tries, cause, spent) = failed(&s);
    assert_eq!((tries, spent.tokens), (1, one));
    assert!(cause.contains("the connection broke"), "{cause}");

    let s = play(vec![Play::BreakOff, text("hi", "stop")]);
    let reply = s.result.unwrap();
    assert_eq!((reply.text.as_str(), reply.cost().tokens, reply.usage.estimated), ("hi", one + 120, true));
}

#[test]
fn a_call_that_may_cost_more_than_is_reserved_is_not_sent() {
    let small = Reservation(Cost { evals: 0, tokens: 60, usd: MicroUsd(1_000_000) });
    let s = session(vec![text("hi", "stop")], |_| (), small);
    assert!(matches!(s.result, Err(ModelError::OverReservation { needed: 92, reserved: 60 })));
    let poor = Reservation(Cost { evals: 0, tokens: 1000, usd: MicroUsd(1) });
    let s2 = session(vec![text("hi", "stop")], |_| (), poor);
    assert!(matches!(s2.result, Err(ModelError::OverReservation { .. })));
    assert!(s.requests.is_empty() && s2.requests.is_empty());
}

#[test]
fn empty_and_garbled_answers_are_asked_for_again_with_another_seed() {
    let bad_letters = Play::Bytes(b"{\"choices\":[{\"message\":{\"content\":\"h\xff\xfe\"}}]}");
    let stream = ok("data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\ndata: [DONE]\n");
    let error = ok(r#"{"error":{"message":"busy"}}"#);
    for bad in [text(" \n", "stop"), ok("<html>"), ok("{\"choices\": ["), error, bad_letters, stream] {
        let s = play(vec![bad, text("hi", "stop")]);
        assert_eq!(s.result.unwrap().text, "hi");
        assert!(s.requests[0].contains("\"seed\":11") && s.requests[1].contains("\"seed\":12"));
    }
    let s = play(vec![text("", "stop"), text("", "stop"), text("", "stop")]);
    let (tries, cause, spent) = failed(&s);
    assert_eq!((tries, cause, spent.tokens, spent.usd), (3, "the answer is empty", 360, MicroUsd(900)));
}

#[test]
fn an_answer_cut_at_the_limit_says_so_even_if_it_is_empty() {
    let reply = play(vec![text("half a", "length")]).result.unwrap();
    assert!(reply.truncated && reply.text == "half a");
    assert!(play(vec![text("", "length")]).result.unwrap().truncated);
}

#[test]
fn missing_usage_is_estimated_and_marked() {
    let s = play(vec![ok(r#"{"choices":[{"message":{"content":"hello you"}}]}"#)]);
    let reply = s.result.unwrap();
    assert_eq!((reply.usage.prompt, reply.usage.completion, reply.usage.estimated), (42, 3, true));
}

#[test]
fn a_flood_is_cut_off_and_not_asked_for_again() {
    let s = session(vec![Play::Flood(5000)], |c| c.max_body = 1000, PLENTY);
    let (tries, cause, spent) = failed(&s);
    assert_eq!((tries, spent.tokens), (1, 92));
    assert!(cause.contains("larger than the 1000 bytes"), "{cause}");
}

#[test]
fn a_parameter_that_the_server_does_not_take_is_left_out() {
    let told = r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."}}"#;
    let s = play(vec![Play::Answer("400 Bad Request", "", told.into()), text("hi", "stop")]);
    assert!(s.result.is_ok() && s.waits.is_empty());
    assert!(s.requests[1].contains("\"max_completion_tokens\":50") && !s.requests[1].contains("max_tokens"));
}

#[test]
fn a_server_is_asked_for_its_model_if_none_is_named() {
    let list = r#"{"data":[{"id":"first"},{"id":"second"}]}"#;
    let s = session(vec![ok(list), text("hi", "stop")], |c| c.model.clear(), PLENTY);
    assert!(s.result.is_ok());
    assert!(s.requests[0].starts_with("GET /v1/models "), "{}", s.requests[0]);
    assert!(s.requests[1].contains("\"model\":\"first\""));

    let s = session(vec![ok(r#"{"data":[]}"#)], |c| c.model.clear(), PLENTY);
    assert!(refused(&s).contains("lists no model"));
}

#[test]
fn a_key_that_cannot_be_a_header_is_refused_unseen() {
    let s = session(vec![], |c| c.key = Secret::new("sk-a\nb-secret"), PLENTY);
    assert!(!refused(&s).contains("secret"));
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    let s = session(vec![Play::Endless], |c| c.max_body = 100_000, PLENTY);
    let (tries, cause, _) = failed(&s);
    assert_eq!(tries, 1);
    assert!(cause.contains("larger than the 100000 bytes"), "{cause}");
}

#[test]
fn a_prompt_that_is_longer_than_the_context_is_not_sent() {
    // Two tokens of text, the chat's own marks and the fifty it may write.
    let s = session(vec![text("hi", "stop")], |c| c.context = Some(2 + 8 + 32 + 49), PLENTY);
    match &s.result {
        Err(ModelError::TooLong(why)) => assert!(why.contains("takes 91"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(s.requests.is_empty());
    let s = session(vec![text("hi", "stop")], |c| c.context = Some(2 + 8 + 32 + 50), PLENTY);
    assert!(s.result.is_ok());
}

#[test]
fn a_prompt_that_the_server_finds_too_long_is_no_refusal() {
    let told = r#"{"error":{"message":"'max_tokens' or 'max_completion_tokens' is too large: 50. This model's maximum context length is 60 tokens"}}"#;
    let s = play(vec![Play::Answer("400 Bad Request", "", told.into())]);
    assert!(matches!(&s.result, Err(ModelError::TooLong(why)) if why.contains("maximum context length is 60")));
    assert_eq!(s.requests.len(), 1);
}

/// A server that answers everybody at once, slowly enough for them to meet; tells how many were there together.
fn crowded_server() -> (String, Arc<Mutex<(usize, usize)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let inside = Arc::new(Mutex::new((0, 0)));
    let count = inside.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let count = count.clone();
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                {
                    let mut count = count.lock().unwrap();
                    count.0 += 1;
                    count.1 = count.1.max(count.0);
                }
                request(&mut stream);
                thread::sleep(Duration::from_millis(5));
                count.lock().unwrap().0 -= 1;
                let body = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
                let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            });
        }
    });
    (url, inside)
}

#[test]
fn five_hundred_at_once_are_all_answered_and_no_more_than_the_limit_get_through() {
    for limit in [None, NonZeroU32::new(16)] {
        let (base_url, inside) = crowded_server();
        let config =
            ModelConfig { base_url, model: "m".into(), concurrency: limit, retries: 0, ..ModelConfig::default() };
        let model = HttpModel::new(config).unwrap();
        let failed: Vec<ModelError> = thread::scope(|scope| {
            let calls: Vec<_> = (0..500).map(|_| scope.spawn(|| model.chat(&chat(), PLENTY).err())).collect();
            calls.into_iter().filter_map(|call| call.join().unwrap()).collect()
        });
        assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed[0]);
        let most = inside.lock().unwrap().1;
        assert!(limit.is_none_or(|limit| most <= limit.get() as usize), "{most} at once");
    }
}

/// A server whose answers depend on the request: `held` says which request has its answer held to the schema.
fn able_server(list: &'static str, held: fn(&str) -> bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let asked = request(&mut stream);
            let body = if asked.starts_with("GET /v1/models ") {
                list.to_owned()
            } else if asked.starts_with("GET /props ") {
                r#"{"default_generation_settings":{"n_ctx":8192}}"#.to_owned()
            } else {
                let said = if held(&asked) { r#"{\"colour\":\"red\",\"odd\":true}"# } else { "The sea is wide." };
                format!(
                    r#"{{"choices":[{{"message":{{"content":"{said}"}}}}],"usage":{{"prompt_tokens":400,"completion_tokens":9}}}}"#
                )
            };
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}

#[test]
fn a_probe_finds_what_a_server_does_and_not_what_it_says() {
    let probe = |list, held| {
        let config = ModelConfig { base_url: able_server(list, held), ..ModelConfig::default() };
        HttpModel::new(config).unwrap().probe(7).unwrap()
    };
    let llama = r#"{"data":[{"id":"m","owned_by":"llamacpp","meta":{"n_ctx_train":32768}}]}"#;
    let found = probe(llama, |asked| asked.contains("response_format"));
    assert_eq!((found.server, found.context), (Some("llama.cpp"), Some(8192)));
    assert_eq!((found.models, found.structured), (vec!["m".to_owned()], Structured::ResponseFormat));
    assert_eq!((found.reading.tokens, found.writing.tokens, found.reading.estimated), (400, 9, false));
    assert_eq!(found.cost.tokens, 3 * 409);

    let vllm = r#"{"data":[{"id":"m","owned_by":"vllm","max_model_len":4096},{"id":"n","max_model_len":1}]}"#;
    let found = probe(vllm, |asked| asked.contains(r#""json_schema":{"type""#) && !asked.contains("response_format"));
    assert_eq!((found.context, found.structured), (Some(4096), Structured::JsonSchema));
    let found = probe(r#"{"data":[{"id":"m"}]}"#, |_| false);
    assert_eq!((found.server, found.context, found.structured), (None, None, Structured::Nothing));
}
