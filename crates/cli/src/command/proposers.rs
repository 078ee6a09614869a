//! Builds the proposers of a run from its configuration. Keys come from the environment, here and nowhere else.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meliora_domain::{Genome, Proposer as Name, RunPlan};
use meliora_evolve::{CageSpec, Chat, Message, Model, Proposer, ReadOnly, Role, Sandbox, Student};
use meliora_llm::{Api, Cassette, CassetteError, HttpModel, ModelConfig, Recorder, Secret};
use meliora_prompt::ProgramFile;
use meliora_propose::command::CommandProposer;
use meliora_propose::mutate::Mutate;
use meliora_propose::optimize;
use meliora_propose::rewrite::{Rewrite, Settings};

use crate::args;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project::{Project, limits};

/// A proposer with the name that the plan keeps.
pub type Named<'a> = (Name, Box<dyn Proposer + 'a>);

/// The run's proposers: those of an unfinished run's plan, else those of the configuration.
pub fn build<'a>(
    project: &Project,
    sandbox: &'a dyn Sandbox,
    (args, models): (&args::Run, &Models),
    unfinished: Option<&RunPlan>,
    until: Option<Instant>,
    printer: &Printer,
) -> Result<Vec<Named<'a>>, Failure> {
    let kinds: Vec<String> = match unfinished {
        Some(plan) => plan.arms.iter().map(|a| a.kind.clone()).collect(),
        None => project.config.run.proposers.clone(),
    };
    kinds.iter().map(|kind| one(kind, project, sandbox, (args, models), until, printer)).collect()
}

fn one<'a>(
    kind: &str,
    project: &Project,
    sandbox: &'a dyn Sandbox,
    (args, models): (&args::Run, &Models),
    until: Option<Instant>,
    printer: &Printer,
) -> Result<Named<'a>, Failure> {
    if let Some(proposer) = optimizer(kind, project, models) {
        return Ok(proposer);
    }
    let named = |model: Option<&str>| Name { kind: kind.to_owned(), model: model.map(str::to_owned) };
    match kind {
        "mutate" => Ok((named(None), Box::new(Mutate::new()))),
        "rewrite" => {
            let model = live(project, until, printer)?;
            let model: Arc<dyn Model> = match &args.record {
                Some(file) => Arc::new(Recorder::new(model, file).map_err(cassette_failure)?),
                None => Arc::new(model),
            };
            Ok((named(Some(model.name())), Box::new(Rewrite::new(model.clone(), settings(project)))))
        }
        "replay" => {
            let file = project.dir.join(&project.config.replay.cassette);
            if project.config.replay.cassette.as_os_str().is_empty() {
                return Err(Failure::new(Exit::Configuration, "the replay proposer has no cassette")
                    .hint("`--cassette FILE`, or `[replay] cassette = …`; `--record FILE` makes one"));
            }
            let name = Some(project.config.model.name.as_str()).filter(|n| !n.is_empty());
            let model: Arc<dyn Model> = Arc::new(Cassette::load(&file, name).map_err(cassette_failure)?);
            Ok((named(Some(model.name())), Box::new(Rewrite::new(model.clone(), settings(project)))))
        }
        "command" => command(project, sandbox).map(|proposer| (named(None), proposer)),
        other => Err(Failure::new(Exit::Configuration, format!("there is no proposer '{other}'"))
            .hint("there are mutate, rewrite, replay, command")),
    }
}

/// The models of prompts: who answers in examinations, and who proposes.
#[derive(Default)]
pub struct Models {
    main: Option<Arc<dyn Model>>,
    student: Option<Arc<dyn Model>>,
}

impl Models {
    /// Who answers.
    pub fn student(&self, c: &config::Student) -> Option<Student<'_>> {
        let model = self.student.as_ref().or(self.main.as_ref())?;
        Some(Student::new(model.as_ref(), c.temperature, c.max_tokens, c.seed, c.at_once))
    }

    /// Who answers better, where the student has a model of its own.
    pub fn teacher(&self, c: &config::Student) -> Option<Student<'_>> {
        self.student.as_ref()?;
        let model = self.main.as_ref()?;
        Some(Student::new(model.as_ref(), c.temperature, c.max_tokens, c.seed, c.at_once))
    }
}

/// The models that a suite of prompts needs; none for other suites.
pub fn models(project: &Project, record: Option<&Path>, printer: &Printer) -> Result<Models, Failure> {
    if project.suite.prompts().is_none() {
        return Ok(Models::default());
    }
    let c = &project.config;
    let main = one_model(project, &c.model, record, printer)?;
    let student = match c.student.base_url.is_empty() && c.student.name.is_empty() {
        true => None,
        false => {
            let own = config::Model {
                base_url: if c.student.base_url.is_empty() {
                    c.model.base_url.clone()
                } else {
                    c.student.base_url.clone()
                },
                name: c.student.name.clone(),
                key_env: c.student.key_env.clone(),
                price_prompt: c.student.price_prompt,
                price_completion: c.student.price_completion,
                ..c.model.clone()
            };
            Some(one_model(project, &own, record, printer)?)
        }
    };
    Ok(Models { main: Some(main), student })
}

/// A model behind its server, or from the project's cassette where no server is named.
fn one_model(
    project: &Project,
    c: &config::Model,
    record: Option<&Path>,
    printer: &Printer,
) -> Result<Arc<dyn Model>, Failure> {
    let cassette = &project.config.replay.cassette;
    if c.base_url.is_empty() && !cassette.as_os_str().is_empty() {
        let name = Some(c.name.as_str()).filter(|n| !n.is_empty());
        let cassette = Cassette::load(&project.dir.join(cassette), name).map_err(cassette_failure)?;
        return Ok(Arc::new(cassette));
    }
    let model = connect(c, None, printer)?;
    Ok(match record {
        Some(file) => Arc::new(Recorder::new(model, file).map_err(cassette_failure)?),
        None => Arc::new(model),
    })
}

/// An optimizer of prompts, by its name.
fn optimizer<'a>(kind: &str, project: &Project, models: &Models) -> Option<Named<'a>> {
    let model = models.main.clone()?;
    let student = models.student.as_ref().or(models.main.as_ref())?;
    let c = &project.config;
    let question = Message::new(Role::User, "abc".repeat(ROW_TOKENS));
    let chat = Chat { messages: vec![question], temperature: 0.0, max_tokens: c.student.max_tokens, seed: 0 };
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

fn settings(project: &Project) -> Settings {
    let model = &project.config.model;
    Settings { max_tokens: model.max_tokens, temperature: model.temperature, ..Settings::default() }
}

fn cassette_failure(e: CassetteError) -> Failure {
    Failure { code: Exit::Configuration, what: e.to_string(), hint: e.hint }
}

/// A model behind a server, whose calls end with the run's time.
pub fn live(project: &Project, until: Option<Instant>, printer: &Printer) -> Result<HttpModel, Failure> {
    if project.config.model.base_url.is_empty() {
        return Err(Failure::new(Exit::Configuration, "the rewrite proposer has no model server").hint(
            "`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …`; without a model, `--proposer mutate` works",
        ));
    }
    connect(&project.config.model, until, printer)
}

fn connect(c: &config::Model, until: Option<Instant>, printer: &Printer) -> Result<HttpModel, Failure> {
    if c.base_url.is_empty() {
        return Err(Failure::new(Exit::Configuration, "prompts are answered by a model, and no server is named")
            .hint("`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …`; docs/models.md lists servers"));
    }
    let api = if c.api == "anthropic" { Api::Anthropic } else { Api::OpenAi };
    let variable = c.key_env.clone().unwrap_or_else(|| {
        if api == Api::Anthropic { "ANTHROPIC_API_KEY".to_owned() } else { "OPENAI_API_KEY".to_owned() }
    });
    let key = std::env::var(&variable).ok().and_then(|k| Secret::new(&k));
    if key.is_none() && c.key_env.is_some() {
        printer.warn(format!("the environment variable {variable} holds no key"));
    }
    HttpModel::new(ModelConfig {
        base_url: c.base_url.clone(),
        model: c.name.clone(),
        api,
        key,
        timeout: Duration::try_from_secs_f64(c.timeout_seconds).unwrap_or(Duration::from_secs(300)),
        until,
        retries: c.retries,
        usd_prompt: c.price_prompt,
        usd_completion: c.price_completion,
        ..ModelConfig::default()
    })
    .map_err(|e| {
        Failure::new(Exit::Machinery, e.to_string())
            .hint("is the server running? `--base-url` names it, `--model` the model; `--proposer mutate` needs none")
    })
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
