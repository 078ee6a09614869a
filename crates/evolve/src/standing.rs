//! Re-examination: whether what was promoted still stands as it should. It has three parts, as a step has, so that the one
//! who leads a run need not wait for it: what is there is taken up, examined by whoever has time, and the result recorded.

use std::collections::{BTreeMap, BTreeSet};

use meliora_benchmark::{Scope, Suite};
use meliora_constitution::{Constitution, Ruling, Subject};
use meliora_domain::{Event, Genome, Scorecard, Split, TaskId, Timestamp, VariantId};
use meliora_judge::{Policy, Regression, Standing};

use crate::brief::scorecards;
use crate::error::EvolveError;
use crate::examine::{Means, Nonce, examine};
use crate::journal::Journal;
use crate::lineage::Lineage;
use crate::port::{Archive, Sandbox, Target};
use crate::promotion::rollback;
use crate::relay::Kept;
use crate::scales::mean_of;
use crate::student::{Purse, Student};

/// What a re-examination needs.
pub struct Examiner<'a> {
    /// The law.
    pub constitution: &'a Constitution,
    /// The exam.
    pub suite: &'a Suite,
    /// Cages.
    pub sandbox: &'a dyn Sandbox,
    /// Who answers, where the suite is one of prompts.
    pub student: Option<&'a Student<'a>>,
    /// What decides.
    pub policy: &'a Policy,
    /// Secrets.
    pub nonce: Nonce<'a>,
    /// Evaluators that wait.
    pub kept: &'a Kept,
}

impl Examiner<'_> {
    /// One examination of a genome, whatever its answers cost.
    pub fn card(&self, genome: &Genome, scope: &Scope<'_>) -> Result<Scorecard, EvolveError> {
        match self.constitution.review(Subject::Baseline(genome), &[], Timestamp(0)) {
            Ruling::Lawful(lawful) => {
                let Examiner { suite, sandbox, student, nonce, kept, .. } = *self;
                let means = Means { suite, sandbox, student, nonce, kept, failures: None };
                Ok(examine(&means, &lawful, scope, &Purse::new(None))?.scorecard)
            }
            Ruling::Refused(refusal) => Err(EvolveError::Baseline(refusal)),
            Ruling::NeedsApproval(request) => Err(EvolveError::baseline_asks(&request)),
        }
    }
}

/// What became of a re-examination.
#[derive(Clone, PartialEq, Debug)]
pub enum Reexamination {
    /// Nothing is promoted.
    NothingStands,
    /// This variant was promoted, and the tree is another now: it was not examined.
    Moved(VariantId),
    /// It is shown to be no worse; in words.
    Stands(String),
    /// Neither that nor a drop is shown: it is left where it is, and the next examination tries again; in words.
    Unclear(String),
    /// It had dropped and was rolled back to this variant by this commit; in words.
    RolledBack(VariantId, String, String),
}

/// What stands and is to be examined again, with all that this takes but tools.
pub(crate) struct Look {
    variant: VariantId,
    genome: Genome,
    /// Its marks under the evaluator in force, where there are any.
    reference: Vec<Scorecard>,
    /// The variant before it, where there are none.
    previous: Option<Genome>,
    /// Tasks that do not count.
    flaky: BTreeSet<TaskId>,
}

/// What a look came to.
pub(crate) struct Looked {
    variant: VariantId,
    score: f64,
    reference: f64,
    reason: String,
    shown: Shown,
}

/// What is shown of what stands.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    NoWorse,
    Dropped,
    Nothing,
}

impl Look {
    /// Takes up what stands; where that is not what was promoted there is nothing to look at.
    pub(crate) fn at(
        lineage: &Lineage,
        archive: &dyn Archive,
        target: &dyn Target,
        suite: &Suite,
    ) -> Result<Result<Look, Reexamination>, EvolveError> {
        let Some(standing) = lineage.standing.last() else { return Ok(Err(Reexamination::NothingStands)) };
        let genome = archive.load(&standing.variant)?;
        if target.read()?.tree() != genome.tree() {
            return Ok(Err(Reexamination::Moved(standing.variant)));
        }
        let reference = scorecards(archive, &standing.variant, &suite.evaluator())?;
        let previous = if reference.is_empty() { Some(archive.load(&standing.previous)?) } else { None };
        let flaky = lineage.flaky(&suite.evaluator()).clone();
        Ok(Ok(Look { variant: standing.variant, genome, reference, previous, flaky }))
    }

    /// Examines it, as often as the judge asks. Needs neither journal nor archive.
    pub(crate) fn carry_out(&self, examiner: &Examiner<'_>) -> Result<Looked, EvolveError> {
        let scope = |seed| Scope { splits: &[Split::Train, Split::Validation], seed, ..Scope::default() };
        let mut reference = self.reference.clone();
        let first = first_seed(&reference);
        let mut now = vec![examiner.card(&self.genome, &scope(first))?];
        let against = match &self.previous {
            Some(previous) => {
                reference.push(examiner.card(previous, &scope(first))?);
                "the variant before it, under the evaluator of today"
            }
            None => "its own score at promotion",
        };
        let (why, shown) = loop {
            let (n, r): (Vec<&Scorecard>, Vec<&Scorecard>) = (now.iter().collect(), reference.iter().collect());
            let regression = Regression { now: &n, reference: &r, flaky: &self.flaky };
            match meliora_judge::standing(&regression, examiner.policy) {
                Standing::NeedMore { seed } => now.push(examiner.card(&self.genome, &scope(seed))?),
                Standing::Stands(why) => break (why, Shown::NoWorse),
                Standing::Unclear(why) => break (why, Shown::Nothing),
                Standing::Dropped(why) => break (why, Shown::Dropped),
            }
        };
        let mean = |cards: &[Scorecard]| mean_of(cards, &self.flaky).unwrap_or(0.0);
        let (score, reference) = (mean(&now), mean(&reference));
        Ok(Looked { variant: self.variant, score, reference, reason: format!("{why}, held against {against}"), shown })
    }
}

/// The seed to begin with: the first that as many tasks have marks of as any, so that untouched work is marked as before.
fn first_seed(reference: &[Scorecard]) -> u64 {
    let mut marked: BTreeMap<u64, BTreeSet<&TaskId>> = BTreeMap::new();
    for card in reference {
        marked.entry(card.seed).or_default().extend(card.of(Split::Validation).map(|mark| &mark.task));
    }
    let most = marked.values().map(BTreeSet::len).max();
    marked.iter().find(|(_, tasks)| Some(tasks.len()) == most).map_or(0, |(seed, _)| *seed)
}

impl Looked {
    /// Records it. A drop that counts rolls the variant back at once, and the journal says so.
    pub(crate) fn record(
        self,
        journal: &mut Journal<'_>,
        archive: &dyn Archive,
        target: &dyn Target,
    ) -> Result<Reexamination, EvolveError> {
        let Looked { variant, score, reference, reason, shown } = self;
        // Whoever took it back meanwhile needs nobody to do it again.
        if journal.lineage().standing.last().is_none_or(|standing| standing.variant != variant) {
            return Ok(Reexamination::NothingStands);
        }
        let (dropped, unclear) = (shown == Shown::Dropped, shown == Shown::Nothing);
        let reexamined = Event::Reexamined { variant, score, reference, reason: reason.clone(), dropped, unclear };
        journal.record(&[reexamined])?;
        match shown {
            Shown::NoWorse => return Ok(Reexamination::Stands(reason)),
            Shown::Nothing => return Ok(Reexamination::Unclear(reason)),
            Shown::Dropped => {}
        }
        let (to, commit) = rollback(journal, archive, target, None, &format!("automatic: {reason}"))?;
        Ok(Reexamination::RolledBack(to, commit, reason))
    }
}

/// Examines the promoted variant again. A drop that counts rolls it back at once, and the journal says so.
///
/// It is held against its own marks at promotion where the evaluator is still the same, otherwise against the
/// variant before it, examined now under the new evaluator: marks of different evaluators are never compared.
pub fn reexamine(
    journal: &mut Journal<'_>,
    archive: &dyn Archive,
    target: &dyn Target,
    examiner: &Examiner<'_>,
) -> Result<Reexamination, EvolveError> {
    match Look::at(journal.lineage(), archive, target, examiner.suite)? {
        Err(nothing) => Ok(nothing),
        Ok(look) => look.carry_out(examiner)?.record(journal, archive, target),
    }
}
