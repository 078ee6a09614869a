//! The export of a journal: one JSON object a line, as `meliora log --json` prints events, and signed checkpoints between them.
//!
//! A line keeps the event's text byte for byte behind its position, time and hashes, so that an audit needs nothing else.

use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use meliora_domain::Digest;
use meliora_evolve::ArchiveError;
use serde::{Deserialize, Serialize};

use crate::audit::{Audit, Tampering};
use crate::chain::Line;
use crate::checkpoint::Checkpoint;
use crate::error::failed;

/// The longest line that is read: an event is a scorecard or a change at most, and a file that is none shall not fill the memory.
const LONGEST: usize = 1 << 30;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    checkpoint: Checkpoint,
}

/// Writes one event.
pub(crate) fn write_line(out: &mut dyn Write, line: &Line<'_>) -> std::io::Result<()> {
    let hash = |bytes: &[u8]| bytes.try_into().map(Digest).unwrap_or_default();
    let (prev, own) = (hash(line.prev), hash(line.hash));
    write!(out, r#"{{"seq":{},"at":{},"prev":"{prev}","hash":"{own}","#, line.seq, line.at)?;
    out.write_all(line.body.strip_prefix('{').unwrap_or(line.body).as_bytes())?;
    out.write_all(b"\n")
}

/// Writes one checkpoint.
pub(crate) fn write_checkpoint(out: &mut dyn Write, checkpoint: &Checkpoint) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, &Signed { checkpoint: checkpoint.clone() })?;
    out.write_all(b"\n")
}

/// The checkpoint that an export ends with, if it does.
pub fn last_checkpoint(file: &mut (impl Read + Seek)) -> Option<Checkpoint> {
    // More than a checkpoint is ever long: its tree has at most 64 parts.
    const END: u64 = 64 << 10;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    file.rewind().ok()?;
    let last = end.trim_ascii_end().rsplit(|b| *b == b'\n').next()?;
    serde_json::from_slice::<Signed>(last).ok().map(|signed| signed.checkpoint)
}

/// Goes through an export: each event and each checkpoint is handed to the audit. Returns whether the last line is a
/// checkpoint, as it is in every whole export.
pub fn audit_export(read: &mut dyn BufRead, audit: &mut Audit<'_>) -> Result<bool, ArchiveError> {
    let fail = |cause: String| failed("read the export", cause, "it is not a whole export of a journal");
    let mut buffer = Vec::new();
    let (mut number, mut sealed) = (0u64, false);
    loop {
        buffer.clear();
        let mut limited = Read::take(&mut *read, LONGEST as u64);
        if limited.read_until(b'\n', &mut buffer).map_err(|e| fail(e.to_string()))? == 0 {
            return Ok(sealed);
        }
        number += 1;
        while buffer.last().is_some_and(u8::is_ascii_whitespace) {
            buffer.pop();
        }
        sealed = buffer.starts_with(b"{\"checkpoint\":");
        if sealed {
            let signed: Signed = serde_json::from_slice(&buffer).map_err(|e| fail(format!("line {number}: {e}")))?;
            audit.checkpoint(signed.checkpoint);
            continue;
        }
        match parse(&mut buffer) {
            Some(line) => audit.line(&line.borrowed()),
            None => audit.find(Tampering::Edited, 0, format!("line {number} of the export is no event")),
        }
    }
}

/// An event read from a line.
struct Parsed<'a> {
    seq: u64,
    at: u64,
    prev: [u8; 32],
    hash: [u8; 32],
    body: &'a str,
}

impl Parsed<'_> {
    fn borrowed(&self) -> Line<'_> {
        let kind = crate::chain::kind(self.body);
        Line { seq: self.seq, at: self.at, prev: &self.prev, hash: &self.hash, kind, variant: None, body: self.body }
    }
}

/// Reads exactly what [`write_line`] writes. The text of the event is made whole again in the buffer itself: the comma
/// before it becomes the brace that it began with.
fn parse(buffer: &mut [u8]) -> Option<Parsed<'_>> {
    let mut at = 0;
    let seq = number(buffer, &mut at, b"{\"seq\":")?;
    let time = number(buffer, &mut at, b",\"at\":")?;
    let prev = digest(buffer, &mut at, b",\"prev\":\"")?;
    let hash = digest(buffer, &mut at, b",\"hash\":\"")?;
    if buffer.get(at) != Some(&b',') {
        return None;
    }
    buffer[at] = b'{';
    Some(Parsed { seq, at: time, prev, hash, body: std::str::from_utf8(&buffer[at..]).ok()? })
}

fn expect(buffer: &[u8], at: &mut usize, text: &[u8]) -> Option<()> {
    buffer.get(*at..)?.starts_with(text).then(|| *at += text.len())
}

fn number(buffer: &[u8], at: &mut usize, before: &[u8]) -> Option<u64> {
    expect(buffer, at, before)?;
    let digits = buffer[*at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let text = std::str::from_utf8(&buffer[*at..*at + digits]).ok()?;
    *at += digits;
    // A number has one form only.
    text.parse().ok().filter(|_| digits == 1 || !text.starts_with('0'))
}

fn digest(buffer: &[u8], at: &mut usize, before: &[u8]) -> Option<[u8; 32]> {
    expect(buffer, at, before)?;
    let digits = buffer.get(*at..*at + 64)?;
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    *at += 64;
    expect(buffer, at, b"\"")?;
    Some(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
