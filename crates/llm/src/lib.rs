//! Chat models: over HTTP (OpenAI-compatible and Anthropic), and from cassettes that were recorded before.
//!
//! Blocking. Never prints, never reads the environment: keys, addresses and proxies are handed in.
//! A key reaches the request's header and nothing else: no error, no reply, no cassette.

mod cache;
mod cassette;
mod config;
mod embed;
mod gate;
mod http;
mod nearest;
mod probe;
mod retry;
mod secret;
mod tokens;
mod wire;

pub use cache::{Cache, Kept};
pub use cassette::{Cassette, CassetteError, Recorder};
pub use config::{Api, ModelConfig, Structured, Until};
pub use embed::Embeddings;
pub use http::HttpModel;
pub use probe::{Probe, Speed};
pub use retry::{Sleep, Waiter};
pub use secret::Secret;
pub use tokens::{chat_tokens, text_tokens};
