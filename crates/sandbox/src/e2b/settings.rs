//! Where the cloud is, what is asked of it, and the key that it takes. Read from no environment: `cli` hands it down.

use std::fmt;
use std::time::Duration;

/// What stands in a text where the key stood.
const MASK: &str = "[key]";
/// The cloud's own domain.
const DOMAIN: &str = "e2b.app";
/// Domains whose sandboxes are all reached at one host and told apart by headers; elsewhere each has a host of its own.
/// The list is that of the official client 2.63.0, `sandbox_domains.py`.
const SHARED_HOST: [&str; 7] =
    ["e2b.app", "e2b.dev", "e2b.pro", "e2b-staging.dev", "e2b-tango.dev", "e2b-juliett.dev", "foxtrot-2.e2b.dev"];

/// The key of an account, or the token of a sandbox. It can be sent and cannot be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A key without the white space around it; `None` if nothing is left, or what is left could stand in no header.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        let plain = !key.is_empty() && key.bytes().all(|b| (0x21..0x7f).contains(&b));
        plain.then(|| Key(key.to_owned()))
    }

    /// The key itself, for a request's header alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The text with a mask wherever the key stands.
    pub(crate) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, MASK)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Which cloud, which template, how long.
#[derive(Clone, PartialEq, Debug)]
pub struct E2bSettings {
    /// The account's key.
    pub key: Key,
    /// Domain of the cloud; `None` for E2B's own.
    pub domain: Option<String>,
    /// Address of the control plane, where it is not `https://api.DOMAIN`.
    pub api_url: Option<String>,
    /// One address for everything inside of sandboxes, where it is not the cloud's own.
    pub sandbox_url: Option<String>,
    /// Name of the template that sandboxes are made from.
    pub template: String,
    /// How long a sandbox lives without news of this program, 15 s to 24 h. It is asked to live on while it is held.
    pub lifetime: Duration,
    /// Time for one request, but for the commands, which have their own.
    pub request: Duration,
    /// Time for a connection.
    pub connect: Duration,
    /// Tries after the first one, where another one cannot do harm.
    pub retries: u32,
    /// Longest pause between two tries, whatever the cloud asks for.
    pub longest_wait: Duration,
    /// Address of a proxy (`http://host:port`), where one is needed.
    pub proxy: Option<String>,
}

impl E2bSettings {
    /// What there is to say without being asked.
    pub fn new(key: Key) -> Self {
        E2bSettings {
            key,
            domain: None,
            api_url: None,
            sandbox_url: None,
            template: "code-interpreter-v1".into(),
            lifetime: Duration::from_secs(300),
            request: Duration::from_secs(60),
            connect: Duration::from_secs(10),
            retries: 3,
            longest_wait: Duration::from_secs(30),
            proxy: None,
        }
    }

    fn domain(&self) -> &str {
        self.domain.as_deref().map(str::trim).filter(|d| !d.is_empty()).unwrap_or(DOMAIN)
    }

    /// The control plane, without a slash at its end.
    pub(crate) fn api(&self) -> String {
        given(self.api_url.as_deref()).unwrap_or_else(|| format!("https://api.{}", self.domain()))
    }

    /// Where a port of a sandbox is reached, without a slash at its end. `own` is the domain that the cloud named when
    /// it made the sandbox.
    pub(crate) fn inside(&self, id: &str, port: u16, own: Option<&str>) -> String {
        if let Some(url) = given(self.sandbox_url.as_deref()) {
            return url;
        }
        let domain = own.filter(|d| !d.is_empty()).unwrap_or_else(|| self.domain());
        if SHARED_HOST.contains(&domain) {
            format!("https://sandbox.{domain}")
        } else {
            format!("https://{port}-{id}.{domain}")
        }
    }

    /// What is wrong with these settings, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        for (name, url) in [("E2B_API_URL", &self.api_url), ("E2B_SANDBOX_URL", &self.sandbox_url)] {
            let Some(url) = given(url.as_deref()) else { continue };
            let Some((scheme, rest)) = url.split_once("://") else {
                return Some(format!("{name} does not begin with https:// or http://"));
            };
            if !matches!(scheme, "http" | "https") || rest.is_empty() {
                return Some(format!("{name} does not begin with https:// or http:// and a host"));
            }
            // Not shown: what stands there may be a password.
            if rest.contains(['?', '#', '@']) {
                return Some(format!("{name} holds a query or a user name"));
            }
        }
        if self.template.trim().is_empty() {
            return Some("no template is named".into());
        }
        let seconds = self.lifetime.as_secs();
        (!(15..=86_400).contains(&seconds)).then(|| format!("a lifetime of {seconds} s is not between 15 and 86400"))
    }
}

fn given(url: Option<&str>) -> Option<String> {
    let url = url?.trim().trim_end_matches('/');
    (!url.is_empty()).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> E2bSettings {
        E2bSettings::new(Key::new("e2b_0123").unwrap())
    }

    #[test]
    fn addresses_are_those_of_the_official_client() {
        let mut s = settings();
        assert_eq!(s.api(), "https://api.e2b.app");
        assert_eq!(s.inside("abc", 49983, None), "https://sandbox.e2b.app");
        assert_eq!(s.inside("abc", 49983, Some("e2b-juliett.dev")), "https://sandbox.e2b-juliett.dev");
        s.domain = Some("cages.example".into());
        assert_eq!(s.api(), "https://api.cages.example");
        assert_eq!(s.inside("abc", 49999, None), "https://49999-abc.cages.example");
        (s.api_url, s.sandbox_url) = (Some("http://127.0.0.1:3000/".into()), Some("http://127.0.0.1:3002".into()));
        assert_eq!(
            (s.api(), s.inside("abc", 1, Some("x"))),
            ("http://127.0.0.1:3000".into(), "http://127.0.0.1:3002".into())
        );
        assert_eq!(s.fault(), None);
    }

    #[test]
    fn a_key_shows_nowhere_and_a_broken_one_is_none() {
        let s = settings();
        assert!(!format!("{s:?}").contains("e2b_0123"), "{s:?}");
        assert_eq!(s.key.scrub("bad key e2b_0123!"), "bad key [key]!");
        for broken in ["", "  ", "two words", "line\nbreak", "ümlaut"] {
            assert_eq!(Key::new(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn settings_that_cannot_work_say_what_is_wrong() {
        for (change, part) in [
            ((|s: &mut E2bSettings| s.api_url = Some("127.0.0.1:3000".into())) as fn(&mut E2bSettings), "E2B_API_URL"),
            (|s| s.sandbox_url = Some("https://me:secret@host".into()), "E2B_SANDBOX_URL"),
            (|s| s.lifetime = Duration::from_secs(5), "5 s"),
            (|s| s.template = " ".into(), "template"),
        ] {
            let mut s = settings();
            change(&mut s);
            let fault = s.fault().unwrap();
            assert!(fault.contains(part) && !fault.contains("secret"), "{fault}");
        }
    }
}
