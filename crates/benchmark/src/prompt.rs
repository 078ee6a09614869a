//! Prompt suites: rows of inputs and what is expected, and a metric. Whoever runs the program gives the answers back.
//!
//! No row's expectation leaves this room, but on train rows as what proposers are told.

mod code;
mod command;
mod format;
mod judge;
mod metric;
mod rows;
mod schema;
mod tool;

use std::collections::BTreeMap;

use meliora_domain::{Call, Digest, Example, Fields, Finished, Kind, Limits, MarkStatus, Split, TaskId, Value};
use serde::Deserialize;

use crate::folder::{Files, error};
use crate::frame::{Ticket, head};
use crate::grade::{Outcome, Parts, mark, told};
use crate::json::Json;
use crate::native::{Assignment, Key, Settings, Task};
use crate::suite::{self, NativeSuite};
use crate::{Exam, Graded, Order, Scope, SuiteError, SuiteSource, Tool, Toolbox};

pub use code::{Cages, CodeWork};
pub use judge::{Assessed, Rubric};
pub use tool::ToolWork;

use format::Format;
use metric::{Metric, Scored, answer};
use rows::{OWN, Row, Shares};

/// What `suite.toml` of a prompt suite says.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct PromptSettings {
    kind: Kind,
    prompt: Section,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Section {
    /// One file with all rows.
    data: Option<String>,
    /// Or one for each split.
    train: Option<String>,
    validation: Option<String>,
    holdout: Option<String>,
    /// How rows without a split are dealt out.
    split: Option<Shares>,
    /// The columns that a plain prompt is given; all that are inputs if absent.
    #[serde(default)]
    inputs: Vec<String>,
    /// The column with what is expected, if it is not `expected`.
    expected: Option<String>,
    /// The benchmark whose form the rows have.
    format: Option<Format>,
    /// The output that is compared; see [`answer`].
    field: Option<String>,
    metric: Option<toml::Value>,
    /// What a model marks answers by, beside the metric or as it.
    judge: Option<Rubric>,
}

/// A prompt suite, loaded.
#[derive(Debug)]
pub struct PromptSuite {
    kind: Kind,
    rows: Vec<Row>,
    inputs: Vec<String>,
    field: Option<String>,
    metric: Metric,
    judge: Option<Rubric>,
    /// What calls tools of programs, if this machine has it.
    tools: Option<Tool>,
    digest: Digest,
    /// The same rows as tasks: what marks and checkers are made from.
    native: NativeSuite,
}

/// One row to be answered. Nothing of what is expected is in it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Its position, to give back with the answer.
    pub row: usize,
    /// Which split it is of.
    pub split: Split,
    /// The row's inputs.
    pub inputs: &'a Fields,
}

/// What came of a question.
#[derive(Clone, PartialEq, Debug)]
pub struct Answered {
    /// The question's position.
    pub row: usize,
    /// The program's outputs, or how it failed and why.
    pub answer: Result<Fields, (MarkStatus, String)>,
    /// What each predictor was given and gave.
    pub trace: Vec<Call>,
}

/// Whether a `suite.toml` describes a prompt suite.
pub(crate) fn is_prompt(files: &Files) -> bool {
    let text = files.get("suite.toml").and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.parse::<toml::Table>().ok()).is_some_and(|table| table.contains_key("prompt"))
}

impl PromptSuite {
    pub(crate) fn load(files: Files, source: &SuiteSource, tools: &Toolbox) -> Result<Self, SuiteError> {
        let text = String::from_utf8_lossy(files.get("suite.toml").map(|b| &**b).unwrap_or_default()).into_owned();
        let settings: PromptSettings = toml::from_str(&text).map_err(|e| {
            let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            error(
                format!("suite.toml:{line}: {}", e.message()),
                "its keys are kind, and in [prompt] data (or train, validation, holdout), metric, format, expected, split, inputs, field, judge",
            )
        })?;
        let Section { split, inputs, format, .. } = &settings.prompt;
        let metric = settings.prompt.metric(&files)?;
        if let Metric::Check { program } = &metric
            && !(files.contains_key(program) && program.ends_with(".py"))
        {
            return Err(error(
                format!("suite.toml: there is no checker '{program}' in the suite's folder"),
                "give the path of a Python file relative to the suite's folder",
            ));
        }
        let sum = split.as_ref().map_or(1.0, |s| s.train + s.validation + s.holdout);
        if !split.as_ref().is_none_or(|s| s.train >= 0.0 && s.validation > 0.0 && s.holdout >= 0.0 && sum.is_finite()) {
            return Err(error("suite.toml: a share of [prompt.split] is negative, or validation is 0", "such as 0.3"));
        }
        let named = settings.prompt.files()?;
        let mut read = Vec::new();
        for (name, split) in &named {
            let text = rows::text(name, &files)?;
            for (place, mut fields) in rows::read(name.trim_end_matches(".gz"), &text)? {
                if let Some(format) = format {
                    fields = format.row(&place, fields)?;
                }
                if let Some(column) = &settings.prompt.expected {
                    fields = expected_in(column, &place, fields)?;
                }
                read.push((place, fields, *split));
            }
        }
        let rows = rows::rows(read, settings.kind == Kind::Exact, split.as_ref())?;
        check_rows(&rows, settings.kind, &metric, inputs)?;
        let python = match (&metric, &tools.python) {
            (Metric::Command { .. }, _) => tools.python.clone(),
            (Metric::Check { .. } | Metric::Tests {}, None) => {
                return Err(error("the suite's metric needs python3 and this machine has none", "install python3"));
            }
            (Metric::Check { .. } | Metric::Tests {}, python) => python.clone(),
            _ => None,
        };
        let digest = digest(&files, &source.limits, python.as_ref().map(|p| p.version.as_str()));
        let tasks = rows.iter().map(|row| task(row, &metric)).collect();
        // What is expected is no business of a checker's beyond the row that it checks.
        let seen = files.into_iter().filter(|(name, _)| !named.iter().any(|(n, _)| n == name)).collect();
        let native = NativeSuite {
            settings: Settings { kind: settings.kind, seconds: 1.0, partial: true, fresh: None, work: None },
            tasks,
            files: seen,
            limits: source.limits.clone(),
            python,
            node: None,
            rustc: None,
            language: None,
        };
        let inputs = match inputs.is_empty() {
            false => inputs.clone(),
            true => {
                rows.first().map(|row| row.inputs.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default()
            }
        };
        let Section { field, judge, .. } = settings.prompt;
        let (kind, tools) = (settings.kind, tools.python.clone());
        Ok(PromptSuite { kind, rows, inputs, field, metric, judge, tools, digest, native })
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn count(&self, split: Split) -> usize {
        self.rows.iter().filter(|row| row.split == split).count()
    }

    /// How many of the answers are to rows of a split.
    pub(crate) fn count_of(&self, answers: &[Answered], split: Split) -> usize {
        answers.iter().filter(|a| self.rows.get(a.row).is_some_and(|row| row.split == split)).count()
    }

    pub(crate) fn tasks(&self, split: Split) -> Vec<TaskId> {
        self.rows.iter().filter(|row| row.split == split).map(|row| row.id.clone()).collect()
    }

    /// The columns that a plain prompt is given.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(String::as_str)
    }

    /// The rows of a scope, train first.
    pub fn questions(&self, scope: &Scope<'_>) -> Vec<Question<'_>> {
        let of = |(row, r): (usize, &Row)| Question { row, split: r.split, inputs: &self.rows[row].inputs };
        let wanted =
            |r: &Row| scope.splits.contains(&r.split) && (scope.tasks.is_empty() || scope.tasks.contains(&r.id));
        let mut asked: Vec<Question<'_>> = self.rows.iter().enumerate().filter(|(_, r)| wanted(r)).map(of).collect();
        asked.sort_by_key(|q| q.split != Split::Train);
        asked
    }

    /// The train rows of these names, in their order.
    pub fn train(&self, tasks: &[TaskId]) -> Vec<Question<'_>> {
        match tasks.is_empty() {
            true => Vec::new(),
            false => self.questions(&Scope { splits: &[Split::Train], tasks, ..Scope::default() }),
        }
    }

    /// Whether every row has these inputs; `Err` names the first that lacks one.
    pub fn has(&self, names: &[&str]) -> Result<(), SuiteError> {
        for row in &self.rows {
            if let Some(name) = names.iter().find(|name| row.inputs.get(name).is_none()) {
                let columns: Vec<&str> = row.inputs.iter().map(|(name, _)| name).collect();
                return Err(error(
                    format!("{}: the program takes '{name}', which this row does not have", row.place),
                    format!("the row has {}", columns.join(", ")),
                ));
            }
        }
        Ok(())
    }

    /// Marks what was answered.
    pub(crate) fn grade(&self, answers: &[Answered], order: &Order<'_>) -> (Parts, Vec<Example>) {
        let ticket = Ticket { nonce: order.nonce.to_owned(), ..Ticket::default() };
        let (mut marks, mut exams, mut feedback, mut examples) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut answers: Vec<&Answered> = answers.iter().collect();
        answers.sort_by_key(|a| a.row);
        for answered in answers {
            let Some((row, task)) = self.rows.get(answered.row).zip(self.native.tasks.get(answered.row)) else {
                continue;
            };
            let outcome = match (&answered.answer, &self.metric) {
                (Ok(outputs), Metric::Check { .. }) => {
                    let outputs = Json::List(vec![json(&Value::Map(outputs.clone()))]);
                    exams.push(self.native.exam(task, answered.row, &outputs, &ticket, BTreeMap::new()));
                    Outcome::failure(MarkStatus::Missing, "is being checked".into())
                }
                (Ok(outputs), Metric::Command { argv }) => {
                    exams.push(self.command_exam(argv, row, &Value::Map(outputs.clone())));
                    Outcome::failure(MarkStatus::Missing, "is being checked".into())
                }
                // A cage runs it, or a model judges it: see `code_work` and `judged`.
                (Ok(_), Metric::Tests {} | Metric::Judge {}) => {
                    Outcome::failure(MarkStatus::Missing, "is being looked at".into())
                }
                (Ok(outputs), metric) => {
                    let expected = row.expected.as_ref().unwrap_or(&Value::Null);
                    outcome(metric.score(outputs, self.field.as_deref(), expected), outputs, self.field.as_deref())
                }
                (Err((status, why)), _) => Outcome::failure(*status, why.clone()),
            };
            if row.split == Split::Train {
                examples.push(self.example(row, &outcome, &answered.trace));
            }
            if answered.answer.is_ok() && (self.metric.needs_cage() || matches!(self.metric, Metric::Judge {})) {
                continue;
            }
            if row.split == Split::Train {
                feedback.push(told(task, &outcome, BTreeMap::new()));
            }
            marks.push(mark(task, outcome));
        }
        ((marks, BTreeMap::new(), exams, feedback), examples)
    }

    /// Whether answers are code that a cage runs.
    pub(crate) fn runs_code(&self) -> bool {
        matches!(self.metric, Metric::Tests {})
    }

    /// Enters a checker's word.
    pub(crate) fn settle(&self, graded: &mut Graded, exam: &Exam, finished: &Finished) {
        match self.metric {
            Metric::Command { .. } => self.native.enter(graded, exam, command::outcome(finished), finished.seconds),
            _ => self.native.settle(graded, exam, finished),
        }
        let mark = graded.scorecard.marks.iter().find(|mark| mark.task == exam.task);
        let example = graded.examples.iter_mut().find(|example| example.task == exam.task);
        if let (Some(mark), Some(example)) = (mark, example) {
            example.score = mark.score;
            example.detail.clone_from(&mark.detail);
        }
    }

    fn example(&self, row: &Row, outcome: &Outcome, trace: &[Call]) -> Example {
        Example {
            task: row.id.clone(),
            inputs: row.inputs.clone(),
            expected: row.expected.clone().unwrap_or_default(),
            score: outcome.score,
            detail: outcome.detail.clone(),
            demo: !row.shared,
            trace: trace.to_vec(),
        }
    }
}

impl Section {
    /// The metric: the one that is named, else that of the format.
    fn metric(&self, files: &Files) -> Result<Metric, SuiteError> {
        let metric = match (&self.metric, self.format) {
            (Some(value), _) => Metric::read(value, files),
            (None, Some(format)) => Ok(format.metric()),
            (None, None) => Err(error("suite.toml: [prompt] has no metric", "such as metric = \"exact\"")),
        }?;
        if matches!(metric, Metric::Judge {}) && self.judge.is_none() {
            let hint = "add [prompt.judge] with rubric = \"what makes an answer good\"";
            return Err(error("suite.toml: a judge decides and has no rubric", hint));
        }
        if matches!(&metric, Metric::Command { argv } if argv.is_empty()) {
            return Err(error(
                "suite.toml: the command of the metric is empty",
                "such as argv = [\"sh\", \"check.sh\"]",
            ));
        }
        Ok(metric)
    }

    /// The files that are named, with the split that each is.
    fn files(&self) -> Result<Vec<(&str, Option<Split>)>, SuiteError> {
        let splits =
            [(&self.train, Split::Train), (&self.validation, Split::Validation), (&self.holdout, Split::Holdout)];
        let named: Vec<(&str, Option<Split>)> =
            splits.iter().filter_map(|(name, split)| Some((name.as_deref()?, Some(*split)))).collect();
        match (&self.data, named.is_empty()) {
            (Some(data), true) => Ok(vec![(data.as_str(), None)]),
            (None, false) => Ok(named),
            (Some(_), false) => {
                Err(error("suite.toml: [prompt] names data and files of splits", "keep one of the two"))
            }
            (None, true) => Err(error("suite.toml: [prompt] names no data", "such as data = \"cases.jsonl\"")),
        }
    }
}

/// The row with the value of this column as what is expected.
fn expected_in(column: &str, place: &str, mut fields: Fields) -> Result<Fields, SuiteError> {
    let columns: Vec<String> = fields.iter().map(|(name, _)| name.to_owned()).collect();
    let value = fields.remove(column).ok_or_else(|| {
        error(
            format!("{place}: the row has no '{column}', which [prompt] expected names"),
            format!("it has {}", columns.join(", ")),
        )
    })?;
    fields.set("expected", value);
    Ok(fields)
}

fn check_rows(rows: &[Row], kind: Kind, metric: &Metric, inputs: &[String]) -> Result<(), SuiteError> {
    if rows.is_empty() {
        return Err(error("the data holds no row", "give rows with `input` and `expected`"));
    }
    if rows.len() == 1 && kind == Kind::Sample {
        return Err(error(
            format!("{}: a single row proves nothing of others", rows[0].place),
            "give a hundred rows or more, or say kind = \"exact\" if this very row is the goal",
        ));
    }
    let mut first: Option<(&'static str, &Row)> = None;
    for row in rows {
        if row.inputs.is_empty() {
            return Err(error(format!("{}: the row has no input", row.place), "add a column `input`"));
        }
        if let Some(name) = inputs.iter().find(|name| row.inputs.get(name).is_none()) {
            return Err(error(format!("{}: the row has no '{name}'", row.place), "[prompt] inputs names it"));
        }
        let Some(expected) = &row.expected else {
            if !metric.needs_expected() {
                continue;
            }
            return Err(error(
                format!("{}: the row has no 'expected'", row.place),
                format!("the columns {} are no inputs", OWN.join(", ")),
            ));
        };
        metric.takes(expected).map_err(|why| {
            error(
                format!("{}: 'expected' {why}", row.place),
                "give what the metric compares with, or choose another metric",
            )
        })?;
        let (kind, one) = *first.get_or_insert((expected.kind(), row));
        if kind != expected.kind() && !metric.takes_any() {
            return Err(error(
                format!("{}: 'expected' is {}, and in {} it is {kind}", row.place, expected.kind(), one.place),
                "give all rows the same kind of answer",
            ));
        }
    }
    if !rows.iter().any(|row| row.split == Split::Validation) {
        return Err(error(
            format!("of {} none is for validation, so nothing can decide", meliora_domain::counted(rows.len(), "row")),
            "give more rows, or say `split` in each",
        ));
    }
    Ok(())
}

fn task(row: &Row, metric: &Metric) -> Task {
    let inputs = Json::List(vec![json(&Value::Map(row.inputs.clone()))]);
    let key = match metric {
        Metric::Check { program } => {
            Key::Check { program: program.clone(), data: json(row.expected.as_ref().unwrap_or(&Value::Null)) }
        }
        _ => Key::Stdout(String::new()),
    };
    let assignment = Assignment::Call { file: String::new(), function: "program".into(), inputs: vec![inputs] };
    Task { id: row.id.clone(), split: row.split, assignment, key, impossible: false }
}

fn json(value: &Value) -> Json {
    Json::read(&value.to_string()).unwrap_or(Json::Null)
}

fn outcome(scored: Scored, outputs: &Fields, field: Option<&str>) -> Outcome {
    let passed = scored.score >= 1.0;
    let status = if passed { MarkStatus::Passed } else { MarkStatus::Failed };
    let detail = match passed {
        true => format!("right: {}", head(&meliora_prompt::shown(answer(outputs, field)), 160)),
        false => scored.detail,
    };
    let brief = if passed { String::new() } else { format!("scored {:.2}", scored.score) };
    Outcome { status, score: scored.score, detail: head(&detail, 600), brief }
}

fn digest(files: &Files, limits: &Limits, python: Option<&str>) -> Digest {
    let mut parts = suite::Parts::new();
    parts.add("form", b"prompts-2");
    parts.files(files);
    if let Some(version) = python {
        parts.add("tool", version.as_bytes());
        parts.limits(limits);
        code::drivers().for_each(|driver| parts.add("driver", driver.as_bytes()));
    }
    parts.digest()
}
