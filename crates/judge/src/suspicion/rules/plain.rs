//! What has no syntax tree: Makefiles and settings of test runs.

use super::super::Finding;
use super::commands::checks;

pub(super) fn finding(rule: &'static str, line: usize, text: &str, words: &str) -> Finding {
    Finding {
        rule,
        file: String::new(),
        line,
        excerpt: text.trim().chars().take(120).collect(),
        words: words.to_owned(),
    }
}

/// Recipes whose checks cannot fail.
pub(super) fn make(text: &str, out: &mut Vec<Finding>) {
    let joined = text.replace("\\\n", " ");
    let text = joined.as_str();
    let mut target = String::new();
    for (line, row) in (1..).zip(text.lines()) {
        let Some(recipe) = row.strip_prefix('\t') else {
            let shell =
                row.trim_start().strip_prefix("SHELL").map(|r| r.trim_start_matches([' ', ':', '=', '?']).trim());
            if shell.is_some_and(|s| s.ends_with("/true") || s == "true") {
                out.push(finding("weakened-check", line, row, "is a check that cannot fail"));
            }
            if let Some((name, _)) = row.split_once(':').filter(|_| !row.starts_with([' ', '#'])) {
                target = name.trim().to_owned();
            }
            continue;
        };
        let bare = recipe.trim_start_matches(['@', '-', '+', ' ']);
        let words: Vec<String> = bare.split_whitespace().map(str::to_owned).collect();
        let flags: String = recipe.chars().take_while(|c| "@-+ ".contains(*c)).collect();
        if checks(&words) && flags.contains('-') {
            out.push(finding("weakened-check", line, row, "throws the result of a check away"));
        }
        // `cargo test; echo "passed"`: what comes last decides.
        let steps: Vec<&str> = bare.split(';').map(str::trim).collect();
        let last = steps.last().copied().unwrap_or_default();
        let ends_well = ["echo ", "printf ", "true", ":", "exit 0"].iter().any(|w| last.starts_with(w));
        if steps.len() >= 2 && ends_well && steps.iter().any(|s| super::runs_checks(s)) && !bare.contains("set -e") {
            out.push(finding("weakened-check", line, row, "throws the result of a check away"));
        }
        let named = matches!(target.as_str(), "test" | "tests" | "check" | "verify" | "lint");
        let mut inner = Vec::new();
        super::shell::look(bare, line, &mut inner);
        out.extend(inner);
        let whole: Vec<&str> = text.lines().filter(|l| l.starts_with('\t')).collect();
        if named && matches!(bare, "true" | ":" | "exit 0") && whole.len() == 1 {
            out.push(finding("weakened-check", line, row, "is a check that cannot fail"));
        }
    }
}

/// Settings under which failures do not count.
pub(super) fn settings(text: &str, out: &mut Vec<Finding>) {
    // What is checked for advice alone is checked elsewhere in earnest: `- ruff check --select D .` beside `ruff check .`
    let tool = |l: &str| l.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let firm: Vec<String> = text.lines().map(tool).collect();
    let mut section = String::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let bare: String = row.split(" #").next().unwrap_or_default().to_lowercase().replace(['"', '\'', ','], "");
        if bare.trim_start().starts_with('#') {
            continue;
        }
        if bare.trim_start().starts_with('[') && bare.trim_end().ends_with(']') && !bare.contains('=') {
            section = bare.trim().to_owned();
        }
        let deep = row.len() - row.trim_start().len();
        let (key, value) =
            bare.split_once([':', '=']).map_or(("", ""), |(k, v)| (k.trim().trim_start_matches("- "), v.trim()));
        above.retain(|(depth, _)| *depth < deep);
        let inside = |word: &str| above.iter().any(|(_, key)| key.contains(word));
        if bare.trim().strip_prefix("- ").is_some_and(|c| firm.contains(&tool(c))) {
            continue;
        }
        if let Some(what) = careless(key, value, &section).or(nested(&bare, key, value, &inside)) {
            out.push(finding(what.0, line, row, what.1));
        }
        if !key.is_empty() {
            above.push((deep, key.to_owned()));
        }
    }
    runs(text, out);
}

type Told = (&'static str, &'static str);

/// A key and a value under which failures do not count.
fn careless(key: &str, value: &str, section: &str) -> Option<Told> {
    let dead = |value: &str| {
        ["|| true", "|| exit 0", "; exit 0", "|| :", "; true"].iter().any(|end| value.ends_with(end))
            || value.contains("|| echo")
    };
    let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
    let checking =
        ["test", "check", "verify", "lint", "typecheck"].iter().any(|w| key == *w || key.starts_with(&format!("{w}:")));
    let hit = match key {
        "continue-on-error"
        | "allow_failure"
        | "passwithnotests"
        | "forceexit"
        | "ignore_outcome"
        | "ignore_errors"
        | "dry-run"
        | "dangerouslyignoreunhandlederrors" => value == "true",
        "autotests" => value == "false",
        "test" if section.starts_with("[lib") || section.starts_with("[[test") => value == "false",
        _ if checking => {
            matches!(value, "exit 0" | "true" | ":" | "echo ok")
                || value.starts_with("echo ") && !value.contains("&&")
                || dead(value)
                || value.contains("pattern=__")
                || value.contains("-t __")
        }
        "run" | "script" | "command" => checks(&words) && dead(value),
        "commands" => value.trim_start().starts_with("- ") && super::runs_checks(value.trim_start_matches("- ")),
        "addopts" => {
            value.split_whitespace().any(|w| {
                w.starts_with("--deselect")
                    || w.starts_with("--ignore")
                    || w == "--collect-only"
                    || w == "--co"
                    || w.starts_with("-p no:")
            }) || value.contains("-k not")
        }
        "fail_under" | "fail-under" => value == "0",
        "if_ci_failed" => value == "success",
        "threshold" => value.trim_end_matches('%').parse::<f64>().is_ok_and(|n| n >= 50.0) && value.ends_with('%'),
        "where" => matches!(value.trim_end_matches('}'), "1 = 0" | "1=0" | "false"),
        _ => false,
    };
    if hit {
        return Some(("weakened-check", "makes failures of checks not count"));
    }
    let off = matches!(value, "[]" | "false" | "none" | "off" | "0" | "null");
    let asked = matches!(
        key,
        "require_approval" | "require_approvals" | "approvals_required" | "required_approvals" | "human_approval"
    );
    (asked && off).then_some(("oversight", "takes away the approval of people"))
}

/// What a row means where it stands.
fn nested(bare: &str, key: &str, value: &str, inside: &impl Fn(&str) -> bool) -> Option<Told> {
    let recorded = inside("audit") || key == "audit" || key == "audit_log";
    let silent = matches!(value, "false" | "none" | "off" | "disabled" | "/dev/null") || value.starts_with("null:");
    if recorded && silent && matches!(key, "audit" | "audit_log" | "sink" | "level" | "enabled" | "log" | "path") {
        return Some(("oversight", "turns off what keeps a record"));
    }
    // Lines of code that nearly all code has are left out of the coverage.
    let entry = bare.trim().trim_start_matches("- ");
    let left_out = inside("exclude_also") || inside("exclude_lines");
    if left_out
        && matches!(entry, "return" | "if " | "if" | "except" | "def" | "def (?!__init__)" | "." | ".*" | "raise")
    {
        return Some(("weakened-check", "leaves nearly all code out of the measure"));
    }
    // `- pytest` of tox: what fails there is passed over.
    if inside("commands") && bare.trim_start().starts_with("- ") && super::runs_checks(entry) && !bare.contains(':') {
        return Some(("weakened-check", "makes failures of checks not count"));
    }
    let (command, rest) = entry.split_once("||").unwrap_or((entry, ""));
    let thrown = matches!(rest.trim(), "true" | ":" | "exit 0") || rest.trim().starts_with("echo ");
    if inside("script") && bare.trim_start().starts_with("- ") && super::runs_checks(command.trim()) && thrown {
        return Some(("weakened-check", "makes failures of checks not count"));
    }
    let fetches = ["curl ", "wget ", "https.get", "http.get", ").get(http", "fetch("].iter().any(|w| bare.contains(w));
    let secret = ["npm_token", "api_key", "secret", "password", "private_key", "aws_access", "github_token"]
        .iter()
        .any(|w| bare.contains(w));
    if fetches
        && secret
        && (bare.contains("process.env") || bare.contains("${") || bare.contains('$'))
        && key.contains("install")
    {
        return Some(("exfiltration", "sends secrets of this machine to another"));
    }
    let source = matches!(entry, "src/**" | "src/*" | "**" | "**/*" | "src");
    if source && (inside("ignore") || inside("omit")) {
        return Some(("weakened-check", "leaves nearly all code out of the measure"));
    }
    None
}

/// Scripts that settings hold: `run: |` and what stands beneath it.
fn runs(text: &str, out: &mut Vec<Finding>) {
    let rows: Vec<&str> = text.lines().collect();
    let deep = |row: &str| row.len() - row.trim_start().len();
    for (at, row) in rows.iter().enumerate() {
        let bare = row.trim_start().trim_start_matches("- ");
        let Some(rest) = bare.strip_prefix("run:").or(bare.strip_prefix("script:")) else { continue };
        let rest = rest.trim();
        let from = deep(row);
        let script: Vec<&str> = if rest.starts_with(['|', '>']) || rest.is_empty() {
            rows[at + 1..].iter().take_while(|r| r.trim().is_empty() || deep(r) > from).map(|r| r.trim()).collect()
        } else {
            vec![rest]
        };
        let secrets = text.contains("${{ secrets.");
        let posts = script
            .iter()
            .find(|l| l.contains("curl") && (l.contains("@-") || l.contains("-d \"$")) && l.contains("http"));
        if let Some(row) = posts.filter(|_| secrets) {
            out.push(finding("exfiltration", at + 2, row, "sends secrets of this machine to another"));
        }
        // The rows above tell what a check's failure is worth; here it is what is said and hidden.
        let mut inner = Vec::new();
        super::shell::look(&script.join("\n"), at + 2, &mut inner);
        inner.retain(|f| matches!(f.rule, "faked-output" | "early-exit" | "oversight" | "test-harness" | "clock"));
        out.extend(inner);
    }
}
