//! The loop: choose, propose, review, examine, judge, record.
//!
//! A step has three parts. `choose` decides on the journal alone; `carry_out` does the work and may run on any thread;
//! `record` appends all that came of it as one unit, and only then is anyone told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use meliora_benchmark::{Scope, Suite};
use meliora_constitution::{Constitution, GuardianRules};
use meliora_domain::{
    Attempt, BidOutcome, Cost, Digest, Event, FinishReason, Genome, Judgement, RunPlan, Scorecard, Split, Timestamp,
    VariantId, Verdict,
};
use meliora_judge::{Policy, Vigilance};

use crate::approval;
use crate::brief::{Errand, Memory};
use crate::budget::{Budget, Over};
use crate::error::EvolveError;
use crate::examine::Nonce;
use crate::journal::Journal;
use crate::lineage::Pause;
use crate::novelty::Novelty;
use crate::port::{Archive, Desk, Draft, Herald, Observer, Proposer, Sandbox, Target};
use crate::relay::Kept;
use crate::rng::{Rng, STEPS};
use crate::scales::refs;
use crate::strategy::{Action, Strategy};
use crate::student::Student;
use crate::work::{Outcome, Workshop};

/// Seconds between the dates of two steps' commits; dates derive from seed and step, so that equal runs make equal ids.
const STEP_MILLIS: u64 = 1000;
/// The date of step 0 of every run: 2026-01-01. Commit dates order the lineage; the journal knows when things happened.
const FIRST_DATE: u64 = 1_767_225_600_000;
/// So many answers in a row without a usable proposal, and the run stops instead of spending on.
const PATIENCE: u32 = 25;
/// Examinations of a variant that are set aside where an equal question may get another answer.
const RERUNS: u32 = 3;
/// So many proposals in a row that were all refused or tried before, and the proposers count as having nothing more: such
/// steps cost no evaluation, so a budget of evaluations alone would never end them.
const STALE: u64 = 50;

/// Everything a run needs.
pub struct Setup<'a> {
    /// What proposers are told to make better.
    pub goal: &'a str,
    /// The law.
    pub constitution: &'a Constitution,
    /// The exam.
    pub suite: &'a Suite,
    /// What decides.
    pub policy: Policy,
    /// What makes a variant suspect.
    pub vigilance: &'a Vigilance,
    /// Where cages come from.
    pub sandbox: &'a dyn Sandbox,
    /// Who answers, where the suite is one of prompts.
    pub student: Option<&'a Student<'a>>,
    /// A better one to learn from, where there is one.
    pub teacher: Option<&'a Student<'a>>,
    /// Journal and variants.
    pub archive: &'a dyn Archive,
    /// The proposers, in the order of the plan's arms.
    pub proposers: &'a [Box<dyn Proposer + 'a>],
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// The clock.
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
    /// Secrets.
    pub nonce: Nonce<'a>,
    /// Set from outside to stop; what is under way is finished and recorded.
    pub stop: &'a AtomicBool,
    /// How many steps are dealt with at once; at least 1.
    pub jobs: usize,
    /// When the guardian acts.
    pub guardian: &'a GuardianRules,
    /// Where people's words come in.
    pub desk: &'a dyn Desk,
    /// Who tells people.
    pub herald: &'a dyn Herald,
    /// Who says that two genomes are much the same, where somebody does.
    pub novelty: Option<Novelty<'a>>,
    /// What of a genome decides what it does; two of one shape are not both examined.
    pub shape: &'a (dyn Fn(&Genome) -> Digest + Sync),
    /// Whether a model's answers are recorded or played. Then the baseline is a variant of its own, of which nothing is known
    /// from earlier runs: the same is asked each time.
    pub taped: bool,
    /// The user's own tree, where the guardian may undo a promotion.
    pub target: Option<&'a dyn Target>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Ended {
    /// It is over.
    Finished(FinishReason),
    /// It was stopped from outside and can go on.
    Interrupted,
    /// The guardian stopped it; it can go on when a person lets it.
    Paused(Box<Pause>),
}

/// One run.
pub struct Evolution<'a> {
    pub(crate) setup: &'a Setup<'a>,
    pub(crate) journal: Journal<'a>,
    strategy: Box<dyn Strategy>,
    pub(crate) budget: Arc<Budget>,
    kept: Arc<Kept>,
    pub(crate) memory: Memory<'a>,
    /// Requests whose approved proposals are being dealt with.
    pub(crate) dealing: BTreeSet<Digest>,
    /// When it was last looked whether a promoted variant still stands as it should.
    pub(crate) looked: Timestamp,
    barren: u32,
    /// Variants that are being examined further.
    pub(crate) examining: BTreeSet<VariantId>,
    /// Cages that failed in a row.
    pub(crate) failures: Arc<AtomicU32>,
}

impl<'a> Evolution<'a> {
    /// Continues the journal's unfinished run, or begins a new one from `baseline`.
    pub fn open(
        setup: &'a Setup<'a>,
        journal: Journal<'a>,
        plan: RunPlan,
        strategy: Box<dyn Strategy>,
        baseline: &Genome,
    ) -> Result<Self, EvolveError> {
        let continues = journal.lineage().unfinished().is_some();
        let budget = Arc::new(Budget::new(plan.budget, plan.minutes, Cost::ZERO, 0.0));
        let memory = Memory::new(setup.archive);
        let (dealing, looked) = (BTreeSet::new(), (setup.clock)());
        let mut evolution = Evolution {
            setup,
            journal,
            strategy,
            budget,
            kept: Arc::default(),
            memory,
            dealing,
            looked,
            barren: 0,
            examining: BTreeSet::new(),
            failures: Arc::default(),
        };
        if continues {
            evolution.journal.record(&[Event::RunContinued])?;
        } else {
            evolution.journal.record(&[Event::RunStarted(plan.clone())])?;
        }
        evolution.resume_ledgers(&plan);
        match evolution.journal.lineage().champion().map(|n| n.id) {
            // A crash between the journal and the archive's branch left the branch behind.
            Some(champion) if continues => evolution.setup.archive.point_champion(&champion)?,
            _ => {}
        }
        if evolution.run().baseline.is_none() {
            evolution.begin(baseline)?;
        }
        evolution.remember_directions()?;
        Ok(evolution)
    }

    /// Runs to the end.
    pub fn run_to_end(&mut self) -> Result<Ended, EvolveError> {
        let ended = self.together()?;
        match &ended {
            Ended::Finished(reason) => self.finish(reason.clone())?,
            Ended::Interrupted => {
                self.journal.record(&[Event::Interrupted])?;
            }
            // The journal says so already.
            Ended::Paused(_) => {}
        }
        self.journal.keep_snapshot()?;
        Ok(ended)
    }

    /// The journal, with the lineage as it stands.
    pub fn journal(&self) -> &Journal<'a> {
        &self.journal
    }

    /// Ends the run and gives the journal back.
    pub fn into_journal(self) -> Journal<'a> {
        self.journal
    }

    /// Decides on the next step and sets its cost aside.
    pub(crate) fn choose(&mut self, under_way: usize) -> Result<Next, EvolveError> {
        if let Some(pause) = self.journal.lineage().watched.paused() {
            return Ok(Next::End(Ended::Paused(Box::new(pause.clone()))));
        }
        if self.setup.stop.load(Ordering::Relaxed) {
            return Ok(Next::End(Ended::Interrupted));
        }
        self.still_governed()?;
        if self.solved() {
            return Ok(Next::End(Ended::Finished(FinishReason::Solved)));
        }
        let run = self.run();
        self.budget.clock(run.busy_millis as f64 / 1000.0, run.longest_exam);
        if let Some(mut errand) = self.approved_errand()? {
            errand.answers = self.answers_of_step(&errand.genome);
            if let Err(over) = self.reserve(Cost::evals(1) + errand.answers)? {
                return Ok(Next::End(Ended::Finished(FinishReason::Budget(over.to_string()))));
            }
            self.set_aside(errand.step, errand.answers)?;
            self.dealing.extend(errand.approved.iter().map(|approved| approved.request));
            return Ok(Next::Errand(Box::new(errand)));
        }
        if self.barren >= PATIENCE {
            return self.at_a_loss(under_way);
        }
        if self.run().stale >= STALE {
            return Ok(Next::End(Ended::Finished(FinishReason::Exhausted)));
        }
        let run = self.run();
        let (step, seed) = (self.memory.next_step(run.last_step), run.plan.seed);
        let mut rng = Rng::of(seed, STEPS, step);
        let action = self.strategy.next(self.journal.lineage(), &self.budget, &mut rng);
        let (mut parents, inspirations, arm, exam) = match action {
            Action::Expand { parents, inspirations, arm, exam } => (parents, inspirations, arm, exam),
            Action::Examine { variant, tasks } => {
                return self.choose_further(under_way, step, variant, tasks, &mut rng);
            }
            Action::Wait => return Ok(Next::Wait),
            Action::Stop if under_way > 0 => return Ok(Next::Wait),
            Action::Stop => return Ok(Next::End(Ended::Finished(FinishReason::Exhausted))),
        };
        let proposer = self.setup.proposers.get(arm).ok_or(EvolveError::NoArm(arm))?;
        if !proposer.reads_others() {
            parents.truncate(1);
        }
        let genome = self.memory.genome(&parents[0])?;
        let price = proposer.estimate(&genome);
        let answers = self.answers_of_step(&genome);
        let reserved = price + answers + Cost::evals(1);
        if let Err(over) = self.reserve(reserved)? {
            return Ok(Next::End(Ended::Finished(FinishReason::Budget(over.to_string()))));
        }
        self.set_aside(step, price + answers)?;
        self.trace(proposer.as_ref(), &parents[0], &genome, (step, price + answers))?;
        let mut errand =
            self.memory.errand(self.journal.lineage(), step, rng.bits(), parents, &inspirations, arm, price)?;
        errand.scales = self.scales(step, errand.seed)?;
        errand.exam = exam;
        errand.answers = answers;
        if proposer.reads_ancestors() {
            errand.ancestors = self.memory.ancestors(self.journal.lineage(), &errand.parents[0])?;
        }
        Ok(Next::Errand(Box::new(errand)))
    }

    /// Sets aside what a step may cost, unless only what is kept for the end of the run is left.
    pub(crate) fn reserve(&mut self, cost: Cost) -> Result<Result<(), Over>, EvolveError> {
        let held = self.held_back()?;
        let reserved = self.budget.reserve(cost + held);
        if reserved.is_ok() {
            self.budget.settle(held, Cost::ZERO);
        }
        Ok(reserved)
    }

    /// Journals what is set aside before it is spent: a crash cannot make a paid call free.
    pub(crate) fn set_aside(&mut self, step: u64, cost: Cost) -> Result<(), EvolveError> {
        if cost != Cost::ZERO {
            self.journal.record(&[Event::Reserved { step, cost }])?;
        }
        Ok(())
    }

    /// Nothing more happens under a law that was altered since it was loaded, or that has expired.
    fn still_governed(&mut self) -> Result<(), EvolveError> {
        let now = (self.setup.clock)();
        let Err(lapse) = self.setup.constitution.holds(now) else { return Ok(()) };
        if !self.setup.constitution.expired(now) {
            self.journal.record(&[Event::altered(&lapse.what)])?;
        }
        Err(lapse.into())
    }

    /// Journals what came of a step. A proposer that broke is an attempt too: what it spent is known, and only a crash
    /// leaves the whole reservation charged.
    pub(crate) fn settle(&mut self, errand: &Errand, outcome: Result<Outcome, EvolveError>) -> Result<(), EvolveError> {
        match outcome {
            Ok(outcome) => self.record(errand, outcome),
            Err(EvolveError::Propose(e)) => {
                let reason = format!("the proposer broke: {}", e.what);
                self.record(errand, Outcome::of(BidOutcome::Unusable { reason }, String::new(), e.spent))?;
                Err(EvolveError::Propose(e))
            }
            Err(EvolveError::Model { what, hint, spent }) => {
                let reason = format!("the model that answers broke: {what}");
                self.record(errand, Outcome::of(BidOutcome::Unusable { reason }, String::new(), spent))?;
                Err(EvolveError::Model { what, hint, spent })
            }
            Err(e) => Err(e),
        }
    }

    /// Journals all that came of a step as one unit.
    fn record(&mut self, errand: &Errand, mut outcome: Outcome) -> Result<(), EvolveError> {
        self.budget.settle(errand.aside(), outcome.cost + outcome.answers);
        let examined = outcome.cards[outcome.known..].iter().chain(outcome.rivals.iter().map(|(_, card)| card));
        let price = self.run().price_of(examined);
        self.budget.settle(Cost::evals(1 + outcome.extra_reserved), Cost::evals(price));
        match outcome.bid {
            Some(BidOutcome::Unusable { .. }) => self.barren += 1,
            Some(_) => self.barren = 0,
            None => {}
        }
        let step = errand.step;
        let mut events = Vec::new();
        if let Some(approved) = &errand.approved {
            self.dealing.remove(&approved.request);
            events.push(Event::Used { request: approved.request, nonce: approved.word.nonce });
        }
        events.extend(outcome.bid.map(|bid| {
            Event::Bid(Attempt {
                step,
                parents: errand.parents.clone(),
                arm: errand.arm,
                cost: outcome.cost,
                outcome: bid,
            })
        }));
        // Without a bid, this alone settles what was set aside.
        if outcome.answers != Cost::ZERO || errand.further.is_some() && errand.answers != Cost::ZERO {
            events.push(Event::Spent { step, cost: outcome.answers });
        }
        if let Some((refusal, change)) = outcome.refused {
            events.push(Event::Refused { step, article: refusal.article, reason: refusal.reason, change });
        }
        if let Some(asked) = outcome.asked {
            let now = (self.setup.clock)();
            events.push(approval::asked(self.journal.lineage(), step, asked, now));
        }
        events.extend(outcome.duplicate.map(|tree| Event::Duplicate { step, tree, asked: false }));
        let examined = match (&errand.further, &outcome.subject) {
            (Some(further), _) => Some((further.variant, &*further.genome)),
            (None, Some(subject)) => {
                let variant = self.store(subject.genome(), &errand.parents, step, &outcome.reason)?;
                let (tree, parents) = (subject.genome().tree(), errand.parents.clone());
                events.push(Event::Admitted { step, variant, tree, parents });
                events.push(Event::Shaped { variant, shape: (self.setup.shape)(subject.genome()) });
                Some((variant, subject.genome()))
            }
            (None, None) => None,
        };
        if let Some((variant, genome)) = examined {
            self.memory.keep(variant, genome, outcome.cards.iter().cloned().map(Arc::new).collect());
            let new = outcome.cards.split_off(outcome.known);
            let new = new.into_iter().map(|card| (variant, card)).chain(outcome.rivals);
            self.enter(errand, variant, new.collect(), outcome.judgement, &mut events)?;
        }
        if let Some(further) = &errand.further {
            self.examining.remove(&further.variant);
        }
        self.memory.done(step, &events);
        self.journal.record(&events)?;
        if let Some(Event::Crowned { variant, .. }) = events.last() {
            self.setup.archive.point_champion(variant)?;
        }
        self.setup.observer.progress(&self.journal.progress());
        self.journal.snapshot_now_and_then()
    }

    /// A variant's new marks, those of its rivals, and what they prove.
    fn enter(
        &mut self,
        errand: &Errand,
        variant: VariantId,
        cards: Vec<(VariantId, Scorecard)>,
        judgement: Option<Judgement>,
        events: &mut Vec<Event>,
    ) -> Result<(), EvolveError> {
        let (step, evaluator) = (errand.step, self.setup.suite.evaluator());
        for (examined, scorecard) in cards {
            if examined != variant {
                self.memory.keep_card(&examined, &scorecard)?;
            }
            events.push(Event::Examined { step, variant: examined, scorecard });
        }
        let Some(judgement) = judgement else { return Ok(()) };
        // A parent may have become suspect while this was under way.
        let sound = !errand.parents.iter().any(|p| self.journal.lineage().distrusted(p));
        let accepted = judgement.verdict == Verdict::Accepted && sound;
        events.push(Event::Judged { step, variant, judgement });
        if !accepted {
            return Ok(());
        }
        let cards = self.memory.cards(&variant, &evaluator)?;
        let score = errand.scales.mean(&cards.iter().map(|card| Scorecard::clone(card)).collect::<Vec<_>>());
        if let Some(score) = score
            && self.beats_champion(errand, &cards)?
        {
            events.push(Event::Crowned { variant, score });
        }
        Ok(())
    }

    /// Better than its parent is not yet better than the champion: the same judge decides.
    fn beats_champion(&mut self, errand: &Errand, cards: &[Arc<Scorecard>]) -> Result<bool, EvolveError> {
        let Some(champion) = self.journal.lineage().champion().map(|n| n.id) else { return Ok(true) };
        let evaluator = self.setup.suite.evaluator();
        let reference = self.memory.cards(&champion, &evaluator)?;
        let ruling = errand.scales.weigh(&refs(cards), &refs(&reference), "the champion", &self.setup.policy);
        Ok(matches!(ruling, meliora_judge::Ruling::Verdict(Judgement { verdict: Verdict::Accepted, .. })))
    }

    pub(crate) fn store(
        &self,
        genome: &Genome,
        parents: &[meliora_domain::VariantId],
        step: u64,
        reason: &str,
    ) -> Result<meliora_domain::VariantId, EvolveError> {
        let run = self.run().number;
        let reason = if reason.trim().is_empty() { "no reason given" } else { reason };
        let headline: String = reason.lines().next().unwrap_or_default().chars().take(72).collect();
        Ok(self.setup.archive.store(&Draft {
            genome,
            parents,
            message: format!("{headline}\n\n{reason}\n\nMeliora-Run: {run}\nMeliora-Step: {step}\n"),
            date: Timestamp(FIRST_DATE + step * STEP_MILLIS),
            tag: format!("run-{run}/step-{step}"),
        })?)
    }

    fn solved(&self) -> bool {
        let score = self.journal.lineage().champion().and_then(|n| n.score);
        score.zip(self.setup.suite.ceiling()).is_some_and(|(score, ceiling)| score >= ceiling)
    }

    /// What the examination of a change of this genome may cost in tokens and money: more than one where answers vary.
    pub(crate) fn exam_price(&self, genome: &Genome) -> Cost {
        self.answers_price(genome, &[Split::Train, Split::Validation])
    }

    pub(crate) fn answers_price(&self, genome: &Genome, splits: &[Split]) -> Cost {
        let (Some(student), Some(suite)) = (self.setup.student, self.setup.suite.prompts()) else { return Cost::ZERO };
        let Ok(file) = crate::examine::program(suite, genome) else { return Cost::ZERO };
        let once = student.estimate(&file.program, &suite.questions(&Scope { splits, ..Scope::default() }));
        let times = if student.temperature == 0.0 { 1 } else { RERUNS };
        (0..times).fold(Cost::ZERO, |sum, _| sum + once)
    }

    fn resume_ledgers(&mut self, plan: &RunPlan) {
        let run = self.run();
        let seconds = run.busy_millis as f64 / 1000.0;
        let charged = run.charged();
        let (trees, shapes, ideas) = (run.trees.clone(), run.shapes.clone(), run.ideas.clone());
        self.budget = Arc::new(Budget::new(plan.budget, plan.minutes, charged, seconds));
        self.memory.begin(trees, shapes, ideas);
    }

    pub(crate) fn run(&self) -> &crate::lineage::Run {
        self.journal.lineage().run.as_ref().expect("a run was started when this value was made")
    }

    pub(crate) fn counts(&self) -> std::collections::BTreeMap<String, u64> {
        let run = self.run();
        [
            ("attempts", run.attempts),
            ("accepted", run.accepted),
            ("refused", run.refused),
            ("asked", run.asked),
            ("duplicates", run.duplicates),
            ("unusable", run.unusable),
        ]
        .map(|(name, n)| (name.to_owned(), n))
        .into()
    }

    pub(crate) fn workshop(&self) -> Workshop<'a> {
        let (seen, budget, failures) = (self.memory.seen(), self.budget.clone(), Some(self.failures.clone()));
        Workshop { setup: self.setup, seen, budget, failures, kept: Arc::clone(&self.kept) }
    }
}

/// What is to be done next.
pub(crate) enum Next {
    Errand(Box<Errand>),
    Wait,
    End(Ended),
}
