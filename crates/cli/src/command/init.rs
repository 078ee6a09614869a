//! `meliora init`: a project that runs as it is.

use std::path::Path;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, Printer, paint};
use crate::project::LAW;

const PROJECT: &str = r#"# A Meliora project. Every key is in docs/configuration.md.
name = "NAME"
goal = "Make every function do what its docstring says."

[genome]                      # what may change
root = "genome"
editable = ["**/*.py"]

[suite]                       # what decides
folder = "suite"

[run]
strategy = "greedy"           # or "dgm", "hgm", "islands", "pareto"
proposers = ["mutate"]        # mutate needs no model; rewrite asks one
seed = 1
jobs = 2

[budget]                      # 0 is no limit
evals = 2000
minutes = 10
"#;

const PROGRAM: &str = r#""""A first genome: one function, with a mistake for Meliora to find."""


def add(a, b):
    """The sum of a and b."""
    return a - b
"#;

const SUITE: &str = r#"# These tasks are the goal themselves, and deterministic. If they stood for more than themselves: "sample".
kind = "exact"
"#;

const TASKS: &str = r#"// One task a line. Proposers see train tasks, validation decides, holdout stays sealed.
{"id":"add/train","split":"train","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[1,2],[0,0]]},"key":{"expect":[3,0]}}
{"id":"add/validation","split":"validation","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[2,2],[5,-3],[10,7]]},"key":{"expect":[4,2,17]}}
{"id":"add/holdout","split":"holdout","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[100,1],[-4,-4],[0,9]]},"key":{"expect":[101,-8,9]}}
"#;

/// Makes the project. Files that are there already are left as they are.
pub fn init(dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let failed = |path: &Path, e: std::io::Error| {
        Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", path.display()))
    };
    if dir.join("meliora.toml").exists() {
        return Err(
            Failure::new(Exit::Usage, format!("{} is a project already", dir.display())).hint("`meliora run` runs it")
        );
    }
    let full = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let name = full.file_name().map_or("project".to_owned(), |n| n.to_string_lossy().into_owned());
    let name = name.replace(['"', '\\'], "");
    let law = meliora_constitution::standard().to_owned();
    let signs = !dir.join(LAW).exists();
    let template = format!("{LAW}.template");
    let files = [
        ("meliora.toml", PROJECT.replace("NAME", &name)),
        (LAW, law),
        (template.as_str(), meliora_constitution::template().to_owned()),
        ("genome/sums.py", PROGRAM.to_owned()),
        ("suite/suite.toml", SUITE.to_owned()),
        ("suite/tasks.jsonl", TASKS.to_owned()),
    ];
    if signs {
        // Before anything is written: without a place for keys there is no project yet.
        super::constitution::own_key(printer)?;
    }
    for (path, text) in files {
        let path = dir.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        }
        if path.exists() {
            printer.talk(format!("kept   {}", path.display()));
            continue;
        }
        std::fs::write(&path, text).map_err(|e| failed(&path, e))?;
        printer.talk(format!("wrote  {}", path.display()));
    }
    // One that was there already is for its author to read and sign.
    if signs {
        let full = dir.canonicalize().map_err(|e| failed(dir, e))?;
        let key = super::constitution::sign_here(&full, printer)?;
        printer.talk(format!("signed {} with your key {key}", dir.join(LAW).display()));
    }
    let place = if dir == Path::new(".") { String::new() } else { format!(" {}", dir.display()) };
    printer.data(paint(BOLD, "next"));
    printer.data(format!("  meliora run{place}    repairs the mistake in genome/sums.py"));
    printer.data("  then put your own files into genome/ and your own tasks into suite/tasks.jsonl");
    printer.data("  for promotion, the project must be in git: git init && git add -A && git commit -m start");
    Ok(Exit::Done)
}
