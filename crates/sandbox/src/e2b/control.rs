//! The control plane: makes, keeps and ends sandboxes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use ureq::http::Method;

use super::http::{Again, Ask, Http, nonce};
use super::settings::Key;
use super::trouble::{Kind, Trouble};

/// Bytes of an answer that are read.
const ANSWER: u64 = 4 << 20;

/// A sandbox that the cloud made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    /// Version of the daemon inside.
    pub(crate) version: String,
    /// For everything inside.
    pub(crate) token: Option<Key>,
    /// For its ports, which are closed to others.
    pub(crate) traffic: Option<Key>,
    /// The domain that it is reached under, where the cloud names one.
    pub(crate) domain: Option<String>,
}

/// A moment of a sandbox's use of its machine.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metric {
    /// Seconds since 1970.
    pub(crate) timestamp_unix: i64,
    pub(crate) cpu_count: f64,
    /// Per cent of all processors together.
    pub(crate) cpu_used_pct: f64,
    pub(crate) mem_used: f64,
}

fn ask<'a>(http: &Http, method: Method, path: &str, body: Option<&'a [u8]>, again: Again) -> Ask<'a> {
    let settings = http.settings();
    let mut headers = vec![("x-api-key", settings.key.expose().to_owned()), ("accept", "application/json".to_owned())];
    if body.is_some() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    Ask { method, url: format!("{}{path}", settings.api()), headers, body, time: settings.request, again }
}

fn unreadable(error: impl std::fmt::Display) -> Trouble {
    Trouble::Broken(format!("the cloud's answer cannot be read: {error}"))
}

/// Whether the cloud is there and takes the key.
pub(crate) fn knock(http: &Http) -> Result<(), Trouble> {
    let body = http.call(&ask(http, Method::GET, "/v2/sandboxes?limit=1", None, Again::Harmless), ANSWER)?;
    serde_json::from_slice::<Vec<serde_json::Value>>(&body).map(drop).map_err(unreadable)
}

/// Makes a sandbox that has no way to the Internet and ends by itself.
pub(crate) fn create(http: &Http) -> Result<Made, Trouble> {
    let settings = http.settings();
    let body = json!({
        "templateID": settings.template,
        "timeout": settings.lifetime.as_secs(),
        "allow_internet_access": false,
        "network": {"allowPublicTraffic": false},
        "metadata": {"madeBy": "meliora"},
    })
    .to_string();
    // The same request twice makes one sandbox.
    let mut ask = ask(http, Method::POST, "/v2/sandboxes", Some(body.as_bytes()), Again::Harmless);
    ask.headers.push(("idempotency-key", nonce()));
    let answer = http.call(&ask, ANSWER)?;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        #[serde(rename = "sandboxID")]
        sandbox_id: String,
        #[serde(default)]
        envd_version: String,
        #[serde(default)]
        envd_access_token: Option<String>,
        #[serde(default)]
        traffic_access_token: Option<String>,
        #[serde(default)]
        domain: Option<String>,
    }
    let reply: Reply = serde_json::from_slice(&answer).map_err(unreadable)?;
    // It becomes part of addresses.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if reply.sandbox_id.is_empty() || !reply.sandbox_id.chars().all(plain) {
        return Err(unreadable("the sandbox's id is no id"));
    }
    let key = |token: Option<String>| token.as_deref().and_then(Key::new);
    Ok(Made {
        id: reply.sandbox_id,
        version: reply.envd_version,
        token: key(reply.envd_access_token),
        traffic: key(reply.traffic_access_token),
        domain: reply.domain,
    })
}

/// Lets a sandbox live for so long from now.
pub(crate) fn keep(http: &Http, id: &str, time: Duration) -> Result<(), Trouble> {
    let body = json!({"timeout": time.as_secs()}).to_string();
    let path = format!("/sandboxes/{id}/timeout");
    http.call(&ask(http, Method::POST, &path, Some(body.as_bytes()), Again::Harmless), ANSWER).map(drop)
}

/// Ends a sandbox. One that is not there has ended.
pub(crate) fn end(http: &Http, id: &str) -> Result<(), Trouble> {
    match http.call(&ask(http, Method::DELETE, &format!("/sandboxes/{id}"), None, Again::Harmless), ANSWER) {
        Err(trouble) if matches!(trouble.kind(), Some(Kind::Missing | Kind::Gone)) => Ok(()),
        other => other.map(drop),
    }
}

/// What a sandbox used so far, oldest first.
pub(crate) fn metrics(http: &Http, id: &str) -> Result<Vec<Metric>, Trouble> {
    let body =
        http.call(&ask(http, Method::GET, &format!("/sandboxes/{id}/metrics"), None, Again::Harmless), ANSWER)?;
    serde_json::from_slice(&body).map_err(unreadable)
}
