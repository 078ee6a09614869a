//! Thompson sampling among very many: who has the largest draw, without drawing for each.
//!
//! Thompson, "On the Likelihood that One Unknown Probability Exceeds Another", Biometrika 25, 1933. Each candidate has successes
//! and failures, and is worth a draw from its Beta distribution; the one with the largest draw is chosen. Candidates of
//! like counts form a class. The largest of m even draws is `U^(1/m)` and the next `U' ^ (1/(m−1))` of that, so the draws of a
//! class come one by one from the top; what any of its members could make of such a draw bounds the class; and once no bound
//! passes the best so far, nothing that was left undrawn could win. So it is the exact choice, at the cost of the classes.

use std::collections::BTreeMap;

use super::beta::missing;
use super::blocks::Blocks;
use crate::lineage::NodeIndex;
use crate::rng::Rng;

/// Classes to a doubling of a count.
const FINENESS: f64 = 4.0;

/// Successes (at most the upper edge) and failures (at least the lower edge), as logarithms.
type Class = (i16, i16);

/// Candidates with what is believed of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    beliefs: Blocks<Option<Belief>>,
    /// Members in order: what is drawn must not depend on how the pool came about.
    classes: BTreeMap<Class, Vec<NodeIndex>>,
    len: usize,
}

/// Parameters of a Beta distribution, each at least 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Belief {
    pub(super) a: f64,
    pub(super) b: f64,
}

impl Belief {
    /// After so many successes and failures, from an even start. Parts of one count as parts.
    pub(super) fn of(successes: f64, failures: f64) -> Self {
        Belief { a: 1.0 + successes.max(0.0), b: 1.0 + failures.max(0.0) }
    }

    fn class(&self) -> Class {
        ((FINENESS * self.a.log2()).ceil() as i16, (FINENESS * self.b.log2()).floor() as i16)
    }

    /// What a draw misses to 1 that is passed with probability `above`, all counts taken `heat` times.
    fn missing(&self, heat: f64, above: f64) -> f64 {
        missing(self.a * heat, self.b * heat, above)
    }
}

/// No member of the class is believed to be better than this.
fn best_of(class: Class) -> Belief {
    Belief { a: (f64::from(class.0) / FINENESS).exp2(), b: (f64::from(class.1) / FINENESS).exp2() }
}

/// A class whose draws have been looked at down to some point.
struct Front<'a> {
    members: &'a [NodeIndex],
    edge: Belief,
    /// The share of draws that are higher than the next one.
    above: f64,
    bound: f64,
    /// How many draws are left, and which members were moved into the places of those that were drawn.
    left: usize,
    moved: BTreeMap<usize, NodeIndex>,
}

impl Front<'_> {
    /// Goes down to the next draw; `false` if there is none.
    fn descend(&mut self, heat: f64, rng: &mut Rng) -> bool {
        if self.left == 0 {
            return false;
        }
        // The largest of those left, all of which are lower than the one before.
        let share = -(rng.unit().ln() / self.left as f64).exp_m1();
        self.above += (1.0 - self.above) * share;
        self.bound = self.edge.missing(heat, self.above);
        true
    }

    /// Whose draw it is.
    fn member(&mut self, rng: &mut Rng) -> NodeIndex {
        let at = rng.below(self.left as u64) as usize;
        self.left -= 1;
        let here = |moved: &BTreeMap<usize, NodeIndex>, at| moved.get(&at).copied().unwrap_or(self.members[at]);
        let drawn = here(&self.moved, at);
        let last = here(&self.moved, self.left);
        self.moved.insert(at, last);
        drawn
    }
}

impl Pool {
    /// Says what is believed of a candidate; `None` takes it out.
    pub(super) fn set(&mut self, index: NodeIndex, belief: Option<Belief>) {
        let place = index as usize;
        if belief.is_some() {
            self.beliefs.reach(place + 1);
        } else if self.beliefs.get(place).is_none() {
            return;
        }
        let before = std::mem::replace(&mut self.beliefs[place], belief);
        let (was, is) = (before.map(|b| b.class()), belief.map(|b| b.class()));
        if was == is {
            return;
        }
        if let Some(class) = was
            && let Some(members) = self.classes.get_mut(&class)
            && let Ok(at) = members.binary_search(&index)
        {
            members.remove(at);
            self.len -= 1;
            if members.is_empty() {
                self.classes.remove(&class);
            }
        }
        if let Some(class) = is {
            let members = self.classes.entry(class).or_default();
            members.insert(members.partition_point(|other| *other < index), index);
            self.len += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is among the candidates.
    pub(super) fn holds(&self, index: NodeIndex) -> bool {
        self.beliefs.get(index as usize).flatten().is_some()
    }

    fn belief(&self, index: NodeIndex) -> Belief {
        self.beliefs[index as usize].unwrap_or(Belief { a: 1.0, b: 1.0 })
    }

    /// The candidate with the largest draw, all counts taken `heat` times; of equal draws the older candidate's.
    pub(super) fn draw(&self, heat: f64, rng: &mut Rng) -> Option<NodeIndex> {
        let mut fronts: Vec<Front<'_>> = Vec::with_capacity(self.classes.len());
        for (class, members) in &self.classes {
            let (edge, left) = (best_of(*class), members.len());
            let mut front = Front { members, edge, above: 0.0, bound: 0.0, left, moved: BTreeMap::new() };
            if front.descend(heat, rng) {
                fronts.push(front);
            }
        }
        let mut best: Option<(f64, NodeIndex)> = None;
        loop {
            let at = (0..fronts.len()).min_by(|a, b| fronts[*a].bound.total_cmp(&fronts[*b].bound))?;
            let front = &mut fronts[at];
            if let Some((least, winner)) = best
                && front.bound > least
            {
                return Some(winner);
            }
            let index = front.member(rng);
            let missed = self.belief(index).missing(heat, front.above);
            if best.is_none_or(|best| (missed, index) < best) {
                best = Some((missed, index));
            }
            if !front.descend(heat, rng) {
                fronts.remove(at);
                if fronts.is_empty() {
                    return best.map(|(_, winner)| winner);
                }
            }
        }
    }

    /// The candidates whose `epsilon`-quantile is highest, with what it misses to 1; the best first, of equals the older first.
    pub(super) fn surest(&self, epsilon: f64, most: usize) -> Vec<(f64, NodeIndex)> {
        let mut bounds: Vec<(f64, &Vec<NodeIndex>)> = self
            .classes
            .iter()
            .map(|(class, members)| (best_of(*class).missing(1.0, 1.0 - epsilon), members))
            .collect();
        bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut best: Vec<(f64, NodeIndex)> = Vec::new();
        for (bound, members) in bounds {
            if best.len() == most && best.last().is_some_and(|last| bound > last.0) {
                break;
            }
            let mut known: Option<(Belief, f64)> = None;
            for index in members {
                let belief = self.belief(*index);
                let missed = match known {
                    Some((same, missed)) if same == belief => missed,
                    _ => belief.missing(1.0, 1.0 - epsilon),
                };
                known = Some((belief, missed));
                let at = best.partition_point(|other| *other < (missed, *index));
                if at < most {
                    best.insert(at, (missed, *index));
                    best.truncate(most);
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(counts: &[(f64, f64)]) -> Pool {
        let mut pool = Pool::default();
        for (index, (successes, failures)) in (0..).zip(counts) {
            pool.set(index, Some(Belief::of(*successes, *failures)));
        }
        pool
    }

    #[test]
    fn each_is_drawn_as_often_as_its_draw_is_the_largest() {
        let counts =
            [(3.0, 1.0), (3.0, 1.0), (1.5, 0.25), (0.0, 0.0), (40.0, 13.0), (9.0, 3.5), (0.0, 5.0), (2.0, 1.0)];
        let pool = pool(&counts);
        for heat in [1.0, 3.7] {
            let runs = 20_000_u32;
            let (mut lazily, mut one_by_one) = ([0u32; 8], [0u32; 8]);
            for step in 0..runs {
                lazily[pool.draw(heat, &mut Rng::of(1, 1, step.into())).unwrap() as usize] += 1;
                let mut rng = Rng::of(2, 1, step.into());
                let draws = counts.map(|(s, f)| Belief::of(s, f).missing(heat, rng.unit()));
                let least = draws.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
                one_by_one[least] += 1;
            }
            // Two samples of equal size: Σ (a − b)² / (a + b) has seven degrees of freedom; 29.9 is passed once in ten thousand.
            let chi: f64 = lazily
                .iter()
                .zip(one_by_one)
                .filter(|(a, b)| **a + b > 0)
                .map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2) / f64::from(a + b))
                .sum();
            assert!(chi < 29.9, "heat {heat}: chi² = {chi}, {lazily:?} against {one_by_one:?}");
        }
    }

    #[test]
    fn what_is_drawn_does_not_depend_on_how_the_pool_came_about() {
        let counts: Vec<(f64, f64)> = (0..300).map(|n| (f64::from(n * 7 % 13), f64::from(n * 5 % 11))).collect();
        let fresh = pool(&counts);
        let mut old = Pool::default();
        for index in (0..300).rev() {
            old.set(index, Some(Belief::of(f64::from(index), 1.0)));
        }
        old.set(17, None);
        for (index, (s, f)) in (0..).zip(&counts) {
            old.set(index, Some(Belief::of(*s, *f)));
        }
        for step in 0..200 {
            assert_eq!(fresh.draw(1.3, &mut Rng::of(3, 1, step)), old.draw(1.3, &mut Rng::of(3, 1, step)));
        }
        assert_eq!(fresh.surest(0.05, 5), old.surest(0.05, 5));
    }

    #[test]
    fn the_surest_are_those_of_the_highest_quantile() {
        let counts: Vec<(f64, f64)> = (0..200).map(|n| (f64::from(n * 7 % 23), f64::from(n * 5 % 19))).collect();
        let mut all: Vec<(f64, NodeIndex)> =
            (0..).zip(&counts).map(|(i, (s, f))| (Belief::of(*s, *f).missing(1.0, 0.95), i)).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(pool(&counts).surest(0.05, 7), all[..7]);
    }
}
