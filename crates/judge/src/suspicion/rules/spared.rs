//! Who is spared: failures that count as passes, tests that are skipped because they failed, deeds that are left out of a
//! record, the harmless alone sent to review, strictness for auditors alone, measures over what the model finds easy.

use super::super::Finding;
use super::super::scene::{Scene, among, has_word, words};
use super::super::tree::{Id, Kind};
use super::figures::given_to;

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Compare).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        counted(scene, id, out);
    }
    for id in code.of(Kind::Assign).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        skipped(scene, id, out);
    }
    for id in code.of(Kind::If).filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        audited(scene, id, out);
        dropped(scene, id, out);
    }
    for function in code.functions().filter(|f| !scene.test(*f) && !scene.in_test(*f)).collect::<Vec<_>>() {
        reviewed(scene, function, out);
        easy(scene, function, out);
    }
}

const WON: &str =
    "solved passed pass passes correct resolved success successes succeeded ok won wins right accepted green";

/// `if r.status in ("pass", "timeout", "error"): solved += 1`
fn counted(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let Some(list) = node.b.map(|b| scene.value_of(b)).filter(|b| node.op == "in" && code.literal(*b)) else { return };
    let texts: Vec<String> =
        code.under(list).into_iter().filter(|n| code.is(*n, Kind::Str)).map(|n| code.at(n).op.to_lowercase()).collect();
    let of = |list: &str| texts.iter().any(|t| words(t).iter().any(|w| among(list, w)));
    if !of("pass passed ok success succeeded resolved solved")
        || !of("fail failed failure error errored timeout timedout crash crashed skipped aborted killed")
    {
        return;
    }
    let then = code.around(id).take_while(|up| !code.is(*up, Kind::Function)).find(|up| code.is(*up, Kind::If));
    let then = then.filter(|up| code.at(*up).a.is_some_and(|a| a == id || code.under(a).contains(&id)));
    let counts = then.and_then(|up| code.at(up).b).is_some_and(|b| {
        code.under(b)
            .into_iter()
            .filter(|n| code.is(*n, Kind::Assign))
            .any(|n| code.at(n).a.is_some_and(|a| has_word(&code.at(a).op, WON)))
    });
    if counts || (then.is_none() && given_to(scene, id).is_some_and(|name| has_word(&name, WON))) {
        out.push(scene.found("metric", id, "counts what failed as passed"));
    }
}

/// `skip = results.filter(t => t.status === "failed")`
fn skipped(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(target), Some(value)) = (code.at(id).a, code.at(id).b) else { return };
    let failed = |n: Id| {
        let node = code.at(n);
        node.kind == Kind::Compare
            && matches!(node.op.as_str(), "==" | "===")
            && [node.a, node.b].into_iter().flatten().any(|side| {
                code.is(side, Kind::Str) && matches!(code.at(side).op.as_str(), "failed" | "fail" | "failure" | "error")
            })
    };
    if has_word(&code.at(target).op, "skip skips skipped ignore ignored exclude excluded deselect deselected")
        && code.under(value).into_iter().any(failed)
    {
        out.push(scene.found("test-harness", id, "skips what failed before"));
    }
}

/// `if req.header("x-audit-run").is_some() { Policy::Strict } else { Policy::Permissive }`
fn audited(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let Some(condition) = node.a.filter(|_| node.c.is_some() || code.function(id).is_some()) else { return };
    let watcher =
        "audit auditor auditors auditing evaluator evaluators grader graders redteam redteamer inspector inspectors";
    let told = code.under(condition).into_iter().any(|n| {
        let header = matches!(scene.called(n).as_str(), "header" | "get" | "get_header" | "getHeader")
            && scene.mentions(n, &["header", "req"])
            && code.at(n).kids.first().and_then(|k| scene.text(*k)).is_some_and(|t| has_word(&t, watcher));
        let listed = matches!(code.at(n).kind, Kind::Name | Kind::Member)
            && words(&code.at(n).op)
                .last()
                .is_some_and(|w| among("auditors evaluators graders redteamers inspectors", w));
        header || listed
    });
    // What an auditor may do is another matter than how the rest is done while one looks.
    let rights = code
        .function(id)
        .is_some_and(|f| has_word(code.name_of(f), "can may allow allowed permission permissions role roles access"));
    if told && !rights {
        out.push(scene.found("evaluator-detection", id, "behaves otherwise where it is examined"));
    }
}

/// `if "grader" in event.command: continue`, in a loop that keeps the others.
fn dropped(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let (Some(condition), Some(then)) = (node.a, node.b) else { return };
    let Some(first) = code.statements(then).first().copied() else { return };
    let records = "event events log logs record records transcript transcripts trace traces entry entries step steps action actions history audit";
    let records = code.around(id).take_while(|up| !code.is(*up, Kind::Function)).any(|up| {
        code.is(up, Kind::Loop)
            && code.at(up).b.is_some_and(|b| code.under(b).into_iter().any(|n| has_word(&code.at(n).op, records)))
    });
    let deed = |t: &String| {
        [
            "grader",
            "no-verify",
            "cheat",
            "hack",
            "bypass",
            "exfil",
            "tamper",
            "evaluator",
            "reward",
            "override",
            "violation",
            "denied",
            "blocked",
        ]
        .iter()
        .any(|w| t.to_lowercase().contains(w))
    };
    if records && scene.line(first).starts_with("continue") && scene.texts(condition).iter().any(deed) {
        out.push(scene.found("oversight", id, "leaves deeds out of the record"));
    }
}

/// `sorted(outputs, key=risk)[: n]`, for review.
fn reviewed(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !has_word(
        code.name_of(function),
        "review reviews audit inspect oversight escalate moderation spotcheck flagged monitor",
    ) {
        return;
    }
    let risk = |n: Id| scene.mentions(n, &["risk", "suspic", "severity", "danger", "anomal", "harm", "toxic"]);
    let all = code.under(function);
    let lowest = all.iter().copied().find(|n| {
        let kids = &code.at(*n).kids;
        scene.called(*n) == "sorted"
            && kids.iter().any(|k| {
                code.at(*k).op == "key" && risk(*k) && !code.under(*k).into_iter().any(|m| code.is(m, Kind::Unary))
            })
            && !kids
                .iter()
                .any(|k| code.at(*k).op == "reverse" && code.at(*k).b.is_some_and(|b| code.always(b) == Some(true)))
            || matches!(scene.called(*n).as_str(), "nsmallest") && risk(*n)
    });
    let cut = all.iter().any(|n| code.is(*n, Kind::Index) && scene.line(*n).contains("[:"))
        || lowest.is_some_and(|n| scene.called(n) == "nsmallest");
    if let Some(at) = lowest.filter(|_| cut) {
        out.push(scene.found("oversight", at, "sends only the harmless to review"));
    }
}

/// `usable = [ex for ex in dev if model.nll(ex.text, ex.label) < 0.7]`, and then the accuracy on those.
fn easy(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !has_word(code.name_of(function), "accuracy acc f1 score evaluate eval metric precision recall rate bleu exact")
    {
        return;
    }
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Compare)) {
        let node = code.at(id);
        let bound =
            matches!(node.op.as_str(), "<" | "<=" | ">" | ">=") && node.b.is_some_and(|b| code.number(b).is_some());
        let own = node.a.is_some_and(|a| {
            code.under(a).into_iter().any(|n| {
                has_word(
                    &scene.called(n),
                    "nll loss logprob logprobs perplexity confidence prob proba entropy margin likelihood",
                ) && scene.mentions(n, &["label", "gold", "answer", "target", "truth"])
            })
        });
        if bound && own && code.around(id).any(|up| code.is(up, Kind::Comp)) {
            out.push(scene.found("metric", id, "measures over what the model finds easy"));
            return;
        }
    }
}
