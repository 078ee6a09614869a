//! TLS to Postgres as `sslmode` and `sslrootcert` of the address say, in libpq's words and with libpq's meaning
//! (PostgreSQL's manual, "SSL Support" of libpq). What a certificate does not prove is never passed over in silence.

use std::path::Path;
use std::sync::Arc;

use meliora_evolve::ArchiveError;
use postgres::config::SslMode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::failed;

/// How a connection is encrypted.
#[derive(Clone)]
pub(super) enum Tls {
    /// Not at all.
    Off,
    /// Where the server offers it (`prefer`), or always.
    On(MakeRustlsConnect),
}

/// Makes of `sslmode` and `sslrootcert` what is asked of the server and how it is checked.
pub(super) fn of(mode: Option<&str>, roots: Option<&str>) -> Result<(SslMode, Tls), ArchiveError> {
    let bad = |cause: String, hint: &str| failed("read the address of the store", cause, hint);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (asked, check) = match mode.unwrap_or("prefer") {
        "disable" => return Ok((SslMode::Disable, Tls::Off)),
        // Whom it talks to is not asked: that only keeps a listener out.
        "allow" | "prefer" => (SslMode::Prefer, Check::Nothing(provider.clone())),
        "require" if roots.is_none() => (SslMode::Require, Check::Nothing(provider.clone())),
        mode @ ("require" | "verify-ca" | "verify-full") => {
            if roots.is_none() && mode == "verify-ca" {
                return Err(bad(
                    "sslmode=verify-ca names no certificate to check against".into(),
                    "`&sslrootcert=FILE` names the authority's; or take sslmode=verify-full, which checks the host's name \
                     and goes by the public authorities where no file is named",
                ));
            }
            let (store, pinned) = authorities(roots)?;
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
            let chain = verifier.build().map_err(|e| {
                bad(format!("{}: {e}", roots.unwrap_or_default()), "the file holds the authority's certificate, as PEM")
            })?;
            (SslMode::Require, Check::Chain { chain, pinned, name: mode == "verify-full" })
        }
        other => {
            return Err(bad(
                format!("sslmode={other} is none"),
                "it is one of disable, prefer, require, verify-ca and verify-full",
            ));
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string(), "this is a bug of Meliora; please report it"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(check))
        .with_no_client_auth();
    Ok((asked, Tls::On(MakeRustlsConnect::new(config))))
}

/// The certificates in a file of PEM, as authorities and as they are; the public authorities where none is named.
fn authorities(file: Option<&str>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), ArchiveError> {
    let Some(file) = file.filter(|file| *file != "system") else {
        return Ok((RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, Vec::new()));
    };
    let bad = |cause: String| {
        failed(format!("read the certificates of sslrootcert={file}"), cause, "it is a file of certificates, as PEM")
    };
    let read = CertificateDer::pem_file_iter(Path::new(file)).map_err(|e| bad(e.to_string()))?;
    let found: Vec<CertificateDer<'static>> = read.collect::<Result<_, _>>().map_err(|e| bad(e.to_string()))?;
    let mut store = RootCertStore::empty();
    if store.add_parsable_certificates(found.iter().cloned()).0 == 0 {
        return Err(bad("there is no certificate in it".into()));
    }
    Ok((store, found))
}

/// What a server's certificate has to prove.
#[derive(Debug)]
enum Check {
    /// Nothing: what is sent is encrypted, to whoever it is.
    Nothing(Arc<CryptoProvider>),
    /// That an authority stands for it, and for `name` that it is the host's. One that is in the file itself needs no other
    /// authority, as servers with a certificate of their own making have it.
    Chain { chain: Arc<WebPkiServerVerifier>, pinned: Vec<CertificateDer<'static>>, name: bool },
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Check::Chain { chain, pinned, name } = self else { return Ok(ServerCertVerified::assertion()) };
        if pinned.iter().any(|pinned| pinned == end) {
            if *name {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end)?, host)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.verify_server_cert(end, between, host, stapled, now) {
            // The name is looked at last, when all else holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !name => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Check::Nothing(provider) => {
                verify_tls12_signature(message, certificate, signed, &provider.signature_verification_algorithms)
            }
            Check::Chain { chain, .. } => chain.verify_tls12_signature(message, certificate, signed),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Check::Nothing(provider) => {
                verify_tls13_signature(message, certificate, signed, &provider.signature_verification_algorithms)
            }
            Check::Chain { chain, .. } => chain.verify_tls13_signature(message, certificate, signed),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Check::Nothing(provider) => provider.signature_verification_algorithms.supported_schemes(),
            Check::Chain { chain, .. } => chain.supported_verify_schemes(),
        }
    }
}

/// How to mend what went wrong with encrypting, if that is what went wrong. Trying again helps against nothing of it.
pub(super) fn hint(error: &postgres::Error) -> Option<&'static str> {
    let mut cause = std::error::Error::source(error);
    while let Some(now) = cause {
        // An error of the system carries the one of TLS within.
        let inner = now.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let told = now.downcast_ref::<Error>().or_else(|| inner.and_then(|inner| inner.downcast_ref::<Error>()));
        if let Some(told) = told {
            return Some(match told {
                Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::Other(_) | CertificateError::BadSignature,
                ) => {
                    "`&sslrootcert=FILE` names the certificate of the authority that the server's is signed by, or its own"
                }
                Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                ) => {
                    "name the host as its certificate does (its alternative names count, its common name does not), or \
                     take sslmode=verify-ca"
                }
                Error::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. } | CertificateError::NotValidYet,
                ) => "the server needs a new certificate, or this machine's clock is wrong",
                _ => "the server's certificate is not one that can be checked; see its log",
            });
        }
        // A connection that broke in the midst of it may hold the next time.
        if now.is::<std::io::Error>() {
            return None;
        }
        cause = now.source();
    }
    error.to_string().contains("TLS handshake").then_some(
        "turn it on at the server (`ssl = on`), or take sslmode=disable for one that nobody can listen in to",
    )
}
