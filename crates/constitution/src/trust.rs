//! Whether a constitution is the one that a person signed last: what it is held against lies outside of the project.
//!
//! Pure but for reading the constitution and its signature. Who keeps keys and [`Seen`], and where, is the caller's.

use meliora_domain::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::key::{self, KeyError, PublicKey};
use crate::{Law, LawError};

/// A clock may be set back by so much without being noticed: 5 minutes, which networks' time services correct.
const SLACK: u64 = 5 * 60 * 1000;

/// What a constitution is held against.
#[derive(Clone, Default, Debug)]
pub struct Trust {
    /// The public keys that are pinned.
    pub keys: Vec<PublicKey>,
    /// The newest constitution of this project that has governed.
    pub seen: Option<Seen>,
    /// What the project is called in signatures, where it is known here.
    pub project: Option<String>,
    /// The time.
    pub now: Timestamp,
}

/// What is remembered of the newest constitution of a project, outside of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its version.
    pub version: u64,
    /// When it was signed, in seconds since 1970; 0 if its signature does not say.
    pub signed: u64,
    /// Digest of its bytes.
    pub text: Digest,
    /// Id of the key that signed it.
    pub key: String,
    /// The latest time at which it was looked at: the clock never counts as earlier than this.
    pub at: Timestamp,
}

impl Trust {
    /// Whether this text with this signature may govern. Returns what is to be remembered of it.
    pub(crate) fn verify(&self, law: &Law, text: &str, signature: Option<&str>) -> Result<Seen, LawError> {
        law.seal.require()?;
        let signature = signature.ok_or_else(|| LawError {
            what: "it is not signed: only its checksum is there, which whoever edits it can write".into(),
            hint: Some("read it, then run `meliora constitution sign`".into()),
        })?;
        let key = self.signer(text, signature)?;
        self.of_this_project(signature)?;
        let time = self.time()?;
        if law.expires.is_some_and(|end| time >= end) {
            return Err(LawError {
                what: "it has expired".into(),
                hint: Some("read it, give it a later `expires`, then run `meliora constitution sign`".into()),
            });
        }
        let signed = key::comment(signature).ok().and_then(|comment| timestamp(&comment)).unwrap_or(0);
        let seen = Seen { version: law.version, signed, text: Digest::of([text.as_bytes()]), key, at: time };
        self.no_older(&seen)?;
        Ok(seen)
    }

    /// Id of the pinned key that signed.
    fn signer(&self, text: &str, signature: &str) -> Result<String, LawError> {
        let not = |what: String, hint: &str| LawError { what, hint: Some(hint.into()) };
        let by = key::signer(signature)
            .map_err(|e| not(e.to_string(), "run `meliora constitution sign`, or put the signature back"))?;
        if self.keys.is_empty() {
            return Err(not(
                format!("it is signed with the key {by}, and no key is pinned on this machine"),
                "if you trust that key, put its .pub file into the folder that `meliora constitution verify` names; or \
                 read the constitution and sign it yourself with `meliora constitution sign`",
            ));
        }
        // Two keys may have one id; each is tried.
        let tries: Vec<_> = self.keys.iter().map(|key| key.verify(text.as_bytes(), signature)).collect();
        if let Some(i) = tries.iter().position(Result::is_ok) {
            return Ok(self.keys[i].id().to_owned());
        }
        match tries.into_iter().filter_map(Result::err).find(|e| !matches!(e, KeyError::OtherKey { .. })) {
            Some(KeyError::Altered) => Err(not(
                "its signature does not match: the file was altered after it was signed".into(),
                "look at what changed; if it is what you want, run `meliora constitution sign`",
            )),
            Some(e) => Err(not(e.to_string(), "run `meliora constitution sign`, or put the signature back")),
            None => Err(not(
                format!("it was signed with the key {by}, which is not pinned on this machine"),
                "if you trust that key, put its .pub file into the folder that `meliora constitution verify` names; or \
                 read the constitution and sign it yourself with `meliora constitution sign`",
            )),
        }
    }

    /// Whether the signature is for this project. One that names none could be an old one, or another project's, and nothing
    /// would tell; so it governs nowhere.
    fn of_this_project(&self, signature: &str) -> Result<(), LawError> {
        let Some(named) = project_of(signature) else {
            return Err(LawError {
                what: "its signature names no project, so whether it is this one's newest cannot be told".into(),
                hint: Some(
                    "run `meliora constitution sign`; or with minisign, add -t \"timestamp:$(date +%s) project:NAME\", \
                     NAME being what .meliora/project holds, or 32 hexadecimal digits of your own"
                        .into(),
                ),
            });
        };
        match &self.project {
            Some(known) if *known != named => Err(LawError {
                what: format!("it was signed for another project: {named}, and this one is {known}"),
                hint: Some(
                    "put this project's own back; if it is what shall hold here, read it and run `meliora constitution sign`"
                        .into(),
                ),
            }),
            _ => Ok(()),
        }
    }

    /// The time, which never goes back.
    fn time(&self) -> Result<Timestamp, LawError> {
        let Some(seen) = &self.seen else { return Ok(self.now) };
        if self.now.0 + SLACK < seen.at.0 {
            return Err(LawError {
                what: "the clock was set back, so whether it has expired cannot be told".into(),
                hint: Some("set the clock right".into()),
            });
        }
        Ok(self.now.max(seen.at))
    }

    fn no_older(&self, found: &Seen) -> Result<(), LawError> {
        let Some(seen) = self.seen.as_ref().filter(|seen| seen.text != found.text) else { return Ok(()) };
        let older =
            if found.version != seen.version { found.version < seen.version } else { found.signed <= seen.signed };
        if !older {
            return Ok(());
        }
        Err(LawError {
            what: format!(
                "it is older than the one that governed before: version {} after version {}",
                found.version, seen.version
            ),
            hint: Some(format!(
                "put the newest one back; if you want this one, give it the line `version: {}`, then run \
                 `meliora constitution sign`",
                seen.version + 1
            )),
        })
    }

    /// The comment to sign a constitution with: it says when, so that an older one is known as such, and of which project
    /// it is, so that this is known wherever the project lies. Fails on a version that is older than the one that governed.
    pub fn comment(&self, law: &Law, text: &str, project: &str) -> Result<String, LawError> {
        let now = self.now.0 / 1000;
        let signed = match &self.seen {
            Some(seen) if seen.text != Digest::of([text.as_bytes()]) => now.max(seen.signed + 1),
            _ => now,
        };
        if let Some(seen) = self.seen.as_ref().filter(|seen| law.version < seen.version) {
            return Err(LawError {
                what: format!("version {} is older than version {}, which governed before", law.version, seen.version),
                hint: Some(format!("give it the line `version: {}`, or a higher one", seen.version.max(1))),
            });
        }
        Ok(format!("timestamp:{signed} file:CONSTITUTION.yaml version:{} project:{project}", law.version))
    }
}

/// The seconds after `timestamp:`, as minisign and Meliora write them.
fn timestamp(comment: &str) -> Option<u64> {
    comment.split_whitespace().find_map(|word| word.strip_prefix("timestamp:"))?.parse().ok()
}

/// The project that a constitution's signature says it is of. It proves something only once the signature was verified.
pub fn project_of(signature: &str) -> Option<String> {
    let comment = key::comment(signature).ok()?;
    let id = comment.split_whitespace().find_map(|word| word.strip_prefix("project:"))?;
    (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
}
