//! Requests to the cloud: sends, waits, tries again where another try cannot do harm. Knows nothing of sandboxes.

use std::io::Read;
use std::time::Duration;

use ureq::http::header::{HeaderMap, RETRY_AFTER};
use ureq::http::{Method, Request};

use super::settings::E2bSettings;
use super::trouble::{Answer, Kind, Trouble};

/// Bytes of a refusal that are read.
const REFUSAL: u64 = 64 << 10;

/// Who waits between two tries.
pub(crate) type Waiter = Box<dyn Fn(Duration) + Send + Sync>;

pub(crate) struct Http {
    agent: ureq::Agent,
    settings: E2bSettings,
    waiter: Waiter,
}

/// Whether a request may be sent again when nobody knows whether it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Again {
    /// Twice is as good as once.
    Harmless,
    /// Only if it surely was not done.
    Unsent,
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<&'a [u8]>,
    /// Time for one try, to the last byte.
    pub(crate) time: Duration,
    pub(crate) again: Again,
}

impl Http {
    pub(crate) fn new(settings: E2bSettings, waiter: Waiter) -> Result<Self, String> {
        let proxy = match &settings.proxy {
            Some(proxy) => Some(
                ureq::Proxy::new(proxy)
                    .map_err(|_| "the proxy's address cannot be read; http://host:port".to_owned())?,
            ),
            None => None,
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Nobody else gets the key.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The default would look into the environment.
            .proxy(proxy)
            .timeout_connect(Some(settings.connect))
            .max_idle_connections(256)
            .max_idle_connections_per_host(64)
            .user_agent(concat!("meliora/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Http { agent, settings, waiter })
    }

    pub(crate) fn settings(&self) -> &E2bSettings {
        &self.settings
    }

    /// Sends, and reads an answer of at most `limit` bytes.
    pub(crate) fn call(&self, ask: &Ask<'_>, limit: u64) -> Result<Vec<u8>, Trouble> {
        self.persist(ask, |ask| {
            let mut response = self.send(ask)?;
            response
                .body_mut()
                .with_config()
                .limit(limit)
                .read_to_vec()
                .map_err(|error| self.transport(error, ask.time))
                .map_err(|trouble| if matches!(trouble, Trouble::Large(_)) { Trouble::Large(limit) } else { trouble })
        })
    }

    /// Sends, and gives the answer's body to be read as it comes.
    pub(crate) fn open(&self, ask: &Ask<'_>) -> Result<ureq::BodyReader<'static>, Trouble> {
        self.persist(ask, |ask| Ok(self.send(ask)?.into_body().into_reader()))
    }

    /// What a broken read of an opened body means.
    pub(crate) fn read_failure(&self, error: &std::io::Error) -> Trouble {
        Trouble::Broken(self.settings.key.scrub(&format!("the connection broke: {error}")))
    }

    fn persist<T>(&self, ask: &Ask<'_>, once: impl Fn(&Ask<'_>) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut tries = 0;
        loop {
            let trouble = match once(ask) {
                Err(trouble) => trouble,
                done => return done,
            };
            tries += 1;
            if tries > self.settings.retries || !worth(&trouble, ask.again) {
                return Err(trouble);
            }
            let asked = match &trouble {
                Trouble::Answer(answer) => answer.after,
                _ => None,
            };
            let pause = asked.unwrap_or_else(|| backoff(tries));
            if pause > self.settings.longest_wait {
                return Err(trouble);
            }
            (self.waiter)(pause);
        }
    }

    fn send(&self, ask: &Ask<'_>) -> Result<ureq::http::Response<ureq::Body>, Trouble> {
        let mut builder = Request::builder().method(ask.method.clone()).uri(&ask.url);
        for (name, value) in &ask.headers {
            builder = builder.header(*name, value);
        }
        let broken = |error: ureq::http::Error| {
            Trouble::Broken(self.settings.key.scrub(&format!("{} cannot be asked: {error}", ask.url)))
        };
        let sent = match ask.body {
            Some(body) => {
                let request = builder.body(body).map_err(broken)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(ask.time)).build())
            }
            None => {
                let request = builder.body(()).map_err(broken)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(ask.time)).build())
            }
        };
        let mut response = sent.map_err(|error| self.transport(error, ask.time))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let mut body = Vec::new();
        // A body that breaks off is shown as far as it came.
        let _ = response.body_mut().as_reader().take(REFUSAL).read_to_end(&mut body);
        let mut answer = Answer::read(status, &body);
        if (300..400).contains(&status) {
            answer.message = "it points elsewhere, which is not followed".to_owned();
        }
        answer.message = self.settings.key.scrub(&answer.message);
        answer.after = seconds(response.headers());
        let told = response.headers().get("should-retry").and_then(|value| value.to_str().ok());
        answer.retry = told.map(|word| word.trim().eq_ignore_ascii_case("true"));
        Err(Trouble::Answer(answer))
    }

    fn transport(&self, error: ureq::Error, time: Duration) -> Trouble {
        use std::io::ErrorKind as Is;
        use ureq::{Error, Timeout};
        let told = self.settings.key.scrub(&error.to_string());
        match error {
            Error::Timeout(Timeout::Connect | Timeout::Resolve) | Error::HostNotFound | Error::ConnectionFailed => {
                Trouble::Unreachable(told)
            }
            Error::ConnectProxyFailed(_) | Error::Tls(_) | Error::Rustls(_) => Trouble::Unreachable(told),
            Error::Io(e)
                if matches!(
                    e.kind(),
                    Is::ConnectionRefused | Is::HostUnreachable | Is::NetworkUnreachable | Is::AddrNotAvailable
                ) =>
            {
                Trouble::Unreachable(told)
            }
            Error::Timeout(_) => Trouble::Slow(time),
            Error::BodyExceedsLimit(limit) => Trouble::Large(limit),
            _ => Trouble::Broken(format!("the connection broke: {told}")),
        }
    }
}

/// Whether another try makes sense. The rules are those of the official client 2.63.0 (`retry.py`): what the server
/// says counts, and without a word 429, 502, 503 and 504 may pass.
fn worth(trouble: &Trouble, again: Again) -> bool {
    match trouble {
        Trouble::Unreachable(_) => true,
        Trouble::Broken(_) => again == Again::Harmless,
        Trouble::Slow(_) | Trouble::Large(_) => false,
        Trouble::Answer(answer) => match (answer.retry, answer.kind) {
            (_, Kind::Gone) => false,
            (Some(told), _) => told,
            (None, _) if matches!(answer.status, 429 | 503) => true,
            (None, _) => matches!(answer.status, 502 | 504) && again == Again::Harmless,
        },
    }
}

/// The pause before a try: a tenth of a second, doubled each time to ten, of which the upper half is chance.
fn backoff(tries: u32) -> Duration {
    let full =
        Duration::from_millis(100).saturating_mul(1 << tries.saturating_sub(1).min(10)).min(Duration::from_secs(10));
    let chance = f64::from(random::<1>()[0]) / 255.0;
    full.mul_f64(0.5 + 0.5 * chance)
}

/// Bytes that nobody can guess; zeros in the one case that the kernel has none, which is before it is up.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes
}

/// Digits that nobody can guess.
pub(crate) fn nonce() -> String {
    random::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let value: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(value.max(0.0)).ok()
}
