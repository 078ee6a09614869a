//! Reads what a model wrote: SEARCH/REPLACE blocks, fenced code, or prose that is neither.
//!
//! Pure text work; whether an edit fits a file is decided elsewhere. Never panics, whatever the text.

use meliora_domain::{Change, Edit, GenomePath};

/// Code between fences.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fence {
    /// The path that stands on the line before, in the opening line, or in a comment on the first line.
    pub(crate) path: Option<String>,
    /// The word after the opening backticks.
    pub(crate) language: String,
    /// The code, with its last line's end.
    pub(crate) code: String,
}

/// A SEARCH/REPLACE block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    /// The path on the line before it, or that of the block before.
    pub(crate) path: Option<String>,
    pub(crate) search: String,
    pub(crate) replace: String,
}

/// What a reply holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Parsed {
    /// The words before the first block or fence.
    pub(crate) words: String,
    /// SEARCH/REPLACE blocks, in order.
    pub(crate) blocks: Vec<Block>,
    /// Fenced code outside of blocks, in order.
    pub(crate) fences: Vec<Fence>,
    /// Files to delete.
    pub(crate) deleted: Vec<String>,
}

/// Why a reply cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Garbled {
    #[error("the answer is empty")]
    Empty,
    #[error("the answer is all thinking and no end of it")]
    Thinking,
    #[error("a SEARCH block is not complete: the line '{0}' is missing")]
    OpenBlock(&'static str),
}

const SEARCH: &str = "<<<<<<< SEARCH";
const MIDDLE: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";
const DELETE: &str = "DELETE FILE: ";

/// Reads a reply. `known` says whether a path is a file of the genome.
pub(crate) fn parse(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Parsed, Garbled> {
    let text = without_thinking(text)?.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(Garbled::Empty);
    }
    let mut parsed = Parsed::default();
    let mut words = true;
    // Backticks of a fence that only packs blocks.
    let mut packing: Option<usize> = None;
    let mut path: Option<String> = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if marker(line, '<', "SEARCH") {
            words = false;
            let search = until(&mut lines, |l| l.trim_end() == MIDDLE).ok_or(Garbled::OpenBlock(MIDDLE))?;
            let replace = until(&mut lines, |l| marker(l, '>', "REPLACE")).ok_or(Garbled::OpenBlock(REPLACE))?;
            let before = || parsed.blocks.last().and_then(|b| b.path.clone());
            let path = path.take().or_else(before);
            parsed.blocks.push(Block { path, search, replace });
        } else if packing.is_some_and(|ticks| closes(line, ticks)) {
            packing = None;
        } else if let Some((ticks, info)) = opening(line) {
            // Blocks often come wrapped in a fence; the fence is then only packing.
            if lines.peek().is_some_and(|next| marker(next, '<', "SEARCH") || path_on(next, known).is_some()) {
                let named = lines.peek().and_then(|next| path_on(next, known));
                let mut ahead = lines.clone();
                ahead.next();
                let packs = named.is_none() || ahead.peek().is_some_and(|l| marker(l, '<', "SEARCH"));
                if packs {
                    words = false;
                    packing = Some(ticks);
                    continue;
                }
            }
            words = false;
            // An answer may end without the closing fence.
            let mut code = String::new();
            for line in lines.by_ref() {
                if closes(line, ticks) {
                    break;
                }
                code.push_str(line);
                code.push('\n');
            }
            let path = path.take().or_else(|| info_path(info, known)).or_else(|| comment_path(&code, known));
            let language = info.split([' ', ':']).next().unwrap_or_default().to_lowercase();
            parsed.fences.push(Fence { path, language, code });
        } else if let Some(deleted) = line.strip_prefix(DELETE) {
            words = false;
            parsed.deleted.push(deleted.trim().to_owned());
        } else if !line.trim().is_empty() {
            path = path_on(line, known);
            if words && path.is_none() {
                parsed.words.push_str(line.trim());
                parsed.words.push(' ');
            }
        }
    }
    parsed.words = parsed.words.trim_end().to_owned();
    Ok(parsed)
}

pub(crate) fn without_thinking(text: &str) -> Result<&str, Garbled> {
    let Some(rest) = text.trim_start().strip_prefix("<think>") else { return Ok(text) };
    rest.split_once("</think>").map(|(_, said)| said).ok_or(Garbled::Thinking)
}

/// `<<<<<<< SEARCH` and `>>>>>>> REPLACE`, with five to nine signs: small models miscount.
fn marker(line: &str, sign: char, word: &str) -> bool {
    let line = line.trim();
    let rest = line.trim_start_matches(sign);
    (5..=9).contains(&(line.len() - rest.len())) && rest.trim() == word
}

/// The lines up to the one that ends them, joined; `None` if it never comes.
fn until<'a>(lines: &mut impl Iterator<Item = &'a str>, end: impl Fn(&str) -> bool) -> Option<String> {
    let mut taken = Vec::new();
    for line in lines {
        if end(line) {
            return Some(taken.join("\n"));
        }
        taken.push(line);
    }
    None
}

/// Number of backticks and what follows them, if the line opens a fence.
fn opening(line: &str) -> Option<(usize, &str)> {
    let line = line.trim();
    let info = line.trim_start_matches('`');
    let ticks = line.len() - info.len();
    (ticks >= 3 && !info.contains('`')).then(|| (ticks, info.trim()))
}

/// Whether the line is the end of a fence of so many backticks.
fn closes(line: &str, ticks: usize) -> bool {
    let line = line.trim();
    line.len() >= ticks && line.chars().all(|c| c == '`')
}

/// The path that a line consists of, as people and models decorate it: `**File: a.py**`, `### a.py:`, "`a.py`".
fn path_on(line: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    let decoration = |c: char| c.is_whitespace() || matches!(c, '#' | '*' | '`' | ':' | '"' | '\'' | '/');
    let mut text = line.trim_matches(decoration);
    for word in ["File:", "file:", "FILE:", "Path:", "path:", "File", "file"] {
        if let Some(rest) = text.strip_prefix(word) {
            text = rest.trim_matches(decoration);
            break;
        }
    }
    let new_file = || {
        let name = text.rsplit('/').next().unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.')?;
        let plain = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        // `x.y` alone may be prose or code; a path is on its own line and has a short extension.
        (plain(stem) && extension.len() <= 4 && plain(extension) && GenomePath::new(text).is_ok()).then_some(())
    };
    (known(text) || new_file().is_some()).then(|| text.to_owned())
}

fn info_path(info: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    let words = info.split([' ', ':', '=']);
    words.map(|w| w.trim_matches(['"', '\''])).find(|w| known(w)).map(str::to_owned)
}

fn comment_path(code: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    let first = code.lines().next()?.trim();
    let name = first.strip_prefix('#').or_else(|| first.strip_prefix("//"))?.trim();
    let name = name.strip_prefix("File:").map_or(name, str::trim);
    known(name).then(|| name.to_owned())
}

/// A change as SEARCH/REPLACE blocks and fenced files, the form in which answers are read.
/// Texts that hold a marker line of their own do not survive it.
pub fn render(change: &Change) -> String {
    let mut out = String::new();
    for edit in &change.edits {
        match edit {
            Edit::Replace { path, search, replace } => {
                let lines = |text: &str| if text.is_empty() { String::new() } else { format!("{text}\n") };
                out += &format!("{path}\n{SEARCH}\n{}{MIDDLE}\n{}{REPLACE}\n\n", lines(search), lines(replace));
            }
            Edit::Write { path, content } => out += &format!("{path}\n{}\n", fenced("", content)),
            Edit::Delete { path } => out += &format!("{DELETE}{path}\n\n"),
        }
    }
    out
}

/// The text between fences that are longer than any in it.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(3.max(longest + 1));
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{ticks}{language}\n{text}{end}{ticks}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Parsed, Garbled> {
        parse(text, &|path| matches!(path, "a.py" | "src/b.py"))
    }

    fn block(path: Option<&str>, search: &str, replace: &str) -> Block {
        Block { path: path.map(Into::into), search: search.into(), replace: replace.into() }
    }

    #[test]
    fn blocks_are_read_as_models_write_them() {
        let one = "<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE";
        let cases = [
            (one.to_owned(), vec![block(None, "x = 1", "x = 2")]),
            (format!("The start is wrong.\n\na.py\n{one}\n"), vec![block(Some("a.py"), "x = 1", "x = 2")]),
            (format!("**File: `src/b.py`**\n\n{one}"), vec![block(Some("src/b.py"), "x = 1", "x = 2")]),
            (format!("```python\n{one}\n```"), vec![block(None, "x = 1", "x = 2")]),
            (format!("```\na.py\n{one}\n```"), vec![block(Some("a.py"), "x = 1", "x = 2")]),
            (format!("### a.py\n{one}\n{one}"), vec![block(Some("a.py"), "x = 1", "x = 2"); 2]),
            (one.replace('\n', "\r\n"), vec![block(None, "x = 1", "x = 2")]),
            (one.replace("<<<<<<<", "<<<<<<").replace(">>>>>>>", ">>>>>>>>"), vec![block(None, "x = 1", "x = 2")]),
            ("<<<<<<< SEARCH\nx\n=======\n>>>>>>> REPLACE".into(), vec![block(None, "x", "")]),
            (format!("<think>a.py? <<<<<<< SEARCH</think>\n{one}"), vec![block(None, "x = 1", "x = 2")]),
        ];
        for (text, blocks) in cases {
            let parsed = read(&text).unwrap();
            assert_eq!(parsed.blocks, blocks, "{text}");
            assert_eq!(parsed.fences, [], "{text}");
        }
    }

    #[test]
    fn fences_are_read_as_models_write_them() {
        let cases = [
            ("Here:\n```python\nx = 2\n```\nDone.", None, "python"),
            ("a.py:\n```python\nx = 2\n```", Some("a.py"), "python"),
            ("**`a.py`**\n\n```py\nx = 2\n```", Some("a.py"), "py"),
            ("```python:a.py\nx = 2\n```", Some("a.py"), "python"),
            ("```python title=\"a.py\"\nx = 2\n```", Some("a.py"), "python"),
            ("new/c.py\n```\nx = 2\n```", Some("new/c.py"), ""),
            ("See a.py for this:\n```\nx = 2\n```", None, ""),
            ("````python\nx = 2\n````", None, "python"),
            ("```python\nx = 2", None, "python"),
        ];
        for (text, path, language) in cases {
            let fence = Fence { path: path.map(Into::into), language: language.into(), code: "x = 2\n".into() };
            assert_eq!(read(text).unwrap().fences, [fence], "{text}");
        }
        let commented = read("```python\n# a.py\nx = 2\n```").unwrap();
        assert_eq!(commented.fences[0].path.as_deref(), Some("a.py"));
    }

    #[test]
    fn the_words_before_the_code_are_the_reason() {
        assert_eq!(read("It starts\nat zero.\n```\nx\n```\nBye.").unwrap().words, "It starts at zero.");
        assert_eq!(read("I cannot help with that.").unwrap().fences, []);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let cases = [
            ("", Garbled::Empty),
            (" \n\n", Garbled::Empty),
            ("<think>hm", Garbled::Thinking),
            ("<think>hm</think>\n", Garbled::Empty),
            ("<<<<<<< SEARCH\nx\n", Garbled::OpenBlock(MIDDLE)),
            ("<<<<<<< SEARCH\nx\n=======\ny\n```", Garbled::OpenBlock(REPLACE)),
        ];
        for (text, why) in cases {
            assert_eq!(read(text), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(\\PC|[`<>=#\n]){0,120}") {
            let _ = read(&text);
        }

        #[test]
        fn reading_marker_soup_never_panics(parts in proptest::collection::vec(
            prop_oneof![Just("<<<<<<< SEARCH"), Just("======="), Just(">>>>>>> REPLACE"), Just("```python"), Just("```"),
                Just("a.py"), Just("DELETE FILE: a.py"), Just("x = 1"), Just(""), Just("<think>"), Just("é`")], 0..14)) {
            let _ = read(&parts.join("\n"));
        }

        #[test]
        fn what_is_rendered_reads_back(edits in proptest::collection::vec(edit(), 1..5)) {
            let change = Change { edits };
            let parsed = read(&render(&change)).unwrap();
            let mut expected = Parsed::default();
            for edit in change.edits {
                match edit {
                    Edit::Replace { path, search, replace } => {
                        expected.blocks.push(Block { path: Some(path), search, replace });
                    }
                    Edit::Write { path, content } => {
                        expected.fences.push(Fence { path: Some(path), language: String::new(), code: content });
                    }
                    Edit::Delete { path } => expected.deleted.push(path),
                }
            }
            prop_assert_eq!(parsed, expected);
        }
    }

    fn edit() -> impl Strategy<Value = Edit> {
        let path = || prop_oneof![Just("a.py".to_owned()), Just("src/b.py".to_owned()), Just("new/c.py".to_owned())];
        let text = "([ a-z=(){}`é]{0,8}\n){0,3}[ a-z+]{0,6}";
        let content = "([ a-z=()`é#]{0,8}\n){0,3}";
        prop_oneof![
            (path(), text, text).prop_map(|(path, search, replace)| Edit::Replace { path, search, replace }),
            (path(), content.prop_filter("a first line that opens a block", |c| !c.starts_with("<<")))
                .prop_map(|(path, content)| Edit::Write { path, content }),
            path().prop_map(|path| Edit::Delete { path }),
        ]
    }
}
