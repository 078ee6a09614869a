//! QEMU's own control line, as far as a snapshot needs it (QEMU Machine Protocol).

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use meliora_evolve::SandboxError;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde_json::{Value, json};

use crate::plan::failed;

/// How long one answer, and how long a whole snapshot, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The line.
pub(crate) struct Monitor {
    reads: BufReader<UnixStream>,
    writes: UnixStream,
}

impl Monitor {
    /// Waits for the greeting, and answers it.
    ///
    /// # Errors
    /// If it does not come, or is none.
    pub(crate) fn greet(stream: UnixStream) -> Result<Self, SandboxError> {
        let failure = |error: std::io::Error| failed("control line of QEMU", error);
        stream.set_read_timeout(Some(PATIENCE)).map_err(failure)?;
        let writes = stream.try_clone().map_err(failure)?;
        let mut monitor = Monitor { reads: BufReader::new(stream), writes };
        monitor.line()?;
        monitor.ask("qmp_capabilities", &json!({}))?;
        // Memory is not part of the state: it is a file of its own.
        let capability = json!({"capability": "x-ignore-shared", "state": true});
        monitor.ask("migrate-set-capabilities", &json!({"capabilities": [capability]}))?;
        Ok(monitor)
    }

    fn line(&mut self) -> Result<Value, SandboxError> {
        let mut line = String::new();
        let read = self.reads.read_line(&mut line).map_err(|error| failed("control line of QEMU", error))?;
        if read == 0 {
            return Err(failed("control line of QEMU", "it ended"));
        }
        serde_json::from_str(&line).map_err(|error| failed("control line of QEMU", error))
    }

    fn answer(&mut self, what: &str) -> Result<Value, SandboxError> {
        loop {
            let mut line = self.line()?;
            if let Some(error) = line.get("error") {
                return Err(failed(format!("QEMU's {what}"), error));
            }
            // Events come in between.
            if let Some(answer) = line.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }

    fn ask(&mut self, what: &str, arguments: &Value) -> Result<Value, SandboxError> {
        let text = format!("{}\n", json!({"execute": what, "arguments": arguments}));
        self.writes.write_all(text.as_bytes()).map_err(|error| failed("control line of QEMU", error))?;
        self.answer(what)
    }

    /// Hands QEMU a file under a name.
    fn hand_over(&mut self, name: &str, file: &OwnedFd) -> Result<(), SandboxError> {
        let text = format!("{}\n", json!({"execute": "getfd", "arguments": {"fdname": name}}));
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut room);
        let fds = [file.as_fd()];
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        rustix::net::sendmsg(&self.writes, &[IoSlice::new(text.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)
            .map_err(|errno| failed("control line of QEMU", errno))?;
        self.answer("getfd").map(drop)
    }

    /// Has the machine go on from the state in a descriptor that QEMU inherited.
    ///
    /// # Errors
    /// QEMU's own reason, as far as it is known at once.
    pub(crate) fn go_on(mut self, state: &OwnedFd) -> Result<(), SandboxError> {
        self.ask("migrate-incoming", &json!({"uri": format!("fd:{}", state.as_raw_fd())})).map(drop)
    }

    /// Stops the machine, writes the state of its devices to a file, and ends QEMU. Its memory stays where it is.
    ///
    /// # Errors
    /// QEMU's own reason.
    pub(crate) fn snapshot(mut self, state: &OwnedFd) -> Result<(), SandboxError> {
        // Not stopped before: as it was then, so it would be afterwards.
        self.hand_over("state", state)?;
        self.ask("migrate", &json!({"uri": "fd:state"}))?;
        let start = Instant::now();
        loop {
            let told = self.ask("query-migrate", &json!({}))?;
            match told.get("status").and_then(Value::as_str) {
                Some("completed") => break,
                Some("failed" | "cancelled") => return Err(failed("snapshot of the machine", told)),
                _ if start.elapsed() > PATIENCE => return Err(failed("snapshot of the machine", "it takes too long")),
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        self.ask("quit", &json!({})).map(drop)
    }
}
