//! Runs jobs without a cage, in a folder of their own, to test what drivers do. Suites are written from text.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a helper of tests is no test to the linter")]

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meliora_benchmark::{Graded, Job, Order, Scope, Suite, SuiteSource, Tool, Toolbox};
use meliora_domain::{Ending, FileBody, Finished, Genome, GenomePath, Limits, Mark, MarkStatus, Split};

pub const NONCE: &str = "0123456789abcdef0123456789abcdef";
pub const ALL: &[Split] = &[Split::Train, Split::Validation, Split::Holdout];

fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let out = Command::new(program).args(arguments).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

pub fn tool(program: &str, version: &str, modules: Vec<PathBuf>) -> Tool {
    Tool { program: program.into(), needs: Vec::new(), version: version.to_owned(), modules, library: None }
}

/// The machine's tools; another Python can be named for a run of the same tests on it.
pub fn tools() -> Toolbox {
    let python = std::env::var("MELIORA_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let code = "import os,sys,sysconfig;print(os.path.realpath(sys.executable));print('Python',sys.version.split()[0]);print(sysconfig.get_paths()['purelib'])";
    let found = ask(&python, &["-c", code]).expect("these tests need a python3");
    let lines: Vec<&str> = found.lines().collect();
    let find = |name: &str| ask("sh", &["-c", &format!("command -v {name}")]);
    let other = |name: &str| {
        let program = find(name)?;
        Some(tool(&program, &ask(&program, &["--version"])?, Vec::new()))
    };
    Toolbox {
        python: Some(tool(lines[0], lines[1], vec![lines[2].into()])),
        node: other("node"),
        rustc: other("rustc"),
        ..Toolbox::default()
    }
}

pub fn genome(files: &[(&str, &str)]) -> Genome {
    files.iter().map(|(path, text)| (GenomePath::new(path).unwrap(), FileBody::new(text.as_bytes(), false))).collect()
}

pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

pub fn source(folder: &Path) -> SuiteSource {
    SuiteSource { folder: folder.to_owned(), limits: Limits::default() }
}

/// A native suite from the text of its files.
pub fn native(files: &[(&str, &str)]) -> Suite {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    Suite::native(&source(folder.path()), &tools()).unwrap()
}

/// A task line that calls `f` of `a.py` with one input.
pub fn call(id: &str, split: &str, arguments: &str, expect: &str) -> String {
    format!(
        r#"{{"id":"{id}","split":"{split}","assignment":{{"call":{{"file":"a.py","function":"f"}},"inputs":[{arguments}]}},"key":{{"expect":[{expect}]}}}}"#
    ) + "\n"
}

pub fn order(splits: &'static [Split], lines: bool) -> Order<'static> {
    Order { scope: Scope { splits, lines, ..Scope::default() }, nonce: NONCE }
}

/// Runs a job, with `/work` and `/tmp` in a folder of its own.
pub fn run(job: &Job) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap().to_owned();
    let moved = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text
            .replace("/tmp/", "\u{1}")
            .replace("/work", &format!("{root}/work"))
            .replace('\u{1}', &format!("{root}/tmp/"))
            .into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    let place = |path: &str| String::from_utf8(moved(path.as_bytes())).unwrap();
    std::fs::create_dir_all(format!("{root}/tmp")).unwrap();
    std::fs::create_dir_all(format!("{root}/work/genome")).unwrap();
    for file in &job.files {
        let path = PathBuf::from(place(&file.path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, moved(&file.bytes)).unwrap();
    }
    let mut child = Command::new(&job.argv[0])
        .args(job.argv[1..].iter().map(|a| place(a)))
        .current_dir(place(&job.cwd))
        .env_clear()
        .envs(job.env.iter().map(|(name, value)| (name, place(value))))
        // Outside a cage the folder for temporary files is each job's own, too: tests run beside each other.
        .env("TMPDIR", format!("{root}/tmp"))
        .envs(std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RUSTUP_")))
        .env(
            "RUSTUP_HOME",
            std::env::var("RUSTUP_HOME").unwrap_or(format!("{}/.rustup", std::env::var("HOME").unwrap())),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let group = child.id();
    let mut stdin = child.stdin.take().unwrap();
    let input = job.stdin.clone();
    let begin = Instant::now();
    std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let full = Arc::new(AtomicBool::new(false));
    let read = |mut from: Box<dyn Read + Send>| {
        let (full, most) = (Arc::clone(&full), job.limits.output);
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.by_ref().take(most).read_to_end(&mut bytes);
            full.fetch_or(from.read(&mut [0]).is_ok_and(|more| more > 0), Ordering::Relaxed);
            // Until it is killed.
            let _ = std::io::copy(&mut from, &mut std::io::sink());
            bytes
        })
    };
    let out = read(Box::new(child.stdout.take().unwrap()));
    let err = read(Box::new(child.stderr.take().unwrap()));
    let ending = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break match status.code() {
                Some(code) => Ending::Exited(code),
                None => Ending::Signalled(status.signal().unwrap()),
            };
        }
        if full.load(Ordering::Relaxed) {
            break Ending::OutputCap;
        }
        if begin.elapsed() > job.limits.wall {
            break Ending::WallClock;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let _ = Command::new("kill").args(["-9", "--", &format!("-{group}")]).stderr(Stdio::null()).status();
    let _ = child.wait();
    Finished {
        stdout: out.join().unwrap(),
        stderr: err.join().unwrap(),
        ending,
        seconds: begin.elapsed().as_secs_f64(),
    }
}

/// Works, grades and settles all exams.
pub fn examine(suite: &Suite, genome: &Genome, lines: bool) -> Graded {
    let job = suite.work(genome, &order(ALL, lines));
    let finished = run(&job);
    let mut graded = suite.grade(&job, &finished);
    for exam in graded.exams.clone() {
        let finished = run(&exam.job);
        suite.settle(&mut graded, &exam, &finished);
    }
    if graded.scorecard.marks.iter().any(|m| m.status == MarkStatus::Garbled) {
        eprintln!("stderr: {}", String::from_utf8_lossy(&finished.stderr));
    }
    graded
}

pub fn mark<'a>(graded: &'a Graded, id: &str) -> &'a Mark {
    graded.scorecard.marks.iter().find(|m| m.task.0 == id).unwrap_or_else(|| panic!("no mark for {id}"))
}
