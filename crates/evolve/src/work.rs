//! Carrying out one step: propose, review, examine, judge. Changes nothing but what was claimed and set aside.

use std::collections::BTreeSet;
use std::sync::Arc;

use meliora_benchmark::Scope;
use meliora_constitution::{Lawful, Refusal, Requirement, Ruling, Subject};
use meliora_domain::{
    Alarm, BidOutcome, Change, Cost, Edit, Feedback, Genome, GenomePath, Judgement, Kind, Request, Scorecard, Split,
    TaskId, TreeId, VariantId, Verdict, Word,
};

use meliora_judge::suspicion::FileChange;

use crate::approval::Approved;
use crate::brief::{Errand, Seen};
use crate::budget::Budget;
use crate::error::EvolveError;
use crate::evolution::Setup;
use crate::examine::examine;
use crate::port::{Bid, Brief};
use crate::scales::refs;
use crate::strategy::Exam;

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
    /// What the proposer came back with; none was asked where a variant was examined further.
    pub bid: Option<BidOutcome>,
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
    /// How many of them are in the journal already.
    pub known: usize,
    /// Marks of parent or champion that its own were held against and that were not there before.
    pub rivals: Vec<(VariantId, Scorecard)>,
    /// What was seen that looks like cheating, until the verdict tells of it.
    pub alarms: Vec<Alarm>,
    /// The verdict on them.
    pub judgement: Option<Judgement>,
    /// Examinations that were set aside beyond the first.
    pub extra_reserved: u64,
}

impl Outcome {
    /// An outcome with nothing but a bid.
    pub fn of(bid: BidOutcome, reason: String, cost: Cost) -> Self {
        Outcome { bid: Some(bid), reason, cost, ..Outcome::without_bid() }
    }

    /// An outcome with nothing.
    pub fn without_bid() -> Self {
        Outcome {
            bid: None,
            reason: String::new(),
            cost: Cost::ZERO,
            refused: None,
            asked: None,
            duplicate: None,
            subject: None,
            cards: Vec::new(),
            known: 0,
            rivals: Vec::new(),
            alarms: Vec::new(),
            judgement: None,
            extra_reserved: 0,
        }
    }
}

impl Workshop<'_> {
    /// Propose, review, examine, judge.
    pub fn carry_out(&self, errand: &Errand) -> Result<Outcome, EvolveError> {
        if let Some(further) = &errand.further {
            let mut outcome = self.examine_further(errand, further)?;
            self.suspect(errand, &mut outcome);
            return Ok(outcome);
        }
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
        if !self.seen.claim(tree, errand.step) {
            outcome.duplicate = Some(tree);
            return Ok(outcome);
        }
        outcome.alarms =
            self.setup.vigilance.of_change(&changed(&errand.genome, lawful.genome()), &self.setup.suite.inputs());
        self.examine_and_judge(errand, &lawful, &mut outcome)?;
        self.suspect(errand, &mut outcome);
        outcome.subject = Some(lawful);
        Ok(outcome)
    }

    /// Examines a new variant as the strategy says, and judges it unless that is left for later.
    fn examine_and_judge(&self, errand: &Errand, lawful: &Lawful, outcome: &mut Outcome) -> Result<(), EvolveError> {
        let kind = self.setup.policy.kind;
        let first = match &errand.exam {
            Exam::Part(tasks) => tasks,
            // A sample is examined in stages by its judge.
            Exam::Staged(tasks) if kind == Kind::Exact => tasks,
            Exam::Staged(_) | Exam::Whole => errand.scales.first(kind),
        };
        let (card, alarms) = self.examine_first(lawful, first)?;
        outcome.alarms.extend(alarms);
        let early = match &errand.exam {
            Exam::Staged(_) if kind == Kind::Exact => errand.scales.hopeless(&card, &refs(&errand.cards)),
            _ => None,
        };
        outcome.cards.push(card);
        let later = matches!(errand.exam, Exam::Part(_)) && !errand.scales.covered(&outcome.cards);
        outcome.judgement = match early {
            None if later => None,
            None => Some(self.judge(errand, lawful, outcome)?),
            early => early,
        };
        Ok(())
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
            inspirations: &errand.inspirations,
            attempts: &errand.attempts,
            editable: &|path| self.setup.constitution.may_write(path),
            tried: &*self.seen,
            reserved: errand.price,
        };
        Ok(proposer.propose(&brief)?)
    }

    /// The first examination of a variant: of these validation tasks, all if none is named, and on train too if somebody
    /// will read what it says.
    fn examine_first(&self, lawful: &Lawful, tasks: &[TaskId]) -> Result<(Scorecard, Vec<Alarm>), EvolveError> {
        let mut tasks = tasks.to_vec();
        if !tasks.is_empty() {
            tasks.extend(self.setup.suite.tasks(Split::Train));
        }
        self.examine(lawful, &tasks, 0)
    }

    /// One examination with this seed: of the tasks that are named, or of all validation tasks, and of train tasks too if
    /// somebody will read what it says.
    pub fn examine(
        &self,
        lawful: &Lawful,
        tasks: &[TaskId],
        seed: u64,
    ) -> Result<(Scorecard, Vec<Alarm>), EvolveError> {
        let read = self.setup.proposers.iter().any(|p| p.reads_attempts());
        let splits: &[Split] = if read { &[Split::Train, Split::Validation] } else { &[Split::Validation] };
        let scope = Scope { splits, tasks, seed, lines: false };
        let graded = examine(self.setup.suite, self.setup.sandbox, lawful, &scope, self.setup.nonce)?;
        Ok((graded.scorecard, self.setup.vigilance.heeded(graded.alarms)))
    }

    /// Whatever the marks prove, alarms make it suspect; what they prove stays in the grounds.
    fn suspect(&self, errand: &Errand, outcome: &mut Outcome) {
        let score = outcome.cards.iter().filter_map(|c| c.mean(Split::Validation)).reduce(f64::max);
        let gain = score.zip(errand.score).map(|(now, before)| now - before);
        let vigilance = self.setup.vigilance;
        let mut alarms = std::mem::take(&mut outcome.alarms);
        alarms.extend(vigilance.of_score(score, gain, self.setup.suite.ceiling(), &errand.gains));
        if !alarms.is_empty() {
            let open = || Judgement::of(Verdict::Inconclusive, 0.0, "it is not examined whole");
            outcome.judgement = Some(vigilance.suspect(outcome.judgement.take().unwrap_or_else(open), alarms));
        }
    }

    /// What train tasks tell, with the lines they run.
    pub fn feedback(&self, lawful: &Lawful) -> Result<Vec<Feedback>, EvolveError> {
        let scope = Scope { splits: &[Split::Train], lines: true, ..Scope::default() };
        Ok(examine(self.setup.suite, self.setup.sandbox, lawful, &scope, self.setup.nonce)?.feedback)
    }
}

/// The files that differ, as texts; what is no text is for the law to judge.
fn changed<'g>(before: &'g Genome, after: &'g Genome) -> Vec<FileChange<'g>> {
    let paths: BTreeSet<&GenomePath> = before.files().chain(after.files()).map(|(path, _)| path).collect();
    let text = |genome: &'g Genome, path| genome.get(path).and_then(|body| body.text());
    let all = paths.into_iter().map(|path| (path.as_str(), text(before, path), text(after, path)));
    all.filter(|(_, before, after)| before != after).collect()
}
