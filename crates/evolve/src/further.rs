//! Examining a variant further: on tasks that it has no marks of, and judging it once it has marks of all, or of so many
//! that it is hopeless.

use std::sync::Arc;

use meliora_domain::{Cost, FinishReason, Genome, Judgement, Scorecard, TaskId, VariantId, Verdict};

use crate::brief::Errand;
use crate::error::EvolveError;
use crate::evolution::{Ended, Evolution, Next};
use crate::lineage::reference;
use crate::rng::Rng;
use crate::student::Purse;
use crate::work::{Outcome, Workshop};

/// A variant that is examined further.
#[derive(Clone, Debug)]
pub struct Further {
    /// Which.
    pub variant: VariantId,
    /// Its files.
    pub genome: Arc<Genome>,
    /// Its marks so far.
    pub cards: Vec<Arc<Scorecard>>,
    /// The tasks.
    pub tasks: Vec<TaskId>,
}

impl Evolution<'_> {
    /// Sets an examination aside. One variant is examined by one worker at a time, for whoever brings its last marks judges it.
    pub(crate) fn choose_further(
        &mut self,
        under_way: usize,
        step: u64,
        variant: VariantId,
        tasks: Vec<TaskId>,
        rng: &mut Rng,
    ) -> Result<Next, EvolveError> {
        if under_way == 0 {
            self.examining.clear();
        }
        let lineage = self.journal.lineage();
        let node = lineage.find(&variant).map(|index| lineage.node(index));
        let parent = node.and_then(|node| node.parents.first());
        let (Some(node), Some(parent), false) = (node, parent, self.examining.contains(&variant)) else {
            return Ok(Next::Wait);
        };
        let (against, born) = (lineage.node(reference(lineage, *parent)).id, node.born);
        let genome = self.memory.genome(&variant)?;
        let answers = self.exam_price(&genome);
        if let Err(over) = self.reserve(Cost::evals(1) + answers)? {
            return Ok(Next::End(Ended::Finished(FinishReason::Budget(over.to_string()))));
        }
        let evaluator = self.setup.suite.evaluator();
        let lineage = self.journal.lineage();
        let mut errand = self.memory.errand(lineage, step, rng.bits(), vec![against], &[], 0, Cost::ZERO)?;
        // Its share of what luck may do is that of one candidate, however many steps it takes.
        errand.scales = self.scales(born.into(), errand.seed)?;
        let cards = self.memory.cards(&variant, &evaluator)?;
        errand.answers = answers;
        self.set_aside(step, answers)?;
        errand.further = Some(Further { variant, genome, cards, tasks });
        self.examining.insert(variant);
        Ok(Next::Errand(Box::new(errand)))
    }
}

impl Workshop<'_> {
    /// Examines, and judges where all tasks are marked then, or where the others are not worth it.
    pub(crate) fn examine_further(
        &self,
        errand: &Errand,
        further: &Further,
        purse: &Purse,
    ) -> Result<Outcome, EvolveError> {
        let mut outcome = Outcome::without_bid();
        outcome.cards = further.cards.iter().map(|card| Scorecard::clone(card)).collect();
        outcome.known = outcome.cards.len();
        let Some(lawful) = self.review(&further.genome) else {
            let reason = "the law does not let it be examined any further";
            outcome.judgement = Some(Judgement::of(Verdict::Inconclusive, 0.0, reason));
            return Ok(outcome);
        };
        let (card, alarms) = self.examine(&lawful, &further.tasks, 0, purse)?;
        outcome.alarms = alarms;
        outcome.cards.push(card);
        outcome.judgement = match errand.scales.covered(&outcome.cards) {
            true => Some(self.judge(errand, &lawful, &mut outcome, purse)?),
            false => errand.scales.hopeless(&outcome.cards, &errand.held),
        };
        Ok(outcome)
    }
}
