//! Watching folders: looked at again and again, since the host has no other eye in a cage than its own calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use meliora_evolve::{Cage, CageEntry, EntryKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::connect;
use crate::fault::{Answer, Kind, fault, invalid};
use crate::files::{self, Found};
use crate::guest::{Guest, blocking};
use crate::http::{self, PIECES, Reply};
use crate::paths::Place;
use crate::process::{Pace, STREAM};
use crate::random;

/// How often a folder is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// Events that are kept for a client that does not fetch them; later ones are lost.
const EVENTS: usize = 10_000;
/// Watchers of one sandbox.
const WATCHERS: usize = 32;

/// A folder that is watched until this is dropped, and what happened in it.
pub(crate) struct Watcher {
    events: Arc<Mutex<Vec<Value>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is to be watched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) place: Place,
    pub(crate) recursive: bool,
    pub(crate) with_entry: bool,
}

/// What was in a folder at some moment, by path within it.
type Sight = BTreeMap<String, CageEntry>;

/// Looks at a folder.
fn sight(cage: &dyn Cage, wanted: &Wanted) -> Answer<Sight> {
    let found = files::list(cage, &wanted.place, if wanted.recursive { u64::MAX } else { 1 })?;
    let inside = format!("{}/", wanted.place.seen.trim_end_matches('/'));
    let name = |found: &Found| found.place.seen.strip_prefix(&inside).unwrap_or(&found.place.seen).to_owned();
    Ok(found.into_iter().map(|found| (name(&found), found.entry)).collect())
}

/// What happened between two looks, as `inotify` would have told it.
fn changes(before: &Sight, after: &Sight) -> Vec<(&'static str, String)> {
    let mut events = Vec::new();
    let gone = before.iter().filter(|(name, old)| after.get(*name).is_none_or(|new| new.kind != old.kind));
    for (name, old) in gone {
        // What keeps its kind, size and time under a new name was renamed.
        let same = |(name, new): &(&String, &CageEntry)| {
            !before.contains_key(*name) && (new.kind, new.size, new.modified) == (old.kind, old.size, old.modified)
        };
        let renamed = after.iter().any(|new| same(&new));
        events.push((if renamed { "EVENT_TYPE_RENAME" } else { "EVENT_TYPE_REMOVE" }, name.clone()));
    }
    for (name, new) in after {
        match before.get(name).filter(|old| old.kind == new.kind) {
            None => {
                events.push(("EVENT_TYPE_CREATE", name.clone()));
                if new.kind == EntryKind::File && new.size > 0 {
                    events.push(("EVENT_TYPE_WRITE", name.clone()));
                }
            }
            Some(old) => {
                let written = new.kind == EntryKind::File && (old.size, old.modified) != (new.size, new.modified);
                if written {
                    events.push(("EVENT_TYPE_WRITE", name.clone()));
                }
                if old.mode != new.mode {
                    events.push(("EVENT_TYPE_CHMOD", name.clone()));
                }
            }
        }
    }
    events
}

/// Watches until the sandbox or the listener is gone. The first look must have been made.
async fn follow(guest: Weak<Guest>, wanted: Wanted, mut before: Sight, mut tell: impl FnMut(Value) -> bool) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(guest) = guest.upgrade() else { return };
        if guest.life().paused {
            continue;
        }
        let Ok(cage) = guest.cage() else { return };
        let looked = wanted.clone();
        let after = match blocking(move || sight(&*cage, &looked)).await {
            Ok(Ok(after)) => after,
            // The folder itself is gone.
            Ok(Err(fault)) if matches!(fault.kind, Kind::NotFound | Kind::Invalid) => Sight::new(),
            _ => continue,
        };
        for (kind, name) in changes(&before, &after) {
            let mut event = json!({"name": name, "type": kind});
            if let Some(entry) = after.get(&name).filter(|_| wanted.with_entry) {
                let found = Found { place: wanted.place.child(&name), entry: entry.clone() };
                event["entry"] = files::describe(&guest, &found);
            }
            if !tell(event) {
                return;
            }
        }
        before = after;
    }
}

async fn first_look(guest: &Guest, wanted: &Wanted) -> Answer<Sight> {
    if !wanted.place.is_inside() {
        return Err(fault(
            Kind::Denied,
            "only /home/user (which is /work), /tmp and what is below them can be watched",
        ));
    }
    let wanted = wanted.clone();
    guest.with_cage(move |cage| sight(cage, &wanted)).await
}

/// Begins to watch; events are fetched by the id that is returned.
pub(crate) async fn create(guest: &Arc<Guest>, wanted: Wanted) -> Answer<String> {
    if guest.watchers().len() >= WATCHERS {
        return Err(fault(Kind::TooMany, format!("this sandbox has {WATCHERS} watchers already; stop one")));
    }
    let before = first_look(guest, &wanted).await?;
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&events);
    let keep = move |event| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < EVENTS {
            kept.push(event);
        }
        true
    };
    let task = tokio::spawn(follow(Arc::downgrade(guest), wanted, before, keep));
    let id = random::text(12);
    guest.watchers().insert(id.clone(), Watcher { events, task });
    Ok(id)
}

/// What happened since the last time it was asked.
pub(crate) fn events(guest: &Guest, id: &str) -> Answer<Vec<Value>> {
    let watchers = guest.watchers();
    let watcher = watchers.get(id).ok_or_else(|| unknown(id))?;
    Ok(std::mem::take(&mut *watcher.events.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Ends a watcher.
pub(crate) fn remove(guest: &Guest, id: &str) -> Answer<()> {
    guest.watchers().remove(id).map(drop).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> crate::fault::Fault {
    fault(Kind::NotFound, format!("watcher '{}' not found", id.escape_debug()))
}

/// Watches, and tells it as a stream.
pub(crate) async fn stream(guest: Arc<Guest>, wanted: Wanted, pace: Pace) -> Answer<Reply> {
    let before = first_look(&guest, &wanted).await?;
    let (pieces, reply) = mpsc::channel(PIECES);
    let (events, mut heard) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        let weak = Arc::downgrade(&guest);
        drop(guest);
        let watching = follow(weak, wanted, before, move |event| events.try_send(event).is_ok());
        tokio::pin!(watching);
        let mut over = false;
        if pieces.send(connect::frame(&json!({"start": {}}))).await.is_err() {
            return;
        }
        let end = loop {
            let message = tokio::select! {
                event = heard.recv() => match event {
                    Some(event) => json!({ "filesystem": event }),
                    None => break fault(Kind::Lost, "the sandbox ended"),
                },
                () = &mut watching, if !over => {
                    over = true;
                    continue;
                }
                () = pace.over() => break fault(Kind::Deadline, "the time that was given for watching is over"),
                () = pieces.closed() => return,
                () = tokio::time::sleep(pace.alive) => json!({"keepalive": {}}),
            };
            if over && heard.is_empty() && heard.is_closed() {
                break fault(Kind::Lost, "the sandbox ended");
            }
            if pieces.send(connect::frame(&message)).await.is_err() {
                return;
            }
        };
        pieces.send(connect::last(Some(&end))).await.ok();
    });
    Ok(http::pieces(STREAM, reply))
}

/// What a message wants watched.
pub(crate) fn wanted(message: &Value) -> Answer<Wanted> {
    use crate::fields;
    let path = fields::text_or_empty(message, "path")?;
    if path.is_empty() {
        return Err(invalid("a path is needed"));
    }
    Ok(Wanted {
        place: crate::paths::place(&path)?,
        recursive: fields::flag(message, "recursive")?,
        with_entry: fields::flag(message, "includeEntry")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: EntryKind, size: u64, time: u64, mode: u32) -> CageEntry {
        CageEntry { name: String::new(), kind, size, mode, modified: Duration::from_secs(time), target: String::new() }
    }

    fn sight_of(entries: &[(&str, CageEntry)]) -> Sight {
        entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect()
    }

    #[test]
    fn changes_are_told_as_inotify_tells_them() {
        use EntryKind::{File, Folder};
        let before = sight_of(&[
            ("gone", entry(File, 1, 1, 0o644)),
            ("old", entry(File, 5, 7, 0o644)),
            ("same", entry(File, 1, 1, 0o644)),
            ("turned", entry(File, 1, 1, 0o644)),
            ("written", entry(File, 1, 1, 0o644)),
        ]);
        let after = sight_of(&[
            ("made", entry(Folder, 0, 9, 0o755)),
            ("new", entry(File, 5, 7, 0o644)),
            ("same", entry(File, 1, 1, 0o644)),
            ("turned", entry(File, 1, 1, 0o600)),
            ("written", entry(File, 2, 9, 0o644)),
        ]);
        let told: Vec<_> = changes(&before, &after).into_iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        assert_eq!(
            told,
            [
                "EVENT_TYPE_REMOVE gone",
                "EVENT_TYPE_RENAME old",
                "EVENT_TYPE_CREATE made",
                "EVENT_TYPE_CREATE new",
                "EVENT_TYPE_WRITE new",
                "EVENT_TYPE_CHMOD turned",
                "EVENT_TYPE_WRITE written",
            ]
        );
    }
}
