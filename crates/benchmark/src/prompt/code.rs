//! Answers that are code: each becomes a file, whose function is called in a cage that holds no expected result.

use meliora_domain::{FileBody, Finished, Genome, GenomePath, Kind, Split, Value};

use super::metric::answer;
use super::rows::Row;
use super::{Answered, PromptSuite};
use crate::json::Json;
use crate::native::{Assignment, Key, Language, Settings, Task};
use crate::suite::NativeSuite;
use crate::{Graded, Job, Order, Scope};

/// Seconds for the calls of one row.
const SECONDS: f64 = 5.0;

/// What a cage must do with the code of answers.
#[derive(Debug)]
pub struct CodeWork {
    /// The job.
    pub job: Job,
    suite: NativeSuite,
}

/// The function, its arguments and results that a row expects.
pub(super) fn calls(expected: &Value) -> Result<(String, Vec<Json>, Vec<Json>), String> {
    let form = "is not as {\"function\": \"f\", \"tests\": [[[1, 2], 3]]}: lists of arguments, each with its result";
    let Value::Map(fields) = expected else { return Err(form.into()) };
    let (Some(Value::Text(function)), Some(Value::List(tests))) = (fields.get("function"), fields.get("tests")) else {
        return Err(form.into());
    };
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
    if inputs.is_empty() || function.is_empty() { Err(form.into()) } else { Ok((function.clone(), inputs, results)) }
}

/// The code in an answer: what stands in its first fence, or all of it.
fn code(text: &str) -> &str {
    let fenced = text.split_once("```").and_then(|(_, rest)| rest.split_once('\n')).map(|(_, code)| code);
    fenced.map_or(text, |code| code.split("```").next().unwrap_or(code))
}

impl PromptSuite {
    /// The work of a cage on these answers; `None` where the metric needs none, or no answer holds any code.
    pub(crate) fn code_work(&self, answers: &[Answered], order: &Order<'_>) -> Option<CodeWork> {
        let (mut genome, mut tasks) = (Genome::new(), Vec::new());
        let mut answers: Vec<&Answered> = answers.iter().collect();
        answers.sort_by_key(|a| a.row);
        for answered in answers {
            let (Some(row), Ok(outputs)) = (self.rows.get(answered.row), &answered.answer) else { continue };
            let said = meliora_prompt::shown(answer(outputs, self.field.as_deref()));
            let path = format!("row{}.py", answered.row);
            genome = genome.with(GenomePath::new(&path).ok()?, FileBody::new(code(&said).as_bytes(), false));
            tasks.push(task(row, path)?);
        }
        if tasks.is_empty() {
            return None;
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
        Some(CodeWork { job, suite })
    }

    /// Enters what the cage left.
    pub(crate) fn settle_code(&self, graded: &mut Graded, work: &CodeWork, finished: &Finished) {
        let (marks, _, _, feedback) = work.suite.grade(&work.job, finished);
        let place = |id: &meliora_domain::TaskId| self.rows.iter().position(|row| row.id == *id);
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

fn task(row: &Row, file: String) -> Option<Task> {
    let (function, inputs, values) = calls(row.expected.as_ref()?).ok()?;
    let assignment = Assignment::Call { file, function, inputs };
    Some(Task {
        id: row.id.clone(),
        split: row.split,
        assignment,
        key: Key::Expect { values, tolerance: None },
        impossible: false,
    })
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
    fn what_a_row_expects_of_code_is_checked() {
        let read = |text: &str| calls(&serde_json::from_str(text).unwrap());
        assert_eq!(read("{\"function\": \"f\", \"tests\": [[[1, 2], 3], [[], null]]}").unwrap().1.len(), 2);
        for text in [
            "1",
            "{\"function\": \"f\"}",
            "{\"function\": \"f\", \"tests\": [[1, 2]]}",
            "{\"function\": \"f\", \"tests\": []}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
