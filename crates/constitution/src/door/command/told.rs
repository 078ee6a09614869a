//! What tools that run code are told by their words and the values of their flags: other code, other tools, files to write.

use super::flags::shown;
use super::program::leads_out;
use super::table::{Kind, LOADERS, Program};
use super::{Arg, Judge};
use crate::door::paths::Deed;

impl Judge<'_> {
    /// Words behind `--` that a tool hands on to another: flags of that one, which no table tells.
    pub(super) fn beyond(&mut self, name: &str, args: &[Arg], text: &str) {
        let harmless = |word: &str| {
            let jobs = word.trim_start_matches(['-', 'j']);
            word == "-k" || word == "-v" || word == "VERBOSE=1" || jobs.bytes().all(|b| b.is_ascii_digit())
        };
        let odd = |arg: &&Arg| match arg {
            Arg::Plain(word) => (word.starts_with('-') || word.contains('=')) && !(name == "cmake" && harmless(word)),
            _ => true,
        };
        if let Some(odd) = args.iter().find(odd) {
            let why = format!("what {:?} makes the tool behind it do is not known", shown(odd));
            self.doubt("command-understood", why, text);
        }
    }

    /// Arguments that the workspace's own code is given: they may name other code, or be paths that it reads.
    pub(super) fn handed(&mut self, name: &str, args: &[Arg], text: &str) {
        let script = !matches!(name, "cargo" | "go");
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            at += 1;
            let (Arg::Plain(word) | Arg::Pattern(word)) = arg else {
                if let Arg::Opaque { harmless: false, .. } = arg {
                    self.doubt("command-understood", "what the workspace's code is told cannot be told", text);
                }
                continue;
            };
            let (flag, value) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
            let bare = flag.trim_start_matches('-');
            let loads = script && flag.starts_with('-') && (LOADERS.contains(&bare) || LOADS.contains(&bare));
            let given = value.map(|value| Arg::Plain(value.to_owned()));
            if loads && let Some(given) = given.as_ref().or(args.get(at)) {
                self.loaded(given, bare, text);
            }
            if flag == "--logfile"
                && let Some(given) = given.as_ref().or(args.get(at))
            {
                self.path(&given.clone(), Deed::Write);
            }
            if script && flag.starts_with('-') && WRITES.contains(&bare) {
                for word in args.iter().filter(|arg| !shown(arg).starts_with('-')) {
                    self.path(word, Deed::Rewrite);
                }
            }
            let path = value.unwrap_or(word).to_owned();
            if path.starts_with(['/', '~']) || path.split('/').any(|part| part == "..") {
                self.path(&Arg::Plain(path), Deed::Run);
            }
        }
    }

    /// The value of a flag that names something to be loaded: a version and the names of what comes with the tools are
    /// harmless.
    pub(super) fn loaded(&mut self, value: &Arg, flag: &str, text: &str) {
        let known = |name: &str| {
            let version = name.trim_start_matches("pypy").trim_start_matches("python");
            BUILTIN.contains(&name) || name == "python" || version.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if matches!(value, Arg::Plain(value) if value.split(',').all(known)) {
            return;
        }
        if let Arg::Plain(path) = value
            && path.contains('/')
        {
            self.path(value, Deed::Run);
        }
        let why = format!("{:?} may name code that {flag:?} makes the program load", shown(value));
        self.doubt("unreviewed-code", why, text);
    }

    /// The text that a flag of a tool takes which runs code: a path that leads out is code from there, and what stands behind
    /// the colon of a report (`xml:PATH`) is written.
    pub(super) fn texts(&mut self, program: &Program, name: &str, arg: &Arg) {
        let Arg::Plain(word) = arg else { return };
        if !(program.builds || program.words.contains(&Kind::Code)) {
            return;
        }
        let reports = ["report", "format", "output", "print"].iter().any(|part| name.contains(part));
        if let Some((_, path)) =
            word.split_once(':').filter(|(_, path)| reports && !matches!(*path, "" | "skip-covered"))
        {
            self.path(&Arg::Plain(path.to_owned()), Deed::Write);
        }
        let name = &name.to_lowercase();
        let pattern = ["k", "m", "run", "skip", "bench", "t", "g", "r", "l", "e"].contains(&name.as_str())
            || ["name", "pattern", "filter", "grep", "regex", "select", "ignore", "exclude", "expr"]
                .iter()
                .any(|part| name.contains(part));
        if leads_out(word) && !pattern {
            self.path(arg, Deed::Run);
        }
    }
}

/// What flags of tools behind a script of the workspace are called whose value is loaded.
const LOADS: [&str; 8] = ["config", "c", "r", "R", "rulesdir", "rootDir", "global-setup", "node-options"];
/// And those that make them write their files anew.
const WRITES: [&str; 5] = ["fix", "write", "w", "apply", "in-place"];
/// Formats, reporters, environments and the like that come with the tools, and load no code of anybody else.
const BUILTIN: [&str; 104] = [
    "json",
    "junit",
    "xml",
    "text",
    "txt",
    "html",
    "csv",
    "tap",
    "tap13",
    "tap14",
    "dot",
    "spec",
    "min",
    "list",
    "nyan",
    "landing",
    "progress",
    "documentation",
    "doc",
    "failures",
    "stylish",
    "compact",
    "unix",
    "checkstyle",
    "codeframe",
    "visualstudio",
    "json-with-metadata",
    "sarif",
    "github",
    "github-actions",
    "gitlab",
    "azure",
    "teamcity",
    "pylint",
    "concise",
    "full",
    "grouped",
    "rdjson",
    "colorized",
    "parseable",
    "msvs",
    "default",
    "verbose",
    "basic",
    "dots",
    "hanging-process",
    "blob",
    "node",
    "jsdom",
    "happy-dom",
    "edge-runtime",
    "es6",
    "es2020",
    "es2021",
    "es2022",
    "mocha",
    "jest",
    "summary",
    "simple",
    "quiet",
    "pretty",
    "tty",
    "gcc",
    "emacs",
    "short",
    "long",
    "table",
    "total",
    "markdown",
    "lcov",
    "clover",
    "cobertura",
    "forks",
    "threads",
    "vmThreads",
    "vmForks",
    "v8",
    "istanbul",
    "babel",
    "typescript",
    "espree",
    "babel-ts",
    "flow",
    "css",
    "scss",
    "less",
    "yaml",
    "json5",
    "graphql",
    "vue",
    "mdx",
    "trx",
    "console",
    "PSR12",
    "PSR2",
    "p",
    "d",
    "h",
    "j",
    "f",
    "bdd",
    "tdd",
    "human",
    "offenses",
];

/// Whether a task's name says that it builds, tests or checks, and nothing more.
pub(super) fn task(name: &str) -> bool {
    const DOES: [&str; 66] = [
        "test",
        "tests",
        "build",
        "check",
        "checks",
        "lint",
        "format",
        "fmt",
        "typecheck",
        "type",
        "types",
        "tsc",
        "compile",
        "coverage",
        "cov",
        "bench",
        "benchmark",
        "benchmarks",
        "docs",
        "doc",
        "validate",
        "verify",
        "unit",
        "integration",
        "e2e",
        "spec",
        "ci",
        "all",
        "clean",
        "help",
        "list",
        "debug",
        "quick",
        "fast",
        "smoke",
        "regression",
        "mypy",
        "ruff",
        "eslint",
        "prettier",
        "clippy",
        "vet",
        "race",
        "style",
        "static",
        "analyze",
        "analysis",
        "html",
        "info",
        "lib",
        "quality",
        "tidy",
        "precommit",
        "pytest",
        "jest",
        "vitest",
        "flake8",
        "pylint",
        "black",
        "isort",
        "stylelint",
        "assemble",
        "examples",
        "unittest",
        "size",
        "default",
    ];
    // `make -j 8`: GNU make takes the number.
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let lower = name.to_lowercase();
    let mut parts = lower.split([':', '-', '_', '.', '/']);
    let first = parts.next().unwrap_or_default();
    DOES.contains(&first) && !goes_far(&lower)
}

/// Whether a task's or a target's name says that it reaches further than the workspace.
pub(super) fn goes_far(name: &str) -> bool {
    const NEVER: [&str; 38] = [
        "deploy",
        "publish",
        "release",
        "push",
        "upload",
        "prod",
        "production",
        "install",
        "uninstall",
        "destroy",
        "drop",
        "migrate",
        "reset",
        "seed",
        "sign",
        "secret",
        "secrets",
        "cloud",
        "remote",
        "ship",
        "rollout",
        "provision",
        "db",
        "database",
        "docker",
        "image",
        "infra",
        "terraform",
        "k8s",
        "up",
        "down",
        "root",
        "sudo",
        "admin",
        "delete",
        "purge",
        "wipe",
        "live",
    ];
    name.to_lowercase().split([':', '-', '_', '.', '/']).any(|part| NEVER.contains(&part))
}
