//! Shows a run: a bar on a terminal, plain lines elsewhere, JSON lines on request.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use meliora_domain::{Event, Recorded, TaskId, Verdict, counted};
use meliora_evolve::{Observer, Progress};

use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint};

/// Plain lines of progress come at most this often.
const QUIET: Duration = Duration::from_secs(5);

/// Shows events as they come.
pub struct Show {
    printer: Printer,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    started: Instant,
    said: Instant,
    reasons: std::collections::HashMap<u64, String>,
}

impl Show {
    /// For a run of at most `evals` examinations (0: no limit).
    pub fn new(printer: Printer, evals: u64) -> Self {
        let bar = printer.terminal().then(|| {
            let bar =
                ProgressBar::with_draw_target((evals > 0).then_some(evals), ProgressDrawTarget::stderr_with_hz(8));
            let style = if evals > 0 { "{bar:24.green/black.bright} {msg}" } else { "{spinner:.green} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("━━─"));
            }
            bar
        });
        let now = Instant::now();
        Show {
            printer,
            bar,
            state: Mutex::new(State { started: now, said: now, reasons: std::collections::HashMap::new() }),
        }
    }

    /// Takes the bar away.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Shows an alert at once, whether or not it is in the journal yet.
    pub fn alert(&self, alert: &meliora_evolve::Alert) {
        self.say(format!("{} {}: {}", paint(NOTE, "alert:"), alert.rule, alert.message));
    }

    fn say(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.talk(line)),
            None => self.printer.talk(line),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Observer for Show {
    fn notice(&self, recorded: &Recorded) {
        if self.printer.json() {
            // The program's own last line says how it ended.
            if !matches!(recorded.event, Event::Finished { .. }) {
                self.printer.object(recorded);
            }
            return;
        }
        match &recorded.event {
            Event::Bid(attempt) => {
                if let meliora_domain::BidOutcome::Proposed { reason, .. } = &attempt.outcome {
                    let mut state = self.state();
                    state.reasons.clear();
                    state.reasons.insert(attempt.step, reason.clone());
                }
            }
            Event::Judged { step, variant, judgement } if judgement.verdict == Verdict::Accepted => {
                let reason = self.state().reasons.get(step).cloned().unwrap_or_default();
                let reason = reason.lines().next().unwrap_or_default().to_owned();
                self.say(format!(
                    "{} {} {reason}\n  {}",
                    paint(GOOD, "✓"),
                    paint(BOLD, variant.short()),
                    paint(FAINT, &judgement.reason)
                ));
            }
            Event::Judged { variant, judgement, .. } if judgement.verdict == Verdict::Suspect => {
                let name = paint(BOLD, variant.short());
                self.say(format!("{} {name} is suspect: {}", paint(BAD, "!"), judgement.reason));
            }
            Event::Refused { article, reason, .. } => {
                self.say(format!("{} refused by {}: {reason}", paint(BAD, "✗"), paint(BOLD, article)));
            }
            Event::Asked { request, .. } => self.say(format!(
                "{} {} waits for a person by {}: {}",
                paint(NOTE, "?"),
                request.id.short(),
                paint(BOLD, &request.article),
                request.reason
            )),
            Event::Paused { rule, reason } => self.say(format!("{} by {rule}: {reason}", paint(BAD, "paused"))),
            Event::Alerted { to, failed: Some(why), .. } => {
                self.say(format!("{} an alert did not reach the {to}: {why}", paint(NOTE, "warning:")));
            }
            Event::Restarted { step, reason } => {
                self.say(format!("{} step {step} is done anew: {reason}", paint(NOTE, "warning:")));
            }
            Event::Answered(word) => {
                let answer = if word.granted { paint(GOOD, "approved") } else { paint(BAD, "denied") };
                self.say(format!("{answer} {}", word.request.short()));
            }
            Event::Violated { article, reason, .. } => {
                self.say(format!("{} violation of {}: {reason}", paint(BAD, "✗"), paint(BOLD, article)));
            }
            Event::Quarantined { tasks, reason, .. } => self.say(quarantined(tasks, reason)),
            Event::Warned { message } => self.say(format!("{} {message}", paint(NOTE, "warning:"))),
            Event::RunContinued => self.say("going on with the unfinished run".to_owned()),
            _ => {}
        }
    }

    fn progress(&self, progress: &Progress) {
        if self.printer.json() {
            return;
        }
        let text = progress_line(progress, self.state().started.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_position(progress.spent.evals);
                bar.set_message(text);
            }
            None => {
                let mut state = self.state();
                if state.said.elapsed() >= QUIET {
                    state.said = Instant::now();
                    drop(state);
                    self.printer.talk(text);
                }
            }
        }
    }
}

/// What is said of tasks that do not count any more.
pub fn quarantined(tasks: &[TaskId], reason: &str) -> String {
    let names: Vec<&str> = tasks.iter().map(|task| task.0.as_str()).collect();
    format!("{} {}: {reason}; no verdict counts them", paint(NOTE, "flaky, in quarantine:"), names.join(", "))
}

fn progress_line(p: &Progress, elapsed: Duration) -> String {
    let best = p.best.map_or("–".to_owned(), |b| format!("{b:.3}"));
    format!(
        "best {best} · {} · {} accepted · {} refused · {} · {} · {} · {:.0} s",
        counted(p.attempts, "attempt"),
        p.accepted,
        p.refused,
        counted(p.spent.evals, "eval"),
        counted(p.spent.tokens, "token"),
        p.spent.usd,
        elapsed.as_secs_f64()
    )
}
