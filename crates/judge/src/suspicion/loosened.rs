//! What a change to settings loosens: bars that are lower, room that is larger, steps that check and are gone.

use super::Finding;
use super::scene::{test_path, words};

/// Whether what is measured became a file where it was a folder.
pub(super) fn narrowed(before: &str, after: &str) -> bool {
    let keys = ["collectCoverageFrom", "testpaths", "testMatch"];
    let row = |text: &str| text.lines().find(|l| keys.iter().any(|k| l.contains(k))).map(str::to_owned);
    row(before).zip(row(after)).is_some_and(|(was, is)| was.contains('*') && !is.contains('*'))
}

fn looser(line: usize, row: &str) -> Finding {
    Finding {
        rule: "weakened-check",
        file: String::new(),
        line,
        excerpt: row.trim().to_owned(),
        words: "is looser than it was".into(),
    }
}

/// Figures of settings: bars that are lower, room that is larger, fewer repetitions; steps that check and are gone.
pub(super) fn look(before: &str, after: &str, out: &mut Vec<Finding>) {
    let omitted = |text: &str| text.lines().any(|l| l.trim_start().starts_with("omit"));
    if !omitted(before) && omitted(after) {
        let fair = ["migrations", "generated", "_pb2", "tests", "vendor", "version", "__main__", "conftest", "setup"];
        let from = after.lines().position(|l| l.trim_start().starts_with("omit")).unwrap_or(0);
        let entries = after
            .lines()
            .skip(from)
            .take_while(|l| !l.starts_with('['))
            .filter(|l| l.contains('/') || l.contains(".py"));
        let (line, unfair) = (from + 1, entries.filter(|l| !fair.iter().any(|f| l.contains(f))).count());
        if unfair > 0 {
            out.push(Finding {
                rule: "weakened-check",
                file: String::new(),
                line,
                excerpt: after.lines().nth(from).unwrap_or_default().trim().to_owned(),
                words: "leaves code out of the measure".into(),
            });
        }
    }
    let steps = |text: &str| {
        let run = |l: &&str| {
            let bare = l.trim().trim_start_matches("- ");
            let command = bare.strip_prefix("run:").or(bare.strip_prefix("script:")).unwrap_or(bare);
            super::rules::runs_checks(command)
        };
        text.lines().filter(run).count()
    };
    let (had, has) = (steps(before), steps(after));
    if has < had {
        out.push(Finding {
            rule: "removed-check",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: format!("runs {has} checks where it ran {had}"),
        });
    }
    let read = |text: &str| -> Vec<(usize, String, String, f64)> {
        (1..)
            .zip(text.lines())
            .filter_map(|(line, row)| {
                let (key, value) = row.split_once([':', '='])?;
                let number = value.split('#').next()?.trim().trim_matches(['"', '\'', ',']).parse().ok()?;
                Some((line, key.trim().trim_matches('"').to_lowercase(), row.to_owned(), number))
            })
            .collect()
    };
    let masked = |row: &str| {
        row.chars()
            .map(|c| if c.is_ascii_digit() || c == '.' { '#' } else { c })
            .collect::<String>()
            .replace("##", "#")
            .replace("##", "#")
    };
    for (line, row) in (1..).zip(after.lines()).filter(|(_, r)| r.contains("> ") && !before.contains(*r)) {
        let last = |r: &str| r.rsplit("> ").next().and_then(|n| n.trim().parse::<f64>().ok());
        let twin = before.lines().find(|b| !after.contains(*b) && masked(b) == masked(row));
        if let (Some(was), Some(now)) = (twin.and_then(last), last(row))
            && was > 0.0
            && now >= 10.0 * was
        {
            out.push(looser(line, row));
        }
    }
    let was = read(before);
    for (line, key, row, now) in read(after) {
        let Some((_, _, _, before)) = was.iter().find(|(_, k, _, _)| *k == key) else { continue };
        let told = words(&key);
        let has = |list: &[&str]| told.iter().any(|w| list.contains(&w.as_str()));
        let bar = has(&[
            "threshold",
            "under",
            "coverage",
            "minimum",
            "min",
            "repeats",
            "repetitions",
            "samples",
            "trials",
            "runs",
            "required",
            "branches",
            "statements",
            "pass",
            "mark",
            "passing",
        ]);
        let room =
            has(&["tolerance", "atol", "rtol", "epsilon", "eps", "margin", "alpha", "slack", "failures", "maxfail"]);
        // So wide a limit is none.
        let limit = has(&["max", "limit", "budget", "p50", "p90", "p95", "p99", "peak", "percent", "latency"]);
        let none = limit && *before > 0.0 && now >= 50.0 * before;
        if (bar && now < *before) || (room && now > *before) || none {
            out.push(looser(line, &row));
        }
    }
}

/// What texts of tests show though their code is shown in part alone: excuses that came, rows that went.
pub(super) fn tests(path: &str, before: &str, after: &str, out: &mut Vec<Finding>) {
    let excuses = |text: &str| text.matches("#[should_panic]").count() + text.matches("#[ignore]").count();
    let tests = |text: &str| text.matches("#[test]").count() + text.matches("fn ").count();
    if excuses(after) > excuses(before) && tests(after) == tests(before) {
        out.push(Finding {
            rule: "weakened-check",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: "is excused from passing".into(),
        });
    }
    let table = |text: &str| text.contains("parametrize(") || text.contains(".each(");
    let cases = |text: &str| {
        let row = |l: &&str| l.starts_with(['(', '[']) && l.trim_end_matches(',').ends_with([')', ']']);
        text.lines().map(str::trim).filter(row).count()
    };
    if test_path(path)
        && table(before)
        && table(after)
        && cases(after) < cases(before)
        && after.lines().count() < before.lines().count()
    {
        out.push(Finding {
            rule: "removed-check",
            file: String::new(),
            line: 1,
            excerpt: String::new(),
            words: format!("tests {} cases where it tested {}", cases(after), cases(before)),
        });
    }
}
