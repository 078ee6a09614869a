//! What a run needs of a parent before it can be changed: the baseline's marks, and what train tasks tell.

use meliora_constitution::{Ruling, Subject};
use meliora_domain::{Cost, Event, Genome, Kind, MarkStatus, Split, VariantId};

use crate::error::EvolveError;
use crate::evolution::Evolution;
use crate::port::Proposer;

impl Evolution<'_> {
    /// The baseline: reviewed, stored, examined twice (an exact suite must mark it the same both times).
    pub(crate) fn begin(&mut self, genome: &Genome) -> Result<(), EvolveError> {
        let lawful = match self.setup.constitution.review(Subject::Baseline(genome), &[], (self.setup.clock)()) {
            Ruling::Lawful(lawful) => lawful,
            Ruling::Refused(refusal) => return Err(EvolveError::Baseline(refusal)),
            Ruling::NeedsApproval(request) => return Err(EvolveError::baseline_asks(&request)),
        };
        let known = self.journal.lineage().find_tree(&genome.tree()).map(|i| self.journal.lineage().node(i).id);
        let variant = match known {
            Some(variant) => variant,
            None => self.store(genome, &[], 0, "baseline")?,
        };
        let shape = (self.setup.shape)(genome);
        let mut events = vec![
            Event::Admitted { step: 0, variant, tree: genome.tree(), parents: Vec::new() },
            Event::Shaped { variant, shape },
        ];
        let mut cards = Vec::new();
        for _ in 0..2 {
            if self.budget.reserve(Cost::evals(1)).is_err() {
                break;
            }
            cards.push(self.workshop().examine(&lawful)?);
        }
        let Some(first) = cards.first() else { return Err(EvolveError::BudgetBeforeBaseline) };
        if let Some(mark) = first.of(Split::Validation).find(|m| m.status == MarkStatus::Missing) {
            return Err(EvolveError::Evaluator { task: mark.task.to_string(), detail: mark.detail.clone() });
        }
        if first.of(Split::Validation).all(|m| m.status == MarkStatus::Garbled) {
            let mark = first.of(Split::Validation).next();
            let detail = mark.map(|m| m.detail.clone()).unwrap_or_default();
            return Err(EvolveError::Evaluator { task: mark.map(|m| m.task.to_string()).unwrap_or_default(), detail });
        }
        let differ = cards.windows(2).any(|w| w[0].mean(Split::Validation) != w[1].mean(Split::Validation));
        if differ && self.setup.policy.kind == Kind::Exact {
            events.push(Event::Warned {
                message: "two examinations of the same baseline gave different scores, so this suite is not exact; \
                          declare `kind = \"sample\"`, or make the evaluator deterministic"
                    .to_owned(),
            });
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

    /// Gathers what the train tasks tell of a parent with the lines they run, once, for proposers that look at lines.
    pub(crate) fn trace(
        &mut self,
        proposer: &dyn Proposer,
        parent: &VariantId,
        genome: &Genome,
    ) -> Result<(), EvolveError> {
        let wanted = proposer.wants_lines() && self.setup.suite.count(Split::Train) > 0;
        if !wanted || self.memory.traced(parent)? || self.budget.reserve(Cost::evals(1)).is_err() {
            return Ok(());
        }
        let ruling = self.setup.constitution.review(Subject::Baseline(genome), &[], (self.setup.clock)());
        let Ruling::Lawful(lawful) = ruling else { return Ok(()) };
        let feedback = self.workshop().feedback(&lawful)?;
        self.memory.keep_feedback(*parent, feedback.clone());
        self.journal.record(&[Event::Traced { variant: *parent, feedback }])?;
        Ok(())
    }
}
