//! `meliora store`: the journal on Postgres, prepared and moved to.

use std::path::Path;

use meliora_domain::{Event, Operation, Word};
use meliora_evolve::{Archive as _, Journal};
use meliora_store::Address;

use crate::args;
use crate::command::approvals::yes_to;
use crate::command::promote::Silent;
use crate::command::review::{Passage, law_over_genome, passage};
use crate::custody::{self, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, GOOD, Printer, paint};
use crate::project::{STATE, lock_folder, now, place};

/// Prepares or migrates.
pub fn store(command: &args::Store, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        args::Store::Prepare { dir, url, writer } => prepare(dir, url.as_deref(), writer.as_deref(), printer),
        args::Store::Migrate { dir, to } => migrate(dir, to, printer),
    }
}

fn prepare(dir: &Path, url: Option<&str>, writer: Option<&str>, printer: &Printer) -> Result<Exit, Failure> {
    let address = match url {
        Some(url) => Address::parse(url)?,
        None => place(dir)?.address().cloned().ok_or_else(|| {
            Failure::new(Exit::Usage, "which database is to be prepared?")
                .hint("`--url postgres://owner@host/database`, or `[store] url` in meliora.toml")
        })?,
    };
    meliora_store::prepare(&address, writer)?;
    if printer.json() {
        printer.object(&serde_json::json!({ "event": "prepared", "store": address.origin(), "writer": writer }));
        return Ok(Exit::Done);
    }
    printer.data(format!("{} {address}", paint(GOOD, "prepared")));
    if let Some(writer) = writer {
        printer.data(format!("  {} may append and read, and nothing else", paint(BOLD, writer)));
        printer.talk(format!("  give it a password: psql -c '\\password {writer}'"));
    }
    Ok(Exit::Done)
}

fn migrate(dir: &Path, to: &str, printer: &Printer) -> Result<Exit, Failure> {
    let from = place(dir)?;
    let address = Address::parse(to)?;
    if let Some(other) = from.address() {
        return Err(Failure::new(Exit::Usage, format!("the journal is on {other} already"))
            .hint("a journal in the project's file is what can be copied; take `[store] url` away if there is one"));
    }
    if !from.begun() {
        return Err(Failure::new(Exit::Configuration, format!("nothing has run in {} yet", dir.display()))
            .hint("set `[store] url` and run: the journal then begins there"));
    }
    let state = dir.join(STATE);
    let _lock = lock_folder(&state, "meliora store migrate")?;
    sound(&from)?;
    let operation = Operation::Migrate { to: from.moved(address.clone()).origin() };
    let law = law_over_genome(dir)?;
    match passage(dir, &law, operation)? {
        Passage::Free => {}
        Passage::Shut(event, failure) => {
            from.write()?.append(&[*event], now())?;
            return Err(failure);
        }
        Passage::Waits(request) => {
            let archive = from.write()?;
            let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
            let Word { request, nonce, .. } = yes_to(&mut journal, &law, *request)?;
            // Written before: what is copied then is the record of it, too.
            journal.record(&[Event::Used { request, nonce }])?;
        }
    }
    let url = if address.has_password() { "what `--to` was; with a password, better as MELIORA_STORE_URL" } else { to };
    let copied = meliora_store::migrate(&state, &address)?;
    let there = from.moved(address);
    there.take_over(from.book()?.read()?)?;
    there.write()?;
    if printer.json() {
        printer.object(&serde_json::json!({ "event": "migrated", "store": there.origin(), "events": copied }));
        return Ok(Exit::Done);
    }
    printer.data(match copied {
        0 => format!("everything is on {} already", there.origin()),
        n => format!("{} {} to {}", paint(GOOD, "copied"), meliora_domain::counted(n, "event"), there.origin()),
    });
    printer.talk("  from now on they are used there with this in meliora.toml (the file of before stays as it is):");
    printer.talk(format!("  [store]\n  url = \"{url}\""));
    Ok(Exit::Done)
}

/// Only a journal that is what was written is copied: in the new place it would get new checkpoints.
fn sound(place: &Place) -> Result<(), Failure> {
    match custody::audited(place)?.findings.first() {
        None => Ok(()),
        Some(finding) => Err(Failure::new(
            Exit::Tampered,
            format!(
                "the journal is not what was written ({} at event {}): {}",
                finding.tampering, finding.seq, finding.what
            ),
        )
        .hint("`meliora audit verify` tells everything; nothing was copied")),
    }
}
