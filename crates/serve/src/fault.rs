//! What goes wrong, and how each part of the protocol says so. Three dialects: the control plane and the files (numbers),
//! the Connect services (words), and the proxy's answer for a sandbox that is not there.

use bytes::Bytes;
use hyper::StatusCode;
use meliora_evolve::{CageError, SandboxError};
use serde_json::{Value, json};

/// What kind of failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The request makes no sense.
    Invalid,
    /// No key or token, or a wrong one.
    Unauthenticated,
    /// Not to be had here.
    Denied,
    /// No such thing in the sandbox.
    NotFound,
    /// No such sandbox, as far as this caller may know.
    NoSandbox,
    /// It is there already.
    Exists,
    /// It is in the wrong state.
    Conflict,
    /// Larger than is taken.
    TooLarge,
    /// More than this key may have.
    TooMany,
    /// The sandbox has no room.
    Full,
    /// Known, and not offered here.
    Unsupported,
    /// The time was over.
    Deadline,
    /// The sandbox ended while it was busy.
    Lost,
    /// Our own machinery failed.
    Internal,
}

/// A failure and its words.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// A result whose error is for the client.
pub(crate) type Answer<T> = Result<T, Fault>;

/// A failure with its words.
pub(crate) fn fault(kind: Kind, message: impl Into<String>) -> Fault {
    Fault { kind, message: message.into() }
}

/// The request makes no sense.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    fault(Kind::Invalid, message)
}

impl Kind {
    /// HTTP status and word of the Connect protocol (`connectrpc.com/docs/protocol`, "Error codes").
    fn names(self) -> (StatusCode, &'static str) {
        match self {
            Kind::Invalid => (StatusCode::BAD_REQUEST, "invalid_argument"),
            Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Kind::Denied => (StatusCode::FORBIDDEN, "permission_denied"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            // What the service's own proxy says; clients look for these words.
            Kind::NoSandbox | Kind::Lost => (StatusCode::BAD_GATEWAY, "unavailable"),
            Kind::Exists => (StatusCode::CONFLICT, "already_exists"),
            Kind::Conflict => (StatusCode::CONFLICT, "failed_precondition"),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "resource_exhausted"),
            Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "resource_exhausted"),
            Kind::Full => (StatusCode::INSUFFICIENT_STORAGE, "resource_exhausted"),
            Kind::Unsupported => (StatusCode::NOT_IMPLEMENTED, "unimplemented"),
            Kind::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl Fault {
    /// Its HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.kind.names().0
    }

    /// As the control plane and the files say it.
    pub(crate) fn plain(&self) -> Bytes {
        json!({"code": self.status().as_u16(), "message": self.message}).to_string().into()
    }

    /// As the Connect services say it.
    pub(crate) fn connect(&self) -> Value {
        json!({"code": self.kind.names().1, "message": self.message})
    }
}

impl From<CageError> for Fault {
    fn from(error: CageError) -> Self {
        let kind = match &error {
            CageError::NoFile { .. } => Kind::NotFound,
            CageError::TooLarge { .. } => Kind::TooLarge,
            CageError::Full { .. } => Kind::Full,
            CageError::Machinery(_) => Kind::Internal,
        };
        fault(kind, error.to_string())
    }
}

impl From<SandboxError> for Fault {
    fn from(error: SandboxError) -> Self {
        let hint = error.hint.as_deref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
        fault(Kind::Internal, format!("{error}{hint}"))
    }
}
