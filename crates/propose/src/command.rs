//! An outside program as proposer, run in a cage.
//!
//! It reads the brief as one JSON object from standard input (also in `/work/brief.json`):
//!
//! ```json
//! {"goal": "…", "step": 7, "seed": 123, "parent": "<commit>", "score": 0.5,
//!  "files": {"a.py": "…"}, "binary": ["logo.png"], "editable": ["a.py"],
//!  "feedback": [{"task": "t1", "passed": false, "detail": "…", "lines": {"a.py": [1, 2]}}],
//!  "inspirations": [{"variant": "<commit>", "score": 0.6, "files": {"a.py": "…"}}],
//!  "attempts": [{"reason": "…", "outcome": "…", "feedback": "…"}]}
//! ```
//!
//! and writes a change to standard output, as JSON:
//!
//! ```json
//! {"reason": "why", "edits": [
//!   {"replace": {"path": "a.py", "search": "old", "replace": "new"}},
//!   {"write": {"path": "b.py", "content": "all of it"}},
//!   {"delete": {"path": "c.py"}}]}
//! ```
//!
//! or as SEARCH/REPLACE blocks or fenced files, or `{"exhausted": true}` if it has nothing more for this parent.
//! Whatever else it does is an outcome, not an error.

use std::collections::BTreeMap;

use meliora_domain::{Change, Cost, Edit, Ending, Feedback, Finished, Genome};
use meliora_evolve::{
    Bid, Brief, CageError, CageSpec, Command, PastAttempt, ProposeError, Proposer, Sandbox, SandboxError, run_to_end,
};
use serde::{Deserialize, Serialize};

use crate::rewrite::read_text;

/// Where the brief lies in the cage.
const BRIEF: &str = "/work/brief.json";

/// A proposer that runs a program in a cage.
pub struct CommandProposer<'a> {
    sandbox: &'a dyn Sandbox,
    argv: Vec<String>,
    spec: CageSpec,
}

impl<'a> CommandProposer<'a> {
    /// Runs `argv` (an absolute path and its arguments) in cages of this kind. The program and what it needs must be
    /// among the specification's read-only paths.
    pub fn new(sandbox: &'a dyn Sandbox, argv: Vec<String>, spec: CageSpec) -> Self {
        CommandProposer { sandbox, argv, spec }
    }

    fn run(&self, brief: &[u8]) -> Result<Finished, ProposeError> {
        let cage = self.sandbox.open(self.spec.clone()).map_err(broken)?;
        cage.put(BRIEF, brief, false).map_err(|e| match e {
            CageError::Machinery(e) => broken(e),
            other => ProposeError {
                what: format!("the brief cannot be handed to the command: {other}"),
                hint: Some("allow its cage more disk".into()),
                spent: Cost::ZERO,
            },
        })?;
        // From a file, not a pipe: a program that reads nothing would leave a long brief stuck in one.
        let shell = ["/usr/bin/sh", "-c", r#"exec "$@" < /work/brief.json"#, "sh"].map(str::to_owned);
        let argv = shell.into_iter().chain(self.argv.iter().cloned()).collect();
        run_to_end(&*cage, &Command { argv, ..Command::default() }, b"").map_err(broken)
    }
}

impl Proposer for CommandProposer<'_> {
    /// # Errors
    /// If no cage can be opened. A crash, a time-out and garbage are bids.
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let finished = self.run(&brief_json(brief))?;
        Ok(match read(&finished, brief.genome) {
            Ok(Some((change, reason))) => Bid::Proposal { change, reason, idea: None, cost: Cost::ZERO },
            Ok(None) => Bid::Exhausted,
            Err(reason) => Bid::Unusable { reason, cost: Cost::ZERO },
        })
    }

    fn wants_lines(&self) -> bool {
        true
    }

    fn reads_others(&self) -> bool {
        true
    }
}

fn broken(e: SandboxError) -> ProposeError {
    ProposeError { what: format!("the command cannot be run: {e}"), hint: e.hint, spent: Cost::ZERO }
}

/// The brief as the command reads it.
#[derive(Serialize)]
struct Told<'a> {
    goal: &'a str,
    step: u64,
    seed: u64,
    parent: String,
    score: Option<f64>,
    files: BTreeMap<&'a str, &'a str>,
    binary: Vec<&'a str>,
    editable: Vec<&'a str>,
    feedback: &'a [Feedback],
    inspirations: Vec<ToldInspiration<'a>>,
    attempts: &'a [PastAttempt],
}

#[derive(Serialize)]
struct ToldInspiration<'a> {
    variant: String,
    score: Option<f64>,
    files: BTreeMap<&'a str, &'a str>,
}

fn texts(genome: &Genome) -> BTreeMap<&str, &str> {
    genome.files().filter_map(|(path, body)| Some((path.as_str(), body.text()?))).collect()
}

fn brief_json(brief: &Brief<'_>) -> Vec<u8> {
    let paths = || brief.genome.files().map(|(path, _)| path.as_str());
    let files = texts(brief.genome);
    let told = Told {
        goal: brief.goal,
        step: brief.step,
        seed: brief.seed,
        parent: brief.parent.to_string(),
        score: brief.score,
        binary: paths().filter(|p| !files.contains_key(p)).collect(),
        files,
        editable: paths().filter(|p| (brief.editable)(p)).collect(),
        feedback: brief.feedback,
        inspirations: brief
            .inspirations
            .iter()
            .map(|i| ToldInspiration { variant: i.variant.to_string(), score: i.score, files: texts(&i.genome) })
            .collect(),
        attempts: brief.attempts,
    };
    serde_json::to_vec(&told).expect("strings, numbers and maps with text keys always have a JSON form")
}

/// What the command answers in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    edits: Vec<Edit>,
    #[serde(default)]
    exhausted: bool,
}

/// The change in what a command left; `None` if it has nothing more.
fn read(finished: &Finished, genome: &Genome) -> Result<Option<(Change, String)>, String> {
    let why = match finished.ending {
        Ending::Exited(0) => None,
        Ending::Exited(code) => Some(format!("exited with {code}")),
        Ending::Signalled(signal) => Some(format!("was ended by signal {signal}")),
        Ending::WallClock => Some("ran out of wall-clock time".into()),
        Ending::CpuTime => Some("ran out of processor time".into()),
        Ending::OutputCap => Some("wrote more than may be kept".into()),
        Ending::Memory => Some("needed more memory than it may have".into()),
    };
    if let Some(why) = why {
        let said = String::from_utf8_lossy(&finished.stderr);
        let last = said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("nothing on standard error");
        let last: String = last.trim().chars().take(300).collect();
        return Err(format!("the command {why}: {last}"));
    }
    let text = std::str::from_utf8(&finished.stdout).map_err(|_| "the command's output is not UTF-8 text")?;
    if !text.trim_start().starts_with('{') {
        return read_text(text, genome).map(Some).map_err(|why| format!("the command's output is no change: {why}"));
    }
    let answer: Answer =
        serde_json::from_str(text).map_err(|e| format!("the command's output is not the JSON of a change: {e}"))?;
    match (answer.exhausted, answer.edits.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err("the command says that it has nothing more and gives edits".into()),
        (false, true) => Err("the command's change has no edits".into()),
        (false, false) => Ok(Some((Change { edits: answer.edits }, answer.reason))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use meliora_domain::{FileBody, GenomePath, TreeId, VariantId};
    use meliora_evolve::{Cage, CageEntry, CageUsage, Happening, Process};

    use super::*;

    /// A sandbox whose every command writes the same and ends the same, and which keeps what it was given.
    struct Scripted {
        stdout: Vec<u8>,
        stderr: &'static str,
        ending: Ending,
        seen: Mutex<Vec<(String, Vec<u8>)>>,
    }

    struct Room<'a>(&'a Scripted);
    struct Run(Mutex<Vec<Happening>>);

    impl Sandbox for &'static Scripted {
        fn open(&self, _: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
            Ok(Box::new(Room(self)))
        }
        fn describe(&self) -> String {
            "scripted".into()
        }
    }

    impl Cage for Room<'static> {
        fn put(&self, path: &str, bytes: &[u8], _: bool) -> Result<(), CageError> {
            self.0.seen.lock().unwrap().push((path.into(), bytes.to_vec()));
            Ok(())
        }
        fn get(&self, path: &str, _: u64) -> Result<Vec<u8>, CageError> {
            Err(CageError::NoFile { path: path.into(), why: "nothing is here".into() })
        }
        fn list(&self, _: &str) -> Result<Vec<CageEntry>, CageError> {
            Ok(Vec::new())
        }
        fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
            Err(CageError::NoFile { path: path.into(), why: "nothing is here".into() })
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
        fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError> {
            self.0.seen.lock().unwrap().push((command.argv.join(" "), Vec::new()));
            Ok(Box::new(Run(Mutex::new(vec![
                Happening::Exit(self.0.ending),
                Happening::Stderr(self.0.stderr.into()),
                Happening::Stdout(self.0.stdout.clone()),
            ]))))
        }
    }

    impl Process for Run {
        fn write(&self, _: &[u8]) -> Result<(), SandboxError> {
            Ok(())
        }
        fn close_stdin(&self) {}
        fn next(&self) -> Result<Happening, SandboxError> {
            let mut left = self.0.lock().unwrap();
            Ok(if left.len() > 1 { left.pop().unwrap() } else { left[0].clone() })
        }
        fn signal(&self, _: i32) -> Result<(), SandboxError> {
            Ok(())
        }
    }

    struct Never;
    impl meliora_evolve::Tried for Never {
        fn tree(&self, _: &TreeId) -> bool {
            false
        }
        fn idea(&self, _: &meliora_domain::Digest) -> bool {
            false
        }
    }

    fn bid(stdout: &[u8], stderr: &'static str, ending: Ending) -> (Bid, &'static Scripted) {
        let sandbox: &'static Scripted =
            Box::leak(Box::new(Scripted { stdout: stdout.into(), stderr, ending, seen: Mutex::default() }));
        let path = |p: &str| GenomePath::new(p).unwrap();
        let genome = Genome::new()
            .with(path("a.py"), FileBody::new(b"x = 1\n".as_slice(), false))
            .with(path("b.bin"), FileBody::new([0xff, 0xfe].as_slice(), false));
        let brief = Brief {
            goal: "better",
            step: 7,
            seed: 9,
            parent: VariantId([1; 20]),
            genome: &genome,
            score: Some(0.5),
            feedback: &[],
            examples: &[],
            trial: &meliora_evolve::Untried,
            ancestors: &[],
            mates: &[],
            inspirations: &[],
            attempts: &[],
            editable: &|p| p == "a.py",
            tried: &Never,
            reserved: Cost::ZERO,
        };
        let argv = vec!["/opt/tool".into(), "--fast".into()];
        let bid = CommandProposer::new(&sandbox, argv, CageSpec::manual()).propose(&brief).unwrap();
        (bid, sandbox)
    }

    #[test]
    fn the_command_gets_the_brief_and_its_change_is_taken() {
        let json = br#"{"reason": "why not", "edits": [{"write": {"path": "a.py", "content": "x = 2\n"}}]}"#;
        let (bid, sandbox) = bid(json, "", Ending::Exited(0));
        let edits = vec![Edit::Write { path: "a.py".into(), content: "x = 2\n".into() }];
        let reason = "why not".into();
        assert_eq!(bid, Bid::Proposal { change: Change { edits }, reason, idea: None, cost: Cost::ZERO });
        let seen = sandbox.seen.lock().unwrap();
        assert_eq!(seen[0].0, "/work/brief.json");
        let told: serde_json::Value = serde_json::from_slice(&seen[0].1).unwrap();
        assert_eq!((&told["step"], &told["files"]["a.py"]), (&7.into(), &"x = 1\n".into()));
        assert_eq!((&told["binary"][0], &told["editable"]), (&"b.bin".into(), &serde_json::json!(["a.py"])));
        assert!(seen[1].0.ends_with("/opt/tool --fast"), "{}", seen[1].0);
    }

    #[test]
    fn blocks_are_taken_too() {
        let text = b"Better so.\na.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n";
        let Bid::Proposal { change, .. } = bid(text, "", Ending::Exited(0)).0 else { panic!("no proposal") };
        let replace = Edit::Replace { path: "a.py".into(), search: "x = 1".into(), replace: "x = 2".into() };
        assert_eq!(change.edits, [replace]);
    }

    #[test]
    fn nothing_more_is_exhausted() {
        assert_eq!(bid(br#"{"exhausted": true}"#, "", Ending::Exited(0)).0, Bid::Exhausted);
    }

    #[test]
    fn whatever_else_it_does_is_unusable_and_says_why() {
        let ok = Ending::Exited(0);
        let cases: [(&[u8], &'static str, Ending, &str); 10] = [
            (b"", "", ok, "the answer is empty"),
            (b"I have no idea", "", ok, "only words"),
            (b"{}", "", ok, "no edits"),
            (br#"{"edits": [{"copy": {}}]}"#, "", ok, "unknown variant `copy`"),
            (br#"{"edits": [], "more": 1}"#, "", ok, "unknown field `more`"),
            (br#"{"edits": ["#, "", ok, "not the JSON"),
            (b"\xff\xfe", "", ok, "not UTF-8"),
            (b"{}", "Traceback\nKeyError: 'x'\n\n", Ending::Exited(1), "exited with 1: KeyError: 'x'"),
            (b"", "", Ending::WallClock, "wall-clock time"),
            (b"", "", Ending::Signalled(11), "signal 11"),
        ];
        for (stdout, stderr, ending, words) in cases {
            match bid(stdout, stderr, ending).0 {
                Bid::Unusable { reason, .. } => assert!(reason.contains(words), "{reason}"),
                other => panic!("{words}: {other:?}"),
            }
        }
    }
}
