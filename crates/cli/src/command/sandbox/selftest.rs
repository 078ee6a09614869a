//! `meliora sandbox selftest`: which ways lead out of a cage.

use meliora_sandbox::{Extent, Finding, State};

use crate::args;
use crate::cages;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint, table};
use crate::toolbox;

/// Tries them all and tells what is open.
pub fn selftest(args: &args::SelfTest, printer: &Printer) -> Result<Exit, Failure> {
    let settings = config::Sandbox { backend: args.backend.unwrap_or_default(), ..Default::default() };
    let sandbox = cages::sandbox(&settings, &toolbox::find(None, &[])?, 0)?;
    let extent = if args.quick { Extent::Quick } else { Extent::Whole };
    let findings = meliora_sandbox::selftest(sandbox.as_ref(), &cages::program()?, extent)?;
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (closed, open, not_run) = (count(State::Closed), count(State::Open), count(State::NotRun));
    let cage = sandbox.describe();
    if printer.json() {
        for finding in &findings {
            printer.object(&serde_json::json!({
                "event": "probe", "name": finding.name, "kind": finding.kind.name(), "state": state_word(finding.state),
                "detail": finding.detail,
            }));
        }
        printer.object(&serde_json::json!({
            "event": "selftest", "backend": settings.backend.name(), "cage": cage, "probes": findings.len(),
            "closed": closed, "open": open, "not_run": not_run,
        }));
    } else {
        print(&findings, printer);
        printer.data(paint(FAINT, format!("cage: {} · {cage}", settings.backend.name())));
        let head = if open == 0 { paint(GOOD, "nothing is open") } else { paint(BAD, format!("{open} OPEN")) };
        printer.data(format!("{head}  {} probes: {closed} closed, {open} open, {not_run} not run", findings.len()));
    }
    Ok(if open == 0 { Exit::Done } else { Exit::Open })
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::NotRun => "not run",
    }
}

/// A line for each probe under its kind, and what the kinds add up to.
fn print(findings: &[Finding], printer: &Printer) {
    let mut totals = Vec::new();
    for of_kind in findings.chunk_by(|one, other| one.kind == other.kind) {
        let kind = of_kind[0].kind.name();
        printer.data(paint(BOLD, kind));
        let rows: Vec<Vec<String>> = of_kind
            .iter()
            .map(|finding| {
                let state = match finding.state {
                    State::Closed => paint(GOOD, "closed"),
                    State::Open => paint(BAD, "OPEN"),
                    State::NotRun => paint(NOTE, "not run"),
                };
                vec![format!("  {}", finding.name), state, paint(FAINT, &finding.detail)]
            })
            .collect();
        for line in table(&["  probe", "state", "detail"], &rows).into_iter().skip(1) {
            printer.data(line);
        }
        let count = |state: State| of_kind.iter().filter(|finding| finding.state == state).count().to_string();
        totals.push(vec![
            kind.to_owned(),
            of_kind.len().to_string(),
            count(State::Closed),
            count(State::Open),
            count(State::NotRun),
        ]);
    }
    printer.data("");
    for line in table(&["kind", "probes", "closed", "open", "not run"], &totals) {
        printer.data(line);
    }
    printer.data("");
}
