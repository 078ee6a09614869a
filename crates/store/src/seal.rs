//! The seal of a snapshot: no hash of the journal covers what is in one, so whoever can write to the database could put a
//! state of his own there, and the next start would believe it. A snapshot counts only with the signature of the machine
//! that kept it; without one the state comes from the events.

use meliora_domain::Digest;
use meliora_evolve::{ArchiveError, Snapshot};
use serde::{Deserialize, Serialize};

use crate::checkpoint::Sign;
use crate::error::failed;

/// Checks a text and its signature against the key of this id. Errors are words for a person.
pub type Know = Box<dyn Fn(&str, &[u8], &str) -> Result<(), String> + Send + Sync>;

/// Seals snapshots of one journal, and knows the seal.
pub struct Seal {
    origin: String,
    key: String,
    sign: Option<Sign>,
    check: Know,
}

/// The first line of what is kept.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Id of the key.
    sealed_by: String,
    signature: String,
}

impl Seal {
    /// The seal of the journal of this origin, set with the key of this id. Without `sign`, none is set, only known.
    pub fn new(origin: &str, key: &str, sign: Option<Sign>, check: Know) -> Seal {
        Seal { origin: origin.to_owned(), key: key.to_owned(), sign, check }
    }

    /// Whether it bears a seal, right or wrong.
    pub(crate) fn is_on(kept: &Snapshot) -> bool {
        parted(&kept.bytes).is_some()
    }

    /// The snapshot as it is to be kept.
    pub(crate) fn put_on(&self, snapshot: &Snapshot) -> Result<Snapshot, ArchiveError> {
        let Some(sign) = &self.sign else { return Ok(snapshot.clone()) };
        let signature = sign(&self.text(snapshot, &snapshot.bytes))
            .map_err(|why| failed("seal a snapshot", why, "`meliora doctor` looks at the machine's key"))?;
        let head = serde_json::to_string(&Head { sealed_by: self.key.clone(), signature })
            .map_err(|why| failed("seal a snapshot", why, "this is a bug of Meliora; please report it"))?;
        let bytes = [head.as_bytes(), b"\n", &snapshot.bytes].concat();
        Ok(Snapshot { bytes, ..snapshot.clone() })
    }

    /// The snapshot that was kept, if its seal is right.
    pub(crate) fn open(&self, kept: Snapshot) -> Option<Snapshot> {
        let (head, bytes) = parted(&kept.bytes)?;
        (self.check)(&head.sealed_by, &self.text(&kept, bytes), &head.signature).ok()?;
        Some(Snapshot { bytes: bytes.to_vec(), ..kept })
    }

    /// What is signed.
    fn text(&self, snapshot: &Snapshot, bytes: &[u8]) -> Vec<u8> {
        let Snapshot { seq, hash, .. } = snapshot;
        format!("snapshot\n{}\n{seq}\n{hash}\n{}\n", self.origin, Digest::of([bytes])).into_bytes()
    }
}

/// Seal and state.
fn parted(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((serde_json::from_slice(bytes.get(..end)?).ok()?, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(origin: &str, sign: bool) -> Seal {
        let sign: Sign = match sign {
            true => Box::new(|text| Ok(format!("mine: {}", Digest::of([text])))),
            false => Box::new(|_| Ok("forged".to_owned())),
        };
        let check = |key: &str, text: &[u8], signature: &str| match key == "me"
            && signature == format!("mine: {}", Digest::of([text]))
        {
            true => Ok(()),
            false => Err("not mine".to_owned()),
        };
        Seal::new(origin, "me", Some(sign), Box::new(check))
    }

    #[test]
    fn a_snapshot_opens_with_the_seal_that_it_was_kept_with_and_no_other() {
        let snapshot = Snapshot { seq: 7, hash: Digest([1; 32]), bytes: b"{\"state\":\n1}".to_vec() };
        let mine = seal("here", true);
        let kept = mine.put_on(&snapshot).unwrap();
        assert_eq!(mine.open(kept.clone()), Some(snapshot.clone()));
        assert!(mine.open(seal("here", false).put_on(&snapshot).unwrap()).is_none(), "another's");
        assert!(mine.open(seal("there", true).put_on(&snapshot).unwrap()).is_none(), "of another journal");
        assert!(mine.open(snapshot).is_none(), "without one");
        for place in 0..kept.bytes.len() {
            let mut altered = kept.clone();
            altered.bytes[place] ^= 1;
            assert!(mine.open(altered).is_none(), "byte {place}");
        }
        assert!(mine.open(Snapshot { seq: 8, ..kept.clone() }).is_none());
        assert!(mine.open(Snapshot { hash: Digest([2; 32]), ..kept }).is_none());
    }
}
