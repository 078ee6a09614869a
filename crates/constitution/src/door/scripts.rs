//! Small languages that ride on commands: whether a sed script or an awk program does no more than edit and print.
//!
//! What is not surely harmless is not.

/// Whether a sed script only edits the text that flows through: no command is run, no other file read or written.
pub(crate) fn sed(script: &str) -> bool {
    let text: Vec<char> = script.chars().collect();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            c if c.is_whitespace() || matches!(c, ';' | '{' | '}' | '!' | ',' | '$' | '0'..='9' | '~' | '+') => at += 1,
            '/' => match delimited(&text, at + 1, '/') {
                Some(end) => {
                    at = end;
                    while at < text.len() && matches!(text[at], 'I' | 'M') {
                        at += 1;
                    }
                }
                None => return false,
            },
            '\\' => match text.get(at + 1).and_then(|d| delimited(&text, at + 2, *d)) {
                Some(end) => at = end,
                None => return false,
            },
            's' | 'y' => {
                let Some(delimiter) =
                    text.get(at + 1).filter(|d| !d.is_alphanumeric() && !matches!(d, '\\' | '\n' | ' ' | ';'))
                else {
                    return false;
                };
                let Some(end) =
                    delimited(&text, at + 2, *delimiter).and_then(|middle| delimited(&text, middle, *delimiter))
                else {
                    return false;
                };
                let substitutes = text[at] == 's';
                at = end;
                while at < text.len() && !matches!(text[at], ';' | '\n' | '}' | ' ') {
                    if !substitutes || !matches!(text[at], 'g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') {
                        return false;
                    }
                    at += 1;
                }
            }
            'p' | 'd' | 'D' | 'P' | 'g' | 'G' | 'h' | 'H' | 'x' | 'n' | 'N' | '=' | 'z' | 'l' => {
                at += 1;
                if text.get(at).is_some_and(|c| c.is_alphabetic()) {
                    return false;
                }
            }
            'q' | 'Q' => {
                at += 1;
                while text.get(at).is_some_and(|c| c.is_ascii_digit() || *c == ' ') {
                    at += 1;
                }
            }
            // A label ends at a blank, and what follows is a command.
            'b' | 't' | 'T' | ':' => {
                at += 1;
                while text.get(at) == Some(&' ') {
                    at += 1;
                }
                while text.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                    at += 1;
                }
            }
            // What follows is text, up to the line's end.
            'a' | 'i' | 'c' => {
                while at < text.len() && text[at] != '\n' {
                    at += if text[at] == '\\' { 2 } else { 1 };
                }
            }
            '#' if at > 0 || text.get(1) != Some(&'n') => {
                while at < text.len() && text[at] != '\n' {
                    at += 1;
                }
            }
            _ => return false,
        }
    }
    true
}

/// Where a text that ends with this delimiter ends: behind it.
fn delimited(text: &[char], from: usize, delimiter: char) -> Option<usize> {
    let (mut at, mut class) = (from, false);
    while let Some(c) = text.get(at) {
        match c {
            '\n' => return None,
            '\\' => at += 1,
            // Within brackets GNU sed ends at the delimiter, others do not: not surely understood.
            '[' => class = true,
            ']' => class = false,
            c if *c == delimiter && class => return None,
            c if *c == delimiter => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether an awk program only computes and prints: it runs nothing, reads no other file, writes none.
pub(crate) fn awk(program: &str) -> bool {
    let text: Vec<char> = program.chars().collect();
    let (mut at, mut operand, mut printing) = (0, false, false);
    while at < text.len() {
        let c = text[at];
        match c {
            '"' => {
                at += 1;
                loop {
                    match text.get(at) {
                        None | Some('\n') => return false,
                        Some('\\') => at += 2,
                        Some('"') => break,
                        _ => at += 1,
                    }
                }
                operand = true;
                at += 1;
            }
            '/' if !operand => {
                at += 1;
                loop {
                    match text.get(at) {
                        None | Some('\n') => return false,
                        Some('\\') => at += 2,
                        // Where a class may hold a slash, two readers may end the pattern in two places.
                        Some('[') => return false,
                        Some('/') => break,
                        _ => at += 1,
                    }
                }
                operand = true;
                at += 1;
            }
            '#' => {
                while at < text.len() && text[at] != '\n' {
                    at += 1;
                }
            }
            '|' if text.get(at + 1) == Some(&'|') => (at, operand) = (at + 2, false),
            '|' | '@' | '`' | '\\' => return false,
            // Behind `print`, `>` names a file.
            '>' if printing => return false,
            c if c.is_alphabetic() || c == '_' => {
                let from = at;
                while text.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                    at += 1;
                }
                let word: String = text[from..at].iter().collect();
                match word.as_str() {
                    "system" | "getline" | "close" | "fflush" | "ENVIRON" | "PROCINFO" | "function" | "func"
                    | "ARGV" | "ARGC" | "SYMTAB" | "FUNCTAB" | "nextfile" | "extension" => return false,
                    "print" | "printf" => (printing, operand) = (true, false),
                    "return" | "in" | "delete" | "else" | "do" => operand = false,
                    _ => operand = true,
                }
            }
            c => {
                match c {
                    ';' | '\n' | '}' | '{' => (printing, operand) = (false, false),
                    ')' | ']' => operand = true,
                    '0'..='9' | '.' => operand = true,
                    c if c.is_whitespace() => {}
                    _ => operand = false,
                }
                at += 1;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{awk, sed};

    #[test]
    fn a_sed_script_that_only_edits_passes_and_no_other() {
        for script in [
            "s/a/b/g",
            "1,5p",
            "$d",
            "/^fn/,/^}/p",
            "s|/usr|/opt|",
            "5q",
            "/x/{s/a/b/;p}",
            "10,+3!d",
            "y/abc/def/",
            "$!N;P;D",
            ":a;N;$!ba;s/\\n/ /g",
        ] {
            assert!(sed(script), "{script}");
        }
        for script in [
            "s/a/b/e",
            "s/a/b/w out",
            "1e ls",
            "w out",
            "r /etc/passwd",
            "W x",
            "R x",
            "1!e",
            "s/[/]/x/e",
            ":a w out",
            "b a w out",
            ":a\nw out",
            "s/x/y/;e id",
            "\\,x,e",
            "s/a/b",
            "F",
            "v",
        ] {
            assert!(!sed(script), "{script}");
        }
    }

    #[test]
    fn an_awk_program_that_only_prints_passes_and_no_other() {
        for program in [
            "{print $1}",
            "NR%3==1",
            "$2 > 5 {print $1 \" -> \" $2}",
            "/\"x/ {n++} END {print n/2}",
            "{s+=$1} END {printf \"%d\\n\", s}",
            "$1 ~ /a|b/",
        ] {
            assert!(awk(program), "{program}");
        }
        for program in [
            "BEGIN {system(\"id\")}",
            "{print > \"out\"}",
            "{print | \"sh\"}",
            "BEGIN {\"id\" | getline x}",
            "{print $1 >> f}",
            "@load \"x\"",
            "/[/]/ {print > \"x\"}",
            "{getline < \"/etc/shadow\"}",
            "BEGIN{print ENVIRON[\"KEY\"]}",
            "/\"/ {print > \"x\" \"",
        ] {
            assert!(!awk(program), "{program}");
        }
    }
}
