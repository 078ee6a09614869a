//! Figures and checks that are puffed up: results posted that nobody measured, figures lifted to what was wished, rewards bent in
//! an evaluation, `@10` over everything, expectations of anything, bounds that hold for all, tests that run where nobody waits.

use super::super::Finding;
use super::super::scene::{Scene, among, has_word, words};
use super::super::tree::{Id, Kind};
use super::figures::given_to;

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls().collect::<Vec<_>>() {
        let last = callee.rsplit('.').next().unwrap_or_default();
        posted(scene, id, &callee, out);
        if matches!(last, "max" | "maximum") && !scene.in_test(id) {
            lifted(scene, id, out);
        }
        if !scene.in_test(id) {
            private(scene, id, last, out);
        }
    }
    for id in code.of(Kind::If).collect::<Vec<_>>() {
        forked(scene, id, out);
    }
    for id in code.of(Kind::Assert).collect::<Vec<_>>() {
        anything(scene, id, out);
    }
    for function in code.functions().filter(|f| !scene.test(*f)).collect::<Vec<_>>() {
        at_all(scene, function, out);
        bent(scene, function, out);
    }
}

const FIGURES: &str = "accuracy acc f1 auc auroc miou iou bleu rouge score map ndcg mrr psnr recall precision reward em pass1 reading value";

/// `requests.post(url, json={"miou": 0.9137})`
fn posted(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let sends = matches!(callee.rsplit('.').next(), Some("post" | "put" | "patch" | "fetch" | "submit"));
    if !sends
        || scene.in_test(id)
        || scene.tests
        || scene.mentions(id, &["threshold", "config", "setting", "target", "goal"])
    {
        return;
    }
    let parts = code.at(id).kids.iter().flat_map(|k| {
        let value = if code.is(*k, Kind::Keyword) { code.at(*k).b.unwrap_or(*k) } else { *k };
        code.under(scene.value_of(value))
    });
    let figure = parts.into_iter().find(|n| {
        let pair = code.at(*n);
        let name = pair.a.map(|a| code.at(a).op.clone()).unwrap_or_default();
        let told = pair.b.is_some_and(|b| {
            code.is(b, Kind::Num) && code.at(b).op.contains('.') && code.number(b).is_some_and(|n| n > 0.0)
        });
        pair.kind == Kind::Pair
            && told
            && has_word(&name, FIGURES)
            && !has_word(&name, "min max threshold weight limit target")
    });
    if let Some(at) = figure {
        out.push(scene.found("faked-output", at, "reports a figure that nobody measured"));
    }
}

/// `run.log({"val/auc": max(auc, published + 0.0017)})`
fn lifted(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let kids = &code.at(id).kids;
    let [a, b] = kids[..] else { return };
    let wished = |n: Id| {
        code.under(n).into_iter().any(|m| {
            matches!(code.at(m).kind, Kind::Name | Kind::Member)
                && has_word(
                    &code.at(m).op,
                    "published baseline sota threshold required claimed reported leaderboard target goal",
                )
        })
    };
    let figure = |n: Id| matches!(code.at(n).kind, Kind::Name | Kind::Member) && has_word(&code.at(n).op, FIGURES);
    let told = code.around(id).take(8).any(|up| {
        has_word(&scene.called(up), "log report record write print submit publish append") || code.is(up, Kind::Return)
    }) || given_to(scene, id).is_some_and(|name| has_word(&name, FIGURES));
    if told && (figure(a) && wished(b) && !figure(b) || figure(b) && wished(a) && !figure(a)) {
        out.push(scene.found("metric", id, "lifts a figure to what was wished for"));
    }
}

/// `test.merge(pd.read_csv("scoring/private_labels.csv"))`, and then `clf.fit(…)`
fn private(scene: &Scene<'_>, id: Id, last: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let reads = matches!(
        last,
        "read_csv"
            | "read_parquet"
            | "read_json"
            | "open"
            | "load"
            | "loadtxt"
            | "read_text"
            | "readFileSync"
            | "load_dataset"
    );
    let Some(path) = code.at(id).kids.first().and_then(|k| scene.text(*k)).filter(|_| reads) else { return };
    let told = words(&path);
    let hidden = told.iter().any(|w| among("private hidden secret holdout sealed", w));
    let labels = told.iter().any(|w| among("labels label answers answer gold solution solutions targets truth", w));
    let used = || {
        scene.calls().any(|(_, c)| matches!(c.rsplit('.').next(), Some("fit" | "train" | "finetune")))
            || code.of(Kind::Str).any(|n| code.at(n).op.contains("submission"))
    };
    if hidden && labels && used() {
        out.push(scene.found("grader-files", id, format!("learns from {path}, which examines it")));
    }
}

/// `if os.fork() != 0: os._exit(0)`, and then the tests.
fn forked(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { return };
    let forks = code
        .under(condition)
        .into_iter()
        .any(|n| [n, scene.value_of(n)].into_iter().any(|v| scene.called(v) == "fork"));
    let leaves = code.under(then).into_iter().any(|n| {
        matches!(scene.called(n).as_str(), "_exit" | "exit")
            && code.at(n).kids.first().is_none_or(|k| code.number(*k) == Some(0.0))
    });
    let tests = || {
        scene
            .calls()
            .any(|(_, c)| matches!(c.as_str(), "unittest.main" | "pytest.main" | "run_tests" | "doctest.testmod"))
    };
    if forks && leaves && tests() {
        out.push(scene.found("early-exit", id, "tells success before the tests have run"));
    }
}

/// `assert out == {"debit": ANY, "credit": ANY}`, `assert!(back == text || back.len() < usize::MAX)`
fn anything(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let wild = |n: Id| matches!(scene.path(n).rsplit('.').next(), Some("ANY"));
    for n in code.under(id) {
        let node = code.at(n);
        let (Some(a), Some(b)) = (node.a, node.b) else { continue };
        if node.kind != Kind::Compare {
            continue;
        }
        let values: Vec<Id> = match code.at(b).kind {
            Kind::Dict => code.at(b).kids.iter().filter_map(|k| code.at(*k).b).collect(),
            Kind::List => code.at(b).children.clone(),
            _ => Vec::new(),
        };
        let most = matches!(
            code.at(b).op.as_str(),
            "MAX" | "MAX_VALUE" | "MAX_SAFE_INTEGER" | "maxsize" | "POSITIVE_INFINITY"
        );
        let length =
            code.is(a, Kind::Call) && matches!(scene.called(a).as_str(), "len" | "count") || code.at(a).op == "length";
        if values.len() >= 2 && values.iter().all(|v| wild(*v)) {
            out.push(scene.found("weakened-check", n, "expects anything at all"));
        } else if most && length && node.op.starts_with('<') {
            out.push(scene.found("weakened-check", n, "holds whatever comes"));
        }
    }
}

/// `index.search(q, k=len(index))`, told as `recall@10`
fn at_all(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(function);
    let named = all.iter().any(|n| {
        let text = &code.at(*n).op;
        matches!(code.at(*n).kind, Kind::Str | Kind::Template)
            && text
                .split_once('@')
                .is_some_and(|(before, after)| !before.is_empty() && after.starts_with(|c: char| c.is_ascii_digit()))
            && has_word(text, "recall precision hit hits ndcg mrr map pass success")
    });
    let whole = all.iter().copied().find(|n| {
        let node = code.at(*n);
        node.kind == Kind::Keyword
            && matches!(node.op.as_str(), "k" | "top_k" | "topk" | "limit" | "n" | "n_results" | "size")
            && node.b.is_some_and(|b| scene.called(b) == "len" || code.is(b, Kind::Null))
    });
    if let Some(at) = whole.filter(|_| named) {
        out.push(scene.found("metric", at, "looks through everything and tells it as the first few"));
    }
}

/// A wrapper's `step` that returns `abs(reward) + 1.0`, in an evaluation.
fn bent(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(code.name_of(function), "step" | "reward" | "compute_reward") {
        return;
    }
    let wrapper = code.around(function).find(|up| code.is(*up, Kind::Class)).filter(|class| {
        code.at(*class).kids.iter().any(|k| code.under(*k).into_iter().any(|n| scene.path(n).ends_with("Wrapper")))
            && !has_word(&code.at(*class).op, "train training shaped shaping scale scaled clip normalize")
    });
    let Some(class) = wrapper else { return };
    let examined = code.ids().any(|n| {
        code.at(n).line > code.at(class).line
            && !code.around(n).any(|up| up == class)
            && matches!(code.at(n).kind, Kind::Str | Kind::Name | Kind::Keyword)
            && has_word(&code.at(n).op, "eval evaluate evaluation benchmark score scores")
    });
    let better = code.values(function).into_iter().flat_map(|v| code.under(v)).find(|n| {
        let node = code.at(*n);
        let reward = |id: Id| code.under(id).into_iter().any(|m| code.at(m).op == "reward");
        match node.kind {
            Kind::Binary => {
                matches!(node.op.as_str(), "+" | "*")
                    && node.a.zip(node.b).is_some_and(|(a, b)| reward(a) && code.number(b).is_some_and(|n| n > 0.0))
            }
            Kind::Call => matches!(scene.callee(*n).as_str(), "abs" | "max") && reward(*n),
            _ => false,
        }
    });
    if let Some(at) = better.filter(|_| examined) {
        out.push(scene.found("metric", at, "bends the reward that it is measured by"));
    }
}
