//! Promotion: a champion stands in the user's tree. Rollback: a promotion backwards. Re-examination decides between them.

use meliora_benchmark::{Scope, Suite};
use meliora_constitution::{Constitution, Ruling, Subject};
use meliora_domain::{Decision, Event, Genome, Operation, Scorecard, Split, Tier, Timestamp, VariantId, Verdict, Word};
use meliora_judge::{Policy, Regression, Standing};

use crate::brief::{judgement, scorecards};
use crate::error::EvolveError;
use crate::examine::{Means, Nonce, examine};
use crate::journal::Journal;
use crate::lineage::Lineage;
use crate::port::{Archive, PromotionNote, Sandbox, Target, TargetError};
use crate::requirement::Succession;
use crate::student::{Purse, Student};

/// Makes a variant stand in the user's tree as a commit. Returns the commit. Where the law let it happen for a person's
/// word alone, that is `yes`, and used up with it.
///
/// # Errors
/// When the variant is not accepted, its tier asks for `unproven`, the law requires more of it, or the tree is dirty or
/// moved.
pub fn promote(
    journal: &mut Journal<'_>,
    archive: &dyn Archive,
    target: &dyn Target,
    variant: VariantId,
    (suite, law): (&Suite, &Constitution),
    (unproven, yes): (bool, Option<&Word>),
) -> Result<String, EvolveError> {
    let tier = suite.tier();
    let lineage = journal.lineage();
    let Some(index) = lineage.find(&variant) else {
        return Err(crate::port::ArchiveError::NoVariant(variant.to_string()).into());
    };
    let node = lineage.node(index);
    if node.verdict != Some(Verdict::Accepted) {
        let standing = node.verdict.map_or("a baseline".to_owned(), |v| format!("{v} ({})", node.grounds));
        return Err(EvolveError::NotAllowed {
            what: format!("{} is {standing}; only accepted variants are promoted", variant.short()),
            hint: Some(match node.verdict {
                Some(Verdict::Suspect) => format!(
                    "read it with `meliora show {0}`; `meliora clear {0}` lets it go, if it is honest",
                    variant.short()
                ),
                _ => "`meliora log` lists the accepted ones".to_owned(),
            }),
        });
    }
    if lineage.distrusted(&variant) {
        return Err(EvolveError::NotAllowed {
            what: format!("{} was bred from a suspect variant", variant.short()),
            hint: Some("`meliora log` shows it; `meliora clear ID` lets it go, if it is honest".to_owned()),
        });
    }
    crate::suspects::cleared(node, law)?;
    // Only native suites are apart in every run. For others it counts how the variant was examined when it was accepted.
    let within_reach = tier != Tier::Apart && tier_of(archive, node.run)? != Some(Tier::Split);
    if within_reach && !unproven {
        return Err(EvolveError::NotAllowed {
            what: "this evaluator shared its cage with what it examined, so the score could have been reached from \
                   inside"
                .to_owned(),
            hint: Some("read the diff, then `meliora promote --unproven`".to_owned()),
        });
    }
    let genome = archive.load(&variant)?;
    let standing = target.read()?;
    let recorded = lineage.standing.last().is_some_and(|s| s.variant == variant);
    let stands = standing.tree() == node.tree;
    if stands && recorded {
        return Err(EvolveError::NotAllowed {
            what: format!("{} stands in your tree already", variant.short()),
            hint: None,
        });
    }
    // Where it stands without a record, a crash came between commit and journal: only the record is made up for.
    let previous = if stands { first_ancestor(lineage, index) } else { ancestor_with_tree(lineage, index, &standing) };
    let Some(previous) = previous else {
        return Err(crate::port::TargetError::Moved(
            "it holds none of the states that the variant was bred from; start a new run from it".to_owned(),
        )
        .into());
    };
    let succession = Succession {
        law,
        kind: suite.kind(),
        variant: (variant, &genome),
        previous: (previous, &archive.load(&previous)?),
    };
    if let Some(why) = succession.unmet(archive)? {
        return unlawful(journal, variant, why);
    }
    let score = |id: &VariantId| lineage.find(id).and_then(|i| lineage.node(i).score);
    let mut grounds = lineage.node(index).grounds.clone();
    for line in judgement(archive, &variant)?.iter().flat_map(|judgement| judgement.figures()) {
        grounds.push_str(&format!("\n- {line}"));
    }
    let message = note(&variant, &previous, score(&variant), score(&previous), &grounds);
    let (commit, before) = target.apply(&standing, &genome, &PromotionNote { variant, message })?;
    let mut events = vec![Event::Promoted { variant, commit: commit.clone(), before, previous, unproven }];
    events.extend(yes.map(|word| Event::Used { request: word.request, nonce: word.nonce }));
    journal.record(&events)?;
    Ok(commit)
}

/// A promotion that the law does not allow: journalled, and nothing happens.
fn unlawful(journal: &mut Journal<'_>, variant: VariantId, reason: String) -> Result<String, EvolveError> {
    journal.record(&[Event::Violated {
        decision: Decision::Forbid,
        article: "autonomous-operations".into(),
        reason: reason.clone(),
        source: "promote".into(),
        operation: Some(Operation::Promote { variant }),
    }])?;
    Err(EvolveError::NotAllowed {
        what: format!("{} must not stand in your tree: {reason}", variant.short()),
        hint: Some("`meliora run` goes on from it; a variant that passes both can be promoted".to_owned()),
    })
}

/// The tier of a run, from the journal; `None` if it does not say.
fn tier_of(archive: &dyn Archive, run: u32) -> Result<Option<Tier>, EvolveError> {
    let (mut number, mut tier) = (0, None);
    archive.replay(0, &mut |recorded| {
        if let Event::RunStarted(plan) = recorded.event {
            number += 1;
            tier = plan.tier;
        } else {
            return true;
        }
        number < run
    })?;
    Ok(tier.filter(|_| number == run))
}

/// The baseline that a variant was bred from.
fn first_ancestor(lineage: &Lineage, index: u32) -> Option<VariantId> {
    let mut at = index;
    while let Some(parent) = lineage.node(at).parents.first().copied() {
        at = parent;
    }
    (at != index).then(|| lineage.node(at).id)
}

/// The nearest ancestor whose files are those of the genome.
fn ancestor_with_tree(lineage: &Lineage, index: u32, genome: &Genome) -> Option<VariantId> {
    let tree = genome.tree();
    let mut at = index;
    while let Some(parent) = lineage.node(at).parents.first().copied() {
        if lineage.node(parent).tree == tree {
            return Some(lineage.node(parent).id);
        }
        at = parent;
    }
    None
}

fn note(variant: &VariantId, previous: &VariantId, score: Option<f64>, before: Option<f64>, grounds: &str) -> String {
    let show = |s: Option<f64>| s.map_or("?".to_owned(), |s| format!("{s:.4}"));
    format!(
        "Promote {}: score {} -> {}\n\n{grounds}\n\nMeliora-Variant: {variant}\nMeliora-Previous: {previous}\n",
        variant.short(),
        show(before),
        show(score)
    )
}

/// Undoes the newest promotion (of `variant`, if one is named). Returns the variant that stands again and the commit.
///
/// # Errors
/// When nothing is promoted, another variant stands, or the tree is dirty or moved.
pub fn rollback(
    journal: &mut Journal<'_>,
    archive: &dyn Archive,
    target: &dyn Target,
    variant: Option<VariantId>,
    reason: &str,
) -> Result<(VariantId, String), EvolveError> {
    let Some(standing) = journal.lineage().standing.last().cloned() else {
        return Err(EvolveError::NotAllowed {
            what: "nothing is promoted, so there is nothing to undo".into(),
            hint: None,
        });
    };
    if let Some(other) = variant.filter(|v| *v != standing.variant) {
        return Err(EvolveError::NotAllowed {
            what: format!("{} does not stand; {} does", other.short(), standing.variant.short()),
            hint: Some(format!("`meliora rollback {}`", standing.variant.short())),
        });
    }
    let (from, to) = (archive.load(&standing.variant)?, archive.load(&standing.previous)?);
    let message = format!(
        "Roll back {} to {}\n\n{reason}\n\nMeliora-Variant: {}\n",
        standing.variant.short(),
        standing.previous.short(),
        standing.previous
    );
    let note = PromotionNote { variant: standing.previous, message };
    let (commit, _) = target.apply(&from, &to, &note).map_err(|e| match e {
        TargetError::Moved(_) => EvolveError::NotAllowed {
            what: format!("what stands in your tree is not {} any more, which was promoted", standing.variant.short()),
            hint: Some(
                "your tree was changed since; take that back, or undo the promotion's commit yourself (`git revert`)"
                    .into(),
            ),
        },
        other => other.into(),
    })?;
    journal.record(&[Event::RolledBack {
        from: standing.variant,
        to: standing.previous,
        commit: commit.clone(),
        reason: reason.to_owned(),
    }])?;
    Ok((standing.previous, commit))
}

/// What a re-examination needs.
pub struct Examiner<'a> {
    /// The law.
    pub constitution: &'a Constitution,
    /// The exam.
    pub suite: &'a Suite,
    /// Cages.
    pub sandbox: &'a dyn Sandbox,
    /// Who answers, where the suite is one of prompts.
    pub student: Option<&'a Student<'a>>,
    /// What decides.
    pub policy: &'a Policy,
    /// Secrets.
    pub nonce: Nonce<'a>,
}

impl Examiner<'_> {
    /// One examination of a genome, whatever its answers cost.
    pub fn card(&self, genome: &Genome, scope: &Scope<'_>) -> Result<Scorecard, EvolveError> {
        match self.constitution.review(Subject::Baseline(genome), &[], Timestamp(0)) {
            Ruling::Lawful(lawful) => {
                let Examiner { suite, sandbox, student, nonce, .. } = *self;
                let means = Means { suite, sandbox, student, nonce, failures: None };
                Ok(examine(&means, &lawful, scope, &Purse::new(None))?.scorecard)
            }
            Ruling::Refused(refusal) => Err(EvolveError::Baseline(refusal)),
            Ruling::NeedsApproval(request) => Err(EvolveError::baseline_asks(&request)),
        }
    }
}

/// What became of a re-examination.
#[derive(Clone, PartialEq, Debug)]
pub enum Reexamination {
    /// Nothing is promoted.
    NothingStands,
    /// This variant was promoted, and the tree is another now: it was not examined.
    Moved(VariantId),
    /// It still stands, or the evidence against it is too weak; in words.
    Stands(String),
    /// It had dropped and was rolled back to this variant by this commit; in words.
    RolledBack(VariantId, String, String),
}

/// Examines the promoted variant again. A drop that counts rolls it back at once, and the journal says so.
///
/// It is held against its own marks at promotion where the evaluator is still the same, otherwise against the
/// variant before it, examined now under the new evaluator: marks of different evaluators are never compared.
pub fn reexamine(
    journal: &mut Journal<'_>,
    archive: &dyn Archive,
    target: &dyn Target,
    examiner: &Examiner<'_>,
) -> Result<Reexamination, EvolveError> {
    let Some(standing) = journal.lineage().standing.last().cloned() else { return Ok(Reexamination::NothingStands) };
    let genome = archive.load(&standing.variant)?;
    if target.read()?.tree() != genome.tree() {
        return Ok(Reexamination::Moved(standing.variant));
    }
    let scope = |seed| Scope { splits: &[Split::Train, Split::Validation], seed, ..Scope::default() };
    let mut reference = scorecards(archive, &standing.variant, &examiner.suite.evaluator())?;
    let mut now = vec![examiner.card(&genome, &scope(0))?];
    let against = if reference.is_empty() {
        reference.push(examiner.card(&archive.load(&standing.previous)?, &scope(0))?);
        "the variant before it, under the evaluator of today"
    } else {
        "its own score at promotion"
    };
    let verdict = loop {
        let (n, r): (Vec<&Scorecard>, Vec<&Scorecard>) = (now.iter().collect(), reference.iter().collect());
        let flaky = journal.lineage().flaky(&examiner.suite.evaluator());
        match meliora_judge::standing(&Regression { now: &n, reference: &r, flaky }, examiner.policy) {
            Standing::NeedMore { seed } => now.push(examiner.card(&genome, &scope(seed))?),
            decided => break decided,
        }
    };
    let mean = |cards: &[Scorecard]| cards.first().and_then(|c| c.mean(Split::Validation)).unwrap_or(0.0);
    let (Standing::Stands(why) | Standing::Unclear(why) | Standing::Dropped(why)) = &verdict else {
        return Ok(Reexamination::Stands(String::new()));
    };
    let reason = format!("{why}, held against {against}");
    journal.record(&[Event::Reexamined {
        variant: standing.variant,
        score: mean(&now),
        reference: mean(&reference),
        reason: reason.clone(),
        dropped: matches!(verdict, Standing::Dropped(_)),
    }])?;
    if !matches!(verdict, Standing::Dropped(_)) {
        return Ok(Reexamination::Stands(reason));
    }
    let (to, commit) = rollback(journal, archive, target, None, &format!("automatic: {reason}"))?;
    Ok(Reexamination::RolledBack(to, commit, reason))
}
