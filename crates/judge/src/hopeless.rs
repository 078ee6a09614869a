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
