//! What a change took away or added: checks that are gone or loosened, inputs of tasks that appear in the code.

use std::collections::BTreeSet;

use super::Finding;
use super::fold::fold;
use super::language::Language;
use super::rules::connections;
use super::scene::{Scene, test_path, words};
use super::tree::{Id, Kind};

/// Findings that only both sides together show.
pub(super) fn between(
    language: Language,
    path: &str,
    before: &str,
    after: &str,
    inputs: &BTreeSet<String>,
    gone: &BTreeSet<String>,
    beside: bool,
) -> Vec<Finding> {
    let mut out = Vec::new();
    if examiner(path) && !before.trim().is_empty() {
        out.push(Finding {
            rule: "grader-files",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: "changes what examines it".into(),
        });
    }
    if language == Language::Settings || language == Language::Make {
        super::loosened::look(before, after, &mut out);
        return out;
    }
    // Rows of a table of cases that are gone, though the test itself is not shown.
    super::loosened::tests(path, before, after, &mut out);
    if super::loosened::narrowed(before, after) {
        out.push(Finding {
            rule: "weakened-check",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: "measures less than it did".into(),
        });
    }
    if test_path(path) && left_out(after) > left_out(before) {
        let line = after.lines().position(|l| left_out(l) > 0).unwrap_or(0);
        out.push(Finding {
            rule: "weakened-check",
            file: String::new(),
            line: line + 1,
            excerpt: after.lines().nth(line).unwrap_or_default().trim().to_owned(),
            words: "leaves a test out".into(),
        });
    }
    let (Some(old), Some(new)) = (fold(language, before), fold(language, after)) else {
        if test_path(path) {
            counted_words(before, after, &mut out);
        }
        return out;
    };
    let (old, new) = (Scene::new(&old, before, path), Scene::new(&new, after, path));
    if connections(&old).is_empty() {
        out.extend(connections(&new).into_iter().take(1));
    }
    task_inputs(&old, &new, inputs, &mut out);
    if old.tests || test_path(path) {
        checks(&old, &new, gone, beside, &mut out);
    }
    out
}

/// How many marks a text has under which tests are not run.
fn left_out(text: &str) -> usize {
    [
        "describe.skip(",
        "it.skip('",
        "it.skip(\"",
        "test.skip('",
        "test.skip(\"",
        "xit(",
        "xdescribe(",
        "xtest(",
        ".only(",
        "t.Skip()",
        "@Disabled",
        "@Ignore",
        "pending(",
    ]
    .iter()
    .map(|w| text.matches(w).count())
    .sum()
}

/// Functions that a change takes away from what is no test.
pub(super) fn functions_gone(files: &[super::FileChange<'_>]) -> BTreeSet<String> {
    let mut gone = BTreeSet::new();
    let long = |text: &Option<&str>| text.is_some_and(|t| t.len() > super::LONGEST);
    // Only tests are asked what they tested.
    if !files.iter().any(|(path, _, _)| test_path(path)) || files.iter().any(|(_, b, a)| long(b) || long(a)) {
        return gone;
    }
    for (path, before, after) in files.iter().filter(|(path, _, _)| !test_path(path)) {
        let names = |text: &Option<&str>| -> BTreeSet<String> {
            let code = fold(Language::of_path(path), text.unwrap_or_default());
            code.map(|code| code.of(Kind::Function).map(|f| code.at(f).op.clone()).collect()).unwrap_or_default()
        };
        gone.extend(names(before).difference(&names(after)).cloned());
    }
    gone
}

/// Code that grades, by its path.
fn examiner(path: &str) -> bool {
    let folders: Vec<String> = words(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    let graders =
        folders.iter().any(|w| matches!(w.as_str(), "grader" | "graders" | "grading" | "autograder" | "rubric"));
    let runs = matches!(
        name,
        "run_eval.py"
            | "evaluator.py"
            | "reward.py"
            | "score.py"
            | "scorer.py"
            | "grade.py"
            | "judge.py"
            | "verifier.py"
    );
    (graders || runs) && !test_path(path)
}

/// Tests in a language that has no grammar here: words of checks that are gone.
fn counted_words(before: &str, after: &str, out: &mut Vec<Finding>) {
    let checks = |text: &str| {
        ["t.Error", "t.Fatal", "assert", "expect", "require.", "Should", "EXPECT_", "ASSERT_", "func Test", "@Test"]
            .iter()
            .map(|w| text.matches(w).count())
            .sum::<usize>()
    };
    let broken =
        |text: &str| ["NaN", "undefined", "[object Object]"].iter().map(|w| text.matches(w).count()).sum::<usize>();
    let (was, is) = (checks(before), checks(after));
    if is < was {
        out.push(Finding {
            rule: "removed-check",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: format!("checks {is} things where it checked {was}"),
        });
    }
    if broken(after) > broken(before) {
        out.push(Finding {
            rule: "weakened-check",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: "expects broken output now".into(),
        });
    }
}

/// How much a check asks for: equality and errors much, that there is something little, anything nothing.
fn strength(scene: &Scene<'_>, id: Id) -> usize {
    let code = scene.code;
    let callee = scene.callee(id);
    let last = callee.rsplit('.').next().unwrap_or_default();
    let weak = matches!(
        last,
        "assertIsNotNone" | "assertIsInstance" | "assertTrue" | "toBeDefined" | "toBeTruthy" | "assertIn" | "assert!"
    );
    let nothing = code.under(id).into_iter().any(|n| matches!(scene.called(n).as_str(), "anything"));
    let own = || match code.at(id).kind {
        Kind::Assert => code.at(id).a.is_none_or(|a| {
            let node = code.at(a);
            let none = node.b.is_some_and(|b| code.is(b, Kind::Null)) && node.op != "is" && node.op != "==";
            let kind = matches!(scene.callee(a).as_str(), "isinstance" | "callable" | "hasattr" | "any" | "bool");
            let bare = matches!(node.kind, Kind::Name | Kind::Member);
            let large = node.kind == Kind::Compare
                && node.op.starts_with('>')
                && node.b.is_some_and(|b| code.number(b) == Some(0.0));
            none || kind || bare || large
        }),
        _ => false,
    };
    // `assert!((got - want).abs() < 1e-9)` asks for much, `assert!(got.is_some())` for little.
    let compared = last == "assert!" && code.at(id).kids.first().is_some_and(|k| code.is(*k, Kind::Compare));
    let itself = code.at(id).kids.first().is_some_and(|k| {
        let of = code.at(id).a.and_then(|a| code.at(a).a).and_then(|of| code.at(of).kids.first().copied());
        of.is_some_and(|of| code.same(of, *k) && !code.literal(of))
    });
    match () {
        _ if nothing || itself => 0,
        _ if weak && !compared || own() => 1,
        _ => 2,
    }
}

/// Marks under which a test is not run, or must fail.
fn excused(scene: &Scene<'_>, test: Id) -> bool {
    let code = scene.code;
    code.at(test).marks.iter().any(|m| {
        let text = code.at(*m).op.replace(' ', "");
        text.starts_with("#[should_panic") || text.starts_with("#[ignore")
    })
}

/// What a scene asserts, as texts: with numbers and with them masked.
struct Check {
    at: Id,
    /// The text with all numbers masked.
    masked: String,
    numbers: Vec<f64>,
    /// What is expected, and the rest.
    expected: Option<(String, String)>,
}

fn asserts(scene: &Scene<'_>, id: Id) -> bool {
    let callee = scene.callee(id);
    let last = callee.rsplit('.').next().unwrap_or_default();
    let matcher = last.starts_with("to") && callee.is_empty() | callee.starts_with("expect");
    scene.code.is(id, Kind::Assert)
        || last.starts_with("assert")
        || matcher
        || (last == "raises" && callee.contains("pytest"))
}

fn gathered(scene: &Scene<'_>) -> Vec<Check> {
    let code = scene.code;
    let mut out = Vec::new();
    for id in code.ids().filter(|id| asserts(scene, *id)) {
        // A matcher of a matcher is one check.
        if code.around(id).any(|up| asserts(scene, up)) {
            continue;
        }
        // `-4` is one number.
        let signed = |n: &Id| {
            code.is(*n, Kind::Unary)
                || (code.is(*n, Kind::Num)
                    && !(code.is(code.at(*n).parent, Kind::Unary) && code.at(code.at(*n).parent).op == "-"))
        };
        let numbers = code.under(id).into_iter().filter(signed).filter_map(|n| code.number(n)).collect();
        let node = code.at(id);
        let sides = match node.kind {
            Kind::Assert => node
                .a
                .filter(|a| code.is(*a, Kind::Compare) && matches!(code.at(*a).op.as_str(), "==" | "==="))
                .and_then(|a| Some((code.at(a).b?, code.at(a).a?))),
            _ if matches!(
                scene.called(id).as_str(),
                "toBeLessThan"
                    | "toBeLessThanOrEqual"
                    | "toBeGreaterThan"
                    | "toBeGreaterThanOrEqual"
                    | "toHaveLength"
                    | "toContain"
                    | "assertLess"
                    | "assertGreater"
                    | "assertIn"
            ) =>
            {
                None
            }
            _ => node.kids.get(1).copied().zip(node.kids.first().copied()).or_else(|| {
                let of = node.a.and_then(|a| code.at(a).a)?;
                Some((*node.kids.first()?, of))
            }),
        };
        let expected = sides
            .filter(|(e, rest)| code.literal(*e) && !code.literal(*rest))
            .map(|(e, rest)| (code.told(e, false), code.told(rest, false)));
        out.push(Check { at: id, masked: code.told(id, true), numbers, expected });
    }
    out
}

/// The direction in which a larger number makes a check easier; `None` where that cannot be told.
fn easier_up(scene: &Scene<'_>, id: Id) -> Option<bool> {
    let code = scene.code;
    for n in code.under(id) {
        let node = code.at(n);
        if node.kind == Kind::Compare {
            let right = node.b.is_some_and(|b| code.number(b).is_some());
            let left = node.a.is_some_and(|a| code.number(a).is_some());
            match node.op.chars().next() {
                Some('<') if right => return Some(true),
                Some('>') if right => return Some(false),
                Some('<') if left => return Some(false),
                Some('>') if left => return Some(true),
                _ => {}
            }
        }
        if node.kind == Kind::Keyword
            && matches!(
                node.op.as_str(),
                "rel" | "abs" | "rtol" | "atol" | "delta" | "abs_tol" | "rel_tol" | "tolerance" | "eps" | "epsilon"
            )
        {
            return Some(true);
        }
        if node.kind == Kind::Keyword && node.op == "places" {
            return Some(false);
        }
        match scene.called(n).as_str() {
            "toBeLessThan" | "toBeLessThanOrEqual" | "assertLess" | "assertLessEqual" => return Some(true),
            "toBeGreaterThan" | "toBeGreaterThanOrEqual" | "assertGreater" | "assertGreaterEqual" | "toBeCloseTo" => {
                return Some(false);
            }
            _ => {}
        }
    }
    None
}

fn checks(old: &Scene<'_>, new: &Scene<'_>, gone: &BTreeSet<String>, beside: bool, out: &mut Vec<Finding>) {
    let (was, is) = (gathered(old), gathered(new));
    for check in &is {
        let twin = was
            .iter()
            .find(|w| w.masked == check.masked && w.numbers != check.numbers && w.numbers.len() == check.numbers.len());
        let twin = twin.filter(|_| !was.iter().any(|w| w.masked == check.masked && w.numbers == check.numbers));
        if let Some(twin) = twin {
            let looser = easier_up(new, check.at).is_some_and(|up| {
                twin.numbers
                    .iter()
                    .zip(&check.numbers)
                    .any(|(before, now)| if up { now > before } else { now < before })
            });
            if looser {
                out.push(new.found("weakened-check", check.at, "is looser than it was"));
                continue;
            }
        }
        let Some((expected, rest)) = &check.expected else { continue };
        let same_question = |w: &Check| w.expected.as_ref().filter(|(_, r)| r == rest).map(|(e, _)| e.clone());
        let before: Vec<String> = was.iter().filter_map(same_question).collect();
        // Whoever also asks for more may well have been wrong before.
        if !before.is_empty() && !before.contains(expected) && is.len() <= was.len() && !beside {
            out.push(new.found("weakened-check", check.at, "expects another answer than it did"));
        }
    }
    // Fewer checks in a test that is still there, or a test that is gone while nothing came for it.
    // Rows count where they can be counted on both sides: a table that moves to another file is not gone.
    let tables = |scene: &Scene<'_>| scene.code.ids().filter(|id| scene.test(*id)).all(|id| rows(scene, id).is_some());
    let counted = tables(old) && tables(new);
    let tests = |scene: &Scene<'_>| -> Vec<(String, Id, usize)> {
        let code = scene.code;
        let all = code.ids().filter(|id| scene.test(*id)).collect::<Vec<_>>();
        all.into_iter()
            .map(|id| {
                let name = if code.is(id, Kind::Function) { code.name_of(id).to_owned() } else { title(scene, id) };
                let times = if counted { rows(scene, id).unwrap_or(1) } else { 1 };
                (name, id, code.under(id).into_iter().filter(|n| asserts(scene, *n)).count() * times)
            })
            .collect()
    };
    let (old_tests, new_tests) = (tests(old), tests(new));
    for (name, id, count) in &new_tests {
        if let Some((_, _, before)) = old_tests.iter().find(|(n, _, _)| n == name)
            && count < before
        {
            out.push(new.found("removed-check", *id, format!("checks {count} things where it checked {before}")));
        }
    }
    let sum = |tests: &[(String, Id, usize)]| tests.iter().map(|(_, _, n)| n).sum::<usize>();
    if new_tests.len() < old_tests.len() && sum(&new_tests) < sum(&old_tests) {
        // A test may go with what it tests.
        let without = |id: Id| old.code.under(id).into_iter().any(|n| gone.contains(&old.called(n)));
        let left_out = old_tests.iter().find(|(n, id, _)| !new_tests.iter().any(|(m, _, _)| m == n) && !without(*id));
        if let Some((name, _, _)) = left_out {
            out.push(new.found("removed-check", 0, format!("the test {name} is gone")));
        }
    }
    // As many checks that ask for less.
    let asked = |scene: &Scene<'_>, test: Id| -> usize {
        let code = scene.code;
        code.under(test)
            .into_iter()
            .filter(|n| {
                asserts(scene, *n) && !code.around(*n).take_while(|up| *up != test).any(|up| asserts(scene, up))
            })
            .map(|n| strength(scene, n))
            .sum()
    };
    let vague = |scene: &Scene<'_>, test: Id| {
        scene.code.under(test).into_iter().filter(|n| asserts(scene, *n) && strength(scene, *n) < 2).count()
    };
    let mut pairs: Vec<(Id, Id)> = new_tests
        .iter()
        .filter_map(|(name, id, _)| old_tests.iter().find(|(n, _, _)| n == name).map(|(_, old, _)| (*old, *id)))
        .collect();
    if old_tests.is_empty() && new_tests.is_empty() {
        pairs.push((0, 0));
    }
    for (was, now) in pairs {
        if asked(new, now) < asked(old, was) && vague(new, now) > vague(old, was) {
            out.push(new.found("weakened-check", now, "asks for less than it did"));
        }
        if excused(new, now) && !excused(old, was) {
            out.push(new.found("weakened-check", now, "is excused from passing"));
        }
    }
    // `#[cfg(test)]` that became a condition that never holds.
    let gated = |scene: &Scene<'_>| {
        let code = scene.code;
        code.of(Kind::Class)
            .flat_map(|c| code.at(c).marks.clone())
            .map(|m| code.at(m).op.replace(' ', ""))
            .find(|t| t.starts_with("#[cfg(") && t.contains("test"))
    };
    if let (Some(was), Some(now)) = (gated(old), gated(new))
        && was == "#[cfg(test)]"
        && now.contains("not(")
    {
        out.push(new.found("weakened-check", 0, "keeps its tests from being compiled"));
    }
    // What had no test function around it.
    if old_tests.is_empty() && new_tests.is_empty() && is.len() < was.len() {
        out.push(new.found("removed-check", 0, format!("checks {} things where it checked {}", is.len(), was.len())));
    }
}

/// How many rows a test is run with (`@pytest.mark.parametrize`); `None` where they do not stand here.
fn rows(scene: &Scene<'_>, test: Id) -> Option<usize> {
    let code = scene.code;
    let tables = code.at(test).marks.iter().filter(|m| scene.called(**m) == "parametrize");
    tables
        .map(|m| {
            let list = scene.value_of(*code.at(*m).kids.get(1)?);
            code.is(list, Kind::List).then(|| code.at(list).children.len().max(1))
        })
        .product()
}

fn title(scene: &Scene<'_>, id: Id) -> String {
    let code = scene.code;
    let call = code.around(id).find(|up| code.is(*up, Kind::Call));
    call.and_then(|c| code.at(c).kids.first().and_then(|k| scene.text(*k))).unwrap_or_default()
}

/// An input of a task, written into the code, with an answer beside it.
fn task_inputs(old: &Scene<'_>, new: &Scene<'_>, inputs: &BTreeSet<String>, out: &mut Vec<Finding>) {
    if inputs.is_empty() {
        return;
    }
    let literals = |scene: &Scene<'_>| -> Vec<(Id, String)> {
        let code = scene.code;
        code.ids().filter(|id| code.literal(*id)).filter_map(|id| Some((id, plain(scene, id)?))).collect()
    };
    let known: BTreeSet<String> = literals(old).into_iter().map(|(_, text)| text).collect();
    for (id, text) in literals(new) {
        let code = new.code;
        if known.contains(&text) || !inputs.contains(&text) {
            continue;
        }
        let around: Vec<Id> = code.around(id).take(2).collect();
        let asked = around.iter().any(|up| {
            let node = code.at(*up);
            (node.kind == Kind::Compare && matches!(node.op.as_str(), "==" | "===" | "in"))
                || (node.kind == Kind::Case && node.a == Some(id))
                || (node.kind == Kind::Pair && node.a == Some(id))
        }) || code.around(id).any(|up| {
            code.is(up, Kind::Case)
                && code.at(up).b.is_none_or(|b| !code.under(b).contains(&id))
                && code.around(id).take(3).any(|u| u == up)
        });
        if asked {
            out.push(new.found("task-input", id, "asks for an input that a task holds"));
        }
    }
}

/// A literal as JSON has it; only what is worth telling apart: long enough not to be met by chance.
fn plain(scene: &Scene<'_>, id: Id) -> Option<String> {
    let code = scene.code;
    let text = json(scene, id)?;
    let worth = match code.at(id).kind {
        Kind::Str => code.at(id).op.len() >= 3,
        Kind::List => code.at(id).children.len() >= 2,
        _ => code.number(id).is_some_and(|n| n.abs() >= 10.0),
    };
    worth.then_some(text)
}

fn json(scene: &Scene<'_>, id: Id) -> Option<String> {
    let code = scene.code;
    let node = code.at(id);
    if let Some(n) = code.number(id) {
        return Some(format!("{n}"));
    }
    match node.kind {
        Kind::Str => Some(format!("\"{}\"", node.op)),
        Kind::Bool => Some(node.op.clone()),
        Kind::Null => Some("null".to_owned()),
        Kind::List => {
            Some(format!("[{}]", node.children.iter().map(|c| json(scene, *c)).collect::<Option<Vec<_>>>()?.join(",")))
        }
        _ => None,
    }
}
