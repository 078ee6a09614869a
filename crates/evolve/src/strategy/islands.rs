//! MAP-Elites on islands: many different good variants instead of one.
//!
//! Mouret and Clune, "Illuminating search spaces by mapping elites", arXiv 1504.04909: a map of cells by declared features; each
//! cell keeps the best variant that falls into it, and a parent is drawn evenly among the cells. Islands with migration along a
//! ring after Tanese (1989); the worse half of the islands begins anew from another one's best, as in Romera-Paredes and
//! others, "Mathematical discoveries from program search with large language models" (FunSearch), Nature 625, 2024, methods.
//!
//! The edges of cells are declared and never move, and whoever owns a cell loses it to a better one alone. Steps belong to
//! islands by their own random numbers, and a variant to the island of its step, so that the journal tells which. What an
//! island sees of its neighbour, and when it begins anew, goes by the order in which variants were admitted: nothing is copied,
//! and an index that is made afresh is the same.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::order::Ordered;
use super::{Action, Strategy, breeds, expand};
use crate::budget::Budget;
use crate::lineage::{Lineage, Node, NodeIndex, Run};
use crate::rng::{Rng, STEPS};

/// Best first, of equals the older.
type Rank = (Reverse<Ordered>, NodeIndex);

/// Parents by cell and island.
#[derive(Clone, Debug, Default)]
pub struct Islands {
    run: u32,
    seen: usize,
    members: BTreeMap<NodeIndex, Member>,
    /// By the order of admission.
    born: Vec<Option<NodeIndex>>,
    depths: BTreeMap<NodeIndex, u32>,
    /// By island, then by cell.
    maps: Vec<BTreeMap<u32, BTreeSet<Rank>>>,
    /// By island: only variants admitted since this many count.
    floors: Vec<u32>,
    /// By period between two new beginnings, then by island: its best.
    periods: Vec<Vec<Option<Rank>>>,
}

/// A variant on its island.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Member {
    island: usize,
    cell: u32,
    /// `None` where it may not be a parent.
    score: Option<Ordered>,
    born: u32,
}

/// The island of a step: the first random number of the step decides.
fn island_of(rng: &mut Rng, islands: usize) -> usize {
    rng.below(islands as u64) as usize
}

fn count(run: &Run) -> usize {
    run.plan.search.islands.count.max(1) as usize
}

impl Islands {
    fn catch_up(&mut self, lineage: &Lineage, run: &Run) {
        let islands = count(run);
        if self.run != run.number {
            let (maps, floors) = (vec![BTreeMap::new(); islands], vec![0; islands]);
            *self = Islands { run: run.number, maps, floors, ..Islands::default() };
        }
        let mut touched = lineage.touched_since(self.seen).to_vec();
        self.seen += touched.len();
        // Parents before children, whose depth is theirs and one more.
        touched.sort_unstable();
        touched.dedup();
        let mut changed = BTreeSet::new();
        for index in touched {
            let node = lineage.node(index);
            if node.run == run.number && Some(index) != run.baseline {
                self.place(lineage, run, index, &mut changed);
            }
        }
        self.begin_anew(run, &changed);
    }

    fn place(&mut self, lineage: &Lineage, run: &Run, index: NodeIndex, changed: &mut BTreeSet<usize>) {
        let node = lineage.node(index);
        let parent = node.parents.first();
        let depth = 1 + parent.and_then(|parent| self.depths.get(parent)).copied().unwrap_or(0);
        self.depths.insert(index, depth);
        let before = self.members.get(&index).copied();
        let island = match before {
            Some(member) => member.island,
            None => island_of(&mut Rng::of(run.plan.seed, STEPS, node.step), count(run)),
        };
        let score = Ordered::of(node.score).filter(|_| breeds(node, run));
        let member = Member { island, cell: cell(lineage, run, node, depth), score, born: node.born };
        if before == Some(member) {
            return;
        }
        if let Some(before) = before {
            self.on_map(index, before, false);
        }
        self.on_map(index, member, true);
        self.members.insert(index, member);
        let place = node.born as usize;
        if self.born.len() <= place {
            self.born.resize(place + 1, None);
        }
        self.born[place] = Some(index);
        if let Some(period) = node.born.checked_div(run.plan.search.islands.reset_every) {
            changed.insert(period as usize);
        }
    }

    fn on_map(&mut self, index: NodeIndex, member: Member, is: bool) {
        let Some(score) = member.score.filter(|_| member.born >= self.floors[member.island]) else { return };
        let cell = self.maps[member.island].entry(member.cell).or_default();
        if is {
            cell.insert((Reverse(score), index));
        } else {
            cell.remove(&(Reverse(score), index));
        }
    }

    /// Finds out since when each island counts, after some periods have changed.
    fn begin_anew(&mut self, run: &Run, changed: &BTreeSet<usize>) {
        let every = run.plan.search.islands.reset_every as usize;
        if changed.is_empty() {
            return;
        }
        for period in changed {
            if self.periods.len() <= *period {
                self.periods.resize(period + 1, vec![None; self.maps.len()]);
            }
            let mut best = vec![None; self.maps.len()];
            for index in self.born.iter().skip(period * every).take(every).flatten() {
                let member = self.members[index];
                let rank = member.score.map(|score| (Reverse(score), *index));
                let held: &mut Option<Rank> = &mut best[member.island];
                *held = [*held, rank].into_iter().flatten().min();
            }
            self.periods[*period] = best;
        }
        let over = run.variants as usize / every;
        let mut floors = vec![0; self.maps.len()];
        let mut known = vec![false; self.maps.len()];
        for period in (0..over.min(self.periods.len())).rev() {
            for island in worse_half(&self.periods[period]) {
                if !std::mem::replace(&mut known[island], true) {
                    floors[island] = ((period + 1) * every) as u32;
                }
            }
            if known.iter().all(|known| *known) {
                break;
            }
        }
        for (island, floor) in floors.into_iter().enumerate() {
            if self.floors[island] != floor {
                self.floors[island] = floor;
                self.maps[island].clear();
                for index in self.born.iter().skip(floor as usize).flatten().copied().collect::<Vec<_>>() {
                    let member = self.members[&index];
                    if member.island == island {
                        self.on_map(index, member, true);
                    }
                }
            }
        }
    }

    /// Who may be a parent on an island: the owners of its cells, where the neighbour's older owners count too, and its founder
    /// while it has none.
    fn owners(&self, lineage: &Lineage, run: &Run, island: usize) -> Vec<NodeIndex> {
        let plan = &run.plan.search.islands;
        let mut best: BTreeMap<u32, Rank> = BTreeMap::new();
        let mut offer = |cell: u32, rank: Rank| {
            let held = best.entry(cell).or_insert(rank);
            *held = rank.min(*held);
        };
        for (cell, ranks) in &self.maps[island] {
            ranks.first().into_iter().for_each(|rank| offer(*cell, *rank));
        }
        let arrived = (plan.migrate_every > 0).then(|| run.variants / plan.migrate_every * plan.migrate_every);
        if let Some(arrived) = arrived.filter(|_| self.maps.len() > 1) {
            let neighbour = (island + self.maps.len() - 1) % self.maps.len();
            for (cell, ranks) in &self.maps[neighbour] {
                let rank = ranks.iter().find(|(_, index)| lineage.node(*index).born < arrived);
                rank.into_iter().for_each(|rank| offer(*cell, *rank));
            }
        }
        if best.is_empty() {
            let founder = self.founder(plan.reset_every, island).or(run.baseline);
            return founder.filter(|index| breeds(lineage.node(*index), run)).into_iter().collect();
        }
        best.into_values().map(|(_, index)| index).collect()
    }

    /// The best of the period before an island began anew.
    fn founder(&self, every: u32, island: usize) -> Option<NodeIndex> {
        let period = self.floors[island].checked_div(every)?.checked_sub(1)?;
        self.periods.get(period as usize)?.iter().flatten().min().map(|(_, index)| *index)
    }
}

/// The islands whose best of a period is in the worse half; where all are equal, those that come later.
fn worse_half(best: &[Option<Rank>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..best.len()).collect();
    order.sort_by_key(|island| (best[*island].is_none(), best[*island].map(|(score, _)| score), *island));
    order.split_off(best.len().div_ceil(2))
}

/// The cell of a variant: its place in each dimension, as one number. What a feature says nothing of is in the first.
fn cell(lineage: &Lineage, run: &Run, node: &Node, depth: u32) -> u32 {
    run.plan.search.islands.features.iter().fold(0, |cell, feature| {
        let value = match feature.name.as_str() {
            "depth" => Some(f64::from(depth)),
            name => match name.strip_prefix("tasks:") {
                Some(beginning) => mean_of(lineage, run, node, beginning),
                None => node.metrics.get(name).copied(),
            },
        };
        let place = value.map_or(0, |value| feature.edges.partition_point(|edge| *edge <= value));
        cell * (feature.edges.len() as u32 + 1) + place as u32
    })
}

/// Mean score of the tasks whose names begin so.
fn mean_of(lineage: &Lineage, run: &Run, node: &Node, beginning: &str) -> Option<f64> {
    let named = |task: &&u32| lineage.tasks()[**task as usize].0.starts_with(beginning);
    let scores: Vec<f64> =
        run.tasks.iter().filter(named).filter_map(|task| node.by_task.of(*task)).map(f64::from).collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

impl Strategy for Islands {
    fn name(&self) -> &'static str {
        "islands"
    }

    fn next(&mut self, lineage: &Lineage, _budget: &Budget, rng: &mut Rng) -> Action {
        let Some(run) = lineage.unfinished() else { return Action::Stop };
        self.catch_up(lineage, run);
        let here = island_of(rng, count(run));
        // An island with nobody left to change leaves its steps to the next one.
        let islands = (0..count(run)).map(|n| (here + n) % count(run));
        let owners = islands.map(|island| self.owners(lineage, run, island)).find(|owners| !owners.is_empty());
        let Some(owners) = owners else { return Action::Stop };
        let parent = owners[rng.below(owners.len() as u64) as usize];
        let turn = rng.bits();
        expand(lineage, run, parent, (turn, 3), rng)
    }
}
