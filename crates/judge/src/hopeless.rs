//! Whether the first few tasks show already that a variant is not worth the others.

use std::collections::BTreeSet;

use meliora_domain::{Judgement, Scorecard, TaskId, Verdict};

use crate::pairs::{Pairs, unviable};
use crate::sign_test;

/// Highest one-sided p-value of being worse that ends an examination early. It takes four tasks, all of them lost.
const CLEARLY: f64 = 0.1;

/// Judges a variant that was examined on some validation tasks only: `None` unless it is hopeless.
///
/// It is where the exact [`sign_test`] of worse against better tasks, paired with the reference's marks, gives at most 0.1,
/// or where every one of at least two tasks ended in a crash, a time-out, a limit or without a readable result. `others` is the
/// number of tasks that are then left out.
pub fn hopeless(
    variant: &Scorecard,
    reference: &[&Scorecard],
    flaky: &BTreeSet<TaskId>,
    others: usize,
) -> Option<Judgement> {
    let comparable: Vec<&Scorecard> = reference.iter().copied().filter(|r| r.evaluator == variant.evaluator).collect();
    let pairs = Pairs::shared(&[variant], &comparable, flaky);
    let (wins, losses) = pairs.wins_and_losses();
    let (n, p) = (pairs.len(), sign_test(losses, wins));
    let rest = format!("the other {others} were not examined");
    let judged = |verdict, reason: String| Some(Judgement::of(verdict, pairs.effect(), reason));
    if n >= 2 && unviable(variant) {
        return judged(Verdict::Unviable, format!("it does none of the first {n} tasks; {rest}"));
    }
    if p <= CLEARLY {
        let count = format!("worse on {losses} and better on {wins} of the first {n} tasks than its parent");
        return judged(Verdict::Rejected, format!("{count}; {rest}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::{Mark, MarkStatus, Split};

    fn card(marks: &[(u32, MarkStatus)]) -> Scorecard {
        let mark = |(task, status): &(u32, MarkStatus)| Mark {
            task: TaskId(task.to_string()),
            split: Split::Validation,
            status: *status,
            score: if *status == MarkStatus::Passed { 1.0 } else { 0.0 },
            detail: String::new(),
        };
        Scorecard { marks: marks.iter().map(mark).collect(), ..Scorecard::default() }
    }

    fn all(tasks: u32, status: MarkStatus) -> Scorecard {
        card(&(0..tasks).map(|task| (task, status)).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_luck_would_seldom_do_ends_an_examination() {
        use MarkStatus::{Crashed, Failed, Passed};
        let parent = all(12, Passed);
        let ruling = |card: &Scorecard| hopeless(card, &[&parent], &BTreeSet::new(), 8);
        assert_eq!(ruling(&all(3, Failed)), None, "three of three are lost by luck in 12.5 % of cases");
        let judgement = ruling(&all(4, Failed)).unwrap();
        assert_eq!(judgement.verdict, Verdict::Rejected);
        assert_eq!(
            judgement.reason,
            "worse on 4 and better on 0 of the first 4 tasks than its parent; the other 8 were not examined"
        );
        assert_eq!(
            ruling(&card(&[(0, Failed), (1, Failed), (2, Failed), (3, Failed), (4, Passed)])).map(|j| j.verdict),
            Some(Verdict::Rejected)
        );
        assert_eq!(ruling(&all(4, Passed)), None);
        assert_eq!(ruling(&all(1, Crashed)), None);
        assert_eq!(ruling(&all(2, Crashed)).map(|j| j.verdict), Some(Verdict::Unviable));
        // What the parent cannot do either shows nothing.
        assert_eq!(hopeless(&all(9, Failed), &[&all(12, Failed)], &BTreeSet::new(), 3), None);
        assert_eq!(hopeless(&all(9, Failed), &[], &BTreeSet::new(), 3), None, "nothing to compare with");
    }
}
