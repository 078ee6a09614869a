//! Programs as code.

use meliora_domain::{Fields, Value};

use super::{filled, role, template};
use crate::program::Tool;
use crate::signature::Field;
use crate::{Adapter, Module, Program, PromptError, Signature, Step, file, python as py};

/// A Python module: `build()` gives the program of DSPy, `adapter()` what it is said with; of a plain prompt,
/// `messages(…)` gives what is said.
pub(super) fn python(program: &Program, name: &str) -> Result<String, PromptError> {
    if program.adapter == Adapter::Plain {
        return Ok(plain(program, name));
    }
    if let [step] = program.steps.as_slice() {
        let mut body = format!("    module = {}\n", module(step, 1));
        body += &demos("module", step, 1);
        return Ok(head(program, name)
            + "def build():\n    \"\"\"The program, with its demos.\"\"\"\n"
            + &body
            + "    return module\n");
    }
    let mut out =
        head(program, name) + "class Program(dspy.Module):\n    def __init__(self):\n        super().__init__()\n";
    for step in &program.steps {
        if !is_name(&step.name) {
            return Err(PromptError::new(
                format!("the step '{}' has a name that Python does not allow", step.name),
                "give it one of letters, digits and underscores",
            ));
        }
        out += &format!("        self.{} = {}\n", step.name, module(step, 2));
        out += &demos(&format!("self.{}", step.name), step, 2);
    }
    out += "\n    def forward(self, **fields):\n";
    for step in &program.steps {
        let inputs: Vec<Value> = step.signature.inputs.iter().map(|f| Value::from(f.name.as_str())).collect();
        out += &format!(
            "        fields.update(self.{}(**_given(fields, {})).items())\n",
            step.name,
            py::repr(&Value::List(inputs))
        );
    }
    out += "        return dspy.Prediction(**fields)\n\n\n";
    out += "def _given(fields, names):\n    return {name: fields[name] for name in names if name in fields}\n\n\n";
    Ok(out + "def build():\n    \"\"\"The program, with its demos.\"\"\"\n    return Program()\n")
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_') && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn head(program: &Program, name: &str) -> String {
    let title = name.replace(['"', '\\'], "'");
    let adapter = if program.adapter == Adapter::Json { "JSONAdapter" } else { "ChatAdapter" };
    let tools = program.steps.iter().flat_map(|step| match &step.module {
        Module::React { tools, .. } => tools.as_slice(),
        _ => &[],
    });
    let imports: String = tools
        .map(|tool| {
            let from = tool.file.strip_suffix(".py").unwrap_or(&tool.file).replace('/', ".");
            format!("from {from} import {}\n", tool.name)
        })
        .collect();
    format!(
        "\"\"\"{title}. Needs DSPy: `dspy.configure(lm=dspy.LM(...), adapter=adapter())`, then `build()(...)`.\"\"\"\n\n\
         from typing import Any, Literal, Optional\n\nimport dspy\n{imports}\n\n\
         def adapter():\n    \"\"\"What the program is said with.\"\"\"\n    return dspy.{adapter}()\n\n\n"
    )
}

fn module(step: &Step, depth: usize) -> String {
    let signature = signature(&step.signature, depth + 1);
    let pad = "    ".repeat(depth + 1);
    let end = "    ".repeat(depth);
    match &step.module {
        Module::Predict => format!("dspy.Predict(\n{pad}{signature}\n{end})"),
        Module::ChainOfThought => format!("dspy.ChainOfThought(\n{pad}{signature}\n{end})"),
        Module::React { tools, turns } => {
            let tools: Vec<String> = tools.iter().map(tool).collect();
            format!(
                "dspy.ReAct(\n{pad}{signature},\n{pad}tools=[{}],\n{pad}max_iters={turns},\n{end})",
                tools.join(", ")
            )
        }
    }
}

fn tool(tool: &Tool) -> String {
    let arguments: Fields = tool.arguments.iter().map(|(name, of)| (name.as_str(), of.schema())).collect();
    format!(
        "dspy.Tool({0}, name={1}, desc={2}, args={3})",
        tool.name,
        py::repr(&Value::from(tool.name.as_str())),
        py::repr(&Value::from(tool.description.as_str())),
        py::repr(&Value::Map(arguments))
    )
}

fn signature(signature: &Signature, depth: usize) -> String {
    let (pad, end) = ("    ".repeat(depth + 1), "    ".repeat(depth));
    let field = |field: &Field, side: &str| {
        let described = if field.description.is_empty() {
            String::new()
        } else {
            format!("desc={}", py::repr(&Value::from(field.description.as_str())))
        };
        let name = py::repr(&Value::from(field.name.as_str()));
        format!("{pad}    {name}: ({}, dspy.{side}Field({described})),\n", field.of_type)
    };
    let inputs: String = signature.inputs.iter().map(|f| field(f, "Input")).collect();
    let outputs: String = signature.outputs.iter().map(|f| field(f, "Output")).collect();
    let instructions = match signature.instructions.as_str() {
        "" => String::new(),
        text => format!("{pad}{},\n", py::repr(&Value::from(text))),
    };
    format!("dspy.Signature(\n{pad}{{\n{inputs}{outputs}{pad}}},\n{instructions}{end})")
}

fn demos(of: &str, step: &Step, depth: usize) -> String {
    let pad = "    ".repeat(depth);
    let list = |attribute: &str, demos: &[Fields]| {
        if demos.is_empty() {
            return String::new();
        }
        let lines: String =
            demos.iter().map(|demo| format!("{pad}    {},\n", py::repr(&Value::Map(demo.clone())))).collect();
        format!("{pad}{of}{attribute}.demos = [\n{lines}{pad}]\n")
    };
    match step.module {
        Module::Predict => list("", &step.demos),
        Module::ChainOfThought => list(".predict", &step.demos),
        Module::React { .. } => list(".react", &step.demos) + &list(".extract.predict", &step.extract_demos),
    }
}

fn plain(program: &Program, name: &str) -> String {
    let title = name.replace(['"', '\\'], "'");
    let mut out = format!("\"\"\"{title}: what is said to a chat model.\"\"\"\n\n\n");
    for predictor in program.predictors() {
        let inputs: Vec<&str> = predictor.signature.inputs.iter().map(|f| f.name.as_str()).collect();
        out += &format!("def messages({}):\n    return [\n", inputs.join(", "));
        for message in template(program, &predictor) {
            let text = |text: &str| py::repr(&Value::from(text));
            let parts = filled(&message.content, text, |name| format!("str({name})"));
            let content = if parts.is_empty() { "''".to_owned() } else { parts.join(" + ") };
            out += &format!("        {{'role': '{}', 'content': {content}}},\n", role(&message));
        }
        out += "    ]\n";
    }
    out
}

/// A Rust module: `program()` gives the program, `messages(…)` what its first step says.
pub(super) fn rust(program: &Program, name: &str) -> String {
    let text = file::text(program, true);
    let hashes =
        "#".repeat(1 + text.split('"').skip(1).map(|s| s.len() - s.trim_start_matches('#').len()).max().unwrap_or(0));
    let mut tools: Vec<&str> = program
        .steps
        .iter()
        .flat_map(|step| match &step.module {
            Module::React { tools, .. } => tools.iter().map(|tool| tool.file.as_str()).collect(),
            _ => Vec::new(),
        })
        .collect();
    tools.dedup();
    let tools: String = tools.iter().map(|file| format!(", ({file:?}.to_owned(), String::new())")).collect();
    let title = name.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        r###"//! {title}. Needs the crates `meliora-domain` and `meliora-prompt`.

use meliora_domain::{{Fields, Message}};
use meliora_prompt::{{Files, Program, ProgramFile, PromptError}};

const PROGRAM: &str = r{hashes}"{text}"{hashes};

/// The program, with its demos.
pub fn program() -> Result<Program, PromptError> {{
    let files = Files::from([("program.toml".to_owned(), PROGRAM.to_owned()){tools}]);
    Ok(ProgramFile::read(&files, &[])?.program)
}}

/// What its first step says to the model.
pub fn messages(inputs: &Fields) -> Result<Vec<Message>, PromptError> {{
    let program = program()?;
    let asked = program.predictors().into_iter().take(1);
    Ok(asked.flat_map(|predictor| program.adapter.ask(&predictor, inputs)).collect())
}}
"###
    )
}
