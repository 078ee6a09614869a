//! Why a run did not go as hoped: what the journal shows, and what a person can do. Pure.

use meliora_domain::{FinishReason, Kind, Tier, counted};

use crate::budget::Over;
use crate::lineage::Lineage;

/// One finding.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Short name: `benchmark-too-easy`, …
    pub name: &'static str,
    /// What the journal shows.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// What is known beside the journal.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Highest score that the suite can give.
    pub ceiling: Option<f64>,
    /// What the suite's tasks stand for.
    pub kind: Kind,
    /// How far the subject is kept from its examiner.
    pub tier: Tier,
    /// Whether any proposer of the last run is a model.
    pub model: bool,
}

/// Reads the last run.
pub fn diagnose(lineage: &Lineage, circumstances: &Circumstances) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(run) = &lineage.run else { return findings };
    let baseline = lineage.baseline().and_then(|n| n.score);
    let champion = lineage.champion().and_then(|n| n.score);
    let improved = run.champion != run.baseline;
    let verdicts = |name: &str| run.verdicts.get(name).copied().unwrap_or(0);
    let judged: u64 = run.verdicts.values().sum();

    if let (Some(baseline), Some(ceiling)) = (baseline, circumstances.ceiling)
        && !improved
        && baseline >= ceiling
    {
        findings.push(Finding {
            name: "benchmark-too-easy",
            what: format!("the baseline already scores {baseline:.3} of {ceiling:.3}"),
            mend: "add harder validation tasks: what the suite cannot see cannot get better".into(),
        });
    }
    let best = run.best.iter().filter_map(|i| lineage.node(*i).score).fold(f64::NEG_INFINITY, f64::max);
    if !improved && baseline.is_some_and(|b| b <= 0.0) && best <= 0.0 && judged >= 20 {
        findings.push(Finding {
            name: "benchmark-too-hard",
            what: format!(
                "neither the baseline nor any of {} solved a single validation task",
                counted(judged, "variant")
            ),
            mend: "add easier tasks as steps on the way, or set `partial = true` in suite.toml so that part of a task \
                   counts"
                .into(),
        });
    }
    let useless = run.unusable + run.refusals.get("change-applies").copied().unwrap_or(0) + verdicts("unviable");
    if circumstances.model && run.attempts >= 10 && useless * 2 > run.attempts {
        findings.push(Finding {
            name: "model-too-weak",
            what: format!(
                "{useless} of {} answers were unusable, did not apply or did not run; the last: {}",
                run.attempts,
                run.troubles.last().map(String::as_str).unwrap_or("none told")
            ),
            mend: "try a larger model (`--model`), a smaller genome, or another proposer beside it".into(),
        });
    }
    let unsure = verdicts("inconclusive");
    if !improved && unsure > 0 {
        findings.push(Finding {
            name: "threshold-too-high",
            what: format!(
                "{unsure} of {} looked better, but the evidence was too weak to accept it",
                counted(judged, "variant")
            ),
            mend: match circumstances.kind {
                Kind::Sample => "add validation tasks: with few tasks only large gains can be shown; or declare the \
                                 suite `exact` if these very tasks are the goal"
                    .into(),
                Kind::Exact => "raise the evaluation budget, so that gains can be confirmed by a re-run".into(),
            },
        });
    }
    let refused: u64 = run.refused - run.refusals.get("change-applies").copied().unwrap_or(0);
    if refused > 0 {
        let by_article: Vec<String> = run.refusals.iter().map(|(a, n)| format!("{a} × {n}")).collect();
        findings.push(Finding {
            name: "constitutional-violations",
            what: format!("refused {}: {}", counted(refused, "proposal"), by_article.join(", ")),
            mend:
                "`meliora log --refused` shows each; widen `editable` in meliora.toml if such changes are wanted, or \
                   say in `goal` what is out of reach"
                    .into(),
        });
    }
    if let Some(drop) = &lineage.last_drop {
        findings.push(Finding {
            name: "performance-degraded",
            what: drop.clone(),
            mend:
                "`meliora log` shows when; compare with `meliora diff`, then run again from the state that stands now"
                    .into(),
        });
    }
    let ran_out = match &run.finished {
        Some(FinishReason::Budget(which)) => Over::called(which),
        _ => None,
    };
    if let Some(over) = ran_out.filter(|_| !improved && judged == 0) {
        findings.push(Finding {
            name: "budget-too-small",
            what: format!("the budget of {over} ended before a single variant was judged"),
            mend: format!(
                "raise `{}`: what a step may cost at most is set aside before it begins, however little it takes then",
                over.flag()
            ),
        });
    }
    if findings.is_empty() && !improved && run.finished.is_some() && champion.is_some() && judged > 0 {
        let raise = ran_out.map_or_else(String::new, |over| format!("raise `{}`, ", over.flag()));
        findings.push(Finding {
            name: "nothing-better-found",
            what: format!("examined {}, none better than the baseline", counted(judged, "variant")),
            mend: format!("{raise}try another proposer or strategy, or look whether train tasks show what is wrong"),
        });
    }
    findings
}
