//! Where a Postgres journal lies. A password in it is never shown.

use std::fmt;
use std::time::Duration;

use meliora_evolve::ArchiveError;
use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};

use super::tls::{self, Tls};
use crate::error::failed;

/// A database, from its URL.
#[derive(Clone)]
pub struct Address {
    config: Config,
    tls: Tls,
    origin: String,
}

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `sslmode` and `sslrootcert` among what follows.
    pub fn parse(url: &str) -> Result<Address, ArchiveError> {
        let what = "read the address of the store";
        let hint =
            "`[store] url` is such as postgres://user@127.0.0.1:5432/agent_audit; without it the journal is a file";
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            // The text may hold a password, so that it is not repeated.
            return Err(failed(what, "it does not begin with postgres://", hint));
        }
        let (url, mode, roots) = without_tls(url);
        let mut config: Config = url.parse().map_err(|e| failed(what, e, hint))?;
        let Some(database) = config.get_dbname().map(str::to_owned) else {
            return Err(failed(what, "it names no database", hint));
        };
        let hosts: Vec<String> = config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() { "5432".to_owned() } else { ports.join(",") };
        let options = config.get_options().map(|o| format!("?options={o}")).unwrap_or_default();
        let origin = format!("postgres://{}:{ports}/{database}{options}", hosts.join(","));
        if config.get_application_name().is_none() {
            config.application_name("meliora");
        }
        let (asked, tls) = tls::of(mode.as_deref(), roots.as_deref())?;
        // A socket of this machine is not encrypted, whatever is asked.
        let tls = if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_))) { tls } else { Tls::Off };
        config
            .ssl_mode(if matches!(tls, Tls::Off) { SslMode::Disable } else { asked })
            .connect_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(30));
        Ok(Address { config, tls, origin: origin.replace(['\n', '\r'], " ") })
    }

    /// The same for this user of the database, where the address names none.
    #[must_use]
    pub fn or_user(mut self, name: &str) -> Self {
        if self.config.get_user().is_none() {
            self.config.user(name);
        }
        self
    }

    /// The database without its user and password: the same for everyone who uses it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the URL holds a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    pub(super) fn connect(&self) -> Result<Client, postgres::Error> {
        match &self.tls {
            Tls::Off => self.config.connect(NoTls),
            Tls::On(connector) => self.config.connect(connector.clone()),
        }
    }
}

/// The URL without what it says of TLS, and that: the client knows fewer words than libpq.
fn without_tls(url: &str) -> (String, Option<String>, Option<String>) {
    // A question mark may stand in a password.
    let host = url.find('@').unwrap_or(0);
    let Some(at) = url[host..].find('?').map(|at| host + at) else { return (url.to_owned(), None, None) };
    let (mut mode, mut roots) = (None, None);
    let kept: Vec<&str> = url[at + 1..]
        .split('&')
        .filter(|pair| match pair.split_once('=') {
            Some(("sslmode", value)) => {
                mode = Some(value.to_owned());
                false
            }
            Some(("sslrootcert", value)) => {
                roots = Some(decoded(value));
                false
            }
            _ => true,
        })
        .collect();
    let rest = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (format!("{}{rest}", &url[..at]), mode, roots)
}

/// Without `%41`.
fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let byte = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_shows_its_password() {
        let address = Address::parse("postgres://me:sesame@db.example:5433/agent_audit").unwrap();
        assert_eq!(address.to_string(), "postgres://db.example:5433/agent_audit");
        assert!(!format!("{address:?}").contains("sesame") && address.has_password());
        for bad in [
            "sesame",
            "mysql://a:sesame@b/c",
            "postgres://a:sesame@b",
            "postgres://a:sesame@b/c?x=y",
            "postgres://a:sesame@b/c?sslmode=always",
            "postgres://a:sesame@b/c?sslmode=verify-ca",
            "postgres://a:sesame@b/c?sslmode=verify-full&sslrootcert=/nowhere/root.crt",
            "postgres://a:sesame@b/c?sslmode=require&sslrootcert=/dev/null",
            "postgres://a:sesame@b/c?sslcert=mine.crt",
            "postgres://a:sesame@b:port/c",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert!(matches!(&error, ArchiveError::Failed { hint: Some(_), .. }));
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
    }

    #[test]
    fn what_an_address_says_of_tls_is_taken_out_and_nothing_else() {
        let taken = without_tls("postgres://a:b?c@h/d?sslmode=require&options=-cx%3D1&sslrootcert=/my%20root.crt");
        let (mode, roots) = (Some("require".to_owned()), Some("/my root.crt".to_owned()));
        assert_eq!(taken, ("postgres://a:b?c@h/d?options=-cx%3D1".to_owned(), mode, roots));
        assert_eq!(without_tls("postgres://h/d?sslmode=disable").0, "postgres://h/d");
        for mode in ["disable", "allow", "prefer", "require", "verify-full"] {
            let address = Address::parse(&format!("postgres://h/d?sslmode={mode}")).unwrap();
            assert_eq!(address.origin(), "postgres://h:5432/d", "it is the same database");
            assert_eq!(matches!(address.tls, Tls::Off), mode == "disable", "{mode}");
        }
        let socket = Address::parse("postgres://%2Frun%2Fpostgresql/d?sslmode=require").unwrap();
        assert!(matches!(socket.tls, Tls::Off));
    }

    #[test]
    fn one_database_is_one_origin_for_every_user() {
        let origin = |url: &str| Address::parse(url).unwrap().origin().to_owned();
        assert_eq!(origin("postgres://a:b@h/d"), origin("postgresql://c@h:5432/d"));
        assert_ne!(
            origin("postgres://h/d?options=-csearch_path%3Done"),
            origin("postgres://h/d?options=-csearch_path%3Dtwo")
        );
    }
}
