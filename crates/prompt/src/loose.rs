//! Reads values as models write them: JSON, or Python's literals, with commas too many, within a fence or within talk.

use meliora_domain::{Fields, Value};

/// Deepest nesting that is read.
const DEPTH: usize = 64;

/// The value that a text is, and nothing but it. `None` if it is none.
pub fn value(text: &str) -> Option<Value> {
    let text = unfenced(text.trim());
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    (reader.at == text.len()).then_some(value)
}

/// The first object that stands in a text.
pub fn object(text: &str) -> Option<Fields> {
    if let Some(Value::Map(fields)) = value(text) {
        return Some(fields);
    }
    text.match_indices('{').find_map(|(at, _)| {
        let mut reader = Reader { text, at };
        match reader.value(0)? {
            Value::Map(fields) => Some(fields),
            _ => None,
        }
    })
}

/// A text without the fence around it.
pub fn unfenced(text: &str) -> &str {
    let Some(inside) = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")) else { return text };
    match inside.split_once('\n') {
        Some((language, code)) if !language.contains('`') => code.trim(),
        _ => text,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let after = self.rest().strip_prefix(word).and_then(|rest| rest.chars().next());
        let whole = !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
        whole && self.take(word)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        let first = self.rest().chars().next()?;
        match first {
            '{' => self.map(depth),
            '[' => self.list(depth, "]").map(Value::List),
            '(' => self.list(depth, ")").map(Value::List),
            '"' | '\'' => self.string(first).map(Value::Text),
            '-' | '+' | '.' | '0'..='9' => self.number(),
            _ => [
                ("null", Value::Null),
                ("None", Value::Null),
                ("true", Value::Bool(true)),
                ("True", Value::Bool(true)),
                ("false", Value::Bool(false)),
                ("False", Value::Bool(false)),
            ]
            .into_iter()
            .find_map(|(word, value)| self.word(word).then_some(value)),
        }
    }

    fn list(&mut self, depth: usize, end: &str) -> Option<Vec<Value>> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if self.take(end) {
                return Some(items);
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if !self.take(",") && !self.rest().starts_with(end) {
                return None;
            }
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut fields = Fields::new();
        loop {
            self.space();
            if self.take("}") {
                return Some(Value::Map(fields));
            }
            let key = match self.rest().chars().next()? {
                quote @ ('"' | '\'') => self.string(quote)?,
                _ => self.name()?,
            };
            self.space();
            if !self.take(":") {
                return None;
            }
            let value = self.value(depth + 1)?;
            fields.set(key, value);
            self.space();
            if !self.take(",") && !self.rest().starts_with('}') {
                return None;
            }
        }
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += end;
        (end > 0).then(|| rest[..end].to_owned())
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.rest();
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-' | '_')).unwrap_or(rest.len());
        let digits = rest[..end].replace('_', "");
        self.at += end;
        match digits.parse::<i64>() {
            Ok(i) => Some(Value::Int(i)),
            Err(_) => digits.parse::<f64>().ok().filter(|f| f.is_finite()).map(Value::Float),
        }
    }

    fn string(&mut self, quote: char) -> Option<String> {
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + 1;
                return Some(out);
            }
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let high = hex(&mut chars)?;
                    let mut code = high;
                    if (0xd800..0xdc00).contains(&high) && chars.as_str().starts_with("\\u") {
                        chars.nth(1);
                        code = 0x10000 + ((high - 0xd800) << 10) + hex(&mut chars)?.wrapping_sub(0xdc00);
                    }
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                c @ ('"' | '\'' | '\\' | '/') => out.push(c),
                c => out.extend(['\\', c]),
            }
        }
        None
    }
}

fn hex(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_read_as_models_write_them() {
        for (text, json) in [
            ("{\"a\": 1}", r#"{"a":1}"#),
            ("{'a': True, 'b': None,}", r#"{"a":true,"b":null}"#),
            ("```json\n[1, 2.5, \"x\"]\n```", r#"[1,2.5,"x"]"#),
            ("('a', 'b')", r#"["a","b"]"#),
            ("{a: 'it\\'s'}", r#"{"a":"it's"}"#),
            ("\"\\ud83d\\ude00 \\u00e9\"", "\"😀 é\""),
            ("-3", "-3"),
        ] {
            assert_eq!(value(text).map(|v| v.to_string()).as_deref(), Some(json), "{text}");
        }
        for text in ["", "[1", "{\"a\": 1", "yes", "1 2", "nullx"] {
            assert_eq!(value(text), None, "{text}");
        }
        let said = "Sure! {not this} Here: {\"a\": [1]} Done.";
        assert_eq!(object(said).map(|f| Value::Map(f).to_string()).as_deref(), Some("{\"a\":[1]}"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\"',:0-9eE+.\\\\utrTN a-f`\n-]{0,40}") {
            let _ = (value(&text), object(&text));
        }
    }
}
