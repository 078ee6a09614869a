//! Command-driven suites: a shell script builds the subject once and runs it once a task.

use std::time::Duration;

use meliora_domain::{Genome, MarkStatus};

use crate::frame::{End, Frame, Ticket, head, tail};
use crate::grade::{Outcome, Result};
use crate::json::Json;
use crate::native::{Assignment, CommandWork, Key, Task, ToolName};
use crate::suite::NativeSuite;
use crate::work::{START, at_least, canary, environment, file, genome_files, mounts};
use crate::{CageFile, Job, Tool, task_seed};

/// The fixed part of the script.
pub(crate) const SCRIPT: &str = include_str!("../drivers/script.sh");

/// Seconds that a build may take: an optimised Rust program of a few thousand lines on a slow core.
const BUILD: f64 = 120.0;
/// What a compiler needs: rustc reserves more address space than it uses.
const COMPILER_MEMORY: u64 = 4 << 30;

impl NativeSuite {
    /// The work job of a command-driven suite.
    pub(crate) fn script_job(&self, genome: &Genome, ticket: Ticket) -> Job {
        let Some(work) = &self.settings.work else {
            unreachable!("a suite whose tasks have a stdin was loaded with [work]")
        };
        let mut files = genome_files(genome);
        files.extend(self.shown());
        for (position, index) in ticket.tasks.iter().enumerate() {
            if let Assignment::Stdin(text) = &self.tasks[*index].assignment {
                files.push(file(&format!("/work/tasks/{position}"), text.as_bytes()));
            }
        }
        let script = self.script(work, &ticket);
        let canaries: Vec<String> = (0..ticket.tasks.len()).map(|i| canary(&ticket.nonce, i).to_string()).collect();
        files.push(CageFile {
            path: "/work/driver/script.sh".to_owned(),
            bytes: script.into_bytes().into(),
            executable: false,
        });

        let tools: Vec<&Tool> = [&self.python, &self.node, &self.rustc].into_iter().flatten().collect();
        let mut limits = if work.tools.contains(&ToolName::Rustc) {
            at_least(&self.limits, COMPILER_MEMORY)
        } else {
            self.limits.clone()
        };
        let build = if work.build.is_empty() { 0.0 } else { BUILD };
        limits.wall = Duration::from_secs_f64(build + ticket.budget + START);
        limits.cpu_seconds = limits.cpu_seconds.max(build as u32);
        limits.disk = limits.disk.saturating_add(files.iter().map(|f| f.bytes.len() as u64).sum());
        let mut read_only = Vec::new();
        for path in tools.into_iter().flat_map(mounts) {
            if !read_only.contains(&path) {
                read_only.push(path);
            }
        }
        Job {
            files,
            argv: vec!["/bin/sh".to_owned(), "/work/driver/script.sh".to_owned()],
            cwd: "/work".to_owned(),
            stdin: format!("{}\n{}\n", canaries.join(" "), ticket.nonce).into_bytes(),
            limits,
            read_only,
            env: environment(),
            ticket,
        }
    }

    fn script(&self, work: &CommandWork, ticket: &Ticket) -> String {
        let command = |argv: &[String]| {
            let mut words: Vec<String> = argv.iter().map(|w| shell_word(w)).collect();
            if let Some((first, tool)) = argv.first().and_then(|name| Some((words.first_mut()?, self.tool(name)?))) {
                *first = shell_word(&tool.program.to_string_lossy());
            }
            words.join(" ")
        };
        let seconds = self.settings.seconds;
        let build = if work.build.is_empty() {
            "true".to_owned()
        } else {
            format!("timeout -k 1 {BUILD} {}", command(&work.build))
        };
        let run = format!("timeout -k 0.2 {seconds} {}", command(&work.run));
        let task = match work.canary {
            true => format!("{{ echo \"$canary\"; timeout -k 0.2 {seconds} cat \"$1\"; }} | {run}"),
            false => format!("{run} <\"$1\""),
        };
        let seeds: Vec<String> =
            ticket.tasks.iter().map(|i| task_seed(&self.tasks[*i].id, ticket.seed).to_string()).collect();
        let room = (self.limits.output / 8).clamp(1 << 10, 1 << 18);
        format!(
            "build() {{ {build}; }}\ntask() {{ {task}; }}\nROOM={room}\nBLOCKS={}\nBUDGET={}\nTASKS={}\nSEEDS='{}'\n{SCRIPT}",
            (self.limits.disk / 2) >> 9,
            ((if work.build.is_empty() { 0.0 } else { BUILD }) + ticket.budget).ceil(),
            ticket.tasks.len(),
            seeds.join(" "),
        )
    }

    /// The tool that a command's first word means.
    fn tool(&self, name: &str) -> Option<&Tool> {
        match name {
            "python" | "python3" => self.python.as_ref(),
            "node" | "nodejs" => self.node.as_ref(),
            "rustc" => self.rustc.as_ref(),
            _ => None,
        }
    }

    /// What a command printed, and whether it came to its end: where the suite has a canary, its line ends the output, and
    /// without it somebody else ended the program.
    pub(crate) fn told(&self, frame: &Frame, canary: u32) -> (String, bool) {
        let said = String::from_utf8_lossy(&unbase64(&frame.said)).into_owned();
        if !self.settings.work.as_ref().is_some_and(|work| work.canary) {
            return (said, true);
        }
        let canary = canary.to_string();
        let until: Vec<&str> = said.lines().take_while(|line| *line != canary).collect();
        let ended = until.len() < said.lines().count();
        (until.iter().map(|line| format!("{line}\n")).collect(), ended)
    }

    /// Grades one task of a command-driven suite.
    pub(crate) fn grade_stdout(&self, task: &Task, frame: &Frame, canary: u32, budget: f64) -> Result {
        let (said, ended) = self.told(frame, canary);
        let error = tail(&String::from_utf8_lossy(&unbase64(&frame.error)), 400);
        if frame.end == End::Build {
            let shown = head(error.trim(), 600);
            return Result::Final(Outcome::failure(MarkStatus::Crashed, format!("the build failed: {shown}")));
        }
        let Assignment::Stdin(stdin) = &task.assignment else {
            unreachable!("only tasks with a stdin are graded by their output")
        };
        if frame.end != End::Done {
            let (status, why) = match frame.end {
                // The subject ran and said what it did not like: that is a crash, not garbage.
                End::Exit(code) => (MarkStatus::Crashed, format!("exited with code {code}")),
                end => end.failure(self.settings.seconds, budget),
            };
            let said = if error.is_empty() { String::new() } else { format!(": {error}") };
            let detail = head(&format!("with input {:?} it {why}{said}", head(stdin, 160)), 600);
            return Result::Final(Outcome { status, score: 0.0, detail, brief: why });
        }
        if !ended {
            let detail = "ended before the suite's own program did".to_owned();
            return Result::Final(Outcome::failure(MarkStatus::Garbled, detail));
        }
        let expected = match &task.key {
            Key::Stdout(expected) => expected,
            _ => return Result::Exam(Json::Text(said)),
        };
        if trimmed(expected) == trimmed(&said) {
            return Result::Final(Outcome {
                status: MarkStatus::Passed,
                score: 1.0,
                detail: String::new(),
                brief: String::new(),
            });
        }
        let detail = format!(
            "with input {:?}: expected {:?}, got {:?}",
            head(stdin, 160),
            head(expected.trim_end(), 160),
            head(said.trim_end(), 160),
        );
        let brief = "wrong output".to_owned();
        Result::Final(Outcome { status: MarkStatus::Failed, score: 0.0, detail: head(&detail, 600), brief })
    }
}

/// The lines without the white space at their ends, and without empty lines at the end.
fn trimmed(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    lines
}

/// A word that the shell takes as it is.
fn shell_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Decodes standard base64 (RFC 4648, section 4); what is not of its alphabet is left out.
fn unbase64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = (bits << 6 | u32::from(six)) & 0xff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar"), ("+/8=", "")]
        {
            let got = unbase64(text);
            assert!(got == bytes.as_bytes() || (text == "+/8=" && got == [0xfb, 0xff]), "{text}");
        }
    }

    #[test]
    fn white_space_at_ends_of_lines_is_not_compared_and_other_white_space_is() {
        assert_eq!(trimmed("a \nb\n\n"), trimmed("a\nb"));
        assert_ne!(trimmed("a\nb"), trimmed("a b"));
        assert_ne!(trimmed(" a"), trimmed("a"));
    }

    #[test]
    fn no_word_of_a_command_reaches_the_shell_as_code() {
        assert_eq!(shell_word("a'; rm -rf /; '"), "'a'\\''; rm -rf /; '\\'''");
    }
}
