//! `meliora review --hook`: answers a PreToolUse event of Claude Code by the law.
//!
//! What cannot be read, and a law that does not load, end with exit code 2 and a word on standard error: Claude Code
//! then does not use the tool. A tool that is not known here is asked about.

use std::path::Path;
use std::sync::Arc;

use meliora_constitution::{Constitution, Finding, Workspace};
use meliora_domain::{Decision, Event, Operation};
use meliora_evolve::Archive as _;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project::{now, place};

/// The parts of the event that matter; others may come with it.
#[derive(Deserialize)]
struct Call {
    tool_name: String,
    #[serde(default, deserialize_with = "once_each")]
    tool_input: serde_json::Map<String, serde_json::Value>,
    cwd: Option<std::path::PathBuf>,
}

/// An object in which no key stands twice: of two, another reader may take the other.
fn once_each<'de, D: Deserializer<'de>>(from: D) -> Result<serde_json::Map<String, serde_json::Value>, D::Error> {
    struct Once;
    impl<'de> Visitor<'de> for Once {
        type Value = serde_json::Map<String, serde_json::Value>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object without doubled keys")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
            let mut map = serde_json::Map::new();
            while let Some((key, value)) = from.next_entry::<String, serde_json::Value>()? {
                if map.contains_key(&key) {
                    return Err(serde::de::Error::custom(format!("the key {key:?} is there twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    from.deserialize_map(Once)
}

/// Reads the event and answers it.
pub fn answer(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let closed = |e: Failure| Failure { code: Exit::Usage, ..e };
    let text = super::input().map_err(closed)?;
    let call: Call = serde_json::from_str(&text)
        .map_err(|e| Failure::new(Exit::Usage, format!("standard input is no PreToolUse event: {e}")))?;
    let law = Arc::new(super::law_of(dir).map_err(closed)?);
    let workspace = super::workspace(dir).map_err(closed)?;
    let workspace = match &call.cwd {
        Some(folder) => workspace.at(folder),
        None => workspace,
    };
    let (finding, operation) = decide(&law, &workspace, &call);
    if finding.decision == Decision::Forbid {
        journal(dir, &finding, operation, printer);
    }
    let decision = match finding.decision {
        Decision::Allow => "allow",
        Decision::Ask => "ask",
        Decision::Forbid => "deny",
    };
    let lawful = if finding.mend.is_empty() { String::new() } else { format!(" Lawful: {}.", finding.mend) };
    printer.data(serde_json::json!({
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": decision,
            "permissionDecisionReason": format!("{} ({}).{lawful}", finding.why, finding.article),
        }
    }));
    Ok(Exit::Done)
}

fn decide(law: &Arc<Constitution>, workspace: &Workspace, call: &Call) -> (Finding, Option<Operation>) {
    let given = |name: &str| call.tool_input.get(name).and_then(|value| value.as_str());
    let operation = match call.tool_name.as_str() {
        "Bash" => given("command").map(|text| Operation::Command { text: text.to_owned() }),
        "Write" | "Edit" | "MultiEdit" => given("file_path").map(|path| Operation::Write { path: path.to_owned() }),
        "NotebookEdit" => given("notebook_path").map(|path| Operation::Write { path: path.to_owned() }),
        "Read" => given("file_path").map(reading),
        "LS" => Some(reading(given("path").unwrap_or("."))),
        "Glob" => Some(reading(&listed(given("path"), given("pattern").unwrap_or("*")))),
        "Grep" => Some(searching(given("path").unwrap_or("."), given("glob"))),
        "WebFetch" => given("url").and_then(host).map(|host| Operation::Network { host, port: None }),
        // They change nothing but the agent's own notes and screen; what its helpers do comes here again.
        "TodoWrite" | "Task" | "ExitPlanMode" | "BashOutput" | "KillShell" => {
            let why = "it touches nothing outside of the agent".to_owned();
            let (article, matched) = ("editable-paths".to_owned(), call.tool_name.clone());
            return (Finding { decision: Decision::Allow, article, matched, why, mend: String::new() }, None);
        }
        _ => None,
    };
    let unknown = |what: String| {
        let why = format!("what the tool {:?} does with {what} is not known", call.tool_name);
        let mend = "use Bash, Read, Write or Edit, which the law can read".to_owned();
        let (article, matched) = ("command-understood".to_owned(), call.tool_name.clone());
        Finding { decision: Decision::Ask, article, matched, why, mend }
    };
    let Some(operation) = operation else { return (unknown("this input".into()), None) };
    let finding = super::decided(law, workspace, operation.clone());
    // What stands beside what is judged may change what happens: a shell outside of the agent's sandbox, another path.
    let two =
        ["path", "file_path", "notebook_path"].iter().filter(|name| call.tool_input.contains_key(**name)).count() > 1;
    match call.tool_input.keys().find(|key| two || !KNOWN.contains(&key.as_str())) {
        Some(odd) if finding.decision == Decision::Allow => (unknown(format!("{odd:?}")), Some(operation)),
        _ => (finding, Some(operation)),
    }
}

/// What the tools that are judged take, beside what is judged of it: texts, places in a file, forms of the answer.
const KNOWN: [&str; 35] = [
    "command",
    "description",
    "timeout",
    "run_in_background",
    "file_path",
    "content",
    "old_string",
    "new_string",
    "replace_all",
    "edits",
    "notebook_path",
    "new_source",
    "cell_id",
    "cell_type",
    "edit_mode",
    "offset",
    "limit",
    "pages",
    "path",
    "pattern",
    "glob",
    "output_mode",
    "-A",
    "-B",
    "-C",
    "-n",
    "-i",
    "type",
    "head_limit",
    "multiline",
    "ignore",
    "url",
    "prompt",
    "context",
    "-o",
];

/// Reading a file is what `cat` does.
fn reading(path: &str) -> Operation {
    Operation::Command { text: format!("cat -- {}", quoted(path)) }
}

/// Searching in files is what `grep -r` does: all that lies below a folder is read, or of it what the glob fits.
fn searching(path: &str, glob: Option<&str>) -> Operation {
    let only = glob.map_or(String::new(), |glob| format!("--include={} ", quoted(glob)));
    Operation::Command { text: format!("grep -r {only}-e x -- {}", quoted(path)) }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The folder whose files a pattern lists.
fn listed(path: Option<&str>, pattern: &str) -> String {
    let plain = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
    let folder = plain.rsplit_once('/').map_or("", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    match path {
        // Where it goes up again cannot be told from its beginning.
        _ if pattern.contains("..") => "/".into(),
        Some(path) if !folder.starts_with(['/', '~']) => format!("{path}/{folder}"),
        _ if folder.is_empty() => ".".into(),
        _ => folder.to_owned(),
    }
}

fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?', '#', '\\']).next()?.rsplit('@').next()?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_owned())
}

/// Puts what was forbidden into the project's journal, where there is one and nobody else writes to it.
fn journal(dir: &Path, finding: &Finding, operation: Option<Operation>, printer: &Printer) {
    let Ok(place) = place(dir) else { return };
    if !place.begun() {
        return;
    }
    let event = Event::Violated {
        decision: finding.decision,
        article: finding.article.clone(),
        reason: format!("{}; lawful: {}", finding.why, finding.mend),
        source: "hook".into(),
        operation,
    };
    // A run may be at work beside it, and takes in what others append.
    let written = place.write().map_err(|e| e.what).and_then(|archive| {
        let recorded = archive.append(&[event], now());
        recorded.map_err(|e| e.to_string())
    });
    if let Err(why) = written {
        printer.warn(format!("the violation is not in the journal: {why}"));
    }
}
