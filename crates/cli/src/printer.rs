//! The one place that writes: standard output is data, standard error is talk.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::failure::Failure;

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Something to look at.
pub const NOTE: Style = AnsiColor::Yellow.on_default();
/// Less important.
pub const FAINT: Style = AnsiColor::BrightBlack.on_default();
/// Headings and names.
pub const BOLD: Style = Style::new().bold();

/// Text in a style. Where there is no colour, `anstream` takes the codes out again.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// What stands behind a suggested command where the project is not in this folder: ` DIR`, or ` --dir DIR`.
pub fn behind(flag: &str, dir: &std::path::Path) -> String {
    let flag = if flag.is_empty() { String::new() } else { format!(" {flag}") };
    if dir == std::path::Path::new(".") { String::new() } else { format!("{flag} {}", dir.display()) }
}

/// All output goes through here.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
}

impl Printer {
    /// A printer; with `json`, data is JSON lines.
    pub fn new(json: bool) -> Self {
        Printer { json }
    }

    /// Whether data is JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether progress can be drawn.
    pub fn terminal(&self) -> bool {
        std::io::stderr().is_terminal() && !self.json
    }

    /// A line of data.
    pub fn data(&self, line: impl std::fmt::Display) {
        // A reader that went away (`| head`) is no error of ours.
        let _ = writeln!(anstream::stdout(), "{line}");
    }

    /// Bytes of a command as they are: to standard output, or to standard error. `false`: nobody reads them any more.
    pub fn raw(&self, bytes: &[u8], error: bool) -> bool {
        let write = |mut to: Box<dyn std::io::Write>| to.write_all(bytes).and_then(|()| to.flush()).is_ok();
        if error { write(Box::new(std::io::stderr().lock())) } else { write(Box::new(std::io::stdout().lock())) }
    }

    /// A JSON object as a line of data.
    pub fn object(&self, value: &impl serde::Serialize) {
        if let Ok(line) = serde_json::to_string(value) {
            self.data(line);
        }
    }

    /// A line of talk.
    pub fn talk(&self, line: impl std::fmt::Display) {
        let _ = writeln!(anstream::stderr(), "{line}");
    }

    /// A warning.
    pub fn warn(&self, what: impl std::fmt::Display) {
        self.talk(format!("{} {what}", paint(NOTE, "warning:")));
    }

    /// A failure, with its hint.
    pub fn failure(&self, failure: &Failure) {
        self.talk(format!("{} {}", paint(BAD, "error:"), failure.what));
        if let Some(hint) = &failure.hint {
            self.talk(format!("{} {hint}", paint(NOTE, "hint:")));
        }
    }
}

/// Rows under a header, columns as wide as their widest cell; the last column is not padded. Cells may be painted.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |s: &str| anstream::adapter::strip_str(s).to_string().chars().count();
    let mut widths: Vec<usize> = header.iter().map(|h| width(h)).collect();
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(width(cell));
        }
    }
    let line = |cells: &[String]| {
        let mut out = String::new();
        for (i, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if i + 1 < cells.len() {
                out.push_str(&" ".repeat(widths[i].saturating_sub(width(cell)) + 2));
            }
        }
        out.trim_end().to_owned()
    };
    let head: Vec<String> = header.iter().map(|h| paint(BOLD, h)).collect();
    std::iter::once(line(&head)).chain(rows.iter().map(|r| line(r))).collect()
}

/// A unified diff of two texts, painted.
pub fn diff_lines(path: &str, before: Option<&str>, after: Option<&str>) -> Vec<String> {
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    let a = if before.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    let b = if after.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() };
    let diff = similar::TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(3).header(&a, &b).to_string();
    text.lines()
        .map(visible)
        .map(|line| match line.as_bytes().first() {
            Some(b'+') => paint(GOOD, line),
            Some(b'-') => paint(BAD, line),
            Some(b'@') => paint(FAINT, line),
            _ => line,
        })
        .collect()
}

/// Text of others as it can be shown to a person who decides by it: nothing in it steers the terminal, turns the order of
/// letters round or is not seen. What would is written as its number.
pub fn visible(text: &str) -> String {
    // Unicode's format characters that have no look of their own: zero width, marks of direction, tags.
    let hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\t' && c != '\n') || hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_fool_who_reads_a_diff_is_written_as_its_number() {
        assert_eq!(visible("a\tb é 漢 = 1"), "a\tb é 漢 = 1");
        assert_eq!(visible("x\u{1b}[2K\ry"), "x\\u{1b}[2K\\u{d}y");
        assert_eq!(visible("if \u{202e}admin\u{200b}"), "if \\u{202e}admin\\u{200b}");
        let shown = diff_lines("a", Some("x\n"), Some("x\u{1b}[1A\u{1b}[2K\n")).join("\n");
        assert!(shown.contains("\\u{1b}[1A\\u{1b}[2K"), "{shown:?}");
    }
}
