//! The model port: a chat with a language model, within a reservation.

use std::sync::Arc;

use meliora_domain::{Cost, Message, MicroUsd};
use serde::{Deserialize, Serialize};

/// What a model is asked.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Chat {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Sampling temperature.
    pub temperature: f64,
    /// At most this many tokens are written.
    pub max_tokens: u32,
    /// Seed, for servers that take one.
    pub seed: u64,
    /// JSON Schema that servers which can are to hold the answer to, as text: the fields of an answer are written in
    /// the order in which they stand here. `{"type":"object"}` asks for any object. Who asks still has to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// What a call may cost at most; the budget has set it aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reservation(pub Cost);

/// Tokens of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub prompt: u64,
    /// Tokens written.
    pub completion: u64,
    /// Whether the server gave no count and this is an estimate.
    #[serde(default)]
    pub estimated: bool,
}

/// What a model answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// Whether the text ends because `max_tokens` was reached.
    pub truncated: bool,
    /// Tokens that the model reported, also where the answer was kept.
    pub usage: Usage,
    /// Price of the call, likewise.
    pub usd: MicroUsd,
    /// Whether the answer was given before and is given again, so that nothing is to be paid. Never written down.
    #[serde(skip)]
    pub kept: bool,
}

impl Reply {
    /// What is to be paid for it: nothing where it was kept.
    pub fn cost(&self) -> Cost {
        if self.kept { Cost::ZERO } else { self.worth() }
    }

    /// What the call cost when it was made.
    pub fn worth(&self) -> Cost {
        Cost { evals: 0, tokens: self.usage.prompt + self.usage.completion, usd: self.usd }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// The server cannot be reached, after the tries that make sense.
    #[error("model server {url} cannot be reached: {cause}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        cause: String,
    },
    /// The key is missing or not taken, the model is unknown, or the request is one the server will never take.
    #[error("model server refused the request: {0}")]
    Refused(String),
    /// Overloaded, timed out or broken, after the tries that make sense. `spent` may have been charged by the provider.
    #[error("model gave no answer after {tries} tries: {cause}")]
    Failed {
        /// How often it was tried.
        tries: u32,
        /// The last cause.
        cause: String,
        /// What the tries may have cost.
        spent: Cost,
    },
    /// The prompt, with the answer it leaves room for, is longer than the model's context. Nothing was charged, and the
    /// next call may well fit: an outcome of this one.
    #[error("the prompt is too long for the model: {0}")]
    TooLong(String),
    /// The cassette does not hold this request.
    #[error("the cassette holds no such request\n{0}")]
    NotRecorded(String),
    /// The call would cost more than is reserved for it.
    #[error("the call needs about {needed} tokens and {reserved} are reserved for it")]
    OverReservation {
        /// Tokens that it needs.
        needed: u64,
        /// Tokens that are reserved.
        reserved: u64,
    },
}

/// A chat model.
pub trait Model: Sync + Send {
    /// Its name, as reports show it.
    fn name(&self) -> &str;
    /// What a call may cost at most: prompt estimate and `max_tokens`, at this model's price.
    fn estimate(&self, chat: &Chat) -> Cost;
    /// Asks.
    fn chat(&self, chat: &Chat, reservation: Reservation) -> Result<Reply, ModelError>;
}

impl<M: Model + ?Sized> Model for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn estimate(&self, chat: &Chat) -> Cost {
        (**self).estimate(chat)
    }

    fn chat(&self, chat: &Chat, reservation: Reservation) -> Result<Reply, ModelError> {
        (**self).chat(chat, reservation)
    }
}
