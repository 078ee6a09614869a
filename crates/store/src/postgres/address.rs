//! Where a Postgres journal lies. A password in it is never shown.

use std::fmt;
use std::time::Duration;

use meliora_evolve::ArchiveError;
use postgres::Config;
use postgres::config::{Host, SslMode};

use crate::error::failed;

/// A database, from its URL.
#[derive(Clone)]
pub struct Address {
    config: Config,
    origin: String,
}

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub fn parse(url: &str) -> Result<Address, ArchiveError> {
        let what = "read the address of the store";
        let hint =
            "`[store] url` is such as postgres://user@127.0.0.1:5432/agent_audit; without it the journal is a file";
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            // The text may hold a password, so that it is not repeated.
            return Err(failed(what, "it does not begin with postgres://", hint));
        }
        let mut config: Config = url.parse().map_err(|e| failed(what, e, hint))?;
        let Some(database) = config.get_dbname().map(str::to_owned) else {
            return Err(failed(what, "it names no database", hint));
        };
        if config.get_ssl_mode() == SslMode::Require {
            return Err(failed(
                what,
                "sslmode=require is not spoken here",
                "use a tunnel (`ssh -L`, stunnel) or a socket for a database on another machine, and leave sslmode out",
            ));
        }
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
        config
            .connect_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(30));
        Ok(Address { config, origin: origin.replace(['\n', '\r'], " ") })
    }

    /// The database without its user and password: the same for everyone who uses it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the URL holds a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
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
            "postgres://a:sesame@b/c?sslmode=require",
            "postgres://a:sesame@b:port/c",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert!(matches!(&error, ArchiveError::Failed { hint: Some(_), .. }));
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
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
