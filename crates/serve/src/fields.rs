//! Reading fields of JSON objects as protobuf's JSON form and E2B's own interface write them: a field may be missing or
//! null, a number may be a text.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::fault::{Answer, invalid};

/// Base64 as others write it, with or without padding.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A text; `None` where it is missing.
pub(crate) fn text(object: &Value, name: &str) -> Answer<Option<String>> {
    match &object[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(invalid(format!("'{name}' must be a text"))),
    }
}

/// A text that must be there, empty where it is missing (as protobuf has it).
pub(crate) fn text_or_empty(object: &Value, name: &str) -> Answer<String> {
    Ok(text(object, name)?.unwrap_or_default())
}

/// Yes or no; no where it is missing.
pub(crate) fn flag(object: &Value, name: &str) -> Answer<bool> {
    match &object[name] {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(invalid(format!("'{name}' must be true or false"))),
    }
}

/// A number that is not negative; `None` where it is missing.
pub(crate) fn number(object: &Value, name: &str) -> Answer<Option<u64>> {
    let wrong = || invalid(format!("'{name}' must be a whole number, not negative"));
    match &object[name] {
        Value::Null => Ok(None),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n <= 9e15).map(|n| n as u64);
            number.as_u64().or(whole).map(Some).ok_or_else(wrong)
        }
        Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// A list of texts; empty where it is missing.
pub(crate) fn texts(object: &Value, name: &str) -> Answer<Vec<String>> {
    let wrong = || invalid(format!("'{name}' must be a list of texts"));
    match &object[name] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

/// Names with texts, in the order of their names; empty where it is missing.
pub(crate) fn pairs(object: &Value, name: &str) -> Answer<Vec<(String, String)>> {
    let wrong = || invalid(format!("'{name}' must be an object of texts"));
    match &object[name] {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) => {
            map.iter().map(|(k, v)| Ok((k.clone(), v.as_str().ok_or_else(wrong)?.to_owned()))).collect()
        }
        _ => Err(wrong()),
    }
}

/// Bytes in base64, in either alphabet; `None` where they are missing.
pub(crate) fn bytes(object: &Value, name: &str) -> Answer<Option<Vec<u8>>> {
    let Some(text) = text(object, name)? else { return Ok(None) };
    let text = text.replace('-', "+").replace('_', "/");
    TOLERANT.decode(text).map(Some).map_err(|error| invalid(format!("'{name}' is no base64: {error}")))
}

/// Bytes in base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Base64 without its padding.
pub(crate) fn encode_bare(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn bytes_survive_with_and_without_padding(data in prop::collection::vec(any::<u8>(), 0..40)) {
            for text in [encode(&data), encode_bare(&data), encode(&data).replace('+', "-").replace('/', "_")] {
                prop_assert_eq!(bytes(&json!({ "b": text }), "b").unwrap(), Some(data.clone()));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            bytes(&json!({ "b": text }), "b").ok();
            number(&json!({ "b": text }), "b").ok();
        }
    }

    #[test]
    fn fields_of_a_wrong_kind_are_named() {
        let object = json!({"a": [1], "n": -1, "f": 2.0, "s": "7", "e": {"k": 1}, "t": 5});
        assert!(texts(&object, "a").unwrap_err().message.contains("'a'"));
        assert!(number(&object, "n").is_err() && pairs(&object, "e").is_err() && text(&object, "t").is_err());
        assert_eq!((number(&object, "f").unwrap(), number(&object, "s").unwrap()), (Some(2), Some(7)));
        assert_eq!((text(&object, "none").unwrap(), number(&object, "none").unwrap()), (None, None));
    }
}
