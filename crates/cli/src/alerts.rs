//! How people are told: on the terminal, by a command of their own, by a webhook; each with its retries.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use meliora_evolve::{Alert, Delivery, Herald};

use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long a command or a server may take for one try.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells people what the guardian saw.
pub struct Alerts<'a> {
    settings: &'a config::Alerts,
    project: &'a str,
    dir: &'a Path,
    terminal: &'a (dyn Fn(&Alert) + Sync),
    webhook: Option<String>,
}

/// Why one try did not arrive.
enum Trouble {
    /// It may arrive another time.
    Passing(String),
    /// It never will.
    Lasting(String),
}

impl<'a> Alerts<'a> {
    /// For a project's settings. `terminal` shows an alert to whoever looks on.
    ///
    /// # Errors
    /// Where the webhook's variable is not set or its address is none.
    pub fn new(
        settings: &'a config::Alerts,
        project: &'a str,
        dir: &'a Path,
        terminal: &'a (dyn Fn(&Alert) + Sync),
    ) -> Result<Self, Failure> {
        let webhook = match &settings.webhook_env {
            Some(name) => Some(address(name)?),
            None => None,
        };
        Ok(Alerts { settings, project, dir, terminal, webhook })
    }

    /// Tries, and tries again after a pause that doubles. The error is the last one.
    fn insist(&self, to: &str, once: impl Fn() -> Result<(), Trouble>) -> Delivery {
        let mut pause = Duration::from_secs_f64(self.settings.wait_seconds);
        let mut failed = None;
        for last in (0..=self.settings.retries).map(|n| n == self.settings.retries) {
            failed = match once() {
                Ok(()) => return Delivery { to: to.to_owned(), failed: None },
                Err(Trouble::Lasting(why)) => return Delivery { to: to.to_owned(), failed: Some(why) },
                Err(Trouble::Passing(why)) => Some(why),
            };
            if !last {
                std::thread::sleep(pause);
                pause = pause.saturating_mul(2);
            }
        }
        Delivery { to: to.to_owned(), failed }
    }

    /// Gives the alert to the command as JSON on its standard input.
    fn command(&self, alert: &Alert) -> Result<(), Trouble> {
        let passing = |why: String| Trouble::Passing(why);
        let [program, args @ ..] = self.settings.command.as_slice() else { return Ok(()) };
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| Trouble::Lasting(format!("the command does not start: {e}")))?;
        let text = serde_json::json!({ "rule": alert.rule, "message": alert.message, "project": self.project });
        // A command that reads nothing is none the worse for it.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = writeln!(stdin, "{text}");
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(passing(format!("the command ended with {status}"))),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                Ok(None) | Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(passing(format!("the command did not end within {} s", PATIENCE.as_secs())));
                }
            }
        }
    }

    /// Posts the alert as Slack and what understands Slack take it: `{"text": …}`.
    fn post(&self, address: &str, alert: &Alert) -> Result<(), Trouble> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let text = format!("meliora, {}: {}: {}", self.project, alert.rule, alert.message);
        // The address is a secret: whoever knows it can post. Errors are told without it.
        let sent = agent.post(address).send_json(serde_json::json!({ "text": text }));
        let status = sent.map_err(|e| Trouble::Passing(e.to_string().replace(address, "the address")))?.status();
        match status.as_u16() {
            200..=299 => Ok(()),
            code @ (408 | 429 | 500..) => Err(Trouble::Passing(format!("the server answered {code}"))),
            code => Err(Trouble::Lasting(format!("the server refused it with {code}"))),
        }
    }
}

impl Herald for Alerts<'_> {
    fn tell(&self, alert: &Alert) -> Vec<Delivery> {
        (self.terminal)(alert);
        let mut deliveries = vec![Delivery { to: "terminal".into(), failed: None }];
        if !self.settings.command.is_empty() {
            deliveries.push(self.insist("command", || self.command(alert)));
        }
        if let Some(address) = &self.webhook {
            deliveries.push(self.insist("webhook", || self.post(address, alert)));
        }
        deliveries
    }
}

/// The webhook's address, from the variable of this name.
fn address(name: &str) -> Result<String, Failure> {
    let bad = |what: String| {
        Failure::new(Exit::Configuration, what)
            .hint("set it to the address that your chat gives you, such as https://hooks.slack.com/services/…")
    };
    let address = std::env::var(name)
        .map_err(|_| bad(format!("[alerts] webhook_env names the variable {name}, which is not set")))?;
    let plain = address.starts_with("https://") || address.starts_with("http://");
    if !plain || address.parse::<ureq::http::Uri>().is_err() {
        return Err(bad(format!("the variable {name} holds no address that begins with https:// or http://")));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::net::TcpListener;

    fn alert() -> Alert {
        Alert { rule: "budget".into(), message: "9 of 10 tokens are spent".into() }
    }

    fn settings() -> config::Alerts {
        config::Alerts { wait_seconds: 0.01, retries: 2, ..config::Alerts::default() }
    }

    fn alerts<'a>(settings: &'a config::Alerts, dir: &'a Path, webhook: Option<String>) -> Alerts<'a> {
        Alerts { settings, project: "demo", dir, terminal: &|_| (), webhook }
    }

    /// A server that answers each request with the next of these codes, and what was posted to it.
    fn server(codes: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/secret", listener.local_addr().unwrap());
        let handle = std::thread::spawn(move || {
            let mut bodies = Vec::new();
            for code in codes {
                let mut stream = BufReader::new(listener.accept().unwrap().0);
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).unwrap() > 2 {
                    if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                bodies.push(String::from_utf8(body).unwrap());
                let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
            bodies
        });
        (address, handle)
    }

    fn delivered(to: &str, failed: Option<&str>) -> Delivery {
        Delivery { to: to.into(), failed: failed.map(str::to_owned) }
    }

    #[test]
    fn a_webhook_gets_the_text_as_slack_takes_it_also_when_the_server_fails_at_first() {
        let (settings, dir) = (settings(), tempfile::tempdir().unwrap());
        let (address, server) = server(&[500, 429, 200]);
        let told = alerts(&settings, dir.path(), Some(address)).tell(&alert());
        assert_eq!(told, [delivered("terminal", None), delivered("webhook", None)]);
        let bodies = server.join().unwrap();
        assert_eq!(bodies.len(), 3);
        let body: serde_json::Value = serde_json::from_str(&bodies[2]).unwrap();
        assert_eq!(body, serde_json::json!({ "text": "meliora, demo: budget: 9 of 10 tokens are spent" }));
    }

    #[test]
    fn a_webhook_that_refuses_is_not_asked_again_and_one_that_is_not_there_is_told_without_its_address() {
        let (settings, dir) = (settings(), tempfile::tempdir().unwrap());
        let (address, server) = server(&[404]);
        let told = alerts(&settings, dir.path(), Some(address.clone())).tell(&alert());
        assert_eq!(told[1], delivered("webhook", Some("the server refused it with 404")));
        assert_eq!(server.join().unwrap().len(), 1);
        let told = alerts(&settings, dir.path(), Some(address)).tell(&alert());
        let why = told[1].failed.as_ref().unwrap();
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn a_command_gets_the_alert_as_json_and_one_that_fails_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo x >> tries; cat > told; test $(wc -l < tries) -ge 3";
        let settings = config::Alerts { command: ["sh", "-c", script].map(str::to_owned).to_vec(), ..settings() };
        let told = alerts(&settings, dir.path(), None).tell(&alert());
        assert_eq!(told[1], delivered("command", None));
        let text = std::fs::read_to_string(dir.path().join("told")).unwrap();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected =
            serde_json::json!({ "rule": "budget", "message": "9 of 10 tokens are spent", "project": "demo" });
        assert_eq!(said, expected);
        let settings = config::Alerts { command: vec!["false".into()], ..settings };
        let told = alerts(&settings, dir.path(), None).tell(&alert());
        assert!(told[1].failed.as_ref().unwrap().contains("exit status: 1"), "{told:?}");
        let settings = config::Alerts { command: vec!["/nonexistent/program".into()], ..settings };
        let told = alerts(&settings, dir.path(), None).tell(&alert());
        assert!(told[1].failed.as_ref().unwrap().contains("does not start"), "{told:?}");
    }
}
