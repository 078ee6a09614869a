//! Builds the proposers of a run from its configuration.

use std::path::Path;
use std::sync::Arc;

use meliora_domain::{Genome, Proposer as Name, RunPlan};
use meliora_evolve::{CageSpec, Chat, Judge, Message, Model, Proposer, ReadOnly, Role, Sandbox, Student};
use meliora_llm::{Cassette, CassetteError, Recorder};
use meliora_prompt::ProgramFile;
use meliora_propose::command::CommandProposer;
use meliora_propose::crossover::Crossover;
use meliora_propose::mutate::Mutate;
use meliora_propose::optimize;
use meliora_propose::rewrite::{Rewrite, Settings};

use crate::args;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::models::Models;
use crate::project::{Project, limits};

/// A proposer with the name that the plan keeps.
pub type Named<'a> = (Name, Box<dyn Proposer + 'a>);

/// The run's proposers: those of an unfinished run's plan, else those of the configuration.
pub fn build<'a>(
    project: &Project,
    sandbox: &'a dyn Sandbox,
    (args, models, answerers): (&args::Run, &Models<'_>, &Answerers),
    unfinished: Option<&RunPlan>,
) -> Result<Vec<Named<'a>>, Failure> {
    let kinds: Vec<String> = match unfinished {
        Some(plan) => plan.arms.iter().map(|a| a.kind.clone()).collect(),
        None => project.config.run.proposers.clone(),
    };
    kinds.iter().map(|kind| one(kind, project, sandbox, args, (models, answerers))).collect()
}

fn one<'a>(
    kind: &str,
    project: &Project,
    sandbox: &'a dyn Sandbox,
    args: &args::Run,
    (models, answerers): (&Models<'_>, &Answerers),
) -> Result<Named<'a>, Failure> {
    if let Some(proposer) = optimizer(kind, project, answerers) {
        return Ok(proposer);
    }
    let named = |model: Option<&str>| Name { kind: kind.to_owned(), model: model.map(str::to_owned) };
    let (what, which) = kind.split_once(':').map_or((kind, None), |(what, which)| (what, Some(which)));
    match what {
        "mutate" => Ok((named(None), Box::new(Mutate::new()))),
        "crossover" => Ok((named(None), Box::new(Crossover))),
        "rewrite" => {
            let model = models.get(which)?;
            let model: Arc<dyn Model> = match &args.record {
                Some(file) => Arc::new(Recorder::new(model, file).map_err(cassette_failure)?),
                None => model,
            };
            let settings = settings(models.settings(which)?, model.name());
            Ok((named(Some(model.name())), Box::new(Rewrite::new(model.clone(), settings))))
        }
        "replay" => {
            let file = project.dir.join(&project.config.replay.cassette);
            if project.config.replay.cassette.as_os_str().is_empty() {
                return Err(Failure::new(Exit::Configuration, "the replay proposer has no cassette")
                    .hint("`--cassette FILE`, or `[replay] cassette = …`; `--record FILE` makes one"));
            }
            let name = Some(project.config.model.name.as_str()).filter(|n| !n.is_empty());
            let model: Arc<dyn Model> = Arc::new(Cassette::load(&file, name).map_err(cassette_failure)?);
            let settings = settings(&project.config.model, model.name());
            Ok((named(Some(model.name())), Box::new(Rewrite::new(model.clone(), settings))))
        }
        "command" => command(project, sandbox).map(|proposer| (named(None), proposer)),
        other => Err(Failure::new(Exit::Configuration, format!("there is no proposer '{other}'"))
            .hint("there are mutate, crossover, rewrite, replay, command")),
    }
}

/// Longest prompt of a model that is not small, where its context has room for it, in tokens.
const LONG_PROMPT: u64 = 24_000;

fn settings(model: &config::Model, name: &str) -> Settings {
    let small = model.small(name);
    let plain = Settings::default();
    let room = model.context.map(|context| context - u64::from(model.max_tokens));
    let context_tokens = match room {
        Some(room) => room.min(if small { plain.context_tokens } else { LONG_PROMPT }),
        None => plain.context_tokens,
    };
    Settings { context_tokens, max_tokens: model.max_tokens, temperature: model.temperature, small, ..plain }
}

/// Who answers prompts in examinations, and who proposes and teaches.
#[derive(Default)]
pub struct Answerers {
    main: Option<Arc<dyn Model>>,
    student: Option<Arc<dyn Model>>,
    /// Who marks answers by the suite's rubric, and the bytes of a question beside the row.
    judge: Option<(Arc<dyn Model>, usize)>,
}

impl Answerers {
    /// Who answers.
    pub fn student(&self, c: &config::Student) -> Option<Student<'_>> {
        let model = self.student.as_ref().or(self.main.as_ref())?;
        Some(self.judged(Student::new(model.as_ref(), c.temperature, c.max_tokens, c.seed, c.at_once)))
    }

    fn judged<'a>(&'a self, mut student: Student<'a>) -> Student<'a> {
        student.judge = self.judge.as_ref().map(|(model, size)| Judge { model: model.as_ref(), size: *size });
        student
    }

    /// Who answers better, where the student has a model of its own.
    pub fn teacher(&self, c: &config::Student) -> Option<Student<'_>> {
        self.student.as_ref()?;
        let model = self.main.as_ref()?;
        Some(self.judged(Student::new(model.as_ref(), c.temperature, c.max_tokens, c.seed, c.at_once)))
    }
}

/// The models that a suite of prompts needs; none for other suites.
pub fn answerers(project: &Project, models: &Models<'_>, record: Option<&Path>) -> Result<Answerers, Failure> {
    let (dir, config) = (project.dir.as_path(), &project.config);
    let of = |name: Option<&str>| answerer(dir, config, models, (name, record));
    let main = of(None)?;
    let student = config.student.model.as_deref().map(|name| of(Some(name))).transpose()?;
    let judge = match project.suite.prompts().and_then(|suite| suite.judge()) {
        Some(rubric) => {
            let model = rubric.model.as_deref().map(|name| of(Some(name))).transpose()?;
            Some((model.unwrap_or_else(|| main.clone()), rubric.size()))
        }
        None => None,
    };
    Ok(Answerers { main: Some(main), student, judge })
}

/// A model behind its server, or from the project's cassette where no server is named.
fn answerer(
    dir: &Path,
    config: &config::Config,
    models: &Models<'_>,
    (name, record): (Option<&str>, Option<&Path>),
) -> Result<Arc<dyn Model>, Failure> {
    let (settings, cassette) = (models.settings(name)?, &config.replay.cassette);
    if settings.base_url.is_empty() && !cassette.as_os_str().is_empty() {
        let name = Some(settings.name.as_str()).filter(|n| !n.is_empty());
        return Ok(Arc::new(Cassette::load(&dir.join(cassette), name).map_err(cassette_failure)?));
    }
    if settings.base_url.is_empty() {
        return Err(Failure::new(Exit::Configuration, "prompts are answered by a model, and no server is named")
            .hint("`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …`; docs/models.md lists servers"));
    }
    let model = models.get(name)?;
    Ok(match record {
        Some(file) => Arc::new(Recorder::new(model, file).map_err(cassette_failure)?),
        None => model,
    })
}

/// An optimizer of prompts, by its name.
fn optimizer<'a>(kind: &str, project: &Project, answerers: &Answerers) -> Option<Named<'a>> {
    let model = answerers.main.clone()?;
    let student = answerers.student.as_ref().or(answerers.main.as_ref())?;
    let c = &project.config;
    let question = Message::new(Role::User, "abc".repeat(ROW_TOKENS));
    let chat = Chat {
        messages: vec![question],
        temperature: 0.0,
        max_tokens: c.student.max_tokens,
        seed: 0,
        ..Chat::default()
    };
    let once = student.estimate(&chat);
    let settings = optimize::Settings {
        max_tokens: c.model.max_tokens,
        context_tokens: Settings::default().context_tokens,
        temperature: c.model.temperature,
        row: once + once,
    };
    let name = Name { kind: kind.to_owned(), model: Some(model.name().to_owned()) };
    Some((name, optimize::named(kind, model, settings)?))
}

/// Whether the proposers can do anything with this genome and suite.
pub fn fit(project: &Project, genome: &Genome) -> Result<(), Failure> {
    let proposers = &project.config.run.proposers;
    let optimizers = proposers.iter().any(|name| optimize::NAMES.contains(&name.as_str()));
    let Some(suite) = project.suite.prompts() else {
        return match optimizers {
            true => Err(Failure::new(
                Exit::Configuration,
                "the suite of this project is none of prompts, which optimizers need",
            )
            .hint("docs/prompts.md tells what such a suite looks like")),
            false => Ok(()),
        };
    };
    let texts = genome.files().filter_map(|(path, body)| Some((path.to_string(), body.text()?.to_owned())));
    let columns: Vec<&str> = suite.inputs().collect();
    let file = ProgramFile::read(&texts.collect(), &columns)
        .map_err(|e| Failure::new(Exit::Configuration, e.what).hint(e.hint))?;
    let wanted: Vec<&str> = file.program.inputs().iter().map(|f| f.name.as_str()).collect();
    suite.has(&wanted).map_err(|e| Failure { code: Exit::Configuration, what: e.what, hint: e.hint })?;
    if let Some(name) = proposers.iter().find(|name| file.is_plain() && DEMOS.contains(&name.as_str())) {
        return Err(Failure::new(
            Exit::Configuration,
            format!("'{name}' adds demos, and a plain prompt has no place for them"),
        )
        .hint("write program.toml (docs/prompts.md), or choose reword, copro or gepa"));
    }
    Ok(())
}

/// Optimizers that choose demos.
const DEMOS: [&str; 3] = ["labeled-few-shot", "bootstrap-few-shot", "bootstrap-random-search"];
/// Tokens of a question that optimizers set aside for each train row that they try.
const ROW_TOKENS: usize = 2500;

fn cassette_failure(e: CassetteError) -> Failure {
    Failure { code: Exit::Configuration, what: e.to_string(), hint: e.hint }
}

fn command<'a>(project: &Project, sandbox: &'a dyn Sandbox) -> Result<Box<dyn Proposer + 'a>, Failure> {
    let c = &project.config.command;
    let Some(program) = c.argv.first() else {
        return Err(Failure::new(Exit::Configuration, "the command proposer has no program")
            .hint("`[command] argv = [\"python3\", \"propose.py\"]`"));
    };
    let mut argv = c.argv.clone();
    let mut spec = CageSpec::manual();
    spec.limits = limits(&project.config);
    spec.env = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("HOME".into(), "/tmp".into()),
        ("LANG".into(), "C.UTF-8".into()),
    ];
    let mut see = |path: std::path::PathBuf| {
        if !path.starts_with("/usr") && !spec.read_only.iter().any(|r| path.starts_with(&r.path)) {
            spec.read_only.push(ReadOnly { path });
        }
    };
    if let ("python" | "python3", Some(python)) = (program.as_str(), &project.tools.python) {
        argv[0] = python.program.to_string_lossy().into_owned();
        python.needs.iter().cloned().for_each(&mut see);
    } else if let ("node", Some(node)) = (program.as_str(), &project.tools.node) {
        argv[0] = node.program.to_string_lossy().into_owned();
        node.needs.iter().cloned().for_each(&mut see);
    } else if !program.contains('/') {
        let found = crate::toolbox::which(program).and_then(|p| p.canonicalize().ok());
        let found = found
            .ok_or_else(|| Failure::new(Exit::Configuration, format!("the program '{program}' is not on the PATH")))?;
        see(found.clone());
        argv[0] = found.to_string_lossy().into_owned();
    }
    // Arguments that name files of the project are seen at their own place; the suite never is.
    for arg in &mut argv {
        let path = project.dir.join(&*arg);
        if path.is_file() {
            let path = path.canonicalize().unwrap_or(path);
            *arg = path.to_string_lossy().into_owned();
            see(path);
        }
    }
    let suite = project.dir.join(&project.config.suite.folder);
    for extra in &c.read_only {
        let path =
            project.dir.join(extra).canonicalize().map_err(|e| {
                Failure::new(Exit::Configuration, format!("[command] read_only {}: {e}", extra.display()))
            })?;
        if suite.starts_with(&path) || path.starts_with(&suite) || project.dir.starts_with(&path) {
            return Err(Failure::new(
                Exit::Configuration,
                format!("[command] read_only {} would show the suite to a proposer", extra.display()),
            )
            .hint("put what the program needs into a folder of its own"));
        }
        see(path);
    }
    crate::keys::stay_out(spec.read_only.iter().map(|seen| seen.path.as_path()))?;
    Ok(Box::new(CommandProposer::new(sandbox, argv, spec)))
}
