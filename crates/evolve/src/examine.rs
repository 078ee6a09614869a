//! Examine: a lawful genome works in one cage; what it left is graded where it cannot reach.

use meliora_benchmark::{Graded, Job, Order, Scope, Suite};
use meliora_constitution::Lawful;
use meliora_domain::Finished;

use crate::port::{Cage, CageError, CageSpec, Command, ReadOnly, Sandbox, SandboxError, run_to_end};
use crate::relay;

/// Source of secrets: sixteen fresh random bytes.
pub type Nonce<'a> = &'a (dyn Fn() -> [u8; 16] + Sync);

/// Examines a genome on what the scope holds: on all tasks of its splits, or on some, with its seed.
///
/// # Errors
/// Only when a cage cannot be had or breaks; whatever the subject does is a mark.
pub fn examine(
    suite: &Suite,
    sandbox: &dyn Sandbox,
    subject: &Lawful,
    scope: &Scope<'_>,
    nonce: Nonce<'_>,
) -> Result<Graded, SandboxError> {
    let nonce: String = nonce().iter().map(|b| format!("{b:02x}")).collect();
    let start = std::time::Instant::now();
    let order = Order { scope: *scope, nonce: &nonce };
    let (job, finished) = match suite.split(subject.genome(), &order) {
        Some(pair) => {
            let finished = relay::run(sandbox, subject, suite, &pair)?;
            (pair.exam, finished)
        }
        None => {
            let job = suite.work(subject.genome(), &order);
            let finished = run(sandbox, CageSpec::work(subject), &job)?;
            (job, finished)
        }
    };
    let mut graded = suite.grade(&job, &finished);
    for exam in graded.exams.clone() {
        let finished = run(sandbox, CageSpec::exam(suite), &exam.job)?;
        suite.settle(&mut graded, &exam, &finished);
    }
    graded.scorecard.seconds = start.elapsed().as_secs_f64();
    Ok(graded)
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
