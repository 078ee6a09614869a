//! What a model client needs to know.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use meliora_domain::MicroUsd;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// Which protocol a server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// `POST {base}/chat/completions`: OpenAI, vLLM, TabbyAPI, Ollama, llama.cpp and most others.
    #[default]
    OpenAi,
    /// `POST {base}/v1/messages`: Anthropic.
    Anthropic,
}

/// How a server is told to hold an answer to a JSON Schema. Anthropic's is told by a tool that must be used, unless
/// nothing is to be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// `response_format` with the schema: OpenAI, vLLM, Ollama, llama.cpp and most others.
    #[default]
    ResponseFormat,
    /// A field `json_schema` of the request itself: TabbyAPI, and llama.cpp as well.
    JsonSchema,
    /// `response_format` that asks for any JSON object, on servers that know no schema.
    JsonObject,
    /// Not at all.
    Nothing,
}

impl Structured {
    /// What is asked of a server that refused this.
    pub(crate) fn weaker(self) -> Self {
        match self {
            Structured::ResponseFormat => Structured::JsonObject,
            _ => Structured::Nothing,
        }
    }
}

/// When the calls of models end. Who makes a model may not know it yet, so it is told once to all that hold a copy.
#[derive(Clone, Debug, Default)]
pub struct Until(Arc<OnceLock<Instant>>);

impl PartialEq for Until {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Until {
    /// This moment.
    pub fn at(moment: Instant) -> Self {
        let until = Until::default();
        until.set(moment);
        until
    }

    /// Tells it; a second time changes nothing.
    pub fn set(&self, moment: Instant) {
        let _ = self.0.set(moment);
    }

    /// The moment, if there is one.
    pub fn get(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

/// A model and how to reach it.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelConfig {
    /// The server's address as people write it: `http://127.0.0.1:8000/v1`, or without scheme or `/v1`.
    pub base_url: String,
    /// The model's name; empty takes the first one that the server lists.
    pub model: String,
    /// Which protocol the server speaks.
    pub api: Api,
    /// The key, for servers that ask for one.
    pub key: Option<Secret>,
    /// Time for one try, from the connection to the last byte.
    pub timeout: Duration,
    /// Time for the connection alone.
    pub connect_timeout: Duration,
    /// When the caller's own time is over: no try goes on after it, and none is begun.
    pub until: Until,
    /// Tries after the first one.
    pub retries: u32,
    /// Longest pause between two tries, whatever the server asks for.
    pub longest_wait: Duration,
    /// Dollars for a million tokens read.
    pub usd_prompt: f64,
    /// Dollars for a million tokens written.
    pub usd_completion: f64,
    /// Most tokens that a prompt and its answer may have together, where that is known. What does not fit is not sent.
    pub context: Option<u64>,
    /// Most requests that the server gets at once.
    pub concurrency: Option<NonZeroU32>,
    /// Most requests that the server gets in a minute, evenly spread.
    pub per_minute: Option<f64>,
    /// How the server is told of a schema. If absent, the ways are tried until it takes one.
    pub structured: Option<Structured>,
    /// Largest reply that is read, in bytes.
    pub max_body: u64,
    /// Address of a proxy (`http://host:port`), where one is needed.
    pub proxy: Option<String>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig {
            base_url: "http://127.0.0.1:8000/v1".into(),
            model: String::new(),
            api: Api::OpenAi,
            key: None,
            // A small model on two busy cores writes 2,000 tokens in about four minutes.
            timeout: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            until: Until::default(),
            retries: 4,
            longest_wait: Duration::from_secs(60),
            usd_prompt: 0.0,
            usd_completion: 0.0,
            context: None,
            concurrency: None,
            per_minute: None,
            structured: None,
            max_body: 8 << 20,
            proxy: None,
        }
    }
}

impl ModelConfig {
    /// Price of so many tokens, rounded up.
    pub fn price(&self, prompt: u64, completion: u64) -> MicroUsd {
        MicroUsd::from_usd((prompt as f64 * self.usd_prompt + completion as f64 * self.usd_completion) / 1e6)
    }

    /// The root under which the protocol's endpoints stand. `Err` says what is wrong with the address.
    pub(crate) fn root(&self) -> Result<String, String> {
        let given = self.base_url.trim();
        if given.is_empty() {
            return Err("no base URL is given".into());
        }
        let (scheme, rest) = given.split_once("://").unwrap_or(("http", given));
        if !matches!(scheme, "http" | "https") {
            return Err(format!("base URLs begin with http:// or https://, not {scheme}://"));
        }
        if rest.contains(['?', '#']) || rest.split('/').next().is_some_and(|host| host.contains('@')) {
            // Not shown: what stands there may be a password.
            return Err("the base URL holds a query or a user name; keys belong into the key variable".into());
        }
        let mut rest = rest.trim_end_matches('/');
        for endpoint in ["/chat/completions", "/messages", "/models"] {
            rest = rest.strip_suffix(endpoint).unwrap_or(rest);
        }
        match self.api {
            Api::Anthropic if rest.ends_with("/v1") => Ok(format!("{scheme}://{rest}")),
            Api::Anthropic => Ok(format!("{scheme}://{rest}/v1")),
            Api::OpenAi if rest.contains('/') => Ok(format!("{scheme}://{rest}")),
            // A bare host: every server of this kind that we know serves under /v1.
            Api::OpenAi => Ok(format!("{scheme}://{rest}/v1")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        let openai = [
            ("http://h:1/v1", "http://h:1/v1"),
            ("http://h:1/v1/", "http://h:1/v1"),
            ("http://h:1", "http://h:1/v1"),
            ("h:1", "http://h:1/v1"),
            (" https://h/api/v1/chat/completions", "https://h/api/v1"),
            ("https://h/v1beta/openai", "https://h/v1beta/openai"),
        ];
        for (given, root) in openai {
            let config = ModelConfig { base_url: given.into(), ..ModelConfig::default() };
            assert_eq!(config.root().as_deref(), Ok(root), "{given}");
        }
        for given in ["https://h", "https://h/", "https://h/v1", "https://h/v1/messages"] {
            let config = ModelConfig { base_url: given.into(), api: Api::Anthropic, ..ModelConfig::default() };
            assert_eq!(config.root().as_deref(), Ok("https://h/v1"), "{given}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_shown() {
        for given in ["http://me:hunter2@h/v1", "http://h/v1?key=hunter2", "ftp://h"] {
            let config = ModelConfig { base_url: given.into(), ..ModelConfig::default() };
            assert!(!config.root().unwrap_err().contains("hunter2"));
        }
    }

    #[test]
    fn a_price_is_rounded_up() {
        let config = ModelConfig { usd_prompt: 3.0, usd_completion: 15.0, ..ModelConfig::default() };
        assert_eq!(config.price(1000, 100), MicroUsd(4500));
        assert_eq!(ModelConfig { usd_prompt: 0.1, ..ModelConfig::default() }.price(1, 0), MicroUsd(1));
    }
}
