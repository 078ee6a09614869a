//! Numbers of programs, moved step by step as a greedy run would.

use std::sync::Arc;

use meliora_domain::{Feedback, Genome, TaskId};
use meliora_evolve::{Ancestor, Bid, PastAttempt, Proposer};

use super::behaviour::{Memory, all, brief, genome, text_of};
use crate::mutate::Mutate;

/// The numbers of a list in brackets.
fn list(text: &str) -> Option<Vec<f64>> {
    let inner = text.split_once("[")?.1.split_once("]")?.0;
    inner.split(',').map(|n| n.trim().parse().ok()).collect()
}

/// A greedy run over one file: where it ended after so many proposals, and how many of them were numeric.
fn run(path: &str, text: &str, proposals: u64, height: impl Fn(&[f64]) -> f64) -> (Genome, f64, usize) {
    let mutate = Mutate::new();
    let memory = Memory::default();
    let mut parent = genome(&[(path, text)]);
    let mut low = height(&list(text).unwrap());
    let (mut ancestors, mut attempts, mut numeric) = (Vec::new(), Vec::new(), 0);
    for step in 1..=proposals {
        let brief = |seed| {
            let mut brief = brief(&parent, &[], &all, &memory);
            (brief.step, brief.seed) = (step, seed);
            brief.ancestors = &ancestors;
            brief.attempts = &attempts;
            brief
        };
        let bid = mutate.propose(&brief(step)).unwrap();
        // Another process, that knows nothing but the brief, says the same.
        if step % 50 == 0 {
            assert_eq!(bid, Mutate::new().propose(&brief(step)).unwrap());
        }
        let Bid::Proposal { change, reason, .. } = bid else { break };
        let after = change.apply(&parent).unwrap();
        memory.trees.lock().unwrap().insert(after.tree());
        numeric += usize::from(reason.ends_with("(numbers)"));
        let found = list(text_of(&after, path)).map_or(f64::MAX, |values| height(&values));
        if found < low {
            ancestors.insert(0, Ancestor { genome: Arc::new(parent), feedback: Arc::default() });
            ancestors.truncate(32);
            attempts.clear();
            (parent, low) = (after, found);
        } else {
            attempts.push(PastAttempt { reason, outcome: String::new(), feedback: String::new() });
            attempts.drain(..attempts.len().saturating_sub(24));
        }
    }
    (parent, low, numeric)
}

#[test]
fn numbers_find_their_place_in_all_languages() {
    let bowl = |x: &[f64]| {
        if x.len() == 4 { x.iter().map(|v| (v + 0.7).powi(2)).sum() } else { f64::MAX }
    };
    for (path, text) in [
        ("a.py", "POINT = [1.0, 0.5, -2.0, 3.0]\n\n\ndef point():\n    return POINT\n"),
        ("a.js", "export const point = [1.0, 0.5, -2.0, 3.0];\n"),
        ("a.rs", "pub const POINT: Point = [1.0, 0.5, -2.0, 3.0];\n"),
    ] {
        let (_, low, numeric) = run(path, text, 600, bowl);
        assert!(low < 1e-4, "{path}: {low} after {numeric} numeric steps");
        assert!(numeric > 300, "{path}: numbers helped, and had only {numeric} of 600 turns");
    }
}

#[test]
fn whole_numbers_stay_whole() {
    let far = |x: &[f64]| if x.len() == 5 { x.iter().map(|v| (v - 37.0).abs()).sum() } else { f64::MAX };
    let (made, low, _) = run("a.py", "CODE = [1, 2, 3, 4, 5]\n", 600, far);
    assert!(low < 40.0, "{low}");
    assert!(!text_of(&made, "a.py").contains('.'), "{}", text_of(&made, "a.py"));
}

#[test]
fn where_failing_tests_point_at_lines_numbers_seldom_come_first() {
    let path = "a.py";
    let parent = genome(&[(path, "LIMIT = 0.5\n\n\ndef low(x):\n    if x < LIMIT:\n        return x\n    return 0\n")]);
    let lines = [(path.to_owned(), vec![5, 6])].into();
    let told = [Feedback { task: TaskId("t".into()), passed: false, detail: String::new(), lines }];
    let memory = Memory::default();
    let numeric = (0..400)
        .filter(|seed| {
            let mut brief = brief(&parent, &told, &all, &memory);
            brief.seed = *seed;
            let bid = Mutate::new().propose(&brief).unwrap();
            matches!(bid, Bid::Proposal { reason, .. } if reason.ends_with("(numbers)"))
        })
        .count();
    assert!((1..60).contains(&numeric), "{numeric} of 400");
    let whole = genome(&[(path, "DAYS = [31, 28, 31, 30]\n\n\ndef days(m):\n    return DAYS[m]\n")]);
    let brief = brief(&whole, &told, &all, &memory);
    assert!(
        !matches!(Mutate::new().propose(&brief).unwrap(), Bid::Proposal { reason, .. } if reason.ends_with("(numbers)"))
    );
}
