//! Frames: the lines of a driver's output that carry the examination's nonce. Nothing else of it is read.

use std::collections::BTreeMap;

use meliora_domain::{Ending, MarkStatus};

use crate::json::Json;

/// What is needed to read a job's result.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Ticket {
    /// The order's secret.
    pub(crate) nonce: String,
    /// The suite's positions of the tasks, in the job's order.
    pub(crate) tasks: Vec<usize>,
    /// Genome files whose lines are watched, in the plan's order.
    pub(crate) files: Vec<String>,
    /// Lines that ran in the work job before this exam.
    pub(crate) lines: BTreeMap<String, Vec<u32>>,
    /// Seconds that the whole job was given.
    pub(crate) budget: f64,
    /// The order's seed.
    pub(crate) seed: u64,
    /// Number of validation tasks, where not all of them are in the job; else 0.
    pub(crate) part_of: u64,
}

/// How one task's process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It said all it had to say.
    Done,
    /// Its time was over.
    Time,
    /// The time of all tasks together was over.
    Budget,
    /// Other tasks of its function had run out of time before, so it was not run.
    Skipped,
    /// It said more than is taken.
    Size,
    /// It ended too early, with this exit code.
    Exit(i64),
    /// It died too early, by this signal.
    Signal(i64),
    /// It needed more memory than it may have.
    Memory,
    /// No process could be started for it: those left behind are as many as there may be.
    Processes,
    /// The subject could not be built.
    Build,
}

impl End {
    /// The mark and the words for an end without a whole result.
    pub(crate) fn failure(self, seconds: f64, budget: f64) -> (MarkStatus, String) {
        match self {
            End::Done => (MarkStatus::Garbled, "gave no readable result".to_owned()),
            End::Time => (MarkStatus::TimedOut, format!("took longer than {seconds} s")),
            End::Budget => (
                MarkStatus::TimedOut,
                format!("the {budget} s of the whole examination were over (a larger wall-clock limit gives more)"),
            ),
            End::Skipped => {
                (MarkStatus::TimedOut, "was not run: two tasks of this function had run out of time already".to_owned())
            }
            End::Build => (MarkStatus::Crashed, "could not be built".to_owned()),
            End::Processes => {
                (MarkStatus::OverLimit, "had no process left: earlier tasks left too many behind".to_owned())
            }
            End::Memory => (MarkStatus::OverLimit, "needed more memory than it may have".to_owned()),
            End::Size => (MarkStatus::OverLimit, "wrote more than is taken".to_owned()),
            End::Exit(code) => (MarkStatus::Garbled, format!("exited with code {code} and without a result")),
            End::Signal(signal) => {
                (MarkStatus::Crashed, format!("was killed by signal {signal}{}", signal_name(signal)))
            }
        }
    }
}

fn signal_name(signal: i64) -> &'static str {
    match signal {
        6 => " (abort)",
        7 => " (bus error)",
        8 => " (arithmetic error)",
        9 => " (kill)",
        11 => " (invalid memory access)",
        24 => " (processor time)",
        25 => " (file too large)",
        31 => " (forbidden system call)",
        _ => "",
    }
}

/// What a task without a frame is marked, from the ending of the whole job.
pub(crate) fn of_ending(ending: Ending, stderr: &[u8]) -> (MarkStatus, String) {
    let (status, what) = match ending {
        Ending::WallClock => (MarkStatus::TimedOut, "the examination's wall-clock time was over".to_owned()),
        Ending::CpuTime => (MarkStatus::TimedOut, "the examination's processor time was over".to_owned()),
        Ending::OutputCap => (MarkStatus::OverLimit, "the examination wrote more than may be kept".to_owned()),
        Ending::Memory => (MarkStatus::OverLimit, "the examination needed more memory than it may have".to_owned()),
        Ending::Exited(code) => {
            (MarkStatus::Garbled, format!("the examination exited with code {code} without a verdict"))
        }
        Ending::Signalled(signal) => (
            MarkStatus::Crashed,
            format!("the examination was killed by signal {signal}{}", signal_name(i64::from(signal))),
        ),
    };
    let said = tail(&String::from_utf8_lossy(stderr), 300);
    (status, if said.is_empty() { what } else { format!("{what}: {said}") })
}

/// The last characters of a text, white space at its ends removed.
pub(crate) fn tail(text: &str, most: usize) -> String {
    let text = text.trim();
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(count - most).collect::<String>())
}

/// The first characters of a text, with a sign that it was longer.
pub(crate) fn head(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(most).collect::<String>())
}

/// What a driver says of one task.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Frame {
    pub(crate) end: End,
    pub(crate) said: String,
    /// What it wrote to standard error, where that is told.
    pub(crate) error: String,
    /// File (position in the ticket) and lines that ran.
    pub(crate) lines: Vec<(usize, Vec<u32>)>,
}

/// The JSON values of all lines that begin with the nonce.
pub(crate) fn framed(stdout: &[u8], nonce: &str) -> Vec<Json> {
    if nonce.is_empty() {
        return Vec::new();
    }
    let mark = format!("{nonce} ");
    stdout
        .split(|b| *b == b'\n')
        .filter_map(|line| Json::read(std::str::from_utf8(line).ok()?.strip_prefix(&mark)?).ok())
        .collect()
}

/// The frames by task (position in the job). The first of a task counts.
pub(crate) fn frames(stdout: &[u8], ticket: &Ticket) -> BTreeMap<usize, Frame> {
    let mut frames = BTreeMap::new();
    for value in framed(stdout, &ticket.nonce) {
        if let Some((task, frame)) = frame(value) {
            frames.entry(task).or_insert(frame);
        }
    }
    frames
}

fn frame(value: Json) -> Option<(usize, Frame)> {
    let Json::Map(mut fields) = value else { return None };
    let task = usize::try_from(whole(fields.get("task")?)?).ok()?;
    let code = whole(fields.get("code")?)?;
    let Some(Json::Text(end)) = fields.remove("end") else { return None };
    let Some(Json::Text(said)) = fields.remove("said") else { return None };
    let mut text = |key: &str| if let Some(Json::Text(text)) = fields.remove(key) { text } else { String::new() };
    let error = text("error");
    let end = match end.as_str() {
        "done" => End::Done,
        "time" => End::Time,
        "budget" => End::Budget,
        "skipped" => End::Skipped,
        "size" => End::Size,
        "processes" => End::Processes,
        "memory" => End::Memory,
        "build" => End::Build,
        "exit" => End::Exit(code),
        "signal" => End::Signal(code),
        _ => return None,
    };
    let lines = match fields.remove("lines") {
        Some(Json::List(rows)) => rows.into_iter().filter_map(row).collect(),
        _ => Vec::new(),
    };
    Some((task, Frame { end, said, error, lines }))
}

fn row(row: Json) -> Option<(usize, Vec<u32>)> {
    let Json::List(row) = row else { return None };
    let [file, Json::List(lines)] = row.as_slice() else { return None };
    let lines = lines.iter().filter_map(|l| u32::try_from(whole(l)?).ok()).collect();
    Some((usize::try_from(whole(file)?).ok()?, lines))
}

/// A whole number that fits.
pub(crate) fn whole(value: &Json) -> Option<i64> {
    match value {
        Json::Int(digits) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_the_nonce_are_not_read() {
        let out = b"aa {\"task\":0}\nbb {\"x\":1}\n bb {\"x\":2}\nbb{\"x\":3}\nbb NaN\n";
        assert_eq!(framed(out, "bb").len(), 1);
        assert!(framed(out, "").is_empty());
    }

    #[test]
    fn the_first_frame_of_a_task_counts() {
        let ticket = Ticket { nonce: "n".into(), ..Ticket::default() };
        let out = b"n {\"task\":0,\"end\":\"done\",\"code\":0,\"said\":\"a\"}\nn {\"task\":0,\"end\":\"time\",\"code\":0,\"said\":\"b\"}\n";
        let frames = frames(out, &ticket);
        assert_eq!((frames.len(), frames[&0].end, frames[&0].said.as_str()), (1, End::Done, "a"));
    }

    #[test]
    fn a_job_that_dies_as_a_whole_is_marked_by_its_ending() {
        for (ending, status) in [
            (Ending::WallClock, MarkStatus::TimedOut),
            (Ending::OutputCap, MarkStatus::OverLimit),
            (Ending::Memory, MarkStatus::OverLimit),
            (Ending::Exited(0), MarkStatus::Garbled),
            (Ending::Signalled(9), MarkStatus::Crashed),
        ] {
            assert_eq!(of_ending(ending, b"").0, status, "{ending:?}");
        }
    }
}
