//! A process that runs code and keeps its state: one for each context, with a driver of ours in it.

mod split;

use std::sync::Arc;

use meliora_domain::Ending;
use meliora_evolve::{Cage, Command, Happening, Process};
use serde_json::{Value, json};

use crate::Interpreter;
use crate::fault::{Answer, Kind, fault};
use crate::guest::blocking;
use crate::job::{INTERRUPT, KILL, STACK};
use crate::outlet::{Listener, Outlet, Weigh};
use split::{Piece, Split};

/// The drivers: where they lie in the cage, and their texts.
pub(crate) const PYTHON: (&str, &str) = ("/tmp/.kernel.py", include_str!("kernel/kernel.py"));
const NODE: (&str, &str) = ("/tmp/.kernel.js", include_str!("kernel/kernel.js"));
const BASH: (&str, &str) = ("/tmp/.kernel.sh", include_str!("kernel/kernel.sh"));

/// What code is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    Python,
    JavaScript,
    Bash,
}

impl Language {
    /// The language of a name; Python where none is given.
    pub(crate) fn of(name: Option<&str>) -> Answer<Self> {
        match name.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "python" | "python3" | "py") => Ok(Language::Python),
            Some("javascript" | "js" | "node") => Ok(Language::JavaScript),
            Some("bash" | "sh" | "shell") => Ok(Language::Bash),
            Some(other) => Err(crate::fault::invalid(format!(
                "the language '{}' is not offered here; python, javascript and bash are",
                other.escape_debug()
            ))),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::Bash => "bash",
        }
    }
}

/// What comes out of a kernel.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Told {
    Stdout(String),
    Stderr(String),
    /// A result or an error.
    Message(Value),
    /// The cell is done, and all it printed has been told.
    Done,
    /// The process ended.
    Ended(Ending),
}

impl Weigh for Told {
    fn weight(&self) -> usize {
        match self {
            Told::Stdout(text) | Told::Stderr(text) => text.len() + 64,
            // Images and tables are texts in it; their exact size is not worth a walk.
            Told::Message(message) => {
                let texts = message.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
                256 + texts.map(str::len).sum::<usize>()
            }
            Told::Done | Told::Ended(_) => 64,
        }
    }
}

/// What a kernel is started with.
pub(crate) struct Start {
    pub(crate) language: Language,
    pub(crate) interpreter: Option<Interpreter>,
    pub(crate) cwd: String,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) nonce: String,
}

pub(crate) struct Kernel {
    language: Language,
    process: Arc<dyn Process>,
    outlet: Arc<Outlet<Told>>,
}

impl Kernel {
    /// Starts one. It need not be ready when this returns: it reads its first cell when it is.
    pub(crate) fn start(cage: &dyn Cage, start: Start) -> Answer<Self> {
        let missing = |what: &str| fault(Kind::Unsupported, format!("this service was started without {what}"));
        let (argv, (path, text)) = match (start.language, &start.interpreter) {
            (Language::Python, None) => return Err(missing("a Python; see `meliora doctor`")),
            (Language::JavaScript, None) => return Err(missing("Node.js; see `meliora doctor`")),
            (Language::Python, Some(python)) => (python.argv(), PYTHON),
            (Language::JavaScript, Some(node)) => (node.argv(), NODE),
            (Language::Bash, _) => (["/bin/bash", "--noprofile", "--norc"].map(str::to_owned).into(), BASH),
        };
        cage.put(path, text.as_bytes(), false)?;
        let modules = start.interpreter.iter().flat_map(|interpreter| &interpreter.modules);
        let modules: Vec<String> = modules.map(|path| path.display().to_string()).collect();
        let command = Command {
            argv: argv.into_iter().chain([path.to_owned()]).collect(),
            cwd: start.cwd,
            env: start.env,
            ..Command::default()
        };
        let process: Arc<dyn Process> = Arc::from(cage.spawn(&command)?);
        let hello = match start.language {
            Language::Bash => start.nonce.clone(),
            _ => json!({"nonce": start.nonce, "path": modules}).to_string(),
        };
        process.write(format!("{hello}\n").as_bytes())?;
        let kernel = Kernel { language: start.language, process, outlet: Outlet::new() };
        let (process, outlet) = (Arc::clone(&kernel.process), Arc::clone(&kernel.outlet));
        let thread = std::thread::Builder::new().name("kernel".to_owned()).stack_size(STACK);
        thread
            .spawn(move || follow(&*process, &outlet, &start.nonce))
            .map_err(|error| fault(Kind::Internal, format!("no thread for the interpreter: {error}")))?;
        Ok(kernel)
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.outlet.is_closed()
    }

    /// Begins to run a cell; all that comes of it, until [`Told::Done`], is for the listener.
    pub(crate) async fn run(&self, code: &str, env: &[(String, String)]) -> Answer<Listener<Told>> {
        let line = match self.language {
            Language::Bash => bash_line(code, env),
            _ => {
                let env: serde_json::Map<_, _> = env.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
                json!({"code": code, "env": env}).to_string()
            }
        };
        let listener = self.outlet.listen();
        let (process, writing) = (Arc::clone(&self.process), self.outlet.writing());
        blocking(move || {
            let written = process.write(format!("{line}\n").as_bytes());
            drop(writing);
            written
        })
        .await??;
        Ok(listener)
    }

    /// Interrupts the cell that runs.
    pub(crate) fn interrupt(&self) {
        // It can only fail where the kernel is gone.
        self.process.signal(INTERRUPT).ok();
    }

    /// Nobody listens any more.
    pub(crate) fn let_go(&self) {
        self.outlet.close();
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.outlet.close();
        self.process.signal(KILL).ok();
    }
}

impl Interpreter {
    fn argv(&self) -> Vec<String> {
        std::iter::once(self.program.display().to_string()).chain(self.flags.iter().cloned()).collect()
    }
}

/// A cell for the shell, with variables of its own around it.
fn bash_line(code: &str, env: &[(String, String)]) -> String {
    use base64::Engine as _;
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let set: String = env.iter().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect();
    let names: String = env.iter().map(|(name, _)| format!(" {name}")).collect();
    // The status of the code itself is what counts.
    let unset = if env.is_empty() { String::new() } else { format!("\n__status=$?; unset{names}; (exit $__status)") };
    base64::engine::general_purpose::STANDARD.encode(format!("{set}{code}{unset}\n"))
}

fn follow(process: &dyn Process, outlet: &Outlet<Told>, nonce: &str) {
    let (mut out, mut err) = (Split::new(nonce), Split::new(nonce));
    // A cell is done when both of its streams have said so.
    let (mut out_done, mut err_done) = (false, false);
    loop {
        let (pieces, is_out) = match process.next() {
            Ok(Happening::Stdout(bytes)) => (out.feed(&bytes), true),
            Ok(Happening::Stderr(bytes)) => (err.feed(&bytes), false),
            Ok(Happening::Exit(ending)) => {
                outlet.put(Told::Ended(ending));
                break;
            }
            Err(_) => break,
        };
        for piece in pieces {
            match piece {
                Piece::Text(text) if is_out => outlet.put(Told::Stdout(text)),
                Piece::Text(text) => outlet.put(Told::Stderr(text)),
                Piece::Message(message) if message["type"] == "end" => {
                    *(if is_out { &mut out_done } else { &mut err_done }) = true;
                    if out_done && err_done {
                        (out_done, err_done) = (false, false);
                        outlet.put(Told::Done);
                    }
                }
                Piece::Message(message) => outlet.put(Told::Message(message)),
            }
        }
    }
    outlet.close();
}
