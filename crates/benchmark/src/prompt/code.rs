//! Answers that are code: each becomes a file. Its function is called in a cage that holds no expected result; where the
//! row's tests are a program, that runs in another cage and calls the function through the host.

use std::collections::BTreeMap;

use meliora_domain::{FileBody, Finished, Genome, GenomePath, Kind, MarkStatus, Split, TaskId, Value};

use super::metric::answer;
use super::rows::Row;
use super::{Answered, PromptSuite};
use crate::grade::{Outcome, mark, told};
use crate::json::{Json, quoted};
use crate::native::{Assignment, Key, Language, Settings, Task};
use crate::openevolve::{OpenEvolveSuite, PROGRAM};
use crate::suite::NativeSuite;
use crate::{Graded, Job, Order, Pair, Scope};

/// Seconds for the calls of one row.
const SECONDS: f64 = 5.0;
/// What runs a row's own tests.
const CHECK: &str = include_str!("../../drivers/check.py");

/// All of ours that decides what comes of code.
pub(super) fn drivers() -> impl Iterator<Item = &'static str> {
    [CHECK, crate::work::CALL_PY].into_iter().chain(crate::openevolve::drivers())
}

/// What cages must do with the code of answers.
#[derive(Debug)]
pub struct CodeWork(Work);

#[derive(Debug)]
enum Work {
    /// Calls for many rows, whose results are compared here.
    Calls(Box<(Job, NativeSuite)>),
    /// The tests of one row.
    Check(Box<(Pair, OpenEvolveSuite, usize)>),
}

/// How a [`CodeWork`] is to be run.
#[derive(Clone, Copy, Debug)]
pub enum Cages<'a> {
    /// In one cage.
    One(&'a Job),
    /// In two, with the host between them.
    Two(&'a Pair),
}

/// What a row expects of code.
pub(super) struct Wanted {
    function: String,
    /// Code that stands before the answer.
    before: String,
    tests: Tests,
}

enum Tests {
    /// Arguments and results.
    Calls(Vec<Json>, Vec<Json>),
    /// A Python program with a function `check(candidate)`.
    Check(String),
}

impl Wanted {
    /// Reads what a row expects; `Err` says what is wrong with it.
    pub(super) fn read(expected: &Value) -> Result<Self, String> {
        let form = "is neither as {\"function\": \"f\", \"tests\": [[[1, 2], 3]]}, lists of arguments, each with its result, \
                    nor as {\"function\": \"f\", \"check\": \"def check(candidate): …\"}";
        let Value::Map(fields) = expected else { return Err(form.into()) };
        let text = |name| match fields.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let function = text("function").filter(|name| !name.is_empty()).ok_or(form)?;
        let tests = match (fields.get("tests"), text("check")) {
            (Some(Value::List(tests)), None) if !tests.is_empty() => {
                let (mut inputs, mut results) = (Vec::new(), Vec::new());
                for test in tests {
                    match test {
                        Value::List(pair) if pair.len() == 2 && matches!(pair[0], Value::List(_)) => {
                            inputs.push(super::json(&pair[0]));
                            results.push(super::json(&pair[1]));
                        }
                        _ => return Err(form.into()),
                    }
                }
                Tests::Calls(inputs, results)
            }
            (None, Some(check)) if check.contains("def check(") => Tests::Check(check),
            _ => return Err(form.into()),
        };
        Ok(Wanted { function, before: text("before").unwrap_or_default(), tests })
    }

    /// The program that an answer makes: what stands before it, then the whole function or the rest of it.
    fn program(&self, said: &str) -> String {
        let code = code(said);
        let defines = code.lines().any(|line| {
            let line = line.trim_start().strip_prefix("async ").unwrap_or(line.trim_start());
            line.strip_prefix("def ").is_some_and(|rest| rest.trim_start().starts_with(&*self.function))
        });
        match (self.before.is_empty(), defines) {
            (true, _) => code.to_owned(),
            (false, true) => format!("{}\n\n{code}", self.before.trim_end()),
            (false, false) => format!("{}\n{}", self.before.trim_end(), continued(code)),
        }
    }
}

/// The code in an answer: what stands in its first fence, or all of it.
fn code(text: &str) -> &str {
    let fenced = text.split_once("```").and_then(|(_, rest)| rest.split_once('\n')).map(|(_, code)| code);
    fenced.map_or(text, |code| code.split("```").next().unwrap_or(code))
}

/// The rest of a function, indented as its body is. White space before the first line may have been lost.
fn continued(code: &str) -> String {
    let blank = |line: &str| line.trim().is_empty();
    let inside = |line: &&str| line.starts_with([' ', '\t']);
    let mut lines = code.lines().skip_while(|line| blank(line));
    let Some(first) = lines.next() else { return String::new() };
    let rest: Vec<&str> = lines.collect();
    let lost = !inside(&first) && rest.iter().filter(|line| !blank(line)).all(inside);
    let whole = !inside(&first) && !lost;
    let shifted =
        |line: &str, shift: bool| if shift && !blank(line) { format!("    {line}\n") } else { format!("{line}\n") };
    let mut out = shifted(first, lost || whole);
    rest.iter().for_each(|line| out.push_str(&shifted(line, whole)));
    out
}

impl CodeWork {
    /// How it is to be run. The result is the evaluator's where there are two cages.
    pub fn cages(&self) -> Cages<'_> {
        match &self.0 {
            Work::Calls(calls) => Cages::One(&calls.0),
            Work::Check(check) => Cages::Two(&check.0),
        }
    }
}

impl PromptSuite {
    /// The work of cages on these answers; none where the metric needs none, or no answer holds any code.
    pub(crate) fn code_work(&self, answers: &[Answered], order: &Order<'_>) -> Vec<CodeWork> {
        let (mut genome, mut tasks, mut work) = (Genome::new(), Vec::new(), Vec::new());
        let mut answers: Vec<&Answered> = answers.iter().collect();
        answers.sort_by_key(|a| a.row);
        for answered in answers {
            let (Some(row), Ok(outputs)) = (self.rows.get(answered.row), &answered.answer) else { continue };
            let Some(wanted) = row.expected.as_ref().and_then(|expected| Wanted::read(expected).ok()) else { continue };
            let program = wanted.program(&meliora_prompt::shown(answer(outputs, self.field.as_deref())));
            let body = FileBody::new(program.as_bytes(), false);
            match wanted.tests {
                Tests::Calls(inputs, values) => {
                    let file = format!("row{}.py", answered.row);
                    let Ok(path) = GenomePath::new(&file) else { continue };
                    genome = genome.with(path, body);
                    let assignment = Assignment::Call { file, function: wanted.function, inputs };
                    let key = Key::Expect { values, tolerance: None };
                    tasks.push(Task { id: row.id.clone(), split: row.split, assignment, key, impossible: false });
                }
                Tests::Check(check) => {
                    let Some(python) = self.native.python.clone() else { continue };
                    let Ok(path) = GenomePath::new(PROGRAM) else { continue };
                    let plan = format!(
                        "{{\"function\":{},\"before\":{},\"check\":{}}}",
                        quoted(&wanted.function),
                        quoted(&wanted.before),
                        quoted(&check)
                    );
                    let suite = OpenEvolveSuite::of(CHECK, &plan, SECONDS, self.native.limits.clone(), python);
                    let scope = Scope { splits: &[Split::Validation], seed: seed(row, order), ..Scope::default() };
                    let pair = suite.pair(&Genome::new().with(path, body), &Order { scope, nonce: order.nonce });
                    work.push(CodeWork(Work::Check(Box::new((pair, suite, answered.row)))));
                }
            }
        }
        if tasks.is_empty() {
            return work;
        }
        let suite = NativeSuite {
            settings: Settings { kind: Kind::Exact, seconds: SECONDS, partial: true, fresh: None, work: None },
            tasks,
            files: Default::default(),
            limits: self.native.limits.clone(),
            python: self.native.python.clone(),
            node: None,
            rustc: None,
            language: Some(Language::Python),
        };
        let splits = [Split::Train, Split::Validation, Split::Holdout];
        let scope = Scope { splits: &splits, seed: order.scope.seed, ..Scope::default() };
        let job = suite.work(&genome, &Order { scope, nonce: order.nonce });
        work.push(CodeWork(Work::Calls(Box::new((job, suite)))));
        work
    }

    /// Enters what a cage left.
    pub(crate) fn settle_code(&self, graded: &mut Graded, work: &CodeWork, finished: &Finished) {
        let (marks, feedback) = match &work.0 {
            Work::Calls(calls) => {
                let (marks, _, _, feedback) = calls.1.grade(&calls.0, finished);
                (marks, feedback)
            }
            Work::Check(check) => {
                let (pair, suite, row) = (&check.0, &check.1, check.2);
                let Some(task) = self.native.tasks.get(row) else { return };
                let (found, metrics, _, told_of) = suite.grade(&pair.exam, finished);
                let why = told_of.into_iter().next().map(|told| told.detail).unwrap_or_default();
                let outcome = match found.first() {
                    // Tests that cannot be run are the suite's fault: the mark counts neither way, and says so loudly.
                    Some(_) if metrics.contains_key("broken") => Outcome::failure(MarkStatus::Missing, why),
                    Some(found) => checked(found.status, found.score, why),
                    None => Outcome::failure(MarkStatus::Missing, "its tests gave no result".into()),
                };
                let told = (task.split == Split::Train).then(|| told(task, &outcome, BTreeMap::new()));
                (vec![mark(task, outcome)], told.into_iter().collect())
            }
        };
        let place = |id: &TaskId| self.rows.iter().position(|row| row.id == *id);
        for mark in &marks {
            if let Some(example) = graded.examples.iter_mut().find(|e| e.task == mark.task) {
                example.score = mark.score;
                example.detail.clone_from(&mark.detail);
            }
        }
        graded.scorecard.marks.extend(marks);
        graded.scorecard.marks.sort_by_key(|mark| place(&mark.task));
        graded.feedback.extend(feedback);
        graded.feedback.sort_by_key(|told| place(&told.task));
    }
}

/// The seed of a row, which its tests are given.
fn seed(row: &Row, order: &Order<'_>) -> u64 {
    u64::from(crate::task_seed(&row.id, order.scope.seed))
}

/// What tests of a row's own come to: all or nothing.
fn checked(status: MarkStatus, score: f64, detail: String) -> Outcome {
    match status {
        MarkStatus::Passed if score >= 1.0 => {
            Outcome { status, score: 1.0, detail: "passed its tests".into(), brief: String::new() }
        }
        MarkStatus::Passed | MarkStatus::Failed => {
            let brief = "failed its tests".to_owned();
            let detail = if detail.is_empty() { brief.clone() } else { detail };
            Outcome { status: MarkStatus::Failed, score: 0.0, detail, brief }
        }
        // Where the tests raise, the words may hold what they expect.
        status => Outcome { status, score: 0.0, detail, brief: "failed its tests".into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_taken_out_of_its_fence() {
        assert_eq!(code("Here:\n```python\nx = 1\n```\nDone."), "x = 1\n");
        assert_eq!(code("x = 1"), "x = 1");
    }

    #[test]
    fn an_answer_is_a_whole_function_or_the_rest_of_one() {
        let wanted = |text: &str| Wanted::read(&serde_json::from_str(text).unwrap()).ok().unwrap();
        let row = wanted(
            "{\"function\": \"f\", \"before\": \"import os\\n\\ndef f(a):\\n    '''x'''\\n\", \"check\": \"def check(c): 0\"}",
        );
        let begun = "import os\n\ndef f(a):\n    '''x'''\n";
        for (said, whole) in [
            ("```python\ndef f(a):\n    return 1\n```", format!("{begun}\ndef f(a):\n    return 1\n")),
            ("    b = a\n    return b", format!("{begun}    b = a\n    return b\n")),
            ("b = a\n    return b", format!("{begun}    b = a\n    return b\n")),
            ("if a:\n    return 1\nreturn 2", format!("{begun}    if a:\n        return 1\n    return 2\n")),
            ("return 1", format!("{begun}    return 1\n")),
        ] {
            assert_eq!(row.program(said), whole, "{said}");
        }
        assert_eq!(wanted("{\"function\": \"f\", \"tests\": [[[], 1]]}").program("x = 1"), "x = 1");
    }

    #[test]
    fn what_a_row_expects_of_code_is_checked() {
        let read = |text: &str| Wanted::read(&serde_json::from_str(text).unwrap()).map(|_| ());
        assert_eq!(read("{\"function\": \"f\", \"tests\": [[[1, 2], 3], [[], null]]}"), Ok(()));
        assert_eq!(read("{\"function\": \"f\", \"check\": \"def check(candidate):\\n    pass\"}"), Ok(()));
        for text in [
            "1",
            "{\"function\": \"f\"}",
            "{\"function\": \"f\", \"tests\": [[1, 2]]}",
            "{\"function\": \"f\", \"tests\": []}",
            "{\"function\": \"f\", \"check\": \"assert f\"}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
