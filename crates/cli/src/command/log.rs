//! `meliora log`: what happened.

use meliora_domain::{BidOutcome, Event, FinishReason, Recorded, Timestamp, Verdict, counted};
use meliora_evolve::Archive as _;

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::observer::quarantined;
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint};
use crate::project::archive_to_read;

/// Prints the journal.
pub fn log(args: &args::Log, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(&args.dir)?;
    let mut lines: std::collections::VecDeque<String> = std::collections::VecDeque::new();
    archive.replay(0, &mut |recorded| {
        let wanted = if args.refused {
            matches!(recorded.event, Event::Refused { .. })
        } else {
            args.all || printer.json() || matters(&recorded.event)
        };
        if wanted {
            let line = if printer.json() {
                serde_json::to_string(&recorded).unwrap_or_default()
            } else {
                format!("{} {}", paint(FAINT, time(recorded.at)), describe(&recorded, args.refused))
            };
            if lines.len() == args.lines.max(1) {
                lines.pop_front();
            }
            lines.push_back(line);
        }
        true
    })?;
    for line in lines {
        printer.data(line);
    }
    Ok(Exit::Done)
}

fn matters(event: &Event) -> bool {
    match event {
        Event::Judged { judgement, .. } => {
            judgement.verdict != Verdict::Rejected && judgement.verdict != Verdict::Unviable
        }
        Event::Bid(_) | Event::Admitted { .. } | Event::Examined { .. } | Event::Duplicate { .. } => false,
        Event::Traced { .. } | Event::Reserved { .. } | Event::Spent { .. } | Event::Shaped { .. } => false,
        _ => true,
    }
}

fn describe(recorded: &Recorded, with_change: bool) -> String {
    match &recorded.event {
        Event::RunStarted(plan) => {
            let arms: Vec<&str> = plan.arms.iter().map(|a| a.kind.as_str()).collect();
            format!(
                "{} strategy {}, {}, seed {}",
                paint(BOLD, "run started"),
                plan.strategy,
                arms.join(", "),
                plan.seed
            )
        }
        Event::RunContinued => "run continued".into(),
        Event::Admitted { step, variant, .. } => format!("step {step}: variant {}", variant.short()),
        Event::Reserved { step, cost } => {
            format!("step {step}: {}, {} set aside", counted(cost.tokens, "token"), cost.usd)
        }
        Event::Spent { step, cost } => {
            format!("step {step}: answers took {}, {}", counted(cost.tokens, "token"), cost.usd)
        }
        Event::Bid(attempt) => {
            let what = match &attempt.outcome {
                BidOutcome::Proposed { reason, .. } => reason.lines().next().unwrap_or_default().to_owned(),
                BidOutcome::Unusable { reason } => format!("unusable: {reason}"),
                BidOutcome::Exhausted => "nothing more to propose".into(),
            };
            format!("step {}: {what}", attempt.step)
        }
        Event::Refused { step, article, reason, change } => {
            let change = if with_change {
                format!("\n  {}", serde_json::to_string(change).unwrap_or_default())
            } else {
                String::new()
            };
            format!("step {step}: {} by {article}: {reason}{change}", paint(BAD, "refused"))
        }
        Event::Duplicate { step, .. } => format!("step {step}: tried before"),
        Event::Examined { step, variant, scorecard } => {
            let score = scorecard.mean(meliora_domain::Split::Validation).map_or("–".into(), |s| format!("{s:.4}"));
            format!("step {step}: {} scores {score}", variant.short())
        }
        Event::Judged { step, variant, judgement } => {
            let style = if judgement.verdict == Verdict::Accepted { GOOD } else { NOTE };
            let verdict = paint(style, judgement.verdict);
            let between = judgement
                .interval
                .map(|(low, high)| format!(" ({:+.4}, 95 % {low:+.4} to {high:+.4})", judgement.effect));
            format!("step {step}: {verdict} {}: {}{}", variant.short(), judgement.reason, between.unwrap_or_default())
        }
        Event::Cleared { variant, judgement, word } => {
            let why = if word.reason.is_empty() { String::new() } else { format!(" ({})", word.reason) };
            format!("{} {}{why}: {}, {}", paint(GOOD, "cleared"), variant.short(), judgement.verdict, judgement.reason)
        }
        Event::Crowned { variant, score } => format!("champion {} at {score:.4}", paint(BOLD, variant.short())),
        Event::Quarantined { tasks, reason, .. } => quarantined(tasks, reason),
        Event::Shaped { variant, shape } => format!("{} has the shape {}", variant.short(), &shape.to_string()[..10]),
        Event::Traced { variant, .. } => format!("train feedback gathered for {}", variant.short()),
        Event::HoldoutOpened { variant, scorecard } => {
            let score = scorecard.mean(meliora_domain::Split::Holdout).map_or("–".into(), |s| format!("{s:.4}"));
            format!("{} for {}: {score}", paint(NOTE, "holdout opened"), variant.short())
        }
        Event::Promoted { variant, commit, .. } => {
            format!("{} {} as commit {}", paint(GOOD, "promoted"), variant.short(), short(commit))
        }
        Event::Reexamined { variant, score, reference, reason, unclear, .. } => {
            let unclear = if *unclear { "; it is unclear whether it is as good as it was" } else { "" };
            format!("{} re-examined: {score:.4}, was {reference:.4}: {reason}{unclear}", variant.short())
        }
        Event::RolledBack { from, to, commit, reason } => format!(
            "{} {} to {} by commit {}: {reason}",
            paint(BAD, "rolled back"),
            from.short(),
            to.short(),
            short(commit)
        ),
        Event::Violated { decision, article, reason, source, .. } => {
            format!("{} by {article} ({decision}, {source}): {reason}", paint(BAD, "violation"))
        }
        Event::Asked { request, .. } => {
            format!(
                "{} {} by {}: {}",
                paint(NOTE, "waits for a person"),
                request.id.short(),
                request.article,
                request.reason
            )
        }
        Event::Answered(word) => {
            let answer = if word.granted { paint(GOOD, "approved") } else { paint(BAD, "denied") };
            format!("{answer} {}{}", word.request.short(), because(&word.reason))
        }
        Event::Used { request, .. } => format!("approval {} used", request.short()),
        Event::Paused { rule, reason } => format!("{} by {rule}: {reason}", paint(BAD, "paused")),
        Event::Resumed { reason, .. } => format!("{}{}", paint(GOOD, "resumed"), because(reason)),
        Event::Alerted { rule, message, to, failed } => {
            let failed = failed.as_ref().map(|why| format!(" (not delivered: {why})")).unwrap_or_default();
            format!("{} to {to} by {rule}: {message}{failed}", paint(NOTE, "alert"))
        }
        Event::Restarted { step, reason } => format!("step {step} is done anew: {reason}"),
        Event::Warned { message } => format!("{} {message}", paint(NOTE, "warning:")),
        Event::Interrupted => "interrupted; `meliora run` goes on".into(),
        Event::Finished { reason, .. } => match reason {
            FinishReason::Solved => "run finished: solved".into(),
            FinishReason::Budget(which) => format!("run finished: budget of {which} used up"),
            FinishReason::Exhausted => "run finished: the proposers have nothing more to offer".into(),
            FinishReason::Superseded(why) => format!("run left behind: {why}"),
        },
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// UTC, to the second: `2026-01-31 23:59:58`.
pub fn time(at: Timestamp) -> String {
    let (days, rest) = (at.0 / 86_400_000, at.0 / 1000 % 86_400);
    // Days to civil date: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let z = days as i64 + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A person's reason, where one was given.
fn because(reason: &str) -> String {
    if reason.is_empty() { " (no reason given)".into() } else { format!(": {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_utc() {
        assert_eq!(time(Timestamp(0)), "1970-01-01 00:00:00");
        assert_eq!(time(Timestamp(1_709_210_096_000)), "2024-02-29 12:34:56");
        assert_eq!(time(Timestamp(1_767_225_599_999)), "2025-12-31 23:59:59");
    }
}
