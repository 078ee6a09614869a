//! Files up and down over plain HTTP, by a token or by an address that carries a signature.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::fault::{Answer, Kind, fault, invalid};
use crate::guest::Guest;
use crate::http::{self, Reply, header};
use crate::paths::{Place, place};
use crate::{fields, files, multipart};

/// Uploads that are held in memory at once; others wait.
pub(crate) const AT_ONCE: usize = 4;
/// Bytes of a client's notes on a file.
const NOTES: usize = 16 << 10;

/// What the address of a transfer says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) path: Option<String>,
    pub(crate) user: String,
    pub(crate) signature: Option<String>,
    pub(crate) expires: Option<String>,
}

impl Query {
    pub(crate) fn of(query: &str) -> Self {
        let mut found = Query::default();
        for (name, value) in crate::query::pairs(query) {
            match name.as_str() {
                "path" => found.path = Some(value),
                "username" => found.user = value,
                "signature" => found.signature = Some(value),
                "signature_expiration" => found.expires = Some(value),
                _ => {}
            }
        }
        found
    }

    /// Whether its signature was made with this token, for this use (`read` or `write`).
    pub(crate) fn is_signed(&self, token: &str, operation: &str) -> bool {
        let path = self.path.as_deref().unwrap_or_default();
        let mut text = format!("{path}:{operation}:{}:{token}", self.user);
        if let Some(expires) = &self.expires {
            text = format!("{text}:{expires}");
        }
        let right = format!("v1_{}", fields::encode_bare(&Sha256::digest(text.as_bytes())));
        self.signature.as_ref().is_some_and(|signature| same(signature.as_bytes(), right.as_bytes()))
    }

    /// That its signature's time is not over.
    pub(crate) fn check_time(&self) -> Answer<()> {
        let Some(expires) = &self.expires else { return Ok(()) };
        let seconds: u64 = expires.parse().map_err(|_| invalid("signature_expiration is no time"))?;
        let over = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).is_some_and(|end| end < SystemTime::now());
        if over { Err(fault(Kind::Unauthenticated, "the signature of this address has expired")) } else { Ok(()) }
    }

    fn place(&self) -> Answer<Place> {
        place(self.path.as_deref().ok_or_else(|| invalid("the address names no path"))?)
    }
}

/// Whether two texts are the same, in a time that does not tell where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The bytes of a file.
pub(crate) async fn download(guest: &Arc<Guest>, query: &Query, limit: usize) -> Answer<Reply> {
    let place = query.place()?;
    let bytes = guest.with_cage(move |cage| files::read(cage, &place, limit)).await?;
    Ok(http::reply(StatusCode::OK, "application/octet-stream", bytes))
}

/// Writes what comes: one file as it is, or the files of a form.
pub(crate) async fn upload(
    guest: &Arc<Guest>,
    query: &Query,
    headers: &HeaderMap,
    body: Incoming,
    (limit, places): (usize, &Semaphore),
) -> Answer<Reply> {
    let kind = header(headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
    let notes = notes(headers)?;
    let _place = places.acquire().await.map_err(|error| fault(Kind::Internal, error.to_string()))?;
    let mut bytes = http::whole(headers, body, limit).await?;
    match header(headers, CONTENT_ENCODING.as_str()) {
        None | Some("" | "identity") => {}
        Some("gzip") => bytes = unzip(bytes, limit).await?,
        Some(other) => {
            return Err(fault(Kind::Unsupported, format!("the encoding '{}' is not taken", other.escape_debug())));
        }
    }
    let path = query.path.clone();
    let written = guest
        .with_cage(move |cage| {
            let mut written = Vec::new();
            let mut put = |place: Place, bytes: &[u8]| -> Answer<()> {
                files::write(cage, &place, bytes)?;
                written.push(place);
                Ok(())
            };
            if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
                let boundary = multipart::boundary(&kind)?;
                let parts = multipart::parts(&bytes, &boundary)?;
                let parts: Vec<_> = parts.into_iter().filter(|part| part.name == "file").collect();
                if path.is_some() && parts.len() > 1 {
                    return Err(invalid("the address names one path, and the form has several files"));
                }
                for part in parts {
                    let name = path.as_ref().or(part.file.as_ref());
                    let name = name.ok_or_else(|| invalid("a file of the form has no name"))?;
                    put(place(name)?, part.bytes)?;
                }
            } else {
                let path = path.as_ref().ok_or_else(|| invalid("the address names no path"))?;
                put(place(path)?, &bytes)?;
            }
            Ok(written)
        })
        .await?;
    if written.is_empty() {
        return Err(invalid("the form has no file"));
    }
    let told: Vec<Value> = written
        .iter()
        .map(|place| {
            files::note(guest, place, &notes);
            let mut told = json!({"name": place.name(), "path": place.seen, "type": "file"});
            if !notes.is_empty() {
                told["metadata"] = json!(notes);
            }
            told
        })
        .collect();
    Ok(http::json_reply(StatusCode::OK, &json!(told)))
}

/// What a client wants noted of its files: `X-Metadata-…` headers.
fn notes(headers: &HeaderMap) -> Answer<BTreeMap<String, String>> {
    let mut notes = BTreeMap::new();
    let mut size = 0;
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix("x-metadata-") {
            let value = value.to_str().map_err(|_| invalid(format!("the metadata '{name}' is no plain text")))?;
            size += name.len() + value.len();
            notes.insert(name.to_owned(), value.to_owned());
        }
    }
    if size > NOTES { Err(invalid("the metadata is too large")) } else { Ok(notes) }
}

async fn unzip(bytes: Bytes, limit: usize) -> Answer<Bytes> {
    let work = move || {
        let mut plain = Vec::new();
        // One byte more than is taken tells that it is too large, however much more there would be.
        let read = flate2::read::MultiGzDecoder::new(&bytes[..]).take(limit as u64 + 1).read_to_end(&mut plain);
        read.map_err(|error| invalid(format!("the body is no gzip: {error}")))?;
        if plain.len() > limit {
            return Err(fault(Kind::TooLarge, format!("the body is larger than the {limit} bytes that are taken")));
        }
        Ok(plain.into())
    };
    crate::guest::blocking(work).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_signed_for_one_path_and_one_use() {
        // By the Python SDK: get_signature("/home/user/a b", "read", "user", "tok", None).
        let signed = |path: &str, operation: &str, expires: Option<&str>| {
            let mut text = format!("{path}:{operation}:user:tok");
            if let Some(expires) = expires {
                text = format!("{text}:{expires}");
            }
            Query {
                path: Some(path.to_owned()),
                user: "user".to_owned(),
                signature: Some(format!("v1_{}", fields::encode_bare(&Sha256::digest(text)))),
                expires: expires.map(str::to_owned),
            }
        };
        let query = signed("/a", "read", None);
        assert!(query.is_signed("tok", "read"));
        assert!(!query.is_signed("tok", "write") && !query.is_signed("other", "read"));
        assert!(!Query { path: Some("/b".into()), ..signed("/a", "read", None) }.is_signed("tok", "read"));
        let old = signed("/a", "read", Some("1000"));
        assert!(old.is_signed("tok", "read") && old.check_time().is_err());
        assert!(signed("/a", "read", Some("99999999999")).check_time().is_ok());
        assert!(!Query::default().is_signed("tok", "read"));
    }

    #[test]
    fn a_small_archive_that_unpacks_to_much_is_refused() {
        use std::io::Write as _;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![0; 4 << 20]).unwrap();
        let packed: Bytes = packed.finish().unwrap().into();
        assert!(packed.len() < 1 << 16);
        let run = |limit| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(unzip(packed.clone(), limit))
        };
        assert_eq!(run(1 << 20).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(run(8 << 20).unwrap().len(), 4 << 20);
    }
}
