//! `meliora bench`: one scorecard, no evolution. After a promotion it decides whether the promotion stands.

mod figures;

use meliora_benchmark::Scope;
use meliora_domain::{Event, Genome, Kind, Scorecard, Split, VariantId, Verdict, counted};
use meliora_evolve::{Archive, Examiner, Journal, Kept, Node, Reexamination, mend_of_chance, reexamine, unseal};
use meliora_judge::{Gap, TaskRepeats};

use super::promote::Silent;
use super::proposers::Answerers;
use super::show::mark_row;
use crate::args;
use crate::cages;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::models::{ANSWERS, Models};
use crate::observer::quarantined;
use crate::printer::{BAD, BOLD, FAINT, NOTE, Printer, paint, table};
use crate::project::{Project, STATE, nonce, now, resolve};

/// Examines once and prints the marks.
pub fn bench(args: &args::Bench, printer: &Printer) -> Result<Exit, Failure> {
    let mut project = Project::open(&args.dir, &args.overrides, printer)?;
    let sandbox = cages::tested(&project.config.sandbox, &project.tools, 0)?;
    if args.samples.is_some() {
        figures::can_be_sampled(&project)?;
    }
    if args.holdout && project.suite.count(Split::Holdout) == 0 {
        return Err(Failure::new(Exit::Usage, "this suite has no holdout tasks"));
    }
    let _lock = project.lock("meliora bench")?;
    let models = Models::new(&project.config, project.dir.join(STATE).join(ANSWERS), printer);
    let answerers = match project.suite.prompts() {
        Some(_) => super::proposers::answerers(&project, &models, None)?,
        None => Answerers::default(),
    };
    let student = answerers.student(&project.config.student);
    let timeout = models.settings(project.config.student.model.as_deref())?.timeout_seconds;
    if let Some(student) = &student {
        project.suite.answered_by(&student.describe());
    }
    let archive = project.archive()?;
    let mut journal = Journal::open_in_full(&archive, &Silent, &now)?;
    let policy = project.policy();
    let examiner = Examiner {
        constitution: &project.constitution,
        suite: &project.suite,
        sandbox: sandbox.as_ref(),
        student: student.as_ref(),
        policy: &policy,
        nonce: &nonce,
        kept: &Kept::default(),
    };
    let variant = args.variant.as_deref().map(|id| resolve(&archive, journal.lineage(), id)).transpose()?;
    if let Some(times) = args.aa {
        let genome = variant.map_or_else(|| project.genome(), |id| Ok(archive.load(&id)?))?;
        return again_and_again(times, &genome, &examiner, &mut journal, printer);
    }
    if let (Some(times), Some(student)) = (args.samples, &student) {
        let genome = variant.map_or_else(|| project.genome(), |id| Ok(archive.load(&id)?))?;
        return figures::samples(times, &genome, &examiner, (student, timeout), printer);
    }
    if args.holdout {
        let tree = || Ok::<_, Failure>(journal.lineage().find_tree(&project.genome()?.tree()));
        let index = match &variant {
            Some(id) => journal.lineage().find(id),
            None => tree()?,
        };
        finalist(index.map(|i| journal.lineage().node(i)))?;
    }
    let again = if variant.is_none() {
        reexamine(&mut journal, &archive, &project.target()?, &examiner)?
    } else {
        Reexamination::NothingStands
    };
    let genome = match &variant {
        Some(id) => archive.load(id)?,
        None => project.genome()?,
    };
    let visible = Scope { splits: &[Split::Train, Split::Validation], ..Scope::default() };
    let card = examiner.card(&genome, &visible)?;
    let known = variant.or_else(|| journal.lineage().find_tree(&genome.tree()).map(|i| journal.lineage().node(i).id));
    let opened = match (args.holdout, known) {
        (false, _) => None,
        (true, variant) => {
            // `finalist` let nothing through that has no variant.
            let variant = variant.ok_or_else(unknown)?;
            let vigilance = project.config.judge.vigilance();
            let evaluator = project.suite.evaluator();
            let terms = (&evaluator, &vigilance, true);
            let mut examine = |genome: &Genome| examiner.card(genome, &SEALED);
            let (opened, events) = unseal(&archive, journal.lineage(), variant, terms, &mut examine)?;
            journal.record(&events)?;
            Some(opened)
        }
    };
    let holdout = opened.as_ref().map(|opened| &opened.card);
    let gap = opened.as_ref().and_then(|opened| opened.gap);
    let alarms = opened.as_ref().map(|opened| opened.alarms.clone()).unwrap_or_default();
    let openings = journal.lineage().holdout_openings;
    let exit = figures::answered(&[Some(&card), holdout], timeout, printer);
    if printer.json() {
        let tasks: Vec<_> = card.marks.iter().chain(holdout.iter().flat_map(|c| &c.marks)).collect();
        printer.object(&serde_json::json!({
            "event": "bench", "variant": known, "tree": genome.tree(), "evaluator": card.evaluator,
            "tier": project.suite.tier(), "score": card.mean(Split::Validation), "train_score": card.mean(Split::Train),
            "holdout_score": holdout.and_then(|c| c.mean(Split::Holdout)), "holdout_openings": openings,
            "holdout_gap": gap.map(|g| g.0), "holdout_gap_interval": gap.and_then(|g| g.1),
            "metrics": card.metrics, "tasks": tasks, "alarms": alarms,
            "cage": sandbox.describe(), "rolled_back": matches!(again, Reexamination::RolledBack(..)),
            "unclear": matches!(again, Reexamination::Unclear(_)),
            "accuracy": figures::accuracies(&[Some(&card), holdout]),
            "calls": student.as_ref().map(|student| figures::calls(&student.tally())),
        }));
        return Ok(exit);
    }
    let sample = project.suite.kind() == Kind::Sample;
    print_card(&card, sample, printer);
    if let Some(card) = holdout {
        print_card(card, sample, printer);
        printer.data(paint(FAINT, format!("openings of the holdout so far: {openings}; each wears it")));
        gap.iter().for_each(|gap| printer.data(gap_words(gap)));
    }
    if let Some(student) = &student {
        figures::print(&[Some(&card), holdout], &student.tally(), printer);
    }
    for alarm in &alarms {
        printer.data(format!("{} {}: {}", paint(BAD, "suspect"), alarm.rule, alarm.words));
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
        Reexamination::Moved(variant) => printer.data(moved(&variant)),
        Reexamination::Unclear(why) => printer.data(format!("{}: {}", paint(NOTE, "unclear"), unclear(&why))),
        Reexamination::Stands(_) | Reexamination::NothingStands => {}
    }
    printer.data(paint(FAINT, project.standing()));
    printer.data(paint(FAINT, format!("cage: {}", sandbox.describe())));
    Ok(exit)
}

/// The holdout is for what has won already, and for what all of it came from: whoever looks at it to choose wears it out.
fn finalist(node: Option<&Node>) -> Result<(), Failure> {
    let node = node.ok_or_else(unknown)?;
    let is = match node.verdict {
        Some(Verdict::Accepted) => return Ok(()),
        None if node.parents.is_empty() => return Ok(()),
        Some(verdict) => verdict.to_string(),
        None => "not judged yet".to_owned(),
    };
    let what = format!("{} is {is}, and the holdout is opened for accepted variants only", node.id.short());
    Err(Failure::new(Exit::Usage, what).hint("`meliora log` lists the accepted ones"))
}

/// Each opening of the holdout is journalled with the variant that it was opened for.
fn unknown() -> Failure {
    let what =
        "no run has seen your tree as it stands, so that there is no variant to count an opening of the holdout for";
    Failure::new(Exit::Usage, what).hint("`meliora run` examines it; `--variant ID` opens it for an accepted variant")
}

/// The sealed tasks.
pub const SEALED: Scope<'static> = Scope { splits: &[Split::Holdout], tasks: &[], seed: 0, lines: false };

/// A gap in words.
pub fn gap_words((gap, between): &Gap) -> String {
    let between = between.map(|(low, high)| format!(", {low:+.4} to {high:+.4} at 95 % confidence"));
    format!(
        "gap {gap:+.4}{}: how much more it gained on the visible tasks than on the sealed ones",
        between.unwrap_or_default()
    )
}

/// The same work examined so many times: what differs is no difference of the work.
fn again_and_again(
    times: u32,
    genome: &Genome,
    examiner: &Examiner<'_>,
    journal: &mut Journal<'_>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut cards = Vec::new();
    for i in 0..times {
        // Each seed twice: what differs under one seed comes from outside of it.
        let scope = Scope { splits: &[Split::Validation], seed: u64::from(i / 2), ..Scope::default() };
        cards.push(examiner.card(genome, &scope)?);
    }
    let mut found = meliora_judge::repeats(&cards.iter().collect::<Vec<_>>());
    let evaluator = examiner.suite.evaluator();
    let known = journal.lineage().flaky(&evaluator);
    found.tasks.retain(|task| !known.contains(&task.task));
    let (declared, exact) = (examiner.suite.kind(), found.exact());
    let quarantine = found.quarantine().filter(|tasks| declared == Kind::Exact && !tasks.is_empty());
    if let Some(tasks) = &quarantine {
        let reason = format!("{times} examinations of the same work gave it different scores");
        journal.record(&[Event::Quarantined { evaluator, tasks: tasks.clone(), reason }])?;
    }
    let missing: u32 = found.tasks.iter().map(|task| task.missing).sum();
    let contradicted = declared == Kind::Exact && !exact && quarantine.is_none();
    if printer.json() {
        let flaky = found.flaky().map(|task| {
            let (low, high) = task.range;
            serde_json::json!({ "task": task.task, "low": low, "high": high, "within_seed": task.differs_within_seed })
        });
        printer.object(&serde_json::json!({
            "event": "repeats", "examinations": times, "evaluator": evaluator, "declared": declared, "exact": exact,
            "means": found.means, "spread": found.spread(), "flaky": flaky.collect::<Vec<_>>(), "missing": missing,
            "quarantined": quarantine,
        }));
    } else {
        let row = |task: &TaskRepeats| {
            let (low, high) = task.range;
            let cause = if task.differs_within_seed { "also under one seed" } else { "by the seed" };
            vec![task.task.to_string(), format!("{low:.4} to {high:.4}"), cause.to_owned()]
        };
        if !exact {
            for line in table(&["task", "scores", "differs"], &found.flaky().map(row).collect::<Vec<_>>()) {
                printer.data(line);
            }
        }
        let count = found.flaky().count();
        printer.data(format!(
            "{times} examinations of the same work: {count} of {} differ, means within {:.4}, {} missing",
            counted(found.tasks.len(), "task"),
            found.spread(),
            counted(missing, "mark")
        ));
        printer.data(match (declared, exact, &quarantine) {
            (Kind::Exact, true, _) => "the suite is exact, as far as this shows".to_owned(),
            (Kind::Exact, false, Some(tasks)) => quarantined(tasks, "the same work was marked differently"),
            (Kind::Exact, false, None) => {
                format!("{}: {}", paint(BAD, "the suite is not exact"), mend_of_chance(examiner.suite))
            }
            (Kind::Sample, true, _) => {
                "nothing depends on the seed: one examination of a candidate is enough".to_owned()
            }
            (Kind::Sample, false, _) => "marks depend on chance: candidates are examined with several seeds".to_owned(),
        });
    }
    Ok(if contradicted { Exit::Configuration } else { Exit::Done })
}

/// What is said where an examination shows neither that the promoted variant stands nor that it dropped.
pub fn unclear(why: &str) -> String {
    format!("whether the promoted variant is as good as it was is not shown, and nothing is rolled back: {why}")
}

/// What is said where the tree is not the promoted variant.
pub fn moved(variant: &VariantId) -> String {
    let id = variant.short();
    format!("your tree is not {id} any more, which was promoted, so it is not held against its promotion")
}

/// Prints its marks and its means; where tasks stand for more than themselves, with where the true one lies.
fn print_card(card: &Scorecard, sample: bool, printer: &Printer) {
    let rows: Vec<Vec<String>> = card.marks.iter().map(mark_row).collect();
    for line in table(&["task", "split", "mark", "detail"], &rows) {
        printer.data(line);
    }
    for (name, value) in &card.metrics {
        printer.data(format!("{name} = {value}"));
    }
    for split in [Split::Train, Split::Validation, Split::Holdout] {
        if let Some(mean) = card.mean(split) {
            let between = figures::interval(card, split).filter(|_| sample);
            let between = between.map(|(low, high)| format!(", {low:.4} to {high:.4} at 95 % confidence"));
            let name = paint(BOLD, format!("{split} score"));
            printer.data(format!("{name} {mean:.4}{}", between.unwrap_or_default()));
        }
    }
    printer.data("");
}
