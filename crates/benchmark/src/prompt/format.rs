//! Forms in which known benchmarks come: which column is the question, and what is expected.

use meliora_domain::{Fields, Value};
use serde::Deserialize;

use super::metric::Metric;
use crate::SuiteError;
use crate::folder::error;

/// A form of rows.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Chen et al. 2021: `task_id`, `prompt`, `entry_point`, `test`; the solution in the file is dropped.
    HumanEval,
    /// Cobbe et al. 2021: `question`, and an `answer` that ends in `#### 42`.
    Gsm8k,
}

impl Format {
    /// How its answers are marked, if the suite says nothing else.
    pub(crate) fn metric(self) -> Metric {
        match self {
            Format::HumanEval => Metric::Tests {},
            Format::Gsm8k => Metric::Number { tolerance: 1e-6 },
        }
    }

    /// A row of it as a row of ours: an id where it has one, inputs, `expected`, and the split if it stands there.
    pub(crate) fn row(self, place: &str, mut fields: Fields) -> Result<Fields, SuiteError> {
        let hint = match self {
            Format::HumanEval => "such rows have task_id, prompt, entry_point and test, as in HumanEval.jsonl",
            Format::Gsm8k => "such rows have question, and an answer that ends in `#### 42`",
        };
        let mut take = |name: &str| match fields.remove(name) {
            Some(Value::Text(text)) => Ok(text),
            Some(other) => Err(error(format!("{place}: '{name}' is {}, not a text", other.kind()), hint)),
            None => Err(error(format!("{place}: the row has no '{name}'"), hint)),
        };
        let (id, input, expected) = match self {
            Format::HumanEval => {
                let (id, prompt) = (take("task_id")?, take("prompt")?);
                let expected =
                    [("function", take("entry_point")?), ("before", prompt.clone()), ("check", take("test")?)];
                let expected: Fields = expected.into_iter().map(|(name, text)| (name, Value::Text(text))).collect();
                (Some(id), ("prompt", prompt), Value::Map(expected))
            }
            Format::Gsm8k => {
                let (question, answer) = (take("question")?, take("answer")?);
                let number = answer.rsplit_once("####").map(|(_, number)| number.trim().replace(',', ""));
                let number = number
                    .filter(|text| !text.is_empty())
                    .ok_or_else(|| error(format!("{place}: the answer has no `####` before its number"), hint))?;
                (None, ("question", question), Value::Text(number))
            }
        };
        let mut row = Fields::from_iter([(input.0, Value::Text(input.1)), ("expected", expected)]);
        let id = id.map(Value::Text).or_else(|| fields.remove("id"));
        for (name, value) in [("id", id), ("split", fields.remove("split"))] {
            if let Some(value) = value {
                row.set(name, value);
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(format: Format, text: &str) -> Result<Fields, SuiteError> {
        format.row("a.jsonl:1", serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_solution_is_no_input_and_what_is_expected_is_found() {
        let text = "{\"task_id\": \"H/0\", \"prompt\": \"def f():\\n\", \"entry_point\": \"f\", \
                    \"canonical_solution\": \"    return 1\", \"test\": \"def check(candidate):\\n    assert candidate()\"}";
        let human = row(Format::HumanEval, text).unwrap();
        assert_eq!(human.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["prompt", "expected", "id"]);
        assert!(Metric::Tests {}.takes(human.get("expected").unwrap()).is_ok());

        let grade = row(Format::Gsm8k, "{\"question\": \"q\", \"answer\": \"so 1 + 1\\n#### 1,234\"}").unwrap();
        assert_eq!(grade.get("expected"), Some(&Value::from("1234")));
        for (format, text, what) in [
            (Format::Gsm8k, "{\"question\": \"q\", \"answer\": \"12\"}", "no `####`"),
            (Format::Gsm8k, "{\"question\": 1}", "'question' is"),
            (Format::HumanEval, "{\"task_id\": \"a\"}", "no 'prompt'"),
        ] {
            assert!(row(format, text).unwrap_err().what.contains(what), "{what}");
        }
    }
}
