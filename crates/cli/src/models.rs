//! Live models of a configuration. Keys come from the environment, here and nowhere else.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meliora_evolve::Model;
use meliora_llm::{Api, Cache, Embeddings, HttpModel, Kept, ModelConfig, Secret, Until};

use crate::config::model::{Keep, named};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;

/// Folder of kept answers, in the project's state.
pub const ANSWERS: &str = "answers";

/// The models of a run. Each is made once, so that its limits hold for all who ask it.
pub struct Models<'a> {
    config: &'a Config,
    cache: PathBuf,
    /// When their calls end; unset for no end.
    pub until: Until,
    printer: Printer,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    models: HashMap<Option<String>, Arc<dyn Model>>,
    kept: Vec<Arc<Kept>>,
}

impl<'a> Models<'a> {
    /// The models of this configuration, whose kept answers lie in the folder `cache`.
    pub fn new(config: &'a Config, cache: PathBuf, printer: &Printer) -> Self {
        Models { config, cache, until: Until::default(), printer: *printer, made: Mutex::default() }
    }

    /// The model `[models.NAME]`, or `[model]` without a name.
    pub fn get(&self, name: Option<&str>) -> Result<Arc<dyn Model>, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = name.map(str::to_owned);
        if let Some(model) = made.models.get(&key) {
            return Ok(model.clone());
        }
        let settings = self.settings(name)?;
        check_price(settings, self.config.budget.usd)?;
        let model = live(settings, self.until.clone(), &self.printer)?;
        let model: Arc<dyn Model> = match settings.cache {
            Keep::Never => Arc::new(model),
            keep => {
                let url = model.url();
                let model = Cache::new(model, &url, &self.cache, keep == Keep::Always);
                made.kept.push(model.kept());
                Arc::new(model)
            }
        };
        made.models.insert(key, model.clone());
        Ok(model)
    }

    /// The model `[models.NAME]` as one that embeds texts.
    pub fn embeddings(&self, name: &str) -> Result<Embeddings, Failure> {
        let settings = self.settings(Some(name))?;
        check_price(settings, self.config.budget.usd)?;
        Ok(Embeddings::new(live(settings, self.until.clone(), &self.printer)?, &self.cache))
    }

    /// What is configured of it.
    pub fn settings(&self, name: Option<&str>) -> Result<&'a config::Model, Failure> {
        named(&self.config.model, &self.config.models, name).map_err(|what| Failure::new(Exit::Configuration, what))
    }

    /// Calls that were answered from the cache, and the tokens that they would have cost.
    pub fn kept(&self) -> (u64, u64) {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = made.kept.iter();
        kept.fold((0, 0), |(calls, tokens), kept| (calls + kept.calls(), tokens + kept.tokens()))
    }

    /// Why answers could not be kept, if that happened.
    pub fn trouble(&self) -> Option<String> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().find_map(|kept| kept.trouble())
    }
}

/// A budget of money needs prices, or it would limit nothing.
pub fn check_price(model: &config::Model, usd: f64) -> Result<(), Failure> {
    if usd > 0.0 && !model.priced() {
        return Err(Failure::new(
            Exit::Configuration,
            "money is limited, but what the model costs is not known, so the limit could not be kept",
        )
        .hint(
            "set price_prompt and price_completion, in US dollars per million tokens (0 for a model that is free), where \
             the model is configured, or MELIORA_MODEL_PRICE_PROMPT and MELIORA_MODEL_PRICE_COMPLETION in the environment",
        ));
    }
    Ok(())
}

/// A model behind a server, whose calls end at `until`.
pub fn live(c: &config::Model, until: Until, printer: &Printer) -> Result<HttpModel, Failure> {
    if c.base_url.is_empty() {
        return Err(Failure::new(Exit::Configuration, "there is no model server").hint(
            "`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …`; without a model, `--proposer mutate` works",
        ));
    }
    HttpModel::new(settings(c, until, printer)).map_err(|e| {
        Failure::new(Exit::Machinery, e.to_string())
            .hint("is the server running? `--base-url` names it, `--model` the model; `--proposer mutate` needs none")
    })
}

fn settings(c: &config::Model, until: Until, printer: &Printer) -> ModelConfig {
    let api = if c.api == "anthropic" { Api::Anthropic } else { Api::OpenAi };
    let variable = c.key_env.clone().unwrap_or_else(|| {
        if api == Api::Anthropic { "ANTHROPIC_API_KEY".to_owned() } else { "OPENAI_API_KEY".to_owned() }
    });
    let key = std::env::var(&variable).ok().and_then(|k| Secret::new(&k));
    if key.is_none() && c.key_env.is_some() {
        printer.warn(format!("the environment variable {variable} holds no key"));
    }
    ModelConfig {
        base_url: c.base_url.clone(),
        model: c.name.clone(),
        api,
        key,
        timeout: Duration::try_from_secs_f64(c.timeout_seconds).unwrap_or(Duration::from_secs(300)),
        until,
        retries: c.retries,
        usd_prompt: c.price_prompt.unwrap_or(0.0),
        usd_completion: c.price_completion.unwrap_or(0.0),
        context: c.context,
        concurrency: c.concurrency.and_then(NonZeroU32::new),
        per_minute: c.requests_per_minute,
        structured: c.structured.declared(),
        ..ModelConfig::default()
    }
}
