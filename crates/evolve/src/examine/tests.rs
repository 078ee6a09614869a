//! Cages that fail: a second one, then missing marks, then an end.

use std::sync::atomic::{AtomicU32, Ordering};

use meliora_benchmark::{Scope, Suite, SuiteSource, Tool, Toolbox};
use meliora_constitution::{Constitution, Lawful, Reach, Ruling, Subject};
use meliora_domain::{Ending, FileBody, Genome, GenomePath, Limits, MarkStatus, Split, Timestamp};

use super::*;
use crate::port::{CageEntry, CageUsage, Happening, Process};

/// A sandbox whose cages fail to open so many times; then each runs something that says nothing.
struct Flaky(AtomicU32);

struct Empty;
struct Silent;

fn broken() -> SandboxError {
    SandboxError { what: "opening a cage".into(), cause: "no room on the disk".into(), hint: None }
}

fn none(path: &str) -> CageError {
    CageError::NoFile { path: path.into(), why: "nothing is here".into() }
}

impl Sandbox for Flaky {
    fn open(&self, _: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => Err(broken()),
            Err(_) => Ok(Box::new(Empty)),
        }
    }
    fn describe(&self) -> String {
        "flaky".into()
    }
}

impl Cage for Empty {
    fn put(&self, _: &str, _: &[u8], _: bool) -> Result<(), CageError> {
        Ok(())
    }
    fn get(&self, path: &str, _: u64) -> Result<Vec<u8>, CageError> {
        Err(none(path))
    }
    fn list(&self, _: &str) -> Result<Vec<CageEntry>, CageError> {
        Ok(Vec::new())
    }
    fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        Err(none(path))
    }
    fn make_folder(&self, _: &str) -> Result<bool, CageError> {
        Ok(true)
    }
    fn remove(&self, _: &str) -> Result<(), CageError> {
        Ok(())
    }
    fn rename(&self, _: &str, _: &str) -> Result<(), CageError> {
        Ok(())
    }
    fn pause(&self, _: bool) -> Result<(), SandboxError> {
        Ok(())
    }
    fn usage(&self) -> CageUsage {
        CageUsage::default()
    }
    fn spawn(&self, _: &Command) -> Result<Box<dyn Process>, SandboxError> {
        Ok(Box::new(Silent))
    }
}

impl Process for Silent {
    fn write(&self, _: &[u8]) -> Result<(), SandboxError> {
        Ok(())
    }
    fn close_stdin(&self) {}
    fn next(&self) -> Result<Happening, SandboxError> {
        Ok(Happening::Exit(Ending::Exited(0)))
    }
    fn signal(&self, _: i32) -> Result<(), SandboxError> {
        Ok(())
    }
}

fn suite(folder: &std::path::Path) -> Suite {
    let task = |id: &str, split: &str| {
        format!(
            r#"{{"id":"{id}","split":"{split}","assignment":{{"call":{{"file":"a.py","function":"f"}},"inputs":[[1]]}},"key":{{"expect":[1]}}}}"#
        ) + "\n"
    };
    std::fs::write(folder.join("suite.toml"), "kind = \"exact\"\n").unwrap();
    let tasks = task("a", "validation") + &task("b", "validation") + &task("t", "train") + &task("h", "holdout");
    std::fs::write(folder.join("tasks.jsonl"), tasks).unwrap();
    let (program, version) = ("/usr/bin/python3".into(), "Python 3.11.2".to_owned());
    let python = Some(Tool { program, version, needs: Vec::new(), modules: Vec::new(), library: None });
    let source = SuiteSource { folder: folder.to_owned(), limits: Limits::default() };
    Suite::native(&source, &Toolbox { python, ..Toolbox::default() }).unwrap()
}

fn lawful() -> Lawful {
    let reach = Reach { editable: vec!["*.py".into()], protected: Vec::new(), max_bytes: 1 << 20 };
    let law = Constitution::builtin(reach).unwrap();
    let body = FileBody::new(b"def f(x):\n    return x\n".as_slice(), false);
    let genome = Genome::new().with(GenomePath::new("a.py").unwrap(), body);
    match law.review(Subject::Baseline(&genome), &[], Timestamp(0)) {
        Ruling::Lawful(lawful) => lawful,
        other => panic!("{other:?}"),
    }
}

/// What examinations of all train and validation tasks come to, one after the other, where so many cages fail first.
fn marks(fail: u32, examinations: usize, failures: Option<&AtomicU32>) -> Vec<Result<Vec<MarkStatus>, String>> {
    let folder = tempfile::tempdir().unwrap();
    let (suite, sandbox, lawful) = (suite(folder.path()), Flaky(AtomicU32::new(fail)), lawful());
    let means = Means {
        suite: &suite,
        sandbox: &sandbox,
        student: None,
        nonce: &|| [7; 16],
        kept: &relay::Kept::default(),
        failures,
    };
    let scope = Scope { splits: &[Split::Train, Split::Validation], ..Scope::default() };
    let examine = |_| {
        let graded = super::examine(&means, &lawful, &scope, &Purse::new(None)).map_err(|e| e.to_string())?;
        let missing = graded.scorecard.marks.iter().filter(|m| m.status == MarkStatus::Missing);
        assert!(missing.into_iter().all(|m| m.score == 0.0 && m.detail.contains("no room on the disk")));
        Ok(graded.scorecard.marks.iter().map(|m| m.status).collect())
    };
    (0..examinations).map(examine).collect()
}

#[test]
fn a_cage_that_fails_once_costs_nothing_and_one_that_fails_twice_leaves_missing_marks() {
    use MarkStatus::{Garbled, Missing};
    // What ran and said nothing is the subject's own failure.
    assert_eq!(marks(1, 1, Some(&AtomicU32::new(0))), [Ok(vec![Garbled; 3])]);
    let failures = AtomicU32::new(0);
    assert_eq!(marks(2, 2, Some(&failures)), [Ok(vec![Missing; 3]), Ok(vec![Garbled; 3])]);
    assert_eq!(failures.load(Ordering::Relaxed), 0, "one that works ends the row");
}

#[test]
fn cages_that_fail_again_and_again_are_an_error_that_says_why() {
    use MarkStatus::Missing;
    let found = marks(99, 3, Some(&AtomicU32::new(0)));
    assert_eq!(found[..2], [Ok(vec![Missing; 3]), Ok(vec![Missing; 3])]);
    assert_eq!(found[2], Err("opening a cage: no room on the disk".to_owned()));
    // Where there is nothing to hold a missing mark against, the second failure is the last.
    assert_eq!(marks(2, 1, None)[0], Err("opening a cage: no room on the disk".to_owned()));
}
