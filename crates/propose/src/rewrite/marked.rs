//! Answers for a program of which only what stands between `EVOLVE-BLOCK-START` and `EVOLVE-BLOCK-END` may change.

use crate::mutate::render::Blocks;

/// The program with the blocks of an answer in the place of its own; `None` where the answer has not as many, or is
/// another program outside of them, which is for others to refuse. White space there says nothing, and neither does an
/// answer that is the blocks alone.
pub(super) fn put_in(old: &str, code: &str) -> Option<String> {
    let (own, new) = (Blocks::of(old), Blocks::of(code));
    let (ours, theirs) = (own.spans(), new.spans());
    if ours.is_empty() || ours.len() != theirs.len() || code.matches("EVOLVE-BLOCK-END").count() != theirs.len() {
        return None;
    }
    let (before, around) = (outside(old, ours), outside(code, theirs));
    if !words(&around).is_empty() && words(&around) != words(&before) {
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

/// What stands around these places.
fn outside(text: &str, spans: &[(usize, usize)]) -> String {
    let mut rest = String::new();
    let mut at = 0;
    for (start, end) in spans {
        rest += &text[at..*start];
        at = *end;
    }
    rest + &text[at..]
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
        ] {
            assert_eq!(put_in(PROGRAM, answer).as_deref(), Some(wanted.as_str()));
        }
    }

    #[test]
    fn what_changes_outside_is_not_mended() {
        for answer in [
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
