//! What quotes and backslashes leave of a text, and what a shell does with a variable that stands in one.

use super::parse::Piece;

/// An unquoted word's text: what a backslash protects is quoted.
pub(super) fn unescape(text: &str, into: &mut Vec<Piece>) {
    let (mut plain, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('\n') => {}
            next => {
                if !plain.is_empty() {
                    into.push(Piece::Text(std::mem::take(&mut plain), false));
                }
                into.push(Piece::Text(next.unwrap_or('\\').to_string(), true));
            }
        }
    }
    if !plain.is_empty() {
        into.push(Piece::Text(plain, false));
    }
}

/// The text of a double-quoted string: only before `$`, a backtick, `"`, a backslash and a line's end is `\` special.
pub(super) fn unquote(text: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => {
                chars.next();
            }
            ('\\', Some('$' | '`' | '"' | '\\')) => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    plain
}

/// The text of a `$'…'`, if it has only escapes that are known here.
pub(super) fn ansi(text: &str) -> Option<String> {
    let (mut plain, mut chars) = (String::new(), text.strip_prefix("$'")?.strip_suffix('\'')?.chars().peekable());
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, most: usize, radix: u32| {
            let mut number = None;
            for _ in 0..most {
                let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else { break };
                number = Some(number.unwrap_or(0) * radix + digit);
                chars.next();
            }
            number.and_then(char::from_u32).filter(|c| *c != '\0' && c.is_ascii())
        };
        match chars.next()? {
            'n' => plain.push('\n'),
            't' => plain.push('\t'),
            c @ ('\\' | '\'' | '"') => plain.push(c),
            'x' => plain.push(digits(&mut chars, 2, 16)?),
            _ => return None,
        }
    }
    Some(plain)
}

/// Whether `${…}` does no more than take a variable's text, cut it or put another in its place; others compute with it, run
/// it or take it for a name.
pub(super) fn only_cuts(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).unwrap_or_default();
    let inner = inner.strip_prefix('#').unwrap_or(inner);
    let name = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let rest = &inner[name..];
    name > 0
        && (rest.is_empty()
            || rest.starts_with(['%', '#', '/', '^', ',', '-', '+', '=', '?'])
            || [":-", ":+", ":=", ":?"].iter().any(|begin| rest.starts_with(begin)))
}

/// The variables of a sum, if it is made of names, numbers and signs alone.
pub(super) fn names_in(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix("$((").and_then(|t| t.strip_suffix("))"))?;
    let plain = inner.chars().all(|c| c.is_ascii_alphanumeric() || "_$+-*/%<>=!&|() ".contains(c));
    let words = inner.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    plain.then(|| words.filter(|w| w.starts_with(|c: char| !c.is_ascii_digit())).map(str::to_owned).collect())
}
