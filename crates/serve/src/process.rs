//! The process service: start, connect, list, input, signals, terminals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use meliora_evolve::Terminal;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::connect::{self, Frames};
use crate::fault::{Answer, Fault, Kind, fault, invalid};
use crate::guest::Guest;
use crate::http::{self, BODY, PIECES, Reply};
use crate::job::{Asked, Did, Job, KILL, TERM, end};
use crate::outlet::{Cut, Listener};
use crate::{fields, http::header};

/// The content type of streams.
pub(crate) const STREAM: &str = "application/connect+json";

/// A time that nothing here lasts.
const FOR_EVER: Duration = Duration::from_secs(366 * 24 * 3600);

/// How long a stream may last and how often it gives a sign of life, as the client's headers say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    pub(crate) until: Option<Instant>,
    pub(crate) alive: Duration,
}

impl Pace {
    pub(crate) fn of(headers: &HeaderMap) -> Answer<Self> {
        let number = |name: &str| -> Answer<Option<u64>> {
            let Some(text) = header(headers, name) else { return Ok(None) };
            text.parse().map(Some).map_err(|_| invalid(format!("the header {name} is no number")))
        };
        let until = number("connect-timeout-ms")?.map(Duration::from_millis).filter(|time| *time < FOR_EVER);
        let alive = number("keepalive-ping-interval")?.unwrap_or(50).clamp(1, 3600);
        Ok(Pace { until: until.and_then(|time| Instant::now().checked_add(time)), alive: Duration::from_secs(alive) })
    }

    /// Waits until the time is over; for ever where there is none.
    pub(crate) async fn over(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
    }
}

/// A call that takes and gives one message.
pub(crate) async fn unary(guest: &Arc<Guest>, method: &str, message: &Value) -> Answer<Value> {
    guest.cage()?;
    match method {
        "List" => {
            let jobs: Vec<_> = guest.jobs().values().map(|job| describe(job)).collect();
            return Ok(json!({ "processes": jobs }));
        }
        "SendInput" => write(&selected(guest, message)?, &message["input"]).await?,
        "CloseStdin" => selected(guest, message)?.close_stdin(),
        "SendSignal" => {
            let (job, signal) = (selected(guest, message)?, signal(&message["signal"])?);
            job.signal(signal)?;
            if signal == KILL {
                // It is as good as gone: who asks again is told so, whether or not its end has been seen.
                guest.jobs().remove(&job.pid);
            }
        }
        "Update" => {
            let job = selected(guest, message)?;
            let size = terminal(&message["pty"])?.ok_or_else(|| invalid("the terminal has no size"))?;
            if job.asked.terminal.is_none() {
                return Err(fault(Kind::Conflict, "the process has no terminal"));
            }
            job.resize(size)?;
        }
        _ => return Err(fault(Kind::Unsupported, format!("no method {method}"))),
    }
    Ok(json!({}))
}

/// Starts a command and tells what it does, until it ends or the client goes. It runs on when the client goes, but not
/// beyond the client's time.
pub(crate) async fn start(guest: Arc<Guest>, headers: &HeaderMap, body: Incoming) -> Answer<Reply> {
    let pace = Pace::of(headers)?;
    let message = one(body).await?;
    let process = &message["process"];
    let asked = Asked {
        cmd: fields::text_or_empty(process, "cmd")?,
        args: fields::texts(process, "args")?,
        envs: fields::pairs(process, "envs")?,
        cwd: fields::text(process, "cwd")?,
        tag: fields::text(&message, "tag")?,
        terminal: terminal(&message["pty"])?,
        // Older clients do not say, and always had one.
        stdin: message["stdin"].is_null() || fields::flag(&message, "stdin")?,
    };
    // In a task of its own: a client that goes in this moment leaves no command without someone to end it.
    let (pieces, reply) = mpsc::channel(PIECES);
    let started = tokio::spawn(async move {
        let (job, listener) = guest.start(asked).await?;
        tokio::spawn(tell(guest, job, listener, pace, true, pieces));
        Ok::<_, Fault>(())
    });
    started.await.map_err(|error| fault(Kind::Internal, error.to_string()))??;
    Ok(http::pieces(STREAM, reply))
}

/// Tells what a command does from now on.
pub(crate) async fn connect(guest: Arc<Guest>, headers: &HeaderMap, body: Incoming) -> Answer<Reply> {
    let pace = Pace::of(headers)?;
    let message = one(body).await?;
    guest.cage()?;
    let job = selected(&guest, &message)?;
    let listener = job.listen();
    let (pieces, reply) = mpsc::channel(PIECES);
    tokio::spawn(tell(guest, job, listener, pace, false, pieces));
    Ok(http::pieces(STREAM, reply))
}

/// Takes input as it comes.
pub(crate) async fn stream_input(guest: Arc<Guest>, mut body: Incoming) -> Answer<Reply> {
    let mut frames = Frames::new(BODY);
    let mut job = None;
    while let Some(bytes) = http::piece(&mut body).await? {
        frames.feed(&bytes);
        while let Some(message) = frames.next()? {
            if let Value::Object(_) = message["start"] {
                job = Some(selected(&guest, &message["start"])?);
            }
            if let Value::Object(_) = message["data"] {
                let job = job.as_ref().ok_or_else(|| invalid("input came before it was said for which process"))?;
                write(job, &message["data"]["input"]).await?;
            }
        }
    }
    frames.end()?;
    let bytes = [connect::frame(&json!({})), connect::last(None)].concat();
    Ok(http::reply(hyper::StatusCode::OK, STREAM, bytes))
}

/// The one message of a stream's request.
pub(crate) async fn one(mut body: Incoming) -> Answer<Value> {
    let mut frames = Frames::new(BODY);
    loop {
        if let Some(message) = frames.next()? {
            return Ok(message);
        }
        match http::piece(&mut body).await? {
            Some(bytes) => frames.feed(&bytes),
            None => {
                frames.end()?;
                return Err(invalid("the request has no message"));
            }
        }
    }
}

async fn tell(
    guest: Arc<Guest>,
    job: Arc<Job>,
    mut listener: Listener<Did>,
    pace: Pace,
    owns: bool,
    pieces: mpsc::Sender<Bytes>,
) {
    let mut gone = pieces.send(event(json!({"start": {"pid": job.pid}}))).await.is_err();
    let fault = loop {
        let next = tokio::select! {
            next = listener.next() => next,
            () = pace.over() => {
                if owns {
                    job.signal(KILL).ok();
                    guest.jobs().remove(&job.pid);
                }
                break Some(fault(Kind::Deadline, "the time that was given for the command is over"));
            }
            () = pieces.closed(), if !gone => {
                gone = true;
                if !owns {
                    return;
                }
                continue;
            }
            () = tokio::time::sleep(pace.alive), if !gone => {
                gone = pieces.send(event(json!({"keepalive": {}}))).await.is_err();
                continue;
            }
        };
        let message = match next {
            Ok(Some(Did::Stdout(bytes))) => json!({"data": {"stdout": fields::encode(&bytes)}}),
            Ok(Some(Did::Stderr(bytes))) => json!({"data": {"stderr": fields::encode(&bytes)}}),
            Ok(Some(Did::Pty(bytes))) => json!({"data": {"pty": fields::encode(&bytes)}}),
            Ok(Some(Did::Ended(ending))) if guest.cage().is_ok() => {
                let (code, exited, words) = end(ending);
                let mut told = json!({"exitCode": code, "exited": exited, "status": words});
                if code != 0 {
                    told["error"] = words.into();
                }
                if !gone {
                    pieces.send(event(json!({ "end": told }))).await.ok();
                }
                break None;
            }
            Ok(Some(Did::Ended(_)) | None) => {
                break Some(fault(Kind::Lost, "the sandbox ended before the command did"));
            }
            Ok(Some(Did::Lost(why))) => break Some(fault(Kind::Internal, why)),
            Err(Cut) if gone => break None,
            Err(Cut) => break Some(fault(Kind::TooMany, "the output was read too slowly, and not all of it was kept")),
        };
        if !gone {
            // A client that takes nothing does not lengthen the command's time.
            tokio::select! {
                sent = pieces.send(event(message)) => gone = sent.is_err(),
                () = pace.over() => {}
            }
        }
    };
    if !gone {
        pieces.send(connect::last(fault.as_ref())).await.ok();
    }
}

fn event(event: Value) -> Bytes {
    connect::frame(&json!({ "event": event }))
}

fn describe(job: &Job) -> Value {
    let asked = &job.asked;
    let envs: serde_json::Map<_, _> = asked.envs.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let mut config = json!({"cmd": asked.cmd, "args": asked.args, "envs": envs});
    if let Some(cwd) = &asked.cwd {
        config["cwd"] = json!(cwd);
    }
    let mut told = json!({"pid": job.pid, "config": config});
    if let Some(tag) = &asked.tag {
        told["tag"] = json!(tag);
    }
    told
}

/// The running process that a message means.
fn selected(guest: &Guest, message: &Value) -> Answer<Arc<Job>> {
    let selector = &message["process"];
    let jobs = guest.jobs();
    let (found, named) = if let Some(pid) = fields::number(selector, "pid")? {
        (u32::try_from(pid).ok().and_then(|pid| jobs.get(&pid)), format!("pid {pid}"))
    } else if let Some(tag) = fields::text(selector, "tag")? {
        let found = jobs.values().find(|job| job.asked.tag.as_ref() == Some(&tag));
        (found, format!("tag '{}'", tag.escape_debug()))
    } else {
        return Err(invalid("no process is named: give its pid or its tag"));
    };
    found.cloned().ok_or_else(|| fault(Kind::NotFound, format!("process with {named} not found")))
}

async fn write(job: &Arc<Job>, input: &Value) -> Answer<()> {
    let terminal = job.asked.terminal.is_some();
    if let Some(bytes) = fields::bytes(input, "pty")? {
        if !terminal {
            return Err(fault(Kind::Conflict, "the process has no terminal"));
        }
        return job.write(bytes).await;
    }
    let bytes = fields::bytes(input, "stdin")?.ok_or_else(|| invalid("there is no input"))?;
    if terminal || !job.asked.stdin {
        return Err(fault(Kind::Conflict, "the process was started without standard input (stdin=True)"));
    }
    job.write(bytes).await
}

fn terminal(pty: &Value) -> Answer<Option<Terminal>> {
    if !pty["size"].is_object() {
        return Ok(None);
    }
    let side = |name: &str, usual: u16| -> Answer<u16> {
        let given = fields::number(&pty["size"], name)?.unwrap_or(0);
        let given = u16::try_from(given).map_err(|_| invalid(format!("'{name}' is too large for a terminal")))?;
        Ok(if given == 0 { usual } else { given })
    };
    Ok(Some(Terminal { columns: side("cols", 80)?, rows: side("rows", 24)? }))
}

fn signal(value: &Value) -> Answer<i32> {
    match (value.as_str(), value.as_i64()) {
        (Some("SIGNAL_SIGKILL"), _) | (_, Some(9)) => Ok(KILL),
        (Some("SIGNAL_SIGTERM"), _) | (_, Some(15)) => Ok(TERM),
        _ => Err(invalid("the signal must be SIGNAL_SIGKILL or SIGNAL_SIGTERM")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_are_no_numbers_are_named_and_huge_ones_mean_no_end() {
        let mut headers = HeaderMap::new();
        assert_eq!(Pace::of(&headers).unwrap().until, None);
        headers.insert("connect-timeout-ms", "x".parse().unwrap());
        assert!(Pace::of(&headers).unwrap_err().message.contains("connect-timeout-ms"));
        headers.insert("connect-timeout-ms", u64::MAX.to_string().parse().unwrap());
        assert_eq!(Pace::of(&headers).unwrap().until, None);
    }

    #[test]
    fn a_terminal_has_a_size_that_fits() {
        assert_eq!(terminal(&Value::Null).unwrap(), None);
        let size = |cols: u64| terminal(&json!({"size": {"cols": cols, "rows": 5}}));
        assert_eq!(size(0).unwrap(), Some(Terminal { columns: 80, rows: 5 }));
        assert!(size(70_000).is_err());
    }
}
