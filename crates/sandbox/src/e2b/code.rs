//! The code interpreter: code that is run in an interpreter which remembers what ran before.

use std::collections::BTreeMap;
use std::io::Read;

use meliora_evolve::{CageSpec, SandboxError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::plan::failed;

use super::inside::Inside;
use super::trouble::Trouble;
use super::wire::Lines;
use super::{E2b, EXECUTION};

/// What an execution of code left.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Execution {
    /// How many executions this interpreter has had, with this one; 0 if it did not say.
    pub count: u64,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// What was shown, by kind of content: `text`, `png` (base64), `html`, `json`, …; the value of the last expression
    /// is among them.
    pub results: Vec<BTreeMap<String, Value>>,
    /// The exception that ended it, if one did.
    pub error: Option<ExecutionError>,
}

/// An exception in the code.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ExecutionError {
    /// Its class.
    pub name: String,
    /// Its text.
    pub value: String,
    /// Where it came from.
    pub traceback: String,
}

/// Reads one line into what is known so far. `true` at the end of the execution.
fn read(execution: &mut Execution, line: &[u8]) -> Result<bool, String> {
    let mut message: BTreeMap<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("a line that cannot be read: {error}"))?;
    let text = |message: &BTreeMap<String, Value>| match message.get("text") {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let kind = match message.remove("type") {
        Some(Value::String(kind)) => kind,
        _ => return Err("a line without a type".into()),
    };
    match kind.as_str() {
        "stdout" => execution.stdout.push_str(&text(&message)),
        "stderr" => execution.stderr.push_str(&text(&message)),
        "result" => {
            message.retain(|_, value| !value.is_null());
            execution.results.push(message);
        }
        "error" => {
            let fields = message.into_iter().filter(|(_, value)| !value.is_null()).collect();
            let error = serde_json::from_value(Value::Object(fields));
            execution.error = Some(error.map_err(|error| format!("an exception that cannot be read: {error}"))?);
        }
        "number_of_executions" => {
            execution.count = message.get("execution_count").and_then(Value::as_u64).unwrap_or(0);
        }
        "end_of_execution" => return Ok(true),
        // Newer services say more.
        _ => {}
    }
    Ok(false)
}

fn execute(inside: &Inside, code: &str, limit: u64) -> Result<Execution, Trouble> {
    let body = json!({"code": code, "context_id": null, "language": null, "env_vars": null});
    let mut answer = inside.interpret("/execute", &body, EXECUTION)?;
    let mut execution = Execution::default();
    let mut lines = Lines::default();
    let mut bytes = vec![0; 64 << 10];
    let mut taken = 0;
    loop {
        while let Some(line) = lines.next().map_err(Trouble::Broken)? {
            if read(&mut execution, &line).map_err(Trouble::Broken)? {
                return Ok(execution);
            }
        }
        match answer.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => lines.push(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(inside.http.read_failure(&error)),
        }
        taken += bytes.len() as u64;
        if taken > limit {
            return Err(Trouble::Large(limit));
        }
    }
    // The last line may lack its end, and some services say nothing at the end of an execution.
    if let Some(line) = lines.finish() {
        read(&mut execution, &line).map_err(Trouble::Broken)?;
    }
    if execution == Execution::default() {
        return Err(Trouble::Broken("the code interpreter said nothing".into()));
    }
    Ok(execution)
}

impl E2b {
    /// Runs pieces of code one after another in the interpreter of one fresh sandbox of the template, which must have
    /// one (`code-interpreter-v1` has), and ends the sandbox. Stops after the first piece that ends in an exception.
    ///
    /// # Errors
    /// As [`meliora_evolve::Sandbox::open`], or that the template has no interpreter. An exception in the code is none.
    pub fn run_code(&self, pieces: &[&str]) -> Result<Vec<Execution>, SandboxError> {
        let spec = CageSpec::manual();
        let cage = self.start(&spec)?;
        let mut done = Vec::new();
        for piece in pieces {
            let execution =
                execute(&cage.0.inside, piece, 256 << 20).map_err(|trouble| trouble.told("code interpreter"))?;
            let failed = execution.error.is_some();
            done.push(execution);
            if failed {
                break;
            }
        }
        if done.is_empty() && !pieces.is_empty() {
            return Err(failed("code interpreter", "nothing was run"));
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_execution_is_put_together_from_its_lines() {
        let mut execution = Execution::default();
        let lines = [
            r#"{"type":"number_of_executions","execution_count":3}"#,
            r#"{"type":"stdout","text":"a","timestamp":1795403206926797392}"#,
            r#"{"type":"stderr","text":"b"}"#,
            r#"{"type":"stdout","text":"c"}"#,
            r#"{"type":"result","text":"42","png":null,"is_main_result":true}"#,
            r#"{"type":"from_the_future","x":[]}"#,
            r#"{"type":"error","name":"E","value":"v","traceback":null}"#,
        ];
        for line in lines {
            assert_eq!(read(&mut execution, line.as_bytes()), Ok(false), "{line}");
        }
        assert_eq!(read(&mut execution, br#"{"type":"end_of_execution"}"#), Ok(true));
        assert_eq!((execution.count, execution.stdout.as_str(), execution.stderr.as_str()), (3, "ac", "b"));
        assert_eq!(execution.results[0].get("text"), Some(&json!("42")));
        assert!(!execution.results[0].contains_key("png"), "{:?}", execution.results);
        assert_eq!(execution.error.unwrap().name, "E");
    }

    proptest! {
        #[test]
        fn no_line_upsets_the_reader(line in r#"(\{"type":"(stdout|result|error|number_of_executions|x)"(,"(text|name|value|execution_count)":("a"|7|null|\[\])){0,3}\}|.{0,40})"#) {
            read(&mut Execution::default(), line.as_bytes()).ok();
        }
    }
}
