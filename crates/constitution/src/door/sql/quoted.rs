//! What of a text of SQL is comment or quoted, and whether servers agree on that.

/// The text without comments and with the insides of quoted texts and names taken out.
pub(super) fn bare(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut bare = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied();
        match c {
            '-' if next == Some('-') => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                bare.push(' ');
            }
            '/' if next == Some('*') => {
                let mut depth = 0;
                while at < chars.len() {
                    match (chars[at], chars.get(at + 1)) {
                        ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
                        ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 {
                        break;
                    }
                }
                bare.push(' ');
            }
            '\'' | '"' => {
                let escapes = c == '\'' && matches!(at.checked_sub(1).map(|before| chars[before]), Some('e' | 'E'));
                at += 1;
                bare.push(c);
                while at < chars.len() {
                    match chars[at] {
                        '\\' if escapes => at += 1,
                        end if end == c && chars.get(at + 1) == Some(&c) => at += 1,
                        end if end == c => break,
                        _ => {}
                    }
                    at += 1;
                }
                bare.push(c);
                at += 1;
            }
            '$' => match dollar(&chars, at) {
                Some(end) => {
                    bare.push_str("''");
                    at = end;
                }
                None => {
                    bare.push(c);
                    at += 1;
                }
            },
            c => {
                bare.push(c);
                at += 1;
            }
        }
    }
    bare
}

/// Where a dollar-quoted text that begins here ends.
fn dollar(chars: &[char], from: usize) -> Option<usize> {
    let tag = chars[from + 1..].iter().position(|c| *c == '$')?;
    let mark = &chars[from..from + tag + 2];
    let name = &mark[1..mark.len() - 1];
    if !name.iter().all(|c| c.is_alphanumeric() || *c == '_') || name.first().is_some_and(|c| c.is_ascii_digit()) {
        return None;
    }
    let inside = from + mark.len();
    (inside..=chars.len().saturating_sub(mark.len()))
        .find(|at| &chars[*at..at + mark.len()] == mark)
        .map(|at| at + mark.len())
}

/// Whether servers of different kinds take different parts of a text for comments and for quoted, so that what is judged
/// here may not be what another of them carries out.
pub(super) fn ambiguous(text: &str) -> bool {
    let executed = ["/*!", "/*m!", "/*+"].iter().any(|begin| text.to_lowercase().contains(begin));
    // PostgreSQL's comments hold others, SQLite's and MySQL's end with the first `*/`.
    let nested = text.find("/*").is_some_and(|first| {
        let mut rest = &text[first + 2..];
        loop {
            let Some(end) = rest.find("*/") else { break false };
            if rest[..end].contains("/*") {
                break true;
            }
            match rest[end + 2..].find("/*") {
                Some(next) => rest = &rest[end + 2 + next + 2..],
                None => break false,
            }
        }
    });
    // MySQL needs a blank behind the two dashes, and takes a backslash for an escape in every text.
    let dashes = text.match_indices("--").any(|(at, _)| {
        let rest = text[at + 2..].lines().next().unwrap_or_default();
        !rest.starts_with([' ', '\t', '-']) && rest.contains(';') && rest.trim_end() != ";"
    });
    let escapes = text.match_indices("\\'").any(|(at, _)| {
        let before = &text[..at];
        let quote = before.rfind('\'').unwrap_or(0);
        !before[..quote].ends_with(['e', 'E'])
    });
    executed || nested || dashes || escapes
}
