//! Plans the work job of a native suite: which files, which driver, which inputs. Keys never enter a plan.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use meliora_domain::{Digest, Genome, Limits, Split};

use crate::json::quoted;
use crate::native::{Assignment, Language, Task};
use crate::suite::{NativeSuite, version};
use crate::{CageFile, Job, Order, Ticket, Tool, task_seed};

/// The driver of Python calls.
pub(crate) const CALL_PY: &str =
    concat!(include_str!("../drivers/common.py"), "\n\n", include_str!("../drivers/call.py"));
/// Where it lies in the cage.
pub(crate) const CALL: &str = "/work/driver/call.py";
/// The driver of JavaScript calls.
pub(crate) const CALL_MJS: &str = include_str!("../drivers/call.mjs");

/// Seconds that an interpreter may take to start and to end, on a busy machine.
pub(crate) const START: f64 = 10.0;
/// Most bytes that a task may answer.
const ROOM: u64 = 1 << 18;
/// Largest number of watched lines, so that a huge genome does not make the plan huge.
const WATCHED: usize = 200_000;

impl NativeSuite {
    /// The work job for these tasks.
    pub(crate) fn work(&self, genome: &Genome, order: &Order<'_>) -> Job {
        let scope = &order.scope;
        let mut tasks: Vec<usize> =
            (0..self.tasks.len()).filter(|i| scope.holds(self.tasks[*i].split, &self.tasks[*i].id)).collect();
        // What a train task answers, proposers are told. So no other task's inputs may have been seen before it ends.
        tasks.sort_by_key(|i| self.tasks[*i].split != Split::Train);
        // A hanging subject must not cost the sum of all limits: the examination as a whole has the cage's time.
        let sum = self.settings.seconds * tasks.len() as f64;
        let budget = sum.min(self.limits.wall.as_secs_f64().max(self.settings.seconds));
        let validation = |tasks: &mut dyn Iterator<Item = &Task>| {
            tasks.filter(|t| t.split == Split::Validation && !t.impossible).count()
        };
        let all = validation(&mut self.tasks.iter());
        let here = validation(&mut tasks.iter().map(|i| &self.tasks[*i]));
        let part_of = if here > 0 && here < all { all as u64 } else { 0 };
        let ticket =
            Ticket { nonce: order.nonce.to_owned(), tasks, budget, seed: scope.seed, part_of, ..Ticket::default() };
        if !self.is_call() {
            return self.script_job(genome, ticket);
        }
        match (self.language, &self.node, &self.python) {
            (Some(Language::JavaScript | Language::TypeScript), Some(node), ..) => self.node_job(genome, node, ticket),
            (Some(Language::Python), _, Some(python)) => self.python_job(genome, python, ticket, scope.lines),
            _ => unreachable!("loading a suite made sure that the tool of its language is there"),
        }
    }

    fn python_job(&self, genome: &Genome, python: &Tool, mut ticket: Ticket, lines: bool) -> Job {
        let mut watched = String::new();
        if lines {
            let mut sum = 0;
            for (path, body) in genome.files().filter(|(path, _)| path.extension() == "py") {
                let count = body.bytes().iter().filter(|b| **b == b'\n').count() + 1;
                sum += count;
                if sum > WATCHED {
                    break;
                }
                push(&mut watched, &format!("[{},{count}]", quoted(path.as_str())));
                ticket.files.push(path.to_string());
            }
        }
        let modules: Vec<String> = python.modules.iter().map(|m| quoted(&m.to_string_lossy())).collect();
        let called: BTreeSet<&str> = ticket.tasks.iter().filter_map(|i| self.tasks[*i].called()).collect();
        let called: Vec<String> = called.into_iter().map(quoted).collect();
        let plan = format!(
            "{{{},\"memory\":{},\"modules\":[{}],\"files\":[{watched}],\"codes\":[{}],\"count\":{}}}",
            self.figures(&ticket),
            self.limits.memory,
            modules.join(","),
            called.join(","),
            ticket.tasks.len(),
        );
        let mut plan = block(&plan);
        for task in self.planned(&ticket, lines) {
            plan.push_str(&block(&task));
        }
        let mut job = self.job(genome, ticket, file(CALL, CALL_PY.as_bytes()), &plan);
        job.argv = python_argv(python, CALL);
        job.read_only = mounts(python);
        job
    }

    fn node_job(&self, genome: &Genome, node: &Tool, ticket: Ticket) -> Job {
        let tasks = self.planned(&ticket, false).join(",");
        let plan = block(&format!("{{{},\"tasks\":[{tasks}]}}", self.figures(&ticket)));
        let mut job = self.job(genome, ticket, file("/work/driver/call.mjs", CALL_MJS.as_bytes()), &plan);
        // V8 takes a part of what it is given for itself.
        let heap = (self.limits.memory >> 20) / 2;
        job.argv = vec![node.program.to_string_lossy().into_owned(), format!("--max-old-space-size={heap}")];
        let found = version(&node.version);
        if self.language == Some(Language::TypeScript) && found < (23, 6) {
            job.argv.push("--experimental-strip-types".to_owned());
        }
        // A `.js` file may be either kind of module; newer ones find out which without being told to.
        if ((20, 10)..(22, 7)).contains(&found) {
            job.argv.push("--experimental-detect-module".to_owned());
        }
        // Each task sees the genome through a link of its own, which makes its modules new ones.
        job.argv.extend(["--preserve-symlinks", "--no-warnings"].map(str::to_owned));
        job.argv.push("/work/driver/call.mjs".to_owned());
        job.read_only = mounts(node);
        job
    }

    /// The figures that every plan begins with.
    fn figures(&self, ticket: &Ticket) -> String {
        let output = self.limits.output.saturating_sub(1 << 16).max(1 << 10);
        format!(
            "\"seconds\":{},\"budget\":{},\"room\":{},\"output\":{output}",
            self.settings.seconds,
            ticket.budget,
            ROOM.min(output / 4),
        )
    }

    /// The tasks as the drivers read them: file, function, inputs; nothing of the key.
    fn planned(&self, ticket: &Ticket, lines: bool) -> Vec<String> {
        let mut out = Vec::new();
        for (position, task) in ticket.tasks.iter().map(|i| &self.tasks[*i]).enumerate() {
            let Task { assignment: Assignment::Call { file, function, inputs }, .. } = task else { continue };
            let inputs: Vec<String> = inputs.iter().map(|i| quoted(&i.text())).collect();
            out.push(format!(
                "{{\"file\":{},\"function\":{},\"seed\":{},\"canary\":{},\"lines\":{},\"inputs\":[{}]}}",
                quoted(file),
                quoted(function),
                task_seed(&task.id, ticket.seed),
                canary(&ticket.nonce, position),
                lines && task.split == Split::Train,
                inputs.join(","),
            ));
        }
        out
    }

    fn job(&self, genome: &Genome, ticket: Ticket, driver: CageFile, plan: &str) -> Job {
        let mut files = genome_files(genome);
        files.push(driver);
        // Room on the disk for the genome itself, whatever is left for what it writes.
        let mut limits = self.limits.clone();
        limits.disk = limits.disk.saturating_add(genome.size() as u64);
        limits.wall = Duration::from_secs_f64(ticket.budget + START);
        let stdin = format!("{plan}{}\n", ticket.nonce).into_bytes();
        let cwd = "/work/genome".to_owned();
        Job { files, argv: Vec::new(), cwd, stdin, limits, read_only: Vec::new(), env: environment(), ticket }
    }
}

/// What the driver says after the answers of the task at this position, and only then: of the examination's nonce, so that
/// it was never said before and tells nothing of the nonce.
pub(crate) fn canary(nonce: &str, position: usize) -> u32 {
    let digest = Digest::of([b"canary".as_slice(), nonce.as_bytes(), &position.to_le_bytes()]);
    u32::from_le_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]])
}

/// A text as the drivers read it: a line with its length, then the text.
pub(crate) fn block(text: &str) -> String {
    format!("{}\n{text}", text.len())
}

fn push(list: &mut String, item: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(item);
}

/// One file that is not executable.
pub(crate) fn file(path: &str, bytes: &[u8]) -> CageFile {
    CageFile { path: path.to_owned(), bytes: bytes.into(), executable: false }
}

/// The genome's files at `/work/genome`.
pub(crate) fn genome_files(genome: &Genome) -> Vec<CageFile> {
    genome
        .files()
        .map(|(path, body)| CageFile {
            path: format!("/work/genome/{path}"),
            bytes: body.bytes().into(),
            executable: body.executable(),
        })
        .collect()
}

/// The environment of every job. Hashes of texts are fixed (`PYTHONHASHSEED`), so that sets have the same order in a
/// re-run; numeric libraries use one thread, so that examinations side by side do not slow each other.
pub(crate) fn environment() -> Vec<(String, String)> {
    [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("OMP_NUM_THREADS", "1"),
        ("OPENBLAS_NUM_THREADS", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// How a driver is started. Not with `-I`, which would ignore `PYTHONHASHSEED`: the environment is all ours anyway.
/// `-S` leaves `site` out, which costs milliseconds; the drivers import it when an import needs it. `-P` (since 3.11)
/// keeps the driver's folder out of the search path; older ones have it removed by the driver.
pub(crate) fn python_argv(python: &Tool, driver: &str) -> Vec<String> {
    let mut argv = vec![python.program.to_string_lossy().into_owned(), "-s".to_owned(), "-S".to_owned()];
    if version(&python.version) >= (3, 11) {
        argv.push("-P".to_owned());
    }
    argv.push(driver.to_owned());
    argv
}

/// What a tool needs of the host outside `/usr`, nothing twice.
pub(crate) fn mounts(tool: &Tool) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = tool.needs.clone();
    for path in std::iter::once(&tool.program).chain(&tool.modules) {
        if !path.starts_with("/usr") && !paths.iter().any(|p| path.starts_with(p)) {
            paths.push(path.clone());
        }
    }
    paths
}

/// Limits of a job that compiles or runs a program whose needs are known to be larger.
pub(crate) fn at_least(limits: &Limits, memory: u64) -> Limits {
    Limits { memory: limits.memory.max(memory), ..limits.clone() }
}
