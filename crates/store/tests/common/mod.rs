//! A database on a Postgres server for one test.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr, reason = "each test file uses its part")]

use std::sync::atomic::{AtomicU32, Ordering};

use meliora_store::Address;
use postgres::{Client, NoTls};

/// A schema of its own, which goes when the test ends.
pub struct Database {
    name: String,
}

/// The server: one where anything may be made and removed.
fn server() -> String {
    std::env::var("MELIORA_TEST_POSTGRES").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned())
}

impl Database {
    /// A new one; `None`, said aloud, where there is no server. On CI there must be one.
    pub fn fresh() -> Option<Database> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut client = match Client::connect(&server(), NoTls) {
            Ok(client) => client,
            Err(e) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("no Postgres: {e}"),
            Err(e) => {
                eprintln!("SKIPPED: no Postgres at MELIORA_TEST_POSTGRES: {e}");
                return None;
            }
        };
        let name = format!("meliora_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        client.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).unwrap();
        Some(Database { name })
    }

    /// Its address as any role, at any place.
    pub fn url(&self) -> String {
        let server = server();
        let join = if server.contains('?') { '&' } else { '?' };
        // In clear, as tests look at what goes over the wire.
        format!("{server}{join}sslmode=disable&options=-csearch_path%3D{}", self.name)
    }

    pub fn address(&self) -> Address {
        Address::parse(&self.url()).unwrap()
    }

    /// A connection with every right.
    pub fn client(&self) -> Client {
        Client::connect(&self.url(), NoTls).unwrap()
    }

    /// Changes it as its owner could who means ill.
    pub fn tamper(&self, sql: &str) {
        let off = "ALTER TABLE journal DISABLE TRIGGER ALL;";
        self.client().batch_execute(&format!("{off} {sql}")).unwrap();
    }

    /// The address as another role, which needs no password.
    pub fn url_as(&self, role: &str) -> String {
        let url = self.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, place) = rest.split_once('/').unwrap();
        let host = authority.rsplit('@').next().unwrap();
        format!("{scheme}://{role}@{host}/{place}")
    }

    /// Host and port.
    pub fn server(&self) -> String {
        let url = server();
        url.split("://").nth(1).unwrap().split('/').next().unwrap().rsplit('@').next().unwrap().to_owned()
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(mut client) = Client::connect(&server(), NoTls) {
            let _ = client.batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
        }
    }
}
