//! Tools of programs of prompts: one call in a cage that holds the genome and nothing of the suite.

use meliora_domain::{Fields, FileBody, Finished, Genome, GenomePath, Kind, Split, TaskId, Value};

use super::PromptSuite;
use crate::frame::head;
use crate::json::Json;
use crate::native::{Assignment, Key, Language, Settings, Task};
use crate::suite::NativeSuite;
use crate::{Job, Order, Scope};

/// What calls the tool.
const DRIVER: &str = include_str!("../../drivers/tool.py");
/// Where it lies in the genome's folder.
const PLACE: &str = "meliora_calls_a_tool.py";
/// Seconds that one call may take.
const SECONDS: f64 = 10.0;
/// Longest observation, in characters: a trajectory is read again in each turn.
const LONGEST: usize = 8000;

/// One call of a tool, and what a cage must do for it.
#[derive(Debug)]
pub struct ToolWork {
    /// The job.
    pub job: Job,
    suite: NativeSuite,
}

impl PromptSuite {
    /// A call of the function `name` in the genome's `file`, or of the program `file`.
    ///
    /// # Errors
    /// Says what is missing, where no cage could run it.
    pub fn tool_work(
        &self,
        genome: &Genome,
        (file, name): (&str, &str),
        arguments: &Fields,
        order: &Order<'_>,
    ) -> Result<ToolWork, String> {
        let Some(python) = self.tools.clone() else {
            return Err("tools need python3, and this machine has none".into());
        };
        let place = GenomePath::new(PLACE).map_err(|e| e.to_string())?;
        let genome = genome.clone().with(place, FileBody::new(DRIVER.as_bytes(), false));
        let text = |text: &str| Json::Text(text.to_owned());
        let arguments = Json::Text(Value::Map(arguments.clone()).to_string());
        let inputs = vec![Json::List(vec![text(file), text(name), arguments])];
        let suite = NativeSuite {
            settings: Settings { kind: Kind::Exact, seconds: SECONDS, partial: false, fresh: None, work: None },
            tasks: vec![Task {
                id: TaskId(name.to_owned()),
                split: Split::Validation,
                assignment: Assignment::Call { file: PLACE.into(), function: "call".into(), inputs },
                key: Key::Stdout(String::new()),
                impossible: false,
            }],
            files: Default::default(),
            limits: self.native.limits.clone(),
            python: Some(python),
            node: None,
            rustc: None,
            language: Some(Language::Python),
        };
        let scope = Scope { splits: &[Split::Validation], seed: order.scope.seed, ..Scope::default() };
        let job = suite.work(&genome, &Order { scope, nonce: order.nonce });
        Ok(ToolWork { job, suite })
    }
}

impl ToolWork {
    /// What the tool gave; `Err` says how it failed, in words for the model.
    pub fn returned(&self, finished: &Finished) -> Result<Value, String> {
        let value = self.suite.returned(&self.job, finished)?;
        match serde_json::from_str(&value.text()) {
            Ok(Value::Text(text)) => Ok(Value::Text(head(&text, LONGEST))),
            Ok(value) if value.to_string().len() > LONGEST => Ok(Value::Text(head(&value.to_string(), LONGEST))),
            Ok(value) => Ok(value),
            Err(e) => Err(format!("it returned what cannot be read: {e}")),
        }
    }
}
