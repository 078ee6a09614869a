//! What a run needs of a parent before it can be changed: the baseline's marks, and what train tasks tell.

use meliora_benchmark::Suite;
use meliora_constitution::{Ruling, Subject};
use meliora_domain::{Cost, Event, Genome, Kind, MarkStatus, Scorecard, Split, Tier, VariantId};

use crate::error::EvolveError;
use crate::evolution::Evolution;
use crate::port::Proposer;
use crate::student::NO_ANSWER;
use crate::work::Workshop;

/// What to do about marks of a suite that is called exact and differ each time.
pub fn mend_of_chance(suite: &Suite) -> &'static str {
    match suite.tier() {
        Tier::Apart => "declare `kind = \"sample\"`, or make the evaluator deterministic",
        Tier::Split | Tier::Together => "an evaluator whose score does not depend on chance or time needs one re-run",
    }
}

impl Evolution<'_> {
    /// The baseline: reviewed, stored, examined twice (an exact suite must mark it the same both times).
    pub(crate) fn begin(&mut self, genome: &Genome) -> Result<(), EvolveError> {
        let lawful = match self.setup.constitution.review(Subject::Baseline(genome), &[], (self.setup.clock)()) {
            Ruling::Lawful(lawful) => lawful,
            Ruling::Refused(refusal) => return Err(EvolveError::Baseline(refusal)),
            Ruling::NeedsApproval(request) => return Err(EvolveError::baseline_asks(&request)),
        };
        let lineage = self.journal.lineage();
        let known = lineage.find_tree(&genome.tree()).filter(|_| !self.setup.taped).map(|i| lineage.node(i).id);
        let variant = match known {
            Some(variant) => variant,
            None => self.store(genome, &[], 0, "baseline")?,
        };
        let shape = (self.setup.shape)(genome);
        let mut events = vec![
            Event::Admitted { step: 0, variant, tree: genome.tree(), parents: Vec::new() },
            Event::Shaped { variant, shape },
        ];
        let (mut cards, mut stopped) = (Vec::new(), None);
        // Nothing can be held against a baseline whose marks are missing.
        let workshop = Workshop { failures: None, ..self.workshop() };
        let price = self.answers_price(genome, &[Split::Train, Split::Validation]);
        for seed in 0..2 {
            let needed = Cost::evals(1) + price;
            if let Err(over) = self.budget.reserve(needed) {
                stopped = Some(EvolveError::BudgetBeforeBaseline { over, needed });
                break;
            }
            self.set_aside(0, price)?;
            let purse = workshop.purse(price);
            let examined = workshop.examine(&lawful, &[], seed, &purse);
            self.budget.settle(price, purse.spent());
            if price != Cost::ZERO {
                self.journal.record(&[Event::Spent { step: 0, cost: purse.spent() }])?;
            }
            let (card, alarms) = examined?;
            cards.push(card);
            let told = alarms.into_iter().map(|a| format!("the genome as it stands: {} ({})", a.words, a.place));
            events.extend(told.map(|message| Event::Warned { message }));
        }
        let Some(first) = cards.first() else {
            return Err(stopped.expect("without a card the first reservation failed"));
        };
        if let Some(mark) = first.of(Split::Validation).find(|m| m.status == MarkStatus::Missing) {
            if mark.detail.starts_with(NO_ANSWER) {
                let hint = "raise `[model] timeout_seconds` if it is slow; answers that came are kept, and the same command goes on";
                let (what, hint) = (format!("row '{}': {}", mark.task, mark.detail), Some(hint.to_owned()));
                return Err(EvolveError::Model { what, hint, spent: Cost::ZERO });
            }
            return Err(EvolveError::Evaluator { task: mark.task.to_string(), detail: mark.detail.clone() });
        }
        if first.of(Split::Validation).all(|m| m.status == MarkStatus::Garbled) {
            let mark = first.of(Split::Validation).next();
            let detail = mark.map(|m| m.detail.clone()).unwrap_or_default();
            return Err(EvolveError::Evaluator { task: mark.map(|m| m.task.to_string()).unwrap_or_default(), detail });
        }
        if self.setup.policy.kind == Kind::Exact {
            events.extend(self.exactness(&cards));
        }
        if first.unviable(Split::Validation) {
            let detail = first.of(Split::Validation).next().map(|m| m.detail.clone()).unwrap_or_default();
            events.push(Event::Warned { message: format!("the baseline does no task at all: {detail}") });
        }
        let score = first.mean(Split::Validation).unwrap_or(0.0);
        events.extend(cards.into_iter().map(|scorecard| Event::Examined { step: 0, variant, scorecard }));
        events.push(Event::Crowned { variant, score });
        self.journal.record(&events)?;
        // A run that goes on knows the baseline as tried from the journal; one that begins must know it too.
        self.memory.seen().claim(genome.tree(), 0);
        self.memory.seen().claim_shape(shape, 0);
        self.setup.archive.point_champion(&variant)?;
        Ok(())
    }

    /// What examinations of the same genome show of a suite that is called exact, if it is not.
    fn exactness(&self, cards: &[Scorecard]) -> Option<Event> {
        let evaluator = self.setup.suite.evaluator();
        let mut repeats = meliora_judge::repeats(&cards.iter().collect::<Vec<_>>());
        repeats.tasks.retain(|task| !self.journal.lineage().flaky(&evaluator).contains(&task.task));
        if repeats.exact() {
            return None;
        }
        let Some(tasks) = repeats.quarantine() else {
            let count = repeats.flaky().count();
            let message = format!(
                "two examinations of the same baseline gave different scores on {count} of {}, so this suite is not \
                 exact: a candidate is accepted only when about 14 seeds or more show the gain, each with an examination \
                 of both sides; {}",
                meliora_domain::counted(repeats.tasks.len(), "task"),
                mend_of_chance(self.setup.suite)
            );
            return Some(Event::Warned { message });
        };
        let reason = "two examinations of the same baseline gave it different scores".to_owned();
        Some(Event::Quarantined { evaluator, tasks, reason })
    }

    /// Gathers what the train tasks tell of a parent with the lines they run, once, for proposers that look at lines.
    pub(crate) fn trace(
        &mut self,
        proposer: &dyn Proposer,
        parent: &VariantId,
        genome: &Genome,
        (step, aside): (u64, Cost),
    ) -> Result<(), EvolveError> {
        let wanted = proposer.wants_lines() && self.setup.suite.count(Split::Train) > 0;
        if !wanted || self.memory.traced(parent)? {
            return Ok(());
        }
        let price = self.answers_price(genome, &[Split::Train]);
        if self.budget.reserve(Cost::evals(1) + price).is_err() {
            return Ok(());
        }
        let ruling = self.setup.constitution.review(Subject::Baseline(genome), &[], (self.setup.clock)());
        let Ruling::Lawful(lawful) = ruling else { return Ok(()) };
        if price != Cost::ZERO {
            self.set_aside(step, aside + price)?;
        }
        let purse = self.workshop().purse(price);
        let told = self.workshop().feedback(&lawful, &purse);
        self.budget.settle(price, purse.spent());
        let mut events = Vec::new();
        if price != Cost::ZERO {
            // What is set aside for the step itself stays so, if there is to be one.
            let cost = if told.is_ok() { aside } else { Cost::ZERO };
            events.extend([Event::Spent { step, cost: purse.spent() }, Event::Reserved { step, cost }]);
        }
        if let Ok((feedback, examples)) = &told {
            self.memory.keep_feedback(*parent, feedback.clone(), examples.clone());
            let (feedback, examples) = (feedback.clone(), examples.clone());
            events.push(Event::Traced { variant: *parent, feedback, examples });
        }
        self.journal.record(&events)?;
        told.map(|_| ())
    }
}
