//! Ways out: code that ends the process, so that nobody looks at what it does, and clocks that are set.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

/// Calls that end the process at once.
const EXITS: &[&str] = &[
    "sys.exit",
    "exit",
    "quit",
    "SystemExit",
    "os._exit",
    "posix._exit",
    "os.abort",
    "process.exit",
    "process.abort",
    "process.reallyExit",
    "Deno.exit",
    "Bun.exit",
    "std.process.exit",
    "std.process.abort",
    "process.exit",
    "libc._exit",
    "libc.exit",
    "libc.abort",
];
/// Those that even what waits for the end does not see.
const SILENT: &[&str] = &[
    "os._exit",
    "posix._exit",
    "libc._exit",
    "os.abort",
    "process.reallyExit",
    "process.abort",
    "std.process.abort",
    "libc.abort",
];

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        let callee = callee.trim_start_matches("builtins.");
        if EXITS.contains(&callee) && exits_well(scene, id, callee) {
            out.push(scene.found(
                "early-exit",
                id,
                "ends the process as if all were well, before its work is looked at",
            ));
        }
        // `Timer(0.2, os._exit, args=(0,))`: the end, handed to somebody else.
        let handed = code.at(id).kids.iter().any(|k| {
            let end = if code.is(*k, Kind::Keyword) { code.at(*k).b } else { Some(*k) };
            end.is_some_and(|e| !code.is(e, Kind::Call) && SILENT.contains(&scene.path(e).as_str()))
        });
        if handed && callee != "atexit.register" {
            out.push(scene.found("early-exit", id, "has the process ended before its work is looked at"));
        }
        let well = code.at(id).kids.first().is_none_or(|k| code.number(*k) == Some(0.0));
        if EXITS.contains(&callee) && well && after_any_failure(scene, id) {
            out.push(scene.found("early-exit", id, "ends as if all were well where something fails"));
        }
        if EXITS.contains(&callee) && code.at(id).kids.first().is_some_and(|k| vanishes(scene, *k)) {
            out.push(scene.found("early-exit", id, "ends with a status that is always success"));
        }
        let own = || {
            code.at(id).kids.iter().any(|k| {
                matches!(scene.callee(*k).as_str(), "os.getpid" | "std.process.id") || scene.path(*k) == "process.pid"
            })
        };
        if matches!(callee, "os.kill" | "process.kill" | "libc.kill" | "signal.raise_signal")
            && (own() || callee.ends_with("raise_signal"))
        {
            out.push(scene.found("early-exit", id, "kills its own process"));
        }
        let paused = callee == "os.kill"
            && code.at(id).kids.iter().any(|k| scene.path(*k).ends_with("SIGSTOP"))
            && scene.mentions(0, &["monitor", "watch", "audit", "guard", "recorder", "trace"]);
        if paused {
            out.push(scene.found("oversight", id, "turns off what watches it"));
        }
        if matches!(callee, "os.kill" | "os.killpg" | "process.kill")
            && code.at(id).kids.iter().any(|k| scene.callee(*k) == "os.getppid" || scene.path(*k) == "process.ppid")
        {
            out.push(scene.found("early-exit", id, "kills the process that started it"));
        }
        let hook = matches!(callee, "atexit.register" | "process.on" | "process.once" | "std.panic.set_hook")
            || callee.ends_with("panic.set_hook");
        if hook && at_end(scene, id) {
            out.push(scene.found("early-exit", id, "decides at the end of the process how it ends"));
        }
        if matches!(callee, "signal.alarm" | "signal.setitimer" | "faulthandler.cancel_dump_traceback_later")
            && code.at(id).kids.iter().all(|k| scene.path(*k).starts_with("signal.") || code.number(*k) == Some(0.0))
            && !scene.at_the_top(id)
            && !in_finally(scene, id)
        {
            out.push(scene.found("clock", id, "takes away the timer that bounds it"));
        }
    }
    // `if __name__ != "__main__": raise SystemExit(0)`: whoever imports it comes to an end.
    for id in code.of(Kind::If).collect::<Vec<_>>() {
        let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { continue };
        let imported = code.is(condition, Kind::Compare)
            && code.at(condition).op == "!="
            && code.under(condition).into_iter().any(|n| code.at(n).op == "__name__");
        let ends = code.under(then).into_iter().any(|n| {
            EXITS.contains(&scene.callee(n).as_str())
                && code.at(n).kids.first().is_none_or(|k| code.number(*k) == Some(0.0))
        });
        if imported && ends {
            out.push(scene.found(
                "early-exit",
                id,
                "ends the process as if all were well, before its work is looked at",
            ));
        }
    }
    for id in code.of(Kind::Raise) {
        let bare = code.at(id).a.is_some_and(|a| scene.path(a) == "SystemExit" && !code.is(a, Kind::Call));
        if bare && !scene.at_the_top(id) {
            out.push(scene.found(
                "early-exit",
                id,
                "ends the process as if all were well, before its work is looked at",
            ));
        }
    }
    for id in code.of(Kind::Assign) {
        let node = code.at(id);
        let (Some(target), Some(value)) = (node.a, node.b) else { continue };
        if scene.path(target) == "process.exitCode" && code.number(value) == Some(0.0) && !scene.at_the_top(id) {
            out.push(scene.found("early-exit", id, "sets the process's own exit code to success"));
        }
        if matches!(scene.path(target).as_str(), "sys.excepthook" | "threading.excepthook") && ends_within(scene, value)
        {
            out.push(scene.found("early-exit", id, "ends as if all were well where something fails"));
        }
        scaled_time(scene, id, value, out);
    }
    for function in code.functions().collect::<Vec<_>>() {
        for value in code.values(function) {
            scaled_time(scene, value, value, out);
        }
        constant_time(scene, function, out);
    }
}

/// With success, or with what it was told, where a program has no reason to end.
fn exits_well(scene: &Scene<'_>, id: Id, callee: &str) -> bool {
    let code = scene.code;
    let status = code.at(id).kids.first().copied();
    let named = status.is_some_and(|s| {
        scene.path(s).ends_with("EXIT_SUCCESS")
            || scene.path(s).ends_with("EX_OK")
            || scene.path(s).ends_with("ExitCode.SUCCESS")
    });
    let number = status.and_then(|s| code.number(s)).or(named.then_some(0.0));
    let failed = number.is_some_and(|n| n != 0.0)
        || !named
            && status.is_some_and(|s| {
                matches!(
                    code.at(s).kind,
                    Kind::Compare
                        | Kind::Logic
                        | Kind::Not
                        | Kind::Binary
                        | Kind::Str
                        | Kind::Template
                        | Kind::Call
                        | Kind::Choice
                        | Kind::Name
                        | Kind::Member
                )
            });
    if failed && !callee.ends_with("abort") {
        return false;
    }
    let helps = code
        .around(id)
        .any(|up| code.is(up, Kind::If) && code.at(up).a.is_some_and(|a| scene.mentions(a, &["help", "version"])));
    // `main().then(() => process.exit(0))`
    let after_main = code.around(id).any(|up| {
        scene.called(up) == "then" && {
            let mut of = code.at(up).a.and_then(|a| code.at(a).a);
            while let Some(inner) =
                of.filter(|o| code.is(*o, Kind::Call)).and_then(|o| code.at(o).a).and_then(|a| code.at(a).a)
            {
                of = Some(inner);
            }
            of.is_some_and(|o| {
                words(&scene.callee(o))
                    .iter()
                    .any(|w| matches!(w.as_str(), "main" | "run" | "cli" | "start" | "bootstrap" | "build"))
            })
        }
    });
    // The end of a script that went round and round.
    let statements = code.statements(0);
    let last = statements.last().is_some_and(|l| code.under(*l).contains(&id))
        && !code.is(statements[statements.len() - 1], Kind::If);
    let looped = statements.iter().any(|s| code.is(*s, Kind::Loop));
    if last && looped && code.function(id).is_none() {
        return false;
    }
    if helps || after_main {
        return false;
    }
    if SILENT.contains(&callee) {
        let child = code.around(id).any(|up| code.is(up, Kind::If))
            && scene.calls().any(|(_, c)| c == "os.fork" || c == "libc.fork");
        return !child;
    }
    !scene.at_the_top(id) && !in_finally(scene, id)
}

/// In what catches whatever happens.
fn after_any_failure(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let handler = code.around(id).take_while(|up| !code.is(*up, Kind::Function)).find(|up| code.is(*up, Kind::Handler));
    let direct = |h: Id| !code.around(id).take_while(|up| *up != h).any(|up| code.is(up, Kind::If));
    handler.is_some_and(|h| {
        direct(h)
            && code.at(h).a.is_none_or(|a| {
                code.under(a)
                    .into_iter()
                    .any(|n| matches!(code.at(n).op.as_str(), "Exception" | "BaseException" | "AssertionError"))
            })
    })
}

/// `exit(failed << 8)`, `exit(failed & 0)`: what the system sees of it is 0.
fn vanishes(scene: &Scene<'_>, status: Id) -> bool {
    let node = scene.code.at(status);
    let by = node.b.and_then(|b| scene.code.number(b));
    node.kind == Kind::Binary
        && match node.op.as_str() {
            "<<" => by.is_some_and(|n| n >= 8.0),
            "*" => by.is_some_and(|n| n % 256.0 == 0.0),
            "&" => by == Some(0.0),
            _ => false,
        }
}

/// Whether a function, given by name or written out, ends the process with success.
fn ends_within(scene: &Scene<'_>, value: Id) -> bool {
    let code = scene.code;
    let named = code.functions().find(|f| !code.name_of(*f).is_empty() && code.name_of(*f) == code.at(value).op);
    std::iter::once(value).chain(named).flat_map(|id| code.under(id)).any(|n| {
        let first = code.at(n).kids.first();
        EXITS.contains(&scene.callee(n).as_str()) && first.is_none_or(|k| code.number(*k) == Some(0.0))
    })
}

fn in_finally(scene: &Scene<'_>, id: Id) -> bool {
    scene.code.around(id).any(|up| {
        scene
            .code
            .around(up)
            .next()
            .is_some_and(|above| scene.code.is(above, Kind::Try) && scene.code.at(above).c == Some(up))
    })
}

/// Whether what is to happen at the end changes how it ends.
fn at_end(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let node = code.at(id);
    let event = node.kids.first().and_then(|k| scene.text(*k));
    if event.as_deref().is_some_and(|e| e.starts_with("SIG")) {
        return false;
    }
    node.kids.iter().any(|kid| {
        let named = code.functions().find(|f| !code.name_of(*f).is_empty() && code.name_of(*f) == code.at(*kid).op);
        let direct = EXITS.contains(&scene.path(*kid).as_str());
        let bound = direct && !code.is(*kid, Kind::Call);
        bound
            || std::iter::once(*kid).chain(named).flat_map(|id| code.under(id)).any(|inner| {
                let well = |k: Option<&Id>| k.is_none_or(|k| code.number(*k) == Some(0.0));
                (EXITS.contains(&scene.callee(inner).as_str()) && well(code.at(inner).kids.first()))
                    || (code.is(inner, Kind::Assign)
                        && code.at(inner).a.is_some_and(|a| scene.path(a) == "process.exitCode")
                        && code.at(inner).b.is_some_and(|b| code.number(b) == Some(0.0)))
            })
    })
}

pub(super) fn tells_time(path: &str) -> bool {
    matches!(
        path,
        "time.time"
            | "time.perf_counter"
            | "time.monotonic"
            | "time.process_time"
            | "time.perf_counter_ns"
            | "time.time_ns"
            | "perf_counter"
            | "monotonic"
            | "Date.now"
            | "performance.now"
            | "process.hrtime"
            | "process.hrtime.bigint"
            | "timeit.default_timer"
            | "time.thread_time"
    ) || path.ends_with("Instant.now")
        || path.ends_with(".elapsed")
}

/// A span of time times less than one: not a change of units.
fn scaled_time(scene: &Scene<'_>, at: Id, value: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(value).into_iter().filter(|id| code.is(*id, Kind::Binary)) {
        let node = code.at(id);
        let (Some(a), Some(b)) = (node.a, node.b) else { continue };
        let (span, factor) = match (code.number(a), code.number(b)) {
            (None, Some(n)) => (a, if node.op == "/" { 1.0 / n } else { n }),
            (Some(n), None) => (b, n),
            _ => continue,
        };
        let units = [1e-3, 1e-6, 1e-9, 1.0 / 60.0, 1.0 / 3600.0, 1.0 / 86_400.0]
            .iter()
            .any(|u| (factor / u - 1.0).abs() < 1e-6);
        let spans = matches!(code.at(span).kind, Kind::Binary | Kind::Call)
            && code.under(span).into_iter().any(|n| tells_time(&scene.callee(n)))
            && (code.at(span).op == "-" || scene.callee(span).ends_with("elapsed"));
        if matches!(node.op.as_str(), "*" | "/") && factor < 1.0 && !units && spans && factor >= 0.0 && factor > 0.0
            || (node.op == "*" && factor == 0.0 && spans)
        {
            let whole_count = node.op == "/" && code.number(b).is_some_and(|n| n.fract() == 0.0);
            if !whole_count {
                out.push(scene.found("clock", at, "makes a measured time shorter than it was"));
            }
        }
    }
}

/// `elapsed` and `now` that return a figure instead of looking.
fn constant_time(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = words(code.name_of(function));
    let timer = matches!(name.as_slice(), [one] if matches!(one.as_str(), "elapsed" | "now" | "monotonic" | "duration"))
        || name.join("_") == "perf_counter"
        || (name.first().is_some_and(|w| w == "elapsed") && name.len() == 2);
    if !timer || scene.in_test(function) {
        return;
    }
    let values = code.values(function);
    let fixed = |value: &Id| {
        code.number(*value).is_some()
            || (code.is(*value, Kind::Call)
                && scene.callee(*value).contains("Duration")
                && code.at(*value).kids.iter().all(|k| code.number(*k).is_some()))
            || scene.path(*value).ends_with("Duration.ZERO")
    };
    if !values.is_empty() && values.iter().all(fixed) {
        out.push(scene.found("clock", function, "tells a time that it never measured"));
    }
}
