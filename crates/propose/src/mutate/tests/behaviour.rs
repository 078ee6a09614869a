//! What a run sees of the proposer: bids that apply, parse, differ, and stay inside what may change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use meliora_domain::{Cost, Digest, Feedback, FileBody, Genome, GenomePath, TaskId, TreeId, VariantId};
use meliora_evolve::{Ancestor, Bid, Brief, Proposer, Tried};
use proptest::prelude::*;

use super::squeezed;
use crate::mutate::Mutate;
use crate::mutate::deck::candidates;
use crate::mutate::language::Lang;
use crate::mutate::localise::Suspicion;
use crate::mutate::render::after;
use crate::mutate::tree::Ast;

#[derive(Default)]
pub(super) struct Memory {
    pub(super) trees: Mutex<BTreeSet<TreeId>>,
    ideas: Mutex<BTreeSet<Digest>>,
}

impl Tried for Memory {
    fn tree(&self, tree: &TreeId) -> bool {
        self.trees.lock().unwrap().contains(tree)
    }
    fn idea(&self, idea: &Digest) -> bool {
        self.ideas.lock().unwrap().contains(idea)
    }
}

pub(super) fn genome(files: &[(&str, &str)]) -> Genome {
    files.iter().map(|(p, t)| (GenomePath::new(p).unwrap(), FileBody::new(t.as_bytes(), false))).collect()
}

pub(super) fn brief<'a>(
    genome: &'a Genome,
    feedback: &'a [Feedback],
    editable: &'a (dyn Fn(&str) -> bool + Sync),
    tried: &'a Memory,
) -> Brief<'a> {
    Brief {
        goal: "",
        step: 1,
        seed: 1,
        parent: VariantId([1; 20]),
        genome,
        score: None,
        feedback,
        examples: &[],
        trial: &meliora_evolve::Untried,
        ancestors: &[],
        mates: &[],
        inspirations: &[],
        attempts: &[],
        editable,
        tried,
        reserved: Cost::ZERO,
    }
}

pub(super) fn all(_: &str) -> bool {
    true
}

/// The genomes of up to `most` bids in a row, each remembered as tried, with reasons and ideas.
fn bids(
    mutate: &Mutate,
    genome: &Genome,
    feedback: &[Feedback],
    memory: &Memory,
    most: usize,
) -> Vec<(Genome, String, Digest)> {
    let mut made = Vec::new();
    while made.len() < most {
        match mutate.propose(&brief(genome, feedback, &all, memory)).unwrap() {
            Bid::Proposal { change, reason, idea, .. } => {
                let after = change.apply(genome).unwrap();
                memory.trees.lock().unwrap().insert(after.tree());
                memory.ideas.lock().unwrap().insert(idea.unwrap());
                made.push((after, reason, idea.unwrap()));
            }
            Bid::Exhausted => break,
            Bid::Unusable { reason, .. } => panic!("{reason}"),
        }
    }
    made
}

pub(super) fn text_of<'g>(genome: &'g Genome, path: &str) -> &'g str {
    genome.get(&GenomePath::new(path).unwrap()).unwrap().text().unwrap()
}

const PAIR: &str = "def add(a, b):\n    return a - b\n\n\ndef twice(x):\n    return x + x\n";

#[test]
fn every_bid_applies_parses_and_is_new_until_none_is_left() {
    let programs = [
        ("a.py", PAIR),
        (
            "a.rs",
            "fn f(xs: &[i32]) -> i32 {\n    let mut n = 0;\n    for x in xs {\n        n += x;\n    }\n    n\n}\n",
        ),
        ("a.js", "function f(xs) {\n  let n = 0;\n  for (const x of xs) {\n    n += x;\n  }\n  return n;\n}\n"),
        ("a.ts", "export function f(xs: number[]): number {\n  return xs.length > 0 ? xs[0] : -1;\n}\n"),
        ("a.tsx", "export const F = (p: { n: number }) => <b>{p.n + 1}</b>;\n"),
    ];
    for (path, text) in programs {
        let genome = genome(&[(path, text)]);
        let lang = Lang::of(path.rsplit('.').next().unwrap()).unwrap();
        let made = bids(&Mutate::new(), &genome, &[], &Memory::default(), 100_000);
        assert!(made.len() > 15, "{path} has {} candidates", made.len());
        let trees: BTreeSet<TreeId> = made.iter().map(|(g, ..)| g.tree()).collect();
        assert_eq!(trees.len(), made.len(), "{path}: each is another tree");
        assert!(!trees.contains(&genome.tree()), "{path}: none is the parent");
        for (after, reason, _) in &made {
            let ast = Ast::parse(lang, text_of(after, path)).unwrap();
            assert!(!ast.tree.root_node().has_error(), "{reason}:\n{}", text_of(after, path));
        }
    }
}

#[test]
fn a_reason_says_where_what_and_why() {
    let genome = genome(&[("arithmetic.py", "def add(a, b):\n    return a - b\n")]);
    let made = bids(&Mutate::new(), &genome, &[], &Memory::default(), 1);
    assert_eq!(made[0].1, "arithmetic.py:2 `a - b` -> `a + b` (operator swap)");
}

#[test]
fn the_same_brief_gives_the_same_bid_whoever_was_asked_before() {
    let genome = genome(&[("a.py", PAIR)]);
    let asked = Mutate::new();
    bids(&asked, &genome, &[], &Memory::default(), 40);
    let fresh = Memory::default();
    let b = brief(&genome, &[], &all, &fresh);
    assert_eq!(asked.propose(&b).unwrap(), Mutate::new().propose(&b).unwrap());
    assert_eq!(asked.propose(&b).unwrap(), asked.propose(&b).unwrap());
}

#[test]
fn an_idea_is_known_again_where_another_function_changed() {
    let before = genome(&[("a.py", PAIR)]);
    let after = genome(&[("a.py", &PAIR.replace("x + x", "2 * x"))]);
    let ideas = |genome: &Genome| -> BTreeSet<Digest> {
        let made = bids(&Mutate::new(), genome, &[], &Memory::default(), 10_000);
        made.iter().filter(|(_, reason, _)| reason.starts_with("a.py:2 ")).map(|(.., idea)| *idea).collect()
    };
    let (here, there) = (ideas(&before), ideas(&after));
    assert!(
        here.intersection(&there).count() > here.len() / 2,
        "{} of {}",
        here.intersection(&there).count(),
        here.len()
    );
}

#[test]
fn an_idea_that_failed_elsewhere_comes_after_all_new_ones() {
    let genome = genome(&[("a.py", PAIR)]);
    let order: Vec<Digest> =
        bids(&Mutate::new(), &genome, &[], &Memory::default(), 100_000).into_iter().map(|(.., idea)| idea).collect();
    let memory = Memory::default();
    memory.ideas.lock().unwrap().insert(order[0]);
    let again: Vec<Digest> =
        bids(&Mutate::new(), &genome, &[], &memory, 100_000).into_iter().map(|(.., idea)| idea).collect();
    assert_eq!(again.first(), Some(&order[1]));
    assert_eq!(again.last(), Some(&order[0]));
    assert_eq!(again.len(), order.len());
}

#[test]
fn nothing_is_proposed_outside_what_may_change() {
    let genome = genome(&[("a.py", PAIR), ("b.py", PAIR), ("c.txt", "a - b\n")]);
    let may = |path: &str| path == "b.py";
    let memory = Memory::default();
    let Bid::Proposal { change, .. } = Mutate::new().propose(&brief(&genome, &[], &may, &memory)).unwrap() else {
        panic!("there is something to propose")
    };
    assert!(change.edits.iter().all(|e| e.path() == "b.py"));
    let none = |_: &str| false;
    assert_eq!(Mutate::new().propose(&brief(&genome, &[], &none, &memory)).unwrap(), Bid::Exhausted);
}

#[test]
fn only_what_stands_in_a_marked_block_changes() {
    let text = "TOP = 1\n# EVOLVE-BLOCK-START\ndef f(x):\n    return x + 1\n# EVOLVE-BLOCK-END\nBOTTOM = f(2)\n";
    let genome = genome(&[("a.py", text)]);
    let made = bids(&Mutate::new(), &genome, &[], &Memory::default(), 100_000);
    assert!(made.len() > 15);
    for (after, ..) in made {
        let after = text_of(&after, "a.py");
        assert!(after.starts_with("TOP = 1\n# EVOLVE-BLOCK-START\n"), "{after}");
        assert!(after.ends_with("# EVOLVE-BLOCK-END\nBOTTOM = f(2)\n"), "{after}");
    }
}

#[test]
fn what_only_failing_tasks_ran_is_changed_first() {
    let lines = |lines: &[u32]| [("a.py".to_owned(), lines.to_vec())].into();
    let told = [
        Feedback { task: TaskId("good".into()), passed: true, detail: String::new(), lines: lines(&[2]) },
        Feedback { task: TaskId("bad".into()), passed: false, detail: String::new(), lines: lines(&[6]) },
    ];
    let made = bids(&Mutate::new(), &genome(&[("a.py", PAIR)]), &told, &Memory::default(), 20);
    assert!(made.iter().all(|(_, reason, _)| !reason.starts_with("a.py:2 ")), "{made:?}");
}

#[test]
fn odd_files_give_no_candidates_and_no_trouble() {
    let path = |p: &str| GenomePath::new(p).unwrap();
    let large = format!("x = 1\n{}", "# filler\n".repeat(130_000));
    let genome = Genome::new()
        .with(path("latin.py"), FileBody::new(&b"x = '\xff'\n"[..], false))
        .with(path("large.py"), FileBody::new(large.as_bytes(), false))
        .with(path("empty.py"), FileBody::new(&b""[..], false))
        .with(path("notes.md"), FileBody::new(&b"1 + 1\n"[..], false));
    let memory = Memory::default();
    assert_eq!(Mutate::new().propose(&brief(&genome, &[], &all, &memory)).unwrap(), Bid::Exhausted);
}

#[test]
fn a_deep_nest_is_left_alone() {
    let deep = format!("x = {}1{}\n", "(".repeat(5_000), ")".repeat(5_000));
    bids(&Mutate::new(), &genome(&[("a.py", &deep)]), &[], &Memory::default(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_the_text_bids_apply_and_differ(lines in prop::collection::vec("(    ){0,2}(if a:|x = a\\[1\\]|return x|é = f\\(a, b\\)|pass|\\(|for i in a:)", 0..8)) {
        let text = format!("def f(a, b):\n    x = 0\n{}", lines.iter().map(|l| format!("    {l}\n")).collect::<String>());
        let genome = genome(&[("a.py", &text)]);
        let made = bids(&Mutate::new(), &genome, &[], &Memory::default(), 60);
        let trees: BTreeSet<TreeId> = made.iter().map(|(g, ..)| g.tree()).collect();
        prop_assert_eq!(trees.len(), made.len());
        prop_assert!(!trees.contains(&genome.tree()));
    }
}

fn feedback_of(task: &str, passed: bool, lines: &[u32]) -> Feedback {
    let lines = [("a.py".to_owned(), lines.to_vec())].into();
    Feedback { task: TaskId(task.into()), passed, detail: String::new(), lines }
}

fn ancestor(text: &str, feedback: Vec<Feedback>) -> Ancestor {
    Ancestor { genome: Arc::new(genome(&[("a.py", text)])), feedback: Arc::new(feedback) }
}

/// The texts of up to `most` bids in a row on a parent that was made from others.
fn texts_after(ancestors: &[Ancestor], text: &str, feedback: &[Feedback], most: usize) -> Vec<(String, String)> {
    let parent = genome(&[("a.py", text)]);
    let memory = Memory::default();
    let stood = ancestors.iter().map(|a| a.genome.tree()).chain([parent.tree()]);
    memory.trees.lock().unwrap().extend(stood);
    let mut made = Vec::new();
    let mutate = Mutate::new();
    while made.len() < most {
        let brief = Brief { ancestors, ..brief(&parent, feedback, &all, &memory) };
        let Bid::Proposal { change, reason, .. } = mutate.propose(&brief).unwrap() else { break };
        let after = change.apply(&parent).unwrap();
        assert!(memory.trees.lock().unwrap().insert(after.tree()), "{reason}");
        made.push((text_of(&after, "a.py").to_owned(), reason));
    }
    made
}

const LEAP: &str = "def leap(year):\n    return year % 4 == 0 and (year % 100 != 0 and year % 400 == 0)\n";

#[test]
fn a_change_that_mended_only_some_is_taken_back_for_another() {
    let told = |passed| vec![feedback_of("some", passed, &[1, 2]), feedback_of("rest", false, &[1, 2])];
    let halfway = LEAP.replace("0 and (", "0 or (");
    let made = texts_after(&[ancestor(LEAP, told(false))], &halfway, &told(true), 60);
    let wanted = LEAP.replace("0 and year", "0 or year");
    let (_, reason) = made.iter().find(|(text, _)| *text == wanted).expect("the change is replaced by another");
    assert!(reason.ends_with("in place of an earlier change"), "{reason}");
    assert!(made.iter().any(|(text, _)| text.contains("0 or (")), "and the change is also built upon");
}

#[test]
fn what_no_failing_task_runs_stays_as_it_was_mended() {
    let before = format!("{LEAP}\n\n{}", &PAIR[PAIR.find("def twice").unwrap()..].replace("x + x", "x * x"));
    let after = before.replace("0 and year", "0 or year");
    let told = |passed| vec![feedback_of("leap", passed, &[1, 2, 5]), feedback_of("twice", false, &[1, 5, 6])];
    let made = texts_after(&[ancestor(&before, told(false))], &after, &told(true), 100_000);
    assert!(made.iter().any(|(text, _)| text.contains("x + x")));
    assert!(made.iter().all(|(_, reason)| !reason.contains("earlier change")));
}

#[test]
fn of_several_changes_only_those_in_doubt_are_taken_back() {
    let before = PAIR.replace("x + x", "x * x");
    let first = before.replace("a - b", "a + b");
    let second = first.replace("x * x", "x * 1");
    let told = |add, some| {
        vec![
            feedback_of("add", add, &[1, 2, 5]),
            feedback_of("one", some, &[1, 5, 6]),
            feedback_of("two", false, &[1, 5, 6]),
        ]
    };
    let line = [ancestor(&first, told(true, false)), ancestor(&before, told(false, false))];
    let made = texts_after(&line, &second, &told(true, true), 200);
    let wanted = first.replace("x * x", "x + x");
    assert!(made.iter().any(|(text, reason)| *text == wanted && reason.ends_with("earlier change")));
    let first_function = |text: &str| text.contains("a + b") || text.contains("x * 1");
    assert!(made.iter().all(|(text, _)| first_function(text)), "the first change is never taken back");
}

/// Place (from 1) of the candidate that makes `broken` read `right`, when nothing is known of the lines.
fn place_of(broken: &str, right: &str) -> usize {
    let ast = Ast::parse(Lang::Python, broken).unwrap();
    let ranked = candidates(&ast, broken, &Suspicion::of("", &[]));
    let found = ranked.iter().position(|(_, c)| squeezed(&after(broken, c)) == squeezed(right));
    found.unwrap_or_else(|| panic!("nothing makes\n{broken}\nread\n{right}")) + 1
}

#[test]
fn what_stands_beside_is_an_example() {
    let cases = [
        ("return abs(a[0] - b[0]) + (a[1] - b[1])", "return abs(a[0] - b[0]) + abs(a[1] - b[1])"),
        ("return a[b - 1][c] + 1", "return a[b - 1][c - 1] + 1"),
        ("return 0 <= a < c and b < d", "return 0 <= a < c and 0 <= b < d"),
        ("a[b] = c.strip()", "a[b.strip()] = c.strip()"),
    ];
    for (broken, right) in cases {
        let program = |line: &str| format!("def f(a, b, c, d):\n    {line}\n");
        let place = place_of(&program(broken), &program(right));
        assert!(place <= 20, "{right} comes as number {place}");
    }
}

#[test]
fn a_base_case_may_come_after_others_and_ask_for_a_name_of_the_function_around() {
    let program = |case: &str| {
        format!(
            "def words(text):\n    def splits(start):\n        if start < 0:\n            return []\n{case}        found = []\n        \
             for end in range(start + 1, len(text) + 1):\n            for rest in splits(end):\n                \
             found.append([text[start:end]] + rest)\n        return found\n    return splits(0)\n"
        )
    };
    let right = program("        if start == len(text):\n            return [[]]\n");
    assert!(place_of(&program(""), &right) < 2000);
}

#[test]
fn what_is_looked_for_and_never_kept_is_kept() {
    let program = |line: &str| {
        format!(
            "def count(cells):\n    seen = set()\n    n = 0\n    for r, c in cells:\n        if (r, c) in seen:\n            continue\n{line}        \
             n += 1\n    return n\n"
        )
    };
    let place = place_of(&program(""), &program("        seen.add((r, c))\n"));
    assert!(place <= 120, "it comes as number {place}");
}

#[test]
fn the_other_end_of_a_slice_and_the_other_way_round() {
    let cases = [
        ("    return text[1:]", "    return text[:-1]"),
        ("    return text[-k:]", "    return text[k:]"),
        ("    side[k] = side[text]", "    side[k] = not side[text]"),
        ("    return k // 2 + 1 if k % 2 else 0", "    return k // 2 + (1 if k % 2 else 0)"),
    ];
    for (broken, right) in cases {
        let program = |line: &str| format!("def f(text, k, side):\n{line}\n");
        let place = place_of(&program(broken), &program(right));
        assert!(place <= 40, "{right} comes as number {place}");
    }
}
