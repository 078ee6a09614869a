//! `meliora bench`: one scorecard, no evolution. After a promotion it decides whether the promotion stands.

use meliora_domain::{Event, Scorecard, Split};
use meliora_evolve::{Archive as _, Examiner, Journal, Reexamination, reexamine};

use super::promote::Silent;
use super::show::mark_row;
use crate::args;
use crate::cages;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BAD, BOLD, FAINT, Printer, paint, table};
use crate::project::{Project, nonce, now, resolve};

/// Examines once and prints the marks.
pub fn bench(args: &args::Bench, printer: &Printer) -> Result<Exit, Failure> {
    let mut project = Project::open(&args.dir, &args.overrides, printer)?;
    let sandbox = cages::tested(&project.config.sandbox, &project.tools, 0)?;
    if args.holdout && project.suite.count(Split::Holdout) == 0 {
        return Err(Failure::new(Exit::Usage, "this suite has no holdout tasks"));
    }
    let _lock = project.lock("meliora bench")?;
    let models = super::proposers::models(&project, None, printer)?;
    let student = models.student(&project.config.student);
    if let Some(student) = &student {
        project.suite.answered_by(&student.describe());
    }
    let archive = project.archive()?;
    let mut journal = Journal::open(&archive, &Silent, &now)?;
    let policy = project.policy();
    let examiner = Examiner {
        constitution: &project.constitution,
        suite: &project.suite,
        sandbox: sandbox.as_ref(),
        student: student.as_ref(),
        policy: &policy,
        nonce: &nonce,
    };
    let variant = args.variant.as_deref().map(|id| resolve(&archive, journal.lineage(), id)).transpose()?;
    let again = if variant.is_none() {
        reexamine(&mut journal, &archive, &project.target()?, &examiner)?
    } else {
        Reexamination::NothingStands
    };
    let genome = match &variant {
        Some(id) => archive.load(id)?,
        None => project.genome()?,
    };
    let card = examiner.card(&genome, &[Split::Train, Split::Validation])?;
    let holdout = if args.holdout { Some(examiner.card(&genome, &[Split::Holdout])?) } else { None };
    let known = variant.or_else(|| journal.lineage().find_tree(&genome.tree()).map(|i| journal.lineage().node(i).id));
    if let (Some(card), Some(variant)) = (&holdout, known) {
        journal.record(&[Event::HoldoutOpened { variant, scorecard: card.clone() }])?;
    }
    let openings = journal.lineage().holdout_openings;
    if printer.json() {
        let tasks: Vec<_> = card.marks.iter().chain(holdout.iter().flat_map(|c| &c.marks)).collect();
        printer.object(&serde_json::json!({
            "event": "bench", "variant": known, "tree": genome.tree(), "evaluator": card.evaluator,
            "tier": project.suite.tier(), "score": card.mean(Split::Validation), "train_score": card.mean(Split::Train),
            "holdout_score": holdout.as_ref().and_then(|c| c.mean(Split::Holdout)), "holdout_openings": openings,
            "metrics": card.metrics, "tasks": tasks,
            "cage": sandbox.describe(), "rolled_back": matches!(again, Reexamination::RolledBack(..)),
        }));
        return Ok(Exit::Done);
    }
    print_card(&card, printer);
    if let Some(card) = &holdout {
        print_card(card, printer);
        printer.data(paint(FAINT, format!("openings of the holdout so far: {openings}; each wears it")));
    }
    match again {
        Reexamination::RolledBack(to, commit, why) => {
            let commit: String = commit.chars().take(10).collect();
            printer.data(format!(
                "{} to {} by commit {commit}: {why}",
                paint(BAD, "rolled back"),
                paint(BOLD, to.short())
            ));
        }
        Reexamination::Stands(why) if !why.is_empty() => printer.data(format!("the promoted variant stands: {why}")),
        Reexamination::Stands(_) | Reexamination::NothingStands => {}
    }
    printer.data(paint(FAINT, project.standing()));
    printer.data(paint(FAINT, format!("cage: {}", sandbox.describe())));
    Ok(Exit::Done)
}

fn print_card(card: &Scorecard, printer: &Printer) {
    let rows: Vec<Vec<String>> = card.marks.iter().map(mark_row).collect();
    for line in table(&["task", "split", "mark", "detail"], &rows) {
        printer.data(line);
    }
    for (name, value) in &card.metrics {
        printer.data(format!("{name} = {value}"));
    }
    for split in [Split::Train, Split::Validation, Split::Holdout] {
        if let Some(mean) = card.mean(split) {
            printer.data(format!("{} {}", paint(BOLD, format!("{split} score")), format_args!("{mean:.4}")));
        }
    }
    printer.data("");
}
