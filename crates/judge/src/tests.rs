//! What the judge says of made-up marks.

use meliora_domain::{Digest, Kind, Mark, MarkStatus, Scorecard, Split, TaskId, Verdict};
use proptest::prelude::*;

use super::*;

fn card(scores: &[f64]) -> Scorecard {
    let mark = |(i, score): (usize, &f64)| Mark {
        task: TaskId(format!("t{i:03}")),
        split: Split::Validation,
        status: if *score >= 1.0 { MarkStatus::Passed } else { MarkStatus::Failed },
        score: *score,
        detail: String::new(),
    };
    Scorecard {
        evaluator: Digest::default(),
        marks: scores.iter().enumerate().map(mark).collect(),
        metrics: Default::default(),
        seconds: 0.0,
    }
}

/// So many tasks solved of so many, the first ones.
fn solved(k: usize, n: usize) -> Scorecard {
    card(&(0..n).map(|i| f64::from(i < k)).collect::<Vec<_>>())
}

fn with(mut card: Scorecard, tasks: std::ops::Range<usize>, status: MarkStatus) -> Scorecard {
    card.marks[tasks].iter_mut().for_each(|m| (m.status, m.score) = (status, 0.0));
    card
}

fn exact() -> Policy {
    Policy::default()
}

fn sample() -> Policy {
    Policy { kind: Kind::Sample, ..Policy::default() }
}

fn verdict(variant: &[&Scorecard], reference: &[&Scorecard], policy: &Policy) -> (Verdict, String) {
    match judge(variant, reference, policy) {
        Ruling::Verdict(j) => (j.verdict, j.reason),
        Ruling::Rerun => panic!("a re-run is asked for"),
    }
}

#[test]
fn a_strict_gain_is_accepted_only_when_a_rerun_shows_it_too() {
    let (was, now) = (solved(7, 12), solved(9, 12));
    assert_eq!(judge(&[&now], &[&was], &exact()), Ruling::Rerun);
    let (verdict_, reason) = verdict(&[&now, &now], &[&was], &exact());
    assert_eq!(verdict_, Verdict::Accepted);
    assert_eq!(reason, "solves 9 of 12 tasks where its parent solved 7; a re-run confirmed it");
    let (verdict_, reason) = verdict(&[&now, &was], &[&was], &exact());
    assert_eq!(verdict_, Verdict::Rejected);
    assert!(reason.starts_with("not repeatable: it solved 9 of 12 tasks"), "{reason}");
}

#[test]
fn no_gain_is_rejected_at_once() {
    for k in [6, 7] {
        assert_eq!(verdict(&[&solved(k, 12)], &[&solved(7, 12)], &exact()).0, Verdict::Rejected);
    }
}

#[test]
fn a_parent_whose_runs_disagree_is_taken_at_its_best() {
    let (low, high, now) = (solved(5, 12), solved(9, 12), solved(8, 12));
    assert_eq!(verdict(&[&now], &[&low, &high], &exact()).0, Verdict::Rejected);
    assert_eq!(judge(&[&now], &[&low], &exact()), Ruling::Rerun);
}

#[test]
fn accepted_reports_the_smallest_gain_seen() {
    let Ruling::Verdict(j) = judge(&[&solved(9, 10), &solved(8, 10)], &[&solved(7, 10)], &exact()) else { panic!() };
    assert!((j.effect - 0.1).abs() < 1e-9, "{j:?}");
}

#[test]
fn a_difference_that_is_only_rounding_is_no_gain() {
    let a = card(&[0.1, 0.2, 0.3]);
    let b = card(&[0.1 + 1e-17, 0.2, 0.3 + 1e-16]);
    assert_eq!(verdict(&[&b], &[&a], &exact()).0, Verdict::Rejected);
}

#[test]
fn what_does_no_task_is_unviable_on_either_kind_of_suite() {
    let dead = with(solved(0, 4), 0..4, MarkStatus::Crashed);
    for policy in [exact(), sample()] {
        assert_eq!(verdict(&[&dead], &[&solved(2, 4)], &policy).0, Verdict::Unviable);
        // Not even where the parent is below zero, and a crash looks like a gain.
        assert_eq!(verdict(&[&dead], &[&card(&[-5.0; 4])], &policy).0, Verdict::Unviable);
    }
    assert_eq!(verdict(&[&card(&[])], &[&card(&[])], &exact()).0, Verdict::Inconclusive);
}

#[test]
fn missing_marks_count_neither_way_and_too_many_prove_nothing() {
    let was = solved(6, 12);
    let half = with(solved(12, 12), 0..6, MarkStatus::Missing);
    let (v, reason) = verdict(&[&half, &half], &[&was], &exact());
    assert_eq!(v, Verdict::Accepted);
    assert!(reason.contains("6 tasks without marks"), "{reason}");
    // The tasks that are left are those that the parent solves too: no gain, although the mean is higher.
    let easy = with(solved(12, 12), 6..12, MarkStatus::Missing);
    assert_eq!(verdict(&[&easy], &[&was], &exact()).0, Verdict::Rejected);
    let most = with(solved(12, 12), 0..7, MarkStatus::Missing);
    for policy in [exact(), sample()] {
        let (v, reason) = verdict(&[&most], &[&was], &policy);
        assert_eq!(v, Verdict::Inconclusive);
        assert!(reason.starts_with("coverage"), "{reason}");
    }
}

#[test]
fn marks_of_different_evaluators_and_absurd_scores_are_never_compared() {
    let was = solved(1, 4);
    let mut other = solved(4, 4);
    other.evaluator = Digest([1; 32]);
    assert_eq!(verdict(&[&other, &other], &[&was], &exact()).0, Verdict::Inconclusive);
    assert!(matches!(standing(&[&was], &[&other], &exact()), Standing::Unclear(_)));
    for score in [f64::NAN, f64::INFINITY] {
        let odd = card(&[score, 1.0, 1.0, 1.0]);
        assert_eq!(verdict(&[&odd, &odd], &[&was], &exact()).0, Verdict::Inconclusive);
    }
    assert_eq!(verdict(&[], &[&was], &exact()).0, Verdict::Inconclusive);
}

#[test]
fn train_and_holdout_marks_decide_nothing() {
    let (was, mut now) = (solved(2, 4), solved(4, 4));
    now.marks[2].split = Split::Train;
    now.marks[3].split = Split::Holdout;
    assert_eq!(verdict(&[&now], &[&was], &exact()).0, Verdict::Rejected);
}

#[test]
fn a_sample_needs_evidence_and_says_so() {
    let was = solved(0, 20);
    let (v, reason) = verdict(&[&solved(5, 20)], &[&was], &sample());
    assert_eq!((v, reason.contains("in 3.1 % of cases")), (Verdict::Accepted, true), "{reason}");
    let (v, reason) = verdict(&[&solved(4, 20)], &[&was], &sample());
    assert_eq!((v, reason.contains("too little evidence")), (Verdict::Inconclusive, true), "{reason}");
    assert_eq!(verdict(&[&was], &[&was], &sample()).0, Verdict::Rejected);
    assert_eq!(verdict(&[&was], &[&solved(9, 20)], &sample()).0, Verdict::Rejected);
}

#[test]
fn a_rerun_of_a_sample_adds_no_tasks() {
    let (was, now) = (solved(0, 20), solved(4, 20));
    assert_eq!(verdict(&[&now, &now, &now], &[&was], &sample()).0, Verdict::Inconclusive);
}

#[test]
fn a_drop_of_five_percent_counts_once_confirmed() {
    let was = solved(20, 20);
    let now = solved(19, 20);
    assert_eq!(standing(&[&now], &[&was], &exact()), Standing::Rerun);
    let Standing::Dropped(why) = standing(&[&now, &now], &[&was], &exact()) else { panic!() };
    assert_eq!(why, "solves 19 of 20 tasks where it solved 20 before, a drop of 5.0 %; a re-run confirmed it");
    assert!(matches!(standing(&[&now, &was], &[&was], &exact()), Standing::Stands(_)));
    assert!(matches!(standing(&[&solved(39, 40)], &[&solved(40, 40)], &exact()), Standing::Stands(_)));
    assert!(matches!(standing(&[&was], &[&now], &exact()), Standing::Stands(_)));
    // Relative: one of nineteen is more than 5 % of nineteen's worth.
    assert_eq!(standing(&[&solved(18, 40)], &[&solved(19, 40)], &exact()), Standing::Rerun);
    assert!(matches!(standing(&[&card(&[0.76])], &[&card(&[0.8])], &exact()), Standing::Rerun));
}

#[test]
fn drops_from_zero_and_below_are_told() {
    assert_eq!(standing(&[&card(&[-0.1])], &[&card(&[0.0])], &exact()), Standing::Rerun);
    assert!(matches!(standing(&[&card(&[-0.01])], &[&card(&[0.0])], &exact()), Standing::Stands(_)));
    assert_eq!(standing(&[&card(&[-11.0])], &[&card(&[-10.0])], &exact()), Standing::Rerun);
    assert!(matches!(standing(&[&card(&[-9.0])], &[&card(&[-10.0])], &exact()), Standing::Stands(_)));
    let dead = with(card(&[0.0]), 0..1, MarkStatus::TimedOut);
    assert!(matches!(standing(&[&dead, &dead], &[&card(&[-10.0])], &exact()), Standing::Dropped(_)));
}

#[test]
fn a_sample_drops_only_on_evidence() {
    assert!(matches!(standing(&[&solved(15, 20)], &[&solved(20, 20)], &sample()), Standing::Dropped(_)));
    assert!(matches!(standing(&[&solved(17, 20)], &[&solved(20, 20)], &sample()), Standing::Unclear(_)));
    assert!(matches!(standing(&[&solved(20, 20)], &[&solved(20, 20)], &sample()), Standing::Stands(_)));
}

#[test]
fn the_sign_test_gives_the_textbook_values() {
    // Powers of one half are exact; the others are sums of binomial coefficients over 2ⁿ.
    for (wins, losses, p) in
        [(0, 0, 1.0), (5, 0, 1.0 / 32.0), (9, 1, 11.0 / 1024.0), (8, 2, 56.0 / 1024.0), (0, 7, 1.0)]
    {
        assert_eq!(sign_test(wins, losses), p, "{wins}:{losses}");
    }
    // Past the switch to logarithms the value goes on smoothly.
    let (before, after) = (sign_test(530, 470), sign_test(531, 470));
    assert!(before > after && before - after < 0.003, "{before} {after}");
    // Half of all outcomes have more heads than tails when the number of coins is odd.
    assert!((sign_test(5_001, 5_000) - 0.5).abs() < 1e-9);
}

#[test]
fn luck_is_never_accepted_more_often_than_alpha() {
    for n in 0..=20u64 {
        for alpha in [0.01, 0.05, 0.1] {
            // Chance, under no difference, of a result that is accepted: every pattern of n coins is equally likely.
            let lucky = (0..1u64 << n).filter(|coins| {
                let wins = u64::from(coins.count_ones());
                sign_test(wins, n - wins) <= alpha
            });
            let rate = lucky.count() as f64 / (1u64 << n) as f64;
            assert!(rate <= alpha, "n {n}, alpha {alpha}: {rate}");
        }
    }
}

#[test]
fn eighty_equal_candidates_on_sixty_tasks_are_hardly_ever_accepted() {
    // Knuth's MMIX generator, the upper bits.
    let mut state = 2026u64;
    let mut coin = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        f64::from((state >> 33) as u32 & 1)
    };
    let (mut accepted, mut naive, rounds) = (0, 0, 50);
    for _ in 0..rounds * 80 {
        let mut draw = || card(&(0..60).map(|_| coin()).collect::<Vec<_>>());
        let (now, was) = (draw(), draw());
        let (v, _) = verdict(&[&now], &[&was], &sample());
        accepted += u32::from(v == Verdict::Accepted);
        naive += u32::from(now.mean(Split::Validation) > was.mean(Split::Validation));
    }
    println!("accepted {accepted}, naive {naive} of {}", rounds * 80);
    assert!(f64::from(accepted) <= 0.05 * f64::from(rounds * 80), "{accepted}");
    assert!(f64::from(naive) > 0.4 * f64::from(rounds * 80), "{naive}");
}

proptest! {
    #[test]
    fn equal_marks_are_never_accepted_and_always_stand(scores in prop::collection::vec(-1e6..1e6f64, 1..40)) {
        let a = card(&scores);
        for policy in [exact(), sample()] {
            prop_assert_eq!(verdict(&[&a, &a], &[&a], &policy).0, Verdict::Rejected);
            prop_assert!(matches!(standing(&[&a], &[&a], &policy), Standing::Stands(_)));
        }
    }

    #[test]
    fn swapping_the_sides_turns_the_effect_and_only_one_side_can_win(
        pairs in prop::collection::vec((0u8..4, 0u8..4), 1..40)
    ) {
        let a = card(&pairs.iter().map(|p| f64::from(p.0) / 3.0).collect::<Vec<_>>());
        let b = card(&pairs.iter().map(|p| f64::from(p.1) / 3.0).collect::<Vec<_>>());
        let (Ruling::Verdict(one), Ruling::Verdict(two)) = (judge(&[&a], &[&b], &sample()), judge(&[&b], &[&a], &sample()))
            else { panic!() };
        prop_assert_eq!(one.effect, -two.effect);
        prop_assert!(one.verdict != Verdict::Accepted || two.verdict == Verdict::Rejected);
        for policy in [exact(), sample()] {
            let better = |x: &Scorecard, y: &Scorecard| match judge(&[x, x], &[y], &policy) {
                Ruling::Verdict(j) => j.verdict == Verdict::Accepted,
                Ruling::Rerun => false,
            };
            prop_assert!(!(better(&a, &b) && better(&b, &a)));
        }
    }

    #[test]
    fn a_p_value_is_a_probability_and_both_tails_make_one(wins in 0u64..1500, losses in 0u64..1500) {
        let p = sign_test(wins, losses);
        prop_assert!((0.0..=1.0).contains(&p));
        if wins > 0 {
            // P(X ≥ k) + P(X ≥ n-k+1) = 1 by symmetry.
            prop_assert!((p + sign_test(losses + 1, wins - 1) - 1.0).abs() < 1e-9);
            prop_assert!(p <= sign_test(wins - 1, losses + 1) + 1e-12);
        }
    }
}
