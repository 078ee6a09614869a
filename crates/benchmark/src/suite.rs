//! A native suite, loaded: its settings, tasks, tools, and the hash of all that decides a mark.

use std::sync::Arc;

use meliora_domain::{Digest, Limits};

use crate::folder::{Files, error};
use crate::native::{self, Assignment, Key, Language, Settings, Task, ToolName};
use crate::{CageFile, SuiteError, SuiteSource, Tool, Toolbox};

/// Version of plans, frames and rules of comparison. A change of any of them is a new evaluator.
pub(crate) const FORMAT: &[u8] = b"meliora-suite-2";

/// A native suite.
#[derive(Clone, Debug)]
pub(crate) struct NativeSuite {
    pub(crate) settings: Settings,
    pub(crate) tasks: Vec<Task>,
    pub(crate) files: Files,
    pub(crate) limits: Limits,
    pub(crate) python: Option<Tool>,
    pub(crate) node: Option<Tool>,
    pub(crate) rustc: Option<Tool>,
    /// The language of the called functions; `None` in command-driven suites.
    pub(crate) language: Option<Language>,
}

impl NativeSuite {
    pub(crate) fn load(files: Files, source: &SuiteSource, tools: &Toolbox) -> Result<Self, SuiteError> {
        let (settings, tasks) = native::read(&files)?;
        let language = tasks.iter().find_map(Task::language);
        let checked = settings.fresh.is_some() || tasks.iter().any(|t| matches!(t.key, Key::Check { .. }));
        let listed = |tool| settings.work.as_ref().is_some_and(|w| w.tools.contains(&tool));
        let pick = |needed: bool, tool: &Option<Tool>, name: &str| match (needed, tool) {
            (false, _) => Ok(None),
            (true, Some(tool)) => Ok(Some(tool.clone())),
            (true, None) => Err(error(
                format!("the suite needs {name} and this machine has none"),
                format!("install {name}, or name it in the project's configuration"),
            )),
        };
        let script = matches!(language, Some(Language::JavaScript | Language::TypeScript));
        let python =
            pick(language == Some(Language::Python) || checked || listed(ToolName::Python), &tools.python, "python3")?;
        let node = pick(script || listed(ToolName::Node), &tools.node, "node")?;
        let rustc = pick(listed(ToolName::Rustc), &tools.rustc, "rustc")?;
        if let (Some(Language::TypeScript), Some(node)) = (language, &node)
            && version(&node.version) < (22, 6)
        {
            return Err(error(
                format!("the suite calls TypeScript, which Node.js {} does not run", node.version.trim()),
                "use Node.js 22.6 or newer, which strips the types, or describe a compiler in [work] of suite.toml",
            ));
        }
        let limits = source.limits.clone();
        let suite = NativeSuite { settings, tasks, files, limits, python, node, rustc, language };
        let NativeSuite { settings, tasks, files, .. } = &suite;
        if let Some(work) = &settings.work {
            for name in &work.files {
                if !files.contains_key(name) {
                    return Err(error(
                        format!("suite.toml: [work] names '{name}', which is not in the suite's folder"),
                        "give paths relative to the suite's folder",
                    ));
                }
                if suite.hidden().contains(name.as_str()) || is_checker(tasks, name) {
                    return Err(error(
                        format!("suite.toml: [work] would show '{name}' to the subject"),
                        "remove it from 'files': keys and checkers stay hidden",
                    ));
                }
            }
        }
        Ok(suite)
    }

    /// Hash of the folder's files, the drivers, the tools' versions, the limits and the format.
    pub(crate) fn digest(&self) -> Digest {
        let mut parts = Parts::new();
        parts.files(&self.files);
        for driver in [crate::work::CALL_PY, crate::work::CALL_MJS, crate::script::SCRIPT, crate::exam::EXAM_PY] {
            parts.add("driver", driver.as_bytes());
        }
        for tool in [&self.python, &self.node, &self.rustc].into_iter().flatten() {
            parts.add("tool", tool.version.as_bytes());
        }
        parts.limits(&self.limits);
        parts.digest()
    }

    /// The files, from the suite's folder, that command-driven subjects see.
    pub(crate) fn shown(&self) -> impl Iterator<Item = CageFile> {
        let names = self.settings.work.iter().flat_map(|w| &w.files);
        names.filter_map(|name| {
            let bytes = Arc::clone(self.files.get(name)?);
            Some(CageFile { path: format!("/work/suite/{name}"), bytes, executable: false })
        })
    }

    /// The call of a task, if it is one.
    pub(crate) fn is_call(&self) -> bool {
        self.tasks.first().is_some_and(|t| matches!(t.assignment, Assignment::Call { .. }))
    }
}

fn is_checker(tasks: &[Task], name: &str) -> bool {
    tasks.iter().any(|t| matches!(&t.key, Key::Check { program, .. } if program == name))
}

/// The two leading numbers of a version line: `v22.6.0` and `Python 3.11.7` alike.
pub(crate) fn version(line: &str) -> (u32, u32) {
    let mut numbers =
        line.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).map(|p| p.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Named parts of an evaluator's hash.
pub(crate) struct Parts(Vec<Vec<u8>>);

impl Parts {
    pub(crate) fn new() -> Self {
        Parts(vec![FORMAT.to_vec()])
    }

    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        self.0.push(name.as_bytes().to_vec());
        self.0.push(content.to_vec());
    }

    pub(crate) fn files(&mut self, files: &Files) {
        for (name, bytes) in files {
            self.add(&format!("file {name}"), bytes);
        }
    }

    pub(crate) fn limits(&mut self, limits: &Limits) {
        let limits = serde_json::to_vec(limits).expect("limits are plain numbers, which JSON can hold");
        self.add("limits", &limits);
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.0.iter().map(Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_from_any_line() {
        assert_eq!(version("v22.6.0"), (22, 6));
        assert_eq!(version("Python 3.11.7\n"), (3, 11));
        assert_eq!(version("rustc 1.90.0 (abc 2025-01-01)"), (1, 90));
        assert_eq!(version(""), (0, 0));
    }
}
