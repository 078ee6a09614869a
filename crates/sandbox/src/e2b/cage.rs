//! An open sandbox of the cloud as a cage.
//!
//! The daemon inside follows links, works as root and tells the truth only about what stands there at that moment.
//! So every path is looked at, part by part, before it is used: no link on the way, nothing but a regular file at its
//! end. Between the look and the use a subject may exchange one for the other; then it is a file of its own sandbox
//! that is read or written, never one of this machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use meliora_domain::Limits;
use meliora_evolve::{Cage, CageEntry, CageError, CageUsage, Command, EntryKind, Process, SandboxError};

use crate::plan::failed;

use super::Shared;
use super::control::{self, Metric};
use super::inside::{Entry, Inside};
use super::keeper::Life;
use super::launch::SIGNAL_ALL;
use super::process::Running;
use super::trouble::{Kind, Trouble};

/// Entries of a folder that are told at most.
const ENTRIES: usize = 10_000;

/// What a cage and its commands share.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inside: Inside,
    pub(crate) life: Arc<Life>,
    pub(crate) limits: Limits,
    pub(crate) env: Vec<(String, String)>,
    /// The second name of `/work`.
    pub(crate) home: Option<String>,
    /// Whether a command ran: before that, nobody could have left a link.
    touched: AtomicBool,
    begun: Instant,
    /// The most that was seen used, since the cloud forgets.
    used: Mutex<CageUsage>,
}

impl Inner {
    pub(crate) fn new(
        shared: Arc<Shared>,
        inside: Inside,
        life: Arc<Life>,
        limits: Limits,
        env: Vec<(String, String)>,
        home: Option<String>,
    ) -> Self {
        let (touched, begun, used) = (AtomicBool::new(false), Instant::now(), Mutex::default());
        Inner { shared, inside, life, limits, env, home, touched, begun, used }
    }

    /// Ends the sandbox and with it everything inside.
    pub(crate) fn end(&self) {
        self.shared.keeper.end(&self.inside.made.id, &self.life);
    }

    /// The path as the daemon is to use it: under `/work` or `/tmp`, without tricks.
    fn path(&self, path: &str) -> Result<String, CageError> {
        let under = |prefix: &str| path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let home = self.home.as_deref().and_then(under).map(|rest| ("/work", rest));
        let found = home.or_else(|| ["/work", "/tmp"].into_iter().find_map(|prefix| Some((prefix, under(prefix)?))));
        let Some((prefix, rest)) = found else { return Err(no_file(path, "only /work and /tmp can be used")) };
        let mut clean = prefix.to_owned();
        for part in rest.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." || part.contains('\0') {
                return Err(no_file(path, "it has '..' or a zero byte in it"));
            }
            clean.push('/');
            clean.push_str(part);
        }
        Ok(clean)
    }

    /// The same, and no folder on the way is a link.
    fn way(&self, path: &str) -> Result<String, CageError> {
        let clean = self.path(path)?;
        if self.touched.load(Ordering::Acquire) {
            let parts: Vec<usize> = clean.match_indices('/').map(|(at, _)| at).skip(2).collect();
            for at in parts {
                match self.inside.stat(&clean[..at]) {
                    Ok(entry) if entry.symlink_target.is_some() => {
                        return Err(no_file(path, "it leads through a link"));
                    }
                    Ok(_) => {}
                    // What is not there can be no link.
                    Err(trouble) if trouble.kind() == Some(Kind::Missing) => break,
                    Err(trouble) => return Err(explain(path, trouble)),
                }
            }
        }
        Ok(clean)
    }

    fn inner_part(&self, path: &str) -> Result<String, CageError> {
        let clean = self.way(path)?;
        if matches!(clean.as_str(), "/work" | "/tmp") {
            return Err(no_file(path, "a writable folder itself stays"));
        }
        Ok(clean)
    }

    fn entry(&self, path: &str, clean: &str) -> Result<CageEntry, CageError> {
        let entry = self.inside.stat(clean).map_err(|trouble| explain(path, trouble))?;
        let name = clean.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(CageEntry { name, ..told(entry) })
    }
}

/// The cage that is handed out. Its end is the end of everything in it, whoever still holds a command.
pub(crate) struct CloudCage(pub(crate) Arc<Inner>);

impl Drop for CloudCage {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Cage for CloudCage {
    fn put(&self, path: &str, bytes: &[u8], executable: bool) -> Result<(), CageError> {
        let cage = &self.0;
        let clean = cage.inner_part(path)?;
        if bytes.len() as u64 > cage.limits.disk {
            return Err(CageError::Full { path: path.to_owned() });
        }
        if cage.touched.load(Ordering::Acquire) {
            // Always a new file: whatever the subject left at that name is never opened.
            match cage.inside.stat(&clean) {
                Ok(entry) if told(entry.clone()).kind == EntryKind::Folder => {
                    return Err(no_file(path, "it is a folder"));
                }
                Ok(_) => cage.inside.remove(&clean).map_err(|trouble| explain(path, trouble))?,
                Err(trouble) if trouble.kind() == Some(Kind::Missing) => {}
                Err(trouble) => return Err(explain(path, trouble)),
            }
        }
        cage.inside.write_file(&clean, bytes).map_err(|trouble| explain(path, trouble))?;
        if executable {
            let (code, said) = cage
                .inside
                .run(r#"chmod 755 -- "$1""#, &[clean], None)
                .map_err(|trouble| CageError::Machinery(trouble.told("files of the sandbox")))?;
            if code != 0 {
                return Err(no_file(path, format!("it cannot be made executable: {said}")));
            }
        }
        Ok(())
    }

    fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, CageError> {
        let clean = self.0.way(path)?;
        let entry = self.0.entry(path, &clean)?;
        if entry.kind != EntryKind::File {
            return Err(no_file(path, "it is no regular file"));
        }
        let too_large = |size| CageError::TooLarge { path: path.to_owned(), size, limit };
        if entry.size > limit {
            return Err(too_large(entry.size));
        }
        // It may grow while it is read.
        match self.0.inside.read_file(&clean, limit.saturating_add(1)) {
            Ok(bytes) if bytes.len() as u64 > limit => Err(too_large(bytes.len() as u64)),
            Ok(bytes) => Ok(bytes),
            Err(Trouble::Large(size)) => Err(too_large(size)),
            Err(trouble) => Err(explain(path, trouble)),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<CageEntry>, CageError> {
        let clean = self.0.way(path)?;
        if !matches!(clean.as_str(), "/work" | "/tmp") && self.0.entry(path, &clean)?.kind != EntryKind::Folder {
            return Err(no_file(path, "it is no folder"));
        }
        let entries = self.0.inside.list(&clean).map_err(|trouble| explain(path, trouble))?;
        Ok(entries.into_iter().take(ENTRIES).map(told).collect())
    }

    fn stat(&self, path: &str) -> Result<CageEntry, CageError> {
        let clean = self.0.way(path)?;
        self.0.entry(path, &clean)
    }

    fn make_folder(&self, path: &str) -> Result<bool, CageError> {
        let clean = self.0.way(path)?;
        match self.0.inside.make_folder(&clean) {
            Ok(()) => Ok(true),
            // A link to a folder is none.
            Err(trouble) if trouble.kind() == Some(Kind::Exists) => match self.0.entry(path, &clean)?.kind {
                EntryKind::Folder => Ok(false),
                _ => Err(no_file(path, "it is there and no folder")),
            },
            Err(trouble) => Err(explain(path, trouble)),
        }
    }

    fn remove(&self, path: &str) -> Result<(), CageError> {
        let clean = self.0.inner_part(path)?;
        // The daemon is content where there is nothing.
        self.0.entry(path, &clean)?;
        self.0.inside.remove(&clean).map_err(|trouble| explain(path, trouble))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), CageError> {
        let (old, new) = (self.0.inner_part(from)?, self.0.inner_part(to)?);
        self.0.inside.rename(&old, &new).map_err(|trouble| explain(from, trouble))
    }

    fn pause(&self, stopped: bool) -> Result<(), SandboxError> {
        let signal = if stopped { libc::SIGSTOP } else { libc::SIGCONT };
        let done = self.0.inside.run(SIGNAL_ALL, &[signal.to_string()], None);
        done.map(drop).map_err(|trouble| trouble.told("pause of a sandbox"))
    }

    /// As the cloud measured it, every few seconds: a short life was not measured, and the memory is that of all.
    fn usage(&self) -> CageUsage {
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.0.life.is_over()
            && let Ok(metrics) = control::metrics(&self.0.inside.http, &self.0.inside.made.id)
        {
            let (cpu_seconds, peak_memory) = sum(&metrics, self.0.begun.elapsed().as_secs_f64());
            used.cpu_seconds = used.cpu_seconds.max(cpu_seconds);
            used.peak_memory = used.peak_memory.max(peak_memory);
        }
        *used
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, SandboxError> {
        if self.0.life.is_over() {
            return Err(failed("start of a command", "the sandbox has ended"));
        }
        self.0.touched.store(true, Ordering::Release);
        Ok(Box::new(Running::start(Arc::clone(&self.0), command)?))
    }
}

/// Processor seconds and the most memory in bytes. Each measure stands for the time since the one before; the first of
/// several for a few seconds, and a single one for the `age` of the sandbox in seconds.
fn sum(metrics: &[Metric], age: f64) -> (f64, u64) {
    let share = |metric: &Metric| metric.cpu_used_pct.clamp(0.0, 100.0) / 100.0 * metric.cpu_count.clamp(0.0, 1024.0);
    let begin = if metrics.len() == 1 { age } else { age.min(5.0) };
    let mut seconds = metrics.first().map_or(0.0, |first| share(first) * begin);
    let mut before = metrics.first().map_or(0, |first| first.timestamp_unix);
    for metric in metrics {
        seconds += share(metric) * metric.timestamp_unix.saturating_sub(before).clamp(0, 3600) as f64;
        before = metric.timestamp_unix;
    }
    let memory = metrics.iter().map(|metric| metric.mem_used.clamp(0.0, 1e15) as u64).max();
    (seconds, memory.unwrap_or(0))
}

fn no_file(path: &str, why: impl ToString) -> CageError {
    CageError::NoFile { path: path.to_owned(), why: why.to_string() }
}

/// What the daemon's refusal means for a path that the subject may have shaped.
fn explain(path: &str, trouble: Trouble) -> CageError {
    match &trouble {
        Trouble::Answer(answer) => match answer.kind {
            Kind::Full => CageError::Full { path: path.to_owned() },
            // 500 is its word for all that the system refused: a name too long, a file where a folder should be.
            Kind::Missing | Kind::Exists | Kind::Invalid | Kind::Moment | Kind::Forbidden | Kind::Other => {
                no_file(path, &answer.message)
            }
            Kind::Key | Kind::Quota | Kind::Gone | Kind::Busy | Kind::Deadline => {
                CageError::Machinery(trouble.told("files of the sandbox"))
            }
        },
        _ => CageError::Machinery(trouble.told("files of the sandbox")),
    }
}

/// An entry in our words.
fn told(entry: Entry) -> CageEntry {
    let kind = match entry.r#type.as_str() {
        _ if entry.symlink_target.is_some() => EntryKind::Link,
        "FILE_TYPE_FILE" => EntryKind::File,
        "FILE_TYPE_DIRECTORY" => EntryKind::Folder,
        "FILE_TYPE_SYMLINK" => EntryKind::Link,
        _ => EntryKind::Other,
    };
    let size = entry.size.as_u64().or_else(|| entry.size.as_str()?.parse().ok());
    CageEntry {
        name: entry.name,
        kind,
        size: size.unwrap_or(0),
        mode: entry.mode & 0o7777,
        modified: entry.modified_time.as_deref().and_then(moment).unwrap_or_default(),
        target: entry.symlink_target.unwrap_or_default(),
    }
}

/// Reads `2026-11-23T03:06:47.325880Z` (RFC 3339, always in UTC, as JSON writes protobuf's time stamps).
fn moment(text: &str) -> Option<Duration> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |part: Option<&str>| part?.parse::<i64>().ok();
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next())?, number(date.next())?, number(date.next())?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.split(':');
    let (hour, minute, second) = (number(clock.next())?, number(clock.next())?, number(clock.next())?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: u32 = digits.parse().ok()?;
    // Days from the civil calendar; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let y = if month <= 2 { year - 1 } else { year };
    let year_of_era = y % 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = y / 400 * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(Duration::new(u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_the_daemon_writes_them() {
        assert_eq!(moment("1994-11-06T08:49:37Z"), Some(Duration::from_secs(784_111_777)));
        assert_eq!(moment("2024-02-29T12:00:00.5Z"), Some(Duration::new(1_709_208_000, 500_000_000)));
        for broken in ["", "1994-11-06", "1994-11-06T08:49:37", "1994-13-06T08:49:37Z", "1994-11-06T24:00:00Z"] {
            assert_eq!(moment(broken), None, "{broken}");
        }
    }

    #[test]
    fn entries_are_told_whatever_the_daemon_leaves_out() {
        let read = |text: &str| told(serde_json::from_str::<Entry>(text).unwrap());
        let file =
            read(r#"{"name":"a","type":"FILE_TYPE_FILE","size":"5","mode":420,"modifiedTime":"1970-01-01T00:00:01Z"}"#);
        assert_eq!((file.kind, file.size, file.mode, file.modified.as_secs()), (EntryKind::File, 5, 0o644, 1));
        assert_eq!(read(r#"{"size":7}"#).size, 7);
        // The type is that of what a link points to.
        let link = read(r#"{"name":"l","type":"FILE_TYPE_FILE","symlinkTarget":"/etc/passwd"}"#);
        assert_eq!((link.kind, link.target.as_str()), (EntryKind::Link, "/etc/passwd"));
        assert_eq!(read(r#"{"name":"pipe"}"#).kind, EntryKind::Other);
    }

    #[test]
    fn use_is_summed_over_the_measures() {
        let at =
            |timestamp_unix, cpu_used_pct, mem_used| Metric { timestamp_unix, cpu_count: 2.0, cpu_used_pct, mem_used };
        assert_eq!(sum(&[], 3.0), (0.0, 0));
        assert_eq!(sum(&[at(100, 50.0, 5e6)], 20.0), (20.0, 5_000_000));
        assert_eq!(sum(&[at(100, 0.0, 5e6), at(105, 50.0, 9e6), at(110, 0.0, 1e6)], 20.0), (5.0, 9_000_000));
        assert_eq!(sum(&[at(100, 50.0, 5e6), at(105, 0.0, 1e6)], 1.0), (1.0, 5_000_000));
    }

    proptest! {
        #[test]
        fn no_time_upsets_its_reader(text in "[0-9TZ:.-]{0,40}") {
            moment(&text);
        }
    }
}
