//! Drivers compiled ahead of time. A cage lives for milliseconds, and compiling a driver's text takes some of them.
//!
//! The interpreter that will run in the cages compiles the driver's own text, once a suite. Nothing of a subject or of
//! a suite is read. Where that fails the text itself is used, which does the same, only slower.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::work::environment;
use crate::{CageFile, Tool};

/// Reads a text, writes what `python NAME.pyc` runs: the magic number, twelve bytes that are not looked at (PEP 552),
/// the code without its docstrings.
const COMPILE: &str = "import marshal, sys
code = compile(sys.stdin.buffer.read(), sys.argv[1], 'exec', dont_inherit=True, optimize=2)
magic = sys.modules['_frozen_importlib_external'].MAGIC_NUMBER
sys.stdout.buffer.write(magic + bytes(12) + marshal.dumps(code))";

/// A driver of Python, as text and, where it could be, compiled.
#[derive(Debug)]
pub(crate) struct Driver {
    name: &'static str,
    text: &'static str,
    code: Option<Arc<[u8]>>,
}

impl Driver {
    /// Compiles a driver for this Python. `name` is its file's name without the suffix.
    pub(crate) fn compile(name: &'static str, text: &'static str, python: &Tool) -> Self {
        Driver { name, text, code: compiled(name, text, python) }
    }

    /// The file to put into a cage.
    pub(crate) fn file(&self) -> CageFile {
        let bytes = self.code.clone().unwrap_or_else(|| self.text.as_bytes().into());
        CageFile { path: self.path(), bytes, executable: false }
    }

    /// Where it lies there.
    pub(crate) fn path(&self) -> String {
        let suffix = if self.code.is_some() { "pyc" } else { "py" };
        format!("/work/driver/{}.{suffix}", self.name)
    }
}

fn compiled(name: &str, text: &str, python: &Tool) -> Option<Arc<[u8]>> {
    let mut child = Command::new(&python.program)
        .args(["-I", "-S", "-c", COMPILE])
        .arg(format!("/work/driver/{name}.py"))
        .env_clear()
        .envs(environment())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // The text is read whole before anything is written. A pipe that closes early shows in the exit code.
    child.stdin.take()?.write_all(text.as_bytes()).ok();
    let output = child.wait_with_output().ok()?;
    (output.status.success() && output.stdout.len() > 16).then(|| output.stdout.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(program: &str) -> Tool {
        Tool { program: program.into(), needs: Vec::new(), version: String::new(), modules: Vec::new() }
    }

    #[test]
    fn what_cannot_be_compiled_is_shipped_as_text() {
        for program in ["/nowhere/python3", "/bin/false", "/bin/true"] {
            let driver = Driver::compile("call", "pass", &python(program));
            assert_eq!((driver.path().as_str(), &*driver.file().bytes), ("/work/driver/call.py", b"pass".as_slice()));
        }
    }
}
