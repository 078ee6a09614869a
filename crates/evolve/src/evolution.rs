//! The loop: choose, propose, review, examine, judge, record.
//!
//! A step has three parts. `choose` decides on the journal alone; `carry_out` does the work and may run on any thread;
//! `record` appends all that came of it as one unit, and only then is anyone told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meliora_benchmark::Suite;
use meliora_constitution::{Constitution, GuardianRules};
use meliora_domain::{
    Attempt, BidOutcome, Cost, Digest, Event, FinishReason, Genome, Judgement, RunPlan, Scorecard, Split, Timestamp,
    Verdict,
};
use meliora_judge::Policy;

use crate::approval;
use crate::brief::{Errand, Memory};
use crate::budget::Budget;
use crate::error::EvolveError;
use crate::examine::Nonce;
use crate::journal::Journal;
use crate::lineage::Pause;
use crate::port::{Archive, Desk, Draft, Herald, Observer, Proposer, Sandbox, Target};
use crate::rng::Rng;
use crate::strategy::{Action, Strategy};
use crate::work::{Outcome, Workshop};

/// Seconds between the dates of two steps' commits; dates derive from seed and step, so that equal runs make equal ids.
const STEP_MILLIS: u64 = 1000;
/// The date of step 0 of every run: 2026-01-01. Commit dates order the lineage; the journal knows when things happened.
const FIRST_DATE: u64 = 1_767_225_600_000;
/// So many answers in a row without a usable proposal, and the run stops with their reasons instead of spending on.
const PATIENCE: u32 = 25;
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
    /// Where cages come from.
    pub sandbox: &'a dyn Sandbox,
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
    /// What of a genome decides what it does; two of one shape are not both examined.
    pub shape: &'a (dyn Fn(&Genome) -> Digest + Sync),
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
    pub(crate) memory: Memory<'a>,
    /// Requests whose approved proposals are being dealt with.
    pub(crate) dealing: BTreeSet<Digest>,
    /// When it was last looked whether a promoted variant still stands as it should.
    pub(crate) looked: Timestamp,
    barren: u32,
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
        let mut evolution = Evolution { setup, journal, strategy, budget, memory, dealing, looked, barren: 0 };
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
        Ok(evolution)
    }

    /// Runs to the end.
    pub fn run_to_end(&mut self) -> Result<Ended, EvolveError> {
        let ended = self.together()?;
        match &ended {
            Ended::Finished(reason) => {
                self.journal.record(&[Event::Finished { reason: reason.clone(), counts: self.counts() }])?;
            }
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
        if let Some(errand) = self.approved_errand()? {
            if let Err(over) = self.budget.reserve(Cost::evals(1)) {
                return Ok(Next::End(Ended::Finished(FinishReason::Budget(over.to_string()))));
            }
            self.dealing.extend(errand.approved.iter().map(|approved| approved.request));
            return Ok(Next::Errand(Box::new(errand)));
        }
        if self.barren >= PATIENCE {
            return Err(EvolveError::Barren { troubles: self.run().troubles.clone() });
        }
        if self.run().stale >= STALE {
            return Ok(Next::End(Ended::Finished(FinishReason::Exhausted)));
        }
        let run = self.run();
        let (number, step, seed) = (run.number, self.memory.next_step(run.last_step), run.plan.seed);
        let mut rng = Rng::of(seed, number, step);
        let (parents, inspirations, arm) = match self.strategy.next(self.journal.lineage(), &self.budget, &mut rng) {
            Action::Expand { parents, inspirations, arm } => (parents, inspirations, arm),
            Action::Wait => return Ok(Next::Wait),
            Action::Stop if under_way > 0 => return Ok(Next::Wait),
            Action::Stop => return Ok(Next::End(Ended::Finished(FinishReason::Exhausted))),
        };
        let proposer = self.setup.proposers.get(arm).ok_or(EvolveError::NoArm(arm))?;
        let genome = self.memory.genome(&parents[0])?;
        let price = proposer.estimate(&genome);
        let reserved = price + Cost::evals(1);
        if let Err(over) = self.budget.reserve(reserved) {
            return Ok(Next::End(Ended::Finished(FinishReason::Budget(over.to_string()))));
        }
        if price != Cost::ZERO {
            // Journalled before it is spent: a crash cannot make a paid call free.
            self.journal.record(&[Event::Reserved { step, cost: price }])?;
        }
        self.trace(proposer.as_ref(), &parents[0], &genome)?;
        let mut errand =
            self.memory.errand(self.journal.lineage(), step, rng.bits(), parents, &inspirations, arm, price)?;
        if proposer.reads_ancestors() {
            errand.ancestors = self.memory.ancestors(self.journal.lineage(), &errand.parents[0])?;
        }
        Ok(Next::Errand(Box::new(errand)))
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
            Err(e) => Err(e),
        }
    }

    /// Journals all that came of a step as one unit.
    fn record(&mut self, errand: &Errand, outcome: Outcome) -> Result<(), EvolveError> {
        self.budget.settle(errand.price, outcome.cost);
        self.budget.settle(Cost::evals(1 + outcome.extra_reserved), Cost::evals(outcome.cards.len() as u64));
        self.barren = if matches!(outcome.bid, BidOutcome::Unusable { .. }) { self.barren + 1 } else { 0 };
        let step = errand.step;
        let mut events = Vec::new();
        if let Some(approved) = &errand.approved {
            self.dealing.remove(&approved.request);
            events.push(Event::Used { request: approved.request, nonce: approved.word.nonce });
        }
        events.push(Event::Bid(Attempt {
            step,
            parents: errand.parents.clone(),
            arm: errand.arm,
            cost: outcome.cost,
            outcome: outcome.bid,
        }));
        if let Some((refusal, change)) = outcome.refused {
            events.push(Event::Refused { step, article: refusal.article, reason: refusal.reason, change });
        }
        if let Some(asked) = outcome.asked {
            let now = (self.setup.clock)();
            events.push(approval::asked(self.journal.lineage(), step, asked, now));
        }
        events.extend(outcome.duplicate.map(|tree| Event::Duplicate { step, tree }));
        if let (Some(subject), Some(judgement)) = (outcome.subject, outcome.judgement) {
            self.admit(errand, subject.genome(), &outcome.reason, outcome.cards, judgement, &mut events)?;
        }
        self.memory.done(step, &events);
        self.journal.record(&events)?;
        if let Some(Event::Crowned { variant, .. }) = events.last() {
            self.setup.archive.point_champion(variant)?;
        }
        self.setup.observer.progress(&self.journal.progress());
        self.journal.snapshot_now_and_then()
    }

    fn admit(
        &mut self,
        errand: &Errand,
        genome: &Genome,
        reason: &str,
        cards: Vec<Scorecard>,
        judgement: Judgement,
        events: &mut Vec<Event>,
    ) -> Result<(), EvolveError> {
        let step = errand.step;
        let variant = self.store(genome, &errand.parents, step, reason)?;
        let tree = genome.tree();
        let score = cards.last().and_then(|c| c.mean(Split::Validation));
        events.push(Event::Admitted { step, variant, tree, parents: errand.parents.clone() });
        events.push(Event::Shaped { variant, shape: (self.setup.shape)(genome) });
        let kept: Vec<Arc<Scorecard>> = cards.iter().cloned().map(Arc::new).collect();
        events.extend(cards.into_iter().map(|scorecard| Event::Examined { step, variant, scorecard }));
        let accepted = judgement.verdict == Verdict::Accepted;
        events.push(Event::Judged { step, variant, judgement });
        let champion = self.journal.lineage().champion().and_then(|n| n.score);
        if let Some(score) = score.filter(|s| accepted && champion.is_none_or(|c| *s > c))
            && self.beats_champion(&kept)?
        {
            events.push(Event::Crowned { variant, score });
        }
        self.memory.keep(variant, genome, kept);
        Ok(())
    }

    /// Better than its parent is not yet better than the champion: the same judge decides.
    fn beats_champion(&mut self, cards: &[Arc<Scorecard>]) -> Result<bool, EvolveError> {
        let Some(champion) = self.journal.lineage().champion().map(|n| n.id) else { return Ok(true) };
        let evaluator = self.setup.suite.evaluator();
        let reference = self.memory.cards(&champion, &evaluator)?;
        let (cards, reference): (Vec<_>, Vec<_>) =
            (cards.iter().map(Arc::as_ref).collect(), reference.iter().map(Arc::as_ref).collect());
        Ok(matches!(
            meliora_judge::judge(&cards, &reference, &self.setup.policy),
            meliora_judge::Ruling::Verdict(Judgement { verdict: Verdict::Accepted, .. })
        ))
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

    fn counts(&self) -> std::collections::BTreeMap<String, u64> {
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
        Workshop { setup: self.setup, seen: self.memory.seen(), budget: self.budget.clone() }
    }
}

/// What is to be done next.
pub(crate) enum Next {
    Errand(Box<Errand>),
    Wait,
    End(Ended),
}
