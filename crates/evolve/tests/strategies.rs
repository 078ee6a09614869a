//! What strategies choose, and what they make of bad input.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use meliora_domain::{
    Arms, Attempt, BanditPlan, BidOutcome, Cost, DgmPlan, Digest, Event, Feature, HgmPlan, IslandsPlan, Judgement,
    Mark, MarkStatus, MicroUsd, ParetoPlan, Proposer, Recorded, RunPlan, Scale, Scorecard, SearchPlan, Split, TaskId,
    Timestamp, TreeId, VariantId, Verdict,
};
use meliora_evolve::{Action, Budget, Exam, Lineage, Rng, Strategy, StrategyKind};

fn variant(n: u64) -> VariantId {
    let mut id = [0; 20];
    id[..8].copy_from_slice(&n.to_be_bytes());
    VariantId(id)
}

/// A journal that is written as tests need it.
struct World {
    lineage: Lineage,
    seq: u64,
    tasks: usize,
    evals: u64,
}

impl World {
    fn new(search: SearchPlan, arms: usize, tasks: usize, evals: u64) -> Self {
        let mut world = World { lineage: Lineage::default(), seq: 0, tasks, evals };
        world.take(Event::RunStarted(RunPlan {
            strategy: "islands".into(),
            arms: vec![Proposer { kind: "mutate".into(), model: None }; arms],
            seed: 1,
            budget: Cost::evals(evals),
            minutes: 0.0,
            evaluator: Digest::default(),
            baseline: TreeId([0; 20]),
            constitution: Digest::default(),
            tier: None,
            search,
        }));
        world
    }

    fn take(&mut self, event: Event) {
        self.seq += 1;
        let (prev, hash) = (Digest::default(), Digest::default());
        self.lineage.take(&Recorded { seq: self.seq, at: Timestamp(self.seq), prev, hash, event });
    }

    fn examined(&mut self, n: u64, marks: &[(usize, f64)]) {
        let mark = |(task, score): &(usize, f64)| Mark {
            task: TaskId(format!("{}-{task:03}", if task % 2 == 0 { "even" } else { "odd" })),
            split: Split::Validation,
            status: if *score > 0.0 { MarkStatus::Passed } else { MarkStatus::Failed },
            score: *score,
            detail: String::new(),
        };
        let metrics = BTreeMap::from([("size".to_owned(), 100.0 * n as f64)]);
        let part_of = if marks.len() < self.tasks { self.tasks as u64 } else { 0 };
        let marks = marks.iter().map(mark).collect();
        let scorecard = Scorecard { marks, metrics, part_of, ..Scorecard::default() };
        self.take(Event::Examined { step: n, variant: variant(n), scorecard });
    }

    fn admitted(&mut self, n: u64, parent: Option<u64>) {
        let parents = parent.map(variant).into_iter().collect();
        self.take(Event::Admitted { step: n, variant: variant(n), tree: TreeId(variant(n).0), parents });
    }

    fn judged(&mut self, n: u64, verdict: Verdict) {
        let judgement = Judgement::of(verdict, 0.0, String::new());
        self.take(Event::Judged { step: n, variant: variant(n), judgement });
    }

    /// A variant that was examined on all tasks.
    fn whole(&mut self, n: u64, parent: Option<u64>, scores: &[f64]) {
        self.admitted(n, parent);
        self.examined(n, &scores.iter().copied().enumerate().collect::<Vec<_>>());
        match parent {
            Some(_) => self.judged(n, Verdict::Rejected),
            None => self.take(Event::Crowned { variant: variant(n), score: scores[0] }),
        }
    }

    fn budget(&self) -> Budget {
        let charged = self.lineage.run.as_ref().unwrap().charged();
        Budget::new(Cost::evals(self.evals), 0.0, charged, 0.0)
    }

    fn decide(&self, strategy: &mut dyn Strategy, step: u64) -> Action {
        strategy.next(&self.lineage, &self.budget(), &mut Rng::of(1, 1, step))
    }

    /// How often each variant is the parent, or is examined, in so many decisions.
    fn drawn(&self, kind: StrategyKind, times: u64) -> BTreeMap<VariantId, u64> {
        let mut strategy = kind.build();
        let mut drawn = BTreeMap::new();
        for step in 0..times {
            match self.decide(strategy.as_mut(), step) {
                Action::Expand { parents, .. } => *drawn.entry(parents[0]).or_default() += 1,
                Action::Examine { variant, .. } => *drawn.entry(variant).or_default() += 1,
                Action::Wait | Action::Stop => break,
            }
        }
        drawn
    }
}

fn settings(search: impl Fn(&mut SearchPlan)) -> SearchPlan {
    let mut plan = SearchPlan::default();
    search(&mut plan);
    plan
}

/// All strategies, each as a run may have it.
fn all() -> Vec<(StrategyKind, SearchPlan)> {
    let mut all: Vec<_> = StrategyKind::ALL.into_iter().map(|kind| (kind, SearchPlan::default())).collect();
    all.push((StrategyKind::Dgm, settings(|s| s.dgm = DgmPlan { scale: Scale::Median })));
    all.push((StrategyKind::Dgm, settings(|s| (s.first_tasks, s.arms) = (2, Arms::Bandit))));
    all.push((StrategyKind::Islands, settings(|s| s.islands.reset_every = 3)));
    all
}

#[test]
fn whatever_the_scores_are_each_strategy_chooses_a_variant_that_may_be_a_parent() {
    let odd: [(&str, Vec<Vec<f64>>); 8] = [
        ("constant", vec![vec![0.5; 4]; 6]),
        ("all failures", vec![vec![0.0; 4]; 6]),
        ("negative", vec![vec![-1.0, -3.0, -2.0, -8.0]; 6]),
        ("one task", (0..6).map(|n| vec![f64::from(n)]).collect()),
        ("huge", (0..6).map(|n| vec![f64::MAX * (0.5 - f64::from(n) / 6.0), f64::MAX, f64::MIN, 0.0]).collect()),
        ("tiny", (0..6).map(|n| vec![f64::MIN_POSITIVE * f64::from(n); 4]).collect()),
        ("infinite", (0..6).map(|n| vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::from(n)]).collect()),
        ("no number at all", vec![vec![f64::NAN; 4]; 6]),
    ];
    for (kind, search) in all() {
        for (name, scores) in &odd {
            let mut world = World::new(search.clone(), 2, scores[0].len(), 100);
            for (n, scores) in (0..).zip(scores) {
                world.whole(n, (n > 0).then_some(n / 2), scores);
            }
            world.admitted(6, Some(0));
            world.examined(6, &[(0, 0.0)]);
            world.judged(6, Verdict::Unviable);
            world.admitted(7, Some(0));
            world.examined(7, &[(0, 1.0)]);
            world.judged(7, Verdict::Suspect);
            let drawn = world.drawn(kind, 60);
            let known = |id: &VariantId| (0..6).any(|n| variant(n) == *id);
            assert!(drawn.keys().all(known), "{} of {name} scores drew what may be no parent: {drawn:?}", kind.name());
            if *name != "no number at all" || kind == StrategyKind::Greedy {
                assert!(!drawn.is_empty(), "{} of {name} scores chose nothing", kind.name());
            }
        }
    }
}

#[test]
fn median_scaled_dgm_draws_parents_as_often_as_its_formula_says_whatever_the_scale() {
    // Median 3, median absolute deviation 1, thrice on another scale.
    let scores: [f64; 5] = [1.0, 3.0, 3.1, 4.0, 2.0];
    for scale in [1.0, -1e-3, 1e300] {
        let mut world = World::new(settings(|s| s.dgm = DgmPlan { scale: Scale::Median }), 1, 1, 0);
        for (n, score) in (0..).zip(scores) {
            world.whole(n, (n > 0).then_some(0), &[score * scale]);
        }
        let mut ordered = scores.map(|s| s * scale);
        ordered.sort_by(f64::total_cmp);
        let median = ordered[2];
        let mut away = scores.map(|s| (s * scale - median).abs());
        away.sort_by(f64::total_cmp);
        let weight = |n: usize| {
            let z = (scores[n] * scale - median) / away[2].max(1e-6);
            1.0 / (1.0 + (-10.0 * z).exp()) / if n == 0 { 5.0 } else { 1.0 }
        };
        let total: f64 = (0..5).map(weight).sum();
        let (times, drawn) = (20_000, world.drawn(StrategyKind::Dgm, 20_000));
        let chi: f64 = (0..5)
            .map(|n| (weight(n) / total * times as f64, drawn.get(&variant(n as u64)).copied().unwrap_or(0) as f64))
            .map(|(expected, drawn)| (drawn - expected).powi(2) / expected.max(1.0))
            .sum();
        // Four degrees of freedom: 23.5 is passed once in ten thousand.
        assert!(chi < 23.5, "scale {scale}: chi² {chi}, {drawn:?}");
    }
}

#[test]
fn hgm_makes_a_variant_only_where_there_are_few_for_the_marks_and_else_examines_one_on_tasks_that_it_lacks() {
    let mut world = World::new(SearchPlan::default(), 1, 20, 100);
    world.whole(0, None, &[0.5; 20]);
    // 20^0.6 = 6.03 variants.
    for n in 1..6 {
        let action = world.decide(StrategyKind::Hgm.build().as_mut(), n);
        let Action::Expand { exam: Exam::Part(tasks), .. } = action else { panic!("{action:?}") };
        assert_eq!(tasks.len(), 1);
        world.admitted(n, Some(0));
    }
    world.examined(3, &[(4, 1.0)]);
    // 21^0.6 = 6.21 against 6, then against 7.
    world.admitted(6, Some(0));
    let action = world.decide(StrategyKind::Hgm.build().as_mut(), 9);
    let Action::Examine { variant: examined, tasks } = action else { panic!("{action:?}") };
    assert_eq!(examined, variant(3), "the others were not examined at all, and may not work");
    assert_ne!(tasks, [TaskId("even-004".into())], "a task that it has a mark of");
}

#[test]
fn hgm_prefers_the_parent_whose_clade_does_well_to_the_one_that_does_well_itself() {
    let mut world = World::new(settings(|s| s.hgm.alpha = 1.0), 1, 10, 0);
    world.whole(0, None, &[0.5; 10]);
    world.whole(1, Some(0), &[0.7; 10]);
    world.whole(2, Some(0), &[0.4; 10]);
    for n in 0..8 {
        world.whole(10 + n, Some(1), &[0.1; 10]);
        world.whole(20 + n, Some(2), &[0.65; 10]);
    }
    // Judged by themselves, 1 is best; its children all fail. Children that do well are good parents too, so only the two count.
    let drawn = world.drawn(StrategyKind::Hgm, 4000);
    let of = |n| drawn.get(&variant(n)).copied().unwrap_or(0);
    assert!(of(2) > 20 * of(1).max(1), "{} of the clade that does well, {} of the other", of(2), of(1));
}

#[test]
fn hgm_adds_each_mark_to_a_clade_once() {
    // The released code adds descendants' marks to their ancestors again with every decision.
    let mut world = World::new(settings(|s| s.hgm.alpha = 1.0), 1, 10, 0);
    world.whole(0, None, &[0.5; 10]);
    let mut watching = StrategyKind::Hgm.build();
    for n in 1..60 {
        world.whole(n, Some(n / 2), &[(n % 3) as f64 / 2.0; 10]);
        world.decide(watching.as_mut(), n);
    }
    for step in 100..400 {
        let fresh = world.decide(StrategyKind::Hgm.build().as_mut(), step);
        assert_eq!(world.decide(watching.as_mut(), step), fresh);
    }
}

#[test]
fn hgm_examines_its_finalists_on_all_tasks_before_the_budget_ends() {
    let plan = settings(|s| s.hgm = HgmPlan { finalists: 2, ..HgmPlan::default() });
    let mut world = World::new(plan, 1, 10, 20);
    world.whole(0, None, &[0.2; 10]);
    for n in 1..16 {
        world.whole(n, Some(0), &[0.1; 10]);
    }
    world.admitted(30, Some(0));
    world.examined(30, &[(0, 1.0), (1, 1.0), (2, 1.0)]);
    // 16 whole examinations and one of three tasks: 3 are left, and the two finalists may take 4.
    match world.decide(StrategyKind::Hgm.build().as_mut(), 1) {
        Action::Examine { variant: finalist, tasks } => {
            assert_eq!((finalist, tasks.len()), (variant(30), 7));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pareto_draws_who_is_best_at_some_task_in_proportion_and_drops_who_is_dominated() {
    let mut world = World::new(settings(|s| s.pareto = ParetoPlan { merge: 0.0 }), 1, 4, 0);
    world.whole(0, None, &[0.0, 0.0, 0.0, 0.0]);
    world.whole(1, Some(0), &[1.0, 1.0, 0.0, 0.0]);
    world.whole(2, Some(0), &[0.0, 0.0, 0.0, 1.0]);
    // Ties with 1 on one task, and is worse on average.
    world.whole(3, Some(0), &[1.0, 0.0, 0.0, 0.0]);
    // All are best on the third task, which nobody solves: the best on average stands for it.
    let drawn = world.drawn(StrategyKind::Pareto, 4000);
    let of = |n| drawn.get(&variant(n)).copied().unwrap_or(0);
    assert_eq!((of(0), of(3)), (0, 0), "{drawn:?}");
    // 1 is among the best on three tasks, 2 on two.
    assert!((of(1) as f64 / 4000.0 - 0.6).abs() < 0.03, "{drawn:?}");
}

#[test]
fn pareto_joins_two_of_the_front_and_shows_the_second_first() {
    let mut world = World::new(settings(|s| s.pareto = ParetoPlan { merge: 1.0 }), 1, 2, 0);
    world.whole(0, None, &[0.0, 0.0]);
    world.whole(1, Some(0), &[1.0, 0.0]);
    world.whole(2, Some(0), &[0.0, 1.0]);
    match world.decide(StrategyKind::Pareto.build().as_mut(), 1) {
        Action::Expand { parents, inspirations, .. } => {
            assert_eq!(parents.len(), 2);
            assert_eq!(inspirations[0], parents[1]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_owner_of_a_cell_loses_it_to_a_better_one_alone() {
    let edges = vec![250.0];
    let plan = settings(|s| {
        let features = vec![Feature { name: "size".into(), edges: edges.clone() }];
        s.islands = IslandsPlan { count: 1, migrate_every: 0, reset_every: 0, features };
    });
    let mut world = World::new(plan, 1, 2, 0);
    world.whole(0, None, &[0.5, 0.5]);
    // Sizes 100 and 200 share a cell, 300 and 400 another.
    world.whole(1, Some(0), &[0.4, 0.4]);
    world.whole(2, Some(0), &[0.3, 0.4]);
    world.whole(3, Some(0), &[0.1, 0.0]);
    let owners = |world: &World| world.drawn(StrategyKind::Islands, 200).into_keys().collect::<Vec<_>>();
    assert_eq!(owners(&world), [variant(1), variant(3)], "a worse one in another cell is kept");
    world.whole(4, Some(0), &[0.2, 0.2]);
    assert_eq!(owners(&world), [variant(1), variant(4)]);
    for n in 5..40 {
        world.whole(n, Some(0), &[0.1, 0.2]);
    }
    assert_eq!(owners(&world), [variant(1), variant(4)], "numbers push nobody out");
}

#[test]
fn islands_see_their_neighbours_best_and_the_worse_half_begins_anew() {
    let plan = |migrate_every, reset_every| {
        settings(|s| {
            let features = vec![];
            s.islands = IslandsPlan { count: 2, migrate_every, reset_every, features };
        })
    };
    let filled = |plan| {
        let mut world = World::new(plan, 1, 1, 0);
        world.whole(0, None, &[0.1]);
        for n in 1..20 {
            world.whole(n, Some(0), &[n as f64 / 20.0]);
        }
        world.drawn(StrategyKind::Islands, 400)
    };
    // Each island's only cell has one owner.
    let apart = filled(plan(0, 0));
    assert_eq!(apart.len(), 2, "{apart:?}");
    // With migration after every fifteen, each sees the best of the other's first fifteen: worse than its own by now.
    assert_eq!(filled(plan(15, 0)), apart);
    // After the twentieth, that of all twenty.
    assert_eq!(filled(plan(10, 0)).into_keys().collect::<Vec<_>>(), [variant(19)]);
    // With a new beginning just now, the worse island has nobody of its own and begins from the best.
    let anew = filled(plan(0, 20));
    assert_eq!(anew.into_keys().collect::<Vec<_>>(), [variant(19)]);
}

#[test]
fn first_tasks_are_drawn_anew_each_time_and_are_the_runs_own() {
    let mut world = World::new(settings(|s| s.first_tasks = 3), 1, 10, 0);
    world.whole(0, None, &[0.5; 10]);
    let mut drawn = Vec::new();
    for step in 0..20 {
        match world.decide(StrategyKind::Dgm.build().as_mut(), step) {
            Action::Expand { exam: Exam::Staged(parts), .. } => drawn.push(parts),
            other => panic!("{other:?}"),
        }
    }
    for parts in &drawn {
        // Three, and three more; twelve would be more than there are.
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
        let all: std::collections::BTreeSet<_> = parts.iter().flatten().collect();
        assert_eq!(all.len(), 6, "none twice");
    }
    drawn.dedup();
    assert!(drawn.len() > 10);
}

/// Asks `times` times; the proposers bring these gains at these costs. Counts who was asked.
fn asked(plan: BanditPlan, gains: &[f64], costs: &[u64], times: u64) -> Vec<u64> {
    let mut world = World::new(settings(|s| (s.arms, s.bandit) = (Arms::Bandit, plan.clone())), gains.len(), 1, 0);
    world.whole(0, None, &[1.0]);
    let mut asked = vec![0; gains.len()];
    for step in 1..=times {
        let Action::Expand { arm, .. } = world.decide(StrategyKind::Greedy.build().as_mut(), step) else { panic!() };
        asked[arm] += 1;
        let cost = Cost { usd: MicroUsd(costs[arm]), ..Cost::ZERO };
        let outcome = BidOutcome::Proposed { reason: String::new(), idea: None };
        world.take(Event::Bid(Attempt { step, parents: vec![variant(0)], arm, cost, outcome }));
        world.whole(step, Some(0), &[1.0 + gains[arm]]);
    }
    asked
}

#[test]
fn the_bandit_asks_who_brings_most_most_and_nobody_never() {
    for scale in [1e-6, 1.0, 1e12] {
        let asked = asked(BanditPlan::default(), &[0.1 * scale, 0.0, 0.6 * scale, -0.5], &[0; 4], 400);
        assert!(asked[2] > 200, "{asked:?}");
        assert!(asked.iter().all(|n| *n >= 10), "{asked:?}");
    }
}

#[test]
fn of_equal_gains_the_bandit_prefers_the_cheap_and_pays_for_what_is_much_better() {
    let even = asked(BanditPlan::default(), &[0.3, 0.3], &[50_000, 100], 300);
    assert!(even[1] > 2 * even[0], "{even:?}");
    let blind = asked(BanditPlan { cheapness: 0.0, ..BanditPlan::default() }, &[0.3, 0.3], &[50_000, 100], 300);
    assert!(blind[0].abs_diff(blind[1]) < 60, "{blind:?}");
    let better = asked(BanditPlan { cheapness: 0.2, ..BanditPlan::default() }, &[0.9, 0.0], &[50_000, 100], 300);
    assert!(better[0] > better[1], "{better:?}");
}
