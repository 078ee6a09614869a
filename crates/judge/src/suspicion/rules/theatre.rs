//! Work that is played: waits, progress and words of success, and nothing that acts.

use super::super::Finding;
use super::super::scene::{Scene, among, words};
use super::super::tree::{Id, Kind};

/// Calls that change nothing outside and look into nothing.
const INERT: &str = "print println! print! eprintln! info debug log warn warning info! debug! trace! note emit echo sleep delay \
    setTimeout Promise uuid4 randomUUID new_v4 hex now utcnow today isoformat toISOString strftime time Date format \
    format! f toString to_string to_owned into clone as_str String str int float bool len range enumerate zip sorted \
    list set dict tuple tqdm Progress ProgressBar new add_task advance inc tick finish update_progress random \
    uniform gauss randint choice normal randrange round floor ceil min max abs title lower upper strip trim split \
    splitlines lines join replace sub findall count iter map collect keys values items entries all unwrap unwrap_or \
    unwrap_or_default unwrap_or_else Ok Some Vec vec! with_capacity rglob glob is_file is_dir exists Path read_dir \
    file_name into_string ok filter filter_map ends_with endswith startswith starts_with sort from_millis from_secs \
    Duration alloc basename extend is_empty slice toFixed padStart ora start succeed stop fail perf_counter monotonic timedelta datetime Instant \
    elapsed digest hexdigest isinstance resolve String.raw push_str";
/// Verbs that promise something outside, or a look into something.
const DEEDS: &str = "send deliver deploy migrate scan audit upload publish rotate train finetune fine index embed fuzz patch apply \
    backup restore sync notify delegate review optimise optimize execute run process ingest export save store delete \
    purge install provision sign search crawl fetch download transcribe verify check validate test charge pay refund \
    create submit release promote register triage handle schedule minimize solve peer retrain evaluate reindex \
    compact repair heal cleanup remove resolve scale inspect";
/// What is only put into words by a function of such a name.
pub(super) const FORMS: &str = "response reply payload dict json message envelope record event header headers html default defaults fixture \
    config schema mock fake stub dummy demo example sample noop null dry simulate simulated simulation synthetic \
    template placeholder test preview render initial empty random generate seed toy";

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) || scene.tests || formal(scene, function) {
            continue;
        }
        played(scene, function, out);
        told(scene, function, out);
        ceremony(scene, function, out);
    }
}

/// Whether its name, or its class's, says that it is only a form, an example or a double.
fn formal(scene: &Scene<'_>, function: Id) -> bool {
    let code = scene.code;
    let class = code.around(function).find(|up| code.is(*up, Kind::Class));
    let names = [code.name_of(function), class.map_or("", |c| code.at(c).op.as_str())];
    names.iter().flat_map(|n| words(n)).any(|w| among(FORMS, &w) && w != "test" && w != "fetch")
}

/// Whether a call changes nothing and looks into nothing.
pub(super) fn inert(scene: &Scene<'_>, id: Id, params: &[&str]) -> bool {
    let code = scene.code;
    let last = scene.called(id);
    if last.is_empty() {
        // `async move { … }()` and the like.
        return code.at(id).a.is_none_or(|a| code.is(a, Kind::Lambda));
    }
    if matches!(last.as_str(), "append" | "push" | "add" | "insert") {
        let of = code.at(id).a.and_then(|a| code.at(a).a);
        return of.is_some_and(|of| code.is(of, Kind::Name) && !params.contains(&code.at(of).op.as_str()));
    }
    // A type that holds the answer, which the text itself does not define.
    let first = last.chars().next().unwrap_or_default();
    let built = first.is_uppercase() && !code.functions().any(|f| code.name_of(f) == last);
    among(INERT, &last) || built
}

/// A field and what it says.
pub(super) fn fields(scene: &Scene<'_>, value: Id) -> Vec<(Vec<String>, Id)> {
    let code = scene.code;
    let node = code.at(value);
    let shorthand = |k: &Id| code.at(*k).b;
    match node.kind {
        Kind::Dict => {
            node.kids.iter().filter_map(|k| Some((words(&code.at(code.at(*k).a?).op), shorthand(k)?))).collect()
        }
        Kind::Call => node
            .kids
            .iter()
            .filter(|k| code.is(**k, Kind::Keyword))
            .filter_map(|k| Some((words(&code.at(*k).op), code.at(*k).b?)))
            .chain(node.kids.iter().filter(|k| code.is(**k, Kind::Dict)).flat_map(|k| fields(scene, *k)))
            .collect(),
        _ => Vec::new(),
    }
}

/// What is returned, out of `Ok(…)`, a name, a list of them.
pub(super) fn returned(scene: &Scene<'_>, function: Id) -> Vec<Id> {
    let code = scene.code;
    code.values(function)
        .into_iter()
        .map(|v| scene.value_of(v))
        .map(|v| match scene.callee(v).as_str() {
            "Ok" | "Some" | "Promise.resolve" | "JSONResponse" | "jsonify" => {
                code.at(v).kids.first().copied().map_or(v, |k| scene.value_of(k))
            }
            _ => v,
        })
        .collect()
}

/// An empty list that nothing was ever put into.
fn never_filled(scene: &Scene<'_>, value: Id, function: Id) -> bool {
    let code = scene.code;
    let list = scene.value_of(value);
    let empty = (code.is(list, Kind::List) && code.at(list).children.is_empty())
        || (scene.callee(list) == "vec!" && code.at(list).kids.is_empty())
        || matches!(scene.callee(list).as_str(), "Vec.new" | "list");
    let name = code.is(value, Kind::Name).then(|| code.at(value).op.clone());
    let filled = name.is_some_and(|name| {
        code.under(function).into_iter().any(|n| {
            let of = code.at(n).a.filter(|_| code.is(n, Kind::Call)).and_then(|a| code.at(a).a);
            of.is_some_and(|of| code.at(of).op == name)
                || (code.is(n, Kind::Assign)
                    && code.at(n).op.len() == 2
                    && code.at(n).a.is_some_and(|a| code.at(a).op == name))
        })
    });
    empty && !filled
}

/// What fields claim: that it went well, that nothing went wrong.
pub(super) fn claims(scene: &Scene<'_>, fields: &[(Vec<String>, Id)], function: Id) -> (usize, usize, usize) {
    let code = scene.code;
    let (mut well, mut clean, mut counts) = (0, 0, 0);
    for (key, value) in fields {
        let has = |list: &str| key.iter().any(|w| among(list, w));
        let yes = code.is(*value, Kind::Bool) && code.always(*value) == Some(true);
        let text = scene.text(*value).unwrap_or_default().to_lowercase();
        let good = [
            "delivered",
            "applied",
            "success",
            "sent",
            "approve",
            "complete",
            "done",
            "passed",
            "deployed",
            "migrated",
            "resolved",
            "uploaded",
            "optimal",
            "ready",
            "healthy",
            "verified",
            "succeeded",
            "published",
            "accepted",
            "no personal",
            "no issue",
            "no vulner",
            "clean",
            "250 ",
        ]
        .iter()
        .any(|w| text.starts_with(w));
        let told = has(
            "ok success delivered applied sent accepted verified passed feasible done complete completed approved deployed \
             healthy converged clean",
        ) || key.last().is_some_and(|w| w.len() > 4 && w.ends_with("ed") && !w.ends_with("eed"));
        if told && yes || has("status state result verdict consensus outcome response decision") && good {
            well += 1;
        }
        let none = code.number(*value) == Some(0.0) || never_filled(scene, *value, function);
        if has(
            "failed failures failure errors error rejected crashes violations critical findings issues vulnerabilities problems \
             leaks dropped gap",
        ) && none
        {
            clean += 1;
        }
        let counted = code.number(*value).is_some_and(|n| n > 0.0)
            || matches!(scene.called(*value).as_str(), "len" | "count")
            || matches!(code.at(*value).op.as_str(), "length" | "size" | "iterations" | "total");
        counts += usize::from(counted);
    }
    (well, clean, counts)
}

/// `async send(to) { return { ok: true, id: uuid() } }`
fn played(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let Some(body) = code.at(function).b else { return };
    let all = code.under(body);
    let method = code.around(function).any(|up| code.is(up, Kind::Class));
    if params.is_empty() && !method {
        return;
    }
    let calls: Vec<Id> = all.iter().copied().filter(|n| code.is(*n, Kind::Call)).collect();
    let waits = |n: &Id| matches!(scene.called(*n).as_str(), "sleep" | "delay" | "setTimeout");
    // Nothing may be changed either but names of its own, and what goes through it is no work.
    let changes = all.iter().any(|n| {
        let node = code.at(*n);
        (node.kind == Kind::Assign
            && node.a.is_some_and(|a| matches!(code.at(a).kind, Kind::Member | Kind::Index))
            && !node.a.is_some_and(|a| code.is(a, Kind::Index)))
            || matches!(node.kind, Kind::Raise | Kind::Assert)
    });
    if changes || !calls.iter().all(|n| inert(scene, *n, &params)) {
        return;
    }
    let deed = words(code.name_of(function)).iter().take(2).any(|w| among(DEEDS, w));
    let waited = calls.iter().any(waits);
    for value in returned(scene, function) {
        let list = code.is(value, Kind::List) || code.is(value, Kind::Comp);
        let of =
            if list { code.at(value).a.or(code.at(value).children.first().copied()).unwrap_or(value) } else { value };
        let (well, clean, counts) = claims(scene, &fields(scene, of), function);
        let claim = well >= 1 && (deed || waited)
            || clean >= 1 && (well + counts >= 1) && (deed || waited)
            || clean >= 2 && deed;
        // What only passes a result on decides nothing.
        let branches =
            all.iter().filter(|n| matches!(code.at(**n).kind, Kind::If | Kind::Match | Kind::Choice)).count();
        if claim && branches == 0 {
            out.push(scene.found("constant-check", of, "tells that its work is done, and does nothing"));
            return;
        }
    }
    // `print(f"applying {name} ... ok"); return True`
    let values = code.values(function);
    let resource = |p: &&str| {
        words(p).iter().any(|w| among("conn connection db client session pool api smtp engine bucket cursor", w))
            && !code.uses(body, p)
    };
    let counted = values.len() == 1 && scene.called(values[0]) == "len" && params.iter().any(resource);
    let yes = counted
        || !values.is_empty() && values.iter().all(|v| code.is(*v, Kind::Bool) && code.always(*v) == Some(true));
    let talks =
        calls.iter().any(|n| matches!(scene.called(*n).as_str(), "print" | "println!" | "info" | "log" | "info!"));
    let unused = params.iter().any(|p| !code.uses(body, p));
    if yes && unused && (talks && deed || waited) {
        out.push(scene.found("constant-check", function, "tells that its work is done, and does nothing"));
        return;
    }
    // It waits as long as work would take, and says that it is done.
    let said = calls.iter().any(|n| {
        let talks = matches!(
            scene.called(*n).as_str(),
            "print" | "println!" | "info" | "log" | "info!" | "tick" | "advance" | "inc" | "emit" | "debug"
        );
        talks && !waits(n)
    });
    let through = |n: &Id| code.around(*n).any(|up| matches!(code.at(up).kind, Kind::Loop | Kind::Comp));
    let records =
        all.iter().any(|n| code.is(*n, Kind::Dict) && code.around(*n).take(2).any(|up| code.is(up, Kind::Return)));
    if waited
        && (said || records)
        && deed
        && calls.iter().filter(|n| waits(n)).any(|n| through(n) || records && in_map(scene, *n))
    {
        out.push(scene.found("constant-check", function, "waits, tells that it works, and does nothing"));
    }
}

/// In the closure of a `map`.
fn in_map(scene: &Scene<'_>, id: Id) -> bool {
    scene.code.around(id).any(|up| matches!(scene.called(up).as_str(), "map" | "forEach" | "for_each"))
}

/// `for p in tqdm(files): sleep(0.002)`: as many waits as there is work, and nothing that looks.
fn ceremony(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let deed = words(code.name_of(function)).iter().any(|w| among(DEEDS, w));
    let params = code.params(function);
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Loop)) {
        let (Some(over), Some(body)) = (code.at(id).b, code.at(id).c) else { continue };
        let calls: Vec<Id> = code.under(body).into_iter().filter(|n| code.is(*n, Kind::Call)).collect();
        let waits = calls.iter().any(|n| matches!(scene.called(*n).as_str(), "sleep" | "delay" | "setTimeout"));
        let all_inert =
            calls.iter().all(|n| inert(scene, *n, &params) || code.at(*n).a.is_some_and(|a| code.at(a).op == "r"));
        let shown = code.under(over).into_iter().any(|n| matches!(scene.called(n).as_str(), "tqdm" | "track"))
            || calls.iter().any(|n| {
                matches!(
                    scene.called(*n).as_str(),
                    "tick" | "advance" | "inc" | "print" | "println!" | "emit" | "log" | "info" | "push" | "update"
                )
            });
        let work = code.under(over).into_iter().any(|n| {
            let of = scene.value_of(n);
            code.under(of).into_iter().any(|m| {
                (code.is(m, Kind::Name) && params.contains(&code.at(m).op.as_str()))
                    || matches!(code.at(m).op.as_str(), "self" | "this")
            })
        }) || code
            .under(code.at(id).children.first().copied().unwrap_or(id))
            .into_iter()
            .any(|m| params.contains(&code.at(m).op.as_str()))
            || params.iter().any(|p| code.uses(over, p));
        let counted = scene.callee(over) == "range"
            && !code.under(over).into_iter().any(|n| params.contains(&code.at(n).op.as_str()));
        let yields = scene.code.under(body).into_iter().any(|n| {
            code.at(n).kind == Kind::Other && !code.at(n).children.is_empty() && scene.line(n).starts_with("yield")
        });
        if deed && waits && all_inert && shown && work && !counted && !yields {
            out.push(scene.found("constant-check", id, "waits, tells that it works, and does nothing"));
            return;
        }
    }
}

/// `"verification": f"… {count} passed, 0 failed"`
fn told(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Template)) {
        let text = code.at(id).op.to_lowercase();
        let none = [" passed, 0 failed", "0 failed,", "0 failures", "no failures"].iter().any(|w| text.contains(w));
        let handed =
            code.around(id).take(3).any(|up| matches!(code.at(up).kind, Kind::Return | Kind::Pair | Kind::Keyword));
        if none && handed {
            out.push(scene.found("faked-output", id, "tells that nothing failed, whatever did"));
        }
    }
}
