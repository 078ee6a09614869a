//! A service on a port of its own, in this process or in one that can be killed.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use meliora_sandbox::{Namespaces, WarmPython};
use meliora_serve::{Config, Interpreter, Stop, environment, python_script, serve};

/// The argument that makes this program a service: `alone MODULES`.
pub const ALONE: &str = "alone";

const ASK: &str = r#"
import os, sys, sysconfig
c = sysconfig.get_config_var
places = [os.path.join(d, c("INSTSONAME") or "") for d in (c("LIBDIR"), os.path.join(c("LIBDIR") or "", c("MULTIARCH") or ""))]
print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
print(sys.base_prefix)
print(sys.version.replace("\n", " "))
print(next((p for p in places if os.path.isfile(p) and ".so" in p), ""))
print("-P" if sys.version_info >= (3, 11) else "")
"#;

/// The Python of this machine: its start for `run_code`, and its warm form.
pub fn python(modules: Option<&Path>) -> (Interpreter, WarmPython) {
    let output = Command::new("python3").args(["-I", "-c", ASK]).output().expect("these tests need python3");
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let flags: Vec<String> = ["-s", "-S", lines[4]].iter().filter(|f| !f.is_empty()).map(|f| (*f).to_owned()).collect();
    let prefix = PathBuf::from(lines[1]);
    let mut needs: Vec<PathBuf> = Some(prefix).filter(|path| !path.starts_with("/usr")).into_iter().collect();
    needs.extend(modules.map(Path::to_path_buf));
    let interpreter = Interpreter {
        program: lines[0].into(),
        flags: flags.clone(),
        needs,
        modules: modules.map(Path::to_path_buf).into_iter().collect(),
    };
    let warm = WarmPython {
        program: lines[0].into(),
        library: Some(PathBuf::from(lines[3])).filter(|path| !path.as_os_str().is_empty()),
        version: lines[2].to_owned(),
        flags,
        env: environment(),
        modules: meliora_serve::PYTHON_MODULES.iter().map(|name| (*name).to_owned()).collect(),
        required: Vec::new(),
        search: Vec::new(),
        scripts: vec![python_script()],
    };
    (interpreter, warm)
}

fn node() -> Option<Interpreter> {
    let output = Command::new("sh").args(["-c", "readlink -f \"$(command -v node)\""]).output().ok()?;
    let program = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let needs = if program.starts_with("/usr") { Vec::new() } else { vec![program.parent()?.parent()?.to_owned()] };
    program.is_file().then(|| Interpreter { program, flags: Vec::new(), needs, modules: Vec::new() })
}

/// One for all tests of this process: looking at the machine takes its time.
fn sandbox(modules: Option<&Path>) -> Arc<Namespaces> {
    static SANDBOX: OnceLock<Arc<Namespaces>> = OnceLock::new();
    Arc::clone(SANDBOX.get_or_init(|| {
        let warm = python(modules).1;
        Arc::new(Namespaces::warm(Some(&warm)).expect("a cage with every layer"))
    }))
}

pub fn config(modules: Option<&Path>) -> Config {
    Config { python: Some(python(modules).0), node: node(), ..Config::default() }
}

/// A running service; ends when dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(config: Config) -> Self {
        let modules = config.python.as_ref().and_then(|python| python.modules.first().cloned());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Stop::default());
        let (sandbox, ours) = (sandbox(modules.as_deref()), stop.clone());
        let thread = std::thread::spawn(move || serve(listener, sandbox, config, &ours).unwrap());
        Server { address, stop, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))), "the service broke");
    }
}

/// What `alone` does: serves on a port of the system's choice, or on that of the second argument, and says where.
pub fn alone() {
    let port = std::env::args().nth(2).unwrap_or_else(|| "0".to_owned());
    let modules = std::env::args().nth(3).map(PathBuf::from);
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let config = Config { max_sandboxes: 500, ..config(modules.as_deref()) };
    serve(listener, sandbox(modules.as_deref()), config, &Stop::default()).unwrap();
}

/// A service in a process of its own, and where it listens.
pub fn spawn_alone() -> (Child, SocketAddr) {
    use std::io::BufRead as _;
    let mut child = Command::new(std::env::current_exe().unwrap()).arg(ALONE).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().parse().unwrap())
}
