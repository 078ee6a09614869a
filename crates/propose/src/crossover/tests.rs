//! What comes of two parents.

use std::sync::{Arc, Mutex};

use meliora_domain::{Digest, TreeId, VariantId};
use meliora_evolve::{Ancestor, Tried};

use super::*;

#[derive(Default)]
struct Memory(Mutex<Vec<TreeId>>);

impl Tried for Memory {
    fn tree(&self, tree: &TreeId) -> bool {
        self.0.lock().unwrap().contains(tree)
    }
    fn idea(&self, _: &Digest) -> bool {
        false
    }
}

fn genome(text: &str) -> Genome {
    Genome::new().with(GenomePath::new("a.py").unwrap(), FileBody::new(text.as_bytes(), false))
}

const ORIGIN: &str = "def one():\n    return 0\n\n\ndef two():\n    return 0\n\n\ndef three():\n    return 0\n";

fn with(mended: &[&str]) -> Genome {
    let mut text = ORIGIN.to_owned();
    for (name, value) in [("one", 1), ("two", 2), ("three", 3)].iter().filter(|(name, _)| mended.contains(name)) {
        text = text.replace(&format!("def {name}():\n    return 0"), &format!("def {name}():\n    return {value}"));
    }
    genome(&text)
}

/// The genomes that a crossover proposes one after the other, with the reasons.
fn crossed(
    own: &Genome,
    mate: &Genome,
    scores: (f64, f64),
    editable: &(dyn Fn(&str) -> bool + Sync),
) -> Vec<(Genome, String)> {
    let memory = Memory::default();
    let ancestors = [Ancestor { genome: Arc::new(genome(ORIGIN)), feedback: Arc::default() }];
    let mates = [Inspiration { variant: VariantId([7; 20]), genome: mate.clone(), score: Some(scores.1) }];
    let mut made = Vec::new();
    while made.len() < 50 {
        let brief = Brief {
            goal: "",
            step: 1,
            seed: 1,
            parent: VariantId([1; 20]),
            genome: own,
            score: Some(scores.0),
            feedback: &[],
            examples: &[],
            trial: &meliora_evolve::Untried,
            ancestors: &ancestors,
            mates: &mates,
            inspirations: &[],
            attempts: &[],
            editable,
            tried: &memory,
            reserved: Cost::ZERO,
        };
        let Bid::Proposal { change, reason, .. } = Crossover.propose(&brief).unwrap() else { break };
        let after = change.apply(own).unwrap();
        memory.0.lock().unwrap().push(after.tree());
        made.push((after, reason));
    }
    made
}

#[test]
fn what_each_changed_comes_together_first() {
    let made = crossed(&with(&["one"]), &with(&["two", "three"]), (0.3, 0.6), &|_| true);
    assert_eq!(made[0].0, with(&["one", "two", "three"]));
    assert_eq!(made[0].1, "takes `two` of a.py, `three` of a.py from 0707070707 (crossover)");
    // Then each of the two alone; each proposal is another program.
    assert!(made.iter().any(|(g, _)| *g == with(&["one", "two"])));
    assert!(made.iter().any(|(g, _)| *g == with(&["one", "three"])));
    let trees: std::collections::BTreeSet<TreeId> = made.iter().map(|(g, _)| g.tree()).collect();
    assert_eq!(trees.len(), made.len());
}

#[test]
fn where_both_changed_a_part_the_better_one_has_it() {
    let text = ORIGIN.replace("def one():\n    return 0", "def one():\n    return 9");
    let mate = genome(&text.replace("def two():\n    return 0", "def two():\n    return 2"));
    let own = with(&["one", "three"]);
    let better = crossed(&own, &mate, (0.3, 0.6), &|_| true);
    assert!(better[0].0.files().next().unwrap().1.text().unwrap().contains("return 9"));
    let worse = crossed(&own, &mate, (0.6, 0.3), &|_| true);
    assert_eq!(worse[0].0, with(&["one", "two", "three"]));
}

#[test]
fn equal_parents_and_what_may_not_change_give_nothing() {
    assert!(crossed(&with(&["one"]), &with(&["one"]), (0.3, 0.3), &|_| true).is_empty());
    assert!(crossed(&with(&["one"]), &with(&["two"]), (0.3, 0.3), &|_| false).is_empty());
}
