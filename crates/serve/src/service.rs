//! From a request to its reply: which plane, which sandbox, who may.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use meliora_evolve::Sandbox;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::fault::{Answer, Fault, Kind, fault};
use crate::guest::Guest;
use crate::http::{self, BODY, PIECES, Reply, header, json_reply, no_content};
use crate::interpreter::{self, Call};
use crate::registry::{Keys, Registry};
use crate::transfer::{self, Query};
use crate::{Config, connect, control, fields, filesystem, process, watch};

/// The headers by which clients name the sandbox of a request.
const SANDBOX: &str = "e2b-sandbox-id";
const PORT: &str = "e2b-sandbox-port";
/// What the data plane listens on inside a sandbox, as clients believe.
const PORTS: [&str; 2] = ["49983", "49999"];

/// All that requests share.
pub(crate) struct Service {
    pub(crate) config: Arc<Config>,
    pub(crate) sandbox: Arc<dyn Sandbox + Send>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) keys: Keys,
    pub(crate) uploads: Semaphore,
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(service: Arc<Service>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let query = head.uri.query().unwrap_or_default();
    let headers = &head.headers;
    if let Err(fault) = local(&service, headers) {
        return http::refusal(&fault);
    }
    let answered = match &parts[..] {
        [service_name @ ("process.Process" | "filesystem.Filesystem"), method] => {
            return connect_call(&service, service_name, method, &head.method, headers, body).await;
        }
        ["health"] => health(&service, headers),
        ["files"] => files(&service, &head.method, query, headers, body).await,
        ["execute"] | ["contexts", ..] => code(&service, &head.method, &parts, headers, body).await,
        ["sandboxes", rest @ ..] | ["v2", "sandboxes", rest @ ..] => {
            plane(&service, &head.method, rest, query, headers, body).await
        }
        _ => Err(fault(Kind::NotFound, format!("'{}' is not offered by this service", path.escape_debug()))),
    };
    answered.unwrap_or_else(|fault| refused(headers, &fault))
}

/// A failure, in the words of whoever would say it: the proxy for a sandbox that is not there, else the service itself.
fn refused(headers: &HeaderMap, fault: &Fault) -> Reply {
    if fault.kind != Kind::NoSandbox {
        return http::refusal(fault);
    }
    let id = header(headers, SANDBOX).unwrap_or_default();
    json_reply(fault.status(), &json!({"sandboxId": id, "message": fault.message, "code": 502}))
}

/// Without keys, a page in a person's browser must not reach this by a name of its own that leads here.
fn local(service: &Service, headers: &HeaderMap) -> Answer<()> {
    if !service.keys.is_open() {
        return Ok(());
    }
    let host = header(headers, "host").unwrap_or_default();
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback || name.is_empty() || name == "localhost" || name.ends_with(".localhost") {
        return Ok(());
    }
    let message = format!("the host '{}' is not this machine; start the service with a key", name.escape_debug());
    Err(fault(Kind::Denied, message))
}

/// The sandbox that a request of the data plane names: by a header, or by the first label of its host (`PORT-ID.…`).
fn named(service: &Service, headers: &HeaderMap) -> Answer<Option<Arc<Guest>>> {
    let (port, id) = match header(headers, SANDBOX) {
        Some(id) => (header(headers, PORT), id),
        None => {
            let label = header(headers, "host").and_then(|host| host.split(['.', ':']).next());
            match label.and_then(|label| label.split_once('-')) {
                Some((port, id)) if PORTS.contains(&port) => (Some(port), id),
                _ => return Ok(None),
            }
        }
    };
    let guest = service.registry.find(id)?;
    if let Some(port) = port.filter(|port| !PORTS.contains(port)) {
        let message = format!(
            "The sandbox is running but port is not open: a sandbox has no network, and port {} is not reached",
            port.escape_debug()
        );
        return Err(fault(Kind::Lost, message));
    }
    if guest.life().paused && guest.wishes.auto_resume {
        guest.live_until(std::time::SystemTime::now() + service.config.default_life);
        guest.pause(false)?;
    }
    Ok(Some(guest))
}

/// The sandbox of a request that shows its token, in one of these headers.
fn admitted(service: &Service, headers: &HeaderMap, names: &[&str]) -> Answer<Arc<Guest>> {
    let guest = named(service, headers)?.ok_or_else(|| {
        crate::fault::invalid(
            "no sandbox is named: set E2B_SANDBOX_URL to this address, and clients send E2b-Sandbox-Id",
        )
    })?;
    let shown = names.iter().filter_map(|name| header(headers, name));
    let mut shown = shown.map(|token| transfer::same(token.as_bytes(), guest.token.as_bytes())).peekable();
    match (shown.peek().is_some(), shown.any(|right| right)) {
        (_, true) => Ok(guest),
        (true, false) => Err(fault(Kind::Unauthenticated, "the access token is not that of this sandbox")),
        (false, false) => Err(fault(Kind::Unauthenticated, format!("no access token ({})", names.join(" or ")))),
    }
}

fn health(service: &Service, headers: &HeaderMap) -> Answer<Reply> {
    if let Some(guest) = named(service, headers)? {
        guest.cage()?;
    }
    Ok(no_content())
}

async fn plane(
    service: &Arc<Service>,
    method: &Method,
    rest: &[&str],
    query: &str,
    headers: &HeaderMap,
    body: Incoming,
) -> Answer<Reply> {
    let key = header(headers, "x-api-key").or_else(|| header(headers, "authorization")?.strip_prefix("Bearer "));
    let owner = service.keys.owner(key)?;
    let body = connect::object(&http::whole(headers, body, BODY).await?)?;
    match (method, rest) {
        (&Method::POST, []) => control::create(service, owner, headers, &body).await,
        (&Method::GET, []) => control::list(service, owner, query),
        (&Method::GET, ["metrics"]) => control::all_metrics(service, owner, query).await,
        (_, [id]) => control::one(service, owner, (method, id, None), &body).await,
        (_, [id, verb]) => control::one(service, owner, (method, id, Some(verb)), &body).await,
        _ => Err(fault(Kind::NotFound, "this is not offered by this service")),
    }
}

async fn files(
    service: &Arc<Service>,
    method: &Method,
    query: &str,
    headers: &HeaderMap,
    body: Incoming,
) -> Answer<Reply> {
    let query = Query::of(query);
    let operation = match *method {
        Method::GET => "read",
        Method::POST => "write",
        _ => return Err(fault(Kind::Unsupported, format!("files have no {method}"))),
    };
    let guest = if query.signature.is_some() {
        let right = |guest: &Guest| query.is_signed(&guest.token, operation);
        // Such an address names no sandbox where all share one service.
        let found = match named(service, headers)? {
            Some(guest) => right(&guest).then_some(guest),
            None => service.registry.search(right),
        };
        let found =
            found.ok_or_else(|| fault(Kind::Unauthenticated, "the signature fits no sandbox that is running"))?;
        query.check_time()?;
        found
    } else {
        admitted(service, headers, &["x-access-token"])?
    };
    let limit = service.config.upload;
    if operation == "read" {
        return transfer::download(&guest, &query, limit).await;
    }
    transfer::upload(&guest, &query, headers, body, (limit, &service.uploads)).await
}

async fn code(
    service: &Arc<Service>,
    method: &Method,
    parts: &[&str],
    headers: &HeaderMap,
    body: Incoming,
) -> Answer<Reply> {
    let guest = admitted(service, headers, &["x-access-token", "e2b-traffic-access-token"])?;
    guest.cage()?;
    let body = connect::object(&http::whole(headers, body, BODY).await?)?;
    match (method, parts) {
        (&Method::POST, ["execute"]) => {
            let call = Call {
                code: fields::text(&body, "code")?.ok_or_else(|| crate::fault::invalid("'code' is needed"))?,
                context: fields::text(&body, "context_id")?,
                language: fields::text(&body, "language")?,
                envs: fields::pairs(&body, "env_vars")?,
            };
            let (lines, reply) = mpsc::channel::<Bytes>(PIECES);
            // In a task of its own: a client that goes in this moment is noticed there, and its code interrupted.
            let task = tokio::spawn(interpreter::execute(guest, Arc::clone(&service.config), call, lines));
            task.await.map_err(|error| fault(Kind::Internal, error.to_string()))??;
            Ok(http::pieces("application/x-ndjson", reply))
        }
        (&Method::POST, ["contexts"]) => {
            let (language, cwd) = (fields::text(&body, "language")?, fields::text(&body, "cwd")?);
            let context = interpreter::create(&guest, language.as_deref(), cwd.as_deref())?;
            Ok(json_reply(StatusCode::OK, &context.describe()))
        }
        (&Method::GET, ["contexts"]) => {
            let contexts: Vec<Value> = guest.contexts().values().map(|context| context.describe()).collect();
            Ok(json_reply(StatusCode::OK, &json!(contexts)))
        }
        (&Method::DELETE, ["contexts", id]) => {
            interpreter::find(&guest, id)?;
            let removed = guest.contexts().remove(*id);
            if let Some(context) = removed {
                context.let_go();
            }
            Ok(no_content())
        }
        (&Method::POST, ["contexts", id, "restart"]) => {
            interpreter::restart(&*interpreter::find(&guest, id)?).await;
            Ok(no_content())
        }
        _ => Err(fault(Kind::NotFound, "this is not offered by this service")),
    }
}

/// A call of one of the two Connect services.
async fn connect_call(
    service: &Arc<Service>,
    name: &str,
    method: &str,
    verb: &Method,
    headers: &HeaderMap,
    body: Incoming,
) -> Reply {
    let streams = matches!((name, method), ("process.Process", "Start" | "Connect" | "StreamInput"))
        || matches!((name, method), ("filesystem.Filesystem", "WatchDir"));
    let answered = async {
        if verb != Method::POST {
            return Err(fault(Kind::Unsupported, "calls are made by POST"));
        }
        let guest = admitted(service, headers, &["x-access-token"])?;
        guest.cage()?;
        let kind = header(headers, "content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let wanted = if streams { process::STREAM } else { "application/json" };
        if kind != wanted {
            let message = format!("the content type '{}' is not taken here; {wanted} is", kind.escape_debug());
            return Err(fault(Kind::Unsupported, message));
        }
        match (name, method) {
            ("process.Process", "Start") => process::start(guest, headers, body).await,
            ("process.Process", "Connect") => process::connect(guest, headers, body).await,
            ("process.Process", "StreamInput") => process::stream_input(guest, body).await,
            ("filesystem.Filesystem", "WatchDir") => {
                let pace = process::Pace::of(headers)?;
                watch::stream(guest, watch::wanted(&process::one(body).await?)?, pace).await
            }
            _ => {
                let message = connect::object(&http::whole(headers, body, BODY).await?)?;
                let told = match name {
                    "process.Process" => process::unary(&guest, method, &message).await?,
                    _ => filesystem::unary(&guest, method, &message).await?,
                };
                Ok(json_reply(StatusCode::OK, &told))
            }
        }
    };
    match answered.await {
        Ok(reply) => reply,
        Err(fault) if fault.kind == Kind::NoSandbox => refused(headers, &fault),
        Err(fault) if streams => http::reply(StatusCode::OK, process::STREAM, connect::last(Some(&fault))),
        Err(fault) => json_reply(fault.status(), &fault.connect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_clients_look_for_are_there() {
        let reply = refused(&HeaderMap::new(), &crate::guest::no_sandbox());
        assert_eq!(reply.status(), StatusCode::BAD_GATEWAY);
        assert!(crate::guest::no_sandbox().message.contains("was not found"));
    }
}
