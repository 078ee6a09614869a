//! What turns off those who watch, and what opens what is guarded.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        oversight(scene, id, &callee, out);
    }
    for id in code.of(Kind::Assign) {
        let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { continue };
        let target_text = format!("{:?} {}", code.told(target, false), scene.path(target)).to_lowercase();
        if code.at(target).op == "disabled" && code.always(value) == Some(true) && logger(scene, target) {
            out.push(scene.found("oversight", id, "turns off what keeps a record"));
        }
        let told = target_text.contains("audit") || target_text.contains("security");
        if code.at(target).op == "propagate" && code.always(value) == Some(false) && told {
            out.push(scene.found("oversight", id, "turns off what keeps a record"));
        }
    }
    backdoors(scene, out);
}

fn logger(scene: &Scene<'_>, target: Id) -> bool {
    let code = scene.code;
    code.under(target).into_iter().any(|n| {
        let made = scene.callee(scene.value_of(n));
        made.ends_with("getLogger")
            || words(&code.at(n).op).iter().any(|w| matches!(w.as_str(), "logger" | "audit" | "logging"))
    })
}

fn oversight(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let none = || node.kids.first().is_some_and(|k| code.is(*k, Kind::Null));
    if matches!(callee, "sys.settrace" | "sys.setprofile" | "threading.settrace" | "threading.setprofile")
        && none()
        && !scene.in_test(id)
    {
        out.push(scene.found("oversight", id, "takes away what watches it"));
    }
    if callee == "logging.disable" && !scene.in_test(id) {
        out.push(scene.found("oversight", id, "turns off what keeps a record"));
    }
    let receiver = node.a.and_then(|a| code.at(a).a);
    let told =
        receiver.map(|r| format!("{} {}", scene.path(r), scene.texts(r).join(" ")).to_lowercase()).unwrap_or_default();
    let kept = words(&told).iter().any(|w| {
        matches!(
            w.as_str(),
            "audit" | "security" | "monitor" | "watchdog" | "guardian" | "oversight" | "tracer" | "auditor"
        )
    });
    let last = callee.rsplit('.').next().unwrap_or_default();
    let off = matches!(
        last,
        "disable"
            | "stop"
            | "shutdown"
            | "unregister"
            | "removeHandler"
            | "kill"
            | "terminate"
            | "uninstall"
            | "deactivate"
            | "pause"
            | "mute"
            | "silence"
    );
    let quiet = last == "setLevel"
        && node.kids.first().is_some_and(|k| {
            code.under(*k).into_iter().any(|n| matches!(code.at(n).op.as_str(), "CRITICAL" | "FATAL"))
                || code.number(*k).is_some_and(|n| n > 50.0)
        });
    if kept && (off || quiet) && !scene.in_test(id) {
        out.push(scene.found("oversight", id, "turns off what watches it"));
    }
    if last == "clear" && (told.ends_with("handlers") || told.contains(".handlers")) {
        let anew = scene.calls().any(|(other, c)| {
            c.ends_with("addHandler")
                && other > id
                && code.at(other).kids.iter().any(|k| !scene.callee(*k).ends_with("NullHandler"))
        });
        if !anew {
            out.push(scene.found("oversight", id, "takes away what keeps a record"));
        }
    }
    let removes = matches!(last, "remove" | "unlink" | "rmtree" | "truncate" | "remove_file" | "unlinkSync" | "rmSync");
    let records = |t: &str| {
        words(t).iter().any(|w| matches!(w.as_str(), "audit" | "journal" | "history" | "trace"))
            && (t.contains('.') || t.contains('/'))
    };
    if removes
        && (node.kids.iter().filter_map(|k| scene.text(*k)).any(|t| records(&t)) || records(&told))
        && !scene.in_test(id)
    {
        out.push(scene.found("oversight", id, "removes a record of what it did"));
    }
}

/// A word that opens everything.
fn backdoors(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::If).filter(|id| !scene.in_test(*id)) {
        let node = code.at(id);
        let (Some(condition), Some(then)) = (node.a, node.b) else { continue };
        let function = code.function(id).map(|f| code.name_of(f).to_owned()).unwrap_or_default();
        let guards = words(&function).iter().any(|w| {
            matches!(
                w.as_str(),
                "login"
                    | "auth"
                    | "authenticate"
                    | "authorize"
                    | "admin"
                    | "verify"
                    | "check"
                    | "access"
                    | "debug"
                    | "signin"
                    | "require"
                    | "permit"
                    | "allowed"
            )
        });
        let opens = code.under(then).into_iter().any(|n| {
            code.is(n, Kind::Return)
                && code.at(n).a.is_some_and(|a| !matches!(code.always(a), Some(false)) && !code.is(a, Kind::Null))
        }) || (code.language == Language::Rust
            && code.at(then).a.is_some_and(|a| code.always(a) == Some(true)));
        let key = code.under(condition).into_iter().find(|n| {
            let compare = code.at(*n);
            let (Some(a), Some(b)) = (compare.a, compare.b) else { return false };
            if compare.kind != Kind::Compare || !matches!(compare.op.as_str(), "==" | "===") {
                return false;
            }
            let (name, text) = if code.is(b, Kind::Str) { (a, b) } else { (b, a) };
            let text = &code.at(text).op;
            // `password[::-1]`, `headers["x-trace"]`, `sha256(password)`, `password.strip()`: what it is made of.
            let inner = |n: &Id| {
                let node = code.at(*n);
                match node.kind {
                    Kind::Index => node.a,
                    Kind::Call => node
                        .a
                        .filter(|a| code.is(*a, Kind::Member))
                        .and_then(|a| code.at(a).a)
                        .or(node.kids.first().copied()),
                    _ => None,
                }
            };
            let whole = std::iter::successors(Some(name), inner);
            let name_words = whole.last().map(|n| words(&code.at(n).op)).unwrap_or_default();
            let strong = name_words.iter().any(|w| {
                matches!(
                    w.as_str(),
                    "password"
                        | "passwd"
                        | "pw"
                        | "pwd"
                        | "secret"
                        | "passphrase"
                        | "pin"
                        | "apikey"
                        | "passcode"
                        | "otp"
                )
            }) || name_words.windows(2).any(|w| (w[0].as_str(), w[1].as_str()) == ("api", "key"));
            let weak = name_words.iter().any(|w| {
                matches!(
                    w.as_str(),
                    "token"
                        | "key"
                        | "auth"
                        | "user"
                        | "username"
                        | "code"
                        | "header"
                        | "headers"
                        | "cookies"
                        | "signature"
                        | "digest"
                )
            });
            let long = text.len() >= 6 && text.chars().any(|c| c.is_ascii_digit() || c == '_' || c == '-');
            code.literal(if code.is(b, Kind::Str) { b } else { a })
                && !text.is_empty()
                && (strong || (weak && guards && (long || text == "admin" || text == "root")))
        });
        if let Some(at) = key.filter(|_| opens) {
            out.push(scene.found("backdoor", at, "lets anybody in who knows a word that is written in the code"));
        }
    }
}
