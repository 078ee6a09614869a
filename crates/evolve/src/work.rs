//! Carrying out one step: propose, review, examine, judge. Changes nothing but what was claimed and set aside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use meliora_benchmark::Scope;
use meliora_constitution::{Lawful, Refusal, Requirement, Ruling, Subject};
use meliora_domain::{
    Alarm, BidOutcome, Change, Cost, Edit, Example, Feedback, Genome, GenomePath, Judgement, Kind, Request, Scorecard,
    Split, TaskId, TreeId, VariantId, Verdict, Word,
};

use meliora_judge::suspicion::FileChange;

use crate::approval::Approved;
use crate::brief::{Errand, Seen};
use crate::budget::Budget;
use crate::error::EvolveError;
use crate::evolution::Setup;
use crate::examine::{Means, answer, examine};
use crate::port::{Bid, Brief, ProposeError, Pupil, Trial, Tryout};
use crate::relay::Kept;
use crate::standing::{Examiner, Look, Looked};
use crate::strategy::Exam;
use crate::student::{Purse, Student};

/// What a worker needs; cheap to clone.
#[derive(Clone)]
pub struct Workshop<'a> {
    /// The run's tools.
    pub setup: &'a Setup<'a>,
    /// What was tried.
    pub seen: Arc<Seen>,
    /// For re-runs.
    pub budget: Arc<Budget>,
    /// Evaluators that wait.
    pub kept: Arc<Kept>,
    /// Cages that failed in a row, where marks may be missing for it; else the first one that fails is an error.
    pub failures: Option<Arc<AtomicU32>>,
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
    /// What models cost that answered in its examinations.
    pub answers: Cost,
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
            answers: Cost::ZERO,
        }
    }
}

impl Workshop<'_> {
    /// Examines what stands, by the stricter of the two margins.
    pub(crate) fn look(&self, look: &Look) -> Result<Looked, EvolveError> {
        let Setup { constitution, suite, sandbox, student, nonce, .. } = *self.setup;
        let policy = &crate::guardian::stricter(&self.setup.policy, self.setup.guardian);
        look.carry_out(&Examiner { constitution, suite, sandbox, student, policy, nonce, kept: &self.kept })
    }

    /// Propose, review, examine, judge.
    pub fn carry_out(&self, errand: &Errand) -> Result<Outcome, EvolveError> {
        if let Some(further) = &errand.further {
            let purse = self.purse(errand.answers);
            let mut outcome = self.examine_further(errand, further, &purse)?;
            outcome.answers += purse.spent();
            self.suspect(errand, &mut outcome);
            return Ok(outcome);
        }
        let (change, mut outcome) = match self.bid(errand)? {
            Bid::Exhausted => return Ok(Outcome::of(BidOutcome::Exhausted, String::new(), Cost::ZERO)),
            Bid::Unusable { reason, cost } => {
                return Ok(Outcome::of(BidOutcome::Unusable { reason }, String::new(), cost));
            }
            Bid::Proposal { change, reason, idea, cost } => {
                // It becomes a commit's message, and git's hold no such character.
                let reason = reason.replace('\0', "\u{fffd}");
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
        if self.like_another(lawful.genome(), errand.step, &mut outcome)? {
            outcome.duplicate = Some(tree);
            return Ok(outcome);
        }
        outcome.alarms =
            self.setup.vigilance.of_change(&changed(&errand.genome, lawful.genome()), &self.setup.suite.inputs());
        let purse = self.purse(errand.answers);
        let spent = outcome.cost;
        self.examine_and_judge(errand, &lawful, &mut outcome, &purse).map_err(|e| e.after(spent))?;
        outcome.answers += purse.spent();
        self.suspect(errand, &mut outcome);
        outcome.subject = Some(lawful);
        Ok(outcome)
    }

    /// Examines a new variant as the strategy says, and judges it unless that is left for later.
    fn examine_and_judge(
        &self,
        errand: &Errand,
        lawful: &Lawful,
        outcome: &mut Outcome,
        purse: &Purse,
    ) -> Result<(), EvolveError> {
        let kind = self.setup.policy.kind;
        let begun = [errand.scales.first(kind).to_vec()];
        let (parts, looked_at) = match &errand.exam {
            Exam::Part(tasks) => (std::slice::from_ref(tasks), true),
            // A sample is examined in stages by its judge.
            Exam::Staged(parts) if kind == Kind::Exact => (parts.as_slice(), true),
            Exam::Staged(_) | Exam::Whole => (&begun[..], false),
        };
        for (place, tasks) in parts.iter().enumerate() {
            if place > 0 && self.set_aside_for(tasks, outcome).is_err() {
                break;
            }
            let (card, alarms) = match place {
                0 => self.examine_first(lawful, tasks, purse)?,
                _ => self.examine(lawful, tasks, 0, purse)?,
            };
            outcome.alarms.extend(alarms);
            outcome.cards.push(card);
            if looked_at && let Some(judgement) = errand.scales.hopeless(&outcome.cards, &errand.held) {
                outcome.judgement = Some(judgement);
                return Ok(());
            }
        }
        if !matches!(errand.exam, Exam::Part(_)) || errand.scales.covered(&outcome.cards) {
            outcome.judgement = Some(self.judge(errand, lawful, outcome, purse)?);
        }
        Ok(())
    }

    /// What was set aside, as far as the run has a limit at all.
    pub fn purse(&self, aside: Cost) -> Purse {
        let limit = self.budget.limit();
        Purse::new((limit.tokens > 0 || limit.usd.0 > 0).then_some(aside))
    }

    pub(crate) fn means(&self) -> Means<'_> {
        let Setup { suite, sandbox, student, nonce, .. } = *self.setup;
        Means { suite, sandbox, student, nonce, kept: &self.kept, failures: self.failures.as_deref() }
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
        let bench = Bench { workshop: self, errand };
        let brief = Brief {
            goal: self.setup.goal,
            step: errand.step,
            seed: errand.seed,
            parent: errand.parents[0],
            genome: &errand.genome,
            score: errand.score,
            feedback: &errand.feedback,
            examples: &errand.examples,
            trial: &bench,
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

    /// The first examination of a variant: of these validation tasks, all if none is named, and on train too if somebody
    /// will read what it says.
    fn examine_first(
        &self,
        lawful: &Lawful,
        tasks: &[TaskId],
        purse: &Purse,
    ) -> Result<(Scorecard, Vec<Alarm>), EvolveError> {
        let mut tasks = tasks.to_vec();
        if !tasks.is_empty() {
            tasks.extend(self.setup.suite.tasks(Split::Train));
            tasks.extend(self.setup.suite.traps());
        }
        self.examine(lawful, &tasks, 0, purse)
    }

    /// One examination with this seed: of the tasks that are named, or of all validation tasks, and of train tasks too if
    /// somebody will read what it says.
    pub fn examine(
        &self,
        lawful: &Lawful,
        tasks: &[TaskId],
        seed: u64,
        purse: &Purse,
    ) -> Result<(Scorecard, Vec<Alarm>), EvolveError> {
        let read = self.setup.proposers.iter().any(|p| p.reads_attempts());
        let splits: &[Split] = if read { &[Split::Train, Split::Validation] } else { &[Split::Validation] };
        let scope = Scope { splits, tasks, seed, lines: false };
        let graded = examine(&self.means(), lawful, &scope, purse)?;
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

    /// What train tasks tell, with the lines they run; of prompts, with what was made of each row.
    pub fn feedback(&self, lawful: &Lawful, purse: &Purse) -> Result<(Vec<Feedback>, Vec<Example>), EvolveError> {
        let scope = Scope { splits: &[Split::Train], lines: true, ..Scope::default() };
        let graded = examine(&Means { failures: None, ..self.means() }, lawful, &scope, purse)?;
        Ok((graded.feedback, graded.examples))
    }
}

/// Where a proposer tries changes on train rows while it makes its bid. Nothing is tried that the law does not let through.
struct Bench<'a> {
    workshop: &'a Workshop<'a>,
    errand: &'a Errand,
}

impl Bench<'_> {
    fn pupil(&self, pupil: Pupil) -> Option<&Student<'_>> {
        let setup = self.workshop.setup;
        match pupil {
            Pupil::Student | Pupil::Sampled(_) => setup.student,
            Pupil::Teacher => setup.teacher.or(setup.student),
        }
    }
}

impl Trial for Bench<'_> {
    fn on(&self, change: &Change, tasks: &[TaskId], pupil: Pupil, most: Cost) -> Result<Tryout, ProposeError> {
        let setup = self.workshop.setup;
        let (Some(prompts), Some(student)) = (setup.suite.prompts(), self.pupil(pupil)) else {
            return Ok(Tryout::Refused("nothing but prompts can be tried on train rows".into()));
        };
        let subject = match change.edits.is_empty() {
            true => Subject::Baseline(&self.errand.genome),
            false => Subject::Proposal { variant: self.errand.parents[0], parent: &self.errand.genome, change },
        };
        let lawful = match setup.constitution.review(subject, &[], (setup.clock)()) {
            Ruling::Lawful(lawful) => lawful,
            Ruling::Refused(refusal) => return Ok(Tryout::Refused(refusal.reason)),
            Ruling::NeedsApproval(request) => return Ok(Tryout::Refused(request.reason)),
        };
        let varied = student.varied();
        let (student, seed) = match pupil {
            Pupil::Sampled(seed) => (&varied, seed),
            Pupil::Student | Pupil::Teacher => (student, 0),
        };
        let means = Means { student: Some(student), failures: None, ..self.workshop.means() };
        let purse = self.workshop.purse(most);
        let graded = answer(&means, &lawful, &prompts.train(tasks), seed, &purse).map_err(|e| ProposeError {
            hint: e.hint(),
            what: e.to_string(),
            spent: purse.spent(),
        })?;
        Ok(Tryout::Done { examples: graded.examples, cost: purse.spent() })
    }

    fn estimate(&self, tasks: &[TaskId], pupil: Pupil) -> Cost {
        let (Some(prompts), Some(student)) = (self.workshop.setup.suite.prompts(), self.pupil(pupil)) else {
            return Cost::ZERO;
        };
        crate::examine::program(prompts, &self.errand.genome)
            .map_or(Cost::ZERO, |file| student.estimate(&file.program, &prompts.train(tasks)))
    }
}

/// The files that differ, as texts; what is no text is for the law to judge.
fn changed<'g>(before: &'g Genome, after: &'g Genome) -> Vec<FileChange<'g>> {
    let paths: BTreeSet<&GenomePath> = before.files().chain(after.files()).map(|(path, _)| path).collect();
    let text = |genome: &'g Genome, path| genome.get(path).and_then(|body| body.text());
    let all = paths.into_iter().map(|path| (path.as_str(), text(before, path), text(after, path)));
    all.filter(|(_, before, after)| before != after).collect()
}
