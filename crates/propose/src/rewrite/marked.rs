//! Answers for a program of which only what stands between `EVOLVE-BLOCK-START` and `EVOLVE-BLOCK-END` may change.

use crate::mutate::render::Blocks;

/// The program with the blocks of an answer in the place of its own; `None` where the answer has not as many, or is
/// another program outside of them, which is for others to refuse. White space there says nothing, and what is
/// further away from a block may be left out: what was asked for is the blocks.
pub(super) fn put_in(old: &str, code: &str) -> Option<String> {
    let (own, new) = (Blocks::of(old), Blocks::of(code));
    let (ours, theirs) = (own.spans(), new.spans());
    if ours.is_empty() || ours.len() != theirs.len() || code.matches("EVOLVE-BLOCK-END").count() != theirs.len() {
        return None;
    }
    let (before, around) = (outside(old, ours), outside(code, theirs));
    let last = before.len() - 1;
    let same = before.iter().zip(&around).enumerate().all(|(n, (before, around))| {
        let (before, around) = (words(before), words(around));
        // What stands next to a block may be shown with it, and what is further away be left out.
        n > 0 && before.starts_with(&around) || n < last && before.ends_with(&around)
    });
    if !same {
        return None;
    }
    let mut text = String::new();
    let mut at = 0;
    for ((start, end), (from, to)) in ours.iter().zip(theirs) {
        text += &old[at..*start];
        text += &code[*from..*to];
        at = *end;
    }
    Some(text + &old[at..])
}

/// What stands before, between and behind these places.
fn outside<'t>(text: &'t str, spans: &[(usize, usize)]) -> Vec<&'t str> {
    let begins = std::iter::once(0).chain(spans.iter().map(|(_, end)| *end));
    let ends = spans.iter().map(|(start, _)| *start).chain([text.len()]);
    begins.zip(ends).map(|(from, to)| &text[from..to]).collect()
}

/// Code without the lines of markers.
pub(super) fn bare(code: &str) -> String {
    code.split_inclusive('\n').filter(|line| !line.contains("EVOLVE-BLOCK-")).collect()
}

/// Lines that say something, without the markers and the white space around.
fn words(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("EVOLVE-BLOCK-")).collect()
}

#[cfg(test)]
mod tests {
    use super::put_in;

    const PROGRAM: &str =
        "import math\n\n# EVOLVE-BLOCK-START\nA = 1\n# EVOLVE-BLOCK-END\n\n\ndef run():\n    return A\n";

    #[test]
    fn a_block_alone_and_other_white_space_around_it_are_taken() {
        let wanted = PROGRAM.replace("A = 1", "A = 2\nB = 3");
        for answer in [
            "# EVOLVE-BLOCK-START\nA = 2\nB = 3\n# EVOLVE-BLOCK-END\n",
            "import math\n# EVOLVE-BLOCK-START\nA = 2\nB = 3\n# EVOLVE-BLOCK-END\n\ndef run():\n    return A",
            "import math\n# EVOLVE-BLOCK-START\nA = 2\nB = 3\n# EVOLVE-BLOCK-END\n",
        ] {
            assert_eq!(put_in(PROGRAM, answer).as_deref(), Some(wanted.as_str()));
        }
    }

    #[test]
    fn what_changes_outside_is_not_mended() {
        for answer in [
            "import math\n# EVOLVE-BLOCK-START\nA = 2\n# EVOLVE-BLOCK-END\n    return A\n",
            "import os\n# EVOLVE-BLOCK-START\nA = 2\n# EVOLVE-BLOCK-END\ndef run():\n    return A\n",
            "import math\n# EVOLVE-BLOCK-START\nA = 2\ndef run():\n    return A\n",
            "A = 2\n",
            "# EVOLVE-BLOCK-START\nA = 2\n# EVOLVE-BLOCK-END\n# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\n",
        ] {
            assert_eq!(put_in(PROGRAM, answer), None, "{answer}");
        }
        assert_eq!(put_in("A = 1\n", "A = 2\n"), None);
    }
}
