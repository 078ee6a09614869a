//! A model behind an HTTP server: sends, waits, tries again where that makes sense, counts what it cost.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use meliora_domain::Cost;
use meliora_evolve::{Chat, Model, ModelError, Reply, Reservation, Usage};

use crate::gate::Gate;
use crate::retry::{backoff, retry_after};
use crate::wire::{self, Answer, Dialect};
use crate::{Api, ModelConfig, Secret, Sleep, Until, Waiter, chat_tokens, text_tokens};

/// The version of Anthropic's protocol that is spoken.
const ANTHROPIC_VERSION: &str = "2023-06-01";
/// Bytes of an error reply that are read.
const ERROR_BODY: u64 = 64 << 10;
/// Keys at least this long are masked in answers too. Shorter ones are the `none` and `x` that local servers take;
/// masking those would maim the answer.
const REAL_KEY: usize = 16;
/// What is said where the caller's own time is over.
const OVER: &str = "the time of the run is over";

/// A chat model behind an HTTP server.
pub struct HttpModel {
    config: ModelConfig,
    root: String,
    agent: ureq::Agent,
    waiter: Box<dyn Waiter>,
    gate: Gate,
    dialect: Mutex<Dialect>,
}

/// Why one try gave no answer.
pub(crate) enum Trouble {
    /// No connection. Nothing was charged.
    Unreachable(String),
    /// The server will never take this request.
    Refused(String),
    /// The prompt does not fit the model's context.
    TooLong(String),
    /// The turn did not come before the caller's time was over. Nothing was sent.
    Over,
    /// Overloaded or broken before it answered; perhaps it says when to come back. Nothing was charged.
    Busy(String, Option<Duration>),
    /// It was at work when the connection ended, or what it sent is no use. May have been charged: so much, as far
    /// as it told.
    Lost(String, Option<Cost>),
    /// More came than is read, and it may have cost so much. Trying again would bring as much again.
    TooLarge(Cost),
}

impl HttpModel {
    /// A client; asks the server which models it has if the configuration names none.
    ///
    /// # Errors
    /// [`ModelError::Refused`] if the address or the key cannot be used or the server lists no model, and the errors
    /// of [`Model::chat`] if it has to be asked and does not answer.
    pub fn new(config: ModelConfig) -> Result<Self, ModelError> {
        Self::with_waiter(config, Box::new(Sleep))
    }

    /// Same, with someone else to do the waiting.
    ///
    /// # Errors
    /// As [`HttpModel::new`].
    pub fn with_waiter(config: ModelConfig, waiter: Box<dyn Waiter>) -> Result<Self, ModelError> {
        let root = config.root().map_err(ModelError::Refused)?;
        if config.key.as_ref().is_some_and(|k| k.expose().bytes().any(|b| !(0x21..0x7f).contains(&b))) {
            return Err(ModelError::Refused("the key holds characters that no key has; was it copied whole?".into()));
        }
        let proxy = match &config.proxy {
            Some(proxy) => Some(
                ureq::Proxy::new(proxy)
                    .map_err(|_| ModelError::Refused("the proxy's address cannot be read; http://host:port".into()))?,
            ),
            None => None,
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The default would look into the environment.
            .proxy(proxy)
            .timeout_connect(Some(config.connect_timeout))
            // A kept connection that the server has closed looks like a lost call.
            .max_idle_connections(0)
            .user_agent(concat!("meliora/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        // The server may be asked for its models however late it is.
        let until = config.until.clone();
        let config = ModelConfig { until: Until::default(), ..config };
        let structured = config.structured.unwrap_or_default();
        let dialect = Dialect { structured, declared: config.structured.is_some(), ..Dialect::default() };
        let gate = Gate::new(config.concurrency, config.per_minute);
        let mut model = HttpModel { config, root, agent, waiter, gate, dialect: Mutex::new(dialect) };
        if model.config.model.is_empty() {
            model.config.model = model.first_model()?;
        }
        model.config.until = until;
        Ok(model)
    }

    /// The address that requests go to.
    pub fn url(&self) -> String {
        match self.config.api {
            Api::OpenAi => format!("{}/chat/completions", self.root),
            Api::Anthropic => format!("{}/messages", self.root),
        }
    }

    /// The root under which the protocol's addresses stand.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn first_model(&self) -> Result<String, ModelError> {
        let listed = wire::models(&self.list()?).into_iter().next();
        let none = || format!("{}/models lists no model; name one with --model", self.root);
        listed.ok_or_else(|| ModelError::Refused(none()))
    }

    /// The server's list of models, as it comes.
    pub(crate) fn list(&self) -> Result<Vec<u8>, ModelError> {
        let url = format!("{}/models", self.root);
        Ok(self.persist(0, |_| self.send(&url, None), |_| true)?.0)
    }

    /// Tries until it works, refuses, or the tries are over. `affordable` says whether another try may be paid after
    /// so much may have been spent. Returns what came and what the tries before it may have cost.
    pub(crate) fn persist<T>(
        &self,
        seed: u64,
        mut once: impl FnMut(u32) -> Result<T, Trouble>,
        affordable: impl Fn(Cost) -> bool,
    ) -> Result<(T, Cost), ModelError> {
        let mut spent = Cost::ZERO;
        let mut tries = 0;
        loop {
            if self.left().is_some_and(|left| left.is_zero()) {
                return Err(ModelError::Failed { tries, cause: OVER.into(), spent });
            }
            let trouble = match once(tries) {
                Ok(value) => return Ok((value, spent)),
                Err(trouble) => trouble,
            };
            tries += 1;
            let mut pause = backoff(tries, seed, self.config.longest_wait);
            let mut last = tries > self.config.retries;
            let cause = match trouble {
                Trouble::Refused(why) => return Err(ModelError::Refused(why)),
                Trouble::TooLong(why) => return Err(ModelError::TooLong(why)),
                Trouble::Over => return Err(ModelError::Failed { tries: tries - 1, cause: OVER.into(), spent }),
                Trouble::Unreachable(cause) if last => {
                    return Err(ModelError::Unreachable { url: self.root.clone(), cause });
                }
                Trouble::Unreachable(cause) => cause,
                Trouble::Busy(cause, after) => {
                    pause = after.unwrap_or(pause).min(self.config.longest_wait);
                    cause
                }
                Trouble::Lost(cause, cost) => {
                    spent += cost.unwrap_or_default();
                    last |= !affordable(spent);
                    cause
                }
                Trouble::TooLarge(cost) => {
                    spent += cost;
                    last = true;
                    format!("the reply is larger than the {} bytes that are read", self.config.max_body)
                }
            };
            if last {
                return Err(ModelError::Failed { tries, cause, spent });
            }
            // Nobody waits for what cannot be asked any more.
            if self.left().is_some_and(|left| pause >= left) {
                return Err(ModelError::Failed { tries, cause: format!("{cause}; {OVER}"), spent });
            }
            self.waiter.wait(pause);
        }
    }

    /// What is left of the caller's time, where that has an end.
    fn left(&self) -> Option<Duration> {
        self.config.until.get().map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Time for one try: its own, or what is left of the caller's.
    fn time(&self) -> Duration {
        self.left().map_or(self.config.timeout, |left| left.min(self.config.timeout))
    }

    /// Sends one request: POST with a body, GET without. Gives the body of a 200 reply.
    pub(crate) fn send(&self, url: &str, body: Option<&str>) -> Result<Vec<u8>, Trouble> {
        let mut request = ureq::http::Request::builder().uri(url).header("accept", "application/json");
        if self.config.api == Api::Anthropic {
            request = request.header("anthropic-version", ANTHROPIC_VERSION);
        }
        if let Some(key) = &self.config.key {
            request = match self.config.api {
                Api::OpenAi => request.header("authorization", format!("Bearer {}", key.expose())),
                Api::Anthropic => request.header("x-api-key", key.expose()),
            };
        }
        let broken = |e: ureq::http::Error| Trouble::Refused(self.scrub(&format!("{url} is no address: {e}")));
        let time = Some(self.time().max(Duration::from_millis(1)));
        let sent = match body {
            Some(body) => {
                let request = request.method("POST").header("content-type", "application/json");
                let request = request.body(body.to_owned()).map_err(broken)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(time).build())
            }
            None => {
                let request = request.method("GET").body(()).map_err(broken)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(time).build())
            }
        };
        let mut response = sent.map_err(|e| self.transport(e))?;
        let status = response.status();
        if status == 200 {
            let reader = response.body_mut().with_config().limit(self.config.max_body);
            return reader.read_to_vec().map_err(|e| self.transport(e));
        }
        let mut bytes = Vec::new();
        // A body that breaks off is shown as far as it came.
        let _ = response.body_mut().as_reader().take(ERROR_BODY).read_to_end(&mut bytes);
        let body = self.scrub(&String::from_utf8_lossy(&bytes));
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let told = format!("{url} answered {status}: {}", wire::refusal(&body));
        match status.as_u16() {
            // An empty purse does not fill by waiting.
            429 if body.contains("insufficient_quota") => Err(Trouble::Refused(told)),
            408 | 409 | 425 | 429 | 500..=599 => {
                let after = header("retry-after").and_then(|v| retry_after(v, header("date")));
                Err(Trouble::Busy(told, after))
            }
            300..=399 => {
                let to = self.scrub(header("location").unwrap_or("nowhere"));
                Err(Trouble::Refused(format!("{url} answered {status} and points to {to}; give that as the base URL")))
            }
            _ => Err(Trouble::Refused(told)),
        }
    }

    fn transport(&self, error: ureq::Error) -> Trouble {
        use std::io::ErrorKind as Kind;
        use ureq::{Error, Timeout};
        let told = self.scrub(&error.to_string());
        match error {
            Error::Timeout(Timeout::Connect | Timeout::Resolve) | Error::HostNotFound | Error::ConnectionFailed => {
                Trouble::Unreachable(told)
            }
            Error::ConnectProxyFailed(_) | Error::Tls(_) | Error::Rustls(_) => Trouble::Unreachable(told),
            Error::Io(e)
                if matches!(
                    e.kind(),
                    Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable
                ) =>
            {
                Trouble::Unreachable(told)
            }
            Error::Timeout(_) if self.left().is_some_and(|left| left.is_zero()) => Trouble::Lost(OVER.into(), None),
            Error::Timeout(_) => {
                Trouble::Lost(format!("no answer within {} s", self.config.timeout.as_secs_f64()), None)
            }
            Error::BodyExceedsLimit(_) => Trouble::TooLarge(Cost::ZERO),
            Error::Http(_) | Error::BadUri(_) => Trouble::Refused(told),
            _ => Trouble::Lost(format!("the connection broke: {told}"), None),
        }
    }

    fn scrub(&self, text: &str) -> String {
        self.config.key.as_ref().map_or_else(|| text.to_owned(), |key| key.scrub(text))
    }

    /// One try of a chat.
    fn ask(&self, chat: &Chat, tries: u32) -> Result<Reply, Trouble> {
        let url = self.url();
        // The same seed would bring the same empty answer again.
        let seed = chat.seed.wrapping_add(u64::from(tries));
        let body = loop {
            let dialect = *self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
            let request = wire::request(self.config.api, &self.config.model, chat, seed, dialect);
            let request = request.map_err(Trouble::Refused)?;
            let place = self.gate.enter(self.waiter.as_ref(), self.config.until.get()).ok_or(Trouble::Over)?;
            let sent = self.send(&url, Some(&request));
            drop(place);
            let told = match sent {
                Ok(body) => break body,
                Err(Trouble::Refused(told)) => told,
                Err(trouble) => return Err(trouble),
            };
            // 422 is what servers made with FastAPI answer to a parameter that they do not know.
            let faulty = ["answered 400", "answered 413", "answered 422"].iter().any(|status| told.contains(status));
            if faulty && wire::too_long(&told) {
                return Err(Trouble::TooLong(told));
            }
            match faulty.then(|| dialect.after(&told)).flatten() {
                Some(next) => *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = next,
                None => return Err(Trouble::Refused(told)),
            }
        };
        let answer = wire::answer(self.config.api, &body).map_err(|cause| Trouble::Lost(self.scrub(&cause), None))?;
        let reply = self.reply(chat, answer);
        // Cut before the first word is an answer of its own kind: more tries would be cut as well.
        if reply.text.trim().is_empty() && !reply.truncated {
            return Err(Trouble::Lost("the answer is empty".into(), Some(reply.cost())));
        }
        Ok(reply)
    }

    fn reply(&self, chat: &Chat, answer: Answer) -> Reply {
        let usage = match answer.usage {
            Some((prompt, completion)) => Usage { prompt, completion, estimated: false },
            None => {
                let completion = text_tokens(&answer.text).min(u64::from(chat.max_tokens));
                Usage { prompt: chat_tokens(chat), completion, estimated: true }
            }
        };
        let text = match &self.config.key {
            Some(key) if key.expose().len() >= REAL_KEY => Secret::scrub(key, &answer.text),
            _ => answer.text,
        };
        let usd = self.config.price(usage.prompt, usage.completion);
        Reply { text, truncated: answer.truncated, usd, usage, kept: false }
    }
}

impl Model for HttpModel {
    fn name(&self) -> &str {
        &self.config.model
    }

    fn estimate(&self, chat: &Chat) -> Cost {
        let (prompt, completion) = (chat_tokens(chat), u64::from(chat.max_tokens));
        Cost { evals: 0, tokens: prompt + completion, usd: self.config.price(prompt, completion) }
    }

    /// Tries that may have been charged and brought nothing are paid from the same reservation: where it has no room
    /// for one more, there is none. Their cost is in the reply's usage, then marked as estimated.
    fn chat(&self, chat: &Chat, reservation: Reservation) -> Result<Reply, ModelError> {
        let one = self.estimate(chat);
        if let Some(context) = self.config.context.filter(|context| one.tokens > *context) {
            let prompt = one.tokens - u64::from(chat.max_tokens);
            return Err(ModelError::TooLong(format!(
                "about {prompt} tokens, and up to {} of an answer, where {} takes {context}",
                chat.max_tokens, self.config.model
            )));
        }
        let fits = |cost: Cost| cost.tokens <= reservation.0.tokens && cost.usd <= reservation.0.usd;
        if !fits(one) {
            return Err(ModelError::OverReservation { needed: one.tokens, reserved: reservation.0.tokens });
        }
        let once = |tries| {
            self.ask(chat, tries).map_err(|trouble| match trouble {
                // What nobody counted is taken at its most.
                Trouble::Lost(cause, None) => Trouble::Lost(cause, Some(one)),
                Trouble::TooLarge(_) => Trouble::TooLarge(one),
                other => other,
            })
        };
        let (mut reply, before) = self.persist(chat.seed, once, |spent| fits(spent + one))?;
        if before != Cost::ZERO {
            reply.usage.prompt += before.tokens;
            reply.usage.estimated = true;
            reply.usd.0 += before.usd.0;
        }
        Ok(reply)
    }
}
