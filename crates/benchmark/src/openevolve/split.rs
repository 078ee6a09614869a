//! The tier `split`: the evaluator in one cage with a stand-in for the candidate, the candidate in another.
//!
//! No code of the candidate is ever put into the evaluator's cage, and nothing of the evaluator's folder into the other.

use meliora_domain::Genome;

use super::OpenEvolveSuite;
use crate::exchange;
use crate::json::quoted;
use crate::work::{block, environment, file, genome_files, mounts, python_argv};
use crate::{CageFile, Job, Order, Pair, Ticket, task_seed};

/// The evaluator's driver.
pub(crate) const EXAMINER: &str = concat!(
    include_str!("../../drivers/common.py"),
    "\n\n",
    include_str!("../../drivers/plain.py"),
    "\n\n",
    include_str!("../../drivers/stand_in.py"),
    "\n\n",
    include_str!("../../drivers/exchange.py"),
    "\n\n",
    include_str!("../../drivers/examiner.py"),
    "\n\n",
    include_str!("../../drivers/openevolve.py"),
);
/// Where it lies in the cage.
pub(crate) const EXAMINER_PATH: &str = "/work/driver/examiner.py";
/// The candidate's driver.
pub(crate) const CANDIDATE: &str = concat!(
    include_str!("../../drivers/common.py"),
    "\n\n",
    include_str!("../../drivers/plain.py"),
    "\n\n",
    include_str!("../../drivers/candidate.py"),
);
/// Where it lies in the cage.
pub(crate) const CANDIDATE_PATH: &str = "/work/driver/candidate.py";
/// What is imported by stand-ins in processes that the evaluator starts.
const STAND_IN: &str = concat!(
    include_str!("../../drivers/common.py"),
    "\n\n",
    include_str!("../../drivers/plain.py"),
    "\n\n",
    include_str!("../../drivers/stand_in.py"),
    "\n\nready()\n",
);
/// What lies in the candidate's place.
const PROGRAM: &str = include_str!("../../drivers/program.py");

/// Bytes that each side may say to the other in one examination.
pub(crate) const TRAFFIC: u64 = 1 << 30;

/// All that decides what crosses.
pub(crate) fn drivers() -> impl Iterator<Item = &'static str> {
    [EXAMINER, CANDIDATE, PROGRAM].into_iter()
}

/// The files that the evaluator's cage has instead of the genome.
pub(crate) fn stand_in(program: &str) -> Vec<CageFile> {
    vec![
        file(&format!("/work/genome/{program}"), PROGRAM.as_bytes()),
        file("/work/shim/_stand_in.py", STAND_IN.as_bytes()),
    ]
}

impl OpenEvolveSuite {
    /// Both jobs of an examination.
    pub(crate) fn pair(&self, genome: &Genome, order: &Order<'_>) -> Pair {
        let mut exam = self.work(genome, order);
        // The driver examines in a copy of itself.
        exam.limits.processes = exam.limits.processes.saturating_add(1);
        Pair {
            exam,
            order: exchange::order(task_seed(&super::task(), order.scope.seed), order.nonce),
            farewell: format!("\n{}\n", order.nonce).into_bytes(),
            printed: self.limits.output,
            work: self.candidate(genome, order.scope.seed),
        }
    }

    /// The job of the candidate's cage.
    fn candidate(&self, genome: &Genome, seed: u64) -> Job {
        let modules: Vec<String> = self.python.modules.iter().map(|m| quoted(&m.to_string_lossy())).collect();
        let plan = format!(
            "{{\"program\":{},\"seed\":{},\"modules\":[{}]}}",
            quoted(&self.program),
            task_seed(&super::task(), seed),
            modules.join(","),
        );
        let mut files = genome_files(genome);
        files.push(file(CANDIDATE_PATH, CANDIDATE.as_bytes()));
        let limits = self.bounds(&files).0;
        Job {
            files,
            argv: python_argv(&self.python, CANDIDATE_PATH),
            cwd: "/work/genome".to_owned(),
            stdin: block(&plan).into_bytes(),
            limits,
            read_only: mounts(&self.python),
            env: environment(),
            ticket: Ticket::default(),
        }
    }
}
