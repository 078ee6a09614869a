//! A person's word: signed, on one request under one constitution, for a while, once.
//!
//! Says whether a word holds for a request. That it is used once is for the journal to say, which remembers nonces.

use meliora_domain::{Digest, Operation, Request, Timestamp, Word};

use crate::key::{KeyError, PublicKey, SecretKey};

/// What is signed begins with this, so that no other signature of the same key is a word.
const PREFIX: &[u8] = b"meliora word 1\n";

/// Why a word does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WordError {
    /// It is on something else.
    #[error("it is a word on {}, not on {}", .said.short(), .wanted.short())]
    OtherRequest {
        /// What it is on.
        said: Digest,
        /// What it was held against.
        wanted: Digest,
    },
    /// It was given under another constitution.
    #[error("it was given under another constitution than the one in force")]
    OtherConstitution,
    /// Its time is over.
    #[error("it expired")]
    Expired,
    /// No key is known by which a person could be told from anyone else.
    #[error("no person's key is known here")]
    NoKey,
    /// Not signed by the person's key, or altered since.
    #[error(transparent)]
    Signature(#[from] KeyError),
}

/// What a word is on, under which law, and how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The request.
    pub request: Digest,
    /// Digest of the constitution in force.
    pub constitution: Digest,
    /// Yes or no.
    pub granted: bool,
    /// Drawn at random.
    pub nonce: Digest,
    /// After this it is void.
    pub expires: Timestamp,
    /// The person's reason; may be empty.
    pub reason: String,
}

/// Gives a person's word. Fails where the key cannot sign.
pub fn give(terms: Terms, key: &SecretKey) -> Result<Word, KeyError> {
    let Terms { request, constitution, granted, nonce, expires, reason } = terms;
    let (key_id, signature) = (key.id(), String::new());
    let mut word = Word { request, constitution, granted, nonce, expires, reason, key: key_id, signature };
    word.signature = key.sign(&signed(&word), &format!("on request {request}"))?;
    Ok(word)
}

/// Whether a word holds: of one of these people, on this request, under this constitution, now. Pure.
pub fn holds(
    word: &Word,
    request: &Digest,
    constitution: &Digest,
    people: &[PublicKey],
    now: Timestamp,
) -> Result<(), WordError> {
    if word.request != *request {
        return Err(WordError::OtherRequest { said: word.request, wanted: *request });
    }
    if word.constitution != *constitution {
        return Err(WordError::OtherConstitution);
    }
    if word.expires <= now {
        return Err(WordError::Expired);
    }
    // Two keys may have one id, so each is tried; what is said is why the nearest one does not fit.
    let mut why = WordError::NoKey;
    for key in people {
        match key.verify(&signed(word), &word.signature) {
            Ok(()) => return Ok(()),
            Err(KeyError::OtherKey { .. }) if why != WordError::NoKey => {}
            Err(e) => why = e.into(),
        }
    }
    Err(why)
}

/// What a word on letting the work go on is on: the pause, by the hash of the event that began it.
pub fn on_pause(event: &Digest) -> Digest {
    Digest::of([b"pause".as_slice(), &event.0])
}

/// The bytes that a person signs: all of the word but the signature.
fn signed(word: &Word) -> Vec<u8> {
    let bare = Word { signature: String::new(), ..word.clone() };
    let mut bytes = PREFIX.to_vec();
    bytes.extend(serde_json::to_vec(&bare).expect("a word has string keys and whole numbers only"));
    bytes
}

/// A request as a constitution makes it.
pub(crate) fn request(
    operation: Operation,
    constitution: Digest,
    article: String,
    reason: String,
    risk: String,
) -> Request {
    Request { id: operation.digest(), operation, constitution, article, reason, risk }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    fn terms() -> Terms {
        Terms {
            request: digest(1),
            constitution: digest(2),
            granted: true,
            nonce: digest(3),
            expires: Timestamp(1000),
            reason: "read it".into(),
        }
    }

    #[test]
    fn a_word_holds_for_its_request_its_law_its_time_and_its_key_and_for_nothing_else() {
        let key = SecretKey::generate().unwrap();
        let (public, other) = (key.public(), SecretKey::generate().unwrap().public());
        let word = give(terms(), &key).unwrap();
        let says = |word: &Word, request: u8, law: u8, people: &[&PublicKey], now: u64| {
            let people: Vec<PublicKey> = people.iter().map(|key| (*key).clone()).collect();
            holds(word, &digest(request), &digest(law), &people, Timestamp(now))
        };
        assert_eq!(says(&word, 1, 2, &[&public], 999), Ok(()));
        assert!(matches!(says(&word, 9, 2, &[&public], 999), Err(WordError::OtherRequest { .. })));
        assert_eq!(says(&word, 1, 9, &[&public], 999), Err(WordError::OtherConstitution));
        assert_eq!(says(&word, 1, 2, &[&public], 1000), Err(WordError::Expired));
        assert_eq!(says(&word, 1, 2, &[], 999), Err(WordError::NoKey));
        assert!(matches!(says(&word, 1, 2, &[&other], 999), Err(WordError::Signature(_))));
        assert_eq!(says(&word, 1, 2, &[&other, &public], 999), Ok(()), "one of two people");
    }

    #[test]
    fn no_part_of_a_word_can_be_altered() {
        let key = SecretKey::generate().unwrap();
        let word = give(terms(), &key).unwrap();
        let altered = [
            Word { request: digest(8), ..word.clone() },
            Word { constitution: digest(8), ..word.clone() },
            Word { granted: false, ..word.clone() },
            Word { nonce: digest(8), ..word.clone() },
            Word { expires: Timestamp(2000), ..word.clone() },
            Word { reason: "read it twice".into(), ..word.clone() },
            Word { key: "0".repeat(16), ..word.clone() },
            Word { signature: String::new(), ..word.clone() },
        ];
        for word in altered {
            let said = holds(&word, &word.request, &word.constitution, &[key.public()], Timestamp(1));
            assert!(matches!(said, Err(WordError::Signature(_))), "{word:?} holds");
        }
    }

    #[test]
    fn a_signature_of_something_else_by_the_same_key_is_no_word() {
        let key = SecretKey::generate().unwrap();
        let mut word = give(terms(), &key).unwrap();
        let bare = Word { signature: String::new(), ..word.clone() };
        word.signature = key.sign(&serde_json::to_vec(&bare).unwrap(), "").unwrap();
        let said = holds(&word, &word.request, &word.constitution, &[key.public()], Timestamp(1));
        assert!(matches!(said, Err(WordError::Signature(KeyError::Altered))), "{said:?}");
    }
}
