//! Requests and replies: bodies that are read only so far, replies whole or in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::fault::{Answer, Fault, Kind, fault, invalid};

/// How long a client may keep a body waiting.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a body that is no file.
pub(crate) const BODY: usize = 16 << 20;
/// Pieces of a stream on their way.
pub(crate) const PIECES: usize = 8;

/// What is sent back.
pub(crate) type Reply = Response<ReplyBody>;

/// The body of a reply.
pub(crate) enum ReplyBody {
    Whole(Option<Bytes>),
    /// Ends when the sender does; the sender is told when the client is gone.
    Pieces(mpsc::Receiver<Bytes>),
}

impl hyper::body::Body for ReplyBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            ReplyBody::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            ReplyBody::Pieces(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ReplyBody::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            ReplyBody::Pieces(_) => SizeHint::default(),
        }
    }
}

/// A reply of this kind.
pub(crate) fn reply(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    reply
}

/// A reply in JSON.
pub(crate) fn json_reply(status: StatusCode, value: &Value) -> Reply {
    reply(status, "application/json", value.to_string())
}

/// A reply that says nothing more.
pub(crate) fn no_content() -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(None));
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// A reply that comes in pieces.
pub(crate) fn pieces(kind: &'static str, pieces: mpsc::Receiver<Bytes>) -> Reply {
    let mut reply = Response::new(ReplyBody::Pieces(pieces));
    reply.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    reply
}

/// A failure, as the control plane and the files say it.
pub(crate) fn refusal(fault: &Fault) -> Reply {
    let mut reply = reply(fault.status(), "application/json", fault.plain());
    if fault.kind == Kind::TooMany {
        // Clients try 429 again by themselves, which does not help as long as nobody ends a sandbox.
        reply.headers_mut().insert("should-retry", hyper::header::HeaderValue::from_static("false"));
    }
    reply
}

/// A header's text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The next piece of a body; `None` at its end.
pub(crate) async fn piece(body: &mut Incoming) -> Answer<Option<Bytes>> {
    loop {
        let next = tokio::time::timeout(IDLE, body.frame()).await;
        let next = next.map_err(|_| fault(Kind::Deadline, "the body of the request did not go on"))?;
        match next {
            None => return Ok(None),
            Some(Err(error)) => return Err(invalid(format!("the body of the request broke off: {error}"))),
            // Trailers are nobody's business.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// A whole body of at most `limit` bytes.
pub(crate) async fn whole(headers: &HeaderMap, mut body: Incoming, limit: usize) -> Answer<Bytes> {
    let too_large = || fault(Kind::TooLarge, format!("the body is larger than the {limit} bytes that are taken"));
    let announced = header(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = piece(&mut body).await? {
        if bytes.len() + piece.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}
