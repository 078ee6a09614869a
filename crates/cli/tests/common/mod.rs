//! Projects in temporary folders, and the real program run on them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "each test file uses its part; a helper that fails should panic"
)]

pub mod model;
pub mod tamper;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use meliora_constitution::key::SecretKey;
use serde_json::Value;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_meliora");

/// The constitution of the documentation, not signed yet.
pub const SEED: &str = r#"immutable_constraints:
  - "Never delete databases without approval"
  - "Always sandbox code execution"
  - "Never modify this constitution file"
autonomous_operations:
  code_modifications:
    scope: "agent workspace"
    requires: ["tests_pass", "git_commit"]
signature: "<sha256>"
"#;

/// One defective function: `add` subtracts.
pub const ADD: &str = "def add(a, b):\n    \"\"\"The sum of a and b.\"\"\"\n    return a - b\n";

const ADD_TASKS: &str = r#"
{"id":"add/train","split":"train","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[1,2],[0,0]]},"key":{"expect":[3,0]}}
{"id":"add/validation","split":"validation","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[2,2],[5,-3]]},"key":{"expect":[4,2]}}
{"id":"add/holdout","split":"holdout","assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[100,1]]},"key":{"expect":[101]}}
"#;

/// A project in a folder that goes when the test ends.
pub struct Project {
    _keep: tempfile::TempDir,
    dir: PathBuf,
}

/// What a run of the program left.
pub struct Ran {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Fails with everything the program said unless it ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Fails unless the error and its hint say these things.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        let all = format!("{}\n{}", self.out, self.err);
        for part in parts {
            assert!(all.contains(part), "nowhere is '{part}' in\n{all}");
        }
        self
    }

    /// The JSON objects of standard output.
    pub fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last JSON object of standard output.
    #[track_caller]
    pub fn last(&self) -> Value {
        self.objects().pop().unwrap_or_else(|| panic!("no output; standard error:\n{}", self.err))
    }
}

impl Project {
    /// An empty folder.
    pub fn empty() -> Self {
        let keep = tempfile::tempdir().unwrap();
        // A name without dots, so that messages and programs see an ordinary folder.
        let dir = keep.path().canonicalize().unwrap().join("project");
        std::fs::create_dir(&dir).unwrap();
        Project { _keep: keep, dir }
    }

    /// One defective function, `add`, with one task in each split.
    pub fn add() -> Self {
        let project = Project::empty();
        project.write("meliora.toml", toml(&["sums.py"], ""));
        project.write("genome/sums.py", ADD);
        project.write("suite/suite.toml", "kind = \"exact\"\nseconds = 5\n");
        project.write("suite/tasks.jsonl", ADD_TASKS);
        project
    }

    /// Four defective functions of the first-fix example.
    pub fn arithmetic() -> Self {
        let project = Project::empty();
        let example = example("first-fix");
        let tasks = std::fs::read_to_string(example.join("suite/tasks.jsonl")).unwrap();
        let tasks: Vec<&str> = tasks.lines().filter(|l| l.contains("\"arithmetic.py\"")).collect();
        assert!(tasks.len() >= 8, "the example has changed");
        let genome = std::fs::read_to_string(example.join("genome/arithmetic.py")).unwrap();
        project.write("meliora.toml", toml(&["*.py"], ""));
        project.write("genome/arithmetic.py", &genome);
        project.write("suite/suite.toml", "kind = \"exact\"\nseconds = 2\n");
        project.write("suite/tasks.jsonl", tasks.join("\n"));
        project
    }

    /// An OpenEvolve task: a constant to raise, and this evaluator.
    pub fn openevolve(evaluator: &str, config: &str) -> Self {
        let project = Project::empty();
        project.write("initial_program.py", "# EVOLVE-BLOCK-START\nVALUE = 0\n# EVOLVE-BLOCK-END\n");
        project.write("evaluator.py", evaluator);
        project.write("config.yaml", config);
        project
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a part of a file that must be in it.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} does not hold '{from}'");
        self.write(name, text.replace(from, to));
    }

    /// The program, ready to start in the project.
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(args).current_dir(&self.dir).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MELIORA_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", self.dir.join("../no-settings")).env("NO_COLOR", "1");
        command.env("XDG_STATE_HOME", self.state());
        command.env_remove("OPENAI_API_KEY").env_remove("http_proxy").env_remove("HTTP_PROXY");
        command
    }

    /// Makes this its constitution, signed with the person's key, which is made if there is none.
    pub fn constitute(&self, text: &str) {
        self.write("CONSTITUTION.yaml", text);
        self.meliora(&["constitution", "sign"]).exits(0);
    }

    /// A folder with a secret key that nobody pinned, beside the public key that is pinned.
    pub fn strange_keys(&self) -> PathBuf {
        let keys = self.dir.parent().unwrap().join("strange");
        std::fs::create_dir_all(&keys).unwrap();
        secret_key(&keys);
        std::fs::copy(self.dir.join("../no-settings/meliora/keys/meliora.pub"), keys.join("meliora.pub")).unwrap();
        keys
    }

    /// The user's folder of state: the machine's key and checkpoints of journals, outside of the project.
    pub fn state(&self) -> PathBuf {
        self.dir.parent().unwrap().join("state")
    }

    /// Runs the program in the project.
    pub fn meliora(&self, args: &[&str]) -> Ran {
        let output = assert_cmd::Command::from_std(self.command(args)).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts the program; its standard output is read line by line.
    pub fn start(&self, args: &[&str]) -> (Child, std::io::Lines<BufReader<ChildStdout>>) {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    }

    /// The journal's events.
    pub fn journal(&self) -> Vec<Value> {
        self.meliora(&["log", "--json", "-n", "1000000"]).exits(0).objects()
    }

    /// The journal's events of one kind.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        self.journal().into_iter().filter(|e| e["event"] == kind).collect()
    }

    /// Makes it a git repository with everything committed.
    pub fn git_init(&self) -> &Self {
        self.git(&["init", "-q", "-b", "main"]);
        self.git(&["config", "user.name", "A Person"]);
        self.git(&["config", "user.email", "person@example.org"]);
        self.commit_all("start");
        self
    }

    /// Commits everything.
    pub fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// Runs git in the project and returns what it says.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        git_in(&self.dir, args)
    }

    /// Fails unless `doctor` finds the journal's chain whole.
    #[track_caller]
    pub fn chain_holds(&self) {
        self.meliora(&["doctor", "."]).says(&["the chain holds"]);
    }

    /// Output with what differs between machines and runs taken out: ids, times, the project's path.
    pub fn redact(&self, text: &str) -> String {
        let text = text.replace(self.dir.to_str().unwrap(), "[project]");
        let mut out = String::new();
        let mut word = String::new();
        for c in text.chars().chain(std::iter::once('\n')) {
            if c.is_ascii_alphanumeric()
                || ((c == '.' || c == ':' || c == '-') && word.starts_with(|c: char| c.is_ascii_digit()))
            {
                word.push(c);
                continue;
            }
            out.push_str(&redacted(&word));
            word.clear();
            out.push(c);
        }
        out.pop();
        out
    }
}

/// A new secret key in this folder, which its owner alone can read.
fn secret_key(folder: &Path) -> SecretKey {
    use std::os::unix::fs::PermissionsExt as _;
    let (key, file) = (SecretKey::generate().unwrap(), folder.join("meliora.key"));
    std::fs::write(&file, key.encode().unwrap()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    key
}

fn redacted(word: &str) -> String {
    if let Some(rest) = word.strip_suffix([':', '.', '-']) {
        return redacted(rest) + &word[rest.len()..];
    }
    let hex = |w: &str| w.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    let digits = word.chars().any(|c| c.is_ascii_digit());
    if word.len() >= 10 && hex(word) {
        "[id]".to_owned()
    } else if digits && word.len() == 10 && word.matches('-').count() == 2 {
        "[date]".to_owned()
    } else if digits && word.len() == 8 && word.matches(':').count() == 2 {
        "[time]".to_owned()
    } else {
        word.to_owned()
    }
}

/// Runs git and returns what it says.
#[track_caller]
pub fn git_in(dir: &Path, args: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A `meliora.toml` for these editable globs, with more at its end.
pub fn toml(editable: &[&str], more: &str) -> String {
    format!(
        "name = \"test\"\ngoal = \"Make every function do what its docstring says.\"\n\n[genome]\nroot = \"genome\"\n\
         editable = {editable:?}\n\n[suite]\nfolder = \"suite\"\n\n{more}\n"
    )
}

/// A folder of the repository's examples.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Whether this program is here. Where it is not, the test is skipped aloud, and fails in CI.
pub fn have(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(program).is_file());
    found || skip(&format!("{program} is not here"))
}

/// Says that a test is skipped; in CI that is a failure. Returns `false`.
#[track_caller]
pub fn skip(why: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "a test would be skipped, which CI does not allow: {why}");
    eprintln!("\n======== SKIPPED: {why} ========\n");
    false
}

/// Sends a signal to a process.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// How a run ended, by its last JSON line, without what may differ between equal runs.
pub fn outcome(last: &Value) -> Value {
    let mut last = last.clone();
    last.as_object_mut().unwrap().remove("seconds");
    last
}
