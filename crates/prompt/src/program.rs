//! Programs: steps of modules, one after the other, each asking a model by a signature.

use meliora_domain::{Fields, Value};

use crate::adapter::shown_value;
use crate::signature::{Field, names};
use crate::{Adapter, FieldType, PromptError, Signature, python};

/// A program of prompts.
#[derive(Clone, PartialEq, Debug)]
pub struct Program {
    /// How models are asked.
    pub adapter: Adapter,
    /// The steps in order. Inputs of a step are outputs of earlier ones, or the program's own.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Its name within the program.
    pub name: String,
    /// What it does with its signature.
    pub module: Module,
    /// What is asked.
    pub signature: Signature,
    /// Examples that a model is shown, each with some fields of the predictor.
    pub demos: Vec<Fields>,
    /// Examples for the second predictor of `react`, which draws the outputs from the trajectory.
    pub extract_demos: Vec<Fields>,
}

/// What a step does.
#[derive(Clone, PartialEq, Debug)]
pub enum Module {
    /// Asks once.
    Predict,
    /// Asks once, for the reasoning first.
    ChainOfThought,
    /// Uses tools in turns, then draws the outputs from what it saw.
    React {
        /// The tools.
        tools: Vec<Tool>,
        /// Most turns.
        turns: u32,
    },
}

/// A tool that a model may use.
#[derive(Clone, PartialEq, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its arguments, with their types.
    pub arguments: Vec<(String, FieldType)>,
    /// The Python file with a function of the tool's name, or a program that reads its arguments as JSON; it runs in a cage.
    pub file: String,
}

/// One call of a model within a step: a signature as the model sees it, and its demos.
#[derive(Clone, PartialEq, Debug)]
pub struct Predictor {
    /// Its name within the program: `answer`, `answer.predict`, `answer.react`, `answer.extract.predict`.
    pub name: String,
    /// The signature, with what the module adds to it.
    pub signature: Signature,
    /// Its demos.
    pub demos: Vec<Fields>,
}

/// The tool that ends a react step.
pub const FINISH: &str = "finish";

impl Program {
    /// A program of one prompt: its text is said as it stands, its answer is taken as it comes.
    pub fn plain(prompt: &str, inputs: &[&str]) -> Self {
        let inputs = inputs.iter().map(|name| Field::text(*name)).collect();
        let signature = Signature { instructions: prompt.to_owned(), inputs, outputs: vec![Field::text("output")] };
        Program { adapter: Adapter::Plain, steps: vec![Step::new("prompt", Module::Predict, signature)] }
    }

    /// A program of one step.
    pub fn of(step: Step) -> Self {
        Program { adapter: Adapter::Chat, steps: vec![step] }
    }

    /// Whether it can be run.
    ///
    /// # Errors
    /// If it has no step, two of one name, or a step without outputs.
    pub fn check(&self) -> Result<(), PromptError> {
        if self.steps.is_empty() {
            return Err(PromptError::new("the program has no step", "add [[steps]] with a signature"));
        }
        for (i, step) in self.steps.iter().enumerate() {
            step.signature.check()?;
            if self.steps[..i].iter().any(|earlier| earlier.name == step.name) {
                return Err(PromptError::new(
                    format!("two steps have the name '{}'", step.name),
                    "give each step a name of its own",
                ));
            }
            if self.adapter == Adapter::Plain && (step.module != Module::Predict || step.signature.outputs.len() != 1) {
                return Err(PromptError::new(
                    format!("the step '{}' is more than the adapter `plain` can say", step.name),
                    "plain prompts have the module `predict` and one output; leave `adapter` out for others",
                ));
            }
            if let Module::React { tools, .. } = &step.module
                && let Some(tool) = tools.iter().find(|t| t.name == FINISH || t.name.is_empty())
            {
                return Err(PromptError::new(
                    format!("a tool of the step '{}' has the name '{}'", step.name, tool.name),
                    "`finish` is there already, and a name may not be empty",
                ));
            }
        }
        Ok(())
    }

    /// The inputs that the program itself takes: those that no earlier step gives.
    pub fn inputs(&self) -> Vec<&Field> {
        let mut wanted: Vec<&Field> = Vec::new();
        for (i, step) in self.steps.iter().enumerate() {
            for field in &step.signature.inputs {
                let given = self.steps[..i].iter().any(|s| s.signature.outputs.iter().any(|f| f.name == field.name));
                if !given && !wanted.iter().any(|w| w.name == field.name) {
                    wanted.push(field);
                }
            }
        }
        wanted
    }

    /// The outputs of its last step.
    pub fn outputs(&self) -> &[Field] {
        self.steps.last().map(|step| step.signature.outputs.as_slice()).unwrap_or_default()
    }

    /// All that asks a model, in order.
    pub fn predictors(&self) -> Vec<Predictor> {
        self.steps.iter().flat_map(Step::predictors).collect()
    }

    /// The step of this name.
    pub fn step_mut(&mut self, name: &str) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.name == name)
    }
}

impl Step {
    /// Without demos.
    pub fn new(name: impl Into<String>, module: Module, signature: Signature) -> Self {
        Step { name: name.into(), module, signature, demos: Vec::new(), extract_demos: Vec::new() }
    }

    /// What asks a model in this step.
    pub fn predictors(&self) -> Vec<Predictor> {
        let of = |suffix: &str, signature: Signature, demos: &[Fields]| Predictor {
            name: format!("{}{suffix}", self.name),
            signature,
            demos: demos.to_vec(),
        };
        match &self.module {
            Module::Predict => vec![of("", self.signature.clone(), &self.demos)],
            Module::ChainOfThought => vec![of(".predict", reasoned(&self.signature), &self.demos)],
            Module::React { tools, .. } => vec![
                of(".react", acting(&self.signature, tools), &self.demos),
                of(".extract.predict", extracting(&self.signature), &self.extract_demos),
            ],
        }
    }
}

/// The trajectory of a react step, as a model reads it: thought, tool, arguments and observation of each turn.
pub fn trajectory(turns: &[Turn]) -> String {
    let mut parts = Vec::new();
    let told = Field::text("observation");
    for turn in turns {
        let i = turn.number;
        parts.push(format!("[[ ## thought_{i} ## ]]\n{}", turn.thought));
        parts.push(format!("[[ ## tool_name_{i} ## ]]\n{}", turn.tool));
        parts.push(format!("[[ ## tool_args_{i} ## ]]\n{}", python::text(&Value::Map(turn.arguments.clone()))));
        parts.push(format!("[[ ## observation_{i} ## ]]\n{}", shown_value(&told, &turn.observation)));
    }
    python::strip(&parts.join("\n\n")).to_owned()
}

/// One turn of a react step.
#[derive(Clone, PartialEq, Debug)]
pub struct Turn {
    /// Its number, from 0. Where the oldest are forgotten, the others keep theirs.
    pub number: usize,
    /// What the model thought.
    pub thought: String,
    /// The tool it chose.
    pub tool: String,
    /// With these arguments.
    pub arguments: Fields,
    /// What the tool said.
    pub observation: Value,
}

/// The signature with the reasoning asked for first.
fn reasoned(signature: &Signature) -> Signature {
    let mut signature = Signature { instructions: signature.instructions(), ..signature.clone() };
    signature.outputs.insert(0, Field::text("reasoning"));
    signature
}

fn extracting(signature: &Signature) -> Signature {
    let mut signature = Signature { instructions: signature.instructions(), ..signature.clone() };
    signature.inputs.push(Field::text("trajectory"));
    reasoned(&signature)
}

/// The signature of a turn: which tool, with which arguments (Yao et al., "ReAct", in the words of DSPy's `ReAct`).
fn acting(signature: &Signature, tools: &[Tool]) -> Signature {
    let outputs = names(&signature.outputs);
    let mut told = vec![
        format!("{}\n", signature.instructions()),
        format!(
            "You are an Agent. In each episode, you will be given the fields {} as input. And you can see your past trajectory so far.",
            names(&signature.inputs)
        ),
        format!(
            "Your goal is to use one or more of the supplied tools to collect any necessary information for producing {outputs}.\n"
        ),
        "To do this, you will interleave next_thought, next_tool_name, and next_tool_args in each turn, and also when finishing the task.".into(),
        "After each tool call, you receive a resulting observation, which gets appended to your trajectory.\n".into(),
        "When writing next_thought, you may reason about the current situation and plan for future steps.".into(),
        "When selecting the next_tool_name and its next_tool_args, the tool must be one of:\n".into(),
    ];
    let finish = Tool {
        name: FINISH.into(),
        description: format!(
            "Marks the task as complete. That is, signals that all information for producing the outputs, i.e. {outputs}, are now available to be extracted."
        ),
        arguments: Vec::new(),
        file: String::new(),
    };
    let all: Vec<&Tool> = tools.iter().chain([&finish]).collect();
    told.extend(all.iter().enumerate().map(|(i, tool)| format!("({}) {}", i + 1, told_of(tool))));
    told.push("When providing `next_tool_args`, the value inside the field must be in JSON format".into());
    let field = |name: &str, of_type| Field { of_type, ..Field::text(name) };
    let mut inputs = signature.inputs.clone();
    inputs.push(Field::text("trajectory"));
    let outputs = vec![
        Field::text("next_thought"),
        field("next_tool_name", FieldType::Literal(all.iter().map(|tool| Value::from(tool.name.as_str())).collect())),
        field("next_tool_args", FieldType::Dict(Some(Box::new(FieldType::Any)))),
    ];
    Signature { instructions: told.join("\n"), inputs, outputs }
}

fn told_of(tool: &Tool) -> String {
    let description = match tool.description.as_str() {
        "" => ".".to_owned(),
        text => format!(", whose description is <desc>{text}</desc>.").replace('\n', "  "),
    };
    let arguments: Fields = tool.arguments.iter().map(|(name, of)| (name.as_str(), of.schema())).collect();
    format!("{}{description} It takes arguments {}.", tool.name, python::repr(&Value::Map(arguments)))
}
