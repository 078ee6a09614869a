//! Builds the proposers of a run from its configuration. Keys come from the environment, here and nowhere else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meliora_domain::{Proposer as Name, RunPlan};
use meliora_evolve::{CageSpec, Model, Proposer, ReadOnly, Sandbox};
use meliora_llm::{Api, Cassette, CassetteError, HttpModel, ModelConfig, Recorder, Secret};
use meliora_propose::command::CommandProposer;
use meliora_propose::crossover::Crossover;
use meliora_propose::mutate::Mutate;
use meliora_propose::rewrite::{Rewrite, Settings};

use crate::args;
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
    args: &args::Run,
    unfinished: Option<&RunPlan>,
    until: Option<Instant>,
    printer: &Printer,
) -> Result<Vec<Named<'a>>, Failure> {
    let kinds: Vec<String> = match unfinished {
        Some(plan) => plan.arms.iter().map(|a| a.kind.clone()).collect(),
        None => project.config.run.proposers.clone(),
    };
    kinds.iter().map(|kind| one(kind, project, sandbox, args, until, printer)).collect()
}

fn one<'a>(
    kind: &str,
    project: &Project,
    sandbox: &'a dyn Sandbox,
    args: &args::Run,
    until: Option<Instant>,
    printer: &Printer,
) -> Result<Named<'a>, Failure> {
    let named = |model: Option<&str>| Name { kind: kind.to_owned(), model: model.map(str::to_owned) };
    match kind {
        "mutate" => Ok((named(None), Box::new(Mutate::new()))),
        "crossover" => Ok((named(None), Box::new(Crossover))),
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
            .hint("there are mutate, crossover, rewrite, replay, command")),
    }
}

fn settings(project: &Project) -> Settings {
    let model = &project.config.model;
    Settings { max_tokens: model.max_tokens, temperature: model.temperature, ..Settings::default() }
}

fn cassette_failure(e: CassetteError) -> Failure {
    Failure { code: Exit::Configuration, what: e.to_string(), hint: e.hint }
}

/// A model behind a server, whose calls end with the run's time.
pub fn live(project: &Project, until: Option<Instant>, printer: &Printer) -> Result<HttpModel, Failure> {
    let c = &project.config.model;
    if c.base_url.is_empty() {
        return Err(Failure::new(Exit::Configuration, "the rewrite proposer has no model server").hint(
            "`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …`; without a model, `--proposer mutate` works",
        ));
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
