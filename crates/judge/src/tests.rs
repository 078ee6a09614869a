//! What the judge says of made-up marks.

use std::collections::BTreeSet;

use meliora_domain::{Digest, Judgement, Kind, Mark, MarkStatus, Scorecard, Split, TaskId, Verdict};
use proptest::prelude::*;

use super::*;

static NONE: BTreeSet<TaskId> = BTreeSet::new();

/// What the judge says of the first candidate of a run, whose tasks are examined in their own order.
fn ruling(variant: &[&Scorecard], reference: &[&Scorecard], policy: &Policy) -> Ruling {
    let marks = variant.iter().chain(reference).flat_map(|card| card.of(Split::Validation));
    let tasks: BTreeSet<TaskId> = marks.map(|mark| mark.task.clone()).collect();
    let tasks: Vec<TaskId> = tasks.into_iter().collect();
    let against = "its parent";
    let (flaky, candidate, chance, seed) = (&NONE, 1, false, 1);
    judge(&Evidence { variant, reference, against, tasks: &tasks, flaky, candidate, chance, seed }, policy)
}

fn stands(now: &[&Scorecard], reference: &[&Scorecard], policy: &Policy) -> Standing {
    standing(&Regression { now, reference, flaky: &NONE }, policy)
}

fn seeded(mut card: Scorecard, seed: u64) -> Scorecard {
    card.seed = seed;
    card
}

fn part(mut card: Scorecard, tasks: std::ops::Range<usize>) -> Scorecard {
    card.part_of = card.marks.len() as u64;
    card.marks = card.marks[tasks].to_vec();
    card
}

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
        ..Scorecard::default()
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
    match ruling(variant, reference, policy) {
        Ruling::Verdict(j) => (j.verdict, j.reason),
        more => panic!("more is asked for: {more:?}"),
    }
}

#[test]
fn a_strict_gain_is_accepted_only_when_a_rerun_shows_it_too() {
    let (was, now) = (solved(7, 12), solved(9, 12));
    let Ruling::NeedMore { of: Side::Variant, seed: 1, so_far, .. } = ruling(&[&now], &[&was], &exact()) else {
        panic!()
    };
    assert_eq!(
        (so_far.verdict, so_far.reason.as_str()),
        (Verdict::Inconclusive, "solves 9 of 12 tasks where its parent solved 7, examined once")
    );
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
    let (low, high, now) = (solved(7, 12), solved(9, 12), solved(8, 12));
    assert_eq!(verdict(&[&now], &[&low, &high], &exact()).0, Verdict::Rejected);
    assert!(matches!(ruling(&[&now], &[&low], &exact()), Ruling::NeedMore { .. }));
}

#[test]
fn a_gain_of_the_mean_that_no_task_keeps_is_not_repeatable() {
    let mut shifted = solved(8, 12);
    shifted.marks.swap(7, 11);
    for (i, mark) in shifted.marks.iter_mut().enumerate() {
        mark.task = TaskId(format!("t{i:03}"));
    }
    let (verdict_, reason) = verdict(&[&solved(8, 12), &seeded(shifted, 1)], &[&solved(7, 12)], &exact());
    assert_eq!(verdict_, Verdict::Rejected);
    assert!(reason.contains("each task at its worst"), "{reason}");
}

/// One task, as in a task folder with one score; so many seeds.
fn scores(all: &[f64]) -> Vec<Scorecard> {
    all.iter().enumerate().map(|(seed, score)| seeded(card(&[*score]), seed as u64)).collect()
}

fn borrowed(cards: &[Scorecard]) -> Vec<&Scorecard> {
    cards.iter().collect()
}

#[test]
fn where_marks_differ_each_time_a_strict_gain_proves_nothing() {
    // Two draws of one distribution above two others of it: one case of six.
    let (was, now) = (scores(&[0.41, 0.45]), scores(&[0.61, 0.52]));
    let Ruling::NeedMore { of, seed, so_far, .. } = ruling(&borrowed(&now), &borrowed(&was), &exact()) else {
        panic!("two seeds are no evidence")
    };
    assert_eq!((of, seed, so_far.verdict), (Side::Variant, 2, Verdict::Inconclusive));
    // The other side is examined with the same seed, each time.
    let now = scores(&[0.61, 0.52, 0.55]);
    assert!(matches!(
        ruling(&borrowed(&now), &borrowed(&was), &exact()),
        Ruling::NeedMore { of: Side::Reference, seed: 2, .. }
    ));
}

#[test]
fn where_marks_differ_each_time_seeds_that_all_say_the_same_decide() {
    let noise = |seed: usize| (seed * 7 % 11) as f64 / 100.0;
    let (was, now): (Vec<f64>, Vec<f64>) =
        (0..16).map(|s| (0.4 + noise(s), 0.43 + noise(s * 3 + 1) * 0.1 + noise(s))).unzip();
    let needed = (2..=16).find(|n| {
        let (was, now) = (scores(&was[..*n]), scores(&now[..*n]));
        matches!(ruling(&borrowed(&now), &borrowed(&was), &exact()), Ruling::Verdict(j) if j.verdict == Verdict::Accepted)
    });
    assert!(matches!(needed, Some(10..=15)), "{needed:?}");
    // Worse on average is worse at once; a suite that marks alike takes one re-run, as before.
    assert_eq!(verdict(&borrowed(&scores(&[0.3, 0.31])), &borrowed(&scores(&was[..2])), &exact()).0, Verdict::Rejected);
    let (was, now) = (scores(&[0.4, 0.4]), scores(&[0.5, 0.5]));
    assert_eq!(verdict(&borrowed(&now), &borrowed(&was), &exact()).0, Verdict::Accepted);
}

#[test]
fn work_that_differs_each_time_is_not_better_by_two_lucky_draws() {
    let was = scores(&[0.5, 0.5]);
    assert!(matches!(ruling(&borrowed(&scores(&[0.52, 0.58])), &borrowed(&was), &exact()), Ruling::NeedMore { .. }));
    let now = scores(&[0.52, 0.58, 0.31]);
    let was = scores(&[0.5, 0.5, 0.5]);
    assert_eq!(verdict(&borrowed(&now), &borrowed(&was), &exact()).0, Verdict::Rejected);
}

#[test]
fn accepted_reports_the_smallest_gain_seen() {
    let Ruling::Verdict(j) = ruling(&[&solved(9, 10), &solved(8, 10)], &[&solved(7, 10)], &exact()) else { panic!() };
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
    assert!(matches!(stands(&[&was], &[&other], &exact()), Standing::Unclear(_)));
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
fn a_sample_needs_evidence_and_a_fresh_seed_and_says_so() {
    let was = solved(0, 20);
    let strong = solved(11, 20);
    let Ruling::NeedMore { of: Side::Variant, tasks, seed: 1, so_far } = ruling(&[&strong], &[&was], &sample()) else {
        panic!()
    };
    assert!(tasks.is_empty() && so_far.verdict == Verdict::Inconclusive, "{tasks:?} {so_far:?}");
    let Ruling::Verdict(j) = ruling(&[&strong, &seeded(strong.clone(), 1)], &[&was], &sample()) else { panic!() };
    assert_eq!(
        (j.verdict, j.reason.as_str()),
        (
            Verdict::Accepted,
            "better on 11 and worse on 0 of 20 tasks than its parent; luck alone would do as well once in 2,000, and once \
             in 1,300 is asked for where one candidate was tried; a fresh seed confirmed it"
        )
    );
    let (low, high) = j.interval.unwrap();
    assert!(0.0 < low && low < j.effect && j.effect < high && high < 1.0, "{j:?}");
    assert!(j.candidates == 1 && j.p.unwrap() < j.share.unwrap() / 2.0, "{j:?}");

    let (v, reason) = verdict(&[&solved(10, 20)], &[&was], &sample());
    assert_eq!((v, reason.contains("too little evidence")), (Verdict::Inconclusive, true), "{reason}");
    assert_eq!(verdict(&[&was], &[&was], &sample()).0, Verdict::Rejected);
    assert_eq!(verdict(&[&was], &[&solved(9, 20)], &sample()).0, Verdict::Rejected);
}

#[test]
fn what_a_fresh_seed_does_not_show_again_is_not_accepted() {
    let (was, lucky) = (solved(0, 20), solved(14, 20));
    for again in [solved(0, 20), solved(4, 20)] {
        let (v, reason) = verdict(&[&lucky, &seeded(again, 1)], &[&was], &sample());
        assert_eq!((v, reason.contains("a fresh seed did not confirm it")), (Verdict::Inconclusive, true), "{reason}");
    }
}

#[test]
fn a_rerun_of_a_sample_adds_no_tasks() {
    let (was, now) = (solved(0, 20), solved(9, 20));
    assert_eq!(verdict(&[&now, &now, &now], &[&was], &sample()).0, Verdict::Inconclusive);
}

#[test]
fn a_sample_is_examined_in_parts_and_what_is_clearly_worse_is_stopped_early() {
    let (was, none, some) = (solved(60, 60), with(solved(0, 60), 0..0, MarkStatus::Failed), solved(50, 60));
    let look = |card: &Scorecard, reference: &Scorecard| {
        let tasks: Vec<TaskId> = reference.marks.iter().map(|m| m.task.clone()).collect();
        let (first, flaky) = (part(card.clone(), 0..15), &NONE);
        let evidence = Evidence {
            variant: &[&first],
            reference: &[reference],
            against: "its parent",
            tasks: &tasks,
            flaky,
            candidate: 9,
            chance: false,
            seed: 1,
        };
        assert_eq!(Evidence::first_tasks(&tasks, Kind::Sample).len(), 15);
        judge(&evidence, &sample())
    };
    let ids: Vec<TaskId> = was.marks.iter().map(|m| m.task.clone()).collect();
    let Ruling::Verdict(j) = look(&none, &was) else { panic!() };
    assert!(j.verdict == Verdict::Rejected && j.reason.contains("clearly worse"), "{j:?}");
    let Ruling::NeedMore { tasks, seed: 0, .. } = look(&some, &was) else { panic!() };
    assert_eq!(tasks[..], ids[15..30], "as many again");
    // So much better that a quarter of the tasks is enough: only the fresh seed is still asked for.
    let Ruling::NeedMore { tasks, seed: 1, so_far, .. } = look(&was, &none) else { panic!() };
    assert!(tasks.is_empty() && so_far.e.unwrap() > 2.0 / so_far.share.unwrap(), "{so_far:?}");
}

#[test]
fn where_marks_depend_on_the_seed_both_sides_are_examined_with_the_same_ones() {
    let (was, now) = (solved(4, 20), solved(9, 20));
    let tasks: Vec<TaskId> = was.marks.iter().map(|m| m.task.clone()).collect();
    let (mut variant, mut reference) = (vec![now.clone()], vec![was.clone()]);
    let mut asked = Vec::new();
    loop {
        let (v, r): (Vec<_>, Vec<_>) = (variant.iter().collect(), reference.iter().collect());
        let (against, flaky) = ("its parent", &NONE);
        let (tasks, variants) = (&tasks, &v);
        let evidence =
            Evidence { variant: variants, reference: &r, against, tasks, flaky, candidate: 1, chance: true, seed: 1 };
        match judge(&evidence, &Policy { alpha: 0.9, ..sample() }) {
            Ruling::Verdict(j) => {
                assert_eq!(j.verdict, Verdict::Inconclusive, "five of twenty are too few at this share: {j:?}");
                break;
            }
            Ruling::NeedMore { of, seed, .. } => {
                asked.push((of, seed));
                let side = if of == Side::Variant { (&mut variant, &now) } else { (&mut reference, &was) };
                side.0.push(seeded(side.1.clone(), seed));
            }
        }
        assert!(asked.len() < 20, "{asked:?}");
    }
    let both = |seed| [(Side::Reference, seed), (Side::Variant, seed)];
    assert_eq!(asked, [both(1), both(2)].concat());
}

#[test]
fn marks_are_paired_by_seed_and_parts_make_a_whole() {
    // Seed 1 is a lucky one for both: only what they have in common is compared.
    let (was, lucky) = (solved(2, 12), solved(12, 12));
    let reference = [&was, &seeded(lucky.clone(), 1)];
    assert_eq!(verdict(&[&seeded(lucky.clone(), 1)], &reference[1..], &sample()).0, Verdict::Rejected);
    // An exact suite whose tasks were examined in two parts.
    let now = solved(9, 12);
    let (one, two) = (part(now.clone(), 0..5), part(now.clone(), 5..12));
    let Ruling::NeedMore { tasks, .. } = ruling(&[&one], &[&was], &exact()) else { panic!() };
    assert_eq!(tasks.len(), 7);
    let again = seeded(now, 1);
    assert_eq!(verdict(&[&one, &two, &again], &[&was], &exact()).0, Verdict::Accepted);
}

#[test]
fn flaky_tasks_do_not_count() {
    let (was, now) = (solved(7, 12), solved(8, 12));
    let flaky: BTreeSet<TaskId> = [TaskId("t007".into())].into();
    let tasks: Vec<TaskId> = was.marks.iter().map(|m| m.task.clone()).filter(|t| !flaky.contains(t)).collect();
    let (variant, reference) = ([&now], [&was]);
    let evidence = |flaky| Evidence {
        variant: &variant,
        reference: &reference,
        against: "its parent",
        tasks: &tasks,
        flaky,
        candidate: 1,
        chance: false,
        seed: 0,
    };
    assert!(matches!(judge(&evidence(&NONE), &exact()), Ruling::NeedMore { .. }));
    let Ruling::Verdict(j) = judge(&evidence(&flaky), &exact()) else { panic!() };
    assert_eq!(j.verdict, Verdict::Rejected);
}

#[test]
fn repeats_of_the_same_work_tell_flaky_tasks_and_noise_that_follows_the_seed() {
    let cards = [solved(7, 12), solved(7, 12), seeded(solved(8, 12), 1)];
    let found = repeats(&cards.iter().collect::<Vec<_>>());
    let flaky: Vec<&str> = found.flaky().map(|t| t.task.0.as_str()).collect();
    assert_eq!((flaky, found.exact()), (vec!["t007"], false));
    assert!(found.tasks.iter().all(|t| !t.differs_within_seed), "the seed explains it");
    assert_eq!(found.quarantine().unwrap().len(), 1);
    assert!((found.spread() - 1.0 / 12.0).abs() < 1e-12);
    let wild = repeats(&[&solved(3, 12), &solved(7, 12)]);
    assert!(wild.quarantine().is_none(), "a third of the tasks differ: this suite is not exact");
    assert!(wild.tasks.iter().filter(|t| t.differs).all(|t| t.differs_within_seed));
    // Our own failures are no noise of the subject's.
    let broken = repeats(&[&solved(7, 12), &with(solved(7, 12), 3..4, MarkStatus::Missing)]);
    assert!(broken.exact() && broken.tasks[3].missing == 1);
}

#[test]
fn strange_scores_have_an_answer() {
    let sides = |a: &[f64], b: &[f64]| {
        let card = |scores: &[f64], seed| seeded(card(scores), seed);
        let (a, again, b) = (card(a, 0), card(a, 1), card(b, 0));
        (verdict(&[&a, &again], &[&b], &exact()).0, verdict(&[&a, &again], &[&b], &sample()).0)
    };
    use Verdict::{Accepted, Inconclusive, Rejected};
    let ramp: Vec<f64> = (0..24).map(f64::from).collect();
    let of = |f: fn(f64) -> f64| ramp.iter().map(|x| f(*x)).collect::<Vec<f64>>();
    // Constant scores, one task, ties, negative and huge ones.
    assert_eq!(sides(&[0.5; 24], &[0.5; 24]), (Rejected, Rejected));
    assert_eq!(sides(&[0.9], &[0.1]), (Accepted, Inconclusive));
    assert_eq!(sides(&[0.0; 24], &[0.0; 24]), (Rejected, Rejected));
    assert_eq!(sides(&of(|x| x - 50.0), &of(|x| x - 51.0)), (Accepted, Accepted));
    assert_eq!(sides(&of(|x| x - 52.0), &of(|x| x - 51.0)), (Rejected, Rejected));
    assert_eq!(sides(&of(|x| x * 1e300), &of(|_| 0.0)), (Accepted, Accepted));
    assert_eq!(sides(&of(|x| x * 1e-300), &of(|_| 0.0)), (Accepted, Accepted));
    // One huge task does not make up for all the others on a sample: without bounds, tasks are counted, not weighed.
    let mut skewed = vec![0.0; 24];
    skewed[0] = 1e12;
    assert_eq!(sides(&skewed, &[0.5; 24]), (Accepted, Rejected));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut scores = vec![1.0; 24];
        scores[5] = bad;
        assert_eq!(sides(&scores, &[0.0; 24]), (Inconclusive, Inconclusive), "{bad}");
    }
}

#[test]
fn a_drop_of_five_percent_counts_once_confirmed() {
    let was = solved(20, 20);
    let now = solved(19, 20);
    assert_eq!(stands(&[&now], &[&was], &exact()), Standing::NeedMore { seed: 1 });
    let Standing::Dropped(why) = stands(&[&now, &now], &[&was], &exact()) else { panic!() };
    assert_eq!(why, "solves 19 of 20 tasks where it solved 20 before, a drop of 5.0 %; a re-run confirmed it");
    assert!(matches!(stands(&[&now, &was], &[&was], &exact()), Standing::Stands(_)));
    assert!(matches!(stands(&[&solved(39, 40)], &[&solved(40, 40)], &exact()), Standing::Stands(_)));
    assert!(matches!(stands(&[&was], &[&now], &exact()), Standing::Stands(_)));
    // Relative: one of nineteen is more than 5 % of nineteen's worth.
    assert_eq!(stands(&[&solved(18, 40)], &[&solved(19, 40)], &exact()), Standing::NeedMore { seed: 1 });
    assert!(matches!(stands(&[&card(&[0.76])], &[&card(&[0.8])], &exact()), Standing::NeedMore { seed: 1 }));
}

#[test]
fn drops_from_zero_and_below_are_told() {
    assert_eq!(stands(&[&card(&[-0.1])], &[&card(&[0.0])], &exact()), Standing::NeedMore { seed: 1 });
    assert!(matches!(stands(&[&card(&[-0.01])], &[&card(&[0.0])], &exact()), Standing::Stands(_)));
    assert_eq!(stands(&[&card(&[-11.0])], &[&card(&[-10.0])], &exact()), Standing::NeedMore { seed: 1 });
    assert!(matches!(stands(&[&card(&[-9.0])], &[&card(&[-10.0])], &exact()), Standing::Stands(_)));
    let dead = with(card(&[0.0]), 0..1, MarkStatus::TimedOut);
    assert!(matches!(stands(&[&dead, &dead], &[&card(&[-10.0])], &exact()), Standing::Dropped(_)));
}

#[test]
fn the_margin_may_be_in_points() {
    let absolute = Policy { margin_kind: MarginKind::Absolute, ..exact() };
    assert!(matches!(stands(&[&card(&[0.76])], &[&card(&[0.8])], &absolute), Standing::Stands(_)));
    assert!(matches!(stands(&[&card(&[0.75])], &[&card(&[0.8])], &absolute), Standing::NeedMore { .. }));
}

#[test]
fn a_sample_drops_only_on_evidence_and_stands_only_if_shown() {
    let many = |k| solved(k, 200);
    // A clear drop, at once.
    let Standing::Dropped(why) = stands(&[&many(160)], &[&many(200)], &sample()) else { panic!() };
    assert!(why.contains("worse on 40 and better on 0 tasks"), "{why}");
    // The same marks as before are no drop, however few they are.
    assert!(matches!(stands(&[&solved(3, 4)], &[&solved(3, 4)], &sample()), Standing::Stands(_)));
    // One task of 400 is within the margin, and 400 are enough to show it; one of 20 is not.
    let Standing::Stands(why) = stands(&[&solved(399, 400)], &[&solved(400, 400)], &sample()) else { panic!() };
    assert!(why.contains("shown not to be worse by 5 %"), "{why}");
    assert_eq!(stands(&[&solved(19, 20)], &[&solved(20, 20)], &sample()), Standing::NeedMore { seed: 1 });
    let (a, b) = (solved(19, 20), seeded(solved(19, 20), 1));
    let Standing::Unclear(why) = stands(&[&a, &b], &[&solved(20, 20)], &sample()) else { panic!() };
    assert!(why.contains("too little to tell a drop from luck"), "{why}");
    let three = [a.clone(), seeded(solved(18, 20), 1), seeded(solved(19, 20), 2)];
    let three: Vec<&Scorecard> = three.iter().collect();
    assert_eq!(stands(&three[..2], &[&solved(20, 20)], &sample()), Standing::NeedMore { seed: 2 });
    assert_eq!(stands(&three, &[&solved(20, 20)], &sample()), Standing::NeedMore { seed: 3 });
    let twelve: Vec<Scorecard> = (0..12).map(|seed| seeded(solved(19 - seed as usize % 2, 20), seed)).collect();
    let twelve: Vec<&Scorecard> = twelve.iter().collect();
    assert!(
        matches!(stands(&twelve, &[&solved(20, 20)], &sample()), Standing::Unclear(_)),
        "no more than twelve seeds"
    );
}

#[test]
fn more_seeds_show_that_a_variant_with_chance_in_its_marks_is_as_good_as_before() {
    // Each task passes in half of the seeds, on both sides in other ones: only the means are the same.
    let by_chance = |seed: u64, shift: u64| {
        let scores: Vec<f64> =
            (0..90).map(|task| f64::from((task * 7 + seed * 13 + shift).is_multiple_of(2))).collect();
        seeded(card(&scores), seed)
    };
    let reference: Vec<Scorecard> = (0..8).map(|seed| by_chance(seed, 0)).collect();
    let reference: Vec<&Scorecard> = reference.iter().collect();
    let (mut now, mut looks) = (vec![by_chance(0, 1)], 0);
    let decided = loop {
        let seen: Vec<&Scorecard> = now.iter().collect();
        match stands(&seen, &reference, &Policy { margin_kind: MarginKind::Absolute, ..sample() }) {
            Standing::NeedMore { seed } => now.push(by_chance(seed, 1)),
            decided => break decided,
        }
        looks += 1;
        assert!(looks < 12, "no more than twelve seeds");
    };
    let Standing::Stands(why) = decided else { panic!("{decided:?}") };
    assert!(why.contains("seeds show it not to be worse by 0.05 points on these tasks"), "{why}");
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

proptest! {
    #[test]
    fn equal_marks_are_never_accepted_and_always_stand(scores in prop::collection::vec(-1e6..1e6f64, 1..40)) {
        let a = card(&scores);
        for policy in [exact(), sample()] {
            prop_assert_eq!(verdict(&[&a, &a], &[&a], &policy).0, Verdict::Rejected);
            prop_assert!(matches!(stands(&[&a], &[&a], &policy), Standing::Stands(_)));
        }
    }

    #[test]
    fn swapping_the_sides_turns_the_effect_and_only_one_side_can_win(
        pairs in prop::collection::vec((0u8..4, 0u8..4), 1..40)
    ) {
        let a = card(&pairs.iter().map(|p| f64::from(p.0) / 3.0).collect::<Vec<_>>());
        let b = card(&pairs.iter().map(|p| f64::from(p.1) / 3.0).collect::<Vec<_>>());
        let so_far = |ruling| match ruling {
            Ruling::Verdict(judgement) | Ruling::NeedMore { so_far: judgement, .. } => judgement,
        };
        let one: Judgement = so_far(ruling(&[&a], &[&b], &sample()));
        let two: Judgement = so_far(ruling(&[&b], &[&a], &sample()));
        prop_assert_eq!(one.effect, -two.effect);
        let again = |x: &Scorecard| seeded(x.clone(), 1);
        for policy in [exact(), sample()] {
            let better = |x: &Scorecard, y: &Scorecard| match ruling(&[x, &again(x)], &[y], &policy) {
                Ruling::Verdict(j) => j.verdict == Verdict::Accepted,
                Ruling::NeedMore { .. } => false,
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

    #[test]
    fn a_sign_flip_of_signs_is_the_sign_test(wins in 0u64..9, losses in 0u64..8, ties in 0usize..4) {
        let mut d = vec![0.25; wins as usize];
        d.extend(vec![-0.25; losses as usize]);
        d.extend(vec![0.0; ties]);
        prop_assert!((sign_flip(&d, 1, 1000) - sign_test(wins, losses)).abs() < 1e-12);
    }

    #[test]
    fn an_interval_holds_the_mean_and_mirrors(d in prop::collection::vec(-1.0..1.0f64, 0..60)) {
        let (low, high) = interval(&d, 0.05);
        let mean = d.iter().sum::<f64>() / d.len().max(1) as f64;
        prop_assert!((-1.0..=1.0).contains(&low) && (-1.0..=1.0).contains(&high));
        prop_assert!(low <= mean + 1e-9 && mean <= high + 1e-9, "{low} {mean} {high}");
        let mirrored: Vec<f64> = d.iter().map(|x| -x).collect();
        let (l, h) = interval(&mirrored, 0.05);
        prop_assert!((l + high).abs() < 1e-9 && (h + low).abs() < 1e-9);
    }

    #[test]
    fn shares_add_up_to_alpha_and_no_more(alpha in 0.001..0.5f64, count in 1u64..5000) {
        let sum: f64 = (1..=count).map(|k| share(alpha, k)).sum();
        prop_assert!(sum < alpha && (count < 4000 || sum > 0.98 * alpha), "{sum}");
        prop_assert!(share(alpha, count) > share(alpha, count + 1));
    }
}
