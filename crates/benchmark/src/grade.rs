//! Reads what work jobs left, compares it with the keys on the host, and writes marks and feedback.

use std::collections::BTreeMap;

use meliora_domain::{Feedback, Finished, Mark, MarkStatus, Split};

use crate::frame::{self, End, Frame, Ticket, head};
use crate::json::{Json, same};
use crate::native::{Assignment, Key, Task};
use crate::suite::NativeSuite;
use crate::work::canary;
use crate::{Exam, Job};

/// Marks, figures, exams that are still to run, feedback.
pub(crate) type Parts = (Vec<Mark>, BTreeMap<String, f64>, Vec<Exam>, Vec<Feedback>);

/// Longest detail, in characters.
const DETAIL: usize = 600;

/// What came of a task before any exam.
pub(crate) enum Result {
    /// It is decided.
    Final(Outcome),
    /// The suite's checker must look at these outputs.
    Exam(Json),
}

/// A task's mark in the making.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: MarkStatus,
    pub(crate) score: f64,
    /// In words, with inputs and expected results: for train tasks only.
    pub(crate) detail: String,
    /// In words that tell nothing of the key: for the other splits.
    pub(crate) brief: String,
}

impl Outcome {
    pub(crate) fn failure(status: MarkStatus, detail: String) -> Self {
        Outcome { status, score: 0.0, brief: head(&detail, DETAIL), detail }
    }
}

impl NativeSuite {
    /// Grades a work job.
    pub(crate) fn grade(&self, job: &Job, finished: &Finished) -> Parts {
        let ticket = &job.ticket;
        let mut frames = frame::frames(&finished.stdout, ticket);
        let (mut marks, mut exams, mut feedback) = (Vec::new(), Vec::new(), Vec::new());
        // Marks come in the suite's order, whatever the order of the work.
        let mut order: Vec<(usize, &usize)> = ticket.tasks.iter().enumerate().collect();
        order.sort_by_key(|(_, index)| **index);
        for (position, index) in order {
            let Some(task) = self.tasks.get(*index) else { continue };
            let found = frames.remove(&position);
            let lines = found.as_ref().map(|f| lines(f, ticket)).unwrap_or_default();
            let result = match (found, &task.assignment) {
                (None, _) => {
                    let (status, detail) = frame::of_ending(finished.ending, &finished.stderr);
                    Result::Final(Outcome::failure(status, detail))
                }
                (Some(frame), Assignment::Call { .. }) => self.grade_call(task, &frame, ticket.budget),
                (Some(frame), Assignment::Stdin(_)) => {
                    self.grade_stdout(task, &frame, canary(&ticket.nonce, position), ticket.budget)
                }
            };
            match result {
                Result::Exam(outputs) => exams.push(self.exam(task, *index, &outputs, ticket, lines)),
                Result::Final(outcome) => {
                    if task.split == Split::Train {
                        feedback.push(told(task, &outcome, lines));
                    }
                    marks.push(mark(task, outcome));
                }
            }
        }
        (marks, BTreeMap::new(), exams, feedback)
    }

    /// What the only call of a job returned; `Err` says how it failed.
    pub(crate) fn returned(&self, job: &Job, finished: &Finished) -> std::result::Result<Json, String> {
        let Some(frame) = frame::frames(&finished.stdout, &job.ticket).remove(&0) else {
            return Err(frame::of_ending(finished.ending, &finished.stderr).1);
        };
        match answers(&frame.said, 1) {
            (_, Some(load)) => Err(load),
            (answers, None) => match answers.into_iter().next() {
                Some(Answer::Value(value)) => Ok(value),
                Some(Answer::Unfit(why) | Answer::Raised(why)) => Err(why),
                None => Err(frame.end.failure(self.settings.seconds, job.ticket.budget).1),
            },
        }
    }

    fn grade_call(&self, task: &Task, frame: &Frame, budget: f64) -> Result {
        let Assignment::Call { function, inputs, .. } = &task.assignment else {
            unreachable!("only tasks that call a function are graded as calls")
        };
        let (answers, load) = answers(&frame.said, inputs.len());
        if let Some(error) = load {
            let brief = format!("could not be loaded: {}", error.lines().next().unwrap_or_default());
            return Result::Final(Outcome {
                status: MarkStatus::Crashed,
                score: 0.0,
                detail: head(&error, DETAIL),
                brief: head(&brief, DETAIL),
            });
        }
        let whole = frame.end == End::Done && answers.len() == inputs.len();
        let checked = matches!(task.key, Key::Check { .. });
        if checked && whole && answers.iter().all(|a| matches!(a, Answer::Value(_))) {
            let outputs = answers.into_iter().map(|a| if let Answer::Value(v) = a { v } else { Json::Null });
            return Result::Exam(Json::List(outputs.collect()));
        }
        let right = |i: usize, answer: &Answer| match (&task.key, answer) {
            (Key::Expect { values, tolerance }, Answer::Value(got)) => same(&values[i], got, *tolerance),
            // A checked task comes here only to say which answer could not be checked.
            (Key::Check { .. }, Answer::Value(_)) => true,
            _ => false,
        };
        let rights: Vec<bool> = answers.iter().enumerate().map(|(i, a)| right(i, a)).collect();
        let count = rights.iter().filter(|r| **r).count();
        if whole && count == inputs.len() {
            return Result::Final(Outcome {
                status: MarkStatus::Passed,
                score: 1.0,
                detail: String::new(),
                brief: String::new(),
            });
        }
        let mut detail = String::new();
        let mut status = MarkStatus::Failed;
        if let Some(i) = rights.iter().position(|r| !r) {
            let call = call_text(function, &inputs[i]);
            let expected = match &task.key {
                Key::Expect { values, .. } => format!(": expected {}", head(&values[i].text(), 160)),
                _ => String::new(),
            };
            let got = match &answers[i] {
                Answer::Value(got) => format!("got {}", head(&got.text(), 160)),
                Answer::Unfit(what) => what.clone(),
                Answer::Raised(what) => {
                    status = MarkStatus::Crashed;
                    format!("raised {what}")
                }
            };
            detail = format!("{call}{expected}, {got}");
        }
        let mut brief = format!("{count} of {} inputs right", inputs.len());
        if !whole {
            let (early, why) = frame.end.failure(self.settings.seconds, budget);
            status = early;
            brief = format!("{why}; {brief}");
            let stuck = inputs.get(answers.len()).map_or_else(|| function.clone(), |i| call_text(function, i));
            if !detail.is_empty() {
                detail.push('\n');
            }
            detail.push_str(&format!("{stuck}: {why}"));
        }
        let score = if self.settings.partial { count as f64 / inputs.len() as f64 } else { 0.0 };
        Result::Final(Outcome { status, score, detail: head(&detail, DETAIL), brief })
    }
}

fn call_text(function: &str, arguments: &Json) -> String {
    let text = arguments.text();
    let inside = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(&text);
    format!("{function}({})", head(inside, 160))
}

/// What the subject answered to one input.
enum Answer {
    Value(Json),
    Unfit(String),
    Raised(String),
}

/// Reads the child's lines, at most `most` answers; a load error stands alone.
fn answers(said: &str, most: usize) -> (Vec<Answer>, Option<String>) {
    let mut answers = Vec::new();
    for line in said.lines() {
        let Some((kind, rest)) = line.split_once(' ') else { continue };
        let text = || match Json::read(rest) {
            Ok(Json::Text(text)) => text,
            _ => "something unreadable".to_owned(),
        };
        match kind {
            "l" if answers.is_empty() => return (answers, Some(text())),
            "v" => answers.push(match Json::read(rest) {
                Ok(value) => Answer::Value(value),
                Err(why) => Answer::Unfit(format!("returned what cannot be read: {why}")),
            }),
            "o" => answers.push(Answer::Unfit(text())),
            "e" => answers.push(Answer::Raised(text())),
            _ => {}
        }
        if answers.len() == most {
            break;
        }
    }
    (answers, None)
}

fn lines(frame: &Frame, ticket: &Ticket) -> BTreeMap<String, Vec<u32>> {
    let name = |file: usize| ticket.files.get(file).cloned();
    frame.lines.iter().filter_map(|(file, lines)| Some((name(*file)?, lines.clone()))).collect()
}

/// The mark of a task. Only train marks tell inputs and expected results.
pub(crate) fn mark(task: &Task, outcome: Outcome) -> Mark {
    let detail = if task.split == Split::Train { outcome.detail } else { outcome.brief };
    Mark { task: task.id.clone(), split: task.split, status: outcome.status, score: outcome.score, detail }
}

/// What a proposer may know of a train task. A passing call is told too: it is an example of what is right.
pub(crate) fn told(task: &Task, outcome: &Outcome, lines: BTreeMap<String, Vec<u32>>) -> Feedback {
    let passed = outcome.status == MarkStatus::Passed;
    let detail = match (&task.assignment, &task.key) {
        (Assignment::Call { function, inputs, .. }, Key::Expect { values, .. }) if passed && !inputs.is_empty() => {
            format!("{}: expected {}, and got it", call_text(function, &inputs[0]), head(&values[0].text(), 160))
        }
        _ => outcome.detail.clone(),
    };
    Feedback { task: task.id.clone(), passed, detail, lines }
}
