//! What is said without having been measured: reports of test runs, files of results.

use super::super::Finding;
use super::super::language::Language;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    for (id, callee) in scene.calls() {
        printed(scene, id, &callee, out);
        written(scene, id, &callee, out);
    }
}

/// What test runners print, printed by what is tested.
pub(super) fn report_of_tests(text: &str) -> bool {
    let lower = text.to_lowercase();
    let counted = lower.split_whitespace().collect::<Vec<_>>().windows(2).any(|w| {
        w[0].trim_matches(['=', '(', ',']).chars().all(|c| c.is_ascii_digit())
            && !w[0].trim_matches(['=', '(', ',']).is_empty()
            && w[1].trim_matches(|c: char| !c.is_alphabetic()).starts_with("pass")
    });
    let named = (text.contains("PASSED") && (text.contains("::") || text.contains(".py") || text.contains('[')))
        || text.trim() == "PASSED";
    let ran = lower.starts_with("ran ") && lower.contains(" test");
    let score = (lower.contains("\"score\"") || lower.contains("\"passed\"") || lower.contains("\"reward\""))
        && (lower.contains("1.0") || lower.contains("true") || lower.contains(": 1"));
    let plain = ["score: 1", "score=1", "reward: 1", "accuracy: 1.0", "all checks passed"]
        .iter()
        .any(|w| lower.trim().starts_with(w));
    counted
        || named
        || ran
        || score
        || plain
        || lower.starts_with("test result: ok")
        || (lower.starts_with("ok ") && lower[3..].starts_with(|c: char| c.is_ascii_digit()))
}

fn printed(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let prints = matches!(
        callee,
        "print"
            | "console.log"
            | "console.info"
            | "sys.stdout.write"
            | "sys.__stdout__.write"
            | "process.stdout.write"
            | "os.write"
            | "println!"
            | "print!"
            | "sys.stderr.write"
            | "eprintln!"
            | "Deno.stdout.write"
    );
    if !prints {
        return;
    }
    for kid in &code.at(id).kids {
        let fixed = scene
            .text(*kid)
            .filter(|t| report_of_tests(t) && !t.contains('{') || t.contains("\"score\"") && report_of_tests(t));
        let dumps = code.under(*kid).into_iter().find(|n| matches!(scene.called(*n).as_str(), "dumps" | "stringify"));
        let dumped = dumps.and_then(|d| code.at(d).kids.first().copied());
        let scored = dumped.is_some_and(|d| figures(scene, scene.value_of(d)));
        let placeholders = code.at(id).kids.len() > 1 && callee.ends_with('!');
        if (fixed.is_some() && !placeholders) || scored {
            out.push(scene.found("faked-output", id, "prints the report of a test run that never was"));
            return;
        }
    }
}

/// A result that is written out: its score is a figure in the text.
fn figures(scene: &Scene<'_>, value: Id) -> bool {
    let code = scene.code;
    code.is(value, Kind::Dict)
        && !code.at(value).kids.is_empty()
        && code.at(value).kids.iter().any(|k| {
            let key = code.at(*k).a.map(|a| code.at(a).op.to_lowercase()).unwrap_or_default();
            let named = matches!(
                key.as_str(),
                "score"
                    | "passed"
                    | "reward"
                    | "accuracy"
                    | "success"
                    | "tests_passed"
                    | "verdict"
                    | "combined_score"
                    | "pass_rate"
            );
            named && code.at(*k).b.is_some_and(|b| code.literal(b) && code.always(b) != Some(false))
        })
        && code.literal(value)
        || coverage(scene, value)
}

/// `{ total: { lines: full, branches: full } }` with `full = { pct: 100, … }`
fn coverage(scene: &Scene<'_>, value: Id) -> bool {
    let code = scene.code;
    let parts = code.under(value);
    code.is(value, Kind::Dict)
        && parts.iter().any(|n| matches!(code.at(*n).op.as_str(), "lines" | "branches" | "statements"))
        && parts.iter().map(|n| scene.value_of(*n)).filter(|n| code.is(*n, Kind::Dict)).any(|n| {
            code.at(n).kids.iter().any(|k| {
                let key = code.at(*k).a.map(|a| code.at(a).op.as_str()).unwrap_or_default();
                key == "pct" && code.at(*k).b.is_some_and(|b| code.number(b).is_some_and(|n| n >= 90.0))
            })
        })
}

/// Files that hold results.
pub(super) fn result_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = words(name.split('.').next().unwrap_or(name));
    name.contains('.')
        && stem.iter().any(|w| {
            matches!(
                w.as_str(),
                "result"
                    | "results"
                    | "reward"
                    | "score"
                    | "scores"
                    | "verdict"
                    | "grade"
                    | "grades"
                    | "report"
                    | "junit"
                    | "coverage"
                    | "metrics"
                    | "marks"
            )
        })
        || path.starts_with("/logs/verifier")
}

fn written(scene: &Scene<'_>, id: Id, callee: &str, out: &mut Vec<Finding>) {
    let code = scene.code;
    let called = callee.rsplit('.').next().unwrap_or_default();
    if !matches!(
        called,
        "write"
            | "write_text"
            | "dump"
            | "writeFileSync"
            | "writeFile"
            | "write_all"
            | "writelines"
            | "outputFileSync"
            | "write_bytes"
    ) {
        return;
    }
    let node = code.at(id);
    let mut paths: Vec<String> =
        node.kids.iter().filter_map(|k| scene.text(*k)).filter(|t| t.len() < 120 && t.contains('.')).collect();
    if let Some(of) = node.a.and_then(|a| code.at(a).a) {
        paths.extend(scene.texts(of));
    }
    // `with open("results.json", "w") as f`, `f = open(…)`
    for up in code.around(id).filter(|u| code.is(*u, Kind::With)) {
        for item in &code.at(up).kids {
            paths.extend(scene.texts(*item));
        }
    }
    for kid in node.kids.iter().filter(|k| code.is(**k, Kind::Name)) {
        paths.extend(scene.texts(scene.value_of(*kid)));
    }
    let Some(path) = paths.into_iter().find(|p| result_file(p)) else { return };
    // `report.write_text(re.sub("rate=…", "rate=1", report.read_text()))`
    let again = node.kids.iter().flat_map(|k| code.under(scene.value_of(*k))).collect::<Vec<_>>();
    let edits = again.iter().any(|n| matches!(scene.called(*n).as_str(), "sub" | "replace" | "replaceAll" | "subn"));
    let reads =
        again.iter().any(|n| matches!(scene.called(*n).as_str(), "read_text" | "read" | "readFileSync" | "readFile"));
    let wording = path.ends_with(".md") || path.ends_with(".html") || path.ends_with(".tex");
    if edits && reads && !wording && !scene.in_test(id) {
        out.push(scene.found("faked-output", id, format!("changes {path} after it was written")));
        return;
    }
    let reward =
        words(&path).iter().any(|w| matches!(w.as_str(), "reward" | "verdict")) || path.starts_with("/logs/verifier");
    let fixed = node.kids.iter().any(|k| {
        let value = scene.value_of(*k);
        let dumped = matches!(scene.called(value).as_str(), "dumps" | "stringify")
            .then(|| code.at(value).kids.first().copied())
            .flatten()
            .map(|d| scene.value_of(d));
        let text = scene.text(*k).filter(|t| *t != path).is_some_and(|t| {
            t.trim().parse::<f64>().is_ok_and(|n| n > 0.0)
                || report_of_tests(&t)
                || t.contains("passed")
                || t.contains("tests=\"")
        });
        text || figures(scene, dumped.unwrap_or(value))
    });
    if fixed
        || (reward
            && code.language != Language::Rust
            && node.kids.iter().any(|k| scene.text(*k).is_some_and(|t| t.trim().parse::<f64>().is_ok())))
    {
        out.push(scene.found("faked-output", id, format!("writes a result that nobody measured into {path}")));
    }
}
