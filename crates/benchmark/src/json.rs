//! JSON values with exact whole numbers of any size, read within bounds.
//!
//! Answers of subjects are read by this reader and by nothing else: it never recurses deeper than [`DEPTH`], refuses
//! what is not JSON (`NaN`, `Infinity`, duplicate keys) and keeps whole numbers as digits, so that the 300th Fibonacci
//! number is not rounded to the nearest `f64` before it is compared.

use std::collections::BTreeMap;

/// Deepest nesting that is read. Python's own parser takes 200 brackets; results of subjects stop at the same depth.
pub(crate) const DEPTH: usize = 100;

/// A JSON value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Decimal digits with an optional minus sign; never `-0`, never leading zeros.
    Int(String),
    /// Always finite.
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// Reads one value; nothing but white space may follow it.
    pub(crate) fn read(text: &str) -> Result<Json, String> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < reader.bytes.len() {
            return Err(reader.wrong("something follows the value"));
        }
        Ok(value)
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a truth value",
            Json::Int(_) | Json::Float(_) => "a number",
            Json::Text(_) => "a text",
            Json::List(_) => "a list",
            Json::Map(_) => "an object",
        }
    }

    /// The value as JSON text. It is also a Python expression, given the names `true`, `false` and `null`.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Int(digits) => out.push_str(digits),
            Json::Float(f) => out.push_str(&format!("{f:?}")),
            Json::Text(text) => write_text(text, out),
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Map(fields) => {
                out.push('{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as JSON text.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// A text as a JSON string.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_text(text, &mut out);
    out
}

/// Whether two values are the same.
///
/// Strict: a truth value is no number, `null` equals only `null`, lists have the same length and objects the same
/// keys. Numbers are compared by value, so `1` equals `1.0`; whole numbers exactly, whatever their size. With a
/// tolerance `t`, numbers are the same if they differ by at most `t · max(1, |expected|)`.
pub(crate) fn same(expected: &Json, got: &Json, tolerance: Option<f64>) -> bool {
    match (expected, got) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(a), Json::Bool(b)) => a == b,
        (Json::Text(a), Json::Text(b)) => a == b,
        (Json::List(a), Json::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, tolerance)),
        (Json::Map(a), Json::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b, tolerance))
        }
        (Json::Int(_) | Json::Float(_), Json::Int(_) | Json::Float(_)) => {
            same_number(expected, got)
                || tolerance.is_some_and(|t| {
                    let (a, b) = (float(expected), float(got));
                    (a - b).abs() <= t * a.abs().max(1.0)
                })
        }
        _ => false,
    }
}

fn same_number(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Int(a), Json::Int(b)) => a == b,
        (Json::Float(a), Json::Float(b)) => a == b,
        // Rust writes a float without decimals exactly, digit by digit.
        (Json::Int(digits), Json::Float(f)) | (Json::Float(f), Json::Int(digits)) => {
            f.fract() == 0.0 && format!("{:.0}", f + 0.0) == *digits
        }
        _ => false,
    }
}

/// A number as the nearest float; infinite if it is out of range, which no tolerance makes equal to anything.
pub(crate) fn float(number: &Json) -> f64 {
    match number {
        Json::Int(digits) => digits.parse().unwrap_or(f64::NAN),
        Json::Float(f) => *f,
        _ => f64::NAN,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, why: &str) -> String {
        format!("{why} (column {})", self.at + 1)
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.space();
        match self.bytes.get(self.at) {
            None => Err(self.wrong("a value is missing")),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.map(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) if self.take("null") => Ok(Json::Null),
            Some(_) if self.take("true") => Ok(Json::Bool(true)),
            Some(_) if self.take("false") => Ok(Json::Bool(false)),
            Some(_) => Err(self.wrong("this is no JSON value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            if !self.take(",") {
                return Err(self.wrong("',' or ']' is missing"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut fields = BTreeMap::new();
        self.space();
        if self.take("}") {
            return Ok(Json::Map(fields));
        }
        loop {
            self.space();
            if self.bytes.get(self.at) != Some(&b'"') {
                return Err(self.wrong("a key in double quotes is missing"));
            }
            let key = self.string()?;
            self.space();
            if !self.take(":") {
                return Err(self.wrong("':' is missing"));
            }
            let value = self.value(depth + 1)?;
            if fields.insert(key.clone(), value).is_some() {
                return Err(self.wrong(&format!("the key '{key}' stands twice")));
            }
            self.space();
            if self.take("}") {
                return Ok(Json::Map(fields));
            }
            if !self.take(",") {
                return Err(self.wrong("',' or '}' is missing"));
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        self.take("-");
        let first = self.at;
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.bytes[first] == b'0') {
            return Err(self.wrong("this is no number"));
        }
        let mut exact = true;
        if self.take(".") {
            exact = false;
            if self.digits() == 0 {
                return Err(self.wrong("digits are missing after the point"));
            }
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            exact = false;
            self.at += 1;
            if !self.take("+") {
                self.take("-");
            }
            if self.digits() == 0 {
                return Err(self.wrong("digits are missing in the exponent"));
            }
        }
        let text = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        if exact {
            return Ok(Json::Int(if text == "-0" { "0".to_owned() } else { text }));
        }
        match text.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Json::Float(f)),
            _ => Err(self.wrong("the number is out of range")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let Some(&byte) = self.bytes.get(self.at) else { return Err(self.wrong("the text does not end")) };
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(out).map_err(|_| self.wrong("the text is not UTF-8")),
                b'\\' => {
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1f => return Err(self.wrong("a control character stands in a text")),
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.wrong("the text does not end")) };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let mut code = high;
                if (0xd800..0xdc00).contains(&high) && self.bytes[self.at..].starts_with(b"\\u") {
                    let back = self.at;
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.at = back;
                    }
                }
                // A lone half of a surrogate pair is no character; Python's texts may hold one.
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.wrong("this escape is unknown")),
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok());
        let code = digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u32::from_str_radix(d, 16).ok())
            .ok_or_else(|| self.wrong("four hexadecimal digits are missing"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Json {
        Json::read(text).unwrap()
    }

    fn equal(a: &str, b: &str) -> bool {
        same(&read(a), &read(b), None)
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [
            "",
            "nul",
            "NaN",
            "Infinity",
            "-",
            "01",
            "1.",
            "1e",
            "[1,]",
            "[1 2]",
            "{\"a\":1,\"a\":2}",
            "{a:1}",
            "\"\\x\"",
            "\"abc",
            "1 2",
            "1e999",
            "\"\u{1}\"",
            "{\"a\" 1}",
            "\"\\u12\"",
        ] {
            assert!(Json::read(bad).is_err(), "{bad:?}");
        }
        assert!(Json::read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_truth_value_is_no_number_and_numbers_are_compared_by_value() {
        assert!(!equal("true", "1"));
        assert!(!equal("false", "0"));
        assert!(!equal("null", "0"));
        assert!(!equal("\"1\"", "1"));
        assert!(equal("1", "1.0"));
        assert!(equal("0", "-0.0"));
        assert!(equal("-0", "0"));
        assert!(!equal("[1]", "[1,1]"));
        assert!(!equal("{\"a\":1}", "{\"b\":1}"));
        assert!(equal("{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}"));
    }

    #[test]
    fn large_whole_numbers_are_not_rounded() {
        assert!(!equal("9007199254740993", "9007199254740992"));
        assert!(!equal("9007199254740993", "9007199254740992.0"));
        assert!(equal("9007199254740992", "9007199254740992.0"));
        assert!(equal("10000000000000000000000", "1e22"));
        assert!(!equal("222232244629420445529739893505090668888", "222232244629420445529739893505090668889"));
    }

    #[test]
    fn a_tolerance_is_absolute_near_zero_and_relative_far_from_it() {
        assert!(same(&read("0.0"), &read("1e-7"), Some(1e-6)));
        assert!(!same(&read("0.0"), &read("1e-5"), Some(1e-6)));
        assert!(same(&read("1000000"), &read("1000000.5"), Some(1e-6)));
        assert!(!same(&read("1"), &read("true"), Some(1e-6)));
    }

    #[test]
    fn surrogate_pairs_become_one_character_and_lone_halves_none() {
        assert_eq!(read("\"\\ud83d\\ude00\""), Json::Text("😀".into()));
        assert_eq!(read("\"\\ud83dx\""), Json::Text("\u{fffd}x".into()));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i128>().prop_map(|i| Json::Int(i.to_string())),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Json::Float),
            any::<String>().prop_map(Json::Text),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
                proptest::collection::btree_map(any::<String>(), inner, 0..5).prop_map(Json::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in any_json()) {
            prop_assert_eq!(&Json::read(&value.text()).unwrap(), &value);
            prop_assert!(same(&value, &value, None));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:0-9eE+.\\\\utrfalsn -]{0,40}") {
            let _ = Json::read(&text);
        }

        #[test]
        fn sameness_goes_both_ways(a in any_json(), b in any_json()) {
            prop_assert_eq!(same(&a, &b, None), same(&b, &a, None));
        }
    }
}
