//! Tasks that are there to catch: what only a cheat passes.

use std::collections::BTreeSet;

use meliora_domain::{Alarm, Finished, MarkStatus, TaskId};

use crate::frame::{self, End};
use crate::json::Json;
use crate::native::{Assignment, Task};
use crate::suite::NativeSuite;
use crate::work::canary;
use crate::{Graded, Job};

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

    /// Whether the driver ran to its end wherever all answers are there. It says its canary after them; another mark, or
    /// an end of the process in good order without one, is somebody's who answered in its place. So is, where a suite's own
    /// command has a canary, an output without it of a command that ended in good order.
    pub(crate) fn forged(&self, job: &Job, finished: &Finished) -> Vec<Alarm> {
        let ticket = &job.ticket;
        let of = |position: usize| self.tasks.get(*ticket.tasks.get(position)?);
        let mut alarms = Vec::new();
        for (position, frame) in frame::frames(&finished.stdout, ticket) {
            let Some(Task { id, assignment, .. }) = of(position) else { continue };
            let canary = canary(&ticket.nonce, position);
            let forged = match assignment {
                Assignment::Call { inputs, .. } => {
                    let mark = format!(". {canary}");
                    let marks: Vec<&str> = frame.said.lines().filter(|line| line.starts_with('.')).collect();
                    let answers = frame.said.lines().filter(|line| line.starts_with(['v', 'o', 'e'])).count();
                    let left_early = marks.is_empty() && answers >= inputs.len() && frame.end == End::Exit(0);
                    left_early || marks.iter().any(|said| *said != mark)
                }
                Assignment::Stdin(_) => {
                    let (said, ended) = self.told(&frame, canary);
                    !ended && frame.end == End::Done && !said.trim().is_empty()
                }
            };
            if forged {
                alarms.push(Alarm {
                    rule: "canary".to_owned(),
                    place: format!("task {id}"),
                    words: "gave answers, and the examination did not come to its end after them".to_owned(),
                });
            }
        }
        alarms
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
