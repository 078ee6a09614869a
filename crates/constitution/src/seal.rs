//! The checksum inside a constitution: SHA-256 of the file's bytes without the signature line.
//!
//! It shows an accident or a careless edit. Whoever may write the file can seal it again, so it is no proof of who did.

use sha2::{Digest as _, Sha256};

use crate::LawError;

const KEY: &str = "signature:";

/// Whether a constitution's signature holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seal {
    /// It is the checksum of the text.
    Holds,
    /// There is none, or a placeholder stands in its place.
    Missing,
    /// It is the checksum of another text: the file was altered after it was signed.
    Broken,
    /// The compiled-in default, which needs none.
    BuiltIn,
}

impl Seal {
    /// Fails unless the signature holds.
    pub(crate) fn require(&self) -> Result<(), LawError> {
        let (what, hint) = match self {
            Seal::Holds | Seal::BuiltIn => return Ok(()),
            Seal::Missing => ("it is not signed", "read it, then run `meliora constitution sign`"),
            Seal::Broken => (
                "its signature does not match: the file was altered after it was signed",
                "look at what changed; if it is what you want, run `meliora constitution sign`",
            ),
        };
        Err(LawError { what: what.into(), hint: Some(hint.into()) })
    }
}

/// The text with the right signature line: in the place of the first one it has, else at its end. Every other signature
/// line is taken out. Says nothing about whether the text is a constitution.
pub fn seal(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let line = format!("{KEY} \"{}\"", checksum(&text));
    let (mut sealed, mut placed) = (String::with_capacity(text.len() + line.len()), false);
    for old in text.split_inclusive('\n') {
        if !old.starts_with(KEY) {
            sealed.push_str(old);
        } else if !placed {
            sealed.push_str(&line);
            sealed.push_str(if old.ends_with("\r\n") { "\r\n" } else { "\n" });
            placed = true;
        }
    }
    if !placed {
        sealed.push_str(&line);
        sealed.push('\n');
    }
    sealed
}

/// Whether the text's signature holds; `parsed` is the signature as YAML reads it. What YAML reads and the line that is
/// left out of the checksum must be one and the same, or something could hide there.
pub(crate) fn examine(text: &str, parsed: Option<&str>) -> Result<Seal, LawError> {
    let lines: Vec<&str> = text.split('\n').filter(|line| line.starts_with(KEY)).collect();
    let odd = |what: &str| {
        let hint = "write one line `signature: \"…\"` at the left margin, or run `meliora constitution sign`";
        Err(LawError { what: what.into(), hint: Some(hint.into()) })
    };
    let given = parsed.unwrap_or_default();
    match lines.as_slice() {
        [] if parsed.is_none() => Ok(Seal::Missing),
        [] => odd("the signature does not stand on a line of its own"),
        [_] if !is_hash(given) => Ok(Seal::Missing),
        [line] if unquoted(&line[KEY.len()..]) != given => odd("the signature line holds more than the signature"),
        [_] if given.eq_ignore_ascii_case(&checksum(text)) => Ok(Seal::Holds),
        [_] => Ok(Seal::Broken),
        _ => odd("there is more than one signature line"),
    }
}

fn checksum(text: &str) -> String {
    let mut hasher = Sha256::new();
    for line in text.split_inclusive('\n').filter(|line| !line.starts_with(KEY)) {
        hasher.update(line.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |quote: char| text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
