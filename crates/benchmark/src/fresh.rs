//! New inputs: a program of the suite makes tasks anew, so that answers to the declared ones alone are seen to be that.
//!
//! It prints lines as in `tasks.jsonl`. What is made is a suite of its own, whose marks decide nothing.

use std::collections::BTreeSet;

use meliora_domain::{Digest, Finished, Split, TaskId};

use crate::frame::Ticket;
use crate::native::{self, Assignment};
use crate::suite::NativeSuite;
use crate::{Job, task_seed};

impl NativeSuite {
    /// What a cage must do to make tasks anew; `None` where the suite has no program for it.
    pub(crate) fn fresh_work(&self, evaluator: &Digest, seed: u64, nonce: &str) -> Option<Job> {
        let (program, python) = (self.settings.fresh.as_ref()?, self.python.as_ref()?);
        // Nobody who has not read the keys can foresee it, and a step that is done anew has the same.
        let seed = task_seed(&TaskId(evaluator.to_string()), seed);
        let ticket = Ticket { nonce: nonce.to_owned(), ..Ticket::default() };
        Some(self.program_job(python, program, (seed, &format!("{{\"seed\":{seed}}}")), ticket))
    }

    /// The suite of the tasks that were made. `Err` says what is wrong with them.
    pub(crate) fn refreshed(&self, job: &Job, finished: &Finished) -> Result<Self, String> {
        let program = self.settings.fresh.as_deref().unwrap_or_default();
        let wrong = |why: String| format!("{program}, which makes new inputs, {why}");
        let (said, _) = Self::printed(&job.ticket, finished).map_err(wrong)?;
        let tasks = native::tasks(&said, self.settings.work.is_some(), &self.files);
        let tasks = tasks.map_err(|e| wrong(format!("printed what is no task: {}", e.what)))?;
        for task in &tasks {
            let same = self.tasks.iter().find(|declared| declared.id == task.id).is_some_and(|declared| {
                let asked = match (&declared.assignment, &task.assignment) {
                    (Assignment::Call { file: a, function: f, .. }, Assignment::Call { file: b, function: g, .. }) => {
                        (a, f) == (b, g)
                    }
                    (Assignment::Stdin(_), Assignment::Stdin(_)) => true,
                    _ => false,
                };
                asked && declared.split == Split::Validation && task.split == Split::Validation
            });
            if !same || task.impossible {
                return Err(wrong(format!("made the task '{}', which is no validation task of the suite", task.id)));
            }
        }
        let mut fresh = NativeSuite { tasks, ..self.clone() };
        fresh.settings.partial = true;
        Ok(fresh)
    }

    /// How many inputs a task has; 0 if there is no such task.
    pub(crate) fn inputs_of(&self, id: &TaskId) -> usize {
        let task = self.tasks.iter().find(|task| task.id == *id);
        task.map_or(0, |task| match &task.assignment {
            Assignment::Call { inputs, .. } => inputs.len(),
            Assignment::Stdin(_) => 1,
        })
    }

    /// Whether a file of the suite must stay out of a subject's sight.
    pub(crate) fn hidden(&self) -> BTreeSet<&str> {
        self.settings.fresh.as_deref().into_iter().chain(["tasks.jsonl", "suite.toml"]).collect()
    }
}
