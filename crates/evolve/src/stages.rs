//! Examinations of some tasks only, put together into whole ones.

use std::collections::BTreeSet;

use meliora_domain::{Scorecard, Split, TaskId};

use crate::lineage::{Lineage, NodeIndex};

/// The whole examinations among these scorecards of one variant, in order. Those of fewer than `tasks` validation tasks are
/// put together until they cover as many; a task's first mark counts. What does not make up a whole one is left out.
pub(crate) fn whole<'a>(cards: impl IntoIterator<Item = &'a Scorecard>, tasks: usize) -> Vec<Scorecard> {
    let mut done: Vec<Scorecard> = Vec::new();
    let mut begun: Option<Scorecard> = None;
    for card in cards {
        if card.of(Split::Validation).count() >= tasks {
            done.push(card.clone());
            continue;
        }
        let Some(open) = &mut begun else {
            begun = Some(card.clone());
            continue;
        };
        if open.evaluator != card.evaluator {
            begun = Some(card.clone());
            continue;
        }
        let known: BTreeSet<(Split, TaskId)> = open.marks.iter().map(|m| (m.split, m.task.clone())).collect();
        open.marks.extend(card.marks.iter().filter(|m| !known.contains(&(m.split, m.task.clone()))).cloned());
        open.metrics.extend(card.metrics.iter().map(|(name, value)| (name.clone(), *value)));
        open.seconds += card.seconds;
        if open.of(Split::Validation).count() >= tasks {
            done.extend(begun.take());
        }
    }
    done
}

/// What a variant is judged against: the nearest variant it was bred from by first parents that was examined on all tasks.
pub(crate) fn reference(lineage: &Lineage, parent: NodeIndex) -> NodeIndex {
    let line = std::iter::successors(Some(parent), |at| lineage.node(*at).parents.first().copied());
    line.into_iter().find(|at| lineage.node(*at).whole).unwrap_or(parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::{Digest, Mark, MarkStatus};

    fn card(tasks: &[(u32, f64)]) -> Scorecard {
        let mark = |(task, score): &(u32, f64)| Mark {
            task: TaskId(task.to_string()),
            split: Split::Validation,
            status: MarkStatus::Passed,
            score: *score,
            detail: String::new(),
        };
        let marks = tasks.iter().map(mark).collect();
        Scorecard { evaluator: Digest::default(), marks, metrics: Default::default(), seconds: 1.0 }
    }

    #[test]
    fn parts_make_up_whole_examinations_and_a_first_mark_counts() {
        let parts = [card(&[(1, 0.5)]), card(&[(2, 1.0)]), card(&[(1, 0.0), (3, 1.0)])];
        let again = card(&[(1, 1.0), (2, 1.0), (3, 1.0)]);
        let whole = whole(parts.iter().chain([&again, &parts[0]]), 3);
        assert_eq!(whole.len(), 2, "a last part that is left over is none");
        assert_eq!(whole[0].marks, card(&[(1, 0.5), (2, 1.0), (3, 1.0)]).marks);
        assert_eq!(whole[0].seconds, 3.0);
        assert_eq!(whole[1], again);
    }
}
