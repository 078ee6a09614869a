//! Uploads as forms (`multipart/form-data`, RFC 7578), read from a body that has come whole.

use crate::fault::{Answer, invalid};

/// One file of a form.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Part<'a> {
    /// The name of its field.
    pub(crate) name: String,
    /// The name that the file has, if it has one.
    pub(crate) file: Option<String>,
    /// Its contents.
    pub(crate) bytes: &'a [u8],
}

/// Parts of a form that are taken.
const PARTS: usize = 1000;

/// The boundary that a content type names.
///
/// # Errors
/// If it names none.
pub(crate) fn boundary(content_type: &str) -> Answer<String> {
    let found = parameters(content_type).into_iter().find(|(name, _)| name == "boundary").map(|(_, value)| value);
    found.filter(|text| !text.is_empty() && text.len() <= 200).ok_or_else(|| invalid("the form names no boundary"))
}

/// The parts of a form.
///
/// # Errors
/// What is malformed, in words.
pub(crate) fn parts<'a>(body: &'a [u8], boundary: &str) -> Answer<Vec<Part<'a>>> {
    let opening = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    // Whatever stands before the first boundary is no part (RFC 2046, 5.1.1).
    let mut rest = match body.strip_prefix(opening.as_bytes()) {
        Some(rest) => rest,
        None => {
            let at = find(body, between.as_bytes()).ok_or_else(|| invalid("the form has no boundary"))?;
            &body[at + between.len()..]
        }
    };
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        // Blanks behind a boundary are allowed.
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        rest = rest[blanks..].strip_prefix(b"\r\n").ok_or_else(|| invalid("a boundary of the form has no line end"))?;
        let (head, content) = if let Some(content) = rest.strip_prefix(b"\r\n") {
            (&rest[..0], content)
        } else {
            let end = find(rest, b"\r\n\r\n").ok_or_else(|| invalid("a part of the form has no end of its headers"))?;
            (&rest[..end], &rest[end + 4..])
        };
        let end = find(content, between.as_bytes()).ok_or_else(|| invalid("the form ends in the middle of a part"))?;
        if parts.len() == PARTS {
            return Err(invalid(format!("the form has more than {PARTS} parts")));
        }
        parts.push(part(head, &content[..end])?);
        rest = &content[end + between.len()..];
    }
}

fn part<'a>(head: &[u8], bytes: &'a [u8]) -> Answer<Part<'a>> {
    let head = std::str::from_utf8(head).map_err(|_| invalid("the headers of a part are not UTF-8"))?;
    let disposition = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))
        .map(|(_, value)| parameters(value))
        .ok_or_else(|| invalid("a part of the form has no Content-Disposition"))?;
    let value = |wanted: &str| disposition.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let name = value("name").ok_or_else(|| invalid("a part of the form has no name"))?;
    // RFC 8187: a charset, a language, percent-encoded text.
    let extended = value("filename*").and_then(|text| {
        let (charset, text) = text.split_once('\'')?;
        let (_, text) = text.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| crate::query::decode(text)).flatten()
    });
    Ok(Part { name, file: extended.or_else(|| value("filename").map(unescape)), bytes })
}

/// What a browser (and the SDKs) write for a quote and for line ends in a file's name (RFC 7578, 4.2; WHATWG).
fn unescape(name: String) -> String {
    name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// The parameters of a header: `x; name=value; other="quoted; value"`.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_start_matches([' ', '\t', ';']).trim().to_ascii_lowercase();
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.push((name, value));
        rest = behind;
    }
    found
}

/// A quoted value, in which a backslash stands before a quote or itself, and what is behind it.
fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next() {
                Some((_, next @ ('"' | '\\'))) => value.push(next),
                Some((_, next)) => value.extend(['\\', next]),
                None => value.push('\\'),
            },
            letter => value.push(letter),
        }
    }
    (value, "")
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        if text[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(parts: &[(String, Vec<u8>)], boundary: &str) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, bytes) in parts {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n").into_bytes());
            body.extend(bytes);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").into_bytes());
        body
    }

    proptest! {
        #[test]
        fn files_survive_the_form(
            files in prop::collection::vec(("[a-zA-Z0-9 ;=/\\\\\"äß._-]{0,20}", prop::collection::vec(any::<u8>(), 0..60)), 0..5),
        ) {
            let body = form(&files, "XyZ0123456789");
            let read = parts(&body, "XyZ0123456789").unwrap();
            let read: Vec<_> = read.into_iter().map(|p| (p.file.unwrap(), p.bytes.to_vec())).collect();
            prop_assert_eq!(read, files);
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), boundary in "[a-z]{1,3}") {
            parts(&body, &boundary).ok();
            parts(&[format!("--{boundary}").as_bytes(), &body].concat(), &boundary).ok();
        }

        #[test]
        fn a_form_cut_anywhere_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 1usize..200) {
            let body = form(&[("a".to_owned(), bytes)], "BOUNDARY");
            let cut = cut.min(body.len());
            // Without its last boundary's two dashes it is not whole.
            prop_assume!(cut > 4);
            prop_assert!(parts(&body[..body.len() - cut], "BOUNDARY").is_err());
        }

        #[test]
        fn no_header_makes_it_panic(header in ".{0,80}") {
            boundary(&header).ok();
            parameters(&header);
        }
    }

    #[test]
    fn names_are_read_as_clients_write_them() {
        let body = b"--b\r\ncontent-disposition: form-data; name=file; filename=\"/home/user/a b.txt\"\r\n\r\nhi\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''na%C3%AFve.txt\r\n\r\n\r\n--b--";
        let read = parts(body, "b").unwrap();
        assert_eq!(read[0].file.as_deref(), Some("/home/user/a b.txt"));
        assert_eq!((read[1].file.as_deref(), read[1].bytes), (Some("naïve.txt"), &b""[..]));
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\"").unwrap(), "a b");
        assert!(boundary("multipart/form-data").is_err());
    }
}
