//! What the service is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use meliora_domain::Limits;

use crate::ServeError;

/// What the service offers, and to whom.
#[derive(Clone)]
pub struct Config {
    /// Keys that are accepted. None: any key is, from this machine alone.
    pub keys: Vec<String>,
    /// Sandboxes that one key may have at once, the paused ones too.
    pub max_sandboxes: usize,
    /// What each sandbox may use. `wall` is the longest life of a sandbox.
    pub limits: Limits,
    /// The Python of `run_code`, if there is one.
    pub python: Option<Interpreter>,
    /// The Node.js of `run_code`, if there is one.
    pub node: Option<Interpreter>,
    /// Seconds that a sandbox lives where its client does not say.
    pub default_life: Duration,
    /// Bytes of a file that is uploaded or downloaded at once.
    pub upload: usize,
}

/// A program that runs code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interpreter {
    /// Absolute path, the same on the host and in a cage.
    pub program: PathBuf,
    /// Flags before the script.
    pub flags: Vec<String>,
    /// What it needs to see of the host beside `/usr`.
    pub needs: Vec<PathBuf>,
    /// Folders of installed modules.
    pub modules: Vec<PathBuf>,
}

impl Default for Config {
    /// Loopback only, a hundred sandboxes of half a gigabyte of files and two of memory, each a day at most.
    fn default() -> Self {
        Config {
            keys: Vec::new(),
            max_sandboxes: 100,
            limits: Limits {
                memory: 2 << 30,
                processes: 256,
                files: 1024,
                disk: 512 << 20,
                cpu_seconds: 24 * 3600,
                wall: Duration::from_secs(24 * 3600),
                // Output streams away and is never kept whole.
                output: u64::MAX,
            },
            python: None,
            node: None,
            default_life: Duration::from_secs(300),
            upload: 128 << 20,
        }
    }
}

impl Config {
    /// Whether the service may listen there.
    pub(crate) fn check(&self, address: SocketAddr) -> Result<(), ServeError> {
        if self.keys.iter().any(|key| key.trim().is_empty()) {
            return Err(ServeError::EmptyKey);
        }
        if self.keys.is_empty() && !address.ip().is_loopback() {
            return Err(ServeError::KeyNeeded { address });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_from_this_machine_a_key_is_required() {
        let open = Config::default();
        let keyed = Config { keys: vec!["k".into()], ..Config::default() };
        for (address, needs_key) in
            [("127.0.0.1:1", false), ("[::1]:1", false), ("0.0.0.0:1", true), ("[::]:1", true), ("192.0.2.1:1", true)]
        {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(open.check(address).is_err(), needs_key, "{address}");
            assert!(keyed.check(address).is_ok(), "{address}");
        }
        assert!(Config { keys: vec![" ".into()], ..Config::default() }.check("[::1]:1".parse().unwrap()).is_err());
    }
}
