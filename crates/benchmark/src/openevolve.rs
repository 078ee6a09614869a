//! OpenEvolve tasks, unchanged: `initial_program.*`, `evaluator.py`, optional `config.yaml`.
//!
//! The rules are those of OpenEvolve 0.4.0 (`evaluator.py`, `utils/metrics_utils.py`): stages and thresholds, merging of
//! stages, fitness. Where it turns a failure into a score of zero, a mark here also says what failed. One task, whose
//! one score decides and is known to proposers: there is nothing else to show them.

mod config;
mod split;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use meliora_domain::{Digest, Ending, Feedback, Finished, Genome, Limits, Mark, MarkStatus, Split, TaskId};

pub use config::{
    DatabaseSettings, EvaluatorSettings, LlmSettings, ModelSettings, OpenEvolveConfig, OwnSettings, PromptSettings,
};

use crate::folder::{self, Files, error};
use crate::frame::{self, End, Frame, Ticket, head, tail};
use crate::grade;
use crate::json::{Json, quoted};
use crate::suite::Parts;
use crate::work::{START, block, environment, file, genome_files, mounts, python_argv};
use crate::{CageFile, Job, Order, SuiteError, SuiteSource, Tool, Toolbox, task_seed};

/// The driver.
pub(crate) const DRIVER: &str =
    concat!(include_str!("../drivers/common.py"), "\n\n", include_str!("../drivers/openevolve.py"));
/// Where it lies in the cage.
pub(crate) const PATH: &str = "/work/driver/openevolve.py";
const SHIM: &str = include_str!("../drivers/evaluation_result.py");

pub(crate) use split::{CANDIDATE, CANDIDATE_PATH, EXAMINER, EXAMINER_PATH, drivers};

/// The candidate's file, where a room of ours makes the task.
pub(crate) const PROGRAM: &str = "initial_program.py";

/// OpenEvolve's defaults (`config.py`).
const THRESHOLDS: [f64; 3] = [0.5, 0.75, 0.9];
const FEATURES: [&str; 2] = ["complexity", "diversity"];

/// The signal by which the kernel ends a stage that takes too long, and that of processor time.
const ALARM: i32 = 14;
const CPU_TIME: i64 = 24;

/// Memory where the project says nothing else: evaluators load numeric libraries and start processes.
const MEMORY: u64 = 2 << 30;
/// Folders of a task's folder that are output or belong to tools.
const OUTPUT: [&str; 4] = ["openevolve_output", "__pycache__", "node_modules", "venv"];

/// An OpenEvolve task, loaded.
#[derive(Debug)]
pub(crate) struct OpenEvolveSuite {
    files: Files,
    program: String,
    config: OpenEvolveConfig,
    limits: Limits,
    python: Tool,
    /// Whether the candidate is kept in a cage of its own.
    pub(crate) split: bool,
}

/// Whether a folder holds an OpenEvolve task.
pub(crate) fn is_task(folder: &Path) -> bool {
    folder.join("evaluator.py").is_file() && !programs(folder).is_empty()
}

/// The one task of an OpenEvolve task folder.
pub(crate) fn task() -> TaskId {
    TaskId("evaluate".to_owned())
}

fn programs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|e| e.file_type().is_ok_and(|t| t.is_file()))
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|name| name.starts_with("initial_program.") && !name.ends_with('~'))
        .collect();
    names.sort();
    names
}

impl OpenEvolveSuite {
    pub(crate) fn load(source: &SuiteSource, tools: &Toolbox, split: bool) -> Result<Self, SuiteError> {
        let config = OpenEvolveConfig::load(&source.folder)?;
        let found = programs(&source.folder);
        let suffix = config.file_suffix.as_deref().unwrap_or(".py");
        let preferred = format!("initial_program{suffix}");
        let program = match found.as_slice() {
            [] => {
                return Err(error(
                    format!("'{}' holds no initial_program file", source.folder.display()),
                    "an OpenEvolve task has an initial_program.py and an evaluator.py",
                ));
            }
            [one] => one.clone(),
            several if several.contains(&preferred) => preferred,
            several => {
                return Err(error(
                    format!("there are several programs: {}", several.join(", ")),
                    "set file_suffix in config.yaml to the one that evolves",
                ));
            }
        };
        if split && !program.ends_with(".py") {
            return Err(error(
                format!("the evaluator and '{program}' cannot be kept in cages of their own: only Python programs can"),
                "`--isolation together` lets both share a cage; promoting then takes `--unproven`",
            ));
        }
        let skip = |path: &str| {
            found.iter().any(|p| p == path)
                || path.split('/').any(|part| OUTPUT.contains(&part))
                || path.ends_with(".pyc")
        };
        let files = folder::read(&source.folder, &skip)?;
        if !files.contains_key("evaluator.py") {
            return Err(error(
                format!("'{}' holds no evaluator.py", source.folder.display()),
                "an OpenEvolve task has an initial_program.py and an evaluator.py",
            ));
        }
        let Some(python) = tools.python.clone() else {
            return Err(error(
                "OpenEvolve tasks need a python3 and this machine has none",
                "install python3, or name one",
            ));
        };
        let mut limits = source.limits.clone();
        if limits.memory == Limits::default().memory {
            limits.memory = MEMORY;
        }
        Ok(OpenEvolveSuite { files, program, config, limits, python, split })
    }

    /// A task made of an evaluator and what it reads as `row.json`, one call of so many seconds, in the tier `split`.
    pub(crate) fn of(evaluator: &str, row: &str, seconds: f64, limits: Limits, python: Tool) -> Self {
        let files = [("evaluator.py", evaluator), ("row.json", row)];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().into()));
        let mut config = OpenEvolveConfig::default();
        config.evaluator.cascade_evaluation = Some(false);
        config.evaluator.timeout = Some(seconds);
        OpenEvolveSuite { files: files.into(), program: PROGRAM.into(), config, limits, python, split: true }
    }

    pub(crate) fn digest(&self) -> Digest {
        let mut parts = Parts::new();
        parts.files(&self.files);
        if self.split {
            split::drivers().for_each(|driver| parts.add("driver", driver.as_bytes()));
        } else {
            parts.add("driver", DRIVER.as_bytes());
        }
        parts.add("shim", SHIM.as_bytes());
        parts.add("tool", self.python.version.as_bytes());
        parts.limits(&self.limits);
        parts.digest()
    }

    fn cascade(&self) -> bool {
        self.config.evaluator.cascade_evaluation.unwrap_or(true)
    }

    /// Seconds of one stage: the task's own figure, else the cage's.
    fn seconds(&self) -> f64 {
        self.config.evaluator.timeout.unwrap_or(self.limits.wall.as_secs_f64())
    }

    /// What a cage with these files may use, and its wall-clock seconds.
    fn bounds(&self, files: &[CageFile]) -> (Limits, f64) {
        // Loading the evaluator, then one to three stages, or as many tries, each with the whole time.
        let turns = if self.cascade() { 3.0 } else { 1.0 + f64::from(self.retries()) };
        let wall = self.seconds() * (1.0 + turns) + START;
        let mut limits = self.limits.clone();
        limits.wall = Duration::from_secs_f64(wall);
        limits.cpu_seconds = limits.cpu_seconds.max((wall * 2.0) as u32);
        limits.disk = limits.disk.saturating_add(files.iter().map(|f| f.bytes.len() as u64).sum());
        if self.split {
            limits.output = limits.output.saturating_add(split::TRAFFIC);
        }
        (limits, wall)
    }

    fn retries(&self) -> u32 {
        self.config.evaluator.max_retries.unwrap_or(0).min(10)
    }

    /// The job where the evaluator runs; in the tier `together` the candidate with it.
    pub(crate) fn work(&self, genome: &Genome, order: &Order<'_>) -> Job {
        let tasks = if order.scope.holds(Split::Validation, &task()) { vec![0] } else { Vec::new() };
        let retries = self.retries();
        let thresholds = self.config.evaluator.cascade_thresholds.clone().unwrap_or(THRESHOLDS.to_vec());
        let thresholds: Vec<String> = thresholds.iter().map(|t| format!("{t:?}")).collect();
        let modules: Vec<String> = self.python.modules.iter().map(|m| quoted(&m.to_string_lossy())).collect();
        let plan = format!(
            "{{\"split\":{},\"program\":{},\"cascade\":{},\"thresholds\":[{}],\"timeout\":{},\"retries\":{retries},\"seed\":{},\"modules\":[{}]}}",
            self.split,
            quoted(&self.program),
            self.cascade(),
            thresholds.join(","),
            self.seconds(),
            // In a cage of its own the evaluator is loaded with the same chance for all.
            task_seed(&task(), if self.split { 0 } else { order.scope.seed }),
            modules.join(","),
        );
        let mut files = if self.split { split::stand_in(&self.program) } else { genome_files(genome) };
        for (name, bytes) in &self.files {
            files.push(CageFile { path: format!("/work/task/{name}"), bytes: bytes.clone(), executable: false });
        }
        files.push(file("/work/shim/openevolve/__init__.py", b""));
        files.push(file("/work/shim/openevolve/evaluation_result.py", SHIM.as_bytes()));
        let (path, driver) = if self.split { (EXAMINER_PATH, EXAMINER) } else { (PATH, DRIVER) };
        files.push(file(path, driver.as_bytes()));

        let (limits, wall) = self.bounds(&files);
        let seed = order.scope.seed;
        let ticket = Ticket { nonce: order.nonce.to_owned(), tasks, budget: wall, seed, ..Ticket::default() };
        Job {
            files,
            argv: python_argv(&self.python, path),
            cwd: "/work/task".to_owned(),
            stdin: if self.split { block(&plan) } else { format!("{}{}\n", block(&plan), order.nonce) }.into_bytes(),
            limits,
            read_only: mounts(&self.python),
            env: environment(),
            ticket,
        }
    }

    pub(crate) fn grade(&self, job: &Job, finished: &Finished) -> grade::Parts {
        if job.ticket.tasks.is_empty() {
            return grade::Parts::default();
        }
        let mut found = Evaluation::default();
        match said(finished, &job.ticket.nonce) {
            Some(frame) => self.read(&frame, &mut found),
            None => {
                let (status, detail) = frame::of_ending(finished.ending, &finished.stderr);
                found.fail(status, detail);
            }
        }
        let task = task();
        let feedback = Feedback {
            task: task.clone(),
            passed: found.status == MarkStatus::Passed,
            detail: found.told(self.config.prompt.include_artifacts.unwrap_or(true)),
            lines: BTreeMap::new(),
        };
        let detail = head(&found.why, 600);
        let mark = Mark { task, split: Split::Validation, status: found.status, score: found.score, detail };
        (vec![mark], found.metrics, Vec::new(), vec![feedback])
    }

    /// Reads what the driver's child said, in order: `s`tage begins, `r`esult so far, `n`ote, `e`rror, `l`oad error,
    /// `g`arbage.
    fn read(&self, frame: &Frame, found: &mut Evaluation) {
        found.output = tail(&frame.error, 1000);
        if let Some(unfit) = unfit(&frame.said) {
            // Whatever the evaluator made of it.
            return found.fail(MarkStatus::Garbled, unfit);
        }
        let (mut result, mut note, mut stage) = (None, None, 0);
        for line in frame.said.lines() {
            let Some((kind, rest)) = line.split_once(' ').filter(|(kind, _)| !matches!(*kind, "t" | "x")) else {
                continue;
            };
            let value = Json::read(rest);
            match (kind, value) {
                ("s", Ok(number)) => stage = frame::whole(&number).unwrap_or(0),
                ("r", Ok(value)) => result = Some(value),
                ("n", Ok(Json::Text(text))) => note = Some(text),
                ("e", Ok(Json::Text(text))) => {
                    return found.fail(MarkStatus::Crashed, format!("evaluation raised {text}"));
                }
                ("g", Ok(Json::Text(text))) => return found.fail(MarkStatus::Garbled, text),
                ("l", Ok(Json::Text(text))) => {
                    return found.fail(MarkStatus::Missing, format!("evaluator.py cannot be loaded: {text}"));
                }
                _ => return found.fail(MarkStatus::Garbled, "the evaluation left something unreadable".to_owned()),
            }
        }
        let late = frame.end == End::Time && stage >= 2 && result.is_some();
        if frame.end != End::Done && !late {
            let (status, why) = frame.end.failure(self.seconds(), self.seconds());
            let hint = if frame.end == End::Time { " (evaluator.timeout in config.yaml gives more)" } else { "" };
            return found.fail(status, format!("the evaluation {why}{hint}"));
        }
        let Some(Json::Map(fields)) = result else {
            return found.fail(MarkStatus::Garbled, "the evaluation ended without a result".to_owned());
        };
        let features = match &self.config.database.feature_dimensions {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => BTreeSet::from(FEATURES),
        };
        found.artifacts = artifacts(fields.get("artifacts"));
        let mut metrics = metrics(fields.get("metrics"));
        if late {
            // A later stage that took too long counts as not passed; the stages before it keep their figures.
            metrics.push((format!("stage{stage}_passed"), Metric::Number(0.0)));
            note = Some(format!("evaluate_stage{stage} took longer than {} s", self.seconds()));
        }
        let combined = match fields.get("combined") {
            Some(Json::Text(text)) => text.parse().ok(),
            _ => None,
        };
        match fitness(&metrics, combined, &features) {
            Ok(score) => {
                found.score = score;
                found.status = if note.is_some() { MarkStatus::Failed } else { MarkStatus::Passed };
                found.why = note.unwrap_or_default();
            }
            Err(why) => found.fail(MarkStatus::Garbled, why),
        }
        let finite = metrics.into_iter().filter_map(|(name, metric)| match metric {
            Metric::Number(value) if value.is_finite() => Some((name, value)),
            _ => None,
        });
        found.metrics = finite.collect();
    }
}

/// What the driver said behind the nonce, and how it ended; `None` if it never began.
fn said(finished: &Finished, nonce: &str) -> Option<Frame> {
    let said = std::str::from_utf8(&finished.stdout).ok()?.strip_prefix(nonce)?.strip_prefix('\n')?.to_owned();
    let end = match finished.ending {
        _ if said.ends_with("\n.\n") => End::Done,
        Ending::Signalled(ALARM) | Ending::WallClock => End::Time,
        Ending::OutputCap => End::Size,
        Ending::Memory => End::Memory,
        Ending::CpuTime => End::Signal(CPU_TIME),
        Ending::Exited(code) => End::Exit(i64::from(code)),
        Ending::Signalled(signal) => End::Signal(i64::from(signal)),
    };
    let error = String::from_utf8_lossy(&finished.stderr).into_owned();
    Some(Frame { end, said, error, lines: Vec::new() })
}

/// Why evaluator and candidate cannot work in cages of their own, if they cannot: the driver says so, or the program was
/// opened more often (`t`, told by whichever process) than stand-ins were made of its text (`x`).
fn unfit(said: &str) -> Option<String> {
    let last = |kind: &str| said.lines().rev().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    if let Some(Json::Text(why)) = last("u").and_then(|text| Json::read(text).ok()) {
        return Some(why);
    }
    let number = |kind: &str| last(kind).and_then(|text| text.parse::<i64>().ok());
    (number("t")? > number("x").unwrap_or(0)).then(|| {
        "the evaluator reads the candidate's text, which is not in its cage; `--isolation together` shows it".to_owned()
    })
}

/// What came of an evaluation.
struct Evaluation {
    status: MarkStatus,
    score: f64,
    why: String,
    metrics: BTreeMap<String, f64>,
    artifacts: Vec<(String, String)>,
    output: String,
}

impl Default for Evaluation {
    fn default() -> Self {
        Evaluation {
            status: MarkStatus::Garbled,
            score: 0.0,
            why: String::new(),
            metrics: BTreeMap::new(),
            artifacts: Vec::new(),
            output: String::new(),
        }
    }
}

impl Evaluation {
    fn fail(&mut self, status: MarkStatus, why: String) {
        (self.status, self.score, self.why) = (status, 0.0, why);
    }

    /// All that a proposer may know: reason, artifacts, output.
    fn told(&self, artifacts: bool) -> String {
        let mut parts = Vec::new();
        if !self.why.is_empty() {
            parts.push(self.why.clone());
        }
        if artifacts {
            parts.extend(self.artifacts.iter().map(|(name, text)| format!("{name}: {text}")));
            if !self.output.is_empty() {
                parts.push(format!("output: {}", self.output));
            }
        }
        head(&parts.join("\n"), 8000)
    }
}

/// One metric as the driver tells it.
#[derive(Clone, PartialEq, Debug)]
enum Metric {
    /// A number, perhaps not finite.
    Number(f64),
    /// A truth value or a text: no score.
    Other,
}

fn metrics(value: Option<&Json>) -> Vec<(String, Metric)> {
    let Some(Json::List(rows)) = value else { return Vec::new() };
    let read = |row: &Json| match row {
        Json::List(row) => match row.as_slice() {
            [Json::Text(name), Json::Text(kind), Json::Text(text)] => {
                let metric = match (kind.as_str(), text.parse()) {
                    ("n", Ok(number)) => Metric::Number(number),
                    _ => Metric::Other,
                };
                Some((name.clone(), metric))
            }
            _ => None,
        },
        _ => None,
    };
    rows.iter().filter_map(read).collect()
}

fn artifacts(value: Option<&Json>) -> Vec<(String, String)> {
    let Some(Json::List(rows)) = value else { return Vec::new() };
    let read = |row: &Json| match row {
        Json::List(row) => match row.as_slice() {
            [Json::Text(name), Json::Text(text)] => Some((name.clone(), head(text, 4096))),
            _ => None,
        },
        _ => None,
    };
    rows.iter().filter_map(read).collect()
}

/// The score: `combined_score` where it is a number, else the mean of the numeric metrics that are no feature
/// dimension, else of all (OpenEvolve 0.4.0, `get_fitness_score`). Unlike there, NaN and infinity are no score.
fn fitness(metrics: &[(String, Metric)], combined: Option<f64>, features: &BTreeSet<&str>) -> Result<f64, String> {
    if let Some(score) = combined {
        return if score.is_finite() { Ok(score) } else { Err(format!("combined_score is {score}")) };
    }
    let numbers = |all: bool| -> Vec<(&str, f64)> {
        let number = |(name, metric): &'_ (String, Metric)| {
            matches!(metric, Metric::Number(_)) && (all || !features.contains(name.as_str()))
        };
        metrics
            .iter()
            .filter(|m| number(m))
            .filter_map(|(name, metric)| if let Metric::Number(v) = metric { Some((name.as_str(), *v)) } else { None })
            .collect()
    };
    let mut values = numbers(false);
    if values.is_empty() {
        values = numbers(true);
    }
    if let Some((name, value)) = values.iter().find(|(_, v)| !v.is_finite()) {
        return Err(format!("the metric '{name}' is {value}"));
    }
    if values.is_empty() {
        return Err("the evaluation gave no numeric metric".to_owned());
    }
    let mean = values.iter().map(|(_, v)| v).sum::<f64>() / values.len() as f64;
    if mean.is_finite() { Ok(mean) } else { Err("the mean of the metrics is out of range".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitness_follows_openevolves_rule() {
        let n = |name: &str, v: f64| (name.to_owned(), Metric::Number(v));
        let other = |name: &str| (name.to_owned(), Metric::Other);
        let features = BTreeSet::from(FEATURES);
        let check = |metrics: &[(String, Metric)], combined| fitness(metrics, combined, &features);
        assert_eq!(check(&[n("a", 1.0)], Some(0.25)), Ok(0.25));
        assert_eq!(check(&[n("a", 1.0), n("b", 0.0)], None), Ok(0.5));
        assert_eq!(check(&[n("a", 1.0), n("complexity", 900.0)], None), Ok(1.0));
        assert_eq!(check(&[n("complexity", 900.0)], None), Ok(900.0));
        assert_eq!(check(&[n("error", 0.0), other("timeout")], None), Ok(0.0));
        assert!(check(&[other("a")], None).is_err());
        assert!(check(&[], None).is_err());
        assert!(check(&[n("a", f64::NAN), n("b", 1.0)], None).is_err());
        assert!(check(&[], Some(f64::INFINITY)).is_err());
        assert!(check(&[n("a", f64::MAX), n("b", f64::MAX)], None).is_err());
    }
}
