//! Texts as Python would write and cut them: DSPy's prompts are made with it, and ours are to be equal to the byte.

use meliora_domain::{Fields, Value};

/// Lines as `str.splitlines` cuts them.
pub fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends =
            matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if !ends {
            continue;
        }
        lines.push(&text[start..at]);
        start = at + c.len_utf8();
        if c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n') {
            chars.next();
            start += 1;
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// `str.strip`: it also takes what separates units and records for white space.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `inspect.cleandoc`, which signatures read their instructions through.
pub fn clean(text: &str) -> String {
    let expanded = expand_tabs(text);
    let mut lines: Vec<&str> = expanded.split('\n').collect();
    let indent = |line: &&str| {
        let content = line.trim_start_matches(is_space);
        (!content.is_empty()).then(|| line.chars().count() - content.chars().count())
    };
    let margin = lines.iter().skip(1).filter_map(indent).min().unwrap_or(0);
    for line in lines.iter_mut().skip(1) {
        let cut = line.char_indices().nth(margin).map_or(line.len(), |(at, _)| at);
        *line = &line[cut..];
    }
    lines[0] = lines[0].trim_start_matches(is_space);
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    lines[blank..].join("\n")
}

fn expand_tabs(text: &str) -> String {
    let (mut out, mut column) = (String::with_capacity(text.len()), 0);
    for c in text.chars() {
        match c {
            '\t' => {
                let more = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', more));
                column += more;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

/// `textwrap.dedent` of what was cleaned before: lines of white space alone become empty.
pub fn without_blank_space(text: &str) -> String {
    let blank = |line: &str| !line.is_empty() && line.chars().all(|c| c == ' ' || c == '\t');
    text.split('\n').map(|line| if blank(line) { "" } else { line }).collect::<Vec<_>>().join("\n")
}

/// `str(value)` of what is no list and no dictionary; `json.dumps` of what is.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => float(*f),
        Value::Text(text) => text.clone(),
        Value::List(_) | Value::Map(_) => json(value, None),
    }
}

/// `repr` of a float.
pub fn float(f: f64) -> String {
    let exponential = format!("{f:e}");
    let (digits, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if f != 0.0 && !(-4..16).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", power.abs());
    }
    let plain = format!("{f}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

/// `json.dumps(value, ensure_ascii=False)`, with `indent` where one is given.
pub fn json(value: &Value, indent: Option<usize>) -> String {
    let mut out = String::new();
    write_json(value, indent, 0, &mut out);
    out
}

fn write_json(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&float(*f)),
        Value::Text(text) => write_text(text, out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::Map(fields) if fields.is_empty() => out.push_str("{}"),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                part(indent, depth + 1, i > 0, out);
                write_json(item, indent, depth + 1, out);
            }
            close(indent, depth, ']', out);
        }
        Value::Map(fields) => write_fields(fields, indent, depth, out),
    }
}

fn write_fields(fields: &Fields, indent: Option<usize>, depth: usize, out: &mut String) {
    out.push('{');
    for (i, (name, value)) in fields.iter().enumerate() {
        part(indent, depth + 1, i > 0, out);
        write_text(name, out);
        out.push_str(": ");
        write_json(value, indent, depth + 1, out);
    }
    close(indent, depth, '}', out);
}

fn part(indent: Option<usize>, depth: usize, more: bool, out: &mut String) {
    if more {
        out.push_str(if indent.is_some() { "," } else { ", " });
    }
    if let Some(width) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', width * depth));
    }
}

fn close(indent: Option<usize>, depth: usize, end: char, out: &mut String) {
    part(indent, depth, false, out);
    out.push(end);
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Text(text) => repr_text(text),
        Value::List(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Map(fields) => {
            let items: Vec<String> = fields.iter().map(|(n, v)| format!("{}: {}", repr_text(n), repr(v))).collect();
            format!("{{{}}}", items.join(", "))
        }
        other => text(other),
    }
}

fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (f, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123456789012345.0, "123456789012345.0"),
            (-2.5, "-2.5"),
            (0.0, "0.0"),
        ] {
            assert_eq!(float(f), text);
        }
    }

    #[test]
    fn instructions_are_cleaned_as_docstrings_are() {
        assert_eq!(clean("  First.\n      second\n        third\n    "), "First.\nsecond\n  third");
        assert_eq!(clean("\n\n  a\n   b\n"), "a\n b");
        assert_eq!(clean(""), "");
        assert_eq!(without_blank_space("a\n  \nb"), "a\n\nb");
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(lines("a\r\nb\u{2028}c\n\nd\n"), ["a", "b", "c", "", "d"]);
        assert_eq!(lines(""), Vec::<&str>::new());
    }

    #[test]
    fn quotes_are_chosen_as_python_chooses_them() {
        assert_eq!(repr(&Value::from("it's")), "\"it's\"");
        assert_eq!(repr(&Value::from("it's \"x\"")), "'it\\'s \"x\"'");
    }
}
