//! The envelope of the Connect protocol: a flag, a length, a message (`connectrpc.com/docs/protocol`, "Streaming RPCs").
//!
//! Only the JSON codec without compression is spoken. Nothing in here trusts a length before it is checked.

use bytes::{Buf, Bytes, BytesMut};
use serde_json::{Value, json};

use crate::fault::{Answer, Fault, Kind, fault, invalid};

/// Bytes of a flag and a length.
const HEAD: usize = 5;
/// The flag of the last message of a stream.
const LAST: u8 = 2;
/// The flag of a compressed message.
const COMPRESSED: u8 = 1;

/// One message of a stream, in its envelope.
pub(crate) fn frame(message: &Value) -> Bytes {
    envelope(0, message)
}

/// The end of a stream, with what went wrong if something did.
pub(crate) fn last(fault: Option<&Fault>) -> Bytes {
    envelope(LAST, &fault.map_or_else(|| json!({}), |fault| json!({"error": fault.connect()})))
}

fn envelope(flag: u8, message: &Value) -> Bytes {
    let text = message.to_string();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEAD + text.len());
    bytes.push(flag);
    bytes.extend(length.to_be_bytes());
    bytes.extend(text.into_bytes());
    bytes.into()
}

/// What a client's stream holds so far. Fed as bytes arrive, in whatever pieces.
pub(crate) struct Frames {
    buffer: BytesMut,
    limit: usize,
    ended: bool,
}

impl Frames {
    /// A reader of messages of at most `limit` bytes each.
    pub(crate) fn new(limit: usize) -> Self {
        Frames { buffer: BytesMut::new(), limit, ended: false }
    }

    /// Takes what has just arrived.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more has come.
    ///
    /// # Errors
    /// A message that is too long, compressed, of an unknown kind, behind the last one, or no JSON object.
    pub(crate) fn next(&mut self) -> Answer<Option<Value>> {
        let &[flag, a, b, c, d, ..] = &self.buffer[..] else { return Ok(None) };
        if self.ended {
            return Err(invalid("the stream goes on behind its last message"));
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.limit {
            let message = format!("a message of {length} bytes is announced; at most {} are taken", self.limit);
            return Err(fault(Kind::TooLarge, message));
        }
        match flag {
            0 => {}
            LAST => self.ended = true,
            flag if flag & COMPRESSED != 0 => {
                return Err(fault(Kind::Unsupported, "compressed messages are not taken"));
            }
            flag => return Err(invalid(format!("a message has the unknown flag {flag}"))),
        }
        if self.buffer.len() < HEAD + length {
            self.ended = false;
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        let message = self.buffer.split_to(length);
        // The client's own end of a stream carries nothing that matters here.
        if self.ended { Ok(None) } else { object(&message).map(Some) }
    }

    /// What is wrong with a stream that ends here.
    pub(crate) fn end(&self) -> Answer<()> {
        if self.buffer.is_empty() { Ok(()) } else { Err(invalid("the stream ends in the middle of a message")) }
    }
}

/// A JSON object; nothing at all stands for an empty one.
pub(crate) fn object(bytes: &[u8]) -> Answer<Value> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(format!("no valid JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(invalid("a JSON object was expected")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_survive_in_whatever_pieces_they_come(
            texts in prop::collection::vec(".{0,40}", 0..6),
            size in 1usize..20,
        ) {
            let messages: Vec<Value> = texts.iter().map(|text| json!({ "t": text })).collect();
            let bytes: Vec<u8> = messages.iter().flat_map(|m| frame(m).to_vec()).chain(last(None)).collect();
            let mut frames = Frames::new(1 << 20);
            let mut read = Vec::new();
            for piece in bytes.chunks(size) {
                frames.feed(piece);
                while let Some(message) = frames.next().unwrap() {
                    read.push(message);
                }
            }
            prop_assert_eq!(read, messages);
            prop_assert!(frames.end().is_ok());
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_more_than_its_limit(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut frames = Frames::new(64);
            frames.feed(&bytes);
            while let Ok(Some(message)) = frames.next() {
                prop_assert!(message.is_object());
            }
        }

        #[test]
        fn a_stream_cut_anywhere_is_noticed(text in ".{1,40}", cut in 1usize..40) {
            let bytes = frame(&json!({ "t": text }));
            let mut frames = Frames::new(1 << 20);
            frames.feed(&bytes[..cut.min(bytes.len() - 1)]);
            prop_assert_eq!(frames.next().unwrap(), None);
            prop_assert!(frames.end().is_err());
        }
    }

    #[test]
    fn a_length_is_checked_before_anything_of_that_length_has_come() {
        let mut frames = Frames::new(1000);
        frames.feed(&[0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(frames.next().unwrap_err().kind, Kind::TooLarge);
    }

    #[test]
    fn what_is_no_message_is_refused_by_its_name() {
        for (bytes, word) in [
            (&[1, 0, 0, 0, 0][..], "compressed"),
            (&[8, 0, 0, 0, 0][..], "flag 8"),
            (&[0, 0, 0, 0, 1, b'x'][..], "JSON"),
            (&[0, 0, 0, 0, 2, b'[', b']'][..], "object"),
            (&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], "behind its last"),
        ] {
            let mut frames = Frames::new(1000);
            frames.feed(bytes);
            let told = frames.next().and_then(|_| frames.next()).unwrap_err();
            assert!(told.message.contains(word), "{bytes:?}: {told:?}");
        }
    }
}
