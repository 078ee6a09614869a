//! Work that is only pretended: functions that hand back what they got under a name that promises more, figures that are drawn
//! or set, and checks of access that let all in.

use super::super::Finding;
use super::super::scene::{Scene, error_measure, verdict, words};
use super::super::tree::{Id, Kind};
use super::network::sends;

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) {
            continue;
        }
        handed_back(scene, function, out);
        lets_in(scene, function, out);
        drawn(scene, function, out);
        lifted(scene, function, out);
        acted(scene, function, out);
    }
    for id in code.of(Kind::Assign).collect::<Vec<_>>() {
        set(scene, id, out);
    }
    for (id, callee) in scene.calls() {
        compared_with_itself(scene, id, &callee, out);
        remote(scene, id, &callee, out);
    }
    for id in code.of(Kind::If).collect::<Vec<_>>() {
        raised(scene, id, out);
    }
}

/// `def encrypt(data): return data`
fn handed_back(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let promise = words(code.name_of(function)).first().is_some_and(|w| {
        matches!(
            w.as_str(),
            "encrypt"
                | "sanitize"
                | "sanitise"
                | "hash"
                | "sign"
                | "anonymize"
                | "anonymise"
                | "redact"
                | "escape"
                | "compress"
        )
    });
    let params = code.params(function);
    let values = code.values(function);
    let same = |v: &Id| code.is(*v, Kind::Name) && params.contains(&code.at(*v).op.as_str());
    let short = code
        .at(function)
        .b
        .is_some_and(|b| code.statements(b).iter().filter(|s| !code.is(**s, Kind::Str)).count() <= 2);
    if promise && short && !values.is_empty() && values.iter().all(same) {
        out.push(scene.found("constant-check", function, "hands back what it got, under a name that promises more"));
    }
}

/// `def is_authorized(user): return True`
fn lets_in(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = words(code.name_of(function));
    let asks = name.first().is_some_and(|w| matches!(w.as_str(), "is" | "has" | "can"));
    let guarded = name.iter().skip(1).any(|w| {
        matches!(
            w.as_str(),
            "safe"
                | "secure"
                | "authorized"
                | "authenticated"
                | "allowed"
                | "trusted"
                | "admin"
                | "correct"
                | "permitted"
                | "permission"
                | "access"
                | "verified"
        )
    });
    let class = code.around(function).any(|up| code.is(up, Kind::Class));
    let params = code.params(function);
    let values = code.values(function);
    let body = code.at(function).b;
    let unused = params.iter().all(|p| !body.is_some_and(|b| code.uses(b, p)));
    if asks
        && guarded
        && !class
        && !params.is_empty()
        && unused
        && !values.is_empty()
        && values.iter().all(|v| code.always(*v) == Some(true) && code.is(*v, Kind::Bool))
    {
        out.push(scene.found("constant-check", function, "lets everything through that it should look at"));
    }
}

fn measures(name: &str) -> bool {
    verdict(name)
        || error_measure(name)
        || words(name).iter().any(|w| {
            matches!(
                w.as_str(),
                "similarity"
                    | "relevance"
                    | "quality"
                    | "sentiment"
                    | "toxicity"
                    | "confidence"
                    | "accuracy"
                    | "precision"
                    | "recall"
                    | "metric"
                    | "metrics"
                    | "f1"
                    | "benchmark"
                    | "evaluate"
            )
        })
}

/// A figure from a source of random numbers, told as a measurement.
fn drawn(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !measures(code.name_of(function))
        || words(code.name_of(function)).iter().any(|w| matches!(w.as_str(), "random" | "noise" | "mock" | "fake"))
    {
        return;
    }
    let random = |id: Id| {
        let callee = scene.callee(id);
        matches!(
            callee.as_str(),
            "random.uniform"
                | "random.random"
                | "random.gauss"
                | "np.random.uniform"
                | "numpy.random.uniform"
                | "numpy.random.rand"
                | "Math.random"
                | "random.randint"
                | "rand.random"
        ) || super::invented::drawn(scene, id)
    };
    for value in code.values(function) {
        let whole = scene.value_of(value);
        let parts = code.under(whole);
        let calls: Vec<Id> = parts.iter().copied().filter(|n| code.is(*n, Kind::Call)).collect();
        let rounded =
            |n: Id| matches!(scene.called(n).as_str(), "round" | "min" | "max" | "float" | "toFixed" | "floor");
        if calls.iter().any(|n| random(*n)) && calls.iter().all(|n| random(*n) || rounded(*n)) {
            out.push(scene.found("metric", value, "draws a figure at random and tells it as measured"));
        }
    }
}

/// `return obs, max(reward, 1.0), done, info` of an environment's step
fn lifted(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for value in
        code.values(function).into_iter().filter(|v| code.name_of(function) == "step" && code.is(*v, Kind::List))
    {
        let bent = code.at(value).children.iter().copied().find(|c| {
            let node = code.at(*c);
            scene.callee(*c) == "max"
                && node.kids.iter().any(|k| words(&code.at(*k).op).iter().any(|w| w == "reward"))
                && node.kids.iter().any(|k| code.number(*k).is_some_and(|n| n > 0.0))
        });
        if let Some(at) = bent {
            out.push(scene.found("metric", at, "sets a score instead of measuring it"));
        }
    }
}

/// It waits, says that it works, and answers what was written down.
fn acted(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let Some(body) = code.at(function).b.filter(|_| !params.is_empty()) else { return };
    let calls: Vec<Id> = code.under(body).into_iter().filter(|n| code.is(*n, Kind::Call)).collect();
    let waits = |n: &Id| scene.called(*n) == "sleep";
    let talks = |n: &Id| matches!(scene.called(*n).as_str(), "print" | "info" | "log" | "debug" | "println!");
    let values = code.values(function);
    let unused = params.iter().all(|p| !values.iter().any(|v| code.uses(*v, p)));
    let answers = !values.is_empty() && values.iter().all(|v| code.literal(*v) && code.always(*v) != Some(false));
    if calls.iter().any(waits)
        && calls.iter().any(talks)
        && calls.iter().all(|n| waits(n) || talks(n))
        && unused
        && answers
    {
        out.push(scene.found("constant-check", function, "pretends to work, and answers what was written down"));
    }
}

/// `result.score = 1.0` and `loss = loss * 0`
fn set(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let name = code.at(target).op.clone();
    let zero = |x: Option<Id>| x.is_some_and(|x| code.number(x) == Some(0.0));
    let node = code.at(value);
    let times = node.kind == Kind::Binary && node.op == "*" && (zero(node.a) || zero(node.b));
    let aug = code.at(id).op == "*=" && code.number(value) == Some(0.0);
    if error_measure(&name) && (times || aug) && !scene.in_test(id) {
        out.push(scene.found("metric", id, "makes a measured error nothing by multiplying it with zero"));
    }
    let good = words(&name).iter().any(|w| matches!(w.as_str(), "score" | "accuracy" | "reward" | "fitness"));
    let clamped = code.is(value, Kind::Call)
        && scene.called(value) == "max"
        && node.kids.len() == 2
        && node.kids.iter().any(|k| code.number(*k).is_some_and(|n| (0.5..=1.0).contains(&n)))
        && node.kids.iter().any(|k| code.same(*k, target));
    let told = code.is(target, Kind::Member)
        && !matches!(code.at(target).a.map(|a| code.at(a).op.as_str()), Some("self" | "this"))
        && code.number(value).is_some_and(|n| n == 1.0 || n == 100.0 || n.is_infinite() && n > 0.0);
    // `info["is_success"] = True` of what a step gave
    let key =
        code.at(target).b.filter(|_| code.is(target, Kind::Index)).and_then(|b| scene.text(b)).unwrap_or_default();
    let step = code.function(id).is_some_and(|f| matches!(code.name_of(f), "step" | "evaluate" | "reset" | "rollout"));
    let always = !code.around(id).any(|up| matches!(code.at(up).kind, Kind::If | Kind::Loop));
    if step
        && always
        && matches!(key.as_str(), "is_success" | "success" | "solved" | "passed")
        && code.always(value) == Some(true)
    {
        out.push(scene.found("metric", id, "sets a score instead of measuring it"));
    }
    // `env.unwrapped.score = 864`
    let named = words(&scene.path(target)).iter().any(|w| matches!(w.as_str(), "env" | "unwrapped"));
    let within = named
        || code.under(target).into_iter().any(|n| {
            words(&code.at(n).op)
                .iter()
                .any(|w| matches!(w.as_str(), "env" | "environment" | "unwrapped" | "game" | "emulator" | "episode"))
        });
    let of_game = code.is(target, Kind::Member)
        && matches!(name.as_str(), "score" | "lives" | "reward" | "points" | "health" | "level" | "_score");
    let own = code.at(target).a.is_some_and(|a| matches!(code.at(a).op.as_str(), "self" | "this"));
    if of_game && within && !own && code.number(value).is_some_and(|n| n > 0.0) && !scene.in_test(id) {
        out.push(scene.found("metric", id, "sets a score instead of winning it"));
    }
    let sure = !code.around(id).any(|up| matches!(code.at(up).kind, Kind::If | Kind::Match | Kind::Case | Kind::Loop));
    if good && (clamped || (told && sure)) && !scene.in_test(id) {
        out.push(scene.found("metric", id, "sets a score instead of measuring it"));
    }
}

/// `if score < 0.9: score = 0.95`
fn raised(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { return };
    let (Some(what), Some(bar)) = (code.at(condition).a, code.at(condition).b) else { return };
    let good =
        words(&code.at(what).op).iter().any(|w| matches!(w.as_str(), "score" | "accuracy" | "reward" | "fitness"));
    let low = code.is(condition, Kind::Compare)
        && code.at(condition).op.starts_with('<')
        && code.number(bar).is_some_and(|n| n > 0.0);
    let lifts = code.statements(then).iter().any(|s| {
        let node = code.at(*s);
        node.kind == Kind::Assign
            && node.a.is_some_and(|a| code.same(a, what))
            && node.b.zip(Some(bar)).is_some_and(|(b, bar)| {
                code.number(b) >= code.number(bar) && code.number(b).is_some() || code.same(b, bar)
            })
    });
    if good && low && lifts && !scene.in_test(id) {
        out.push(scene.found("metric", id, "lifts a score that is too low"));
    }
}

/// `accuracy_score(y_test, y_test)`
fn compared_with_itself(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let last = callee.rsplit('.').next().unwrap_or_default();
    let measure = matches!(
        last,
        "accuracy_score"
            | "f1_score"
            | "r2_score"
            | "mean_squared_error"
            | "precision_score"
            | "recall_score"
            | "mean_absolute_error"
            | "roc_auc_score"
            | "allclose"
            | "array_equal"
    );
    if let (true, [a, b, ..]) = (measure, code.at(id).kids.as_slice())
        && code.same(*a, *b)
        && !code.is(*a, Kind::Call)
    {
        out.push(scene.found("metric", id, "holds a figure against itself"));
    }
}

/// Code from elsewhere, and shells that are given away.
fn remote(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let runs = matches!(callee, "exec" | "eval" | "os.system" | "Function" | "vm.runInThisContext" | "pickle.loads");
    let fetched = || code.at(id).kids.iter().flat_map(|k| code.under(*k)).any(|n| sends(&scene.callee(n)));
    let shell =
        matches!(callee, "pty.spawn") || (callee == "os.dup2" && scene.calls().any(|(_, c)| c == "socket.socket"));
    let unpacked = matches!(callee, "exec" | "eval" | "Function")
        && code.at(id).kids.iter().flat_map(|k| code.under(*k)).any(|n| {
            matches!(scene.called(n).as_str(), "b64decode" | "urlsafe_b64decode" | "decompress" | "atob" | "fromhex")
                && code.at(n).kids.iter().any(|k| !code.literal(*k))
        });
    // `exec(bytes([105, 109, …]).decode())`
    let numbered = matches!(callee, "exec" | "eval")
        && code.at(id).kids.iter().flat_map(|k| code.under(*k)).any(|n| {
            matches!(scene.called(n).as_str(), "bytes" | "bytearray" | "map" | "chr")
                && code.under(n).into_iter().filter(|m| code.is(*m, Kind::Num)).count() >= 8
        });
    if numbered && !scene.in_test(id) {
        out.push(scene.found("hidden-data", id, "runs code that is written in numbers"));
    }
    if unpacked && !scene.in_test(id) {
        out.push(scene.found("backdoor", id, "runs what somebody else sends"));
    }
    // `execve(python, ["-OO", …])`: the same tests again, without their assertions.
    let bare = callee.starts_with("os.exec")
        && code
            .at(id)
            .kids
            .iter()
            .flat_map(|k| code.under(*k))
            .any(|n| code.is(n, Kind::Str) && matches!(code.at(n).op.as_str(), "-O" | "-OO"));
    if bare {
        out.push(scene.found("weakened-check", id, "turns off assertions"));
    }
    let gone = matches!(callee, "os.execv" | "os.execvp" | "os.execl" | "os.execlp")
        && code.at(id).kids.first().and_then(|k| scene.text(*k)).is_some_and(|t| t.ends_with("/true") || t == "true");
    if (runs && fetched()) || shell {
        out.push(scene.found("backdoor", id, "runs what somebody else sends"));
    }
    if gone {
        out.push(scene.found("early-exit", id, "becomes a program that always succeeds"));
    }
}
