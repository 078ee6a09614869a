//! Programs as files: `program.toml` or `program.yaml`, with instructions in files of their own where wanted, or one plain
//! text that is the whole prompt.

use std::collections::BTreeMap;

use meliora_domain::{Fields, Value};
use serde::{Deserialize, Serialize};

use crate::{Adapter, FieldType, Module, Program, PromptError, Signature, Step, Tool};

/// Files by path, as text.
pub type Files = BTreeMap<String, String>;

/// Names under which a program is looked for.
const NAMES: [&str; 3] = ["program.toml", "program.yaml", "program.yml"];
/// Turns of a react step that does not say how many.
const TURNS: u32 = 8;

/// A program and where its parts are kept.
#[derive(Clone, PartialEq, Debug)]
pub struct ProgramFile {
    /// The program.
    pub program: Program,
    /// The file that it stands in.
    path: String,
    /// The files that hold instructions, by step.
    instructions: Vec<Option<String>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default, skip_serializing_if = "is_chat")]
    adapter: Adapter,
    #[serde(default)]
    steps: Vec<RawStep>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    name: String,
    #[serde(default, skip_serializing_if = "is_predict")]
    module: RawModule,
    signature: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    instructions: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instructions_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_turns: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    descriptions: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tools: Vec<RawTool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    demos: Vec<Fields>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extract_demos: Vec<Fields>,
}

#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawModule {
    #[default]
    Predict,
    ChainOfThought,
    React,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTool {
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// `x: int, y: str`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    arguments: String,
    file: String,
}

fn is_chat(adapter: &Adapter) -> bool {
    *adapter == Adapter::Chat
}

fn is_predict(module: &RawModule) -> bool {
    *module == RawModule::Predict
}

impl ProgramFile {
    /// Finds and reads the program among files. `columns` are the inputs that a plain prompt is given.
    ///
    /// # Errors
    /// If there is none or more than one, or it cannot be read; the message names the file.
    pub fn read(files: &Files, columns: &[&str]) -> Result<Self, PromptError> {
        let named: Vec<&str> = NAMES.into_iter().filter(|name| files.contains_key(*name)).collect();
        match named.as_slice() {
            [] => ProgramFile::plain(files, columns),
            [only] => ProgramFile::parse(only, &files[*only], files),
            several => {
                Err(PromptError::new(format!("there are several programs: {}", several.join(", ")), "keep one of them"))
            }
        }
    }

    fn plain(files: &Files, columns: &[&str]) -> Result<Self, PromptError> {
        let texts: Vec<&String> =
            files.keys().filter(|path| [".txt", ".md", ".prompt"].iter().any(|end| path.ends_with(end))).collect();
        match texts.as_slice() {
            [only] => {
                let program = Program::plain(files[*only].trim_end(), columns);
                Ok(ProgramFile { program, path: (*only).clone(), instructions: vec![None] })
            }
            [] => Err(PromptError::new(
                "the genome holds no prompt",
                "add program.toml, or one prompt as .txt or .md, to the files that are editable",
            )),
            several => Err(PromptError::new(
                format!("the genome holds {} texts and no program that says what each is for", several.len()),
                "add program.toml, whose steps name them with `instructions_file`",
            )),
        }
    }

    fn parse(path: &str, text: &str, files: &Files) -> Result<Self, PromptError> {
        let raw = raw(path, text)?;
        let mut steps = Vec::new();
        for step in &raw.steps {
            steps.push(step.read(files).map_err(|e| PromptError::new(format!("{path}: {}", e.what), e.hint))?);
        }
        let program = Program { adapter: raw.adapter, steps };
        program.check().map_err(|e| PromptError::new(format!("{path}: {}", e.what), e.hint))?;
        let instructions = raw.steps.into_iter().map(|step| step.instructions_file).collect();
        Ok(ProgramFile { program, path: path.to_owned(), instructions })
    }

    /// Whether it is one plain text, which has no place for demos.
    pub fn is_plain(&self) -> bool {
        !NAMES.contains(&self.path.as_str())
    }

    /// The files of another program in this one's place, as far as they differ from those that are there.
    pub fn write(&self, program: &Program, files: &Files) -> Files {
        let mut written = Files::new();
        if self.is_plain() {
            let prompt = program.steps.first().map(|step| step.signature.instructions.as_str()).unwrap_or_default();
            written.insert(self.path.clone(), format!("{}\n", prompt.trim_end()));
        } else {
            let new = Raw::of(program, &self.instructions);
            for (step, file) in program.steps.iter().zip(&self.instructions) {
                if let Some(file) = file {
                    written.insert(file.clone(), format!("{}\n", step.signature.instructions.trim_end()));
                }
            }
            // What says the same stays as the user wrote it, with its comments.
            let same = files.get(&self.path).and_then(|text| raw(&self.path, text).ok()).is_some_and(|old| old == new);
            if !same {
                written.insert(self.path.clone(), new.text(self.path.ends_with(".toml")));
            }
        }
        written.retain(|path, text| files.get(path) != Some(text));
        written
    }
}

fn raw(path: &str, text: &str) -> Result<Raw, PromptError> {
    let hint = "its keys are adapter and [[steps]] with name, module, signature, instructions or instructions_file, \
                max_turns, descriptions, tools, demos";
    if path.ends_with(".toml") {
        return toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            PromptError::new(format!("{path}:{line}: {}", e.message()), hint)
        });
    }
    serde_saphyr::from_str(text).map_err(|e| PromptError::new(format!("{path}: {e}"), hint))
}

impl RawStep {
    fn read(&self, files: &Files) -> Result<Step, PromptError> {
        let mut signature = Signature::read(&self.signature)?;
        signature.instructions = match (&self.instructions_file, self.instructions.as_str()) {
            (None, text) => text.to_owned(),
            (Some(file), "") => match files.get(file) {
                Some(text) => text.trim_end().to_owned(),
                None => {
                    return Err(PromptError::new(
                        format!(
                            "the step '{}' has its instructions in '{file}', which is not in the genome",
                            self.name
                        ),
                        "give the path relative to the genome's root; the file must be editable",
                    ));
                }
            },
            (Some(_), _) => {
                return Err(PromptError::new(
                    format!("the step '{}' has both instructions and a file of them", self.name),
                    "keep one",
                ));
            }
        };
        for (name, text) in &self.descriptions {
            let signature_text = signature.to_string();
            let field = signature.field_mut(name).ok_or_else(|| {
                PromptError::new(
                    format!("the step '{}' describes '{name}', which its signature does not have", self.name),
                    format!("the signature is `{signature_text}`"),
                )
            })?;
            field.description.clone_from(text);
        }
        let module = match self.module {
            RawModule::Predict => Module::Predict,
            RawModule::ChainOfThought => Module::ChainOfThought,
            RawModule::React => Module::React { tools: self.tools(files)?, turns: self.max_turns.unwrap_or(TURNS) },
        };
        if !self.tools.is_empty() && self.module != RawModule::React {
            return Err(PromptError::new(
                format!("the step '{}' has tools, which its module does not use", self.name),
                "set module = \"react\"",
            ));
        }
        let demos = self.demos.clone();
        Ok(Step { name: self.name.clone(), module, signature, demos, extract_demos: self.extract_demos.clone() })
    }

    fn tools(&self, files: &Files) -> Result<Vec<Tool>, PromptError> {
        let read = |raw: &RawTool| {
            if !files.contains_key(&raw.file) {
                return Err(PromptError::new(
                    format!("the tool '{}' is in '{}', which is not in the genome", raw.name, raw.file),
                    "give the path of a Python file relative to the genome's root; the file must be editable",
                ));
            }
            // The arguments are written as inputs are.
            let arguments = Signature::read(&format!("{} -> _", raw.arguments))?.inputs;
            let arguments: Vec<(String, FieldType)> = arguments.into_iter().map(|f| (f.name, f.of_type)).collect();
            Ok(Tool { name: raw.name.clone(), description: raw.description.clone(), arguments, file: raw.file.clone() })
        };
        self.tools.iter().map(read).collect()
    }
}

impl Raw {
    fn of(program: &Program, instructions: &[Option<String>]) -> Raw {
        let step = |(i, step): (usize, &Step)| {
            let file = instructions.get(i).cloned().flatten();
            let (module, tools, max_turns) = match &step.module {
                Module::Predict => (RawModule::Predict, &[][..], None),
                Module::ChainOfThought => (RawModule::ChainOfThought, &[][..], None),
                Module::React { tools, turns } => {
                    (RawModule::React, tools.as_slice(), Some(*turns).filter(|t| *t != TURNS))
                }
            };
            let described = step.signature.fields().filter(|f| !f.description.is_empty());
            RawStep {
                name: step.name.clone(),
                module,
                signature: step.signature.to_string(),
                instructions: if file.is_none() { step.signature.instructions.clone() } else { String::new() },
                instructions_file: file,
                max_turns,
                descriptions: described.map(|f| (f.name.clone(), f.description.clone())).collect(),
                tools: tools.iter().map(RawTool::of).collect(),
                demos: step.demos.iter().map(without_nothing).collect(),
                extract_demos: step.extract_demos.iter().map(without_nothing).collect(),
            }
        };
        Raw { adapter: program.adapter, steps: program.steps.iter().enumerate().map(step).collect() }
    }

    fn text(&self, toml: bool) -> String {
        if toml {
            return toml::to_string_pretty(self).expect("texts, numbers and lists without nothing have a TOML form");
        }
        let json = serde_json::to_string(self).expect("strings and numbers always have a JSON form");
        let value: Value = serde_json::from_str(&json).expect("what was just written");
        let mut out = String::new();
        yaml(&value, 0, &mut out);
        out
    }
}

impl RawTool {
    fn of(tool: &Tool) -> RawTool {
        let arguments: Vec<String> = tool.arguments.iter().map(|(name, of)| format!("{name}: {of}")).collect();
        RawTool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            arguments: arguments.join(", "),
            file: tool.file.clone(),
        }
    }
}

/// TOML has no word for nothing, and a demo that lacks a field says the same.
fn without_nothing(demo: &Fields) -> Fields {
    demo.iter().filter(|(_, value)| **value != Value::Null).map(|(name, value)| (name, bare(value))).collect()
}

fn bare(value: &Value) -> Value {
    match value {
        Value::Map(fields) => Value::Map(without_nothing(fields)),
        Value::List(items) => Value::List(items.iter().filter(|v| **v != Value::Null).map(bare).collect()),
        other => other.clone(),
    }
}

/// Block YAML of maps and lists; texts in double quotes, as in JSON, or as a block where they have lines.
fn yaml(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Map(fields) => {
            for (name, value) in fields.iter() {
                out.push_str(&format!("{indent}{}:", Value::from(name)));
                yaml_inside(value, depth, out);
            }
        }
        Value::List(items) => {
            for item in items {
                out.push_str(&format!("{indent}-"));
                yaml_inside(item, depth, out);
            }
        }
        scalar => out.push_str(&format!("{indent}{scalar}\n")),
    }
}

fn yaml_inside(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Map(fields) if !fields.is_empty() => {
            out.push('\n');
            yaml(value, depth + 1, out);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            yaml(value, depth + 1, out);
        }
        Value::Text(text) if as_block(text) => {
            out.push_str(" |-\n");
            for line in text.split('\n') {
                let indent = if line.is_empty() { String::new() } else { "  ".repeat(depth + 1) };
                out.push_str(&format!("{indent}{line}\n"));
            }
        }
        scalar => out.push_str(&format!(" {scalar}\n")),
    }
}

/// Whether a block of YAML holds exactly this text.
fn as_block(text: &str) -> bool {
    let plain = |c: char| {
        c == '\n'
            || (c >= ' ' && c != '\u{7f}' && !matches!(c, '\u{80}'..='\u{9f}' | '\u{feff}' | '\u{2028}' | '\u{2029}'))
    };
    text.contains('\n')
        && !text.ends_with('\n')
        && !text.starts_with([' ', '\n'])
        && text.chars().all(plain)
        && text.split('\n').all(|line| line.trim_end() == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
# Kept as long as nothing else in here changes.
[[steps]]
name = "find"
signature = "code -> problem"
instructions_file = "find.md"

[[steps]]
name = "fix"
module = "chain_of_thought"
signature = "code, problem -> fixed, lines: list[int]"
instructions = "Fix it."
descriptions = { code = "Python" }

[[steps.demos]]
code = "x = = 1"
problem = "two signs"
fixed = "x = 1"
lines = [1]
"#;

    fn files() -> Files {
        Files::from([("program.toml".into(), TOML.into()), ("find.md".into(), "Find the bug.\n".into())])
    }

    #[test]
    fn a_program_is_read_and_a_change_is_written_where_it_belongs() {
        let files = files();
        let file = ProgramFile::read(&files, &[]).unwrap();
        let inputs: Vec<&str> = file.program.inputs().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(inputs, ["code"]);
        assert_eq!(file.write(&file.program, &files), Files::new(), "nothing changed");

        let mut program = file.program.clone();
        program.steps[0].signature.instructions = "Find the first bug.".into();
        let written = file.write(&program, &files);
        assert_eq!(written, Files::from([("find.md".into(), "Find the first bug.\n".into())]));

        program.steps[1].demos.clear();
        let written = file.write(&program, &files);
        let mut after = files.clone();
        after.extend(written);
        assert_eq!(ProgramFile::read(&after, &[]).unwrap().program, program);
    }

    #[test]
    fn a_program_in_yaml_is_written_as_yaml_and_read_again() {
        let mut program = ProgramFile::read(&files(), &[]).unwrap().program;
        program.steps[1].signature.instructions = "One: \"quoted\"\n\n  - two # no comment\nthree".into();
        program.steps[0].demos.push(Fields::from_iter([
            ("code", Value::from("a\nb ")),
            (
                "problem",
                Value::Map(Fields::from_iter([("k", Value::List(vec![Value::Float(1.5), Value::Bool(true)]))])),
            ),
        ]));
        let yaml = Files::from([("program.yaml".into(), "steps: [{name: a, signature: a -> b}]".into())]);
        let file = ProgramFile::read(&yaml, &[]).unwrap();
        let written = file.write(&program, &yaml);
        let again = ProgramFile::read(&written, &[]).unwrap();
        assert_eq!(again.program, program, "{}", written["program.yaml"]);
    }

    #[test]
    fn one_plain_text_is_a_prompt() {
        let files = Files::from([("prompt.txt".into(), "Fix the Python code bug.\n".into())]);
        let file = ProgramFile::read(&files, &["input"]).unwrap();
        assert!(file.is_plain());
        let mut program = file.program.clone();
        program.steps[0].signature.instructions = "Better.".into();
        assert_eq!(file.write(&program, &files)["prompt.txt"], "Better.\n");
    }

    #[test]
    fn mistakes_are_named_with_their_file() {
        for (path, text, what) in [
            ("program.toml", "[[steps]]\nname = 'a'\nsignature = 'a -> b'\ndemo = 1", "program.toml:4: unknown field"),
            ("program.toml", "[[steps]]\nname = 'a'\nsignature = 'a'", "program.toml: the signature"),
            ("program.toml", "", "no step"),
            (
                "program.toml",
                "[[steps]]\nname = 'a'\nsignature = 'a -> b'\ninstructions_file = 'x'",
                "not in the genome",
            ),
            ("program.toml", "[[steps]]\nname = 'a'\nsignature = 'a -> b'\ndescriptions = {c = 'x'}", "describes 'c'"),
            ("program.yaml", "steps: 1", "program.yaml"),
            ("a.py", "", "holds no prompt"),
        ] {
            let error = ProgramFile::read(&Files::from([(path.into(), text.into())]), &[]).unwrap_err();
            assert!(error.what.contains(what), "{what}: {error}");
        }
        let two = Files::from([("a.txt".into(), String::new()), ("b.md".into(), String::new())]);
        assert!(ProgramFile::read(&two, &[]).unwrap_err().what.contains("2 texts"));
    }
}
