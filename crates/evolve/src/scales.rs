//! Weighing: the judge is asked on equal terms, and what it asks for is examined.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use meliora_benchmark::Suite;
use meliora_constitution::{Lawful, Ruling as Review, Subject};
use meliora_domain::{Cost, Genome, Judgement, Kind, MarkStatus, Scorecard, Split, TaskId, VariantId, Verdict};
use meliora_judge::{Evidence, Policy, Ruling, Side};

use crate::brief::Errand;
use crate::budget::Over;
use crate::error::EvolveError;
use crate::evolution::Evolution;
use crate::rng::Rng;
use crate::student::Purse;
use crate::work::{Outcome, Workshop};

/// On what terms a step's variant is weighed. It is set when the step is chosen, and no mark of the step bears on it.
#[derive(Clone, Debug, Default)]
pub struct Scales {
    /// The validation tasks that count, in the order in which they are examined.
    tasks: Vec<TaskId>,
    /// Those that do not count.
    flaky: BTreeSet<TaskId>,
    /// Number of the candidate.
    candidate: u64,
    /// So many tasks of a new variant are examined before it is looked at for the first time; 0 for no look.
    looked_at: usize,
    /// Whether marks are known to depend on the seed.
    chance: bool,
    /// What drawn numbers follow from.
    seed: u64,
}

/// What a variant is held against.
#[derive(Clone, Debug)]
pub struct Rival {
    /// Which variant.
    pub variant: VariantId,
    /// Its files.
    pub genome: Arc<Genome>,
    /// Its marks under the evaluator in force.
    pub cards: Vec<Arc<Scorecard>>,
}

impl Scales {
    /// The terms for a step.
    pub(crate) fn new(
        suite: &Suite,
        flaky: BTreeSet<TaskId>,
        (candidate, looked_at): (u64, usize),
        chance: bool,
        seed: u64,
    ) -> Self {
        let mut tasks = suite.tasks(Split::Validation);
        tasks.retain(|task| !flaky.contains(task));
        if suite.kind() == Kind::Sample {
            // In the suite's own order, the first tasks could all be of one sort.
            let mut rng = Rng::of(seed, 0, candidate);
            for i in (1..tasks.len()).rev() {
                tasks.swap(i, rng.below(i as u64 + 1) as usize);
            }
        }
        Scales { tasks, flaky, candidate, looked_at, chance, seed }
    }

    /// The tasks to begin with; empty for all.
    pub(crate) fn first(&self, kind: Kind) -> &[TaskId] {
        Evidence::first_tasks(&self.tasks, kind)
    }

    /// Mean score of the tasks that count; `None` if none has a mark.
    pub(crate) fn mean(&self, cards: &[Scorecard]) -> Option<f64> {
        mean_of(cards, &self.flaky)
    }

    /// Whether these cards mark every task that counts.
    pub(crate) fn covered(&self, cards: &[Scorecard]) -> bool {
        let marked: BTreeSet<&TaskId> =
            cards.iter().flat_map(|card| card.of(Split::Validation)).map(|mark| &mark.task).collect();
        self.tasks.iter().all(|task| marked.contains(task))
    }

    /// The verdict where the tasks so far show already that the others are not worth it.
    pub(crate) fn hopeless(&self, cards: &[Scorecard], reference: &[Arc<Scorecard>]) -> Option<Judgement> {
        if self.covered(cards) {
            return None;
        }
        let looks = (self.looked_at, self.tasks.len());
        meliora_judge::hopeless(&cards.iter().collect::<Vec<_>>(), &refs(reference), &self.flaky, looks)
    }

    /// What the judge says.
    pub(crate) fn weigh(
        &self,
        variant: &[&Scorecard],
        reference: &[&Scorecard],
        against: &str,
        policy: &Policy,
    ) -> Ruling {
        let Scales { tasks, flaky, candidate, chance, seed, .. } = self;
        let (candidate, chance, seed) = (*candidate, *chance, *seed);
        meliora_judge::judge(&Evidence { variant, reference, against, tasks, flaky, candidate, chance, seed }, policy)
    }
}

impl Evolution<'_> {
    /// On what terms the variant of a step is weighed.
    pub(crate) fn scales(&mut self, step: u64, seed: u64) -> Result<Scales, EvolveError> {
        let suite = self.setup.suite;
        let chance = self.memory.chance(self.journal.lineage())?;
        let flaky = self.journal.lineage().flaky(&suite.evaluator()).clone();
        let looked_at = self.run().plan.search.first_tasks as usize;
        Ok(Scales::new(suite, flaky, (step, looked_at), chance, seed))
    }
}

impl Workshop<'_> {
    /// Judges against the parent and, where it is shown to be better, gathers the marks that show whether it is better than
    /// the champion, too: for as long as the judge asks and the budget allows.
    pub(crate) fn judge(
        &self,
        errand: &Errand,
        lawful: &Lawful,
        outcome: &mut Outcome,
        purse: &Purse,
    ) -> Result<Judgement, EvolveError> {
        let (variant, genome, cards) = (errand.parents[0], errand.genome.clone(), errand.cards.clone());
        let parent = Rival { variant, genome, cards };
        let mut judgement = self.against((errand, lawful), outcome, parent, errand.champion.as_ref(), purse)?;
        if judgement.verdict == Verdict::Accepted {
            let (words, alarms) = self.on_new_inputs(errand, lawful, outcome, purse)?;
            judgement.reason += &words;
            if !alarms.is_empty() {
                outcome.alarms.extend(alarms);
                return Ok(judgement);
            }
        }
        if let Some(champion) = errand.champion.as_ref().filter(|_| judgement.verdict == Verdict::Accepted) {
            self.against((errand, lawful), outcome, champion.clone(), None, purse)?;
        }
        Ok(judgement)
    }

    /// Judges against a rival. More marks are gathered only where the variant could still become the champion with them:
    /// where it could not, they would decide nothing.
    fn against(
        &self,
        (errand, lawful): (&Errand, &Lawful),
        outcome: &mut Outcome,
        mut rival: Rival,
        champion: Option<&Rival>,
        purse: &Purse,
    ) -> Result<Judgement, EvolveError> {
        let policy = &self.setup.policy;
        loop {
            let cards: Vec<&Scorecard> = outcome.cards.iter().collect();
            let (of, tasks, seed, so_far) = match errand.scales.weigh(&cards, &refs(&rival.cards), "its parent", policy)
            {
                Ruling::Verdict(judgement) => return Ok(judgement),
                Ruling::NeedMore { of, tasks, seed, so_far } => (of, tasks, seed, so_far),
            };
            let unconfirmed = |why: String| {
                let reason = format!("{}; not confirmed, for {why}", so_far.reason);
                Judgement { reason, ..so_far.clone() }
            };
            let hopeless = |champion: &&Rival| {
                let against = refs(&champion.cards);
                match errand.scales.weigh(&cards, &against, "the champion", policy) {
                    Ruling::Verdict(judgement) => judgement.verdict != Verdict::Accepted,
                    Ruling::NeedMore { .. } => false,
                }
            };
            if champion.filter(hopeless).is_some() {
                return Ok(unconfirmed("the champion does as well or better".into()));
            }
            if let Err(over) = self.set_aside_for(&tasks, outcome) {
                return Ok(unconfirmed(format!("the budget of {over} leaves no examination for it")));
            }
            let (card, alarms) = match of {
                Side::Variant => self.examine(lawful, &tasks, seed, purse)?,
                Side::Reference => match self.review(&rival.genome) {
                    Some(lawful) => self.examine(&lawful, &tasks, seed, purse)?,
                    None => return Ok(unconfirmed("the law does not let its rival be examined again".into())),
                },
            };
            if card.of(Split::Validation).next().is_none() {
                return Ok(unconfirmed("the suite has no such tasks".into()));
            }
            match of {
                Side::Variant => {
                    outcome.cards.push(card);
                    outcome.alarms.extend(alarms);
                }
                Side::Reference => {
                    rival.cards.push(Arc::new(card.clone()));
                    outcome.rivals.push((rival.variant, card));
                }
            }
        }
    }

    /// Sets aside what an examination of these tasks, of all if none is named, takes beyond what its step has set aside:
    /// parts count together, by their tasks.
    pub(crate) fn set_aside_for(&self, tasks: &[TaskId], outcome: &mut Outcome) -> Result<(), Over> {
        let new = outcome.cards[outcome.known..].iter().chain(outcome.rivals.iter().map(|(_, card)| card));
        let all = self.setup.suite.count(Split::Validation).max(1) as u64;
        let (mut wholes, mut parts) = (u64::from(tasks.is_empty()), tasks.len() as u64);
        for card in new {
            match card.part_of {
                0 => wholes += 1,
                _ => parts += card.of(Split::Validation).count() as u64,
            }
        }
        // What new inputs took is set aside, too, and charged on its own.
        let needed = wholes + parts.div_ceil(all) + outcome.answers.evals;
        let more = needed.saturating_sub(1 + outcome.extra_reserved);
        if more > 0 {
            self.budget.reserve(Cost::evals(more))?;
            outcome.extra_reserved += more;
        }
        Ok(())
    }

    /// A genome of the archive, if the law still lets it be examined.
    pub(crate) fn review(&self, genome: &Genome) -> Option<Lawful> {
        match self.setup.constitution.review(Subject::Baseline(genome), &[], (self.setup.clock)()) {
            Review::Lawful(lawful) => Some(lawful),
            Review::Refused(_) | Review::NeedsApproval(_) => None,
        }
    }
}

/// Scorecards as the judge takes them.
pub(crate) fn refs(cards: &[Arc<Scorecard>]) -> Vec<&Scorecard> {
    cards.iter().map(Arc::as_ref).collect()
}

/// Mean validation score over tasks, each with the mean of its marks, without those that do not count: a task that was marked
/// more often than others weighs no more. `None` if there is no mark.
pub(crate) fn mean_of(cards: &[Scorecard], flaky: &BTreeSet<TaskId>) -> Option<f64> {
    let mut tasks: BTreeMap<&TaskId, (f64, u32)> = BTreeMap::new();
    let (mut all, mut marked) = (0.0, 0u32);
    let marks = cards.iter().flat_map(|card| card.of(Split::Validation));
    for mark in marks.filter(|mark| mark.status != MarkStatus::Missing && !flaky.contains(&mark.task)) {
        let (sum, n) = tasks.entry(&mark.task).or_default();
        (*sum, *n) = (*sum + mark.score, *n + 1);
        (all, marked) = (all + mark.score, marked + 1);
    }
    let most = tasks.values().map(|(_, n)| *n).max()?;
    // The usual case, rounded as everywhere else.
    if tasks.values().all(|(_, n)| *n == most) {
        return Some(all / f64::from(marked));
    }
    let sum: f64 = tasks.values().map(|(sum, n)| sum / f64::from(*n)).sum();
    Some(sum / tasks.len() as f64)
}
