//! Whether the first few tasks show already that a variant is not worth the others.

use std::collections::BTreeSet;

use meliora_domain::{Judgement, Scorecard, Split, TaskId, Verdict};

use crate::pairs::{Pairs, unviable};
use crate::sign_test;

/// Highest one-sided p-value of being worse that ends an examination at its first look. It takes four tasks, all of them lost.
/// Each later look may err half as often as the one before it, so all together twice as often.
const CLEARLY: f64 = 0.1;

/// Judges a variant that was examined on some of `all` validation tasks only, where its newest examination brings it to
/// a look: `None` unless it is hopeless.
///
/// It is looked at once it has marks of `first` tasks, of twice as many, and so on. It is hopeless where the exact
/// [`sign_test`] of worse against better tasks, paired with the reference's marks, gives at most 0.1, halved with each look,
/// or where every one of at least two tasks ended in a crash, a time-out, a limit or without a readable result. With
/// `first = 0` there is no look.
pub fn hopeless(
    variant: &[&Scorecard],
    reference: &[&Scorecard],
    flaky: &BTreeSet<TaskId>,
    (first, all): (usize, usize),
) -> Option<Judgement> {
    let (newest, older) = variant.split_last()?;
    let look = look(first, marked(older), marked(variant))?;
    let comparable: Vec<&Scorecard> = reference.iter().copied().filter(|r| r.evaluator == newest.evaluator).collect();
    let pairs = Pairs::shared(variant, &comparable, flaky);
    let (wins, losses) = pairs.wins_and_losses();
    let (n, p) = (pairs.len(), sign_test(losses, wins));
    let rest = format!("the other {} were not examined", all.saturating_sub(marked(variant)));
    let judged = |verdict, reason: String| Some(Judgement::of(verdict, pairs.effect(), reason));
    if n >= 2 && variant.iter().all(|card| unviable(card)) {
        return judged(Verdict::Unviable, format!("it does none of the first {n} tasks; {rest}"));
    }
    if p <= CLEARLY / f64::from(1u32 << look) {
        let count = format!("worse on {losses} and better on {wins} of the first {n} tasks than its parent");
        return judged(Verdict::Rejected, format!("{count}; {rest}"));
    }
    None
}

/// The number of the look, from 0, that is due where a variant had marks of `before` tasks and has them of `now`.
fn look(first: usize, before: usize, now: usize) -> Option<u32> {
    let reached = |tasks: usize| tasks.checked_div(first)?.checked_ilog2();
    reached(now).filter(|_| reached(before) != reached(now))
}

/// How many validation tasks have a mark.
fn marked(cards: &[&Scorecard]) -> usize {
    cards.iter().flat_map(|card| card.of(Split::Validation)).map(|mark| &mark.task).collect::<BTreeSet<_>>().len()
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
        let ruling = |card: &Scorecard| hopeless(&[card], &[&parent], &BTreeSet::new(), (1, 12));
        assert_eq!(ruling(&all(3, Failed)), None, "three of three are lost by luck in 12.5 % of cases");
        let at_first = |card: &Scorecard| hopeless(&[card], &[&parent], &BTreeSet::new(), (4, 12));
        let judgement = at_first(&all(4, Failed)).unwrap();
        assert_eq!(judgement.verdict, Verdict::Rejected);
        assert_eq!(
            judgement.reason,
            "worse on 4 and better on 0 of the first 4 tasks than its parent; the other 8 were not examined"
        );
        assert_eq!(
            at_first(&card(&[(0, Failed), (1, Failed), (2, Failed), (3, Failed), (4, Passed)])).map(|j| j.verdict),
            Some(Verdict::Rejected)
        );
        assert_eq!(ruling(&all(4, Passed)), None);
        assert_eq!(ruling(&all(1, Crashed)), None);
        assert_eq!(ruling(&all(2, Crashed)).map(|j| j.verdict), Some(Verdict::Unviable));
        // What the parent cannot do either shows nothing.
        assert_eq!(hopeless(&[&all(9, Failed)], &[&all(12, Failed)], &BTreeSet::new(), (9, 12)), None);
        assert_eq!(hopeless(&[&all(9, Failed)], &[], &BTreeSet::new(), (9, 12)), None, "nothing to compare with");
    }

    #[test]
    fn looks_come_at_doubled_numbers_of_tasks_and_grow_stricter() {
        use MarkStatus::{Failed, Passed};
        assert_eq!(
            [look(4, 0, 3), look(4, 0, 4), look(4, 4, 7), look(4, 7, 8), look(4, 8, 20)],
            [None, Some(0), None, Some(1), Some(2)]
        );
        assert_eq!(look(0, 0, 9), None);
        let parent = all(60, Passed);
        let lost = |tasks: std::ops::Range<u32>| {
            card(&tasks.map(|t| (t, if t % 4 == 0 { Failed } else { Passed })).collect::<Vec<_>>())
        };
        // Four lost of sixteen, none won: one look at them would stop it, at the third it takes five.
        let (first, more, last) = (lost(0..4), lost(4..8), lost(8..16));
        let ruling =
            |cards: &[&Scorecard], first| hopeless(cards, &[&parent], &BTreeSet::new(), (first, 60)).map(|j| j.reason);
        assert_eq!(ruling(&[&first, &more, &last], 4), None);
        let whole = lost(0..16);
        assert_eq!(
            ruling(&[&whole], 16).as_deref(),
            Some("worse on 4 and better on 0 of the first 16 tasks than its parent; the other 44 were not examined")
        );
        let (more, last) = (lost(16..20), lost(20..32));
        assert!(ruling(&[&whole, &more], 16).is_none(), "no look is due");
        assert!(ruling(&[&whole, &more, &last], 16).is_some(), "eight lost of 32");
    }
}
