//! A react step: turns of a thought, a tool and what it said, then the outputs are drawn from them (Yao et al. 2022, "ReAct",
//! arXiv 2210.03629, in the form of DSPy's `ReAct`). Tools run where [`Hands`] says, never in this process.

use meliora_domain::{Call, Fields, MarkStatus, Value};
use meliora_prompt::{Adapter, FINISH, Predictor, Tool, Turn, trajectory};

use super::{Sitting, Student, Trouble};
use crate::port::SandboxError;

/// Who runs the tools of a program.
pub trait Hands: Sync {
    /// What a tool says to these arguments; or how it failed, in words for the model.
    ///
    /// # Errors
    /// When a cage cannot be had or breaks.
    fn use_tool(&self, tool: &Tool, arguments: &Fields) -> Result<Result<Value, String>, SandboxError>;
}

/// How often the oldest turn is forgotten where the trajectory is longer than the context (DSPy: three tries in all).
const FORGETS: usize = 2;

impl Student<'_> {
    /// Runs the step. A turn whose answer names no tool ends the trajectory, and the outputs are drawn from what there is.
    pub(super) fn react(
        &self,
        adapter: Adapter,
        (act, extract): (&Predictor, &Predictor),
        (tools, most): (&[Tool], u32),
        known: &Fields,
        at: Sitting<'_>,
        trace: &mut Vec<Call>,
    ) -> Result<Fields, Trouble> {
        let mut turns: Vec<Turn> = Vec::new();
        for number in 0..most {
            let chosen = match self.after(adapter, act, &mut turns, known, at, trace) {
                Ok(chosen) => chosen,
                Err(Trouble::Mark(MarkStatus::Garbled | MarkStatus::OverLimit, _)) => break,
                Err(trouble) => return Err(trouble),
            };
            let text = |name: &str| chosen.get(name).map(meliora_prompt::shown).unwrap_or_default();
            let (thought, name) = (text("next_thought"), text("next_tool_name"));
            let arguments = match chosen.get("next_tool_args") {
                Some(Value::Map(fields)) => fields.clone(),
                _ => Fields::new(),
            };
            let observation = match tools.iter().find(|tool| tool.name == name) {
                _ if name == FINISH => Value::from("Completed."),
                Some(tool) => {
                    let said = match fitted(tool, &arguments) {
                        Ok(fitted) => at.hands.use_tool(tool, &fitted).map_err(Trouble::Cage)?,
                        Err(why) => Err(why),
                    };
                    said.unwrap_or_else(|why| Value::Text(format!("Execution error in {name}: {why}")))
                }
                // The type of the field lets no other name through.
                None => Value::Text(format!("Execution error in {name}: there is no such tool")),
            };
            let done = name == FINISH;
            turns.push(Turn { number: number as usize, thought, tool: name, arguments, observation });
            if done {
                break;
            }
        }
        self.after(adapter, extract, &mut turns, known, at, trace)
    }

    /// What a predictor says after these turns; the oldest are forgotten where all are too many.
    fn after(
        &self,
        adapter: Adapter,
        predictor: &Predictor,
        turns: &mut Vec<Turn>,
        known: &Fields,
        at: Sitting<'_>,
        trace: &mut Vec<Call>,
    ) -> Result<Fields, Trouble> {
        let mut forgets = FORGETS;
        loop {
            let mut inputs = known.clone();
            inputs.set("trajectory", Value::Text(trajectory(turns)));
            match self.predict(adapter, predictor, &inputs, at, trace) {
                Err(Trouble::Mark(MarkStatus::OverLimit, _)) if turns.len() > 1 && forgets > 0 => {
                    turns.remove(0);
                    forgets -= 1;
                }
                other => return other,
            }
        }
    }
}

/// The arguments as the tool's types have them; `Err` says what does not fit.
fn fitted(tool: &Tool, arguments: &Fields) -> Result<Fields, String> {
    let mut fitted = Fields::new();
    for (name, value) in arguments.iter() {
        let Some((_, of)) = tool.arguments.iter().find(|(known, _)| known == name) else {
            return Err(format!("ValueError: Arg {name} is not in the tool's args."));
        };
        let value = of.fit(value.clone()).map_err(|why| format!("ValueError: Arg {name} is invalid: {why}"))?;
        fitted.set(name, value);
    }
    Ok(fitted)
}
