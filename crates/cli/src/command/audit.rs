//! `meliora audit`: whether the journal is what was written, and the journal as a file that proves it elsewhere.

use meliora_domain::counted;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use meliora_evolve::{lineage_of, replayed_in_full};
use meliora_store::{Audit, Book, Report, Tampering, audit_export, last_checkpoint};

use super::log::time;
use crate::args;
use crate::custody::{self, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BAD, BOLD, GOOD, NOTE, Printer, paint};
use crate::project::{now, place};

/// Verifies or exports.
pub fn audit(command: &args::Audit, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        args::Audit::Verify(verify) => self::verify(verify, printer),
        args::Audit::Export { dir, output } => export(dir, output.as_deref(), printer),
    }
}

fn verify(args: &args::AuditVerify, printer: &Printer) -> Result<Exit, Failure> {
    let place = place(&args.dir)?;
    let opened = args.export.as_deref().map(|path| File::open(path).map_err(|e| unreadable(path, e))).transpose()?;
    let mut opened = opened.map(BufReader::new);
    let ends_with = opened.as_mut().and_then(last_checkpoint);
    let book = match (&args.checkpoints, &opened, &ends_with) {
        (Some(path), ..) => Some(Book::at(path)),
        // What this machine knows of the journal that the export is of.
        (None, Some(_), Some(checkpoint)) => Some(place.book_of(&checkpoint.origin)?),
        (None, Some(_), None) => None,
        (None, None, _) => Some(place.book()?),
    };
    if let Some(path) = args.checkpoints.as_deref().filter(|path| !path.is_file()) {
        return Err(unreadable(path, "there is no such file"));
    }
    let checkpoints = book.as_ref().map(Book::read).transpose()?.unwrap_or_default();
    let key = match &args.key {
        Some(path) => Some(custody::read_public(path)?),
        None => custody::machine()?,
    };
    let check = |id: &str, text: &[u8], signature: &str| match &key {
        Some(key) => custody::check(key, id, text, signature),
        None => Err(format!("it is signed with the key {id}, which is not known here (`--key` names its file)")),
    };
    let unvouched = checkpoints.iter().map(|c| c.size).min().unwrap_or(0);
    let mut audit = Audit::new(checkpoints, &check);
    if let Some(mut export) = opened {
        if !audit_export(&mut export, &mut audit)? {
            audit.find(
                Tampering::Truncated,
                0,
                "the export does not end with a checkpoint, as a whole one does".into(),
            );
        }
    } else {
        begun(&place, &args.dir)?;
        let archive = place.read()?;
        archive.audit(&mut audit)?;
        if archive.snapshot_was_altered()? {
            audit.find(Tampering::Edited, 0, "a snapshot was altered after it was kept".into());
        }
        // What a chain that does not hold gives is told already.
        if let (Ok(kept), Ok(given)) = (lineage_of(&archive), replayed_in_full(&archive))
            && kept != given
        {
            audit.find(Tampering::Edited, 0, "a snapshot is not what the events give".into());
        }
    }
    let report = audit.finish();
    // An empty journal has nothing to vouch for.
    let bare = report.vouched.is_none_or(|(size, _)| size == 0) && report.events > 0 && !args.chain_only;
    let good = report.findings.is_empty() && !bare;
    if printer.json() {
        printer.object(&serde_json::json!({
            "event": "audit", "good": good, "events": report.events, "tail": report.tail,
            "checkpoints": report.checkpoints, "vouched": report.vouched.map(|(size, _)| size),
            "vouched_at": report.vouched.map(|(_, at)| at), "findings": report.findings, "more": report.more,
        }));
    } else {
        tell(&report, bare, unvouched, printer);
    }
    Ok(if good { Exit::Done } else { Exit::Tampered })
}

fn tell(report: &Report, bare: bool, unvouched: u64, printer: &Printer) {
    for finding in &report.findings {
        let at = if finding.seq > 0 { format!(" at event {}", finding.seq) } else { String::new() };
        printer.data(format!("{} {}{at}: {}", paint(BAD, "✗"), paint(BOLD, finding.tampering), finding.what));
    }
    if report.more > 0 {
        printer.data(format!("{} {} more", paint(BAD, "✗"), counted(report.more, "finding")));
    }
    if report.findings.is_empty() {
        printer.data(format!("{} {}, the chain holds", paint(GOOD, "✓"), counted(report.events, "event")));
    }
    match report.vouched {
        Some((size, at)) => {
            printer.data(format!(
                "{} {}; the newest that agrees vouches for {} since {} UTC",
                paint(if report.findings.is_empty() { GOOD } else { NOTE }, "✓"),
                counted(report.checkpoints, "checkpoint"),
                counted(size, "event"),
                time(at)
            ));
            if report.events > size {
                printer.data(format!(
                    "{} {} since then, held by the chain alone until the next checkpoint",
                    paint(NOTE, "!"),
                    counted(report.events - size, "event")
                ));
            }
            if unvouched > 0 {
                let what = "events were there before the first checkpoint; how they came there nothing vouches for";
                printer.data(format!("{} {unvouched} {what}", paint(NOTE, "!")));
            }
        }
        None if bare => {
            printer.data(format!("{} no checkpoint vouches for these events", paint(BAD, "✗")));
            printer.talk(format!(
                "{} `--checkpoints` names their file if the project was moved; the next `meliora run` begins anew with them; \
                 `--chain-only` is content with the chain",
                paint(NOTE, "hint:")
            ));
        }
        None => {}
    }
}

fn export(dir: &Path, output: Option<&Path>, printer: &Printer) -> Result<Exit, Failure> {
    let place = place(dir)?;
    begun(&place, dir)?;
    // An export of a journal that was tampered with is evidence too; it just has no signature.
    let (archive, trouble) = match place.watched(place.read()?) {
        Ok(archive) => (archive, None),
        Err(failure) if failure.code == Exit::Machinery => (place.read()?, Some(failure)),
        Err(failure) => return Err(failure),
    };
    let written = match output {
        Some(path) => {
            let file = File::create(path).map_err(|e| unreadable(path, e))?;
            archive.export(&mut BufWriter::with_capacity(1 << 20, file), now())?
        }
        None => archive.export(&mut BufWriter::with_capacity(1 << 20, Plain(printer)), now())?,
    };
    if let Some(failure) = trouble {
        printer.failure(&failure);
        printer.warn(format!("exported {} without a checkpoint", counted(written, "event")));
        return Ok(Exit::Tampered);
    }
    printer.talk(format!("exported {} and a checkpoint of them", counted(written, "event")));
    Ok(Exit::Done)
}

/// Standard output, by way of the printer.
struct Plain<'a>(&'a Printer);

impl Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.raw(bytes, false) { Ok(bytes.len()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn begun(place: &Place, dir: &Path) -> Result<(), Failure> {
    if place.begun() {
        return Ok(());
    }
    Err(Failure::new(Exit::Configuration, format!("nothing has run in {} yet", dir.display()))
        .hint("`meliora run` begins; `--export FILE` verifies an export without a project"))
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, format!("{} cannot be used: {why}", path.display()))
}
