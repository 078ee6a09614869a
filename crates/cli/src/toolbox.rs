//! Finds the interpreters and compilers that cages are to see.

use std::path::{Path, PathBuf};
use std::process::Command;

use meliora_benchmark::{PythonStart, Tool, Toolbox};
use meliora_evolve::{CageSpec, Command as CageCommand, Sandbox, run_to_end};
use meliora_sandbox::WarmPython;

use crate::exit::Exit;
use crate::failure::Failure;

/// What a Python tells of itself: program, version, folders it needs, folders of installed modules. The version, which is part
/// of the evaluator's hash, names what is installed there: the folders of metadata have each distribution's name and version
/// (PEP 376, PEP 427); that is the second line, the interpreter's own version the first.
const ASK_PYTHON: &str = r#"
import hashlib, json, os, sys, sysconfig
modules = [p for p in dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")] + [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]) if os.path.isdir(p)]
c = sysconfig.get_config_var
places = [c("LIBDIR"), os.path.join(c("LIBDIR") or "", c("MULTIARCH") or ""), os.path.join(sys.base_prefix, "lib")]
libraries = [os.path.join(d, n) for d in places if d for n in (c("INSTSONAME"), c("LDLIBRARY")) if n and ".so" in n]
base = getattr(sys, "_base_executable", None) or sys.executable
installed = sorted({n for m in modules for n in os.listdir(m) if n.endswith((".dist-info", ".egg-info"))})
version = "%s\n%d distributions %s" % (sys.version.replace("\n", " "), len(installed), hashlib.sha256("\n".join(installed).encode()).hexdigest()[:16])
print(json.dumps({"program": os.path.realpath(base), "version": version,
                  "prefixes": [sys.base_prefix, sys.prefix, sys.base_exec_prefix], "modules": modules,
                  "library": next((os.path.realpath(p) for p in libraries if os.path.isfile(p)), None)}))
"#;

#[derive(serde::Deserialize)]
struct PythonAnswer {
    program: PathBuf,
    version: String,
    prefixes: Vec<PathBuf>,
    modules: Vec<PathBuf>,
    library: Option<PathBuf>,
}

/// What examinations import most: all of it costs an interpreter tens of milliseconds, and a warm one nothing.
const COMMON_MODULES: &[&str] = &[
    "select",
    "math",
    "time",
    "types",
    "enum",
    "abc",
    "io",
    "os",
    "random",
    "collections",
    "collections.abc",
    "itertools",
    "functools",
    "operator",
    "heapq",
    "bisect",
    "string",
    "copy",
    "json",
    "re",
    "traceback",
    "contextlib",
    "importlib",
    "importlib.util",
    "typing",
    "dataclasses",
    "gc",
    "mmap",
    "_json",
    "fcntl",
    "_ctypes",
    "_socket",
    "binascii",
    "resource",
    "builtins",
    "warnings",
    "threading",
];

/// The Python that the sandbox is to have ready: that of the box, started as the suite's drivers are.
pub fn warm(tools: &Toolbox) -> Option<WarmPython> {
    let python = tools.python.as_ref()?;
    let start = PythonStart::of(python);
    Some(WarmPython { required: tools.warm.clone(), ..warm_for(python, start.env, start.drivers) })
}

/// The same for scripts of one's own, in cages of this environment.
pub fn warm_for(python: &Tool, env: Vec<(String, String)>, scripts: Vec<(String, String)>) -> WarmPython {
    WarmPython {
        program: python.program.clone(),
        library: python.library.clone(),
        version: python.version.lines().next().unwrap_or_default().to_owned(),
        flags: PythonStart::of(python).flags,
        env,
        modules: COMMON_MODULES.iter().map(|name| (*name).to_owned()).collect(),
        required: Vec::new(),
        search: python.modules.clone(),
        scripts,
    }
}

/// The tools of this machine. A Python that was asked for by name must be there; the rest may be missing.
pub fn find(python: Option<&str>, warm: &[String]) -> Result<Toolbox, Failure> {
    let asked = python.is_some();
    let name = python.unwrap_or("python3");
    let python = match ask_python(&python_program(name)) {
        Ok(tool) => Some(tool),
        Err(why) if asked => {
            return Err(Failure::new(Exit::Configuration, format!("the Python '{name}' cannot be used: {why}"))
                .hint("give a program or a virtual environment's folder: `--python .venv`, `[sandbox] python = …`"));
        }
        Err(_) => None,
    };
    Ok(Toolbox { python, node: node(), rustc: rustc(), warm: warm.to_vec(), cages: None })
}

/// The tools that a cage has which shows nothing of this machine: what its own programs tell.
pub fn inside(sandbox: &dyn Sandbox, python: Option<&str>) -> Result<Toolbox, Failure> {
    let cage = sandbox.open(CageSpec::manual())?;
    let path = ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned());
    let ask = |argv: &[&str]| {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let command = CageCommand { argv, env: vec![path.clone()], ..CageCommand::default() };
        run_to_end(cage.as_ref(), &command, b"")
    };
    let name = python.unwrap_or("python3");
    let told = ask(&["/usr/bin/env", name, "-I", "-c", ASK_PYTHON])?;
    let answer = serde_json::from_slice::<PythonAnswer>(&told.stdout);
    let python = match (answer, python) {
        (Ok(answer), _) => Some(Tool {
            program: answer.program,
            needs: Vec::new(),
            version: answer.version,
            modules: answer.modules,
            library: None,
        }),
        (Err(_), None) => None,
        (Err(_), Some(name)) => {
            let why = String::from_utf8_lossy(&told.stderr).trim().to_owned();
            return Err(Failure::new(Exit::Configuration, format!("the Python '{name}' cannot be used there: {why}"))
                .hint("[sandbox] python names a program inside, such as /usr/bin/python3"));
        }
    };
    let told =
        ask(&["/bin/sh", "-c", "node=$(readlink -f \"$(command -v node)\") && echo \"$node\" && node --version"])?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let node = told.trim().split_once('\n').map(|(program, version)| Tool {
        program: program.into(),
        needs: Vec::new(),
        version: version.to_owned(),
        modules: Vec::new(),
        library: None,
    });
    Ok(Toolbox { python, node, rustc: None, warm: Vec::new(), cages: None })
}

/// A folder stands for the virtual environment in it.
fn python_program(name: &str) -> PathBuf {
    let path = Path::new(name);
    if path.is_dir() { path.join("bin/python3") } else { path.to_owned() }
}

fn ask_python(program: &Path) -> Result<Tool, String> {
    let output = Command::new(program).args(["-I", "-c", ASK_PYTHON]).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let answer: PythonAnswer =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("its answer cannot be read: {e}"))?;
    let mut needs = Vec::new();
    for path in answer.prefixes.iter().chain(&answer.modules).chain(std::iter::once(&answer.program)) {
        add_need(&mut needs, path);
    }
    Ok(Tool {
        program: answer.program,
        needs,
        version: answer.version,
        modules: answer.modules,
        library: answer.library,
    })
}

/// Adds a path that cages do not see anyway and that no path added before holds.
fn add_need(needs: &mut Vec<PathBuf>, path: &Path) {
    let Ok(path) = path.canonicalize() else { return };
    if path.starts_with("/usr") || needs.iter().any(|n| path.starts_with(n)) {
        return;
    }
    // A prefix of `/` would show the whole host.
    if path.parent().is_some() {
        needs.push(path);
    }
}

fn node() -> Option<Tool> {
    let program = which("node")?.canonicalize().ok()?;
    let version = version_of(&program, "--version")?;
    let mut needs = Vec::new();
    if !program.starts_with("/usr") {
        add_need(&mut needs, program.parent()?.parent()?);
    }
    Some(Tool { program, needs, version, modules: Vec::new(), library: None })
}

fn rustc() -> Option<Tool> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let program = sysroot.join("bin/rustc");
    let version = version_of(&program, "--version")?;
    let mut needs = Vec::new();
    add_need(&mut needs, &sysroot);
    Some(Tool { program, needs, version, modules: Vec::new(), library: None })
}

fn version_of(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first program of this name on the PATH.
pub fn which(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_installed_module_is_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let venv = folder.path().join("venv");
        let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&venv).status().unwrap();
        assert!(made.success());
        let tool = || ask_python(&python_program(&venv.to_string_lossy())).unwrap();
        let modules = tool().modules.into_iter().find(|m| m.starts_with(&venv)).unwrap();
        let none = tool().version;
        std::fs::create_dir(modules.join("numpy")).unwrap();
        assert_eq!(tool().version, none, "a package without metadata tells no version");
        std::fs::create_dir(modules.join("numpy-2.4.6.dist-info")).unwrap();
        let one = tool().version;
        assert_ne!(one, none);
        std::fs::rename(modules.join("numpy-2.4.6.dist-info"), modules.join("numpy-2.4.7.dist-info")).unwrap();
        assert_ne!(tool().version, one);
    }
}
