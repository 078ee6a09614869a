//! `meliora review`: what the law says of an operation, for scripts and for the hooks of other agents. Nothing is done.

mod hook;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use meliora_constitution::{Constitution, Finding, Reach, Workspace};
use meliora_domain::{Decision, Event, Operation};

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keys;
use crate::printer::{BAD, FAINT, GOOD, NOTE, Printer, paint};
use crate::project::{LAW, now};

/// Largest input, in bytes.
const LARGEST: u64 = 16 << 20;

/// Reviews each operation that was named; the exit code is the strictest answer.
pub fn review(asked: &args::Review, printer: &Printer) -> Result<Exit, Failure> {
    if asked.hook {
        return hook::answer(&asked.dir, printer);
    }
    let operations = operations(asked)?;
    if operations.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing to review")
            .hint("name an operation: --command, --sql, --path, --delete, --diff or --network"));
    }
    let (law, workspace) = (law_of(&asked.dir)?, workspace(&asked.dir)?);
    let mut strictest = Decision::Allow;
    for operation in &operations {
        let finding = law.decide(operation, &workspace);
        strictest = strictest.max(finding.decision);
        print(&finding, printer);
    }
    Ok(match strictest {
        Decision::Allow => Exit::Done,
        Decision::Ask => Exit::NeedsApproval,
        Decision::Forbid => Exit::Forbidden,
    })
}

/// What a person's own command does passes the door as well: their typing it is the yes that the law may ask for, but what it
/// forbids does not happen. Gives the event to be journalled then, and what to tell.
pub fn forbids(dir: &Path, law: &Constitution, operation: Operation) -> Result<Option<(Event, Failure)>, Failure> {
    let Finding { decision, article, why, mend, .. } = law.decide(&operation, &workspace(dir)?);
    if decision != Decision::Forbid {
        return Ok(None);
    }
    let failure = Failure::new(Exit::Forbidden, format!("the law forbids it ({article}): {why}")).hint(mend.clone());
    let (reason, source) = (format!("{why}; lawful: {mend}"), "command".to_owned());
    Ok(Some((Event::Violated { decision, article, reason, source, operation: Some(operation) }, failure)))
}

/// The law that governs a folder. Where nothing says what is editable, all of it is, but what the law protects.
pub fn law_of(dir: &Path) -> Result<Constitution, Failure> {
    let place = folder(dir)?;
    let file = place.join("meliora.toml");
    if file.is_file() {
        return crate::project::constitution(&place, &crate::config::load(&file)?, true);
    }
    let reach = Reach { editable: vec!["**".into()], max_bytes: 1 << 20, ..Reach::default() };
    let trust = keys::trust(&place, now())?;
    Constitution::load(&place.join(LAW), reach, &trust).map_err(|e| Failure {
        code: Exit::Constitution,
        what: format!("the constitution does not load: {}", e.what),
        hint: e.hint,
    })
}

/// The folder as the law's workspace.
pub fn workspace(dir: &Path) -> Result<Workspace, Failure> {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/nonexistent"), PathBuf::from);
    let workspace = Workspace::new(&folder(dir)?, &home);
    Ok(match keys::folder() {
        Some(keys) => workspace.with_keys(&keys),
        None => workspace,
    })
}

fn folder(dir: &Path) -> Result<PathBuf, Failure> {
    dir.canonicalize()
        .map_err(|e| Failure::new(Exit::Configuration, format!("{} cannot be opened: {e}", dir.display())))
}

fn operations(asked: &args::Review) -> Result<Vec<Operation>, Failure> {
    let mut operations = Vec::new();
    for text in &asked.command {
        operations.push(Operation::Command { text: given(text)? });
    }
    for text in &asked.sql {
        operations.push(Operation::Sql { text: given(text)? });
    }
    operations.extend(asked.path.iter().map(|path| Operation::Write { path: path.clone() }));
    operations.extend(asked.delete.iter().map(|path| Operation::Delete { path: path.clone() }));
    for file in &asked.diff {
        let text = if file.as_os_str() == "-" { input()? } else { text_of(file)? };
        operations.push(Operation::Diff { text });
    }
    for place in &asked.network {
        operations.push(connection(place));
    }
    Ok(operations)
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
fn connection(place: &str) -> Operation {
    match place.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            Operation::Network { host: host.trim_matches(['[', ']']).to_owned(), port: Some(port) }
        }
        _ => Operation::Network { host: place.trim_matches(['[', ']']).to_owned(), port: None },
    }
}

fn given(text: &str) -> Result<String, Failure> {
    if text == "-" { input() } else { Ok(text.to_owned()) }
}

/// Standard input, as text.
fn input() -> Result<String, Failure> {
    read(std::io::stdin(), "standard input")
}

fn text_of(file: &Path) -> Result<String, Failure> {
    let opened = std::fs::File::open(file)
        .map_err(|e| Failure::new(Exit::Usage, format!("{} cannot be opened: {e}", file.display())))?;
    read(opened, &file.display().to_string())
}

fn read(from: impl std::io::Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let bad = |why: String| Failure::new(Exit::Usage, format!("{name} cannot be reviewed: {why}"));
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| bad(e.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(bad(format!("it has more than {LARGEST} bytes")));
    }
    // What is no text is read by others in ways that nobody can foresee.
    String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8 text".into()))
}

/// Prints a finding.
pub fn print(finding: &Finding, printer: &Printer) {
    let style = match finding.decision {
        Decision::Allow => GOOD,
        Decision::Ask => NOTE,
        Decision::Forbid => BAD,
    };
    if printer.json() {
        return printer.object(&serde_json::json!({
            "decision": finding.decision,
            "article": finding.article,
            "matched": finding.matched,
            "why": finding.why,
            "mend": finding.mend,
        }));
    }
    printer.data(format!("{}  {}", paint(style, finding.decision), finding.article));
    for (name, text) in [("matched", &finding.matched), ("why    ", &finding.why), ("lawful ", &finding.mend)] {
        if !text.is_empty() {
            printer.data(format!("  {}  {text}", paint(FAINT, name)));
        }
    }
}
