//! What can go wrong on the way to the cloud, in one vocabulary for both of its halves, and in words for a person.

use std::time::Duration;

use meliora_evolve::SandboxError;

/// Why a request brought nothing.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Trouble {
    /// No connection: nothing was sent.
    Unreachable(String),
    /// No answer in this time.
    Slow(Duration),
    /// The connection broke, or what came over it cannot be read.
    Broken(String),
    /// More came than is taken: so many bytes are.
    Large(u64),
    /// The cloud answered that it will not or cannot.
    Answer(Answer),
}

/// An answer that is a refusal.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Answer {
    pub(crate) kind: Kind,
    /// HTTP status; 200 for an error at the end of a stream.
    pub(crate) status: u16,
    pub(crate) message: String,
    /// When to come back, if it said so.
    pub(crate) after: Option<Duration>,
    /// Whether it said that another try makes sense, or none does.
    pub(crate) retry: Option<bool>,
}

/// What kind of refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The key, the token or the user is not taken.
    Key,
    /// The account or the request may not do that.
    Forbidden,
    /// Too many, too fast, or over the plan's quota.
    Quota,
    /// The thing asked for is not there: a file, a process, a template.
    Missing,
    /// The sandbox is not there: ended, killed, or its time was over.
    Gone,
    /// It is there already.
    Exists,
    /// The request makes no sense to it.
    Invalid,
    /// Right request, wrong moment: the process is over, its input closed.
    Moment,
    /// No room on the sandbox's disk.
    Full,
    /// Overloaded or starting up.
    Busy,
    /// The time that was set is over.
    Deadline,
    /// It broke, or said something unknown.
    Other,
}

impl Kind {
    /// By the code of the Connect protocol (<https://connectrpc.com/docs/protocol#error-codes>).
    fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "unauthenticated" => Kind::Key,
            "permission_denied" => Kind::Forbidden,
            "resource_exhausted" => Kind::Quota,
            "not_found" => Kind::Missing,
            "already_exists" => Kind::Exists,
            "invalid_argument" | "out_of_range" | "unimplemented" => Kind::Invalid,
            "failed_precondition" | "aborted" => Kind::Moment,
            "unavailable" => Kind::Busy,
            "deadline_exceeded" => Kind::Deadline,
            "canceled" | "unknown" | "internal" | "data_loss" => Kind::Other,
            _ => return None,
        })
    }

    fn of_status(status: u16) -> Self {
        match status {
            401 => Kind::Key,
            402 | 403 => Kind::Forbidden,
            429 => Kind::Quota,
            404 | 410 => Kind::Missing,
            409 => Kind::Exists,
            400 | 405 | 413 | 415 | 422 | 501 => Kind::Invalid,
            412 => Kind::Moment,
            507 => Kind::Full,
            408 | 504 => Kind::Deadline,
            502 | 503 => Kind::Busy,
            _ => Kind::Other,
        }
    }
}

impl Answer {
    /// Reads a refusal: `{"code": 404 or "not_found", "message": …}` in whatever else there may be, or plain text.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let field = |name: &str| json.as_ref().and_then(|value| value.get(name));
        let message = match field("message").and_then(|m| m.as_str()) {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(body).trim().to_owned(),
        };
        let code = field("code");
        let by_word = code.and_then(|code| code.as_str()).and_then(Kind::of_code);
        // A gateway's own page may carry the true status as a number.
        let number = code.and_then(serde_json::Value::as_u64).and_then(|n| u16::try_from(n).ok());
        let number = number.filter(|n| (400..600).contains(n)).unwrap_or(status);
        Self::of(status, by_word.unwrap_or_else(|| Kind::of_status(number)), message)
    }

    /// An error at the end of a stream.
    pub(crate) fn ended(code: &str, message: String) -> Self {
        Self::of(200, Kind::of_code(code).unwrap_or(Kind::Other), message)
    }

    fn of(status: u16, kind: Kind, message: String) -> Self {
        // The gate before the sandboxes says in words alone that one is not there.
        let gone = kind == Kind::Busy && message.contains("was not found");
        let mut message = if message.is_empty() { "it says no more".to_owned() } else { message };
        if message.len() > 500 {
            message = message.chars().take(500).collect::<String>() + "…";
        }
        Answer { kind: if gone { Kind::Gone } else { kind }, status, message, after: None, retry: None }
    }
}

impl Trouble {
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Trouble::Answer(answer) => Some(answer.kind),
            _ => None,
        }
    }

    /// In words: what was tried, why it failed, what a person can do.
    pub(crate) fn told(self, what: impl Into<String>) -> SandboxError {
        let hint = self.hint().map(str::to_owned);
        let cause = match self {
            Trouble::Unreachable(cause) => format!("the cloud cannot be reached: {cause}"),
            Trouble::Slow(time) => format!("no answer within {} s", time.as_secs_f64()),
            Trouble::Broken(cause) => cause,
            Trouble::Large(limit) => format!("the answer is larger than the {limit} bytes that are read"),
            Trouble::Answer(Answer { kind, status, message, after, .. }) => {
                let come_back =
                    after.map(|after| format!("; it says to come back in {} s", after.as_secs())).unwrap_or_default();
                let meaning = match kind {
                    Kind::Key => "the key is not accepted",
                    Kind::Forbidden => "this account may not do that",
                    Kind::Quota => "too many requests or sandboxes for this account",
                    Kind::Missing => "there is no such thing",
                    Kind::Gone => "the sandbox has ended",
                    Kind::Exists => "it is there already",
                    Kind::Invalid => "the request is not accepted",
                    Kind::Moment => "not possible now",
                    Kind::Full => "the sandbox's disk is full",
                    Kind::Busy => "the cloud is busy",
                    Kind::Deadline => "its time was over",
                    Kind::Other => "the cloud failed",
                };
                match status {
                    200 => format!("{meaning}: {message}{come_back}"),
                    status => format!("{meaning} ({status}): {message}{come_back}"),
                }
            }
        };
        SandboxError { what: what.into(), cause, hint }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Trouble::Unreachable(_) => {
                "check the network, and E2B_API_URL, E2B_SANDBOX_URL or E2B_DOMAIN if they are set; `--backend ns` needs no network"
            }
            Trouble::Slow(_) => "the cloud or the network is slow; try again, or with fewer --jobs",
            Trouble::Broken(_) => "try again; if it stays, the address may not be one of an E2B service",
            Trouble::Large(_) => return None,
            Trouble::Answer(answer) => match answer.kind {
                Kind::Key => "check E2B_API_KEY: the dashboard lists the keys of an account",
                Kind::Forbidden => "look at the account's plan and rights in the dashboard",
                Kind::Quota => "fewer --jobs, or wait; the account's plan limits how many sandboxes live at once",
                Kind::Gone => {
                    "it was killed from outside, or the cloud had no news of this program for its lifetime: [sandbox.e2b] lifetime_seconds"
                }
                Kind::Busy | Kind::Deadline => "try again later, or with fewer --jobs",
                Kind::Full => "the template decides the size of the disk",
                Kind::Missing | Kind::Exists | Kind::Invalid | Kind::Moment | Kind::Other => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_are_known_by_code_by_number_and_by_words() {
        for (status, body, kind, message) in [
            (401, r#"{"code":401,"message":"Invalid API key"}"#, Kind::Key, "Invalid API key"),
            (429, r#"{"code":429,"message":"too many"}"#, Kind::Quota, "too many"),
            (404, r#"{"code":"not_found","message":"no such file"}"#, Kind::Missing, "no such file"),
            (
                502,
                r#"{"sandboxId":"x","message":"The sandbox was not found","code":502}"#,
                Kind::Gone,
                "The sandbox was not found",
            ),
            (
                502,
                r#"{"message":"The sandbox port is not open","code":502}"#,
                Kind::Busy,
                "The sandbox port is not open",
            ),
            (507, r#"{"code":507,"message":"no space"}"#, Kind::Full, "no space"),
            (500, r#"{"code":503,"message":"overloaded"}"#, Kind::Busy, "overloaded"),
            (503, "<html>bad gateway</html>", Kind::Busy, "<html>bad gateway</html>"),
            (418, "", Kind::Other, "it says no more"),
        ] {
            let answer = Answer::read(status, body.as_bytes());
            assert_eq!((answer.kind, answer.message.as_str()), (kind, message), "{status} {body}");
        }
        assert_eq!(Answer::ended("deadline_exceeded", "timeout".into()).kind, Kind::Deadline);
        assert_eq!(Answer::ended("what_is_this", String::new()).kind, Kind::Other);
    }

    proptest! {
        #[test]
        fn no_refusal_upsets_the_reader(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..600)) {
            let told = Trouble::Answer(Answer::read(status, &body)).told("sandbox");
            prop_assert!(told.to_string().len() < 4000);
        }

        #[test]
        fn no_json_refusal_upsets_the_reader(status in 400u16..600, code in r#"(null|-?[0-9]{1,20}|"[a-z_]{0,20}"|\[\]|\{\})"#, message in r#"(null|7|"[a-z ]{0,40}")"#) {
            Answer::read(status, format!(r#"{{"code":{code},"message":{message}}}"#).as_bytes());
        }
    }
}
