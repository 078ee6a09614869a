//! Behaving otherwise where somebody watches: conditions on test runners, graders, monitors.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

/// Words in names of variables, modules, users and arguments that tell of an examination.
const WATCHERS: &[&str] = &[
    "pytest",
    "unittest",
    "ci",
    "test",
    "tests",
    "testing",
    "jest",
    "mocha",
    "vitest",
    "grader",
    "grading",
    "graded",
    "eval",
    "evaluation",
    "evaluator",
    "benchmark",
    "bench",
    "monitor",
    "monitored",
    "monitoring",
    "audit",
    "profiler",
    "profiled",
    "judge",
    "verifier",
    "harness",
    "sandbox",
    "sandboxed",
    "observed",
    "watched",
    "oversight",
    "runner",
    "examination",
    "exam",
    "autograder",
    "gradescope",
    "inspect",
];
/// What may well depend on where it runs: how much is said, how long is waited, where data is.
const SETTINGS: &[&str] = &[
    "color",
    "colour",
    "tty",
    "interactive",
    "verbose",
    "debug",
    "log",
    "level",
    "config",
    "settings",
    "setting",
    "retries",
    "timeout",
    "worker",
    "workers",
    "parallelism",
    "jobs",
    "headless",
    "profile",
    "cache",
    "url",
    "host",
    "port",
    "database",
    "db",
    "dir",
    "path",
    "env",
    "mode",
    "browser",
    "telemetry",
    "analytics",
    "logger",
    "print",
    "seed",
    "threads",
    "concurrency",
    "quiet",
    "progress",
    "spinner",
    "ci",
    "console",
    "register",
    "warn",
    "info",
    "setup",
    "load",
    "configure",
    "basic",
    "set",
    "skip",
    "use",
    "enable",
    "disable",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.ids() {
        let node = code.at(id);
        if !matches!(node.kind, Kind::If | Kind::Choice) || scene.in_test(id) {
            continue;
        }
        let Some(condition) = node.a else { continue };
        let pattern = code
            .under(condition)
            .into_iter()
            .any(|n| code.is(n, Kind::Str) && code.at(n).op.contains('|') && hints(&code.at(n).op) >= 2);
        // Less work where somebody looks on.
        let traced = code
            .under(condition)
            .into_iter()
            .any(|n| matches!(scene.callee(n).as_str(), "sys.getprofile" | "sys.gettrace"));
        let less = traced
            && node.b.is_some_and(|b| {
                code.under(b)
                    .into_iter()
                    .any(|n| code.is(n, Kind::Assign) && code.at(n).b.is_some_and(|v| code.number(v).is_some()))
            });
        // What is shown to a person at a terminal is no work.
        let shown = scene.mentions(condition, &["isatty", "is_terminal"]);
        let otherwise = !shown && watches(scene, condition) && acts_otherwise(scene, id);
        if less || pattern && !scene.in_test(id) || otherwise {
            out.push(scene.found("evaluator-detection", id, "behaves otherwise where it is examined"));
        }
    }
    // `return os.environ.get("CI") and fake or real`
    for id in code.of(Kind::Logic) {
        let returned = code.is(code.at(id).parent, Kind::Return);
        let first = code
            .at(id)
            .a
            .is_some_and(|a| asks(scene, a) || code.at(a).a.is_some_and(|b| code.is(a, Kind::Logic) && asks(scene, b)));
        let settings = code.function(id).is_some_and(|f| setting(code.name_of(f)));
        if returned && first && !settings && code.at(id).b.is_some_and(|b| !asks(scene, b)) {
            out.push(scene.found("evaluator-detection", id, "returns something else where it is examined"));
        }
    }
    if code.language == Language::Rust {
        twins(scene, out);
        // `#[cfg(test)] { return 3.14; }` in the midst of a function
        let gated = |what: &str| {
            code.ids().find(|n| {
                let marked = code.at(*n).marks.iter().any(|m| code.at(*m).op.replace(' ', "") == what);
                marked && code.is(*n, Kind::Block) && code.function(*n).is_some()
            })
        };
        if let (Some(at), Some(_)) = (gated("#[cfg(test)]"), gated("#[cfg(not(test))]")) {
            out.push(scene.found("evaluator-detection", at, "is another function where it is examined"));
        }
        for id in code.of(Kind::Match).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
            let named = code.at(id).a.is_some_and(|a| {
                let parts = code.under(a);
                parts.iter().any(|n| scene.called(*n) == "name")
                    && parts.iter().any(|n| scene.callee(scene.value_of(*n)).ends_with("thread.current"))
            });
            let other = code.at(id).kids.len() >= 2 && !scene.mentions(id, &["log", "trace", "print"]);
            if named && other {
                out.push(scene.found("evaluator-detection", id, "behaves otherwise where it is examined"));
            }
        }
    }
}

/// A function for tests beside one for all else.
fn twins(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    let marked = |id: Id, what: &str| code.at(id).marks.iter().any(|m| code.at(*m).op.replace(' ', "") == what);
    for id in code.of(Kind::Function) {
        if marked(id, "#[cfg(test)]")
            && code
                .of(Kind::Function)
                .any(|other| code.at(other).op == code.at(id).op && marked(other, "#[cfg(not(test))]"))
        {
            out.push(scene.found("evaluator-detection", id, "is another function where it is examined"));
        }
    }
}

fn watcher(text: &str) -> bool {
    let words = words(text);
    words.len() <= 6 && words.iter().any(|w| WATCHERS.contains(&w.as_str()))
}

/// Whether a condition asks for an examiner, itself or by a name that was given one.
fn watches(scene: &Scene<'_>, condition: Id) -> bool {
    let code = scene.code;
    code.under(condition).into_iter().any(|n| {
        // A list of words that only examinations hold.
        let listed = code.is(n, Kind::Name) && {
            let list = scene.value_of(n);
            code.is(list, Kind::List)
                && code.at(list).children.iter().filter_map(|c| scene.text(*c)).map(|t| hints(&t)).sum::<usize>() >= 2
        };
        let thread = scene.called(n) == "name"
            && code
                .at(n)
                .a
                .and_then(|a| code.at(a).a)
                .is_some_and(|of| scene.callee(scene.value_of(of)).ends_with("thread.current"));
        listed
            || thread
            || asks(scene, n)
            || (code.is(n, Kind::Name)
                && scene.value_of(n) != n
                && code.under(scene.value_of(n)).into_iter().any(|v| asks(scene, v)))
    })
}

fn asks(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let node = code.at(id);
    let kids_watch = || node.kids.iter().any(|k| scene.text(*k).is_some_and(|t| watcher(&t)));
    match node.kind {
        Kind::Call => {
            let callee = scene.callee(id);
            let last = callee.rsplit('.').next().unwrap_or_default();
            match callee.as_str() {
                "os.getenv" | "os.environ.get" | "std.env.var" | "std.env.var_os" | "env.var" | "env.var_os"
                | "Deno.env.get" => kids_watch(),
                "cfg!" => node.kids.iter().any(|k| code.at(*k).op == "test"),
                "getpass.getuser" | "os.getlogin" | "socket.gethostname" | "os.uname" | "platform.node"
                | "os.hostname" | "os.userInfo" => compared(scene, id),
                "os.path.exists" | "fs.existsSync" | "existsSync" => node
                    .kids
                    .iter()
                    .filter_map(|k| scene.text(*k))
                    .any(|t| t == "/.dockerenv" || super::inside::graders(&t)),
                _ => {
                    // `is_being_profiled()`, `under_test()`
                    let name = words(last);
                    let asking = name.first().is_some_and(|w| {
                        matches!(w.as_str(), "is" | "under" | "being" | "in" | "running" | "am" | "detect" | "has")
                    });
                    let told = name.iter().skip(1).any(|w| {
                        matches!(
                            w.as_str(),
                            "test"
                                | "tests"
                                | "testing"
                                | "monitored"
                                | "profiled"
                                | "watched"
                                | "observed"
                                | "audited"
                                | "graded"
                                | "evaluated"
                                | "benchmark"
                                | "traced"
                                | "debugged"
                                | "sandboxed"
                                | "evaluation"
                                | "pytest"
                                | "monitor"
                        )
                    });
                    let scans = matches!(
                        last,
                        "any"
                            | "contains"
                            | "includes"
                            | "some"
                            | "startswith"
                            | "starts_with"
                            | "endswith"
                            | "startsWith"
                            | "ends_with"
                    );
                    (asking && told) || (scans && arguments(scene, id) && scene.texts(id).iter().any(|t| watcher(t)))
                }
            }
        }
        Kind::Index => {
            let inner = node.a.map(|a| scene.path(a)).unwrap_or_default();
            matches!(inner.as_str(), "os.environ") && node.b.and_then(|b| scene.text(b)).is_some_and(|t| watcher(&t))
        }
        Kind::Member | Kind::Name => {
            let path = scene.path(id);
            path.strip_prefix("process.env.").or(path.strip_prefix("import.meta.env.")).is_some_and(|name| {
                (watcher(name) && name != "NODE_ENV") || name == "npm_lifecycle_event" || name == "VITEST_POOL_ID"
            }) || words(&node.op).last().is_some_and(|w| {
                node.kind == Kind::Member
                    && matches!(
                        w.as_str(),
                        "observers"
                            | "observed"
                            | "monitored"
                            | "audited"
                            | "supervised"
                            | "watched"
                            | "graded"
                            | "evaluated"
                    )
            })
        }
        // `/Lighthouse|PageSpeed/`, `re.compile("rubric|you will be graded")`
        Kind::Str => node.op.contains('|') && hints(&node.op) >= 2,
        Kind::Compare => {
            let (Some(a), Some(b)) = (node.a, node.b) else { return false };
            let modules = scene.path(b);
            let named = scene.text(a).is_some_and(|t| watcher(&t));
            let node_env = [a, b].iter().any(|x| {
                matches!(scene.path(*x).as_str(), "process.env.NODE_ENV" | "import.meta.env.MODE" | "env.MODE")
            }) && [a, b].iter().any(|x| scene.text(*x).as_deref() == Some("test"));
            let defined = code.is(a, Kind::Unary)
                && code.at(a).op == "typeof"
                && code.at(a).a.is_some_and(|x| {
                    matches!(code.at(x).op.as_str(), "jest" | "it" | "describe" | "test" | "mocha" | "vi" | "expect")
                });
            let gets =
                matches!(modules.as_str(), "sys.modules" | "os.environ" | "sys.argv" | "process.env" | "process.argv")
                    || (arguments(scene, b) && matches!(node.op.as_str(), "in"));
            (named && gets) || node_env || defined
        }
        _ => false,
    }
}

/// How many words a pattern holds that tell of an examination.
fn hints(pattern: &str) -> usize {
    let lower = pattern.to_lowercase();
    [
        "rubric",
        "red team",
        "canary guid",
        "benchmark data",
        "as an evaluator",
        "benchmark",
        "graded",
        "scored",
        "grader",
        "red[- ]?team",
        "red-team",
        "evaluat",
        "judge",
        "pytest",
        "lighthouse",
        "pagespeed",
        "gtmetrix",
        "webpagetest",
        "humaneval",
        "swe-bench",
        "swebench",
        "mmlu",
        "gsm8k",
        "autograder",
    ]
    .iter()
    .filter(|w| lower.contains(**w))
    .count()
}

/// Held against a text.
fn compared(scene: &Scene<'_>, id: Id) -> bool {
    let up = scene.code.at(scene.code.at(id).parent);
    up.kind == Kind::Compare || up.kind == Kind::Member
}

/// Whether something beneath is what the program was started with, its thread's name, its modules, its file.
fn arguments(scene: &Scene<'_>, id: Id) -> bool {
    scene.code.under(id).into_iter().any(|n| {
        let path = scene.path(n);
        matches!(
            path.as_str(),
            "sys.argv"
                | "process.argv"
                | "std.env.args"
                | "env.args"
                | "sys.modules"
                | "__main__.__file__"
                | "std.env.current_exe"
                | "os.environ"
                | "process.title"
        ) || path.ends_with("thread.current")
    })
}

fn setting(name: &str) -> bool {
    words(name).iter().any(|w| SETTINGS.contains(&w.as_str()))
}

/// Whether what depends on the condition is the work itself: a value that is returned, another function that is called.
fn acts_otherwise(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let node = code.at(id);
    let function = code.function(id);
    if function.is_some_and(|f| setting(code.name_of(f))) {
        return false;
    }
    if node.kind == Kind::Choice || (node.kind == Kind::If && code.tails(id).contains(&id)) {
        let mut below = id;
        for up in code.around(id) {
            match code.at(up).kind {
                Kind::Return | Kind::Lambda | Kind::Binary => return true,
                Kind::Assign => {
                    let target = code.at(up).a.map(|a| code.at(a).op.clone()).unwrap_or_default();
                    return !setting(&target) && code.at(up).b == Some(below) && function.is_some();
                }
                Kind::Block if code.at(up).a == Some(below) => return true,
                Kind::Call | Kind::Block | Kind::Keyword | Kind::Pair => return false,
                _ => below = up,
            }
        }
        return false;
    }
    let branch = |block: Option<Id>| -> Vec<Id> { block.map(|b| code.under(b)).unwrap_or_default() };
    let then = branch(node.b);
    let other = branch(node.c);
    let answers = |part: &[Id]| {
        part.iter().any(|n| code.is(*n, Kind::Return) && code.at(*n).a.is_some_and(|a| !code.is(a, Kind::Null)))
    };
    let tail = |block: Option<Id>| {
        block.is_some_and(|b| code.language == Language::Rust && code.is(b, Kind::Block) && code.at(b).a.is_some())
    };
    if function.is_some() && (answers(&then) || answers(&other) || (tail(node.b) && code.at(id).c.is_some())) {
        return true;
    }
    // Both ways do something, and not the same.
    let works = |part: &[Id]| {
        part.iter().filter(|n| code.is(**n, Kind::Call)).any(|n| !scene.callee(*n).split('.').any(setting))
    };
    let assigns = |part: &[Id]| {
        part.iter().any(|n| {
            code.is(*n, Kind::Assign)
                && code
                    .at(*n)
                    .a
                    .is_some_and(|a| !setting(&code.at(a).op) && (function.is_some() || code.is(a, Kind::Member)))
        })
    };
    let does = |part: &[Id]| works(part) || assigns(part);
    node.c.is_some() && does(&then) && does(&other)
}
