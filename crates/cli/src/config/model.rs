//! `[model]` and `[models.NAME]`: servers of language models.

use std::collections::BTreeMap;

use meliora_llm::Structured;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Config;

/// `[model]`, and each of `[models]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// Address of the server.
    pub base_url: String,
    /// Name of the model; empty to ask the server.
    pub name: String,
    /// `openai` (chat completions) or `anthropic` (messages).
    pub api: String,
    /// Name of the environment variable that holds the key.
    pub key_env: Option<String>,
    /// Billions of parameters, as in `7b`; read from the model's name if absent. Up to about seven it is small.
    pub size: Option<String>,
    /// Sampling temperature; chosen by the proposer if absent.
    pub temperature: Option<f64>,
    /// Most tokens a reply may have.
    pub max_tokens: u32,
    /// Most tokens of a prompt and its reply together, as the server was started with.
    pub context: Option<u64>,
    /// Seconds to wait for a reply.
    pub timeout_seconds: f64,
    /// US dollars per million tokens read; 0 if it is free.
    pub price_prompt: Option<f64>,
    /// US dollars per million tokens written; 0 if it is free.
    pub price_completion: Option<f64>,
    /// Tries after the first one.
    pub retries: u32,
    /// Most requests at once.
    pub concurrency: Option<u32>,
    /// Most requests in a minute.
    pub requests_per_minute: Option<f64>,
    /// How the server is told which form an answer must have.
    pub structured: Form,
    /// Which answers are kept on disk and cost nothing when they are asked for again.
    pub cache: Keep,
}

impl Default for Model {
    fn default() -> Self {
        Model {
            base_url: String::new(),
            name: String::new(),
            api: "openai".into(),
            key_env: None,
            size: None,
            temperature: None,
            max_tokens: 2048,
            context: None,
            timeout_seconds: 300.0,
            price_prompt: None,
            price_completion: None,
            retries: 4,
            concurrency: None,
            requests_per_minute: None,
            structured: Form::default(),
            cache: Keep::default(),
        }
    }
}

/// How a server is told which form an answer must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Tried until it takes a way.
    #[default]
    Auto,
    /// `response_format` with a JSON Schema.
    ResponseFormat,
    /// A field `json_schema`: TabbyAPI, llama.cpp.
    JsonSchema,
    /// `response_format` for any JSON object.
    JsonObject,
    /// Not at all.
    None,
}

impl Form {
    /// What a client is told.
    pub fn declared(self) -> Option<Structured> {
        match self {
            Form::Auto => None,
            Form::ResponseFormat => Some(Structured::ResponseFormat),
            Form::JsonSchema => Some(Structured::JsonSchema),
            Form::JsonObject => Some(Structured::JsonObject),
            Form::None => Some(Structured::Nothing),
        }
    }
}

/// Which answers are kept on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// None.
    Never,
    /// Those of temperature 0.
    #[default]
    Cold,
    /// All.
    Always,
}

/// Up to so many billions of parameters a model is small. Models sold as 7 b have up to 7.7.
const SMALL: f64 = 8.0;

impl Model {
    /// Whether the model is small: declared, or by its name; what is not known is taken for small, since a brief for
    /// small models serves large ones, and not the other way round.
    pub fn small(&self, name: &str) -> bool {
        let declared = self.size.as_deref().and_then(billions);
        let named = || name.split(['-', '_', ':', '/', ' ']).filter_map(billions).next_back();
        declared.or_else(named).is_none_or(|size| size < SMALL)
    }

    /// What types cannot say. `place` is how the section is called.
    pub fn check(&self, place: &str) -> Result<(), String> {
        if !["openai", "anthropic"].contains(&self.api.as_str()) {
            return Err(format!("[{place}] api: there is no '{}'; there are openai and anthropic", self.api));
        }
        if let Some(size) = self.size.as_deref().filter(|size| billions(size).is_none()) {
            return Err(format!("[{place}] size: '{size}' is no number of parameters such as 7b, 1.5b or 350m"));
        }
        for (key, price) in [("price_prompt", self.price_prompt), ("price_completion", self.price_completion)] {
            if price.is_some_and(|price| !(price >= 0.0 && price.is_finite())) {
                return Err(format!("[{place}] {key} is a number of US dollars, zero or more"));
            }
        }
        if self.concurrency == Some(0) || self.requests_per_minute.is_some_and(|n| !(n > 0.0 && n.is_finite())) {
            return Err(format!(
                "[{place}] concurrency and requests_per_minute are more than zero; leave them out for no limit"
            ));
        }
        if self.context.is_some_and(|context| context <= u64::from(self.max_tokens)) {
            return Err(format!(
                "[{place}] context leaves no room for a prompt: an answer alone may have max_tokens = {}",
                self.max_tokens
            ));
        }
        Ok(())
    }

    /// Whether money can be counted.
    pub fn priced(&self) -> bool {
        self.price_prompt.is_some() && self.price_completion.is_some()
    }
}

/// Reads a number of parameters such as `7b`, `1.5B` or `350m`, in billions.
fn billions(text: &str) -> Option<f64> {
    let text = text.trim().to_lowercase();
    let (number, unit) = match (text.strip_suffix('b'), text.strip_suffix('m')) {
        (Some(number), _) => (number, 1.0),
        (_, Some(number)) => (number, 1e-3),
        _ => return None,
    };
    number.parse::<f64>().ok().filter(|n| *n > 0.0 && n.is_finite()).map(|n| n * unit)
}

/// What types cannot say of all models together.
pub fn check(config: &Config) -> Result<(), String> {
    config.model.check("model")?;
    for (name, model) in &config.models {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err(format!("[models.{name}]: a name has letters, digits, '-', '_' and '.' alone"));
        }
        model.check(&format!("models.{name}"))?;
        if model.base_url.is_empty() {
            return Err(format!("[models.{name}] base_url is missing"));
        }
    }
    Ok(())
}

/// The model of this name, or the one without a name.
pub fn named<'a>(
    model: &'a Model,
    models: &'a BTreeMap<String, Model>,
    name: Option<&str>,
) -> Result<&'a Model, String> {
    let Some(name) = name else { return Ok(model) };
    models.get(name).ok_or_else(|| {
        let there: Vec<&str> = models.keys().map(String::as_str).collect();
        let there =
            if there.is_empty() { "there is none".to_owned() } else { format!("there are {}", there.join(", ")) };
        format!("there is no [models.{name}]; {there}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_size_is_declared_or_read_from_its_name_and_small_if_unknown() {
        let small =
            |size: Option<&str>, name: &str| Model { size: size.map(str::to_owned), ..Model::default() }.small(name);
        for name in
            ["qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", "Qwen/Qwen2.5-7B-Instruct", "llama3.2:3b", "x", "smollm-350m"]
        {
            assert!(small(None, name), "{name}");
        }
        for name in ["qwen2.5-32b-instruct", "llama3.3:70b", "meta-llama/Llama-3.1-405B"] {
            assert!(!small(None, name), "{name}");
        }
        assert!(!small(Some("70B"), "small-1b") && small(Some("7.6b"), "big-70b"));
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_place() {
        let checked = |text: &str| {
            let config: Config = toml::from_str(&format!("name = 'x'\n{text}")).map_err(|e| e.to_string())?;
            check(&config)
        };
        for (text, part) in [
            ("[model]\nsize = 'large'", "[model] size: 'large'"),
            ("[models.a]\nname = 'm'", "[models.a] base_url is missing"),
            ("[models.a]\nbase_url = 'h'\napi = 'x'", "[models.a] api: there is no 'x'"),
            ("[models.'a b']\nbase_url = 'h'", "letters, digits"),
            ("[model]\nprice_prompt = -1.0", "price_prompt"),
            ("[model]\nconcurrency = 0", "more than zero"),
            ("[model]\nrequests_per_minute = 0.0", "more than zero"),
            ("[model]\ncontext = 2048", "no room for a prompt"),
            ("[model]\nstructured = 'grammar'", "grammar"),
            ("[models.a]\nbase_ulr = 'h'", "base_ulr"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(
            checked("[models.a]\nbase_url = 'h'\nprice_prompt = 0\nsize = '7b'\ncontext = 8192\ncache = 'always'"),
            Ok(())
        );
    }
}
