//! The chain: how an event becomes a line of the journal that is bound to the one before.

use meliora_domain::{Digest, Event, Recorded, Timestamp, VariantId};
use meliora_evolve::ArchiveError;

use crate::error::failed;

/// Where a journal ends: position and hash of its last event; zero and zeros while it is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tail {
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
}

/// One line of the journal as it is stored.
pub(crate) struct Line<'a> {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) prev: &'a [u8],
    pub(crate) hash: &'a [u8],
    pub(crate) kind: &'a str,
    pub(crate) variant: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// Hash of a line: SHA-256 over position, time, hash of the one before and body, each framed by its length.
pub(crate) fn hash(seq: u64, at: u64, prev: &[u8], body: &str) -> Digest {
    Digest::of([seq.to_le_bytes().as_slice(), at.to_le_bytes().as_slice(), prev, body.as_bytes()])
}

/// The event's JSON. An event that cannot be read back is not written: JSON has no NaN and no infinity,
/// and a journal that ends in such a line would be lost.
pub(crate) fn encode(event: &Event) -> Result<String, ArchiveError> {
    let body = serde_json::to_string(event)
        .map_err(|e| failed("write an event to the journal", e, "this is a bug of Meliora; please report it"))?;
    // `null` is what a NaN becomes. It is rare (absent options are left out), so that the check costs nothing.
    if body.contains("null") && serde_json::from_str::<Event>(&body).is_err() {
        return Err(failed(
            "write an event to the journal",
            format!("a figure in this '{}' event is NaN or infinite", kind(&body)),
            "an evaluator's figures must be finite; a mark without one is a failed mark",
        ));
    }
    Ok(body)
}

/// The event's name. serde writes an enum's tag first, so that it stands at a fixed place.
pub(crate) fn kind(body: &str) -> &str {
    body.strip_prefix(r#"{"event":""#).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

/// The variant that the event is about, for queries.
pub(crate) fn variant(event: &Event) -> Option<&VariantId> {
    match event {
        Event::Admitted { variant, .. }
        | Event::Examined { variant, .. }
        | Event::Judged { variant, .. }
        | Event::Cleared { variant, .. }
        | Event::Crowned { variant, .. }
        | Event::Traced { variant, .. }
        | Event::Shaped { variant, .. }
        | Event::HoldoutOpened { variant, .. }
        | Event::Promoted { variant, .. }
        | Event::Reexamined { variant, .. } => Some(variant),
        Event::RolledBack { to, .. } => Some(to),
        _ => None,
    }
}

/// Binds an event to the tail; the tail moves on to it. Returns it with its JSON.
pub(crate) fn bind(tail: &mut Tail, event: &Event, at: Timestamp) -> Result<(Recorded, String), ArchiveError> {
    let body = encode(event)?;
    let (seq, prev) = (tail.seq + 1, tail.hash);
    let hash = hash(seq, at.0, &prev.0, &body);
    *tail = Tail { seq, hash };
    Ok((Recorded { seq, at, prev, hash, event: event.clone() }, body))
}

/// Checks that the line follows the tail; the tail moves on to it.
pub(crate) fn follow(tail: &mut Tail, line: &Line<'_>) -> Result<(), ArchiveError> {
    let broken = |why: &str| Err(ArchiveError::Broken { seq: tail.seq + 1, why: why.to_owned() });
    if line.seq != tail.seq + 1 {
        return broken(&format!("it is missing; the next one there is {}", line.seq));
    }
    if line.prev != tail.hash.0 {
        return broken("it is not bound to the event before it");
    }
    let hash = hash(line.seq, line.at, line.prev, line.body);
    if line.hash != hash.0 {
        return broken("it was altered: its hash does not fit");
    }
    *tail = Tail { seq: line.seq, hash };
    Ok(())
}

/// Reads the event of a line that [`follow`] has passed, and holds the line's other columns against it.
pub(crate) fn read(line: &Line<'_>) -> Result<Event, ArchiveError> {
    let broken = |why: String| ArchiveError::Broken { seq: line.seq, why };
    let event: Event =
        serde_json::from_str(line.body).map_err(|e| broken(format!("its text is no event that is known here: {e}")))?;
    if line.kind != kind(line.body) {
        return Err(broken("it was altered: its kind is not its event's".into()));
    }
    if line.variant.map(str::parse) != variant(&event).map(|v| Ok(*v)) {
        return Err(broken("it was altered: its variant is not its event's".into()));
    }
    Ok(event)
}
