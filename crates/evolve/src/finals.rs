//! The end of a run: its best few are scored once more, and the holdout is opened for the one that wins. All of it is journalled
//! as one unit with the end, so that a crash finds either nothing of it or everything.

use std::sync::Arc;

use meliora_benchmark::Scope;
use meliora_domain::{Cost, Event, FinishReason, Genome, Judgement, Kind, Scorecard, Split, VariantId, Verdict};
use meliora_judge::Ruling;

use crate::error::EvolveError;
use crate::evolution::{Ended, Evolution, Next};
use crate::examine::{Means, examine};
use crate::scales::refs;
use crate::sealed::{opened_before, unseal};

/// How many are scored once more, the champion among them.
const FINALISTS: u64 = 3;
/// The part of a budget of evaluations that they may take.
const PART: u64 = 10;

/// A finalist, with what is known of it.
struct Finalist {
    variant: VariantId,
    born: u64,
    genome: Arc<Genome>,
    cards: Vec<Arc<Scorecard>>,
    /// Its new marks.
    fresh: Vec<Scorecard>,
}

impl Evolution<'_> {
    /// What is done where proposers are of no use any more: what is under way may change that; what was found is worth no less
    /// where nothing more is; and otherwise their reasons are told.
    pub(crate) fn at_a_loss(&self, under_way: usize) -> Result<Next, EvolveError> {
        match self.run() {
            _ if under_way > 0 => Ok(Next::Wait),
            run if run.champion != run.baseline => Ok(Next::End(Ended::Finished(FinishReason::Exhausted))),
            run => Err(EvolveError::Barren { troubles: run.troubles.clone() }),
        }
    }

    /// Ends the run.
    pub(crate) fn finish(&mut self, reason: FinishReason) -> Result<(), EvolveError> {
        let mut events = self.finals()?;
        let crowned = events.iter().find_map(|event| match event {
            Event::Crowned { variant, .. } => Some(*variant),
            _ => None,
        });
        let champion = crowned.or_else(|| self.journal.lineage().champion().map(|node| node.id));
        if let Some(champion) = champion {
            events.extend(self.open_holdout(champion)?);
        }
        events.push(Event::Finished { reason, counts: self.counts() });
        self.journal.record(&events)?;
        if let Some(champion) = self.journal.lineage().champion().map(|node| node.id) {
            self.setup.archive.point_champion(&champion)?;
        }
        Ok(())
    }

    /// What is kept for the end of a run: the evaluations of its finals, where there will be any and they are a small part.
    pub(crate) fn held_back(&mut self) -> Result<Cost, EvolveError> {
        let (limit, wanted) = (self.budget.limit().evals, FINALISTS * self.setup.policy.seeds.max(1));
        let held = self.by_chance()? && limit >= PART * wanted;
        Ok(if held { Cost::evals(wanted) } else { Cost::ZERO })
    }

    /// Whether luck is in the marks, so that the best of many looks better than it is.
    fn by_chance(&mut self) -> Result<bool, EvolveError> {
        Ok(self.setup.policy.kind == Kind::Sample && self.memory.chance(self.journal.lineage())?)
    }

    /// Scores the champion and the best others that were accepted once more, each with the same seeds that none of them was
    /// chosen by. The best of these marks is crowned, if the judge finds it better than the baseline, too.
    fn finals(&mut self) -> Result<Vec<Event>, EvolveError> {
        if !self.by_chance()? {
            return Ok(Vec::new());
        }
        let (mut finalists, seeds) = (self.finalists()?, self.setup.policy.seeds.max(1));
        if finalists.is_empty() {
            return Ok(Vec::new());
        }
        let (step, workshop) = (self.memory.next_step(self.run().last_step), self.workshop());
        let first = finalists.iter().flat_map(|f| &f.cards).map(|card| card.seed).max().map_or(0, |seed| seed + 1);
        'seeds: for seed in first..first + seeds {
            // All of them with this seed, or none.
            let price = finalists.iter().map(|f| self.exam_price(&f.genome)).fold(Cost::ZERO, |sum, p| sum + p);
            if self.budget.reserve(Cost::evals(finalists.len() as u64) + price).is_err() {
                break;
            }
            self.set_aside(step, price)?;
            let purse = workshop.purse(price);
            let mut cards = Vec::new();
            for finalist in &finalists {
                let Some(lawful) = workshop.review(&finalist.genome) else { break 'seeds };
                cards.push(workshop.examine(&lawful, &[], seed, &purse)?.0);
            }
            self.budget.settle(price, purse.spent());
            if price != Cost::ZERO {
                self.journal.record(&[Event::Spent { step, cost: purse.spent() }])?;
            }
            finalists.iter_mut().zip(cards).for_each(|(finalist, card)| finalist.fresh.push(card));
        }
        self.decide(step, finalists)
    }

    fn finalists(&mut self) -> Result<Vec<Finalist>, EvolveError> {
        let evaluator = self.setup.suite.evaluator();
        let lineage = self.journal.lineage();
        let run = self.run();
        let fit = |index: &u32| {
            let node = lineage.node(*index);
            let accepted = node.verdict == Some(Verdict::Accepted) && node.whole && node.viable();
            accepted && node.run == run.number && node.evaluator == Some(evaluator)
        };
        let champion = run.champion.filter(|index| Some(*index) != run.baseline);
        let others = run.best.iter().copied().filter(|index| Some(*index) != champion);
        let chosen = champion.into_iter().chain(others).filter(fit).take(FINALISTS as usize);
        let chosen: Vec<(VariantId, u64)> = chosen.map(|i| (lineage.node(i).id, lineage.node(i).born.into())).collect();
        if champion.is_none() {
            return Ok(Vec::new());
        }
        chosen
            .into_iter()
            .map(|(variant, born)| {
                let (genome, cards) = (self.memory.genome(&variant)?, self.memory.cards(&variant, &evaluator)?);
                Ok(Finalist { variant, born, genome, cards, fresh: Vec::new() })
            })
            .collect()
    }

    /// Who wins, by the new marks alone.
    fn decide(&mut self, step: u64, finalists: Vec<Finalist>) -> Result<Vec<Event>, EvolveError> {
        let (mut events, mut best) = (Vec::new(), None::<(f64, VariantId)>);
        let baseline = self.journal.lineage().baseline().map(|node| node.id);
        let reference = match baseline {
            Some(baseline) => self.memory.cards(&baseline, &self.setup.suite.evaluator())?,
            None => Vec::new(),
        };
        let champion = self.journal.lineage().champion().map(|node| node.id);
        for Finalist { variant, born, cards, fresh, .. } in finalists {
            let scales = self.scales(born, self.run().plan.seed)?;
            let score = scales.mean(&fresh);
            let all: Vec<Arc<Scorecard>> = cards.into_iter().chain(fresh.iter().cloned().map(Arc::new)).collect();
            let proven = || {
                let ruling = scales.weigh(&refs(&all), &refs(&reference), "the baseline", &self.setup.policy);
                matches!(ruling, Ruling::Verdict(Judgement { verdict: Verdict::Accepted, .. }))
            };
            if let Some(score) = score.filter(|score| best.is_none_or(|(most, _)| *score > most))
                && (champion == Some(variant) || proven())
            {
                best = Some((score, variant));
            }
            events.extend(fresh.into_iter().map(|scorecard| Event::Examined { step, variant, scorecard }));
        }
        if let Some((score, variant)) = best.filter(|(_, variant)| champion != Some(*variant)) {
            events.push(Event::Crowned { variant, score });
        }
        Ok(events)
    }

    /// Opens the holdout for the champion, if it came out of a run and is still to be opened. Whatever keeps it from being
    /// opened is told, and ends nothing.
    fn open_holdout(&mut self, champion: VariantId) -> Result<Vec<Event>, EvolveError> {
        let setup = self.setup;
        let evaluator = setup.suite.evaluator();
        let lineage = self.journal.lineage();
        let node = lineage.find(&champion).map(|index| lineage.node(index));
        let accepted = node.is_some_and(|node| node.verdict == Some(Verdict::Accepted) && node.viable());
        if !accepted || setup.suite.count(Split::Holdout) == 0 || opened_before(setup.archive, &champion, &evaluator)? {
            return Ok(Vec::new());
        }
        let later = "`meliora bench --variant champion --holdout` opens it";
        let warned =
            |what: String| vec![Event::Warned { message: format!("the holdout was not opened: {what}; {later}") }];
        // Twice, for what it came from is examined on it as well. Sealed tasks count as no evaluation of the search.
        let genome = self.memory.genome(&champion)?;
        let once = self.answers_price(&genome, &[Split::Holdout]);
        let price = once + once;
        if price != Cost::ZERO
            && let Err(over) = self.budget.reserve(price)
        {
            return Ok(warned(format!("the budget of {over} leaves too little for it")));
        }
        let step = self.memory.next_step(self.run().last_step);
        self.set_aside(step, price)?;
        let workshop = self.workshop();
        let purse = workshop.purse(price);
        let mut sealed = |genome: &Genome| {
            let Some(lawful) = workshop.review(genome) else {
                let what = "the law does not let a finalist be examined again".into();
                return Err(EvolveError::NotAllowed { what, hint: None });
            };
            let means = Means { failures: None, ..workshop.means() };
            let scope = Scope { splits: &[Split::Holdout], ..Scope::default() };
            Ok(examine(&means, &lawful, &scope, &purse)?.scorecard)
        };
        let terms = (&evaluator, setup.vigilance, false);
        let found = unseal(setup.archive, self.journal.lineage(), champion, terms, &mut sealed);
        self.budget.settle(price, purse.spent());
        let mut events = Vec::new();
        if price != Cost::ZERO {
            events.push(Event::Spent { step, cost: purse.spent() });
        }
        match found {
            Ok((_, opened)) => events.extend(opened),
            Err(e @ (EvolveError::Sandbox(_) | EvolveError::Model { .. } | EvolveError::NotAllowed { .. })) => {
                events.extend(warned(e.to_string()));
            }
            Err(e) => return Err(e),
        }
        Ok(events)
    }
}
