//! `meliora run`: evolve.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meliora_domain::{Cost, Event, FinishReason, Genome, MicroUsd, Proposer, RunPlan, Split};
use meliora_evolve::{
    Alert, Archive, Ended, Evolution, Examiner, Journal, Lineage, Pause, Reexamination, Run, Sandbox, Setup,
    StrategyKind, Student, Target, pause_in_force, reexamine, tell_of_pause,
};

use meliora_propose::optimize::NAMES;

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
use crate::printer::{BAD, BOLD, FAINT, GOOD, Printer, behind, diff_lines, paint, table};
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
    let models = |until| Models::new(&project.config, answers.clone(), until, printer);
    let untimed = models(None);
    let answerers = match project.suite.prompts() {
        Some(_) => proposers::answerers(&project.dir, &project.config, &untimed, args.record.as_deref())?,
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
    if !args.fresh {
        look_again(&mut journal, &archive, &project, (sandbox, student.as_ref()), printer)?;
    }
    // The automatic rollback may just have changed the tree.
    let genome = if journal.lineage().rollbacks > 0 { project.genome()? } else { genome };
    supersede(&mut journal, &project, args)?;

    let unfinished = journal.lineage().unfinished().map(|r| r.plan.clone());
    let continues = unfinished.is_some();
    let baseline = baseline(journal.lineage(), &archive, genome, args.fresh)?;
    let mut plan = plan(&project, &baseline);
    let busy = journal.lineage().run.as_ref().filter(|_| continues).map_or(0, |r| r.busy_millis);
    let until = end_of(plan.minutes, busy);
    let models = models(until);
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
        shape: &meliora_propose::shape::shape,
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

fn plan(project: &Project, baseline: &Genome) -> RunPlan {
    let c = &project.config;
    RunPlan {
        strategy: c.run.strategy.clone(),
        arms: Vec::<Proposer>::new(),
        seed: c.run.seed,
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
    };
    match reexamine(journal, archive, &project.target()?, &examiner)? {
        Reexamination::RolledBack(to, commit, why) => {
            let commit: String = commit.chars().take(10).collect();
            printer.warn(format!("rolled back to {} by commit {commit}: {why}", to.short()));
        }
        Reexamination::Moved(variant) => printer.warn(super::bench::moved(&variant)),
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

#[derive(serde::Serialize)]
struct Summary {
    event: &'static str,
    champion: String,
    baseline_score: Option<f64>,
    champion_score: Option<f64>,
    evals: u64,
    tokens: u64,
    usd: f64,
    cached_calls: u64,
    cached_tokens: u64,
    seconds: f64,
    attempts: u64,
    accepted: u64,
    refused: u64,
    asked: u64,
    waiting: usize,
    tier: meliora_domain::Tier,
    /// What the cages were, in words.
    cage: String,
    reason: String,
}

fn report(
    ended: &Ended,
    lineage: &Lineage,
    archive: &dyn Archive,
    (project, cage): (&Project, String),
    (seconds, kept): (f64, (u64, u64)),
    printer: &Printer,
) -> Result<Exit, Failure> {
    let (Some(run), Some(baseline), Some(champion)) = (&lineage.run, lineage.baseline(), lineage.champion()) else {
        return Err(Failure::new(Exit::Machinery, "the run left no baseline"));
    };
    let improved = run.champion != run.baseline;
    let reason = match ended {
        Ended::Interrupted => "interrupted".to_owned(),
        Ended::Paused(pause) => format!("paused by {}: {}", pause.rule, pause.reason),
        Ended::Finished(FinishReason::Solved) => "solved".to_owned(),
        Ended::Finished(FinishReason::Budget(which)) => format!("budget of {which} is used up"),
        Ended::Finished(FinishReason::Exhausted) => "the proposers have nothing more to offer".to_owned(),
        Ended::Finished(FinishReason::Superseded(why)) => why.clone(),
    };
    let exit = match ended {
        Ended::Interrupted => Exit::Interrupted,
        Ended::Paused(_) => Exit::Paused,
        Ended::Finished(FinishReason::Solved) => Exit::Done,
        Ended::Finished(_) if improved => Exit::Done,
        Ended::Finished(_) => Exit::NoImprovement,
    };
    if printer.json() {
        printer.object(&Summary {
            event: "finished",
            champion: champion.id.to_string(),
            baseline_score: baseline.score,
            champion_score: champion.score,
            evals: run.spent.evals,
            tokens: run.charged().tokens,
            usd: run.charged().usd.usd(),
            cached_calls: kept.0,
            cached_tokens: kept.1,
            seconds,
            attempts: run.attempts,
            accepted: run.accepted,
            refused: run.refused,
            asked: run.asked,
            waiting: lineage.asks.open(&project.constitution.digest(), now()),
            tier: project.suite.tier(),
            cage,
            reason,
        });
        return Ok(exit);
    }
    tasks_table(run, lineage, archive, printer)?;
    if improved {
        let (before, after) = (archive.load(&baseline.id)?, archive.load(&champion.id)?);
        printer.data("");
        super::diff::print_diff(&before, &after, printer);
    }
    printer.data("");
    let show = |s: Option<f64>| s.map_or("–".to_owned(), |s| format!("{s:.4}"));
    let solved = matches!(ended, Ended::Finished(FinishReason::Solved));
    let head = match (improved, solved) {
        (true, _) => paint(GOOD, "improved"),
        (false, true) => paint(GOOD, "nothing to improve"),
        (false, false) => paint(BAD, "no improvement"),
    };
    printer.data(format!(
        "{head}  score {} → {}  champion {}  ({reason})",
        show(baseline.score),
        paint(BOLD, show(champion.score)),
        paint(BOLD, champion.id.short()),
    ));
    if improved && let Some(judgement) = meliora_evolve::judgement(archive, &champion.id)? {
        printer.data(paint(FAINT, format!("the champion to its parent: {}", judgement.figures().join("; "))));
    }
    printer.data(paint(FAINT, costs(run, seconds)));
    if kept.0 > 0 {
        let line = format!("{} model calls were answered from the cache: {} tokens not paid again", kept.0, kept.1);
        printer.data(paint(FAINT, line));
    }
    printer.data(paint(FAINT, project.standing()));
    let open = lineage.asks.open(&project.constitution.digest(), now());
    next_steps(ended, improved, open, project, printer);
    Ok(exit)
}

fn costs(run: &Run, seconds: f64) -> String {
    format!(
        "{} attempts: {} accepted, {} refused, {} tried before, {} unusable · {} evals · {} tokens · {} · {seconds:.1} s",
        run.attempts,
        run.accepted,
        run.refused,
        run.duplicates,
        run.unusable,
        run.spent.evals,
        run.charged().tokens,
        run.charged().usd,
    )
}

fn tasks_table(run: &Run, lineage: &Lineage, archive: &dyn Archive, printer: &Printer) -> Result<(), Failure> {
    let marks = |index: Option<u32>| -> Result<Vec<meliora_domain::Mark>, Failure> {
        let Some(index) = index else { return Ok(Vec::new()) };
        let id = lineage.node(index).id;
        let cards = meliora_evolve::scorecards(archive, &id, &run.plan.evaluator)?;
        // The newest examination of all tasks.
        let whole = cards.iter().rev().find(|card| card.part_of == 0).or(cards.last());
        Ok(whole.map(|c| c.of(Split::Validation).cloned().collect()).unwrap_or_default())
    };
    let (before, after) = (marks(run.baseline)?, marks(run.champion)?);
    let rows: Vec<Vec<String>> = before
        .iter()
        .map(|b| {
            let now = after.iter().find(|a| a.task == b.task);
            vec![b.task.to_string(), super::show::mark_cell(Some(b)), super::show::mark_cell(now)]
        })
        .collect();
    printer.data("");
    for line in table(&["validation task", "baseline", "champion"], &rows) {
        printer.data(line);
    }
    Ok(())
}

fn next_steps(ended: &Ended, improved: bool, open: usize, project: &Project, printer: &Printer) {
    let dir = std::env::current_dir()
        .ok()
        .and_then(|here| project.dir.strip_prefix(here).ok().map(|p| p.display().to_string()))
        .unwrap_or_else(|| project.dir.display().to_string());
    let (dir, flag) =
        if dir.is_empty() { (String::new(), String::new()) } else { (format!(" {dir}"), format!(" --dir {dir}")) };
    printer.data("");
    printer.data(paint(BOLD, "next"));
    let unproven = if project.suite.tier() == meliora_domain::Tier::Together { " --unproven" } else { "" };
    if matches!(ended, Ended::Paused(_)) {
        printer.data(format!("  meliora resume{dir}    lets it go on; it needs your key"));
    }
    if open > 0 {
        let waits = if open == 1 { "1 request waits" } else { &format!("{open} requests wait") };
        printer.data(format!("  meliora approvals list{dir}    {waits} for a person"));
    }
    if matches!(ended, Ended::Interrupted) {
        printer.data(format!("  meliora run{dir}    goes on where it stopped"));
    }
    if improved {
        printer.data(format!("  meliora promote champion{flag}{unproven}    makes it a commit in your repository"));
        if project.suite.count(Split::Holdout) > 0 {
            printer.data(format!("  meliora bench{dir} --variant champion --holdout    opens the sealed tasks"));
        }
        printer.data(format!("  meliora lineage{dir}    shows how it came about"));
    } else if matches!(ended, Ended::Finished(FinishReason::Solved)) {
        printer.data("  add harder tasks: what the suite cannot see cannot get better");
        printer
            .data(format!("  meliora promote champion{flag}{unproven}    if it does not stand in your repository yet"));
    } else if matches!(ended, Ended::Finished(_)) {
        printer.data(format!("  meliora doctor{dir}    tells likely causes"));
    }
}

/// For `diff`, shared.
pub fn lines_of_change(before: &Genome, after: &Genome) -> Vec<String> {
    let mut paths: Vec<_> = before.files().map(|(p, _)| p).chain(after.files().map(|(p, _)| p)).collect();
    paths.sort();
    paths.dedup();
    let mut out = Vec::new();
    for path in paths {
        let (a, b) = (before.get(path), after.get(path));
        if a == b {
            continue;
        }
        match (a.map(|f| f.text()), b.map(|f| f.text())) {
            (Some(None), _) | (_, Some(None)) => out.push(format!("binary file {path} differs")),
            (a, b) => out.extend(diff_lines(path.as_str(), a.flatten(), b.flatten())),
        }
    }
    out
}
