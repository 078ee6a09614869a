//! What the law says of a connection. It is open only where an article of the user's own opens it.

use meliora_domain::Decision::{Allow, Ask};

use super::paths::Part;
use super::{Note, Realm};

pub(crate) fn judge(realm: &Realm<'_>, host: &str, port: Option<u16>) -> Vec<Note> {
    let place = port.map_or(host.to_owned(), |port| format!("{host}:{port}"));
    let opened = realm
        .own
        .iter()
        .any(|own| own.decision == Allow && own.matcher.of_kind(&["network"]) && own.matcher.host(host, port));
    if opened {
        return Vec::new();
    }
    let why = format!("it connects to {place:?}, and no article opens the network there");
    let mend = "do without the network, or add an article with decision allow and this host under network";
    vec![Note::of(Part::new(Ask, "network-denied", why, mend), &place)]
}
