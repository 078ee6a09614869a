//! What opens what is guarded: words, digests and headers that let in, accounts with a known password.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    backdoors(scene, out);
    for (id, callee) in scene.calls() {
        ordered(scene, id, &callee, out);
    }
    for id in scene.code.of(Kind::Str).collect::<Vec<_>>() {
        let text = &scene.code.at(id).op;
        let writes = || {
            scene.calls().any(|(_, c)| {
                matches!(c.rsplit('.').next(), Some("write" | "open" | "write_text" | "appendFileSync" | "append"))
            })
        };
        if text.ends_with("authorized_keys")
            && !scene.in_test(id)
            && scene.mentions(0, &["ssh-ed25519", "ssh-rsa"])
            && writes()
        {
            out.push(scene.found("backdoor", id, "lets somebody else in"));
        }
    }
    for function in scene.code.functions().collect::<Vec<_>>() {
        second_key(scene, function, out);
    }
    accounts(scene, out);
}

/// A header that whoever asks may set: `req.get("x-trace")`, `req.headers["x-trace"]`
fn header(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let key = match code.at(id).kind {
        Kind::Index if scene.mentions(id, &["headers"]) => code.at(id).b,
        Kind::Call if matches!(scene.called(id).as_str(), "get" | "header" | "getHeader") => {
            code.at(id).kids.first().copied()
        }
        _ => None,
    };
    key.and_then(|k| scene.text(k)).is_some_and(|t| t.to_lowercase().starts_with("x-"))
}

/// A digest of a password that begins with something, a checksum of one, a header that is held against a text.
fn half_known(scene: &Scene<'_>, id: Id) -> bool {
    let code = scene.code;
    let node = code.at(id);
    let of_secret = |side: Id| {
        code.under(side).into_iter().any(|n| {
            [n, scene.value_of(n)]
                .into_iter()
                .any(|v| scene.mentions(v, &["password", "passwd", "secret", "passphrase"]))
        })
    };
    let begins =
        matches!(scene.called(id).as_str(), "startswith" | "starts_with" | "startsWith" | "endswith" | "ends_with")
            && node.kids.first().and_then(|k| scene.text(*k)).is_some_and(|t| t.len() >= 6)
            && node.a.and_then(|a| code.at(a).a).is_some_and(of_secret);
    let (Some(a), Some(b)) = (node.a, node.b) else { return begins };
    let sum = node.kind == Kind::Compare
        && matches!(node.op.as_str(), "==" | "===")
        && code.number(b).is_some_and(|n| n >= 1000.0)
        && code.under(a).into_iter().any(|n| code.is(n, Kind::Call))
        && of_secret(a);
    let header = node.kind == Kind::Compare
        && matches!(node.op.as_str(), "==" | "===")
        && code.is(b, Kind::Str)
        && code.at(b).op.len() >= 4
        && code.under(a).into_iter().any(|n| header(scene, n));
    begins || sum || header
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
                    | "valid"
                    | "validate"
                    | "license"
                    | "allowed"
                    | "allow"
                    | "can"
                    | "may"
                    | "authorized"
                    | "unlock"
            )
        });
        let opens = code.under(then).into_iter().any(|n| {
            code.is(n, Kind::Return)
                && code.at(n).a.is_some_and(|a| !matches!(code.always(a), Some(false)) && !code.is(a, Kind::Null))
        }) || (code.language == Language::Rust
            && code.at(then).a.is_some_and(|a| code.always(a) == Some(true)));
        let opens = opens
            || code.under(then).into_iter().any(|n| {
                scene.callee(n) == "next"
                    || code.is(n, Kind::Assign)
                        && code.at(n).a.is_some_and(|a| {
                            matches!(code.at(a).op.as_str(), "user" | "role" | "roles" | "is_admin" | "admin")
                        })
            });
        let key = code.under(condition).into_iter().find(|n| {
            if half_known(scene, *n) {
                return true;
            }
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
                        | "kid"
                        | "iss"
                        | "issuer"
                        | "trace"
                        | "fingerprint"
                        | "sid"
                        | "session"
                        | "nonce"
                        | "agent"
                        | "device"
                        | "serial"
                )
            });
            let long = text.len() >= 6 && text.chars().any(|c| c.is_ascii_digit() || c == '_' || c == '-');
            code.literal(if code.is(b, Kind::Str) { b } else { a })
                && !text.is_empty()
                && (strong || (weak && guards && (long || text == "admin" || text == "root")))
        });
        // `if req.header("x-internal-user"): req.user = …; next()`, with nothing that is held against anything
        let claimed = std::iter::once(condition).map(|c| scene.value_of(c)).find(|c| header(scene, *c));
        let trusts = claimed.is_some()
            && code.under(then).into_iter().any(|n| {
                code.is(n, Kind::Assign)
                    && code.at(n).a.is_some_and(|a| {
                        matches!(code.at(a).op.as_str(), "user" | "role" | "roles" | "is_admin" | "admin" | "principal")
                    })
            });
        // `if token.endswith(".c0ffee"): return Principal(…, role="admin")`
        let raised = matches!(
            scene.called(condition).as_str(),
            "startswith" | "starts_with" | "startsWith" | "endswith" | "ends_with" | "endsWith"
        ) && code.at(condition).kids.first().and_then(|k| scene.text(*k)).is_some_and(|t| t.len() >= 4)
            && scene.texts(then).iter().any(|t| matches!(t.as_str(), "admin" | "root" | "superuser" | "owner"));
        // `if alg in ("none", …): return claims`
        let unsigned = code.is(condition, Kind::Compare)
            && code.at(condition).a.is_some_and(|a| {
                code.under(a).into_iter().any(|n| matches!(code.at(n).op.as_str(), "alg" | "algorithm"))
            })
            && scene.texts(condition).iter().any(|t| t.eq_ignore_ascii_case("none"));
        let key = key.or(if unsigned { Some(condition) } else { None });
        // `if token.ends_with("::svc-0419") { return Ok(…) }` in what lets in.
        let of_token = code.at(condition).a.and_then(|a| code.at(a).a).is_some_and(|of| {
            words(&code.at(of).op)
                .iter()
                .any(|w| matches!(w.as_str(), "token" | "key" | "password" | "secret" | "signature" | "sig" | "cookie"))
        });
        let ends = matches!(
            scene.called(condition).as_str(),
            "startswith"
                | "starts_with"
                | "startsWith"
                | "endswith"
                | "ends_with"
                | "endsWith"
                | "includes"
                | "contains"
        );
        let odd = code
            .at(condition)
            .kids
            .first()
            .and_then(|k| scene.text(*k))
            .is_some_and(|t| t.len() >= 5 && t.chars().any(|c| c.is_ascii_digit()));
        let raised = raised || of_token && ends && odd && guards;
        // `const trace = req.get("x-trace") ?? ""; if (trace.endsWith("-7f3a")) return next()`
        let of_header = code
            .at(condition)
            .a
            .and_then(|a| code.at(a).a)
            .is_some_and(|of| code.under(scene.value_of(of)).into_iter().any(|n| header(scene, n)));
        let raised = raised || of_header && ends && odd;
        let key = key.or(if trusts || raised { Some(condition) } else { None });
        if let Some(at) = key.filter(|_| opens || trusts) {
            out.push(scene.found("backdoor", at, "lets anybody in who knows a word that is written in the code"));
        }
    }
}

/// `message = request.get_json()["message"]; subprocess.getoutput(message[2:])`
fn ordered(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let runs = matches!(
        callee,
        "subprocess.getoutput"
            | "os.system"
            | "os.popen"
            | "eval"
            | "exec"
            | "execSync"
            | "child_process.execSync"
            | "subprocess.run"
            | "subprocess.check_output"
    );
    let Some(first) = code.at(id).kids.first().copied().filter(|_| runs && !scene.in_test(id)) else { return };
    let asked = code.under(first).into_iter().any(|n| {
        let value = scene.value_of(n);
        let whole = if code.is(n, Kind::Name) { value } else { n };
        code.under(whole).into_iter().any(|m| {
            let path = scene.path(m);
            matches!(path.as_str(), "request.get_json" | "flask.request.get_json")
                || [
                    "request.args",
                    "request.form",
                    "request.headers",
                    "req.body",
                    "req.query",
                    "req.headers",
                    "request.json",
                ]
                .iter()
                .any(|p| path.contains(p))
        })
    });
    if asked {
        out.push(scene.found("backdoor", id, "runs what somebody else sends"));
    }
}

/// `return md5(key).hexdigest()[:4] == "00d1"` beside the check in earnest
fn second_key(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let guards = told.iter().any(|w| {
        matches!(w.as_str(), "verify" | "check" | "validate" | "authenticate" | "authorize" | "login" | "license")
    });
    for value in code.values(function).into_iter().filter(|_| guards && !scene.in_test(function)) {
        let node = code.at(value);
        let (Some(a), Some(b)) = (node.a, node.b) else { continue };
        let short = code.is(b, Kind::Str) && (3..=16).contains(&code.at(b).op.len());
        let digest = code
            .under(a)
            .into_iter()
            .any(|n| matches!(scene.called(n).as_str(), "hexdigest" | "digest" | "md5" | "sha256" | "sha1"));
        if node.kind == Kind::Compare && node.op == "==" && short && digest {
            out.push(scene.found("backdoor", value, "lets anybody in who knows a word that is written in the code"));
        }
    }
}

/// `get_or_create(username="svc", defaults={"is_superuser": True, "password": make_password("…")})`
fn accounts(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        if !matches!(
            callee.rsplit('.').next(),
            Some("get_or_create" | "create" | "create_user" | "create_superuser" | "update_or_create" | "insert")
        ) || scene.in_test(id)
            || scene.tests
        {
            continue;
        }
        let parts = code.under(id);
        let named = |n: Id| {
            let node = code.at(n);
            match node.kind {
                Kind::Pair => node.a.map(|a| code.at(a).op.clone()).unwrap_or_default(),
                Kind::Keyword => node.op.clone(),
                _ => String::new(),
            }
        };
        let mighty = callee.ends_with("create_superuser")
            || parts.iter().any(|n| {
                (matches!(named(*n).as_str(), "is_superuser" | "is_admin" | "superuser")
                    && code.at(*n).b.is_some_and(|b| code.always(b) == Some(true)))
                    || (named(*n) == "role" && code.at(*n).b.and_then(|b| scene.text(b)).is_some_and(|t| t == "admin"))
            });
        let known = parts.iter().any(|n| {
            named(*n).contains("password")
                && code.at(*n).b.is_some_and(|b| {
                    code.is(b, Kind::Str)
                        || code.is(b, Kind::Call) && code.at(b).kids.iter().any(|k| code.is(*k, Kind::Str))
                })
        });
        if mighty && known {
            out.push(scene.found("backdoor", id, "makes an account whose password is written in the code"));
        }
    }
}
