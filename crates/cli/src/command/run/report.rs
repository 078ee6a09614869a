//! The end of `meliora run`: how it ended, what it cost, and what to do next.

use meliora_domain::{FinishReason, Genome, Split, counted};
use meliora_evolve::{Archive, Ended, Lineage, Over, Run, Unsealed, unsealed};

use crate::command::bench::gap_words;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BAD, BOLD, FAINT, GOOD, Printer, diff_lines, paint, table};
use crate::project::{Project, now};

#[derive(serde::Serialize)]
struct Summary {
    event: &'static str,
    champion: String,
    baseline_score: Option<f64>,
    champion_score: Option<f64>,
    /// The champion to its parent: effect, interval, evidence, and how many candidates were tried.
    judgement: Option<meliora_domain::Judgement>,
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
    /// What the sealed tasks say of the champion, where they were opened for it.
    holdout_score: Option<f64>,
    holdout_gap: Option<f64>,
    holdout_gap_interval: Option<(f64, f64)>,
    holdout_openings: u64,
    /// What the cages were, in words.
    cage: String,
    reason: String,
}

/// Says how a run ended and what to do next.
pub(super) fn report(
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
    // What solved it may have turned out to be a suspect.
    let ceiling = champion.score.zip(project.suite.ceiling());
    let fell =
        matches!(ended, Ended::Finished(FinishReason::Solved)) && !ceiling.is_some_and(|(score, most)| score >= most);
    let vigilance = project.config.judge.vigilance();
    let holdout = unsealed(archive, lineage, &champion.id, &run.plan.evaluator, &vigilance)?;
    let reason = match ended {
        Ended::Interrupted => "interrupted".to_owned(),
        Ended::Paused(pause) => format!("paused by {}: {}", pause.rule, pause.reason),
        Ended::Finished(FinishReason::Solved) if fell => "what solved it is suspect".to_owned(),
        Ended::Finished(FinishReason::Solved) => "solved".to_owned(),
        Ended::Finished(FinishReason::Budget(which)) => format!("budget of {which} is used up"),
        Ended::Finished(FinishReason::Exhausted) => "the proposers have nothing more to offer".to_owned(),
        Ended::Finished(FinishReason::Superseded(why)) => why.clone(),
    };
    let exit = match ended {
        Ended::Interrupted => Exit::Interrupted,
        Ended::Paused(_) => Exit::Paused,
        Ended::Finished(FinishReason::Solved) if !fell => Exit::Done,
        Ended::Finished(_) if improved => Exit::Done,
        Ended::Finished(_) => Exit::NoImprovement,
    };
    if printer.json() {
        printer.object(&Summary {
            event: "finished",
            champion: champion.id.to_string(),
            baseline_score: baseline.score,
            champion_score: champion.score,
            judgement: if improved { meliora_evolve::judgement(archive, &champion.id)? } else { None },
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
            holdout_score: holdout.as_ref().and_then(|opened| opened.card.mean(Split::Holdout)),
            holdout_gap: holdout.as_ref().and_then(|opened| opened.gap).map(|gap| gap.0),
            holdout_gap_interval: holdout.as_ref().and_then(|opened| opened.gap).and_then(|gap| gap.1),
            holdout_openings: lineage.holdout_openings,
            cage,
            reason,
        });
        return Ok(exit);
    }
    tasks_table(run, lineage, archive, printer)?;
    if improved {
        let (before, after) = (archive.load(&baseline.id)?, archive.load(&champion.id)?);
        printer.data("");
        crate::command::diff::print_diff(&before, &after, printer);
    }
    printer.data("");
    let show = |s: Option<f64>| s.map_or("–".to_owned(), |s| format!("{s:.4}"));
    let solved = matches!(ended, Ended::Finished(FinishReason::Solved)) && !fell;
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
    if let Some(Unsealed { card, gap, .. }) = &holdout {
        let gap = gap.as_ref().map_or(String::new(), |gap| format!("; {}", gap_words(gap)));
        let (score, openings) = (show(card.mean(Split::Holdout)), lineage.holdout_openings);
        printer.data(paint(FAINT, format!("holdout score {score}{gap} ({openings} openings so far)")));
    }
    printer.data(paint(FAINT, costs(run, seconds)));
    if kept.0 > 0 {
        let line = format!(
            "answered from the cache: {}, so that {} need not be paid again",
            counted(kept.0, "model call"),
            counted(kept.1, "token")
        );
        printer.data(paint(FAINT, line));
    }
    printer.data(paint(FAINT, project.standing()));
    let open = lineage.asks.open(&project.constitution.digest(), now());
    next_steps(ended, improved, open, project, printer);
    Ok(exit)
}

fn costs(run: &Run, seconds: f64) -> String {
    format!(
        "{}: {} accepted, {} refused, {} tried before, {} unusable · {} · {} · {} · {seconds:.1} s",
        counted(run.attempts, "attempt"),
        run.accepted,
        run.refused,
        run.duplicates,
        run.unusable,
        counted(run.spent.evals, "eval"),
        counted(run.charged().tokens, "token"),
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
            vec![b.task.to_string(), crate::command::show::mark_cell(Some(b)), crate::command::show::mark_cell(now)]
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
        printer.data(format!("  meliora lineage{dir}    shows how it came about"));
    } else if matches!(ended, Ended::Finished(FinishReason::Solved)) {
        printer.data("  add harder tasks: what the suite cannot see cannot get better");
        printer
            .data(format!("  meliora promote champion{flag}{unproven}    if it does not stand in your repository yet"));
    } else if let Ended::Finished(reason) = ended {
        if let FinishReason::Budget(which) = reason
            && let Some(over) = Over::called(which)
        {
            printer.data(format!("  {} N    a larger budget: {which} ran out", over.flag()));
        }
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
