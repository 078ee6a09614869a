//! Tells what code prints from what its driver says, in whatever pieces both come.

use serde_json::Value;

/// Bytes of one message at most: an image, or a table.
const LONGEST: usize = 64 << 20;
/// Stands before each message, with a nonce behind it. No text of a person has it.
const MARK: u8 = 0x1e;

/// What was read.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Piece {
    /// Printed by the code.
    Text(String),
    /// Said by the driver.
    Message(Value),
}

/// One of the two streams of a driver.
pub(crate) struct Split {
    mark: Vec<u8>,
    buffer: Vec<u8>,
    /// Up to where a message's end was looked for.
    looked: usize,
}

impl Split {
    pub(crate) fn new(nonce: &str) -> Self {
        let mark = std::iter::once(MARK).chain(nonce.bytes()).collect();
        Split { mark, buffer: Vec::new(), looked: 0 }
    }

    /// Takes what came, and gives what is whole.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.buffer.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while !self.buffer.is_empty() {
            let at = self.buffer.windows(self.mark.len()).position(|window| window == self.mark);
            match at {
                Some(0) => {
                    let from = self.looked.max(self.mark.len());
                    let Some(end) = self.buffer[from..].iter().position(|byte| *byte == b'\n').map(|end| from + end)
                    else {
                        self.looked = self.buffer.len();
                        if self.buffer.len() > LONGEST {
                            self.buffer.clear();
                            self.looked = 0;
                        }
                        break;
                    };
                    let message = serde_json::from_slice(&self.buffer[self.mark.len()..end]);
                    // The code knows the nonce if it looks for it; then what it says is its own affair.
                    pieces.extend(message.ok().map(Piece::Message));
                    self.buffer.drain(..=end);
                    self.looked = 0;
                }
                Some(at) => {
                    let text: Vec<u8> = self.buffer.drain(..at).collect();
                    pieces.push(Piece::Text(String::from_utf8_lossy(&text).into_owned()));
                }
                None => {
                    let ready = self.buffer.len() - self.half_mark().max(half_letter(&self.buffer));
                    if ready > 0 {
                        let text: Vec<u8> = self.buffer.drain(..ready).collect();
                        pieces.push(Piece::Text(String::from_utf8_lossy(&text).into_owned()));
                    }
                    break;
                }
            }
        }
        pieces
    }

    /// Bytes at the end that may be the beginning of a mark.
    fn half_mark(&self) -> usize {
        let longest = self.buffer.len().min(self.mark.len() - 1);
        (1..=longest).rev().find(|length| self.buffer.ends_with(&self.mark[..*length])).unwrap_or(0)
    }
}

/// Bytes at the end that are the beginning of a letter (RFC 3629).
fn half_letter(bytes: &[u8]) -> usize {
    for length in 1..=bytes.len().min(3) {
        let first = bytes[bytes.len() - length];
        let whole = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if whole > length { length } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[derive(Clone, Debug)]
    enum Wrote {
        Text(String),
        Message(String),
    }

    proptest! {
        #[test]
        fn text_and_messages_are_told_apart_in_whatever_pieces_they_come(
            wrote in prop::collection::vec(
                prop_oneof![
                    "[a-zäß€😀\u{1e}n\n]{1,12}".prop_map(Wrote::Text),
                    ".{0,12}".prop_map(Wrote::Message),
                ],
                0..8,
            ),
            size in 1usize..9,
        ) {
            let mut bytes = Vec::new();
            let (mut text, mut messages) = (String::new(), Vec::new());
            for one in &wrote {
                match one {
                    Wrote::Text(t) => { bytes.extend(t.as_bytes()); text += t; }
                    Wrote::Message(t) => {
                        bytes.extend(format!("\u{1e}nonce{}\n", json!(t)).as_bytes());
                        messages.push(json!(t));
                    }
                }
            }
            prop_assume!(!text.contains("\u{1e}nonce"));
            let mut split = Split::new("nonce");
            let (mut read, mut told) = (String::new(), Vec::new());
            for piece in bytes.chunks(size).flat_map(|chunk| split.feed(chunk)) {
                match piece {
                    Piece::Text(t) => read += &t,
                    Piece::Message(m) => told.push(m),
                }
            }
            // What may still become a mark is kept back.
            prop_assert!(text.starts_with(&read) && text.len() - read.len() <= 6, "{text:?} {read:?}");
            prop_assert_eq!(told, messages);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..9) {
            let mut split = Split::new("");
            bytes.chunks(size).for_each(|chunk| drop(split.feed(chunk)));
        }
    }

    #[test]
    fn order_is_kept_and_bytes_that_are_no_text_are_shown() {
        let mut split = Split::new("n");
        let pieces = split.feed(b"a\xff\x1en{\"x\":1}\nb");
        assert_eq!(pieces, [Piece::Text("a\u{fffd}".into()), Piece::Message(json!({"x": 1})), Piece::Text("b".into())]);
    }
}
