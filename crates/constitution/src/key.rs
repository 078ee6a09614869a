//! Keys and signatures: Ed25519 in minisign's format, which any minisign verifies.
//!
//! Pure: where keys lie is for the caller to decide. What is signed says by its first bytes what it is, so that a
//! signature of one kind is never taken for one of another; [`SecretKey::sign`] signs the bytes as they are.

use std::fmt;

use minisign::{KeyPair, SecretKeyBox};

/// A key or a signature that is none, or does not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not what it should be.
    #[error("this is no {what} in minisign's format: {why}")]
    Malformed {
        /// `public key`, `secret key` or `signature`.
        what: &'static str,
        /// Why, in words.
        why: String,
    },
    /// The secret key is protected by a password that was not given, or is another one.
    #[error("the secret key is protected by a password, which is missing or wrong")]
    Password,
    /// Another key signed.
    #[error("it was signed with the key {signed}, not with {known}")]
    OtherKey {
        /// Id of the key that signed.
        signed: String,
        /// Id of the key that it was held against.
        known: String,
    },
    /// The signature is not one of these bytes.
    #[error("the signature is not of these bytes: they were altered after they were signed")]
    Altered,
    /// The machine has no random numbers, or the crate failed.
    #[error("cannot make a key or a signature: {0}")]
    Failed(String),
}

/// A person's or a machine's secret key. Never printed.
pub struct SecretKey(KeyPair);

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    line: String,
    id: String,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl SecretKey {
    /// A new key, of the machine's random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate_unencrypted_keypair().map(SecretKey).map_err(failed)
    }

    /// Reads a secret key's file. Without a password, only a key that is not protected by one.
    pub fn decode(text: &str, password: Option<&str>) -> Result<Self, KeyError> {
        let malformed = |e: minisign::PError| KeyError::Malformed { what: "secret key", why: e.to_string() };
        let sealed = SecretKeyBox::from_string(text).map_err(malformed)?;
        let secret = match (protected(text), password) {
            (false, _) => sealed.into_unencrypted_secret_key().map_err(malformed)?,
            (true, Some(password)) => {
                sealed.into_secret_key(Some(password.to_owned())).map_err(|_| KeyError::Password)?
            }
            (true, None) => return Err(KeyError::Password),
        };
        let public = minisign::PublicKey::from_secret_key(&secret).map_err(malformed)?;
        Ok(SecretKey(KeyPair { pk: public, sk: secret }))
    }

    /// The file of the key, without a password. Only for a place that its owner alone can read.
    pub fn encode(&self) -> Result<String, KeyError> {
        self.0.sk.to_box(Some("minisign secret key of meliora")).map(SecretKeyBox::into_string).map_err(failed)
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey::decode(&self.0.pk.to_base64()).expect("what minisign writes, minisign reads")
    }

    /// The key's id: 16 hexadecimal digits, as minisign shows it.
    pub fn id(&self) -> String {
        hexadecimal(self.0.pk.keynum())
    }

    /// A detached signature of the bytes, with a comment of one line that is signed too.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, KeyError> {
        let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
        let by = format!("signature from meliora, key {}", self.id());
        minisign::sign(Some(&self.0.pk), &self.0.sk, bytes, Some(&comment), Some(&by))
            .map(minisign::SignatureBox::into_string)
            .map_err(failed)
    }
}

impl PublicKey {
    /// Reads a public key: minisign's file of two lines, or the second of them alone.
    pub fn decode(text: &str) -> Result<Self, KeyError> {
        let malformed = |why: &str| KeyError::Malformed { what: "public key", why: why.into() };
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().ok_or_else(|| malformed("it is empty"))?;
        let line = if first.starts_with("untrusted comment:") { lines.next() } else { Some(first) };
        let line = line.ok_or_else(|| malformed("a comment is all there is"))?;
        if lines.next().is_some() {
            return Err(malformed("it has more lines than a key"));
        }
        let key = minisign_verify::PublicKey::from_base64(line).map_err(|e| malformed(&e.to_string()))?;
        let id = minisign::PublicKey::from_base64(line).map_err(|e| malformed(&e.to_string()))?;
        Ok(PublicKey { key, line: line.to_owned(), id: hexadecimal(id.keynum()) })
    }

    /// The key's file.
    pub fn encode(&self) -> String {
        format!("untrusted comment: minisign public key {}\n{}\n", self.id, self.line)
    }

    /// The key's id: 16 hexadecimal digits, as minisign shows it. It is a name, no proof: compare keys, not ids.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the signature is this key's, of exactly these bytes. Says why not.
    pub fn verify(&self, bytes: &[u8], signature: &str) -> Result<(), KeyError> {
        let malformed = |e: minisign_verify::Error| KeyError::Malformed { what: "signature", why: e.to_string() };
        // Its reader passes over what follows the four lines, which nobody signed.
        if signature.lines().count() != 4 {
            let why = "it has not the four lines of one".into();
            return Err(KeyError::Malformed { what: "signature", why });
        }
        let signed = minisign_verify::Signature::decode(signature).map_err(malformed)?;
        match self.key.verify(bytes, &signed, false) {
            Ok(()) => Ok(()),
            Err(minisign_verify::Error::InvalidSignature) => Err(KeyError::Altered),
            Err(minisign_verify::Error::UnexpectedKeyId) => {
                Err(KeyError::OtherKey { signed: signer(signature)?, known: self.id.clone() })
            }
            Err(other) => Err(malformed(other)),
        }
    }
}

/// Id of the key that a signature claims to be of. Proves nothing.
pub fn signer(signature: &str) -> Result<String, KeyError> {
    let malformed = |e: minisign::PError| KeyError::Malformed { what: "signature", why: e.to_string() };
    minisign::SignatureBox::from_string(signature).map(|signed| hexadecimal(signed.keynum())).map_err(malformed)
}

/// The comment of a signature, which is signed too. It proves something only once [`PublicKey::verify`] has agreed.
pub fn comment(signature: &str) -> Result<String, KeyError> {
    let malformed = |e: minisign_verify::Error| KeyError::Malformed { what: "signature", why: e.to_string() };
    minisign_verify::Signature::decode(signature).map(|signed| signed.trusted_comment().to_owned()).map_err(malformed)
}

/// Whether a secret key's file is protected by a password: the third and fourth of its bytes name the function that
/// makes a key of one, zeros none (minisign's format).
fn protected(text: &str) -> bool {
    let line = text.lines().nth(1).unwrap_or_default();
    // Two bytes `Ed`, two bytes `Sc` or zeros: the first six characters of base64.
    line.trim().get(..6).is_some_and(|start| start != "RWQAAE" && start.starts_with("RW"))
}

/// A key's number as minisign shows it: little-endian, in capitals.
fn hexadecimal(number: &[u8]) -> String {
    number.iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

fn failed(error: minisign::PError) -> KeyError {
    KeyError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_key_signed_that_key_verifies_and_no_other_key_or_text() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let signature = key.sign(b"text", "timestamp:1\nfile:x").unwrap();
        assert_eq!(key.public().verify(b"text", &signature), Ok(()));
        assert_eq!(key.public().verify(b"text ", &signature), Err(KeyError::Altered));
        let longer = format!("{signature}whatever else\n");
        assert!(matches!(key.public().verify(b"text", &longer), Err(KeyError::Malformed { .. })));
        let commented = signature.replace("timestamp:1", "timestamp:2");
        assert_eq!(key.public().verify(b"text", &commented), Err(KeyError::Altered));
        let said = other.public().verify(b"text", &signature).unwrap_err();
        assert_eq!(said, KeyError::OtherKey { signed: key.id(), known: other.id() });
        assert_eq!(signer(&signature).unwrap(), key.id());
        assert_eq!(key.id().len(), 16);
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        let key = SecretKey::generate().unwrap();
        let again = SecretKey::decode(&key.encode().unwrap(), None).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::decode(&key.public().encode()).unwrap(), key.public());
        assert_eq!(PublicKey::decode(key.public().encode().lines().nth(1).unwrap()).unwrap(), key.public());
        assert!(!format!("{key:?}").contains(key.encode().unwrap().lines().nth(1).unwrap()));
    }

    #[test]
    fn a_key_with_a_password_wants_it() {
        let pair = KeyPair::generate_encrypted_keypair(Some("xyzzy".into())).unwrap();
        let text = pair.sk.to_box(None).unwrap().into_string();
        assert_eq!(SecretKey::decode(&text, None).unwrap_err(), KeyError::Password);
        assert_eq!(SecretKey::decode(&text, Some("plugh")).unwrap_err(), KeyError::Password);
        let key = SecretKey::decode(&text, Some("xyzzy")).unwrap();
        assert_eq!(key.public().verify(b"x", &key.sign(b"x", "").unwrap()), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_keys_or_signatures_panic(cut in 0usize..300, put in "[ -~\n]{0,9}") {
            let key = SecretKey::generate().unwrap();
            let texts = [key.encode().unwrap(), key.public().encode(), key.sign(b"x", "c").unwrap()];
            for text in texts {
                let at = cut.min(text.len());
                let mut text = format!("{}{put}{}", &text[..at], &text[at..]);
                text.truncate(text.len().saturating_sub(cut % 7));
                let _ = (SecretKey::decode(&text, None), PublicKey::decode(&text), signer(&text));
                let _ = key.public().verify(b"x", &text);
            }
        }
    }
}
