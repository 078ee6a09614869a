//! `meliora constitution`: sign, verify, check, try and explain the law.

use std::path::{Path, PathBuf};

use meliora_constitution::key::SecretKey;
use meliora_constitution::{Constitution, Law, articles, operation_of, seal, signature_of};
use meliora_domain::{Decision, counted};

use crate::args;
use crate::command::review;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keys;
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint};
use crate::project::{LAW, now};

/// Does what was asked.
pub fn constitution(command: &args::Constitution, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        args::Constitution::Check { dir } => check(dir, printer),
        args::Constitution::Sign { dir } => sign(dir, printer),
        args::Constitution::Verify { dir } => verify(dir, printer),
        args::Constitution::Test { dir } => test(dir, printer),
        args::Constitution::Explain { operation, dir } => explain(&operation.join(" "), dir, printer),
        args::Constitution::Schema => {
            if let Ok(text) = serde_json::to_string_pretty(&meliora_constitution::schema()) {
                printer.data(text);
            }
            Ok(Exit::Done)
        }
    }
}

fn check(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let law = load(dir)?;
    let from = if dir.join(LAW).exists() { "the project's own" } else { "the compiled-in default" };
    printer.talk(format!("{} {from} constitution holds, digest {}", paint(GOOD, "✓"), law.digest().short()));
    for rule in &law.law().rules {
        printer.data(format!("{}  is {}", paint(BOLD, format!("{:?}", rule.text)), rule.article.id));
    }
    for (name, operation) in &law.law().operations {
        let requires: Vec<&str> = operation.requires.iter().map(|r| r.name()).collect();
        let scope = match &operation.scope {
            meliora_constitution::Scope::Workspace => "all editable files".to_owned(),
            meliora_constitution::Scope::Named { name, globs } => format!("{name}: {}", globs.join(", ")),
        };
        printer.data(format!("{}  {scope}", paint(BOLD, name)));
        printer.data(format!("    {}", paint(FAINT, format!("requires {}", requires.join(", ")))));
    }
    for own in &law.law().articles {
        printer.data(format!("{}  {}", paint(BOLD, &own.id), own.text));
        let by =
            format!("{} by your own matcher, with {} that hold", own.decision, counted(own.examples.len(), "example"));
        printer.data(format!("    {}", paint(FAINT, by)));
    }
    for article in articles() {
        printer.data(format!("{}  {}", paint(BOLD, article.id), article.text));
        printer.data(format!("    {}", paint(FAINT, format!("enforced by {}", article.enforced_by))));
    }
    Ok(Exit::Done)
}

/// Loads the law as a run would.
fn load(dir: &Path) -> Result<Constitution, Failure> {
    let place = place(dir)?;
    let trust = keys::trust(&place, now())?;
    Constitution::load(&place.join(LAW), Default::default(), &trust).map_err(refused)
}

fn sign(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let key = sign_here(&place(dir)?, printer)?;
    let path = dir.join(LAW);
    printer.talk(format!("{} signed {} with the key {key}", paint(GOOD, "✓"), path.display()));
    Ok(Exit::Done)
}

/// Writes checksum and signature of the project's constitution, with a key that is made if there is none. Returns the
/// key's id.
pub fn sign_here(place: &Path, printer: &Printer) -> Result<String, Failure> {
    let path = place.join(LAW);
    let unread = |e: std::io::Error| {
        Failure::new(Exit::Constitution, format!("{} cannot be read: {e}", path.display()))
            .hint("`meliora init` writes one")
    };
    let text = seal(&std::fs::read_to_string(&path).map_err(unread)?);
    let law = Law::parse(&text).map_err(refused)?;
    // Also says so where the keys would lie within the project.
    let trust = keys::trust(place, now())?;
    let key = own_key(printer)?;
    let comment = trust.comment(&law, &text, &keys::id_to_sign(place)?).map_err(refused)?;
    let failed =
        |e: std::io::Error| Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", path.display()));
    let signature = key.sign(text.as_bytes(), &comment).map_err(|e| Failure::new(Exit::Machinery, e.to_string()))?;
    // A link stays a link.
    let real = path.canonicalize().map_err(unread)?;
    keys::replace(&real, text.as_bytes()).map_err(failed)?;
    keys::replace(&signature_of(&path), signature.as_bytes()).map_err(failed)?;
    // What was signed is the newest from now on, also if it never governs; and where a copy got a name, it is known by that.
    let trust = meliora_constitution::Trust { project: None, ..keys::trust(place, now())? };
    let law = Constitution::load(&path, Default::default(), &trust).map_err(refused)?;
    if let Some(seen) = law.seen() {
        keys::remember(place, trust.seen.as_ref(), seen)?;
    }
    Ok(key.id())
}

/// The person's key, made if there is none.
pub fn own_key(printer: &Printer) -> Result<SecretKey, Failure> {
    let (key, made) = keys::secret_or_new()?;
    if made {
        let place = keys::folder().unwrap_or_default();
        printer.talk(format!("made   your key {} in {}; keep it to yourself", key.id(), place.display()));
    }
    Ok(key)
}

fn verify(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let pinned = keys::pinned()?;
    let place = keys::folder().map_or("nowhere: there is no home folder".into(), |f| f.display().to_string());
    let ids: Vec<&str> = pinned.iter().map(|key| key.id()).collect();
    printer.data(format!("pinned keys   {} in {place}", if ids.is_empty() { "none".into() } else { ids.join(", ") }));
    let law = load(dir)?;
    match law.seen() {
        None => printer.data("constitution  the compiled-in one, which needs no signature"),
        Some(seen) => {
            printer.data(format!("signed by     {}", seen.key));
            printer.data(format!("version       {}", seen.version));
            printer.data("checksum      holds");
        }
    }
    printer.talk(format!("{} it holds", paint(GOOD, "✓")));
    Ok(Exit::Done)
}

/// Tries every example of the project's own articles, signed or not.
fn test(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let path = place(dir)?.join(LAW);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => meliora_constitution::standard().to_owned(),
        Err(e) => return Err(Failure::new(Exit::Constitution, format!("{} cannot be read: {e}", path.display()))),
    };
    let law = Law::trial(&text).map_err(refused)?;
    let (mut held, mut failed) = (0, 0);
    for own in &law.articles {
        for example in &own.examples {
            let holds = example.holds(&own.matcher);
            let must = if example.meets { "meets" } else { "spares" };
            let mark = if holds { paint(GOOD, "✓") } else { paint(BAD, "✗") };
            printer.data(format!("{mark} {}  {must}  {}", paint(BOLD, &own.id), example.text));
            if holds { held += 1 } else { failed += 1 }
        }
    }
    if failed > 0 {
        let what = format!("{failed} of {} examples do not hold", held + failed);
        return Err(Failure::new(Exit::Constitution, what).hint("mend the matcher or the example"));
    }
    Law::parse(&text).map_err(refused)?;
    printer.talk(match held {
        0 => "it reads well; no article of your own has examples to try".to_owned(),
        1 => format!("{} 1 example holds", paint(GOOD, "✓")),
        held => format!("{} {held} examples hold", paint(GOOD, "✓")),
    });
    Ok(Exit::Done)
}

/// What the law says of an operation: which article, which part, and what would make it lawful. Nothing is done.
fn explain(operation: &str, dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let (law, workspace) = (review::law_of(dir)?, review::workspace(dir)?);
    let finding = law.decide(&operation_of(operation), &workspace);
    let style = match finding.decision {
        Decision::Allow => GOOD,
        Decision::Ask => NOTE,
        Decision::Forbid => BAD,
    };
    if printer.json() {
        printer.object(&serde_json::json!({
            "decision": finding.decision,
            "article": finding.article,
            "matched": finding.matched,
            "why": finding.why,
            "mend": finding.mend,
        }));
        return Ok(Exit::Done);
    }
    printer.data(format!("decision  {}", paint(style, finding.decision)));
    for (name, text) in [
        ("article ", finding.article),
        ("matched ", finding.matched),
        ("why     ", finding.why),
        ("lawful  ", finding.mend),
    ] {
        if !text.is_empty() {
            printer.data(format!("{name}  {text}"));
        }
    }
    Ok(Exit::Done)
}

fn place(dir: &Path) -> Result<PathBuf, Failure> {
    dir.canonicalize()
        .map_err(|e| Failure::new(Exit::Configuration, format!("{} cannot be opened: {e}", dir.display())))
}

fn refused(e: meliora_constitution::LawError) -> Failure {
    Failure { code: Exit::Constitution, what: format!("the constitution does not load: {}", e.what), hint: e.hint }
}
