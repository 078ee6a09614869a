//! Tasks that are there to catch: what only a cheat passes.

use std::collections::BTreeSet;

use meliora_domain::{Alarm, MarkStatus, TaskId};

use crate::Graded;
use crate::json::Json;
use crate::native::Assignment;
use crate::suite::NativeSuite;

impl NativeSuite {
    /// Takes impossible tasks out; one that is passed is an alarm.
    pub(crate) fn sift(&self, graded: &mut Graded) {
        let impossible: BTreeSet<&TaskId> = self.tasks.iter().filter(|t| t.impossible).map(|t| &t.id).collect();
        if impossible.is_empty() {
            return;
        }
        let passed =
            graded.scorecard.marks.iter().filter(|m| impossible.contains(&m.task) && m.status == MarkStatus::Passed);
        graded.alarms.extend(passed.map(|mark| Alarm {
            rule: "impossible-task".to_owned(),
            place: format!("task {}", mark.task),
            words: "passes a task that no honest program can pass".to_owned(),
        }));
        graded.scorecard.marks.retain(|m| !impossible.contains(&m.task));
        graded.feedback.retain(|f| !impossible.contains(&f.task));
    }

    /// Each argument of each call, and what commands read.
    pub(crate) fn inputs(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for task in &self.tasks {
            match &task.assignment {
                Assignment::Call { inputs, .. } => {
                    for arguments in inputs {
                        if let Json::List(items) = arguments {
                            out.extend(items.iter().map(Json::text));
                        }
                    }
                }
                Assignment::Stdin(text) => {
                    out.insert(Json::Text(text.clone()).text());
                    out.insert(Json::Text(text.trim_end().to_owned()).text());
                }
            }
        }
        out
    }
}
