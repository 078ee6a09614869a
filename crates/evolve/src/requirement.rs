//! What the law requires of a variant before it stands in the user's tree, beyond its verdict.

use std::collections::BTreeSet;

use meliora_constitution::{Constitution, Requirement};
use meliora_domain::{Digest, Event, Genome, Kind, MarkStatus, Scorecard, Split, VariantId};

use crate::brief::scorecards;
use crate::error::EvolveError;
use crate::port::Archive;

/// What stands in for what, under which law.
pub(crate) struct Succession<'a> {
    pub(crate) law: &'a Constitution,
    pub(crate) kind: Kind,
    pub(crate) variant: (VariantId, &'a Genome),
    pub(crate) previous: (VariantId, &'a Genome),
}

impl Succession<'_> {
    /// Says what is required and not met. The other requirements are met by how variants come about: only the verdict
    /// `accepted` is promoted, each is a commit, each ran in cages only.
    pub(crate) fn unmet(&self, archive: &dyn Archive) -> Result<Option<String>, EvolveError> {
        let required = self.law.requires(self.paths().iter().map(String::as_str));
        // Where the tasks stand for more than themselves, a single one proves nothing: the verdict weighs them all.
        if !required.contains(&Requirement::TestsPass) || self.kind == Kind::Sample {
            return Ok(None);
        }
        let Some(evaluator) = examined_under(archive, &self.variant.0)? else { return Ok(None) };
        let now = scorecards(archive, &self.variant.0, &evaluator)?;
        let before = scorecards(archive, &self.previous.0, &evaluator)?;
        let broken = broken(&now, &before);
        Ok((!broken.is_empty()).then(|| {
            let (stands, tasks) = (self.previous.0.short(), broken.join(", "));
            format!("tests_pass is required, and it fails what {stands} passes: {tasks}")
        }))
    }

    /// The files in which the two differ.
    fn paths(&self) -> BTreeSet<String> {
        let (a, b) = (self.variant.1, self.previous.1);
        let all = a.files().chain(b.files()).map(|(path, _)| path);
        all.filter(|path| a.get(path) != b.get(path)).map(ToString::to_string).collect()
    }
}

/// Validation tasks that passed in every examination before and do not in some examination now.
fn broken(now: &[Scorecard], before: &[Scorecard]) -> Vec<String> {
    let marks = |cards: &[Scorecard], task: &str| -> Vec<MarkStatus> {
        let of = |card: &Scorecard| card.of(Split::Validation).find(|m| m.task.0 == task).map(|m| m.status);
        cards.iter().filter_map(of).filter(|status| *status != MarkStatus::Missing).collect()
    };
    let tasks: BTreeSet<&str> =
        before.iter().flat_map(|card| card.of(Split::Validation)).map(|m| m.task.0.as_str()).collect();
    let passes = |cards: &[Scorecard], task: &str| marks(cards, task).iter().all(|s| *s == MarkStatus::Passed);
    let known = |cards: &[Scorecard], task: &str| !marks(cards, task).is_empty();
    let lost = |task: &&&str| known(before, task) && passes(before, task) && !passes(now, task);
    tasks.iter().filter(lost).map(ToString::to_string).collect()
}

/// The evaluator that examined it last.
fn examined_under(archive: &dyn Archive, id: &VariantId) -> Result<Option<Digest>, EvolveError> {
    Ok(archive.about(id)?.into_iter().rev().find_map(|recorded| match recorded.event {
        Event::Examined { variant, scorecard, .. } if variant == *id => Some(scorecard.evaluator),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use meliora_domain::{Mark, TaskId};

    use super::*;

    fn card(marks: &[(&str, MarkStatus)]) -> Scorecard {
        let mark = |(task, status): &(&str, MarkStatus)| Mark {
            task: TaskId((*task).into()),
            split: Split::Validation,
            status: *status,
            score: 0.0,
            detail: String::new(),
        };
        Scorecard { evaluator: Digest::default(), marks: marks.iter().map(mark).collect(), ..Scorecard::default() }
    }

    #[test]
    fn a_task_is_broken_if_it_always_passed_and_now_does_not() {
        use MarkStatus::{Crashed, Failed, Missing, Passed};
        let before = [card(&[("a", Passed), ("b", Passed), ("c", Failed), ("d", Passed), ("e", Passed)])];
        let again = [before[0].clone(), card(&[("b", Failed)])];
        let now = [card(&[("a", Passed), ("b", Failed), ("c", Failed), ("d", Missing), ("e", Crashed)])];
        assert_eq!(broken(&now, &before), ["b", "e"]);
        assert_eq!(broken(&now, &again), ["e"], "what failed before, too, was not sure to pass");
        assert!(broken(&before, &before).is_empty());
    }
}
