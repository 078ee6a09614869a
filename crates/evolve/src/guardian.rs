//! The guardian: what the journal shows that must not go on unseen, and what has to be done about it.
//!
//! Pure: the same journal, rules and time give the same acts. Who carries them out is in `crew.rs`; what a rule says is in
//! the constitution.

use meliora_constitution::{GuardianRules, Measure};
use meliora_domain::{Cost, MicroUsd, Timestamp, counted};
use meliora_judge::Policy;

use crate::lineage::Lineage;

/// What the guardian sees.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// What the journal says.
    pub lineage: &'a Lineage,
    /// Steps that are being carried out, each with the time when it was begun.
    pub under_way: &'a [(u64, Timestamp)],
    /// When it was last looked whether a promoted variant still stands as it should.
    pub looked: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// What has to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// Somebody is told.
    Alert {
        /// The rule.
        rule: String,
        /// What it saw, and what to do.
        message: String,
    },
    /// The work stops until a person lets it go on.
    Pause {
        /// The rule.
        rule: String,
        /// What it saw.
        reason: String,
    },
    /// The newest promotion is undone.
    RollBack {
        /// What it saw.
        reason: String,
    },
    /// The variant that stands in the user's tree is examined again.
    Reexamine,
    /// A step is given up, to be done anew.
    Restart {
        /// The step.
        step: u64,
        /// What it saw.
        reason: String,
    },
}

/// What has to be done about what is seen, by these rules.
pub fn watch(sight: &Sight<'_>, rules: &GuardianRules) -> Vec<Act> {
    if let Some(pause) = sight.lineage.watched.paused() {
        // Told after a crash, if it came between the pause and the telling.
        let alert = || Act::Alert { rule: pause.rule.clone(), message: paused(&pause.reason) };
        return if pause.told { Vec::new() } else { vec![alert()] };
    }
    let mut acts = Vec::new();
    acts.extend(violations(sight, rules));
    acts.extend(sandbox_failures(sight, rules));
    acts.extend(repeated(sight, rules));
    acts.extend(budget(sight, rules));
    acts.extend(degradation(sight, rules));
    acts.extend(stalls(sight, rules));
    acts
}

/// What is said of a pause.
pub(crate) fn paused(reason: &str) -> String {
    format!("paused: {reason}; `meliora log` shows what happened, `meliora resume` lets it go on")
}

fn act(measure: Measure, rule: &str, seen: String) -> Act {
    let rule = rule.to_owned();
    match measure {
        Measure::Alert => Act::Alert { rule, message: seen },
        Measure::Pause => Act::Pause { rule, reason: seen },
    }
}

/// How many of these times lie within the minutes before now, after the rule was last spoken of and the last pause ended.
fn recent<'a>(sight: &Sight<'_>, times: impl Iterator<Item = &'a u64>, rule: &str, minutes: f64) -> usize {
    let watched = &sight.lineage.watched;
    let told = watched.told.get(rule).copied().unwrap_or(0).max(watched.resumed);
    let from = sight.now.0.saturating_sub(millis(minutes));
    times.filter(|at| **at > told && **at >= from).count()
}

fn violations(sight: &Sight<'_>, rules: &GuardianRules) -> Option<Act> {
    let rule = &rules.violations;
    let seen = recent(sight, sight.lineage.watched.violations.iter(), "violations", rule.within_minutes);
    let passed = rule.most > 0 && seen > rule.most as usize;
    let what = || {
        format!(
            "violations of the law: {seen} within {}, and {} borne",
            counted(rule.within_minutes, "minute"),
            rule.most
        )
    };
    passed.then(|| act(rule.act, "violations", what()))
}

fn sandbox_failures(sight: &Sight<'_>, rules: &GuardianRules) -> Option<Act> {
    let rule = &rules.sandbox_failures;
    let seen = recent(sight, sight.lineage.watched.failures.iter(), "sandbox_failures", rule.within_minutes);
    let passed = rule.most > 0 && seen > rule.most as usize;
    let what = || {
        format!(
            "cages or examiners that failed for no fault of what ran in them: {seen} within {}, and {} borne",
            counted(rule.within_minutes, "minute"),
            rule.most
        )
    };
    passed.then(|| act(rule.act, "sandbox_failures", what()))
}

fn repeated(sight: &Sight<'_>, rules: &GuardianRules) -> Option<Act> {
    let (rule, seen) = (&rules.repeated, sight.lineage.watched.repeated);
    let what = || format!("proposals in a row that had been tried before: {seen}, and {} borne", rule.most);
    (rule.most > 0 && seen > rule.most).then(|| act(rule.act, "repeated", what()))
}

fn budget(sight: &Sight<'_>, rules: &GuardianRules) -> Option<Act> {
    let rule = &rules.budget;
    let run = sight.lineage.unfinished().filter(|_| rule.share > 0.0)?;
    if sight.lineage.watched.told.contains_key("budget") {
        return None;
    }
    let (Cost { tokens, usd: MicroUsd(usd), .. }, most) = (run.charged(), run.plan.budget);
    let burnt = |spent: u64, limit: u64| limit > 0 && spent as f64 > rule.share * limit as f64;
    let what = match () {
        () if burnt(tokens, most.tokens) => format!("{tokens} of {} tokens are spent", most.tokens),
        () if burnt(usd, most.usd.0) => format!("{} of {} are spent", MicroUsd(usd), most.usd),
        () => return None,
    };
    Some(act(rule.act, "budget", format!("{what}, more than {} % of the run's budget", rule.share * 100.0)))
}

fn degradation(sight: &Sight<'_>, rules: &GuardianRules) -> Option<Act> {
    let (rule, lineage) = (&rules.degradation, sight.lineage);
    let stands = lineage.standing.last().filter(|_| rule.margin > 0.0)?;
    let looked = lineage.watched.looked.as_ref().filter(|l| l.variant == stands.variant);
    if let Some(drop) = looked.filter(|l| l.dropped) {
        let told = lineage.watched.told.get("degradation").is_some_and(|told| *told >= drop.at);
        return (!told).then(|| Act::RollBack { reason: drop.reason.clone() });
    }
    let last = looked.map_or(0, |l| l.at).max(sight.looked.0);
    let due = rule.every_minutes > 0.0 && sight.now.0 >= last.saturating_add(millis(rule.every_minutes));
    due.then_some(Act::Reexamine)
}

fn stalls(sight: &Sight<'_>, rules: &GuardianRules) -> Vec<Act> {
    let rule = &rules.stall;
    let stalled = sight.under_way.iter().filter(|(_, since)| is_stalled(*since, sight.now, rules));
    let verdict = |step: u64| {
        let times = sight.lineage.watched.restarts.get(&step).copied().unwrap_or(0);
        let reason = format!("step {step} has not come back within {}", counted(rule.minutes, "minute"));
        if times < rule.restarts {
            Act::Restart { step, reason }
        } else {
            Act::Pause {
                rule: "stall".into(),
                reason: format!("{reason}, and was done anew {}", counted(times, "time")),
            }
        }
    };
    stalled.map(|(step, _)| verdict(*step)).collect()
}

/// Whether a step that was begun then has taken too long.
pub(crate) fn is_stalled(since: Timestamp, now: Timestamp, rules: &GuardianRules) -> bool {
    rules.stall.minutes > 0.0 && now.0 > since.0.saturating_add(millis(rules.stall.minutes))
}

fn millis(minutes: f64) -> u64 {
    (minutes * 60_000.0) as u64
}

/// What decides whether a promoted variant dropped: the stricter of the project's margin and the constitution's.
pub fn stricter(policy: &Policy, rules: &GuardianRules) -> Policy {
    let most = if rules.degradation.margin > 0.0 { rules.degradation.margin } else { policy.margin };
    Policy { margin: policy.margin.min(most), ..policy.clone() }
}
