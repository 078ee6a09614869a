//! The control plane: make sandboxes, list them, prolong, pause and end them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};
use meliora_evolve::{CageSpec, ReadOnly};
use serde_json::{Value, json};

use crate::fault::{Answer, Kind, fault, invalid};
use crate::guest::{Guest, Wishes, blocking};
use crate::http::{self, Reply, header, json_reply, no_content};
use crate::registry::Owner;
use crate::service::Service;
use crate::{fields, interpreter, paths, random, time};

/// The version of the sandbox's own services that clients are told: it decides what they dare to ask.
pub(crate) const ENVD: &str = "0.6.9";
/// Sandboxes that can be asked for. The first has its Python ready.
const TEMPLATES: [&str; 3] = ["code-interpreter-v1", "code-interpreter", "base"];
/// Sandboxes on one page of a list.
const PAGE: usize = 100;

/// What a sandbox's commands find in their environment. The same for all, so that Python can be kept ready.
pub fn environment() -> Vec<(String, String)> {
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", paths::HOME),
        ("USER", "user"),
        ("LOGNAME", "user"),
        ("SHELL", "/bin/bash"),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("E2B_SANDBOX", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Makes a sandbox.
pub(crate) async fn create(service: &Arc<Service>, owner: Owner, headers: &HeaderMap, body: &Value) -> Answer<Reply> {
    let config = &service.config;
    let wishes = wishes(headers, body)?;
    if let Some(guest) = service.registry.same(owner, &wishes) {
        return Ok(json_reply(StatusCode::CREATED, &opened(&guest)));
    }
    let life = life(service, body)?.unwrap_or(config.default_life.min(config.limits.wall));
    let place = service.registry.place(owner)?;
    let mut spec = CageSpec::manual();
    spec.limits = config.limits.clone();
    spec.env = environment();
    spec.home = Some(paths::HOME.to_owned());
    spec.terminals = true;
    let needs = config.python.iter().chain(&config.node).flat_map(|interpreter| &interpreter.needs);
    for path in needs {
        let path = ReadOnly { path: path.clone() };
        if !spec.read_only.contains(&path) {
            spec.read_only.push(path);
        }
    }
    // In a task of its own: a client that goes in this moment leaves a sandbox that is known, and expires.
    let task = tokio::spawn({
        let service = Arc::clone(service);
        async move {
            let sandbox = Arc::clone(&service.sandbox);
            let guest = blocking(move || -> Answer<Guest> {
                let cage = sandbox.open(spec)?;
                Ok(Guest::new(random::text(20), random::text(32), owner, wishes, life, cage))
            })
            .await??;
            Ok::<_, crate::fault::Fault>(service.registry.add(guest, place))
        }
    });
    let guest = task.await.map_err(|error| fault(Kind::Internal, error.to_string()))??;
    if guest.wishes.template != "base" {
        let (guest, config) = (Arc::clone(&guest), Arc::clone(config));
        tokio::spawn(async move { interpreter::warm_up(&guest, &config).await });
    }
    Ok(json_reply(StatusCode::CREATED, &opened(&guest)))
}

fn wishes(headers: &HeaderMap, body: &Value) -> Answer<Wishes> {
    let template = fields::text(body, "templateID")?.filter(|name| !name.is_empty());
    let template = template.unwrap_or_else(|| "base".to_owned());
    // A tag behind the name says which build; there is one.
    let name = template.split(':').next().unwrap_or_default();
    if !TEMPLATES.contains(&name) {
        let message = format!(
            "template '{}' not found: this service has {}, and builds no others",
            template.escape_debug(),
            TEMPLATES.join(", ")
        );
        return Err(fault(Kind::NotFound, message));
    }
    for (field, what) in [("mcp", "MCP servers"), ("volumeMounts", "volumes"), ("iam", "workload identities")] {
        let empty = body[field].is_null() || body[field].as_array().is_some_and(Vec::is_empty);
        if !empty {
            return Err(fault(Kind::Unsupported, format!("{what} ('{field}') are not offered by this service")));
        }
    }
    let envs = fields::pairs(body, "envVars")?;
    if let Some((name, _)) = envs.iter().find(|(n, v)| n.is_empty() || n.contains(['=', '\0']) || v.contains('\0')) {
        return Err(invalid(format!("'{}' is no variable", name.escape_debug())));
    }
    Ok(Wishes {
        template: name.to_owned(),
        metadata: fields::pairs(body, "metadata")?.into_iter().collect(),
        envs,
        auto_pause: fields::flag(body, "autoPause")?,
        auto_resume: fields::flag(&body["autoResume"], "enabled").unwrap_or(false),
        idempotency: header(headers, "idempotency-key").map(str::to_owned),
    })
}

/// The life that a body asks for.
fn life(service: &Service, body: &Value) -> Answer<Option<Duration>> {
    let Some(seconds) = fields::number(body, "timeout")? else { return Ok(None) };
    let longest = service.config.limits.wall;
    let life = Duration::from_secs(seconds);
    if life > longest {
        let message = format!("'timeout' is {seconds} s; a sandbox lives {} s at most here", longest.as_secs());
        return Err(invalid(message));
    }
    Ok(Some(life))
}

/// What a client is told of a sandbox it opened or connected to.
fn opened(guest: &Guest) -> Value {
    json!({
        "templateID": guest.wishes.template,
        "alias": guest.wishes.template,
        "sandboxID": guest.id,
        "clientID": "local",
        "envdVersion": ENVD,
        "envdAccessToken": guest.token,
        "trafficAccessToken": guest.token,
        "domain": null,
    })
}

fn describe(service: &Service, guest: &Guest) -> Value {
    let limits = &service.config.limits;
    let life = guest.life();
    json!({
        "templateID": guest.wishes.template,
        "alias": guest.wishes.template,
        "sandboxID": guest.id,
        "clientID": "local",
        "startedAt": time::iso_of(guest.started),
        "endAt": time::iso_of(life.until),
        "envdVersion": ENVD,
        "cpuCount": processors(),
        "memoryMB": limits.memory >> 20,
        "diskSizeMB": limits.disk >> 20,
        "metadata": guest.wishes.metadata,
        "state": if life.paused { "paused" } else { "running" },
        "allowInternetAccess": false,
        "lifecycle": {
            "onTimeout": if guest.wishes.auto_pause { "pause" } else { "kill" },
            "autoResume": guest.wishes.auto_resume,
        },
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The sandboxes of an owner, a page of them.
pub(crate) fn list(service: &Service, owner: Owner, query: &str) -> Answer<Reply> {
    let mut guests = service.registry.of(owner);
    let (mut limit, mut from) = (PAGE, 0);
    for (name, value) in crate::query::pairs(query) {
        let number = || value.parse::<usize>().map_err(|_| invalid(format!("'{name}' is no number")));
        match name.as_str() {
            "limit" => limit = number()?.clamp(1, PAGE),
            "nextToken" => from = number()?,
            "state" => {
                let states: Vec<&str> = value.split(',').collect();
                guests.retain(|guest| states.contains(&if guest.life().paused { "paused" } else { "running" }));
            }
            "metadata" => {
                for (key, wanted) in crate::query::pairs(&value) {
                    guests.retain(|guest| guest.wishes.metadata.get(&key) == Some(&wanted));
                }
            }
            "template" | "templateID" => guests.retain(|guest| guest.wishes.template == value),
            "order" if value == "desc" => guests.reverse(),
            _ => {}
        }
    }
    let page: Vec<Value> = guests.iter().skip(from).take(limit).map(|guest| describe(service, guest)).collect();
    let mut reply = json_reply(StatusCode::OK, &json!(page));
    if from.saturating_add(limit) < guests.len() {
        reply.headers_mut().insert("x-next-token", HeaderValue::from(from + limit));
    }
    Ok(reply)
}

/// What is asked of one sandbox.
pub(crate) async fn one(
    service: &Arc<Service>,
    owner: Owner,
    (method, id, verb): (&hyper::Method, &str, Option<&str>),
    body: &Value,
) -> Answer<Reply> {
    let guest = service.registry.get(owner, id)?;
    match (method.as_str(), verb) {
        ("GET", None) => {
            let mut told = describe(service, &guest);
            told["envdAccessToken"] = json!(guest.token);
            Ok(json_reply(StatusCode::OK, &told))
        }
        ("DELETE", None) => {
            let (service, id) = (Arc::clone(service), guest.id.clone());
            blocking(move || service.registry.end(&id)).await?;
            Ok(no_content())
        }
        ("POST", Some("timeout")) => {
            let life = life(service, body)?.ok_or_else(|| invalid("'timeout' is needed"))?;
            guest.live_until(within(service, &guest, SystemTime::now() + life));
            Ok(no_content())
        }
        ("POST", Some("refreshes")) => {
            let seconds = fields::number(body, "duration")?.unwrap_or(15);
            prolong(service, &guest, Duration::from_secs(seconds.min(24 * 3600)));
            Ok(no_content())
        }
        ("POST", Some("pause")) => {
            if body["memory"] == false {
                let message = "pausing without memory is not offered: a paused sandbox here is one that stands still";
                return Err(fault(Kind::Unsupported, message));
            }
            let paused = Arc::clone(&guest);
            if blocking(move || paused.pause(true)).await?? {
                Ok(no_content())
            } else {
                Err(fault(Kind::Conflict, format!("sandbox \"{}\" is paused already", guest.id)))
            }
        }
        ("POST", Some("connect" | "resume")) => {
            if body["memory"] == false {
                return Err(fault(Kind::Unsupported, "a reboot from the disk alone is not offered by this service"));
            }
            let life = life(service, body)?.unwrap_or(service.config.default_life);
            let resumed = Arc::clone(&guest);
            // First the time, or the sweeper would pause it again.
            prolong(service, &guest, life);
            let resumed = blocking(move || resumed.pause(false)).await??;
            Ok(json_reply(if resumed { StatusCode::CREATED } else { StatusCode::OK }, &opened(&guest)))
        }
        ("GET", Some("metrics")) => {
            let told = metrics(service, &guest).await?;
            Ok(json_reply(StatusCode::OK, &json!([told])))
        }
        ("GET", Some("logs")) => Ok(json_reply(StatusCode::OK, &json!({"logs": [], "logEntries": []}))),
        (_, Some(verb)) => {
            Err(fault(Kind::Unsupported, format!("'{}' is not offered by this service", verb.escape_debug())))
        }
        (method, None) => Err(fault(Kind::Unsupported, format!("a sandbox has no {method}"))),
    }
}

/// A time that its owner wishes, or the last one that the service allows.
fn within(service: &Service, guest: &Guest, until: SystemTime) -> SystemTime {
    until.min(guest.started + service.config.limits.wall)
}

/// Lets it live at least so much longer.
fn prolong(service: &Service, guest: &Guest, life: Duration) {
    let until = within(service, guest, SystemTime::now() + life);
    guest.live_until(until.max(guest.life().until));
}

async fn metrics(service: &Service, guest: &Arc<Guest>) -> Answer<Value> {
    let limits = &service.config.limits;
    let age = guest.started.elapsed().unwrap_or_default().as_secs_f64().max(1e-3);
    let measured = |cage: &dyn meliora_evolve::Cage| {
        let home = paths::place(paths::HOME)?;
        let found = crate::files::list(cage, &home, u64::MAX)?;
        Ok((cage.usage(), found.iter().map(|found| found.entry.size).sum::<u64>()))
    };
    let (usage, disk) = guest.with_cage(measured).await?;
    let now = SystemTime::now();
    Ok(json!({
        "timestamp": time::iso_of(now),
        "timestampUnix": now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        "cpuCount": processors(),
        "cpuUsedPct": (usage.cpu_seconds / age / processors() as f64 * 100.0).min(100.0),
        "memUsed": usage.peak_memory,
        "memTotal": limits.memory,
        "memCache": 0,
        "diskUsed": disk,
        "diskTotal": limits.disk,
    }))
}

/// The measures of several sandboxes, by id.
pub(crate) async fn all_metrics(service: &Service, owner: Owner, query: &str) -> Answer<Reply> {
    let pairs = crate::query::pairs(query);
    let wanted: Vec<&str> =
        pairs.iter().filter(|(name, _)| name == "sandbox_ids").flat_map(|(_, ids)| ids.split(',')).collect();
    let mut told = serde_json::Map::new();
    for guest in service.registry.of(owner).iter().filter(|guest| wanted.contains(&guest.id.as_str())) {
        if let Ok(measured) = metrics(service, guest).await {
            told.insert(guest.id.clone(), measured);
        }
    }
    Ok(http::json_reply(StatusCode::OK, &json!({ "sandboxes": told })))
}
