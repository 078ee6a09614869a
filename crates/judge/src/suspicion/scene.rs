//! What rules ask of a text: which name stands for what, what is a test, what is a verdict.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::Finding;
use super::language::Language;
use super::tree::{Code, Id, Kind};

/// A text under suspicion.
pub(super) struct Scene<'c> {
    pub(super) code: &'c Code,
    /// Whether it is a file of tests.
    pub(super) tests: bool,
    lines: Vec<&'c str>,
    aliases: HashMap<String, String>,
    /// Names that are given a value once.
    values: HashMap<String, Id>,
    test_functions: HashSet<Id>,
    /// Steps that are left to whatever is being followed.
    steps: Cell<u32>,
}

/// So deep is followed what a name stands for,
const DEEPEST: usize = 16;
/// and in so many steps: a few short lines can stand for a text without end.
const STEPS: u32 = 4096;

/// What callers of a test framework pass their tests to.
const TEST_CALLS: &[&str] =
    &["it", "test", "describe", "suite", "specify", "beforeEach", "afterEach", "beforeAll", "afterAll", "context"];

impl<'c> Scene<'c> {
    pub(super) fn new(code: &'c Code, text: &'c str, path: &str) -> Self {
        let mut scene = Scene {
            code,
            tests: test_path(path),
            lines: text.lines().collect(),
            aliases: code.imports.iter().cloned().collect(),
            values: HashMap::new(),
            test_functions: HashSet::new(),
            steps: Cell::new(STEPS),
        };
        scene.values();
        scene.test_functions = code.ids().filter(|id| scene.is_test(*id)).collect();
        scene.tests |= !scene.test_functions.is_empty();
        scene
    }

    fn values(&mut self) {
        let code = self.code;
        let mut many = HashSet::new();
        for id in code.of(Kind::Assign) {
            let node = code.at(id);
            let (Some(target), Some(value)) = (node.a, node.b) else { continue };
            // `const { exit: e } = process`
            if code.is(target, Kind::Dict) {
                let from = self.path(value);
                for part in &code.at(target).children {
                    let part = code.at(*part);
                    let key = part.a.map_or(&part.op, |key| &code.at(key).op);
                    let name = part.b.map_or(&part.op, |name| &code.at(name).op);
                    if !from.is_empty() && !name.is_empty() {
                        self.aliases.insert(name.clone(), format!("{from}.{key}"));
                    }
                }
                continue;
            }
            if !code.is(target, Kind::Name) {
                continue;
            }
            let name = code.at(target).op.clone();
            let plain = matches!(node.op.as_str(), "" | "=" | ":=");
            if !plain || self.values.contains_key(&name) {
                many.insert(name);
                continue;
            }
            let path = self.path(value);
            // What is called is another thing than what it returns, but for modules.
            let module = !code.is(value, Kind::Call) || self.module_of(value).is_some();
            if module
                && (path.contains('.') || self.aliases.contains_key(&path) || code.is(value, Kind::Call))
                && !path.is_empty()
                && path != name
            {
                self.aliases.insert(name.clone(), path);
            }
            self.values.insert(name, value);
        }
        for name in many {
            self.values.remove(&name);
        }
    }

    /// What a name was given, if that was once.
    pub(super) fn value_of(&self, id: Id) -> Id {
        if self.code.is(id, Kind::Name) {
            return self.values.get(&self.code.at(id).op).copied().unwrap_or(id);
        }
        id
    }

    /// The module that a call imports.
    fn module_of(&self, id: Id) -> Option<String> {
        self.steps.set(STEPS);
        self.module_within(id, DEEPEST)
    }

    fn module_within(&self, id: Id, depth: usize) -> Option<String> {
        let node = self.code.at(id);
        if node.kind != Kind::Call {
            return None;
        }
        let callee = self.path_within(node.a?, depth);
        let imports = matches!(
            callee.as_str(),
            "__import__" | "importlib.import_module" | "import_module" | "require" | "import"
        );
        let text = || self.text_within(*node.kids.first()?, depth);
        imports.then(text).flatten().map(|m| m.trim_start_matches("node:").to_owned())
    }

    /// The dotted path that an expression stands for, through imports, aliases, `getattr` and the like; empty if none.
    pub(super) fn path(&self, id: Id) -> String {
        self.steps.set(STEPS);
        self.path_within(id, DEEPEST)
    }

    /// One level deeper, if there is anything left.
    fn deeper(&self, depth: usize) -> Option<usize> {
        self.steps.set(self.steps.get().checked_sub(1)?);
        depth.checked_sub(1)
    }

    /// A path may hold a text that is given by a path in turn, so not without end: `f = TABLE[f]()`.
    fn path_within(&self, id: Id, depth: usize) -> String {
        let Some(depth) = self.deeper(depth) else { return String::new() };
        let path = |id| self.path_within(id, depth);
        let text = |id| self.text_within(id, depth);
        let node = self.code.at(id);
        match node.kind {
            Kind::Name => self.aliases.get(&node.op).cloned().unwrap_or_else(|| node.op.clone()),
            Kind::Member => {
                let inner = node.a.map(path).unwrap_or_default();
                match inner.as_str() {
                    "" | "globalThis" | "window" | "global" | "builtins" | "__builtins__" => node.op.clone(),
                    _ => format!("{inner}.{}", node.op),
                }
            }
            Kind::Index => {
                let (Some(a), Some(b)) = (node.a, node.b) else { return String::new() };
                let Some(key) = text(b) else { return path(a) };
                let inner = path(a);
                match inner.as_str() {
                    "sys.modules" | "globals" | "globalThis" | "window" | "global" | "__builtins__" => key,
                    _ => format!("{}.{key}", inner.trim_end_matches(".__dict__")),
                }
            }
            Kind::Call => {
                if let Some(module) = self.module_within(id, depth) {
                    return module;
                }
                let Some(callee) = node.a.map(path) else { return String::new() };
                let second = node.kids.get(1).and_then(|k| text(*k));
                match (callee.as_str(), node.kids.first(), second) {
                    ("getattr" | "Reflect.get", Some(of), Some(name)) => format!("{}.{name}", path(*of)),
                    ("vars", Some(of), _) => path(*of),
                    ("globals" | "locals", None, _) => "globals".to_owned(),
                    _ => callee,
                }
            }
            _ => String::new(),
        }
    }

    /// What a call calls; empty for what is no call.
    pub(super) fn callee(&self, id: Id) -> String {
        let node = self.code.at(id);
        if node.kind == Kind::Call { node.a.map(|a| self.path(a)).unwrap_or_default() } else { String::new() }
    }

    /// The last word of what a call calls.
    pub(super) fn called(&self, id: Id) -> String {
        self.callee(id).rsplit('.').next().unwrap_or_default().to_owned()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = (Id, String)> {
        self.code.of(Kind::Call).map(|id| (id, self.callee(id)))
    }

    /// A text that is known without running anything.
    pub(super) fn text(&self, id: Id) -> Option<String> {
        self.steps.set(STEPS);
        self.text_within(id, DEEPEST)
    }

    /// A name may be given a value that is made of the name itself, so not without end.
    fn text_within(&self, id: Id, depth: usize) -> Option<String> {
        let depth = self.deeper(depth)?;
        let id = self.value_of(id);
        let node = self.code.at(id);
        match node.kind {
            Kind::Str => Some(node.op.clone()),
            Kind::Binary if matches!(node.op.as_str(), "+" | "/") => {
                let (a, b) = (self.text_within(node.a?, depth)?, self.text_within(node.b?, depth)?);
                Some(if node.op == "/" { format!("{a}/{b}") } else { a + &b })
            }
            // Path("a") / "b", os.path.join("a", "b"), "".join(["a", "b"])
            Kind::Call => {
                let callee = node.a.map(|a| self.path_within(a, depth)).unwrap_or_default();
                let name = callee.rsplit('.').next().unwrap_or_default();
                let texts =
                    |ids: &[Id]| ids.iter().map(|k| self.text_within(*k, depth)).collect::<Option<Vec<String>>>();
                match name {
                    "with_name" => self.text_within(*node.kids.first()?, depth),
                    "joinpath" => texts(&node.kids).map(|t| t.join("/")),
                    "Path" | "PurePath" | "new" | "from" | "str" if node.kids.len() == 1 => {
                        self.text_within(node.kids[0], depth)
                    }
                    "join" if callee.contains("path") => texts(&node.kids).map(|t| t.join("/")),
                    "join" => {
                        let list = self.code.at(*node.kids.first()?);
                        (list.kind == Kind::List).then(|| texts(&list.children)).flatten().map(|t| t.concat())
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// All texts that are beneath a node, whatever is done with them.
    pub(super) fn texts(&self, id: Id) -> Vec<String> {
        let mut out: Vec<String> = self.text(id).into_iter().collect();
        for inner in self.code.under(id) {
            let value = self.value_of(inner);
            if self.code.is(value, Kind::Str) {
                out.push(self.code.at(value).op.clone());
            }
        }
        out
    }

    fn is_test(&self, id: Id) -> bool {
        let node = self.code.at(id);
        match node.kind {
            Kind::Function => {
                let marked = node
                    .marks
                    .iter()
                    .any(|m| matches!(self.code.at(*m).op.as_str(), "#[test]" | "#[tokio::test]" | "#[rstest]"));
                let named = node.op.starts_with("test_")
                    || node.op == "test"
                    || (node.op.starts_with("test") && node.op.chars().nth(4).is_some_and(char::is_uppercase));
                marked || (named && self.code.language == Language::Python)
            }
            Kind::Lambda => {
                let up = node.parent;
                let call =
                    std::iter::once(up).chain(self.code.around(up).take(1)).find(|u| self.code.is(*u, Kind::Call));
                call.is_some_and(|call| {
                    let callee = self.callee(call);
                    let root = callee.split('.').next().unwrap_or_default();
                    TEST_CALLS.contains(&root) || matches!(root, "xit" | "xtest" | "xdescribe" | "fit" | "fdescribe")
                })
            }
            _ => false,
        }
    }

    /// Whether a function is a test.
    pub(super) fn test(&self, function: Id) -> bool {
        self.test_functions.contains(&function)
    }

    /// The test that a node is in.
    pub(super) fn test_around(&self, id: Id) -> Option<Id> {
        self.code.around(id).find(|up| self.test(*up))
    }

    /// Whether a node is in a test or what belongs to one: a fixture, a mock.
    pub(super) fn in_test(&self, id: Id) -> bool {
        self.test_around(id).is_some()
            || self.code.around(id).any(|up| {
                let node = self.code.at(up);
                node.marks.iter().any(|m| self.path(*m).contains("fixture"))
                    || (node.kind == Kind::Class && (node.op.starts_with("Test") || node.op == "tests"))
            })
    }

    /// Whether a node is where programs begin and end: `main`, a command, what runs as a script alone.
    pub(super) fn at_the_top(&self, id: Id) -> bool {
        self.code.around(id).any(|up| {
            let node = self.code.at(up);
            let name = self.code.name_of(up).to_lowercase();
            let function = matches!(node.kind, Kind::Function | Kind::Lambda);
            let command = node.marks.iter().any(|m| self.path(*m).contains("command"));
            let main = matches!(name.as_str(), "cli" | "usage" | "help" | "shutdown" | "version")
                || name.ends_with("main")
                || name.starts_with("main");
            let script = node.kind == Kind::If
                && node.a.is_some_and(|a| {
                    let parts = self.code.under(a);
                    let option = |n: &Id| self.code.is(*n, Kind::Str) && self.code.at(*n).op.starts_with('-');
                    parts.iter().any(|n| self.code.at(*n).op == "__name__")
                        || (parts.iter().any(option) && parts.iter().any(|n| self.path(*n).ends_with("argv")))
                });
            (function && (main || command || self.handles_signal(up))) || script
        })
    }

    fn handles_signal(&self, function: Id) -> bool {
        let params = self.code.params(function);
        let python = params.len() == 2
            && params.iter().any(|p| p.starts_with("sig"))
            && params.iter().any(|p| p.contains("frame") || p.starts_with('_'));
        let script = self.code.around(function).find(|up| self.code.is(*up, Kind::Call)).is_some_and(|call| {
            self.code.at(call).kids.first().and_then(|k| self.text(*k)).is_some_and(|t| t.starts_with("SIG"))
        });
        python || script || self.code.function(function).is_some_and(|outer| self.handles_signal(outer))
    }

    /// The first of these words that the names and texts beneath a node hold.
    pub(super) fn mentions(&self, id: Id, words: &[&str]) -> bool {
        self.code.under(id).into_iter().any(|n| {
            let node = self.code.at(n);
            matches!(node.kind, Kind::Name | Kind::Member | Kind::Str | Kind::Template | Kind::Keyword) && {
                let op = node.op.to_lowercase();
                words.iter().any(|w| op.contains(w))
            }
        })
    }

    /// The line that a node begins on, without its indentation.
    pub(super) fn line(&self, id: Id) -> &'c str {
        self.lines.get(self.code.at(id).line.saturating_sub(1)).map(|l| l.trim()).unwrap_or_default()
    }

    pub(super) fn found(&self, rule: &'static str, id: Id, words: impl Into<String>) -> Finding {
        let (line, excerpt) = (self.code.at(id).line, self.line(id));
        Finding { rule, file: String::new(), line, excerpt: excerpt.chars().take(120).collect(), words: words.into() }
    }
}

/// Whether a path is one of tests.
pub(super) fn test_path(path: &str) -> bool {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    name.starts_with("test_")
        || name.starts_with("conftest")
        || [".test.", ".spec.", "_test."].iter().any(|m| name.contains(m))
        || path.split('/').any(|part| matches!(part, "tests" | "test" | "__tests__" | "spec"))
}

/// Names of what gives a verdict: its value decides whether something passes.
pub(super) fn verdict(name: &str) -> bool {
    let words = words(name);
    let first = words.first().map(String::as_str).unwrap_or_default();
    matches!(
        first,
        "validate"
            | "verify"
            | "check"
            | "authenticate"
            | "authorize"
            | "grade"
            | "assess"
            | "judge"
            | "evaluate"
            | "score"
            | "reward"
            | "fitness"
            | "assert"
    ) || name.starts_with("is_valid")
        || name.starts_with("isValid")
        || matches!(
            words.last().map(String::as_str),
            Some("score" | "reward" | "fitness" | "verdict" | "valid" | "verified" | "passed")
        )
}

/// Names of what is the better the lower it is.
pub(super) fn error_measure(name: &str) -> bool {
    words(name).iter().any(|w| {
        matches!(
            w.as_str(),
            "error"
                | "errors"
                | "err"
                | "loss"
                | "cost"
                | "penalty"
                | "latency"
                | "mse"
                | "rmse"
                | "mae"
                | "distance"
                | "violations"
        )
    })
}

/// Whether a word is one of a list that blanks part.
pub(super) fn among(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|w| w == word)
}

/// Whether a name has a word of a list that blanks part.
pub(super) fn has_word(name: &str, list: &str) -> bool {
    words(name).iter().any(|word| among(list, word))
}

/// `parseHTMLPage_2` as `parse`, `html`, `page`, `2`, in small letters.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            out.push(String::new());
            small = false;
            continue;
        }
        if c.is_uppercase() && small {
            out.push(String::new());
        }
        small = c.is_lowercase() || c.is_numeric();
        match out.last_mut() {
            Some(last) => last.extend(c.to_lowercase()),
            None => out.push(c.to_lowercase().collect()),
        }
    }
    out.retain(|w| !w.is_empty());
    out
}
