//! A library of prompts: a folder whose folders are projects, each with its owner, its suite and its versions. `list` tells how
//! they stand; a round gives each its share of one budget and ends with a report.

use std::path::{Path, PathBuf};

use meliora_benchmark::Suite;
use meliora_domain::{Cost, MicroUsd, Split};
use meliora_evolve::{Lineage, Node, lineage_of};
use serde_json::json;

use crate::args::{Overrides, Run};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, Printer, paint, table};
use crate::project::{Project, archive_to_read, has_begun};

/// The projects of a folder, by name; the folder itself if it is one.
fn projects(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_project = |path: &Path| path.join("meliora.toml").is_file();
    let unreadable = |e: std::io::Error| {
        Failure::new(Exit::Usage, format!("{} cannot be read: {e}", dir.display()))
            .hint("name the folder that holds the projects of your prompts")
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && is_project(&path) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() && is_project(dir) {
        found.push(dir.to_owned());
    }
    if found.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{} holds no project", dir.display()))
            .hint("each prompt has a folder with a meliora.toml in it; docs/prompt-library.md shows one"));
    }
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// How a prompt stands.
struct Standing {
    name: String,
    owner: String,
    rows: [usize; 3],
    /// Promotions so far; 0 for the prompt as it was written.
    version: usize,
    /// The commit of the newest promotion that stands.
    commit: Option<String>,
    score: Option<f64>,
    /// A better one that is not promoted.
    waiting: Option<(String, Option<f64>)>,
}

impl Standing {
    fn of(path: &Path, printer: &Printer) -> Result<Option<Self>, Failure> {
        let project = Project::open(path, &Overrides::default(), printer)?;
        if project.suite.prompts().is_none() {
            return Ok(None);
        }
        let lineage = read(path)?;
        Ok(Some(Standing::told(name_of(path), &project.config, &project.suite, lineage.as_ref())))
    }

    fn told(name: String, config: &Config, suite: &Suite, lineage: Option<&Lineage>) -> Self {
        let rows = [Split::Train, Split::Validation, Split::Holdout].map(|split| suite.count(split));
        let stands = lineage.and_then(|l| l.standing.last());
        let node = |id| lineage.and_then(|l| l.find(&id).map(|i| l.node(i)));
        let champion = lineage.and_then(|l| Some((l.champion()?, l.run.as_ref()?)));
        let waiting = champion.filter(|(best, run)| {
            run.champion != run.baseline && stands.is_none_or(|s| node(s.variant).is_none_or(|n| n.tree != best.tree))
        });
        Standing {
            name,
            owner: config.owner.clone(),
            rows,
            version: lineage.map_or(0, |l| l.standing.len()),
            commit: stands.map(|s| s.commit.chars().take(10).collect()),
            score: stands.and_then(|s| node(s.variant)?.score).or_else(|| lineage.and_then(|l| l.baseline()?.score)),
            waiting: waiting.map(|(best, _)| (best.id.short().to_string(), best.score)),
        }
    }
}

fn read(path: &Path) -> Result<Option<Lineage>, Failure> {
    if !has_begun(path)? {
        return Ok(None);
    }
    Ok(Some(lineage_of(&archive_to_read(path)?)?))
}

/// `meliora prompt list`.
pub fn list(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let (mut rows, mut data) = (Vec::new(), Vec::new());
    for path in projects(dir)? {
        let Some(s) = Standing::of(&path, printer)? else { continue };
        let score = |score: Option<f64>| score.map_or("–".to_owned(), |score| format!("{score:.4}"));
        let waiting = s.waiting.as_ref().map_or_else(String::new, |(id, best)| format!("{id} {}", score(*best)));
        let version = s.commit.as_ref().map_or("as written".to_owned(), |commit| format!("{} ({commit})", s.version));
        let [train, validation, holdout] = s.rows;
        data.push(json!({
            "event": "prompt", "name": s.name, "owner": s.owner, "version": s.version, "commit": s.commit,
            "train": train, "validation": validation, "holdout": holdout, "score": s.score,
            "waiting": s.waiting.as_ref().map(|w| &w.0), "waiting_score": s.waiting.as_ref().and_then(|w| w.1),
        }));
        let suite = format!("{train}/{validation}/{holdout}");
        rows.push(vec![s.name, s.owner, version, suite, score(s.score), waiting]);
    }
    if printer.json() {
        data.iter().for_each(|object| printer.object(object));
    } else {
        let head = ["prompt", "owner", "version", "train/validation/holdout", "score", "waits to be promoted"];
        table(&head, &rows).into_iter().for_each(|line| printer.data(line));
    }
    Ok(Exit::Done)
}

/// What is left of a round's budget; zero limits nothing.
#[derive(Clone, Copy)]
struct Left {
    evals: u64,
    tokens: u64,
    usd: f64,
    minutes: f64,
}

/// What a project's newest run has cost, and how long it was at work.
#[derive(Clone, Copy, Default)]
struct Spent {
    run: u32,
    cost: Cost,
    minutes: f64,
}

impl Spent {
    fn of(path: &Path) -> Result<Self, Failure> {
        let Some(lineage) = read(path)? else { return Ok(Spent::default()) };
        let Some(run) = &lineage.run else { return Ok(Spent::default()) };
        Ok(Spent { run: run.number, cost: run.charged(), minutes: run.busy_millis as f64 / 60_000.0 })
    }

    /// What came on top of what was known; a new run counts as a whole.
    fn since(&self, before: &Spent) -> Spent {
        if self.run != before.run {
            return *self;
        }
        let cost = Cost {
            evals: self.cost.evals.saturating_sub(before.cost.evals),
            tokens: self.cost.tokens.saturating_sub(before.cost.tokens),
            usd: MicroUsd(self.cost.usd.0.saturating_sub(before.cost.usd.0)),
        };
        Spent { run: self.run, cost, minutes: (self.minutes - before.minutes).max(0.0) }
    }
}

/// The part of what is left that one of so many gets, on top of what an unfinished run has spent, and within the
/// project's own limit. `None` where there is no limit.
fn share(left: f64, among: usize, spent: f64, own: f64) -> Option<f64> {
    let part = (left > 0.0).then(|| spent + left / among as f64);
    match (part, own > 0.0) {
        (Some(part), true) => Some(part.min(own)),
        (part, _) => part,
    }
}

/// `meliora prompt optimize --all`: each prompt in turn. What one leaves over is for those after it. One that fails is told
/// and holds up no other.
pub fn round(
    dir: &Path,
    run: &Run,
    printer: &Printer,
    optimize: &dyn Fn(&Run, &Printer) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let paths = projects(dir)?;
    let started = std::time::Instant::now();
    let limited = |limit: f64| if limit > 0.0 { limit } else { 0.0 };
    let whole = Left {
        evals: run.evals.unwrap_or(0),
        tokens: run.tokens.unwrap_or(0),
        usd: limited(run.usd.unwrap_or(0.0)),
        minutes: limited(run.minutes.unwrap_or(0.0)),
    };
    let (mut sum, mut rows, mut data) = (Spent::default(), Vec::new(), Vec::new());
    let (mut improved, mut solved, mut failed, mut stopped) = (0, 0, None, false);
    for (at, path) in paths.iter().enumerate() {
        let name = name_of(path);
        let elapsed = started.elapsed().as_secs_f64() / 60.0;
        let left = Left {
            evals: whole.evals.saturating_sub(sum.cost.evals),
            tokens: whole.tokens.saturating_sub(sum.cost.tokens),
            usd: whole.usd - sum.cost.usd.usd(),
            minutes: whole.minutes - elapsed,
        };
        let over = (whole.evals > 0 && left.evals == 0)
            || (whole.tokens > 0 && left.tokens == 0)
            || (whole.usd > 0.0 && left.usd <= 0.0)
            || (whole.minutes > 0.0 && left.minutes <= 0.0);
        let mut skip = |why: &str| {
            rows.push(vec![name.clone(), why.to_owned(), String::new(), String::new(), String::new()]);
            data.push(json!({ "event": "prompt", "name": name, "outcome": why }));
        };
        if over || stopped {
            skip(if stopped { "not begun: stopped" } else { "not begun: the budget was used up" });
            continue;
        }
        let config = match config::load(&path.join("meliora.toml")) {
            Ok(config) => config,
            Err(failure) => {
                skip(&format!("failed: {}", failure.what));
                failed.get_or_insert(failure);
                continue;
            }
        };
        let before = Spent::of(path)?;
        let going_on = read(path)?.is_some_and(|lineage| lineage.unfinished().is_some()) && !run.fresh;
        let known = if going_on { before } else { Spent::default() };
        let among = paths.len() - at;
        let whole_number = |part: f64| (part.floor() as u64).max(1);
        let mut one = run.clone();
        one.dir.clone_from(path);
        let own = &config.budget;
        one.evals = share(left.evals as f64, among, known.cost.evals as f64, own.evals as f64).map(whole_number);
        one.tokens = share(left.tokens as f64, among, known.cost.tokens as f64, own.tokens as f64).map(whole_number);
        one.usd = share(left.usd, among, known.cost.usd.usd(), own.usd);
        one.minutes = share(left.minutes, among, known.minutes, own.minutes);
        if !printer.json() {
            printer.talk(format!("\n{} ({} of {})", paint(BOLD, &name), at + 1, paths.len()));
        }
        let ended = optimize(&one, printer);
        let spent = Spent::of(path)?.since(&before);
        sum.cost += spent.cost;
        let scores = Scores::of(path)?;
        let outcome = match &ended {
            Ok(Exit::Done) if scores.better => {
                improved += 1;
                "improved".to_owned()
            }
            Ok(Exit::Done) => {
                solved += 1;
                "nothing to improve".to_owned()
            }
            Ok(Exit::NoImprovement) => "no improvement".to_owned(),
            Ok(Exit::Interrupted) => {
                stopped = true;
                "interrupted; goes on with the next round".to_owned()
            }
            Ok(Exit::Paused) => "paused".to_owned(),
            Ok(other) => format!("ended with code {}", other.code()),
            Err(failure) => format!("failed: {}", failure.what),
        };
        if let Err(failure) = ended {
            printer.warn(format!("{name}: {}", failure.what));
            failed.get_or_insert(failure);
        }
        let cost = format!("{} evals, {} tokens, {}", spent.cost.evals, spent.cost.tokens, spent.cost.usd);
        let next = match scores.better {
            true => format!("meliora promote champion --dir {}", path.display()),
            false => String::new(),
        };
        rows.push(vec![name.clone(), outcome.clone(), scores.words(), cost, next]);
        data.push(json!({
            "event": "prompt", "name": name, "outcome": outcome, "owner": config.owner, "evals": spent.cost.evals,
            "tokens": spent.cost.tokens, "usd": spent.cost.usd.usd(), "before": scores.before, "after": scores.after,
        }));
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    if printer.json() {
        printer.object(&json!({
            "event": "round", "prompts": data, "improved": improved, "evals": sum.cost.evals, "tokens": sum.cost.tokens,
            "usd": sum.cost.usd.usd(), "minutes": minutes,
        }));
    } else {
        printer.data("");
        let head = ["prompt", "outcome", "score", "cost", "next"];
        table(&head, &rows).into_iter().for_each(|line| printer.data(line));
        printer.data(format!(
            "{improved} of {} improved · {} evals · {} tokens · {} · {minutes:.1} min",
            paths.len(),
            sum.cost.evals,
            sum.cost.tokens,
            sum.cost.usd
        ));
    }
    match failed {
        _ if stopped => Ok(Exit::Interrupted),
        Some(failure) if improved == 0 => Err(failure),
        _ if improved == 0 && solved < paths.len() => Ok(Exit::NoImprovement),
        _ => Ok(Exit::Done),
    }
}

/// The scores of a project's newest run.
#[derive(Default)]
struct Scores {
    before: Option<f64>,
    after: Option<f64>,
    /// Whether its champion is another than what it began with.
    better: bool,
}

impl Scores {
    fn of(path: &Path) -> Result<Self, Failure> {
        let Some(lineage) = read(path)? else { return Ok(Scores::default()) };
        let score = |node: Option<&Node>| node.and_then(|node| node.score);
        Ok(Scores {
            before: score(lineage.baseline()),
            after: score(lineage.champion()),
            better: lineage.run.as_ref().is_some_and(|run| run.champion != run.baseline),
        })
    }

    fn words(&self) -> String {
        let show = |score: Option<f64>| score.map_or("–".to_owned(), |score| format!("{score:.4}"));
        format!("{} → {}", show(self.before), show(self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_a_part_of_what_is_left_within_the_projects_own_limit() {
        assert_eq!(share(0.0, 3, 5.0, 0.0), None, "no limit anywhere");
        assert_eq!(share(90.0, 3, 0.0, 0.0), Some(30.0));
        assert_eq!(share(90.0, 3, 5.0, 0.0), Some(35.0), "an unfinished run goes on");
        assert_eq!(share(90.0, 3, 0.0, 20.0), Some(20.0), "its own limit holds");
        assert_eq!(share(0.0, 3, 0.0, 20.0), None, "its own configuration limits it already");
    }
}
