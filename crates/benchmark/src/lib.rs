//! Suites: tasks with a visible assignment and a hidden answer key, and the formats they come in.
//!
//! This room plans what a cage must do and reads what came out of it; it opens no cage itself.

mod alarms;
mod exam;
mod exchange;
mod folder;
mod frame;
mod fresh;
mod grade;
mod json;
mod native;
mod openevolve;
mod prompt;
mod script;
mod suite;
mod work;

use std::path::{Path, PathBuf};

pub use exchange::{Lane, Wish, Wishes, gone, leave, told, whole};
pub use openevolve::{
    DatabaseSettings, EvaluatorSettings, LlmSettings, ModelSettings, OpenEvolveConfig, OwnSettings, PromptSettings,
};

pub use prompt::{Answered, Assessed, Cages, CodeWork, PromptSuite, Question, Rubric, ToolWork};

use frame::Ticket;
use openevolve::OpenEvolveSuite;
use suite::NativeSuite;

use meliora_domain::{
    Alarm, Digest, Example, Feedback, Finished, Genome, Kind, Limits, Mark, MarkStatus, Scorecard, Split, TaskId, Tier,
};

/// An interpreter or compiler of the host that cages see read-only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tool {
    /// Absolute path of the program, free of links.
    pub program: PathBuf,
    /// Folders or files outside `/usr` that it needs, at the same paths in the cage.
    pub needs: Vec<PathBuf>,
    /// Version line, part of the evaluator hash.
    pub version: String,
    /// For Python: folders to search for installed modules (`site-packages`).
    pub modules: Vec<PathBuf>,
    /// For Python: its interpreter as a shared library, if there is one.
    pub library: Option<PathBuf>,
}

/// The tools that this machine has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Toolbox {
    /// The Python that the user chose.
    pub python: Option<Tool>,
    /// Node.js.
    pub node: Option<Tool>,
    /// `rustc`.
    pub rustc: Option<Tool>,
    /// Installed Python modules that jobs find imported already, as far as the sandbox can.
    pub warm: Vec<String>,
    /// What kind of cages jobs run in, where it is not the default kind.
    pub cages: Option<String>,
}

impl Toolbox {
    /// The hash of an evaluator that is told nothing of warm modules and of the kind of cages, with them.
    fn evaluator(&self, digest: Digest) -> Digest {
        let cages = self.cages.iter().map(|kind| format!("cages: {kind}"));
        let words: Vec<String> = self.warm.iter().cloned().chain(cages).collect();
        if words.is_empty() {
            return digest;
        }
        Digest::of(std::iter::once(digest.to_string()).chain(words).collect::<Vec<_>>().iter().map(String::as_bytes))
    }
}

/// How Python jobs start: what a sandbox may have ready for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PythonStart {
    /// Flags between the program and the driver.
    pub flags: Vec<String>,
    /// The environment of every job.
    pub env: Vec<(String, String)>,
    /// The drivers: path in the cage, text.
    pub drivers: Vec<(String, String)>,
}

impl PythonStart {
    /// The start of every job with this Python.
    pub fn of(python: &Tool) -> Self {
        let drivers = [
            (work::CALL, work::CALL_PY),
            (exam::EXAM, exam::EXAM_PY),
            (openevolve::PATH, openevolve::DRIVER),
            (openevolve::EXAMINER_PATH, openevolve::EXAMINER),
            (openevolve::CANDIDATE_PATH, openevolve::CANDIDATE),
        ];
        let mut flags = work::python_argv(python, "");
        flags.pop();
        flags.remove(0);
        PythonStart {
            flags,
            env: work::environment(),
            drivers: drivers.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
        }
    }
}

/// One file to put into a cage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CageFile {
    /// Absolute path in the cage, under `/work` or `/tmp`.
    pub path: String,
    /// Content.
    pub bytes: std::sync::Arc<[u8]>,
    /// Executable bit.
    pub executable: bool,
}

/// What one cage must do: its files, then one command with this input.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// Files to put.
    pub files: Vec<CageFile>,
    /// Program (absolute path) and arguments.
    pub argv: Vec<String>,
    /// Folder to start in.
    pub cwd: String,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// What the cage may use.
    pub limits: Limits,
    /// What it sees of the host beside `/usr`.
    pub read_only: Vec<PathBuf>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// What the room itself needs to read the result.
    ticket: Ticket,
}

impl Job {
    /// Whether a command that was started for this one can go on with the other.
    pub fn serves(&self, other: &Job) -> bool {
        let of = |job: &Job| (job.limits.clone(), job.cwd.clone());
        self.stdin == other.stdin
            && self.argv == other.argv
            && of(self) == of(other)
            && self.read_only == other.read_only
            && self.env == other.env
            && self.files == other.files
    }
}

/// An examination in two cages: see [`Suite::split`].
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// What the evaluator's cage must do. No code of the candidate is in it. Its command reads more after `stdin`: an
    /// `order`, then what [`told`] and [`gone`] say, and [`leave`]; and so again for each examination.
    pub exam: Job,
    /// That this examination is to begin.
    pub order: Vec<u8>,
    /// The last bytes of standard error in an examination after which the command takes another order. Where it ends
    /// instead, it takes none.
    pub farewell: Vec<u8>,
    /// Bytes that the evaluator may print, to standard error; its standard output goes to the host.
    pub printed: u64,
    /// What each cage of the candidate must do. Its command reads more after `stdin`, as [`Lane`] writes it.
    pub work: Job,
}

/// A suite, ready to plan examinations.
#[derive(Debug)]
pub struct Suite {
    plan: Plan,
    /// Hash of everything that decides a mark.
    evaluator: Digest,
}

#[derive(Debug)]
enum Plan {
    Native(NativeSuite),
    OpenEvolve(OpenEvolveSuite),
    Prompt(Box<PromptSuite>),
}

/// What the project says of its suite.
#[derive(Clone, PartialEq, Debug)]
pub struct SuiteSource {
    /// Folder of a native suite (`suite.toml`, `tasks.jsonl`, checkers), or of an OpenEvolve task.
    pub folder: PathBuf,
    /// Limits of each work or exam cage.
    pub limits: Limits,
}

/// The suite cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SuiteError {
    /// What is wrong, with file and line where they can be told.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// What a work job's result was read as.
#[derive(Clone, PartialEq, Debug)]
pub struct Graded {
    /// The marks that are final, in the suite's order (exams pending left out until [`Suite::settle`]).
    pub scorecard: Scorecard,
    /// Exams that must run in cages of their own before the scorecard is whole.
    pub exams: Vec<Exam>,
    /// For train tasks: what a proposer may know.
    pub feedback: Vec<Feedback>,
    /// What the suite's own tasks tell of cheating, once [`Suite::sift`] has looked.
    pub alarms: Vec<Alarm>,
    /// For train rows of prompts: the row, and what was made of it.
    pub examples: Vec<Example>,
}

/// One exam: a checker of the suite against what the subject left, in a cage that the subject's code never enters.
#[derive(Clone, PartialEq, Debug)]
pub struct Exam {
    /// The task.
    pub task: TaskId,
    /// What the cage must do.
    pub job: Job,
}

/// What to examine.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Scope<'a> {
    /// Which splits.
    pub splits: &'a [Split],
    /// Which of their tasks; empty for all. What is no task of these splits is left out.
    pub tasks: &'a [TaskId],
    /// Seed of what the subject does by chance: the same task and seed give it the same random numbers, in Python's
    /// `random` and NumPy's global generator, JavaScript's `Math.random`, and as `MELIORA_SEED` in the environment. Not
    /// part of the evaluator: scores of different seeds may be compared.
    pub seed: u64,
    /// Whether to gather which lines run (train tasks, Python only; slower).
    pub lines: bool,
}

impl Scope<'_> {
    /// Whether a task is in it.
    pub(crate) fn holds(&self, split: Split, task: &TaskId) -> bool {
        self.splits.contains(&split) && (self.tasks.is_empty() || self.tasks.contains(task))
    }
}

/// How to examine.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Order<'a> {
    /// What.
    pub scope: Scope<'a>,
    /// A secret of this examination: 32 hexadecimal digits from the host's random source.
    pub nonce: &'a str,
}

/// The seed that one task's subject is given: 32 bits, so that every generator takes it. Of task and seed alone, so that
/// it is the same whatever other tasks are examined with it.
pub(crate) fn task_seed(task: &TaskId, seed: u64) -> u32 {
    let digest = Digest::of([task.0.as_bytes(), &seed.to_le_bytes()]);
    u32::from_le_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]])
}

impl Suite {
    /// Loads a native suite, or one of prompts.
    ///
    /// Fails if a file is missing or says something unknown or wrong, if no task decides (validation), or if a tool
    /// that the suite needs is not in the box.
    pub fn native(source: &SuiteSource, tools: &Toolbox) -> Result<Self, SuiteError> {
        let files = folder::read(&source.folder, &|_| false)?;
        if prompt::is_prompt(&files) {
            let suite = PromptSuite::load(files, source, tools)?;
            return Ok(Suite { evaluator: tools.evaluator(suite.digest()), plan: Plan::Prompt(Box::new(suite)) });
        }
        let suite = NativeSuite::load(files, source, tools)?;
        Ok(Suite { evaluator: tools.evaluator(suite.digest()), plan: Plan::Native(suite) })
    }

    /// Loads an OpenEvolve task folder, unchanged.
    ///
    /// It has one task, `evaluate`, of split validation. Its kind is exact, for one deterministic score is all there
    /// is. Its evaluator imports the candidate: a stand-in for it in the tier `split`, itself in the tier `together`.
    /// There is no tier `apart` for it: asked for that, it is `split`.
    pub fn openevolve(source: &SuiteSource, tools: &Toolbox, tier: Tier) -> Result<Self, SuiteError> {
        let suite = OpenEvolveSuite::load(source, tools, tier != Tier::Together)?;
        Ok(Suite { evaluator: tools.evaluator(suite.digest()), plan: Plan::OpenEvolve(suite) })
    }

    /// Whether a folder holds an OpenEvolve task: an `evaluator.py` and an `initial_program.*`.
    pub fn is_openevolve(folder: &Path) -> bool {
        openevolve::is_task(folder)
    }

    /// What its tasks stand for.
    pub fn kind(&self) -> Kind {
        match &self.plan {
            Plan::Native(suite) => suite.settings.kind,
            Plan::OpenEvolve(_) => Kind::Exact,
            Plan::Prompt(suite) => suite.kind(),
        }
    }

    /// How far the subject is kept from its examiner.
    pub fn tier(&self) -> Tier {
        match &self.plan {
            Plan::Native(_) | Plan::Prompt(_) => Tier::Apart,
            Plan::OpenEvolve(suite) if suite.split => Tier::Split,
            Plan::OpenEvolve(_) => Tier::Together,
        }
    }

    /// Hash of everything that decides a mark: the suite's files, the drivers, the tools' versions, the limits.
    pub fn evaluator(&self) -> Digest {
        self.evaluator
    }

    /// Makes this student (a model and how it is asked) the one that answers: another one is another evaluator.
    pub fn answered_by(&mut self, student: &str) {
        self.evaluator = Digest::of([self.evaluator.to_string().as_bytes(), student.as_bytes()]);
    }

    /// The suite's rows, where it is one of prompts.
    pub fn prompts(&self) -> Option<&PromptSuite> {
        if let Plan::Prompt(suite) = &self.plan { Some(suite.as_ref()) } else { None }
    }

    /// The highest mean that can be reached, where there is one: 1 in native suites and those of prompts.
    pub fn ceiling(&self) -> Option<f64> {
        matches!(self.plan, Plan::Native(_) | Plan::Prompt(_)).then_some(1.0)
    }

    /// Number of tasks in a split.
    pub fn count(&self, split: Split) -> usize {
        match &self.plan {
            Plan::Native(suite) => suite.tasks.iter().filter(|t| t.split == split && !t.impossible).count(),
            Plan::OpenEvolve(_) => usize::from(split == Split::Validation),
            Plan::Prompt(suite) => suite.count(split),
        }
    }

    /// The tasks of a split that count, in the suite's order.
    pub fn tasks(&self, split: Split) -> Vec<TaskId> {
        match &self.plan {
            Plan::Native(suite) => {
                let counts = suite.tasks.iter().filter(|t| t.split == split && !t.impossible);
                counts.map(|t| t.id.clone()).collect()
            }
            Plan::Prompt(suite) => suite.tasks(split),
            Plan::OpenEvolve(_) if split == Split::Validation => vec![openevolve::task()],
            Plan::OpenEvolve(_) => Vec::new(),
        }
    }

    /// Tasks that nobody can pass honestly.
    pub fn traps(&self) -> Vec<TaskId> {
        match &self.plan {
            Plan::Native(suite) => suite.tasks.iter().filter(|t| t.impossible).map(|t| t.id.clone()).collect(),
            Plan::OpenEvolve(_) | Plan::Prompt(_) => Vec::new(),
        }
    }

    /// The evaluator's job and the candidate's, where they run at once, in cages of their own, and the first calls the
    /// second: in the tier `split`. The first one's result is graded. `None` in other tiers.
    pub fn split(&self, genome: &Genome, order: &Order<'_>) -> Option<Pair> {
        match &self.plan {
            Plan::OpenEvolve(suite) if suite.split => Some(suite.pair(genome, order)),
            _ => None,
        }
    }

    /// The work job of an examination, in other tiers than `split`. No answer key is in it, unless the tier is `together`.
    pub fn work(&self, genome: &Genome, order: &Order<'_>) -> Job {
        match &self.plan {
            Plan::Native(suite) => suite.work(genome, order),
            Plan::OpenEvolve(suite) => suite.work(genome, order),
            Plan::Prompt(_) => unreachable!("prompts are answered by a model, in no cage"),
        }
    }

    /// Reads what a work job left. Pure; nothing in it is believed without the order's nonce.
    pub fn grade(&self, job: &Job, finished: &Finished) -> Graded {
        let (marks, metrics, exams, feedback) = match &self.plan {
            Plan::Native(suite) => suite.grade(job, finished),
            Plan::OpenEvolve(suite) => suite.grade(job, finished),
            Plan::Prompt(_) => unreachable!("prompts leave no job to grade"),
        };
        let Ticket { seed, part_of, .. } = job.ticket;
        let seconds = finished.seconds;
        let scorecard = Scorecard { evaluator: self.evaluator, marks, metrics, seconds, seed, part_of };
        let alarms = match &self.plan {
            Plan::Native(suite) => suite.forged(job, finished),
            Plan::OpenEvolve(_) | Plan::Prompt(_) => Vec::new(),
        };
        Graded { scorecard, exams, feedback, alarms, examples: Vec::new() }
    }

    /// What is known where our own machinery lost an examination: that the marks of its tasks are missing, and why.
    pub fn lost(&self, scope: &Scope<'_>, why: &str) -> Graded {
        let tasks = scope.splits.iter().flat_map(|split| self.tasks(*split).into_iter().map(|task| (*split, task)));
        let missing =
            |(split, task)| Mark { task, split, status: MarkStatus::Missing, score: 0.0, detail: why.to_owned() };
        let marks: Vec<Mark> = tasks.filter(|(split, task)| scope.holds(*split, task)).map(missing).collect();
        let here = marks.iter().filter(|mark| mark.split == Split::Validation).count();
        self.graded(marks, scope.seed, here)
    }

    /// What a cage of the examiner must do to make validation tasks anew, with inputs that follow from this seed and that
    /// nobody has seen; `None` where the suite has no program for it.
    pub fn fresh(&self, seed: u64, nonce: &str) -> Option<Job> {
        let Plan::Native(suite) = &self.plan else { return None };
        suite.fresh_work(&self.evaluator, seed, nonce)
    }

    /// The suite of the tasks that were made so. Its marks give the part of a task's inputs that is right; it is another
    /// evaluator, and no verdict may rest on its scores.
    pub fn refreshed(&self, job: &Job, finished: &Finished) -> Result<Suite, SuiteError> {
        let Plan::Native(suite) = &self.plan else {
            unreachable!("only a native suite has work that makes tasks anew")
        };
        let suite = suite.refreshed(job, finished).map_err(|what| SuiteError { what, hint: None })?;
        let evaluator = Digest::of([self.evaluator.to_string().as_bytes(), b"new inputs", job.ticket.nonce.as_bytes()]);
        Ok(Suite { evaluator, plan: Plan::Native(suite) })
    }

    /// How many inputs a task of a native suite has; 0 for others.
    pub fn inputs_of(&self, task: &TaskId) -> usize {
        if let Plan::Native(suite) = &self.plan { suite.inputs_of(task) } else { 0 }
    }

    /// Takes the marks of tasks out that count for nothing, once all exams are settled, and tells what they show.
    pub fn sift(&self, graded: &mut Graded) {
        if let Plan::Native(suite) = &self.plan {
            suite.sift(graded);
        }
    }

    /// Inputs of its tasks, each as compact JSON; none where there are no tasks to be seen.
    pub fn inputs(&self) -> std::collections::BTreeSet<String> {
        match &self.plan {
            Plan::Native(suite) => suite.inputs(),
            Plan::OpenEvolve(_) | Plan::Prompt(_) => Default::default(),
        }
    }

    /// Marks what a program of prompts answered; in other suites, nothing.
    pub fn grade_answers(&self, answers: &[Answered], order: &Order<'_>) -> Graded {
        let ((marks, metrics, exams, feedback), examples) = match &self.plan {
            Plan::Prompt(suite) => suite.grade(answers, order),
            Plan::Native(_) | Plan::OpenEvolve(_) => Default::default(),
        };
        // Rows whose marks are still to come are examined, too.
        let here = self.prompts().map_or(0, |suite| suite.count_of(answers, Split::Validation));
        let mut graded = self.graded(marks, order.scope.seed, here);
        graded.scorecard.metrics = metrics;
        Graded { exams, feedback, examples, ..graded }
    }

    /// These marks and nothing else; so many validation tasks are examined, with those whose marks are still to come.
    fn graded(&self, marks: Vec<Mark>, seed: u64, here: usize) -> Graded {
        let all = self.count(Split::Validation);
        let part_of = if here > 0 && here < all { all as u64 } else { 0 };
        let scorecard =
            Scorecard { evaluator: self.evaluator, marks, seed, part_of, seconds: 0.0, ..Scorecard::default() };
        Graded { scorecard, exams: Vec::new(), feedback: Vec::new(), alarms: Vec::new(), examples: Vec::new() }
    }

    /// What cages must do with answers that are code, where the metric runs it. No expected result is in a cage with them.
    pub fn code_work(&self, answers: &[Answered], order: &Order<'_>) -> Vec<CodeWork> {
        self.prompts().filter(|suite| suite.runs_code()).map_or_else(Vec::new, |suite| suite.code_work(answers, order))
    }

    /// Enters what such cages left.
    pub fn settle_code(&self, graded: &mut Graded, work: &CodeWork, finished: &Finished) {
        if let Plan::Prompt(suite) = &self.plan {
            suite.settle_code(graded, work, finished);
        }
    }

    /// Enters what a judge said of answers, by row.
    pub fn settle_judged(&self, graded: &mut Graded, said: &[(usize, Assessed)]) {
        if let Plan::Prompt(suite) = &self.plan {
            suite.settle_judged(graded, said);
        }
    }

    /// Enters an exam's result into the graded marks. Entering the same exam twice changes nothing.
    pub fn settle(&self, graded: &mut Graded, exam: &Exam, finished: &Finished) {
        match &self.plan {
            Plan::Native(suite) => suite.settle(graded, exam, finished),
            Plan::Prompt(suite) => suite.settle(graded, exam, finished),
            Plan::OpenEvolve(_) => {}
        }
    }
}
