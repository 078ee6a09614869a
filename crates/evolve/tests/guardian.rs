//! Each rule of the guardian: where it fires, and where it does not.
#![allow(clippy::unwrap_used, reason = "tests")]

use meliora_constitution::{GuardianRules, Measure};
use meliora_domain::{
    Attempt, BidOutcome, Change, Cost, Decision, Digest, Event, Mark, MarkStatus, MicroUsd, Proposer, Recorded,
    RunPlan, Scorecard, Split, TaskId, Timestamp, TreeId, VariantId, Word,
};
use meliora_evolve::{Act, Lineage, Sight, watch};

const MINUTE: u64 = 60_000;

fn variant(n: u8) -> VariantId {
    VariantId([n; 20])
}

/// A journal of these events at these minutes, after a run began in minute 0.
fn journal(events: &[(u64, Event)]) -> Lineage {
    let plan = RunPlan {
        strategy: "greedy".into(),
        arms: vec![Proposer { kind: "mutate".into(), model: None }],
        seed: 1,
        budget: Cost { evals: 10, tokens: 1000, usd: MicroUsd(1000) },
        minutes: 0.0,
        evaluator: Digest::default(),
        baseline: TreeId([0; 20]),
        constitution: Digest::default(),
        tier: None,
        search: Default::default(),
    };
    let begun = (0, Event::RunStarted(plan));
    let mut lineage = Lineage::default();
    for (seq, (minute, event)) in (1..).zip(std::iter::once(&begun).chain(events)) {
        let at = Timestamp(minute * MINUTE);
        lineage.take(&Recorded { seq, at, prev: Digest::default(), hash: hash(seq), event: event.clone() });
    }
    lineage
}

/// The hash of the event at this position.
fn hash(seq: u64) -> Digest {
    Digest([seq as u8; 32])
}

fn acts(events: &[(u64, Event)], minute: u64, rules: &GuardianRules) -> Vec<Act> {
    let (lineage, now) = (journal(events), Timestamp(minute * MINUTE));
    watch(&Sight { lineage: &lineage, under_way: &[], looked: Timestamp(0), now }, rules)
}

fn refused() -> Event {
    Event::Refused { step: 1, article: "editable-paths".into(), reason: String::new(), change: Change::default() }
}

fn violated() -> Event {
    let (decision, article, source) = (Decision::Forbid, "x".to_owned(), "hook".to_owned());
    Event::Violated { decision, article, reason: String::new(), source, operation: None }
}

fn alerted(rule: &str) -> Event {
    Event::Alerted { rule: rule.into(), message: String::new(), to: "terminal".into(), failed: None }
}

fn is_pause(acts: &[Act], wanted: &str) -> bool {
    matches!(acts, [Act::Pause { rule, .. }] if rule == wanted)
}

fn is_alert(acts: &[Act], wanted: &str) -> bool {
    matches!(acts, [Act::Alert { rule, .. }] if rule == wanted)
}

#[test]
fn too_many_violations_within_the_window_pause_and_fewer_or_older_ones_do_not() {
    let mut rules = GuardianRules::default();
    rules.violations.most = 2;
    rules.violations.within_minutes = 10.0;
    let three = [(1, refused()), (5, violated()), (9, refused())];
    assert!(is_pause(&acts(&three, 9, &rules), "violations"));
    assert!(acts(&three[..2], 9, &rules).is_empty(), "two are borne");
    assert!(acts(&three, 12, &rules).is_empty(), "one is older than ten minutes");
    rules.violations.act = Measure::Alert;
    assert!(is_alert(&acts(&three, 9, &rules), "violations"));
    let told = [&three[..], &[(9, alerted("violations"))]].concat();
    assert!(acts(&told, 9, &rules).is_empty(), "somebody was told of these");
    rules.violations.most = 0;
    assert!(acts(&three, 9, &rules).is_empty(), "the rule is off");
}

#[test]
fn cages_that_fail_alert_and_subjects_that_fail_do_not() {
    let rules = GuardianRules::default();
    let examined = |status| {
        let mark =
            Mark { task: TaskId("t".into()), split: Split::Validation, status, score: 0.0, detail: String::new() };
        let scorecard =
            Scorecard { evaluator: Digest::default(), marks: vec![mark], seconds: 1.0, ..Default::default() };
        Event::Examined { step: 1, variant: variant(1), scorecard }
    };
    let failed = || Event::Restarted { step: 1, reason: "the cage failed: no room".into() };
    let events = [(1, failed()), (2, examined(MarkStatus::Missing)), (3, failed())];
    assert!(is_alert(&acts(&events, 3, &rules), "sandbox_failures"));
    assert!(acts(&events[1..], 3, &rules).is_empty(), "two are borne");
    let subjects =
        [(1, examined(MarkStatus::Crashed)), (1, examined(MarkStatus::OverLimit)), (1, examined(MarkStatus::TimedOut))];
    assert!(acts(&subjects, 1, &rules).is_empty(), "what a subject does is a mark");
    let stalled = || Event::Restarted { step: 1, reason: "step 1 has not come back".into() };
    assert!(acts(&[(1, stalled()), (1, stalled()), (1, stalled())], 1, &rules).is_empty(), "no cage failed");
}

#[test]
fn proposals_of_the_same_again_and_again_alert_and_a_new_one_ends_the_row() {
    let mut rules = GuardianRules::default();
    rules.repeated.most = 3;
    let same = || (1, Event::Duplicate { step: 1, tree: TreeId([1; 20]), asked: false });
    let waits = || (1, Event::Duplicate { step: 1, tree: TreeId([1; 20]), asked: true });
    assert!(acts(&[waits(), waits(), waits(), waits(), waits()], 1, &rules).is_empty(), "it waits for a person");
    let new = || (1, Event::Admitted { step: 2, variant: variant(2), tree: TreeId([2; 20]), parents: vec![] });
    assert!(is_alert(&acts(&[same(), same(), same(), same()], 1, &rules), "repeated"));
    assert!(acts(&[same(), same(), same()], 1, &rules).is_empty());
    assert!(acts(&[same(), same(), new(), same(), same()], 1, &rules).is_empty());
    let told = [same(), same(), same(), same(), (1, alerted("repeated")), same()];
    assert!(acts(&told, 1, &rules).is_empty(), "told once for each row");
    rules.repeated.act = Measure::Pause;
    assert!(is_pause(&acts(&[same(), same(), same(), same()], 1, &rules), "repeated"));
}

#[test]
fn a_budget_of_tokens_or_money_that_is_nearly_spent_alerts_once() {
    let rules = GuardianRules::default();
    let spent = |tokens, usd| {
        let cost = Cost { evals: 9, tokens, usd: MicroUsd(usd) };
        let outcome = BidOutcome::Unusable { reason: String::new() };
        (1, Event::Bid(Attempt { step: 1, parents: vec![], arm: 0, cost, outcome }))
    };
    assert!(is_alert(&acts(&[spent(901, 0)], 1, &rules), "budget"));
    assert!(is_alert(&acts(&[spent(0, 901)], 1, &rules), "budget"));
    assert!(acts(&[spent(900, 900)], 1, &rules).is_empty());
    assert!(acts(&[spent(901, 0), (2, alerted("budget")), spent(99, 0)], 3, &rules).is_empty(), "told once");
    let over = Event::Finished { reason: meliora_domain::FinishReason::Exhausted, counts: Default::default() };
    assert!(acts(&[spent(901, 0), (2, over)], 3, &rules).is_empty(), "the run is over");
}

#[test]
fn a_promoted_variant_that_dropped_and_still_stands_is_rolled_back() {
    let mut rules = GuardianRules::default();
    let promoted = |n| Event::Promoted {
        variant: variant(n),
        commit: "c".into(),
        before: "b".into(),
        previous: variant(0),
        unproven: false,
    };
    let looked = |n, dropped| Event::Reexamined {
        variant: variant(n),
        score: 0.5,
        reference: 1.0,
        reason: "half of it is gone".into(),
        dropped,
        unclear: false,
    };
    let back =
        Event::RolledBack { from: variant(1), to: variant(0), commit: "d".into(), reason: "automatic: x".into() };
    let fallen = [(1, promoted(1)), (2, looked(1, true))];
    assert_eq!(acts(&fallen, 3, &rules), [Act::RollBack { reason: "half of it is gone".into() }]);
    assert!(acts(&[(1, promoted(1)), (2, looked(1, false))], 3, &rules).is_empty(), "it stands as it should");
    assert!(acts(&[&fallen[..], &[(3, back)]].concat(), 3, &rules).is_empty(), "it stands no more");
    assert!(acts(&[&fallen[..], &[(3, promoted(2))]].concat(), 3, &rules).is_empty(), "another stands");
    assert!(acts(&[&fallen[..], &[(3, alerted("degradation"))]].concat(), 3, &rules).is_empty(), "a person was told");
    // It is looked at again when its time has come, and not before.
    rules.degradation.every_minutes = 10.0;
    let stands = [(1, promoted(1)), (5, looked(1, false))];
    assert_eq!(acts(&stands, 15, &rules), [Act::Reexamine]);
    assert!(acts(&stands, 14, &rules).is_empty());
    assert!(acts(&[], 99, &rules).is_empty(), "nothing stands");
    rules.degradation.margin = 0.0;
    assert!(acts(&fallen, 99, &rules).is_empty(), "the rule is off");
}

#[test]
fn a_step_that_does_not_come_back_is_done_anew_and_pauses_the_work_when_it_stalls_again_and_again() {
    let mut rules = GuardianRules::default();
    rules.stall.minutes = 5.0;
    rules.stall.restarts = 1;
    let seen = |events: &[(u64, Event)], minute: u64| {
        let (lineage, under_way) = (journal(events), [(7, Timestamp(MINUTE)), (8, Timestamp(minute * MINUTE))]);
        let now = Timestamp(minute * MINUTE);
        watch(&Sight { lineage: &lineage, under_way: &under_way, looked: Timestamp(0), now }, &rules)
    };
    assert!(matches!(seen(&[], 7).as_slice(), [Act::Restart { step: 7, .. }]), "{:?}", seen(&[], 7));
    assert!(seen(&[], 6).is_empty(), "five minutes are borne");
    let once = [(2, Event::Restarted { step: 7, reason: "x".into() })];
    assert!(is_pause(&seen(&once, 9), "stall"));
    let other = [(2, Event::Restarted { step: 3, reason: "x".into() })];
    assert!(matches!(seen(&other, 9).as_slice(), [Act::Restart { step: 7, .. }]));
}

#[test]
fn a_pause_holds_until_a_word_on_exactly_that_pause_and_what_led_to_it_counts_no_more() {
    let mut rules = GuardianRules::default();
    rules.violations.most = 1;
    let paused = (2, Event::Paused { rule: "violations".into(), reason: "two".into() });
    let resumed = |pause: u64, said: bool| {
        let word = Word {
            request: meliora_constitution::word::on_pause(&hash(pause)),
            constitution: Digest::default(),
            granted: true,
            nonce: Digest::default(),
            expires: Timestamp(u64::MAX),
            reason: String::new(),
            key: String::new(),
            signature: String::new(),
        };
        (3, Event::Resumed { reason: String::new(), word: said.then_some(word) })
    };
    // The run began at position 1, so the pause is the fourth event.
    let before = [(1, refused()), (1, refused()), paused];
    let holds = |more: &[(u64, Event)]| journal(&[&before[..], more].concat()).watched.paused().is_some();
    assert!(holds(&[]));
    assert!(holds(&[resumed(3, true)]), "a word on another pause");
    assert!(holds(&[resumed(4, false)]), "no word at all");
    assert!(!holds(&[resumed(4, true)]));
    // Somebody is told of it, also if a crash came before the telling, and once.
    assert!(is_alert(&acts(&before, 3, &rules), "violations"));
    assert!(acts(&[&before[..], &[(2, alerted("violations"))]].concat(), 3, &rules).is_empty());
    let on = [&before[..], &[resumed(4, true)]].concat();
    assert!(acts(&on, 3, &rules).is_empty());
    let again = [&on[..], &[(4, refused())]].concat();
    assert!(acts(&again, 4, &rules).is_empty(), "one more is borne");
    assert!(is_pause(&acts(&[&again[..], &[(4, refused())]].concat(), 4, &rules), "violations"));
}
