//! Examine: a lawful genome works in one cage; what it left is graded where it cannot reach.

use std::sync::atomic::{AtomicU32, Ordering};

use meliora_benchmark::{Answered, Cages, Graded, Job, Order, PromptSuite, Question, Scope, Suite};
use meliora_constitution::Lawful;
use meliora_domain::{Fields, Finished, Genome, MarkStatus, Value};
use meliora_prompt::{ProgramFile, Tool};

use crate::error::EvolveError;
use crate::port::{Cage, CageError, CageSpec, Command, ReadOnly, Sandbox, SandboxError, run_to_end};
use crate::relay;
use crate::student::{Hands, Purse, Student};

/// Source of secrets: sixteen fresh random bytes.
pub type Nonce<'a> = &'a (dyn Fn() -> [u8; 16] + Sync);

/// What an examination needs.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The exam.
    pub suite: &'a Suite,
    /// Cages.
    pub sandbox: &'a dyn Sandbox,
    /// Who answers, where the suite is one of prompts.
    pub student: Option<&'a Student<'a>>,
    /// Secrets.
    pub nonce: Nonce<'a>,
    /// Evaluators that wait.
    pub kept: &'a relay::Kept,
    /// Cages that failed in a row, where that may cost marks; `None` where one that fails twice is an error at once.
    pub failures: Option<&'a AtomicU32>,
}

/// So many jobs in a row whose cages failed twice, and it is no accident: the machine cannot examine.
const SYSTEMATIC: u32 = 3;

/// Examines a genome on what the scope holds: on all tasks of its splits, or on some, with its seed. What a student costs comes out of the purse.
///
/// A cage that fails is no fault of the subject's: the job is done once more in another one. Where that fails too, its marks
/// are missing, and count neither way.
///
/// # Errors
/// Only when cages fail again and again, or the student cannot be reached; whatever the subject does is a mark.
pub fn examine(means: &Means<'_>, subject: &Lawful, scope: &Scope<'_>, purse: &Purse) -> Result<Graded, EvolveError> {
    if let Some(prompts) = means.suite.prompts() {
        return answer(means, subject, &prompts.questions(scope), scope.seed, purse);
    }
    let Means { suite, sandbox, kept, .. } = *means;
    let nonce = fresh(means.nonce);
    let start = std::time::Instant::now();
    let order = Order { scope: *scope, nonce: &nonce };
    let (job, finished) = match suite.split(subject.genome(), &order) {
        Some(pair) => {
            let finished = means.twice(&|| Ok(relay::run(sandbox, kept, subject, suite, &pair)?))?;
            (pair.exam, finished)
        }
        None => {
            let job = suite.work(subject.genome(), &order);
            let finished = means.run(&|| CageSpec::work(subject), &job)?;
            (job, finished)
        }
    };
    match finished {
        Ok(finished) => checked(means, suite.grade(&job, &finished), start),
        Err(why) => Ok(suite.lost(scope, &why)),
    }
}

/// Examines a genome of prompts on these rows: the student answers as the genome's program tells it to.
pub(crate) fn answer(
    means: &Means<'_>,
    subject: &Lawful,
    questions: &[Question<'_>],
    seed: u64,
    purse: &Purse,
) -> Result<Graded, EvolveError> {
    let Some(student) = means.student else { return Err(EvolveError::NoStudent) };
    let start = std::time::Instant::now();
    let answers = match means.suite.prompts().map(|suite| program(suite, subject.genome())) {
        Some(Ok(file)) => {
            let hands = Workbench { means, subject, seed };
            student.answer(&file.program, questions, (seed, &hands), purse).map_err(|e| EvolveError::of(e, purse))?
        }
        Some(Err(why)) => {
            let crashed = |q: &Question<'_>| Answered {
                row: q.row,
                answer: Err((MarkStatus::Crashed, why.clone())),
                trace: Vec::new(),
            };
            questions.iter().map(crashed).collect()
        }
        None => Vec::new(),
    };
    let nonce = fresh(means.nonce);
    let order = Order { scope: Scope { seed, ..Scope::default() }, nonce: &nonce };
    let mut graded = means.suite.grade_answers(&answers, &order);
    for work in means.suite.code_work(&answers, &order) {
        // Until they are settled, these marks are missing.
        let finished = match work.cages() {
            Cages::One(job) => means.run(&|| CageSpec::work(subject), job)?.ok(),
            Cages::Two(pair) => {
                let both = || Ok(relay::run(means.sandbox, means.kept, subject, means.suite, pair)?);
                means.twice(&both)?.ok()
            }
        };
        if let Some(finished) = finished {
            means.suite.settle_code(&mut graded, &work, &finished);
        }
    }
    if let Some(prompts) = means.suite.prompts() {
        let said = student.assess(prompts, &answers, purse).map_err(|e| EvolveError::of(e, purse))?;
        means.suite.settle_judged(&mut graded, &said);
    }
    checked(means, graded, start)
}

/// Where the tools of a program run: each call in a cage of its own, with the genome.
struct Workbench<'a> {
    means: &'a Means<'a>,
    subject: &'a Lawful,
    seed: u64,
}

impl Hands for Workbench<'_> {
    fn use_tool(&self, tool: &Tool, arguments: &Fields) -> Result<Result<Value, String>, SandboxError> {
        let Some(suite) = self.means.suite.prompts() else { return Ok(Err("there are no tools here".into())) };
        let nonce = fresh(self.means.nonce);
        let order = Order { scope: Scope { seed: self.seed, ..Scope::default() }, nonce: &nonce };
        match suite.tool_work(self.subject.genome(), (&tool.file, &tool.name), arguments, &order) {
            Ok(work) => Ok(work.returned(&run(self.means.sandbox, CageSpec::work(self.subject), &work.job)?)),
            Err(why) => Ok(Err(why)),
        }
    }
}

/// The program of a genome of prompts, if it can be run on the suite's rows; `Err` says why not.
pub(crate) fn program(suite: &PromptSuite, genome: &Genome) -> Result<ProgramFile, String> {
    let texts = genome.files().filter_map(|(path, body)| Some((path.to_string(), body.text()?.to_owned())));
    let columns: Vec<&str> = suite.inputs().collect();
    let file = ProgramFile::read(&texts.collect(), &columns).map_err(|e| e.what)?;
    let wanted: Vec<&str> = file.program.inputs().iter().map(|f| f.name.as_str()).collect();
    suite.has(&wanted).map_err(|e| e.what)?;
    Ok(file)
}

/// Runs the exams that are still to run.
fn checked(means: &Means<'_>, mut graded: Graded, start: std::time::Instant) -> Result<Graded, EvolveError> {
    for exam in graded.exams.clone() {
        // A checker without a verdict is a missing mark, whoever is to blame.
        let finished = means.run(&|| CageSpec::exam(means.suite), &exam.job)?;
        means.suite.settle(&mut graded, &exam, &finished.unwrap_or_else(unfinished));
    }
    means.suite.sift(&mut graded);
    graded.scorecard.seconds = start.elapsed().as_secs_f64();
    Ok(graded)
}

pub(crate) fn fresh(nonce: Nonce<'_>) -> String {
    nonce().iter().map(|b| format!("{b:02x}")).collect()
}

impl Means<'_> {
    /// Runs one job in a cage of its own; `Err` says why there is no result.
    pub(crate) fn run(&self, spec: &dyn Fn() -> CageSpec, job: &Job) -> Result<Result<Finished, String>, EvolveError> {
        self.twice(&|| Ok(run(self.sandbox, spec(), job)?))
    }

    /// Does it again if its cage fails, and says so if that one fails, too: unless too many did in a row.
    fn twice(&self, job: &dyn Fn() -> Result<Finished, EvolveError>) -> Result<Result<Finished, String>, EvolveError> {
        let done = match job() {
            Err(EvolveError::Sandbox(_)) => job(),
            done => done,
        };
        let Some(failures) = self.failures else { return Ok(Ok(done?)) };
        match done {
            Err(EvolveError::Sandbox(e)) if failures.fetch_add(1, Ordering::Relaxed) + 1 < SYSTEMATIC => {
                Ok(Err(format!("the cage failed twice: {e}")))
            }
            Err(e) => Err(e),
            Ok(finished) => {
                failures.store(0, Ordering::Relaxed);
                Ok(Ok(finished))
            }
        }
    }
}

/// What a job left whose cage failed: nothing.
fn unfinished(why: String) -> Finished {
    let ending = meliora_domain::Ending::Exited(-1);
    Finished { stdout: Vec::new(), stderr: why.into_bytes(), ending, seconds: 0.0 }
}

/// Runs one job in a cage of its own, which is gone afterwards.
fn run(sandbox: &dyn Sandbox, spec: CageSpec, job: &Job) -> Result<Finished, SandboxError> {
    let Some(cage) = open(sandbox, spec, job)? else {
        // A genome that does not fit into its cage is the subject's failure, not ours.
        return Ok(Finished {
            stdout: Vec::new(),
            stderr: TOO_LARGE.as_bytes().to_vec(),
            ending: meliora_domain::Ending::OutputCap,
            seconds: 0.0,
        });
    };
    run_to_end(cage.as_ref(), &command(job), &job.stdin)
}

/// What is said of a genome that does not fit.
pub(crate) const TOO_LARGE: &str = "the genome does not fit into the cage's disk limit";

/// The command of a job.
pub(crate) fn command(job: &Job) -> Command {
    Command { argv: job.argv.clone(), cwd: job.cwd.clone(), ..Command::default() }
}

/// Opens a cage for a job, with its files; `None` if they do not fit.
pub(crate) fn open(
    sandbox: &dyn Sandbox,
    mut spec: CageSpec,
    job: &Job,
) -> Result<Option<Box<dyn Cage>>, SandboxError> {
    spec.limits = job.limits.clone();
    spec.read_only = job.read_only.iter().map(|path| ReadOnly { path: path.clone() }).collect();
    spec.env.clone_from(&job.env);
    let cage = sandbox.open(spec)?;
    for file in &job.files {
        match cage.put(&file.path, &file.bytes, file.executable) {
            Ok(()) => {}
            Err(CageError::Full { .. }) => return Ok(None),
            Err(CageError::Machinery(e)) => return Err(e),
            Err(e) => return Err(SandboxError { what: "putting files".into(), cause: e.to_string(), hint: None }),
        }
    }
    Ok(Some(cage))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
