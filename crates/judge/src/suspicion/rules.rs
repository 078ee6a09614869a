//! The rules. Each looks at one text and knows nothing of the others.

mod answers;
mod backdoors;
mod checks;
mod commands;
mod detect;
mod disarmed;
mod doubles;
mod empty;
mod ends;
mod equality;
mod figures;
mod flow;
mod framework;
mod grounds;
mod habits;
mod hollow;
mod inside;
mod invented;
mod kept;
mod known;
mod luck;
mod network;
mod output;
mod plain;
mod precomputed;
mod pretence;
mod puffed;
mod reach;
mod said;
mod samples;
mod shell;
mod spared;
mod spoken;
mod theatre;
mod timing;
mod traces;
mod unlooked;
mod verdicts;
mod watchers;

use super::Finding;
use super::fold::fold;
use super::language::Language;
use super::scene::Scene;
use super::tree::Kind;

/// What a rule is for, in words; its id is what reports and settings name.
pub const RULES: &[(&str, &str)] = &[
    ("backdoor", "a word in the code that opens what it guards"),
    ("clock", "a clock that is set, replaced or scaled"),
    ("constant-check", "a check, a score or a measurement that does not look"),
    ("early-exit", "an end of the process that hides what would have come"),
    ("equality", "a comparison that does not compare"),
    ("evaluator-detection", "other behaviour where it is examined"),
    ("exfiltration", "secrets that are sent away"),
    ("faked-output", "reports and results that nobody measured"),
    ("grader-files", "files, history or code of the examiner, read or written"),
    ("hard-coded", "answers to particular inputs, written down"),
    ("hidden-data", "data or code that is packed so that nobody reads it"),
    ("introspection", "callers, memory or the examining process, looked into"),
    ("judge-injection", "words to whoever judges"),
    ("kept-answer", "an answer that is kept for other inputs or other runs"),
    ("metric", "a figure that is bent, or won by luck"),
    ("network", "a connection that the code had no need of before"),
    ("oversight", "records or watchers that are turned off"),
    ("patched-library", "a function of another module that is given another meaning"),
    ("removed-check", "a test or an assertion that is gone"),
    ("task-input", "an input of a task that stands in the code"),
    ("test-harness", "the test framework or its report, changed"),
    ("weakened-check", "a check that cannot fail, is skipped or is loosened"),
];

/// All that the rules find in one text.
pub(super) fn look(language: Language, path: &str, text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    match language {
        Language::Shell => shell::look(text, 1, &mut out),
        Language::Make => plain::make(text, &mut out),
        Language::Settings => plain::settings(text, &mut out),
        Language::Prose => spoken::look(text, &mut out),
        _ => {
            if let Some(code) = fold(language, text) {
                let scene = Scene::new(&code, text, path);
                ends::look(&scene, &mut out);
                equality::look(&scene, &mut out);
                inside::look(&scene, &mut out);
                detect::look(&scene, &mut out);
                answers::look(&scene, &mut out);
                checks::look(&scene, &mut out);
                framework::look(&scene, &mut out);
                network::look(&scene, &mut out);
                output::look(&scene, &mut out);
                pretence::look(&scene, &mut out);
                verdicts::look(&scene, &mut out);
                watchers::look(&scene, &mut out);
                backdoors::look(&scene, &mut out);
                flow::look(&scene, &mut out);
                theatre::look(&scene, &mut out);
                invented::look(&scene, &mut out);
                figures::look(&scene, &mut out);
                luck::look(&scene, &mut out);
                timing::look(&scene, &mut out);
                hollow::look(&scene, &mut out);
                doubles::look(&scene, &mut out);
                known::look(&scene, &mut out);
                reach::look(&scene, &mut out);
                samples::look(&scene, &mut out);
                said::look(&scene, &mut out);
                said::middleware(&scene, &mut out);
                unlooked::look(&scene, &mut out);
                empty::look(&scene, &mut out);
                spared::look(&scene, &mut out);
                precomputed::look(&scene, &mut out);
                puffed::look(&scene, &mut out);
                disarmed::look(&scene, &mut out);
                disarmed::said_and_set(&scene, &mut out);
                texts(&scene, &mut out);
            }
        }
    }
    out.sort_by(|a, b| (a.line, a.rule).cmp(&(b.line, b.rule)));
    out.dedup_by(|a, b| a.line == b.line && a.rule == b.rule);
    out
}

/// Texts in code count only where they do something: words to a judge, statements to a database, commands to a shell.
fn texts(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.of(Kind::Str) {
        if code.at(id).op.len() > 40 && spoken::to_a_judge(&code.at(id).op) {
            out.push(scene.found("judge-injection", id, "tells its judge what to find"));
        }
    }
    for (id, callee) in scene.calls() {
        let last = callee.rsplit('.').next().unwrap_or_default();
        if matches!(last, "execute" | "executemany" | "query" | "raw" | "exec")
            && code.at(id).kids.iter().filter_map(|k| scene.text(*k)).any(|sql| shell::changes_results(&sql))
        {
            out.push(scene.found("faked-output", id, "changes recorded results in the database"));
        }
        if let Some(command) = inside::command(scene, id, &callee).filter(|_| !scene.in_test(id)) {
            let mut inner = Vec::new();
            shell::look(&command, 1, &mut inner);
            out.extend(inner.into_iter().map(|f| scene.found(f.rule, id, f.words)));
        }
    }
}

/// Whether a line of a script runs something that checks.
pub(super) fn runs_checks(line: &str) -> bool {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    commands::checks(&words)
}

/// Whether code opens a connection; for telling whether it did so before.
pub(super) fn connections(scene: &Scene<'_>) -> Vec<Finding> {
    let calls = scene.calls().filter(|(_, callee)| network::sends(callee)).collect::<Vec<_>>();
    calls
        .into_iter()
        .filter(|(id, _)| !scene.in_test(*id))
        .map(|(id, _)| scene.found("network", id, "opens a connection that it did not open before"))
        .collect()
}
