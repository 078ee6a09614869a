//! A key that can be sent and cannot be shown.

use std::fmt;

use serde::Serialize;

/// What stands in a text where the key stood.
const MASK: &str = "[key]";

/// An API key. `Debug`, `Display` and `Serialize` show a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A key without the white space around it; `None` if nothing is left.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty()).then(|| Secret(key.to_owned()))
    }

    /// The key itself, for the request's header alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The text with a mask wherever the key stands, plain or escaped as JSON escapes it.
    pub fn scrub(&self, text: &str) -> String {
        let escaped = serde_json::Value::from(self.0.as_str()).to_string();
        text.replace(&self.0, MASK).replace(&escaped[1..escaped.len() - 1], MASK)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_nowhere() {
        let key = Secret::new(" sk-\"quoted\"/9 \n").unwrap();
        let json = serde_json::to_string(&key).unwrap();
        for shown in [format!("{key:?}"), format!("{key}"), format!("{:?}", Some(&key)), json] {
            assert!(!shown.contains("quoted"), "{shown}");
        }
        assert_eq!(key.scrub(r#"plain sk-"quoted"/9, json sk-\"quoted\"/9"#), "plain [key], json [key]");
    }

    #[test]
    fn white_space_is_no_key() {
        assert_eq!(Secret::new(" \n"), None);
    }
}
