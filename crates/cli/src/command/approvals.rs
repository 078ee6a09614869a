//! `meliora approvals`: what waits for a person, and the person's word on it.

use std::path::Path;

use meliora_constitution::Constitution;
use meliora_constitution::word::{Terms, give};
use meliora_domain::{Digest, Edit, Event, Operation, Request, Timestamp, Word};
use meliora_evolve::{Answer, Archive as _, Ask, Journal, Lineage, replayed_in_full};
use meliora_store::{LockError, ProjectLock};

use super::promote::Silent;
use crate::args::Approvals;
use crate::desk::Words;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keys;
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, behind, paint, table, visible};
use crate::project::{Project, STATE, archive_to_read, nonce, now};

const HOUR: u64 = 60 * 60 * 1000;

/// Lists, shows, or answers.
pub fn approvals(command: &Approvals, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        Approvals::List { dir, all } => list(dir, *all, printer),
        Approvals::Show { id, dir } => show(id, dir, printer),
        Approvals::Approve { id, dir, reason, hours } => say(id, dir, true, reason, *hours, printer),
        Approvals::Deny { id, dir, reason } => say(id, dir, false, reason, 24, printer),
    }
}

fn list(dir: &Path, all: bool, printer: &Printer) -> Result<Exit, Failure> {
    let lineage = replayed_in_full(&archive_to_read(dir)?)?;
    let law = in_force(dir, printer);
    let asks: Vec<(&Ask, Answer)> = lineage
        .asks
        .all()
        .into_iter()
        .map(|ask| (ask, stands(ask, law)))
        .filter(|(_, answer)| all || *answer == Answer::Open)
        .collect();
    if printer.json() {
        asks.iter().for_each(|(ask, answer)| printer.object(&said(ask, *answer)));
        return Ok(Exit::Done);
    }
    if asks.is_empty() {
        printer.data("nothing waits for a person");
        return Ok(Exit::Done);
    }
    let row = |(ask, answer): &(&Ask, Answer)| {
        let asked = super::log::time(ask.at);
        vec![ask.request.id.short(), painted(*answer), asked, ask.request.article.clone(), visible(&gist(ask))]
    };
    let rows: Vec<Vec<String>> = asks.iter().map(row).collect();
    for line in table(&["request", "answer", "asked (UTC)", "article", "what"], &rows) {
        printer.data(line);
    }
    printer.talk(paint(FAINT, format!("`meliora approvals show ID{}` shows one with its diff", behind("--dir", dir))));
    Ok(Exit::Done)
}

/// What sets a request apart from others, in one line: the first line that it would put in place, or its own words.
fn gist(ask: &Ask) -> String {
    const LONGEST: usize = 80;
    let text = match &ask.request.operation {
        Operation::Change { change, .. } => {
            let one = |edit: &Edit| match edit {
                Edit::Replace { path, search, replace } => format!("{path}: {} → {}", first(search), first(replace)),
                Edit::Write { path, content } => format!("{path}: {}", telling(content)),
                Edit::Delete { path } => format!("deletes {path}"),
            };
            let parts: Vec<String> = change.edits.iter().map(one).collect();
            let why = if ask.reason.is_empty() { String::new() } else { format!("{}; ", first(&ask.reason)) };
            why + &parts.join("; ")
        }
        _ => ask.request.reason.clone(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn first(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// How long a whole file is, and how it ends: beginnings are often alike.
fn telling(content: &str) -> String {
    let lines = content.lines().count();
    let last = content.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    format!("{}, the last {last:?}", meliora_domain::counted(lines, "line"))
}

fn show(id: &str, dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(dir)?;
    let lineage = replayed_in_full(&archive)?;
    let ask = find(&lineage, id)?;
    let answer = stands(ask, in_force(dir, printer));
    if printer.json() {
        printer.object(&said(ask, answer));
        return Ok(Exit::Done);
    }
    let request = &ask.request;
    printer.data(format!("{} {}  {}", paint(BOLD, "request"), request.id, painted(answer)));
    printer.data(format!("asked   {} UTC{}", super::log::time(ask.at), step(ask)));
    printer.data(format!("article {}", request.article));
    printer.data(format!("what    {}", request.reason));
    printer.data(format!("risk    {}", request.risk));
    if !ask.reason.is_empty() {
        printer.data(format!("why     {} (the proposer's words)", visible(&ask.reason)));
    }
    if let Some(word) = &ask.word {
        let until = super::log::time(word.expires);
        let reason = if word.reason.is_empty() { "no reason given" } else { word.reason.as_str() };
        printer.data(format!("word    {}, good until {until} UTC: {}", answer_of(word), visible(reason)));
    }
    printer.data("");
    match &request.operation {
        Operation::Change { parent, change } => {
            let before = archive.load(parent)?;
            let after = change.apply(&before).map_err(|e| Failure::new(Exit::Machinery, e.to_string()))?;
            super::diff::print_diff(&before, &after, printer);
        }
        other => printer.data(serde_json::to_string_pretty(other).unwrap_or_default()),
    }
    if answer == Answer::Lapsed {
        printer.data("");
        printer.data(
            "it was asked under another constitution: no word on it counts, and it is asked anew when it comes again",
        );
    }
    if answer == Answer::Open {
        let id = request.id.short();
        printer.data("");
        let at = behind("--dir", dir);
        printer.data(format!("  meliora approvals approve {id}{at}    says yes to exactly this, once"));
        printer.data(format!("  meliora approvals deny {id}{at}       says no"));
    }
    Ok(Exit::Done)
}

fn say(id: &str, dir: &Path, granted: bool, reason: &str, hours: u32, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::open_without_examining(dir, printer)?;
    let key = keys::secret()?;
    let lineage = replayed_in_full(&archive_to_read(dir)?)?;
    let ask = find(&lineage, id)?;
    let request = ask.request.id;
    match ask.answer(&project.constitution.digest(), now()) {
        Answer::Lapsed => {
            let what = format!("{} was asked under another constitution than the one in force", request.short());
            return Err(Failure::new(Exit::Usage, what).hint("run again: what still needs a person is asked anew"));
        }
        Answer::Used => {
            return Err(Failure::new(Exit::Usage, format!("{} was approved and done already", request.short())));
        }
        Answer::Denied if granted => {
            let what = format!("{} was denied, and a no is final for exactly that proposal", request.short());
            return Err(Failure::new(Exit::Usage, what).hint("under another constitution it is asked anew"));
        }
        _ => {}
    }
    let word = give(
        Terms {
            request,
            constitution: ask.request.constitution,
            granted,
            nonce: fresh(),
            expires: Timestamp(now().0 + u64::from(hours) * HOUR),
            reason: reason.to_owned(),
        },
        &key,
    )
    .map_err(|e| Failure::new(Exit::Machinery, e.to_string()))?;
    trusted(&project, &word)?;
    let taken = deliver(&project, &word)?;
    if printer.json() {
        printer.object(&word);
        return Ok(Exit::Done);
    }
    printer.data(format!("{} {}  {taken}", answer_of(&word), paint(BOLD, request.short())));
    if granted {
        printer.data(paint(FAINT, format!("good once, until {} UTC", super::log::time(word.expires))));
    }
    Ok(Exit::Done)
}

/// The yes to what a person's own command would do, where the law lets that happen for a signed word alone. Where there is
/// none it is asked for, and that is the failure.
pub fn yes_to(journal: &mut Journal<'_>, law: &Constitution, request: Request) -> Result<Word, Failure> {
    let id = request.id;
    if let Some(word) = meliora_evolve::granted(journal.lineage(), law, &id, now()) {
        return Ok(word);
    }
    let what = format!("the law asks for a person's word first ({}): {}", request.article, request.reason);
    let asked = journal.lineage().asks.get(&id).map(|ask| ask.answer(&request.constitution, now()));
    let hint = match asked {
        Some(Answer::Denied) => format!("a person said no: `meliora approvals show {}`", id.short()),
        Some(Answer::Open) => format!("`meliora approvals approve {}`, then the same command again", id.short()),
        _ => {
            journal.record(&[Event::Asked { step: None, request }])?;
            format!("`meliora approvals approve {}`, then the same command again", id.short())
        }
    };
    Err(Failure::new(Exit::NeedsApproval, what).hint(hint))
}

/// To the run that is at work, or into the journal where none is.
fn deliver(project: &Project, word: &Word) -> Result<&'static str, Failure> {
    let state = project.dir.join(STATE);
    match ProjectLock::take(&state, "meliora approvals", now()) {
        Ok(_lock) => {
            let archive = project.archive()?;
            let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
            meliora_evolve::answer(&mut journal, &project.constitution, word, now())?;
            let asked = journal.lineage().asks.get(&word.request).map(|ask| &ask.request.operation);
            let change = !matches!(asked, Some(Operation::Promote { .. } | Operation::Migrate { .. }));
            Ok(match (word.granted, change) {
                (true, true) => "the next `meliora run` takes it up",
                (true, false) => "give the command again that asked for it",
                (false, _) => "it is not tried again",
            })
        }
        Err(LockError::Held(_)) => {
            Words::of(&state)
                .put(word)
                .map_err(|e| Failure::new(Exit::Machinery, format!("the word cannot be left for the run: {e}")))?;
            Ok("the run that is at work takes it in at its next step")
        }
        Err(e @ LockError::Failed { .. }) => Err(Failure::new(Exit::Machinery, e.to_string())),
    }
}

/// Fails where the person's key is not one whose word counts on this machine.
pub fn trusted(project: &Project, word: &Word) -> Result<(), Failure> {
    project.constitution.hears(word, &word.request, now()).map_err(|e| {
        Failure::new(Exit::Constitution, format!("your word would not count here: {e}"))
            .hint("the public key that fits your secret key must be pinned; `meliora constitution verify` says where")
    })
}

/// A nonce that nobody has drawn before.
pub fn fresh() -> Digest {
    Digest::of([nonce().as_slice(), &nonce()])
}

fn find<'a>(lineage: &'a Lineage, id: &str) -> Result<&'a Ask, Failure> {
    let plain = (4..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    let id = id.to_lowercase();
    let all = lineage.asks.all();
    let fits: Vec<&&Ask> = all.iter().filter(|ask| plain && ask.request.id.to_string().starts_with(&id)).collect();
    let list = "`meliora approvals list --all` lists them";
    match fits.as_slice() {
        [one] => Ok(one),
        _ if !plain => Err(Failure::new(Exit::Usage, format!("'{id}' is not the beginning of a request's id"))
            .hint(format!("4 to 64 hexadecimal digits of it; {list}"))),
        [] => Err(Failure::new(Exit::Usage, format!("there is no request '{id}'")).hint(list)),
        several => {
            let ids: Vec<String> = several.iter().take(8).map(|ask| ask.request.id.to_string()).collect();
            let ids: Vec<&str> = ids.iter().map(|full| &full[..(id.len() + 8).min(full.len())]).collect();
            Err(Failure::new(Exit::Usage, format!("'{id}' fits {} requests: {}", several.len(), ids.join(", ")))
                .hint("give more digits"))
        }
    }
}

fn step(ask: &Ask) -> String {
    ask.step.map_or(String::new(), |step| format!(", step {step}"))
}

fn answer_of(word: &Word) -> String {
    if word.granted { paint(GOOD, "approved") } else { paint(BAD, "denied") }
}

fn name(answer: Answer) -> &'static str {
    match answer {
        Answer::Open => "waiting",
        Answer::Granted => "approved",
        Answer::Denied => "denied",
        Answer::Used => "used",
        Answer::Lapsed => "lapsed",
    }
}

fn painted(answer: Answer) -> String {
    let style = match answer {
        Answer::Open => NOTE,
        Answer::Granted => GOOD,
        Answer::Denied => BAD,
        Answer::Used | Answer::Lapsed => FAINT,
    };
    paint(style, name(answer))
}

/// The constitution by which words count; `None` where none loads, which any command that needs one says.
fn in_force(dir: &Path, printer: &Printer) -> Option<Digest> {
    Project::open_without_examining(dir, printer).ok().map(|project| project.constitution.digest())
}

/// How an ask stands; where no constitution is in force, under its own.
fn stands(ask: &Ask, law: Option<Digest>) -> Answer {
    ask.answer(&law.unwrap_or(ask.request.constitution), now())
}

fn said(ask: &Ask, answer: Answer) -> serde_json::Value {
    serde_json::json!({
        "request": ask.request, "answer": name(answer), "asked": ask.at, "step": ask.step,
        "proposer_reason": ask.reason, "word": ask.word,
    })
}
