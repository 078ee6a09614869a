//! The native format: `suite.toml` and `tasks.jsonl`, read strictly.
//!
//! `suite.toml`: `kind` (`"exact"` or `"sample"`), `seconds` a task may take (2), `partial` (whether a task gives the
//! fraction of its inputs that are right, else all or nothing), `fresh` (a program that prints validation tasks with new
//! inputs, as lines of `tasks.jsonl`; it reads `{"seed": N}`), and for programs instead of functions `[work]` with
//! `files` that the subject sees, a `build` and a `run` command, the `tools` they need and whether there is a `canary`.
//!
//! `tasks.jsonl`: one task a line, blank lines and those that begin with `#` or `//` aside:
//!
//! ```text
//! {"id": "add/1", "split": "train", "assignment": {"call": {"file": "a.py", "function": "add"}, "inputs": [[1, 2]]}, "key": {"expect": [3]}}
//! {"id": "sum/1", "split": "validation", "assignment": {"stdin": "5 3\n"}, "key": {"stdout": "8\n"}}
//! {"id": "any/1", "split": "holdout", "assignment": {"call": {"file": "a.py", "function": "f"}, "inputs": [[]]}, "key": {"check": "check.py", "data": 7}}
//! ```
//!
//! Each input is a list of arguments, called on a copy of its own. In Python, each task has a process of its own; in
//! JavaScript, modules of its own in a thread that it shares with tasks that left nothing behind. When two tasks of one
//! function have run out of time in an examination, its other tasks are not run and count as timed out as well.
//! Tuples and iterators count as lists; sets, NaN, infinity, halves of surrogate pairs and other objects are no results.
//!
//! A Python subject holds the inputs of the task it runs and of tasks before it, train tasks first, so that it cannot
//! pass on a deciding task's inputs as the answer of a train task. JavaScript threads and commands could read those of
//! the whole examination, for the cage holds them. Answer keys are in none of these cages. A checker reads one JSON object (`inputs` or `stdin`, `outputs`, `data`) and prints `{"score": 0..1, "detail": "…"}`.

use std::collections::BTreeMap;

use meliora_domain::{Kind, Split, TaskId};
use serde::Deserialize;

use crate::SuiteError;
use crate::folder::{Files, error};
use crate::json::Json;

/// What `suite.toml` says.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    #[serde(default = "two_seconds")]
    pub(crate) seconds: f64,
    #[serde(default)]
    pub(crate) partial: bool,
    /// The program of the suite's folder that makes validation tasks anew, with other inputs.
    pub(crate) fresh: Option<String>,
    pub(crate) work: Option<CommandWork>,
}

/// How a command-driven suite builds and runs the subject.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandWork {
    /// Files of the suite's folder that the subject sees.
    #[serde(default)]
    pub(crate) files: Vec<String>,
    /// Build command; empty if nothing is to be built.
    #[serde(default)]
    pub(crate) build: Vec<String>,
    /// Run command, once a task.
    pub(crate) run: Vec<String>,
    /// Tools that the commands need.
    #[serde(default)]
    pub(crate) tools: Vec<ToolName>,
    /// Whether the run command is the suite's own and says, as its last line, the first one that it read.
    #[serde(default)]
    pub(crate) canary: bool,
}

/// A tool by name.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolName {
    Python,
    Node,
    Rustc,
}

fn two_seconds() -> f64 {
    2.0
}

/// One task, with its key.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) split: Split,
    pub(crate) assignment: Assignment,
    pub(crate) key: Key,
    /// Whether its key contradicts its assignment, so that only a cheat passes it. Its mark counts for nothing.
    pub(crate) impossible: bool,
}

/// What the subject sees of a task.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Assignment {
    /// Call a function of a genome file, once with each list of arguments.
    Call { file: String, function: String, inputs: Vec<Json> },
    /// Run the suite's command with this standard input.
    Stdin(String),
}

/// What it never sees.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Key {
    /// The results, in the order of the inputs.
    Expect { values: Vec<Json>, tolerance: Option<f64> },
    /// The standard output, trailing white space aside.
    Stdout(String),
    /// The suite's own program decides.
    Check { program: String, data: Json },
}

/// Reads both files of a native suite.
pub(crate) fn read(files: &Files) -> Result<(Settings, Vec<Task>), SuiteError> {
    let settings = settings(text(files, "suite.toml")?)?;
    if let Some(name) = settings.fresh.as_ref().filter(|name| !name.ends_with(".py") || !files.contains_key(*name)) {
        return Err(error(
            format!("suite.toml: 'fresh' names '{name}', which is no .py file of the suite's folder"),
            "give the program that prints tasks with new inputs",
        ));
    }
    let tasks = tasks(text(files, "tasks.jsonl")?, settings.work.is_some(), files)?;
    Ok((settings, tasks))
}

fn text<'a>(files: &'a Files, name: &str) -> Result<&'a str, SuiteError> {
    let bytes = files.get(name).ok_or_else(|| {
        error(format!("the suite has no file '{name}'"), "a suite's folder holds suite.toml and tasks.jsonl")
    })?;
    std::str::from_utf8(bytes).map_err(|_| error(format!("'{name}' is not UTF-8 text"), "save the file as UTF-8"))
}

fn settings(text: &str) -> Result<Settings, SuiteError> {
    let settings: Settings = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        error(
            format!("suite.toml:{line}: {}", e.message()),
            "its keys are kind (\"exact\" or \"sample\", required), seconds, partial, fresh and [work] with files, build, run and tools",
        )
    })?;
    if !(settings.seconds > 0.0 && settings.seconds <= 3600.0) {
        return Err(error(
            "suite.toml: 'seconds' is not between 0 and 3600",
            "give the seconds that one task may take",
        ));
    }
    if settings.work.as_ref().is_some_and(|w| w.run.is_empty()) {
        return Err(error("suite.toml: 'run' in [work] is empty", "give the program and its arguments"));
    }
    Ok(settings)
}

pub(crate) fn tasks(text: &str, command: bool, files: &Files) -> Result<Vec<Task>, SuiteError> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut seen = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        let task =
            task(line, command, files).map_err(|(what, hint)| error(format!("tasks.jsonl:{number}: {what}"), hint))?;
        if let Some(first) = seen.insert(task.id.clone(), number) {
            return Err(error(
                format!("tasks.jsonl:{number}: the id '{}' stands in line {first} already", task.id),
                "give each task an id of its own",
            ));
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        return Err(error("tasks.jsonl holds no task", "write one task a line, as JSON"));
    }
    if !tasks.iter().any(|t| t.split == Split::Validation && !t.impossible) {
        return Err(error(
            "tasks.jsonl holds no validation task",
            "give some tasks \"split\": \"validation\"; they decide",
        ));
    }
    let languages: std::collections::BTreeSet<_> = tasks.iter().filter_map(Task::language).collect();
    if languages.len() > 1 {
        return Err(error("tasks.jsonl calls functions of more than one language", "make one suite for each language"));
    }
    Ok(tasks)
}

/// The language of a called function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Language {
    Python,
    JavaScript,
    TypeScript,
}

impl Language {
    fn of(file: &str) -> Option<Self> {
        match file.rsplit_once('.')?.1 {
            "py" => Some(Language::Python),
            "js" | "mjs" | "cjs" => Some(Language::JavaScript),
            "ts" | "mts" | "cts" => Some(Language::TypeScript),
            _ => None,
        }
    }
}

impl Task {
    /// The language of the function it calls.
    pub(crate) fn language(&self) -> Option<Language> {
        match &self.assignment {
            Assignment::Call { file, .. } => Language::of(file),
            Assignment::Stdin(_) => None,
        }
    }

    /// The genome's file that holds the function it calls.
    pub(crate) fn called(&self) -> Option<&str> {
        match &self.assignment {
            Assignment::Call { file, .. } => Some(file),
            Assignment::Stdin(_) => None,
        }
    }
}

type Wrong = (String, String);

fn wrong<T>(what: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err((what.into(), hint.into()))
}

/// The fields of an object, taken one by one, so that what is left over is known to be unknown.
struct Fields {
    name: &'static str,
    left: BTreeMap<String, Json>,
}

impl Fields {
    fn of(name: &'static str, value: Json) -> Result<Self, Wrong> {
        match value {
            Json::Map(left) => Ok(Fields { name, left }),
            other => wrong(format!("{name} is {}, not an object", other.kind()), "see the page on writing a suite"),
        }
    }

    fn maybe(&mut self, key: &str) -> Option<Json> {
        self.left.remove(key)
    }

    fn need(&mut self, key: &str) -> Result<Json, Wrong> {
        match self.maybe(key) {
            Some(value) => Ok(value),
            None => wrong(format!("{} has no '{key}'", self.name), "see the page on writing a suite"),
        }
    }

    fn text(&mut self, key: &str) -> Result<String, Wrong> {
        match self.need(key)? {
            Json::Text(text) => Ok(text),
            other => {
                wrong(format!("'{key}' of {} is {}, not a text", self.name, other.kind()), "put it in double quotes")
            }
        }
    }

    fn list(&mut self, key: &str) -> Result<Vec<Json>, Wrong> {
        match self.need(key)? {
            Json::List(items) => Ok(items),
            other => wrong(format!("'{key}' of {} is {}, not a list", self.name, other.kind()), "put it in [ ]"),
        }
    }

    fn done(self) -> Result<(), Wrong> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => wrong(format!("{} has an unknown key '{key}'", self.name), "check its spelling, or remove it"),
        }
    }
}

fn task(line: &str, command: bool, files: &Files) -> Result<Task, Wrong> {
    let value = Json::read(line).map_err(|why| (format!("this is no JSON: {why}"), "one task a line".to_owned()))?;
    let mut fields = Fields::of("the task", value)?;
    let id = fields.text("id")?;
    if id.is_empty() || id.len() > 200 || id.chars().any(char::is_control) {
        return wrong("'id' is empty, longer than 200 bytes or has control characters", "give the task a short name");
    }
    let split = match fields.text("split")?.as_str() {
        "train" => Split::Train,
        "validation" => Split::Validation,
        "holdout" => Split::Holdout,
        other => return wrong(format!("'{other}' is no split"), "use train, validation or holdout"),
    };
    let assignment = assignment(Fields::of("the assignment", fields.need("assignment")?)?, command)?;
    let key = key(Fields::of("the key", fields.need("key")?)?, &assignment, files)?;
    let impossible = match fields.maybe("impossible") {
        None => false,
        Some(Json::Bool(flag)) => flag,
        Some(other) => {
            return wrong(format!("'impossible' is {}, not true or false", other.kind()), "true, or leave it out");
        }
    };
    fields.done()?;
    if impossible && split == Split::Train {
        return wrong("a train task is impossible, and proposers would be led by it", "make it a validation task");
    }
    Ok(Task { id: TaskId(id), split, assignment, key, impossible })
}

fn assignment(mut fields: Fields, command: bool) -> Result<Assignment, Wrong> {
    if let Some(call) = fields.maybe("call") {
        if command {
            return wrong(
                "the suite has [work] and the task calls a function",
                "give the task a 'stdin', or remove [work]",
            );
        }
        let mut call = Fields::of("'call'", call)?;
        let (file, function) = (call.text("file")?, call.text("function")?);
        call.done()?;
        if let Err(why) = meliora_domain::GenomePath::new(&file) {
            return wrong(why.to_string(), "give the file's path relative to the genome's root");
        }
        if Language::of(&file).is_none() {
            return wrong(
                format!("functions of '{file}' cannot be called"),
                "call functions of .py, .js, .mjs or .cjs files, or describe a command in [work] of suite.toml",
            );
        }
        if function.is_empty() {
            return wrong("'function' is empty", "name the function to call");
        }
        let inputs = fields.list("inputs")?;
        fields.done()?;
        if inputs.is_empty() {
            return wrong("'inputs' is empty", "give at least one list of arguments");
        }
        if let Some(other) = inputs.iter().find(|i| !matches!(i, Json::List(_))) {
            return wrong(
                format!("an input is {}, not a list of arguments", other.kind()),
                "write [[1, 2]] to call f(1, 2) once",
            );
        }
        return Ok(Assignment::Call { file, function, inputs });
    }
    if !command {
        return wrong("the assignment has no 'call'", "name a file and a function, or add [work] to suite.toml");
    }
    let stdin = fields.text("stdin")?;
    fields.done()?;
    Ok(Assignment::Stdin(stdin))
}

fn key(mut fields: Fields, assignment: &Assignment, files: &Files) -> Result<Key, Wrong> {
    if fields.left.contains_key("check") {
        let program = fields.text("check")?;
        let data = fields.maybe("data").unwrap_or(Json::Null);
        fields.done()?;
        if !program.ends_with(".py") {
            return wrong(format!("the checker '{program}' is no .py file"), "write the checker in Python");
        }
        if !files.contains_key(&program) {
            return wrong(format!("there is no checker '{program}' in the suite's folder"), "check the file's name");
        }
        return Ok(Key::Check { program, data });
    }
    match assignment {
        Assignment::Call { inputs, .. } => {
            let values = fields.list("expect")?;
            let tolerance = match fields.maybe("tolerance") {
                None => None,
                Some(number @ (Json::Int(_) | Json::Float(_))) => Some(crate::json::float(&number)),
                Some(other) => return wrong(format!("'tolerance' is {}, not a number", other.kind()), "such as 1e-6"),
            };
            fields.done()?;
            if tolerance.is_some_and(|t| !(t.is_finite() && t >= 0.0)) {
                return wrong("'tolerance' is negative or too large", "such as 1e-6");
            }
            if values.len() != inputs.len() {
                return wrong(
                    format!("there are {} inputs and {} expected results", inputs.len(), values.len()),
                    "give one expected result for each input",
                );
            }
            Ok(Key::Expect { values, tolerance })
        }
        Assignment::Stdin(_) => {
            let stdout = fields.text("stdout")?;
            fields.done()?;
            Ok(Key::Stdout(stdout))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, jsonl: &str) -> Result<(Settings, Vec<Task>), SuiteError> {
        let mut files = Files::new();
        files.insert("suite.toml".into(), toml.as_bytes().into());
        files.insert("tasks.jsonl".into(), jsonl.as_bytes().into());
        files.insert("check.py".into(), b"".as_slice().into());
        read(&files)
    }

    const GOOD: &str = r#"{"id":"a","split":"validation","assignment":{"call":{"file":"a.py","function":"f"},"inputs":[[1]]},"key":{"expect":[2]}}"#;

    #[test]
    fn a_suite_with_comments_and_blank_lines_is_read() {
        let (settings, tasks) = check("kind = \"exact\"", &format!("# one\n\n// two\n  {GOOD}\n")).unwrap();
        assert_eq!((settings.seconds, settings.partial, tasks.len()), (2.0, false, 1));
    }

    #[test]
    fn mistakes_in_suite_toml_are_named_with_their_line() {
        for (toml, what) in [
            ("", "kind"),
            ("kind = \"exakt\"", "suite.toml:1: unknown variant"),
            ("kind = \"exact\"\nsecond = 2", "suite.toml:2: unknown field `second`"),
            ("kind = \"exact\"\nseconds = \"2\"", "suite.toml:2: invalid type"),
            ("kind = \"exact\"\nseconds = 0", "between 0 and 3600"),
            ("kind = \"exact\"\nseconds = nan", "between 0 and 3600"),
            ("kind = \"exact\"\n[work]\nrun = []", "is empty"),
            ("kind = \"exact\"\n[work]\nrun = [\"a\"]\ntools = [\"perl\"]", "unknown variant `perl`"),
        ] {
            let e = check(toml, GOOD).unwrap_err();
            assert!(e.what.contains(what) && e.hint.is_some(), "{toml:?}: {e}");
        }
    }

    #[test]
    fn mistakes_in_tasks_are_named_with_their_line() {
        for (from, to, what) in [
            (r#""id":"a""#, r#""id":"""#, "'id' is empty"),
            (r#""id":"a","#, "", "has no 'id'"),
            (r#""id":"a""#, r#""id":7"#, "'id' of the task is a number, not a text"),
            (r#""split":"validation""#, r#""split":"test""#, "'test' is no split"),
            (r#""split""#, r#""splitt""#, "has no 'split'"),
            (r#""key":{"#, r#""weight":1,"key":{"#, "unknown key 'weight'"),
            ("[[1]]", "[1]", "an input is a number"),
            ("[[1]]", "[]", "'inputs' is empty"),
            ("[[1]]", "[[1],[2]]", "there are 2 inputs and 1 expected results"),
            ("[2]", "2", "'expect' of the key is a number, not a list"),
            (r#""expect":[2]"#, r#""expect":[2],"tolerance":-1"#, "'tolerance'"),
            (r#""expect":[2]"#, r#""expect":[2],"tolerance":"x""#, "'tolerance'"),
            (r#""expect":[2]"#, r#""stdout":"2""#, "has no 'expect'"),
            (r#""expect":[2]"#, r#""check":"none.py""#, "there is no checker 'none.py'"),
            (r#""expect":[2]"#, r#""check":"check.py","date":1"#, "unknown key 'date'"),
            ("a.py", "../a.py", "not a path inside the genome"),
            ("a.py", "a.rb", "cannot be called"),
            (r#""function":"f""#, r#""function":"""#, "'function' is empty"),
            (r#"{"call":{"file":"a.py","function":"f"},"inputs":[[1]]}"#, r#"{"stdin":"1"}"#, "has no 'call'"),
            ("{\"id\"", "{id", "this is no JSON"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let e = check("kind = \"exact\"", &format!("\n{}", GOOD.replacen(from, to, 1))).unwrap_err();
            assert!(e.what.starts_with("tasks.jsonl:2: ") && e.what.contains(what), "{to:?}: {e}");
            assert!(e.hint.is_some());
        }
    }

    #[test]
    fn a_suite_that_cannot_decide_is_refused() {
        for (jsonl, what) in [
            (String::new(), "holds no task"),
            (GOOD.replace("validation", "train"), "no validation task"),
            (format!("{GOOD}\n{GOOD}"), "tasks.jsonl:2: the id 'a' stands in line 1 already"),
            (format!("{GOOD}\n{}", GOOD.replace("a.py", "a.js").replace("\"a\"", "\"b\"")), "more than one language"),
        ] {
            assert!(check("kind = \"exact\"", &jsonl).unwrap_err().what.contains(what), "{what}");
        }
        assert!(read(&Files::new()).unwrap_err().what.contains("no file 'suite.toml'"));
    }
}
