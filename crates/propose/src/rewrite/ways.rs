//! Which way an attempt goes: a pure function of how many were made and what the brief shows.
//!
//! The first way is the plain one, which larger models need no other than: the program, the failing tests, mend it. Small
//! models mostly copy the defect when they see it, so the next ways show them less: the function without its body, or
//! without one half of it, or without one line; or they name one line as wrong. An answer that copies costs no attempt. A small program
//! with examples is an exercise that any model may well write anew, which is shorter than to show it; there that comes first.
//! Where nothing fails they copy likewise, and each question goes another way than the one before it.

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
    /// One suspicious line after the other: what stands there, when it is left out; then the right one in its place,
    /// when it is named as wrong.
    Sweep,
    /// The same once more, and more daring, for the suspect of this rank.
    Again(usize),
    /// A line after the suspect of this rank.
    After(usize),
    /// A first line of the suspect's function.
    First,
    /// Where nothing fails: write the function of this rank without seeing its body.
    Anew(usize),
    /// Where nothing fails: other values for the numbers that have a name.
    Numbers,
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

/// The ways of ten attempts at an exercise. A line that is missing comes with the function written anew.
const EXERCISE: [Way; 10] = [
    Way::Blind(0),
    Way::Sweep,
    Way::Gap(0),
    Way::Sweep,
    Way::Mend,
    Way::Sweep,
    Way::Gap(1),
    Way::Sweep,
    Way::Blind(1),
    Way::First,
];

/// What a way is chosen by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shown {
    /// How many lines are suspected.
    pub(crate) suspects: usize,
    /// Whether any test fails; there may be none where a score is to be raised.
    pub(crate) failing: bool,
    /// Whether it is one small program with some examples.
    pub(crate) exercise: bool,
}

/// The way of the question with this number (from 0) where nothing fails and something is to be better.
pub(crate) fn improving(turn: usize) -> Way {
    match turn % 6 {
        0 | 4 => Way::Anew(turn / 3),
        2 => Way::Mend,
        _ => Way::Numbers,
    }
}

/// The way of the attempt with this number (from 0), and whether it was gone before.
pub(crate) fn way(turn: usize, shown: Shown) -> (Way, bool) {
    let Shown { suspects, failing, exercise } = shown;
    let (round, again) = (turn / ROUND.len(), turn >= ROUND.len());
    if !failing || suspects == 0 {
        return (Way::Mend, turn > 0);
    }
    match if exercise { EXERCISE } else { ROUND }[turn % ROUND.len()] {
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

    fn shown(suspects: usize) -> Shown {
        Shown { suspects, failing: true, exercise: false }
    }

    #[test]
    fn ten_attempts_go_different_ways_and_the_plain_one_first() {
        let ways: Vec<Way> = (0..10).map(|turn| way(turn, shown(12)).0).collect();
        assert_eq!(ways[0], Way::Mend);
        assert_eq!(ways.iter().filter(|w| **w == Way::Sweep).count(), 3);
        assert_eq!(ways.iter().filter(|w| matches!(w, Way::Gap(_))).count(), 2);
        assert_eq!((way(10, shown(12)), way(19, shown(12))), ((Way::Again(0), true), (Way::After(1), true)));
        assert_eq!((way(13, shown(12)), way(39, shown(1))), ((Way::Gap(2), true), (Way::After(0), true)));
    }

    #[test]
    fn an_exercise_goes_the_same_ways_in_another_order_but_looks_for_a_missing_line_only_at_the_top() {
        let sorted = |ways: [Way; 10], but: Way| {
            let mut ways: Vec<Way> = ways.into_iter().filter(|way| *way != but).collect();
            ways.sort_by_key(|way| format!("{way:?}"));
            ways
        };
        assert_eq!(sorted(ROUND, Way::After(0))[..], sorted(EXERCISE, Way::After(0))[..9]);
        assert_eq!(way(0, Shown { exercise: true, ..shown(5) }), (Way::Blind(0), false));
    }

    #[test]
    fn without_a_failing_test_or_a_suspect_the_whole_is_shown() {
        let plain = Shown { failing: false, exercise: true, ..shown(9) };
        assert!((0..50).all(|turn| way(turn, Shown { exercise: true, ..shown(0) }).0 == Way::Mend));
        assert!((0..50).all(|turn| way(turn, plain).0 == Way::Mend));
    }

    #[test]
    fn where_nothing_fails_no_question_goes_the_way_of_the_one_before_it() {
        let ways: Vec<Way> = (0..24).map(improving).collect();
        assert!(ways.windows(2).all(|pair| pair[0] != pair[1]), "{ways:?}");
        assert!((0..6).all(|turn| improving(turn) == improving(turn + 12) || matches!(improving(turn), Way::Anew(_))));
        let functions: Vec<usize> =
            ways.iter().filter_map(|w| if let Way::Anew(n) = w { Some(*n) } else { None }).collect();
        assert_eq!(functions, (0..functions.len()).collect::<Vec<_>>(), "functions take turns");
    }
}
