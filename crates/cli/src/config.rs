//! Configuration: built-in defaults < user file < `meliora.toml` < `MELIORA_*` < flags. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meliora_judge::{SCORE_RULES, suspicion::RULES};
use meliora_propose::optimize::NAMES;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cages::Backend;
use crate::exit::Exit;
use crate::failure::Failure;

mod judge;
pub mod model;
mod search;

pub use judge::{Judge, MarginKind};
pub use model::Model;
pub use search::{Search, Turns};

/// A project's `meliora.toml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The project's name.
    pub name: String,
    /// Who answers for it, in words of your own; shown where projects are listed.
    #[serde(default)]
    pub owner: String,
    /// What proposers are told to make better.
    #[serde(default)]
    pub goal: String,
    /// The files that may change.
    #[serde(default)]
    pub genome: Genome,
    /// The exam.
    #[serde(default)]
    pub suite: Suite,
    /// How to evolve.
    #[serde(default)]
    pub run: Run,
    /// What a run may spend. Zero is no limit.
    #[serde(default)]
    pub budget: Budget,
    /// What cages see and may use.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// The language model.
    #[serde(default)]
    pub model: Model,
    /// Further language models, by names of your own.
    #[serde(default)]
    pub models: BTreeMap<String, Model>,
    /// The model that answers in examinations of prompts; `[model]` where it names no server.
    #[serde(default)]
    pub student: Student,
    /// The outside proposer.
    #[serde(default)]
    pub command: OutsideCommand,
    /// The cassette of the `replay` proposer.
    #[serde(default)]
    pub replay: Replay,
    /// What decides.
    #[serde(default)]
    pub judge: Judge,
    /// How you are told what the guardian saw.
    #[serde(default)]
    pub alerts: Alerts,
    /// Where the journal is kept.
    #[serde(default)]
    pub store: Store,
    /// The settings of strategies.
    #[serde(default)]
    pub search: Search,
}

/// `[genome]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Genome {
    /// Folder of the genome, relative to the project.
    pub root: PathBuf,
    /// Globs of the files that may change, relative to `root`.
    pub editable: Vec<String>,
    /// Largest genome after a change, in bytes.
    pub max_bytes: u64,
}

impl Default for Genome {
    fn default() -> Self {
        Genome { root: ".".into(), editable: Vec::new(), max_bytes: 64 << 20 }
    }
}

/// `[suite]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Suite {
    /// Folder of the suite, relative to the project.
    pub folder: PathBuf,
}

impl Default for Suite {
    fn default() -> Self {
        Suite { folder: "suite".into() }
    }
}

/// `[run]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// How parents are chosen: `greedy`, `dgm`, `hgm`, `islands` or `pareto`.
    pub strategy: String,
    /// Who proposes, in turns: `mutate`, `rewrite`, `rewrite:NAME` with the model `[models.NAME]`, `replay`, `command`; for
    /// prompts, the optimizers of docs/prompts.md.
    pub proposers: Vec<String>,
    /// How a proposer is chosen where there are several: `turns` or `bandit`.
    pub arms: Turns,
    /// Seed of every random choice.
    pub seed: u64,
    /// How many steps are dealt with at once.
    pub jobs: usize,
}

impl Default for Run {
    fn default() -> Self {
        Run { strategy: "greedy".into(), proposers: vec!["mutate".into()], arms: Turns::Turns, seed: 1, jobs: 2 }
    }
}

/// `[budget]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Examinations.
    pub evals: u64,
    /// Tokens.
    pub tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// Minutes.
    pub minutes: f64,
}

/// `[sandbox]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// Where cages come from: `ns` (Linux namespaces), `microvm`, `e2b`, `container`.
    pub backend: Backend,
    /// A Python program, or the folder of a virtual environment.
    pub python: Option<String>,
    /// Memory of each process, in MiB.
    pub memory_mb: u64,
    /// Wall-clock seconds of each command.
    pub seconds: f64,
    /// Processes and threads at once.
    pub processes: u32,
    /// Size of each writable folder, in MiB.
    pub disk_mb: u64,
    /// Output that is kept, in MiB.
    pub output_mb: u64,
    /// Folder of the image for the backend `microvm`; without it, where `meliora sandbox image build` puts one.
    pub microvm_image: Option<PathBuf>,
    /// Installed Python modules that jobs find imported already, such as `numpy`.
    pub warm: Vec<String>,
    /// E2B's cloud, for the backend of that name.
    pub e2b: E2b,
}

/// `[sandbox.e2b]`; the key is in the environment alone, as `E2B_API_KEY`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct E2b {
    /// The template that sandboxes are made from.
    pub template: String,
    /// Seconds that a sandbox lives without news of this program, 15 to 86400; while it is used it is kept.
    pub lifetime_seconds: u64,
}

impl Default for E2b {
    fn default() -> Self {
        E2b { template: "code-interpreter-v1".into(), lifetime_seconds: 300 }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Sandbox {
            backend: Backend::Ns,
            python: None,
            memory_mb: 1024,
            seconds: 30.0,
            processes: 64,
            disk_mb: 64,
            output_mb: 4,
            microvm_image: None,
            warm: Vec::new(),
            e2b: E2b::default(),
        }
    }
}

/// `[student]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Student {
    /// The model `[models.NAME]`; absent for `[model]`.
    pub model: Option<String>,
    /// Sampling temperature. At 0 an equal question is asked once.
    pub temperature: f64,
    /// Most tokens an answer may have.
    pub max_tokens: u32,
    /// Seed of its answers, for servers that take one.
    pub seed: u64,
    /// How many questions are asked at once.
    pub at_once: usize,
}

impl Default for Student {
    fn default() -> Self {
        Student { model: None, temperature: 0.0, max_tokens: 512, seed: 0, at_once: 4 }
    }
}

/// `[command]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutsideCommand {
    /// Program and arguments; relative paths are relative to the project.
    pub argv: Vec<String>,
    /// Further paths that its cage sees read-only.
    pub read_only: Vec<PathBuf>,
}

/// `[replay]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Replay {
    /// The cassette, relative to the project.
    pub cassette: PathBuf,
}

/// `[alerts]`: the terminal and the journal are always told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Program and arguments that get the alert as JSON on standard input; run in the project's folder, without a shell.
    pub command: Vec<String>,
    /// Name of the environment variable that holds a webhook's address, as Slack and what understands Slack give one.
    pub webhook_env: Option<String>,
    /// Tries after the first one.
    pub retries: u32,
    /// Seconds before the second try; doubled before each further one.
    pub wait_seconds: f64,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts { command: Vec::new(), webhook_env: None, retries: 4, wait_seconds: 1.0 }
    }
}

/// `[store]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// A Postgres database, such as postgres://user@127.0.0.1:5432/agent_audit; without it, a SQLite file in `.meliora`.
    pub url: Option<String>,
    /// Folder of the signed checkpoints; without it, `meliora/checkpoints` in the user's folder of state.
    pub checkpoints: Option<PathBuf>,
}

/// Reads a native project's configuration, with the user's file beneath it and the environment above it.
pub fn load(project_file: &Path) -> Result<Config, Failure> {
    let bad = |what: String| Failure::new(Exit::Configuration, what).hint("docs/configuration.md lists every key");
    let text = std::fs::read_to_string(project_file).map_err(|e| {
        Failure::new(Exit::Configuration, format!("{} cannot be read: {e}", project_file.display()))
            .hint("`meliora init` makes a project")
    })?;
    // The project's file alone first: its errors carry lines.
    toml::from_str::<Config>(&text).map_err(|e| bad(format!("{}: {e}", project_file.display())))?;
    let merged = merged(Some(project_file))?;
    let config: Config = merged.try_into().map_err(|e| bad(format!("settings of all sources together: {e}")))?;
    check(&config).map_err(bad)?;
    Ok(config)
}

/// The `[store]` of a folder, whatever else it is: a project's file need not be whole for its journal to be read.
pub fn store(dir: &Path) -> Result<Store, Failure> {
    let file = dir.join("meliora.toml");
    let store = merged(file.is_file().then_some(&*file))?.remove("store");
    let bad = |e: toml::de::Error| Failure::new(Exit::Configuration, format!("[store]: {}", e.message()));
    store.map_or(Ok(Store::default()), |store| store.try_into().map_err(bad))
}

/// The models of a folder, whatever else it is: `[model]` and those with names.
pub fn models(dir: &Path) -> Result<(Model, BTreeMap<String, Model>), Failure> {
    let file = dir.join("meliora.toml");
    let mut table = merged(file.is_file().then_some(&*file))?;
    let mut only = toml::Table::from_iter([("name".to_owned(), toml::Value::String(String::new()))]);
    only.extend(["model", "models"].iter().filter_map(|key| Some(((*key).to_owned(), table.remove(*key)?))));
    let config: Config = only.try_into().map_err(|e: toml::de::Error| {
        Failure::new(Exit::Configuration, e.message()).hint("docs/configuration.md lists every key")
    })?;
    model::check(&config).map_err(|what| Failure::new(Exit::Configuration, what))?;
    Ok((config.model, config.models))
}

/// The settings of all sources: the user's file, the project's, the environment.
fn merged(project_file: Option<&Path>) -> Result<toml::Table, Failure> {
    let mut merged = toml::Table::new();
    let user_file = user_file().filter(|path| path.is_file());
    for path in [user_file.as_deref(), project_file].into_iter().flatten() {
        let bad = |e: &dyn std::fmt::Display| {
            Failure::new(Exit::Configuration, format!("{}: {e}", path.display()))
                .hint("docs/configuration.md lists every key")
        };
        let text = std::fs::read_to_string(path).map_err(|e| bad(&e))?;
        merge(&mut merged, parse(&text).map_err(|e| bad(&e))?);
    }
    merge(&mut merged, from_environment(std::env::vars()));
    Ok(merged)
}

/// What types cannot say.
pub fn check(config: &Config) -> Result<(), String> {
    check_sandbox(&config.sandbox)?;
    if config.genome.editable.is_empty() {
        return Err("[genome] editable names no file, so nothing may change".into());
    }
    meliora_store::Globs::new(&config.genome.editable, &[]).map_err(|e| format!("[genome] editable: {e}"))?;
    let b = &config.budget;
    if !(b.usd >= 0.0 && b.usd.is_finite() && b.minutes >= 0.0 && b.minutes.is_finite()) {
        return Err("a budget must be a number of zero or more".into());
    }
    let j = &config.judge;
    let known = |id: &String| RULES.iter().chain(SCORE_RULES).any(|(rule, _)| rule == id);
    if let Some(id) = j.suspicion_without.iter().find(|id| !known(id)) {
        let all: Vec<&str> = RULES.iter().chain(SCORE_RULES).map(|(rule, _)| *rule).collect();
        return Err(format!(
            "[judge] suspicion_without names '{id}', which is no rule; the rules are {}",
            all.join(", ")
        ));
    }
    if j.ceiling.is_some_and(|c| !c.is_finite()) {
        return Err("[judge] ceiling is no finite number".into());
    }
    if !(j.alpha > 0.0 && j.alpha < 1.0 && j.margin > 0.0 && j.margin < 1.0) {
        return Err("[judge] alpha and margin lie between 0 and 1".into());
    }
    if !(1..=100).contains(&j.seeds) {
        return Err("[judge] seeds lies between 1 and 100".into());
    }
    let a = &config.alerts;
    if !(0.0..=600.0).contains(&a.wait_seconds) || a.retries > 20 {
        return Err("[alerts] wait_seconds lies between 0 and 600, retries between 0 and 20".into());
    }
    let s = &config.student;
    if !(0.0..=2.0).contains(&s.temperature) || s.max_tokens == 0 || !(1..=512).contains(&s.at_once) {
        return Err("[student] temperature lies between 0 and 2, at_once between 1 and 512, max_tokens above 0".into());
    }
    if config.run.jobs == 0 || config.run.jobs > 256 {
        return Err("[run] jobs lies between 1 and 256".into());
    }
    if config.run.proposers.is_empty() || config.run.proposers.len() > 64 {
        return Err("[run] proposers names none".into());
    }
    for proposer in &config.run.proposers {
        let known = ["mutate", "crossover", "rewrite", "replay", "command"];
        if let Some(("rewrite", name)) = proposer.split_once(':') {
            model::named(&config.model, &config.models, Some(name))
                .map_err(|e| format!("[run] proposers: '{proposer}': {e}"))?;
        } else if !known.contains(&proposer.as_str()) && !NAMES.contains(&proposer.as_str()) {
            return Err(format!(
                "[run] proposers: there is no '{proposer}'; there are mutate, crossover, rewrite, rewrite:NAME, replay, command; for \
                 prompts {}",
                NAMES.join(", ")
            ));
        }
    }
    if meliora_evolve::StrategyKind::named(&config.run.strategy).is_none() {
        let names = meliora_evolve::StrategyKind::ALL.map(meliora_evolve::StrategyKind::name).join(", ");
        return Err(format!("[run] strategy: there is no '{}'; there are {names}", config.run.strategy));
    }
    config.search.check()?;
    let embeds = Some(config.search.novelty.model.as_str()).filter(|name| !name.is_empty());
    if model::named(&config.model, &config.models, embeds).map_err(|e| format!("[search.novelty] model: {e}"))?.api
        != "openai"
        && embeds.is_some()
    {
        return Err("[search.novelty] model: only servers that speak OpenAI's protocol embed".into());
    }
    model::check(config)
}

/// What types cannot say of `[sandbox]`.
pub fn check_sandbox(s: &Sandbox) -> Result<(), String> {
    if !(s.seconds > 0.0 && s.seconds <= 86_400.0) {
        return Err(format!("[sandbox] seconds = {} is not between 0 and 86400", s.seconds));
    }
    if s.memory_mb == 0 || s.processes == 0 || s.disk_mb == 0 || s.output_mb == 0 {
        return Err("a limit of [sandbox] is 0, so nothing could run".into());
    }
    let is_module = |name: &str| {
        name.split('.').all(|part| {
            part.chars().all(|c| c.is_alphanumeric() || c == '_') && part.starts_with(|c: char| !c.is_numeric())
        })
    };
    if let Some(name) = s.warm.iter().find(|name| !is_module(name)) {
        return Err(format!("[sandbox] warm: '{name}' is not the name of a Python module"));
    }
    Ok(())
}

fn parse(text: &str) -> Result<toml::Table, toml::de::Error> {
    text.parse()
}

fn user_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(base.join("meliora/config.toml"))
}

/// The tables inside `[search]`, as their variables begin.
const SEARCHES: [&str; 6] = ["dgm_", "hgm_", "islands_", "pareto_", "bandit_", "novelty_"];

/// `MELIORA_RUN_SEED=7` is `[run] seed = 7`; a value that is no TOML is a string.
fn from_environment(vars: impl Iterator<Item = (String, String)>) -> toml::Table {
    let sections = [
        "genome", "suite", "run", "budget", "sandbox", "model", "student", "command", "replay", "judge", "alerts",
        "store", "search",
    ];
    let mut table = toml::Table::new();
    for (name, value) in vars {
        let Some(key) = name.strip_prefix("MELIORA_").map(str::to_lowercase) else { continue };
        let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
        let value = parsed.unwrap_or(toml::Value::String(value));
        let section = sections.iter().find_map(|s| key.strip_prefix(&format!("{s}_")).map(|k| (*s, k.to_owned())));
        match section {
            Some(("sandbox", key)) if key.starts_with("e2b_") => {
                let inner = toml::Table::from_iter([(key["e2b_".len()..].to_owned(), value)]);
                let outer = toml::Table::from_iter([("e2b".to_owned(), toml::Value::Table(inner))]);
                merge(&mut table, toml::Table::from_iter([("sandbox".to_owned(), toml::Value::Table(outer))]));
            }
            Some(("search", key)) if SEARCHES.iter().any(|inner| key.starts_with(inner)) => {
                let (inner, key) = key.split_once('_').unwrap_or_default();
                let inner = toml::Table::from_iter([(
                    inner.to_owned(),
                    toml::Value::Table(toml::Table::from_iter([(key.to_owned(), value)])),
                )]);
                merge(&mut table, toml::Table::from_iter([("search".to_owned(), toml::Value::Table(inner))]));
            }
            Some((section, key)) => {
                let entry = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                if let toml::Value::Table(entry) = entry {
                    entry.insert(key, value);
                }
            }
            None if key == "name" || key == "goal" => {
                table.insert(key, value);
            }
            // Other variables of this prefix belong to something else.
            None => {}
        }
    }
    table
}

fn merge(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_file_and_keeps_its_other_keys() {
        let mut merged: toml::Table = "name = 'x'\n[run]\nseed = 1\njobs = 3".parse().unwrap();
        merge(&mut merged, from_environment([("MELIORA_RUN_SEED".to_owned(), "7".to_owned())].into_iter()));
        assert_eq!(merged["run"]["seed"].as_integer(), Some(7));
        assert_eq!(merged["run"]["jobs"].as_integer(), Some(3));
    }

    #[test]
    fn the_environment_reaches_the_keys_of_a_backend() {
        let set = [("MELIORA_SANDBOX_E2B_TEMPLATE", "mine"), ("MELIORA_SANDBOX_E2B_LIFETIME_SECONDS", "60")];
        let table = from_environment(set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(table["sandbox"]["e2b"]["template"].as_str(), Some("mine"));
        assert_eq!(table["sandbox"]["e2b"]["lifetime_seconds"].as_integer(), Some(60));
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_errors_with_a_line() {
        for (text, part) in [
            ("name = 'x'\nnmae = 'y'", "nmae"),
            ("name = 'x'\n[run]\nseed = 'many'", "seed"),
            ("[run]\nseed = 1", "name"),
            ("name = 'x'\n[budget]\nusd = true", "usd"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
