//! What a server can do, found out by asking it: which models it has, how fast it is, whether it holds answers to a schema,
//! how much it reads. A handful of short calls.

use std::time::{Duration, Instant};

use meliora_domain::{Cost, Digest};
use meliora_evolve::{Chat, Message, Model as _, ModelError, Reply, Reservation, Role, Usage};
use serde_json::Value;

use crate::wire;
use crate::{Api, HttpModel, ModelConfig, Structured};

/// Words of the text whose reading is timed: some hundred tokens, which the slowest machines read in seconds.
const READ_WORDS: usize = 400;
/// Tokens whose writing is timed.
const WRITTEN: u32 = 96;
/// Tokens that an answer in a given form may have: several times what it needs.
const FORM_TOKENS: u32 = 64;
/// An answer that nobody gives to the question beside it unless he is held to it.
const SCHEMA: &str = r#"{"type":"object","properties":{"colour":{"enum":["red","green"]},"odd":{"type":"boolean"}},"required":["colour","odd"],"additionalProperties":false}"#;
/// The question beside it. OpenAI gives JSON only where the word is said.
const NOT_ASKED_FOR: &str = "Write one short sentence about the sea. Plain text, no JSON.";

/// Tokens a second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Speed {
    /// Tokens.
    pub tokens: u64,
    /// The time they took, with the way there and back.
    pub time: Duration,
    /// Whether the tokens were not counted by the server.
    pub estimated: bool,
}

impl Speed {
    /// Tokens a second.
    pub fn per_second(&self) -> f64 {
        self.tokens as f64 / self.time.as_secs_f64().max(1e-6)
    }
}

/// What was found out.
#[derive(Clone, PartialEq, Debug)]
pub struct Probe {
    /// The models that the server lists; empty if it lists none.
    pub models: Vec<String>,
    /// What kind of server it says it is: `llama.cpp`, `vLLM`, `TabbyAPI`, `Ollama`.
    pub server: Option<&'static str>,
    /// Most tokens of a prompt with its answer, as the server tells.
    pub context: Option<u64>,
    /// How fast it reads.
    pub reading: Speed,
    /// How fast it writes.
    pub writing: Speed,
    /// How it is told of a schema that it then holds answers to; [`Structured::Nothing`] if it holds to none.
    pub structured: Structured,
    /// What finding out cost.
    pub cost: Cost,
}

impl HttpModel {
    /// The models that the server lists.
    ///
    /// # Errors
    /// [`ModelError::Unreachable`] if it is not there, [`ModelError::Refused`] if it does not take the key or has no
    /// such list, and [`ModelError::Failed`].
    pub fn models(&self) -> Result<Vec<String>, ModelError> {
        Ok(wire::models(&self.list()?))
    }

    /// Finds out what the server can do. `nonce` makes the text that is read new to a server that keeps prompts.
    ///
    /// # Errors
    /// As [`HttpModel::models`], but for a server without a list, and those of a chat.
    pub fn probe(&self, nonce: u64) -> Result<Probe, ModelError> {
        let list = match self.list() {
            Ok(list) => list,
            Err(ModelError::Refused(told)) if told.contains("answered 404") => Vec::new(),
            Err(e) => return Err(e),
        };
        let listed: Value = serde_json::from_slice(&list).unwrap_or_default();
        let server = kind(&listed);
        let mut cost = Cost::ZERO;

        // One token is asked for where reading is timed; a short question takes hardly any reading.
        let read = format!("{}\n\nSay yes.", words(nonce));
        let (reply, time) = self.timed(&read, 1)?;
        cost += reply.cost();
        let Usage { prompt, estimated, .. } = reply.usage;
        let reading = Speed { tokens: prompt, time, estimated };
        let (reply, time) = self.timed("Count from one to sixty in words, one a line.", WRITTEN)?;
        cost += reply.cost();
        let Usage { completion, estimated, .. } = reply.usage;
        let writing = Speed { tokens: completion, time, estimated };

        let structured = self.way_of_structure(&mut cost)?;
        let context = self.context(server, &listed);
        Ok(Probe { models: wire::models(&list), server, context, reading, writing, structured, cost })
    }

    fn timed(&self, text: &str, max_tokens: u32) -> Result<(Reply, Duration), ModelError> {
        let begun = Instant::now();
        let reply = self.chat(&question(text, max_tokens, None), PLENTY)?;
        Ok((reply, begun.elapsed()))
    }

    /// The first way in which the server can be made to answer something else than it was asked. A server that takes a
    /// way and does not keep to it is no better than one that does not know it.
    fn way_of_structure(&self, cost: &mut Cost) -> Result<Structured, ModelError> {
        let ways = match self.config().api {
            Api::OpenAi => &[Structured::ResponseFormat, Structured::JsonSchema, Structured::JsonObject][..],
            Api::Anthropic => &[Structured::ResponseFormat],
        };
        for way in ways {
            let config = ModelConfig { structured: Some(*way), retries: 0, ..self.config().clone() };
            let asked = HttpModel::new(config)?.chat(&question(NOT_ASKED_FOR, FORM_TOKENS, Some(SCHEMA)), PLENTY);
            let reply = match asked {
                Ok(reply) => reply,
                Err(ModelError::Failed { spent, .. }) => {
                    *cost += spent;
                    continue;
                }
                Err(ModelError::Refused(_)) => continue,
                Err(e) => return Err(e),
            };
            *cost += reply.cost();
            let object = serde_json::from_str::<Value>(&reply.text).unwrap_or_default();
            let held = match way {
                // Any object will do, also one that was cut off.
                Structured::JsonObject => reply.text.trim_start().starts_with('{'),
                _ => object["colour"].is_string() && object["odd"].is_boolean(),
            };
            if held {
                return Ok(*way);
            }
        }
        Ok(Structured::Nothing)
    }

    /// The context that the server tells of: in its list of models, or where its kind keeps it.
    fn context(&self, server: Option<&str>, listed: &Value) -> Option<u64> {
        let name = self.name();
        let of = |list: &Value, id: &str| {
            let entries = list.as_array()?;
            entries.iter().find(|m| m[id] == name).or_else(|| entries.first().filter(|_| entries.len() == 1)).cloned()
        };
        let number = |value: &Value, names: &[&str]| names.iter().find_map(|name| value.pointer(name)?.as_u64());
        let ask = |url: String| serde_json::from_slice::<Value>(&self.send(&url, None).ok()?).ok();
        let host = self.root().trim_end_matches("/v1");
        let told = match server {
            // Of the context that the model was trained with, the server may give less: it is asked for what it gives.
            Some("llama.cpp") => ask(format!("{host}/props"))
                .and_then(|props| number(&props, &["/default_generation_settings/n_ctx", "/n_ctx"])),
            Some("TabbyAPI") => {
                ask(format!("{}/model", self.root())).and_then(|model| number(&model, &["/parameters/max_seq_len"]))
            }
            Some("Ollama") => ask(format!("{host}/api/ps"))
                .and_then(|running| number(&of(&running["models"], "name")?, &["/context_length"])),
            _ => None,
        };
        let in_list = || {
            let entry = of(&listed["data"], "id")?;
            number(&entry, &["/max_model_len", "/loaded_context_length", "/context_length", "/max_input_tokens"])
        };
        told.or_else(in_list)
    }
}

/// The probe's own calls are few and short.
const PLENTY: Reservation = Reservation(Cost { evals: 0, tokens: u64::MAX, usd: meliora_domain::MicroUsd(u64::MAX) });

fn question(text: &str, max_tokens: u32, schema: Option<&str>) -> Chat {
    let messages = vec![Message { role: Role::User, content: text.to_owned() }];
    Chat { messages, temperature: 0.0, max_tokens, seed: 1, schema: schema.map(str::to_owned) }
}

/// A text that no server has read before.
fn words(nonce: u64) -> String {
    const WORDS: [&str; 16] = [
        "river", "stone", "window", "apple", "garden", "letter", "winter", "bridge", "candle", "market", "silver",
        "forest", "island", "mirror", "thunder", "velvet",
    ];
    let mut text = String::new();
    for block in 0..(READ_WORDS / 32) as u64 {
        let digest = Digest::of([nonce.to_le_bytes().as_slice(), &block.to_le_bytes()]);
        for byte in digest.0 {
            text += WORDS[usize::from(byte % 16)];
            text.push(' ');
        }
    }
    text
}

/// The kind of server, by what its list of models says of itself.
fn kind(listed: &Value) -> Option<&'static str> {
    let owner = listed["data"][0]["owned_by"].as_str()?;
    let kinds = [("llamacpp", "llama.cpp"), ("vllm", "vLLM"), ("tabbyAPI", "TabbyAPI"), ("library", "Ollama")];
    kinds.iter().find(|(owned, _)| *owned == owner).map(|(_, kind)| *kind)
}
