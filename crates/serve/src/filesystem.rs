//! The filesystem service: look, make, move, remove, watch.

use std::sync::Arc;

use meliora_evolve::{Cage, CageError};
use serde_json::{Value, json};

use crate::fault::{Answer, Kind, fault};
use crate::files::{self, Found};
use crate::guest::Guest;
use crate::paths::{Place, place};
use crate::{fields, watch};

/// A call that takes and gives one message.
pub(crate) async fn unary(guest: &Arc<Guest>, method: &str, message: &Value) -> Answer<Value> {
    let path = |name: &str| place(&fields::text_or_empty(message, name)?);
    match method {
        "Stat" => {
            let place = path("path")?;
            let found = guest.with_cage(move |cage| files::stat(cage, &place)).await?;
            Ok(entry(guest, &found))
        }
        "ListDir" => {
            let (place, depth) = (path("path")?, fields::number(message, "depth")?.unwrap_or(1));
            let found = guest.with_cage(move |cage| files::list(cage, &place, depth)).await?;
            let entries: Vec<Value> = found.iter().map(|found| files::describe(guest, found)).collect();
            Ok(json!({ "entries": entries }))
        }
        "MakeDir" => {
            let place = path("path")?;
            files::writable(&place)?;
            let found = guest.with_cage(move |cage| make(cage, &place)).await?;
            Ok(entry(guest, &found))
        }
        "Move" => {
            let (from, to) = (path("source")?, path("destination")?);
            files::writable(&from)?;
            files::writable(&to)?;
            let (old, new) = (from.clone(), to.clone());
            let found = guest
                .with_cage(move |cage| {
                    cage.rename(&old.real, &new.real)?;
                    files::stat(cage, &new)
                })
                .await?;
            files::move_notes(guest, &from, Some(&to));
            Ok(entry(guest, &found))
        }
        "Remove" => {
            let place = path("path")?;
            let removed = place.clone();
            guest.with_cage(move |cage| files::remove(cage, &removed)).await?;
            files::move_notes(guest, &place, None);
            Ok(json!({}))
        }
        "CreateWatcher" => Ok(json!({"watcherId": watch::create(guest, watch::wanted(message)?).await?})),
        "GetWatcherEvents" => {
            guest.cage()?;
            Ok(json!({"events": watch::events(guest, &fields::text_or_empty(message, "watcherId")?)?}))
        }
        "RemoveWatcher" => {
            watch::remove(guest, &fields::text_or_empty(message, "watcherId")?)?;
            Ok(json!({}))
        }
        _ => Err(fault(Kind::Unsupported, format!("no method {method}"))),
    }
}

fn make(cage: &dyn Cage, place: &Place) -> Answer<Found> {
    match cage.make_folder(&place.real) {
        Ok(true) => files::stat(cage, place),
        Ok(false) => Err(fault(Kind::Exists, format!("the folder '{}' exists already", place.seen))),
        Err(CageError::NoFile { .. }) if cage.stat(&place.real).is_ok() => {
            Err(fault(Kind::Invalid, format!("'{}' exists and is no folder", place.seen)))
        }
        Err(error) => Err(error.into()),
    }
}

fn entry(guest: &Guest, found: &Found) -> Value {
    json!({"entry": files::describe(guest, found)})
}
