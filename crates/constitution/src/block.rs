//! EVOLVE-BLOCK markers: where a file has them, only what stands between them may change.
//!
//! Compared byte by byte; what the text means in its language is not looked at.

use meliora_domain::FileBody;

use crate::Refusal;
use crate::path::refuse;

const START: &[u8] = b"EVOLVE-BLOCK-START";
const END: &[u8] = b"EVOLVE-BLOCK-END";

/// What stands outside the blocks: one piece before, between and after them, the marker lines included.
#[derive(PartialEq, Eq, Debug)]
struct Outside<'a> {
    pieces: Vec<&'a [u8]>,
}

/// A marker that does not fit.
#[derive(PartialEq, Eq, Debug)]
struct Misplaced {
    /// Line, from 1.
    line: usize,
    why: &'static str,
}

/// Refuses a change of this file outside its blocks. `before` is the parent's file, `after` is what stands there after
/// the change, if anything.
pub(crate) fn check(path: &str, before: Option<&FileBody>, after: Option<&FileBody>) -> Result<(), Refusal> {
    let old = before.map_or(&[][..], FileBody::bytes);
    let old_parts = outside(old);
    let new_parts = outside(after.map_or(&[][..], FileBody::bytes));
    match (old_parts, after) {
        (Ok(kept), None) if kept.pieces.len() > 1 => refuse(
            "evolve-block",
            format!(
                "{path:?} has EVOLVE-BLOCK markers and cannot be deleted or renamed; change what stands in a block"
            ),
        ),
        (Err(bad), _) => refuse(
            "evolve-block",
            format!(
                "{path:?} has misplaced EVOLVE-BLOCK markers (line {}: {}), so none of it may change; its owner has to \
                 pair the markers first",
                bad.line, bad.why
            ),
        ),
        (Ok(_), None) => Ok(()),
        (Ok(kept), Some(_)) => match new_parts {
            Ok(new) if new == kept => Ok(()),
            Ok(new) if new.pieces.len() == kept.pieces.len() && kept.pieces.len() > 1 => {
                let line = first_difference(old, &kept, &new);
                refuse(
                    "evolve-block",
                    format!(
                        "{path:?} is changed at line {line}, outside its EVOLVE-BLOCK; lawful are changes between the \
                         markers, which stay as they are"
                    ),
                )
            }
            Ok(new) if new.pieces.len() == 1 && kept.pieces.len() == 1 => Ok(()),
            Ok(_) => markers_moved(path, None),
            Err(bad) => markers_moved(path, Some(bad)),
        },
    }
}

fn markers_moved(path: &str, bad: Option<Misplaced>) -> Result<(), Refusal> {
    let at = bad.map_or(String::new(), |bad| format!(" (line {} of the result: {})", bad.line, bad.why));
    refuse(
        "evolve-block",
        format!(
            "the change adds or removes an EVOLVE-BLOCK marker in {path:?}{at}; markers are set by the file's owner"
        ),
    )
}

fn outside(bytes: &[u8]) -> Result<Outside<'_>, Misplaced> {
    let (mut pieces, mut from, mut at, mut inside) = (Vec::new(), 0, 0, false);
    let mut opened = 0;
    for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let number = number + 1;
        let fail = |why| Err(Misplaced { line: number, why });
        match (holds(line, START), holds(line, END)) {
            (true, true) => return fail("both markers stand on one line"),
            (true, false) if inside => return fail("a block begins inside a block"),
            (true, false) => {
                pieces.push(&bytes[from..at + line.len()]);
                (inside, opened) = (true, number);
            }
            (false, true) if !inside => return fail("a block ends that never began"),
            (false, true) => (inside, from) = (false, at),
            (false, false) => {}
        }
        at += line.len();
    }
    if inside {
        return Err(Misplaced { line: opened, why: "a block begins that never ends" });
    }
    // A file without markers is one piece of nothing: all of it may change.
    pieces.push(if pieces.is_empty() { &[] } else { &bytes[from..] });
    Ok(Outside { pieces })
}

/// Line of the parent's file, from 1, where the first piece that differs begins to differ.
fn first_difference(old: &[u8], kept: &Outside<'_>, new: &Outside<'_>) -> usize {
    let differing = kept.pieces.iter().zip(&new.pieces).find(|(a, b)| a != b);
    let Some((was, is)) = differing else { return 1 };
    let same = was.iter().zip(is.iter()).take_while(|(a, b)| a == b).count();
    // Each piece is a slice of `old`, so its distance from the beginning is its address in it.
    let start = (was.as_ptr() as usize).saturating_sub(old.as_ptr() as usize);
    let until = (start + same).min(old.len());
    1 + old[..until].iter().filter(|b| **b == b'\n').count()
}

fn holds(line: &[u8], marker: &[u8]) -> bool {
    line.windows(marker.len()).any(|window| window == marker)
}
