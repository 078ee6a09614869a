//! Carrying out one step: propose, review, examine, judge. Changes nothing but what was claimed and set aside.

use std::sync::Arc;

use meliora_constitution::{Lawful, Refusal, Requirement, Ruling, Subject};
use meliora_domain::{
    BidOutcome, Change, Cost, Edit, Feedback, Judgement, Request, Scorecard, Split, TreeId, Verdict, Word,
};

use crate::approval::Approved;
use crate::brief::{Errand, Seen};
use crate::budget::Budget;
use crate::error::EvolveError;
use crate::evolution::Setup;
use crate::examine::examine;
use crate::port::{Bid, Brief};

/// What a worker needs; cheap to clone.
#[derive(Clone)]
pub struct Workshop<'a> {
    /// The run's tools.
    pub setup: &'a Setup<'a>,
    /// What was tried.
    pub seen: Arc<Seen>,
    /// For re-runs.
    pub budget: Arc<Budget>,
}

/// All that came of a step.
pub struct Outcome {
    /// What the proposer came back with.
    pub bid: BidOutcome,
    /// Its reason.
    pub reason: String,
    /// What the proposal cost.
    pub cost: Cost,
    /// Set if the law refused it.
    pub refused: Option<(Refusal, Change)>,
    /// Set if a person must say yes to it first: what is asked, and the tree and change that it is about.
    pub asked: Option<(Request, TreeId, Change)>,
    /// Set if the genome had been tried before.
    pub duplicate: Option<TreeId>,
    /// The variant, if it was examined.
    pub subject: Option<Lawful>,
    /// Its marks.
    pub cards: Vec<Scorecard>,
    /// The verdict on them.
    pub judgement: Option<Judgement>,
    /// Examinations that were set aside beyond the first.
    pub extra_reserved: u64,
}

impl Outcome {
    /// An outcome with nothing but a bid.
    pub fn of(bid: BidOutcome, reason: String, cost: Cost) -> Self {
        Outcome {
            bid,
            reason,
            cost,
            refused: None,
            asked: None,
            duplicate: None,
            subject: None,
            cards: Vec::new(),
            judgement: None,
            extra_reserved: 0,
        }
    }
}

impl Workshop<'_> {
    /// Propose, review, examine, judge.
    pub fn carry_out(&self, errand: &Errand) -> Result<Outcome, EvolveError> {
        let (change, mut outcome) = match self.bid(errand)? {
            Bid::Exhausted => return Ok(Outcome::of(BidOutcome::Exhausted, String::new(), Cost::ZERO)),
            Bid::Unusable { reason, cost } => {
                return Ok(Outcome::of(BidOutcome::Unusable { reason }, String::new(), cost));
            }
            Bid::Proposal { change, reason, idea, cost } => {
                (change, Outcome::of(BidOutcome::Proposed { reason: reason.clone(), idea }, reason, cost))
            }
        };
        let subject = Subject::Proposal { variant: errand.parents[0], parent: &errand.genome, change: &change };
        let words: Vec<Word> = errand.approved.iter().map(|approved| approved.word.clone()).collect();
        let ruling = self.setup.constitution.review(subject, &words, (self.setup.clock)());
        if !matches!(ruling, Ruling::Refused(_)) && outcome.reason.trim().is_empty() && self.wants_a_reason(&change) {
            let reason = "references_change is required, and the proposal gives no reason; lawful is one that says why";
            let refusal = Refusal { article: "autonomous-operations".into(), reason: reason.into() };
            outcome.refused = Some((refusal, change));
            return Ok(outcome);
        }
        let lawful = match ruling {
            Ruling::Lawful(lawful) => lawful,
            Ruling::Refused(refusal) => {
                outcome.refused = Some((refusal, change));
                return Ok(outcome);
            }
            Ruling::NeedsApproval(request) => {
                // It was let through but for a person's word, so it applies.
                let tree = change.apply(&errand.genome).map_or(errand.genome.tree(), |genome| genome.tree());
                outcome.asked = Some((*request, tree, change));
                return Ok(outcome);
            }
        };
        let tree = lawful.genome().tree();
        // The shape is claimed only with the tree, so that a step that is done anew finds both or neither.
        let shape = (self.setup.shape)(lawful.genome());
        if !self.seen.claim_shape(shape, errand.step) || !self.seen.claim(tree, errand.step) {
            outcome.duplicate = Some(tree);
            return Ok(outcome);
        }
        outcome.cards.push(self.examine(&lawful)?);
        outcome.judgement = Some(self.judge(errand, &lawful, &mut outcome)?);
        outcome.subject = Some(lawful);
        Ok(outcome)
    }

    /// What is to be tried: what a person said yes to, or what the proposer comes back with.
    fn bid(&self, errand: &Errand) -> Result<Bid, EvolveError> {
        match &errand.approved {
            Some(Approved { change, reason, .. }) => {
                Ok(Bid::Proposal { change: change.clone(), reason: reason.clone(), idea: None, cost: Cost::ZERO })
            }
            None => self.propose(errand),
        }
    }

    fn wants_a_reason(&self, change: &Change) -> bool {
        let paths = change.edits.iter().map(Edit::path);
        self.setup.constitution.requires(paths).contains(&Requirement::ReferencesChange)
    }

    fn propose(&self, errand: &Errand) -> Result<Bid, EvolveError> {
        let proposer = self.setup.proposers.get(errand.arm).ok_or(EvolveError::NoArm(errand.arm))?;
        let brief = Brief {
            goal: self.setup.goal,
            step: errand.step,
            seed: errand.seed,
            parent: errand.parents[0],
            genome: &errand.genome,
            score: errand.score,
            feedback: &errand.feedback,
            ancestors: &errand.ancestors,
            mates: &errand.mates,
            inspirations: &errand.inspirations,
            attempts: &errand.attempts,
            editable: &|path| self.setup.constitution.may_write(path),
            tried: &*self.seen,
            reserved: errand.price,
        };
        Ok(proposer.propose(&brief)?)
    }

    /// Judges, examining again for as long as the judge asks and the budget allows.
    fn judge(&self, errand: &Errand, lawful: &Lawful, outcome: &mut Outcome) -> Result<Judgement, EvolveError> {
        let reference: Vec<&Scorecard> = errand.cards.iter().map(Arc::as_ref).collect();
        loop {
            let cards: Vec<&Scorecard> = outcome.cards.iter().collect();
            match meliora_judge::judge(&cards, &reference, &self.setup.policy) {
                meliora_judge::Ruling::Verdict(judgement) => return Ok(judgement),
                meliora_judge::Ruling::Rerun => {}
            }
            if let Err(over) = self.budget.reserve(Cost::evals(1)) {
                return Ok(Judgement {
                    verdict: Verdict::Inconclusive,
                    effect: 0.0,
                    p: None,
                    reason: format!("looks better, but the budget of {over} leaves no re-run to confirm it"),
                });
            }
            outcome.extra_reserved += 1;
            let card = self.examine(lawful)?;
            outcome.cards.push(card);
        }
    }

    /// One examination: on validation, and on train too if somebody will read what it says.
    pub fn examine(&self, lawful: &Lawful) -> Result<Scorecard, EvolveError> {
        let read = self.setup.proposers.iter().any(|p| p.reads_attempts());
        let splits: &[Split] = if read { &[Split::Train, Split::Validation] } else { &[Split::Validation] };
        Ok(examine(self.setup.suite, self.setup.sandbox, lawful, splits, false, self.setup.nonce)?.scorecard)
    }

    /// What train tasks tell, with the lines they run.
    pub fn feedback(&self, lawful: &Lawful) -> Result<Vec<Feedback>, EvolveError> {
        Ok(examine(self.setup.suite, self.setup.sandbox, lawful, &[Split::Train], true, self.setup.nonce)?.feedback)
    }
}
