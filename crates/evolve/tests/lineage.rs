//! The lineage is a projection: any snapshot with the events after it equals a full replay, and decisions follow from it.
#![allow(clippy::unwrap_used, reason = "tests")]

use meliora_domain::{
    Alarm, Arms, Attempt, BidOutcome, Change, Cost, DgmPlan, Digest, Edit, Event, IslandsPlan, Judgement, Mark,
    MarkStatus, Operation, ParetoPlan, Proposer, Recorded, Request, RunPlan, Scale, Scorecard, SearchPlan, Split,
    TaskId, Timestamp, TreeId, VariantId, Verdict, Word,
};
use meliora_evolve::{Action, Budget, Lineage, Rng, StrategyKind};
use proptest::prelude::*;

fn variant(n: u64) -> VariantId {
    let mut id = [0; 20];
    id.copy_from_slice(&Digest::of([&n.to_le_bytes()[..]]).0[..20]);
    VariantId(id)
}

fn alarms(verdict: Verdict) -> Vec<Alarm> {
    let alarm = || Alarm { rule: "equality".into(), place: "a.py:3".into(), words: "does not compare".into() };
    (verdict == Verdict::Suspect).then(alarm).into_iter().collect()
}

fn plan(strategy: &str, seed: u64) -> RunPlan {
    RunPlan {
        strategy: strategy.into(),
        arms: vec![Proposer { kind: "mutate".into(), model: None }, Proposer { kind: "rewrite".into(), model: None }],
        seed,
        budget: Cost::ZERO,
        minutes: 0.0,
        evaluator: Digest::default(),
        baseline: TreeId(variant(0).0),
        constitution: Digest::default(),
        tier: None,
        search: Default::default(),
    }
}

fn card(score: f64, evaluator: u8) -> Scorecard {
    let mark = |split| Mark {
        task: TaskId("t".into()),
        split,
        status: if score > 0.5 { MarkStatus::Passed } else { MarkStatus::Failed },
        score,
        detail: format!("scored {score}"),
    };
    let marks = vec![mark(Split::Train), mark(Split::Validation)];
    // Some cards are of a part of the tasks.
    let part_of = if score == 0.375 { 3 } else { 0 };
    Scorecard { evaluator: Digest([evaluator; 32]), marks, seconds: 0.5 + score, part_of, ..Default::default() }
}

/// One random thing that happens. Numbers pick among what there is; not every pick makes sense, as in a journal that
/// was written by another version.
#[derive(Clone, Debug)]
struct Pick {
    kind: u8,
    a: u64,
    b: u64,
}

fn events(picks: &[Pick]) -> Vec<Event> {
    let mut out = vec![
        Event::RunStarted(plan("dgm", 1)),
        Event::Admitted { step: 0, variant: variant(0), tree: TreeId(variant(0).0), parents: vec![] },
        Event::Examined { step: 0, variant: variant(0), scorecard: card(0.25, 1) },
        Event::Crowned { variant: variant(0), score: 0.25 },
    ];
    let mut known = 1;
    for (step, Pick { kind, a, b }) in (1_u64..).zip(picks) {
        let old = variant(a % known);
        let cost = Cost { tokens: b % 100, ..Cost::ZERO };
        let bid = |outcome| Event::Bid(Attempt { step, parents: vec![old], arm: (*b % 2) as usize, cost, outcome });
        let idea = b.is_multiple_of(3).then_some(Digest([*b as u8; 32]));
        let proposed = || bid(BidOutcome::Proposed { reason: format!("try {b}"), idea });
        match kind % 26 {
            0..=4 => {
                let new = variant(known);
                known += 1;
                out.push(proposed());
                out.push(Event::Admitted { step, variant: new, tree: TreeId(new.0), parents: vec![old] });
                let score = (b % 9) as f64 / 8.0;
                out.push(Event::Examined { step, variant: new, scorecard: card(score, 1 + (a % 2) as u8) });
                let verdicts =
                    [Verdict::Accepted, Verdict::Rejected, Verdict::Inconclusive, Verdict::Unviable, Verdict::Suspect];
                let verdict = verdicts[(b % 5) as usize];
                let judgement =
                    Judgement { alarms: alarms(verdict), ..Judgement::of(verdict, 0.1, format!("because {a}")) };
                out.push(Event::Judged { step, variant: new, judgement });
                if verdict == Verdict::Accepted {
                    out.push(Event::Crowned { variant: new, score });
                }
            }
            5 => {
                out.push(proposed());
                out.push(Event::Duplicate { step, tree: TreeId(old.0), asked: false });
            }
            6 => {
                out.push(proposed());
                let (article, reason) = ("editable-paths".to_owned(), "out of reach".to_owned());
                out.push(Event::Refused { step, article, reason, change: meliora_domain::Change::default() });
            }
            7 => out.push(bid(BidOutcome::Unusable { reason: "empty".into() })),
            8 => out.push(bid(BidOutcome::Exhausted)),
            9 => out.push(Event::Reserved { step, cost }),
            10 => out.push(Event::RunContinued),
            11 => {
                let promoted = Event::Promoted {
                    variant: old,
                    commit: "c".into(),
                    before: "b".into(),
                    previous: variant(0),
                    unproven: b % 2 == 0,
                };
                out.push(promoted);
            }
            12 => out.push(Event::RolledBack {
                from: old,
                to: variant(0),
                commit: "c".into(),
                reason: "manual: asked for".into(),
            }),
            13 => out.push(Event::Traced { variant: old, feedback: vec![], examples: vec![] }),
            14..=15 => {
                out.push(proposed());
                let step = b.is_multiple_of(4).then_some(step + 1).or(Some(step));
                out.push(Event::Asked { step, request: request(old, a % 5) });
            }
            16 => out.push(Event::Answered(word(request(old, a % 5).id, *b))),
            17 => out.push(Event::Used { request: request(old, a % 5).id, nonce: Digest([*b as u8; 32]) }),
            18 => out.push(Event::Paused { rule: "violations".into(), reason: format!("{a}") }),
            19 => {
                // Of the pause just before it, if there is one; `recorded` gives the hashes.
                let pause = Digest([out.len() as u8; 32]);
                let word = word(meliora_constitution::word::on_pause(&pause), *b);
                out.push(Event::Resumed { reason: String::new(), word: Some(word) });
            }
            20 => {
                let (rule, message, to) = ("repeated".to_owned(), String::new(), "terminal".to_owned());
                out.push(Event::Alerted { rule, message, to, failed: None });
            }
            // Of a variant that has children by now, perhaps.
            21 => {
                let verdict = Verdict::Suspect;
                let (reason, alarms) = ("holdout".to_owned(), alarms(verdict));
                let judgement = Judgement { alarms, ..Judgement::of(verdict, 0.1, reason) };
                out.push(Event::Judged { step, variant: old, judgement });
            }
            22 => {
                let verdict = if b % 2 == 0 { Verdict::Accepted } else { Verdict::Rejected };
                let judgement = Judgement::of(verdict, 0.1, "marks");
                out.push(Event::Cleared { variant: old, judgement, word: word(Digest([*b as u8; 32]), *b) });
            }
            23 => out.push(Event::Restarted { step, reason: "the cage failed: x".into() }),
            24 => {
                let evaluator = Digest([1 + (a % 2) as u8; 32]);
                let tasks = vec![TaskId(if b % 2 == 0 { "t" } else { "u" }.into())];
                out.push(Event::Quarantined { evaluator, tasks, reason: String::new() });
            }
            _ => out.push(Event::Reexamined {
                variant: old,
                score: 0.1,
                reference: 0.2,
                reason: String::new(),
                dropped: b % 2 == 0,
                unclear: b % 4 == 1,
            }),
        }
    }
    out
}

fn request(parent: VariantId, n: u64) -> Request {
    let edit = Edit::Delete { path: format!("{n}.py") };
    let operation = Operation::Change { parent, change: Change { edits: vec![edit] } };
    let (article, text) = ("approval".to_owned(), String::new());
    Request {
        id: operation.digest(),
        operation,
        constitution: Digest::default(),
        article,
        reason: text.clone(),
        risk: text,
    }
}

fn word(request: Digest, n: u64) -> Word {
    Word {
        request,
        constitution: Digest::default(),
        granted: n.is_multiple_of(2),
        nonce: Digest([n as u8; 32]),
        expires: Timestamp(n % 5000),
        reason: String::new(),
        key: String::new(),
        signature: String::new(),
    }
}

fn recorded(events: Vec<Event>) -> Vec<Recorded> {
    (1..)
        .zip(events)
        .map(|(seq, event)| Recorded {
            seq,
            at: Timestamp(seq * 17),
            prev: Digest([seq as u8 - 1; 32]),
            hash: Digest([seq as u8; 32]),
            event,
        })
        .collect()
}

fn replay(mut lineage: Lineage, events: &[Recorded]) -> Lineage {
    events.iter().for_each(|e| lineage.take(e));
    lineage
}

fn pick() -> impl proptest::strategy::Strategy<Value = Pick> {
    use proptest::strategy::Strategy as _;
    (any::<u8>(), any::<u64>(), any::<u64>()).prop_map(|(kind, a, b)| Pick { kind, a, b })
}

/// Other settings than the plain ones, with islands that begin anew often.
fn settings() -> SearchPlan {
    SearchPlan {
        arms: Arms::Bandit,
        dgm: DgmPlan { scale: Scale::Median },
        islands: IslandsPlan { count: 3, migrate_every: 3, reset_every: 4, ..IslandsPlan::default() },
        pareto: ParetoPlan { merge: 0.5 },
        ..SearchPlan::default()
    }
}

fn decide(strategy: &str, lineage: &Lineage, seed: u64, step: u64) -> Action {
    let budget = Budget::new(Cost::ZERO, 0.0, Cost::ZERO, 0.0);
    let mut strategy = StrategyKind::named(strategy).unwrap().build();
    strategy.next(lineage, &budget, &mut Rng::of(seed, 1, step))
}

proptest! {
    #[test]
    fn any_snapshot_and_the_events_after_it_equal_a_full_replay(
        picks in proptest::collection::vec(pick(), 0..40),
        at in any::<proptest::sample::Index>(),
    ) {
        let events = recorded(events(&picks).into_iter().take(250).collect());
        let whole = replay(Lineage::default(), &events);
        let at = at.index(events.len() + 1);
        let snapshot = replay(Lineage::default(), &events[..at]).to_bytes();
        let tail = replay(Lineage::from_bytes(&snapshot).unwrap(), &events[at..]);
        prop_assert_eq!(&tail, &whole);
        // What is kept beside the state, to find things by, must be back too.
        for node in whole.nodes() {
            prop_assert_eq!(tail.find(&node.id), whole.find(&node.id));
            prop_assert_eq!(tail.find_tree(&node.tree), whole.find_tree(&node.tree));
            // Whoever descends from a suspect is tainted, and nobody else, in whatever order it came out.
            let taints = |parent: &u32| {
                let parent = whole.node(*parent);
                parent.tainted || parent.verdict == Some(Verdict::Suspect)
            };
            prop_assert_eq!(node.tainted, node.parents.iter().any(taints));
        }
        prop_assert_eq!(tail.to_bytes().len(), whole.to_bytes().len());
    }

    #[test]
    fn the_same_journal_and_seed_give_the_same_action_however_the_lineage_came_about(
        picks in proptest::collection::vec(pick(), 0..40),
        at in any::<proptest::sample::Index>(),
        seed in any::<u64>(),
        set in any::<bool>(),
    ) {
        let mut events = events(&picks);
        if let (Event::RunStarted(plan), true) = (&mut events[0], set) {
            plan.search = settings();
        }
        let events = recorded(events.into_iter().take(250).collect());
        let whole = replay(Lineage::default(), &events);
        let at = at.index(events.len() + 1);
        let snapshot = replay(Lineage::default(), &events[..at]).to_bytes();
        let tail = replay(Lineage::from_bytes(&snapshot).unwrap(), &events[at..]);
        let budget = Budget::new(Cost::ZERO, 0.0, Cost::ZERO, 0.0);
        for name in StrategyKind::ALL.map(StrategyKind::name) {
            // One that watched all along, deciding after every event, must not decide otherwise than a new one.
            let mut watching = StrategyKind::named(name).unwrap().build();
            let mut lineage = Lineage::default();
            for event in &events {
                lineage.take(event);
                watching.next(&lineage, &budget, &mut Rng::of(seed, 1, event.seq));
            }
            for step in 1..6 {
                let fresh = decide(name, &whole, seed, step);
                prop_assert_eq!(&decide(name, &tail, seed, step), &fresh);
                prop_assert_eq!(&watching.next(&lineage, &budget, &mut Rng::of(seed, 1, step)), &fresh);
            }
        }
    }
}

/// A lineage with these scores; all are children of the first.
fn family(strategy: &str, scores: &[f64], unviable: usize) -> Lineage {
    let mut events = vec![Event::RunStarted(plan(strategy, 1))];
    for (n, score) in (0..).zip(scores) {
        let parents = if n == 0 { vec![] } else { vec![variant(0)] };
        events.push(Event::Admitted { step: n, variant: variant(n), tree: TreeId(variant(n).0), parents });
        events.push(Event::Examined { step: n, variant: variant(n), scorecard: card(*score, 1) });
        let verdict = if n as usize == unviable { Verdict::Unviable } else { Verdict::Rejected };
        if n > 0 {
            let judgement = Judgement { alarms: alarms(verdict), ..Judgement::of(verdict, 0.0, "") };
            events.push(Event::Judged { step: n, variant: variant(n), judgement });
        }
    }
    replay(Lineage::default(), &recorded(events))
}

#[test]
fn dgm_draws_parents_as_often_as_its_formula_says() {
    let scores = [0.5, 0.2, 0.5, 0.8, 1.0];
    let lineage = family("dgm", &scores, 4);
    // s = 1 / (1 + exp(-10 (a - 0.5))), h = 1 / (1 + children); four children on the first, the last cannot be a parent.
    let weight = |a: f64, children: f64| 1.0 / (1.0 + (-10.0 * (a - 0.5)).exp()) / (1.0 + children);
    let weights = [weight(0.5, 4.0), weight(0.2, 0.0), weight(0.5, 0.0), weight(0.8, 0.0), 0.0];
    let total: f64 = weights.iter().sum();
    let draws = 20_000;
    let mut counts = [0_u32; 5];
    for step in 0..draws {
        match decide("dgm", &lineage, 42, step) {
            Action::Expand { parents, .. } => counts[lineage.find(&parents[0]).unwrap() as usize] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counts[4], 0, "an unviable variant was drawn");
    let chi: f64 = (0..4)
        .map(|i| {
            let expected = weights[i] / total * draws as f64;
            (f64::from(counts[i]) - expected).powi(2) / expected
        })
        .sum();
    // Three degrees of freedom: 21.1 is passed once in ten thousand; the seed is fixed, so this never changes by itself.
    assert!(chi < 21.1, "chi² = {chi}, counts {counts:?}, weights {weights:?}");
}

#[test]
fn greedy_changes_the_champion_and_lets_proposers_take_turns() {
    let picks: Vec<Pick> = (0..6).map(|n| Pick { kind: 0, a: 0, b: 5 * n }).collect();
    let lineage = replay(Lineage::default(), &recorded(events(&picks)));
    let champion = lineage.champion().unwrap().id;
    match decide("greedy", &lineage, 1, 1) {
        Action::Expand { parents, .. } => assert_eq!(parents, vec![champion]),
        other => panic!("{other:?}"),
    }
    // With nothing more to offer from either proposer, it stops.
    let mut all = events(&picks);
    for arm in 0..2 {
        let outcome = BidOutcome::Exhausted;
        all.push(Event::Bid(Attempt { step: 90, parents: vec![champion], arm, cost: Cost::ZERO, outcome }));
        let lineage = replay(Lineage::default(), &recorded(all.clone()));
        let next = decide("greedy", &lineage, 1, 1);
        match arm {
            0 => assert!(matches!(next, Action::Expand { arm: 1, .. }), "{next:?}"),
            _ => assert_eq!(next, Action::Stop),
        }
    }
}

#[test]
fn what_a_crash_left_reserved_stays_charged_once() {
    let lost = Cost { tokens: 70, ..Cost::ZERO };
    let mut all = events(&[]);
    all.extend([Event::Reserved { step: 1, cost: lost }, Event::RunContinued, Event::RunContinued]);
    let spent = |events: Vec<Event>| replay(Lineage::default(), &recorded(events)).run.unwrap().charged().tokens;
    assert_eq!(spent(all.clone()), 70);
    let cost = Cost { tokens: 30, ..Cost::ZERO };
    all.push(Event::Reserved { step: 2, cost: lost });
    assert_eq!(spent(all.clone()), 140);
    let outcome = BidOutcome::Unusable { reason: "empty".into() };
    all.push(Event::Bid(Attempt { step: 2, parents: vec![variant(0)], arm: 0, cost, outcome }));
    assert_eq!(spent(all), 100, "a call that came back costs what it cost");
}

#[test]
fn a_suspect_is_no_parent_and_neither_is_what_was_bred_from_it_until_a_person_clears_it() {
    let judged = |n: u64, verdict| {
        let judgement = Judgement { alarms: alarms(verdict), ..Judgement::of(verdict, 0.1, "x") };
        Event::Judged { step: n, variant: variant(n), judgement }
    };
    let mut happened = vec![
        Event::RunStarted(plan("dgm", 7)),
        Event::Admitted { step: 0, variant: variant(0), tree: TreeId(variant(0).0), parents: vec![] },
        Event::Examined { step: 0, variant: variant(0), scorecard: card(0.25, 1) },
        Event::Crowned { variant: variant(0), score: 0.25 },
    ];
    // Each is bred from the one before it, and better.
    for n in 1..4 {
        let (id, score) = (variant(n), 0.25 + n as f64 / 8.0);
        happened.push(Event::Admitted { step: n, variant: id, tree: TreeId(id.0), parents: vec![variant(n - 1)] });
        happened.push(Event::Examined { step: n, variant: id, scorecard: card(score, 1) });
        happened.push(judged(n, Verdict::Accepted));
        happened.push(Event::Crowned { variant: id, score });
    }
    let state = |events: &[Event]| replay(Lineage::default(), &recorded(events.to_vec()));
    let chosen = |lineage: &Lineage, strategy: StrategyKind| {
        let drawn = (0..200).map(|step| {
            let budget = Budget::new(Cost::ZERO, 0.0, Cost::ZERO, 0.0);
            strategy.build().next(lineage, &budget, &mut Rng::of(7, 1, step))
        });
        drawn
            .flat_map(|action| match action {
                Action::Expand { parents, inspirations, .. } => [parents, inspirations].concat(),
                _ => Vec::new(),
            })
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(state(&happened).champion().map(|n| n.id), Some(variant(3)));
    happened.push(judged(2, Verdict::Suspect));
    let lineage = state(&happened);
    assert_eq!(
        lineage.champion().map(|n| n.id),
        Some(variant(1)),
        "the throne goes to the nearest one that is trusted"
    );
    assert!(lineage.distrusted(&variant(3)) && !lineage.distrusted(&variant(1)));
    for strategy in [StrategyKind::Greedy, StrategyKind::Dgm] {
        let chosen = chosen(&lineage, strategy);
        assert!(!chosen.contains(&variant(2)) && !chosen.contains(&variant(3)), "{strategy:?} takes a suspect");
        assert!(chosen.contains(&variant(1)));
    }
    let accepted = Judgement::of(Verdict::Accepted, 0.1, "marks");
    happened.push(Event::Cleared { variant: variant(2), judgement: accepted, word: word(Digest::default(), 1) });
    let lineage = state(&happened);
    assert!(!lineage.distrusted(&variant(3)));
    let chosen = chosen(&lineage, StrategyKind::Dgm);
    assert!(chosen.contains(&variant(2)) && chosen.contains(&variant(3)));
}
