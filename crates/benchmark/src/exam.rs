//! Exams: the suite's own checker against what the subject left, in a cage that the subject's code never enters.

use std::collections::BTreeMap;
use std::time::Duration;

use meliora_domain::{Finished, MarkStatus, Split};

use crate::frame::{self, End, Ticket, tail};
use crate::grade::{Outcome, mark, told};
use crate::json::{Json, quoted};
use crate::native::{Assignment, Key, Task};
use crate::suite::NativeSuite;
use crate::work::{START, block, environment, file, mounts, python_argv};
use crate::{Exam, Graded, Job, Tool};

/// The driver of checkers.
pub(crate) const EXAM_PY: &str =
    concat!(include_str!("../drivers/common.py"), "\n\n", include_str!("../drivers/exam.py"));

/// Where it lies in the cage.
pub(crate) const EXAM: &str = "/work/driver/exam.py";
/// A checker is the suite's own code: it may take this long, whatever a task of the subject may take.
const SECONDS: f64 = 30.0;

impl NativeSuite {
    /// The exam of a task, from the subject's outputs.
    pub(crate) fn exam(
        &self,
        task: &Task,
        index: usize,
        outputs: &Json,
        work: &Ticket,
        lines: BTreeMap<String, Vec<u32>>,
    ) -> Exam {
        let (Key::Check { program, data }, Some(python)) = (&task.key, &self.python) else {
            unreachable!("loading a suite with checkers made sure that there is a Python")
        };
        let asked = match &task.assignment {
            Assignment::Call { inputs, .. } => ("inputs", Json::List(inputs.clone())),
            Assignment::Stdin(text) => ("stdin", Json::Text(text.clone())),
        };
        let exam = format!(
            "{{{}:{},\"outputs\":{},\"data\":{}}}",
            quoted(asked.0),
            asked.1.text(),
            outputs.text(),
            data.text()
        );
        let ticket = Ticket { nonce: work.nonce.clone(), tasks: vec![index], lines, ..Ticket::default() };
        let job = self.program_job(python, program, (crate::task_seed(&task.id, work.seed), &exam), ticket);
        Exam { task: task.id.clone(), job }
    }

    /// What a cage must do to run a program of the suite's folder on this text.
    pub(crate) fn program_job(&self, python: &Tool, program: &str, (seed, text): (u32, &str), ticket: Ticket) -> Job {
        let modules: Vec<String> = python.modules.iter().map(|m| quoted(&m.to_string_lossy())).collect();
        let plan = format!(
            "{{\"program\":{},\"seed\":{seed},\"seconds\":{SECONDS},\"modules\":[{}],\"exam\":{}}}",
            quoted(program),
            modules.join(","),
            quoted(text),
        );
        let mut files = vec![file(EXAM, EXAM_PY.as_bytes())];
        // The checker may read files of the suite; tasks and their keys are none of its business.
        let hidden = ["suite.toml", "tasks.jsonl"];
        for (name, bytes) in self.files.iter().filter(|(name, _)| !hidden.contains(&name.as_str())) {
            files.push(crate::CageFile {
                path: format!("/work/suite/{name}"),
                bytes: bytes.clone(),
                executable: false,
            });
        }
        let mut limits = self.limits.clone();
        limits.wall = Duration::from_secs_f64(SECONDS + START);
        limits.disk = limits.disk.saturating_add(files.iter().map(|f| f.bytes.len() as u64).sum());
        Job {
            files,
            argv: python_argv(python, EXAM),
            cwd: "/work/suite".to_owned(),
            stdin: format!("{}{}\n", block(&plan), ticket.nonce).into_bytes(),
            limits,
            read_only: mounts(python),
            env: environment(),
            ticket: Ticket { budget: SECONDS, ..ticket },
        }
    }

    /// What such a program printed; `Err` says what became of it instead.
    pub(crate) fn printed(ticket: &Ticket, finished: &Finished) -> std::result::Result<(String, String), String> {
        let Some(Json::Map(fields)) = frame::framed(&finished.stdout, &ticket.nonce).into_iter().next() else {
            return Err(format!("left no verdict: {}", frame::of_ending(finished.ending, &finished.stderr).1));
        };
        let text = |key: &str| if let Some(Json::Text(text)) = fields.get(key) { text.as_str() } else { "" };
        let code = fields.get("code").and_then(frame::whole).unwrap_or(0);
        let error = tail(text("error"), 300);
        let end = match text("end") {
            "done" => End::Done,
            "time" => End::Time,
            "signal" => End::Signal(code),
            _ => End::Exit(code),
        };
        match end {
            End::Done => Ok((text("said").trim().to_owned(), error)),
            end => Err(format!("{}: {error}", end.failure(SECONDS, SECONDS).1)),
        }
    }

    /// Enters an exam's result, at the task's place in the suite's order.
    pub(crate) fn settle(&self, graded: &mut Graded, exam: &Exam, finished: &Finished) {
        let place = |id: &meliora_domain::TaskId| self.tasks.iter().position(|t| t.id == *id);
        let Some(task) = place(&exam.task).map(|index| &self.tasks[index]) else { return };
        self.enter(graded, exam, self.verdict(task, &exam.job.ticket, finished), finished.seconds);
    }

    /// Enters what came of an exam, at the task's place in the suite's order, unless it was entered already.
    pub(crate) fn enter(&self, graded: &mut Graded, exam: &Exam, outcome: Outcome, seconds: f64) {
        let place = |id: &meliora_domain::TaskId| self.tasks.iter().position(|t| t.id == *id);
        let Some(index) = place(&exam.task) else { return };
        if graded.scorecard.marks.iter().any(|m| m.task == exam.task) {
            return;
        }
        let task = &self.tasks[index];
        if task.split == Split::Train {
            let told = told(task, &outcome, exam.job.ticket.lines.clone());
            let at = graded.feedback.iter().take_while(|f| place(&f.task) < Some(index)).count();
            graded.feedback.insert(at, told);
        }
        let at = graded.scorecard.marks.iter().take_while(|m| place(&m.task) < Some(index)).count();
        graded.scorecard.marks.insert(at, mark(task, outcome));
        graded.scorecard.seconds += seconds;
        graded.exams.retain(|e| e.task != exam.task);
    }

    fn verdict(&self, task: &Task, ticket: &Ticket, finished: &Finished) -> Outcome {
        let Key::Check { program, .. } = &task.key else { unreachable!("only tasks with a checker have exams") };
        // Whatever goes wrong here is the suite's fault: the mark does not count, and says so loudly.
        let broken = |why: String| Outcome::failure(MarkStatus::Missing, format!("the checker {program} {why}"));
        let (said, error) = match Self::printed(ticket, finished) {
            Ok(printed) => printed,
            Err(why) => return broken(why),
        };
        match verdict_line(&said) {
            Ok((score, detail)) => {
                let passed = score >= 1.0;
                let status = if passed { MarkStatus::Passed } else { MarkStatus::Failed };
                let score = if passed || self.settings.partial { score } else { 0.0 };
                Outcome { status, score, detail: frame::head(&detail, 600), brief: format!("checked: {score}") }
            }
            Err(why) => broken(format!("{why}; it printed {:?} {error}", frame::head(&said, 200))),
        }
    }
}

/// Reads `{"score": 0..1, "detail": "…"}`, the last line of what the checker printed.
pub(crate) fn verdict_line(said: &str) -> Result<(f64, String), String> {
    let line = said.lines().last().unwrap_or_default();
    let value = Json::read(line).map_err(|why| format!("printed no JSON: {why}"))?;
    let Json::Map(fields) = value else { return Err("printed no object".to_owned()) };
    let score = match fields.get("score") {
        Some(number @ (Json::Int(_) | Json::Float(_))) => crate::json::float(number),
        _ => return Err("gave no number as 'score'".to_owned()),
    };
    if !(0.0..=1.0).contains(&score) {
        return Err(format!("gave the score {score}, which is not between 0 and 1"));
    }
    match fields.get("detail") {
        None => Ok((score, String::new())),
        Some(Json::Text(detail)) => Ok((score, detail.clone())),
        Some(_) => Err("gave a 'detail' that is no text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::verdict_line;

    #[test]
    fn a_checkers_garbage_is_no_score() {
        assert_eq!(verdict_line("note\n{\"score\": 0.5, \"detail\": \"x\"}"), Ok((0.5, "x".to_owned())));
        for bad in [
            "",
            "1",
            "{}",
            "{\"score\": NaN}",
            "{\"score\": true}",
            "{\"score\": 1.5}",
            "{\"score\": -0.1}",
            "{\"score\": 1, \"detail\": 2}",
        ] {
            assert!(verdict_line(bad).is_err(), "{bad}");
        }
    }
}
