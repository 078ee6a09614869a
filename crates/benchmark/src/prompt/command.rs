//! A command of the suite's own that marks answers, in a cage that the subject's code never enters.

use std::time::Duration;

use meliora_domain::{Ending, Finished, MarkStatus, Value};

use super::rows::Row;
use super::{PromptSuite, json};
use crate::exam::verdict_line;
use crate::frame::{Ticket, head, tail};
use crate::grade::Outcome;
use crate::work::environment;
use crate::{CageFile, Exam, Job};

/// Seconds that it may take for a row.
const SECONDS: u64 = 30;
/// Its folder in the cage.
const FOLDER: &str = "/work/suite";

impl PromptSuite {
    /// The exam of an answer. The command reads `{"inputs": …, "outputs": …, "expected": …}`.
    pub(super) fn command_exam(&self, argv: &[String], row: &Row, outputs: &Value) -> Exam {
        let expected = row.expected.as_ref().map_or_else(|| "null".to_owned(), |value| json(value).text());
        let inputs = json(&Value::Map(row.inputs.clone()));
        let stdin =
            format!("{{\"inputs\":{},\"outputs\":{},\"expected\":{expected}}}\n", inputs.text(), json(outputs).text());
        let files: Vec<CageFile> = self
            .native
            .files
            .iter()
            .filter(|(name, _)| *name != "suite.toml")
            .map(|(name, bytes)| {
                let (path, executable) = (format!("{FOLDER}/{name}"), bytes.starts_with(b"#!"));
                CageFile { path, bytes: bytes.clone(), executable }
            })
            .collect();
        let mut limits = self.native.limits.clone();
        limits.wall = Duration::from_secs(SECONDS);
        limits.disk = limits.disk.saturating_add(files.iter().map(|f| f.bytes.len() as u64).sum());
        // The program is looked for on the cage's own path, a file of the suite where it stands.
        let argv = std::iter::once("/usr/bin/env").chain(argv.iter().map(String::as_str)).map(str::to_owned).collect();
        let (env, ticket) = (environment(), Ticket::default());
        let stdin = stdin.into_bytes();
        let job = Job { files, argv, cwd: FOLDER.into(), stdin, limits, read_only: Vec::new(), env, ticket };
        Exam { task: row.id.clone(), job }
    }
}

/// What it says: `{"score": 0..1, "detail": "…"}` in its last line; or 1 for the exit code 0 and 0 for 1, and what it
/// printed is the detail. Anything else is the suite's fault, and counts neither way.
pub(super) fn outcome(finished: &Finished) -> Outcome {
    let said = String::from_utf8_lossy(&finished.stdout);
    let said = said.trim();
    let (score, detail) = match (finished.ending, verdict_line(said)) {
        (Ending::Exited(0 | 1), Ok(verdict)) => verdict,
        (Ending::Exited(code @ (0 | 1)), Err(why)) => {
            // What begins as a verdict and is none is a mistake, not a word of praise.
            if said.lines().last().is_some_and(|line| line.trim_start().starts_with('{')) {
                return Outcome::failure(MarkStatus::Missing, format!("the suite's command {why}"));
            }
            (f64::from(code == 0), said.to_owned())
        }
        (ending, _) => {
            let error = tail(&String::from_utf8_lossy(&finished.stderr), 300);
            return Outcome::failure(MarkStatus::Missing, format!("the suite's command failed ({ending:?}): {error}"));
        }
    };
    let status = if score >= 1.0 { MarkStatus::Passed } else { MarkStatus::Failed };
    Outcome { status, score, detail: head(&detail, 600), brief: format!("checked: {score}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_word_or_its_exit_code_decides_and_garbage_does_not() {
        let said = |code: i32, out: &str| {
            let stdout = out.as_bytes().to_vec();
            outcome(&Finished { stdout, stderr: Vec::new(), ending: Ending::Exited(code), seconds: 0.0 })
        };
        for (code, out, status, score, detail) in [
            (0, "", MarkStatus::Passed, 1.0, ""),
            (1, "too long", MarkStatus::Failed, 0.0, "too long"),
            (0, "note\n{\"score\": 0.5, \"detail\": \"half\"}", MarkStatus::Failed, 0.5, "half"),
            (1, "{\"score\": 1}", MarkStatus::Passed, 1.0, ""),
        ] {
            let outcome = said(code, out);
            assert_eq!(
                (outcome.status, outcome.score, outcome.detail.as_str()),
                (status, score, detail),
                "{code} {out}"
            );
        }
        for (code, out) in [(2, ""), (0, "{\"score\": 7}"), (127, "{\"score\": 1}")] {
            assert_eq!(said(code, out).status, MarkStatus::Missing, "{code} {out}");
        }
    }
}
