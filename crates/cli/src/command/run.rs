//! `meliora run`: evolve.

mod report;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meliora_domain::{Cost, Event, FinishReason, Genome, MicroUsd, Proposer, RunPlan, Split};
use meliora_evolve::{
    Alert, Archive, Evolution, Examiner, Journal, Kept, Lineage, Novelty, Pause, Reexamination, Sandbox, Setup,
    StrategyKind, Student, Target, pause_in_force, reexamine, tell_of_pause,
};

use meliora_propose::optimize::NAMES;

pub use report::lines_of_change;
use report::report;

use super::proposers::{self, Answerers};
use crate::alerts::Alerts;
use crate::args;
use crate::cages;
use crate::config::Config;
use crate::custody::{self, Place};
use crate::desk::Words;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::models::{ANSWERS, Models};
use crate::observer::Show;
use crate::printer::{BAD, BOLD, FAINT, Printer, behind, paint};
use crate::project::{Project, STATE, law_digest, nonce, now};

/// Cages of each kind that wait to be used: enough for two jobs at once.
const AHEAD: usize = 2;

/// Evolves to the end of the budget, a perfect score, or Ctrl-C.
pub fn run(args: &args::Run, printer: &Printer) -> Result<Exit, Failure> {
    evolve(Project::open(&args.dir, &args.overrides, printer)?, args, printer)
}

/// The same for prompts: with an optimizer, whatever the project's proposers are.
pub fn optimize(args: &args::Run, printer: &Printer) -> Result<Exit, Failure> {
    let mut project = Project::open(&args.dir, &args.overrides, printer)?;
    if project.suite.prompts().is_none() {
        return Err(Failure::new(Exit::Configuration, "the suite of this project is none of prompts")
            .hint("its suite.toml has no [prompt]; `meliora run` evolves other genomes"));
    }
    project.config.run.proposers.retain(|name| NAMES.contains(&name.as_str()));
    if project.config.run.proposers.is_empty() {
        project.config.run.proposers = vec!["reword".into()];
    }
    evolve(project, args, printer)
}

fn evolve(mut project: Project, args: &args::Run, printer: &Printer) -> Result<Exit, Failure> {
    // Before keys and archives are read; cages are no copies of this process, but it need not come to that.
    let sandbox = cages::tested(&project.config.sandbox, &project.tools, AHEAD)?;
    let sandbox = sandbox.as_ref();
    apply_flags(&mut project.config, args);
    crate::config::check(&project.config).map_err(|what| Failure::new(Exit::Usage, what))?;
    let genome = project.genome()?;
    proposers::fit(&project, &genome)?;
    let _lock = project.lock("meliora run")?;
    let archive = project.archive()?;
    let answers = project.dir.join(STATE).join(ANSWERS);
    let models = Models::new(&project.config, answers, printer);
    let answerers = match project.suite.prompts() {
        Some(_) => proposers::answerers(&project, &models, args.record.as_deref())?,
        None => Answerers::default(),
    };
    let student = answerers.student(&project.config.student);
    let teacher = answerers.teacher(&project.config.student);
    if let Some(student) = &student {
        project.suite.answered_by(&student.describe());
    }
    let show = Show::new(*printer, project.config.budget.evals);
    untampered(&project)?;
    let mut journal = Journal::open(&archive, &show, &now)?;
    let tell = |alert: &Alert| show.alert(alert);
    let herald = Alerts::new(&project.config.alerts, &project.config.name, &project.dir, &tell)?;
    if let Some(pause) = pause_in_force(&mut journal, &project.constitution)? {
        tell_of_pause(&mut journal, &herald)?;
        return Ok(still_paused(&pause, &args.dir, printer));
    }
    let taped = args.record.is_some() || replays(&project);
    if !args.fresh && !taped {
        look_again(&mut journal, &archive, &project, (sandbox, student.as_ref()), printer)?;
    }
    // The automatic rollback may just have changed the tree.
    let genome = if journal.lineage().rollbacks > 0 { project.genome()? } else { genome };
    supersede(&mut journal, &project, args)?;

    let unfinished = journal.lineage().unfinished().map(|r| r.plan.clone());
    let continues = unfinished.is_some();
    let baseline = baseline(journal.lineage(), &archive, genome, args.fresh || taped)?;
    let runs = journal.lineage().run.as_ref().map_or(0, |run| u64::from(run.number));
    let further = if taped || args.seed.is_some() { 0 } else { runs };
    let mut plan = plan(&project, &baseline, further);
    let busy = journal.lineage().run.as_ref().filter(|_| continues).map_or(0, |r| r.busy_millis);
    if let Some(until) = end_of(plan.minutes, busy) {
        models.until.set(until);
    }
    let proposers = proposers::build(&project, sandbox, (args, &models, &answerers), unfinished.as_ref())?;
    plan.arms = proposers.iter().map(|(name, _)| name.clone()).collect();
    if let Some(begun) = unfinished {
        plan = RunPlan { budget: plan.budget, minutes: plan.minutes, ..begun };
    }
    let strategy = StrategyKind::named(&plan.strategy)
        .ok_or_else(|| Failure::new(Exit::Configuration, format!("there is no strategy '{}'", plan.strategy)))?;
    announce(&project, &plan, sandbox, printer);

    let stop = Arc::new(AtomicBool::new(false));
    on_interrupt(&stop, printer)?;
    let boxed: Vec<Box<dyn meliora_evolve::Proposer + '_>> = proposers.into_iter().map(|(_, p)| p).collect();
    let like = &project.config.search.novelty;
    let embeddings = if like.model.is_empty() { None } else { Some(models.embeddings(&like.model)?) };
    let novelty = embeddings.as_ref().map(|embedder| Novelty { embedder, above: like.above });
    // A tree in no git repository has no promotions either.
    let target = project.target().ok();
    let setup = Setup {
        goal: &project.config.goal,
        constitution: &project.constitution,
        suite: &project.suite,
        policy: project.policy(),
        vigilance: &project.config.judge.vigilance(),
        sandbox,
        student: student.as_ref(),
        teacher: teacher.as_ref(),
        archive: &archive,
        proposers: &boxed,
        observer: &show,
        clock: &now,
        nonce: &nonce,
        stop: &stop,
        jobs: project.config.run.jobs,
        guardian: project.guardian(),
        desk: &Words::of(&project.dir.join(STATE)),
        herald: &herald,
        novelty,
        shape: &meliora_propose::shape::shape,
        taped,
        target: target.as_ref().map(|target| target as &dyn Target),
    };
    let started = std::time::Instant::now();
    let mut evolution = Evolution::open(&setup, journal, plan, strategy.build(), &baseline)?;
    let ended = evolution.run_to_end();
    show.close();
    let seconds = started.elapsed().as_secs_f64() + busy as f64 / 1000.0;
    let ended = ended?;
    if let Some(trouble) = models.trouble() {
        printer.warn(trouble);
    }
    let cage = sandbox.describe();
    report(&ended, evolution.journal().lineage(), &archive, (&project, cage), (seconds, models.kept()), printer)
}

/// What is said of a project that is paused.
fn still_paused(pause: &Pause, dir: &Path, printer: &Printer) -> Exit {
    if printer.json() {
        printer.object(&serde_json::json!({ "event": "paused", "rule": pause.rule, "reason": pause.reason }));
    } else {
        printer.talk(format!("{} by {}: {}", paint(BAD, "paused"), paint(BOLD, &pause.rule), pause.reason));
        let at = behind("", dir);
        printer.talk(format!("  meliora log{at}       shows what happened"));
        printer.talk(format!("  meliora resume{at}    lets the work go on; it needs your key"));
    }
    Exit::Paused
}

/// When a run's minutes are over, of which it used some in earlier sittings. A model call that is under way then ends.
fn end_of(minutes: f64, busy_millis: u64) -> Option<std::time::Instant> {
    let left = (minutes * 60.0 - busy_millis as f64 / 1000.0).max(0.0);
    let left = std::time::Duration::try_from_secs_f64(left).ok().filter(|_| minutes > 0.0)?;
    std::time::Instant::now().checked_add(left)
}

fn apply_flags(config: &mut Config, args: &args::Run) {
    let run = &mut config.run;
    if let Some(strategy) = &args.strategy {
        run.strategy.clone_from(strategy);
    }
    if !args.proposers.is_empty() {
        run.proposers.clone_from(&args.proposers);
    }
    run.seed = args.seed.unwrap_or(run.seed);
    run.jobs = args.jobs.map_or(run.jobs, usize::from);
    let budget = &mut config.budget;
    budget.evals = args.evals.unwrap_or(budget.evals);
    budget.tokens = args.tokens.unwrap_or(budget.tokens);
    budget.usd = args.usd.unwrap_or(budget.usd);
    budget.minutes = args.minutes.unwrap_or(budget.minutes);
    if let Some(cassette) = &args.cassette {
        config.replay.cassette = std::path::absolute(cassette).unwrap_or_else(|_| cassette.clone());
        // Prompts are answered from the cassette, whoever proposes and whichever server is configured.
        config.model.base_url.clear();
        config.models.values_mut().for_each(|model| model.base_url.clear());
        let prompts = run.proposers.iter().any(|name| NAMES.contains(&name.as_str()));
        if args.proposers.is_empty() && !prompts {
            run.proposers = vec!["replay".into()];
        }
    }
}

/// Whether a model is played from a cassette. Such a run, and the one that is recorded, begins at the user's own files and
/// draws the same random numbers, whatever ran in the folder before.
fn replays(project: &Project) -> bool {
    let c = &project.config;
    let answered = project.suite.prompts().is_some() && c.model.base_url.is_empty();
    !c.replay.cassette.as_os_str().is_empty() && (answered || c.run.proposers.iter().any(|name| name == "replay"))
}

/// A plan whose seed is so much further than the configured one: a second run in a folder is to find something else.
fn plan(project: &Project, baseline: &Genome, further: u64) -> RunPlan {
    let c = &project.config;
    RunPlan {
        strategy: c.run.strategy.clone(),
        arms: Vec::<Proposer>::new(),
        seed: c.run.seed.wrapping_add(further),
        budget: Cost { evals: c.budget.evals, tokens: c.budget.tokens, usd: MicroUsd::from_usd(c.budget.usd) },
        minutes: c.budget.minutes,
        evaluator: project.suite.evaluator(),
        baseline: baseline.tree(),
        constitution: law_digest(project),
        tier: Some(project.suite.tier()),
        search: c.search.plan(c.run.arms),
    }
}

/// A journal in a file is held against its checkpoints from its first event on: what was altered in its midst shows, at
/// less than two seconds for a million events. One in a database is read too slowly for that at each start.
fn untampered(project: &Project) -> Result<(), Failure> {
    let place = Place::of(&project.dir, &project.config.store)?;
    if place.address().is_some() || !place.begun() {
        return Ok(());
    }
    let Some(found) = custody::audited(&place)?.findings.into_iter().next() else { return Ok(()) };
    let what =
        format!("the journal is not what was written ({} at event {}): {}", found.tampering, found.seq, found.what);
    Err(Failure::new(Exit::Tampered, what).hint("`meliora audit verify` tells everything; nothing was run"))
}

/// A promoted variant is examined again before anything new is bred from it.
fn look_again(
    journal: &mut Journal<'_>,
    archive: &dyn Archive,
    project: &Project,
    (sandbox, student): (&dyn Sandbox, Option<&Student<'_>>),
    printer: &Printer,
) -> Result<(), Failure> {
    if journal.lineage().unfinished().is_some() || journal.lineage().standing.is_empty() {
        return Ok(());
    }
    let policy = project.policy();
    let examiner = Examiner {
        constitution: &project.constitution,
        suite: &project.suite,
        sandbox,
        student,
        policy: &policy,
        nonce: &nonce,
        kept: &Kept::default(),
    };
    match reexamine(journal, archive, &project.target()?, &examiner)? {
        Reexamination::RolledBack(to, commit, why) => {
            let commit: String = commit.chars().take(10).collect();
            printer.warn(format!("rolled back to {} by commit {commit}: {why}", to.short()));
        }
        Reexamination::Moved(variant) => printer.warn(super::bench::moved(&variant)),
        Reexamination::Unclear(why) => printer.warn(super::bench::unclear(&why)),
        Reexamination::Stands(_) | Reexamination::NothingStands => {}
    }
    Ok(())
}

/// An unfinished run goes on only under what it was begun with.
fn supersede(journal: &mut Journal<'_>, project: &Project, args: &args::Run) -> Result<(), Failure> {
    let Some(run) = journal.lineage().unfinished() else { return Ok(()) };
    let changed = if args.fresh {
        Some("a fresh start was asked for")
    } else if run.plan.evaluator != project.suite.evaluator() {
        Some("the suite or its tools have changed")
    } else if run.plan.constitution != law_digest(project) {
        Some("the constitution or what is editable has changed")
    } else {
        None
    };
    if let Some(why) = changed {
        journal.record(&[Event::Finished {
            reason: FinishReason::Superseded(why.to_owned()),
            counts: Default::default(),
        }])?;
        return Ok(());
    }
    let asked = |flag: bool, name: &str| flag.then(|| name.to_owned());
    let kinds: Vec<&str> = run.plan.arms.iter().map(|a| a.kind.as_str()).collect();
    let differ = [
        asked(args.seed.is_some_and(|s| s != run.plan.seed), "--seed"),
        asked(args.strategy.as_ref().is_some_and(|s| *s != run.plan.strategy), "--strategy"),
        asked(!args.proposers.is_empty() && args.proposers != kinds, "--proposer"),
    ];
    let differ: Vec<String> = differ.into_iter().flatten().collect();
    if differ.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("an unfinished run was begun with another {}", differ.join(", ")))
        .hint("go on with it without these flags, or leave it behind with `--fresh`"))
}

/// Where a run starts: at the champion, as long as the user's tree is one of the states it came from.
fn baseline(lineage: &Lineage, archive: &dyn Archive, genome: Genome, fresh: bool) -> Result<Genome, Failure> {
    if let Some(run) = lineage.unfinished() {
        // A run that was cut off before it had examined its baseline still knows which one it was.
        let known = lineage.baseline().or_else(|| lineage.find_tree(&run.plan.baseline).map(|i| lineage.node(i)));
        return known.map_or(Ok(genome), |node| Ok(archive.load(&node.id)?));
    }
    let Some(champion) = lineage.champion() else { return Ok(genome) };
    let bred = lineage.descends(champion, &genome.tree());
    // What was rolled back is not bred from again by itself.
    if bred && !fresh && !lineage.disgraced(champion) { Ok(archive.load(&champion.id)?) } else { Ok(genome) }
}

fn announce(project: &Project, plan: &RunPlan, sandbox: &dyn Sandbox, printer: &Printer) {
    if printer.json() {
        return;
    }
    let arms: Vec<String> =
        plan.arms.iter().map(|a| a.model.as_ref().map_or(a.kind.clone(), |m| format!("{} ({m})", a.kind))).collect();
    let suite = &project.suite;
    printer.talk(format!(
        "{}  {} train, {} validation, {} holdout tasks · {}",
        paint(BOLD, &project.config.name),
        suite.count(Split::Train),
        suite.count(Split::Validation),
        suite.count(Split::Holdout),
        project.standing()
    ));
    printer.talk(paint(
        FAINT,
        format!("strategy {} · {} · seed {} · cage: {}", plan.strategy, arms.join(", "), plan.seed, sandbox.describe()),
    ));
}

/// The first Ctrl-C finishes what is under way; the second leaves at once. Either way nothing is lost.
fn on_interrupt(stop: &Arc<AtomicBool>, printer: &Printer) -> Result<(), Failure> {
    let (stop, printer) = (stop.clone(), *printer);
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])
        .map_err(|e| Failure::new(Exit::Machinery, format!("signals cannot be caught: {e}")))?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(Exit::Interrupted.code().into());
            }
            printer
                .talk("stopping: what is under way is finished first (Ctrl-C again leaves at once; nothing is lost)");
        }
    });
    Ok(())
}
