//! What the failures look like, and which families of edits that speaks for.
//!
//! An error's kind and a time-out are told in a task's detail in the benchmark's words. They lean the order a little and
//! never rule a family out.

use meliora_domain::Feedback;

use super::prior::Family;

/// How a task failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Look {
    /// It read what is not there: past an end, a missing key, a field of nothing, a division by zero.
    Absent,
    /// It called itself without end.
    Bottomless,
    /// It did not end in time.
    Endless,
    /// A value of the wrong kind.
    WrongKind,
    /// A wrong result, or nothing known.
    Other,
}

/// How much the failing tasks speak for each family.
#[derive(Default)]
pub(super) struct Cues {
    looks: Vec<Look>,
}

impl Cues {
    /// Reads what the failing tasks told.
    pub(super) fn of(feedback: &[Feedback]) -> Cues {
        Cues { looks: feedback.iter().filter(|f| !f.passed).map(|f| look(&f.detail)).collect() }
    }

    /// The factor of a family's weight: 1 without a cue.
    pub(super) fn lean(&self, family: Family) -> f64 {
        if self.looks.is_empty() {
            return 1.0;
        }
        let speaks = self.looks.iter().map(|look| factor(*look, family)).sum::<f64>();
        speaks / self.looks.len() as f64
    }
}

fn look(detail: &str) -> Look {
    if detail.contains(": took longer than ") || detail.contains("had run out of time already") {
        return Look::Endless;
    }
    let Some((_, raised)) = detail.rsplit_once(", raised ") else { return Look::Other };
    match raised.split([':', '\n']).next().unwrap_or("") {
        "RecursionError" | "RangeError" => Look::Bottomless,
        "IndexError" | "KeyError" | "ZeroDivisionError" | "AttributeError" | "StopIteration" | "ValueError" => {
            Look::Absent
        }
        "TypeError" if raised.contains("NoneType") => Look::Absent,
        "TypeError" => Look::WrongKind,
        _ => Look::Other,
    }
}

fn factor(look: Look, family: Family) -> f64 {
    match (look, family) {
        (Look::Absent, Family::Guard | Family::Skip) => 2.0,
        (Look::Absent, Family::Clause | Family::Boundary | Family::Range | Family::Shift) => 1.4,
        (Look::Bottomless, Family::Guard) => 2.5,
        (Look::Bottomless, Family::Shift | Family::Constant | Family::Boundary | Family::Comparison) => 1.2,
        (Look::Endless, Family::Insert) => 1.6,
        (Look::Endless, Family::Shift | Family::Augmented | Family::LoopCondition | Family::Indent) => 1.3,
        (Look::WrongKind, Family::Wrap | Family::Unwrap | Family::Arguments | Family::Kin) => 1.4,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::TaskId;

    fn failed(detail: &str) -> Feedback {
        Feedback { task: TaskId("t".into()), passed: false, detail: detail.into(), lines: Default::default() }
    }

    #[test]
    fn endless_recursion_speaks_for_a_missing_base_case() {
        let told =
            failed("f(3): expected 6, raised RecursionError: maximum recursion depth exceeded\n  at a.py:2 in f");
        let cues = Cues::of(&[told]);
        assert!(cues.lean(Family::Guard) > cues.lean(Family::Operator));
    }

    #[test]
    fn a_run_without_end_speaks_for_a_missing_step() {
        let cues = Cues::of(&[failed("f(3): took longer than 0.3 s")]);
        assert!(cues.lean(Family::Insert) > cues.lean(Family::Operator));
    }

    #[test]
    fn a_wrong_result_speaks_for_nothing() {
        let mut passed = failed("f(1): expected 1, raised KeyError: 1");
        passed.passed = true;
        let cues = Cues::of(&[failed("f(3): expected 6, got 7"), passed]);
        assert_eq!(cues.lean(Family::Guard), 1.0);
        assert_eq!(Cues::of(&[]).lean(Family::Insert), 1.0);
    }
}
