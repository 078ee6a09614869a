//! Which way an attempt goes: a pure function of how many were made and what the brief shows.
//!
//! The first way is the plain one, which larger models need no other than: the program, the failing tests, mend it. Small
//! models mostly copy the defect when they see it, so the next ways show them less: the function without its body, or
//! without one half of it, or one line that is named as wrong. An answer that copies costs no attempt.

/// How to go about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Mend or improve what is there.
    Mend,
    /// Write a suspect function without seeing its body: the one of this rank.
    Blind(usize),
    /// Write a suspect function of which one half is left out: 0 is the more suspicious half of the first one, 1 its
    /// other half, then those of the next.
    Gap(usize),
    /// The right line in place of the first suspects that were not tried yet.
    Sweep,
    /// The same once more, and more daring, for the suspect of this rank.
    Again(usize),
    /// A line after the suspect of this rank.
    After(usize),
    /// A first line of the suspect's function.
    First,
}

/// The ways of ten attempts.
const ROUND: [Way; 10] = [
    Way::Mend,
    Way::Blind(0),
    Way::Sweep,
    Way::Gap(0),
    Way::Sweep,
    Way::Gap(1),
    Way::Sweep,
    Way::Blind(1),
    Way::First,
    Way::After(0),
];

/// The way of the attempt with this number (from 0), and whether it was gone before. `failing`: whether any test fails;
/// there may be none where a score is to be raised.
pub(crate) fn way(turn: usize, suspects: usize, failing: bool) -> (Way, bool) {
    let (round, again) = (turn / ROUND.len(), turn >= ROUND.len());
    if !failing || suspects == 0 {
        return (Way::Mend, turn > 0);
    }
    match ROUND[turn % ROUND.len()] {
        // What was missing after one line may be missing after another.
        Way::After(rank) => (Way::After((rank + round) % suspects), again),
        // Every other round begins with the line that is suspected most instead of the whole.
        Way::Mend if round % 2 == 1 => (Way::Again((round / 2) % suspects), true),
        Way::Blind(rank) => (Way::Blind(rank + round), again || rank > 0),
        Way::Gap(part) => (Way::Gap(part + 2 * round), again),
        other => (other, again),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_go_different_ways_and_the_plain_one_first() {
        let ways: Vec<Way> = (0..10).map(|turn| way(turn, 12, true).0).collect();
        assert_eq!(ways[0], Way::Mend);
        assert_eq!(ways.iter().filter(|w| **w == Way::Sweep).count(), 3);
        assert_eq!(ways.iter().filter(|w| matches!(w, Way::Gap(_))).count(), 2);
        assert_eq!((way(10, 12, true), way(19, 12, true)), ((Way::Again(0), true), (Way::After(1), true)));
        assert_eq!((way(13, 12, true), way(39, 1, true)), ((Way::Gap(2), true), (Way::After(0), true)));
    }

    #[test]
    fn without_a_failing_test_or_a_suspect_the_whole_is_shown() {
        assert!((0..50).all(|turn| way(turn, 0, true).0 == Way::Mend));
        assert!((0..50).all(|turn| way(turn, 9, false).0 == Way::Mend));
    }
}
