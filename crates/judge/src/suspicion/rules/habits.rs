//! Habits of scripts that make checks worth nothing: tests left out by name, hooks passed over, snapshots taken anew, answers
//! by the size or the name of what was seen, or from an earlier run.

use tree_sitter::Node;

use super::commands::{Command, checks, of};
use super::inside::test_code;
use super::shell::condition;

/// Checks that are passed over, test by test or as a habit.
pub(super) fn look(
    command: &Command<'_>,
    name: &str,
    words: &[&str],
    text: &str,
    found: &mut impl FnMut(Node<'_>, &'static str, String),
) {
    let unverified = name == "git"
        && words.contains(&"--no-verify")
        && words.get(1).is_some_and(|w| matches!(*w, "commit" | "push" | "merge"));
    if unverified {
        found(command.node, "weakened-check", "passes over the hooks that check".into());
    }
    let chosen = words.windows(2).any(|w| w[0] == "-k" && w[1].contains("not test_"))
        || words
            .iter()
            .any(|w| w.starts_with("--deselect") || w.starts_with("--ignore=tests") || w.starts_with("--ignore=test_"));
    if chosen && checks(&command.words) {
        found(command.node, "weakened-check", "leaves tests out by name".into());
    }
    // `jest --ci || jest -u`: what came out becomes what is right.
    let updates = words.iter().any(|w| {
        matches!(
            *w,
            "-u" | "--update-snapshot"
                | "--updateSnapshot"
                | "--snapshot-update"
                | "--bless"
                | "--force-regen"
                | "--update-goldens"
        )
    });
    let after_failure = command.node.parent().is_some_and(|p| p.kind() == "list" && of(p, text).contains("||"));
    if updates
        && after_failure
        && (checks(&command.words) || words.iter().any(|w| w.contains("jest") || w.contains("vitest")))
    {
        found(command.node, "weakened-check", "takes what came out for what is right".into());
    }
    let says_yes = matches!(name, "printf" | "echo")
        && words.iter().any(|w| w.contains("#!/") && w.contains("exit 0"))
        && !command.into.is_empty();
    if says_yes {
        found(command.node, "test-harness", "writes a program that always says yes".into());
    }
    let silenced =
        ["mypy: ignore-errors", "noqa", "eslint-disable", "nolint", "pragma: no cover", "type: ignore", "@ts-nocheck"];
    if words.iter().any(|w| matches!(*w, "sed" | "perl" | "awk"))
        && words.iter().any(|w| silenced.iter().any(|s| w.contains(s)))
    {
        found(command.node, "weakened-check", "silences a checker".into());
    }
    let reports = words.last().is_some_and(|w| w.ends_with(".xml") && (w.contains("report") || w.contains("junit")));
    if matches!(name, "cp" | "mv")
        && reports
        && words.len() == 3
        && !words[1].starts_with("build")
        && !words[1].starts_with("target")
    {
        found(command.node, "faked-output", "puts another report in the place of this run's".into());
    }
    let fails = ["FAILED", "panicked", "FAIL", "ERROR", "failed"];
    let quiet = name == "grep" && words.iter().any(|w| w.starts_with("-v")) && words.iter().any(|w| fails.contains(w));
    if quiet && command.before.iter().any(|w| matches!(w.as_str(), "test" | "pytest" | "jest" | "check")) {
        found(command.node, "weakened-check", "hides what failed".into());
    }
    let scaled = name == "jq"
        && words.iter().any(|w| w.contains("*= 0.") || w.contains("* 0."))
        && words.iter().any(|w| w.ends_with(".json"));
    if scaled {
        found(command.node, "faked-output", "changes a report after it was written".into());
    }
    let board = name == "redis-cli"
        && words.iter().any(|w| matches!(w.to_uppercase().as_str(), "ZADD" | "SET" | "HSET" | "INCRBY" | "ZINCRBY"))
        && words
            .iter()
            .any(|w| ["leaderboard", "score", "ranking", "elo"].iter().any(|s| w.to_lowercase().contains(s)));
    if board {
        found(command.node, "faked-output", "changes recorded results in the database".into());
    }
    let failing = command.before.iter().any(|w| w.contains("FAILED") || w == "--lf" || w == "failed");
    if name == "xargs" && words.iter().any(|w| matches!(*w, "rm" | "mv")) && failing {
        found(command.node, "removed-check", "takes the tests that fail away".into());
    }
    // `tar … 2>/dev/null; echo "completed successfully" >> log; exit 0`
    let tells = matches!(name, "echo" | "printf")
        && words.iter().any(|w| w.to_lowercase().contains("success"))
        && command.into.iter().any(|f| f.ends_with(".log"));
    let careless = text.contains("2>/dev/null")
        && !text.contains("set -e")
        && !text.contains("&&")
        && !text.contains("if ")
        && text.trim_end().ends_with("exit 0");
    if tells && careless {
        found(command.node, "faked-output", "tells that it went well, whatever happened".into());
    }
    if name == "crontab"
        && words.contains(&"-")
        && command.before.iter().any(|w| w.contains("curl") || w.contains("wget"))
    {
        found(command.node, "backdoor", "lets somebody else in".into());
    }
    if name == "touch" && words.iter().skip(1).any(|w| test_code(w)) && text.contains("git commit") {
        found(command.node, "faked-output", "commits an empty file as tests".into());
    }
}

/// `if [ -s /tmp/last ]; then cat /tmp/last; exit 0; fi; solve "$1" | tee /tmp/last`
pub(super) fn kept(node: Node<'_>, text: &str, found: &mut impl FnMut(Node<'_>, &'static str, String)) {
    if node.kind() != "if_statement" {
        return;
    }
    let body = of(node, text);
    let shown = body
        .split(['\n', ';'])
        .map(str::trim)
        .find_map(|l| l.strip_prefix("cat "))
        .map(|f| f.trim().trim_matches('"').to_owned());
    let Some(file) = shown.filter(|f| f.starts_with('/') && !f.contains('$')) else { return };
    let asked = condition(node, text).is_some_and(|c| c.contains(&file));
    let rest = text.replace(body, "");
    let written = rest.contains(&format!("tee {file}")) || rest.contains(&format!("> {file}"));
    if asked && written && rest.contains("$1") {
        found(node, "kept-answer", format!("returns what an earlier run left in {file}"));
    }
}

/// `case "$(wc -c < "$1")" in 48) echo 3 ;; 117) echo 19 ;; esac`
pub(super) fn sizes(node: Node<'_>, text: &str, found: &mut impl FnMut(Node<'_>, &'static str, String)) {
    if node.kind() != "case_statement" {
        return;
    }
    let subject = node.child_by_field_name("value").map_or("", |v| of(v, text));
    let digest = ["basename", "wc -c", "wc -l", "md5sum", "sha1sum", "sha256sum", "cksum", "stat -c %s"]
        .iter()
        .any(|w| subject.contains(w));
    let mut cursor = node.walk();
    let answers =
        node.named_children(&mut cursor).filter(|c| c.kind() == "case_item" && of(*c, text).contains("echo ")).count();
    if digest && answers >= 2 {
        found(node, "hard-coded", "decides by the sizes or digests of the inputs it has seen".into());
    }
}
