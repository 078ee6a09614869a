//! A project, opened: its configuration, suite, law, tools and archive.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meliora_benchmark::{OpenEvolveConfig, Suite, SuiteSource, Toolbox};
use meliora_constitution::{Constitution, GuardianRules, Reach};
use meliora_domain::{Digest, Event, Genome, Kind, Limits, Tier, Timestamp, VariantId};
use meliora_evolve::{Archive, Lineage};
use meliora_judge::{MarginKind, Policy};
use meliora_store::{GitArchive, GitTarget, Globs, LockError, ProjectLock};

use crate::args::Overrides;
use crate::cages;
use crate::config::{self, Config};
use crate::custody::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keys;
use crate::printer::Printer;

/// The folder in a project that is Meliora's own.
pub const STATE: &str = ".meliora";
/// Name of the law's file.
pub const LAW: &str = "CONSTITUTION.yaml";

/// A project.
pub struct Project {
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// Its exam.
    pub suite: Suite,
    /// Its law.
    pub constitution: Constitution,
    /// The tools that its cages see.
    pub tools: Toolbox,
}

impl Project {
    /// Opens a native project or an OpenEvolve task.
    pub fn open(dir: &Path, overrides: &Overrides, printer: &Printer) -> Result<Self, Failure> {
        let dir = folder(dir)?;
        let file = dir.join("meliora.toml");
        let native = file.is_file();
        let mut config = if native {
            config::load(&file)?
        } else if Suite::is_openevolve(&dir) {
            foreign(&dir, printer)?
        } else {
            return Err(Failure::new(
                Exit::Configuration,
                format!(
                    "{} is no project: it has neither meliora.toml nor initial_program.* and evaluator.py",
                    dir.display()
                ),
            )
            .hint("`meliora init` makes a project"));
        };
        if let Some(python) = &overrides.python {
            config.sandbox.python = Some(python.clone());
        } else if let Some(python) =
            config.sandbox.python.as_mut().filter(|p| p.contains('/') || dir.join(&**p).exists())
        {
            // A path in the project's file is relative to the project.
            *python = dir.join(&*python).to_string_lossy().into_owned();
        }
        if let Some(backend) = overrides.backend {
            config.sandbox.backend = backend;
        }
        match overrides.model.as_ref().map(|name| (name, config.models.get(name))) {
            Some((_, Some(named))) => config.model = named.clone(),
            Some((name, None)) => config.model.name.clone_from(name),
            None => {}
        }
        if let Some(url) = &overrides.base_url {
            config.model.base_url.clone_from(url);
        }
        let tools = cages::tools(&config.sandbox)?;
        let source = SuiteSource {
            folder: if native { dir.join(&config.suite.folder) } else { dir.clone() },
            limits: limits(&config),
        };
        let tier = if overrides.isolation.as_deref() == Some("together") { Tier::Together } else { Tier::Split };
        let suite = match &overrides.isolation {
            Some(_) if native => {
                return Err(Failure::new(
                    Exit::Usage,
                    "a native suite is always examined apart from its answer key; `--isolation` is for OpenEvolve tasks",
                ));
            }
            _ if native => Suite::native(&source, &tools),
            _ => Suite::openevolve(&source, &tools, tier),
        };
        let suite = suite.map_err(|e| Failure { code: Exit::Configuration, what: e.what, hint: e.hint })?;
        let constitution = constitution(&dir, &config, native)?;
        Ok(Project { dir, config, suite, constitution, tools })
    }

    /// Opens it for what examines nothing: no evaluator is then too foreign for it.
    pub fn open_without_examining(dir: &Path, printer: &Printer) -> Result<Self, Failure> {
        let foreign = !dir.join("meliora.toml").is_file();
        let isolation = foreign.then(|| "together".to_owned());
        Project::open(dir, &Overrides { isolation, ..Overrides::default() }, printer)
    }

    /// The user's own tree.
    pub fn target(&self) -> Result<GitTarget, Failure> {
        let root = self.dir.join(&self.config.genome.root);
        Ok(GitTarget::new(&root, &self.config.genome.editable, &self.excluded())?)
    }

    /// The genome as it stands in the user's tree.
    pub fn genome(&self) -> Result<Genome, Failure> {
        let globs = Globs::new(&self.config.genome.editable, &self.excluded())?;
        let genome = meliora_store::read_genome(&self.dir.join(&self.config.genome.root), &globs)?;
        if genome.is_empty() {
            return Err(Failure::new(
                Exit::Configuration,
                format!(
                    "no file in {} fits [genome] editable = {:?}",
                    self.dir.join(&self.config.genome.root).display(),
                    self.config.genome.editable
                ),
            )
            .hint("globs are relative to [genome] root; `**/*.py` fits every Python file"));
        }
        Ok(genome)
    }

    fn excluded(&self) -> Vec<String> {
        protected(&self.dir, &self.config, true)
    }

    /// The archive, made if it does not exist.
    pub fn archive(&self) -> Result<GitArchive, Failure> {
        let state = self.dir.join(STATE);
        std::fs::create_dir_all(&state).map_err(|e| {
            Failure::new(Exit::Machinery, format!("{} cannot be made: {e}", state.display()))
                .hint("the project's folder must be writable")
        })?;
        keys::named_in_its_folder(&self.dir)?;
        // The project's own history should not hold its archive.
        let ignore = state.join(".gitignore");
        if !ignore.exists() {
            let _ = std::fs::write(&ignore, "*\n");
        }
        Place::of(&self.dir, &self.config.store)?.write()
    }

    /// The right to write to the project.
    pub fn lock(&self, command: &str) -> Result<ProjectLock, Failure> {
        lock_folder(&self.dir.join(STATE), command)
    }

    /// What decides.
    pub fn policy(&self) -> Policy {
        let judge = &self.config.judge;
        let margin_kind = match judge.margin_kind {
            config::MarginKind::Relative => MarginKind::Relative,
            config::MarginKind::Absolute => MarginKind::Absolute,
        };
        let (alpha, margin, seeds) = (judge.alpha, judge.margin, judge.seeds);
        let policy = Policy { kind: self.suite.kind(), alpha, margin, margin_kind, seeds };
        meliora_evolve::stricter(&policy, self.guardian())
    }

    /// When the guardian acts.
    pub fn guardian(&self) -> &GuardianRules {
        self.constitution.guardian()
    }

    /// One line on how trustworthy its scores are.
    pub fn standing(&self) -> String {
        let kind = match self.suite.kind() {
            Kind::Exact => "exact suite",
            Kind::Sample => "sample suite",
        };
        let reach = match self.suite.tier() {
            Tier::Apart => "examined apart from its answer key",
            Tier::Split => "tier `split`: examined apart from its evaluator, through plain data",
            Tier::Together => "tier `together`: the evaluator shares its cage with what it examines",
        };
        let weakened = self.config.judge.vigilance().weakened();
        let weakened = if weakened.is_empty() { weakened } else { format!("; {weakened}") };
        format!("{kind}, {reach}{weakened}")
    }
}

/// The right to write to the project whose folder of state this is.
pub fn lock_folder(state: &Path, command: &str) -> Result<ProjectLock, Failure> {
    std::fs::create_dir_all(state)
        .map_err(|e| Failure::new(Exit::Machinery, format!("{} cannot be made: {e}", state.display())))?;
    ProjectLock::take(state, command, now()).map_err(|e| match &e {
        LockError::Held(held) => Failure::new(Exit::Machinery, e.to_string())
            .hint(format!("wait for it, or stop it with Ctrl-C or `kill {}`; it saves its state", held.pid)),
        LockError::Failed { .. } => Failure::new(Exit::Machinery, e.to_string()),
    })
}

/// Where the journal of a folder lies, without its suite, law or tools.
pub fn place(dir: &Path) -> Result<Place, Failure> {
    let dir = folder(dir)?;
    Place::of(&dir, &config::store(&dir)?)
}

/// An archive to read from, without the suite, the law or the tools.
pub fn archive_to_read(dir: &Path) -> Result<GitArchive, Failure> {
    let place = place(dir)?;
    if !place.begun() {
        return Err(Failure::new(Exit::Configuration, format!("nothing has run in {} yet", dir.display()))
            .hint("`meliora run` begins"));
    }
    place.read()
}

/// Whether anything was journalled in a project.
pub fn has_begun(dir: &Path) -> Result<bool, Failure> {
    Ok(place(dir)?.begun())
}

/// The variant that a text means: `champion`, `baseline`, or the first digits of an id.
pub fn resolve(archive: &dyn Archive, lineage: &Lineage, name: &str) -> Result<VariantId, Failure> {
    let named = match name {
        "champion" => Some(lineage.champion()),
        "baseline" => Some(lineage.baseline()),
        _ => None,
    };
    match named {
        Some(Some(node)) => Ok(node.id),
        Some(None) => Err(Failure::new(Exit::Usage, format!("there is no {name} yet")).hint("`meliora run` begins")),
        None if !(4..=40).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err(Failure::new(Exit::Usage, format!("'{name}' is not the beginning of a variant's id"))
                .hint("`champion`, `baseline`, or 4 to 40 hexadecimal digits; `meliora lineage` lists the ids"))
        }
        None => Ok(archive.find(name)?),
    }
}

fn folder(dir: &Path) -> Result<PathBuf, Failure> {
    dir.canonicalize()
        .map_err(|e| Failure::new(Exit::Configuration, format!("{} cannot be opened: {e}", dir.display())))
}

/// The law of a folder, over its genome.
pub fn constitution(dir: &Path, config: &Config, native: bool) -> Result<Constitution, Failure> {
    let reach = Reach {
        editable: config.genome.editable.clone(),
        protected: protected(dir, config, native),
        max_bytes: config.genome.max_bytes,
    };
    governed(dir, reach)
}

/// The law of a project, over its whole folder, which is where the operations of agents begin: the same files are
/// editable and protected, and paths say so from there.
pub fn door(dir: &Path, config: &Config) -> Result<Constitution, Failure> {
    let root = config.genome.root.to_string_lossy();
    let root: Vec<&str> = root.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let editable = config.genome.editable.iter();
    let reach = Reach {
        editable: editable.map(|glob| [root.as_slice(), &[glob.as_str()]].concat().join("/")).collect(),
        protected: within(dir, dir, config, true),
        max_bytes: config.genome.max_bytes,
    };
    governed(dir, reach)
}

fn governed(dir: &Path, reach: Reach) -> Result<Constitution, Failure> {
    let trust = keys::trust(dir, now())?;
    let law = Constitution::load(&dir.join(LAW), reach, &trust).map_err(|e| {
        if trust.seen.is_some() {
            note_altered(dir, &e.what);
        }
        if let (false, Some(folder)) = (dir.join(LAW).exists(), keys::folder()) {
            let notes: Vec<String> = keys::notes(&folder, dir).iter().map(|note| note.display().to_string()).collect();
            let notes = notes.join(" and ");
            let hint = e.hint.map(|hint| format!("{hint}; if this is another project, remove {notes}"));
            return Failure { code: Exit::Constitution, what: e.what, hint };
        }
        Failure { code: Exit::Constitution, what: format!("the constitution does not load: {}", e.what), hint: e.hint }
    })?;
    if let Some(seen) = law.seen() {
        keys::remember(dir, trust.seen.as_ref(), seen)?;
    }
    Ok(law.under(trust.keys))
}

/// Journals that a law which governed does not load any more, where there is a journal and nobody else writes to it.
/// It is refused all the same where it cannot be written down.
fn note_altered(dir: &Path, what: &str) {
    let Ok(place) = place(dir) else { return };
    if !place.begun() {
        return;
    }
    if let (Ok(_lock), Ok(archive)) = (ProjectLock::take(&dir.join(STATE), "meliora", now()), place.write()) {
        let _ = archive.append(&[Event::altered(what)], now());
    }
}

/// Paths relative to the genome's root that nothing may change.
fn protected(dir: &Path, config: &Config, native: bool) -> Vec<String> {
    within(&dir.join(&config.genome.root), dir, config, native)
}

/// Paths relative to `root`, as far as they lie in it, that nothing may change.
fn within(root: &Path, dir: &Path, config: &Config, native: bool) -> Vec<String> {
    let mut paths = vec![dir.join(STATE), dir.join(LAW), dir.join("meliora.toml")];
    if native {
        paths.push(dir.join(&config.suite.folder));
    } else {
        paths.push(dir.join("evaluator.py"));
    }
    let relative = |path: &PathBuf| path.strip_prefix(root).ok().map(|p| p.to_string_lossy().into_owned());
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let canonical = |path: &PathBuf| {
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        path.strip_prefix(&root).ok().map(|p| p.to_string_lossy().into_owned())
    };
    let mut out: Vec<String> = paths.iter().filter_map(|p| canonical(p).or_else(|| relative(p))).collect();
    out.retain(|p| !p.is_empty());
    out.dedup();
    out
}

/// The limits of every cage.
pub fn limits(config: &Config) -> Limits {
    limits_of(&config.sandbox)
}

/// The limits that settings stand for.
pub fn limits_of(s: &config::Sandbox) -> Limits {
    Limits {
        memory: s.memory_mb << 20,
        processes: s.processes,
        disk: s.disk_mb << 20,
        output: s.output_mb << 20,
        wall: Duration::from_secs_f64(s.seconds),
        cpu_seconds: (s.seconds.ceil() as u32).saturating_mul(2).max(1),
        ..Limits::default()
    }
}

/// An OpenEvolve task as a project: what its own configuration says, where that has a meaning here.
fn foreign(dir: &Path, printer: &Printer) -> Result<Config, Failure> {
    let foreign =
        OpenEvolveConfig::load(dir).map_err(|e| Failure { code: Exit::Configuration, what: e.what, hint: e.hint })?;
    if !foreign.ignored.is_empty() {
        printer.warn(format!(
            "keys of the OpenEvolve configuration without a meaning here: {}",
            foreign.ignored.join(", ")
        ));
    }
    let name = dir.file_name().map_or("task".to_owned(), |n| n.to_string_lossy().into_owned());
    let mut table = toml::Table::new();
    table.insert("name".into(), toml::Value::String(name));
    let mut config: Config = table.try_into().map_err(|e| Failure::new(Exit::Configuration, format!("{e}")))?;
    config.genome.editable = vec!["initial_program.*".into()];
    if let Some(most) = foreign.max_code_length {
        config.genome.max_bytes = most;
    }
    config.goal = foreign.prompt.system_message.clone().unwrap_or_default();
    config.budget.evals = foreign.max_iterations.unwrap_or(0);
    config.run.seed = foreign.seed().unwrap_or(config.run.seed);
    config.run.strategy = "dgm".into();
    config.judge.ceiling = foreign.meliora.ceiling;
    config.sandbox.memory_mb = 2048;
    let llm = &foreign.llm;
    let named = llm.models.first().and_then(|m| m.name.clone());
    config.model.base_url = llm.api_base.clone().unwrap_or_default();
    config.model.name = llm.primary_model.clone().or(named).unwrap_or_default();
    config.model.temperature = llm.temperature;
    config.model.max_tokens = llm.max_tokens.unwrap_or(config.model.max_tokens);
    config.model.timeout_seconds = llm.timeout.unwrap_or(config.model.timeout_seconds);
    config.model.retries = llm.retries.unwrap_or(config.model.retries);
    if !config.model.base_url.is_empty() {
        config.run.proposers = vec!["rewrite".into()];
    }
    config.store = config::store(dir)?;
    config::check(&config).map_err(|what| Failure::new(Exit::Configuration, what))?;
    Ok(config)
}

/// The time.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64))
}

/// Sixteen bytes from the system's random source.
pub fn nonce() -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        // The system's source is there from boot on; a signal may only cut a read short.
        if let Ok(n) = rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            filled += n;
        }
    }
    bytes
}

/// Digest that stands for the law in a plan.
pub fn law_digest(project: &Project) -> Digest {
    project.constitution.digest()
}
