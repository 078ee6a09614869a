//! `meliora doctor`: is everything here, and why did the last run not do better?

use std::path::Path;

use meliora_domain::{Limits, counted};
use meliora_evolve::{CageSpec, Circumstances, Command, Lineage, Model as _, diagnose, lineage_of, run_to_end};
use meliora_llm::Until;

use crate::alerts::Alerts;
use crate::args::Overrides;
use crate::cages::{self, Backend};
use crate::config;
use crate::custody::{self, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::models::{check_price, live};
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint};
use crate::project::{Project, STATE, archive_to_read, now, place};

/// One line of the examination.
#[derive(serde::Serialize)]
struct Line {
    check: String,
    good: bool,
    /// Whether work can go on without it.
    needed: bool,
    what: String,
    mend: Option<String>,
}

/// Looks at the machine, the project and its last run.
pub fn doctor(dir: &Path, python: Option<&str>, backend: Option<Backend>, printer: &Printer) -> Result<Exit, Failure> {
    let mut lines = Vec::new();
    let mut code = Exit::Done;
    let asked = config::Sandbox { backend: backend.unwrap_or_default(), ..Default::default() };
    let is_project = dir.join("meliora.toml").is_file() || meliora_benchmark::Suite::is_openevolve(dir);
    if is_project {
        let overrides = Overrides { python: python.map(str::to_owned), backend, ..Overrides::default() };
        match Project::open(dir, &overrides, printer) {
            Ok(project) => {
                machine(&project.config.sandbox, &mut lines);
                lines.push(good("project", format!("{}: {}", project.config.name, project.standing())));
                genome(&project, &mut lines);
                model(&project, printer, &mut lines);
                alerts(&project, &mut lines);
                last_run(&project, dir, &mut lines)?;
            }
            Err(failure) => {
                code = failure.code;
                machine(&asked, &mut lines);
                lines.push(bad("project", failure.what, failure.hint));
            }
        }
    } else {
        machine(&asked, &mut lines);
        lines.push(Line {
            check: "project".into(),
            good: false,
            needed: false,
            what: format!("{} is no project", dir.display()),
            mend: Some("`meliora init` makes one".into()),
        });
    }
    for line in &lines {
        if printer.json() {
            printer.object(line);
            continue;
        }
        let sign = match (line.good, line.needed) {
            (true, _) => paint(GOOD, "✓"),
            (false, true) => paint(BAD, "✗"),
            (false, false) => paint(NOTE, "!"),
        };
        printer.data(format!("{sign} {}  {}", paint(BOLD, &line.check), line.what));
        if let Some(mend) = &line.mend {
            printer.data(format!("    {} {mend}", paint(FAINT, "hint:")));
        }
    }
    if code == Exit::Done && lines.iter().any(|l| !l.good && l.needed) {
        code = Exit::Machinery;
    }
    Ok(code)
}

fn good(check: &str, what: impl Into<String>) -> Line {
    Line { check: check.into(), good: true, needed: true, what: what.into(), mend: None }
}

fn bad(check: &str, what: impl Into<String>, mend: Option<String>) -> Line {
    Line { check: check.into(), good: false, needed: true, what: what.into(), mend }
}

fn machine(settings: &config::Sandbox, lines: &mut Vec<Line>) {
    let tools = crate::toolbox::find(None, &[]).unwrap_or_default();
    match cages::open(settings, crate::toolbox::warm(&tools).as_ref(), 0) {
        Ok(sandbox) => {
            let mut spec = CageSpec::manual();
            spec.limits = Limits::default();
            let ran = sandbox.open(spec).and_then(|cage| {
                let command = Command { argv: vec!["/usr/bin/true".into()], ..Command::default() };
                run_to_end(cage.as_ref(), &command, b"")
            });
            match ran {
                Ok(_) => {
                    lines.push(good("sandbox", sandbox.describe()));
                    if settings.backend != Backend::E2b {
                        let what = "none in a cage, and no setting opens one; `meliora sandbox serve` has none to give";
                        lines.push(good("network", what));
                    }
                }
                Err(e) => lines.push(bad("sandbox", format!("does not start: {e}"), e.hint)),
            }
        }
        Err(e) => lines.push(bad("sandbox", format!("does not start: {e}"), e.hint)),
    }
    for (name, tool, use_) in [
        ("python", &tools.python, "Python suites and OpenEvolve tasks"),
        ("node", &tools.node, "JavaScript suites"),
        ("rustc", &tools.rustc, "Rust suites"),
    ] {
        lines.push(match tool {
            // Its version begins with its name, where it says so itself.
            Some(tool) => {
                let version = tool.version.strip_prefix(name).unwrap_or(&tool.version).trim();
                good(name, format!("{version} ({})", tool.program.display()))
            }
            None => Line {
                check: name.into(),
                good: false,
                needed: false,
                what: format!("not found, so {use_} cannot run"),
                mend: Some(match name {
                    "python" => "install it, or name it with `--python`".into(),
                    _ => format!("install {name} and put it on the PATH"),
                }),
            },
        });
    }
}

fn genome(project: &Project, lines: &mut Vec<Line>) {
    match project.genome() {
        Ok(genome) => lines.push(good(
            "genome",
            format!("{}, {} bytes", counted(genome.files().len(), "editable file"), genome.size()),
        )),
        Err(failure) => lines.push(bad("genome", failure.what, failure.hint)),
    }
}

fn model(project: &Project, printer: &Printer, lines: &mut Vec<Line>) {
    let config = &project.config;
    let mut names: Vec<Option<&str>> = Vec::new();
    if project.suite.prompts().is_some() {
        names.push(None);
        names.extend(config.student.model.as_deref().map(Some));
    }
    for proposer in &config.run.proposers {
        let (what, name) = proposer.split_once(':').map_or((&**proposer, None), |(what, name)| (what, Some(name)));
        if what == "rewrite" && !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let check = name.map_or("model".to_owned(), |name| format!("model {name}"));
        // Their names were checked when the project was opened.
        let Ok(settings) = config::model::named(&config.model, &config.models, name) else { continue };
        // Where none is named, prompts are played from a cassette, or their server is given with each command.
        if settings.base_url.is_empty() && project.suite.prompts().is_some() {
            if !config.replay.cassette.as_os_str().is_empty() {
                lines.push(good(&check, format!("played from {}", config.replay.cassette.display())));
            }
            continue;
        }
        let found = check_price(settings, config.budget.usd).and_then(|()| live(settings, Until::default(), printer));
        lines.push(match found {
            Ok(model) => good(&check, format!("{} at {}", model.name(), model.url())),
            Err(failure) => bad(&check, failure.what, failure.hint),
        });
    }
}

/// What waits for a person.
fn people(project: &Project, lineage: &Lineage, lines: &mut Vec<Line>) {
    let mut waits = |check: &str, what: String, mend: &str| {
        let (check, mend) = (check.to_owned(), Some(mend.to_owned()));
        lines.push(Line { check, good: false, needed: false, what, mend });
    };
    if let Some(pause) = lineage.watched.paused() {
        waits("paused", format!("by {}: {}", pause.rule, pause.reason), "`meliora resume` lets the work go on");
    }
    let open = lineage.asks.open(&project.constitution.digest(), now());
    if open > 0 {
        let what = if open == 1 {
            "1 request waits for a person".into()
        } else {
            format!("{open} requests wait for a person")
        };
        waits("approvals", what, "`meliora approvals list`");
    }
}

/// Whether the journal is what was written, by its chain and its checkpoints.
fn record(place: &Place) -> Result<Line, Failure> {
    let report = custody::audited(place)?;
    let chain = format!("{}, the chain holds", counted(report.events, "event"));
    Ok(match (report.findings.first(), report.vouched) {
        (Some(finding), _) => bad(
            "journal",
            format!("it is not what was written ({} at event {}): {}", finding.tampering, finding.seq, finding.what),
            Some("`meliora audit verify` tells everything".into()),
        ),
        (None, Some((size, _))) => good(
            "journal",
            format!("{chain}; {}, the newest vouches for {size}", counted(report.checkpoints, "checkpoint")),
        ),
        (None, None) => Line {
            check: "journal".into(),
            good: false,
            needed: false,
            what: format!("{chain}, but no checkpoint vouches for it"),
            mend: Some(
                "where it was moved, `meliora audit verify --checkpoints FILE`; the next run begins anew".into(),
            ),
        },
    })
}

/// Whether alerts can be sent.
fn alerts(project: &Project, lines: &mut Vec<Line>) {
    let settings = &project.config.alerts;
    let ways = [settings.command.first().map(String::as_str), settings.webhook_env.as_deref().map(|_| "a webhook")];
    let ways: Vec<&str> = ways.into_iter().flatten().collect();
    match Alerts::new(settings, &project.config.name, &project.dir, &|_| {}) {
        Err(failure) => lines.push(bad("alerts", failure.what, failure.hint)),
        Ok(_) if ways.is_empty() => {}
        Ok(_) => lines.push(good("alerts", format!("the terminal, the journal, {}", ways.join(", ")))),
    }
}

fn last_run(project: &Project, dir: &Path, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let place = place(dir)?;
    if !place.begun() {
        lines.push(good("last run", "none yet; `meliora run` begins"));
        return Ok(());
    }
    let archive = archive_to_read(dir)?;
    lines.push(record(&place)?);
    if let Some(address) = place.address()
        && meliora_store::may_alter(&dir.join(STATE), address)?
    {
        lines.push(Line {
            check: "store".into(),
            good: false,
            needed: false,
            what: format!("the role that is used on {address} could change what was written"),
            mend: Some("`meliora store prepare --writer NAME` makes one that cannot; put it into `[store] url`".into()),
        });
    }
    let lineage = lineage_of(&archive)?;
    people(project, &lineage, lines);
    let Some(run) = &lineage.run else { return Ok(()) };
    let score = |node: Option<&meliora_evolve::Node>| {
        node.and_then(|n| n.score).map_or("–".to_owned(), |s| format!("{s:.4}"))
    };
    lines.push(good(
        "last run",
        format!(
            "{}, score {} → {}{}",
            counted(run.attempts, "attempt"),
            score(lineage.baseline()),
            score(lineage.champion()),
            if run.finished.is_none() { "; unfinished, `meliora run` goes on" } else { "" }
        ),
    ));
    let circumstances = Circumstances {
        ceiling: project.suite.ceiling(),
        kind: project.suite.kind(),
        tier: project.suite.tier(),
        model: run.plan.arms.iter().any(|a| a.model.is_some()),
    };
    for finding in diagnose(&lineage, &circumstances) {
        lines.push(Line {
            check: finding.name.into(),
            good: false,
            needed: false,
            what: finding.what,
            mend: Some(finding.mend),
        });
    }
    Ok(())
}
