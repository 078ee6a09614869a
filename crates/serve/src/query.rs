//! The query of an address, and percent-encoding (RFC 3986, 2.1).

/// The pairs of a query, decoded. A pair that is not UTF-8 or badly encoded is left out.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
        })
        .collect()
}

/// Percent-encoded text, decoded; `None` if it is not well-formed UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let digit = |byte: u8| (byte as char).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_survives_encoding(text in ".{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded), Some(text.clone()));
            prop_assert_eq!(pairs(&format!("a=1&p={encoded}")), vec![("a".into(), "1".into()), ("p".into(), text)]);
        }

        #[test]
        fn no_query_makes_it_panic(text in ".{0,80}") {
            pairs(&text);
        }
    }

    #[test]
    fn what_is_badly_encoded_is_no_value() {
        assert_eq!(decode("%zz"), None);
        assert_eq!(decode("%f"), None);
        assert_eq!(decode("%ff"), None);
        assert_eq!(pairs("a=%ff&b=x+y"), vec![("b".into(), "x y".into())]);
    }
}
