//! `meliora review`: what the law says of an operation, for scripts and for the hooks of other agents. Nothing is done.

mod hook;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use meliora_benchmark::Suite;
use meliora_constitution::{Constitution, Finding, Reach, Workspace};
use meliora_domain::{Decision, Event, Operation, Request};

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
    let (law, workspace) = (Arc::new(law_of(&asked.dir)?), workspace(&asked.dir)?);
    let mut strictest = Decision::Allow;
    for operation in operations {
        let finding = decided(&law, &workspace, operation);
        strictest = strictest.max(finding.decision);
        print(&finding, printer);
    }
    Ok(match strictest {
        Decision::Allow => Exit::Done,
        Decision::Ask => Exit::NeedsApproval,
        Decision::Forbid => Exit::Forbidden,
    })
}

/// What the law says of an operation of somebody who may mean ill: where it cannot be told in time, or the telling fails, a
/// person decides.
fn decided(law: &Arc<Constitution>, workspace: &Workspace, operation: Operation) -> Finding {
    let (law, workspace, (answer, answered)) = (Arc::clone(law), workspace.clone(), mpsc::channel());
    let deciding = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        let _ = answer.send(law.decide(&operation, &workspace));
    });
    let found = deciding.ok().and_then(|_| answered.recv_timeout(PATIENCE).ok());
    found.unwrap_or_else(|| Finding {
        decision: Decision::Ask,
        article: "command-understood".into(),
        matched: String::new(),
        why: format!("what it does cannot be told within {} s", PATIENCE.as_secs()),
        mend: "do less at once".into(),
    })
}

/// How long a decision is waited for. An agent's hook has a minute.
const PATIENCE: Duration = Duration::from_secs(10);
/// The stack of whoever decides, in bytes: parsers are deep where texts are.
const STACK: usize = 64 << 20;

/// What the law says of what a person's own command would do.
pub enum Passage {
    /// It may happen.
    Free,
    /// It does not happen: the event to be journalled then, and what to tell.
    Shut(Box<Event>, Failure),
    /// It happens for a person's signed word on exactly this.
    Waits(Box<Request>),
}

/// A person's own command passes the door as well. Where the built-in articles ask, their typing it is the yes; what an
/// article of the project's own asks about takes a signed word, and what the law forbids does not happen.
pub fn passage(dir: &Path, law: &Constitution, operation: Operation) -> Result<Passage, Failure> {
    let Finding { decision, article, why, mend, .. } = law.decide(&operation, &workspace(dir)?);
    let own = law.law().articles.iter().find(|own| own.id == article);
    Ok(match (decision, own) {
        (Decision::Forbid, _) => {
            let what = format!("the law forbids it ({article}): {why}");
            let failure = Failure::new(Exit::Forbidden, what).hint(mend.clone());
            let (reason, source) = (format!("{why}; lawful: {mend}"), "command".to_owned());
            let event = Event::Violated { decision, article, reason, source, operation: Some(operation) };
            Passage::Shut(Box::new(event), failure)
        }
        (Decision::Ask, Some(own)) => Passage::Waits(Box::new(Request {
            id: operation.digest(),
            operation,
            constitution: law.digest(),
            article,
            reason: why,
            risk: own.justification.clone(),
        })),
        _ => Passage::Free,
    })
}

/// The law that governs a project's genome, under which words are given.
pub fn law_over_genome(dir: &Path) -> Result<Constitution, Failure> {
    let place = folder(dir)?;
    let file = place.join("meliora.toml");
    match file.is_file() {
        true => crate::project::constitution(&place, &crate::config::load(&file)?, true),
        false => law_of(dir),
    }
}

/// The law over a folder, where operations of agents begin. Where nothing says what is editable, all of it is, but what the law protects.
pub fn law_of(dir: &Path) -> Result<Constitution, Failure> {
    let place = folder(dir)?;
    let file = place.join("meliora.toml");
    if file.is_file() {
        return crate::project::door(&place, &crate::config::load(&file)?);
    }
    // A task of OpenEvolve has its evaluator beside it.
    let protected = if Suite::is_openevolve(&place) { vec!["evaluator.py".into()] } else { Vec::new() };
    let reach = Reach { editable: vec!["**".into()], protected, max_bytes: 1 << 20 };
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
    let dir = &folder(dir)?;
    let workspace = Workspace::new(dir, &home);
    // The machine's key and the checkpoints are nobody's to change, either.
    let store = crate::config::store(dir).ok().and_then(|store| store.checkpoints);
    let checkpoints = store.map(|checkpoints| dir.join(checkpoints));
    let folders = [keys::folder(), crate::custody::folder().ok(), checkpoints];
    Ok(folders.iter().flatten().fold(workspace, |workspace, folder| workspace.with_keys(folder)))
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
