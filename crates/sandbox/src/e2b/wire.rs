//! What goes over the wire: frames of Connect streams, the messages in them, lines of JSON. Pure; trusts nothing.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

/// Largest message that is taken. The cloud sends output in pieces of 32 KiB.
pub(crate) const FRAME: usize = 16 << 20;
/// Largest line that the code interpreter may send: an image is one line.
pub(crate) const LINE: usize = 64 << 20;

/// Flag of a compressed message; we ask for none.
const COMPRESSED: u8 = 1;
/// Flag of a stream's last message.
const LAST: u8 = 2;

/// Writers pad or do not; both are read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes as JSON carries them.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Bytes from JSON; both alphabets are legal in it.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let text = text.replace('-', "+").replace('_', "/");
    BASE64.decode(text).map_err(|error| format!("bytes that are no base64: {error}"))
}

/// One message of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// The end of the stream, and what it says.
    Last(Vec<u8>),
}

/// A message with its five bytes before it.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(message);
    bytes
}

/// Cuts a stream into its messages, however it arrives.
#[derive(Default)]
pub(crate) struct Frames {
    rest: Vec<u8>,
    ended: bool,
}

impl Frames {
    /// Takes what arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one. `Err` says why the stream cannot be read on.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, String> {
        let Some((head, _)) = self.rest.split_first_chunk::<5>() else { return Ok(None) };
        let [flags, a, b, c, d] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if self.ended {
            return Err("something comes after the last message".into());
        }
        if flags & COMPRESSED != 0 {
            return Err("a message is compressed, which was not asked for".into());
        }
        if length > FRAME {
            return Err(format!("a message has {length} bytes, more than the {FRAME} that are taken"));
        }
        if self.rest.len() < 5 + length {
            return Ok(None);
        }
        let message = self.rest[5..5 + length].to_vec();
        self.rest.drain(..5 + length);
        self.ended = flags & LAST != 0;
        Ok(Some(if self.ended { Frame::Last(message) } else { Frame::Message(message) }))
    }
}

/// Cuts lines, however they arrive.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
    /// So many bytes of it hold no line end.
    looked: usize,
}

impl Lines {
    /// Takes what arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole line without its end; empty ones are passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            let Some(end) = self.rest[self.looked..].iter().position(|b| *b == b'\n') else {
                self.looked = self.rest.len();
                let too_long = self.rest.len() > LINE;
                return if too_long { Err(format!("a line has more than {LINE} bytes")) } else { Ok(None) };
            };
            let mut line: Vec<u8> = self.rest.drain(..=self.looked + end).collect();
            self.looked = 0;
            line.truncate(line.trim_ascii_end().len());
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// What came after the last line end.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.rest.trim_ascii().is_empty()).then_some(self.rest)
    }
}

/// What a command did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// It runs, under this number.
    Start(u32),
    /// It wrote to standard output or to its terminal.
    Out(Vec<u8>),
    /// It wrote to standard error.
    Err(Vec<u8>),
    /// It ended.
    End(End),
    /// Nothing happened, or nothing that is known here.
    Nothing,
}

/// How a command ended, in the cloud's words.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct End {
    pub(crate) exit_code: i32,
    /// Whether it ended by itself. What is not written is `false` or 0.
    pub(crate) exited: bool,
    pub(crate) status: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    event: Option<Inner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner {
    start: Option<Started>,
    data: Option<Data>,
    end: Option<End>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Started {
    pid: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    stdout: Option<String>,
    stderr: Option<String>,
    pty: Option<String>,
}

/// Reads one message of a command's stream.
pub(crate) fn event(message: &[u8]) -> Result<Event, String> {
    let envelope: Envelope =
        serde_json::from_slice(message).map_err(|error| format!("an event that cannot be read: {error}"))?;
    let Some(inner) = envelope.event else { return Ok(Event::Nothing) };
    Ok(match inner {
        Inner { start: Some(Started { pid }), .. } => Event::Start(pid),
        Inner { end: Some(end), .. } => Event::End(end),
        Inner { data: Some(data), .. } => match (data.stdout.or(data.pty), data.stderr) {
            (Some(out), _) => Event::Out(decode(&out)?),
            (None, Some(err)) => Event::Err(decode(&err)?),
            (None, None) => Event::Nothing,
        },
        _ => Event::Nothing,
    })
}

/// The error in a stream's last message, if it holds one: its code and its text.
pub(crate) fn last(message: &[u8]) -> Result<Option<(String, String)>, String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Last {
        error: Option<Fault>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Fault {
        code: String,
        message: String,
    }
    if message.trim_ascii().is_empty() {
        return Ok(None);
    }
    let last: Last =
        serde_json::from_slice(message).map_err(|error| format!("an end of stream that cannot be read: {error}"))?;
    Ok(last.error.map(|fault| (fault.code, fault.message)))
}

/// The signal in the cloud's words for an end that was no exit: `signal: killed`, `signal: segmentation fault (core
/// dumped)`, `signal 35`, `signal: 11`, `exit status -9`. The words are those of Go's `syscall.Signal` on Linux.
pub(crate) fn signal_of(status: &str) -> Option<i32> {
    const WORDS: [&str; 15] = [
        "hangup",
        "interrupt",
        "quit",
        "illegal instruction",
        "trace/breakpoint trap",
        "aborted",
        "bus error",
        "floating point exception",
        "killed",
        "user defined signal 1",
        "segmentation fault",
        "user defined signal 2",
        "broken pipe",
        "alarm clock",
        "terminated",
    ];
    if let Some(code) = status.strip_prefix("exit status -") {
        return code.trim().parse().ok().filter(|number| (1..=64).contains(number));
    }
    let words = status.strip_prefix("signal: ").unwrap_or(status).trim_end_matches(" (core dumped)").trim();
    if let Some(place) = WORDS.iter().position(|known| *known == words) {
        return i32::try_from(place + 1).ok();
    }
    words.strip_prefix("signal ").unwrap_or(words).parse().ok().filter(|number| (1..=64).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_are_told_apart_as_the_cloud_words_them() {
        let end = |text: &str| match event(text.as_bytes()).unwrap() {
            Event::End(end) => end,
            other => panic!("{other:?}"),
        };
        let exited = end(r#"{"event":{"end":{"exited":true,"status":"exit status 0"}}}"#);
        assert_eq!((exited.exited, exited.exit_code), (true, 0));
        let killed = end(r#"{"event":{"end":{"exitCode":-1,"status":"signal: killed","error":"signal: killed"}}}"#);
        assert_eq!((killed.exited, signal_of(&killed.status)), (false, Some(9)));
        for (status, signal) in [
            ("signal: segmentation fault (core dumped)", Some(11)),
            ("signal: terminated", Some(15)),
            ("signal: signal 24", Some(24)),
            ("signal: 11", Some(11)),
            ("exit status -15", Some(15)),
            ("signal: nonsense", None),
            ("signal 4000", None),
            ("", None),
        ] {
            assert_eq!(signal_of(status), signal, "{status}");
        }
    }

    #[test]
    fn messages_that_are_not_known_are_nothing_and_broken_ones_an_error() {
        for known in ["{}", r#"{"event":{}}"#, r#"{"event":{"keepalive":{}}}"#, r#"{"event":{"data":{"new":1}}}"#] {
            assert_eq!(event(known.as_bytes()), Ok(Event::Nothing), "{known}");
        }
        for broken in ["", "[", "7", r#"{"event":{"data":{"stdout":"%"}}}"#, r#"{"event":{"start":{"pid":-1}}}"#] {
            assert!(event(broken.as_bytes()).is_err(), "{broken}");
        }
        assert_eq!(last(b"{}"), Ok(None));
        assert_eq!(last(br#"{"error":{"code":"internal"}}"#), Ok(Some(("internal".into(), String::new()))));
        assert!(last(b"no").is_err());
    }

    #[test]
    fn a_frame_that_is_compressed_or_huge_or_after_the_last_is_refused() {
        for head in [[1, 0, 0, 0, 0], [0, 255, 255, 255, 255]] {
            let mut frames = Frames::default();
            frames.push(&head);
            assert!(frames.next().is_err());
        }
        let mut frames = Frames::default();
        frames.push(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(frames.next(), Ok(Some(Frame::Last(Vec::new()))));
        assert!(frames.next().is_err());
    }

    /// Cuts bytes at the given places, whatever they are.
    fn pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for piece in pieces(&bytes, &cuts) {
                frames.push(&piece);
                while let Some(Frame::Message(message)) = frames.next().unwrap() {
                    out.push(message);
                }
            }
            prop_assert_eq!(out, messages);
        }

        #[test]
        fn no_bytes_upset_the_parsers(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            while let Ok(Some(_)) = frames.next() {}
            let mut lines = Lines::default();
            lines.push(&bytes);
            while let Ok(Some(line)) = lines.next() {
                prop_assert!(!line.contains(&b'\n'));
            }
            lines.finish();
            event(&bytes).ok();
            last(&bytes).ok();
            signal_of(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_json_upsets_the_reader_of_events(text in r#"\{"event":\{"(start|data|end|keepalive)":(\{("(pid|stdout|stderr|pty|exitCode|exited|status)":([0-9]{1,12}|"[A-Za-z0-9+/=_-]{0,9}"|true|null),?){0,3}\}|null|7)\}\}"#) {
            event(text.as_bytes()).ok();
        }

        #[test]
        fn lines_come_out_as_they_went_in_however_they_are_cut(
            texts in prop::collection::vec("[a-z{}\":,]{1,30}", 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\r\n\n").into_bytes()).collect();
            let mut lines = Lines::default();
            let mut out = Vec::new();
            for piece in pieces(&bytes, &cuts) {
                lines.push(&piece);
                while let Some(line) = lines.next().unwrap() {
                    out.push(String::from_utf8(line).unwrap());
                }
            }
            prop_assert_eq!(out, texts);
            prop_assert_eq!(lines.finish(), None);
        }

        #[test]
        fn bytes_survive_json(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes.clone());
            prop_assert_eq!(decode(encode(&bytes).trim_end_matches('=')).unwrap(), bytes);
        }
    }
}
