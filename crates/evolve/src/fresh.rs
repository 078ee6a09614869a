//! New inputs: what was accepted is tried, beside its parent, on tasks that were made for it alone.

use std::collections::{BTreeMap, BTreeSet};

use meliora_benchmark::Scope;
use meliora_constitution::Lawful;
use meliora_domain::{Alarm, Cost, Mark, MarkStatus, Scorecard, Split, TaskId};

use crate::brief::Errand;
use crate::error::EvolveError;
use crate::examine::{Means, examine, fresh};
use crate::port::CageSpec;
use crate::student::Purse;
use crate::work::{Outcome, Workshop};

/// Examinations that it takes: of the variant and of its parent.
const EXAMINATIONS: u64 = 2;

impl Workshop<'_> {
    /// Whether what it won is there on new inputs of the same tasks, where its suite can make them: in words, and as alarms.
    /// It counts as two evaluations. The marks decide nothing else and are not kept.
    pub(crate) fn on_new_inputs(
        &self,
        errand: &Errand,
        lawful: &Lawful,
        outcome: &mut Outcome,
        purse: &Purse,
    ) -> Result<(String, Vec<Alarm>), EvolveError> {
        let said = |text: String| Ok((text, Vec::new()));
        let (suite, means) = (self.setup.suite, self.means());
        let Some(job) = suite.fresh(errand.seed, &fresh(means.nonce)) else { return said(String::new()) };
        let rivals = outcome.rivals.iter().filter(|(id, _)| *id == errand.parents[0]).map(|(_, card)| card);
        let before = passed(errand.cards.iter().map(|card| &**card).chain(rivals));
        let mut won = passed(outcome.cards.iter());
        won.retain(|task| !before.contains(task));
        if won.is_empty() {
            return said(String::new());
        }
        if let Err(over) = self.budget.reserve(Cost::evals(EXAMINATIONS)) {
            return said(format!("; not tried on new inputs, for the budget of {over} leaves nothing for it"));
        }
        outcome.extra_reserved += EXAMINATIONS;
        outcome.answers += Cost::evals(EXAMINATIONS);
        let made = match means.run(&|| CageSpec::exam(suite), &job)? {
            Ok(finished) => suite.refreshed(&job, &finished).map_err(|e| e.what),
            Err(why) => Err(why),
        };
        let made = match made {
            Ok(made) => made,
            Err(why) => return said(format!("; not tried on new inputs: {why}")),
        };
        let tasks: Vec<TaskId> = made.tasks(Split::Validation).into_iter().filter(|task| won.contains(task)).collect();
        if tasks.is_empty() {
            return said(String::new());
        }
        let Some(parent) = self.review(&errand.genome) else { return said(String::new()) };
        let scope = Scope { splits: &[Split::Validation], tasks: &tasks, ..Scope::default() };
        let means = Means { suite: &made, ..means };
        let mark = |subject: &Lawful| Ok::<_, EvolveError>(marks(&examine(&means, subject, &scope, purse)?.scorecard));
        let (now, was) = (mark(lawful)?, mark(&parent)?);
        let (mut declared, mut right, mut parents, mut all) = (0, 0, 0, 0);
        for (task, score) in now {
            let (Some(other), inputs) = (was.get(&task), made.inputs_of(&task)) else { continue };
            let count = |score: f64| (score * inputs as f64).round() as u64;
            declared += suite.inputs_of(&task) as u64;
            (right, parents, all) = (right + count(score), parents + count(*other), all + inputs as u64);
        }
        let alarms = self.setup.vigilance.of_fresh(declared, right, parents, all);
        Ok((format!("; on new inputs of what it won, {right} of {all} are right, and {parents} of its parent"), alarms))
    }
}

/// The validation tasks whose newest mark that counts is a pass.
fn passed<'c>(cards: impl Iterator<Item = &'c Scorecard>) -> BTreeSet<TaskId> {
    let marks = cards.flat_map(|card| card.of(Split::Validation)).filter(|mark| mark.status != MarkStatus::Missing);
    let newest: BTreeMap<&TaskId, &Mark> = marks.map(|mark| (&mark.task, mark)).collect();
    newest.into_iter().filter(|(_, mark)| mark.status == MarkStatus::Passed).map(|(task, _)| task.clone()).collect()
}

fn marks(card: &Scorecard) -> BTreeMap<TaskId, f64> {
    let counted = card.of(Split::Validation).filter(|mark| mark.status != MarkStatus::Missing);
    counted.map(|mark| (mark.task.clone(), mark.score)).collect()
}
