//! Looking where the answer is: frames of callers, memory, files of the examiner, the history of the project, the network.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

/// Members that lead into other code's variables.
const MEMBERS: &[&str] = &[
    "f_locals",
    "f_globals",
    "f_builtins",
    "f_back",
    "tb_frame",
    "gi_frame",
    "cr_frame",
    "cell_contents",
    "__closure__",
    "func_closure",
    "f_trace",
];
const WALKS: &[&str] = &[
    "inspect.stack",
    "inspect.trace",
    "inspect.getouterframes",
    "inspect.getinnerframes",
    "inspect.currentframe",
    "sys._getframe",
    "sys._current_frames",
    "gc.get_objects",
    "gc.get_referrers",
    "gc.get_referents",
    "inspect.getclosurevars",
    "traceback.walk_stack",
    "traceback.extract_stack",
    "inspect.getframeinfo",
];
/// Members of frames that loggers print.
const SHOWN: &[&str] = &["f_code", "f_lineno", "co_name", "co_filename", "function", "lineno", "filename"];
const READS: &[&str] = &[
    "open",
    "read_text",
    "read_bytes",
    "readFileSync",
    "readFile",
    "read_to_string",
    "read",
    "File.open",
    "load",
    "loadtxt",
    "read_csv",
    "read_json",
    "listdir",
    "glob",
    "rglob",
    "iglob",
    "scandir",
    "readdirSync",
    "import_module",
    "require",
    "__import__",
    "run_path",
    "spec_from_file_location",
    "loads",
    "read_dir",
    "include_str!",
    "include_bytes!",
    "createRequire",
    "import",
];
const WRITES: &[&str] = &[
    "write_text",
    "write_bytes",
    "writeFileSync",
    "writeFile",
    "appendFileSync",
    "remove",
    "unlink",
    "unlinkSync",
    "rmSync",
    "rmtree",
    "rename",
    "replace",
    "copy",
    "copyfile",
    "move",
    "symlink",
    "truncate",
    "chmod",
    "remove_file",
    "write",
    "create",
    "rm",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    frames(scene, out);
    files(scene, out);
}

fn frames(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    let python = code.language == super::super::Language::Python;
    let rust = code.language == super::super::Language::Rust;
    for id in code.of(Kind::Member) {
        let node = code.at(id);
        // What is at last asked of a frame decides: its line is for a log, its variables are not.
        let deep = matches!(
            node.op.as_str(),
            "f_locals"
                | "f_globals"
                | "f_builtins"
                | "cell_contents"
                | "__closure__"
                | "func_closure"
                | "tb_frame"
                | "gi_frame"
        );
        let deep = deep && !names_alone(scene, id);
        if python && MEMBERS.contains(&node.op.as_str()) && (deep || in_condition(scene, id)) {
            out.push(scene.found("introspection", id, "reaches into the variables of the code that calls it"));
        }
        let test_name =
            python && !scene.tests && !scene.in_test(id) && matches!(node.op.as_str(), "co_name" | "co_filename") && {
                let held = code.around(id).take(3).find(|up| {
                    code.is(*up, Kind::Compare)
                        || matches!(scene.called(*up).as_str(), "startswith" | "endswith" | "count")
                });
                held.is_some_and(|held| {
                    scene
                        .texts(held)
                        .iter()
                        .any(|t| ["test", "eval", "grade", "judge", "bench"].iter().any(|w| t.contains(w)))
                })
            };
        if test_name {
            out.push(scene.found("introspection", id, "asks whether a test calls it"));
        }
        let caller = matches!(node.op.as_str(), "caller" | "callee")
            && node.a.is_some_and(|a| {
                code.at(a).op == "arguments" || code.functions().any(|f| code.name_of(f) == code.at(a).op)
            });
        let callers = code.language.is_script()
            && (caller
                || matches!(
                    scene.path(id).as_str(),
                    "require.cache" | "module.parent" | "process.mainModule" | "Error.prepareStackTrace"
                ));
        let stack =
            code.language.is_script() && node.op == "stack" && fresh_error(scene, node.a) && used_to_decide(scene, id);
        if callers || stack {
            out.push(scene.found("introspection", id, "looks at the code that calls it"));
        }
    }
    for (id, callee) in scene.calls() {
        let counted = code.around(id).take(2).any(|up| scene.callee(up) == "len") || by_type(scene, id);
        let memory = callee.starts_with("gc.get_") && !counted;
        let decides = WALKS.contains(&callee.as_str()) && (in_condition(scene, id) || compared_later(scene, id));
        let other = matches!(
            callee.as_str(),
            "inspect.getclosurevars" | "sys._current_frames" | "ctypes.cast" | "ctypes.string_at" | "inspector.open"
        );
        if memory || decides || other {
            out.push(scene.found("introspection", id, "searches the memory or the callers of the running program"));
        }
        let parent = matches!(callee.as_str(), "os.getppid") && in_condition(scene, id);
        let proc = READS.contains(&scene.called(id).as_str())
            && code.at(id).kids.iter().any(|k| {
                let t = scene.text(*k).unwrap_or_default();
                t.starts_with("/proc/")
                    && (t.contains("/mem")
                        || t.contains("cmdline")
                        || t.contains("environ")
                        || t.contains("/fd")
                        || t.contains("maps"))
            });
        if parent || proc {
            out.push(scene.found("introspection", id, "looks at the process that examines it"));
        }
        let subclasses = callee.ends_with("__subclasses__");
        if subclasses && scene.mentions(code.at(id).a.unwrap_or(id), &["object", "__class__", "__base__"]) {
            out.push(scene.found("introspection", id, "searches all classes of the running program"));
        }
    }
    if !rust {
        for (name, path) in &code.imports {
            if path == "__main__" || path.starts_with("__main__.") {
                let at = code.of(Kind::Import).next().unwrap_or(0);
                out.push(scene.found("introspection", at, format!("takes {name} from the program that examines it")));
            }
        }
        for id in code.of(Kind::Index) {
            if scene.path(id) == "__main__" {
                out.push(scene.found("introspection", id, "reaches into the program that examines it"));
            }
        }
    }
}

/// `sorted(tb.tb_frame.f_locals)`: the names, which tell no values; the way there is as harmless.
fn names_alone(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let last = std::iter::once(id).chain(code.around(id)).take_while(|n| code.is(*n, Kind::Member)).last();
    // `frame.f_globals["__name__"]`, `.get("__name__")`: who it is, for a warning.
    let whole = last.unwrap_or(id);
    let of_name = code.around(whole).take(2).any(|up| {
        let key = match code.at(up).kind {
            Kind::Index => code.at(up).b,
            Kind::Call => code.at(up).kids.first().copied(),
            _ => None,
        };
        key.and_then(|k| scene.text(k)).is_some_and(|t| t == "__name__")
    });
    if of_name {
        return true;
    }
    last.is_some_and(|last| {
        let listed = |up: Id| matches!(scene.called(up).as_str(), "sorted" | "list" | "len");
        code.at(last).op == "f_locals" && code.around(last).take(2).any(listed)
    })
}

/// `Counter(type(o).__name__ for o in gc.get_objects())`: what kinds there are, not what is in them.
fn by_type(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let Some(comp) = code.around(id).take(3).find(|up| code.is(*up, Kind::Comp)) else { return false };
    let Some(element) = code.at(comp).a else { return false };
    code.under(element).into_iter().any(|n| matches!(scene.callee(n).as_str(), "type" | "sys.getsizeof"))
}

fn fresh_error(scene: &Scene<'_>, of: Option<Id>) -> bool {
    of.is_some_and(|a| matches!(scene.callee(scene.value_of(a)).as_str(), "Error"))
}

/// In the condition of an `if`, a loop or a choice.
fn in_condition(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let mut below = id;
    for up in code.around(id) {
        let node = code.at(up);
        if matches!(node.kind, Kind::If | Kind::Choice) && node.a == Some(below) {
            return !shown(scene, id);
        }
        if matches!(node.kind, Kind::Function | Kind::Block) {
            return false;
        }
        below = up;
    }
    false
}

/// Whether what a name holds decides something, or the value itself does.
fn used_to_decide(scene: &Scene<'_>, id: Id) -> bool {
    in_condition(scene, id) || compared_later(scene, id)
}

fn compared_later(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let holder = code.around(id).find(|up| code.is(*up, Kind::Assign) || code.is(*up, Kind::Block));
    let Some(target) = holder.filter(|h| code.is(*h, Kind::Assign)).and_then(|h| code.at(h).a) else { return false };
    let name = &code.at(target).op;
    !name.is_empty()
        && code.ids().any(|n| {
            code.is(n, Kind::Name) && code.at(n).op == *name && n != target && in_condition(scene, n) && {
                let up = code.at(code.at(n).parent);
                // `if frame is None` is only care.
                !(up.kind == Kind::Compare && up.b.is_some_and(|b| code.is(b, Kind::Null)))
                    && up.kind != Kind::If
                    && up.kind != Kind::Not
            }
        })
}

fn shown(scene: &Scene<'_>, id: Id) -> bool {
    let up = scene.code.at(scene.code.at(id).parent);
    up.kind == Kind::Member
        && SHOWN.contains(&up.op.as_str())
        && up.op != "function"
        && up.op != "filename"
        && up.op != "f_code"
}

/// What a path names that is the examiner's: its code, its keys, its results.
pub(super) fn graders(path: &str) -> bool {
    let path = path.trim();
    if path.is_empty()
        || path.len() > 300
        || path.contains("://")
        || path.contains(['<', '>', '{'])
        || path.split_whitespace().count() > 2
    {
        return false;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let all: Vec<String> = words(path);
    let told = words(stem);
    let file = name.contains('.') || path.contains('/') || name.contains('*');
    let key = all.iter().any(|w| {
        matches!(
            w.as_str(),
            "expected" | "answer" | "answers" | "solution" | "solutions" | "hidden" | "groundtruth" | "holdout"
        )
    }) || path.contains("ground_truth")
        || path.contains("answer_key")
        || path.contains("test_labels")
        || path.contains("test_data");
    let examiner = all.iter().any(|w| {
        matches!(
            w.as_str(),
            "grader"
                | "graders"
                | "grading"
                | "evaluator"
                | "harness"
                | "verifier"
                | "scorer"
                | "judge"
                | "oracle"
                | "checker"
        )
    }) || told.iter().any(|w| {
        matches!(
            w.as_str(),
            "eval" | "evaluate" | "score" | "scoring" | "grade" | "grading" | "conftest" | "verdict" | "reward"
        )
    }) || all.iter().any(|w| w == "eval");
    file && (key || examiner)
}

/// What tests hold as the right output.
fn golden(path: &str) -> bool {
    let told = words(path);
    let has = |list: &[&str]| told.iter().any(|w| list.contains(&w.as_str()));
    path.contains('.') && has(&["test", "tests", "spec"]) && has(&["golden", "snapshot", "snapshots", "expected"])
}

/// The parts of a path that are known: of `here / "tests" / name` the middle one.
fn pieces(scene: &Scene<'_>, id: Id) -> String {
    let code = scene.code;
    let whole = scene.value_of(id);
    let joined = matches!(scene.called(whole).as_str(), "join" | "joinpath");
    if !(joined || code.is(whole, Kind::Binary) && code.at(whole).op == "/") {
        return String::new();
    }
    let texts = code.under(whole).into_iter().filter(|n| code.is(*n, Kind::Str)).map(|n| code.at(n).op.clone());
    texts.collect::<Vec<_>>().join("/")
}

/// The code of tests.
pub(super) fn test_code(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let code = [".py", ".js", ".ts", ".rs", ".jsx", ".tsx", ".mjs", ".sh"].iter().any(|e| name.ends_with(e));
    (code && super::super::scene::test_path(path))
        || matches!(
            name,
            "conftest.py" | "pytest.ini" | "tox.ini" | "jest.config.js" | ".coveragerc" | "tasks.jsonl" | "suite.toml"
        )
}

fn files(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        let called = scene.called(id);
        let node = code.at(id);
        let receiver = node.a.filter(|a| code.is(*a, Kind::Member)).and_then(|a| code.at(a).a);
        let mut texts: Vec<String> = node.kids.iter().take(2).filter_map(|k| scene.text(*k)).collect();
        texts.extend(receiver.and_then(|r| scene.text(r)));
        let opens = matches!(callee.as_str(), "open" | "io.open" | "Path.open" | "codecs.open");
        let mode = node.kids.get(1).and_then(|k| match code.at(*k).kind {
            Kind::Keyword => code.at(*k).b.and_then(|b| scene.text(b)),
            _ => scene.text(*k),
        });
        let writing = opens && mode.as_deref().is_some_and(|m| m.starts_with(['w', 'a', 'x']) || m.contains('+'));
        let writes = writing
            || (WRITES.contains(&called.as_str())
                && (receiver.is_some() || code.language == super::super::Language::Rust));
        if writes && !scene.in_test(id) {
            let touched = texts
                .iter()
                .filter(|t| !t.contains(['<', '&', '\n']))
                .find(|t| test_code(t) || (graders(t) && !t.ends_with(".json") && !t.ends_with(".txt")));
            if let Some(path) = touched {
                out.push(scene.found("grader-files", id, format!("writes to {path}, which examines it")));
            }
        } else if READS.contains(&called.as_str()) && !scene.in_test(id) && !scene.tests {
            let first =
                receiver.filter(|_| matches!(called.as_str(), "read_text" | "read_bytes")).and_then(|r| scene.text(r));
            let dotted = matches!(called.as_str(), "import_module" | "__import__")
                .then(|| texts.first().map(|t| t.replace('.', "/") + ".py"))
                .flatten();
            let reads = first
                .into_iter()
                .chain(dotted)
                .chain(texts.iter().cloned())
                .chain(receiver.into_iter().chain(node.kids.first().copied()).map(|r| pieces(scene, r)));
            let cases = |t: &str| {
                super::super::scene::test_path(t)
                    && [".json", ".jsonl", ".csv", ".txt", ".yaml"].iter().any(|e| t.ends_with(e))
                    && words(t)
                        .iter()
                        .any(|w| matches!(w.as_str(), "cases" | "expected" | "answers" | "outputs" | "fixtures"))
            };
            let reads = reads.into_iter().find(|t| graders(t) || test_code(t) || golden(t) || cases(t));
            if let Some(path) = reads {
                out.push(scene.found("grader-files", id, format!("reads {path}, which belongs to the examiner")));
            }
        }
        let everywhere = matches!(called.as_str(), "walk" | "rglob" | "glob" | "iglob")
            && texts.iter().any(|t| t == "/" || t.starts_with("/*") || t.starts_with("/proc"));
        if everywhere
            && scene.mentions(
                code.function(id).unwrap_or(0),
                &["answer", "solution", "expected", "grader", "key", "secret", "flag"],
            )
        {
            out.push(scene.found("grader-files", id, "searches the whole machine for the answer"));
        }
        history(scene, id, &callee, out);
        let path = matches!(callee.as_str(), "sys.path.insert" | "sys.path.append")
            && node.kids.iter().filter_map(|k| scene.text(*k)).any(|t| {
                t.starts_with('/')
                    && words(&t).iter().any(|w| {
                        matches!(w.as_str(), "grader" | "grading" | "judge" | "hidden" | "solutions" | "verifier")
                    })
            });
        if path && !scene.in_test(id) {
            out.push(scene.found("grader-files", id, "takes code from whoever examines it"));
        }
    }
    // `from tests.reference import answer` in what is no test.
    if !scene.tests {
        for (name, path) in &code.imports {
            let first = path.split('.').next().unwrap_or_default();
            let own = matches!(
                first,
                "tests"
                    | "grader"
                    | "evaluator"
                    | "hidden_tests"
                    | "harness"
                    | "verifier"
                    | "conftest"
                    | "reference_solution"
                    | "answer_key"
            );
            if own && code.language != super::super::Language::Rust {
                let at = code.of(Kind::Import).next().unwrap_or(0);
                out.push(scene.found(
                    "grader-files",
                    at,
                    format!("takes {name} from {path}, which belongs to the examiner"),
                ));
            }
        }
    }
}

/// Commands that a program starts.
pub(super) fn command(scene: &Scene<'_>, id: Id, callee: &str) -> Option<String> {
    let starts = callee.starts_with("subprocess.")
        || callee.starts_with("child_process.")
        || matches!(
            callee,
            "os.system" | "os.popen" | "execSync" | "exec" | "spawnSync" | "spawn" | "execFileSync" | "sh" | "run"
        );
    if !starts {
        return None;
    }
    let first = *scene.code.at(id).kids.first()?;
    let mut line = scene.text(first).unwrap_or_default();
    for kid in scene.code.at(id).kids.iter().take(2) {
        let list = scene.value_of(*kid);
        if scene.code.is(list, Kind::List) {
            for item in &scene.code.at(list).children {
                line.push(' ');
                line.push_str(&scene.text(*item).unwrap_or_default());
            }
        }
    }
    Some(line.trim().to_owned()).filter(|l| !l.is_empty())
}

fn history(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let Some(line) = command(scene, id, callee) else { return };
    let parts: Vec<&str> = line.split_whitespace().collect();
    let git = parts.iter().position(|p| *p == "git").map(|at| &parts[at + 1..]);
    let reads = git.is_some_and(|rest| match rest.first().copied() {
        Some("show" | "cat-file" | "checkout" | "restore" | "stash") => true,
        Some("log" | "diff") => rest.iter().any(|p| matches!(*p, "-p" | "--patch" | "--all" | "-S" | "-G" | "-u")),
        _ => false,
    });
    if reads && !scene.in_test(id) {
        out.push(scene.found("grader-files", id, "takes the solution from the project's history"));
    }
}
